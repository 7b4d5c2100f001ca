"""Linear blend skinning: exact mirroring, derivatives, rigid motion, and refusal of bad input."""

import pytest
import torch

from sesahand.errors import SesaHandError
from sesahand.hands.builtin import load_builtin_hand
from sesahand.hands.rotations import axis_angle_to_matrix, mirror_rotation
from sesahand.hands.skeleton import KEYPOINT_BONES


@pytest.fixture(scope="module")
def hand():
    return load_builtin_hand()


def parameters(count, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=dtype)

    return {
        "global_orient": axis_angle_to_matrix(normal(count, 3)),
        "hand_pose": axis_angle_to_matrix(0.4 * normal(count, 15, 3)),
        "betas": normal(count, 10),
        "translation": 0.1 * normal(count, 3),
    }


RIGHT, LEFT = torch.ones(4, dtype=torch.bool), torch.zeros(4, dtype=torch.bool)


def test_left_hand_is_the_exact_mirror_image(hand):
    right = parameters(4)
    mirror = torch.tensor([-1.0, 1.0, 1.0])
    left = {
        "global_orient": mirror_rotation(right["global_orient"]),
        "hand_pose": mirror_rotation(right["hand_pose"]),
        "betas": right["betas"],
        "translation": right["translation"] * mirror,
    }
    a, b = hand(**right, is_right=RIGHT, forearm=True), hand(**left, is_right=LEFT, forearm=True)
    assert torch.equal(a.vertices * mirror, b.vertices)
    assert torch.equal(a.keypoints * mirror, b.keypoints)


def test_zero_pose_is_the_template(hand):
    identity = torch.eye(3)
    posed = hand(
        identity[None], identity.expand(1, 15, 3, 3), torch.zeros(1, 10), torch.zeros(1, 3), RIGHT[:1], forearm=True
    )
    assert torch.allclose(posed.vertices[0], hand.template, atol=1e-7)


def test_global_motion_is_rigid_about_the_wrist(hand):
    moved = parameters(4)
    still = moved | {"global_orient": torch.eye(3).expand(4, 3, 3), "translation": torch.zeros(4, 3)}
    a, b = hand(**still, is_right=RIGHT), hand(**moved, is_right=RIGHT)
    wrist = a.keypoints[:, :1]
    expected = torch.einsum("nab,nvb->nva", moved["global_orient"], a.vertices - wrist) + wrist
    assert torch.allclose(b.vertices, expected + moved["translation"][:, None], atol=1e-6)


def test_bending_keeps_bone_lengths(hand):
    posed = parameters(4) | {"betas": torch.zeros(4, 10)}
    flat = posed | {"hand_pose": torch.eye(3).expand(4, 15, 3, 3)}

    def lengths(values):
        points = hand(**values, is_right=RIGHT).keypoints
        inner = [bone for bone in KEYPOINT_BONES if bone[1] % 4]
        return torch.stack([(points[:, a] - points[:, b]).norm(dim=-1) for a, b in inner], 1)

    assert torch.allclose(lengths(posed), lengths(flat), atol=1e-6)


def test_forearm_only_appends_vertices(hand):
    values = parameters(4)
    without, with_forearm = hand(**values, is_right=RIGHT), hand(**values, is_right=RIGHT, forearm=True)
    assert without.vertices.shape[1] == hand.num_hand_vertices
    assert torch.equal(with_forearm.vertices[:, : hand.num_hand_vertices], without.vertices)
    assert torch.equal(with_forearm.keypoints, without.keypoints)


@pytest.mark.parametrize("side", [True, False])
def test_derivatives_agree_with_finite_differences(hand, side):
    double = hand.to(torch.float64)
    values = parameters(1, seed=3, dtype=torch.float64)
    pose = (0.3 * torch.randn(15, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64)).requires_grad_()
    orient = torch.zeros(3, dtype=torch.float64, requires_grad=True)

    def keypoints(orient, pose, betas, translation):
        rotations = axis_angle_to_matrix(torch.cat([orient[None], pose]))
        posed = double(rotations[:1], rotations[None, 1:], betas, translation, torch.tensor([side]))
        return posed.keypoints, posed.vertices[:, ::97]

    inputs = (orient, pose, values["betas"].requires_grad_(), values["translation"].requires_grad_())
    assert torch.autograd.gradcheck(keypoints, inputs, eps=1e-6, atol=1e-6)


def test_casting_keeps_integer_arrays_and_no_hands_give_empty_arrays(hand):
    half = hand.to(torch.float16)
    assert half.template.dtype == torch.float16 and half.faces.dtype == torch.int64
    nobody = {name: value[:0] for name, value in parameters(1).items()}
    posed = hand(**nobody, is_right=RIGHT[:0])
    assert posed.vertices.shape == (0, hand.num_hand_vertices, 3) and posed.keypoints.shape == (0, 21, 3)


@pytest.mark.parametrize("name", ["global_orient", "hand_pose", "betas", "translation"])
def test_bad_parameters_are_refused_by_name(hand, name):
    values = parameters(2)
    with pytest.raises(SesaHandError, match=f"{name} has shape"):
        hand(**(values | {name: values[name][..., :1]}), is_right=RIGHT[:2])
    spoiled = values[name].clone()
    spoiled.view(-1)[0] = float("nan")
    with pytest.raises(SesaHandError, match=f"{name} holds NaN"):
        hand(**(values | {name: spoiled}), is_right=RIGHT[:2])
