"""A picture of a hand for Load Image: rendered, in the colour of skin, with what is painted in its alpha channel."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from sesahand.hands.gestures import gesture
from sesahand.hands.loading import load_hand_model
from sesahand.render.maps import render_maps
from sesahand.scene.camera import Camera
from sesahand.scene.placing import Hand, place_in_box

WIDTH, HEIGHT = 320, 256
HAND = (150, 50, 270, 200)
SKIN, WALL = (0.88, 0.68, 0.58), (0.35, 0.40, 0.45)


def hand_picture(painted: tuple[int, int, int, int] | None = None) -> tuple[Image.Image, np.ndarray]:
    """Return a picture of an open right hand, painted in a box for Load Image's mask, and its pixels, bool."""
    placed = place_in_box(Hand(load_hand_model("builtin"), gesture("open_palm")), Camera.from_fov(WIDTH, HEIGHT), HAND)
    maps = render_maps(placed, ("mesh", "mask"), antialias=True, forearm=True)
    picture = maps.mesh[0] * torch.tensor(SKIN) + (1 - maps.mask[0, ..., None]) * torch.tensor(WALL)
    image = Image.fromarray((255 * picture).round().byte().numpy())
    if painted is not None:
        alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
        left, top, right, bottom = painted
        alpha[top:bottom, left:right] = 0
        image.putalpha(Image.fromarray(alpha))
    return image, maps.mask[0].numpy() > 0.5


def load_picture(api: dict, folder: Path, image: Image.Image, name: str = "own.png") -> None:
    """Put a picture into a server's input folder, and choose it in a graph's Load Image."""
    image.save(folder / "input" / name)
    [node] = [node for node in api.values() if node["class_type"] == "LoadImage"]
    node["inputs"]["image"] = name
