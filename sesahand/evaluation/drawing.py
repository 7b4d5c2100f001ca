"""Draw the pictures of a cell with the headless engine, whatever the cell varies."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..attention.tokens import plain_columns
from ..fusion.settings import FusionSettings
from ..generate.pipeline import HandGenerator
from ..generate.sampling import SamplingSettings
from ..models.diffusers_bias import attention_bias
from ..models.prompt_weights import prompt_weights
from ..models.silenced_residuals import silenced_residuals
from ..semantics.hand_words import word_spans
from .cells import HAND, HAND_NOUN, Cell, noise_seed
from .requests import Requests


def draw_pictures(
    generator: HandGenerator,
    cell: Cell,
    requests: Requests,
    indices: Sequence[int],
    turn: int = 0,
    refined: FusionSettings | None = None,
) -> Tensor:
    """Draw one picture for each of some samples, all at a time.

    Args:
        generator: The base with its ControlNet.
        cell: How.
        requests: What is asked for.
        indices: Which samples.
        turn: Which of the samples' noises.
        refined: Says which residuals `cell.silenced` speaks of; None stands for the paper's.

    Returns:
        `[B, H, W, 3]` in 0..1, float32 on the CPU.
    """
    prompts = [requests.prompt(index, cell.words) for index in indices]
    own_bias = cell.biased != HAND and cell.alpha > 0
    settings = SamplingSettings(
        steps=cell.steps,
        guidance=cell.guidance,
        sampler=cell.sampler,
        strength=float(cell.controlled),
        alpha=0.0 if own_bias else cell.alpha,
        alpha_blocks=cell.alpha_blocks,
        fusion=cell.fusion,
    )
    base = generator.base
    with ExitStack() as attached:
        if own_bias:
            columns = chosen_columns(generator, prompts, indices, cell.biased)
            # At cfg 1 the negative prompts, which come first, are not asked.
            rows = [()] * (len(prompts) if cell.guidance > 1 else 0) + columns
            attached.enter_context(attention_bias(base.unet, rows, alpha=cell.alpha, blocks=cell.alpha_blocks))
        if cell.weight != 1:
            columns = chosen_columns(generator, prompts, indices, cell.weighted)
            attached.enter_context(prompt_weights(base.text_encoder, base.tokenizer, prompts, columns, cell.weight))
        if cell.silenced:
            settings_of_refined = refined or cell.fusion or FusionSettings()
            attached.enter_context(silenced_residuals(generator.controlnet.model, cell.silenced, settings_of_refined))
        maps = requests.maps(indices, generator.controlnet.map)
        seeds = [noise_seed(index, turn) for index in indices]
        return generator(prompts, maps, seeds, settings, batch_size=len(prompts))


def chosen_columns(
    generator: HandGenerator, prompts: Sequence[str], indices: Sequence[int], which: str
) -> list[tuple[int, ...]]:
    """The columns of each prompt that a bias or an emphasis acts on.

    Args:
        generator: Whose tokenizer and whose hand words.
        prompts: The prompts.
        indices: Of their samples, which settle the draw of other words.
        which: `HAND`: those that the attention bias takes; `HAND_NOUN`: "hand" and "hands" alone; `OTHER`: as many as
            `HAND` has, drawn among the prompt's other columns.
    """
    tokenizer, found = generator.base.tokenizer, []
    for prompt, index in zip(prompts, indices, strict=True):
        if which == HAND_NOUN:
            found.append(plain_columns(prompt, word_spans(prompt, ("hand", "hands")), tokenizer).columns)
            continue
        hand = generator.hand_tokens(prompt).columns
        if which == HAND:
            found.append(hand)
            continue
        others = sorted(set(plain_columns(prompt, [(0, len(prompt))], tokenizer).columns) - set(hand))
        drawn = np.random.default_rng(index).permutation(others)[: len(hand)]
        found.append(tuple(sorted(int(column) for column in drawn)))
    return found


@torch.no_grad()
def through_autoencoder(autoencoder: Any, pictures: Tensor) -> Tensor:
    """Return what an autoencoder leaves of pictures, which is the most that a model with it can reach.

    Args:
        autoencoder: Of diffusers, or one like it.
        pictures: `[B, H, W, 3]` in 0..1, of a size that the autoencoder takes.

    Returns:
        `[B, H, W, 3]` float32 in 0..1, on the CPU.
    """
    like = next(autoencoder.parameters())
    latents = autoencoder.encode(pictures.movedim(-1, 1).to(like) * 2 - 1).latent_dist.mode()
    decoded = autoencoder.decode(latents, return_dict=False)[0]
    return decoded.float().cpu().div(2).add(0.5).clamp(0, 1).movedim(1, -1)
