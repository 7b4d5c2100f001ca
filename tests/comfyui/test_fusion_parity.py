"""The same ControlNet in ComfyUI and in diffusers, plain and with structural fusion: one result."""

import narrow_models
import pytest
import torch
from diffusers_twins import diffusers_controlnet
from sesahand_pack.nodes.patches.structural_fusion import apply_structural_fusion
from sesahand_pack.sesahand.fusion.settings import FusionSettings
from sesahand_pack.sesahand.models.diffusers_fusion import attach_structural_fusion

TOLERANCE = 2e-5


@pytest.fixture(scope="module", params=["sd15", "sdxl"])
def pair(request):
    return request.param, narrow_models.controlnet(request.param), diffusers_controlnet(request.param)


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
        control_net = apply_structural_fusion(control_net, settings)
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
    FusionSettings(mode="gated", strength=1.0, gate=0.3, refine="to_16"),
]


@pytest.mark.parametrize("size", [(16, 24), (20, 28)], ids=str)
@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: "plain" if s is None else s.describe())
def test_comfyui_and_diffusers_agree(pair, size, settings):
    in_comfyui, in_diffusers = both(pair, size, settings)
    assert len(in_comfyui) == len(in_diffusers) == {"sd15": 13, "sdxl": 10}[pair[0]]
    for ours, theirs in zip(in_comfyui, in_diffusers, strict=True):
        assert (ours - theirs).norm() < TOLERANCE * theirs.norm()
