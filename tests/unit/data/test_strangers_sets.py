"""A set of pairs from a stranger: nothing outside it is deleted, renamed, written or waited for."""

import os
import socket
from pathlib import Path

import pytest
from hostile import run_limited
from pair_scenes import make_facts, make_picture, make_scene

from sesahand.cli import main
from sesahand.data import index
from sesahand.data.arranging import split_pairs
from sesahand.data.check import find_strays, repair
from sesahand.data.pair_set import PairSet
from sesahand.data.photographs import PhotographPairs
from sesahand.data.several_sets import PairSets
from sesahand.data.shards import Shards, make_shards, open_shards
from sesahand.data.writer import PairWriter
from sesahand.errors import InvalidFileError, SesaHandError
from sesahand.generate.on_ray import WriteStage, work_left
from sesahand.generate.plan import Plan, read_plan
from sesahand.generate.planned import make_part
from sesahand.semantics.gestures import GESTURES

UNFINISHED = f".{'0' * 31}a.partial"
pytestmark = pytest.mark.skipif(os.name == "nt", reason="links need a right that users of Windows seldom have")


@pytest.fixture
def home(tmp_path) -> Path:
    """A folder of the user's own, with files that look like a set's."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("00000000.png", "photo.png", "a.npz", UNFINISHED, ".x.partial", "notes.txt", "index.jsonl"):
        (home / name).write_bytes(b"mine: " + name.encode())
    (home / "00000").mkdir()
    (home / "00000" / "letter.png").write_bytes(b"mine too")
    return home


@pytest.fixture
def root(tmp_path) -> Path:
    return write_set(tmp_path / "set")


def write_set(root: Path, count: int = 2) -> Path:
    with PairWriter(root) as writer:
        for n in range(count):
            writer.add(make_picture(n), make_scene(n), make_facts(n))
    return root


def contents(folder: Path) -> dict[str, tuple]:
    """Return all that is in a folder, with contents and times of change."""
    return {
        path.relative_to(folder).as_posix(): (path.is_file() and path.read_bytes(), os.lstat(path).st_mtime_ns)
        for path in sorted(folder.rglob("*"))
    }


def link_folder(root: Path, home: Path) -> None:
    (root / "00001").symlink_to(home)


def link_first_folder(root: Path, home: Path) -> None:
    for path in (root / "00000").iterdir():
        path.unlink()
    (root / "00000").rmdir()
    (root / "00000").symlink_to(home)


def link_folder_inside(root: Path, home: Path) -> None:
    (root / "00000" / "00001").symlink_to(home)
    (root / "00000" / UNFINISHED).symlink_to(home)


def link_files(root: Path, home: Path) -> None:
    for name in ("stray.png", "stray.npz", UNFINISHED):
        (root / "00000" / name).symlink_to(home / "photo.png")
    (root / UNFINISHED).symlink_to(home / "notes.txt")


def link_index(root: Path, home: Path) -> None:
    (root / "index.jsonl").unlink()
    (root / "index.jsonl").symlink_to(home / "index.jsonl")


def link_index_to_nothing(root: Path, home: Path) -> None:
    (root / "index.jsonl").unlink()
    (root / "index.jsonl").symlink_to(home / "new.jsonl")


def name_index_twice(root: Path, home: Path) -> None:
    (root / "index.jsonl").unlink()
    os.link(home / "index.jsonl", root / "index.jsonl")


def link_lock(root: Path, home: Path) -> None:
    (root / "writer.lock").unlink()
    (root / "writer.lock").symlink_to(home / "new.lock")


def link_header(root: Path, home: Path) -> None:
    (root / "pairs.json").rename(home / "pairs.json")
    (root / "pairs.json").symlink_to(home / "pairs.json")


LINKS = {
    link.__name__: link
    for link in (
        link_folder, link_first_folder, link_folder_inside, link_files, link_index, link_index_to_nothing,
        name_index_twice, link_lock, link_header,
    )
}  # fmt: skip


def check_and_repair(root: Path) -> None:
    main(["dataset", "check", str(root), "--repair"])


def repair_all(root: Path) -> None:
    repair(root, ["00000000", "00000001"])


def open_writer(root: Path) -> None:
    PairWriter(root).close()


def add_pair(root: Path) -> None:
    with PairWriter(root) as writer:
        writer.add(make_picture(7), make_scene(7), key="stray")


OPERATIONS = {operation.__name__: operation for operation in (check_and_repair, repair_all, open_writer, add_pair)}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("link", LINKS)
def test_no_link_inside_a_set_is_followed_by_what_deletes_renames_or_writes(root, home, link, operation):
    LINKS[link](root, home)
    before = contents(home)
    try:
        OPERATIONS[operation](root)
    except SesaHandError as error:
        assert "link" in str(error)
    assert contents(home) == before


def test_a_folder_of_other_digits_is_no_folder_of_samples(root):
    (root / "\u0660\u0660\u0660\u0660\u0660").mkdir()
    (root / "\u0660\u0660\u0660\u0660\u0660" / "photo.png").write_bytes(b"mine")
    before = contents(root)
    repair(root)
    assert contents(root) == before


def test_a_set_of_too_many_pairs_is_refused_in_a_sentence(root, monkeypatch):
    assert len(PairSet(root)) == 2
    monkeypatch.setattr(index, "MOST_PAIRS", 1)
    with pytest.raises(SesaHandError, match="more than 1 pairs"):
        PairSet(root)


def test_links_and_folders_in_a_set_are_foreign_and_stay(root, home):
    link_folder(root, home)
    (root / "00000" / "x.png").mkdir()
    (root / "00000" / "y.png").symlink_to(home / "photo.png")
    strays = find_strays(PairSet(root))
    assert strays["partial"] == strays["orphan"] == []
    assert {path.name for path in strays["foreign"]} == {"00001", "x.png", "y.png"}
    assert repair(root) == []


def test_a_users_own_files_that_end_in_partial_are_not_taken_for_a_writers(root):
    for place in (root, root / "00000"):
        (place / "film.partial").write_bytes(b"a download")
        (place / ".film.partial").write_bytes(b"a download")
        (place / UNFINISHED).write_bytes(b"a writer's")
    add_pair(root)
    assert repair(root) == []
    assert sorted(path.name for path in root.rglob("*.partial")) == [".film.partial"] * 2 + ["film.partial"] * 2


def test_a_set_that_is_reached_by_a_link_is_a_set(root, tmp_path):
    (tmp_path / "by_link").symlink_to(root)
    add_pair(tmp_path / "by_link")
    assert len(PairSet(tmp_path / "by_link")) == 3 and repair(tmp_path / "by_link") == []


def read_all(root: Path) -> None:
    for pair in PairSet(root):
        _ = pair.picture, pair.parameters


@pytest.mark.parametrize("kind", ["pipe", "socket", "folder"])
@pytest.mark.parametrize(
    "name", ["index.jsonl", "writer.lock", "pairs.json", "00000/00000000.png", "00000/00000000.npz"]
)
def test_what_is_no_regular_file_is_refused_and_not_waited_for(root, name, kind, monkeypatch):
    place = root / name
    place.unlink()
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    else:
        # The path of a socket is short by law.
        monkeypatch.chdir(place.parent)
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(place.name)
    told = run_limited(try_operations, root, seconds=120).returned()
    every = {"read_all", "add_pair", "repair_all"}
    wanted = {"writer.lock": every - {"read_all"}, "index.jsonl": every, "pairs.json": every}
    for operation in wanted.get(name, {"read_all"}):
        assert told[operation].startswith(("InvalidFileError", "SesaHandError")), told
    assert all(said == "done" or said.startswith(("InvalidFileError", "SesaHandError")) for said in told.values()), told


def try_operations(root: Path) -> dict[str, str]:
    told = {}
    for operation in (read_all, add_pair, repair_all):
        try:
            operation(root)
            told[operation.__name__] = "done"
        except Exception as error:
            told[operation.__name__] = f"{type(error).__name__}: {error}"
    return told


@pytest.fixture
def planned(tmp_path) -> Path:
    """A planned set whose second shard is a link to a set of the user's own, with what a writer would clear away."""
    victim = write_set(tmp_path / "victim")
    (victim / UNFINISHED).write_bytes(b"mine")
    (victim / "00000" / "myown.png").write_bytes(b"mine")
    with (victim / "index.jsonl").open("ab") as file:
        file.write(b"a torn tail")
    make_shards(Shards(tmp_path / "evil", 4, 2, {}))
    write_set(tmp_path / "evil" / "shard_00000")
    (tmp_path / "evil" / "shard_00001").symlink_to(victim)
    return tmp_path / "evil"


def work_on(planned: Path):
    """Yield what reads, writes or repairs the shards of a planned set."""
    shards = open_shards(planned)
    yield lambda: PairSets([planned])
    yield shards.sets
    yield shards.made
    yield lambda: shards.missing(1)
    yield lambda: shards.path(1)
    yield lambda: WriteStage(shards, "png").writer(1)
    yield lambda: list(make_part(None, shards, (1, 2)))
    yield lambda: list(work_left(Plan(("a fist",), 4, batch_size=2, shard_size=2), shards))


def test_a_shard_that_is_a_link_is_neither_read_nor_written_nor_repaired(planned, tmp_path):
    before = contents(tmp_path)
    for work in work_on(planned):
        with pytest.raises(InvalidFileError, match="is a link"):
            work()
    assert main(["dataset", "check", "--repair", str(planned)]) == 2
    assert main(["dataset", "stats", str(planned)]) == 2
    assert contents(tmp_path) == before


def test_a_command_that_makes_pairs_of_a_plan_refuses_a_linked_shard(planned, tmp_path, capsys):
    (planned / "shards.json").unlink()
    plan = tmp_path / "plan.toml"
    plan.write_text('captions = ["A man makes a fist"]\npairs = 4\nbatch_size = 2\nshard_size = 2\nscore = false')
    make_shards(read_plan(plan).shards(planned))
    before = contents(tmp_path)
    for more in ([], ["--status"], ["--part", "1/2"], ["--part", "2/2"]):
        assert main(["generate", "--plan", str(plan), "--pairs", str(planned), "--device", "cpu", *more]) == 2
        assert "shard_00001 is a link" in capsys.readouterr().err
    assert contents(tmp_path) == before


@pytest.mark.parametrize("linked", ["pairs.json", "shards.json"])
def test_what_says_of_a_shard_or_a_planned_set_what_it_is_is_no_link(planned, tmp_path, linked):
    (planned / "shard_00001").unlink()
    (planned / "shard_00001").mkdir()
    place = planned / linked if linked == "shards.json" else planned / "shard_00001" / linked
    place.unlink(missing_ok=True)
    (tmp_path / "own.json").write_text('{"format": "sesahand-shards", "version": 1, "count": 4, "size": 2, "plan": {}}')
    place.symlink_to(tmp_path / "own.json")
    with pytest.raises(InvalidFileError, match="is a link"):
        PairSets([planned])


def test_a_set_to_split_into_that_is_a_link_is_refused_before_another_is_begun(root, home, tmp_path):
    victim = write_set(tmp_path / "victim", 1)
    (victim / UNFINISHED).write_bytes(b"mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "test").symlink_to(victim)
    before = contents(tmp_path)
    assert main(["dataset", "split", str(root), "--out", str(tmp_path / "out")]) == 2
    assert contents(tmp_path) == before
    with pytest.raises(SesaHandError, match="is a link"):
        split_pairs(PairSet(root), tmp_path / "out", {"train": 1, "test": 1})


def test_the_pictures_of_a_demo_are_not_drawn_through_a_link(home, tmp_path, capsys):
    (tmp_path / "demo").mkdir()
    for gesture in GESTURES:
        (tmp_path / "demo" / gesture).symlink_to(home)
    before = contents(tmp_path)
    assert main(["demo", "--out", str(tmp_path / "demo")]) == 2
    assert "is a link" in capsys.readouterr().err and contents(tmp_path) == before


def test_a_text_beside_a_photograph_that_is_a_link_is_no_caption(home, tmp_path):
    (tmp_path / "thumb.txt").symlink_to(home / "notes.txt")
    with pytest.raises(InvalidFileError, match="is a link"):
        PhotographPairs(None, None)._facts(tmp_path / "thumb.jpg")
    (tmp_path / "fist.txt").write_text("A man makes a fist")
    assert PhotographPairs(None, None)._facts(tmp_path / "fist.jpg").caption == "A man makes a fist"
