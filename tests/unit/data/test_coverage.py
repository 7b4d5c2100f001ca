"""What a set shows is counted as people would count it, and what repeats is found."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from sesahand.cli import main
from sesahand.data.coverage import (
    Coverage,
    HandFacts,
    bins,
    count_distinct,
    even_target,
    find_repeats,
    hand_facts,
    pair_facts,
    skin_of,
)
from sesahand.data.pair_set import PairSet
from sesahand.data.record import PairFacts
from sesahand.data.writer import PairWriter
from sesahand.hands.gestures import find_gesture
from sesahand.hands.loading import load_hand_model
from sesahand.scene.placement import Placement
from sesahand.scene.placing import Hand


def scene_of(gesture="open_palm", side="right", **placement):
    hand = Hand.in_gesture(load_hand_model("builtin"), find_gesture(gesture))
    return Placement(size=(96, 96), **placement).place(hand, side)


@pytest.mark.parametrize(
    ("placement", "view"),
    [({}, "palm, up"), ({"yaw": 180}, "back, up"), ({"yaw": 90}, "edge, up"), ({"roll": 90}, "palm, right"),
     ({"roll": 180}, "palm, down"), ({"roll": -90}, "palm, left")],
)  # fmt: skip
def test_views_are_told_in_words(placement, view):
    [fact] = hand_facts(scene_of(**placement))
    assert fact.bins["view"] == view


def test_bends_sizes_and_skins():
    straight, bent = (hand_facts(scene_of(name))[0].bins["articulation"] for name in ("flat_stop", "fist"))
    assert (straight, bent) == ("<50", "200+")
    [small] = hand_facts(scene_of(box=(10, 10, 48, 48)))
    assert small.bins["size"] == "0.3-0.4"
    assert skin_of("a woman with olive skin") == "tan" and skin_of("a dark-skinned man") == "dark"
    assert skin_of("dark walls, skin cream") == "not named"


def test_repeats_are_of_one_side_pose_and_view():
    base = scene_of("victory")
    turned, other = scene_of("victory", roll=20), scene_of("victory", "left")
    moved = replace(base, translation=base.translation + torch.tensor([0.02, 0.0, 0.1]))
    facts = [hand_facts(scene)[0] for scene in (base, turned, other, moved, turned)]
    assert [*find_repeats(facts)] == [(3, 0), (4, 1)] and count_distinct(facts) == 3


def test_repeats_agree_with_comparing_each_with_each():
    rng = np.random.default_rng(0)
    points = torch.from_numpy(rng.normal(size=(1500, 21, 3))).float() * 0.01
    points += torch.from_numpy(rng.integers(0, 5, 1500)).float()[:, None, None] * 0.03
    facts = [HandFacts(str(n), {"side": "right"}, each) for n, each in enumerate(points)]
    squares = (points[:, None] - points[None]).square().sum(-1).mean(-1)
    near = (squares.sqrt() < 0.02).tril(-1)
    assert [later for later, _ in find_repeats(facts, 0.02)] == near.any(1).nonzero()[:, 0].tolist()


def test_a_filter_by_coverage_keeps_what_is_lacking(tmp_path, capsys):
    gestures = ["fist"] * 20 + ["open_palm", "ok"] * 4
    with PairWriter(tmp_path / "set") as pairs:
        for number, gesture in enumerate(gestures):
            scene = scene_of(gesture, ("right", "left")[number % 2], roll=float(90 * (number % 4)))
            pairs.add(torch.zeros(96, 96, 3), scene, PairFacts(gesture=gesture))
    command = ["dataset", "filter", str(tmp_path / "set"), "--cover", "even", "--out", str(tmp_path / "kept")]
    assert main(command) == 0
    kept = PairSet(tmp_path / "kept")
    counts = Counter(pair.facts.gesture for pair in kept)
    assert f"{len(kept)} of 28 pairs" in capsys.readouterr().out
    assert 1 <= counts["fist"] <= 8 and counts["ok"] and counts["open_palm"], "of 20, 4 and 4"
    assert len({fact.bins["view"] for pair in kept for fact in pair_facts(pair)}) == 4
    keys = [pair.key for pair in kept]
    assert main(command) == 0 and [pair.key for pair in PairSet(tmp_path / "kept")] == keys, "the same when run again"


def test_an_even_target_is_met_by_an_even_set_and_missed_by_hands_of_one_kind():
    target = even_target()
    for kind, names in bins().items():
        assert sum(target.shares[kind].values()) == pytest.approx(1)
        wanted = [name for name in names if target.shares[kind][name]]
        even, single = (Coverage({each: Counter() for each in bins()}) for _ in range(2))
        for coverage, chosen in ((even, wanted), (single, wanted[:1] * len(wanted))):
            coverage.counts["side"]["right"] = len(wanted)
            coverage.counts[kind] = Counter(chosen)
        assert even.distance(kind, target) == pytest.approx(0)
        assert single.distance(kind, target) == pytest.approx(1 - 1 / len(wanted))


def test_stats_draw_a_set_against_a_target(tmp_path, capsys):
    with PairWriter(tmp_path / "set") as pairs:
        for roll in (0, 0, 90):
            facts = PairFacts(prompt="a person with pale skin", gesture="fist", caption="A man. A pale man.")
            pairs.add(torch.zeros(96, 96, 3), scene_of("fist", roll=roll), facts)
    first = PairSet(tmp_path / "set")[0]
    short = replace(
        first, record=replace(first.record, facts=replace(first.facts, prompt="a fist", caption_style="short"))
    )
    assert [pair_facts(pair)[0].bins["skin"] for pair in (first, short)] == ["pale", "not named"], "not in the picture"
    assert PairSet(tmp_path / "set")[0].facts.caption == "A man. A pale man."
    picture = tmp_path / "coverage.png"
    assert main(["dataset", "stats", str(tmp_path / "set"), "--picture", str(picture)]) == 0
    said = capsys.readouterr().out
    assert "near duplicates: 1 hands" in said and "00000001 repeats 00000000" in said and "target even" in said
    assert Image.open(picture).width > 800
    assert main(["dataset", "stats", str(tmp_path / "set"), "--target", str(tmp_path / "set")]) == 0
    assert "view: 0.00 of the hands" in capsys.readouterr().out
