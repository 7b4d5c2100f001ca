"""The workflows of the hand editor on a real server, without any browser: their API files are all they need."""

import shutil

import numpy as np
import pytest
import torch
from detector_files import real_picture
from glb_reader import Glb

import workflows
from sesahand.hands.fingers import FingerChange, change_fingers
from sesahand.hands.rotations import mirror_rotation
from sesahand.render.maps import render_maps
from sesahand.scene.hand_scene import HandScene
from sesahand.scene.scene_files import load_scene


def the(api: dict, class_type: str) -> str:
    [key] = workflows.nodes_of(api, class_type)
    return key


def pixels(picture) -> np.ndarray:
    return np.asarray(picture.convert("RGB"))


def test_the_posed_hand_is_drawn_in_all_maps_as_its_text_says(comfyui_server):
    api = workflows.read_api("pose_editor")
    run = comfyui_server.run(api)
    scene = HandScene.from_json(api[the(api, "SesaHandEditHands")]["inputs"]["scene"])
    maps = render_maps(scene, antialias=True, forearm=True)
    outputs = comfyui_server.get("/object_info/SesaHandRenderCondition")["SesaHandRenderCondition"]["output_name"]
    shown = {}
    for key in workflows.nodes_of(api, "PreviewImage") + workflows.nodes_of(api, "MaskPreview"):
        [(_, output)] = api[key]["inputs"].values()
        [shown[outputs[output]]] = run.images(key)
    assert set(shown) == {"mesh", "depth", "normal", "parts", "keypoints", "mask"}
    for name, picture in shown.items():
        expected = getattr(maps, name)[0] * 255
        expected = expected[..., None].expand(-1, -1, 3) if name == "mask" else expected
        assert np.abs(pixels(picture) - expected.numpy()).max() <= 1, name


@pytest.fixture(scope="module")
def found(comfyui_server, detector_folder):
    """The workflow with the photograph of two crossed hands, run before anything was edited."""
    shutil.copy(real_picture("photos/two_hands_crossed.jpg"), comfyui_server.folder / "input")
    api = workflows.read_api("photo_to_edited_hand")
    api[the(api, "LoadImage")]["inputs"]["image"] = "two_hands_crossed.jpg"
    return api, comfyui_server.run(api)


def saved_by(server, run, api) -> tuple[Glb, HandScene]:
    """Return what Export Hand Mesh saved: the rigged hands, and their parameters."""
    [file] = run.outputs[the(api, "SesaHandExportMesh")]["3d"]
    path = server.folder / "output" / file["subfolder"] / file["filename"]
    return Glb(path.read_bytes()), load_scene(path.with_suffix(".json"))


def test_the_editor_opens_over_the_photograph_with_its_hands(comfyui_server, found):
    api, run = found
    told = run.outputs[the(api, "SesaHandEditHands")]
    hands = HandScene.from_json(told["sesahand_found"][0])
    assert sorted(hands.side) == ["left", "right"] and told["sesahand_scene"] == told["sesahand_found"]
    [photograph] = told["sesahand_background"]
    assert (photograph["width"], photograph["height"]) == (hands.camera.width, hands.camera.height)
    behind = comfyui_server.image(photograph)
    assert abs(behind.width / behind.height - hands.camera.width / hands.camera.height) < 0.01


def test_a_finger_that_was_straightened_is_straight_in_what_is_saved(comfyui_server, found):
    api, run = found
    told = run.outputs[the(api, "SesaHandEditHands")]
    hands = HandScene.from_json(told["sesahand_scene"][0])
    n = hands.side.index("left")
    right = change_fingers(mirror_rotation(hands.hand_pose[n]), FingerChange(straighten={"middle": 1.0}))
    hands.hand_pose[n] = mirror_rotation(right)
    edited = {**api, the(api, "SesaHandEditHands"): {**api[the(api, "SesaHandEditHands")]}}
    edited[the(api, "SesaHandEditHands")]["inputs"] = {
        **api[the(api, "SesaHandEditHands")]["inputs"],
        "scene": hands.to_json(),
    }
    again = comfyui_server.run(edited)
    _, before = saved_by(comfyui_server, run, api)
    glb, after = saved_by(comfyui_server, again, api)
    assert torch.allclose(after.hand_pose[n], hands.hand_pose[n], atol=1e-5)
    assert (after.hand_pose[n] - before.hand_pose[n]).abs().max() > 0.1
    assert {mesh["name"] for mesh in glb.entries("meshes")} >= {"right_hand", "left_hand"}
    drawn = [pixels(each.images(the(api, "SesaHandDrawHands"))[0]).astype(int) for each in (run, again)]
    assert np.abs(drawn[0] - drawn[1]).max() > 30, "the edited finger is drawn elsewhere"
    assert again.outputs[the(api, "SesaHandEditHands")]["sesahand_input"] == told["sesahand_input"]


def test_stop_here_ends_before_anything_is_made(comfyui_server, found):
    api, _ = found
    editor = the(api, "SesaHandEditHands")
    waiting = {**api, editor: {**api[editor], "inputs": {**api[editor]["inputs"], "unedited": "stop here"}}}
    outputs = comfyui_server.run(waiting).outputs
    assert outputs[editor]["sesahand_waits"] == [True] and outputs[editor]["sesahand_found"]
    assert the(api, "SesaHandExportMesh") not in outputs


def test_a_picture_without_hands_goes_through(comfyui_server, detector_folder):
    api = workflows.read_api("photo_to_edited_hand")
    outputs = comfyui_server.run(api).outputs
    assert not len(HandScene.from_json(outputs[the(api, "SesaHandEditHands")]["sesahand_scene"][0]))
