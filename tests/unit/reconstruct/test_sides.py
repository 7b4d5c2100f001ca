"""Which hand is the right one: the body's wrists first, then all hands' points together."""

import math
from dataclasses import replace

import pytest
import torch
from seen_hands import landmarks_of, random_hands

from sesahand.hands.builtin import load_builtin_hand
from sesahand.reconstruct.detection.external import read_keypoints, write_keypoints
from sesahand.reconstruct.detection.sides import OTHER, WHAT_IS_NOT_KNOWN, describe_sides, settle_sides
from sesahand.reconstruct.landmarks import HandLandmarks
from sesahand.scene.camera import Camera

SIZE = 512


@pytest.fixture(scope="module")
def hands() -> HandLandmarks:
    return landmarks_of(random_hands(load_builtin_hand(), Camera.from_fov(SIZE, SIZE), 12, seed=6), pixels=1.0)


def swapped(poses: list[dict]) -> list[dict]:
    """Return POSE_KEYPOINT as a node writes it that calls the left hand right."""
    names = "hand_right_keypoints_2d", "hand_left_keypoints_2d"
    return [
        {**frame, "people": [{**p, names[0]: p[names[1]], names[1]: p[names[0]]} for p in frame["people"]]}
        for frame in poses
    ]


def with_wrists(poses: list[dict], right, left) -> list[dict]:
    """Return people who also have wrists, of which one, at least, is sure."""
    body = [0.0] * 54
    for index, place in ((4, right), (7, left)):
        body[3 * index : 3 * index + 3] = [*place, 0.8]
    return [{**frame, "people": [{**p, "pose_keypoints_2d": body} for p in frame["people"]]} for frame in poses]


def pair() -> HandLandmarks:
    """Return a person's right hand on the left of the picture and left hand on the right."""
    points = torch.rand(2, 21, 2, generator=torch.Generator().manual_seed(0)) * 100 + torch.tensor([60.0, 200.0])
    points[1, :, 0] += 240
    return HandLandmarks(
        SIZE, SIZE, 1, torch.zeros(2, dtype=torch.long), ("right", "left"), points,
        torch.full((2, 21, 3), math.nan), torch.cat([points.amin(1), points.amax(1)], 1), torch.ones(2), torch.ones(2),
    )  # fmt: skip


@pytest.mark.parametrize("wrong", [False, True])
def test_the_wrist_that_a_hand_is_at_decides(wrong):
    truth = pair()
    wrists = truth.keypoints_2d[:, 0].tolist()
    poses = with_wrists(write_keypoints(truth), *wrists)
    found = read_keypoints(swapped(poses) if wrong else poses, SIZE, SIZE)
    by_side = dict(zip(found.side, found.keypoints_2d, strict=True))
    assert set(by_side) == {"right", "left"} and found.side_score.tolist() == [1.0, 1.0]
    assert all(torch.equal(by_side[side], truth.keypoints_2d[k]) for k, side in enumerate(truth.side))


def test_one_hand_alone_is_at_the_nearer_wrist_and_others_follow_it():
    truth = pair()
    lone = truth.select([0])
    known = with_wrists(swapped(write_keypoints(lone)), *truth.keypoints_2d[:, 0].tolist())
    unknown = swapped(write_keypoints(lone))
    found = read_keypoints(known + unknown, SIZE, SIZE, 2)
    assert found.side == ("right", "right") and found.side_score.tolist() == pytest.approx([1.0, 0.9])
    alone = read_keypoints(unknown, SIZE, SIZE)
    assert alone.side == ("left",) and alone.side_score.tolist() == [0.5], "nothing speaks against the name"


def test_wrists_between_which_a_hand_lies_decide_nothing():
    lone = pair().select([0])
    root = lone.keypoints_2d[0, 0]
    poses = with_wrists(write_keypoints(lone), (root + torch.tensor([50.0, 0])).tolist(), (root - 50).tolist())
    poses = with_wrists(poses, [float(root[0]) + 50, float(root[1])], [float(root[0]) - 50, float(root[1])])
    assert read_keypoints(poses, SIZE, SIZE).side_score.tolist() == [0.5]


@pytest.mark.parametrize("wrong", [False, True])
def test_without_bodies_many_hands_tell_whether_the_names_are_right(hands, wrong):
    poses = write_keypoints(hands)
    found = read_keypoints(swapped(poses) if wrong else poses, SIZE, SIZE, hands.num_frames)
    assert found.side_score.unique().tolist() == [0.5]
    settled = settle_sides(found)
    assert settled.side == hands.side and settled.side_score.unique().tolist() == [0.75]
    assert torch.equal(settled.keypoints_2d, found.keypoints_2d)


def test_two_hands_and_settled_ones_are_left_alone(hands):
    few = replace(hands.select([0, 1]), side_score=torch.tensor([0.5, 0.5]))
    assert settle_sides(few) is few
    sure = replace(hands, side=tuple(OTHER[side] for side in hands.side))
    assert settle_sides(sure) is sure


def test_what_is_written_is_read_back(hands):
    poses = write_keypoints(hands)
    assert [len(frame["people"]) for frame in poses] == [1] * 12
    person = poses[0]["people"][0]
    assert len(person["pose_keypoints_2d"]) == 54 and len(person["face_keypoints_2d"]) == 210
    assert set(person["hand_right_keypoints_2d"][2::3]) == {1.0} and not any(person["hand_left_keypoints_2d"])
    again = read_keypoints(poses, SIZE, SIZE, 12)
    assert again.side == hands.side and torch.equal(again.frame, hands.frame)
    torch.testing.assert_close(again.keypoints_2d, hands.keypoints_2d)


def test_the_report_tells_how_sure_sides_are(hands):
    lines = describe_sides(replace(hands.select([0]), note="Something else.")).splitlines()
    assert lines[0].startswith("picture 0, right hand") and "side 100% sure" in lines[0]
    assert lines[1] == "Something else."
    assert describe_sides(HandLandmarks.empty(8, 8)).splitlines() == ["no hands", WHAT_IS_NOT_KNOWN]
    assert describe_sides(HandLandmarks.empty(8, 8, note="No files.")) == "no hands\nNo files."
