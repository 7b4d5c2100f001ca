"""Our skinning against smplx, the reference implementation of MANO, on the same arrays."""

import numpy as np
import pytest
import torch
from mano_fixture import mano_arrays, write_mano
from safetensors.numpy import load_file

from sesahand.hands.mano import convert_mano, load_mano, pose_from_pca
from sesahand.hands.rotations import axis_angle_to_matrix
from sesahand.hands.skeleton import MANO_TIP_VERTICES, OPENPOSE_FROM_MANO

smplx = pytest.importorskip("smplx")

COUNT = 32
# smplx rounds the arrays it reads to float32 whatever its dtype, so that a double precision layer is off by that much.
TOLERANCE = {torch.float32: 1e-6, torch.float64: 3e-8}


def reference(arrays: dict, layer, dtype, **options):
    """Build one of smplx's layers from arrays under MANO's official keys."""
    from smplx.utils import Struct

    return layer("MANO", data_struct=Struct(**arrays), dtype=dtype, **options)


def random_hands(dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Draw poses of up to a half turn about any axis, shapes and places."""
    generator = torch.Generator().manual_seed(11)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return {
        "global_orient": axis_angle_to_matrix(normal(COUNT, 3)).to(dtype),
        "hand_pose": axis_angle_to_matrix(0.6 * normal(COUNT, 15, 3)).to(dtype),
        "betas": normal(COUNT, 10).to(dtype),
        "translation": (0.3 * normal(COUNT, 3)).to(dtype),
    }


def smplx_output(layer, hands: dict[str, torch.Tensor]):
    with torch.no_grad():
        return layer(
            betas=hands["betas"],
            global_orient=hands["global_orient"][:, None],
            hand_pose=hands["hand_pose"],
            transl=hands["translation"],
        )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("side", ["right", "left"])
def test_vertices_and_joints_equal_smplx(tmp_path, side, dtype):
    model = load_mano(write_mano(tmp_path, "right"), dtype=dtype)
    hands = random_hands(dtype)
    expected = smplx_output(reference(mano_arrays(side), smplx.MANOLayer, dtype, is_rhand=side == "right"), hands)
    posed = model(**hands, is_right=torch.full((COUNT,), side == "right"))
    assert float((posed.vertices - expected.vertices).abs().max()) < TOLERANCE[dtype]
    joints = torch.cat([expected.joints, expected.vertices[:, list(model.tips)]], 1)[:, list(OPENPOSE_FROM_MANO)]
    assert float((posed.keypoints - joints).abs().max()) < TOLERANCE[dtype]


@pytest.mark.parametrize("tips", ["smplx", "manopth"])
def test_fingertips_are_the_named_vertices_of_smplx(tmp_path, tips):
    model = load_mano(write_mano(tmp_path, "right"), tips, dtype=torch.float64)
    hands = random_hands(torch.float64)
    expected = smplx_output(reference(mano_arrays(), smplx.MANOLayer, torch.float64), hands).vertices
    posed = model(**hands, is_right=torch.ones(COUNT, dtype=torch.bool))
    for finger, vertex in enumerate(MANO_TIP_VERTICES[tips]):
        assert (
            float((posed.keypoints[:, 4 * (finger + 1)] - expected[:, vertex]).abs().max()) < TOLERANCE[torch.float64]
        )


def test_tips_of_smplx_are_its_own_table():
    from smplx.vertex_ids import vertex_ids

    table = vertex_ids["mano"]
    assert tuple(table[name] for name in ("thumb", "index", "middle", "ring", "pinky")) == MANO_TIP_VERTICES["smplx"]


@pytest.mark.parametrize("flat_hand_mean", [False, True])
@pytest.mark.parametrize("components", [1, 6, 44])
@pytest.mark.parametrize("side", ["right", "left"])
def test_pca_and_mean_pose_equal_smplx(tmp_path, components, flat_hand_mean, side):
    dtype = torch.float64
    model = load_mano(write_mano(tmp_path, "right"), dtype=dtype)
    coefficients = torch.randn(COUNT, components, generator=torch.Generator().manual_seed(3), dtype=dtype)
    hands = random_hands(dtype)
    layer = reference(
        mano_arrays(side), smplx.MANO, dtype, num_pca_comps=components, flat_hand_mean=flat_hand_mean,
        batch_size=COUNT, is_rhand=side == "right",
    )  # fmt: skip
    with torch.no_grad():
        expected = layer(
            betas=hands["betas"], global_orient=torch.zeros(COUNT, 3, dtype=dtype), hand_pose=coefficients,
            transl=hands["translation"],
        )  # fmt: skip
    is_right = torch.full((COUNT,), side == "right")
    pose = pose_from_pca(model, coefficients, flat_hand_mean, is_right)
    posed = model(torch.eye(3, dtype=dtype).repeat(COUNT, 1, 1), pose, hands["betas"], hands["translation"], is_right)
    assert float((posed.vertices - expected.vertices).abs().max()) < TOLERANCE[dtype]


@pytest.mark.parametrize("side", ["right", "left"])
def test_smplx_runs_the_converted_file(tmp_path, side):
    convert_mano(write_mano(tmp_path, side, sign_error=side == "left"), tmp_path / "MANO.safetensors")
    hands = random_hands(torch.float32)
    first = smplx_output(reference(load_file(tmp_path / "MANO.safetensors"), smplx.MANOLayer, torch.float32), hands)
    second = smplx_output(reference(mano_arrays(side), smplx.MANOLayer, torch.float32), hands)
    assert float((first.vertices - second.vertices).abs().max()) < 1e-7


def test_uncorrected_left_file_would_be_a_different_hand():
    """The sign error that the reader corrects is not a rounding matter: it moves vertices by millimetres."""
    wrong, good = mano_arrays("left", sign_error=True), mano_arrays("left")
    assert np.abs(wrong["shapedirs"] - good["shapedirs"]).max() > 1e-3
