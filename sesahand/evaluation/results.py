"""What was read in the pictures of a cell, kept in a file so that an interrupted measurement goes on."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InvalidFileError, SesaHandError
from ..files.arrays import read_npz
from ..files.reading import parse_json
from ..files.writing import write_bytes

DONE, FEATURES, ABOUT, SECONDS = "done", "features", "about", "seconds"
COLUMN = "column_"
LIMIT = 1 << 30


class CellResults:
    """Figures of N samples with S noises each.

    Args:
        about: What the figures depend on; a file of something else is refused.
        count: N.
        turns: S.
        path: Where they are kept; None keeps them in memory.

    Raises:
        SesaHandError: If the file holds figures of other weights, settings or readers.
        InvalidFileError: If it is damaged.
    """

    def __init__(self, about: dict, count: int, turns: int, path: Path | None = None):
        self.about, self.path = json.loads(json.dumps(about)), path
        self._asked = slice(0, count), slice(0, turns)
        self._done = np.zeros((count, turns), bool)
        self._columns: dict[str, np.ndarray] = {}
        self._features: np.ndarray | None = None
        self.seconds = 0.0
        if path is not None and path.exists():
            self._load(path)

    @property
    def done(self) -> np.ndarray:
        """Which pictures have been read, bool `[N, S]`."""
        return self._done[self._asked]

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """The figures of each column, float32 `[N, S]`."""
        return {name: values[self._asked] for name, values in self._columns.items()}

    @property
    def features(self) -> np.ndarray | None:
        """Features `[N, S, D]`, float32, if a reader gave any."""
        return None if self._features is None else self._features[self._asked]

    @property
    def seconds_each(self) -> float:
        """Time that a picture took, of all that were ever drawn for the file."""
        return self.seconds / max(1, int(self._done.sum()))

    def first(self, count: int, turns: int) -> CellResults:
        """The figures of the first samples and noises alone, in memory, as far as there are any."""
        part = CellResults(self.about, min(count, self.done.shape[0]), min(turns, self.done.shape[1]))
        part._done, part._columns, part._features = self._done, self._columns, self._features
        part.seconds = self.seconds
        return part

    def missing(self, batch_size: int) -> list[tuple[int, list[int]]]:
        """What has not been read yet: (turn, samples) of at most `batch_size`, all samples of a turn first."""
        batches = []
        for turn in range(self.done.shape[1]):
            rows = np.flatnonzero(~self.done[:, turn]).tolist()
            batches += [(turn, rows[start : start + batch_size]) for start in range(0, len(rows), batch_size)]
        return batches

    def add(
        self, turn: int, indices: Sequence[int], columns: dict[str, np.ndarray], features: np.ndarray | None
    ) -> None:
        """Take the figures of some samples in one turn.

        Args:
            turn: Which of the turns.
            indices: The K samples.
            columns: Figures by name, each `[K]`, NaN where there is none.
            features: `[K, D]`, or None if the pictures are not described.
        """
        for name, values in columns.items():
            self._columns.setdefault(name, np.full(self._done.shape, np.nan, np.float32))[indices, turn] = values
        if features is not None:
            if self._features is None:
                self._features = np.full((*self._done.shape, features.shape[-1]), np.nan, np.float32)
            self._features[indices, turn] = features
        self._done[indices, turn] = True

    def save(self) -> None:
        """Write the file, whole or not at all."""
        if self.path is None:
            return
        # To numpy's types a name could also be that of savez's own option.
        arrays: dict[str, Any] = {COLUMN + name: values for name, values in self._columns.items()}
        if self._features is not None:
            arrays[FEATURES] = self._features
        arrays |= {DONE: self._done, SECONDS: np.float64(self.seconds), ABOUT: np.array(json.dumps(self.about))}
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(self.path, buffer.getvalue(), LIMIT)

    def _load(self, path: Path) -> None:
        try:
            arrays = {name: np.array(values) for name, values in read_npz(path, LIMIT).items()}
            about = parse_json(str(arrays[ABOUT]), f"{path}: {ABOUT}")
            if about != self.about:
                raise SesaHandError(
                    f"{path} holds figures of something else ({differing(about, self.about)}). Choose another folder "
                    "with --out, or remove the file."
                )
            # What a longer run has drawn is not lost by a shorter one.
            shape = tuple(max(a, b) for a, b in zip(arrays[DONE].shape, self._done.shape, strict=True))
            self._done = _grown(arrays[DONE], shape, False)
            self._columns = {
                name.removeprefix(COLUMN): _grown(values, shape, np.nan)
                for name, values in arrays.items()
                if name.startswith(COLUMN)
            }
            if FEATURES in arrays:
                self._features = _grown(arrays[FEATURES], shape, np.nan)
            self.seconds = float(arrays[SECONDS])
        except SesaHandError:
            raise
        except Exception as error:
            raise InvalidFileError(f"{path} cannot be read ({error!s:.200}). Remove it and measure again.") from error


def _grown(values: np.ndarray, shape: tuple[int, int], empty: float) -> np.ndarray:
    """Values `[n, s, ...]` in the corner of an array `[*shape, ...]`."""
    grown = np.full((*shape, *values.shape[2:]), empty, values.dtype)
    grown[: values.shape[0], : values.shape[1]] = values
    return grown


def differing(found: dict, expected: dict) -> str:
    """The first entry in which two dictionaries differ, with both values."""
    for name in sorted({*found, *expected}):
        ours, theirs = expected.get(name), found.get(name)
        if ours != theirs:
            if isinstance(ours, dict) and isinstance(theirs, dict):
                return f"{name}: {differing(theirs, ours)}"
            return f"{name} is {theirs!r:.60} there and {ours!r:.60} now"
    return "nothing differs"
