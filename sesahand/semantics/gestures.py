"""The words for gestures, in one table: what each looks like, and how people say it.

Angles are `sesahand.hands.gestures`' part; both name the same gestures.
"""

from dataclasses import dataclass

from ..hands.gestures import Gesture, find_gesture


@dataclass(frozen=True)
class GestureWords:
    """What is said of a gesture.

    Attributes:
        description: One line that says what it looks like, for people and for language models.
        names: What it is called beside its name, in any inflection; "hold a bottle" also stands for "holds her red
            bottle".
        ambiguous: Single words, also its own name, that mean other things too; they count beside a word for the hand
            or for a sign.
        deeds: Forms of those that say what hands do wherever they stand: "waves", but not "wave".
        nouns: What a hand that makes it is called, so that a side may stand before it: "her left fist".
    """

    description: str
    names: tuple[str, ...] = ()
    ambiguous: tuple[str, ...] = ()
    deeds: tuple[str, ...] = ()
    nouns: tuple[str, ...] = ()


GESTURES = {
    "open_palm": GestureWords(
        "open hand, fingers straight and naturally spread",
        ("open hand", "high five", "spread fingers", "fingers spread", "splayed fingers"),
        ambiguous=("five", "wave", "hello", "palm"),
        deeds=("waves", "waving"),
        nouns=("palm",),
    ),
    "relaxed": GestureWords(
        "hand at rest, fingers softly bent, more so towards the little finger",
        ("resting hand", "loose hand", "hanging hand"),
        ambiguous=("relaxed", "rest", "natural"),
    ),
    "fist": GestureWords(
        "clenched hand, thumb against the index finger",
        ("clenched hand", "clenched fist", "closed hand", "hand clenched", "fist clenched", "punch"),
        ambiguous=("power",),
        nouns=("fist",),
    ),
    "point": GestureWords(
        "index finger pointing, the others folded under the thumb",
        ("index finger", "show the way"),
        ambiguous=("point", "pointing", "one", "indicate"),
        deeds=("points", "pointing"),
        nouns=("index",),
    ),
    "victory": GestureWords(
        "index and middle finger spread to a V, the thumb over the folded ring finger",
        ("peace", "peace sign", "v sign"),
        ambiguous=("two",),
    ),
    "three": GestureWords(
        "index, middle and ring finger up, the thumb holding the little finger down",
        ("three fingers", "w sign", "scout salute"),
        ambiguous=("three",),
    ),
    "four": GestureWords(
        "four fingers up, the thumb folded across the palm",
        ("four fingers",),
        ambiguous=("four",),
    ),
    "thumbs_up": GestureWords(
        "thumb stretched up from a fist",
        ("well done", "hitchhike", "thumb up"),
        ambiguous=("like", "approval", "good"),
        nouns=("thumb",),
    ),
    "ok": GestureWords(
        "thumb and index fingertip form a ring, the other fingers fan out",
        ("okay", "ring gesture", "all right"),
        ambiguous=("perfect",),
    ),
    "pinch": GestureWords(
        "thumb and index fingertip hold something small, the other fingers bent",
        ("precision grip", "pick up", "hold between thumb and finger"),
        ambiguous=("tweeze",),
    ),
    "key_grip": GestureWords(
        "thumb pressed on the side of the bent index finger, as on a key or a card",
        ("lateral pinch", "hold a card", "turn a key", "hold paper"),
    ),
    "call_me": GestureWords(
        "thumb and little finger stretched out, the others folded",
        ("shaka", "hang loose", "phone gesture"),
        ambiguous=("six",),
    ),
    "horns": GestureWords(
        "index and little finger up, the thumb over the folded middle and ring finger",
        ("rock on", "sign of the horns", "devil horns"),
        ambiguous=("horns", "rock", "metal"),
    ),
    "love_you": GestureWords(
        "thumb, index and little finger stretched, middle and ring finger folded",
        ("i love you", "ily"),
        ambiguous=("spider",),
    ),
    "finger_gun": GestureWords(
        "index finger pointing and thumb up, the others folded",
        ("l sign",),
        ambiguous=("gun", "pistol", "loser"),
    ),
    "finger_heart": GestureWords(
        "thumb and index finger crossed at their tips to a small heart",
        ("korean heart", "mini heart"),
        ambiguous=("love",),
    ),
    "claw": GestureWords(
        "spread fingers bent at their outer joints like a claw",
        ("crooked fingers",),
        ambiguous=("tiger", "scratch", "talons"),
        deeds=("scratching",),
    ),
    "hook": GestureWords(
        "fingers hooked at their middle joints, as around a handle",
        ("carry a bag", "hang on", "hold a handle", "hook grip"),
        ambiguous=("hook",),
    ),
    "flat_stop": GestureWords(
        "flat hand, fingers straight and side by side, thumb along the index finger",
        ("karate chop", "flat hand", "closed fingers", "fingers together"),
        ambiguous=("stop", "halt", "salute", "prayer"),
        deeds=("stops", "halting", "salutes", "saluting"),
    ),
    "grasp_cylinder": GestureWords(
        "hand around a bottle or a thick handle",
        ("hold a bottle", "hold a glass", "hold a can", "hold a cup", "hold a mug", "grip a pole", "power grip"),
    ),
    "grasp_sphere": GestureWords(
        "hand around a ball, fingers spread over it",
        ("hold a ball", "hold an apple", "hold an orange", "hold a fruit"),
        ambiguous=("catch",),
        deeds=("catches", "catching"),
    ),
    "hold_pen": GestureWords(
        "pen between thumb, index and middle finger, as for writing",
        ("hold a pen", "hold a pencil", "hold a brush", "tripod grip"),
        ambiguous=("write", "writing", "draw"),
        deeds=("writes", "writing", "draws", "drawing"),
    ),
    "hold_phone": GestureWords(
        "phone lying on the fingers, its edge in their bend, the thumb on its front",
        ("hold a phone", "smartphone"),
        ambiguous=("phone", "texting", "scroll", "selfie"),
        deeds=("texting", "scrolling"),
    ),
}


def gesture_called(name: str) -> Gesture:
    """Return the gesture that somebody named; case, spaces and hyphens do not matter.

    Raises:
        SesaHandError: If there is none; the message lists the names, and the one whose words are spelled most like it.
    """
    spellings = {word: name for name, words in GESTURES.items() for word in (*words.names, *words.ambiguous)}
    return find_gesture(name, spellings)


def describe_gesture(name: str) -> str:
    """Return the line that says what a gesture looks like; names are read as by `gesture_called`."""
    return GESTURES[gesture_called(name).name].description
