"""The method where ComfyUI shares the prompts of a step out among several devices (MultiGPU CFG Split).

This machine need not have two: "cpu" and "cpu:0" are two devices to core's scheduler, which runs its real code path,
one thread for each with a model of its own. What it cannot show is a tensor left on the wrong one of two GPUs; that
the method's own tensors are brought to the device of the call is tested apart, with the meta device.
"""

import threading

import pytest
import torch
from sesahand_pack.nodes.attention import AttentionBias, RecordAttention
from sesahand_pack.nodes.control import StructuralFusion
from sesahand_pack.nodes.model import LoadMini
from sesahand_pack.nodes.patches.prompt_rows import match_rows
from sesahand_pack.nodes.patches.sampling_step import Prompt, Session, Step
from sesahand_pack.nodes.semantics import TextEncode
from sesahand_pack.sesahand.attention.heatmap import MapAverage
from sesahand_pack.sesahand.models.small.embedded import has_embedded

import comfy.sample
import nodes as core

try:
    import comfy.multigpu as core_multigpu
except ImportError:
    core_multigpu = None

SECOND = torch.device("cpu", 0)
WORDS = "a right hand making a fist, green wall"


def draws(*shape, seed=3):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def sampled(model, clip, control_net):
    """Two pictures with a mask for each, the bias, a fused ControlNet and the recording; the pictures and the maps."""
    sides = [TextEncode.execute(clip, text, "hand words", "").args[0] for text in (WORDS, "a left hand")]
    fused = StructuralFusion.execute(
        control_net=control_net,
        mode="auto",
        strength=0.5,
        refine="middle",
        layers="last",
        orientation="gather",
        **{f"use_{size}": True for size in (64, 32, 16, 8)},
    ).args[0]
    sides = core.ControlNetApplyAdvanced().apply_controlnet(*sides, fused, draws(1, 128, 128, 3).sigmoid(), 1.0, 0, 1)
    masks = torch.zeros(2, 128, 128)
    masks[0, :64], masks[1, :, :64] = 1.0, 1.0
    model = AttentionBias.execute(model, 3.0, "all", 0.0, 1.0, mask=masks, mask_feather=0).args[0]
    model, recorder = RecordAttention.execute(model, "all", "1/8").args
    latent = torch.zeros(2, 4, 16, 16)
    out = comfy.sample.sample(model, draws(2, 4, 16, 16), 2, 3.0, "euler", "normal", *sides, latent, seed=1)
    return out, recorder.maps_of(out)


@pytest.mark.skipif(core_multigpu is None, reason="this ComfyUI samples on one device only")
@pytest.mark.skipif(not has_embedded(), reason="this checkout holds no weights of the small model")
def test_pictures_and_maps_are_the_same_on_two_devices(monkeypatch):
    model, clip, _, control_net, _ = LoadMini.execute(model="embedded", control="sf").args
    alone, maps = sampled(model, clip, control_net)
    second = model.deepclone_multigpu(new_load_device=SECOND)
    second.is_multigpu_base_clone = True
    shared = model.clone()
    shared.set_additional_models("multigpu", [second])
    threads, apply_model = {}, type(model.model).apply_model

    def watched(self, *args, **kwargs):
        threads.setdefault(threading.get_ident(), set()).add(id(self))
        return apply_model(self, *args, **kwargs)

    monkeypatch.setattr(type(model.model), "apply_model", watched)
    together, shared_maps = sampled(shared, clip, control_net)
    assert len(threads) == 2, "core shared the prompts out"
    assert set.union(*threads.values()) == {id(model.model), id(second.model)}
    assert (together - alone).abs().max() < 1e-4 * alone.abs().max()
    assert maps.share.shape == (2, 2, 16, 16) and maps.share.max() > 0.01
    assert torch.allclose(shared_maps.share, maps.share, atol=1e-5)


def test_what_a_step_knows_is_compared_on_the_device_of_the_call():
    """On another device than the latent's; core shares out a step with the prompts and the latent of the first one."""
    prompt = Prompt(torch.zeros(1, 77, 8), (3,), "a", None, 77)
    step = Step({(0, "a"): prompt}, torch.zeros(2, 4, 8, 8), Session(frozenset("a")))
    with pytest.raises((NotImplementedError, RuntimeError), match="meta"):
        # The comparison itself works; only to read its outcome from the meta device does not.
        match_rows(step, torch.zeros(2, 4, 8, 8, device="meta"), torch.zeros(2, 77, 8, device="meta"), [(0, "a")])
    assert set(step.latents) == {torch.device("meta")}


def test_maps_added_at_the_same_time_all_count():
    average, share = MapAverage(1, 8, 8), torch.ones(8, 8)
    workers = [
        threading.Thread(target=lambda: [average.add(0, share * k) for k in range(200)], daemon=True) for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert torch.allclose(average.mean(), torch.full((1, 8, 8), 99.5))
