"""ControlNet weight files: the control part of whatever holds one, and whether it was trained with fusion."""

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from ..errors import InvalidFileError
from ..files.checkpoint_pickle import read_checkpoint_tensors
from ..files.reading import open_regular
from ..files.weights import open_weights
from ..fusion.settings import FusionSettings
from .families import name_of_width

CONTROL_PREFIX = "control_model."
UNET_PREFIX = "model.diffusion_model."
LDM_MARK = "zero_convs.0.0.weight"
DIFFUSERS_MARK = "controlnet_cond_embedding.conv_in.weight"

# A zip archive, as torch writes them, or a pickle, as it did before.
TORCH_STARTS = (b"PK", b"\x80")

OTHER_KINDS = {
    "lora_controlnet": "a Control-LoRA",
    "difference": "a difference ControlNet, which needs its base model",
    "controlnet_blocks.0.weight": "a ControlNet of a transformer model (SD3, Flux, Qwen-Image)",
    "controlnet_blocks.0.linear.weight": "a ControlNet of a transformer model (Flux)",
    "after_proj_list.18.bias": "a ControlNet of a transformer model (Hunyuan-DiT)",
    "body.0.block1.weight": "a T2I-Adapter",
    "adapter.body.0.resnets.0.block1.weight": "a T2I-Adapter",
}


@dataclass(frozen=True)
class ControlNetWeights:
    """The weights of a Stable Diffusion ControlNet, as they came out of a file.

    Attributes:
        state: Parameters in ldm or diffusers names, without a prefix.
        layout: "ldm" or "diffusers".
        settings: The structural fusion they were trained with, or None.
        has_unet: Whether the file holds a whole model with a U-Net beside the ControlNet.
        unreadable_mark: Why the file's word on structural fusion cannot be read, or "". The weights are usable.
    """

    state: dict[str, Tensor]
    layout: str
    settings: FusionSettings | None
    has_unet: bool
    unreadable_mark: str = ""

    @property
    def family(self) -> str:
        """ "SD1.5", "SD2" or "SDXL", by the width of the text that the cross-attention takes."""
        return name_of_width(self.text_width) or f"unknown (text width {self.text_width})"

    @property
    def text_width(self) -> int | None:
        """Width of the text that the cross-attention takes, or None if there is none."""
        keys = (value for name, value in self.state.items() if name.endswith("attn2.to_k.weight"))
        return next((value.shape[1] for value in keys if value.ndim > 1), None)

    def describe(self) -> str:
        """What the file is, for a text output."""
        parameters = sum(math.prod(value.shape) for value in self.state.values())
        sizes: Counter[str] = Counter()
        for value in self.state.values():
            sizes[str(value.dtype).removeprefix("torch.")] += value.numel()
        dtypes = " and ".join(dtype for dtype, _ in sizes.most_common())
        lines = [f"{self.family} ControlNet, {parameters / 1e6:.1f} M parameters, {dtypes}, {self.layout} names."]
        if self.has_unet:
            lines.append(
                "The file also holds a U-Net, which this node leaves alone: Load Checkpoint takes it as the MODEL."
            )
        if self.unreadable_mark:
            lines.append(self.unreadable_mark)
        elif self.settings is None:
            lines.append("Not marked as trained with structural fusion: fuse it in blend mode.")
        else:
            lines.append(f"Trained with structural fusion: {self.settings.describe()}.")
        return "\n".join(lines)


def read_controlnet_weights(path: str | Path) -> ControlNetWeights:
    """Read a ControlNet of SD1.5, SD2 or SDXL from a file, and nothing else that may be in it.

    Args:
        path: `.safetensors` in ldm or diffusers names, alone or inside a full checkpoint (`control_model.*`), or a
            torch file (`.ckpt`, `.pth`, `.pt`, `.bin`) that holds nothing but data.

    Raises:
        InvalidFileError: if the file is damaged or holds something else.
        UnsafeFileError: if reading it would mean to run code from it.
    """
    path = Path(path)
    if path.suffix.lower() in (".safetensors", ".sft"):
        return _read_safetensors(path)
    state = _load_torch_file(path)
    layout, prefix = _recognise(state, path)
    return ControlNetWeights(
        {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)},
        layout,
        settings=None,
        has_unet=any(name.startswith(UNET_PREFIX) for name in state),
    )


def _read_safetensors(path: Path) -> ControlNetWeights:
    with open_weights(path) as file:
        names = list(file.keys())
        layout, prefix = _recognise(names, path)
        # A full checkpoint is several gigabytes, of which only the control part is wanted.
        state = {name.removeprefix(prefix): file.get_tensor(name) for name in names if name.startswith(prefix)}
        metadata = file.metadata()
    settings, unreadable = None, ""
    try:
        settings = FusionSettings.from_metadata(metadata)
    except InvalidFileError as error:
        # Plain use does not need the mark; whoever wants to follow it is told.
        unreadable = str(error)
    has_unet = any(name.startswith(UNET_PREFIX) for name in names)
    return ControlNetWeights(state, layout, settings, has_unet, unreadable)


def _load_torch_file(path: Path) -> dict[str, Tensor]:
    _check_start(path)
    return read_checkpoint_tensors(path)


def _check_start(path: Path) -> None:
    """Raise an InvalidFileError for what is no torch file at all, a download's error page for example."""
    try:
        with open_regular(path) as file:
            start = file.read(64)
    except OSError as error:
        raise InvalidFileError(
            f"{path.name} cannot be read ({error.strerror}). Check that it is there and that you may read it."
        ) from error
    if start.startswith(TORCH_STARTS):
        return
    if not start:
        raise InvalidFileError(f"{path.name} is empty. Copy it again.")
    if start[8:10] == b'{"':
        raise InvalidFileError(f"{path.name} is a safetensors file under another name. Rename it to .safetensors.")
    what = "a web page" if start.lstrip().startswith(b"<") else f"something that starts with {start[:8]!r}"
    raise InvalidFileError(f"{path.name} is no torch file but {what}. Download or copy it again.")


def _recognise(names, path: Path) -> tuple[str, str]:
    """The naming of a ControlNet's weights and the prefix they stand under."""
    for mark, kind in OTHER_KINDS.items():
        if mark in names:
            raise InvalidFileError(
                f"{path.name} is {kind}. Structural fusion needs a ControlNet of SD1.5 or SDXL; "
                "load this file with ComfyUI's own ControlNet nodes."
            )
    if DIFFUSERS_MARK in names:
        return "diffusers", ""
    for prefix in ("", CONTROL_PREFIX):
        if prefix + LDM_MARK in names:
            return "ldm", prefix
    some = ", ".join(sorted(names)[:3]) or "nothing"
    raise InvalidFileError(
        f"{path.name} holds no ControlNet of SD1.5 or SDXL: neither {LDM_MARK} nor {CONTROL_PREFIX}{LDM_MARK} nor "
        f"{DIFFUSERS_MARK} is in it (it starts with {some}). Choose a ControlNet file from models/controlnet."
    )
