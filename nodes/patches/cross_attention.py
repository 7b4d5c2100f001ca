"""Knowing, inside ComfyUI's sampling, which row of a cross-attention belongs to which prompt, and acting on it.

ComfyUI batches prompts as it sees fit, and other nodes may batch them again. Three wrappers keep track: one around the
whole sampling, one around the prediction of one step (the prompts are known there), one around the call of the model
(the batch is known there). The last puts a replacement on the cross-attentions for that one call; nothing stays on the
MODEL, so the order of the nodes does not matter.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

import comfy.ldm.modules.attention as comfy_attention
from comfy.ldm.modules.attention import SpatialTransformer, SpatialVideoTransformer
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP, add_wrapper_with_key, get_wrappers_with_key

from ...sesahand.attention.bias import column_bias, in_blocks, moved, on_grid
from ...sesahand.attention.heatmap import MapAverage, attention_share
from ...sesahand.errors import SesaHandError

logger = logging.getLogger(__name__)

TOKENS = "sesahand_tokens"
KEY = "sesahand_attention"
SESSION = "sesahand_attention_session"

# The attention functions of ComfyUI that add a float mask exactly. The others refuse a mask (flash) or drop it without
# a word on most GPUs (sage), so the biased attention is then computed by PyTorch's.
EXACT_WITH_MASK = {
    "attention_basic",
    "attention_pytorch",
    "attention_split",
    "attention_sub_quad",
    "attention_xformers",
}

Block = tuple[str, int, int]
Area = tuple[int, int, int, int]


@dataclass(frozen=True)
class Bias:
    """What one bias node asks for; `mask` gives the weights [b, H, W] on a latent of that size."""

    alpha: float
    blocks: str
    mask: Callable[[int, int], torch.Tensor] | None = None


@dataclass(frozen=True)
class Record:
    """What one recording node asks for: the mean map of this step, from grids no finer than 1/`coarseness` latent."""

    blocks: str
    coarseness: int
    average: MapAverage


@dataclass
class Session:
    """One sampling: which prompts are positive, what was warned of, and the maps of each recording node so far."""

    positive: frozenset
    warned: set[str] = field(default_factory=set)
    runs: dict[str, list] = field(default_factory=dict)

    def warn_once(self, message: str) -> None:
        if message not in self.warned:
            self.warned.add(message)
            logger.warning(message)


@dataclass(frozen=True, eq=False)
class Prompt:
    """One conditioning of the step: its text [b, L, D], the hand tokens in it, and the part of the latent it covers."""

    text: torch.Tensor
    columns: tuple[int, ...]
    uuid: Any
    area: Area | None


@dataclass(frozen=True)
class Row:
    """One row of a batch: its prompt, after how many keys that prompt repeats, and which picture it is."""

    prompt: Prompt | None
    period: int
    image: int


@dataclass(frozen=True)
class Step:
    """The prediction of one step: its prompts by place and uuid, the latent's shape, and what is to be done."""

    prompts: dict[tuple[int, Any], Prompt]
    shape: tuple[int, ...]
    session: Session
    biases: tuple[Bias, ...] = ()
    records: tuple[Record, ...] = ()


def cross_attention_blocks(model: ModelPatcher) -> tuple[Block, ...]:
    """The name, number and depth of every cross-attention to a text in a Stable Diffusion UNet.

    Raises:
        SesaHandError: The model is of another kind.
    """
    unet = model.get_model_object("diffusion_model")
    blocks: list[Block] = []
    if isinstance(unet, UNetModel):
        places = [("input", unet.input_blocks), ("middle", [unet.middle_block]), ("output", unet.output_blocks)]
        for name, modules in places:
            for number, module in enumerate(modules):
                for layer in module or ():
                    if isinstance(layer, SpatialVideoTransformer):
                        raise unsupported(model)
                    if isinstance(layer, SpatialTransformer):
                        blocks += [(name, number, depth) for depth in range(len(layer.transformer_blocks))]
    if not blocks:
        raise unsupported(model)
    return tuple(blocks)


def unsupported(model: ModelPatcher) -> SesaHandError:
    return SesaHandError(
        f"The attention of {type(model.model).__name__} cannot be biased or recorded. Supported are Stable Diffusion "
        "1.x, 2.x and SDXL, whose UNets attend from the picture to the text (cross-attention). Flux, SD3, Qwen-Image, "
        "video and other models attend to both at once or in another way; leave this node out for them."
    )


def add_wrapper(model: ModelPatcher, kind: str, wrapper: Callable) -> None:
    # Among the options and not model.add_wrapper: a MODEL with other wrappers counts as other weights and is reloaded.
    add_wrapper_with_key(kind, KEY, wrapper, model.model_options, is_model_options=True)


def track_prompts(model: ModelPatcher) -> None:
    """Make this MODEL know its prompts while it samples; a second call changes nothing."""
    if get_wrappers_with_key(WrappersMP.APPLY_MODEL, KEY, model.model_options, is_model_options=True):
        return
    blocks = cross_attention_blocks(model)

    def outer_sample(executor, *args, **kwargs):
        guider = executor.class_obj
        options = guider.model_options.setdefault("transformer_options", {})
        options[SESSION] = start_session(guider.conds, guider.model_options)
        return executor(*args, **kwargs)

    def apply_model(executor, x, t, c_concat=None, c_crossattn=None, control=None, transformer_options=None, **kwargs):
        options = transformer_options or {}
        step = options.get(KEY)
        if step is None:
            raise SesaHandError(
                "Another node computes the prediction of a step in its own way (sampler_calc_cond_batch_function), so "
                "the attention to the hand words cannot be told apart by prompt. Bypass that node or this one."
            )
        if step.biases or step.records:
            options = replace_attention(options, blocks, Call(step, tuple(x.shape), c_crossattn, options))
        return executor(x, t, c_concat, c_crossattn, control, options, **kwargs)

    add_wrapper(model, WrappersMP.OUTER_SAMPLE, outer_sample)
    add_wrapper(model, WrappersMP.APPLY_MODEL, apply_model)


def start_session(conds: dict[str, list[dict]], model_options: dict) -> Session:
    """Check that the hand words of at least one prompt are known, and say in the log what will be acted on.

    Raises:
        SesaHandError: No conditioning of the sampling carries its hand tokens.
    """
    every = [cond for group in conds.values() for cond in group or ()]
    known = [cond[TOKENS] for cond in every if TOKENS in cond]
    if not known:
        raise SesaHandError(
            "None of the conditionings of this sampling says which of its words are the hand's. Encode the prompt with "
            "'Text Encode (SesaHand)' instead of CLIP Text Encode, and connect it to the sampler."
        )
    session = Session(frozenset(cond["uuid"] for name, g in conds.items() if name != "negative" for cond in g or ()))
    words = sum(len(tokens["columns"]) for tokens in known)
    logger.info("Hand tokens: %d in %d of %d conditionings.", words, len(known), len(every))
    for cond in every:
        text = cond.get("cross_attn")
        longer = TOKENS in cond and text is not None and text.shape[1] > cond[TOKENS]["length"]
        if longer and not model_options.get("ppm_negpip"):
            session.warn_once(
                "A conditioning is longer than the text whose hand words are known: the hand words of what was "
                "concatenated to it are not acted on. Encode the whole text with one 'Text Encode (SesaHand)'."
            )
    return session


def with_task(model_options: dict, conds: Sequence, x: torch.Tensor, **task: Bias | Record) -> dict:
    """The options with one more thing to do in this step: `bias=` or `record=`, or nothing, which only tracks."""
    options = model_options.get("transformer_options", {})
    step = options.get(KEY)
    if step is None:
        session = options.get(SESSION) or start_session(dict(enumerate(conds)), model_options)
        step = Step(find_prompts(conds, tuple(x.shape)), tuple(x.shape), session)
    if "bias" in task:
        step = replace(step, biases=(*step.biases, task["bias"]))
    if "record" in task:
        step = replace(step, records=(*step.records, task["record"]))
    return {**model_options, "transformer_options": {**options, KEY: step}}


def find_prompts(conds: Sequence, shape: tuple[int, ...]) -> dict[tuple[int, Any], Prompt]:
    """The prompt of every conditioning, by its place in `conds` and its uuid."""
    entries = [(place, cond) for place, group in enumerate(conds) for cond in group or ()]
    owners = {}
    for _, cond in entries:
        text = _text_of(cond)
        if text is not None and text is cond.get("cross_attn"):
            owners.setdefault(id(text), cond)
    prompts = {}
    for place, cond in entries:
        text = _text_of(cond)
        if text is None:
            continue
        # ComfyUI fills an area that only one side has with a copy of the other side's entry under this side's text:
        # such an entry carries foreign hand tokens, and its own are those of the conditioning its text came from.
        owner = cond if text is cond.get("cross_attn") else owners.get(id(text))
        if owner is None and "area" not in cond:
            owner = cond
        columns = tuple(owner[TOKENS]["columns"]) if owner is not None and TOKENS in owner else ()
        uuid = owner["uuid"] if owner is not None else cond["uuid"]
        prompts[place, cond["uuid"]] = Prompt(text, columns, uuid, _clipped(cond.get("area"), shape))
    return prompts


def _text_of(cond: dict) -> torch.Tensor | None:
    text = cond.get("model_conds", {}).get("c_crossattn")
    return None if text is None else text.cond


def _clipped(area: Sequence[int] | None, shape: tuple[int, ...]) -> Area | None:
    if area is None:
        return None
    height, width, top, left = (int(value) for value in area)
    return min(shape[-2] - top, height), min(shape[-1] - left, width), top, left


class Call:
    """One call of the model: whose row each row of its batch is, and the biases built for it so far."""

    def __init__(self, step: Step, shape: tuple[int, ...], context: torch.Tensor, options: dict):
        self.step = step
        self.shape = shape
        self.keys = context.shape[1]
        self.rows = self._rows_by_place(options) or self._rows_by_text(context)
        self._biases: dict[tuple, torch.Tensor] = {}
        self._columns: dict[tuple, torch.Tensor] = {}

    def _rows_by_place(self, options: dict) -> tuple[Row, ...] | None:
        images = self.step.shape[0]
        chunks = list(zip(options.get("cond_or_uncond", ()), options.get("uuids", ()), strict=True))
        if self.shape[0] != images * len(chunks) or any(chunk not in self.step.prompts for chunk in chunks):
            return None
        prompts = [self.step.prompts[chunk] for chunk in chunks]
        return tuple(Row(prompt, prompt.text.shape[1], i) for prompt in prompts for i in range(images))

    def _rows_by_text(self, context: torch.Tensor) -> tuple[Row, ...]:
        """Tell rows apart by the text they carry, where another node has arranged the batch anew."""
        rows = []
        for number, row in enumerate(context):
            prompt, period = next(
                ((p, period) for p in self.step.prompts.values() if (period := _repeats(row, p.text))), (None, 0)
            )
            if prompt is None:
                self.step.session.warn_once(
                    "A node has put texts into the cross-attention whose hand words are not known (regional prompts, "
                    "for instance): these are not acted on."
                )
            rows.append(Row(prompt, period or row.shape[0], number % self.step.shape[0]))
        return tuple(rows)

    def rows_at(self, query: torch.Tensor, keys: int, extra_options: dict) -> tuple[Row, ...]:
        """The rows as one cross-attention has them, after nodes that interleave or multiply what goes into it."""
        if query.shape[0] != len(self.rows):
            return self._rows_by_text(extra_options[KEY + "_context"])
        if keys == self.keys:
            return self.rows
        return tuple(replace(row, period=row.period * keys // self.keys) for row in self.rows)

    def bias(self, block: Block, rows: tuple[Row, ...], keys: int, query: torch.Tensor, extra_options: dict):
        """What is added to the logits here, [B, 1, 1 or N, K], or None where nothing is."""
        biases = [bias for bias in self.step.biases if in_blocks(block[0], bias.blocks)]
        if not biases or not any(row.prompt and row.prompt.columns for row in rows):
            return None
        grid = grid_of(query, extra_options) if any(bias.mask for bias in biases) else None
        known = block[0], rows, keys, grid, query.dtype, query.device
        if known not in self._biases:
            columns = self._columns_of(rows, keys, query)[:, None, None]
            self._biases[known] = sum(
                columns * bias.alpha if bias.mask is None else columns * self._weights(bias, rows, grid, query)
                for bias in biases
            )
        return self._biases[known]

    def _weights(self, bias: Bias, rows: tuple[Row, ...], grid: tuple[int, int], query: torch.Tensor) -> torch.Tensor:
        mask = bias.mask(*self.step.shape[-2:])
        if len(mask) not in (1, self.step.shape[0]):
            raise SesaHandError(
                f"The mask of the attention bias has {len(mask)} pictures, and {self.step.shape[0]} are sampled. "
                "Give one mask for all, or one for each."
            )
        weights = [on_grid(self._part(mask[row.image % len(mask)][None], row), *grid) for row in rows]
        return moved(bias.alpha * torch.cat(weights).view(len(rows), 1, -1, 1), query)

    def _columns_of(self, rows: tuple[Row, ...], keys: int, query: torch.Tensor) -> torch.Tensor:
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
        area = row.prompt.area or (*self.step.shape[-2:], 0, 0)
        if area[:2] != self.shape[-2:]:
            raise SesaHandError(
                f"The model is given a part of {self.shape[-1]} x {self.shape[-2]} latent cells of unknown place "
                "(tiled sampling), so a mask of the attention bias cannot be laid over it, nor its attention maps put "
                "together. Disconnect the mask or leave out the recording, or sample without tiles."
            )
        return area

    def record(self, block: Block, rows: tuple[Row, ...], query, key, heads: int, bias, extra_options: dict) -> None:
        """Add the hand tokens' share of this attention to the maps of the step."""
        wanted = [i for i, row in enumerate(rows) if row.prompt and row.prompt.uuid in self.step.session.positive]
        wanted = [i for i in wanted if rows[i].prompt.columns]
        grid = grid_of(query, extra_options)
        coarseness = max(1, round(self.shape[-2] / grid[0]))
        records = [r for r in self.step.records if in_blocks(block[0], r.blocks) and coarseness >= r.coarseness]
        if not wanted or not records:
            return
        # A slice is a view; a list would be copied to the device, which waits for it.
        part = slice(wanted[0], wanted[-1] + 1) if wanted[-1] - wanted[0] == len(wanted) - 1 else wanted
        rows = tuple(rows[i] for i in wanted)
        columns = self._columns_of(rows, key.shape[1], query)
        share = attention_share(query[part], key[part], heads, columns, None if bias is None else bias[part])
        share = share.view(len(rows), *grid)
        for row, map_ in zip(rows, share, strict=True):
            height, width, top, left = self.area(row)
            rest = self.step.shape[-2:]
            area = height / rest[0], width / rest[1], top / rest[0], left / rest[1]
            for record in records:
                record.average.add(row.image, map_, area)


def _repeats(row: torch.Tensor, text: torch.Tensor) -> int:
    """After how many keys `text` [b, L, D] repeats to make this row [K, D], up to a factor; 0 if it does not."""
    for candidate in (text, text[:, 0::2]) if text.shape[1] % 2 == 0 else (text,):
        length = candidate.shape[1]
        if row.shape[0] % length:
            continue
        for one in candidate.to(row):
            scale = (row[:length] * one).sum() / (one * one).sum().clamp(min=1e-12)
            if torch.allclose(row[:length], scale * one, rtol=4 * torch.finfo(row.dtype).eps, atol=1e-6) and scale > 0:
                return length
    return 0


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


def replace_attention(options: dict, blocks: tuple[Block, ...], call: Call) -> dict:
    """A copy of the transformer options in which the cross-attentions concerned go through `call`."""
    patches = dict(options.get("patches", {}))
    replacements = dict(options.get("patches_replace", {}))
    attn2 = dict(replacements.get("attn2", {}))
    for block in blocks:
        if any(in_blocks(block[0], task.blocks) for task in (*call.step.biases, *call.step.records)):
            attn2[block] = attention_through(call, block, attn2.get(block, attn2.get(block[:2])))

    def remember_context(query, context, value, extra_options):
        extra_options[KEY + "_context"] = context
        return query, context, value

    patches["attn2_patch"] = [*patches.get("attn2_patch", ()), remember_context]
    replacements["attn2"] = attn2
    return {**options, "patches": patches, "patches_replace": replacements}


def attention_through(call: Call, block: Block, previous: Callable | None) -> Callable:
    """The replacement of one cross-attention; what other nodes do there stays, and the bias comes on top of it."""

    def attend(query, key, value, extra_options):
        heads, precision = extra_options["n_heads"], extra_options.get("attn_precision")
        rows = call.rows_at(query, key.shape[1], extra_options)
        bias = call.bias(block, rows, key.shape[1], query, extra_options)
        if call.step.records:
            call.record(block, rows, query, key, heads, bias, extra_options)

        def exact(mask):
            return exact_attention()(query, key, value, heads, mask=mask, attn_precision=precision)

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
