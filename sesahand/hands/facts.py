"""What an editor in a browser has to know of a hand beside its file: axes, ranges and directions of its joints."""

import math
from typing import Any

import torch

from .fingers import FINGER_SPREAD, OPPOSITION, TWIST
from .gestures import gesture
from .limits import angles_from_pose, joint_frames, joint_limits
from .model import HandModel
from .skeleton import FINGERS


def hand_facts(model: HandModel) -> dict[str, Any]:
    """Return the numbers that `web/js/core/anatomy.js` works with, as JSON takes them.

    Args:
        model: The hand.

    Returns:
        Of the 15 joints in MANO's order: `frames` (nine numbers each, rows of the matrix first), `ranges` (least and
        most of flexion, abduction and twist, radians) and `fist` (those angles of the fist). Of a first joint, radians
        of flexion, abduction and twist that one unit adds: `spread` for each finger, `opposition` and `twist` for the
        thumb.
    """
    # Twice as exact as poses are, so that the browser's double precision is not spoilt.
    frames = joint_frames(model.to(torch.float64))
    return {
        "frames": frames.flatten(1).tolist(),
        "ranges": joint_limits().tolist(),
        "fist": angles_from_pose(gesture("fist").double(), frames).tolist(),
        "spread": [_radians(FINGER_SPREAD[finger]) for finger in FINGERS],
        "opposition": _radians(OPPOSITION),
        "twist": _radians(TWIST),
    }


def _radians(degrees: tuple[float, ...]) -> list[float]:
    return [math.radians(angle) for angle in degrees]
