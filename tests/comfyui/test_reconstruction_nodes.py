"""The node that reconstructs hands, called as ComfyUI calls it."""

from dataclasses import replace
from pathlib import Path

import pytest
import sesahand_pack
import torch
from before_run import refusals
from sesahand_pack.nodes import FAMILIES, hand, reconstruction
from sesahand_pack.sesahand.errors import SesaHandError
from sesahand_pack.sesahand.reconstruct.landmarks import HandLandmarks
from sesahand_pack.sesahand.scene.camera import Camera
from sesahand_pack.sesahand.scene.hand_scene import combine

import comfy.model_management

NODE = reconstruction.ReconstructHands
NAN = float("nan")


def run(landmarks, **given):
    return NODE.execute(**{"landmarks": landmarks, "camera": "perspective", "fov": 40.0} | given).result


def landmarks_of(scene) -> HandLandmarks:
    points = scene.pose().keypoints
    seen = scene.camera.project(points)
    return HandLandmarks(
        scene.camera.width, scene.camera.height, scene.num_frames, scene.frame, scene.side, seen, points,
        torch.cat([seen.amin(1), seen.amax(1)], 1), scene.score, torch.ones(len(scene)),
    )  # fmt: skip


def placed_gesture(gesture: str, side: str, x: float):
    """Return a hand as Pose Hand and Place Hand give it."""
    schema = hand.PoseHand.define_schema().inputs
    widgets = {i.id: i.default for i in schema if not i.optional} | {"gesture": gesture, "side": side}
    hands = hand.PoseHand.execute(**widgets).result[0]
    schema = hand.PlaceHand.define_schema().inputs
    widgets = {i.id: i.default for i in schema if getattr(i, "default", None) is not None}
    return hand.PlaceHand.execute(**widgets | {"hands": hands, "x": x, "size": 0.4}).result[0]


@pytest.fixture(scope="module")
def posed():
    """A right hand and a left hand in one picture, as Pose Hand and Place Hand give them."""
    return combine([placed_gesture("victory", "right", 0.3), placed_gesture("victory", "left", 0.7)])


@pytest.fixture
def landmarks(posed):
    return landmarks_of(posed)


class Echo:
    """A reconstructor that knows the answer, and remembers what it was shown."""

    name = "echo"

    def __init__(self, scene):
        self.scene = scene

    def __call__(self, pictures, landmarks):
        self.pictures = pictures
        return self.scene


def test_the_family_is_loaded_and_documented():
    assert "reconstruction" in FAMILIES
    schema = NODE.define_schema()
    page = (Path(sesahand_pack.__file__).parent / "web" / "docs" / f"{schema.node_id}.md").read_text(encoding="utf-8")
    for entry in [*schema.inputs, *schema.outputs]:
        assert entry.tooltip.endswith(".") and f"`{entry.id}`" in page
    assert schema.category == "SesaHand/reconstruct" and schema.display_name.endswith(" (SesaHand)")


def test_hands_are_found_again_with_side_place_and_report(posed, landmarks):
    hands, error, report = run(landmarks)
    assert hands.side == ("right", "left") and hands.model.name == posed.model.name
    assert (hands.pose().keypoints - posed.pose().keypoints).norm(dim=-1).mean() < 5e-3
    assert 0 <= error < 1e-3
    lines = report.splitlines()
    assert len(lines) == 2 and lines[0].startswith("picture 0, right hand: score 1.00")
    assert "left hand" in lines[1] and "ambiguous" not in report


def test_the_camera_is_the_chosen_one(landmarks):
    assert run(landmarks, fov=65.0)[0].camera == Camera.from_fov(512, 512, 65.0)
    assert run(landmarks, camera="hamer")[0].camera == Camera.hamer(512, 512)


def test_landmarks_without_depth_are_reported_as_ambiguous(landmarks):
    flat = replace(landmarks, keypoints_3d=torch.full_like(landmarks.keypoints_3d, NAN))
    hands, error, report = run(flat)
    assert report.count("depth ambiguous") == 2 and error < 0.02


def test_no_hands_give_no_hands():
    hands, error, report = run(HandLandmarks.empty(64, 48, 2))
    assert len(hands) == 0 and hands.num_frames == 2 and error == 0 and report == "no hands"


def test_a_reconstructor_does_it_instead_and_sees_the_picture_without_alpha(posed, landmarks):
    echo, image = Echo(posed), torch.rand(1, 512, 512, 4)
    hands, error, _ = run(landmarks, image=image, reconstructor=echo)
    assert hands is posed and error < 1e-4
    assert torch.equal(echo.pictures, image[..., :3])


def test_a_reconstructor_needs_no_landmarks_but_the_box(posed, landmarks):
    boxes = replace(landmarks, keypoints_2d=torch.full_like(landmarks.keypoints_2d, NAN))
    hands, error, report = run(boxes, image=torch.rand(1, 512, 512, 3), reconstructor=Echo(posed))
    assert hands is posed and error == 0 and report.count("no landmarks") == 2
    with pytest.raises(SesaHandError, match="0 known points.*learned reconstructor"):
        run(boxes)


def test_refining_takes_the_networks_depth_and_the_detectors_points(posed, landmarks):
    """The network's hands are a little beside the detector's points; refined ones lie on them, in the chosen camera."""
    beside = replace(posed, translation=posed.translation + torch.tensor([0.03, 0.0, 0.0]))
    flat = replace(landmarks, keypoints_3d=torch.full_like(landmarks.keypoints_3d, NAN))
    given = {"image": torch.rand(1, 512, 512, 3), "reconstructor": Echo(beside)}
    _, rough, _ = run(flat, **given)
    hands, fine, report = run(flat, **given, refine=True)
    assert rough > 0.05 > 0.01 > fine and "ambiguous" not in report
    assert (hands.pose().keypoints - posed.pose().keypoints).norm(dim=-1).mean() < 5e-3


def test_the_second_reading_is_fitted_where_it_is_asked_for_and_said(posed, landmarks):
    # The middle finger of the first hand may as well be bent: its points fall back to the knuckle.
    second_2d, second_3d = torch.full((2, 21, 2), NAN), torch.full((2, 21, 3), NAN)
    fist = landmarks_of(placed_gesture("fist", "right", 0.3))
    second_2d[0, 9:13], second_3d[0, 9:13] = fist.keypoints_2d[0, 9:13], fist.keypoints_3d[0, 9:13]
    both = replace(landmarks, second_2d=second_2d, second_3d=second_3d)
    first, _, report = run(both)
    other, _, said = run(both, second_reading=True)
    assert "middle may be bent" in report and "second reading:" not in report
    assert said.splitlines()[-1] == "second reading: picture 0, right hand: middle bent"
    tip, wrist = (scene.pose().keypoints[0, [12, 0]] for scene in (first, other))
    assert (tip[0] - tip[1]).norm() > 1.3 * (wrist[0] - wrist[1]).norm(), "the tip comes to the palm"
    assert run(landmarks, second_reading=True)[2].splitlines()[-1] == "second reading: no finger has one"


def test_what_does_not_fit_together_is_refused(posed, landmarks):
    with pytest.raises(SesaHandError, match="'echo'.*connect the image"):
        run(landmarks, reconstructor=Echo(posed))
    with pytest.raises(SesaHandError, match="512x512"):
        run(landmarks, reconstructor=Echo(posed), image=torch.rand(1, 256, 512, 3))
    with pytest.raises(SesaHandError, match="error of the reconstructor"):
        run(landmarks, reconstructor=Echo(posed.select([1, 0])), image=torch.rand(1, 512, 512, 3))
    with pytest.raises(SesaHandError, match="fov"):
        run(landmarks, fov=NAN)
    with pytest.raises(SesaHandError, match="camera"):
        run(landmarks, camera="fisheye")
    assert "camera" in refusals(NODE, camera="fisheye")[0] and refusals(NODE, camera="hamer") == []


def test_the_stop_button_ends_a_fit(landmarks):
    comfy.model_management.interrupt_current_processing(True)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        run(landmarks)
    assert not comfy.model_management.processing_interrupted()
