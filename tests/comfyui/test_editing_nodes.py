"""Edit Hands: its text alone counts; an empty one lets the input through."""

import json

import pytest
import torch
from before_run import refusals
from comfy_execution.graph_utils import ExecutionBlocker
from sesahand_pack.nodes import editing, hand
from sesahand_pack.sesahand.errors import SesaHandError
from sesahand_pack.sesahand.scene.hand_scene import HandScene


def edit(scene="", unedited=editing.PASS, **given):
    return editing.EditHands.execute(scene=scene, unedited=unedited, **given).result[0]


def asked(scene="", unedited=editing.PASS, **given):
    return editing.EditHands.check_lazy_status(scene=scene, unedited=unedited, **given)


@pytest.fixture(scope="module")
def posed():
    inputs = hand.PoseHand.define_schema().inputs
    given = {entry.id: entry.default for entry in inputs if not entry.optional}
    return hand.PoseHand.execute(**given | {"gesture": "victory", "side": "left"}).result[0]


def test_an_empty_scene_lets_the_very_hands_of_the_input_through(posed):
    assert edit(hands=posed) is posed and edit(" \n", hands=posed) is posed


def test_a_scene_alone_counts_and_asks_for_no_other_hands(posed):
    text = posed.to_json()
    assert asked(text, hands=None) == [] and asked(hands=None) == ["hands"]
    found = edit(text)
    assert torch.equal(found.hand_pose, posed.hand_pose) and found.side == ("left",)
    assert torch.equal(edit(text, hands=edit()).hand_pose, posed.hand_pose)


def test_hands_that_are_not_connected_are_not_asked_for():
    assert asked() == []


def test_without_hands_and_scene_there_is_an_open_hand_in_the_picture():
    found = edit(image=torch.zeros(2, 96, 128, 3))
    assert (found.camera.width, found.camera.height, len(found)) == (128, 96, 1)
    points = found.camera.project(found.pose().keypoints[0])
    assert points.min() > 0 and points[:, 0].max() < 128 and points[:, 1].max() < 96
    assert (edit().camera.width, edit().camera.height) == (512, 512)


def test_stop_here_stops_what_is_unedited_and_makes_no_hands_for_it(posed):
    assert isinstance(edit(unedited=editing.STOP), ExecutionBlocker)
    assert asked(unedited=editing.STOP, hands=None) == []
    assert isinstance(edit(posed.to_json(), unedited=editing.STOP), HandScene)


def test_hands_come_out_in_the_pictures_size_or_it_is_said_why_not(posed):
    found = edit(posed.to_json(), image=torch.zeros(1, 256, 256, 3))
    assert (found.camera.width, found.camera.focal_length) == (256, posed.camera.focal_length / 2)
    with pytest.raises(SesaHandError, match="512x512 view cannot be drawn at 200x100"):
        edit(hands=posed, image=torch.zeros(1, 100, 200, 3))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "version 2"),
        ({"hand_model": "mano"}, "the model 'mano'"),
        ({"hands": [{"side": "right"}]}, r"hands\[0\] lacks translation"),
    ],
)
def test_a_text_that_is_no_scene_is_refused_before_the_graph_runs(posed, change, message):
    text = json.dumps(json.loads(posed.to_json()) | change)
    [answer] = refusals(editing.EditHands, scene=text)
    with pytest.raises(SesaHandError, match=message) as error:
        edit(text)
    assert str(error.value) in answer
