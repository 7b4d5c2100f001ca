"""Make the shipped workflows and blueprints with the real ComfyUI frontend: UI files, API files, thumbnails.

    python tools/make_workflows.py                 all of them, from the descriptions in layouts/ and blueprints.py
    python tools/make_workflows.py --api-only      only workflows/api/*.json and thumbnails, from the UI files
    python tools/make_workflows.py --look FOLDER   also a screenshot of each at 100 % in each frontend

The floor's frontend builds, saves and converts the graphs, so they are what a user of it would have saved and exported;
those with nodes that the floor lacks are built by the newest frontend, and opened on the current core alone.
How much room a node takes differs between frontends and grows when its pictures arrive. So all are built twice: each
frontend of tests/support/sites.py opens what came out first and says how large its nodes become, and then they are laid
out with the most that any of them needs. What comes out is opened in all of them once more, and no node may lie on
another.

Needs both ComfyUIs (COMFYUI_PATH, COMFYUI_CURRENT_PATH), Playwright and Chromium, as the tests of the frontend do, and
the hand detector's files: `python -m sesahand get-detector`.
"""

import argparse
import json
import re
import sys
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from blueprints import BLUEPRINTS, Blueprint
from browser import Frontend, open_frontend
from comfy_install import FLOOR, find_comfyui
from comfy_server import ComfyServer, stand_in
from layouts import WORKFLOWS
from layouts.parts import Workflow
from rectangles import enter_subgraph, faults, needed_sizes, show_made_up_results, show_rare_inputs
from sites import DRAWN, Site

from workflows import defaults

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "workflows"
SUBGRAPHS = ROOT / "subgraphs"
THUMBNAIL = 400
# Where the pictures of a thumbnail are by their number: left, top, right and bottom as fractions of it.
PARTS = {
    1: [(0, 0, 1, 1)],
    2: [(0, 0, 1, 1), (0.68, 0.68, 0.97, 0.97)],
    3: [(0, 0, 1, 2 / 3), (0, 2 / 3, 1 / 2, 1), (1 / 2, 2 / 3, 1, 1)],
    4: [(x / 2, y / 2, x / 2 + 1 / 2, y / 2 + 1 / 2) for y in range(2) for x in range(2)],
    6: [(x / 2, y / 3, x / 2 + 1 / 2, y / 3 + 1 / 3) for y in range(3) for x in range(2)],
}
# Of notes: dark enough for the grey text and the links of newer frontends, and a yellow that the light palette, which
# lightens the colours of nodes, makes bright enough for its dark ones.
NOTE_COLORS = {"color": "#3d3210", "bgcolor": "#2b230b"}

BUILD = """
([workflow, versions, needs, colors]) => {
    const TITLE = 30, GAP = 44, PADDING = 24, BETWEEN = 40, HEADING = 60;
    app.graph.clear();
    const room = (name, size) => [0, 1].map(axis => Math.max(size[axis], needs[name]?.[axis] ?? 0));
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
        const [wide, high] = room("note", [workflow.note_size[0], workflow.note_size[1] + TITLE]);
        const note = made.note = add("MarkdownNote", 0, 0, wide, high - TITLE);
        note.widgets[0].value = workflow.note;
        note.title = "About";
        Object.assign(note, colors);
        left = note.size[0] + BETWEEN;
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
                const [width, height] = room(spec.name, [node.size[0], node.size[1] + TITLE]);
                y += height + GAP;
                wide = Math.max(wide, width);
            }
            bottom = Math.max(bottom, y - TITLE - GAP);
            x += wide + BETWEEN;
        }
        x += PADDING - BETWEEN;
        box.color = group.color;
        box.pos = [left, -TITLE - HEADING];
        box.size = [x - left, bottom + TITLE + HEADING + PADDING];
        app.graph.add(box);
        left = x + BETWEEN;
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
    return Object.fromEntries(Object.entries(made).map(([name, node]) => [name, node.id]));
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


def versions(described: Workflow | Blueprint) -> dict[str, str]:
    """Return the versions that the nodes' properties name."""
    line = next(text for text in (ROOT / "pyproject.toml").read_text().splitlines() if text.startswith("version = "))
    return {"sesahand": line.split('"')[1], "comfy-core": described.since or FLOOR.lstrip("v")}


def write_json(path: Path, data: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8", newline="\n")
    print(path.relative_to(ROOT))


@dataclass
class Draft:
    """A described graph and how much room each of its nodes needs, which measuring finds out."""

    described: Workflow | Blueprint
    sizes: dict[str, list[float]] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)
    graph: dict = field(default_factory=dict)

    @property
    def home(self) -> Site:
        """Where it is built."""
        return DRAWN["newest" if self.described.since else "floor"]

    def opens_in(self, site: Site) -> bool:
        return not self.described.since or site.core != "floor"

    def build(self, frontend: Frontend) -> None:
        """Build it in the frontend, with the sizes that are known, and keep it as saved."""
        given = [asdict(self.described), versions(self.described), self.sizes, NOTE_COLORS]
        # Newer frontends number nodes by texts.
        self.ids = {name: int(number) for name, number in frontend.page.evaluate(BUILD, given).items()}
        frontend.load(frontend.to_ui())  # opened once, so that saving it again changes nothing
        self.graph = frontend.to_ui()

    def measure(self, frontend: Frontend, server: ComfyServer) -> None:
        """Open it and note what its nodes need: as they are, with their pictures, and with all inputs unfolded."""
        frontend.load(self.graph)
        self.note_sizes(frontend)
        show_made_up_results(frontend, server)
        self.note_sizes(frontend)
        show_rare_inputs(frontend, True)
        self.note_sizes(frontend)
        show_rare_inputs(frontend, False)

    def note_sizes(self, frontend: Frontend) -> None:
        found = needed_sizes(frontend)
        for name, number in self.ids.items():
            known = self.sizes.get(name, [0, 0])
            self.sizes[name] = [max(pair) for pair in zip(known, found[number], strict=True)]


def finish(draft: Draft) -> dict:
    """Return a built workflow as it is shipped."""
    saved = draft.graph
    saved["extra"] = {"ds": {"scale": 0.75, "offset": [110, 150]}}
    # Every save has another identity; a fixed one keeps the files from changing when nothing did.
    saved["id"] = f"5e5a4a9d-0000-4000-8000-{sum(map(ord, draft.described.name)):012d}"
    return saved


def with_fixed_ids(text: str, name: str) -> str:
    """Return JSON in which each random id of the frontend is one that the name and its order decide."""
    found = dict.fromkeys(re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", text))
    for number, random in enumerate(found):
        text = text.replace(random, str(uuid.uuid5(uuid.NAMESPACE_URL, f"sesahand/{name}/{number}")))
    return text


def finish_blueprint(frontend: Frontend, draft: Draft) -> dict:
    """Make a subgraph of the graph that was built last, and return it as the frontend's Publish writes it."""
    blueprint = draft.described
    frontend.load(json.loads(frontend.page.evaluate(WRAP, [asdict(blueprint), versions(blueprint)])))
    saved = json.loads(with_fixed_ids(json.dumps(frontend.to_ui()), blueprint.name))
    # Newer frontends list it by these, as they do with core's own; the floor's reads the first description alone.
    saved["extra"] = {
        "BlueprintDescription": blueprint.description,
        "BlueprintSearchAliases": list(blueprint.search_words),
    }
    [definition] = saved["definitions"]["subgraphs"]
    definition |= {"category": blueprint.category, "description": blueprint.description}
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
        "no mask": node("SolidMask", value=0.0, width=768, height=512),
    }
    taken = [["sample", 0], ["no mask", 0]]
    replaced = {}
    for key, entry in graph.items():
        links = {
            name: taken[value[1]] if isinstance(value, list) and value[0] in photographs else value
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
        wire = [ids[name], outputs.index(output)]
        mask = {"class_type": "MaskPreview", "inputs": {"mask": wire}}
        shown = mask if output == "mask" else {"class_type": "PreviewImage", "inputs": {"images": wire}}
        graph = graph | {source: shown}
        chosen.append((source, int(index[0]) if index else 0))
    run = server.run(leading_to(graph, workflow.thumbnail))
    return [run.images(source)[number].convert("RGB") for source, number in chosen]


def thumbnail(tiles: list):
    """Return a square of pictures, each scaled to fill its part; what stands out is cut off evenly."""
    from PIL import Image, ImageOps

    sheet = Image.new("RGB", (THUMBNAIL, THUMBNAIL))
    for tile, (left, top, right, bottom) in zip(tiles, PARTS[len(tiles)], strict=True):
        left, top, right, bottom = (round(edge * THUMBNAIL) for edge in (left, top, right, bottom))
        sheet.paste(ImageOps.fit(tile, (right - left, bottom - top), Image.Resampling.LANCZOS), (left, top))
    return sheet


def write_thumbnail(server: ComfyServer, workflow: Workflow, api: dict) -> None:
    path = FOLDER / f"{workflow.name}.jpg"
    thumbnail(thumbnail_pictures(server, workflow, api)).save(path, quality=88)
    print(path.relative_to(ROOT))


class Stage:
    """The servers and pages of a run; servers stay, and one page is open at a time."""

    def __init__(self, folder: Path, drafts: list[Draft]):
        self.folder, self.running = folder, {}
        self.models = [
            model
            for draft in drafts
            for group in draft.described.groups
            for column in group.columns
            for node in column
            for model in node.models
        ]
        self.exits = ExitStack()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return self.exits.__exit__(*exception)

    def server(self, site: Site) -> ComfyServer:
        """Return the running server of a site, with narrow models under the names that the workflows ask for."""
        name = f"{site.core}-{site.frontend or 'own'}"
        if name not in self.running:
            folder = self.folder / name
            for model in self.models:
                stand_in(model, folder, self.folder / "models")
            server = ComfyServer(find_comfyui(site.core), folder, site.frontend)
            self.running[name] = self.exits.enter_context(server)
        return self.running[name]

    @contextmanager
    def page(self, site: Site) -> Iterator[tuple[Frontend, ComfyServer]]:
        server = self.server(site)
        with open_frontend(server.url, vue=site.vue) as frontend:
            yield frontend, server


def at_home(stage: Stage, drafts: list[Draft]) -> Iterator[tuple[Draft, Frontend, ComfyServer]]:
    """Yield the drafts, each with an open page where it is built."""
    for home in dict.fromkeys(draft.home for draft in drafts):
        with stage.page(home) as (frontend, server):
            for draft in drafts:
                if draft.home == home:
                    yield draft, frontend, server


def lay_out(stage: Stage, drafts: list[Draft]) -> None:
    """Build all graphs with as much room as the frontend needs that needs most, and write their files."""
    for draft, frontend, _ in at_home(stage, drafts):
        draft.build(frontend)
    for site in DRAWN.values():
        with stage.page(site) as (frontend, server):
            for draft in drafts:
                if draft.opens_in(site):
                    draft.measure(frontend, server)
    for draft, frontend, _ in at_home(stage, drafts):
        draft.build(frontend)
        if isinstance(draft.described, Blueprint):
            write_json(SUBGRAPHS / f"{draft.described.name}.json", finish_blueprint(frontend, draft))
        else:
            write_json(FOLDER / f"{draft.described.name}.json", finish(draft))


def write_companions(stage: Stage, drafts: list[Draft]) -> None:
    """Write the API file and the thumbnail of each workflow from its UI file."""
    for draft, frontend, server in at_home(stage, drafts):
        path = FOLDER / f"{draft.described.name}.json"
        frontend.load(json.loads(path.read_text(encoding="utf-8")))
        api = frontend.to_api()
        write_json(FOLDER / "api" / path.name, api)
        write_thumbnail(server, draft.described, api)


def look_through(stage: Stage, drafts: list[Draft], look: Path | None) -> list[str]:
    """Open all files in all frontends and return what is wrong with their layouts; take pictures if asked to."""
    found = []
    for name, site in DRAWN.items():
        with stage.page(site) as (frontend, server):
            for draft in drafts:
                if not draft.opens_in(site):
                    continue
                blueprint = isinstance(draft.described, Blueprint)
                title = draft.described.name
                path = (SUBGRAPHS if blueprint else FOLDER) / f"{title}.json"
                frontend.load(json.loads(path.read_text(encoding="utf-8")))
                if blueprint:
                    enter_subgraph(frontend)
                else:
                    show_made_up_results(frontend, server)
                found += [f"{title} in {name}: {fault}" for fault in faults(frontend)]
                if look:
                    frontend.screenshot(look / f"{title} {name}.png")
                if blueprint:
                    frontend.page.evaluate("() => app.canvas.setGraph(app.graph)")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--api-only", action="store_true", help="leave the UI files as they are")
    parser.add_argument("--look", type=Path, help="folder for screenshots at 100 %%")
    parser.add_argument("names", nargs="*", help="only these workflows and blueprints")
    options = parser.parse_args()
    drafts = [Draft(one) for one in (*BLUEPRINTS, *WORKFLOWS) if one.name in options.names or not options.names]
    with tempfile.TemporaryDirectory() as folder, Stage(Path(folder), drafts) as stage:
        if not options.api_only:
            lay_out(stage, drafts)
        write_companions(stage, [draft for draft in drafts if isinstance(draft.described, Workflow)])
        wrong = look_through(stage, drafts, options.look)
    print(*wrong, sep="\n")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
