"""The repair workflows of SD1.5 and SDXL on a real server, with random weights of their shapes, only narrower."""

import shutil

import narrow_models
import numpy as np
import pytest
from comfy_install import Unavailable, find_comfyui
from comfy_server import ComfyServer
from hand_picture import hand_picture, load_picture
from PIL import Image, ImageChops

import workflows

pytestmark = pytest.mark.usefixtures("detector_folder")

# A pack beside ours: narrow SDXL is none of core's models.
SWITCH = """
from .narrow_models import recognise_sdxl
recognise_sdxl()
NODE_CLASS_MAPPINGS = {}
"""
WRITERS = {
    "repair_hand_sd15": (narrow_models.write_checkpoint, narrow_models.write_controlnet),
    "repair_hand_sdxl": (
        narrow_models.write_sdxl_checkpoint,
        lambda path: narrow_models.write_controlnet(path, narrow_models.NARROW["sdxl"]),
    ),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    try:
        installation = find_comfyui("current")
    except Unavailable as reason:
        pytest.skip(str(reason))
    server = ComfyServer(installation, tmp_path_factory.mktemp("repair"))
    switch = server.folder / "custom_nodes" / "narrow_sdxl"
    switch.mkdir()
    shutil.copy(narrow_models.__file__, switch)
    (switch / "__init__.py").write_text(SWITCH)
    with server:
        yield server
    shutil.rmtree(server.folder / "models")


def give_models(server, name: str) -> list[str]:
    """Write the models that a workflow links to, one file for all of a kind, and return the ControlNets' names."""
    models = [model for node in workflows.read_ui(name)["nodes"] for model in node["properties"].get("models", [])]
    for directory, write in zip(("checkpoints", "controlnet"), WRITERS[name], strict=True):
        first, *others = [m["name"] for m in models if m["directory"] == directory]
        folder = server.folder / "models" / directory
        write(folder / first)
        for other in others:
            (folder / other).hardlink_to(folder / first)
    return [m["name"] for m in models if m["directory"] == "controlnet"]


def quick(name: str) -> dict:
    """Return a workflow with one attempt of one step on a small crop."""
    api = workflows.read_api(name)
    for node in api.values():
        if node["class_type"] == "KSampler":
            node["inputs"].update(steps=1, scheduler="simple")
        if node["class_type"] == "RepeatLatentBatch":
            node["inputs"]["amount"] = 1
        if node["class_type"] == "SesaHandCropToMask":
            node["inputs"].update(width=192, height=192)
    return api


@pytest.mark.parametrize(("name", "controls"), [("repair_hand_sd15", 3), ("repair_hand_sdxl", 2)])
def test_a_finger_is_repainted_under_all_its_controlnets_and_nothing_else_changes(name, controls, server):
    names = give_models(server, name)
    assert len(names) == controls
    api = quick(name)
    painted = (200, 45, 235, 90)
    own, _ = hand_picture(painted)
    load_picture(api, server.folder, own)
    run = server.run(api)
    [save] = workflows.nodes_of(api, "SaveImage")
    [after] = run.images(save)
    changed = np.asarray(ImageChops.difference(after.convert("RGB"), own.convert("RGB"))).any(-1)
    left, top, right, bottom = painted
    assert after.size == own.size and changed[top:bottom, left:right].mean() > 0.8
    reach = Image.fromarray(changed).getbbox()
    assert reach[0] > left - 40 and reach[1] >= 0 and reach[2] < right + 40 and reach[3] < bottom + 40
    applied = workflows.nodes_of(api, "ControlNetApplyAdvanced")
    assert len(applied) == controls and set(applied) <= set(run.executed)
    [report] = [run.outputs[node]["text"][0] for node in workflows.nodes_of(api, "PreviewAny")]
    assert report.startswith("score ")
