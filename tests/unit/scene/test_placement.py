"""A gesture is shown by the node, the commands and the sheet in one view, with one margin."""

import pytest
import torch

from sesahand.hands.gestures import find_gesture, gesture
from sesahand.hands.loading import load_hand_model
from sesahand.scene.camera import Camera
from sesahand.scene.placement import Placement
from sesahand.scene.placing import Hand, mirror_hand, place_in_box

MODEL = load_hand_model("builtin")


def test_the_margin_is_a_tenth_in_whole_pixels():
    """The box that Pose Hand has had from the start."""
    assert Placement().middle() == (51, 51, 461, 461)
    assert Placement((64, 96)).middle() == (6, 10, 58, 86)


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_gesture_is_seen_as_people_know_it(side):
    camera, known = Camera.from_fov(512, 512), find_gesture("thumbs_up")
    hand = Hand(MODEL, gesture("thumbs_up")).turned(*known.view)
    expected = place_in_box(hand if side == "right" else mirror_hand(hand), camera, (51, 51, 461, 461))
    shown = Placement().place(Hand.in_gesture(MODEL, known), side)
    assert shown.side == (side,) and torch.equal(shown.hand_pose, expected.hand_pose)
    assert torch.equal(shown.translation, expected.translation)
    thumb_tip, wrist = shown.pose().keypoints[0, [4, 0]]
    assert thumb_tip[1] < wrist[1], "up in the picture"


def test_a_pair_stands_beside_itself_and_another_pose_and_shape_are_kept():
    camera, pose, betas = Camera.from_fov(320, 160), gesture("claw"), torch.linspace(-1, 1, 10)
    pair = Placement((320, 160)).place(Hand.in_gesture(MODEL, find_gesture("fist"), pose, betas), "both")
    assert pair.side == ("right", "left") and torch.equal(pair.hand_pose[0], pose)
    assert torch.equal(pair.betas, betas.expand(2, -1))
    seen = camera.project(pair.pose().vertices.double())
    assert seen[0, :, 0].max() < 160 < seen[1, :, 0].min() and seen[..., 0].min() >= 32 - 1
