"""Emphasis on words of a prompt, "(hand:1.3)", in diffusers: by the rule of ComfyUI, which diffusers has not."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..errors import SesaHandError
from ..fusion.own_calls import OwnCalls
from .small.tokenizer import tokenize


@contextmanager
def prompt_weights(
    text_encoder: torch.nn.Module,
    tokenizer: Any,
    prompts: Sequence[str],
    columns: Sequence[Sequence[int]],
    weight: float,
) -> Iterator[None]:
    """Let a text encoder give some columns of some prompts another weight for the length of a with block.

    The pipelines of diffusers encode their prompts through it as ever; what is none of `prompts`, such as the negative
    prompt, is encoded as without it.

    Args:
        text_encoder: CLIP's, of transformers.
        tokenizer: Its tokenizer.
        prompts: The prompts, without emphasis marks.
        columns: Of each prompt, the columns of its chunk to weigh.
        weight: 1 changes nothing, to the last bit; 0 makes the columns those of the empty prompt.

    Raises:
        SesaHandError: If prompts and columns are not equally many, or the weight is no finite number.
    """
    if len(prompts) != len(columns):
        raise SesaHandError(f"There are columns for {len(columns)} prompts, expected {len(prompts)}.")
    if not math.isfinite(weight):
        raise SesaHandError(f"The weight is {weight}, expected a finite number.")
    if weight == 1 or not any(columns):
        yield
        return
    rows = tokenize(tokenizer, [*prompts, ""])
    chosen = {tuple(ids): list(wanted) for ids, wanted in zip(rows.tolist(), columns, strict=False)}
    empty = text_encoder(rows[-1:].to(_device(text_encoder)))[0]

    def weigh(own: OwnCalls, module, args: tuple, kwargs: Any = None, output=None):
        if not own:
            return None
        ids = args[0] if args else kwargs["input_ids"]
        weights = torch.ones(ids.shape)
        for row, key in enumerate(map(tuple, ids.tolist())):
            weights[row, chosen.get(key, [])] = weight
        output.last_hidden_state = weighted(output.last_hidden_state, empty, weights)
        return output

    with OwnCalls().entered() as own:
        handle = text_encoder.register_forward_hook(partial(weigh, own), with_kwargs=True)
        try:
            yield
        finally:
            handle.remove()


def weighted(encoded: Tensor, empty: Tensor, weights: Tensor) -> Tensor:
    """Move the embeddings of tokens along the line from those of the empty prompt at the same places.

    Args:
        encoded: `[B, T, C]`.
        empty: The empty prompt's, `[1, T, C]`.
        weights: `[B, T]`; where it is 1 the embedding stays as it is.

    Returns:
        `empty + weight * (encoded - empty)`, `[B, T, C]`.

    Source: ComfyUI, `comfy/sd1_clip.py`, `ClipTokenWeightEncoder`.
    """
    weights = weights.to(encoded)[..., None]
    return torch.where(weights == 1, encoded, empty + weights * (encoded - empty))


def _device(module: torch.nn.Module) -> torch.device:
    return next(module.parameters()).device
