"""Pictures by which a person sees how far a training is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..files.folders import make_folder
from ..files.pictures import save_picture
from ..models.networks import Networks
from ..models.small.autoencoder import MiniAutoencoder
from ..models.texts import encode_text, token_ids
from .autoencoding import to_pictures
from .samples import CLEAN, TrainingSample

GAP = 2


@torch.no_grad()
def draw_samples(
    networks: Networks,
    samples: Sequence[TrainingSample],
    steps: int,
    guidance: float,
    seed: int = 0,
    controlled: bool = True,
    style: str = CLEAN,
) -> Tensor:
    """Sample pictures for the maps and captions of some samples, by DDIM with classifier-free guidance.

    Args:
        networks: The model; structural fusion acts if it is attached to the ControlNet.
        samples: What is asked for.
        steps: Sampling steps.
        guidance: Strength of the guidance; 1 asks the model once in each step.
        seed: Of the noise.
        controlled: Whether the ControlNet is used.
        style: Which captions.

    Returns:
        Pictures `[B, 3, S, S]` in 0..1 on the CPU.
    """
    unet, count = networks.unet, len(samples)
    device, dtype = unet.device, unet.dtype
    scheduler: Any = type(networks.scheduler).from_config(networks.scheduler.config)
    scheduler.set_timesteps(steps)
    texts = [sample.captions.get(style, sample.captions[CLEAN]) for sample in samples]
    asked = [*[""] * count, *texts] if guidance > 1 else texts
    ids = {name: value.to(device) for name, value in token_ids(networks, asked).items()}
    text = encode_text(networks, ids).to(dtype)
    maps = np.stack([sample.control for sample in samples])
    maps = maps[..., None].repeat(3, -1) if maps.ndim == 3 else maps
    control = torch.from_numpy(maps).movedim(-1, 1).to(device, dtype) / 255
    size = control.shape[-1] // 8
    noise = torch.randn(count, 4, size, size, generator=torch.Generator().manual_seed(seed)).to(device)
    latents, sides = noise * scheduler.init_noise_sigma, len(asked) // count
    for time in scheduler.timesteps:
        noisy = torch.cat([scheduler.scale_model_input(latents, time)] * sides).to(dtype)
        residuals = {}
        if controlled and networks.controlnet is not None:
            # The ControlNet may be trained in a finer number type than its base is frozen in.
            own = networks.controlnet.dtype
            told = text.to(own)
            seen = (noisy.to(own), time, told.rows, torch.cat([control] * sides).to(own))
            network: Any = networks.controlnet
            down, middle = network(*seen, return_dict=False, **told.added(size, size))
            residuals = {
                "down_block_additional_residuals": [value.to(dtype) for value in down],
                "mid_block_additional_residual": middle.to(dtype),
            }
        predicted = unet(noisy, time, text.rows, **text.added(size, size), **residuals).sample.float()
        if sides == 2:
            without, with_text = predicted.chunk(2)
            predicted = without + guidance * (with_text - without)
        latents = scheduler.step(predicted, time, latents).prev_sample
    autoencoder = networks.autoencoder
    latents = (latents / autoencoder.config.scaling_factor).to(autoencoder.dtype)
    pictures = autoencoder.decode(latents, return_dict=False)[0]
    return pictures.float().cpu().div(2).add(0.5).clamp(0, 1)


@torch.no_grad()
def reconstruct(autoencoder: MiniAutoencoder, samples: Sequence[TrainingSample]) -> Tensor:
    """Pictures `[B, 3, S, S]` in 0..1 after the way through the latents."""
    pictures = autoencoder.pictures(autoencoder.latents(to_pictures(samples).to(autoencoder.device)))
    return pictures.float().cpu().div(2).add(0.5).clamp(0, 1)


def true_pictures(samples: Sequence[TrainingSample]) -> Tensor:
    """The samples' own pictures `[B, 3, S, S]` in 0..1."""
    return to_pictures(samples).div(2).add(0.5)


def control_pictures(samples: Sequence[TrainingSample]) -> Tensor:
    """The samples' maps as pictures `[B, 3, S, S]` in 0..1."""
    control = np.stack([sample.control for sample in samples])
    control = control[..., None].repeat(3, -1) if control.ndim == 3 else control
    return torch.from_numpy(control).movedim(-1, 1).float().div(255)


def save_sheet(path: Path, rows: Sequence[Tensor]) -> None:
    """Save rows of pictures `[B, 3, S, S]` in 0..1 as one PNG."""
    from PIL import Image

    padded = [torch.nn.functional.pad(row, (GAP,) * 4, value=1.0) for row in rows]
    sheet = torch.cat([torch.cat(list(row), dim=-1) for row in padded], dim=-2)
    path.parent.parent.mkdir(parents=True, exist_ok=True)
    make_folder(path.parent.parent, path.parent.name)
    save_picture(Image.fromarray(sheet.mul(255).round().byte().movedim(0, -1).numpy()), path)
