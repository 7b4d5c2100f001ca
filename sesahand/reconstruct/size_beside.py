"""Whether a hand is far too small for the picture that it goes into: beside the hands and faces that are seen there."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ..scene.hand_scene import HandScene
from .people import Box, People

# Distances in the palm of the built-in hand, metres, between keypoints: the wrist, the knuckles of index, middle and
# little finger. However a hand is turned, one of them is seen nearly in full.
PALM_SPANS = {(0, 5): 0.101, (0, 9): 0.096, (0, 17): 0.089, (5, 17): 0.072}
# Distances in an adult's face, metres, between the points of `read_faces`; means of men and women.
FACE_SPANS = {
    ("right jaw", "left jaw"): 0.14,
    ("chin", "nose root"): 0.12,
    ("right ear", "left ear"): 0.145,
    ("right eye", "left eye"): 0.063,
}
FACE_WIDTH = 0.145
# A person's hands differ in the picture as they are nearer and further, but hardly by more than this.
LEAST_PART = 0.5


@dataclass(frozen=True)
class _Seen:
    """A hand or a face: what it is, its size in pixels in words, and pixels a metre at its distance."""

    what: str
    size: str
    scale: float


def too_small(placed: HandScene, people) -> list[str]:
    """Return a sentence for each placed hand that is far smaller than the hands and faces of its picture.

    It is compared with the hand whose place it takes; where there is none, with the smallest hand or face, as nobody
    knows whose hand it is to be.

    Args:
        placed: The hands, each in its place.
        people: As of `People.read`.

    Raises:
        SesaHandError: As of `People.read`.
    """
    everyone = People.read(people, placed.camera.width, placed.camera.height, placed.num_frames)
    if not len(placed):
        return []
    posed = placed.pose()
    scales = (placed.camera.focal_length / posed.keypoints[..., 2].mean(1)).tolist()
    outlines = placed.camera.project(posed.vertices)
    sentences = []
    for frame, scale, outline in zip(placed.frame.tolist(), scales, outlines, strict=True):
        (left, top), (right, bottom) = outline.amin(0).tolist(), outline.amax(0).tolist()
        beside = _beside(everyone.of_frame(frame), (left, top, right, bottom))
        if beside is not None and scale < LEAST_PART * beside.scale:
            pixels = max(right - left, bottom - top)
            sentences.append(
                f"The hand is {pixels:.0f} pixels long in its place, but beside the picture's {beside.what}, "
                f"{beside.size}, it should be about {pixels * beside.scale / scale:.0f}: mark the place of a whole "
                "hand, not only what is wrong with one."
            )
    return sentences


def _beside(people: People, box: Box) -> _Seen | None:
    """Return the hand whose place a box takes, else what is smallest; None if nothing has a size."""
    own = people.hand_in(box)
    hands = [_hand(people, index) for index in ([own] if own is not None else range(len(people.hands)))]
    seen = [each for each in hands if each.scale]
    if own is None or not seen:
        for face in people.faces:
            spans = [(face.points.get(a), face.points.get(b), length) for (a, b), length in FACE_SPANS.items()]
            scale = _largest(spans)
            seen += [_Seen("face", f"{scale * FACE_WIDTH:.0f} pixels wide", scale)] if scale else []
    return min(seen, key=lambda each: each.scale, default=None)


def _hand(people: People, index: int) -> _Seen:
    points, (left, top, right, bottom) = people.hands.keypoints_2d[index], people.hands.box[index].tolist()
    scale = _largest([(points[a], points[b], length) for (a, b), length in PALM_SPANS.items()])
    return _Seen(f"{people.hands.side[index]} hand", f"{max(right - left, bottom - top):.0f} pixels long", scale)


def _largest(spans: Sequence[tuple[Tensor | None, Tensor | None, float]]) -> float:
    """Return the largest ratio of what is seen of lengths to the lengths: turning only makes them shorter."""
    ratios = [float((a - b).norm()) / length for a, b, length in spans if a is not None and b is not None]
    return max((ratio for ratio in ratios if ratio == ratio), default=0.0)
