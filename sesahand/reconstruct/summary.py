"""What became of many pictures, as a table for people (text, CSV) and as JSON for programs."""

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from ..errors import in_one_line
from .fitting.fit import FittedHands
from .landmarks import describe_doubt

# Longer names would push the figures out of the terminal; the CSV and the JSON have them whole.
LONGEST_NAME = 48
COLUMNS = ("picture", "hand", "side", "score", "error_px", "error_percent", "depth_m", "match", "note")
WORDS = ("picture", "side", "note")


@dataclass(frozen=True)
class FoundHand:
    """The figures of one fitted hand.

    Attributes:
        side: "right" or "left".
        score: Confidence of the detector, 0..1.
        error_px: Mean distance of its keypoints from the landmarks, pixels.
        error_percent: The same in per cent of the longer side of the hand's box.
        depth_m: Mean distance from the camera along its axis, metres.
        depth_is_ambiguous: Whether only the picture's plane was known.
        doubt: How far its landmarks moved when it was looked at in several ways, as a part of its size; None if not
            known.
        doubtful: What is not to be relied on, in words; empty if nothing is.
        second: Which fingers may be bent otherwise, in words; empty if none.
    """

    side: str
    score: float
    error_px: float
    error_percent: float
    depth_m: float
    depth_is_ambiguous: bool
    doubt: float | None = None
    doubtful: str = ""
    second: str = ""


@dataclass
class PictureOutcome:
    """What became of one picture.

    Attributes:
        picture: Its path as it was given.
        hands: The hands found, the surest first.
        files: Names of the files written for it.
        match: Score against requested hands, 0..1; None if there was nothing to compare with.
        comparison: The same in words.
        error: Why it could not be used, or not in all ways; None if all went well.
    """

    picture: str
    hands: list[FoundHand] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    match: float | None = None
    comparison: str | None = None
    error: str | None = None


def describe_hands(fitted: FittedHands) -> list[FoundHand]:
    """Return the figures of fitted hands, in their order."""
    depths = fitted.scene.pose().keypoints[..., 2].mean(1).tolist()
    doubt = [[math.nan] * 6] * len(depths) if fitted.scene.doubt is None else fitted.scene.doubt.tolist()
    return [
        FoundHand(
            side=fitted.scene.side[hand],
            score=round(float(fitted.scene.score[hand]), 4),
            error_px=round(float(fitted.reprojection_error[hand]), 3),
            error_percent=round(100 * float(fitted.relative_error[hand]), 3),
            depth_m=round(depth, 4),
            depth_is_ambiguous=bool(fitted.depth_is_ambiguous[hand]),
            doubt=None if math.isnan(doubt[hand][0]) else round(doubt[hand][0], 4),
            doubtful=describe_doubt(doubt[hand]),
            second=fitted.second[hand],
        )
        for hand, depth in enumerate(depths)
    ]


def table_rows(outcome: PictureOutcome) -> list[dict[str, str]]:
    """Return the lines of the table for one picture: one for each hand, or one that says why there is none."""
    match = "" if outcome.match is None else f"{outcome.match:.3f}"
    row = dict.fromkeys(COLUMNS, "") | {"picture": outcome.picture, "match": match, "note": outcome.error or ""}
    if not outcome.hands:
        return [row if outcome.error else row | {"note": "no hands"}]
    rows = []
    for number, hand in enumerate(outcome.hands, 1):
        figures = {
            "hand": str(number),
            "side": hand.side,
            "score": f"{hand.score:.2f}",
            "error_px": f"{hand.error_px:.1f}",
            "error_percent": f"{hand.error_percent:.1f}",
            "depth_m": f"{hand.depth_m:.2f}",
        }
        notes = [row["note"], "depth ambiguous" if hand.depth_is_ambiguous else "", hand.doubtful, hand.second]
        rows.append(row | figures | {"note": "; ".join(filter(None, notes))})
    return rows


def summary_text(outcomes: Sequence[PictureOutcome]) -> str:
    """Return the table as aligned text, without columns that are empty and without the middle of long names."""
    rows = [row for outcome in outcomes for row in table_rows(outcome)]
    rows = [row | {"picture": shorten(in_one_line(row["picture"])), "note": in_one_line(row["note"])} for row in rows]
    columns = [name for name in COLUMNS if any(row[name] for row in rows)]
    lines = [columns, *([row[name] for name in columns] for row in rows)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(columns))]

    def align(line: list[str]) -> str:
        cells = zip(columns, line, widths, strict=True)
        return "  ".join(f"{text:{'<' if name in WORDS else '>'}{width}}" for name, text, width in cells).rstrip()

    return "\n".join(map(align, lines))


def shorten(name: str) -> str:
    """Return a name whose middle is left out where it is long: what tells it from others is at its ends."""
    half = (LONGEST_NAME - 3) // 2
    return name if len(name) <= LONGEST_NAME else f"{name[:half]}...{name[-half:]}"


def counted(number: int, noun: str) -> str:
    """Return "1 hand", "2 hands", "0 hands"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def summary_csv(outcomes: Sequence[PictureOutcome]) -> str:
    """Return the table as CSV.

    Names of files are a stranger's: spreadsheets run what begins like a formula, and terminals obey control characters.
    Source: OWASP, CSV injection.
    """
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, COLUMNS)
    table.writeheader()
    for outcome in outcomes:
        table.writerows(row | {name: _cell(row[name]) for name in ("picture", "note")} for row in table_rows(outcome))
    return text.getvalue()


def _cell(text: str) -> str:
    text = in_one_line(text)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def summary_json(outcomes: Sequence[PictureOutcome]) -> str:
    """Return everything as JSON text."""
    data = {
        "pictures": len(outcomes),
        "hands": sum(len(outcome.hands) for outcome in outcomes),
        "failed": sum(outcome.error is not None for outcome in outcomes),
        "results": [asdict(outcome) for outcome in outcomes],
    }
    return json.dumps(data, indent=1) + "\n"
