"""Read a TensorFlow Lite file: its tensors, its constants and its operators in order, as plain data.

The file is a FlatBuffer, a web of offsets. None of them is believed: every one is checked against the file before it is
followed, every count and size against a limit, and nothing is read but the fields that a float network needs.

Sources: FlatBuffers' description of its binary format; TensorFlow Lite's `schema.fbs`, version 3, for the fields.
"""

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InvalidFileError, quote
from ...files.reading import read_bytes

IDENTIFIER = b"TFL3"
MAX_ITEMS = 4096
# Of one step.
MAX_INPUTS = 64
MAX_RANK = 6
MAX_ELEMENTS = 2**22
MAX_CONSTANT_BYTES = 64 * 2**20

# Codes of schema.fbs. What is not here is not read.
TENSOR_TYPES: dict[int, np.dtype] = {0: np.dtype("<f4"), 1: np.dtype("<f2"), 2: np.dtype("<i4")}
OPERATORS = {
    0: "ADD",
    2: "CONCATENATION",
    3: "CONV_2D",
    4: "DEPTHWISE_CONV_2D",
    6: "DEQUANTIZE",
    9: "FULLY_CONNECTED",
    14: "LOGISTIC",
    17: "MAX_POOL_2D",
    22: "RESHAPE",
    23: "RESIZE_BILINEAR",
    34: "PAD",
    40: "MEAN",
    54: "PRELU",
}
ACTIVATIONS = {0: None, 1: "relu", 3: "relu6"}
PADDINGS = {0: "same", 1: "valid"}

# For each operator the type of its options table, and the place, kind and default of each option that is used.
_STRIDES = {"stride_w": (1, "i32", 0), "stride_h": (2, "i32", 0)}
OPTIONS = {
    "ADD": (11, {"activation": (0, "u8", 0)}),
    "CONCATENATION": (10, {"axis": (0, "i32", 0), "activation": (1, "u8", 0)}),
    "CONV_2D": (
        1,
        {"padding": (0, "u8", 0), **_STRIDES, "activation": (3, "u8", 0), "dilation_w": (4, "i32", 1),
         "dilation_h": (5, "i32", 1)},
    ),
    "DEPTHWISE_CONV_2D": (
        2,
        {"padding": (0, "u8", 0), **_STRIDES, "multiplier": (3, "i32", 0), "activation": (4, "u8", 0),
         "dilation_w": (5, "i32", 1), "dilation_h": (6, "i32", 1)},
    ),
    "FULLY_CONNECTED": (8, {"activation": (0, "u8", 0), "weights_format": (1, "u8", 0), "keep_dims": (2, "u8", 0)}),
    "MAX_POOL_2D": (
        5,
        {"padding": (0, "u8", 0), **_STRIDES, "filter_w": (3, "i32", 0), "filter_h": (4, "i32", 0),
         "activation": (5, "u8", 0)},
    ),
    "MEAN": (27, {"keep_dims": (0, "u8", 0)}),
    "RESIZE_BILINEAR": (15, {"align_corners": (2, "u8", 0), "half_pixel": (3, "u8", 0)}),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class TensorInfo:
    """A tensor of the graph.

    Attributes:
        name: Its name, for messages.
        shape: Its shape for a batch of one.
        dtype: Type of its elements.
        value: Its value if it is a constant, read-only and of the same shape, else None.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    value: np.ndarray | None


@dataclass(frozen=True)
class Operator:
    """A step of the graph.

    Attributes:
        kind: A value of `OPERATORS`.
        inputs: Indices of tensors; -1 for an optional one that is not there.
        outputs: Indices of tensors.
        options: Its settings, by the names of `OPTIONS`.
    """

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Graph:
    """A network as the file holds it: operators in the order in which they run.

    Attributes:
        tensors: All tensors.
        operators: All steps.
        inputs: Indices of the tensors that are fed.
        outputs: Indices of the tensors that are the result.
    """

    tensors: tuple[TensorInfo, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_tflite(path: str | Path) -> Graph:
    """Read a network.

    Raises:
        InvalidFileError: If the file is missing, damaged, or needs what is not read here; the message names it.
    """
    data = read_bytes(path)
    try:
        return _read_graph(data)
    except _Fault as fault:
        raise InvalidFileError(
            f"{path} is not a network that can be read: {fault} Get it again with `python -m sesahand get-detector`."
        ) from None


class _Fault(Exception):
    """What is wrong with the bytes, as a sentence."""


_FORMATS = {
    "u8": struct.Struct("<B"), "u16": struct.Struct("<H"), "i32": struct.Struct("<i"), "u32": struct.Struct("<I"),
    "u64": struct.Struct("<Q"),
}  # fmt: skip


def _number(data: bytes, kind: str, at: int) -> int:
    form = _FORMATS[kind]
    if not 0 <= at <= len(data) - form.size:
        raise _Fault(f"it is truncated, or an offset leads out of it (to byte {at} of {len(data)}).")
    return form.unpack_from(data, at)[0]


@dataclass(frozen=True)
class _Table:
    """A FlatBuffers table: where it starts, and through its list of offsets where its fields are."""

    data: bytes
    start: int

    @classmethod
    def behind(cls, data: bytes, at: int) -> "_Table":
        return cls(data, at + _number(data, "u32", at))

    def place(self, field: int) -> int | None:
        """Return where a field is, or None if the table leaves it out."""
        fields = self.start - _number(self.data, "i32", self.start)
        if 4 + 2 * field + 2 > _number(self.data, "u16", fields):
            return None
        offset = _number(self.data, "u16", fields + 4 + 2 * field)
        return self.start + offset if offset else None

    def number(self, field: int, kind: str, default: int = 0) -> int:
        at = self.place(field)
        return default if at is None else _number(self.data, kind, at)

    def table(self, field: int) -> "_Table | None":
        at = self.place(field)
        return None if at is None else _Table.behind(self.data, at)

    def vector(self, field: int, size: int, limit: int) -> tuple[int, int]:
        """Return start and count of a vector whose elements have `size` bytes."""
        at = self.place(field)
        if at is None:
            return 0, 0
        at += _number(self.data, "u32", at)
        count = _number(self.data, "u32", at)
        if count > limit or at + 4 + count * size > len(self.data):
            raise _Fault(f"a list at byte {at} claims {count} entries.")
        return at + 4, count

    def numbers(self, field: int, limit: int = MAX_ITEMS) -> tuple[int, ...]:
        start, count = self.vector(field, 4, limit)
        return struct.unpack_from(f"<{count}i", self.data, start)

    def tables(self, field: int) -> "list[_Table]":
        start, count = self.vector(field, 4, MAX_ITEMS)
        return [_Table.behind(self.data, start + 4 * k) for k in range(count)]

    def text(self, field: int) -> str:
        start, count = self.vector(field, 1, MAX_ITEMS)
        return self.data[start : start + count].decode("utf-8", "replace")


def _read_graph(data: bytes) -> Graph:
    if data[4:8] != IDENTIFIER:
        raise _Fault("it does not begin as a TensorFlow Lite file.")
    model = _Table.behind(data, 0)
    graphs = model.tables(2)
    if len(graphs) != 1:
        raise _Fault(f"it holds {len(graphs)} graphs, expected one.")
    buffers = model.tables(4)
    tensors = tuple(_read_tensor(table, buffers) for table in graphs[0].tables(0))
    if sum(tensor.value.nbytes for tensor in tensors if tensor.value is not None) > MAX_CONSTANT_BYTES:
        raise _Fault(f"its constants have more than {MAX_CONSTANT_BYTES} bytes.")
    kinds = [_read_kind(table) for table in model.tables(1)]
    operators = tuple(_read_operator(table, kinds, len(tensors)) for table in graphs[0].tables(3))
    inputs, outputs = (_check_indices(graphs[0].numbers(field), len(tensors)) for field in (1, 2))
    return Graph(tensors, operators, inputs, outputs)


def _check_indices(indices: tuple[int, ...], count: int, least: int = 0) -> tuple[int, ...]:
    if not all(least <= index < count for index in indices):
        raise _Fault(f"it names a tensor that is not among its {count}.")
    return indices


def _read_tensor(table: _Table, buffers: list[_Table]) -> TensorInfo:
    name = table.text(3)
    shape, code, buffer = table.numbers(0, MAX_RANK), table.number(1, "u8"), table.number(2, "u32")
    if min(shape, default=1) < 0 or math.prod(shape) > MAX_ELEMENTS:
        raise _Fault(f"its tensor {quote(name)} has the shape {shape}.")
    if code not in TENSOR_TYPES:
        raise _Fault(
            f"its tensor {quote(name)} holds numbers of type {code}; only float32, float16 and int32 are read."
        )
    if table.table(6) is not None:
        raise _Fault(f"its tensor {quote(name)} is packed as sparse, which is not read.")
    if buffer >= len(buffers):
        raise _Fault(f"its tensor {quote(name)} is in buffer {buffer}, of {len(buffers)}.")
    start, size = buffers[buffer].vector(0, 1, len(table.data))
    if not size:
        return TensorInfo(name, shape, TENSOR_TYPES[code], None)
    if size != math.prod(shape) * TENSOR_TYPES[code].itemsize:
        raise _Fault(f"its tensor {quote(name)} of shape {shape} has {size} bytes.")
    value = np.frombuffer(table.data, TENSOR_TYPES[code], math.prod(shape), start).reshape(shape)
    return TensorInfo(name, shape, TENSOR_TYPES[code], value)


def _read_kind(table: _Table) -> str:
    # Codes below 127 stand in the older one-byte field, newer writers fill both.
    code = max(table.number(0, "u8"), table.number(3, "i32"))
    if code not in OPERATORS:
        raise _Fault(f"it uses operator {code} {quote(table.text(1))}; only {', '.join(OPERATORS.values())} are read.")
    return OPERATORS[code]


def _read_operator(table: _Table, kinds: list[str], num_tensors: int) -> Operator:
    index = table.number(0, "u32")
    if index >= len(kinds):
        raise _Fault(f"a step is of kind {index}, of {len(kinds)}.")
    kind = kinds[index]
    inputs = _check_indices(table.numbers(1, MAX_INPUTS), num_tensors, -1)
    outputs = _check_indices(table.numbers(2, MAX_INPUTS), num_tensors)
    return Operator(kind, inputs, outputs, _read_options(table, kind))


def _read_options(table: _Table, kind: str) -> dict[str, Any]:
    code, fields = OPTIONS.get(kind, (0, {}))
    options = table.table(4) if table.number(3, "u8") == code else None
    if fields and options is None:
        raise _Fault(f"a {kind} has no settings of its kind.")
    values: dict[str, Any] = {}
    if options is not None:
        values = {name: options.number(place, form, default) for name, (place, form, default) in fields.items()}
    for name, names in (("activation", ACTIVATIONS), ("padding", PADDINGS)):
        if name in values:
            if values[name] not in names:
                raise _Fault(f"a {kind} has the {name} {values[name]}, which is not read.")
            values[name] = names[values[name]]
    return values
