"""What a set was made of and how, so that what was stopped goes on by the same command and by no other.

::

    SET/made_of.json    {"format": "sesahand-made-of", "version": 1, "command": "filter",
                         "settings": {"score": 0.5}, "sources": [{"name": "all", "begins": "..."}]}

A source is told by its folder's name and by what it begins with, not by a path: sets may be moved, and may grow.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InvalidFileError, SesaHandError, quote, some_of
from ..files.folders import inside
from ..files.reading import read_json
from ..files.writing import write_whole
from .index import read_index
from .layout import HEADER, MADE_OF
from .shards import SHARDS, open_shards

FORMAT, VERSION = "sesahand-made-of", 1
MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class MadeOf:
    """What a set is made of.

    Attributes:
        command: Such as "filter".
        settings: What decides on which pairs are in the set, as JSON knows it; what is None asks for nothing.
        sources: Of each set that it is made of its name and the hash of what it begins with, in their order.
    """

    command: str
    settings: Mapping[str, Any]
    sources: tuple[Mapping[str, str], ...]

    @classmethod
    def of(cls, command: str, settings: Mapping[str, Any], roots: Sequence[str | Path]) -> "MadeOf":
        """Return what a command makes sets of; raises an InvalidFileError if a source cannot be read."""
        known = {name: value for name, value in settings.items() if value is not None}
        sources = tuple({"name": Path(root).resolve().name, "begins": beginning_of(Path(root))} for root in roots)
        return cls(command, json.loads(json.dumps(known)), sources)

    def check(self, root: str | Path) -> None:
        """Refuse a set that another command began, or one whose pairs nobody knows the command of.

        A set that has no pairs yet may be made of anything.

        Raises:
            SesaHandError: If it is one, or what it says cannot be read.
        """
        root = Path(root)
        if not inside(root, HEADER).is_file() or not len(read_index(root)):
            return
        found = self._read(root)
        if found is None:
            raise SesaHandError(
                f"{root!s:.200} has pairs and does not say what they were made of: pairs are not mixed with others. "
                "Choose a new folder with --out."
            )
        differing = list(self._differing(found))
        if differing:
            raise SesaHandError(
                f"{root!s:.200} was begun otherwise: {some_of(differing, '; ', limit=300)}. Give the same again to "
                "go on, or choose a new folder with --out."
            )

    def write(self, root: str | Path) -> None:
        """Let a set say what it is made of, while nobody else writes to it; raises as `check` does.

        Raises:
            OSError: If it cannot be written.
        """
        self.check(root)
        if self._read(Path(root)) != self:
            about = {"format": FORMAT, "version": VERSION, "command": self.command}
            about |= {"settings": self.settings, "sources": self.sources}
            write_whole(inside(root, MADE_OF), json.dumps(about, indent=1).encode() + b"\n")

    @staticmethod
    def _read(root: Path) -> "MadeOf | None":
        path = inside(root, MADE_OF)
        if not path.exists():
            return None
        data = read_json(path, MAX_BYTES, follow=False)
        known = isinstance(data, dict) and data.get("format") == FORMAT and data.get("version") == VERSION
        kinds = {"command": str, "settings": dict, "sources": list}
        if not known or not all(isinstance(data.get(name), kind) for name, kind in kinds.items()):
            raise InvalidFileError(
                f"{path!s:.200} is no {FORMAT!r} of version {VERSION}. Choose a new folder with --out, or update "
                "SesaHand."
            )
        return MadeOf(data["command"], data["settings"], tuple(data["sources"]))

    def _differing(self, found: "MadeOf") -> Iterator[str]:
        """Yield a text for each thing in which a set was begun otherwise."""
        if found.command != self.command:
            yield f"by {quote(found.command)}, now by {quote(self.command)}"
            return
        for name in sorted({*found.settings, *self.settings}):
            was, now = (settings.get(name) for settings in (found.settings, self.settings))
            if was != now:
                yield f"{quote(name)} was {quote(was)}, now is {quote(now)}"
        if found.sources != self.sources:
            names = (
                [one.get("name") for one in each if isinstance(one, dict)] for each in (found.sources, self.sources)
            )
            was, now = names
            yield f"of {quote(was)}, now of {quote(now)}" if was != now else f"of other sets of the names {quote(was)}"


def _names(sources: Sequence[Mapping[str, str]]) -> str:
    return ", ".join(quote(one.get("name") if isinstance(one, dict) else one) for one in sources)


def beginning_of(root: Path) -> str:
    """Return the hash of what stays the same in a set that grows: its plan, or its first record; empty if it has none.

    Raises:
        InvalidFileError: If it cannot be read.
    """
    if (root / SHARDS).is_file():
        begins = json.dumps(open_shards(root).plan, sort_keys=True).encode()
    else:
        begins = next(read_index(root).lines(), b"")
    return hashlib.sha256(begins).hexdigest() if begins else ""
