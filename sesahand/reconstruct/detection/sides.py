"""Which hand is the right one and which the left, where what found them is not to be trusted with it.

ComfyUI's own SDPose calls the left hand right, DWPose's wrappers do not; each errs always or never. The wrists of a
body tell (`read_keypoints`). Without any, 21 points in a picture say little: a right hand seen from its palm and a left
hand seen from its back, each the other's mirror image in depth, have the same points, but for perspective. So the
points of all hands together decide whether the names stand: each hand is fitted as a right and as a left one, and the
better fit is a vote. On 96 random hands of 180 pixels seen by a lens of 40 degrees, 94 % of the votes were right where
points were off by 2 pixels, 78 % at 4 and 68 % at 8; by a lens of 10 degrees, 63 % at 2 pixels. A few votes are no
proof.
"""

from dataclasses import replace

import torch

from ..fitting.fit import cost_of_fit, usable_hands
from ..landmarks import HandLandmarks, describe_doubt
from ..second_reading import describe_second_readings

# At most so many hands vote, as fits take time; the points are taken to be this noisy, as detectors' are.
VOTERS, NOISE = 24, 1.5
# A difference in cost that makes a vote, and how many more votes against the names than for them change them.
WORTH_A_VOTE, LEAST_LEAD = 2.0, 3
OTHER = {"right": "left", "left": "right"}
UNSURE = 0.5
WHAT_IS_NOT_KNOWN = (
    "The networks know bare hands in photographs and pictures like them; drawings, paintings and gloves they do not: "
    "give a mask, boxes (SAM3) or keypoints (DWPose, SDPose) instead."
)


def settle_sides(landmarks: HandLandmarks) -> HandLandmarks:
    """Return hands whose sides are swapped if their points say so, for those with a `side_score` of 0.5.

    Args:
        landmarks: From `read_keypoints`.

    Returns:
        The same hands. Where the votes were clear, with a `side_score` of 0.75.
    """
    doubtful = (landmarks.side_score <= UNSURE).nonzero()[:, 0]
    known = torch.isfinite(landmarks.keypoints_2d).all(-1).all(-1)
    voters = landmarks.select(doubtful[known[doubtful]][:VOTERS])
    if len(voters) < LEAST_LEAD:
        return landmarks
    voters, _ = usable_hands(voters)
    swapped = replace(voters, side=tuple(OTHER[side] for side in voters.side))
    better = cost_of_fit(swapped, NOISE) - cost_of_fit(voters, NOISE)
    lead = int((better > WORTH_A_VOTE).sum()) - int((better < -WORTH_A_VOTE).sum())
    if abs(lead) < LEAST_LEAD:
        return landmarks
    unsure = set(doubtful.tolist())
    side = tuple(OTHER[s] if lead < 0 and index in unsure else s for index, s in enumerate(landmarks.side))
    score = landmarks.side_score.clone()
    score[doubtful] = 0.75
    return replace(landmarks, side=side, side_score=score)


def describe_sides(landmarks: HandLandmarks) -> str:
    """Return a line a hand: picture, side, how sure both are, what is doubtful; then the note, or what to do."""
    lines = [
        ", ".join(filter(None, [f"picture {frame}, {side} hand: score {score:.2f}, side {sure:.0%} sure", *doubts]))
        for frame, side, score, sure, *doubts in zip(
            landmarks.frame.tolist(),
            landmarks.side,
            landmarks.score.tolist(),
            landmarks.side_score.tolist(),
            map(describe_doubt, landmarks.doubt.tolist()),
            describe_second_readings(landmarks),
            strict=True,
        )
    ]
    note = landmarks.note or ("" if lines else WHAT_IS_NOT_KNOWN)
    return "\n".join([*(lines or ["no hands"]), *filter(None, [note])])
