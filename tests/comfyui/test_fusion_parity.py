"""The same ControlNet in ComfyUI and in diffusers, plain and with structural fusion: one result."""

import narrow_models
import pytest
import torch
from diffusers import ControlNetModel
from sesahand_pack.nodes.patches.structural_fusion import apply_structural_fusion
from sesahand_pack.sesahand.fusion.settings import FusionSettings
from sesahand_pack.sesahand.generate.structural_fusion import attach_structural_fusion

import comfy.utils

TOLERANCE = 2e-5

DIFFUSERS_CONFIG = {
    "sd15": {
        "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        "attention_head_dim": 8,
    },
    "sdxl": {
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "attention_head_dim": (1, 2, 4),
        "transformer_layers_per_block": (1, 2, 2),
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    },
}


def diffusers_names(layout):
    """ldm names of a ControlNet's parameters by their diffusers names; the encoder's part is ComfyUI's own table."""
    names = comfy.utils.unet_to_diffusers(
        {
            "num_res_blocks": [layout.res_blocks] * len(layout.multipliers),
            "channel_mult": list(layout.multipliers),
            "transformer_depth": [depth for depth in layout.depths for _ in range(layout.res_blocks)],
            "transformer_depth_output": [depth for depth in layout.depths for _ in range(layout.res_blocks + 1)],
            "transformer_depth_middle": layout.middle_depth,
        }
    )
    hint = ["conv_in", *(f"blocks.{index}" for index in range(6)), "conv_out"]
    for part in ("weight", "bias"):
        names[f"controlnet_mid_block.{part}"] = f"middle_block_out.0.{part}"
        for index in range(12):
            names[f"controlnet_down_blocks.{index}.{part}"] = f"zero_convs.{index}.0.{part}"
        for index, name in enumerate(hint):
            names[f"controlnet_cond_embedding.{name}.{part}"] = f"input_hint_block.{2 * index}.{part}"
        # What ComfyUI calls the label embedding is SDXL's text and size embedding in diffusers.
        for index, name in enumerate(("linear_1", "linear_2")):
            names[f"add_embedding.{name}.{part}"] = f"label_emb.0.{2 * index}.{part}"
    return names


def in_diffusers(family):
    layout = narrow_models.NARROW[family]
    model = ControlNetModel(
        block_out_channels=tuple(layout.width * multiplier for multiplier in layout.multipliers),
        cross_attention_dim=layout.context,
        conditioning_embedding_out_channels=(16, 32, 96, 256),
        norm_num_groups=32,
        **DIFFUSERS_CONFIG[family],
    )
    state, names = narrow_models.random_weights(narrow_models.controlnet_shapes(layout)), diffusers_names(layout)
    model.load_state_dict({name: state[names[name]] for name in model.state_dict()})
    return model.eval()


@pytest.fixture(scope="module", params=["sd15", "sdxl"])
def pair(request):
    return request.param, narrow_models.controlnet(request.param), in_diffusers(request.param)


def batch(family, size):
    generator = torch.Generator().manual_seed(5)
    layout = narrow_models.NARROW[family]
    latent = torch.randn(2, 4, *size, generator=generator)
    picture = torch.rand(2, 3, size[0] * 8, size[1] * 8, generator=generator)
    context = torch.randn(2, 77, layout.context, generator=generator)
    pooled, sizes = torch.randn(2, 1280, generator=generator), torch.tensor([[512.0, 512, 0, 0, 512, 512]] * 2)
    return latent, picture, torch.tensor([700.0, 12.0]), context, pooled, sizes


@torch.no_grad()
def both(pair, size, settings):
    family, control_net, model = pair
    latent, picture, timestep, context, pooled, sizes = batch(family, size)
    added = {"text_embeds": pooled, "time_ids": sizes}
    extra = {}
    if family == "sdxl":
        times = model.add_time_proj(sizes.flatten()).reshape(2, -1)
        extra = {"y": torch.cat([pooled, times], dim=1)}
    if settings is not None:
        control_net = apply_structural_fusion(control_net, settings, fallback=settings)
        attached = attach_structural_fusion(model, settings)
    output = control_net.control_model(x=latent, hint=picture, timesteps=timestep, context=context, **extra)
    down, middle = model(
        latent, timestep, context, picture, added_cond_kwargs=added if family == "sdxl" else None, return_dict=False
    )
    if settings is not None:
        attached.detach()
    return [*output["output"], *output["middle"]], [*down, middle]


SETTINGS = [
    None,
    FusionSettings(mode="paper"),
    FusionSettings(mode="paper", layers="all", refine="to_32"),
    FusionSettings(strength=0.4, refine="coarsest"),
    FusionSettings(strength=1.0, orientation="scatter", refine="to_16"),
]


@pytest.mark.parametrize("size", [(16, 24), (20, 28)], ids=str)
@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: "plain" if s is None else s.describe())
def test_comfyui_and_diffusers_agree(pair, size, settings):
    in_comfyui, in_diffusers = both(pair, size, settings)
    assert len(in_comfyui) == len(in_diffusers) == {"sd15": 13, "sdxl": 10}[pair[0]]
    for ours, theirs in zip(in_comfyui, in_diffusers, strict=True):
        assert (ours - theirs).norm() < TOLERANCE * theirs.norm()
