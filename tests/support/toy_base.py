"""A base of the small model's class with random weights, and pairs of one flat colour each, for trainings on it."""

import json

import torch

from sesahand.data.record import PairFacts
from sesahand.data.writer import PairWriter
from sesahand.hands.builtin import load_builtin_hand
from sesahand.models.small.layout import MiniLayout
from sesahand.models.small.model_files import MiniModel, write_mini
from sesahand.models.small.token_embedding import ids_of
from sesahand.models.small.tokenizer import load_tokenizer
from sesahand.render.maps import render_maps
from sesahand.scene.camera import Camera
from sesahand.scene.placing import Hand, place_in_box
from sesahand.training.config import load_config

LAYOUT = MiniLayout(widths=(64, 64), text_width=64, text_layers=1, size=64, autoencoder_widths=(8, 16, 24))
SKIN, WALL = (220, 170, 130), (40, 80, 180)


def write_base(path):
    """Write a base of random weights into a file."""
    torch.manual_seed(0)
    text = LAYOUT.build_text_encoder(ids_of(load_tokenizer(), ["a hand, red green blue wall"]))
    write_mini(path, MiniModel(LAYOUT, LAYOUT.build_unet(), text, LAYOUT.build_autoencoder(), {}), torch.float32)
    return path


def write_toy_pairs(folder, count, size, score=None):
    """Write a set of pictures with a hand each, skin before a wall, at another place in each; return its folder."""
    width, height = size
    camera, model = Camera.from_fov(*size), load_builtin_hand()
    with PairWriter(folder) as writer:
        for number in range(count):
            left, top = (number * 17) % (width - 26), (number * 11) % (height - 30)
            hand = Hand(model, torch.eye(3).repeat(15, 1, 1))
            scene = place_in_box(hand, camera, (left, top, left + 26, top + 30))
            maps = render_maps(scene)
            inside = maps.mask[0][..., None] > 0
            picture = torch.where(inside, torch.tensor(SKIN), torch.tensor(WALL)).float() / 255
            facts = PairFacts(f"{folder.name} hand {number}", score=score)
            writer.add(picture, scene, facts, {"mesh": maps.mesh[0], "mask": maps.mask[0]})
    return folder


def configured(folder, base, data, **settings):
    """Return the configuration of a training of two steps; its run is in a folder of its own."""
    folder.mkdir(exist_ok=True)
    steps = {"steps": 2, "batch_size": 2, "accumulation": 1, "learning_rate": 1e-3, "average": 0.0}
    config = {
        "kind": "controlnet", "base": str(base), "out": str(folder / "run"), "precision": "no",
        "data": {"size": 64, **data}, "training": steps, "log_every": 1, "workers": 1, **settings,
    }  # fmt: skip
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return load_config(path)


def write_sdxl(folder):
    """Write a base of SDXL's classes with random weights in diffusers' folders; return its folder."""
    from diffusers import AutoencoderKL, EulerDiscreteScheduler, UNet2DConditionModel
    from random_mini import randomised
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    ends = {"bos_token_id": 49406, "eos_token_id": 49407, "pad_token_id": 49407}
    texts = [
        CLIPTextConfig(
            hidden_size=width, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, projection_dim=12,
            **ends,
        )
        for width in (16, 24)
    ]  # fmt: skip
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=8, block_out_channels=(32, 64), layers_per_block=1, norm_num_groups=8, cross_attention_dim=16 + 24,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2), attention_head_dim=(2, 4), use_linear_projection=True,
        addition_embed_type="text_time", addition_time_embed_dim=8, projection_class_embeddings_input_dim=12 + 6 * 8,
    )  # fmt: skip
    autoencoder = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 8, 8, 8), latent_channels=4, norm_num_groups=4, layers_per_block=1,
        scaling_factor=0.13025,
    )  # fmt: skip
    schedule = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    parts = {
        "unet": randomised(unet, 1),
        "text_encoder": CLIPTextModel(texts[0]),
        "text_encoder_2": CLIPTextModelWithProjection(texts[1]),
        "tokenizer": load_tokenizer(),
        "tokenizer_2": load_tokenizer(),
        "vae": autoencoder,
        "scheduler": EulerDiscreteScheduler(**schedule),
    }
    for name, part in parts.items():
        part.save_pretrained(folder / name)
    return folder
