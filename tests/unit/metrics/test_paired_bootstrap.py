"""Intervals of paired differences, against scipy's bootstrap, the normal law, and what pairing is for."""

import numpy as np
import pytest
from scipy import stats

from sesahand.errors import SesaHandError
from sesahand.metrics.paired_bootstrap import mean_interval, mean_of_seeds, paired_difference


@pytest.fixture
def pairs():
    rng = np.random.default_rng(1)
    hard = rng.normal(0, 3, (400, 1))
    return 0.3 + hard + rng.normal(0, 1, (400, 3)), hard + rng.normal(0, 1, (400, 3))


def test_it_agrees_with_scipys_bootstrap_of_the_samples(pairs):
    found = paired_difference(*pairs)
    each = (pairs[0] - pairs[1]).mean(1)
    theirs = stats.bootstrap((each,), np.mean, n_resamples=4000, method="percentile")
    # Both ends are quantiles of thousands of random means: they differ by some five hundredths of a standard error.
    tolerance = 0.3 * each.std() / len(each) ** 0.5
    assert found.mean == pytest.approx(each.mean(), abs=1e-12)
    assert found.low == pytest.approx(theirs.confidence_interval.low, abs=tolerance)
    assert found.high == pytest.approx(theirs.confidence_interval.high, abs=tolerance)
    assert found.samples == 400 and found.is_clear


def test_of_many_samples_it_is_the_normal_laws_interval(pairs):
    each = (pairs[0] - pairs[1]).mean(1)
    half = 1.959964 * each.std(ddof=1) / len(each) ** 0.5
    found = paired_difference(*pairs)
    assert (found.low, found.high) == pytest.approx((each.mean() - half, each.mean() + half), abs=0.1 * half)


def test_pairs_are_told_apart_where_unpaired_figures_are_not(pairs):
    first, second = pairs
    shuffled = np.random.default_rng(2).permutation(second)
    assert paired_difference(first, second).is_clear
    assert not paired_difference(first, shuffled).is_clear


def test_seeds_of_one_sample_are_not_counted_as_samples():
    each = np.random.default_rng(3).normal(0, 1, 50)
    once = paired_difference(each, np.zeros(50))
    repeated = paired_difference(np.repeat(each[:, None], 8, 1), np.zeros((50, 8)))
    assert (repeated.low, repeated.high) == pytest.approx((once.low, once.high))


def test_about_one_interval_in_twenty_misses_the_truth():
    rng = np.random.default_rng(4)
    missed = 0
    for turn in range(300):
        found = paired_difference(rng.normal(0, 1, 80), np.zeros(80), resamples=400, seed=turn)
        missed += found.is_clear
    assert 5 <= missed <= 30


def test_figures_that_do_not_apply_are_left_out_pairwise():
    found = np.array([[1.0, np.nan], [2.0, 4.0], [np.nan, np.nan]])
    reference = np.array([[0.0, 0.0], [np.nan, 1.0], [5.0, 5.0]])
    result = paired_difference(found, reference)
    assert (result.mean, result.samples) == (2.0, 2)
    assert mean_of_seeds(found).tolist() == [1.0, 3.0]


def test_equal_figures_do_not_differ(pairs):
    result = paired_difference(pairs[0], pairs[0])
    assert (result.mean, result.low, result.high, result.is_clear) == (0, 0, 0, False)


@pytest.mark.parametrize(
    ("found", "reference", "settings"),
    [
        (np.zeros(3), np.zeros(4), {}),
        (np.zeros((2, 2, 2)), np.zeros((2, 2, 2)), {}),
        (np.full(3, np.nan), np.zeros(3), {}),
        (np.zeros(3), np.zeros(3), {"confidence": 1.0}),
        (np.zeros(3), np.zeros(3), {"resamples": 0}),
    ],
)
def test_what_cannot_be_compared_is_refused(found, reference, settings):
    with pytest.raises(SesaHandError):
        paired_difference(found, reference, **settings)


def test_one_mean_has_the_interval_of_its_differences_from_nothing(pairs):
    each = pairs[0].mean(1)
    found = paired_difference(each, np.zeros_like(each), resamples=500)
    assert mean_interval(each, resamples=500) == (found.low, found.high)
    with pytest.raises(SesaHandError, match="no sample"):
        mean_interval(np.zeros(0))
