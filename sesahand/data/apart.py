"""Where sets lie: none is made of itself or of one set twice, and none inside another."""

import os
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from ..errors import InvalidFileError, SesaHandError
from .layout import HEADER
from .shards import SHARDS, open_shards


def check_target(target: str | Path, sources: Sequence[str | Path] = ()) -> None:
    """Refuse to write into a folder that is one of the sources, lies in one or holds one, or lies in another set.

    Raises:
        SesaHandError: If it does.
    """
    for source in sources:
        if holds(source, target) or holds(target, source):
            raise SesaHandError(
                f"{target!s:.200} is, holds or lies in {source!s:.200}, which is read meanwhile: choose a new folder "
                "elsewhere with --out."
            )
    for parent in Path(os.path.realpath(target)).parents:
        if (parent / HEADER).is_file() or is_planned(parent):
            raise SesaHandError(
                f"{target!s:.200} lies in {parent!s:.200}, which is a set of its own: choose a folder outside of it."
            )


def check_sources(sources: Sequence[str | Path]) -> None:
    """Refuse sets of which one is another, or lies in it: each pair would come twice.

    Raises:
        SesaHandError: If there is one.
    """
    for one, other in combinations(sources, 2):
        if holds(one, other) or holds(other, one):
            raise SesaHandError(
                f"{one!s:.200} and {other!s:.200} hold the same pairs, which would come twice: give each set once."
            )


def holds(folder: str | Path, path: str | Path) -> bool:
    """Tell whether a path is a folder itself or lies in it, whatever links and spellings lead there."""
    real = Path(os.path.realpath(path))
    there = (each for each in (real, *real.parents) if each.exists())
    return os.path.exists(folder) and any(os.path.samefile(folder, each) for each in there)


def is_planned(root: Path) -> bool:
    """Tell whether a folder is a planned set, which a folder of tars that also lists its shards is not."""
    try:
        return (root / SHARDS).is_file() and bool(open_shards(root))
    except InvalidFileError:
        return False
