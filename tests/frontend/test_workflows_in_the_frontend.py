"""The shipped workflows in ComfyUI's real frontend, as someone who opens them sees them."""

import base64

import pytest

import workflows
from sesahand.mini.embedded import has_embedded

DROP = """async text => {
    const bytes = Uint8Array.from(atob(text), character => character.charCodeAt(0));
    await app.handleFile(new File([bytes], "picture.png", {type: "image/png"}));
}"""


@pytest.fixture(params=workflows.NAMES)
def loaded(request, frontend):
    """A workflow of the pack, opened."""
    frontend.problems.clear()
    frontend.load(workflows.read_ui(request.param))
    return request.param


def test_it_opens_without_missing_nodes_or_console_errors(loaded, frontend):
    frontend.page.wait_for_timeout(500)
    assert frontend.missing_nodes() == []
    assert frontend.problems == []
    assert frontend.page.locator(".p-dialog").count() == 0, "a dialog complains about missing nodes or models"


def test_it_converts_to_the_shipped_api_file(loaded, frontend):
    assert frontend.to_api() == workflows.read_api(loaded)


def test_it_stays_the_same_when_it_is_saved_again(loaded, frontend):
    before, after = workflows.read_ui(loaded), frontend.to_ui()
    assert after["links"] == before["links"]
    for old, new in zip(before["nodes"], after["nodes"], strict=True):
        assert {k: new.get(k) for k in ("id", "type", "pos", "widgets_values", "properties")} == {
            k: old.get(k) for k in ("id", "type", "pos", "widgets_values", "properties")
        }
        assert [entry["name"] for entry in old.get("inputs", [])] == [entry["name"] for entry in new.get("inputs", [])]


def test_run_in_the_frontend_shows_the_maps_on_the_node(frontend):
    frontend.problems.clear()
    frontend.load(workflows.read_ui("pose_and_render"))
    frontend.run()
    frontend.page.wait_for_function(
        "() => app.graph._nodes.find(n => n.type === 'SesaHandRenderCondition').imgs?.length === 5", timeout=10_000
    )
    assert frontend.problems == []


@pytest.mark.usefixtures("detector_folder")
def test_run_in_the_frontend_shows_score_and_report_of_the_checked_hand(frontend):
    frontend.problems.clear()
    frontend.load(workflows.read_ui("check_hand"))
    frontend.run()
    frontend.page.wait_for_function(
        """() => app.graph._nodes.find(n => n.type === "SesaHandScoreHands").imgs?.length === 1
            && app.graph._nodes.find(n => n.type === "PreviewAny").widgets.some(w => /^score 0/.test(w.value))""",
        timeout=10_000,
    )
    assert frontend.problems == []


@pytest.mark.skipif(not has_embedded(), reason="this checkout holds no weights of the small model")
@pytest.mark.usefixtures("detector_folder")
def test_run_in_the_frontend_paints_the_sentence_and_the_picture_brings_the_workflow_back(frontend, comfyui_server):
    frontend.problems.clear()
    frontend.load(workflows.read_ui("text_to_hand"))
    frontend.run()
    frontend.page.wait_for_function(
        """() => app.nodeOutputs[app.graph._nodes.find(n => n.type === "SaveImage").id]?.images?.length === 1
            && app.graph._nodes.some(n => n.type === "PreviewAny" && n.widgets.some(w => /^score /.test(w.value)))""",
        timeout=10_000,
    )
    assert frontend.problems == []
    saved = (comfyui_server.folder / "output" / "sesahand").glob("text_to_hand*.png")
    picture = max(saved, key=lambda path: path.stat().st_mtime)
    frontend.page.evaluate("() => app.graph.clear()")
    frontend.page.evaluate(DROP, base64.b64encode(picture.read_bytes()).decode())
    frontend.page.wait_for_function("() => app.graph._nodes.length > 0")
    assert frontend.to_api() == workflows.read_api("text_to_hand")


def test_an_error_of_a_node_is_shown_with_its_text(frontend):
    workflow = workflows.read_ui("pose_and_render")
    [place, *_] = [node for node in workflow["nodes"] if node["type"] == "SesaHandPlaceHand"]
    place["widgets_values"][place["widgets_values"].index("")] = "nonsense"
    frontend.load(workflow)
    with pytest.raises(RuntimeError, match="four numbers in pixels"):
        frontend.run()
    frontend.page.get_by_text("four numbers in pixels").first.wait_for(timeout=5000)
