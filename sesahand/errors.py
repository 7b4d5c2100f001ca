"""The errors this library raises on purpose: each says what was got, what was expected, and what to do."""


class SesaHandError(Exception):
    """Something the user can put right. The message names the input, what was expected of it, and the fix.

    Messages quote what users and files hold. Whatever that is, the message can be printed: characters that a log or a
    terminal cannot take, such as half of a surrogate pair, are escaped. One in a log ends ComfyUI's worker for good.
    """

    def __init__(self, message: object = ""):
        super().__init__("".join(_printable(character) for character in str(message)))


class InvalidFileError(SesaHandError):
    """A file is missing, truncated, of another kind, or holds values that cannot be used."""


class UnsafeFileError(InvalidFileError):
    """A file asks for more than data while it is read, for example a pickle that names a function."""


class CannotAnswerError(SesaHandError):
    """A model can caption pictures but not answer text, so that it cannot extract semantics."""


def quote(value: object, limit: int = 80) -> str:
    """Return the repr of a value for a message, shortened to `limit` characters with its closing quote kept."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 4]}...{text[-1]}"


def _printable(character: str) -> str:
    shown = character.isprintable() or character in "\n\t"
    return character if shown else character.encode("unicode_escape").decode()
