"""The nodes of the family repair, called as ComfyUI calls them."""

import pytest
import torch
from sesahand_pack.nodes import condition, hand, inpaint, reconstruction, repair

import folder_paths

IN_MASK, OR_ELSE = repair.DetectInMask, repair.HandsOrElse


def defaults(node):
    return {i.id: i.default for i in node.define_schema().inputs if getattr(i, "default", None) is not None}


def run(node, **given):
    return node.execute(**defaults(node) | given).result


@pytest.fixture(autouse=True)
def detector_in_models(detector_folder, tmp_path, monkeypatch):
    _, suffixes = folder_paths.folder_names_and_paths["hand_detector"]
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "hand_detector", ([str(detector_folder)], suffixes))
    (tmp_path / "temp").mkdir()
    before = folder_paths.get_temp_directory()
    folder_paths.set_temp_directory(str(tmp_path / "temp"))
    yield
    folder_paths.set_temp_directory(before)


@pytest.fixture(scope="module")
def posed():
    return hand.PoseHand.execute(**defaults(hand.PoseHand)).result[0]


@pytest.fixture(scope="module")
def placed(posed):
    return hand.place_frames(posed, posed.camera, (140.0, 140.0, 372.0, 372.0))


@pytest.fixture(scope="module")
def picture(placed):
    maps = condition.render_maps(placed, ("mesh", "mask"), antialias=True, forearm=True)
    wall = (1 - maps.mask[..., None]) * torch.tensor([0.35, 0.40, 0.45])
    return maps.mesh * torch.tensor([0.88, 0.68, 0.58]) + wall


def corner(left, top, size=40):
    mask = torch.zeros(1, 512, 512)
    mask[0, top : top + size, left : left + size] = 1
    return mask


def test_from_a_mask_over_a_finger_to_the_mask_that_is_repainted(picture, posed):
    """The way of the workflows: find, fit, crop with the whole hand, and repaint the finger alone."""
    mask = corner(240, 150)
    landmarks, own, overlay, report = run(IN_MASK, image=picture, mask=mask)
    assert landmarks.side == ("right",) and torch.equal(own, mask) and overlay.shape == picture.shape
    fitted = run(reconstruction.ReconstructHands, landmarks=landmarks)[0]
    assert OR_ELSE.check_lazy_status(hands=fitted) == []
    chosen, found = run(OR_ELSE, hands=fitted)
    assert chosen is fitted and found and "no hand found" not in report
    cut = {"width": 128, "height": 128, "context": 1.4}
    crops, _, crop, seen = run(inpaint.CropToMask, image=picture, mask=own, hands=chosen, **cut)
    assert crops.shape == (1, 128, 128, 3) and (seen.camera.width, seen.camera.height) == (128, 128)
    box = seen.camera.project(seen.pose().keypoints)[0]
    assert box.min() > 0 and box.max() < 128, "the whole hand is in it"
    [repaint] = run(repair.RepaintMask, crop=crop, hands=chosen, before=fitted)
    assert 0.01 < repaint.mean() < 0.15
    [whole] = run(repair.RepaintMask, crop=crop, hands=chosen)
    assert whole.mean() > 0.3 and (whole >= repaint - 1e-6).all()


def test_without_a_mask_the_found_hand_is_repainted(picture):
    landmarks, own, _, report = run(IN_MASK, image=picture, mask=torch.zeros(1, 64, 64))
    assert len(landmarks) == 1 and 0.05 < own.mean() < 0.4 and "largest hand" in report


def test_a_mask_without_a_hand_lets_the_posed_one_stand_in(posed):
    from sesahand_pack.nodes.hand import PlaceHand

    mask = corner(100, 100, 200)
    landmarks, own, _, report = run(IN_MASK, image=torch.full((1, 512, 512, 3), 0.4), mask=mask)
    assert len(landmarks) == 0 and torch.equal(own, mask) and "no hand found in the mask" in report
    none = run(reconstruction.ReconstructHands, landmarks=landmarks)[0]
    assert OR_ELSE.check_lazy_status(hands=none) == ["otherwise"]
    other = run(PlaceHand, hands=posed, mask=mask)[0]
    chosen, found = run(OR_ELSE, hands=none, otherwise=other)
    assert chosen is other and not found


def test_neither_mask_nor_hand_is_told_on_the_picture_and_nothing_after_it_runs(caplog):
    from comfy_execution.graph_utils import ExecutionBlocker

    output = IN_MASK.execute(image=torch.full((1, 512, 512, 3), 0.4), threshold=0.3)
    landmarks, own, overlay, report = output.result
    assert isinstance(landmarks, ExecutionBlocker) and isinstance(own, ExecutionBlocker)
    assert "no mask" in report and "Open in MaskEditor" in caplog.text and overlay.shape == (1, 512, 512, 3)


def test_without_the_detectors_files_a_painted_mask_is_still_repaired(tmp_path, monkeypatch):
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "hand_detector", ([str(tmp_path)], {".tflite"}))
    monkeypatch.setenv("SESAHAND_CACHE", str(tmp_path / "none"))
    landmarks, own, _, report = run(IN_MASK, image=torch.full((1, 512, 512, 3), 0.4), mask=corner(100, 100))
    assert len(landmarks) == 0 and own.any() and "python -m sesahand get-detector" in report


def test_a_crop_without_hands_lets_nothing_run_that_would_need_them(picture):
    from comfy_execution.graph_utils import ExecutionBlocker

    cut = {"width": 64, "height": 64, "context": 1.5}
    assert isinstance(run(inpaint.CropToMask, image=picture, mask=corner(100, 100), **cut)[3], ExecutionBlocker)
