"""What a training on a frozen base sees: crops that cut no hand, sets with shares, kept latents, what is held out."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from toy_base import LAYOUT, SKIN, configured, write_base, write_toy_pairs

from sesahand.data.pair_set import PairSet
from sesahand.data.shards import Shards, make_shards
from sesahand.errors import SesaHandError
from sesahand.hands.builtin import load_builtin_hand
from sesahand.models.checkpoints import load_base
from sesahand.models.small.model_files import read_mini_controlnet
from sesahand.training.base_data import open_data
from sesahand.training.config import Data, load_config
from sesahand.training.controlnet import train_controlnet
from sesahand.training.hand_crops import open_hands
from sesahand.training.latents import KeptLatents, name_of
from sesahand.training.picture_crops import Crops, draw_square, middle_square
from sesahand.training.reconstructor_settings import HandSource
from sesahand.training.samples import Batches, open_samples


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return write_base(tmp_path_factory.mktemp("base") / "base.safetensors")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return write_toy_pairs(tmp_path_factory.mktemp("sets") / "wide", 6, (96, 64))


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    return write_toy_pairs(tmp_path_factory.mktemp("sets") / "square", 3, (64, 64), score=0.9)


def test_no_crop_cuts_a_hand_whatever_is_drawn():
    rng = np.random.default_rng(0)
    sides, places, bars = set(), set(), 0
    for _ in range(2000):
        width, height = rng.integers(20, 120, 2)
        corners = rng.uniform(-0.1, 1.1, (rng.integers(0, 4), 2, 2)).cumsum(1).clip(-0.2, 1.2) * (width, height)
        boxes = [tuple(box.reshape(-1)) for box in corners]
        square = draw_square(int(width), int(height), boxes, 0.4, 0.1, rng)
        for left, top, right, bottom in boxes:
            left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
            if left < right and top < bottom:
                assert square.left <= left and square.top <= top
                assert square.left + square.side >= right and square.top + square.side >= bottom
        reaches = square.left < 0 or square.top < 0
        bars += reaches
        if not reaches:
            assert 0.4 * min(width, height) <= square.side <= min(width, height)
            assert square.left + square.side <= width and square.top + square.side <= height
        sides.add(square.side / min(width, height))
        places.add(square.left / width)
    assert len(sides) > 500 and len(places) > 300 and 0 < bars < 1500


def test_without_chance_the_square_is_the_middle_one_moved_to_the_hands():
    assert draw_square(100, 60, [(40, 20, 60, 40)], 0.5, 0.0) == middle_square(100, 60)
    assert draw_square(100, 60, [(5, 20, 25, 40)], 0.5, 0.0).left == 5
    # Hands too far apart for any square are seen between bars.
    assert draw_square(100, 60, [(5, 20, 25, 40), (80, 0, 99, 20)], 0.5, 0.0).side == 100


def test_picture_map_and_hand_are_cut_alike_and_anew_in_each_step(pairs):
    """Skin is of one colour, so that the picture says where the hand is."""
    samples = open_samples(pairs, 64, crops=Crops(0.5, 0.0))
    batches = Batches(samples, seed=3, per_step=6)
    seen = {step: batches.get(range(6), step) for step in (0, 1)}
    for step in seen:
        for sample, pair in zip(seen[step], PairSet(pairs), strict=True):
            skin = np.abs(sample.picture.astype(int) - SKIN).max(-1) < 60
            assert (skin == (sample.hand > 0)).mean() > 0.9
            assert ((sample.control.max(-1) > 0) == (sample.hand > 0)).mean() > 0.9
            whole = (pair.levels("mask") > 0).sum()
            assert skin.sum() > 0.9 * whole, "a hand that is whole is at least as large as in the uncut picture"
    assert any((a.picture != b.picture).any() for a, b in zip(seen[0], seen[1], strict=True))
    again = Batches(samples, seed=3, per_step=6).get(range(6), 1)
    assert all((a.picture == b.picture).all() for a, b in zip(again, seen[1], strict=True))


def test_sets_are_drawn_from_in_their_shares_and_paths_one_after_the_other(pairs, others, base, tmp_path):
    networks = load_base(base)
    config = configured(tmp_path, base, {"path": [str(pairs), str(others)], "held_out": 1})
    data = open_data(config, networks, "mesh")
    assert len(data.learnt) == data.count == 5 + 2 and len(data.held_out) == 2
    shares = {"sets": [{"path": str(pairs), "count": 3}, {"path": str(others), "share": 2.0, "minimum_score": 0.5}]}
    data = open_data(configured(tmp_path, base, shares | {"held_out": 1}), networks, "mesh")
    assert len(data.learnt) == 6 and data.count == 4 and len(data.held_out) == 2
    drawn = [data.learnt[index].captions["clean"] for index in range(6)]
    assert sum(words.startswith("square") for words in drawn) == 4
    apart = open_data(configured(tmp_path, base, {"path": str(pairs), "held_out": str(others)}), networks, "mesh")
    assert len(apart.learnt) == 6 and len(apart.held_out) == 3
    halves = open_data(configured(tmp_path, base, {"path": [str(pairs), str(others)], "held_out": 0.4}), networks, "")
    assert len(halves.learnt) == 4 + 2 and len(halves.held_out) == 2 + 1


def test_what_names_no_samples_is_refused_in_a_sentence(pairs, base, tmp_path):
    for change, message in (
        ({"path": ["a", ""]}, "give a path, or a list of paths"),
        ({"path": 3}, "expected text or a list"),
        ({"path": []}, "data.path is empty"),
        ({"path": "a", "sets": [{"path": "b"}]}, "leave one of them out"),
        ({"sets": [{"path": "b", "shar": 1}]}, "Did you mean share"),
        ({"path": "a", "held_out": 1.5}, "a share below 1"),
        ({"path": "a", "held_out": True}, "expected a whole number or a number or text or a list"),
        ({"path": "a", "held_out": ""}, "held_out is empty"),
        ({"path": "a", "measured": 0}, "measured"),
        ({"path": "a", "latents_gigabytes": -1}, "latents_gigabytes"),
    ):
        with pytest.raises(SesaHandError, match=message):
            configured(tmp_path, base, change)
    with pytest.raises(SesaHandError, match="cuts each anew"):
        configured(tmp_path, base, {"path": "a", "keep_latents": True}, crops={"smallest": 0.5})
    with pytest.raises(SesaHandError, match=r"no pair of a score of 0\.95"):
        open_samples(pairs, 64, minimum_score=0.95)
    networks = load_base(base)
    with pytest.raises(SesaHandError, match="learnt from and held out"):
        open_data(configured(tmp_path, base, {"path": str(pairs), "held_out": str(pairs)}), networks, "mesh")
    one = {"sets": [{"path": str(pairs), "count": 1}], "held_out": 0.5}
    with pytest.raises(SesaHandError, match="leaves no sample apart"):
        open_data(configured(tmp_path, base, one), networks, "mesh")
    (tmp_path / "file").touch()
    blocked = {"path": str(pairs), "keep_latents": True, "latents_folder": str(tmp_path / "file")}
    with pytest.raises(SesaHandError, match="cannot hold latents"):
        open_data(configured(tmp_path, base, blocked), networks, "mesh")
    assert Data("a").sources == (HandSource("a"),) and not Data("a").is_measured


def test_kept_latents_are_those_of_the_picture_whoever_encodes_it(pairs, base, tmp_path):
    autoencoder = load_base(base).autoencoder
    kept = KeptLatents(tmp_path, autoencoder, 1.0)
    first, again = (Batches(open_samples(pairs, 64, latents=kept), 0, 2).get([0, 1], 0) for _ in range(2))
    wanted = kept.of(first)
    assert [sample.latents is None for sample in first] == [True, True]
    levels = torch.from_numpy(first[0].picture).movedim(-1, 0).float().div(127.5).sub(1)
    scaled = autoencoder.encode(levels[None]).latent_dist.mode()[0] * autoencoder.config.scaling_factor
    assert torch.allclose(wanted[0], scaled, rtol=2e-3, atol=1e-4)
    again = Batches(open_samples(pairs, 64, latents=kept), 0, 2).get([1, 0], 0)
    assert again[0].picture.size == 0, "what is kept is not even decoded"
    assert torch.equal(kept.of(again), wanted.flip(0))


def test_kept_latents_belong_to_one_autoencoder_one_picture_and_one_size(pairs, base, tmp_path):
    autoencoder, path = load_base(base).autoencoder, PairSet(pairs)[0].path("picture")
    kept = KeptLatents(tmp_path, autoencoder, 1.0)
    other = tmp_path / "other.png"
    with Image.open(path) as picture:
        picture.putpixel((0, 0), (1, 2, 3))
        picture.save(other)
    assert len({kept.key(path, 64), kept.key(path, 128), kept.key(other, 64)}) == 3
    before = name_of(autoencoder)
    assert name_of(load_base(base, torch.bfloat16).autoencoder) != before
    next(iter(autoencoder.parameters())).data.flatten()[0] += 1e-3
    assert name_of(autoencoder) != before


def test_damaged_latents_are_made_anew_and_a_full_disk_budget_is_kept(pairs, base, tmp_path, caplog):
    autoencoder = load_base(base).autoencoder
    room = 2 * (4 * 8 * 8 * 2 + 32) / 1e9
    kept = KeptLatents(tmp_path, autoencoder, room)
    samples = open_samples(pairs, 64, latents=kept)
    draw = Batches(samples, 0, 6)
    wanted = kept.of(draw.get(range(6), 0))
    files = sorted(tmp_path.rglob("*.latent"))
    assert len(files) == 2 and "is full" in caplog.text
    assert KeptLatents(tmp_path, autoencoder, room).room == 0
    for damage in (b"", b"x", files[0].read_bytes()[:-1], files[0].read_bytes()[:-1] + b"\xff"):
        files[0].write_bytes(damage)
        assert torch.equal(kept.of(draw.get(range(6), 0)), wanted)
    (tmp_path / "elsewhere").write_bytes(b"mine")
    files[0].unlink()
    files[0].symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SesaHandError, match="is a link"):
        draw.get(range(6), 0)


@pytest.mark.skipif(os.name == "nt", reason="links need a right that users of Windows seldom have")
def test_latents_are_not_kept_behind_a_link_in_a_training_folder(pairs, base, tmp_path):
    config = configured(tmp_path, base, {"path": str(pairs), "keep_latents": True})
    (tmp_path / "home").mkdir()
    Path(config.out).mkdir(exist_ok=True)
    (Path(config.out) / "latents").symlink_to(tmp_path / "home")
    with pytest.raises(SesaHandError, match="is a link"):
        open_data(config, load_base(base), "mesh")
    assert not [*(tmp_path / "home").iterdir()]


def test_a_training_with_kept_latents_is_the_same_the_second_time(pairs, base, tmp_path):
    pytest.importorskip("accelerate")
    values = {"path": str(pairs), "held_out": 0, "keep_latents": True, "latents_folder": str(tmp_path / "shared")}
    weights = []
    for name in ("first", "second"):
        config = configured(tmp_path / name, base, values, validate_every=0)
        _, path = train_controlnet(config)
        weights.append(read_mini_controlnet(path, LAYOUT)[0].state_dict())
        assert len([*(tmp_path / "shared").rglob("*.latent")]) == 4, "two steps of two"
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    assert str(tmp_path).encode() not in path.read_bytes()


def test_the_held_out_loss_is_of_fixed_noise_and_the_best_weights_are_kept(pairs, others, base, tmp_path):
    pytest.importorskip("accelerate")
    steps = {"steps": 4, "batch_size": 2, "accumulation": 1, "learning_rate": 1e-3, "warmup": 1, "average": 0.0}
    settings = {"training": steps, "validate_every": 2, "checkpoint_every": 3, "validation_steps": 1}
    values = {"path": str(pairs), "held_out": str(others)}
    config, entries = configured(tmp_path, base, values, **settings), []
    assert train_controlnet(config, report=entries.append)[0].finished
    log = [json.loads(line) for line in (tmp_path / "run" / "held_out.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in log] == [2, 4] and log[0]["best"] is True
    assert [entry["held-out loss"] for entry in entries if "held-out loss" in entry] == [each["loss"] for each in log]
    assert log[0]["loss"] == pytest.approx(np.mean([log[0][f"loss from {time}"] for time in (125, 375, 625, 875)]))
    best = tmp_path / "run" / "controlnet_best.safetensors"
    facts = json.loads(read_facts(best))
    assert facts["held_out"]["loss"] == min(entry["loss"] for entry in log)
    # Gone on from the checkpoint of step 3, the entry of step 4 is made again, and is the same.
    whole = (tmp_path / "run" / "held_out.jsonl").read_bytes()
    last = max((tmp_path / "run").glob("checkpoint-*"))
    for path in last.iterdir():
        path.unlink()
    last.rmdir()
    assert train_controlnet(config)[0].finished
    assert (tmp_path / "run" / "held_out.jsonl").read_bytes() == whole
    # The held-out loss takes nothing from the training.
    plain = configured(tmp_path / "plain", base, {**values, "held_out": 0}, **settings)
    _, path = train_controlnet(plain)
    other = tmp_path / "run" / "controlnet.safetensors"
    one, two = (read_mini_controlnet(each, LAYOUT)[0].state_dict() for each in (path, other))
    assert all(torch.equal(value, two[name]) for name, value in one.items())


def read_facts(path):
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        return file.metadata()["sesahand.training"]


def test_older_configurations_say_what_they_said(base, tmp_path):
    config = configured(tmp_path, base, {"path": "pairs"})
    assert replace(config, data=Data("pairs", size=64)) == config
    assert load_config("mini").base.optimizer == "adamw"


def test_a_planned_set_is_learnt_from_as_one(tmp_path):
    shards = make_shards(Shards(tmp_path / "planned", count=5, size=3, plan={}))
    for shard, count in ((0, 3), (1, 2)):
        write_toy_pairs(shards.path(shard), count, (64, 64))
    samples = open_samples(tmp_path / "planned", 64)
    assert [samples[index].captions["clean"] for index in (0, 4)] == ["shard_00000 hand 0", "shard_00001 hand 1"]
    assert len(samples) == 5 == len(open_hands(HandSource(str(tmp_path / "planned")), load_builtin_hand(), 32))
