"""Features of pictures by a network out of local files, for FID: whichever it is, it has a name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InvalidFileError, SesaHandError
from ..files.failures import telling_failures
from ..files.picture_sizes import check_picture_sizes
from ..files.processor_classes import SEEING, check_processors
from ..models.vision_networks import load_vision_network
from ..training.samples import read_square

PICTURES = (".png", ".jpg", ".jpeg", ".webp")


class Extractor:
    """A vision network of transformers.

    Args:
        name: What tables call it.
        model: The network.
        processor: Its image processor.
        device: Where it runs.
    """

    def __init__(self, name: str, model: Any, processor, device: torch.device):
        self.name, self.model, self.processor, self.device = name, model, processor, device

    @torch.no_grad()
    def __call__(self, pictures: Tensor) -> np.ndarray:
        """Features `[B, D]`, float32, of pictures `[B, H, W, 3]` in 0..1."""
        shown = list((pictures.clamp(0, 1) * 255).round().to(torch.uint8).numpy())
        failed = f"{self.name} makes nothing of the pictures; copy all of its files again, or choose another model"
        with telling_failures(failed):
            return self._features(self.processor(images=shown, return_tensors="pt"))

    def _features(self, inputs: Any) -> np.ndarray:
        if hasattr(self.model, "get_image_features"):
            found = self.model.get_image_features(pixel_values=inputs["pixel_values"].to(self.device))
            found = getattr(found, "pooler_output", found)
        else:
            output = self.model(pixel_values=inputs["pixel_values"].to(self.device))
            pooled = getattr(output, "pooler_output", None)
            found = output.last_hidden_state.mean(1) if pooled is None else pooled
        return found.float().flatten(1).cpu().numpy()


def load_extractor(folder: str | Path, device: torch.device | str = "cpu") -> Extractor:
    """Load a vision network from a folder of transformers: CLIP, DINOv2, ViT and their like; nothing is fetched.

    Raises:
        InvalidFileError: If the folder holds none.
    """
    from transformers import AutoImageProcessor

    folder, local = Path(folder), {"local_files_only": True, "trust_remote_code": False}
    if not (folder / "config.json").is_file():
        raise InvalidFileError(
            f"{folder} is no folder of a transformers model: it lacks config.json. Name the folder that holds it, "
            "preprocessor_config.json and the .safetensors weights."
        )
    check_processors(folder, SEEING, "turns pictures into features")
    model = load_vision_network(folder)
    try:
        processor = AutoImageProcessor.from_pretrained(folder, **local)
        check_picture_sizes(folder, processor)
    except SesaHandError:
        raise
    except Exception as error:
        # As with the network, a dozen kinds, all of them about the files.
        raise InvalidFileError(
            f"The image processor of {folder} cannot be loaded ({error!s:.300}). Copy all of its files."
        ) from error
    device = torch.device(device)
    return Extractor(f"{type(model).__name__}, {folder.name}", model.to(device).eval(), processor, device)


def features_of_files(reader, folder: str | Path, size: int, batch_size: int = 32) -> np.ndarray:
    """Features of the pictures in a folder, cut to squares of `size` pixels.

    Returns:
        `[pictures, D]` float32, in the order of their paths.

    Raises:
        InvalidFileError: If there are fewer than two.
    """
    paths = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in PICTURES)
    if len(paths) < 2:
        raise InvalidFileError(f"{folder} holds {len(paths)} pictures; a distance of sets needs two at least.")
    found = []
    for start in range(0, len(paths), batch_size):
        found.append(reader(_stack(paths[start : start + batch_size], size)))
    return np.concatenate(found)


def _stack(paths: Sequence[Path], size: int) -> Tensor:
    return torch.from_numpy(np.stack([read_square(path, size) for path in paths])).float() / 255
