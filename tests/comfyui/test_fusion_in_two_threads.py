"""A CONTROL_NET that two prompts use at the same moment, one with structural fusion and one without."""

import copy

import narrow_models
import pytest
import torch
from paused import paused_in
from sesahand_pack.nodes.patches.structural_fusion import apply_structural_fusion
from sesahand_pack.sesahand.fusion.settings import FusionSettings

PAPER, BLEND = FusionSettings(mode="paper"), FusionSettings(mode="blend", strength=0.5)


@pytest.fixture(scope="module")
def control_net():
    return narrow_models.controlnet("sd15")


@torch.no_grad()
def residuals(control_net, seed):
    generator = torch.Generator().manual_seed(seed)
    output = control_net.control_model(
        x=torch.randn(1, 4, 16, 16, generator=generator),
        hint=torch.rand(1, 3, 128, 128, generator=generator),
        timesteps=torch.tensor([500.0]),
        context=torch.randn(1, 77, 768, generator=generator),
    )
    return [*output["output"], *output["middle"]]


def same(found, expected):
    return all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def alone(control_net, settings, seed):
    own = control_net.copy()
    own.control_model = copy.deepcopy(control_net.control_model)
    return residuals(apply_structural_fusion(own, settings) if settings else own, seed)


@pytest.mark.parametrize("place", ["input_blocks.4", "middle_block"])
def test_a_shared_control_net_is_plain_or_otherwise_fused_in_another_thread(control_net, place):
    fused = apply_structural_fusion(control_net, PAPER)
    other = apply_structural_fusion(control_net, BLEND)
    wanted, plain, blended = (alone(control_net, *how) for how in ((PAPER, 1), (None, 2), (BLEND, 2)))
    assert not same(alone(control_net, PAPER, 2), plain)
    with paused_in(control_net.control_model.get_submodule(place), lambda: residuals(fused, 1)) as outcome:
        assert same(residuals(control_net, 2), plain)
        assert same(residuals(other, 2), blended)
    assert same(outcome[0], wanted)
    assert same(residuals(control_net, 2), plain)
