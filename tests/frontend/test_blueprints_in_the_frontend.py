"""The shipped subgraph blueprints in ComfyUI's real frontend: from the user's folder, and opened as workflows."""

import json
import shutil
import urllib.error

import pytest
from browser import NoBrowser, open_frontend

import workflows

FOLDER = workflows.ROOT / "subgraphs"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
STORE = "document.querySelector('#vue-app').__vue_app__.config.globalProperties.$pinia._s.get('subgraph')"


@pytest.fixture(scope="module")
def frontend(comfyui_server):
    own = comfyui_server.folder / "user" / "default" / "subgraphs"
    own.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        shutil.copy(FOLDER / f"{name}.json", own)
    try:
        with open_frontend(comfyui_server.url) as opened:
            yield opened
    except NoBrowser as reason:
        pytest.skip(str(reason))
    finally:
        shutil.rmtree(own)


def test_the_node_library_has_them_with_what_they_are_for(frontend):
    frontend.page.wait_for_function(f"() => {STORE}?.subgraphBlueprints.length >= {len(NAMES)}", timeout=60_000)
    found = frontend.page.evaluate(f"() => {STORE}.subgraphBlueprints.map(b => [b.display_name, b.description])")
    described = {name: json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))["extra"] for name in NAMES}
    assert dict(found) == {name: extra["BlueprintDescription"] for name, extra in described.items()}


@pytest.mark.parametrize("name", NAMES)
def test_it_opens_as_a_workflow_with_all_its_nodes(frontend, name):
    frontend.problems.clear()
    saved = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    frontend.load(saved)
    assert frontend.missing_nodes() == [] and frontend.problems == []
    api = frontend.to_api()
    inner = [node["type"] for node in saved["definitions"]["subgraphs"][0]["nodes"]]
    assert sorted(node["class_type"] for node in api.values()) == sorted(inner)


def test_pose_to_control_maps_runs_with_its_widgets_on_the_node(frontend):
    frontend.load(json.loads((FOLDER / "Pose to control maps.json").read_text(encoding="utf-8")))
    frontend.page.evaluate(
        """() => {
            const [node] = app.graph._nodes, preview = LiteGraph.createNode("PreviewImage");
            app.graph.add(preview);
            for (const [name, value] of [["gesture", "fist"], ["side", "left"], ["width", 256], ["height", 192]])
                node.widgets.find(widget => widget.name === name).value = value;
            node.connect(node.outputs.findIndex(output => output.name === "depth"), preview, 0);
        }"""
    )
    api = frontend.to_api()
    [pose] = [node["inputs"] for node in api.values() if node["class_type"] == "SesaHandPoseHand"]
    assert (pose["gesture"], pose["side"]) == ("fist", "left")
    frontend.run()
    frontend.page.wait_for_function(
        """() => {
            const [picture] = app.graph._nodes.find(n => n.type === "PreviewImage").imgs ?? [];
            return picture?.naturalWidth === 256 && picture.naturalHeight === 192;
        }""",
        timeout=20_000,
    )


def test_a_newer_comfyui_serves_them_from_the_pack(comfyui_server):
    try:
        served = comfyui_server.get("/global_subgraphs")
    except urllib.error.HTTPError:
        pytest.skip("ComfyUI serves the blueprints of packs since 0.3.67; until then they are copied")
    assert set(NAMES) <= {entry["name"] for entry in served.values()}
