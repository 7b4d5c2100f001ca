"""`sesahand evaluate`: its figures against an independent computation, its files, and which hand is which."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from detector_files import real_picture
from mano_fixture import write_mano
from pair_scenes import make_picture, make_scene
from PIL import Image
from scipy.integrate import trapezoid
from scipy.linalg import orthogonal_procrustes
from scipy.spatial import cKDTree

from sesahand.cli import main
from sesahand.data.formats import export_pairs
from sesahand.data.pair_set import PairSet
from sesahand.data.writer import PairWriter
from sesahand.errors import SesaHandError
from sesahand.evaluation.hands.conventions import CONVENTIONS
from sesahand.evaluation.hands.hand_errors import FIGURES, TWO_HAND_FIGURES, hand_errors, two_hand_errors
from sesahand.evaluation.hands.hand_set import SeenPicture, hands_of_scene
from sesahand.evaluation.hands.opening import ReadingSettings, open_hands
from sesahand.evaluation.hands.pairing import pair_hands
from sesahand.evaluation.hands.report import HandEvaluation, worst_pairs
from sesahand.hands.loading import load_hand_model
from sesahand.hands.skeleton import OPENPOSE_FROM_MANO
from sesahand.scene.hand_scene import HandScene, combine
from sesahand.scene.scene_files import save_scene


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def evaluate(capsys):
    """Run the command on files of the folder; give back what it answers as JSON."""

    def call(*arguments: str) -> dict:
        assert main(["evaluate", *arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return call


@pytest.fixture
def refused(capsys):
    """Run the command; give back the sentence with which it refuses."""

    def call(*arguments: str) -> str:
        assert main(["evaluate", *arguments]) == 2
        out, err = capsys.readouterr()
        assert out == "" and "Traceback" not in err
        return err

    return call


def write_json(name: str, value) -> str:
    with open(name, "w") as file:
        json.dump(value, file)
    return name


def random_hands(seed: int, count: int = 6, vertices: int = 778) -> tuple[np.ndarray, np.ndarray]:
    """Joints `[N, 21, 3]` and vertices `[N, V, 3]` of the size of hands, metres, half a metre before the camera."""
    random = np.random.default_rng(seed)
    joints, surface = random.normal(0, 0.03, (count, 21, 3)), random.normal(0, 0.03, (count, vertices, 3))
    return joints + [0, 0, 0.5], surface + [0, 0, 0.5]


def disturbed(points: np.ndarray, seed: int, metres: float = 0.006) -> np.ndarray:
    return 1.1 * points + np.random.default_rng(seed).normal(0, metres, points.shape)


def write_lists(name: str, joints: np.ndarray, vertices: np.ndarray) -> str:
    return write_json(name, [joints.tolist(), vertices.tolist()])


def moved(scene: HandScene, *shift: float) -> HandScene:
    return replace(scene, translation=scene.translation + torch.tensor(shift, dtype=scene.translation.dtype))


def of_side(scene: HandScene, side: str) -> HandScene:
    return scene.select([n for n, own in enumerate(scene.side) if own == side])


def two_hands() -> HandScene:
    """A right and a left hand beside each other in one picture of 640x480 pixels."""
    scene = make_scene(3, ("right", "left"), (640, 480))
    apart = torch.tensor([[-0.15, 0.0, 0.0], [0.15, 0.0, 0.0]])
    return replace(scene, translation=scene.translation + apart)


def write_set(name: str, scenes: list[HandScene]) -> None:
    with PairWriter(name) as writer:
        for number, scene in enumerate(scenes):
            size = scene.camera.width, scene.camera.height
            writer.add(make_picture(number, size), scene, key=f"pair_{number}")


def procrustes(found: np.ndarray, wanted: np.ndarray, reflect: bool) -> np.ndarray:
    """Points `[P, 3]` brought onto others by scipy's rotation, which may mirror, and the best scale."""
    a, b = found - found.mean(0), wanted - wanted.mean(0)
    turn, _ = orthogonal_procrustes(a, b)
    if not reflect and np.linalg.det(turn) < 0:
        # Kabsch: give up the direction that says least.
        u, _, vt = np.linalg.svd(a.T @ b)
        turn = u @ np.diag([1, 1, -1]) @ vt
    scale = np.trace((a @ turn).T @ b) / np.square(a).sum()
    return scale * a @ turn + wanted.mean(0)


def area(distances: np.ndarray) -> float:
    """Mean over the points of the area under their PCK curves, of distances `[N, P]` in millimetres."""
    limits = np.linspace(0, 50, 100)
    shares = (distances[..., None] <= limits).mean(0)
    return float((trapezoid(shares, limits, axis=-1) / 50).mean())


def f_at(found: np.ndarray, wanted: np.ndarray, metres: float) -> float:
    precision = np.mean(cKDTree(wanted).query(found)[0] < metres)
    recall = np.mean(cKDTree(found).query(wanted)[0] < metres)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def expected_figures(found, found_surface, wanted, wanted_surface, reflect: bool) -> dict[str, float]:
    """All figures of lists of hands, by loops over hands; millimetres."""

    def distances(a, b):
        return 1000 * np.linalg.norm(np.asarray(a) - np.asarray(b), axis=-1)

    rooted = [points - points[:, :1] for points in (found, wanted)]
    surfaces = [surface - points[:, :1] for surface, points in ((found_surface, found), (wanted_surface, wanted))]
    joints = [procrustes(a, b, reflect) for a, b in zip(found, wanted, strict=True)]
    meshes = [procrustes(a, b, reflect) for a, b in zip(found_surface, wanted_surface, strict=True)]
    return {
        "mpjpe": distances(*rooted).mean(),
        "pa_mpjpe": distances(joints, wanted).mean(),
        "auc_j": area(distances(*rooted)),
        "pa_auc_j": area(distances(joints, wanted)),
        "mpvpe": distances(*surfaces).mean(),
        "pa_mpvpe": distances(meshes, wanted_surface).mean(),
        "pa_auc_v": area(distances(meshes, wanted_surface)),
        "pa_f5": np.mean([f_at(a, b, 0.005) for a, b in zip(meshes, wanted_surface, strict=True)]),
        "pa_f15": np.mean([f_at(a, b, 0.015) for a, b in zip(meshes, wanted_surface, strict=True)]),
    }


class TestLists:
    @pytest.mark.parametrize("reflect", [False, True])
    def test_every_figure_is_that_of_an_independent_computation(self, evaluate, reflect):
        joints, vertices = random_hands(0)
        found = disturbed(joints, 1), disturbed(vertices, 2)
        # The mirror image of a hand: only with --reflect it is the same.
        for points in found:
            points[0, :, 0] *= -1
        truth, predictions = write_lists("t.json", joints, vertices), write_lists("p.json", *found)
        answer = evaluate(predictions, truth, *(["--reflect"] if reflect else []))
        expected = expected_figures(*found, joints, vertices, reflect)
        assert answer["figures"].keys() == expected.keys()
        for name, value in expected.items():
            assert answer["figures"][name]["mean"] == pytest.approx(value, rel=1e-4), name
            assert answer["figures"][name]["low"] < value < answer["figures"][name]["high"], name
        assert answer["settings"]["reflect"] is reflect
        assert answer["counts"]["matched"] == answer["counts"]["true_hands"] == 6

    def test_freihands_folder_is_read_and_its_cameras_project(self, evaluate, tmp_path):
        joints, vertices = random_hands(3, 3)
        camera = [[200.0, 0, 110], [0, 210, 100], [0, 0, 1]]
        for part, value in (("xyz", joints.tolist()), ("verts", vertices.tolist()), ("K", [camera] * 3)):
            write_json(f"evaluation_{part}.json", value)
        hands = open_hands(tmp_path)
        seen = joints @ np.array(camera).T
        assert np.allclose(hands.keypoints_2d.numpy(), seen[..., :2] / seen[..., 2:])
        assert [picture.key for picture in hands.pictures] == ["00000000", "00000001", "00000002"]
        assert hands.pictures[1].file == tmp_path / "evaluation" / "rgb" / "00000001.jpg"
        answer = evaluate(write_lists("pred.json", joints, vertices), ".")
        assert answer["figures"]["mpvpe"]["mean"] == pytest.approx(0, abs=1e-3)
        assert "mse_2d" not in answer["figures"], "points of a submission need not be where the camera sees them"

    @pytest.mark.skipif(os.name == "nt", reason="links need a right that users of Windows seldom have")
    @pytest.mark.parametrize("linked", ["evaluation", "evaluation/rgb", "evaluation/rgb/00000000.jpg"])
    def test_a_picture_behind_a_link_is_not_shown(self, tmp_path, linked):
        joints, _ = random_hands(2)
        write_json("evaluation_xyz.json", joints.tolist())
        own = tmp_path / "own"
        for place in (own, own / "rgb"):
            place.mkdir()
        for place in ("00000000.jpg", "rgb/00000000.jpg"):
            Image.new("RGB", (8, 8)).save(own / place)
        place = tmp_path / linked
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to({"evaluation": own, "evaluation/rgb": own}.get(linked, own / "00000000.jpg"))
        assert open_hands(tmp_path).pictures[0].file is None

    def test_ho3ds_joints_and_axes_are_told(self, evaluate):
        scene = make_scene(5, ("right",) * 3, (640, 480), frames=3)
        save_scene(scene, "ours.json")
        points = scene.pose().keypoints.double().numpy() * [1, -1, -1]
        ho3d = np.empty_like(points)
        ho3d[:, list(OPENPOSE_FROM_MANO)] = points
        write_json("ho3d.json", ho3d.tolist())
        assert evaluate("ours.json", "ho3d.json", "--convention", "ho3d")["figures"]["mpjpe"]["mean"] < 1e-3
        assert evaluate("ours.json", "ho3d.json")["figures"]["mpjpe"]["mean"] > 20
        # What both sides hold alike needs no convention.
        same = [evaluate("ho3d.json", "ho3d.json", "--convention", name) for name in ("freihand", "ho3d")]
        assert [answer["figures"]["pa_mpjpe"]["mean"] for answer in same] == pytest.approx([0, 0], abs=1e-6)

    def test_another_mesh_has_f_scores_by_the_joints_and_says_so(self, evaluate):
        joints, vertices = random_hands(6)
        write_lists("t.json", joints, vertices)
        write_lists("p.json", 1.2 * joints, 1.2 * vertices[:, ::2])
        answer = evaluate("p.json", "t.json")
        assert "mpvpe" not in answer["figures"] and "meshes differ" in " ".join(answer["notes"])
        # Scaled back by the joints, half of the vertices lie exactly on true ones.
        precise = [f_at(surface[::2], surface, 0.005) for surface in vertices]
        assert answer["figures"]["pa_f5"]["mean"] == pytest.approx(np.mean(precise), rel=1e-4)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("[[[[1, 2, 3]]], []]", "expected [pictures, 21, 3]"),
            ('[[["a", 2, 3]]]', "expected numbers"),
            ("[[[1, 2, 3], [1, 2]]]", "different lengths"),
            ("[[[1e400, 2, 3]]]", "farther than"),
            ("[[[NaN, 2, 3]]]", "not valid JSON"),
            ("[" * 9000, "not valid JSON"),
            ("[[[1000" + "0" * 400 + ", 1, 1]]]", "farther than"),
            ("[[[1, 2, 3 4]]]", "not valid JSON"),
            ("[[[1, 2, 3,]]]", "different lengths"),
            ("[[[1, 2, 3]], 4]", "different lengths"),
            ("[[[1, 2, 3]]] 4", "not valid JSON"),
            ("[[[]]]", "different lengths"),
            (json.dumps([np.zeros((2, 21, 3)).tolist(), np.zeros((1, 778, 3)).tolist()]), "as many pictures"),
            ('{"images": [], "annotations": [{"image_id": 1, "keypoints": []}]}', "which is not in images"),
            ('{"images": [{"id": 1, "file_name": 3}], "annotations": []}', "expected a name"),
            ('{"images": [{"id": [], "file_name": "a"}], "annotations": []}', "has no id"),
            ('{"images": [{"id": 1, "file_name": "a", "width": -3}], "annotations": []}', "width and height"),
            ('{"images": [{"id": 1, "file_name": "a"}], "annotations": [{"image_id": 1}]}', "no hand"),
            ('{"images": [{"id": 1, "file_name": "a"}], "annotations": [3]}', "has no image_id"),
            ('{"a": 1}', "no hand scene"),
        ],
    )
    def test_files_of_strangers_are_refused_with_a_sentence(self, refused, tmp_path, text, said):
        (tmp_path / "x.json").write_text(text)
        write_lists("t.json", *random_hands(0, 1))
        assert said in refused("x.json", "t.json") and said in refused("t.json", "x.json")

    def test_lists_of_other_lengths_are_refused(self, refused):
        write_lists("t.json", *random_hands(0, 3))
        write_lists("p.json", *random_hands(0, 2))
        assert "must be as many" in refused("p.json", "t.json")


class TestFolders:
    def test_a_pair_set_against_the_files_of_reconstruct(self, evaluate, tmp_path):
        scenes = [make_scene(seed, ("right",), (320, 240)) for seed in range(3)]
        write_set("set", scenes)
        (tmp_path / "found").mkdir()
        save_scene(moved(scenes[0], 0.0, 0.0, 0.1), "found/pair_0_hands.json")
        save_scene(scenes[1], "found/pair_1_hands.json")
        save_scene(scenes[2], "found/elsewhere_hands.json")
        (tmp_path / "found/summary.json").write_text("{}")
        answer = evaluate("found", "set", "--out", "results")
        # Moving a hand along the line of sight changes no joint seen from the wrist.
        assert answer["figures"]["mpjpe"]["mean"] == pytest.approx(0, abs=1e-3)
        assert answer["figures"]["mpvpe"]["samples"] == 2 and answer["figures"]["pa_f5"]["mean"] == pytest.approx(1)
        assert answer["counts"] == {
            "pictures": 3, "pictures_not_predicted": 1, "predicted_pictures_without_truth": 1, "true_hands": 3,
            "predicted_hands": 3, "matched": 2, "wrong_side": 0, "missing": 1, "extra": 0, "not_measured": 0,
        }  # fmt: skip
        assert answer["missing"] == [{"picture": "pair_2", "side": "right"}]
        assert "pair_2" in " ".join(answer["notes"]) and "elsewhere" in " ".join(answer["notes"])
        assert json.loads((tmp_path / "results/results.json").read_text()) == answer

    def test_pictures_of_another_size_are_compared_in_the_true_ones(self, evaluate):
        scene = make_scene(1, ("right",), (320, 240))
        save_scene(scene, "small_hands.json")
        save_scene(scene.resized(640, 480), "large_hands.json")
        assert evaluate("small_hands.json", "large_hands.json")["figures"]["mse_2d"]["mean"] == pytest.approx(
            0, abs=1e-6
        )

    def test_pictures_of_other_proportions_and_names_are_refused(self, refused, tmp_path):
        save_scene(make_scene(1, ("right",), (320, 240)), "a_hands.json")
        save_scene(make_scene(1, ("right",), (320, 320)), "b_hands.json")
        assert "320x320" in refused("a_hands.json", "b_hands.json")
        for name in "ab":
            (tmp_path / name).mkdir()
            save_scene(make_scene(1), f"{name}/{name}_hands.json")
        assert "NAME_hands.json" in refused("a", "b")

    def test_an_empty_folder_and_a_missing_one_are_refused(self, refused, tmp_path):
        save_scene(make_scene(1), "a_hands.json")
        (tmp_path / "empty").mkdir()
        assert "holds no hands" in refused("empty", "a_hands.json")
        assert "gone" in refused("gone", "a_hands.json")

    def test_links_in_a_folder_are_refused(self, refused, tmp_path):
        save_scene(make_scene(1), "a_hands.json")
        (tmp_path / "found").mkdir()
        (tmp_path / "found/a_hands.json").symlink_to(tmp_path / "a_hands.json")
        assert "is a link" in refused("found", "a_hands.json")

    def test_manos_parameters_are_hands_too(self, evaluate):
        write_mano(".")
        model = load_hand_model("MANO_RIGHT.pkl")
        scene = make_scene(2, ("right", "left"), (320, 240), model)
        save_scene(scene, "truth.json")
        mirrored = torch.tensor([[1.0, -1, -1], [-1, 1, 1], [-1, 1, 1]])
        lefts = ~scene.is_right
        poses = {name: getattr(scene, name).clone() for name in ("global_orient", "hand_pose")}
        for pose in poses.values():
            pose[lefts] *= mirrored
        np.savez(
            "hamer.npz", betas=scene.betas, is_right=scene.is_right.numpy(), pred_cam_t_full=scene.translation,
            scaled_focal_length=scene.camera.focal_length, **{name: pose.numpy() for name, pose in poses.items()},
        )  # fmt: skip
        options = ["--hand-model", "MANO_RIGHT.pkl", "--size", "320x240"]
        answer = evaluate("hamer.npz", "truth.json", *options)
        assert answer["figures"]["mpvpe"]["mean"] < 1e-2 and answer["figures"]["rrve"]["mean"] < 1e-2
        # Read as its own, the left hand points elsewhere: too far away to be the true one.
        assert evaluate("hamer.npz", "truth.json", *options, "--lefts", "own")["missing"][0]["side"] == "left"


class TestPairing:
    def test_hands_are_found_whatever_their_order(self, evaluate):
        scene = two_hands()
        save_scene(scene, "t.json")
        save_scene(scene.select([1, 0]), "p.json")
        answer = evaluate("p.json", "t.json")
        assert answer["figures"]["mpjpe"]["mean"] == pytest.approx(0, abs=1e-3) and answer["counts"]["matched"] == 2

    def test_missing_extra_and_wrong_sides_are_counted(self):
        scene = two_hands()
        truth = hands_of_scene(scene, "t", [SeenPicture("a")])
        far = combine([of_side(scene, "right"), moved(of_side(scene, "left"), -0.5, 0.3, 0.0)])
        # The right hand is said to be a left one, and the left hand is far from where it is.
        found = replace(hands_of_scene(far, "p", [SeenPicture("a")]), side=("left", "left"))
        pairs = pair_hands(found, truth)
        answer = HandEvaluation(pairs, hand_errors(pairs), *two_hand_errors(pairs), {}).to_dict()
        counts = answer["counts"]
        assert (counts["matched"], counts["wrong_side"], counts["missing"], counts["extra"]) == (1, 1, 1, 1)
        assert answer["missing"][0]["side"] == "left" and answer["extra"] == [{"picture": "a", "side": "left"}]
        assert answer["hands"][0]["side"] == "right" and answer["hands"][0]["predicted_side"] == "left"
        assert "mrrpe" not in answer["figures"], "no picture in which both hands were found"

    def test_the_side_decides_where_two_hands_cross(self):
        scene = two_hands()
        over = replace(scene, translation=scene.translation[:1].repeat(2, 1))
        sets = [hands_of_scene(each, "x", [SeenPicture("a")]) for each in (over.select([1, 0]), over)]
        assert sorted(pair_hands(*sets).pairs) == [(0, 1), (1, 0)]

    def test_a_picture_without_any_hand_is_a_normal_value(self, evaluate, capsys, tmp_path):
        save_scene(two_hands(), "t.json")
        save_scene(two_hands().select([]), "p.json")
        answer = evaluate("p.json", "t.json", "--out", "results")
        assert answer["figures"] == {} and answer["counts"]["missing"] == 2
        assert not (tmp_path / "results/worst.png").exists()
        assert main(["evaluate", "p.json", "t.json"]) == 0
        assert "nothing could be measured" in capsys.readouterr().out

    def test_a_name_that_two_pictures_have_is_refused(self, refused):
        image = {"file_name": "a.png"}
        write_json("t.json", {"images": [{"id": 1, **image}, {"id": 2, **image}, {"id": 3, "file_name": "b"}],
                              "annotations": []})  # fmt: skip
        assert "several pictures of the name 'a'" in refused("t.json", "t.json")


class TestTwoHands:
    def test_a_left_hand_that_is_off_is_off_as_seen_from_the_right_one(self, evaluate):
        scene = two_hands()
        save_scene(scene, "t.json")
        both = combine([moved(of_side(scene, "right"), 0.01, 0, 0), moved(of_side(scene, "left"), 0.01, 0.008, 0)])
        save_scene(both, "p.json")
        figures = evaluate("p.json", "t.json")["figures"]
        assert figures["mrrpe"]["mean"] == pytest.approx(8, abs=1e-3) and figures["mrrpe"]["samples"] == 1
        # Half of the vertices.
        assert figures["rrve"]["mean"] == pytest.approx(4, abs=1e-3)
        assert figures["mpvpe"]["mean"] == pytest.approx(0, abs=1e-3)


class TestCoco:
    def test_our_own_export_is_the_set(self, evaluate):
        write_set("set", [two_hands(), make_scene(9, ("left",), (640, 480))])
        export_pairs(PairSet("set"), "coco", "coco")
        answer = evaluate("set", "coco/annotations.json", "--out", "results")
        assert answer["counts"]["matched"] == answer["counts"]["true_hands"] == 3
        assert answer["figures"]["mpjpe"]["mean"] < 1e-3 and answer["figures"]["mrrpe"]["mean"] < 1e-3
        assert answer["figures"]["mse_2d"]["mean"] < 1e-6
        hands = open_hands("coco/annotations.json")
        assert all(picture.file is not None for picture in hands.pictures)

    def test_unknown_points_do_not_count_and_names_lead_nowhere_else(self, evaluate, tmp_path):
        scene = make_scene(1, ("right",), (320, 240))
        points = scene.camera.project(scene.pose().keypoints)[0].tolist()
        keypoints = [value for x, y in points for value in (x, y, 2)]
        # A wrist that nobody has seen.
        keypoints[:3] = [9000.0, 9000.0, 0]
        (tmp_path / "secret.png").write_bytes(b"x")
        (tmp_path / "coco").mkdir()
        image = {"id": "a", "file_name": "../secret.png", "width": 320, "height": 240}
        nobody = {"image_id": "a", "keypoints": [0] * 63}
        data = {"images": [image], "annotations": [{"image_id": "a", "keypoints": keypoints}, nobody]}
        write_json("coco/t.json", data)
        save_scene(scene, "secret_hands.json")
        answer = evaluate("secret_hands.json", "coco/t.json")
        assert answer["figures"].keys() == {"mse_2d"} and answer["figures"]["mse_2d"]["mean"] < 1e-6
        assert answer["counts"]["true_hands"] == 1 and answer["hands"][0]["side"] == ""
        assert open_hands("coco/t.json").pictures[0].file is None

    def test_both_hands_of_coco_wholebody(self):
        hand = [5.0, 6.0, 1] * 21
        person = {"image_id": 7, "keypoints": [0] * 51, "lefthand_kpts": hand, "righthand_kpts": [0.0] * 63}
        write_json("t.json", {"images": [{"id": 7, "file_name": "a/b c.jpg"}], "annotations": [person]})
        hands = open_hands("t.json")
        assert hands.side == ("left",) and hands.pictures[0].key == "b c"


class TestResults:
    def test_the_table_has_every_figure_with_its_interval(self, capsys):
        save_scene(two_hands(), "t.json")
        save_scene(moved(two_hands(), 0.01, 0, 0), "p.json")
        assert main(["evaluate", "p.json", "t.json"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert "2 true hands: 2 matched (0 of the wrong side), 0 missing, 0 extra" in lines[1]
        titles = [line.split()[0] for line in lines[4:]]
        assert titles == [figure.title for figure in (FIGURES | TWO_HAND_FIGURES).values()]

    def test_the_worst_hands_are_shown_over_their_pictures(self, evaluate, tmp_path):
        scenes = [make_scene(seed, ("right",), (320, 240)) for seed in range(3)]
        write_set("set", scenes)
        (tmp_path / "found").mkdir()
        for number, scene in enumerate(scenes):
            bent = scene.hand_pose if number != 1 else scene.hand_pose.mT
            save_scene(replace(scene, hand_pose=bent), f"found/pair_{number}_hands.json")
        answer = evaluate("found", "set", "--out", "results")
        errors = [hand["pa_mpjpe"] for hand in answer["hands"]]
        pairs = pair_hands(open_hands("found"), open_hands("set"))
        evaluation = HandEvaluation(pairs, {"pa_mpjpe": np.array(errors)}, [], {}, {})
        assert worst_pairs(evaluation, 2) == ("pa_mpjpe", [1, int(np.argsort(errors)[1])])
        sheet = np.asarray(Image.open(tmp_path / "results/worst.png")).astype(int)
        # Three hands of two squares each; the picture of noise is behind them, and the first hand's halves differ.
        assert sheet.shape[1] == 2 * 8 + 3 * (384 + 8) - 8
        first = sheet[60:200, 8 : 8 + 384]
        assert first.std() > 20 and np.abs(first[:, :192] - first[:, 192:]).max() > 100

    def test_without_a_place_in_the_picture_skeletons_are_seen_along_the_axis(self, evaluate, tmp_path):
        joints, vertices = random_hands(0, 2)
        write_lists("t.json", joints, vertices)
        write_lists("p.json", disturbed(joints, 1), disturbed(vertices, 2))
        evaluate("p.json", "t.json", "--out", "results")
        assert np.asarray(Image.open(tmp_path / "results/worst.png")).std() > 10

    def test_a_folder_that_cannot_be_written_is_told(self, refused, tmp_path):
        save_scene(make_scene(1), "a.json")
        (tmp_path / "file").write_text("")
        assert "--out" in refused("a.json", "a.json", "--out", "file")


def test_conventions_of_no_name_are_refused():
    with pytest.raises(SesaHandError, match="freihand, ho3d, rhd"):
        open_hands("x", ReadingSettings(convention="coco"))
    assert [sorted(convention.order) for convention in CONVENTIONS.values()] == [list(range(21))] * 3


class TestRealFiles:
    """Data sets' own files, where they are at hand; nothing of them is part of the project."""

    def test_rhds_joints_are_where_its_camera_sees_them(self):
        path = real_picture("keypoints/rhd/test_rhd.json")
        hands = open_hands(path, ReadingSettings(convention="rhd"))
        images = json.loads(path.read_text())["images"]
        for n, frame in enumerate(hands.frame.tolist()):
            camera = images[frame]["cam_param"]
            points = hands.keypoints_3d[n].numpy()
            seen = points[:, :2] / points[:, 2:] * camera["focal"] + camera["princpt"]
            assert np.abs(seen - hands.keypoints_2d[n].numpy()).max() < 1
            # From the palm to the tip: fingers are as long as fingers, and no bone is longer than the palm.
            bones = np.linalg.norm(np.diff(points[5:9], axis=0), axis=1)
            assert 0.015 < bones.min() and bones.max() < 0.08 and np.linalg.norm(points[5] - points[0]) > 0.06
        assert set(hands.side) == {"left", "right"} and all(picture.file for picture in hands.pictures)

    def test_figures_of_freihands_protocol_on_true_hands(self, evaluate):
        truth = open_hands(real_picture("keypoints/rhd/test_rhd.json"), ReadingSettings(convention="rhd"))
        joints = truth.keypoints_3d.numpy()
        surface = joints.repeat(20, 1)
        found = disturbed(joints, 1), disturbed(surface, 2)
        answer = evaluate(write_lists("p.json", *found), write_lists("t.json", joints, surface), "--reflect")
        for name, value in expected_figures(*found, joints, surface, True).items():
            assert answer["figures"][name]["mean"] == pytest.approx(value, rel=1e-4), name

    def test_freihands_keypoints_in_the_picture(self, evaluate):
        path = real_picture("keypoints/freihand/test_freihand.json")
        data = json.loads(path.read_text())
        for annotation in data["annotations"]:
            points = np.reshape(annotation["keypoints"], (21, 3))
            size = np.ptp(points[:, :2], axis=0).max()
            points[:, 0] += 0.1 * size
            annotation["keypoints"] = points.tolist()
        answer = evaluate(write_json("p.json", data), str(path))
        # A tenth of the hand's size is a hundredth of its square.
        assert answer["figures"]["mse_2d"]["mean"] == pytest.approx(0.01) and answer["counts"]["matched"] == 8

    def test_interhands_two_hands_by_their_own_camera(self, evaluate):
        folder = real_picture("keypoints/interhand2.6m/test_interhand2.6m_data.json").parent
        data, cameras, joints = (
            json.loads((folder / f"test_interhand2.6m_{name}.json").read_text())
            for name in ("data", "camera", "joint_3d")
        )
        image, shot = data["images"][0], str(data["images"][0]["capture"])
        camera = {
            name: np.array(cameras[shot][name][image["camera"]]) for name in ("campos", "camrot", "focal", "princpt")
        }
        world = np.array(joints[shot][str(image["frame_idx"])]["world_coord"])
        # Right hand then left, each with the wrist last and fingers from the tip: RHD's order, but for the wrist.
        hands = ((world - camera["campos"]) @ camera["camrot"].T).reshape(2, 21, 3)[:, [20, *range(20)]]
        pixels = hands[..., :2] / hands[..., 2:] * camera["focal"] + camera["princpt"]

        def coco(points):
            annotations = [
                {"image_id": 1, "hand_type": side, "joint_cam": points[n].tolist(),
                 "keypoints": np.concatenate([pixels[n], np.ones((21, 1))], 1).tolist()}
                for n, side in enumerate(("right", "left"))
            ]  # fmt: skip
            return {"images": [{"id": 1, "file_name": "a"}], "annotations": annotations}

        found = hands.copy()
        found[1, :, 2] += 12
        answer = evaluate(write_json("p.json", coco(found)), write_json("t.json", coco(hands)), "--convention", "rhd")
        assert answer["figures"]["mrrpe"]["mean"] == pytest.approx(12) and answer["counts"]["matched"] == 2
        assert answer["figures"]["mpjpe"]["mean"] == pytest.approx(0, abs=1e-6)
