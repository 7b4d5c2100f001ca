"""Writing files: whole or not at all, under names that nobody else has, never through a link."""

import contextlib
import errno
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from ..errors import SesaHandError
from .reading import MAX_FILE_BYTES, open_regular

PARTIAL = ".partial"
# Windows has no quota of its own.
FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG)


def write_with(path: str | Path, write: Callable[[BinaryIO], Any], synced: bool = True) -> Any:
    """Write a whole file or nothing: a failure or a kill in the middle leaves what was there before.

    A link of that name is replaced by the file, and what it leads to stays as it is.

    Args:
        path: The file; its folder is there.
        write: Is given a file to write into.
        synced: Bring it to the disk before it gets its name, so that a loss of power leaves no empty file either.

    Returns:
        What `write` returned.

    Raises:
        OSError: If it cannot be written.
    """
    path = Path(path)
    # A name of its own, so that two writers of one file do not write into each other's.
    partial = path.parent / f".{uuid.uuid4().hex}{PARTIAL}"
    try:
        with partial.open("xb") as file:
            answer = write(file)
            if synced:
                file.flush()
                os.fsync(file.fileno())
        os.replace(partial, path)
        return answer
    except BaseException:
        with contextlib.suppress(OSError, ValueError):
            partial.unlink(missing_ok=True)
        raise


def write_whole(path: str | Path, data: bytes, synced: bool = True) -> None:
    """Write bytes as a whole file or nothing; see `write_with`."""
    write_with(path, lambda file: file.write(data), synced)


def write_bytes(path: str | Path, data: bytes, limit: int = MAX_FILE_BYTES) -> None:
    """Write a whole file or nothing: a failure in the middle leaves what was there before.

    Raises:
        SesaHandError: If the folder is missing or cannot be written to, or the file would be too large to be read.
    """
    path = Path(path)
    if len(data) > limit:
        raise SesaHandError(
            f"{path} would have {len(data)} bytes, more than the {limit} that can be read again. Save fewer hands per "
            "file; .npz takes a fifth of .json's space."
        )
    try:
        write_whole(path, data)
    except (OSError, ValueError) as error:
        full = isinstance(error, OSError) and error.errno in FULL
        instead = "Make room there, or choose a folder on another disk."
        if not full:
            instead = "Choose a folder that exists and that you may write to, and a name that is not a folder's."
        raise SesaHandError(f"{path!s:.200} cannot be written: {error!s:.200}. {instead}") from error


def claim(path: str | Path) -> bool:
    """Make an empty file if there is nothing of its name; tells whether it was made, so that it is this process's.

    Raises:
        OSError: If it cannot be made for another reason.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except FileExistsError:
        return False
    return True


def append_line(path: str | Path, line: bytes) -> None:
    """Append one line to a regular file that is no link, made if it is missing, in one piece.

    Raises:
        InvalidFileError: If there is something else of that name.
        OSError: If it cannot be written.
    """
    with open_regular(path, "ab", follow=False, buffering=0) as file:
        file.write(line)


def open_new(path: str | Path) -> TextIO:
    """Open a text file for writing that nobody has yet; what it is renamed to later is for `folders.rename`.

    Raises:
        OSError: If there is something of that name, or it cannot be made.
    """
    return open(path, "x", encoding="utf-8")
