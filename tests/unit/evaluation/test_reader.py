"""The reader: what it is taught is true, training is resumable to the bit, and its file says what it may publish."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from sesahand.errors import SesaHandError
from sesahand.evaluation.reader.config import ReaderConfig
from sesahand.evaluation.reader.network import (
    HEADS,
    UNNAMED,
    ReaderNetwork,
    WorldReader,
    labels_of,
    load_world_reader,
    normalized,
    publishable,
    save_world_reader,
    soft_argmax,
    split_heads,
)
from sesahand.evaluation.reader.training import (
    degrade,
    draw_batch,
    mirrored,
    peaks,
    prove,
    read_labels,
    to_pictures,
    train_reader,
)
from sesahand.world.attributes import Attributes, Thing
from sesahand.world.cache import render_samples

CONFIG = ReaderConfig(steps=6, coarse_steps=0, batch_size=8, warmup=2, checkpoint_every=3)


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return render_samples(tmp_path_factory.mktemp("train"), 16)


@pytest.fixture(scope="module")
def heldout(tmp_path_factory):
    return render_samples(tmp_path_factory.mktemp("heldout"), 6, "heldout")


class Stop(Exception):
    pass


def test_training_lowers_the_loss_and_going_on_is_exact(samples, heldout, tmp_path):
    losses = []
    config = ReaderConfig(steps=16, coarse_steps=6, batch_size=6, warmup=2, checkpoint_every=5)
    whole = train_reader(samples, heldout, tmp_path / "whole.safetensors", config, lambda step, p: losses.append(p))
    totals = [sum(parts.values()) for parts in losses]
    assert np.mean(totals[-3:]) < 0.9 * np.mean(totals[:3])

    def interrupt(step, parts):
        if step == 8:
            raise Stop

    with pytest.raises(Stop):
        train_reader(samples, heldout, tmp_path / "twice.safetensors", config, interrupt)
    twice = train_reader(samples, heldout, tmp_path / "twice.safetensors", config)
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, twice.network.state_dict()[name]), name
    with pytest.raises(SesaHandError, match="another training"):
        train_reader(samples, heldout, tmp_path / "twice.safetensors", ReaderConfig(steps=5))

    read = load_world_reader(tmp_path / "whole.safetensors")
    assert read.facts == whole.facts and prove(read, heldout) == whole.facts["results"]
    assert (tmp_path / "whole.safetensors").stat().st_size < 3_000_000


def test_a_judge_can_go_on_from_another_and_remembers_both_trainings(samples, heldout, tmp_path):
    one = ReaderConfig(steps=1, coarse_steps=0, batch_size=2, warmup=1)
    first = train_reader(samples, heldout, tmp_path / "first.safetensors", one)
    still = ReaderConfig(steps=1, coarse_steps=0, batch_size=2, warmup=1, learning_rate=0.0)
    second = train_reader(samples, heldout, tmp_path / "second.safetensors", still, start=first)
    assert len(second.facts["training"]) == 2 and second.facts["training"][0] == first.facts["training"][0]
    weights = second.network.state_dict()
    for name, value in first.network.state_dict().items():
        assert "running" in name or "tracked" in name or torch.equal(value, weights[name]), name


def test_training_leaves_the_global_generator_alone(samples, heldout, tmp_path):
    before = torch.get_rng_state()
    train_reader(samples, heldout, tmp_path / "reader.safetensors", ReaderConfig(steps=1, batch_size=2))
    assert torch.equal(before, torch.get_rng_state())


def test_the_judge_learns_from_training_samples_and_is_proven_on_others(samples, heldout, tmp_path):
    for pair in ((samples, samples), (heldout, samples)):
        with pytest.raises(SesaHandError, match="proven"):
            train_reader(*pair, tmp_path / "reader.safetensors", CONFIG)


def test_unfinished_renders_are_refused(tmp_path, heldout):
    half = render_samples(tmp_path / "half", 2, part=(0, 2))
    with pytest.raises(SesaHandError, match="draw them to the end"):
        train_reader(half, heldout, tmp_path / "reader.safetensors", CONFIG)


def test_in_the_mirror_a_right_hand_is_a_left_one():
    labels = labels_of(attributes(side="right", direction="left", light="right"))
    batch = {
        "pictures": torch.arange(4.0).expand(1, 3, 4, 4),
        "mask": torch.arange(4.0).expand(1, 4, 4),
        "keypoints": torch.tensor([[[0.5, 1.0]]]),
        "classes": {name: torch.tensor([value]) for name, value in labels.items()},
    }
    seen = mirrored(batch)
    words = {name: HEADS[name][int(value)] for name, value in seen["classes"].items()}
    assert (words["side"], words["direction"], words["light"]) == ("left", "right", "left")
    assert words["gesture"] == "fist" and words["skin"] == "tan"
    # The keypoint stays on its pixel, the first column.
    assert seen["keypoints"][0, 0].tolist() == [3.5, 1.0] and seen["mask"][0, 0].tolist() == [3, 2, 1, 0]


def attributes(**changes) -> Attributes:
    given = {
        "gesture": "fist", "side": "both", "view": "back", "direction": "up", "skin": "tan", "sleeve": "red",
        "background": "table", "background_color": "gray", "light": "above", "warmth": "soft",
        "beside": Thing("blue", "cup", "left"), "held": None,
    }  # fmt: skip
    return Attributes(**{**given, **changes})


def test_labels_are_the_words_and_free_hands_have_none():
    labels = labels_of(attributes(gesture="free"))
    assert labels["gesture"] == UNNAMED
    words = {name: HEADS[name][value] for name, value in labels.items() if value != UNNAMED}
    assert words == {
        "side": "both", "view": "back", "direction": "up", "skin": "tan", "sleeve": "red", "background": "table",
        "background_color": "gray", "light": "above", "warmth": "soft", "beside": "cup", "beside_color": "blue",
        "held": "none", "held_color": "none",
    }  # fmt: skip


def test_batches_are_what_the_samples_say(samples):
    config = ReaderConfig(batch_size=16, coarse_steps=5)
    labels = read_labels(samples)
    batch = draw_batch(samples, labels, 5, config)
    again = draw_batch(samples, labels, 5, config)
    assert torch.equal(batch["pictures"], again["pictures"])
    assert batch["pictures"].shape[-1] == 128 and draw_batch(samples, labels, 4, config)["mask"].shape[-1] == 64
    # More than there are: some come twice.
    many = replace(config, batch_size=2 * len(samples) + 1)
    assert len(draw_batch(samples, labels, 5, many)["pictures"]) == 2 * len(samples) + 1
    two = batch["classes"]["side"] == HEADS["side"].index("both")
    assert torch.equal(~two, batch["single"])
    inside = batch["keypoints"][batch["single"]].round().long().clamp(0, 127)
    # Most keypoints of a hand lie on what is seen of it, whatever mirror the batch was seen in.
    on_hand = batch["mask"][batch["single"]][torch.arange(len(inside))[:, None], inside[..., 1], inside[..., 0]]
    assert on_hand.mean() > 0.7


def test_soft_argmax_finds_a_peak():
    heat = torch.zeros(1, 2, 8, 8)
    heat[0, 0, 2, 5], heat[0, 1, 7, 0] = 100, 100
    assert torch.allclose(soft_argmax(heat), torch.tensor([[[5.5, 2.5], [0.5, 7.5]]]))


def test_peaks_are_where_the_keypoints_are():
    points = torch.tensor([[[5.5, 2.5], [0.2, 7.9]]])
    heat = peaks(points, 8).view(1, 2, 8, 8)
    assert torch.allclose(heat.sum((2, 3)), torch.ones(1, 2))
    assert heat[0, 0].argmax() == 2 * 8 + 5 and heat[0, 1].argmax() == 7 * 8


def test_the_shape_of_a_hand_is_the_same_elsewhere_and_at_another_size():
    points = torch.rand(2, 21, 2)
    assert torch.allclose(normalized(points), normalized(3 * points + 7), atol=1e-4)


def test_degraded_pictures_stay_pictures_and_are_seeded(samples):
    pictures = to_pictures(samples.pictures[:4])
    first, second = (degrade(pictures, torch.Generator().manual_seed(3), 0.3) for _ in range(2))
    assert torch.equal(first, second) and 0 <= first.min() and first.max() <= 1
    change = (first - pictures).abs().mean((1, 2, 3))
    assert (change > 0.01).all() and (change < 0.15).all()


def test_only_readings_that_pass_their_bar_are_published():
    results = {"mask_iou": 0.951, "keypoint_error": 0.019, "gesture": 0.89, "skin": 0.95, "background": 0.94}
    assert publishable(results) == {
        "mask_iou": True, "keypoint_error": True, "gesture": False, "skin": True, "background": False,
    }  # fmt: skip
    assert publishable({"keypoint_error": float("nan"), "mask_iou": float("nan")}) == {
        "keypoint_error": False,
        "mask_iou": False,
    }


def test_a_judge_that_was_not_proven_is_not_trusted():
    assert WorldReader(ReaderNetwork(), {}).trusted == {}


def test_any_size_and_number_of_pictures_can_be_read():
    reader = WorldReader(ReaderNetwork(), {})
    for count, height, width in ((0, 128, 128), (3, 64, 64), (1, 1, 1), (1, 300, 200)):
        reading = reader.read(torch.rand(count, height, width, 3))
        assert reading.mask.shape == (count, height, width) and reading.keypoints.shape == (count, 21, 2)
        assert {name: part.shape for name, part in reading.probabilities.items()} == {
            name: (count, len(words)) for name, words in HEADS.items()
        }
        assert len(reading.words("gesture")) == count


@pytest.mark.parametrize(
    "pictures", [torch.rand(2, 3, 64, 64), torch.rand(64, 64, 3), torch.full((1, 8, 8, 3), torch.nan)]
)
def test_what_is_no_picture_is_refused(pictures):
    with pytest.raises(SesaHandError):
        WorldReader(ReaderNetwork(), {}).read(pictures)


def test_heads_share_the_answer_out():
    logits = torch.arange(float(sum(map(len, HEADS.values()))))[None]
    parts = split_heads(logits)
    assert torch.equal(torch.cat(list(parts.values()), 1), logits) and list(parts) == list(HEADS)


def test_a_damaged_file_is_refused(tmp_path):
    save_world_reader(tmp_path / "reader.safetensors", ReaderNetwork(), {})
    raw = (tmp_path / "reader.safetensors").read_bytes()
    (tmp_path / "reader.safetensors").write_bytes(raw[:1000])
    for name in ("reader.safetensors", "missing.safetensors"):
        with pytest.raises(SesaHandError, match="train-judge"):
            load_world_reader(tmp_path / name)


@pytest.mark.parametrize(
    "facts",
    [None, [], {"training": None}, {"training": 1}, {"results": None}, {"results": [1]}, {"results": {"side": [1]}},
     {"results": {"side": True}}, {"results": {"mask_iou": 10**400}}],
    ids=lambda facts: str(facts)[:40],
)  # fmt: skip
def test_a_file_that_says_something_else_of_its_training_is_refused(tmp_path, facts):
    save_world_reader(tmp_path / "reader.safetensors", ReaderNetwork(), facts)
    with pytest.raises(SesaHandError, match="train-judge"):
        load_world_reader(tmp_path / "reader.safetensors")
