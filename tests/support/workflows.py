"""The workflows that the pack ships, read for the tests."""

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "workflows"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))


def read_ui(name: str) -> dict:
    """Return a workflow as the frontend saves it."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def read_api(name: str) -> dict:
    """Return a workflow as the server takes it."""
    return json.loads((FOLDER / "api" / f"{name}.json").read_text(encoding="utf-8"))


def all_nodes(ui: dict) -> list[dict]:
    """Return the nodes of a workflow as the frontend saves it, with those inside its subgraphs."""
    inside = ui.get("definitions", {}).get("subgraphs", [])
    return [node for graph in (ui, *inside) for node in graph["nodes"]]


def needed_core(name: str) -> tuple[int, ...]:
    """Return the first release of ComfyUI that has all nodes of a workflow, such as (0, 3, 64): what its nodes say."""
    versions = {
        n["properties"]["ver"] for n in all_nodes(read_ui(name)) if n["properties"].get("cnr_id") == "comfy-core"
    }
    return max(tuple(int(number) for number in version.split(".")) for version in versions)


def skip_without_nodes(name: str, core: tuple[int, ...]) -> None:
    """Skip a test of a workflow on a ComfyUI that lacks some of its nodes."""
    import pytest

    if core < needed_core(name):
        pytest.skip(f"{name} needs ComfyUI {'.'.join(map(str, needed_core(name)))}")


def linked_models() -> list[dict]:
    """Return the models that the loaders of the workflows link to, each once: name, url and directory."""
    nodes = (node for name in NAMES for node in read_ui(name)["nodes"])
    models = {model["name"]: model for node in nodes for model in node["properties"].get("models", [])}
    return [models[name] for name in sorted(models)]


def assert_same_graph(found: dict, expected: dict) -> None:
    """Fail unless two graphs in API format are the same but for what cores word differently.

    Titles and versions of nodes are notes for people, and a core node may have got or lost a widget; all that it has in
    both, and all of this pack's, must agree.
    """
    assert found.keys() == expected.keys()
    for key, node in expected.items():
        assert found[key]["class_type"] == node["class_type"]
        ours = node["class_type"].startswith("SesaHand")
        there, wanted = found[key]["inputs"], node["inputs"]
        linked = {name for inputs in (there, wanted) for name, value in inputs.items() if isinstance(value, list)}
        names = there.keys() | wanted.keys() if ours else there.keys() & wanted.keys() | linked
        assert {n: there.get(n) for n in names} == {n: wanted.get(n) for n in names}, node["class_type"]


def nodes_of(api: dict, class_type: str) -> list[str]:
    """Return the ids of a graph's nodes of one type."""
    return [key for key, node in api.items() if node["class_type"] == class_type]


def defaults(server, class_type: str, **given) -> dict:
    """Return a node in API format with its widgets at their defaults."""
    info = server.get(f"/object_info/{class_type}")[class_type]["input"]
    inputs = {}
    for name, (kind, *details) in (info.get("required", {}) | info.get("optional", {})).items():
        options = details[0] if details else {}
        if "default" in options:
            inputs[name] = options["default"]
        elif kind == "COMBO" and options.get("options"):
            inputs[name] = options["options"][0]
    return {"class_type": class_type, "inputs": inputs | given}
