"""One COCO-style JSON, `annotations.json`, beside `images/`: a picture each pair, an annotation each hand.

Beside COCO's own fields an annotation has what InterHand-style readers take: `keypoints` and `lefthand_kpts` or
`righthand_kpts` (63 numbers: x, y in pixels and 2 for known, or 1 behind what a hand holds; zeros for points outside
the picture and for the other hand), `joint_cam` (21 x 3, metres), `cam_param` (`focal`, `princpt`), and `mano_param`
(`pose` 48, `shape` 10, `trans` 3) if the hand is MANO's. Any other hand's are called `hand_param`, so that nobody takes
its shape for MANO's. A picture has prompt, semantics, seed and the rest of the pair's record. Pairs without hands are
in, without annotations.

What a hand holds is an annotation of the category "held object", with its box, outline and area, `name` (the object, or
the user's mesh), `held_as` and `held_by`, the id of the hand's annotation. Without the hand model there are none.

`bbox` is the box of the hand's surface as far as it is in the picture. `segmentation` are polygons around the pixels in
which the hand is seen, and `area` is their number; without the hand model, which they are drawn with, they are the
stored mask's if the picture has one hand and that mask an outline, and else the hull of the keypoints. Hands that are
not wholly in front of the camera, or of which nothing is seen, are left out.

Source: the COCO data format; COCO-WholeBody for the names of hand keypoints; InterWild for mano_param and cam_param.
"""

import json
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ...files.folders import rename
from ...files.writing import open_new, write_whole
from ...hands.mano import MANO_NAME
from ...hands.skeleton import KEYPOINT_BONES, KEYPOINTS
from ..hand_arrays import NEAREST, HandParameters
from ..pair_set import Pair
from .pixels import picture_bytes
from .regions import Seen, look_at

HIDDEN, VISIBLE = 1, 2
# Boxes that reach so far are those of hands with a part at or behind the camera, in pixels.
BEHIND_PIXEL = 1e6
CATEGORY = {
    "id": 1,
    "name": "hand",
    "supercategory": "person",
    "keypoints": list(KEYPOINTS),
    "skeleton": [[a + 1, b + 1] for a, b in KEYPOINT_BONES],
}

OBJECT = {"id": 2, "name": "held object", "supercategory": "object"}


def export(pairs: Iterable[Pair], out: Path) -> tuple[int, int]:
    """Write pairs into `out`; return how many were written and left out, which none is."""
    (out / "images").mkdir()
    partial, count, found = out / ".annotations.partial", 0, 0
    # Annotations come behind all pictures in the file, but are made along with them, and may be gigabytes.
    with open_new(partial) as file, tempfile.TemporaryFile("w+", encoding="utf-8") as behind:
        header = {
            "info": {"description": "SesaHand image-mesh pairs", "version": "1"},
            "categories": [CATEGORY, OBJECT],
        }
        file.write(json.dumps(header)[:-1] + ', "images": [')
        for pair in pairs:
            name = f"{pair.key}.{pair.record.picture}"
            write_whole(out / "images" / name, picture_bytes(pair, pair.record.picture))
            parameters = pair.parameters
            file.write(_item(describe_picture(pair, parameters, count + 1, name), count))
            seen, ids = look_at(pair), {}
            for n in range(len(pair.record.hands)):
                described = describe_hand(pair, parameters, n, found + 1, count + 1, seen)
                if described is not None:
                    behind.write(_item(described, found))
                    ids[n] = found = found + 1
            for described in describe_objects(pair, seen, ids, found + 1, count + 1):
                behind.write(_item(described, found))
                found += 1
            count += 1
        file.write('\n], "annotations": [')
        behind.seek(0)
        shutil.copyfileobj(behind, file)
        file.write("\n]}\n")
    rename(out, partial.name, "annotations.json")
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


def describe_hand(
    pair: Pair, hands: HandParameters, n: int, number: int, picture: int, seen: Seen | None
) -> dict[str, Any] | None:
    """Return the annotation of hand `n` of a pair, or None if it is not in front of the camera or not to be seen.

    Args:
        pair: The pair.
        hands: Parameters and keypoints of all its hands.
        n: Which of them.
        number: Id of the annotation.
        picture: Id of the picture.
        seen: As of `look_at`; without it the outline is the hull of the keypoints.
    """
    summary, (width, height) = pair.record.hands[n], (pair.record.width, pair.record.height)
    left, top, right, bottom = summary.box
    farthest = max(map(abs, summary.box))
    if float(hands.keypoints_3d[n, :, 2].min()) <= NEAREST or farthest >= BEHIND_PIXEL:
        return None
    left, right = max(left, 0.0), min(right, float(width))
    top, bottom = max(top, 0.0), min(bottom, float(height))
    if left >= right or top >= bottom:
        return None
    if seen is None:
        import cv2

        hull = cv2.convexHull(hands.keypoints_2d[n].astype(np.float32))[:, 0]
        hull = hull.clip(0, (width, height)).astype(np.float32)
        polygons, area = [hull.astype(float).flatten().tolist()], float(cv2.contourArea(hull))
        if not area:
            return None
    elif n in seen.hands:
        polygons, area = seen.hands[n].outlines(), seen.hands[n].area
    else:
        return None
    inside = [0 <= x < width and 0 <= y < height for x, y in hands.keypoints_2d[n].tolist()]
    known = zip(hands.keypoints_2d[n].tolist(), hands.keypoints_3d[n, :, 2].tolist(), inside, strict=True)
    points: list[float] = []
    depth = None if seen is None else seen.depth
    for (x, y), z, within in known:
        hidden = within and depth is not None and depth[int(y), int(x)] < z
        points += (x, y, HIDDEN if hidden else VISIBLE) if within else (0, 0, 0)
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
        "segmentation": polygons,
        "area": area,
        "is_right": int(summary.side == "right"),
        "score": summary.score,
        "keypoints": points,
        "num_keypoints": sum(inside),
        "lefthand_kpts": points if summary.side == "left" else [0] * 63,
        "righthand_kpts": points if summary.side == "right" else [0] * 63,
        "joint_cam": hands.keypoints_3d[n].tolist(),
        "cam_param": camera_of(hands),
        "mano_param" if pair.record.hand_model == MANO_NAME else "hand_param": parameters,
    }


def describe_objects(pair: Pair, seen: Seen | None, hands: dict[int, int], number: int, picture: int) -> list[dict]:
    """Return the annotations of what is seen of the objects of a pair.

    Args:
        pair: The pair.
        seen: As of `look_at`.
        hands: Ids of the annotations of its hands, by their numbers in it.
        number: Id of the first annotation.
        picture: Id of the picture.
    """
    described: list[dict[str, Any]] = []
    for n, region in sorted(seen.objects.items()) if seen is not None else ():
        held = pair.scene.objects[n]
        described.append(
            {
                "id": number + len(described),
                "image_id": picture,
                "category_id": OBJECT["id"],
                "iscrowd": 0,
                "bbox": region.box,
                "segmentation": region.outlines(),
                "area": region.area,
                "name": held.name,
                "held_as": held.kind,
                # Of a hand that is not seen there is no annotation.
                "held_by": hands.get(held.hand),
            }
        )
    return described


def camera_of(hands: HandParameters) -> dict[str, list[float]]:
    """Return focal lengths and principal point in pixels."""
    return {"focal": [hands.camera.focal_length] * 2, "princpt": list(hands.camera.principal_point)}


def _item(value: dict, before: int) -> str:
    return (",\n" if before else "\n") + json.dumps(value)
