"""Paths inside a folder that nobody vouches for: found, made and deleted without following links."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from ..errors import InvalidFileError, SesaHandError

# On Windows, what stands for another place (a link, a junction) has this bit in its reparse tag; a file that a cloud
# drive keeps elsewhere has a tag without it.
NAME_SURROGATE = 0x20000000
# Of a path inside a folder: each folder on it is asked about by a longer path.
MOST_PARTS = 256


def is_link(path: str | Path) -> bool:
    """Tell whether a path itself is a link or a junction; false if there is nothing."""
    try:
        found = os.lstat(path)
    except (OSError, ValueError):
        return False
    return stat.S_ISLNK(found.st_mode) or bool(getattr(found, "st_reparse_tag", 0) & NAME_SURROGATE)


def inside(root: str | Path, *parts: str) -> Path:
    """Return the path of a file or folder inside a folder, if no link stands on its way.

    Args:
        root: The folder. It may be a link itself, or be reached by one: it is the one that was asked for.
        parts: Names of the folders on the way, and of the file. None may be "..", empty or hold a separator.

    Raises:
        InvalidFileError: If one is a link or a junction, or no plain name, or there are more than `MOST_PARTS`. What is
            missing is no fault.
    """
    if len(parts) > MOST_PARTS:
        raise InvalidFileError(f"A path of {len(parts)} folders is deeper than the {MOST_PARTS} that are followed.")
    path = Path(root)
    for part in parts:
        path = path / plain_name(part)
        if is_link(path):
            raise InvalidFileError(
                f"{path!s:.200} is a link, which could lead anywhere; put the file or folder itself there."
            )
    return path


def file_names(folder: str | Path, follow: bool = True) -> list[str]:
    """Return the names of the files in a folder, sorted; none of a folder that may not be looked into.

    For lists that are made while nodes load: what cannot be asked about, such as a link that leads to itself, is left
    out, and takes nothing else with it.

    Args:
        folder: The folder.
        follow: Whether a link to a file is one.
    """
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if _is_file(entry, follow))
    except OSError:
        return []


def _is_file(entry: os.DirEntry, follow: bool) -> bool:
    try:
        return entry.is_file(follow_symlinks=follow)
    except OSError:
        return False


def is_folder(path: str | Path) -> bool:
    """Tell whether a path is a folder itself and no link to one."""
    return os.path.isdir(path) and not is_link(path)


def is_file(path: str | Path) -> bool:
    """Tell whether a path is a regular file itself: no link, pipe, device or socket."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode) and not is_link(path)
    except (OSError, ValueError):
        return False


def check_plain(root: str | Path) -> None:
    """Refuse a folder that holds anything but files, folders and links to them: opening a pipe never ends.

    For folders that another library reads, which opens what it finds.

    Raises:
        InvalidFileError: If there is a pipe, a device or a socket in it, or it cannot be read.
    """
    try:
        entries = [Path(root, name) for name in os.listdir(root)]
        kinds = {entry: os.stat(entry).st_mode for entry in entries if os.path.exists(entry)}
    except OSError as error:
        raise InvalidFileError(f"{root!s:.200} cannot be read ({error!s:.120}). Check the path.") from error
    for entry, mode in kinds.items():
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise InvalidFileError(f"{entry!s:.200} is neither a file nor a folder; remove it.")


def list_folder(root: str | Path, *parts: str) -> Iterator[Path]:
    """Yield what stands in a folder inside a folder, by name, links among it; nothing if it is missing.

    Raises:
        InvalidFileError: If a link leads there.
        OSError: If it cannot be read.
    """
    folder = inside(root, *parts)
    if not os.path.isdir(folder):
        return
    yield from (folder / name for name in sorted(os.listdir(folder)))


def make_folder(root: str | Path, *parts: str) -> Path:
    """Make a folder inside a folder, and those on its way, where they are missing; return its path.

    Raises:
        InvalidFileError: If a link stands on the way.
        OSError: If it cannot be made.
    """
    path = Path(root)
    for number in range(len(parts)):
        path = inside(root, *parts[: number + 1])
        path.mkdir(exist_ok=True)
    return path


def delete_file(root: str | Path, *parts: str) -> bool:
    """Delete a file inside a folder; tells whether there was one.

    A link in the place of the file is deleted as a link, and what it leads to stays.

    Raises:
        InvalidFileError: If a link stands on the way to it.
        OSError: If it cannot be deleted, for example because it is a folder.
    """
    path = inside(root, *parts[:-1]) / plain_name(parts[-1])
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


def delete_folder(root: str | Path, name: str) -> None:
    """Delete a folder that stands in a folder, with all that is in it; nothing if it is missing.

    Links in it are deleted as links. A link in its own place is refused.

    Raises:
        SesaHandError: If it is a link, or cannot be deleted.
    """
    path = inside(root, name)
    if not os.path.lexists(path):
        return
    try:
        shutil.rmtree(path)
    except OSError as error:
        raise SesaHandError(
            f"{path!s:.200} cannot be deleted: {error!s:.200}. Close what has its files open, or delete it yourself."
        ) from error


def rename(root: str | Path, old: str, new: str) -> Path:
    """Rename a file or folder that stands in a folder, over a file of the new name; return its new path.

    Raises:
        InvalidFileError: If either is a link.
        OSError: If it cannot be renamed.
    """
    target = inside(root, new)
    os.replace(inside(root, old), target)
    return target


def plain_name(name: str) -> str:
    """Return a name if it is that of one file or folder, and not ".."."""
    if name in ("", ".", "..") or "\0" in name or os.path.basename(name) != name or os.path.splitdrive(name)[0]:
        raise InvalidFileError(
            f"{name!r:.80} is no name of a file or folder. Give a plain one such as 'hands', without a path."
        )
    return name
