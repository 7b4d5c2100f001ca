"""The shape of the small model as data, and its parts built from it: modules of diffusers and transformers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ...errors import InvalidFileError, SesaHandError, quote
from ...files.reading import parse_json
from .autoencoder import LATENT_CHANNELS, MiniAutoencoder
from .token_embedding import VocabularyEmbedding, text_embeddings
from .tokenizer import END_ID, MAX_TOKENS, START_ID, VOCABULARY_SIZE

if TYPE_CHECKING:
    from diffusers import ControlNetModel, DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextModel

HEAD_WIDTH = 64
"""ComfyUI's loader of unknown ControlNets takes heads of this width; fewer channels would make another network."""

# Group normalisation over 32 groups of one channel each would erase the channels' means, and with them the colours.
LEAST_WIDTH = 64
MOST_LEVELS, MOST_WIDTH = 6, 4096
RANGES = {
    "blocks": (1, 8),
    "text_width": (8, MOST_WIDTH),
    "text_layers": (1, 48),
    "text_heads": (1, 64),
    "size": (16, 4096),
}
HINT_CHANNELS = (16, 32, 96, 256)


@dataclass(frozen=True)
class MiniLayout:
    """What there is to choose in the small model.

    Attributes:
        widths: Channels of the U-Net's levels, whole multiples of the first one; attention is on every level.
        blocks: Residual blocks on each level of the encoder.
        text_width: Width of the text encoder and of the cross-attention.
        text_layers: Layers of the text encoder.
        text_heads: Heads of the text encoder.
        autoencoder_widths: Channels of the autoencoder at a half, a quarter and an eighth of the picture.
        size: Width and height of the pictures it is trained on, pixels.
        prediction: What the U-Net predicts, "v_prediction" or "epsilon".
    """

    widths: tuple[int, ...] = (64, 128, 128)
    blocks: int = 1
    text_width: int = 128
    text_layers: int = 2
    text_heads: int = 4
    autoencoder_widths: tuple[int, int, int] = (32, 64, 96)
    size: int = 128
    prediction: str = "v_prediction"

    def __post_init__(self):
        for name in ("widths", "autoencoder_widths"):
            value = getattr(self, name)
            if not isinstance(value, list | tuple) or len(value) > MOST_LEVELS:
                raise SesaHandError(f"{name} is {quote(value)}; give a list of at most {MOST_LEVELS} channel numbers.")
            object.__setattr__(self, name, tuple(value))
            for width in value:
                _check_number(name, width, 1, MOST_WIDTH)
        for name, (least, most) in RANGES.items():
            _check_number(name, getattr(self, name), least, most)
        first = self.widths[0] if self.widths else 0
        if len(self.widths) < 2 or first < LEAST_WIDTH or first % HEAD_WIDTH or any(w % first for w in self.widths):
            raise SesaHandError(
                f"The small model's widths are {self.widths}. Give at least two, whole multiples of the first one, "
                f"which is a multiple of {HEAD_WIDTH}: other files would not load in ComfyUI as they were trained."
            )
        if len(self.autoencoder_widths) != 3 or min(self.autoencoder_widths) < 8:
            raise SesaHandError(
                f"The autoencoder's widths are {self.autoencoder_widths}; give three, each at least 8: at a half, a "
                "quarter and an eighth of the picture."
            )
        if self.text_width % self.text_heads:
            raise SesaHandError(
                f"A text width of {self.text_width} cannot be divided into {self.text_heads} heads; change one of them."
            )
        multiple = 8 * 2 ** (len(self.widths) - 1)
        if self.size < multiple or self.size % multiple:
            raise SesaHandError(
                f"Pictures of {self.size} px: with {len(self.widths)} levels choose a multiple of {multiple}."
            )
        if not isinstance(self.prediction, str) or self.prediction not in ("v_prediction", "epsilon"):
            raise SesaHandError(f"prediction is {quote(self.prediction)}; choose v_prediction or epsilon.")

    def to_json(self) -> str:
        """The layout as it stands in a weight file's metadata."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> MiniLayout:
        """Read a layout that `to_json` wrote.

        Raises:
            InvalidFileError: If it is something else.
        """
        try:
            return cls(**parse_json(text, "it"))
        except (ValueError, TypeError, RecursionError, SesaHandError) as error:
            raise InvalidFileError(
                f"The file's description of the small model cannot be read ({error!s:.200}). It is damaged or was "
                "written by a newer version: copy it again or update SesaHand."
            ) from error

    @property
    def latent_size(self) -> int:
        """Width and height of a latent of a training picture."""
        return self.size // 8

    def build_unet(self) -> UNet2DConditionModel:
        """A U-Net with random weights, after torch's global generator."""
        from diffusers import UNet2DConditionModel

        return UNet2DConditionModel(
            sample_size=self.latent_size,
            up_block_types=("CrossAttnUpBlock2D",) * len(self.widths),
            **self._encoder(),
        )

    def build_controlnet(self) -> ControlNetModel:
        """A ControlNet with random weights and zero convolutions that are zero."""
        from diffusers import ControlNetModel

        return ControlNetModel(conditioning_embedding_out_channels=HINT_CHANNELS, **self._encoder())

    def build_text_encoder(self, token_ids: Sequence[int]) -> CLIPTextModel:
        """A text encoder with random weights.

        Args:
            token_ids: The ids of CLIP's tokenizer that it knows; all others share one row.
        """
        from transformers import CLIPTextConfig, CLIPTextModel

        config = CLIPTextConfig(
            vocab_size=VOCABULARY_SIZE,
            hidden_size=self.text_width,
            intermediate_size=4 * self.text_width,
            num_hidden_layers=self.text_layers,
            num_attention_heads=self.text_heads,
            max_position_embeddings=MAX_TOKENS,
            projection_dim=self.text_width,
            bos_token_id=START_ID,
            eos_token_id=END_ID,
            pad_token_id=END_ID,
        )
        encoder = CLIPTextModel(config)
        text_embeddings(encoder).token_embedding = VocabularyEmbedding(token_ids, self.text_width)
        return encoder

    def build_autoencoder(self) -> MiniAutoencoder:
        """An autoencoder with random weights."""
        return MiniAutoencoder(self.autoencoder_widths)

    def build_scheduler(self) -> DDIMScheduler:
        """Stable Diffusion's noise schedule with what this model predicts."""
        from diffusers import DDIMScheduler

        return DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            clip_sample=False,
            set_alpha_to_one=False,
            steps_offset=1,
            prediction_type=self.prediction,
        )

    def _encoder(self) -> dict:
        return {
            "in_channels": LATENT_CHANNELS,
            "block_out_channels": self.widths,
            "layers_per_block": self.blocks,
            "down_block_types": ("CrossAttnDownBlock2D",) * len(self.widths),
            "cross_attention_dim": self.text_width,
            # diffusers' name for the number of heads.
            "attention_head_dim": tuple(width // HEAD_WIDTH for width in self.widths),
        }


def _check_number(name: str, value: object, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise SesaHandError(f"The small model's {name} is {quote(value)}; choose whole numbers from {least} to {most}.")
