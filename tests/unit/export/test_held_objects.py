"""Objects in files for 3D programs, static and animated, against where the scene has them."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from glb_reader import Glb
from gltf_validator import NoValidator, validate
from three import NoThree, show_in_three

from sesahand.errors import SesaHandError
from sesahand.export.files import write_hands
from sesahand.export.formats import FORMATS, MeshSettings
from sesahand.export.posed_hands import posed_glb
from sesahand.export.rigged_hand import rigged_glb
from sesahand.hands.gestures import gesture
from sesahand.hands.loading import load_hand_model
from sesahand.hands.object_mesh import ObjectMesh
from sesahand.hands.rotations import axis_angle_to_matrix
from sesahand.scene.camera import Camera
from sesahand.scene.hand_scene import concatenate_frames
from sesahand.scene.held_object import HeldObject
from sesahand.scene.holding import held_surfaces
from sesahand.scene.placing import Hand, place_pair
from sesahand.scene.scene_files import load_scene

CAMERA = Camera.from_fov(320, 240, 45.0)
EXACT = 2e-6
FPS = 24.0
WEDGE = ObjectMesh(
    "my wedge.stl",
    torch.tensor([[0.0, 0, -0.05], [0.04, 0, -0.05], [0, 0.03, -0.05], [0, 0, 0.05]]),
    torch.tensor([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]]),
)


def held(kind, hand, size=1.0, mesh=None, seed=0):
    random = torch.Generator().manual_seed(seed)
    turn = axis_angle_to_matrix(3 * torch.rand(3, generator=random) - 1)
    return HeldObject(kind, hand, 0.1 * torch.rand(3, generator=random), turn, size, mesh)


def pair(objects=(), name="ok", **turn):
    hands = place_pair(Hand(load_hand_model(), gesture(name)), CAMERA, (20, 20, 300, 220), **turn)
    return replace(hands, objects=objects)


@pytest.fixture(scope="module")
def still():
    return pair((held("tool", 0, 0.8), held("cup", 1, 1.2, WEDGE, seed=1)), roll=30.0, yaw=20.0)


@pytest.fixture(scope="module")
def moving():
    """The right hand holds a cup that grows, lets go, and takes a pen; the left one a wedge that it turns."""
    frames = [
        pair((held("cup", 0), held("cup", 1, 1.0, WEDGE))),
        pair((held("cup", 0, 1.2, seed=2), held("cup", 1, 1.0, WEDGE, seed=3)), "fist", roll=30.0),
        pair((held("cup", 1, 1.0, WEDGE, seed=4),), yaw=40.0),
        pair((held("pen", 0, seed=5), held("cup", 1, 1.0, WEDGE, seed=6))),
    ]
    return concatenate_frames(frames)


def expected(scene):
    """Return the name of each object with its vertices `[V, 3]` in the frame of a file: y up."""
    surfaces = held_surfaces(scene, scene.pose().keypoints)
    return [
        (f"{scene.side[each.hand]}_hand_{each.name}", vertices.double().numpy() * [1, -1, -1])
        for each, vertices, _ in surfaces
    ]


@pytest.mark.parametrize("write", [posed_glb, rigged_glb])
def test_a_still_glb_has_each_object_where_the_scene_has_it(still, write):
    glb = Glb(write(still))
    for name, vertices in expected(still):
        assert np.abs(glb.posed(name) - vertices).max() < EXACT
    assert [mesh["name"] for mesh in glb.entries("meshes") if "hand" not in mesh["name"]] == ["tool", "my wedge.stl"]
    assert [material["name"] for material in glb.entries("materials")].count("held_object") == 1


def test_an_animation_carries_objects_through_the_frames_and_hides_them(moving):
    glb = Glb(rigged_glb(moving, FPS))
    names = ["right_hand_cup", "right_hand_pen", "left_hand_my wedge.stl"]
    for frame in range(moving.num_frames):
        at = dict(expected(moving.select_frames([frame])))
        moved = glb.at(frame / FPS)
        for name in names:
            shown = glb.posed(name, moved)
            if name in at:
                assert np.abs(shown - at[name]).max() < 2 * EXACT, (frame, name)
            else:
                assert np.ptp(shown, 0).max() < 1e-9, f"{name} is seen in frame {frame}"
    assert len(glb.entries("meshes")) == 2 + 3


def test_a_scene_without_objects_is_written_as_before(still):
    bare = replace(still, objects=())
    for write in (posed_glb, rigged_glb):
        document = Glb(write(bare)).document
        assert "held" not in str(document["materials"]) and len(document["meshes"]) == 2


@pytest.mark.parametrize("name", FORMATS)
def test_trimesh_finds_hands_and_objects_in_every_format(still, name):
    trimesh = pytest.importorskip("trimesh")
    if name == "glb rigged":
        # It shows skins in their bind pose.
        still = replace(still, side=("right", "right")).select([0])
    data = FORMATS[name].write(still, MeshSettings())
    loaded = trimesh.load(io.BytesIO(data), file_type=FORMATS[name].ending, process=False)
    mesh = loaded.to_mesh() if isinstance(loaded, trimesh.Scene) else loaded
    found = np.asarray(mesh.vertices)
    for title, vertices in expected(still):
        near = np.abs(found[:, None] - vertices[None, ::17]).sum(-1).min(0)
        assert near.max() < 1e-5, title
    assert mesh.volume > 0


def test_parameters_beside_the_file_hold_the_objects(still, tmp_path, caplog):
    *_, parameters = write_hands(still, tmp_path / "hands.obj", "obj")
    assert load_scene(parameters, still.model).to_json() == still.to_json() and "Without" not in caplog.text


def test_a_validator_finds_nothing_wrong(still, moving, tmp_path):
    files = write_hands(still, tmp_path / "posed.glb", "glb posed", parameters="none")
    files += write_hands(still, tmp_path / "rigged.glb", parameters="none")
    files += write_hands(moving, tmp_path / "moving.glb", parameters="none")
    try:
        reports = validate(files)
    except NoValidator as reason:
        pytest.skip(str(reason))
    for file, report in zip(files, reports, strict=True):
        assert report["numErrors"] == report["numWarnings"] == 0, (file.name, report["messages"][:3])


def test_three_js_shows_objects_where_the_scene_has_them(moving):
    try:
        shown = show_in_three(rigged_glb(moving, FPS), (320, 240), 1 / FPS)["meshes"]
    except NoThree as reason:
        pytest.skip(str(reason))
    for name, vertices in expected(moving.select_frames([1])):
        # It has no spaces and dots in names.
        found = np.array(shown[name.replace(" ", "_").replace(".", "")])
        assert np.abs(found - vertices).max() < 1e-5


@pytest.mark.parametrize("format", FORMATS)
def test_very_many_faces_are_refused_before_they_are_placed(still, tmp_path, monkeypatch, format):
    """A small file may let all of its hands share one large mesh."""
    faces = sum(each.num_faces for each in still.objects)
    monkeypatch.setattr("sesahand.export.files.MAX_OBJECT_FACES", faces)
    path = tmp_path / f"hands.{FORMATS[format].ending}"
    assert write_hands(still, path, format)
    monkeypatch.setattr("sesahand.export.files.MAX_OBJECT_FACES", faces - 1)
    monkeypatch.setattr(HeldObject, "surface", None)
    with pytest.raises(SesaHandError, match=f"has {faces} faces"):
        write_hands(still, path, format)
