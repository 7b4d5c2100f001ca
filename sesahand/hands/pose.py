"""Ways to make poses out of poses: curl and spread of single fingers, blends, jitter, mirror images.

Poses are `hand_pose` rotations `[..., 15, 3, 3]` of a right hand unless said otherwise.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from ..errors import SesaHandError
from .gestures import gesture
from .limits import angles_from_pose, clamp_to_limits, joint_frames, joint_limits, pose_from_angles
from .rotations import axis_angle_to_matrix, matrix_to_axis_angle
from .skeleton import FINGER_JOINTS, FINGERS

# Abduction in degrees of one unit of spread, thumb to pinky: fingers fan out from the middle one, which stays.
SPREAD = {"thumb": -25.0, "index": 15.0, "middle": 0.0, "ring": -10.0, "pinky": -15.0}


def compose_pose(
    base: str | Tensor = "open_palm",
    curl: Mapping[str, float] | None = None,
    spread: Mapping[str, float] | None = None,
    frames: Tensor | None = None,
) -> Tensor:
    """Change single fingers of a gesture.

    Args:
        base: A gesture's name or a right hand's `hand_pose` `[15, 3, 3]`.
        curl: How far fingers are bent, 0 (straight) to 1 (as in the fist), by finger name. It replaces the base's bend.
        spread: Signed change of the sideways angle by finger name, -1 to 1: positive fans fingers out and lays
            the thumb into the palm's plane, negative closes them and lifts it.
        frames: From `joint_frames`; the built-in hand's if None.

    Returns:
        `hand_pose` `[15, 3, 3]` within the joint limits. Fingers that are not named stay as they are in the base.

    Raises:
        SesaHandError: If a finger is unknown or a value is out of its range.
    """
    pose = gesture(base) if isinstance(base, str) else base
    curl, spread = dict(curl or {}), dict(spread or {})
    check_fingers("curl", curl, 0.0, 1.0)
    check_fingers("spread", spread, -1.0, 1.0)
    if not curl and not spread:
        return pose.clone()
    frames = joint_frames() if frames is None else frames
    angles = angles_from_pose(pose, frames.to(pose))
    fist = angles_from_pose(gesture("fist"), joint_frames()).to(pose)
    low, high = joint_limits().to(pose).unbind(-1)
    for finger in {*curl, *spread}:
        joints = [joint - 1 for joint in FINGER_JOINTS[finger]]
        if finger in curl:
            angles[joints] = curl[finger] * fist[joints]
        angles[joints[0], 1] += math.radians(SPREAD[finger]) * spread.get(finger, 0.0)
        angles[joints] = angles[joints].clamp(low[joints], high[joints])
    changed = torch.zeros(15, dtype=torch.bool)
    changed[[joint - 1 for finger in {*curl, *spread} for joint in FINGER_JOINTS[finger]]] = True
    return torch.where(changed[:, None, None], pose_from_angles(angles, frames.to(pose)), pose)


def check_fingers(what: str, values: Mapping[str, float], least: float, most: float) -> None:
    """Raise a SesaHandError unless the keys are fingers and the values lie between `least` and `most`."""
    for finger, value in values.items():
        if finger not in FINGERS:
            raise SesaHandError(f"{what} names the finger {finger!r}; fingers are {', '.join(FINGERS)}.")
        if not least <= value <= most:
            raise SesaHandError(f"{what} of the {finger} is {value}; it goes from {least:g} to {most:g}.")


def blend(first: Tensor, second: Tensor, t: float) -> Tensor:
    """Go from one pose to another along the shortest rotation of every joint.

    Args:
        first: Rotations `[..., 3, 3]`, the result at `t = 0`.
        second: Rotations of the same shape, the result at `t = 1`.
        t: Share of the way. Beyond 0 and 1 the motion goes on.

    Returns:
        Rotations `[..., 3, 3]`.

    Source: the geodesic of SO(3).
    """
    return first @ axis_angle_to_matrix(t * matrix_to_axis_angle(first.mT @ second))


def jitter(hand_pose: Tensor, degrees: float, seed: int, frames: Tensor | None = None) -> Tensor:
    """Vary a pose at random within the joint limits.

    Args:
        hand_pose: `[..., 15, 3, 3]`, right hands.
        degrees: Standard deviation of the flexion angles. Abduction varies half as much and twist by a tenth; PIP and
            DIP joints, which are hinges, only flex.
        seed: The same seed gives the same variation. torch's global generator is not touched.
        frames: From `joint_frames`; the built-in hand's if None.

    Returns:
        `[..., 15, 3, 3]`. Contacts of the pose are not kept: see `penetration_depths` to sort out collisions.

    Raises:
        SesaHandError: If `degrees` is negative or not finite.
    """
    if not (math.isfinite(degrees) and degrees >= 0):
        raise SesaHandError(f"The jitter is {degrees} degrees; it has to be zero or a positive number.")
    if degrees == 0:
        return hand_pose.clone()
    frames = (joint_frames() if frames is None else frames).to(hand_pose)
    scale = torch.tensor([1.0, 0.5, 0.1]).repeat(15, 1)
    for _, second, third in (FINGER_JOINTS[finger] for finger in FINGERS):
        scale[[second - 1, third - 1], 1:] = 0
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(hand_pose.shape[:-1], generator=generator) * scale * math.radians(degrees)
    varied = pose_from_angles(angles_from_pose(hand_pose, frames) + noise.to(hand_pose), frames)
    return clamp_to_limits(varied, frames)
