"""Hands changed where they are: the chosen ones of the chosen frames, as in a mirror, and nothing else of them."""

from dataclasses import replace

import pytest
import torch

from sesahand.errors import SesaHandError
from sesahand.hands.fingers import FingerChange
from sesahand.hands.gestures import gesture
from sesahand.hands.limits import clamp_to_limits
from sesahand.hands.loading import load_hand_model
from sesahand.hands.rotations import axis_angle_to_matrix, mirror_rotation
from sesahand.scene.camera import Camera
from sesahand.scene.changing import change_hands, chosen_hands
from sesahand.scene.hand_scene import HandScene

CAMERA = Camera.from_fov(64, 64, 40)
CHANGE = FingerChange({"index": 0.4}, {"ring": 0.5}, {"pinky": 0.8}, 0.6, 0.4)


def random_turns(generator, *shape, scale=0.3):
    return axis_angle_to_matrix(scale * torch.randn(*shape, 3, generator=generator))


def found_hands(sides, frames, num_frames, seed=0):
    """Return hands as a fit leaves them: any turn and shape, noise in every joint, some beyond the joints' limits."""
    count, generator = len(sides), torch.Generator().manual_seed(seed)
    pose = gesture("relaxed").expand(count, 15, 3, 3) @ random_turns(generator, count, 15)
    left = torch.tensor([side == "left" for side in sides])[:, None, None, None]
    return HandScene(
        load_hand_model("builtin"),
        CAMERA,
        num_frames,
        torch.tensor(frames),
        tuple(sides),
        random_turns(generator, count, scale=2.0),
        torch.where(left, mirror_rotation(pose), pose),
        torch.randn(count, 10, generator=generator),
        torch.randn(count, 3, generator=generator) + torch.tensor([0, 0, 2.0]),
        torch.rand(count, generator=generator),
    )


@pytest.fixture
def scene():
    return found_hands(["right", "left", "right", "left", "left"], [0, 0, 0, 2, 2], 3)


def everything(scene):
    return torch.ones(len(scene), dtype=torch.bool)


def test_no_change_is_the_same_hands_bit_by_bit_also_beyond_the_limits(scene):
    right = torch.where(scene.is_right[:, None, None, None], scene.hand_pose, mirror_rotation(scene.hand_pose))
    assert not torch.allclose(clamp_to_limits(right), right, atol=0.1), "some joints are beyond their limits"
    assert torch.equal(change_hands(scene, FingerChange(), everything(scene)).hand_pose, scene.hand_pose)


def test_only_the_fingers_of_chosen_hands_change(scene):
    chosen = chosen_hands(scene, "left")
    changed = change_hands(scene, CHANGE, chosen)
    for name in ("frame", "global_orient", "betas", "translation", "score"):
        assert torch.equal(getattr(changed, name), getattr(scene, name)), name
    assert (changed.side, changed.camera, changed.num_frames) == (scene.side, scene.camera, scene.num_frames)
    differs = (changed.hand_pose != scene.hand_pose).any(-1).any(-1)
    # Of the joints index 1 to 3, pinky 2 and 3, ring 1 and thumb 1 turn, and the pinky's first bends.
    assert torch.equal(differs.any(1), chosen)
    assert not differs[:, [3, 4, 5, 10, 11, 13, 14]].any()


def test_a_left_hand_does_it_as_in_a_mirror(scene):
    other = {"right": "left", "left": "right"}
    mirrored = replace(
        scene,
        side=tuple(other[side] for side in scene.side),
        hand_pose=mirror_rotation(scene.hand_pose),
        global_orient=mirror_rotation(scene.global_orient),
        translation=scene.translation * torch.tensor([-1.0, 1, 1]),
    )
    vertices, opposite = (change_hands(hands, CHANGE, everything(hands)).pose().vertices for hands in (scene, mirrored))
    assert torch.allclose(vertices * torch.tensor([-1.0, 1, 1]), opposite, atol=1e-6)


@pytest.mark.parametrize(
    ("side", "number", "indices"),
    [
        ("all", 0, [0, 1, 2, 3, 4]),
        ("right", 0, [0, 2]),
        ("left", 0, [1, 3, 4]),
        ("all", 1, [0, 3]),
        ("all", 3, [2]),
        ("left", 1, [1, 3]),
        ("left", 2, [4]),
    ],
)
def test_hands_are_chosen_by_side_and_by_number_in_each_frame(scene, side, number, indices):
    assert chosen_hands(scene, side, number).nonzero()[:, 0].tolist() == indices


@pytest.mark.parametrize(
    ("side", "number", "said"),
    [("all", 4, "4 hands"), ("right", 3, "3 right hands: there are 2 right and 3 left"), ("both", 0, "'both'")],
)
def test_a_choice_of_nothing_says_what_there_is(scene, side, number, said):
    with pytest.raises(SesaHandError, match=said):
        chosen_hands(scene, side, number)


def test_no_hands_are_no_hands():
    none = HandScene.empty(load_hand_model("builtin"), CAMERA, 2)
    changed = change_hands(none, CHANGE, chosen_hands(none, "left", 3))
    assert len(changed) == 0 and changed.num_frames == 2
