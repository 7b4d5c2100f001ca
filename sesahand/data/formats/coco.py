"""One COCO-style JSON, `annotations.json`, beside `images/`: a picture each pair, an annotation each hand.

Beside COCO's own fields an annotation has what InterHand-style readers take: `keypoints` and `lefthand_kpts` or
`righthand_kpts` (63 numbers: x, y in pixels and 2 for known; zeros for the other hand), `joint_cam` (21 x 3, metres),
`cam_param` (`focal`, `princpt`), and `mano_param` (`pose` 48, `shape` 10, `trans` 3) if the hand is MANO's. Any other
hand's are called `hand_param`, so that nobody takes its shape for MANO's. A picture has prompt, semantics, seed and the
rest of the pair's record. Pairs without hands are in, without annotations.

Source: the COCO data format; COCO-WholeBody for the names of hand keypoints; InterWild for mano_param and cam_param.
"""

import json
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...hands.mano import MANO_NAME
from ...hands.skeleton import KEYPOINT_BONES, KEYPOINTS
from ..hand_arrays import HandParameters
from ..pair_set import Pair
from .pixels import picture_bytes

VISIBLE = 2
CATEGORY = {
    "id": 1,
    "name": "hand",
    "supercategory": "person",
    "keypoints": list(KEYPOINTS),
    "skeleton": [[a + 1, b + 1] for a, b in KEYPOINT_BONES],
}


def export(pairs: Iterable[Pair], out: Path) -> tuple[int, int]:
    """Write pairs into `out`; return how many were written and left out, which none is."""
    (out / "images").mkdir()
    partial, count, hands = out / ".annotations.partial", 0, 0
    # Annotations come behind all pictures in the file, but are made along with them, and may be gigabytes.
    with partial.open("w", encoding="utf-8") as file, tempfile.TemporaryFile("w+", encoding="utf-8") as behind:
        header = {"info": {"description": "SesaHand image-mesh pairs", "version": "1"}, "categories": [CATEGORY]}
        file.write(json.dumps(header)[:-1] + ', "images": [')
        for pair in pairs:
            name = f"{pair.key}.{pair.record.picture}"
            (out / "images" / name).write_bytes(picture_bytes(pair, pair.record.picture))
            parameters = pair.parameters
            file.write(_item(describe_picture(pair, parameters, count + 1, name), count))
            for n in range(len(pair.record.hands)):
                behind.write(_item(describe_hand(pair, parameters, n, hands + 1, count + 1), hands))
                hands += 1
            count += 1
        file.write('\n], "annotations": [')
        behind.seek(0)
        shutil.copyfileobj(behind, file)
        file.write("\n]}\n")
    partial.replace(out / "annotations.json")
    return count, 0


def describe_picture(pair: Pair, hands: HandParameters, number: int, name: str) -> dict[str, Any]:
    """Return a picture's entry."""
    record, facts = pair.record, asdict(pair.facts)
    facts["semantics"] = pair.semantics and pair.semantics.to_dict()
    return {
        "id": number,
        "file_name": name,
        "width": record.width,
        "height": record.height,
        "key": pair.key,
        "hand_model": record.hand_model,
        "hand_licence": record.hand_licence,
        "flat_hand": record.flat_hand,
        "vertices_sha256": record.vertices_sha256,
        "cam_param": camera_of(hands),
        **facts,
    }


def describe_hand(pair: Pair, hands: HandParameters, n: int, number: int, picture: int) -> dict[str, Any]:
    """Return the annotation of hand `n` of a pair."""
    summary = pair.record.hands[n]
    left, top, right, bottom = summary.box
    points = [value for x, y in hands.keypoints_2d[n].tolist() for value in (x, y, VISIBLE)]
    parameters = {
        "pose": hands.pose[n].tolist(),
        "shape": hands.betas[n].tolist(),
        "trans": hands.translation[n].tolist(),
    }
    return {
        "id": number,
        "image_id": picture,
        "category_id": CATEGORY["id"],
        "iscrowd": 0,
        "bbox": [left, top, right - left, bottom - top],
        "area": (right - left) * (bottom - top),
        "is_right": int(summary.side == "right"),
        "score": summary.score,
        "keypoints": points,
        "num_keypoints": len(KEYPOINTS),
        "lefthand_kpts": points if summary.side == "left" else [0] * 63,
        "righthand_kpts": points if summary.side == "right" else [0] * 63,
        "joint_cam": hands.keypoints_3d[n].tolist(),
        "cam_param": camera_of(hands),
        "mano_param" if pair.record.hand_model == MANO_NAME else "hand_param": parameters,
    }


def camera_of(hands: HandParameters) -> dict[str, list[float]]:
    """Return focal lengths and principal point in pixels."""
    return {"focal": [hands.camera.focal_length] * 2, "princpt": list(hands.camera.principal_point)}


def _item(value: dict, before: int) -> str:
    return (",\n" if before else "\n") + json.dumps(value)
