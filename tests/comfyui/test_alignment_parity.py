"""Attention bias and structural fusion together: ComfyUI and diffusers predict the same noise from the same weights."""

import narrow_models
import pytest
import torch
from attention_reference import conditioning, relative_l2
from diffusers_twins import diffusers_controlnet, diffusers_unet, noise_in_comfyui, noise_in_diffusers
from sesahand_pack.nodes.patches.attention_bias import bias_attention
from sesahand_pack.nodes.patches.structural_fusion import apply_structural_fusion
from sesahand_pack.sesahand.fusion.settings import FusionSettings
from sesahand_pack.sesahand.models.diffusers_bias import attention_bias
from sesahand_pack.sesahand.models.diffusers_fusion import attach_structural_fusion

import nodes as core_nodes

TOLERANCE = 2e-5
HAND = (4, 5, 9)
SIZE, TIME, PICTURES = 16, 601, 2


@pytest.fixture(scope="module", params=["sd15", "sdxl"])
def engines(request):
    family = request.param
    layout = narrow_models.NARROW[family]
    model, control_net = narrow_models.model(family, layout), narrow_models.controlnet(family)
    prompts = conditioning(1, HAND, width=layout.context), conditioning(2, width=layout.context)
    return model, control_net, diffusers_unet(family, model, layout), diffusers_controlnet(family), prompts


def inputs():
    generator = torch.Generator().manual_seed(3)
    return (
        torch.randn(PICTURES, 4, SIZE, SIZE, generator=generator),
        torch.rand(1, 8 * SIZE, 8 * SIZE, 3, generator=generator),
    )


def comfyui_prediction(model, control_net, prompts):
    """The noise predicted under core's Apply ControlNet."""
    latent, hint = inputs()
    prompts = core_nodes.ControlNetApplyAdvanced().apply_controlnet(*prompts, control_net, hint, 1.0, 0.0, 1.0)
    return noise_in_comfyui(model, *prompts, latent, TIME)


def diffusers_prediction(unet, controlnet, prompts):
    latent, hint = inputs()
    return noise_in_diffusers(unet, *prompts, latent, TIME, controlnet, hint)


@pytest.mark.parametrize("refine", ["middle", "to_32"])
@pytest.mark.parametrize("mode", ["paper", "blend"])
def test_both_alignments_together_agree(engines, mode, refine):
    model, control_net, unet, controlnet, prompts = engines
    settings = FusionSettings(mode=mode, refine=refine)
    fused = apply_structural_fusion(control_net, settings)
    got = comfyui_prediction(bias_attention(model, 2.0), fused, prompts)
    with attention_bias(unet, [(), HAND], alpha=2.0), attach_structural_fusion(controlnet, settings):
        expected = diffusers_prediction(unet, controlnet, prompts)
    assert relative_l2(got, expected) < TOLERANCE
    plain = diffusers_prediction(unet, controlnet, prompts)
    assert relative_l2(got, plain) > 1e-4
    assert relative_l2(comfyui_prediction(model, control_net, prompts), plain) < TOLERANCE
