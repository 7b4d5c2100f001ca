"""Walls and tables of the small world, drawn straight into arrays: soft, clean and in one colour."""

import numpy as np

from .attributes import Attributes
from .vocabulary import COLORS

# How light falls on the background: from where, as x and y in the picture (right and down), and in which tint.
LIGHT_FROM = {"left": (-0.8, -0.45), "right": (0.8, -0.45), "above": (0.0, -0.9)}
TINTS = {"warm": (1.06, 1.0, 0.9), "cool": (0.93, 1.0, 1.08), "soft": (1.0, 1.0, 1.0)}
WALL_OF_TABLE = (232, 228, 220)
PALE = 0.42


def paint_background(rng: np.random.Generator, attributes: Attributes, size: int) -> np.ndarray:
    """Return the background of a picture, `[size, size, 3]` float32 in 0..1 or a little above.

    Args:
        rng: Draws where patterns lie.
        attributes: Kind and colour, and the light.
        size: Pixels a side.
    """
    color = np.array(COLORS[attributes.background_color], np.float32) / 255
    color = np.clip(color * rng.uniform(0.95, 1.05), 0, 1).astype(np.float32)
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size
    x, y = axis[None, :], axis[:, None]
    paint = {"plain": plain, "striped": striped, "dotted": dotted, "tiled": tiled, "table": table}
    picture = paint[attributes.background](rng, color, x, y)
    across, down = LIGHT_FROM[attributes.light]
    strength = 0.1 if attributes.warmth == "soft" else 0.17
    # Brighter towards the light, and a little darker in the corners.
    glow = 1 + 2 * strength * ((x - 0.5) * across + (y - 0.5) * down)
    glow = glow - 0.14 * ((x - 0.5) ** 2 + (y - 0.5) ** 2)
    return picture * (glow[..., None] * np.array(TINTS[attributes.warmth], np.float32))


def mixed(share: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return colours between two.

    Args:
        share: Of the second, `[H, W]` in 0..1.
        first: `[3]` or `[H, W, 3]`, 0..1.
        second: Likewise.

    Returns:
        `[H, W, 3]` in 0..1.
    """
    return first + share[..., None].astype(np.float32) * (second - first)


def paler(color: np.ndarray, share: float = PALE) -> np.ndarray:
    """Return a colour `[3]` of 0..1 with a `share` of white in it, `[3]`."""
    return color + share * (1 - color)


def plain(rng: np.random.Generator, color: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Nothing but the colour.

    Args:
        rng: Nothing is drawn.
        color: `[3]` in 0..1.
        x: Columns `[1, W]` in 0..1.
        y: Rows `[H, 1]` in 0..1.

    Returns:
        `[H, W, 3]` in 0..1.
    """
    return np.broadcast_to(color, (y.size, x.size, 3))


def striped(rng: np.random.Generator, color: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Broad slanted stripes of the colour and a paler one.

    Args:
        rng: Draws where the pattern lies.
        color: `[3]` in 0..1.
        x: Columns `[1, W]` in 0..1.
        y: Rows `[H, 1]` in 0..1.

    Returns:
        `[H, W, 3]` in 0..1.
    """
    angle, period, phase = rng.uniform(-0.7, 0.7), rng.uniform(0.19, 0.25), rng.uniform(0, 1)
    along = (x * np.cos(angle) + y * np.sin(angle)) / period + phase
    return mixed(edge(np.abs(along % 1 - 0.5) - 0.25, period), color, paler(color))


def dotted(rng: np.random.Generator, color: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pale dots in staggered rows.

    Args:
        rng: Draws where the pattern lies.
        color: `[3]` in 0..1.
        x: Columns `[1, W]` in 0..1.
        y: Rows `[H, 1]` in 0..1.

    Returns:
        `[H, W, 3]` in 0..1.
    """
    period = rng.uniform(0.19, 0.24)
    row = y / period + rng.uniform(0, 1)
    column = x / period + rng.uniform(0, 1) + 0.5 * (np.floor(row) % 2)
    distance = np.hypot(column % 1 - 0.5, row % 1 - 0.5)
    return mixed(edge(0.27 - distance, period), color, paler(color, PALE + 0.12))


def tiled(rng: np.random.Generator, color: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Square tiles with pale joints.

    Args:
        rng: Draws where the pattern lies.
        color: `[3]` in 0..1.
        x: Columns `[1, W]` in 0..1.
        y: Rows `[H, 1]` in 0..1.

    Returns:
        `[H, W, 3]` in 0..1.
    """
    period = rng.uniform(0.21, 0.27)
    column, row = x / period + rng.uniform(0, 1), y / period + rng.uniform(0, 1)
    joint = np.maximum(np.abs(column % 1 - 0.5) + 0 * row, np.abs(row % 1 - 0.5) + 0 * column)
    return mixed(edge(joint - 0.43, period), color, paler(color, 0.6))


def table(rng: np.random.Generator, color: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A table in the colour in front of an off-white wall.

    Args:
        rng: Draws where the pattern lies.
        color: `[3]` in 0..1.
        x: Columns `[1, W]` in 0..1.
        y: Rows `[H, 1]` in 0..1.

    Returns:
        `[H, W, 3]` in 0..1.
    """
    horizon = rng.uniform(0.56, 0.66)
    wall = np.array(WALL_OF_TABLE, np.float32) / 255
    below = np.clip(0.5 + (y - horizon) * 50, 0, 1)
    depth = np.clip((y - horizon) / (1 - horizon), 0, 1)
    top = paler(color, 0.18) - (0.18 * depth)[..., None] * paler(color, 0.18)
    return wall + below[..., None] * (top - wall) + 0 * x[..., None]


def edge(inside: np.ndarray, period: float) -> np.ndarray:
    """Return 0 to 1 across the zero of a distance, over about a hundredth of the picture's width.

    Args:
        inside: How far within a shape each place is, in periods, of any shape.
        period: Of the pattern, as a share of the picture's width.

    Returns:
        0 to 1, of the same shape.
    """
    return np.clip(0.5 + inside * period / 0.012, 0, 1)
