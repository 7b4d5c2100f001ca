"""Read the data out of a MANO pickle without unpickling it.

A pickle is a program. This reader interprets only the instructions that build plain data, and where the program names
a class it leaves an inert record of the name and the data that came with it. Nothing is imported, called or
instantiated, so neither chumpy nor scipy is needed and a hostile file has nothing to hold on to.

Source: the instruction set is documented in CPython's `Lib/pickletools.py`.
"""

import codecs
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from ..errors import InvalidFileError, UnsafeFileError

MAX_NUMBER_LENGTH = 64
MAX_NESTING = 4
MAX_INSTRUCTIONS = 50_000
MAX_ELEMENTS = 16_000_000

# The names that MANO files use, in every spelling that numpy, scipy and Python have given them, and what each stands
# for here. Everything else is refused.
KNOWN_NAMES = {
    ("chumpy.ch", "Ch"): "Ch",
    ("chumpy.reordering", "Select"): "Select",
    ("scipy.sparse.csc", "csc_matrix"): "csc_matrix",
    ("scipy.sparse._csc", "csc_matrix"): "csc_matrix",
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    ("numpy.core.multiarray", "_reconstruct"): "_reconstruct",
    ("numpy._core.multiarray", "_reconstruct"): "_reconstruct",
    ("numpy.core.multiarray", "scalar"): "scalar",
    ("numpy._core.multiarray", "scalar"): "scalar",
    ("numpy.core.numeric", "_frombuffer"): "_frombuffer",
    ("numpy._core.numeric", "_frombuffer"): "_frombuffer",
    ("copy_reg", "_reconstructor"): "_reconstructor",
    ("copyreg", "_reconstructor"): "_reconstructor",
    ("__builtin__", "object"): "object",
    ("builtins", "object"): "object",
    ("__builtin__", "set"): "set",
    ("builtins", "set"): "set",
    ("_codecs", "encode"): "encode",
}

# What reading a damaged pickle raises.
DAMAGE = (IndexError, KeyError, ValueError, OverflowError, TypeError, struct.error)

CLASSES = ("Ch", "Select", "csc_matrix", "ndarray", "dtype", "set")
FUNCTIONS = ("_reconstruct", "_frombuffer", "_reconstructor", "encode", "scalar")
NUMBER_TYPES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")


@dataclass(frozen=True)
class Name:
    """A name that the pickle mentions, not the thing itself."""

    name: str


@dataclass(eq=False)
class Record:
    """What the pickle would have made: the name of a class or function, its arguments and, later, its state."""

    name: str
    arguments: tuple
    state: Any = None


def read_pickle(data: bytes, file: str) -> Any:
    """Return the plain data of a pickle, with a `Record` in place of every object.

    Args:
        data: The whole pickle.
        file: What to call the file in errors.

    Returns:
        Numbers, strings, bytes, tuples, lists, dicts and `Record`s.

    Raises:
        UnsafeFileError: If the pickle names anything outside a MANO file, or uses an instruction that data never needs.
        InvalidFileError: If it is truncated or is not a pickle.
    """
    try:
        return PickleReader(data, file).run()
    except DAMAGE as error:
        raise InvalidFileError(
            f"{file} is not a readable pickle ({error!s:.80}); copy or download the file again."
        ) from error


class PickleReader:
    """The stack machine that pickles are written for, reduced to the instructions that build data.

    Other kinds of files extend it with the names that they may mention. Errors of `DAMAGE` mean a damaged file.
    """

    kind = "MANO file"
    advice = "Use the original file from https://mano.is.tue.mpg.de."
    max_instructions = MAX_INSTRUCTIONS
    # Set below, where the functions that they call stand.
    instructions: ClassVar[dict[bytes, Callable[[Any], Any]]]

    def __init__(self, data: bytes, file: str):
        self.data, self.file = data, file
        self.position = 0
        self.stack: list = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        for _ in range(self.max_instructions):
            code = self.take(1)
            if code == b".":
                if len(self.stack) != 1:
                    raise InvalidFileError(
                        f"{self.file} does not end in one value; it is not a pickled {self.kind}. {self.advice}"
                    )
                return self.stack[0]
            instruction = self.instructions.get(code)
            if instruction is None:
                raise UnsafeFileError(
                    f"{self.file} was refused: it uses the pickle instruction {code!r} at byte {self.position - 1}, "
                    f"which no {self.kind} needs. {self.advice}"
                )
            instruction(self)
        raise UnsafeFileError(
            f"{self.file} was refused: it takes more than {self.max_instructions} instructions to read, far more than "
            f"a {self.kind}. {self.advice}"
        )

    def take(self, length: int) -> bytes:
        end = self.position + length
        if length < 0 or end > len(self.data):
            raise InvalidFileError(
                f"{self.file} is truncated: it ends after {len(self.data)} bytes in the middle of a value. "
                "Copy or download the file again."
            )
        piece = self.data[self.position : end]
        self.position = end
        return piece

    def number(self, layout: str) -> int:
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def line(self, limit: int | None = None) -> bytes:
        end = self.data.find(b"\n", self.position)
        line = self.take((end if end >= 0 else len(self.data) + 1) - self.position)
        self.position += 1
        if limit is not None and len(line) > limit:
            raise ValueError(f"a number of {len(line)} characters")
        return line

    def pop(self) -> Any:
        if self.marks and len(self.stack) <= self.marks[-1]:
            raise IndexError("stack underflow")
        return self.stack.pop()

    def pop_mark(self) -> list:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def top(self, kind: type) -> Any:
        if not isinstance(self.stack[-1], kind):
            raise UnsafeFileError(
                f"{self.file} was refused: it changes a {type(self.stack[-1]).__name__} in place. {self.advice}"
            )
        return self.stack[-1]

    def set_items(self, items: list) -> None:
        target = self.top(dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str | bytes | int):
                raise ValueError(f"a {type(key).__name__} as a key")
            target[key] = value

    def name(self, module: str, name: str) -> None:
        known = KNOWN_NAMES.get((module, name))
        if known is None:
            raise UnsafeFileError(
                f"{self.file} was refused: it asks for {module[:80]}.{name[:80]}, which is not part of a MANO file. "
                "Use the original file from https://mano.is.tue.mpg.de; do not open this one with other tools."
            )
        self.stack.append(Name(known))

    def stack_name(self) -> None:
        name, module = self.pop(), self.pop()
        if not (isinstance(name, str) and isinstance(module, str)):
            raise ValueError("a name that is not text")
        self.name(module, name)

    def reduce(self) -> None:
        arguments, function = self.pop(), self.pop()
        if not isinstance(function, Name) or not isinstance(arguments, tuple):
            raise UnsafeFileError(f"{self.file} was refused: it calls something that is not a name. {self.advice}")
        if function.name == "_reconstructor":
            function, *arguments = arguments
            if not isinstance(function, Name) or function.name not in CLASSES or arguments != [Name("object"), None]:
                raise UnsafeFileError(
                    f"{self.file} was refused: copy_reg._reconstructor is asked for another class. {self.advice}"
                )
            arguments = ()
        elif function.name not in (*CLASSES, *FUNCTIONS):
            raise UnsafeFileError(f"{self.file} was refused: it calls {function.name}. {self.advice}")
        self.stack.append(Record(function.name, tuple(arguments)))

    def new_object(self) -> None:
        arguments, cls = self.pop(), self.pop()
        if not isinstance(cls, Name) or cls.name not in CLASSES or not isinstance(arguments, tuple):
            raise UnsafeFileError(
                f"{self.file} was refused: it makes an object of something that is not a class. {self.advice}"
            )
        self.stack.append(Record(cls.name, arguments))

    def build(self) -> None:
        state = self.pop()
        self.top(Record).state = state

    def append_all(self, items: list) -> None:
        self.top(list).extend(items)

    def recall(self, key: int) -> None:
        self.stack.append(self.memo[key])

    def store(self, key: int) -> None:
        self.memo[key] = self.stack[-1]

    def text_integer(self) -> None:
        line = self.line(MAX_NUMBER_LENGTH)
        self.stack.append({b"00": False, b"01": True}[line] if line in (b"00", b"01") else int(line))

    def long(self, length: int) -> None:
        if length > MAX_NUMBER_LENGTH:
            raise ValueError(f"a whole number of {length} bytes")
        self.stack.append(int.from_bytes(self.take(length), "little", signed=True))

    def quoted_string(self) -> None:
        line = self.line()
        if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in b"'\"":
            raise ValueError("a string without quotes")
        self.stack.append(codecs.escape_decode(line[1:-1])[0].decode("latin1"))

    def text(self, raw: bytes) -> None:
        self.stack.append(raw.decode("utf-8", "surrogatepass"))

    def tuple_of(self, count: int) -> None:
        items = [self.pop() for _ in range(count)]
        self.stack.append(tuple(reversed(items)))

    def dict_of(self, items: list) -> None:
        self.stack.append({})
        self.set_items(items)


_INSTRUCTIONS = {
    b"\x80": lambda r: r.take(1),
    b"\x95": lambda r: r.take(8),
    b"(": lambda r: r.marks.append(len(r.stack)),
    b"0": lambda r: r.pop(),
    b"1": lambda r: r.pop_mark(),
    b"N": lambda r: r.stack.append(None),
    b"\x88": lambda r: r.stack.append(True),
    b"\x89": lambda r: r.stack.append(False),
    b"I": lambda r: r.text_integer(),
    b"L": lambda r: r.stack.append(int(r.line(MAX_NUMBER_LENGTH).rstrip(b"L"))),
    b"F": lambda r: r.stack.append(float(r.line(MAX_NUMBER_LENGTH))),
    b"J": lambda r: r.stack.append(r.number("<i")),
    b"K": lambda r: r.stack.append(r.number("<B")),
    b"M": lambda r: r.stack.append(r.number("<H")),
    b"G": lambda r: r.stack.append(r.number(">d")),
    b"\x8a": lambda r: r.long(r.number("<B")),
    b"\x8b": lambda r: r.long(r.number("<i")),
    b"S": lambda r: r.quoted_string(),
    b"T": lambda r: r.stack.append(r.take(r.number("<i")).decode("latin1")),
    b"U": lambda r: r.stack.append(r.take(r.number("<B")).decode("latin1")),
    b"V": lambda r: r.stack.append(r.line().decode("raw-unicode-escape")),
    b"X": lambda r: r.text(r.take(r.number("<I"))),
    b"\x8c": lambda r: r.text(r.take(r.number("<B"))),
    b"\x8d": lambda r: r.text(r.take(r.number("<Q"))),
    b"B": lambda r: r.stack.append(r.take(r.number("<I"))),
    b"C": lambda r: r.stack.append(r.take(r.number("<B"))),
    b"\x8e": lambda r: r.stack.append(r.take(r.number("<Q"))),
    b"\x96": lambda r: r.stack.append(r.take(r.number("<Q"))),
    b")": lambda r: r.stack.append(()),
    b"\x85": lambda r: r.tuple_of(1),
    b"\x86": lambda r: r.tuple_of(2),
    b"\x87": lambda r: r.tuple_of(3),
    b"t": lambda r: r.stack.append(tuple(r.pop_mark())),
    b"]": lambda r: r.stack.append([]),
    b"l": lambda r: r.stack.append(r.pop_mark()),
    b"a": lambda r: r.append_all([r.pop()]),
    b"e": lambda r: r.append_all(r.pop_mark()),
    b"}": lambda r: r.stack.append({}),
    b"d": lambda r: r.dict_of(r.pop_mark()),
    b"s": lambda r: r.set_items([r.pop(), r.pop()][::-1]),
    b"u": lambda r: r.set_items(r.pop_mark()),
    b"p": lambda r: r.store(int(r.line(MAX_NUMBER_LENGTH))),
    b"q": lambda r: r.store(r.number("<B")),
    b"r": lambda r: r.store(r.number("<I")),
    b"\x94": lambda r: r.store(len(r.memo)),
    b"g": lambda r: r.recall(int(r.line(MAX_NUMBER_LENGTH))),
    b"h": lambda r: r.recall(r.number("<B")),
    b"j": lambda r: r.recall(r.number("<I")),
    b"c": lambda r: r.name(r.line().decode("utf-8"), r.line().decode("utf-8")),
    b"\x93": lambda r: r.stack_name(),
    b"R": lambda r: r.reduce(),
    b"\x81": lambda r: r.new_object(),
    b"b": lambda r: r.build(),
}
PickleReader.instructions = _INSTRUCTIONS


def array_from(value: Any, label: str, nesting: int = 0) -> np.ndarray:
    """Turn what a MANO pickle holds for one array into a numpy array.

    Args:
        value: A value out of `read_pickle`: a record of an ndarray, a sparse matrix or a chumpy array.
        label: File and key, for errors.
        nesting: How many records this one lies within.

    Returns:
        The numbers, dense, in any shape that the record states. The array may be read-only.

    Raises:
        InvalidFileError: If the record does not describe an array of numbers.
    """
    if nesting > MAX_NESTING:
        raise InvalidFileError(
            f"{label} nests arrays too deeply; this is not a MANO file. Use the original file from "
            "https://mano.is.tue.mpg.de."
        )
    try:
        if isinstance(value, Record) and value.name in _ARRAYS:
            return _ARRAYS[value.name](value, label, nesting + 1)
    except (IndexError, KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise InvalidFileError(
            f"{label} does not hold a usable array ({error!s:.80}); copy or download the file again."
        ) from error
    kind = value.name if isinstance(value, Record) else type(value).__name__
    raise InvalidFileError(f"{label} holds a {kind}, expected an array of numbers; copy or download the file again.")


def _bytes_from(value: Any) -> bytes:
    """Return raw bytes, which older pickles keep as text in latin-1."""
    if isinstance(value, Record) and value.name == "encode":
        text, encoding = value.arguments
        if encoding not in ("latin1", "latin-1") or not isinstance(text, str):
            raise ValueError("bytes in another encoding than latin-1")
        value = text
    if isinstance(value, str):
        return value.encode("latin1")
    if not isinstance(value, bytes):
        raise ValueError("an array whose data are not bytes")
    return value


def _dtype_from(value: Any) -> np.dtype:
    if not isinstance(value, Record) or value.name != "dtype":
        raise ValueError("an array without a number type")
    code = value.arguments[0]
    order = value.state[1] if isinstance(value.state, tuple) else "="
    code, order = (item.decode("latin1") if isinstance(item, bytes) else item for item in (code, order))
    if code not in NUMBER_TYPES or order not in ("<", ">", "|", "="):
        # A list may hold itself, or a list ten times over that does the same: never write one out.
        kind = code[:20] if isinstance(code, str) else type(code).__name__
        raise ValueError(f"arrays of {kind}; only plain numbers are read")
    return np.dtype(code).newbyteorder(order)  # type: ignore[arg-type]  # one of the four, as was just checked


def _shape_from(value: Any) -> tuple[int, ...]:
    shape = tuple(value)
    if len(shape) > 4 or not all(type(size) is int and 0 <= size <= MAX_ELEMENTS for size in shape):
        raise ValueError("an array shape that is out of range")
    return shape


def _array(raw: Any, dtype: Any, shape: Any, order: Literal["C", "F"]) -> np.ndarray:
    shape = _shape_from(shape)
    flat = np.frombuffer(_bytes_from(raw), _dtype_from(dtype))
    return flat.reshape(shape, order=order)


def _from_ndarray(record: Record, label: str, nesting: int) -> np.ndarray:
    _, shape, dtype, fortran, raw = record.state
    return _array(raw, dtype, shape, "F" if fortran is True or fortran == 1 else "C")


def _from_buffer(record: Record, label: str, nesting: int) -> np.ndarray:
    raw, dtype, shape, order = record.arguments
    return _array(raw, dtype, shape, "F" if order == "F" else "C")


def _from_sparse(record: Record, label: str, nesting: int) -> np.ndarray:
    state = record.state
    shape = state["_shape"] if "_shape" in state else state["shape"]
    rows, columns = _shape_from(shape)
    data, indices, indptr = (array_from(state[key], label, nesting) for key in ("data", "indices", "indptr"))
    if rows * columns > MAX_ELEMENTS or max(len(data), len(indices), len(indptr)) > MAX_ELEMENTS:
        raise ValueError("a sparse matrix that is too large")
    counts: np.ndarray = np.diff(indptr.astype(np.int64))
    if len(indptr) != columns + 1 or (counts < 0).any() or int(indptr[0]) != 0 or int(indptr[-1]) != len(data):
        raise ValueError("a sparse matrix whose columns do not add up")
    if len(indices) != len(data) or (len(data) and not (0 <= indices.min() and indices.max() < rows)):
        raise ValueError("a sparse matrix with rows out of range")
    dense = np.zeros((rows, columns))
    np.add.at(dense, (indices.astype(np.int64), np.repeat(np.arange(columns), counts)), data)
    return dense


def _from_chumpy(record: Record, label: str, nesting: int) -> np.ndarray:
    return array_from(record.state["x"], label, nesting)


def _from_selection(record: Record, label: str, nesting: int) -> np.ndarray:
    source = array_from(record.state["a"], label, nesting).ravel()
    index = array_from(record.state["idxs"], label, nesting).ravel()
    if (
        len(index) > MAX_ELEMENTS
        or index.dtype.kind not in "iu"
        or (len(index) and not (0 <= index.min() and index.max() < len(source)))
    ):
        raise ValueError("a selection outside its array")
    shape = record.state.get("preferred_shape")
    picked = source[index.astype(np.int64)]
    return picked if shape is None else picked.reshape(_shape_from(shape))


_ARRAYS = {
    "_reconstruct": _from_ndarray,
    "_frombuffer": _from_buffer,
    "ndarray": _from_ndarray,
    "csc_matrix": _from_sparse,
    "Ch": _from_chumpy,
    "Select": _from_selection,
}
