"""Vision-language models under ComfyUI's memory management, and interruptible by its cancel button."""

import logging
import os
from pathlib import Path

import torch

import folder_paths
from comfy import model_management
from comfy.model_patcher import ModelPatcher

from ..sesahand.callbacks import Progress
from ..sesahand.errors import SesaHandError
from ..sesahand.vlm.captioner import Captioner
from ..sesahand.vlm.credentials import CredentialFile, default_credentials_path
from ..sesahand.vlm.folders import find_model_folders

logger = logging.getLogger(__name__)

OWN_FOLDER = "sesahand_vlm"
FOLDER_TYPES = (OWN_FOLDER, "VLM", "LLM")
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}

ACTIVATION_BYTES_PER_PIXEL = 512
"""Room asked for while captioning: a vision tower's activations and the answer's key-value cache, rounded up."""

# Adds to what extra_model_paths.yaml has given; the other two types belong to other packs and are only read.
folder_paths.add_model_folder_path(OWN_FOLDER, os.path.join(folder_paths.models_dir, OWN_FOLDER))


def model_folders() -> dict[str, Path]:
    """Name to folder of every local image-text model, our own folder type first."""
    roots = []
    for kind in FOLDER_TYPES:
        configured = folder_paths.folder_names_and_paths.get(kind, ([], set()))[0]
        roots += [*configured, os.path.join(folder_paths.models_dir, kind)]
    return find_model_folders(dict.fromkeys(roots))


def credential_file() -> CredentialFile:
    """The user's credentials: ComfyUI's user folder (a part that its server never hands out), else the home folder."""
    own = Path(folder_paths.get_user_directory()) / "__sesahand" / "credentials.json"
    return CredentialFile((own, default_credentials_path()))


def credential_names() -> list[str]:
    """Names for the widget; a broken file is logged here and raises where it is used."""
    try:
        return credential_file().names()
    except SesaHandError as error:
        logger.warning("SesaHand: %s", error)
        return []


def pick_device(choice: str) -> tuple[torch.device, torch.device]:
    """Where a model works and where it waits, by ComfyUI's rules for text models."""
    if choice == "cpu":
        return torch.device("cpu"), torch.device("cpu")
    return model_management.text_encoder_device(), model_management.text_encoder_offload_device()


def pick_dtype(choice: str, device: torch.device) -> torch.dtype:
    """The chosen precision, or the smallest that the device computes well in."""
    if choice in DTYPES:
        return DTYPES[choice]
    if model_management.should_use_bf16(device):
        return torch.bfloat16
    return torch.float16 if model_management.should_use_fp16(device) else torch.float32


class _Weights(torch.nn.Module):
    """Holds a transformers model, whose own `device` cannot be written as a ModelPatcher does."""

    def __init__(self, model: torch.nn.Module, device: torch.device):
        super().__init__()
        self.model = model
        self.device = device


def manage(model: torch.nn.Module, load_device: torch.device, offload_device: torch.device) -> ModelPatcher:
    """Hand a transformers model to ComfyUI, which moves it on demand and frees it when nothing refers to it.

    To the plain ModelPatcher under DynamicVRAM, too: the layers are not core's, so a dynamic one would load them whole
    and give nothing back when another model needs the room.
    """
    size = sum(tensor.numel() * tensor.element_size() for tensor in [*model.parameters(), *model.buffers()])
    return ModelPatcher(_Weights(model, offload_device), load_device, offload_device, size=size)


class ManagedVLM:
    """A Captioner on a wire: loads its weights before use, and stops when the user cancels.

    Args:
        captioner: What does the work.
        patcher: Holds the captioner's weights, None for a remote one.
    """

    def __init__(self, captioner: Captioner, patcher: ModelPatcher | None = None):
        self.captioner = captioner
        self.patcher = patcher

    @property
    def name(self) -> str:
        return self.captioner.name

    def __repr__(self) -> str:
        return f"ManagedVLM({self.captioner!r})"

    def describe(self, images, instruction, *, max_side: int = 1024, progress: Progress | None = None, **options):
        """As `Captioner.describe`."""
        self._load(ACTIVATION_BYTES_PER_PIXEL * max_side**2)
        options |= {"max_side": max_side, "progress": _interruptible(progress)}
        return self.captioner.describe(images, instruction, **options)

    def complete(self, prompts, *, progress: Progress | None = None, **options):
        """As `Captioner.complete`."""
        self._load(0)
        return self.captioner.complete(prompts, progress=_interruptible(progress), **options)

    def _load(self, activation_bytes: int) -> None:
        if self.patcher is not None:
            # Whole: transformers' layers cannot compute with weights that wait on another device.
            model_management.load_models_gpu([self.patcher], memory_required=activation_bytes, force_full_load=True)


def _interruptible(progress: Progress | None) -> Progress:
    def tick(done: int, total: int) -> None:
        model_management.throw_exception_if_processing_interrupted()
        if progress is not None:
            progress(done, total)

    return tick
