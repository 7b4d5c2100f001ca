"""Pictures that users bring: photographs and drawings of any kind that Pillow opens, found in folders and read."""

import logging
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .errors import InvalidFileError

logger = logging.getLogger(__name__)

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif", ".heic", ".heif")
# Pillow's modes of 16-bit grey; older versions read such a PNG as "I".
DEEP_GREY = ("I;16", "I;16B", "I;16L", "I;16N", "I")
WITH_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")


def find_pictures(paths: Iterable[str | Path]) -> list[Path]:
    """Return files as they are and, in place of each folder, the pictures in it by name; no file twice.

    A folder without pictures, and a path that does not exist, stay as they are: reading them says what is wrong.
    """
    found = []
    for path in map(Path, paths):
        inside = sorted(file for file in path.iterdir() if is_picture(file)) if os.path.isdir(path) else []
        found += inside or [path]
    return list(dict.fromkeys(found))


def is_picture(path: Path) -> bool:
    """Tell whether a file in a folder is a picture by its name; hidden ones are not meant."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and os.path.isfile(path)


def read_picture(path: str | Path) -> Tensor:
    """Read a picture, turned upright as its EXIF data say; of an animation the first frame, with a warning.

    Args:
        path: Of 8 or 16 bits or grey fractions of 0..1, grey, with a palette, in colour, in print colours (CMYK), with
            alpha or without.

    Returns:
        float32 `[1, H, W, C]` of 0..1; C is 4 if parts are transparent, else 3.

    Raises:
        InvalidFileError: If there is no such file, or it cannot be read as a picture.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    if not os.path.lexists(path):
        raise InvalidFileError(f"There is no file {path!s:.200}.")
    if os.path.isdir(path):
        raise InvalidFileError(f"{path} is a folder without pictures. Give a folder of PNG or JPEG files, or a file.")
    try:
        with Image.open(path) as picture:
            if (frames := getattr(picture, "n_frames", 1)) > 1:
                logger.warning("%s has %d frames, and only the first is used. Save others as files.", path, frames)
            levels = _levels(ImageOps.exif_transpose(picture))
    except (OSError, ValueError, SyntaxError, OverflowError, MemoryError, Image.DecompressionBombError) as error:
        reason = "it is no picture" if isinstance(error, UnidentifiedImageError) else f"{error!s:.160}"
        raise InvalidFileError(
            f"{path!s:.200} cannot be read as a picture: {reason.rstrip('.')}. Save it as PNG or JPEG."
        ) from error
    return torch.from_numpy(levels)[None]


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
    return levels.astype(np.float32) / 255
