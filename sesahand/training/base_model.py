"""A Stable Diffusion 1.5 base out of a diffusers folder or of one checkpoint file, without asking a model hub."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..errors import InvalidFileError
from ..fusion.weights import UNET_PREFIX
from ..mini.ldm_names import load_ldm
from ..mini.model_files import AUTOENCODER_PREFIX, LAYOUT, load_part, part, read_mini
from ..mini.tokenizer import END_ID, START_ID, VOCABULARY_SIZE, load_tokenizer
from .diffusion import Networks

TEXT_PREFIXES = ("cond_stage_model.transformer.text_model.", "cond_stage_model.transformer.")
# Stable Diffusion's noise schedule.
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
FOLDERS = ("unet", "text_encoder", "vae", "tokenizer", "scheduler")


def load_base(path: str | Path, dtype: torch.dtype = torch.float32) -> Networks:
    """Load a base for training a ControlNet on it.

    Args:
        path: A diffusers folder, a Stable Diffusion 1.5 checkpoint as one `.safetensors`, or SesaHand's small model.
        dtype: Of the weights.

    Raises:
        InvalidFileError: If it is none of these, damaged or incomplete.
    """
    path = Path(path)
    networks = _from_folder(path) if path.is_dir() else _from_file(path)
    for module in (networks.unet, networks.text_encoder, networks.autoencoder):
        # diffusers warns of every cast, also of one that changes nothing.
        if module.dtype != dtype:
            module.to(dtype)
        module.eval().requires_grad_(False)
    return networks


def _from_folder(path: Path) -> Networks:
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    missing = [name for name in FOLDERS if not (path / name).is_dir()]
    if missing:
        raise InvalidFileError(
            f"{path} is no diffusers folder of Stable Diffusion: it lacks {', '.join(missing)}. Name the folder that "
            "holds model_index.json, or a single safetensors checkpoint."
        )
    local = {"local_files_only": True}
    try:
        return Networks(
            UNet2DConditionModel.from_pretrained(path, subfolder="unet", **local),
            CLIPTextModel.from_pretrained(path, subfolder="text_encoder", **local),
            CLIPTokenizer.from_pretrained(path, subfolder="tokenizer", **local),
            AutoencoderKL.from_pretrained(path, subfolder="vae", **local),
            DDIMScheduler.from_pretrained(path, subfolder="scheduler", **local),
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise InvalidFileError(f"{path} cannot be loaded as a diffusers model ({error!s:.300}).") from error


def _from_file(path: Path) -> Networks:
    try:
        with safe_open(path, framework="pt") as file:
            if LAYOUT in (file.metadata() or {}):
                model = read_mini(path)
                scheduler = model.layout.build_scheduler()
                return Networks(model.unet, model.text_encoder, load_tokenizer(), model.autoencoder, scheduler)
            state = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise InvalidFileError(
            f"{path} cannot be read as safetensors ({error!s:.200}). Name a diffusers folder or a safetensors file."
        ) from error
    if f"{UNET_PREFIX}input_blocks.0.0.weight" not in state:
        raise InvalidFileError(f"{path.name} holds no Stable Diffusion checkpoint: {UNET_PREFIX}* is not in it.")
    return networks_of(state, path.name)


def networks_of(state: dict[str, Tensor], name: str) -> Networks:
    """Build the networks of a Stable Diffusion 1.5 checkpoint from its tensors; also of narrower ones of its kind."""
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint
    from transformers import CLIPTextConfig, CLIPTextModel

    from ..mini.token_embedding import text_embeddings

    unet_state = part(state, UNET_PREFIX)
    text_state = next((found for prefix in TEXT_PREFIXES if (found := part(state, prefix))), {})
    vae_state = part(state, AUTOENCODER_PREFIX)
    if "embeddings.token_embedding.weight" not in text_state or "encoder.conv_in.weight" not in vae_state:
        raise InvalidFileError(
            f"{name} lacks the text encoder or the autoencoder of Stable Diffusion 1.5. Use a full checkpoint."
        )
    width = text_state["embeddings.token_embedding.weight"].shape[1]
    unet = UNet2DConditionModel(
        block_out_channels=_widths(unet_state),
        attention_head_dim=8,
        cross_attention_dim=width,
        sample_size=64,
    )
    load_ldm(unet, unet_state, name)
    layers = 1 + max(int(key.split(".")[2]) for key in text_state if key.startswith("encoder.layers."))
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=VOCABULARY_SIZE,
            hidden_size=width,
            intermediate_size=4 * width,
            num_hidden_layers=layers,
            num_attention_heads=width // 64,
            projection_dim=width,
            bos_token_id=START_ID,
            eos_token_id=END_ID,
            pad_token_id=END_ID,
        )
    )
    embeddings = text_embeddings(text)
    if embeddings.token_embedding.weight.shape != text_state["embeddings.token_embedding.weight"].shape:
        raise InvalidFileError(f"{name}: its text encoder has another vocabulary than CLIP's. Use an SD1.5 checkpoint.")
    load_part(text, text_state, name, ignored_prefix="text_model.")
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=tuple(
            vae_state[f"encoder.down.{level}.block.0.conv2.weight"].shape[0] for level in range(4)
        ),
        layers_per_block=2,
        latent_channels=4,
        scaling_factor=0.18215,
    )
    converted = convert_ldm_vae_checkpoint(dict(state), dict(vae.config))
    load_part(vae, converted, name)
    scheduler = DDIMScheduler(**BETAS, clip_sample=False, set_alpha_to_one=False, steps_offset=1)
    return Networks(unet, text, load_tokenizer(), vae, scheduler)


def _widths(state: dict[str, Tensor]) -> tuple[int, ...]:
    """Channels of the four levels of an SD1.5-shaped U-Net, whose second block of each level is numbered so."""
    names = [f"input_blocks.{index}.0.out_layers.3.weight" for index in (2, 5, 8, 11)]
    if any(name not in state for name in names) or "input_blocks.13.0.op.weight" in state:
        raise InvalidFileError("The checkpoint's U-Net is not shaped as Stable Diffusion 1.5's: four levels of two.")
    return tuple(state[name].shape[0] for name in names)
