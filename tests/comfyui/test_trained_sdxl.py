"""A ControlNet of SDXL as `sesahand train` writes it: our loader and core's compute what diffusers does with it."""

import narrow_models
import pytest
import torch
from diffusers_twins import diffusers_controlnet
from sesahand_pack.nodes.patches.control_loading import load_controlnet
from sesahand_pack.sesahand.fusion.settings import FusionSettings
from sesahand_pack.sesahand.models.small.model_files import write_controlnet

import comfy.controlnet

LAYOUT = narrow_models.NARROW["sdxl"]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    model = diffusers_controlnet("sdxl")
    path = tmp_path_factory.mktemp("sdxl") / "controlnet.safetensors"
    write_controlnet(path, model, FusionSettings(mode="paper", refine="coarsest"), {}, torch.float32)
    return str(path), model


@torch.no_grad()
def test_it_computes_what_diffusers_does(written):
    path, model = written
    with narrow_models.recognised("sdxl", LAYOUT):
        ours, weights = load_controlnet(path)
        core = comfy.controlnet.load_controlnet(path)
    assert weights.family == "SDXL" and weights.settings.refine == "coarsest"
    generator = torch.Generator().manual_seed(1)
    latent, hint = torch.randn(1, 4, 16, 16, generator=generator), torch.rand(1, 3, 128, 128, generator=generator)
    text, pooled = torch.randn(1, 77, 2048, generator=generator), torch.randn(1, 1280, generator=generator)
    sizes = torch.tensor([[128.0, 128, 0, 0, 128, 128]])
    added = {"text_embeds": pooled, "time_ids": sizes}
    down, middle = model(latent, 500, text, hint, added_cond_kwargs=added, return_dict=False)
    vector = torch.cat([pooled, model.add_time_proj(sizes.flatten()).reshape(1, -1)], dim=1)
    seen = {"x": latent, "hint": hint, "timesteps": torch.tensor([500.0]), "context": text, "y": vector}
    for loaded in (ours, core):
        found = loaded.control_model(**seen)
        for mine, theirs in zip([*found["output"], *found["middle"]], [*down, middle], strict=True):
            assert theirs.norm() > 0 and (mine - theirs).norm() < 2e-5 * theirs.norm()
