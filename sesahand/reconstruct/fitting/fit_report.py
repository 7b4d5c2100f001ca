"""What a fit says of itself, in words."""

import math

from ..landmarks import describe_doubt
from .fit import FittedHands


def describe_fit(fitted: FittedHands) -> str:
    """Return one line a hand: picture, side, score, distance from the landmarks, depth, and whether to trust it.

    A line for each hand that was left out, and why, follows, and the note that came with the hands.
    """
    left_out = [f"left out: {fault}" for fault in fitted.left_out]
    if not len(fitted.scene):
        return "\n".join(["no hands", *filter(None, [fitted.scene.note]), *left_out])
    scene, depths = fitted.scene, fitted.scene.pose().keypoints[..., 2].mean(1).tolist()
    lines = []
    for hand, depth in enumerate(depths):
        pixels, share = float(fitted.reprojection_error[hand]), float(fitted.relative_error[hand])
        # A hand of which only the box is known has nothing to compare with.
        off = "no landmarks" if math.isnan(pixels) else f"{pixels:.1f} px off ({share:.1%} of its box)"
        line = (
            f"picture {int(scene.frame[hand])}, {scene.side[hand]} hand: score {float(scene.score[hand]):.2f}, {off}, "
            f"{depth:.2f} m away"
        )
        doubt = "" if scene.doubt is None else describe_doubt(scene.doubt[hand].tolist())
        notes = ["depth ambiguous" if fitted.depth_is_ambiguous[hand] else "", doubt, fitted.second[hand]]
        lines.append(", ".join([line, *filter(None, notes)]))
    return "\n".join([*lines, *left_out, *filter(None, [fitted.scene.note])])


def worst_error(fitted: FittedHands) -> float:
    """Return the largest relative error of the hands whose landmarks are known, 0 without any."""
    return max((error for error in fitted.relative_error.tolist() if not math.isnan(error)), default=0.0)
