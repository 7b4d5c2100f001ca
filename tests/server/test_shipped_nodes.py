"""Which nodes the shipped workflows and blueprints are made of, and whether this ComfyUI still stands by them."""

import json

import pytest

import workflows

GRAPHS = [*workflows.NAMES, *sorted(path.name for path in (workflows.ROOT / "subgraphs").glob("*.json"))]


def types_of(name: str) -> set[str]:
    """Return the types of the nodes of a workflow, or of those within a blueprint."""
    if name in workflows.NAMES:
        return {node["class_type"] for node in workflows.read_api(name).values()}
    saved = json.loads((workflows.ROOT / "subgraphs" / name).read_text(encoding="utf-8"))
    return {node["type"] for graph in saved["definitions"]["subgraphs"] for node in graph["nodes"]}


@pytest.fixture(scope="module")
def known(comfyui_server):
    return comfyui_server.get("/object_info")


@pytest.mark.parametrize("name", GRAPHS)
def test_every_node_is_there_and_none_is_deprecated(name, known, comfyui_server):
    if name in workflows.NAMES:
        workflows.skip_without_nodes(name, comfyui_server.installation.version)
    types = types_of(name)
    assert types and types - set(known) == set()
    assert {node for node in types if known[node].get("deprecated")} == set()


def test_a_deprecated_node_would_be_found(known):
    """Each core marks some: the marks are where the other test looks for them."""
    assert any(node.get("deprecated") for node in known.values())
