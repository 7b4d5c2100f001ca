"""The shipped workflows repair_hand and image_to_pair on a real server, with the embedded small model."""

import numpy as np
import pytest
from hand_picture import hand_picture, load_picture
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
    """What comes of a picture in which nothing is painted."""
    api = quick("repair_hand")
    own, hand = hand_picture()
    load_picture(api, comfyui_server.folder, own)
    return api, comfyui_server.run(api), np.asarray(own).astype(int), hand


def test_the_pictures_own_hand_is_painted_anew_and_nothing_else_changes(repaired):
    api, run, before, hand = repaired
    after = picture(run, one(api, "SaveImage"))
    changed = np.abs(before - after).max(-1) > 0
    assert before.shape == after.shape and changed[:180][hand[:180]].mean() > 0.8, "the hand is another one"
    assert not changed[:, :90].any() and not changed[:10].any()
    requested = np.asarray(run.images(one(api, "SesaHandRenderCondition"))[0].convert("L")) > 127
    assert 0.15 < requested.mean() < 0.6, "its map is of the hand as the crop sees it"


def test_the_best_attempt_is_the_one_that_is_saved(repaired):
    api, run, *_ = repaired
    [report] = run.outputs[one(api, "PreviewAny")]["text"]
    assert report.startswith("mean score ") and "over 2 pictures" in report
    assert len(run.images(one(api, "SesaHandScoreHands"))) == 2


def test_a_mask_without_a_hand_gets_the_posed_one_and_all_beside_the_mask_stays(comfyui_server):
    own = Image.effect_noise((300, 200), 40).convert("RGB")
    alpha = Image.new("L", own.size, 255)
    ImageDraw.Draw(alpha).ellipse((180, 60, 250, 160), fill=0)
    own.putalpha(alpha)
    api = quick("repair_hand")
    load_picture(api, comfyui_server.folder, own, "noise.png")
    run = comfyui_server.run(api)
    assert one(api, "SesaHandPlaceHand") in run.executed
    after, before = picture(run, one(api, "SaveImage")), np.asarray(own.convert("RGB")).astype(int)
    changed = np.abs(after - before).max(-1) > 0
    assert after.shape == before.shape and changed[80:140, 195:235].mean() > 0.8
    assert not changed[:, :140].any() and not changed[:30].any() and not changed[190:].any()


def test_as_it_opens_it_says_what_to_do_and_nothing_after_that_runs(comfyui_server):
    api = quick("repair_hand")
    run = comfyui_server.run(api)
    hint = run.images(one(api, "SesaHandDetectInMask"))[0].convert("RGB")
    shown = comfyui_server.image({"filename": "example.png", "subfolder": "", "type": "input"}).convert("RGB")
    changed = np.abs(np.asarray(hint).astype(int) - np.asarray(shown)).max(-1) > 30
    assert hint.size == shown.size and changed[: hint.height // 3].mean() > 0.2, "a notice over the picture"
    assert set(run.outputs) == {one(api, "SesaHandDetectInMask")}, "nothing was sampled, scored or saved"


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
