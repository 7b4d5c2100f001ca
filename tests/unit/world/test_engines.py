"""Pictures in a game engine's style: the same hand, and nothing of the world around it."""

import numpy as np
import pytest

from sesahand.render.maps import render_maps
from sesahand.world.engines import ENGINES, SKINS
from sesahand.world.synthetic import SyntheticHands


@pytest.fixture(scope="module")
def sample():
    return SyntheticHands("train", 5, 64)[3]


def draw(engine, sample, seed=0):
    return ENGINES[engine](sample.scene, sample.condition, np.random.default_rng(seed))


@pytest.mark.parametrize("engine", ENGINES)
def test_hand_and_ground_are_where_the_mesh_says(engine, sample):
    """What depends on the ground alone is outside the hand; what depends on the skin alone is inside."""
    drawn = np.stack([draw(engine, sample, seed).astype(float) for seed in range(12)])
    mask = render_maps(sample.scene, ("mesh",), antialias=True).mask[0].numpy()
    inside, outside = drawn[:, mask > 0.99], drawn[:, mask == 0]
    assert 0.05 < (mask > 0.99).mean() < 0.6
    # Grounds differ in any colour; of skins, all have more red than blue.
    assert (inside[..., 0] >= inside[..., 2]).mean() > 0.97
    assert 0.2 < (outside[..., 0] >= outside[..., 2]).mean() < 0.8 and outside.std(0).mean() > 45


@pytest.mark.parametrize("engine", ENGINES)
def test_a_picture_is_its_seeds_alone(engine, sample):
    assert np.array_equal(draw(engine, sample), draw(engine, sample))
    assert not np.array_equal(draw(engine, sample), draw(engine, sample, 1))


def test_the_ground_is_of_one_colour_or_of_boxes(sample):
    mask = render_maps(sample.scene, ("mesh",), antialias=True).mask[0].numpy()
    assert len(np.unique(draw("flat", sample)[mask == 0], axis=0)) == 1
    assert len(np.unique(draw("lit", sample)[mask == 0], axis=0)) > 2


def test_light_comes_from_a_side(sample):
    """The flat hand is lit from the camera, the other one from a side that changes: its shading changes with it."""
    mask = render_maps(sample.scene, ("mesh",), antialias=True).mask[0].numpy() > 0.99

    def shading(engine, seed):
        gray = draw(engine, sample, seed)[mask].astype(float).mean(1)
        return (gray - gray.mean()) / gray.std()

    def agreement(engine):
        return np.mean([(shading(engine, seed) * shading(engine, seed + 1)).mean() for seed in range(0, 12, 2)])

    assert agreement("flat") > 0.98 and agreement("lit") < 0.9
    assert SKINS.min() >= 0 and SKINS.max() <= 1
