"""Triangles that are counted while they are read from a mesh file."""

from collections.abc import Sequence

import numpy as np

from ..errors import InvalidFileError, quote

MAX_VERTICES, MAX_FACES = 600_000, 200_000
"""Of a file. An STL has three vertices a face."""
MAX_CORNERS = 4096
"""Of a face."""
# No number of a mesh is written with more letters.
_LONGEST_NUMBER = 64


def check_counts(vertices: int, faces: int) -> None:
    """Raise an error if there are more vertices or faces than are read."""
    if vertices > MAX_VERTICES or faces > MAX_FACES:
        raise InvalidFileError(
            f"it has {vertices} vertices and {faces} faces or more, which is above the {MAX_VERTICES} and {MAX_FACES} "
            "that are read: simplify the mesh in the program that made it."
        )


def number(word: bytes) -> float:
    """Return the number that a word of a text stands for.

    Raises:
        InvalidFileError: If it stands for none.
    """
    try:
        if len(word) <= _LONGEST_NUMBER:
            return float(word)
    except ValueError:
        pass
    raise InvalidFileError(f"it has {quote(word.decode('latin1'))} in the place of a number; save it again.")


def places(found: Sequence[Sequence[float]]) -> np.ndarray:
    """Return vertices `[V, 3]`, float64, of their numbers, any unit.

    Raises:
        InvalidFileError: If one has not three.
    """
    if any(len(place) != 3 for place in found):
        raise InvalidFileError("it has a vertex of fewer than three numbers; save it again.")
    return np.array(found, np.float64).reshape(-1, 3)


class Polygons:
    """Faces of any number of corners, kept as the triangles around their first one."""

    def __init__(self):
        self._faces: list[tuple[int, int, int]] = []
        self._count = 0

    def add(self, corners: Sequence[int]) -> None:
        """Add a face of these vertex ids.

        Raises:
            InvalidFileError: If it has more corners than `MAX_CORNERS`, or there are too many by now.
        """
        # What has less than three corners shows nothing, and is counted as well.
        self._count += max(1, len(corners) - 2)
        check_counts(0, self._count)
        if len(corners) > MAX_CORNERS:
            raise InvalidFileError(f"it has a face of more than {MAX_CORNERS} corners; divide it into triangles.")
        first = corners[0] if corners else 0
        self._faces += [(first, second, third) for second, third in zip(corners[1:], corners[2:], strict=False)]

    def triangles(self) -> np.ndarray:
        """Return vertex ids `[T, 3]`, int64."""
        return np.array(self._faces, np.int64).reshape(-1, 3)
