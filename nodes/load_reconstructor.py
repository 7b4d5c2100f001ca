"""Loading a network that looks at hands: HaMeR or WiLoR, from the files of their authors, or of `sesahand train`."""

import os
from pathlib import Path

import torch

import folder_paths
from comfy import model_management
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io

from ..sesahand.errors import SesaHandError, quote
from ..sesahand.reconstruct.landmarks import HandLandmarks
from ..sesahand.reconstruct.learned.checkpoints import (
    OWN_FOLDER,
    PUBLISHED,
    SUFFIXES,
    load_network,
    told_hand_model,
    where_to_get,
)
from ..sesahand.reconstruct.learned.reconstructor import LearnedReconstructor, check_hand_model
from ..sesahand.scene.hand_scene import HandScene
from . import wires
from .managed_vlm import DTYPES, manage, pick_dtype
from .model_folders import register_model_folder
from .progress import progress

FOLDER = "hand_recon"
ACTIVATION_BYTES_PER_HAND = 32 * 2**20
"""Room asked for while a network works: tokens, attention and features of one hand in fp32, rounded up."""

register_model_folder(FOLDER, SUFFIXES)


def network_files() -> list[str]:
    """Return the names of the files in hamer, wilor and sesahand, folders of models/hand_recon."""
    folders = {OWN_FOLDER, *(known.folder for known in PUBLISHED.values())}
    return [name for name in folder_paths.get_filename_list(FOLDER) if Path(name).parts[0] in folders]


def find_network(name: str) -> str:
    """Return the path of a file of `network_files`, or say where which file has to be."""
    if name not in network_files():
        folders = " and ".join(folder_paths.get_folder_paths(FOLDER))
        raise SesaHandError(
            f"There is no file {quote(name)} below {folders}. {where_to_get()} Then press R to refresh the list."
        )
    return folder_paths.get_full_path_or_raise(FOLDER, name)


class ManagedReconstructor:
    """A `Reconstructor` on a wire: brings its weights where it works, shows progress, and stops when cancelled.

    Args:
        reconstructor: What does the work.
        patcher: Holds its network's weights.
    """

    def __init__(self, reconstructor: LearnedReconstructor, patcher: ModelPatcher):
        self.reconstructor, self.patcher = reconstructor, patcher

    @property
    def name(self) -> str:
        return self.reconstructor.name

    def __repr__(self) -> str:
        return f"ManagedReconstructor({self.reconstructor!r})"

    def __call__(self, pictures: torch.Tensor, landmarks: HandLandmarks) -> HandScene:
        """As `LearnedReconstructor.__call__`."""
        if len(landmarks):
            room = ACTIVATION_BYTES_PER_HAND * min(len(landmarks), self.reconstructor.chunk)
            model_management.load_models_gpu([self.patcher], memory_required=room, force_full_load=True)
        return self.reconstructor(pictures, landmarks, progress())


@wires.checks(network_name=find_network)
class LoadReconstructor(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandLoadReconstructor",
            display_name="Load Reconstructor (SesaHand)",
            category="SesaHand/reconstruct",
            **wires.found_by("HaMeR", "WiLoR"),
            description="Loads HaMeR or WiLoR, networks that estimate a 3D hand (MANO mesh and pose) from a picture, "
            "for Reconstruct Hands. You bring their files and MANO's; nothing is downloaded. Both are for "
            "non-commercial research.",
            inputs=[
                io.Combo.Input(
                    "network_name",
                    options=wires.listed(network_files()),
                    tooltip="A file in models/hand_recon/hamer or models/hand_recon/wilor: hamer.ckpt, "
                    "wilor_final.ckpt, or the same weights as .safetensors; or in models/hand_recon/sesahand: what "
                    "`sesahand train` exported. Which network it is, the file tells.",
                ),
                wires.HandModel.Input(
                    "hand_model",
                    tooltip="From Load MANO Hand Model: MANO for HaMeR and WiLoR, which speak MANO's language; for a "
                    "network of your own the hand that it was trained with, which may be builtin.",
                ),
                io.Combo.Input(
                    "dtype",
                    options=["auto", *DTYPES],
                    default="auto",
                    tooltip="Precision of the weights: fp32 takes 2.5 GB, bf16 and fp16 half of it. auto takes bf16, "
                    "else fp16, where the device computes well in it, and fp32 on the CPU.",
                    **wires.rare(),
                ),
                io.Int.Input(
                    "chunk",
                    default=16,
                    min=1,
                    max=256,
                    tooltip="Hands that the network sees at once. Lower it if memory runs out; the result is the same.",
                    **wires.rare(),
                ),
            ],
            outputs=[
                wires.Reconstructor.Output(
                    display_name="reconstructor",
                    tooltip="For Reconstruct Hands. ComfyUI moves its weights to the GPU when it is used; the memory "
                    "is freed with this wire.",
                )
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, network_name, dtype="auto", chunk=16, **linked):
        # Gigabytes: its size and time tell a replaced file.
        file = os.stat(find_network(network_name))
        return [network_name, dtype, chunk, file.st_size, file.st_mtime_ns]

    @classmethod
    def execute(cls, network_name, hand_model, dtype="auto", chunk=16) -> io.NodeOutput:
        path = find_network(network_name)
        fault = wires.find_fault(cls, {"dtype": dtype, "chunk": chunk})
        if fault:
            raise SesaHandError(fault)
        check_hand_model(hand_model, told_hand_model(path), "A hand reconstructor")
        device = model_management.get_torch_device()
        network = load_network(path, pick_dtype(dtype, device))
        patcher = manage(network, device, model_management.unet_offload_device())
        return io.NodeOutput(ManagedReconstructor(LearnedReconstructor(network, hand_model, chunk), patcher))


NODES = [LoadReconstructor]
