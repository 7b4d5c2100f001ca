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

import itertools
import re

from . import lexicon
from .asides import lift
from .behavior import BehaviorSemantics
from .clauses import RELATIVE, Clause, phrase_head, split
from .denials import told
from .gesture_words import find_mentions
from .grammar import Token, join, sentences
from .openings import in_order
from .places import bare_places, furnished_places, place_object, place_phrases, place_subject
from .plain import GLUE, plain
from .prompt_syntax import read_syntax
from .tag_lists import names_place, person_of_tag, says_deed, says_hands, says_pose, take_tags
from .wording import Phrase, Reading, undecorated, write

_CAMERA_TALK = re.compile("|".join(lexicon.CAMERA_TALK), re.IGNORECASE)
_PLAYED_BY_HAND = frozenset(lexicon.PLAYED_BY_HAND.split())
_NEEDS_OBJECT = frozenset(lexicon.NEEDS_OBJECT.split())
_HAVE = frozenset("have has having had got".split())
_NEGATIONS = frozenset(lexicon.NEGATIONS.split())
_SEEN = frozenset(lexicon.SEEN.split())
_LIKENESSES = frozenset(lexicon.LIKENESSES.split())
_VISITING = frozenset(lexicon.VISITING_VERBS.split())
_LYING = frozenset(lexicon.POSED.split())
_SOME = frozenset("some other several many few".split())
_ONE = frozenset("a an the he she his her".split())
_HAD = frozenset("picnic party conversation chat talk argument drink breakfast lunch dinner meal bath rest".split())
_OWN_HANDS = frozenset("hand hands palm palms fist fists fingers".split())
_PARTICLES = frozenset(lexicon.PARTICLES.split())
_TAKE_PARTICLE = frozenset(lexicon.TAKE_PARTICLE.split())
_FIXED = frozenset(lexicon.FIXED_VERBS.split())
_OUT_OF_SIGHT = re.compile(lexicon.OUT_OF_SIGHT, re.IGNORECASE)


def extract(caption: str) -> BehaviorSemantics:
    """Reduce an English caption to the four components.

    Args:
        caption: any text, lists and markdown included; what is not understood is left out, and so is all behind the
            first `plain.LONGEST_CAPTION` characters. Line breaks end sentences.

    Returns:
        The components in the caption's own words; all empty when nobody is described.
    """
    reading = Reading()
    number = itertools.count()
    for words in sentences(plain(read_syntax(caption).text)):
        for ordered in in_order(told(words)):
            stretches, tags = take_tags(ordered)
            _meet_tagged(reading, tags)
            for stretch in stretches:
                for part in lift(stretch):
                    _read_sentence(reading, next(number), part, bool(tags))
            for tag in tags:
                _read_tag(reading, next(number), tag)
    _leave_bystanders_out(reading)
    if reading.anyone and not any(reading.phrases.values()):
        reading.phrases["pose"] = _presence(reading)
    return write(reading) if reading.anyone else BehaviorSemantics()


def _presence(reading: Reading) -> list[Phrase]:
    """The clause that only says that somebody is there, and where: "three women on one bench"."""
    return [Phrase(clause, 0, clause.subject, reading.person, True) for clause in reading.presence[:1]]


def _are_bystanders(subject: list[Token]) -> bool:
    """Whether a subject is a crowd that nothing introduces: "travelers", "other students", "a few spectators"."""
    head = [item for item in subject if item.has("person")][:1]
    bare = bool(subject) and (not subject[0].has("det", "pronoun", "owner") or subject[0].lower in _SOME)
    bare = bare or [item.lower for item in subject[:2]] == ["a", "few"]
    return bare and bool(head) and head[0].plural and not head[0].has("pronoun")


def _leave_bystanders_out(reading: Reading) -> None:
    """Drop what a crowd does beside somebody whom the text is about."""
    phrases = [phrase for found in reading.phrases.values() for phrase in found]
    if not any(phrase.subject and phrase.subject[0].lower in _ONE for phrase in phrases):
        return
    for name, found in reading.phrases.items():
        reading.phrases[name] = [phrase for phrase in found if not _are_bystanders(phrase.subject)]


def _meet_tagged(reading: Reading, tags: list[list[Token]]) -> None:
    """Note the person of a list whose tags name one: all else in it is about that person."""
    named = next(filter(None, map(person_of_tag, tags)), [])
    if named and not reading.person:
        reading.person, reading.anyone = named, True
        reading.presence.append(Clause(named, 0, len(named), subject=named))


def _read_tag(reading: Reading, number: int, tag: list[Token]) -> None:
    """Sort a tag into a component; what speaks of looks, quality and things is dropped."""
    words = [item for item in tag if not item.has("mark")]
    if not words:
        return
    component = _component_of_tag(words)
    if component == "environment" and words[0].lower in lexicon.OPEN_PLACES:
        reading.open_place = reading.open_place or words[0].lower
    elif component == "environment":
        reading.places.append((0, words))
    elif component:
        reading.anyone |= component == "hand_action"
        named = person_of_tag(words)
        clause = Clause(words, 0, len(words))
        subject = named or reading.person
        clause.subject = named
        reading.phrases[component].append(Phrase(clause, number, subject, reading.person, bool(named)))


def _component_of_tag(words: list[Token]) -> str:
    if says_hands(words):
        return "hand_action"
    if names_place(words):
        return "environment"
    if says_pose(words):
        return "pose"
    return "action" if says_deed(words) else ""


def _read_sentence(reading: Reading, number: int, words: list[Token], in_list: bool = False) -> None:
    """Sort the clauses of a sentence into components and places, following who each is about."""
    _note_open_place(reading, words)
    subject, kind = list(reading.person), "thing"
    main = (subject, kind)
    for clause in split(words):
        if clause.opener == "back":
            subject, kind = main
        before = (subject, kind)
        if _read_turned_round(reading, number, clause):
            subject, kind = reading.person, "person"
            continue
        own = _own_subject(clause, reading)
        if own:
            subject, kind = own, _kind(own, before[1])
            if kind == "person" and not any(item.has("pronoun") for item in own):
                reading.person = own
        elif clause.opener == "that":
            continue
        elif in_list and kind in ("hand", "body") and _begins_with_deed(clause):
            # "hands in pockets, leaning on a wall": the person leans
            subject, kind = list(reading.person), "person"
        elif kind == "thing" and (in_list or not reading.anyone) and clause.start == 0 and _begins_with_deed(clause):
            subject, kind = list(reading.person), "person"
        if clause.opener not in (*RELATIVE, "with"):
            main = (subject, kind)
        reading.anyone |= kind in ("person", "hand", "body")
        for component in _classify(clause, kind):
            reading.phrases[component].append(Phrase(clause, number, subject, reading.person, bool(own)))
        if kind == "person" and own and clause.verb is None:
            reading.presence.append(clause)
        _note_places(reading, clause, kind, opening=number == 0)
        if own and _is_aside(clause, kind):
            # "with her chin in her hand, and looks out": the next clause is about the person again.
            subject, kind = before


def _read_turned_round(reading: Reading, number: int, clause: Clause) -> bool:
    """Read a clause whose subject is the thing handled: "a cup is held by a woman", "in her left hand is a book"."""
    if clause.verb is None or clause.opener in RELATIVE or _untold(clause):
        return False
    verb, rest = clause.tokens[clause.verb], clause.tokens[clause.verb + 1 : clause.end]
    lead = clause.tokens[clause.start : clause.verb]
    thing = phrase_head(clause.subject) == "thing" if clause.subject else bool(lead) and lead[0].has("prep")
    if not thing:
        return False
    held = any(item.has("hand") for item in (rest if clause.subject else lead))
    agent = _agent(rest, held)
    passive = verb.form == "ed" and not verb.has("aux") and verb.verb_classes != {"dropped"}
    if not (passive and (agent or held) or verb.has("aux") and held):
        return False
    reading.person = agent or reading.person
    reading.anyone = True
    for component in _classify_turned_round(verb, held, passive):
        reading.phrases[component].append(Phrase(clause, number, clause.subject, reading.person, True, whole=True))
    _note_places(reading, clause, "person")
    return True


def _classify_turned_round(verb: Token, held: bool, passive: bool) -> list[str]:
    by_hand = held or not verb.verb_classes.isdisjoint(("grasp", "handwork"))
    acted = passive and "grasp" not in verb.verb_classes
    return (["action"] if acted else []) + (["hand_action"] if by_hand else [])


def _agent(rest: list[Token], held: bool) -> list[Token]:
    """Who does what a passive tells: the person behind "by", or whose hands the thing is in."""
    by = next((k for k, item in enumerate(rest) if item.lower == "by"), None)
    if by is not None:
        named = _leading_phrase(rest[by + 1 :])
        return named if phrase_head(named) == "person" else []
    return _last_person(rest) if held else []


def _untold(clause: Clause) -> bool:
    """Whether a clause tells what is not done or not seen."""
    at = clause.group if clause.group is not None else clause.at_verb
    near = clause.tokens[at : clause.at_verb + 3]
    copula = clause.tokens[clause.at_verb].has("aux")
    return any(item.lower in _NEGATIONS or item.lower.endswith("n't") for item in near) or (
        copula and bool(_OUT_OF_SIGHT.search(join(clause.tokens[at : clause.end])))
    )


def _own_subject(clause: Clause, reading: Reading) -> list[Token]:
    """Whom a clause names as its subject; nothing if it shares that of the clause before."""
    if clause.subject:
        return _shown_person(clause) or clause.subject
    if clause.verb is None:
        clause.subject = _leading_phrase(clause.tokens[clause.start : clause.end])
        return clause.subject
    return _last_person(clause.tokens[: clause.start]) if clause.opener == "who" else []


def _shown_person(clause: Clause) -> list[Token]:
    """The person that a thing is on or of, and who does what follows: "a coat on a tall man walking"."""
    subject = clause.subject
    if phrase_head(subject) != "thing" or not subject[-1].has("person") or clause.verb is None:
        return []
    if clause.tokens[clause.verb].form != "ing" or clause.verb != clause.group or subject[0].lower in _NEGATIONS:
        return []
    if any(item.lower in _LIKENESSES for item in subject):
        return []
    at = max((k for k, item in enumerate(subject) if item.lower in ("on", "at", "of", "around", "for")), default=None)
    return [] if at is None else subject[at + 1 :]


def _note_open_place(reading: Reading, words: list[Token]) -> None:
    places = (item.lower for item in words if item.lower in lexicon.OPEN_PLACES and not item.has("prep"))
    reading.open_place = reading.open_place or next(places, "") or _place_tag(words)


def _place_tag(words: list[Token]) -> str:
    """The place in a tail of tags: "a woman holding a cup, park, red hair"."""
    commas = [k for k, item in enumerate(words) if item.lower == ","] + [len(words)]
    tags = [words[a + 1 : b] for a, b in itertools.pairwise(commas) if b - a in (2, 3)]
    bare = [tag for tag in tags if all(item.content for item in tag) and tag[-1].has("place")]
    return join(undecorated(bare[0], keep_colors=False)) if bare else ""


def _note_places(reading: Reading, clause: Clause, kind: str, opening: bool = False) -> None:
    """Note the places a clause names, with how far they can be trusted: 0 best, 3, only in an opening, least."""
    words = clause.tokens[clause.start : clause.end]
    participle = clause.verb is not None and words[0].has("prep") and clause.tokens[clause.verb].form in ("ing", "ed")
    alone = (clause.verb is None or participle) and not clause.subject and clause.start == 0
    trust = 0 if kind in ("person", "hand", "body") or alone else 2
    if kind == "person" and not opening and _are_bystanders(clause.subject):
        trust = 1
    found = place_phrases(words)
    reading.places += [(trust, words[start:end]) for start, end in found]
    if trust == 0 and clause.verb is not None and clause.tokens[clause.verb].verb in _VISITING:
        visited = place_object(clause.tokens[clause.verb + 1 : clause.end])
        reading.places += [(0, visited)] if visited else []
    if not found and trust == 0:
        reading.places += [(2, [item]) for item in furnished_places(words)]
    if kind == "thing" and clause.start == 0 or clause.verb is None:
        named = place_subject(clause.subject)
        reading.places += [(1, named)] if named else []
    if opening and not found and kind == "thing":
        # "steam fills the railway station"
        reading.places += [(3, phrase) for phrase in bare_places(words)[:1]]


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


def _kind(subject: list[Token], before: str) -> str:
    """What a subject is; "the other" after a clause about a hand is the other hand."""
    head = phrase_head(subject)
    if subject[0].lower in ("no", "nobody", "none"):
        return "thing"
    if head != "standin":
        return head
    return "hand" if before == "hand" and subject[-1].lower == "other" else "person"


def _leading_phrase(words: list[Token]) -> list[Token]:
    """The noun phrase a verbless clause begins with."""
    if not words or words[0].has("prep", "mark") and not words[0].has("standin"):
        return []
    end = next(
        (
            k
            for k, item in enumerate(words)
            if k
            and (
                item.has("prep", "mark", "adv")
                or item.form == "ed"
                or item.lower in _SEEN
                # "left hand flat on the book"
                or words[k - 1].has("hand")
                and item.form != "ing"
                and words[k + 1 : k + 2]
                and words[k + 1].has("prep")
            )
        ),
        len(words),
    )
    return words[:end]


def _last_person(words: list[Token]) -> list[Token]:
    """The noun phrase of the last person named, for "who"."""
    at = next((k for k in range(len(words) - 1, -1, -1) if words[k].has("person")), None)
    if at is None:
        return []
    start = at
    while start and (words[start - 1].has("det") or words[start - 1].content and words[start - 1].form != "ing"):
        start -= 1
    return words[start : at + 1]


def _classify(clause: Clause, kind: str) -> list[str]:
    """The components a clause belongs to; none if it is to be dropped."""
    words = clause.tokens[clause.start : clause.end]
    text = join(words)
    hands = any(item.has("hand") for item in words) or _names_gesture(words)
    if clause.verb is not None and _untold(clause):
        return []
    if kind in ("thing", "appearance"):
        leaves = clause.verb is not None and clause.tokens[clause.verb].form == "ing" and _from_hand(words)
        held = clause.verb is None and clause.opener in (",", "and") and _stands_in_hand(words)
        return ["hand_action"] if hands and (clause.opener == "with" or leaves or held) else []
    if kind == "hand":
        return ["hand_action"]
    if kind == "body":
        return ["hand_action"] if hands else ["pose"]
    if clause.verb is None and any(item.lower in _LYING for item in words):
        # "an old man asleep in an armchair"
        return ["pose"]
    if clause.verb is None:
        # "a waiter with his left hand behind his back"
        return ["hand_action"] if any(item.lower in _OWN_HANDS for item in words) and _has_with(words) else []
    if _CAMERA_TALK.search(text) and not hands:
        return ["pose"] if "posture" in clause.tokens[clause.verb].verb_classes else []
    return _classify_deed(clause, hands)


def _has_with(words: list[Token]) -> bool:
    return any(item.lower == "with" for item in words)


def _from_hand(words: list[Token]) -> bool:
    """Whether a thing moves out of somebody's hand: "a plate falling from her left hand"."""
    out = next((k for k, item in enumerate(words) if item.lower in ("from", "into", "out")), len(words))
    return any(item.has("hand") for item in words[out:])


def _stands_in_hand(words: list[Token]) -> bool:
    """Whether a thing is told to be in a hand: "a coffee cup in his left hand"."""
    at = next((k for k, item in enumerate(words) if k and item.lower in ("in", "between")), None)
    return at is not None and any(item.has("hand") for item in words[at : at + 5])


def _names_gesture(words: list[Token]) -> bool:
    """Whether a clause calls a gesture by its name: "making a peace sign"."""
    return bool(find_mentions(" ".join("it" if GLUE in item.text else item.text for item in words)))


def _classify_deed(clause: Clause, hands: bool) -> list[str]:
    """The components of what a person does, by the classes of the verb and by what it acts on."""
    verb = clause.tokens[clause.at_verb]
    classes = verb.verb_classes
    rest = clause.tokens[clause.at_verb + 1 : clause.end]
    worn = "dropped" in classes and verb.form == "ed" and bool(rest) and rest[0].has("prep")
    if verb.has("aux") or worn or classes == {"dropped"}:
        # "has his arm around her": what matters is what follows. "is tall", "wears a hat": nothing does.
        if classes == {"dropped"} and not worn and any(item.lower in _OWN_HANDS for item in rest):
            # "covers her glass with her hand"
            return ["hand_action"]
        has = any(item.lower in _HAVE for item in clause.tokens[clause.group or clause.at_verb : clause.at_verb + 2])
        if has and any(item.lower in _HAD for item in rest[:4]):
            return ["action"]
        return ["hand_action"] if has and any(item.has("hand", "body") for item in rest) else []
    if verb.form == "ed" and verb.verb in _FIXED and rest[:1] and rest[0].has("prep"):
        return ["pose"]
    particle = ""
    if verb.verb in _TAKE_PARTICLE and len(rest) > 1 and rest[0].lower in _PARTICLES:
        # "putting on her gloves"
        particle = rest[0].lower if rest[0].lower in ("on", "off") else ""
        rest = rest[1:] if not rest[1].has("prep", "mark") else rest
    rest = [item for item in rest if not item.has("adv") or item.has("body", "person")]
    with_object = bool(rest) and not rest[0].has("prep", "mark", "conj", "sub")
    moved = phrase_head(rest[:3]) if with_object else ""
    moves_body = moved == "body" and not hands and not any(item.has("owner") for item in rest[:2])
    if (moved == "hand" or hands and moved in ("body", "appearance")) and classes & {"posture", "grasp"}:
        return ["hand_action"]
    if (
        hands
        and classes == {"posture"}
        and moved == "thing"
        and phrase_head(rest) == "thing"
        and not rest[0].has("prep")
    ):
        # "tilting the cup with her left hand"
        return ["hand_action"]
    if "posture" in classes and (not with_object or moves_body or classes == {"posture"}):
        return ["pose", "hand_action"] if hands and "grasp" not in classes else ["pose"]
    if "grasp" in classes and rest and not (moved == "thing" and "handwork" in classes):
        return ["pose"] if moves_body else ["hand_action"]
    if hands or _is_handwork(verb, rest, with_object, particle):
        return ["action", "hand_action"]
    return ["action"]


def _is_handwork(verb: Token, rest: list[Token], with_object: bool, particle: str) -> bool:
    if "handwork" in verb.verb_classes:
        return with_object or verb.verb not in _NEEDS_OBJECT
    if verb.verb == "take" and with_object and bool(particle):
        # "taking off her gloves"
        return True
    return verb.verb in ("play", "take") and any(item.lower in _PLAYED_BY_HAND for item in rest)
