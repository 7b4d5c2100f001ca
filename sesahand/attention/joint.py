"""The attention bias where text and picture are not apart: the picture's queries alone heed it, all others stay.

Transformers attend to text, picture and pictures for reference in one sequence, or to the text in a cross-attention of
their own. A layout says where in it the text and the picture to be made stand; the softmax is the paper's either way.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from .bias import on_grid

Attend = Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]
"""An attention over the keys at hand: queries [B, H, N, d] and a mask or None to an output with N rows."""


@dataclass(frozen=True)
class Layout:
    """Where text and picture stand in those attentions of one call of a network that see both.

    Attributes:
        text: Key of the first row of the text.
        queries: Query of the first patch of the picture.
        grid: Patches of the picture along time, height and width, row by row from `queries` on.
        keys: Keys of such an attention.
        rows: Queries of such an attention.
        calls: Such attentions in one call of the network.
        is_cross: Whether the keys are the text's alone.
        patch: Cells of the latent along a side of a patch.
    """

    text: int
    queries: int
    grid: tuple[int, int, int]
    keys: int
    rows: int
    calls: int
    is_cross: bool
    patch: int

    @property
    def picture(self) -> slice:
        """The queries of the picture."""
        return self.part(slice(0, math.prod(self.grid)))

    def part(self, patches: slice) -> slice:
        """The queries of some patches of the picture."""
        return slice(self.queries + patches.start, self.queries + patches.stop)


def third_of(call: int, calls: int) -> str:
    """The part of a network, as U-Nets name theirs, that one of its blocks belongs to: a third of its depth."""
    return ("input", "middle", "output")[min(3 * call // calls, 2)]


def on_patches(weights: torch.Tensor, layout: Layout) -> torch.Tensor:
    """The mean over each patch of weights for the cells of a latent.

    Args:
        weights: `[B, h, w]`, one for each cell of the latent.
        layout: Of the attention; a patch over the edge has the mean of what lies inside.

    Returns:
        `[B, N]` for the N patches of the picture.
    """
    frames, height, width = layout.grid
    below, beside = height * layout.patch - weights.shape[-2], width * layout.patch - weights.shape[-1]
    padded = F.pad(weights[:, None], (0, beside, 0, below), mode="replicate")[:, 0]
    return on_grid(padded, height, width).flatten(1).repeat(1, frames)


def attend_with_bias(
    attend: Attend, query: torch.Tensor, mask: torch.Tensor | None, bias: torch.Tensor, inside: slice, rows: int
) -> torch.Tensor:
    """Attend with a bias on some queries alone, those of the picture, without a mask of all queries by all keys.

    Args:
        attend: The attention.
        query: `[B, H, rows, d]`.
        mask: `[N, K]` to `[B, H, N, K]`, N rows or 1: a float that the model adds to its logits, or a bool; or None.
        bias: `[B, 1, 1 or N, K]` for N queries.
        inside: These queries.
        rows: The dimension of the output that counts its rows.

    Returns:
        What `attend` puts out for all queries: `[B, H, rows, d]` or `[B, rows, H * d]`.
    """
    parts = []
    for part in (slice(0, inside.start), inside, slice(inside.stop, query.shape[2])):
        if part.stop > part.start:
            own = _mask_of(mask, part)
            parts.append(attend(query[:, :, part], _with_bias(own, bias) if part is inside else own))
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=rows)


def attention_to(
    attend: Attend, query: torch.Tensor, mask: torch.Tensor | None, bias: torch.Tensor | None, layout: Layout
) -> torch.Tensor:
    """How much of its attention each query of the picture gives to some keys, averaged over the heads.

    Args:
        attend: An attention whose values are 1 for those keys and 0 for others, so that it puts out their share.
        query: `[B, H, rows, d]`.
        mask: `[N, K]` to `[B, H, N, K]`, N rows or 1: a float that the model adds to its logits, or a bool; or None.
        bias: `[B, 1, 1 or N, K]` for the N queries of the picture, or None.
        layout: Of the attention.

    Returns:
        `[B, N]` float32 in 0..1.
    """
    own = _mask_of(mask, layout.picture)
    share = attend(query[:, :, layout.picture], own if bias is None else _with_bias(own, bias))
    return share[..., 0].float().mean(dim=1)


def _mask_of(mask: torch.Tensor | None, queries: slice) -> torch.Tensor | None:
    """The part of a model's mask, [N, K] to [B, H, N, K], for some queries; where N is 1 it holds for all."""
    if mask is None:
        return None
    mask = mask[None] if mask.ndim == 2 else mask
    mask = mask[:, None] if mask.ndim == 3 else mask
    return mask if mask.shape[-2] == 1 else mask[..., queries, :]


def _with_bias(mask: torch.Tensor | None, bias: torch.Tensor) -> torch.Tensor:
    """Add a bias to a model's mask, whose False forbids if it is of booleans."""
    if mask is None:
        return bias
    if mask.dtype == torch.bool:
        return torch.where(mask, bias, -torch.inf)
    return mask + bias
