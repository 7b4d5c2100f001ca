"""Make the shipped workflows and blueprints with the real ComfyUI frontend: UI files, API files, thumbnails.

    python tools/make_workflows.py                 all of them, from the descriptions in layouts/ and blueprints.py
    python tools/make_workflows.py --api-only      only workflows/api/*.json and thumbnails, from the UI files
    python tools/make_workflows.py --look FOLDER   also a screenshot of each at 100 %

The frontend itself builds, saves and converts the graphs, so they are what a user of it would have saved and exported.
Needs ComfyUI (COMFYUI_PATH), Playwright and Chromium, as the tests of the frontend do, and the hand detector's files:
`python -m sesahand get-detector`.
"""

import argparse
import json
import re
import sys
import tempfile
import uuid
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from blueprints import BLUEPRINTS, Blueprint  # noqa: E402
from browser import open_frontend  # noqa: E402
from comfy_install import FLOOR, find_comfyui  # noqa: E402
from comfy_server import ComfyServer  # noqa: E402
from layouts import WORKFLOWS  # noqa: E402
from layouts.parts import Workflow  # noqa: E402
from narrow_models import write_checkpoint, write_controlnet  # noqa: E402

from workflows import defaults  # noqa: E402

FOLDER = ROOT / "workflows"
SUBGRAPHS = ROOT / "subgraphs"
THUMBNAIL = 400

BUILD = """
([workflow, versions]) => {
    const TITLE = 30, GAP = 24, PADDING = 20, HEADING = 60;
    app.graph.clear();
    const made = {}, add = (type, x, y, width, height) => {
        const node = LiteGraph.createNode(type);
        app.graph.add(node);
        const least = node.computeSize();
        node.pos = [x, y];
        node.setSize([Math.max(width, least[0]), Math.max(height, least[1])]);
        const own = type.startsWith("SesaHand") ? "sesahand" : "comfy-core";
        Object.assign(node.properties, {cnr_id: own, ver: versions[own]});
        return node;
    };
    const set = (node, name, value) => {
        const widget = node.widgets.find(widget => widget.name === name);
        if (!widget) throw new Error(`${node.type} has no widget ${name}`);
        if (widget.options?.values && !widget.options.values.includes(value)) throw new Error(`${name}: no ${value}`);
        widget.value = value;
    };

    let left = 0;
    if (workflow.note) {
        const note = add("MarkdownNote", 0, 0, ...workflow.note_size);
        note.widgets[0].value = workflow.note;
        note.title = "About";
        left = workflow.note_size[0] + 2 * PADDING;
    }
    for (const group of workflow.groups) {
        const box = new LiteGraph.LGraphGroup(group.title);
        let x = left + PADDING, bottom = 0;
        for (const column of group.columns) {
            let y = 0, wide = 0;
            for (const spec of column) {
                const node = made[spec.name] = add(spec.type, x, y, spec.width, spec.height);
                for (const [name, value] of Object.entries(spec.widgets)) set(node, name, value);
                if (node.widgets?.some(widget => widget.name === "control_after_generate"))
                    set(node, "control_after_generate", "fixed");
                if (spec.models.length) node.properties.models = spec.models;
                y += node.size[1] + TITLE + GAP;
                wide = Math.max(wide, node.size[0]);
            }
            bottom = Math.max(bottom, y - TITLE - GAP);
            x += wide + PADDING;
        }
        box.color = group.color;
        box.pos = [left, -TITLE - HEADING];
        box.size = [x - left, bottom + TITLE + HEADING + PADDING];
        app.graph.add(box);
        left = x + PADDING;
    }
    for (const group of workflow.groups) for (const column of group.columns) for (const spec of column)
        for (const [input, source] of Object.entries(spec.inputs)) {
            const [from, output] = source.split(".");
            // What a subgraph gets from outside.
            if (!made[from] && workflow.inputs) continue;
            const slot = made[from].outputs.findIndex(slot => slot.name === output);
            const target = made[spec.name].inputs.findIndex(slot => slot.name === input);
            if (slot < 0 || target < 0 || !made[from].connect(slot, made[spec.name], target))
                throw new Error(`${source} does not connect to ${spec.name}.${input}`);
        }
    for (const [name, node] of Object.entries(made)) if (workflow.inputs) node.properties.described = name;
    app.graph.updateExecutionOrder();
}
"""

# Makes one subgraph of all that BUILD made, with the ports of its description, and returns it as it is published.
WRAP = """
([blueprint, versions]) => {
    const GAP = 100;
    const {subgraph, node} = app.graph.convertToSubgraph(new Set([...app.graph._nodes, ...app.graph._groups]));
    subgraph.name = node.title = blueprint.name;
    const made = Object.fromEntries(subgraph._nodes.map(inner => [inner.properties.described, inner]));
    for (const inner of subgraph._nodes) delete inner.properties.described;
    const slotOf = (slots, name, where) => {
        const slot = slots.find(slot => slot.name === name);
        if (!slot) throw new Error(`${where} does not exist`);
        return slot;
    };
    for (const [name, targets] of Object.entries(blueprint.inputs)) {
        let port;
        for (const target of targets) {
            const [inner, input] = target.split("."), slot = slotOf(made[inner].inputs, input, target);
            port ??= subgraph.addInput(name, String(slot.type));
            if (!port.connect(slot, made[inner])) throw new Error(`${name} does not connect to ${target}`);
        }
    }
    for (const [name, source] of Object.entries(blueprint.outputs)) {
        const [inner, output] = source.split("."), slot = slotOf(made[inner].outputs, output, source);
        if (!subgraph.addOutput(name, String(slot.type)).connect(slot, made[inner]))
            throw new Error(`${source} does not connect to ${name}`);
    }
    const boxes = subgraph._groups.map(group => group._bounding);
    const right = Math.max(...boxes.map(box => box[0] + box[2])), top = Math.min(...boxes.map(box => box[1]));
    subgraph.inputNode.arrange();
    subgraph.outputNode.arrange();
    subgraph.inputNode.pos = [-GAP - subgraph.inputNode.size[0], top];
    subgraph.outputNode.pos = [right + GAP, top];
    subgraph.inputNode.arrange();
    subgraph.outputNode.arrange();
    node.pos = [0, 0];
    node.setSize([Math.max(320, node.computeSize()[0]), node.computeSize()[1]]);
    Object.assign(node.properties, {cnr_id: "sesahand", ver: versions.sesahand});
    return JSON.stringify(app.graph.serialize());
}
"""


def versions() -> dict[str, str]:
    """Return the versions that the nodes' properties name."""
    line = next(text for text in (ROOT / "pyproject.toml").read_text().splitlines() if text.startswith("version = "))
    return {"sesahand": line.split('"')[1], "comfy-core": FLOOR.lstrip("v")}


def write_json(path: Path, data: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8", newline="\n")
    print(path.relative_to(ROOT))


def build(frontend, workflow: Workflow) -> dict:
    """Build a described workflow in the frontend and return it as saved."""
    frontend.page.evaluate(BUILD, [asdict(workflow), versions()])
    frontend.load(frontend.to_ui())  # opened once, so that saving it again changes nothing
    saved = frontend.to_ui()
    saved["extra"] = {"ds": {"scale": 0.75, "offset": [60, 160]}}
    # Every save has another identity; a fixed one keeps the files from changing when nothing did.
    saved["id"] = f"5e5a4a9d-0000-4000-8000-{sum(map(ord, workflow.name)):012d}"
    return saved


def with_fixed_ids(text: str, name: str) -> str:
    """Return JSON in which each random id of the frontend is one that the name and its order decide."""
    found = dict.fromkeys(re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", text))
    for number, random in enumerate(found):
        text = text.replace(random, str(uuid.uuid5(uuid.NAMESPACE_URL, f"sesahand/{name}/{number}")))
    return text


def build_blueprint(frontend, blueprint: Blueprint) -> dict:
    """Build a described subgraph in the frontend and return it as its Publish writes it."""
    described = asdict(blueprint)
    frontend.page.evaluate(BUILD, [described, versions()])
    frontend.load(json.loads(frontend.page.evaluate(WRAP, [described, versions()])))
    saved = json.loads(with_fixed_ids(json.dumps(frontend.to_ui()), blueprint.name))
    saved["extra"] = {"BlueprintDescription": blueprint.description}
    return saved


def leading_to(graph: dict, nodes: Iterable[str]) -> dict:
    """Return the part of a graph that some of its nodes need."""
    wanted, queue = {}, list(nodes)
    while queue:
        key = queue.pop()
        wanted[key] = graph[key]
        queue += [value[0] for value in graph[key]["inputs"].values() if isinstance(value, list)]
    return wanted


def with_sample_photograph(server: ComfyServer, graph: dict) -> dict:
    """Return a graph in which a drawing of two hands takes the place of the photograph that users choose."""
    photographs = [key for key, node in graph.items() if node["class_type"] == "LoadImage"]
    if not photographs:
        return graph

    def node(class_type: str, **given) -> dict:
        return defaults(server, class_type, **given)

    place = {"width": 768, "height": 512, "y": 0.52, "size": 0.7}
    sample = {
        "right": node("SesaHandPoseHand", gesture="ok"),
        "left": node("SesaHandPoseHand", gesture="open_palm", side="left"),
        "right there": node("SesaHandPlaceHand", hands=["right", 0], x=0.28, **place),
        "left there": node("SesaHandPlaceHand", hands=["left", 0], x=0.72, **place),
        "both": node("SesaHandCombineHands", hands_1=["right there", 0], hands_2=["left there", 0]),
        "sample": node("SesaHandRenderCondition", hands=["both", 0], forearm=True, antialias=True),
    }
    replaced = {}
    for key, entry in graph.items():
        links = {
            name: ["sample", 0] if isinstance(value, list) and value[0] in photographs else value
            for name, value in entry["inputs"].items()
        }
        replaced[key] = {**entry, "inputs": links}
    return replaced | sample


def thumbnail_pictures(server: ComfyServer, workflow: Workflow, api: dict) -> list:
    """Run what the thumbnail's pictures need and return them."""
    # The note is node 1, and the others follow in the order of the description.
    specs = [spec for group in workflow.groups for column in group.columns for spec in column]
    ids = {spec.name: str(number) for number, spec in enumerate(specs, 2)}
    types = {spec.name: spec.type for spec in specs}
    graph, chosen = with_sample_photograph(server, api), []
    for source in workflow.thumbnail:
        name, output, *index = source.split(".")
        outputs = server.get(f"/object_info/{types[name]}")[types[name]]["output_name"]
        shown = {"class_type": "PreviewImage", "inputs": {"images": [ids[name], outputs.index(output)]}}
        graph = graph | {source: shown}
        chosen.append((source, int(index[0]) if index else 0))
    run = server.run(leading_to(graph, workflow.thumbnail))
    return [run.images(source)[number].convert("RGB") for source, number in chosen]


def write_thumbnail(server: ComfyServer, workflow: Workflow, api: dict) -> None:
    """Write the pictures of the thumbnail side by side, or wide ones below each other."""
    from PIL import Image

    tiles = thumbnail_pictures(server, workflow, api)
    wide, high = tiles[0].size
    stacked = wide > high
    sheet = Image.new("RGB", (wide, high * len(tiles)) if stacked else (wide * len(tiles), high))
    for k, tile in enumerate(tiles):
        sheet.paste(tile.resize((wide, high)), (0, high * k) if stacked else (wide * k, 0))
    sheet.thumbnail((THUMBNAIL, THUMBNAIL))
    path = FOLDER / f"{workflow.name}.jpg"
    sheet.save(path, quality=88)
    print(path.relative_to(ROOT))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--api-only", action="store_true", help="leave the UI files as they are")
    parser.add_argument("--look", type=Path, help="folder for screenshots at 100 %%, taken after a run")
    parser.add_argument("names", nargs="*", help="only these workflows")
    options = parser.parse_args()
    chosen = [workflow for workflow in WORKFLOWS if workflow.name in options.names or not options.names]
    drawn = [blueprint for blueprint in BLUEPRINTS if blueprint.name in options.names or not options.names]
    with tempfile.TemporaryDirectory() as folder:
        for workflow in chosen:
            for model in (m for g in workflow.groups for c in g.columns for n in c for m in n.models):
                write = write_controlnet if model["directory"] == "controlnet" else write_checkpoint
                path = Path(folder, "models", model["directory"], model["name"])
                if not path.exists():
                    write(path)
        with ComfyServer(find_comfyui(), Path(folder)) as server, open_frontend(server.url) as frontend:
            for blueprint in drawn:
                path = SUBGRAPHS / f"{blueprint.name}.json"
                if not options.api_only:
                    write_json(path, build_blueprint(frontend, blueprint))
                frontend.load(json.loads(path.read_text(encoding="utf-8")))
                if options.look:
                    frontend.screenshot(options.look / f"{blueprint.name}.png")
                    frontend.page.evaluate("() => app.canvas.setGraph(app.graph._nodes[0].subgraph)")
                    frontend.screenshot(options.look / f"{blueprint.name}, inside.png")
                    frontend.page.evaluate("() => app.canvas.setGraph(app.graph)")
            for workflow in chosen:
                path = FOLDER / f"{workflow.name}.json"
                if not options.api_only:
                    write_json(path, build(frontend, workflow))
                frontend.load(json.loads(path.read_text(encoding="utf-8")))
                api = frontend.to_api()
                write_json(FOLDER / "api" / path.name, api)
                write_thumbnail(server, workflow, api)
                if options.look:
                    if workflow.name != "generate_hand":
                        frontend.run()
                    frontend.screenshot(options.look / f"{workflow.name}.png")


if __name__ == "__main__":
    main()
