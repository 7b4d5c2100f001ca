"""Changes of single fingers of any pose, fitted ones too: curl, spread, straighten, and the thumb's own turns.

All are changes of joint angles (see `limits`), so that what is not named keeps its place to the bit.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..errors import SesaHandError
from .limits import angles_from_pose, joint_frames, joint_limits, pose_from_angles
from .pose import check_fingers
from .skeleton import FINGER_JOINTS, FINGERS

# Degrees that the joints bend at a curl of 1, from the knuckle outwards: about as in the fist.
CURL = {finger: (15.0, 30.0, 45.0) if finger == "thumb" else (70.0, 90.0, 50.0) for finger in FINGERS}
# Degrees of flexion, abduction and twist of a finger's first joint at a spread of 1. The thumb leaves the index finger
# by stretching, since its flexion lies across the palm.
FINGER_SPREAD = {
    "thumb": (-25.0, 0.0, 0.0),
    "index": (0.0, 25.0, 0.0),
    "middle": (0.0, 25.0, 0.0),
    "ring": (0.0, -25.0, 0.0),
    "pinky": (0.0, -25.0, 0.0),
}
# The same of the thumb's first joint at an opposition of 1, across the palm, out of it and with its pad turned to the
# fingers, and at a twist of 1.
OPPOSITION = (40.0, 30.0, -25.0)
TWIST = (0.0, 0.0, -30.0)


@dataclass(frozen=True)
class FingerChange:
    """What is to change of a hand's fingers; nothing, unless it is said.

    Attributes:
        curl: By finger name, -1 to 1: bends its joints further (or back) by this share of the fist's bend.
        spread: By finger name, -1 to 1, in steps of 25 degrees: index and ring finger, pinky and thumb away from the
            middle finger (1) or towards and across it (-1); the middle finger towards the index finger (1) or the ring
            finger (-1).
        straighten: By finger name, 0 to 1: how far it goes towards straight, before it is curled. It keeps its sideways
            place; the thumb straightens beyond its first joint.
        thumb_opposition: -1 to 1: brings the thumb before the palm, its pad to the fingers (1), or back beside it (-1).
        thumb_twist: -1 to 1, in steps of 30 degrees: turns the thumb about itself, its pad to the palm (1) or away.

    Raises:
        SesaHandError: If a finger is unknown or a value out of its range.
    """

    curl: Mapping[str, float] = field(default_factory=dict)
    spread: Mapping[str, float] = field(default_factory=dict)
    straighten: Mapping[str, float] = field(default_factory=dict)
    thumb_opposition: float = 0.0
    thumb_twist: float = 0.0

    def __post_init__(self):
        check_fingers("curl", self.curl, -1.0, 1.0)
        check_fingers("spread", self.spread, -1.0, 1.0)
        check_fingers("straighten", self.straighten, 0.0, 1.0)
        check_fingers("opposition", {"thumb": self.thumb_opposition}, -1.0, 1.0)
        check_fingers("twist", {"thumb": self.thumb_twist}, -1.0, 1.0)

    def scaled(self, strength: float) -> "FingerChange":
        """Return a share of the change, 0 to 1.

        Raises:
            SesaHandError: If the strength is out of its range.
        """
        if not 0 <= strength <= 1:
            raise SesaHandError(f"The strength of a change is {strength}; it goes from 0 to 1.")
        parts = (self.curl, self.spread, self.straighten)
        curl, spread, straighten = ({finger: strength * x for finger, x in part.items()} for part in parts)
        return FingerChange(curl, spread, straighten, strength * self.thumb_opposition, strength * self.thumb_twist)


def change_fingers(hand_pose: Tensor, change: FingerChange, frames: Tensor | None = None) -> Tensor:
    """Change single fingers of any pose.

    Args:
        hand_pose: `[..., 15, 3, 3]`, right hands. Mirror a left hand's with `mirror_rotation` first.
        change: What is to change.
        frames: From `joint_frames`, `[15, 3, 3]`; the built-in hand's if None.

    Returns:
        `[..., 15, 3, 3]`. A joint angle within its limits stays there, and one beyond them, as fits have some, gets no
        further out. Joints whose angles do not change are those of `hand_pose`, bit by bit.
    """
    frames = (joint_frames() if frames is None else frames).to(hand_pose)
    angles = angles_from_pose(hand_pose, frames)
    straight = angles * (1 - _shares_straightened(change).to(angles))
    low, high = joint_limits().to(angles).unbind(-1)
    turned = straight + _turns(change).to(angles)
    changed = turned.clamp(torch.minimum(low, straight), torch.maximum(high, straight))
    kept = (changed == angles).all(-1)[..., None, None]
    return torch.where(kept, hand_pose, pose_from_angles(changed, frames))


def _shares_straightened(change: FingerChange) -> Tensor:
    """Return by how much each angle goes towards zero, `[15, 3]`, 0 to 1."""
    shares = torch.zeros(15, 3)
    for finger, share in change.straighten.items():
        first, second, third = _joints(finger)
        shares[[second, third]] = share
        if finger != "thumb":
            shares[first, 0] = share
    return shares


def _turns(change: FingerChange) -> Tensor:
    """Return what is added to each angle, `[15, 3]` radians."""
    turns = torch.zeros(15, 3)
    for finger in FINGERS:
        joints = _joints(finger)
        turns[joints, 0] = change.curl.get(finger, 0.0) * _radians(CURL[finger])
        turns[joints[0]] += change.spread.get(finger, 0.0) * _radians(FINGER_SPREAD[finger])
    thumb = _joints("thumb")[0]
    turns[thumb] += change.thumb_opposition * _radians(OPPOSITION) + change.thumb_twist * _radians(TWIST)
    return turns


def _joints(finger: str) -> list[int]:
    return [joint - 1 for joint in FINGER_JOINTS[finger]]


def _radians(degrees: tuple[float, float, float]) -> Tensor:
    return torch.tensor([math.radians(angle) for angle in degrees])
