"""Boxes in the form of ComfyUI's core, read and written."""

import json

import pytest
import torch

from sesahand.errors import SesaHandError
from sesahand.reconstruct.detection.external import HandBox, read_boxes
from sesahand.scene.bounding_boxes import Box, mask_of_boxes, parse_box, read_bounding_boxes, write_bounding_boxes

FIRST = {"x": 10, "y": 20, "width": 30, "height": 40, "label": "left hand", "score": 0.9}
SECOND = {"x": 0.5, "y": 0, "width": 5, "height": 6, "label": "person"}
READ = [Box((10.0, 20.0, 40.0, 60.0), "left"), Box((0.5, 0.0, 5.5, 6.0))]


def test_one_box_a_list_and_a_list_for_each_picture_are_read():
    assert read_bounding_boxes(FIRST, 2) == [READ[:1], READ[:1]]
    assert read_bounding_boxes([FIRST, SECOND], 2) == [READ, READ], "core gives every picture the one list"
    assert read_bounding_boxes([[FIRST], [], [SECOND]], 3) == [READ[:1], [], READ[1:]]
    assert read_bounding_boxes([[FIRST], []], 0) == [READ[:1], []]
    assert read_bounding_boxes([], 2) == [[], []]
    nothing = {"x": 0, "y": 0, "width": 0, "height": 0}
    assert read_bounding_boxes([[nothing]], 1) == [[]], "detectors write an empty box for nothing found"


@pytest.mark.parametrize(
    "value",
    [None, 3, "x", [[[FIRST]]], {"x": 1, "y": 2}, {**FIRST, "width": -3}, {**FIRST, "x": float("nan")},
     {**FIRST, "y": True}, {**FIRST, "x": 1e300}, [FIRST, 7], [[FIRST]] * 2],
)  # fmt: skip
def test_what_is_no_box_is_refused(value):
    with pytest.raises(SesaHandError, match=r"[Bb]ounding boxes|[Bb]ox|pictures"):
        read_bounding_boxes(value, 3)


@pytest.mark.parametrize(
    "text", ["10, 20, 30.5, 40", " 10 20\t+30.5 4e1 ", "[10, 20, 30.5, 40]", "(10,20,30.5,40.)", "10, 20, 30.5, 40,"]
)
def test_a_typed_box_is_read_with_commas_spaces_or_brackets(text):
    assert parse_box(text, 11, 21) == (10.0, 20.0, 30.5, 40.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "four numbers"),
        ("1, 2, 3", "four numbers"),
        ("1, 2, 3, 4, 5", "four numbers"),
        ("nan, 0, 9, 9", "four numbers"),
        ("0, 0, inf, 9", "four numbers"),
        ("1_0, 0, 40, 40", "four numbers"),
        ("\u0663, 0, 40, 40", "four numbers"),
        ("[0, 0, 40, 40", "four numbers"),
        ("[0, 0, 40, 40)", "four numbers"),
        ("[[0, 0, 40, 40]]", "four numbers"),
        ("0, [0], 40, 40", "four numbers"),
        ("0, 0, 1e400, 9", "at most 1000000 pixels"),
        ("-2e6, 0, 9, 9", "at most 1000000 pixels"),
        ("9, 0, 9, 9", "no box"),
        ("0, 9, 9, 0", "no box"),
        ("0, 0, 0.5, 9", "smaller than a pixel"),
        ("64, 0, 80, 9", "outside the picture of 64x48 pixels"),
        ("0, 48, 9, 90", "outside the picture"),
        ("-9, 0, 0, 9", "outside the picture"),
    ],
)
def test_what_cannot_be_a_box_is_refused_by_the_name_of_its_input(text, message):
    with pytest.raises(SesaHandError, match=f"^box.*{message}"):
        parse_box(text, 64, 48)


def test_what_is_written_covers_the_hand_within_the_picture_and_comes_back():
    boxes = torch.tensor([[1.2, 2.7, 9.1, 8.0], [-5.0, -5.0, 4.5, 90.0], [0.0, 0.0, 0.0, 0.0], [70.0, 1.0, 80.0, 9.0]])
    written = write_bounding_boxes([1, 0, 0, 1], ["right", "left", "left", "right"], boxes, 3, (64, 48), torch.ones(4))
    assert written == [
        [{"x": 0, "y": 0, "width": 5, "height": 48, "label": "left hand", "score": 1.0}],
        [{"x": 1, "y": 2, "width": 9, "height": 6, "label": "right hand", "score": 1.0}],
        [],
    ]
    assert json.loads(json.dumps(written)) == written
    again = read_bounding_boxes(written, 3)
    assert again == [[Box((0.0, 0.0, 5.0, 48.0), "left")], [Box((1.0, 2.0, 10.0, 8.0), "right")], []]
    assert [index for index, box in enumerate(again[1])] == [0]


def test_detect_hands_reads_them_as_boxes_with_their_sides():
    assert read_boxes([[FIRST], [SECOND]], 2) == [
        HandBox(0, (10.0, 20.0, 40.0, 60.0), "left"),
        HandBox(1, (0.5, 0.0, 5.5, 6.0)),
    ]
    assert read_boxes(json.dumps(FIRST), 2) == [HandBox(frame, READ[0].edges, "left") for frame in (0, 1)]
    assert read_boxes([[]], 1) == []


def test_a_mask_of_boxes_is_white_in_every_pixel_they_touch():
    masks = mask_of_boxes([READ, []], 50, 70)
    by_hand = torch.zeros(2, 70, 50)
    by_hand[0, 20:60, 10:40] = 1
    by_hand[0, 0:6, 0:6] = 1
    assert torch.equal(masks, by_hand)
