"""What the Comfy Registry ships: the checkout without what .comfyignore names must be whole for its users."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
IGNORED = [
    line.strip()
    for line in (ROOT / ".comfyignore").read_text(encoding="utf-8").splitlines()
    if line.strip() and not line.startswith("#")
]


def is_left_out(name: str) -> bool:
    return any(name.startswith(entry) if entry.endswith("/") else name == entry for entry in IGNORED)


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    """A folder with the published files of the library."""
    folder = tmp_path_factory.mktemp("archive")
    for path in (ROOT / "sesahand").rglob("*"):
        name = path.relative_to(ROOT).as_posix()
        if path.is_file() and "__pycache__" not in name and not is_left_out(name):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder / name)
    return folder


def sesahand(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "sesahand", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def test_every_entry_names_something_that_is_there():
    assert [entry for entry in IGNORED if not (ROOT / entry).exists()] == []


def test_commands_of_the_archive_start_and_those_left_out_are_not_offered(archive):
    assert not (archive / "sesahand" / "evaluation" / "reader").exists()
    said = sesahand(archive, "--help")
    assert said.returncode == 0 and "evaluate" in said.stdout and "train-judge" not in said.stdout
    for command in ("gestures", "evaluate --help", "generate --help", "train --help"):
        assert sesahand(archive, *command.split()).returncode == 0, command


def test_every_module_of_the_archive_imports_unless_it_measures_models(archive):
    code = """
import importlib, pathlib
for path in sorted(pathlib.Path("sesahand").rglob("*.py")):
    name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
    if not name.endswith("__main__") and name.split(".")[1:2] not in (["evaluation"], ["training"]):
        importlib.import_module(name)
print("whole")
"""
    environment = {**os.environ, "PYTHONPATH": str(archive), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=archive, env=environment, capture_output=True, text=True
    )
    assert done.stdout.strip() == "whole", done.stderr[-2000:]
