"""Prompts that are lists: which pieces between commas are tags, and what a tag speaks of.

"a boy clenching his fist, rooftop, sunset, masterpiece" is a sentence with three tags behind it, "1girl, v, smile,
park" is nothing but tags. A tag has no verb of its own but a participle.
"""

from . import lexicon
from .clauses import verbal
from .gesture_words import find_mentions
from .grammar import Token
from .places import names_pair
from .plain import GLUE

LONGEST_TAG = 5
_BACKDROPS = frozenset(lexicon.BACKDROPS.split())
_PLACE_PREPOSITIONS = frozenset(lexicon.PLACE_PREPOSITIONS.split())
_PARTS_OF_PLACES = frozenset(lexicon.PARTS_OF_PLACES.split())
_DEEDS = frozenset(lexicon.DEEDS_AS_TAGS.split())
_DONE_BY_THINGS = frozenset(lexicon.DONE_BY_THINGS.split())
_PLACED = frozenset("spread outstretched akimbo wide bent crossed raised".split())
_LIMBS = frozenset("arm arms leg legs knee knees".split())
_TIMES = frozenset("night dusk dawn sunset sunrise noon midnight winter summer autumn spring day daytime rain".split())
_OPEN_HANDS = frozenset(
    "hand hands finger fingers palm palms fist fists thumb thumbs fingertips wrist wrists "
    "facepalm headpat headpats fistbump handstand handholding steepled "
    "handshake handshakes forefinger forefingers knuckles pinky pinkies fingertip".split()
)


def take_tags(words: list[Token]) -> tuple[list[list[Token]], list[list[Token]]]:
    """Part the sentence of a list from its tags.

    Args:
        words: a sentence.

    Returns:
        What is to be read as sentences, and the tags, in order. A sentence that is no list comes back whole.
    """
    if not words:
        return [], []
    pieces = _pieces(words)
    tags = [piece for piece in pieces if _is_tag(piece)]
    if len(pieces) == 1:
        bare = bool(tags) and not words[0].has("det") and names_place(words)
        return ([], [words]) if bare else ([words], [])
    if not tags or _is_enumeration(pieces) or _is_prose(words, pieces) and 4 * len(tags) <= 3 * len(pieces):
        return [words], []
    rest: list[list[Token]] = []
    joined = False
    for piece, comma in zip(pieces, _commas(words), strict=True):
        if _is_tag(piece):
            joined = False
        elif joined and not _begins_with_hand(piece):
            rest[-1] += piece
        else:
            rest.append(list(piece))
            joined = True
        if joined and comma is not None:
            rest[-1].append(comma)
    return rest, tags


def _begins_with_hand(piece: list[Token]) -> bool:
    return any(item.lower in _OPEN_HANDS for item in piece[:3]) and not any(item.verb for item in piece[:1])


def _pieces(words: list[Token]) -> list[list[Token]]:
    pieces: list[list[Token]] = [[]]
    for item in words:
        if item.lower == ",":
            pieces.append([])
        else:
            pieces[-1].append(item)
    return pieces


def _commas(words: list[Token]) -> list[Token | None]:
    return [*(item for item in words if item.lower == ","), None]


def _is_prose(words: list[Token], pieces: list[list[Token]]) -> bool:
    """Whether a sentence is one with asides: it ends with a mark, or goes on with a conjunction."""
    if any(piece and piece[0].form == "s" and not piece[0].roles for piece in pieces[1:]):
        # "his opponent, a young woman, throws a ball"
        return True
    finite = any(item.form == "s" and verbal(words, k) for k, item in enumerate(words) if k)
    ended = words[-1].lower in (".", "!", "?") and (finite or words[0].text[:1].isupper() or words[0].has("det"))
    return ended or any(piece and piece[0].has("conj", "sub", "rel") for piece in pieces[1:])


def _is_enumeration(pieces: list[list[Token]]) -> bool:
    """Whether commas only part the members of a row: "lemons, peppers and lettuce are stacked"."""
    last = pieces[-1]
    return any(item.lower in ("and", "or") for item in last) and any(
        verbal(last, k) and item.form in ("s", "base") for k, item in enumerate(last) if k
    )


def _is_tag(piece: list[Token]) -> bool:
    """Whether a piece is a tag: short, without a finite verb, and not the beginning or end of something longer."""
    words = [item for item in piece if not item.has("mark")]
    if not words or len(words) > LONGEST_TAG:
        return not words
    first = words[0]
    if first.has("conj", "sub", "rel", "pronoun") or first.has("aux"):
        return False
    if names_place(words):
        return True
    if any(item.has("aux") for item in words):
        return False
    person = next((k for k, item in enumerate(words) if item.has("person")), None)
    if person is not None and any(item.has("prep") or item.form == "ed" for item in words[person + 1 :]):
        return False
    if len(words) == 2 and words[0].form == "ing" and words[0].verb in _DONE_BY_THINGS and not words[1].has("adv"):
        return True
    deeds = [k for k, item in enumerate(words) if item.verb and item.form in ("ing", "s") and verbal(words, k, k == 0)]
    return len(words) == 1 or not deeds


def names_place(words: list[Token]) -> bool:
    """Whether a tag is a place or a backdrop: "city street", "in a kitchen", "white background"."""
    words = _without_time(words)
    if len(words) > 1 and words[-1].lower in _PARTS_OF_PLACES and words[-2].has("place"):
        # "airport gate", "park bench"
        words = words[:-1]
    last, lead = words[-1], words[:-1]
    if names_pair(words):
        return not any(item.has("pronoun", "hand", "person") for item in lead[:-1])
    if (
        last.lower in _BACKDROPS
        and not any(item.has("prep") for item in lead)
        or len(words) == 1
        and last.lower in lexicon.OPEN_PLACES
    ):
        return True
    if not last.has("place") or last.has("person") or any(item.has("pronoun", "hand") for item in words):
        return False
    if any(item.lower in _PLACE_PREPOSITIONS for item in lead[1:]):
        return False
    return all(item.content or item.has("det", "owner") or item.lower in _PLACE_PREPOSITIONS for item in lead)


def _without_time(words: list[Token]) -> list[Token]:
    """A tag without "at night" behind it."""
    timed = len(words) > 2 and words[-2].lower in ("at", "in", "during") and words[-1].lower in _TIMES
    return words[:-2] if timed else words


def says_hands(words: list[Token]) -> bool:
    """Whether a tag speaks of hands: "hand on hip", "v", "peace sign"."""
    if any(item.lower in _OPEN_HANDS or item.lower in ("left", "right") and item.has("hand") for item in words):
        return True
    if words[0].form == "ing" and "grasp" in words[0].verb_classes and "posture" not in words[0].verb_classes:
        # "carrying", "reaching"
        return True
    return bool(find_mentions(" ".join("it" if GLUE in item.text else item.text for item in words)))


def says_pose(words: list[Token]) -> bool:
    """Whether a tag says how a body is placed: "sitting", "arms behind back", "from behind" not."""
    if any("posture" in item.verb_classes and item.form in ("ing", "ed") for item in words):
        # "floating hair" is no pose
        return not (words[0].form == "ing" and len(words) == 2 and words[1].has("appearance"))
    at = next((k for k, item in enumerate(words) if item.has("body")), None)
    if at is None:
        return False
    # "arms behind back", "crossed arms"
    before, behind = words[:at], words[at + 1 :]
    if at == 1 and words[0].lower == "on":
        # "on back"
        return True
    placed = any(item.form == "ed" or item.lower in _PLACED for item in before) and words[at].lower in _LIMBS
    return placed or any(item.has("prep", "adv") or item.form == "ed" or item.lower in _PLACED for item in behind)


def says_deed(words: list[Token]) -> bool:
    """Whether a tag is something that a person does: "smiling", "smile"."""
    first = words[0]
    told = first.form == "ing" and first.verb_classes not in (frozenset(), {"dropped"}) and verbal(words, 0, True)
    return (told or first.lower in _DEEDS) and all(item.has("adv") for item in words[1:])


def person_of_tag(words: list[Token]) -> list[Token]:
    """The person that a tag names, without what describes it; nothing if it names none."""
    at = next((k for k, item in enumerate(words) if item.has("person")), None)
    return words[: at + 1] if at is not None else []
