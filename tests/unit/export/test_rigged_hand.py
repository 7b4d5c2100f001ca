"""Rigged GLBs, read back by the specification, against the hands' own posing."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from glb_reader import Glb
from gltf_validator import NoValidator, validate
from mano_fixture import write_mano

from sesahand.errors import SesaHandError
from sesahand.export.files import write_hands
from sesahand.export.formats import BONES, UNTURNED
from sesahand.export.rig import hand_tracks
from sesahand.export.rigged_hand import rigged_glb
from sesahand.hands.gestures import gesture, gesture_names
from sesahand.hands.loading import load_hand_model
from sesahand.hands.rotations import axis_angle_to_matrix, matrix_to_axis_angle, matrix_to_quaternion
from sesahand.hands.skeleton import MANO_JOINTS, MANO_PARENTS
from sesahand.scene.camera import Camera
from sesahand.scene.hand_scene import HandScene, combine, concatenate_frames
from sesahand.scene.placing import Hand, mirror_hand, place_in_box, place_pair
from sesahand.scene.scene_files import scene_from_json

CAMERA = Camera.from_fov(640, 480, 45.0)
Y_UP = np.array([1.0, -1.0, -1.0])
# What the file has to keep: float32 on a hand about a metre away.
EXACT = 2e-6


@pytest.fixture(scope="module")
def model():
    return load_hand_model()


@pytest.fixture(scope="module")
def mano(tmp_path_factory):
    return load_hand_model(write_mano(tmp_path_factory.mktemp("mano")))


def placed(model, name="ok", side="right", seed=0, betas=True):
    """Return a scene with a hand of some shape, turned somehow."""
    random = torch.Generator().manual_seed(seed)
    hand = Hand(model, gesture(name), torch.randn(10, generator=random) if betas else None)
    hand = hand if side == "right" else mirror_hand(hand)
    roll, pitch, yaw = (torch.rand(3, generator=random) * 360).tolist()
    return place_in_box(hand, CAMERA, (150, 80, 450, 420), roll, pitch, yaw)


def posed_by_scene(scene, hand=0):
    return scene.pose().vertices[hand].double().numpy() * Y_UP


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("name", gesture_names())
def test_the_skin_posed_by_its_joints_is_the_posed_hand(model, name, side):
    scene = placed(model, name, side)
    glb = Glb(rigged_glb(scene))
    found = glb.posed(f"{side}_hand")[: model.num_hand_vertices]
    assert np.abs(found - posed_by_scene(scene)).max() < EXACT
    assert glb.document["asset"]["extras"]["sesahand"]["largest_error_m"] < 1e-6


def test_the_triangles_are_the_models_and_copies_along_seams_lie_on_their_originals(model):
    scene = placed(model)
    glb = Glb(rigged_glb(scene))
    corners = glb.posed("right_hand")[glb.triangles("right_hand")]
    expected = posed_by_scene(scene)[model.faces_for("right", closed=True).numpy()]
    assert corners.shape == expected.shape and np.abs(corners - expected).max() < EXACT


@pytest.mark.parametrize("side", ["right", "left"])
def test_its_faces_are_closed_and_wound_outwards(model, side):
    trimesh = pytest.importorskip("trimesh")
    scene = placed(model, "fist", side)
    glb = Glb(rigged_glb(scene))
    mesh = trimesh.Trimesh(glb.posed(f"{side}_hand"), glb.triangles(f"{side}_hand"), process=False)
    mesh.merge_vertices(merge_tex=True, merge_norm=True)
    assert mesh.is_watertight and mesh.is_winding_consistent
    reference = trimesh.Trimesh(posed_by_scene(scene), model.faces_for(side, closed=True).numpy(), process=False)
    assert mesh.volume > 0 and abs(mesh.volume - reference.volume) < 1e-4 * reference.volume


def test_normals_point_out_of_the_surface_and_the_cap_has_its_own(model):
    glb = Glb(rigged_glb(placed(model)))
    [primitive] = glb.entries("meshes")[0]["primitives"]
    vertices, normals = (glb.array(primitive["attributes"][key]) for key in ("POSITION", "NORMAL"))
    triangles = glb.triangles("right_hand")
    a, b, c = vertices[triangles].transpose(1, 0, 2)
    across = np.cross(b - a, c - a)
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    agreement = (normals[triangles] * across[:, None]).sum(-1)
    assert np.median(agreement) > 0.97 and (agreement > 0).mean() > 0.999
    cap = agreement[model.num_hand_faces :]
    assert len(cap) == 18 and (cap > 0.95).all()
    assert np.allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)


def test_texture_coordinates_are_the_models_with_the_origin_at_the_upper_left(model):
    for side in ("right", "left"):
        glb = Glb(rigged_glb(placed(model, side=side)))
        [primitive] = glb.entries("meshes")[0]["primitives"]
        uv = glb.array(primitive["attributes"]["TEXCOORD_0"])
        rows = model.uv_faces[: model.num_hand_faces]
        rows = rows if side == "right" else rows[:, [0, 2, 1]]
        expected = model.uv[rows].double().numpy() * [1, -1] + [0, 1]
        triangles = glb.triangles(f"{side}_hand")
        assert np.abs(uv[triangles[: len(rows)]] - expected).max() < 1e-6
        assert uv.min() >= 0 and uv.max() <= 1


def bind_matrices(glb):
    """Return the bones' matrices in the bind pose `[16, 4, 4]`, as a reader of the file finds them."""
    [skin] = glb.entries("skins")
    return np.linalg.inv(glb.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1))


def of_joints(glb):
    return glb.entries("skins")[0]["joints"]


@pytest.mark.parametrize("bones", BONES)
@pytest.mark.parametrize("side", ["right", "left"])
def test_joints_have_manos_names_order_and_parents_and_the_side(model, side, bones):
    scene = placed(model, side=side)
    glb = Glb(rigged_glb(scene, bones=bones))
    nodes, joints = glb.entries("nodes"), of_joints(glb)
    assert [nodes[joint]["name"] for joint in joints] == [f"{side}_{name}" for name in MANO_JOINTS]
    parents = {child: i for i, node in enumerate(nodes) for child in node.get("children", [])}
    for joint, parent in enumerate(MANO_PARENTS[1:], start=1):
        assert parents[joints[joint]] == joints[parent]
    rest = model.joint_template + model.joint_shapedirs @ scene.betas[0]
    rest = (rest - rest[0]).numpy() * [1 if side == "right" else -1, 1, 1]
    assert np.abs(bind_matrices(glb)[:, :3, 3] - rest).max() < 1e-6
    # Keypoints of the posed hand that are joints, through OpenPose's order: wrist, then index1.
    places = np.stack([matrix[:3, 3] for matrix in glb.transforms()])[joints]
    keypoints = scene.pose().keypoints[0].double().numpy() * Y_UP
    assert np.abs(places[[0, 1, 4, 10, 7]] - keypoints[[0, 5, 9, 13, 17]]).max() < EXACT


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("bones", BONES)
def test_the_skin_is_the_posed_hand_however_its_bones_lie(model, side, bones):
    scene = placed(model, "fist", side)
    found = Glb(rigged_glb(scene, bones=bones)).posed(f"{side}_hand")[: model.num_hand_vertices]
    assert np.abs(found - posed_by_scene(scene)).max() < EXACT


@pytest.mark.parametrize("side", ["right", "left"])
def test_y_of_a_bone_goes_to_the_next_joint_and_from_the_last_one_to_the_fingertip(model, side):
    for name in ("open_palm", "fist"):
        scene = placed(model, name, side)
        glb = Glb(rigged_glb(scene))
        moved = np.stack(glb.transforms())[of_joints(glb)]
        keypoints = scene.pose().keypoints[0].double().numpy() * Y_UP
        for number, finger in enumerate(("thumb", "index", "middle", "ring", "pinky")):
            bones = moved[[MANO_JOINTS.index(f"{finger}{k}") for k in (1, 2, 3)]]
            along = np.diff(keypoints[1 + 4 * number : 5 + 4 * number], axis=0)
            along /= np.linalg.norm(along, axis=1, keepdims=True)
            assert np.abs(bones[:, :3, 1] - along).max() < 1e-4
        to_middle = keypoints[9] - keypoints[0]
        assert np.abs(moved[0, :3, 1] - to_middle / np.linalg.norm(to_middle)).max() < 1e-4


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_positive_turn_about_its_x_bends_each_bone_of_either_side_towards_the_palm(model, side):
    glb = Glb(rigged_glb(placed(model, "open_palm", side)))
    bind = bind_matrices(glb)
    assert np.allclose(np.linalg.det(bind[:, :3, :3]), 1, atol=1e-6), "no axes of the wrong hand"
    assert np.allclose(bind[:, :3, :3].transpose(0, 2, 1) @ bind[:, :3, :3], np.eye(3), atol=1e-6)
    for joint, name in enumerate(MANO_JOINTS):
        if not name.startswith("thumb"):
            assert bind[joint, 1, 2] < -0.9, "the palm faces down, and so does z"
    index = MANO_JOINTS.index("middle1")
    # A thumb that bends comes nearer to the middle finger's knuckle.
    for joint in (14, 15):
        tip = bind[joint, :3, 3] + 0.03 * bind[joint, :3, 1]
        bent = bind[joint, :3, 3] + 0.03 * (bind[joint, :3, 1] * np.cos(0.5) + bind[joint, :3, 2] * np.sin(0.5))
        knuckle = bind[index, :3, 3]
        assert np.linalg.norm(bent - knuckle) < np.linalg.norm(tip - knuckle)


@pytest.mark.parametrize("bones", BONES)
def test_a_hand_whose_pose_is_cleared_stays_in_its_place(model, bones):
    scene = moving(model)
    glb = Glb(rigged_glb(scene, fps=12.0, bones=bones))
    for frame in range(2):
        moved = glb.at(frame / 12)
        for skin in glb.entries("skins"):
            bind = np.linalg.inv(glb.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1))
            names = [glb.entries("nodes")[joint]["name"] for joint in skin["joints"]]
            side = skin["name"].split("_")[0]
            holder = glb.transforms(moved)[glb.node(f"{side}_hand_rig")]
            [hand] = [n for n in range(len(scene)) if scene.side[n] == side and int(scene.frame[n]) == frame]
            posed = scene.select([hand]).pose()
            wrist = posed.keypoints[0, 0].double().numpy() * Y_UP
            assert np.abs((holder @ bind[0])[:3, 3] - wrist).max() < EXACT
            turn = np.diag(Y_UP) @ scene.global_orient[hand].double().numpy()
            assert np.abs(holder[:3, :3] - turn).max() < 1e-6, "nor does it turn"
            assert names[0] == f"{side}_wrist" and np.abs(bind[0, :3, 3]).max() == 0


def test_a_joints_rotation_is_manos_where_bones_are_unturned(model):
    scene = placed(model)
    glb = Glb(rigged_glb(scene, bones=UNTURNED))
    assert np.abs(bind_matrices(glb)[:, :3, :3] - np.eye(3)).max() == 0
    node = glb.entries("nodes")[glb.node("right_index2")]
    *axis, w = node["rotation"]
    angle = 2 * np.arctan2(np.linalg.norm(axis), w)
    found = np.array(axis) / np.linalg.norm(axis) * angle
    assert np.abs(found - matrix_to_axis_angle(scene.hand_pose[0, 1]).numpy()).max() < 1e-6


def test_bones_that_lie_in_no_known_way_or_have_no_length_are_refused(model):
    scene = placed(model, betas=False)
    with pytest.raises(SesaHandError, match="along the fingers.*unturned.*'sideways'"):
        rigged_glb(scene, bones="sideways")
    joints = model.joint_template.clone()
    joints[2] = joints[1]
    short = replace(scene, model=replace(model, joint_template=joints))
    with pytest.raises(SesaHandError, match="no direction.*unturned"):
        rigged_glb(short)
    assert rigged_glb(short, bones=UNTURNED)[:4] == b"glTF"


def test_skin_weights_are_at_most_four_and_sum_to_one(model, mano):
    for hand in (model, mano):
        glb = Glb(rigged_glb(placed(hand, betas=hand is model)))
        [primitive] = glb.entries("meshes")[0]["primitives"]
        joints, weights = (glb.array(primitive["attributes"][key]) for key in ("JOINTS_0", "WEIGHTS_0"))
        assert weights.shape[1] == 4 and np.abs(weights.sum(1) - 1).max() < 1e-6
        assert joints.max() < 16 and (joints[weights == 0] == 0).all()


@pytest.mark.parametrize("side", ["right", "left"])
def test_manos_pose_correctives_are_a_morph_target(mano, side):
    scene = placed(mano, "fist", side)
    glb = Glb(rigged_glb(scene))
    expected = posed_by_scene(scene)
    stated = glb.document["asset"]["extras"]["sesahand"]["largest_error_m"]
    found = glb.posed(f"{side}_hand")[:778]
    measured = np.linalg.norm(found - expected, axis=1).max()
    assert abs(measured - stated) < 1e-6, "the stated error is what a reader measures"
    # What is left are the weights beyond the four largest, if the file has any.
    most = int((mano.weights > 0).sum(1).max())
    assert measured < (EXACT if most <= 4 else 2e-3)
    [mesh] = glb.entries("meshes")
    assert mesh["extras"]["targetNames"] == ["pose_corrective"] and mesh["weights"] == [1.0]
    mesh["weights"] = [0.0]
    without = replace(scene, model=replace(mano, posedirs=None))
    assert np.linalg.norm(glb.posed(f"{side}_hand")[:778] - posed_by_scene(without), axis=1).max() < measured + EXACT
    assert np.linalg.norm(glb.posed(f"{side}_hand")[:778] - expected, axis=1).max() > 1e-4


def moving(model, names=("open_palm", "ok", "fist", "point")):
    """Return frames of a pair of hands of one shape, and an empty frame in which the left hand is missing."""
    frames = []
    for number, name in enumerate(names):
        pair = place_pair(Hand(model, gesture(name)), CAMERA, (40, 60, 600, 420), roll=130.0 * number, yaw=25 * number)
        frames.append(pair.select([0]) if number == 2 else pair)
    return concatenate_frames(frames)


def test_an_animation_shows_every_frame_at_its_time(model):
    scene = moving(model)
    glb = Glb(rigged_glb(scene, fps=12.0))
    for track in hand_tracks(scene):
        for frame, hand in zip(track.frames, track.hands, strict=True):
            found = glb.posed(track.name, glb.at(frame / 12))
            assert np.abs(found[: model.num_hand_vertices] - posed_by_scene(scene, hand)).max() < EXACT
    names = {node["name"] for node in glb.entries("nodes")}
    assert {"right_wrist", "left_wrist", "right_index1", "left_thumb3"} <= names
    assert len(names) == len(glb.entries("nodes")), "names are unique"


def test_a_hand_that_a_frame_lacks_is_not_there(model):
    scene = moving(model)
    glb = Glb(rigged_glb(scene, fps=12.0))
    assert np.ptp(glb.posed("left_hand", glb.at(2 / 12 + 0.01)), axis=0).max() < 1e-6
    for around in (0.999, 1.0, 1.001):
        assert np.ptp(glb.posed("left_hand", glb.at(around * 3 / 12)), axis=0).max() > 0.05
    late = Glb(rigged_glb(concatenate_frames([scene.select([]), scene])))
    assert np.ptp(late.posed("right_hand"), axis=0).max() < 1e-6, "at rest the file shows its first frame"


def test_between_frames_joints_turn_the_short_way(model):
    scene = moving(model, names=("open_palm", "open_palm"))
    turned = axis_angle_to_matrix(torch.tensor([0.0, 0.0, 1.2 * torch.pi])) @ scene.global_orient[0]
    scene = replace(scene, global_orient=torch.stack([scene.global_orient[0], scene.global_orient[1], turned, turned]))
    glb = Glb(rigged_glb(scene, fps=1.0))
    animation = glb.entries("animations")[0]
    for sampler in animation["samplers"]:
        values = glb.array(sampler["output"])
        if values.shape[1] == 4:
            assert ((values[1:] * values[:-1]).sum(1) >= 0).all()


def test_a_shape_that_changes_is_averaged_and_the_difference_stated(model, caplog):
    one = placed(model, betas=False)
    other = replace(one, betas=one.betas + torch.tensor([2.0] + 9 * [0.0]))
    glb = Glb(rigged_glb(concatenate_frames([one, other])))
    stated = glb.document["asset"]["extras"]["sesahand"]["largest_error_m"]
    measured = max(
        np.linalg.norm(glb.posed("right_hand", glb.at(k / 24))[: model.num_hand_vertices] - posed_by_scene(s), axis=1)
        .max()
        for k, s in enumerate((one, other))
    )  # fmt: skip
    assert 1e-3 < measured and abs(measured - stated) < 1e-5
    assert "up to" in caplog.text and "mm" in caplog.text


def test_the_camera_of_the_file_sees_what_the_scenes_camera_sees(model):
    scene = placed(model)
    glb = Glb(rigged_glb(scene))
    lens = glb.entries("cameras")[0]["perspective"]
    assert np.allclose(glb.transforms()[glb.node("camera")], np.eye(4))
    points = glb.posed("right_hand")[: model.num_hand_vertices]
    # The specification's projection: y from -1 at the lower to 1 at the upper edge.
    half = np.tan(lens["yfov"] / 2)
    seen = points[:, :2] / -points[:, 2:] / [half * lens["aspectRatio"], half]
    pixels = (seen * [1, -1] + 1) / 2 * [CAMERA.width, CAMERA.height]
    expected = CAMERA.project(scene.pose().vertices[0].double()).numpy()
    assert np.abs(pixels - expected).max() < 1e-2


def test_the_file_says_whose_hand_it_is_and_keeps_its_parameters(model):
    scene = placed(model)
    asset = Glb(rigged_glb(scene, metadata={"prompt": "{}"})).document["asset"]
    assert asset["copyright"] == model.licence and asset["generator"].startswith("SesaHand ")
    about = asset["extras"]["sesahand"]
    assert about["hand_model"] == "sesahand-cc0" and about["licence"] == model.licence
    assert asset["extras"]["prompt"] == "{}"
    again = scene_from_json(json.dumps(about["parameters"]))
    assert torch.equal(again.hand_pose, scene.hand_pose) and torch.equal(again.betas, scene.betas)


def test_many_frames_leave_the_description_within_the_mebibyte_that_comfyui_reads(model):
    one = placed(model)
    glb = rigged_glb(concatenate_frames([one] * 300))
    assert int.from_bytes(glb[12:16], "little") < 2**19
    assert "parameters" not in Glb(glb).document["asset"]["extras"]["sesahand"]


def test_no_hands_are_a_file_with_the_camera_alone(model):
    glb = Glb(rigged_glb(HandScene.empty(model, CAMERA, 3)))
    assert [node["name"] for node in glb.entries("nodes")] == ["camera", "SesaHand"]
    assert not glb.entries("meshes") and not glb.entries("animations") and glb.binary == b""


def test_several_hands_of_one_side_are_told_apart(model):
    scene = combine([placed(model, seed=1), placed(model, "fist", seed=2), placed(model, side="left")])
    glb = Glb(rigged_glb(scene))
    assert [mesh["name"] for mesh in glb.entries("meshes")] == ["right_hand", "right_hand2", "left_hand"]
    for hand, name in enumerate(("right_hand", "right_hand2", "left_hand")):
        found = glb.posed(name)[: model.num_hand_vertices]
        assert np.abs(found - posed_by_scene(scene, hand)).max() < EXACT
    assert {"right_wrist", "right2_wrist", "left_wrist"} <= {node["name"] for node in glb.entries("nodes")}
    assert not any("scale" in node for node in glb.entries("nodes"))
    assert len({node["name"] for node in glb.entries("nodes")}) == len(glb.entries("nodes")), "names are unique"


def test_the_forearm_comes_along_if_asked_for(model):
    scene = placed(model)
    glb = Glb(rigged_glb(scene, forearm=True))
    expected = scene.pose(forearm=True).vertices[0].double().numpy() * Y_UP
    assert np.abs(glb.posed("right_hand")[: len(expected)] - expected).max() < EXACT


def test_what_is_no_rotation_or_no_rate_is_refused(model):
    scene = placed(model)
    with pytest.raises(SesaHandError, match="hand_pose.*not a rotation"):
        rigged_glb(replace(scene, hand_pose=scene.hand_pose * 1.1))
    with pytest.raises(SesaHandError, match="global_orient.*not a rotation"):
        rigged_glb(replace(scene, global_orient=-scene.global_orient))
    for fps in (0.0, -1.0, float("nan")):
        with pytest.raises(SesaHandError, match="fps"):
            rigged_glb(scene, fps=fps)


def test_quaternions_are_scipys():
    rotation = pytest.importorskip("scipy.spatial.transform").Rotation
    random = rotation.random(200, random_state=3)
    found = matrix_to_quaternion(torch.from_numpy(random.as_matrix())).numpy()[:, [1, 2, 3, 0]]
    expected = random.as_quat()
    expected *= np.where(expected[:, 3:] < 0, -1, 1)
    assert np.abs(found - expected).max() < 1e-12


def test_khronos_validator_finds_nothing(model, mano, tmp_path):
    scenes = {f"{name}-{side}": placed(model, name, side) for name in gesture_names() for side in ("right", "left")}
    scenes |= {"moving": moving(model), "none": HandScene.empty(model, CAMERA, 2), "mano": placed(mano, "fist")}
    scenes |= {"pair": place_pair(Hand(model), CAMERA, (40, 60, 600, 420)), "mano-moving": moving(mano)}
    files = []
    for name, scene in scenes.items():
        for format in ("glb rigged", "glb posed"):
            path = tmp_path / f"{name}-{format.split()[1]}.glb"
            files += write_hands(scene, path, format, parameters="none")
    try:
        reports = validate(files)
    except NoValidator as reason:
        pytest.skip(str(reason))
    assert len(reports) == len(files) > 2 * 46
    for file, report in zip(files, reports, strict=True):
        assert report["numErrors"] == report["numWarnings"] == 0, (file.name, report["messages"][:3])
