"""The index of a set: which samples are whole, found without parsing them all."""

import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import InvalidFileError
from ..files.reading import open_regular, read_lines
from .layout import INDEX, KEY

MAX_LINE = 1 << 20
# `PairRecord.to_line` begins like this; only then is the line worth parsing.
START = re.compile(rb'\{"key": "(' + KEY.pattern.encode() + rb')", ')


@dataclass(frozen=True, eq=False)
class Index:
    """Where the records of a set are.

    Attributes:
        path: The index file.
        keys: Of all samples, in the order of writing, and the number of each.
        starts: Where each record's line begins in the file, bytes.
        end: Behind the last whole record.
        torn: Bytes behind that, which a writer that was stopped in the middle left; they count as never written.
    """

    path: Path
    keys: dict[str, int]
    starts: list[int]
    end: int
    torn: int

    def read_line(self, number: int) -> bytes:
        """Return the line of a record."""
        with open_regular(self.path, follow=False) as file:
            file.seek(self.starts[number])
            return file.readline(MAX_LINE)


def read_index(root: Path) -> Index:
    """Find the whole records of a set.

    A line is whole if it ends. What stands behind the last end of a line, and a last line that holds no record (a
    machine that lost its power can leave zeros), is torn.

    Raises:
        InvalidFileError: If a line before the last is no record, a key comes twice, or the file cannot be read.
    """
    path = root / INDEX
    keys: dict[str, int] = {}
    starts: list[int] = []
    end, position, damage = 0, 0, ""
    for number, line in enumerate(read_lines(path, follow=False, longest=MAX_LINE), 1):
        start, position = position, position + len(line)
        if damage:
            raise InvalidFileError(damage)
        match = START.match(line)
        if match is None or not line.endswith(b"}\n"):
            damage = f"{path}, line {number} is damaged; `sesahand dataset check --repair` drops it."
            continue
        key = match[1].decode()
        if key in keys:
            raise InvalidFileError(f"{path}, line {number}: the key {key!r} is there twice; remove one of its lines.")
        keys[key] = len(starts)
        starts.append(start)
        end = position
    return Index(path, keys, starts, end, position - end)
