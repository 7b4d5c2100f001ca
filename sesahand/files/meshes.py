"""Meshes of strangers: GLB, OBJ, PLY and STL through the package trimesh, which is given the bytes of triangles alone.

What a file says of its size is compared with what it holds before it is parsed. Materials, pictures, cameras, skins and
the names of other files are taken out first, so that nothing is opened, fetched or unpacked but the triangles.
"""

import io
import json
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InvalidFileError, SesaHandError, quote
from .reading import open_regular, parse_json

MAX_MESH_BYTES = 64 * 2**20
MAX_VERTICES, MAX_FACES = 600_000, 200_000
"""Of a file. An STL has three vertices a face."""
MAX_NODES, MAX_DEPTH, MAX_PARTS, MAX_DESCRIPTION = 4096, 256, 4096, 4 * 2**20
"""Of a GLB: nodes, how many are inside each other, parts of all its meshes, and bytes of its description."""
MAX_PLY_HEADER, MAX_PROPERTIES = 1 << 16, 64

PACKAGE = "trimesh"
NOT_INSTALLED = (
    "Meshes of your own are read by the package trimesh, which is not installed: run pip install trimesh in the Python "
    "that SesaHand runs in, or choose one of the objects that come with it."
)

# How often a GLB may describe the same numbers: parts may share their places.
MOST_OVERLAP = 4
# glTF's components and elements: how many bytes, how many of them.
_COMPONENT_BYTES = {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}
_ELEMENTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
_KEPT = ("asset", "scene", "scenes", "nodes", "meshes", "accessors", "bufferViews", "buffers")
_NODE_KEPT = ("children", "mesh", "matrix", "translation", "rotation", "scale", "name")
# Extensions that only say how a surface looks.
_HARMLESS = re.compile(r"(KHR_materials_\w+|KHR_texture_transform|KHR_lights_punctual)")


def read_mesh(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the triangles of a mesh file.

    Args:
        path: A .glb, .obj, .ply or .stl file that is no link.

    Returns:
        Vertices `[V, 3]`, float64, in the file's own unit and frame, and faces `[T, 3]`, int64, vertex ids.

    Raises:
        InvalidFileError: If it is no such file, larger than is read, or holds no triangles; the message says why.
        SesaHandError: If trimesh is not installed.
    """
    path = Path(path)
    kind = path.suffix.lower().removeprefix(".")
    if kind not in _BARE:
        raise InvalidFileError(f"{quote(path.name)} is no mesh by its name: expected a .{', .'.join(_BARE)} file.")
    try:
        with open_regular(path, follow=False) as file:
            data = file.read(MAX_MESH_BYTES + 1)
    except (OSError, ValueError) as error:
        raise InvalidFileError(f"{path!s:.200} cannot be read: {error!s:.200}. Check the path.") from error
    return parse_mesh(data, kind, path.name)


def parse_mesh(data: bytes, kind: str, label: str) -> tuple[np.ndarray, np.ndarray]:
    """Return vertices `[V, 3]`, float64, in the file's unit, and faces `[T, 3]`, int64, of a file's bytes.

    As `read_mesh`, with the ending `kind` and what to call it in errors.
    """
    try:
        import trimesh
    except ImportError as error:
        raise SesaHandError(NOT_INSTALLED) from error
    named = quote(label)
    if len(data) > MAX_MESH_BYTES:
        raise InvalidFileError(
            f"{named} is larger than {MAX_MESH_BYTES >> 20} MiB: simplify the mesh in the program that made it."
        )
    try:
        bare = _BARE[kind](data)
        loaded = trimesh.load(io.BytesIO(bare), file_type=kind, resolver=None, process=False, skip_materials=True)
        mesh: Any = loaded.to_mesh() if isinstance(loaded, trimesh.Scene) else loaded
        vertices = np.array(mesh.vertices, np.float64).reshape(-1, 3)
        faces = np.array(mesh.faces, np.int64).reshape(-1, 3)
    except InvalidFileError as error:
        raise InvalidFileError(f"{named}: {error}") from error
    # Whatever a parser stumbles over in a foreign file, its reader is told so in a sentence.
    except Exception as error:
        raise InvalidFileError(
            f"{named} cannot be read as {kind.upper()} ({type(error).__name__}: {error!s:.120}). Save it again as a "
            "plain GLB, OBJ, PLY or STL without compression."
        ) from error
    _check_triangles(vertices, faces, named)
    return vertices, faces


def _check_triangles(vertices: np.ndarray, faces: np.ndarray, named: str) -> None:
    if not len(faces):
        raise InvalidFileError(f"{named} holds no triangles: save a surface, not points, curves or an empty scene.")
    _check_counts(len(vertices), len(faces), named)
    if not np.isfinite(vertices).all() or np.abs(vertices).max() > 1e9:
        raise InvalidFileError(f"{named} has vertices at no finite place; save it again.")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise InvalidFileError(f"{named} has faces of vertices that it does not hold; save it again.")


def _check_counts(vertices: int, faces: int, named: str = "The file") -> None:
    if vertices > MAX_VERTICES or faces > MAX_FACES:
        raise InvalidFileError(
            f"{named} has {vertices} vertices and {faces} faces, more than the {MAX_VERTICES} and {MAX_FACES} that are "
            "read: simplify the mesh in the program that made it."
        )


def _bare_glb(data: bytes) -> bytes:
    """Return a GLB that holds triangles and where they stand, and nothing else."""
    if len(data) < 20 or data[:4] != b"glTF" or struct.unpack("<I", data[4:8])[0] != 2:
        raise InvalidFileError("it is no binary glTF 2.0; save it as GLB.")
    length, kind = struct.unpack("<I4s", data[12:20])
    if kind != b"JSON" or 20 + length > len(data) or length > MAX_DESCRIPTION:
        raise InvalidFileError("its description is missing, cut off or too long; save it again.")
    described = parse_json(data[20 : 20 + length], "its description")
    binary = data[20 + length :]
    if binary:
        size, kind = struct.unpack("<I4s", binary[:8].ljust(8, b"\0"))
        binary = binary[8 : 8 + size]
        if kind != b"BIN\0" or len(binary) < size:
            raise InvalidFileError("its numbers are cut off; copy it again.")
    if not isinstance(described, dict):
        raise InvalidFileError("its description is none; save it again.")
    needed = [name for name in _list(described, "extensionsRequired") if not _HARMLESS.fullmatch(str(name))]
    if needed:
        raise InvalidFileError(f"it needs {quote(needed[0])}, which is not read; save it without compression.")
    kept = {name: described[name] for name in _KEPT if name in described}
    _check_numbers(kept, len(binary))
    kept["nodes"] = [_only(node, _NODE_KEPT) for node in _list(kept, "nodes")]
    kept["meshes"] = [_bare_mesh(mesh, _list(kept, "accessors")) for mesh in _list(kept, "meshes")]
    _check_tree(kept)
    _leave_out_unused(kept, len(binary))
    text = json.dumps(kept).encode()
    text += b" " * (-len(text) % 4)
    binary += bytes(-len(binary) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def _check_numbers(described: dict, size: int) -> None:
    """Raise an error unless all numbers of a GLB lie in its `size` bytes of numbers, and are no more than is read."""
    buffers = _list(described, "buffers")
    if len(buffers) > 1 or any("uri" in _only(buffer) for buffer in buffers):
        raise InvalidFileError("its numbers are in another file; save it as one GLB.")
    views = [_only(view) for view in _list(described, "bufferViews")]
    for view in views:
        offset, length = _whole(view, "byteOffset", size, 0), _whole(view, "byteLength", size)
        _whole(view, "byteStride", 255, 0), _whole(view, "buffer", 0)
        if offset + length > size:
            raise InvalidFileError("its numbers are cut off; copy it again.")
    for accessor in map(_only, _list(described, "accessors")):
        count = _whole(accessor, "count", 3 * MAX_VERTICES)
        elements = _ELEMENTS.get(str(accessor.get("type")))
        item = _COMPONENT_BYTES.get(accessor.get("componentType", 0))
        if elements is None or item is None:
            # Matrices of skins, which are not looked at.
            continue
        if "sparse" in accessor or "bufferView" not in accessor:
            raise InvalidFileError("it leaves numbers out (sparse accessors), which is not read; save it without.")
        view = views[_whole(accessor, "bufferView", len(views) - 1)]
        stride = view.get("byteStride") or elements * item
        offset = _whole(accessor, "byteOffset", size, 0)
        if count and offset + (count - 1) * stride + elements * item > view["byteLength"]:
            raise InvalidFileError("its numbers are cut off; copy it again.")


def _bare_mesh(mesh: Any, accessors: list) -> dict:
    """Return a mesh of a GLB with the places and corners of its triangles alone."""
    primitives = []
    for primitive in map(_only, _list(_only(mesh), "primitives")):
        attributes = _only(primitive.get("attributes", {}))
        if primitive.get("mode", 4) in (4, 5) and "POSITION" in attributes:
            kept = _only(primitive, ("indices", "mode"))
            for number in (attributes["POSITION"], *([kept["indices"]] if "indices" in kept else [])):
                _whole({"accessor": number}, "accessor", len(accessors) - 1)
            primitives.append({"attributes": {"POSITION": attributes["POSITION"]}, **kept})
    return {"primitives": primitives}


def _leave_out_unused(described: dict, size: int) -> None:
    """Keep of a GLB's numbers what its shown triangles use: the parser copies all that is described.

    Args:
        described: Whose tree has been checked; is changed.
        size: Bytes of its numbers.
    """
    shown = {node["mesh"] for node in described["nodes"] if "mesh" in node}
    for number, mesh in enumerate(described["meshes"]):
        if number not in shown:
            mesh["primitives"] = []
    parts = [part for mesh in described["meshes"] for part in mesh["primitives"]]
    uses = [(part["attributes"], "POSITION") for part in parts] + [
        (part, "indices") for part in parts if "indices" in part
    ]
    accessors = _renumbered(described.get("accessors", []), uses)
    views = _renumbered(described.get("bufferViews", []), [(each, "bufferView") for each in accessors])
    if sum(view["byteLength"] for view in views) > MOST_OVERLAP * size:
        raise InvalidFileError("its numbers are described many times over; save it again.")
    described["accessors"], described["bufferViews"] = accessors, views


def _renumbered(items: list, uses: list[tuple[dict, str]]) -> list[dict]:
    """Return copies of the items that are used, and let those that name one by its number name it by its new one."""
    numbers = {number: place for place, number in enumerate(sorted({user[name] for user, name in uses}))}
    for user, name in uses:
        user[name] = numbers[user[name]]
    return [dict(items[number]) for number in numbers]


def _check_tree(described: dict) -> None:
    """Raise an error unless the nodes of a GLB hang together as trees and show no more faces than are read."""
    nodes, meshes, accessors = (described.get(name, []) for name in ("nodes", "meshes", "accessors"))
    if len(nodes) > MAX_NODES:
        raise InvalidFileError(f"it has {len(nodes)} nodes, more than the {MAX_NODES} that are read; join them.")
    parents = [0] * len(nodes)
    faces = vertices = parts = 0
    for number, node in enumerate(nodes):
        for child in _list(node, "children"):
            # A child comes after none of its own parents, unless they stand in a circle.
            parents[_whole({"child": child}, "child", len(nodes) - 1)] += 1
            if child == number:
                raise InvalidFileError("its nodes stand in a circle; save it again.")
        if "mesh" in node:
            mesh = meshes[_whole(node, "mesh", len(meshes) - 1)]
            parts += len(mesh["primitives"])
            for primitive in mesh["primitives"]:
                places = accessors[primitive["attributes"]["POSITION"]]["count"]
                corners = accessors[primitive["indices"]]["count"] if "indices" in primitive else places
                vertices += places
                faces += corners // 3 if primitive.get("mode", 4) == 4 else max(0, corners - 2)
    _check_counts(vertices, faces, "it")
    if parts > MAX_PARTS:
        raise InvalidFileError(f"its meshes have {parts} parts, more than the {MAX_PARTS} that are read; join them.")
    level = [number for number, count in enumerate(parents) if not count]
    reached = depth = 0
    while level and max(parents, default=0) == 1 and depth <= MAX_DEPTH:
        reached, depth = reached + len(level), depth + 1
        level = [child for number in level for child in _list(nodes[number], "children")]
    if depth > MAX_DEPTH:
        raise InvalidFileError(f"more than {MAX_DEPTH} of its nodes are inside each other; apply their places.")
    if max(parents, default=0) > 1 or (nodes and reached != len(nodes) and any(parents)):
        raise InvalidFileError("its nodes stand in a circle, or have two parents; save it again.")


_OBJ_LINE = re.compile(rb"^[ \t]*([vf])[ \t][^\n]*", re.M)


def _bare_obj(data: bytes) -> bytes:
    """Return the places and faces of an OBJ, without what they look like and what other files it names."""
    # A line may be indented, and goes on in the next one behind a backslash.
    data = re.sub(rb"\\[ \t]*\r?\n", b" ", data).replace(b"\r", b"\n")
    counts = {b"v": 0, b"f": 0}
    for found in _OBJ_LINE.finditer(data):
        counts[found[1]] += 1
        _check_counts(counts[b"v"], counts[b"f"], "it")
    lines = [found[0].strip() for found in _OBJ_LINE.finditer(data)]
    faces = [line for line in lines if line[:1] == b"f"]
    corners = sum(len(line.split()) - 1 for line in faces)
    _check_counts(len(lines) - len(faces), max(len(faces), corners - 2 * len(faces)), "it")
    # Colours may follow a place, textures and normals a corner's vertex.
    bare = [b" ".join(line.split()[:4]) if line[:1] == b"v" else _bare_face(line) for line in lines]
    return b"\n".join(bare) + b"\n"


def _bare_face(line: bytes) -> bytes:
    return b" ".join(corner.partition(b"/")[0] for corner in line.split())


def _bare_ply(data: bytes) -> bytes:
    """Return a PLY once its header says no more than is read."""
    header, end, _ = data[:MAX_PLY_HEADER].partition(b"end_header")
    if data[:3] != b"ply" or not end:
        raise InvalidFileError("it has no header of a PLY; save it again.")
    counts = {
        name: int(count) for name, count in re.findall(rb"^element[ \t]+(\w+)[ \t]+(\d{1,9})[ \t\r]*$", header, re.M)
    }
    if len(counts) != len(re.findall(rb"^element\b", header, re.M)) or header.count(b"property") > MAX_PROPERTIES:
        raise InvalidFileError("its header has elements or properties that are not read; save it again.")
    vertices, faces = counts.get(b"vertex", 0), counts.get(b"face", 0)
    _check_counts(vertices, faces, "it")
    # Each has at least a byte; what else there is may not be more either.
    if sum(counts.values()) > min(len(data), 4 * MAX_VERTICES):
        raise InvalidFileError("its numbers are cut off; copy it again.")
    # A texture is named in a comment.
    kept = [line for line in header.splitlines() if line[:7] != b"comment"]
    body = data[len(header) + len(end) :]
    if re.search(rb"^format[ \t]+ascii\b", header, re.M):
        # A line each; the parser makes texts of whatever else follows.
        lines = re.sub(rb"\n\s+", b"\n", body.replace(b"\r", b"\n")).split(b"\n", 1 + sum(counts.values()))
        body = b"\n".join(lines[: 1 + sum(counts.values())]) + b"\n"
    return b"\n".join([*kept, end]) + body


def _bare_stl(data: bytes) -> bytes:
    """Return an STL once it holds as many faces as it says."""
    if len(data) >= 84 and len(data) == 84 + 50 * (count := struct.unpack("<I", data[80:84])[0]):
        _check_counts(3 * count, count, "it")
        return data
    text = data.lower()
    if text.lstrip()[:5] != b"solid":
        raise InvalidFileError("it has not as many faces as it says; copy it again.")
    _check_counts(text.count(b"vertex"), text.count(b"facet") // 2, "it")
    # Whatever its parts are called, they are read as one: names take a time that grows with their square.
    return b"solid\n" + re.sub(rb"^[ \t]*(?:end)?solid\b[^\n]*", b"", text, flags=re.M) + b"\nendsolid\n"


_BARE: dict[str, Callable[[bytes], bytes]] = {
    "glb": _bare_glb, "obj": _bare_obj, "ply": _bare_ply, "stl": _bare_stl,
}  # fmt: skip
MESH_SUFFIXES = tuple(f".{kind}" for kind in _BARE)
"""Endings of the files that are read."""


def _only(value: Any, names: tuple[str, ...] | None = None) -> dict:
    """Return an object of a description, or those fields of it that are named."""
    if not isinstance(value, dict):
        raise InvalidFileError(f"its description holds {quote(value)}, expected an object; save it again.")
    return value if names is None else {name: value[name] for name in names if name in value}


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
