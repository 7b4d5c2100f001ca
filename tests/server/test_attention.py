"""Attention bias, attention maps and structural fusion on a real server."""

import copy

import numpy as np
import pytest
from comfy_server import NodeFailed

import workflows


@pytest.fixture(scope="module")
def graph(comfyui_server):
    """generate_hand at a size to wait for, its positive prompt encoded with hand tokens; nothing patched."""
    api = workflows.read_api("generate_hand")
    [sampler] = workflows.nodes_of(api, "KSampler")
    [size] = workflows.nodes_of(api, "EmptyLatentImage")
    api[sampler]["inputs"]["steps"] = 2
    api[size]["inputs"].update(width=96, height=64)
    [apply] = workflows.nodes_of(api, "ControlNetApplyAdvanced")
    positive = api[apply]["inputs"]["positive"][0]
    api[positive] = workflows.defaults(comfyui_server, "SesaHandTextEncode", **api[positive]["inputs"])
    return api


def between(server, api, consumer, wire, class_type, new, **settings):
    """Put a node of one input and output on the wire that goes into `consumer`."""
    api = copy.deepcopy(api)
    [node] = workflows.nodes_of(api, consumer)
    api[new] = workflows.defaults(server, class_type, **{wire: api[node]["inputs"][wire]}, **settings)
    api[node]["inputs"][wire] = [new, 0]
    return api


def aligned(server, api, alpha, strength):
    api = between(server, api, "KSampler", "model", "SesaHandAttentionBias", "bias", alpha=alpha)
    apply = "ControlNetApplyAdvanced"
    return between(server, api, apply, "control_net", "SesaHandStructuralFusion", "fusion", strength=strength)


def with_map(server, api, **settings):
    api = between(server, api, "KSampler", "model", "SesaHandRecordAttention", "record")
    wires = {"attention": ["record", 1]}
    for name, class_type in (("samples", "KSampler"), ("images", "VAEDecode")):
        wires[name] = [workflows.nodes_of(api, class_type)[0], 0]
    api["map"] = workflows.defaults(server, "SesaHandAttentionMap", **wires, **settings)
    api["shown"] = {"class_type": "PreviewImage", "inputs": {"images": ["map", 0]}}
    api["as image"] = {"class_type": "MaskToImage", "inputs": {"mask": ["map", 1]}}
    api["mask"] = {"class_type": "PreviewImage", "inputs": {"images": ["as image", 0]}}
    return api


def pictures(run, node):
    return [np.asarray(picture.convert("RGB")) for picture in run.images(node)]


def picture(server, api):
    [save] = workflows.nodes_of(api, "SaveImage")
    [pixels] = pictures(server.run(api), save)
    return pixels


def test_both_alignments_at_zero_give_the_same_picture_and_others_another(comfyui_server, graph):
    plain = picture(comfyui_server, graph)
    assert plain.std() > 1
    assert picture(comfyui_server, aligned(comfyui_server, graph, 0.0, 0.0)).tobytes() == plain.tobytes()
    biased = picture(comfyui_server, aligned(comfyui_server, graph, 2.0, 0.0))
    both = picture(comfyui_server, aligned(comfyui_server, graph, 2.0, 0.5))
    for one, other in ((plain, biased), (biased, both)):
        assert np.abs(one.astype(int) - other).max() > 2
    assert picture(comfyui_server, graph).tobytes() == plain.tobytes()


def test_the_map_follows_the_sampling_and_never_another(comfyui_server, graph):
    api = with_map(comfyui_server, aligned(comfyui_server, graph, 2.0, 0.0), opacity=1.0)
    first = comfyui_server.run(api)
    [shown], [mask] = pictures(first, "shown"), pictures(first, "mask")
    assert shown.shape == mask.shape == (64, 96, 3) and mask.max() > 200 and mask.min() < 20
    assert comfyui_server.run(api).executed == []

    [sampler] = workflows.nodes_of(api, "KSampler")
    other = copy.deepcopy(api)
    other[sampler]["inputs"]["seed"] += 1
    [second] = pictures(comfyui_server.run(other), "mask")
    assert np.abs(second.astype(int) - mask).max() > 2
    [again] = pictures(comfyui_server.run(api), "mask")
    assert again.tobytes() == mask.tobytes()

    api["map"]["inputs"]["opacity"] = 0.0
    faded = comfyui_server.run(api)
    assert sampler not in faded.executed and "map" in faded.executed
    [save] = workflows.nodes_of(api, "SaveImage")
    [plain] = pictures(comfyui_server.run(aligned(comfyui_server, graph, 2.0, 0.0)), save)
    assert np.abs(pictures(faded, "shown")[0].astype(int) - plain).max() <= 1


def test_two_samplers_on_one_recording_model_each_show_their_own_map(comfyui_server, graph):
    api = with_map(comfyui_server, graph)
    [sampler] = workflows.nodes_of(api, "KSampler")
    [decode] = workflows.nodes_of(api, "VAEDecode")
    alone = pictures(comfyui_server.run(api), "mask")[0]
    api["second"] = copy.deepcopy(api[sampler])
    api["second"]["inputs"]["seed"] += 5
    api["second decode"] = copy.deepcopy(api[decode])
    api["second decode"]["inputs"]["samples"] = ["second", 0]
    api["second map"] = copy.deepcopy(api["map"])
    api["second map"]["inputs"].update(samples=["second", 0], images=["second decode", 0])
    api["second shown"] = {"class_type": "PreviewImage", "inputs": {"images": ["second map", 0]}}
    run = comfyui_server.run(api)
    assert pictures(run, "second shown")[0].tobytes() != pictures(run, "shown")[0].tobytes()
    [still] = pictures(comfyui_server.run(with_map(comfyui_server, graph, opacity=0.2)), "mask")
    assert still.tobytes() == alone.tobytes()


def test_a_latent_that_no_recording_model_sampled_says_what_to_connect(comfyui_server, graph):
    api = with_map(comfyui_server, graph)
    inputs = {"samples": api["map"]["inputs"]["samples"], "upscale_method": "bilinear", "scale_by": 1.5}
    api["bigger"] = {"class_type": "LatentUpscaleBy", "inputs": inputs}
    api["map"]["inputs"]["samples"] = ["bigger", 0]
    with pytest.raises(NodeFailed, match="comes out of the sampler"):
        comfyui_server.run(api)


def test_a_prompt_without_hand_tokens_says_which_node_encodes_them(comfyui_server, graph):
    api = aligned(comfyui_server, graph, 2.0, 0.0)
    [encode] = workflows.nodes_of(api, "SesaHandTextEncode")
    inputs = api[encode]["inputs"]
    api[encode] = {"class_type": "CLIPTextEncode", "inputs": {"text": inputs["text"], "clip": inputs["clip"]}}
    with pytest.raises(NodeFailed, match=r"Text Encode \(SesaHand\)"):
        comfyui_server.run(api)
