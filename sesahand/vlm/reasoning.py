"""What a reasoning model thinks aloud before it answers, and how to take it off."""

import re

_TAG = r"(?:think|thinking|thought|reasoning|analysis|reflection)"
# The second forms are Kimi's, the third that of models that answer in channels.
_CLOSED = re.compile(
    rf"</{_TAG}>|\u25c1/{_TAG}\u25b7|\[/{_TAG}\]|<\|/{_TAG}\|>|<\|end_of_{_TAG}\|>|<\|channel\|>\s*final\s*<\|message\|>",
    re.IGNORECASE,
)
_OPEN = re.compile(
    rf"<{_TAG}>|\u25c1{_TAG}\u25b7|\[{_TAG}\]|<\|{_TAG}\|>|<\|channel\|>\s*analysis\s*<\|message\|>", re.IGNORECASE
)

_ENDS = (
    r"(?:end|eot|eos|eom|eod|return|im_end|eot_id|eom_id|end_?of_?(?:text|turn|sentence|utterance|message|turn_token))"
)
_TURN_END = re.compile(
    rf"<\|{_ENDS}\|>|<\uff5cend\u2581of\u2581sentence\uff5c>|</s>|<(?:eos|eot|end_of_turn|end_of_utterance|endoftext|end_of_text)>|\[/?INST\]"
    r"|<\|(?:im_start|start_header_id|start_of_turn|start)\|>|<start_of_turn>|<\uff5c(?:User|Assistant)\uff5c>",
    re.IGNORECASE,
)
"""Where a model's turn is over; what some servers let it write behind that is a turn of somebody else."""

_MARK = re.compile(
    r"<\|[a-z][\w/.\u2581 -]{0,40}\|>|<\uff5c[^<>\uff5c]{1,40}\uff5c>"
    r"|</?(?:s|eos|bos|pad|unk|answer|response|output|box)>"
    r"|</?(?:start|end)_of_\w{1,20}>|\[/?(?:INST|ANSWER)\]|\u25c1/?\w{1,20}\u25b7",
    re.IGNORECASE,
)
"""Tokens that steer a model and are no words: around turns, boxes and answers."""


def without_marks(text: str) -> str:
    """An answer without the marks of its template, and without what stands behind the end of its turn.

    Args:
        text: As a model wrote it. Marks at its beginning are taken off first: they end nothing.

    Returns:
        The answer, stripped.
    """
    text = text.strip()
    # Think tags that are not closed are left for those who tell that a thought was cut off.
    while match := (_TURN_END.match(text) or (None if _OPEN.match(text) else _MARK.match(text))):
        role = re.match(r"\s*(?:assistant|model)\b(?:<\|end_\w+\|>|\s*\n)", text[match.end() :], re.IGNORECASE)
        text = text[match.end() + (role.end() if role else 0) :].lstrip()
    if _OPEN.match(text):
        return text.strip()
    end = _TURN_END.search(text)
    text = text[: end.start()] if end else text
    return _MARK.sub("", text).strip()


def split_thoughts(text: str) -> list[str]:
    """The parts of an answer between closing think tags; the last one is what stands behind all thoughts."""
    return _CLOSED.split(text)


def begins_with_thought(text: str) -> bool:
    """Whether a text begins with a thought that is not closed."""
    return _OPEN.match(text.lstrip()) is not None


def without_open_tags(text: str) -> str:
    """The text with a space for each opening think tag."""
    return _OPEN.sub(" ", text)
