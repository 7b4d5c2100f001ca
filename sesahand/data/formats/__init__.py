"""Sets of pairs in the formats that programs of others read."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ...errors import SesaHandError, quote
from ..pair_set import Pair
from . import attentionhand, coco, foundhand, hamer, handrefiner

EXPORTERS: dict[str, Callable[[Iterable[Pair], Path], tuple[int, int]]] = {
    "attentionhand": attentionhand.export,
    "foundhand": foundhand.export,
    "hamer": hamer.export_tars,
    "hamer-eval": hamer.export_evaluation,
    "handrefiner": handrefiner.export,
    "coco": coco.export,
}


@dataclass(frozen=True)
class Exported:
    """What came of an export: pairs written, and pairs left out because the format cannot hold them."""

    written: int
    left_out: int


def export_pairs(pairs: Iterable[Pair], format: str, out: str | Path) -> Exported:
    """Write pairs in a format of others.

    Args:
        pairs: A `PairSet` or any of its pairs.
        format: A name in `EXPORTERS`.
        out: A new or empty folder. Lists that name the files come last, so that a part of an export is not taken for
            all of it.

    Raises:
        SesaHandError: If the folder holds something, or a pair cannot be read.
    """
    if format not in EXPORTERS:
        raise SesaHandError(f"There is no format {quote(format)}; formats are {', '.join(EXPORTERS)}.")
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise SesaHandError(f"{out!s:.200} is not empty; give a new folder, so that nothing old gets in between.")
        counts = EXPORTERS[format](pairs, out)
    except OSError as error:
        raise SesaHandError(
            f"{out!s:.200} cannot be written to: {error!s:.200}. Choose another folder with room."
        ) from error
    return Exported(*counts)
