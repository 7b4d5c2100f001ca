"""From a caption to a picture in a real ComfyUI server, with and without a language model."""

import json

import pytest
from chat_server import answer, chat_server, completion
from comfy_server import PromptRejected
from tiny_vlm import save_llava

CHECKPOINT = "v1-5-pruned-emaonly-fp16.safetensors"
TEMPLATE = "{prefix}, {pose}, {action}, {hand_action}, {environment}, {style}"


def link(node, output=0):
    return [node, output]


def graph(caption="The woman is holding a pink umbrella with her hand.", **extra) -> dict:
    """Caption, semantics, prompt, conditioning, biased model, sampler and picture."""
    nodes = {
        "checkpoint": ("CheckpointLoaderSimple", {"ckpt_name": CHECKPOINT}),
        "extract": ("SesaHandExtractSemantics", {"caption": caption, "attempts": 1, "max_length": 64, "seed": 0}),
        "compose": (
            "SesaHandComposePrompt",
            {"semantics": link("extract"), "template": TEMPLATE, "prefix": "", "style": "photo"},
        ),
        "encode": (
            "SesaHandTextEncode",
            {
                "clip": link("checkpoint", 1),
                "text": link("compose"),
                "tokens": "hand words",
                "extra_words": "umbrella",
                "semantics": link("compose", 1),
            },
        ),
        "negative": ("CLIPTextEncode", {"clip": link("checkpoint", 1), "text": "blurry"}),
        "bias": (
            "SesaHandAttentionBias",
            {"model": link("checkpoint"), "alpha": 2.0, "blocks": "output", "start_percent": 0.0, "end_percent": 1.0},
        ),
        "latent": ("EmptyLatentImage", {"width": 64, "height": 64, "batch_size": 1}),
        "sample": (
            "KSampler",
            {
                "model": link("bias"),
                "positive": link("encode"),
                "negative": link("negative"),
                "latent_image": link("latent"),
                **{"seed": 1, "steps": 1, "cfg": 5.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0},
            },
        ),
        "decode": ("VAEDecode", {"samples": link("sample"), "vae": link("checkpoint", 2)}),
        "save": ("PreviewImage", {"images": link("decode")}),
        "marked": ("PreviewAny", {"source": link("encode", 1)}),
        "report": ("PreviewAny", {"source": link("extract", 1)}),
    }
    made = {name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in nodes.items()}
    return made | extra


def bias_defaults(server) -> dict:
    """Values for the widgets of Attention Bias that this test does not care for."""
    required = server.get("/object_info/SesaHandAttentionBias")["SesaHandAttentionBias"]["input"]["required"]
    return {name: spec[1]["default"] for name, spec in required.items() if len(spec) > 1 and "default" in spec[1]}


def run(server, made):
    made["bias"]["inputs"] = bias_defaults(server) | made["bias"]["inputs"]
    return server.run(made)


def test_a_typed_caption_becomes_a_picture_without_any_model(comfyui_server):
    done = run(comfyui_server, graph())
    assert done.outputs["marked"]["text"] == ["the woman is [holding] a pink [umbrella] with her [hand], photo"]
    assert done.outputs["report"]["text"][0].startswith("1 by rules")
    assert done.images("save")[0].size == (64, 64)


def test_a_picture_is_captioned_extracted_and_sampled_with_a_local_model(comfyui_server):
    """The tiny model writes noise, so that the rules answer, and the report says why."""
    save_llava(comfyui_server.folder / "models" / "sesahand_vlm" / "tiny-llava")
    made = graph(
        vlm={
            "class_type": "SesaHandLoadVLM",
            "inputs": {"model_name": "tiny-llava", "dtype": "auto", "device": "auto"},
        },
        picture={
            "class_type": "EmptyImage",
            "inputs": {"width": 64, "height": 64, "batch_size": 2, "color": 0x336699},
        },
        captioner={
            "class_type": "SesaHandCaption",
            "inputs": {
                "vlm": link("vlm"),
                "image": link("picture"),
                **{"instruction": "Hands?", "max_length": 5, "seed": 0, "temperature": 0.0, "max_side": 64},
            },
        },
    )
    made["extract"]["inputs"] |= {"caption": link("captioner"), "vlm": link("vlm")}
    done = run(comfyui_server, made)
    assert done.outputs["report"]["text"][0].startswith("2 by rules after language model")
    assert len(done.outputs["marked"]["text"]) == 2 and len(done.images("save")) == 2


def test_a_remote_language_model_extracts(comfyui_server):
    said = {"pose": "a man kneeling", "action": "", "hand_action": "tying his shoe", "environment": ""}
    with chat_server(answer(completion("Persons: a man.\n" + json.dumps(said)))) as remote:
        connect = {"base_url": remote.url, "model": "tiny", "credential": "none", "timeout": 30}
        made = graph("A man is kneeling, tying his shoe.", vlm={"class_type": "SesaHandConnectVLM", "inputs": connect})
        made["extract"]["inputs"]["vlm"] = link("vlm")
        done = run(comfyui_server, made)
    assert done.outputs["marked"]["text"] == ["a man kneeling, tying his shoe, photo"]
    assert done.outputs["report"]["text"][0].startswith("1 by language model")


def test_a_plain_clip_text_encode_gets_hand_tokens(comfyui_server):
    text = "two hands holding a cup"
    made = graph(plain={"class_type": "CLIPTextEncode", "inputs": {"clip": link("checkpoint", 1), "text": text}})
    made["encode"]["inputs"] = {
        **{"clip": link("checkpoint", 1), "text": text, "tokens": "hand words", "extra_words": ""},
        "conditioning": link("plain"),
    }
    assert run(comfyui_server, made).outputs["marked"]["text"] == ["two [hands holding] a cup"]


def test_an_unknown_choice_of_tokens_is_rejected_before_running(comfyui_server):
    made = graph()
    made["encode"]["inputs"]["tokens"] = "feet"
    # An output that does not depend on the wrong node would still run.
    del made["report"]
    # The first are our words, the second those of a core that looks itself.
    with pytest.raises(PromptRejected, match="expected one of|not in list"):
        run(comfyui_server, made)


def test_a_bad_template_is_named_in_the_error(comfyui_server):
    made = graph()
    made["compose"]["inputs"]["template"] = "{pose"
    del made["report"]
    with pytest.raises(PromptRejected, match="template is not well-formed"):
        run(comfyui_server, made)
