"""FoundHand's samples: `KEY-0.jpg` beside `KEY-0.npz`, named frame and camera.

The npz holds `hand_mask [H, W]` uint8 (1 where a hand is), `kpts [42, 2]` float32 (pixels; the right hand's 21 in
OpenPose's order, then the left hand's), and as its samples do `obj_mask [H, W]` (1 where
something that a hand holds is; zeros, too, where that is not known: without the map and without the hand model),
`joint3d [42, 3]` (metres, camera frame), `joint_valid [42]`, `campos [3]`, `camrot [3, 3]` (the camera is the world's
origin), `focal [2]` and `princpt [2]`. A hand that is not there has zeros and is not valid. Of several hands of a side
the most confident is taken; pairs without hands are left out.

Source: README.md and sample files of FoundHand (Chen et al., 2025).
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ...files.arrays import write_npz
from ...files.writing import write_whole
from ...reconstruct.landmarks import NUM_KEYPOINTS
from ...scene.hand_scene import SIDES
from ..hand_arrays import HandParameters
from ..pair_set import Pair
from .pixels import map_levels, picture_bytes


def export(pairs: Iterable[Pair], out: Path) -> tuple[int, int]:
    """Write pairs into `out`; return how many were written and left out."""
    written = left_out = 0
    for pair in pairs:
        if not pair.record.hands:
            left_out += 1
            continue
        write_whole(out / f"{pair.key}-0.jpg", picture_bytes(pair, "jpg"))
        arrays = hand_arrays(pair.parameters)
        arrays["hand_mask"] = (map_levels(pair, "mask") > 127).astype(np.uint8)
        if pair.holds_objects and knows_objects(pair):
            arrays["obj_mask"] = (map_levels(pair, "object_mask") > 127).astype(np.uint8)
        write_npz(out / f"{pair.key}-0.npz", True, **arrays)
        written += 1
    return written, left_out


def knows_objects(pair: Pair) -> bool:
    """Tell whether it can be told where the objects of a pair are: from its map, or with its hand model."""
    return "object_mask" in pair.record.maps or pair.record.hand_model in pair.models


def hand_arrays(hands: HandParameters) -> dict[str, np.ndarray]:
    """Return everything but the hand's mask, and that of objects empty."""
    camera = hands.camera
    kpts = np.zeros((2, NUM_KEYPOINTS, 2), np.float32)
    joints = np.zeros((2, NUM_KEYPOINTS, 3), np.float32)
    valid = np.zeros((2, NUM_KEYPOINTS), np.float32)
    for slot, side in enumerate(SIDES):
        found = [n for n, each in enumerate(hands.side) if each == side]
        if found:
            best = max(found, key=lambda n: hands.score[n])
            kpts[slot], joints[slot], valid[slot] = hands.keypoints_2d[best], hands.keypoints_3d[best], 1
    return {
        "kpts": kpts.reshape(-1, 2),
        "joint3d": joints.reshape(-1, 3),
        "joint_valid": valid.reshape(-1),
        "obj_mask": np.zeros((camera.height, camera.width), np.uint8),
        "campos": np.zeros(3, np.float32),
        "camrot": np.eye(3, dtype=np.float32),
        "focal": np.full(2, camera.focal_length, np.float32),
        "princpt": np.array(camera.principal_point, np.float32),
    }
