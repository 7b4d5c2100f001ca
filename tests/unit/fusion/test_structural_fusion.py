"""Structural fusion on diffusers' ControlNetModel, against a reference that holds every map whole."""

import copy

import pytest
import torch
import torch.nn.functional as F
from diffusers import ControlNetModel
from diffusers.models.attention_processor import Attention, FusedAttnProcessor2_0

from sesahand.errors import SesaHandError
from sesahand.fusion.settings import FusionSettings
from sesahand.models.diffusers_fusion import attach_structural_fusion, detach_structural_fusion, diffusers_layout

SD15_BLOCKS = ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",)
SDXL_BLOCKS = ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D")


def controlnet(down_blocks=SD15_BLOCKS, width=16, **config):
    torch.manual_seed(0)
    model = ControlNetModel(
        down_block_types=down_blocks,
        block_out_channels=tuple(width * scale for scale in (1, 2, 4, 4)[: len(down_blocks)]),
        cross_attention_dim=24,
        attention_head_dim=4,
        norm_num_groups=8,
        conditioning_embedding_out_channels=(8, 8),
        **config,
    ).eval()
    for zero_conv in (*model.controlnet_down_blocks, model.controlnet_mid_block):
        torch.nn.init.normal_(zero_conv.weight, std=0.1)
        torch.nn.init.normal_(zero_conv.bias, std=0.1)
    # Peaky attention: with the default initialisation every map is nearly uniform, and would pool to the same.
    for name, parameter in model.named_parameters():
        if "attn1.to_q" in name or "attn1.to_k" in name:
            torch.nn.init.normal_(parameter, std=1.0 / parameter.shape[1] ** 0.5)
    return model


def inputs(size=(16, 16), batch=2, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return {
        "sample": torch.randn(batch, 4, *size, generator=generator),
        "timestep": torch.tensor([300] * batch),
        "encoder_hidden_states": torch.randn(batch, 7, 24, generator=generator),
        # Two convolutions of stride 2 less than in Stable Diffusion: the hint is twice as large as the latent.
        "controlnet_cond": torch.rand(batch, 3, size[0] * 2, size[1] * 2, generator=generator),
    }


@torch.no_grad()
def residuals(model, **kwargs):
    output = model(**inputs(**kwargs), return_dict=False)
    return [*output[0], output[1]]


class RecordingProcessor:
    """An attention processor of our own, which writes down the whole head-averaged map."""

    def __init__(self, name, maps):
        self.name, self.maps = name, maps

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, **kwargs):
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        q, k, v = attn.to_q(hidden_states), attn.to_k(context), attn.to_v(context)
        q, k, v = (x.unflatten(-1, (attn.heads, -1)).transpose(1, 2) for x in (q, k, v))
        attention = torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, dim=-1)
        self.maps[self.name] = attention.mean(dim=1)
        return attn.to_out[0]((attention @ v).transpose(1, 2).flatten(2))


@torch.no_grad()
def reference(model, settings, size=(16, 16)):
    """Refine by hand: whole maps, torch's own adaptive pooling, the zero convolutions called on refined features."""
    model, maps, features = copy.deepcopy(model), {}, {}
    model.set_attn_processor({name: RecordingProcessor(name, maps) for name in model.attn_processors})
    zero_convs = [*model.controlnet_down_blocks, model.controlnet_mid_block]
    for index, zero_conv in enumerate(zero_convs):
        zero_conv.register_forward_pre_hook(lambda module, args, index=index: features.update({index: args[0]}))
    output = residuals(model, size=size)
    tokens = size[0] * size[1]
    grids = [size]
    while len(grids) < 4:
        grids.append(tuple((side + 1) // 2 for side in grids[-1]))
    named = dict(zip((64, 32, 16, 8), grids, strict=True))
    groups = {}
    for name, attention in maps.items():
        if "attn1" in name:
            groups.setdefault(name.split(".attentions")[0], []).append(attention)
    target_grids = {
        "middle": [],
        "coarsest": [features[len(zero_convs) - 1].shape[-2:]],
        "to_16": [named[16], named[8]],
        "to_32": [named[32], named[16], named[8]],
    }[settings.refine]
    for index, feature in features.items():
        grid = tuple(feature.shape[-2:])
        if index < len(zero_convs) - 1 and grid not in [tuple(g) for g in target_grids]:
            continue
        psi = 0
        for group in groups.values():
            source = next(g for g in grids if g[0] * g[1] == group[0].shape[1])
            if next(r for r, g in named.items() if g == source) not in settings.resolutions or source < grid:
                continue
            for attention in group[-1:] if settings.layers == "last" else group:
                pooled = F.adaptive_max_pool2d(attention.unflatten(2, source), grid).flatten(2).transpose(1, 2)
                pooled = F.adaptive_max_pool2d(pooled.unflatten(2, source), grid).flatten(2).transpose(1, 2)
                psi = psi + pooled / (1 if settings.layers == "last" else len(group))
        operator = psi if settings.orientation == "gather" else psi.transpose(1, 2)
        if settings.mode == "blend":
            operator = operator / operator.sum(-1, keepdim=True)
        refined = torch.einsum("bij,bcj->bci", operator, feature.flatten(2)).view_as(feature)
        if settings.mode == "blend":
            refined = (1 - settings.strength) * feature + settings.strength * refined
        output[index] = F.conv2d(refined, zero_convs[index].weight, zero_convs[index].bias)
    assert tokens == next(iter(maps.values())).shape[1] or model.config.down_block_types == SDXL_BLOCKS
    return output


SETTINGS = [
    FusionSettings(mode="paper"),
    FusionSettings(mode="paper", layers="all", orientation="scatter"),
    FusionSettings(strength=0.4),
    FusionSettings(strength=1.0, orientation="scatter"),
    FusionSettings(mode="paper", refine="coarsest"),
    FusionSettings(refine="to_16", strength=0.7),
    FusionSettings(mode="paper", refine="to_32", layers="all"),
    FusionSettings(resolutions=(64, 16)),
    FusionSettings(resolutions=(32,), refine="to_32"),
]


@pytest.mark.parametrize("settings", SETTINGS, ids=FusionSettings.describe)
@pytest.mark.parametrize("size", [(16, 16), (16, 24), (20, 28)], ids=str)
def test_every_residual_is_refined_as_the_whole_maps_would(settings, size):
    model = controlnet()
    expected = reference(model, settings, size)
    with attach_structural_fusion(model, settings):
        actual = residuals(model, size=size)
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("settings", SETTINGS[:1] + SETTINGS[4:6], ids=FusionSettings.describe)
def test_sdxl_without_attention_on_the_finest_grid(settings):
    model = controlnet(SDXL_BLOCKS, transformer_layers_per_block=(1, 1, 2))
    expected = reference(model, settings)
    with attach_structural_fusion(model, settings):
        actual = residuals(model)
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("refine", "refined"), [("middle", 1), ("coarsest", 4), ("to_16", 7), ("to_32", 10)], ids=lambda value: str(value)
)
def test_only_the_chosen_residuals_change(refine, refined):
    model = controlnet()
    plain = residuals(model)
    with attach_structural_fusion(model, FusionSettings(mode="paper", refine=refine)):
        fused = residuals(model)
    # The layers whose maps are taken compute their own attention from them, which differs by rounding.
    changed = [bool((a - b).norm() / a.norm() > 1e-5) for a, b in zip(plain, fused, strict=True)]
    assert changed == [False] * (13 - refined) + [True] * refined


def test_a_layer_whose_map_is_taken_still_attends_as_it_would():
    model = controlnet()
    attention = model.mid_block.attentions[0].transformer_blocks[0].attn1
    found = []
    handle = attention.register_forward_hook(lambda module, args, output: found.append(output))
    residuals(model)
    with attach_structural_fusion(model, FusionSettings(mode="paper")):
        residuals(model)
    handle.remove()
    torch.testing.assert_close(found[1], found[0], rtol=1e-5, atol=1e-5)


def test_an_attention_that_ignores_what_was_computed_for_it_is_an_error():
    model = controlnet()
    attention = model.mid_block.attentions[0].transformer_blocks[0].attn1
    whole = attention.to_out
    attention.to_out = torch.nn.ModuleList([copy.deepcopy(whole[0]), whole[1]])
    settings = FusionSettings(mode="paper")
    with attach_structural_fusion(model, settings):
        attention.to_out = whole
        with pytest.raises(SesaHandError, match="to_out"):
            residuals(model)


def test_strength_zero_is_bit_identical():
    model = controlnet()
    plain = residuals(model)
    for mode in ("paper", "blend"):
        with attach_structural_fusion(model, FusionSettings(mode=mode, strength=0, refine="to_32")):
            assert all(torch.equal(a, b) for a, b in zip(plain, residuals(model), strict=True))


def count_hooks(model):
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


def test_detaching_leaves_the_model_as_it_was():
    model = controlnet()
    plain, state = residuals(model), {name: value.clone() for name, value in model.state_dict().items()}
    attach_structural_fusion(model, FusionSettings(mode="paper"))
    assert not torch.equal(residuals(model)[-1], plain[-1])
    detach_structural_fusion(model)
    detach_structural_fusion(model)
    assert count_hooks(model) == 0
    assert all(torch.equal(a, b) for a, b in zip(plain, residuals(model), strict=True))
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())


def test_a_pass_that_fails_half_way_spoils_nothing():
    model = controlnet()
    with attach_structural_fusion(model, FusionSettings(mode="paper")) as attached:
        expected = residuals(model)
        breaking = model.mid_block.register_forward_pre_hook(lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            residuals(model)
        breaking.remove()
        assert not attached.collector._maps, "maps of the failed pass are still held"
        assert torch.equal(residuals(model)[-1], expected[-1])
    assert count_hooks(model) == 0


def test_a_deep_copy_carries_a_fusion_of_its_own():
    model = controlnet()
    attach_structural_fusion(model, FusionSettings(mode="paper"))
    twin = copy.deepcopy(model)
    detach_structural_fusion(model)
    fused, plain = residuals(twin), residuals(model)
    assert not torch.equal(fused[-1], plain[-1])
    attach_structural_fusion(model, FusionSettings(mode="paper"))
    assert torch.equal(fused[-1], residuals(model)[-1])


def gradients(model, **options):
    model.zero_grad()
    with attach_structural_fusion(model, FusionSettings(mode="paper", refine="to_16"), **options):
        down, middle = model(**inputs(), return_dict=False)
        sum(residual.square().mean() for residual in (*down, middle)).backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def test_gradients_flow_through_psi_unless_detached():
    model = controlnet().train()
    flowing, detached = gradients(model), gradients(model, detach_psi=True)
    # The last self-attention of the middle block reaches the output mostly through psi.
    name = "down_blocks.0.attentions.1.transformer_blocks.0.attn1.to_q.weight"
    difference = (flowing[name] - detached[name]).norm() / flowing[name].norm()
    assert difference > 1e-3
    assert set(flowing) == set(detached)


def test_checkpointed_maps_give_the_same_gradients():
    model = controlnet().train()
    plain, checkpointed = gradients(model), gradients(model, checkpoint=True, chunk_bytes=20_000)
    for name, expected in plain.items():
        torch.testing.assert_close(checkpointed[name], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("checkpoint", [False, True])
def test_gradient_checkpointing_of_the_controlnet_itself_gives_the_same_gradients(checkpoint):
    model = controlnet().train()
    expected = gradients(model)
    model.enable_gradient_checkpointing()
    for name, gradient in gradients(model, checkpoint=checkpoint).items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-6)


def test_training_moves_the_projections_by_what_psi_says():
    """A finite difference of the loss along one to_q weight agrees with its gradient, so psi's share is in it."""
    model = controlnet().train().double()
    batch = {name: value.double() if value.is_floating_point() else value for name, value in inputs().items()}
    weight = model.mid_block.attentions[0].transformer_blocks[0].attn1.to_q.weight

    def loss():
        with attach_structural_fusion(model, FusionSettings(mode="paper")):
            return model(**batch, return_dict=False)[1].square().mean()

    loss().backward()
    direction = weight.grad / weight.grad.norm()
    step = 1e-3
    with torch.no_grad():
        weight += step * direction
        above = loss()
        weight -= 2 * step * direction
        slope = (above - loss()) / (2 * step)
    torch.testing.assert_close(slope, weight.grad.norm(), rtol=1e-2, atol=0)


def test_attaching_twice_is_refused():
    model = controlnet()
    attach_structural_fusion(model)
    with pytest.raises(SesaHandError, match="already"):
        attach_structural_fusion(model)


def test_fused_projections_are_noticed():
    model = controlnet()
    with attach_structural_fusion(model, FusionSettings(mode="paper")):
        for module in model.modules():
            if isinstance(module, Attention):
                module.fuse_projections()
        model.set_attn_processor(FusedAttnProcessor2_0())
        with pytest.raises(SesaHandError, match="fuse_qkv_projections"):
            residuals(model)


def test_a_compiled_model_is_refused():
    with pytest.raises(SesaHandError, match="compiled"):
        attach_structural_fusion(torch.compile(controlnet(), backend="eager"))


def test_a_model_without_such_attention_is_refused():
    with pytest.raises(SesaHandError, match="Linear"):
        attach_structural_fusion(torch.nn.Linear(2, 2))


def test_a_resolution_that_the_model_lacks_is_refused():
    model = controlnet(SDXL_BLOCKS)
    with pytest.raises(SesaHandError, match="32, 16 only"):
        attach_structural_fusion(model, FusionSettings(resolutions=(64, 8)))


def test_a_refinement_that_no_map_is_fine_enough_for_is_refused():
    with pytest.raises(SesaHandError, match="no map for the residuals on grid 32"):
        attach_structural_fusion(controlnet(), FusionSettings(resolutions=(16, 8), refine="to_32"))


def test_levels_are_counted_from_the_latent():
    layout = diffusers_layout(controlnet())
    assert [residual.level for residual in layout.residuals] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3]
    assert [layer.level for layer in layout.attention] == [0, 0, 1, 1, 2, 2, 3]


def test_a_gate_of_0_and_a_strength_of_0_leave_no_hook_and_no_bit():
    model = controlnet()
    plain = residuals(model)
    for settings in (FusionSettings("gated", 1.0, gate=0.0), FusionSettings("gated", 0.0, gate=0.7)):
        with attach_structural_fusion(model, settings) as attached:
            assert not attached.collector.attach()
            assert all(map(torch.equal, residuals(model), plain))


def test_a_gate_adds_its_part_of_the_paper_s_product_to_the_feature():
    model = controlnet()
    seen = {}
    hook = model.controlnet_mid_block.register_forward_pre_hook(lambda _, args: seen.update(feature=args[0]))

    def feature(settings=None):
        if settings is None:
            residuals(model)
            return seen["feature"]
        # The recording hook was there first: what it sees is refined by a second one, so it is put on again.
        with attach_structural_fusion(model, settings):
            late = model.controlnet_mid_block.register_forward_pre_hook(lambda _, args: seen.update(feature=args[0]))
            residuals(model)
            late.remove()
            return seen["feature"]

    plain, paper = feature(), feature(FusionSettings("paper"))
    gated = feature(FusionSettings("gated", 0.5, gate=0.3))
    hook.remove()
    torch.testing.assert_close(gated, plain + 0.15 * paper, rtol=1e-4, atol=1e-5)


def test_a_gate_that_is_learnt_from_0_gets_a_gradient():
    model, gate = controlnet(), torch.nn.Parameter(torch.zeros(()))
    plain = residuals(model)
    with attach_structural_fusion(model, FusionSettings("gated", 1.0), gate=gate):
        # While it is learnt its hooks are on, and attention that is computed together with the map rounds otherwise.
        for one, other in zip(residuals(model), plain, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
        down, middle = model(**inputs(), return_dict=False)
        middle.square().sum().backward()
    assert gate.grad.abs() > 0
