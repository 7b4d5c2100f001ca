"""Random-weight Stable Diffusion models for tests: the real layouts, fewer channels, no download.

Two kinds:

- `write_checkpoint` and `write_controlnet` write files that ComfyUI's own Load Checkpoint and Load ControlNet take
  untouched. Their detection asks for 320 model channels, so the channel multipliers are narrowed instead. Needs no
  ComfyUI, so the process that starts a server can write them.
- `model`, `clip` and `controlnet` build MODEL, CLIP and CONTROL_NET inside ComfyUI's process, 64 channels wide by
  default, with SD1.5's or SDXL's levels, depths and context widths. They go through ComfyUI's own loading functions.

Weights depend on nothing but the key's name, so that every process makes the same model.
"""

import math
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save_file

HINT_CHANNELS = (16, 16, 32, 32, 96, 96, 256)
VOCABULARY = 49408


@dataclass(frozen=True)
class Layout:
    """The shape of a UNet as Stable Diffusion names it; `depths` counts transformers beside each residual block."""

    width: int
    multipliers: tuple[int, ...]
    depths: tuple[int, ...]
    middle_depth: int
    context: int
    linear: bool
    vector: int | None
    res_blocks: int = 2


SD15 = Layout(320, (1, 2, 4, 4), (1, 1, 1, 0), 1, 768, False, None)
SDXL = Layout(320, (1, 2, 4), (0, 2, 10), 10, 2048, True, 2816)

# What the standard loaders take as SD1.5: 320 channels at every level instead of up to 1280.
THIN_SD15 = replace(SD15, multipliers=(1, 1, 1, 1))

# In-process models. SDXL's ten transformer blocks are two here: their number makes it slow, it does not make it SDXL.
NARROW = {
    "sd15": replace(SD15, width=64),
    "sdxl": replace(SDXL, width=64, depths=(0, 2, 2), middle_depth=2),
}
# In files, SDXL's text encoders of 12 and 32 layers have so many.
SDXL_TEXT_LAYERS = 3


class Shapes(dict):
    """Parameter names and shapes, gathered layer by layer."""

    def conv(self, name, inputs, outputs, kernel=3, bias=True):
        self[f"{name}.weight"] = (outputs, inputs, kernel, kernel)
        if bias:
            self[f"{name}.bias"] = (outputs,)

    def linear(self, name, inputs, outputs, bias=True):
        self[f"{name}.weight"] = (outputs, inputs)
        if bias:
            self[f"{name}.bias"] = (outputs,)

    def norm(self, name, channels):
        self[f"{name}.weight"] = (channels,)
        self[f"{name}.bias"] = (channels,)

    def res_block(self, name, inputs, outputs, embedding):
        self.norm(f"{name}.in_layers.0", inputs)
        self.conv(f"{name}.in_layers.2", inputs, outputs)
        self.linear(f"{name}.emb_layers.1", embedding, outputs)
        self.norm(f"{name}.out_layers.0", outputs)
        self.conv(f"{name}.out_layers.3", outputs, outputs)
        if inputs != outputs:
            self.conv(f"{name}.skip_connection", inputs, outputs, kernel=1)

    def transformer(self, name, channels, depth, layout):
        self.norm(f"{name}.norm", channels)
        for projection in ("proj_in", "proj_out"):
            if layout.linear:
                self.linear(f"{name}.{projection}", channels, channels)
            else:
                self.conv(f"{name}.{projection}", channels, channels, kernel=1)
        for block in (f"{name}.transformer_blocks.{k}" for k in range(depth)):
            for attention, source in (("attn1", channels), ("attn2", layout.context)):
                self.linear(f"{block}.{attention}.to_q", channels, channels, bias=False)
                self.linear(f"{block}.{attention}.to_k", source, channels, bias=False)
                self.linear(f"{block}.{attention}.to_v", source, channels, bias=False)
                self.linear(f"{block}.{attention}.to_out.0", channels, channels)
            self.linear(f"{block}.ff.net.0.proj", channels, channels * 8)
            self.linear(f"{block}.ff.net.2", channels * 4, channels)
            for norm in ("norm1", "norm2", "norm3"):
                self.norm(f"{block}.{norm}", channels)


def encoder_shapes(layout: Layout) -> tuple[Shapes, list[int]]:
    """Return the shapes of embeddings, input and middle blocks, and the channels that each input block hands on."""
    shapes, width, embedding = Shapes(), layout.width, layout.width * 4
    shapes.linear("time_embed.0", width, embedding)
    shapes.linear("time_embed.2", embedding, embedding)
    if layout.vector:
        shapes.linear("label_emb.0.0", layout.vector, embedding)
        shapes.linear("label_emb.0.2", embedding, embedding)
    shapes.conv("input_blocks.0.0", 4, width)
    channels, skips = width, [width]
    for level, multiplier in enumerate(layout.multipliers):
        for _ in range(layout.res_blocks):
            name = f"input_blocks.{len(skips)}"
            shapes.res_block(f"{name}.0", channels, width * multiplier, embedding)
            channels = width * multiplier
            if layout.depths[level]:
                shapes.transformer(f"{name}.1", channels, layout.depths[level], layout)
            skips.append(channels)
        if level < len(layout.multipliers) - 1:
            shapes.conv(f"input_blocks.{len(skips)}.0.op", channels, channels)
            skips.append(channels)
    shapes.res_block("middle_block.0", channels, channels, embedding)
    shapes.transformer("middle_block.1", channels, layout.middle_depth, layout)
    shapes.res_block("middle_block.2", channels, channels, embedding)
    return shapes, skips


def unet_shapes(layout: Layout) -> Shapes:
    """Return the parameters of a UNet in the original (ldm) naming."""
    shapes, skips = encoder_shapes(layout)
    channels, index = skips[-1], 0
    for level in reversed(range(len(layout.multipliers))):
        for block in range(layout.res_blocks + 1):
            name, wide = f"output_blocks.{index}", layout.width * layout.multipliers[level]
            shapes.res_block(f"{name}.0", channels + skips.pop(), wide, layout.width * 4)
            channels, index = wide, index + 1
            if layout.depths[level]:
                shapes.transformer(f"{name}.1", channels, layout.depths[level], layout)
            if level and block == layout.res_blocks:
                shapes.conv(f"{name}.{2 if layout.depths[level] else 1}.conv", channels, channels)
    shapes.norm("out.0", channels)
    shapes.conv("out.2", channels, 4)
    return shapes


def controlnet_shapes(layout: Layout) -> Shapes:
    """Return the parameters of a ControlNet in the original (cldm) naming."""
    shapes, skips = encoder_shapes(layout)
    channels = 3
    for index, wide in enumerate((*HINT_CHANNELS, layout.width)):
        shapes.conv(f"input_hint_block.{2 * index}", channels, wide)
        channels = wide
    for index, wide in enumerate(skips):
        shapes.conv(f"zero_convs.{index}.0", wide, wide, kernel=1)
    shapes.conv("middle_block_out.0", skips[-1], skips[-1], kernel=1)
    return shapes


def text_encoder_shapes(width: int = 768, layers: int = 12) -> Shapes:
    """Return the parameters of a CLIP text encoder as transformers names them."""
    shapes = Shapes()
    shapes["text_model.embeddings.token_embedding.weight"] = (VOCABULARY, width)
    shapes["text_model.embeddings.position_embedding.weight"] = (77, width)
    for layer in (f"text_model.encoder.layers.{k}" for k in range(layers)):
        shapes.norm(f"{layer}.layer_norm1", width)
        shapes.norm(f"{layer}.layer_norm2", width)
        for projection in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes.linear(f"{layer}.self_attn.{projection}", width, width)
        shapes.linear(f"{layer}.mlp.fc1", width, width * 4)
        shapes.linear(f"{layer}.mlp.fc2", width * 4, width)
    shapes.norm("text_model.final_layer_norm", width)
    shapes.linear("text_projection", width, width, bias=False)
    return shapes


def tiny_autoencoder_shapes(latent: int = 4) -> Shapes:
    """Return the parameters of TAESD, which loaders take for a VAE of `latent` channels; it decodes in an instant."""
    encoder = ["image", "block", *(["stride"] + ["block"] * 3) * 3, "latent"]
    decoder = [None, "unlatent", None, *(["block"] * 3 + [None, "stride"]) * 3, "block", "picture"]
    ends = {"image": (3, 64), "latent": (64, latent), "unlatent": (latent, 64), "picture": (64, 3)}
    shapes = Shapes()
    for part, layers in (("taesd_encoder", encoder), ("taesd_decoder", decoder)):
        for index, layer in enumerate(layers):
            name = f"{part}.{index}"
            if layer == "block":
                for k in (0, 2, 4):
                    shapes.conv(f"{name}.conv.{k}", 64, 64)
            elif layer == "stride":
                shapes.conv(name, 64, 64, bias=False)
            elif layer:
                shapes.conv(name, *ends[layer])
    shapes["vae_scale"] = shapes["vae_shift"] = ()
    return shapes


def random_weights(shapes: dict, prefix: str = "", dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    """Fill each shape with values that keep the activations' scale: neither silent nor exploding."""
    weights = {}
    for name, shape in shapes.items():
        if name in ("vae_scale", "vae_shift"):
            value = torch.tensor(1.0 if name == "vae_scale" else 0.0)
        elif len(shape) < 2:
            value = torch.full(shape, 1.0 if name.endswith("weight") else 0.0)
        else:
            generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
            scale = 0.02 if "embedding" in name else 1 / math.sqrt(math.prod(shape[1:]))
            value = torch.empty(shape).uniform_(-scale * 3**0.5, scale * 3**0.5, generator=generator)
        weights[prefix + name] = value.to(dtype)
    return weights


def write_checkpoint(path: Path, layout: Layout = THIN_SD15) -> Path:
    """Write an SD1.5-shaped checkpoint: UNet and tiny VAE in half precision, CLIP in eight bits to spare the disk."""
    weights = random_weights(unet_shapes(layout), "model.diffusion_model.", torch.float16)
    text = text_encoder_shapes()
    text.pop("text_projection.weight")  # SD1.5's checkpoints have none
    weights |= random_weights(text, "cond_stage_model.transformer.", torch.float8_e4m3fn)
    weights |= random_weights(tiny_autoencoder_shapes(), "first_stage_model.", torch.float16)
    return save(weights, path)


def write_controlnet(path: Path, layout: Layout = THIN_SD15) -> Path:
    """Write an SD1.5-shaped ControlNet whose "zero" convolutions are not zero, so that its hint has an effect."""
    return save(random_weights(controlnet_shapes(layout), "control_model.", torch.float16), path)


def save(weights: dict[str, torch.Tensor], path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(weights, path)
    return path


def write_sdxl_checkpoint(path: Path) -> Path:
    """Write a checkpoint that ComfyUI takes for SDXL after `recognise_sdxl`, with three layers of each text encoder."""
    weights = random_weights(unet_shapes(NARROW["sdxl"]), "model.diffusion_model.", torch.float16)
    small = text_encoder_shapes(768, SDXL_TEXT_LAYERS)
    small.pop("text_projection.weight")
    weights |= random_weights(small, "conditioner.embedders.0.transformer.", torch.float8_e4m3fn)
    large = random_weights(text_encoder_shapes(1280, SDXL_TEXT_LAYERS), dtype=torch.float8_e4m3fn)
    for name, value in large.items():
        prefix = "transformer." if name.startswith("text_model.") else ""
        weights[f"conditioner.embedders.1.model.{prefix}{name}"] = value
    weights |= random_weights(tiny_autoencoder_shapes(), "first_stage_model.", torch.float16)
    return save(weights, path)


def recognise_sdxl() -> None:
    """Let the standard loaders of this process take `write_sdxl_checkpoint` and its ControlNets for SDXL's."""
    import comfy.sdxl_clip

    class FewLayers(comfy.sdxl_clip.SDXLClipModel):
        def __init__(self, device="cpu", dtype=None, model_options=None):
            config = {"num_hidden_layers": SDXL_TEXT_LAYERS}
            options = {"clip_l_model_config": config, "clip_g_model_config": config}
            super().__init__(device=device, dtype=dtype, model_options={**(model_options or {}), **options})

    comfy.sdxl_clip.SDXLClipModel = FewLayers
    recognise("sdxl", NARROW["sdxl"])


def recognise(family: str, layout: Layout) -> type:
    """Let ComfyUI's loaders recognise `layout` as its model `family`, and return what was added to its list."""
    import comfy.supported_models as supported

    base = {"sd15": supported.SD15, "sdxl": supported.SDXL}[family]
    config = {**base.unet_config, "model_channels": layout.width}
    if "transformer_depth" in config:
        config["transformer_depth"] = [depth for depth in layout.depths for _ in range(layout.res_blocks)]
    narrow = type(f"Narrow{base.__name__}", (base,), {"unet_config": config})
    supported.models.append(narrow)
    return narrow


@contextmanager
def recognised(family: str, layout: Layout):
    """Let ComfyUI's loaders recognise `layout` as its model `family` for as long as the block runs."""
    import comfy.supported_models as supported

    narrow = recognise(family, layout)
    try:
        yield
    finally:
        supported.models.remove(narrow)


def model(family: str = "sd15", layout: Layout | None = None):
    """Return a MODEL (a ModelPatcher in float32 on the CPU) of `family` "sd15" or "sdxl", 64 channels wide."""
    import comfy.sd

    layout = layout or NARROW[family]
    with recognised(family, layout):
        return comfy.sd.load_diffusion_model_state_dict(random_weights(unet_shapes(layout)))


def controlnet(family: str = "sd15", layout: Layout | None = None):
    """Return a CONTROL_NET of the same family and width as `model` makes."""
    import comfy.controlnet

    layout = layout or NARROW[family]
    with recognised(family, layout):
        return comfy.controlnet.load_controlnet_state_dict(random_weights(controlnet_shapes(layout)))


def clip(family: str = "sd15", layers: int = 3):
    """Return a CLIP with the family's real tokenizer and widths and only `layers` layers of each text encoder."""
    import comfy.sd
    import comfy.sd1_clip
    import comfy.sdxl_clip
    from comfy.supported_models_base import ClipTarget

    options = {
        "clip_l_model_config": {"num_hidden_layers": layers},
        "clip_g_model_config": {"num_hidden_layers": layers},
    }
    if family == "sd15":
        target = ClipTarget(comfy.sd1_clip.SD1Tokenizer, comfy.sd1_clip.SD1ClipModel)
        weights = random_weights(text_encoder_shapes(768, layers), "clip_l.transformer.")
    else:
        target = ClipTarget(comfy.sdxl_clip.SDXLTokenizer, comfy.sdxl_clip.SDXLClipModel)
        weights = random_weights(text_encoder_shapes(768, layers), "clip_l.transformer.")
        weights |= random_weights(text_encoder_shapes(1280, layers), "clip_g.transformer.")
    encoder = comfy.sd.CLIP(target, model_options=options)
    missing, unexpected = encoder.cond_stage_model.load_state_dict(weights, strict=False)
    unnamed = [name for name in missing if not name.endswith("logit_scale")]
    if unnamed or unexpected:
        raise ValueError(f"The narrow {family} CLIP lacks {unnamed} and does not know {unexpected}.")
    return encoder
