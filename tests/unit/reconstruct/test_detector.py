"""Hands found in pictures: which, where, whose side, and what happens with pictures that are none."""

import math

import numpy as np
import pytest
import torch
from detector_files import real_picture
from PIL import Image

from sesahand.errors import InvalidFileError, SesaHandError
from sesahand.hands.gestures import find_gesture
from sesahand.hands.loading import load_hand_model
from sesahand.metrics.joint_errors import pa_mpjpe
from sesahand.reconstruct.detection import palms
from sesahand.reconstruct.detection.crops import Picture, to_picture, to_square, upright_angle
from sesahand.reconstruct.detection.detector import HandDetector, load_detector, tiles_of
from sesahand.reconstruct.detection.detector_files import LANDMARK_FILE, LIGHT_PALM_FILE, PALM_FILE
from sesahand.reconstruct.detection.external import HandBox, boxes_of_masks
from sesahand.reconstruct.detection.landmark_pictures import draw_landmarks, mask_landmarks
from sesahand.reconstruct.fitting.fit import fit_hands
from sesahand.reconstruct.scoring.finger_states import read_fingers
from sesahand.reconstruct.second_reading import describe_second_readings
from sesahand.render.maps import render_maps
from sesahand.scene.camera import Camera
from sesahand.scene.hand_scene import combine
from sesahand.scene.placing import Hand, mirror_hand, place_in_box

SKIN, WALL = torch.tensor([0.88, 0.68, 0.58]), torch.tensor([0.35, 0.40, 0.45])

# What MediaPipe's own task runner, version 1.2.2, finds with these networks at 0.2.
PHOTOGRAPHS = {
    "hands_over_face": ["left", "right"],
    "open_palm": ["right"],
    "thumb_out": ["right"],
    "two_hands_crossed": ["left", "right"],
    "two_people_ok_sign": ["right", "right"],
    "victory": ["right"],
}


@pytest.fixture(scope="module")
def detector(detector_folder) -> HandDetector:
    return load_detector(detector_folder)


def photograph(name: str) -> torch.Tensor:
    """Return a photograph `[1, H, W, 3]`."""
    picture = Image.open(real_picture(f"photos/{name}.jpg")).convert("RGB")
    return torch.from_numpy(np.array(picture))[None].float() / 255


def scene_of(gesture: str, side: str, box=(140, 140, 372, 372), roll=0.0, pitch=0.0):
    """Return the scene of one hand of the built-in model before a camera."""
    posed = find_gesture(gesture)
    hand = Hand(load_hand_model("builtin"), posed.hand_pose).turned(*posed.view)
    hand = mirror_hand(hand) if side == "left" else hand
    return place_in_box(hand, Camera.from_fov(512, 512, 40.0), box, roll, pitch)


def painted(scene) -> torch.Tensor:
    """Return a picture of a scene `[1, H, W, 3]`, in the colour of skin before a wall."""
    maps = render_maps(scene, ("mesh", "mask"), antialias=True, forearm=True)
    return maps.mesh * SKIN + (1 - maps.mask[..., None]) * WALL


@pytest.fixture(scope="module")
def open_hand() -> torch.Tensor:
    return painted(scene_of("open_palm", "right"))


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_the_hands_of_photographs_are_found_with_their_sides(detector, name):
    found = detector(photograph(name), threshold=0.2)
    assert sorted(found.side) == PHOTOGRAPHS[name]
    assert (found.score >= 0.2).all() and (found.side_score >= 0.5).all()


def test_tiles_find_a_small_hand_more_and_no_face(detector):
    picture = photograph("two_people_ok_sign")
    found = detector(picture, threshold=0.2, thorough=True)
    assert len(found) >= 3
    lap = [box for box in found.box.tolist() if box[0] < 200 and box[1] > 450]
    assert len(lap) == 1, "the hand on the lap, at the lower left"
    face = torch.tensor([400.0, 100.0, 500.0, 270.0])
    centres = (found.box[:, :2] + found.box[:, 2:]) / 2
    assert not ((centres > face[:2]) & (centres < face[2:])).all(1).any()


def test_small_hands_are_looked_for_by_themselves_where_there_is_no_large_one(detector):
    small = painted(scene_of("open_palm", "right", (400, 60, 448, 108)))
    both = torch.where((small - WALL).abs().amax(-1, keepdim=True) > 0.02, small, painted(scene_of("fist", "left")))
    [[alone], pair, thorough] = detector(small).side, detector(both).side, detector(both, thorough=True).side
    assert alone == "right" and pair == ("left",) and sorted(thorough) == ["left", "right"]


def test_a_quick_look_takes_two_runs_of_one_palm_network_and_finds_large_hands_only(detector, open_hand):
    runs = []
    networks = detector.palm, detector.light_palm
    watched = [network.register_forward_hook(lambda *_: runs.append(1)) for network in networks]
    try:
        assert detector(open_hand, quick=True).side == ("right",) and len(runs) == 2
        small = painted(scene_of("open_palm", "right", (400, 60, 436, 96)))
        assert detector(small, quick=True).side == () and len(runs) == 4
        assert detector(small).side == ("right",) and len(runs) > 12
    finally:
        for hook in watched:
            hook.remove()


def test_a_larger_picture_shows_no_less(detector):
    picture = photograph("hands_over_face")
    large = torch.nn.functional.interpolate(picture.movedim(-1, 1), scale_factor=4, mode="bilinear").movedim(1, -1)
    assert max(large.shape) > 3000
    found, again = detector(picture), detector(large)
    assert sorted(found.side) == sorted(again.side) == ["left", "right"]
    assert (found.box - again.box / 4).abs().max() < 0.1 * float((found.box[0, 2:] - found.box[0, :2]).max())


def test_a_raised_finger_that_is_taken_for_bent_has_a_second_reading(detector):
    picture = photograph("victory")
    found = detector(picture)
    assert found.has_second.tolist() == [[False, False, True, False, False]]
    assert describe_second_readings(found) == ["middle may be straight"]
    first, second = (fit_hands(landmarks).scene for landmarks in (found, found.second_reading()))
    states = [read_fingers(scene, scene.pose().keypoints).state(0) for scene in (first, second)]
    assert states[0][1:3] == ("straight", "bent") and states[1][1:3] == ("straight", "straight")
    assert not detector(picture, quick=True).has_second.any(), "read once"


def test_without_the_light_network_it_works_and_says_what_is_missing(detector_folder, tmp_path, open_hand, caplog):
    for name in (PALM_FILE, LANDMARK_FILE):
        (tmp_path / name).write_bytes((detector_folder / name).read_bytes())
    assert load_detector(tmp_path)(open_hand).side == ("right",)
    assert LIGHT_PALM_FILE in caplog.text and "get-detector --to" in caplog.text


def test_hands_that_move_from_look_to_look_are_doubtful(detector, open_hand):
    steady = detector(open_hand)
    assert 0 < steady.doubt[0, 0] < 0.03
    around = HandBox(0, tuple(steady.box[0].tolist()))
    # Half of the fingers are painted over: what the networks say of them is a guess.
    hidden = open_hand.clone()
    x0, y0, x1, y1 = (int(edge) for edge in steady.box[0].tolist())
    hidden[:, y0 - 20 : (y0 + y1) // 2, (x0 + x1) // 2 : x1 + 20] = WALL
    guessed = detector(hidden, threshold=0.0, boxes=[around])
    assert guessed.doubt[0, 0] > 2 * steady.doubt[0, 0]
    assert guessed.spread.shape == (1, 21) and guessed.doubt.shape == (1, 6)


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize(("gesture", "roll"), [("open_palm", 0), ("point", 70), ("victory", -110), ("thumbs_up", 160)])
def test_rendered_hands_are_found_where_they_are(detector, gesture, roll, side):
    scene = scene_of(gesture, side, roll=roll)
    found = detector(painted(scene), threshold=0.2)
    assert found.side == (side,)
    posed = scene.pose().keypoints
    expected = scene.camera.project(posed)[0]
    size = float((expected.amax(0) - expected.amin(0)).max())
    # MediaPipe's wrist is another point than ours, and its joints lie a little elsewhere.
    errors = (found.keypoints_2d[0] - expected).norm(dim=-1)[1:]
    assert errors.mean() < 0.15 * size
    assert pa_mpjpe(found.keypoints_3d[:1], posed[:1]) < 25


def test_the_3d_landmarks_are_in_the_cameras_axes(detector):
    scene = scene_of("open_palm", "right", roll=50, pitch=-50)
    found = detector(painted(scene))
    flat = found.keypoints_3d[0, :, :2] - found.keypoints_3d[0, :, :2].mean(0)
    pixels = found.keypoints_2d[0] - found.keypoints_2d[0].mean(0)
    alignment = (flat * pixels).sum() / (flat.norm() * pixels.norm())
    assert alignment > 0.98, "x runs right and y down, as in the picture"
    posed = scene.pose().keypoints[0]
    depth = torch.stack([found.keypoints_3d[0, :, 2], posed[:, 2]])
    assert torch.corrcoef(depth)[0, 1] > 0.8, "z runs away from the camera"


def test_a_mirrored_picture_has_the_other_side(detector, open_hand):
    [right], [left] = detector(open_hand).side, detector(open_hand.flip(2)).side
    assert (right, left) == ("right", "left")


def test_batches_give_what_single_pictures_give_each_time(detector, open_hand):
    other = painted(scene_of("victory", "left"))
    alone = detector(open_hand)
    together = detector(torch.cat([other, torch.zeros_like(other), open_hand]))
    assert together.frame.tolist() == [0, 2] and together.side == ("left", "right")
    assert together.num_frames == 3
    assert torch.equal(together.keypoints_2d[1], alone.keypoints_2d[0])
    assert torch.equal(together.keypoints_3d[1], alone.keypoints_3d[0])


def test_max_hands_keeps_the_surest(detector):
    pair = combine(
        [scene_of("open_palm", "right", (20, 140, 240, 360)), scene_of("open_palm", "left", (272, 140, 492, 360))]
    )
    picture = painted(pair)
    both = detector(picture)
    assert sorted(both.side) == ["left", "right"]
    assert both.score[0] >= both.score[1]
    best = detector(picture, max_hands=1)
    assert best.side == both.side[:1] and torch.equal(best.keypoints_2d, both.keypoints_2d[:1])


def test_a_box_or_a_mask_takes_the_palm_networks_place(detector):
    scene = scene_of("open_palm", "right", roll=130)
    picture = painted(scene)
    found = detector(picture)
    size = float((found.box[0, 2:] - found.box[0, :2]).max())
    box = HandBox(0, tuple(found.box[0].tolist()))
    for boxes in ([box], boxes_of_masks(mask_landmarks(found), 512, 512, 1)):
        again = detector(picture, boxes=boxes)
        assert again.side == ("right",)
        assert (again.keypoints_2d - found.keypoints_2d).norm(dim=-1).mean() < 0.05 * size
    named = detector(picture, boxes=[HandBox(0, box.box, "left")])
    assert named.side == ("left",) and named.side_score.tolist() == [1.0]
    agreed = detector(picture, boxes=[HandBox(0, box.box, "right")])
    # The points of a right hand, reversed in depth, are those of a left one.
    assert torch.equal(named.keypoints_3d, agreed.keypoints_3d * torch.tensor([1.0, 1.0, -1.0]))
    assert len(detector(picture, boxes=[])) == 0
    whole = detector(picture, boxes=[HandBox(0, (0.0, 0.0, 512.0, 512.0))])
    assert whole.side == ("right",)
    assert (whole.keypoints_2d - found.keypoints_2d).norm(dim=-1).mean() < 0.05 * size
    with pytest.raises(SesaHandError, match="picture 5, but there are 1"):
        detector(picture, boxes=[HandBox(5, box.box)])


def test_grey_pictures_and_alpha_are_taken(detector, open_hand):
    size = open_hand.shape[:3]
    assert detector(open_hand.mean(-1, keepdim=True)).side == ("right",)
    opaque, clear = (torch.cat([open_hand, torch.full((*size, 1), alpha)], -1) for alpha in (1.0, 0.0))
    assert torch.equal(detector(opaque).keypoints_2d, detector(open_hand).keypoints_2d)
    assert len(detector(clear)) == 0, "what is fully transparent is not seen"


@pytest.mark.parametrize("shape", [(1, 1, 1, 3), (1, 1, 300, 3), (1, 900, 2, 3), (1, 16, 16384, 3), (2, 7, 5, 1)])
@pytest.mark.parametrize("thorough", [False, True])
def test_pictures_too_small_or_too_long_hold_no_hands(detector, shape, thorough):
    picture = torch.rand(shape, generator=torch.Generator().manual_seed(3))
    found = detector(picture, thorough=thorough)
    assert len(found) == 0 and (found.num_frames, found.height, found.width) == shape[:3]


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (torch.zeros(0, 8, 8, 3), "at least one picture"),
        (torch.zeros(1, 0, 8, 3), "at least one picture"),
        (torch.zeros(8, 8, 3), r"\[frames, height, width, channels\]"),
        (torch.zeros(1, 8, 8, 2), "2 channels"),
        (torch.full((1, 8, 8, 3), math.nan), "NaN"),
        (torch.full((1, 8, 8, 3), math.inf), "infinite"),
        (torch.full((1, 8, 8, 3), 255.0), "expected 0..1"),
        (torch.full((1, 8, 8, 3), -5.0), "expected 0..1"),
    ],
)
def test_what_is_no_picture_is_refused(detector, picture, message):
    with pytest.raises(SesaHandError, match=message):
        detector(picture)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, math.nan])
def test_a_threshold_is_from_0_to_1(detector, open_hand, threshold):
    with pytest.raises(SesaHandError, match="threshold"):
        detector(open_hand, threshold=threshold)


def test_work_can_be_stopped_before_each_picture(detector, open_hand):
    seen = []

    def stop(frame, total):
        seen.append((frame, total))
        if frame == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        detector(open_hand[:, ::8, ::8].expand(3, -1, -1, -1), on_picture=stop)
    assert seen == [(0, 3), (1, 3)]


def test_missing_files_are_told_with_the_command_that_gets_them(tmp_path):
    with pytest.raises(InvalidFileError, match=r"python -m sesahand get-detector --to"):
        load_detector(tmp_path)


def test_the_networks_cannot_be_swapped(detector):
    with pytest.raises(InvalidFileError, match="palm network"):
        HandDetector(detector.landmark, detector.palm)


def test_anchors_are_cell_centres_in_the_order_of_the_output():
    anchors = palms.make_anchors()
    assert anchors.shape == (palms.NUM_ANCHORS, 2) == (2016, 2)
    assert anchors[:3].tolist() == pytest.approx(np.array([[0.5, 0.5], [0.5, 0.5], [1.5, 0.5]]) / 24)
    assert anchors[1152].tolist() == pytest.approx([0.5 / 12] * 2) and anchors[-1].tolist() == pytest.approx(
        [11.5 / 12] * 2
    )


def test_overlapping_palms_become_their_weighted_mean():
    box = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]])
    points = torch.arange(3.0)[:, None, None].expand(3, 7, 2)
    merged = palms.merge_palms(palms.Palms(box, points, torch.tensor([0.3, 0.6, 0.5])))
    assert merged.score.tolist() == pytest.approx([0.6, 0.5])
    assert merged.box[0].tolist() == pytest.approx([2 / 3, 0, 32 / 3, 10], abs=1e-4)
    assert merged.points[0, 0, 0] == pytest.approx(2 / 3) and merged.points[1, 0, 0] == 2


def test_squares_and_their_inverse_agree_and_point_up_along_the_hand():
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(4, 5, 2, generator=generator) - 0.5
    squares = torch.rand(4, 4, generator=generator) * torch.tensor([300.0, 300, 200, 6])
    assert torch.allclose(to_square(squares, to_picture(squares, points)), points, atol=1e-4)
    wrist, knuckle = torch.tensor([[10.0, 20.0]]), torch.tensor([[40.0, 60.0]])
    square = torch.cat([wrist[0], torch.tensor([100.0]), upright_angle(wrist, knuckle)])[None]
    [[[u, v]]] = to_square(square, knuckle[None]).tolist()
    assert u == pytest.approx(0, abs=1e-6) and v == pytest.approx(-0.5, abs=1e-6)


def test_a_crop_of_the_whole_picture_is_its_area_average():
    pixels = torch.rand(96, 96, 3, generator=torch.Generator().manual_seed(0))
    picture = Picture(pixels)
    same = picture.cut(picture.whole[None], 96, "zeros")
    assert torch.allclose(same[0], pixels, atol=1e-5)
    quarter = picture.cut(picture.whole[None], 24, "zeros")
    assert torch.allclose(quarter[0], pixels.reshape(24, 4, 24, 4, 3).mean((1, 3)), atol=1e-5)


@pytest.mark.parametrize(("width", "height"), [(848, 565), (512, 512), (300, 1200), (16384, 256)])
def test_tiles_cover_the_picture_with_half_overlaps(width, height):
    picture = Picture(torch.zeros(height, width, 3))
    tiles = torch.cat([tiles_of(picture, part) for part in (2, 4)])
    for side in tiles[:, 2].unique():
        row = tiles[(tiles[:, 2] == side) & (tiles[:, 1] == tiles[tiles[:, 2] == side][0, 1])]
        edges = row[:, 0] - side / 2
        assert edges[0] <= 0.5 and edges[-1] + side >= width - 0.5
        assert (edges.diff() <= side / 2 + 0.5).all()


def test_pictures_of_landmarks_show_every_hand(detector, open_hand):
    found = detector(open_hand)
    mask = mask_landmarks(found)
    covered = render_maps(scene_of("open_palm", "right"), ("mask",)).mask > 0.5
    assert mask.shape == (1, 512, 512) and (mask.bool() & covered).sum() > 0.85 * covered.sum()
    overlay = draw_landmarks(open_hand, found)
    assert overlay.shape == open_hand.shape and (overlay - open_hand).abs().amax() > 0.5
    none = found.select([])
    assert not mask_landmarks(none).any()
    torch.testing.assert_close(draw_landmarks(open_hand, none), open_hand, rtol=0, atol=1 / 255)
