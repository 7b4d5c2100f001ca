"""What a GGUF file says of itself, read within bounds before another reader believes it.

Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import math
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from ..errors import InvalidFileError
from .reading import open_regular

MOST_VALUES = 4096
MOST_TENSORS = 20_000
MOST_ENTRIES = 2_000_000
"""Of all arrays; the largest vocabularies have three times 262,000, and half a million merges."""
MOST_OTHER_ENTRIES = 1 << 16
"""Of all arrays but a vocabulary's: the reader of the package gguf makes objects of kilobytes of each entry."""
VOCABULARY = {f"tokenizer.ggml.{name}" for name in ("tokens", "scores", "token_type", "merges")}
LONGEST_TEXT = 1 << 20
MOST_HEADER_BYTES = 256 << 20

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _ARRAY = 8, 9
# Of four bytes an entry at least, so that a small file has few.
_OF_VOCABULARY = (4, 5, 6, _TEXT)

# Of each type of tensor: the elements of a block, and its bytes.
_BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 10: (256, 84),
    11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292), 16: (256, 66), 17: (256, 74),
    18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2),
    26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2),
}  # fmt: skip


@dataclass
class GGUFHeader:
    """The values of a GGUF file and the shapes of its tensors.

    Attributes:
        values: Numbers and texts by key.
        lengths: How many entries each array has, by key.
        shapes: Of each tensor, by its name, innermost dimension first.
    """

    values: dict[str, int | float | bool | str] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)


def read_gguf_header(path: str | Path) -> GGUFHeader:
    """Read all of a GGUF file but its weights, whose bytes must lie in the file.

    Raises:
        InvalidFileError: If it is no GGUF file of version 2 or 3, cut off, or claims more than a model can hold.
    """
    path = Path(path)
    try:
        with open_regular(path) as file:
            size = file.seek(0, 2)
            file.seek(0)
            return _Reader(file, path, size).header()
    except OSError as error:
        raise InvalidFileError(f"{path} cannot be read: {error.strerror or error}. Check the file.") from error


@dataclass
class _Reader:
    file: IO[bytes]
    path: Path
    size: int

    def header(self) -> GGUFHeader:
        magic, version, tensors, values = struct.unpack("<4sIQQ", self._take(24))
        if magic != b"GGUF" or version not in (2, 3):
            raise self._fault("it is no GGUF file of version 2 or 3")
        if values > MOST_VALUES or tensors > MOST_TENSORS:
            raise self._fault(f"it claims {values} values and {tensors} tensors")
        header = GGUFHeader()
        for _ in range(values):
            self._read_value(header)
        ends = [self._read_tensor(header) for _ in range(tensors)]
        aligned = header.values.get("general.alignment", 32)
        if type(aligned) is not int or not 1 <= aligned <= 1 << 16:
            raise self._fault("its alignment is none")
        start = math.ceil(self.file.tell() / aligned) * aligned
        if start + max(ends, default=0) > self.size:
            raise self._fault("it is cut off: its tensors end behind it")
        return header

    def _read_value(self, header: GGUFHeader) -> None:
        key, kind = self._text(), self._number("I")
        if key in header.values or key in header.lengths:
            raise self._fault(f"it says {key[:40]!r} twice")
        if kind == _ARRAY:
            header.lengths[key] = self._skip_array(key, header)
        else:
            header.values[key] = self._text() if kind == _TEXT else self._scalar(kind)

    def _skip_array(self, key: str, header: GGUFHeader) -> int:
        kind, length = self._number("I"), self._number("Q")
        others = sum(count for name, count in header.lengths.items() if name not in VOCABULARY)
        if key in VOCABULARY and kind not in _OF_VOCABULARY:
            raise self._fault(f"{key} is of a type that no vocabulary has")
        if length + sum(header.lengths.values()) > MOST_ENTRIES:
            raise self._fault(f"its arrays have more than {MOST_ENTRIES} entries")
        if key not in VOCABULARY and length + others > MOST_OTHER_ENTRIES:
            raise self._fault(f"its arrays beside the vocabulary have more than {MOST_OTHER_ENTRIES} entries")
        if kind == _TEXT:
            for _ in range(length):
                self._take(self._text_length())
        else:
            self._take(length * struct.calcsize(self._format(kind)))
        return length

    def _read_tensor(self, header: GGUFHeader) -> int:
        name, rank = self._text(), self._number("I")
        if rank > 4 or name in header.shapes:
            raise self._fault(f"its tensor {name[:40]!r} has {rank} dimensions, or stands there twice")
        shape = struct.unpack(f"<{rank}Q", self._take(8 * rank))
        kind, offset = struct.unpack("<IQ", self._take(12))
        if kind not in _BLOCKS:
            raise self._fault(f"its tensor {name[:40]!r} is of the unknown type {kind}")
        elements, stored = _BLOCKS[kind]
        header.shapes[name] = shape
        return offset + math.ceil(math.prod(shape) / elements) * stored

    def _text_length(self) -> int:
        length = self._number("Q")
        if length > LONGEST_TEXT:
            raise self._fault(f"a text of it has {length} bytes")
        return length

    def _text(self) -> str:
        return self._take(self._text_length()).decode("utf-8", "replace")

    def _scalar(self, kind: int) -> int | float | bool:
        return self._number(self._format(kind))

    def _format(self, kind: int) -> str:
        if kind not in _SCALARS:
            raise self._fault(f"a value of it is of the unknown type {kind}")
        return _SCALARS[kind]

    def _number(self, code: str) -> int:
        return struct.unpack(f"<{code}", self._take(struct.calcsize(code)))[0]

    def _take(self, count: int) -> bytes:
        if self.file.tell() + count > min(self.size, MOST_HEADER_BYTES):
            raise self._fault("it ends in the middle of what it says of itself")
        return self.file.read(count)

    def _fault(self, what: str) -> InvalidFileError:
        return InvalidFileError(f"{self.path} cannot be read as GGUF: {what}. Download the file again.")
