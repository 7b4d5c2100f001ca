"""Exported sets, read back as the programs that they are for read them."""

import io
import json
import pickle
import tarfile

import cv2
import numpy as np
import pytest
import torch
import yaml
from mano_fixture import write_mano
from pair_scenes import make_facts, make_picture, make_scene
from PIL import Image

from sesahand.cli import main
from sesahand.data.formats import FORMATS, MARK, export_pairs
from sesahand.data.pair_set import PairSet
from sesahand.data.writer import PairWriter
from sesahand.errors import SesaHandError
from sesahand.hands.loading import load_hand_model
from sesahand.hands.mano import load_mano
from sesahand.hands.rotations import axis_angle_to_matrix
from sesahand.render.maps import render_maps

SIDES = (("right",), (), ("left", "right"), ("left",))
SIZE = (96, 64)
BUILTIN = load_hand_model("builtin")


def write_set(root, model=BUILTIN, count=4, picture_format="png"):
    """Write a picture of one right hand, of none, of both, of a left one, and so on."""
    scenes = [make_scene(n, SIDES[n % 4], SIZE, model) for n in range(count)]
    with PairWriter(root, picture_format) as writer:
        for n, scene in enumerate(scenes):
            writer.add(make_picture(n, SIZE), scene, make_facts(n))
    return scenes


@pytest.fixture(scope="module")
def built_in(tmp_path_factory):
    root = tmp_path_factory.mktemp("built_in") / "set"
    return write_set(root), PairSet(root)


@pytest.fixture(scope="module")
def of_mano(tmp_path_factory):
    folder = tmp_path_factory.mktemp("of_mano")
    mano = load_mano(write_mano(folder))
    return write_set(folder / "set", mano), PairSet(folder / "set", [mano])


def posed(scene, n, parameters):
    """Pose hand `n` of a scene from a format's axis-angle numbers alone; returns keypoints `[21, 3]`."""
    rotations = axis_angle_to_matrix(torch.as_tensor(parameters["pose"]).double().view(16, 3))
    right = torch.tensor([parameters["right"]])
    where = scene.translation[n : n + 1].double()
    model = scene.model.to(torch.float64)
    return model(rotations[None, 0], rotations[None, 1:], parameters["betas"], where, right).keypoints[0]


class NumbersOnly(pickle.Unpickler):
    """Loads what numpy 1 and 2 both know, and nothing that runs anything."""

    def find_class(self, module, name):
        allowed = {("numpy", "ndarray"): np.ndarray, ("numpy", "dtype"): np.dtype, ("builtins", "bytearray"): bytearray}
        return allowed[module, name]


def test_attentionhands_loader_finds_picture_mesh_and_prompt(built_in, tmp_path, monkeypatch):
    _, pairs = built_in
    assert export_pairs(pairs, "attentionhand", tmp_path).written == 3
    monkeypatch.chdir(tmp_path)
    with open("data/modalities.json") as file:
        items = [json.loads(line) for line in file]
    assert [set(item) for item in items] == [{"mesh", "rgb", "text"}] * 3
    for item, number in zip(items, (0, 2, 3), strict=True):
        mesh, rgb = (cv2.imread(item[kind]) for kind in ("mesh", "rgb"))
        assert mesh.shape == rgb.shape == (64, 96, 3)
        text = open(item["text"], encoding="utf-8").readline()
        assert text == make_facts(number).prompt
        gray = cv2.cvtColor(cv2.resize(mesh, (512, 512)), cv2.COLOR_BGR2GRAY)
        contours, _ = cv2.findContours((gray > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        assert len(contours) >= 1, "its local crop would stop"
        shown = cv2.cvtColor(rgb, cv2.COLOR_BGR2RGB).astype(float) / 255
        assert np.abs(shown - make_picture(number, SIZE).numpy()).mean() < 0.12


def test_attentionhand_gets_no_picture_in_which_its_code_finds_no_hand(tmp_path):
    away = make_scene(0, ("right",), SIZE)
    away.translation[:, 0] += 50
    with PairWriter(tmp_path / "set") as writer:
        writer.add(make_picture(0, SIZE), away)
    done = export_pairs(PairSet(tmp_path / "set"), "attentionhand", tmp_path / "out")
    assert (done.written, done.left_out) == (0, 1)


def test_foundhand_finds_42_keypoints_right_hand_first_and_a_mask(built_in, tmp_path):
    scenes, pairs = built_in
    assert export_pairs(pairs, "foundhand", tmp_path).written == 3
    for number in (0, 2, 3):
        with np.load(tmp_path / f"{number:08d}-0.npz") as stored:
            sample = dict(stored)
        assert Image.open(tmp_path / f"{number:08d}-0.jpg").size == SIZE
        assert sample["hand_mask"].shape == (64, 96) and sample["hand_mask"].dtype == np.uint8
        assert set(np.unique(sample["hand_mask"])) == {0, 1}
        scene = scenes[number]
        for slot, side in enumerate(("right", "left")):
            part = slice(21 * slot, 21 * slot + 21)
            if side not in scene.side:
                assert not sample["kpts"][part].any() and not sample["joint_valid"][part].any()
                continue
            points = scene.pose().keypoints[scene.side.index(side)]
            np.testing.assert_allclose(sample["kpts"][part], scene.camera.project(points), rtol=1e-4, atol=1e-3)
            projected = (sample["joint3d"][part] @ sample["camrot"].T + sample["campos"])[:, :]
            projected = projected[:, :2] / projected[:, 2:] * sample["focal"] + sample["princpt"]
            np.testing.assert_allclose(sample["kpts"][part], projected, rtol=1e-4, atol=1e-3)
            inside = [(int(x), int(y)) for x, y in sample["kpts"][part] if 0 <= x < 96 and 0 <= y < 64]
            assert np.mean([sample["hand_mask"][y, x] for x, y in inside]) > 0.7
        assert sample["kpts"].shape == (42, 2) and sample["kpts"].dtype == np.float32


@pytest.mark.parametrize("kind", ["built_in", "of_mano"])
def test_hamers_tars_hold_a_list_of_hands_a_picture(kind, request, tmp_path):
    scenes, pairs = request.getfixturevalue(kind)
    done = export_pairs(pairs, "hamer", tmp_path)
    assert (done.written, done.left_out) == (3, 1)
    with tarfile.open(tmp_path / "000000.tar") as tar:
        members = {member.name: tar.extractfile(member).read() for member in tar}
    # webdataset's rule: a sample is a run of files that share the name up to its first dot.
    assert list(members) == [f"{n:08d}.{end}" for n in (0, 2, 3) for end in ("jpg", "data.pyd")]
    for number in (0, 2, 3):
        scene = scenes[number]
        assert Image.open(io.BytesIO(members[f"{number:08d}.jpg"])).size == SIZE
        hands = NumbersOnly(io.BytesIO(members[f"{number:08d}.data.pyd"])).load()
        assert isinstance(hands, list) and len(hands) == len(scene)
        for n, hand in enumerate(hands):
            assert hand["keypoints_2d"].shape == (21, 3) and hand["keypoints_3d"].shape == (21, 4)
            assert hand["hand_pose"].shape == (48,) and hand["betas"].shape == (10,)
            assert hand["right"] == (scene.side[n] == "right")
            assert hand["has_betas"].copy() == hand["has_hand_pose"].copy() == (kind == "of_mano")
            expected = scene.betas[n].numpy() if kind == "of_mano" else np.zeros(10)
            np.testing.assert_allclose(hand["betas"], expected, atol=1e-6)
            again = posed(scene, n, {"pose": hand["hand_pose"], "right": bool(hand["right"]),
                                     "betas": scene.betas[n : n + 1]})  # fmt: skip
            np.testing.assert_allclose(hand["keypoints_3d"][:, :3], again, atol=1e-5)
            pixels = hand["keypoints_3d"][:, :2] / hand["keypoints_3d"][:, 2:3] * scene.camera.focal_length
            np.testing.assert_allclose(
                hand["keypoints_2d"][:, :2], pixels + scene.camera.principal_point, rtol=1e-4, atol=1e-2
            )
            # The filters and changes of the loader.
            assert hand["scale"].min().item() * 200 > 1 and (hand["keypoints_2d"][:, 2] > 0).sum() > 4
            assert hand.get("extra_info", {}).get("fitting_loss", np.array({})).item() == {}
            pixels = scene.camera.project(scene.pose().vertices[n].double()).numpy()
            np.testing.assert_allclose(hand["scale"] * 200, 2 * np.ptp(pixels, axis=0), rtol=1e-4)
            np.testing.assert_allclose(hand["center"], (pixels.min(0) + pixels.max(0)) / 2, rtol=1e-4, atol=1e-3)
            hand["keypoints_2d"][:, :2] *= 2
    listed = yaml.safe_load((tmp_path / "datasets_tar.yaml").read_text())
    assert listed == {"SESAHAND-TRAIN": {"TYPE": "ImageDataset", "URLS": "000000.tar", "epoch_size": 3}}


def test_a_thousand_pictures_go_into_a_tar(built_in, tmp_path, monkeypatch):
    monkeypatch.setattr("sesahand.data.formats.hamer.SAMPLES_PER_TAR", 2)
    export_pairs(built_in[1], "hamer", tmp_path)
    counts = [len(tarfile.open(tmp_path / f"{n:06d}.tar").getnames()) for n in range(2)]
    assert counts == [4, 2] and not (tmp_path / "000002.tar").exists()
    listed = yaml.safe_load((tmp_path / "datasets_tar.yaml").read_text())
    assert listed == {"SESAHAND-TRAIN": {"TYPE": "ImageDataset", "URLS": "{000000..000001}.tar", "epoch_size": 3}}


@pytest.mark.parametrize("kind", ["built_in", "of_mano"])
def test_hamers_evaluation_reads_arrays_over_all_hands(kind, request, tmp_path):
    scenes, pairs = request.getfixturevalue(kind)
    export_pairs(pairs, "hamer-eval", tmp_path)
    data = np.load(tmp_path / "sesahand.npz", allow_pickle=False)
    scale = data["scale"].reshape(len(data["center"]), -1) / 200.0
    assert scale.shape == (4, 2) and len(data["imgname"]) == 4
    flat = [(scene, n) for scene in scenes for n in range(len(scene))]
    for row, (scene, n) in enumerate(flat):
        assert Image.open(tmp_path / str(data["imgname"][row])).size == SIZE
        assert data["right"][row].copy() == (scene.side[n] == "right")
        assert data["has_betas"].astype(np.float32)[row] == (kind == "of_mano")
        pixels = scene.camera.project(scene.pose().vertices[n].double()).numpy()
        np.testing.assert_allclose(200 * scale[row], np.ptp(pixels, axis=0), rtol=1e-4)
        np.testing.assert_allclose(data["hand_keypoints_3d"][row, :, :3], scene.pose().keypoints[n], atol=1e-6)
    assert data["hand_keypoints_2d"].shape == (4, 21, 3) and data["hand_pose"].shape == (4, 48)
    assert bool(np.any(data["betas"])) == (kind == "of_mano")
    assert data.get("extra_info", "default") == "default"


def test_hands_behind_the_camera_do_not_reach_hamer(tmp_path):
    scene = make_scene(0, ("right", "left"), SIZE)
    scene.translation[0, 2] = -1
    with PairWriter(tmp_path / "set") as writer:
        writer.add(make_picture(0, SIZE), scene)
    export_pairs(PairSet(tmp_path / "set"), "hamer-eval", tmp_path / "out")
    assert np.load(tmp_path / "out" / "sesahand.npz")["right"].tolist() == [0]


def test_handrefiners_loader_finds_image_mask_and_depth_under_one_name(built_in, tmp_path):
    _, pairs = built_in
    export_pairs(pairs, "handrefiner", tmp_path)
    items = [json.loads(line) for line in (tmp_path / "rgb_caption.json").open()]
    assert [item["txt"] for item in items] == [make_facts(n).prompt for n in (0, 2, 3)]
    for item, number in zip(items, (0, 2, 3), strict=True):
        source = cv2.cvtColor(cv2.imread(str(tmp_path / "image" / item["jpg"])), cv2.COLOR_BGR2RGB)
        assert np.array_equal(source, (make_picture(number, SIZE) * 255).round().byte().numpy())
        mask = np.array(Image.open(tmp_path / "mask" / item["jpg"]).convert("L")).astype(np.float32) / 255
        hint = cv2.imread(str(tmp_path / "pose" / item["jpg"]))
        assert np.array_equal(mask >= 0.5, hint[..., 0] > 0) and 50 <= hint[hint > 0].min() and hint.max() == 255
        assert item["dataset"] == "sesahand"


@pytest.mark.parametrize("kind", ["built_in", "of_mano"])
def test_the_coco_file_names_every_picture_and_hand(kind, request, tmp_path):
    scenes, pairs = request.getfixturevalue(kind)
    assert export_pairs(pairs, "coco", tmp_path).written == 4
    data = json.loads((tmp_path / "annotations.json").read_text())
    assert [image["id"] for image in data["images"]] == [1, 2, 3, 4]
    for image, scene, number in zip(data["images"], scenes, range(4), strict=True):
        assert Image.open(tmp_path / "images" / image["file_name"]).size == (image["width"], image["height"]) == SIZE
        facts = make_facts(number)
        assert (image["prompt"], image["seed"], image["score"]) == (facts.prompt, facts.seed, facts.score)
        assert image["semantics"] == facts.semantics.to_dict() and image["flat_hand"] is True
        found = [entry for entry in data["annotations"] if entry["image_id"] == image["id"]]
        assert [bool(entry["is_right"]) for entry in found] == [side == "right" for side in scene.side]
        for n, entry in enumerate(found):
            assert ("mano_param" in entry) == (kind == "of_mano") and ("hand_param" in entry) == (kind == "built_in")
            own, other = ("righthand_kpts", "lefthand_kpts")[:: 1 if entry["is_right"] else -1]
            assert len(entry[own]) == len(entry[other]) == 63 and not any(entry[other])
            points = np.array(entry[own]).reshape(21, 3)
            joints = np.array(entry["joint_cam"])
            pixels = joints[:, :2] / joints[:, 2:] * entry["cam_param"]["focal"] + entry["cam_param"]["princpt"]
            inside = ((pixels >= 0) & (pixels < SIZE)).all(1)
            assert np.array_equal(points[:, 2], 2 * inside) and not points[~inside].any()
            np.testing.assert_allclose(points[inside, :2], pixels[inside], rtol=1e-4, atol=1e-2)
            x, y, width, height = entry["bbox"]
            assert 0 <= x < x + width <= SIZE[0] and 0 <= y < y + height <= SIZE[1]
            assert (points[inside, 0] > x - 3).all() and (points[inside, 0] < x + width + 3).all()
            parameters = entry.get("mano_param") or entry["hand_param"]
            shape = torch.tensor(parameters["shape"])[None]
            again = posed(scene, n, {"pose": parameters["pose"], "right": entry["is_right"] == 1, "betas": shape})
            np.testing.assert_allclose(joints, again, atol=1e-5)
    assert len({entry["id"] for entry in data["annotations"]}) == 4


def exported(tmp_path, scene, maps=None, models=()):
    with PairWriter(tmp_path / "set") as writer:
        writer.add(make_picture(0, SIZE), scene, maps=maps)
    export_pairs(PairSet(tmp_path / "set", models), "coco", tmp_path / "out")
    return json.loads((tmp_path / "out" / "annotations.json").read_text())["annotations"]


def filled(polygons):
    """Return which pixels of a picture have their centre in a polygon."""
    outlines = [np.array(polygon, np.float32).reshape(-1, 2) for polygon in polygons]
    return np.array(
        [[any(cv2.pointPolygonTest(o, (x + 0.5, y + 0.5), False) >= 0 for o in outlines) for x in range(SIZE[0])]
         for y in range(SIZE[1])]
    )  # fmt: skip


def test_coco_knows_no_points_and_no_boxes_outside_the_picture(tmp_path):
    scene = make_scene(0, ("right", "left", "right"), SIZE)
    scene.translation[:] = torch.tensor([[-0.27, 0.05, 0.5], [0.0, 0.05, 0.5], [5.0, 0.05, 0.5]])
    first, second = exported(tmp_path, scene)
    assert [first["id"], second["id"], second["is_right"]] == [1, 2, 0]
    points = np.array(first["keypoints"]).reshape(21, 3)
    known = points[:, 2] == 2
    assert 0 < known.sum() < 21 and first["num_keypoints"] == known.sum() and not points[~known].any()
    pixels = scene.camera.project(scene.pose().keypoints)[0].numpy()
    np.testing.assert_allclose(points[known, :2], pixels[known], atol=1e-3)
    assert (pixels[~known] < 0).any(1).all() and not any(first["lefthand_kpts"])
    x, y, width, height = first["bbox"]
    assert x == 0 and width > 1 and y >= 0 and y + height <= SIZE[1]


def test_coco_outlines_the_pixels_in_which_each_hand_is_seen(tmp_path):
    scene = make_scene(0, ("right", "left"), SIZE)
    scene.translation[:] = torch.tensor([[-0.03, 0.05, 0.45], [0.03, 0.05, 0.6]])
    masks = render_maps(scene, maps=()).hand_masks.numpy() > 0
    assert masks[1].sum() > 20 and masks[0].sum() > 20
    for entry, mask in zip(exported(tmp_path, scene), masks, strict=True):
        found = filled(entry["segmentation"])
        assert (found & mask).sum() / (found | mask).sum() > 0.97
        assert entry["area"] == mask.sum() and all(len(polygon) >= 6 for polygon in entry["segmentation"])


@pytest.mark.parametrize("depth", [-1.0, 0.0, 0.03])
def test_hands_at_or_behind_the_camera_are_not_in_coco(tmp_path, depth):
    scene = make_scene(0, ("right", "left"), SIZE)
    scene.translation[0, 2] = depth
    entries = exported(tmp_path, scene)
    assert [entry["is_right"] for entry in entries] == [0] and max(map(abs, entries[0]["bbox"])) <= max(SIZE)


def test_a_mano_set_without_mano_exports_numbers_but_cannot_draw(of_mano, tmp_path):
    bare = PairSet(of_mano[1].root)
    assert export_pairs(bare, "coco", tmp_path / "coco").written == 4
    with pytest.raises(SesaHandError, match="MANO_RIGHT.pkl"):
        export_pairs(bare, "handrefiner", tmp_path / "handrefiner")


def test_stored_jpegs_are_taken_as_they_are(tmp_path):
    write_set(tmp_path / "set", count=1, picture_format="jpg")
    pairs = PairSet(tmp_path / "set")
    export_pairs(pairs, "foundhand", tmp_path / "out")
    assert (tmp_path / "out" / "00000000-0.jpg").read_bytes() == pairs[0].path("picture").read_bytes()


def test_an_export_goes_into_an_empty_folder_only(built_in, tmp_path):
    (tmp_path / "x").write_text("old")
    with pytest.raises(SesaHandError, match="not empty"):
        export_pairs(built_in[1], "coco", tmp_path)
    with pytest.raises(SesaHandError, match="formats are attentionhand"):
        export_pairs(built_in[1], "exe", tmp_path)


@pytest.mark.parametrize("format", FORMATS)
def test_two_exports_do_not_share_a_folder(built_in, tmp_path, format):
    refused = []

    def meanwhile():
        for pair in built_in[1]:
            with pytest.raises(SesaHandError, match="Another export is being written.*new folder") as error:
                export_pairs(built_in[1], format, tmp_path / "out")
            refused.append(error)
            yield pair

    done = export_pairs(meanwhile(), format, tmp_path / "out")
    assert done.written + done.left_out == len(refused) == len(built_in[1])
    assert not (tmp_path / "out" / MARK).exists()


def test_a_failed_export_leaves_no_mark_and_a_killed_one_says_so(built_in, tmp_path):
    def broken():
        raise KeyboardInterrupt
        yield

    with pytest.raises(KeyboardInterrupt):
        export_pairs(broken(), "foundhand", tmp_path)
    assert not list(tmp_path.iterdir())
    (tmp_path / MARK).touch()
    with pytest.raises(SesaHandError, match=rf"when it was killed: {MARK} is in it.*can be deleted"):
        export_pairs(built_in[1], "foundhand", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [MARK]


@pytest.mark.parametrize("format", FORMATS)
def test_a_set_of_no_pairs_exports_to_nothing(format, tmp_path):
    PairWriter(tmp_path / "set").close()
    done = export_pairs(PairSet(tmp_path / "set"), format, tmp_path / "out")
    assert (done.written, done.left_out) == (0, 0)


class TestCommand:
    def test_stats_counts_and_names_strays(self, built_in, tmp_path, capsys):
        write_set(tmp_path / "set")
        (tmp_path / "set" / "00000" / "00000009.png").write_bytes(b"x")
        assert main(["dataset", "stats", str(tmp_path / "set")]) == 0
        shown = capsys.readouterr().out
        assert "4 pairs, 4 hands (left: 2, right: 2)" in shown
        assert "problem: 1 orphan files, such as 00000/00000009.png" in shown

    def test_check_finds_damage_and_repair_removes_it(self, tmp_path, capsys):
        write_set(tmp_path / "set")
        assert main(["dataset", "check", str(tmp_path / "set")]) == 0
        PairSet(tmp_path / "set")[2].path("npz").write_bytes(b"x")
        assert main(["dataset", "check", str(tmp_path / "set")]) == 1
        assert "3 of 4 pairs are whole" in capsys.readouterr().out
        assert main(["dataset", "check", str(tmp_path / "set"), "--repair"]) == 0
        assert main(["dataset", "check", str(tmp_path / "set")]) == 0
        assert PairSet(tmp_path / "set").keys == ["00000000", "00000001", "00000003"]

    def test_export_leaves_bad_scores_out_and_says_so(self, tmp_path, capsys):
        write_set(tmp_path / "set")
        arguments = ["--format", "coco", "--out", str(tmp_path / "out"), "--minimum-score", "0.15"]
        assert main(["dataset", "export", str(tmp_path / "set"), *arguments]) == 0
        shown = capsys.readouterr()
        assert "2 pairs written" in shown.out and "2 left out below the minimum score" in shown.out
        assert main(["dataset", "export", str(tmp_path / "set"), *arguments]) == 2
        assert "not empty" in capsys.readouterr().err

    def test_a_folder_that_is_no_set_is_an_error(self, tmp_path, capsys):
        for action in ("stats", "check"):
            assert main(["dataset", action, str(tmp_path)]) == 2
        assert "Save Image-Mesh Pair" in capsys.readouterr().err
