"""HaMeR and WiLoR: the layers of the published weights, and the answers of an independent, slow re-statement."""

import numpy as np
import pytest
import torch
from hand_network_reference import SMALL_LAYERS, Reference, hamer_layers, random_weights, rotations_of, wilor_layers
from mano_fixture import mano_arrays, write_mano

from sesahand.hands.mano import load_mano
from sesahand.reconstruct.learned.checkpoints import build_network
from sesahand.reconstruct.learned.hamer import HaMeR, HaMeRSize
from sesahand.reconstruct.learned.vit import ViTSize
from sesahand.reconstruct.learned.wilor import WiLoR, project_to_level, sample_at_vertices


@pytest.fixture(scope="module")
def mano(tmp_path_factory):
    return load_mano(write_mano(tmp_path_factory.mktemp("mano")))


def network_of(weights):
    network = build_network({name: value.shape for name, value in weights.items()}, "random")
    network.load_state_dict(weights)
    return network.eval()


def smplx_vertices(rotations, betas):
    """MANO's vertices by smplx, the library that the published code runs."""
    import smplx
    from smplx.utils import Struct

    arrays = {name: value.copy() for name, value in mano_arrays().items()}
    layer = smplx.MANOLayer("MANO_RIGHT", data_struct=Struct(**arrays), is_rhand=True, dtype=torch.float64)
    rotations, betas = torch.from_numpy(rotations)[None], torch.from_numpy(betas)[None]
    with torch.no_grad():
        return layer(betas=betas, global_orient=rotations[:, :1], hand_pose=rotations[:, 1:]).vertices[0].numpy()


@pytest.mark.parametrize(
    ("network", "size", "layers", "count", "millions"),
    [
        (HaMeR, HaMeRSize(), hamer_layers(), 389 + 6 + 6 * 17 + 6, 670.41),
        (WiLoR, ViTSize(), wilor_layers(), 389 + 9 + 6 + 2 + 3 * 6 + 6, 639.28),
    ],
    ids=["HaMeR", "WiLoR"],
)
def test_layers_are_those_of_the_published_weights(network, size, layers, count, millions):
    with torch.device("meta"):
        ours = network(size).state_dict()
    assert {name: tuple(value.shape) for name, value in ours.items()} == layers
    assert len(layers) == count
    numbers = sum(value.numel() for value in ours.values())
    assert numbers / 1e6 == pytest.approx(millions, abs=0.01)


@pytest.mark.parametrize("kind", SMALL_LAYERS)
def test_answers_are_those_of_the_published_architecture(kind, mano):
    weights = random_weights(SMALL_LAYERS[kind]())
    crops = torch.randn(2, 3, 256, 256, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        ours = network_of(weights)(crops, mano)
    reference = Reference(weights)
    for index, crop in enumerate(crops.double().numpy()):
        pose, betas, camera = reference.hamer(crop) if kind == "HaMeR" else reference.wilor(crop, smplx_vertices)
        for answer, expected in ((ours.pose, pose), (ours.betas, betas), (ours.camera, camera)):
            assert np.abs(answer[index].numpy() - expected).max() < 2e-5
        assert np.abs(ours.rotations[index].numpy() - rotations_of(pose)).max() < 2e-5
    # Two different crops have different answers, or the comparison would say little.
    assert (ours.pose[0] - ours.pose[1]).abs().max() > 1e-2


@pytest.mark.parametrize("kind", SMALL_LAYERS)
def test_every_layer_has_a_say(kind, mano):
    """A layer that was loaded but not used would pass any comparison of names."""
    network = network_of(random_weights(SMALL_LAYERS[kind]())).requires_grad_(True)
    answer = network(torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(3)), mano)
    (answer.pose.square().sum() + answer.betas.square().sum() + answer.camera.square().sum()).backward()
    idle = [name for name, value in network.named_parameters() if value.grad is None or not value.grad.any()]
    # HaMeR's query starts from a zero, which no weight makes more of.
    assert idle == (["mano_head.transformer.to_token_embedding.weight"] if kind == "HaMeR" else [])


def test_hands_of_a_batch_do_not_see_each_other(mano):
    network = network_of(random_weights(SMALL_LAYERS["WiLoR"]()))
    crops = torch.randn(3, 3, 256, 256, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        together = network(crops, mano)
        alone = [network(crop[None], mano) for crop in crops]
    assert torch.allclose(together.pose, torch.cat([each.pose for each in alone]), atol=1e-5)


def test_columns_that_the_networks_do_not_see_change_nothing(mano):
    network = network_of(random_weights(SMALL_LAYERS["HaMeR"]()))
    crops = torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(5))
    other = crops.clone()
    other[..., :32] = other[..., -32:] = 9
    with torch.no_grad():
        assert torch.equal(network(crops, mano).pose, network(other, mano).pose)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kind", SMALL_LAYERS)
def test_half_precision_stays_near(kind, dtype, mano):
    network = network_of(random_weights(SMALL_LAYERS[kind]()))
    crops = torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(6))
    with torch.no_grad():
        full = network(crops, mano)
        half = network.to(dtype)(crops.to(dtype), mano)
    assert half.pose.dtype == half.camera.dtype == torch.float32
    assert (half.pose - full.pose).abs().max() < (0.01 if dtype == torch.float16 else 0.08)


def test_vertices_are_sampled_near_the_first_pixel_as_the_weights_were_trained():
    """The published projection gives parts of the crop, half of them off the map; a fix would break the weights."""
    vertices = torch.tensor([[[0.05, 0.02, 0.0], [-0.08, 0.05, 0.01]]])
    places = project_to_level(vertices, torch.tensor([[4.0, 0.0, 0.0]]), 64)
    assert torch.allclose(places, 4.0 / 2 * vertices[..., :2], rtol=1e-2)
    ramp = torch.arange(48.0).expand(1, 1, 64, 48)
    found = sample_at_vertices(ramp, places)[0, 0]
    assert found[0] == pytest.approx(float(places[0, 0, 0]), abs=1e-4)
    assert float(found[1]) == 0
