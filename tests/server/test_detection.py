"""The way from a picture to hands and their score on a real server, with the real networks."""

import json

from workflows import defaults


def node(server, kind, **given):
    return defaults(server, kind, **given)


def test_a_rendered_hand_is_found_fitted_and_scored(comfyui_server, detector_folder):
    graph = {
        "asked": node(comfyui_server, "SesaHandPoseHand", gesture="victory", side="left"),
        "drawn": node(comfyui_server, "SesaHandRenderCondition", hands=["asked", 0]),
        "found": node(comfyui_server, "SesaHandDetectHands", image=["drawn", 0], threshold=0.2),
        "boxes": node(comfyui_server, "PreviewAny", source=["found", 1]),
        "fitted": node(comfyui_server, "SesaHandReconstructHands", landmarks=["found", 0]),
        "score": node(comfyui_server, "SesaHandScoreHands", requested=["asked", 0], found=["fitted", 0]),
        "said": node(comfyui_server, "PreviewAny", source=["score", 0]),
    }
    run = comfyui_server.run(graph)
    [box] = json.loads(run.outputs["boxes"]["text"][0])
    assert box["side"] == "left" and box["frame"] == 0
    assert run.images("found")[0].size == (512, 512)
    assert float(run.outputs["said"]["text"][0]) > 0.5


def test_found_boxes_and_keypoints_go_back_in(comfyui_server, detector_folder):
    points = json.dumps([[40 + 5 * k, 60 + 3 * k] for k in range(21)])
    graph = {
        "empty": node(comfyui_server, "EmptyImage", width=160, height=160),
        "points": node(comfyui_server, "PrimitiveString", value=points),
        "found": node(comfyui_server, "SesaHandDetectHands", image=["empty", 0], keypoints=["points", 0]),
        "again": node(comfyui_server, "SesaHandDetectHands", image=["empty", 0], boxes=["found", 1]),
        "count": node(comfyui_server, "PreviewAny", source=["found", 4]),
        "none": node(comfyui_server, "PreviewAny", source=["again", 4]),
    }
    run = comfyui_server.run(graph)
    assert [run.outputs[name]["text"][0] for name in ("count", "none")] == ["1", "0"]
