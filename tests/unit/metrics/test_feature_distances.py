"""FID on given features, against scipy's matrix root and the eigenvalues of singular covariances."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from sesahand.errors import SesaHandError
from sesahand.metrics.frechet_distance import fid

seeds = st.integers(0, 2**31)


def features(seed: int, count: int, size: int = 8) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(size, size, generator=generator, dtype=torch.float64)
    return torch.randn(count, size, generator=generator, dtype=torch.float64) @ mix + seed % 7


def by_scipy(a: torch.Tensor, b: torch.Tensor) -> float:
    a, b = a.numpy(), b.numpy()
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    shift = np.square(a.mean(0) - b.mean(0)).sum()
    return shift + np.trace(first + second - 2 * sqrtm(first @ second).real)


@settings(max_examples=20, deadline=None)
@given(seeds, st.integers(20, 60), st.integers(20, 60))
def test_fid_agrees_with_the_matrix_root_of_scipy(seed, n, m):
    a, b = features(seed, n), features(seed + 1, m)
    assert fid(a, b) == pytest.approx(by_scipy(a, b), rel=1e-6)


@pytest.mark.parametrize(("n", "m"), [(2, 2), (5, 40), (40, 5), (33, 20)])
def test_fewer_pictures_than_features_cost_no_accuracy(n, m):
    """The covariances are singular, where scipy's root fails; a little weight on the diagonal makes a reference."""
    a, b = features(3, n, 32), features(4, m, 32)
    ca, cb = torch.cov(a.T), torch.cov(b.T)
    # The eigenvalues of C1 C2 from the symmetric side, in float64 and without a root of a singular matrix.
    root = torch.linalg.cholesky(cb + 1e-13 * cb.trace() * torch.eye(32, dtype=cb.dtype))
    trace = torch.linalg.eigvalsh(root.T @ ca @ root).clamp(min=0).sqrt().sum()
    expected = (a.mean(0) - b.mean(0)).square().sum() + ca.trace() + cb.trace() - 2 * trace
    assert fid(a, b) == pytest.approx(float(expected), rel=1e-4)
    assert fid(a, a) == pytest.approx(0, abs=1e-9 * float(ca.trace()))


@settings(max_examples=15, deadline=None)
@given(seeds, st.integers(3, 30))
def test_fid_is_symmetric_and_sees_neither_order_rotation_nor_a_common_shift(seed, n):
    a, b = features(seed, n), features(seed + 1, 25)
    turn = torch.linalg.qr(features(seed + 2, 8)).Q
    value = fid(a, b)
    close = pytest.approx(value, rel=1e-7, abs=1e-7)
    assert value >= 0
    assert fid(b, a) == close and fid(a.flip(0), b) == close and fid(a @ turn + 5, b @ turn + 5) == close


@pytest.mark.parametrize(
    "bad",
    [torch.zeros(1, 4), torch.zeros(5, 3), torch.zeros(5), torch.full((5, 4), float("nan"))],
    ids=["one picture", "other features", "no vectors", "NaN"],
)
def test_what_are_no_features_of_two_sets_is_refused(bad):
    with pytest.raises(SesaHandError, match="Features"):
        fid(bad, torch.zeros(5, 4))
