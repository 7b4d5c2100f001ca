"""The project's own small model, for core's samplers."""

import os

import folder_paths
from comfy_api.latest import io

from ..sesahand.errors import SesaHandError, quote
from ..sesahand.models.small.embedded import EMBEDDED, embedded_path
from ..sesahand.models.small.model_files import CONTROLS, HELD, control_path
from . import wires
from .model_folders import register_model_folder
from .patches.control_loading import load_controlnet
from .patches.mini_loading import load_mini

FOLDER = "sesahand_mini"
SUFFIX = ".safetensors"


register_model_folder(FOLDER, {SUFFIX})


def model_choices() -> list[str]:
    """The embedded model and the files of the folder, without their ControlNets.

    The embedded one is there to choose even where its files are missing: what does not stand in the list is refused
    before the graph runs, which the frontend shows as a red frame and without a word if other parts can run.
    """
    names = folder_paths.get_filename_list(FOLDER)
    controls = tuple(f"_control_{control}{SUFFIX}" for control in (*CONTROLS, HELD))
    return [EMBEDDED, *(name for name in names if not name.endswith(controls))]


def model_path(name: str) -> str:
    """Where a choice of `model_choices` is, or a SesaHandError that says how to get it."""
    if name == EMBEDDED:
        return str(embedded_path())
    return folder_paths.get_full_path_or_raise(FOLDER, name)


@wires.checks()
class LoadMini(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SesaHandLoadMini",
            display_name="Load Small Model (SesaHand)",
            category="SesaHand/model",
            **wires.found_by("mini model", "demo model"),
            description="The small model of rendered hands that comes with SesaHand: a checkpoint and a ControlNet in "
            "one node, nothing to download, sampled on a CPU in seconds. For KSampler, CLIP Text Encode, VAE Decode "
            "and Apply ControlNet, at 128 x 128 pixels. Swap it for a real checkpoint and ControlNet when the graph "
            "works.",
            inputs=[
                io.Combo.Input(
                    "model",
                    options=model_choices(),
                    tooltip="embedded comes with SesaHand. Others are files in models/sesahand_mini, made by "
                    "`python -m sesahand train --config mini`, with their two ControlNets beside them; press R to see "
                    "new ones.",
                ),
                io.Combo.Input(
                    "control",
                    options=[*CONTROLS, HELD],
                    default="sf",
                    tooltip="Which of its ControlNets. sf was trained with structural fusion: connect Structural "
                    "Fusion (SesaHand) in auto mode. plain was trained without it, on the same data and steps. held "
                    "went on from plain with maps that show what hands hold: for hands from Hold Object. Only "
                    "embedded has it.",
                ),
            ],
            outputs=[
                io.Model.Output(display_name="model", tooltip="For KSampler. It was trained at 128 x 128 pixels."),
                io.Clip.Output(display_name="clip", tooltip="For CLIP Text Encode or Text Encode (SesaHand)."),
                io.Vae.Output(display_name="vae", tooltip="For VAE Decode and VAE Encode; 8 pixels to a latent."),
                io.ControlNet.Output(
                    display_name="control_net",
                    tooltip="For Apply ControlNet, with a mesh map of Render Hand Depth & Maps; sf first through "
                    "Structural Fusion in auto mode.",
                ),
                io.String.Output(
                    display_name="words",
                    tooltip="All words that the text encoder has learnt; it ignores any other.",
                ),
            ],
        )

    @classmethod
    @wires.checked
    def execute(cls, model: str, control: str) -> io.NodeOutput:
        path = model_path(model)
        beside = control_path(path, control)
        if not beside.is_file():
            what = "Only embedded has it: choose that, or plain or sf."
            if control != HELD:
                what = "Copy all three files that the training exported."
            raise SesaHandError(
                f"The ControlNet {quote(beside.name)} is missing beside {os.path.basename(path)}. {what}"
            )
        parts = load_mini(path)
        return io.NodeOutput(*parts[:3], load_controlnet(str(beside))[0], ", ".join(parts[3]))


NODES = [LoadMini]
