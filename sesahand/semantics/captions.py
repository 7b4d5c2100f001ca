"""Captions out of what a user names: the sentence itself, a text file, or a picture that a captioner looks at."""

import io
import re
from collections.abc import Callable
from pathlib import Path

from ..errors import InvalidFileError, SesaHandError
from ..files.pictures import SUFFIXES, read_picture
from ..files.reading import open_regular
from ..vlm.captioner import Captioner
from .prompts import CAPTION_INSTRUCTION

LONGEST_CAPTION = 100_000
LONGEST_LIST = 50_000_000
# Each takes sixty bytes beside its letters.
MOST_LINES = 2_000_000
LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"


def read_caption(what: str, vlm: Captioner | None = None, max_tokens: int = 512, seed: int = 0) -> str:
    """The caption that an argument stands for.

    Args:
        what: path of a picture or of a text file, or the caption itself.
        vlm: a captioner for pictures, or None.
        max_tokens: of the captioner's answer.
        seed: of the captioner.

    Raises:
        SesaHandError: when a file holds no text, a caption is too long, or a picture comes without a captioner.
    """
    path = Path(what)
    if not _is_file(path):
        return plain_caption(what)
    if path.suffix.lower() in SUFFIXES:
        if vlm is None:
            raise SesaHandError(
                f"{path.name} is a picture, and a picture needs a captioner: add --vlm with the folder of a "
                "vision-language model or the base URL of a server. Without one, give a caption."
            )
        picture = read_picture(path)
        return vlm.describe(picture, CAPTION_INSTRUCTION, max_tokens=max_tokens, seed=seed)[0].strip()
    return _read_text(path)


def plain_caption(text: str) -> str:
    """The caption that a text is, also where a file is called so: for what no user typed, who alone may name files.

    Raises:
        SesaHandError: If it is too long.
    """
    if len(text) > LONGEST_CAPTION:
        raise _too_long("The caption")
    return _unwrapped(text)


def read_caption_lines(path: Path) -> tuple[str, ...]:
    """The captions of a text file that holds one a line; empty lines are none.

    They are texts, whatever they say: a list from elsewhere must not make a prompt of a file of somebody's own.

    Raises:
        InvalidFileError: If it cannot be read, holds no caption, or is too long or of too many lines.
    """
    text = _read_file(path, LONGEST_LIST)
    if sum(map(text.count, LINE_ENDS)) > MOST_LINES:
        raise InvalidFileError(f"{path} has more than {MOST_LINES} lines. Share the captions out among several files.")
    lines = tuple(" ".join(line.split()) for line in text.splitlines() if line.strip())
    for number, line in enumerate(lines, 1):
        if len(line) > LONGEST_CAPTION:
            raise _too_long(f"Caption {number} of {path}")
    return lines


def check_readable(what: str) -> None:
    """Refuse what is no caption, no text file and no picture, before a model is loaded."""
    path = Path(what)
    if not what.strip():
        raise SesaHandError("The caption is empty. Give a sentence, a .txt file or a picture.")
    if _exists(path.is_dir):
        raise InvalidFileError(f"{what} is a folder. Give the path of a picture or a .txt file, or a sentence.")
    if _is_file(path):
        if path.suffix.lower() in SUFFIXES:
            read_picture(path)
    elif path.suffix.lower() in (*SUFFIXES, ".txt"):
        raise InvalidFileError(f"There is no file {what}. Give the path of a picture or a .txt file, or a sentence.")


def _unwrapped(text: str) -> str:
    """A caption whose lines end where its sentences or points do: a line that begins in lower case goes on."""
    lines = (" ".join(line.split()) for line in text.strip().splitlines())
    return re.sub(r"(?<=[^\n])\n(?=[a-z])", " ", "\n".join(lines))


def _too_long(what: str) -> SesaHandError:
    return SesaHandError(f"{what} has more than {LONGEST_CAPTION} characters. Give one caption of one picture.")


def _is_file(path: Path) -> bool:
    return _exists(path.is_file)


def _exists(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except (OSError, ValueError):
        # a long sentence is no valid path
        return False


def _read_text(path: Path) -> str:
    return _unwrapped(_read_file(path, LONGEST_CAPTION))


def _read_file(path: Path, longest: int) -> str:
    try:
        # Windows' editors put a mark in front of UTF-8, which is no part of the caption.
        with io.TextIOWrapper(open_regular(path), encoding="utf-8-sig") as file:
            text = file.read(longest + 1)
    except UnicodeDecodeError as error:
        raise InvalidFileError(f"{path} is neither a picture nor UTF-8 text. Give a .txt file or a picture.") from error
    except (OSError, ValueError) as error:
        raise InvalidFileError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}. Check that you may read it."
        ) from error
    if not text.strip():
        raise InvalidFileError(f"{path} is empty. It should hold one caption.")
    if len(text) > longest:
        if longest == LONGEST_CAPTION:
            raise _too_long(str(path))
        raise InvalidFileError(
            f"{path} has more than {longest} characters. Share the captions out among several files."
        )
    return text
