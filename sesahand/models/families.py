"""What is known of the families of base models: data alone, for every host that attaches the alignments to one."""

from dataclasses import dataclass

LATENT_PIXELS = 8
"""Pixels along one side of a cell of the latent picture, in all families of U-Nets."""

BLOCKS = {"down_blocks": "input", "mid_block": "middle", "up_blocks": "output"}
"""The thirds of a U-Net as the attention bias names them, by diffusers' names for them."""

TEXT_ENCODERS = {"l": "clip_l", "g": "clip_g", "h": "clip_h"}
"""CLIP's text encoders: the keys of their token lists in ComfyUI, and where its tokenizers keep each."""


@dataclass(frozen=True)
class Family:
    """One family.

    Attributes:
        name: What it is called in messages.
        text_width: Channels of the text that its cross-attention reads; None where text and picture attend jointly.
        text_encoders: Keys of `TEXT_ENCODERS`.
        is_generated_with: Whether `sesahand generate` makes pictures with it.
        folders: Parts of diffusers folders that it alone has.
        prefixes: Beginnings of names in checkpoint files that it alone has.
    """

    name: str
    text_width: int | None = None
    text_encoders: tuple[str, ...] = ()
    is_generated_with: bool = False
    folders: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()


FAMILIES = {
    "small": Family("SesaHand's small model", 128, ("l",), True),
    "sd15": Family("SD1.5", 768, ("l",), True),
    "sd2": Family("SD2", 1024, ("h",), True),
    "sdxl": Family("SDXL", 2048, ("l", "g"), folders=("text_encoder_2",), prefixes=("conditioner.embedders.",)),
    "sd3": Family("SD3", prefixes=("model.diffusion_model.joint_blocks.",)),
    "flux": Family("Flux", prefixes=("model.diffusion_model.double_blocks.", "double_blocks.")),
    "transformer": Family("a transformer model such as SD3 or Flux", folders=("transformer",)),
}


def name_of_width(text_width: int | None) -> str | None:
    """Return the name of the family whose cross-attention reads text of so many channels, or None."""
    return next((f.name for f in FAMILIES.values() if text_width and f.text_width == text_width), None)


def foreign_folders() -> dict[str, str]:
    """Return the names of families that `sesahand generate` refuses, by the part of a diffusers folder that tells."""
    return {folder: f.name for f in FAMILIES.values() if not f.is_generated_with for folder in f.folders}


def foreign_prefixes() -> dict[str, str]:
    """Return the names of families that `sesahand generate` refuses, by beginnings of names in their checkpoints."""
    return {prefix: f.name for f in FAMILIES.values() if not f.is_generated_with for prefix in f.prefixes}


@dataclass(frozen=True)
class TextAttention:
    """Where the text stands in the attention of a network that is no U-Net.

    Attributes:
        families: What it is called in messages.
        blocks: Its lists of blocks; each block attends to the text once.
        patch: Its attribute that tells how many cells of the latent a patch has along a side, or along each axis.
        sequence: "joint" where text and picture are one sequence, text first; "padded" where parts of that sequence
            are filled up to whole multiples; "cross" where the picture's queries meet keys of the text alone.
        is_text_last: Whether padding in front of the text moves its rows back.
        references: When pictures for reference join the sequence: "always", "if asked" or "never".
        untried: Models that are sampled with this network and have not been tried.
    """

    families: str
    blocks: tuple[str, ...]
    patch: str
    sequence: str = "joint"
    is_text_last: bool = False
    references: str = "never"
    untried: tuple[str, ...] = ()


TEXT_ATTENTION = {
    "comfy.ldm.flux.model.Flux": TextAttention(
        "Flux",
        ("double_blocks", "single_blocks"),
        "patch_size",
        is_text_last=True,
        references="always",
        untried=("LongCatImage",),
    ),
    "comfy.ldm.chroma.model.Chroma": TextAttention("Chroma", ("double_blocks", "single_blocks"), "patch_size"),
    "comfy.ldm.qwen_image.model.QwenImageTransformer2DModel": TextAttention(
        "Qwen-Image", ("transformer_blocks",), "patch_size", references="always"
    ),
    "comfy.ldm.krea2.model.SingleStreamDiT": TextAttention("Krea 2", ("blocks",), "patch", references="if asked"),
    "comfy.ldm.modules.diffusionmodules.mmdit.OpenAISignatureMMDITWrapper": TextAttention(
        "SD3", ("joint_blocks",), "patch_size"
    ),
    "comfy.ldm.lumina.model.NextDiT": TextAttention("Z-Image and Lumina 2", ("layers",), "patch_size", "padded"),
    "comfy.ldm.wan.model.WanModel": TextAttention("Wan", ("blocks",), "patch_size", "cross"),
    "comfy.ldm.cosmos.predict2.MiniTrainDIT": TextAttention("Cosmos-Predict2", ("blocks",), "patch_spatial", "cross"),
    "comfy.ldm.anima.model.Anima": TextAttention("Anima", ("blocks",), "patch_spatial", "cross"),
}
"""Networks beside U-Nets whose attention to the text is known, by the full names of their classes in ComfyUI.

A subclass is another network: it may add keys or queries.
"""


@dataclass(frozen=True)
class TextRows:
    """What the rows of a conditioning are made of, where a T5 or a language model encodes the text.

    Attributes:
        families: The families that have such a text encoder.
        tokens: Key of the token list whose tokens the rows are.
        rows: "all" where each token of the list is a row; "end" where the encoder may cut the list or put pictures into
            it, in front of the prompt; "model" where the network makes its own rows of these tokens.
        clip: Keys of CLIP's token lists whose columns stand in front of those rows.
        reads_pictures: Whether pictures are encoded with the text, by nodes that ComfyUI has for it.
    """

    families: str
    tokens: str
    rows: str = "all"
    clip: tuple[str, ...] = ()
    reads_pictures: bool = False


TEXT_ROWS = {
    ("l", "t5xxl"): TextRows("Flux", "t5xxl"),
    ("t5xxl",): TextRows("Chroma and Cosmos-Predict2", "t5xxl"),
    ("g", "l", "t5xxl"): TextRows("SD3", "t5xxl", clip=("l", "g")),
    ("umt5xxl",): TextRows("Wan", "umt5xxl"),
    ("gemma2_2b",): TextRows("Lumina 2", "gemma2_2b"),
    ("mistral3_24b",): TextRows("Flux.2", "mistral3_24b"),
    ("qwen3_4b",): TextRows("Z-Image and Flux.2 Klein", "qwen3_4b"),
    ("qwen3_8b",): TextRows("Flux.2 Klein", "qwen3_8b"),
    ("qwen25_7b",): TextRows("Qwen-Image", "qwen25_7b", "end", reads_pictures=True),
    ("qwen3vl_4b",): TextRows("Krea 2", "qwen3vl_4b", "end"),
    ("qwen3_06b", "t5xxl"): TextRows("Anima", "t5xxl", "model"),
}
"""Text encoders beside CLIP's, by the keys of the token lists that ComfyUI's tokenizer makes, sorted."""
