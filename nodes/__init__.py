"""The node families, in the order in which a graph uses them."""

import importlib
import logging

from comfy_api.latest import ComfyExtension, io

from ..sesahand.errors import SesaHandError

logger = logging.getLogger(__name__)

FAMILIES = (
    "caption",
    "semantics",
    "picture_encoding",
    "hand",
    "fingers",
    "holding",
    "editing",
    "condition",
    "control",
    "attention",
    "detection",
    "load_reconstructor",
    "reconstruction",
    "scoring",
    "inpaint",
    "repair",
    "pictures",
    "assets",
    "dataset",
    "planned",
    "model",
)


def load_families(families: tuple[str, ...] = FAMILIES) -> list[type[io.ComfyNode]]:
    """Import each family's nodes; one that fails is reported and left out, so that the others still load."""
    nodes = []
    for family in families:
        try:
            nodes += importlib.import_module(f".{family}", __name__).NODES
        except Exception as error:
            logger.error("SesaHand: the '%s' nodes are missing, because their file did not load: %r", family, error)
    return nodes


def show_errors_by_name(kind: type[Exception] = SesaHandError) -> None:
    """Let ComfyUI put a short name in front of our sentences, where it puts the path of the errors' module.

    It names an error by its module, which for a pack is a path on the user's disk, and by its name alone where that is
    builtins. Only here: outside ComfyUI errors are pickled, on their way out of the workers that read training data.
    """
    kind.__module__ = "builtins"
    for derived in kind.__subclasses__():
        show_errors_by_name(derived)


class SesaHandExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        nodes = load_families()
        show_errors_by_name()
        return nodes
