"""The bias on hand tokens, and diffusers' UNet with it, against attention worked out in float64."""

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sesahand.attention.bias import check_settings, column_bias, feathered_mask, in_blocks, on_grid
from sesahand.errors import SesaHandError
from sesahand.models.diffusers_bias import (
    attach_attention_bias,
    attention_bias,
    detach_attention_bias,
    grid_of,
    is_active,
)


def test_alpha_stands_on_the_columns_of_each_row_and_its_repeats():
    bias = column_bias([((1,), 3), ((), 6), ((0, 5), 6)], 6, 2.5)
    assert bias.tolist() == [[0, 2.5, 0, 0, 2.5, 0], [0] * 6, [2.5, 0, 0, 0, 0, 2.5]]


@pytest.mark.parametrize("rows", [[((3,), 3)], [((-1,), 3)], [((0,), 4)], [((0,), 0)]])
def test_columns_outside_the_prompt_and_prompts_that_do_not_fill_the_keys_are_refused(rows):
    with pytest.raises(SesaHandError):
        column_bias(rows, 6, 1.0)


@given(
    queries=st.integers(1, 40),
    keys=st.integers(1, 90),
    depth=st.sampled_from([4, 40, 64]),
    alpha=st.floats(0, 4),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=60, deadline=None)
def test_biased_attention_multiplies_the_weights_of_the_columns_by_exp_alpha(queries, keys, depth, alpha, seed):
    """softmax(s + alpha on C) = softmax(s) with the weights of C times e^alpha and the row normalised again."""
    generator = torch.Generator().manual_seed(seed)
    q, k, v = (torch.randn(2, 3, n, depth, generator=generator) for n in (queries, keys, keys))
    columns = torch.randperm(keys, generator=generator)[: max(1, keys // 5)].tolist()
    bias = column_bias([(columns, keys), ((), keys)], keys, alpha)[:, None, None]
    got = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
    weights = (q.double() @ k.double().mT / math.sqrt(depth)).softmax(dim=-1)
    weights[0, :, :, columns] *= math.exp(alpha)
    expected = (weights / weights.sum(dim=-1, keepdim=True)) @ v.double()
    assert (got - expected).abs().max() < 1e-5


def test_a_mask_shrinks_to_the_mean_of_each_cell_and_keeps_its_size_without_need():
    mask = torch.rand(2, 12, 16)
    expected = mask.reshape(2, 3, 4, 4, 4).mean(dim=(2, 4))
    assert torch.allclose(on_grid(mask, 3, 4), expected, atol=1e-6)
    assert feathered_mask(mask, 12, 16) is not None and torch.equal(feathered_mask(mask, 12, 16), mask)


def test_a_mask_smaller_than_the_latent_grows_without_leaving_its_range():
    grown = feathered_mask(torch.rand(1, 3, 5), 24, 40)
    assert grown.shape == (1, 24, 40) and grown.min() >= 0 and grown.max() <= 1


def test_a_feather_keeps_the_inside_and_falls_off_as_a_gaussian_edge():
    mask = torch.zeros(1, 64, 64)
    mask[:, :, :32] = 1
    soft = feathered_mask(mask, 64, 64, feather=8.0)[0, 32]
    assert torch.equal(soft[:32], torch.ones(32))
    # An edge blurred with the standard deviation s falls as erfc(x / (s sqrt 2)) / 2; it is scaled to start at 1.
    x = torch.arange(8) + 0.5
    expected = torch.erfc(x / (4.0 * math.sqrt(2)))
    assert (soft[32:40] - expected).abs().max() < 0.02
    assert soft[-1] == 0


def test_a_feather_of_nothing_is_nothing():
    assert feathered_mask(torch.zeros(1, 16, 16), 16, 16, 4.0).max() == 0


@pytest.mark.parametrize("shape", [(16, 16), (1, 1, 16, 16)])
def test_masks_of_another_shape_are_refused(shape):
    with pytest.raises(SesaHandError, match="batch, height, width"):
        feathered_mask(torch.ones(shape), 8, 8)


@pytest.mark.parametrize("bad", [(float("nan"), "all", 0, 1), (-0.1, "all", 0, 1), (2, "up", 0, 1), (2, "all", 0, 2)])
def test_settings_without_a_meaning_are_refused(bad):
    with pytest.raises(SesaHandError):
        check_settings(*bad)


def test_all_means_every_part():
    assert [in_blocks(place, "all") for place in ("input", "middle", "output")] == [True] * 3
    assert [in_blocks(place, "output") for place in ("input", "middle", "output")] == [False, False, True]


# diffusers


@pytest.fixture(scope="module")
def unet():
    from diffusers import UNet2DConditionModel

    torch.manual_seed(0)
    return UNet2DConditionModel(
        block_out_channels=(32, 64),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=24,
        attention_head_dim=4,
    ).eval()


class PlainProcessor:
    """Attention in float64, with a bias given as one function of the layer's name and its grid."""

    def __init__(self, bias):
        self.bias = bias

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, **kwargs):
        text = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        q, k, v = attn.to_q(hidden_states), attn.to_k(text), attn.to_v(text)
        q, k, v = (t.double().unflatten(-1, (attn.heads, -1)).transpose(1, 2) for t in (q, k, v))
        logits = torch.einsum("bhnd,bhkd->bhnk", q, k) / math.sqrt(q.shape[-1])
        if self.bias is not None:
            logits = logits + self.bias(q.shape[0], q.shape[2], k.shape[2])[:, None]
        out = torch.einsum("bhnk,bhkd->bhnd", logits.softmax(-1), v).transpose(1, 2).flatten(2)
        return attn.to_out[0](out.to(hidden_states.dtype))


def inputs(batch=2, keys=7, size=8):
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(batch, 4, size, size, generator=generator),
        torch.tensor(500),
        torch.randn(batch, keys, 24, generator=generator),
    )


@torch.inference_mode()
def run(unet, *args):
    return unet(*args).sample


@torch.inference_mode()
def run_plainly(unet, part, bias, *args):
    kept = unet.attn_processors
    unet.set_attn_processor(
        {name: PlainProcessor(bias if ".attn2." in name and name.startswith(part) else None) for name in kept}
    )
    try:
        return unet(*args).sample
    finally:
        unet.set_attn_processor(kept)


def two_columns(batch, queries, keys):
    bias = torch.zeros(batch, 1, keys, dtype=torch.float64)
    bias[batch // 2 :, :, [2, 3]] = 1.5
    return bias


@pytest.mark.parametrize(
    ("blocks", "part"), [("output", "up_blocks"), ("input", "down_blocks"), ("middle", "mid_block"), ("all", "")]
)
@pytest.mark.parametrize("batch", [2, 6])
def test_diffusers_unet_attends_as_the_formula_says(unet, blocks, part, batch):
    args = inputs(batch)
    with attention_bias(unet, [(), (2, 3)], alpha=1.5, blocks=blocks):
        got = run(unet, *args)
    expected = run_plainly(unet, part, two_columns, *args)
    assert (got - expected).norm() / expected.norm() < 1e-5
    assert (got - run(unet, *args)).norm() / expected.norm() > 1e-4


def test_diffusers_mask_limits_the_bias(unet):
    mask = torch.zeros(1, 64, 64)
    mask[:, :32, 32:] = 1

    def bias(batch, queries, keys):
        side = math.isqrt(queries)
        weights = mask[0].reshape(side, 64 // side, side, 64 // side).mean(dim=(1, 3)).reshape(1, -1, 1).double()
        return weights * two_columns(batch, queries, keys)

    args = inputs()
    with attention_bias(unet, [(), (2, 3)], alpha=1.5, blocks="all", mask=mask):
        got = run(unet, *args)
    expected = run_plainly(unet, "", bias, *args)
    assert (got - expected).norm() / expected.norm() < 1e-5


def test_diffusers_biases_add_up_and_go_without_a_trace(unet):
    args = inputs()
    plain = run(unet, *args)
    attached = [attach_attention_bias(unet, [(), (2,)], alpha=0.5), attach_attention_bias(unet, [(), (2,)], alpha=1.5)]
    twice = run(unet, *args)
    for handle in attached:
        handle.detach()
        handle.detach()
    with attention_bias(unet, [(), (2,)], alpha=2.0):
        assert torch.equal(run(unet, *args), twice)
    assert torch.equal(run(unet, *args), plain)
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in unet.modules())


def test_diffusers_bias_goes_when_the_block_ends_in_an_error(unet):
    with pytest.raises(RuntimeError), attention_bias(unet, [(2,)]):
        run(unet, inputs()[0], torch.tensor(1), torch.zeros(2, 7, 23))
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in unet.modules())


@pytest.mark.parametrize("settings", [{"alpha": 0.0}, {"start": 0.5, "end": 0.5}, {"start": 0.6, "end": 0.9}])
def test_diffusers_alpha_zero_and_other_steps_change_no_bit(unet, settings):
    args = inputs()
    with attention_bias(unet, [(), (2,)], **settings):
        assert torch.equal(run(unet, *args), run(unet, *args))
    plain = run(unet, *args)
    with attention_bias(unet, [(), (2,)], **settings):
        assert torch.equal(run(unet, *args), plain)


def test_diffusers_keeps_the_padding_mask_of_the_text(unet):
    latent, time, text = inputs()
    keep = torch.tensor([[1.0] * 7, [1.0] * 5 + [0.0] * 2])

    def bias(batch, queries, keys):
        return two_columns(batch, queries, keys) + (1 - keep.double())[:, None] * -10000.0

    def padding(batch, queries, keys):
        return (1 - keep.double())[:, None] * -10000.0

    with attention_bias(unet, [(), (2, 3)], alpha=1.5, blocks="all"), torch.inference_mode():
        got = unet(latent, time, text, encoder_attention_mask=keep).sample
    expected = run_plainly(unet, "", bias, latent, time, text)
    assert (got - expected).norm() / expected.norm() < 1e-5
    assert (got - run_plainly(unet, "", padding, latent, time, text)).norm() / expected.norm() > 1e-4


def gradients(unet, passes, **settings):
    """The gradients of the sum of several passes, which are all done before the backward pass begins."""
    unet.zero_grad()
    with attention_bias(unet, [(), (2, 3)], blocks="all", **settings):
        sum(unet(*args).sample.square().mean() for args in passes).backward()
    return torch.cat([p.grad.flatten() for p in unet.parameters() if p.grad is not None])


@pytest.mark.parametrize("settings", [{}, {"mask": torch.eye(8)[None]}, {"start": 0.3}])
def test_diffusers_gradients_are_the_same_with_gradient_checkpointing(unet, settings):
    """Passes of other sizes and other steps: recomputing one must not take the bias of another."""
    latent, _, text = inputs()
    passes = [(latent[:, :, :4], torch.tensor(500), text), (latent[..., :4], torch.tensor(900), text.clone())]
    model = copy.deepcopy(unet).train()
    expected = gradients(model, passes, **settings)
    plain = [gradients(model, passes[:1], **settings), gradients(model, passes[:1], alpha=0.0)]
    assert (plain[0] - plain[1]).norm() / plain[1].norm() > 1e-3
    model.enable_gradient_checkpointing()
    got = gradients(model, passes, **settings)
    assert (got - expected).norm() / expected.norm() < 1e-5


def test_diffusers_copies_have_a_bias_of_their_own(unet):
    args = inputs()
    original = copy.deepcopy(unet)
    plain = run(original, *args)
    attached = attach_attention_bias(original, [(), (2,)])
    biased = run(original, *args)
    twin = copy.deepcopy(original)
    attached.detach()
    assert torch.equal(run(original, *args), plain) and torch.equal(run(twin, *args), biased)
    detach_attention_bias(twin)
    detach_attention_bias(twin)
    assert torch.equal(run(twin, *args), plain)
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in twin.modules())


def test_diffusers_biases_are_all_taken_off_at_once(unet):
    args = inputs()
    plain = run(unet, *args)
    for alpha in (0.5, 1.5):
        attach_attention_bias(unet, [(), (2,)], alpha=alpha)
    detach_attention_bias(unet)
    assert torch.equal(run(unet, *args), plain)
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in unet.modules())


def test_steps_count_from_noise_to_picture():
    assert [is_active(t, 0.25, 0.75, 1000) for t in (999, 750, 749, 500, 250, 249, 0)] == [
        False, False, True, True, True, False, False,
    ]  # fmt: skip
    assert is_active(torch.tensor([999]), 0.0, 0.5, 1000) and is_active(0, 0.5, 1.0, 1000)


def test_levels_halve_and_round_up():
    assert grid_of(18 * 13, (36, 26)) == (18, 13)
    assert grid_of(9 * 7, (36, 26)) == (9, 7)
    with pytest.raises(SesaHandError, match="no level"):
        grid_of(100, (36, 26))


def test_diffusers_models_without_cross_attention_and_wrong_batches_are_refused(unet):
    with pytest.raises(SesaHandError, match="Linear cannot be biased"):
        attach_attention_bias(torch.nn.Linear(2, 2), [(1,)])
    with pytest.raises(SesaHandError, match="columns is empty"):
        attach_attention_bias(unet, [])
    with attention_bias(unet, [(1,), (2,)]), pytest.raises(SesaHandError, match="batch of 3"):
        run(unet, *inputs(3))
    with pytest.raises(SesaHandError, match="A mask is"):
        attach_attention_bias(unet, [(2,)], mask=torch.ones(8, 8))
    with attention_bias(unet, [(), (2,)], mask=torch.ones(3, 8, 8)), pytest.raises(SesaHandError, match="3 pictures"):
        run(unet, *inputs(4))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_mask_with_a_value_that_is_no_number_is_named(value):
    mask = torch.zeros(2, 8, 8)
    mask[1, 3, 3] = value
    with pytest.raises(SesaHandError, match="Mask 2 of the 2 .*not numbers"):
        feathered_mask(mask, 4, 4)
