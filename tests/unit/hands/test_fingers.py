"""Changes of single fingers: angles between bones, limits read by scipy, and nothing moved that was not named."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from sesahand.errors import SesaHandError
from sesahand.hands.builtin import load_builtin_hand
from sesahand.hands.fingers import FingerChange, change_fingers
from sesahand.hands.gestures import gesture
from sesahand.hands.limits import JOINT_LIMITS, joint_frames, joint_limits, pose_from_angles
from sesahand.hands.shaping import shape_pose
from sesahand.hands.skeleton import FINGER_JOINTS, FINGERS, MANO_JOINTS

HAND = load_builtin_hand()
FRAMES = joint_frames(HAND)
LIMITS = torch.tensor([JOINT_LIMITS[joint] for joint in MANO_JOINTS[1:]], dtype=torch.float64)
STRAIGHT = torch.eye(3).expand(15, 3, 3)
# What a float32 rotation costs, in degrees.
ROUNDING = 0.01


def joints_of(finger):
    return [joint - 1 for joint in FINGER_JOINTS[finger]]


def points_of(pose, finger):
    """Return a finger's four keypoints, knuckle to tip, `[4, 3]` metres."""
    turn, betas, place = torch.eye(3)[None], torch.zeros(1, 10), torch.zeros(1, 3)
    points = HAND(turn, pose[None], betas, place, torch.tensor([True])).keypoints[0].double()
    first = 1 + 4 * FINGERS.index(finger)
    return points[first : first + 4]


def degrees_between(one, other):
    return math.degrees(torch.atan2(torch.linalg.cross(one, other).norm(), one @ other))


def bends(pose, finger):
    """Return the angles between a finger's bones, in degrees."""
    bones = points_of(pose, finger).diff(dim=0)
    return [degrees_between(bones[0], bones[1]), degrees_between(bones[1], bones[2])]


def angles_by_scipy(pose):
    """Return flexion, abduction and twist `[..., 15, 3]` in degrees, read by other code than ours."""
    local = (FRAMES.mT @ pose @ FRAMES).double().reshape(-1, 3, 3).numpy()
    return torch.from_numpy(Rotation.from_matrix(local).as_euler("XYZ", degrees=True)).reshape(*pose.shape[:-2], 3)


def random_poses(seed, reach=1.0, count=4):
    """Return poses with angles from all over the joints' ranges, or from ranges `reach` times as wide."""
    low, high = joint_limits().unbind(-1)
    share = torch.rand(count, 15, 3, generator=torch.Generator().manual_seed(seed))
    middle, half = (low + high) / 2, reach * (high - low) / 2
    return pose_from_angles(middle + half * (2 * share - 1), FRAMES)


def random_pose(seed, reach=1.0):
    return random_poses(seed, reach, 1)[0]


@pytest.mark.parametrize("reach", [1.0, 1.5])
@pytest.mark.parametrize("finger", FINGERS)
def test_a_finger_is_straightened_and_no_other_moves(finger, reach):
    pose = random_pose(2, reach)
    straight = change_fingers(pose, FingerChange(straighten={finger: 1.0}))
    own = joints_of(finger)
    others = [joint for joint in range(15) if joint not in own]
    assert torch.equal(straight[others], pose[others])
    assert max(bends(pose, finger)) > 15
    assert bends(straight, finger) == pytest.approx(bends(STRAIGHT, finger), abs=ROUNDING)


@pytest.mark.parametrize("finger", [finger for finger in FINGERS if finger != "thumb"])
def test_a_straightened_finger_lies_in_the_palms_plane_at_its_sideways_place(finger):
    pose = random_pose(4)
    angles = angles_by_scipy(change_fingers(pose, FingerChange(straighten={finger: 1.0})))[joints_of(finger)[0]]
    assert angles[0] == pytest.approx(0, abs=ROUNDING)
    assert angles[1:].tolist() == pytest.approx(angles_by_scipy(pose)[joints_of(finger)[0], 1:].tolist(), abs=ROUNDING)


def test_half_straightened_is_half_as_bent():
    half = change_fingers(gesture("fist"), FingerChange(straighten={"index": 0.5}))
    rest = bends(STRAIGHT, "index")
    for now, before, least in zip(bends(half, "index"), bends(gesture("fist"), "index"), rest, strict=True):
        assert now == pytest.approx(before / 2, abs=0.5 + least)


@pytest.mark.parametrize("finger", ["index", "middle", "ring", "pinky"])
@pytest.mark.parametrize("curl", [0.25, 0.75, 1.0])
def test_a_curl_is_a_share_of_about_the_fists_bend_between_the_bones(finger, curl):
    found = bends(change_fingers(STRAIGHT, FingerChange(curl={finger: curl})), finger)
    assert found == pytest.approx([curl * 90, curl * 50], abs=bends(STRAIGHT, finger)[1] + 0.1)
    full = change_fingers(STRAIGHT, FingerChange(curl={finger: 1.0}))
    assert bends(full, finger) == pytest.approx(bends(gesture("fist"), finger), abs=15)


def test_a_curl_back_undoes_a_curl():
    pose = gesture("relaxed")
    there = change_fingers(pose, FingerChange(curl={"ring": 0.3}))
    assert not torch.allclose(there, pose, atol=0.1)
    assert torch.allclose(change_fingers(there, FingerChange(curl={"ring": -0.3})), pose, atol=1e-5)


@pytest.mark.parametrize("finger", FINGERS)
def test_a_curl_turns_about_the_flexion_axis_alone(finger):
    pose = random_pose(5)
    before, after = (angles_by_scipy(p) for p in (pose, change_fingers(pose, FingerChange(curl={finger: 0.2}))))
    assert torch.allclose(after[:, 1:], before[:, 1:], atol=ROUNDING)
    assert (after[joints_of(finger), 0] >= before[joints_of(finger), 0] - ROUNDING).all()
    assert (after[joints_of(finger), 0] > before[joints_of(finger), 0] + 1).any()


@pytest.mark.parametrize(
    ("finger", "spread", "neighbour", "further"),
    [
        ("thumb", 1.0, "index", True),
        ("thumb", -1.0, "index", False),
        ("index", -0.5, "middle", False),
        ("middle", 0.4, "index", False),
        ("middle", -0.4, "ring", False),
        ("ring", 0.4, "middle", True),
        ("pinky", 0.6, "ring", True),
    ],
)
def test_a_spread_is_in_steps_of_25_degrees_away_from_the_neighbour(finger, spread, neighbour, further):
    spread_out = change_fingers(STRAIGHT, FingerChange(spread={finger: spread}))

    def way(pose, name):
        points = points_of(pose, name)
        return points[3] - points[0]

    assert degrees_between(way(STRAIGHT, finger), way(spread_out, finger)) == pytest.approx(25 * abs(spread), abs=0.5)
    gaps = [degrees_between(way(pose, finger), way(pose, neighbour)) for pose in (STRAIGHT, spread_out)]
    assert (gaps[1] > gaps[0] + 1) == further and (gaps[1] < gaps[0] - 1) != further


def test_fingers_can_be_crossed():
    crossed = change_fingers(gesture("victory"), FingerChange(spread={"index": -1.0, "middle": 1.0}))

    def sideways(finger):
        return float(points_of(crossed, finger)[3, 2])

    # The thumb's side is z: at the knuckles the index finger is further there, at the tips the middle finger.
    assert points_of(crossed, "index")[0, 2] > points_of(crossed, "middle")[0, 2]
    assert sideways("middle") > sideways("index")


def test_opposition_brings_the_thumb_before_the_palm_and_towards_the_pinky():
    wrist_to = {finger: points_of(STRAIGHT, finger)[0] for finger in ("index", "pinky")}
    palm = torch.nn.functional.normalize(torch.linalg.cross(wrist_to["index"], wrist_to["pinky"]), dim=0)

    def tip(opposition):
        return points_of(shape_pose("relaxed", change=FingerChange(thumb_opposition=opposition)), "thumb")[3]

    heights = [float(tip(amount) @ palm) for amount in (-1, -0.5, 0, 0.5, 1)]
    ways = [float((tip(amount) - wrist_to["pinky"]).norm()) for amount in (-1, -0.5, 0, 0.5, 1)]
    assert heights == sorted(heights) and heights[-1] - heights[2] > 0.03
    assert ways == sorted(ways, reverse=True) and ways[2] - ways[-1] > 0.015


def test_a_twist_turns_the_bent_thumb_about_its_first_bone():
    pose = change_fingers(STRAIGHT, FingerChange(curl={"thumb": 0.6}))
    twisted = change_fingers(pose, FingerChange(thumb_twist=1.0))
    planes, bones = [], []
    for hand in (pose, twisted):
        bone, _, last = points_of(hand, "thumb").diff(dim=0)
        planes.append(torch.linalg.cross(bone, last))
        bones.append(bone)
    assert degrees_between(*bones) < ROUNDING
    assert degrees_between(*planes) == pytest.approx(30, abs=0.1)
    # The pad turns to the palm: the bent tip gets nearer to the back of the hand, which is y.
    assert points_of(twisted, "thumb")[3, 1] > points_of(pose, "thumb")[3, 1] + 0.005


SHARES = st.floats(-1, 1, width=32)
CHANGES = st.builds(
    FingerChange,
    curl=st.dictionaries(st.sampled_from(FINGERS), SHARES),
    spread=st.dictionaries(st.sampled_from(FINGERS), SHARES),
    straighten=st.dictionaries(st.sampled_from(FINGERS), st.floats(0, 1, width=32)),
    thumb_opposition=SHARES,
    thumb_twist=SHARES,
)


@settings(max_examples=125, deadline=None)
@given(CHANGES, st.integers(0, 2**31))
def test_no_change_of_four_poses_leaves_the_joint_limits(change, seed):
    angles = angles_by_scipy(change_fingers(random_poses(seed), change, FRAMES))
    assert (angles >= LIMITS[..., 0] - ROUNDING).all() and (angles <= LIMITS[..., 1] + ROUNDING).all()


@settings(max_examples=50, deadline=None)
@given(CHANGES, st.integers(0, 2**31))
def test_joints_beyond_their_limits_get_no_further_out(change, seed):
    pose = random_poses(seed, 1.4)
    before, after = angles_by_scipy(pose), angles_by_scipy(change_fingers(pose, change, FRAMES))
    assert (after >= torch.minimum(before, LIMITS[..., 0]) - ROUNDING).all()
    assert (after <= torch.maximum(before, LIMITS[..., 1]) + ROUNDING).all()


@pytest.mark.parametrize("reach", [1.0, 1.4])
def test_no_change_is_the_same_pose_bit_by_bit(reach):
    pose = random_poses(0, reach, 20)
    assert torch.equal(change_fingers(pose, FingerChange()), pose)
    everything = FingerChange({"index": 0.5}, {"ring": -0.5}, {"pinky": 1.0}, 0.5, 0.5)
    assert torch.equal(change_fingers(pose, everything.scaled(0.0)), pose)


def test_a_share_of_a_change_is_that_share_of_its_angles():
    pose, change = STRAIGHT, FingerChange({"index": 0.8}, {"ring": 0.4}, {}, 0.6, 0.4)
    half, whole = (angles_by_scipy(change_fingers(pose, change.scaled(share))) for share in (0.5, 1.0))
    assert torch.allclose(half, whole / 2, atol=ROUNDING)


def test_poses_of_any_batch_change_as_each_alone():
    poses = random_poses(1, count=6).reshape(2, 3, 15, 3, 3)
    change = FingerChange({"index": 0.5}, {"ring": -0.5}, {"pinky": 1.0}, 0.5, 0.5)
    alone = torch.stack([change_fingers(pose, change) for pose in poses.flatten(0, 1)])
    assert torch.allclose(change_fingers(poses, change).flatten(0, 1), alone, atol=1e-6)


@pytest.mark.parametrize(
    "said",
    [
        {"curl": {"toe": 0.5}},
        {"curl": {"index": 1.5}},
        {"spread": {"index": float("nan")}},
        {"straighten": {"index": -0.5}},
        {"thumb_opposition": 1.1},
        {"thumb_twist": float("inf")},
    ],
)
def test_what_is_no_finger_or_out_of_range_is_refused(said):
    with pytest.raises(SesaHandError):
        FingerChange(**said)


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_a_strength_out_of_range_is_refused(strength):
    with pytest.raises(SesaHandError, match="strength"):
        FingerChange().scaled(strength)
