"""Crops of hands, against OpenCV's warping and scipy's blurring of the whole picture."""

import numpy as np
import pytest
import torch

from sesahand.errors import SesaHandError
from sesahand.reconstruct.landmarks import HandLandmarks
from sesahand.reconstruct.learned.hand_crops import MEAN, STANDARD_DEVIATION, crop_hands, crop_square, crop_squares


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Noise over a slope: any error of a fraction of a pixel shows."""
    random = np.random.default_rng(seed)
    slope = np.linspace(0, 0.5, width)[None, :, None] + np.linspace(0, 0.3, height)[:, None, None]
    return (slope + 0.2 * random.random((height, width, 3))).astype(np.float32)


def landmarks_of(boxes, sides, frames=None, size=(200, 150), num_frames=1) -> HandLandmarks:
    count = len(boxes)
    return HandLandmarks(
        size[0], size[1], num_frames, torch.tensor(frames or [0] * count), tuple(sides),
        torch.zeros(count, 21, 2), torch.zeros(count, 21, 3), torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        torch.full((count,), 0.75), torch.ones(count),
    )  # fmt: skip


def published_crop(source: np.ndarray, centre, side: float, mirrored: bool) -> np.ndarray:
    """What the published data loaders do, step by step on the whole picture."""
    import cv2
    from scipy.ndimage import gaussian_filter

    shrinking = side / 256 / 2
    if shrinking > 1.1:
        source = gaussian_filter(source, ((shrinking - 1) / 2,) * 2 + (0,), mode="nearest", truncate=4.0)
    x, y = centre[0] - 0.5, centre[1] - 0.5
    if mirrored:
        source, x = source[:, ::-1], source.shape[1] - x - 1
    scale = 256 / side
    matrix = np.array([[scale, 0, 128 - scale * x], [0, scale, 128 - scale * y]])
    return cv2.warpAffine(np.ascontiguousarray(source), matrix, (256, 256), flags=cv2.INTER_LINEAR)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(
    ("size", "centre", "side"),
    [
        ((150, 200), (90.3, 71.8), 100.0),
        ((150, 200), (10.0, 140.0), 256.0),
        ((700, 900), (455.5, 333.3), 480.0),
        ((700, 900), (820.0, 30.0), 1200.0),
        ((3, 1), (0.5, 1.5), 4.0),
    ],
    ids=["enlarged", "over the border", "shrunk, not blurred", "blurred, over the border", "one pixel wide"],
)
def test_crops_are_those_of_the_published_loaders(size, centre, side, mirrored):
    source = picture(*size)
    ours = crop_square(torch.from_numpy(source), centre, side, mirrored).movedim(0, -1).numpy()
    # OpenCV places its samples on a grid of a 32nd pixel; noise of 0.2 makes that some thousandths.
    difference = np.abs(ours - published_crop(source, centre, side, mirrored))
    assert difference.max() < 0.02 and difference.mean() < 2e-3


def test_sampling_is_bilinear_to_the_last_digit():
    from scipy.ndimage import map_coordinates

    source = picture(150, 200).astype(np.float64)
    ours = crop_square(torch.from_numpy(source), (60.2, 40.9), 180.0, mirrored=True).numpy()
    grid = 180 / 256 * (np.arange(256) - 128)
    rows, columns = np.meshgrid(40.4 + grid, 59.7 - grid, indexing="ij")
    for channel in range(3):
        theirs = map_coordinates(source[..., channel], [rows, columns], order=1, mode="grid-constant")
        assert np.abs(ours[channel] - theirs).max() < 1e-6


def test_squares_hold_the_box_twice_over_and_are_as_tall_as_the_networks_aspect_asks():
    centre, side = crop_squares(torch.tensor([[10.0, 20.0, 40.0, 30.0], [0.0, 0.0, 30.0, 90.0]]))
    assert centre.tolist() == [[25, 25], [15, 45]]
    assert side.tolist() == [80.0, 180.0]


def test_a_left_hand_is_the_mirror_image_of_a_right_hand():
    pictures = torch.from_numpy(picture(150, 200))[None]
    right = crop_hands(pictures.flip(2), landmarks_of([[200 - 90, 30, 200 - 20, 95]], ["right"]))
    left = crop_hands(pictures, landmarks_of([[20, 30, 90, 95]], ["left"]))
    assert torch.allclose(left, right, atol=1e-5)


def test_every_hand_comes_from_its_own_picture_and_is_normalised():
    pictures = torch.stack([torch.full((150, 200, 3), value) for value in (0.2, 0.8)])
    boxes = [[80, 60, 100, 80]] * 2
    crops = crop_hands(pictures, landmarks_of(boxes, ["right", "left"], frames=[1, 0], num_frames=2))
    for crop, value in zip(crops, (0.8, 0.2), strict=True):
        expected = (value - torch.tensor(MEAN)) / torch.tensor(STANDARD_DEVIATION)
        assert torch.allclose(crop[:, 128, 128], expected, atol=1e-5)


def test_no_hands_are_no_crops():
    assert crop_hands(torch.zeros(1, 150, 200, 3), landmarks_of([], [])).shape == (0, 3, 256, 256)


def test_a_huge_picture_is_not_copied():
    """16k wide: a row and a column of it are enough to stand for all."""
    wide = torch.zeros(1, 1, 3).expand(16384, 16384, 3)
    assert crop_square(wide, (8000.0, 8000.0), 500.0, mirrored=False).abs().max() == 0


@pytest.mark.parametrize("box", [[5, 5, 5, 9], [9, 5, 3, 9], [float("nan"), 0, 1, 1]])
def test_boxes_without_area_are_refused(box):
    with pytest.raises(SesaHandError, match="box of hand 0"):
        crop_squares(torch.tensor([box]))


def test_pictures_of_nan_are_refused():
    with pytest.raises(SesaHandError, match="not numbers"):
        crop_hands(torch.full((1, 150, 200, 3), float("nan")), landmarks_of([[20, 30, 90, 95]], ["right"]))
