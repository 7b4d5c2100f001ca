"""Writing binary glTF 2.0 (GLB): one JSON chunk that describes, one binary chunk that holds the numbers.

Source: Khronos, glTF 2.0 specification, sections 3.6 (buffers, accessors) and 4.4 (GLB).
"""

import json
import struct
from typing import Any

import numpy as np

from .. import __version__

COMPONENT_TYPES = {"u1": 5121, "u2": 5123, "u4": 5125, "f4": 5126}
ELEMENT_TYPES = {(): "SCALAR", (2,): "VEC2", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}
VERTEX_BUFFER, INDEX_BUFFER = 34962, 34963
GENERATOR = f"SesaHand {__version__}"


class GltfDocument:
    """A glTF document that grows by `add` and `add_accessor`; indices are returned for others to refer to."""

    def __init__(self, copyright: str, extras: dict):
        """Begin a document.

        Args:
            copyright: Who may do what with the content.
            extras: Anything further about the file as a whole, which JSON can hold.
        """
        asset = {"version": "2.0", "generator": GENERATOR, "copyright": copyright, "extras": extras}
        self._lists: dict[str, list] = {}
        self._fields: dict[str, Any] = {"asset": asset}
        self._binary = bytearray()

    def add(self, kind: str, **fields) -> int:
        """Append an object to a list such as "nodes" and return its index; fields that are None are left out."""
        entries = self._lists.setdefault(kind, [])
        entries.append({name: value for name, value in fields.items() if value is not None})
        return len(entries) - 1

    def add_accessor(self, array: np.ndarray, target: int | None = None, bounds: bool = False) -> int:
        """Store an array and return the index of its accessor.

        Args:
            array: `[N]`, `[N, 2..4]`, or matrices `[N, 4, 4]` indexed by row and column as in numpy; uint8, uint16,
                uint32 or float32.
            target: `VERTEX_BUFFER`, `INDEX_BUFFER`, or None for data that is neither.
            bounds: State the least and largest values, which positions and times of key frames must.
        """
        kind = ELEMENT_TYPES[array.shape[1:]]
        # Matrices are stored by columns.
        stored = array.swapaxes(1, 2) if kind == "MAT4" else array
        # Every accessor begins at a multiple of four bytes, the largest component's size.
        self._binary += bytes(-len(self._binary) % 4)
        data = np.ascontiguousarray(stored, array.dtype.newbyteorder("<")).tobytes()
        view = self.add("bufferViews", buffer=0, byteOffset=len(self._binary), byteLength=len(data), target=target)
        self._binary += data
        limits = {name: np.atleast_1d(getattr(array, name)(0)).tolist() for name in ("min", "max")} if bounds else {}
        code = COMPONENT_TYPES[array.dtype.str[1:]]
        return self.add("accessors", bufferView=view, componentType=code, count=len(array), type=kind, **limits)

    def to_glb(self, roots: list[int]) -> bytes:
        """Return the bytes of the file, whose scene consists of the nodes `roots` and what hangs below them."""
        scene = {"name": "SesaHand", **({"nodes": roots} if roots else {})}
        binary = bytes(self._binary) + bytes(-len(self._binary) % 4)
        buffers = {"buffers": [{"byteLength": len(binary)}]} if binary else {}
        document = {**self._fields, "scene": 0, "scenes": [scene], **self._lists, **buffers}
        text = json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
        text += b" " * (-len(text) % 4)
        chunks = struct.pack("<I4s", len(text), b"JSON") + text
        if binary:
            chunks += struct.pack("<I4s", len(binary), b"BIN\0") + binary
        return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks
