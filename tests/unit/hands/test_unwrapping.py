"""Texture coordinates of a hand that has none: the MANO-shaped one of the tests."""

import numpy as np
import pytest
import torch
from mano_fixture import mano_arrays
from PIL import Image, ImageDraw

from sesahand.hands.loading import load_hand_model
from sesahand.hands.unwrapping import unwrap


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("mano") / "MANO_RIGHT.npz"
    np.savez(path, **mano_arrays())
    return load_hand_model(str(path))


def triangles(model) -> torch.Tensor:
    return model.uv[model.uv_faces].double()


def areas(corners) -> torch.Tensor:
    one, other = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return (one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]) / 2


def test_every_face_has_a_place_in_the_unit_square(model):
    assert model.uv.min() >= 0 and model.uv.max() <= 1
    assert model.uv_faces.shape == model.faces.shape and len(model.uv) == int(model.uv_faces.max()) + 1
    assert (areas(triangles(model)).abs() > 1e-8).all()


def test_no_chart_is_mirrored_and_hardly_a_face_turned_over(model):
    area = areas(triangles(model))
    assert (area < 0).float().mean() < 0.02 and area[area < 0].abs().sum() < 0.01 * area.sum()


def test_charts_do_not_lie_over_each_other(model):
    """Painted face by face; pixels along edges belong to both."""
    size, painted = 1024, np.zeros((1024, 1024), np.int32)
    for corners in (triangles(model) * 1024).tolist():
        face = Image.new("1", (size, size))
        ImageDraw.Draw(face).polygon([tuple(corner) for corner in corners], fill=1)
        painted += np.asarray(face)
    assert 0.35 < (painted > 0).mean() < 0.9, "the square is used"
    assert (painted > 2).sum() < 0.02 * (painted > 0).sum()


def test_a_texture_is_about_as_fine_everywhere(model):
    corners = model.template[model.faces].double()
    real = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]).norm(dim=1) / 2
    scale = areas(triangles(model)).abs() / real
    low, middle, high = torch.quantile(scale, torch.tensor([0.1, 0.5, 0.9], dtype=scale.dtype))
    assert middle / low < 2.5 and high / middle < 2.5


def test_neighbours_share_their_edge_but_along_cuts(model):
    """Few vertices are doubled: seven charts, five of them cut along their length."""
    pairs = torch.unique(torch.stack([model.faces.flatten(), model.uv_faces.flatten()], 1), dim=0)
    assert len(pairs) == len(model.uv) < 1.25 * len(model.template)


def test_the_same_hand_gets_the_same_and_what_is_no_hand_gets_none(model):
    arguments = [each.numpy() for each in (model.template, model.faces, model.part_ids, model.joint_template)]
    first, second = (unwrap(*arguments, model.tips) for _ in range(2))
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))
    vertices, faces, parts, joints = arguments
    for broken in (np.zeros_like(vertices), np.ones_like(vertices)):
        assert unwrap(broken, faces, parts, joints, model.tips) is None
    assert unwrap(vertices, faces, parts, np.zeros_like(joints), model.tips) is None
