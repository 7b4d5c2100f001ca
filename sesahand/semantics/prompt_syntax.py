"""What prompts have besides words: weights, LoRA tags, embeddings, wildcards, BREAK. Read past, and put back in place.

Source: the syntax of ComfyUI, of AUTOMATIC1111's web UI and of its extension for wildcards, as their manuals give it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

# `<lora:name:0.8>`, `embedding:name`, `__wildcard__`, `$$name`: they name files or texts and are no words of the scene.
_TAG = re.compile(r"<[a-z]+:[^<>\n]{1,200}>|\bembedding:[^\s,()]+|(?<!\w)__[\w/*.-]+?__(?!\w)|\$\$\w+", re.IGNORECASE)
_BREAK = re.compile(r"\b(?:BREAK|AND|ADDCOMM|ADDROW|ADDCOL|ADDBASE|TOPP)\b")
_WEIGHTED = re.compile(r"(?<!\\)\(([^()\\]{1,500}?):\s*(-?\d{0,20}\.?\d{1,20})\s*\)")
_DOUBLED = re.compile(r"(?<!\\)(?:\(\(([^()]{1,500})\)\)|\{\{([^{}]{1,500})\}\})")
_WEIGHT_BEHIND = re.compile(r"(?<!\\)\(([^()\\]{1,500})\)(\d*\.\d+|[+-]{1,3}(?=[\s,.]|$))")
_ALTERNATIVES = re.compile(r"\{([^{}|]*)\|([^{}]*)\}")
_EDITED = re.compile(r"(?<!\\)\[([^\[\]:|]*)(?::([^\[\]:|]*))?::?\s*(\d{0,20}\.?\d{1,20})\s*\]")
_ALTERNATING = re.compile(r"(?<!\\)\[([^\[\]|]*)\|([^\[\]]*)\]")
_WHOLE_PIECE = re.compile(r"(?<![^,\n])(\s{0,99})[(\[{]+([^()\[\]{}]{1,300})[)\]}]+(?=\s*(?:,|\n|$))")
_STRAY = re.compile(r"(?<!\\)[(\[{]{2,}|(?<!\\)[)\]}]{2,}")
_ESCAPED = re.compile(r"\\([()\[\]])")
_ROUNDS = 4


_HALF = re.compile("[\ud800-\udfff]")


def whole_letters(text: str) -> str:
    """Return a text in which half of a surrogate pair, which JSON may hold and no tokenizer takes, is U+FFFD."""
    return _HALF.sub("\ufffd", text)


@dataclass(frozen=True)
class Emphasis:
    """Words that a prompt gives a weight: `opening + words + closing` is how they were typed."""

    words: str
    opening: str
    closing: str

    def __str__(self) -> str:
        return f"{self.opening}{self.words}{self.closing}"


@dataclass(frozen=True)
class PromptSyntax:
    """A prompt taken apart.

    Attributes:
        text: What is left to read: words, commas and sentences.
        tags: What names a file or another text, as typed; to be kept in the prompt.
        emphasis: Words with a weight, which keep it where they are still said.
        dropped: What has no place in a composed prompt, as typed.
    """

    text: str
    tags: tuple[str, ...] = ()
    emphasis: tuple[Emphasis, ...] = ()
    dropped: tuple[str, ...] = ()

    @property
    def any(self) -> bool:
        """Whether the prompt has any syntax at all."""
        return bool(self.tags or self.emphasis or self.dropped)


def read_syntax(prompt: str) -> PromptSyntax:
    """Take the syntax out of a prompt. Ordinary brackets of sentences stay where they are.

    Args:
        prompt: As typed, with line breaks.
    """
    tags: list[str] = []
    emphasis: list[Emphasis] = []
    dropped: list[str] = []

    def tag(match: re.Match) -> str:
        tags.append(match.group())
        return " "

    text = _TAG.sub(tag, prompt)
    if text.upper() != text:
        dropped += dict.fromkeys(_BREAK.findall(text))
        text = _BREAK.sub(".\n", text)
    typed = bool(tags or dropped or _WEIGHTED.search(text) or _DOUBLED.search(text) or _WEIGHT_BEHIND.search(text))
    text = _with_first_choice(text, dropped)
    text = _weights_off(text, emphasis, dropped)
    if typed or emphasis or text.count(",") > 1:
        text = _WHOLE_PIECE.sub(r"\1\2", _STRAY.sub("", text))
    text = _ESCAPED.sub(r"\1", text)
    if typed or emphasis:
        # What a tag leaves behind: empty places of a list.
        text = re.sub(r"(?<![^\S\n])(?:[^\S\n]*,)+(?=[^\S\n]*,)|^\s*,|,\s*$|(?<![^\S\n])[^\S\n]+(?=,)", "", text)
    return PromptSyntax(text.strip() if typed or emphasis else text, tuple(tags), tuple(emphasis), tuple(dropped))


def _with_first_choice(text: str, dropped: list[str]) -> str:
    """Take the first of what a prompt lets vary."""

    def first(match: re.Match) -> str:
        dropped.append(match.group())
        return match.group(1).split("::")[-1]

    for _ in range(_ROUNDS):
        text = _ALTERNATIVES.sub(first, text)
        text = _EDITED.sub(first, _ALTERNATING.sub(first, text))
    return text


def _weights_off(text: str, emphasis: list[Emphasis], dropped: list[str]) -> str:
    def weighted(match: re.Match) -> str:
        if float(match.group(2)) <= 0:
            dropped.append(match.group())
            return ""
        emphasis.append(Emphasis(match.group(1).strip(" ,\n"), "(", f":{match.group(2)})"))
        return match.group(1)

    def doubled(match: re.Match) -> str:
        words = next(filter(None, match.groups()))
        mark = match.group()[0] * 2
        emphasis.append(Emphasis(words.strip(" ,\n"), mark, {"((": "))", "{{": "}}"}[mark]))
        return words

    def behind(match: re.Match) -> str:
        emphasis.append(Emphasis(match.group(1).strip(" ,\n"), "(", f"){match.group(2)}"))
        return match.group(1)

    text = _WEIGHT_BEHIND.sub(behind, text)
    for _ in range(_ROUNDS):
        text = _DOUBLED.sub(doubled, _WEIGHTED.sub(weighted, text))
    return text


def tag_spans(text: str) -> Iterator[tuple[int, int]]:
    """Where tags, embeddings and wildcards stand in a prompt, whose names are no words of it."""
    yield from (match.span() for match in _TAG.finditer(text))


@dataclass(frozen=True)
class Marked:
    """A prompt with its syntax back in place.

    Attributes:
        prompt: The text.
        insertions: Position in the text before, and how many characters were put there, in order.
        lost: Weights of words that are said no more, as typed.
    """

    prompt: str
    insertions: tuple[tuple[int, int], ...]
    lost: tuple[str, ...]

    def moved(self, start: int, end: int) -> tuple[int, int]:
        """Where a stretch of the text before stands now; marks at its edges stay outside."""
        first = sum(count for at, count in self.insertions if at <= start)
        last = sum(count for at, count in self.insertions if at < end)
        return start + first, end + last


def put_back(prompt: str, syntax: PromptSyntax) -> Marked:
    """Give the words of a composed prompt the weights that were typed, and add the tags behind them."""
    marks: list[tuple[int, str]] = []
    openings = {each.opening for each in syntax.emphasis}
    taken: list[tuple[int, int]] = []
    lost: list[str] = []
    for each in syntax.emphasis:
        pattern = r"[\s,]+".join(map(re.escape, re.split(r"[\s,_]+", each.words.strip(" ,"))))
        found = re.search(rf"(?<!\w){pattern}(?!\w)", prompt, re.IGNORECASE) if pattern else None
        if found is None or any(found.start() < end and start < found.end() for start, end in taken):
            lost.append(str(each))
            continue
        taken.append(found.span())
        marks += [(found.start(), each.opening), (found.end(), each.closing)]
    # Where one stretch ends and the next begins, it is closed first.
    marks.sort(key=lambda mark: (mark[0], mark[1] in openings))
    pieces, at = [], 0
    for position, mark in marks:
        pieces += [prompt[at:position], mark]
        at = position
    marked = "".join(pieces) + prompt[at:]
    tail = " ".join(syntax.tags)
    marked = f"{marked}, {tail}" if marked and tail else marked + tail
    return Marked(marked, tuple((position, len(mark)) for position, mark in marks), tuple(lost))
