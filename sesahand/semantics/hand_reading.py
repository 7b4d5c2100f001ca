"""What each hand of a caption does: its side, its gesture, what it holds and whose it is, by the rules.

A sentence is cut into short units: one deed or one hand each. What a unit says of a hand becomes a hand, unless it
goes on about the one before ("she raises her right hand, palm forward"). What is denied, hidden or only a figure of
speech is left out.
"""

import itertools
import re
from dataclasses import dataclass, field, replace

from . import lexicon
from .denials import told
from .described_hands import DescribedHand
from .gesture_words import GestureMention, find_mentions
from .gestures import GESTURES
from .grammar import CLOSED, NOUNS, VERBS, Token, join, of_last_word, sentences
from .languages import detect_language, read_foreign_hands
from .plain import GLUE, plain
from .prompt_syntax import read_syntax

_HANDS = frozenset("hand hands palm palms fist fists".split())
_PALMS = frozenset("palm palms".split())
_PARTS = frozenset(
    "finger fingers fingertip fingertips thumb thumbs knuckle knuckles pinky pinkies forefinger fingernails".split()
)
_SIDES = ("right", "left")
# These keep any thing; the next ones only what a hand closes around; the last what a hand is named with.
_HOLDING = frozenset(lexicon.HOLDING_VERBS.split()) - {"raise", "lift", "squeeze", "clink", "hoist"}
_LIFTED = frozenset(
    "raise lift squeeze clink hoist point aim catch swing wave twirl pick pluck tilt tip apply pass offer".split()
)
_TAKING = frozenset({"take", "use"})
_TWO = frozenset("both two double twin".split())
_NUMBERS = {"two": 2, "both": 2, "three": 3, "four": 4, "couple": 2, "twin": 2, "twins": 2, "pair": 2}
_ANIMALS = frozenset(form for noun in lexicon.ANIMALS.split() for form in lexicon.noun_forms(noun))
_BREAKS = CLOSED["sub"] | {"who", "whose", "but", "then", "whereas", "while"}
_GOES_ON = frozenset("of for full".split())
_PARTICLES = frozenset("up out onto down back firmly tightly gently carefully close aloft high".split())
_PLURALS = frozenset("fists signs guns palms hands gestures hearts claws pistols symbols vs".split())
_MIDDLE = frozenset("index middle ring thumb fore".split())
_OBJECT_GESTURES = {
    " ".join([*thing.split()[:-1], form]): name
    for name, entry in GESTURES.items()
    for thing in entry.things
    for form in lexicon.noun_forms(thing.split()[-1])
}
# "Holding her breath", "carrying on a conversation": nothing is in the hand.
_NOT_HELD = frozenset(
    "breath conversation speech meeting meetings court hostage hostages grudge hope gaze stance pose poses position "
    "record records office title attention power tune weight line secret secrets memory memories vigil".split()
)
_WHERE_HANDS_ARE = frozenset("on behind under against around over above up out raised open together flat".split())
_MOST_HANDS = 8
# "The boy on the right" says nothing of his hands.
_BESIDE = re.compile(r"\b(?:on|to|at)\s+the\s+(?:far\s+)?(?:right|left)\s*$")


@dataclass
class _Person:
    """Who the hands belong to at a place of the text."""

    words: str | None = None
    count: int = 1
    known: bool = False


@dataclass
class _Unit:
    """A stretch of a sentence with one deed or one hand.

    Args:
        tokens: its words.
        opener: the word or mark in front of it; "." at the begin of a sentence.
    """

    tokens: list[Token]
    opener: str = "."


@dataclass
class _HandWord:
    """A word for a hand with what stands before it: "her left hand", "both fists", "the other"."""

    at: int
    start: int
    side: str | None
    count: int
    part: bool = False
    other: bool = False
    definite: bool = False
    owner: str | None = None


@dataclass
class _Found:
    """A hand on its way to be described."""

    side: str | None
    gesture: str | None
    object: str | None
    owner: str | None
    words: str
    named: bool
    placed: bool = False
    other: bool = False
    single: bool = True
    group: int = 0
    parts: list[str] = field(default_factory=list)


def hands_of(caption: str) -> tuple[DescribedHand, ...]:
    """The hands that a caption describes, by the rules: in English, or called by name in another language.

    Args:
        caption: as typed, with prompt syntax.
    """
    text = read_syntax(caption).text
    return read_hands(text) if detect_language(text) == "en" else read_foreign_hands(text)


def read_hands(caption: str) -> tuple[DescribedHand, ...]:
    """Find the hands that an English caption or a list of tags describes.

    Args:
        caption: without prompt syntax.

    Returns:
        The hands in the caption's order, at most eight; two of one person where it speaks of both.
    """
    person, number = _Person(), 0
    found: list[_Found] = []
    met, named = person, ""
    for words in sentences(plain(caption, keep_asides=True)):
        for unit in _units(told(words)):
            number += 1
            person = met if unit.opener in ("who", "whose") else _person_of(unit, person)
            met = _met(unit, person)
            for hand in _read(unit, person, named):
                hand.group = number
                _add(found, hand, unit)
            named = _thing_named(unit.tokens) or named
    if not any(hand.named for hand in found) and not person.known and _speaks_of_things(caption):
        return ()
    return tuple(_described(_settled(found)))[:_MOST_HANDS]


def _speaks_of_things(caption: str) -> bool:
    return re.search(lexicon.DEPICTED, caption, re.IGNORECASE) is not None


def _units(words: list[Token]) -> list[_Unit]:
    """Cut a sentence at marks, conjunctions and where a hand with a deed of its own begins."""
    units, start, opener = [], 0, "."
    for k, item in enumerate(words):
        if k < start:
            continue
        if not _cuts(words, start, k):
            continue
        if k > start:
            units.append(_Unit(words[start:k], opener))
        opener = item.lower
        start = k if item.lower in ("with", "his", "her", "their") else k + 1
    if start < len(words):
        units.append(_Unit(words[start:], opener))
    return [unit for unit in units if unit.tokens]


def _cuts(words: list[Token], start: int, k: int) -> bool:
    item = words[k]
    if item.has("mark"):
        return not item.lower.startswith(("'", "-", "/"))
    if item.lower in _BREAKS:
        return True
    if item.lower in ("and", "or", "&"):
        return not _joins_one(words, start, k)
    if item.lower == "with" and k > start:
        return _own_deed_follows(words, k) and _says_hand(words[start:k])
    return False


def _says_hand(words: list[Token]) -> bool:
    """Whether a stretch speaks of a hand or of something held."""
    return any(item.lower in _HANDS | _PARTS or item.verb in _HOLDING for item in words) or bool(
        find_mentions(join(words))
    )


def _joins_one(words: list[Token], start: int, k: int) -> bool:
    """Whether "and" joins two nouns of one deed: "thumb and index finger", "a man and a woman shaking hands"."""
    before, after = words[k - 1] if k else None, words[k + 1 : k + 4]
    if before is None:
        return False
    if before.lower in _MIDDLE | _PARTS and any(item.lower in _PARTS for item in after):
        return True
    if before.lower in _SIDES and after and after[0].lower in _SIDES:
        return True
    stretch = words[start:k]
    told_deed = any(item.verb and item.form in ("ing", "s", "ed") and not item.has("person") for item in stretch)
    return not told_deed and not _says_hand(stretch) and any(item.has("person") for item in stretch)


def _own_deed_follows(words: list[Token], k: int) -> bool:
    """Whether "with" begins a hand that does or is somewhere by itself: "with her left hand on her hip"."""
    for at in range(k + 1, min(k + 6, len(words))):
        if words[at].has("mark", "conj"):
            return False
        if words[at].lower in _HANDS | _PARTS:
            following = words[at + 1] if at + 1 < len(words) else None
            place = following is not None and following.lower in _WHERE_HANDS_ARE
            return following is not None and (place or following.form in ("ing", "ed"))
    return False


def _person_of(unit: _Unit, before: _Person) -> _Person:
    """Whom a unit is about: the first person before its deed, or who the text spoke of before."""
    words = unit.tokens
    for k, item in enumerate(words):
        if item.has("person") and not item.has("owner") and not (k and words[k - 1].lower in ("-",)):
            if _is_object(words, k):
                continue
            return _Person(_noun_phrase(words, k), _count_of(words, k), True)
        if item.lower in ("he", "she", "they", "i", "you", "we"):
            return replace(before, known=True)
        if item.has("owner") and item.lower.endswith(("'s", "s'")) and k < len(words) - 1:
            owner = item.lower.removesuffix("'s").removesuffix("'")
            if owner in NOUNS["person"] and any(word.lower in _HANDS | _PARTS for word in words[k + 1 : k + 4]):
                return _Person(owner, 1, True) if not _is_object(words, k) else before
    first = words[0].lower
    if before.count > 1 and first in ("one", "other") or [w.lower for w in words[:2]] == ["the", "other"]:
        hand = any(item.lower in _HANDS for item in words[:3])
        if not hand and before.count > 1:
            return _Person("one" if first == "one" else "the other", 1, True)
    return before


def _met(unit: _Unit, person: _Person) -> _Person:
    """The person named last, of whom a "who" goes on to speak."""
    at = max((k for k, item in enumerate(unit.tokens) if item.has("person")), default=None)
    return person if at is None else _Person(_noun_phrase(unit.tokens, at), _count_of(unit.tokens, at), True)


def _is_object(words: list[Token], k: int) -> bool:
    """Whether the person at `k` is somebody to whom something is done: "waving at his dad"."""
    at = k - 1
    while at >= 0 and (words[at].has("det", "owner", "color", "opinion") or words[at].content and not words[at].verb):
        at -= 1
    if at < 0:
        return False
    if words[at].has("prep"):
        return words[at].lower not in ("of", "as")
    return bool(words[at].verb) and words[at].form in ("ing", "s", "base") and not words[at].has("person")


def _noun_phrase(words: list[Token], k: int) -> str:
    start = k
    while start and (words[start - 1].has("det", "owner") or words[start - 1].content) and not words[start - 1].verb:
        start -= 1
    return join(words[start : k + 1])


def _count_of(words: list[Token], k: int) -> int:
    tagged = re.fullmatch(r"(\d)\+?(?:girl|boy)s?", words[k].lower)
    if tagged:
        return min(int(tagged[1]), 4)
    if words[k].lower in ("couple", "twins", "duo"):
        return 2
    joined = [j for j in range(k + 1, min(k + 5, len(words))) if words[j].has("person")]
    if joined and any(item.lower in ("and", "&") for item in words[k + 1 : joined[0]]):
        return 2
    before = [item.lower for item in words[max(0, k - 3) : k]]
    return next((_NUMBERS[word] for word in before if word in _NUMBERS), 1) if words[k].plural else 1


def _hand_words(words: list[Token]) -> list[_HandWord]:
    """The words for hands in a unit, with their side and number; "the fingers of her left hand" is one."""
    found: list[_HandWord] = []
    for k, item in enumerate(words):
        if item.lower in ("hand", "hands") and _hands_over(words, k):
            continue
        ellipsis = _is_ellipsis(words, k)
        if item.lower not in _HANDS | _PARTS and not ellipsis and not _stands_for_other(words, k):
            continue
        if found and _of_joins(words, found[-1].at, k):
            found[-1] = replace(_hand_word(words, k), start=found[-1].start)
        elif not (found and k == found[-1].at + 1):
            found.append(_hand_word(words, k))
    return found


def _hands_over(words: list[Token], k: int) -> bool:
    """Whether "hands" is a verb: "a waiter hands a menu to a customer"."""
    after = words[k + 1] if k + 1 < len(words) else None
    return k > 0 and words[k - 1].has("person", "pronoun") and after is not None and after.has("det", "object pronoun")


def _of_joins(words: list[Token], before: int, k: int) -> bool:
    between = [item.lower for item in words[before + 1 : k]]
    others = [item for item in words[before + 2 : k] if not item.has("det")]
    return "of" in between[:1] and not any(item.verb or item.has("person") for item in others)


def _is_ellipsis(words: list[Token], k: int) -> bool:
    """Whether "left" or "right" stands for a hand: "waves with the right", "a whistle in his left"."""
    if words[k].lower not in _SIDES or not k:
        return False
    after = words[k + 1] if k + 1 < len(words) else None
    if (
        after is not None
        and not after.has("pronoun")
        and (after.content and not after.verb or after.lower in _HANDS | _PARTS)
    ):
        return False
    before = [item.lower for item in words[max(0, k - 2) : k]]
    possessive = before[-1] in ("his", "her", "their", "my", "your")
    return bool(before) and (
        before[:1]
        and before[0] in ("with", "in", "of", "using")
        and (possessive or before[-1] == "the")
        or possessive
        and words[k].has("hand")
    )


def _stands_for_other(words: list[Token], k: int) -> bool:
    """Whether "the other" stands for a hand that is not named again."""
    if words[k].lower != "other" or not k or words[k - 1].lower not in ("the", "her", "his", "their"):
        return False
    after = words[k + 1] if k + 1 < len(words) else None
    return after is None or after.lower == "one" or bool(after.verb) or after.has("prep", "adv", "aux")


def _hand_word(words: list[Token], k: int) -> _HandWord:
    """Read what stands before a word for a hand."""
    item, start, side, count, other, definite, owner = words[k], k, None, 1, False, False, None
    plural = item.lower in ("hands", "palms", "fists")
    if item.lower in _SIDES:
        side = item.lower
    for at in range(k - 1, max(-1, k - 6), -1):
        before = words[at]
        if before.lower in _SIDES:
            side = side or before.lower
        elif before.lower in _TWO or before.lower == "each":
            count = 2
        elif before.lower == "other":
            other = True
        elif before.lower in ("the", "this", "that", "his", "her", "their"):
            definite = True
        elif before.has("mark", "conj", "aux") or before.has("prep") or before.verb and before.form in ("ing", "s"):
            if not (before.form == "ing" and at == k - 1 and before.lower not in VERBS):
                break
        elif before.lower.endswith(("'s", "s'")):
            owner = before.lower.removesuffix("'s").removesuffix("'")
        start = at
    if words[k].lower == "other":
        other = True
    count = 2 if plural and side is None and not other else count
    return _HandWord(k, start, side, count, item.lower in _PARTS, other, definite, owner)


def _thing_named(words: list[Token]) -> str:
    """The last thing of a unit that a hand could hold, for an "it" behind it."""
    return next((item.lower for item in reversed(words) if item.lower in _OBJECT_GESTURES), "")


def _read(unit: _Unit, person: _Person, named: str) -> list[_Found]:
    """The hands that one unit speaks of; `named` is the last thing that was named before."""
    words = unit.tokens
    text = " ".join("it" if GLUE in item.text else item.text for item in words)
    if _deed_of_animal(words) or re.search(lexicon.DEPICTED, text, re.IGNORECASE):
        return []
    hands = _hand_words(words)
    mentions = _fitting(find_mentions(text))
    thing, keeps = _held(words, hands)
    thing = named or thing if thing in ("it", "them") else thing
    gesture = _gesture(text, thing, mentions, keeps)
    main = _main(hands)
    if main is not None and thing is None and gesture in (None, "relaxed") and words[main.at].lower in _PALMS:
        # who sees a palm sees an open hand
        gesture = "open_palm"
    if gesture is None and main is None and thing is None:
        return []
    if gesture is None and main is not None and main.part and thing is None and not _does(words):
        # "red fingernails", "knuckles": nothing that a hand does
        return []
    side = main.side if main else _side_of_gesture(text, mentions)
    if main is not None and main.part and side is None:
        side = _side_of_arm(words)
    count = _count(words, text, main, mentions, gesture)
    if main is None and gesture is not None and (thing or "").lower().startswith(("two ", "both ")):
        count = 2
    owner = (main.owner if main and main.owner else None) or person.words
    several = person.count if (main is None or main.count == 1 and not main.side) or count == 2 else 1
    one = _Found(
        side,
        gesture,
        thing,
        owner,
        _naming_words(text, gesture, thing, mentions),
        named=main is not None,
        placed=_placed(words, main),
        other=bool(main and main.other),
        single=bool(main and main.definite and main.count == 1 and main.side is None and not main.other),
    )
    if several > 1:
        return [replace(one) for _ in range(several)]
    if count == 2 and side is None:
        return [replace(one, side="right", other=False), replace(one, side="left", other=False)]
    return [one]


def _side_of_arm(words: list[Token]) -> str | None:
    """The side of the arm whose fingers are told of: "left arm raised with the fingers spread"."""
    pairs = itertools.pairwise(item.lower for item in words)
    return next((side for side, limb in pairs if side in _SIDES and limb == "arm"), None)


def _naming_words(text: str, gesture: str | None, thing: str | None, mentions: list[GestureMention]) -> str:
    """The words that a gesture is known by; the whole unit where it is what is held."""
    own = next((each for each in mentions if thing is None and each.name == gesture), None)
    return text[own.start : own.end] if own else text


def _deed_of_animal(words: list[Token]) -> bool:
    """Whether what is done is done by an animal: "a dog holding a ball"."""
    verb = next((k for k, item in enumerate(words) if item.verb and item.form in ("ing", "s")), None)
    if verb is None or any(item.has("person", "pronoun") for item in words[:verb]):
        return False
    return any(item.lower in _ANIMALS for item in words[:verb])


def _fitting(mentions: list[GestureMention]) -> list[GestureMention]:
    return sorted(mentions, key=lambda mention: (-mention.length, mention.start))


def _main(hands: list[_HandWord]) -> _HandWord | None:
    """The hand that a unit is about: one with a side before others, a hand before a finger."""
    return min(hands, key=lambda hand: (hand.part, hand.side is None and not hand.other, hand.at), default=None)


def _held(words: list[Token], hands: list[_HandWord]) -> tuple[str | None, bool]:
    """What a hand holds or works on, and whether it keeps it: "holding a cup", but not "pushing a cup"."""
    for k, item in enumerate(words):
        if item.verb in _HOLDING | _LIFTED | _TAKING and _is_done(words, k):
            thing = _object_behind(words, k)
            known = thing is not None and _gesture_of_object(thing) is not None
            if thing is not None and not known and _instrument(words) is not None:
                # "holding a gear with tweezers"
                return _instrument(words), True
            if item.verb in _HOLDING and thing is not None or known and (bool(hands) or item.verb in _LIFTED):
                return thing, True
    inside = (
        _thing_in_hand(words, hands)
        or _thing_around(words, hands)
        or _thing_held_by(words, hands)
        or _drunk_from(words)
        or _instrument(words)
    )
    if inside is not None:
        return inside, True
    if hands:
        for k, item in enumerate(words):
            worked = not item.verb_classes.isdisjoint(("grasp", "handwork")) and item.form in ("ing", "s")
            worked = worked and not item.has("hand")
            if worked and item.verb not in _LIFTED:
                return _object_behind(words, k), False
    return None, False


def _is_done(words: list[Token], k: int) -> bool:
    """Whether a verb is something that somebody does, not what is done to a thing."""
    form = words[k].form
    return form in ("ing", "s") or form == "ed" and not _is_passive(words, k) or _is_base(words, k)


def _is_passive(words: list[Token], k: int) -> bool:
    auxiliary = any(item.has("aux") for item in words[max(0, k - 2) : k])
    return auxiliary or k + 1 < len(words) and words[k + 1].has("prep", "adv")


def _is_base(words: list[Token], k: int) -> bool:
    before = words[k - 1] if k else None
    intended = k > 1 and words[k - 2].lower in ("ready", "about", "tries", "trying", "going", "prepares", "preparing")
    if words[k].form != "base" or before is not None and before.lower == "to" and intended:
        return False
    return before is None or before.plural or before.lower in ("and", "they", "i", "to")


def _object_behind(words: list[Token], k: int) -> str | None:
    """The noun phrase that follows a verb, without words for the hand."""
    start = k + 1
    while start < len(words) and (words[start].lower in _PARTICLES or words[start].lower.endswith("ly")):
        start += 1
    end = start
    while end < len(words) and not _ends_phrase(words, start, end):
        end += 1
    phrase = words[start:end]
    if not phrase or not any(item.content for item in phrase):
        return None
    head = phrase[-1]
    if head.lower in _NOT_HELD and words[k].verb in _HOLDING:
        return None
    if head.lower in _HANDS | _PARTS and not any(item.lower.endswith("'s") for item in phrase):
        return None
    return join(phrase)


def _ends_phrase(words: list[Token], start: int, k: int) -> bool:
    item = words[k]
    if item.lower in _GOES_ON and k > start:
        return False
    if item.has("prep", "mark", "sub", "rel", "aux"):
        return not (item.has("adv") and item.content)
    if item.has("object pronoun") and not item.has("det"):
        return True
    if item.has("conj"):
        return True
    if k > start and item.verb and item.form in ("ing", "s") and not item.has("hand", "body", "place"):
        if item.form == "ing":
            # "the steering wheel"
            return not words[k - 1].has("det", "owner", "color", "opinion")
        return not (k + 1 == len(words) and words[k - 1].has("det"))
    return item.has("adv") and k > start and not item.content


def _thing_in_hand(words: list[Token], hands: list[_HandWord]) -> str | None:
    """What stands before "in his right hand"."""
    for hand in hands:
        reach = range(hand.start, max(-1, hand.start - 3), -1)
        end = next((k for k in reach if words[k].lower in ("in", "inside")), 0)
        while end and (words[end - 1].has("adv") or words[end - 1].form == "ed" and words[end - 1].verb in _HOLDING):
            end -= 1
        thing = _phrase_before(words, end)
        if thing is not None:
            return thing
    return None


def _phrase_before(words: list[Token], end: int) -> str | None:
    """The noun phrase of a thing that ends before `end`."""
    start = end
    while start and _belongs_to_thing(words, start - 1):
        start -= 1
    phrase = words[start:end]
    if phrase and phrase[-1].content and not phrase[-1].has("hand", "body", "appearance", "person"):
        return join(phrase)
    return None


def _thing_around(words: list[Token], hands: list[_HandWord]) -> str | None:
    """What a hand is put around, or has: "both hands wrapped around the mug", "in her right hand she has a quill"."""
    for hand in hands:
        behind = range(hand.at + 1, min(hand.at + 4, len(words)))
        around = next((k for k in behind if words[k].lower in ("around", "round")), None)
        if around is not None:
            return _object_behind(words, around)
        if hand.start == 1 and words[0].lower == "in" or words[hand.start].lower == "in" and hand.start == 0:
            has = next((k for k in behind if words[k].lower in ("has", "had", "have", "is")), hand.at)
            return _object_behind(words, has)
    return None


def _thing_held_by(words: list[Token], hands: list[_HandWord]) -> str | None:
    """What hands hold in the passive: "the cup is held by a left hand"."""
    for k, item in enumerate(words[1:-1], 1):
        by_hand = words[k + 1].lower in ("by", "in", "with") and any(k < hand.at <= k + 6 for hand in hands)
        if item.form == "ed" and item.verb in _HOLDING and by_hand:
            end = k
            while end and words[end - 1].has("aux", "adv"):
                end -= 1
            return _phrase_before(words, end)
    return None


def _drunk_from(words: list[Token]) -> str | None:
    """The vessel that somebody drinks from: "drinking coffee from a mug"."""
    drinks = False
    for k, item in enumerate(words):
        drinks |= item.lower in ("drinking", "drinks", "sipping", "sips")
        out_of = item.lower == "from" or k > 0 and item.lower == "of" and words[k - 1].lower == "out"
        if drinks and out_of and (thing := _object_behind(words, k)):
            return thing if _gesture_of_object(thing) == "grasp_cylinder" else None
    return None


def _instrument(words: list[Token]) -> str | None:
    """What a deed of the hands is done with: "scratching her temple with a pencil"."""
    for k in range(2, len(words) - 1):
        if words[k].lower in ("with", "using") and any(_works(item) for item in words[:k]):
            thing = _object_behind(words, k)
            if thing is not None and _gesture_of_object(thing) not in (None, "grasp_sphere", "hook"):
                return thing
    return None


def _works(item: Token) -> bool:
    return (
        not item.verb_classes.isdisjoint(("grasp", "handwork"))
        and item.form in ("ing", "s")
        and not item.has("hand", "person")
    )


def _belongs_to_thing(words: list[Token], k: int) -> bool:
    """Whether a word is still part of the noun phrase that ends behind it."""
    item = words[k]
    if item.has("mark", "rel", "sub", "aux", "person", "conj") or item.has("prep") and item.lower != "of":
        return False
    deed = bool(item.verb) and item.form in ("ing", "s")
    return not deed or k > 0 and words[k - 1].has("det")


def _gesture_of_object(thing: str) -> str | None:
    """The gesture of a hand that holds something, by the last word of its name: "a blue coffee cup"."""
    return of_last_word(thing, _OBJECT_GESTURES)


def _gesture(text: str, thing: str | None, mentions: list[GestureMention], keeps: bool) -> str | None:
    """What a unit says the hand does: between fingers, in the shape that is named, or around what is held."""
    if re.search(lexicon.BETWEEN_FINGERS, text, re.IGNORECASE) and "cigarette" not in text:
        return "pinch"
    shapes = [mention for mention in mentions if thing is None or not _around(mention, text)]
    if shapes:
        return shapes[0].name
    if thing is not None:
        return _gesture_of_object(thing) if keeps else None
    return mentions[0].name if mentions else None


def _around(mention: GestureMention, text: str) -> bool:
    """Whether a mention is only about what is held, which `_gesture_of_object` reads by its head."""
    last = text[mention.start : mention.end].lower().split()[-1]
    return bool(GESTURES[mention.name].things) and last in _OBJECT_GESTURES


def _side_of_gesture(text: str, mentions: list[GestureMention]) -> str | None:
    """The side that stands before what a hand is called in a gesture: "a left thumbs up"."""
    if not mentions:
        return None
    if text[mentions[0].start : mentions[0].end].lower() in GESTURES[mentions[0].name].deeds:
        # "the woman on the left waves"
        return None
    lead = text[max(0, mentions[0].start - 16) : mentions[0].start].lower()
    found = None if _BESIDE.search(lead) else re.search(r"\b(right|left)\s*$", lead)
    between = [word for word in mentions[0].between if word in _SIDES]
    return found[1] if found else (between[0] if between else None)


def _count(
    words: list[Token], text: str, main: _HandWord | None, mentions: list[GestureMention], gesture: str | None
) -> int:
    """Two where a unit speaks of both hands of one person."""
    if main is not None and (main.side or main.other):
        return 1
    if main is not None and not main.part and main.count == 2:
        return 2
    lowers = [item.lower for item in words]
    counted = any(word in _TWO for word in lowers) and gesture is not None
    if main is not None and main.count == 2 and (not main.part or counted and "thumbs" in lowers):
        return 2
    if main is None or main.part:
        for mention in mentions[:1]:
            last = text[mention.start : mention.end].lower().split()[-1]
            lead = text[: mention.start].lower().split()[-2:]
            if last in _PLURALS or _TWO & set(lead) or text[mention.start :].lower().startswith("double"):
                return 2
    return 1


def _placed(words: list[Token], main: _HandWord | None) -> bool:
    """Whether a unit says where its hand is, so that nothing more is to be expected of it."""
    if main is None:
        return False
    if main.start and words[main.start - 1].lower in ("on", "around") and words[0].lower != "with":
        # "one glove on her left hand"
        return True
    if words[main.start].lower == "on" and main.start:
        return True
    following = words[main.at + 1 : main.at + 4]
    at = next((k for k, item in enumerate(following) if item.has("prep") and not item.has("adv")), None)
    if at is None:
        return False
    return following[at].lower != "in" or any(item.has("owner", "det") for item in following[at + 1 :])


def _does(words: list[Token]) -> bool:
    return any(item.verb for item in words)


def _add(found: list[_Found], hand: _Found, unit: _Unit) -> None:
    """Put a hand behind the others, or let it say more of one of them."""
    own = [other for other in found if other.owner == hand.owner and other.group != hand.group]
    last = own[-1] if own else None
    if last is not None and _goes_on(last, hand, unit, own):
        pairs = [other for other in own if other.group == last.group]
        for other in pairs:
            other.gesture = other.gesture or hand.gesture
            other.object = other.object or hand.object
            other.words += f", {hand.words}"
        return
    if hand.other and hand.side is None and last is not None and last.side in _SIDES:
        hand.side = "left" if last.side == "right" else "right"
    found.append(hand)


def _goes_on(last: _Found, hand: _Found, unit: _Unit, own: list[_Found]) -> bool:
    """Whether a hand is the one that was spoken of before."""
    if hand.other:
        return False
    same_side = hand.side is None or hand.side == last.side
    if not hand.named and same_side and {hand.gesture, last.gesture} == {"open_palm", "flat_stop"}:
        # "open hand, stop gesture": two names of what one hand shows
        return True
    if hand.gesture is not None and hand.gesture == last.gesture:
        same_thing = not hand.object or not last.object or hand.object == last.object
        return same_side and (same_thing or hand.side == last.side)
    if not same_side or last.gesture is not None and hand.gesture is not None:
        return last.gesture is not None and hand.side is not None and hand.side == last.side and unit.opener != "and"
    if hand.side is not None and hand.side == last.side:
        return True
    if last.gesture is None and not last.object and not last.placed:
        # "hand up, spread fingers", "she raises her right hand, palm forward"
        return hand.gesture is not None and last.named
    if hand.named and hand.single and hand.gesture is None and not hand.object and not hand.placed:
        return True
    return False


def _settled(found: list[_Found]) -> list[_Found]:
    """At most two hands of one person, those that say most; the other hand of a known one has the other side."""
    kept: list[_Found] = []
    owners = dict.fromkeys(hand.owner for hand in found)
    for owner in owners:
        own = [hand for hand in found if hand.owner == owner]
        several = max((sum(hand.group == other.group for other in own) for hand in own), default=1)
        most = max(2, several)
        if len(own) > most:
            own = sorted(own, key=lambda hand: (hand.gesture is None, hand.object is None, hand.side is None))[:most]
        kept += own
    return [hand for hand in found if any(hand is other for other in kept)]


def _described(found: list[_Found]) -> list[DescribedHand]:
    return [DescribedHand(hand.side, hand.gesture, hand.object, _lower(hand.owner), hand.words) for hand in found]


def _lower(owner: str | None) -> str | None:
    """An owner as in the middle of a sentence: "a woman"."""
    first = (owner or "").split(" ")[0]
    return owner if owner is None or first.lower() not in CLOSED["det"] else owner[0].lower() + owner[1:]
