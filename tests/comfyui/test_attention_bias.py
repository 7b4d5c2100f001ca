"""The attention bias inside ComfyUI's sampling, against an attention worked out in float64 and keyed by the text."""

import inspect
from dataclasses import replace

import narrow_models
import pytest
import torch
from attention_reference import (
    biased_attention,
    conditioning,
    cross_attentions,
    reference,
    relative_l2,
    sample,
    text_bias,
)
from comfy_extras.nodes_context_windows import ContextWindowsManualNode
from comfy_extras.nodes_pag import PerturbedAttentionGuidance
from sesahand_pack.nodes.patches.attention_bias import bias_attention
from sesahand_pack.nodes.patches.attention_map import record_attention
from sesahand_pack.nodes.semantics import TextEncode
from sesahand_pack.sesahand.errors import SesaHandError

import comfy.hooks
import comfy.ldm.modules.attention as comfy_attention
import comfy.model_patcher
import comfy.ops
from comfy.patcher_extension import WrappersMP
from nodes import ConditioningAverage, ConditioningCombine, ConditioningConcat, ConditioningSetArea, ConditioningSetMask
from nodes import ConditioningSetTimestepRange as SetTimestepRange

TOLERANCE = 2e-5
HAND, NONE = (4, 5, 9), ()


@pytest.fixture(scope="module")
def model():
    torch.set_num_threads(1)
    return narrow_models.model("sd15", replace(narrow_models.NARROW["sd15"], width=32))


def texts_of(*conditionings):
    return [
        (text[0], options.get("sesahand_tokens", {}).get("columns", ())) for c in conditionings for text, options in c
    ]


def check(model, positive, negative, texts=None, minimum=1e-3, patched=None, settings=None, **options):
    """Sample with the node and with the reference: equal, and visibly other than without."""
    settings = settings or {}
    patched = patched or bias_attention(model, settings.get("alpha", 2.0), (settings.get("places") or ("output",))[0])
    got = sample(patched, positive, negative, **options)
    with reference(model, texts or texts_of(positive, negative), **settings):
        expected = sample(model, positive, negative, **options)
    assert relative_l2(got, expected) < TOLERANCE
    assert relative_l2(got, sample(model, positive, negative, **options)) > minimum
    return got


def test_biases_the_hand_tokens_of_the_positive_beside_a_plain_negative(model):
    check(model, conditioning(1, HAND), conditioning(2))


@pytest.mark.parametrize("alpha", [0.5, 4.0])
def test_adds_alpha_to_the_logits(model, alpha):
    check(model, conditioning(1, HAND), conditioning(2), settings={"alpha": alpha})


@pytest.mark.parametrize("blocks", ["input", "middle", "all"])
def test_acts_in_the_chosen_part_of_the_unet(model, blocks):
    places = ("input", "middle", "output") if blocks == "all" else (blocks,)
    positive, negative = conditioning(1, HAND), conditioning(2)
    patched = bias_attention(model, 2.0, blocks)
    check(model, positive, negative, patched=patched, settings={"places": places}, minimum=1e-4)


def test_acts_on_sdxl():
    model = narrow_models.model("sdxl")
    check(model, conditioning(1, HAND, width=2048), conditioning(2, width=2048))


def test_acts_on_each_picture_of_a_batch_and_on_sizes_that_do_not_halve_evenly(model):
    check(model, conditioning(1, HAND), conditioning(2), shape=(3, 4, 18, 14))


@pytest.mark.parametrize("lengths", [(154, 77), (77, 231), (154, 231)])
def test_prompts_of_different_lengths_share_a_batch(model, lengths):
    positive, negative = (conditioning(i, (4 + i, 60), length) for i, length in enumerate(lengths))
    check(model, positive, negative)


def test_hand_tokens_of_the_negative_are_biased_in_the_negative(model):
    check(model, conditioning(1, NONE), conditioning(2, (3,)))


def test_guidance_of_one_leaves_the_negative_out(model):
    check(model, conditioning(1, HAND), conditioning(2), cfg=1.0)


def test_combined_positives_keep_their_own_hand_tokens(model):
    positive = ConditioningCombine().combine(conditioning(1, HAND), conditioning(3, (20,), length=154))[0]
    check(model, positive, conditioning(2))


def test_a_concatenated_prompt_keeps_the_columns_of_its_first_part(model):
    positive = ConditioningConcat().concat(conditioning(1, HAND), conditioning(3, (20,)))[0]
    check(model, positive, conditioning(2))


def test_an_averaged_prompt_keeps_the_columns_it_goes_to(model):
    positive = ConditioningAverage().addWeighted(conditioning(1, HAND), conditioning(3), 0.7)[0]
    check(model, positive, conditioning(2))


def area(conditioning, *box):
    return ConditioningSetArea().append(conditioning, *(8 * value for value in box), 1.0)[0]


def test_prompts_of_areas_keep_their_own_hand_tokens(model):
    positive = area(conditioning(1, HAND), 8, 16, 0, 0) + area(conditioning(3, (30,)), 8, 16, 4, 0) + conditioning(4)
    check(model, positive, conditioning(2, (11,)))


def test_an_area_of_the_positive_does_not_lend_its_columns_to_the_negative(model):
    positive, negative = area(conditioning(1, HAND), 8, 16, 0, 0) + conditioning(4), conditioning(2)
    filled = []
    with reference(model, texts_of(positive), seen=filled):
        sample(model, positive, negative)
    assert any(filled)
    check(model, positive, negative)


def retexted(model, change):
    """A node that puts other tensors in place of the encoded texts just before each step."""

    def wrapper(executor, inner, conds, x, timestep, options):
        def changed(cond):
            models = dict(cond["model_conds"])
            models["c_crossattn"] = type(models["c_crossattn"])(change(models["c_crossattn"].cond))
            return {**cond, "model_conds": models}

        return executor(inner, [[changed(cond) for cond in group] for group in conds], x, timestep, options)

    model = model.clone()
    model.add_wrapper(WrappersMP.CALC_COND_BATCH, wrapper)
    return model


def test_prompts_of_areas_keep_their_hand_tokens_when_their_texts_are_copied(model, caplog):
    positive = area(conditioning(1, HAND), 8, 16, 0, 0) + conditioning(4)
    expected = sample(bias_attention(model), positive, conditioning(2))
    got = sample(bias_attention(retexted(model, torch.clone)), positive, conditioning(2))
    assert torch.equal(got, expected)
    assert not any("not that of any encoded prompt" in record.message for record in caplog.records)


def test_prompts_of_areas_whose_texts_are_changed_are_biased_or_named_in_the_log(model, caplog):
    """Which, the order of the wrappers decides, which differs between ComfyUIs: in step or before it."""
    positive, negative = area(conditioning(1, HAND), 8, 16, 0, 0) + conditioning(4), conditioning(2)
    changed = retexted(model, lambda text: 0.9 * text)
    got = sample(bias_attention(changed), positive, negative, steps=2)
    if not any("not that of any encoded prompt" in record.message for record in caplog.records):
        with reference(model, [(0.9 * text, columns) for text, columns in texts_of(positive, negative)]):
            assert relative_l2(got, sample(changed, positive, negative, steps=2)) < TOLERANCE
        assert relative_l2(got, sample(changed, positive, negative, steps=2)) > 1e-3


def test_masked_prompts_keep_their_own_hand_tokens(model):
    mask = torch.zeros(1, 128, 128)
    mask[:, :, :64] = 1
    left = ConditioningSetMask().append(conditioning(1, HAND), mask, "default", 1.0)[0]
    right = ConditioningSetMask().append(conditioning(3, (40,)), 1 - mask, "mask bounds", 1.0)[0]
    check(model, left + right, conditioning(2))


def test_prompts_of_parts_of_the_sampling_keep_their_own_hand_tokens(model):
    early = SetTimestepRange().set_range(conditioning(1, HAND), 0.0, 0.5)[0]
    late = SetTimestepRange().set_range(conditioning(3, (40,)), 0.5, 1.0)[0]
    check(model, early + late, conditioning(2), steps=4)


def test_prompts_with_hooks_keep_their_own_hand_tokens(model):
    weights = {}
    for name, value in model.model.state_dict().items():
        if name.endswith("attn2.to_k.weight"):
            noise = torch.randn(value.shape, generator=torch.Generator().manual_seed(len(weights)))
            weights[name] = (0.02 * noise,)
    hooks = comfy.hooks.HookGroup()
    hook = comfy.hooks.WeightHook(strength_model=1.0)
    hook.weights = {name: ("diff", value) for name, value in weights.items()}
    hook.need_weight_init = False
    hooks.add(hook)
    hooked = conditioning(1, HAND, hooks=hooks) + conditioning(3, (40,))
    calls = []

    def count(executor, x, *args, **kwargs):
        calls.append(len(x))
        return executor(x, *args, **kwargs)

    counted = model.clone()
    counted.add_wrapper(WrappersMP.APPLY_MODEL, count)
    unhooked = conditioning(1, HAND) + conditioning(3, (40,))
    assert relative_l2(sample(counted, hooked, conditioning(2)), sample(model, unhooked, conditioning(2))) > 1e-3
    plain = list(calls)
    calls.clear()
    sample(bias_attention(counted), hooked, conditioning(2))
    assert calls == plain
    check(model, hooked, conditioning(2))


def test_works_beside_weights_in_the_prompt(model):
    """`(hand:1.3)` changes the text, and the bias then acts on the same columns of the changed text."""
    clip = narrow_models.clip("sd15")

    def encode(prompt):
        return TextEncode.execute(clip, prompt, "hand words", "").args[0]

    plain, weighted = encode("a hand holding a cup"), encode("a (hand:1.3) holding a cup")
    columns = plain[0][1]["sesahand_tokens"]["columns"]
    assert columns and weighted[0][1]["sesahand_tokens"]["columns"] == columns
    assert not torch.equal(plain[0][0], weighted[0][0])
    negative = encode("blurry")
    got = check(model, weighted, negative, minimum=1e-5)
    assert relative_l2(got, sample(bias_attention(model), plain, negative)) > 1e-5


def test_works_beside_a_lora(model):
    patched = model.clone()
    name = "diffusion_model.output_blocks.5.1.transformer_blocks.0.attn2.to_q.weight"
    shape = model.model.state_dict()[name].shape
    patched.add_patches({name: ("diff", (0.05 * torch.randn(shape, generator=torch.Generator().manual_seed(0)),))})
    positive, negative = conditioning(1, HAND), conditioning(2)
    check(patched, positive, negative)
    assert relative_l2(sample(patched, positive, negative), sample(model, positive, negative)) > 1e-4


@pytest.mark.parametrize("sampler", ["heun", "dpmpp_2m", "uni_pc"])
def test_works_with_other_samplers(model, sampler):
    check(model, conditioning(1, HAND), conditioning(2), sampler=sampler, steps=2)


def test_acts_between_start_and_end(model):
    positive, negative = conditioning(1, HAND), conditioning(2)
    first, last = (model.model.model_sampling.percent_to_sigma(p) for p in (0.3, 0.8))
    hits = []

    def when(sigma):
        hits.append(last <= sigma <= first)
        return hits[-1]

    patched = bias_attention(model, start=0.3, end=0.8)
    check(model, positive, negative, patched=patched, settings={"when": when}, steps=6, minimum=1e-4)
    assert 0 < sum(hits) < len(hits)


@pytest.mark.parametrize("settings", [{"alpha": 0.0}, {"start": 0.6, "end": 0.6}, {"start": 0.8, "end": 0.2}])
def test_alpha_zero_or_an_empty_range_changes_no_bit(model, settings):
    positive, negative = conditioning(1, HAND), conditioning(2)
    assert torch.equal(sample(bias_attention(model, **settings), positive, negative), sample(model, positive, negative))


def test_steps_outside_the_range_change_no_bit(model):
    positive, negative = conditioning(1, HAND), conditioning(2)
    patched = bias_attention(model, start=0.2, end=0.3)
    assert torch.equal(sample(patched, positive, negative), sample(model, positive, negative))


def test_a_prompt_without_hand_words_changes_no_bit(model):
    positive, negative = conditioning(1, NONE), conditioning(2)
    assert torch.equal(sample(bias_attention(model), positive, negative), sample(model, positive, negative))


def test_two_nodes_add_up_exactly(model):
    positive, negative = conditioning(1, HAND), conditioning(2)
    twice = sample(bias_attention(bias_attention(model, 0.5), 1.5), positive, negative)
    assert torch.equal(twice, sample(bias_attention(model, 2.0), positive, negative))


def test_nodes_for_different_blocks_act_side_by_side(model):
    positive, negative = conditioning(1, HAND), conditioning(2)
    patched = bias_attention(bias_attention(model, 2.0, "input"), 2.0, "middle")
    check(model, positive, negative, patched=patched, settings={"places": ("input", "middle")})


def test_clones_keep_the_bias_and_the_model_stays_as_it_was(model):
    positive, negative = conditioning(1, HAND), conditioning(2)
    before, options = sample(model, positive, negative), repr(model.model_options)
    patched = bias_attention(model, mask=torch.ones(1, 64, 64))
    clone = patched.clone().clone()
    assert torch.equal(sample(clone, positive, negative), sample(patched, positive, negative))
    wrappers = [m.model_options["transformer_options"]["wrappers"]["calc_cond_batch"] for m in (patched, clone)]
    assert wrappers[0]["sesahand_attention"][0] is wrappers[1]["sesahand_attention"][0]
    assert torch.equal(sample(model, positive, negative), before)
    assert repr(model.model_options) == options


def test_conditionings_stay_as_they_were(model):
    positive = conditioning(1, HAND)
    text, options = positive[0][0].clone(), dict(positive[0][1])
    sample(bias_attention(model), positive, conditioning(2))
    assert torch.equal(positive[0][0], text) and positive[0][1].keys() == options.keys()


def test_nothing_stays_behind_after_an_interruption(model):
    positive, negative = conditioning(1, HAND), conditioning(2)
    before = sample(model, positive, negative, steps=2)
    patched = bias_attention(model)
    expected = sample(patched, positive, negative, steps=2)

    class Stop(Exception):
        pass

    def stop(step, *_):
        if step == 1:
            raise Stop

    with pytest.raises(Stop):
        sample(patched, positive, negative, steps=2, callback=stop)
    assert torch.equal(sample(patched, positive, negative, steps=2), expected)
    assert torch.equal(sample(model, positive, negative, steps=2), before)


# A mask says where the hand words count.


def quarter():
    mask = torch.zeros(1, 128, 128)
    mask[:, 64:, :64] = 1
    return mask


def mean_over_cells(mask, height, width):
    rows, columns = mask.shape[0] // height, mask.shape[1] // width
    return mask.double().reshape(height, rows, width, columns).mean(dim=(1, 3))


def test_a_mask_limits_the_bias_to_the_queries_inside(model):
    mask = quarter()
    mask[0, 10:30, 90:100] = 0.5
    check(
        model,
        conditioning(1, HAND),
        conditioning(2),
        patched=bias_attention(model, 2.0, "all", mask=mask),
        settings={"places": ("input", "middle", "output"), "weights": lambda _, h, w: mean_over_cells(mask[0], h, w)},
    )


def test_a_mask_of_ones_is_no_mask_and_of_zeros_is_no_bias(model):
    positive, negative = conditioning(1, HAND), conditioning(2)
    ones = sample(bias_attention(model, mask=torch.ones(1, 64, 48)), positive, negative)
    assert relative_l2(ones, sample(bias_attention(model), positive, negative)) < 1e-6
    zeros = sample(bias_attention(model, mask=torch.zeros(1, 64, 48)), positive, negative)
    assert relative_l2(zeros, sample(model, positive, negative)) < 1e-6


def test_each_picture_of_a_batch_has_its_own_mask(model):
    masks = torch.cat([quarter(), 1 - quarter()])
    check(
        model,
        conditioning(1, HAND),
        conditioning(2),
        patched=bias_attention(model, mask=masks),
        settings={"weights": lambda row, h, w: mean_over_cells(masks[row % 2], h, w)},
        shape=(2, 4, 16, 16),
    )


def test_fewer_masks_than_pictures_repeat_in_order(model):
    masks = torch.cat([quarter(), 1 - quarter()])
    positive, negative = conditioning(1, HAND), conditioning(2)
    few, all_ = (
        sample(bias_attention(model, mask=m), positive, negative, shape=(4, 4, 8, 8))
        for m in (masks, masks.repeat(2, 1, 1))
    )
    assert torch.equal(few, all_)


@pytest.mark.parametrize("shape", [(64,), (1, 1, 64, 64), (0, 64, 64)])
def test_what_is_no_mask_is_refused_before_the_sampling(model, shape):
    with pytest.raises(SesaHandError, match="A mask is"):
        bias_attention(model, mask=torch.ones(shape))


def test_a_mask_is_cut_to_the_area_of_the_prompt(model):
    mask = quarter()
    positive = area(conditioning(1, HAND), 16, 8, 0, 8) + conditioning(4)  # the lower half, 16 wide and 8 high
    lower = mask[0, 64:]
    check(
        model,
        positive,
        conditioning(2),
        patched=bias_attention(model, mask=mask),
        settings={"weights": lambda _, h, w: mean_over_cells(lower if h < w else mask[0], h, w)},
    )


def test_a_feather_reaches_outward(model):
    positive, negative = conditioning(1, HAND), conditioning(2)
    hard, soft = (sample(bias_attention(model, mask=quarter(), feather=f), positive, negative) for f in (0, 32))
    assert relative_l2(soft, hard) > 1e-4


def test_masks_that_fit_no_picture_of_the_batch_are_refused(model):
    patched = bias_attention(model, mask=torch.ones(3, 16, 16))
    with pytest.raises(SesaHandError, match="3 pictures, and 2 are sampled"):
        sample(patched, conditioning(1, HAND), conditioning(2), shape=(2, 4, 16, 16))


# What other nodes do, before and after this one.


def both_orders(model, other):
    return other(bias_attention(model)), bias_attention(other(model))


def image_prompt(query):
    return 0.3 * torch.tanh(query) + 0.1


def test_composes_with_a_replacement_that_adds_an_image_prompt(model):
    positive, negative = conditioning(1, HAND), conditioning(2)

    def other(model, biased=False):
        def replacement(q, k, v, extra_options):
            if not biased:
                return comfy_attention.optimized_attention(q, k, v, extra_options["n_heads"]) + image_prompt(q)
            bias = torch.zeros(q.shape[0], 1, k.shape[1], dtype=torch.float64)
            for row, side in enumerate(extra_options["cond_or_uncond"]):
                bias[row, 0, list(HAND)] = 2.0 if side == 0 else 0.0
            return biased_attention(q, k, v, extra_options["n_heads"], bias).to(q) + image_prompt(q)

        model = model.clone()
        for number in range(3, 12):
            model.set_model_attn2_replace(replacement, "output", number)
        return model

    first, second = (sample(m, positive, negative) for m in both_orders(model, other))
    assert torch.equal(first, second)
    assert relative_l2(first, sample(other(model, biased=True), positive, negative)) < TOLERANCE
    assert relative_l2(first, sample(other(model), positive, negative)) > 1e-3


def test_composes_with_nodes_that_rewrite_what_goes_into_the_attention(model):
    positive, negative = conditioning(1, HAND), conditioning(2)

    def other(model):
        model = model.clone()
        model.set_model_attn2_patch(lambda q, k, v, extra_options: (q, k, 1.5 * v))
        return model

    first, second = (sample(m, positive, negative) for m in both_orders(model, other))
    assert torch.equal(first, second)
    with reference(model, texts_of(positive, negative)):
        assert relative_l2(first, sample(other(model), positive, negative)) < TOLERANCE


@pytest.mark.parametrize("heeds_masks", [True, False])
def test_composes_with_an_attention_override(model, heeds_masks):
    positive, negative = conditioning(1, HAND), conditioning(2)
    calls = []

    def other(model):
        def override(function, *args, mask=None, **kwargs):
            calls.append(function)
            return function(*args, mask=mask if heeds_masks else None, **kwargs)

        model = model.clone()
        model.model_options["transformer_options"]["optimized_attention_override"] = override
        return model

    sample(other(model), positive, negative)
    plain = len(calls)
    first, second = (sample(m, positive, negative) for m in both_orders(model, other))
    assert torch.equal(first, second) and len(calls) == 3 * plain > 0
    with reference(model, texts_of(positive, negative)):
        assert relative_l2(first, sample(model, positive, negative)) < TOLERANCE


@pytest.mark.parametrize("name", ["attention_flash", "attention_sage"])
def test_an_attention_that_refuses_or_drops_masks_is_not_asked(model, name, monkeypatch):
    plain = comfy_attention.attention_pytorch

    def attention(q, k, v, heads, mask=None, **kwargs):
        assert mask is None
        return plain(q, k, v, heads, **kwargs)

    attention.__name__ = name
    monkeypatch.setattr(comfy_attention, "optimized_attention", attention)
    monkeypatch.setattr(comfy_attention, "optimized_attention_masked", attention)
    check(model, conditioning(1, HAND), conditioning(2))


@pytest.mark.parametrize("name", ["attention_basic", "attention_split", "attention_sub_quad", "attention_pytorch"])
@pytest.mark.parametrize("mask", [None, quarter()])
def test_every_attention_of_comfyui_gives_the_same(model, name, mask, monkeypatch):
    positive, negative = conditioning(1, HAND), conditioning(2)
    patched = bias_attention(model, mask=mask)
    expected = sample(patched, positive, negative)
    for target in ("optimized_attention", "optimized_attention_masked"):
        monkeypatch.setattr(comfy_attention, target, getattr(comfy_attention, name))
    assert relative_l2(sample(patched, positive, negative), expected) < TOLERANCE


def regional(model, regions, strength=1.0):
    """Attention per region, as attention-couple nodes do it: the positive's rows are multiplied inside attn2."""

    def patch(q, k, v, extra_options):
        queries, keys, values = [], [], []
        sides = extra_options["cond_or_uncond"]
        for side, q_, k_, v_ in zip(sides, q.chunk(len(sides)), k.chunk(len(sides)), v.chunk(len(sides)), strict=True):
            extra = regions if side == 0 else []
            queries.append(q_.repeat(1 + len(extra), 1, 1))
            scale = strength if side == 0 else 1.0
            keys.append(torch.cat([scale * k_] + [text.repeat(len(q_), k.shape[1] // 77, 1) for text in extra]))
            values.append(torch.cat([scale * v_] + [text.repeat(len(q_), k.shape[1] // 77, 1) for text in extra]))
        return torch.cat(queries), torch.cat(keys), torch.cat(values)

    def output_patch(out, extra_options):
        outs, start = [], 0
        count = len(extra_options["cond_or_uncond"]) + len(regions)
        each = len(out) // count
        for side in extra_options["cond_or_uncond"]:
            parts = 1 + (len(regions) if side == 0 else 0)
            outs.append(out[start : start + parts * each].view(parts, each, *out.shape[1:]).mean(dim=0))
            start += parts * each
        return torch.cat(outs)

    model = model.clone()
    model.set_model_attn2_patch(patch)
    model.set_model_attn2_output_patch(output_patch)
    return model


@pytest.mark.parametrize("strength", [1.0, 0.7])
def test_composes_with_attention_per_region(model, strength, caplog):
    positive, negative = conditioning(1, HAND), conditioning(2)
    text = conditioning(5)[0][0]

    def other(model):
        return regional(model, [text], strength)

    first, second = (sample(m, positive, negative, shape=(2, 4, 16, 16)) for m in both_orders(model, other))
    assert torch.equal(first, second)
    known = [(strength * positive[0][0][0], HAND)]
    with reference(model, known):
        expected = sample(other(model), positive, negative, shape=(2, 4, 16, 16))
    assert relative_l2(first, expected) < TOLERANCE
    assert relative_l2(first, sample(other(model), positive, negative, shape=(2, 4, 16, 16))) > 1e-3
    assert sum("whose hand words are not known" in record.message for record in caplog.records) == 2


def interleaved(model, conditioning):
    """Keys and values apart, as NegPip has them: every second row of the text is for the values."""
    text, options = conditioning[0]
    return [[torch.stack([text, -0.5 * text], dim=2).flatten(1, 2), options]]


@pytest.mark.parametrize("lengths", [(77, 77), (154, 77)])
def test_composes_with_texts_that_interleave_keys_and_values(model, lengths):
    plain = [conditioning(i, HAND, length) for i, length in enumerate(lengths)]
    positive, negative = (interleaved(model, one) for one in plain)

    def other(model):
        model = model.clone()
        model.set_model_attn2_patch(lambda q, k, v, extra_options: (q, k[:, 0::2], v[:, 1::2]))
        model.model_options["ppm_negpip"] = True
        return model

    first, second = (sample(m, positive, negative) for m in both_orders(model, other))
    assert torch.equal(first, second)
    with reference(model, texts_of(*plain)):
        expected = sample(other(model), positive, negative)
    assert relative_l2(first, expected) < TOLERANCE
    assert relative_l2(first, sample(other(model), positive, negative)) > 1e-3


@pytest.mark.parametrize("arrange", ["apart", "turned"])
def test_composes_with_nodes_that_arrange_the_batch_anew(model, arrange):
    """A model function wrapper that calls the model row by row, or twice as large and in another order."""
    positive, negative = conditioning(1, HAND), conditioning(2)

    def other(model):
        def wrapper(apply_model, args):
            x, t, c = args["input"], args["timestep"], dict(args["c"])
            context = c.pop("c_crossattn")
            if arrange == "apart":
                rows = [
                    apply_model(x[i : i + 1], t[i : i + 1], c_crossattn=context[i : i + 1], **c) for i in range(len(x))
                ]
                return torch.cat(rows)
            turned = [torch.cat([part.flip(0), part]) for part in (x, t, context)]
            return apply_model(turned[0], turned[1], c_crossattn=turned[2], **c)[len(x) :]

        model = model.clone()
        model.set_model_unet_function_wrapper(wrapper)
        return model

    first, second = (sample(m, positive, negative) for m in both_orders(model, other))
    assert torch.equal(first, second)
    with reference(model, texts_of(positive, negative)):
        assert relative_l2(first, sample(other(model), positive, negative)) < TOLERANCE


def row_by_row(apply_model, args):
    x, t, c = args["input"], args["timestep"], dict(args["c"])
    context = c.pop("c_crossattn")
    rows = [apply_model(x[i : i + 1], t[i : i + 1], c_crossattn=context[i : i + 1], **c) for i in range(len(x))]
    return torch.cat(rows)


def backwards(apply_model, args):
    x, t, c = args["input"], args["timestep"], dict(args["c"])
    context = c.pop("c_crossattn")
    return apply_model(x.flip(0), t.flip(0), c_crossattn=context.flip(0), **c).flip(0)


def arranged(model, wrapper):
    model = model.clone()
    model.set_model_unet_function_wrapper(wrapper)
    return model


@pytest.mark.parametrize("wrapper", [row_by_row, backwards])
@pytest.mark.parametrize("masked", [False, True])
def test_rows_keep_their_prompt_and_picture_when_the_batch_is_arranged_anew(model, wrapper, masked):
    mask = torch.cat([quarter(), 1 - quarter()]) if masked else None
    positive, negative = conditioning(1, HAND, 154), conditioning(2, (7,))
    expected = sample(bias_attention(model, mask=mask), positive, negative, shape=(2, 4, 16, 16))
    got = sample(bias_attention(arranged(model, wrapper), mask=mask), positive, negative, shape=(2, 4, 16, 16))
    assert relative_l2(got, expected) < TOLERANCE


def test_areas_with_masks_keep_their_place_when_the_batch_is_arranged_anew(model):
    positive = area(conditioning(1, HAND), 8, 16, 0, 0) + area(conditioning(1, HAND), 8, 16, 8, 0) + conditioning(4)
    patched, turned = (bias_attention(m, mask=quarter()) for m in (model, arranged(model, backwards)))
    assert (
        relative_l2(sample(turned, positive, conditioning(2)), sample(patched, positive, conditioning(2))) < TOLERANCE
    )


@pytest.mark.parametrize("masked", [False, True])
def test_pictures_that_a_node_has_altered_are_told_by_their_place(model, masked):
    """A node that changes all latents a little, but not their order."""
    mask = torch.cat([quarter(), 1 - quarter()]) if masked else None

    def altered(apply_model, args):
        return apply_model(args["input"] * 1.001, args["timestep"], **args["c"])

    other, positive, negative = arranged(model, altered), conditioning(1, HAND), conditioning(2)
    got = sample(bias_attention(other, mask=mask), positive, negative, shape=(2, 4, 16, 16))
    weights = {"weights": lambda row, h, w: mean_over_cells(mask[row % 2], h, w)} if masked else {}
    with reference(model, texts_of(positive, negative), **weights):
        expected = sample(other, positive, negative, shape=(2, 4, 16, 16))
    assert relative_l2(got, expected) < TOLERANCE


def test_texts_that_a_node_has_altered_are_told_by_their_place_and_named_in_the_log(model, caplog):
    def altered(apply_model, args):
        c = dict(args["c"])
        noise = torch.randn(c["c_crossattn"].shape, generator=torch.Generator().manual_seed(0))
        return apply_model(args["input"], args["timestep"], **{**c, "c_crossattn": c["c_crossattn"] + 0.1 * noise})

    other, positive, negative = arranged(model, altered), conditioning(1, HAND), conditioning(2)
    assert relative_l2(sample(bias_attention(other), positive, negative), sample(other, positive, negative)) > 1e-3
    assert sum("alters the text" in record.message for record in caplog.records) == 1


def test_pictures_that_cannot_be_told_apart_are_refused_only_with_masks_of_their_own(model):
    def noisy(apply_model, args):
        x = args["input"]
        return row_by_row(lambda part, *a, **k: apply_model(part * 1.001, *a, **k), {**args, "input": x})

    positive, negative = conditioning(1, HAND), conditioning(2)
    shape = (2, 4, 16, 16)
    with reference(model, texts_of(positive, negative)):
        expected = sample(arranged(model, noisy), positive, negative, shape=shape)
    for mask in (None, torch.ones(1, 128, 128)):
        got = sample(bias_attention(arranged(model, noisy), mask=mask), positive, negative, shape=shape)
        assert relative_l2(got, expected) < TOLERANCE
    with pytest.raises(SesaHandError, match="which picture"):
        patched = bias_attention(arranged(model, noisy), mask=torch.cat([quarter(), 1 - quarter()]))
        sample(patched, positive, negative, shape=shape)


def test_one_text_with_different_hand_words_is_refused_where_rows_cannot_be_told_apart(model):
    first, second = conditioning(1, HAND), conditioning(1, (20,))
    second[0][0] = first[0][0]
    sample(bias_attention(model), first + second, conditioning(2))
    with pytest.raises(SesaHandError, match="same text with different hand words"):
        sample(bias_attention(arranged(model, row_by_row)), first + second, conditioning(2))


def test_regions_keep_the_mask_of_their_picture(model):
    masks = torch.cat([quarter(), 1 - quarter()])
    positive, negative = conditioning(1, HAND), conditioning(2)
    other = regional(model, [conditioning(5)[0][0]])
    got = sample(bias_attention(other, mask=masks), positive, negative, shape=(2, 4, 16, 16))
    for i in range(2):
        one = sample(bias_attention(other, mask=masks[i : i + 1]), positive, negative, shape=(2, 4, 16, 16))
        assert relative_l2(got[i], one[i]) < TOLERANCE
        assert relative_l2(got[1 - i], one[1 - i]) > 1e-4


def test_composes_with_guidance_that_asks_for_a_prediction_of_its_own(model):
    positive, negative = conditioning(1, HAND), conditioning(2)

    def other(model):
        return PerturbedAttentionGuidance.execute(model, 3.0).args[0]

    first, second = (sample(m, positive, negative) for m in both_orders(model, other))
    assert torch.equal(first, second)
    with reference(model, texts_of(positive, negative)):
        assert relative_l2(first, sample(other(model), positive, negative)) < TOLERANCE
    assert relative_l2(first, sample(bias_attention(model), positive, negative)) > 1e-3


def test_a_mask_over_tiles_of_unknown_place_is_refused(model):
    def tile(apply_model, args):
        x = args["input"]
        tiles = [apply_model(part.contiguous(), args["timestep"], **args["c"]) for part in x.chunk(2, dim=3)]
        return torch.cat(tiles, dim=3)

    tiled = model.clone()
    tiled.set_model_unet_function_wrapper(tile)
    positive, negative = conditioning(1, HAND), conditioning(2)
    with reference(model, texts_of(positive, negative)):
        expected = sample(tiled, positive, negative)
    assert relative_l2(sample(bias_attention(tiled), positive, negative), expected) < TOLERANCE
    with pytest.raises(SesaHandError, match="tiled sampling"):
        sample(bias_attention(tiled, mask=quarter()), positive, negative)


# What cannot work says so.


def test_conditionings_without_hand_tokens_are_refused(model):
    with pytest.raises(SesaHandError, match="Text Encode"):
        sample(bias_attention(model), conditioning(1), conditioning(2))


def test_a_sampler_that_bypasses_the_prompts_is_refused(model):
    patched = bias_attention(model)

    def own(args):
        x = args["input"]
        c = args["conds"][0][0]["model_conds"]["c_crossattn"].cond
        options = args["model_options"]["transformer_options"]
        out = args["model"].apply_model(x, args["sigma"], c_crossattn=c, transformer_options=options)
        return [out, out]

    patched.set_model_sampler_calc_cond_batch_function(own)
    with pytest.raises(SesaHandError, match="sampler_calc_cond_batch_function"):
        sample(patched, conditioning(1, HAND), conditioning(2))


def test_columns_outside_the_prompt_are_refused(model):
    with pytest.raises(SesaHandError, match="outside their prompt"):
        sample(bias_attention(model), conditioning(1, (80,)), conditioning(2))


@pytest.mark.parametrize(
    "settings", [{"alpha": -1.0}, {"alpha": 9.0}, {"blocks": "decoder"}, {"start": -0.1}, {"end": 1.1}]
)
def test_settings_without_a_meaning_are_refused(model, settings):
    with pytest.raises(SesaHandError):
        bias_attention(model, **settings)


def variant_of_qwen_image():
    """A class of its own, as the nine variants of Wan are: what more its attention has is not known."""
    from comfy.ldm.qwen_image.model import QwenImageTransformer2DModel

    class WithMore(QwenImageTransformer2DModel):
        pass

    return WithMore(
        in_channels=16, out_channels=4, num_layers=1, attention_head_dim=8, num_attention_heads=2,
        joint_attention_dim=8, pooled_projection_dim=8, axes_dims_rope=(2, 2, 4), dtype=torch.float32, device="cpu",
        operations=comfy.ops.disable_weight_init,
    )  # fmt: skip


def bare_sd3():
    """The network without the wrapper that ComfyUI samples it in."""
    from comfy.ldm.modules.diffusionmodules.mmdit import MMDiT

    return MMDiT(
        in_channels=4, depth=1, adm_in_channels=8, pos_embed_max_size=8, num_patches=64, context_size=8,
        context_embedder_config={"target": "torch.nn.Linear", "params": {"in_features": 8, "out_features": 64}},
        dtype=torch.float32, device="cpu", operations=comfy.ops.disable_weight_init,
    )  # fmt: skip


@pytest.mark.parametrize("network", [variant_of_qwen_image, bare_sd3])
@pytest.mark.parametrize("patch", [lambda m: bias_attention(m, 0.0), bias_attention, record_attention])
def test_models_whose_attention_is_not_known_are_refused_with_what_is_supported(network, patch):
    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.diffusion_model = network()

    unknown = comfy.model_patcher.ModelPatcher(Model(), torch.device("cpu"), torch.device("cpu"))
    with pytest.raises(SesaHandError, match="Supported are Stable Diffusion 1.x, 2.x and SDXL, Flux, .*Qwen-Image"):
        patch(unknown)


def test_the_reference_finds_every_cross_attention(model):
    places = [place for _, place in cross_attentions(model)]
    assert (places.count("input"), places.count("middle"), places.count("output")) == (6, 1, 9)
    bias = text_bias(torch.ones(1, 4, 2), [(torch.ones(2, 2), (1,))], 3.0)
    assert bias[0, 0].tolist() == [0, 3, 0, 3]


def test_one_mask_may_lack_its_batch(model):
    positive, negative = conditioning(1, HAND), conditioning(2)
    mask = torch.zeros(32, 32)
    mask[8:24, 8:24] = 1
    flat, batched = (sample(bias_attention(model, mask=given), positive, negative) for given in (mask, mask[None]))
    assert torch.equal(flat, batched)


def windowed(model, length=2):
    """The MODEL behind core's own Context Windows, over the pictures of a batch and without overlap."""
    options = {"context_length": length, "context_overlap": 0, "context_schedule": "standard_static"}
    options |= {"context_stride": 1, "closed_loop": False, "fuse_method": "flat", "dim": 0}
    # Added since 0.3.64.
    given = inspect.signature(ContextWindowsManualNode.execute).parameters
    options |= {"freenoise": False} if "freenoise" in given else {}
    return ContextWindowsManualNode.execute(model, **options).args[0]


@pytest.mark.parametrize("mask", [None, torch.ones(32, 16)], ids=["everywhere", "one mask"])
def test_pictures_in_context_windows_are_biased_as_they_are_together(model, mask):
    positive, negative = conditioning(1, HAND), conditioning(2)
    # As many pictures as noise levels: 0.3.64 compares the one with the other.
    options = {"shape": (4, 4, 16, 16), "steps": 3}
    patched = bias_attention(model, mask=mask)
    got = sample(windowed(patched), positive, negative, **options)
    assert relative_l2(got, sample(patched, positive, negative, **options)) < TOLERANCE
    assert relative_l2(got, sample(windowed(model), positive, negative, **options)) > 1e-3


def test_context_windows_and_a_mask_for_each_picture_are_refused(model):
    positive, negative = conditioning(1, HAND), conditioning(2)
    for patched in (bias_attention(model, mask=torch.ones(4, 16, 16)), record_attention(model)[0]):
        with pytest.raises(SesaHandError, match="Context windows split the batch"):
            sample(windowed(patched), positive, negative, shape=(4, 4, 16, 16), steps=3)


def test_nodes_in_a_row_without_end_are_told(model):
    for _ in range(49):
        model = bias_attention(model, 0.1, "output", 0.0, 1.0)
    biased = bias_attention(model, 0.1, "output", 0.0, 1.0)
    with pytest.raises(SesaHandError, match="more than 50 nodes"):
        bias_attention(biased, 0.1, "output", 0.0, 1.0)
