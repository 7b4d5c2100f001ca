"""Hands of the bodies that SAM 3D Body finds, as ComfyUI's core hands them on (MHR_POSE_DATA, since 0.34).

A value has "image_size" (height, width) and "frames": for each picture its persons, who each have 70 points in pixels
("pred_keypoints_2d") and in metres ("pred_keypoints_3d": x right, y down, z forward, about the body), a place
("pred_cam_t", which added to these gives the camera's frame) and a lens ("focal_length" in pixels, about the picture's
middle). 21 of the points are a right hand's and 21 a left one's, each finger from its tip inwards.

Bodies come with two hands whether they are seen or not, and without a score. Left hands are known to come out wrong
where the network looked at a hand alone (facebookresearch/sam-3d-body, issue 76); one that has a right hand's shape is
told.

Source: `comfy_extras/sam3d_body/export/glb_shared.py` of ComfyUI for the points' order and the camera.
"""

import logging
import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...errors import SesaHandError, quote
from ...hands.builtin import load_builtin_hand
from ...scene.camera import Camera
from ..fitting.initial_guess import likeness_to_gestures
from ..fitting.keypoint_model import KeypointModel
from ..landmarks import HandLandmarks

logger = logging.getLogger(__name__)

NUM_POINTS = 70
# The wrist, then each finger from its tip inwards; ours go outwards.
WRISTS, FINGERS_FROM = {"right": 41, "left": 62}, {"right": 21, "left": 42}
POINTS_OF = {
    side: (WRISTS[side], *(FINGERS_FROM[side] + 4 * finger + 3 - joint for finger in range(5) for joint in range(4)))
    for side in WRISTS
}
MAX_PERSONS = 1024
LARGEST = 1e6
# Pictures' proportions may differ from those of the body data by this part.
SAME_PROPORTIONS = 0.02
# A hand whose points are so many times nearer to hands of the other side than to those of its own has the wrong shape.
WRONG_SHAPE = 2.0


def read_body_pose(value, width: int, height: int, num_frames: int = 1) -> HandLandmarks:
    """Read the hands of SAM 3D Body's bodies, right and left of each person in order.

    Args:
        value: MHR_POSE_DATA.
        width: Width of the pictures in pixels.
        height: Height of the pictures in pixels.
        num_frames: How many pictures there are.

    Returns:
        The hands that are in the picture at least with a point, with 3D points and the camera they were seen by. Their
        score is 1, since there is none. A doubtful left hand has a `side_score` of 0.5, and the note says so.

    Raises:
        SesaHandError: If it is something else, of other pictures, or seen by several lenses.
    """
    frames, size = _check(value, num_frames)
    scale = _scale(size, width, height)
    hands = [
        (frame, side, *_points(person, side), _lens(person), _place(person))
        for frame, persons in enumerate(frames)
        for person in persons
        for side in WRISTS
    ]
    if not hands:
        return HandLandmarks.empty(width, height, num_frames)
    frame, side, *arrays, lenses, places = zip(*hands, strict=True)
    pixels, points = (torch.stack(each) for each in arrays)
    pixels, origins = pixels * scale, torch.stack(places)
    camera = _camera(lenses, scale, width, height)
    low, high = pixels.amin(1), pixels.amax(1)
    limit = torch.tensor([width, height])
    seen = ((pixels >= 0) & (pixels < limit)).all(-1).any(-1)
    landmarks = HandLandmarks(
        width=width,
        height=height,
        num_frames=num_frames,
        frame=torch.tensor(frame),
        side=side,
        keypoints_2d=pixels,
        keypoints_3d=points + origins[:, None],
        box=torch.cat([low, high], 1),
        score=torch.ones(len(hands)),
        side_score=torch.ones(len(hands)),
        camera=camera,
    ).select(seen)
    return _with_doubts(landmarks, len(hands) - len(landmarks))


def _with_doubts(landmarks: HandLandmarks, unseen: int) -> HandLandmarks:
    """Return landmarks whose note says which hands have the other side's shape, and how many are out of the picture."""
    notes = []
    if unseen:
        notes.append(f"{unseen} of the bodies' hands are outside the picture and were left out.")
    score = landmarks.side_score.clone()
    if len(landmarks):
        model = KeypointModel(load_builtin_hand())
        own, other = (likeness_to_gestures(each, model) for each in (landmarks, _other_sides(landmarks)))
        for index in (own > WRONG_SHAPE * other).nonzero()[:, 0].tolist():
            score[index] = 0.5
            notes.append(
                f"The {landmarks.side[index]} hand in picture {int(landmarks.frame[index])} has the shape of the other "
                "side's: SAM 3D Body's left hands go wrong where it looks at hands alone (run_hand_refinement). Do not "
                "trust its fingers; switch that off, or let Detect Hands look for the hand itself."
            )
    for note in notes:
        logger.warning("SAM 3D Body: %s", note)
    return replace(landmarks, side_score=score, note=" ".join(notes))


def _other_sides(landmarks: HandLandmarks) -> HandLandmarks:
    return replace(landmarks, side=tuple("left" if side == "right" else "right" for side in landmarks.side))


def _check(value, num_frames: int) -> tuple[list, tuple[float, float]]:
    """Return the persons of each picture, and width and height of the pictures that they were found in."""
    frames: Any
    size: Any
    frames, size = (value.get("frames"), value.get("image_size")) if isinstance(value, dict) else (None, None)
    try:
        sides = [float(side) for side in size]
    except (TypeError, ValueError, OverflowError):
        sides = []
    fits = isinstance(frames, list | tuple) and all(isinstance(persons, list | tuple) for persons in frames)
    if not fits or len(sides) != 2 or not all(math.isfinite(side) and side > 0 for side in sides):
        raise SesaHandError(
            f"pose_data is {quote(value) if not isinstance(value, dict) else sorted(map(str, value))}, expected "
            "MHR_POSE_DATA of SAM 3D Body, with frames and image_size."
        )
    if len(frames) != num_frames:
        raise SesaHandError(
            f"pose_data is of {len(frames)} pictures, but image has {num_frames}: connect the image that SAM 3D Body "
            "looked at."
        )
    if max(map(len, frames), default=0) > MAX_PERSONS:
        raise SesaHandError(
            f"pose_data has a picture with more than {MAX_PERSONS} persons: let SAM 3D Body find fewer."
        )
    return list(frames), (sides[1], sides[0])


def _scale(size: tuple[float, float], width: int, height: int) -> float:
    across, down = width / size[0], height / size[1]
    if abs(across / down - 1) > SAME_PROPORTIONS:
        raise SesaHandError(
            f"pose_data is of pictures of {size[0]:g}x{size[1]:g} pixels, image is {width}x{height}, which has other "
            "proportions: connect the image that SAM 3D Body looked at."
        )
    return across


def _array(person, name: str, shape: tuple[int, ...]) -> Tensor:
    """Return an entry of a person as a float32 tensor, of which the first rows are taken if it has more."""
    found = person.get(name) if isinstance(person, dict) else None
    found = found.detach().cpu() if isinstance(found, Tensor) else found
    try:
        array = np.asarray(found, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        array = np.zeros(0)
    array = array.reshape(-1) if shape in ((1,), (3,)) else array
    fits = array.ndim == len(shape) and array.shape[1:] == shape[1:] and array.shape[0] >= shape[0]
    if not fits or not np.isfinite(array[: shape[0]]).all() or np.abs(array[: shape[0]]).max() > LARGEST:
        raise SesaHandError(
            f"A person of pose_data has {name} of shape {list(array.shape)}, expected {list(shape)} finite numbers: "
            "MHR_POSE_DATA of SAM 3D Body. Bodies of other rigs have no hand points of this order."
        )
    return torch.from_numpy(array[: shape[0]].copy()).float()


def _points(person, side: str) -> tuple[Tensor, Tensor]:
    """Return a hand's points in pixels `[21, 2]` and in metres about the body `[21, 3]`."""
    index = list(POINTS_OF[side])
    pixels = _array(person, "pred_keypoints_2d", (NUM_POINTS, 2))
    return pixels[index], _array(person, "pred_keypoints_3d", (NUM_POINTS, 3))[index]


def _place(person) -> Tensor:
    return _array(person, "pred_cam_t", (3,))


def _lens(person) -> float:
    lens = float(_array(person, "focal_length", (1,))[0])
    if lens <= 0:
        raise SesaHandError(
            f"A person of pose_data has a focal_length of {lens:g} pixels, expected more than 0: MHR_POSE_DATA of "
            "SAM 3D Body."
        )
    return lens


def _camera(lenses: tuple[float, ...], scale: float, width: int, height: int) -> Camera:
    """Return the camera of all pictures; a scene has one."""
    if max(lenses) > 1.001 * min(lenses):
        raise SesaHandError(
            f"pose_data has persons seen by lenses of {min(lenses):g} to {max(lenses):g} pixels; hands of one scene "
            "share a camera. Give SAM 3D Body a fov, or take the pictures one by one."
        )
    return Camera(lenses[0] * scale, (width / 2, height / 2), width, height)
