"""Stable Diffusion with random weights on disk, in diffusers' folders and as a small model's file."""

from pathlib import Path

import torch
from random_mini import randomised

from sesahand.fusion.settings import FusionSettings
from sesahand.models.small.layout import MiniLayout
from sesahand.models.small.model_files import MiniModel, control_path, write_controlnet, write_mini
from sesahand.models.small.token_embedding import ids_of
from sesahand.models.small.tokenizer import load_tokenizer

LAYOUT = MiniLayout(widths=(64, 64), text_width=64, text_layers=1, size=64, autoencoder_widths=(8, 16, 24))
WORDS = "a person shows a fist hand, in front of a plain red wall victory"
TEXT_WIDTH = 32


def save_mini(path: Path) -> Path:
    """Write a small model with its two ControlNets beside it, and return the path."""
    torch.manual_seed(0)
    text = LAYOUT.build_text_encoder(ids_of(load_tokenizer(), [WORDS]))
    unet, autoencoder = randomised(LAYOUT.build_unet(), 1), randomised(LAYOUT.build_autoencoder(), 2)
    write_mini(path, MiniModel(LAYOUT, unet, text, autoencoder, {}), torch.float32)
    controlnet = randomised(LAYOUT.build_controlnet(), 3)
    for control, fusion in (("plain", None), ("sf", FusionSettings(mode="paper", refine="to_32"))):
        write_controlnet(control_path(path, control), controlnet, fusion, {"kind": "mini"}, torch.float32)
    return path


def save_diffusers(folder: Path, text_width: int = TEXT_WIDTH) -> tuple[Path, Path]:
    """Write a pipeline of Stable Diffusion 1.5's shape and a ControlNet; return their folders."""
    from diffusers import AutoencoderKL, ControlNetModel, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    tokenizer = load_tokenizer()
    shape = {
        "block_out_channels": (16, 16, 32, 32),
        "cross_attention_dim": text_width,
        "attention_head_dim": 4,
        "norm_num_groups": 8,
        "layers_per_block": 1,
    }
    unet = randomised(UNet2DConditionModel(sample_size=8, **shape), 1)
    text = CLIPTextConfig(
        hidden_size=text_width,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.eos_token_id,
    )
    autoencoder = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 8, 8, 8),
        latent_channels=4,
        norm_num_groups=4,
        layers_per_block=1,
    )
    scheduler = LAYOUT.build_scheduler()
    scheduler.register_to_config(prediction_type="epsilon")
    pipeline = StableDiffusionPipeline(
        autoencoder, CLIPTextModel(text), tokenizer, unet, scheduler, None, None, requires_safety_checker=False
    )
    pipeline.save_pretrained(folder / "base")
    controlnet = ControlNetModel.from_unet(unet)
    randomised(controlnet, 3).save_pretrained(folder / "control_depth")
    return folder / "base", folder / "control_depth"
