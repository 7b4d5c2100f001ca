"""What a picture shows beside a mask: hands and faces that a hand is too small for, and a hand that it is turned as."""

from dataclasses import replace

import pytest
import torch
from seen_hands import landmarks_of, random_hands

from sesahand.errors import SesaHandError
from sesahand.hands.gestures import gesture
from sesahand.hands.loading import load_hand_model
from sesahand.reconstruct.as_seen import place_as_seen
from sesahand.reconstruct.detection.external import write_keypoints
from sesahand.reconstruct.landmarks import HandLandmarks
from sesahand.reconstruct.size_beside import too_small
from sesahand.scene.camera import Camera
from sesahand.scene.hand_scene import combine
from sesahand.scene.placing import Hand, mirror_hand, place_in_box, place_in_mask

MODEL = load_hand_model("builtin")
CAMERA = Camera.from_fov(512, 512)
PALM = [0, 5, 9, 13, 17]
RIGHT = Hand(MODEL, gesture("relaxed"))


def in_box(hand: Hand, x: float, y: float, size: float, **turn):
    return place_in_box(hand, CAMERA, (x, y, x + size, y + size), **turn)


def mask_of(x0: int, y0: int, x1: int, y1: int) -> torch.Tensor:
    mask = torch.zeros(1, 512, 512)
    mask[:, y0:y1, x0:x1] = 1
    return mask


def face(width: float) -> dict:
    """Return the person of POSE_KEYPOINT whose face, seen from the front, has jaws this far apart, in pixels."""
    points = [[0.0, 0.0, 0.0] for _ in range(70)]
    points[0], points[16] = [100.0, 80.0, 1.0], [100.0 + width, 80.0, 1.0]
    return {"people": [{"face_keypoints_2d": sum(points, [])}], "canvas_width": 512, "canvas_height": 512}


def test_a_hand_in_a_part_of_the_seen_hand_is_said_with_both_sizes():
    seen = landmarks_of(in_box(RIGHT, 100, 100, 300))
    placed = place_in_mask(RIGHT, CAMERA, mask_of(200, 150, 280, 230))
    [said] = too_small(placed, seen)
    assert "The hand is 8" in said and "right hand, " in said and "pixels long" in said
    wanted = float(said.split("should be about ")[1].split(":")[0])
    assert wanted == pytest.approx(300, rel=0.25)
    assert too_small(place_in_mask(RIGHT, CAMERA, mask_of(110, 110, 390, 390)), seen) == []
    half = replace(seen, width=256, height=256, keypoints_2d=seen.keypoints_2d / 2, box=seen.box / 2)
    assert too_small(placed, half) == [said], "found in the picture at half the size"


def test_turning_a_seen_hand_does_not_change_what_is_too_small():
    for turn in ({"yaw": 80.0}, {"pitch": 70.0}, {"yaw": 40.0, "pitch": 40.0, "roll": 70.0}):
        seen = landmarks_of(in_box(RIGHT, 260, 100, 240, **turn))
        depth = float(in_box(RIGHT, 260, 100, 240, **turn).translation[0, 2])
        own = in_box(RIGHT, 10, 200, 200)
        near, far = (
            replace(own, translation=own.translation * (depth * part / own.translation[0, 2])) for part in (1.2, 3)
        )
        assert too_small(near, seen) == [] and len(too_small(far, seen)) == 1, turn


def test_elsewhere_the_smallest_hand_or_face_counts():
    seen = landmarks_of(combine([in_box(RIGHT, 0, 0, 240), in_box(mirror_hand(RIGHT), 400, 0, 60)]))
    placed = place_in_mask(RIGHT, CAMERA, mask_of(300, 300, 360, 360))
    assert too_small(placed, seen) == [], "as large as the hand further off"
    [said] = too_small(placed, seen.select([0]))
    assert "right hand" in said
    assert too_small(placed, HandLandmarks.empty(512, 512)) == []


def test_a_face_tells_the_size_of_a_hand():
    placed = place_in_mask(RIGHT, CAMERA, mask_of(300, 300, 350, 350))
    [said] = too_small(placed, [face(140.0)])
    assert "the picture's face, 145 pixels wide" in said
    assert too_small(placed, [face(40.0)]) == []
    ears = [[0.0, 0.0, 0.0] for _ in range(18)]
    ears[16], ears[17] = [100.0, 80.0, 0.9], [245.0, 80.0, 0.9]
    body = {"people": [{"pose_keypoints_2d": sum(ears, [])}], "canvas_width": 512, "canvas_height": 512}
    assert too_small(placed, body) == [said]
    ears[17][2] = 0.1
    assert too_small(placed, {**body, "people": [{"pose_keypoints_2d": sum(ears, [])}]}) == [], "an unsure ear"


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_hand_is_turned_as_the_one_seen_in_the_mask(side):
    truth = random_hands(MODEL, CAMERA, 12, seed=3)
    seen, points = landmarks_of(truth), truth.pose().keypoints
    hand = RIGHT if side == "right" else mirror_hand(RIGHT)
    for index, box in enumerate(seen.box.clamp(1, 511).round().int().tolist()):
        if box[2] - box[0] < 20 or box[3] - box[1] < 20:
            continue
        alone = replace(seen.select([index]), num_frames=1, frame=torch.zeros(1, dtype=torch.int64))
        placed = place_as_seen(hand, CAMERA, mask_of(*box), alone)
        own, theirs = placed.pose().keypoints[0, PALM], points[index, PALM]
        same = placed.side[0] == alone.side[0]
        ahead, other = own[2] - own[0], theirs[2] - theirs[0]
        assert torch.nn.functional.cosine_similarity(ahead, other, dim=0) > 0.97
        normals = [torch.linalg.cross(each[1] - each[0], each[4] - each[0]) for each in (own, theirs)]
        assert (torch.nn.functional.cosine_similarity(*normals, dim=0) > 0.97) == same


def test_points_without_depth_tell_palm_from_back():
    for turn in ({}, {"yaw": 180.0}, {"roll": 200.0}):
        true = in_box(mirror_hand(RIGHT), 100, 100, 300, **turn)
        [entry] = write_keypoints(landmarks_of(true))
        placed = place_as_seen(mirror_hand(RIGHT), CAMERA, mask_of(100, 100, 400, 400), [entry])
        difference = placed.global_orient[0] @ true.global_orient[0].mT
        assert float(difference.diagonal().sum()) > 1 + 2 * 0.9, f"within 26 degrees of {turn}"


def test_turns_go_on_from_what_is_seen():
    seen = landmarks_of(in_box(RIGHT, 100, 100, 300))
    plain, turned = (
        place_as_seen(RIGHT, CAMERA, mask_of(100, 100, 400, 400), seen, turn=t) for t in ((0, 0, 0), (90, 0, 0))
    )
    before, after = (scene.camera.project(scene.pose().keypoints)[0] for scene in (plain, turned))
    assert before[9, 1] < before[0, 1] - 50 and after[9, 0] > after[0, 0] + 50


def test_what_cannot_be_compared_is_refused():
    placed = place_in_mask(RIGHT, CAMERA, mask_of(200, 150, 280, 230))
    with pytest.raises(SesaHandError, match="other proportions"):
        too_small(placed, HandLandmarks.empty(512, 256))
    with pytest.raises(SesaHandError, match="people is of 3 pictures"):
        too_small(placed, HandLandmarks.empty(512, 512, 3))
    with pytest.raises(SesaHandError, match="expected landmarks from Detect Hands"):
        too_small(placed, [1, 2])
    with pytest.raises(SesaHandError, match="no hand in the mask's white region in picture 0"):
        place_as_seen(RIGHT, CAMERA, mask_of(0, 0, 50, 50), landmarks_of(in_box(RIGHT, 300, 300, 200)))
