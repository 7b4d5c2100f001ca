"""Tiny MODELs of the transformers that ComfyUI runs: its own classes with a few channels and random weights.

Each family says how its conditioning looks and which weights mix rows before text and picture first meet; `still` sets
those to zero, so that what a row of the text or a cell of the latent becomes can be followed.
"""

import re
import zlib
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

import comfy.model_patcher
import comfy.sample
import comfy.supported_models

AXES = [8, 12, 12]
LATER = {"flux": {"txt_ids_dims": []}, "chroma": {"txt_ids_dims": [], "vec_in_dim": 0}}
"""Settings that the classes of 0.3.64 do not know."""

FLUX = {
    **{
        "in_channels": 4,
        "out_channels": 4,
        "vec_in_dim": 16,
        "context_in_dim": 24,
        "hidden_size": 64,
        "mlp_ratio": 2.0,
    },
    **{"num_heads": 2, "depth": 2, "depth_single_blocks": 2, "axes_dim": AXES, "theta": 10000, "patch_size": 2},
    **{"qkv_bias": True, "guidance_embed": True},
}
FLUX2 = {
    **FLUX,
    **{"vec_in_dim": None, "patch_size": 1, "guidance_embed": False, "global_modulation": True, "mlp_silu_act": True},
    **{"qkv_bias": False, "ops_bias": False, "axes_dim": [8, 8, 8, 8], "txt_ids_dims": [3], "theta": 2000},
    **{"in_channels": 128, "out_channels": 128, "default_ref_method": "index", "ref_index_scale": 10.0},
}
CHROMA = {
    **{name: FLUX[name] for name in FLUX if name not in ("vec_in_dim", "guidance_embed")},
    **{"in_channels": 64, "out_channels": 64, "in_dim": 64, "out_dim": 64, "hidden_dim": 32, "n_layers": 1},
}
QWEN = {
    **{"in_channels": 64, "out_channels": 16, "num_layers": 3, "attention_head_dim": 32, "num_attention_heads": 2},
    **{"joint_attention_dim": 24, "axes_dims_rope": tuple(AXES)},
}
LUMINA = {
    **{"patch_size": 2, "in_channels": 16, "dim": 64, "n_layers": 3, "n_refiner_layers": 2, "n_heads": 2},
    **{"n_kv_heads": 1, "multiple_of": 16, "ffn_dim_multiplier": 1.0, "qk_norm": True, "cap_feat_dim": 24},
    **{"axes_dims": AXES, "axes_lens": [64, 64, 64]},
}
Z_IMAGE = {
    **LUMINA,
    **{"dim": 256, "n_heads": 8, "n_kv_heads": 8, "rope_theta": 256.0, "z_image_modulation": True},
    **{"time_scale": 1000.0, "pad_tokens_multiple": 32},
}
KREA2 = {
    **{"features": 64, "tdim": 32, "txtdim": 16, "heads": 2, "kvheads": 1, "multiplier": 2, "layers": 3, "patch": 2},
    **{"channels": 16, "txtlayers": 3, "txtheads": 2, "txtkvheads": 2},
}
WAN = {
    **{"model_type": "t2v", "dim": 64, "ffn_dim": 64, "num_heads": 2, "num_layers": 3, "in_dim": 16, "out_dim": 16},
    **{"text_dim": 24, "freq_dim": 32},
}
COSMOS = {
    **{"max_img_h": 64, "max_img_w": 64, "max_frames": 8, "in_channels": 16, "out_channels": 16, "patch_spatial": 2},
    **{"patch_temporal": 1, "concat_padding_mask": True, "model_channels": 64, "num_blocks": 3, "num_heads": 2},
    **{"crossattn_emb_channels": 24, "pos_emb_cls": "rope3d", "use_adaln_lora": True, "adaln_lora_dim": 16},
}
SD3 = {
    **{"input_size": None, "patch_size": 2, "in_channels": 16, "out_channels": 16, "depth": 3, "adm_in_channels": 16},
    **{"num_patches": 32 * 32, "pos_embed_max_size": 32, "pos_embed_scaling_factor": None, "qk_norm": "rms"},
    "context_embedder_config": {"target": "torch.nn.Linear", "params": {"in_features": 24, "out_features": 192}},
    "x_block_self_attn_layers": [0],
}


@dataclass(frozen=True)
class Tiny:
    """One family.

    Args:
        model: The name of its class in `comfy.supported_models`.
        image_model: What ComfyUI calls its network.
        config: Settings of the network.
        latent: Channels, frames if any, height and width of a latent.
        text: Channels of the text.
        conditioning: What else a conditioning has: "pooled", "clip vision", "t5 ids" or "mask".
        still: A regular expression of weights that mix rows before text and picture meet.
    """

    model: str
    image_model: str
    config: dict[str, Any]
    latent: tuple[int, ...]
    text: int = 24
    conditioning: tuple[str, ...] = ()
    still: str = "nothing"

    @property
    def is_here(self) -> bool:
        return hasattr(comfy.supported_models, self.model)


PICTURE, FILM = (16, 12, 20), (16, 2, 12, 20)
FAMILIES = {
    "flux": Tiny("Flux", "flux", FLUX, (4, 12, 20), conditioning=("pooled",)),
    "flux2": Tiny("Flux2", "flux2", FLUX2, (128, 6, 10)),
    "chroma": Tiny("Chroma", "chroma", CHROMA, PICTURE, conditioning=("pooled",)),
    "krea2": Tiny("Krea2", "krea2", KREA2, (16, 1, 12, 20), text=48, still=r"txtfusion\..*attn\.wo"),
    "qwen_image": Tiny("QwenImage", "qwen_image", QWEN, (16, 1, 12, 20)),
    "z_image": Tiny("ZImage", "lumina2", Z_IMAGE, PICTURE, still=r"refiner\..*attention\.out"),
    "lumina2": Tiny("Lumina2", "lumina2", LUMINA, PICTURE, conditioning=("mask",), still=r"refiner\..*attention\.out"),
    "sd3": Tiny("SD3", "sd3", SD3, PICTURE, conditioning=("pooled",)),
    "wan_t2v": Tiny("WAN21_T2V", "wan2.1", WAN, FILM, still=r"self_attn\.o\."),
    "wan_i2v": Tiny(
        "WAN21_I2V", "wan2.1", {**WAN, "model_type": "i2v", "in_dim": 36}, FILM, conditioning=("clip vision",),
        still=r"self_attn\.o\.",
    ),
    "cosmos2": Tiny("CosmosT2IPredict2", "cosmos_predict2", COSMOS, (16, 1, 12, 20), still=r"self_attn\.output_proj"),
    "anima": Tiny(
        "Anima", "anima", {**COSMOS, "crossattn_emb_channels": 1024}, (16, 1, 12, 20), text=1024,
        conditioning=("t5 ids",), still=r"self_attn\.(output_proj|o_proj)",
    ),
}  # fmt: skip


@cache
def model(
    family: str, still: bool = False, weights: torch.dtype = torch.float32, computed: torch.dtype = torch.float32
) -> comfy.model_patcher.ModelPatcher:
    """A MODEL of a family on the CPU, by weights and computations in these types, kept until `model.cache_clear()`."""
    tiny = FAMILIES[family]
    settings = {"image_model": tiny.image_model, **tiny.config}
    if hasattr(comfy.supported_models, "Flux2"):
        settings = {**LATER.get(tiny.image_model, {}), **settings}
    if tiny.image_model == "sd3":
        del settings["image_model"]
    config = getattr(comfy.supported_models, tiny.model)(settings)
    config.set_inference_dtype(weights, None if weights == computed else computed)
    made = config.get_model({}, "", device=torch.device("cpu"))
    if hasattr(made.diffusion_model, "llm_adapter"):
        del made.diffusion_model.llm_adapter.blocks[1:]  # six as wide as the real ones take their time
    fill(made.diffusion_model)
    if still:
        with torch.no_grad():
            for name, weight in made.diffusion_model.named_parameters():
                if re.search(tiny.still, name):
                    weight.zero_()
    if weights == torch.float32:
        made.diffusion_model.float()
    return comfy.model_patcher.ModelPatcher(made, torch.device("cpu"), torch.device("cpu"))


def fill(network: torch.nn.Module) -> None:
    """Give every weight, and every buffer that a checkpoint would fill, values that keep the activations' scale."""
    state = dict(network.named_parameters()) | {
        name: buffer for name, buffer in network.named_buffers() if name == "pos_embed"
    }
    with torch.no_grad():
        for name, value in state.items():
            noise = torch.randn(value.shape, generator=torch.Generator().manual_seed(zlib.crc32(name.encode())))
            if value.ndim >= 2 and name != "pos_embed":
                value.copy_(noise / value[0].numel() ** 0.5)
            else:
                is_scale = "norm" in name or name.endswith("scale")
                value.copy_((1.0 if is_scale else 0.0) + 0.1 * noise)


def conditioning(family: str, seed: int, columns=None, length: int = 37, batch: int = 1, **extra):
    """A conditioning of a family with a random text; `columns` are its hand tokens, None for unknown ones."""
    tiny, generator = FAMILIES[family], torch.Generator().manual_seed(seed)
    options: dict[str, Any] = {}
    rows = length - 4 if "t5 ids" in tiny.conditioning else length
    text = torch.randn(batch, rows, tiny.text, generator=generator)
    if "pooled" in tiny.conditioning:
        options["pooled_output"] = torch.randn(batch, 16, generator=generator)
    if "mask" in tiny.conditioning:
        options["attention_mask"] = torch.ones(batch, length, dtype=torch.long)
    if "clip vision" in tiny.conditioning:
        options["clip_vision_output"] = Seen()
    if "t5 ids" in tiny.conditioning:
        options["t5xxl_ids"] = torch.randint(3, 32000, (length,), generator=generator).int()
        options["t5xxl_weights"] = torch.ones(length)
    if columns is not None:
        options["sesahand_tokens"] = {"columns": tuple(columns), "length": rows}
    return [[text, {**options, **extra}]]


class Seen:
    """What a CLIP vision encoder puts out."""

    penultimate_hidden_states = torch.randn(1, 257, 1280, generator=torch.Generator().manual_seed(7))


@torch.inference_mode()
def sample(patcher, family, positive, negative, batch=1, cfg=3.0, steps=2, size=None, frames=None, **options):
    """Sample a MODEL of a family from fixed noise; `size` is another height and width of the latent."""
    shape = (batch, *FAMILIES[family].latent)
    shape = shape if size is None else (*shape[:-2], *size)
    shape = shape if frames is None else (*shape[:2], frames, *shape[3:])
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(3))
    return comfy.sample.sample(
        patcher, noise, steps, cfg, "euler", "simple", positive, negative, torch.zeros(shape), disable_pbar=True,
        seed=3, **options,
    )  # fmt: skip
