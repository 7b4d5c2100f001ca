"""What an evaluation says: counts, means with their intervals, and the hands one by one, as data and as a table."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...metrics.paired_bootstrap import mean_interval
from .hand_errors import FIGURES, TWO_HAND_FIGURES, Figure, same_mesh
from .pairing import HandPairs

RESAMPLES = 2000
MOST_NAMED = 3


@dataclass(frozen=True, eq=False)
class HandEvaluation:
    """Everything that was measured.

    Attributes:
        pairs: Which hand was compared with which.
        errors: Of each pair, by the names of `FIGURES`, `[M]`; NaN where it cannot be had.
        both: The true pictures of which both hands were measured together, P of them.
        both_errors: Of each of them, by the names of `TWO_HAND_FIGURES`, `[P]`.
        settings: What was asked for, for the record.
    """

    pairs: HandPairs
    errors: dict[str, np.ndarray]
    both: Sequence[int]
    both_errors: dict[str, np.ndarray]
    settings: dict[str, str | bool]

    def counts(self) -> dict[str, int]:
        """Return how many pictures and hands there are, and what became of them."""
        pairs = self.pairs
        measured = [np.isfinite(values) for values in self.errors.values()]
        return {
            "pictures": len(pairs.truth.pictures),
            "pictures_not_predicted": len(pairs.not_predicted),
            "predicted_pictures_without_truth": len(pairs.not_annotated),
            "true_hands": len(pairs.truth),
            "predicted_hands": len(pairs.found),
            "matched": len(pairs.pairs),
            "wrong_side": pairs.wrong_side,
            "missing": len(pairs.missing),
            "extra": len(pairs.extra),
            "not_measured": int((~np.any(measured, axis=0)).sum()) if len(pairs.pairs) else 0,
        }

    def figures(self) -> dict[str, dict]:
        """Return mean, 95 % interval and number of samples of each figure that could be had."""
        answers = {}
        for figures, errors in ((FIGURES, self.errors), (TWO_HAND_FIGURES, self.both_errors)):
            for name, figure in figures.items():
                known = errors[name][np.isfinite(errors[name])]
                if len(known):
                    low, high = mean_interval(known, resamples=RESAMPLES)
                    answer = {"mean": float(known.mean()), "low": low, "high": high}
                    answers[name] = {**answer, "samples": len(known), "unit": figure.unit}
        return answers

    def to_dict(self) -> dict:
        """Return all of it as JSON knows it."""
        pairs, truth = self.pairs, self.pairs.truth
        hands = [
            {
                "picture": self._picture_of(j),
                "side": truth.side[j],
                "predicted_side": pairs.found.side[i],
                **_finite({name: values[row] for name, values in self.errors.items()}),
            }
            for row, (i, j) in enumerate(pairs.pairs)
        ]
        both = [
            {"picture": truth.pictures[picture].key, **_finite({k: v[row] for k, v in self.both_errors.items()})}
            for row, picture in enumerate(self.both)
        ]
        return {
            "predictions": pairs.found.source,
            "truth": truth.source,
            "settings": self.settings,
            "counts": self.counts(),
            "figures": self.figures(),
            "notes": self.notes(),
            "hands": hands,
            "two_hands": both,
            "missing": [{"picture": self._picture_of(j), "side": truth.side[j]} for j in pairs.missing],
            "extra": [
                {"picture": pairs.found.pictures[int(pairs.found.frame[i])].key, "side": pairs.found.side[i]}
                for i in pairs.extra
            ],
        }

    def notes(self) -> list[str]:
        """Return what a reader of the figures must know: what is left out of them, and why."""
        pairs, counts, notes = self.pairs, self.counts(), []
        if counts["missing"]:
            notes.append("Missing hands are in no mean: compare predictions that find as many.")
        for pictures, owner, said in (
            (pairs.not_predicted, pairs.truth, "pictures have no predictions; their hands are missing"),
            (pairs.not_annotated, pairs.found, "predicted pictures have no truth; their hands count nowhere"),
        ):
            if pictures:
                named = ", ".join(owner.pictures[picture].key for picture in pictures[:MOST_NAMED])
                more = ", ..." if len(pictures) > MOST_NAMED else ""
                notes.append(f"{len(pictures)} {said}: {named}{more}.")
        if counts["not_measured"]:
            notes.append(
                f"{counts['not_measured']} matched hands have no points that both sides know; they are in no mean."
            )
        if pairs.found.vertices is not None and pairs.truth.vertices is not None and not same_mesh(pairs):
            notes.append(
                f"The meshes differ ({pairs.found.mesh} and {pairs.truth.mesh}): no errors of vertices, and F after "
                "the joints' Procrustes."
            )
        return notes

    def table(self) -> str:
        """Return counts, figures and notes as text."""
        counts = self.counts()
        pairs = self.pairs
        lines = [
            f"{pairs.found.source} against {pairs.truth.source}",
            f"{counts['pictures']} pictures with {counts['true_hands']} true hands: {counts['matched']} matched "
            f"({counts['wrong_side']} of the wrong side), {counts['missing']} missing, {counts['extra']} extra",
            "",
        ]
        figures = self.figures()
        rows = [("figure", "mean", "95 % interval", "samples", "")]
        rows += [
            _row(figure, figures[name]) for name, figure in (FIGURES | TWO_HAND_FIGURES).items() if name in figures
        ]
        widths = [max(len(row[k]) for row in rows) for k in range(4)]
        for title, *numbers, about in rows:
            cells = "  ".join(f"{text:>{width}}" for text, width in zip(numbers, widths[1:], strict=True))
            lines.append(f"{title:<{widths[0]}}  {cells}  {about}".rstrip())
        lines = lines if len(rows) > 1 else [*lines[:-1], "nothing could be measured"]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes())])

    def _picture_of(self, true_hand: int) -> str:
        return self.pairs.truth.pictures[int(self.pairs.truth.frame[true_hand])].key


def worst_pairs(evaluation: HandEvaluation, count: int) -> tuple[str, list[int]]:
    """Return the rows of the pairs with the largest error, the worst first, and which error that is.

    It is PA-MPJPE, the error of the pose, where any pair has it, and else MSE-2D.
    """
    by = next((name for name in ("pa_mpjpe", "mse_2d") if np.isfinite(evaluation.errors[name]).any()), "mse_2d")
    values = evaluation.errors[by]
    rows = np.argsort(-np.nan_to_num(values, nan=-1.0), kind="stable")[:count]
    return by, [int(row) for row in rows if np.isfinite(values[row])]


def _row(figure: Figure, answer: dict) -> tuple[str, str, str, str, str]:
    mean, low, high = (f"{answer[name]:.{figure.decimals}f}" for name in ("mean", "low", "high"))
    return (
        figure.title,
        mean,
        f"{low} to {high}",
        str(answer["samples"]),
        ", ".join(filter(None, (figure.unit, figure.about))),
    )


def _finite(values: dict[str, float]) -> dict[str, float | None]:
    return {name: float(value) if np.isfinite(value) else None for name, value in values.items()}
