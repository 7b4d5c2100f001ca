"""Placing hands: where they end up in the picture, measured by projecting every vertex."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sesahand.errors import SesaHandError
from sesahand.hands.gestures import find_gesture, gesture_names
from sesahand.hands.loading import load_hand_model
from sesahand.hands.rotations import axis_angle_to_matrix
from sesahand.scene.camera import Camera
from sesahand.scene.hand_scene import HandScene
from sesahand.scene.mask_regions import find_regions
from sesahand.scene.placement import Placement
from sesahand.scene.placing import (
    AS_POSED,
    FACINGS,
    Hand,
    box_overlap,
    change_camera,
    mirror_hand,
    place_in_box,
    place_in_mask,
    place_pair,
    view_rotation,
)

MALFORMED = Path(__file__).resolve().parents[4] / "shared" / "real" / "malformed"
MODEL = load_hand_model("builtin")
CAMERA = Camera.from_fov(640, 480, 50)
WRIST, INDEX, MIDDLE_TIP, PINKY = 0, 5, 12, 17


def curled(angle: float) -> torch.Tensor:
    """Return a pose whose fingers are bent by an angle in radians at every joint."""
    axis_angle = torch.zeros(15, 3)
    axis_angle[:12, 2] = angle
    return axis_angle_to_matrix(axis_angle)


OPEN, FIST = Hand(MODEL), Hand(MODEL, curled(1.3))


def box_of(scene, index: int = 0) -> torch.Tensor:
    seen = scene.camera.project(scene.pose().vertices[index].double())
    return torch.cat([seen.amin(0), seen.amax(0)])


def keypoints(scene, index: int = 0) -> torch.Tensor:
    return scene.camera.project(scene.pose().keypoints[index])


def overlap(scene, box, index: int = 0) -> float:
    return float(box_overlap(box_of(scene, index), torch.as_tensor(box, dtype=torch.float64)))


@pytest.mark.parametrize("camera", [CAMERA, Camera.from_fov(640, 480, 100), Camera.hamer(640, 480)], ids=str)
@pytest.mark.parametrize("hand", [OPEN, FIST, mirror_hand(OPEN)], ids=["open", "fist", "left"])
@pytest.mark.parametrize("box", [(100, 50, 300, 400), (20, 200, 620, 300), (-80, 300, 160, 560)])
def test_hand_in_a_box_fills_it_as_far_as_its_shape_allows(camera, hand, box):
    scene = place_in_box(hand, camera, box, roll=20, pitch=-10, yaw=30)
    x0, y0, x1, y1 = box_of(scene).tolist()
    assert (x0 + x1) / 2 == pytest.approx((box[0] + box[2]) / 2, abs=0.5)
    assert (y0 + y1) / 2 == pytest.approx((box[1] + box[3]) / 2, abs=0.5)
    assert max((x1 - x0) / (box[2] - box[0]), (y1 - y0) / (box[3] - box[1])) == pytest.approx(1, abs=2e-3)
    assert float(scene.pose().vertices[..., 2].min()) >= 0.05 - 1e-6


def place_at(hand, camera, centre, size, roll=0, pitch=0, yaw=0):
    """Place a hand by the centre and the longer side of its box in the picture, pixels."""
    (x, y), half = centre, size / 2
    return place_in_box(hand, camera, (x - half, y - half, x + half, y + half), roll, pitch, yaw)


def test_size_is_the_longer_side_and_centre_the_centre():
    for roll in (0, 45, 90):
        x0, y0, x1, y1 = box_of(place_at(OPEN, CAMERA, (200, 250), 180, roll=roll)).tolist()
        assert max(x1 - x0, y1 - y0) == pytest.approx(180, abs=0.5)
        assert ((x0 + x1) / 2, (y0 + y1) / 2) == pytest.approx((200, 250), abs=0.5)


@pytest.mark.parametrize("side", ["right", "left"])
def test_canonical_view_shows_the_palm_with_the_fingers_up(side):
    hand = OPEN if side == "right" else mirror_hand(OPEN)
    scene = place_at(hand, CAMERA, (320, 240), 300)
    points, depth = keypoints(scene), scene.pose().keypoints[0, :, 2]
    assert points[MIDDLE_TIP, 1] < points[WRIST, 1] - 150
    towards_thumb = float(points[INDEX, 0] - points[PINKY, 0])
    assert towards_thumb > 20 if side == "right" else towards_thumb < -20
    # The fingers bend towards the palm, which is towards the camera.
    curl = Hand(MODEL, curled(0.5))
    bent = place_at(curl if side == "right" else mirror_hand(curl), CAMERA, (320, 240), 300)
    assert bent.pose().keypoints[0, MIDDLE_TIP, 2] < bent.pose().keypoints[0, WRIST, 2] - 0.02
    assert abs(float(depth[MIDDLE_TIP] - depth[WRIST])) < 0.03


def test_roll_turns_clockwise_yaw_shows_the_back_and_pitch_brings_the_fingertips_near():
    turned = keypoints(place_at(OPEN, CAMERA, (320, 240), 200, roll=90))
    assert turned[MIDDLE_TIP, 0] > turned[WRIST, 0] + 100
    back = keypoints(place_at(OPEN, CAMERA, (320, 240), 200, yaw=180))
    assert back[INDEX, 0] < back[PINKY, 0] and back[MIDDLE_TIP, 1] < back[WRIST, 1]
    tipped = place_at(OPEN, CAMERA, (320, 240), 200, pitch=40).pose().keypoints[0]
    assert tipped[MIDDLE_TIP, 2] < tipped[WRIST, 2] - 0.08
    aside = place_at(OPEN, CAMERA, (320, 240), 200, yaw=40).pose().keypoints[0]
    assert aside[INDEX, 2] < aside[PINKY, 2] - 0.02


@settings(max_examples=60, deadline=None)
@given(*[st.floats(-720, 720)] * 3, st.sampled_from(["right", "left"]))
def test_view_rotations_are_rotations(roll, pitch, yaw, side):
    matrix = view_rotation(side, roll, pitch, yaw)
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(3, dtype=torch.float64))
    assert float(torch.linalg.det(matrix)) == pytest.approx(1)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(-100, 700), st.floats(-100, 500), st.floats(1, 900), st.floats(1, 900),
    st.floats(-180, 180), st.floats(-90, 90), st.floats(-180, 180), st.floats(15, 120),
)  # fmt: skip
def test_any_box_is_filled_or_refused(x, y, width, height, roll, pitch, yaw, fov):
    try:
        scene = place_in_box(FIST, Camera.from_fov(640, 480, fov), (x, y, x + width, y + height), roll, pitch, yaw)
    except SesaHandError:
        return
    x0, y0, x1, y1 = box_of(scene).tolist()
    assert max((x1 - x0) / width, (y1 - y0) / height) == pytest.approx(1, abs=0.02)
    assert float(scene.pose().vertices[..., 2].min()) > 0.049


TURNS = [(0, 0), (0, 70), (0, 90), (0, 180), (-90, 0), (-45, 0), (20, 0), (45, 0), (70, 45), (90, 0)]


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("name", gesture_names())
def test_every_gesture_fits_the_usual_box_however_it_is_turned(name, side):
    camera, box = Camera.from_fov(512, 512), (41, 41, 471, 471)
    hand = Hand(MODEL, find_gesture(name).hand_pose).turned(*find_gesture(name).view)
    hand = mirror_hand(hand) if side == "left" else hand
    for pitch, yaw in TURNS:
        x0, y0, x1, y1 = box_of(place_in_box(hand, camera, box, 0, pitch, yaw)).tolist()
        assert ((x0 + x1) / 2, (y0 + y1) / 2) == pytest.approx((256, 256), abs=0.01)
        assert max(x1 - x0, y1 - y0) == pytest.approx(430, abs=0.01)


@pytest.mark.parametrize("turn", [(0, 0), (45, 0), (-80, 10), (30, 90)])
def test_boxes_are_refused_only_where_the_hand_would_touch_the_camera(turn):
    camera, fits, refused = Camera.from_fov(640, 480, 60), 100.0, 1e5
    while refused - fits > 1e-3:
        size = (fits + refused) / 2
        try:
            place_at(OPEN, camera, (350, 200), size, 0, *turn)
            fits = size
        except SesaHandError as error:
            assert "nearer than 5 cm" in str(error)
            refused = size
    scene = place_at(OPEN, camera, (350, 200), fits, 0, *turn)
    assert float(scene.pose().vertices[..., 2].min()) == pytest.approx(0.05, abs=1e-5)


@pytest.mark.parametrize(
    "box",
    [
        (10, 10, 10, 50), (50, 50, 10, 10), (0, 0, float("nan"), 5), (0, 0, float("inf"), 5), (700, 0, 800, 100),
        (0, -100, 100, 0), (-1e6, -1e6, 1e6, 1e6), (5, 5, 5.5, 90),
    ],
)  # fmt: skip
def test_impossible_boxes_are_refused(box):
    with pytest.raises(SesaHandError, match="box|camera"):
        place_in_box(OPEN, CAMERA, box)


def test_impossible_hands_and_angles_are_refused():
    with pytest.raises(SesaHandError, match="side"):
        Hand(MODEL, side="both")
    with pytest.raises(SesaHandError, match="hand_pose"):
        Hand(MODEL, torch.zeros(45))
    with pytest.raises(SesaHandError, match="NaN"):
        Hand(MODEL, betas=torch.full((10,), torch.nan))
    with pytest.raises(SesaHandError, match="betas reach 1e.09, expected at most 20"):
        Hand(MODEL, betas=torch.full((10,), -1e9))
    with pytest.raises(SesaHandError, match="Angles"):
        place_at(OPEN, CAMERA, (320, 240), 100, roll=float("nan"))
    with pytest.raises(SesaHandError, match="no hand 3"):
        Hand.of(place_at(OPEN, CAMERA, (320, 240), 100), 3)


def test_a_hand_taken_from_a_scene_keeps_pose_shape_and_side():
    hand = Hand(MODEL, curled(0.4), torch.linspace(-1, 1, 10), "left")
    again = Hand.of(place_at(hand, CAMERA, (320, 240), 100))
    assert torch.equal(again.hand_pose, hand.hand_pose) and torch.equal(again.betas, hand.betas)
    assert again.side == "left"


def test_a_pair_is_its_own_mirror_image():
    box = (100, 60, 540, 420)
    for hand in (FIST, mirror_hand(FIST)):
        scene = place_pair(hand, CAMERA, box, roll=-15, yaw=20, pitch=5)
        assert scene.side == ("right", "left")
        right, left = (scene.pose().vertices[index] for index in (0, 1))
        torch.testing.assert_close(left * torch.tensor([-1.0, 1.0, 1.0]), right, atol=1e-4, rtol=0)
        assert box_of(scene, 0)[2] <= 320.5 and box_of(scene, 1)[0] >= 319.5


@pytest.mark.parametrize("camera", [Camera.from_fov(640, 480, 30), Camera.from_fov(640, 480, 70)], ids=str)
def test_another_camera_shows_the_hands_at_the_same_place_and_size(camera):
    seen = place_pair(FIST, Camera.hamer(640, 480), (100, 60, 540, 420), roll=20)
    again = change_camera(seen, camera)
    assert again.camera == camera
    assert float(seen.pose().vertices[..., 2].min()) > 10 > float(again.pose().vertices[..., 2].max())
    for index in (0, 1):
        assert overlap(again, box_of(seen, index), index) > 0.9
    with pytest.raises(SesaHandError, match="640x480"):
        change_camera(seen, Camera.from_fov(512, 512))


def test_another_camera_for_no_hands_is_fine():
    scene = HandScene.empty(MODEL, Camera.hamer(640, 480), 3)
    assert change_camera(scene, CAMERA).num_frames == 3


# Masks


def ellipse(centre, axes, angle, size=(480, 640)) -> torch.Tensor:
    """Return a white ellipse whose long axis points `angle` degrees clockwise from up."""
    rows, columns = np.mgrid[: size[0], : size[1]] + 0.5
    x, y = columns - centre[0], rows - centre[1]
    turn = np.radians(angle)
    along, across = x * np.sin(turn) - y * np.cos(turn), x * np.cos(turn) + y * np.sin(turn)
    return torch.from_numpy(((along / axes[0]) ** 2 + (across / axes[1]) ** 2 <= 1).astype(np.float32))


def rectangle(x0, y0, x1, y1, size=(480, 640)) -> torch.Tensor:
    mask = torch.zeros(size)
    mask[y0:y1, x0:x1] = 1
    return mask


MASKS = {
    "upright": ellipse((300, 240), (120, 70), 0),
    "tilted": ellipse((300, 240), (130, 70), 40),
    "lying": ellipse((300, 240), (130, 70), 90),
    "round": ellipse((200, 200), (80, 80), 0),
    "square": rectangle(100, 100, 300, 300),
    "thin": rectangle(300, 100, 340, 300),
    "very thin": rectangle(300, 60, 312, 420),
    "flat": rectangle(100, 200, 400, 250),
    "thin and tilted": ellipse((300, 240), (200, 20), 30),
    "small": rectangle(320, 240, 328, 250),
    "one pixel": rectangle(320, 240, 321, 241),
    "at the edge": rectangle(560, 100, 640, 220),
    "in the corner": rectangle(0, 400, 70, 480),
    "large": rectangle(40, 20, 600, 460),
}


@pytest.mark.parametrize("camera", [CAMERA, Camera.hamer(640, 480)], ids=["fov", "hamer"])
@pytest.mark.parametrize("hand", [OPEN, FIST, mirror_hand(FIST)], ids=["open", "fist", "left fist"])
@pytest.mark.parametrize("name", sorted(MASKS))
def test_hand_over_a_mask_covers_its_box(name, hand, camera):
    scene = place_in_mask(hand, camera, MASKS[name])
    (region,) = find_regions(MASKS[name], "largest", 0.5)
    # A hand seen edge on is about four times as long as wide, a fist half that: thinner boxes cannot be matched.
    assert overlap(scene, region.box) > {"thin": 0.55, "flat": 0.45, "very thin": 0.15}.get(name, 0.8)


@pytest.mark.parametrize("angle", [-60, -30, 0, 30, 60])
def test_fingers_point_along_the_main_axis_and_rather_up(angle):
    scene = place_in_mask(OPEN, CAMERA, ellipse((320, 240), (140, 90), angle))
    points = keypoints(scene)
    direction = points[MIDDLE_TIP] - points[WRIST]
    found = math.degrees(math.atan2(direction[0], -direction[1]))
    assert abs(found - angle) < 25


@pytest.mark.parametrize(
    ("mask", "towards"),
    [
        (rectangle(0, 200, 200, 300), (1, 0)),
        (rectangle(440, 200, 640, 300), (-1, 0)),
        (rectangle(300, 0, 400, 200), (0, 1)),
        (rectangle(300, 280, 400, 480), (0, -1)),
        (ellipse((40, 60), (170, 80), 120), (1, 1)),
    ],
)
def test_the_wrist_lies_where_the_mask_touches_the_picture_edge(mask, towards):
    points = keypoints(place_in_mask(OPEN, CAMERA, mask))
    direction = points[MIDDLE_TIP] - points[WRIST]
    assert float(direction @ torch.tensor(towards, dtype=direction.dtype)) > 0.6 * float(direction.norm())


def test_the_direction_of_the_fingers_can_be_given():
    for fingers in (0, 90, 180, 270):
        points = keypoints(place_in_mask(OPEN, CAMERA, MASKS["round"], fingers=fingers))
        direction = points[MIDDLE_TIP] - points[WRIST]
        wanted = torch.tensor([np.sin(np.radians(fingers)), -np.cos(np.radians(fingers))], dtype=direction.dtype)
        assert float(direction @ wanted) > 0.85 * float(direction.norm())


def test_regions_are_the_largest_all_or_each():
    mask = torch.maximum(MASKS["upright"], rectangle(500, 300, 600, 430))
    mask[5, 5] = 1
    (largest,) = find_regions(mask, "largest", 0.5)
    assert largest.box == (230, 120, 370, 360)
    (everything,) = find_regions(mask, "all", 0.5)
    assert everything.box == (5, 5, 600, 430)
    each = find_regions(mask, "each", 0.5)
    assert sorted(region.box for region in each) == [(230, 120, 370, 360), (500, 300, 600, 430)]
    scene = place_in_mask(OPEN, CAMERA, mask, region="each")
    assert len(scene) == 2 and scene.frame.tolist() == [0, 0]
    for index, region in enumerate(each):
        assert overlap(scene, region.box, index) > 0.8


def test_masks_of_several_frames_give_one_hand_per_frame_and_none_where_empty():
    masks = torch.stack([MASKS["upright"], torch.zeros(480, 640), MASKS["square"]])
    scene = place_in_mask(OPEN, CAMERA, masks)
    assert scene.num_frames == 3 and scene.frame.tolist() == [0, 2]
    alone = place_in_mask(OPEN, CAMERA, MASKS["square"])
    torch.testing.assert_close(scene.translation[1], alone.translation[0])
    torch.testing.assert_close(scene.global_orient[1], alone.global_orient[0])


def test_bool_and_soft_masks_and_thresholds_are_understood():
    hard = place_in_mask(OPEN, CAMERA, MASKS["upright"])
    assert torch.equal(place_in_mask(OPEN, CAMERA, MASKS["upright"].bool()).translation, hard.translation)
    grey = torch.full((480, 640), 0.6)
    grey[MASKS["upright"] > 0] = 1
    assert torch.equal(place_in_mask(OPEN, CAMERA, grey, threshold=0.9).translation, hard.translation)


def test_the_region_painted_white_in_a_photograph_is_found_and_that_is_said(caplog):
    photograph = 0.15 + 0.7 * torch.rand(480, 640, generator=torch.Generator().manual_seed(1))
    painted = torch.maximum(photograph, MASKS["upright"] * 0.99)
    hard = place_in_mask(OPEN, CAMERA, MASKS["upright"])
    assert not caplog.records
    assert torch.equal(place_in_mask(OPEN, CAMERA, painted).translation, hard.translation)
    assert "photograph" in caplog.text
    # Without white, bright is what remains; a threshold that is given holds.
    (bright,) = find_regions(photograph * 0.9, "all")
    assert bright.box == find_regions(photograph * 0.9, "all", 0.5)[0].box
    assert find_regions(painted, "all", 0.5)[0].box == (0, 0, 640, 480)


def test_the_edge_of_a_soft_mask_is_where_it_is_half_white(caplog):
    soft = torch.nn.functional.avg_pool2d(MASKS["square"][None], 81, 1, 40, count_include_pad=True)[0]
    (region,) = find_regions(soft, "largest")
    assert region.box == pytest.approx((100, 100, 300, 300), abs=2)
    assert not caplog.records


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (torch.zeros(480, 640), "empty"),
        (torch.zeros(2, 480, 640), "empty"),
        (torch.ones(100, 100), r"\[frames, 480, 640\]"),
        (torch.ones(0, 480, 640), "frames"),
        (torch.ones(1, 1, 480, 640), "frames"),
        (torch.full((480, 640), torch.nan), "NaN"),
    ],
)
def test_masks_that_cannot_be_used_are_refused(mask, message):
    with pytest.raises(SesaHandError, match=message):
        place_in_mask(OPEN, CAMERA, mask)


def test_unknown_region_and_direction_are_refused():
    with pytest.raises(SesaHandError, match="largest, all, each"):
        place_in_mask(OPEN, CAMERA, MASKS["round"], region="biggest")
    with pytest.raises(SesaHandError, match="fingers"):
        place_in_mask(OPEN, CAMERA, MASKS["round"], fingers=float("inf"))


@pytest.mark.skipif(not MALFORMED.is_dir(), reason="the malformed pictures are not here")
@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("curl", [0.0, 0.7, 1.3])
@pytest.mark.parametrize("number", [5, 8, 12])
def test_hands_cover_the_white_regions_of_real_malformed_pictures(number, curl, side):
    from PIL import Image

    picture = Image.open(MALFORMED / f"{number}_mask.jpg").convert("L")
    values = np.array(picture)
    mask = torch.from_numpy(values / 255)
    hand = Hand(MODEL, curled(curl))
    scene = place_in_mask(hand if side == "right" else mirror_hand(hand), Camera.from_fov(*picture.size), mask)
    rows, columns = np.nonzero(largest_region(values > 250))
    box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert overlap(scene, box) > 0.8


def largest_region(white: np.ndarray) -> np.ndarray:
    label = pytest.importorskip("scipy.ndimage").label
    labels, _ = label(white, np.ones((3, 3)))
    return labels == np.bincount(labels.ravel())[1:].argmax() + 1


def test_a_hand_of_a_scene_keeps_how_it_is_turned_and_angles_turn_it_further():
    box = (100, 100, 400, 420)
    once = place_in_box(OPEN, CAMERA, box, roll=30)
    again = place_in_box(Hand.of(once), CAMERA, box, roll=20)
    straight = place_in_box(OPEN, CAMERA, box, roll=50)
    torch.testing.assert_close(again.global_orient, straight.global_orient, atol=1e-6, rtol=0)


def test_the_mirrored_hand_is_seen_mirrored():
    turned = OPEN.turned(roll=-90, yaw=20)
    expected = Hand(MODEL, side="left").turned(roll=90, yaw=-20)
    torch.testing.assert_close(mirror_hand(turned).orient, expected.orient, atol=1e-6, rtol=0)


@pytest.mark.parametrize("share", [0.001, 0.05, 0.3])
def test_each_speck_of_a_noisy_mask_is_no_hand_and_that_is_said(caplog, share):
    noisy = (torch.rand(CAMERA.height, CAMERA.width, generator=torch.Generator().manual_seed(0)) < share).float()
    hand = torch.maximum(noisy, MASKS["upright"])
    regions = find_regions(hand, "each")
    assert len(regions) == 1 and "left out" in caplog.text
    assert len(find_regions(noisy, "each")) <= 64


def test_a_mask_of_specks_alone_is_an_empty_one():
    noisy = (torch.rand(CAMERA.height, CAMERA.width, generator=torch.Generator().manual_seed(0)) < 0.01).float()
    with pytest.raises(SesaHandError, match="more than a speck"):
        place_in_mask(OPEN, CAMERA, noisy, region="each")


def test_placing_over_many_regions_can_be_ended_between_them():
    mask = torch.zeros(CAMERA.height, CAMERA.width)
    for column in range(0, 300, 60):
        mask[100:140, column : column + 40] = 1

    class Cancelled(Exception):
        pass

    def cancel(done, of):
        assert of == 5
        if done == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        place_in_mask(OPEN, CAMERA, mask, region="each", on_region=cancel)


def seen_from(scene):
    """Return unit directions in the camera's frame: out of the palm, to the thumb's side, and along the fingers."""
    points = scene.pose().keypoints[0].double()
    wrist, index, middle, pinky = (points[n] for n in (0, 5, 9, 17))
    out = torch.linalg.cross(index - wrist, pinky - wrist)
    out = out if scene.side[0] == "right" else -out
    return tuple(torch.nn.functional.normalize(each, dim=0) for each in (out, index - pinky, middle - wrist))


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("name", ["upright", "tilted", "lying", "square", "flat"])
@pytest.mark.parametrize("facing", [facing for facing in FACINGS if facing != AS_POSED])
def test_the_asked_side_of_the_hand_faces_the_viewer(facing, name, side):
    hand = OPEN if side == "right" else mirror_hand(OPEN)
    scene = place_in_mask(hand, CAMERA, MASKS[name], facing=facing)
    palm, thumb, _ = (float(direction[2]) for direction in seen_from(scene))
    nearer = {"palm": -palm, "back": palm, "thumb side": -thumb, "little-finger side": thumb}
    # The viewer is where z is negative. A flat mask tips a palm far, as it always has.
    assert nearer[facing] > (0 if facing == "palm" else 0.6)


@pytest.mark.parametrize("fingers", [0, 90, 200])
def test_a_back_of_a_hand_points_where_it_is_asked_to(fingers):
    points = keypoints(place_in_mask(OPEN, CAMERA, MASKS["round"], fingers=fingers, facing="back"))
    direction = points[MIDDLE_TIP] - points[WRIST]
    wanted = torch.tensor([np.sin(np.radians(fingers)), -np.cos(np.radians(fingers))], dtype=direction.dtype)
    assert float(direction @ wanted) > 0.85 * float(direction.norm())


@pytest.mark.parametrize("angles", [(0, 0, 0), (30, 20, 150), (200, -60, 70)])
def test_as_posed_a_mask_gives_place_and_size_alone(angles):
    hand = OPEN.turned(*angles)
    for region in (MASKS["tilted"], MASKS["square"]):
        scene = place_in_mask(hand, CAMERA, region, facing=AS_POSED)
        assert torch.allclose(scene.global_orient[0], hand.orient, atol=1e-6)
        box = box_of(scene).tolist()
        (found,) = find_regions(region, "largest", 0.5)
        area = (found.box[2] - found.box[0]) * (found.box[3] - found.box[1])
        assert (box[2] - box[0]) * (box[3] - box[1]) == pytest.approx(area, rel=0.02)
        assert (box[0] + box[2]) / 2 == pytest.approx((found.box[0] + found.box[2]) / 2, abs=1)


def test_the_angles_of_a_placement_turn_a_hand_over_a_mask():
    mask = MASKS["square"]
    turned = Placement(mask=mask, yaw=180, roll=20).place(OPEN)
    assert torch.allclose(turned.global_orient[0], OPEN.turned(20, 0, 180).orient, atol=1e-6)
    back = Placement(mask=mask, roll=90, facing="back").place(OPEN)
    palm, _, fingers = seen_from(back)
    assert palm[2] > 0.6 and fingers[0] > 0.8
    with pytest.raises(SesaHandError, match="no pitch or yaw, got 0 and 20.*as posed"):
        Placement(mask=mask, yaw=20, facing="back").place(OPEN)
    with pytest.raises(SesaHandError, match="palm, back, as posed.*'front'"):
        place_in_mask(OPEN, CAMERA, mask, facing="front")


def test_a_mask_too_small_for_fingers_is_said(caplog):
    place_in_mask(OPEN, CAMERA, MASKS["square"])
    assert caplog.text == ""
    place_in_mask(OPEN, CAMERA, MASKS["small"])
    assert "10 pixels long" in caplog.text and "whole hand" in caplog.text
