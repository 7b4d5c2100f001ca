"""Pictures that users bring: the one place that opens them, found in folders and read.

Pillow guesses a file's format from its contents, not its name, and some of its readers run programs (EPS runs
Ghostscript). So only the formats listed here are tried, whatever a file is called, and its number of pixels is bounded
before one of them is decoded. What a decoder raises is an error of that picture.
"""

import io
import logging
import mmap
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import torch
from torch import Tensor

from ..errors import InvalidFileError, SesaHandError, printable
from .reading import open_regular
from .writing import write_whole

logger = logging.getLogger(__name__)

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif", ".heic", ".heif")
# Pillow's names of formats that hold pixels and nothing that runs. HEIF comes with a plugin, AVIF with newer Pillows.
FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "BMP", "GIF", "TIFF", "AVIF", "HEIF", "JPEG2000", "PPM")
# A picture of so many pixels takes one to two gigabytes while it is read.
MAX_PIXELS = 1 << 26
MAX_BYTES = 512 << 20
# Formats of which Pillow can tell the number of frames without walking through all of the file.
COUNTED = ("GIF", "PNG", "WEBP", "AVIF")
# A progressive JPEG of today's programs has about ten scans; with some bytes it can have thousands.
MOST_SCANS = 100
# In what is compressed, 0xff stands before zeros and restart marks alone.
MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
BEGINNING, END, SCAN = 0xD8, 0xD9, 0xDA
# Pillow's modes of 16-bit grey; older versions read such a PNG as "I".
DEEP_GREY = ("I;16", "I;16B", "I;16L", "I;16N", "I")
WITH_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")


@contextmanager
def open_picture(
    source: str | Path | bytes, label: str | None = None, formats: Sequence[str] = FORMATS, max_pixels: int = MAX_PIXELS
) -> Iterator:
    """Open a picture with Pillow, to be decoded inside the `with`.

    Args:
        source: A file, or the bytes of one.
        label: What to call it in errors; the path if None.
        formats: Pillow's names of the formats that are tried, out of `FORMATS`.
        max_pixels: Width times height that is allowed.

    Yields:
        The Pillow picture; nothing of it is decoded yet.

    Raises:
        InvalidFileError: If it is no such picture, has too many pixels, or anything goes wrong while it is decoded:
            decoders raise whatever they like over damaged files.
    """
    from PIL import Image, UnidentifiedImageError

    label = str(source if label is None else label) if not isinstance(source, bytes) else label or "The picture"
    Image.init()
    known = [name for name in formats if name in FORMATS and name in Image.OPEN]
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else open_regular(source) as file:
            if file.seek(0, os.SEEK_END) > MAX_BYTES:
                raise InvalidFileError(
                    f"{label:.200} is larger than {MAX_BYTES} bytes, which no picture is: choose a picture, or save it "
                    "smaller."
                )
            file.seek(0)
            with Image.open(file, formats=known) as picture:
                if not 0 < picture.width * picture.height <= max_pixels:
                    raise InvalidFileError(
                        f"{label:.200} has {picture.width}x{picture.height} pixels, more than the {max_pixels} that "
                        "are read; make it smaller."
                    )
                if picture.format in ("JPEG", "MPO"):
                    _check_scans(source if isinstance(source, bytes) else file, label)
                yield picture
    except SesaHandError:
        raise
    except UnidentifiedImageError as error:
        raise InvalidFileError(
            f"{label:.200} cannot be read as a picture: it is no picture, or none of {', '.join(known)}. Save it as "
            "PNG or JPEG."
        ) from error
    except Exception as error:
        reason = f"{error!s:.160}".rstrip(".") or type(error).__name__
        raise InvalidFileError(
            f"{label:.200} cannot be read as a picture: {reason}. Save it as PNG or JPEG."
        ) from error


def _check_scans(source: bytes | IO[bytes], label: str) -> None:
    """Refuse a JPEG of which a few bytes make the decoder draw the whole picture once more, again and again."""
    if isinstance(source, bytes):
        scans = _scans(source)
    else:
        with mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as data:
            scans = _scans(data)
    if scans > MOST_SCANS:
        raise InvalidFileError(
            f"{label:.200} is drawn in more than {MOST_SCANS} scans, and takes as long as so many pictures; save it "
            "again."
        )


def _scans(data: bytes | mmap.mmap) -> int:
    """How many scans the first picture of a JPEG file has; behind its end phones put films and further pictures."""
    at, found = 0, 0
    while found <= MOST_SCANS and (marker := MARKER.search(data, at)):
        code, at = marker[0][1], marker.end()
        if code == END:
            break
        found += code == SCAN
        if code != BEGINNING:
            at += max(2, int.from_bytes(data[at : at + 2], "big"))
    return found


def find_pictures(paths: Iterable[str | Path]) -> list[Path]:
    """Return files as they are and, in place of each folder, the pictures in it by name; no file twice.

    A folder without pictures, and a path that does not exist, stay as they are: reading them says what is wrong.

    Raises:
        InvalidFileError: If a folder cannot be read.
    """
    found = []
    for path in map(Path, paths):
        try:
            inside = sorted(file for file in path.iterdir() if is_picture(file)) if os.path.isdir(path) else []
        except OSError as error:
            raise InvalidFileError(
                f"The folder {path!s:.200} cannot be read ({error!s:.120}). Check that you may read it."
            ) from error
        found += inside or [path]
    return list(dict.fromkeys(found))


def is_picture(path: Path) -> bool:
    """Tell whether a file in a folder is a picture by its name; hidden ones are not meant."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and os.path.isfile(path)


def read_picture(path: str | Path) -> Tensor:
    """Read a picture, turned upright as its EXIF data say; of an animation the first frame, with a warning.

    The further pictures that phones put behind a photograph (MPO) are no animation and not worth a warning.

    Args:
        path: Of 8 or 16 bits or grey fractions of 0..1, grey, with a palette, in colour, in print colours (CMYK), with
            alpha or without.

    Returns:
        float32 `[1, H, W, C]` of 0..1; C is 4 if parts are transparent, else 3.

    Raises:
        InvalidFileError: If there is no such file, or it cannot be read as a picture.
    """
    from PIL import ImageOps

    if not os.path.lexists(path):
        raise InvalidFileError(f"There is no file {path!s:.200}. Check the path.")
    if os.path.isdir(path):
        raise InvalidFileError(f"{path} is a folder without pictures. Give a folder of PNG or JPEG files, or a file.")
    with open_picture(path) as picture:
        _warn_of_frames(picture, path)
        picture.load()
        ImageOps.exif_transpose(picture, in_place=True)
        levels = _levels(picture)
    return torch.from_numpy(levels)[None]


def _warn_of_frames(picture, path: str | Path) -> None:
    if picture.format == "MPO" or not getattr(picture, "is_animated", False):
        return
    frames = f"{picture.n_frames} frames" if picture.format in COUNTED else "several frames"
    logger.warning("%s has %s, and only the first is used. Save others as files.", printable(str(path)), frames)


def read_mask_levels(path: str | Path) -> np.ndarray:
    """Read a picture as grey, uint8 `[H, W]`.

    Raises:
        InvalidFileError: If it cannot be read as a picture.
    """
    with open_picture(path) as picture:
        return np.array(upright(picture).convert("L"))


def upright(picture):
    """Return an open Pillow picture turned as its EXIF data say, in 8 bits where it has more.

    Pillow itself cuts 16 bits off at 255 and fractions off at 0.

    Raises:
        ValueError: If it holds fractions beyond 0..1; inside `open_picture` that is an error of the picture.
    """
    from PIL import Image, ImageOps

    picture.load()
    ImageOps.exif_transpose(picture, in_place=True)
    if picture.mode not in (*DEEP_GREY, "F"):
        return picture
    return Image.fromarray((_levels(picture)[..., 0] * 255).round().astype(np.uint8))


def _levels(picture) -> np.ndarray:
    """Return a Pillow picture as float32 `[H, W, 3 or 4]` of 0..1."""
    if picture.mode in DEEP_GREY:
        grey = np.asarray(picture).astype(np.float32) / 65535
        return np.repeat(grey.clip(0, 1)[..., None], 3, 2)
    if picture.mode == "F":
        grey = np.asarray(picture, dtype=np.float32)
        if not (np.isfinite(grey).all() and grey.min() >= 0 and grey.max() <= 1):
            raise ValueError("its values are fractions, and not all of them from 0 to 1")
        return np.repeat(grey[..., None], 3, 2)
    transparent = picture.mode in WITH_ALPHA or "transparency" in picture.info
    levels = np.asarray(picture.convert("RGBA" if transparent else "RGB"))
    # Programs often write an alpha channel that hides nothing.
    levels = levels if levels[..., 3:].min(initial=255) < 255 else levels[..., :3]
    # In place: a copy more of a large picture is a gigabyte.
    fractions = levels.astype(np.float32)
    fractions /= 255
    return fractions


def save_picture(picture, path: str | Path) -> None:
    """Write a Pillow picture as a whole file or none, in the format of the name's ending.

    Raises:
        ValueError: If the ending is none of a picture's.
        OSError: If it cannot be written.
    """
    from PIL import Image

    Image.init()
    suffix = Path(path).suffix.lower()
    kind = Image.EXTENSION.get(suffix)
    if kind not in FORMATS:
        raise ValueError(f"{suffix or 'no ending'} is no ending of a picture that can be written; use .png or .jpg")
    stream = io.BytesIO()
    picture.save(stream, kind)
    write_whole(path, stream.getvalue())
