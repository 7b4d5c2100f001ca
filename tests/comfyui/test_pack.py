"""The pack as ComfyUI sees it."""

import asyncio

import sesahand_pack
from sesahand_pack.nodes import FAMILIES


def test_every_family_registers_its_nodes():
    extension = asyncio.run(sesahand_pack.comfy_entrypoint())
    nodes = asyncio.run(extension.get_node_list())
    assert {node.__module__.rsplit(".", 1)[-1] for node in nodes} == set(FAMILIES)
