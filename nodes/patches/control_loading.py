"""A CONTROL_NET from a weight file, by ComfyUI's own loader, with a note of what it was trained with."""

import logging
import re
from pathlib import Path

from torch import Tensor, nn

import comfy.controlnet
import comfy.model_detection
import comfy.utils

from ...sesahand.errors import InvalidFileError, printable
from ...sesahand.models.controlnet_files import ControlNetWeights, read_controlnet_weights
from .core_loading import check_names, check_shapes, expected_shapes
from .structural_fusion import TRAINED_SETTINGS

logger = logging.getLogger(__name__)

# Of the network that reads the condition picture; with an activation between any two of them in ldm.
HINT_CONVOLUTIONS = 8


def load_controlnet(path: str) -> tuple[comfy.controlnet.ControlNet, ControlNetWeights]:
    """Load a ControlNet of SD1.5 or SDXL; structural fusion in auto mode later finds the settings on its model.

    Raises:
        InvalidFileError: if the file is damaged, incomplete, or holds something else.
    """
    name, weights = Path(path).name, read_controlnet_weights(path)
    # ComfyUI's loader knows by its name the one kind of ControlNet whose output is averaged over the picture.
    options = {"global_average_pooling": Path(path).stem.endswith(("_shuffle", "_shuffle_fp16"))}
    try:
        control_net = comfy.controlnet.load_controlnet_state_dict(dict(weights.state), model_options=options)
        model = control_net.control_model
    except (AttributeError, KeyError, RuntimeError, TypeError, IndexError) as error:
        raise InvalidFileError(
            f"ComfyUI does not know the ControlNet in {name} ({error}). Expected one of SD1.5, SD2 or SDXL, complete "
            f"and in its original shape; found a text width of {weights.family}."
        ) from error
    check_complete(name, model, weights)
    _unify_dtype(model)
    setattr(model, TRAINED_SETTINGS, weights.unreadable_mark or weights.settings)
    logger.info("SesaHand loaded %s: %s", printable(name), printable(weights.describe()))
    return control_net, weights


def check_complete(name: str, model: nn.Module, weights: ControlNetWeights) -> None:
    """Raise an InvalidFileError if the file lacks a tensor of the model, which ComfyUI's loader only logs.

    Under DynamicVRAM that loader takes a Linear's weights in any shape.
    """
    expected = expected_shapes(model)
    names = set(weights.state) if weights.layout == "ldm" else _ldm_names(weights.state)
    check_names(expected, names, name, "ControlNet", "in ldm names ")
    check_shapes(expected, model.state_dict(), name, "ControlNet")


def _unify_dtype(model: nn.Module) -> None:
    """Give the layers that DynamicVRAM left in the file's type that of the others, as without it."""
    for layer in model.modules():
        if isinstance(layer, nn.Linear) and layer.weight.dtype != model.dtype:
            layer.to(model.dtype)


def _ldm_names(state: dict[str, Tensor]) -> set[str]:
    """What the tensors of a diffusers ControlNet are called in ldm; ComfyUI has a table for all but its ends."""
    table = comfy.utils.unet_to_diffusers(comfy.model_detection.unet_config_from_diffusers_unet(state))
    return {table.get(name) or _ldm_name_of_end(name) for name in state}


def _ldm_name_of_end(name: str) -> str:
    name = name.replace(".attn.in_proj_", ".attn.in_proj.")  # only in union ControlNets, which share the other names
    name = name.replace("controlnet_mid_block.", "middle_block_out.0.")
    name = re.sub(r"^controlnet_down_blocks\.(\d+)\.", r"zero_convs.\1.0.", name)
    hint = re.match(r"controlnet_cond_embedding\.(?:conv_in|conv_out|blocks\.(\d+))(\.\w+)$", name)
    if hint is None:
        return name
    index = {"conv_in": 0, "conv_out": HINT_CONVOLUTIONS - 1}.get(name.split(".")[1])
    index = int(hint[1]) + 1 if index is None else index
    return f"input_hint_block.{2 * index}{hint[2]}"
