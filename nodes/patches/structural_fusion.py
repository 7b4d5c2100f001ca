"""Structural fusion on a ComfyUI CONTROL_NET: a proxy around its model, which itself is never changed."""

import logging

import torch
from torch import nn

import comfy.cldm.cldm
import comfy.controlnet
from comfy.ldm.modules.attention import SpatialTransformer, get_attn_precision
from comfy.ldm.modules.diffusionmodules.openaimodel import Downsample, ResBlock

from ...sesahand.errors import InvalidFileError, SesaHandError
from ...sesahand.fusion.collector import AttentionLayer, ControlNetLayout, FusionCollector, Residual
from ...sesahand.fusion.settings import FusionSettings

logger = logging.getLogger(__name__)

# Where the loader notes, on the model it has made, what the weights were trained with: FusionSettings or None,
# or a text that says why this cannot be read.
TRAINED_SETTINGS = "sesahand_structural_fusion"


class FusedControlModel(nn.Module):
    """A ControlNet's model with its residuals refined: hooks that live for one call, on a model that others share.

    Everything else that ComfyUI or other nodes ask of a control model is answered by the model inside.
    """

    def __init__(self, base: comfy.cldm.cldm.ControlNet, settings: FusionSettings):
        super().__init__()
        self.base = base
        self.settings = settings

    def __getattr__(self, name: str):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("base"), name)

    def forward(self, x, *args, **kwargs):
        layout = comfy_layout(self.base)
        collector = FusionCollector(layout, self.settings)
        collector.begin(x.shape[-2:])
        with collector.attached():
            control = self.base(x, *args, **kwargs)
        collector.check_complete()
        # ComfyUI runs each zero convolution right after its block, when coarser maps are still to come.
        for residual, refined in collector.refine_waiting():
            control["output"][layout.residuals.index(residual)] = residual.zero_conv(refined)
        return control


def apply_structural_fusion(control_net, settings: FusionSettings):
    """Return a copy of a CONTROL_NET whose residuals are refined by its self-attention maps.

    Args:
        control_net: A CONTROL_NET of the SD1.5 or SDXL family; it stays as it is.
        settings: What to do.

    Returns:
        A CONTROL_NET for any Apply ControlNet node; the very same object when the settings are off.

    Raises:
        SesaHandError: if the ControlNet has no such self-attention, or not the resolutions asked for.
    """
    base = fusible_model(control_net)
    FusionCollector(comfy_layout(base), settings)
    if settings.is_off:
        return control_net
    logger.info("SesaHand structural fusion: %s", settings.describe())
    fused = control_net.copy()
    fused.control_model = FusedControlModel(base, settings)
    return fused


def trained_settings(control_net) -> FusionSettings | None:
    """The structural fusion that a CONTROL_NET's weights were trained with, as the loader found it.

    Raises:
        InvalidFileError: if the file said something of it that this version cannot read.
    """
    noted = getattr(getattr(control_net, "control_model", None), TRAINED_SETTINGS, None)
    if isinstance(noted, str):
        raise InvalidFileError(f"{noted} Or choose paper or blend mode instead of auto.")
    return noted


def fusible_model(control_net) -> comfy.cldm.cldm.ControlNet:
    """The model of a CONTROL_NET that structural fusion can work on; a SesaHandError tells why another one cannot."""
    supported = "Structural fusion works on ControlNets of SD1.5, SD2 and SDXL (Load ControlNet Model)."
    if isinstance(control_net, comfy.controlnet.ControlLora):
        raise SesaHandError(
            f"{supported} This is a Control-LoRA, which has no model of its own until sampling starts. "
            "Use the full ControlNet of the same kind."
        )
    if isinstance(control_net, comfy.controlnet.T2IAdapter):
        raise SesaHandError(f"{supported} This is a T2I-Adapter, which has no self-attention to take maps from.")
    model = getattr(control_net, "control_model", None)
    if isinstance(model, FusedControlModel):
        raise SesaHandError(
            "This ControlNet has structural fusion already. Keep one SesaHandStructuralFusion node per ControlNet."
        )
    if isinstance(model, comfy.cldm.cldm.ControlNet):
        return model
    if hasattr(model, "_orig_mod"):
        raise SesaHandError("This ControlNet is compiled. Connect structural fusion before the node that compiles it.")
    found = type(control_net).__name__ + (f" around a {type(model).__name__}" if model is not None else "")
    raise SesaHandError(
        f"{supported} This is a {found}: transformer ControlNets (SD3, Flux, Qwen-Image, Hunyuan-DiT) have all layers "
        "at one resolution, so there are no coarse and fine maps to fuse, and no gain has been shown there; other "
        "kinds have no self-attention maps. Connect it to Apply ControlNet without this node."
    )


def comfy_layout(model: comfy.cldm.cldm.ControlNet) -> ControlNetLayout:
    """Find the self-attention layers and zero convolutions of ComfyUI's ControlNet."""
    attention, residuals, level = [], [], 0
    for block, zero_conv in zip(model.input_blocks, model.zero_convs, strict=True):
        level += any(isinstance(layer, Downsample) or (isinstance(layer, ResBlock) and layer.updown) for layer in block)
        attention += _self_attention(block, level, in_middle=False)
        residuals.append(Residual(zero_conv[0], level))
    attention += _self_attention(model.middle_block, level, in_middle=True)
    residuals.append(Residual(model.middle_block_out[0], level, in_middle=True))
    return ControlNetLayout(tuple(attention), tuple(residuals))


def _self_attention(block, level: int, in_middle: bool) -> list[AttentionLayer]:
    return [
        AttentionLayer(
            layer.attn1.to_q,
            layer.attn1.to_k,
            layer.attn1.to_v,
            layer.attn1.to_out,
            layer.attn1.heads,
            level,
            in_middle,
            _asks_for_float32(layer.attn1),
        )
        for transformer in block
        if isinstance(transformer, SpatialTransformer)
        for layer in transformer.transformer_blocks
        if not layer.disable_self_attn
    ]


def _asks_for_float32(attention) -> bool:
    """Whether ComfyUI takes this layer's scores in float32: SD2's always, others by --force-upcast-attention."""
    return get_attn_precision(attention.attn_precision, torch.float16) == torch.float32
