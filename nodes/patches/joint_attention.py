"""What is done in one call of a network that is no U-Net: the bias on its attention to the text, and the record of it.

Nothing of the network is replaced. For the one call, an attention override goes on top of whatever sits there; it acts
on the attentions that see both picture and text, told by their numbers of queries and keys, and passes on all others.
"""

import math
from collections.abc import Callable
from typing import Any

import torch

import comfy.ldm.modules.attention as comfy_attention

from ...sesahand.attention.bias import column_bias, in_blocks, moved
from ...sesahand.attention.joint import Layout, attend_with_bias, attention_to, on_patches, third_of
from ...sesahand.errors import SesaHandError
from .attention_call import EXACT_WITH_MASK, Call
from .joint_layouts import Transformer
from .prompt_rows import Row
from .sampling_step import KEY, SESSION, Bias, Step

OVERRIDE = "optimized_attention_override"


class JointCall(Call):
    """One call of the network: whose row each row of its batch is, and where its text and picture stand."""

    def __init__(
        self, step: Step, x: torch.Tensor, context: torch.Tensor, options: dict, transformer: Transformer, inputs: dict
    ):
        super().__init__(step, x, context, options)
        self.layout = transformer.layout(x, context, inputs)
        self.is_text_last = transformer.facts.is_text_last
        self._reaches: dict[tuple[Bias, ...], slice] = {}

    @property
    def concerns_any(self) -> bool:
        return any(row.prompt and row.prompt.columns for row in self.rows)

    def columns_of(self, rows: tuple[Row, ...], keys: int, query: torch.Tensor) -> torch.Tensor:
        known = rows, query.dtype, query.device
        if known not in self._columns:
            columns = column_bias([(self._keys_of(row), keys) for row in rows], keys, dtype=query.dtype)
            self._columns[known] = moved(columns, query)
        return self._columns[known]

    def reach(self, place: tuple[str, int]) -> slice:
        """The picture's queries from the first to the last that any bias of a block acts on, counted in the picture."""
        biases = tuple(bias for bias in self.step.biases if in_blocks(place[0], bias.blocks))
        if biases not in self._reaches:
            self._reaches[biases] = self._reach_of(biases)
        return self._reaches[biases]

    def _reach_of(self, biases: tuple[Bias, ...]) -> slice:
        whole = slice(0, math.prod(self.layout.grid))
        if any(bias.mask is None for bias in biases):
            return whole
        weights = sum(self.weights(bias, self.rows, self.layout.grid[1:]) for bias in biases)
        reached = weights.any(dim=0).nonzero().flatten().tolist()
        if not reached:
            return slice(0, 0)
        # Beside the text's keys alone the mask is small, and to cut the queries costs more than it saves.
        return whole if self.layout.is_cross else slice(reached[0], reached[-1] + 1)

    def _keys_of(self, row: Row) -> tuple[int, ...]:
        if row.prompt is None:
            return ()
        moved_by = self.keys - row.prompt.rows if self.is_text_last else 0
        outside = [column for column in row.prompt.columns if column + moved_by >= self.keys]
        if outside:
            raise SesaHandError(
                f"Hand-token columns {outside} lie outside their prompt of {self.keys} tokens. Encode the prompt again "
                "with the text encoder of the model that samples."
            )
        # Rows that the model leaves out of the attention, as those that a mask hides, would be the picture's keys.
        end = self.layout.keys if self.layout.is_cross else self.layout.queries
        found = (self.layout.text + moved_by + column for column in row.prompt.columns)
        return tuple(key for key in found if key < end)

    def grid(self, query: torch.Tensor, extra_options: dict) -> tuple[int, int]:
        return self.layout.grid[1:]

    def on_queries(self, weights: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
        return on_patches(weights, self.layout)

    def is_fine_enough(self, grid: tuple[int, int], coarseness: int) -> bool:
        return True  # there is one grid

    def map_of(self, share: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
        return share.unflatten(1, self.layout.grid).mean(dim=1)


class Override:
    """The attention override of one call; `finish` says what has not been seen.

    Args:
        call: What is to be done.
        previous: The override that was there before, or None.
    """

    def __init__(self, call: JointCall, previous: Callable | None):
        self.call, self.previous = call, previous
        self.hits, self.seen = 0, set()
        self.is_turn = False

    @torch.compiler.disable
    def __call__(self, function: Callable, *args: Any, **kwargs: Any) -> torch.Tensor:
        attention = Attention(function, self.previous, *args, **kwargs)
        if not self.concerns(*attention.lengths):
            return attention.plain()
        place = third_of(self.hits, self.call.layout.calls), self.hits
        self.hits += 1
        self.check_batch(attention)
        return self.attend(attention, place)

    def concerns(self, queries: int, keys: int) -> bool:
        layout = self.call.layout
        if (queries, keys) != (layout.rows, layout.keys):
            self.seen.add((queries, keys))
            return False
        if layout.is_cross and queries == keys:
            # The attention of the picture to itself has the same lengths, and comes before the one to the text.
            self.is_turn = not self.is_turn
            return not self.is_turn
        return True

    def check_batch(self, attention: "Attention") -> None:
        if self.hits > self.call.layout.calls:
            raise SesaHandError(
                f"The network attends to its text {self.call.layout.calls} times, and once more with as many tokens: "
                "another node adds an attention of its own (NAG, for instance), in which the hand words are not known. "
                "Bypass that node or Attention Bias and Record Attention."
            )
        if attention.query.shape[0] != len(self.call.rows):
            raise SesaHandError(
                f"A batch of {len(self.call.rows)} reaches the network, and {attention.query.shape[0]} its attention: "
                "another node arranges the batch anew inside the network, so whose hand words are whose is not known. "
                "Bypass that node or Attention Bias and Record Attention."
            )

    def attend(self, attention: "Attention", place: tuple[str, int]) -> torch.Tensor:
        call, layout = self.call, self.call.layout
        picture = attention.query[:, :, layout.picture]
        bias = call.bias(place, call.rows, layout.keys, picture, {})

        def share(part, columns):
            return attention.share(part, columns, bias, layout)

        if call.step.records:
            call.record(place, call.rows, layout.keys, share, picture, {})
        reach = slice(0, 0) if bias is None else call.reach(place)
        if reach.stop == reach.start:
            return attention.plain()
        return attention.biased(bias if bias.shape[2] == 1 else bias[:, :, reach], layout.part(reach))

    def finish(self) -> None:
        """Raise a SesaHandError if the network has attended, but never to the text as it was expected to."""
        layout = self.call.layout
        if self.seen and not self.hits:
            seen = ", ".join(f"{queries} x {keys}" for queries, keys in sorted(self.seen))
            raise SesaHandError(
                f"No attention of {layout.rows} queries to {layout.keys} keys was seen in the network, only {seen}. "
                "Another node adds tokens to its text or picture (an image prompt, for instance), so where the hand "
                "words stand is not known. Bypass that node or Attention Bias and Record Attention."
            )


class Attention:
    """One attention as ComfyUI calls for it, and the ways to compute it.

    Args:
        function: ComfyUI's attention function.
        previous: Another node's override, or None.
        query: [B, N, H * d], or [B, H, N, d] with `skip_reshape`; so are `key` and `value`.
    """

    def __init__(
        self, function, previous, query, key, value, heads, mask=None, attn_precision=None, skip_reshape=False,
        skip_output_reshape=False, **others,
    ):  # fmt: skip
        self.function, self.previous = function, previous
        self.given = query, key, value
        self.heads, self.mask, self.is_split, self.keeps_heads = heads, mask, skip_reshape, skip_output_reshape
        self.others = {**others, "attn_precision": attn_precision}

    @property
    def lengths(self) -> tuple[int, int]:
        rows = 2 if self.is_split else 1
        return self.given[0].shape[rows], self.given[1].shape[rows]

    @property
    def query(self) -> torch.Tensor:
        """[B, H, N, d]."""
        return self._split(self.given[0])

    def _split(self, tensor: torch.Tensor) -> torch.Tensor:
        if self.is_split:
            return tensor
        # SD3's values come with their heads apart, its queries and keys without.
        return tensor.reshape(*tensor.shape[:2], -1, self.given[0].shape[-1] // self.heads).transpose(1, 2)

    def plain(self) -> torch.Tensor:
        """As it would be without this pack."""
        options = {**self.others, "skip_reshape": self.is_split, "skip_output_reshape": self.keeps_heads}
        if self.previous is None:
            return self.function(*self.given, self.heads, mask=self.mask, **options)
        return self.previous(self.function, *self.given, self.heads, mask=self.mask, **options)

    def biased(self, bias: torch.Tensor, queries: slice) -> torch.Tensor:
        """With a bias [B, 1, 1 or N, K] on the logits of N queries."""
        key, value = (self._split(tensor) for tensor in self.given[1:])

        def attend(query, mask):
            return self._exact(query, key, value, mask, self.keeps_heads)

        out = attend_with_bias(attend, self.query, self.mask, bias, queries, 2 if self.keeps_heads else 1)
        # What the bias changes in the exact attention is added to what the other node makes of it.
        return out if self.previous is None else self.plain() + (out - attend(self.query, self.mask))

    def share(self, part, columns: torch.Tensor, bias: torch.Tensor | None, layout: Layout) -> torch.Tensor:
        """How much of its attention each query of the picture gives to the `columns` [B, K] of a part of the batch."""
        key = self._split(self.given[1])[part]
        value = columns[:, None, :, None].to(key.dtype).expand_as(key).contiguous()
        mask = self.mask if self.mask is None or self.mask.ndim < 3 or len(self.mask) == 1 else self.mask[part]

        def attend(query, mask):
            return self._exact(query, key, value, mask, True)

        return attention_to(attend, self.query[part], mask, None if bias is None else bias[part], layout)

    def _exact(self, query, key, value, mask, keeps_heads: bool) -> torch.Tensor:
        name = getattr(self.function, "__name__", "")
        function = self.function if name in EXACT_WITH_MASK else comfy_attention.attention_pytorch
        options = {**self.others, "skip_reshape": True, "skip_output_reshape": keeps_heads}
        return function(query, key, value, self.heads, mask=mask, **options)


def override_attention(
    options: dict, step: Step, transformer: Transformer, x: torch.Tensor, context: torch.Tensor, inputs: dict
) -> tuple[dict, Override | None]:
    """A copy of the transformer options in which the network's attention heeds the step, and its override if any."""
    # What is noted there for the step is no business of the network, which may be compiled for what it is given.
    options = {name: value for name, value in options.items() if name not in (KEY, SESSION)}
    if not (step.biases or step.records):
        return options, None
    call = JointCall(step, x, context, options, transformer, inputs)
    if not call.concerns_any:
        return options, None
    override = Override(call, options.get(OVERRIDE))
    return {**options, OVERRIDE: override}, override
