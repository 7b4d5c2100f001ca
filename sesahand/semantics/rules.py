"""Behaviour semantics of an English caption without any model: a small grammar, always the same answer.

It keeps persons, how their bodies are placed, what they do, what their hands do and touch, and the place. It drops what
the paper calls overthinking: colours (but for those of a thing in the hand), clothing, background objects, light, mood
and talk about the camera or the picture. The words come from the caption; nothing is rephrased.

What each component holds:

- pose: clauses of body posture and placed body parts, with the person.
- hand_action: clauses whose verb is done by hand, and clauses that name a hand or a part of it.
- action: everything else a person does, and the hand work that is an activity of its own (chopping, typing). When the
  caption tells of nothing but hands, the hand action is the action as well.
- environment: the places of the clauses about persons; empty when there is no person.
"""

import re
from dataclasses import dataclass, field

from . import lexicon
from .behavior import BehaviorSemantics
from .clauses import Clause, phrase_head, split, verbal
from .grammar import Token, join, sentences, token

_LEAD_INS = re.compile(rf"(^|[.!?]\s+|,\s+(?:and\s+)?)(?:{'|'.join(lexicon.LEAD_INS)})", re.IGNORECASE)
_FALSE_HANDS = re.compile("|".join(lexicon.FALSE_HANDS), re.IGNORECASE)
_EMPTY_PHRASES = re.compile("|".join(lexicon.EMPTY_PHRASES), re.IGNORECASE)
_CAMERA_TALK = re.compile("|".join(lexicon.CAMERA_TALK), re.IGNORECASE)
_BACKGROUND = re.compile(lexicon.BACKGROUND, re.IGNORECASE)
_PLACE_PAIRS = frozenset(lexicon.PLACE_PAIRS.split("|"))
_NOT_PLACES = frozenset(lexicon.NOT_PLACES.split("|"))
_PLAYED_BY_HAND = frozenset(lexicon.PLAYED_BY_HAND.split())
_QUANTITIES = frozenset(lexicon.QUANTITIES.split())
_NEEDS_OBJECT = frozenset(lexicon.NEEDS_OBJECT.split())


@dataclass
class Phrase:
    """Something to say in a component: a clause, its sentence, who it is about and whether it says so itself."""

    clause: Clause
    sentence: int
    subject: list[Token]
    person: list[Token]
    own: bool


@dataclass
class Reading:
    """What has been found in a caption so far."""

    phrases: dict[str, list[Phrase]] = field(default_factory=lambda: {"pose": [], "action": [], "hand_action": []})
    places: list[tuple[int, list[Token]]] = field(default_factory=list)
    person: list[Token] = field(default_factory=list)
    anyone: bool = False
    open_place: str = ""


def extract(caption: str) -> BehaviorSemantics:
    """Reduce an English caption to the four components.

    Args:
        caption: any text; what is not understood is left out.

    Returns:
        The components in the caption's own words; all empty when nobody is described.
    """
    text = " ".join(caption.replace("’", "'").replace("_", " ").split())
    # "palm trees" becomes one word, in which no hand is found.
    text = _FALSE_HANDS.sub(lambda match: match.group().replace(" ", "-"), _EMPTY_PHRASES.sub("", text))
    text = _LEAD_INS.sub(r"\1", _LEAD_INS.sub(r"\1", text))
    reading = Reading()
    for number, words in enumerate(sentences(text)):
        _read_sentence(reading, number, words)
    if not reading.anyone:
        return BehaviorSemantics()
    return _write(reading)


def _read_sentence(reading: Reading, number: int, words: list[Token]) -> None:
    subject, kind = list(reading.person), "thing"
    whole = (subject, kind)
    before = None
    for item in words:
        if item.lower in lexicon.OPEN_PLACES and not item.has("prep"):
            reading.open_place = reading.open_place or item.lower
    for clause in split(words):
        own = bool(clause.subject)
        if clause.verb is None and not own:
            clause.subject = _leading_phrase(words[clause.start : clause.end])
            own = bool(clause.subject)
        if own:
            subject, kind = clause.subject, _kind(clause.subject, kind, before)
            if kind == "person" and not any(item.has("pronoun") for item in subject):
                reading.person = subject
        elif clause.opener == "that":
            continue
        elif kind == "thing" and not reading.anyone and clause.start == 0 and _begins_with_deed(clause):
            kind = "person"
        elif clause.opener == "who":
            last = _last_person(words[: clause.start])
            if last:
                subject, kind, own = last, "person", True
                reading.person = last
        reading.anyone |= kind in ("person", "hand", "body")
        component_kinds = _classify(clause, kind)
        for component in component_kinds:
            reading.phrases[component].append(Phrase(clause, number, subject, reading.person, own))
        _collect_places(reading, clause, kind)
        before = kind
        if own and _is_aside(clause, kind):
            # "with her chin in her hand, and looks out": the next clause is about the person again.
            subject, kind = whole
        whole = (subject, kind)


def _is_aside(clause: Clause, kind: str) -> bool:
    """Whether a clause is an absolute phrase, hung on a clause about a person: "with a knife in his hand"."""
    if clause.opener == "with":
        return True
    finite = clause.verb is not None and (
        clause.tokens[clause.verb].form in ("s", "base")
        or clause.group is not None
        and clause.tokens[clause.group].has("aux")
    )
    return kind in ("hand", "body", "appearance") and clause.start > 0 and not finite


def _begins_with_deed(clause: Clause) -> bool:
    """A caption that names nobody but begins with a deed, as typed prompts do: "holding a cup with both hands"."""
    at = clause.verb
    return at == clause.start and clause.tokens[at].form == "ing" and "dropped" not in clause.tokens[at].verb_classes


def _kind(subject: list[Token], inherited: str, before: str | None) -> str:
    head = phrase_head(subject)
    if head != "standin":
        return head
    return "hand" if before == "hand" and subject[-1].lower == "other" else "person"


def _leading_phrase(words: list[Token]) -> list[Token]:
    """The noun phrase a verbless clause begins with."""
    if not words or words[0].has("prep", "mark") and not words[0].has("standin"):
        return []
    end = next(
        (k for k, item in enumerate(words) if k and item.has("prep", "mark", "adv") or item.form == "ed" and k),
        len(words),
    )
    return words[:end]


def _last_person(words: list[Token]) -> list[Token]:
    """The noun phrase of the last person named, for "who"."""
    at = next((k for k in range(len(words) - 1, -1, -1) if words[k].has("person")), None)
    if at is None:
        return []
    start = at
    while (
        start
        and words[start - 1].content
        and not words[start - 1].form == "ing"
        or start
        and words[start - 1].has("det")
    ):
        start -= 1
    return words[start : at + 1]


def _classify(clause: Clause, kind: str) -> list[str]:
    """The components a clause belongs to; none if it is to be dropped."""
    words = clause.tokens[clause.start : clause.end]
    text = join(words)
    hands = any(item.has("hand") for item in words)
    if kind in ("thing", "appearance"):
        return ["hand_action"] if clause.opener == "with" and hands else []
    if kind == "hand":
        return ["hand_action"]
    if kind == "body":
        return ["hand_action"] if hands else ["pose"]
    if clause.verb is None:
        return []
    if _CAMERA_TALK.search(text):
        return ["pose"] if "posture" in clause.tokens[clause.verb].verb_classes else []
    return _classify_deed(clause, hands)


def _classify_deed(clause: Clause, hands: bool) -> list[str]:
    verb = clause.tokens[clause.verb]
    rest = clause.tokens[clause.verb + 1 : clause.end]
    if verb.has("aux") or "dropped" in verb.verb_classes and verb.verb_classes == {"dropped"}:
        # "has his arm around her", "is in front of the mirror": what matters is what follows.
        if verb.lower not in ("have", "has", "having", "had") or not any(item.has("hand", "body") for item in rest):
            return []
        return ["hand_action"]
    rest = [item for item in rest if not item.has("adv") or item.has("body", "person")]
    with_object = bool(rest) and not rest[0].has("prep", "mark", "conj", "sub")
    moved = phrase_head(rest[:3]) if with_object else ""
    moves_body = (
        moved == "body" and not rest[0].has("owner") and not hands and not any(r.has("owner") for r in rest[:2])
    )
    classes = verb.verb_classes
    if moved == "hand" and classes & {"posture", "grasp"}:
        return ["hand_action"]
    if "posture" in classes and (not with_object or moves_body or classes == {"posture"}):
        return ["pose", "hand_action"] if hands and not moves_body and "grasp" not in classes else ["pose"]
    if moves_body and "grasp" in classes:
        return ["pose"]
    if "grasp" in classes and (with_object or hands or rest):
        return ["hand_action"]
    if "handwork" in classes and (with_object or verb.verb not in _NEEDS_OBJECT):
        return ["action", "hand_action"]
    if verb.verb in ("play", "take") and any(item.lower in _PLAYED_BY_HAND for item in rest):
        return ["action", "hand_action"]
    return ["action", "hand_action"] if hands else ["action"]


def _collect_places(reading: Reading, clause: Clause, kind: str) -> None:
    """Note the places a clause names, with how far they can be trusted: 0 best, 2 least."""
    words = clause.tokens[clause.start : clause.end]
    alone = clause.verb is None and not clause.subject and clause.start == 0
    trust = 0 if kind in ("person", "hand", "body") or alone else 2
    for start, end in place_phrases(words):
        reading.places.append((trust, words[start:end]))
    if kind == "thing" and clause.subject and clause.start == 0 or clause.verb is None:
        subject = clause.subject
        head = next((k for k, item in enumerate(subject) if k and item.has("prep", "mark")), len(subject))
        named = bool(subject[:head]) and subject[head - 1].has("place") and not subject[0].has("prep")
        if named and subject[head - 1].lower not in ("room", "scene"):
            reading.places.append((1, subject[:head]))


def place_phrases(words: list[Token]) -> list[tuple[int, int]]:
    """The stretches of `words` that say where: a preposition and a noun phrase that ends in a place."""
    found = []
    k = 0
    while k < len(words):
        end = _place_end(words, k) if words[k].lower in _PLACE_STARTS else None
        if end is None:
            k += 1
        else:
            found.append((k, end))
            k = end
    return found


_DANGLING = frozenset("with to of a an the".split())
_DIRECTIONS = frozenset("down up across along through into onto over around past toward towards".split())
_PLACE_STARTS = frozenset([*lexicon.PLACE_PREPOSITIONS.split(), "of"])


def _place_end(words: list[Token], start: int) -> int | None:
    if start and words[start - 1].lower in ("front", "out", "instead"):
        return None
    k = start + 1
    while k < len(words) and _in_noun_phrase(words, k):
        k += 1
    if k == start + 1:
        return None
    if words[k - 1].has("adv") and not words[k - 1].has("place"):
        k -= 1
    pair = " ".join(item.lower for item in words[k - 2 : k])
    if k < len(words) and words[k].lower == "of" and words[k - 1].lower in lexicon.PLACE_PARTS.split():
        return _place_end(words, k)
    if pair in _NOT_PLACES or not (words[k - 1].has("place") or pair in _PLACE_PAIRS):
        return None
    if words[start].lower == "of" and not (
        start and words[start - 1].content and words[start - 1].lower not in _QUANTITIES
    ):
        return None
    return k


def _in_noun_phrase(words: list[Token], k: int) -> bool:
    item, after = words[k], words[k + 1] if k + 1 < len(words) else None
    if item.has("det", "owner"):
        return True
    if item.form == "ing":
        # "a living room"
        return after is not None and after.has("place")
    if item.has("adv") and not item.lower.endswith("ly"):
        return after is not None and after.content
    return item.content and not (item.form == "s" and verbal(words, k))


def _write(reading: Reading) -> BehaviorSemantics:
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
    """The noun a subject is known by; empty for pronouns."""
    if any(item.has("pronoun") for item in subject):
        return ""
    nouns = [item.lower for item in subject if item.has("person")]
    return nouns[0] if nouns else ""


def _component_text(phrases: list[Phrase], component: str, said: set[str], several: bool) -> str:
    """Write phrases one after the other, with the caption's own connection where they stood side by side."""
    text, last, before = "", None, None
    for phrase in phrases:
        subject = _shown_subject(phrase, last, said, several)
        words = _kept_words(phrase, component, bool(subject))
        if not words:
            continue
        last = join(phrase.subject)
        if phrase_head(phrase.subject) == "person":
            said.add(last)
        piece = _lower_first(join([*subject, *words]))
        text += (_connection(before, phrase, bool(subject)) + piece) if text else piece
        before = (phrase, words[-1])
    return text


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
    if phrase.clause.opener == "with" and phrase.person and not said and last is None:
        said.add(join(phrase.person))
        return [*undecorated(_short(phrase.person), keep_colors=False), token("with"), *subject]
    if any(item.has("hand") for item in _lead(phrase.clause)):
        return []
    if kind in ("hand", "body", "standin") or phrase.clause.opener == "with":
        return undecorated(_short(subject), keep_colors=False) if phrase.own else []
    if phrase.clause.opener == "to" or join(subject) == last:
        return []
    if said and (not several or join(subject) in said and any(item.has("pronoun") for item in subject)):
        return []
    if any(item.has("pronoun") for item in subject) and phrase.person and not said:
        subject = phrase.person
    return undecorated(_short(subject), keep_colors=False)


def _short(subject: list[Token]) -> list[Token]:
    """A subject without clothing and company: "the man in a hat next to her" becomes "the man"."""
    kept, k = [], 0
    while k < len(subject):
        item = subject[k]
        if item.has("mark") or item.has("prep") and not item.has("adv"):
            following = [other.lower for other in subject[k + 1 : k + 3]]
            if item.lower != "of" and not set(following) & {"left", "right", "middle", "center", "centre", "front"}:
                rest = next((j for j in range(k, len(subject)) if subject[j].has("conj")), None)
                if rest is None:
                    break
                k = rest
                continue
        kept.append(item)
        k += 1
    return kept


def _kept_words(phrase: Phrase, component: str, with_subject: bool) -> list[Token]:
    clause = phrase.clause
    start = clause.start
    lead = _lead(clause)
    if lead and any(item.has("hand") for item in lead):
        # "with her free hand she pulls her coat closed"
        return _trim(undecorated([item for item in clause.tokens[start : clause.end] if item.lower != ","], True))
    if clause.verb is not None and (phrase.own or clause.subject or clause.tokens[start].has("aux")):
        start = clause.group if with_subject else clause.verb
    elif clause.verb is None and phrase.own:
        start = clause.start + len(clause.subject)
    words = list(clause.tokens[start : clause.end])
    verb = clause.verb - start if clause.verb is not None else -2
    for first, end in reversed(place_phrases(words)):
        # "walking across a street" says how one moves; "standing in a street" only where.
        moving = words[first].lower in _DIRECTIONS and first == verb + 1
        if words[first].lower != "of" and not moving:
            del words[first:end]
    return _trim(undecorated(words, keep_colors=component == "hand_action" or _by_hand(phrase)))


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
        if item.has("opinion") and not item.verb or item.has("color") and not keep_colors:
            gap = True
            continue
        if gap and kept and kept[-1].lower in ("a", "an") and item.content:
            kept[-1] = token("an" if item.lower[0] in "aeiou" and not item.lower.startswith(("uni", "eu")) else "a")
        gap = False
        kept.append(item)
    return kept


def _trim(words: list[Token]) -> list[Token]:
    text = join(words)
    cut = _BACKGROUND.search(text)
    if cut:
        words = words[: len(text[: cut.start()].split())]
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
            kept = undecorated(words, keep_colors=False)
            if kept[0].lower == "of":
                # "the counter of a kitchen" is in a kitchen
                kept[0] = token("in")
            places.setdefault(words[-1].lower, _lower_first(join(kept)))
    return ", ".join(list(places.values())[:2]) or reading.open_place


def _lower_first(text: str) -> str:
    first = text.split(" ", 1)[0]
    known = token(first) if first and first[0].isalpha() else None
    return text[:1].lower() + text[1:] if known and known.roles and first != "I" else text
