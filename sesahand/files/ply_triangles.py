"""The triangles of a PLY (Stanford polygon file), with letters or bytes in either order."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ..errors import InvalidFileError, quote
from .triangles import MAX_CORNERS, Polygons, check_counts, number, places

MAX_HEADER, MAX_PROPERTIES, MAX_LISTS = 1 << 16, 64, 4
"""Bytes of a header, numbers and lists of an element, and lists of a face."""
_FORMATS = {b"ascii": "", b"binary_little_endian": "<", b"binary_big_endian": ">"}
_TYPES = {
    b"char": "i1", b"uchar": "u1", b"short": "i2", b"ushort": "u2", b"int": "i4", b"uint": "u4", b"float": "f4",
    b"double": "f8", b"int8": "i1", b"uint8": "u1", b"int16": "i2", b"uint16": "u2", b"int32": "i4", b"uint32": "u4",
    b"float32": "f4", b"float64": "f8",
}  # fmt: skip
_CUT = "its numbers are cut off; copy it again."


@dataclass
class _Property:
    """A number of an element, or a list of them behind its `count`; both are numpy's names without the order."""

    name: bytes
    type: str
    count: str = ""

    @property
    def is_corners(self) -> bool:
        return bool(self.count) and self.name in (b"vertex_indices", b"vertex_index")


@dataclass
class _Element:
    name: bytes
    count: int
    properties: list[_Property] = field(default_factory=list)

    def columns(self) -> list[int]:
        """Return which of its numbers are x, y and z."""
        names = [each.name for each in self.properties]
        return [names.index(name) for name in (b"x", b"y", b"z")]


def triangles_of_ply(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return vertices `[V, 3]`, float64, in the file's unit, and faces `[T, 3]`, int64, vertex ids.

    Raises:
        InvalidFileError: If it is damaged, or holds more than is read.
    """
    end = re.compile(rb"^end_header[ \t]*\r?\n", re.MULTILINE).search(data, 0, MAX_HEADER)
    if data[:3] != b"ply" or not end:
        raise InvalidFileError("it has no header of a PLY; save it again.")
    order, elements = _header(data[: end.start()])
    body: _Body = _Bytes(data, end.end(), order) if order else _Letters(data, end.end())
    vertices, polygons = np.zeros((0, 3)), Polygons()
    for element in elements:
        if element.name == b"vertex":
            vertices = body.vertices(element)
        elif element.name == b"face":
            body.faces(element, polygons)
            break
        else:
            body.skip(element)
    return vertices, polygons.triangles()


def _header(text: bytes) -> tuple[str, list[_Element]]:
    """Return numpy's sign of the order of bytes, nothing for letters, and what follows up to the faces."""
    order, elements = None, []
    for line in text.split(b"\n")[1:]:
        match line.split():
            case [b"format", name, b"1.0"] if name in _FORMATS and order is None:
                order = _FORMATS[name]
            case [b"element", name, count] if re.fullmatch(rb"\d{1,9}", count):
                elements.append(_Element(name, int(count)))
            case [b"property", kind, name] if kind in _TYPES and elements:
                elements[-1].properties.append(_Property(name, _TYPES[kind]))
            case [b"property", b"list", count, kind, name] if count in _TYPES and kind in _TYPES and elements:
                elements[-1].properties.append(_Property(name, _TYPES[kind], _TYPES[count]))
            case [] | [b"comment" | b"obj_info", *_]:
                continue
            case _:
                raise InvalidFileError(
                    f"its header has the line {quote(line.decode('latin1'))}, which is not read; save it again."
                )
    if order is None:
        raise InvalidFileError("its header does not say how its numbers are written; save it again.")
    _check_elements(elements)
    return order, elements


def _check_elements(elements: list[_Element]) -> None:
    names = [element.name for element in elements]
    properties = max((len(element.properties) for element in elements), default=0)
    if len(set(names)) != len(names) or properties > MAX_PROPERTIES:
        raise InvalidFileError("its header has elements or properties that are not read; save it again.")
    for element in elements:
        check_counts(*((element.count, 0) if element.name != b"face" else (0, element.count)))
        lists = sum(1 for each in element.properties if each.count)
        if element.name == b"face" and lists <= MAX_LISTS:
            break
        if lists:
            raise InvalidFileError("it has more lists than those of its faces; save it without.")
    vertex = next((element for element in elements if element.name == b"vertex"), None)
    if vertex is None or not {b"x", b"y", b"z"} <= {each.name for each in vertex.properties}:
        raise InvalidFileError("it has no vertices with x, y and z; save it again.")


class _Body(Protocol):
    """The elements of a PLY, to be read one after the other."""

    def vertices(self, element: _Element) -> np.ndarray:
        """Return vertices `[V, 3]`, float64, in the file's unit."""
        ...

    def faces(self, element: _Element, polygons: Polygons) -> None:
        """Add the faces of an element to others."""
        ...

    def skip(self, element: _Element) -> None:
        """Go on behind an element."""
        ...


class _Letters:
    """Elements of a line each."""

    def __init__(self, data: bytes, start: int):
        self._lines = re.compile(rb"[^\s][^\n\r]*").finditer(data, start)

    def _words(self, most: int) -> list[bytes]:
        line = next(self._lines, None)
        if line is None:
            raise InvalidFileError(_CUT)
        return line[0].split(None, most)[:most]

    def vertices(self, element: _Element) -> np.ndarray:
        columns, found = element.columns(), []
        for _ in range(element.count):
            words = self._words(MAX_PROPERTIES)
            found.append([number(words[column]) for column in columns if column < len(words)])
        return places(found)

    def faces(self, element: _Element, polygons: Polygons) -> None:
        for _ in range(element.count):
            words = iter(self._words(MAX_PROPERTIES + MAX_LISTS * MAX_CORNERS))
            for each in element.properties:
                count = int(_next(words)) if each.count else 1
                _check_corners(count)
                found = [_next(words) for _ in range(count)]
                if each.is_corners:
                    polygons.add([int(corner) for corner in found])

    def skip(self, element: _Element) -> None:
        for _ in range(element.count):
            self._words(1)


def _next(words: Iterator[bytes]) -> float:
    word = next(words, None)
    if word is None:
        raise InvalidFileError(_CUT)
    return number(word)


def _check_corners(count: int) -> None:
    if not 0 <= count <= MAX_CORNERS:
        raise InvalidFileError(f"it has a face of {count:.6g} corners, expected 0 to {MAX_CORNERS}.")


class _Bytes:
    """Elements behind each other without a gap."""

    def __init__(self, data: bytes, start: int, order: str):
        self._data, self._place, self._order = data, start, order

    def _take(self, kind: np.dtype, count: int) -> np.ndarray:
        size = count * kind.itemsize
        if self._place + size > len(self._data):
            raise InvalidFileError(_CUT)
        found = np.frombuffer(self._data, kind, count, self._place)
        self._place += size
        return found

    def _record(self, properties: list[_Property]) -> np.dtype:
        # By their numbers, whatever they are called in the file.
        return np.dtype([(str(k), self._order + each.type) for k, each in enumerate(properties)])

    def vertices(self, element: _Element) -> np.ndarray:
        found = self._take(self._record(element.properties), element.count)
        return np.stack([found[str(column)].astype(np.float64) for column in element.columns()], -1)

    def faces(self, element: _Element, polygons: Polygons) -> None:
        parts = []
        # What stands between lists is gone over at once.
        between: list[_Property] = []
        for each in element.properties:
            if not each.count:
                between.append(each)
                continue
            kinds = np.dtype(self._order + each.count), np.dtype(self._order + each.type)
            parts.append((self._record(between).itemsize, *kinds, each.is_corners))
            between = []
        behind = self._record(between).itemsize
        for _ in range(element.count):
            for before, counted, kind, is_corners in parts:
                self._place += before
                count = int(self._take(counted, 1)[0])
                _check_corners(count)
                found = self._take(kind, count)
                if is_corners:
                    polygons.add(found.astype(np.int64).tolist())
            self._place += behind

    def skip(self, element: _Element) -> None:
        self._place += element.count * self._record(element.properties).itemsize
