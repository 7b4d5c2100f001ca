"""Gather a ControlNet's self-attention maps while it runs, and refine its residuals with them."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ..errors import SesaHandError
from .pooled_attention import Grid, fuse, pool_map, pooled_self_attention, pooling_nests
from .settings import RESOLUTIONS, FusionSettings


@dataclass(frozen=True)
class SelfAttention:
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

    attention: tuple[SelfAttention, ...]
    residuals: tuple[Residual, ...]

    def select_attention(self, settings: FusionSettings) -> tuple[SelfAttention, ...]:
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


class FusionCollector:
    """Listens to self-attention, adds up pooled maps, and refines features in front of their zero convolutions.

    For a residual on the grid g, `psi'_g` is the sum over the chosen encoder resolutions and the middle block of their
    maps max-pooled to g, as far as they are not coarser than g: max pooling only shrinks. The encoder's layers on one
    resolution count as their mean, and so do the middle block's: each of these groups has the same say. On the coarsest
    grid, where SD1.5's encoder has no self-attention and SDXL's has, the middle block is a group of its own.

    Args:
        layout: The ControlNet's layers.
        settings: What to do.
        detach: Keep gradients from flowing through the maps into queries and keys.
        checkpoint: Recompute the maps in the backward pass instead of holding their intermediate results.
        chunk_bytes: See `pooled_self_attention`.

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
    ):
        self.settings = settings
        self.attention = layout.select_attention(settings)
        self.residuals = layout.select_residuals(settings)
        self.detach = detach
        self.checkpoint = checkpoint
        self.chunk_bytes = chunk_bytes
        self.size: Grid = (0, 0)
        self._layers_of_group = defaultdict(int)
        for layer in self.attention:
            self._layers_of_group[layer.level, layer.in_middle] += 1
        for residual in self.residuals:
            if not self._needed_maps(residual.level):
                raise SesaHandError(
                    f"Structural fusion of resolutions {settings.resolutions} has no map for the residuals on grid "
                    f"{_resolution(residual.level)}. Choose a resolution of {_resolution(residual.level)} or more, or "
                    f"refine only coarser residuals (refine is {settings.refine!r})."
                )
        self.reset()

    def reset(self) -> None:
        """Forget the last pass."""
        self._attended: dict[int, Tensor] = {}
        self._projections: dict[int, dict[str, Tensor]] = defaultdict(dict)
        self._maps: dict[int, Tensor] = {}
        self._collected: dict[int, int] = defaultdict(int)
        self._waiting: dict[Residual, Tensor] = {}

    def begin(self, size: Grid) -> None:
        """Start a pass over a latent of `size` (h, w)."""
        self.reset()
        self.size = (int(size[0]), int(size[1]))

    def attach(self) -> list[RemovableHandle]:
        """Put the hooks on, none at strength 0; they work until each returned handle is removed."""
        handles = []
        if self.settings.is_off:
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
        heard = all(self._is_complete(residual.level) for residual in self._waiting)
        if not heard or self._projections or self._attended:
            raise SesaHandError(
                "Structural fusion heard nothing from some self-attention layers of this ControlNet: their "
                "projections to_q, to_k, to_v and to_out were not all called, or cannot be listened to. Undo what "
                "replaces or fuses them (for example fuse_qkv_projections), and run the model without torch.compile."
            )

    def refine_waiting(self) -> Iterator[tuple[Residual, Tensor]]:
        """The residuals that reached their zero convolution before all maps were there, with their refined features.

        A ControlNet that runs each zero convolution as soon as its block is done has not seen its middle block then.
        """
        for residual, feature in self._waiting.items():
            yield residual, self._refine(feature, residual.level)

    def _listen(self, index: int, name: str, module: nn.Module, args: tuple, output: Tensor) -> Tensor | None:
        projections = self._projections[index]
        projections[name] = output
        shared = _is_shared(self.attention[index], output)
        if len(projections) == 3:
            self._collect(index, shared, **self._projections.pop(index))
        # The layer's own attention is left a single token: what it would find is already there, see `_hand_over`.
        return output[:, :1] if shared else None

    def _hand_over(self, index: int, module: nn.Module, args: tuple) -> tuple | None:
        attended = self._attended.pop(index, None)
        return None if attended is None else (attended, *args[1:])

    def _intercept(self, residual: Residual, module: nn.Module, args: tuple) -> tuple | None:
        if self._is_complete(residual.level):
            return (self._refine(args[0], residual.level), *args[1:])
        self._waiting[residual] = args[0]
        return None

    def _collect(self, index: int, shared: bool, query: Tensor, key: Tensor, value: Tensor) -> None:
        layer = self.attention[index]
        if self.detach:
            query, key = query.detach(), key.detach()
        attention = {}
        if shared:
            self._attended[index] = torch.empty_like(query)
            attention = {"value": _heads(value, layer), "attended": _heads(self._attended[index], layer)}
        query, key = _heads(query, layer), _heads(key, layer)
        share = 1 / self._layers_of_group[layer.level, layer.in_middle]
        size, finer = self._grid(layer.level), {}
        for level in sorted({residual.level for residual in self.residuals if residual.level >= layer.level}):
            grid = self._grid(level)
            through = next((known for known in finer if pooling_nests(known, grid)), None)
            if through is None:
                finer[grid] = pooled_self_attention(
                    query, key, size, grid, self.chunk_bytes, self.checkpoint, layer.upcast, **attention
                )
                attention = {}
            else:
                finer[grid] = pool_map(finer[through], through, grid)
            self._add(level, finer[grid], share)

    def _add(self, level: int, pooled: Tensor, share: float) -> None:
        held = self._maps.get(level)
        self._collected[level] += 1
        if held is None:
            self._maps[level] = pooled if share == 1 else share * pooled
        elif held.requires_grad or pooled.requires_grad:
            self._maps[level] = held + share * pooled
        else:
            held.add_(pooled, alpha=share)

    def _refine(self, feature: Tensor, level: int) -> Tensor:
        settings = self.settings
        return fuse(feature, self.psi(level), settings.mode, settings.strength, settings.orientation)

    def _grid(self, level: int) -> Grid:
        # Each halving is a convolution of stride 2 with padding, which rounds up.
        return -(-self.size[0] // 2**level), -(-self.size[1] // 2**level)

    def _needed_maps(self, level: int) -> int:
        return sum(layer.level <= level for layer in self.attention)

    def _is_complete(self, level: int) -> bool:
        return self._collected[level] == self._needed_maps(level)


def _is_shared(layer: SelfAttention, projection: Tensor) -> bool:
    """Whether the layer's own attention is computed together with its pooled map.

    On a CPU the scores and their softmax are most of the fusion's cost, and the layer needs the same ones; the result
    differs from that of a fused kernel by rounding alone. A GPU's fused kernels are faster than any map that is written
    out, and gradients are left to the layer.
    """
    exact = projection.dtype == torch.float32 and not layer.upcast
    return projection.device.type == "cpu" and exact and not torch.is_grad_enabled()


def _heads(projection: Tensor, layer: SelfAttention) -> Tensor:
    """Return `[B, h*w, heads * D]` as a view `[B, heads, h*w, D]`."""
    return projection.unflatten(-1, (layer.heads, -1)).transpose(1, 2)


def _resolution(level: int) -> int:
    """A level's grid as it is called: its size at 512 px."""
    return RESOLUTIONS[0] >> level
