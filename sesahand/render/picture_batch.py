"""Join pictures into one batch, with what to do about those of another size."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from ..callbacks import Progress
from ..errors import SesaHandError, quote
from .room import check_pixels, check_shape

# What becomes of a picture whose size is not the first one's.
FITS = ("crop", "pad", "refuse")


def batch_pictures(
    pictures: Sequence[Tensor], fit: str = "crop", on_picture: Progress = lambda done, total: None
) -> Tensor:
    """Join pictures in their order, at the size of the first.

    Args:
        pictures: One or more batches `[B, H, W, C]` of 0..1 with 3 or 4 channels. Batches of the first one's size pass
            through to the last bit. If only some have an alpha channel, the others get an opaque one.
        fit: What becomes of another size: `crop` fills the first one's and cuts off what stands out, in equal parts on
            both sides; `pad` shows all of the picture on black; `refuse` raises. Proportions are kept in each.
        on_picture: Called after each batch with how many are done and how many there are.

    Returns:
        `[sum of B, H, W, C]`, a new tensor.

    Raises:
        SesaHandError: If there is no picture, one is no picture, a size is refused, they are more than memory should
            hold, or `fit` is unknown.
    """
    if fit not in FITS:
        raise SesaHandError(f"fit is {quote(fit)}, expected one of: {', '.join(FITS)}.")
    if not pictures:
        raise SesaHandError("There is no picture to batch; connect at least one.")
    for number, picture in enumerate(pictures, start=1):
        if picture.ndim != 4 or not picture.numel() or picture.shape[-1] not in (3, 4):
            raise SesaHandError(f"Picture {number} has the shape {list(picture.shape)}, expected [pictures, H, W, 3].")
    height, width = pictures[0].shape[1:3]
    if fit == "refuse":
        for number, picture in enumerate(pictures, start=1):
            if picture.shape[1:3] != (height, width):
                raise SesaHandError(
                    f"Picture {number} has {picture.shape[2]}x{picture.shape[1]} pixels and the first one "
                    f"{width}x{height}. Scale it before, or let fit crop or pad it."
                )
    channels = max(picture.shape[-1] for picture in pictures)
    # Batches of batches would otherwise double at each step.
    count = sum(len(picture) for picture in pictures)
    check_pixels(count, width, height, 4 * channels, "batch fewer, or smaller ones")
    joined = []
    for picture in pictures:
        fitted = fit_picture(picture, height, width, fit == "crop")
        missing = channels - fitted.shape[-1]
        joined.append(pad(fitted, (0, missing), value=1.0).to(pictures[0]))
        on_picture(len(joined), len(pictures))
    return torch.cat(joined)


def fit_picture(picture: Tensor, height: int, width: int, crop: bool) -> Tensor:
    """Return pictures at another size in their proportions: cut off where they stand out, or on black.

    Args:
        picture: `[B, H, W, C]` in 0..1.
        height: Pixels.
        width: Pixels.
        crop: Whether to cut off; else there is black around them.

    Returns:
        `[B, height, width, C]` in 0..1.

    Raises:
        SesaHandError: If that takes more memory than it should, for example of a very thin picture.
    """
    high, wide = picture.shape[1:3]
    if (high, wide) == (height, width):
        return picture
    factor = (max if crop else min)(height / high, width / wide)
    size = max(1, round(high * factor)), max(1, round(wide * factor))
    check_shape(
        size[1], size[0], width * height, f"A picture of {wide}x{high} pixels cannot fill one of {width}x{height}"
    )
    check_pixels(len(picture), size[1], size[0], 8 * picture.shape[-1])
    scaled = interpolate(picture.float().movedim(-1, 1), size, mode="bicubic", antialias=True).clamp(0, 1)
    # Negative padding cuts off.
    above, left = (height - size[0]) // 2, (width - size[1]) // 2
    margins = left, width - size[1] - left, above, height - size[0] - above
    return pad(scaled, margins).movedim(1, -1).contiguous()
