"""The hand editor where nodes cannot show it: 1.27 with nodes as parts of the page has no widgets of elements."""

import pytest
from hand_editor import ALL, INDEX_TIP, TYPE, HandEditor, empty_graph, undo_steps

from sesahand.scene.scene_files import scene_from_json

pytestmark = pytest.mark.parametrize("site", ["floor-vue"], indirect=True, scope="session")


def test_a_button_beside_the_text_opens_the_editor_over_the_page(frontend):
    empty_graph(frontend)
    frontend.page.evaluate(f"() => void app.graph.add(LiteGraph.createNode('{TYPE}'))")
    frontend.page.wait_for_function(f"() => {ALL}[0].handEditor.view")
    editor = HandEditor(frontend)
    assert not editor.evaluate("({home}) => home.isConnected")
    assert frontend.page.locator(".lg-node textarea").count() == 1
    frontend.page.get_by_role("button", name="Edit hands...").click()
    frontend.page.wait_for_selector(".sesahand-large .sesahand-stage")
    editor.wait()
    steps = undo_steps(frontend)
    editor.drag_dot(INDEX_TIP, (0, 100))
    assert scene_from_json(editor.text).side == ("right",) and undo_steps(frontend) == steps + 1
    editor.press("Escape")
    assert frontend.page.locator(".sesahand-large").count() == 0
    [node] = frontend.to_ui()["nodes"]
    assert node["widgets_values"] == [editor.text, "pass through"]
    assert set(next(iter(frontend.to_api().values()))["inputs"]) == {"scene", "unedited"}
    assert frontend.problems == []
