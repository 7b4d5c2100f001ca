"""What a GLB file shows, worked out from its bytes with numpy alone: the specification step by step, no shortcuts."""

import json
import struct

import numpy as np

COMPONENTS = {5121: "<u1", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
SIZES = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Glb:
    """A file read back; `document` is its JSON."""

    def __init__(self, data: bytes):
        magic, version, length = struct.unpack_from("<4sII", data)
        assert (magic, version, length) == (b"glTF", 2, len(data))
        chunks, offset = {}, 12
        while offset < length:
            size, kind = struct.unpack_from("<I4s", data, offset)
            chunks[kind] = data[offset + 8 : offset + 8 + size]
            offset += 8 + size
        self.document = json.loads(chunks[b"JSON"])
        self.binary = chunks.get(b"BIN\0", b"")

    def entries(self, kind: str) -> list[dict]:
        return self.document.get(kind, [])

    def array(self, accessor: int) -> np.ndarray:
        """Return an accessor's values, floats as float64, `[N, size]`."""
        entry = self.document["accessors"][accessor]
        view = self.document["bufferViews"][entry["bufferView"]]
        values = np.frombuffer(
            self.binary, COMPONENTS[entry["componentType"]], entry["count"] * SIZES[entry["type"]], view["byteOffset"]
        ).reshape(entry["count"], -1)
        return values.astype(np.float64) if values.dtype.kind == "f" else values

    def node(self, name: str) -> int:
        [index] = [i for i, node in enumerate(self.entries("nodes")) if node.get("name") == name]
        return index

    def transforms(self, moved: dict | None = None) -> list[np.ndarray]:
        """Return the global transform of every node, with some of their properties replaced by `moved`."""
        nodes = [{**node, **(moved or {}).get(i, {})} for i, node in enumerate(self.entries("nodes"))]
        parents = {child: i for i, node in enumerate(nodes) for child in node.get("children", [])}
        local = [local_transform(node) for node in nodes]

        def follow(index: int) -> np.ndarray:
            return local[index] if index not in parents else follow(parents[index]) @ local[index]

        return [follow(index) for index in range(len(nodes))]

    def at(self, seconds: float) -> dict[int, dict]:
        """Return the properties that the first animation gives its nodes at a time."""
        animation = self.document["animations"][0]
        moved = {}
        for channel in animation["channels"]:
            sampler = animation["samplers"][channel["sampler"]]
            times, values = self.array(sampler["input"])[:, 0], self.array(sampler["output"])
            after = int(np.searchsorted(times, seconds, "right"))
            first, last = max(after - 1, 0), min(after, len(times) - 1)
            share = 0.0 if first == last else (seconds - times[first]) / (times[last] - times[first])
            share = 0.0 if sampler["interpolation"] == "STEP" else np.clip(share, 0, 1)
            value = slerp(values[first], values[last], share) if channel["target"]["path"] == "rotation" else (
                (1 - share) * values[first] + share * values[last]
            )  # fmt: skip
            moved.setdefault(channel["target"]["node"], {})[channel["target"]["path"]] = value
        return moved

    def posed(self, name: str, moved: dict | None = None) -> np.ndarray:
        """Return the vertices of a mesh's node in the scene: morphed, then skinned or transformed."""
        transforms = self.transforms(moved)
        node = self.entries("nodes")[self.node(name)]
        mesh = self.entries("meshes")[node["mesh"]]
        [primitive] = mesh["primitives"]
        vertices = self.array(primitive["attributes"]["POSITION"])
        for weight, target in zip(mesh.get("weights", []), primitive.get("targets", []), strict=True):
            vertices = vertices + weight * self.array(target["POSITION"])
        vertices = np.concatenate([vertices, np.ones((len(vertices), 1))], 1)
        if "skin" not in node:
            return (vertices @ transforms[self.node(name)].T)[:, :3]
        skin = self.entries("skins")[node["skin"]]
        inverse = self.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
        matrices = np.stack([transforms[joint] @ bind for joint, bind in zip(skin["joints"], inverse, strict=True)])
        joints, weights = (self.array(primitive["attributes"][key]) for key in ("JOINTS_0", "WEIGHTS_0"))
        return np.einsum("vk,vkab,vb->va", weights, matrices[joints], vertices)[:, :3]

    def triangles(self, name: str) -> np.ndarray:
        """Return the triangles `[T, 3]` of the mesh of a node."""
        [primitive] = self.entries("meshes")[self.entries("nodes")[self.node(name)]["mesh"]]["primitives"]
        return self.array(primitive["indices"]).reshape(-1, 3).astype(int)


def local_transform(node: dict) -> np.ndarray:
    x, y, z, w = node.get("rotation", (0, 0, 0, 1))
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * np.asarray(node.get("scale", (1, 1, 1)))
    matrix[:3, 3] = node.get("translation", (0, 0, 0))
    return matrix


def slerp(first: np.ndarray, last: np.ndarray, share: float) -> np.ndarray:
    cosine = float(first @ last)
    last, cosine = (last, cosine) if cosine >= 0 else (-last, -cosine)
    angle = np.arccos(min(cosine, 1.0))
    if angle < 1e-6:
        return first
    return (np.sin((1 - share) * angle) * first + np.sin(share * angle) * last) / np.sin(angle)
