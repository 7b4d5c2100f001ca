"""What the hand editor does by itself, whichever frontend its node is in."""

import base64
import io
import json
import math
import random

import numpy as np
import pytest
import torch
from hand_editor import (
    INDEX_TIP,
    MIDDLE_KNUCKLE,
    MIDDLE_TIP,
    RING_TIP,
    WRIST,
    HandEditor,
    add_editor,
    empty_graph,
)
from PIL import Image

from sesahand.hands.limits import angles_from_pose, joint_frames, joint_limits
from sesahand.hands.loading import load_hand_model
from sesahand.hands.rotations import mirror_rotation
from sesahand.scene.editing import first_hand
from sesahand.scene.scene_files import scene_from_json

# What these tests are about does not depend on the frontend.
pytestmark = pytest.mark.parametrize("site", ["newest-vue"], indirect=True, scope="session")

FIRST = first_hand(load_hand_model())


@pytest.fixture
def editor(frontend):
    """One editor in an otherwise empty graph."""
    empty_graph(frontend)
    yield add_editor(frontend)
    assert frontend.problems == []


def angles(scene) -> torch.Tensor:
    return angles_from_pose(scene.hand_pose[0].double(), joint_frames().double())


def distances(before, after) -> list[float]:
    return [math.dist(a, b) for a, b in zip(before, after, strict=True)]


def test_knuckle_ring_and_wheel_move_turn_and_size_the_hand_and_leave_its_fingers(editor):
    start = editor.dots()
    editor.drag_dot(MIDDLE_KNUCKLE, (25, -15))
    moved = editor.dots()
    pose = editor.scene["hands"][0]["hand_pose"]
    off = [math.dist(b, (a[0] + 25, a[1] - 15)) for a, b in zip(start, moved, strict=True)]
    # What is nearer to the camera than the hand's middle goes a little farther.
    assert off[MIDDLE_KNUCKLE] < 0.5 and max(off) < 8

    # A quarter turn on the ring, clockwise: what was above the middle is at its right then.
    ring = editor.ring()
    editor.drag((ring["x"], ring["y"] + ring["radius"]), (-ring["radius"], -ring["radius"]), steps=12)
    rolled = editor.dots()
    middle, tip = moved[MIDDLE_KNUCKLE], moved[MIDDLE_TIP]
    assert math.dist(rolled[MIDDLE_TIP], (middle[0] - (tip[1] - middle[1]), middle[1] + tip[0] - middle[0])) < 12

    editor.drag((middle[0] + 3, middle[1] + 20), (50, 0), button="right")
    turned = editor.dots()
    assert max(distances(rolled, turned)) > 10 and math.dist(rolled[MIDDLE_KNUCKLE], turned[MIDDLE_KNUCKLE]) < 0.5

    span = math.dist(turned[WRIST], turned[MIDDLE_KNUCKLE])
    editor.page.mouse.wheel(0, -300)
    editor.page.wait_for_timeout(400)
    sized = editor.dots()
    assert 1.2 * span < math.dist(sized[WRIST], sized[MIDDLE_KNUCKLE]) < 1.6 * span
    assert editor.scene["hands"][0]["hand_pose"] == pose


def test_twenty_drags_of_any_dots_to_anywhere_keep_every_joint_in_its_range(editor):
    chance = random.Random(17)
    for _ in range(20):
        dot = chance.choice([3, 4, 6, 7, 8, 10, 11, 12, 14, 15, 16, 18, 19, 20])
        editor.drag_dot(dot, (chance.uniform(-150, 150), chance.uniform(-150, 150)), steps=2)
    found = angles(scene_from_json(editor.text))
    low, high = joint_limits().double().unbind(-1)
    assert (found >= low - 1e-6).all() and (found <= high + 1e-6).all()
    assert (found - angles(FIRST)).abs().max() > 0.5


def test_it_draws_each_hand_once_a_frame_and_nothing_while_nothing_happens(editor):
    editor.focus()
    editor.press("a", "a")
    editor.page.mouse.move(5, 300)
    editor.frames(4)
    draws, pictures = editor.drawn()
    editor.page.wait_for_timeout(500)
    assert editor.drawn() == [draws, pictures]
    editor.press("m")
    after, shown = editor.drawn()
    assert shown > pictures and after - draws == 3 * (shown - pictures)


def test_what_is_drawn_is_what_the_graph_renders(editor, frontend, comfyui_server):
    editor.drag_dot(INDEX_TIP, (-10, 80))
    editor.drag_dot(RING_TIP, (30, 60))
    frontend.page.evaluate(
        """() => {
            const maps = LiteGraph.createNode("SesaHandRenderCondition");
            maps.pos = [700, 80];
            app.graph.add(maps);
            app.graph._nodes[0].connect(0, maps, maps.inputs.findIndex(input => input.name === "hands"));
        }"""
    )
    frontend.run()
    [file] = editor.page.evaluate(
        "() => Object.entries(app.nodeOutputs).filter(([id]) => app.graph.getNodeById(id).type.endsWith('Condition'))"
        ".map(([, output]) => output.images[0])"
    )
    rendered = np.asarray(comfyui_server.image(file).convert("RGB")).max(-1) > 0
    # In a stage as large as that the picture stands in it pixel for pixel.
    data = editor.evaluate(
        """({editor, view}) => {
            const {view: drawn} = view.stage;
            editor.view({shown: "depth"});
            drawn.resize(512 + 28, 512 + 28);
            drawn.draw();
            return drawn.canvases.picture.toDataURL();
        }"""
    )
    drawn = np.asarray(Image.open(io.BytesIO(base64.b64decode(data.split(",")[1]))).convert("RGB")).max(-1)
    drawn = drawn[14 : 14 + 512, 14 : 14 + 512] > 40
    assert rendered.shape == drawn.shape and rendered.sum() > 10_000
    assert (rendered & drawn).sum() / (rendered | drawn).sum() > 0.99
    editor.view_again()


def test_keys_bend_joints_by_degrees_and_say_so(editor):
    editor.focus()
    editor.press("2", "ArrowDown", "Shift+ArrowDown")
    change = (angles(scene_from_json(editor.text)) - angles(FIRST))[0].rad2deg().tolist()
    assert change == pytest.approx([12, 0, 0], abs=1e-3)
    spoken = editor.page.locator(".sesahand-spoken").text_content()
    assert spoken.startswith("Index, first joint: bend")


def test_hands_are_added_mirrored_copied_and_removed(editor):
    editor.focus()
    editor.press("a")
    pair = scene_from_json(editor.text)
    assert pair.side == ("right", "left")
    assert (mirror_rotation(pair.hand_pose[0]) - pair.hand_pose[1]).abs().max() < 1e-6
    editor.press("Delete")
    assert [hand["side"] for hand in editor.scene["hands"]] == ["right"]
    editor.act("swap")
    assert [hand["side"] for hand in editor.scene["hands"]] == ["left"]
    copied = editor.evaluate(
        """({view}) => {
            const clipboardData = new DataTransfer();
            view.stage.sink.dispatchEvent(new ClipboardEvent("copy", {clipboardData, bubbles: true}));
            const text = clipboardData.getData("text/plain");
            view.stage.sink.dispatchEvent(new ClipboardEvent("paste", {clipboardData, bubbles: true}));
            return text;
        }"""
    )
    first, second = editor.scene["hands"]
    [original] = json.loads(copied)["hands"]
    assert first["hand_pose"] == second["hand_pose"] == original["hand_pose"]
    assert first["translation"] != second["translation"]


def test_looking_around_changes_nothing_but_what_a_dot_bends(editor):
    editor.drag_dot(INDEX_TIP, (0, 60))
    before = editor.text
    editor.act("around")
    x, y = editor.corner()
    editor.drag((x + 12, y + 12), (110, -40))
    editor.drag_dot(INDEX_TIP, (20, 10), button="right")
    editor.page.mouse.wheel(0, -200)
    editor.page.wait_for_timeout(300)
    assert editor.text == before
    orbit = "({view}) => view.stage.view.orbit"
    around = editor.evaluate(orbit)
    assert around["yaw"] < -0.5 and around["zoom"] > 1
    tip = editor.dots()[MIDDLE_TIP]
    editor.drag_dot(MIDDLE_TIP, (-30, 25))
    assert math.dist(editor.dots()[MIDDLE_TIP], (tip[0] - 30, tip[1] + 25)) < 3 and editor.evaluate(orbit) == around
    first, second = (scene_from_json(text) for text in (before, editor.text))
    moved = (angles(first) - angles(second)).abs().amax(1) > 1e-5
    assert moved.nonzero().flatten().tolist() == [3, 4, 5]
    assert first.translation.equal(second.translation) and first.global_orient.equal(second.global_orient)
    editor.act("picture")


def test_what_a_run_tells_before_the_editor_is_there_is_not_lost(frontend):
    empty_graph(frontend)
    frontend.page.evaluate(
        """text => {
            const [hand, node] = ["SesaHandPoseHand", "SesaHandEditHands"].map(type => LiteGraph.createNode(type));
            node.pos = [80, 80];
            app.graph.add(hand);
            app.graph.add(node);
            hand.connect(0, node, node.inputs.findIndex(({name}) => name === "hands"));
            node.onExecuted({sesahand_found: [text], sesahand_waits: [true], sesahand_input: [""]});
        }""",
        FIRST.to_json(),
    )
    editor = HandEditor(frontend).wait()
    assert editor.status() == "waiting" and editor.evaluate("({editor}) => editor.state.scene.hands.length") == 1


def test_a_text_that_cannot_be_read_is_said_and_kept(editor):
    broken = '{"format": "sesahand-hands", "hands": "none"}'
    editor.write(broken)
    assert editor.status() == "unreadable"
    editor.focus()
    editor.press("a", "m", "r", "Delete", "Control+z")
    editor.write(broken)
    x, y = editor.corner()
    editor.drag((x + 100, y + 100), (50, 50))
    assert editor.text == broken
    editor.act("startAnew")
    assert editor.status() == "edited" and scene_from_json(editor.text).side == ("right",)


def test_a_lost_context_leaves_the_dots_and_comes_back(editor):
    lost = editor.evaluate(
        """async ({view}) => {
            const {painter} = view.stage.view;
            window.lose = painter.gl.getExtension("WEBGL_lose_context");
            window.lose.loseContext();
            await new Promise(resolve => setTimeout(resolve, 100));
            return painter.lost;
        }"""
    )
    assert lost
    editor.frames()
    assert "WebGL" in editor.page.locator(".sesahand-status p").text_content()
    editor.drag_dot(INDEX_TIP, (0, 60))
    assert editor.text
    editor.page.evaluate("() => window.lose.restoreContext()")
    editor.page.wait_for_timeout(200)
    draws, _ = editor.drawn()
    editor.press("m")
    assert editor.drawn()[0] > draws


def test_what_is_copied_after_the_keys_have_left_is_not_a_hand(editor, frontend):
    # Where nothing of the frontend lies over the node's title.
    editor.show_at(1, (250, 120))
    editor.drag_dot(INDEX_TIP, (0, 60))
    before = editor.text
    title = frontend.page.locator("[data-testid='node-title']").first.bounding_box()
    frontend.page.mouse.click(title["x"] + title["width"] / 2, title["y"] + title["height"] / 2)
    assert not editor.evaluate("({view}) => view.stage.hasFocus")
    editor.press("Control+c", "Control+v")
    editor.page.wait_for_timeout(300)
    assert editor.text == before
    # The graph has them, and makes another node.
    assert frontend.page.evaluate("() => app.graph._nodes.length") == 2


def test_a_run_of_another_input_forgets_the_hands_of_the_last(frontend):
    empty_graph(frontend)
    frontend.page.evaluate(
        """() => {
            const [node, hand] = ["SesaHandEditHands", "SesaHandPoseHand"].map(type => LiteGraph.createNode(type));
            node.pos = [80, 80];
            app.graph.add(node);
            app.graph.add(hand);
            hand.connect(0, node, node.inputs.findIndex(({name}) => name === "hands"));
        }"""
    )
    editor = HandEditor(frontend).wait()
    editor.show_at()
    told = "({node}, news) => node.onExecuted({sesahand_waits: [false], ...news})"
    editor.evaluate(told, {"sesahand_found": [FIRST.to_json()], "sesahand_input": ["one"]})
    editor.act("takeOver")
    editor.evaluate(told, {"sesahand_input": ["one"]})
    editor.act("follow")
    assert editor.status() == "following"
    # A button that goes with its message leaves the keys with the stage.
    assert editor.evaluate("({view}) => view.stage.hasFocus")
    editor.act("takeOver")
    editor.evaluate(told, {"sesahand_input": ["two"]})
    assert editor.status() == "outdated"
    editor.act("follow")
    assert editor.status() == "unseen" and editor.text == ""


def test_undo_on_the_stage_after_the_graphs_own_goes_on_with_the_graphs(editor, frontend):
    texts = []
    for dot in (INDEX_TIP, MIDDLE_TIP, RING_TIP):
        editor.drag_dot(dot, (0, 60))
        texts.append(editor.text)
    shows = f"text => {editor.node}?.handEditor.view?.editor.text === text"
    frontend.page.evaluate("() => void app.extensionManager.command.execute('Comfy.Undo')")
    frontend.page.wait_for_function(shows, arg=texts[1], timeout=20_000)
    editor.wait().focus()
    editor.press("Control+z")
    frontend.page.wait_for_function(shows, arg=texts[0], timeout=20_000)


def test_a_picture_that_is_dropped_gives_its_size_and_a_broken_one_is_refused_and_not_kept(editor):
    drop = """({view}, bytes, type) => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([Uint8Array.from(bytes)], "dropped.png", {type}));
        view.stage.element.dispatchEvent(new DragEvent("drop", {dataTransfer, bubbles: true, cancelable: true}));
    }"""
    picture = io.BytesIO()
    Image.new("RGB", (300, 200), (30, 160, 30)).save(picture, "PNG")
    editor.evaluate(drop, list(picture.getvalue()), "image/png")
    editor.wait_until("({editor}) => editor.background.dropped && editor.text !== ''")
    camera = scene_from_json(editor.text).camera
    assert (camera.width, camera.height) == (300, 200)
    kept = editor.evaluate("({node}) => JSON.stringify(node.properties)")
    editor.evaluate(drop, list(b"no picture"), "image/png")
    words = "view.element.querySelector('.sesahand-status p').textContent"
    editor.wait_until(f"({{view}}) => {words}.includes('cannot read')")
    assert editor.evaluate("({node}) => JSON.stringify(node.properties)") == kept
    assert editor.evaluate("({editor}) => editor.background.image.naturalWidth") == 300


def test_a_button_closes_the_large_view(editor):
    editor.act("large")
    close = editor.page.locator(".sesahand-large [data-act=close]")
    assert close.is_visible()
    close.click()
    assert editor.page.locator(".sesahand-large").count() == 0
    assert not editor.page.locator(".sesahand-editor [data-act=close]").is_visible()
