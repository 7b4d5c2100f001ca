"""Boxes, masks and keypoints that other nodes found, in the forms in which they give them."""

import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sesahand.errors import SesaHandError
from sesahand.reconstruct.detection.external import HandBox, boxes_of_masks, read_boxes, read_keypoints

POINTS = [[10.0 * k, 5.0 * k] for k in range(21)]


def pose_keypoint(right=None, left=None, **canvas) -> list[dict]:
    """Return POSE_KEYPOINT of one picture with one person."""
    person = {"pose_keypoints_2d": [0.0] * 54, "hand_right_keypoints_2d": right, "hand_left_keypoints_2d": left}
    return [{"people": [person], "canvas_width": 400, "canvas_height": 200} | canvas]


def flat(points, confidence=1.0) -> list[float]:
    return [value for x, y in points for value in (x, y, confidence)]


def test_boxes_as_render_hand_condition_writes_them_come_back():
    text = json.dumps(
        [
            {"frame": 0, "side": "left", "box": [1.5, 2.0, 30.0, 40.0]},
            {"frame": 1, "side": "right", "box": [0.0, 0.0, 0.0, 0.0]},
            {"frame": 2, "box": [5, 6, 7, 8]},
        ]
    )
    assert read_boxes(text) == [HandBox(0, (1.5, 2.0, 30.0, 40.0), "left"), HandBox(2, (5.0, 6.0, 7.0, 8.0))]
    assert read_boxes("[1, 2, 3, 4]") == read_boxes([[1, 2, 3, 4]]) == [HandBox(0, (1.0, 2.0, 3.0, 4.0))]
    assert read_boxes("[]") == []


@pytest.mark.parametrize(
    "text",
    ["", "{", "{}", "3", "null", "[[1, 2, 3]]", '[{"frame": -1, "box": [1, 2, 3, 4]}]',
     '[{"frame": true, "box": [1, 2, 3, 4]}]',
     '[{"side": "up", "box": [1, 2, 3, 4]}]', "[[1, 2, 1, 4]]", "[[NaN, 2, 3, 4]]", "[[1e300, 2, 3, 4]]",
     "[" * 100_000],
)  # fmt: skip
def test_what_is_no_box_is_refused(text):
    with pytest.raises(SesaHandError, match="box"):
        read_boxes(text)


def test_each_white_region_of_a_mask_is_a_box_in_the_pictures_pixels():
    masks = torch.zeros(2, 50, 100)
    masks[0, 10:20, 30:50] = 1
    masks[0, 30:45, 60:90] = 1
    found = boxes_of_masks(masks, 200, 100, 2)
    assert found == [HandBox(0, (60.0, 20.0, 100.0, 40.0)), HandBox(0, (120.0, 60.0, 180.0, 90.0))]
    shared = boxes_of_masks(masks[:1], 100, 50, 3)
    assert [box.frame for box in shared] == [0, 0, 1, 1, 2, 2]
    with pytest.raises(SesaHandError, match="one mask, or one for each"):
        boxes_of_masks(masks, 100, 50, 3)


@pytest.mark.parametrize("parts", [False, True])
def test_pose_keypoint_is_read_in_pixels_and_in_parts_of_the_picture(parts):
    points = [[x / 400, y / 200] for x, y in POINTS] if parts else POINTS
    found = read_keypoints(pose_keypoint(left=flat(points)), 800, 400)
    assert found.side == ("left",) and found.frame.tolist() == [0] and found.side_score.tolist() == [0.5]
    torch.testing.assert_close(found.keypoints_2d[0], 2 * torch.tensor(POINTS))
    assert found.box[0].tolist() == pytest.approx([0, 0, 400, 200])
    assert torch.isnan(found.keypoints_3d).all() and not found.has_3d.any()


def test_people_without_hands_and_points_without_confidence_are_unknown():
    nothing = [pose_keypoint()[0], pose_keypoint(right=[], left=[0.0] * 63)[0], pose_keypoint(right=[None] * 63)[0]]
    assert len(read_keypoints(nothing, 64, 64, 3)) == 0
    assert len(read_keypoints('{"animals": [], "canvas_width": 5, "canvas_height": 5}', 64, 64)) == 0
    numbers = flat(POINTS, 0.5)
    numbers[3 * 20 : 3 * 21] = [0.0, 0.0, 0.0]
    found = read_keypoints(pose_keypoint(right=numbers), 400, 200)
    assert torch.isnan(found.keypoints_2d[0, 20]).all() and torch.isfinite(found.keypoints_2d[0, :20]).all()
    assert found.box[0].tolist() == pytest.approx([0, 0, 190, 95]) and found.score.tolist() == [0.5]


def test_lists_of_points_and_of_hands_are_read():
    bare = read_keypoints(json.dumps(POINTS), 300, 200)
    assert bare.side == ("right",) and bare.side_score.tolist() == [0.5]
    torch.testing.assert_close(bare.keypoints_2d[0], torch.tensor(POINTS))
    hands = [{"keypoints": POINTS, "side": "left", "frame": 1, "score": 0.7}, {"keypoints": POINTS}]
    found = read_keypoints(hands, 300, 200, 2)
    assert found.frame.tolist() == [1, 0] and found.side == ("left", "right")
    assert found.score.tolist() == pytest.approx([0.7, 1.0])
    assert len(read_keypoints([], 300, 200, 4)) == 0 and read_keypoints([], 300, 200, 4).num_frames == 4


@pytest.mark.parametrize(
    "value",
    ["", "nonsense", 5, None, POINTS[:20], [{"keypoints": POINTS[:4]}], [{"keypoints": POINTS, "side": "up"}],
     [{"keypoints": POINTS, "frame": 1}], [{"keypoints": [[math.nan, 1.0]] * 21}], [{"keypoints": POINTS, "score": 2}],
     pose_keypoint(right=flat(POINTS)[:-1]), pose_keypoint(left="x" * 63),
     pose_keypoint(left=flat(POINTS), canvas_width=0), [{"people": 3}], [{"people": [7]}]],
)  # fmt: skip
def test_what_is_no_hand_is_refused(value):
    with pytest.raises(SesaHandError, match="keypoints"):
        read_keypoints(value, 300, 200)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["people", "keypoints", "box", "frame", "hand_left_keypoints_2d", "side"]), inner
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_any_json_is_read_or_refused(value):
    for read in (read_boxes, lambda value: read_keypoints(value, 64, 64)):
        try:
            read(value)
        except SesaHandError:
            pass
