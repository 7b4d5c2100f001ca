"""Image batches as the pictures a vision-language model takes."""

import torch

from ..errors import SesaHandError

MIN_SIDE = 32
"""Pixels; below about 28 the patch grids of common models are empty."""

MAX_ASPECT = 16
"""Longer side over shorter; beyond it some processors leave no patch of the shorter side."""

BAND_ROWS = 512
"""Rows of a large image that are worked on at once."""


def to_pictures(images: torch.Tensor, max_side: int = 1024) -> list:
    """Turn an image batch into RGB pictures of a size that any model takes.

    Alpha is composited on white; larger images are shrunk with their proportions kept; a side below MIN_SIDE, or
    one that is shorter than MAX_ASPECT allows, is filled up by repeating the border.

    Args:
        images: `[B, H, W, C]` floating point in 0..1 (values outside are clipped), C one of 1, 3, 4.
        max_side: Longer side in pixels after shrinking, at least MIN_SIDE.

    Returns:
        B PIL images in RGB.

    Raises:
        SesaHandError: Not such a batch, or values that are not numbers.
    """
    if not isinstance(images, torch.Tensor) or images.ndim != 4 or images.shape[-1] not in (1, 3, 4):
        shape = list(images.shape) if isinstance(images, torch.Tensor) else type(images).__name__
        raise SesaHandError(f"Expected images of shape [B, H, W, 3] (or 1 or 4 channels) to describe, got {shape}.")
    if not images.is_floating_point():
        raise SesaHandError(f"Expected images as floating point in 0..1, got {images.dtype}; divide by 255.")
    if images.shape[1] == 0 or images.shape[2] == 0:
        raise SesaHandError(f"The images to describe have no pixels: shape {list(images.shape)}.")
    if max_side < MIN_SIDE:
        raise SesaHandError(f"The longer side must stay at {MIN_SIDE} pixels or more, got {max_side}.")
    return [_to_picture(image, index, max_side) for index, image in enumerate(images)]


def _to_picture(image: torch.Tensor, index: int, max_side: int):
    from PIL import Image

    # Large ones are averaged to about twice the size first, and in bands: one copy of a 16k image takes gigabytes.
    factor = max(1, max(image.shape[:2]) // (2 * max_side))
    reduced = torch.cat([_reduce(band, factor) for band in image.split(factor * max(1, BAND_ROWS // factor))])
    if not bool(torch.isfinite(reduced).all()):
        raise SesaHandError(
            f"Image {index + 1} of the batch holds values that are not numbers (NaN or infinity). A VAE that overflows "
            "in half precision does this: start ComfyUI with --fp32-vae, or look at the node that made the image."
        )
    picture = Image.fromarray((reduced.clamp(0, 1) * 255).round().to(torch.uint8).numpy())
    scale = max_side / max(picture.size)
    if scale < 1:
        width, height = (max(1, round(side * scale)) for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    return _fill_up(picture)


def _reduce(band: torch.Tensor, factor: int) -> torch.Tensor:
    """Average blocks of factor x factor pixels, those cut off by the border included; NaN and infinity stay visible."""
    band = band.detach().to("cpu", torch.float32)
    if band.shape[-1] == 4:
        alpha = band[..., 3:].clamp(0, 1)
        band = band[..., :3] * alpha + (1 - alpha)
    if factor > 1:
        blocks = torch.nn.functional.avg_pool2d(band.movedim(-1, 0), factor, ceil_mode=True, count_include_pad=False)
        band = blocks.movedim(0, -1)
    return band.expand(*band.shape[:2], 3)


def _fill_up(picture):
    from PIL import Image

    least = max(MIN_SIDE, max(picture.size) // MAX_ASPECT)
    width, height = (max(side, least) for side in picture.size)
    if (width, height) == picture.size:
        return picture
    left, top = (width - picture.width) // 2, (height - picture.height) // 2
    columns = torch.arange(width).sub(left).clamp(0, picture.width - 1)
    rows = torch.arange(height).sub(top).clamp(0, picture.height - 1)
    pixels = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8).view(picture.height, picture.width, 3)
    return Image.fromarray(pixels[rows][:, columns].numpy())
