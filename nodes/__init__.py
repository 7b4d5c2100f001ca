"""The node families, in the order in which a graph uses them."""

import importlib
import logging

from comfy_api.latest import ComfyExtension, io

logger = logging.getLogger(__name__)

FAMILIES = (
    "caption",
    "semantics",
    "hand",
    "condition",
    "control",
    "attention",
    "detection",
    "load_reconstructor",
    "reconstruction",
    "scoring",
    "inpaint",
    "pictures",
    "assets",
    "dataset",
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


class SesaHandExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return load_families()
