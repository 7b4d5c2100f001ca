"""Files of narrow transformers with random weights, which ComfyUI's own loaders take; for inside its process.

`recognise` lets the loaders take them: where a loader works widths out from a file, it is left alone; where it knows
one width only, it learns a narrow one. `write` writes the file that takes the place of a named one. The networks are
ComfyUI's own classes, those of the diffusion models with the settings of tiny_transformers.
"""

import dataclasses
import json
from pathlib import Path

import narrow_models
import tiny_transformers
import torch
from safetensors.torch import save_file

import comfy.ldm.flux.model
import comfy.ldm.lumina.controlnet
import comfy.ldm.lumina.model
import comfy.ldm.qwen_image.model
import comfy.ldm.wan.vae
import comfy.model_detection
import comfy.ops
import comfy.sd
import comfy.supported_models
import comfy.text_encoders.flux
import comfy.text_encoders.llama
import comfy.text_encoders.qwen_vl
import comfy.text_encoders.t5

WIDTH = tiny_transformers.QWEN["joint_attention_dim"]  # of all texts
T5 = {"d_model": WIDTH, "d_ff": 32, "d_kv": 16, "num_heads": 2, "num_layers": 2}
CLIP = {"num_hidden_layers": 2}
LANGUAGE = {"hidden_size": WIDTH, "intermediate_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4}
QWEN25, QWEN3 = {**LANGUAGE, "num_key_value_heads": 4}, {**LANGUAGE, "num_key_value_heads": 2}
# The loader counts its heads by the width of one.
FLUX = {
    **tiny_transformers.FLUX,
    **{"in_channels": 16, "out_channels": 16, "hidden_size": 128, "num_heads": 1, "axes_dim": [16, 56, 56]},
    **{"mlp_ratio": 4.0, "context_in_dim": WIDTH, "vec_in_dim": 768, "depth": 1, "depth_single_blocks": 1},
    "txt_ids_dims": [],
}
Z_IMAGE = {**tiny_transformers.Z_IMAGE, "in_channels": 16}
HEADS = {"dim": Z_IMAGE["dim"], "n_heads": Z_IMAGE["n_heads"], "n_kv_heads": Z_IMAGE["n_kv_heads"]}
# What the loader knows of the published one by its fifteen layers.
CONTROL = {"n_control_layers": 15, "additional_in_dim": 17, "refiner_control": True}


def recognise() -> None:
    """Let the loaders of this process take what `write` writes, and nothing as wide as the real ones."""
    _narrow(comfy.text_encoders.llama, "Qwen25_7BVLI_Config", **QWEN25)
    _narrow(comfy.text_encoders.llama, "Qwen3_4BConfig", **QWEN3)

    class Seeing(comfy.text_encoders.qwen_vl.Qwen2VLVisionTransformer):
        def __init__(self, hidden_size, **options):
            super().__init__(hidden_size=32, intermediate_size=32, num_heads=2, num_layers=1, **options)

    class Control(comfy.ldm.lumina.controlnet.ZImage_Control):
        def __init__(self, **options):
            super().__init__(**HEADS, **options)

    class TwoTexts(comfy.text_encoders.flux.FluxClipModel):
        def __init__(self, dtype_t5=None, device="cpu", dtype=None, model_options=None):
            narrow = {"clip_l_model_config": CLIP, "t5xxl_model_config": T5}
            super().__init__(dtype_t5, device, dtype, {**(model_options or {}), **narrow})

    comfy.text_encoders.qwen_vl.Qwen2VLVisionTransformer = Seeing
    comfy.ldm.lumina.controlnet.ZImage_Control = Control
    comfy.text_encoders.flux.FluxClipModel = TwoTexts
    _detect_text_encoders()
    _detect_diffusion_models()


def _narrow(module, name: str, **values) -> None:
    """Give a class of settings other defaults."""
    fields = [(key, type(value), value) for key, value in values.items()]
    setattr(module, name, dataclasses.make_dataclass(name, fields, bases=(getattr(module, name),)))


def _detect_text_encoders() -> None:
    known = comfy.sd.detect_te_model

    def detect(weights):
        if "encoder.block.0.layer.1.DenseReluDense.wi_1.weight" in weights:
            return comfy.sd.TEModel.T5_XXL
        if "model.layers.0.self_attn.q_norm.weight" in weights:
            return comfy.sd.TEModel.QWEN3_4B
        return known(weights)

    comfy.sd.detect_te_model = detect


def _detect_diffusion_models() -> None:
    known = comfy.model_detection.detect_unet_config

    def detect(weights, prefix, **options):
        found = known(weights, prefix, **options)
        if found and found["image_model"] == "qwen_image":
            return {**tiny_transformers.QWEN, **found}
        if found and found["image_model"] == "lumina2":
            return {**Z_IMAGE, **found}
        return found

    class NarrowZImage(comfy.supported_models.ZImage):
        unet_config = {"image_model": "lumina2", "dim": Z_IMAGE["dim"]}

    comfy.model_detection.detect_unet_config = detect
    # In front of Lumina 2, which takes every width.
    comfy.supported_models.models.insert(0, NarrowZImage)


def write(path: Path) -> None:
    """Write the narrow file of a named one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = next(kind for kind in WRITERS if path.name.startswith(kind))
    save_file({name: value.contiguous() for name, value in WRITERS[kind]().items()}, path)


def _filled(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The weights of a network, random."""
    tiny_transformers.fill(network)
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


MADE = {"dtype": torch.float32, "device": "cpu"}
OPERATIONS = comfy.ops.disable_weight_init


def _flux() -> dict:
    return _filled(comfy.ldm.flux.model.Flux(**FLUX, **MADE, operations=OPERATIONS))


def _flux_lora() -> dict:
    """What widens the first layer to the double, as those for control do."""
    shapes = {
        "img_in.lora_A.weight": (4, 2 * 4 * FLUX["in_channels"]),
        "img_in.lora_B.weight": (FLUX["hidden_size"], 4),
        "single_blocks.0.norm.key_norm.scale": (FLUX["hidden_size"],),
    }
    return narrow_models.random_weights(shapes) | {"single_blocks.0.norm.key_norm.scale": torch.ones(128)}


def _z_image() -> dict:
    return _filled(comfy.ldm.lumina.model.NextDiT(**Z_IMAGE, **MADE, operations=OPERATIONS))


def _z_image_control() -> dict:
    return _filled(comfy.ldm.lumina.controlnet.ZImage_Control(**CONTROL, **MADE, operations=OPERATIONS))


def _qwen_image() -> dict:
    settings = {**tiny_transformers.QWEN, "image_model": "qwen_image"}
    return _filled(comfy.ldm.qwen_image.model.QwenImageTransformer2DModel(**settings, **MADE, operations=OPERATIONS))


def _qwen25() -> dict:
    return _filled(comfy.text_encoders.llama.Qwen25_7BVLI({}, *MADE.values(), OPERATIONS))


def _qwen3() -> dict:
    return _filled(comfy.text_encoders.llama.Qwen3_4B({}, *MADE.values(), OPERATIONS))


def _t5() -> dict:
    folder = Path(comfy.text_encoders.flux.__file__).parent
    settings = json.loads((folder / "t5_config_xxl.json").read_text()) | T5
    return _filled(comfy.text_encoders.t5.T5(settings, *MADE.values(), OPERATIONS))


def _clip() -> dict:
    shapes = narrow_models.text_encoder_shapes(768, CLIP["num_hidden_layers"])
    return narrow_models.random_weights(shapes, dtype=torch.float8_e4m3fn)


def _autoencoder() -> dict:
    return narrow_models.random_weights(narrow_models.tiny_autoencoder_shapes(latent=16))


def _qwen_autoencoder() -> dict:
    settings = {"dim": 16, "z_dim": 16, "dim_mult": [1, 2, 4, 4], "num_res_blocks": 2, "attn_scales": []}
    return _filled(comfy.ldm.wan.vae.WanVAE(**settings, temperal_downsample=[False, True, True]))


WRITERS = {
    "flux1-depth-dev-lora": _flux_lora,
    "flux1-": _flux,
    "z_image": _z_image,
    "Z-Image-Turbo-Fun-Controlnet-Union": _z_image_control,
    "qwen_image_vae": _qwen_autoencoder,
    "qwen_image": _qwen_image,
    "qwen_2.5_vl": _qwen25,
    "qwen_3_4b": _qwen3,
    "t5xxl": _t5,
    "clip_l": _clip,
    "ae.": _autoencoder,
}
"""What writes each file, by how the published one's name begins."""
