"""The types that travel on SesaHand's wires, and what all node families need at their edges."""

import functools
import inspect
from collections.abc import Callable
from itertools import chain

from comfy_execution.graph_utils import ExecutionBlocker

from comfy_api.latest import io

from ..sesahand.errors import SesaHandError, quote
from ..sesahand.export.core_mesh import surface_mesh
from ..sesahand.export.scene_mesh import scene_mesh
from ..sesahand.scene.hand_scene import HandScene

OWN = "SESAHAND_"
"""How the types begin that only this pack has."""
VLM = io.Custom("SESAHAND_VLM")
Semantics = io.Custom("SESAHAND_SEMANTICS")
HandModel = io.Custom("SESAHAND_HAND_MODEL")
Hands = io.Custom("SESAHAND_HANDS")
Attention = io.Custom("SESAHAND_ATTENTION")
Landmarks = io.Custom("SESAHAND_LANDMARKS")
Reconstructor = io.Custom("SESAHAND_RECONSTRUCTOR")
Scores = io.Custom("SESAHAND_SCORES")
Crop = io.Custom("SESAHAND_CROP")

# Types of core and of other packs by their names: ComfyUI 0.3.64 has no classes for most of them.
BoundingBox = io.Custom("BOUNDING_BOX")
PoseKeypoints = io.Custom("POSE_KEYPOINT")
BodyPose = io.Custom("MHR_POSE_DATA")
ViewerCamera = io.Custom("LOAD3D_CAMERA")
File3D = io.Custom("FILE_3D")
NOTHING_YET = "none yet"
"""The only choice of a combo that has none."""

# A message names at most this many options.
MAX_LISTED = 40


def found_by(*words: str) -> dict[str, list[str]]:
    """Return what makes a node's Schema be found by these words too; ComfyUI 0.3.64 searches names alone."""
    return {"search_aliases": list(words)} if "search_aliases" in io.Schema.__dataclass_fields__ else {}


def rare() -> dict[str, bool]:
    """Return what makes an input be folded away until it is asked for; ComfyUI 0.3.64 shows all inputs always."""
    return {"advanced": True} if "advanced" in inspect.signature(io.Input.__init__).parameters else {}


def named_outputs(node: type[io.ComfyNode], values: dict, ui=None) -> io.NodeOutput:
    """Return a node's outputs by their ids, in whichever order its schema has them."""
    return io.NodeOutput(*(values[output.id] for output in node.define_schema().outputs), ui=ui)


def listed(names) -> list[str]:
    """Return names for a combo that a folder fills, or in an empty one a word that can be sent and is refused by us.

    Of an input without a choice, ComfyUI only says that it is missing.
    """
    return list(names) or [NOTHING_YET]


def checks(
    *rules: Callable[..., None], **readers: Callable[[str], object]
) -> Callable[[type[io.ComfyNode]], type[io.ComfyNode]]:
    """Decorate a node: what is typed into it is checked before a graph runs, and one bad value is one error.

    Its combos are checked, too: by the server where it does that, else here. A linked input has no value yet, which
    looks like null; `checked` refuses null when the node runs.

    Args:
        rules: What several inputs must be together: each is called with the inputs that its parameters name, None for
            linked ones and without those that are not there, or raises a SesaHandError.
        readers: For each input that needs more than its widget gives: what reads its value, or raises a SesaHandError.
    """
    ruled = {rule: list(inspect.signature(rule).parameters) for rule in rules}

    def decorate(node: type[io.ComfyNode]) -> type[io.ComfyNode]:
        combos = [entry.id for entry in node.define_schema().inputs if isinstance(entry, io.Combo.Input)]
        names = dict.fromkeys([*readers, *chain(*ruled.values()), *([] if core_checks_combos() else combos)])

        def validate_inputs(cls, **values) -> bool | str:
            known = {name: value for name, value in values.items() if value is not None}
            fault = _fault_of_reading(readers, known) or find_fault(cls, known) or _fault_of_rules(ruled, values)
            if fault and len(values) > 1:
                # ComfyUI shows what is returned once for each input that was asked for, and what is raised once.
                raise SesaHandError(fault)
            return fault or True

        if names:
            # ComfyUI asks for the inputs that are named here, and leaves these out of its own checks.
            kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
            named = [inspect.Parameter(name, kind, default=None) for name in names]
            validate_inputs.__signature__ = inspect.Signature([inspect.Parameter("cls", kind), *named])
            node.validate_inputs = classmethod(validate_inputs)
        return node

    return decorate


def core_checks_combos() -> bool:
    """Tell whether this ComfyUI compares the combos of V3 nodes with their options, as 0.33 does and 0.3.64 does not.

    A wrong no costs nothing: they are then checked here instead.
    """
    import execution

    try:
        return "Combo.io_type" in inspect.getsource(execution.validate_inputs)
    except (OSError, TypeError):
        return False


def checked(execute):
    """Decorate a node's execute: refuse widget values out of their range, also those that came over a wire.

    ComfyUI compares typed-in numbers with their range before a graph runs, which NaN passes, and checks nothing that is
    linked.
    """

    @functools.wraps(execute)
    def run(cls, **values):
        fault = find_fault(cls, values)
        if fault:
            raise SesaHandError(fault)
        try:
            return execute(cls, **values)
        except (MemoryError, RuntimeError) as error:
            # torch has no class for memory of the processor that it did not get.
            if isinstance(error, RuntimeError) and "DefaultCPUAllocator" not in str(error):
                raise
            raise SesaHandError(
                "There is not enough memory for this: take fewer or smaller pictures at a time, or fewer hands."
            ) from error

    return run


def find_fault(node: type[io.ComfyNode], values: dict) -> str | None:
    """Return what is wrong with the first value that its widget could not have, or None."""
    faults = (_fault_of(entry, values[entry.id]) for entry in node.define_schema().inputs if entry.id in values)
    return next(filter(None, faults), None)


def _fault_of_reading(readers: dict[str, Callable[[str], object]], values: dict) -> str | None:
    for name, read in readers.items():
        try:
            # Of an empty list there is a better word than what its reader would say.
            if name in values and values[name] != NOTHING_YET:
                read(values[name])
        except SesaHandError as error:
            return str(error)
    return None


def _fault_of_rules(rules: dict[Callable[..., None], list[str]], values: dict) -> str | None:
    for rule, names in rules.items():
        try:
            rule(**{name: values[name] for name in names if name in values})
        except SesaHandError as error:
            return str(error)
    return None


def _fault_of(entry: io.Input, value) -> str | None:
    if isinstance(entry, io.Combo.Input) and (value not in entry.options or value == NOTHING_YET):
        if entry.options in ([], [NOTHING_YET]):
            return f"{entry.id} is {quote(value)}, but there is nothing to choose from yet. {entry.tooltip}"
        more = ", ..." if len(entry.options) > MAX_LISTED else ""
        return f"{entry.id} is {quote(value)}, expected one of: {', '.join(entry.options[:MAX_LISTED])}{more}."
    own = all(name.startswith(OWN) for name in entry.get_io_type().split(","))
    if own and isinstance(value, str | int | float | list | dict):
        # Core passes what a prompt has in the place of a link.
        return f"{entry.id} is {quote(value)}, which is no output of a node: connect one."
    if isinstance(entry, io.Int.Input | io.Float.Input):
        number = isinstance(value, int | float)
        if not number or not entry.min <= value <= entry.max:
            return f"{entry.id} is {quote(value)}, expected a finite number from {entry.min} to {entry.max}."
    return None


def core_mesh(hands: HandScene, forearm: bool):
    """Return core's MESH of hands: cut for texture coordinates and with normals if it has a place for both.

    Without hands, what follows does not run: core's nodes cannot draw a mesh of nothing.
    """
    from comfy_api import latest

    if not len(hands):
        return ExecutionBlocker(None)

    types = getattr(latest, "Types", None)
    if hasattr(types, "MESH"):
        mesh_type = types.MESH
    else:
        # Until ComfyUI 0.3.68 the type lived in the file of the nodes that first needed it.
        from comfy_extras.nodes_hunyuan3d import MESH as mesh_type
    if not {"uvs", "normals"} <= set(inspect.signature(mesh_type.__init__).parameters):
        return mesh_type(*scene_mesh(hands, forearm))
    mesh = surface_mesh(hands, forearm)
    return mesh_type(mesh.vertices, mesh.faces, uvs=mesh.uvs, normals=mesh.normals)


def core_file_3d(path: str):
    """Return core's File3D of a file, or its path where this core has no such type, as ComfyUI 0.3.64."""
    from comfy_api import latest

    file_3d = getattr(getattr(latest, "Types", None), "File3D", None)
    return path if file_3d is None else file_3d(path)
