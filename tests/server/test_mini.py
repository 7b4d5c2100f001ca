"""The small model through a real server: its own loader, core's nodes for all else."""

import numpy as np
import pytest
from comfy_server import PromptRejected
from random_mini import randomised

from sesahand.fusion.settings import FusionSettings
from sesahand.models.small.layout import MiniLayout
from sesahand.models.small.model_files import MiniModel, control_path, write_controlnet, write_mini
from sesahand.models.small.token_embedding import ids_of
from sesahand.models.small.tokenizer import load_tokenizer

PROMPT = "a hand making a fist, red wall"


@pytest.fixture(scope="module")
def mini(comfyui_server):
    layout = MiniLayout()
    parts = (
        layout.build_unet(),
        layout.build_text_encoder(ids_of(load_tokenizer(), [PROMPT])),
        layout.build_autoencoder(),
    )
    for seed, part in enumerate(parts):
        randomised(part, seed)
    path = comfyui_server.folder / "models" / "sesahand_mini" / "tiny.safetensors"
    path.parent.mkdir(exist_ok=True)
    write_mini(path, MiniModel(layout, *parts, {}))
    for seed, (control, fusion) in enumerate(
        (("plain", None), ("sf", FusionSettings(mode="paper", refine="coarsest")))
    ):
        write_controlnet(control_path(path, control), randomised(layout.build_controlnet(), seed), fusion, {})
    return path.name


def graph(model, control="plain", fused=False, prompt=PROMPT):
    nodes = {
        "mini": ("SesaHandLoadMini", {"model": model, "control": control}),
        "fusion": ("SesaHandStructuralFusion", {
            "control_net": ["mini", 3], "mode": "auto", "strength": 0.5, "refine": "middle", "layers": "last",
            "orientation": "gather", **{f"use_{resolution}": True for resolution in (64, 32, 16, 8)},
        }),
        "positive": ("CLIPTextEncode", {"clip": ["mini", 1], "text": prompt}),
        "negative": ("CLIPTextEncode", {"clip": ["mini", 1], "text": ""}),
        "hint": ("EmptyImage", {"width": 128, "height": 128, "batch_size": 1, "color": 0xF0A020}),
        "apply": ("ControlNetApplyAdvanced", {
            "positive": ["positive", 0], "negative": ["negative", 0], "image": ["hint", 0], "strength": 1.0,
            "control_net": ["fusion", 0] if fused else ["mini", 3], "start_percent": 0.0, "end_percent": 1.0,
        }),
        "latent": ("EmptyLatentImage", {"width": 128, "height": 128, "batch_size": 1}),
        "sample": ("KSampler", {
            "model": ["mini", 0], "positive": ["apply", 0], "negative": ["apply", 1], "latent_image": ["latent", 0],
            "seed": 7, "steps": 2, "cfg": 3.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0,
        }),
        "decode": ("VAEDecode", {"samples": ["sample", 0], "vae": ["mini", 2]}),
        "save": ("SaveImage", {"images": ["decode", 0], "filename_prefix": "mini"}),
        "words": ("PreviewAny", {"source": ["mini", 4]}),
    }  # fmt: skip
    return {node: {"class_type": kind, "inputs": inputs} for node, (kind, inputs) in nodes.items()}


def picture(server, *arguments, **options):
    run = server.run(graph(*arguments, **options))
    return np.asarray(run.images("save")[0]), run.outputs["words"]["text"][0]


def test_cores_nodes_sample_it_and_all_its_parts_have_a_say(comfyui_server, mini):
    plain, words = picture(comfyui_server, mini)
    assert plain.shape == (128, 128, 3) and plain.std() > 1
    assert words == "a, fist, hand, making, red, wall"
    assert np.array_equal(picture(comfyui_server, mini)[0], plain)
    for changed in ({"prompt": "a red wall"}, {"control": "sf"}, {"control": "sf", "fused": True}):
        other, _ = picture(comfyui_server, mini, **changed)
        assert not np.array_equal(other, plain)
    assert not np.array_equal(picture(comfyui_server, mini, control="sf")[0], other)


def test_a_missing_model_is_told_before_it_runs(comfyui_server, mini):
    with pytest.raises(PromptRejected, match="gone.safetensors"):
        comfyui_server.run(graph("gone.safetensors"))
