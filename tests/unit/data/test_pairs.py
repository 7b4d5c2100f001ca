"""Sets of pairs: what goes in comes out, growing is safe, and nothing that a file says is believed."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mano_fixture import write_mano
from pair_scenes import MODEL, assert_same_scene, make_facts, make_picture, make_scene
from PIL import Image

from sesahand.data.batch import LeftOut, PairBatch, describe_batch
from sesahand.data.check import describe, find_damage, find_strays, gather_statistics, repair
from sesahand.data.pair_set import PairSet
from sesahand.data.record import PairFacts, PairRecord
from sesahand.data.writer import PairWriter
from sesahand.errors import InvalidFileError, SesaHandError, UnsafeFileError
from sesahand.hands.mano import load_mano
from sesahand.semantics.behavior import COMPONENTS, BehaviorSemantics, ImageSemantics

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
NUMBER = st.one_of(st.none(), st.floats(0, 1))
FACTS = st.builds(
    PairFacts,
    prompt=TEXT,
    semantics=st.none() | st.builds(BehaviorSemantics, **dict.fromkeys(COMPONENTS, TEXT)),
    gesture=TEXT,
    seed=st.none() | st.integers(0, 2**64 - 1),
    control_scales=st.dictionaries(TEXT.filter(bool), st.floats(-1e300, 1e300), max_size=3),
    score=NUMBER,
    detector_score=NUMBER,
    mse_2d=st.none() | st.floats(0, 1e300),
    source=TEXT,
)


def write_set(root, count=3, **kwargs):
    with PairWriter(root) as writer:
        for n in range(count):
            picture = make_picture(n)
            writer.add(picture, make_scene(n, ("right", "left")[: n % 3]), make_facts(n), {"mesh": picture}, **kwargs)
    return root


def change_record(root, number, change):
    """Rewrite a line of the index after `change(data)`."""
    lines = (root / "index.jsonl").read_bytes().splitlines(keepends=True)
    data = json.loads(lines[number])
    change(data)
    lines[number] = json.dumps(data).encode() + b"\n"
    (root / "index.jsonl").write_bytes(b"".join(lines))


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 2**31),
    st.lists(st.sampled_from(["right", "left"]), max_size=3),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from([torch.float32, torch.float64]),
    FACTS,
    st.sets(st.sampled_from(["mesh", "depth", "mask"])),
)
def test_every_pair_comes_back_as_it_was(tmp_path_factory, seed, sides, size, dtype, facts, names):
    root = tmp_path_factory.mktemp("pairs") / "set"
    scene, picture = make_scene(seed, sides, size, dtype=dtype), make_picture(seed, size)
    maps = {name: picture[..., 0] if name == "mask" else picture.flip(0) for name in names}
    with PairWriter(root) as writer:
        key = writer.add(picture, scene, facts, maps)
    [pair] = PairSet(root)
    assert pair.key == key and pair.facts == facts
    assert torch.equal(pair.picture, picture.permute(2, 0, 1)) and pair.picture.dtype == torch.float32
    assert_same_scene(pair.scene, scene)
    assert set(pair.maps) == names
    for name in names:
        expected = maps[name][None] if name == "mask" else maps[name].permute(2, 0, 1)
        assert torch.equal(pair.map(name), expected)
    posed = scene.pose().keypoints
    assert np.array_equal(pair.parameters.keypoints_3d, posed.numpy().astype(np.float32))
    expected = scene.camera.project(posed.double()).float()
    torch.testing.assert_close(torch.from_numpy(pair.parameters.keypoints_2d), expected)


def test_the_stored_camera_matrix_and_boxes_are_those_of_the_projected_surface(tmp_path):
    write_set(tmp_path / "set")
    pair = PairSet(tmp_path / "set")[2]
    with np.load(pair.path("npz")) as stored:
        matrix = stored["K"]
    for n, vertices in enumerate(pair.scene.pose().vertices.double().numpy()):
        pixels = vertices @ matrix.T
        pixels = pixels[:, :2] / pixels[:, 2:]
        np.testing.assert_allclose(pair.record.hands[n].box, [*pixels.min(0), *pixels.max(0)], rtol=1e-6)


def test_jpeg_pictures_come_back_nearly(tmp_path):
    smooth = torch.linspace(0, 1, 64)[None, :, None].expand(48, 64, 3)
    with PairWriter(tmp_path / "set", "jpg") as writer:
        writer.add(smooth, make_scene())
    [pair] = PairSet(tmp_path / "set")
    assert pair.path("picture").suffix == ".jpg"
    assert (pair.picture - smooth.permute(2, 0, 1)).abs().max() < 0.02


def test_a_mano_pair_comes_back_and_names_the_file_it_needs(tmp_path):
    mano = load_mano(write_mano(tmp_path))
    scene = make_scene(3, ("left", "right"), model=mano)
    with PairWriter(tmp_path / "set") as writer:
        writer.add(make_picture(), scene)
    assert_same_scene(PairSet(tmp_path / "set", [mano])[0].scene, scene)
    bare = PairSet(tmp_path / "set")[0]
    assert bare.record.hand_model == "mano" and bare.parameters.pose.shape == (2, 48)
    with pytest.raises(SesaHandError, match="MANO_RIGHT.pkl"):
        _ = bare.scene


def test_pictures_are_seen_at_their_own_size_and_refused_at_other_proportions(tmp_path):
    scene = make_scene(size=(64, 48))
    with PairWriter(tmp_path / "set") as writer:
        writer.add(make_picture(size=(128, 96)), scene)
        with pytest.raises(SesaHandError, match="aspect"):
            writer.add(make_picture(size=(64, 64)), scene)
    [pair] = PairSet(tmp_path / "set")
    assert (pair.scene.camera.width, pair.scene.camera.height) == (128, 96)
    assert torch.allclose(2 * scene.camera.project(scene.pose().keypoints), torch.tensor(pair.parameters.keypoints_2d))


@pytest.mark.parametrize(
    "picture, said",
    [
        (torch.full((48, 64, 3), float("nan")), "NaN"),
        (torch.zeros(48, 64, 3, dtype=torch.uint8), "divide by 255"),
        (torch.zeros(0, 64, 3), "at least one"),
        (torch.zeros(48, 64, 2), "channels"),
        (torch.zeros(48, 64), "channels"),
        ("picture", "str"),
    ],
)
def test_what_is_no_picture_is_refused_and_leaves_the_set_as_it_was(tmp_path, picture, said):
    with PairWriter(tmp_path / "set") as writer:
        with pytest.raises(SesaHandError, match=said):
            writer.add(picture, make_scene())
        assert writer.add(make_picture(), make_scene()) == "00000000"
    assert len(PairSet(tmp_path / "set")) == 1


def test_grey_is_spread_and_alpha_is_composited_on_white(tmp_path):
    alpha = torch.tensor([1.0, 0.0, 0.0, 0.6]).expand(48, 64, 4)
    with PairWriter(tmp_path / "set") as writer:
        writer.add(torch.full((48, 64, 1), 0.2), make_scene())
        writer.add(alpha, make_scene())
    grey, red = PairSet(tmp_path / "set")
    assert torch.allclose(grey.picture, torch.tensor(0.2))
    assert torch.allclose(red.picture[:, 0, 0], torch.tensor([1.0, 0.4, 0.4]), atol=1e-3)


BAD_KEYS = ["", "../out", "a/b", "A", "a.b", "a-b", "con", "nul", "lpt1", "_a", "a" * 65, "ä", "a\n", "a" * 9 + " "]


@pytest.mark.parametrize("key", BAD_KEYS)
def test_keys_that_are_no_plain_names_everywhere_are_refused(tmp_path, key):
    with PairWriter(tmp_path / "set") as writer, pytest.raises(SesaHandError, match="key"):
        writer.add(make_picture(), make_scene(), key=key)
    assert {path.name for path in (tmp_path / "set").iterdir()} == {"pairs.json", "index.jsonl", "writer.lock"}


def test_a_key_is_written_once(tmp_path):
    with PairWriter(tmp_path / "set") as writer:
        writer.add(make_picture(), make_scene(), key="fist")
        assert "fist" in writer and "palm" not in writer
        with pytest.raises(SesaHandError, match="already"):
            writer.add(make_picture(1), make_scene(), key="fist")
    with PairWriter(tmp_path / "set") as writer:
        assert "fist" in writer
        assert writer.add(make_picture(), make_scene()) == "00000001"
    assert torch.equal(PairSet(tmp_path / "set").find("fist").picture, make_picture().permute(2, 0, 1))


def test_numbered_keys_pass_over_those_that_are_taken(tmp_path):
    with PairWriter(tmp_path / "set") as writer:
        writer.add(make_picture(), make_scene(), key="00000001")
        assert [writer.add(make_picture(), make_scene()) for _ in range(2)] == ["00000002", "00000003"]


def test_a_thousand_samples_go_into_a_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("sesahand.data.writer.SAMPLES_PER_FOLDER", 2)
    write_set(tmp_path / "set", 5)
    pairs = PairSet(tmp_path / "set")
    assert [pair.path("picture").parent.name for pair in pairs] == ["00000", "00000", "00001", "00001", "00002"]
    assert [pair.prompt for pair in pairs] == [make_facts(n).prompt for n in range(5)]


def test_a_second_writer_is_refused_while_the_first_writes(tmp_path):
    with PairWriter(tmp_path / "set"):
        with pytest.raises(SesaHandError, match="Somebody else"):
            PairWriter(tmp_path / "set")
    PairWriter(tmp_path / "set").close()


def test_readers_see_whole_pairs_while_somebody_writes(tmp_path):
    with PairWriter(tmp_path / "set") as writer:
        writer.add(make_picture(), make_scene())
        assert len(PairSet(tmp_path / "set")) == 1


def test_a_closed_writer_writes_nothing(tmp_path):
    with PairWriter(tmp_path / "set") as writer:
        pass
    with pytest.raises(SesaHandError, match="closed"):
        writer.add(make_picture(), make_scene())


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(SesaHandError, match="other files"):
        PairWriter(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_a_record_torn_at_any_byte_is_dropped_and_written_again(tmp_path):
    whole = write_set(tmp_path / "whole", 2)
    index = (whole / "index.jsonl").read_bytes()
    first = index.index(b"\n") + 1
    for cut in {first, first + 1, first + 7, (first + len(index)) // 2, len(index) - 2, len(index) - 1}:
        root = tmp_path / f"cut{cut}"
        shutil.copytree(whole, root)
        (root / "index.jsonl").write_bytes(index[:cut])
        pairs = PairSet(root)
        assert pairs.keys == ["00000000"] and pairs.index.torn == cut - first
        assert len(find_strays(pairs)["orphan"]) == 3
        with PairWriter(root) as writer:
            picture = make_picture(1)
            writer.add(picture, make_scene(1, ("right",)), make_facts(1), {"mesh": picture})
        assert (root / "index.jsonl").read_bytes() == index


def test_zeros_that_a_lost_power_leaves_at_the_end_are_torn_too(tmp_path):
    root = write_set(tmp_path / "set", 2)
    with (root / "index.jsonl").open("ab") as file:
        file.write(bytes(500) + b"\n")
    assert len(PairSet(root)) == 2
    with PairWriter(root) as writer:
        writer.add(make_picture(), make_scene())
    assert len(PairSet(root)) == 3


def test_a_full_disk_leaves_the_set_as_it_was(tmp_path, monkeypatch):
    root = write_set(tmp_path / "set", 1)
    before = (root / "index.jsonl").read_bytes()
    writer = PairWriter(root)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("sesahand.data.writer.os.fsync", full)
        with pytest.raises(SesaHandError, match="No space left"):
            writer.add(make_picture(5), make_scene(5))
    assert (root / "index.jsonl").read_bytes() == before and not list(root.rglob("*.partial"))
    writer.add(make_picture(5), make_scene(5))
    writer.close()
    assert len(PairSet(root)) == 2


def test_damage_in_the_middle_of_the_index_is_an_error_that_repair_puts_right(tmp_path):
    root = write_set(tmp_path / "set", 3)
    lines = (root / "index.jsonl").read_bytes().splitlines(keepends=True)
    (root / "index.jsonl").write_bytes(lines[0] + b"garbage\n" + lines[2])
    with pytest.raises(InvalidFileError, match="line 2 is damaged"):
        PairSet(root)
    done = repair(root)
    assert PairSet(root).keys == ["00000000", "00000002"]
    assert done == ["dropped 1 of 3 lines of the index", "deleted 3 orphan files"]
    assert list(find_damage(PairSet(root))) == [None, None]


@pytest.mark.parametrize(
    "field, value",
    [
        ("key", "../../etc/passwd"), ("folder", -1), ("folder", "00000"), ("folder", 10**9), ("picture", "exe"),
        ("picture", ["png"]), ("width", 0), ("width", 10**9), ("width", True), ("maps", ["../x"]), ("maps", "mesh"),
        ("maps", ["mesh", "mesh"]), ("hands", {}), ("hands", [{}]), ("hands", [1] * 2000), ("prompt", 5),
        ("prompt", "x" * 30_000), ("seed", -1), ("seed", 1.5), ("seed", 2**64), ("score", 2), ("score", "1"),
        ("semantics", {"pose": "x"}), ("semantics", []), ("control_scales", {"a": "b"}), ("control_scales", []),
        ("flat_hand", 1), ("hand_model", None), ("unknown", 1), ("mse_2d", -1), ("score", True),
        ("hands", [{"side": "up", "box": [0, 0, 1, 1], "score": 1}]),
        ("hands", [{"side": "left", "box": [0, 0, 1], "score": 1}]),
        ("hands", [{"side": "left", "box": [0, 0, 1, 10**400], "score": 1}]),
    ],
)  # fmt: skip
def test_records_that_say_impossible_things_are_refused(tmp_path, field, value):
    root = write_set(tmp_path / "set", 1)
    change_record(root, 0, lambda data: data.__setitem__(field, value))
    if field != "key":
        with pytest.raises(InvalidFileError):
            PairSet(root)[0]
    with pytest.raises(InvalidFileError):
        PairRecord.from_line((root / "index.jsonl").read_bytes(), "line")


@settings(max_examples=100, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=4),
       st.sampled_from([name for name in (*PairRecord.__dataclass_fields__, *PairFacts.__dataclass_fields__)
                        if name != "facts"]))  # fmt: skip
def test_no_value_of_any_field_raises_anything_but_our_error(value, field):
    record = PairRecord("a", 0, "png", 1, 1, (), "sesahand-cc0", "CC0", True, "", (), PairFacts())
    data = json.loads(record.to_line()) | {field: value}
    line = json.dumps(data).encode()
    try:
        assert PairRecord.from_line(line, "line").key
    except SesaHandError:
        pass


def test_damaged_and_hostile_files_of_a_sample_are_named(tmp_path):
    root = write_set(tmp_path / "set", 3)
    pairs = PairSet(root)
    pairs[0].path("picture").write_bytes(b"no picture")
    Image.new("RGB", (9, 9)).save(pairs[1].path("mesh"))
    np.savez(pairs[2].path("npz"), header=np.array([{"a": 1}], dtype=object))
    found = list(find_damage(pairs))
    assert "cannot be read as a picture" in found[0] and "9x9" in found[1] and "Python objects" in found[2]
    with pytest.raises(UnsafeFileError):
        _ = pairs[2].scene
    repair(root, [key for key, fault in zip(pairs.keys, found, strict=True) if fault])
    assert len(PairSet(root)) == 0 and find_strays(PairSet(root)) == {"partial": [], "orphan": [], "foreign": []}


def test_an_npz_with_wrong_shapes_or_too_few_hands_is_refused(tmp_path):
    root = write_set(tmp_path / "set", 3)
    pair = PairSet(root)[2]
    with np.load(pair.path("npz")) as stored:
        arrays = dict(stored)
    np.savez(pair.path("npz"), **{**arrays, "keypoints_2d": arrays["keypoints_2d"][:, :20]})
    with pytest.raises(InvalidFileError, match="keypoints_2d"):
        _ = pair.parameters
    shutil.copy(PairSet(root)[1].path("npz"), pair.path("npz"))
    with pytest.raises(InvalidFileError, match="holds 1 hands, but the index says 2"):
        _ = pair.scene


def test_links_that_lead_out_of_the_set_are_not_followed(tmp_path):
    root = write_set(tmp_path / "set", 1)
    pair = PairSet(root)[0]
    secret = tmp_path / "secret.png"
    pair.path("picture").rename(secret)
    (root / "00000" / "00000000.png").symlink_to(secret)
    with pytest.raises(InvalidFileError, match="leads out"):
        _ = pair.picture
    (tmp_path / "elsewhere").mkdir()
    with PairWriter(tmp_path / "other") as writer:
        (tmp_path / "other" / "00000").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(SesaHandError, match="is a link"):
            writer.add(make_picture(), make_scene())
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("header", [b"", b"[]", b"{}", b'{"format": "sesahand-pairs", "version": 2}', b"\xff" * 9])
def test_folders_that_are_no_sets_are_refused(tmp_path, header):
    (tmp_path / "pairs.json").write_bytes(header)
    for opening in (PairSet, PairWriter):
        with pytest.raises(InvalidFileError):
            opening(tmp_path)
    with pytest.raises(InvalidFileError, match="Save Image-Mesh Pair"):
        PairSet(tmp_path / "nowhere")


def test_a_data_loader_of_torch_reads_a_set(tmp_path):
    write_set(tmp_path / "set", 4)
    loader = torch.utils.data.DataLoader(
        PairSet(tmp_path / "set"), batch_size=2, collate_fn=lambda pairs: torch.stack([p.picture for p in pairs])
    )
    assert [tuple(batch.shape) for batch in loader] == [(2, 3, 48, 64)] * 2


def test_sequences_of_pairs_index_from_both_ends(tmp_path):
    pairs = PairSet(write_set(tmp_path / "set", 3))
    assert pairs[-1].key == pairs[2].key == "00000002" and pairs.keys[0] in pairs
    for number in (3, -4):
        with pytest.raises(IndexError):
            pairs[number]
    with pytest.raises(SesaHandError, match="no pair 'x'"):
        pairs.find("x")


def test_statistics_are_counts_done_by_hand(tmp_path):
    root = write_set(tmp_path / "set", 12)
    with PairWriter(root, "jpg") as writer:
        writer.add(make_picture(size=(32, 24)), make_scene(), PairFacts())
    found = gather_statistics(PairSet(root))
    assert found.pairs == 13 and dict(found.sides) == {"right": 9, "left": 4}
    assert dict(found.hands_per_pair) == {0: 4, 1: 5, 2: 4}
    assert dict(found.sizes) == {(64, 48): 12, (32, 24): 1} and dict(found.pictures) == {"png": 12, "jpg": 1}
    assert found.scores == {None: 1, 0: 2, **dict.fromkeys(range(1, 9), 1), 9: 2}
    assert found.prompts == found.semantics == found.gestures["open_palm"] == 12
    assert "13 pairs, 13 hands (right: 9, left: 4)" in describe(found)
    assert describe(gather_statistics([])) == "0 pairs, 0 hands (none)"


def test_a_batch_is_written_picture_by_picture_and_bad_scores_are_left_out(tmp_path):
    pictures = torch.stack([make_picture(n) for n in range(3)])
    scene = make_scene(0, ("right", "left", "right"), frames=3)
    said = [
        ImageSemantics(BehaviorSemantics(pose=f"pose {n}"), "rules", caption=f"caption {n}", prompt=f"prompt {n}")
        for n in range(3)
    ]
    batch = PairBatch(pictures, scene, {"mesh": pictures, "mask": pictures[:1, ..., 0]}, PairFacts(seed=4), said,
                      [0.9, 0.2, 0.5], 0.5)  # fmt: skip
    with PairWriter(tmp_path / "set") as writer:
        keys = list(batch.save(writer))
    assert keys == ["00000000", LeftOut.LOW_SCORE, "00000001"]
    first, last = PairSet(tmp_path / "set")
    assert [first.prompt, last.prompt] == ["prompt 0", "prompt 2"] and last.semantics.pose == "pose 2"
    assert last.facts.caption == "caption 2", "the raw caption stays beside the prompt"
    assert_same_scene(last.scene, dataclasses.replace(scene.select([2]), num_frames=1, frame=torch.zeros(1).long()))
    assert torch.equal(last.map("mask"), pictures[:1, ..., 0]) and last.facts.seed == 4 and last.facts.score == 0.5
    report = describe_batch(keys, "set", 2)
    assert report == (
        "2 of 3 pairs written to set (00000000 to 00000001). 1 left out below the minimum score. The set has 2 pairs."
    )


def test_pictures_without_hands_are_no_pairs(tmp_path):
    pictures = torch.stack([make_picture(n) for n in range(3)])
    scene = make_scene(0, ("right", "left"), frames=2)
    scene = dataclasses.replace(scene, num_frames=3)
    with PairWriter(tmp_path / "set") as writer:
        keys = list(PairBatch(pictures, scene, {}, scores=[0.9, 0.9, 1.0], minimum_score=0.5).save(writer))
    assert keys == ["00000000", "00000001", LeftOut.NO_HANDS]
    assert "1 left out without hands. The set has 2 pairs." in describe_batch(keys, "set", 2)


def test_pictures_that_could_not_be_scored_have_no_score_or_are_left_out_for_that_reason(tmp_path):
    pictures = torch.stack([make_picture(n) for n in range(2)])
    for folder, minimum in (("all", 0.0), ("good", 0.5)):
        with PairWriter(tmp_path / folder) as writer:
            batch = PairBatch(pictures, make_scene(), {}, scores=[None, 0.9], minimum_score=minimum)
            keys = list(batch.save(writer))
    assert [pair.facts.score for pair in PairSet(tmp_path / "all")] == [None, 0.9]
    assert keys == [LeftOut.NO_SCORE, "00000000"]
    assert "1 left out without a score, as their hands could not be looked for." in describe_batch(keys, "set", 1)


def test_a_scene_of_one_frame_goes_with_every_picture(tmp_path):
    pictures = torch.stack([make_picture(n) for n in range(2)])
    with PairWriter(tmp_path / "set") as writer:
        assert len(list(PairBatch(pictures, make_scene(), {}).save(writer))) == 2
    assert {pair.record.hands for pair in PairSet(tmp_path / "set")} == {PairSet(tmp_path / "set")[0].record.hands}


@pytest.mark.parametrize(
    "change, said",
    [
        ({"scene": make_scene(0, ("left",), frames=2)}, "2 frames of hands"),
        ({"maps": {"mesh": torch.zeros(2, 48, 64, 3)}}, "2 pictures of the map 'mesh'"),
        ({"scores": [1, 1]}, "2 scores"),
        ({"scores": [1]}, "1 scores"),
        ({"minimum_score": 0.5}, "no score"),
        ({"pictures": torch.zeros(0, 48, 64, 3)}, "at least one picture"),
    ],
)
def test_batches_whose_parts_do_not_fit_are_refused(change, said):
    with pytest.raises(SesaHandError, match=said):
        PairBatch(**{"pictures": torch.zeros(3, 48, 64, 3), "scene": make_scene(), "maps": {}, **change})


def test_the_hand_that_was_posed_is_the_models(tmp_path):
    write_set(tmp_path / "set", 2)
    record = PairSet(tmp_path / "set")[1].record
    assert (record.hand_model, record.hand_licence, record.flat_hand) == (MODEL.name, MODEL.licence, True)
    assert len(record.vertices_sha256) == 64


def test_records_of_the_first_sets_are_read_and_written_as_they_were(tmp_path):
    write_set(tmp_path / "set", 1)
    index = tmp_path / "set" / "index.jsonl"
    [line] = index.read_bytes().splitlines(keepends=True)
    assert b'"caption' not in line, "a pair without a caption is written as the first version wrote it"
    record = PairRecord.from_line(line, "line")
    assert record.to_line() == line and record.facts.caption == ""
    told = dataclasses.replace(record, facts=dataclasses.replace(record.facts, caption="A hand.", caption_style="raw"))
    assert PairRecord.from_line(told.to_line(), "line") == told
    with pytest.raises(InvalidFileError, match="caption"):
        PairRecord.from_line(told.to_line().replace(b'"A hand."', b"7"), "line")
