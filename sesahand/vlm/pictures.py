"""Image batches as the pictures a vision-language model takes."""

import torch

from ..errors import SesaHandError

MIN_SIDE = 32
"""Pixels; below about 28 the patch grids of common models are empty."""


def to_pictures(images: torch.Tensor, max_side: int = 1024) -> list:
    """Turn an image batch into RGB pictures of a size that any model takes.

    Alpha is composited on white; larger images are shrunk with their proportions kept; a side below MIN_SIDE is filled
    up by repeating the border, so that a strip of one pixel stays a strip.

    Args:
        images: [B, H, W, C] floating point in 0..1 (values outside are clipped), C one of 1, 3, 4.
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

    if not all(bool(torch.isfinite(row).all()) for row in image.split(1024)):
        raise SesaHandError(
            f"Image {index + 1} of the batch holds values that are not numbers (NaN or infinity). A VAE that overflows "
            "in half precision does this: start ComfyUI with --fp32-vae, or look at the node that made the image."
        )
    # In bands, because one copy of a 16k image in floating point takes gigabytes.
    bands = [_to_bytes(band) for band in image.split(1024)]
    picture = Image.fromarray(torch.cat(bands).numpy(), "RGB")
    scale = max_side / max(picture.size)
    if scale < 1:
        size = tuple(max(1, round(side * scale)) for side in picture.size)
        picture = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return _fill_up(picture)


def _to_bytes(band: torch.Tensor) -> torch.Tensor:
    band = band.detach().to("cpu", torch.float32).clamp(0, 1)
    if band.shape[-1] == 4:
        band = band[..., :3] * band[..., 3:] + (1 - band[..., 3:])
    return (band.expand(*band.shape[:2], 3) * 255).round().to(torch.uint8)


def _fill_up(picture):
    from PIL import Image

    width, height = (max(side, MIN_SIDE) for side in picture.size)
    if (width, height) == picture.size:
        return picture
    left, top = (width - picture.width) // 2, (height - picture.height) // 2
    columns = torch.arange(width).sub(left).clamp(0, picture.width - 1)
    rows = torch.arange(height).sub(top).clamp(0, picture.height - 1)
    pixels = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8).view(picture.height, picture.width, 3)
    return Image.fromarray(pixels[rows][:, columns].numpy(), "RGB")
