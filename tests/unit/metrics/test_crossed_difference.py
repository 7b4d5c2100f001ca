"""Intervals over samples and trainings at once, against what is known where only one of the two varies."""

import numpy as np
import pytest

from sesahand.errors import SesaHandError
from sesahand.metrics.paired_bootstrap import crossed_difference, mean_interval

RNG = np.random.default_rng(3)
HANDS, TRAININGS = RNG.normal(1.0, 2.0, 60), RNG.normal(0.0, 1.5, 6)


def test_where_trainings_agree_the_interval_is_that_of_the_samples():
    values = np.repeat(HANDS[:, None], 6, 1)
    found = crossed_difference(values, np.zeros_like(values))
    low, high = mean_interval(HANDS)
    assert found.mean == pytest.approx(HANDS.mean()) and found.samples == 60
    assert (found.low, found.high) == (pytest.approx(low, abs=0.06), pytest.approx(high, abs=0.06))


def test_where_samples_agree_it_is_that_of_the_trainings():
    values = np.repeat(TRAININGS[None], 60, 0)
    found = crossed_difference(values, np.zeros_like(values))
    low, high = mean_interval(TRAININGS)
    assert (found.low, found.high) == (pytest.approx(low, abs=0.06), pytest.approx(high, abs=0.06))


def test_where_both_vary_the_variances_add_up():
    values = HANDS[:, None] + TRAININGS[None]
    found = crossed_difference(values, np.zeros_like(values))
    # Of an interval of a normal law; the bootstrap's variance has n, not n - 1.
    expected = 2 * 1.96 * np.sqrt(HANDS.var() / 60 + TRAININGS.var() / 6)
    assert found.high - found.low == pytest.approx(expected, rel=0.05)


def test_what_is_common_to_a_hand_or_a_training_goes_out_of_a_difference():
    common = HANDS[:, None] + TRAININGS[None]
    found = crossed_difference(common + 0.5, common)
    assert (found.mean, found.low, found.high) == tuple(pytest.approx(0.5) for _ in range(3)) and found.is_clear


@pytest.mark.parametrize(
    ("found", "reference", "settings"),
    [
        (np.zeros((3, 2)), np.zeros((3, 3)), {}),
        (np.zeros((3, 1)), np.zeros((3, 1)), {}),
        (np.zeros((0, 2)), np.zeros((0, 2)), {}),
        (np.full((3, 2), np.nan), np.zeros((3, 2)), {}),
        (np.zeros((3, 2)), np.zeros((3, 2)), {"confidence": 1.0}),
        (np.zeros((3, 2)), np.zeros((3, 2)), {"resamples": 0}),
    ],
)
def test_what_cannot_be_compared_is_refused(found, reference, settings):
    with pytest.raises(SesaHandError):
        crossed_difference(found, reference, **settings)
