"""Vision networks of transformers out of local folders: CLIP, DINOv2, ViT and their like."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from ..errors import InvalidFileError, SesaHandError
from ..files.model_configs import without_choices
from ..files.model_folders import check_complete, check_model_folder, check_size
from ..files.panics import refusing_panics


def load_vision_network(folder: Path) -> Any:
    """Load a vision network whose weights are all in its folder; nothing is fetched.

    Returns:
        The network of transformers, without a pooler if the weights have none.

    Raises:
        InvalidFileError: If the folder holds none, is incomplete, or asks for more than data.
    """
    check_model_folder(folder)
    from transformers import AutoConfig, AutoModel

    local = {"local_files_only": True, "trust_remote_code": False}
    try:
        with refusing_panics(folder):
            config = without_choices(AutoConfig.from_pretrained(folder, **local))
            check_size(folder, lambda: AutoModel.from_config(copy.deepcopy(config), trust_remote_code=False))
            model, report = AutoModel.from_pretrained(
                folder, config=config, use_safetensors=True, output_loading_info=True, **local
            )
        _without_random_pooler(model, report)
        check_complete(folder, model, report)
    except SesaHandError:
        raise
    except Exception as error:
        # transformers raises a dozen kinds here, all of them about the files.
        raise InvalidFileError(
            f"{folder!s:.200} cannot be loaded as a vision network ({error!s:.300}). Take CLIP, DINOv2, a ViT or the "
            "like as .safetensors, and copy all of its files."
        ) from error
    return model


def _without_random_pooler(model: Any, report: Mapping[str, Any]) -> None:
    """Take a pooler away that the weights lack, as those of a classifier do: its features would be random ones."""
    pooler = getattr(model, "pooler", None)
    if isinstance(pooler, nn.Module):
        names = {f"pooler.{name}" for name, _ in pooler.named_parameters()}
        if names and names <= set(report["missing_keys"]):
            model.pooler = None
