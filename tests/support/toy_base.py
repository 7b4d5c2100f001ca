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
