"""The small model as ComfyUI's MODEL, CLIP and VAE, by its own classes and without changing any list of theirs."""

import torch
from torch import Tensor

import comfy.model_detection
import comfy.model_management
import comfy.model_patcher
import comfy.sd
import comfy.sd1_clip
import comfy.supported_models
from comfy.ldm.models.autoencoder import AutoencoderKL
from comfy.model_base import ModelType
from comfy.supported_models_base import ClipTarget

from ...sesahand.errors import InvalidFileError
from ...sesahand.fusion.weights import UNET_PREFIX
from ...sesahand.mini.autoencoder import MiniAutoencoder
from ...sesahand.mini.layout import HEAD_WIDTH, MiniLayout
from ...sesahand.mini.model_files import (
    AUTOENCODER_PREFIX,
    TEXT_PREFIX,
    TOKEN_IDS,
    TOKEN_TABLE,
    load_part,
    part,
    read_mini_state,
)
from ...sesahand.mini.token_embedding import VocabularyEmbedding, known_words
from ...sesahand.mini.tokenizer import load_tokenizer

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
    layout, state, _ = read_mini_state(path)
    token_ids = state[TOKEN_IDS].tolist()
    # New layers draw their first weights, which the file's replace at once, from the generator that all nodes share.
    with torch.random.fork_rng(devices=[]):
        model = load_model(layout, part(state, UNET_PREFIX), str(path))
        clip = load_clip(layout, part(state, TEXT_PREFIX), token_ids, str(path))
        vae = load_vae(layout, part(state, AUTOENCODER_PREFIX), str(path))
    return model, clip, vae, known_words(load_tokenizer(), token_ids)


def load_model(layout: MiniLayout, state: dict[str, Tensor], source: str) -> comfy.model_patcher.ModelPatcher:
    """A MODEL of the U-Net's parameters in ldm names."""

    class MiniModelConfig(comfy.supported_models.SD15):
        unet_extra_config = {"num_heads": -1, "num_head_channels": HEAD_WIDTH}

        def model_type(self, state_dict, prefix=""):
            return ModelType.V_PREDICTION if layout.prediction == "v_prediction" else ModelType.EPS

    config = MiniModelConfig(comfy.model_detection.detect_unet_config(state, ""))
    load_device = comfy.model_management.get_torch_device()
    offload_device = comfy.model_management.unet_offload_device()
    dtype = comfy.model_management.unet_dtype(
        model_params=sum(value.numel() for value in state.values()),
        supported_dtypes=list(config.supported_inference_dtypes),
        weight_dtype=state["input_blocks.0.0.weight"].dtype,
    )
    cast = comfy.model_management.unet_manual_cast(dtype, load_device, config.supported_inference_dtypes)
    config.set_inference_dtype(dtype, cast)
    model = config.get_model(state, "", device=offload_device)
    _check_complete(model.diffusion_model, state, source)
    model.load_model_weights(dict(state), "")
    return comfy.model_patcher.ModelPatcher(model, load_device=load_device, offload_device=offload_device)


def load_clip(layout: MiniLayout, state: dict[str, Tensor], token_ids: list[int], source: str) -> comfy.sd.CLIP:
    """A CLIP with ComfyUI's own tokenizer, whose table of embeddings has a row for each of CLIP's tokens."""
    options = {
        "hidden_size": layout.text_width,
        "intermediate_size": 4 * layout.text_width,
        "num_attention_heads": layout.text_heads,
        "num_hidden_layers": layout.text_layers,
    }
    # In float32: the whole encoder is smaller than one layer of Stable Diffusion's.
    options = {"clip_l_model_config": options, "dtype": torch.float32}
    clip = comfy.sd.CLIP(ClipTarget(comfy.sd1_clip.SD1Tokenizer, comfy.sd1_clip.SD1ClipModel), model_options=options)
    embedding = VocabularyEmbedding(token_ids, layout.text_width)
    table = state[TOKEN_TABLE]
    if table.shape != embedding.weight.shape:
        raise InvalidFileError(
            f"{source}: {TOKEN_TABLE} is {tuple(table.shape)}, and {len(token_ids)} tokens have rows."
        )
    embedding.weight.data.copy_(table)
    encoder = clip.cond_stage_model.clip_l.transformer.text_model
    load_part(encoder, {**state, TOKEN_TABLE: embedding.expanded()}, source)
    # On what all clones of a CLIP share.
    clip.cond_stage_model.sesahand_token_ids = tuple(token_ids)
    return clip


def learnt_tokens(clip: comfy.sd.CLIP | None) -> tuple[int, ...]:
    """Ids of all tokens that a small model has learnt; none for the CLIP of any other model, which knows all words."""
    return getattr(getattr(clip, "cond_stage_model", None), "sesahand_token_ids", ())


def load_vae(layout: MiniLayout, state: dict[str, Tensor], source: str) -> comfy.sd.VAE:
    """A VAE around the small autoencoder."""
    autoencoder = layout.build_autoencoder().eval().requires_grad_(False)
    load_part(autoencoder, state, source)
    config = {"ddconfig": PLACEHOLDER, "embed_dim": 4}
    vae = comfy.sd.VAE(sd=AutoencoderKL(**config).state_dict(), config={"params": config}, dtype=torch.float32)
    vae.first_stage_model = _PlainAutoencoder(autoencoder)
    vae.patcher = comfy.model_patcher.ModelPatcher(
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


def _check_complete(module: torch.nn.Module, state: dict[str, Tensor], source: str) -> None:
    own = module.state_dict()
    wrong = [name for name, value in own.items() if name not in state or state[name].shape != value.shape]
    if wrong:
        raise InvalidFileError(f"{source} lacks {len(wrong)} of the U-Net's tensors ({', '.join(wrong[:3])}, ...).")
