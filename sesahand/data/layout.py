"""What a set of image-mesh pairs looks like on the disk.

::

    SET/pairs.json              {"format": "sesahand-pairs", "version": 1}
    SET/index.jsonl             one record a line, see `record`; a sample exists once its line is whole
    SET/writer.lock             held while somebody writes
    SET/made_of.json            of a set that was merged, filtered, deduped or split: see `made_of`
    SET/00000/KEY.png           the picture (or KEY.jpg); 1000 samples a folder, in the order of the index
    SET/00000/KEY.mesh.png      a map, one file for each kind that was given, see `render.map_table`
    SET/00000/KEY.npz           the hands: see `hand_arrays`

No path stands in a file: all names follow from the key, the kind and the folder's number, so that a set from elsewhere
cannot point out of its folder. Keys are lower case, because some systems do not tell cases apart, and hold neither dots
nor dashes, because formats of others divide names there.
"""

import os
import re
from pathlib import Path

from ..errors import InvalidFileError, SesaHandError, quote
from ..files.folders import inside
from ..files.names import RESERVED
from ..files.reading import read_json
from ..files.writing import PARTIAL
from ..render.map_table import ALL_MAPS

FORMAT, VERSION = "sesahand-pairs", 1
HEADER, INDEX, LOCK, MADE_OF = "pairs.json", "index.jsonl", "writer.lock", "made_of.json"
SAMPLES_PER_FOLDER = 1000
PICTURE_SUFFIXES = ("png", "jpg")
MAX_HEADER_BYTES = 1 << 16

LONGEST_KEY = 64
KEY = re.compile(rf"[a-z0-9][a-z0-9_]{{0,{LONGEST_KEY - 1}}}")
SAMPLE_FILE = re.compile(rf"({KEY.pattern})(?:\.(?:{'|'.join(ALL_MAPS)})\.png|\.npz|\.png|\.jpg)")
FOLDER = re.compile(r"[0-9]{5,}")
UNFINISHED = re.compile(rf"\.[0-9a-f]{{32}}{re.escape(PARTIAL)}")
"""Names of files that a stopped writer left; nobody else's file is taken for one."""


def check_key(key: str) -> str:
    """Return the key if it can name a sample.

    Raises:
        SesaHandError: If it is not made of a-z, 0-9 and _, is longer than `LONGEST_KEY`, or is kept for a
            device by Windows.
    """
    if not isinstance(key, str) or not KEY.fullmatch(key) or key.upper() in RESERVED:
        raise SesaHandError(
            f"{quote(key)} cannot be the key of a pair: use a to z, 0 to 9 and _, at most {LONGEST_KEY} characters, "
            "such as 'fist_0001'."
        )
    return key


def numbered_key(number: int) -> str:
    """Return the key of a sample that has no name of its own."""
    return f"{number:08d}"


def folder_name(number: int) -> str:
    """Return the folder of the samples from `1000 * number` on."""
    return f"{number:05d}"


def sample_file(root: Path, folder: int, key: str, kind: str) -> Path:
    """Return the path of one file of a sample.

    Args:
        root: The set.
        folder: Number of the folder.
        key: The sample's.
        kind: "png" or "jpg" for the picture, "npz" for the hands, or the name of a map.
    """
    ending = f"{kind}.png" if kind in ALL_MAPS else kind
    return root / folder_name(folder) / f"{key}.{ending}"


def check_inside(path: Path, root: Path) -> Path:
    """Return the path if no link on its way leads out of the set.

    Args:
        path: A file of the set.
        root: The set's folder, with its own links followed.

    Raises:
        InvalidFileError: If one does.
    """
    real = os.path.realpath(path)
    if os.path.commonpath((real, root)) != str(root):
        raise InvalidFileError(f"{path} is a link that leads out of the set, to {real}; put the file itself there.")
    return path


def check_header(root: Path) -> None:
    """Raise an InvalidFileError unless the folder is a set of pairs that this version reads."""
    if not (root / HEADER).is_file():
        raise InvalidFileError(
            f"{root!s:.200} is not a set of image-mesh pairs: it holds no {HEADER}. Give the folder that the node Save "
            "Image-Mesh Pair (SesaHand) wrote."
        )
    label = str(root / HEADER)
    header = read_json(inside(root, HEADER), MAX_HEADER_BYTES, follow=False)
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise InvalidFileError(
            f"{label} does not say that its format is {FORMAT!r}. Give the folder that the node Save Image-Mesh Pair "
            "(SesaHand) wrote, or copy the file again."
        )
    if type(header.get("version")) is not int or header["version"] != VERSION:
        raise InvalidFileError(
            f"{label} has version {quote(header.get('version'))}; this SesaHand reads version {VERSION}. Update "
            "SesaHand."
        )
