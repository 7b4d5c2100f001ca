"""The gesture library keeps within the joints' ranges and out of itself; poses compose, blend and vary as promised."""

import math

import pytest
import torch

from sesahand.errors import SesaHandError
from sesahand.hands.builtin import load_builtin_hand
from sesahand.hands.contact import distance_to_triangles, gap, part_surfaces, penetration_depths, winding_number
from sesahand.hands.gestures import gesture, gesture_names, load_gestures
from sesahand.hands.limits import angles_from_pose, clamp_to_limits, joint_frames, joint_limits, pose_from_angles
from sesahand.hands.pose import blend, compose_pose, jitter
from sesahand.hands.rotations import mirror_rotation
from sesahand.hands.skeleton import FINGER_JOINTS, FINGERS, MANO_JOINTS

# Soft tissue gives this much under a light touch, in metres; the built-in hand's skin does not.
SOFT_CONTACT = 0.0025
TOUCHING_GAP = 0.003

REQUIRED = {
    "open_palm", "relaxed", "fist", "point", "victory", "three", "four", "thumbs_up", "ok", "pinch", "call_me", "horns",
    "grasp_cylinder", "grasp_sphere", "hold_pen", "hold_phone", "hook", "flat_stop",
}  # fmt: skip


@pytest.fixture(scope="module")
def hand():
    return load_builtin_hand()


@pytest.fixture(scope="module")
def frames(hand):
    return joint_frames(hand)


def posed(hand, hand_pose, right=True):
    identity = torch.eye(3)
    side = torch.tensor([right])
    return hand(identity[None], hand_pose[None], torch.zeros(1, 10), torch.zeros(1, 3), side)


def test_library_holds_the_promised_gestures():
    assert set(gesture_names()) >= REQUIRED


@pytest.mark.parametrize("name", gesture_names())
def test_gesture_is_a_set_of_rotations_within_the_joint_limits(name, frames):
    pose = gesture(name)
    assert torch.allclose(pose @ pose.mT, torch.eye(3).expand(15, 3, 3), atol=1e-5)
    angles = torch.rad2deg(angles_from_pose(pose, frames))
    low, high = torch.rad2deg(joint_limits()).unbind(-1)
    assert (angles >= low - 0.1).all() and (angles <= high + 0.1).all()


@pytest.mark.parametrize("name", gesture_names())
def test_no_part_goes_into_another_and_touching_fingers_touch(name, hand):
    vertices = posed(hand, gesture(name)).vertices[0]
    depths = penetration_depths(hand, vertices)
    worst = max(depths, key=depths.get)
    assert depths[worst] < SOFT_CONTACT, worst
    for first, second in load_gestures()[name].touching:
        assert gap(hand, vertices, first, second) < TOUCHING_GAP
    # A left hand takes the mirrored pose and is the exact mirror image, so both measures hold for it as well.
    left = posed(hand, gesture(name, "left"), right=False).vertices[0]
    assert torch.equal(left * torch.tensor([-1.0, 1, 1]), vertices)


def test_penetration_measure_sees_a_finger_in_the_palm_and_a_thumb_through_a_finger(hand, frames):
    angles = angles_from_pose(gesture("open_palm"), frames)
    angles[[joint - 1 for joint in FINGER_JOINTS["middle"]], 0] = torch.deg2rad(torch.tensor([90.0, 110.0, 90.0]))
    depths = penetration_depths(hand, posed(hand, pose_from_angles(angles, frames)).vertices[0])
    assert depths["middle", "palm"] > 0.005
    crossed = gesture("ok").clone()
    crossed[12] = gesture("fist")[12]
    crossed[:3] = gesture("fist")[:3]
    rest = penetration_depths(hand, hand.template[: hand.num_hand_vertices])
    assert max(rest.values()) == 0


def test_contact_primitives_agree_with_a_known_cube():
    trimesh = pytest.importorskip("trimesh")
    box = trimesh.creation.box((2, 2, 2))
    triangles = torch.tensor(box.triangles, dtype=torch.float64)
    points = torch.tensor([[0, 0, 0], [0.5, 0, 0], [3, 0, 0], [2, 2, 0], [2, 2, 2]], dtype=torch.float64)
    expected = torch.tensor([1, 0.5, 2, 2**0.5, 3**0.5], dtype=torch.float64)
    assert torch.allclose(distance_to_triangles(points, triangles), expected)
    assert torch.allclose(winding_number(points, triangles), torch.tensor([1, 1, 0, 0, 0]).double(), atol=1e-9)


def test_part_surfaces_are_closed(hand):
    for skin, caps in part_surfaces(hand, hand.template[: hand.num_hand_vertices]).values():
        # The area vectors of a closed surface add up to nothing.
        a, b, c = torch.cat([skin, caps]).double().unbind(1)
        assert torch.linalg.cross(b - a, c - a).sum(0).norm() < 1e-9


def test_joint_frames_bend_inwards(hand, frames):
    assert torch.allclose(frames.mT @ frames, torch.eye(3).expand(15, 3, 3), atol=1e-5)
    assert torch.allclose(torch.linalg.det(frames), torch.ones(15), atol=1e-5)
    tips = posed(hand, torch.eye(3).expand(15, 3, 3)).keypoints[0, 4::4]
    for k, finger in enumerate(FINGERS):
        angles = torch.zeros(15, 3)
        angles[FINGER_JOINTS[finger][0] - 1, 0] = 0.5
        moved = posed(hand, pose_from_angles(angles, frames)).keypoints[0, 4::4] - tips
        assert moved[k, 2 if finger == "thumb" else 1] < -0.02, f"flexion brings the {finger} in"
        angles[FINGER_JOINTS[finger][0] - 1] = torch.tensor([0.0, 0.3, 0.0])
        moved = posed(hand, pose_from_angles(angles, frames)).keypoints[0, 4::4] - tips
        assert moved[k, 1] < -0.01 if finger == "thumb" else moved[k, 2] > 0.01, f"abduction of the {finger}"


def test_angles_and_rotations_invert_each_other(frames):
    low, high = joint_limits().unbind(-1)
    angles = low + (high - low) * torch.rand(50, 15, 3, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(angles_from_pose(pose_from_angles(angles, frames), frames), angles, atol=1e-5)


def test_clamping_brings_any_pose_within_limits_and_leaves_good_ones(frames):
    angles = 2 * torch.randn(20, 15, 3, generator=torch.Generator().manual_seed(1))
    clamped = angles_from_pose(clamp_to_limits(pose_from_angles(angles, frames)), frames)
    low, high = joint_limits().unbind(-1)
    assert (clamped >= low - 1e-4).all() and (clamped <= high + 1e-4).all()
    for name in gesture_names():
        assert torch.allclose(clamp_to_limits(gesture(name)), gesture(name), atol=2e-3)


@pytest.mark.parametrize("finger", FINGERS)
def test_curl_goes_from_straight_to_fist_and_moves_one_finger_only(finger, frames):
    own = [joint - 1 for joint in FINGER_JOINTS[finger]]
    others = [joint for joint in range(15) if joint not in own]
    straight, half, full = (compose_pose("open_palm", {finger: value}) for value in (0.0, 0.5, 1.0))
    assert torch.equal(half[others], gesture("open_palm")[others])
    assert torch.allclose(straight[own], torch.eye(3).expand(3, 3, 3), atol=1e-5)
    assert torch.allclose(full[own], gesture("fist")[own], atol=1e-4)
    bend = [float(angles_from_pose(pose, frames)[own, 0].sum()) for pose in (straight, half, full)]
    assert bend[0] < bend[1] < bend[2] and math.isclose(2 * bend[1], bend[0] + bend[2], abs_tol=1e-4)


def test_spread_is_signed_and_fans_fingers_out(hand):
    def distance(amount):
        pose = compose_pose("open_palm", spread={"index": amount, "pinky": amount})
        points = posed(hand, pose).keypoints[0]
        return float((points[8] - points[20]).norm())

    assert distance(-0.8) < distance(0) < distance(0.8)
    assert torch.equal(compose_pose("ok"), gesture("ok"))


@pytest.mark.parametrize("t", [0.0, 0.25, 1.0])
def test_blend_divides_the_rotation_angle(t):
    first, second = gesture("open_palm"), gesture("fist")
    between = blend(first, second, t)

    def angle(a, b):
        return torch.acos((((a.mT @ b).diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2).clamp(-1, 1))

    assert torch.allclose(angle(first, between), t * angle(first, second), atol=2e-3)
    assert torch.allclose(angle(between, second), (1 - t) * angle(first, second), atol=2e-3)


def test_jitter_is_seeded_within_limits_and_leaves_the_global_generator_alone(frames):
    torch.manual_seed(7)
    before = torch.get_rng_state()
    first, again, other = (jitter(gesture("relaxed"), 8, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, again) and not torch.allclose(first, other, atol=1e-3)
    many = jitter(gesture("relaxed").expand(400, 15, 3, 3), 5, 3)
    angles = torch.rad2deg(angles_from_pose(many, frames))
    assert angles[:, 3, 0].std() == pytest.approx(5, rel=0.15)
    low, high = torch.rad2deg(joint_limits()).unbind(-1)
    assert (angles >= low - 0.01).all() and (angles <= high + 0.01).all()
    assert torch.equal(jitter(gesture("ok"), 0, 1), gesture("ok"))


def test_a_mirrored_pose_is_that_of_the_other_side():
    assert torch.equal(gesture("ok", "left"), mirror_rotation(gesture("ok")))


@pytest.mark.parametrize(("asked", "hint"), [("fsit", "fist"), ("thumb up", "thumbs_up")])
def test_unknown_gesture_is_answered_with_the_closest_and_all_names(asked, hint):
    with pytest.raises(SesaHandError, match=f"Did you mean '{hint}'.*open_palm.*hold_phone"):
        gesture(asked)


def test_gesture_names_are_read_leniently():
    assert torch.equal(gesture("Thumbs-Up"), gesture("thumbs_up"))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: compose_pose("fist", {"toe": 0.5}), "thumb, index, middle, ring, pinky"),
        (lambda: compose_pose("fist", {"index": 1.5}), "goes from 0 to 1"),
        (lambda: compose_pose("fist", {"index": float("nan")}), "goes from 0 to 1"),
        (lambda: compose_pose("fist", None, {"index": -2}), "goes from -1 to 1"),
        (lambda: jitter(gesture("fist"), -1, 0), "zero or a positive"),
        (lambda: gesture("fist", "both"), "'right' or 'left'"),
    ],
)
def test_values_out_of_range_are_refused(call, message):
    with pytest.raises(SesaHandError, match=message):
        call()


def test_limits_name_every_joint():
    assert joint_limits().shape == (len(MANO_JOINTS) - 1, 3, 2)
    assert (joint_limits()[..., 0] < joint_limits()[..., 1]).all()
