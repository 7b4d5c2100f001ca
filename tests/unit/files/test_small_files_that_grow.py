"""Small files that become large, or take long, when they are read: refused with a sentence, within bounds."""

import json
import os
import re
import struct
import weakref
import zipfile
import zlib

import numpy as np
import pytest
import torch
from hostile import run_limited

from sesahand.errors import SesaHandError
from sesahand.evaluation.hands.hand_errors import hand_errors
from sesahand.evaluation.hands.hand_set import HandSet, SeenPicture
from sesahand.evaluation.hands.number_lists import read_number_lists
from sesahand.evaluation.hands.opening import open_hands
from sesahand.evaluation.hands.pairing import pair_hands, pair_pictures
from sesahand.files.folders import inside
from sesahand.files.reading import read_json_lines
from sesahand.reconstruct.detection.external import read_boxes, read_keypoints
from sesahand.reconstruct.detection.network import Network
from sesahand.reconstruct.detection.tflite import Graph, Operator, TensorInfo
from sesahand.render.contact_sheet import captioned_pictures
from sesahand.scene.bounding_boxes import read_bounding_boxes
from sesahand.scene.viewer_camera import ViewerCamera
from sesahand.training import samples
from sesahand.training.config import load_config

HUGE = 10**400


def write_npy(path, header: dict) -> None:
    text = repr(header).encode().ljust(117) + b"\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text)


@pytest.mark.parametrize(("kind", "count"), [("|S0", 10**10), ("<U0", 10**13), ("|V0", 10**10)])
def test_an_array_of_very_many_empty_texts_is_refused(tmp_path, kind, count):
    write_npy(tmp_path / "a.npz", {"descr": kind, "fortran_order": False, "shape": (count,)})
    ended = run_limited("sesahand.files.arrays:read_npz", tmp_path / "a.npz", megabytes=200)
    assert "of which there is none" in ended.refused()


def test_no_more_of_an_npz_member_is_unpacked_than_it_claims(tmp_path):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(400)) + packer.flush()
    facts = struct.pack("<HHHHHIII", 20, 0, 8, 0, 33, 0, len(packed), 100)
    local = b"PK\x03\x04" + facts + struct.pack("<HH", 5, 0) + b"a.npy"
    central = b"PK\x01\x02" + struct.pack("<H", 20) + facts + struct.pack("<HHHHHII", 5, 0, 0, 0, 0, 0, 0) + b"a.npy"
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local) + len(packed), 0)
    (tmp_path / "a.npz").write_bytes(local + packed + central + end)
    run_limited("sesahand.files.arrays:read_npz", tmp_path / "a.npz", megabytes=100).refused()


@pytest.mark.parametrize("text", ["[],", "{},", "0,", '"ab",'])
def test_json_of_very_many_values_is_refused_before_they_are_made(text):
    data = "[" + text * (60_000_000 // len(text)) + "0]"
    assert "too many values" in run_limited("sesahand.files.reading:parse_json", data, "it", megabytes=400).refused()


def test_a_log_of_very_many_lines_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("sesahand.files.reading.MAX_PARSED_BYTES", 100_000)
    (tmp_path / "log").write_text("[]\n" * 100)
    assert len(read_json_lines(tmp_path / "log")[0]) == 100
    (tmp_path / "log").write_text("[]\n" * 2000)
    with pytest.raises(SesaHandError, match="more values than a log"):
        read_json_lines(tmp_path / "log")


def test_lists_of_very_many_lists_take_no_memory_to_refuse(tmp_path):
    (tmp_path / "a.json").write_bytes(b"[" + b"[]," * 10_000_000 + b"[]]")
    ended = run_limited("sesahand.evaluation.hands.opening:open_hands", tmp_path / "a.json", megabytes=250)
    assert "different lengths" in ended.refused()


@pytest.mark.parametrize(
    "data",
    [
        b"[[[" + b",".join([b"1"] * 600_000) + b"]," + b",".join([b"[1]"] * 600_000) + b"]]",
        b"[[" + b",".join([b"[1]"] * 600_000) + b"]," + b",".join([b"[[1]]"] * 600_000) + b"]",
    ],
    ids=["point", "picture"],
)
def test_a_long_list_is_not_repeated_for_each_of_many_short_ones(data):
    ended = run_limited("sesahand.evaluation.hands.number_lists:read_number_lists", data, "it", megabytes=300)
    assert "different lengths" in ended.refused()


POINTS = [value for k in range(21) for value in (10 * k, 5 * k * k % 100, 2)]


def compare_refused(folder, pictures: list[dict], hands: list[dict]) -> str:
    """Evaluate a COCO file against itself in a child; return what it is refused with."""
    (folder / "a.json").write_text(json.dumps({"images": pictures, "annotations": hands}))
    return run_limited(pair_and_measure, folder / "a.json", megabytes=700, seconds=25).refused()


def pair_and_measure(path) -> None:
    hand_errors(pair_hands(open_hands(path), open_hands(path)))


@pytest.mark.parametrize("metres", [1e308, 1e200, 2e6])
def test_joints_beyond_all_rooms_are_refused(tmp_path, metres):
    joints = [[metres, -metres, metres]] * 20 + [[-metres, metres, -metres]]
    picture = {"id": 0, "file_name": "a.png", "width": 512, "height": 512}
    hand = {"image_id": 0, "keypoints": POINTS, "joint_cam": joints}
    assert "farther than 1000 metres" in compare_refused(tmp_path, [picture], [hand])


def pair_many(count: int) -> None:
    """Pair a set of so many pictures, of which the last two have one name, with itself."""
    pictures = tuple(SeenPicture(f"p{min(k, count - 2)}") for k in range(count))
    none = torch.zeros(0)
    points = [torch.zeros(0, 21, width, dtype=torch.float64) for width in (3, 2)]
    hands = HandSet("it", pictures, none.long(), (), none.double(), *points)
    pair_pictures(hands, hands)


def test_a_name_that_stands_twice_among_very_many_is_found_at_once():
    ended = run_limited(pair_many, 120_000, megabytes=300, seconds=25)
    assert "several pictures of the name 'p119998'" in ended.refused()


def test_a_picture_has_no_more_hands_than_can_be_told_apart(tmp_path):
    picture = {"id": 0, "file_name": "a.png", "width": 512, "height": 512}
    hands = [{"image_id": 0, "keypoints": POINTS}] * 1200
    assert "expected at most 200" in compare_refused(tmp_path, [picture], hands)


def test_number_lists_are_read_as_json_reads_them():
    rng = np.random.default_rng(5)
    first, second = rng.normal(size=(3, 21, 3)), rng.integers(-5, 5, (3, 7, 3))
    data = json.dumps([first.tolist(), second.tolist()], indent=1).encode()
    found = read_number_lists(b"\xef\xbb\xbf" + data, "it")
    assert [array.tolist() for array in found] == json.loads(data)
    for text, shapes in {
        "[]": [(0, 0, 0)], "[ [ ], [ ] ]": [(0, 0, 0)] * 2, "[[[1e-3,-2,.5]]]": [(1, 1, 3)],
        "[[[[1,2]]],[]]": [(1, 1, 2), (0, 0, 0)], "[[],[[[1,2]]]]": [(0, 0, 0), (1, 1, 2)],
    }.items():  # fmt: skip
        assert [array.shape for array in read_number_lists(text.encode(), "it")] == shapes


@pytest.mark.parametrize("name", ["scene.json", "x.JSON"])
def test_a_scene_is_no_larger_when_it_is_asked_whether_it_is_one(tmp_path, name):
    (tmp_path / name).write_bytes(b"[" + b"[]," * 7_000_000 + b"[]]")
    assert (
        "larger than" in run_limited("sesahand.scene.hand_files:load_hands", tmp_path / name, megabytes=200).refused()
    )


def test_a_list_of_samples_is_read_line_by_line_and_has_a_bound(tmp_path, monkeypatch):
    (tmp_path / "many.json").write_bytes(b"0\n" * 5_000_000)
    said = run_limited("sesahand.training.samples:open_samples", tmp_path / "many.json", 64, megabytes=100).refused()
    assert "line 1" in said
    for name, content in (("a.png", ""), ("a.txt", "a hand")):
        (tmp_path / name).write_text(content)
    (tmp_path / "list.json").write_text('{"rgb": "a.png", "mesh": "a.png", "text": "a.txt"}\n' * 5)
    assert len(list(samples.read_modalities(tmp_path / "list.json"))) == 5
    for bound, value in (("MAX_ROWS", 4), ("MAX_LIST_BYTES", 300)):
        monkeypatch.setattr(samples, bound, value)
        (tmp_path / "a.txt").write_text("a hand " * 20)
        (tmp_path / "list.json").write_text('{"rgb":"a.png","mesh":"a.png","text":"a.txt"}\n' * 5)
        with pytest.raises(SesaHandError, match="more than is kept in memory"):
            list(samples.read_modalities(tmp_path / "list.json"))
        monkeypatch.undo()


def convolution(dilation: int) -> Graph:
    kind = np.dtype("<f4")
    options = {"padding": "same", "stride_w": 1, "stride_h": 1, "activation": None}
    options |= {"dilation_w": dilation, "dilation_h": dilation}
    tensors = (
        TensorInfo("in", (1, 192, 192, 3), kind, None),
        TensorInfo("w", (1, 2, 2, 3), kind, np.zeros((1, 2, 2, 3), kind)),
        TensorInfo("out", (1, 192, 192, 1), kind, None),
    )
    return Graph(tensors, (Operator("CONV_2D", (0, 1), (2,), options),), (0,), (2,))


def test_windows_that_need_wide_margins_are_refused_before_a_picture_is_given():
    Network(convolution(2))
    with pytest.raises(SesaHandError, match="with their margins"):
        Network(convolution(20000))


def repeated(kind: str, count: int) -> Graph:
    """A network that takes as little of a file as can be, and takes it again and again."""
    small, large, half = np.dtype("<f4"), (1, 1024, 1024, 1), np.dtype("<f2")
    tensors = [TensorInfo("in", large, small, None), TensorInfo("c", large, half, np.zeros(large, half))]
    tensors += [TensorInfo(f"{k}", large, small, None) for k in range(count)]
    options = {"activation": None, "padding": "same", "stride_w": 1, "stride_h": 1}
    options |= {"filter_w": 512, "filter_h": 512} if kind == "MAX_POOL_2D" else {}
    of = {"LOGISTIC": 0, "DEQUANTIZE": 1, "MAX_POOL_2D": 0}[kind]
    steps = [Operator(kind, (of,), (2 + k,), options) for k in range(count)]
    if kind == "LOGISTIC":
        # Each of them waits until all are there.
        steps += [Operator("ADD", (2 + k, 0), (2 + k,), options) for k in range(count)]
    tensors.append(tensors[0])
    steps.append(Operator("LOGISTIC", (0,), (2 + count,), {}))
    return Graph(tuple(tensors), tuple(steps), (0,), (2 + count,))


@pytest.mark.parametrize(
    ("kind", "count", "says"),
    [("DEQUANTIZE", 4000, "more constants than"), ("LOGISTIC", 100, "keeps"), ("MAX_POOL_2D", 1, "it reads")],
)
def test_steps_that_take_much_together_are_refused_before_a_picture_is_given(kind, count, says):
    if kind != "MAX_POOL_2D":
        Network(repeated(kind, 2))
    assert says in run_limited(build, kind, count, megabytes=600, seconds=30).refused()


def build(kind: str, count: int) -> None:
    Network(repeated(kind, count))


def test_what_no_step_reads_is_not_kept():
    tensors = tuple(TensorInfo(name, (1, 2, 2, 1), np.dtype("<f4"), None) for name in ("in", "unread", "b", "out"))
    steps = tuple(Operator("LOGISTIC", (0,), (k,), {}) for k in (1, 2, 3))
    network, unread, gone = Network(Graph(tensors, steps, (0,), (2, 3))), [], []
    network.steps[0].register_forward_hook(lambda step, given, value: unread.append(weakref.ref(value)))
    network.steps[2].register_forward_hook(lambda step, given, value: gone.append(unread[0]() is None))
    network(torch.zeros(1, 2, 2, 1))
    assert gone == [True]


@pytest.mark.parametrize("depth", [3, 450, 980])
@pytest.mark.parametrize("inner", ["", '{"x": 1}'])
def test_boxes_in_lists_without_end_are_refused(depth, inner):
    with pytest.raises(SesaHandError, match="boxes"):
        read_boxes("[" * depth + inner + "]" * depth)


@pytest.mark.parametrize(
    "read",
    [
        lambda: read_boxes(f'[{{"x": {HUGE}, "y": 0, "width": 5, "height": 5}}]'),
        lambda: read_bounding_boxes([{"x": HUGE, "y": 0, "width": 5, "height": 5}]),
        lambda: read_keypoints([{"keypoints": [[HUGE, 1]] * 21}], 8, 8),
        lambda: ViewerCamera.read({"position": {"x": HUGE, "y": 0, "z": 0}, "target": {"x": 0, "y": 0, "z": 0}}),
        lambda: ViewerCamera.read({"position": {"x": 1e308, "y": 1e308, "z": 0}, "target": {"x": 0, "y": 0, "z": 0}}),
    ],
)
def test_numbers_that_no_float_holds_are_refused(read):
    with pytest.raises(SesaHandError):
        read()


def test_a_path_of_very_many_folders_is_not_walked(tmp_path):
    assert inside(tmp_path, *["a"] * 100).name == "a"
    with pytest.raises(SesaHandError, match="deeper than"):
        inside(tmp_path, *["a"] * 10_000)


@pytest.fixture
def looked_up(monkeypatch):
    """Paths that the system was asked about."""
    asked, ask = [], os.lstat
    monkeypatch.setattr(os, "lstat", lambda path, **named: asked.append(path) or ask(path, **named))
    return asked


@pytest.mark.parametrize("there", ["", "file", "folder"])
def test_behind_what_is_missing_nothing_is_looked_for(tmp_path, looked_up, there):
    if there == "folder":
        (tmp_path / "a").mkdir()
    elif there:
        (tmp_path / "a").touch()
    assert inside(tmp_path, *["a"] * 200) == tmp_path.joinpath(*["a"] * 200)
    assert len(looked_up) <= 2
    with pytest.raises(SesaHandError, match="no name of a file"):
        inside(tmp_path, *["a"] * 3, "..", "b")


def test_pictures_of_a_coco_file_in_very_many_folders_are_not_looked_for(tmp_path, looked_up):
    names = ["/".join("a" * 250), "/".join("a" * 12), "a.png"]
    images = [{"id": number, "file_name": name} for number, name in enumerate(names)]
    annotations = [{"image_id": 0, "keypoints": [1] * 63}]
    (tmp_path / "coco.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    (tmp_path / "images" / "/".join("a" * 11)).mkdir(parents=True)
    (tmp_path / "images" / names[1]).touch()
    looked_up.clear()
    pictures = open_hands(tmp_path / "coco.json").pictures
    assert [picture.file for picture in pictures] == [None, tmp_path / "images" / names[1], None]
    assert len(looked_up) < 60


# Characters that end a line for Python, but not for TOML, which has them in quoted keys.
@pytest.mark.parametrize("part", ["a", '"\x85"', '"\u2028"'])
def test_a_key_of_very_many_parts_is_refused(tmp_path, part):
    (tmp_path / "a.toml").write_text(".".join([part] * 2000) + " = 1\n", encoding="utf-8")
    with pytest.raises(SesaHandError, match=re.escape("more than 256 dots") + "|needs Python 3.11"):
        load_config(tmp_path / "a.toml")


@pytest.mark.parametrize("words", [{"captions": ["W" * 50_000]}, {"title": "W" * 50_000}])
def test_words_on_a_sheet_that_nobody_could_read_are_refused(words):
    captioned_pictures(torch.zeros(1, 64, 64, 3), ["W" * 2000], title="W" * 2000)
    with pytest.raises(SesaHandError, match="shorten it"):
        captioned_pictures(torch.zeros(1, 64, 64, 3), **words)
