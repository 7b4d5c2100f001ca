"""Load Hands takes a file from the user's disk: by its button, and dropped on it."""

import json

import pytest

from sesahand.hands.loading import load_hand_model
from sesahand.scene.placement import Placement
from sesahand.scene.placing import Hand
from sesahand.scene.scene_files import scene_to_json, scene_to_npz

EMPTY = {"nodes": [], "links": [], "last_node_id": 0, "last_link_id": 0, "version": 0.4}
ADD = """() => {
    const load = LiteGraph.createNode("SesaHandLoadHands");
    const save = LiteGraph.createNode("SesaHandSaveHands");
    app.graph.add(load);
    app.graph.add(save);
    load.connect(0, save, 0);
}"""
FIND = "const load = app.graph._nodes.find(node => node.type === 'SesaHandLoadHands');"
PRESS = f"() => {{ {FIND} load.widgets.find(widget => widget.type === 'button').callback(); }}"
DROP = f"""async ([text, name]) => {{
    {FIND}
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([text], name));
    return [load.onDragOver({{dataTransfer}}), load.onDragDrop({{dataTransfer}})];
}}"""
CHOSEN = f"name => {{ {FIND} return load.widgets.find(widget => widget.name === 'file').value === name; }}"


@pytest.fixture
def scene():
    return Placement().place(Hand(load_hand_model()))


@pytest.fixture
def page(frontend):
    frontend.problems.clear()
    frontend.load(EMPTY)
    frontend.page.evaluate(ADD)
    return frontend.page


def test_the_button_uploads_a_file_that_is_chosen_and_loads(page, frontend, site, comfyui_server, scene):
    name = "uploaded_vue.npz" if site.vue else "uploaded.npz"
    with page.expect_file_chooser() as chooser:
        page.evaluate(PRESS)
    chooser.value.set_files({"name": name, "mimeType": "application/octet-stream", "buffer": scene_to_npz(scene)})
    page.wait_for_function(CHOSEN, arg=name, timeout=20_000)
    assert (comfyui_server.folder / "input" / name).read_bytes() == scene_to_npz(scene)
    frontend.run()
    saved = max((comfyui_server.folder / "output" / "hands").glob("*.json"), key=lambda path: path.stat().st_mtime)
    assert saved.read_text() == scene_to_json(scene)
    assert frontend.problems == []


def test_a_dropped_file_is_uploaded_and_another_is_left_to_the_graph(page, frontend, site, comfyui_server, scene):
    name = "dropped_vue.json" if site.vue else "dropped.json"
    assert page.evaluate(DROP, ["x", "picture.png"]) == [True, False]
    assert page.evaluate(DROP, [scene_to_json(scene), name]) == [True, True]
    page.wait_for_function(CHOSEN, arg=name, timeout=20_000)
    assert (comfyui_server.folder / "input" / name).is_file()
    assert frontend.problems == []


def test_the_button_is_in_no_file_and_asks_nothing_of_the_server(page, frontend, comfyui_server, scene):
    (comfyui_server.folder / "input" / "there.json").write_text(scene_to_json(scene))
    saved = frontend.to_ui()
    [node] = [node for node in saved["nodes"] if node["type"] == "SesaHandLoadHands"]
    assert len(node["widgets_values"]) == 5
    sent = next(entry for entry in frontend.to_api().values() if entry["class_type"] == "SesaHandLoadHands")
    assert set(sent["inputs"]) == {"file", "left_hands", "width", "height", "mean_pose"}
    frontend.load(json.loads(json.dumps(saved)))
    again = next(entry for entry in frontend.to_api().values() if entry["class_type"] == "SesaHandLoadHands")
    assert again == sent
