"""A surface of long faces whose boxes fill most of a grid."""

import math

import torch
from torch import Tensor


def spindle(sides: int) -> tuple[Tensor, Tensor]:
    """Return vertices `[V, 3]` (metres) and faces `[F, 3]` of two cones, 0.2 m long, on a line askew to the axes."""
    angle = 2 * math.pi * torch.arange(sides) / sides
    ring = 0.03 * torch.stack([angle.cos(), angle.sin(), torch.zeros(sides)], -1)
    upright = torch.cat([ring, torch.tensor([[0.0, 0.0, 0.1], [0.0, 0.0, -0.1]])])
    turn = torch.tensor([[2.0, 1.0, 2.0], [-2.0, 2.0, 1.0], [-1.0, -2.0, 2.0]]) / 3
    first, ends = torch.arange(sides), torch.full((sides,), sides)
    after = (first + 1) % sides
    faces = torch.cat([torch.stack([first, after, ends], 1), torch.stack([after, first, ends + 1], 1)])
    return upright @ turn.T, faces
