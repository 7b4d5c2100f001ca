"""FID and KID on given features, against scipy's matrix root, a closed form and a double loop."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from sesahand.errors import SesaHandError
from sesahand.metrics.frechet_distance import fid, frechet_distance
from sesahand.metrics.kernel_distance import kid, squared_mmd

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


def test_fid_of_statistics_is_that_of_the_features_they_are_of():
    a, b = features(1, 50), features(2, 70)
    statistics = [each for x in (a, b) for each in (x.mean(0), torch.cov(x.T))]
    assert frechet_distance(*statistics) == pytest.approx(fid(a, b), rel=1e-9)


def test_gaussians_along_the_axes_have_a_distance_one_can_write_down():
    mean, other = torch.tensor([1.0, 2.0]), torch.tensor([4.0, 6.0])
    deviations = torch.tensor([1.0, 3.0]), torch.tensor([2.0, 0.0])
    expected = 25 + 1 + 9
    result = frechet_distance(mean, deviations[0].square().diag(), other, deviations[1].square().diag())
    assert result == pytest.approx(expected)


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


def test_kid_without_subsets_agrees_with_a_double_loop():
    a, b = features(5, 6).numpy(), features(6, 9).numpy()

    def kernel(x, y):
        return (x @ y / len(x) + 1) ** 3

    def within(z):
        pairs = [kernel(z[i], z[j]) for i in range(len(z)) for j in range(len(z)) if i != j]
        return sum(pairs) / len(pairs)

    across = np.mean([kernel(x, y) for x in a for y in b])
    expected = within(a) + within(b) - 2 * across
    assert squared_mmd(torch.from_numpy(a), torch.from_numpy(b)).item() == pytest.approx(expected)
    assert kid(torch.from_numpy(a), torch.from_numpy(b)) == (pytest.approx(expected), 0.0)


def test_kid_of_two_halves_of_one_set_is_zero_on_average_and_grows_with_a_shift():
    one = torch.randn(4000, 8, generator=torch.Generator().manual_seed(7))
    same = [float(squared_mmd(part[:40], part[40:])) for part in one.split(80)]
    assert abs(np.mean(same)) < 3 * np.std(same) / len(same) ** 0.5, "the estimate is not biased"
    shifted = [kid(one[:500] + shift, one[500:1000], 20, 100)[0] for shift in (0.0, 0.2, 0.5, 1.0)]
    assert shifted == sorted(shifted) and shifted[-1] > 100 * abs(shifted[0])


def test_kids_subsets_depend_on_the_seed_alone():
    a, b = features(8, 300), features(9, 200)
    state = torch.get_rng_state()
    first = kid(a, b, 10, 50, seed=1)
    assert kid(a, b, 10, 50, seed=1) == first != kid(a, b, 10, 50, seed=2)
    assert torch.equal(torch.get_rng_state(), state)
    whole = float(squared_mmd(a, b))
    mean, deviation = kid(a, b, 100, 50)
    assert abs(mean - whole) < deviation


@pytest.mark.parametrize("figure", [fid, squared_mmd, kid])
@pytest.mark.parametrize(
    "bad",
    [torch.zeros(1, 4), torch.zeros(5, 3), torch.zeros(5), torch.full((5, 4), float("nan"))],
    ids=["one picture", "other features", "no vectors", "NaN"],
)
def test_what_are_no_features_of_two_sets_is_refused(figure, bad):
    with pytest.raises(SesaHandError, match="Features"):
        figure(bad, torch.zeros(5, 4))


def test_statistics_that_do_not_fit_are_refused():
    with pytest.raises(SesaHandError, match="shapes"):
        frechet_distance(torch.zeros(3), torch.eye(3), torch.zeros(2), torch.eye(2))
    with pytest.raises(SesaHandError, match="NaN"):
        frechet_distance(torch.zeros(2), torch.eye(2) * float("nan"), torch.zeros(2), torch.eye(2))
