"""The assignment of hands, against scipy's solver."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from sesahand.errors import SesaHandError
from sesahand.reconstruct.scoring.matching import assign


def total(costs: np.ndarray, chosen: list[int | None], limit: float) -> float:
    return sum(limit if column is None else costs[row, column] for row, column in enumerate(chosen))


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 7), st.integers(1, 7), st.integers(0, 2**31), st.sampled_from([0.2, 0.5, 1.0, 10.0]))
def test_it_costs_as_little_as_scipys_solution(rows, columns, seed, limit):
    costs = np.random.default_rng(seed).random((rows, columns)).round(seed % 3 + 1)
    chosen = assign(costs.tolist(), limit)
    taken = [column for column in chosen if column is not None]
    assert len(taken) == len(set(taken)), "no hand is given away twice"
    padded = np.hstack([costs, np.full((rows, rows), limit)])
    best = padded[linear_sum_assignment(padded)].sum()
    assert total(costs, chosen, limit) == pytest.approx(best)
    assert all(costs[row, column] <= limit for row, column in enumerate(chosen) if column is not None)


def test_a_pair_gives_way_where_that_is_cheaper_in_all():
    assert assign([[1.0, 2.0], [1.1, 9.0]], 10) == [1, 0]


def test_hands_too_far_away_stay_alone():
    assert assign([[math.inf, 0.5], [math.inf, 0.4]], 1.0) == [None, 1]


@pytest.mark.parametrize(("costs", "expected"), [([], []), ([[], []], [None, None])])
def test_without_hands_there_are_no_pairs(costs, expected):
    assert assign(costs, 1.0) == expected


@pytest.mark.parametrize("costs", [[[math.nan]], [[1.0], [1.0, 2.0]]])
def test_costs_that_mean_nothing_are_refused(costs):
    with pytest.raises(SesaHandError, match="Costs"):
        assign(costs, 1.0)
