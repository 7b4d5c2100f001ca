"""What artists take home: hands as files for 3D programs, and hands drawn over pictures."""

import logging
import os

import torch
from comfy_execution.graph_utils import ExecutionBlocker

from comfy_api.latest import io, ui

from ..sesahand.export.files import PARAMETER_FILES, write_hands
from ..sesahand.export.formats import ALONG_FINGERS, BONES, FORMATS, MeshSettings
from ..sesahand.export.gesture_library import THUMBNAIL, check_export, export_gestures
from ..sesahand.render.contact_sheet import captioned_pictures
from ..sesahand.render.overlay import STYLES, draw_hands, draw_turntable
from ..sesahand.scene.held_object import describe_left_out
from . import wires
from .notices import show_on_node
from .output_files import check_prefix, graph_metadata, output_path, relative_to_output
from .progress import progress

logger = logging.getLogger(__name__)

# The node shows at most this many overlays; more would be too small to see.
PREVIEWS = 4

SIDES = {"both": ("right", "left"), "right": ("right",), "left": ("left",)}
# Pictures side by side in the preview of the library: four gestures of both hands.
COLUMNS = 8


def forearm_input() -> io.Boolean.Input:
    return io.Boolean.Input(
        "forearm",
        default=False,
        tooltip="Include a piece of forearm behind the wrist, if the hand model has one.",
    )


def fps_input(of: str) -> io.Float.Input:
    return io.Float.Input(
        "fps",
        default=24.0,
        min=1.0,
        max=240.0,
        step=1.0,
        tooltip=f"Frames per second of the {of}",
        **wires.rare(),
    )


def bones_input() -> io.Combo.Input:
    return io.Combo.Input(
        "bones",
        options=list(BONES),
        default=ALONG_FINGERS,
        optional=True,
        tooltip="Only for glb rigged: how the bones lie in the bind pose. along the fingers: y from joint to joint, as "
        "Blender and game engines expect, and a positive turn about x bends. unturned: no rotation, so that a bone's "
        "rotation is MANO's.",
        **wires.rare(),
    )


def metadata_input() -> io.Boolean.Input:
    return io.Boolean.Input(
        "metadata",
        default=True,
        optional=True,
        tooltip="Put the workflow into GLB files, so that dropping one on ComfyUI brings the graph back. Off for files "
        "that you give away; --disable-metadata turns it off everywhere.",
        **wires.rare(),
    )


def check_motion(format=None, animated=None) -> None:
    """Refuse gestures that move in a format that holds no frames."""
    if None not in (format, animated):
        check_export(format, animated)


@wires.checks(filename_prefix=check_prefix)
class ExportMesh(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandExportMesh",
            display_name="Export Hand Mesh (SesaHand)",
            category="SesaHand/reconstruct",
            **wires.found_by("hand GLB", "hand OBJ", "Blender", "rigged hand"),
            description="Saves hands as 3D files for Blender, Unity, Unreal and others: a rigged and animated GLB with "
            "skin, bones and UVs, or posed meshes as GLB, OBJ or PLY. Preview 3D shows the result.",
            is_output_node=True,
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            inputs=[
                wires.Hands.Input("hands", tooltip="The hands to save, posed, loaded or reconstructed."),
                io.Combo.Input(
                    "format",
                    options=list(FORMATS),
                    default="glb rigged",
                    tooltip="glb rigged: mesh, bones and skin weights, to pose further or animate; several frames "
                    "become an animation. glb posed, obj and ply: the exact posed surface, one file a frame.",
                ),
                io.String.Input(
                    "filename_prefix",
                    default="hands/SesaHand",
                    tooltip="Folder and start of the name, inside the output folder; a number is added. %year%, "
                    "%month%, %day% and the like are filled in as for pictures.",
                ),
                io.Combo.Input(
                    "parameters",
                    options=list(PARAMETER_FILES),
                    default="json",
                    tooltip="Also write pose, shape, place and camera beside the mesh, for Load Hands and for "
                    "programs: json to read and edit, npz smaller, or none.",
                ),
                fps_input("animation in a rigged GLB. One frame alone has no animation."),
                forearm_input(),
                bones_input(),
                metadata_input(),
            ],
            outputs=[
                io.Mesh.Output(
                    "mesh",
                    display_name="mesh",
                    tooltip="The posed hands in metres, with texture coordinates and normals, for core's SaveGLB, "
                    "Render Mesh and other nodes that take a mesh.",
                ),
                io.String.Output(
                    "path",
                    display_name="path",
                    tooltip="The first file written, seen from the output folder. For Preview 3D.",
                ),
                wires.File3D.Output(
                    "model_3d",
                    display_name="model_3d",
                    tooltip="The first file written, as core's newer 3D nodes take it (FILE_3D): Preview 3D "
                    "(Advanced), Save 3D (Advanced). In a ComfyUI without that type, its path as text.",
                ),
            ],
        )

    @classmethod
    @wires.checked
    def execute(
        cls, hands, format, filename_prefix, parameters, fps, forearm, bones=ALONG_FINGERS, metadata=True
    ) -> io.NodeOutput:
        if not len(hands):
            logger.warning("Export Hand Mesh: there are no hands, and so no file of them.")
            show_on_node("There are no hands, and so no file of them.")
            # What takes them does not run: viewers and savers complain of a path that is none.
            return io.NodeOutput(*[ExecutionBlocker(None)] * len(cls.define_schema().outputs))
        size = hands.camera.width, hands.camera.height
        path = output_path(filename_prefix, FORMATS[format].ending, size, cls.hidden)
        # What cannot be held is said before anything is written.
        mesh = wires.core_mesh(hands, forearm)
        report = progress(1 if FORMATS[format].animated else hands.num_frames)
        extras = graph_metadata(cls.hidden) if metadata else {}
        written = write_hands(hands, path, format, fps, forearm, parameters, extras, report, bones)
        if left_out := describe_left_out(hands.objects, "the output mesh"):
            logger.warning("Export Hand Mesh: %s", left_out)
            show_on_node(left_out)
        names = [relative_to_output(name) for name in written]
        meshes = [name for name in names if name.endswith(FORMATS[format].ending)]
        entries = [dict(zip(("subfolder", "filename"), name.rpartition("/")[::2], strict=True)) for name in meshes]
        return io.NodeOutput(
            mesh,
            names[0],
            wires.core_file_3d(str(written[0])),
            ui={"3d": [{**entry, "type": "output"} for entry in entries]},
        )


@wires.checks()
class DrawHands(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandDrawHands",
            display_name="Draw Hands (SesaHand)",
            category="SesaHand/reconstruct",
            **wires.found_by("hand overlay", "hand turntable"),
            description="Draws hands over the picture they belong to, as a shaded mesh or a skeleton, to see how well "
            "they fit; and from all sides, as a turntable.",
            is_output_node=True,
            inputs=[
                wires.Hands.Input("hands", tooltip="The hands to draw, reconstructed, posed or loaded."),
                io.Combo.Input(
                    "style",
                    options=list(STYLES),
                    default="mesh",
                    tooltip="mesh: shaded surface, right hands in orange, left hands in blue. skeleton: OpenPose "
                    "points and bones. both: the skeleton over the mesh.",
                ),
                io.Float.Input(
                    "opacity",
                    default=0.8,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="How much the hands hide the picture: 0 not at all, 1 wholly. The turntable is always "
                    "opaque.",
                ),
                io.Int.Input(
                    "views",
                    default=8,
                    min=1,
                    max=120,
                    tooltip="Views of the turntable, in equal steps once around. Fewer are quicker.",
                ),
                io.Boolean.Input(
                    "forearm",
                    default=False,
                    tooltip="Draw a piece of forearm behind the wrist, if the hand model has one.",
                ),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="The picture to draw on, with the proportions that the hands were placed in: one, or one "
                    "for each frame. Not connected: grey.",
                ),
            ],
            outputs=[
                io.Image.Output("overlay", display_name="overlay", tooltip="The picture with the hands on it."),
                io.Image.Output(
                    "turntable",
                    display_name="turntable",
                    tooltip="The hands of the first frame that has any, seen from all around, as a batch.",
                ),
            ],
        )

    @classmethod
    @wires.checked
    def execute(cls, hands, style, opacity, views, forearm, image=None) -> io.NodeOutput:
        overlay = draw_hands(hands, image, style, opacity, forearm, progress())
        # Without hands there is nothing to walk around, and what follows does not run.
        turntable = draw_turntable(hands, views, style, forearm, progress()) if len(hands) else ExecutionBlocker(None)
        return io.NodeOutput(overlay, turntable, ui=ui.PreviewImage(overlay[:PREVIEWS], cls=cls))


@wires.checks(check_motion, filename_prefix=check_prefix)
class ExportGestures(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandExportGestures",
            display_name="Export Gesture Library (SesaHand)",
            category="SesaHand/hand",
            **wires.found_by("gesture library", "all gestures", "hand poses GLB", "hand asset pack"),
            description="Saves every gesture as a 3D file of its own for Blender, Unity, Unreal and others, right and "
            "left hand, with a picture of each and an index.",
            is_output_node=True,
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            inputs=[
                io.Combo.Input(
                    "format",
                    options=list(FORMATS),
                    default="glb rigged",
                    tooltip="glb rigged: mesh, bones and skin weights, to pose further or animate. glb posed, obj and "
                    "ply: the exact posed surface.",
                ),
                io.Boolean.Input(
                    "animated",
                    default=False,
                    tooltip="Let each hand move from rest into its gesture for a second. Only for glb rigged.",
                ),
                io.Combo.Input("sides", options=list(SIDES), default="both", tooltip="Whose hands: a file for each."),
                io.String.Input(
                    "filename_prefix",
                    default="hands/gestures",
                    tooltip="The folder that is made, inside the output folder; a number is added. %year%, %month%, "
                    "%day% and the like are filled in as for pictures. Files in it are named after the gesture.",
                ),
                fps_input("motion."),
                forearm_input(),
                wires.HandModel.Input(
                    "hand_model",
                    optional=True,
                    tooltip="The hand, from Load MANO Hand Model. Not connected: the built-in hand.",
                ),
                bones_input(),
                metadata_input(),
            ],
            outputs=[
                io.String.Output(
                    "path",
                    display_name="path",
                    tooltip="The index, index.json, seen from the output folder; the other files lie beside it.",
                ),
                io.Image.Output(
                    "thumbnails",
                    display_name="thumbnails",
                    tooltip="The pictures of the gestures as a batch, in the order of the index, for Contact Sheet.",
                ),
            ],
        )

    @classmethod
    @wires.checked
    def execute(
        cls,
        format,
        animated,
        sides,
        filename_prefix,
        fps,
        forearm,
        hand_model=None,
        bones=ALONG_FINGERS,
        metadata=True,
    ) -> io.NodeOutput:
        folder = output_path(filename_prefix, None, (THUMBNAIL, THUMBNAIL), cls.hidden)
        settings = MeshSettings(fps, forearm, graph_metadata(cls.hidden) if metadata else {}, bones)
        files = export_gestures(folder, None, SIDES[sides], hand_model, format, animated, settings, progress())
        pictures = torch.stack([file.picture for file in files])
        sheet = captioned_pictures(pictures, [f"{file.gesture}, {file.side}" for file in files], COLUMNS)
        index = relative_to_output(os.path.join(folder, "index.json"))
        return io.NodeOutput(index, pictures, ui=ui.PreviewImage(sheet, cls=cls))


NODES = [ExportMesh, DrawHands, ExportGestures]
