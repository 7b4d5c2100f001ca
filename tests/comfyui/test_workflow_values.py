"""The shipped workflows against the nodes themselves: types, values, ranges, and the order of widgets."""

import asyncio
import copy

import pytest
from comfyui_version import __version__
from sesahand_pack import nodes as pack_nodes

import nodes as core
import workflows

# Core nodes whose widgets are made in the browser, or that are there for people only.
NOTES = {"MarkdownNote", "Note"}
# Widgets without a say that the browser adds to nodes of core: those that are saved, and those that are not.
ADDED = {"SaveGLB": ["image"], "Preview3D": ["image"]}
SHOWN = {"PreviewAny": {"preview"}}
SEEDS = {"seed", "noise_seed"}
WIDGETS = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}
FRONTEND_ONLY = {"control_after_generate", "upload"}
AFTER_GENERATE = {"fixed", "increment", "decrement", "randomize"}


@pytest.fixture(scope="module")
def node_types():
    """Every node by its id: core's, and ours as the frontend gets to know them."""
    asyncio.run(core.init_builtin_extra_nodes())
    ours = {node.define_schema().node_id: node for node in pack_nodes.load_families()}
    return core.NODE_CLASS_MAPPINGS | ours


def inputs_of(node) -> dict[str, tuple]:
    """Return type and options of each input in the order in which a node has them: required ones first."""
    given = node.INPUT_TYPES()
    return {name: spec for kind in ("required", "optional") for name, spec in given.get(kind, {}).items()}


def kind_of(spec: tuple) -> str:
    return "COMBO" if isinstance(spec[0], list) else spec[0]


def options_of(spec: tuple) -> dict:
    return spec[1] if len(spec) > 1 else {}


def choices_of(spec: tuple) -> list | None:
    return spec[0] if isinstance(spec[0], list) else options_of(spec).get("options")


def faults_of_value(name: str, spec: tuple, value, linkable: set[str]) -> list[str]:
    """Return what is wrong with the value of a widget; `linkable` are names of files that the workflow links to."""
    kind, options = kind_of(spec), options_of(spec)
    if kind in ("INT", "FLOAT"):
        number = isinstance(value, int | float) and not isinstance(value, bool) and (kind == "FLOAT" or value % 1 == 0)
        inside = number and options.get("min", value) <= value <= options.get("max", value)
        return [] if inside else [f"{name}: {value!r} is no number from {options.get('min')} to {options.get('max')}"]
    if kind == "BOOLEAN":
        return [] if isinstance(value, bool) else [f"{name}: {value!r} is neither true nor false"]
    if kind == "STRING":
        return [] if isinstance(value, str) else [f"{name}: {value!r} is no text"]
    if kind == "COMBO":
        known = value in (choices_of(spec) or []) or value in linkable or "image_upload" in options
        return [] if known else [f"{name}: {value!r} is not an option"]
    return [f"{name} takes a link, not {value!r}"]


def faults_of_graph(api: dict, types: dict, linkable: set[str]) -> list[str]:
    """Return what is wrong with a graph in API format: unknown nodes and inputs, missing links, wrong types, values."""
    faults = []
    for key, entry in api.items():
        node = types.get(entry["class_type"])
        if node is None:
            faults.append(f"{key}: there is no node {entry['class_type']}")
            continue
        if getattr(node, "DEPRECATED", False):
            faults.append(f"{entry['class_type']} is deprecated")
        shown = {*ADDED.get(entry["class_type"], ()), *SHOWN.get(entry["class_type"], ())}
        entry = {**entry, "inputs": {name: value for name, value in entry["inputs"].items() if name not in shown}}
        known = inputs_of(node)
        found = [f"{name} is not an input" for name in set(entry["inputs"]) - set(known)]
        found += [f"{name} is missing" for name in set(node.INPUT_TYPES().get("required", {})) - set(entry["inputs"])]
        for name, value in entry["inputs"].items():
            if name in known and isinstance(value, list):
                source = types[api[value[0]]["class_type"]]
                given, taken = source.RETURN_TYPES[value[1]], kind_of(known[name]).split(",")
                # A combo takes a text over a link, and checks it when it runs.
                if "*" not in (given, *taken) and not set(given.split(",")) & set(taken):
                    found.append(f"{name} takes {taken}, not {given}")
            elif name in known:
                found += faults_of_value(name, known[name], value, linkable)
        faults += [f"{key} ({entry['class_type']}): {fault}" for fault in found]
    return faults


def widgets_of(node_id: str, node) -> list[tuple[str, tuple]]:
    """Return name and type of each value that the frontend saves of a node, in order."""
    expected = []
    for name, spec in inputs_of(node).items():
        options = options_of(spec)
        # An input of several types may have the widget of one of them.
        kind = options.get("widgetType", kind_of(spec))
        if kind not in WIDGETS or options.get("forceInput"):
            continue
        expected.append((name, spec if kind == kind_of(spec) else (kind, options)))
        if options.get("control_after_generate", name in SEEDS):
            expected.append(("control_after_generate", ([*AFTER_GENERATE],)))
        if options.get("image_upload"):
            expected.append(("upload", (["image"],)))
    return expected + [(name, ("STRING",)) for name in ADDED.get(node_id, ())]


def saved_widgets(entry: dict, node) -> list[tuple[str, tuple]]:
    """Return name and type of each value that a node in UI format has; core's may lack optional ones that are newer."""
    expected, optional = widgets_of(entry["type"], node), node.INPUT_TYPES().get("optional", {})
    ours = entry["type"].startswith("SesaHand")
    while not ours and len(expected) > len(entry.get("widgets_values", [])) and expected[-1][0] in optional:
        expected.pop()
    return expected


def faults_of_widgets(entry: dict, node) -> list[str]:
    """Return what is wrong with the positions of a node's values in UI format."""
    values, expected = list(entry.get("widgets_values", [])), saved_widgets(entry, node)
    if len(values) != len(expected):
        return [f"{entry['type']} has {len(values)} values for {len(expected)} widgets"]
    own = {model["name"] for model in entry["properties"].get("models", [])}
    return [
        f"{entry['type']}: {fault}"
        for (name, spec), value in zip(expected, values, strict=True)
        for fault in faults_of_value(name, spec, value, own)
    ]


def converted(ui: dict, types: dict) -> dict:
    """Return a workflow without subgraphs in API format, worked out from the file and the nodes' inputs alone."""
    sources = {link[0]: [str(link[1]), link[2]] for link in ui["links"]}
    api = {}
    for entry in ui["nodes"]:
        if entry["type"] in NOTES:
            continue
        values = iter(entry.get("widgets_values", []))
        inputs = {}
        for name, _ in saved_widgets(entry, types[entry["type"]]):
            value = next(values)
            if name not in FRONTEND_ONLY:
                inputs[name] = value
        linked = {slot["name"]: sources[slot["link"]] for slot in entry["inputs"] if slot.get("link") is not None}
        api[str(entry["id"])] = {"class_type": entry["type"], "inputs": inputs | linked}
    return api


def linked_files(ui: dict) -> set[str]:
    return {model["name"] for node in workflows.all_nodes(ui) for model in node["properties"].get("models", [])}


@pytest.fixture(params=workflows.NAMES)
def name(request):
    workflows.skip_without_nodes(request.param, tuple(int(number) for number in __version__.split(".")[:3]))
    return request.param


def test_every_node_input_link_and_value_of_the_graph_is_known_and_allowed(name, node_types):
    assert faults_of_graph(workflows.read_api(name), node_types, linked_files(workflows.read_ui(name))) == []


def test_the_values_in_the_file_are_those_of_the_nodes_widgets_in_their_order(name, node_types):
    ui = workflows.read_ui(name)
    subgraphs = {subgraph["id"] for subgraph in ui.get("definitions", {}).get("subgraphs", [])}
    entries = [node for node in workflows.all_nodes(ui) if node["type"] not in NOTES | subgraphs]
    assert [fault for entry in entries for fault in faults_of_widgets(entry, node_types[entry["type"]])] == []


def test_the_api_file_says_what_the_ui_file_says(name, node_types):
    ui = workflows.read_ui(name)
    if ui.get("definitions", {}).get("subgraphs"):
        pytest.skip("the frontend alone flattens subgraphs; tests/frontend compares its answer")
    api = workflows.read_api(name)
    found = converted(ui, node_types)
    assert found.keys() == api.keys()
    for key, entry in api.items():
        shown = SHOWN.get(entry["class_type"], set())
        assert found[key]["class_type"] == entry["class_type"]
        assert found[key]["inputs"] == {name: value for name, value in entry["inputs"].items() if name not in shown}


@pytest.mark.parametrize(
    ("node", "change", "complaint"),
    [
        ("SesaHandPoseHand", {"gesture": "no_such"}, "gesture: 'no_such' is not an option"),
        ("SesaHandPoseHand", {"jitter": 31.0}, "jitter: 31.0 is no number from 0.0 to 30.0"),
        ("SesaHandPoseHand", {"gestures": "fist"}, "gestures is not an input"),
        ("SesaHandRenderCondition", {"antialias": 1}, "antialias: 1 is neither"),
        ("SesaHandRenderCondition", {"hands": ["ckpt", 0]}, "takes ['SESAHAND_HANDS'], not MODEL"),
        ("SaveImage", {"images": None}, "images takes a link"),
    ],
)
def test_what_is_wrong_in_a_graph_is_found(node, change, complaint, node_types):
    api = copy.deepcopy(workflows.read_api("pose_and_render"))
    api["ckpt"] = {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "linked.safetensors"}}
    assert faults_of_graph(api, node_types, {"linked.safetensors"}) == []
    api[workflows.nodes_of(api, node)[0]]["inputs"].update(change)
    [fault] = faults_of_graph(api, node_types, {"linked.safetensors"})
    assert complaint in fault


def test_values_that_have_moved_by_one_are_found(node_types):
    [pose, *_] = [n for n in workflows.read_ui("pose_and_render")["nodes"] if n["type"] == "SesaHandPoseHand"]
    node = node_types["SesaHandPoseHand"]
    assert faults_of_widgets(pose, node) == []
    values = pose["widgets_values"]
    assert faults_of_widgets({**pose, "widgets_values": [values[-1], *values[:-1]]}, node)
    assert faults_of_widgets({**pose, "widgets_values": values[:-1]}, node)
