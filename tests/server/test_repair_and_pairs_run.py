"""The shipped workflows repair_hand and image_to_pair on a real server, with the embedded small model."""

import json

import numpy as np
import pytest
from PIL import Image, ImageDraw

import workflows
from sesahand.models.small.embedded import has_embedded

pytestmark = [
    pytest.mark.skipif(not has_embedded(), reason="this checkout has no embedded small model (sesahand/assets)"),
    pytest.mark.usefixtures("detector_folder"),
]


def quick(name: str) -> dict:
    """Return a workflow with fewer steps and pictures."""
    api = workflows.read_api(name)
    for node in api.values():
        if node["class_type"] == "KSampler":
            node["inputs"]["steps"] = 2
        for count in ("amount", "batch_size"):
            if node["inputs"].get(count) == 4:
                node["inputs"][count] = 2
    return api


def one(api: dict, class_type: str, **inputs) -> str:
    """Return the id of the only node of a type that has these inputs."""
    [found] = [key for key in workflows.nodes_of(api, class_type) if inputs.items() <= api[key]["inputs"].items()]
    return found


def picture(run, node: str) -> np.ndarray:
    [shown] = run.images(node)
    return np.asarray(shown.convert("RGB")).astype(int)


@pytest.fixture(scope="module")
def repaired(comfyui_server):
    api = quick("repair_hand")
    return api, comfyui_server.run(api)


def test_the_broken_hand_is_painted_anew_and_nothing_else_changes(repaired):
    api, run = repaired
    crop = api[one(api, "SesaHandCropToMask")]["inputs"]
    posed = api[one(api, "SesaHandScoreHands")]["inputs"]["requested"]
    before = picture(run, one(api, "PreviewImage", images=crop["image"]))
    after = picture(run, one(api, "SaveImage"))
    changed = np.abs(before - after).max(-1) > 0
    [broken] = [
        key for key in workflows.nodes_of(api, "SesaHandRenderCondition") if api[key]["inputs"]["hands"] != posed
    ]
    hand = np.asarray(run.images(broken)[0].convert("L")) > 127
    assert before.shape == after.shape == (128, 128, 3)
    assert changed[hand].mean() > 0.8, "the hand is another one"
    for corner in (changed[:8, :8], changed[:8, -8:], changed[-8:, :8], changed[-8:, -8:]):
        assert not corner.any()


def test_the_best_attempt_is_the_one_that_is_saved(repaired):
    api, run = repaired
    [report] = run.outputs[one(api, "PreviewAny")]["text"]
    assert report.startswith("mean score ") and "over 2 pictures" in report
    assert len(run.images(one(api, "SesaHandScoreHands"))) == 2


def test_a_picture_of_ones_own_with_a_painted_mask_keeps_its_size_and_all_beside_the_mask(comfyui_server):
    """As the note says: Load Image in the place of the group Picture, here a mask in the picture's alpha."""
    own = Image.effect_noise((300, 200), 40).convert("RGB")
    alpha = Image.new("L", own.size, 255)
    ImageDraw.Draw(alpha).ellipse((180, 60, 250, 160), fill=0)
    own.putalpha(alpha)
    own.save(comfyui_server.folder / "input" / "own.png")
    api = quick("repair_hand")
    crop = api[one(api, "SesaHandCropToMask")]["inputs"]
    kept = json.loads(json.dumps(api).replace(json.dumps(crop["image"]), '["own", 0]'))
    kept[one(api, "SesaHandCropToMask")]["inputs"]["mask"] = ["own", 1]
    kept["own"] = {"class_type": "LoadImage", "inputs": {"image": "own.png"}}
    run = comfyui_server.run(kept)
    after, before = picture(run, one(api, "SaveImage")), np.asarray(own.convert("RGB")).astype(int)
    changed = np.abs(after - before).max(-1) > 0
    assert after.shape == before.shape and changed[80:140, 195:235].mean() > 0.8
    assert not changed[:, :140].any() and not changed[:30].any() and not changed[190:].any()


def test_a_photograph_becomes_prompt_map_and_pairs(comfyui_server):
    api = quick("image_to_pair")
    api[one(api, "SesaHandSavePair")]["inputs"].update(minimum_score=0.0, set_name="pairs/test_drawn")
    run = comfyui_server.run(api)
    texts = [run.outputs[node]["text"][0] for node in workflows.nodes_of(api, "PreviewAny")]
    assert any("hand words: hand" in text for text in texts)
    assert any("2 of 2 pairs written" in text for text in texts)
    mesh = np.asarray(run.images(one(api, "SesaHandRenderCondition"))[0].convert("L"))
    assert 0.05 < (mesh > 127).mean() < 0.5, "the hand of the photograph"
    pairs = list((comfyui_server.folder / "output/pairs/test_drawn").rglob("*.png"))
    assert pairs


def test_a_photograph_without_hands_is_no_error(comfyui_server):
    """ComfyUI's own example.png, which Load Image shows first."""
    api = quick("image_to_pair")
    photograph = one(api, "ImageScale", crop="center")
    api[photograph]["inputs"]["image"] = ["own", 0]
    api["own"] = {"class_type": "LoadImage", "inputs": {"image": "example.png"}}
    run = comfyui_server.run(api)
    texts = [run.outputs[node]["text"][0] for node in workflows.nodes_of(api, "PreviewAny")]
    assert any("no hand was asked for" in text for text in texts)
