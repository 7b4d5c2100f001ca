"""An order: which sentences are to become pictures, of which hands, how many, and from which seeds."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch

from ..errors import SesaHandError, quote
from ..hands.loading import load_hand_model
from ..hands.model import HandModel
from ..hands.objects import OBJECTS
from ..models.base import BaseModel
from ..scene.hand_scene import HandScene
from ..scene.holding import hold_object
from ..scene.placement import Placement
from ..scene.placing import Hand, mirror_hand
from ..semantics.behavior import ImageSemantics
from ..semantics.captions import plain_caption, read_caption
from ..semantics.described_holding import objects_of
from ..semantics.gestures import gesture_called
from ..semantics.held_things import object_held
from ..semantics.posed_hands import HandsToPose, hands_to_pose
from ..vlm.captioner import Captioner
from ..world.vocabulary import in_small_words
from .canvas import check_size, see_at, size_for
from .requests import PictureRequest, read_words
from .variety import RAW, Variation, check_kinds, draw_variation, vary_hand, vary_placement, vary_words

Chooser = Callable[[int, Callable[[Variation], HandScene]], Variation]
_FACE = re.compile(r"\b(?:palm|palms|back of|back side|backs of|knuckles)\b", re.IGNORECASE)
_DIRECTION = re.compile(r"\b(?:up|down|upwards?|downwards?|thumbs?)(?:\b|_)", re.IGNORECASE)
_ADVICE = "name one with --gesture, or give hands with --scene or --picture-hands"

_BARE = "{} is not put into the hand, which is posed bare: --hold, without --gesture and --scene, puts it there"
_NOT_HELD = "{} puts nothing into a hand: the objects are {}"
_LIKENED = "{} is held as the {}, the object most like it"


@dataclass(frozen=True)
class Line:
    """A sentence out of a list, which somebody else may have written: never a path."""

    text: str


@dataclass(frozen=True, eq=False)
class Job:
    """One picture to be made: what is asked of it, the seed of its noise, and the style of its words if that varies."""

    request: PictureRequest
    seed: int
    style: str = ""


@dataclass(frozen=True, eq=False)
class Said:
    """What one sentence says.

    Attributes:
        image: Its semantics and prompt.
        hands: Gesture and side of each hand, "both" for a mirrored pair; none where the hands are given.
        names_side: Whether the words or the order say which hand it is.
        held: What each of the hands holds, of `hands.objects.OBJECTS`, or None; empty where all are bare.
    """

    image: ImageSemantics
    hands: tuple[tuple[str, str], ...]
    names_side: bool = True
    held: tuple[str | None, ...] = ()

    @property
    def names_face(self) -> bool:
        """Whether the words speak of the palm or the back of a hand."""
        return _FACE.search(f"{self.image.caption} {self.image.prompt}") is not None

    @property
    def names_direction(self) -> bool:
        """Whether the words, or the gesture itself, say where a hand points."""
        return _DIRECTION.search(f"{self.image.caption} {self.image.prompt} {self.gesture}") is not None

    @property
    def gesture(self) -> str:
        """Name of the first hand's gesture, or empty."""
        return self.hands[0][0] if self.hands else ""


@dataclass(frozen=True, eq=False)
class Order:
    """What is to be made, before it is known by which model.

    Attributes:
        sentences: Sentences, .txt files, or pictures that the captioner looks at; a `Line` is a sentence, whatever
            files are called so.
        gesture: The gesture of all hands; None takes the one that each sentence names.
        side: "right", "left" or "both"; None takes what each sentence says.
        hands: Hands that do not depend on the words, whose frames are taken in turn; None poses the gesture.
        placement: Where a posed hand goes; its size is that of the pictures.
        size: Width and height of the pictures in pixels; None is the model's own, in the proportions of mask or hands.
        hand_model: What is posed; the built-in hand if None.
        vlm: A captioner that looks at pictures and reasons about captions; None leaves it to the rules.
        verbatim: Let the sentences be the prompts as they are.
        prefix: Goes in front of each prompt.
        style: Goes behind it.
        count: Pictures of each sentence.
        seed: Of the first picture; the next ones count on.
        vary: What of the pictures varies by seed and number, of `variety.KINDS`; words alone where hands are given.
        choose: Chooses among variations of a picture: called with its number and with what makes the hands of a
            variation, it returns one. None takes the first.
        on_note: Called with what the user should know of the words.
        hold: Put what the words let a hand hold into it, and close its fingers on that.
    """

    sentences: tuple[str | Line, ...]
    gesture: str | None = None
    side: str | None = None
    hands: HandScene | None = None
    placement: Placement = field(default_factory=Placement)
    size: tuple[int, int] | None = None
    hand_model: HandModel | None = None
    vlm: Captioner | None = None
    verbatim: bool = False
    prefix: str = ""
    style: str = ""
    count: int = 1
    seed: int = 0
    on_note: Callable[[str], None] = lambda note: None
    vary: tuple[str, ...] = ()
    choose: Chooser | None = None
    hold: bool = False

    def __post_init__(self):
        object.__setattr__(self, "vary", check_kinds(self.vary))
        if self.hold and (self.hands is not None or self.gesture is not None):
            given = "hands are given" if self.hands is not None else "gesture is given"
            raise SesaHandError(f"The {given}, so the words put nothing into a hand: leave out that, or hold.")
        hand = set(self.vary) - {"caption"}
        if hand and self.hands is not None:
            raise SesaHandError(f"The hands are given, so {', '.join(sorted(hand))} cannot vary: leave out one.")
        if hand and self.placement.mask is not None:
            raise SesaHandError(f"A mask settles the hand, so {', '.join(sorted(hand))} cannot vary: leave out one.")
        if "size" in hand and self.placement.box is not None:
            raise SesaHandError("A box settles place and size, so size cannot vary: leave out one of them.")
        if "caption" in self.vary and self.verbatim:
            raise SesaHandError("Verbatim words are the prompt as they are, so caption cannot vary: leave out one.")

    @cached_property
    def said(self) -> tuple[Said, ...]:
        """What each sentence says.

        Raises:
            SesaHandError: If one cannot be read, or names no gesture where one is needed.
        """
        return tuple(map(self._read_typed, self.sentences))

    def jobs(self, base: BaseModel) -> list[Job]:
        """Return the pictures to be made with a base, in the order of sentences and counts.

        Raises:
            SesaHandError: If the base makes no pictures of the size that is asked for.
        """
        size = self.size_with(base)
        rows = ((said, self.count * place + n) for place, said in enumerate(self.said) for n in range(self.count))
        return [self.job(said, number, size, base.is_mini) for said, number in rows]

    def job(self, said: Said, number: int, size: tuple[int, int], in_small: bool) -> Job:
        """Return picture `number`, which does not depend on the others unless `choose` lets it.

        Args:
            said: What its sentence says, from `read`.
            number: From 0.
            size: Width and height in pixels, from `size_with`.
            in_small: Put the prompt into words that the small model knows.
        """
        variation, scene = self._variation(said, number, size)
        scene = see_at(scene, *size)
        image, style = said.image, ""
        if "caption" in self.vary and variation is not None:
            image, style = vary_words(variation, image, self.prefix, self.style), variation.style
        image = in_small_words(image) if in_small and not self.verbatim and style != RAW else image
        return Job(PictureRequest(image, scene, said.gesture), self.seed + number, style)

    def _variation(self, said: Said, number: int, size: tuple[int, int]) -> tuple[Variation | None, HandScene]:
        """How picture `number` varies, if it does, and its hands."""
        if not self.vary:
            return None, self._scene(said, number, size)

        def scene_of(variation: Variation) -> HandScene:
            return self._scene(said, number, size, variation)

        if self.choose is not None:
            variation = self.choose(number, scene_of)
        else:
            variation = draw_variation(self.seed, number)
        return variation, scene_of(variation)

    def read(self, text: str) -> Said:
        """Return what one sentence says, which is no path; raises as `said` does."""
        return self._understand(plain_caption(text))

    def _read_typed(self, what: str | Line) -> Said:
        if isinstance(what, Line):
            return self.read(what.text)
        return self._understand(read_caption(what, self.vlm, seed=self.seed))

    def _understand(self, caption: str) -> Said:
        image, warnings = read_words(caption, self.vlm, verbatim=self.verbatim, prefix=self.prefix, style=self.style)
        for warning in warnings:
            self.on_note(warning)
        if not self.hold and (self.hands is None or not self.hands.objects):
            for hand in image.hands:
                if object_held(hand, image.language):
                    self.on_note(_BARE.format(quote(hand.object)))
        if self.hands is not None:
            gesture = () if self.gesture is None else ((gesture_called(self.gesture).name, "right"),)
            return Said(image, gesture)
        named = self.side is not None or any(hand.side for hand in image.hands)
        if self.gesture is not None:
            return Said(image, self._in_gesture(self.gesture, image), named)
        found = hands_to_pose(image, "right", "words", _ADVICE)
        for line in found.report:
            self.on_note(line)
        held = self._held(image, found) if self.hold else ()
        if self.side is not None:
            return Said(image, ((found.gestures[0][0], self.side),), named, held[:1])
        # A mask takes one hand, whatever a sentence says of two.
        count = len(found.gestures) if self.placement.mask is None else 1
        return Said(image, found.gestures[:count], named, held[:count])

    def _in_gesture(self, gesture: str, image: ImageSemantics) -> tuple[tuple[str, str], ...]:
        """The ordered gesture with the side of its hand: as ordered, else as the sentence describes it."""
        sides = {hand.side for hand in image.hands if hand.side}
        named = "both" if len(sides) == 2 and self.placement.mask is None else next(iter(sides), "right")
        return ((gesture_called(gesture).name, self.side or named),)

    def _held(self, image: ImageSemantics, found: HandsToPose) -> tuple[str | None, ...]:
        """What each hand that is posed is given to hold, which is told where it is nothing, or only like the thing."""
        wanted = objects_of(found.posed, image.language)
        for each in wanted:
            if each.is_likened:
                self.on_note(_LIKENED.format(quote(each.thing), each.kind))
        # Of two hands on one thing, the first has it.
        held = tuple(None if each.shared else each.kind for each in wanted)
        if not any(held):
            self.on_note(_NOT_HELD.format(quote(image.caption), ", ".join(OBJECTS)))
        return held

    def size_with(self, base: BaseModel) -> tuple[int, int]:
        """Return width and height in pixels of the pictures that a base makes; raises as `jobs` does."""
        size, shape = self.size, self._shape()
        if size is None:
            native = (base.size, base.size)
            size = native if shape is None else size_for(shape, base.size, base.multiple)
        check_size(size, base.multiple, base.name)
        return size

    def _shape(self) -> tuple[int, int] | None:
        """Width and height in pixels of what the hands are in, if they are in something."""
        if self.hands is not None:
            return self.hands.camera.width, self.hands.camera.height
        mask = self.placement.mask
        return None if mask is None else (mask.shape[1], mask.shape[0])

    def _scene(self, said: Said, number: int, size: tuple[int, int], variation: Variation | None = None) -> HandScene:
        if self.hands is not None:
            return self.hands.select_frames([number % self.hands.num_frames])
        model = load_hand_model() if self.hand_model is None else self.hand_model
        placement = replace(self.placement, size=size)
        if variation is None:
            posed = [(Hand.in_gesture(model, gesture_called(name)), side) for name, side in said.hands]
        else:
            hands = 2 * len(said.hands) if said.hands[0][1] == "both" else len(said.hands)
            placement = vary_placement(
                variation, self.vary, placement, hands, not said.names_face, not said.names_direction
            )
            posed = [(vary_hand(variation, self.vary, model, gesture_called(name)), side) for name, side in said.hands]
            if "side" in self.vary and hands == 1 and not said.names_side:
                posed = [(posed[0][0], variation.side)]
        if len(posed) == 1:
            return _holding(placement.place(*posed[0]), said.held)
        scene = placement.place_all([mirror_hand(hand) if side == "left" else hand for hand, side in posed])
        return _holding(scene, said.held)


def _holding(scene: HandScene, held: Sequence[str | None]) -> HandScene:
    """Return a scene whose hands are closed on what each holds; of a mirrored pair, each has one of its own."""
    for kind in dict.fromkeys(filter(None, held)):
        chosen = torch.tensor([held[min(n, len(held) - 1)] == kind for n in range(len(scene))])
        scene = hold_object(scene, kind, 1.0, chosen).scene
    return scene
