"""Hands of SAM 3D Body's bodies: made-up bodies of the published layout, whose hands are ours."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from seen_hands import random_hands

from sesahand.errors import SesaHandError
from sesahand.hands.builtin import load_builtin_hand
from sesahand.reconstruct.detection.body_pose import POINTS_OF, read_body_pose
from sesahand.reconstruct.fitting.fit import fit_hands
from sesahand.scene.camera import Camera

WIDTH, HEIGHT = 640, 480
# A vertical field of view of 53 degrees, which SAM 3D Body takes where it is told none.
CAMERA = Camera(HEIGHT / 2 / math.tan(math.radians(53.0) / 2), (WIDTH / 2, HEIGHT / 2), WIDTH, HEIGHT)


def bodies(scene, as_type=np.float32) -> dict:
    """Return MHR_POSE_DATA of a scene with a hand a frame, right and left in turn: a person for each two frames."""
    random = np.random.default_rng(0)
    points = scene.pose().keypoints
    frames = []
    for frame in range(0, len(scene), 2):
        person = {
            "pred_keypoints_3d": random.normal(size=(70, 3)).astype(as_type),
            "pred_keypoints_2d": random.uniform(0, 400, (70, 2)).astype(as_type),
            "pred_cam_t": np.array([0.1, -0.2, 0.5], as_type),
            "focal_length": as_type(CAMERA.focal_length),
            "pred_vertices": np.zeros((3, 3), as_type),
        }
        for hand in (frame, frame + 1):
            where = list(POINTS_OF[scene.side[hand]])
            person["pred_keypoints_3d"][where] = points[hand].double().numpy() - [0.1, -0.2, 0.5]
            person["pred_keypoints_2d"][where] = CAMERA.project(points[hand].double()).numpy()
        frames.append([person])
    return {"frames": frames, "image_size": (HEIGHT, WIDTH), "faces": None}


@pytest.fixture(scope="module")
def scene():
    scene = random_hands(load_builtin_hand(), CAMERA, 16, seed=4)
    return replace(scene, frame=torch.arange(16) // 2, num_frames=8)


def test_the_points_are_the_published_ones():
    """From the table in ComfyUI's glb_shared.py: wrist, then thumb, index, middle, ring and pinky from the palm out."""
    assert POINTS_OF["right"][:9] == (41, 24, 23, 22, 21, 28, 27, 26, 25) and POINTS_OF["right"][-1] == 37
    assert POINTS_OF["left"][:9] == (62, 45, 44, 43, 42, 49, 48, 47, 46) and POINTS_OF["left"][-1] == 58
    assert sorted(POINTS_OF["right"] + POINTS_OF["left"]) == list(range(21, 63))


def test_a_fit_returns_to_the_hands_within_a_few_millimetres(scene):
    landmarks = read_body_pose(bodies(scene), WIDTH, HEIGHT, 8)
    assert landmarks.side == ("right", "left") * 8 and landmarks.frame.tolist() == [n // 2 for n in range(16)]
    assert landmarks.has_3d.all() and landmarks.note == "" and landmarks.camera.width == WIDTH
    fitted = fit_hands(landmarks, camera=landmarks.camera).scene
    off = (fitted.pose().keypoints - scene.pose().keypoints).norm(dim=-1).mean(1)
    assert off.median() < 0.0005 and off.max() < 0.004


def test_noise_costs_no_more_than_it_is(scene):
    data = bodies(scene)
    random = np.random.default_rng(1)
    for [person] in data["frames"]:
        person["pred_keypoints_3d"] += random.normal(0, 0.003, (70, 3)).astype(np.float32)
        person["pred_keypoints_2d"] += random.normal(0, 1.5, (70, 2)).astype(np.float32)
    landmarks = read_body_pose(data, WIDTH, HEIGHT, 8)
    fitted = fit_hands(landmarks, camera=landmarks.camera).scene.pose().keypoints
    truth = scene.pose().keypoints
    off = ((fitted - fitted.mean(1, keepdim=True)) - (truth - truth.mean(1, keepdim=True))).norm(dim=-1).mean(1)
    assert off.median() < 0.003 and off.max() < 0.008


def test_a_picture_of_another_size_is_scaled(scene):
    whole, half = (read_body_pose(bodies(scene), WIDTH // part, HEIGHT // part, 8) for part in (1, 2))
    torch.testing.assert_close(half.keypoints_2d, whole.keypoints_2d / 2)
    assert half.camera.focal_length == pytest.approx(whole.camera.focal_length / 2, rel=1e-6)
    with pytest.raises(SesaHandError, match="proportions"):
        read_body_pose(bodies(scene), WIDTH, WIDTH, 8)


def test_a_left_hand_of_a_right_hands_shape_is_told(scene):
    """What is known of SAM 3D Body: left hands come out wrong. Here, one is a right hand at the left wrist."""
    data = bodies(scene)
    place = list(POINTS_OF["left"])
    points = data["frames"][3][0]["pred_keypoints_3d"]
    points[place] = (points[place] - points[place[0]]) * [-1, 1, 1] + points[place[0]]
    landmarks = read_body_pose(data, WIDTH, HEIGHT, 8)
    assert "left hand in picture 3" in landmarks.note and landmarks.note.count("has the shape") == 1
    assert (landmarks.side_score == 0.5).nonzero()[:, 0].tolist() == [7]


def test_hands_beside_the_picture_are_left_out_and_counted(scene):
    data = bodies(scene)
    data["frames"][0][0]["pred_keypoints_2d"][list(POINTS_OF["right"])] += 3000
    landmarks = read_body_pose(data, WIDTH, HEIGHT, 8)
    assert len(landmarks) == 15 and landmarks.side[0] == "left" and "1 of the bodies' hands" in landmarks.note


def test_nobody_and_tensors_and_lists_are_read(scene):
    nobody = read_body_pose({"frames": [[], []], "image_size": [HEIGHT, WIDTH]}, WIDTH, HEIGHT, 2)
    assert len(nobody) == 0 and nobody.num_frames == 2
    data = bodies(scene)
    as_tensors = {
        **data,
        "frames": [[{k: torch.as_tensor(v) for k, v in p.items()} for p in f] for f in data["frames"]],
    }
    first, second = (read_body_pose(each, WIDTH, HEIGHT, 8) for each in (data, as_tensors))
    torch.testing.assert_close(first.keypoints_3d, second.keypoints_3d)


def without(name):
    def change(data):
        del data["frames"][0][0][name]

    return change


def to_nan(data):
    data["frames"][0][0]["pred_keypoints_3d"][5] = math.nan


def two_lenses(data):
    data["frames"][1][0]["focal_length"] = np.float32(99.0)


def no_lens(focal_length):
    def change(data):
        for [person] in data["frames"]:
            person["focal_length"] = np.float32(focal_length)

    return change


@pytest.mark.parametrize(
    "change, words",
    [(without("pred_keypoints_3d"), "pred_keypoints_3d"), (without("pred_cam_t"), "pred_cam_t"), (to_nan, "finite"),
     (two_lenses, "lenses"), (no_lens(-5), "of -5 pixels, expected more"),
     (no_lens(0), "of 0 pixels"), (lambda data: data.pop("frames"), "expected MHR_POSE_DATA"),
     (lambda data: data.update(image_size=None), "expected MHR_POSE_DATA"),
     (lambda data: data["frames"].pop(), "of 7 pictures, but image has 8")],
)  # fmt: skip
def test_what_is_no_body_is_refused(scene, change, words):
    data = bodies(scene)
    change(data)
    with pytest.raises(SesaHandError, match=words):
        read_body_pose(data, WIDTH, HEIGHT, 8)


def test_no_other_value_passes():
    for value in (None, "x", 3, [], {}, {"frames": 1, "image_size": (3, 4)}, {"frames": [3], "image_size": (3, 4)}):
        with pytest.raises(SesaHandError, match="pose_data"):
            read_body_pose(value, WIDTH, HEIGHT, 1)
