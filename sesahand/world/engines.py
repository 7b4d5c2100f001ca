"""Pictures as game engines give them for training: a shaded hand that floats, without an arm or a place of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
from torch import Tensor

from ..render.maps import render_maps
from ..scene.hand_scene import HandScene

# Skins as data sets of rendered hands have them: a few, and each of one colour.
SKINS = np.array([[240, 200, 175], [215, 165, 125], [160, 110, 75], [95, 62, 45]], np.float32) / 255
AMBIENT, DIFFUSE, GLOSS, SHARPNESS = 0.3, 0.75, 0.25, 24.0
FEWEST_BOXES, MOST_BOXES = 3, 9


def flat_picture(scene: HandScene, mesh: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw hands lit from the camera before a ground of one colour.

    Args:
        scene: Of one frame.
        mesh: Its mesh map, uint8 `[S, S]`.
        rng: Draws skin and ground.

    Returns:
        uint8 `[S, S, 3]`.
    """
    shade = mesh.astype(np.float32)[..., None] / 255
    ground = rng.uniform(0, 1, 3).astype(np.float32)
    return _bytes(np.where(shade > 0, shade * draw_skin(rng), ground))


def lit_picture(scene: HandScene, mesh: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw glossy hands lit from a side before coloured boxes; as `flat_picture`, uint8 `[S, S, 3]`."""
    drawn = render_maps(scene, ("normal",), antialias=True, normal_convention="opengl")
    normal = cast(Tensor, drawn.normal)[0].numpy() * 2 - 1
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)
    cover = drawn.mask[0].numpy()[..., None]
    light = rng.normal(size=3) * (1, 1, 0.5) + (0, 0.5, 0.8)
    light /= np.linalg.norm(light)
    half = light + (0, 0, 1)
    half /= np.linalg.norm(half)
    shade = AMBIENT + DIFFUSE * (normal @ light).clip(0)[..., None]
    gloss = GLOSS * (normal @ half).clip(0)[..., None] ** SHARPNESS
    return _bytes(cover * (shade * draw_skin(rng) + gloss) + (1 - cover) * draw_boxes(rng, len(mesh)))


def draw_skin(rng: np.random.Generator) -> np.ndarray:
    """Return a skin's colour `[3]` in 0..1."""
    return SKINS[rng.integers(len(SKINS))] * rng.uniform(0.85, 1.1)


def draw_boxes(rng: np.random.Generator, size: int) -> np.ndarray:
    """Return a ground of random coloured boxes, float `[S, S, 3]` in 0..1."""
    ground = np.empty((size, size, 3), np.float32)
    ground[:] = rng.uniform(0, 1, 3)
    for _ in range(rng.integers(FEWEST_BOXES, MOST_BOXES)):
        left, top = rng.integers(0, size, 2)
        width, height = rng.integers(size // 10, size // 2, 2)
        ground[top : top + height, left : left + width] = rng.uniform(0, 1, 3)
    return ground


def _bytes(picture: np.ndarray) -> np.ndarray:
    return (picture * 255 + 0.5).clip(0, 255).astype(np.uint8)


ENGINES: dict[str, Callable[[HandScene, np.ndarray, np.random.Generator], np.ndarray]] = {
    "flat": flat_picture,
    "lit": lit_picture,
}
