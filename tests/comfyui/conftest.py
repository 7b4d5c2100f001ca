"""What holds for every run of a node in these tests: it changes neither its inputs nor anything of the process."""

import asyncio
import random
import sys

import pytest


@pytest.fixture(scope="session", autouse=True)
def executed_nodes():
    """Watch every execute of the pack's nodes; gives the names of the nodes that have run."""
    # Here, because this file is also read by the process that only relays these tests and has no ComfyUI.
    import cv2  # noqa: F401  puts fonts of Qt into the environment when it is imported, whoever is the first to do so
    import sesahand_pack
    from side_effects import watched

    from comfy_api.latest import ui

    # ComfyUI draws the names of previews from the shared generator, and no node can help that.
    sys.modules[ui.PreviewImage.__module__].random = random.Random()
    extension = asyncio.run(sesahand_pack.comfy_entrypoint())
    with watched(asyncio.run(extension.get_node_list())) as run:
        yield run
