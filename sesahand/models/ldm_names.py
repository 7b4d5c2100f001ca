"""The original (ldm) names of a U-Net's and a ControlNet's parameters, which ComfyUI's loaders know for every width."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from ..errors import InvalidFileError

RESIDUAL_BLOCK = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
ENDS = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "controlnet_mid_block": "middle_block_out.0",
    "controlnet_cond_embedding.conv_in": "input_hint_block.0",
    "controlnet_cond_embedding.conv_out": "input_hint_block.14",
}


def ldm_names(names: Iterable[str]) -> dict[str, str]:
    """What parameters are called in ldm, by their names in diffusers.

    Args:
        names: All parameters of one UNet2DConditionModel or ControlNetModel of SD1.5, SD2 or SDXL.

    Source: diffusers' `scripts/convert_original_stable_diffusion_to_diffusers.py`.
    """
    names = list(names)
    blocks = 1 + max(int(match[1]) for name in names if (match := re.match(r"down_blocks\.0\.resnets\.(\d+)\.", name)))
    attended = {match[1] for name in names if (match := re.match(r"up_blocks\.(\d+)\.attentions\.", name))}
    return {name: _ldm_name(name, blocks, attended) for name in names}


def to_ldm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename a model's parameters from diffusers' names to ldm's."""
    names = ldm_names(state)
    return {names[name]: value for name, value in state.items()}


def load_ldm(model: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load parameters in ldm's names into a model of diffusers.

    Args:
        model: A UNet2DConditionModel or ControlNetModel.
        state: Its parameters, possibly beside others.
        source: What the file is called in an error.

    Raises:
        InvalidFileError: If parameters are missing or have other shapes.
    """
    model.load_state_dict(check_ldm(model, state, source))


def check_ldm(model: nn.Module, state: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """Return parameters in ldm's names under those of a model of diffusers, which may be without memory.

    Args:
        model: A UNet2DConditionModel or ControlNetModel; on the device "meta" nothing is made of what a file describes.
        state: Its parameters, possibly beside others.
        source: What the file is called in an error.

    Raises:
        InvalidFileError: If parameters are missing or have other shapes.
    """
    own = model.state_dict()
    found = {}
    for name, theirs in ldm_names(own).items():
        value = state.get(theirs)
        if value is None or value.numel() != own[name].numel():
            shape = "missing" if value is None else f"of shape {tuple(value.shape)}"
            raise InvalidFileError(
                f"{source}: {theirs} is {shape}, expected {tuple(own[name].shape)}. It is incomplete or of another "
                "model; copy it again or choose another file."
            )
        # Projections are convolutions of one pixel in some files and matrices in others.
        found[name] = value.reshape(own[name].shape)
    return found


def _ldm_name(name: str, blocks: int, attended: set[str]) -> str:
    stem, parameter = name.rsplit(".", 1)
    if stem in ENDS:
        return f"{ENDS[stem]}.{parameter}"
    part, *rest = name.split(".")
    if part == "controlnet_down_blocks":
        return f"zero_convs.{rest[0]}.0.{parameter}"
    if part == "controlnet_cond_embedding":
        return f"input_hint_block.{2 * int(rest[1]) + 2}.{parameter}"
    if part == "mid_block":
        kind, index, *inner = rest
        place = "middle_block.1" if kind == "attentions" else f"middle_block.{2 * int(index)}"
        return _inner(place, kind, inner)
    level, kind, index, *inner = rest
    if part == "down_blocks":
        if kind == "downsamplers":
            return f"input_blocks.{(blocks + 1) * (int(level) + 1)}.0.op.{parameter}"
        block = f"input_blocks.{1 + (blocks + 1) * int(level) + int(index)}"
    else:
        if kind == "upsamplers":
            after = 2 if level in attended else 1
            return f"output_blocks.{(blocks + 1) * int(level) + blocks}.{after}.conv.{parameter}"
        block = f"output_blocks.{(blocks + 1) * int(level) + int(index)}"
    return _inner(f"{block}.{int(kind == 'attentions')}", kind, inner)


def _inner(place: str, kind: str, inner: list[str]) -> str:
    if kind == "resnets":
        inner = [RESIDUAL_BLOCK[inner[0]], *inner[1:]]
    return ".".join([place, *inner])
