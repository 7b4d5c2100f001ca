"""The first click on a fresh machine: without the hand detector's files, the workflows that need nothing run."""

import shutil

import numpy as np
import pytest
from comfy_install import CORES, Unavailable, find_comfyui
from comfy_server import ComfyServer, NodeFailed

import workflows
from sesahand.models.small.embedded import has_embedded
from workflows import defaults

COMMAND = "python -m sesahand get-detector"


@pytest.fixture(scope="module", params=CORES)
def fresh(request, tmp_path_factory):
    """A server of each core in whose folders, and in whose user's cache, there is no detector."""
    try:
        installation = find_comfyui(request.param)
    except Unavailable as reason:
        pytest.skip(str(reason))
    folder = tmp_path_factory.mktemp("fresh")
    server = ComfyServer(installation, folder)
    with pytest.MonkeyPatch.context() as patch:
        # For the server alone: the tests' own detector is in the user's cache.
        patch.setenv("SESAHAND_CACHE", str(folder / "cache"))
        server.__enter__()
    yield server
    server.__exit__()


def with_steps(api: dict, steps: int) -> dict:
    """Return a graph whose samplers take fewer steps."""
    return {
        key: {**node, "inputs": node["inputs"] | ({"steps": steps} if node["class_type"] == "KSampler" else {})}
        for key, node in api.items()
    }


def says(picture) -> bool:
    """Return whether a notice is over the upper part of a picture: its band's colour, with letters on it."""
    pixels = np.asarray(picture.convert("RGB")).astype(int)
    band = np.abs(pixels - (60, 40, 0)).max(-1) < 12
    return bool(band[: len(pixels) // 2].mean() > 0.1 and not band[-5:].any())


@pytest.mark.skipif(not has_embedded(), reason="this checkout holds no weights of the small model")
@pytest.mark.parametrize("name", ["text_to_hand", "compare_alignment"])
def test_workflows_that_need_nothing_succeed_and_say_what_is_missing(fresh, name):
    api = with_steps(workflows.read_api(name), 1)
    run = fresh.run(api)
    [detect] = workflows.nodes_of(api, "SesaHandDetectHands")
    assert run.images(detect)[0].width >= 384 and all(says(picture) for picture in run.images(detect))
    for node in workflows.nodes_of(api, "SaveImage"):
        assert run.images(node), "the picture is there"
    assert COMMAND in fresh.log()
    texts = [run.outputs[node]["text"][0] for node in workflows.nodes_of(api, "PreviewAny")]
    if name == "text_to_hand":
        [report] = [text for text in texts if "score" in text.splitlines()[0] or text.startswith("not scored")]
        assert report.startswith("not scored: The hand detector's files are missing") and COMMAND in report


def test_all_that_follows_detection_goes_through_with_no_hands(fresh):
    graph = {
        "asked": defaults(fresh, "SesaHandPoseHand"),
        "drawn": defaults(fresh, "SesaHandRenderCondition", hands=["asked", 0]),
        "found": defaults(fresh, "SesaHandDetectHands", image=["drawn", 0]),
        "fitted": defaults(fresh, "SesaHandReconstructHands", landmarks=["found", 0]),
        "report": defaults(fresh, "PreviewAny", source=["fitted", 2]),
        "over": defaults(fresh, "SesaHandDrawHands", hands=["fitted", 0], image=["drawn", 0], views=2),
        "score": defaults(fresh, "SesaHandScoreHands", requested=["asked", 0], found=["fitted", 0]),
        "best": defaults(fresh, "SesaHandKeepBest", images=["drawn", 0], scores=["score", 1]),
        "sheet": defaults(fresh, "SesaHandContactSheet", images=["best", 0], scores=["score", 1]),
        "export": defaults(fresh, "SesaHandExportMesh", hands=["best", 3]),
        "viewer": defaults(fresh, "Preview3D", model_file=["export", 1]),
        "file": defaults(fresh, "SaveGLB", mesh=["export", 0]),
        "around": defaults(fresh, "PreviewImage", images=["over", 1]),
        "pair": defaults(
            fresh,
            "SesaHandSavePair",
            image=["drawn", 0],
            hands=["fitted", 0],
            set_name="pairs/none",
            scores=["score", 1],
        ),
        "saved": defaults(fresh, "PreviewAny", source=["pair", 3]),
    }
    if fresh.get("/object_info/RenderMesh"):
        graph["picture"] = defaults(fresh, "RenderMesh", mesh=["export", 0])
        graph["shown"] = defaults(fresh, "PreviewImage", images=["picture", 0])
    run = fresh.run(graph)
    assert COMMAND in run.outputs["report"]["text"][0]
    assert "1 left out without hands" in run.outputs["saved"]["text"][0] and COMMAND in run.outputs["saved"]["text"][0]
    assert not {"viewer", "file", "around", "shown"} & set(run.outputs), "nothing is shown of nothing"


def test_asked_to_it_stops_with_the_command(fresh):
    graph = {
        "image": defaults(fresh, "EmptyImage", width=64, height=64),
        "found": defaults(fresh, "SesaHandDetectHands", image=["image", 0], if_missing="stop"),
    }
    with pytest.raises(NodeFailed, match=COMMAND):
        fresh.run(graph)


def test_once_the_files_are_there_the_same_graph_looks_for_hands(fresh, detector_folder):
    graph = {
        "asked": defaults(fresh, "SesaHandPoseHand"),
        "drawn": defaults(fresh, "SesaHandRenderCondition", hands=["asked", 0]),
        "found": defaults(fresh, "SesaHandDetectHands", image=["drawn", 0], threshold=0.2),
        "count": defaults(fresh, "PreviewAny", source=["found", 4]),
    }
    assert fresh.run(graph).outputs["count"]["text"] == ["0"]
    place = fresh.folder / "models" / "hand_detector"
    shutil.copytree(detector_folder, place)
    try:
        again = fresh.run(graph)
        assert again.outputs["count"]["text"] == ["1"] and set(again.executed) == {"found", "count"}
        assert fresh.run(graph).executed == []
    finally:
        shutil.rmtree(place)
