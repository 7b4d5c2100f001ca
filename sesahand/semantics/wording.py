"""Put the clauses that were kept into words again: who is named when, what is trimmed, and what joins two phrases."""

import re
from dataclasses import dataclass, field

from . import lexicon
from .behavior import BehaviorSemantics
from .clauses import Clause, phrase_head
from .grammar import Token, join, token
from .places import end_with_of, is_backdrop, names_pair, place_phrases

_BACKGROUND = re.compile(lexicon.BACKGROUND, re.IGNORECASE)
_DANGLING = frozenset("with to of a an the".split())
_DIRECTIONS = frozenset("down up across along through into onto over around past toward towards".split())
_TOLD_APART = frozenset(lexicon.TOLD_APART.split())
_SIDES = frozenset("left right middle center centre front".split())


@dataclass
class Phrase:
    """Something to say in a component: a clause, its sentence, who it is about and whether it says so itself.

    `whole` clauses are said with all their words, because the thing handled is their subject.
    """

    clause: Clause
    sentence: int
    subject: list[Token]
    person: list[Token]
    own: bool
    whole: bool = False


@dataclass
class Reading:
    """What has been found in a caption so far."""

    phrases: dict[str, list[Phrase]] = field(default_factory=lambda: {"pose": [], "action": [], "hand_action": []})
    places: list[tuple[int, list[Token]]] = field(default_factory=list)
    person: list[Token] = field(default_factory=list)
    anyone: bool = False
    open_place: str = ""
    presence: list[Clause] = field(default_factory=list)


def write(reading: Reading) -> BehaviorSemantics:
    """Put what was found in a caption into words: the caption's own, less decoration and repetition."""
    several = _count_persons(reading) > 1
    said: set[str] = set()
    texts = {
        component: _component_text(reading.phrases[component], component, said, several)
        for component in ("pose", "action", "hand_action")
    }
    if not texts["action"]:
        said = said if texts["pose"] else set()
        texts["action"] = _component_text(reading.phrases["hand_action"], "action", said, several)
        if not texts["pose"] and not several:
            # The person is named in the action then.
            texts["hand_action"] = _component_text(reading.phrases["hand_action"], "hand_action", said, several)
    return BehaviorSemantics(**texts, environment=_environment(reading))


def _count_persons(reading: Reading) -> int:
    heads = {
        _name(phrase.subject)
        for phrases in reading.phrases.values()
        for phrase in phrases
        if phrase_head(phrase.subject) == "person"
    }
    return len(heads - {""})


def _name(subject: list[Token]) -> str:
    """The noun a subject is known by, with what tells it from another: "older boy"; empty for pronouns."""
    if any(item.has("pronoun") for item in subject):
        return ""
    nouns = [item.lower for item in subject if item.has("person")]
    told_apart = [item.lower for item in subject if item.lower in _TOLD_APART]
    return " ".join([*told_apart, nouns[0]]) if nouns else ""


def _component_text(phrases: list[Phrase], component: str, said: set[str], several: bool) -> str:
    """Write phrases one after the other, with the caption's own connection where they stood side by side."""
    text, last, before = "", None, None
    for phrase in _once(phrases, component):
        subject = _shown_subject(phrase, last, said, several)
        words = _kept_words(phrase, component, bool(subject))
        if words and words[0].lower.startswith("'") and not (subject and subject[-1].has("pronoun")):
            # "she's got": the verb of another subject now
            words = words[1:]
        if not words:
            continue
        last = join(phrase.subject)
        if phrase_head(phrase.subject) == "person":
            said.add(last)
        piece = _lower_first(join([*subject, *words]))
        text += (_connection(before, phrase, bool(subject)) + piece) if text else piece
        before = (phrase, words[-1])
    return text


def _once(phrases: list[Phrase], component: str) -> list[Phrase]:
    """Leave out phrases that another one about the same person says too, perhaps with more words."""
    kept: list[tuple[str, str, Phrase]] = []
    for phrase in phrases:
        name, deed = _name(phrase.subject) or _name(phrase.person), _deed(phrase, component)
        others = [(k, other) for k, (who, other, _) in enumerate(kept) if not name or not who or who == name]
        if any(f"{other} ".startswith(f"{deed} ") for _, other in others):
            continue
        repeated = {k for k, other in others if f"{deed} ".startswith(f"{other} ")}
        kept = [entry for k, entry in enumerate(kept) if k not in repeated]
        kept.append((name, deed, phrase))
    return [phrase for _, _, phrase in kept]


def _deed(phrase: Phrase, component: str) -> str:
    """What a phrase says, whatever the tense: verbs in their base form, without auxiliaries."""
    words = _kept_words(phrase, component, with_subject=False)
    if phrase_head(phrase.subject) != "person":
        words = [*phrase.subject, *words]
    return " ".join(item.verb or item.lower for item in words if not item.has("aux"))


def _connection(before: tuple[Phrase, Token] | None, phrase: Phrase, with_subject: bool) -> str:
    """What stood between two phrases if nothing of weight did, else a comma."""
    if before is None or before[0].sentence != phrase.sentence:
        return ", "
    tokens, first, second = phrase.clause.tokens, before[0].clause, phrase.clause
    gap = tokens[first.end : second.start]
    whole = first.end <= second.start and tokens[first.end - 1] is before[1]
    if not whole or second.opener in ("who", "that", "which", "whose") or len(gap) > 3:
        return ", "
    if with_subject != bool(second.subject):
        return ", "
    comma = "," if gap and gap[0].lower == "," else ""
    return " ".join([comma, *(item.text for item in gap if not item.has("mark")), ""])


def _shown_subject(phrase: Phrase, last: str | None, said: set[str], several: bool) -> list[Token]:
    """The subject to write in front of a phrase; nothing where the reader knows it already."""
    kind, subject = phrase_head(phrase.subject), phrase.subject
    if phrase.whole:
        return []
    if phrase.clause.opener == "with" and phrase.person and not said and last is None:
        said.add(join(phrase.person))
        return [*_described(phrase.person), token("with"), *subject]
    if any(item.has("hand") for item in _lead(phrase.clause)):
        return []
    if kind in ("hand", "body", "standin") or phrase.clause.opener == "with":
        return _described(subject) if phrase.own else []
    if phrase.clause.opener == "to" or join(subject) == last:
        return []
    if said and (not several or join(subject) in said and any(item.has("pronoun") for item in subject)):
        return []
    pronoun = any(item.has("pronoun") for item in subject)
    if pronoun and phrase.person and not said:
        subject = phrase.person
        pronoun = any(item.has("pronoun") for item in subject)
    if pronoun and phrase.clause.group == phrase.clause.verb and _is_participle(phrase.clause):
        # "she can be seen sitting": not "she sitting"
        return []
    return _described(subject)


def _described(subject: list[Token]) -> list[Token]:
    """A subject with nothing of its description but the colour of its skin, which the hands have too."""
    return [*undecorated(_short(subject), keep_colors=False), *_skin(subject)]


def _skin(subject: list[Token]) -> list[Token]:
    """The "with tan skin" or "with her left hand" of a subject, if it has that."""
    for start, item in enumerate(subject):
        if item.lower == "with":
            told = (item.content or item.has("adv", "det", "owner") for item in subject[start + 1 :])
            end = next((k for k, inner in enumerate(told, start + 1) if not inner), len(subject))
            if subject[end - 1].lower == "skin" or subject[end - 1].has("hand"):
                return subject[start:end]
    return []


def _is_participle(clause: Clause) -> bool:
    return clause.verb is not None and clause.tokens[clause.verb].form == "ing"


def _short(subject: list[Token]) -> list[Token]:
    """A subject without clothing and company: "the man in a hat next to her" becomes "the man"."""
    kept, k = [], 0
    while k < len(subject):
        item = subject[k]
        listed = item.lower == "," and phrase_head(subject[k + 1 :]) == "person"
        if item.has("mark") and not listed or item.has("prep") and not item.has("adv"):
            following = [other.lower for other in subject[k + 1 : k + 3]]
            if item.lower != "of" and not set(following) & _SIDES:
                rest = next((j for j in range(k, len(subject)) if subject[j].has("conj")), None)
                if rest is None or phrase_head(subject[rest + 1 :]) not in ("person", "standin"):
                    break
                k = rest
                continue
        kept.append(item)
        k += 1
    return kept


def _kept_words(phrase: Phrase, component: str, with_subject: bool) -> list[Token]:
    clause = phrase.clause
    start = clause.start
    if phrase.whole:
        return _trim(undecorated(_without_places(clause.tokens[start : clause.end], -2), keep_colors=True))
    lead = _lead(clause)
    if lead and any(item.has("hand") for item in lead):
        # "with her free hand she pulls her coat closed"
        return _trim(undecorated([item for item in clause.tokens[start : clause.end] if item.lower != ","], True))
    if clause.verb is not None and (phrase.own or clause.subject or clause.tokens[start].has("aux")):
        start = clause.group if with_subject and clause.group is not None else clause.verb
    elif clause.verb is None and phrase.own:
        start = clause.start + len(clause.subject)
    words = list(clause.tokens[start : clause.end])
    words = _without_furnishing(_without_tags(words))
    words = _without_places(words, clause.verb - start if clause.verb is not None else -2)
    return _trim(undecorated(words, keep_colors=component == "hand_action" or _by_hand(phrase)))


def _without_tags(words: list[Token]) -> list[Token]:
    """Leave out a tail of tags, "holding a cup, park, red hair", but not the end of a list with "and"."""
    comma = next((k for k, item in enumerate(words) if item.lower == ","), None)
    if comma is None or any(item.has("conj") for item in words[comma:]):
        return words
    first = words[comma + 1 : comma + 2]
    bare = (
        bool(first) and not first[0].verb and not first[0].has("det", "owner", "prep", "adv", "pronoun", "sub", "rel")
    )
    return words[:comma] if bare else words


def _without_furnishing(words: list[Token]) -> list[Token]:
    """Leave out what stands in a place that was named: "on the floor of a studio | with mirrors and a barre"."""
    for _, end in place_phrases(words):
        if end < len(words) and words[end].lower == "with":
            tail = words[end:]
            if not any(item.has("hand", "body", "owner", "person") or item.form == "ing" for item in tail):
                return words[:end]
    return words


def _without_places(words: list[Token], verb: int) -> list[Token]:
    """Leave out where it happens, but not where a movement goes."""
    words = list(words)
    for first, end in reversed(place_phrases(words)):
        # "walking across a street" says how one moves; "standing in a street" only where.
        moving = words[first].lower in _DIRECTIONS and first == verb + 1
        if words[first].lower != "of" and not moving:
            del words[first : end_with_of(words, end)]
    return words


def _lead(clause: Clause) -> list[Token]:
    """What stands in front of the subject of a clause."""
    stop = clause.group if clause.group is not None else clause.start
    words = clause.tokens[clause.start : stop]
    return words[: len(words) - len(clause.subject)] if clause.subject else []


def _by_hand(phrase: Phrase) -> bool:
    verb = phrase.clause.verb
    return verb is not None and not {"grasp", "handwork"}.isdisjoint(phrase.clause.tokens[verb].verb_classes)


def undecorated(words: list[Token], keep_colors: bool) -> list[Token]:
    """Leave out colours, opinions and light, and mend the article in front of what is left out."""
    kept: list[Token] = []
    gap = False
    for item in words:
        if item.lower in lexicon.OPEN_PLACES and not item.has("prep"):
            continue
        # "a dimly lit club": neither how nor what was done to it
        treated = gap and item.form == "ed" and kept and kept[-1].has("det")
        if item.has("opinion") and not item.verb or treated or item.has("color") and not keep_colors:
            gap = True
            continue
        if gap and kept and kept[-1].lower in ("a", "an") and item.content:
            kept[-1] = token("an" if item.lower[0] in "aeiou" and not item.lower.startswith(("uni", "eu")) else "a")
        gap = False
        kept.append(item)
    return kept


def _trim(words: list[Token]) -> list[Token]:
    cut = next((k for k in range(len(words)) if _BACKGROUND.match(join(words[k : k + 4]))), len(words))
    words = words[:cut]
    while words and (words[-1].has("conj", "sub", "mark", "rel") or words[-1].lower in _DANGLING):
        words = words[:-1]
    while words and words[0].has("conj", "mark", "sub"):
        words = words[1:]
    return words


def _environment(reading: Reading) -> str:
    best = min((trust for trust, _ in reading.places), default=0)
    places: dict[str, str] = {}
    for trust, words in reading.places:
        if trust == best:
            kept = [
                item for item in undecorated(words, is_backdrop(words) or names_pair(words)) if item.lower != "grand"
            ]
            if kept[0].lower == "of":
                # "the counter of a kitchen" is in a kitchen
                kept[0] = token("in")
            places.setdefault(words[-1].lower, _lower_first(join(kept)))
    return ", ".join(list(places.values())[: 1 if best == 3 else 2]) or reading.open_place


def _lower_first(text: str) -> str:
    first = text.split(" ", 1)[0]
    known = token(first) if first and first[0].isalpha() else None
    return text[:1].lower() + text[1:] if known and known.roles and first != "I" else text
