"""Single fingers in the nodes: Pose Hand as it was without them, and Adjust Fingers on hands from anywhere."""

import pytest
import torch
from sesahand_pack.nodes import fingers, hand
from sesahand_pack.sesahand.errors import SesaHandError
from sesahand_pack.sesahand.hands.fingers import FingerChange
from sesahand_pack.sesahand.hands.rotations import mirror_rotation
from sesahand_pack.sesahand.hands.shaping import shape_pose
from sesahand_pack.sesahand.scene.hand_scene import HandScene, concatenate_frames

FINGERS = ("thumb", "index", "middle", "ring", "pinky")
NEW = [*(f"{finger}_spread" for finger in FINGERS), "thumb_opposition", "thumb_twist"]


def run(node, **given):
    """Execute a node as a graph of today gives it: with all its widgets."""
    inputs = node.define_schema().inputs
    return node.execute(**{i.id: i.default for i in inputs if getattr(i, "default", None) is not None} | given).result[
        0
    ]


def run_old(**given):
    """Execute Pose Hand as a graph from before gives it: without what stands last."""
    inputs = {i.id: i.default for i in hand.PoseHand.define_schema().inputs if i.id not in NEW and not i.optional}
    return hand.PoseHand.execute(**inputs | given).result[0]


@pytest.mark.parametrize("given", [{}, {"gesture": "relaxed", "side": "left", "spread": 0.4, "jitter": 5.0}])
def test_pose_hand_is_what_it_was_where_nothing_is_said_of_single_fingers(given):
    assert [entry.id for entry in hand.PoseHand.define_schema().inputs][-len(NEW) :] == NEW
    now, before = run(hand.PoseHand, **given), run_old(**given)
    assert torch.equal(now.hand_pose, before.hand_pose) and torch.equal(now.translation, before.translation)


@pytest.mark.parametrize("name", NEW)
@pytest.mark.parametrize("side", ["right", "left"])
def test_each_new_slider_of_pose_hand_is_the_librarys_change(name, side):
    value = {name: 0.4}
    change = FingerChange(spread={name[:-7]: 0.4}) if name.endswith("_spread") else FingerChange(**value)
    expected = shape_pose("open_palm", change=change)
    found = run(hand.PoseHand, side=side, **value).hand_pose[0]
    assert torch.equal(found if side == "right" else mirror_rotation(found), expected)
    assert not torch.equal(found, run(hand.PoseHand, side=side).hand_pose[0])


@pytest.fixture
def batch():
    """Two frames, a right hand and a left one."""
    return concatenate_frames([run(hand.PoseHand, gesture="fist", side=side) for side in ("right", "left")])


@pytest.mark.parametrize(
    "given", [{}, {"strength": 0.0, "index_curl": -0.5, "thumb_twist": 1.0, "pinky_straighten": 1.0}]
)
def test_no_change_and_no_strength_are_the_hands_as_they_came(batch, given):
    assert torch.equal(run(fingers.AdjustFingers, hands=batch, **given).hand_pose, batch.hand_pose)


def test_a_finger_is_straightened_in_the_hands_that_were_asked_for(batch):
    straight = run(fingers.AdjustFingers, hands=batch, side="left", index_straighten=1.0)
    assert torch.equal(straight.hand_pose[0], batch.hand_pose[0])
    reach = [float((scene.pose().keypoints[1, 8] - scene.pose().keypoints[1, 5]).norm()) for scene in (batch, straight)]
    assert reach[0] < 0.05 < 0.06 < reach[1]
    assert torch.equal(straight.hand_pose[1, 3:], batch.hand_pose[1, 3:])


@pytest.mark.parametrize("kind", ["straighten", "curl", "spread"])
@pytest.mark.parametrize("finger", FINGERS)
def test_each_slider_moves_its_own_finger(finger, kind):
    posed, name = run(hand.PoseHand, gesture="relaxed"), f"{finger}_{kind}"
    before, after = (
        scene.pose().keypoints[0] for scene in (posed, run(fingers.AdjustFingers, hands=posed, **{name: 0.3}))
    )
    moved = (after - before).norm(dim=-1) > 1e-4
    own = 1 + 4 * FINGERS.index(finger)
    assert moved[own + 3] and not moved[:own].any() and not moved[own + 4 :].any()


def test_adjust_fingers_passes_no_hands_on_and_says_when_there_is_none_to_change(batch):
    none = HandScene.empty(batch.model, batch.camera)
    assert len(run(fingers.AdjustFingers, hands=none, side="left", index_curl=1.0)) == 0
    with pytest.raises(SesaHandError, match="2 right hands: there are 1 right"):
        run(fingers.AdjustFingers, hands=batch, side="right", number=2)
