"""Make a caption plain before it is read: no markup, brackets, lead-ins or talk about the camera."""

import re

from . import lexicon

LONGEST_CAPTION = 10_000
"""Characters that are read. Ten times what a talkative model says about a picture; the rest is left out."""

GLUE = "\x1f"
"""Stands for the space inside a name of several words, so that it is read as one word; no caption can hold it."""

_WRAPPED = 60  # a line at least this long that goes on in lower case was broken by an editor, not by its author
_GOES_ON = re.compile(r"(?:\w+ing|in|on|at|with|of|under|near|beside|behind|and|while|who|his|her|their)\b")
_BULLET = re.compile(r"^\s*(?:(?:[-*+•\u2023–—>]|\d{1,2}[.)])\s+)+")
_HEADING = re.compile(r"^\s*#+\s*(.*?)[\s#:]*$")
_LABEL = re.compile(r"\*\*([^*\n:]{1,40})(?::\s*\*\*|\*\*\s*:)")
_HAND_LABEL = re.compile(r"(?<![*_])[*_]*\b((?:left|right|other)\s+hand)[*_]*\s*:[*_]*\s*", re.IGNORECASE)
_LINK = re.compile(r"!?\[([^\[\]\n]{0,200})\]\([^()\s]{0,300}\)")
_EMPHASIS = re.compile(r"[*`~]+|(?<!\w)_+|_+(?!\w)")
_BRACKETS = re.compile(r"(?<=[\w,.])(\s*)(?:\(([^()]*)\)|\[([^\[\]]*)\]|\{([^{}]*)\})")
_STRAY_BRACKETS = re.compile(r"\\?[()\[\]{}]")
_DASHES = re.compile(r"\s*(?:—|–|\s-{1,3}\s|--)\s*")
_CONTRACTION = re.compile(r"\b(he|she|it|who|there|they|we|you|i)('(?:s|re|ve|m))\b", re.IGNORECASE)
_LEAD_INS = re.compile(rf"(^|\n|[.!?:]\s+|,\s+(?:and\s+)?)(?:{'|'.join(lexicon.LEAD_INS)})", re.IGNORECASE)
_NAMES = re.compile("|".join(lexicon.FALSE_HANDS + lexicon.FALSE_COLORS + lexicon.FALSE_PERSONS), re.IGNORECASE)
_EMPTY_PHRASES = re.compile("|".join(lexicon.EMPTY_PHRASES), re.IGNORECASE)
_AT_CAMERA = re.compile(rf"(?<!\w)(\w+)(?:,?\s+\w+ly)?\s+(?:{'|'.join(lexicon.AT_CAMERA)})", re.IGNORECASE)
_HAND = re.compile(rf"\b(?:{'|'.join(lexicon.HAND_NOUNS.split())})s?\b", re.IGNORECASE)
_LOOKS = frozenset(form for verb in lexicon.LOOKING_VERBS.split() for form in lexicon.verb_forms(verb))


def plain(caption: str, keep_asides: bool = False) -> str:
    """A caption as sentences of words and marks, each line a stretch of its own.

    Args:
        caption: any text, markdown included.
        keep_asides: whether what stands in brackets behind a word is kept, also if it names no hand.
    """
    text = _joined_lines(caption[:LONGEST_CAPTION].replace("’", "'"))
    text = _DASHES.sub(", ", _STRAY_BRACKETS.sub(" ", text) if keep_asides else _without_brackets(text))
    text = _EMPTY_PHRASES.sub("", text.replace("_", " "))
    text = _NAMES.sub(lambda match: re.sub(r"\s+|(?<=fist)-|(?<=hand)-|(?<=palm)-", GLUE, match.group()), text)
    text = _LEAD_INS.sub(r"\1", _LEAD_INS.sub(r"\1", text))
    return _CONTRACTION.sub(r"\1 \2", _AT_CAMERA.sub(_without_camera, text))


def _joined_lines(text: str) -> str:
    """Markup taken off, and lines that an editor wrapped put together again."""
    lines: list[str] = []
    open_end = False
    text = _HAND_LABEL.sub(lambda match: match.group(1).lower() + " ", _LINK.sub(r"\1", text))
    for raw in _LABEL.sub("\n", text).splitlines():
        heading = _HEADING.match(raw)
        line = " ".join(_EMPHASIS.sub("", _BULLET.sub("", heading.group(1) if heading else raw)).split())
        goes_on = lines and line[:1].islower() and not _BULLET.match(raw) and lines[-1][-1] not in ".!?:"
        if goes_on and (open_end or lines[-1][-1] in ",;" or _GOES_ON.match(line)):
            lines[-1] += " " + line
        elif line:
            lines.append(line)
        open_end = bool(lines) and len(line) >= _WRAPPED and not heading
    return "\n".join(lines)


def _without_brackets(text: str) -> str:
    """Leave out what stands in brackets behind a word, unless it names a hand; other brackets lose their signs only."""
    for _ in range(3):
        text = _BRACKETS.sub(_bracket, text)
    return re.sub(r"[^\S\n]+", " ", _STRAY_BRACKETS.sub(" ", text))


def _bracket(match: re.Match) -> str:
    inner = next(filter(None, match.groups()[1:]), "")
    return f" {inner}" if _HAND.search(inner) else ""


def _without_camera(match: re.Match) -> str:
    """Cut "at the camera" off a deed; looking there is the whole of its deed, and stays to be dropped as one."""
    return match.group() if match.group(1).lower() in _LOOKS else match.group(1)
