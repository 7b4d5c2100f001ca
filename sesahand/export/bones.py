"""Which way the bones of a rig lie in the bind pose: turned along the fingers, or not at all."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..errors import SesaHandError
from ..hands.limits import joint_frames
from ..hands.model import HandModel
from ..hands.skeleton import FINGER_JOINTS, FINGERS, MANO_JOINTS
from .formats import ALONG_FINGERS, BONES, UNTURNED

SHORTEST = 1e-4
"""Metres; a shorter bone has no direction."""


def bone_axes(model: HandModel, joints: Tensor, tips: Tensor, side: str, bones: str = ALONG_FINGERS) -> Tensor:
    """Return the axes of each bone in the bind pose.

    Along the fingers, a bone's y goes from its joint to the next or to the fingertip, the wrist's to the middle
    finger's knuckle, and its z to the palm's side: turned about its own x by a positive angle, each bone of either side
    bends. Unturned, a bone's rotation is MANO's rotation of its joint.

    Args:
        model: The hand, float64.
        joints: Rest joints `[16, 3]` of a right hand in its shape, metres, in the model's frame.
        tips: Its fingertips `[5, 3]`, thumb to little finger.
        side: "right" or "left".
        bones: One of `formats.BONES`.

    Returns:
        `[16, 3, 3]`, MANO order, columns are x, y and z in the model's frame, for a left hand in the mirrored one.

    Raises:
        SesaHandError: If `bones` is none of these, or a bone is too short to have a direction.
    """
    if bones not in BONES:
        raise SesaHandError(f"Bones are {' or '.join(map(repr, BONES))}, got {bones!r}.")
    if bones == UNTURNED:
        return torch.eye(3, dtype=joints.dtype).repeat(len(joints), 1, 1)
    along = _ends(joints, tips) - joints
    if float(along.norm(dim=1).min()) < SHORTEST:
        raise SesaHandError(
            "Two joints of the hand lie on one spot, so that the bone between them has no direction: take the bones "
            f"'{UNTURNED}'."
        )
    wrist, index, pinky = (joints[MANO_JOINTS.index(name)] for name in ("wrist", "index1", "pinky1"))
    palm = torch.linalg.cross(index - wrist, pinky - wrist)
    y = normalize(along, dim=1)
    flexion = torch.cat([torch.linalg.cross(y[0], palm)[None], joint_frames(model)[:, :, 0]])
    x = normalize(flexion - (flexion * y).sum(1, keepdim=True) * y, dim=1)
    z = torch.linalg.cross(x, y)
    if side == "left":
        # The mirror image of y and z; that of x would make axes of the wrong hand.
        mirror = torch.tensor([-1.0, 1.0, 1.0], dtype=y.dtype)
        y, z = y * mirror, z * mirror
        x = torch.linalg.cross(y, z)
    return torch.stack([x, y, z], -1)


def _ends(joints: Tensor, tips: Tensor) -> Tensor:
    """Return where each bone ends `[16, 3]`."""
    ends = joints.clone()
    ends[0] = joints[MANO_JOINTS.index("middle1")]
    for finger, (first, second, third) in FINGER_JOINTS.items():
        ends[[first, second]] = joints[[second, third]]
        ends[third] = tips[FINGERS.index(finger)]
    return ends
