"""The autoencoder's loss, and what is measured of it when it is trained."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ..models.small.autoencoder import LATENT_CHANNELS, MiniAutoencoder
from .samples import Samples, TrainingSample

GRADIENT_WEIGHT = 0.5
HAND_WEIGHT = 4.0
KL_WEIGHT = 2e-3


class AutoencoderTask(nn.Module):
    """What the training loop optimises: the distance of a picture from itself after the way through the latents.

    Args:
        autoencoder: It is trained.
    """

    def __init__(self, autoencoder: MiniAutoencoder):
        super().__init__()
        self.autoencoder = autoencoder.requires_grad_(True).train()

    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        """The trained parameters with their factor of the learning rate."""
        return [(list(self.autoencoder.parameters()), 1.0)]

    def to_device(self, device: torch.device) -> None:
        """Nothing is frozen here."""

    def batch(self, indices: Sequence[int], samples: Sequence[TrainingSample], generator: torch.Generator) -> dict:
        """Make the tensors of one pass, with everything random in it, on the CPU."""
        pictures = to_pictures(samples)
        hand = torch.from_numpy(np.stack([sample.hand for sample in samples])).float().div(255)[:, None]
        grid = [size // 8 for size in pictures.shape[-2:]]
        noise = torch.randn(len(samples), LATENT_CHANNELS, *grid, generator=generator)
        return {"pictures": pictures, "hand": hand, "noise": noise}

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss under the name "loss", and its parts for the log."""
        pictures = batch["pictures"].contiguous(memory_format=torch.channels_last)
        mean, log_variance = self.autoencoder.moments(pictures)
        mean, log_variance = mean.float(), log_variance.float()
        drawn = self.autoencoder.decoder(mean + (0.5 * log_variance).exp() * batch["noise"]).float()
        weights = 1 + (HAND_WEIGHT - 1) * batch["hand"]
        difference = drawn - pictures
        distance = _weighted(difference.abs(), weights)
        edges = _weighted(difference.diff(dim=-1).abs(), weights[..., 1:])
        edges = edges + _weighted(difference.diff(dim=-2).abs(), weights[..., 1:, :])
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
        with torch.no_grad():
            quality = psnr(difference.square().mean())
            on_hands = psnr((difference.square().mean(1, keepdim=True) * batch["hand"]).sum() / batch["hand"].sum())
        loss = distance + GRADIENT_WEIGHT * edges + KL_WEIGHT * kl
        return {"loss": loss, "psnr": quality, "psnr_hands": on_hands}


def _weighted(values: Tensor, weights: Tensor) -> Tensor:
    return (values * weights).sum() / (weights.sum() * values.shape[1])


def psnr(mean_square: Tensor) -> Tensor:
    """Decibels of a mean square error between pictures in -1..1; both of any shape, but the same shape."""
    return -10 * torch.log10(mean_square / 4 + 1e-12)


def to_pictures(samples: Sequence[TrainingSample]) -> Tensor:
    """Pictures `[B, 3, S, S]` in -1..1."""
    pictures = np.stack([sample.picture for sample in samples])
    return torch.from_numpy(pictures).movedim(-1, 1).float().div(127.5).sub(1)


@torch.no_grad()
def measure_latents(autoencoder: MiniAutoencoder, batches: Iterable[Sequence[TrainingSample]]) -> None:
    """Set the mean and deviation of each latent channel, so that engines see latents of deviation 1."""
    device = autoencoder.device
    means = torch.cat(
        [autoencoder.moments(to_pictures(samples).to(device))[0].movedim(1, -1).flatten(0, -2) for samples in batches]
    )
    autoencoder.latent_mean.copy_(means.mean(0).view(-1, 1, 1))
    autoencoder.latent_deviation.copy_(means.std(0).clamp(min=1e-4).view(-1, 1, 1))


@torch.no_grad()
def encode_all(autoencoder: MiniAutoencoder, samples: Samples, out: np.ndarray, chunk: int = 64):
    """Write the scaled latents of all samples into `out` `[N, 4, h, w]`; yields how many are done."""
    device = autoencoder.device
    for start in range(0, len(samples), chunk):
        some = [samples[index] for index in range(start, min(start + chunk, len(samples)))]
        latents = autoencoder.latents(to_pictures(some).to(device)) * autoencoder.config.scaling_factor
        out[start : start + len(some)] = latents.cpu().numpy()
        yield start + len(some)
