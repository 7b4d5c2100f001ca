"""Hands closed on objects: contact and depth, measured on the surface that is drawn, for objects of several sizes."""

import pytest
import torch

from sesahand.errors import SesaHandError
from sesahand.hands.builtin import load_builtin_hand
from sesahand.hands.contact import distance_to_triangles, part_faces, penetration_depths, winding_number
from sesahand.hands.gripping import GRASPS, grip
from sesahand.hands.limits import angles_from_pose, joint_frames, joint_limits
from sesahand.hands.objects import OBJECTS, object_mesh

MODEL = load_builtin_hand()
SIZES = {"sphere": 1.4, "cylinder": 0.7, "box": 1.2, "cup": 1.0, "phone": 1.0, "pen": 1.0, "tool": 0.7}


def skin_and_object(held, kind, size):
    """Return the hand's vertices and the object's triangles around the wrist joint, metres, float64."""
    posed = MODEL(
        torch.eye(3)[None], held.hand_pose[None], torch.zeros(1, 10), torch.zeros(1, 3), torch.ones(1, dtype=torch.bool)
    )
    vertices, faces = object_mesh(kind)
    placed = size * vertices @ held.orient.T + held.position
    return (posed.vertices[0] - posed.keypoints[0, 0]).double(), placed[faces].double()


def test_every_object_has_a_grasp_and_is_gripped_here():
    assert list(GRASPS) == list(OBJECTS) == list(SIZES)


@pytest.mark.parametrize("kind", OBJECTS)
def test_named_fingers_touch_the_object_and_nothing_goes_into_it(kind):
    held = grip(MODEL, kind, SIZES[kind])
    skin, triangles = skin_and_object(held, kind, SIZES[kind])
    parts = part_faces(MODEL)
    for finger in GRASPS[kind].fingers:
        gap = distance_to_triangles(skin[parts[finger].unique()], triangles).min()
        assert gap < 1e-3, finger
        assert float(gap) == pytest.approx(held.gaps[finger], abs=4e-4)
    near = skin[((skin > triangles.amin((0, 1))) & (skin < triangles.amax((0, 1)))).all(1)]
    inside = near[winding_number(near, triangles) > 0.5]
    assert not len(inside) or distance_to_triangles(inside, triangles).max() < 1e-3
    assert held.missing == () and held.depth < 1e-3


def depths_in_itself(held):
    """How deep each part of a hand that holds something is in each other part, in metres."""
    posed = MODEL(
        torch.eye(3)[None], held.hand_pose[None], torch.zeros(1, 10), torch.zeros(1, 3), torch.ones(1, dtype=torch.bool)
    )
    return penetration_depths(MODEL, posed.vertices[0])


@pytest.mark.parametrize(("kind", "size"), [("sphere", 0.7), ("cylinder", 0.7), ("tool", 1.0)])
def test_fingers_stay_out_of_each_other_around_small_things(kind, size):
    held = grip(MODEL, kind, size)
    assert {pair: depth for pair, depth in depths_in_itself(held).items() if depth > 1e-3} == {}
    assert held.self_depth < 1e-3


def test_a_grip_says_how_deep_the_hand_is_in_itself():
    held = grip(MODEL, "phone", 0.5)
    assert held.self_depth > 1e-3
    assert held.self_depth == pytest.approx(max(depths_in_itself(held).values()), abs=1e-5)


def test_a_larger_object_is_held_by_a_more_open_hand_within_what_joints_can_do():
    frames = joint_frames(MODEL)
    small, large = (angles_from_pose(grip(MODEL, "cylinder", size).hand_pose, frames) for size in (0.7, 1.2))
    index = [0, 1, 2]
    assert small[index, 0].sum() > large[index, 0].sum() + 0.3
    for angles in (small, large):
        assert (angles[:, 0] > joint_limits()[:, 0, 0] - 1e-3).all()
        assert (angles[:, 0] < joint_limits()[:, 0, 1] + 1e-3).all()


def test_a_finger_that_does_not_reach_is_named():
    held = grip(MODEL, "tool", 0.5)
    for finger in GRASPS["tool"].fingers:
        assert (finger in held.missing) == (held.gaps[finger] > 1e-3)


@pytest.mark.parametrize(("kind", "size"), [("anvil", 1.0), ("cup", 0.0), ("cup", float("nan")), ("cup", 5.0)])
def test_what_no_hand_holds_is_refused(kind, size):
    with pytest.raises(SesaHandError, match="object"):
        grip(MODEL, kind, size)
