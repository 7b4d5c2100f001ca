"""What a base's U-Net and ControlNet are told of a prompt: by one text encoder, or by SDXL's two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .families import LATENT_PIXELS
from .networks import Networks
from .small.tokenizer import tokenize

IDS, SECOND_IDS = "token_ids", "token_ids_2"


@dataclass(frozen=True)
class EncodedText:
    """A batch of prompts as the networks read them.

    Attributes:
        rows: What cross-attention reads, `[B, 77, C]`.
        pooled: SDXL's second text encoder's summary `[B, P]`; None of other bases.
    """

    rows: Tensor
    pooled: Tensor | None = None

    def to(self, dtype: torch.dtype) -> EncodedText:
        """Return it in another type of numbers."""
        return EncodedText(self.rows.to(dtype), None if self.pooled is None else self.pooled.to(dtype))

    def added(self, latent_height: int, latent_width: int) -> dict[str, Any]:
        """Return SDXL's added conditions as an argument of its networks, nothing of other bases.

        The sizes are those of the picture that is made, without a cut, as samplers ask for them.

        Args:
            latent_height: Of the latents, cells.
            latent_width: Likewise.
        """
        if self.pooled is None:
            return {}
        height, width = LATENT_PIXELS * latent_height, LATENT_PIXELS * latent_width
        sizes = torch.tensor([[height, width, 0, 0, height, width]], device=self.pooled.device, dtype=self.pooled.dtype)
        return {"added_cond_kwargs": {"text_embeds": self.pooled, "time_ids": sizes.repeat(len(self.pooled), 1)}}


def token_ids(networks: Networks, texts: Sequence[str]) -> dict[str, Tensor]:
    """Return the tokens of prompts, `[B, 77]` each, for `encode_text`."""
    ids = {IDS: tokenize(networks.tokenizer, texts)}
    if networks.tokenizer_2 is not None:
        ids[SECOND_IDS] = tokenize(networks.tokenizer_2, texts)
    return ids


def encode_text(networks: Networks, ids: Mapping[str, Tensor]) -> EncodedText:
    """Encode the tokens that `token_ids` gives, each encoder in its own precision.

    Source: of SDXL's, diffusers' `StableDiffusionXLPipeline.encode_prompt`.
    """
    first: Any = networks.text_encoder
    second: Any = networks.text_encoder_2
    with own_precision(first):
        if second is None:
            return EncodedText(first(ids[IDS])[0])
        rows = first(ids[IDS], output_hidden_states=True).hidden_states[-2]
    with own_precision(second):
        found = second(ids[SECOND_IDS], output_hidden_states=True)
    return EncodedText(torch.cat([rows, found.hidden_states[-2]], -1), found.text_embeds)


def own_precision(network: Any):
    """No mixed precision for a network that is held in half precision: its layers would meet numbers of both kinds."""
    device = network.device.type
    return nullcontext() if network.dtype == torch.float32 else torch.autocast(device, enabled=False)
