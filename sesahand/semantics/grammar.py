"""Words with their possible roles: the lexicon looked up, and the token that the rules read."""

import re
from dataclasses import dataclass
from functools import lru_cache

from . import lexicon

WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*|[^\w\s]")


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


_NOT_A_PERSON = frozenset(lexicon.NOT_A_PERSON.split())
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
    if not lower[0].isalnum():
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
    if lower.endswith("ly") and len(lower) > 4 and lower not in ("family", "assembly", "butterfly", "jelly", "belly"):
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


def sentences(caption: str) -> list[list[Token]]:
    """Split a caption into sentences of tokens.

    Args:
        caption: any text; phrases that say "hand" and mean none, and lead-ins about the picture, should be gone.
    """
    text = re.sub(r"\b(Mr|Mrs|Ms|Dr|St)\.", r"\1", caption)
    parts = re.split(r"(?<=[.!?])[\"')\]]*\s+|\n+", text)
    return [[token(word) for word in WORD.findall(part)] for part in parts if WORD.search(part)]


def join(tokens: list[Token]) -> str:
    """Write tokens as text."""
    text = " ".join(item.text for item in tokens)
    return re.sub(r"\s+([,.;:!?%)])", r"\1", text).strip(" ,;:.")
