"""Figures of a cell: nothing is drawn twice, nothing is mixed, and nothing gets lost."""

import numpy as np
import pytest

from sesahand.errors import InvalidFileError, SesaHandError
from sesahand.evaluation.cells import Cell, noise_seed
from sesahand.evaluation.results import CellResults
from sesahand.fusion.settings import FusionSettings

ABOUT = {"base": "1234", "cell": Cell("a", fusion=FusionSettings()).identity()}


def figures(indices, turn):
    values = np.array([10 * index + turn for index in indices], np.float32)
    return {"mask_iou": values}, np.stack([values, -values], 1)


def fill(results, batches):
    for turn, indices in batches:
        results.add(turn, indices, *figures(indices, turn))
    return results


def test_what_is_missing_comes_in_batches_all_samples_of_a_noise_first():
    assert CellResults({}, 5, 2).missing(3) == [(0, [0, 1, 2]), (0, [3, 4]), (1, [0, 1, 2]), (1, [3, 4])]


def test_an_interrupted_measurement_goes_on_where_it_was(tmp_path):
    path = tmp_path / "cell.npz"
    results = CellResults(ABOUT, 5, 2, path)
    fill(results, results.missing(3)[:3]).save()
    again = CellResults(ABOUT, 5, 2, path)
    assert again.missing(3) == [(1, [3, 4])]
    fill(again, again.missing(3))
    assert again.columns["mask_iou"].tolist() == [[10 * index, 10 * index + 1] for index in range(5)]
    assert again.features.shape == (5, 2, 2) and again.features[4, 1].tolist() == [41, -41]


def test_more_samples_go_on_and_fewer_lose_nothing(tmp_path):
    path = tmp_path / "cell.npz"
    small = CellResults(ABOUT, 2, 1, path)
    fill(small, small.missing(9)).save()
    large = CellResults(ABOUT, 3, 2, path)
    assert large.missing(9) == [(0, [2]), (1, [0, 1, 2])]
    fill(large, large.missing(9)).save()
    part = CellResults(ABOUT, 1, 1, path)
    assert part.missing(9) == [] and part.columns["mask_iou"].tolist() == [[0]] and part.features.shape == (1, 1, 2)
    part.save()
    assert CellResults(ABOUT, 3, 2, path).missing(9) == []
    assert large.first(2, 1).columns["mask_iou"].tolist() == [[0], [10]]


def test_figures_of_other_weights_or_settings_are_refused(tmp_path):
    path = tmp_path / "cell.npz"
    CellResults(ABOUT, 2, 1, path).save()
    with pytest.raises(SesaHandError, match="base is '1234' there and '5' now"):
        CellResults({**ABOUT, "base": "5"}, 2, 1, path)
    other = {**ABOUT, "cell": {**ABOUT["cell"], "alpha": 2.0}}
    with pytest.raises(SesaHandError, match="cell: alpha is 0.0 there and 2.0 now"):
        CellResults(other, 2, 1, path)


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "cell.npz"
    path.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(InvalidFileError, match=r"cell\.npz"):
        CellResults(ABOUT, 2, 1, path)


def test_cells_have_files_by_what_they_draw_and_not_by_their_names():
    one, renamed, other = Cell("+SE (hand:1.3)"), Cell("x"), Cell("+SE (hand:1.3)", weight=1.3)
    assert one.identity() == renamed.identity() != other.identity()
    assert len({one.file_name(), other.file_name()}) == 2
    assert one.file_name().startswith("se_hand_1_3_") and one.file_name()[-14:] == renamed.file_name()[-14:]


def test_every_sample_and_turn_has_noise_of_its_own():
    assert len({noise_seed(index, turn) for index in range(2000) for turn in range(5)}) == 10_000
