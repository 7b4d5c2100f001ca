"""The library of gestures as files: every one is there, shows its gesture, and is named after it."""

import json

import numpy as np
import pytest
import torch
from glb_reader import Glb
from PIL import Image

from sesahand.cli import main
from sesahand.errors import SesaHandError
from sesahand.export.formats import FORMATS, UNTURNED, MeshSettings
from sesahand.export.gesture_library import export_gestures, gesture_scene
from sesahand.hands.gestures import find_gesture, gesture, gesture_names
from sesahand.hands.loading import load_hand_model
from sesahand.scene.placement import Placement
from sesahand.scene.placing import Hand

Y_UP = np.array([1.0, -1.0, -1.0])


def hand_as_posed(name, side):
    scene = Placement().place(Hand.in_gesture(load_hand_model(), find_gesture(name)), side)
    return scene.pose().vertices[0].double().numpy() * Y_UP


def test_one_command_writes_every_gesture_of_both_hands_with_a_picture_and_an_index(tmp_path, capsys):
    folder = tmp_path / "a" / "library"
    assert main(["export-gestures", "--out", str(folder)]) == 0
    assert "index.md" in capsys.readouterr().out
    stems = {f"{name}_{side}" for name in gesture_names() for side in ("right", "left")}
    files = {f"{stem}{ending}" for stem in stems for ending in (".glb", ".png")}
    assert {path.name for path in folder.iterdir()} == files | {"index.json", "index.md"}
    index = json.loads((folder / "index.json").read_text())
    assert [entry["name"] for entry in index["gestures"]] == gesture_names()
    for entry in index["gestures"]:
        assert entry["description"]
        for side in ("right", "left"):
            listed = entry["files"][side]
            found = Glb((folder / listed["mesh"]).read_bytes()).posed(f"{side}_hand")
            expected = hand_as_posed(entry["name"], side)
            assert np.abs(found[: len(expected)] - expected).max() < 2e-6
            # Orange right hands, blue left ones.
            pixels = np.asarray(Image.open(folder / listed["thumbnail"])).astype(int)
            tint = pixels[..., 0] - pixels[..., 2]
            assert pixels.shape == (256, 256, 3)
            assert ((tint if side == "right" else -tint) > 30).mean() > 0.05
    page = (folder / "index.md").read_text()
    assert all(name in page for name in files)


def test_a_hand_moves_into_its_gesture_within_a_second(tmp_path):
    [file] = export_gestures(
        tmp_path, ["Thumbs up"], ["left"], animated=True, settings=MeshSettings(fps=10.0, bones=UNTURNED)
    )
    assert file.mesh.name == "thumbs_up_left.glb"
    glb = Glb(file.mesh.read_bytes())
    [clip] = glb.entries("animations")
    assert clip["name"] == "thumbs_up"
    expected = hand_as_posed("thumbs_up", "left")
    assert np.abs(glb.posed("left_hand", glb.at(1.0))[: len(expected)] - expected).max() < 2e-6
    scene = gesture_scene(find_gesture("thumbs_up"), "left", animated=True, fps=10.0)
    assert scene.num_frames == 11
    assert torch.allclose(scene.hand_pose[0], gesture("relaxed", "left"), atol=1e-6)
    assert torch.allclose(scene.hand_pose[-1], gesture("thumbs_up", "left"), atol=1e-6)
    relaxed = gesture_scene(find_gesture("relaxed"), "right", animated=True)
    assert torch.allclose(relaxed.hand_pose[0], gesture("open_palm"), atol=1e-6), "it moves, too"


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_of_meshes_can_be_had(tmp_path, format):
    files = export_gestures(tmp_path, ["ok", "OK"], format=format)
    assert [file.mesh.name for file in files] == [f"ok_{side}.{FORMATS[format].ending}" for side in ("right", "left")]
    assert all(file.mesh.stat().st_size > 10_000 for file in files)
    assert json.loads((tmp_path / "index.json").read_text())["mesh_format"] == format


def test_metadata_is_in_every_file_that_has_a_place_for_it(tmp_path):
    settings = MeshSettings(metadata={"workflow": "{}"})
    for file in export_gestures(tmp_path, ["fist"], settings=settings):
        assert Glb(file.mesh.read_bytes()).document["asset"]["extras"]["workflow"] == "{}"


def test_progress_is_told_and_can_end_the_work(tmp_path):
    told = []

    def report(done, of):
        told.append((done, of))
        if done == 1 and len(told) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_gestures(tmp_path, ["fist"], on_file=report)
    assert told == [(0, 2), (1, 2)] and not (tmp_path / "index.json").exists()
    export_gestures(tmp_path, ["fist"], on_file=report)
    assert told[-1] == (2, 2)


def test_what_cannot_be_written_is_refused_before_anything_is(tmp_path):
    folder = tmp_path / "none"
    for given, message in (
        ({"names": ["no such sign"]}, "gesture"),
        ({"sides": ["middle"]}, "right, left"),
        ({"sides": []}, "right, left"),
        ({"format": "fbx"}, "glb rigged"),
        ({"format": "obj", "animated": True}, "no motion.*glb rigged"),
    ):
        with pytest.raises(SesaHandError, match=message):
            export_gestures(folder, **given)
    assert not folder.exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(SesaHandError, match="cannot be made"):
        export_gestures(tmp_path / "file", ["ok"])
