"""Any image batch becomes pictures that a model takes, or an error that says why not."""

import numpy as np
import pytest
import torch

from sesahand.errors import SesaHandError
from sesahand.vlm.pictures import MIN_SIDE, to_pictures


def test_a_picture_of_usual_size_is_passed_on_pixel_by_pixel():
    images = torch.randint(0, 256, (2, 40, 60, 3), generator=torch.Generator().manual_seed(0))
    pictures = to_pictures(images / 255)
    for picture, image in zip(pictures, images, strict=True):
        assert picture.mode == "RGB" and np.array_equal(np.asarray(picture), image.numpy())


def test_alpha_is_laid_on_white():
    image = torch.zeros(1, 40, 40, 4)
    image[..., 0], image[:, :20, :, 3] = 1.0, 1.0
    pixels = np.asarray(to_pictures(image)[0])
    assert (pixels[0, 0] == [255, 0, 0]).all() and (pixels[-1, -1] == [255, 255, 255]).all()


def test_grey_becomes_three_equal_channels():
    pixels = np.asarray(to_pictures(torch.full((1, 40, 40, 1), 0.5))[0])
    assert pixels.shape == (40, 40, 3) and (pixels == 128).all()


def test_values_outside_the_range_are_clipped():
    image = torch.full((1, 40, 40, 3), -3.0)
    image[:, 20:] = 7.0
    pixels = np.asarray(to_pictures(image)[0])
    assert (pixels[:20] == 0).all() and (pixels[20:] == 255).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_taken(dtype):
    assert np.asarray(to_pictures(torch.ones(1, 40, 40, 3, dtype=dtype))[0]).min() == 255


def test_one_pixel_becomes_a_small_picture_of_its_colour():
    pixels = np.asarray(to_pictures(torch.tensor([0.2, 0.4, 0.6]).view(1, 1, 1, 3))[0])
    assert pixels.shape == (MIN_SIDE, MIN_SIDE, 3) and (pixels == [51, 102, 153]).all()


@pytest.mark.parametrize(("height", "width"), [(1, 16384), (16384, 3), (9000, 40)])
def test_long_strips_are_shrunk_and_filled_up(height, width):
    picture = to_pictures(torch.rand(1, height, width, 3), max_side=512)[0]
    assert max(picture.size) == 512 and min(picture.size) == MIN_SIDE
    assert min(to_pictures(torch.rand(1, height, width, 3), max_side=1600)[0].size) == 100


def test_shrinking_keeps_proportions_and_the_mean():
    image = torch.linspace(0, 1, 1600).view(1, 1, 1600, 1).expand(1, 1200, 1600, 3)
    picture = to_pictures(image, max_side=400)[0]
    assert picture.size == (400, 300)
    assert abs(np.asarray(picture).mean() / 255 - 0.5) < 0.01


def test_a_16k_picture_is_shrunk_within_bounded_memory():
    """The batch is a view of one pixel, so that only the copies made on the way count."""
    image = torch.full((1, 1, 1, 3), 0.25).expand(1, 16384, 4096, 3)
    picture = to_pictures(image, max_side=256)[0]
    assert picture.size == (64, 256) and np.asarray(picture).min() == np.asarray(picture).max() == 64


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_numbers_are_refused_by_position(bad):
    images = torch.zeros(3, 40, 40, 3)
    images[1, 39, 39, 2] = bad
    with pytest.raises(SesaHandError, match="Image 2 of the batch.*not numbers"):
        to_pictures(images)


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(40, 40, 3),
        torch.zeros(1, 3, 40, 40),
        torch.zeros(1, 40, 40, 2),
        torch.zeros(1, 0, 40, 3),
        torch.zeros(1, 40, 40, 3, dtype=torch.uint8),
        np.zeros((1, 40, 40, 3), np.float32),
        None,
    ],
)
def test_what_is_no_image_batch_is_refused(images):
    with pytest.raises(SesaHandError):
        to_pictures(images)


def test_an_empty_batch_gives_no_pictures():
    assert to_pictures(torch.zeros(0, 40, 40, 3)) == []


def test_a_bound_below_what_models_take_is_refused():
    with pytest.raises(SesaHandError, match="32 pixels or more"):
        to_pictures(torch.zeros(1, 40, 40, 3), max_side=8)
