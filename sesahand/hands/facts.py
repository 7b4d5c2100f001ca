"""What an editor in a browser has to know of a hand beside its file: axes, ranges and directions of its joints."""

import math
from dataclasses import asdict
from typing import Any

import torch

from .fingers import FINGER_SPREAD, OPPOSITION, TWIST
from .gestures import gesture
from .gripping import GRASPS
from .limits import angles_from_pose, joint_frames, joint_limits
from .model import HandModel
from .objects import OBJECTS, Solid, Vessel, object_mesh
from .rotations import axis_angle_to_matrix
from .skeleton import FINGERS

# Micrometres and less of an object's surface are not seen.
MESH_DECIMALS = 7


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


def object_facts(kind: str) -> dict[str, Any]:
    """Return what `web/js/core/objects.js` draws and grips an object by, as JSON takes it.

    Args:
        kind: A name of `OBJECTS`.

    Returns:
        `name`; of its surface at the usual size `vertices` (three numbers each, metres) and `faces` (three vertex ids
        each); `solids`, each with `type` and its measures in metres, a vessel as if it were full; and how a right hand
        grasps it: `gesture`, `fingers`, `place` (metres), `orient` (nine numbers, rows of the matrix first),
        `in_palm`, `held_at` (metres) and `by_tips`.
    """
    vertices, faces = object_mesh(kind)
    grasp = GRASPS[kind]
    return {
        "name": kind,
        "vertices": [round(value, MESH_DECIMALS) for value in vertices.flatten().tolist()],
        "faces": faces.flatten().tolist(),
        "solids": [_solid(solid) for solid in OBJECTS[kind]],
        "gesture": grasp.gesture,
        "fingers": list(grasp.fingers),
        "place": list(grasp.place),
        "orient": axis_angle_to_matrix(torch.tensor(grasp.turn, dtype=torch.float64)).flatten().tolist(),
        "in_palm": grasp.in_palm,
        "held_at": grasp.held_at,
        "by_tips": grasp.by_tips,
    }


def _solid(solid: Solid) -> dict[str, Any]:
    if isinstance(solid, Vessel):
        # Hands close on it from outside. Full, it is pushed out of a palm that is in it, and not on through its wall.
        solid = solid.filled
    return {"type": type(solid).__name__, **asdict(solid)}


def _radians(degrees: tuple[float, ...]) -> list[float]:
    return [math.radians(angle) for angle in degrees]
