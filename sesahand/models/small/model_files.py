"""The small model in files: one for U-Net, text encoder and autoencoder, and one for each of its ControlNets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from ...errors import InvalidFileError, SesaHandError
from ...files.reading import parse_json
from ...files.weights import open_weights
from ...files.writing import write_bytes
from ...fusion.settings import FusionSettings
from ..controlnet_files import CONTROL_PREFIX, UNET_PREFIX, read_controlnet_weights
from ..ldm_names import check_ldm, load_ldm, to_ldm
from .autoencoder import MiniAutoencoder
from .layout import MiniLayout
from .token_embedding import known_words, text_embeddings
from .tokenizer import VOCABULARY_SIZE, load_tokenizer

if TYPE_CHECKING:
    from diffusers import ControlNetModel, StableDiffusionControlNetPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel

TEXT_PREFIX = "cond_stage_model.transformer.text_model."
AUTOENCODER_PREFIX = "first_stage_model."
TOKEN_TABLE = "embeddings.token_embedding.weight"
TOKEN_IDS = "sesahand.token_ids"
LAYOUT = "sesahand.mini"
FACTS = "sesahand.training"
CONTROLS = ("plain", "sf")
"""The ControlNets that belong to one model: trained without and with structural fusion."""

HELD = "held"
"""The ControlNet of the shipped model alone that was trained on maps with what hands hold."""

MAX_FILE_BYTES = 256 << 20


@dataclass
class MiniModel:
    """The small model's parts, ready to run in diffusers.

    Attributes:
        layout: Their shape.
        unet: diffusers' U-Net.
        text_encoder: transformers' text encoder; it takes the ids of CLIP's tokenizer.
        autoencoder: Pictures to latents and back.
        facts: What is known of the training, as the file says it.
    """

    layout: MiniLayout
    unet: UNet2DConditionModel
    text_encoder: CLIPTextModel
    autoencoder: MiniAutoencoder
    facts: dict

    @property
    def token_ids(self) -> tuple[int, ...]:
        """The tokens that the text encoder has learnt."""
        return text_embeddings(self.text_encoder).token_embedding.token_ids

    def words(self) -> list[str]:
        """The words that mean something to it, in alphabetical order."""
        return known_words(load_tokenizer(), self.token_ids)

    def pipeline(self, controlnet: ControlNetModel) -> StableDiffusionControlNetPipeline:
        """diffusers' pipeline of this model and a ControlNet, for pictures of `layout.size` pixels."""
        from diffusers import StableDiffusionControlNetPipeline

        # The pipeline takes more than the classes that its types name.
        parts: dict[str, Any] = {
            "vae": self.autoencoder,
            "text_encoder": self.text_encoder,
            "tokenizer": load_tokenizer(),
            "unet": self.unet,
            "controlnet": controlnet,
            "scheduler": self.layout.build_scheduler(),
            "safety_checker": None,
            "feature_extractor": None,
        }
        return StableDiffusionControlNetPipeline(**parts, requires_safety_checker=False)


def control_path(model_path: str | Path, control: str) -> Path:
    """Where the ControlNet `control` ("plain", "sf" or "held") of a model file is: beside it."""
    path = Path(model_path)
    return path.with_name(f"{path.stem}_control_{control}{path.suffix}")


def write_mini(path: str | Path, model: MiniModel, dtype: torch.dtype = torch.float16) -> None:
    """Write the model without ControlNets into one safetensors file.

    Args:
        path: Ends in `.safetensors`.
        model: What to write.
        dtype: Of the weights in the file. The scale of the latents stays in float32.

    Raises:
        SesaHandError: If a weight is not a finite number or the file cannot be written.
    """
    state = {UNET_PREFIX + name: value for name, value in to_ldm(model.unet.state_dict()).items()}
    for name, value in model.text_encoder.state_dict().items():
        state[TEXT_PREFIX + name.removeprefix("text_model.")] = value
    state |= {AUTOENCODER_PREFIX + name: value for name, value in model.autoencoder.state_dict().items()}
    content = {name: stored(name, value, dtype) for name, value in state.items()}
    content[TOKEN_IDS] = torch.tensor(model.token_ids, dtype=torch.int32)
    write_weights(path, content, {LAYOUT: model.layout.to_json(), FACTS: json.dumps(model.facts)})


def read_mini_state(path: str | Path) -> tuple[MiniLayout, dict[str, Tensor], dict]:
    """Return the layout, the tensors as they stand in the file, and the training's facts.

    Raises:
        InvalidFileError: If the file is damaged or holds another kind of model.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidFileError(
                f"{path.name} is larger than {MAX_FILE_BYTES >> 20} MiB: it is no small model. Choose a file that "
                "`sesahand train --config mini` exported."
            )
    except OSError as error:
        raise InvalidFileError(f"{path.name} cannot be read ({error!s:.160}). Check the path.") from error
    with open_weights(path) as file:
        metadata = file.metadata() or {}
        if LAYOUT not in metadata:
            raise InvalidFileError(
                f"{path.name} is not SesaHand's small model: its header says nothing of {LAYOUT}. Stable Diffusion "
                "checkpoints are for Load Checkpoint; the small model comes from `sesahand train --config mini`."
            )
        state = {name: file.get_tensor(name) for name in file.keys()}
    if TOKEN_IDS not in state or TEXT_PREFIX + TOKEN_TABLE not in state:
        raise InvalidFileError(f"{path.name} lacks the small model's vocabulary ({TOKEN_IDS}). Copy it again.")
    facts = parse_json(metadata.get(FACTS, "{}"), f"{path.name}: {FACTS}")
    layout = MiniLayout.from_json(metadata[LAYOUT])
    check_sizes(layout, state, path.name)
    return layout, state, facts if isinstance(facts, dict) else {}


def check_sizes(layout: MiniLayout, state: Mapping[str, Tensor], source: str) -> None:
    """Raise an InvalidFileError where a file's description would build other networks than its tensors fill."""
    ids = state[TOKEN_IDS]
    if ids.ndim != 1 or ids.is_floating_point() or ids.is_complex() or len(ids) > VOCABULARY_SIZE:
        raise InvalidFileError(
            f"{source}: {TOKEN_IDS} is {list(ids.shape)} {ids.dtype}, expected at most {VOCABULARY_SIZE} whole "
            "numbers; copy it again."
        )
    try:
        with torch.device("meta"):
            text = layout.build_text_encoder(ids.tolist())
            unet, autoencoder = layout.build_unet(), layout.build_autoencoder()
    except (SesaHandError, ValueError) as error:
        raise InvalidFileError(f"{source} describes no small model ({error!s:.200}); copy it again.") from error
    check_part(text, part(state, TEXT_PREFIX), source, ignored_prefix="text_model.")
    check_part(autoencoder, part(state, AUTOENCODER_PREFIX), source)
    check_ldm(unet, part(state, UNET_PREFIX), source)


def read_mini(path: str | Path) -> MiniModel:
    """Read the small model for diffusers, in float32.

    Raises:
        InvalidFileError: If the file is damaged, incomplete or holds another kind of model.
    """
    layout, state, facts = read_mini_state(path)
    state = {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
    name = Path(path).name
    text = layout.build_text_encoder(state[TOKEN_IDS].tolist())
    model = MiniModel(layout, layout.build_unet(), text, layout.build_autoencoder(), facts)
    load_ldm(model.unet, part(state, UNET_PREFIX), name)
    load_part(model.text_encoder, part(state, TEXT_PREFIX), name, ignored_prefix="text_model.")
    load_part(model.autoencoder, part(state, AUTOENCODER_PREFIX), name)
    for module in (model.unet, model.text_encoder, model.autoencoder):
        module.eval().requires_grad_(False)
    return model


def write_controlnet(
    path: str | Path,
    controlnet: ControlNetModel,
    fusion: FusionSettings | None,
    facts: dict,
    dtype: torch.dtype = torch.float16,
) -> None:
    """Write a ControlNet of the SD1.5 family as ComfyUI's and SesaHand's loaders read it.

    Args:
        path: Ends in `.safetensors`.
        controlnet: What to write, of any width; parameters get ldm's names.
        fusion: The structural fusion it was trained with, for the file's header.
        facts: What to say of the training.
        dtype: Of the weights in the file.
    """
    state = {
        CONTROL_PREFIX + name: stored(name, value, dtype) for name, value in to_ldm(controlnet.state_dict()).items()
    }
    mark = fusion.to_metadata() if fusion is not None else {"sesahand.sf_mode": "none"}
    write_weights(path, state, {**mark, FACTS: json.dumps(facts)})


def read_mini_controlnet(path: str | Path, layout: MiniLayout) -> tuple[ControlNetModel, FusionSettings | None]:
    """Read a ControlNet of the small model for diffusers, and the fusion it was trained with.

    Raises:
        InvalidFileError: If the file is damaged or does not belong to the layout.
    """
    weights = read_controlnet_weights(path)
    controlnet = layout.build_controlnet()
    load_ldm(controlnet, {name: value.float() for name, value in weights.state.items()}, Path(path).name)
    return controlnet.eval().requires_grad_(False), weights.settings


def part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def load_part(module: nn.Module, state: Mapping[str, Tensor], source: str, ignored_prefix: str = "") -> None:
    """Load all parameters of a module, or raise an InvalidFileError that names the first that does not fit."""
    module.load_state_dict(check_part(module, state, source, ignored_prefix))


def check_part(
    module: nn.Module, state: Mapping[str, Tensor], source: str, ignored_prefix: str = ""
) -> dict[str, Tensor]:
    """Return the tensors of a module's parameters, or raise an InvalidFileError that names the first that does not fit.

    Args:
        module: It may be without memory, on the device "meta".
        state: Tensors by name.
        source: The file, for messages.
        ignored_prefix: Of the module's names, which those of the tensors lack.
    """
    found = {}
    for name, value in module.state_dict().items():
        given = state.get(name.removeprefix(ignored_prefix))
        if given is None or given.shape != value.shape:
            shape = "missing" if given is None else f"of shape {tuple(given.shape)}"
            raise InvalidFileError(f"{source}: {name} is {shape}, expected {tuple(value.shape)}; copy it again.")
        found[name] = given
    return found


def write_weights(path: str | Path, state: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a whole safetensors file or nothing."""
    path = Path(path)
    if path.suffix != ".safetensors":
        raise SesaHandError(f"{path.name} must end in .safetensors.")
    content = {name: value.detach().cpu().contiguous() for name, value in state.items()}
    write_bytes(path, save(content, metadata), limit=1 << 34)


def stored(name: str, value: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a weight `[...]` as it stands in a file, `[...]`; a SesaHandError if it is no finite number there."""
    kept = value.detach()
    if "latent_" not in name:
        kept = kept.to(dtype)
    if not kept.isfinite().all():
        raise SesaHandError(
            f"{name} has values that are no finite numbers as {dtype}: the training has diverged. Go on from an "
            "earlier checkpoint with a smaller learning rate."
        )
    return kept
