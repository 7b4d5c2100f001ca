"""Scoring pictures that were made of hands that are known: what is asked for is looked for where it was asked."""

from dataclasses import replace

import pytest
import torch

from sesahand.errors import SesaHandError
from sesahand.hands.gestures import find_gesture
from sesahand.hands.loading import load_hand_model
from sesahand.reconstruct.landmarks import HandLandmarks
from sesahand.reconstruct.scoring.picture_scorer import SURE_OF_SIDE, PictureScorer, with_asked_sides
from sesahand.render.maps import render_maps
from sesahand.scene.camera import Camera
from sesahand.scene.placing import Hand, place_in_box

WALL = torch.tensor([0.80, 0.66, 0.60])


@pytest.fixture(scope="module")
def scorer(detector_folder) -> PictureScorer:
    return PictureScorer(detector_folder)


def scene_of(gesture: str):
    posed = find_gesture(gesture)
    hand = Hand(load_hand_model("builtin"), posed.hand_pose).turned(*posed.view)
    return place_in_box(hand, Camera.from_fov(128, 128, 40.0), (20, 20, 108, 108))


def painted(scene, contrast: float) -> torch.Tensor:
    """A picture `[128, 128, 3]` of a hand whose colour differs from its wall's by a part of what skin does."""
    maps = render_maps(scene, ("mesh", "mask"), antialias=True, forearm=True)
    hand = maps.mesh[0] * torch.tensor([0.88, 0.68, 0.58])
    return torch.lerp(WALL.expand_as(hand), hand, contrast * maps.mask[0, ..., None])


def test_a_pale_hand_before_a_pale_wall_is_found_where_it_was_asked_for(scorer):
    picture = painted(scene_of("open_palm"), 0.25)
    large = torch.nn.functional.interpolate(picture.movedim(-1, 0)[None], scale_factor=3, mode="bicubic")
    assert not len(scorer.detector(large.movedim(1, -1).clamp(0, 1), threshold=0.2, quick=True)), "a hand hard to see"
    assert scorer(picture, scene_of("open_palm")).score > 0.5
    assert scorer(picture, scene_of("fist")).score < 0.3, "what was asked for is not read into the picture"


def test_pictures_that_are_scored_together_score_as_each_alone(scorer):
    scenes = [scene_of(name) for name in ("open_palm", "fist", "victory")]
    model = scenes[0].model
    scenes = [replace(scene, model=model) for scene in scenes]
    pictures = [painted(scenes[0], 1.0), WALL.expand(128, 128, 3), painted(scenes[2], 1.0)]
    together = scorer.score_all(pictures, scenes)
    for picture, scene, found in zip(pictures, scenes, together, strict=True):
        alone = scorer(picture, scene)
        assert found.score == pytest.approx(alone.score, abs=1e-3) and found.found.side == alone.found.side
        assert found.found.num_frames == 1 and found.found.camera == alone.found.camera
        assert torch.allclose(found.found.translation, alone.found.translation, atol=1e-3)
    assert together[0].score > 0.5 and together[1].score == 0
    assert 0 < together[0].doubt < 0.14 and together[1].doubt is None
    with pytest.raises(SesaHandError, match="several cameras"):
        scorer.score_all(pictures[:2], [scenes[0], scenes[1].resized(256, 256)])


def test_a_wall_without_a_hand_has_none_where_one_was_asked_for(scorer):
    assert scorer(WALL.expand(128, 128, 3), scene_of("open_palm")).score == 0


def test_a_doubtful_side_is_the_one_that_was_asked_for_and_a_sure_one_stays():
    points = torch.rand(2, 21, 2) * 20 + torch.tensor([[[10.0, 10.0]], [[80.0, 10.0]]])
    depth = torch.randn(2, 21, 3)
    found = replace(
        HandLandmarks.empty(128, 128),
        side=("left", "left"),
        frame=torch.zeros(2, dtype=torch.long),
        keypoints_2d=points,
        keypoints_3d=depth,
        box=torch.zeros(2, 4),
        score=torch.ones(2),
        side_score=torch.tensor([SURE_OF_SIDE - 0.01, SURE_OF_SIDE + 0.01]),
        spread=None,
        second_2d=None,
        second_3d=None,
    )
    settled = with_asked_sides(found, ("right", "right"), points)
    assert settled.side == ("right", "left")
    assert torch.equal(settled.keypoints_3d[0, :, 2], -depth[0, :, 2])
    assert torch.equal(settled.keypoints_3d[0, :, :2], depth[0, :, :2])
    assert torch.equal(settled.keypoints_3d[1], depth[1])
