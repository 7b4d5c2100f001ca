"""The networks of a latent diffusion model, as diffusers and transformers build them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from diffusers import ControlNetModel, DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTextModelWithProjection, PreTrainedTokenizerBase


@dataclass
class Networks:
    """The parts of a latent diffusion model in diffusers' form.

    What may be missing: `controlnet`; `lora`, which acts if it is there; and the second text encoder, which SDXL has.
    """

    unet: UNet2DConditionModel
    text_encoder: CLIPTextModel
    tokenizer: PreTrainedTokenizerBase
    # An AutoencoderKL, or a MiniAutoencoder, which answers as one does.
    autoencoder: Any
    scheduler: DDIMScheduler
    controlnet: ControlNetModel | None = None
    lora: nn.ModuleDict | None = None
    text_encoder_2: CLIPTextModelWithProjection | None = None
    tokenizer_2: PreTrainedTokenizerBase | None = None
