"""A GLB of Export Hand Mesh in ComfyUI's real frontend."""

import base64

import pytest
from browser import NoBrowser, open_frontend

import workflows

DROP = """async text => {
    const bytes = Uint8Array.from(atob(text), character => character.charCodeAt(0));
    await app.handleFile(new File([bytes], "hand.glb", {type: "model/gltf-binary"}));
}"""


@pytest.fixture(scope="module")
def frontend(comfyui_server):
    try:
        with open_frontend(comfyui_server.url) as opened:
            yield opened
    except NoBrowser as reason:
        pytest.skip(str(reason))


def test_preview_3d_loads_the_file_and_dropping_it_brings_the_graph_back(frontend, comfyui_server):
    def node(class_type, **given):
        return workflows.defaults(comfyui_server, class_type, **given)

    graph = {
        "1": node("SesaHandPoseHand", gesture="ok"),
        "2": node("SesaHandExportMesh", hands=["1", 0], filename_prefix="dropped"),
        "3": {"class_type": "Preview3D", "inputs": {"model_file": ["2", 1], "image": ""}},
    }
    frontend.problems.clear()
    frontend.page.evaluate("async graph => await app.loadApiJson(graph, 'hand')", graph)
    with frontend.page.expect_response(lambda answer: "dropped_00001_.glb" in answer.url, timeout=60_000) as answer:
        frontend.run()
    data = answer.value.body()
    assert answer.value.ok and data[:4] == b"glTF"
    frontend.page.evaluate("() => app.graph.clear()")
    frontend.page.evaluate(DROP, base64.b64encode(data).decode())
    frontend.page.wait_for_function("() => app.graph._nodes.length === 3")
    assert {entry["class_type"] for entry in frontend.to_api().values()} == {
        entry["class_type"] for entry in graph.values()
    }
    assert [problem for problem in frontend.problems if "WebGL" not in problem] == []
