"""A plan, a list of captions or a planned set from a stranger: read as what it says, and nothing else is touched."""

import json
import os
import re
from pathlib import Path

import pytest
from hostile import run_limited
from pair_scenes import make_scene

from sesahand.cli import main
from sesahand.data.shards import open_shards
from sesahand.errors import InvalidFileError, SesaHandError
from sesahand.generate.order import Line, Order
from sesahand.generate.plan import MAX_TEXT, Plan, PlannedJobs, read_plan
from sesahand.generate.planned import check_captions
from sesahand.generate.record import PictureRecord, read_record
from sesahand.generate.sampling import SamplingSettings
from sesahand.semantics import captions

SECRET = "sk-proj-0123456789abcdefghij"
KEY = {"openai": {"key": SECRET}}
links = pytest.mark.skipif(os.name == "nt", reason="links need a right that users of Windows seldom have")


@pytest.fixture
def secret(tmp_path) -> Path:
    """A file of the user's own, beside the stranger's folder."""
    path = tmp_path / "home" / "credentials.json"
    path.parent.mkdir()
    path.write_text(json.dumps(KEY))
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "strangers").mkdir()
    return tmp_path / "strangers"


def write_plan(folder: Path, text: str = "", **values) -> Path:
    said = {"captions": ["A man makes a fist"], "pairs": 2, "score": False, **values}
    lines = [f"{name} = {json.dumps(value)}" for name, value in said.items() if name not in text]
    (folder / "plan.toml").write_text("\n".join([*lines, text]))
    return folder / "plan.toml"


def prompt_of(plan: Plan) -> str:
    return PlannedJobs(plan, (64, 64), False)(0).request.semantics.prompt


@pytest.mark.parametrize("listed", [True, False])
def test_a_planned_caption_that_names_a_file_is_that_name(folder, secret, listed):
    (folder / "captions.txt").write_text(f"{secret}\n")
    said = [str(secret)] if listed else "captions.txt"
    plan = read_plan(write_plan(folder, captions=said, gesture="fist", verbatim=True, vary=["view"]))
    assert prompt_of(plan) == str(secret)


def test_a_line_of_a_list_of_captions_that_names_a_file_is_that_name(secret):
    (line,) = Order((Line(str(secret)),), gesture="fist", verbatim=True).said
    assert line.image.prompt == str(secret)
    # What the user typed may be a file.
    (typed,) = Order((str(secret),), gesture="fist", verbatim=True).said
    assert SECRET in typed.image.prompt


def test_the_command_takes_no_line_of_a_list_for_a_file(folder, secret, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (folder / "captions.txt").write_text(f"{secret}\nnone.png\n")
    orders = []
    monkeypatch.setattr("sesahand.generate.pipeline.HandGenerator.load", lambda *_: orders.append(1) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["generate", "--captions", str(folder / "captions.txt"), "--gesture", "fist", "--verbatim", "--no-score"])
    assert orders and SECRET not in "".join(capsys.readouterr())


@pytest.mark.parametrize("name", ["../home/credentials.json", "/etc/hostname", "..", "sub/captions.txt", "a\x00b", ""])
def test_captions_of_a_plan_are_a_plain_name_beside_it(folder, secret, name):
    (folder / "sub").mkdir()
    (folder / "sub" / "captions.txt").write_text("A man makes a fist")
    with pytest.raises(SesaHandError, match="file name") as error:
        read_plan(write_plan(folder, captions=name))
    assert SECRET not in str(error.value)


def test_an_absolute_path_of_captions_is_refused_also_where_the_file_is(folder, secret):
    with pytest.raises(SesaHandError, match="file name"):
        read_plan(write_plan(folder, captions=str(secret)))


@links
def test_captions_of_a_plan_that_are_a_link_are_not_read(folder, secret):
    (folder / "captions.txt").symlink_to(secret)
    with pytest.raises(InvalidFileError, match="is a link"):
        read_plan(write_plan(folder, captions="captions.txt"))


LONG_HEX = "0x" + "f" * 6000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fov = inf", "1 to 170 degrees"),
        ("fov = nan", "1 to 170 degrees"),
        ("fov = 1" + "0" * 400, "more than 64 bits"),
        (f"fov = {LONG_HEX}", "more than 64 bits"),
        (f"seed = {LONG_HEX}", "more than 64 bits"),
        (f"size = [{LONG_HEX}, 64]", "more than 64 bits"),
        (f"cfg = {LONG_HEX}", "more than 64 bits"),
        (f"x = [{{y = {LONG_HEX}}}]", "more than 64 bits"),
        ("size = [100000000, 64]", "1 to 4096 pixels"),
        ("size = [64, 0]", "1 to 4096 pixels"),
        ("size = [4096, 4096]\nbatch_size = 16\nshard_size = 32", "at most 8 pictures are made at a time"),
        ('dtype = "float999"', "float32"),
        (f'prefix = "{"a" * (MAX_TEXT + 1)}"', "shorten them"),
        (f'style = "{"a" * (MAX_TEXT + 1)}"', "shorten them"),
    ],
)
def test_numbers_and_texts_that_no_pair_can_have_are_told_when_the_plan_is_read(folder, text, said, capsys):
    path = write_plan(folder, text)
    with pytest.raises(SesaHandError, match=re.escape(said)):
        read_plan(path)
    assert main(["generate", "--plan", str(path), "--pairs", str(folder / "set"), "--status"]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "values",
    [{"prefix": "a" * (MAX_TEXT - 5)}, {"captions": ["A man makes a fist" + " x" * MAX_TEXT], "vary": ["caption"]},
     {"captions": ["A man makes a fist" + " x" * MAX_TEXT], "verbatim": True, "vary": ["view"]}],
)  # fmt: skip
def test_a_prompt_that_no_record_holds_is_told_before_a_picture_is_painted(folder, values):
    plan = read_plan(write_plan(folder, **values))
    with pytest.raises(SesaHandError, match=r"Caption 1 of the plan.*prompt is"):
        list(check_captions(plan))


def test_a_map_that_is_named_very_often_is_drawn_once(folder):
    assert read_plan(write_plan(folder, pair_maps=["mask", "depth", *["mask"] * 1000])).pair_maps == ("mask", "depth")


def read_lines_of(path: Path) -> int:
    return len(captions.read_caption_lines(path))


@pytest.mark.parametrize("end", ["\n", "\u2028"])
def test_a_list_of_very_many_short_captions_is_refused_before_they_are_made(tmp_path, end):
    (tmp_path / "captions.txt").write_text(f"ab{end}" * 12_000_000, newline="")
    assert "lines" in run_limited(read_lines_of, tmp_path / "captions.txt", megabytes=400).refused()


def status_of(plan: Path, root: Path) -> int:
    return main(["generate", "--plan", str(plan), "--pairs", str(root), "--status"])


def test_the_status_of_very_many_planned_shards_takes_no_time(folder):
    root = folder / "set"
    root.mkdir()
    plan = write_plan(folder, pairs=20_000_000, shard_size=1, batch_size=1)
    said = read_plan(plan).shards(root).plan
    about = {"format": "sesahand-shards", "version": 1, "count": 20_000_000, "size": 1, "plan": said}
    (root / "shards.json").write_text(json.dumps(about))
    for name in ("shard_99999", "shard_100000", "shard_20000000", "shard_000001", "shard_1", "shard_٠٠٠٠١"):
        (root / name).mkdir()
        (root / name / "pairs.json").write_text(json.dumps({"format": "sesahand-pairs", "version": 1}))
    assert run_limited(status_of, plan, root, seconds=30).returned() == 0
    shards = open_shards(root)
    assert shards.begun() == [99_999, 100_000] and shards.made((0, 2)) == {100_000: 0}


@pytest.mark.parametrize(("count", "size", "part"), [(20, 8, (0, 1)), (20, 8, (2, 3)), (20, 8, (0, 2)), (16, 8, (1, 5)),
                                                     (5, 8, (3, 4))])  # fmt: skip
def test_pairs_of_a_part_are_counted_as_their_numbers(folder, count, size, part):
    shards = Plan(("a fist",), count, batch_size=4, shard_size=size).shards(folder)
    assert shards.planned(part) == sum(len(shards.numbers(shard)) for shard in range(part[0], len(shards), part[1]))


@pytest.mark.parametrize("name", ["map", "dtype"])
def test_a_record_whose_names_are_no_texts_is_refused(tmp_path, name):
    (said,) = Order(("A man makes a fist",)).said
    names = ("embedded", "sf", "mesh", 3, "float32")
    record = PictureRecord(*names, SamplingSettings(), said.image, make_scene(), "fist", 0.5)
    (tmp_path / "a.json").write_text(json.dumps(json.loads(record.to_json()) | {name: []}))
    with pytest.raises(InvalidFileError, match=f"{name} is .., expected text"):
        read_record(tmp_path / "a.json")
