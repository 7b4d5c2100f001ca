"""What is done in one call of the model: the bias that each cross-attention gets, and the record of its attention."""

from collections.abc import Callable
from dataclasses import replace

import torch

import comfy.ldm.modules.attention as comfy_attention

from ...sesahand.attention.bias import check_mask_count, column_bias, in_blocks, moved, on_grid
from ...sesahand.attention.heatmap import attention_share, coarseness_of
from ...sesahand.errors import SesaHandError
from .prompt_rows import Row, match_rows, origins, rows_by_text
from .sampling_step import KEY, Area, Bias, Step

# The attention functions of ComfyUI that add a float mask exactly. The others refuse a mask (flash) or drop it without
# a word on most GPUs (sage), so the biased attention is then computed by PyTorch's.
EXACT_WITH_MASK = {
    "attention_basic",
    "attention_pytorch",
    "attention_split",
    "attention_sub_quad",
    "attention_xformers",
}

# What goes into a cross-attention, before and after other nodes have changed it.
BEFORE, AFTER, CONTEXT = f"{KEY}_before", f"{KEY}_after", f"{KEY}_context"

BlockKey = tuple[str, int, int] | tuple[str, int]

# The share [b, N] of the attention that columns [b, K] get in a part of the batch.
ShareOf = Callable[[slice | list[int], torch.Tensor], torch.Tensor]


class Call:
    """One call of the model: whose row each row of its batch is, and the biases built for it so far."""

    def __init__(self, step: Step, x: torch.Tensor, context: torch.Tensor, options: dict):
        self.step = step
        self.shape = tuple(x.shape)
        self.keys = context.shape[1]
        chunks = list(zip(options.get("cond_or_uncond", ()), options.get("uuids", ()), strict=False))
        self.rows = tuple(match_rows(step, x, context, chunks))
        self._biases: dict[tuple, torch.Tensor] = {}
        self._columns: dict[tuple, torch.Tensor] = {}

    def rows_at(self, query: torch.Tensor, keys: int, extra_options: dict) -> tuple[Row, ...]:
        """The rows as one cross-attention has them, after nodes that interleave or multiply what goes into it."""
        if query.shape[0] != len(self.rows):
            images = origins(extra_options[BEFORE], extra_options[AFTER], self.rows)
            return tuple(rows_by_text(self.step, extra_options[CONTEXT], images))
        if keys == self.keys:
            return self.rows
        return tuple(replace(row, period=row.period * keys // self.keys) for row in self.rows)

    def bias(self, block: BlockKey, rows: tuple[Row, ...], keys: int, query: torch.Tensor, extra_options: dict):
        """What is added to the logits here, [B, 1, 1 or N, K], or None where nothing is."""
        biases = tuple(bias for bias in self.step.biases if in_blocks(block[0], bias.blocks))
        if not biases or not any(row.prompt and row.prompt.columns for row in rows):
            return None
        grid = self.grid(query, extra_options) if any(bias.mask for bias in biases) else None
        known = biases, rows, keys, grid, query.dtype, query.device
        if known not in self._biases:
            columns = self.columns_of(rows, keys, query)[:, None, None]
            self._biases[known] = sum(
                columns * bias.alpha if bias.mask is None else columns * self._weights(bias, rows, grid, query)
                for bias in biases
            )
        return self._biases[known]

    def _weights(self, bias: Bias, rows: tuple[Row, ...], grid: tuple[int, int], query: torch.Tensor) -> torch.Tensor:
        return moved(bias.alpha * self.weights(bias, rows, grid).view(len(rows), 1, -1, 1), query)

    def weights(self, bias: Bias, rows: tuple[Row, ...], grid: tuple[int, int]) -> torch.Tensor:
        """How much of a masked bias each query gets, [B, N] on the CPU."""
        masks = bias.mask(*self.step.latent.shape[-2:])
        check_mask_count(len(masks), len(self.step.latent))
        own = [masks if len(masks) == 1 else masks[self.image(row) % len(masks)][None] for row in rows]
        return torch.cat([self.on_queries(self._part(mask, row), grid) for mask, row in zip(own, rows, strict=True)])

    def grid(self, query: torch.Tensor, extra_options: dict) -> tuple[int, int]:
        """Rows and columns of the queries' grid."""
        return grid_of(query, extra_options)

    def on_queries(self, weights: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
        """Weights [B, h, w] for cells of the latent as weights [B, N] for queries."""
        return on_grid(weights, *grid).flatten(1)

    def is_fine_enough(self, grid: tuple[int, int], coarseness: int) -> bool:
        """Whether a record that looks at no finer cells than 1/`coarseness` of the latent's looks at this grid."""
        return coarseness_of(self.shape[-2:], grid) >= coarseness

    def map_of(self, share: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
        """The shares [B, N] of the queries as maps [B, h, w]."""
        return share.view(len(share), *grid)

    def columns_of(self, rows: tuple[Row, ...], keys: int, query: torch.Tensor) -> torch.Tensor:
        """[B, K], 1 on the hand tokens of each row."""
        known = rows, keys, query.dtype, query.device
        if known not in self._columns:
            pairs = [(row.prompt.columns if row.prompt else (), row.period) for row in rows]
            self._columns[known] = column_bias(pairs, keys, dtype=query.dtype, device=query.device)
        return self._columns[known]

    def _part(self, mask: torch.Tensor, row: Row) -> torch.Tensor:
        """Cut out the part of a map of the whole latent that this row's prompt has."""
        height, width, top, left = self.area(row)
        return mask[:, top : top + height, left : left + width]

    def area(self, row: Row) -> Area:
        """The part of the latent that this row shows.

        Raises:
            SesaHandError: The model sees another part than the prompt has, as with tiles.
        """
        if row.prompt is None:
            return (*self.shape[-2:], 0, 0)
        area = row.prompt.area or (*self.step.latent.shape[-2:], 0, 0)
        if area[:2] != self.shape[-2:]:
            raise SesaHandError(
                f"The model is given a part of {self.shape[-1]} x {self.shape[-2]} latent cells of unknown place "
                "(tiled sampling), so a mask of the attention bias cannot be laid over it, nor its attention maps put "
                "together. Disconnect the mask or leave out the recording, or sample without tiles."
            )
        return area

    def image(self, row: Row) -> int:
        """The picture this row belongs to.

        Raises:
            SesaHandError: That cannot be known.
        """
        if row.image is None:
            self.step.check_numbers()
            raise SesaHandError(
                "Another node changes or arranges the batch of the model, and it cannot be told which picture a row of "
                "it belongs to, which masks that differ by picture and attention maps need. Sample one picture at a "
                "time, give one mask for all, or bypass that node."
            )
        return row.image

    def record(
        self,
        block: BlockKey,
        rows: tuple[Row, ...],
        keys: int,
        share_of: ShareOf,
        query: torch.Tensor,
        extra_options: dict,
    ) -> None:
        """Add the hand tokens' share of this attention to the maps of the step."""
        wanted = [i for i, row in enumerate(rows) if row.prompt and row.prompt.uuid in self.step.session.positive]
        wanted = [i for i in wanted if rows[i].prompt.columns]
        grid = self.grid(query, extra_options)
        records = [r for r in self.step.records if in_blocks(block[0], r.blocks)]
        records = [r for r in records if self.is_fine_enough(grid, r.coarseness)]
        if not wanted or not records:
            return
        # A slice is a view; a list would be copied to the device, which waits for it.
        part = slice(wanted[0], wanted[-1] + 1) if wanted[-1] - wanted[0] == len(wanted) - 1 else wanted
        rows = tuple(rows[i] for i in wanted)
        share = share_of(part, self.columns_of(rows, keys, query))
        for record in records:
            record.shares.add(" ".join(map(str, block)), share)
        for row, map_ in zip(rows, self.map_of(share, grid), strict=True):
            height, width, top, left = self.area(row)
            rest = self.step.latent.shape[-2:]
            area = height / rest[0], width / rest[1], top / rest[0], left / rest[1]
            for record in records:
                record.average.add(self.image(row), map_, area)


def grid_of(query: torch.Tensor, extra_options: dict) -> tuple[int, int]:
    """Rows and columns of the queries' grid.

    Raises:
        SesaHandError: The queries are no grid, because another node has merged or cut them.
    """
    height, width = extra_options["activations_shape"][-2:]
    if height * width != query.shape[1]:
        raise SesaHandError(
            f"A cross-attention has {query.shape[1]} queries on a grid of {width} x {height}: another node merges or "
            "cuts them, so a mask or a map has no place here. Bypass that node, or do without mask and recording."
        )
    return height, width


def replace_attention(options: dict, blocks: tuple[BlockKey, ...], call: Call) -> dict:
    """A copy of the transformer options in which the cross-attentions concerned go through `call`."""
    patches = dict(options.get("patches", {}))
    replacements = dict(options.get("patches_replace", {}))
    attn2 = dict(replacements.get("attn2", {}))
    for block in blocks:
        if any(in_blocks(block[0], task.blocks) for task in (*call.step.biases, *call.step.records)):
            attn2[block] = attention_through(call, block, attn2.get(block, attn2.get(block[:2])))

    def remember_before(query, context, value, extra_options):
        extra_options[BEFORE] = query
        return query, context, value

    def remember_after(query, context, value, extra_options):
        extra_options[AFTER], extra_options[CONTEXT] = query, context
        return query, context, value

    patches["attn2_patch"] = [remember_before, *patches.get("attn2_patch", ()), remember_after]
    replacements["attn2"] = attn2
    return {**options, "patches": patches, "patches_replace": replacements}


def attention_through(call: Call, block: BlockKey, previous: Callable | None) -> Callable:
    """The replacement of one cross-attention; what other nodes do there stays, and the bias comes on top of it."""

    def attend(query, key, value, extra_options):
        heads, precision = extra_options["n_heads"], extra_options.get("attn_precision")
        rows = call.rows_at(query, key.shape[1], extra_options)
        bias = call.bias(block, rows, key.shape[1], query, extra_options)

        def share(part, columns):
            return attention_share(query[part], key[part], heads, columns, None if bias is None else bias[part])

        def exact(mask):
            return exact_attention()(query, key, value, heads, mask=mask, attn_precision=precision)

        if call.step.records:
            call.record(block, rows, key.shape[1], share, query, extra_options)

        if bias is not None and previous is None and "optimized_attention_override" not in extra_options:
            return exact(bias)
        if previous is not None:
            out = previous(query, key, value, extra_options)
        else:
            out = comfy_attention.optimized_attention(
                query, key, value, heads, attn_precision=precision, transformer_options=extra_options
            )
        # What the bias changes in the plain attention is added to what the other node makes of it: right for all that
        # add to the attention (image prompts) or only compute it faster, whether or not they would heed a mask.
        return out if bias is None else out + (exact(bias) - exact(None))

    return attend


def exact_attention() -> Callable:
    current = comfy_attention.optimized_attention_masked
    return current if getattr(current, "__name__", "") in EXACT_WITH_MASK else comfy_attention.attention_pytorch
