"""Rigged GLBs in the programs that artists open them with: Blender and three.js, where they are on the machine."""

import base64
import io

import numpy as np
import pytest
from blender import NoBlender, open_in_blender
from PIL import Image
from three import NoThree, show_in_three

from sesahand.export.formats import ALONG_FINGERS, BONES
from sesahand.export.rigged_hand import rigged_glb
from sesahand.hands.gestures import gesture
from sesahand.hands.loading import load_hand_model
from sesahand.hands.skeleton import FINGER_JOINTS, MANO_JOINTS
from sesahand.render.maps import render_maps
from sesahand.scene.camera import Camera
from sesahand.scene.hand_scene import concatenate_frames
from sesahand.scene.placing import Hand, place_pair

CAMERA = Camera.from_fov(320, 240, 45.0)
EXACT = 1e-5
FPS = 24.0


def pair_of_hands(name="ok", **turn):
    return place_pair(Hand(load_hand_model(), gesture(name)), CAMERA, (20, 20, 300, 220), **turn)


def moving():
    return concatenate_frames([pair_of_hands("ok"), pair_of_hands("fist", roll=30.0, yaw=20.0)])


def late():
    """Return frames of which the first has no hands and the second no left one."""
    return concatenate_frames([moving().select([]), pair_of_hands("ok").select([0]), pair_of_hands("fist")])


def in_file(scene, hand):
    """Return vertices and keypoints of a hand in the frame of a GLB: y up."""
    posed = scene.pose()
    return (part[hand].double().numpy() * [1, -1, -1] for part in (posed.vertices, posed.keypoints))


def z_up(points):
    """Return points of a GLB as Blender has them: z up."""
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], -1)


@pytest.fixture(scope="module")
def in_blender(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blender")
    wanted = {bones: rigged_glb(moving(), FPS, bones=bones) for bones in BONES} | {"late": rigged_glb(late(), FPS)}
    files = [folder / f"{number}.glb" for number in range(len(wanted))]
    for file, data in zip(files, wanted.values(), strict=True):
        file.write_bytes(data)
    try:
        return dict(zip(wanted, open_in_blender(files, folder), strict=True))
    except NoBlender as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("bones", BONES)
def test_blender_shows_the_posed_hands_at_each_frame(in_blender, bones):
    scene = moving()
    for hand, (side, when) in enumerate((s, w) for w in ("posed", "moved") for s in ("right", "left")):
        vertices, _ = in_file(scene, hand)
        shown = np.array(in_blender[bones][when]["meshes"][f"{side}_hand"])[: len(vertices)]
        assert np.abs(shown - z_up(vertices)).max() < EXACT


def test_blenders_bones_lie_along_the_fingers(in_blender):
    scene = moving()
    rigs = in_blender[ALONG_FINGERS]["posed"]["rigs"]
    assert set(rigs) == {"right_hand_rig", "left_hand_rig"}
    for hand, side in enumerate(("right", "left")):
        bones = rigs[f"{side}_hand_rig"]
        assert set(bones) == {f"{side}_{name}" for name in MANO_JOINTS}
        keypoints = z_up(list(in_file(scene, hand))[1])
        for number, finger in enumerate(FINGER_JOINTS):
            joints = keypoints[1 + 4 * number : 5 + 4 * number]
            for k, along in enumerate(np.diff(joints, axis=0)):
                bone = bones[f"{side}_{finger}{k + 1}"]
                assert np.abs(np.array(bone["head"]) - joints[k]).max() < EXACT
                assert np.array(bone["y"]) @ along / np.linalg.norm(along) > 0.99999


@pytest.mark.parametrize("bones", BONES)
def test_clearing_the_pose_in_blender_leaves_each_hand_where_it_is(in_blender, bones):
    seen, model = in_blender[bones], load_hand_model()
    still = (model.weights[: model.num_hand_vertices, 0] == 1).numpy()
    for side in ("right", "left"):
        before, after = (np.array(seen[when]["meshes"][f"{side}_hand"]) for when in ("posed", "cleared"))
        wrists = [np.array(seen[when]["rigs"][f"{side}_hand_rig"][f"{side}_wrist"]["head"]) for when in
                  ("posed", "cleared")]  # fmt: skip
        assert np.abs(wrists[0] - wrists[1]).max() < EXACT
        # The fingers are straight then; skin that follows the wrist alone has not moved.
        moved = np.linalg.norm(after - before, axis=1)[: len(still)]
        assert moved.max() > 0.02 and still.sum() > 20 and moved[still].max() < EXACT


def test_hands_that_frames_lack_come_and_go_in_blender(in_blender):
    scene, seen = late(), in_blender["late"]
    assert all(np.ptp(np.array(mesh), axis=0).max() < EXACT for mesh in seen["posed"]["meshes"].values())
    for hand, side in ((1, "right"), (2, "left")):
        vertices, _ = in_file(scene, hand)
        shown = np.array(seen["moved"]["meshes"][f"{side}_hand"])[: len(vertices)]
        assert np.abs(shown - z_up(vertices)).max() < EXACT


@pytest.mark.parametrize("bones", BONES)
def test_three_js_shows_the_posed_hands_where_the_camera_of_the_scene_sees_them(bones):
    scene = moving()
    try:
        seen = show_in_three(rigged_glb(scene, FPS, bones=bones), (CAMERA.width, CAMERA.height), 1 / FPS)
    except NoThree as reason:
        pytest.skip(str(reason))
    for hand, side in ((2, "right"), (3, "left")):
        vertices, keypoints = in_file(scene, hand)
        shown = np.array(seen["meshes"][f"{side}_hand"])[: len(vertices)]
        assert np.abs(shown - vertices).max() < EXACT
        place = np.array(seen["bones"][f"{side}_index1"]).reshape(4, 4)[3, :3]
        assert np.abs(place - keypoints[5]).max() < EXACT
    picture = Image.open(io.BytesIO(base64.b64decode(seen["picture"].split(",")[1]))).convert("L")
    drawn = np.array(picture) > 0
    expected = render_maps(scene).mask[1].numpy() > 0.5
    assert (drawn & expected).sum() / (drawn | expected).sum() > 0.97
