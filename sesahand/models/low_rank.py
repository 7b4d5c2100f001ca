"""A LoRA: small additions of low rank to a U-Net's layers, beside the layers and never in them.

Its parameters are called as in its file: "lora_unet_" and diffusers' name of the layer, which ComfyUI's LoRA loader,
diffusers and others read. (Of diffusers' own later names, ComfyUI's loader knows none of attention's layers.)

Source: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InvalidFileError, SesaHandError, quote
from ..files.weights import open_weights
from .small.model_files import FACTS, check_part, stored, write_weights

PREFIX = "lora_unet_"
ATTENTION, ALL = "attention", "all"
LAYERS = ATTENTION, ALL
PROJECTIONS = ("to_q", "to_k", "to_v", "to_out.0")


class LowRank(nn.Module):
    """What is added to one linear layer's output: alpha / rank times up(down(x)), which is 0 at first.

    Args:
        layer: The layer.
        rank: Of the addition.
        alpha: Its strength, in ranks.
    """

    def __init__(self, layer: nn.Linear, rank: int, alpha: float):
        super().__init__()
        self.lora_down = nn.Linear(layer.in_features, rank, bias=False)
        self.lora_up = nn.Linear(rank, layer.out_features, bias=False)
        self.alpha: Tensor
        self.register_buffer("alpha", torch.tensor(float(alpha)))
        self.scale = alpha / rank
        nn.init.zeros_(self.lora_up.weight)

    def forward(self, values: Tensor) -> Tensor:
        """Return the addition `[..., out]` to the layer's output for values `[..., in]`."""
        return self.lora_up(self.lora_down(values.to(self.lora_down.weight.dtype))) * self.scale


def attach_lora(unet: nn.Module, rank: int, alpha: float, layers: str = ATTENTION) -> nn.ModuleDict:
    """Attach a new LoRA to a U-Net, whose own parameters stay as they are.

    Args:
        unet: A UNet2DConditionModel.
        rank: Of each addition.
        alpha: Their strength, in ranks.
        layers: "attention" for the four projections of each attention, "all" for all linear layers of its blocks.

    Returns:
        The additions, whose state dict is what stands in the file.
    """
    additions = nn.ModuleDict()
    for name, layer in _chosen(unet, layers):
        addition = LowRank(layer, rank, alpha)
        additions[PREFIX + name.replace(".", "_")] = addition
        layer.register_forward_hook(_adding(addition))
    return additions


def _chosen(unet: nn.Module, layers: str) -> Iterator[tuple[str, nn.Linear]]:
    if layers not in LAYERS:
        raise SesaHandError(f"layers is {quote(layers)}; choose {' or '.join(LAYERS)}.")
    for name, layer in unet.named_modules():
        inside = "transformer_blocks." in name and isinstance(layer, nn.Linear)
        if inside and (layers == ALL or name.endswith(PROJECTIONS)):
            yield name, layer


def _adding(addition: LowRank):
    # The additions are no part of the layer, or they would be saved and frozen with it.
    def add(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return output + addition(inputs[0]).to(output.dtype)

    return add


def write_lora(path: str | Path, lora: nn.ModuleDict, facts: dict, dtype: torch.dtype = torch.float16) -> None:
    """Write a LoRA as ComfyUI's LoRA loader and diffusers read it.

    Args:
        path: Ends in `.safetensors`.
        lora: What `attach_lora` returned.
        facts: What to say of the training.
        dtype: Of the weights in the file.

    Raises:
        SesaHandError: If a weight is not a finite number or the file cannot be written.
    """
    # An alpha in half precision would be another one.
    kinds = {name: torch.float32 if name.endswith(".alpha") else dtype for name in lora.state_dict()}
    state = {name: stored(name, value, kinds[name]) for name, value in lora.state_dict().items()}
    write_weights(path, state, {FACTS: json.dumps(facts)})


def load_lora(path: str | Path, lora: nn.ModuleDict) -> None:
    """Give a LoRA the weights of a file of the same layers and rank.

    Raises:
        InvalidFileError: If it is damaged, or of other layers, another rank or another alpha.
    """
    name = Path(path).name
    with open_weights(path) as file:
        state: dict[str, Any] = {key: file.get_tensor(key).float() for key in file.keys()}
    found = check_part(lora, state, name)
    strange = sorted(set(state) - set(found))
    if strange:
        raise InvalidFileError(f"{name} also has {quote(strange[0])}: it is a LoRA of other layers; set lora.layers.")
    for key, value in found.items():
        if key.endswith(".alpha") and float(value) != float(lora.state_dict()[key]):
            raise InvalidFileError(f"{name} has an alpha of {float(value):g}; set lora.alpha to it.")
    lora.load_state_dict(found)
