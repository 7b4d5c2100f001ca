"""Meshes of strangers: read as they were written, and hostile ones refused with a sentence, in a child with bounds."""

import json
import struct
import sys

import numpy as np
import pytest
from hostile import run_limited

from sesahand.errors import InvalidFileError
from sesahand.files import meshes
from sesahand.files.meshes import read_mesh

trimesh = pytest.importorskip("trimesh")


def triangles_of(vertices, faces):
    return np.sort(np.asarray(vertices)[np.asarray(faces)].reshape(len(faces), 9).round(5), 0)


@pytest.mark.parametrize("kind", ["glb", "obj", "ply", "stl"])
def test_triangles_come_back_as_another_program_wrote_them(tmp_path, kind):
    scene = trimesh.Scene()
    moved = trimesh.transformations.translation_matrix([0.1, 0.2, 0.3])
    scene.add_geometry(trimesh.creation.box((0.1, 0.2, 0.3)), transform=moved)
    scene.add_geometry(trimesh.creation.cylinder(0.05, 0.2))
    written = scene if kind in ("glb", "obj") else scene.to_mesh()
    written.export(tmp_path / f"thing.{kind}")
    whole = scene.to_mesh()
    vertices, faces = read_mesh(tmp_path / f"thing.{kind}")
    assert vertices.dtype == np.float64 and faces.dtype == np.int64
    np.testing.assert_allclose(triangles_of(vertices, faces), triangles_of(whole.vertices, whole.faces), atol=2e-5)


def test_an_obj_may_be_indented_and_go_on_in_the_next_line(tmp_path):
    text = "  v 0 0 0\n\tv 1 0 \\\n 0\nv 0 1 0\n  f 1 2\\\r\n 3\nf 3/1 \\ \n2/2 1/3\n"
    (tmp_path / "a.obj").write_bytes(text.encode())
    vertices, faces = read_mesh(tmp_path / "a.obj")
    assert vertices.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]] and faces.tolist() == [[0, 1, 2], [2, 1, 0]]


def test_a_textured_obj_is_read_without_its_other_files(tmp_path):
    (tmp_path / "a.mtl").write_text("newmtl m\nmap_Kd /etc/hostname\n")
    text = "mtllib a.mtl\nusemtl m\no x\nv 0 0 0 1 0 0\nv 1 0 0 1 0 0\nv 0 1 0 1 0 0\nv 0 0 1 1 0 0\nvt 0 0\nvn 0 0 1\n"
    (tmp_path / "a.obj").write_text(text + "f 1/1/1 2/1/1 3/1/1\nf 1//1 4//1 2//1\nf -1 -2 -3\n")
    vertices, faces = read_mesh(tmp_path / "a.obj")
    assert len(faces) == 3 and vertices.max() == 1


def glb(described, binary=b"\0" * 36, claimed=None):
    text = json.dumps(described).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    chunks += struct.pack("<I4s", len(binary) if claimed is None else claimed, b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def triangle(**changes):
    whole = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}],
        "bufferViews": [{"buffer": 0, "byteOffset": 0, "byteLength": 36}],
        "buffers": [{"byteLength": 36}],
    }
    return whole | changes


TRIANGLE = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], "<f4").tobytes()


def test_the_smallest_glb_is_read(tmp_path):
    (tmp_path / "a.glb").write_bytes(glb(triangle(), TRIANGLE))
    vertices, faces = read_mesh(tmp_path / "a.glb")
    assert vertices[faces[0]].tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]


def test_what_a_surface_looks_like_is_not_looked_at(tmp_path):
    """A picture inside could be a bomb, and a name outside could be anything."""
    bomb = triangle(
        images=[{"uri": "file:///etc/hostname"}],
        textures=[{"source": 0}],
        materials=[{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
        skins=[{"joints": [0]}],
        meshes=[{"primitives": [{"attributes": {"POSITION": 0, "TEXCOORD_0": 70}, "material": 9}]}],
    )
    (tmp_path / "a.glb").write_bytes(glb(bomb, TRIANGLE))
    assert len(read_mesh(tmp_path / "a.glb")[1]) == 1


def test_nodes_of_a_glb_are_moved_turned_scaled_and_mirrored_as_another_program_does(tmp_path):
    chance = np.random.default_rng(0)
    scene = trimesh.Scene()
    parent = None
    for k in range(6):
        turn = trimesh.transformations.random_rotation_matrix(chance.random(3))
        size = np.diag([*chance.uniform(0.5, 2, 3) * (1, -1 if k % 2 else 1, 1), 1.0])
        moved = trimesh.transformations.translation_matrix(chance.normal(size=3)) @ turn @ size
        box = trimesh.creation.box(chance.uniform(0.1, 0.3, 3))
        scene.add_geometry(box, node_name=f"node{k}", parent_node_name=parent, transform=moved)
        parent = f"node{k}"
    scene.export(tmp_path / "a.glb")
    vertices, faces = read_mesh(tmp_path / "a.glb")
    whole = scene.to_mesh()
    np.testing.assert_allclose(triangles_of(vertices, faces), triangles_of(whole.vertices, whole.faces), atol=1e-4)
    assert trimesh.Trimesh(vertices, faces).volume == pytest.approx(whole.volume, rel=1e-4)
    assert whole.volume > 0


def test_a_node_of_a_glb_may_say_its_place_in_parts_and_show_a_strip(tmp_path):
    places = (
        np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], "<f4").tobytes()
        + np.array([0, 1, 2, 3, 0], "<u2").tobytes()
    )
    described = triangle(
        nodes=[
            {"mesh": 0, "translation": [1, 2, 3], "rotation": [0, 0, 0.5**0.5, 0.5**0.5], "scale": [2, 1, 1]},
            {"mesh": 0},
        ],
        meshes=[{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1, "mode": 5}]}],
        accessors=[
            {"bufferView": 0, "componentType": 5126, "count": 4, "type": "VEC3"},
            {"bufferView": 1, "componentType": 5123, "count": 4, "type": "SCALAR"},
        ],
        bufferViews=[{"buffer": 0, "byteLength": 48}, {"buffer": 0, "byteOffset": 48, "byteLength": 10}],
    )
    (tmp_path / "a.glb").write_bytes(glb(described, places))
    vertices, faces = read_mesh(tmp_path / "a.glb")
    # A quarter of a turn about z; the second node is in no scene.
    np.testing.assert_allclose(vertices, [[1, 2, 3], [1, 4, 3], [0, 2, 3], [0, 4, 3]], atol=1e-6)
    assert faces.tolist() == [[0, 1, 2], [2, 1, 3]]


@pytest.mark.parametrize("order", ["ascii", "binary_little_endian", "binary_big_endian"])
def test_a_ply_may_hold_more_than_triangles(tmp_path, order):
    header = (
        f"ply\nformat {order} 1.0\ncomment TextureFile /etc/hostname\nelement camera 2\n"
        "property float a\nelement vertex 5\nproperty uchar red\nproperty double z\nproperty double y\n"
        "property float x\nelement face 2\nproperty int flag\nproperty list uchar int vertex_indices\n"
        "property list uchar float uv\nproperty short last\n"
        "element edge 1\nproperty list uchar int of\nend_header\n"
    )
    vertices = [(9, 3.0 + k, 2.0 + k, 1.0 + k) for k in range(5)]
    faces = [(7, [0, 1, 2], [0.5, 0.5], -1), (7, [0, 1, 2, 3, 4], [], -1)]
    if order == "ascii":
        lines = ["0.5", "0.5", *(" ".join(map(str, vertex)) for vertex in vertices)]
        lines += [f"{a} {len(b)} {' '.join(map(str, b))} {len(c)} {' '.join(map(str, c))} {d}" for a, b, c, d in faces]
        body = "\n".join([*lines, "2 0 1", ""]).encode()
    else:
        sign = "<" if "little" in order else ">"
        body = struct.pack(f"{sign}2f", 0.5, 0.5) + b"".join(struct.pack(f"{sign}Bddf", *vertex) for vertex in vertices)
        for a, b, c, d in faces:
            body += struct.pack(f"{sign}iB{len(b)}iB{len(c)}fh", a, len(b), *b, len(c), *c, d)
        body += struct.pack(f"{sign}B2i", 2, 0, 1)
    (tmp_path / "a.ply").write_bytes(header.encode() + body)
    found, triangles = read_mesh(tmp_path / "a.ply")
    assert found.tolist() == [[1.0 + k, 2.0 + k, 3.0 + k] for k in range(5)]
    assert triangles.tolist() == [[0, 1, 2], [0, 1, 2], [0, 2, 3], [0, 3, 4]]


def ascii_ply(elements, body=""):
    return f"ply\nformat ascii 1.0\n{elements}end_header\n{body}".encode()


PLACES = "property float x\nproperty float y\nproperty float z\n"
CORNERS = "property list uchar int vertex_indices\n"
WIDE = "property list uint int vertex_indices\n"
BINARY_PLY = (
    f"ply\nformat binary_little_endian 1.0\nelement vertex 3\n{PLACES}element face 1\n{WIDE}end_header\n".encode()
)
ONE_FACE = ascii_ply(f"element vertex 1\n{PLACES}element face 1\n{CORNERS}", "BODY")
SOLID = (
    "solid\nfacet normal 0 0 1\nouter loop\nvertex 0 0 {}\nvertex 1 0 0\nVERTEX 0 1 0\nendloop\nendfacet\nendsolid\n"
)

HOSTILE = {
    "empty.glb": b"",
    "empty.ply": b"",
    "empty.obj": b"",
    "empty.stl": b"",
    "noise.glb": bytes(range(256)) * 40,
    "noise.stl": bytes(range(256)) * 40,
    "claims.glb": glb(triangle(), b"", 1 << 31),
    "many.glb": glb(triangle(accessors=[{"bufferView": 0, "componentType": 5126, "count": 10**9, "type": "VEC3"}])),
    "past.glb": glb(triangle(bufferViews=[{"buffer": 0, "byteOffset": 30, "byteLength": 36}])),
    "nothing.glb": glb(triangle(accessors=[{"componentType": 5126, "count": 600_000, "type": "VEC3"}])),
    "elsewhere.glb": glb(triangle(buffers=[{"byteLength": 36, "uri": "http://example.com/x.bin"}])),
    "circle.glb": glb(triangle(nodes=[{"children": [1]}, {"children": [0], "mesh": 0}])),
    "itself.glb": glb(triangle(nodes=[{"children": [0], "mesh": 0}])),
    "parents.glb": glb(triangle(nodes=[{"children": [1, 2]}, {"children": [2]}, {"mesh": 0}])),
    "copies.glb": glb(
        triangle(
            nodes=[{"mesh": 0}] * 4000,
            scenes=[],
            accessors=[{"bufferView": 0, "componentType": 5126, "count": 3000, "type": "VEC3"}],
            bufferViews=[{"buffer": 0, "byteOffset": 0, "byteLength": 36000}],
        ),
        bytes(36000),
    ),
    "chain.glb": glb(triangle(nodes=[{"children": [k + 1]} for k in range(4000)] + [{"mesh": 0}]), TRIANGLE),
    "parts.glb": glb(triangle(meshes=[{"primitives": [{"attributes": {"POSITION": 0}}] * 5000}]), TRIANGLE),
    "packed.glb": glb(triangle(extensionsRequired=["KHR_draco_mesh_compression"])),
    "mesh.glb": glb(triangle(nodes=[{"mesh": 7}])),
    "types.glb": glb(triangle(nodes=7, meshes={"a": 1})),
    "nan.glb": glb(triangle(), np.array([np.nan, *[0.0] * 8], "<f4").tobytes()),
    "points.glb": glb(triangle(meshes=[{"primitives": [{"attributes": {"POSITION": 0}, "mode": 0}]}])),
    "claims.ply": ascii_ply(f"element vertex 999999999\n{PLACES}"),
    "digits.ply": ascii_ply(f"element vertex {10**30}\n{PLACES}"),
    "corners.ply": BINARY_PLY + bytes(36) + struct.pack("<I", 2**31 - 1) + bytes(12),
    "outside.ply": ascii_ply(f"element vertex 1\n{PLACES}element face 1\n{CORNERS}", "0 0 0\n3 5 6 7\n"),
    "points.ply": ascii_ply(f"element vertex 1\n{PLACES}", "0 0 0\n"),
    "claims.stl": bytes(80) + struct.pack("<I", 2**32 - 1) + bytes(50),
    "many.obj": b"v 0 0 0\n" * 3 + b"f 1 2 3\n" * 200_001,
    "wide.obj": b"v 0 0 0\n" * 3 + b"f" + b" 1 2 3" * 100_000,
    "outside.obj": b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n",
    "words.obj": b"v a b c\nf x y z\n",
    "faces.obj": b"f 1\n" * 8_000_000,
    "solids.stl": SOLID.upper().format(0).encode() * 200_001,
    # What another parser would take for ends of lines, words or headers.
    "tab.ply": ONE_FACE.replace(b"BODY", b"0" + b"\x0b" * 2**24 + b"\n"),
    "format.ply": ONE_FACE.replace(b"format", b"FORMAT").replace(b"BODY", b"\n" * 2**24),
    "end.ply": ONE_FACE.replace(b"end_header", b"end_headerx").replace(b"BODY", b"end_header\n"),
    "element.ply": ONE_FACE.replace(b"element vertex 1", b"element vertex 1\nxelement vertex 9000000"),
    "return.ply": ONE_FACE.replace(b"element vertex 1", b"comment\relement vertex 9000000\nelement vertex 1"),
    "words.ply": ONE_FACE.replace(b"BODY", b"1 " * 2**24 + b"\n" + b"2**24 " + b"1 " * 2**24),
    "lists.ply": BINARY_PLY.replace(b"vertex_", b"other_").replace(WIDE.encode(), 64 * b"property list uchar int a\n"),
    "polygon.ply": BINARY_PLY.replace(b"uint int", b"uint uchar") + bytes(36) + struct.pack("<I", 2**24) + bytes(2**24),
    "one_line.obj": b"v 0 0 0\nv 0 1 0\nv 1 0 0\nf 1 2 3\nf " + b"1\x1c" * 2**24,
    "polygon.obj": b"v 0 0 0\nv 0 1 0\nv 1 0 0\nf 1 2 3\nf " + b"11 " * 2**23,
    "continued.obj": b"\\\n" * 2**24,
    "digits.obj": b"v 0 0 " + b"1" * 2**24 + b"\nf 1 1 1\n",
    "hidden.stl": b"solid\nvertex 0 0 0 1 0 0 0 1 0\nendsol\xffid\n"
    + b"sol\xffid\nver\xfftex 0 0 0\nendsol\xffid\n" * 9**5,
    "sparse.glb": glb(triangle(accessors=[{**triangle()["accessors"][0], "sparse": {}}]), TRIANGLE),
    "bytes.glb": glb(triangle(accessors=[{**triangle()["accessors"][0], "componentType": 5120}]), TRIANGLE),
    "turned.glb": glb(triangle(nodes=[{"mesh": 0, "rotation": [1, "a", {}, None]}]), TRIANGLE),
    "far.glb": glb(triangle(nodes=[{"mesh": 0, "scale": [1e200, 1e200, 10**400]}]), TRIANGLE),
}
STRIDED = {"bufferView": 0, "componentType": 5121, "count": 10**6, "type": "VEC4"}
LAVISH = {
    "views.glb": glb(
        triangle(
            nodes=[{"mesh": 0}],
            meshes=[{"primitives": [{"attributes": {"POSITION": n}} for n in range(1000)]}],
            accessors=[{"bufferView": n, "componentType": 5126, "count": 3, "type": "VEC3"} for n in range(1000)],
            bufferViews=[{"buffer": 0, "byteOffset": 0, "byteLength": 1 << 20}] * 1000,
        ),
        bytes(1 << 20),
    ),
    "strides.glb": glb(
        triangle(
            accessors=[*triangle()["accessors"], *[STRIDED | {"bufferView": 1}] * 300],
            bufferViews=[*triangle()["bufferViews"], {"buffer": 0, "byteLength": 10**6 + 3, "byteStride": 1}],
        ),
        TRIANGLE + bytes(10**6),
    ),
    "unused.glb": glb(
        triangle(
            meshes=[*triangle()["meshes"], *[{"primitives": [{"attributes": {"POSITION": 1}}]}] * 600],
            accessors=[*triangle()["accessors"], triangle()["accessors"][0] | {"bufferView": 1, "count": 600_000}],
            bufferViews=[*triangle()["bufferViews"], {"buffer": 0, "byteLength": 7_200_000}],
        ),
        TRIANGLE + bytes(7_200_000),
    ),
    "tail.ply": ascii_ply(
        f"element vertex 3\n{PLACES}element face 1\n{CORNERS}", "0 0 0\n1 0 0\n\n0 1 0\n3 0 1 2\n" + "\n" * 2**23
    ),
    "solids.stl": "".join(SOLID.format(k) for k in range(20_000)).encode(),
}


def refusals(folder):
    """Return how reading each file of a folder ends; all in one child."""
    ended = {}
    for path in sorted(folder.iterdir()):
        sys.stderr.write(f"{path.name}\n")
        try:
            ended[path.name] = ("read", str(len(read_mesh(path)[1])))
        except Exception as error:
            ended[path.name] = (type(error).__name__, str(error))
    return ended


def test_hostile_meshes_are_refused_with_a_sentence_each(tmp_path):
    for name, data in HOSTILE.items():
        (tmp_path / name).write_bytes(data)
    ended = run_limited(refusals, tmp_path, megabytes=700, seconds=60).returned()
    assert set(ended) == set(HOSTILE)
    for name, (kind, said) in ended.items():
        assert kind == "InvalidFileError", f"{name} ended with {kind}: {said}"
        assert said.startswith(repr(name)) and said.endswith(".") and len(said) < 420


@pytest.mark.parametrize("name", LAVISH)
def test_what_shows_no_triangle_costs_nothing(tmp_path, name):
    (tmp_path / name).write_bytes(LAVISH[name])
    ended = run_limited(refusals, tmp_path, megabytes=500, seconds=20).returned()
    assert ended == {name: ("read", {"solids.stl": "20000", "views.glb": "1000"}.get(name, "1"))}


def test_links_other_names_and_large_files_are_refused(tmp_path, monkeypatch):
    (tmp_path / "a.glb").write_bytes(glb(triangle(), TRIANGLE))
    (tmp_path / "link.glb").symlink_to(tmp_path / "a.glb")
    (tmp_path / "a.txt").write_bytes(b"")
    for name, why in (("link.glb", "a link"), ("a.txt", "no mesh by its name"), ("gone.stl", "cannot be read")):
        with pytest.raises(InvalidFileError, match=why):
            read_mesh(tmp_path / name)
    monkeypatch.setattr(meshes, "MAX_MESH_BYTES", 100)
    with pytest.raises(InvalidFileError, match="larger than"):
        read_mesh(tmp_path / "a.glb")
