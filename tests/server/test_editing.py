"""Edit Hands on a real server, without any browser: following its input, edited, unconnected, and stopped."""

import json

import pytest
from comfy_server import NodeFailed, PromptRejected

from sesahand.hands.gestures import find_gesture
from sesahand.hands.loading import load_hand_model
from sesahand.scene.hand_scene import HandScene
from sesahand.scene.placement import Placement
from sesahand.scene.placing import Hand
from workflows import defaults

MODEL = load_hand_model()
VICTORY = Placement().place(Hand.in_gesture(MODEL, find_gesture("victory")))


@pytest.fixture
def graph(comfyui_server):
    """Pose Hand -> Edit Hands -> Render Hand Depth & Maps, which shows its maps."""
    return {
        "1": defaults(comfyui_server, "SesaHandPoseHand", gesture="victory"),
        "2": defaults(comfyui_server, "SesaHandEditHands", hands=["1", 0]),
        "3": defaults(comfyui_server, "SesaHandRenderCondition", hands=["2", 0]),
    }


def shown(server, graph) -> list[bytes]:
    return [picture.tobytes() for picture in server.run(graph).images("3")]


def test_a_scene_gives_the_same_pictures_as_the_hands_it_was_written_from(comfyui_server, graph):
    followed = shown(comfyui_server, graph)
    graph["2"]["inputs"]["scene"] = VICTORY.to_json()
    graph["1"]["inputs"]["gesture"] = "fist"
    assert shown(comfyui_server, graph) == followed
    graph["2"]["inputs"]["scene"] = ""
    assert shown(comfyui_server, graph) != followed


def test_what_leads_to_the_input_runs_only_while_the_scene_is_empty(comfyui_server, graph):
    black = defaults(comfyui_server, "SolidMask", value=0.0, width=64, height=64)
    graph |= {"4": black, "5": defaults(comfyui_server, "SesaHandPlaceHand", hands=["1", 0], mask=["4", 0])}
    graph["2"]["inputs"]["hands"] = ["5", 0]
    with pytest.raises(NodeFailed, match="The mask is empty"):
        comfyui_server.run(graph)
    graph["2"]["inputs"]["scene"] = VICTORY.to_json()
    assert shown(comfyui_server, graph)


def test_without_an_input_there_is_an_open_hand(comfyui_server, graph):
    del graph["2"]["inputs"]["hands"]
    alone = shown(comfyui_server, graph)
    graph["2"]["inputs"]["hands"] = ["1", 0]
    graph["1"]["inputs"]["gesture"] = "open_palm"
    assert shown(comfyui_server, graph) == alone


def test_stop_here_ends_the_run_before_what_comes_after_and_without_an_error(comfyui_server, graph):
    graph["2"]["inputs"]["unedited"] = "stop here"
    assert "3" not in comfyui_server.run(graph).outputs
    graph["2"]["inputs"]["scene"] = VICTORY.to_json()
    assert "3" in comfyui_server.run(graph).outputs


def told(server, graph) -> dict:
    """What the editor is told, if nothing but Edit Hands is to run."""
    return server.run({key: graph[key] for key in ("1", "2")}).outputs["2"]


def test_it_runs_alone_and_tells_the_editor_what_came_in_and_goes_out(comfyui_server, graph):
    followed = told(comfyui_server, graph)
    assert followed["sesahand_found"] == followed["sesahand_scene"] and followed["sesahand_waits"] == [False]
    assert (HandScene.from_json(followed["sesahand_found"][0]).hand_pose - VICTORY.hand_pose).abs().max() < 1e-6
    graph["2"]["inputs"]["scene"] = VICTORY.to_json()
    # Hands that are in the cache are known without being asked for, in ComfyUI 0.3.64.
    graph["1"]["inputs"]["gesture"] = "hook"
    edited = told(comfyui_server, graph)
    assert edited["sesahand_scene"] == [VICTORY.to_json()] and "sesahand_found" not in edited
    graph["1"]["inputs"]["gesture"] = "victory"
    graph["2"]["inputs"] |= {"scene": "", "unedited": "stop here"}
    waiting = told(comfyui_server, graph)
    assert waiting["sesahand_waits"] == [True] and waiting["sesahand_found"] == followed["sesahand_found"]


def test_the_input_is_known_again_although_it_does_not_run(comfyui_server, graph):
    [before] = told(comfyui_server, graph)["sesahand_input"]
    text = json.loads(VICTORY.to_json()) | {"taken_from": before}
    graph["2"]["inputs"]["scene"] = json.dumps(text)
    assert told(comfyui_server, graph)["sesahand_input"] == [before]
    graph["1"]["inputs"]["gesture"] = "fist"
    assert told(comfyui_server, graph)["sesahand_input"] != [before]


def test_the_picture_can_be_fetched_by_the_browser(comfyui_server, graph):
    graph["4"] = defaults(comfyui_server, "EmptyImage", width=256, height=256, color=0x2080C0)
    graph["2"]["inputs"]["image"] = ["4", 0]
    [file] = comfyui_server.run({key: graph[key] for key in ("1", "2", "4")}).outputs["2"]["sesahand_background"]
    picture = comfyui_server.image(file)
    assert picture.size == (256, 256)
    assert max(abs(got - wanted) for got, wanted in zip(picture.getpixel((9, 9)), (0x20, 0x80, 0xC0), strict=True)) < 4


def test_a_broken_text_is_refused_with_the_place_that_is_wrong(comfyui_server, graph):
    data = json.loads(VICTORY.to_json())
    del data["hands"][0]["translation"]
    graph["2"]["inputs"]["scene"] = json.dumps(data)
    with pytest.raises(PromptRejected, match=r"hands\[0\] lacks translation"):
        comfyui_server.run(graph)
