"""From a picture to 3D hands and back, on a real server, by the workflows that are shipped for it."""

import json
import shutil

import numpy as np
import pytest
from comfy_server import NodeFailed
from detector_files import real_picture
from glb_reader import Glb
from PIL import Image

import workflows
from sesahand.scene.scene_files import load_scene

pytestmark = pytest.mark.usefixtures("detector_folder")


def the(api: dict, class_type: str) -> str:
    [key] = workflows.nodes_of(api, class_type)
    return key


def with_photograph(name: str) -> dict:
    api = workflows.read_api("reconstruct_and_export")
    api[the(api, "LoadImage")]["inputs"]["image"] = name
    return api


def glb_of(server, run, api) -> Glb:
    [file] = run.outputs[the(api, "SesaHandExportMesh")]["3d"]
    assert run.outputs[the(api, "Preview3D")]["result"][0] == f"{file['subfolder']}/{file['filename']}"
    return Glb(server.fetch("/view", **file))


@pytest.fixture(scope="module")
def crossed(comfyui_server):
    """The photograph of two crossed hands, reconstructed."""
    shutil.copy(real_picture("photos/two_hands_crossed.jpg"), comfyui_server.folder / "input")
    api = with_photograph("two_hands_crossed.jpg")
    return api, comfyui_server.run(api)


class TestPhotograph:
    def test_both_hands_are_drawn_where_they_are(self, crossed):
        api, run = crossed
        [overlay] = run.images(the(api, "SesaHandDrawHands"))
        with Image.open(real_picture("photos/two_hands_crossed.jpg")) as picture:
            photograph = np.asarray(picture.convert("RGB")).astype(int)
        assert overlay.size == photograph.shape[1::-1]
        painted = np.abs(np.asarray(overlay.convert("RGB")) - photograph).max(-1) > 30
        rows, columns = np.nonzero(painted)
        # The hands' box in the photograph, found by looking at it.
        assert 290 < columns.min() < columns.max() < 610 and 200 < rows.min() < rows.max() < 570
        assert painted.mean() > 0.03

    def test_the_report_names_side_error_and_distance_of_each(self, crossed):
        api, run = crossed
        lines = run.outputs[the(api, "PreviewAny")]["text"][0].splitlines()
        assert sorted(line.split(", ")[1].split(":")[0] for line in lines) == ["left hand", "right hand"]
        for line in lines:
            assert float(line.split("(")[1].split("%")[0]) < 4, "share of the hand's box"

    def test_the_turntable_and_the_rigged_hands_are_shown_and_saved(self, crossed, comfyui_server):
        api, run = crossed
        assert len(run.images(the(api, "PreviewImage"))) == 8
        glb = glb_of(comfyui_server, run, api)
        assert {mesh["name"] for mesh in glb.entries("meshes")} >= {"right_hand", "left_hand"}
        [file] = run.outputs[the(api, "SesaHandExportMesh")]["3d"]
        path = comfyui_server.folder / "output" / file["subfolder"] / file["filename"]
        scene = load_scene(path.with_suffix(".json"))
        assert sorted(scene.side) == ["left", "right"] and (scene.pose().keypoints[..., 2] > 0.1).all()

    def test_a_second_run_executes_nothing(self, crossed, comfyui_server):
        assert comfyui_server.run(crossed[0]).executed == []


def test_a_picture_without_hands_goes_through(comfyui_server):
    api = workflows.read_api("reconstruct_and_export")
    run = comfyui_server.run(api)
    [report] = run.outputs[the(api, "PreviewAny")]["text"]
    assert report.startswith("no hands")
    assert "3d" not in (run.outputs.get(the(api, "SesaHandExportMesh")) or {}), "a file of no hands"
    [overlay], [seen] = run.images(the(api, "SesaHandDrawHands")), run.images(the(api, "SesaHandDetectHands"))
    overlay, seen = np.asarray(overlay), np.asarray(seen)
    # Above, Detect Hands says what to do where the networks know no hand.
    half = len(seen) // 2
    assert np.array_equal(overlay[half:], seen[half:]) and not np.array_equal(overlay[:half], seen[:half])


def checked(server, gesture: str) -> tuple[dict, object, dict]:
    """Run check_hand with a gesture in the picture; return graph, run and the score's details."""
    api = workflows.read_api("check_hand")
    asked = api[the(api, "SesaHandScoreHands")]["inputs"]["requested"][0]
    pose_asked = api[asked]["inputs"]["hands"][0]
    [pose_drawn] = [key for key in workflows.nodes_of(api, "SesaHandPoseHand") if key != pose_asked]
    api[pose_drawn]["inputs"]["gesture"] = gesture
    api["details"] = {"class_type": "PreviewAny", "inputs": {"source": [the(api, "SesaHandScoreHands"), 3]}}
    run = server.run(api)
    return api, run, json.loads(run.outputs["details"]["text"][0])


class TestCheck:
    def test_the_gesture_asked_for_scores_high_and_another_one_low(self, comfyui_server):
        api, run, right = checked(comfyui_server, "ok")
        _, _, wrong = checked(comfyui_server, "open_palm")
        assert right["mean"] > 0.8 and wrong["mean"] < 0.5
        [hand] = right["pictures"][0]["hands"]
        assert hand["side"] == "right" and hand["right_side"] and hand["pa_mpjpe"] < 6
        [picture] = run.images(the(api, "SesaHandScoreHands"))
        assert picture.size == (512, 512)

    def test_the_other_side_is_seen(self, comfyui_server):
        api = workflows.read_api("check_hand")
        for pose in workflows.nodes_of(api, "SesaHandPoseHand"):
            api[pose]["inputs"]["side"] = "left"
        api["details"] = {"class_type": "PreviewAny", "inputs": {"source": [the(api, "SesaHandScoreHands"), 3]}}
        run = comfyui_server.run(api)
        details = json.loads(run.outputs["details"]["text"][0])
        assert details["mean"] > 0.8 and details["pictures"][0]["hands"][0]["side"] == "left"

    def test_a_second_run_executes_nothing(self, comfyui_server):
        api, _, _ = checked(comfyui_server, "ok")
        assert comfyui_server.run(api).executed == []


def looking_at(server, picture: list, **more) -> dict:
    """Return a graph that detects, reconstructs and draws the hands of a picture that another node makes."""

    def node(class_type, **given):
        return workflows.defaults(server, class_type, **given)

    return {
        **more,
        "detect": node("SesaHandDetectHands", image=picture),
        "fit": node("SesaHandReconstructHands", landmarks=["detect", 0]),
        "draw": node("SesaHandDrawHands", hands=["fit", 0], image=picture, views=1),
        "report": {"class_type": "PreviewAny", "inputs": {"source": ["fit", 2]}},
    }


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (2048, 2), (16384, 16)], ids=str)
def test_pictures_of_any_shape_have_no_hands_rather_than_an_error(comfyui_server, size):
    width, height = size
    empty = {"class_type": "EmptyImage", "inputs": {"width": width, "height": height, "batch_size": 2, "color": 0}}
    run = comfyui_server.run(looking_at(comfyui_server, ["empty", 0], empty=empty))
    assert run.outputs["report"]["text"] == ["no hands"]
    assert run.images("draw")[0].size == size


def test_an_alpha_channel_that_hides_nothing_changes_nothing(comfyui_server):
    def node(class_type, **given):
        return workflows.defaults(comfyui_server, class_type, **given)

    nodes = {
        "pose": node("SesaHandPoseHand", gesture="ok"),
        "plain": node("SesaHandRenderCondition", hands=["pose", 0], forearm=True, antialias=True),
        "opaque": node("SolidMask", value=0.0, width=512, height=512),
        "alpha": node("JoinImageWithAlpha", image=["plain", 0], alpha=["opaque", 0]),
    }
    runs = [comfyui_server.run(looking_at(comfyui_server, [name, 0], **nodes)) for name in ("plain", "alpha")]
    plain, alpha = (run.outputs["report"]["text"] for run in runs)
    assert plain == alpha and plain[0].startswith("picture 0, right hand")


def test_hands_are_not_scored_in_pictures_of_other_proportions(comfyui_server):
    api = workflows.read_api("check_hand")
    asked = api[the(api, "SesaHandScoreHands")]["inputs"]["requested"][0]
    api[asked]["inputs"]["width"] = 1024
    with pytest.raises(NodeFailed, match="proportions") as failure:
        comfyui_server.run(api)
    assert failure.value.node_type == "SesaHandScoreHands"
