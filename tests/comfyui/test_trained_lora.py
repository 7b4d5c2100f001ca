"""A LoRA file as `sesahand train` writes it: core's LoRA loader takes every key, and predicts what diffusers does."""

import logging
from dataclasses import replace

import narrow_models
import pytest
import torch
from attention_reference import conditioning, relative_l2
from diffusers_twins import diffusers_unet, noise_in_comfyui, noise_in_diffusers
from sesahand_pack.sesahand.models.low_rank import attach_lora, write_lora

import comfy.sd
import comfy.utils

LAYOUTS = {"sd15": replace(narrow_models.NARROW["sd15"], width=32), "sdxl": narrow_models.NARROW["sdxl"]}


@pytest.mark.parametrize(("family", "layers"), [("sd15", "attention"), ("sd15", "all"), ("sdxl", "all")])
def test_core_loads_the_file_and_predicts_the_same(family, layers, tmp_path, caplog):
    model = narrow_models.model(family, LAYOUTS[family])
    unet = diffusers_unet(family, model, LAYOUTS[family])
    width = LAYOUTS[family].context
    prompts = conditioning(1, width=width), conditioning(2, width=width)
    noise = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(3))
    plain = noise_in_diffusers(unet, *prompts, noise, 601)
    lora = attach_lora(unet, 4, 2.0, layers)
    for number, addition in enumerate(lora.values()):
        torch.nn.init.normal_(addition.lora_up.weight, std=0.05, generator=torch.Generator().manual_seed(number))
    write_lora(tmp_path / "lora.safetensors", lora, {}, torch.float32)
    with caplog.at_level(logging.WARNING):
        state = comfy.utils.load_torch_file(str(tmp_path / "lora.safetensors"))
        loaded, _ = comfy.sd.load_lora_for_models(model, None, state, 1.0, 0.0)
    assert "not loaded" not in caplog.text.lower() and len(loaded.patches) == len(lora)
    expected = noise_in_diffusers(unet, *prompts, noise, 601)
    assert relative_l2(expected, plain) > 1e-3
    loaded.patch_model()
    try:
        assert relative_l2(noise_in_comfyui(loaded, *prompts, noise, 601), expected) < 2e-5
    finally:
        loaded.unpatch_model()
