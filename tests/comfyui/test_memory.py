"""Memory after many runs is memory after one: clones of patched models, samplings, and models that nobody holds."""

import gc
import sys
import weakref
from dataclasses import replace

import narrow_models
import pytest
import torch
from attention_reference import conditioning, sample
from live_tensors import RUNS, growth, only_new_objects, tensor_bytes  # noqa: F401
from sesahand_pack.nodes.condition import RenderCondition
from sesahand_pack.nodes.hand import LoadHandModel, PoseHand
from sesahand_pack.nodes.patches.attention_bias import bias_attention
from sesahand_pack.nodes.patches.attention_map import record_attention
from sesahand_pack.nodes.patches.structural_fusion import apply_structural_fusion
from sesahand_pack.sesahand.fusion.settings import FusionSettings
from sesahand_pack.sesahand.hands.loading import BUILTIN

import comfy.model_management
from nodes import ControlNetApplyAdvanced

NARROW = replace(narrow_models.NARROW["sd15"], width=32)
HAND = (4, 5, 9)


def hooks(module) -> int:
    return sum(len(each._forward_hooks) + len(each._forward_pre_hooks) for each in module.modules())


@pytest.fixture(scope="module")
def model():
    return narrow_models.model("sd15", NARROW)


@pytest.fixture(scope="module")
def control_net():
    return narrow_models.controlnet("sd15", NARROW)


def test_what_is_kept_is_counted():
    kept = []
    assert growth(lambda: kept.append(torch.zeros(256))) == RUNS * 1024


@pytest.mark.parametrize("patch", [bias_attention, lambda model: record_attention(model)[0]], ids=["bias", "record"])
def test_a_patched_model_can_be_sampled_again_and_again(model, patch):
    patched = patch(model)
    assert growth(lambda: sample(patched, conditioning(1, HAND), conditioning(2))) == 0
    assert hooks(model.model) == 0


@pytest.mark.parametrize("patch", [bias_attention, lambda model: record_attention(model)[0]], ids=["bias", "record"])
def test_patching_and_sampling_anew_leaves_nothing_behind(model, patch):
    assert growth(lambda: sample(patch(model), conditioning(1, HAND), conditioning(2))) == 0


def test_a_record_grows_to_its_capacity_and_no_further(model):
    recording, recorder = record_attention(model)
    recorder.capacity = 2
    seeds = iter(range(1, 100))
    assert growth(lambda: sample(recording, conditioning(next(seeds), HAND), conditioning(2))) == 0


def test_clones_of_clones_share_all_their_tensors(model):
    chain = [record_attention(bias_attention(model))[0]]
    sample(chain[0], conditioning(1, HAND), conditioning(2))
    before = tensor_bytes()
    for _ in range(RUNS):
        chain.append(chain[-1].clone())
    assert tensor_bytes() == before
    assert sys.getsizeof(chain[-1].model_options) == sys.getsizeof(chain[0].model_options)
    wrappers = [sum(len(w) for by_key in link.wrappers.values() for w in by_key.values()) for link in chain]
    assert len(set(wrappers)) == 1, "a clone of a clone carries more wrappers"


@pytest.mark.parametrize("mode", ["paper", "blend"])
def test_a_fused_controlnet_can_be_used_again_and_again(model, control_net, mode):
    def run():
        fused = apply_structural_fusion(control_net, FusionSettings(mode=mode)).copy()
        prompts = ControlNetApplyAdvanced().apply_controlnet(
            conditioning(1), conditioning(2), fused, torch.rand(1, 128, 128, 3), 1.0, 0.0, 1.0
        )
        sample(model, *prompts)
        fused.cleanup()

    assert growth(run) == 0
    assert hooks(control_net.control_model) == 0


def test_rendering_keeps_nothing():
    def run():
        inputs = {i.id: i.default for i in PoseHand.define_schema().inputs if not i.optional}
        hands = PoseHand.execute(**inputs).result[0]
        maps = {"antialias": True, "forearm": False, "depth_range": "hand", "normal_convention": "normalbae"}
        RenderCondition.execute(hands=hands, **maps, width=64, height=64)

    assert growth(run) == 0


def test_a_model_and_its_patches_go_when_the_last_of_them_is_dropped():
    model = narrow_models.model("sd15", NARROW)
    patched = record_attention(bias_attention(model))[0].clone()
    sample(patched, conditioning(1, HAND), conditioning(2))
    weights = weakref.ref(model.model)
    comfy.model_management.unload_all_models()
    del model, patched
    gc.collect()
    assert weights() is None


def test_a_hand_model_goes_with_the_last_hands_that_are_posed_with_it():
    def load():
        return LoadHandModel.execute(name=BUILTIN).result[0]

    assert growth(load) == 0
    model = load()
    inputs = {i.id: i.default for i in PoseHand.define_schema().inputs if not i.optional}
    hands = PoseHand.execute(**inputs, hand_model=model).result[0]
    gone = weakref.ref(model)
    del model
    assert hands.model is gone()
    del hands
    gc.collect()
    assert gone() is None
