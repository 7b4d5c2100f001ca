"""Which hands are to be posed for what a text describes, and what is to be said of those that cannot be."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..errors import SesaHandError, quote
from ..hands.gestures import gesture_names
from ..hands.gripping import GRASPS
from ..hands.objects import OBJECTS
from .behavior import ImageSemantics
from .described_hands import DescribedHand, describe_hands
from .held_things import object_held

OTHER = {"right": "left", "left": "right"}


@dataclass(frozen=True)
class HandsToPose:
    """The hands of a text that can be posed, and the others.

    Attributes:
        posed: Hands with a gesture and a side.
        report: A line for each hand, also for those without a gesture.
    """

    posed: tuple[DescribedHand, ...]
    report: tuple[str, ...]

    @property
    def gestures(self) -> tuple[tuple[str, str], ...]:
        """Gesture and side of each hand that can be posed."""
        return tuple((hand.gesture, hand.side) for hand in self.posed if hand.gesture and hand.side)


def hands_to_pose(
    image: ImageSemantics, side: str = "right", what: str = "semantics", advice: str = "disconnect semantics and choose"
) -> HandsToPose:
    """Choose the hands that can be posed and settle their sides.

    Args:
        image: What is said.
        side: Of a hand whose side is not said; a second one of the same person then has the other side.
        what: What to call the text in the error.
        advice: What else can be done, for the error.

    Raises:
        SesaHandError: If no hand has a gesture of the library; the message lists the gestures.
    """
    hands = image.hands if any(hand.gesture for hand in image.hands) else _grasping(image)
    named = [hand for hand in hands if hand.gesture]
    if not named:
        said = image.caption or image.behavior.hand_action or image.prompt
        described = f" What is described fits none: {describe_hands(image.hands)}." if image.hands else ""
        if any(hand.object for hand in image.hands):
            described += f" Things that hands are posed for are those like {', '.join(OBJECTS)}."
        raise SesaHandError(
            f"The {what}, {quote(said)}, name no gesture.{described} Say in the caption what the hand does, such as "
            f"'making a fist', or {advice}. Gestures are: {', '.join(gesture_names())}."
        )
    sided = _with_sides(named, side)
    report = [f"{hand.side} hand, {hand.gesture}: from {quote(hand.words)}" for hand in sided]
    report += [
        f"{hand.side or 'a'} hand, not posed: no gesture of the library fits {quote(hand.words)}"
        for hand in hands
        if not hand.gesture
    ]
    return HandsToPose(tuple(sided), tuple(report))


def _grasping(image: ImageSemantics) -> tuple[DescribedHand, ...]:
    """The hands in the gestures that what they hold is held in: a grip around a box has no name among people."""

    def grasping(hand: DescribedHand) -> DescribedHand:
        kind = object_held(hand, image.language)
        return hand if kind is None else replace(hand, gesture=GRASPS[kind].gesture)

    return tuple(map(grasping, image.hands))


def _with_sides(hands: Iterable[DescribedHand], side: str) -> list[DescribedHand]:
    hands = list(hands)
    taken = {(hand.owner, hand.side) for hand in hands if hand.side}
    sided = []
    for hand in hands:
        own = hand.side or (side if (hand.owner, side) not in taken else OTHER[side])
        taken.add((hand.owner, own))
        sided.append(replace(hand, side=own))
    return sided
