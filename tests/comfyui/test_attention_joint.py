"""The bias and the record on transformers inside ComfyUI's sampling, against a softmax in float64.

Where text and picture stand is found by trying (`joint_reference`), in whatever ComfyUI runs the tests.
"""

import pytest
import tiny_transformers
import torch
from attention_reference import relative_l2
from joint_reference import places, reference
from sesahand_pack.nodes.patches.attention_bias import bias_attention
from sesahand_pack.nodes.patches.attention_map import record_attention
from sesahand_pack.sesahand.attention.joint import third_of
from tiny_transformers import FAMILIES, conditioning, sample

from comfy.patcher_extension import WrappersMP

TOLERANCE = 1e-5
HAND = (4, 5, 9, 11)


class Case:
    """A family with its tiny model, a prompt and the places of its hand tokens."""

    def __init__(self, name, length=37, size=None, columns=HAND, **extra):
        if not FAMILIES[name].is_here:
            pytest.skip(f"This ComfyUI has no {FAMILIES[name].model}.")
        self.name, self.patch, self.size = name, 1 if name == "flux2" else 2, size
        self.model = tiny_transformers.model(name)
        self.positive = conditioning(name, 1, columns, length, **extra)
        self.negative = conditioning(name, 2, length=length, **extra)
        self.places = places(name, self.positive, columns, self.patch, size)

    def sample(self, model, positive=None, negative=None, **options):
        return sample(model, self.name, positive or self.positive, negative or self.negative, size=self.size, **options)

    def check(self, patched=None, settings=None, minimum=1e-3, plain=None, **options):
        """Sample with the node and with the reference: equal, and visibly other than without."""
        plain = plain or self.model
        settings = {"known": [self.places], "patch": self.patch} | (settings or {})
        got = self.sample(patched or bias_attention(plain, 2.0, "all"), **options)
        with reference(plain, **settings) as other:
            expected = self.sample(other, **options)
        assert relative_l2(got, expected) < TOLERANCE
        assert relative_l2(got, self.sample(plain, **options)) > minimum
        return got


@pytest.fixture(scope="module", autouse=True)
def models():
    torch.set_num_threads(1)
    yield
    tiny_transformers.model.cache_clear()


@pytest.fixture(scope="module", params=FAMILIES)
def family(request):
    return Case(request.param)


def region(case, seed=4):
    """A mask of as many pixels as the latent has cells, and somewhere 0."""
    height, width = (case.size or FAMILIES[case.name].latent)[-2:]
    mask = torch.rand(height, width, generator=torch.Generator().manual_seed(seed))
    mask[: height // 3] = 0
    return mask


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
