"""Cut a sentence into clauses: who (subject), does (verb), what (the rest).

A shallow parser, just deep enough for captions: it looks for verb groups, for the conjunctions, commas and relative
words that open a clause with or without a subject of its own, and for absolute phrases ("with his arms crossed").
"""

from dataclasses import dataclass, field

from . import lexicon
from .grammar import Token

_ING_NOUNS = frozenset(lexicon.ING_NOUNS.split()) | {"left", "ground", "wound"}
_QUANTITIES = frozenset(lexicon.QUANTITIES.split())
_SEEN = frozenset(lexicon.SEEN.split())

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
        opener: how it was opened: "start", "and", "while", "who", "that", "with", "to" or ",".
    """

    tokens: list[Token]
    start: int
    end: int = 0
    verb: int | None = None
    subject: list[Token] = field(default_factory=list)
    opener: str = "start"
    group: int | None = None


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
    if item.lower in _ING_NOUNS and not (i and tokens[i - 1].has("aux")):
        return False
    if before is not None and (
        before.has("det", "owner", "color", "opinion") or before.has("prep") and not before.has("adv")
    ):
        return False
    if item.form in ("ing", "ed"):
        # "dancing crowd", "framed pictures": a participle in front of its noun, where no subject stands before.
        return not (before is None and after is not None and after.has("person") and not opening)
    if item.form == "base":
        if item.roles and not item.has("adv") and (before is None or not before.plural):
            return False
        return before is not None and (before.plural or before.has("rel", "adv") or before.lower in ("to", "and", "or"))
    if item.has("hand", "body", "person", "place") and before is not None:
        return before.has("person", "pronoun", "rel", "object pronoun") and not before.plural
    if before is None:
        return (
            opening
            and after is not None
            and (after.has("det", "prep", "adv", "object pronoun", "mark", "owner") or after.content)
        )
    return not before.plural or before.has("rel")


def _unknown_verb(before: Token | None, item: Token, after: Token | None) -> bool:
    """Whether a word outside the lexicon is a verb: behind a person or a hand, and followed by something."""
    if before is None or after is None or not item.content or item.roles:
        return False
    if not item.lower.endswith("s"):
        return before.has("person") and before.plural and after.has("det", "owner")
    behind_one = before.has("person", "hand", "body", "pronoun") and not before.plural
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
    if (
        core
        and core[-1].lower in _QUANTITIES
        and of_follows
        and not rest[:1] == []
        and not rest[0].has("object pronoun")
    ):
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
    cut = next(
        (k for k, item in enumerate(phrase) if k and (item.has("prep", "adv") or item.form in ("ed", "ing"))), None
    )
    if cut is None or not phrase[0].content and not phrase[0].has("det", "owner", "standin"):
        return False
    head = phrase_head(phrase[:cut])
    if head in ("hand", "body") or head == "appearance" and opener != "with":
        return phrase[cut].lower != "of" or any(item.form in ("ed", "ing") for item in phrase[cut:])
    in_hand = phrase[cut].lower in ("in", "between", "on") and any(item.has("hand") for item in phrase[cut:])
    return head == "thing" and in_hand


def _opens(tokens: list[Token], at: int, current: Clause) -> tuple[int, int | None, str] | None:
    """(start, verb, opener) of the clause that opens at token `at`, or None."""
    item, k, opener = tokens[at], at, ""
    while k < len(tokens) and (tokens[k].has("mark", "conj", "sub", "rel") or tokens[k].lower in ("with", "to")):
        if tokens[k].lower == "as" and k + 1 < len(tokens) and tokens[k + 1].lower in ("well", "if", "a", "an"):
            return None
        if tokens[k].lower in ("with", "to") and k != at and not tokens[k - 1].has("mark", "conj"):
            break
        opener = tokens[k].lower if opener in ("", ",", "and") else opener
        k += 1
    if k >= len(tokens):
        return None
    start = k
    while k < len(tokens) - 1 and tokens[k].has("adv") and not tokens[k].verb and not tokens[k].has("standin"):
        k += 1
    finite = tokens[k].form == "s" and not tokens[k].roles and verbal(tokens, k, opening=True)
    own = None if finite else subject_end(tokens, k)
    if opener == "with":
        absolute = is_absolute(tokens, start, "with") and not _is_instrument(tokens, start, current)
        return (start, own, "with") if absolute else None
    if opener == "to":
        posture = current.verb is not None and "posture" in tokens[current.verb].verb_classes
        return (at, k, "to") if posture and tokens[k].form == "base" and tokens[k].verb else None
    if opener in ("which", "that"):
        if (
            verbal(tokens, k, opening=True)
            and not tokens[k].form == "base"
            or tokens[k].form == "base"
            and tokens[k].verb
        ):
            return start, k, "that"
        return None
    if opener == "whose":
        return (start, own, "whose") if own else None
    if opener == "who":
        verb = next(
            (j for j in range(k, min(k + 4, len(tokens))) if verbal(tokens, j, opening=j == k) or tokens[j].verb), None
        )
        return (start, verb, "who") if verb is not None else None
    if item.has("conj") and current.verb is None:
        # "a man and a woman are dancing": one subject, not two clauses.
        return None
    if tokens[k].form in ("ing", "ed") and verbal(tokens, k, opening=True):
        if tokens[k].form == "ed" and current.verb is None and opener == ",":
            return start, k, ","
        if tokens[k].form == "ing" or opener != "and":
            return start, k, opener
    if item.lower == "," and current.verb is None and tokens[current.start].has("prep") and own is not None:
        # "in her right hand, she holds a pen": the phrase belongs to the clause behind the comma
        return None
    if own is not None:
        bare = not tokens[k].has("det", "pronoun", "person", "owner")
        if opener == "and" and bare and tokens[own].has("aux") and _participle_only(current):
            # "wearing a coat and goggles is looking": the list goes on, the verb is the person's
            return None
        return start, own, opener
    if (
        verbal(tokens, k, opening=True)
        and tokens[k].form != "ing"
        and (opener not in (",",) or not tokens[k].has("aux"))
    ):
        return start, k, opener
    if tokens[k].form == "base" and current.verb is not None and _same_form(tokens, current.verb) and opener != "as":
        if not tokens[k].roles:
            return start, k, opener
    person = phrase_head(tokens[k : k + 3]) == "person" and tokens[k].has("det") and _relative_follows(tokens, k)
    if person or (opener in (",", "and", ";", "while") and is_absolute(tokens, k)):
        return start, None, opener
    return None


def _is_instrument(tokens: list[Token], start: int, current: Clause) -> bool:
    """Whether "with his finger at the sky" is what the deed is done with: hand verb before, no participle behind."""
    if current.verb is None or tokens[current.verb].verb_classes.isdisjoint(("grasp", "handwork")):
        return False
    stop = next((k for k in range(start, len(tokens)) if tokens[k].has("mark", "sub", "rel", "conj")), len(tokens))
    phrase = tokens[start:stop]
    cut = next((k for k, item in enumerate(phrase) if item.has("prep")), len(phrase))
    return phrase_head(phrase[:cut]) == "hand" and not any(item.form in ("ed", "ing") for item in phrase)


def _same_form(tokens: list[Token], verb: int) -> bool:
    return tokens[verb].form == "base"


def _relative_follows(tokens: list[Token], start: int) -> bool:
    return any(item.lower == "who" for item in tokens[start : start + 8])


def split(tokens: list[Token]) -> list[Clause]:
    """Cut one sentence into its clauses, in order."""
    clauses: list[Clause] = []
    current = Clause(tokens, 0)
    i = 0
    while i < len(tokens):
        item = tokens[i]
        boundary = item.has("mark", "conj", "sub", "rel") or item.lower in ("with", "to")
        found = _opens(tokens, i, current) if boundary and i > current.start else None
        if found is None and boundary and i == current.start and (item.has("sub", "rel") or item.lower == "with"):
            found = _opens(tokens, i, current)
        if found:
            start, verb, opener = found
            current.end = i
            clauses.append(current)
            current = Clause(tokens, start, opener=opener)
            if verb is not None:
                _set_verb(current, verb)
                i = max(current.verb, start) + 1
            else:
                i = start + 1
            continue
        if item.has("aux") and _participle_only(current) and i > current.verb:
            # "a boy wearing a cap is eating": the participle belonged to the subject.
            current.end = i
            clauses.append(current)
            current = Clause(tokens, i)
            _set_verb(current, i)
            i = current.verb + 1
            continue
        if current.verb is None and verbal(tokens, i) and not (i == current.start and item.form == "base"):
            _set_verb(current, i)
            i = current.verb
        i += 1
    current.end = len(tokens)
    clauses.append(current)
    return [clause for clause in clauses if clause.end > clause.start]


def _participle_only(clause: Clause) -> bool:
    if clause.verb is None or clause.opener in ("that", "which", "who"):
        return False
    auxiliary = any(item.has("aux") for item in clause.tokens[clause.start : clause.verb])
    return clause.tokens[clause.verb].form in ("ing", "ed") and not auxiliary


def _set_verb(clause: Clause, at: int) -> None:
    """Find the main verb of the group that begins at `at`, past auxiliaries, adverbs and "can be seen"."""
    tokens = clause.tokens
    clause.subject = _subject(tokens[clause.start : at])
    main = at
    k = at
    while k < len(tokens) and (tokens[k].has("aux", "adv") or tokens[k].lower == "to" or _is_seen(tokens[k], k > at)):
        if (
            k > at
            and tokens[k].has("adv")
            and not tokens[k].has("aux")
            and tokens[k].verb
            and tokens[k].form in ("ed", "base")
        ):
            break
        k += 1
    if (
        k > at
        and k < len(tokens)
        and tokens[k].verb
        and (tokens[k].form in ("ing", "ed") or tokens[k - 1].lower in ("to", "can"))
    ):
        main = k
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
