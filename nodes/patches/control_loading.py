"""A CONTROL_NET from a weight file, by ComfyUI's own loader, with a note of what it was trained with."""

import logging
from pathlib import Path

from torch import nn

import comfy.controlnet

from ...sesahand.errors import InvalidFileError
from ...sesahand.fusion.weights import ControlNetWeights, read_controlnet_weights
from .structural_fusion import TRAINED_SETTINGS

logger = logging.getLogger(__name__)


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
    setattr(model, TRAINED_SETTINGS, weights.settings)
    logger.info("SesaHand loaded %s: %s", name, weights.describe())
    return control_net, weights


def check_complete(name: str, model: nn.Module, weights: ControlNetWeights) -> None:
    """Raise an InvalidFileError if the file lacks a tensor of the model, which ComfyUI's loader only logs."""
    expected = set(model.state_dict())
    # diffusers names are translated on the way to the model, one to one.
    missing = len(expected - set(weights.state)) if weights.layout == "ldm" else len(expected) - len(weights.state)
    if missing > 0:
        raise InvalidFileError(f"{name} lacks {missing} of its ControlNet's {len(expected)} tensors; copy it again.")
