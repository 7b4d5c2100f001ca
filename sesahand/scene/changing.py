"""Hands of a scene changed where they are: which ones, and their fingers."""

from collections import Counter
from dataclasses import replace

import torch
from torch import Tensor

from ..errors import SesaHandError
from ..hands.fingers import FingerChange, change_fingers
from ..hands.limits import joint_frames
from ..hands.rotations import mirror_rotation
from .hand_scene import SIDES, HandScene

ALL = "all"


def chosen_hands(scene: HandScene, side: str = ALL, number: int = 0) -> Tensor:
    """Tell which hands are meant, bool `[N]`.

    Args:
        scene: The hands. Without any, none is meant.
        side: "right", "left" or "all".
        number: Which of those in each frame, counted from 1; 0 is all of them.

    Raises:
        SesaHandError: If the scene has hands and none of them is meant.
    """
    if side not in (ALL, *SIDES) or number < 0:
        raise SesaHandError(
            f"Hands are chosen by side, all, right or left, and by a number from 0; got {side!r} and {number}."
        )
    chosen = torch.zeros(len(scene), dtype=torch.bool)
    counts: Counter[int] = Counter()
    for index, (own, frame) in enumerate(zip(scene.side, scene.frame.tolist(), strict=True)):
        if side in (ALL, own):
            counts[frame] += 1
            chosen[index] = number in (0, counts[frame])
    if len(scene) and not chosen.any():
        kind = "hands" if side == ALL else f"{side} hands"
        raise SesaHandError(
            f"No frame has {f'{number} ' if number else ''}{kind}: there are {scene.side.count('right')} right and "
            f"{scene.side.count('left')} left hands in {scene.num_frames} frames. Choose another side, or a smaller "
            "number; 0 is all hands."
        )
    return chosen


def change_hands(scene: HandScene, change: FingerChange, chosen: Tensor) -> HandScene:
    """Change the fingers of some hands.

    Args:
        scene: Hands of any frames, posed or fitted. Their place, shape and turn stay.
        change: What is to change, said of a right hand; a left one does it as in a mirror.
        chosen: Which hands, bool `[N]`.

    Returns:
        The scene. Hands that are not chosen, and fingers that do not change, are the same bit by bit.
    """
    right = scene.is_right[:, None, None, None].to(scene.hand_pose.device)
    pose = torch.where(right, scene.hand_pose, mirror_rotation(scene.hand_pose))
    changed = change_fingers(pose, change, joint_frames(scene.model))
    changed = torch.where(right, changed, mirror_rotation(changed))
    chosen = chosen[:, None, None, None].to(changed.device)
    return replace(scene, hand_pose=torch.where(chosen, changed, scene.hand_pose))
