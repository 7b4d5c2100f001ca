"""Pictures between 0 and 1 as the bytes of PNG and JPEG files, and back from files that nobody vouches for."""

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..errors import InvalidFileError, SesaHandError
from ..files.pictures import open_picture
from ..files.reading import read_bytes
from .record import MAX_PIXELS

# Pixels of a photograph hardly get smaller above this, but take twice the time.
PNG_LEVEL = 1
JPEG_QUALITY = 95
MAX_PICTURE_BYTES = 512 << 20


def to_levels(picture: Tensor, what: str) -> np.ndarray:
    """Return a picture as uint8 `[H, W, 3]`, or a mask as uint8 `[H, W]`.

    Args:
        picture: `[H, W, C]` floating point in 0..1 (values outside are clipped), C one of 1, 3, 4, or `[H, W]`. Alpha
            is composited on white; grey stays `[H, W]` only where it has no channel axis.
        what: What to call it in errors.

    Raises:
        SesaHandError: If it is not such a picture, has no pixels or too many, or values that are not numbers.
    """
    if not isinstance(picture, Tensor) or picture.ndim not in (2, 3) or picture.shape[2:] not in ((), (1,), (3,), (4,)):
        shape = list(picture.shape) if isinstance(picture, Tensor) else type(picture).__name__
        raise SesaHandError(f"{what} has the shape {shape}, expected height, width and 1, 3 or 4 channels.")
    if not picture.is_floating_point():
        raise SesaHandError(f"{what} holds {picture.dtype}, expected floating point in 0..1; divide by 255.")
    if not 0 < picture.shape[0] * picture.shape[1] <= MAX_PIXELS:
        raise SesaHandError(
            f"{what} has {picture.shape[1]}x{picture.shape[0]} pixels, expected at least one and at most {MAX_PIXELS}."
        )
    picture = picture.detach().to("cpu", torch.float32)
    if not bool(torch.isfinite(picture).all()):
        raise SesaHandError(
            f"{what} holds values that are not numbers (NaN or infinity). A VAE that overflows in half precision does "
            "this: start ComfyUI with --fp32-vae, or look at the node that made the picture."
        )
    if picture.shape[2:] == (4,):
        alpha = picture[..., 3:].clamp(0, 1)
        picture = picture[..., :3] * alpha + (1 - alpha)
    if picture.shape[2:] == (1,):
        picture = picture.expand(*picture.shape[:2], 3)
    return (picture.clamp(0, 1) * 255).round().to(torch.uint8).numpy()


def encode(levels: np.ndarray, suffix: str) -> bytes:
    """Return uint8 `[H, W, 3]` or `[H, W]` as the bytes of a "png" or "jpg" file, without any metadata."""
    buffer = io.BytesIO()
    if suffix == "png":
        Image.fromarray(levels).save(buffer, "PNG", compress_level=PNG_LEVEL)
    else:
        Image.fromarray(levels).save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()


def read_levels(path: Path, width: int, height: int) -> np.ndarray:
    """Read a picture as uint8 `[H, W, 3]`, or a grey one as `[H, W]`, in the size it must have.

    Raises:
        InvalidFileError: If it is missing, damaged, no PNG or JPEG, or of another size.
    """
    with open_picture(read_bytes(path, MAX_PICTURE_BYTES), str(path), ("PNG", "JPEG")) as picture:
        if picture.size != (width, height):
            raise InvalidFileError(
                f"{path} has {picture.width}x{picture.height} pixels, but the index says {width}x{height}; copy the "
                "set again."
            )
        return np.array(picture if picture.mode == "L" else picture.convert("RGB"))


def to_channels(levels: np.ndarray) -> Tensor:
    """Return uint8 `[H, W, 3]` or `[H, W]` as float32 `[3, H, W]` or `[1, H, W]` in 0..1."""
    picture = torch.from_numpy(levels).float() / 255
    return picture[None] if picture.ndim == 2 else picture.movedim(-1, 0).contiguous()
