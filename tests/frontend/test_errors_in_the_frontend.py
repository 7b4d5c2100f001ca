"""What a user reads when a node of ours fails: our sentence at once, and no path of a module."""

from workflows import defaults

SENTENCE = "Choose a smaller box or mask, or a camera with a smaller field of view."


def test_the_sentence_of_a_node_that_fails_is_read_without_a_click(frontend, comfyui_server):
    graph = {
        "1": defaults(comfyui_server, "SesaHandPoseHand"),
        "2": defaults(comfyui_server, "SesaHandPlaceHand", hands=["1", 0], size=10.0, fov=150.0),
        "3": defaults(comfyui_server, "SesaHandRenderCondition", hands=["2", 0]),
    }
    page = frontend.page
    page.evaluate("async graph => await app.loadApiJson(graph, 'fails')", graph)
    page.wait_for_timeout(1000)
    page.evaluate("async () => await app.queuePrompt(0, 1)")
    page.get_by_text(SENTENCE).locator("visible=true").first.wait_for(timeout=60_000)
    page.wait_for_timeout(500)
    said = page.inner_text("body")
    # In the frontend's own dialog, or in our message where that has gone; some is there for screen readers only.
    shown = [part.bounding_box() for part in page.get_by_text(SENTENCE).all() if part.is_visible()]
    assert len([box for box in shown if box["width"] > 4]) == 1
    assert "errors.SesaHandError" not in said and str(comfyui_server.folder) not in said
