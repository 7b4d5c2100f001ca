"""The errors this library raises on purpose: each says what was got, what was expected, and what to do."""


class SesaHandError(Exception):
    """Something the user can put right. The message names the input, what was expected of it, and the fix."""


class InvalidFileError(SesaHandError):
    """A file is missing, truncated, of another kind, or holds values that cannot be used."""


class UnsafeFileError(InvalidFileError):
    """A file asks for more than data while it is read, for example a pickle that names a function."""


class CannotAnswerError(SesaHandError):
    """A model can caption pictures but not answer text, so that it cannot extract semantics."""
