"""What a reasoning model thinks aloud before it answers, and how to take it off."""

import re

_TAG = r"(?:think|thinking|thought|reasoning)"
_CLOSED = re.compile(rf"</{_TAG}>", re.IGNORECASE)
_OPEN = re.compile(rf"<{_TAG}>", re.IGNORECASE)


def split_thoughts(text: str) -> list[str]:
    """The parts of an answer between closing think tags; the last one is what stands behind all thoughts."""
    return _CLOSED.split(text)


def begins_with_thought(text: str) -> bool:
    """Whether a text begins with a thought that is not closed."""
    return _OPEN.match(text.lstrip()) is not None


def without_open_tags(text: str) -> str:
    """The text with a space for each opening think tag."""
    return _OPEN.sub(" ", text)
