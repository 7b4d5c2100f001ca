"""Files of hands in ComfyUI's folders, by the names under which a graph knows them."""

import os
import re
from collections.abc import Iterator

import folder_paths

from ..sesahand.errors import SesaHandError, quote
from ..sesahand.files.folders import file_names

HAND_SUFFIXES = {".json", ".npz"}
OUTPUT = " [output]"
"""What core, too, puts behind the name of a file of the output folder."""
# The names that save nodes give; much else there is JSON, too.
SAVED = re.compile(r".*_\d{5,}_\.(json|npz)")
# Folders within folders that are looked into: the list is made anew whenever the page is opened.
DEEPEST = 3


def hand_files() -> list[str]:
    """Return the names of files that may hold hands: those of the input folder, then what was saved, newest first."""
    folder = folder_paths.get_input_directory()
    names = [name for name in file_names(folder) if os.path.splitext(name)[1].lower() in HAND_SUFFIXES]
    saved = sorted(_saved(folder_paths.get_output_directory()), reverse=True)
    return names + [f"{name}{OUTPUT}" for _, name in saved]


def hand_path(name: str) -> str:
    """Return the path of a file of hands, however its name came here."""
    if name not in hand_files():
        raise SesaHandError(
            f"There is no file {quote(name)} with hands in {folder_paths.get_input_directory()}. Copy it there, or "
            "upload it with the node's button, then press R. What Save Hands wrote has [output] behind its name."
        )
    if name.endswith(OUTPUT):
        return os.path.join(folder_paths.get_output_directory(), *name.removesuffix(OUTPUT).split("/"))
    return os.path.join(folder_paths.get_input_directory(), name)


def _saved(root: str, within: str = "", depth: int = 0) -> Iterator[tuple[float, str]]:
    """Yield the time and the name, from the output folder on, of each file that a save node may have written."""
    for entry in _entries(os.path.join(root, within)):
        name = f"{within}/{entry.name}" if within else entry.name
        if entry.is_dir(follow_symlinks=False):
            if depth < DEEPEST:
                yield from _saved(root, name, depth + 1)
        elif SAVED.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
            try:
                yield entry.stat(follow_symlinks=False).st_mtime, name
            except FileNotFoundError:
                # It was deleted since.
                continue


def _entries(folder: str) -> list[os.DirEntry]:
    """Return what lies in a folder; nothing in one that is not there, or that others may not look into."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []
