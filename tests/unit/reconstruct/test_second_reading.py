"""Fingers that are straight in one look and bent in others are told, and can be taken for either."""

from dataclasses import replace

import pytest
import torch
from seen_hands import landmarks_of

from sesahand.hands.gestures import find_gesture
from sesahand.hands.loading import load_hand_model
from sesahand.reconstruct.detection.sides import describe_sides
from sesahand.reconstruct.fitting.fit import fit_hands
from sesahand.reconstruct.fitting.fit_report import describe_fit
from sesahand.reconstruct.scoring.finger_states import read_fingers
from sesahand.reconstruct.second_reading import bends, other_fingers
from sesahand.reconstruct.summary import PictureOutcome, describe_hands, summary_csv
from sesahand.scene.camera import Camera
from sesahand.scene.placing import Hand, place_in_box


def seen(gesture: str):
    """Return the exact landmarks of a gesture's right hand, the palm to the camera."""
    hand = Hand(load_hand_model("builtin"), find_gesture(gesture).hand_pose)
    return landmarks_of(place_in_box(hand, Camera.from_fov(512, 512), (140, 140, 372, 372)))


@pytest.fixture(scope="module")
def point():
    return seen("point")


@pytest.fixture(scope="module")
def with_second(point):
    """Return a pointing hand whose middle finger two other looks see as in the sign of victory."""
    victory = seen("victory")
    pixels, metres = (torch.stack([each, each]) for each in (victory.keypoints_2d, victory.keypoints_3d))
    second_2d, second_3d = other_fingers(pixels, metres, point.keypoints_3d)
    return replace(point, second_2d=second_2d, second_3d=second_3d)


def test_bends_are_turns_from_bone_to_bone():
    points = torch.zeros(21, 3)
    for finger in range(5):
        points[1 + 4 * finger : 5 + 4 * finger, 1] = torch.arange(1.0, 5.0)
    points[7], points[8] = torch.tensor([1.0, 2.0, 0.0]), torch.tensor([1.0, 1.0, 0.0])
    torch.testing.assert_close(bends(points), torch.tensor([0.0, 180.0, 0.0, 0.0, 0.0]), atol=0.1, rtol=0)


def test_a_finger_has_a_second_reading_where_all_other_looks_agree_on_it(point, with_second):
    assert with_second.has_second.tolist() == [[False, False, True, False, False]]
    straight, bent = seen("victory").keypoints_3d, point.keypoints_3d
    divided = torch.stack([straight, bent])
    assert other_fingers(divided[..., :2], divided, bent)[0].isnan().all()
    shifted = torch.stack([straight, straight]) + 0.01
    metres = other_fingers(shifted[..., :2], shifted, bent)[1]
    torch.testing.assert_close(metres[0, 9], bent[0, 9], atol=1e-6, rtol=0)


def test_reports_and_tables_say_what_may_be_otherwise(point, with_second):
    said = "middle may be straight"
    fitted = fit_hands(with_second)
    assert said in describe_sides(with_second) and said in describe_fit(fitted)
    rows = describe_hands(fitted)
    assert rows[0].second == said and said in summary_csv([PictureOutcome("a.png", rows)])
    assert "may be" not in describe_sides(point) + describe_fit(fit_hands(point))


def test_the_second_reading_can_be_fitted_and_taken_back(with_second):
    states = []
    for landmarks in (with_second, with_second.second_reading()):
        scene = fit_hands(landmarks).scene
        states.append(read_fingers(scene, scene.pose().keypoints).state(0)[2])
    assert states == ["bent", "straight"]
    again = with_second.second_reading().second_reading()
    assert torch.equal(again.keypoints_2d, with_second.keypoints_2d)
    assert torch.equal(again.keypoints_3d, with_second.keypoints_3d)
