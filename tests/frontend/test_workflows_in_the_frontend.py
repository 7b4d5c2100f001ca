"""The shipped workflows in ComfyUI's real frontend, as someone who opens them sees them."""

import base64

import pytest

import workflows
from sesahand.models.small.embedded import has_embedded

DROP = """async text => {
    const bytes = Uint8Array.from(atob(text), character => character.charCodeAt(0));
    await app.handleFile(new File([bytes], "picture.png", {type: "image/png"}));
}"""
ERROR = "A 768x512 view cannot be drawn at 304x304"


@pytest.fixture(params=workflows.NAMES)
def loaded(request, frontend, core_version):
    """A workflow of the pack, opened."""
    workflows.skip_without_nodes(request.param, core_version)
    frontend.problems.clear()
    frontend.load(workflows.read_ui(request.param))
    return request.param


def test_it_opens_without_missing_nodes_or_console_errors(loaded, frontend):
    frontend.page.wait_for_timeout(500)
    assert frontend.missing_nodes() == []
    assert frontend.problems == []
    assert frontend.page.locator(".p-dialog").count() == 0, "a dialog complains about missing nodes or models"


def test_it_converts_to_the_shipped_api_file(loaded, frontend):
    workflows.assert_same_graph(frontend.to_api(), workflows.read_api(loaded))


def wires(ui: dict) -> list[tuple]:
    """Return what is connected, by the names of outputs and inputs: core orders some of its inputs anew."""
    nodes = {node["id"]: node for node in ui["nodes"]}
    return [
        (number, source, nodes[source]["outputs"][slot]["name"], target, nodes[target]["inputs"][entry]["name"])
        for number, source, slot, target, entry, _ in ui["links"]
    ]


def test_it_stays_the_same_when_it_is_saved_again(loaded, frontend):
    before, after = workflows.read_ui(loaded), frontend.to_ui()
    assert wires(after) == wires(before)
    for old, new in zip(before["nodes"], after["nodes"], strict=True):
        assert {k: new.get(k) for k in ("id", "type", "pos", "properties")} == {
            k: old.get(k) for k in ("id", "type", "pos", "properties")
        }
        # Of a node without widgets, one frontend keeps an empty list and another nothing.
        kept, saved = old.get("widgets_values") or [], new.get("widgets_values") or []
        # A newer core may have given a node of its own more widgets, behind those that it had.
        assert (saved if old["type"].startswith("SesaHand") else saved[: len(kept)]) == kept
        assert {entry["name"] for entry in old.get("inputs", [])} <= {entry["name"] for entry in new.get("inputs", [])}


def test_run_in_the_frontend_shows_the_maps_on_the_node(frontend):
    frontend.problems.clear()
    frontend.load(workflows.read_ui("pose_and_render"))
    frontend.run()
    frontend.page.wait_for_function(
        """() => {
            const node = app.graph._nodes.find(n => n.type === "SesaHandRenderCondition");
            app.canvas.centerOnNode(node);
            const shown = document.querySelectorAll(`[data-node-id="${node.id}"] img`).length;
            return (LiteGraph.vueNodesMode ? shown : node.imgs?.length) === 5;
        }""",
        timeout=10_000,
    )
    assert frontend.problems == []


@pytest.mark.usefixtures("detector_folder")
def test_run_in_the_frontend_shows_score_and_report_of_the_checked_hand(frontend):
    frontend.problems.clear()
    frontend.load(workflows.read_ui("check_hand"))
    frontend.run()
    frontend.page.wait_for_function(
        """() => app.nodeOutputs[app.graph._nodes.find(n => n.type === "SesaHandScoreHands").id]?.images?.length === 1
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
    workflows.assert_same_graph(frontend.to_api(), workflows.read_api("text_to_hand"))


def drawn_hand(server) -> bytes:
    """Return a PNG of a hand that the detector finds."""
    run = server.run(
        {
            "pose": workflows.defaults(server, "SesaHandPoseHand", gesture="ok"),
            "place": workflows.defaults(server, "SesaHandPlaceHand", hands=["pose", 0], size=0.7),
            "draw": workflows.defaults(server, "SesaHandRenderCondition", hands=["place", 0], forearm=True),
            "show": {"class_type": "PreviewImage", "inputs": {"images": ["draw", 0]}},
        }
    )
    [file] = run.outputs["show"]["images"]
    return server.fetch("/view", **file)


@pytest.mark.usefixtures("detector_folder")
def test_run_in_the_frontend_loads_the_exported_hand_into_the_3d_viewer(frontend, comfyui_server):
    (comfyui_server.folder / "input" / "hand.png").write_bytes(drawn_hand(comfyui_server))
    workflow = workflows.read_ui("reconstruct_and_export")
    [photograph] = [node for node in workflow["nodes"] if node["type"] == "LoadImage"]
    photograph["widgets_values"][0] = "hand.png"
    frontend.problems.clear()
    frontend.load(workflow)
    with frontend.page.expect_response(lambda answer: ".glb" in answer.url, timeout=60_000) as answer:
        frontend.run()
    data = answer.value.body()
    assert answer.value.ok and data[:4] == b"glTF" and len(data) > 100_000
    assert [problem for problem in frontend.problems if "WebGL" not in problem] == []


@pytest.mark.parametrize("name", workflows.NAMES)
def test_values_of_folded_inputs_stay_when_it_is_saved_and_opened_again(name, frontend, core_version):
    workflows.skip_without_nodes(name, core_version)
    workflow = workflows.read_ui(name)
    changed = {}
    for node in workflow["nodes"]:
        if node["type"] == "SesaHandPlaceHand":
            changed[str(node["id"])] = ("fov", 55)
        if node["type"] == "SesaHandStructuralFusion":
            changed[str(node["id"])] = ("orientation", "scatter")
    if not changed:
        pytest.skip("it has none of the two nodes that are looked at")
    frontend.load(workflow)
    for number, (widget, value) in changed.items():
        frontend.page.evaluate(
            """([id, name, value]) => {
                app.graph._nodes.find(n => String(n.id) === id).widgets.find(w => w.name === name).value = value;
            }""",
            [number, widget, value],
        )
    frontend.load(frontend.to_ui())
    api = frontend.to_api()
    assert {number: api[number]["inputs"][widget] for number, (widget, _) in changed.items()} == {
        number: value for number, (_, value) in changed.items()
    }


def test_an_error_of_a_node_is_shown_with_its_text(frontend):
    workflow = workflows.read_ui("pose_and_render")
    [render] = [node for node in workflow["nodes"] if node["type"] == "SesaHandRenderCondition"]
    render["widgets_values"][-3:-1] = [304, 304]
    frontend.load(workflow)
    with pytest.raises(RuntimeError, match=ERROR):
        frontend.run()
    # Newer frontends say first that something went wrong, and what it was when one asks.
    text, details = frontend.page.get_by_text(ERROR), frontend.page.get_by_role("button", name="View details")
    text.or_(details).first.wait_for(timeout=10_000)
    if not text.count():
        details.first.click()
    text.first.wait_for(timeout=10_000)
