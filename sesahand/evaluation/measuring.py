"""Measure a cell: draw what is missing, read it, keep it; and what the figures then say."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ..callbacks import Progress
from ..errors import SesaHandError
from ..files.reading import open_regular
from ..fusion.settings import FusionSettings
from ..generate.pipeline import HandGenerator
from ..metrics.frechet_distance import fid
from .cells import Cell
from .denoising import DENOISING, denoising_losses
from .drawing import draw_pictures
from .requests import Requests
from .results import CellResults

WEIGHTS = (".safetensors", ".sft", ".bin", ".pt", ".json")


def measure(
    cell: Cell,
    generator: HandGenerator,
    requests: Requests,
    reader,
    results: CellResults,
    batch_size: int,
    refined: FusionSettings | None = None,
    progress: Progress | None = None,
    denoising: bool = False,
) -> CellResults:
    """Draw and read what is missing of a cell; its file is written after every batch.

    Args:
        cell: How pictures are made.
        generator: What makes them.
        requests: What is asked for; sample i of `results` is its sample i.
        reader: See `readings`.
        results: Where the figures go.
        batch_size: Pictures at a time.
        refined: See `drawing.draw_pictures`.
        progress: Called with pictures done and their number.
        denoising: Also measure the held-out denoising loss.

    Returns:
        `results`.
    """
    for turn, indices in results.missing(batch_size):
        began = time.perf_counter()
        pictures = draw_pictures(generator, cell, requests, indices, turn, refined)
        results.seconds += time.perf_counter() - began
        columns, features = reader(pictures, indices)
        if denoising:
            columns[DENOISING] = denoising_losses(generator, cell, requests, indices, turn, refined)
        results.add(turn, indices, columns, features)
        results.save()
        if progress is not None:
            progress(int(results.done.sum()), results.done.size)
    return results


def measure_pictures(pictures_of: Callable, reader, count: int, batch_size: int) -> CellResults:
    """Read pictures that no model draws.

    Args:
        pictures_of: Gives the pictures `[B, H, W, 3]` of some samples.
        reader: See `readings`.
        count: How many samples.
        batch_size: Pictures at a time.

    Returns:
        Figures of one turn, in memory.
    """
    results = CellResults({}, count, 1)
    for turn, indices in results.missing(batch_size):
        results.add(turn, indices, *reader(pictures_of(indices), indices))
    return results


def column_mean(results: CellResults, column: str) -> float:
    """Mean of a column over the pictures that it applies to; NaN if there are none."""
    values = results.columns.get(column)
    known = np.empty(0) if values is None else values[np.isfinite(values)]
    return float(known.mean(dtype=np.float64)) if len(known) else float("nan")


def frechet_distances(results: CellResults, reference: np.ndarray) -> list[float]:
    """FID of each turn's pictures against reference features `[M, D]`.

    Turns are taken one by one: the distance is one of sets and falls with their size.
    """
    wanted = torch.from_numpy(np.asarray(reference))
    features = results.features
    if features is None:
        raise SesaHandError("These results have no features; measure them with a feature reader first.")
    turns = [torch.from_numpy(features[results.done[:, turn], turn]) for turn in range(results.done.shape[1])]
    return [fid(own, wanted) for own in turns]


def fingerprint(path: str | Path) -> str:
    """A name for the contents of a file, or of the files of a folder, by which other weights are told."""
    path, digest = Path(path), hashlib.sha256()
    files = sorted(each for each in path.rglob("*") if each.suffix in WEIGHTS) if path.is_dir() else [path]
    for each in files:
        with open_regular(each) as file:
            while piece := file.read(1 << 22):
                digest.update(piece)
    return digest.hexdigest()[:16]


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown, the first column to the left and the others to the right."""
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])
