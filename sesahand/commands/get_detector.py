"""Get the hand detector's networks (10 MB) out of the package mediapipe 0.10.21, checked by their SHA-256.

The package (36 MB) comes through pip from the package index that pip is set up for, is not installed, and is thrown
away afterwards. A second start finds the files and does nothing.
"""

import argparse
from pathlib import Path

from .saying import note, say

HELP = "get the hand detector's networks from the package index"

PACKAGE = "mediapipe==0.10.21"
# The networks are the same in the wheels of all systems; this one is taken everywhere.
WHEEL_TAGS = ("--python-version", "3.11", "--platform", "manylinux_2_28_x86_64")
WHEEL_NAME = "mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl"
LARGEST_MEMBER = 16 * 2**20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options to its parser."""
    parser.add_argument(
        "--to",
        type=Path,
        metavar="FOLDER",
        help="folder to write into (default: models/hand_detector of the ComfyUI that SesaHand is in, else the "
        "user's cache)",
    )
    parser.add_argument("--wheel", type=Path, help=f"take them out of this file instead of the index: {WHEEL_NAME}")


def run(options: argparse.Namespace) -> int:
    """Write the files where they are missing and print their folder."""
    from ..reconstruct.detection.detector_files import default_folder

    say(get_detector(options.to or default_folder(), options.wheel))
    return 0


def get_detector(folder: Path, wheel: Path | None = None) -> Path:
    """Make sure that a folder holds the networks and their licence, and return it.

    Args:
        folder: Where they shall be; made if it is not there.
        wheel: The wheel of `PACKAGE`; None takes it from pip's index.

    Raises:
        SesaHandError: If the wheel cannot be had, is another one, or the folder cannot be written to.
    """
    import tempfile

    if has_detector(folder):
        return folder
    if wheel is not None:
        install(read_members(wheel), folder)
        return folder
    with tempfile.TemporaryDirectory() as scratch:
        install(read_members(download(Path(scratch).absolute())), folder)
    return folder


def has_detector(folder: Path) -> bool:
    """Tell whether a folder has every file as it must be; a damaged one is got again."""
    from ..errors import InvalidFileError
    from ..files.reading import read_bytes
    from ..reconstruct.detection.detector_files import SHA256

    def is_whole(path: Path) -> bool:
        return (
            path.is_file()
            and path.stat().st_size > 0
            and _digest(read_bytes(path, LARGEST_MEMBER)) == SHA256[path.name]
        )

    try:
        return all(is_whole(folder / name) for name in SHA256)
    except InvalidFileError:
        return False


def download(folder: Path) -> Path:
    """Let pip put the wheel into a folder, and return its path.

    Args:
        folder: A new one, of nobody else; pip starts in it.

    Raises:
        SesaHandError: If pip is missing or cannot get it; the message ends with what pip said.
    """
    import subprocess
    import sys

    from ..errors import SesaHandError

    # `-m` looks into the current folder first, which may be a stranger's and hold a pip.py. So that folder is left, and
    # where Python can be told (-P, from 3.11 on) it looks into none. -I would also lose a pip of the user's own site.
    nowhere_else = ["-P"] if sys.version_info >= (3, 11) else []
    command = [sys.executable, *nowhere_else, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", *WHEEL_TAGS, "--dest", str(folder), PACKAGE]
    note(f"Downloading {PACKAGE} (36 MB) with pip ...")
    try:
        answer = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", cwd=folder
        )
        said = answer.stderr.strip()[-500:]
    except OSError as error:
        said = str(error)
    wheels = sorted(folder.glob("*.whl"))
    if not wheels:
        raise SesaHandError(
            f"pip could not get {PACKAGE}. On another machine, download {WHEEL_NAME} from "
            f"https://pypi.org/project/mediapipe/0.10.21/#files and give it here with --wheel. pip said: {said}"
        )
    return wheels[0]


def read_members(wheel: Path) -> dict[str, bytes]:
    """Return the files of a wheel that are wanted, by the names that they get.

    Raises:
        InvalidFileError: If it is no wheel of `PACKAGE`: files are missing, damaged, or not the ones that are known.
    """
    import zipfile
    import zlib

    from ..errors import InvalidFileError
    from ..reconstruct.detection.detector_files import LANDMARK_FILE, LICENSE_FILE, LIGHT_PALM_FILE, PALM_FILE, SHA256

    members = {
        PALM_FILE: f"mediapipe/modules/palm_detection/{PALM_FILE}",
        LANDMARK_FILE: f"mediapipe/modules/hand_landmark/{LANDMARK_FILE}",
        LIGHT_PALM_FILE: f"mediapipe/modules/palm_detection/{LIGHT_PALM_FILE}",
        LICENSE_FILE: "mediapipe-0.10.21.dist-info/LICENSE",
    }
    contents = {}
    try:
        with zipfile.ZipFile(wheel) as archive:
            for name, member in members.items():
                with archive.open(member) as stream:
                    contents[name] = stream.read(LARGEST_MEMBER)
    except (OSError, KeyError, ValueError, EOFError, RuntimeError, NotImplementedError, zlib.error) as error:
        raise InvalidFileError(f"{wheel} is not the wheel {WHEEL_NAME}: {error!s:.200}. Download it again.") from error
    except zipfile.BadZipFile as error:
        raise InvalidFileError(f"{wheel} is not a whole wheel: {error!s:.200}. Download it again.") from error
    for name, content in contents.items():
        if _digest(content) != SHA256[name]:
            raise InvalidFileError(
                f"{members[name]} in {wheel} is not the file that was expected: its SHA-256 is {_digest(content)}, "
                f"that of {PACKAGE} is {SHA256[name]}. Take {WHEEL_NAME}."
            )
    return contents


def install(contents: dict[str, bytes], folder: Path) -> None:
    """Write files into a folder, each whole or not at all.

    Raises:
        SesaHandError: If it cannot be made or written to.
    """
    from ..errors import SesaHandError
    from ..files.writing import write_bytes

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise SesaHandError(
            f"The folder {str(folder)!r} cannot be made ({error}). Choose another with --to."
        ) from error
    for name, content in contents.items():
        write_bytes(folder / name, content)


def _digest(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()
