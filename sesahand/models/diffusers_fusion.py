"""Structural fusion on diffusers' ControlNetModel: attach, run or train as usual, detach."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ..errors import SesaHandError
from ..fusion.collector import AttentionLayer, ControlNetLayout, FusionCollector, Residual
from ..fusion.own_calls import OwnCalls
from ..fusion.settings import FusionSettings

if TYPE_CHECKING:
    from diffusers import ControlNetModel


class AttachedFusion:
    """Structural fusion at work on a ControlNetModel, until `detach()` or the end of its `with` block.

    In a `with` block it acts on the calls made in it; other threads that use the same ControlNet meanwhile have it
    plain, or with a fusion of their own.
    """

    def __init__(self, controlnet: ControlNetModel, collector: FusionCollector, own_calls: OwnCalls):
        self.collector = collector
        self.own_calls = own_calls
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
        if not self.own_calls.is_entered:
            self.own_calls.enter()
        return self

    def __exit__(self, *exception) -> None:
        self.own_calls.leave()
        self.detach()

    def _begin(self, controlnet: ControlNetModel, args: tuple, kwargs: dict | None = None) -> None:
        # Without kwargs in a thread that calls while another one is taking the hook off.
        if kwargs is None or _acting(controlnet) is not self:
            self.collector.pass_by()
            return
        sample = args[0] if args else kwargs["sample"]
        self.collector.begin(sample.shape[-2:])

    def _end(self, controlnet: ControlNetModel, args: tuple, output: object) -> None:
        try:
            # Every map is there before diffusers comes to the zero convolutions, unless a layer was never called.
            if self.collector.is_listening:
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
    gate: Tensor | None = None,
) -> AttachedFusion | None:
    """Refine a ControlNet's residuals by its own self-attention maps in every forward pass from now on.

    Used as `with attach_structural_fusion(...)`, it acts on the passes of the block, not on those of others.

    Nothing is added to the weights: what is trained this way is saved and loaded as any ControlNet. Put
    `settings.to_metadata()` into the file, so that SesaHand's loader in ComfyUI recognises it.

    Args:
        controlnet: A `diffusers.ControlNetModel` of the SD1.5 or SDXL family.
        settings: What to do; for training usually `FusionSettings(mode="paper")`. None stands for the defaults.
        detach_psi: Keep gradients from flowing through the maps. The paper trains end to end, so they flow by default.
        checkpoint: Recompute the maps in the backward pass: slower, but training then never holds a whole map either.
        chunk_bytes: Upper bound on the attention scores held at a time; None chooses for the device.
        gate: The parameter of gated mode that a training learns, float32 without dimensions; None takes the settings'.

    Returns:
        A handle with `detach()`, also usable in a `with` statement; `detach_structural_fusion` does the same.

    Raises:
        SesaHandError: for another kind of model, one that has the fusion already, or settings it cannot serve.

    Source: paper sec. 3.
    """
    settings = settings or FusionSettings()
    return _attach(controlnet, settings, OwnCalls(), detach_psi, checkpoint, chunk_bytes, gate)


@contextmanager
def structural_fusion(controlnet: ControlNetModel, settings: FusionSettings) -> Iterator[AttachedFusion]:
    """`attach_structural_fusion` for the length of a with block, at no moment for others."""
    with OwnCalls().entered() as own, _attach(controlnet, settings, own) as attached:
        yield attached


def _attach(
    controlnet: ControlNetModel,
    settings: FusionSettings,
    own_calls: OwnCalls,
    detach_psi: bool = False,
    checkpoint: bool = False,
    chunk_bytes: int | None = None,
    gate: Tensor | None = None,
) -> AttachedFusion:
    layout = diffusers_layout(controlnet)
    acting = [one for one in _attached(controlnet) if one.own_calls]
    # What another thread has attached for itself is none of this one's.
    if any(one.own_calls.is_entered or one.own_calls.is_of_this_thread for one in acting):
        raise SesaHandError("This ControlNet has structural fusion attached already; detach_structural_fusion() first.")
    collector = FusionCollector(layout, settings, detach_psi, checkpoint, chunk_bytes, gate)
    return AttachedFusion(controlnet, collector, own_calls)


def detach_structural_fusion(controlnet: ControlNetModel) -> None:
    """Undo `attach_structural_fusion`; a ControlNet without it is left as it is."""
    for attached in _attached(controlnet):
        if attached.own_calls:
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
    block: Any
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


def _self_attention(block, level: int, in_middle: bool) -> list[AttentionLayer]:
    return [
        AttentionLayer(
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
    # A copy, since other threads may attach and detach.
    owners = (getattr(hook, "__self__", None) for hook in tuple(controlnet._forward_pre_hooks.values()))
    return [owner for owner in owners if isinstance(owner, AttachedFusion)]


def _acting(controlnet: ControlNetModel) -> AttachedFusion | None:
    """The one fusion that is meant for a call made here: of this with block, else of this thread, else of any."""
    acting = [one for one in _attached(controlnet) if one.own_calls]
    for nearer in ("is_entered", "is_of_this_thread"):
        near = [one for one in acting if getattr(one.own_calls, nearer)]
        acting = near or acting
    if len(acting) > 1:
        raise SesaHandError(
            "Two other threads have attached structural fusion to this ControlNet, so it is not clear which is meant "
            "here. Attach it in a with block, which acts on its own calls only."
        )
    return acting[0] if acting else None
