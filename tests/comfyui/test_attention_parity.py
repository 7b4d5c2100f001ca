"""The same weights in ComfyUI and in diffusers predict the same noise, plain and with the attention bias."""

from dataclasses import replace

import narrow_models
import pytest
import torch
from attention_reference import conditioning, relative_l2
from diffusers_twins import diffusers_unet, noise_in_comfyui, noise_in_diffusers
from sesahand_pack.nodes.patches.attention_bias import bias_attention
from sesahand_pack.sesahand.models.diffusers_bias import attention_bias

TOLERANCE = 2e-5
HAND = (4, 5, 9)
SIZE, TIME = 16, 601


LAYOUTS = {"sd15": replace(narrow_models.NARROW["sd15"], width=32), "sdxl": narrow_models.NARROW["sdxl"]}


@pytest.fixture(scope="module", params=["sd15", "sdxl"])
def pair(request):
    model = narrow_models.model(request.param, LAYOUTS[request.param])
    width = LAYOUTS[request.param].context
    prompts = conditioning(1, HAND, width=width), conditioning(2, width=width)
    return model, diffusers_unet(request.param, model, LAYOUTS[request.param]), prompts


def noise(pictures=2):
    return torch.randn(pictures, 4, SIZE, SIZE, generator=torch.Generator().manual_seed(3))


def comfyui_prediction(model, positive, negative):
    return noise_in_comfyui(model, positive, negative, noise(), TIME)


def diffusers_prediction(unet, positive, negative):
    return noise_in_diffusers(unet, positive, negative, noise(), TIME)


def test_plain_predictions_agree(pair):
    model, unet, prompts = pair
    assert relative_l2(comfyui_prediction(model, *prompts), diffusers_prediction(unet, *prompts)) < TOLERANCE


@pytest.mark.parametrize("blocks", ["output", "input", "middle", "all"])
def test_biased_predictions_agree(pair, blocks):
    model, unet, prompts = pair
    got = comfyui_prediction(bias_attention(model, 2.0, blocks), *prompts)
    with attention_bias(unet, [(), HAND], alpha=2.0, blocks=blocks):
        expected = diffusers_prediction(unet, *prompts)
    assert relative_l2(got, expected) < TOLERANCE
    assert relative_l2(got, diffusers_prediction(unet, *prompts)) > 1e-4


def test_biased_predictions_agree_inside_a_feathered_mask(pair):
    model, unet, prompts = pair
    mask = torch.zeros(2, 100, 90)
    mask[0, 20:60, 30:50] = mask[1, 50:, :40] = 1
    settings = {"alpha": 3.0, "blocks": "all", "mask": mask, "feather": 20}
    got = comfyui_prediction(bias_attention(model, **settings), *prompts)
    with attention_bias(unet, [(), HAND], **settings):
        expected = diffusers_prediction(unet, *prompts)
    assert relative_l2(got, expected) < TOLERANCE
    assert relative_l2(got, diffusers_prediction(unet, *prompts)) > 1e-4


@pytest.mark.parametrize(("start", "end", "active"), [(0.3, 0.5, True), (0.0, 0.39, False), (0.41, 1.0, False)])
def test_start_and_end_mean_the_same(pair, start, end, active):
    model, unet, prompts = pair  # timestep 601 is 0.398 of the way
    got = comfyui_prediction(bias_attention(model, start=start, end=end), *prompts)
    with attention_bias(unet, [(), HAND], start=start, end=end):
        expected = diffusers_prediction(unet, *prompts)
    assert relative_l2(got, expected) < TOLERANCE
    assert (relative_l2(got, diffusers_prediction(unet, *prompts)) > 1e-4) == active
