"""The base that pictures are made with, from local files: Stable Diffusion 1.x or 2.x, or the small model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ..errors import InvalidFileError, SesaHandError
from ..files.reading import read_json
from ..files.weights import open_weights
from .families import LATENT_PIXELS, foreign_folders, foreign_prefixes
from .small.embedded import EMBEDDED, embedded_path

if TYPE_CHECKING:
    from diffusers import DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextModel, PreTrainedTokenizerBase

SUPPORTED = "Supported are Stable Diffusion 1.x and 2.x and SesaHand's small model"
MAX_JSON_BYTES = 1 << 20


@dataclass(frozen=True)
class BaseModel:
    """The parts of a latent diffusion model, ready to run.

    Attributes:
        name: What it is called in messages and records: "embedded" or the name of its file or folder.
        path: Where it was loaded from.
        unet: diffusers' U-Net.
        text_encoder: CLIP's, of transformers.
        tokenizer: CLIP's, of transformers.
        autoencoder: Pictures to latents and back.
        scheduler: With the noise schedule and the prediction type that the model was trained with.
        token_ids: The only tokens that the text encoder has learnt, or None if it knows all.
    """

    name: str
    path: Path
    unet: UNet2DConditionModel
    text_encoder: CLIPTextModel
    tokenizer: PreTrainedTokenizerBase
    autoencoder: nn.Module
    scheduler: DDIMScheduler
    token_ids: tuple[int, ...] | None = None

    @property
    def is_mini(self) -> bool:
        """Whether it is a small model of SesaHand's."""
        return self.token_ids is not None

    @property
    def size(self) -> int:
        """Width and height of the pictures that it was trained on, pixels."""
        return int(self.unet.config["sample_size"]) * LATENT_PIXELS

    @property
    def multiple(self) -> int:
        """Width and height of its pictures are whole multiples of this, pixels."""
        return LATENT_PIXELS * 2 ** (len(self.unet.config["block_out_channels"]) - 1)

    def describe_unknown(self, prompts: Iterable[str]) -> str:
        """Say which words of some prompts the model ignores, and which it knows; nothing if it knows all of them."""
        from .small.token_embedding import describe_unknown

        return "" if self.token_ids is None else describe_unknown(self.tokenizer, self.token_ids, prompts)


def load_base_model(
    base: str | Path = EMBEDDED, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> BaseModel:
    """Load a base from local files; nothing is ever fetched.

    Args:
        base: A diffusers folder, one `.safetensors` checkpoint, a file of the small model, or "embedded".
        device: Where it is to run.
        dtype: Of the weights.

    Raises:
        InvalidFileError: If it is none of these, damaged or of another family.
        SesaHandError: If "embedded" is asked for and this copy of SesaHand holds no model.
    """
    require_diffusers()
    from .checkpoints import load_base
    from .small.token_embedding import VocabularyEmbedding, text_embeddings

    path = embedded_path() if str(base) == EMBEDDED else Path(base)
    refuse_other_families(path)
    networks = load_base(path, dtype)
    channels = networks.unet.config["in_channels"]
    if channels != 4:
        raise InvalidFileError(
            f"{path.name} takes {channels} channels where 4 are expected: an inpainting model or another special "
            f"one. {SUPPORTED}."
        )
    embedding = text_embeddings(networks.text_encoder).token_embedding
    module: Any
    for module in (networks.unet, networks.text_encoder, networks.autoencoder):
        module.to(device)
    return BaseModel(
        EMBEDDED if str(base) == EMBEDDED else path.name,
        path,
        networks.unet,
        networks.text_encoder,
        networks.tokenizer,
        networks.autoencoder,
        networks.scheduler,
        embedding.token_ids if isinstance(embedding, VocabularyEmbedding) else None,
    )


def require_diffusers() -> None:
    """Raise a SesaHandError that says how to install diffusers and transformers, if they are missing."""
    try:
        import diffusers  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        raise SesaHandError(
            f"Generating needs diffusers and transformers, and one of them is missing ({error}). Install them with "
            "`pip install diffusers transformers`."
        ) from error


def refuse_other_families(path: Path) -> None:
    """Raise an InvalidFileError for what is no model, and one that names the family of a model of another one."""
    if path.is_dir():
        for folder, family in foreign_folders().items():
            if (path / folder).is_dir():
                raise InvalidFileError(f"{path} holds {family}, by its {folder}. {SUPPORTED}.")
        index = path / "model_index.json"
        if index.is_file() and "XL" in _pipeline_name(index):
            raise InvalidFileError(f"{path} holds SDXL. {SUPPORTED}.")
        return
    if not path.is_file():
        raise InvalidFileError(
            f"There is no model {path}. Name a diffusers folder, a .safetensors checkpoint, or leave --base out for "
            "the embedded model. Nothing is downloaded."
        )
    if path.suffix.lower() not in (".safetensors", ".sft"):
        raise InvalidFileError(
            f"{path.name} is no .safetensors file. Older formats can run code when they are read: convert it first."
        )
    for prefix, family in foreign_prefixes().items():
        if any(name.startswith(prefix) for name in _tensor_names(path)):
            raise InvalidFileError(f"{path.name} holds {family}. {SUPPORTED}.")


def _pipeline_name(index: Path) -> str:
    found = read_json(index, MAX_JSON_BYTES)
    return str(found.get("_class_name", "")) if isinstance(found, dict) else ""


def _tensor_names(path: Path) -> list[str]:
    with open_weights(path) as file:
        return list(file.keys())
