"""Edit Hands: its text alone counts; an empty one lets the input through."""

import json
import logging

import numpy
import pytest
import torch
from before_run import refusals
from comfy_execution.graph_utils import ExecutionBlocker
from PIL import Image
from sesahand_pack.nodes import editing, hand
from sesahand_pack.sesahand.errors import SesaHandError
from sesahand_pack.sesahand.scene.hand_scene import HandScene

import folder_paths


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


def told(scene="", unedited=editing.PASS, **given):
    return editing.EditHands.execute(scene=scene, unedited=unedited, **given).ui


def test_stop_here_stops_what_is_unedited_and_shows_what_came_in(posed):
    assert isinstance(edit(unedited=editing.STOP), ExecutionBlocker)
    assert isinstance(edit(posed.to_json(), unedited=editing.STOP), HandScene)
    assert asked(unedited=editing.STOP, hands=None) == ["hands"]
    # Also if they belong to a picture of another shape: the editor can fit them.
    shown = told(unedited=editing.STOP, hands=posed, image=torch.zeros(1, 100, 200, 3))
    assert shown["sesahand_waits"] == [True] and shown["sesahand_found"] == [posed.to_json()]
    assert "sesahand_scene" not in shown and shown["sesahand_background"]


def test_the_editor_is_told_which_hands_came_in_and_went_out(posed):
    assert told() == {"sesahand_waits": [False], "sesahand_scene": [edit().to_json()]}
    assert told(hands=posed)["sesahand_found"] == told(hands=posed)["sesahand_scene"] == [posed.to_json()]
    small = told(posed.to_json(), image=torch.zeros(1, 256, 256, 3))
    assert "sesahand_found" not in small, "they were not asked for, and the editor keeps those that it knows"
    assert HandScene.from_json(small["sesahand_scene"][0]).camera.width == 256


def test_many_hands_are_not_sent_to_the_browser(posed):
    [text] = told(hands=posed.select([0] * 100))["sesahand_found"]
    assert len(HandScene.from_json(text)) == 65, "one more than it reads, so that it says that they are too many"


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_paths, "temp_directory", str(tmp_path / "temp"))
    return tmp_path / "temp"


def test_the_picture_is_sent_small_under_a_name_of_its_own(posed, temporary):
    picture = torch.linspace(0, 1, 3000)[None, None, :, None].expand(2, 1500, 3000, 3)
    [shown] = told(image=picture)["sesahand_background"]
    assert (shown["type"], shown["width"], shown["height"]) == ("temp", 3000, 1500)
    assert told(image=picture[:1] + 0)["sesahand_background"] == [shown]
    with Image.open(temporary / shown["subfolder"] / shown["filename"]) as found:
        assert found.size == (1024, 512)
        levels = numpy.asarray(found.convert("L")).mean(0) / 255
    assert numpy.abs(levels - numpy.linspace(0, 1, 1024)).max() < 0.02
    [other] = told(image=1 - picture)["sesahand_background"]
    assert other["filename"] != shown["filename"] and len(list((temporary / shown["subfolder"]).iterdir())) == 2


@pytest.mark.parametrize("channels", [1, 4])
def test_pictures_of_other_kinds_are_sent_too(temporary, channels):
    picture = torch.full((1, 8, 8, channels), float("nan"))
    [shown] = told(image=picture)["sesahand_background"]
    with Image.open(temporary / shown["subfolder"] / shown["filename"]) as found:
        assert found.mode == "RGB" and found.getextrema() == ((0, 0),) * 3


def test_a_picture_that_cannot_be_written_stops_nothing_and_is_logged(posed, temporary, caplog):
    temporary.write_text("a file in the way")
    with caplog.at_level(logging.WARNING):
        assert "sesahand_background" not in told(hands=posed, image=torch.zeros(1, 512, 512, 3))
    assert "cannot show its picture" in caplog.text


def test_hands_come_out_in_the_pictures_size_or_it_is_said_why_not(posed):
    found = edit(posed.to_json(), image=torch.zeros(1, 256, 256, 3))
    assert (found.camera.width, found.camera.focal_length) == (256, posed.camera.focal_length / 2)
    with pytest.raises(SesaHandError, match="512x512 view cannot be drawn at 200x100.*Fit to picture"):
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
