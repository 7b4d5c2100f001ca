"""The closed world of the small model: what its pictures can show, in which words, and other words for the same.

Everything that a rendered picture varies and a sentence can ask for stands here as data. `WORDS` is the whole
vocabulary; `translate` maps what people say onto it and tells which of their words the small model does not know.
"""

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from ..semantics.behavior import ImageSemantics, SemanticsBatch
from ..semantics.composer import as_typed
from .gestures import say_gestures

# sRGB of 0..255 of each colour word, apart enough to be told in any of the lights.
COLORS = {
    "red": (200, 52, 50),
    "orange": (236, 136, 48),
    "yellow": (242, 212, 84),
    "green": (86, 164, 92),
    "blue": (72, 126, 204),
    "purple": (132, 88, 180),
    "pink": (244, 164, 194),
    "gray": (148, 151, 158),
    "white": (240, 239, 234),
    "black": (44, 45, 52),
}
SKINS = {"pale": (248, 216, 198), "tan": (220, 166, 126), "brown": (154, 100, 68), "dark": (88, 55, 42)}
SLEEVES = ("red", "yellow", "green", "blue", "purple", "white", "black")
BACKGROUND_COLORS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "gray")
BACKGROUNDS = ("plain", "striped", "dotted", "tiled", "table")
OBJECTS = ("ball", "cube", "cup", "cone")
OBJECT_COLORS = ("red", "orange", "yellow", "green", "blue", "purple")
LIGHTS = ("left", "right", "above")
WARMTHS = ("warm", "cool", "soft")
SIDES = ("right", "left", "both")
PLACES = ("left", "right")
# Where the fingers point in the picture, and where the arm then comes from.
DIRECTIONS = {"up": "below", "left": "the right", "right": "the left", "down": "above"}


HELD = {"ball": "grasp_sphere", "cup": "grasp_cylinder"}

WORDS = frozenset(
    """
    a an the and with in on at of from is are it this there
    person skin sleeve wearing arm hand hands finger fingers palm back side thumb index
    pale tan brown dark red orange yellow green blue purple pink gray white black
    right left both up down above below front
    open flat spread closed making fist pointing peace sign raising three giving ok horns phone holding posing
    greeting stopping punching showing celebrating counting agreeing approving cheering calling carrying
    plain striped dotted tiled wall table
    warm cool soft light comes
    ball cube cup cone
    image picture shows scene mood calm cheerful bright background stands lies
    """.split()
)

# Phrases that mean the same as a phrase of the vocabulary; longest first when they are looked for. The names
# of gestures are not among them: `say_gestures` knows those.
SYNONYMS = {
    "waving": "greeting, open with spread fingers",
    "waves": "greeting, open with spread fingers",
    "wave": "greeting, open with spread fingers",
    "saying hello": "greeting",
    "hello": "greeting",
    "greets": "greeting",
    "splayed": "spread",
    "outstretched": "open",
    "stop": "stopping",
    "halt": "stopping",
    "two fingers": "making a peace sign",
    "forefinger": "index finger",
    "points": "pointing",
    "point": "pointing",
    "thumbs": "thumb",
    "thumb raised": "thumb up",
    "okay": "ok",
    "ok gesture": "ok sign",
    "makes": "making",
    "gesture": "sign",
    "gives": "giving",
    "gripping": "holding",
    "grasping": "holding",
    "holds": "holding",
    "grips": "holding",
    "carries": "carrying",
    "lifting": "raising",
    "raised": "up",
    "raises": "raising",
    "man": "person",
    "woman": "person",
    "boy": "person",
    "girl": "person",
    "child": "person",
    "someone's": "a",
    "upwards": "up",
    "downwards": "down",
    "fair": "pale",
    "light skin": "pale skin",
    "white skin": "pale skin",
    "olive": "tan",
    "tanned": "tan",
    "black skin": "dark skin",
    "dark brown": "dark",
    "crimson": "red",
    "scarlet": "red",
    "golden": "yellow",
    "violet": "purple",
    "lilac": "purple",
    "rose": "pink",
    "grey": "gray",
    "azure": "blue",
    "navy": "blue",
    "turquoise": "blue",
    "olive green": "green",
    "shirt": "sleeve",
    "sweater": "sleeve",
    "jacket": "sleeve",
    "coat": "sleeve",
    "sunlight": "warm light",
    "lamplight": "warm light",
    "daylight": "soft light",
    "moonlight": "cool light",
    "cold": "cool",
    "gentle": "soft",
    "overhead": "above",
    "top": "above",
    "desk": "table",
    "tabletop": "table",
    "stripes": "striped",
    "stripy": "striped",
    "polka dots": "dotted",
    "spotted": "dotted",
    "tiles": "tiled wall",
    "backdrop": "wall",
    "bathroom": "tiled wall",
    "mug": "cup",
    "glass": "cup",
    "bottle": "cup",
    "box": "cube",
    "block": "cube",
    "apple": "red ball",
    "sphere": "ball",
    "pyramid": "cone",
    "photo": "picture",
    "photograph": "picture",
}


@dataclass(frozen=True)
class Translation:
    """A text in the small model's words.

    Attributes:
        text: The text in its words; words that are not known stay where they are.
        unknown: Words of it that the small model does not know, each once, in their order.
    """

    text: str
    unknown: tuple[str, ...]


def translate(text: str) -> Translation:
    """Put gestures and synonyms into the small model's own words and find the words that it does not know.

    Args:
        text: A prompt or a component of semantics, in any letter case.
    """
    translated = say_gestures(text, SYNONYMS)
    translated = _synonym_pattern().sub(lambda match: SYNONYMS[" ".join(match.group().lower().split())], translated)
    if translated != text:
        # "an open palm" has become "an hand open ...".
        translated = re.sub(r"\b[Aa]n? (?=an? )", "", translated)
        translated = re.sub(r"\b[Aa]n? ([a-z]+)", lambda match: article(match[1]), translated)
    found = re.findall(r"[^\W_]+(?:'[^\W_]+)?", translated.lower())
    return Translation(translated, tuple(dict.fromkeys(word for word in found if word not in WORDS)))


@lru_cache(maxsize=1)
def _synonym_pattern() -> re.Pattern:
    longest_first = sorted(SYNONYMS, key=lambda phrase: (-len(phrase), phrase))
    choices = "|".join(re.escape(phrase).replace(r"\ ", r"\s+") for phrase in longest_first)
    return re.compile(rf"(?<!\w)(?:{choices})(?!\w)", re.IGNORECASE)


def article(phrase: str) -> str:
    """Return a phrase with "a" or "an" in front of it."""
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def batch_in_small_words(batch: SemanticsBatch) -> SemanticsBatch:
    """Semantics with components in the small model's own words, as far as it has words for the same."""

    def translated(image: ImageSemantics) -> ImageSemantics:
        own = {name: translate(text).text for name, text in image.behavior.to_dict().items()}
        return replace(image, behavior=image.behavior.replace(**own))

    return SemanticsBatch(tuple(map(translated, batch.images)))


def in_small_words(image: ImageSemantics) -> ImageSemantics:
    """The semantics with a prompt in the small model's own words, as far as it has words for the same."""
    translated = translate(image.prompt).text
    return image if translated == image.prompt else as_typed(image, translated)
