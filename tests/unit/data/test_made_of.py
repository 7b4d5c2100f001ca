"""Sets made of sets: what was stopped goes on by the same command alone, and no set is made of itself."""

import json

import pytest
from pair_scenes import make_picture, make_scene

from sesahand.cli import main
from sesahand.data.made_of import MadeOf
from sesahand.data.pair_set import PairSet
from sesahand.data.record import PairFacts
from sesahand.data.shards import Shards, make_shards
from sesahand.data.writer import PairWriter
from sesahand.errors import SesaHandError


def write_set(root, count, first=0):
    with PairWriter(root) as writer:
        for number in range(first, first + count):
            scene = make_scene(number)
            writer.add(make_picture(number), scene, PairFacts(score=number / 10, gesture="fist"))
    return root


def dataset(action, *words):
    return main(["dataset", action, *map(str, words)])


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("sources") / "all", 8)


@pytest.fixture
def planned(tmp_path, source):
    """A planned set of eight pairs in two shards, of which one is there."""
    root = tmp_path / "planned"
    shards = make_shards(Shards(root, 8, 4, {"seed": 7}))
    write_set(shards.path(0), 4)
    return root


def files(root):
    return {path: path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_what_differs_of_a_strangers_set_is_told_in_few_words(tmp_path, source):
    out = tmp_path / "out"
    settings = {f"{'k' * 100}{number}": "v" * 100 for number in range(3000)}
    write_set(out, 2)
    (out / "made_of.json").write_text(json.dumps({**json.loads(as_written(source, tmp_path)), "settings": settings}))
    with pytest.raises(SesaHandError, match="2990 more") as told:
        MadeOf.of("filter", {}, [source]).check(out)
    assert len(str(told.value)) < 4000


def as_written(source, folder):
    """What a set of a source says of itself."""
    write_set(folder / "as_written", 0)
    MadeOf.of("filter", {}, [source]).write(folder / "as_written")
    return (folder / "as_written/made_of.json").read_text()


@pytest.mark.parametrize(
    "action, first, then, named",
    [
        ("split", ["--seed", 0], ["--seed", 3], "'seed' was 0, now is 3"),
        ("split", ["--share", "train=6", "test=4"], ["--share", "train=7", "test=3"], "'share' was"),
        ("filter", ["--minimum-score", 0.2], ["--minimum-score", 0.6], "'score' was 0.2, now is 0.6"),
        ("filter", ["--minimum-score", 0.2], ["--hands", 1], "'hands' was None, now is 1"),
        ("filter", [], ["--cover", "even"], "'cover' was None, now is 'even'"),
        ("dedupe", ["--near", 0.01], ["--near", 5], "'near' was 0.01, now is 5"),
    ],
)
def test_the_same_command_goes_on_and_another_is_refused(source, tmp_path, capsys, action, first, then, named):
    out = tmp_path / "out"
    assert dataset(action, source, "--out", out, *first) == 0
    said, before = capsys.readouterr().out, files(out)
    assert dataset(action, source, "--out", out, *first) == 0
    assert capsys.readouterr().out == said and files(out) == before
    assert dataset(action, source, "--out", out, *then) == 2
    error = capsys.readouterr().err
    assert named in error and "a new folder" in error and files(out) == before


def test_other_sources_and_other_commands_are_refused_and_a_grown_source_goes_on(source, tmp_path, capsys):
    mine, out = write_set(tmp_path / "all", 3), tmp_path / "out"
    assert dataset("merge", mine, "--out", out) == 0
    write_set(mine, 2, 5)
    assert dataset("merge", mine, "--out", out) == 0 and len(PairSet(out)) == 5
    before = files(out)
    for words in (("filter", mine), ("merge", source, mine), ("merge", write_set(tmp_path / "else" / "all", 1, 9))):
        assert dataset(*words, "--out", out) == 2
        assert "begun otherwise" in capsys.readouterr().err and files(out) == before


def test_a_set_that_does_not_say_what_it_was_made_of_is_read_but_not_added_to(source, tmp_path, capsys):
    old = write_set(tmp_path / "old", 2)
    assert dataset("check", old) == 0
    assert dataset("filter", source, "--out", old) == 2
    assert "does not say what they were made of" in capsys.readouterr().err and len(PairSet(old)) == 2


def test_a_set_without_pairs_may_be_made_of_something_else(source, tmp_path):
    assert dataset("filter", source, "--out", tmp_path / "out", "--hands", 4) == 0
    assert dataset("filter", source, "--out", tmp_path / "out", "--hands", 1) == 0
    assert len(PairSet(tmp_path / "out")) == 8


def test_a_set_keeps_what_it_says_where_it_is_moved_to_and_names_no_folder(source, tmp_path):
    assert dataset("filter", source, "--out", tmp_path / "out", "--minimum-score", 0.2) == 0
    (tmp_path / "out").rename(tmp_path / "moved")
    assert dataset("filter", source, "--out", tmp_path / "moved", "--minimum-score", 0.2) == 0
    text = (tmp_path / "moved" / "made_of.json").read_text()
    assert str(source.parent) not in text and json.loads(text)["settings"] == {"score": 0.2}


@pytest.mark.parametrize("text", ["[]", "{", '{"format": "sesahand-made-of", "version": 1, "command": 3}'])
def test_what_says_it_otherwise_is_refused(source, tmp_path, text):
    made_of = MadeOf.of("merge", {}, [source])
    root = write_set(tmp_path / "set", 1)
    (root / "made_of.json").write_text(text)
    with pytest.raises(SesaHandError, match=r"made_of\.json"):
        made_of.check(root)


def test_pairs_that_the_sources_no_longer_give_are_counted(tmp_path, capsys):
    mine, out = write_set(tmp_path / "mine", 4), tmp_path / "out"
    assert dataset("merge", mine, "--out", out) == 0
    index = mine / "index.jsonl"
    index.write_bytes(b"".join(index.read_bytes().splitlines(keepends=True)[:3]))
    assert dataset("merge", mine, "--out", out) == 0
    assert "1 other pairs are in" in capsys.readouterr().out


def test_no_set_is_made_of_itself_or_inside_another(source, planned, tmp_path, capsys):
    shard, mine = planned / "shard_00000", write_set(tmp_path / "sets" / "mine", 2)
    (tmp_path / "link").symlink_to(mine)
    before = files(tmp_path)
    for words in (
        ("merge", mine, source, "--out", mine),
        ("merge", mine, source, "--out", tmp_path / "link"),
        ("filter", mine, "--out", mine, "--minimum-score", 0.99),
        ("filter", mine, "--out", mine / "good"),
        ("filter", mine, "--out", tmp_path / "sets"),
        ("split", mine, "--out", mine),
        ("export", mine, "--out", mine / "tars", "--format", "webdataset"),
        ("filter", source, "--out", shard),
        ("split", source, "--out", planned),
        ("merge", source, mine, "--out", planned / "inner"),
        ("add-photographs", shard, source),
    ):
        assert dataset(*words) == 2, words
        assert "lies in" in capsys.readouterr().err and files(tmp_path) == before


def test_one_set_is_not_merged_twice(source, planned, tmp_path, capsys):
    for sources in ((source, source), (source, source.parent / "." / "all"), (planned, planned / "shard_00000")):
        assert dataset("merge", *sources, "--out", tmp_path / "out") == 2
        assert "give each set once" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_planned_set_that_is_not_finished_is_said_to_be(planned, tmp_path, capsys):
    assert dataset("merge", planned, "--out", tmp_path / "out") == 0
    assert "planned is not finished: 4 of its 8 planned pairs are there" in capsys.readouterr().out


def test_no_pictures_are_generated_into_a_shard_of_a_plan(planned, capsys):
    before, shard = files(planned), sorted(path for path in planned.iterdir() if path.is_dir())[0]
    assert main(["generate", "A fist", "--pairs", str(shard)]) == 2
    assert "which is a set of its own" in capsys.readouterr().err and files(planned) == before
