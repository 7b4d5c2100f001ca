"""What one picture of the small world shows, in words: drawn before anything is posed or painted."""

from dataclasses import dataclass

import numpy as np

from . import vocabulary
from .gestures import FREE, FREE_WORDS, GESTURES, WorldGesture

FREE_SHARE, BOTH_SHARE, BACK_SHARE, OBJECT_SHARE = 0.08, 0.08, 0.3, 0.6
DIRECTION_WEIGHTS = {"up": 0.55, "left": 0.17, "right": 0.17, "down": 0.11}


@dataclass(frozen=True)
class Thing:
    """An object of a colour, both from the vocabulary; `place` is where it stands, "" for one in the hand."""

    color: str
    kind: str
    place: str = ""


@dataclass(frozen=True)
class Attributes:
    """What a picture shows.

    Attributes:
        gesture: A key of `gestures.GESTURES`, or `gestures.FREE`.
        side: "right", "left", or "both" for two mirrored hands.
        view: "palm" or "back": which side of the hand is seen.
        direction: Where the fingers point, a key of `vocabulary.DIRECTIONS`.
        skin: A key of `vocabulary.SKINS`.
        sleeve: A colour.
        background: One of `vocabulary.BACKGROUNDS`.
        background_color: Its colour.
        light: Where the light comes from.
        warmth: What the light is like.
        beside: The object beside the hand, or None.
        held: The object in the hand, or None.
    """

    gesture: str
    side: str
    view: str
    direction: str
    skin: str
    sleeve: str
    background: str
    background_color: str
    light: str
    warmth: str
    beside: Thing | None = None
    held: Thing | None = None

    @property
    def words(self) -> WorldGesture:
        return FREE_WORDS if self.gesture == FREE else GESTURES[self.gesture]

    @property
    def arm(self) -> str:
        """Where the arm comes from: "below", "above", "the left" or "the right"."""
        if self.gesture == "thumbs_up":
            # The thumb points up, so that the fist, and with it the arm, lies sideways.
            return {"right": "the right", "left": "the left", "both": "below"}[self.side]
        return vocabulary.DIRECTIONS[self.direction]

    @property
    def things(self) -> tuple[Thing, ...]:
        return tuple(thing for thing in (self.held, self.beside) if thing is not None)


def draw_attributes(rng: np.random.Generator) -> Attributes:
    """Draw what a picture shows. Gestures are equally frequent; what is coloured stands out from the background."""
    gesture = FREE if rng.random() < FREE_SHARE else pick(rng, tuple(GESTURES))
    words = FREE_WORDS if gesture == FREE else GESTURES[gesture]
    both = rng.random() < BOTH_SHARE and gesture not in ("hold", "thumbs_up", FREE)
    side = "both" if both else pick(rng, ("right", "left"))
    view = "back" if rng.random() < BACK_SHARE and words.back else "palm"
    weights = np.array([DIRECTION_WEIGHTS[name] for name in words.directions])
    direction = str(rng.choice(words.directions, p=weights / weights.sum()))
    background_color = pick(rng, vocabulary.BACKGROUND_COLORS)
    held = draw_held(rng, background_color) if gesture == "hold" else None
    if held is not None and held.kind == "cup":
        # Upright in a hand whose thumb is up.
        direction = "left" if side == "right" else "right"
    beside = draw_beside(rng, held, background_color) if rng.random() < OBJECT_SHARE and not both else None
    return Attributes(
        gesture=gesture,
        side=side,
        view=view,
        direction="up" if both else direction,
        skin=pick(rng, tuple(vocabulary.SKINS)),
        sleeve=pick(rng, other_than(background_color, vocabulary.SLEEVES)),
        background=pick(rng, vocabulary.BACKGROUNDS),
        background_color=background_color,
        light=pick(rng, vocabulary.LIGHTS),
        warmth=pick(rng, vocabulary.WARMTHS),
        beside=beside,
        held=held,
    )


def draw_held(rng: np.random.Generator, background_color: str) -> Thing:
    """Draw an object to lie in the hand."""
    return Thing(pick(rng, object_colors(background_color)), pick(rng, tuple(vocabulary.HELD)))


def draw_beside(rng: np.random.Generator, held: Thing | None, background_color: str) -> Thing:
    """Draw an object to stand beside the hand, of another kind than the one in it."""
    kinds = vocabulary.OBJECTS if held is None else other_than(held.kind, vocabulary.OBJECTS)
    return Thing(pick(rng, object_colors(background_color)), pick(rng, kinds), pick(rng, vocabulary.PLACES))


def object_colors(background_color: str) -> tuple[str, ...]:
    """Return the colours of objects that can be seen in front of a background."""
    return other_than(background_color, vocabulary.OBJECT_COLORS)


def other_than(one: str, choices: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(choice for choice in choices if choice != one)


def pick(rng: np.random.Generator, choices: tuple[str, ...]) -> str:
    return choices[int(rng.integers(len(choices)))]
