"""Where the detector's files are, and how one knows that they are the right ones."""

import os
import sys
from pathlib import Path

from ...errors import InvalidFileError

PALM_FILE, LANDMARK_FILE = "palm_detection_full.tflite", "hand_landmark_full.tflite"
# The smaller palm network came later; a detector without it works, and finds fewer hands.
LIGHT_PALM_FILE = "palm_detection_lite.tflite"
LICENSE_FILE = "LICENSE-mediapipe.txt"
SHA256 = {
    PALM_FILE: "1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54",
    LANDMARK_FILE: "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
    LIGHT_PALM_FILE: "e9a4aaddf90dda56a87235303cf00e4c2d3fb28725f68fd88772997dac905c18",
    LICENSE_FILE: "8707eef0533987efc5b155d64761eeb6e20793f50b9bd1a68dad1cf4719d0ed8",
}
NETWORKS = (PALM_FILE, LANDMARK_FILE, LIGHT_PALM_FILE)
FOLDER_NAME = "hand_detector"
# The folder in which `python -m sesahand` works.
CHECKOUT = Path(__file__).absolute().parents[3]
COMMAND = "python -m sesahand get-detector"


def default_folder() -> Path:
    """Return where the files are kept: ComfyUI's models folder if this is a part of ComfyUI, else the user's cache."""
    return comfyui_folder() or cache_folder()


def comfyui_folder() -> Path | None:
    """Return `models/hand_detector` of the ComfyUI in whose `custom_nodes` this package lies, or None."""
    for parent in Path(__file__).absolute().parents:
        if parent.name == "custom_nodes" and (parent.parent / "models").is_dir():
            return parent.parent / "models" / FOLDER_NAME
    return None


def cache_folder() -> Path:
    """Return the folder of this user's cache; `SESAHAND_CACHE` names another one."""
    if chosen := os.environ.get("SESAHAND_CACHE"):
        root = Path(chosen)
    elif sys.platform == "win32":
        root = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "sesahand"
    else:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sesahand"
    return root / FOLDER_NAME


def missing_files(folder: str | Path) -> list[str]:
    """Return which of the networks that the detector cannot do without a folder lacks."""
    return [name for name in (PALM_FILE, LANDMARK_FILE) if not (Path(folder) / name).is_file()]


def find_detector_folder(folder: str | Path | None = None) -> Path:
    """Return the folder that holds the networks.

    Args:
        folder: The one to take; None takes ComfyUI's if it has them, else the cache's.

    Raises:
        InvalidFileError: If files are missing; the message names the command that gets them.
    """
    for each in _places(folder):
        if not missing_files(each):
            return each
    raise InvalidFileError(describe_missing(folder))


def no_detector(folder: str | Path | None = None) -> bool:
    """Return whether `find_detector_folder` would find the files nowhere."""
    return all(missing_files(each) for each in _places(folder))


def detector_state(folder: str | Path | None = None) -> str:
    """Return a text that changes when the files in any of the places come, go or change, without reading them."""
    return "\n".join(_state(each / name) for each in _places(folder) for name in NETWORKS)


def _state(file: Path) -> str:
    try:
        facts = file.stat()
    except OSError:
        return f"{file}: none"
    return f"{file}: {facts.st_size} bytes of {facts.st_mtime_ns}"


def describe_missing(folder: str | Path | None = None) -> str:
    """Return which files are missing where, and the command that gets them, last in full for this machine."""
    place = _places(folder)[0]
    into = "" if folder is None else f' --to "{place}"'
    return (
        f"The hand detector's files are missing: {', '.join(missing_files(place))} in {place}. Get them once (10 MB, "
        "out of the package mediapipe 0.10.21, Apache-2.0): open a terminal in the folder of SesaHand, and run "
        f"`{COMMAND}{into}` with the Python that runs ComfyUI. In full:\n"
        f'cd "{CHECKOUT}"\n"{sys.executable}" {COMMAND.removeprefix("python ")}{into}'
    )


def describe_light_missing(folder: Path) -> str:
    """Return what lacks without the smaller palm network, and the command that gets it."""
    return (
        f"{LIGHT_PALM_FILE} is not in {folder}: fewer hands are found without it. Get it with `{COMMAND} --to "
        f'"{folder}"`.'
    )


def missing_notice() -> str:
    """Return what to do about missing files in few words, without long paths, for people who look at a node."""
    return (
        f"No hand detector. Get it once: in custom_nodes/{CHECKOUT.name}, with the Python that runs ComfyUI (portable: "
        f"python_embeded), run {COMMAND}"
    )


def _places(folder: str | Path | None) -> list[Path]:
    if folder is not None:
        return [Path(folder)]
    return [*filter(None, [comfyui_folder()]), cache_folder()]
