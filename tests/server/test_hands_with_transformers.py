"""The workflows of Qwen-Image, Z-Image and FLUX on a real server, with core's classes made narrow."""

import shutil

import narrow_models
import narrow_transformers
import numpy as np
import pytest
from comfy_install import Unavailable, find_comfyui
from comfy_server import ComfyServer

import workflows

pytestmark = pytest.mark.usefixtures("detector_folder")

# A pack beside ours: narrow transformers are none of core's models.
SWITCH = """
from .narrow_transformers import prepare
prepare({models})
NODE_CLASS_MAPPINGS = {{}}
"""
NAMES = ("hand_qwen_image", "hand_qwen_edit", "hand_z_image", "hand_flux")
SIDE = 192


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    try:
        installation = find_comfyui("current")
    except Unavailable as reason:
        pytest.skip(str(reason))
    server = ComfyServer(installation, tmp_path_factory.mktemp("transformers"))
    switch = server.folder / "custom_nodes" / "narrow_transformers"
    switch.mkdir()
    for module in (narrow_models, narrow_transformers):
        shutil.copy(module.__file__, switch)
    (switch / "__init__.py").write_text(SWITCH.format(models=models_of(NAMES)))
    with server:
        yield server
    shutil.rmtree(server.folder / "models")


def models_of(names) -> list[dict]:
    """Return the models that some workflows link to, each once."""
    nodes = (node for name in names for node in workflows.read_ui(name)["nodes"])
    return list({model["name"]: model for node in nodes for model in node["properties"].get("models", [])}.values())


def quick(name: str, **changes: tuple[str, object]) -> dict:
    """Return a workflow with two steps on a small picture; `changes` are (input, value) by a node's type."""
    api = workflows.read_api(name)
    for node in api.values():
        if node["class_type"] == "KSampler":
            node["inputs"]["steps"] = 2
        if node["class_type"] == "SesaHandPlaceHand":
            node["inputs"].update(width=SIDE, height=SIDE)
        if node["class_type"] in changes:
            name, value = changes[node["class_type"]]
            node["inputs"][name] = value
    return api


def painted(server, api: dict) -> np.ndarray:
    """Return the saved picture, of which a score was reported, too."""
    run = server.run(api)
    [save] = workflows.nodes_of(api, "SaveImage")
    [picture] = run.images(save)
    reports = [run.outputs[node]["text"][0] for node in workflows.nodes_of(api, "PreviewAny") if node in run.outputs]
    assert any(report.startswith("score ") for report in reports)
    return np.asarray(picture.convert("RGB")).astype(int)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return np.abs(a - b).mean()


@pytest.mark.parametrize("name", NAMES)
def test_the_hand_of_the_sentence_is_painted_and_scored_and_its_map_and_its_words_have_an_effect(name, server):
    picture = painted(server, quick(name))
    assert picture.shape == (SIDE, SIDE, 3) and picture.std() > 1
    turned = painted(server, quick(name, SesaHandPlaceHand=("roll", 90.0)))
    assert difference(picture, turned) > 0.1, "another map, the same prompt"
    unbiased = painted(server, quick(name, SesaHandAttentionBias=("alpha", 0.0)))
    assert difference(picture, unbiased) > 0
