"""The command line as a user meets it: what it writes, its exit status, and what it says when something is wrong."""

import importlib.util
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest
import torch
from mano_fixture import write_mano
from PIL import Image
from seen_hands import landmarks_of

from sesahand.cli import COMMANDS, attach_negatives, main
from sesahand.hands.gestures import gesture_names
from sesahand.reconstruct.detection.external import write_keypoints
from sesahand.render.map_table import HAND_MAPS
from sesahand.scene.scene_files import load_scene


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def lit_box(path) -> list[int]:
    """Return left, top, right, bottom of what is bright in a picture."""
    rows, columns = np.nonzero(np.array(Image.open(path).convert("L")) > 127)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def refusal(capsys, *arguments: str) -> str:
    """Return what the command says as it refuses; it must exit with status 2, without results or a traceback."""
    try:
        status = main(list(arguments))
    except SystemExit as end:
        status = end.code
    out, err = capsys.readouterr()
    assert status == 2 and out == "" and "Traceback" not in err
    return err


def test_render_writes_every_map_and_the_scene_and_prints_their_paths(tmp_path, capsys):
    assert main(["render", "victory", "--size", "64x96", "--out", "maps"]) == 0
    names = ["scene.json", *(f"{name}.png" for name in HAND_MAPS)]
    assert capsys.readouterr().out.splitlines() == [f"maps/{name}" for name in names]
    for name in HAND_MAPS:
        assert Image.open(tmp_path / "maps" / f"{name}.png").size == (64, 96)
    left, top, right, bottom = lit_box("maps/mask.png")
    assert max((right - left) / 64, (bottom - top) / 96) == pytest.approx(0.8, abs=0.04)


def test_a_rendered_scene_renders_again_to_the_same_maps(tmp_path):
    main(["render", "ok", "--side", "both", "--size", "96x64", "--out", "first"])
    assert main(["render", "--scene", "first/scene.json", "--out", "second"]) == 0
    for name in HAND_MAPS:
        assert (tmp_path / f"first/{name}.png").read_bytes() == (tmp_path / f"second/{name}.png").read_bytes()


def test_gestures_lists_every_gesture(capsys):
    assert main(["gestures"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(gesture_names())


def test_convert_mano_writes_beside_the_source_what_render_then_takes(tmp_path, capsys):
    write_mano(tmp_path)
    assert main(["convert-mano", "MANO_RIGHT.pkl"]) == 0
    assert capsys.readouterr().out == "MANO_RIGHT.safetensors\n"
    (tmp_path / "MANO_RIGHT.pkl").unlink()
    assert main(["render", "fist", "--hand-model", ".", "--size", "64x64"]) == 0
    assert json.loads((tmp_path / "out/scene.json").read_text())["hand_model"] == "mano"


@pytest.mark.parametrize("gesture", ["point", "victory", "pinch", "thumbs_up"])
def test_hands_can_be_tipped_at_the_default_box(gesture):
    for pitch in ("45", "-45", "90"):
        assert main(["render", gesture, "--pitch", pitch, "--size", "64x64"]) == 0
        left, top, right, bottom = lit_box("out/mask.png")
        assert max(right - left, bottom - top) == pytest.approx(0.8 * 64, abs=3)


def test_a_box_may_begin_with_a_minus(tmp_path):
    assert main(["render", "open_palm", "--box", "-20,-20,40,40", "--roll", "-30", "--size", "64x64"]) == 0
    left, top, _, _ = lit_box("out/mask.png")
    assert min(left, top) == 0
    assert attach_negatives(["--box", "-5,0,9,9", "-v", "--yaw", "-.5"]) == ["--box=-5,0,9,9", "-v", "--yaw=-.5"]


def test_a_photograph_with_a_region_painted_white_is_a_mask(tmp_path, caplog):
    photograph = np.random.default_rng(2).integers(60, 225, (128, 160), dtype=np.uint8)
    photograph[30:90, 50:100] = 255
    Image.fromarray(photograph).save(tmp_path / "painted.png")
    assert main(["render", "open_palm", "--mask", "painted.png"]) == 0
    assert lit_box("out/mask.png") == pytest.approx([50, 30, 100, 90], abs=6)
    assert "photograph" in caplog.text


@pytest.mark.parametrize(
    ("given", "shown"),
    [([], "palm"), (["--facing", "back"], "back"), (["--yaw", "180"], "back"), (["--facing", "as-posed"], "palm")],
)
def test_a_hand_over_a_mask_shows_the_side_that_is_asked_for(tmp_path, given, shown):
    mask = np.zeros((128, 128), np.uint8)
    mask[20:110, 40:90] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    assert main(["render", "open_palm", "--mask", "mask.png", *given]) == 0
    assert lit_box("out/mask.png") == pytest.approx([40, 20, 90, 110], abs=12)
    points = load_scene(tmp_path / "out/scene.json").pose().keypoints[0]
    # A right palm has its thumb's side on the right of the picture, when its fingers point up.
    assert (points[5, 0] > points[17, 0]) == (shown == "palm") and points[12, 1] < points[0, 1]


def test_a_mask_is_compared_with_the_people_of_the_picture(tmp_path, caplog):
    mask = np.zeros((256, 256), np.uint8)
    mask[100:140, 100:130] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    Image.fromarray(np.full((256, 256), 255, np.uint8)).save(tmp_path / "white.png")
    assert main(["render", "open_palm", "--side", "left", "--roll", "90", "--yaw", "180", "--size", "256x256"]) == 0
    scene = load_scene(tmp_path / "out/scene.json")
    (tmp_path / "people.json").write_text(json.dumps(write_keypoints(landmarks_of(scene))))
    assert main(["render", "fist", "--mask", "mask.png", "--beside", "people.json"]) == 0
    assert "pixels long in its place, but beside the picture's left hand" in caplog.text
    seen = ["--facing", "as-seen", "--beside", "people.json"]
    assert main(["render", "fist", "--side", "left", "--mask", "white.png", *seen]) == 0
    turned = load_scene(tmp_path / "out/scene.json")
    torch.testing.assert_close(turned.global_orient[0], scene.global_orient[0], atol=0.2, rtol=0)


def hamer_file(path, **more) -> None:
    one = torch.eye(3).numpy()
    np.savez(
        path, global_orient=one[None, None], hand_pose=np.tile(one, (1, 15, 1, 1)), betas=np.zeros((1, 10), np.float32),
        is_right=np.ones(1), pred_cam_t_full=np.array([[0.0, 0.0, 20.0]], np.float32), **more,
    )  # fmt: skip


def test_render_reads_what_hamer_writes(tmp_path, capsys):
    hamer_file(tmp_path / "hands.npz", scaled_focal_length=5000.0)
    assert main(["render", "--scene", "hands.npz", "--size", "320x256", "--lefts", "own"]) == 0
    assert Image.open(tmp_path / "out/mesh.png").size == (320, 256)
    capsys.readouterr()
    said = refusal(capsys, "render", "--scene", "out/scene.json", "--size", "64x64")
    assert "320x256 pixels, not of 64x64: leave out --size" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("fist --scene s.json --side left --box 1,2,30,40", "--scene settles what gesture, --side, --box would"),
        ("--scene s.json --mask m.png", "--scene settles what --mask would"),
        ("--scene s.json --roll 0", "--scene settles what --roll would"),
        ("--mask m.png --box 1,2,3,4 --size 64x64", "--mask settles what --size, --box would"),
        ("--facing as-seen --mask m.png", "--facing as-seen needs to know the picture's hands: name the picture"),
        ("--facing back", "--facing tells how a hand lies over a mask: it needs --mask"),
        ("--mask m.png --side both", "A mask takes one hand"),
        ("--lefts own", "--lefts tells how a file holds left hands: it needs --scene"),
        ("--size 512", "'512' is no size: expected WIDTHxHEIGHT in pixels, such as 512x768"),
        ("--size 1e3x20", "expected WIDTHxHEIGHT"),
        ("--size 1x1", "sides are 16 to 16384 pixels"),
        ("--size 99999999999999x64", "sides are 16 to 16384 pixels"),
        ("--box 1,2,3", "'1,2,3' is no box: expected LEFT,TOP,RIGHT,BOTTOM in pixels, such as 100,60,400,480"),
        ("--box 5,5,5.5,90", "is smaller than a pixel: choose a larger size"),
        ("--box 900,5,950,90", "lies outside the picture of 512x512 pixels: move it"),
        ("no_such_gesture", "no_such_gesture"),
        ("--hand-model /nope", "'/nope' does not exist"),
        ("--scene nope.json", "nope.json"),
        ("--mask nope.png", "nope.png cannot be read as a picture"),
        ("--fov nan", "field of view"),
    ],
)
def test_render_says_what_is_wrong_and_writes_nothing(capsys, tmp_path, arguments, message):
    assert message in " ".join(refusal(capsys, "render", *arguments.split()).split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["render", "--mask", "a\0.png"],
        ["render", "--scene", "a\0.json"],
        ["render", "--hand-model", "a\0.pkl"],
        ["render", "--size", "16x16", "--out", "a\0"],
        ["convert-mano", ""],
        ["convert-mano", "a\0.pkl"],
        ["convert-mano", "nope.pkl"],
        ["convert-mano", "."],
    ],
)
def test_paths_that_cannot_be_are_refused(capsys, tmp_path, arguments):
    assert refusal(capsys, *arguments).startswith("sesahand: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("blocked", ["mesh.png", "scene.json"])
def test_a_folder_in_the_way_of_a_map_is_told_before_anything_is_written(capsys, tmp_path, blocked):
    (tmp_path / "out" / blocked).mkdir(parents=True)
    said = refusal(capsys, "render", "--size", "32x32")
    assert f"{blocked} is a folder" in said and "--out" in said
    assert [path.name for path in (tmp_path / "out").iterdir()] == [blocked]


def test_a_file_in_the_way_of_the_folder_is_told(capsys, tmp_path):
    (tmp_path / "out").write_text("in the way")
    assert "Choose another folder with --out" in refusal(capsys, "render", "--size", "32x32")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(capsys, command):
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0 and "usage: sesahand" in capsys.readouterr().out


def quickstart():
    path = Path(__file__).resolve().parents[2] / "tools" / "quickstart.py"
    spec = importlib.util.spec_from_file_location("quickstart", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_quickstart_makes_an_interrupted_environment_whole(tmp_path):
    venv.create(tmp_path / "half", with_pip=False)
    tool = quickstart()
    python = tool.environment(tmp_path / "half")
    assert python.is_file() and tool.has_pip(python)


def test_quickstart_takes_its_environment_relative_to_where_one_is(tmp_path, monkeypatch):
    tool, steps = quickstart(), []
    monkeypatch.setenv("SESAHAND_VENV", "mine")
    monkeypatch.setattr(tool, "environment", lambda folder: folder / "python")
    monkeypatch.setattr(tool.subprocess, "call", lambda step, **_: steps.append(step[0]) or 0)
    assert tool.main(["demo"]) == 0
    assert steps == [str(tmp_path / "mine" / "python")] * 2


def test_quickstart_gets_the_detector_before_it_generates(monkeypatch):
    tool, steps = quickstart(), []
    monkeypatch.setattr(tool, "environment", lambda folder: folder / "python")
    monkeypatch.setattr(tool.subprocess, "call", lambda step, **_: steps.append(step[1:]) or 0)
    assert tool.main(["generate", "--count", "2"]) == 0
    assert steps[1:] == [["-m", "sesahand", "get-detector"], ["-m", "sesahand", "generate", "--count", "2"]]


def test_who_stops_reading_ends_it_quietly():
    command = [sys.executable, "-c", "from sesahand.cli import main; raise SystemExit(main(['gestures']))"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        process.stdout.close()
        assert process.stderr.read() == b"" and process.wait(60) == 0
