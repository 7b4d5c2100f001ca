"""The shipped subgraph blueprints: whole, tidy, and in the form that ComfyUI's frontend publishes them in."""

import json

import pytest

import workflows

FOLDER = workflows.ROOT / "subgraphs"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
INPUTS, OUTPUTS = -10, -20
TITLE = 30


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def saved(name):
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture
def subgraph(saved):
    [definition] = saved["definitions"]["subgraphs"]
    return definition


def test_the_two_are_there():
    assert NAMES == ["Pose to control maps", "Repair hand"]


def test_it_is_one_node_of_the_name_of_its_file(name, saved, subgraph):
    [node] = saved["nodes"]
    assert node["type"] == subgraph["id"] and not saved["links"]
    assert subgraph["name"] == name


def test_it_says_what_it_is_for_where_it_belongs_and_what_else_it_is_found_by(saved, subgraph):
    assert subgraph["description"] == saved["extra"]["BlueprintDescription"] and len(subgraph["description"]) > 60
    # Of core's own blueprints, so that ours stand beside them.
    assert subgraph["category"] in (
        "Conditioning & Preprocessors/Pose",
        "Image generation and editing/Inpaint image",
    )
    words = saved["extra"]["BlueprintSearchAliases"]
    assert "hand" in words and len(set(words)) == len(words) >= 4


def test_every_port_of_the_node_leads_into_the_subgraph_and_has_its_type(saved, subgraph):
    [node] = saved["nodes"]
    for kind in ("inputs", "outputs"):
        assert [(port["name"], port["type"]) for port in node[kind]] == [
            (port["name"], port["type"]) for port in subgraph[kind]
        ]
        assert all(port["linkIds"] for port in subgraph[kind])


def test_links_hold_together(subgraph):
    nodes = {node["id"]: node for node in subgraph["nodes"]}
    links = {link["id"]: link for link in subgraph["links"]}
    assert len(nodes) == len(subgraph["nodes"]) and len(links) == len(subgraph["links"])
    for number, link in links.items():
        if link["origin_id"] == INPUTS:
            assert number in subgraph["inputs"][link["origin_slot"]]["linkIds"]
        else:
            assert number in nodes[link["origin_id"]]["outputs"][link["origin_slot"]]["links"]
        if link["target_id"] == OUTPUTS:
            assert subgraph["outputs"][link["target_slot"]]["linkIds"] == [number]
        else:
            assert nodes[link["target_id"]]["inputs"][link["target_slot"]]["link"] == number
    used = {entry["link"] for node in nodes.values() for entry in node["inputs"] if entry["link"] is not None}
    assert used <= set(links)


def test_nothing_is_bypassed_and_every_node_names_its_pack(saved, subgraph):
    for node in [*saved["nodes"], *subgraph["nodes"]]:
        assert node["mode"] == 0
        core = not node["type"].startswith("SesaHand") and node["type"] != subgraph["id"]
        assert node["properties"]["cnr_id"] == ("comfy-core" if core else "sesahand") and node["properties"]["ver"]


def test_seeds_are_fixed(subgraph):
    for node in subgraph["nodes"]:
        assert not {"randomize", "increment", "decrement"} & {v for v in node["widgets_values"] if isinstance(v, str)}


def test_no_node_lies_on_another_or_on_the_ends(subgraph):
    boxes = [(*node["pos"], *node["size"]) for node in subgraph["nodes"]]
    boxes += [subgraph[end]["bounding"] for end in ("inputNode", "outputNode")]
    edges = [(x, y - TITLE, x + wide, y + high) for x, y, wide, high in boxes]
    for i, a in enumerate(edges):
        for b in edges[i + 1 :]:
            assert not (a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3])
