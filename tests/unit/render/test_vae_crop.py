"""A picture of any size goes through a VAE and is still the picture that the hands were placed in."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sesahand.data.record import PairFacts
from sesahand.data.writer import PairWriter
from sesahand.errors import SesaHandError
from sesahand.hands.loading import load_hand_model
from sesahand.reconstruct.scoring.score import score_hands
from sesahand.render.maps import render_maps
from sesahand.render.overlay import draw_hands
from sesahand.scene.camera import Camera
from sesahand.scene.placing import Hand, place_in_box

MODEL = load_hand_model("builtin")


def vae_crop(pictures: torch.Tensor, block: int) -> torch.Tensor:
    """Cut pictures `[B, H, W, C]` as ComfyUI cuts them for a VAE: whole blocks out of the middle, rounded down."""
    for dimension in (1, 2):
        size = pictures.shape[dimension]
        pictures = pictures.narrow(dimension, size % block // 2, size // block * block)
    return pictures


def placed(width: int, height: int):
    box = (0.2 * width, 0.2 * height, 0.8 * width, 0.8 * height)
    return place_in_box(Hand(MODEL), Camera.from_fov(width, height), box)


@pytest.mark.parametrize("block", [8, 16, 32])
@pytest.mark.parametrize("size", [(150, 101), (101, 150), (127, 95)])
def test_hands_are_where_the_vae_left_them(size, block):
    scene = placed(*size)
    wanted = vae_crop(render_maps(scene, ("mesh",)).mesh, block)
    found = render_maps(scene.resized(wanted.shape[2], wanted.shape[1]), ("mesh",)).mesh
    assert wanted.shape == found.shape
    assert ((wanted - found).abs().amax(-1) > 0.05).float().mean() < 0.005


@settings(max_examples=300, deadline=None)
@given(st.integers(64, 2048), st.integers(64, 2048), st.sampled_from([8, 16, 32]), st.sampled_from([1, 2]))
def test_every_size_that_a_vae_makes_of_a_picture_is_understood(width, height, block, enlarged):
    cut = [side // block * block * enlarged for side in (width, height)]
    scene = placed(512, 512)
    camera = Camera.from_fov(width, height)
    scene = type(scene).empty(MODEL, camera)
    assert (scene.resized(*cut).camera.width, scene.resized(*cut).camera.height) == tuple(cut)


def test_score_draw_and_pair_take_what_the_vae_made(tmp_path):
    scene = placed(1024, 683)
    picture = vae_crop(torch.rand(1, 683, 1024, 3), 8)
    assert picture.shape[1:3] == (680, 1024)
    assert draw_hands(scene, picture).shape == picture.shape
    assert score_hands(scene, scene.resized(1024, 680)).mean == pytest.approx(1, abs=1e-3)
    with PairWriter(tmp_path / "set") as writer:
        writer.add(picture[0], scene, PairFacts())


@pytest.mark.parametrize("size", [(1024, 1024), (1024, 600), (680, 1024), (512, 300)])
def test_other_views_are_refused_and_it_is_said_what_to_do(size):
    scene = placed(1024, 683)
    with pytest.raises(SesaHandError, match="aspect ratios differ.*place the hands in the picture's size"):
        scene.resized(*size)
    with pytest.raises(SesaHandError, match="place the hands in the picture's size"):
        draw_hands(scene, torch.zeros(1, size[1], size[0], 3))
