"""Detect Hands, called as ComfyUI calls it."""

import json

import pytest
import torch
from sesahand_pack.nodes import condition, detection, hand
from sesahand_pack.sesahand.errors import SesaHandError
from sesahand_pack.sesahand.reconstruct.landmarks import HandLandmarks

import folder_paths

NODE = detection.DetectHands
POINTS = [[20.0 + 5 * k, 100.0 + 3 * k] for k in range(21)]


def run(image, **given):
    values = {i.id: i.default for i in NODE.define_schema().inputs if getattr(i, "default", None) is not None}
    return NODE.execute(image=image, **values | given).result


@pytest.fixture(autouse=True)
def detector_in_models(detector_folder, tmp_path, monkeypatch):
    paths, suffixes = folder_paths.folder_names_and_paths["hand_detector"]
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "hand_detector", ([str(detector_folder)], suffixes))
    (tmp_path / "temp").mkdir()
    before = folder_paths.get_temp_directory()
    folder_paths.set_temp_directory(str(tmp_path / "temp"))
    yield paths
    folder_paths.set_temp_directory(before)


@pytest.fixture(scope="module")
def picture():
    """A rendered right hand in the colour of skin, and where it is."""
    values = {i.id: i.default for i in hand.PoseHand.define_schema().inputs if getattr(i, "default", None) is not None}
    posed = hand.PoseHand.execute(**values).result[0]
    placed = hand.place_frames(posed, posed.camera, (140.0, 140.0, 372.0, 372.0))
    maps = condition.render_maps(placed, ("mesh", "mask"), antialias=True, forearm=True)
    wall = (1 - maps.mask[..., None]) * torch.tensor([0.35, 0.40, 0.45])
    return maps.mesh * torch.tensor([0.88, 0.68, 0.58]) + wall, condition.list_boxes(placed, maps.boxes)


def test_outputs_have_comfyuis_shapes_and_types(picture):
    image, boxes = picture
    image = torch.cat([image, torch.zeros_like(image)])
    before = image.clone()
    landmarks, found_boxes, mask, overlay, count, *_ = run(image)
    assert isinstance(landmarks, HandLandmarks) and landmarks.side == ("right",) and count == 1
    [entry], [placed] = json.loads(found_boxes), json.loads(boxes)
    assert entry["frame"] == 0 and entry["side"] == "right"
    assert entry["box"][:3] == pytest.approx(placed["box"][:3], abs=50), "the forearm below is no part of it"
    assert mask.shape == (2, 512, 512) and mask.dtype == torch.float32 and mask[0].any() and not mask[1].any()
    assert overlay.shape == (2, 512, 512, 3) and overlay.dtype == torch.float32 and 0 <= overlay.min()
    assert torch.equal(image, before), "an input was changed"


def test_boxes_masks_and_keypoints_take_the_detectors_place(picture):
    image, boxes = picture
    found, _, mask, *_ = run(image)
    for given in ({"boxes": boxes}, {"mask": mask}):
        again = run(image, **given)[0]
        distance = (again.keypoints_2d - found.keypoints_2d).norm(dim=-1).mean()
        assert again.side == ("right",) and distance < 15
    numbers = [value for x, y in POINTS for value in (x, y, 1.0)]
    people = [{"hand_left_keypoints_2d": numbers}]
    pose = [{"people": people, "canvas_width": 512, "canvas_height": 512}]
    for keypoints in (pose, json.dumps(pose), json.dumps([{"side": "left", "keypoints": POINTS}])):
        taken = run(image, keypoints=keypoints)[0]
        assert taken.side == ("left",) and torch.equal(taken.keypoints_2d[0], torch.tensor(POINTS))


def test_two_places_for_the_hands_are_refused(picture):
    with pytest.raises(SesaHandError, match="mask and boxes are connected"):
        run(picture[0], mask=torch.ones(1, 512, 512), boxes="[]")


def test_no_hands_are_a_result(picture):
    landmarks, boxes, mask, overlay, count, *_ = run(torch.zeros(1, 64, 48, 3), small_hands=True)
    assert len(landmarks) == count == 0 and boxes == "[]" and not mask.any() and not overlay.any()


def test_bad_pictures_and_values_are_refused(picture):
    with pytest.raises(SesaHandError, match="NaN"):
        run(torch.full((1, 64, 64, 3), float("nan")))
    with pytest.raises(SesaHandError, match="at least one picture"):
        run(torch.zeros(0, 64, 64, 3))
    with pytest.raises(SesaHandError, match="threshold"):
        run(picture[0], threshold=2.0)


@pytest.fixture
def no_detector(tmp_path, monkeypatch):
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "hand_detector", ([str(tmp_path)], {".tflite"}))
    monkeypatch.setenv("SESAHAND_CACHE", str(tmp_path / "none"))


def test_missing_files_stop_the_graph_if_asked_to_and_keypoints_do_without(picture, no_detector):
    with pytest.raises(SesaHandError, match="python -m sesahand get-detector"):
        run(picture[0], if_missing="stop")
    assert run(picture[0], keypoints="[]", if_missing="stop")[4] == 0


@pytest.mark.parametrize("size", [128, 512])
def test_missing_files_give_no_hands_and_say_so_on_the_picture(size, no_detector, caplog):
    image = torch.full((2, size, size, 3), 0.5)
    landmarks, boxes, mask, overlay, count, bboxes, poses, report = run(image)
    assert len(landmarks) == count == 0 and boxes == "[]" and not mask.any() and bboxes == [[], []]
    assert [frame["people"] for frame in poses] == [[], []]
    assert "python -m sesahand get-detector" in report and report == f"no hands\n{landmarks.note}"
    assert [record.levelname for record in caplog.records] == ["WARNING"] and landmarks.note in caplog.text
    letters = (overlay - image).abs().amax(-1) > 0.1
    assert letters[:, : size // 2].any() and not letters[:, -1].any(), "the notice is at the top, the picture below"
    assert torch.equal(overlay[0], overlay[1]) and overlay.shape == image.shape


def test_an_interrupt_stops_it(picture):
    import comfy.model_management as management

    management.interrupt_current_processing(True)
    with pytest.raises(management.InterruptProcessingException):
        run(picture[0])


def test_the_models_folder_is_comfyuis(detector_in_models):
    assert any(path.replace("\\", "/").endswith("models/hand_detector") for path in detector_in_models)
