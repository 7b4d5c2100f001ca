"""Gather a ControlNet's self-attention maps while it runs, and refine its residuals with them."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ..errors import SesaHandError
from .pooled_attention import Grid, fuse, pool_map, pooled_self_attention, pooling_nests
from .settings import RESOLUTIONS, FusionSettings


@dataclass(frozen=True)
class AttentionLayer:
    """One self-attention layer: the projections to listen to, and where in the ControlNet it stands.

    Attributes:
        to_q: The module whose output is the queries `[B, h*w, heads * D]`.
        to_k: The module whose output is the keys.
        to_v: The module whose output is the values.
        to_out: The module whose input is what the attention gathered of the values, `[B, h*w, heads * D]`.
        heads: Number of heads.
        level: How often the latent has been halved before this layer.
        in_middle: Whether it belongs to the middle block.
        upcast: Whether it asks for float32 scores, as SD2's layers do, whose scores exceed float16.
    """

    to_q: nn.Module
    to_k: nn.Module
    to_v: nn.Module
    to_out: nn.Module
    heads: int
    level: int
    in_middle: bool = False
    upcast: bool = False


@dataclass(frozen=True)
class Residual:
    """One feature on its way to the U-Net: the zero convolution it goes through, and its level.

    Attributes:
        zero_conv: The convolution whose input is refined.
        level: How often the latent has been halved before it.
        in_middle: Whether it is the middle block's.
    """

    zero_conv: nn.Module
    level: int
    in_middle: bool = False


@dataclass(frozen=True)
class ControlNetLayout:
    """Where a ControlNet's self-attention and residuals are, in the order in which they run."""

    attention: tuple[AttentionLayer, ...]
    residuals: tuple[Residual, ...]

    def select_attention(self, settings: FusionSettings) -> tuple[AttentionLayer, ...]:
        """The layers whose maps are summed."""
        chosen = [layer for layer in self.attention if _resolution(layer.level) in settings.resolutions]
        if settings.layers == "last":
            chosen = list({(layer.level, layer.in_middle): layer for layer in chosen}.values())
        if not chosen:
            present = sorted({_resolution(layer.level) for layer in self.attention}, reverse=True)
            raise SesaHandError(
                f"Structural fusion of resolutions {settings.resolutions}: this ControlNet has self-attention at "
                f"{', '.join(map(str, present)) or 'none'} only. Choose one of these."
            )
        return tuple(chosen)

    def select_residuals(self, settings: FusionSettings) -> tuple[Residual, ...]:
        """The residuals to refine."""
        middle = next(residual for residual in self.residuals if residual.in_middle)
        if settings.refine == "middle":
            return (middle,)
        finest = middle.level
        if settings.refine != "coarsest":
            finest = min(finest, RESOLUTIONS.index(int(settings.refine.removeprefix("to_"))))
        return tuple(residual for residual in self.residuals if residual.level >= finest)


@dataclass(eq=False)
class _Call:
    """What one forward pass has brought so far."""

    size: Grid
    attended: dict[int, Tensor] = field(default_factory=dict)
    projections: dict[int, dict[str, Tensor]] = field(default_factory=lambda: defaultdict(dict))
    maps: dict[int, Tensor] = field(default_factory=dict)
    collected: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    waiting: dict[Residual, Tensor] = field(default_factory=dict)


class FusionCollector:
    """Listens to self-attention, adds up pooled maps, and refines features in front of their zero convolutions.

    For a residual on the grid g, `psi'_g` is the sum over the chosen encoder resolutions and the middle block of their
    maps max-pooled to g, as far as they are not coarser than g: max pooling only shrinks. The encoder's layers on one
    resolution count as their mean, and so do the middle block's: each of these groups has the same say. On the coarsest
    grid, where SD1.5's encoder has no self-attention and SDXL's has, the middle block is a group of its own.

    Its hooks sit on modules that other threads may be using: they act on a pass that this thread has begun, and leave
    every other alone.

    Args:
        layout: The ControlNet's layers.
        settings: What to do.
        detach: Keep gradients from flowing through the maps into queries and keys.
        checkpoint: Recompute the maps in the backward pass instead of holding their intermediate results.
        chunk_bytes: See `pooled_self_attention`.
        gate: The gate of gated mode while it is learnt; None takes the settings'.

    Raises:
        SesaHandError: if a residual that is to be refined has no chosen map that is fine enough for it.

    Source: paper sec. 3; the refinement of residuals other than the middle one is an extension.
    """

    def __init__(
        self,
        layout: ControlNetLayout,
        settings: FusionSettings,
        detach: bool = False,
        checkpoint: bool = False,
        chunk_bytes: int | None = None,
        gate: Tensor | None = None,
    ):
        self.settings = settings
        # Not by copying the value: what is learnt from 0 has hooks while it still is 0.
        self.gate = gate
        self.attention = layout.select_attention(settings)
        self.residuals = layout.select_residuals(settings)
        self.detach = detach
        self.checkpoint = checkpoint
        self.chunk_bytes = chunk_bytes
        self.size: Grid = (0, 0)
        self._layers_of_group: dict[tuple[int, bool], int] = defaultdict(int)
        for layer in self.attention:
            self._layers_of_group[layer.level, layer.in_middle] += 1
        for residual in self.residuals:
            if not self._needed_maps(residual.level):
                raise SesaHandError(
                    f"Structural fusion of resolutions {settings.resolutions} has no map for the residuals on grid "
                    f"{_resolution(residual.level)}. Choose a resolution of {_resolution(residual.level)} or more, or "
                    f"refine only coarser residuals (refine is {settings.refine!r})."
                )
        self._calls: dict[int, _Call | None] = {}
        self._replays: dict[int, _Call] = {}

    def __getstate__(self) -> dict:
        # A copy of the model begins passes of its own.
        return {**self.__dict__, "_calls": {}, "_replays": {}}

    def begin(self, size: Grid) -> None:
        """Start a pass of this thread over a latent of `size` (h, w)."""
        self.reset()
        self.size = (int(size[0]), int(size[1]))
        self._calls[threading.get_ident()] = _Call(self.size)

    def pass_by(self) -> None:
        """Start a pass of this thread in which nothing is listened to, until `reset`."""
        self.reset()
        self._calls[threading.get_ident()] = None

    def reset(self) -> None:
        """Forget this thread's last pass."""
        self._calls.pop(threading.get_ident(), None)
        self._replays.pop(threading.get_ident(), None)

    @property
    def _call(self) -> _Call | None:
        return self._calls.get(threading.get_ident())

    @property
    def _maps(self) -> dict[int, Tensor]:
        return self._call.maps if self._call else {}

    @property
    def is_listening(self) -> bool:
        """Whether this thread is in a pass that is listened to."""
        return self._call is not None

    def _heard_by(self) -> _Call | None:
        """What a layer's projections go to now, None for a pass of others."""
        thread = threading.get_ident()
        if thread in self._calls or not torch.is_grad_enabled():
            return self._calls.get(thread)
        # Gradient checkpointing runs a layer again after its pass, in any thread, and must find the same graph.
        return self._replays.setdefault(thread, _Call(self.size))

    def attach(self) -> list[RemovableHandle]:
        """Put the hooks on, none at strength 0 or a gate of 0; they work until each returned handle is removed."""
        handles: list[RemovableHandle] = []
        if self.settings.is_off and (self.gate is None or self.settings.strength == 0):
            return handles
        # Partials of methods instead of closures: a deep copy of the model then gets a collector of its own.
        for index, layer in enumerate(self.attention):
            for name, projection in (("query", layer.to_q), ("key", layer.to_k), ("value", layer.to_v)):
                handles.append(projection.register_forward_hook(partial(self._listen, index, name)))
            handles.append(layer.to_out.register_forward_pre_hook(partial(self._hand_over, index)))
        for residual in self.residuals:
            handles.append(residual.zero_conv.register_forward_pre_hook(partial(self._intercept, residual)))
        return handles

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Listen for as long as the block runs; no hook is left behind, whatever happens in it."""
        handles = self.attach()
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def psi(self, level: int) -> Tensor:
        """The summed map `psi'` on a level's grid, `[B, G, G]`, rows are queries."""
        return self._maps[level]

    def check_complete(self) -> None:
        """Raise a SesaHandError if, at the end of a pass, maps never came, or a layer never took its attention."""
        call = self._call
        if (
            call is None
            or not all(self._is_complete(call, residual.level) for residual in call.waiting)
            or call.projections
            or call.attended
        ):
            raise SesaHandError(
                "Structural fusion heard nothing from some self-attention layers of this ControlNet: their "
                "projections to_q, to_k, to_v and to_out were not all called, or cannot be listened to. Undo what "
                "replaces or fuses them (for example fuse_qkv_projections), and run the model without torch.compile."
            )

    def refine_waiting(self) -> Iterator[tuple[Residual, Tensor]]:
        """The residuals that reached their zero convolution before all maps were there, with their refined features.

        A ControlNet that runs each zero convolution as soon as its block is done has not seen its middle block then.

        Yields:
            A residual, and its feature `[B, C, h, w]`.
        """
        call = self._call
        for residual, feature in call.waiting.items() if call else ():
            yield residual, self._refine(feature, residual.level)

    def _listen(self, index: int, name: str, module: nn.Module, args: tuple, output: Tensor) -> Tensor | None:
        call = self._heard_by()
        if call is None:
            return None
        projections = call.projections[index]
        projections[name] = output
        shared = _is_shared(self.attention[index], output)
        if len(projections) == 3:
            self._collect(call, index, shared, **call.projections.pop(index))
            if call is not self._call:
                call.maps.clear()
        # The layer's own attention is left a single token: what it would find is already there, see `_hand_over`.
        return output[:, :1] if shared else None

    def _hand_over(self, index: int, module: nn.Module, args: tuple) -> tuple | None:
        attended = None if self._call is None else self._call.attended.pop(index, None)
        return None if attended is None else (attended, *args[1:])

    def _intercept(self, residual: Residual, module: nn.Module, args: tuple) -> tuple | None:
        call = self._call
        if call is None:
            return None
        if self._is_complete(call, residual.level):
            return (self._refine(args[0], residual.level), *args[1:])
        call.waiting[residual] = args[0]
        return None

    def _collect(self, call: _Call, index: int, shared: bool, query: Tensor, key: Tensor, value: Tensor) -> None:
        layer = self.attention[index]
        if self.detach:
            query, key = query.detach(), key.detach()
        attention = {}
        if shared:
            call.attended[index] = torch.empty_like(query)
            attention = {"value": _heads(value, layer), "attended": _heads(call.attended[index], layer)}
        query, key = _heads(query, layer), _heads(key, layer)
        share = 1 / self._layers_of_group[layer.level, layer.in_middle]
        size = _grid(call.size, layer.level)
        finer: dict[Grid, Tensor] = {}
        for level in sorted({residual.level for residual in self.residuals if residual.level >= layer.level}):
            grid = _grid(call.size, level)
            through = next((known for known in finer if pooling_nests(known, grid)), None)
            if through is None:
                finer[grid] = pooled_self_attention(
                    query, key, size, grid, self.chunk_bytes, self.checkpoint, layer.upcast, **attention
                )
                attention = {}
            else:
                finer[grid] = pool_map(finer[through], through, grid)
            _add(call, level, finer[grid], share)

    def _refine(self, feature: Tensor, level: int) -> Tensor:
        settings = self.settings
        gate = settings.gate if self.gate is None else self.gate
        return fuse(feature, self.psi(level), settings.mode, settings.strength, settings.orientation, gate)

    def _needed_maps(self, level: int) -> int:
        return sum(layer.level <= level for layer in self.attention)

    def _is_complete(self, call: _Call, level: int) -> bool:
        return call.collected[level] == self._needed_maps(level)


def _grid(size: Grid, level: int) -> Grid:
    # Each halving is a convolution of stride 2 with padding, which rounds up.
    return -(-size[0] // 2**level), -(-size[1] // 2**level)


def _add(call: _Call, level: int, pooled: Tensor, share: float) -> None:
    held = call.maps.get(level)
    call.collected[level] += 1
    if held is not None and not (held.requires_grad or pooled.requires_grad):
        held.add_(pooled, alpha=share)
        return
    part = pooled if share == 1 else share * pooled
    call.maps[level] = part if held is None else held + part


def _is_shared(layer: AttentionLayer, projection: Tensor) -> bool:
    """Whether the layer's own attention is computed together with its pooled map.

    On a CPU the scores and their softmax are most of the fusion's cost, and the layer needs the same ones; the result
    differs from that of a fused kernel by rounding alone. A GPU's fused kernels are faster than any map that is written
    out, and gradients are left to the layer.
    """
    exact = projection.dtype == torch.float32 and not layer.upcast
    return projection.device.type == "cpu" and exact and not torch.is_grad_enabled()


def _heads(projection: Tensor, layer: AttentionLayer) -> Tensor:
    """Return `[B, h*w, heads * D]` as a view `[B, heads, h*w, D]`."""
    return projection.unflatten(-1, (layer.heads, -1)).transpose(1, 2)


def _resolution(level: int) -> int:
    """A level's grid as it is called: its size at 512 px."""
    return RESOLUTIONS[0] >> level
