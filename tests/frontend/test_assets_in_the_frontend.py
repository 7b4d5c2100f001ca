"""Files that the nodes wrote, dropped onto ComfyUI's real frontend: the graph that made them is back."""

import base64

import workflows

DROP = """async ([text, name, type]) => {
    const bytes = Uint8Array.from(atob(text), character => character.charCodeAt(0));
    await app.handleFile(new File([bytes], name, {type}));
}"""
TYPES = {"glb": "model/gltf-binary", "png": "image/png"}


def drop(frontend, data: bytes, suffix: str) -> None:
    """Clear the graph and drop a file on it."""
    frontend.page.evaluate("() => app.graph.clear()")
    frontend.page.evaluate(DROP, [base64.b64encode(data).decode(), f"dropped.{suffix}", TYPES[suffix]])
    frontend.page.wait_for_function("() => app.graph._nodes.length > 0", timeout=20_000)


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
    drop(frontend, data, "glb")
    assert {entry["class_type"] for entry in frontend.to_api().values()} == {
        entry["class_type"] for entry in graph.values()
    }
    assert [problem for problem in frontend.problems if "WebGL" not in problem] == []


def test_a_picture_or_a_mesh_of_the_shipped_workflow_brings_it_back(frontend, comfyui_server):
    frontend.problems.clear()
    frontend.load(workflows.read_ui("pose_and_render"))
    frontend.run()
    before, api = frontend.to_ui(), frontend.to_api()
    output = comfyui_server.folder / "output" / "sesahand"
    for path in (max(output.glob("depth_*.png")), max(output.glob("hand_*.glb"))):
        drop(frontend, path.read_bytes(), path.suffix[1:])
        after = frontend.to_ui()
        assert frontend.to_api() == api
        assert sorted(after["links"]) == sorted(before["links"])
        for old, new in zip(before["nodes"], after["nodes"], strict=True):
            assert all(old.get(key) == new.get(key) for key in ("id", "type", "pos", "widgets_values", "properties"))
        assert [group["title"] for group in after["groups"]] == [group["title"] for group in before["groups"]]
    assert frontend.problems == []
