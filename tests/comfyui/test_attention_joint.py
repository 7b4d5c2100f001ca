"""The bias and the record on transformers inside ComfyUI's sampling, against a softmax in float64.

Where text and picture stand is found by trying (`joint_reference`), in whatever ComfyUI runs the tests.
"""

import inspect
import sys
from dataclasses import replace

import pytest
import tiny_transformers
import torch
from attention_reference import relative_l2
from comfy_extras.nodes_context_windows import ContextWindowsManualNode
from joint_case import HAND, TOLERANCE, Case, region
from joint_reference import places, reference
from sesahand_pack.nodes.attention import AttentionMap
from sesahand_pack.nodes.patches.attention_bias import bias_attention
from sesahand_pack.nodes.patches.attention_map import record_attention
from sesahand_pack.sesahand.attention.joint import third_of
from sesahand_pack.sesahand.errors import SesaHandError
from tiny_transformers import FAMILIES, conditioning

import comfy.ldm.flux.math
import comfy.ldm.modules.attention as comfy_attention
import comfy.ldm.qwen_image.model
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from nodes import ConditioningCombine, ConditioningSetArea, ConditioningSetMask
from nodes import ConditioningSetTimestepRange as SetTimestepRange


@pytest.fixture(scope="module", autouse=True)
def models():
    torch.set_num_threads(1)
    yield
    tiny_transformers.model.cache_clear()


@pytest.fixture(scope="module", params=FAMILIES)
def family(request):
    return Case(request.param)


def test_biases_the_hand_tokens_on_the_queries_of_the_picture(family):
    family.check()


def test_prompts_of_other_lengths_and_batches_are_biased_alike(family):
    family.check(negative=conditioning(family.name, 2, length=53), batch=2)


def test_hand_tokens_of_both_sides_are_biased_on_their_own_side(family):
    negative = conditioning(family.name, 2, (7, 8))
    known = [family.places, places(family.name, negative, (7, 8), family.patch)]
    family.check(negative=negative, settings={"known": known})


def test_a_mask_weighs_the_queries_of_its_patches(family):
    mask = region(family)
    family.check(bias_attention(family.model, 2.0, "all", mask=mask), {"mask": mask})


def test_acts_between_start_and_end_and_at_guidance_of_one(family):
    sampling = family.model.model.model_sampling
    first, last = (float(sampling.percent_to_sigma(percent)) for percent in (0.2, 0.6))
    hits = []

    def when(sigma):
        hits.append(last <= sigma <= first)
        return hits[-1]

    patched = bias_attention(family.model, 2.0, "all", 0.2, 0.6)
    family.check(patched, {"when": when}, steps=4, cfg=1.0, minimum=1e-4)
    assert 0 < sum(hits) < len(hits)


def calls_of(case):
    """How often the network attends to its text, counted by the reference."""
    calls = set()

    class Counting:
        def __contains__(self, call):
            calls.add(call)
            return False

    with reference(case.model, [case.places], calls=Counting(), patch=case.patch) as counted:
        case.sample(counted, steps=1)
    return len(calls)


@pytest.mark.parametrize("blocks", ["input", "middle", "output"])
def test_the_parts_of_the_network_are_thirds_of_its_depth(family, blocks):
    count = calls_of(family)
    chosen = {call for call in range(count) if third_of(call, count) == blocks}
    assert 0 < len(chosen) < count
    family.check(bias_attention(family.model, 2.0, blocks), {"calls": chosen}, minimum=1e-4)


@pytest.mark.parametrize("masked", [False, True])
def test_composes_with_an_override_that_adds_to_the_attention(family, masked):
    """Such as an image prompt; and what only computes it faster adds nothing."""

    def override(function, q, k, v, heads, mask=None, **options):
        out = function(q, k, v, heads, mask=mask, **options)
        return out + 0.05 * torch.sin(torch.arange(out.shape[-1]))

    def other(model):
        model = model.clone()
        model.model_options["transformer_options"]["optimized_attention_override"] = override
        return model

    mask = region(family) if masked else None
    before = bias_attention(other(family.model), 2.0, "all", mask=mask)
    got = family.check(before, {"mask": mask}, plain=other(family.model))
    after = other(bias_attention(family.model, 2.0, "all", mask=mask))
    assert torch.equal(family.sample(after), got)


def test_alpha_zero_an_empty_range_or_no_hand_word_change_no_bit(family):
    plain = family.sample(family.model)
    for settings in ({"alpha": 0.0}, {"start": 0.6, "end": 0.6}, {"start": 0.98, "end": 0.99}):
        assert torch.equal(family.sample(bias_attention(family.model, blocks="all", **settings)), plain)
    none = conditioning(family.name, 1, ())
    assert torch.equal(family.sample(bias_attention(family.model, blocks="all"), none), plain)


def test_two_nodes_add_up_exactly(family):
    twice = bias_attention(bias_attention(family.model, 0.5, "all"), 1.5, "all")
    assert torch.equal(family.sample(twice), family.sample(bias_attention(family.model, 2.0, "all")))


def share_of(case, alpha, settings=None, **options):
    """The share of the hand tokens in each attention of the positive's rows, [h, w] on the patches, in float64."""
    shares, texts = [], []

    def text(executor, x, t, c_concat=None, c_crossattn=None, *args, **kwargs):
        texts.append(c_crossattn)
        return executor(x, t, c_concat, c_crossattn, *args, **kwargs)

    def seen(q, k, logits):
        if (q.shape[2], k.shape[2]) == case.places.lengths:
            rows = [i for i, own in enumerate(texts[-1]) if torch.equal(own, case.places.text)]
            share = logits.softmax(dim=-1)[rows][..., list(case.places.keys)].sum(dim=-1).mean(dim=1)
            of = case.places.queries
            height, width = len({row for row, _ in of}), len({column for _, column in of})
            maps = torch.stack([share[:, list(queries)].mean(dim=1) for queries in of.values()], dim=1)
            shares.append(maps.view(-1, height, width))

    with reference(case.model, [case.places], alpha, patch=case.patch, seen=seen, **(settings or {})) as watched:
        watched.add_wrapper(WrappersMP.APPLY_MODEL, text)
        case.sample(watched, steps=1, **options)
    return torch.stack(shares)


@pytest.mark.parametrize("alpha", [0.0, 3.0])
def test_the_record_is_the_share_of_the_attention_as_it_is_biased(family, alpha):
    recording, recorder = record_attention(bias_attention(family.model, alpha, "all"), "all", "1/16")
    latent = family.sample(recording, steps=1, batch=2)
    maps = recorder.maps_of(latent)
    expected = share_of(family, alpha, batch=2)
    share = torch.nn.functional.interpolate(expected.mean(dim=0)[:, None], maps.share.shape[-2:], mode="area")[:, 0]
    assert maps.share.shape[:2] == (1, 2) and (maps.share[0] - share).abs().max() < 2e-6
    assert [name for name, _ in maps.blocks] == [
        f"{third_of(call, len(expected))} {call}" for call in range(len(expected))
    ]
    for (_, got), block in zip(maps.blocks, expected, strict=True):
        assert got == pytest.approx(float(block.mean()), abs=2e-6)
    assert torch.equal(latent, family.sample(bias_attention(family.model, alpha, "all"), steps=1, batch=2))


# What else stands in the sequence, and what else is sampled with.


def latents(*shapes):
    return [torch.randn(1, *shape, generator=torch.Generator().manual_seed(9)) for shape in shapes]


REFERENCES = {
    "flux": {"reference_latents": ((4, 8, 8), (4, 10, 6))},
    "flux2": {"reference_latents": ((128, 4, 4),)},
    "qwen_image": {"reference_latents": ((16, 1, 8, 8), (16, 1, 10, 6))},
    "krea2": {"reference_latents": ((16, 1, 8, 8),), "reference_latents_method": "index"},
    "z_image": {"reference_latents": ((16, 8, 8),), "reference_latents_text_embeds": ((11, 24),)},
}


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("masked", [False, True])
def test_pictures_for_reference_keep_their_attention_and_the_target_is_biased(name, masked):
    given = {key: value if isinstance(value, str) else latents(*value) for key, value in REFERENCES[name].items()}
    case = Case(name, **given)
    mask = region(case) if masked else None
    case.check(bias_attention(case.model, 2.0, "all", mask=mask), {"mask": mask})


@pytest.mark.parametrize("name", ["qwen_image", "lumina2"])
def test_rows_that_a_mask_hides_stay_hidden(name):
    hidden = torch.ones(1, 37, dtype=torch.long)
    hidden[:, 34:] = 0
    case = Case(name, attention_mask=hidden)
    case.check(cfg=1.0)


@pytest.mark.parametrize("name", ["flux", "qwen_image", "wan_t2v"])
def test_sizes_that_patches_do_not_divide_are_biased_by_what_lies_inside(name):
    case = Case(name, size=(11, 15))
    mask = region(case)
    case.check(bias_attention(case.model, 2.0, "all", mask=mask), {"mask": mask}, minimum=1e-4)


def part_of(conditioning, *box):
    return ConditioningSetArea().append(conditioning, *(8 * value for value in box), 1.0)[0]


@pytest.mark.parametrize("name", ["flux", "flux2", "anima"])
def test_an_area_of_the_positive_does_not_lend_its_columns_to_the_negative(name):
    """ComfyUI fills it with a copy of the positive's entry under the negative's text."""
    case = Case(name)
    height, width = FAMILIES[name].latent[-2:]
    whole = conditioning(name, 3, ())
    for positive in (part_of(case.positive, height, width // 2, 0, 0) + whole,):
        own = places(name, case.positive, HAND, case.patch, (height, width // 2))
        case.check(settings={"known": [own]}, positive=positive, minimum=1e-4)


@pytest.mark.parametrize("name", ["qwen_image", "wan_t2v"])
def test_combined_masked_and_timed_prompts_keep_their_own_hand_tokens(name):
    case = Case(name)
    mask = torch.zeros(1, *FAMILIES[name].latent[-2:])
    mask[:, :6] = 1
    other = conditioning(name, 8, (20, 21))
    early = SetTimestepRange().set_range(other, 0.0, 0.5)[0]
    positive = ConditioningCombine().combine(
        ConditioningSetMask().append(case.positive, mask, "default", 1.0)[0], early
    )[0]
    known = [case.places, places(name, other, (20, 21))]
    case.check(settings={"known": known}, positive=positive, steps=4, batch=2)


@pytest.mark.parametrize("name", ["attention_basic", "attention_split", "attention_sub_quad", "attention_pytorch"])
@pytest.mark.parametrize("of", ["qwen_image", "wan_t2v", "z_image"])
def test_every_attention_of_comfyui_gives_the_same(name, of, monkeypatch):
    case = Case(of)
    patched = bias_attention(case.model, 2.0, "all", mask=region(case))
    expected = case.sample(patched)
    network = sys.modules[type(case.model.model.diffusion_model).__module__]
    for target in ("optimized_attention", "optimized_attention_masked"):
        if hasattr(network, target):
            monkeypatch.setattr(network, target, getattr(comfy_attention, name))
    assert relative_l2(case.sample(patched), expected) < TOLERANCE


def test_an_attention_that_refuses_or_drops_masks_is_not_asked_for_the_bias(monkeypatch):
    def attention_flash(q, k, v, heads, mask=None, **options):
        assert mask is None
        return comfy_attention.attention_pytorch.__wrapped__(q, k, v, heads, **options)

    monkeypatch.setattr(comfy.ldm.flux.math, "optimized_attention", comfy_attention.wrap_attn(attention_flash))
    Case("flux").check()


def test_as_many_words_as_patches_do_not_confuse_cross_attention_with_the_pictures_own():
    case = Case("wan_t2v", length=121)
    cross = [block.cross_attn for block in case.model.model.diffusion_model.blocks]
    positive, negative = conditioning("wan_t2v", 1, HAND, 120), conditioning("wan_t2v", 2, length=120)
    own = replace(case.places, lengths=(120, 120), text=positive[0][0][0])
    case.check(settings={"known": [own], "inside": cross}, positive=positive, negative=negative)


def test_rows_of_a_batch_that_a_node_turns_around_are_told_by_their_text():
    def backwards(apply_model, args):
        x, t, c = args["input"], args["timestep"], dict(args["c"])
        context = c.pop("c_crossattn")
        return apply_model(x.flip(0), t.flip(0), c_crossattn=context.flip(0), **c).flip(0)

    case = Case("qwen_image")
    turned = case.model.clone()
    turned.set_model_unet_function_wrapper(backwards)
    case.check(bias_attention(turned, 2.0, "all"))


def test_context_windows_of_a_film_are_biased_in_each_window():
    options = {"context_length": 2, "context_overlap": 0, "context_schedule": "standard_static", "context_stride": 1}
    options |= {"closed_loop": False, "fuse_method": "flat", "dim": 2}
    given = inspect.signature(ContextWindowsManualNode.execute).parameters
    options |= {"freenoise": False} if "freenoise" in given else {}
    case = Case("wan_t2v")
    windowed = ContextWindowsManualNode.execute(case.model, **options).args[0]
    # Newer ComfyUIs give all windows but the first one more frame, the first of the film.
    three = {cell: (*queries, 2 * queries[1] - queries[0]) for cell, queries in case.places.queries.items()}
    longer = replace(case.places, lengths=(180, 37), queries=three)
    case.check(settings={"known": [case.places, longer]}, plain=windowed, frames=4, steps=3)


@pytest.mark.parametrize("name", ["qwen_image", "wan_t2v"])
def test_the_map_is_laid_over_every_picture_of_a_film(name):
    case = Case(name)
    recording, recorder = record_attention(case.model, "all")
    latent = case.sample(recording, steps=1)
    frames = 1 if name == "qwen_image" else 5
    pictures = torch.zeros(frames, 96, 160, 3)
    image, mask, report = AttentionMap.execute(recorder, {"samples": latent}, 0, 1, 1, True, 0.7, pictures).args
    assert image.shape == pictures.shape and torch.equal(image[0], image[-1])
    assert mask.shape[1:] == (96, 160) and mask.max() > 0.9
    mean = torch.tensor([share for _, share in recorder.maps_of(latent).blocks]).mean()
    assert f"{float(mean):.2%}" in report and "input 0: " in report


# What cannot be right says so.


def test_a_model_that_shares_a_network_and_has_not_been_tried_is_refused():
    class LongCatImage(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.diffusion_model = tiny_transformers.model("flux").model.diffusion_model

    untried = ModelPatcher(LongCatImage(), torch.device("cpu"), torch.device("cpu"))
    with pytest.raises(SesaHandError, match="The attention of LongCatImage cannot be biased"):
        bias_attention(untried)


def test_tokens_that_another_node_adds_are_noticed():
    """As an image prompt does that puts its tokens in front of the text."""

    def add(args):
        ids = torch.zeros(*args["txt_ids"].shape[:1], 5, *args["txt_ids"].shape[2:])
        return {
            **args,
            "txt": torch.cat([args["txt"][:, :5], args["txt"]], dim=1),
            "txt_ids": torch.cat([ids, args["txt_ids"]], dim=1),
        }

    case = Case("qwen_image")
    added = case.model.clone()
    added.set_model_patch(add, "post_input")
    if "post_input" not in inspect.getsource(comfy.ldm.qwen_image.model):
        pytest.skip("This ComfyUI lets no node add tokens there.")
    with pytest.raises(SesaHandError, match="No attention of 97 queries to 97 keys was seen .* only 102 x 102"):
        case.sample(bias_attention(added, 2.0, "all"))


def test_an_attention_to_another_text_is_noticed():
    """As NAG for Wan has it: once more with a negative text of the same length."""
    case = Case("wan_t2v")
    twice = case.model.clone()
    block = case.model.model.diffusion_model.blocks[1].cross_attn

    class Twice(torch.nn.Module):
        def forward(self, *args, **kwargs):
            return 0.5 * (block(*args, **kwargs) + block(*args, **kwargs))

    twice.add_object_patch("diffusion_model.blocks.1.cross_attn", Twice())
    with pytest.raises(SesaHandError, match="attends to its text 3 times, and once more"):
        case.sample(bias_attention(twice, 2.0, "all"))


def test_a_network_without_its_text_in_the_attention_may_leave_blocks_out():
    """Skip-layer guidance and caches do."""
    case = Case("wan_t2v")
    skipping = case.model.clone()
    skipping.set_model_patch_replace(lambda args, extra: {"img": args["img"]}, "dit", "double_block", 1)
    case.check(plain=skipping, minimum=1e-4)
