"""Weights of strangers: files that are none, and small ones that describe networks of any size."""

import json
import os
from dataclasses import asdict

import pytest
import torch
from diffusers import UNet2DConditionModel
from hostile import run_limited
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

from sesahand.errors import InvalidFileError
from sesahand.files.model_configs import check_configurations
from sesahand.models.ldm_names import to_ldm
from sesahand.models.small.layout import MiniLayout
from sesahand.models.small.model_files import (
    AUTOENCODER_PREFIX,
    FACTS,
    LAYOUT,
    TEXT_PREFIX,
    TOKEN_IDS,
    TOKEN_TABLE,
    UNET_PREFIX,
    read_mini_state,
)
from sesahand.reconstruct.learned.checkpoints import load_network
from sesahand.reconstruct.learned.regressor import HandRegressor, RegressorSettings

READERS = {
    "small": "sesahand.models.small.model_files:read_mini",
    "base": "sesahand.models.checkpoints:load_base",
    "controlnet": "sesahand.models.controlnet_files:read_controlnet_weights",
    "network": "sesahand.reconstruct.learned.checkpoints:load_network",
    "state": "sesahand.training.checkpoint_state:read_state",
    "reader": "sesahand.evaluation.reader.network:load_world_reader",
}
needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")


@needs_pipes
@pytest.mark.parametrize("reader", READERS)
def test_a_pipe_in_the_place_of_weights_is_not_waited_for(tmp_path, reader):
    os.mkfifo(tmp_path / "weights.safetensors")
    message = run_limited(READERS[reader], tmp_path / "weights.safetensors", seconds=30).refused()
    assert "pipe" in message or "There is no file" in message


@needs_pipes
@pytest.mark.parametrize("name", ["tokenizer.json", "model.safetensors", "merges.txt"])
def test_a_pipe_in_a_folder_that_another_library_reads_is_refused(tmp_path, name):
    (tmp_path / "config.json").write_text("{}")
    check_configurations(tmp_path)
    os.mkfifo(tmp_path / name)
    with pytest.raises(InvalidFileError, match=f"{name} is neither a file nor a folder"):
        check_configurations(tmp_path)


def numbers_of(module) -> int:
    return sum(value.numel() for value in module.state_dict().values())


def test_a_text_encoder_is_not_built_by_what_a_small_file_says_of_it(tmp_path):
    layout = MiniLayout(
        (64, 64), 1, text_width=4096, text_layers=48, text_heads=1, autoencoder_widths=(8, 8, 8), size=16
    )
    with torch.device("meta"):
        unet, autoencoder = numbers_of(layout.build_unet()), numbers_of(layout.build_autoencoder())
    state = {f"{TEXT_PREFIX}encoder.layers.{number}": torch.zeros(1, dtype=torch.uint8) for number in range(48)}
    state |= {
        f"{UNET_PREFIX}x": torch.zeros(unet, dtype=torch.uint8),
        f"{AUTOENCODER_PREFIX}x": torch.zeros(autoencoder, dtype=torch.uint8),
        TEXT_PREFIX + TOKEN_TABLE: torch.zeros(1, 4096, dtype=torch.uint8),
        TOKEN_IDS: torch.arange(49408, dtype=torch.int32),
    }
    path = tmp_path / "model.safetensors"
    save_file(state, path, {LAYOUT: layout.to_json(), FACTS: "{}"})
    run_limited(READERS["small"], path, megabytes=1000, seconds=100).refused("InvalidFileError")


@pytest.mark.parametrize(
    "ids", [torch.arange(49409), torch.tensor([-1]), torch.tensor([1.5]), torch.tensor([1j]), torch.tensor([[7]])]
)
def test_token_ids_that_are_none_are_refused(tmp_path, ids):
    state = {TOKEN_IDS: ids, TEXT_PREFIX + TOKEN_TABLE: torch.zeros(1, 128)}
    save_file(state, tmp_path / "model.safetensors", {LAYOUT: MiniLayout().to_json()})
    with pytest.raises(InvalidFileError, match=r"model\.safetensors"):
        read_mini_state(tmp_path / "model.safetensors")


WIDTH = 64
TEXT = "cond_stage_model.transformer.text_model."


def unet_tensors() -> dict[str, torch.Tensor]:
    unet = UNet2DConditionModel(
        block_out_channels=(32,) * 4, attention_head_dim=8, cross_attention_dim=WIDTH, sample_size=64
    )
    return {UNET_PREFIX + name: value.half() for name, value in to_ldm(unet.state_dict()).items()}


def text_tensors() -> dict[str, torch.Tensor]:
    encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=49408,
            hidden_size=WIDTH,
            intermediate_size=4 * WIDTH,
            num_hidden_layers=1,
            num_attention_heads=1,
            projection_dim=WIDTH,
        )
    )
    return {TEXT + name.removeprefix("text_model."): value.half() for name, value in encoder.state_dict().items()}


def widths(*sizes) -> dict[str, torch.Tensor]:
    """What says how wide a U-Net is, without any numbers."""
    return {
        f"{UNET_PREFIX}input_blocks.{index}.0.out_layers.3.weight": torch.zeros(size, 0)
        for index, size in zip((2, 5, 8, 11), sizes, strict=True)
    }


@pytest.mark.parametrize(
    "kind",
    ["unet", "unet of no shape", "unet of a number", "text layers", "text layer without a number",
     "text layers of names", "vae"],
)  # fmt: skip
def test_a_checkpoint_of_few_numbers_builds_no_large_networks(tmp_path, kind):
    state = unet_tensors() | text_tensors()
    state[f"{AUTOENCODER_PREFIX}encoder.conv_in.weight"] = torch.zeros(1)
    for level in range(4):
        channels = torch.zeros(1 << 20 if kind == "vae" else 32, 0)
        state[f"{AUTOENCODER_PREFIX}encoder.down.{level}.block.0.conv2.weight"] = channels
    state |= {
        "unet": widths(*(1 << 20,) * 4),
        "unet of no shape": widths(7, 9, 11, 13),
        "unet of a number": {f"{UNET_PREFIX}input_blocks.2.0.out_layers.3.weight": torch.tensor(1.0)},
        "text layers of names": {f"{TEXT}encoder.layers.{number}.x": torch.zeros(0) for number in range(40_000)},
        "text layers": {f"{TEXT}encoder.layers.1000000000.x": torch.zeros(1)},
        "text layer without a number": {f"{TEXT}encoder.layers.x.x": torch.zeros(1)},
    }.get(kind, {})
    save_file(state, tmp_path / "base.safetensors")
    ended = run_limited(READERS["base"], tmp_path / "base.safetensors", megabytes=1000, seconds=60)
    assert ("names 40000 layers" in ended.refused("InvalidFileError")) == (kind == "text layers of names")


def swin(window: int, layers: int = 1) -> RegressorSettings:
    """A network that makes tables of the fourth power of its windows' width, which no file holds."""
    vision = {"model_type": "swinv2", "image_size": 8 * window, "patch_size": 4, "embed_dim": 16, "depths": [layers],
              "num_heads": [1], "window_size": window}  # fmt: skip
    return RegressorSettings("sesahand-cc0", vision=vision, backbone="vision", widths=(32,), hidden=16)


@pytest.mark.parametrize(("window", "layers"), [(300, 1), (60, 3)])
def test_tables_that_a_network_makes_itself_are_counted_before_they_are_made(tmp_path, window, layers):
    state = HandRegressor(swin(4, layers)).state_dict()
    for wide in (4, window):
        header = {"sesahand.reconstructor": json.dumps(asdict(swin(wide, layers)))}
        save_file(state, tmp_path / f"{wide}.safetensors", header)
    assert load_network(tmp_path / "4.safetensors").settings == swin(4, layers)
    ended = run_limited(READERS["network"], tmp_path / f"{window}.safetensors", megabytes=900)
    assert "bytes beside them" in ended.refused("InvalidFileError")


VISION = {
    "patches of nothing": {"model_type": "vit", "patch_size": 0},
    "no heads": {"model_type": "vit", "num_attention_heads": 0},
    "a width in letters": {"model_type": "vit", "hidden_size": "x"},
    "no stages": {"model_type": "convnext", "hidden_sizes": []},
    "heads of one stage": {"model_type": "swin", "depths": [1, 1, 1], "num_heads": [1]},
    "a wide multiplier": {"model_type": "mobilenet_v2", "depth_multiplier": 1e300},
    "a deep coefficient": {"model_type": "efficientnet", "depth_coefficient": 3000.0},
    "many repeats": {"model_type": "efficientnet", "num_block_repeats": [50] * 7},
    "stages that are many together": {"model_type": "convnext", "depths": [900] * 4},
    "channels of nothing": {"model_type": "mobilenet_v2", "depth_divisible_by": 0},
}


@pytest.mark.parametrize("kind", VISION)
def test_settings_that_make_no_vision_network_are_refused_in_a_sentence(tmp_path, kind):
    settings = {"hand_model": "sesahand-cc0", "size": 64, "backbone": "vision", "widths": [32], "vision": VISION[kind]}
    path = tmp_path / "net.safetensors"
    save_file({"a": torch.zeros(1)}, path, {"sesahand.reconstructor": json.dumps(settings)})
    run_limited(READERS["network"], path, megabytes=2000, seconds=60).refused("InvalidFileError")


def test_a_network_whose_positions_are_made_one_by_one_is_not_built(tmp_path):
    """Of a configuration of some bytes, transformers makes lists of these before there is a tensor to count."""
    save_file({"a": torch.zeros(1)}, tmp_path / "model.safetensors", {"format": "pt"})
    distilbert = {"model_type": "distilbert", "sinusoidal_pos_embds": True, "max_position_embeddings": 10**6}
    for described in ({"model_type": "videomae", "image_size": 16000}, distilbert):
        (tmp_path / "config.json").write_text(json.dumps(described))
        run_limited(
            "sesahand.models.vision_networks:load_vision_network", tmp_path, megabytes=2000, seconds=40
        ).refused()
