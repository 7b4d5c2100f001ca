"""Rendering: what a ControlNet is shown of the hands."""

import json
import logging
from dataclasses import replace

import torch

from comfy_api.latest import io, ui

from ..sesahand.errors import SesaHandError
from ..sesahand.render.map_table import MAPS, MapKind
from ..sesahand.render.maps import DEPTH_RANGES, render_maps
from ..sesahand.render.shading import NORMAL_CONVENTIONS
from ..sesahand.scene.bounding_boxes import write_bounding_boxes
from ..sesahand.scene.hand_scene import HandScene
from ..sesahand.scene.held_object import describe_left_out
from ..sesahand.scene.viewer_camera import seen_by_viewer
from . import wires
from .notices import show_on_node
from .progress import progress

logger = logging.getLogger(__name__)

# Workflows know these outputs by their positions; what is not among them, such as a new map, comes after them.
KNOWN_OUTPUTS = (
    "mesh", "depth", "normal", "parts", "keypoints", "mask", "hand_mesh", "boxes", "bboxes", "object_mask",
)  # fmt: skip

# A node shows at most this many frames of each map; more would be too small to see.
PREVIEW_FRAMES = 2


def scene_at(scene: HandScene, width: int, height: int) -> HandScene:
    """Return the scene for a picture of another size; a 0 follows the other side, two keep the camera's size."""
    camera = scene.camera
    if not (width or height):
        return scene
    both = width and height
    width = width or max(1, round(camera.width * height / camera.height))
    height = height or max(1, round(camera.height * width / camera.width))
    try:
        return replace(scene, camera=camera.resized(width, height))
    except SesaHandError as error:
        fix = "Set width or height to 0, and it follows the other." if both else "Choose a smaller width or height."
        raise SesaHandError(f"{error} {fix}") from error


def list_boxes(scene: HandScene, boxes) -> str:
    """Return the boxes as JSON, one entry a hand."""
    entries = zip(scene.frame.tolist(), scene.side, boxes.tolist(), strict=True)
    return json.dumps([{"frame": frame, "side": side, "box": box} for frame, side, box in entries])


def map_output(kind: MapKind) -> io.Output:
    """Return the output of a condition map."""
    output = io.Image.Output if kind.color else io.Mask.Output
    return output(kind.name, display_name=kind.name, tooltip=kind.purpose)


def in_known_order(*outputs: io.Output) -> list[io.Output]:
    """Return outputs where workflows look for them, and new ones behind those."""
    return sorted(
        outputs,
        key=lambda output: KNOWN_OUTPUTS.index(output.id) if output.id in KNOWN_OUTPUTS else len(KNOWN_OUTPUTS),
    )


@wires.checks()
class RenderCondition(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandRenderCondition",
            display_name="Render Hand Depth & Maps (SesaHand)",
            category="SesaHand/condition",
            **wires.found_by("depth hand", "hand depth map", "hand normal map", "hand mask", "MeshGraphormer"),
            description="Draws the hands as the pictures that ControlNets are steered by, all of them at once and all "
            "exactly on top of each other. Connect the one that your ControlNet was trained on.",
            is_output_node=True,
            inputs=[
                wires.Hands.Input("hands", tooltip="The hands to draw, from Pose Hand, Place Hand or Load Hands."),
                io.Boolean.Input(
                    "antialias",
                    default=True,
                    tooltip="Smooth edges, drawn at twice the size and averaged. Off gives hard edges and masks of 0 "
                    "and 1 only, as training data of segmentation has them.",
                    **wires.rare(),
                ),
                io.Boolean.Input(
                    "forearm",
                    default=False,
                    tooltip="Draw a piece of forearm behind the wrist, if the hand model has one. Off matches "
                    "ControlNets trained on MANO hands; on keeps a general depth ControlNet from painting a cut-off "
                    "wrist.",
                ),
                io.Combo.Input(
                    "depth_range",
                    options=list(DEPTH_RANGES),
                    default="hand",
                    tooltip="What black to white spans in the depth picture. hand: each hand on its own, as hand "
                    "ControlNets have it. frame: all hands of a picture together, so that the farther one is darker. "
                    "scene: all frames together, so that video does not flicker.",
                    **wires.rare(),
                ),
                io.Combo.Input(
                    "normal_convention",
                    options=sorted(NORMAL_CONVENTIONS),
                    default="normalbae",
                    tooltip="Colours of the normal picture. normalbae is what the common normal ControlNets take; "
                    "opengl has red pointing the other way, as 3D programs write it.",
                    **wires.rare(),
                ),
                io.Int.Input(
                    "width",
                    default=0,
                    min=0,
                    max=16384,
                    step=8,
                    optional=True,
                    tooltip="Width of the pictures in pixels. 0 keeps the size that the hands were placed in. The "
                    "view stays the same, so the proportions must too.",
                ),
                io.Int.Input(
                    "height",
                    default=0,
                    min=0,
                    max=16384,
                    step=8,
                    optional=True,
                    tooltip="Height of the pictures in pixels. 0 follows the width, or keeps the size that the hands "
                    "were placed in.",
                ),
                wires.ViewerCamera.Input(
                    "camera_info",
                    optional=True,
                    tooltip="Camera of a 3D viewer (Preview 3D, Load 3D) that shows these hands from Export Hand Mesh: "
                    "they are drawn from there. width and height can then have any proportions.",
                    **wires.rare(),
                ),
                io.Boolean.Input(
                    "objects",
                    default=True,
                    optional=True,
                    tooltip="Draw what hands hold, from Hold Object. Off shows the hands alone and whole, as "
                    "ControlNets trained on bare hands want them. Without objects it does nothing.",
                    **wires.rare(),
                ),
            ],
            outputs=in_known_order(
                *map(map_output, MAPS.values()),
                io.Mesh.Output(
                    "hand_mesh",
                    display_name="hand_mesh",
                    tooltip="The posed hands in 3D, in metres, with texture coordinates and normals, for core's "
                    "SaveGLB and Render Mesh. One file per hand.",
                ),
                io.String.Output(
                    "boxes",
                    display_name="boxes",
                    tooltip="JSON list: frame, side and box (left, top, right, bottom in pixels) of each hand; zeros "
                    "for a hand that is not seen.",
                ),
                wires.BoundingBox.Output(
                    "bboxes",
                    display_name="bboxes",
                    tooltip="The boxes as core has them (BOUNDING_BOX, a list for each frame): for SAM3 Detect, Crop "
                    "by BBoxes, Draw BBoxes. Hands that are not seen are left out.",
                ),
            ),
        )

    @classmethod
    @wires.checked
    def execute(
        cls,
        hands,
        antialias,
        forearm,
        depth_range,
        normal_convention,
        width=0,
        height=0,
        camera_info=None,
        objects=True,
    ) -> io.NodeOutput:
        if camera_info is None:
            scene = scene_at(hands, width, height)
        else:
            scene = seen_by_viewer(hands, camera_info, width, height, forearm)
        maps = render_maps(
            scene,
            antialias=antialias,
            forearm=forearm,
            depth_range=depth_range,
            normal_convention=normal_convention,
            on_frame=progress(),
            objects=objects,
        )
        pictures = {name: getattr(maps, name) for name in MAPS}
        previews = torch.cat([pictures[name][:PREVIEW_FRAMES] for name in MAPS if MAPS[name].color])
        mesh = wires.core_mesh(scene, forearm)
        # With objects switched off, everything is without them, as was asked.
        if objects and (left_out := describe_left_out(scene.objects, "hand_mesh")):
            logger.warning("Render Hand Depth & Maps: %s", left_out)
            show_on_node(left_out)
        size = scene.camera.width, scene.camera.height
        bboxes = write_bounding_boxes(scene.frame.tolist(), scene.side, maps.boxes, scene.num_frames, size)
        preview = ui.PreviewImage(previews, cls=cls)
        boxes = list_boxes(scene, maps.boxes)
        outputs = {**pictures, "hand_mesh": mesh, "boxes": boxes, "bboxes": bboxes}
        return wires.named_outputs(cls, outputs, preview)


NODES = [RenderCondition]
