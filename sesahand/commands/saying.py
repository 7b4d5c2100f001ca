"""What commands say: text that may quote files of strangers, without what a terminal would obey."""

import json
import logging
import sys

from ..errors import is_printable, printable


def say(text: object, end: str = "\n") -> None:
    """Print a result; what is not to be seen, or not in the terminal's encoding, is escaped.

    Args:
        text: Any.
        end: What follows, as of `print`.
    """
    print(_encoded(printable(str(text)), sys.stdout), end=end, flush=True)


def say_json(text: str) -> None:
    """Print JSON that is JSON still: what is not to be seen, or not in the terminal's encoding, is escaped as there."""
    text = "".join(c if is_printable(c) else json.dumps(c)[1:-1].replace("\x7f", r"\u007f") for c in text)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        # Outside of its texts JSON is ASCII.
        text = "".join(c if c.isascii() else json.dumps(c)[1:-1] for c in text)
    print(text, flush=True)


def note(text: str) -> None:
    """Print what the user should know, if there is anything, on standard error, where results are not."""
    if text:
        print(_encoded(printable(text), sys.stderr), file=sys.stderr)


class PrintableFormatter(logging.Formatter):
    """A formatter whose lines hold nothing that a terminal would obey."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def _encoded(text: str, stream) -> str:
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
