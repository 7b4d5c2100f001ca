"""A network's answers as a scene: the right place, side, order and camera; and what is refused."""

import pytest
import torch
from hand_network_reference import SMALL_LAYERS, random_weights
from mano_fixture import write_mano

from sesahand.errors import SesaHandError
from sesahand.hands.builtin import load_builtin_hand
from sesahand.hands.mano import load_mano
from sesahand.hands.rotations import axis_angle_to_matrix
from sesahand.reconstruct.landmarks import HandLandmarks
from sesahand.reconstruct.learned.checkpoints import build_network
from sesahand.reconstruct.learned.hand_crops import crop_squares
from sesahand.reconstruct.learned.prediction import Prediction
from sesahand.reconstruct.learned.reconstructor import LearnedReconstructor
from sesahand.scene.camera import Camera

WIDTH, HEIGHT = 320, 240
POSE = axis_angle_to_matrix(0.4 * torch.randn(16, 3, generator=torch.Generator().manual_seed(8)))


@pytest.fixture(scope="module")
def mano(tmp_path_factory):
    return load_mano(write_mano(tmp_path_factory.mktemp("mano")))


class Oracle(torch.nn.Module):
    """Answers the same right hand for every crop, whose crops it keeps."""

    title = "Oracle"

    def __init__(self, camera=(5.0, 0.06, -0.03)):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.camera = torch.tensor(camera)
        self.seen = []

    def forward(self, crops, mano):
        self.seen.append(crops)
        pose = POSE[..., :2].mT.reshape(1, -1)
        count = len(crops)
        return Prediction(pose.expand(count, -1), torch.full((count, 10), 0.3), self.camera.expand(count, -1))


def landmarks_of(boxes, sides, frame=None, num_frames=1):
    count = len(boxes)
    return HandLandmarks(
        WIDTH, HEIGHT, num_frames, torch.tensor(frame or [0] * count, dtype=torch.long), tuple(sides),
        torch.full((count, 21, 2), float("nan")), torch.full((count, 21, 3), float("nan")),
        torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4), torch.linspace(0.5, 0.9, count), torch.ones(count),
    )  # fmt: skip


def random_network(kind):
    weights = random_weights(SMALL_LAYERS[kind]())
    network = build_network({name: value.shape for name, value in weights.items()}, "random")
    network.load_state_dict(weights)
    return network.eval()


def pictures(count=1):
    return torch.rand(count, HEIGHT, WIDTH, 3, generator=torch.Generator().manual_seed(1))


def crop_places(mano, camera=(5.0, 0.06, -0.03)):
    """Where the oracle's keypoints are in its crop `[21, 2]`, by the crop camera of the published code."""
    hand = mano(POSE[None, 0], POSE[None, 1:], torch.full((1, 10), 0.3), torch.zeros(1, 3), torch.tensor([True]))
    scale, x, y = camera
    points = hand.keypoints[0] + torch.tensor([x, y, 2 * 5000 / (256 * scale)])
    return points[:, :2] / points[:, 2:] * 5000 + 128


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("box", [[40, 50, 120, 130], [200, -20, 330, 100]], ids=["inside", "over the border"])
def test_keypoints_land_where_the_network_saw_them_in_the_crop(side, box, mano):
    landmarks = landmarks_of([box], [side])
    scene = LearnedReconstructor(Oracle(), mano)(pictures(), landmarks)
    centre, length = (value[0] for value in crop_squares(landmarks.box))
    offset = (crop_places(mano) - 128) * length / 256
    expected = centre + offset * torch.tensor([1.0 if side == "right" else -1.0, 1.0])
    found = scene.camera.project(scene.pose().keypoints[0])
    # The whole picture's lens is longer than the crop's, so perspective differs by parts of a percent.
    assert (found - expected).abs().max() < 0.01 * length
    assert scene.camera == Camera.hamer(WIDTH, HEIGHT)


def test_a_left_hand_is_the_mirror_image_of_the_right_hand_in_the_mirrored_picture(mano):
    reconstruct = LearnedReconstructor(random_network("WiLoR"), mano)
    left = reconstruct(pictures(), landmarks_of([[40, 50, 120, 130]], ["left"]))
    mirrored = landmarks_of([[WIDTH - 120, 50, WIDTH - 40, 130]], ["right"])
    right = reconstruct(pictures().flip(2), mirrored)
    flip = torch.tensor([-1.0, 1.0, 1.0])
    assert left.side == ("left",)
    assert torch.allclose(left.pose().vertices, right.pose().vertices * flip, atol=1e-3)
    assert torch.allclose(left.global_orient, flip[:, None] * right.global_orient * flip, atol=1e-4)
    assert torch.allclose(left.betas, right.betas, atol=1e-4)


@pytest.mark.parametrize("kind", SMALL_LAYERS)
def test_order_scores_and_frames_are_the_landmarks_whatever_the_chunk(kind, mano):
    network = random_network(kind)
    boxes = [[10 + 30 * i, 20, 70 + 30 * i, 90] for i in range(5)]
    landmarks = landmarks_of(boxes, ["left", "right", "right", "left", "left"], [2, 0, 1, 1, 0], num_frames=4)
    whole = LearnedReconstructor(network, mano)(pictures(4), landmarks)
    parts = LearnedReconstructor(network, mano, chunk=2)(pictures(4), landmarks)
    assert whole.side == landmarks.side and whole.num_frames == 4
    assert torch.equal(whole.frame, landmarks.frame) and torch.allclose(whole.score, landmarks.score)
    for name in ("global_orient", "hand_pose", "betas"):
        assert torch.allclose(getattr(whole, name), getattr(parts, name), atol=1e-4)
    assert torch.allclose(whole.translation, parts.translation, rtol=1e-4, atol=1e-4)
    turned = LearnedReconstructor(network, mano)(pictures(4), landmarks.select([4, 3, 2, 1, 0]))
    assert torch.allclose(turned.hand_pose.flip(0), whole.hand_pose, atol=1e-4)


def test_progress_is_told_per_chunk_and_may_stop_the_work(mano):
    network, told = Oracle(), []
    landmarks = landmarks_of([[10, 20, 70, 90]] * 5, ["right"] * 5)
    LearnedReconstructor(network, mano, chunk=2)(pictures(), landmarks, lambda done, total: told.append((done, total)))
    assert told == [(0, 5), (2, 5), (4, 5), (5, 5)] and [len(crops) for crops in network.seen] == [2, 2, 1]

    def stop(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        LearnedReconstructor(network, mano, chunk=2)(pictures(), landmarks, stop)
    assert len(network.seen) == 4


def test_no_hands_are_an_empty_scene(mano):
    scene = LearnedReconstructor(Oracle(), mano)(pictures(3), landmarks_of([], [], num_frames=3))
    assert len(scene) == 0 and scene.num_frames == 3 and scene.model is mano


def test_any_hand_but_mano_is_refused_and_told_why():
    with pytest.raises(SesaHandError, match="needs MANO.*vertices.*mano.is.tue.mpg.de"):
        LearnedReconstructor(Oracle(), load_builtin_hand())


@pytest.mark.parametrize("camera", [(0.0, 0, 0), (-3.0, 0, 0)])
def test_a_hand_behind_the_camera_is_an_error(camera, mano):
    with pytest.raises(SesaHandError, match="scale"):
        LearnedReconstructor(Oracle(camera), mano)(pictures(), landmarks_of([[10, 20, 70, 90]], ["right"]))


def test_nan_of_the_network_is_an_error(mano):
    with pytest.raises(SesaHandError, match="Oracle answered with NaN"):
        LearnedReconstructor(Oracle((float("nan"), 0, 0)), mano)(pictures(), landmarks_of([[1, 2, 7, 9]], ["right"]))


@pytest.mark.parametrize(
    "wrong",
    [torch.zeros(2, HEIGHT, WIDTH, 3), torch.zeros(1, HEIGHT, WIDTH, 4), torch.zeros(1, 1, 1, 3), torch.zeros(3)],
    ids=["two pictures", "alpha", "one pixel", "no picture"],
)
def test_pictures_of_other_landmarks_are_refused(wrong, mano):
    with pytest.raises(SesaHandError, match="shape"):
        LearnedReconstructor(Oracle(), mano)(wrong, landmarks_of([[1, 2, 7, 9]], ["right"]))


def test_a_grey_picture_of_one_pixel_is_reconstructed(mano):
    landmarks = HandLandmarks(
        1, 1, 1, torch.tensor([0]), ("right",), torch.zeros(1, 21, 2), torch.zeros(1, 21, 3),
        torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.ones(1), torch.ones(1),
    )  # fmt: skip
    scene = LearnedReconstructor(random_network("HaMeR"), mano)(torch.full((1, 1, 1, 3), 0.5), landmarks)
    assert len(scene) == 1
