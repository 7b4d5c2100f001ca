"""Several sets as one, and sets made of sets: merged, filtered, split, and dealt out as shards."""

import json
import tarfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from pair_scenes import assert_same_scene, make_facts, make_picture, make_scene

from sesahand.cli import main
from sesahand.data import index as index_module
from sesahand.data.arranging import Wanted, copy_pairs, split_pairs
from sesahand.data.check import find_damage, find_strays
from sesahand.data.coverage import HandFacts
from sesahand.data.formats import export_pairs
from sesahand.data.near_duplicates import NearDuplicates
from sesahand.data.pair_set import PairSet
from sesahand.data.record import PairFacts
from sesahand.data.several_sets import PairSets, prefixed
from sesahand.data.writer import PairWriter
from sesahand.errors import InvalidFileError, SesaHandError


def write_set(root, seeds, **facts):
    with PairWriter(root, "jpg") as writer:
        for seed in seeds:
            picture = make_picture(seed)
            known = make_facts(seed) if not facts else PairFacts(**facts)
            writer.add(picture, make_scene(seed), known, {"depth": picture})
    return root


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two sets whose pairs have the same keys, in folders of the same name."""
    folder = tmp_path_factory.mktemp("two")
    return [write_set(folder / "a" / "Studio 1", range(3)), write_set(folder / "b" / "Studio 1", range(3, 5))]


def test_several_sets_are_one_whose_keys_say_where_a_pair_is_from(two):
    pairs = PairSets(two)
    expected = ["studio_1_00000000", "studio_1_00000001", "studio_1_00000002", "studio_1_2_00000000"]
    assert [pair.key for pair in pairs] == [*expected, "studio_1_2_00000001"] == [pairs[n].key for n in range(5)]
    for n in (0, 2, 3, 4, -1):
        assert torch.equal(pairs[n].picture, list(pairs)[n].picture)
    assert_same_scene(pairs[3].scene, make_scene(3))
    with pytest.raises(IndexError):
        pairs[5]


def test_a_key_for_which_there_is_no_room_stays_one_and_its_own():
    first, second = (prefixed("studio", "x" * 63 + end) for end in "ab")
    assert len(first) == len(second) == 64 and first != second


def test_merged_pairs_are_what_they_were_byte_by_byte_and_merging_goes_on(two, tmp_path):
    out = tmp_path / "all"
    assert copy_pairs((pair for pair in PairSets(two) if "_2_" not in pair.key), out) == 3
    assert copy_pairs(PairSets(two), out) == 5
    merged = PairSet(out)
    assert list(find_damage(merged)) == [None] * 5 and find_strays(merged)["orphan"] == []
    for was, now in zip(PairSets(two), merged, strict=True):
        assert (now.key, now.facts, now.record.hands) == (was.key, was.facts, was.record.hands)
        for kind in ("picture", "depth", "npz"):
            assert now.path(kind).read_bytes() == was.path(kind).read_bytes()


def test_another_pair_under_the_same_key_is_never_taken_for_it(two, tmp_path):
    copy_pairs(PairSet(two[0]), tmp_path / "out")
    with pytest.raises(SesaHandError, match="another pair '00000000'"):
        copy_pairs(PairSet(two[1]), tmp_path / "out")


def test_filters_look_at_the_record_and_keep_nothing_that_does_not_say_it(tmp_path):
    with PairWriter(tmp_path / "set") as writer:
        for score, doubt in ((None, None), (0.2, 0.0), (0.9, 0.08)):
            facts = PairFacts(score=score, gesture="fist", doubt=doubt)
            writer.add(make_picture(), make_scene(sides=("right", "left")), facts)
        writer.add(make_picture(), make_scene(sides=("left",)), PairFacts(score=1.0, gesture="ok"))
    pairs = list(PairSet(tmp_path / "set"))
    for wanted, expected in (
        (Wanted(), "0123"),
        (Wanted(score=0.5), "23"),
        (Wanted(score=0.0), "123"),
        (Wanted(gestures=("ok", "rock")), "3"),
        (Wanted(side="left"), "3"),
        (Wanted(hands=2), "012"),
        (Wanted(detector_score=0.1), ""),
        (Wanted(mse_2d=1.0), ""),
        (Wanted(doubt=0.05), "1"),
        (Wanted(doubt=1.0), "12"),
        (Wanted(hand_size=0.0), "0123"),
        (Wanted(hand_size=1e6), ""),
    ):
        assert "".join(pair.key[-1] for pair in pairs if wanted.keeps(pair)) == expected, wanted


def test_pairs_of_one_pose_are_dealt_into_the_same_set(tmp_path):
    with PairWriter(tmp_path / "set") as writer:
        for seed in range(24):
            scene = make_scene(seed // 2)
            farther = replace(scene, translation=scene.translation + 0.1)
            # The same fingers, seen from elsewhere.
            writer.add(make_picture(seed), scene if seed % 2 else farther)
    pairs = PairSet(tmp_path / "set")
    counts = split_pairs(pairs, tmp_path / "out", {"train": 3, "test": 1}, seed=1)
    assert sum(counts.values()) == 24 and 2 <= counts["test"] <= 12
    keys = {name: set(PairSet(tmp_path / "out" / name).keys) for name in counts}
    assert not keys["train"] & keys["test"]
    for even in range(0, 24, 2):
        assert len({f"{even:08d}", f"{even + 1:08d}"} & keys["test"]) != 1
    assert split_pairs(pairs, tmp_path / "out", {"train": 3, "test": 1}, seed=1) == counts


@pytest.mark.parametrize("shares", [{}, {"train": 0.0}, {"train": -1, "test": 2}, {"train": float("nan")}, {"..": 1}])
def test_shares_that_cannot_be_dealt_are_refused_before_anything_is_written(shares, two, tmp_path):
    with pytest.raises(SesaHandError):
        split_pairs(PairSet(two[0]), tmp_path / "out", shares)
    assert not (tmp_path / "out").exists()


def test_shards_hold_the_files_of_each_pair_together_and_its_record(two, tmp_path):
    assert export_pairs(PairSets(two), "webdataset", tmp_path / "shards").written == 5
    assert json.loads((tmp_path / "shards" / "shards.json").read_text()) == {"000000.tar": 5}
    with tarfile.open(tmp_path / "shards" / "000000.tar") as tar:
        names = tar.getnames()
        assert names[:4] == [f"studio_1_00000000.{ending}" for ending in ("json", "jpg", "npz", "depth.png")]
        assert json.load(tar.extractfile(names[0]))["key"] == "studio_1_00000000"
        assert tar.extractfile(names[1]).read() == PairSet(two[0])[0].path("picture").read_bytes()


def test_the_package_webdataset_reads_the_shards(two, tmp_path):
    webdataset = pytest.importorskip("webdataset", reason="needs the package webdataset")
    export_pairs(PairSets(two), "webdataset", tmp_path / "shards")
    found = list(webdataset.WebDataset(str(tmp_path / "shards" / "000000.tar"), shardshuffle=False))
    assert [sample["__key__"] for sample in found] == [pair.key for pair in PairSets(two)]
    assert found[4]["depth.png"] == PairSet(two[1])[1].path("depth").read_bytes()


def test_commands_take_several_sets(two, tmp_path, capsys):
    folders = [str(each) for each in two]
    assert main(["dataset", "merge", *folders, "--out", str(tmp_path / "all")]) == 0
    assert main(["dataset", "filter", *folders, "--out", str(tmp_path / "few"), "--minimum-score", "0.3"]) == 0
    assert main(["dataset", "split", str(tmp_path / "all"), "--out", str(tmp_path / "parts"), "--share", "a=1"]) == 0
    assert main(["dataset", "stats", *folders]) == 0
    assert main(["dataset", "check", *folders, str(tmp_path / "all")]) == 0
    said = capsys.readouterr().out
    assert "5 pairs of 2 sets" in said and "2 of 5 pairs are in" in said and "5 pairs are in" in said
    assert "5 pairs, 5 hands" in said and "5 of 5 pairs are whole" in said


def test_an_index_read_in_small_pieces_is_the_same(two, monkeypatch):
    whole = PairSet(two[0]).index
    for size in (1, 7, 300, 1000):
        monkeypatch.setattr(index_module, "BLOCK", size)
        pieces = PairSet(two[0]).index
        assert pieces.starts.tolist() == whole.starts.tolist() and (pieces.end, pieces.torn) == (whole.end, 0)
        assert [pieces.find(f"{n:08d}") for n in range(4)] == [0, 1, 2, None]


@pytest.mark.parametrize("size", [7, 1 << 22])
@pytest.mark.parametrize(
    "change, expected",
    [
        (lambda lines: [*lines, b'{"key": "half'], "torn"),
        (lambda lines: [*lines, b"\0" * 100], "torn"),
        (lambda lines: [*lines, b"\0" * 100 + b"\n"], "torn"),
        (lambda lines: [lines[0], b"\n", *lines[1:]], "line 2 is damaged"),
        (lambda lines: [lines[0], lines[1][:40] + b"\n", lines[2]], "line 2 is damaged"),
        (lambda lines: [lines[0].replace(b'"00000000"', b'"_0000000"'), *lines[1:]], "line 1 is damaged"),
        (lambda lines: [lines[0].replace(b'"00000000"', b'"' + b"k" * 65 + b'"'), *lines[1:]], "line 1 is damaged"),
        (lambda lines: [lines[0].replace(b'"00000000"', b'""'), *lines[1:]], "line 1 is damaged"),
        (lambda lines: [*lines, lines[1]], "line 4: the key '00000001' is there twice"),
    ],
)
def test_damage_is_found_wherever_pieces_of_the_index_end(two, tmp_path, monkeypatch, change, expected, size):
    copy_pairs(PairSet(two[0]), tmp_path / "set")
    path = tmp_path / "set" / "index.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(change(lines)))
    monkeypatch.setattr(index_module, "BLOCK", size)
    if expected == "torn":
        found = PairSet(tmp_path / "set")
        assert len(found) == 3 and found.index.torn == path.stat().st_size - sum(map(len, lines))
    else:
        with pytest.raises(InvalidFileError, match=expected):
            PairSet(tmp_path / "set")


def test_deduping_keeps_the_first_of_near_poses_and_views(tmp_path, capsys):
    """A hand elsewhere in the picture repeats; one of another pose, view or side, or beside another, does not."""
    base = make_scene(1)
    moved = replace(base, translation=base.translation + torch.tensor([0.02, 0.0, 0.1]))
    scenes = [base, make_scene(2), moved, make_scene(1, ("left",)), make_scene(1, ("right", "left")), base]
    with PairWriter(tmp_path / "set") as writer:
        for number, scene in enumerate(scenes):
            writer.add(make_picture(number), scene, make_facts(number))
    assert main(["dataset", "dedupe", str(tmp_path / "set"), "--out", str(tmp_path / "out")]) == 0
    assert "4 of 6 pairs" in capsys.readouterr().out
    kept = PairSet(tmp_path / "out")
    assert kept.keys == ["00000000", "00000001", "00000003", "00000004"] and [*find_damage(kept)] == [None] * 4
    assert main(["dataset", "dedupe", str(tmp_path / "out"), "--out", str(tmp_path / "again"), "--near", "0"]) == 2


def test_near_duplicates_agree_with_comparing_each_with_each():
    rng = np.random.default_rng(0)
    points = (0.01 * rng.normal(size=(600, 21, 3)) + 0.02 * rng.integers(0, 5, (600, 1, 3))).astype(np.float32)
    points = torch.from_numpy(points.astype(np.float16).astype(np.float32))
    seen, kept = NearDuplicates(0.03), []
    for number, each in enumerate(points):
        near = any(float((each - points[k]).square().sum(-1).mean().sqrt()) < 0.03 for k in kept)
        assert seen.is_new_pose([HandFacts("", {"side": "right"}, each)]) != near
        kept += [] if near else [number]
    assert 10 < len(kept) < 500


def test_two_hands_of_which_one_stays_are_not_compared_each_with_each():
    rng = np.random.default_rng(1)
    still = torch.zeros(21, 3)
    seen = NearDuplicates(0.01)
    for _ in range(400):
        other = torch.from_numpy((0.02 * rng.normal(size=(21, 3)) + 0.1 * rng.normal(size=3)).astype(np.float32))
        facts = [HandFacts("", {"side": "right"}, still), HandFacts("", {"side": "left"}, other)]
        assert seen.is_new_pose(facts) and not seen.is_new_pose(facts)
    [poses] = seen._known.values()
    assert max(map(len, poses.cells.values())) < 20


@pytest.mark.parametrize("kind", ["picture", "depth", "npz"])
def test_a_damaged_file_does_not_get_into_shards(tmp_path, capsys, kind):
    damaged = write_set(tmp_path / "set", range(2))
    path = PairSet(damaged)[1].path(kind)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert main(["dataset", "export", str(damaged), "--format", "webdataset", "--out", str(tmp_path / "tars")]) == 2
    assert path.name in capsys.readouterr().err
    assert not list((tmp_path / "tars").iterdir())


@pytest.mark.parametrize(
    "words, said",
    [
        (["--minimum-score", "7"], "from 0 to 1"),
        (["--minimum-score", "nan"], "from 0 to 1"),
        (["--minimum-score", "-5"], "from 0 to 1"),
        (["--minimum-detector-score", "1.5"], "from 0 to 1"),
        (["--maximum-doubt", "-1"], "from 0 on"),
        (["--maximum-mse-2d", "nan"], "from 0 on"),
        (["--minimum-size", "-0.1"], "from 0 on"),
        (["--hands", "-1"], "from 0 on"),
        (["--gesture", "foo"], "There is no gesture 'foo'"),
        (["--gesture", "thumbs up"], "as `sesahand gestures` does"),
    ],
)
def test_filters_that_could_keep_nothing_are_refused(two, tmp_path, capsys, words, said):
    assert main(["dataset", "filter", str(two[0]), "--out", str(tmp_path / "out"), *words]) == 2
    assert said in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "shares, said",
    [
        (["train=0.9", "train=0.1"], "of which two are one"),
        (["train=0.9", "Train=0.1"], "of which two have one name"),
        (["train"], "expected NAME=SHARE, such as train=0.9"),
    ],
)
def test_shares_of_one_name_or_without_a_number_are_refused(two, tmp_path, capsys, shares, said):
    try:
        assert main(["dataset", "split", str(two[0]), "--out", str(tmp_path / "out"), "--share", *shares]) == 2
    except SystemExit as stopped:
        assert stopped.code == 2
    assert said in capsys.readouterr().err and not (tmp_path / "out").exists()
