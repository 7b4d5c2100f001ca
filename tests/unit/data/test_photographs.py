"""Photographs become pairs by one command: what is said, the hands, their maps, and a score."""

import shutil

import torch
from detector_files import real_picture

from sesahand.cli import main
from sesahand.data.pair_set import PairSet
from sesahand.data.photographs import key_of, mirrored
from sesahand.hands.gestures import find_gesture
from sesahand.hands.loading import load_hand_model
from sesahand.scene.placement import Placement
from sesahand.scene.placing import Hand


def test_a_mirrored_scene_is_the_mirror_image():
    hand = Hand.in_gesture(load_hand_model("builtin"), find_gesture("ok"))
    scene = Placement(size=(120, 80), box=(10, 5, 70, 70), yaw=30).place(hand)
    other = mirrored(scene)
    assert other.side == ("left",)
    pixels, flipped = (one.camera.project(one.pose().keypoints) for one in (scene, other))
    torch.testing.assert_close(flipped[..., 0], 120 - pixels[..., 0], rtol=0, atol=1e-3)
    torch.testing.assert_close(flipped[..., 1], pixels[..., 1], rtol=0, atol=1e-3)
    torch.testing.assert_close(other.pose().keypoints[..., 2], scene.pose().keypoints[..., 2], rtol=0, atol=1e-5)


def test_a_photograph_and_the_text_beside_it_become_a_pair_once(detector_folder, tmp_path, capsys):
    shutil.copy(real_picture("photos/thumb_out.jpg"), tmp_path / "Thumb out.jpg")
    (tmp_path / "Thumb out.txt").write_text("A man in a park gives a thumbs up with his right hand.\nThe sky is grey.")
    (tmp_path / "none.jpg").write_bytes(b"no picture")
    command = ["dataset", "add-photographs", str(tmp_path / "set"), str(tmp_path), "--maps", "mask,depth,mesh"]
    assert main([*command, "--longest", "300", "--detector", str(detector_folder)]) == 1
    said = capsys.readouterr().out
    assert "Thumb out.jpg: 1 hand, score 0." in said and "none.jpg: " in said and "1 pairs" in said
    [pair] = PairSet(tmp_path / "set")
    facts, record = pair.facts, pair.record
    assert record.key == key_of(tmp_path / "Thumb out.jpg") and record.key.startswith("thumb_out_")
    assert set(record.maps) == {"mesh", "mask", "depth"} and max(record.width, record.height) <= 300
    assert facts.gesture == "thumbs_up" and facts.caption.endswith("The sky is grey.") and "sky" not in facts.prompt
    assert facts.semantics is not None and facts.score > 0.5 and facts.source == "photograph"
    # The mask lies where the photograph's hand is, and the hand model is named.
    assert 0.02 < float(pair.map("mask").mean()) < 0.6 and record.hand_model == "sesahand-cc0"
    (tmp_path / "none.jpg").unlink()
    assert main([*command, "--detector", str(detector_folder)]) == 0
    assert "in the set already" in capsys.readouterr().out and len(PairSet(tmp_path / "set")) == 1
