"""Narrow Qwen-Image, Z-Image and FLUX for ComfyUI's own loaders: its classes, their files, with random weights.

A pack beside ours calls `prepare` in a server's process. Core's classes are made a few channels wide, and their weights
are written under the names that workflows load; for the reading, core's detection is told of these widths, which are no
published model's. Loaders, nodes, patches and samplers are core's.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from safetensors.torch import save_file

HEAD = 128
"""Channels of an attention head, as in the published models, so that their places in the picture are made as there."""
TEXT = 64
"""Channels of a language model."""
WIDTH, LAYERS = HEAD, 2
Z_WIDTH = 2 * HEAD
LANGUAGE_MODEL = {"hidden_size": TEXT, "intermediate_size": TEXT, "num_hidden_layers": 3}
QWEN = {"num_layers": LAYERS, "attention_head_dim": HEAD, "num_attention_heads": 1, "joint_attention_dim": TEXT}
Z_IMAGE = {
    **{"n_heads": Z_WIDTH // HEAD, "n_kv_heads": Z_WIDTH // HEAD, "axes_dims": [32, 48, 48], "rope_theta": 256.0},
    **{"axes_lens": [1536, 512, 512], "ffn_dim_multiplier": 8 / 3, "z_image_modulation": True, "time_scale": 1000.0},
    "pad_tokens_multiple": 32,
}
Z_CONTROL = {"dim": Z_WIDTH, "n_heads": Z_WIDTH // HEAD, "n_kv_heads": Z_WIDTH // HEAD}
FLUX = {
    **{"in_channels": 16, "out_channels": 16, "patch_size": 2, "vec_in_dim": 768},
    **{"context_in_dim": TEXT, "hidden_size": WIDTH, "mlp_ratio": 4.0, "num_heads": 1, "depth": LAYERS},
    **{"depth_single_blocks": LAYERS, "axes_dim": [16, 56, 56], "theta": 10000, "qkv_bias": True},
    **{"guidance_embed": True, "txt_ids_dims": []},
}
VAE = 4
"""Channels of the outermost layers of Qwen-Image's autoencoder, which encodes whole pictures of a megapixel."""
T5 = {"d_model": TEXT, "d_ff": TEXT, "d_kv": 16, "num_heads": 2, "num_layers": 2}


def _layer(sd: dict, name: str) -> torch.Size | None:
    return sd[name].shape if name in sd else None


def _detected(original: Callable) -> Callable:
    """Return core's detection of networks, which reads these widths from the weights, too."""

    @functools.wraps(original)
    def detect(state_dict, key_prefix, *args, **kwargs):
        config = original(state_dict, key_prefix, *args, **kwargs)
        if config and config.get("image_model") == "qwen_image":
            config |= {name: QWEN[name] for name in QWEN if name != "num_layers"}
        if config and config.get("image_model") == "lumina2":
            config |= Z_IMAGE
        # The current core works these out; the floor takes them for known.
        if config and config.get("image_model") == "flux":
            config |= {name: FLUX[name] for name in ("context_in_dim", "hidden_size", "num_heads")}
        return config

    return detect


def _detected_text(original: Callable, kinds) -> Callable:
    """Return core's detection of text encoders, which takes a narrow T5 and Qwen3 for the published ones."""

    @functools.wraps(original)
    def detect(sd):
        if _layer(sd, "encoder.block.0.layer.1.DenseReluDense.wi_1.weight") == (TEXT, TEXT):
            return kinds.T5_XXL
        if "model.layers.0.self_attn.q_norm.weight" in sd and _layer(sd, "model.norm.weight") == (TEXT,):
            return kinds.QWEN3_4B
        return original(sd)

    return detect


def recognise() -> None:
    """Let the standard loaders of this process take what `prepare` writes."""
    import comfy.ldm.wan.vae as wan_vae
    import comfy.model_detection
    import comfy.sd
    import comfy.supported_models as supported
    import comfy.text_encoders.llama as llama
    import comfy.text_encoders.qwen_vl as qwen_vl
    import comfy.text_encoders.sd3_clip as sd3_clip

    comfy.model_detection.detect_unet_config = _detected(comfy.model_detection.detect_unet_config)
    comfy.sd.detect_te_model = _detected_text(comfy.sd.detect_te_model, comfy.sd.TEModel)
    # Their heads keep the published size, by which core tells Qwen2.5 from others.
    heads = {"num_attention_heads": 4, "num_key_value_heads": 4}
    for name in {"Qwen25_7BVLI_Config", "Qwen3_4BConfig"} & vars(llama).keys():
        setattr(llama, name, functools.partial(getattr(llama, name), **LANGUAGE_MODEL, **heads))
    seeing = qwen_vl.Qwen2VLVisionTransformer

    def narrow_seeing(hidden_size, **kwargs):
        return seeing(hidden_size=TEXT, intermediate_size=TEXT, num_heads=2, num_layers=2, **kwargs)

    qwen_vl.Qwen2VLVisionTransformer = narrow_seeing

    class NarrowT5(sd3_clip.T5XXLModel):
        def __init__(self, *args, model_options=None, **kwargs):
            super().__init__(*args, model_options={**(model_options or {}), "t5xxl_model_config": T5}, **kwargs)

    sd3_clip.T5XXLModel = NarrowT5

    class NarrowVAE(wan_vae.WanVAE):
        def __init__(self, dim=0, **kwargs):
            super().__init__(dim=VAE, **kwargs)

    wan_vae.WanVAE = NarrowVAE

    if hasattr(supported, "ZImage"):
        import comfy.ldm.lumina.controlnet

        config = {**supported.ZImage.unet_config, "dim": Z_WIDTH}
        supported.models.insert(0, type("NarrowZImage", (supported.ZImage,), {"unet_config": config}))

        class NarrowControl(comfy.ldm.lumina.controlnet.ZImage_Control):
            def __init__(self, **kwargs):
                super().__init__(**{**Z_CONTROL, **kwargs})

        comfy.ldm.lumina.controlnet.ZImage_Control = NarrowControl


def _made(layers: Callable, **settings) -> torch.nn.Module:
    """Return one of core's networks on the CPU, in float32."""
    import comfy.ops

    return layers(**settings, dtype=torch.float32, device="cpu", operations=comfy.ops.manual_cast)


def qwen_image() -> torch.nn.Module:
    from comfy.ldm.qwen_image.model import QwenImageTransformer2DModel

    return _made(QwenImageTransformer2DModel, **QWEN)


def qwen_controlnet() -> torch.nn.Module:
    from comfy.ldm.qwen_image.controlnet import QwenImageControlNetModel

    return _made(QwenImageControlNetModel, **QWEN)


def qwen_text() -> torch.nn.Module:
    import comfy.text_encoders.llama as llama

    return _made(llama.Qwen25_7BVLI, config_dict={})


def qwen_vae() -> torch.nn.Module:
    from comfy.ldm.wan.vae import WanVAE

    shape = {"dim_mult": [1, 2, 4, 4], "num_res_blocks": 2, "temperal_downsample": [False, True, True]}
    return WanVAE(z_dim=16, **shape)


def z_image() -> torch.nn.Module:
    from comfy.ldm.lumina.model import NextDiT

    shape = {"patch_size": 2, "in_channels": 16, "dim": Z_WIDTH, "cap_feat_dim": TEXT, "qk_norm": True}
    return _made(NextDiT, **shape, n_layers=LAYERS, image_model="lumina2", **Z_IMAGE)


def z_image_text() -> torch.nn.Module:
    import comfy.text_encoders.llama as llama

    return _made(llama.Qwen3_4B, config_dict={})


def z_image_control() -> torch.nn.Module:
    import comfy.ldm.lumina.controlnet as controlnet

    shape = {"n_control_layers": 15, "additional_in_dim": 17, "refiner_control": True}
    return _made(controlnet.ZImage_Control, **shape)


def flux() -> torch.nn.Module:
    from comfy.ldm.flux.model import Flux, FluxParams

    known = {field.name for field in dataclasses.fields(FluxParams)}
    return _made(Flux, **{name: value for name, value in FLUX.items() if name in known})


def flux_text() -> torch.nn.Module:
    from comfy.text_encoders.t5 import T5 as Encoder

    settings = {"vocab_size": 32128, "is_gated_act": True, "dense_act_fn": "gelu_pytorch_tanh", "model_type": "t5"}
    return _made(Encoder, config_dict={**settings, **T5, "relative_attention_num_buckets": 32})


def flux_vae() -> torch.nn.Module:
    from comfy.taesd.taesd import TAESD

    return TAESD(latent_channels=16)


def clip_l() -> dict[str, tuple[int, ...]]:
    from .narrow_models import text_encoder_shapes

    return text_encoder_shapes(layers=12)


def flux_depth_lora() -> dict[str, tuple[int, ...]]:
    """Return the shapes of FLUX's depth control, which widens the layer that takes the picture in to twice."""
    inside, rank = 4 * FLUX["in_channels"], 4
    return {
        "img_in.lora_A.weight": (rank, 2 * inside),
        "img_in.lora_B.weight": (WIDTH, rank),
        "img_in.lora_B.bias": (WIDTH,),
        "single_blocks.0.norm.key_norm.scale": (HEAD,),
    }


FILES = {
    "qwen_image_fp8_e4m3fn": qwen_image,
    "qwen_image_edit_2511_fp8mixed": qwen_image,
    "qwen_2.5_vl_7b_fp8_scaled": qwen_text,
    "qwen_image_vae": qwen_vae,
    "Qwen-Image-InstantX-ControlNet-Union": qwen_controlnet,
    "z_image_turbo_bf16": z_image,
    "qwen_3_4b": z_image_text,
    "ae": flux_vae,
    "Z-Image-Turbo-Fun-Controlnet-Union-2.1-2602-8steps": z_image_control,
    "flux1-dev-fp8": flux,
    "clip_l": clip_l,
    "t5xxl_fp8_e4m3fn_scaled": flux_text,
    "flux1-depth-dev-lora": flux_depth_lora,
}
"""What is written for a file that workflows load, by its name: a network, or the shapes of weights."""


def write(name: str, path: Path) -> None:
    """Write random weights for a file that workflows load."""
    from .narrow_models import random_weights

    made = FILES[Path(name).stem]()
    if isinstance(made, torch.nn.Module):
        made = {key: tuple(value.shape) for key, value in made.state_dict().items()}
    weights = random_weights(made, dtype=torch.bfloat16)
    # Norms that scale pictures have more than one axis.
    weights |= {key: torch.ones_like(value) for key, value in weights.items() if key.endswith(".gamma")}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(weights, path)


def prepare(models: Iterable[dict]) -> None:
    """Write the files that workflows link to, as narrow models, and let this process's loaders take them."""
    import folder_paths

    recognise()
    for model in models:
        write(model["name"], Path(folder_paths.models_dir) / model["directory"] / model["name"])
