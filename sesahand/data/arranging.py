"""Sets out of sets: merged, filtered, split and dealt out, pair by pair, so that their size does not matter."""

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import SesaHandError, quote
from ..files.folders import inside
from ..files.names import check_file_name
from .made_of import MadeOf
from .pair_set import Pair, PairSet
from .writer import PairWriter

POSE_DECIMALS = 3
"""Radians to which two poses are the same for `split_pairs`."""


@dataclass(frozen=True)
class Wanted:
    """Which pairs are kept; what is None asks for nothing.

    Attributes:
        score: The least score, 0 to 1; a pair without a score has none to show and is not kept.
        detector_score: The least confidence of the detector, 0 to 1.
        mse_2d: The largest mean squared error of the keypoints.
        doubt: The largest doubt of any hand, as a part of its size.
        gestures: Names of gestures.
        side: "right" or "left": every hand is of that side.
        hands: How many hands are in the picture.
        hand_size: The least longer side of every hand's box as a part of the picture's shorter side.
    """

    score: float | None = None
    detector_score: float | None = None
    mse_2d: float | None = None
    doubt: float | None = None
    gestures: tuple[str, ...] | None = None
    side: str | None = None
    hands: int | None = None
    hand_size: float | None = None

    def __post_init__(self):
        for name, most in (("score", 1), ("detector_score", 1), ("mse_2d", None), ("doubt", None), ("hand_size", None)):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= (math.inf if most is None else most):
                asked = "a number from 0 on" if most is None else f"a number from 0 to {most}"
                raise SesaHandError(f"The {name.replace('_', ' ')} asked for is {value:g}, expected {asked}.")
        if self.hands is not None and self.hands < 0:
            raise SesaHandError(f"The number of hands asked for is {self.hands}, expected a whole number from 0 on.")

    def keeps(self, pair: Pair) -> bool:
        """Tell whether a pair is kept; only its record is looked at."""
        record, facts = pair.record, pair.facts
        boxes = ((right - left, bottom - top) for left, top, right, bottom in (hand.box for hand in record.hands))
        shorter = min(record.width, record.height)
        return (
            (self.score is None or (facts.score is not None and facts.score >= self.score))
            and (
                self.detector_score is None
                or (facts.detector_score is not None and facts.detector_score >= self.detector_score)
            )
            and (self.mse_2d is None or (facts.mse_2d is not None and facts.mse_2d <= self.mse_2d))
            and (self.doubt is None or (facts.doubt is not None and facts.doubt <= self.doubt))
            and (self.gestures is None or facts.gesture in self.gestures)
            and (self.side is None or all(hand.side == self.side for hand in record.hands))
            and (self.hands is None or len(record.hands) == self.hands)
            and (self.hand_size is None or all(max(box) >= self.hand_size * shorter for box in boxes))
        )


def copy_pairs(
    pairs: Iterable[Pair],
    out: str | Path,
    keeps: Callable[[Pair], bool] = lambda pair: True,
    made_of: MadeOf | None = None,
) -> int:
    """Write the pairs that are kept into a set, their files byte by byte; return how many are in it of these.

    One that was stopped goes on: pairs that are in the set already are passed over.

    Args:
        pairs: A set, or several.
        out: Folder of the set.
        keeps: Tells whether a pair is kept.
        made_of: What the set then says it was made of, and must have been made of if it has pairs; None asks nothing.

    Raises:
        SesaHandError: If the set has another pair of one of the keys or was made of something else, a file is missing,
            or it cannot be written to.
    """
    kept = 0
    with PairWriter(out) as writer:
        _note([out], made_of)
        there = PairSet(out)
        for pair in pairs:
            if keeps(pair):
                _copy(pair, writer, there)
                kept += 1
    return kept


def split_pairs(
    pairs: Iterable[Pair],
    out: str | Path,
    shares: Mapping[str, float],
    seed: int = 0,
    made_of: MadeOf | None = None,
) -> dict[str, int]:
    """Deal pairs out into sets, all of one pose into the same: what is tested on was not trained on from another side.

    Where a pair goes depends on its fingers' pose, the seed and the shares alone, not on the others.

    Args:
        pairs: A set, or several.
        out: The folder that the sets are made in.
        shares: Of each set's name, as parts of their sum.
        seed: Another seed deals otherwise.
        made_of: As of `copy_pairs`, for each of the sets.

    Returns:
        How many pairs are in each.

    Raises:
        SesaHandError: If the shares are no positive numbers, a name cannot be a folder's or is a link, or as of
            `copy_pairs`.
    """
    total = sum(shares.values())
    if not shares or not math.isfinite(total) or any(not share > 0 for share in shares.values()):
        raise SesaHandError(f"The shares are {quote(dict(shares))}, expected positive numbers, such as train=9 test=1.")
    names = [check_file_name(name) for name in shares]
    if len({name.casefold() for name in names}) < len(names):
        raise SesaHandError(f"The sets are {quote(names)}, of which two have one name: give each another.")
    edges = np.cumsum(list(shares.values())) / total
    counts = dict.fromkeys(names, 0)
    with ExitStack() as stack:
        # All are looked at before the first is written to.
        folders = [inside(out, name) for name in names]
        if made_of is not None:
            for folder in folders:
                made_of.check(folder)
        writers = [stack.enter_context(PairWriter(folder)) for folder in folders]
        _note(folders, made_of)
        there = [PairSet(folder) for folder in folders]
        for pair in pairs:
            which = min(int(np.searchsorted(edges, _fraction_of(pair, seed), side="right")), len(names) - 1)
            _copy(pair, writers[which], there[which])
            counts[names[which]] += 1
    return counts


def _fraction_of(pair: Pair, seed: int) -> float:
    """Return a number in 0..1 that is the same for all pairs whose fingers are bent alike."""
    fingers = np.round(pair.parameters.pose[:, 3:], POSE_DECIMALS) + 0.0
    digest = hashlib.sha256(f"{seed} ".encode() + fingers.astype("<f4").tobytes()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _note(folders: Sequence[str | Path], made_of: MadeOf | None) -> None:
    """Let sets say what they are made of, while nobody else writes to them."""
    if made_of is None:
        return
    for folder in folders:
        try:
            made_of.write(folder)
        except OSError as error:
            raise SesaHandError(
                f"{folder!s:.200} cannot be written to: {error!s:.200}. Choose another folder with room."
            ) from error


def _copy(pair: Pair, writer: PairWriter, there: PairSet) -> None:
    """Append a pair, unless it is there."""
    if pair.key not in writer:
        writer.adopt(pair)
        return
    found = there.find(pair.key) if pair.key in there else None
    alike = found and (found.record.vertices_sha256, found.facts) == (pair.record.vertices_sha256, pair.facts)
    if not alike:
        raise SesaHandError(
            f"{there.root!s:.200} has another pair {pair.key!r}: choose a new folder, or give the folders of the sets "
            "other names, which their keys begin with."
        )
