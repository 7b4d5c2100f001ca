"""The small model as ComfyUI's MODEL, CLIP and VAE, by its own classes and without changing any list of theirs."""

import inspect
from dataclasses import dataclass

import torch
from torch import Tensor

import comfy.model_detection
import comfy.model_management
import comfy.sd
import comfy.sd1_clip
import comfy.supported_models
from comfy.ldm.models.autoencoder import AutoencoderKL
from comfy.model_base import ModelType
from comfy.model_patcher import ModelPatcher
from comfy.supported_models_base import ClipTarget

from ...sesahand.errors import InvalidFileError
from ...sesahand.models.controlnet_files import UNET_PREFIX
from ...sesahand.models.small.autoencoder import MiniAutoencoder
from ...sesahand.models.small.layout import HEAD_WIDTH, MiniLayout
from ...sesahand.models.small.model_files import (
    AUTOENCODER_PREFIX,
    TEXT_PREFIX,
    TOKEN_IDS,
    TOKEN_TABLE,
    load_part,
    part,
    read_mini_state,
)
from ...sesahand.models.small.token_embedding import VocabularyEmbedding, known_words
from ...sesahand.models.small.tokenizer import load_tokenizer
from .core_loading import check_names, check_shapes, core_patcher, expected_shapes, is_dynamic, remember_loader
from .size_notice import tell_of_size

# Where core's CLIP has what this model's files name without it.
CORE_TEXT_PREFIX = "clip_l.transformer.text_model."

# comfy.sd.VAE builds an autoencoder of its own from a config; this is the smallest one, and is replaced at once.
PLACEHOLDER = {
    "double_z": True,
    "z_channels": 4,
    "resolution": 32,
    "in_channels": 3,
    "out_ch": 3,
    "ch": 32,
    "ch_mult": [1],
    "num_res_blocks": 1,
    "attn_resolutions": [],
    "dropout": 0.0,
}


def load_mini(path: str):
    """Load the small model's file.

    Returns:
        MODEL, CLIP, VAE, and the words that the text encoder knows.

    Raises:
        InvalidFileError: If the file is damaged, incomplete, or holds another kind of model.
    """
    path = str(path)
    file = _read(path)
    with _own_random_numbers():
        model, clip, vae = load_model(file), load_clip(file), load_vae(file)
    remember_loader(model, _model_patcher, path)
    remember_loader(clip.patcher, _clip_patcher, path)
    remember_loader(vae.patcher, _vae_patcher, path)
    return model, clip, vae, known_words(load_tokenizer(), file.token_ids)


@dataclass(frozen=True)
class _File:
    """What stands in a file of the small model."""

    name: str
    layout: MiniLayout
    state: dict[str, Tensor]

    @property
    def token_ids(self) -> list[int]:
        return self.state[TOKEN_IDS].tolist()

    def part(self, prefix: str) -> dict[str, Tensor]:
        return part(self.state, prefix)


def _read(path: str) -> _File:
    layout, state, _ = read_mini_state(path)
    return _File(path, layout, state)


def _own_random_numbers():
    # New layers draw their first weights, which the file's replace at once, from the generator that all nodes share.
    return torch.random.fork_rng(devices=[])


def _model_patcher(path: str, disable_dynamic: bool = False) -> ModelPatcher:
    with _own_random_numbers():
        return load_model(_read(path), disable_dynamic)


def _clip_patcher(path: str, disable_dynamic: bool = False) -> ModelPatcher:
    with _own_random_numbers():
        return load_clip(_read(path), disable_dynamic).patcher


def _vae_patcher(path: str, disable_dynamic: bool = False) -> ModelPatcher:
    with _own_random_numbers():
        return load_vae(_read(path)).patcher


def load_model(file: _File, disable_dynamic: bool = False) -> ModelPatcher:
    """A MODEL of the U-Net's parameters in ldm names."""
    state = file.part(UNET_PREFIX)
    prediction = ModelType.V_PREDICTION if file.layout.prediction == "v_prediction" else ModelType.EPS

    class MiniModelConfig(comfy.supported_models.SD15):
        unet_extra_config = {"num_heads": -1, "num_head_channels": HEAD_WIDTH}

        def model_type(self, state_dict, prefix=""):
            return prediction

    load_device = comfy.model_management.get_torch_device()
    offload_device = comfy.model_management.unet_offload_device()
    try:
        # The shape of the network is read off some of its tensors.
        config = MiniModelConfig(comfy.model_detection.detect_unet_config(state, ""))
        dtype = comfy.model_management.unet_dtype(
            model_params=sum(value.numel() for value in state.values()),
            supported_dtypes=list(config.supported_inference_dtypes),
            weight_dtype=state["input_blocks.0.0.weight"].dtype,
        )
        cast = comfy.model_management.unet_manual_cast(dtype, load_device, config.supported_inference_dtypes)
        config.set_inference_dtype(dtype, cast)
        model = config.get_model(state, "", device=offload_device)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise InvalidFileError(f"{file.name}: its U-Net is incomplete ({error!s:.200}); copy it again.") from error
    check_shapes(expected_shapes(model.diffusion_model), state, file.name, "U-Net")
    patcher = core_patcher(model, load_device, offload_device, disable_dynamic)
    # In the model's own type: DynamicVRAM's layers would keep the file's, beside others that do not.
    state = {name: value.to(dtype) for name, value in state.items()}
    model.load_model_weights(state, "", **({"assign": True} if is_dynamic(patcher) else {}))
    tell_of_size(patcher, file.layout.size)
    return patcher


def load_clip(file: _File, disable_dynamic: bool = False) -> comfy.sd.CLIP:
    """A CLIP with ComfyUI's own tokenizer, whose table of embeddings has a row for each of CLIP's tokens."""
    layout, token_ids = file.layout, file.token_ids
    options = {
        "hidden_size": layout.text_width,
        "intermediate_size": 4 * layout.text_width,
        "num_attention_heads": layout.text_heads,
        "num_hidden_layers": layout.text_layers,
    }
    # In float32: the whole encoder is smaller than one layer of Stable Diffusion's.
    options = {"clip_l_model_config": options, "dtype": torch.float32}
    state = {name: value.float() for name, value in file.part(TEXT_PREFIX).items()}
    embedding = VocabularyEmbedding(token_ids, layout.text_width)
    embedding.weight.data.copy_(state[TOKEN_TABLE])
    state[TOKEN_TABLE] = embedding.expanded()
    try:
        clip = _core_clip(options, {CORE_TEXT_PREFIX + name: value for name, value in state.items()}, disable_dynamic)
    except RuntimeError as error:
        if "size mismatch" not in str(error):
            raise
        raise InvalidFileError(
            f"{file.name}: its text encoder does not fit ({error!s:.200}); copy it again."
        ) from error
    encoder = clip.cond_stage_model.clip_l.transformer.text_model
    check_names(expected_shapes(encoder), state, file.name, "text encoder")
    check_shapes(expected_shapes(encoder), encoder.state_dict(), file.name, "text encoder")
    # On what all clones of a CLIP share.
    clip.cond_stage_model.sesahand_token_ids = tuple(token_ids)
    return clip


def _core_clip(options: dict, state: dict[str, Tensor], disable_dynamic: bool) -> comfy.sd.CLIP:
    """A CLIP of SD1.5's kind with its weights."""
    target = ClipTarget(comfy.sd1_clip.SD1Tokenizer, comfy.sd1_clip.SD1ClipModel)
    if "state_dict" not in inspect.signature(comfy.sd.CLIP).parameters:
        clip = comfy.sd.CLIP(target, model_options=options)
        clip.load_sd(state, full_model=True)
        return clip
    # At once: a CLIP that begins on its device is loaded there while it is made, and DynamicVRAM would later put what
    # it found then in the place of weights that came afterwards.
    return comfy.sd.CLIP(target, model_options=options, state_dict=state, disable_dynamic=disable_dynamic)


def learnt_tokens(clip: comfy.sd.CLIP | None) -> tuple[int, ...]:
    """Ids of all tokens that a small model has learnt; none for the CLIP of any other model, which knows all words."""
    return getattr(getattr(clip, "cond_stage_model", None), "sesahand_token_ids", ())


def load_vae(file: _File) -> comfy.sd.VAE:
    """A VAE around the small autoencoder."""
    autoencoder = file.layout.build_autoencoder().eval().requires_grad_(False)
    load_part(autoencoder, file.part(AUTOENCODER_PREFIX), file.name)
    config = {"ddconfig": PLACEHOLDER, "embed_dim": 4}
    vae = comfy.sd.VAE(sd=AutoencoderKL(**config).state_dict(), config={"params": config}, dtype=torch.float32)
    vae.first_stage_model = _PlainAutoencoder(autoencoder)
    # Never a dynamic one: its layers are PyTorch's own, which DynamicVRAM loads whole and frees last.
    vae.patcher = ModelPatcher(
        vae.first_stage_model,
        load_device=vae.device,
        offload_device=comfy.model_management.vae_offload_device(),
    )
    return vae


class _PlainAutoencoder(torch.nn.Module):
    """What comfy.sd.VAE calls: tensors in, tensors out."""

    def __init__(self, autoencoder: MiniAutoencoder):
        super().__init__()
        self.autoencoder = autoencoder

    def encode(self, pictures: Tensor) -> Tensor:
        return self.autoencoder.latents(pictures)

    def decode(self, latents: Tensor) -> Tensor:
        return self.autoencoder.pictures(latents)
