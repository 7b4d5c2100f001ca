"""From a gesture to somebody's hand in it: bent fingers, a second gesture mixed in, natural variation."""

from collections.abc import Mapping

from torch import Tensor

from ..errors import SesaHandError
from .fingers import FingerChange, change_fingers
from .gestures import gesture
from .limits import joint_frames
from .model import HandModel
from .pose import blend, compose_pose, jitter
from .skeleton import FINGER_JOINTS, FINGERS


def shape_pose(
    base: str,
    second: str | None = None,
    share: float = 0.0,
    bend: Mapping[str, float] | None = None,
    spread: float = 0.0,
    jitter_degrees: float = 0.0,
    seed: int = 0,
    model: HandModel | None = None,
    change: FingerChange | None = None,
) -> Tensor:
    """Vary a gesture of the library.

    Args:
        base: The gesture's name.
        second: Name of a gesture to mix in.
        share: How much of the second gesture, 0 to 1.
        bend: By finger name, -1 to 1: how far a finger goes from where it is towards straight (-1) or the fist (1).
        spread: Fans all fingers out (to 1) or closes them (to -1).
        jitter_degrees: Standard deviation of a random change of the flexion angles.
        seed: Which random change.
        model: The hand whose joint axes count; the built-in one if None.
        change: Changes of single fingers, on top of all but the random one.

    Returns:
        A right hand's `hand_pose` `[15, 3, 3]`. With all settings at 0 it is the gesture, bit by bit.

    Raises:
        SesaHandError: If a gesture or finger is unknown or a value out of its range.
    """
    pose = gesture(base)
    if second is not None and share:
        pose = blend(pose, gesture(second), share)
    frames = joint_frames(model)
    for finger, amount in (bend or {}).items():
        if finger not in FINGERS or not -1 <= amount <= 1:
            raise SesaHandError(f"A finger of {', '.join(FINGERS)} bends by -1 to 1, got {finger!r}: {amount}.")
        if amount:
            pose = bend_finger(pose, finger, amount, frames)
    if spread:
        pose = compose_pose(pose, spread=dict.fromkeys(FINGERS, spread), frames=frames)
    if change is not None:
        pose = change_fingers(pose, change, frames)
    return jitter(pose, jitter_degrees, seed, frames) if jitter_degrees else pose


def bend_finger(pose: Tensor, finger: str, amount: float, frames: Tensor) -> Tensor:
    """Return a pose with one finger bent or straightened.

    Args:
        pose: A right hand's `hand_pose` `[15, 3, 3]`.
        finger: Its name.
        amount: Share of its way, -1 to 1: negative to straight, positive to the fist.
        frames: From `joint_frames`.

    Returns:
        `hand_pose` `[15, 3, 3]`.
    """
    joints = [joint - 1 for joint in FINGER_JOINTS[finger]]
    end = compose_pose(pose, curl={finger: 1.0 if amount > 0 else 0.0}, frames=frames)
    bent = pose.clone()
    bent[joints] = blend(pose[joints], end[joints], abs(amount))
    return bent
