"""Small files that ask for much: what does not fit is refused in a sentence, before anything is made."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hostile import run_limited

from sesahand.cli import main
from sesahand.errors import InvalidFileError, SesaHandError
from sesahand.export.files import write_hands
from sesahand.export.scene_mesh import scene_mesh
from sesahand.hands.loading import load_hand_model
from sesahand.models.small.embedded import embedded_path
from sesahand.models.small.layout import MiniLayout
from sesahand.models.small.model_files import read_mini, read_mini_state
from sesahand.render.maps import render_maps
from sesahand.render.overlay import draw_hands
from sesahand.scene.camera import Camera
from sesahand.scene.hand_scene import MOST_POSED, POSED_AT_ONCE, HandScene
from sesahand.scene.placing import Hand, place_in_box
from sesahand.scene.scene_files import load_scene, save_scene

MODEL = load_hand_model("builtin")


def many(count: int, frames: int = 1, size: tuple[int, int] = (64, 48)) -> HandScene:
    camera = Camera.from_fov(*size, 40)
    one = place_in_box(Hand(MODEL), camera, (4, 4, size[0] - 4, size[1] - 4))
    arrays = {name: getattr(one, name).repeat(count, *[1] * (getattr(one, name).ndim - 1)) for name in HandScene.ARRAYS}
    arrays["frame"] = torch.arange(count) % frames
    return replace(one, num_frames=frames, side=("right",) * count, **arrays)


def packed(path, scene: HandScene) -> None:
    """Write a scene as a compressed npz, which numbers that repeat make small."""
    save_scene(scene, path)
    with np.load(path) as stored:
        np.savez_compressed(path, **stored)


def use(path, what: str, out) -> None:
    scene = load_scene(path)
    if what == "pose":
        scene.pose()
    elif what == "render":
        render_maps(scene, ("mesh",))
    elif what == "draw":
        draw_hands(scene, None)
    elif what == "mesh":
        scene_mesh(scene)
    else:
        write_hands(scene, out / f"x.{what.split()[0]}", what)


@pytest.mark.parametrize("what", ["pose", "render", "draw", "mesh", "glb rigged", "glb posed", "obj", "ply"])
def test_a_small_file_of_very_many_hands_is_not_posed_at_once(tmp_path, what):
    packed(tmp_path / "many.npz", many(40_000))
    assert (tmp_path / "many.npz").stat().st_size < 2 << 20
    ended = run_limited(use, tmp_path / "many.npz", what, tmp_path, megabytes=1500, seconds=200)
    assert "hands" in ended.refused()
    assert [path.name for path in tmp_path.iterdir()] == ["many.npz"]


def test_hands_that_are_posed_in_parts_are_posed_as_one_by_one():
    scene = many(POSED_AT_ONCE + 3)
    scene = replace(scene, translation=scene.translation + torch.linspace(0, 1, len(scene))[:, None])
    posed = scene.pose()
    assert len(posed.vertices) == len(scene)
    for index in (0, POSED_AT_ONCE - 1, POSED_AT_ONCE, POSED_AT_ONCE + 2):
        alone = scene.select([index]).pose()
        torch.testing.assert_close(posed.vertices[index], alone.vertices[0], atol=1e-6, rtol=0)
        torch.testing.assert_close(posed.keypoints[index], alone.keypoints[0], atol=1e-6, rtol=0)


def test_posing_in_parts_takes_the_memory_of_its_result():
    assert run_limited(pose_many, 8192, megabytes=1200, seconds=200).returned() == 8192


def pose_many(count: int) -> int:
    return len(many(count).pose().vertices)


def test_more_hands_than_memory_holds_are_counted_in_the_message():
    with pytest.raises(SesaHandError, match=f"{MOST_POSED + 1} hands are to be posed at once, more than {MOST_POSED}"):
        many(MOST_POSED + 1).pose()


@pytest.mark.parametrize("format", ["glb posed", "obj", "ply"])
def test_a_scene_of_very_many_frames_does_not_become_as_many_files(tmp_path, format):
    scene = HandScene.empty(MODEL, Camera.from_fov(64, 48), 100_000)
    with pytest.raises(SesaHandError, match="100000 frames.*each of which would be a file"):
        write_hands(scene, tmp_path / f"x.{format.split()[0]}", format)
    assert list(tmp_path.iterdir()) == []


def test_overlays_of_very_many_frames_are_refused_before_they_are_made():
    scene = HandScene.empty(MODEL, Camera.from_fov(1024, 1024), 100_000)
    for pictures in (None, torch.zeros(1, 512, 512, 3)):
        with pytest.raises(SesaHandError, match="100000 frames of .* GiB"):
            draw_hands(scene, pictures)


def test_render_refuses_a_scene_of_very_many_frames(tmp_path, capsys):
    scene = HandScene.empty(MODEL, Camera.from_fov(512, 512), 100_000)
    save_scene(scene, tmp_path / "long.json")
    assert main(["render", "--scene", str(tmp_path / "long.json"), "--out", str(tmp_path / "out")]) == 2
    assert "100000 frames" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_maps_whose_drawing_takes_too_much_are_refused_and_others_of_the_size_are_not():
    size = 8192
    camera = Camera.from_fov(size, size)
    large = place_in_box(Hand(MODEL), camera, (0, 0, size, size))
    with pytest.raises(SesaHandError, match=r"8192x8192 pixels takes \d+ GiB.*without antialias"):
        render_maps(large, ("mesh",), antialias=True)
    small = place_in_box(Hand(MODEL), camera.resized(256, 256), (60, 60, 200, 200))
    assert render_maps(small, ("mesh",), antialias=True).mask.max() == 1


@pytest.mark.parametrize(
    "change",
    [
        {"text_width": 1 << 20}, {"text_width": 256}, {"text_layers": 10**9}, {"text_layers": 3}, {"text_heads": 0},
        {"blocks": -1}, {"blocks": 10**6}, {"widths": [64, 128 * 1024]}, {"widths": [64] * 40}, {"size": 1 << 30},
        {"widths": [1024, 2048, 2048]}, {"autoencoder_widths": [10**6] * 3}, {"autoencoder_widths": [1024] * 3},
        {"text_width": "128"}, {"blocks": 1.5}, {"blocks": True}, {"widths": "64"}, {"text_width": math.inf},
    ],
    ids=str,
)  # fmt: skip
def test_a_small_models_description_is_compared_with_its_tensors_before_it_is_believed(tmp_path, change):
    from safetensors import safe_open
    from safetensors.torch import save_file

    with safe_open(embedded_path(), "pt") as file:
        metadata, state = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}
    metadata["sesahand.mini"] = json.dumps(json.loads(metadata["sesahand.mini"]) | change)
    save_file(state, tmp_path / "model.safetensors", metadata)
    ended = run_limited(read_model, tmp_path / "model.safetensors", megabytes=1500, seconds=200)
    ended.refused("InvalidFileError")


def read_model(path) -> None:
    read_mini(path)


def test_the_layouts_of_the_embedded_model_and_of_recipes_are_possible():
    layout, *_ = read_mini_state(embedded_path())
    assert MiniLayout.from_json(layout.to_json()) == layout
    with pytest.raises(InvalidFileError, match="cannot be read"):
        MiniLayout.from_json("[]")


def test_an_animation_of_very_many_moments_is_refused(tmp_path):
    scene = replace(many(1000), num_frames=10_000)
    with pytest.raises(SesaHandError, match="10000 frames with up to 1000 hands; an animation holds at most"):
        write_hands(scene, tmp_path / "x.glb", "glb rigged")
