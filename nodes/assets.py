"""What artists take home: hands as files for 3D programs, and hands drawn over pictures."""

import logging

from comfy_execution.graph_utils import ExecutionBlocker

from comfy_api.latest import io, ui

from ..sesahand.export.files import PARAMETER_FILES, write_hands
from ..sesahand.export.formats import FORMATS
from ..sesahand.render.overlay import STYLES, draw_hands, draw_turntable
from . import wires
from .output_files import check_prefix, graph_metadata, output_path, relative_to_output
from .progress import progress

logger = logging.getLogger(__name__)

# The node shows at most this many overlays; more would be too small to see.
PREVIEWS = 4


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
                io.Float.Input(
                    "fps",
                    default=24.0,
                    min=1.0,
                    max=240.0,
                    step=1.0,
                    tooltip="Frames per second of the animation in a rigged GLB. One frame alone has no animation.",
                    **wires.rare(),
                ),
                io.Boolean.Input(
                    "forearm",
                    default=False,
                    tooltip="Include a piece of forearm behind the wrist, if the hand model has one.",
                ),
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
    def execute(cls, hands, format, filename_prefix, parameters, fps, forearm) -> io.NodeOutput:
        if not len(hands):
            logger.warning("Export Hand Mesh: there are no hands, and so no file of them.")
            # What takes them does not run: viewers and savers complain of a path that is none.
            return io.NodeOutput(*[ExecutionBlocker(None)] * len(cls.define_schema().outputs))
        size = hands.camera.width, hands.camera.height
        path = output_path(filename_prefix, FORMATS[format].ending, size, cls.hidden)
        # What cannot be held is said before anything is written.
        mesh = wires.core_mesh(hands, forearm)
        report = progress(1 if FORMATS[format].animated else hands.num_frames)
        written = write_hands(hands, path, format, fps, forearm, parameters, graph_metadata(cls.hidden), report)
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


NODES = [ExportMesh, DrawHands]
