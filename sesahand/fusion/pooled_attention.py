"""Max-pooled self-attention maps, computed without ever holding a whole map, and their product with a feature."""

from collections.abc import Callable, Iterator
from functools import partial

import torch
import torch.utils.checkpoint
from torch import Tensor

from ..errors import SesaHandError
from .settings import GATED

Grid = tuple[int, int]

# One chunk of attention scores. On the CPU it should stay in the cache; on a GPU more work per launch pays.
CPU_CHUNK_BYTES = 4 << 20
GPU_CHUNK_BYTES = 16 << 20

# float16 ends at 65504, which the scores of some networks exceed. A power of two costs no digit.
HALF_HEADROOM = 32


def pooled_self_attention(
    query: Tensor,
    key: Tensor,
    size: Grid,
    grid: Grid,
    chunk_bytes: int | None = None,
    checkpoint: bool = False,
    upcast: bool = False,
    value: Tensor | None = None,
    attended: Tensor | None = None,
) -> Tensor:
    """Max-pool a head-averaged self-attention map from its own grid to a coarser one, chunk by chunk.

    The map `A = mean over heads of softmax(Q K^T / sqrt(D))` is `[B, h*w, h*w]`. It is pooled over queries and over
    keys with the bins of adaptive max pooling; only some query rows of it exist at any moment.

    Args:
        query: `[B, heads, h*w, D]`, tokens in row-major order.
        key: Like `query`.
        size: `(h, w)` of the map's own grid.
        grid: `(h, w)` of the grid to pool to; at most `size`.
        chunk_bytes: Upper bound on the scores held at a time, before softmax. None chooses for the device.
        checkpoint: Recompute each chunk in the backward pass, so that training does not hold the map either.
        upcast: Take the scores in float32, as some layers ask for; otherwise in the projections' own precision, and
            float16 ones divided by a power of two meanwhile, so that they stay finite up to 2 million.
        value: Like `query`, to be attended to with the same map while it is at hand; only without gradients.
        attended: Where the attention's result `A_head V`, like `query`, is written to if there is a `value`.

    Returns:
        `[B, G, G]` float32 with `G = grid height * grid width`; rows are queries.

    Raises:
        SesaHandError: if the number of tokens is not `h*w`, or `grid` is finer than `size`.

    Source: paper sec. 3, `M(psi_r)`.
    """
    batch, heads, tokens, dim = query.shape
    if tokens != size[0] * size[1] or key.shape != query.shape:
        raise SesaHandError(
            f"Structural fusion met queries {tuple(query.shape)} and keys {tuple(key.shape)} where it expected a "
            f"self-attention over {size[0]} x {size[1]} places. Take out what merges or drops tokens in the ControlNet."
        )
    if grid[0] > size[0] or grid[1] > size[1]:
        raise SesaHandError(
            f"Max pooling only shrinks: a {size} self-attention map cannot be brought to {grid}: choose one of at most "
            "that size."
        )

    cells = cell_tokens(size, grid).to(query.device)
    is_partition = size[0] % grid[0] == 0 and size[1] % grid[1] == 0
    chunk_bytes = chunk_bytes or (CPU_CHUNK_BYTES if query.device.type == "cpu" else GPU_CHUNK_BYTES)
    row_bytes = heads * tokens * (4 if upcast else query.element_size())
    samples, cells_per_chunk, rows_per_chunk = _chunk_shape(
        batch, cells.shape[0], cells.shape[1], row_bytes, chunk_bytes
    )
    headroom = HALF_HEADROOM if query.dtype == torch.float16 and not upcast else 1

    def pool_chunk(query: Tensor, key: Tensor, rows: int, attend: Callable[[Tensor], None] | None = None) -> Tensor:
        # Mixed precision would take the scores back to half precision.
        with torch.autocast(query.device.type, enabled=False):
            scores = torch.matmul(query, key)
            scores = scores if headroom == 1 else scores.float() * headroom
            attention = torch.softmax(scores, dim=-1, dtype=torch.float32)
            if attend is not None:
                attend(attention)
            attention = attention.mean(dim=1)
        if not is_partition:
            attention = attention[..., cells.flatten()]
        return attention.unflatten(-1, cells.shape).amax(dim=-1).unflatten(1, (-1, rows)).amax(dim=2)

    def pool_cells(query: Tensor, key: Tensor, value: Tensor | None, out: Tensor | None, some_cells: Tensor) -> Tensor:
        pooled: Tensor | None = None
        for part in some_cells.split(rows_per_chunk, dim=1):
            places = part.flatten()
            chunk = query[:, :, places] * (dim**-0.5 / headroom)
            if value is not None and out is not None:
                attend = partial(_attend, value, out, places)
                result = pool_chunk(chunk, key, part.shape[1], attend)
            elif checkpoint and torch.is_grad_enabled():
                result = torch.utils.checkpoint.checkpoint(pool_chunk, chunk, key, part.shape[1], use_reentrant=False)
            else:
                result = pool_chunk(chunk, key, part.shape[1])
            pooled = result if pooled is None else torch.maximum(pooled, result)
        return pooled  # type: ignore[return-value]  # split gives one part at least

    def pool_samples(
        query: Tensor, key: Tensor, value: Tensor | None = None, out: Tensor | None = None
    ) -> Iterator[tuple[int, Tensor]]:
        query, key = (query.float(), key.float()) if upcast else (query, key)
        # Keys in the order of their cells spare every chunk a gather, as long as no key is in two cells.
        if is_partition:
            key = key[:, :, cells.flatten()]
            value = value if value is None else value[:, :, cells.flatten()]
        key = key.transpose(-1, -2)
        for first in range(0, len(cells), cells_per_chunk):
            yield first, pool_cells(query, key, value, out, cells[first : first + cells_per_chunk])

    if torch.is_grad_enabled() and (query.requires_grad or key.requires_grad):
        parts = zip(query.split(samples), key.split(samples), strict=True)
        return torch.cat([torch.cat([part for _, part in pool_samples(*some)], dim=1) for some in parts])
    # Written in place, so that a map which keeps its own grid, and is as large as itself, exists only once.
    pooled = query.new_empty((batch, len(cells), len(cells)), dtype=torch.float32)
    for start in range(0, batch, samples):
        some = slice(start, start + samples)
        attention = () if value is None or attended is None else (value[some], attended[some])
        for first, part in pool_samples(query[some], key[some], *attention):
            pooled[some, first : first + part.shape[1]] = part
    return pooled


def _attend(value: Tensor, out: Tensor, places: Tensor, attention: Tensor) -> None:
    """Write what some queries attend to into their `places` of `out`."""
    out[:, :, places] = torch.matmul(attention.to(value.dtype), value)


def pool_map(pooled: Tensor, size: Grid, grid: Grid) -> Tensor:
    """Max-pool a map `[B, h*w, h*w]` on `size` to a `grid` that nests in it: `[B, G, G]`, a tensor of its own."""
    if size == grid:
        return pooled.clone()
    shape = (grid[0], size[0] // grid[0], grid[1], size[1] // grid[1])
    rows = pooled.unflatten(1, shape).amax(dim=(2, 4)).flatten(1, 2)
    return rows.unflatten(2, shape).amax(dim=(3, 5)).flatten(2)


def pooling_nests(middle: Grid, coarse: Grid) -> bool:
    """Whether max pooling to `coarse` may go over `middle`, with the same result as at one go."""
    return middle[0] % coarse[0] == 0 and middle[1] % coarse[1] == 0


def cell_tokens(size: Grid, grid: Grid) -> Tensor:
    """The tokens of each cell when a grid of `size` is pooled adaptively to `grid`.

    Cells of fewer tokens than the largest repeat their last row or column, which a maximum does not notice.

    Returns:
        `[G, M]` int64, tokens in row-major order on `size`, cells in row-major order on `grid`.
    """
    rows, columns = _bins(size[0], grid[0]), _bins(size[1], grid[1])
    tokens = rows[:, None, :, None] * size[1] + columns[None, :, None, :]
    return tokens.flatten(0, 1).flatten(1)


def fuse(
    feature: Tensor, psi: Tensor, mode: str, strength: float, orientation: str, gate: float | Tensor = 0.0
) -> Tensor:
    """Refine a feature by a pooled self-attention map: `psi' f`, or a blend of it with `f`, or `f` and a part of it.

    Args:
        feature: `[B, C, h, w]`, any floating dtype.
        psi: `[B, h*w, h*w]` float32, rows are queries.
        mode: "paper" (as it is), "blend" (rows made to sum to one, then mixed with the feature) or "gated" (as it is,
            times the gate, on top of the feature).
        strength: lambda of blend mode and factor of the gate, 0..1.
        orientation: "gather" `out_i = sum_j psi_ij f_j`, or "scatter" `out_j = sum_i psi_ij f_i`.
        gate: Of gated mode; a tensor `[]` while it is learnt.

    Returns:
        `[B, C, h, w]` in the feature's dtype.

    Source: paper sec. 3, `f_c' = f_c (x) psi'`.
    """
    # Mixed-precision training would run the product in half precision, where sums over many places lose digits.
    with torch.autocast(feature.device.type, enabled=False):
        operator = psi if orientation == "gather" else psi.transpose(1, 2)
        flat = feature.flatten(2).to(operator.dtype)
        refined = torch.matmul(flat, operator.transpose(1, 2))
        if mode == "blend":
            # Normalising the product spares a second map. A place that no one attends to, all zero in scatter
            # orientation, keeps its own feature.
            total = operator.sum(dim=-1).unsqueeze(1)
            attended = total > 0
            refined = torch.where(attended, refined / torch.where(attended, total, 1), flat)
            refined = torch.lerp(flat, refined, strength)
        if mode == GATED:
            refined = flat + strength * gate * refined
        return refined.unflatten(2, feature.shape[2:]).to(feature.dtype)


def _bins(length: int, count: int) -> Tensor:
    """The members of each adaptive pooling bin `[count, longest bin]`; shorter bins repeat their last member."""
    index = torch.arange(count)
    start, end = index * length // count, -((-(index + 1) * length) // count)
    return torch.minimum(start[:, None] + torch.arange(int((end - start).max())), end[:, None] - 1)


def _chunk_shape(batch: int, cells: int, rows: int, row_bytes: int, chunk_bytes: int) -> tuple[int, int, int]:
    """How many samples, cells and rows of a cell one chunk takes; the least is one row of one sample."""
    fitting = max(1, chunk_bytes // row_bytes)
    if fitting < rows:
        return 1, 1, fitting
    samples = max(1, min(batch, fitting // rows))
    return samples, max(1, min(cells, fitting // (rows * samples))), rows
