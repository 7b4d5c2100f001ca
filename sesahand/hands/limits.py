"""What the joints of a hand can do: anatomical axes, angles about them, and their ranges.

Every joint has a frame in the rest pose whose columns are its flexion, abduction and twist axis. A rotation is read as
flexion, then abduction, then twist (the joint coordinate system of Grood and Suntay, 1983, for the hand). Positive
flexion bends towards the palm, positive abduction moves towards the thumb's side (for the thumb: out of the palm), and
twist is about the bone, right-handed and pointing to the fingertip.
"""

import torch
from torch import Tensor

from .builtin import load_builtin_hand
from .model import NUM_JOINTS, HandModel
from .skeleton import FINGER_JOINTS, MANO_JOINTS

# Degrees, (least, most) of flexion, abduction and twist. Flexion of fingers, thumb MCP and IP: American Academy of
# Orthopaedic Surgeons, "Joint Motion" (1965), with ten degrees more where relaxed or passive motion reaches further.
# Abduction: the 15 to 20 degrees either way of Lin, Wu and Huang, "Modeling the Constraints of Human Hand Motion"
# (2000), counted from fingers side by side, while the rest pose spreads them like a fan. Thumb CMC: arcs of Cooney et
# al., "The Kinesiology of the Thumb Trapeziometacarpal Joint" (1981), widened by what the carpus, rigid here, adds.
JOINT_LIMITS = {
    "index1": ((-30, 90), (-25, 15), (-10, 10)),
    "middle1": ((-30, 90), (-15, 20), (-10, 10)),
    "ring1": ((-30, 90), (-10, 30), (-10, 10)),
    "pinky1": ((-30, 95), (-15, 40), (-15, 15)),
    **{f"{finger}2": ((-10, 110), (-5, 5), (-5, 5)) for finger in ("index", "middle", "ring", "pinky")},
    **{f"{finger}3": ((-10, 90), (-5, 5), (-5, 5)) for finger in ("index", "middle", "ring", "pinky")},
    "thumb1": ((-30, 50), (-30, 45), (-35, 35)),
    "thumb2": ((-15, 60), (-15, 15), (-15, 15)),
    "thumb3": ((-25, 85), (-5, 5), (-5, 5)),
}


def joint_limits() -> Tensor:
    """Return the ranges `[15, 3, 2]` in radians: joint in MANO order; flexion, abduction, twist; least and most."""
    return torch.deg2rad(torch.tensor([JOINT_LIMITS[joint] for joint in MANO_JOINTS[1:]], dtype=torch.float64)).float()


def joint_frames(model: HandModel | None = None) -> Tensor:
    """Return each joint's anatomical axes in the rest pose.

    Args:
        model: The hand whose rest pose is meant; the built-in one if None.

    Returns:
        `[15, 3, 3]`, joints in MANO order; columns are flexion, abduction and twist axis in the model's frame. They
        hold for left hands' own parameters after `mirror_rotation`.
    """
    model = load_builtin_hand() if model is None else model
    joints = model.joint_template
    wrist, index, pinky = (joints[MANO_JOINTS.index(name)] for name in ("wrist", "index1", "pinky1"))
    palm = torch.linalg.cross(index - wrist, pinky - wrist)
    frames = joints.new_zeros(NUM_JOINTS, 3, 3)
    for finger, (first, second, third) in FINGER_JOINTS.items():
        twist = torch.nn.functional.normalize(joints[third] - joints[first], dim=0)
        if finger == "thumb":
            flexion = thumb_flexion_axis(model, twist)
        else:
            flexion = torch.nn.functional.normalize(torch.linalg.cross(twist, palm), dim=0)
        frames[[first, second, third]] = torch.stack([flexion, torch.linalg.cross(twist, flexion), twist], -1)
    return frames[1:]


def thumb_flexion_axis(model: HandModel, twist: Tensor) -> Tensor:
    """Return the axis that the thumb bends about, which is the way its nail is wide.

    The thumb lies neither in the palm's plane nor across it, so its own shape has to tell: the outer half of its last
    bone is widest along this axis.

    Args:
        model: The hand, in its rest pose.
        twist: Unit direction `[3]` from the thumb's first joint to its last, in the model's frame.

    Returns:
        Unit direction `[3]` in the model's frame.
    """
    last = FINGER_JOINTS["thumb"][2]
    around = model.template[model.weights[:, last] > 0.9] - model.joint_template[last]
    around = around[(around @ twist) > 0.5 * (around @ twist).max()]
    across = around - around.mean(0)
    across = across - (across @ twist)[:, None] * twist
    axis = torch.linalg.eigh(across.T @ across).eigenvectors[:, -1]
    # Bending brings the tip to the middle finger's knuckle rather than away from it.
    inwards = model.joint_template[MANO_JOINTS.index("middle1")] - model.joint_template[last]
    axis = axis if torch.linalg.cross(axis, twist) @ inwards > 0 else -axis
    return torch.nn.functional.normalize(axis - (axis @ twist) * twist, dim=0)


def pose_from_angles(angles: Tensor, frames: Tensor) -> Tensor:
    """Turn joint angles into rotations.

    Args:
        angles: Flexion, abduction and twist `[..., 15, 3]`, radians.
        frames: From `joint_frames`, `[15, 3, 3]`.

    Returns:
        `hand_pose` of a right hand, `[..., 15, 3, 3]`.
    """
    (sa, sb, sc), (ca, cb, cc) = angles.sin().unbind(-1), angles.cos().unbind(-1)
    rows = [
        [cb * cc, -cb * sc, sb],
        [sa * sb * cc + ca * sc, ca * cc - sa * sb * sc, -sa * cb],
        [sa * sc - ca * sb * cc, ca * sb * sc + sa * cc, ca * cb],
    ]
    local = torch.stack([torch.stack(row, -1) for row in rows], -2)
    return frames @ local @ frames.mT


def angles_from_pose(hand_pose: Tensor, frames: Tensor) -> Tensor:
    """Read flexion, abduction and twist `[..., 15, 3]` in radians off a right hand's `hand_pose` `[..., 15, 3, 3]`.

    The inverse of `pose_from_angles` for abduction within a quarter turn.
    """
    local = frames.mT @ hand_pose @ frames
    flexion = torch.atan2(-local[..., 1, 2], local[..., 2, 2])
    abduction = torch.atan2(local[..., 0, 2], torch.hypot(local[..., 0, 0], local[..., 0, 1]))
    twist = torch.atan2(-local[..., 0, 1], local[..., 0, 0])
    return torch.stack([flexion, abduction, twist], -1)


def clamp_to_limits(hand_pose: Tensor, frames: Tensor | None = None) -> Tensor:
    """Return a right hand's pose with every joint angle brought into its range.

    Args:
        hand_pose: `[..., 15, 3, 3]`. Mirror a left hand's with `mirror_rotation` first.
        frames: From `joint_frames`; the built-in hand's if None.

    Returns:
        `[..., 15, 3, 3]`. Poses within the limits come back unchanged up to rounding.
    """
    frames = (joint_frames() if frames is None else frames).to(hand_pose)
    low, high = joint_limits().to(hand_pose).unbind(-1)
    return pose_from_angles(angles_from_pose(hand_pose, frames).clamp(low, high), frames)
