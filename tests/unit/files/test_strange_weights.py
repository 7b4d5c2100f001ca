"""Weights of strangers: files that are none, and small ones that describe networks of any size."""

import os

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


@pytest.mark.parametrize("ids", [torch.arange(49409), torch.tensor([-1]), torch.tensor([1.5]), torch.tensor([[7]])])
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


@pytest.mark.parametrize("kind", ["unet", "unet of no shape", "text layers", "text layer without a number", "vae"])
def test_a_checkpoint_of_few_numbers_builds_no_large_networks(tmp_path, kind):
    state = unet_tensors() | text_tensors()
    state[f"{AUTOENCODER_PREFIX}encoder.conv_in.weight"] = torch.zeros(1)
    for level in range(4):
        channels = torch.zeros(1 << 20 if kind == "vae" else 32, 0)
        state[f"{AUTOENCODER_PREFIX}encoder.down.{level}.block.0.conv2.weight"] = channels
    state |= {
        "unet": widths(*(1 << 20,) * 4),
        "unet of no shape": widths(7, 9, 11, 13),
        "text layers": {f"{TEXT}encoder.layers.1000000000.x": torch.zeros(1)},
        "text layer without a number": {f"{TEXT}encoder.layers.x.x": torch.zeros(1)},
    }.get(kind, {})
    save_file(state, tmp_path / "base.safetensors")
    run_limited(READERS["base"], tmp_path / "base.safetensors", megabytes=1000, seconds=60).refused("InvalidFileError")
