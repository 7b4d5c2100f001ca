"""The workflows of Qwen-Image, Z-Image and FLUX on a real server, with core's classes made narrow."""

import shutil

import narrow_models
import narrow_transformers
import numpy as np
import pytest
from comfy_install import CORES, Installation, Unavailable, find_comfyui
from comfy_server import ComfyServer

import workflows

pytestmark = pytest.mark.usefixtures("detector_folder")

# A pack beside ours: narrow transformers are none of core's models.
SWITCH = """
from .narrow_transformers import prepare
prepare({models})
NODE_CLASS_MAPPINGS = {{}}
"""
NAMES = {
    "hand_qwen_image": (0, 3, 64),
    "hand_flux": (0, 3, 64),
    "hand_qwen_edit": (0, 33, 0),
    "hand_z_image": (0, 33, 0),
}
"""The ComfyUI that each is known to run in, as its note says."""
SIDE = 192


@pytest.fixture(scope="module", params=CORES)
def server(request, tmp_path_factory):
    try:
        installation = find_comfyui(request.param)
    except Unavailable as reason:
        pytest.skip(str(reason))
    names = [name for name in NAMES if runs(name, installation)]
    server = ComfyServer(installation, tmp_path_factory.mktemp("transformers"))
    switch = server.folder / "custom_nodes" / "narrow_transformers"
    switch.mkdir()
    for module in (narrow_models, narrow_transformers):
        shutil.copy(module.__file__, switch)
    (switch / "__init__.py").write_text(SWITCH.format(models=models_of(names)))
    with server:
        yield server
    shutil.rmtree(server.folder / "models")


def runs(name: str, installation: Installation) -> bool:
    return installation.version >= NAMES[name]


def models_of(names) -> list[dict]:
    """Return the models that some workflows link to, each once."""
    nodes = (node for name in names for node in workflows.read_ui(name)["nodes"])
    return list({model["name"]: model for node in nodes for model in node["properties"].get("models", [])}.values())


def quick(name: str, **changes: tuple[str, object]) -> dict:
    """Return a workflow with one step on a small picture; `changes` are (input, value) by a node's type."""
    api = workflows.read_api(name)
    for node in api.values():
        if node["class_type"] == "KSampler":
            node["inputs"]["steps"] = 1
        if node["class_type"] == "ImageScale":
            node["inputs"]["width"] = SIDE
        if node["class_type"] == "SesaHandPlaceHand":
            node["inputs"].update(width=SIDE, height=SIDE)
        if node["class_type"] in changes:
            entry, value = changes[node["class_type"]]
            node["inputs"][entry] = value
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
    if not runs(name, server.installation):
        pytest.skip(f"{name} needs ComfyUI {'.'.join(map(str, NAMES[name]))}")
    picture = painted(server, quick(name))
    assert picture.shape == (SIDE, SIDE, 3) and picture.std() > 1
    turned = painted(server, quick(name, SesaHandPlaceHand=("roll", 90.0)))
    assert difference(picture, turned) > 0.1, "another map, the same prompt"
    unbiased = painted(server, quick(name, SesaHandAttentionBias=("alpha", 0.0)))
    assert difference(picture, unbiased) > 0
