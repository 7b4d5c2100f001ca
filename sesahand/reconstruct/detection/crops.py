"""Turned squares of a picture, cut out for a network and mapped back."""

import math
from collections.abc import Iterator, Sequence
from functools import cached_property

import torch
import torch.nn.functional as functional
from torch import Tensor

# A square is a row of four numbers: centre x and y and side in pixels, and the angle in radians by which it is turned
# clockwise in the picture. Its own coordinates (u, v) run from -0.5 to 0.5, u to its right and v down.

# The longer side of a picture, in pixels, of which crops still make something where pixels are left out.
LARGEST_ROUGH = 1024

# How many crops a network is shown at a time: of one picture, and of many.
CROPS_AT_ONCE, ROWS_AT_ONCE = 8, 16


class Picture:
    """One picture, and smaller copies of it, from which large squares are sampled without aliasing."""

    def __init__(self, pixels: Tensor):
        """Take a picture `[H, W, 3]` of 0..1."""
        self.height, self.width = pixels.shape[:2]
        self._levels = {0: pixels.permute(2, 0, 1)[None]}

    @cached_property
    def whole(self) -> Tensor:
        """The square `[4]` around all of the picture."""
        return torch.tensor([self.width / 2, self.height / 2, float(max(self.width, self.height)), 0.0])

    def pieces(self, squares: Tensor) -> Iterator[tuple[Tensor, "Picture"]]:
        """Yield squares `[K, 4]` (see `to_picture`), some at a time, and what they are cut out of."""
        return ((some, self) for some in squares.split(CROPS_AT_ONCE)) if len(squares) else iter(())

    def cut(self, squares: Tensor, size: int, outside: str, smooth: bool = True) -> Tensor:
        """Sample squares.

        Args:
            squares: `[K, 4]`: centre x and y and side in pixels, and angle in radians.
            size: Side of the result in pixels.
            outside: What is beyond the picture: "zeros" or "border".
            smooth: Average the pixels that fall on one of the crop. Without, only four of them count, of a copy of at
                most `LARGEST_ROUGH` pixels: a larger picture is to show no less than a smaller one.

        Returns:
            `[K, size, size, 3]`.
        """
        centres = (torch.arange(size) + 0.5) / size - 0.5
        v, u = torch.meshgrid(centres, centres, indexing="ij")
        points = to_picture(squares, torch.stack([u, v], -1).reshape(1, -1, 2))
        crops, rough = [], max(self.width, self.height) / LARGEST_ROUGH
        for square, part in zip(squares, points, strict=True):
            level, window = self._level(float(square[2]) / size if smooth else rough)
            span = window * torch.tensor([level.shape[3], level.shape[2]])
            grid = (2 * part / span - 1).reshape(1, size, size, 2)
            crops.append(functional.grid_sample(level, grid, "bilinear", outside, align_corners=False))
        return torch.cat([torch.zeros(0, 3, size, size), *crops]).permute(0, 2, 3, 1).contiguous()

    def _level(self, scale: float) -> tuple[Tensor, int]:
        """Return a copy that a crop of this scale takes less than two pixels of for one of its own, and its scale."""
        power = max(0, math.floor(math.log2(max(scale, 1.0))))
        window = 2**power
        if power not in self._levels:
            # Windows at the right and lower edge that are not full are averaged over what there is.
            self._levels[power] = functional.avg_pool2d(
                self._levels[0].contiguous(), window, ceil_mode=True, count_include_pad=False
            )
        return self._levels[power], window


class PictureRows:
    """Pictures of which the k-th is the one that the k-th square is cut out of."""

    def __init__(self, pictures: Sequence[Picture]):
        """Take the pictures; one can be there several times."""
        self.pictures = pictures

    def pieces(self, squares: Tensor) -> Iterator[tuple[Tensor, "PictureRows"]]:
        """Yield squares `[K, 4]` (see `to_picture`), some at a time, and what they are cut out of."""
        for first in range(0, len(squares), ROWS_AT_ONCE):
            rows = slice(first, first + ROWS_AT_ONCE)
            yield squares[rows], PictureRows(self.pictures[rows])

    def cut(self, squares: Tensor, size: int, outside: str, smooth: bool = True) -> Tensor:
        """Sample squares `[K, 4]`, `[K, size, size, 3]`; arguments as of `Picture.cut`."""
        rows = zip(self.pictures, squares[:, None], strict=True)
        crops = [picture.cut(square, size, outside, smooth) for picture, square in rows]
        return torch.cat([torch.zeros(0, size, size, 3), *crops])


def together(pictures: Sequence[Picture], counts: Sequence[int] | None = None) -> Picture | PictureRows:
    """Return what squares are cut out of, so many of each picture, one of each by default."""
    if len(pictures) == 1:
        return pictures[0]
    return PictureRows([pictures[k] for k, count in enumerate(counts or [1] * len(pictures)) for _ in range(count)])


def to_picture(squares: Tensor, points: Tensor) -> Tensor:
    """Map points of squares into the picture.

    Args:
        squares: `[K, 4]`: centre x and y and side in pixels, and angle in radians.
        points: (u, v) in each, `[K or 1, P, 2]`, in sides of the square from its centre: the unit of both is the side.

    Returns:
        Pixels `[K, P, 2]`.
    """
    return squares[:, None, :2] + squares[:, None, 2:3] * turn(points, squares[:, 3])


def to_square(squares: Tensor, points: Tensor) -> Tensor:
    """Map pixels `[K or 1, P, 2]` to the coordinates (u, v) of squares `[K, 4]`, `[K, P, 2]`; inverts `to_picture`."""
    return turn((points - squares[:, None, :2]) / squares[:, None, 2:3], -squares[:, 3])


def turn(points: Tensor, angles: Tensor) -> Tensor:
    """Turn points clockwise in a picture whose y runs down.

    Args:
        points: `[K, P, 2]`, any unit of length.
        angles: `[K]` in radians.

    Returns:
        `[K, P, 2]`.
    """
    cos, sin = angles.cos()[:, None], angles.sin()[:, None]
    x, y = points.unbind(-1)
    return torch.stack([cos * x - sin * y, sin * x + cos * y], -1)


def upright_angle(wrist: Tensor, knuckle: Tensor) -> Tensor:
    """Return by what angle a square is to be turned so that a hand points up in it.

    Args:
        wrist: `[K, 2]` pixels.
        knuckle: Root of the middle finger, `[K, 2]` pixels.

    Returns:
        Radians `[K]`, from -pi to pi.
    """
    x, y = (knuckle - wrist).unbind(-1)
    return torch.atan2(x, -y)
