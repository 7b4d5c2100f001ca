"""The repair workflows of all kinds of models on a real server, with random weights of their shapes, only narrower."""

import shutil

import narrow_models
import narrow_transformers
import numpy as np
import pytest
from comfy_install import Unavailable, find_comfyui
from comfy_server import ComfyServer, Run
from hand_picture import hand_picture, load_picture
from PIL import Image

import workflows

pytestmark = pytest.mark.usefixtures("detector_folder")

# A pack beside ours: narrow SDXL and narrow transformers are none of core's models.
SWITCH = """
from .narrow_models import recognise_sdxl
from .narrow_transformers import prepare
recognise_sdxl()
prepare({models})
NODE_CLASS_MAPPINGS = {{}}
"""
WRITERS = {
    "repair_hand_sd15": (narrow_models.write_checkpoint, narrow_models.write_controlnet),
    "repair_hand_sdxl": (
        narrow_models.write_sdxl_checkpoint,
        lambda path: narrow_models.write_controlnet(path, narrow_models.NARROW["sdxl"]),
    ),
}
# The node by which the map of the hand reaches a transformer, and its input.
SHOWN_TO = {
    "repair_hand_qwen_edit": ("SesaHandTextEncodePictures", "image2"),
    "repair_hand_z_image": ("ZImageFunControlnet", "image"),
    "repair_hand_flux": ("InstructPixToPixConditioning", "pixels"),
}
PAINTED = (200, 45, 235, 90)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    try:
        installation = find_comfyui("current")
    except Unavailable as reason:
        pytest.skip(str(reason))
    server = ComfyServer(installation, tmp_path_factory.mktemp("repair"))
    switch = server.folder / "custom_nodes" / "narrow"
    switch.mkdir()
    for module in (narrow_models, narrow_transformers):
        shutil.copy(module.__file__, switch)
    (switch / "__init__.py").write_text(SWITCH.format(models=[m for name in SHOWN_TO for m in models_of(name)]))
    with server:
        yield server
    shutil.rmtree(server.folder / "models")


def models_of(name: str) -> list[dict]:
    """Return the models that a workflow links to."""
    return [model for node in workflows.read_ui(name)["nodes"] for model in node["properties"].get("models", [])]


def give_models(server, name: str) -> None:
    """Write a checkpoint and ControlNets that a workflow links to, one file for all of a kind."""
    for directory, write in zip(("checkpoints", "controlnet"), WRITERS[name], strict=True):
        first, *others = [m["name"] for m in models_of(name) if m["directory"] == directory]
        folder = server.folder / "models" / directory
        write(folder / first)
        for other in others:
            (folder / other).hardlink_to(folder / first)


def quick(name: str, attempts: int = 1) -> dict:
    """Return a workflow with few attempts of one step on a small crop."""
    api = workflows.read_api(name)
    for node in api.values():
        if node["class_type"] == "KSampler":
            node["inputs"].update(steps=1, scheduler="simple")
        if node["class_type"] == "RepeatLatentBatch":
            node["inputs"]["amount"] = attempts
        if node["class_type"] == "SesaHandCropToMask":
            node["inputs"].update(width=192, height=192)
    return api


def repaired(server, api: dict) -> tuple[np.ndarray, Run]:
    """Return the picture of a hand before and after its repair, and the run."""
    own, _ = hand_picture(PAINTED)
    load_picture(api, server.folder, own)
    run = server.run(api)
    [after] = run.images(*workflows.nodes_of(api, "SaveImage"))
    return np.stack([np.asarray(picture.convert("RGB")).astype(int) for picture in (own, after)]), run


def assert_only_the_finger_is_new(before_after: np.ndarray) -> None:
    changed = np.diff(before_after, axis=0)[0].any(-1)
    left, top, right, bottom = PAINTED
    assert changed[top:bottom, left:right].mean() > 0.8
    reach = Image.fromarray(changed).getbbox()
    assert reach[0] > left - 40 and reach[1] >= 0 and reach[2] < right + 40 and reach[3] < bottom + 40


def report_of(api: dict, run: Run) -> str:
    [report] = [run.outputs[node]["text"][0] for node in workflows.nodes_of(api, "PreviewAny")]
    return report


@pytest.mark.parametrize(("name", "controls"), [("repair_hand_sd15", 3), ("repair_hand_sdxl", 2)])
def test_a_finger_is_repainted_under_all_its_controlnets_and_nothing_else_changes(name, controls, server):
    give_models(server, name)
    api = quick(name)
    pictures, run = repaired(server, api)
    assert_only_the_finger_is_new(pictures)
    applied = workflows.nodes_of(api, "ControlNetApplyAdvanced")
    assert len(applied) == controls and set(applied) <= set(run.executed)
    assert report_of(api, run).startswith("score ")


@pytest.mark.parametrize("name", SHOWN_TO)
def test_a_finger_is_repainted_by_a_transformer_which_heeds_its_map_and_the_hand_words(name, server):
    api = quick(name, attempts=2)
    pictures, run = repaired(server, api)
    assert_only_the_finger_is_new(pictures)
    assert "over 2 pictures" in report_of(api, run)
    kind, shown = SHOWN_TO[name]
    [steer], [bias] = workflows.nodes_of(api, kind), workflows.nodes_of(api, "SesaHandAttentionBias")
    assert {steer, bias} <= set(run.executed)
    [render] = workflows.nodes_of(api, "SesaHandRenderCondition")
    assert api[steer]["inputs"][shown][0] == render
    for node, given in ((steer, {shown: [render, 0]}), (bias, {"alpha": 0.0})):
        other = {**api, node: {**api[node], "inputs": {**api[node]["inputs"], **given}}}
        assert (repaired(server, other)[0] != pictures).any(), f"{node} {given}"
