"""The command that gets the hand detector's files: what it writes, what it refuses, and when it does nothing."""

import hashlib
import sys
import zipfile
from pathlib import Path

import pytest

from sesahand.cli import main
from sesahand.commands import get_detector
from sesahand.errors import InvalidFileError
from sesahand.reconstruct.detection import detector_files
from sesahand.reconstruct.detection.detector_files import LANDMARK_FILE, LICENSE_FILE, LIGHT_PALM_FILE, PALM_FILE

CONTENTS = {PALM_FILE: b"palms", LIGHT_PALM_FILE: b"more palms", LANDMARK_FILE: b"landmarks", LICENSE_FILE: b"Apache"}
MEMBERS = {
    PALM_FILE: "mediapipe/modules/palm_detection/palm_detection_full.tflite",
    LIGHT_PALM_FILE: "mediapipe/modules/palm_detection/palm_detection_lite.tflite",
    LANDMARK_FILE: "mediapipe/modules/hand_landmark/hand_landmark_full.tflite",
    LICENSE_FILE: "mediapipe-0.10.21.dist-info/LICENSE",
}


@pytest.fixture
def expected(monkeypatch):
    """Let the files of the made-up wheel be the ones that are expected."""
    for name, content in CONTENTS.items():
        monkeypatch.setitem(detector_files.SHA256, name, hashlib.sha256(content).hexdigest())


def write_wheel(path: Path, contents: dict[str, bytes] = CONTENTS) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(MEMBERS[name], content)
    return path


def refuse_to_run(*_, **__):
    raise AssertionError("nothing may be downloaded")


def test_the_error_for_missing_files_names_the_folder_in_which_the_command_works(tmp_path):
    with pytest.raises(InvalidFileError, match="get-detector") as told:
        detector_files.find_detector_folder(tmp_path)
    assert f'cd "{Path(__file__).parents[2]}"\n"{sys.executable}" -m sesahand get-detector' in str(told.value)


def test_the_files_of_a_wheel_are_written_with_their_licence(tmp_path, capsys, expected):
    wheel, folder = write_wheel(tmp_path / "w.whl"), tmp_path / "models" / "hand_detector"
    assert main(["get-detector", "--to", str(folder), "--wheel", str(wheel)]) == 0
    assert capsys.readouterr().out == f"{folder}\n"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENTS


def test_a_second_start_does_nothing_and_a_damaged_file_is_got_again(tmp_path, monkeypatch, expected):
    wheel, folder = write_wheel(tmp_path / "w.whl"), tmp_path / "files"
    get_detector.get_detector(folder, wheel)
    monkeypatch.setattr(get_detector, "download", refuse_to_run)
    get_detector.get_detector(folder)
    (folder / PALM_FILE).write_bytes(b"half")
    get_detector.get_detector(folder, wheel)
    assert (folder / PALM_FILE).read_bytes() == b"palms"


def test_other_files_under_the_same_names_are_refused_and_nothing_is_written(tmp_path, capsys):
    wheel, folder = write_wheel(tmp_path / "w.whl"), tmp_path / "files"
    assert main(["get-detector", "--to", str(folder), "--wheel", str(wheel)]) == 2
    assert "SHA-256" in capsys.readouterr().err and not folder.exists()


@pytest.mark.parametrize("kind", ["missing", "folder", "no zip", "truncated", "incomplete", "huge"])
def test_what_is_no_whole_wheel_is_refused(tmp_path, capsys, expected, kind):
    wheel = tmp_path / "w.whl"
    if kind == "folder":
        wheel.mkdir()
    elif kind == "no zip":
        wheel.write_bytes(b"nothing")
    elif kind == "incomplete":
        write_wheel(wheel, {PALM_FILE: b"palms"})
    elif kind == "huge":
        write_wheel(wheel, CONTENTS | {PALM_FILE: bytes(get_detector.LARGEST_MEMBER + 1)})
    elif kind == "truncated":
        write_wheel(wheel)
        wheel.write_bytes(wheel.read_bytes()[:-30])
    assert main(["get-detector", "--to", str(tmp_path / "files"), "--wheel", str(wheel)]) == 2
    assert str(wheel) in capsys.readouterr().err and not (tmp_path / "files").exists()


def test_without_an_index_it_says_what_to_download_by_hand(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    for name in ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    assert main(["get-detector", "--to", str(tmp_path / "files")]) == 2
    said = capsys.readouterr().err
    assert get_detector.WHEEL_NAME in said and "--wheel" in said and not (tmp_path / "files").exists()


def test_no_code_of_the_folder_that_it_is_started_in_is_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pip").mkdir()
    for name in ("pip/__init__.py", "pip/__main__.py", "runpy.py"):
        (tmp_path / name).write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    assert main(["get-detector", "--to", "files"]) == 2
    assert "pip said" in capsys.readouterr().err and not (tmp_path / "ran").exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path, capsys, expected):
    (tmp_path / "file").write_text("in the way")
    wheel = write_wheel(tmp_path / "w.whl")
    assert main(["get-detector", "--to", str(tmp_path / "file" / "x"), "--wheel", str(wheel)]) == 2
    assert "--to" in capsys.readouterr().err


def test_files_are_looked_for_in_comfyui_then_in_the_users_cache(tmp_path, monkeypatch):
    library = tmp_path / "ComfyUI/custom_nodes/sesahand/sesahand/reconstruct"
    (tmp_path / "ComfyUI/models").mkdir(parents=True)
    monkeypatch.setattr(detector_files, "__file__", str(library / "detector_files.py"))
    monkeypatch.setenv("SESAHAND_CACHE", str(tmp_path / "cache"))
    assert detector_files.default_folder() == tmp_path / "ComfyUI/models/hand_detector"
    with pytest.raises(detector_files.InvalidFileError, match="models.hand_detector.*get-detector"):
        detector_files.find_detector_folder()
    for place in (tmp_path / "cache/hand_detector", tmp_path / "ComfyUI/models/hand_detector"):
        place.mkdir(parents=True)
        for name in (PALM_FILE, LANDMARK_FILE):
            (place / name).write_bytes(b"x")
        assert detector_files.find_detector_folder() == place


def test_the_shipped_check_sums_are_those_of_the_files_that_tests_use(detector_folder):
    assert get_detector.has_detector(detector_folder)
