"""The hand editor in the real frontends: mouse, touch, keys, undo, life with its node, and what leads to the node."""

import json
import math

import pytest
import torch
from hand_editor import (
    INDEX_TIP,
    MIDDLE_KNUCKLE,
    MIDDLE_TIP,
    WRIST,
    HandEditor,
    add_editor,
    empty_graph,
    live_editors,
    undo_steps,
)
from PIL import Image

from sesahand.scene.scene_files import scene_from_json


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


def pixels(text: str) -> torch.Tensor:
    """Return the pixels in the picture of the first hand's keypoints `[21, 2]`, as Python reads a text."""
    scene = scene_from_json(text)
    return scene.camera.project(scene.pose().keypoints)[0]


def distances(before, after) -> list[float]:
    return [math.dist(a, b) for a, b in zip(before, after, strict=True)]


def test_a_dragged_fingertip_ends_under_the_pointer_and_python_sees_it_there(editor, frontend):
    assert editor.text == ""
    before, steps = editor.dots(), undo_steps(frontend)
    editor.drag_dot(INDEX_TIP, (10, 90))
    after = editor.dots()
    assert math.dist(after[INDEX_TIP], (before[INDEX_TIP][0] + 10, before[INDEX_TIP][1] + 90)) < 3
    assert max(way for k, way in enumerate(distances(before, after)) if k not in (6, 7, 8)) < 0.5
    scale, left, top = editor.evaluate("({view: {stage: {view: {fit}}}}) => [fit.scale, fit.left, fit.top]")
    corner = editor.corner()
    for dot, (x, y) in zip(after, pixels(editor.text).tolist(), strict=True):
        assert math.dist(dot, (corner[0] + left + x * scale, corner[1] + top + y * scale)) < 0.05
    assert undo_steps(frontend) == steps + 1
    [sent] = frontend.to_api().values()
    assert sent["inputs"] == {"scene": editor.text, "unedited": "pass through"}


@pytest.mark.parametrize("scale", [0.6, 1.7])
def test_the_tip_follows_the_pointer_at_any_zoom_of_the_graph(editor, scale):
    editor.show_at(scale, (0, 0))
    x, y = editor.dots()[MIDDLE_TIP]
    editor.drag_dot(MIDDLE_TIP, (0, 60 * scale))
    assert math.dist(editor.dots()[MIDDLE_TIP], (x, y + 60 * scale)) < 3


def test_a_click_changes_nothing_and_escape_gives_a_drag_up(editor):
    x, y = editor.dots()[MIDDLE_TIP]
    editor.page.mouse.click(x, y)
    assert editor.text == ""
    editor.page.mouse.move(x, y)
    editor.page.mouse.down()
    editor.page.mouse.move(x, y + 60, steps=4)
    editor.frames()
    assert math.dist(editor.dots()[MIDDLE_TIP], (x, y)) > 30
    editor.press("Escape")
    editor.page.mouse.up()
    editor.frames()
    assert math.dist(editor.dots()[MIDDLE_TIP], (x, y)) < 0.5 and editor.text == ""


def test_no_key_that_is_typed_on_the_stage_reaches_the_graph(editor, frontend):
    editor.drag_dot(INDEX_TIP, (0, 60))
    bars = "() => document.querySelectorAll('.side-bar-panel, .p-splitterpanel.side-bar-panel').length"
    before = frontend.page.evaluate(bars)
    editor.focus()
    for key in ("w", "n", "m", "q", "r", ".", "Control+c", "Control+v", "Control+z", "Delete", "Backspace"):
        editor.press(key)
    assert len(frontend.to_ui()["nodes"]) == 1 and frontend.page.evaluate(bars) == before
    assert editor.evaluate("({node}) => node.graph !== null")


def test_ctrl_z_goes_back_within_the_same_node_and_the_graph_agrees(editor, frontend):
    frontend.page.evaluate("() => { app.graph._nodes[0].marked = true; }")
    editor.drag_dot(INDEX_TIP, (0, 60))
    first = editor.text
    editor.drag_dot(MIDDLE_TIP, (0, 60))
    second, steps = editor.text, undo_steps(frontend)
    editor.press("Control+z")
    assert editor.text == first and undo_steps(frontend) == steps + 1
    editor.press("Control+Shift+z")
    assert editor.text == second
    editor.press("Control+z", "Control+z")
    assert editor.text == "" and frontend.page.evaluate("() => app.graph._nodes[0].marked === true")


def test_the_large_view_takes_the_keys_with_it_and_escape_leaves_it(editor, frontend):
    editor.focus()
    editor.press("f")
    assert frontend.page.locator("[role=dialog].sesahand-large .sesahand-stage").count() == 1
    editor.drag_dot(INDEX_TIP, (0, 80))
    changed = editor.text
    editor.press("Delete", "Control+z")
    assert editor.text == changed and len(frontend.to_ui()["nodes"]) == 1
    editor.press("Escape")
    assert frontend.page.locator(".sesahand-large").count() == 0
    assert editor.evaluate("({view, home}) => home.contains(view.element) && view.stage.hasFocus")


def test_a_finger_on_glass_is_as_good_as_a_mouse_and_two_size_the_hand(editor, frontend):
    steps = undo_steps(frontend)
    pan = editor.page.evaluate("() => [...app.canvas.ds.offset]")
    x, y = editor.dots()[INDEX_TIP]
    editor.touch([[(x, y + 10 * step)] for step in range(7)])
    assert math.dist(editor.dots()[INDEX_TIP], (x, y + 60)) < 3 and undo_steps(frontend) == steps + 1
    before = editor.dots()
    x, y = before[MIDDLE_KNUCKLE]
    editor.touch([[(x - 40 - 5 * step, y), (x + 40 + 5 * step, y)] for step in range(7)])
    after = editor.dots()
    assert math.dist(after[WRIST], after[MIDDLE_KNUCKLE]) > 1.4 * math.dist(before[WRIST], before[MIDDLE_KNUCKLE])
    assert undo_steps(frontend) == steps + 2
    assert editor.page.evaluate("() => [...app.canvas.ds.offset]") == pan


def test_the_nodes_menu_opens_the_large_view(editor, frontend):
    editor.choose_in_menu("Edit hands...")
    frontend.page.wait_for_selector(".sesahand-large .sesahand-stage")
    editor.press("Escape")


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
    Image.new("RGB", (320, 200), (30, 30, 200)).save(folder / "blue.png")
    # As its list and its upload button do.
    frontend.page.evaluate(
        """() => {
            const load = app.graph._nodes.find(node => node.type === "LoadImage");
            const widget = load.widgets.find(widget => widget.name === "image");
            widget.value = "photos/blue.png";
            widget.callback?.(widget.value);
        }"""
    )
    editor.wait_until("({editor}) => editor.state.scene.camera.width === 320")
    editor.focus()
    editor.press("m")
    assert scene_from_json(editor.text).camera.width == 320


def test_a_node_that_is_dragged_narrow_keeps_the_width_that_its_tools_need(editor):
    editor.evaluate("({node}) => node.setSize([210, node.size[1]])")
    editor.frames()
    assert editor.evaluate("({node}) => node.size[0]") == 360
