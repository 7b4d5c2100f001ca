"""Square crops of hands, as HaMeR's and WiLoR's networks were trained to see them.

Blurring, resampling and the black border all act on rows and columns separately, so a crop is one matrix product a
side, whatever the size of the picture.

Source: `ViTDetDataset` of HaMeR and WiLoR, which blurs with scikit-image and resamples with `cv2.warpAffine`.
"""

import torch
from torch import Tensor

from ...errors import SesaHandError
from ..landmarks import HandLandmarks
from .prediction import CROP_SIZE

RESCALE = 2.0
ASPECT = (192, 256)
MEAN = (0.485, 0.456, 0.406)
STANDARD_DEVIATION = (0.229, 0.224, 0.225)
MIN_BLURRED_SHRINKING = 1.1
BLUR_REACH = 4.0


def crop_squares(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Return the square around each hand's box that a network sees.

    Args:
        boxes: x0, y0, x1, y1 `[N, 4]` in pixels.

    Returns:
        Centres `[N, 2]` and sides `[N]` in pixels: the box twice as large, then as tall as 256:192 asks.

    Raises:
        SesaHandError: If a box is empty or not finite.
    """
    extent = boxes[:, 2:] - boxes[:, :2]
    wrong = (~(torch.isfinite(boxes).all(1) & (extent > 0).all(1))).nonzero()[:, 0]
    if len(wrong):
        raise SesaHandError(
            f"The box of hand {int(wrong[0])} is {boxes[wrong[0]].tolist()}, expected x0 < x1 and y0 < y1 in pixels; "
            "leave that hand out, or give it a box."
        )
    width, height = (RESCALE * extent).unbind(1)
    return (boxes[:, 2:] + boxes[:, :2]) / 2, torch.maximum(height, width * ASPECT[1] / ASPECT[0])


def crop_hands(pictures: Tensor, landmarks: HandLandmarks, size: int = CROP_SIZE) -> Tensor:
    """Cut every hand out, left ones mirrored, normalised with ImageNet's mean and deviation.

    Args:
        pictures: `[F, H, W, 3]` in 0..1.
        landmarks: Boxes, sides and frames of N hands.
        size: S, width and height of the crops in pixels.

    Returns:
        `[N, 3, S, S]` in float32, on the pictures' device; what lies outside the picture is black.

    Raises:
        SesaHandError: If a box is empty, or the pictures hold NaN.
    """
    centres, sides = crop_squares(landmarks.box.double())
    crops = [
        crop_square(pictures[frame], centre, side, hand_side == "left", size)
        for frame, centre, side, hand_side in zip(
            landmarks.frame.tolist(), centres.tolist(), sides.tolist(), landmarks.side, strict=True
        )
    ]
    stacked = torch.stack(crops) if crops else pictures.new_zeros(0, 3, size, size, dtype=torch.float32)
    if not torch.isfinite(stacked).all():
        raise SesaHandError(
            "The pictures hold values that are not numbers (NaN or infinity); look at the node that made them. A VAE "
            "that overflows in half precision does this: start ComfyUI with --fp32-vae."
        )
    return normalise_crops(stacked)


def normalise_crops(crops: Tensor) -> Tensor:
    """Return crops `[N, 3, S, S]` in 0..1 with ImageNet's mean taken off, in its deviations, `[N, 3, S, S]`."""
    mean, deviation = (crops.new_tensor(values)[:, None, None] for values in (MEAN, STANDARD_DEVIATION))
    return (crops - mean) / deviation


def crop_square(
    picture: Tensor, centre: tuple[float, float], side: float, mirrored: bool, size: int = CROP_SIZE
) -> Tensor:
    """Cut one square out of a picture and return it as `[3, S, S]` in float32, not yet normalised.

    Args:
        picture: `[H, W, 3]`; values 0..1, clipped to that.
        centre: Of the square, in pixels; it comes to lie on the centre of the crop's pixel (S / 2, S / 2).
        side: Of the square, in pixels.
        mirrored: Whether left and right change places.
        size: S, pixels.
    """
    # The networks count whole numbers at pixel centres, where the library counts halves.
    rows, first_row = sampling_matrix(picture.shape[0], centre[1] - 0.5, side / size, size)
    columns, first_column = sampling_matrix(
        picture.shape[1], centre[0] - 0.5, (-side if mirrored else side) / size, size
    )
    region = picture[first_row : first_row + rows.shape[1], first_column : first_column + columns.shape[1]]
    region = region.float().clamp(0, 1).movedim(-1, 0)
    return rows.to(region) @ region @ columns.to(region).mT


def sampling_matrix(length: int, centre: float, step: float, size: int = CROP_SIZE) -> tuple[Tensor, int]:
    """Return how each of S samples is mixed from the pixels of a row.

    Args:
        length: Pixels of the row.
        centre: Place of sample S / 2, counted in pixels from the centre of the first one.
        step: From one sample to the next, in pixels; negative for a mirror image.
        size: S.

    Returns:
        Weights `[S, P]` in float64 for the P pixels from the second value on; P is at least 1. Samples outside
        the row have no weight; the blur against aliasing repeats the border's pixels.
    """
    places = centre + step * (torch.arange(size, dtype=torch.float64) - size // 2)
    below = places.floor()
    pixels = torch.stack([below, below + 1], 1).long()
    weights = torch.stack([below + 1 - places, places - below], 1)
    weights = weights * ((pixels >= 0) & (pixels < length))
    offsets, kernel = _blur(abs(step))
    pixels = (pixels.clamp(0, length - 1)[..., None] + offsets).clamp(0, length - 1).flatten(1)
    weights = (weights[..., None] * kernel).flatten(1)
    first, last = int(pixels.min()), int(pixels.max())
    matrix = torch.zeros(size, last - first + 1, dtype=torch.float64)
    return matrix.scatter_add_(1, pixels - first, weights), first


def _blur(step: float) -> tuple[Tensor, Tensor]:
    """Return offsets and weights of the Gaussian that goes before sampling at every `step`-th pixel."""
    shrinking = step / 2
    if shrinking <= MIN_BLURRED_SHRINKING:
        return torch.zeros(1, dtype=torch.long), torch.ones(1, dtype=torch.float64)
    deviation = (shrinking - 1) / 2
    reach = int(BLUR_REACH * deviation + 0.5)
    offsets = torch.arange(-reach, reach + 1)
    kernel = torch.exp(-0.5 * (offsets / deviation).double() ** 2)
    return offsets, kernel / kernel.sum()
