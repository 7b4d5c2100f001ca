"""What is likely of a hand before it is seen: joints within their limits and near the middle, and a common shape."""

import math

import torch
from torch import Tensor

from ...hands.limits import angles_from_pose, joint_limits
from ...hands.model import NUM_JOINTS
from .keypoint_model import BETAS, NUM_PARAMETERS, HandState

# A joint this far (radians) beyond its limit is as unlikely as a measurement one standard deviation off.
LIMIT_SOFTNESS = math.radians(2.0)
# An angle's standard deviation as a share of its range: nearly all hands lie within two of the middle.
POSE_SPREAD = 0.25

# Standard deviation of betas. What detectors say of a palm's breadth is off by more than hands differ in it, so that a
# prior as wide as all hands are makes shapes that no hand has.
SHAPE_SPREAD = 0.5


class HandPrior:
    """The prior's cost, the sum of squares in standard deviations, with its gradient and Gauss-Newton Hessian.

    Angles are flexion, abduction and twist in each joint's anatomical axes, with the ranges of `hands.limits`.

    Args:
        frames: Anatomical axes of all joints, the root's first, `[16, 3, 3]`.
    """

    def __init__(self, frames: Tensor):
        self.frames = frames[1:]
        self.low, self.high = joint_limits().double().unbind(-1)
        self.middle = (self.low + self.high) / 2
        self.precision = (POSE_SPREAD * (self.high - self.low)) ** -2

    def __call__(self, state: HandState) -> tuple[Tensor, Tensor, Tensor]:
        """Return cost `[B]`, half its gradient `[B, 61]` and half its Hessian `[B, 61, 61]` by a step."""
        angles = angles_from_pose(state.rotations[:, 1:], self.frames)
        beyond = angles - angles.clamp(self.low, self.high)
        off = angles - self.middle
        cost = (self.precision * off**2 + (beyond / LIMIT_SOFTNESS) ** 2).sum((1, 2))
        pull = self.precision * off + beyond / LIMIT_SOFTNESS**2
        stiffness = self.precision + (beyond != 0) / LIMIT_SOFTNESS**2

        by_turn = angles_by_turn(angles)
        count, turns = len(state), 3 * (NUM_JOINTS - 1)
        gradient = state.betas.new_zeros(count, NUM_PARAMETERS)
        gradient[:, 3 : 3 + turns] = (by_turn.mT @ pull[..., None]).flatten(1)
        hessian = state.betas.new_zeros(count, NUM_PARAMETERS, NUM_PARAMETERS)
        blocks = hessian[:, 3 : 3 + turns, 3 : 3 + turns].unflatten(1, (-1, 3)).unflatten(3, (-1, 3))
        joint = torch.arange(NUM_JOINTS - 1)
        blocks[:, joint, :, joint] = (by_turn.mT @ (stiffness[..., None] * by_turn)).transpose(0, 1)

        precision = SHAPE_SPREAD**-2
        gradient[:, BETAS] = precision * state.betas
        hessian[:, BETAS, BETAS].diagonal(dim1=1, dim2=2).fill_(precision)
        return cost + precision * state.betas.square().sum(1), gradient, hessian


def angles_by_turn(angles: Tensor) -> Tensor:
    """Return the derivative of joint angles by a turn in the joint's axes.

    Args:
        angles: Flexion, abduction, twist `[..., 3]` of rotations `Rx(flexion) Ry(abduction) Rz(twist)`, radians.

    Returns:
        `[..., 3, 3]`, angle by axis of the turn. Finite also at a quarter turn of abduction, where it has no value.
    """
    (sb, sc), (cb, cc) = angles[..., 1:].sin().unbind(-1), angles[..., 1:].cos().unbind(-1)
    cb = cb.clamp(min=0.05)
    zero, one = torch.zeros_like(sb), torch.ones_like(sb)
    rows = [[cc / cb, -sc / cb, zero], [sc, cc, zero], [-sb * cc / cb, sb * sc / cb, one]]
    return torch.stack([torch.stack(row, -1) for row in rows], -2)
