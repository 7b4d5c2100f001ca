"""The errors this library raises on purpose: each says what was got, what was expected, and what to do."""

import unicodedata
from collections.abc import Sequence


class SesaHandError(Exception):
    """Something the user can put right. The message names the input, what was expected of it, and the fix.

    Messages quote what users and files hold. Whatever that is, the message can be printed: characters that a log or a
    terminal cannot take, such as half of a surrogate pair, are escaped. One in a log ends ComfyUI's worker for good.
    """

    def __init__(self, message: object = ""):
        super().__init__(printable(str(message)))


class InvalidFileError(SesaHandError):
    """A file is missing, truncated, of another kind, or holds values that cannot be used."""


class UnsafeFileError(InvalidFileError):
    """A file asks for more than data while it is read, for example a pickle that names a function."""


class CannotAnswerError(SesaHandError):
    """A model can caption pictures but not answer text, so that it cannot extract semantics."""


def quote(value: object, limit: int = 80) -> str:
    """Return the repr of a value for a message, shortened to `limit` characters with its closing quote kept."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        # Lists in lists without end, and whole numbers longer than Python writes.
        text = f"<a {type(value).__name__} that cannot be shown>"
    return text if len(text) <= limit else f"{text[: limit - 4]}...{text[-1]}"


def some_of(texts: Sequence[str], between: str = ", ", most: int = 10, limit: int = 80) -> str:
    """Return the first of several texts from outside for a message, and how many more there are.

    Args:
        texts: Names or phrases.
        between: What stands between two of them.
        most: How many are told.
        limit: Characters that each is shortened to.
    """
    told = [text if len(text) <= limit else f"{text[: limit - 3]}..." for text in texts[:most]]
    if len(texts) > most:
        told.append(f"{len(texts) - most} more")
    return between.join(told)


def printable(text: str) -> str:
    """Return text with what a terminal or a log would obey or choke on escaped: control characters, halves of pairs."""
    if text.isprintable():
        return text
    return "".join(c if is_printable(c) else c.encode("unicode_escape").decode() for c in text)


def in_one_line(text: str) -> str:
    """Return `printable` text in which line breaks and tabs are escaped, too: a name that makes no line of its own."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def is_printable(character: str) -> bool:
    """Tell whether a character is to be seen: a line break, any space, and the joiners within words and emoji are."""
    return character.isprintable() or character in "\n\t\u200c\u200d" or unicodedata.category(character) == "Zs"
