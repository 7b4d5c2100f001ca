"""Hands over pictures and on the turntable, against the maps and projections they have to agree with."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from sesahand.errors import SesaHandError
from sesahand.hands.gestures import gesture
from sesahand.hands.loading import load_hand_model
from sesahand.render.maps import render_maps
from sesahand.render.overlay import STYLES, draw_hands, draw_turntable, shrink_view, turn_scene
from sesahand.render.shading import SIDE_COLORS
from sesahand.scene.camera import Camera
from sesahand.scene.hand_scene import HandScene, combine, concatenate_frames
from sesahand.scene.holding import hold_object
from sesahand.scene.placing import Hand, place_in_box, place_pair

CAMERA = Camera.from_fov(160, 120)


@pytest.fixture(scope="module")
def pair():
    return place_pair(Hand(load_hand_model(), gesture("ok")), CAMERA, (10, 10, 150, 110))


@pytest.fixture(scope="module")
def picture():
    return torch.rand(1, 120, 160, 3, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("style", STYLES)
def test_opacity_zero_and_no_hands_leave_the_picture_as_it_is(pair, picture, style):
    assert torch.equal(draw_hands(pair, picture, style, 0.0), picture)
    assert torch.equal(draw_hands(HandScene.empty(pair.model, CAMERA), picture, style, 1.0), picture)


@pytest.mark.parametrize("opacity", [0.3, 1.0])
def test_the_mesh_covers_what_the_mask_covers_as_far_as_opacity_says(pair, picture, opacity):
    found = draw_hands(pair, picture, "mesh", opacity)
    cover = opacity * render_maps(pair, ("mesh",), antialias=True).mask[..., None]
    assert torch.equal(found[(cover == 0).expand_as(found)], picture[(cover == 0).expand_as(found)])
    # What is left of the picture under the hands: two pictures differ by as much as is seen through.
    other = draw_hands(pair, 1 - picture, "mesh", opacity)
    assert torch.allclose(found - other, (1 - cover) * (2 * picture - 1), atol=1e-6)
    assert found.min() >= 0 and found.max() <= 1


def test_each_side_has_its_colour_and_near_hands_hide_far_ones(pair):
    near = place_in_box(Hand(pair.model, gesture("fist")), CAMERA, (40, 20, 120, 100))
    far = replace(near, side=("left",), translation=near.translation * 2)
    for scene in (combine([near, far]), combine([far, near])):
        found = draw_hands(scene, opacity=1.0)
        index = render_maps(scene, ("mesh",)).hand_index[0]
        inner = torch.nn.functional.max_pool2d((index < 0).float()[None], 5, 1, 2)[0] == 0
        middle = found[0][inner & (index == scene.side.index("right"))]
        assert len(middle) > 200
        hue = middle / middle[:, :1]
        expected = torch.tensor(SIDE_COLORS["right"]) / SIDE_COLORS["right"][0]
        assert (hue.median(0).values - expected).abs().max() < 1e-3


def test_what_a_hand_holds_is_drawn_in_gray_and_seen_from_all_sides():
    bare = place_in_box(Hand(load_hand_model(), gesture("grasp_cylinder")), CAMERA, (40, 20, 120, 100))
    holding = hold_object(bare, "tool", 1.0, torch.tensor([True])).scene
    maps = render_maps(holding, ("mesh",), antialias=True)
    drawn = draw_hands(holding, torch.zeros(1, 120, 160, 3), opacity=1.0)[0]
    thing, skin = maps.object_mask[0] == 1, maps.mask[0] == 1
    assert thing.sum() > 100 and skin.sum() > 100
    assert (drawn[thing].amax(-1) - drawn[thing].amin(-1)).max() < 1e-6 and drawn[thing].max() > 0.4
    assert (drawn[skin][:, 0] - drawn[skin][:, 2]).min() > 0.05, "skin is orange"
    # Where both meet, nothing darker than either shows.
    seam = (maps.object_mask[0] + maps.mask[0] == 1) & ~thing & ~skin
    assert seam.any() and drawn[seam].amax(-1).min() >= drawn[thing | skin].amax(-1).min() - 1e-6
    for view in range(4):
        turned = render_maps(turn_scene(holding, 90 * view), ("mesh",))
        covered = turned.metric_depth[0] > 0
        edges = torch.cat([covered[0], covered[-1], covered[:, 0], covered[:, -1]])
        assert turned.object_mask.any() and not edges.any()


@pytest.mark.parametrize("style", ["mesh", "skeleton", "both"])
def test_every_frame_is_drawn_with_its_own_hands(pair, style):
    frames = concatenate_frames([HandScene.empty(pair.model, pair.camera), pair, pair.select([1])])
    drawn = draw_hands(frames, None, style, 1.0)
    assert len(drawn) == 3
    assert torch.allclose(drawn[1], draw_hands(pair, None, style, 1.0)[0], atol=1e-5)
    assert torch.allclose(drawn[2], draw_hands(pair.select([1]), None, style, 1.0)[0], atol=1e-5)
    assert not torch.equal(drawn[0], drawn[2])


def test_the_skeleton_lies_on_the_projected_keypoints(pair):
    big = pair.resized(640, 480)
    found = draw_hands(big, torch.zeros(1, 480, 640, 3), "skeleton", 1.0)[0]
    for x, y in big.camera.project(big.pose().keypoints).flatten(0, 1).tolist():
        red, green, blue = found[int(y), int(x)].tolist()
        assert blue > 0.9 and red < 0.1 and green < 0.1, "a joint's blue dot"
    assert 0.005 < float((found.amax(-1) > 0).float().mean()) < 0.1


def test_pictures_of_another_size_are_drawn_on_in_their_size(pair):
    small, large = draw_hands(pair, opacity=1.0), draw_hands(pair, torch.full((1, 240, 320, 3), 0.25), opacity=1.0)
    averaged = torch.nn.functional.avg_pool2d(large.movedim(3, 1), 2).movedim(1, 3)
    assert (small - averaged).abs().mean() < 0.01
    with pytest.raises(SesaHandError, match="proportions"):
        draw_hands(pair, torch.zeros(1, 120, 120, 3))


def test_one_picture_serves_all_frames_and_one_frame_all_pictures(pair, picture):
    film = concatenate_frames([pair, HandScene.empty(pair.model, CAMERA), pair.select([0])])
    found = draw_hands(film, picture)
    assert found.shape == (3, 120, 160, 3) and torch.equal(found[1], picture[0])
    assert torch.equal(found[0], draw_hands(pair, picture)[0])
    for style in STYLES:
        assert len(draw_hands(pair, picture.repeat(4, 1, 1, 1), style)) == 4
    with pytest.raises(SesaHandError, match="2 pictures for hands of 3 frames"):
        draw_hands(film, picture.repeat(2, 1, 1, 1))


def test_pictures_are_not_changed_and_grey_and_alpha_are_taken(pair, picture):
    before = picture.clone()
    draw_hands(pair, picture, "both")
    assert torch.equal(picture, before)
    assert torch.equal(draw_hands(pair, torch.cat([picture, picture[..., :1]], 3)), draw_hands(pair, picture))
    grey = picture[..., :1]
    assert torch.equal(draw_hands(pair, grey), draw_hands(pair, grey.expand(-1, -1, -1, 3)))
    assert draw_hands(pair, picture.half()).dtype == torch.float32


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.full((1, 120, 160, 3), float("nan")), "not numbers"),
        (torch.zeros(1, 120, 160, 3, dtype=torch.uint8), "floating point"),
        (torch.zeros(120, 160, 3), "Expected pictures"),
        (torch.zeros(1, 120, 160, 2), "Expected pictures"),
        (torch.zeros(0, 120, 160, 3), "with pixels"),
        (torch.zeros(1, 1, 20000, 3), "too large"),
        ("picture.png", "str"),
    ],
)  # fmt: skip
def test_what_is_no_picture_is_refused(pair, bad, message):
    with pytest.raises(SesaHandError, match=message):
        draw_hands(pair, bad)


def test_unknown_styles_opacities_and_numbers_of_views_are_refused(pair):
    with pytest.raises(SesaHandError, match="mesh, skeleton, both"):
        draw_hands(pair, style="wire")
    for opacity in (-0.1, 1.1, float("nan")):
        with pytest.raises(SesaHandError, match="0 to 1"):
            draw_hands(pair, opacity=opacity)
    for views in (0, 361):
        with pytest.raises(SesaHandError, match="360 views"):
            draw_turntable(pair, views)


def test_a_pixel_can_be_drawn_on(pair):
    scene = replace(pair, camera=Camera.from_fov(1, 1))
    assert draw_hands(scene, torch.zeros(1, 1, 1, 3), "both").shape == (1, 1, 1, 3)


def test_the_turntable_turns_the_hands_rigidly_about_the_vertical(pair):
    start = turn_scene(pair, 0).pose().vertices.double().flatten(0, 1)
    centre = (start.amin(0) + start.amax(0)) / 2
    for degrees in (40.0, 90.0, 200.0):
        turned = turn_scene(pair, degrees).pose().vertices.double().flatten(0, 1)
        angle = np.radians(degrees)
        turn = torch.tensor([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
        assert ((start - centre) @ turn.T + centre - turned).abs().max() < 1e-6
    quarter = turn_scene(pair, 90).pose().vertices.double()
    assert quarter[pair.side.index("left"), :, 2].mean() < quarter[pair.side.index("right"), :, 2].mean(), (
        "the left hand, on the right in the picture, has come nearer"
    )


@pytest.mark.parametrize("size", [(160, 120), (90, 160), (2000, 1000)])
def test_the_turntable_shows_all_of_the_hands_in_every_view(pair, size):
    scene = replace(pair, camera=Camera.from_fov(*size))
    for degrees in range(0, 360, 30):
        turned = turn_scene(scene, degrees)
        seen = turned.camera.project(turned.pose().vertices).flatten(0, 1)
        assert seen.min() > 0 and (seen.amax(0) < torch.tensor([turned.camera.width, turned.camera.height])).all()
    assert max(turned.camera.width, turned.camera.height) == min(1024, max(size))


def test_the_turntable_reports_each_view_and_takes_the_first_frame_with_hands(pair):
    done = []
    film = concatenate_frames([HandScene.empty(pair.model, CAMERA), pair, pair.select([0])])
    found = draw_turntable(film, 4, on_view=lambda *step: done.append(step))
    assert done == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert torch.equal(found, draw_turntable(pair, 4))
    assert found.shape == (4, 120, 160, 3) and (found[0] - found[2]).abs().max() > 0.1
    empty = draw_turntable(HandScene.empty(pair.model, CAMERA), 2)
    assert empty.shape == (2, 120, 160, 3) and float(empty.std()) == 0


def test_a_view_is_shrunk_by_a_whole_number_and_hands_stay_where_they_are(pair, picture):
    scene, small = shrink_view(pair, picture, 50)
    assert small.shape == (1, 30, 40, 3)
    scene, small = shrink_view(pair, picture, 23)
    assert small.shape == (1, 17, 22, 3), "a seventh, and what is left over is cut off"
    assert torch.allclose(small[0, 4, 7], picture[0, 28:35, 49:56].mean((0, 1)), atol=1e-6)
    points = pair.pose().keypoints
    assert torch.allclose(scene.camera.project(points) * 7, CAMERA.project(points), atol=1e-3)
    assert shrink_view(pair, picture, 160) == (pair, picture)
    line = HandScene.empty(pair.model, Camera.from_fov(300, 2))
    assert shrink_view(line, torch.rand(1, 2, 300, 3), 50)[1].shape == (1, 1, 150, 3)
