"""Folders that a command goes on with: torn logs, links, two at once, and kills in the middle of a write."""

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from sesahand.errors import InvalidFileError, SesaHandError
from sesahand.evaluation.reader.config import ReaderConfig
from sesahand.evaluation.reader.network import ReaderNetwork
from sesahand.evaluation.reader.training import resume, save_state
from sesahand.files.arrays import create_array
from sesahand.files.locks import WriterLock
from sesahand.files.reading import read_json_lines
from sesahand.files.writing import append_line, claim, write_with
from sesahand.generate.picture_folder import PictureFolder
from sesahand.training.config import MiniConfig, Steps
from sesahand.training.loop import Watcher, read_log, train
from sesahand.training.small_model import MiniTraining
from sesahand.training.validation import save_sheet
from sesahand.world.cache import ABOUT, open_samples, render_samples

ROOT = Path(__file__).resolve().parents[3]
needs_links = pytest.mark.skipif(os.name == "nt", reason="links need a right that users of Windows seldom have")


class Line(nn.Module):
    """A task as small as they come: a number that is to become 1."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def groups(self):
        return [([self.weight], 1.0)]

    def to_device(self, device):
        self.to(device)

    def batch(self, indices, samples, generator):
        return {"noise": torch.rand(1, generator=generator)}

    def forward(self, batch):
        return {"loss": ((self.weight - 1) ** 2).sum() + 0.01 * batch["noise"].sum()}


class Numbers:
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return index


def go(folder: Path, steps: int = 6, stop_after: int | None = None):
    pytest.importorskip("accelerate")
    config = MiniConfig(out=str(folder), precision="no", workers=1, checkpoint_every=2, validate_every=0, log_every=1)
    asked = iter(range(1, 1000))
    stop = (lambda: False) if stop_after is None else (lambda: next(asked) >= stop_after)
    recipe = Steps(steps, 2, 1, 1e-2, warmup=1)
    return train(Line(), Numbers(), recipe, config, folder, Watcher(stop), {"what": "line"})


def entries(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("place", ["checkpoint-00000002", "checkpoint.partial"])
@pytest.mark.parametrize("extra", [(), ("config.json", "state.json")])
def test_folders_that_hold_more_than_a_checkpoint_are_never_deleted(tmp_path, place, extra):
    (tmp_path / place).mkdir()
    for name in ("precious.txt", *extra):
        (tmp_path / place / name).write_text("mine")
    if (tmp_path / place / "config.json").exists() and place != "checkpoint.partial":
        with pytest.raises(SesaHandError):
            go(tmp_path)
    else:
        assert go(tmp_path).finished
    kept = [path for path in tmp_path.rglob("precious.txt")]
    assert len(kept) == 1 and all((kept[0].parent / name).read_text() == "mine" for name in extra)


def test_an_old_folder_that_only_begins_like_a_checkpoint_is_left_alone(tmp_path):
    assert not go(tmp_path, stop_after=2).finished
    for name in ("checkpoint-00000000 copy", "checkpoint-00000000"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    (tmp_path / "checkpoint-00000000" / "notes.txt").write_text("mine")
    assert go(tmp_path).finished
    assert (tmp_path / "checkpoint-00000000" / "notes.txt").exists()
    assert (tmp_path / "checkpoint-00000000 copy").exists()


def test_what_an_interrupted_write_left_of_a_checkpoint_is_removed(tmp_path):
    (tmp_path / "checkpoint.partial").mkdir(parents=True)
    (tmp_path / "checkpoint.partial" / f".{'0' * 32}.partial").write_bytes(b"half")
    assert go(tmp_path).finished
    assert not list(tmp_path.glob("aside*")) and not (tmp_path / "checkpoint.partial").exists()


@pytest.mark.parametrize("torn", [b'{"step": 5, "lo', b'{"step": 5, "loss": 0.1}', b"\x00" * 40, b"\xff{"])
def test_a_torn_last_line_of_a_log_is_dropped_and_said_and_the_training_goes_on(tmp_path, caplog, torn):
    go(tmp_path / "whole")
    assert not go(tmp_path / "torn", stop_after=4).finished
    with (tmp_path / "torn" / "log.jsonl").open("ab") as file:
        file.write(torn)
    assert go(tmp_path / "torn").finished
    assert "line 5" in caplog.text and "dropped" in caplog.text
    whole, gone_on = entries(tmp_path / "whole"), entries(tmp_path / "torn")
    assert [(entry["step"], entry["loss"]) for entry in whole] == [(entry["step"], entry["loss"]) for entry in gone_on]


@pytest.mark.parametrize("line", ["no json", "[]", '{"step": "1", "loss": 0.5}', '{"step": 1}', '{"loss": 0.5}', "NaN"])
def test_a_damaged_line_in_the_middle_of_a_log_is_named(tmp_path, line):
    good = '{"step": 1, "loss": 0.5}\n'
    (tmp_path / "log.jsonl").write_text(f"{good}{line}\n{good}")
    with pytest.raises(InvalidFileError, match="line 2"):
        read_log(tmp_path / "log.jsonl", 5)


def test_a_log_that_is_none_by_its_size_is_refused_before_it_fills_the_memory(tmp_path):
    (tmp_path / "log.jsonl").write_bytes(b'{"step":1,"loss":0.5}\n' * 1000)
    assert len(read_json_lines(tmp_path / "log.jsonl")[0]) == 1000
    with pytest.raises(InvalidFileError, match="larger than 20000 bytes"):
        read_json_lines(tmp_path / "log.jsonl", limit=20_000)
    with (tmp_path / "log.jsonl").open("r+b") as file:
        file.truncate(1 << 36)
    with pytest.raises(InvalidFileError):
        read_log(tmp_path / "log.jsonl", 5)


@pytest.fixture
def home(tmp_path) -> Path:
    home = tmp_path / "home"
    (home / "checkpoint-00000002").mkdir(parents=True)
    for name in ("notes.txt", "about.json", "checkpoint-00000002/config.json"):
        (home / name).write_text("mine")
    return home


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@needs_links
@pytest.mark.parametrize("started", [False, True], ids=["new", "gone_on_with"])
@pytest.mark.parametrize(
    "name, target",
    [("log.jsonl", "notes.txt"), ("log.jsonl", "new.txt"), ("training.lock", "notes.txt"), ("training.lock", "new.txt"),
     ("checkpoint.partial", ""), ("checkpoint-00000004", ""), ("checkpoint-00000001", "checkpoint-00000002")],
)  # fmt: skip
def test_no_link_in_a_training_folder_is_followed(tmp_path, home, name, target, started):
    folder, before = tmp_path / "run", contents(home)
    if started:
        go(folder, stop_after=2)
        (folder / name).unlink(missing_ok=True)
    folder.mkdir(exist_ok=True)
    (folder / name).symlink_to(home / target)
    try:
        go(folder)
    except SesaHandError as error:
        assert "link" in str(error)
    assert contents(home) == before


@needs_links
def test_no_link_is_followed_by_sheets_of_samples(tmp_path, home):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "pictures").symlink_to(home)
    before = contents(home)
    with pytest.raises(SesaHandError, match="link"):
        save_sheet(tmp_path / "run" / "pictures" / "1.png", [torch.rand(2, 3, 8, 8)])
    assert contents(home) == before


@needs_links
@pytest.mark.parametrize("linked", ["pictures.npy", "done.npy", ABOUT, "samples.lock"])
@pytest.mark.parametrize("drawn", [False, True])
def test_no_link_in_a_folder_of_drawn_samples_is_followed(tmp_path, home, linked, drawn):
    folder, before = tmp_path / "samples", contents(home)
    if drawn:
        render_samples(folder, 2, size=32)
        if linked.endswith(".npy"):
            (folder / linked).rename(home / linked)
            np.load(home / linked, mmap_mode="r+")[:] = 0
            before = contents(home)
        (folder / linked).unlink(missing_ok=True)
    folder.mkdir(exist_ok=True)
    (folder / linked).symlink_to(home / (linked if drawn and linked.endswith(".npy") else "notes.txt"))
    try:
        render_samples(folder, 2, size=32)
    except SesaHandError as error:
        assert "link" in str(error)
    assert contents(home) == before


@needs_links
@pytest.mark.parametrize("split", ["train", "heldout"])
def test_no_link_in_a_training_folder_leads_to_where_samples_are_drawn(tmp_path, home, split):
    (home / "pictures.npy").write_bytes(b"mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / f"{split}_128").symlink_to(home)
    before = contents(home)
    with pytest.raises(SesaHandError, match="link"):
        MiniTraining(MiniConfig(out=str(tmp_path / "run"), workers=1)).make_samples(split, 1)
    assert contents(home) == before


@needs_links
@pytest.mark.parametrize("name", ["pictures.npy", "done.npy"])
def test_no_array_is_drawn_into_that_is_a_file_of_another_name_too(tmp_path, home, name):
    folder = tmp_path / "samples"
    render_samples(folder, 2, size=32, part=(0, 2))
    os.link(folder / name, home / name)
    before = contents(home)
    with pytest.raises(SesaHandError, match="hard link"):
        render_samples(folder, 2, size=32)
    assert contents(home) == before and len(open_samples(folder)) == 2


@needs_links
def test_no_log_is_written_on_that_is_a_file_of_another_name_too(tmp_path, home):
    go(tmp_path / "run", stop_after=2)
    (tmp_path / "run" / "log.jsonl").unlink()
    os.link(home / "notes.txt", tmp_path / "run" / "log.jsonl")
    before = contents(home)
    with pytest.raises(SesaHandError, match="hard link"):
        append_line(tmp_path / "run" / "log.jsonl", b"more")
    assert go(tmp_path / "run").finished
    assert contents(home) == before


def test_a_log_that_belongs_to_no_checkpoint_is_kept_under_another_name(tmp_path, caplog):
    for number in (1, 2):
        (tmp_path / "log.jsonl").write_text(f"mine {number}")
        assert go(tmp_path).finished
        assert (tmp_path / f"log_{number}.jsonl").read_text() == f"mine {number}" and "log_1.jsonl" in caplog.text
        assert len(entries(tmp_path)) == 6
        for path in (*tmp_path.glob("checkpoint-*/*"), *tmp_path.glob("checkpoint-*")):
            path.unlink() if path.is_file() else path.rmdir()
        (tmp_path / "log.jsonl").unlink()


def test_arrays_of_somebody_else_are_no_samples_to_draw_over(tmp_path):
    np.save(tmp_path / "keypoints.npy", np.ones(3))
    before = contents(tmp_path)
    for _ in range(2):
        with pytest.raises(SesaHandError, match=r"holds keypoints\.npy"):
            render_samples(tmp_path, 2, size=32)
    assert contents(tmp_path) == before


def test_samples_of_another_shape_or_of_objects_are_refused(tmp_path):
    render_samples(tmp_path, 2, size=32)
    (tmp_path / "done.npy").unlink()
    np.save(tmp_path / "done.npy", np.array([{"a": 1}, None], dtype=object))
    with pytest.raises(InvalidFileError):
        open_samples(tmp_path)
    np.save(tmp_path / "done.npy", np.zeros(3, np.uint8))
    with pytest.raises(InvalidFileError, match="expected uint8"):
        open_samples(tmp_path)
    (tmp_path / "done.npy").write_bytes(b"\x93NUMPY\x01\x00\x40\x00{'descr': 'u1', 'fortran_order': (")
    with pytest.raises(InvalidFileError, match=r"done\.npy cannot be read"):
        open_samples(tmp_path)


@pytest.mark.skipif(not hasattr(os.stat_result, "st_blocks"), reason="the system does not tell how much disk is taken")
@pytest.mark.parametrize("answer", ["yes", "it cannot", "unknown"])
def test_all_room_is_taken_before_samples_are_drawn(tmp_path, monkeypatch, answer):
    if answer == "unknown":
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    elif answer == "it cannot":
        monkeypatch.setattr(os, "posix_fallocate", refusing(errno.EOPNOTSUPP), raising=False)
    array = create_array(tmp_path, "pictures.npy", np.uint8, (3 << 20,))
    found = (tmp_path / "pictures.npy").stat()
    assert found.st_size <= 512 * found.st_blocks and not array.any() and found.st_size == array.offset + len(array)


def refusing(number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the system keeps no room for files")
def test_samples_that_the_disk_has_no_room_for_are_refused_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "posix_fallocate", refusing(errno.ENOSPC))
    with pytest.raises(SesaHandError, match="No space left.*choose another folder"):
        render_samples(tmp_path, 2, size=64)
    assert not list(tmp_path.glob("*.npy"))


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the system keeps no room for files")
def test_room_is_also_taken_where_drawing_is_gone_on_with_in_files_of_holes(tmp_path, monkeypatch):
    render_samples(tmp_path, 2, size=64, part=(0, 2))
    pictures = tmp_path / "pictures.npy"
    data = pictures.read_bytes()
    pictures.write_bytes(data[:128])
    os.truncate(pictures, len(data))
    monkeypatch.setattr(os, "posix_fallocate", refusing(errno.ENOSPC))
    with pytest.raises(SesaHandError, match="No space left.*choose another folder"):
        render_samples(tmp_path, 2, size=64)
    monkeypatch.undo()
    assert render_samples(tmp_path, 2, size=64).pictures[1].any()


def test_a_short_file_is_not_made_as_long_as_it_claims_to_be(tmp_path):
    render_samples(tmp_path, 2, size=32)
    os.truncate(tmp_path / "pictures.npy", 1000)
    with pytest.raises(SesaHandError, match=r"pictures\.npy"):
        render_samples(tmp_path, 2, size=32)
    assert (tmp_path / "pictures.npy").stat().st_size == 1000


FULL = """
import sys
from pathlib import Path
from sesahand.errors import SesaHandError
from sesahand.world.cache import render_samples

try:
    render_samples(Path(sys.argv[1], "samples"), 100)
except SesaHandError as error:
    sys.exit(f"refused: {error}")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a small disk of its own is Linux's")
def test_a_full_disk_is_an_error_and_not_a_signal(tmp_path):
    small = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    mount = 'mount -t tmpfs -o size=3m tmpfs "$1" && '
    try:
        if subprocess.run([*small, mount + "true", "sh", tmp_path], capture_output=True).returncode:
            pytest.skip("no disks may be mounted here")
    except OSError:
        pytest.skip("there is no unshare")
    run = [*small, mount + '"$2" -c "$3" "$1"', "sh", tmp_path, sys.executable, FULL]
    ended = subprocess.run(run, capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode == 1 and "refused: " in ended.stderr and "No space left" in ended.stderr


def test_two_trainings_do_not_share_a_folder(tmp_path):
    with WriterLock(tmp_path / "training.lock"), pytest.raises(SesaHandError, match="Somebody else is writing"):
        go(tmp_path)
    assert go(tmp_path).finished


def test_two_generators_in_one_folder_never_take_the_same_name(tmp_path):
    first, second = PictureFolder(tmp_path), PictureFolder(tmp_path)
    names = [folder.next_name() for folder in (first, second, second, first, second)]
    assert names == ["0001", "0002", "0003", "0004", "0005"]
    assert PictureFolder(tmp_path).next_name() == "0006"


@needs_links
def test_a_claimed_name_is_nobody_elses_and_no_link(tmp_path):
    assert claim(tmp_path / "a.png") and not claim(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "elsewhere.png")
    assert not claim(tmp_path / "b.png") and not (tmp_path / "elsewhere.png").exists()


def test_the_state_of_a_judges_training_is_whole_or_as_it_was(tmp_path):
    network = ReaderNetwork()
    optimizer = torch.optim.AdamW(network.parameters())
    kept = {
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "step": 3,
        "config": vars(ReaderConfig()),
    }
    save_state(tmp_path / "judge.state", kept)
    whole = (tmp_path / "judge.state").read_bytes()

    class Unwritable:
        def __reduce__(self):
            raise RuntimeError("killed here")

    with pytest.raises(SesaHandError, match="cannot be written.*Unwritable"):
        save_state(tmp_path / "judge.state", kept | {"more": Unwritable()})
    assert (tmp_path / "judge.state").read_bytes() == whole and len(list(tmp_path.iterdir())) == 1
    assert resume(tmp_path / "judge.state", network, optimizer, ReaderConfig()) == 3
    (tmp_path / "judge.state").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidFileError, match="judge.state cannot be read.*Remove it"):
        resume(tmp_path / "judge.state", network, optimizer, ReaderConfig())


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system cannot kill so")
def test_a_file_that_is_killed_while_it_is_written_is_as_it_was(tmp_path):
    (tmp_path / "kept").write_bytes(b"before")
    program = f"""
        import os, signal, sys
        sys.path.insert(0, {str(ROOT)!r})
        from sesahand.files.writing import write_with
        def write(file):
            file.write(b"half")
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        write_with({str(tmp_path / "kept")!r}, write)
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(program)])
    assert ended.returncode == -signal.SIGKILL and (tmp_path / "kept").read_bytes() == b"before"
    write_with(tmp_path / "kept", lambda file: file.write(b"after"))
    assert (tmp_path / "kept").read_bytes() == b"after"


def test_no_picture_gets_the_number_of_somebody_elses_file_however_long_it_is(tmp_path):
    for name in ("999999999_x.png", "1000000000_picture.png", "1000000001_hands.json"):
        (tmp_path / name).write_text("mine")
    assert PictureFolder(tmp_path).next_name() == "1000000002"
