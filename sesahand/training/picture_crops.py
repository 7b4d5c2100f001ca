"""Which square of a picture a training sees: one that cuts no hand, another one each time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..files.pictures import open_picture, upright
from .ranges import check_range

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""


@dataclass(frozen=True)
class Crops:
    """Which part of a picture is seen, another one each time, and never with a hand cut.

    Attributes:
        smallest: Least side of the squares that are cut, as a part of the picture's shorter side; 0 takes the largest
            square around the middle each time, whatever it cuts.
        margin: Room around each hand, as a part of its box's longer side.
    """

    smallest: float = 0.0
    margin: float = 0.1

    def __post_init__(self):
        check_range("smallest", self.smallest, 0, 1)
        check_range("margin", self.margin, 0, 1)


@dataclass(frozen=True)
class Square:
    """A square in a picture, or around it.

    Attributes:
        left: Of its left edge, pixels; below 0 where it reaches out of the picture.
        top: Of its upper edge likewise.
        side: Its width and height, pixels.
        of: Width and height of the picture that it is in, pixels.
    """

    left: int
    top: int
    side: int
    of: tuple[int, int]

    def in_picture(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Left, top, right, bottom in another picture of the same view, pixels."""
        if (width, height) == self.of:
            return self.left, self.top, self.left + self.side, self.top + self.side
        across, down = width / self.of[0], height / self.of[1]
        left, top = round(self.left * across), round(self.top * down)
        return left, top, left + max(1, round(self.side * across)), top + max(1, round(self.side * down))


def middle_square(width: int, height: int) -> Square:
    """Return the largest square around the middle of a picture."""
    side = min(width, height)
    return Square((width - side) // 2, (height - side) // 2, side, (width, height))


def draw_square(
    width: int,
    height: int,
    boxes: Sequence[Box],
    smallest: float,
    margin: float,
    generator: np.random.Generator | None = None,
) -> Square:
    """Return a square that holds all hands whole.

    Where hands stand further apart than the picture's shorter side, it is the whole picture between black bars.

    Args:
        width: Of the picture, pixels.
        height: Likewise.
        boxes: Around the hands; they may reach out of the picture.
        smallest: Least side, as a part of the picture's shorter side.
        margin: Room around each hand that is kept where there is room for it, as a part of its box's longer side.
        generator: Draws size and place; without one it is the largest square, as near to the middle as it can be.
    """
    shorter = min(width, height)
    for room in (margin, 0.0):
        kept = _around(width, height, boxes, room)
        needed = max(kept[2] - kept[0], kept[3] - kept[1])
        if needed <= shorter:
            break
    else:
        side = max(width, height)
        return Square((width - side) // 2, (height - side) // 2, side, (width, height))
    least = min(shorter, max(needed, math.ceil(smallest * shorter), 1))
    side = shorter if generator is None else int(generator.integers(least, shorter, endpoint=True))
    left = _place(kept[0], kept[2], width, side, generator)
    return Square(left, _place(kept[1], kept[3], height, side, generator), side, (width, height))


def _around(width: int, height: int, boxes: Sequence[Box], margin: float) -> tuple[int, int, int, int]:
    """Whole pixels around what the picture has of all boxes; an empty place in its middle if that is nothing."""
    found = []
    for left, top, right, bottom in boxes:
        room = margin * max(right - left, bottom - top)
        clipped = (
            max(0, math.floor(left - room)), max(0, math.floor(top - room)),
            min(width, math.ceil(right + room)), min(height, math.ceil(bottom + room)),
        )  # fmt: skip
        if clipped[0] < clipped[2] and clipped[1] < clipped[3]:
            found.append(clipped)
    if not found:
        # Any square is as good as any other: the ends of what must be in it bind nothing.
        return width, height, 0, 0
    lefts, tops, rights, bottoms = zip(*found, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _place(start: int, end: int, length: int, side: int, generator: np.random.Generator | None) -> int:
    """Where a stretch of a line begins that lies on it and holds `start` to `end`."""
    first, last = max(0, end - side), min(start, length - side)
    if generator is None:
        return min(max((length - side) // 2, first), last)
    return int(generator.integers(first, last, endpoint=True))


def read_square(path: Path, size: int, square: Square | None = None) -> np.ndarray:
    """Read a picture's square, uint8 `[size, size, 3]`; black where it reaches out of the picture.

    Args:
        path: The picture.
        size: Width and height that the square is brought to, pixels.
        square: Which; the largest around the middle if None.
    """
    from PIL import Image

    with open_picture(path) as picture:
        picture = upright(picture)
        square = square or middle_square(*picture.size)
        box = square.in_picture(*picture.size)
        cut = picture.convert("RGB").crop(box)
    shrinks = box[2] - box[0] > size
    return np.asarray(cut.resize((size, size), Image.Resampling.LANCZOS if shrinks else Image.Resampling.BICUBIC))


def drawn_box(path: Path) -> tuple[tuple[int, int], list[Box]]:
    """Return a map's width and height, and the box around all that is drawn on it, none if nothing is."""
    with open_picture(path) as picture:
        picture = upright(picture)
        found = picture.convert("RGB").getbbox()
        return picture.size, [] if found is None else [found]
