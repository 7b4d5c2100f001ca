"""The hand detector's files for tests: got once, by the project's own command, into the user's cache."""

import functools
import importlib
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def detector_folder() -> Path:
    """Return the folder with the detector's files, or skip the test if they are not there and cannot be had."""
    library = "sesahand_pack.sesahand" if os.environ.get("SESAHAND_IN_COMFYUI") == "1" else "sesahand"
    command = importlib.import_module(f"{library}.commands.get_detector")
    files = importlib.import_module(f"{library}.reconstruct.detection.detector_files")
    errors = importlib.import_module(f"{library}.errors")
    try:
        return command.get_detector(files.cache_folder())
    except errors.SesaHandError as reason:
        pytest.skip(f"the hand detector's files cannot be had: {reason}")


def real_picture(name: str) -> Path:
    """Return a photograph of real hands, which are not part of the project, or skip the test."""
    folder = Path(os.environ.get("SESAHAND_REAL_PICTURES") or ROOT.parent / "shared" / "real")
    path = folder / name
    if not path.is_file():
        pytest.skip(f"{path} is not there; SESAHAND_REAL_PICTURES can name the folder of {name}")
    return path
