"""Posed GLB, OBJ and PLY, read by trimesh and by hand, against the posed hands; and how files are written."""

import io

import numpy as np
import pytest
import torch
from glb_reader import Glb

from sesahand.errors import SesaHandError
from sesahand.export.files import write_hands
from sesahand.export.formats import FORMATS
from sesahand.export.posed_hands import posed_glb, posed_obj, posed_ply
from sesahand.hands.gestures import gesture
from sesahand.hands.loading import load_hand_model
from sesahand.render.shading import SIDE_COLORS
from sesahand.scene.camera import Camera
from sesahand.scene.hand_scene import HandScene, concatenate_frames
from sesahand.scene.placing import Hand, place_pair
from sesahand.scene.scene_files import load_scene

CAMERA = Camera.from_fov(640, 480, 45.0)
Y_UP = np.array([1.0, -1.0, -1.0])


@pytest.fixture(scope="module")
def pair():
    hand = Hand(load_hand_model(), gesture("ok"), torch.linspace(-1, 1, 10))
    return place_pair(hand, CAMERA, (20, 40, 600, 440), roll=20.0, yaw=40.0)


@pytest.fixture(scope="module")
def expected(pair):
    return pair.pose().vertices.numpy() * Y_UP.astype(np.float32)


def read_obj(data: bytes) -> list[dict]:
    """Return the objects of OBJ text: vertices, and the vertex, texture and normal of each face's corners."""
    vertices, textures, normals, objects = [], [], [], []
    for words in (line.split() for line in data.decode().splitlines() if line and not line.startswith("#")):
        kind, values = words[0], words[1:]
        if kind == "o":
            objects.append({"name": values[0], "faces": []})
        elif kind == "f":
            objects[-1]["faces"].append([[int(part or 0) for part in corner.split("/")] for corner in values])
        else:
            {"v": vertices, "vt": textures, "vn": normals}[kind].append([float(value) for value in values])
    arrays = np.array(vertices), np.array(textures), np.array(normals)
    for entry in objects:
        indices = np.array(entry.pop("faces")) - 1
        entry["corners"] = [array[indices[..., k]] for k, array in enumerate(arrays)]
        entry["vertices"] = arrays[0][indices[..., 0].min() : indices[..., 0].max() + 1]
    return objects


def test_obj_has_every_bit_of_the_vertices_in_the_models_order(pair, expected):
    right, left = read_obj(posed_obj(pair))
    assert (right["name"], left["name"]) == ("right_hand", "left_hand")
    for entry, vertices, side in zip((right, left), expected, ("right", "left"), strict=True):
        assert np.array_equal(entry["vertices"][:, :3].astype(np.float32), vertices)
        assert np.allclose(entry["vertices"][:, 3:], SIDE_COLORS[side], atol=1e-6)
        places, textures, normals = entry["corners"]
        faces = pair.model.faces_for(side, closed=True).numpy()
        assert np.array_equal(places[..., :3].astype(np.float32), vertices[faces])
        across = np.cross(places[:, 1, :3] - places[:, 0, :3], places[:, 2, :3] - places[:, 0, :3])
        assert ((across[:, None] * normals).sum(-1) > 0).mean() > 0.99
        rows = pair.model.uv_faces[: pair.model.num_hand_faces]
        rows = rows if side == "right" else rows[:, [0, 2, 1]]
        assert np.abs(textures[: len(rows)] - pair.model.uv[rows].numpy()).max() < 1e-6


@pytest.mark.parametrize("kind", ["glb", "obj", "ply"])
def test_trimesh_reads_closed_hands_of_the_right_volume_and_place(pair, expected, kind):
    trimesh = pytest.importorskip("trimesh")
    write = {"glb": posed_glb, "obj": posed_obj, "ply": posed_ply}[kind]
    loaded = trimesh.load(io.BytesIO(write(pair)), file_type=kind, process=False)
    mesh = loaded.to_mesh() if isinstance(loaded, trimesh.Scene) else loaded
    mesh.merge_vertices(merge_tex=True, merge_norm=True)
    parts = mesh.split(only_watertight=False)
    assert len(parts) == 2 and mesh.is_watertight and mesh.is_winding_consistent
    assert np.abs(mesh.bounds - [expected.min((0, 1)), expected.max((0, 1))]).max() < 1e-6
    volumes = [
        trimesh.Trimesh(vertices, pair.model.faces_for(side, closed=True).numpy(), process=False).volume
        for vertices, side in zip(expected, pair.side, strict=True)
    ]
    assert np.allclose(sorted(part.volume for part in parts), sorted(volumes), rtol=1e-3) and min(volumes) > 0


def test_ply_has_normals_texture_coordinates_and_colours(pair, expected):
    data = posed_ply(pair)
    header, body = data.split(b"end_header\n", 1)
    names = [
        line.split()[-1].decode()
        for line in header.splitlines()
        if line.startswith(b"property") and b"list" not in line
    ]
    assert names == ["x", "y", "z", "nx", "ny", "nz", "s", "t", "red", "green", "blue"]
    count = int(header.split(b"element vertex ")[1].split()[0])
    kinds = [(name, "<f4" if name not in ("red", "green", "blue") else "u1") for name in names]
    rows = np.frombuffer(body, kinds, count)
    hand = pair.model.num_hand_vertices
    found = np.stack([rows["x"], rows["y"], rows["z"]], 1)
    assert np.array_equal(found[:hand], expected[0])
    assert np.array_equal(found[count // 2 : count // 2 + hand], expected[1])
    assert np.allclose(rows["nx"] ** 2 + rows["ny"] ** 2 + rows["nz"] ** 2, 1, atol=1e-5)
    assert rows["red"][0] == round(255 * SIDE_COLORS["right"][0]) and rows["blue"][-1] > rows["red"][-1]


@pytest.mark.parametrize("write", [posed_obj, posed_ply])
def test_text_says_the_hand_model_the_licence_and_the_units(pair, write):
    head = write(pair)[:600].decode("latin1")
    assert "sesahand-cc0" in head and pair.model.licence[:20] in head and "metres" in head


def test_the_posed_glb_is_exact_too(pair, expected):
    glb = Glb(posed_glb(pair))
    for vertices, name in zip(expected, ("right_hand", "left_hand"), strict=True):
        assert np.array_equal(glb.posed(name)[: len(vertices)].astype(np.float32), vertices)
    assert not glb.entries("skins")


def test_frames_of_still_formats_are_files_of_their_own(pair, tmp_path):
    scene = concatenate_frames([pair, HandScene.empty(pair.model, CAMERA), pair.select([1])])
    for format, known in FORMATS.items():
        folder = tmp_path / format
        folder.mkdir()
        done = []
        path = folder / f"a_00001_.{known.ending}"
        *meshes, parameters = write_hands(scene, path, format, parameters="npz", on_file=done.append)
        assert done == list(range(1, len(meshes) + 1))
        assert parameters.name == "a_00001_.npz"
        assert torch.equal(load_scene(parameters).hand_pose, scene.hand_pose)
        numbers = [""] if known.animated else ["f0000", "f0001", "f0002"]
        assert [mesh.name for mesh in meshes] == [f"a_00001_{number}.{known.ending}" for number in numbers]
        assert sorted(folder.iterdir()) == sorted([*meshes, parameters])
    last = read_obj((tmp_path / "obj" / "a_00001_f0002.obj").read_bytes())
    assert [entry["name"] for entry in last] == ["left_hand"]


@pytest.mark.parametrize("format", FORMATS)
def test_no_hands_are_a_file_that_can_be_read(pair, tmp_path, format):
    path = tmp_path / f"none.{FORMATS[format].ending}"
    assert write_hands(HandScene.empty(pair.model, CAMERA), path, format, parameters="none") == [path]
    if path.suffix == ".glb":
        assert [node["name"] for node in Glb(path.read_bytes()).entries("nodes")] == ["camera", "SesaHand"]
    elif path.suffix == ".ply":
        assert b"element vertex 0\n" in path.read_bytes()
    else:
        assert all(line.startswith("#") for line in path.read_text().splitlines())


def test_wrong_formats_endings_names_and_folders_are_refused(pair, tmp_path):
    for path, format, parameters, message in (
        (tmp_path / "a.glb", "fbx", "none", "glb rigged"),
        (tmp_path / "a.glb", "obj", "none", "ends in .obj"),
        (tmp_path / "a.glb", "glb posed", "pickle", "json, npz, none"),
        (tmp_path / "CON.glb", "glb posed", "none", "device"),
        (tmp_path / "missing" / "a.glb", "glb posed", "none", "folder that exists"),
    ):
        with pytest.raises(SesaHandError, match=message):
            write_hands(pair, path, format, parameters=parameters)
    assert list(tmp_path.iterdir()) == []
