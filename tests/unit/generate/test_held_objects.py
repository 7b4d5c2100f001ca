"""The small model's ControlNet for hands that hold something, as it is shipped."""

import json

import pytest
import torch
from safetensors import safe_open

from sesahand.evaluation.cells import Cell
from sesahand.evaluation.drawing import draw_pictures
from sesahand.evaluation.reader.network import labels_of, load_world_reader
from sesahand.evaluation.requests import Requests
from sesahand.generate.pipeline import HandGenerator
from sesahand.models.small.embedded import EMBEDDED, embedded_path, has_embedded
from sesahand.models.small.model_files import FACTS, HELD, control_path
from sesahand.world.synthetic import HELD_OUT_SEED, SyntheticHands

pytestmark = pytest.mark.skipif(not has_embedded(), reason="this checkout holds no weights of the small model")
SAMPLES = 6


def test_its_file_says_that_its_maps_show_what_hands_hold():
    with safe_open(control_path(embedded_path(), HELD), "pt") as file:
        config = json.loads(file.metadata()[FACTS])["config"]
    assert (config["held_in_map"], config["base_of"], config["control_start"]) == (True, EMBEDDED, "plain")


@torch.no_grad()
def test_what_the_map_shows_in_the_hand_is_in_the_picture():
    """The reader of the world, which has seen no picture of it, names the thing; "nothing" is one of its words."""
    source = SyntheticHands("heldout", HELD_OUT_SEED, 128)
    chosen = [k for k in range(200) if source.describe(k).attributes.held is not None][:SAMPLES]
    generator = HandGenerator.load(EMBEDDED, HELD, device="cpu")
    cell = Cell("held", steps=8, guidance=2.0)
    pictures = draw_pictures(generator, cell, Requests(source, held_in_map=True), chosen)
    read = load_world_reader(None).read(pictures).probabilities["held"].argmax(1).tolist()
    wanted = [labels_of(source.describe(k).attributes)["held"] for k in chosen]
    assert sum(found == asked for found, asked in zip(read, wanted, strict=True)) >= SAMPLES - 1
