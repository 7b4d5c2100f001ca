"""What a hand holds, in the editor of a real frontend: chosen, moved, sized, gripped, drawn, and run."""

import base64
import io
import json
import math

import numpy as np
import pytest
from hand_editor import INDEX_TIP, MIDDLE_KNUCKLE, add_editor, empty_graph, undo_steps
from PIL import Image

from sesahand.hands.loading import load_hand_model
from sesahand.hands.rotations import mirror_rotation
from sesahand.scene.editing import first_hand
from sesahand.scene.holding import hold_object
from sesahand.scene.scene_files import scene_from_json

MIDDLE = """({view: {stage}}) => {
    const box = stage.element.getBoundingClientRect();
    const scale = box.width / stage.element.clientWidth;
    const {objects, chosen} = stage.view.look();
    const [x, y] = objects[chosen].middle;
    return [box.left + x * scale, box.top + y * scale];
}"""


@pytest.fixture
def editor(frontend):
    """One editor in an otherwise empty graph."""
    empty_graph(frontend)
    yield add_editor(frontend)
    assert frontend.problems == []
    empty_graph(frontend)


def choose(editor, kind: str) -> None:
    """Choose an object in the panel under the stage."""
    editor.page.locator(".sesahand-object-choice").first.select_option(kind)
    editor.frames()


def test_an_object_is_taken_into_the_hand_moved_sized_gripped_and_undone(editor, frontend):
    steps = undo_steps(frontend)
    choose(editor, "cup")
    (cup,) = scene_from_json(editor.text).objects
    assert (cup.kind, cup.hand, cup.size) == ("cup", 0, 1) and undo_steps(frontend) == steps + 1
    x, y = editor.evaluate(MIDDLE)
    wrist = editor.dots()
    editor.drag((x, y), (30, -20))
    assert math.dist(editor.evaluate(MIDDLE), (x + 30, y - 20)) < 1 and editor.dots() == wrist
    editor.page.mouse.wheel(0, -150)
    editor.page.wait_for_timeout(400)
    (sized,) = scene_from_json(editor.text).objects
    assert 1.1 < sized.size < 1.25 and editor.dots() == wrist
    editor.page.locator(".sesahand-object-line button").click()
    editor.frames()
    gripped = scene_from_json(editor.text)
    assert editor.page.locator(".sesahand-spoken").text_content().startswith("Touching: ")
    assert (gripped.hand_pose - scene_from_json(first_text(editor, 1)).hand_pose).abs().max() > 0.05
    # Once more undoes the wheel, the drag, and what came first.
    for objects in (1, 1, 1, 0):
        editor.focus()
        editor.press("Control+z")
        assert len(json.loads(editor.text or "{}").get("objects", [])) == objects


def test_a_hammer_from_the_list_is_sized_by_the_wheel_gripped_and_dragged_by_its_diamond(editor):
    def turn_wheel():
        editor.page.mouse.move(*editor.evaluate(MIDDLE))
        editor.page.mouse.wheel(0, -100)
        editor.page.wait_for_timeout(400)
        return scene_from_json(editor.text)

    box = editor.page.locator(".sesahand-object-choice").first
    box.focus()
    box.select_option("tool")
    editor.frames()
    held = scene_from_json(editor.text)
    sized = turn_wheel()
    assert sized.objects[0].size > 1.05 and sized.translation.equal(held.translation)
    editor.page.locator(".sesahand-object-line button").click()
    editor.frames()
    gripped = turn_wheel()
    assert gripped.objects[0].size > sized.objects[0].size and gripped.translation.equal(held.translation)
    # A finger's tip lies beside the diamond.
    editor.drag(editor.evaluate(MIDDLE), (25, -15))
    dragged = scene_from_json(editor.text)
    assert dragged.hand_pose.equal(gripped.hand_pose)
    assert not dragged.objects[0].position.equal(gripped.objects[0].position)


def first_text(editor, back: int) -> str:
    """Return the text of some steps ago, and go on with the last."""
    return editor.evaluate(
        """({editor: {history}}, back) => {
            for (let step = 0; step < back; step++) history.undo();
            const {text} = history;
            for (let step = 0; step < back; step++) history.redo();
            return text;
        }""",
        back,
    )


def test_objects_go_with_their_hand_and_keys_reach_them(editor):
    choose(editor, "sphere")
    held = scene_from_json(editor.text).objects[0]
    editor.drag_dot(MIDDLE_KNUCKLE, (20, 10))
    editor.drag_dot(INDEX_TIP, (0, -25))
    after = scene_from_json(editor.text).objects[0]
    assert after.position.equal(held.position) and after.orient.equal(held.orient)
    editor.focus()
    editor.press("a")
    right, left = scene_from_json(editor.text).objects
    assert [right.hand, left.hand] == [0, 1] and left.position[0] == -right.position[0]
    assert (mirror_rotation(left.orient) - right.orient).abs().max() < 1e-6
    editor.press("o", "ArrowRight")
    moved = scene_from_json(editor.text)
    assert moved.translation.equal(scene_from_json(first_text(editor, 1)).translation)
    assert (moved.objects[1].position - left.position).norm() == pytest.approx(1e-3, rel=1e-3)
    editor.press("c")
    assert editor.page.locator(".sesahand-spoken").text_content().startswith("Touching: Thumb")
    editor.press("o", "Delete")
    assert [held.hand for held in scene_from_json(editor.text).objects] == [0]
    editor.press("Delete")
    assert scene_from_json(editor.text).side == ("right",)


def test_what_came_in_with_an_object_is_shown_and_kept_by_an_edit(editor):
    scene = first_hand(load_hand_model())
    held = hold_object(scene, "pen", 1.0, scene.is_right).scene
    editor.write(held.to_json())
    assert editor.evaluate("({view}) => view.stage.view.look().objects.length") == 1
    assert editor.page.locator(".sesahand-object-choice").first.input_value() == "pen"
    editor.drag_dot(MIDDLE_KNUCKLE, (10, 10))
    kept = scene_from_json(editor.text)
    assert kept.objects[0].position.equal(held.objects[0].position)
    assert kept.objects[0].orient.equal(held.objects[0].orient)


def test_an_object_is_drawn_as_the_graph_renders_it(editor, frontend, comfyui_server):
    choose(editor, "tool")
    frontend.page.evaluate(
        """() => {
            const maps = LiteGraph.createNode("SesaHandRenderCondition");
            maps.pos = [700, 80];
            app.graph.add(maps);
            const [from, to] = [app.graph._nodes[0], input => input.name === "hands"];
            from.connect(0, maps, maps.inputs.findIndex(to));
            maps.widgets.find(({name}) => name === "antialias").value = false;
        }"""
    )
    frontend.run()
    [file] = editor.page.evaluate(
        "() => Object.entries(app.nodeOutputs).filter(([id]) => app.graph.getNodeById(id).type.endsWith('Condition'))"
        ".map(([, output]) => output.images[0])"
    )
    rendered = np.asarray(comfyui_server.image(file).convert("RGB")).max(-1).astype(int)
    data = editor.evaluate(
        """({editor, view}) => {
            const {view: drawn} = view.stage;
            editor.view({shown: "depth"});
            drawn.resize(512 + 28, 512 + 28);
            drawn.draw();
            return drawn.canvases.picture.toDataURL();
        }"""
    )
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(data.split(",")[1]))).convert("RGB"))
    drawn = picture.max(-1)[14 : 14 + 512, 14 : 14 + 512].astype(int)
    first, second = rendered > 0, drawn > 40
    assert first.sum() > 10_000 and (first & second).sum() / (first | second).sum() > 0.99
    editor.view_again()
