"""The hand editor's life with its node: saved, copied, undone, in subgraphs, deleted; and what leads to the node."""

import json

import pytest
from hand_editor import INDEX_TIP, MIDDLE_TIP, HandEditor, add_editor, empty_graph, live_editors
from PIL import Image
from sites import SITES

from sesahand.scene.scene_files import scene_from_json


@pytest.fixture(scope="session", params=SITES)
def site(request):
    return SITES[request.param]


@pytest.fixture
def editor(frontend):
    """One editor in an otherwise empty graph."""
    empty_graph(frontend)
    yield add_editor(frontend)
    assert frontend.problems == []
    empty_graph(frontend)
    assert live_editors(frontend) == 0


def nodes(frontend) -> int:
    """Return how many nodes with an editor there are, also in subgraphs."""
    return frontend.page.evaluate(
        """() => [app.rootGraph ?? app.graph, ...((app.rootGraph ?? app.graph).subgraphs?.values() ?? [])]
            .flatMap(graph => graph._nodes).filter(node => node.type === "SesaHandEditHands").length"""
    )


def test_a_saved_graph_shows_the_hands_again(editor, frontend):
    editor.drag_dot(INDEX_TIP, (0, 70))
    text, dots = editor.text, editor.dots()
    saved = frontend.to_ui()
    assert saved["nodes"][0]["widgets_values"] == [text, "pass through"]
    empty_graph(frontend)
    assert live_editors(frontend) == 0
    frontend.load(saved)
    again = HandEditor(frontend).wait()
    again.show_at()
    assert again.text == text and live_editors(frontend) == 1
    assert max(abs(a - b) for p, q in zip(dots, again.dots(), strict=True) for a, b in zip(p, q, strict=True)) < 1.5
    again.focus()
    # There is nothing before what was saved.
    again.press("Control+z")
    assert again.text == text


def test_copies_of_a_node_are_edited_apart(editor, frontend):
    editor.drag_dot(INDEX_TIP, (0, 70))
    text = editor.text
    frontend.page.evaluate(
        """() => {
            app.canvas.selectNode(app.graph._nodes[0]);
            app.canvas.copyToClipboard();
            app.canvas.graph_mouse[0] = 700;
            app.canvas.pasteFromClipboard();
        }"""
    )
    copy = HandEditor(frontend, 1).wait()
    copy.page.evaluate("() => { app.graph._nodes[1].pos = [600, 80]; }")
    copy.show_at()
    assert copy.text == text and live_editors(frontend) == nodes(frontend) == 2
    copy.drag_dot(MIDDLE_TIP, (0, 50))
    assert copy.text != text and editor.text == text


def test_the_graphs_own_undo_shows_the_hands_of_the_step_before(editor, frontend):
    editor.drag_dot(INDEX_TIP, (0, 70))
    first = editor.text
    editor.drag_dot(MIDDLE_TIP, (0, 60))
    frontend.page.evaluate("() => app.extensionManager.workflow.activeWorkflow.changeTracker.undo()")
    again = HandEditor(frontend).wait()
    assert again.text == first and live_editors(frontend) == nodes(frontend) == 1
    assert again.evaluate("({home, view}) => home.isConnected && home.contains(view.element)")
    again.show_at()
    again.drag_dot(MIDDLE_TIP, (0, 40))
    assert again.text != first


def test_a_subgraph_keeps_the_scene_and_every_node_has_one_editor(editor, frontend):
    editor.drag_dot(INDEX_TIP, (0, 70))
    text = editor.text
    frontend.page.evaluate(
        """() => {
            const {canvas, graph} = app;
            canvas.selectNode(graph._nodes[0]);
            graph.convertToSubgraph(new Set(canvas.selectedItems));
        }"""
    )
    frontend.page.wait_for_timeout(300)
    assert live_editors(frontend) == nodes(frontend) == 1
    sent = frontend.to_api()
    assert [node["inputs"]["scene"] for node in sent.values()] == [text]
    saved = frontend.to_ui()
    empty_graph(frontend)
    assert live_editors(frontend) == 0
    frontend.load(saved)
    frontend.page.wait_for_timeout(300)
    assert live_editors(frontend) == nodes(frontend) == 1
    assert [node["inputs"]["scene"] for node in frontend.to_api().values()] == [text]


def test_a_deleted_node_takes_its_editor_with_it(editor, frontend):
    other = add_editor(frontend, at=(620, 80))
    assert live_editors(frontend) == 2
    other.evaluate("({node}) => app.graph.remove(node)")
    assert live_editors(frontend) == nodes(frontend) == 1
    frontend.page.wait_for_timeout(200)
    assert frontend.page.locator(".sesahand-editor").count() == 1


def test_the_inputs_hands_are_shown_after_a_run_and_the_first_edit_takes_them_over(editor, frontend):
    frontend.page.evaluate(
        """() => {
            const pose = LiteGraph.createNode("SesaHandPoseHand");
            pose.pos = [-400, 80];
            app.graph.add(pose);
            pose.widgets.find(widget => widget.name === "gesture").value = "victory";
            const node = app.graph._nodes[0];
            pose.connect(0, node, node.inputs.findIndex(input => input.name === "hands"));
        }"""
    )
    editor.frames()
    assert editor.status() == "unseen"
    frontend.run()
    frontend.page.wait_for_timeout(200)
    assert editor.status() == "following" and editor.text == ""
    editor.drag_dot(MIDDLE_TIP, (0, 40))
    taken = json.loads(editor.text)
    assert editor.status() == "edited" and taken["taken_from"]
    scene_from_json(editor.text)

    frontend.page.evaluate(
        """() => {
            const pose = app.graph._nodes.find(node => node.type === "SesaHandPoseHand");
            pose.widgets.find(widget => widget.name === "gesture").value = "fist";
        }"""
    )
    frontend.run()
    frontend.page.wait_for_timeout(200)
    assert editor.status() == "outdated" and json.loads(editor.text) == taken
    editor.act("keepMine")
    assert editor.status() == "edited" and json.loads(editor.text)["hands"] == taken["hands"]
    editor.act("follow")
    assert editor.text == ""


def test_a_linked_picture_is_behind_the_hands_before_anything_runs_and_gives_its_size(editor, frontend, comfyui_server):
    folder = comfyui_server.folder / "input" / "photos"
    folder.mkdir(exist_ok=True)
    Image.new("RGB", (300, 200), (200, 30, 30)).save(folder / "red.png")
    frontend.page.evaluate(
        """() => {
            const load = LiteGraph.createNode("LoadImage");
            load.pos = [-400, 80];
            app.graph.add(load);
            load.widgets.find(widget => widget.name === "image").value = "photos/red.png";
            const node = app.graph._nodes[0];
            load.connect(0, node, node.inputs.findIndex(input => input.name === "image"));
        }"""
    )
    editor.wait_until("({editor}) => editor.background.image !== null && editor.state.scene.camera.width === 300")
    editor.frames()
    colour = editor.evaluate(
        """({view}) => {
            const {canvases: {picture}, fit} = view.stage.view;
            return [...picture.getContext("2d").getImageData(fit.left + 3, fit.top + 3, 1, 1).data].slice(0, 3);
        }"""
    )
    assert colour == [200, 30, 30]
    editor.focus()
    editor.press("m")
    assert scene_from_json(editor.text).camera.width == 300
