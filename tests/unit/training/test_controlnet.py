"""A ControlNet's training on a frozen base, from AttentionHand's kind of files to the exported file."""

import importlib.util
import json
from dataclasses import replace

import pytest
import torch
from PIL import Image
from toy_samples import ToySamples

from sesahand.cli import main
from sesahand.data.formats import export_pairs
from sesahand.data.pair_set import PairSet
from sesahand.data.record import PairFacts
from sesahand.data.writer import PairWriter
from sesahand.errors import InvalidFileError, SesaHandError
from sesahand.fusion.settings import FusionSettings
from sesahand.hands.builtin import load_builtin_hand
from sesahand.models.checkpoints import load_base
from sesahand.models.controlnet_files import read_controlnet_weights
from sesahand.models.small.layout import MiniLayout
from sesahand.models.small.model_files import MiniModel, read_mini_controlnet, write_mini
from sesahand.models.small.token_embedding import ids_of
from sesahand.models.small.tokenizer import load_tokenizer
from sesahand.render.maps import render_maps
from sesahand.scene.camera import Camera
from sesahand.scene.hand_scene import HandScene
from sesahand.scene.placing import Hand, place_in_box
from sesahand.training.config import load_config
from sesahand.training.controlnet import train_controlnet
from sesahand.training.samples import TrainingSample, _first_line, open_samples

LAYOUT = MiniLayout(widths=(64, 64), text_width=64, text_layers=1, size=64, autoencoder_widths=(8, 16, 24))
COUNT = 10


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Pictures, maps and texts as AttentionHand lays them out, some of them not square."""
    folder = tmp_path_factory.mktemp("pairs")
    toys, lines = ToySamples(TrainingSample, COUNT, 64), []
    for kind in ("rgb", "mesh", "text"):
        (folder / kind).mkdir()
    for index in range(COUNT):
        sample = toys[index]
        picture, control = Image.fromarray(sample.picture), Image.fromarray(sample.control)
        if index % 2:
            picture, control = (image.resize((96, 64)) for image in (picture, control))
        picture.save(folder / "rgb" / f"{index}.png")
        control.save(folder / "mesh" / f"{index}.png")
        (folder / "text" / f"{index}.txt").write_text(f"{sample.captions['clean']}\nmore\n")
        # Both ways of naming a file.
        place = "" if index % 3 else "rgb/"
        lines.append(json.dumps({"rgb": f"{place}{index}.png", "mesh": f"{index}.png", "text": f"{index}.txt"}))
    (folder / "modalities.json").write_text("\n".join(lines) + "\n\n")
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    torch.manual_seed(0)
    text = LAYOUT.build_text_encoder(ids_of(load_tokenizer(), ["a hand, red green blue wall"]))
    model = MiniModel(LAYOUT, LAYOUT.build_unet(), text, LAYOUT.build_autoencoder(), {})
    path = tmp_path_factory.mktemp("base") / "base.safetensors"
    write_mini(path, model, torch.float32)
    return path


def test_a_controlnet_is_trained_exported_and_marked(pairs, base, tmp_path, capsys):
    pytest.importorskip("accelerate")
    has_tensorboard = importlib.util.find_spec("tensorboard") is not None
    steps = {"steps": 40, "batch_size": 4, "accumulation": 1, "learning_rate": 2e-3, "warmup": 2, "average": 0.9}
    config = {
        "kind": "controlnet",
        "base": str(base),
        "precision": "no",
        "data": {"path": str(pairs), "size": 64, "held_out": 2},
        "fusion": {"refine": "coarsest"},
        "noise": {"min_snr": 5.0},
        "training": steps,
        "log_every": 5,
        "validate_every": 40,
        "validation_steps": 2,
        "workers": 2,
        "tensorboard": has_tensorboard,
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    arguments = ["train", "--config", str(path), "--out", str(tmp_path / "run")]
    assert main([*arguments, "--minutes", "0.0001"]) == 3
    assert main(arguments) == 0
    exported = tmp_path / "run" / "controlnet.safetensors"
    assert capsys.readouterr().out.splitlines()[-1] == str(exported)
    losses = [json.loads(line)["loss"] for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert len(losses) == 8 and sum(losses[-3:]) < 0.7 * sum(losses[:3])
    assert has_tensorboard == any((tmp_path / "run").glob("tensorboard/events*"))
    weights = read_controlnet_weights(exported)
    assert weights.settings == FusionSettings(mode="paper", refine="coarsest") and weights.layout == "ldm"
    controlnet, _ = read_mini_controlnet(exported, LAYOUT)
    assert controlnet.controlnet_mid_block.weight.abs().max() > 0
    with Image.open(tmp_path / "run" / "pictures" / "00000040.png") as sheet:
        assert sheet.size == (2 * 68, 3 * 68)
    # The file says how it was made, and nothing of where.
    assert str(tmp_path).encode() not in exported.read_bytes() and b"base.safetensors" in exported.read_bytes()


def test_a_half_precision_base_with_checkpointing_is_trained_on(pairs, base, tmp_path):
    pytest.importorskip("accelerate")
    config = load_config(
        write_config(tmp_path, base, pairs),
        ["precision=bf16", "frozen_dtype=bfloat16", "gradient_checkpointing=true", "fusion.recompute=true"],
    )
    entries = []
    outcome, path = train_controlnet(config, report=entries.append)
    assert outcome.finished and path.exists() and entries[-1]["loss"] > 0
    # Trained weights stay in float32 until they are exported.
    again, _ = train_controlnet(replace(config, start=str(path), out=str(tmp_path / "more")))
    assert again.finished


def test_a_gate_is_learnt_resumed_and_written_into_the_file(pairs, base, tmp_path):
    pytest.importorskip("accelerate")
    changes = ["fusion.mode=gated", "training.steps=6", "training.learning_rate=0.003", "precision=no"]
    config = load_config(write_config(tmp_path, base, pairs), [*changes, "validate_every=0"])
    _, path = train_controlnet(replace(config, out=str(tmp_path / "whole")))
    whole = read_controlnet_weights(path).settings
    assert whole.mode == "gated" and whole.gate != 0 and not whole.is_off
    stops = iter([False, False, True])
    assert not train_controlnet(config, stop=lambda: next(stops))[0].finished
    _, path = train_controlnet(config)
    assert read_controlnet_weights(path).settings == whole, "as if it had not been stopped"


def write_config(folder, base, pairs):
    """Two steps that draw validation pictures."""
    path = folder / "config.json"
    steps = {"steps": 2, "batch_size": 2, "accumulation": 1, "learning_rate": 1e-3}
    config = {
        "kind": "controlnet",
        "base": str(base),
        "out": str(folder / "run"),
        "data": {"path": str(pairs), "size": 64, "held_out": 1},
        "training": steps,
        "log_every": 1,
        "validate_every": 2,
        "validation_steps": 2,
    }
    path.write_text(json.dumps(config))
    return path


def test_the_small_model_is_a_base(base):
    networks = load_base(base)
    assert networks.scheduler.config.prediction_type == "v_prediction"
    assert not any(parameter.requires_grad for parameter in networks.unet.parameters())


def test_rows_are_read_as_they_are_listed(pairs):
    samples, toys = open_samples(pairs / "modalities.json", 64), ToySamples(TrainingSample, COUNT, 64)
    assert len(samples) == len(open_samples(pairs, 64)) == COUNT
    for index in (0, 2):
        assert (samples[index].picture == toys[index].picture).all()
        assert (samples[index].control[..., 0] == toys[index].control).all()
        assert (samples[index].hand == toys[index].hand).all()
        assert samples[index].captions == {"clean": toys[index].captions["clean"]}
    assert samples[1].picture.shape == (64, 64, 3)


def test_pairs_and_their_export_to_attentionhand_are_the_same_samples(tmp_path):
    camera = Camera.from_fov(64, 64)
    scene = place_in_box(Hand(load_builtin_hand(), torch.eye(3).repeat(15, 1, 1)), camera, (8, 8, 56, 56))
    maps = render_maps(scene)
    picture = torch.rand(64, 64, 3, generator=torch.Generator().manual_seed(1)).mul(255).round() / 255
    with PairWriter(tmp_path / "set") as writer:
        writer.add(picture, scene, PairFacts("a hand, red wall"), {"mesh": maps.mesh[0], "mask": maps.mask[0]})
        writer.add(
            picture,
            HandScene.empty(scene.model, camera),
            PairFacts("none", caption="No hand."),
            {"mesh": maps.mesh[0] * 0},
        )
    pairs = open_samples(tmp_path / "set", 64)
    assert len(pairs) == 2 and pairs[0].captions == {"clean": "a hand, red wall"}
    assert pairs[1].captions == {"clean": "none", "verbose": "No hand."}
    assert (pairs[0].picture == picture.mul(255).byte().numpy()).all()
    assert (pairs[0].hand > 0).mean() == pytest.approx(float((maps.mask[0] > 0).float().mean()))
    assert not pairs[1].hand.any()
    export_pairs(PairSet(tmp_path / "set"), "attentionhand", tmp_path / "out")
    (exported,) = open_samples(tmp_path / "out", 64)
    assert exported.captions == pairs[0].captions
    assert abs(exported.control.astype(int) - pairs[0].control).mean() < 4
    with pytest.raises(SesaHandError, match="depth"):
        open_samples(tmp_path / "set", 64, "depth")[0]


@pytest.mark.parametrize(
    "line",
    [
        "[]", "{", "3", '{"rgb": "0.png"}', '{"rgb": 1, "mesh": "0.png", "text": "0.txt"}',
        '{"rgb": "gone.png", "mesh": "0.png", "text": "0.txt"}',
        '{"rgb": "0.png", "mesh": "0.png", "text": "../../secret.txt"}',
        '{"rgb": "0.png", "mesh": "0.png", "text": "/etc/hostname"}',
        '{"rgb": "\\u0000", "mesh": "0.png", "text": "a"}',
    ],
)  # fmt: skip
def test_damaged_lists_are_refused_with_their_line(pairs, line):
    (pairs.parent.parent / "secret.txt").write_text("mine")
    listing = pairs / "damaged.json"
    listing.write_text('{"rgb": "0.png", "mesh": "0.png", "text": "0.txt"}\n' + line)
    with pytest.raises(InvalidFileError, match="line 2"):
        open_samples(listing, 64)
    listing.write_text("")
    with pytest.raises(InvalidFileError, match="lists no samples"):
        open_samples(listing, 64)


def test_a_damaged_picture_is_refused_by_its_name(pairs):
    (pairs / "rgb" / "broken.png").write_bytes(b"\x89PNG\r\n")
    listing = pairs / "broken.json"
    listing.write_text('{"rgb": "broken.png", "mesh": "0.png", "text": "0.txt"}')
    with pytest.raises(InvalidFileError, match=r"broken\.png"):
        open_samples(listing, 64)[0]


@pytest.mark.parametrize("what", ["folder", "noise", "weights", "nothing"])
def test_what_is_no_base_is_refused(tmp_path, what):
    from safetensors.torch import save_file

    path = tmp_path if what == "folder" else tmp_path / "base.safetensors"
    if what == "noise":
        path.write_bytes(b"noise")
    if what == "weights":
        save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(SesaHandError, match="diffusers folder|no Stable Diffusion checkpoint"):
        load_base(path)


def test_a_base_saved_by_diffusers_is_read(base, tmp_path):
    """Its parts are written by their own libraries, and the noise it predicts stays the same."""
    from diffusers import AutoencoderKL, DDIMScheduler
    from transformers import CLIPTextConfig, CLIPTextModel

    networks = load_base(base)
    text = CLIPTextConfig(hidden_size=64, intermediate_size=64, num_hidden_layers=1, num_attention_heads=1)
    parts = {
        "unet": networks.unet,
        "text_encoder": CLIPTextModel(text),
        "vae": AutoencoderKL(block_out_channels=(32,), norm_num_groups=8),
        "tokenizer": networks.tokenizer,
        "scheduler": DDIMScheduler(prediction_type="epsilon"),
    }
    for name, part in parts.items():
        part.save_pretrained(tmp_path / name)
    again = load_base(tmp_path)
    assert again.scheduler.config.prediction_type == "epsilon"
    assert again.tokenizer("a fist").input_ids == networks.tokenizer("a fist").input_ids
    for name, value in networks.unet.state_dict().items():
        assert torch.equal(again.unet.state_dict()[name], value)


def test_the_mark_that_some_editors_put_before_a_text_is_no_part_of_a_caption(tmp_path):
    for mark in (b"", b"\xef\xbb\xbf"):
        (tmp_path / "caption.txt").write_bytes(mark + "a hand, ça va\nmore".encode())
        assert _first_line(tmp_path / "caption.txt") == "a hand, ça va"
