"""The triangles of a GLB (binary glTF 2.0) where its nodes place them.

Only what the shown triangles use is read: no pictures, skins, animations or other files.
"""

import re
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import InvalidFileError, quote
from .reading import parse_json
from .triangles import MAX_VERTICES, check_counts

MAX_NODES, MAX_DEPTH, MAX_PARTS, MAX_DESCRIPTION = 4096, 256, 4096, 4 * 2**20
"""Nodes, how many are inside each other, parts of all meshes that are shown, and bytes of the description."""
# glTF's components of whole numbers, of which indices are made, and its elements.
_WHOLE_NUMBERS = {5121: "<u1", 5123: "<u2", 5125: "<u4"}
_FLOAT = 5126
_TRIANGLES, _STRIP = 4, 5
# Extensions that only say how a surface looks.
_HARMLESS = re.compile(r"(KHR_materials_\w+|KHR_texture_transform|KHR_lights_punctual)")


def triangles_of_glb(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return vertices `[V, 3]`, float64, metres in the frame of the scene, and faces `[T, 3]`, int64, vertex ids.

    Raises:
        InvalidFileError: If it is damaged, or holds more than is read.
    """
    described, numbers = _open(data)
    _check_buffers(described)
    nodes = [_object(node) for node in _list(described, "nodes")]
    _check_tree(nodes)
    meshes = _list(described, "meshes")
    vertices, faces, count, total, parts = [], [], 0, 0, 0
    for node, transform in _placed(described, nodes):
        if "mesh" not in node:
            continue
        mesh = _object(meshes[_whole(node, "mesh", len(meshes) - 1)])
        for part in map(_object, _list(mesh, "primitives")):
            parts += 1
            if parts > MAX_PARTS:
                raise InvalidFileError(f"its meshes have more than the {MAX_PARTS} parts that are read; join them.")
            sizes = _counts_of(part, described)
            check_counts(count + sizes[0], total + sizes[1])
            found = _part(part, described, numbers) if sizes[1] else None
            if found is None:
                continue
            vertices.append(found[0] @ transform[:3, :3].T + transform[:3, 3])
            # A mirror turns a surface inside out.
            mirrored = np.linalg.det(transform[:3, :3]) < 0
            faces.append((found[1][:, ::-1] if mirrored else found[1]) + count)
            count, total = count + len(found[0]), total + len(found[1])
    return np.concatenate([np.zeros((0, 3)), *vertices]), np.concatenate([np.zeros((0, 3), np.int64), *faces])


def _open(data: bytes) -> tuple[dict, bytes]:
    """Return what a GLB says of itself, and its numbers."""
    if len(data) < 20 or data[:4] != b"glTF" or struct.unpack("<I", data[4:8])[0] != 2:
        raise InvalidFileError("it is no binary glTF 2.0; save it as GLB.")
    length, kind = struct.unpack("<I4s", data[12:20])
    if kind != b"JSON" or 20 + length > len(data) or length > MAX_DESCRIPTION:
        raise InvalidFileError("its description is missing, cut off or too long; save it again.")
    described = parse_json(data[20 : 20 + length], "its description")
    numbers = data[20 + length :]
    if numbers:
        size, kind = struct.unpack("<I4s", numbers[:8].ljust(8, b"\0"))
        numbers = numbers[8 : 8 + size]
        if kind != b"BIN\0" or len(numbers) < size:
            raise InvalidFileError("its numbers are cut off; copy it again.")
    return _object(described), numbers


def _check_buffers(described: dict) -> None:
    needed = [name for name in _list(described, "extensionsRequired") if not _HARMLESS.fullmatch(str(name))]
    if needed:
        raise InvalidFileError(f"it needs {quote(needed[0])}, which is not read; save it without compression.")
    buffers = _list(described, "buffers")
    if len(buffers) > 1 or any("uri" in _object(buffer) for buffer in buffers):
        raise InvalidFileError("its numbers are in another file; save it as one GLB.")


def _check_tree(nodes: list[dict]) -> None:
    """Raise an error unless each node has one parent at most, and none is inside itself."""
    if len(nodes) > MAX_NODES:
        raise InvalidFileError(f"it has {len(nodes)} nodes, more than the {MAX_NODES} that are read; join them.")
    parents = [0] * len(nodes)
    for node in nodes:
        for child in _list(node, "children"):
            parents[_whole({"child": child}, "child", len(nodes) - 1)] += 1
    level = [number for number, count in enumerate(parents) if not count]
    reached = depth = 0
    while level and max(parents) <= 1 and depth <= MAX_DEPTH:
        reached, depth = reached + len(level), depth + 1
        level = [child for number in level for child in _list(nodes[number], "children")]
    if depth > MAX_DEPTH:
        raise InvalidFileError(f"more than {MAX_DEPTH} of its nodes are inside each other; apply their places.")
    if reached != len(nodes):
        raise InvalidFileError("its nodes stand in a circle, or have two parents; save it again.")


def _placed(described: dict, nodes: list[dict]) -> Iterator[tuple[dict, np.ndarray]]:
    """Yield the nodes of the scene that is shown, each with its transform to the scene `[4, 4]`."""
    children = {child for node in nodes for child in _list(node, "children")}
    roots = [number for number in range(len(nodes)) if number not in children]
    scenes = _list(described, "scenes")
    if scenes:
        scene = _object(scenes[_whole(described, "scene", len(scenes) - 1, 0)])
        shown = {_whole({"node": number}, "node", len(nodes) - 1) for number in _list(scene, "nodes")}
        roots = [number for number in roots if number in shown]
    level = [(number, np.eye(4)) for number in roots]
    while level:
        placed = [(nodes[number], above @ _transform(nodes[number])) for number, above in level]
        yield from placed
        level = [(child, transform) for node, transform in placed for child in _list(node, "children")]


def _transform(node: dict) -> np.ndarray:
    """Return a node's transform to its parent `[4, 4]`: its matrix, or its translation, rotation and scale."""
    if "matrix" in node:
        return _numbers(node, "matrix", [0.0] * 16).reshape(4, 4).T
    x, y, z, w = _numbers(node, "rotation", [0.0, 0.0, 0.0, 1.0])
    # Of a unit quaternion.
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    whole = np.eye(4)
    whole[:3, :3] = turn * _numbers(node, "scale", [1.0] * 3)
    whole[:3, 3] = _numbers(node, "translation", [0.0] * 3)
    return whole


def _numbers(node: dict, name: str, missing: list[float]) -> np.ndarray:
    found = node.get(name, missing)
    if not isinstance(found, list) or len(found) != len(missing) or not all(type(n) in (int, float) for n in found):
        raise InvalidFileError(f"its description has a {name} that is not {len(missing)} numbers; save it again.")
    return np.array([float(n) for n in found])


def _counts_of(part: dict, described: dict) -> tuple[int, int]:
    """Return how many vertices and triangles a part of a mesh has, none if it shows no triangles."""
    places = _object(part.get("attributes", {}))
    if part.get("mode", _TRIANGLES) not in (_TRIANGLES, _STRIP) or "POSITION" not in places:
        return 0, 0
    vertices = _accessor(places, "POSITION", described)["count"]
    corners = _accessor(part, "indices", described)["count"] if "indices" in part else vertices
    return vertices, corners // 3 if part.get("mode", _TRIANGLES) == _TRIANGLES else max(0, corners - 2)


def _part(part: dict, described: dict, numbers: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return vertices `[V, 3]` and faces `[T, 3]` of a part of a mesh."""
    accessor = _accessor(part["attributes"], "POSITION", described)
    if accessor.get("type") != "VEC3" or accessor.get("componentType") != _FLOAT:
        raise InvalidFileError("it has places that are not written as three floats; save it without compression.")
    vertices = _values(accessor, "<f4", 3, described, numbers).astype(np.float64)
    corners = np.arange(len(vertices))
    if "indices" in part:
        accessor = _accessor(part, "indices", described)
        kind = _WHOLE_NUMBERS.get(accessor.get("componentType", 0))
        if accessor.get("type") != "SCALAR" or kind is None:
            raise InvalidFileError("it has corners that are not written as whole numbers; save it again.")
        corners = _values(accessor, kind, 1, described, numbers)[:, 0].astype(np.int64)
    if corners.size and corners.max() >= len(vertices):
        raise InvalidFileError("it has faces of vertices that it does not hold; save it again.")
    if part.get("mode", _TRIANGLES) == _TRIANGLES:
        return vertices, corners[: len(corners) // 3 * 3].reshape(-1, 3)
    faces = np.stack([corners[:-2], corners[1:-1], corners[2:]], -1)
    # Every second triangle of a strip runs the other way.
    faces[1::2] = faces[1::2, [1, 0, 2]]
    return vertices, faces


def _accessor(owner: dict, name: str, described: dict) -> dict:
    accessors = _list(described, "accessors")
    accessor = _object(accessors[_whole(owner, name, len(accessors) - 1)])
    _whole(accessor, "count", 3 * MAX_VERTICES)
    return accessor


def _values(accessor: dict, kind: str, columns: int, described: dict, numbers: bytes) -> np.ndarray:
    """Return the numbers of an accessor, `[count, columns]`, where they lie in the file's."""
    if "sparse" in accessor or "bufferView" not in accessor:
        raise InvalidFileError("it leaves numbers out (sparse accessors), which is not read; save it without.")
    views = _list(described, "bufferViews")
    view = _object(views[_whole(accessor, "bufferView", len(views) - 1)])
    _whole(view, "buffer", 0, 0)
    start, length = _whole(view, "byteOffset", len(numbers), 0), _whole(view, "byteLength", len(numbers))
    item = np.dtype(kind).itemsize
    stride = _whole(view, "byteStride", 255, 0) or columns * item
    offset, count = _whole(accessor, "byteOffset", len(numbers), 0), accessor["count"]
    if start + length > len(numbers) or (count and offset + (count - 1) * stride + columns * item > length):
        raise InvalidFileError("its numbers are cut off; copy it again.")
    if not count:
        return np.zeros((0, columns), kind)
    return np.ndarray((count, columns), kind, numbers, start + offset, (stride, item))


def _object(value: Any) -> dict:
    """Return an object of a description."""
    if not isinstance(value, dict):
        raise InvalidFileError(f"its description holds {quote(value)}, expected an object; save it again.")
    return value


def _list(value: dict, name: str) -> list:
    found = value.get(name, [])
    if not isinstance(found, list):
        raise InvalidFileError(f"its description has {name} that are no list; save it again.")
    return found


def _whole(value: dict, name: str, most: int, missing: int | None = None) -> int:
    """Return a whole number of a description, from 0 to `most`."""
    number = value.get(name, missing)
    if type(number) is not int or not 0 <= number <= most:
        raise InvalidFileError(f"its description has {name} {quote(number)}, expected 0 to {most}; save it again.")
    return number
