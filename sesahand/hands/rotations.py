"""Conversions between the rotation forms that hand data comes in; the library itself works on matrices.

Sources: Rodrigues' formula; quaternion logarithm after Shepperd (1978); 6D form of Zhou et al., "On the Continuity of
Rotation Representations in Neural Networks" (2019).
"""

import torch
from torch import Tensor


def axis_angle_to_matrix(axis_angle: Tensor) -> Tensor:
    """Turn axis-angle vectors into rotation matrices.

    Args:
        axis_angle: `[..., 3]`, axis times angle in radians.

    Returns:
        Rotation matrices `[..., 3, 3]`, differentiable everywhere including the zero vector.
    """
    squared = (axis_angle * axis_angle).sum(-1)[..., None, None]
    small = squared < 1e-8
    safe = torch.where(small, torch.ones_like(squared), squared)
    angle = safe.sqrt()
    # Both factors are even in the angle, so their Taylor series in the squared angle join smoothly at zero.
    first = torch.where(small, 1 - squared / 6, torch.sin(angle) / angle)
    second = torch.where(small, 0.5 - squared / 24, (1 - torch.cos(angle)) / safe)
    skew = skew_matrix(axis_angle)
    identity = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return identity + first * skew + second * (skew @ skew)


def skew_matrix(vector: Tensor) -> Tensor:
    """Return `[..., 3, 3]` matrices K with `K @ w == cross(vector, w)` for vectors `[..., 3]`."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))


def matrix_to_axis_angle(matrix: Tensor) -> Tensor:
    """Turn rotation matrices into axis-angle vectors with angles in `[0, pi]`.

    Args:
        matrix: Rotation matrices `[..., 3, 3]`.

    Returns:
        Axis times angle in radians, `[..., 3]`.
    """
    quaternion = matrix_to_quaternion(matrix)
    sine = quaternion[..., 1:].norm(dim=-1, keepdim=True)
    angle = 2 * torch.atan2(sine, quaternion[..., :1])
    scale = torch.where(sine < 1e-7, 2 * torch.ones_like(sine), angle / sine.clamp(min=1e-12))
    return quaternion[..., 1:] * scale


def matrix_to_quaternion(matrix: Tensor) -> Tensor:
    """Turn rotation matrices `[..., 3, 3]` into unit quaternions `[..., 4]` in the order w, x, y, z with w >= 0."""
    trace = matrix.diagonal(dim1=-2, dim2=-1).sum(-1)
    diagonal = matrix.diagonal(dim1=-2, dim2=-1)
    # Four times the squares of w, x, y, z; the largest is a safe divisor even at half a turn, where w vanishes.
    squares = torch.cat([1 + trace[..., None], 1 + 2 * diagonal - trace[..., None]], -1)
    difference = torch.stack(
        [
            matrix[..., 2, 1] - matrix[..., 1, 2],
            matrix[..., 0, 2] - matrix[..., 2, 0],
            matrix[..., 1, 0] - matrix[..., 0, 1],
        ],
        -1,
    )
    symmetric = matrix + matrix.mT
    candidates = torch.stack(
        [
            torch.cat([squares[..., :1], difference], -1),
            torch.stack([difference[..., 0], squares[..., 1], symmetric[..., 0, 1], symmetric[..., 0, 2]], -1),
            torch.stack([difference[..., 1], symmetric[..., 0, 1], squares[..., 2], symmetric[..., 1, 2]], -1),
            torch.stack([difference[..., 2], symmetric[..., 0, 2], symmetric[..., 1, 2], squares[..., 3]], -1),
        ],
        -2,
    )
    best = squares.argmax(-1)[..., None, None].expand(*squares.shape[:-1], 1, 4)
    quaternion = torch.nn.functional.normalize(candidates.gather(-2, best).squeeze(-2), dim=-1)
    return torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def quaternion_to_matrix(quaternion: Tensor) -> Tensor:
    """Convert unit quaternions w, x, y, z `[..., 4]` to rotation matrices `[..., 3, 3]`."""
    w, x, y, z = quaternion.unbind(-1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def rotation_6d_to_matrix(six: Tensor) -> Tensor:
    """Turn the 6D form that HaMeR and WiLoR predict into rotation matrices.

    Args:
        six: `[..., 6]`: the first column of the rotation, then its second, both before orthonormalisation. Other
            programs interleave the two columns, which gives other rotations.

    Returns:
        Rotation matrices `[..., 3, 3]`.

    Source: `rot6d_to_rotmat` of HaMeR and WiLoR, which reads its input as two rows of three.
    """
    columns = six.unflatten(-1, (2, 3))
    first = torch.nn.functional.normalize(columns[..., 0, :], dim=-1)
    overlap = (first * columns[..., 1, :]).sum(-1, keepdim=True)
    second = torch.nn.functional.normalize(columns[..., 1, :] - overlap * first, dim=-1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], -1)


def mirror_rotation(matrix: Tensor) -> Tensor:
    """Mirror rotation matrices at the plane x = 0, which turns a right hand's pose into a left hand's.

    Args:
        matrix: `[..., 3, 3]`.

    Returns:
        `[..., 3, 3]`.
    """
    sign = torch.tensor([-1.0, 1.0, 1.0], dtype=matrix.dtype, device=matrix.device)
    return matrix * sign[:, None] * sign
