"""The loss that a model was trained for, on samples that it has not seen: what of a cell shows before any picture does.

Pictures say what a change does to what is drawn; they need many to say it, and a reader. The error of the predicted
noise says whether the network knows more of the true picture, at each noise, with far smaller intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..fusion.settings import FusionSettings
from ..generate.pipeline import HandGenerator
from ..models.diffusers_bias import attention_bias
from ..models.diffusers_fusion import structural_fusion
from ..models.prompt_weights import prompt_weights
from ..models.silenced_residuals import silenced_residuals
from .cells import Cell, noise_seed
from .drawing import chosen_columns
from .requests import Requests

DENOISING = "denoising_loss"
"""The column of a cell's held-out denoising loss."""

TIMES = (0.9, 0.7, 0.5, 0.3, 0.1)
"""Parts of the training's time steps, each as often as the others."""


@torch.no_grad()
def denoising_losses(
    generator: HandGenerator,
    cell: Cell,
    requests: Requests,
    indices: Sequence[int],
    turn: int = 0,
    refined: FusionSettings | None = None,
) -> np.ndarray:
    """Return the mean squared error of the prediction on the true pictures of some samples.

    Args:
        generator: The base with its ControlNet.
        cell: How the model is asked; guidance, steps and sampler have no say.
        requests: What is asked for, with the true pictures.
        indices: Which samples.
        turn: Which of the samples' noises.
        refined: Says which residuals `cell.silenced` speaks of; None stands for the paper's.

    Returns:
        float32 `[B]`, mean over `TIMES`; smaller is better.
    """
    from diffusers import DDIMScheduler

    base, net = generator.base, generator.controlnet
    autoencoder: Any = base.autoencoder
    prompts = [requests.prompt(index, cell.words) for index in indices]
    pictures = requests.pictures(indices).movedim(-1, 1).to(generator.device, generator.dtype) * 2 - 1
    latents = autoencoder.encode(pictures).latent_dist.mode() * autoencoder.config.scaling_factor
    noise = torch.stack([_noise(latents.shape[1:], noise_seed(index, turn)) for index in indices]).to(latents)
    maps = requests.maps(indices, net.map).movedim(-1, 1).to(generator.device, generator.dtype)
    scheduler = DDIMScheduler.from_config(base.scheduler.config)
    losses = []
    with ExitStack() as attached:
        _attach(attached, generator, cell, prompts, indices, refined)
        text = _encode(generator, prompts)
        for part in TIMES:
            step = round(part * (scheduler.config.num_train_timesteps - 1))
            steps = torch.full((len(latents),), step, device=latents.device)
            noisy = scheduler.add_noise(latents, noise, steps)
            residuals = {}
            if cell.controlled:
                down, middle = net.model(noisy, steps, text, maps, return_dict=False)
                residuals = {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}
            predicted = base.unet(noisy, steps, text, **residuals).sample
            is_velocity = scheduler.config.prediction_type == "v_prediction"
            wanted = scheduler.get_velocity(latents, noise, steps) if is_velocity else noise
            losses.append((predicted.float() - wanted.float()).square().mean((1, 2, 3)))
    return torch.stack(losses).mean(0).cpu().numpy().astype(np.float32)


def _attach(
    attached: ExitStack,
    generator: HandGenerator,
    cell: Cell,
    prompts: Sequence[str],
    indices: Sequence[int],
    refined: FusionSettings | None,
) -> None:
    """Attach for the length of a stack what a cell changes in the networks."""
    base, net = generator.base, generator.controlnet
    if cell.alpha > 0:
        columns = chosen_columns(generator, prompts, indices, cell.biased)
        attached.enter_context(attention_bias(base.unet, columns, alpha=cell.alpha, blocks=cell.alpha_blocks))
    if cell.weight != 1:
        columns = chosen_columns(generator, prompts, indices, cell.weighted)
        attached.enter_context(prompt_weights(base.text_encoder, base.tokenizer, prompts, columns, cell.weight))
    if cell.silenced:
        attached.enter_context(silenced_residuals(net.model, cell.silenced, refined or cell.fusion or FusionSettings()))
    if cell.fusion is not None and not cell.fusion.is_off:
        attached.enter_context(structural_fusion(net.model, cell.fusion))


def _encode(generator: HandGenerator, prompts: Sequence[str]) -> Tensor:
    """The prompts as the U-Net reads them, cut at one chunk as diffusers' pipeline does."""
    tokenizer, encoder = generator.base.tokenizer, generator.base.text_encoder
    length = tokenizer.model_max_length
    ids = tokenizer(list(prompts), padding="max_length", max_length=length, truncation=True, return_tensors="pt")
    return encoder(ids.input_ids.to(generator.device))[0]


def _noise(shape: Sequence[int], seed: int) -> Tensor:
    return torch.randn(tuple(shape), generator=torch.Generator("cpu").manual_seed(seed))
