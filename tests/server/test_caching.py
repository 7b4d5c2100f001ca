"""What has not changed is not run again: a whole graph of the pack's nodes, twice, on a real server."""

import json
import shutil

import pytest

from workflows import defaults


@pytest.fixture(scope="module")
def saved(comfyui_server):
    """A file with hands in the input folder, as Save Hands wrote it."""
    graph = {
        "1": defaults(comfyui_server, "SesaHandPoseHand", gesture="ok"),
        "2": defaults(comfyui_server, "SesaHandSaveHands", hands=["1", 0], filename_prefix="to_cache"),
    }
    comfyui_server.run(graph)
    written = max((comfyui_server.folder / "output").glob("to_cache*"))
    return shutil.copy(written, comfyui_server.folder / "input" / "cached.json")


@pytest.fixture
def graph(comfyui_server, saved):
    """Every family that needs no model: read, pose, draw, say, find, fit, score, choose, save."""

    def node(class_type, **given):
        return defaults(comfyui_server, class_type, **given)

    keypoints = [{"side": "right", "keypoints": [[20.0 + 5 * k, 100.0 + 3 * k] for k in range(21)]}]
    said = {"template": "{hand_action}", "semantics": ["say", 0]}
    return {
        "load": node("SesaHandLoadHands", file="cached.json", left_hands="mirrored"),
        "loaded": node("SesaHandPlaceHand", hands=["load", 0], width=96, height=96),
        "model": node("SesaHandLoadHandModel"),
        "pose": node("SesaHandPoseHand", hand_model=["model", 0], jitter=3.0),
        "place": node("SesaHandPlaceHand", hands=["pose", 0], width=96, height=96),
        "both": node("SesaHandCombineHands", hands_1=["loaded", 0], hands_2=["place", 0]),
        "maps": node("SesaHandRenderCondition", hands=["both", 0]),
        "say": node("SesaHandExtractSemantics", caption="A man holds a cup."),
        "compose": node("SesaHandComposePrompt", **said),
        "detect": node("SesaHandDetectHands", image=["maps", 0], keypoints=json.dumps(keypoints)),
        "fit": node("SesaHandReconstructHands", landmarks=["detect", 0]),
        "draw": node("SesaHandDrawHands", hands=["fit", 0], image=["maps", 0], views=2),
        "score": node("SesaHandScoreHands", requested=["both", 0], found=["fit", 0]),
        "best": node("SesaHandKeepBest", images=["maps", 0], scores=["score", 1]),
        "pair": node("SesaHandSavePair", image=["best", 0], hands=["fit", 0], set_name="cached", prompt=["compose", 0]),
        "mesh": node("SesaHandExportMesh", hands=["place", 0], filename_prefix="cached"),
        "keep": node("SesaHandSaveHands", hands=["fit", 0], filename_prefix="cached"),
    }


def test_a_second_run_of_the_same_graph_executes_nothing(comfyui_server, graph):
    assert set(comfyui_server.run(graph).executed) == set(graph)
    files = sorted((comfyui_server.folder / "output").rglob("*cached*"))
    assert comfyui_server.run(graph).executed == []
    assert sorted((comfyui_server.folder / "output").rglob("*cached*")) == files, "nothing is saved twice"


def test_a_file_that_changed_is_read_again_with_all_that_follows_and_nothing_else(comfyui_server, graph, saved):
    comfyui_server.run(graph)
    scene = json.loads(open(saved, encoding="utf-8").read())
    scene["hands"][0]["betas"][0] = 1.5
    with open(saved, "w", encoding="utf-8") as file:
        json.dump(scene, file)
    again = set(comfyui_server.run(graph).executed)
    assert again.isdisjoint({"model", "pose", "place", "say", "compose", "mesh"})
    assert again >= {"load", "loaded", "both", "maps", "detect", "score", "pair"}
    assert comfyui_server.run(graph).executed == []
