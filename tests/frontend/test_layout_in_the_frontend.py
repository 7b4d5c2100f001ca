"""How the shipped workflows and blueprints look in each real frontend: nothing covers anything, notes can be read."""

import json

import pytest
from contrast import LEAST_CONTRAST, contrasts
from rectangles import enter_subgraph, faults, hidden_text, node_rectangles, show_made_up_results, show_rare_inputs
from sites import DRAWN

import workflows

# What is drawn differs with every frontend and way to draw, so all are looked at.
pytestmark = pytest.mark.parametrize("site", DRAWN, indirect=True, scope="session")
BLUEPRINTS = sorted(path.stem for path in (workflows.ROOT / "subgraphs").glob("*.json"))
# In Vue nodes a picture is a part of the page, of which counts what lies within its node.
SHOWN = """() => app.graph._nodes.filter(node => app.nodeOutputs[node.id]?.images).map(node => {
    const box = document.querySelector(`[data-node-id="${node.id}"]`), outer = box.getBoundingClientRect();
    return [`${node.type} (${node.id})`, [...box.querySelectorAll("img")].map(picture => {
        const inner = picture.getBoundingClientRect();
        const span = (low, high) => Math.max(0, Math.min(inner[high], outer[high]) - Math.max(inner[low], outer[low]));
        return [span("left", "right"), span("top", "bottom")].map(side => side / app.canvas.ds.scale);
    })];
})"""
# On the canvas pictures take the room below the node's widgets.
ROOM = """() => app.graph._nodes.filter(node => app.nodeOutputs[node.id]?.images).map(node => {
    const ends = (node.widgets ?? [])
        .filter(widget => !widget.name.startsWith("$$") && !widget.hidden && widget.last_y)
        .map(widget => widget.last_y + (widget.computedHeight ?? 20));
    return [`${node.type} (${node.id})`, [[node.size[0], node.size[1] - Math.max(0, ...ends)]]];
})"""
# A batch is shown as a grid; in this smallest size one can still tell what is on a picture of it.
LEAST_PICTURE = 48


@pytest.fixture(scope="module", params=workflows.NAMES)
def visit(request, frontend, comfyui_server, core_version):
    """What is seen of a workflow: opened, after a run, and with all inputs unfolded.

    Instead of a run its nodes are given made-up pictures and texts, as many as they could have: which ones, does not
    matter to their places.
    """
    workflows.skip_without_nodes(request.param, core_version)
    frontend.load(workflows.read_ui(request.param))
    seen = {"opened": faults(frontend), "hidden": hidden_text(frontend), "contrasts": contrasts(frontend)}
    show_made_up_results(frontend, comfyui_server)
    seen |= {"run": faults(frontend), "pictures": shown_pictures(frontend)}
    show_rare_inputs(frontend, True)
    seen |= {"unfolded": faults(frontend)}
    show_rare_inputs(frontend, False)
    return seen


def shown_pictures(frontend) -> dict[str, list[tuple[float, float]]]:
    """Return the sizes in which pictures are in view on each node that shows some, in the graph's own pixels."""
    measure = SHOWN if frontend.page.evaluate("() => LiteGraph.vueNodesMode === true") else ROOM
    # A grid is arranged anew when its pictures have come.
    frontend.page.wait_for_function(
        f"""() => {{
            const last = window.sesahandPictures;
            window.sesahandPictures = JSON.stringify(({measure})());
            const pictures = [...document.querySelectorAll("[data-node-id] img")];
            return last === window.sesahandPictures && pictures.every(picture => picture.complete);
        }}""",
        timeout=30_000,
        polling=300,
    )
    return dict(frontend.page.evaluate(measure))


def test_no_node_lies_on_another_or_sticks_out_of_its_group(visit):
    assert visit["opened"] == []


def test_nor_after_a_run_when_pictures_have_made_nodes_grow(visit):
    assert visit["run"] == []


def test_nor_with_all_rare_inputs_unfolded(visit):
    assert visit["unfolded"] == []


def test_pictures_are_in_view_on_the_nodes_that_show_them(visit):
    assert visit["pictures"]
    small = {
        name: sizes
        for name, sizes in visit["pictures"].items()
        if not sizes or min(side for size in sizes for side in size) < LEAST_PICTURE
    }
    assert small == {}


def test_the_note_shows_all_of_its_text_in_readable_colours(visit):
    assert visit["hidden"] <= 2, "the note must be scrolled"
    assert len(visit["contrasts"]) > 5
    assert {words: ratio for words, ratio in visit["contrasts"].items() if ratio < LEAST_CONTRAST} == {}


@pytest.mark.parametrize("name", BLUEPRINTS)
def test_nothing_within_a_blueprint_lies_on_another(name, frontend):
    frontend.load(json.loads((workflows.ROOT / "subgraphs" / f"{name}.json").read_text(encoding="utf-8")))
    enter_subgraph(frontend)
    nodes, found = node_rectangles(frontend), faults(frontend)
    frontend.page.evaluate("() => app.canvas.setGraph(app.graph)")
    assert len(nodes) > 1 and found == []


def test_faults_of_a_layout_are_found(frontend):
    """The other tests can fail: a node moved onto another, and one moved out of its group, are reported."""
    graph = workflows.read_ui("check_hand")
    nodes = {node["id"]: node for node in graph["nodes"]}
    nodes[3]["pos"] = [nodes[2]["pos"][0] + 20, nodes[2]["pos"][1] + 50]
    nodes[10]["pos"] = [nodes[10]["pos"][0] + 200, nodes[10]["pos"][1]]
    frontend.load(graph)
    assert faults(frontend) == [
        f"{nodes[2]['type']} (2) lies on {nodes[3]['type']} (3)",
        f"{nodes[10]['type']} (10) sticks out of Score",
    ]
