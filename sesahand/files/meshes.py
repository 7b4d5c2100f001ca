"""Meshes of strangers: the triangles of GLB, OBJ, PLY and STL files, and nothing else of them.

Each kind has one reader, which counts what it makes while it reads. Behind a check of ours, another parser would read a
hostile file otherwise than it was checked: what ends a line, a word or a header differs from program to program.
What a surface looks like, cameras, skins and the names of other files are not looked at.
"""

import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ..errors import InvalidFileError, quote
from .glb_triangles import triangles_of_glb
from .ply_triangles import triangles_of_ply
from .reading import open_regular
from .triangles import MAX_CORNERS, MAX_FACES, Polygons, check_counts, number, places

MAX_MESH_BYTES = 64 * 2**20


def read_mesh(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the triangles of a mesh file.

    Args:
        path: A .glb, .obj, .ply or .stl file that is no link.

    Returns:
        Vertices `[V, 3]`, float64, in the file's own unit and frame, and faces `[T, 3]`, int64, vertex ids.

    Raises:
        InvalidFileError: If it is no such file, larger than is read, or holds no triangles; the message says why.
    """
    path = Path(path)
    kind = path.suffix.lower().removeprefix(".")
    if kind not in _READERS:
        raise InvalidFileError(f"{quote(path.name)} is no mesh by its name: expected a .{', .'.join(_READERS)} file.")
    try:
        with open_regular(path, follow=False) as file:
            data = file.read(MAX_MESH_BYTES + 1)
    except (OSError, ValueError) as error:
        raise InvalidFileError(f"{path!s:.200} cannot be read: {error!s:.200}. Check the path.") from error
    named = quote(path.name)
    if len(data) > MAX_MESH_BYTES:
        raise InvalidFileError(
            f"{named} is larger than {MAX_MESH_BYTES >> 20} MiB: simplify the mesh in the program that made it."
        )
    try:
        vertices, faces = _READERS[kind](data)
        _check_triangles(vertices, faces)
    except InvalidFileError as error:
        raise InvalidFileError(f"{named}: {error}") from error
    # Whatever a reader stumbles over in a foreign file, people are told so in a sentence.
    except Exception as error:
        raise InvalidFileError(
            f"{named} cannot be read as {kind.upper()} ({type(error).__name__}: {error!s:.120}). Save it again as a "
            "plain GLB, OBJ, PLY or STL without compression."
        ) from error
    return vertices, faces


def _check_triangles(vertices: np.ndarray, faces: np.ndarray) -> None:
    if not len(faces):
        raise InvalidFileError("it holds no triangles: save a surface, not points, curves or an empty scene.")
    check_counts(len(vertices), len(faces))
    if not np.isfinite(vertices).all() or np.abs(vertices).max() > 1e9:
        raise InvalidFileError("it has vertices at no finite place; save it again.")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise InvalidFileError("it has faces of vertices that it does not hold; save it again.")


def _triangles_of_obj(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return the places and faces of an OBJ (Wavefront), without what they look like."""
    if data.count(b"\\") > MAX_FACES:
        raise InvalidFileError("it has more backslashes than lines that would go on; save it again.")
    # A line may be indented, and goes on in the next one behind a backslash.
    data = re.sub(rb"\\[ \t]*\r?\n", b" ", data).replace(b"\r", b"\n")
    vertices, polygons = [], Polygons()
    for kind, words in _lines(data, rb"[vf]", MAX_CORNERS + 1):
        if kind == b"v":
            # A fourth number, or colours, may follow a place.
            vertices.append([number(word) for word in words[:3]])
            check_counts(len(vertices), 0)
        else:
            polygons.add([_corner(word, len(vertices)) for word in words])
    return places(vertices), polygons.triangles()


def _corner(word: bytes, so_far: int) -> int:
    """Return the vertex id of a face's corner, `7`, `7/2`, `7//3` or `7/2/3`; -1 is the last vertex so far."""
    said = int(number(word.partition(b"/")[0]))
    return said - 1 if said > 0 else so_far + said if said < 0 else -1


def _triangles_of_stl(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return the triangles of an STL, with bytes or letters; whatever its parts are called, they are read as one."""
    if len(data) >= 84 and len(data) == 84 + 50 * (count := struct.unpack("<I", data[80:84])[0]):
        check_counts(3 * count, count)
        record = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attributes", "<u2")])
        vertices = np.frombuffer(data, record, offset=84)["corners"].reshape(-1, 3).astype(np.float64)
    else:
        if data[:1024].lstrip()[:5].lower() != b"solid":
            raise InvalidFileError("it has not as many faces as it says; copy it again.")
        found = []
        for _, words in _lines(data.replace(b"\r", b"\n"), rb"vertex", 4):
            found.append([number(word) for word in words[:3]])
            check_counts(len(found), len(found) // 3)
        vertices = places(found)
    if len(vertices) % 3:
        raise InvalidFileError("it has corners that make no triangle; copy it again.")
    return vertices, np.arange(len(vertices)).reshape(-1, 3)


def _lines(data: bytes, kind: bytes, most: int) -> Iterator[tuple[bytes, list[bytes]]]:
    """Yield the lines that begin with a word: that word in small letters, and up to `most` words behind it."""
    for found in re.finditer(rb"^[ \t]*(" + kind + rb")[ \t]([^\n]*)", data, re.MULTILINE | re.IGNORECASE):
        yield found[1].lower(), found[2].partition(b"#")[0].split(None, most)[:most]


_READERS: dict[str, Callable[[bytes], tuple[np.ndarray, np.ndarray]]] = {
    "glb": triangles_of_glb, "obj": _triangles_of_obj, "ply": triangles_of_ply, "stl": _triangles_of_stl,
}  # fmt: skip
MESH_SUFFIXES = tuple(f".{kind}" for kind in _READERS)
"""Endings of the files that are read."""
