"""The record of what hand tokens look at, against shares of attention worked out in float64."""

import gc
import math
import weakref
from contextlib import contextmanager
from dataclasses import replace

import narrow_models
import pytest
import torch
from attention_reference import conditioning, cross_attentions, reference, sample
from sesahand_pack.nodes.attention import AttentionBias, AttentionMap, RecordAttention
from sesahand_pack.nodes.patches.attention_bias import bias_attention
from sesahand_pack.nodes.patches.attention_map import record_attention
from sesahand_pack.sesahand.errors import SesaHandError

import comfy.ldm.modules.attention as comfy_attention
import comfy.sample
from nodes import ConditioningSetArea

HAND = (4, 5, 9)


@pytest.fixture(scope="module")
def model():
    torch.set_num_threads(1)
    return narrow_models.model("sd15", replace(narrow_models.NARROW["sd15"], width=32))


@contextmanager
def watched(model, text, columns, finest, alpha=0.0, shape=(16, 16)):
    """Collect [(sigma, map)] of the rows that carry `text`: one map [B, h, w] for each step, mean over the layers."""
    places_of = {id(module): place for module, place in cross_attentions(model)}
    original, layers = comfy_attention.CrossAttention.forward, []

    def forward(self, x, context=None, value=None, mask=None, transformer_options=None):
        height, width = transformer_options["activations_shape"][-2:]
        if places_of.get(id(self)) == "output" and height <= finest:
            rows = [row for row in range(len(x)) if torch.equal(context[row, : len(text)], text)]
            if rows:
                q, k = (
                    t.double().unflatten(-1, (self.heads, -1)) for t in (self.to_q(x[rows]), self.to_k(context[rows]))
                )
                logits = torch.einsum("bnhd,bkhd->bhnk", q, k) / math.sqrt(q.shape[-1])
                logits[..., list(columns)] += alpha
                share = torch.exp(logits - torch.logsumexp(logits, dim=-1, keepdim=True))[..., list(columns)]
                share = share.sum(dim=-1).mean(dim=1).view(len(rows), 1, height, width)
                size = math.ceil(shape[0] * finest / 16), math.ceil(shape[1] * finest / 16)
                share = (
                    torch.nn.functional.interpolate(share, size, mode="bilinear") if (height, width) != size else share
                )
                layers.append((float(transformer_options["sigmas"][0]), share[:, 0]))
        return original(self, x, context, value, mask, transformer_options)

    comfy_attention.CrossAttention.forward = forward
    steps = []
    try:
        yield steps
    finally:
        comfy_attention.CrossAttention.forward = original
        for sigma in sorted({sigma for sigma, _ in layers}, reverse=True):
            steps.append((sigma, torch.stack([share for s, share in layers if s == sigma]).mean(dim=0)))


@pytest.mark.parametrize(("detail", "finest"), [("1/8", 16), ("1/16", 8), ("1/32", 4)])
@pytest.mark.parametrize("shape", [(1, 4, 16, 16), (3, 4, 16, 24)])
def test_the_maps_are_the_hand_tokens_share_of_the_attention(model, detail, finest, shape):
    positive, negative = conditioning(1, HAND), conditioning(2, (7,))
    recording, recorder = record_attention(model, detail=detail)
    latent = sample(recording, positive, negative, shape=shape, steps=3)
    with watched(model, positive[0][0][0], HAND, finest, shape=shape[2:]) as expected:
        sample(model, positive, negative, shape=shape, steps=3)
    maps = recorder.maps_of(latent)
    assert maps.share.shape == (3, shape[0], finest, finest * shape[3] // 16) and maps.share.device.type == "cpu"
    for got, (_, share) in zip(maps.share, expected, strict=True):
        assert (got - share).abs().max() < 1e-6
    assert maps.share.std() > 1e-5 and maps.progress.tolist() == sorted(maps.progress.tolist())


@pytest.mark.parametrize("first", ["bias", "record"])
def test_the_maps_show_the_attention_as_it_is_biased(model, first):
    positive, negative = conditioning(1, HAND), conditioning(2)
    if first == "bias":
        recording, recorder = record_attention(bias_attention(model, 3.0))
    else:
        recording, recorder = record_attention(model)
        recording = bias_attention(recording, 3.0)
    latent = sample(recording, positive, negative)
    with reference(model, [(positive[0][0][0], HAND)], 3.0):
        with watched(model, positive[0][0][0], HAND, 8, alpha=3.0) as expected:
            sample(model, positive, negative)
    got = recorder.maps_of(latent).share
    assert (got - torch.stack([share for _, share in expected])).abs().max() < 1e-6


def test_recording_changes_no_bit_of_the_picture(model):
    positive, negative = conditioning(1, HAND), conditioning(2)
    assert torch.equal(
        sample(record_attention(model, "all", "1/8")[0], positive, negative), sample(model, positive, negative)
    )
    biased = bias_attention(model)
    assert torch.equal(sample(record_attention(biased)[0], positive, negative), sample(biased, positive, negative))


def test_each_latent_has_the_maps_of_its_own_sampling(model):
    recording, recorder = record_attention(model)
    negative = conditioning(2)
    latents = [sample(recording, conditioning(seed, HAND), negative) for seed in (1, 3)]
    shares = [recorder.maps_of(latent).share for latent in latents]
    assert not torch.equal(*shares)
    again = sample(recording, conditioning(1, HAND), negative)
    assert torch.equal(recorder.maps_of(again).share, shares[0])
    assert torch.equal(recorder.maps_of(latents[0].half()).share, shares[0])


def test_a_latent_from_elsewhere_is_refused(model):
    recording, recorder = record_attention(model)
    latent = sample(recording, conditioning(1, HAND), conditioning(2))
    for other in (latent + 0.1, latent[:, :, :8], sample(model, conditioning(5, HAND), conditioning(2))):
        with pytest.raises(SesaHandError, match="no attention maps"):
            recorder.maps_of(other)


def test_the_oldest_maps_go_first(model):
    recording, recorder = record_attention(model)
    recorder.capacity = 2
    latents = [sample(recording, conditioning(seed, HAND), conditioning(2), steps=1) for seed in (1, 3, 5)]
    with pytest.raises(SesaHandError):
        recorder.maps_of(latents[0])
    assert recorder.maps_of(latents[1]) is not recorder.maps_of(latents[2])


def test_the_maps_of_areas_lie_where_the_areas_are(model):
    left = ConditioningSetArea().append(conditioning(1, HAND), 64, 128, 0, 0, 1.0)[0]
    right = ConditioningSetArea().append(conditioning(3, ()), 64, 128, 64, 0, 1.0)[0]
    recording, recorder = record_attention(model)
    maps = recorder.maps_of(sample(recording, left + right, conditioning(2))).share
    assert maps.shape[-2:] == (8, 8)
    assert (maps[:, :, :, :4] > 0).all() and (maps[:, :, :, 4:] == 0).all()


def test_each_picture_has_its_own_map_when_the_model_is_called_row_by_row(model):
    def row_by_row(apply_model, args):
        x, t, c = args["input"], args["timestep"], dict(args["c"])
        text = c.pop("c_crossattn")
        return torch.cat(
            [apply_model(x[i : i + 1], t[i : i + 1], c_crossattn=text[i : i + 1], **c) for i in range(len(x))]
        )

    shares = []
    for other in (model, model.clone()):
        if shares:
            other.set_model_unet_function_wrapper(row_by_row)
        recording, recorder = record_attention(other)
        latent = sample(recording, conditioning(1, HAND), conditioning(2), shape=(2, 4, 16, 16))
        shares.append(recorder.maps_of(latent).share)
    assert (shares[0] - shares[1]).abs().max() < 1e-6 and shares[0].amin() > 0


@pytest.mark.parametrize("detail", ["1/8", "1/16", "1/32"])
@pytest.mark.parametrize("size", [(9, 9), (13, 17), (17, 8), (11, 5)])
def test_odd_sizes_have_maps_at_every_detail(model, size, detail):
    recording, recorder = record_attention(model, "output", detail)
    share = recorder.maps_of(sample(recording, conditioning(1, HAND), conditioning(2), shape=(1, 4, *size))).share
    assert share.amin() > 0


def test_an_area_of_odd_size_has_a_map_at_every_detail(model):
    positive = ConditioningSetArea().append(conditioning(1, HAND), 104, 104, 0, 0, 1.0)[0] + conditioning(3, ())
    recording, recorder = record_attention(model, "output", "1/32")
    share = recorder.maps_of(sample(recording, positive, conditioning(2), shape=(1, 4, 32, 32))).share
    assert (share[..., :3, :3] > 0).all() and (share[..., 4:] == 0).all()


def test_a_prompt_without_hand_words_gives_empty_maps(model):
    recording, recorder = record_attention(model)
    latent = sample(recording, conditioning(1, ()), conditioning(2))
    assert recorder.maps_of(latent).share.abs().max() == 0
    image, mask, report = AttentionMap.execute(recorder, {"samples": latent}, 0.0, 1.0, 1, True, 0.7).args
    assert "No hand words" in report
    assert image.shape == (1, 128, 128, 3) and mask.abs().max() == 0


def test_more_panels_than_there_is_memory_for_are_refused(model):
    recording, recorder = record_attention(model)
    latent = sample(recording, conditioning(1, HAND), conditioning(2))
    pictures = torch.zeros(1, 1, 1, 3).expand(64, 1024, 1024, 3)
    with pytest.raises(SesaHandError, match="64 frames of 16384x1024 pixels .*fewer panels"):
        AttentionMap.execute(recorder, {"samples": latent}, 0.0, 1.0, 16, True, 0.7, pictures)


def test_a_prompt_whose_hand_words_are_unknown_is_refused(model):
    with pytest.raises(SesaHandError, match="Text Encode"):
        sample(record_attention(model)[0], conditioning(1), conditioning(2))


def test_an_interrupted_sampling_leaves_no_maps_and_the_next_one_works(model):
    recording, recorder = record_attention(model)

    def stop(step, *_):
        if step == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sample(recording, conditioning(1, HAND), conditioning(2), steps=2, callback=stop)
    latent = sample(recording, conditioning(1, HAND), conditioning(2), steps=2)
    assert len(recorder.maps_of(latent).share) == 2


def test_two_recordings_on_one_model_do_not_mix(model):
    first, coarse = record_attention(model, detail="1/32")
    second, fine = record_attention(first, detail="1/8")
    latent = sample(second, conditioning(1, HAND), conditioning(2))
    assert coarse.maps_of(latent).share.shape[-2:] == (4, 4)
    assert fine.maps_of(latent).share.shape[-2:] == (16, 16)


def test_the_record_goes_with_the_model(model):
    recording, recorder = record_attention(model)
    sample(recording.clone(), conditioning(1, HAND), conditioning(2))
    gone = weakref.ref(recorder)
    del recording, recorder
    gc.collect()
    assert gone() is None


def test_the_nodes_show_the_map_over_the_picture(model):
    (biased,) = AttentionBias.execute(model, 2.0, "output", 0.0, 1.0).args
    recording, recorder = RecordAttention.execute(biased, "output", "1/16").args
    latent = sample(recording, conditioning(1, HAND), conditioning(2), shape=(2, 4, 16, 24), steps=4)
    pictures = torch.rand(2, 128, 192, 3)

    def shown(start=0.0, end=1.0, panels=1, stretch=True, opacity=0.7, images=pictures):
        samples = {"samples": latent}
        return AttentionMap.execute(recorder, samples, start, end, panels, stretch, opacity, images).args[:2]

    image, mask = shown(panels=2)
    assert image.shape == (2, 128, 384, 3) and mask.shape == (2, 128, 192)
    assert 0 <= image.min() and image.max() <= 1 and mask.min() >= 0 and 0.8 < mask.max() <= 1
    unchanged, share = shown(stretch=False, opacity=0.0)
    assert torch.allclose(unchanged, pictures) and 0 < share.max() < 1
    early, _ = shown(end=0.4)
    assert torch.allclose(early, image[:, :, :192], atol=1e-6)
    with pytest.raises(SesaHandError, match="4 steps were sampled between 0 and 1, and 5 panels"):
        shown(panels=5)
    with pytest.raises(SesaHandError, match="Got 1 pictures"):
        shown(images=pictures[:1])


def test_a_text_that_is_not_a_number_is_named_and_no_other_node_is(model):
    positive, negative = conditioning(1, HAND), conditioning(2, (7,))
    nothing = [[positive[0][0] * math.nan, positive[0][1]]]
    for prepared in (record_attention(model)[0], bias_attention(model, 2.0)):
        with pytest.raises(SesaHandError, match=r"text of a conditioning holds values that are not numbers \(NaN"):
            sample(prepared, nothing, negative, shape=(2, 4, 16, 16))


@pytest.mark.parametrize("place", ["the latent", "the noise"])
def test_a_latent_of_two_that_is_not_a_number_is_named_and_no_other_node_is(model, place):
    positive, negative = conditioning(1, HAND), conditioning(2, (7,))
    latent, noise = torch.zeros(2, 4, 16, 16), torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(7))
    (latent if place == "the latent" else noise)[1, 0, 3, 3] = math.nan
    for prepared in (record_attention(model)[0], bias_attention(record_attention(model)[0], 2.0)):
        with pytest.raises(SesaHandError, match=r"The latent that is sampled holds values that are not numbers \(NaN"):
            comfy.sample.sample(
                prepared, noise, 2, 4.0, "euler", "normal", positive, negative, latent, disable_pbar=True, seed=7
            )
