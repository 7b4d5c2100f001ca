"""Cut a sentence into clauses: who (subject), does (verb), what (the rest).

A shallow parser, just deep enough for captions: it looks for verb groups, for the conjunctions, commas and relative
words that open a clause with or without a subject of its own, and for absolute phrases ("with his arms crossed").
"""

from dataclasses import dataclass, field
from typing import cast

from . import lexicon
from .grammar import Token

_ING_NOUNS = frozenset(lexicon.ING_NOUNS.split()) | {"left", "ground", "wound"}
_VERBAL = frozenset(
    "lighting icing filling wiring building crossing landing parking opening drawing painting setting clearing "
    "ringing".split()
)
_QUANTITIES = frozenset(lexicon.QUANTITIES.split())
_SEEN = frozenset(lexicon.SEEN.split())

_BE = frozenset("is are was were be been being 's 're".split())
RELATIVE = ("who", "which", "that", "whose")

REACH = 14  # a subject longer than this many words is no subject


@dataclass
class Clause:
    """A stretch of a sentence with at most one main verb.

    Args:
        tokens: the whole sentence.
        start: first token of the clause, after the word that opens it.
        end: one past its last token.
        verb: index of the main verb, or None.
        subject: the tokens of its own subject; empty when it shares the subject of the clause before it.
        group: index of the first auxiliary of the verb, or of the verb; None where it says only that something is seen.
        opener: how it was opened: "start", "and", "while", "who", "that", "with", "to", ",", or
            "back" from a relative clause to the one around it.
    """

    tokens: list[Token]
    start: int
    end: int = 0
    verb: int | None = None
    subject: list[Token] = field(default_factory=list)
    opener: str = "start"
    group: int | None = None

    @property
    def at_verb(self) -> int:
        """Index of the main verb, of a clause that is known to have one."""
        return cast(int, self.verb)


def verbal(tokens: list[Token], i: int, opening: bool = False) -> bool:
    """Whether token `i` is a verb (or auxiliary) there, judged by the words around it.

    Args:
        opening: the word would open a clause whose subject was said before, so the word in front does not count.
    """
    item = tokens[i]
    if item.has("aux"):
        return True
    before = tokens[i - 1] if i and not opening else None
    after = tokens[i + 1] if i + 1 < len(tokens) else None
    if not item.verb:
        return _unknown_verb(before, item, after)
    acting = i == 0 or opening or tokens[i - 1].has("person", "mark", "adv")
    acts = i and tokens[i - 1].has("aux") or acting and item.lower in _VERBAL and _next_is(tokens, i, "det")
    if item.lower in _ING_NOUNS and not acts:
        return False
    if before is not None and before.lower in ("one", "other", "both") and item.form == "ing" and item.verb_classes:
        # "one making a fist, the other waving"
        return True
    if (
        before is not None
        and before.lower == "other"
        and item.form == "s"
        and not item.roles
        and _object_follows(after)
    ):
        # "the other holds an apple"
        return True
    if before is not None and before.lower in ("on", "off") and item.form == "s" and "posture" in item.verb_classes:
        # "a clown with half his makeup on sits"
        return True
    if before is not None and _asks_for_noun(before):
        return False
    if item.form == "s" and item.verb_classes == {"dropped"} and item.has("place") and _object_follows(after):
        # "a hill overlooks a sea"
        return True
    if item.form in ("ing", "ed"):
        # "dancing crowd", "framed pictures": a participle in front of its noun, where no subject stands before.
        if before is not None or after is None or opening:
            return True
        return not (after.has("person") or item.form == "ed" and after.has("hand", "body"))
    if item.form == "base":
        if item.roles and not item.has("adv") and (before is None or not before.takes_plural_verb):
            return False
        return before is not None and (
            before.takes_plural_verb or before.has("rel", "adv") or before.lower in ("to", "and", "or")
        )
    if item.has("hand") and before is None and not (_object_follows(after) or after and after.has("object pronoun")):
        # "hands under a blanket"
        return False
    if item.has("hand", "body", "person", "place") and before is not None:
        if item.lower in ("grips", "grasps") and _object_follows(after):
            return True
        if item.has("place") and "posture" in item.verb_classes and after is not None and after.has("prep", "adv"):
            # "a gentleman in a waistcoat lounges in a chair"
            return any(earlier.has("person", "pronoun") for earlier in tokens[max(0, i - 6) : i])
        return before.has("person", "pronoun", "rel", "object pronoun", "hand", "body") and not before.plural
    if before is None:
        return opening and after is not None and not after.has("conj", "sub", "rel", "aux")
    # "a pair of hands sets", "a man in headphones leans": the plural is not the subject.
    inner = any(earlier.has("prep") for earlier in tokens[max(0, i - 4) : i - 1])
    return not before.plural or before.has("rel") or inner


def _object_follows(after: Token | None) -> bool:
    return after is not None and after.has("det", "owner")


def _next_is(tokens: list[Token], i: int, role: str) -> bool:
    return i + 1 < len(tokens) and tokens[i + 1].has(role)


def _asks_for_noun(item: Token) -> bool:
    """Whether the next word must belong to a noun phrase: "a", "her", "green", "of"."""
    return item.has("det", "owner", "color", "opinion") or item.has("prep") and not item.has("adv")


def _unknown_verb(before: Token | None, item: Token, after: Token | None, beside: bool = False) -> bool:
    """Whether a word outside the lexicon is a verb: behind a person or a hand, and followed by something."""
    if before is None or after is None or not item.content or item.roles:
        return False
    if not item.lower.endswith("s"):
        return before.has("person") and before.plural and after.has("det", "owner")
    behind_one = beside or before.has("person", "hand", "body", "pronoun") and not before.plural
    return behind_one and after.has("det", "prep", "adv", "object pronoun", "owner") and not item.lower.endswith("ss")


def subject_end(tokens: list[Token], start: int) -> int | None:
    """Index of the verb of a clause that opens with its own subject at `start`, or None if none opens there."""
    first = tokens[start]
    if first.has("mark", "conj", "sub", "rel") or (first.has("prep") and not first.has("standin")):
        return None
    for k in range(start, min(start + REACH, len(tokens))):
        item = tokens[k]
        if item.has("mark", "sub", "rel") and item.lower != "that":
            return None
        if k > start and verbal(tokens, k):
            return k
    return None


def phrase_head(tokens: list[Token]) -> str:
    """The kind of thing a noun phrase names: "person", "hand", "body", "appearance", "standin" or "thing"."""
    limit = len(tokens)
    for k, item in enumerate(tokens):
        if k and item.has("prep", "rel", "mark") and not item.has("adv"):
            limit = k
            break
    core = tokens[:limit]
    rest = tokens[limit + 1 :]
    of_follows = limit < len(tokens) and tokens[limit].lower == "of"
    if core and core[-1].lower in _QUANTITIES and of_follows and rest and not rest[0].has("object pronoun"):
        return phrase_head(rest)
    if core and core[-1].has("standin") and not core[-1].has("person"):
        return "standin"
    conjunction = next((k for k, item in enumerate(core) if item.has("conj")), None)
    if conjunction and phrase_head(core[:conjunction]) == "thing":
        return "thing"
    if any(item.has("pronoun") for item in core):
        return "thing" if core[0].lower == "it" else "person"
    for item in reversed(core):
        if item.has("adv") and not item.has("body", "person"):
            continue
        for kind in ("hand", "person", "body", "appearance"):
            if item.has(kind):
                return kind
        break
    return "thing"


def is_absolute(tokens: list[Token], start: int, opener: str = ",") -> bool:
    """Whether a phrase about a body part or a held thing stands at `start`: "his arms crossed", "a cup in her hand"."""
    stop = next((k for k in range(start, len(tokens)) if tokens[k].has("mark", "sub", "rel")), len(tokens))
    phrase = tokens[start:stop]
    told = (k for k, item in enumerate(phrase) if k and (item.has("prep", "adv") or item.form in ("ed", "ing")))
    # "her left arm raised": left is no verb there
    cut = next((k for k in told if not (phrase[k].lower == "left" and _limb_follows(phrase, k))), None)
    if cut is None or not phrase[0].content and not phrase[0].has("det", "owner", "standin"):
        return False
    head = phrase_head(phrase[:cut])
    if head in ("hand", "body") or head == "appearance" and opener != "with":
        return phrase[cut].lower != "of" or any(item.form in ("ed", "ing") for item in phrase[cut:])
    in_hand = phrase[cut].lower in ("in", "between", "on") and any(item.has("hand") for item in phrase[cut:])
    return head == "thing" and in_hand


def _limb_follows(words: list[Token], k: int) -> bool:
    return k + 1 < len(words) and words[k + 1].has("hand", "body")


Opening = tuple[int, int | None, str]
"""(start, verb, opener) of a clause that begins in the middle of a sentence."""


def _opens(tokens: list[Token], at: int, current: Clause) -> Opening | None:
    """The clause that opens at token `at`, a mark or a connecting word, or None."""
    connected = _connection(tokens, at)
    if connected is None:
        return None
    start, opener = connected
    k = start
    while k < len(tokens) - 1 and tokens[k].has("adv") and not tokens[k].verb and not tokens[k].has("standin"):
        k += 1
    if opener == "with":
        absolute = is_absolute(tokens, start, "with") and not _is_instrument(tokens, start, current)
        absolute = absolute and not (current.verb is None and _describes_subject(tokens, start))
        verb = _own_verb(tokens, k) if absolute else None
        return (start, None if verb is not None and tokens[verb].form == "s" else verb, "with") if absolute else None
    if opener == "to":
        posture = current.verb is not None and "posture" in tokens[current.verb].verb_classes
        return (at, k, "to") if posture and tokens[k].form == "base" else None
    if opener in ("which", "that", "whose", "who"):
        return _opens_relative(tokens, start, k, opener)
    if tokens[at].has("conj") and current.verb is None:
        # "a man and a woman are dancing": one subject, not two clauses.
        return None
    return _opens_plain(tokens, at, start, k, opener, current)


def _connection(tokens: list[Token], at: int) -> tuple[int, str] | None:
    """Where the marks and connecting words from `at` on end, and the one that matters: "while" of ", while"."""
    k, opener = at, ""
    while k < len(tokens) and (tokens[k].has("mark", "conj", "sub", "rel") or tokens[k].lower in ("with", "to")):
        if tokens[k].lower == "as" and k + 1 < len(tokens) and tokens[k + 1].lower in ("well", "if", "a", "an"):
            return None
        if tokens[k].lower in ("with", "to") and k != at and not tokens[k - 1].has("mark", "conj"):
            break
        opener = tokens[k].lower if opener in ("", ",", "and") else opener
        k += 1
    return (k, opener) if k < len(tokens) else None


def _own_verb(tokens: list[Token], k: int) -> int | None:
    """The verb of a clause with a subject of its own at `k`."""
    finite = tokens[k].form == "s" and not tokens[k].roles and verbal(tokens, k, opening=True)
    return None if finite else subject_end(tokens, k)


def _opens_relative(tokens: list[Token], start: int, k: int, opener: str) -> Opening | None:
    """A clause after "who", "which", "that" or "whose". "A cup that he holds" opens none: it goes on about the cup."""
    if opener == "whose":
        own = _own_verb(tokens, k)
        return (start - 1, own, opener) if own else None
    if opener == "who":
        near = range(k, min(k + 4, len(tokens)))
        verb = next((j for j in near if verbal(tokens, j, opening=j == k) or tokens[j].verb), None)
        return (start, verb, opener) if verb is not None else None
    follows = tokens[k].form == "base" or verbal(tokens, k, opening=True)
    return (start, k, "that") if follows else None


def _opens_plain(tokens: list[Token], at: int, start: int, k: int, opener: str, current: Clause) -> Opening | None:
    """A clause after a comma, "and", "while" and the like: a verb, a subject with its verb, or an absolute phrase."""
    item, own = tokens[k], _own_verb(tokens, k)
    follows = verbal(tokens, k, opening=True)
    if item.form == "ing" and follows or item.form == "ed" and follows and opener != "and":
        return start, k, opener
    if own is not None:
        return None if _belongs_to_current(tokens, at, k, own, opener, current) else (start, own, opener)
    if follows and item.form != "ing" and not (opener == "," and item.has("aux")):
        return start, k, opener
    if opener == "and" and _new_verb_beside(tokens, k, current):
        return start, k, opener
    plural = current.verb is not None and tokens[current.verb].form == "base"
    if item.form == "base" and plural and opener != "as" and not item.roles:
        # "they listen and take notes"
        return start, k, opener
    person = phrase_head(tokens[k : k + 3]) == "person" and item.has("det") and _relative_follows(tokens, k)
    if person or (opener in (",", "and", ";", "while") and is_absolute(tokens, k)):
        return start, None, opener
    if opener in ("while", "where", "whereas") and item.form != "ing" or _thing_does(tokens, at, k):
        # what things do beside a person is left out, also where its verb is not known
        return start, None, opener
    return None


def _thing_does(tokens: list[Token], at: int, k: int) -> bool:
    """Whether a thing of its own does something behind ", and" or "as": "as lightning stitches the clouds together"."""
    joined = tokens[at].lower == "as" or tokens[at].has("mark", "conj") and tokens[k - 1].lower == "and"
    if not joined or not (tokens[k].content or tokens[k].has("det")):
        return False
    for j in range(k + 1, min(k + 5, len(tokens) - 1)):
        item, before, after = tokens[j], tokens[j - 1], tokens[j + 1]
        if item.has("mark", "conj", "prep", "person", "pronoun", "hand", "body") or before.has("person"):
            return False
        singular = before.content and not before.plural and not before.roles and not before.verb
        known = item.lower.endswith("s") and not item.roles and not item.lower.endswith(("ss", "us", "'s"))
        if known and singular and after.has("det", "prep", "adv", "mark", "owner"):
            return True
    return False


def _new_verb_beside(tokens: list[Token], k: int, current: Clause) -> bool:
    """Whether a word outside the lexicon is a verb beside a known one: "stands on tiptoe and drops a letter"."""
    before = None if current.verb is None else tokens[current.verb]
    known = before is not None and before.form == "s"
    return known and tokens[k].lower.endswith("s") and _unknown_verb(before, tokens[k], _next(tokens, k), beside=True)


def _next(tokens: list[Token], k: int) -> Token | None:
    return tokens[k + 1] if k + 1 < len(tokens) else None


def _belongs_to_current(tokens: list[Token], at: int, k: int, own: int, opener: str, current: Clause) -> bool:
    """Whether what looks like a new subject with its verb goes on with the clause before."""
    if tokens[at].lower == "," and current.verb is None and tokens[current.start].has("prep"):
        # "in her right hand, she holds a pen"
        return True
    if tokens[at].lower == "," and current.verb is None and _coordinates(tokens, current.start, at, own):
        return True
    worn = current.verb is not None and tokens[current.verb].verb_classes == {"dropped"} and _participle_only(current)
    if opener == "and" and worn and tokens[own].form == "ing" and phrase_head(tokens[k:own]) == "thing":
        # "wearing a vest and a helmet giving a thumbs up": the helmet gives nothing
        return True
    bare = not tokens[k].has("det", "pronoun", "person", "owner")
    # "wearing a coat and goggles is looking": the list goes on, the verb is the person's.
    return opener == "and" and bare and tokens[own].has("aux") and _participle_only(current)


def _coordinates(tokens: list[Token], start: int, comma: int, verb: int) -> bool:
    """Whether persons before and behind a comma share a verb: "a man, a woman and a child are"."""
    before, behind = tokens[start:comma], tokens[comma + 1 : verb]
    joined = any(item.has("conj") for item in behind)
    return joined and phrase_head(before) == phrase_head(behind) == "person" and len(before) <= 4


def _is_instrument(tokens: list[Token], start: int, current: Clause) -> bool:
    """Whether "with his finger at the sky" is what the deed is done with: hand verb before, no participle behind."""
    if current.verb is None or tokens[current.verb].verb_classes.isdisjoint(("grasp", "handwork")):
        return False
    stop = next((k for k in range(start, len(tokens)) if tokens[k].has("mark", "sub", "rel", "conj")), len(tokens))
    phrase = tokens[start:stop]
    cut = next((k for k, item in enumerate(phrase) if item.has("prep")), len(phrase))
    return phrase_head(phrase[:cut]) == "hand" and not any(item.form in ("ed", "ing") for item in phrase)


def _describes_subject(tokens: list[Token], start: int) -> bool:
    """Whether "with tan skin" only describes who acts: the verb of "a person with tan skin raises" is the person's."""
    for k in range(start + 1, len(tokens)):
        if tokens[k].has("prep", "adv", "mark", "sub", "rel") or tokens[k].form in ("ed", "ing"):
            return False
        if tokens[k].form == "s" and not tokens[k].has("hand", "body") and verbal(tokens, k):
            return True
    return False


def _relative_follows(tokens: list[Token], start: int) -> bool:
    return any(item.lower == "who" for item in tokens[start : start + 8])


def split(tokens: list[Token]) -> list[Clause]:
    """Cut one sentence into its clauses, in order."""
    clauses = [Clause(tokens, 0)]
    i = 0
    while i < len(tokens):
        current = clauses[-1]
        opening = _opening_at(tokens, i, current)
        if opening:
            start, verb, opener = opening
            current.end = i
            clauses.append(Clause(tokens, start, opener=opener))
            if verb is not None:
                _set_verb(clauses[-1], verb)
                start = max(clauses[-1].at_verb, start)
            i = start
        elif current.verb is None and verbal(tokens, i) and not (i == current.start and tokens[i].form == "base"):
            _set_verb(current, i)
            i = current.at_verb
        i += 1
    clauses[-1].end = len(tokens)
    return [clause for clause in clauses if clause.end > clause.start]


def _opening_at(tokens: list[Token], i: int, current: Clause) -> Opening | None:
    item = tokens[i]
    boundary = item.has("mark", "conj", "sub", "rel") or item.lower in ("with", "to")
    if boundary and (i > current.start or item.has("sub", "rel") or item.lower == "with"):
        return _opens(tokens, i, current)
    if item.has("aux") and _participle_only(current) and i > current.at_verb:
        # "a boy wearing a cap is eating": the participle belonged to the subject.
        return i, i, "start"
    if _returns_to_main(tokens, i, current):
        return i, i, "back"
    if item.form == "ing" and tokens[i - 1].has("person") and _is_passive(current):
        # "is held by a man sitting on a stool": the man's own doing
        return i, i, "who"
    if _second_deed(tokens, i, current):
        return i, i, ","
    return None


def _second_deed(tokens: list[Token], i: int, current: Clause) -> bool:
    """Whether a participle is another deed of the same person: "sitting on the curb drinking from a can"."""
    item = tokens[i]
    deed = item.form == "ing" and item.verb_classes not in (frozenset(), {"dropped"})
    if current.verb is None or i <= current.verb + 2 or not deed:
        return False
    before = tokens[i - 1]
    worn = tokens[current.verb].form == "ing" and tokens[current.verb].verb_classes == {"dropped"}
    placed = worn or "posture" in tokens[current.verb].verb_classes or _is_participle_of_hand(current)
    if not placed or item.lower in _ING_NOUNS or not before.content or before.has("color", "opinion") or before.verb:
        return False
    after = tokens[i + 1] if i + 1 < len(tokens) else None
    return before.has("body", "place", "hand") or after is None or after.has("prep", "det", "mark", "adv", "owner")


def _is_participle_of_hand(clause: Clause) -> bool:
    return clause.tokens[clause.at_verb].form == "ed" and any(item.has("hand", "body") for item in clause.subject)


def _returns_to_main(tokens: list[Token], i: int, current: Clause) -> bool:
    """Whether the verb at `i` is that of the clause around: "who wears a hat | is", "with a cup in hand | smiles"."""
    if current.opener == "with" and current.verb is None:
        finite = tokens[i].form == "s" and not tokens[i].has("hand", "body", "place")
        return finite and i > current.start + 1 and verbal(tokens, i)
    if current.opener not in RELATIVE or current.verb is None or i <= current.verb + 1:
        return False
    return (tokens[i].has("aux") or tokens[i].form == "s") and verbal(tokens, i) and not tokens[i - 1].has("aux", "adv")


def _is_passive(clause: Clause) -> bool:
    """Whether a clause is in the passive voice: "is held", "are being thrown"."""
    if clause.verb is None or clause.group is None or clause.tokens[clause.verb].form != "ed":
        return False
    return any(item.lower in _BE for item in clause.tokens[clause.group : clause.verb])


def _participle_only(clause: Clause) -> bool:
    if clause.verb is None or clause.opener in ("that", "which", "who"):
        return False
    auxiliary = any(item.has("aux") for item in clause.tokens[clause.start : clause.verb])
    return clause.tokens[clause.verb].form in ("ing", "ed") and not auxiliary


def _set_verb(clause: Clause, at: int) -> None:
    """Find the main verb of the group that begins at `at`, past auxiliaries, adverbs and "can be seen"."""
    tokens = clause.tokens
    clause.subject = _subject(tokens[clause.start : at])
    k = at
    while k < len(tokens) and (tokens[k].has("aux", "adv") or tokens[k].lower == "to" or _is_seen(tokens[k], k > at)):
        if k > at and tokens[k].form in ("ed", "base") and not tokens[k].has("aux"):
            # "is spread", "are open": an adverb that can be the participle
            break
        k += 1
    participle = k < len(tokens) and tokens[k].form in ("ing", "ed")
    infinitive = k < len(tokens) and tokens[k].verb and tokens[k - 1].lower in ("to", "can")
    main = k if k > at and (participle or infinitive) else at
    clause.verb = main
    clause.group = main if any(_is_seen(item, True) for item in tokens[at:main]) else at


def _is_seen(item: Token, after_auxiliary: bool) -> bool:
    return after_auxiliary and item.lower in _SEEN


def _subject(tokens: list[Token]) -> list[Token]:
    """The noun phrase in front of a verb, without a leading prepositional phrase ("with her free hand she ...")."""
    pronoun = next((k for k, item in enumerate(tokens) if item.has("pronoun")), None)
    if pronoun is not None:
        return tokens[pronoun:]
    if tokens and tokens[0].has("prep"):
        comma = next((k for k, item in enumerate(tokens) if item.lower == ","), len(tokens))
        tokens = tokens[comma + 1 :]
    while tokens and tokens[0].has("adv", "conj", "mark", "sub") and not tokens[0].has("standin"):
        tokens = tokens[1:]
    if tokens and tokens[0].has("prep"):
        return []
    return tokens
