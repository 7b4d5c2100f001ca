"""The same weights in ComfyUI and in diffusers predict the same noise, plain and with the attention bias."""

from dataclasses import replace

import narrow_models
import pytest
import torch
from attention_reference import conditioning, relative_l2
from sesahand_pack.nodes.patches.attention_bias import bias_attention
from sesahand_pack.sesahand.generate.attention_bias import attention_bias

import comfy.sampler_helpers
import comfy.samplers
import comfy.utils

TOLERANCE = 2e-5
HAND = (4, 5, 9)
SIZE, TIME = 16, 601


def diffusers_unet(family, model):
    """diffusers' UNet of the family with the weights of a narrow MODEL."""
    from diffusers import UNet2DConditionModel

    layout = LAYOUTS[family]
    crossed = [depth > 0 for depth in layout.depths]
    settings = {
        "block_out_channels": [layout.width * m for m in layout.multipliers],
        "down_block_types": ["CrossAttnDownBlock2D" if c else "DownBlock2D" for c in crossed],
        "up_block_types": ["CrossAttnUpBlock2D" if c else "UpBlock2D" for c in reversed(crossed)],
        "cross_attention_dim": layout.context,
        "use_linear_projection": layout.linear,
        "attention_head_dim": 8,
    }
    if family == "sdxl":
        settings |= {
            "attention_head_dim": [layout.width * m // 64 for m in layout.multipliers],
            "transformer_layers_per_block": [max(1, depth) for depth in layout.depths],
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": layout.vector,
        }
    unet = UNet2DConditionModel(**settings).eval()
    names = comfy.utils.unet_to_diffusers(model.model.model_config.unet_config)
    weights = model.get_model_object("diffusion_model").state_dict()
    weights = {theirs: weights[ours] for theirs, ours in names.items() if ours in weights}
    weights = {name.replace("class_embedding", "add_embedding"): value for name, value in weights.items()}
    unet.load_state_dict(weights, strict=True)
    return unet


LAYOUTS = {"sd15": replace(narrow_models.NARROW["sd15"], width=32), "sdxl": narrow_models.NARROW["sdxl"]}


@pytest.fixture(scope="module", params=["sd15", "sdxl"])
def pair(request):
    model = narrow_models.model(request.param, LAYOUTS[request.param])
    width = LAYOUTS[request.param].context
    prompts = conditioning(1, HAND, width=width), conditioning(2, width=width)
    return model, diffusers_unet(request.param, model), prompts


def noise(pictures=2):
    return torch.randn(pictures, 4, SIZE, SIZE, generator=torch.Generator().manual_seed(3))


@torch.inference_mode()
def comfyui_prediction(model, positive, negative):
    """The noise predicted for the negative and the positive prompt, as the sampler asks for it."""
    base, x = model.model, noise()
    sigma = base.model_sampling.sigma(torch.tensor([float(TIME)]))
    conds = {"positive": positive, "negative": negative}
    conds = {name: comfy.sampler_helpers.convert_cond(cond) for name, cond in conds.items()}
    model.pre_run()
    conds = comfy.samplers.process_conds(base, x, conds, x.device)
    scaled = x * (sigma**2 + 1) ** 0.5
    sides = [conds["negative"], conds["positive"]]
    clean = comfy.samplers.calc_cond_batch(base, sides, scaled, sigma.expand(len(x)), model.model_options)
    return torch.cat([(scaled - side) / sigma for side in clean])


@torch.inference_mode()
def diffusers_prediction(unet, positive, negative):
    x, sides = noise(), (negative, positive)
    text = torch.cat([side[0][0].repeat(len(x), 1, 1) for side in sides])
    added = {
        "text_embeds": torch.cat([side[0][1]["pooled_output"].repeat(len(x), 1) for side in sides]),
        "time_ids": torch.tensor([[8 * SIZE, 8 * SIZE, 0, 0, 8 * SIZE, 8 * SIZE]] * len(text)),
    }
    return unet(torch.cat([x, x]), torch.tensor(TIME), text, added_cond_kwargs=added).sample


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
