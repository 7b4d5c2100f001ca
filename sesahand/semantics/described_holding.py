"""Hands that get what the text they were posed from lets them hold."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..errors import SesaHandError, quote
from ..hands.gripping import Grip
from ..hands.objects import OBJECTS
from ..scene.hand_scene import HandScene, hands_of_frames
from ..scene.holding import Holding, hold_object
from .behavior import SemanticsBatch
from .described_hands import DescribedHand
from .held_things import is_one_for_two, is_only_like, object_held
from .posed_hands import hands_to_pose


@dataclass(frozen=True)
class DescribedObject:
    """What a text lets a hand hold.

    Attributes:
        kind: A name of `hands.objects.OBJECTS`; None where it is none of them, or the hand holds nothing.
        thing: In the text's words, or empty.
        words: What the text says of the hand.
        shared: Whether the hand before it holds the same one: "both hands around a mug".
        side: Of the hand, "right" or "left" where the text tells.
    """

    kind: str | None
    thing: str
    words: str
    shared: bool = False
    side: str | None = None

    @classmethod
    def of(cls, hand: DescribedHand, language: str) -> "DescribedObject":
        """Read what a described hand holds."""
        return cls(object_held(hand, language), hand.object or "", hand.words)

    @property
    def is_likened(self) -> bool:
        """Whether the object only stands for the thing, as the tool for a knife."""
        return self.kind is not None and is_only_like(self.thing, self.kind)


def described_objects(batch: SemanticsBatch, scene: HandScene) -> list[DescribedObject]:
    """Return what each hand of a scene is to hold, by the semantics that it was posed from.

    Args:
        batch: One image for all frames, or one for each.
        scene: Hands in the order in which Pose Hand makes them.

    Raises:
        SesaHandError: If there are other frames or other hands than the semantics describe.
    """
    images = batch.images
    if len(images) not in (1, scene.num_frames):
        raise SesaHandError(
            f"The semantics are of {len(images)} images, the hands of {scene.num_frames} frames: connect the hands "
            "that were posed from them, or disconnect semantics and choose the object here."
        )
    found: dict[int, DescribedObject] = {}
    for frame, hands in hands_of_frames(scene.frame).items():
        image = images[frame if len(images) > 1 else 0]
        described = hands_to_pose(image, advice="disconnect semantics and choose the object here").posed
        if len(described) != len(hands):
            raise SesaHandError(
                f"Frame {frame} has {len(hands)} hands, but its semantics describe {len(described)} that can be posed: "
                "connect the hands of Pose Hand that were posed from them, or disconnect semantics and choose the "
                "object here."
            )
        other = hands_to_pose(image, side="left").posed
        told = [right.side if right.side == left.side else None for right, left in zip(described, other, strict=True)]
        objects = objects_of(described, image.language)
        found |= {n: replace(each, side=side) for n, each, side in zip(hands, objects, told, strict=True)}
    return [found[n] for n in range(len(scene))]


def objects_of(hands: Sequence[DescribedHand], language: str) -> list[DescribedObject]:
    """Return what each hand of an image holds, and which second hands are on what the first holds.

    Args:
        hands: Those that can be posed, in their order.
        language: Of their words, as `ImageSemantics` names it.
    """
    objects = [DescribedObject.of(hand, language) for hand in hands]
    for n, (before, hand) in enumerate(itertools.pairwise(hands), 1):
        held = objects[n - 1]
        same = replace(before, side=hand.side) == hand and before.side != hand.side
        if same and held.kind and not held.shared and is_one_for_two(held.thing, held.words):
            objects[n] = replace(objects[n], shared=True)
    return objects


def hold_described(
    scene: HandScene,
    batch: SemanticsBatch,
    size: float,
    chosen: Tensor,
    on_hand: Callable[[int, int], None] | None = None,
) -> tuple[Holding, list[str]]:
    """Close hands on what the text they were posed from lets them hold; others stay as they are.

    Args:
        scene: Hands as `described_objects` takes them.
        batch: What is said of them.
        size: Of all objects, in times their usual one.
        chosen: Which hands, bool `[N]`.
        on_hand: Called after each hand with how many are done and how many there are.

    Returns:
        The hands that hold something, and a line for each chosen one that does not, holds what is only like it,
        or is of the other side than the text says.

    Raises:
        SesaHandError: If none of them holds anything, or as `described_objects` and `hold_object` do.
    """
    wanted = described_objects(batch, scene)
    numbers = chosen.nonzero()[:, 0].tolist()
    # Of two hands on one thing, the first that is chosen has it.
    second = {n for n in numbers if wanted[n].shared and _hand_before(n, scene) in numbers}
    kinds = [wanted[n].kind if n in numbers and n not in second else None for n in range(len(scene))]
    left = [_left_out(n, scene, wanted[n], n in second) for n in numbers if kinds[n] is None]
    likened = [_likened(n, scene, wanted[n]) for n in numbers if kinds[n] and wanted[n].is_likened]
    mixed_up = [_mixed_up(n, scene, wanted[n]) for n in numbers if wanted[n].side not in (None, scene.side[n])]
    if numbers and not any(kinds):
        raise SesaHandError(
            f"The semantics name nothing that can be put into a hand ({'; '.join(left)}). Objects are "
            f"{', '.join(OBJECTS)}: say what the hand holds, such as 'a hand holding a red cup', or disconnect "
            "semantics and choose the object here."
        )
    grips: dict[int, Grip] = {}
    count = sum(kind is not None for kind in kinds)
    for kind in dict.fromkeys(filter(None, kinds)):
        before = len(grips)
        own = torch.tensor([each == kind for each in kinds])
        report = None if on_hand is None else lambda done, _, before=before: on_hand(before + done, count)
        holding = hold_object(scene, kind, size, own, report)
        scene, grips = holding.scene, grips | holding.grips
    return Holding(scene, dict(sorted(grips.items()))), [*mixed_up, *likened, *left]


def _named(n: int, scene: HandScene) -> str:
    return f"frame {int(scene.frame[n])}, {scene.side[n]} hand"


def _mixed_up(n: int, scene: HandScene, wanted: DescribedObject) -> str:
    return (
        f"{_named(n, scene)}: the semantics say a {wanted.side} hand in {quote(wanted.words)}; connect those that this "
        "hand was posed from, unless it was mirrored since"
    )


def _likened(n: int, scene: HandScene, wanted: DescribedObject) -> str:
    return f"{_named(n, scene)}: {quote(wanted.thing)} is held as the {wanted.kind}, the object most like it"


def _hand_before(n: int, scene: HandScene) -> int:
    """Return the hand before one in its frame, or -1."""
    return max((m for m in range(n) if scene.frame[m] == scene.frame[n]), default=-1)


def _left_out(n: int, scene: HandScene, wanted: DescribedObject, is_second: bool) -> str:
    hand = _named(n, scene)
    if is_second:
        return f"{hand}: {quote(wanted.thing)} is one thing, and the hand before it holds it; this one keeps its pose"
    if wanted.thing:
        return f"{hand}: {quote(wanted.thing)} is none of the objects, or not held"
    return f"{hand}: holds nothing in {quote(wanted.words)}"
