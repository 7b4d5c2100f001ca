"""Rotation conversions agree with scipy and stay differentiable where angles vanish."""

import pytest
import torch
from scipy.spatial.transform import Rotation

from sesahand.hands.rotations import (
    axis_angle_to_matrix,
    matrix_to_axis_angle,
    mirror_rotation,
    rotation_6d_to_matrix,
)


@pytest.fixture
def vectors():
    generator = torch.Generator().manual_seed(0)
    directions = torch.nn.functional.normalize(torch.randn(200, 3, generator=generator, dtype=torch.float64), dim=-1)
    angles = torch.cat(
        [torch.linspace(0, 3.1415, 190), torch.tensor([0, 1e-9, 1e-6, 1e-5, 1e-4, 1e-3, 3.14159, 2, 1, 0.5])]
    )
    return directions * angles[:, None].double()


def test_axis_angle_agrees_with_scipy(vectors):
    expected = torch.from_numpy(Rotation.from_rotvec(vectors.numpy()).as_matrix())
    assert torch.allclose(axis_angle_to_matrix(vectors), expected, atol=1e-12)


def test_logarithm_inverts_the_exponential(vectors):
    assert torch.allclose(matrix_to_axis_angle(axis_angle_to_matrix(vectors)), vectors, atol=1e-7)


@pytest.mark.parametrize("axis", [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.6, 0.8, 0], [0, -0.6, 0.8]])
def test_half_turns_come_back_as_half_turns(axis):
    axis = torch.tensor(axis, dtype=torch.float64)
    back = matrix_to_axis_angle(axis_angle_to_matrix(torch.pi * axis))
    assert back.norm() == pytest.approx(torch.pi, abs=1e-6)
    assert abs(float(back @ axis)) == pytest.approx(torch.pi, abs=1e-6)


@pytest.mark.parametrize("size", [0.0, 1e-6, 1e-3, 1.0])
def test_exponential_is_differentiable(size):
    vector = (size * torch.tensor([0.3, -0.5, 0.8], dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(axis_angle_to_matrix, (vector,), eps=1e-7, atol=1e-5)


def test_6d_form_is_one_column_after_the_other():
    matrix = axis_angle_to_matrix(torch.randn(7, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64))
    # The second column is scaled and sheared, then both are scaled: orthonormalisation removes all of it.
    first, second = matrix[..., 0], matrix[..., 1]
    six = torch.cat([3 * first, 3 * (2 * second + 0.7 * first)], -1)
    assert torch.allclose(rotation_6d_to_matrix(six), matrix, atol=1e-12)


def test_mirroring_is_conjugation_with_the_reflection():
    matrix = axis_angle_to_matrix(torch.tensor([0.2, -0.5, 0.9], dtype=torch.float64))
    reflection = torch.diag(torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64))
    assert torch.equal(mirror_rotation(matrix), reflection @ matrix @ reflection)
    assert torch.allclose(matrix_to_axis_angle(mirror_rotation(matrix)), torch.tensor([0.2, 0.5, -0.9]).double())
