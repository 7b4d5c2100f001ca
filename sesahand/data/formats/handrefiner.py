"""HandRefiner's training data: `image/NAME`, `mask/NAME`, `pose/NAME`, and a list of prompts with a line a sample.

`pose` is the depth map of the hands, near bright, which HandRefiner's ControlNet is shown; `mask` is white where a hand
is. All three have one name, so that all are PNG. Its code names the list `rgb_caption.json`; a line is
`{"jpg": NAME, "txt": prompt, "dataset": "sesahand"}`.

Source: ldm/data/control_synthcompositedata.py of HandRefiner (Lu et al., 2023).
"""

import json
from collections.abc import Iterable
from pathlib import Path

from ...files.writing import write_whole
from ..pair_set import Pair
from ..picture_files import encode
from .pixels import map_levels, picture_bytes

DATASET = "sesahand"
LIST = "rgb_caption.json"


def export(pairs: Iterable[Pair], out: Path) -> tuple[int, int]:
    """Write pairs into `out`; return how many were written and left out. Those without hands are."""
    for name in ("image", "mask", "pose"):
        (out / name).mkdir()
    lines, left_out = [], 0
    for pair in pairs:
        if not pair.record.hands:
            left_out += 1
            continue
        name = f"{pair.key}.png"
        write_whole(out / "image" / name, picture_bytes(pair, "png"))
        write_whole(out / "mask" / name, encode(map_levels(pair, "mask"), "png"))
        write_whole(out / "pose" / name, encode(map_levels(pair, "depth"), "png"))
        lines.append(json.dumps({"jpg": name, "txt": pair.prompt, "dataset": DATASET}) + "\n")
    write_whole(out / LIST, "".join(lines).encode())
    return len(lines), left_out
