"""Save Image-Mesh Pair on a real server: pictures, maps, words and a score from other nodes into one set."""

import pytest

import workflows
from sesahand.data.pair_set import PairSet


@pytest.fixture(scope="module")
def graph(comfyui_server):
    def node(class_type, **given):
        return workflows.defaults(comfyui_server, class_type, **given)

    return {
        "1": node("SesaHandPoseHand", gesture="victory", side="left"),
        "2": node("SesaHandPlaceHand", hands=["1", 0], width=96, height=64),
        "3": node("SesaHandRenderCondition", hands=["2", 0]),
        "4": node("SesaHandWriteSemantics", pose="a man standing", hand_action="his left hand shows a V"),
        "5": node("SesaHandComposePrompt", semantics=["4", 0]),
        "6": node("SesaHandScoreHands", requested=["2", 0], found=["2", 0]),
        "7": node("SesaHandSavePair", image=["3", 2], hands=["2", 0], semantics=["5", 1], prompt=["5", 0],
                  mesh=["3", 0], mask=["3", 5], scores=["6", 1], minimum_score=0.5),
        "8": {"class_type": "PreviewAny", "inputs": {"source": ["7", 3]}},
    }  # fmt: skip


def test_a_graph_grows_a_set_run_by_run(graph, comfyui_server):
    root = comfyui_server.folder / "output" / "pairs" / "SesaHand"
    for count, gesture in enumerate(("victory", "fist"), start=1):
        graph["1"]["inputs"]["gesture"] = gesture
        run = comfyui_server.run(graph)
        assert f"The set has {count} pairs." in run.outputs["8"]["text"][0]
        assert len(run.images("7")) == 1, "the picture is shown on the node"
    first, second = PairSet(root)
    assert first.semantics.hand_action == "his left hand shows a V" and first.semantics.hand_action in first.prompt
    assert list(first.maps) == ["mesh", "mask"] and first.facts.score > 0.99
    assert first.scene.side == ("left",) and (first.scene.hand_pose - second.scene.hand_pose).abs().max() > 0.5
