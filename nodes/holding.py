"""Hands that hold something."""

from comfy_api.latest import io

from ..sesahand.errors import SesaHandError
from ..sesahand.files.meshes import read_mesh
from ..sesahand.hands.object_mesh import LONGEST, ObjectMesh, stand_in
from ..sesahand.hands.objects import OBJECTS, SIZES
from ..sesahand.scene.changing import ALL, chosen_hands
from ..sesahand.scene.hand_scene import SIDES
from ..sesahand.scene.holding import describe_holding, hold_object
from ..sesahand.semantics.described_holding import hold_described
from . import wires
from .hand import hash_file
from .mesh_files import NO_MESH, mesh_files, mesh_path
from .notices import show_on_node
from .progress import progress


def check_mesh(mesh: str) -> None:
    """Refuse a mesh that is not there before a graph runs."""
    if mesh != NO_MESH:
        mesh_path(mesh)


def load_mesh(name: str, kind: str, length: float) -> ObjectMesh | None:
    """Return the mesh of a file in the place of an object; None for no file.

    Args:
        name: Of the file, as the node's choices have it.
        kind: The object.
        length: Of its longest side in millimetres; 0 takes the file's numbers for metres.
    """
    if name == NO_MESH:
        return None
    return stand_in(name.rpartition("/")[2], *read_mesh(mesh_path(name)), kind, length / 1000 or None)


@wires.checks(mesh=check_mesh)
class HoldObject(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandHoldObject",
            display_name="Hold Object (SesaHand)",
            category="SesaHand/hand",
            **wires.found_by("hand holding", "grasp object", "grip", "hold cup", "hold phone", "hold pen"),
            description="Puts an object into hands and closes their fingers on it until the skin touches. The object "
            "is drawn with the hand, goes where it goes, and is saved with it.",
            inputs=[
                wires.Hands.Input(
                    "hands",
                    tooltip="Hands of any frames, from Pose Hand, Place Hand or Load Hands. Their place, size and turn "
                    "stay; their fingers, and what they held before, are replaced.",
                ),
                io.Combo.Input(
                    "object",
                    options=list(OBJECTS),
                    default="sphere",
                    tooltip="What is held. It says how the hand grips it, too: a pen between thumb, index and middle "
                    "finger, a phone by its edges, all others in the palm. tool is a hammer.",
                ),
                io.Float.Input(
                    "size",
                    default=1.0,
                    min=SIZES[0],
                    max=SIZES[1],
                    step=0.05,
                    tooltip="How large it is, in times its usual size. Between 0.7 and 1.4 the grips are measured; "
                    "beyond, a finger may not reach, which the report says.",
                ),
                io.Combo.Input(
                    "side",
                    options=[ALL, *SIDES],
                    default=ALL,
                    tooltip="Which hands hold it: all, or the person's right or left ones, each one of its own.",
                ),
                io.Int.Input(
                    "number",
                    default=0,
                    min=0,
                    max=1000,
                    tooltip="Which of these hands in each picture: 1 is the first. 0 is all of them.",
                    **wires.rare(),
                ),
                io.Combo.Input(
                    "mesh",
                    options=[NO_MESH, *mesh_files()],
                    optional=True,
                    tooltip="A mesh of your own in the place of the object: a .glb, .obj, .ply or .stl file in "
                    "ComfyUI's input folder, or in its folder 3d. It is held as the object above is, its longest side "
                    "along that one's. Textures are left out.",
                    **wires.rare(),
                ),
                io.Float.Input(
                    "mesh_length",
                    default=0.0,
                    min=0.0,
                    max=1000 * LONGEST,
                    step=1.0,
                    optional=True,
                    tooltip="Length of the mesh's longest side in millimetres, before size enlarges it. 0 takes the "
                    "file to be in metres, as GLB is.",
                    **wires.rare(),
                ),
                wires.Semantics.Input(
                    "semantics",
                    optional=True,
                    tooltip="The same as Pose Hand got, in place of object: each hand holds what its words say, "
                    "'holding a red mug' the cup, 'writing with a pencil' the pen. A hand that holds nothing there "
                    "stays as it is.",
                ),
            ],
            outputs=[
                wires.Hands.Output("holding", display_name="hands", tooltip="The hands, with the object in them."),
                io.String.Output(
                    "report",
                    display_name="report",
                    tooltip="A line for each hand: which fingers touch, how deep the hand goes into the object at "
                    "most, and which finger does not reach it.",
                ),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, mesh=NO_MESH, **_):
        return NO_MESH if mesh in (None, NO_MESH) else hash_file(mesh_path(mesh))

    @classmethod
    @wires.checked
    def execute(cls, hands, object, size, side, number, mesh=NO_MESH, mesh_length=0.0, semantics=None) -> io.NodeOutput:
        chosen, said, overridden = chosen_hands(hands, side, number), [], ""
        if semantics is None:
            holding = hold_object(hands, object, size, chosen, progress(), load_mesh(mesh, object, mesh_length))
        elif mesh != NO_MESH:
            raise SesaHandError(
                "mesh and semantics both say what is held: choose none as mesh, or disconnect semantics."
            )
        else:
            holding, said = hold_described(hands, semantics, size, chosen, progress())
            overridden = f"overridden by semantics: object ({object})\n"
        report = "\n".join([describe_holding(holding), *said])
        show_on_node(overridden + report)
        return io.NodeOutput(holding.scene, report)


NODES = [HoldObject]
