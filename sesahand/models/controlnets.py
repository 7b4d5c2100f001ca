"""ControlNets for diffusers out of local files, with the map they were trained on and the fusion they want."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..errors import InvalidFileError, SesaHandError, quote
from ..files.model_folders import check_complete, check_model_folder, check_size
from ..files.panics import refusing_panics
from ..files.reading import parse_json
from ..files.weights import open_weights
from ..fusion.settings import FusionSettings
from ..render.maps import ALL_MAPS
from .base import BaseModel
from .controlnet_files import read_controlnet_weights
from .families import name_of_width
from .ldm_names import load_ldm
from .small.model_files import CONTROLS, FACTS, HELD, control_path, load_part

if TYPE_CHECKING:
    from diffusers import ControlNetModel

WEIGHTS = "diffusion_pytorch_model"
# Words in the names of ControlNets and the map that they were trained on, ours by their own names first.
NAMED_MAPS = {
    "mesh": "mesh",
    "depth": "depth",
    "normalbae": "normal",
    "normal": "normal",
    "openpose": "keypoints",
    "pose": "keypoints",
    "keypoints": "keypoints",
    "parts": "parts",
}
DEFAULT_MAP = "depth"
MINI_MAP = "mesh"


@dataclass(frozen=True)
class LoadedControlNet:
    """A ControlNet that fits a base.

    Attributes:
        name: What it is called in messages and records.
        path: Where it was loaded from.
        model: diffusers' network.
        fusion: The structural fusion it was trained with, or None.
        map: The condition map it takes, a name of `ALL_MAPS`.
    """

    name: str
    path: Path
    model: ControlNetModel
    fusion: FusionSettings | None
    map: str


def load_controlnet(
    controlnet: str | Path | None,
    base: BaseModel,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> LoadedControlNet:
    """Load a ControlNet for a base from local files.

    Args:
        controlnet: A diffusers folder, or one file in ldm or diffusers names, alone or in a checkpoint. For the small
            model also "sf", "plain" or "held", which are beside its file; None is "sf" there.
        base: What it is to steer.
        device: Where it is to run.
        dtype: Of the weights.

    Raises:
        InvalidFileError: If there is none, it is damaged, or it belongs to another base.
        SesaHandError: If none is named for a base that has none of its own.
    """
    path = controlnet_path(controlnet, base)
    if path.is_dir():
        model, metadata = _from_folder(path)
        fusion = FusionSettings.from_metadata(metadata)
        check_family(path.name, model.config["cross_attention_dim"], base)
        widths = tuple(model.config["block_out_channels"])
        if widths != tuple(base.unet.config["block_out_channels"]):
            raise _other_shape(path.name, base, f"its channels are {widths}")
    else:
        model, fusion = _from_file(path, base)
        metadata = _metadata(path)
    # diffusers warns of every cast, also of one that changes nothing. Its wrapper of `to` has lost the type of `self`.
    if model.dtype != dtype:
        model.to(dtype)  # type: ignore[arg-type]  # see above
    model.to(device).eval().requires_grad_(False)  # type: ignore[arg-type]  # see above
    return LoadedControlNet(path.name, path, model, fusion, map_of(path, metadata, base))


def controlnet_path(controlnet: str | Path | None, base: BaseModel) -> Path:
    """Where a ControlNet is, or a SesaHandError that says which to name."""
    name = CONTROLS[-1] if controlnet is None and base.is_mini else controlnet
    if name is None:
        raise SesaHandError(
            f"Which ControlNet steers {base.name}? Name one with --controlnet: a diffusers folder or a file, for "
            "example control_v11f1p_sd15_depth of Stable Diffusion 1.5."
        )
    path = control_path(base.path, str(name)) if base.is_mini and name in (*CONTROLS, HELD) else Path(name)
    if not path.exists():
        raise InvalidFileError(
            f"There is no ControlNet {path}. Name a diffusers folder or a file"
            + (f", or {' or '.join((*CONTROLS, HELD))} for the one beside the small model" if base.is_mini else "")
            + ". Nothing is downloaded."
        )
    return path


def map_of(path: Path, metadata: Mapping[str, str], base: BaseModel) -> str:
    """The condition map that a ControlNet was trained on: as its file says, else by its name, else depth."""
    try:
        facts = parse_json(metadata.get(FACTS, "{}"), f"{path.name}: {FACTS}")
        said = facts["config"]["data"]["control"] if facts.get("kind") == "controlnet" else None
    except (InvalidFileError, TypeError, KeyError, AttributeError):
        said = None
    if isinstance(said, str) and said in ALL_MAPS:
        return said
    if base.is_mini:
        return MINI_MAP
    names = re.split(r"[^a-z]+", f"{path.parent.name} {path.name}".lower())
    return next((shown for word, shown in NAMED_MAPS.items() if word in names), DEFAULT_MAP)


def check_family(name: str, text_width: int | None, base: BaseModel) -> None:
    """Raise an InvalidFileError if a ControlNet reads text of another width than the base's encoder writes."""
    wanted = base.unet.config["cross_attention_dim"]
    if text_width in (None, wanted):
        return

    def family(width: int) -> str:
        return f"{name_of_width(width) or 'of another family'} (text width {width})"

    raise InvalidFileError(
        f"{name} is a ControlNet {family(text_width)}, but the base {base.name} is {family(wanted)}. Choose a "
        "ControlNet that was made for this base."
    )


def _other_shape(name: str, base: BaseModel, why: str) -> InvalidFileError:
    return InvalidFileError(
        f"{name} does not fit the base {base.name}, whose channels are "
        f"{tuple(base.unet.config['block_out_channels'])}: "
        f"{why}. Choose a ControlNet that was made for this base."
    )


def _from_folder(path: Path) -> tuple[ControlNetModel, Mapping[str, str]]:
    from diffusers import ControlNetModel

    if not (path / "config.json").is_file():
        raise InvalidFileError(
            f"{path} is no diffusers folder of a ControlNet: it lacks config.json. Name the folder that holds it and "
            f"{WEIGHTS}.safetensors, or a single file."
        )
    files = sorted(file for file in path.glob(f"{WEIGHTS}*.safetensors"))
    if not files:
        raise InvalidFileError(f"{path} lacks {WEIGHTS}.safetensors. Older formats can run code: convert them first.")
    check_model_folder(path, has_words=False)
    local = {"local_files_only": True}
    # Plain names before those of a precision; large ones are in several files, each with a number.
    named = [re.fullmatch(rf"{WEIGHTS}(?:\.([^.-]+))?(?:-\d+-of-\d+)?\.safetensors", file.name) for file in files]
    variants = sorted({found[1] or "" for found in named if found} or {""})
    variant = {"variant": variants[0]} if variants[0] else {}
    try:
        with refusing_panics(path):
            check_size(path, lambda: ControlNetModel.from_config(ControlNetModel.load_config(path, **local)))
            model, report = ControlNetModel.from_pretrained(
                path, **local, use_safetensors=True, output_loading_info=True, **variant
            )
        check_complete(path, model, report)
        order = model.config["controlnet_conditioning_channel_order"]
        if order not in ("rgb", "bgr"):
            raise InvalidFileError(
                f"{path} has controlnet_conditioning_channel_order {quote(order)}, expected rgb or bgr. Correct it in "
                "config.json, or download the folder again."
            )
    except SesaHandError:
        raise
    except Exception as error:
        # diffusers raises many kinds here, all of them about the files.
        raise InvalidFileError(
            f"{path} cannot be loaded as a ControlNet ({error!s:.300}). Copy or download the folder again, or name a "
            "single file."
        ) from error
    return model, _metadata(files[0])


def _from_file(path: Path, base: BaseModel) -> tuple[ControlNetModel, FusionSettings | None]:
    from diffusers import ControlNetModel

    weights = read_controlnet_weights(path)
    if weights.unreadable_mark:
        raise InvalidFileError(weights.unreadable_mark)
    width = next((value.shape[1] for name, value in weights.state.items() if name.endswith("attn2.to_k.weight")), None)
    check_family(path.name, width, base)
    state: dict[str, Tensor] = {name: value.float() for name, value in weights.state.items()}
    model = ControlNetModel.from_unet(base.unet, load_weights_from_unet=False)
    try:
        if weights.layout == "ldm":
            load_ldm(model, state, path.name)
        else:
            load_part(model, state, path.name)
    except InvalidFileError as error:
        raise _other_shape(path.name, base, str(error).rstrip(".")) from error
    return model, weights.settings


def _metadata(path: Path) -> Mapping[str, str]:
    if path.suffix.lower() not in (".safetensors", ".sft"):
        return {}
    with open_weights(path) as file:
        return file.metadata() or {}
