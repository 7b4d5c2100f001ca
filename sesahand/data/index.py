"""The index of a set: which samples are whole, found without parsing them all."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InvalidFileError
from ..files.reading import open_regular, read_lines
from .layout import INDEX, KEY, LONGEST_KEY

MAX_LINE = 1 << 20
MOST_PAIRS = 20_000_000
"""24 bytes of each are kept in memory."""
# `PairRecord.to_line` begins like this; only then is the line worth parsing.
START = re.compile(rb'\{"key": "(' + KEY.pattern.encode() + rb')", ')
OPENING, CLOSING = b'{"key": "', b'", '
# An index of any size is read in pieces of so many bytes.
BLOCK = 1 << 22
NEWLINE, QUOTE, BRACE, UNDERSCORE = b'\n"}_'
KEY_BYTES = np.zeros(256, bool)
KEY_BYTES[list(b"abcdefghijklmnopqrstuvwxyz0123456789_")] = True


@dataclass(frozen=True, eq=False)
class Index:
    """Where the records of a set are: three numbers each, so that millions are opened in seconds.

    Attributes:
        path: The index file.
        starts: Where each record's line begins in the file, int64 `[N]`, bytes, in the order of writing.
        hashes: Of each key, uint64 `[N]`, sorted.
        numbers: To which record each of them belongs, int64 `[N]`.
        factors: Drawn anew for every index, so that nobody can prepare keys whose hashes collide, uint64 `[64]`.
        end: Behind the last whole record.
        torn: Bytes behind that, which a writer that was stopped in the middle left; they count as never written.
    """

    path: Path
    starts: np.ndarray
    hashes: np.ndarray
    numbers: np.ndarray
    factors: np.ndarray
    end: int
    torn: int

    def __len__(self) -> int:
        return len(self.starts)

    def read_line(self, number: int) -> bytes:
        """Return the line of a record."""
        with open_regular(self.path, follow=False) as file:
            file.seek(int(self.starts[number]))
            return file.readline(MAX_LINE)

    def lines(self) -> Iterator[bytes]:
        """Yield the lines of all records in their order, reading the file once."""
        for _, line in zip(range(len(self)), read_lines(self.path, follow=False, longest=MAX_LINE), strict=False):
            yield line

    def keys(self) -> Iterator[str]:
        """Yield the keys of all records in their order, reading the file once."""
        return (key_of(line) for line in self.lines())

    def find(self, key: str) -> int | None:
        """Return the number of the record with a key, or None."""
        wanted = hash_keys(np.frombuffer(key.encode(errors="replace"), np.uint8)[None, :LONGEST_KEY], self.factors)[0]
        first, last = (int(np.searchsorted(self.hashes, wanted, side)) for side in ("left", "right"))
        alike = (int(number) for number in self.numbers[first:last])
        return next((number for number in alike if key_of(self.read_line(number)) == key), None)


def key_of(line: bytes) -> str:
    """Return the key that a line of the index begins with; empty if it is not the line of a record (any more)."""
    match = START.match(line)
    return match[1].decode() if match else ""


def hash_keys(keys: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Return hashes, uint64 `[N]`, of keys `[N, K]`, uint8, padded with zeros, by factors, uint64 `[64]`."""
    hashes = np.zeros(len(keys), np.uint64)
    for place in range(keys.shape[1]):
        hashes += keys[:, place].astype(np.uint64) * factors[place]
    return hashes


def read_index(root: Path) -> Index:
    """Find the whole records of a set, in memory that does not grow with the file but by 24 bytes a record.

    A line is whole if it ends. What stands behind the last end of a line, and a last line that holds no record (a
    machine that lost its power can leave zeros), is torn.

    Raises:
        InvalidFileError: If a line before the last is no record, a key comes twice, there are too many, or the file
            cannot be read.
    """
    path = root / INDEX
    factors = np.random.default_rng().integers(1, 2**64, LONGEST_KEY, np.uint64, endpoint=False) | np.uint64(1)
    starts, hashes, end, size = [np.zeros(0, np.int64)], [np.zeros(0, np.uint64)], 0, 0
    count = 0
    try:
        for block, position in _blocks(path):
            whole, first, behind = _whole_lines(block)
            if end < position:
                raise _damaged(path, count)
            count += len(whole)
            if count > MOST_PAIRS:
                raise InvalidFileError(
                    f"{path} lists more than {MOST_PAIRS} pairs, more than are opened at once; share them out among "
                    "several sets."
                )
            starts.append(position + whole)
            hashes.append(hash_keys(first, factors))
            end, size = position + behind, position + len(block)
            if block.find(b"\n", behind, len(block) - 1) >= 0:
                raise _damaged(path, count)
    except OSError as error:
        raise InvalidFileError(
            f"{path!s:.200} cannot be read ({error!s:.120}). Check the path and that you may read the file."
        ) from error
    unsorted = np.concatenate(hashes)
    numbers = np.argsort(unsorted, kind="stable")
    index = Index(path, np.concatenate(starts), unsorted[numbers], numbers, factors, end, size - end)
    _refuse_twins(index)
    return index


def _blocks(path: Path) -> Iterator[tuple[bytes, int]]:
    """Yield the file in pieces of whole lines, and where each begins; the last may end in the middle of a line."""
    if not path.exists() and not path.is_symlink():
        return
    with open_regular(path, follow=False) as file:
        position, rest = 0, b""
        while more := file.read(BLOCK):
            block = rest + more
            cut = block.rfind(b"\n") + 1
            if not cut and len(block) > MAX_LINE:
                # No record is so long: what is left is one torn line, or damage if a line follows.
                cut = len(block)
            if cut:
                yield block[:cut], position
            position, rest = position + cut, block[cut:]
        if rest:
            yield rest, position


def _whole_lines(block: bytes) -> tuple[np.ndarray, np.ndarray, int]:
    """Find the lines of records that a block begins with.

    Returns:
        Where they begin, int64 `[N]`; their keys, uint8 `[N, 64]`, padded with zeros; and where the last of them ends.
    """
    data = np.frombuffer(block + bytes(len(OPENING) + LONGEST_KEY + len(CLOSING)), np.uint8)
    ends = np.flatnonzero(data[: len(block)] == NEWLINE)
    starts = np.concatenate([[0], ends[:-1] + 1]).astype(np.int64)[: len(ends)]
    whole = (data[ends - 1] == BRACE) & (ends - starts < MAX_LINE)
    for place, byte in enumerate(OPENING):
        whole &= data[starts + place] == byte
    text = np.lib.stride_tricks.sliding_window_view(data, LONGEST_KEY + len(CLOSING))[starts + len(OPENING)]
    lengths = (text[:, : LONGEST_KEY + 1] == QUOTE).argmax(1)
    rows = np.arange(len(starts))
    for place, byte in enumerate(CLOSING):
        whole &= text[rows, lengths + place] == byte
    inside = np.arange(LONGEST_KEY) < lengths[:, None]
    keys = np.where(inside, text[:, :LONGEST_KEY], 0)
    whole &= (lengths > 0) & (KEY_BYTES[keys] | ~inside).all(1) & (keys[:, 0] != UNDERSCORE)
    count = len(whole) if whole.all() else int(whole.argmin())
    return starts[:count], keys[:count], int(ends[count - 1]) + 1 if count else 0


def _damaged(path: Path, line: int) -> InvalidFileError:
    return InvalidFileError(f"{path}, line {line + 1} is damaged; `sesahand dataset check --repair` drops it.")


def _refuse_twins(index: Index) -> None:
    """Raise an InvalidFileError if a key is there twice."""
    alike = np.flatnonzero(index.hashes[1:] == index.hashes[:-1])
    for place in alike:
        number = int(index.numbers[place + 1])
        key = key_of(index.read_line(number))
        # Keys of the same hash are neighbours, and two of them can be unlike: all before are compared.
        before = int(np.searchsorted(index.hashes, index.hashes[place]))
        if key in (key_of(index.read_line(int(other))) for other in index.numbers[before : place + 1]):
            raise InvalidFileError(
                f"{index.path}, line {number + 1}: the key {key!r} is there twice; remove one of its lines."
            )
