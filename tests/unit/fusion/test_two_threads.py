"""A ControlNet or a UNet that two threads use at the same moment: each has what it asked for, to the last bit."""

import copy
from contextlib import nullcontext

import pytest
import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from paused import paused_in
from tiny_diffusion import save_diffusers

from sesahand.errors import SesaHandError
from sesahand.fusion.collector import FusionCollector
from sesahand.fusion.settings import FusionSettings
from sesahand.generate.pipeline import HandGenerator
from sesahand.models.condition_once import condition_once
from sesahand.models.diffusers_bias import attach_attention_bias, attention_bias, detach_attention_bias
from sesahand.models.diffusers_fusion import (
    attach_structural_fusion,
    detach_structural_fusion,
    diffusers_layout,
    structural_fusion,
)
from sesahand.models.prompt_weights import prompt_weights
from sesahand.models.silenced_residuals import silenced_residuals
from sesahand.models.small.tokenizer import tokenize

PAPER, BLEND = FusionSettings(mode="paper"), FusionSettings(mode="blend", strength=0.5)


@pytest.fixture
def controlnet():
    torch.manual_seed(0)
    model = ControlNetModel(
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        block_out_channels=(16, 32, 64, 64),
        cross_attention_dim=24,
        attention_head_dim=4,
        norm_num_groups=8,
        conditioning_embedding_out_channels=(8, 8),
    ).eval()
    for name, parameter in model.named_parameters():
        if name.startswith("controlnet_") or "attn1.to_" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    return model


@torch.no_grad()
def residuals(model, seed=1, size=16):
    generator = torch.Generator().manual_seed(seed)
    down, middle = model(
        torch.randn(1, 4, size, size, generator=generator),
        torch.tensor([300]),
        torch.randn(1, 7, 24, generator=generator),
        torch.rand(1, 3, 2 * size, 2 * size, generator=generator),
        return_dict=False,
    )
    return [*down, middle]


def alone(model, settings, **inputs):
    """What a copy that nobody else uses gives."""
    model = copy.deepcopy(model)
    with attach_structural_fusion(model, settings) if settings else nullcontext():
        return residuals(model, **inputs)


def same(found, expected):
    return len(found) == len(expected) and all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("fuse", [attach_structural_fusion, structural_fusion])
@pytest.mark.parametrize("place", ["down_blocks.1", "mid_block"])
def test_a_plain_use_beside_a_fused_one_stays_plain(controlnet, fuse, place):
    def fused():
        with fuse(controlnet, PAPER):
            return residuals(controlnet)

    plain, expected = alone(controlnet, None, seed=2), alone(controlnet, PAPER)
    assert not same(alone(controlnet, PAPER, seed=2), plain)
    with paused_in(controlnet.get_submodule(place), fused) as outcome:
        assert same(residuals(controlnet, seed=2), plain)
    assert same(outcome[0], expected)
    assert same(residuals(controlnet, seed=2), plain)


@pytest.mark.parametrize("fuse", [attach_structural_fusion, structural_fusion])
@pytest.mark.parametrize("place", ["down_blocks.1", "mid_block"])
def test_two_fusions_of_other_settings_and_sizes_at_once_are_each_ones_own(controlnet, fuse, place):
    def fused():
        with fuse(controlnet, PAPER):
            return [residuals(controlnet), residuals(controlnet, seed=3)]

    wanted = [alone(controlnet, PAPER), alone(controlnet, PAPER, seed=3)]
    other = alone(controlnet, BLEND, seed=2, size=24)
    with paused_in(controlnet.get_submodule(place), fused) as outcome:
        with fuse(controlnet, BLEND):
            assert same(residuals(controlnet, seed=2, size=24), other)
    assert not isinstance(outcome[0], Exception), outcome
    assert all(same(a, b) for a, b in zip(outcome[0], wanted, strict=True))
    assert not controlnet._forward_pre_hooks and not controlnet._forward_hooks


def test_a_fusion_that_was_attached_for_good_acts_in_every_thread(controlnet):
    expected = [alone(controlnet, PAPER, seed=seed) for seed in (1, 2)]
    attach_structural_fusion(controlnet, PAPER)
    with paused_in(controlnet.mid_block, lambda: residuals(controlnet)) as outcome:
        assert same(residuals(controlnet, seed=2), expected[1])
    assert same(outcome[0], expected[0])
    with pytest.raises(SesaHandError, match="already"):
        attach_structural_fusion(controlnet, BLEND)
    detach_structural_fusion(controlnet)
    assert same(residuals(controlnet), alone(controlnet, None))


def test_a_collector_alone_listens_to_the_pass_of_its_own_thread(controlnet):
    """As ComfyUI's side uses it: one collector for one call, hooks on a model that others share."""
    layout = diffusers_layout(controlnet)
    plain = alone(controlnet, None, seed=2)

    def fused():
        collector = FusionCollector(layout, PAPER)
        collector.begin((16, 16))
        with collector.attached():
            return residuals(controlnet)

    with paused_in(controlnet.mid_block, fused) as outcome:
        assert same(residuals(controlnet, seed=2), plain)
    assert same(outcome[0], alone(controlnet, PAPER))


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    return HandGenerator.load(*save_diffusers(tmp_path_factory.mktemp("models")), device="cpu")


@torch.no_grad()
def predicted(unet: UNet2DConditionModel, seed=1):
    generator = torch.Generator().manual_seed(seed)
    text = torch.randn(1, 77, unet.config.cross_attention_dim, generator=generator)
    return unet(torch.randn(1, 4, 8, 8, generator=generator), torch.tensor([300]), text).sample


@pytest.mark.parametrize("place", ["down_blocks.0", "up_blocks.1"])
def test_a_biased_unet_is_plain_and_otherwise_biased_in_other_threads(generator, place):
    unet = generator.base.unet
    plain = [predicted(unet, seed) for seed in (1, 2)]
    with attention_bias(unet, [(3, 4)], alpha=4.0):
        biased = predicted(unet)
    with attention_bias(unet, [(9,)], alpha=1.0):
        other = predicted(unet, 2)

    def work():
        with attention_bias(unet, [(3, 4)], alpha=4.0):
            return predicted(unet)

    assert not torch.equal(biased, plain[0]) and not torch.equal(other, plain[1])
    with paused_in(unet.get_submodule(place), work) as outcome:
        assert torch.equal(predicted(unet, 2), plain[1])
        with attention_bias(unet, [(9,)], alpha=1.0):
            assert torch.equal(predicted(unet, 2), other)
    assert torch.equal(outcome[0], biased)
    attach_attention_bias(unet, [(3, 4)], alpha=4.0)
    try:
        with paused_in(unet.get_submodule(place), lambda: predicted(unet)) as outcome:
            assert torch.equal(predicted(unet), biased)
        assert torch.equal(outcome[0], biased)
    finally:
        detach_attention_bias(unet)
    assert torch.equal(predicted(unet), plain[0])


@torch.no_grad()
def test_what_is_done_to_a_pipelines_parts_is_done_for_its_own_thread(generator):
    base, controlnet = generator.base, generator.controlnet.model
    tokens = tokenize(base.tokenizer, ["a hand"])
    encoded = base.text_encoder(tokens)[0]
    with prompt_weights(base.text_encoder, base.tokenizer, ["a hand"], [(2,)], 1.5):
        weighed = base.text_encoder(tokens)[0]

    def weigh():
        with torch.no_grad(), prompt_weights(base.text_encoder, base.tokenizer, ["a hand"], [(2,)], 1.5):
            return base.text_encoder(tokens)[0]

    assert not torch.equal(weighed, encoded)
    layer = next(m for name, m in base.text_encoder.named_modules() if name.endswith("layers.0"))
    # The first call is for the empty prompt, before the emphasis is there.
    with paused_in(layer, weigh, call=2) as outcome:
        assert torch.equal(base.text_encoder(tokens)[0], encoded)
    assert torch.equal(outcome[0], weighed)

    maps = [torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2)]
    embedding = controlnet.controlnet_cond_embedding
    wanted = [embedding(one) for one in maps]

    def embed():
        with torch.no_grad(), condition_once(controlnet):
            return [embedding(maps[0]), embedding(maps[0])]

    with paused_in(embedding.conv_out, embed) as outcome:
        assert torch.equal(embedding(maps[1]), wanted[1])
        with condition_once(controlnet):
            assert torch.equal(embedding(maps[1]), wanted[1]) and torch.equal(embedding(maps[1]), wanted[1])
    assert all(torch.equal(one, wanted[0]) for one in outcome[0])

    convolution = controlnet.controlnet_mid_block
    feature = torch.rand(1, convolution.in_channels, 2, 2)

    def silence():
        with silenced_residuals(controlnet, "refined", PAPER):
            return convolution(feature)

    loud = convolution(feature) + 0
    if not loud.any():
        torch.nn.init.ones_(convolution.bias)
        loud = convolution(feature)
    with paused_in(convolution, silence) as outcome:
        assert torch.equal(convolution(feature), loud)
    assert not outcome[0].any()
