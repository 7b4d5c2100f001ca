"""Loading a ControlNet, and structural fusion of its self-attention maps."""

import folder_paths
from comfy_api.latest import io

from ..sesahand.fusion.settings import LAYERS, MODES, ORIENTATIONS, REFINED_RESIDUALS, RESOLUTIONS, FusionSettings
from . import wires
from .patches.control_loading import load_controlnet
from .patches.structural_fusion import apply_structural_fusion, trained_settings

AUTO = "auto"


@wires.checks()
class LoadControlNet(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SesaHandLoadControlNet",
            display_name="Load ControlNet (SesaHand)",
            category="SesaHand/control",
            **wires.found_by("hand ControlNet"),
            description="Load a ControlNet of SD1.5 or SDXL from models/controlnet: ldm or diffusers weights, or a "
            "full checkpoint that holds one. Notes whether it was trained with structural fusion, which the Structural "
            "Fusion node then follows in its auto mode.",
            inputs=[
                io.Combo.Input(
                    "control_net_name",
                    options=folder_paths.get_filename_list("controlnet"),
                    tooltip="File in models/controlnet (or a folder of extra_model_paths.yaml). safetensors is best; "
                    "torch files are read only if they hold nothing but data.",
                ),
            ],
            outputs=[
                io.ControlNet.Output(
                    display_name="control_net",
                    tooltip="For Structural Fusion (SesaHand) or directly for any Apply ControlNet node.",
                ),
                io.String.Output(
                    display_name="info",
                    tooltip="What the file is: model family, size, and the structural fusion it was trained with.",
                ),
            ],
        )

    @classmethod
    @wires.checked
    def execute(cls, control_net_name: str) -> io.NodeOutput:
        path = folder_paths.get_full_path_or_raise("controlnet", control_net_name)
        control_net, weights = load_controlnet(path)
        return io.NodeOutput(control_net, weights.describe())


@wires.checks()
class StructuralFusion(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        resolutions = [
            io.Boolean.Input(
                f"use_{resolution}",
                default=True,
                tooltip=f"Sum the self-attention maps of the {resolution} x {resolution} grid (at 512 px; "
                f"1/{512 // resolution} of the picture at any size): {scale}.",
                **wires.rare(),
            )
            for resolution, scale in zip(
                RESOLUTIONS,
                ("fine local structure, fingers", "parts of the hand", "hand and arm", "the whole body's layout"),
                strict=True,
            )
        ]
        return io.Schema(
            node_id="SesaHandStructuralFusion",
            display_name="Structural Fusion (SesaHand)",
            category="SesaHand/control",
            **wires.found_by("hand ControlNet", "fix hands"),
            description="Let a ControlNet's own self-attention, from fine to coarse, decide which places of its "
            "features belong together before they reach the U-Net, so that the hand is drawn as a part of the body. "
            "Works with any ControlNet of SD1.5 or SDXL and any Apply ControlNet node.",
            inputs=[
                io.ControlNet.Input("control_net", tooltip="A ControlNet of SD1.5 or SDXL; it stays as it is."),
                io.Combo.Input(
                    "mode",
                    options=[AUTO, *MODES],
                    default=AUTO,
                    tooltip="auto: what the weights were trained with (as Load ControlNet (SesaHand) found), ignoring "
                    "the other settings, else blend. paper: the full, un-normalised fusion, only for weights trained "
                    "with it. blend: an average over related places, mixed in by strength, for any ControlNet.",
                ),
                io.Float.Input(
                    "strength",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="lambda of blend mode, 0..1: how much of the control feature is replaced by its fused "
                    "version. 0 = off in every mode; 0.3-0.5 usual; higher smooths more. Paper mode is always full.",
                ),
                io.Combo.Input(
                    "refine",
                    options=list(REFINED_RESIDUALS),
                    tooltip="Which of the ControlNet's residuals are refined. middle: the middle block's, as in the "
                    "paper. coarsest: all on the same grid. to_16, to_32: also finer ones, down to that grid at 512 "
                    "px. Go finer if middle changes too little; to_32 costs most.",
                    **wires.rare(),
                ),
                io.Combo.Input(
                    "layers",
                    options=list(LAYERS),
                    tooltip="last: the last self-attention of each resolution, a few percent of the ControlNet's time. "
                    "all: the mean over all of them, steadier, and about a tenth.",
                    **wires.rare(),
                ),
                io.Combo.Input(
                    "orientation",
                    options=list(ORIENTATIONS),
                    tooltip="gather: each place collects the features it attends to. scatter: each place sends its "
                    "feature to the places it attends to. Change it only to compare.",
                    **wires.rare(),
                ),
                *resolutions,
            ],
            outputs=[
                io.ControlNet.Output(
                    display_name="control_net",
                    tooltip="The fused ControlNet, for any Apply ControlNet node.",
                ),
            ],
        )

    @classmethod
    @wires.checked
    def execute(cls, control_net, mode, strength, refine, layers, orientation, **use) -> io.NodeOutput:
        if strength == 0:
            return io.NodeOutput(control_net)
        resolutions = tuple(resolution for resolution in RESOLUTIONS if use[f"use_{resolution}"])
        settings = trained_settings(control_net) if mode == AUTO else None
        if settings is None:
            chosen = "blend" if mode == AUTO else mode
            settings = FusionSettings(chosen, strength, resolutions, layers, refine, orientation)
        return io.NodeOutput(apply_structural_fusion(control_net, settings))


NODES = [LoadControlNet, StructuralFusion]
