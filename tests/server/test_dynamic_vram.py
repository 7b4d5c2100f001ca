"""The five workflows of the small model on a server under a simulated DynamicVRAM: the same pictures as without it.

How real the simulation is, tests/support/simulated_dynamic_vram.py says.
"""

import shutil

import numpy as np
import pytest
import simulated_dynamic_vram
from comfy_install import Unavailable, find_comfyui
from comfy_server import ComfyServer
from hand_picture import hand_picture, load_picture

import workflows
from sesahand.models.small.embedded import has_embedded

pytestmark = [
    pytest.mark.skipif(not has_embedded(), reason="this checkout holds no weights of the small model"),
    pytest.mark.usefixtures("detector_folder"),
]

WORKFLOWS = ("text_to_hand", "hand_holding", "compare_alignment", "repair_hand", "image_to_pair", "dataset_batch")
# A pack beside ours; what it switches on counts when the first model is built, long after the start.
SWITCH = f"""
from .simulated_dynamic_vram import simulate
simulate({simulated_dynamic_vram.PATCHERS!r})
NODE_CLASS_MAPPINGS = {{}}
"""


@pytest.fixture(scope="module")
def dynamic(tmp_path_factory):
    try:
        installation = find_comfyui("current")
    except Unavailable as reason:
        pytest.skip(str(reason))
    server = ComfyServer(installation, tmp_path_factory.mktemp("dynamic"))
    switch = server.folder / "custom_nodes" / "dynamic_vram"
    switch.mkdir()
    shutil.copy(simulated_dynamic_vram.__file__, switch)
    (switch / "__init__.py").write_text(SWITCH)
    with server:
        yield server


def quick(name: str) -> dict:
    """Return the shipped graph with two steps."""
    api = workflows.read_api(name)
    for sampler in workflows.nodes_of(api, "KSampler"):
        api[sampler]["inputs"]["steps"] = 2
    return api


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_of_the_small_model_makes_the_same_pictures(name, dynamic, servers):
    api, plain = quick(name), servers.get("current")
    if name == "repair_hand":
        for server in (dynamic, plain):
            load_picture(api, server.folder, hand_picture()[0])
    made, wanted = dynamic.run(api), plain.run(api)
    painted = [node for node, shown in wanted.outputs.items() if "images" in shown]
    assert painted and made.outputs.keys() == wanted.outputs.keys()
    for node in painted:
        for got, expected in zip(made.images(node), wanted.images(node), strict=True):
            assert np.array_equal(np.asarray(got), np.asarray(expected)), f"{node} {api[node]['class_type']}"
    assert "prepared for dynamic VRAM loading" in dynamic.log()
    assert "prepared for dynamic VRAM loading" not in plain.log()
