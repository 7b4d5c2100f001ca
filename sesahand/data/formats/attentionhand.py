"""AttentionHand's training data.

`data/modalities.json` with one object a line, whose paths start at the folder that training is started in::

    {"mesh": "data/mesh/KEY.jpg", "rgb": "data/rgb/KEY.jpg", "text": "data/text/KEY.txt"}

The first line of the text is the prompt. The mesh picture is near-white on black; its code looks for hands by
gray > 127 in the map at 512 x 512 and stops at a map without any, so that pairs whose hands are not seen are left out.

Source: datasets.py and samples/ of AttentionHand (Park et al., 2024).
"""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from ...files.writing import write_whole
from ..pair_set import Pair
from ..picture_files import encode
from .pixels import map_levels, picture_bytes

LIT = 127
SIZE = 512


def export(pairs: Iterable[Pair], out: Path) -> tuple[int, int]:
    """Write pairs below `out/data`; return how many were written and left out."""
    for name in ("mesh", "rgb", "text"):
        (out / "data" / name).mkdir(parents=True)
    lines, left_out = [], 0
    for pair in pairs:
        mesh = map_levels(pair, "mesh") if pair.record.hands else None
        if mesh is None or not is_seen(mesh):
            left_out += 1
            continue
        names = {"mesh": f"data/mesh/{pair.key}.jpg", "rgb": f"data/rgb/{pair.key}.jpg"}
        names["text"] = f"data/text/{pair.key}.txt"
        write_whole(out / names["mesh"], encode(mesh, "jpg"))
        write_whole(out / names["rgb"], picture_bytes(pair, "jpg"))
        write_whole(out / names["text"], " ".join(pair.prompt.split()).encode())
        lines.append(json.dumps(names) + "\n")
    write_whole(out / "data" / "modalities.json", "".join(lines).encode())
    return len(lines), left_out


def is_seen(mesh: np.ndarray) -> bool:
    """Tell whether AttentionHand's code would find a hand in a mesh picture, uint8 `[H, W, 3]`."""
    resized = Image.fromarray(mesh).resize((SIZE, SIZE), Image.Resampling.BILINEAR).convert("L")
    return int(np.asarray(resized).max()) > LIT
