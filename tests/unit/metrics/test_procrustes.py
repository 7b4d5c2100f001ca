"""Procrustes alignment, against scipy's two solvers and a search that knows nothing of singular values."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes
from scipy.optimize import minimize
from scipy.spatial import procrustes
from scipy.spatial.transform import Rotation

from sesahand.errors import SesaHandError
from sesahand.metrics.joint_errors import pa_mpjpe, pa_mpvpe
from sesahand.metrics.procrustes import align, fit_similarity

seeds = st.integers(0, 2**31)


def points(seed: int, samples: int = 1, count: int = 21) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(samples, count, 3, generator=generator, dtype=torch.float64) * 0.05


def rotation(seed: int) -> torch.Tensor:
    return torch.from_numpy(Rotation.random(random_state=seed % 2**31).as_matrix())


@settings(max_examples=30, deadline=None)
@given(seeds, st.floats(0.1, 10))
def test_a_moved_turned_and_scaled_copy_comes_back_exactly(seed, scale):
    reference = points(seed)
    found = scale * reference @ rotation(seed).T + points(seed + 1, count=1)
    transform = fit_similarity(found, reference)
    assert torch.allclose(transform(found), reference, atol=1e-12)
    assert transform.scale.item() == pytest.approx(1 / scale)
    assert torch.allclose(transform.rotation[0], rotation(seed).T, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_with_reflection_it_agrees_with_scipy(seed):
    found, reference = points(seed), points(seed + 1)
    mine = align(found, reference, reflect=True)[0].numpy()
    a, b = found[0].numpy(), reference[0].numpy()
    turn, size = orthogonal_procrustes(a - a.mean(0), b - b.mean(0))
    scaled = size / np.square(a - a.mean(0)).sum() * (a - a.mean(0)) @ turn + b.mean(0)
    assert np.allclose(mine, scaled, atol=1e-12)
    # scipy's other function scales both sets to one; its disparity is the share of the reference that is left over.
    disparity = np.square(mine - b).sum() / np.square(b - b.mean(0)).sum()
    assert disparity == pytest.approx(procrustes(b, a)[2], abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_without_reflection_the_rotation_is_that_of_scipys_align_vectors(seed):
    found, reference = points(seed), points(seed + 1)
    a, b = (each[0].numpy() - each[0].numpy().mean(0) for each in (found, reference))
    expected = Rotation.align_vectors(b, a)[0].as_matrix()
    assert np.allclose(fit_similarity(found, reference).rotation[0].numpy(), expected, atol=1e-8)


def test_no_search_over_rotation_scale_and_shift_finds_a_smaller_squared_error():
    found, reference = points(3)[0].numpy(), points(4)[0].numpy()

    def left(x):
        return np.square(np.exp(x[6]) * Rotation.from_rotvec(x[:3]).apply(found) + x[3:6] - reference).sum()

    starts = np.random.default_rng(0).normal(size=(6, 7))
    best = min(minimize(left, start).fun for start in starts)
    mine = align(torch.from_numpy(found)[None], torch.from_numpy(reference)[None])[0].numpy()
    assert np.square(mine - reference).sum() == pytest.approx(best, rel=1e-6)


@settings(max_examples=30, deadline=None)
@given(seeds, st.floats(0.2, 5))
def test_the_aligned_error_does_not_see_how_the_found_hand_is_moved_turned_and_scaled(seed, scale):
    found, reference = points(seed, 3), points(seed + 1, 3)
    moved = scale * found @ rotation(seed).T + 0.3
    assert torch.allclose(pa_mpjpe(moved, reference), pa_mpjpe(found, reference), rtol=1e-8)


def test_a_mirrored_hand_fits_only_where_reflection_is_allowed():
    reference = points(5)
    mirrored = reference * torch.tensor([-1.0, 1.0, 1.0])
    assert pa_mpjpe(mirrored, reference, reflect=True).item() < 1e-9
    assert pa_mpjpe(mirrored, reference).item() > 10
    assert torch.linalg.det(fit_similarity(mirrored, reference).rotation).item() == pytest.approx(1)


def test_a_batch_gives_what_its_samples_give_alone():
    found, reference = points(6, 5, 100), points(7, 5, 100)
    alone = torch.cat([pa_mpvpe(found[i, None], reference[i, None]) for i in range(5)])
    assert torch.allclose(pa_mpvpe(found, reference), alone)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_points_that_coincide_or_lie_on_a_line_give_finite_errors(dtype):
    reference = points(8, 2).to(dtype)
    found = torch.zeros(2, 21, 3, dtype=dtype)
    found[1, :, 0] = torch.arange(21)
    moved = align(found, reference)
    assert moved.dtype == dtype and torch.isfinite(moved).all()
    assert torch.allclose(moved[0], reference[0].mean(0).expand(21, 3), atol=1e-6)


def test_no_samples_give_no_errors():
    assert pa_mpjpe(torch.zeros(0, 21, 3), torch.zeros(0, 21, 3)).shape == (0,)


def test_it_can_be_differentiated():
    found = points(9).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: pa_mpjpe(x, points(10)), (found,))


@pytest.mark.parametrize(
    ("found", "reference"),
    [
        (torch.zeros(1, 21, 3), torch.zeros(1, 20, 3)),
        (torch.zeros(21, 3), torch.zeros(21, 3)),
        (torch.zeros(1, 0, 3), torch.zeros(1, 0, 3)),
        (torch.full((1, 21, 3), float("nan")), torch.zeros(1, 21, 3)),
    ],
)
def test_what_cannot_be_compared_is_refused(found, reference):
    with pytest.raises(SesaHandError, match="Points"):
        align(found, reference)
