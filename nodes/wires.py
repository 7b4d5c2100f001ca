"""The types that travel on SesaHand's wires, and what all node families need at their edges."""

from torch import Tensor

from comfy_api.latest import io

VLM = io.Custom("SESAHAND_VLM")
Semantics = io.Custom("SESAHAND_SEMANTICS")
HandModel = io.Custom("SESAHAND_HAND_MODEL")
Hands = io.Custom("SESAHAND_HANDS")
Attention = io.Custom("SESAHAND_ATTENTION")


def check_choices(node: type[io.ComfyNode], **values) -> bool | str:
    """Return True if each value is an option of the node's combo of that name, else what is wrong, for validate_inputs.

    ComfyUI checks the combos of V1 nodes, but not those of V3 nodes. A linked input has no value yet.
    """
    for entry in node.define_schema().inputs:
        value = values.get(entry.id)
        if value is not None and value not in entry.options:
            return f"{entry.id} is {str(value)[:80]!r}, expected one of: {', '.join(entry.options)}."
    return True


def core_mesh(vertices: Tensor, faces: Tensor):
    """Return core's MESH of vertices `[B, V, 3]` and faces `[B, T, 3]`."""
    from comfy_api import latest

    types = getattr(latest, "Types", None)
    if hasattr(types, "MESH"):
        return types.MESH(vertices=vertices, faces=faces)
    # Until ComfyUI 0.3.68 the type lived in the file of the nodes that first needed it.
    from comfy_extras.nodes_hunyuan3d import MESH

    return MESH(vertices, faces)
