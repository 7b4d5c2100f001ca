"""Sizes in the proportions of other pictures, and hands seen in them."""

import math

import pytest
import torch
from pair_scenes import make_scene

from sesahand.errors import SesaHandError
from sesahand.generate.canvas import check_size, see_at, size_for


@pytest.mark.parametrize(("native", "multiple"), [(128, 32), (512, 64), (512, 8)])
def test_every_shape_up_to_five_to_one_has_a_size_that_cuts_off_less_than_a_tenth(native, multiple):
    for step in range(-32, 33):
        ratio = math.exp(step / 20)
        shape = round(1000 * math.sqrt(ratio)), round(1000 / math.sqrt(ratio))
        width, height = size_for(shape, native, multiple)
        check_size((width, height), multiple, "The model")
        scale = max(width / shape[0], height / shape[1])
        assert 1 - width * height / (scale**2 * shape[0] * shape[1]) < 0.1, (shape, width, height)
        assert 0.6 <= width * height / native**2 <= 2


def test_a_photograph_on_end_gets_its_own_proportions():
    assert size_for((1200, 1799), 128, 32) == (128, 192)
    assert size_for((128, 128), 128, 32) == (128, 128)


def test_hands_stand_where_they_stood_relative_to_the_middle():
    scene = make_scene(size=(120, 180))
    seen = see_at(scene, 64, 96)
    before, after = scene.pose().keypoints, seen.pose().keypoints
    expected = scene.camera.project(before) * (64 / 120)
    assert torch.allclose(seen.camera.project(after), expected, atol=1e-4)
    wide = see_at(scene, 66, 96)
    middle = torch.tensor([33.0, 48.0])
    around = scene.camera.project(before) - torch.tensor([60.0, 90.0])
    assert torch.allclose(wide.camera.project(wide.pose().keypoints), middle + around * (66 / 120), atol=1e-4)


def test_other_proportions_than_the_pictures_are_refused():
    with pytest.raises(SesaHandError, match="cut off at 96x64"):
        see_at(make_scene(size=(120, 180)), 96, 64)


@pytest.mark.parametrize("size", [(0, 32), (100, 128), (128, 8192)])
def test_a_size_that_the_model_cannot_make_is_refused_with_one_that_it_can(size):
    with pytest.raises(SesaHandError, match="choose"):
        check_size(size, 32, "The small model")
