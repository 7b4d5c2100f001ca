"""Structural fusion on diffusers' ControlNetModel: attach, run or train as usual, detach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import SesaHandError
from ..fusion.collector import ControlNetLayout, FusionCollector, Residual, SelfAttention
from ..fusion.settings import FusionSettings

if TYPE_CHECKING:
    from diffusers import ControlNetModel


class AttachedFusion:
    """Structural fusion at work on a ControlNetModel, until `detach()` or the end of its `with` block."""

    def __init__(self, controlnet: ControlNetModel, collector: FusionCollector):
        self.collector = collector
        self._handles = [
            controlnet.register_forward_pre_hook(self._begin, with_kwargs=True),
            # Also after an exception, so that no map outlives the pass it belongs to.
            controlnet.register_forward_hook(self._end, always_call=True),
            *collector.attach(),
        ]

    def detach(self) -> None:
        """Take every hook off; the ControlNet is then as it was before."""
        while self._handles:
            self._handles.pop().remove()
        self.collector.reset()

    def __enter__(self) -> AttachedFusion:
        return self

    def __exit__(self, *exception) -> None:
        self.detach()

    def _begin(self, controlnet: ControlNetModel, args: tuple, kwargs: dict) -> None:
        sample = args[0] if args else kwargs["sample"]
        self.collector.begin(sample.shape[-2:])

    def _end(self, controlnet: ControlNetModel, args: tuple, output: object) -> None:
        try:
            # Every map is there before diffusers comes to the zero convolutions, unless a layer was never called.
            self.collector.check_complete()
        finally:
            self.collector.reset()


def attach_structural_fusion(
    controlnet: ControlNetModel,
    settings: FusionSettings | None = None,
    *,
    detach_psi: bool = False,
    checkpoint: bool = False,
    chunk_bytes: int | None = None,
) -> AttachedFusion | None:
    """Refine a ControlNet's residuals by its own self-attention maps in every forward pass from now on.

    Nothing is added to the weights: what is trained this way is saved and loaded as any ControlNet. Put
    `settings.to_metadata()` into the file, so that SesaHand's loader in ComfyUI recognises it.

    Args:
        controlnet: A `diffusers.ControlNetModel` of the SD1.5 or SDXL family.
        settings: What to do; for training usually `FusionSettings(mode="paper")`. None stands for the defaults.
        detach_psi: Keep gradients from flowing through the maps. The paper trains end to end, so they flow by default.
        checkpoint: Recompute the maps in the backward pass: slower, but training then never holds a whole map either.
        chunk_bytes: Upper bound on the attention scores held at a time; None chooses for the device.

    Returns:
        A handle with `detach()`, also usable in a `with` statement; `detach_structural_fusion` does the same.

    Raises:
        SesaHandError: for another kind of model, one that has the fusion already, or settings it cannot serve.

    Source: paper sec. 3.
    """
    settings = settings or FusionSettings()
    layout = diffusers_layout(controlnet)
    if _attached(controlnet):
        raise SesaHandError("This ControlNet has structural fusion attached already; detach_structural_fusion() first.")
    collector = FusionCollector(layout, settings, detach_psi, checkpoint, chunk_bytes)
    return AttachedFusion(controlnet, collector)


def detach_structural_fusion(controlnet: ControlNetModel) -> None:
    """Undo `attach_structural_fusion`; a ControlNet without it is left as it is."""
    for attached in _attached(controlnet):
        attached.detach()


def diffusers_layout(controlnet: ControlNetModel) -> ControlNetLayout:
    """Find the self-attention layers and zero convolutions of a diffusers ControlNetModel.

    Raises:
        SesaHandError: if the model is not built as the ControlNets of SD1.5 and SDXL are.
    """
    if hasattr(controlnet, "_orig_mod"):
        raise SesaHandError(
            "This ControlNet is compiled, and structural fusion cannot listen to compiled layers. Pass the model that "
            "torch.compile was given, and run it uncompiled."
        )
    parts = ("down_blocks", "mid_block", "controlnet_down_blocks", "controlnet_mid_block")
    if any(getattr(controlnet, part, None) is None for part in parts):
        raise SesaHandError(
            f"Structural fusion needs a diffusers ControlNetModel of SD1.5 or SDXL, got {type(controlnet).__name__}. "
            "Of a MultiControlNetModel pass one of its `nets`; T2I-Adapters and ControlNets of transformer models "
            "(Flux, SD3) have no such self-attention."
        )
    attention, levels, level = [], [0], 0
    for block in controlnet.down_blocks:
        attention += _self_attention(block, level, in_middle=False)
        levels += [level] * len(block.resnets)
        if block.downsamplers is not None:
            level += 1
            levels.append(level)
    attention += _self_attention(controlnet.mid_block, level, in_middle=True)
    zero_convs = zip(controlnet.controlnet_down_blocks, levels, strict=True)
    residuals = [Residual(zero_conv, level) for zero_conv, level in zero_convs]
    residuals.append(Residual(controlnet.controlnet_mid_block, level, in_middle=True))
    return ControlNetLayout(tuple(attention), tuple(residuals))


def _self_attention(block, level: int, in_middle: bool) -> list[SelfAttention]:
    return [
        SelfAttention(
            layer.attn1.to_q,
            layer.attn1.to_k,
            layer.attn1.to_v,
            layer.attn1.to_out[0],
            layer.attn1.heads,
            level,
            in_middle,
            layer.attn1.upcast_attention,
        )
        for transformer in getattr(block, "attentions", None) or ()
        for layer in transformer.transformer_blocks
        if not layer.only_cross_attention
    ]


def _attached(controlnet: ControlNetModel) -> list[AttachedFusion]:
    owners = (getattr(hook, "__self__", None) for hook in controlnet._forward_pre_hooks.values())
    return [owner for owner in owners if isinstance(owner, AttachedFusion)]
