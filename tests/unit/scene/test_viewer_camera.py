"""The camera of ComfyUI's 3D viewers: three.js' matrices, worked out apart from the code."""

import math

import numpy as np
import pytest
import torch

from sesahand.errors import SesaHandError
from sesahand.hands.builtin import load_builtin_hand
from sesahand.scene.camera import Camera
from sesahand.scene.placing import Hand, place_pair
from sesahand.scene.viewer_camera import ViewerCamera, look_at, seen_by_viewer

Y_UP = np.array([1.0, -1.0, -1.0])


def vector(values) -> dict:
    return dict(zip("xyz", values, strict=True))


def info(position, target, **more) -> dict:
    return {"position": vector(position), "target": vector(target), "zoom": 1.0, "cameraType": "perspective", **more}


def three_js_pixels(points, position, target, fov, zoom, width, height):
    """Return the pixels of world points as three.js makes them: view matrix, perspective matrix, viewport."""
    position, target = np.array(position, float), np.array(target, float)
    z = (position - target) / np.linalg.norm(position - target)
    x = np.cross([0.0, 1.0, 0.0], z)
    x /= np.linalg.norm(x)
    world = np.eye(4)
    world[:3, :3] = np.stack([x, np.cross(z, x), z], 1)
    world[:3, 3] = position
    near, far = 0.01, 1000.0
    top = near * math.tan(math.radians(0.5 * fov)) / zoom
    right = top * width / height
    projection = np.array(
        [
            [near / right, 0, 0, 0],
            [0, near / top, 0, 0],
            [0, 0, -(far + near) / (far - near), -2 * far * near / (far - near)],
            [0, 0, -1, 0],
        ]
    )
    clip = np.concatenate([points, np.ones((len(points), 1))], 1) @ np.linalg.inv(world).T @ projection.T
    device = clip[:, :2] / clip[:, 3:]
    return np.stack([(device[:, 0] + 1) / 2 * width, (1 - device[:, 1]) / 2 * height], 1)


@pytest.fixture(scope="module")
def scene():
    model, camera = load_builtin_hand(), Camera.from_fov(512, 384)
    return place_pair(Hand(model), camera, (60, 60, 460, 340))


def in_world(scene) -> np.ndarray:
    return (scene.pose().vertices.double().numpy() * Y_UP).reshape(-1, 3)


@pytest.mark.parametrize(
    "position, target, fov, zoom",
    [((0.0, 0.0, 0.0), (0.0, 0.0, -1.0), 40.0, 1.0), ((0.5, 0.4, 0.2), (0.02, -0.03, -0.6), 35.0, 1.0),
     ((-0.6, -0.3, -1.3), (0.0, 0.0, -0.7), 60.0, 2.5)],
)  # fmt: skip
def test_points_are_where_three_js_draws_them(scene, position, target, fov, zoom):
    seen = seen_by_viewer(scene, info(position, target, fov=fov, zoom=zoom), 640, 360)
    pixels = seen.camera.project(seen.pose().vertices.double()).numpy().reshape(-1, 2)
    truth = three_js_pixels(in_world(scene), position, target, fov, zoom, 640, 360)
    assert np.abs(pixels - truth).max() < 0.02
    assert (seen.pose().vertices[..., 2] > 0).all()


def test_worked_out_by_hand():
    """A camera 2 m to the right of the origin, looking at it, sees the world's -z on its right and y up."""
    camera = ViewerCamera.read(info((2, 0, 0), (0, 0, 0), fov=90.0))
    assert torch.allclose(camera.rotation.mT @ torch.tensor([0.0, 0, -1], dtype=torch.float64),
                          torch.tensor([1.0, 0, 0], dtype=torch.float64))  # fmt: skip
    lens = camera.lens(100, 50)
    assert lens.focal_length == pytest.approx(25.0) and lens.principal_point == (50.0, 25.0)
    assert ViewerCamera.read(info((2, 0, 0), (0, 0, 0), fov=90.0, zoom=2.0)).lens(100, 50).focal_length == (
        pytest.approx(50.0)
    )


def test_a_quaternion_is_the_rotation_and_may_roll(scene):
    half = math.sqrt(0.5)
    rolled = info((0, 0, 0), (0, 0, -1), fov=40.0, quaternion={"x": 0.0, "y": 0.0, "z": half, "w": half})
    seen = seen_by_viewer(scene, rolled, 400, 400)
    straight = seen_by_viewer(scene, info((0, 0, 0), (0, 0, -1), fov=40.0), 400, 400)
    turned, level = (each.camera.project(each.pose().keypoints) - 200 for each in (seen, straight))
    # The camera turns counter-clockwise, so the picture turns clockwise: right goes down.
    torch.testing.assert_close(turned, torch.stack([-level[..., 1], level[..., 0]], -1), atol=1e-2, rtol=0)


def test_the_viewers_before_fit_models_and_that_is_undone(scene):
    """Frontend 1.27: longer side 5, on the ground, in the middle of x and z; 35 degrees unless it is changed."""
    points = in_world(scene)
    low, high = points.min(0), points.max(0)
    fitted = points * 5 / (high - low).max()
    low, high = fitted.min(0), fitted.max(0)
    fitted -= [(low[0] + high[0]) / 2, low[1], (low[2] + high[2]) / 2]
    seen = seen_by_viewer(scene, info((7, 5, 8), (0, 2.5, 0)), 512, 512)
    pixels = seen.camera.project(seen.pose().vertices.double()).numpy().reshape(-1, 2)
    assert np.abs(pixels - three_js_pixels(fitted, (7, 5, 8), (0, 2.5, 0), 35.0, 1.0, 512, 512)).max() < 0.02


def test_a_turned_hand_shows_what_the_viewer_shows_and_stays(scene):
    right = scene.select([0])
    camera = ViewerCamera.read(info((0, 0, -5), (0, 0, 0), fov=35.0))
    turned = camera.turn(right)
    # From behind: x and z change their signs about the wrist.
    before, after = (each.pose().keypoints[0] - each.pose().keypoints[0, 0] for each in (right, turned))
    torch.testing.assert_close(after, before * torch.tensor([-1.0, 1.0, -1.0]), atol=1e-5, rtol=0)
    again = ViewerCamera.read(info((0, 0, 9), (0, 0, 0), fov=35.0)).turn(right)
    torch.testing.assert_close(again.global_orient, right.global_orient, atol=1e-6, rtol=0)


def test_straight_down_and_onto_itself_are_rotations_too():
    for position, target in (((0, 3, 0), (0, 0, 0)), ((0, -3, 0), (0, 0, 0)), ((1, 1, 1), (1, 1, 1))):
        turn = look_at(*(torch.tensor(each, dtype=torch.float64) for each in (position, target)))
        torch.testing.assert_close(turn @ turn.mT, torch.eye(3, dtype=torch.float64), atol=1e-9, rtol=0)
        assert float(torch.linalg.det(turn)) == pytest.approx(1)


@pytest.mark.parametrize(
    "value",
    [None, {}, 7, info((0, 0, float("nan")), (0, 0, 0)), info((0, 0, 1), (0, 0, 0), fov=0.0),
     info((0, 0, 1), (0, 0, 0), zoom=-1.0), info((0, 0, 1), (0, 0, 0), fov=180.0),
     info((0, 0, 1), (0, 0, 0), quaternion={"x": 0, "y": 0, "z": 0, "w": 0}), {"position": vector((1, 1, 1))},
     info((0, 0, 1), (0, 0, 0), cameraType="orthographic")],
)  # fmt: skip
def test_what_is_no_perspective_camera_is_refused(value, scene):
    with pytest.raises(SesaHandError, match="camera_info|orthographic"):
        seen_by_viewer(scene, value)


def test_no_hands_are_seen_too(scene):
    none = scene.select([])
    assert len(seen_by_viewer(none, info((1, 1, 1), (0, 0, 0)))) == 0


def test_the_scene_is_left_as_it_was(scene):
    before = scene.global_orient.clone(), scene.translation.clone()
    seen_by_viewer(scene, info((1, 1, 1), (0, 0, 0), fov=35.0))
    assert torch.equal(scene.global_orient, before[0]) and torch.equal(scene.translation, before[1])
