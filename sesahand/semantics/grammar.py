"""Words with their possible roles: the lexicon looked up, and the token that the rules read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from . import lexicon
from .plain import GLUE

WORD = re.compile(rf"'(?:s|re|ve|m)\b|[^\W_]+(?:['’{GLUE}-][^\W_]+)*|([^\w\s])\1*")

LONGEST_SENTENCE = 150
"""Words after which a sentence is cut, so that the time to read a caption grows with its length and no faster."""


def _nouns(text: str) -> frozenset[str]:
    return frozenset(form for noun in text.split() for form in lexicon.noun_forms(noun))


NOUNS = {
    "person": _nouns(lexicon.PERSONS),
    "hand": _nouns(lexicon.HAND_NOUNS + " grip grasp"),
    "body": _nouns(lexicon.BODY_PARTS),
    "appearance": _nouns(lexicon.APPEARANCE_PARTS),
    "place": _nouns(lexicon.PLACES),
}
CLOSED = {
    "det": frozenset((lexicon.DETERMINERS + lexicon.POSSESSIVES).split()),
    "pronoun": frozenset(lexicon.PRONOUNS.split()),
    "object pronoun": frozenset(lexicon.OBJECT_PRONOUNS.split()),
    "aux": frozenset(lexicon.AUXILIARIES.split()),
    "prep": frozenset(lexicon.PREPOSITIONS.split()),
    "conj": frozenset(lexicon.CONJUNCTIONS.split()),
    "sub": frozenset(lexicon.SUBORDINATORS.split()),
    "rel": frozenset(lexicon.RELATIVES.split()),
    "adv": frozenset(lexicon.ADVERBS.split()),
    "standin": frozenset(lexicon.PERSON_STANDINS.split()),
    "color": frozenset(lexicon.COLORS.split()),
    "opinion": frozenset(lexicon.OPINIONS.split()),
}
VERB_CLASSES = {
    "posture": lexicon.POSTURE_VERBS.split(),
    "grasp": lexicon.GRASP_VERBS.split(),
    "handwork": lexicon.HANDWORK_VERBS.split(),
    "action": lexicon.ACTION_VERBS.split(),
    "dropped": lexicon.DROPPED_VERBS.split(),
}


_POSSESSIVES = frozenset(lexicon.POSSESSIVES.split())
_SIDES_OF_HANDS = frozenset(lexicon.SIDES_OF_HANDS.split())
_SIDES_OF_PLACES = frozenset(lexicon.SIDES_OF_PLACES.split())
_COLLECTIVES = frozenset(lexicon.COLLECTIVES.split())
_NOT_ADVERBS = frozenset(lexicon.NOT_ADVERBS.split())
_NOT_A_PERSON = frozenset(lexicon.NOT_A_PERSON.split())
_BEINGS = frozenset(
    form
    for noun in (lexicon.ANIMALS + " ship boat galleon yacht snake whale").split()
    for form in lexicon.noun_forms(noun)
)
_PERSON_PAIRS = frozenset(tuple(pair.split()) for pair in lexicon.PERSON_PAIRS.split("|"))
_NOT_A_ROOM = frozenset(lexicon.NOT_A_ROOM.split())


def _verb_table() -> dict[str, tuple[str, frozenset[str]]]:
    """Every written verb form with its base and the classes it may have."""
    table: dict[str, tuple[str, frozenset[str]]] = {}
    for name, lemmas in VERB_CLASSES.items():
        for lemma in lemmas:
            for form in lexicon.verb_forms(lemma):
                table[form] = (lemma, table.get(form, ("", frozenset()))[1] | {name})
    return table


VERBS = _verb_table()


@dataclass(frozen=True)
class Token:
    """One word or mark of a sentence with all the roles it may have.

    Args:
        text: as written.
        lower: in lower case.
        roles: names from `NOUNS` and `CLOSED`, or "mark" for punctuation.
        verb: the base form if the word can be a verb, else empty.
        verb_classes: names from `VERB_CLASSES`.
        form: "ing", "ed", "s" or "base" if the word can be a verb, else empty.
    """

    text: str
    lower: str
    roles: frozenset[str]
    verb: str
    verb_classes: frozenset[str]
    form: str

    def has(self, *roles: str) -> bool:
        """Whether the word may have one of the roles."""
        return not self.roles.isdisjoint(roles)

    @property
    def content(self) -> bool:
        """Whether the word can be a noun, an adjective or a verb: anything but function words and marks."""
        return not self.has("det", "aux", "prep", "conj", "sub", "rel", "adv", "mark")

    @property
    def takes_plural_verb(self) -> bool:
        """Whether a verb without -s may follow: plurals, and "couple" or "team"."""
        return self.plural or self.lower in _COLLECTIVES

    @property
    def plural(self) -> bool:
        """Whether the word looks like a plural noun or pronoun."""
        return (
            self.lower in ("they", "we", "you", "people", "men", "women", "children", "feet", "others", "some", "who")
            or self.lower.endswith(("men", "people"))
            or (self.lower.endswith("s") and not self.lower.endswith(("ss", "us", "'s")) and len(self.lower) > 3)
        )


@lru_cache(maxsize=4096)
def token(text: str) -> Token:
    """Look a word up."""
    lower = text.lower().replace("’", "'")
    if not lower[0].isalnum() and lower not in CLOSED["aux"]:
        return Token(text, lower, frozenset({"mark"}), "", frozenset(), "")
    roles = {name for table in (CLOSED, NOUNS) for name, words in table.items() if lower in words}
    if not roles and lower.endswith(lexicon.PERSON_SUFFIXES) and lower not in _NOT_A_PERSON:
        roles.add("person")
    if re.fullmatch(r"\d\+?(?:girl|boy)s?", lower):
        # the tags of picture boards: "1girl"
        roles.add("person")
    if lower.isdigit():
        roles.add("det")
    if lower.endswith(("'s", "s'")) and len(lower) > 3:
        # "the boy's mother": the owner stands before its noun like a determiner.
        roles = {"owner"}
    if lower.endswith("ly") and len(lower) > 4 and lower not in _NOT_ADVERBS:
        roles.add("adv")
    if lower.endswith(lexicon.PLACE_SUFFIXES) and lower not in _NOT_A_ROOM:
        roles.add("place")
    verb, classes = VERBS.get(lower, ("", frozenset()))
    if not verb and len(lower) > 4 and lower.endswith("ing"):
        verb, classes = lower[:-3], frozenset({"action"})
    elif not verb and len(lower) > 4 and lower.endswith("ed") and not roles:
        verb, classes = lower[:-2], frozenset({"action"})
    return Token(text, lower, frozenset(roles), verb, classes, _form(lower, verb) if verb else "")


def _form(word: str, verb: str) -> str:
    if word.endswith("ing") and word != verb:
        return "ing"
    if word == verb:
        return "base"
    if word.endswith("s") and not word.endswith("ss"):
        return "s"
    return "ed"


def sentences(text: str) -> list[list[Token]]:
    """Split a text into sentences of tokens.

    Args:
        text: a caption made plain. Line breaks and semicolons end a sentence.
    """
    text = re.sub(r"\b(Mr|Mrs|Ms|Dr|St)\.", r"\1", text)
    parts = re.split(r"(?<=[.!?])[\"')\]]*\s+|\n+|;\s+", text)
    found = [[token(match.group()) for match in WORD.finditer(part)] for part in parts]
    named = [_name_stars(_name_hands(_name_cans(_merge_marks(words)))) for words in found]
    return [
        words[k : k + LONGEST_SENTENCE]
        for words in _name_unknown(named)
        for k in range(0, len(words), LONGEST_SENTENCE)
    ]


def _name_unknown(found: list[list[Token]]) -> list[list[Token]]:
    """Read an unknown noun as a person where a text names none but says "his" or "her" of somebody."""
    if any(item.has("person") for words in found for item in words):
        return found
    for number, words in enumerate(found):
        owned = next((k for k in range(len(words)) if _speaks_of_somebody(words, k)), None)
        if owned is None:
            continue
        at = _unknown_noun(words[:owned])
        if at is not None:
            who = replace(words[at], roles=frozenset({"person"}), verb="", verb_classes=frozenset(), form="")
            found[number] = [*words[:at], who, *words[at + 1 :]]
        break
    return found


def _speaks_of_somebody(words: list[Token], k: int) -> bool:
    """Whether a word stands for somebody: "she", or "his" before a part of the body."""
    if words[k].lower in ("he", "she", "himself", "herself"):
        return True
    return words[k].lower in ("his", "her") and any(item.has("hand", "body") for item in words[k + 1 : k + 4])


def _unknown_noun(words: list[Token]) -> int | None:
    """Where the first noun stands that begins a phrase of its own and that no list knows: "a | ragged | nomad"."""
    for k, item in enumerate(words[:-1]):
        if item.lower not in ("a", "an", "the") or k and words[k - 1].has("prep"):
            continue
        end = k + 1
        while end < len(words) and words[end].content and (not words[end].verb or words[end].form == "ed"):
            end += 1
        head = words[end - 1] if end > k + 1 else item
        if head.content and not head.roles and head.lower not in _BEINGS:
            return end - 1
    return None


def _name_cans(words: list[Token]) -> list[Token]:
    """Read "a can" as a thing."""
    return [
        replace(item, roles=frozenset())
        if item.lower in ("can", "cans") and k and (words[k - 1].has("det", "color", "prep"))
        else item
        for k, item in enumerate(words)
    ]


def _name_stars(words: list[Token]) -> list[Token]:
    """Read "pop star" and "private eye" as persons."""
    return [
        replace(item, roles=frozenset({"person"}), verb="", verb_classes=frozenset(), form="")
        if k and (words[k - 1].lower, item.lower) in _PERSON_PAIRS
        else item
        for k, item in enumerate(words)
    ]


def _merge_marks(words: list[Token]) -> list[Token]:
    """Marks one behind the other count as the first of them."""
    return [item for k, item in enumerate(words) if not (k and item.has("mark") and words[k - 1].has("mark"))]


def _name_hands(words: list[Token]) -> list[Token]:
    """Read "his left rests on the page" as one of a hand."""
    return [
        replace(item, roles=frozenset({"hand"}), verb="", verb_classes=frozenset(), form="")
        if item.lower in _SIDES_OF_HANDS and _stands_for_hand(words, k)
        else item
        for k, item in enumerate(words)
    ]


def _stands_for_hand(words: list[Token], k: int) -> bool:
    if not k or words[k - 1].lower not in _POSSESSIVES or k > 1 and words[k - 2].lower in _SIDES_OF_PLACES:
        return False
    after = words[k + 1] if k + 1 < len(words) else None
    return after is None or not after.content or bool(after.verb) and not after.has("hand", "body", "appearance")


def join(tokens: list[Token]) -> str:
    """Write tokens as text."""
    text = " ".join(item.text for item in tokens).replace(GLUE, " ")
    return re.sub(r"\s+([,.;:!?%]|'(?:s|re|ve|m)\b)", r"\1", text).strip(" ,;:.")


def of_last_word(thing: str, table: Mapping[str, str]) -> str | None:
    """What a table of nouns says of a thing by the last word or two of its name: "a blue coffee cup" is a cup."""
    head = re.split(r"\s(?:of|for|full|from|between)\s", thing.lower())[0].split()
    return table.get(" ".join(head[-2:])) or table.get(" ".join(head[-1:]))
