"""Scores in words for people, and as JSON for programs."""

import json
import math
from collections import Counter
from dataclasses import asdict

from ...hands.skeleton import FINGERS
from ...scene.hand_scene import grouped
from .score import HandScores, PairScore

# Fingers that agree less than this are worth a word.
WORTH_SAYING = 0.75
# Pictures; a report of more is not read.
MOST_DESCRIBED = 1000


def describe_scores(scores: HandScores) -> str:
    """Return a few lines on each picture: its score, every requested hand, and what is wrong with it.

    Where hands could not be looked for, only the reason.
    """
    if scores.not_looked_for:
        return f"not scored: {scores.found.note}"
    count = len(scores.pictures)
    best = scores.ranking()[0]
    head = f"score {scores.pictures[0]:.2f}"
    if count > 1:
        head = f"mean score {scores.mean:.2f} over {count} pictures, worst {scores.worst:.2f}, best picture {best}"
    lines, unasked = [head], Counter(picture for picture, _ in scores.extra)
    for picture in range(min(count, MOST_DESCRIBED)):
        lines += ["", f"picture {picture}: {scores.pictures[picture]:.2f}"]
        lines += _describe_picture(scores, picture, unasked[picture])
    if count > MOST_DESCRIBED:
        lines += ["", f"{count - MOST_DESCRIBED} more pictures, which only the details tell of"]
    return "\n".join(lines)


def _describe_picture(scores: HandScores, picture: int, unasked: int) -> list[str]:
    asked, sides = scores.requested_in(picture), scores.requested.side
    of_hand = {pair.requested: pair for pair in scores.pairs_by_picture.get(picture, [])}
    lines = []
    for hand in asked:
        pair = of_hand.get(hand)
        text = "not found" if pair is None else _describe_pair(pair, scores.found.side[pair.found])
        lines.append(f"  {sides[hand]} hand: {text}")
    if not asked:
        lines.append("  no hand was asked for, so that there is nothing to score")
    if unasked:
        lines.append(f"  {unasked} {'hand' if unasked == 1 else 'hands'} that nobody asked for")
    return lines


def _describe_pair(pair: PairScore, side: str) -> str:
    figures = [
        f"{100 * math.sqrt(pair.mse_2d):.0f} % of its size out of place",
        f"pose off by {pair.pa_mpjpe:.1f} mm (PA-MPJPE)",
        f"from the wrist {math.sqrt(pair.mse_3d):.0f} mm",
        f"detector {100 * pair.confidence:.0f} % sure",
    ]
    if pair.pa_mpvpe is not None:
        figures.insert(2, f"surface by {pair.pa_mpvpe:.1f} mm (PA-MPVPE)")
    if pair.mask_iou is not None:
        figures.insert(1, f"outline overlaps {100 * pair.mask_iou:.0f} %")
    text = f"{pair.score:.2f}; {', '.join(figures)}"
    faults = [] if pair.right_side else [f"found as a {side} hand"]
    if not pair.right_face:
        faults.append(f"shows its {pair.found_face}, should show its {pair.requested_face}")
    bends = zip(FINGERS, pair.finger_agreement, strict=False)
    wrong = [finger for finger, agreement in bends if agreement < WORTH_SAYING]
    # The thumb's contacts are a fact of their own, told with the thumb.
    if pair.finger_agreement[5] < WORTH_SAYING and "thumb" not in wrong:
        wrong.insert(0, "thumb")
    faults += [pair.doubtful] if pair.doubtful else []
    faults += [f"{f} should be {pair.requested_fingers[f]}, is {_found(pair, f)}" for f in wrong]
    return text + ("; " + "; ".join(faults) if faults else "")


def _found(pair: PairScore, finger: str) -> str:
    words = pair.found_fingers[finger]
    return words if words != pair.requested_fingers[finger] else f"{words} too, but not as far"


def scores_to_json(scores: HandScores) -> str:
    """Return all figures as JSON text: mean, worst, and for each picture its pairs, missing and extra hands.

    Where hands could not be looked for, scores are null and "not_scored" says why.
    """
    pictures, scored = [], not scores.not_looked_for
    missing, extra = grouped(scores.missing), grouped(scores.extra)
    for picture, score in enumerate(scores.pictures):
        pairs = [asdict(pair) for pair in scores.pairs_by_picture.get(picture, [])]
        for pair in pairs:
            del pair["picture"]
            pair["side"] = scores.requested.side[pair["requested"]]
        pictures.append(
            {
                "score": score if scored else None,
                "hands": pairs,
                "missing": [scores.requested.side[n] for n in missing.get(picture, [])],
                "extra": [scores.found.side[n] for n in extra.get(picture, [])],
            }
        )
    if not scored:
        return json.dumps({"mean": None, "worst": None, "pictures": pictures, "not_scored": scores.found.note})
    return json.dumps({"mean": scores.mean, "worst": scores.worst, "pictures": pictures})
