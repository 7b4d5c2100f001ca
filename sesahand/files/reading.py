"""Reading files that nobody vouches for: regular ones alone, no more than a bound, JSON by its lines."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ..errors import InvalidFileError
from .folders import is_link

# What a pipe would block on, and what a link could lead to. Windows knows neither, and needs to be told of bytes.
_FLAGS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
MAX_JSON_BYTES = 16 * 2**20
MAX_PARSED_BYTES = 512 * 2**20
"""Of what JSON becomes in memory, about; a list of three letters takes thirty times as much there."""
# What stands behind each of these in memory, at most about: a number, a list, an object, half of a text.
_COSTS = {",": 32, "[": 72, "{": 250, '"': 28}
MAX_LINE = 1 << 20
MAX_FILE_BYTES = 64 * 2**20
"""Of a file that is read at once, unless its reader says otherwise."""


def open_regular(path: str | Path, mode: str = "rb", follow: bool = True, buffering: int = -1) -> IO[bytes]:
    """Open a regular file, and nothing that could block or do something: no pipe, device, socket or folder.

    Args:
        path: The file.
        mode: "rb" to read, "ab" to append (made if it is missing), "r+b" to change.
        follow: Whether the file may be a link. Inside a set or another folder of strangers it may not, nor, if it is
            opened for writing, have another name somewhere else (a hard link).
        buffering: As of `open`.

    Raises:
        InvalidFileError: If it is no regular file, or one that leads elsewhere and `follow` is false.
        OSError: If it is missing or cannot be opened.
    """
    kind = {"rb": os.O_RDONLY, "r+b": os.O_RDWR, "ab": os.O_WRONLY | os.O_APPEND | os.O_CREAT}[mode]
    if not follow and is_link(path):
        raise InvalidFileError(f"{path!s:.200} is a link, which could lead anywhere; put the file itself there.")
    # A pipe that nobody reads cannot be opened for writing, and answers so.
    if os.path.lexists(path) and os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode):
        raise InvalidFileError(f"{path!s:.200} is no file but a {_kind_of(os.stat(path).st_mode)}; remove it.")
    descriptor = os.open(path, kind | _FLAGS | (0 if follow else _NO_LINK), 0o666)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise InvalidFileError(f"{path!s:.200} is no file but a {_kind_of(found.st_mode)}; remove it.")
        if mode != "rb" and not follow and found.st_nlink > 1:
            raise InvalidFileError(
                f"{path!s:.200} is also a file of another name (a hard link), which would be changed with it; put a "
                "copy in its place."
            )
        return os.fdopen(descriptor, mode, buffering=buffering)
    except BaseException:
        os.close(descriptor)
        raise


def _kind_of(mode: int) -> str:
    kinds = {
        stat.S_ISFIFO: "pipe", stat.S_ISSOCK: "socket", stat.S_ISDIR: "folder", stat.S_ISCHR: "device",
        stat.S_ISBLK: "device",
    }  # fmt: skip
    return next((name for asks, name in kinds.items() if asks(mode)), "thing of another kind")


def parse_json(data: str | bytes, label: str, most: int = MAX_PARSED_BYTES) -> Any:
    """Parse JSON of any origin: no NaN, not too deep or too many values, numbers of a length that can be read.

    Args:
        data: The text, or its UTF-8.
        label: What it is called in messages.
        most: Bytes that it may become in memory, about.

    Raises:
        InvalidFileError: If it is not JSON, or holds more values; the message names the label and the place.
    """

    def refuse(constant: str):
        raise ValueError(f"{constant} is not a number")

    try:
        text = data.decode("utf-8-sig") if isinstance(data, bytes) else data
        if parsed_size(text) > most:
            raise ValueError("it holds too many values")
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError, MemoryError) as error:
        raise InvalidFileError(
            f"{label!s:.200} is not valid JSON: {error!s:.160}. Correct it there, or copy it again."
        ) from error


def parsed_size(text: str) -> int:
    """Return about how many bytes of memory the values take that a JSON text stands for, without making them."""
    return len(text) + sum(cost * text.count(mark) for mark, cost in _COSTS.items())


def read_json(path: str | Path, limit: int = MAX_JSON_BYTES, follow: bool = True) -> Any:
    """Read a JSON file of at most `limit` bytes.

    Raises:
        InvalidFileError: If it is missing, larger, no regular file, or not JSON.
    """
    try:
        with open_regular(path, follow=follow) as file:
            data = file.read(limit + 1)
    except (OSError, ValueError) as error:
        raise InvalidFileError(f"{path!s:.200} cannot be read: {error!s:.200}. Check the path.") from error
    if len(data) > limit:
        raise InvalidFileError(
            f"{path!s:.200} is larger than {limit} bytes, more than a file of its kind holds; check that it is the "
            "right one."
        )
    return parse_json(data, str(path))


def read_lines(path: str | Path, follow: bool = True, longest: int = MAX_LINE) -> Iterator[bytes]:
    """Yield the lines of a file with their ends, a line that is longer than `longest` in pieces; none if it is missing.

    Raises:
        InvalidFileError: If it cannot be read or is no regular file.
    """
    if not os.path.lexists(path):
        return
    try:
        with open_regular(path, follow=follow) as file:
            yield from iter(lambda: file.readline(longest), b"")
    except OSError as error:
        raise InvalidFileError(
            f"{path!s:.200} cannot be read ({error!s:.120}). Check the path and that you may read the file."
        ) from error


def read_json_lines(path: str | Path, follow: bool = True, limit: int = MAX_FILE_BYTES) -> tuple[list[Any], str]:
    """Read a log of JSON lines, whose last line a stop in the middle may have torn.

    Args:
        path: The log; a missing one is empty.
        follow: Whether it may be a link.
        limit: Bytes that it may have: all of it is kept in memory, where it may take `MAX_PARSED_BYTES`.

    Returns:
        What the whole lines hold, and what was dropped of the last line: a sentence for people, or an empty text.

    Raises:
        InvalidFileError: If a line before the last is not JSON, or it is larger.
    """
    found, torn, size, taken = [], "", 0, 0
    for number, line in enumerate(read_lines(path, follow), 1):
        size += len(line)
        taken += 32 + parsed_size(line.decode("utf-8", "replace"))
        if size > limit or taken > MAX_PARSED_BYTES:
            raise InvalidFileError(
                f"{path!s:.200} is larger than {limit} bytes, or has more values than a log; move it away, or shorten "
                "it."
            )
        if torn:
            raise InvalidFileError(f"{torn} Delete that line to go on.")
        try:
            found.append(parse_json(line, f"{path}, line {number}"))
        except InvalidFileError as error:
            torn = str(error)
            continue
        if not line.endswith(b"\n"):
            # A number that was cut may still be one.
            found.pop()
            torn = f"{path}, line {number} has no end."
    return found, torn and f"{torn} It was dropped: writing it was interrupted."


def read_bytes(path: str | Path, limit: int = MAX_FILE_BYTES) -> bytes:
    """Return the contents of a file of at most `limit` bytes.

    Raises:
        InvalidFileError: If it is missing, unreadable, empty or larger.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise InvalidFileError(f"{path} does not exist or is not a file; check the path.")
        with open_regular(path) as file:
            # As much room is made as is asked for.
            data = file.read(min(limit, os.fstat(file.fileno()).st_size) + 1)
    except (OSError, ValueError) as error:
        raise InvalidFileError(
            f"{path!s:.200} cannot be read: {error!s:.200}. Check the path and that you may read the file."
        ) from error
    if not data:
        raise InvalidFileError(f"{path} is empty; copy or download it again.")
    if len(data) > limit:
        raise InvalidFileError(
            f"{path} is larger than {limit} bytes, more than a file of its kind holds; check that it is the right one."
        )
    return data
