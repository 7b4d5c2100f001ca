"""An autoencoder for small pictures: eight times smaller, four channels, no normalisation layers."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

LATENT_CHANNELS = 4
# Stable Diffusion's number: engines multiply latents by it, whatever the autoencoder.
SCALING_FACTOR = 0.18215
MIN_LOG_VARIANCE, MAX_LOG_VARIANCE = -20.0, 4.0


class ResidualBlock(nn.Module):
    """x + conv(silu(conv(silu(x)))), the identity at first: `[B, C, H, W]` to the same shape."""

    def __init__(self, channels: int):
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(cast(Tensor, self.second.bias))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(functional.silu(self.first(functional.silu(x))))


class MiniAutoencoder(nn.Module):
    """Pictures `[B, 3, H, W]` in -1..1 to latents `[B, 4, H/8, W/8]` and back.

    Without normalisation nothing erases the mean of a channel, which is where colours are; with the narrow layers of a
    small model group normalisation does. Latents are brought to Stable Diffusion's scale by the mean and the deviation
    of each channel over the training pictures, so that engines need not know this model.

    `encode`, `decode` and `config` are what diffusers' pipelines ask of an autoencoder.

    Args:
        widths: Channels at a half, a quarter and an eighth of the picture.
    """

    def __init__(self, widths: Sequence[int] = (32, 64, 96)):
        super().__init__()
        half, quarter, eighth = widths
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(4),
            nn.Conv2d(48, quarter, 3, padding=1),
            ResidualBlock(quarter),
            ResidualBlock(quarter),
            nn.Conv2d(quarter, eighth, 3, stride=2, padding=1),
            ResidualBlock(eighth),
            ResidualBlock(eighth),
            nn.SiLU(),
            nn.Conv2d(eighth, 2 * LATENT_CHANNELS, 3, padding=1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(LATENT_CHANNELS, eighth, 3, padding=1),
            ResidualBlock(eighth),
            ResidualBlock(eighth),
            ResidualBlock(eighth),
            nn.Conv2d(eighth, 4 * quarter, 1),
            nn.PixelShuffle(2),
            ResidualBlock(quarter),
            ResidualBlock(quarter),
            nn.Conv2d(quarter, 4 * half, 1),
            nn.PixelShuffle(2),
            ResidualBlock(half),
            nn.SiLU(),
            nn.Conv2d(half, 12, 3, padding=1),
            nn.PixelShuffle(2),
        )
        self.register_buffer("latent_mean", torch.zeros(LATENT_CHANNELS, 1, 1))
        self.register_buffer("latent_deviation", torch.ones(LATENT_CHANNELS, 1, 1))
        self.config = SimpleNamespace(
            scaling_factor=SCALING_FACTOR,
            latent_channels=LATENT_CHANNELS,
            block_out_channels=(0,) * 4,  # diffusers takes the factor 8 from their number
            force_upcast=False,
        )

    latent_mean: Tensor
    latent_deviation: Tensor

    @property
    def dtype(self) -> torch.dtype:
        return self.latent_mean.dtype

    @property
    def device(self) -> torch.device:
        return self.latent_mean.device

    def moments(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Describe the latents before they are scaled.

        Args:
            pictures: `[B, 3, H, W]` in -1..1, sides multiples of 8.

        Returns:
            Mean and logarithm of the variance, each `[B, 4, H / 8, W / 8]`.
        """
        mean, log_variance = self.encoder(pictures).chunk(2, dim=1)
        return mean, log_variance.clamp(MIN_LOG_VARIANCE, MAX_LOG_VARIANCE)

    def latents(self, pictures: Tensor) -> Tensor:
        """The latents, so that `SCALING_FACTOR` times them has mean 0 and deviation 1.

        Args:
            pictures: `[B, 3, H, W]` in -1..1, sides multiples of 8.

        Returns:
            `[B, 4, H / 8, W / 8]`.
        """
        return (self.moments(pictures)[0] - self.latent_mean) / (self.latent_deviation * SCALING_FACTOR)

    def pictures(self, latents: Tensor) -> Tensor:
        """Pictures `[B, 3, H, W]`, about -1..1, of latents `[B, 4, H / 8, W / 8]` as `latents` returns them."""
        return self.decoder(latents * (self.latent_deviation * SCALING_FACTOR) + self.latent_mean)

    def encode(self, pictures: Tensor, return_dict: bool = True):
        """The latents, as of `latents`, in diffusers' wrapping; they are certain, so that every sample is the mode."""
        latents = self.latents(pictures)
        certain = SimpleNamespace(sample=lambda generator=None: latents, mode=lambda: latents)
        return SimpleNamespace(latent_dist=certain) if return_dict else (certain,)

    def decode(self, latents: Tensor, return_dict: bool = True, generator: object = None):
        """The pictures, as of `pictures`, in diffusers' wrapping."""
        pictures = self.pictures(latents)
        return SimpleNamespace(sample=pictures) if return_dict else (pictures,)
