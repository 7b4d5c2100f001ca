"""Hand scenes: what they accept, joining them, and their files."""

import dataclasses
import json
import math
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hostile import run_limited
from hypothesis import given, settings
from hypothesis import strategies as st
from mano_fixture import write_mano

from sesahand.errors import InvalidFileError, SesaHandError, UnsafeFileError
from sesahand.files.names import check_file_name, check_relative_path
from sesahand.files.writing import write_bytes
from sesahand.hands.loading import load_hand_model
from sesahand.hands.mano import load_mano
from sesahand.hands.rotations import axis_angle_to_matrix, matrix_to_axis_angle, mirror_rotation
from sesahand.scene import scene_files
from sesahand.scene.camera import Camera
from sesahand.scene.fallback import hands_or_else
from sesahand.scene.hand_files import load_hands
from sesahand.scene.hand_scene import HandScene, combine, concatenate_frames
from sesahand.scene.mano_parameters import read_mano_parameters
from sesahand.scene.scene_files import load_scene, save_scene, scene_from_json, scene_to_json

MODEL = load_hand_model("builtin")
CAMERA = Camera.from_fov(640, 480, 50)


def random_scene(seed: int = 0, count: int = 3, frames: int = 2, dtype=torch.float32, model=MODEL) -> HandScene:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return HandScene(
        model=model,
        camera=CAMERA,
        num_frames=frames,
        frame=torch.randint(0, frames, (count,), generator=generator),
        side=tuple("left" if value < 0 else "right" for value in normal(count).tolist()),
        global_orient=axis_angle_to_matrix(2 * normal(count, 3)).to(dtype),
        hand_pose=axis_angle_to_matrix(normal(count, 15, 3)).to(dtype),
        betas=normal(count, 10).to(dtype),
        translation=(normal(count, 3) + torch.tensor([0.0, 0.0, 5.0])).to(dtype),
        score=torch.rand(count, generator=generator, dtype=torch.float64).to(dtype),
    )


def assert_same(first: HandScene, second: HandScene) -> None:
    assert (first.camera, first.num_frames, first.side) == (second.camera, second.num_frames, second.side)
    for name in HandScene.ARRAYS:
        assert torch.equal(getattr(first, name), getattr(second, name)), name
        assert getattr(first, name).dtype == getattr(second, name).dtype, name


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 4), st.integers(1, 5), st.sampled_from([torch.float32, torch.float64]))
def test_json_brings_every_scene_back_bit_by_bit(seed, count, frames, dtype):
    scene = random_scene(seed, count, frames, dtype)
    text = scene.to_json()
    back = HandScene.from_json(text, MODEL)
    if count:
        assert_same(scene, back)
    assert back.to_json() == text


@pytest.mark.parametrize("ending", [".json", ".npz"])
@pytest.mark.parametrize("count", [0, 1, 4])
def test_files_bring_the_scene_back_bit_by_bit(tmp_path, ending, count):
    scene = random_scene(5, count)
    save_scene(scene, tmp_path / f"hands{ending}")
    assert_same(scene, load_scene(tmp_path / f"hands{ending}", MODEL))
    assert_same(scene, load_scene(tmp_path / f"hands{ending}"))
    assert [entry.name for entry in tmp_path.iterdir()] == [f"hands{ending}"]


def test_json_states_units_frame_and_model():
    data = json.loads(scene_to_json(random_scene()))
    assert data["units"] == "metres, radians, pixels"
    assert data["frame_of_reference"] == "camera: x right, y down, z forward"
    assert data["hand_model"] == MODEL.name
    assert data["version"] == 1


def test_a_scene_written_by_hand_in_axis_angle_is_read():
    pose = [[0.0, 0.0, 0.1 * k] for k in range(15)]
    hand = {"side": "left", "translation": [0, 0, 1], "global_orient": [0, 0, math.pi / 2], "hand_pose": pose}
    data = {**json.loads(scene_to_json(random_scene())), "hands": [hand, {**hand, "hand_pose": sum(pose, [])}]}
    scene = scene_from_json(json.dumps(data), MODEL)
    quarter = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    torch.testing.assert_close(scene.global_orient, quarter.repeat(2, 1, 1))
    torch.testing.assert_close(matrix_to_axis_angle(scene.hand_pose[0]), torch.tensor(pose), atol=1e-6, rtol=0)
    assert torch.equal(scene.hand_pose[0], scene.hand_pose[1])
    assert scene.frame.tolist() == [0, 0] and scene.score.tolist() == [1, 1] and not scene.betas.any()


def test_an_editors_note_is_read_over_and_not_written_again():
    scene = random_scene()
    noted = scene_from_json(json.dumps({**json.loads(scene_to_json(scene)), "taken_from": "0123abcd"}), MODEL)
    assert_same(noted, scene)
    assert "taken_from" not in json.loads(scene_to_json(noted))


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity"])
def test_numbers_beyond_floating_point_are_refused(number):
    text = changed("hands.0.translation", [0, 0, 4321.5]).replace("4321.5", number)
    with pytest.raises(InvalidFileError, match="number"):
        scene_from_json(text, MODEL)


def test_a_mano_scene_needs_the_mano_model(tmp_path):
    mano = load_mano(write_mano(tmp_path))
    scene = random_scene(model=mano)
    assert_same(scene, scene_from_json(scene_to_json(scene), mano))
    for model in (None, MODEL):
        with pytest.raises(SesaHandError, match="MANO_RIGHT.pkl"):
            scene_from_json(scene_to_json(scene), model)
    with pytest.raises(SesaHandError, match="built-in"):
        scene_from_json(scene_to_json(random_scene()), mano)


def changed(path: str, value) -> str:
    """Return valid JSON with the value at a path like "hands.0.side" replaced, or dropped where it is None."""
    data = json.loads(scene_to_json(random_scene(1, 1, 1)))
    *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    target = data
    for key in parents:
        target = target[key]
    if value is None:
        del target[last]
    else:
        target[last] = value
    return json.dumps(data)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("format", "openpose"),
        ("version", 2),
        ("version", True),
        ("units", "millimetres"),
        ("frame_of_reference", "OpenGL"),
        ("dtype", "float16"),
        ("dtype", []),
        ("taken_from", 7),
        ("taken_from", "a" * 129),
        ("hands", None),
        ("hands", {}),
        ("num_frames", 0),
        ("num_frames", 1e9),
        ("num_frames", 10**12),
        ("camera", []),
        ("camera.focal_length", -1),
        ("camera.focal_length", "wide"),
        ("camera.principal_point", [1]),
        ("camera.width", 10**9),
        ("camera.height", 480.5),
        ("hands.0", 7),
        ("hands.0.side", "both"),
        ("hands.0.side", ["right"]),
        ("hands.0.frame", 1),
        ("hands.0.frame", -1),
        ("hands.0.score", 1.5),
        ("hands.0.translation", [0, 0]),
        ("hands.0.translation", [0, 0, 10**400]),
        ("hands.0.translation", [0, 0, True]),
        ("hands.0.translation", None),
        ("hands.0.betas", [0] * 9),
        ("hands.0.betas", [[0] * 10]),
        ("hands.0.global_orient", [[1, 0, 0], [0, 1, 0], [0, 0, -1]]),
        ("hands.0.global_orient", [[1, 0, 0], [0, 1, 0], [0, 0, 1.1]]),
        ("hands.0.global_orient", [[1, 0, 0], [0, 1], [0, 0, 1]]),
        ("hands.0.hand_pose", [[0, 0, 0]] * 14),
        ("hands.0.hand_pose", [0] * 100_000),
        ("hands.0.hand_pose.3", [[0, 0, 0]] * 3),
        ("hands.0.beta", [0] * 10),
    ],
)
def test_a_wrong_field_is_named(path, value):
    with pytest.raises(InvalidFileError) as error:
        scene_from_json(changed(path, value), MODEL, "my.json")
    assert "my.json" in str(error.value)
    named = [part for part in path.split(".") if not part.isdigit()][-1]
    assert named in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{",
        "3",
        '"text"',
        '{"format": NaN}',
        "[" * 100_000,
        b"\xff\xfe\x00",
        '{"a":' * 5000,
        "1" * 5000,
    ],
)
def test_text_that_is_no_scene_is_refused(text):
    with pytest.raises(InvalidFileError, match="The scene"):
        scene_from_json(text, MODEL)


def test_text_longer_than_a_file_may_be_is_not_even_parsed(monkeypatch):
    text = scene_to_json(random_scene())
    monkeypatch.setattr(scene_files, "MAX_JSON_BYTES", len(text))
    assert len(scene_from_json(text, MODEL))
    for longer in (text + " ", text.encode() + b" "):
        with pytest.raises(InvalidFileError, match="characters"):
            scene_from_json(longer, MODEL)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
PATHS = [
    "format", "version", "units", "hand_model", "dtype", "num_frames", "camera", "camera.focal_length",
    "camera.principal_point", "camera.width", "hands", "hands.0", "hands.0.frame", "hands.0.side", "hands.0.score",
    "hands.0.translation", "hands.0.translation.1", "hands.0.global_orient", "hands.0.global_orient.2.1",
    "hands.0.hand_pose", "hands.0.hand_pose.7", "hands.0.betas", "hands.0.betas.9",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PATHS), JSON_VALUES)
def test_a_mutated_scene_is_read_or_refused_and_nothing_else(path, value):
    try:
        scene = scene_from_json(changed(path, value), MODEL)
    except SesaHandError:
        return
    assert torch.isfinite(scene.translation).all()


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(), st.binary(), JSON_VALUES.map(json.dumps)))
def test_garbage_is_refused_and_nothing_else(text):
    with pytest.raises(SesaHandError):
        scene_from_json(text, MODEL)


@settings(max_examples=60, deadline=None)
@given(position=st.floats(0, 1), flip=st.integers(1, 255), cut=st.booleans())
def test_a_damaged_npz_is_read_or_refused_and_nothing_else(tmp_path_factory, position, flip, cut):
    path = tmp_path_factory.mktemp("damaged") / "hands.npz"
    save_scene(random_scene(), path)
    raw = bytearray(path.read_bytes())
    place = int(position * (len(raw) - 1))
    if cut:
        raw = raw[:place]
    else:
        raw[place] ^= flip
    path.write_bytes(raw)
    try:
        load_scene(path, MODEL)
    except SesaHandError:
        pass


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("translation", np.zeros((3, 2))),
        ("hand_pose", np.zeros((3, 15, 3, 3))),
        ("hand_pose", np.zeros((3, 45))),
        ("global_orient", np.full((3, 3, 3), np.nan)),
        ("frame", np.zeros(3)),
        ("frame", np.full(3, 7)),
        ("is_right", np.zeros(3)),
        ("is_right", np.zeros((3, 1), bool)),
        ("score", np.full(3, 2.0)),
        ("betas", np.zeros((3, 10), complex)),
        ("header", np.array("{}")),
        ("header", np.array(3)),
        ("extra", np.zeros(3)),
    ],
)
def test_a_wrong_array_in_npz_is_named(tmp_path, name, value):
    path = tmp_path / "hands.npz"
    save_scene(random_scene(), path)
    with np.load(path) as stored:
        arrays = dict(stored)
    np.savez(path, **{**arrays, name: value})
    with pytest.raises(InvalidFileError, match=name) as error:
        load_scene(path, MODEL)
    assert "hands.npz" in str(error.value)


def test_python_objects_in_npz_are_refused(tmp_path):
    path = tmp_path / "hands.npz"
    np.savez(path, header=np.array([{"a": 1}], object))
    with pytest.raises(UnsafeFileError, match="header"):
        load_scene(path, MODEL)


def test_missing_and_misnamed_files_are_named(tmp_path):
    with pytest.raises(InvalidFileError, match="gone.json"):
        load_scene(tmp_path / "gone.json")
    with pytest.raises(InvalidFileError, match=r"\.json or \.npz"):
        load_scene(tmp_path / "hands.pkl")
    with pytest.raises(InvalidFileError):
        load_scene("a\0b.json")
    with pytest.raises(SesaHandError, match=r"\.json or \.npz"):
        save_scene(random_scene(), tmp_path / "hands.txt")
    with pytest.raises(SesaHandError, match="cannot be written"):
        save_scene(random_scene(), tmp_path / "no" / "hands.json")
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_nothing_and_says_what_to_do(tmp_path):
    (tmp_path / "scene.json").mkdir()
    with pytest.raises(SesaHandError, match="Choose a folder that exists"):
        save_scene(random_scene(), tmp_path / "scene.json")
    for path in ("no\0/hands.json", tmp_path / "gone" / "hands.json"):
        with pytest.raises(SesaHandError, match="cannot be written"):
            save_scene(random_scene(), path)
    assert [entry.name for entry in tmp_path.rglob("*")] == ["scene.json"]


def test_writers_of_one_file_do_not_meet(tmp_path):
    def write(number: int) -> None:
        write_bytes(tmp_path / "one.npz", bytes([number]) * 200_000)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(64)))
    assert len(set((tmp_path / "one.npz").read_bytes())) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["one.npz"]


# File names


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(), max_size=40))
def test_every_message_can_be_printed(text):
    for message in (f"{text} is missing", SesaHandError(text)):
        said = str(InvalidFileError(message)).encode("utf-8").decode()
        # Spaces of other scripts, and what joins their letters, are no control characters.
        assert re.sub(r"[\s\u200c\u200d]", "", said).isprintable()


def test_messages_about_half_a_surrogate_pair_can_be_printed(tmp_path):
    for attempt in (
        lambda: load_scene(tmp_path / "\ud800.json"),
        lambda: load_scene("\ud800.txt"),
        lambda: save_scene(random_scene(), tmp_path / "\ud800" / "a.json"),
        lambda: check_file_name("\ud800"),
    ):
        with pytest.raises(SesaHandError, match=r"\\ud800") as error:
            attempt()
        str(error.value).encode("utf-8")


def test_a_long_name_is_quoted_to_its_end():
    with pytest.raises(SesaHandError, match=r"^'a+\.\.\.' cannot be a file name: it is longer than 120 bytes"):
        check_file_name("a" * 300)


@pytest.mark.parametrize("path", ["hands", "hands/left", "a b/Händе 手/x"])
def test_paths_of_plain_names_are_accepted(path):
    assert check_relative_path(path) == tuple(path.split("/"))


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.text(), st.text(alphabet="./\\:~ acon%$\0", max_size=12)))
def test_an_accepted_path_stays_in_its_folder(path):
    from pathlib import PurePosixPath, PureWindowsPath

    try:
        parts = check_relative_path(path)
    except SesaHandError:
        return
    for kind in (PurePosixPath, PureWindowsPath):
        assert (kind("folder") / path).parts == ("folder", *parts)


@pytest.mark.parametrize("path", ["a" * 119 + "/" + "b" * 100, None, 7, "a//b", "/a", "a/", "con/a"])
def test_unsafe_paths_are_refused(path):
    with pytest.raises(SesaHandError):
        check_relative_path(path)


@pytest.mark.parametrize(
    "name",
    [
        "", " ", ".", "..", "../hands.json", "..\\hands.json", "/etc/passwd", "C:\\a.json", "C:a.json",
        "\\\\host\\a.json", "a/b.json", "a\0.json", "a\n.json", ".hidden.json", "CON", "con.json",
        "NUL .json", "COM1.npz", "hands.json ", "COM\u00b9", "com\u00b2.json", "LPT\u00b3 .npz", "CONIN$",
        "conout$.json", "CLOCK$", "\u200d",
        "\u200c\u200d", "a\u200b.json", "a\u2066.json", "a\ufeff.json", "con.", "a. ",
        "hands.json.", "a*.json", "a?.json", "a|b.json", "a" * 200 + ".json", "a\u202ejson.exe", None, 7, b"a.json",
    ],
)  # fmt: skip
def test_unsafe_file_names_are_refused(name):
    with pytest.raises(SesaHandError):
        check_file_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "hands.json",
        "Händе 手.npz",
        "frame_0001.json",
        "console.json",
        "a b (2).npz",
        "COM.json",
        "a$.json",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\U0001f468\u200d\U0001f3a8 hands",
    ],
)
def test_plain_file_names_are_accepted(name):
    assert check_file_name(name) == name


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.text(), st.text(alphabet="./\\:~ acon%$\0", max_size=8)))
def test_an_accepted_name_stays_in_its_folder(name):
    from pathlib import PurePosixPath, PureWindowsPath

    try:
        check_file_name(name)
    except SesaHandError:
        return
    for kind in (PurePosixPath, PureWindowsPath):
        path = kind("folder") / name
        assert path.parent == kind("folder") and path.name == name


# Joining


def test_combining_puts_hands_into_the_same_frames():
    first, second = random_scene(1, 2, 3), random_scene(2, 3, 1)
    both = combine([first, second])
    assert len(both) == 5 and both.num_frames == 3
    assert_same(both.select([0, 1]), first)
    torch.testing.assert_close(both.pose().vertices[2:], second.pose().vertices)


def test_concatenating_puts_frames_one_after_the_other():
    first, second = random_scene(1, 2, 3), random_scene(2, 3, 2)
    film = concatenate_frames([first, second])
    assert film.num_frames == 5
    assert film.frame.tolist() == first.frame.tolist() + (second.frame + 3).tolist()


def test_scenes_that_do_not_belong_together_are_refused(tmp_path):
    scene = random_scene()
    with pytest.raises(SesaHandError, match="cameras"):
        combine([scene, dataclasses.replace(scene, camera=Camera.from_fov(512, 512))])
    with pytest.raises(SesaHandError, match="models"):
        combine([scene, random_scene(model=load_mano(write_mano(tmp_path)))])
    for join in (combine, concatenate_frames):
        with pytest.raises(SesaHandError, match="no scenes"):
            join([])


@pytest.mark.parametrize(
    "change",
    [
        {"side": ("right", "up", "left")},
        {"num_frames": 0},
        {"frame": torch.tensor([0, 1, 9])},
        {"translation": torch.full((3, 3), torch.nan)},
        {"betas": torch.zeros(3, 9)},
        {"hand_pose": torch.zeros(3, 45)},
    ],
)
def test_a_scene_with_wrong_values_cannot_be_made(change):
    with pytest.raises(SesaHandError):
        dataclasses.replace(random_scene(), **change)


@pytest.mark.parametrize("spec", ["", " ", "/nope", "nope.pkl", "a\0.pkl"])
def test_a_hand_model_that_does_not_exist_is_named(spec):
    with pytest.raises(InvalidFileError, match="^The hand model '.*' does not exist; give 'builtin'"):
        load_hand_model(spec)


# HaMeR and WiLoR


def hamer_prediction(count: int = 3) -> dict[str, np.ndarray]:
    """Return what HaMeR's demo holds for one picture: every hand predicted as a right hand."""
    generator = torch.Generator().manual_seed(4)
    rotations = axis_angle_to_matrix(torch.randn(count, 16, 3, generator=generator, dtype=torch.float64)).numpy()
    return {
        "global_orient": rotations[:, :1],
        "hand_pose": rotations[:, 1:],
        "betas": np.random.default_rng(0).normal(size=(count, 10)),
        "pred_cam_t_full": np.array([[0.1 * k, -0.2, 20.0 + k] for k in range(count)]),
        "right": np.array([k % 2 == 0 for k in range(count)], np.float32),
        "scaled_focal_length": np.float64(5000 / 256 * 640),
        "img_size": np.tile([640.0, 480.0], (count, 1)),
    }


def assert_shows_what_hamer_shows(scene: HandScene, data: dict) -> None:
    """Compare with HaMeR's own recipe: pose a right hand, mirror a left one's vertices in x, add the translation."""
    as_right = MODEL(
        torch.from_numpy(data["global_orient"][:, 0]).float(),
        torch.from_numpy(data["hand_pose"]).float(),
        torch.from_numpy(data["betas"]).float(),
        torch.zeros(len(data["betas"]), 3),
        torch.ones(len(data["betas"]), dtype=torch.bool),
    ).vertices
    sign = 2 * torch.from_numpy(data["right"]).reshape(-1) - 1
    as_right[..., 0] *= sign[:, None]
    expected = as_right + torch.from_numpy(data["pred_cam_t_full"]).float()[:, None]
    torch.testing.assert_close(scene.pose().vertices, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("source", ["dict", "npz", "json", "nested", "list", "tensors"])
def test_hamer_output_in_every_wrapping_shows_the_hands_hamer_shows(tmp_path, source):
    data = hamer_prediction()
    pose = {key: data[key] for key in ("global_orient", "hand_pose", "betas")}
    rest = {key: data[key] for key in data if key not in pose}
    given = {
        "dict": data,
        "nested": {"pred_mano_params": pose, **rest},
        "tensors": {key: torch.as_tensor(value) for key, value in data.items()},
        "list": [
            {"is_right": data["right"][k], "wilor_preds": {**{key: value[k : k + 1] for key, value in pose.items()},
             "pred_cam_t_full": data["pred_cam_t_full"][k : k + 1], "img_size": [640, 480],
             "scaled_focal_length": 12500.0}}
            for k in range(3)
        ],
    }.get(source, tmp_path / f"hands.{source}")  # fmt: skip
    if source == "npz":
        np.savez(given, **data)
    if source == "json":
        given.write_text(json.dumps({key: np.asarray(value).tolist() for key, value in data.items()}))
    scene = read_mano_parameters(given, MODEL)
    assert scene.side == ("right", "left", "right")
    assert scene.camera == Camera.hamer(640, 480)
    assert_shows_what_hamer_shows(scene, data)


def test_left_hands_that_are_stored_as_their_own_are_taken_as_they_are():
    data = hamer_prediction()
    scene = read_mano_parameters(data, MODEL, lefts="own")
    own = torch.from_numpy(data["hand_pose"]).float()
    assert torch.equal(scene.hand_pose, own)
    mirrored = read_mano_parameters(data, MODEL)
    assert torch.equal(mirrored.hand_pose[1], mirror_rotation(own[1]))
    assert torch.equal(mirrored.hand_pose[0], own[0])


def test_axis_angle_of_48_numbers_holds_the_global_orientation_first():
    data = hamer_prediction()
    matrices = torch.from_numpy(np.concatenate([data["global_orient"], data["hand_pose"]], 1))
    del data["global_orient"]
    data["hand_pose"] = matrix_to_axis_angle(matrices).reshape(3, 48).numpy()
    scene = read_mano_parameters(data, MODEL, lefts="own")
    torch.testing.assert_close(scene.global_orient, matrices[:, 0].float())
    torch.testing.assert_close(scene.hand_pose, matrices[:, 1:].float())


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"hand_pose": None}, "hand_pose"),
        ({"betas": None}, "betas"),
        ({"betas": np.zeros((3, 9))}, "betas"),
        ({"hand_pose": np.zeros((3, 44))}, "44"),
        ({"hand_pose": np.zeros((3, 15, 3, 3))}, "rotation"),
        ({"pred_cam_t_full": None}, "cam_t"),
        ({"pred_cam_t_full": np.full((3, 3), np.nan)}, "pred_cam_t_full"),
        ({"right": None}, "is_right"),
        ({"right": np.ones(2)}, "is_right"),
        ({"img_size": None}, "image_size"),
        ({"img_size": np.array([1e9, 1e9])}, "1000000000"),
        ({"scaled_focal_length": np.array([1.0, 2.0, 3.0])}, "focal"),
        ({"scaled_focal_length": 0.0}, "focal"),
        ({"betas": "ten"}, "betas"),
        ({"frame": [-1, 0, 0]}, "frame is -1, expected a whole number from 0 to 100000"),
        ({"frame": [0, 0, 1e18]}, "frame is 1e\\+18"),
        ({"frame": [0, 0, 1e30]}, "frame is 1e\\+30"),
        ({"frame": [0, 0.7, 1]}, "frame is 0.7"),
        ({"img_size": [64.9, 64]}, "image size is 64.9, expected a whole number from 1 to 16384"),
        ({"img_size": [0, 64]}, "image size is 0"),
        ({"right": [0, 1, 7]}, "is_right is 7"),
        ({"score": [0, 1, 1.5]}, "score is 1.5"),
    ],
)
def test_wrong_reconstructor_output_is_named(change, named):
    data = {key: value for key, value in {**hamer_prediction(), **change}.items() if value is not None}
    with pytest.raises(InvalidFileError, match=named):
        read_mano_parameters(data, MODEL)


@pytest.mark.parametrize(
    "source", [[], {"betas": [], "hand_pose": []}, {"betas": np.zeros((0, 10)), "hand_pose": torch.zeros(0, 15, 3, 3)}]
)
def test_a_picture_without_hands_is_a_scene_without_hands(source, tmp_path):
    scene = read_mano_parameters(source, MODEL)
    assert len(scene) == 0 and scene.num_frames == 1
    assert read_mano_parameters(source, MODEL, image_size=(640, 480)).camera == Camera.hamer(640, 480)
    (tmp_path / "none.json").write_text("[]")
    assert len(load_hands(tmp_path / "none.json", MODEL)) == 0


@pytest.mark.parametrize("lefts", ["mirrored", "own"])
def test_a_mean_pose_that_was_left_out_is_added_as_mano_adds_it(tmp_path, lefts):
    mano = load_mano(write_mano(tmp_path))
    right = np.array([True, False])
    flat = 0.2 * np.random.default_rng(0).standard_normal((2, 45))
    # A left hand's own numbers are those of MANO_LEFT: rotations about y and z have the other sign, its mean too.
    sign = np.tile([1.0, -1.0, -1.0], 15)
    left_mean = mano.pose_mean.numpy() * (sign if lefts == "own" else 1)
    mean = np.stack([mano.pose_mean.numpy(), left_mean])
    common = {"betas": np.zeros((2, 10)), "right": right, "cam_t": np.full((2, 3), 0.5), "img_size": [64, 64],
              "global_orient": np.zeros((2, 3))}  # fmt: skip
    wanted = read_mano_parameters({**common, "hand_pose": flat + mean}, mano, lefts)
    found = read_mano_parameters({**common, "hand_pose": flat}, mano, lefts, mean_pose="left out")
    torch.testing.assert_close(found.hand_pose, wanted.hand_pose, atol=1e-5, rtol=0)
    as_read = read_mano_parameters({**common, "hand_pose": flat}, mano, lefts)
    assert (as_read.hand_pose - wanted.hand_pose).abs().max() > 0.05


def test_a_mean_pose_cannot_be_added_by_a_hand_that_has_none():
    with pytest.raises(SesaHandError, match="Load MANO Hand Model"):
        read_mano_parameters(hamer_prediction(), MODEL, mean_pose="left out")
    with pytest.raises(SesaHandError, match="included"):
        read_mano_parameters(hamer_prediction(), MODEL, mean_pose="maybe")


@pytest.mark.parametrize("source", [[3], 7, "hands.txt", [{"betas": [0] * 10}, {}]])
def test_things_that_are_no_parameters_are_refused(source):
    with pytest.raises(InvalidFileError):
        read_mano_parameters(source, MODEL)
    with pytest.raises(SesaHandError, match="mirrored"):
        read_mano_parameters(source, MODEL, lefts="maybe")


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(hamer_prediction())), JSON_VALUES)
def test_mutated_reconstructor_output_is_read_or_refused_and_nothing_else(key, value):
    try:
        read_mano_parameters({**hamer_prediction(), key: value}, MODEL)
    except SesaHandError:
        pass


def grown_too_large():
    """Join and repeat hands as chains of nodes do; return what each says."""
    scene = random_scene(count=1, frames=1)
    hands = scene.select_frames([0] * 50_000)
    frames = dataclasses.replace(HandScene.empty(scene.model, scene.camera), num_frames=100_000)
    said = []
    for grow in (
        lambda: combine([hands] * 4),
        lambda: concatenate_frames([frames] * 4),
        lambda: hands_or_else(frames, random_scene(count=2, frames=1)),
        lambda: hands.select_frames([0] * 200_000),
        lambda: hands.select_frames([7] * 200_000 + [10**6]),
        lambda: hands.to_json(),
    ):
        with pytest.raises(SesaHandError) as raised:
            grow()
        said.append(str(raised.value))
    return said


def test_hands_that_are_joined_and_repeated_do_not_become_millions():
    said = run_limited(grown_too_large, megabytes=900, seconds=60).returned()
    assert all(len(message) < 300 for message in said)
    assert "200000 hands in 50000 frames" in said[0] and "400000 frames" in said[1] and ".npz" in said[-1]


def test_thousands_of_scenes_are_joined_in_their_order():
    scene = random_scene(count=1, frames=1)
    joined = concatenate_frames([scene] * 20_000)
    assert joined.num_frames == 20_000 and joined.frame.tolist() == list(range(20_000))


def test_a_full_disk_is_told_as_one(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sesahand.files.writing.write_whole", full)
    with pytest.raises(SesaHandError, match="No space left on device. Make room there"):
        write_bytes(tmp_path / "a.json", b"")
