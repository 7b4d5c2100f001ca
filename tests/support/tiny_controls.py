"""What steers tiny transformers beside their prompt: ControlNets and Z-Image's control layers of core's own classes."""

import importlib
import inspect

import pytest
import tiny_transformers
import torch
from tiny_transformers import FAMILIES, FLUX, QWEN, Z_IMAGE, fill

import comfy.controlnet
import comfy.model_patcher
import comfy.ops
from comfy.latent_formats import LatentFormat
from nodes import ControlNetApplyAdvanced

CPU = torch.device("cpu")
MADE = {"dtype": torch.float32, "device": CPU, "operations": comfy.ops.disable_weight_init}
CONTROLS = {
    "flux": ("comfy.ldm.flux.controlnet", "ControlNetFlux"),
    "qwen_image": ("comfy.ldm.qwen_image.controlnet", "QwenImageControlNetModel"),
    "qwen_image_fun": ("comfy.ldm.qwen_image.controlnet", "QwenImageFunControlNetModel"),
    "z_image": ("comfy.ldm.lumina.controlnet", "ZImage_Control"),
}
"""Module and name of the networks; a family's name is what stands in front of "_fun"."""


def network(control: str, **settings) -> torch.nn.Module:
    """The tiny network of a control, or a skipped test where the ComfyUI at hand has none."""
    module, name = CONTROLS[control]
    made = getattr(pytest.importorskip(module), name, None)
    if made is None:
        pytest.skip(f"This ComfyUI has no {name}.")
    made = made(**settings, **MADE)
    fill(made)
    return made.float()


class Vae:
    """Latents of as many channels as are asked for, made of the picture's pixels."""

    def __init__(self, channels: int, is_film: bool):
        self.channels, self.is_film = channels, is_film

    def spacial_compression_encode(self) -> int:
        return 8

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        latent = torch.nn.functional.avg_pool2d(pixels.movedim(-1, 1).mean(dim=1, keepdim=True), 8)
        latent = latent * torch.arange(1, self.channels + 1).view(1, -1, 1, 1)
        return latent[:, :, None] if self.is_film else latent


def hint(family: str) -> torch.Tensor:
    height, width = FAMILIES[family].latent[-2:]
    return torch.rand(1, 8 * height, 8 * width, 3, generator=torch.Generator().manual_seed(6))


def controlled(control: str, positive, negative):
    """Both sides of a sampling with a ControlNet by core's Apply ControlNet."""
    family = control.removesuffix("_fun")
    latent = FAMILIES[family].latent
    made: dict[str, object] = {"load_device": CPU, "compression_ratio": 1, "latent_format": LatentFormat()}
    kind = comfy.controlnet.ControlNet
    if control == "flux":
        known = inspect.signature(tiny_transformers.comfy.ldm.flux.model.FluxParams).parameters
        later = {name: value for name, value in {"txt_ids_dims": []}.items() if name in known}
        model = network(control, latent_input=True, control_latent_channels=latent[0], **FLUX, **later)
        made["extra_conds"] = ["y", "guidance"]
    elif control == "qwen_image":
        model = network(control, **QWEN)
        made["extra_conds"] = []
    else:
        sizes = {"inner_dim": 64, "num_attention_heads": 2, "attention_head_dim": 32}
        model = network(
            control,
            control_in_features=132,
            num_control_blocks=2,
            injection_layers=(0, 2),
            main_model_double=3,
            **sizes,
        )
        kind, made["extra_conds"] = comfy.controlnet.QwenFunControlNet, []
    given = kind(model, **made)
    return ControlNetApplyAdvanced().apply_controlnet(
        positive, negative, given, hint(family), 1.0, 0.0, 1.0, vae=Vae(latent[0], len(latent) == 4)
    )


def with_control_layers(patcher, **settings):
    """A Z-Image MODEL with control layers by core's node for them."""
    layers = network(
        "z_image", dim=Z_IMAGE["dim"], n_heads=8, n_kv_heads=8, multiple_of=16, n_control_layers=15, **settings
    )
    extra = importlib.import_module("comfy_extras.nodes_model_patch")
    patch = comfy.model_patcher.ModelPatcher(layers, CPU, CPU)
    [model] = extra.ZImageFunControlnet().diffsynth_controlnet(
        patcher, patch, Vae(16, False), hint("z_image"), 1.0, **({"inpaint_image": hint("z_image")} if settings else {})
    )
    return model
