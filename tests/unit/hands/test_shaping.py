"""Varying a gesture: every slider does what it says and nothing else."""

import pytest
import torch

from sesahand.errors import SesaHandError
from sesahand.hands.builtin import load_builtin_hand
from sesahand.hands.gestures import gesture, gesture_names
from sesahand.hands.shaping import shape_pose
from sesahand.hands.skeleton import FINGER_JOINTS, FINGERS


@pytest.fixture(scope="module")
def model():
    return load_builtin_hand()


def keypoints(model, pose):
    eye, zero = torch.eye(3)[None], torch.zeros(1, 3)
    return model(eye, pose[None], torch.zeros(1, 10), zero, torch.tensor([True])).keypoints[0]


def reach(model, pose, finger):
    """Return the distance from a finger's first joint to its tip, metres: short when it is bent."""
    points = keypoints(model, pose)
    first = 1 + 4 * FINGERS.index(finger)
    return float((points[first + 3] - points[first]).norm())


@pytest.mark.parametrize("name", gesture_names())
def test_settings_at_zero_are_the_gesture_itself(name):
    assert torch.equal(shape_pose(name, "fist", 0.0, dict.fromkeys(FINGERS, 0.0)), gesture(name))


@pytest.mark.parametrize("finger", FINGERS)
def test_bending_goes_steadily_to_the_fist_and_back_to_straight(model, finger):
    lengths = [reach(model, shape_pose("relaxed", bend={finger: b}), finger) for b in (-1, -0.5, 0, 0.5, 1)]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] - lengths[-1] > 0.008


@pytest.mark.parametrize("finger", FINGERS)
def test_bending_one_finger_leaves_the_others_alone(finger):
    bent, base = shape_pose("relaxed", bend={finger: 0.7}), gesture("relaxed")
    own = [joint - 1 for joint in FINGER_JOINTS[finger]]
    others = [joint for joint in range(15) if joint not in own]
    assert torch.equal(bent[others], base[others]) and not torch.equal(bent[own], base[own])


def test_spread_moves_fingertips_apart_and_together(model):
    def width(spread):
        points = keypoints(model, shape_pose("open_palm", spread=spread))
        return float((points[8] - points[20]).norm())

    assert width(-1) < width(0) < width(1)


def test_mixing_ends_at_the_second_gesture():
    assert torch.allclose(shape_pose("open_palm", "fist", 1.0), gesture("fist"), atol=1e-5)
    halfway = shape_pose("open_palm", "fist", 0.5)
    assert not torch.allclose(halfway, gesture("fist"), atol=0.1)


def test_the_seed_decides_the_variation_and_the_global_generator_is_left_alone():
    state = torch.get_rng_state()
    first, again = (shape_pose("relaxed", jitter_degrees=5.0, seed=2**64 - 1) for _ in range(2))
    assert torch.equal(first, again) and torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(first, shape_pose("relaxed", jitter_degrees=5.0, seed=1))


@pytest.mark.parametrize(
    "settings",
    [{"bend": {"index": 0.6}, "spread": 0.3}, {"jitter_degrees": 8.0, "seed": 3}, {"second": "fist", "share": 0.3}],
)
def test_results_are_rotations(settings):
    pose = shape_pose("claw", **settings).double()
    assert torch.allclose(pose @ pose.mT, torch.eye(3, dtype=torch.float64).expand_as(pose), atol=1e-5)
    assert (torch.linalg.det(pose) > 0.999).all()


@pytest.mark.parametrize(
    "settings",
    [
        {"base": "no_such"},
        {"base": "fist", "second": "no_such", "share": 0.5},
        {"base": "fist", "bend": {"toe": 0.5}},
        {"base": "fist", "bend": {"index": float("nan")}},
        {"base": "fist", "spread": 1.5},
        {"base": "fist", "jitter_degrees": -1.0},
    ],
)
def test_what_does_not_exist_is_refused(settings):
    with pytest.raises(SesaHandError):
        shape_pose(**settings)
