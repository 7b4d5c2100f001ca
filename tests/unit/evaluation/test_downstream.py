"""The benchmark of what pairs do for reconstruction, in little: those that do not show their hand train worse.

It draws, generates, trains and measures as the benchmark does, so that it also fails where labels and pictures of crops
part, a training learns nothing, or the measurement sees no difference.
"""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sesahand.errors import SesaHandError
from sesahand.metrics.paired_bootstrap import paired_difference

BENCHMARK = Path(__file__).resolve().parents[3] / "benchmarks" / "downstream.py"


@pytest.fixture(scope="module")
def downstream():
    spec = importlib.util.spec_from_file_location("downstream", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    # Its dataclasses look their module up.
    sys.modules["downstream"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["downstream"]


def test_pairs_that_do_not_show_their_hand_train_worse_than_true_ones(downstream, tmp_path, capsys, monkeypatch):
    pytest.importorskip("accelerate")

    def find_them_all(place):
        hands = [hand for own in downstream.true_hands(place.root / "heldout.npz") for hand in own]
        boxes = [[*hand.box.tolist(), hand.side == "left"] for hand in hands]
        downstream.save_arrays(place.root / "found_boxes.npz", boxes=np.array(boxes))

    # The detector has tests of its own, and takes a sixth of a second for each picture.
    monkeypatch.setattr(downstream, "find_boxes", find_them_all)
    plan = downstream.Plan(engine_pictures=20, test=120, steps=200, sampler_steps=2, crop=48)
    rows, pairs, seeds = [downstream.UNCONTROLLED, downstream.TRUE], 80, [0, 1]
    place = downstream.open_place(tmp_path, plan)
    numbers = downstream.run(place, ["flat"], rows, [pairs], seeds, 1)
    wrong, true = (
        downstream.figures_of(place, downstream.Job("flat", row, pairs), seeds)["true boxes, MPJPE"] for row in rows
    )
    assert wrong.shape == true.shape and wrong.shape[0] >= plan.test
    harm = paired_difference(wrong, true)
    assert harm.low > 3, f"{harm.mean:.1f} mm [{harm.low:.1f}, {harm.high:.1f}]"
    printed = capsys.readouterr().out
    assert "| no ControlNet | 8" in printed and "| true pictures, against those without ControlNet | -" in printed
    means = numbers["flat, 80 pairs"]["means"]["true"]
    assert means["true boxes, MPJPE"] == pytest.approx(true.mean())
    assert means["found boxes, MPVPE"] == pytest.approx(means["true boxes, MPVPE"], rel=1e-4)

    # What is there is not made again, and other settings are refused.
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    assert downstream.run(place, ["flat"], rows, [pairs], seeds, 1) == numbers
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")} == written
    with pytest.raises(SesaHandError, match="other settings"):
        downstream.open_place(tmp_path, replace(plan, steps=111))


def test_filtered_pairs_are_those_with_the_score_and_as_many_at_random(downstream, tmp_path):
    place = downstream.Place(tmp_path, downstream.Plan(engine_pictures=70, minimum_score=0.5))
    scores = np.linspace(0, 1, 200)
    for start in range(50, 250, downstream.CHUNK):
        downstream.save_arrays(place.chunk("scores", start), scores=scores[start - 50 :][: downstream.CHUNK])
    kept = downstream.chosen_requests(place, downstream.FILTERED, 70, 120)
    assert kept.tolist() == [n for n in range(120) if scores[20 + n] >= 0.5]
    assert np.array_equal(downstream.chosen_requests(place, downstream.TRUE_FILTERED, 70, 120), kept)
    drawn = downstream.chosen_requests(place, downstream.RANDOM, 70, 120)
    assert len(set(drawn)) == len(kept) and drawn.min() < kept.min() and drawn.max() < 120


def test_boxes_are_compared_by_what_they_share(downstream):
    one = np.array([0.0, 0, 2, 2])
    assert downstream.overlap(one, one) == 1 and downstream.overlap(one, one + 5) == 0
    assert downstream.overlap(one, np.array([1.0, 0, 3, 2])) == pytest.approx(1 / 3)


def test_more_pairs_later_are_the_same_samples_and_more(downstream, tmp_path, monkeypatch):
    monkeypatch.setattr(downstream, "find_boxes", lambda place: None)
    place = downstream.open_place(tmp_path, downstream.Plan(engine_pictures=2, test=2))
    pictures = []
    for count in (1, 3, 1):
        downstream.opened.cache_clear()
        downstream.prepare(place, count, 1)
        pictures.append(np.array(downstream.opened(place.requests).pictures[: 2 + count]))
        assert len(downstream.true_hands(place.root / "requests.npz")) >= 2 + count
        downstream.true_hands.cache_clear()
    assert len(pictures[1]) == 5 and np.array_equal(pictures[1][:3], pictures[0])
    assert np.array_equal(pictures[2], pictures[0])
