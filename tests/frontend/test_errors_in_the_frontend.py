"""What a user reads when a node of ours fails or refuses a value: our sentence at once, and no path of a module."""

import json

import pytest
from comfy_install import ROOT

from workflows import defaults

FAILS = "Choose a smaller box or mask, or a camera with a smaller field of view."


def read_once(page, sentence: str) -> str:
    """Return what the page says once it says the sentence in one place, by the frontend's own dialog or our message."""
    page.get_by_text(sentence).locator("visible=true").first.wait_for(timeout=20_000)
    page.wait_for_timeout(250)
    # Some of it is there for screen readers only.
    shown = [part.bounding_box() for part in page.get_by_text(sentence).all() if part.is_visible()]
    assert len([box for box in shown if box["width"] > 4]) == 1
    said = page.inner_text("body")
    # The dialog of the floor stays until it is closed, and there is only one.
    page.keyboard.press("Escape")
    page.wait_for_timeout(250)
    return said


def queue(page, graph: dict) -> None:
    page.evaluate("async graph => await app.loadApiJson(graph, 'fails')", graph)
    page.wait_for_timeout(300)
    page.evaluate("async () => await app.queuePrompt(0, 1)")


def drawn(server, **place) -> dict:
    """Return Pose Hand -> Place Hand -> Render Hand Depth & Maps."""
    return {
        "1": defaults(server, "SesaHandPoseHand"),
        "2": defaults(server, "SesaHandPlaceHand", hands=["1", 0], **place),
        "3": defaults(server, "SesaHandRenderCondition", hands=["2", 0]),
    }


def test_the_sentence_of_a_node_that_fails_is_read_without_a_click(frontend, comfyui_server):
    queue(frontend.page, drawn(comfyui_server, size=10.0, fov=150.0))
    said = read_once(frontend.page, FAILS)
    assert "errors.SesaHandError" not in said and str(comfyui_server.folder) not in said


def saved(server, prefix: str) -> dict:
    return {
        "1": defaults(server, "SesaHandPoseHand"),
        "2": defaults(server, "SesaHandSaveHands", hands=["1", 0], filename_prefix=prefix),
    }


def captioned(server, model: str) -> dict:
    return {
        "1": defaults(server, "EmptyImage"),
        "2": defaults(server, "SesaHandLoadVLM", model_name=model),
        "3": defaults(server, "SesaHandCaption", vlm=["2", 0], image=["1", 0]),
        "4": defaults(server, "PreviewAny", source=["3", 0]),
    }


@pytest.mark.parametrize(
    ("graph", "sentence"),
    [
        (lambda server: drawn(server, box="1 2 3"), "expected four numbers in pixels"),
        (lambda server: drawn(server, camera="fisheye"), "expected one of: perspective, hamer"),
        (lambda server: saved(server, "../x"), "filename_prefix cannot be used"),
        (lambda server: captioned(server, "none yet"), "there is nothing to choose from yet"),
    ],
    ids=["text", "choice", "name of a file", "empty list"],
)
def test_the_sentence_about_a_refused_value_is_read_without_a_click(frontend, comfyui_server, graph, sentence):
    queue(frontend.page, graph(comfyui_server))
    read_once(frontend.page, sentence)


def test_inside_a_subgraph_the_sentence_stands_under_the_nodes_title(frontend, comfyui_server, site):
    page = frontend.page
    frontend.load(json.loads((ROOT / "subgraphs" / "Pose to control maps.json").read_text(encoding="utf-8")))
    page.wait_for_timeout(300)
    page.evaluate(
        """async () => {
            const inner = app.graph._nodes[0].subgraph._nodes.find(node => node.type === "SesaHandPlaceHand");
            inner.title = "The left hand";
            inner.widgets.find(widget => widget.name === "box").value = "7, 7, 7";
            await app.queuePrompt(0, 1);
        }"""
    )
    said = read_once(page, "box is '7, 7, 7'")
    assert site.core == "floor" or "The left hand couldn't validate" in said
