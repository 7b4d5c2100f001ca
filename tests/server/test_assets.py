"""Export Hand Mesh and Draw Hands on a real server, followed by core's nodes."""

import json

import numpy as np
import pytest
from comfy_server import NodeFailed
from glb_reader import Glb

import workflows


@pytest.fixture(scope="module")
def graph(comfyui_server):
    def node(class_type, **given):
        return workflows.defaults(comfyui_server, class_type, **given)

    return {
        "1": node("SesaHandPoseHand", gesture="victory", side="left"),
        "2": node("SesaHandExportMesh", hands=["1", 0], filename_prefix="asset/%year%"),
        "3": {"class_type": "Preview3D", "inputs": {"model_file": ["2", 1], "image": ""}},
        "4": node("SaveGLB", mesh=["2", 0], filename_prefix="core/hand"),
        "5": {"class_type": "EmptyImage", "inputs": {"width": 256, "height": 256, "batch_size": 1, "color": 0x204060}},
        "6": node("SesaHandDrawHands", hands=["1", 0], image=["5", 0], style="both", views=3),
        "7": node("SaveImage", images=["6", 0], filename_prefix="overlay"),
        "8": node("SaveImage", images=["6", 1], filename_prefix="turntable"),
    }


@pytest.fixture(scope="module")
def run(graph, comfyui_server):
    return comfyui_server.run(graph)


def test_the_rigged_hand_reaches_preview_3d_and_brings_its_graph_along(run, graph, comfyui_server):
    [file] = run.outputs["2"]["3d"]
    path, *_ = run.outputs["3"]["result"]  # today's core adds two more
    assert path == f"{file['subfolder']}/{file['filename']}" and path.startswith("asset/2")
    glb = Glb(comfyui_server.fetch("/view", **file))
    assert json.loads(glb.document["asset"]["extras"]["prompt"]) == graph
    assert len(glb.posed("left_hand")) > 1609
    assert (comfyui_server.folder / "output" / path).with_suffix(".json").is_file()


def test_cores_save_glb_takes_the_mesh(run, comfyui_server):
    [core] = run.outputs["4"]["3d"]
    [own] = run.outputs["2"]["3d"]
    core, own = (Glb(comfyui_server.fetch("/view", **file)) for file in (core, own))
    [primitive] = core.entries("meshes")[0]["primitives"]
    vertices = core.array(primitive["attributes"]["POSITION"])
    assert np.abs(vertices - own.posed("left_hand")[: len(vertices)]).max() < 2e-6


def test_the_hands_are_drawn_on_the_picture_and_all_around(run):
    [overlay], views = run.images("7"), run.images("8")
    assert overlay.size == (256, 256) and overlay.getpixel((1, 1)) == (0x20, 0x40, 0x60)
    assert np.asarray(overlay).std() > 20 and len(views) == 3 and views[0].size == (512, 512)
    assert len(run.images("6")) == 1, "the overlay is shown on the node"


def test_what_does_not_fit_is_said_by_the_node(graph, comfyui_server):
    wrong = json.loads(json.dumps(graph))
    wrong["5"]["inputs"]["width"] = 300
    with pytest.raises(NodeFailed, match="proportions") as failure:
        comfyui_server.run(wrong)
    assert failure.value.exception_type == "SesaHandError"
