"""Where the nodes of an open graph are, as the page shows them, and what they become when their pictures arrive."""

import io
from dataclasses import dataclass

# The node's own rectangle with its title: of what is drawn on the canvas from the graph, of Vue nodes from the page.
RECTANGLES = """() => {
    const graph = app.canvas.graph, {scale, offset} = app.canvas.ds;
    const page = app.canvas.canvas.getBoundingClientRect();
    return graph._nodes.map(node => {
        const text = `${node.type} (${node.id})`;
        if (!LiteGraph.vueNodesMode) return [node.id, text, ...node.getBounding(new Float32Array(4))];
        const box = document.querySelector(`[data-node-id="${node.id}"]`)?.getBoundingClientRect();
        if (!box) throw new Error(`${text} is not in the page`);
        return [node.id, text, (box.left - page.left) / scale - offset[0], (box.top - page.top) / scale - offset[1],
                box.width / scale, box.height / scale];
    });
}"""
# How much of a note's text is hidden below its lower edge.
HIDDEN = """() => [...document.querySelectorAll(".comfy-markdown-content, .comfy-markdown .tiptap")]
    .filter(element => element.offsetParent)
    .map(element => element.scrollHeight - element.clientHeight)"""
NOTE = "() => app.canvas.graph._nodes.find(node => node.type === 'MarkdownNote')?.id"
GROUPS = "() => app.canvas.graph._groups.map(group => [group.title, group.title, ...group._bounding])"
SETTLED = """() => {
    let now;
    try { now = JSON.stringify((%s)()); } catch { return false; }
    const same = window.sesahandRectangles === now;
    window.sesahandRectangles = now;
    return same;
}"""

# Gives nodes the pictures and texts of a run, as the server's message does. Which nodes show what, the graph says.
SHOW = """async ([files, words]) => {
    const defs = Object.fromEntries(app.graph._nodes.map(node => [node.id, node.constructor.nodeData ?? {}]));
    for (const node of app.graph._nodes) {
        const data = defs[node.id];
        let output;
        if (node.type === "PreviewAny") output = {text: [words]};
        else if (["PreviewImage", "SaveImage", "MaskPreview", "SesaHandContactSheet"].includes(node.type))
            output = {images: files.slice(0, 1)};
        else if (data.output_node && data.category?.startsWith("SesaHand") && (data.output ?? []).includes("IMAGE"))
            output = {images: files};
        if (!output) continue;
        const id = String(node.id);
        app.api.dispatchCustomEvent("executed", {node: id, display_node: id, output, prompt_id: "made up"});
    }
    app.canvas.setDirty(true, true);
}"""
REPORT = "\n".join(f"picture {number}: right hand 0.84, 2 % of its size out of place" for number in range(8))


@dataclass(frozen=True)
class Rectangle:
    """An upright rectangle in the graph's own pixels, and what it is called."""

    name: str
    x: float
    y: float
    width: float
    height: float

    def overlaps(self, other: "Rectangle") -> bool:
        return (
            self.x < other.x + other.width
            and other.x < self.x + self.width
            and self.y < other.y + other.height
            and other.y < self.y + self.height
        )

    def within(self, other: "Rectangle") -> bool:
        return (
            other.x <= self.x
            and other.y <= self.y
            and self.x + self.width <= other.x + other.width
            and self.y + self.height <= other.y + other.height
        )


def settle(frontend) -> None:
    """Wait until the page has laid out its nodes: until no rectangle changes any more."""
    frontend.page.evaluate("() => { window.sesahandRectangles = undefined; }")
    frontend.page.wait_for_function(SETTLED % RECTANGLES, timeout=30_000, polling=150)


def node_rectangles(frontend) -> dict[int, Rectangle]:
    """Return the rectangle of each node of the open graph, title included."""
    settle(frontend)
    return {int(found[0]): Rectangle(*found[1:]) for found in frontend.page.evaluate(RECTANGLES)}


def hidden_text(frontend) -> int:
    """Return by how many pixels the text of the open graph's note is higher than its place."""
    settle(frontend)
    return max(frontend.page.evaluate(HIDDEN), default=0)


def needed_sizes(frontend) -> dict[int, tuple[float, float]]:
    """Return the width and the height, title included, that each node of the open graph takes; notes with all text."""
    note, hidden = int(frontend.page.evaluate(NOTE) or 0), hidden_text(frontend)
    return {
        number: (box.width, box.height + (hidden if number == note else 0))
        for number, box in node_rectangles(frontend).items()
    }


def show_rare_inputs(frontend, on: bool) -> None:
    """Unfold the inputs that are folded away on all nodes, or fold them again, where the frontend does so at all."""
    frontend.page.evaluate(
        """async on => {
            const name = "Comfy.Node.AlwaysShowAdvancedWidgets";
            if (app.ui.settings.settingsLookup?.[name] || app.extensionManager.setting.get(name) !== undefined)
                await app.extensionManager.setting.set(name, on);
        }""",
        on,
    )
    settle(frontend)


def enter_subgraph(frontend) -> None:
    """Show the inside of the open graph's only node, a subgraph."""
    frontend.page.evaluate("() => app.canvas.setGraph(app.graph._nodes[0].subgraph)")
    settle(frontend)


def group_rectangles(frontend) -> list[Rectangle]:
    """Return the rectangles of the open graph's groups."""
    return [Rectangle(*found[1:]) for found in frontend.page.evaluate(GROUPS)]


def show_made_up_results(frontend, server) -> None:
    """Show pictures and texts on every node that would show some after a run, without the run."""
    from PIL import Image

    files = []
    for number in range(5):
        data = io.BytesIO()
        Image.new("RGB", (768, 512), (40 * number, 120, 160)).save(data, "PNG")
        name = f"made_up_{number}.png"
        (server.folder / "temp").mkdir(exist_ok=True)
        (server.folder / "temp" / name).write_bytes(data.getvalue())
        files.append({"filename": name, "subfolder": "", "type": "temp"})
    frontend.page.evaluate(SHOW, [files, REPORT])
    frontend.page.wait_for_timeout(500)
    settle(frontend)


def faults(frontend) -> list[str]:
    """Return what is wrong with the layout: nodes on each other, and nodes that stick out of their group."""
    nodes, groups = list(node_rectangles(frontend).values()), group_rectangles(frontend)
    found = [f"{a.name} lies on {b.name}" for i, a in enumerate(nodes) for b in nodes[i + 1 :] if a.overlaps(b)]
    found += [f"{a.name} lies on {b.name}" for i, a in enumerate(groups) for b in groups[i + 1 :] if a.overlaps(b)]
    for node in nodes:
        touched = [group for group in groups if node.overlaps(group)]
        inside = [group for group in touched if node.within(group)]
        if len(touched) != len(inside) or len(inside) > 1:
            found.append(f"{node.name} sticks out of {', '.join(group.name for group in touched)}")
    return found
