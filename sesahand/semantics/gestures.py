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
        things: What such a hand holds, as the last word of it: "cup" for "a blue coffee cup".
        tags: What names it where it stands alone between two commas, as in lists of tags: "v".
    """

    description: str
    names: tuple[str, ...] = ()
    ambiguous: tuple[str, ...] = ()
    deeds: tuple[str, ...] = ()
    nouns: tuple[str, ...] = ()
    things: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


def _things(names: str) -> tuple[str, ...]:
    """Names of things out of a line of them; an underscore stands for a space."""
    return tuple(name.replace("_", " ") for name in names.split())


GESTURES = {
    "open_palm": GestureWords(
        "open hand, fingers straight and naturally spread",
        (
            "open hand",
            "high five",
            "high fiving",
            "five fingers",
            "spread fingers",
            "fingers spread",
            "splayed fingers",
            "palm forward",
            "palm out",
            "palm facing",
            "palm open",
            "palm of hand",
            "empty palm",
            "palm up",
            "hand open",
            "hold up palm",
            "raise palm",
            "show palm",
        ),
        ambiguous=("five", "wave", "hello", "palm"),
        deeds=("waves", "waving"),
        nouns=("palm",),
        tags=("wave", "waves", "high five", "palm", "palms", "\U0001f590", "\u270b", "\U0001f44b"),
    ),
    "relaxed": GestureWords(
        "hand at rest, fingers softly bent, more so towards the little finger",
        ("resting hand", "loose hand", "hanging hand"),
        ambiguous=("relaxed", "rest", "natural"),
    ),
    "fist": GestureWords(
        "clenched hand, thumb against the index finger",
        (
            "clenched hand",
            "clenched fist",
            "closed hand",
            "hand clenched",
            "fist clenched",
            "balled hand",
            "fist bump",
            "fist pump",
        ),
        ambiguous=("power", "punch", "fistbump"),
        deeds=("punches", "punching", "fistbumping"),
        nouns=("fist",),
        tags=("punch", "power fist", "\u270a", "\U0001f44a"),
    ),
    "point": GestureWords(
        "index finger pointing, the others folded under the thumb",
        (
            "index finger",
            "show the way",
            "finger pointing",
            "point finger",
            "one finger up",
            "finger to lips",
            "finger on lips",
            "finger against lips",
            "finger over lips",
            "finger to mouth",
        ),
        ambiguous=("point", "pointing", "one", "indicate", "shush"),
        deeds=("points", "pointing", "shushing", "shushes"),
        nouns=("index",),
        tags=("point", "shush", "\U0001f449", "\U0001f448", "\U0001f446", "\U0001f447", "\u261d"),
    ),
    "victory": GestureWords(
        "index and middle finger spread to a V, the thumb over the folded ring finger",
        ("peace sign", "victory sign", "v sign", "double v", "double peace", "two fingers", "scissors sign"),
        ambiguous=("two", "victory", "peace", "v"),
        tags=("v", "peace", "peace fingers", "v over eye", "v over mouth", "double v", "\u270c"),
    ),
    "three": GestureWords(
        "index, middle and ring finger up, the thumb holding the little finger down",
        ("three fingers", "w sign", "scout salute"),
        ambiguous=("three",),
        tags=("w", "double w"),
    ),
    "four": GestureWords(
        "four fingers up, the thumb folded across the palm",
        ("four fingers",),
        ambiguous=("four",),
    ),
    "thumbs_up": GestureWords(
        "thumb stretched up from a fist",
        ("well done sign", "hitchhike", "thumb up", "thumb raised", "raised thumb", "thumb in the air"),
        ambiguous=("like", "approval", "good"),
        nouns=("thumb",),
        tags=("\U0001f44d", "hitchhiking"),
    ),
    "ok": GestureWords(
        "thumb and index fingertip form a ring, the other fingers fan out",
        ("ring gesture", "ok sign", "okay sign", "all right sign"),
        ambiguous=("ok", "okay", "perfect"),
        tags=("ok", "okay", "\U0001f44c"),
    ),
    "pinch": GestureWords(
        "thumb and index fingertip hold something small, the other fingers bent",
        ("precision grip", "hold between thumb and finger", "pinch finger", "hold between two fingers"),
        ambiguous=("pinch", "tweeze", "pick up"),
        deeds=("pinches", "pinching"),
        things=_things("needle pill coin bead pin screw pawn seed tweezers berry diamond gem"),
    ),
    "key_grip": GestureWords(
        "thumb pressed on the side of the bent index finger, as on a key or a card",
        ("lateral pinch", "turn a key"),
        things=_things("paper key card ticket passport envelope banknote"),
    ),
    "call_me": GestureWords(
        "thumb and little finger stretched out, the others folded",
        ("shaka", "hang loose", "phone gesture", "call me sign"),
        ambiguous=("six", "call_me"),
        tags=("\U0001f919",),
    ),
    "horns": GestureWords(
        "index and little finger up, the thumb over the folded middle and ring finger",
        ("sign of the horns", "devil horns", "metal horns", "rock horns", "throw horns"),
        ambiguous=("horns", "rock", "metal", "rock on"),
        tags=("\U0001f918", "\\m/"),
    ),
    "love_you": GestureWords(
        "thumb, index and little finger stretched, middle and ring finger folded",
        ("i love you sign", "ily sign", "spiderman sign"),
        ambiguous=("spider", "i love you", "ily", "love_you"),
        tags=("\U0001f91f",),
    ),
    "finger_gun": GestureWords(
        "index finger pointing and thumb up, the others folded",
        ("finger pistol", "finger like gun", "l sign", "gun fingers", "gun sign"),
        ambiguous=("gun", "pistol", "loser"),
    ),
    "finger_heart": GestureWords(
        "thumb and index finger crossed at their tips to a small heart",
        ("korean heart", "mini heart sign"),
        ambiguous=("love", "mini heart"),
        tags=("\U0001faf0",),
    ),
    "claw": GestureWords(
        "spread fingers bent at their outer joints like a claw",
        ("crooked fingers", "claw pose", "claw hand", "clawed hand", "fingers clawed", "clawing"),
        ambiguous=("claw", "tiger", "scratch", "talons"),
    ),
    "hook": GestureWords(
        "fingers hooked at their middle joints, as around a handle",
        ("carry a bag", "hold a handle", "hook grip", "hooked fingers"),
        ambiguous=("hook", "hang on"),
        things=_things(
            "bag bags handbag suitcase briefcase bucket basket pail toolbox purse luggage tote duffel satchel "
            "lunchbox birdcage valise"
        ),
    ),
    "flat_stop": GestureWords(
        "flat hand, fingers straight and side by side, thumb along the index finger",
        (
            "karate chop",
            "flat hand",
            "flat palm",
            "closed fingers",
            "fingers together",
            "hand flat",
            "palm flat",
            "prayer hands",
            "praying hands",
            "palms together",
            "palms pressed together",
            "own hands together",
            "hands together",
            "hands folded in prayer",
            "hands in prayer",
            "military salute",
            "namaste",
        ),
        ambiguous=("stop", "halt", "salute", "prayer"),
        deeds=("salutes", "saluting"),
        tags=("salute", "salutes", "stop gesture", "prayer pose", "\U0001f64f", "\U0001fae1"),
    ),
    "grasp_cylinder": GestureWords(
        "hand around a bottle or a thick handle",
        ("grip a pole", "power grip"),
        things=_things(
            "bottle glass can cup mug teacup tumbler goblet chalice stein beer coffee tea wine champagne cocktail "
            "drink thermos jar vase candle torch flashlight lantern microphone mic umbrella parasol sword katana "
            "saber sabre lightsaber dagger knife axe hammer mallet wrench screwdriver shovel rake broom mop staff "
            "wand cane stick pole spear lance trident scepter sceptre club bat racket racquet paddle oar rod "
            "flagpole rope railing handrail handle handlebar handlebars wheel lever pan wok spatula ladle "
            "telescope flute megaphone baton bar barbell dumbbell rolling_pin hilt hose pickaxe scythe whip drill "
            "cleaver machete rapier scimitar cutlass broadsword greatsword mace halberd harpoon trowel spade hoe "
            "pitchfork crowbar gavel whisk canteen crutch sledgehammer hacksaw "
            "hairbrush sparkler plunger saucepan skillet "
            "steering_wheel"
        ),
    ),
    "grasp_sphere": GestureWords(
        "hand around a ball, fingers spread over it",
        ("hold a fruit", "catch a ball"),
        ambiguous=("catch",),
        things=_things(
            "ball baseball basketball apple orange fruit sphere orb globe peach pear lemon tomato grapefruit "
            "onion snowball grenade pomegranate mango plum melon "
            "volleyball softball bauble"
        ),
    ),
    "hold_pen": GestureWords(
        "pen between thumb, index and middle finger, as for writing",
        ("tripod grip",),
        ambiguous=("write", "writing", "draw", "sketch"),
        deeds=("writes", "writing", "draws", "drawing", "sketching", "sketches"),
        things=_things(
            "pen pencil brush paintbrush crayon marker chalk quill stylus scalpel lipstick chopsticks eyeliner "
            "mascara ballpoint charcoal"
        ),
    ),
    "hold_phone": GestureWords(
        "phone lying on the fingers, its edge in their bend, the thumb on its front",
        ("take a selfie", "taking selfie"),
        ambiguous=("phone", "texting", "scroll", "selfie", "smartphone"),
        deeds=("texting", "scrolling", "scrolls"),
        things=_things("phone smartphone cellphone iphone mobile"),
        tags=("selfie",),
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
