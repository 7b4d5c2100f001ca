"""Structural fusion in a real ComfyUI server, from the file of the ControlNet to the saved picture."""

import numpy as np
import pytest
from comfy_server import NodeFailed, PromptRejected
from narrow_models import controlnet_shapes, random_weights

CONTROLNET = "control_v11f1p_sd15_depth_fp16.safetensors"
FUSION = {
    "control_net": ["control", 0],
    "mode": "auto",
    "strength": 0.5,
    "refine": "to_16",
    "layers": "last",
    "orientation": "gather",
    **{f"use_{resolution}": True for resolution in (64, 32, 16, 8)},
}


def graph(loader="SesaHandLoadControlNet", name=CONTROLNET, fusion=None, width=128, height=128):
    """A picture by a narrow SD1.5 with a ControlNet; `fusion` holds widgets of the node, None leaves it out."""
    nodes = {
        "model": ("CheckpointLoaderSimple", {"ckpt_name": "v1-5-pruned-emaonly-fp16.safetensors"}),
        "control": (loader, {"control_net_name": name}),
        "positive": ("CLIPTextEncode", {"clip": ["model", 1], "text": "a hand holding a cup"}),
        "negative": ("CLIPTextEncode", {"clip": ["model", 1], "text": ""}),
        "left": ("EmptyImage", {"width": width // 2, "height": height, "batch_size": 1, "color": 0xF0A020}),
        "right": ("EmptyImage", {"width": width // 2, "height": height, "batch_size": 1, "color": 0x101080}),
        "hint": ("ImageStitch", {
            "image1": ["left", 0], "image2": ["right", 0], "direction": "right", "match_image_size": True,
            "spacing_width": 0, "spacing_color": "white",
        }),
        "apply": ("ControlNetApplyAdvanced", {
            "positive": ["positive", 0], "negative": ["negative", 0], "image": ["hint", 0], "strength": 1.0,
            "control_net": ["control" if fusion is None else "fusion", 0], "start_percent": 0.0, "end_percent": 1.0,
        }),
        "latent": ("EmptyLatentImage", {"width": width, "height": height, "batch_size": 1}),
        "sample": ("KSampler", {
            "model": ["model", 0], "positive": ["apply", 0], "negative": ["apply", 1], "latent_image": ["latent", 0],
            "seed": 7, "steps": 2, "cfg": 3.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0,
        }),
        "decode": ("VAEDecode", {"samples": ["sample", 0], "vae": ["model", 2]}),
        "save": ("SaveImage", {"images": ["decode", 0], "filename_prefix": "fusion"}),
    }  # fmt: skip
    if fusion is not None:
        nodes["fusion"] = ("SesaHandStructuralFusion", FUSION | fusion)
    return {node: {"class_type": kind, "inputs": inputs} for node, (kind, inputs) in nodes.items()}


def picture(server, **options) -> np.ndarray:
    (image,) = server.run(graph(**options)).images("save")
    return np.asarray(image)


@pytest.mark.parametrize("mode", ["auto", "paper", "blend"])
def test_a_workflow_with_fusion_at_zero_gives_the_same_picture_and_another_one_otherwise(comfyui_server, mode):
    plain = picture(comfyui_server, loader="ControlNetLoader")
    assert np.array_equal(picture(comfyui_server), plain)
    assert np.array_equal(picture(comfyui_server, fusion={"mode": mode, "strength": 0.0}), plain)
    assert not np.array_equal(picture(comfyui_server, fusion={"mode": mode}), plain)
    assert np.array_equal(picture(comfyui_server), plain), "the loaded ControlNet was changed"


def test_a_size_that_no_grid_divides(comfyui_server):
    plain = picture(comfyui_server, width=144, height=200)
    fused = picture(comfyui_server, width=144, height=200, fusion={"refine": "to_32", "layers": "all"})
    assert fused.shape == (200, 144, 3) and not np.array_equal(fused, plain)


def test_weights_trained_with_fusion_are_recognised_in_the_server(comfyui_server):
    from narrow_models import THIN_SD15
    from safetensors.torch import save_file

    from sesahand.fusion.settings import FusionSettings

    state = {name: value.half() for name, value in random_weights(controlnet_shapes(THIN_SD15)).items()}
    path = comfyui_server.folder / "models/controlnet/trained.safetensors"
    save_file(state, path, metadata=FusionSettings(mode="paper", refine="coarsest").to_metadata())
    described = graph(name=path.name, fusion={})
    described["info"] = {"class_type": "PreviewAny", "inputs": {"source": ["control", 1]}}
    run = comfyui_server.run(described)
    assert "Trained with structural fusion: paper mode" in run.outputs["info"]["text"][0]
    explicit = picture(comfyui_server, fusion={"mode": "paper", "refine": "coarsest"})
    assert np.array_equal(np.asarray(run.images("save")[0]), explicit)


def test_a_choice_that_cannot_work_tells_why(comfyui_server):
    with pytest.raises(NodeFailed, match="no map for the residuals on grid 32"):
        comfyui_server.run(graph(fusion={"refine": "to_32", "use_64": False, "use_32": False}))
    with pytest.raises(NodeFailed, match="at least one"):
        comfyui_server.run(graph(fusion={f"use_{resolution}": False for resolution in (64, 32, 16, 8)}))
    with pytest.raises(PromptRejected, match="refine.*'everything'"):
        comfyui_server.run(graph(fusion={"refine": "everything"}))
