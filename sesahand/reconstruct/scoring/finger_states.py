"""What the fingers of a hand do, in words: straight, half bent or bent, and which of them the thumb touches."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...hands.limits import angles_from_pose, joint_frames
from ...hands.rotations import mirror_rotation
from ...hands.skeleton import FINGER_JOINTS, FINGERS
from ...scene.hand_scene import HandScene

STATES = ("straight", "half bent", "bent")
# Degrees of flexion, the three joints of a finger together, at which it is half bent and bent. Over the gestures of
# the library, fingers that people call straight have at most 42, those folded into the palm at least 168.
FINGER_BOUNDS, THUMB_BOUNDS = (45.0, 160.0), (30.0, 80.0)
# The thumb touches a finger if the line of its last bone is this near to one of the finger's bones, as a part
# of the palm's length (wrist to middle knuckle, 96 mm in the mean hand). Where skins meet in the library it is at most
# 0.22, elsewhere at least 0.29, but for a thin pen held between the two.
TOUCH = 0.25
# Flexion reconstructed from a picture is off by some ten degrees a joint: within this sum fingers agree fully. A
# difference of FULL, some two thirds of the way from straight to fist, is no agreement at all.
TOLERANCE, FULL = 20.0, 140.0
# A contact that one hand misses by less than NEARLY palm lengths is still the same contact, at APART it is none.
NEARLY, APART = 0.1, 0.5
# Along each bone, distances are taken at this many points.
BONE_SAMPLES = 17


@dataclass(frozen=True, eq=False)
class FingerStates:
    """The fingers of N hands, thumb to pinky.

    Attributes:
        flexion: Sum over a finger's three joints `[N, 5]`, degrees; negative for bent backwards.
        thumb_distance: From the thumb's last bone to the bones of the other four fingers `[N, 4]`, in palm lengths.
    """

    flexion: Tensor
    thumb_distance: Tensor

    @property
    def touches(self) -> Tensor:
        """Whether the thumb touches index, middle, ring and pinky, bool `[N, 4]`."""
        return self.thumb_distance < TOUCH

    def state(self, hand: int) -> tuple[str, ...]:
        """Return one of `STATES` for each finger of a hand, thumb first."""
        bounds = [THUMB_BOUNDS, *[FINGER_BOUNDS] * 4]
        return tuple(
            STATES[sum(bend >= bound for bound in pair)]
            for bend, pair in zip(self.flexion[hand].tolist(), bounds, strict=True)
        )

    def describe(self, hand: int) -> dict[str, str]:
        """Return the state of each finger by name, with "touching index" and the like appended to the thumb's."""
        words = dict(zip(FINGERS, self.state(hand), strict=True))
        touched = [finger for finger, touch in zip(FINGERS[1:], self.touches[hand].tolist(), strict=True) if touch]
        if touched:
            words["thumb"] += f", touching {' and '.join(touched)}"
        return words


def read_fingers(scene: HandScene, keypoints: Tensor) -> FingerStates:
    """Read what the fingers of each hand of a scene do.

    Args:
        scene: N hands.
        keypoints: Of the same hands, posed, `[N, 21, 3]`, metres.
    """
    keypoints = keypoints.double()
    pose, right = scene.hand_pose.to(keypoints), scene.is_right.to(keypoints.device)[:, None, None, None]
    pose = torch.where(right, pose, mirror_rotation(pose))
    flexion = torch.rad2deg(angles_from_pose(pose, joint_frames(scene.model).to(pose))[..., 0])
    joints = torch.tensor([FINGER_JOINTS[finger] for finger in FINGERS]) - 1
    palm = (keypoints[:, 9] - keypoints[:, 0]).norm(dim=-1)
    return FingerStates(flexion[:, joints].sum(-1), thumb_distances(keypoints) / palm[:, None])


def thumb_distances(keypoints: Tensor) -> Tensor:
    """Return how near the thumb's last bone is to those of index to pinky `[N, 4]`, of `[N, 21, 3]`, both in metres."""
    along = torch.linspace(0, 1, BONE_SAMPLES, dtype=keypoints.dtype, device=keypoints.device)[:, None]
    start, end = keypoints[:, :-1, None], keypoints[:, 1:, None]
    # Bone k runs from keypoint k to k + 1; those that lead from one finger's tip to the next finger are not used.
    points = start + (end - start) * along
    fingers = [points[:, 4 * f + 1 : 4 * f + 4].flatten(1, 2) for f in range(1, 5)]
    return torch.stack([torch.cdist(points[:, 3], finger).amin((1, 2)) for finger in fingers], 1)


def finger_agreement(found: FingerStates, requested: FingerStates) -> Tensor:
    """Compare pairs of hands fact by fact.

    Returns:
        `[N, 6]`, each 0 to 1: the bend of the five fingers, thumb first, which falls from 1 within `TOLERANCE` degrees
        of flexion in a straight line to 0 at `FULL`; and the thumb's contacts: the mean over the fingers that either
        hand's thumb touches of 1 to 0 for distances that differ by `NEARLY` to `APART`; 1 if there are none.
    """
    apart = (found.flexion - requested.flexion).abs()
    bends = 1 - ((apart - TOLERANCE) / (FULL - TOLERANCE)).clamp(0, 1)
    either = found.touches | requested.touches
    missed = (found.thumb_distance - requested.thumb_distance).abs()
    kept = torch.where(found.touches & requested.touches, 1.0, 1 - ((missed - NEARLY) / (APART - NEARLY)).clamp(0, 1))
    contacts = torch.where(either.any(1), (kept * either).sum(1) / either.sum(1).clamp(min=1), 1.0)
    return torch.cat([bends, contacts[:, None]], 1)
