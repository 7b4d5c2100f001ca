"""The built-in hand is a sound mesh in MANO's rest frame with a usable skeleton and shape space."""

import pytest
import torch

from sesahand.errors import InvalidFileError
from sesahand.hands import builtin
from sesahand.hands.builtin import ASSET, load_builtin_hand
from sesahand.hands.contact import winding_number
from sesahand.hands.mesh import boundary_loops, close_boundary
from sesahand.hands.skeleton import FINGER_JOINTS, FINGERS, MANO_JOINTS


@pytest.fixture(scope="module")
def hand():
    return load_builtin_hand()


def euler_characteristic(faces):
    edges = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).sort(1).values
    return len(faces.unique()) - len(edges.unique(dim=0)) + len(faces)


def volume(vertices, faces):
    a, b, c = vertices[faces].double().unbind(1)
    return float((a * torch.linalg.cross(b, c)).sum() / 6)


def test_asset_is_at_most_400_kb():
    assert ASSET.stat().st_size <= 400_000


def test_hand_is_a_disc_open_at_the_wrist_and_forearm_closes_it(hand):
    alone = hand.faces_for("right")
    (loop,) = boundary_loops(alone)
    assert len(loop) == 20 and euler_characteristic(alone) == 1
    assert alone.max() < hand.num_hand_vertices
    assert boundary_loops(hand.faces) == [] and euler_characteristic(hand.faces) == 2
    assert hand.has_forearm and len(hand.faces.unique()) == len(hand.template)


@pytest.mark.parametrize("side", ["right", "left"])
def test_closing_the_wrist_gives_a_closed_outward_surface(hand, side):
    faces = hand.faces_for(side, closed=True)
    vertices = hand.template if side == "right" else hand.template * torch.tensor([-1.0, 1, 1])
    assert euler_characteristic(faces) == 2 and boundary_loops(faces) == []
    assert 3e-4 < volume(vertices, faces) < 5e-4  # cubic metres; an adult's hand has about 0.4 litres
    assert len(hand.part_ids_for(closed=True)) == len(faces)
    assert torch.equal(close_boundary(faces), faces)


def test_rest_pose_is_mano_s(hand):
    joints = dict(zip(MANO_JOINTS, hand.joint_template, strict=True))
    assert torch.equal(joints["wrist"], torch.zeros(3))
    assert float(hand.joint_shapedirs[0].abs().max()) < 1e-7
    for finger in FINGERS[1:]:
        reach = hand.template[hand.tips[FINGERS.index(finger)]] - joints[f"{finger}1"]
        assert reach[0] < -0.05 and abs(reach[1]) < 0.004, "fingers point along -x, level with the palm"
    assert hand.template[hand.tips[0], 2] > 0.07, "the thumb is on the +z side"
    assert joints["pinky1"][2] < joints["ring1"][2] < joints["middle1"][2] < joints["index1"][2]
    # Nails are on the +y side: the thenar makes the palm's side bulge towards -y.
    palm = hand.template[: hand.num_hand_vertices]
    assert palm[:, 1].min() < -0.03 and palm[:, 1].max() < 0.03
    assert 0.17 < float(hand.template[hand.tips[2]].norm()) < 0.21, "wrist to middle fingertip of an adult"


def test_joints_lie_inside_the_skin(hand):
    inside = winding_number(hand.joint_template, hand.template[hand.faces])
    assert torch.allclose(inside, torch.ones(16), atol=1e-3)


def test_skin_weights_are_convex(hand):
    assert hand.weights.min() >= 0
    assert torch.allclose(hand.weights.sum(1), torch.ones(len(hand.weights)), atol=1e-6)
    assert torch.equal(
        hand.weights[hand.num_hand_vertices :, 0], torch.ones(len(hand.template) - hand.num_hand_vertices)
    )


def test_every_part_is_one_piece_and_covers_its_joint(hand):
    parts, faces = hand.part_ids_for(), hand.faces_for("right")
    assert parts.unique().tolist() == list(range(16))
    for finger, joints in FINGER_JOINTS.items():
        for nearer, further in zip(joints, joints[1:], strict=False):
            along = hand.joint_template[further] - hand.joint_template[nearer]
            near, far = (hand.template[faces[parts == joint]].mean((0, 1)) for joint in (nearer, further))
            assert (far - near) @ along > 0, f"{finger}'s parts are in order"
    for joint in range(16):
        assert count_pieces(faces[parts == joint]) == 1


def count_pieces(faces):
    label = {v: v for v in faces.unique().tolist()}

    def root(v):
        while label[v] != v:
            v = label[v]
        return v

    for a, b, c in faces.tolist():
        label[root(b)] = root(a)
        label[root(c)] = root(a)
    return len({root(v) for v in label})


def test_betas_are_of_sensible_size_and_keep_the_hand_whole(hand):
    middle = hand.template[hand.tips[2]]
    longer = middle + hand.shapedirs[hand.tips[2], :, 0]
    assert 1.05 < float(longer.norm() / middle.norm()) < 1.12, "the first beta is size, one deviation each"
    mean_size = hand.shapedirs[: hand.num_hand_vertices].norm(dim=1).mean(0)
    assert (mean_size[:-1] >= mean_size[1:] - 1e-4).all(), "components come in order of what they explain"
    for k in range(10):
        for sign in (-3, 3):
            shaped = hand.template + sign * hand.shapedirs[..., k]
            assert 1e-4 < volume(shaped, hand.faces) < 2e-3
            joints = hand.joint_template + sign * hand.joint_shapedirs[..., k]
            assert torch.allclose(winding_number(joints, shaped[hand.faces]), torch.ones(16), atol=1e-3)


def test_texture_coordinates_fill_the_unit_square_without_degenerate_faces(hand):
    assert hand.uv.min() >= 0 and hand.uv.max() <= 1
    assert hand.uv_faces.shape == hand.faces.shape and int(hand.uv_faces.max()) == len(hand.uv) - 1
    a, b, c = hand.uv[hand.uv_faces].unbind(1)
    area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    assert (area.abs() > 1e-8).all()


def test_damaged_asset_says_what_to_do(tmp_path, monkeypatch):
    broken = tmp_path / "hand.safetensors"
    broken.write_bytes(ASSET.read_bytes()[:1000])
    monkeypatch.setattr(builtin, "ASSET", broken)
    with pytest.raises(InvalidFileError, match="Reinstall"):
        load_builtin_hand()
