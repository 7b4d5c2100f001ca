"""The attention bias on diffusers' UNet2DConditionModel."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import get_ident
from typing import Any

import torch
from torch.utils.weak import WeakIdKeyDictionary

from ..attention.bias import (
    check_mask,
    check_mask_count,
    check_settings,
    column_bias,
    feathered_mask,
    in_blocks,
    moved,
    on_grid,
)
from ..errors import SesaHandError
from ..fusion.own_calls import OwnCalls
from .families import BLOCKS, LATENT_PIXELS


@dataclass
class Pass:
    """One forward pass of the UNet: the size of its latent, whether the bias acts, and the biases built so far."""

    latent: tuple[int, int]
    active: bool
    known: dict[tuple[int, int, int], torch.Tensor] = field(default_factory=dict)


class AttachedBias:
    """A bias that acts on a UNet until it is detached; a deep copy of the UNet has one of its own."""

    def __init__(
        self,
        columns: Sequence[Sequence[int]],
        alpha: float,
        span: tuple[float, float, int],
        mask: torch.Tensor | None,
        feather: float,
        own_calls: OwnCalls | None = None,
    ):
        self._columns, self._alpha, self._span, self._mask, self._feather = columns, alpha, span, mask, feather
        self._hooks: list = []
        self.own_calls = OwnCalls() if own_calls is None else own_calls
        # By thread, the pass that is running there, None for one of others; and the last one of all.
        self._running: dict[int, Pass | None] = {}
        self._pass: Pass | None = None
        self._passes = WeakIdKeyDictionary()

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_pass": None, "_passes": None, "_running": {}}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state, _passes=WeakIdKeyDictionary())

    def attach(self, unet: torch.nn.Module, layers: Sequence[torch.nn.Module]) -> None:
        """Hook into a UNet and the cross-attentions that are to be biased."""
        self._hooks = [layer.register_forward_pre_hook(self._before_attention, with_kwargs=True) for layer in layers]
        self._hooks.append(unet.register_forward_pre_hook(self._begin, with_kwargs=True))
        self._hooks.append(unet.register_forward_hook(self._end, always_call=True))

    def detach(self) -> None:
        """Take the bias off the UNet; a second call changes nothing."""
        while self._hooks:
            self._hooks.pop().remove()
        self._pass, self._passes = None, WeakIdKeyDictionary()

    def _begin(self, unet: torch.nn.Module, args: tuple, kwargs: dict | None = None) -> None:
        # Without kwargs in a thread that calls while another one is taking the hook off.
        if kwargs is None or not self.own_calls:
            self._running[get_ident()] = None
            return
        latent = tuple((args[0] if args else kwargs["sample"]).shape[-2:])
        time = args[1] if len(args) > 1 else kwargs["timestep"]
        self._pass = self._running[get_ident()] = Pass(latent, is_active(time, *self._span))

    def _end(self, unet: torch.nn.Module, args: tuple, output: object) -> None:
        own = self._running.pop(get_ident(), None)
        if not torch.is_grad_enabled() and own is self._pass:
            self._pass = None

    def _before_attention(
        self, attention: torch.nn.Module, args: tuple, kwargs: dict | None = None
    ) -> tuple[tuple, dict] | None:
        if kwargs is None:
            return None
        query = args[0] if args else kwargs["hidden_states"]
        text: Any = kwargs.get("encoder_hidden_states", args[1] if len(args) > 1 else None)
        text = text[0] if isinstance(text, tuple) else text
        current = self._pass_of(text)
        if current is None or not current.active:
            return None
        size = query.shape[0], 1 if self._mask is None else query.shape[1], text.shape[1]
        if size not in current.known:
            bias = bias_of(self._columns, self._alpha, self._mask, self._feather, current.latent, size)
            current.known[size] = moved(bias, query)
        present = kwargs.get("attention_mask")
        bias = current.known[size]
        return args, {**kwargs, "attention_mask": bias if present is None else present + bias}

    def _pass_of(self, text: torch.Tensor) -> Pass | None:
        """The pass that calls; gradient checkpointing calls again in the backward pass, with the text it had then."""
        if get_ident() not in self._running:
            return self._passes.get(text, self._pass if self.own_calls else None)
        current = self._running[get_ident()]
        if current is not None and torch.is_grad_enabled() and not torch.compiler.is_compiling():
            self._passes[text] = current
        return current


def attach_attention_bias(
    unet: torch.nn.Module,
    columns: Sequence[Sequence[int]],
    alpha: float = 2.0,
    blocks: str = "output",
    start: float = 0.0,
    end: float = 1.0,
    mask: torch.Tensor | None = None,
    feather: float = 0.0,
    train_timesteps: int = 1000,
    own_calls: OwnCalls | None = None,
) -> AttachedBias:
    """Let a UNet attend more to the hand tokens of its prompts: softmax(Q K^T / sqrt(d) + B).

    Works with every attention processor that takes an attention mask, with ControlNets and IP-Adapters beside it, and
    several times over: biases add up. Gradients flow through it, also with gradient checkpointing; keep it attached
    until the backward pass is over then, since that computes the attention again.

    Args:
        unet: UNet2DConditionModel of Stable Diffusion 1.x, 2.x or SDXL.
        columns: The hand-token columns of each prompt in the order of the batch. Pipelines with guidance put the
            negative prompts first: [(), (4, 5)] for one picture. A batch of more rows has several pictures per prompt.
        alpha: Value of B on those columns, 0..8.
        blocks: "output" (the paper), "input", "middle" or "all".
        start: Fraction of the sampling at which the bias sets in.
        end: Fraction of the sampling after which it is left out.
        mask: `[b, H, W]` in 0..1, how much of the bias a place gets; one for all pictures of a prompt, one for each, or
            b that divides them and is repeated in order.
        feather: How far the mask fades out beyond its edge, in pixels of the picture.
        train_timesteps: Number of timesteps the model was trained with, to tell start and end.
        own_calls: The calls that it acts on; None stands for all, whichever thread makes them.

    Returns:
        The handle by which it is taken off again; `detach_attention_bias` takes off all of a UNet.

    Raises:
        SesaHandError: The model has no cross-attention to a text, or a setting means nothing.

    Source:
        SesaHand (ICLR 2026), attention enhancement.
    """
    check_settings(alpha, blocks, start, end)
    if mask is not None:
        check_mask(mask)
    layers = cross_attentions(unet, blocks)
    if not columns:
        raise SesaHandError("columns is empty: give the hand-token columns of each prompt, () for one without any.")
    attached = AttachedBias(columns, alpha, (start, end, train_timesteps), mask, feather, own_calls)
    if alpha > 0 and start < end and any(columns):
        attached.attach(unet, layers)
    return attached


def detach_attention_bias(unet: torch.nn.Module) -> None:
    """Take every attention bias off a UNet, also off a deep copy; a UNet without any is left as it is."""
    owners = [getattr(hook, "__self__", None) for hook in unet._forward_pre_hooks.values()]
    for owner in owners:
        if isinstance(owner, AttachedBias):
            owner.detach()


@contextmanager
def attention_bias(unet: torch.nn.Module, columns: Sequence[Sequence[int]], **settings) -> Iterator[AttachedBias]:
    """`attach_attention_bias` for the calls in a with block, and for none that other threads make meanwhile."""
    own = OwnCalls()
    with own.entered():
        attached = attach_attention_bias(unet, columns, **settings, own_calls=own)
        try:
            yield attached
        finally:
            attached.detach()


def cross_attentions(unet: torch.nn.Module, blocks: str) -> list[torch.nn.Module]:
    """The cross-attentions in the chosen part of a UNet.

    Raises:
        SesaHandError: It has none anywhere.
    """
    every = [
        (BLOCKS.get(name.split(".")[0]), module) for name, module in unet.named_modules() if name.endswith(".attn2")
    ]
    every = [(place, module) for place, module in every if place and getattr(module, "is_cross_attention", True)]
    if not every:
        raise SesaHandError(
            f"The attention of {type(unet).__name__} cannot be biased. Supported is the UNet2DConditionModel of Stable "
            "Diffusion 1.x, 2.x and SDXL, which attends from the picture to the text; Flux, SD3 and Qwen-Image attend "
            "to both at once."
        )
    return [module for place, module in every if place and in_blocks(place, blocks)]


def is_active(timestep: torch.Tensor | float, start: float, end: float, train_timesteps: int) -> bool:
    """Whether a step lies between start and end, both included and counted as ComfyUI counts them.

    Args:
        timestep: A number, or a tensor of any shape whose first number counts; 0 is the end of the sampling.
        start: Fraction of the sampling, 0..1.
        end: Likewise.
        train_timesteps: Number of timesteps the model was trained with.
    """
    if start <= 0 and end >= 1:
        return True
    time = float(torch.as_tensor(timestep).flatten()[0]) / (train_timesteps - 1)
    return (end >= 1 or 1 - end <= time) and (start <= 0 or time <= 1 - start)


def bias_of(columns, alpha, mask, feather, latent: tuple[int, int], size: tuple[int, int, int]) -> torch.Tensor:
    """The bias `[B, 1 or N, K]` of one attention of `size` B, N, K."""
    batch, queries, keys = size
    if batch % len(columns):
        raise SesaHandError(
            f"The columns of {len(columns)} prompts were given, and the UNet got a batch of {batch}, expected whole "
            "pictures of each: give columns for every prompt, negative ones too."
        )
    images = batch // len(columns)
    bias = column_bias([(row, keys) for row in columns for _ in range(images)], keys, alpha)[:, None]
    if mask is None:
        return bias
    check_mask_count(len(mask), images)
    weights = feathered_mask(mask.detach().cpu(), *latent, feather / LATENT_PIXELS)
    weights = on_grid(weights, *grid_of(queries, latent)).flatten(1)
    return bias * weights.repeat(batch // len(mask), 1)[..., None]


def grid_of(queries: int, latent: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of a level of the UNet: the latent's, halved and rounded up until they make that many queries.

    Raises:
        SesaHandError: No level has that many.
    """
    height, width = latent
    while height * width > queries and (height, width) != (1, 1):
        height, width = -(-height // 2), -(-width // 2)
    if height * width != queries:
        raise SesaHandError(
            f"A cross-attention has {queries} queries, which is no level of a latent of {latent[1]} x {latent[0]}: "
            "tokens are merged or cut. Do without the mask, or turn that off."
        )
    return height, width
