"""Sets of pairs in the formats that programs of others read, in one table: the command's choices. New ones go last."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import SesaHandError, quote
from ...files.folders import delete_file
from ...files.writing import claim

if TYPE_CHECKING:
    from ..pair_set import Pair

logger = logging.getLogger(__name__)

FORMATS = {
    "attentionhand": "attentionhand.export",
    "foundhand": "foundhand.export",
    "hamer": "hamer.export_tars",
    "hamer-eval": "hamer.export_evaluation",
    "handrefiner": "handrefiner.export",
    "coco": "coco.export",
    "webdataset": "webdataset.export",
}
"""Of each format the function of this package that writes pairs into a folder and returns how many it wrote and left
out; its file is loaded when it is asked for."""

MARK = ".sesahand-export"
"""Name of a file that stands in a folder as long as an export is being written into it."""

OF_HANDS_ALONE = tuple(name for name in FORMATS if name not in ("foundhand", "coco", "webdataset"))
"""Formats without a place for what hands hold."""


@dataclass(frozen=True)
class Exported:
    """What came of an export: pairs written, and pairs left out because the format cannot hold them."""

    written: int
    left_out: int


def export_pairs(pairs: Iterable[Pair], format: str, out: str | Path) -> Exported:
    """Write pairs in a format of others. Where it has no place for what hands hold, and some do, that is logged.

    Args:
        pairs: A `PairSet`, several, or any of their pairs.
        format: A name in `FORMATS`.
        out: A new or empty folder. Lists that name the files come last, so that a part of an export is not taken for
            all of it.

    Raises:
        SesaHandError: If the folder holds something, another export is being written into it, or a pair cannot be read.
    """
    if format not in FORMATS:
        raise SesaHandError(f"There is no format {quote(format)}; formats are {', '.join(FORMATS)}.")
    file, function = FORMATS[format].split(".")
    exporter = getattr(importlib.import_module(f".{file}", __name__), function)
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with _claimed(out):
            counts = exporter(_noting_objects(pairs) if format in OF_HANDS_ALONE else pairs, out)
    except OSError as error:
        raise SesaHandError(
            f"{out!s:.200} cannot be written to: {error!s:.200}. Choose another folder with room."
        ) from error
    return Exported(*counts)


@contextmanager
def _claimed(out: Path) -> Iterator[None]:
    """Have an empty folder to oneself: two exports into one would be mixed, and both would say that all is well.

    Raises:
        SesaHandError: If somebody else has it, or it holds something.
        OSError: If it cannot be written to.
    """
    if not claim(out / MARK):
        raise SesaHandError(
            f"Another export is being written into {out!s:.200}, or was when it was killed: {MARK} is in it. Give a "
            "new folder; what a killed export has left can be deleted."
        )
    try:
        if set(os.listdir(out)) - {MARK}:
            raise SesaHandError(f"{out!s:.200} is not empty; give a new folder, so that nothing old gets in between.")
        yield
    finally:
        delete_file(out, MARK)


def _noting_objects(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """Yield the pairs and then log in how many of them hands hold something."""
    holding = 0
    for pair in pairs:
        holding += pair.holds_objects
        yield pair
    if holding:
        logger.warning("In %d pairs hands hold something, of which the files written have the hands alone.", holding)
