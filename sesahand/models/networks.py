"""The networks of a latent diffusion model, as diffusers and transformers build them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from diffusers import ControlNetModel, DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextModel, PreTrainedTokenizerBase


@dataclass
class Networks:
    """The parts of a latent diffusion model in diffusers' form; `controlnet` and `lora`, which acts, may be missing."""

    unet: UNet2DConditionModel
    text_encoder: CLIPTextModel
    tokenizer: PreTrainedTokenizerBase
    # An AutoencoderKL, or a MiniAutoencoder, which answers as one does.
    autoencoder: Any
    scheduler: DDIMScheduler
    controlnet: ControlNetModel | None = None
    lora: nn.ModuleDict | None = None
