"""The shipped subgraph blueprints in ComfyUI's real frontend: from the user's folder, and opened as workflows."""

import json
import shutil
import urllib.error

import pytest
from browser import NoBrowser, open_frontend

import workflows

FOLDER = workflows.ROOT / "subgraphs"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
# Where frontends keep blueprints: until 1.50 in a list of their own, then among the definitions of nodes.
LISTED = """() => {
    const stores = document.querySelector("#vue-app").__vue_app__.config.globalProperties.$pinia._s;
    const all = stores.get("subgraph")?.subgraphBlueprints
        ?? [...stores.get("nodeDef").nodeDefs].filter(node => node.name.startsWith("SubgraphBlueprint."));
    return all.map(node => ({
        name: node.display_name, description: node.description, category: node.category,
        words: node.search_aliases ?? null,
    }));
}"""


def read(name: str) -> dict:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


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


@pytest.fixture(scope="module")
def listed(frontend):
    """The blueprints of this pack as the node library lists them; those of core are left out."""
    frontend.page.wait_for_function(
        f"names => {{ const all = ({LISTED})().map(b => b.name); return names.every(name => all.includes(name)); }}",
        arg=NAMES,
        timeout=60_000,
    )
    return [entry for entry in frontend.page.evaluate(LISTED) if entry["name"] in NAMES]


def test_the_node_library_has_them_with_what_they_are_for(listed):
    described = {name: read(name)["extra"]["BlueprintDescription"] for name in NAMES}
    assert {entry["name"]: entry["description"] for entry in listed} == described


def test_newer_frontends_file_the_packs_own_beside_cores_by_theme(listed, comfyui_server):
    if comfyui_server.installation.version < (0, 3, 67):
        pytest.skip("ComfyUI serves the blueprints of packs since 0.3.67; copies in the user's folder are listed apart")
    for name in NAMES:
        category = read(name)["definitions"]["subgraphs"][0]["category"]
        assert f"Subgraph Blueprints/{category}" in [entry["category"] for entry in listed if entry["name"] == name]


def test_newer_frontends_find_copies_in_the_users_folder_by_other_words(listed):
    """Those that the server lists have only words that it sends, which it does not read from the files yet."""
    found = {entry["name"]: entry["words"] for entry in listed if entry["words"]}
    if not found:
        pytest.skip("this frontend finds blueprints by their names alone")
    assert found == {name: read(name)["extra"]["BlueprintSearchAliases"] for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_it_opens_as_a_workflow_with_all_its_nodes(frontend, name):
    frontend.problems.clear()
    saved = read(name)
    frontend.load(saved)
    assert frontend.missing_nodes() == [] and frontend.problems == []
    api = frontend.to_api()
    inner = [node["type"] for node in saved["definitions"]["subgraphs"][0]["nodes"]]
    assert sorted(node["class_type"] for node in api.values()) == sorted(inner)


def test_pose_to_control_maps_runs_with_its_widgets_on_the_node(frontend):
    frontend.load(read("Pose to control maps"))
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
