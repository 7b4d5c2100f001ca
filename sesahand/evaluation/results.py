"""What was read in the pictures of a cell, kept in a file so that an interrupted measurement goes on."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import InvalidFileError, SesaHandError

DONE, FEATURES, ABOUT, SECONDS = "done", "features", "about", "seconds"
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
        self.done = np.zeros((count, turns), bool)
        self.columns: dict[str, np.ndarray] = {}
        self.features: np.ndarray | None = None
        self.seconds = 0.0
        if path is not None and path.exists():
            self._load(path)

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
        """Take the figures of some samples in one turn."""
        for name, values in columns.items():
            self.columns.setdefault(name, np.full(self.done.shape, np.nan, np.float32))[indices, turn] = values
        if features is not None:
            if self.features is None:
                self.features = np.full((*self.done.shape, features.shape[-1]), np.nan, np.float32)
            self.features[indices, turn] = features
        self.done[indices, turn] = True

    def save(self) -> None:
        """Write the file, whole or not at all."""
        if self.path is None:
            return
        arrays = {f"column_{name}": values for name, values in self.columns.items()}
        if self.features is not None:
            arrays[FEATURES] = self.features
        arrays |= {DONE: self.done, SECONDS: np.float64(self.seconds), ABOUT: np.array(json.dumps(self.about))}
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        from ..hands.array_files import write_bytes

        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(self.path, buffer.getvalue(), LIMIT)

    def _load(self, path: Path) -> None:
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            about = json.loads(str(arrays[ABOUT]))
            if about != self.about:
                raise SesaHandError(
                    f"{path} holds figures of something else ({differing(about, self.about)}). Choose another folder "
                    "with --out, or remove the file."
                )
            # Of a run with another number of samples or noises, what both have in common is kept.
            common = tuple(slice(0, min(a, b)) for a, b in zip(arrays[DONE].shape, self.done.shape, strict=True))
            self.done[common] = arrays[DONE][common]
            for name, values in arrays.items():
                if name.startswith("column_"):
                    own = self.columns[name.removeprefix("column_")] = np.full(self.done.shape, np.nan, np.float32)
                    own[common] = values[common]
            if FEATURES in arrays:
                self.features = np.full((*self.done.shape, arrays[FEATURES].shape[-1]), np.nan, np.float32)
                self.features[common] = arrays[FEATURES][common]
            self.seconds = float(arrays[SECONDS])
        except SesaHandError:
            raise
        except Exception as error:
            raise InvalidFileError(f"{path} cannot be read ({error!s:.200}). Remove it and measure again.") from error


def differing(found: dict, expected: dict) -> str:
    """The first entry in which two dictionaries differ, with both values."""
    for name in sorted({*found, *expected}):
        ours, theirs = expected.get(name), found.get(name)
        if ours != theirs:
            if isinstance(ours, dict) and isinstance(theirs, dict):
                return f"{name}: {differing(theirs, ours)}"
            return f"{name} is {theirs!r:.60} there and {ours!r:.60} now"
    return "nothing differs"
