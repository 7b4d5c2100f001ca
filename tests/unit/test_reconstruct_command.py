"""`sesahand reconstruct`: what it writes and says of good pictures, bad ones and none."""

import csv
import io
import json

import numpy as np
import pytest
import torch
from detector_files import real_picture
from glb_reader import Glb
from hand_network_reference import SMALL_LAYERS, random_weights
from mano_fixture import write_mano
from PIL import Image
from safetensors.torch import save_file

from sesahand.cli import main
from sesahand.files.pictures import find_pictures, read_picture
from sesahand.hands.gestures import find_gesture
from sesahand.hands.loading import load_hand_model
from sesahand.hands.mano import MANO_NAME, load_mano
from sesahand.reconstruct.summary import PictureOutcome, summary_csv, summary_text
from sesahand.render.contact_sheet import to_pil
from sesahand.render.maps import render_maps
from sesahand.scene.camera import Camera
from sesahand.scene.hand_scene import concatenate_frames
from sesahand.scene.placing import Hand, place_in_box
from sesahand.scene.scene_files import load_scene, save_scene

SIZE = 256


def posed(gesture: str, width: int = SIZE, height: int = SIZE):
    """Return the scene of one right hand in the middle of a picture."""
    hand = Hand(load_hand_model("builtin"), (found := find_gesture(gesture)).hand_pose).turned(*found.view)
    half = 0.36 * min(width, height)
    middle = width / 2, height / 2
    box = (middle[0] - half, middle[1] - half, middle[0] + half, middle[1] + half)
    return place_in_box(hand, Camera.from_fov(width, height, 40.0), box)


@pytest.fixture(scope="module")
def drawn() -> Image.Image:
    """A drawing of a hand that the detector finds."""
    return to_pil(render_maps(posed("ok"), ("mesh",), antialias=True, forearm=True).mesh[0])


@pytest.fixture
def run(detector_folder, tmp_path, monkeypatch, capsys):
    """Run the command in a folder of its own; give back its status, what it printed, and the summary it wrote."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str):
        status = main(["reconstruct", *arguments, "--out", "out", "--detector", str(detector_folder)])
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err and "\r" not in printed.err, "a bar, although nobody looks"
        return status, printed.out, json.loads((tmp_path / "out/summary.json").read_text())

    return call


def written(folder) -> list[str]:
    return sorted(path.name for path in (folder / "out").iterdir() if not path.name.startswith(("summary.", ".")))


def rows(folder) -> list[dict]:
    with open(folder / "out/summary.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_picture_becomes_overlay_scene_and_rigged_mesh(run, drawn, tmp_path):
    drawn.save(tmp_path / "hand.png")
    status, printed, summary = run("hand.png")
    assert status == 0 and written(tmp_path) == ["hand_hands.glb", "hand_hands.json", "hand_overlay.png"]
    scene = load_scene(tmp_path / "out/hand_hands.json")
    assert scene.side == ("right",) and (scene.camera.width, scene.camera.height) == drawn.size
    glb = Glb((tmp_path / "out/hand_hands.glb").read_bytes())
    assert [mesh["name"] for mesh in glb.entries("meshes")] == ["right_hand"]
    overlay = np.asarray(Image.open(tmp_path / "out/hand_overlay.png")).astype(int)
    changed = np.abs(overlay - np.asarray(drawn)).max(-1) > 30
    hand = render_maps(posed("ok"), ("mesh",)).mask[0].numpy() > 0
    assert changed[hand].mean() > 0.7 and changed[~hand].mean() < 0.05
    [row], [result] = rows(tmp_path), summary["results"]
    assert (row["picture"], row["hand"], row["side"], row["note"]) == ("hand.png", "1", "right", "")
    assert float(row["error_percent"]) < 5 and float(row["score"]) > 0.9 and row["match"] == ""
    assert result["files"] == ["hand_overlay.png", "hand_hands.json", "hand_hands.glb"]
    assert "hand.png" in printed and "1 hand in 1 of 1 picture, 0 with an error" in printed


def test_bad_pictures_are_lines_of_the_table_and_do_not_stop_the_good_one(run, drawn, tmp_path):
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "a_empty.png").write_bytes(b"")
    (bad / "b_text.jpg").write_text("hello")
    Image.new("RGB", (1, 1)).save(bad / "c_pixel.png")
    Image.new("L", (20000, 2)).save(bad / "d_long.png")
    drawn.save(bad / "e_cut.png")
    (bad / "e_cut.png").write_bytes((bad / "e_cut.png").read_bytes()[:900])
    drawn.save(bad / "f_good.png")
    (bad / "notes.txt").write_text("no picture")
    status, printed, summary = run("bad", "nowhere.png")
    notes = {row["picture"].replace("\\", "/").rpartition("/")[2]: row["note"] for row in rows(tmp_path)}
    assert status == 1 and summary["failed"] == 5 and summary["hands"] == 1
    assert "it is no picture" in notes["a_empty.png"] and "it is no picture" in notes["b_text.jpg"]
    assert notes["c_pixel.png"] == "no hands" and notes["f_good.png"] == ""
    assert "20000x2" in notes["d_long.png"] and "truncated" in notes["e_cut.png"]
    assert "There is no file" in notes["nowhere.png"] and "notes.txt" not in notes
    assert "f_good_hands.glb" in written(tmp_path) and "c_pixel_hands.glb" not in written(tmp_path)
    assert "5 with an error" in printed


def test_pictures_of_one_stem_in_two_folders_do_not_overwrite_each_other(run, drawn, tmp_path):
    for name in ("a/手.png", "b/手.png", "b/手_2.png", "b/CON.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        drawn.save(tmp_path / name)
    status, printed, summary = run("a", "b", "a/手.png", "--mesh", "none")
    assert status == 0 and summary["pictures"] == 4
    names = ["_CON", "手", "手_2", "手_2_2"]
    assert written(tmp_path) == sorted(f"{name}_{end}" for name in names for end in ("hands.json", "overlay.png"))
    assert "手.png" in printed


@pytest.mark.parametrize(
    ("out", "message"), [("pictures", "hand.png lies in the folder for the results"), ("file/below", "cannot be made")]
)
def test_results_go_neither_among_the_pictures_nor_below_a_file(
    detector_folder, drawn, tmp_path, monkeypatch, capsys, out, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    (tmp_path / "file").write_text("in the way")
    drawn.save("pictures/hand.png")
    assert main(["reconstruct", "pictures", "--out", out, "--detector", str(detector_folder)]) == 2
    said = capsys.readouterr().err
    assert message in said and "Choose another with --out" in said
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["hand.png"]


@pytest.mark.parametrize(
    ("mesh", "names"),
    [("obj", ["x_hands.json", "x_hands.obj"]), ("ply", ["x_hands.json", "x_hands.ply"]), ("none", ["x_hands.json"])],
)
def test_the_mesh_can_be_of_another_kind(run, drawn, tmp_path, mesh, names):
    drawn.save(tmp_path / "x.png")
    assert run("x.png", "--mesh", mesh)[0] == 0
    assert written(tmp_path) == [*names, "x_overlay.png"]


def test_comparing_tells_the_requested_gesture_from_another(run, drawn, tmp_path):
    drawn.save(tmp_path / "hand.png")
    save_scene(posed("ok"), tmp_path / "ok.json")
    save_scene(posed("fist"), tmp_path / "fist.json")
    right = run("hand.png", "--compare", "ok.json")[2]["results"][0]
    wrong = run("hand.png", "--compare", "fist.json")[2]["results"][0]
    assert right["match"] > 0.75 > 0.5 > wrong["match"]
    assert "index" in wrong["comparison"] and "hand_score.png" in wrong["files"]
    assert float(rows(tmp_path)[0]["match"]) == pytest.approx(wrong["match"], abs=1e-3)


def test_a_comparison_that_cannot_be_leaves_the_hands_and_says_why(run, drawn, tmp_path):
    drawn.save(tmp_path / "hand.png")
    save_scene(posed("ok", 2 * SIZE), tmp_path / "wide.json")
    status, _, summary = run("hand.png", "--compare", "wide.json")
    assert status == 1 and summary["hands"] == 1 and "proportions" in rows(tmp_path)[0]["note"]


def test_a_long_lens_puts_hands_far_away_and_max_hands_leaves_the_surest(run, drawn, tmp_path):
    two = Image.new("RGB", (2 * SIZE, SIZE))
    two.paste(drawn, (0, 0))
    two.paste(drawn.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (SIZE, 0))
    two.save(tmp_path / "two.png")
    near = run("two.png")[2]["results"][0]["hands"]
    far = run("two.png", "--camera", "hamer", "--max-hands", "1")[2]["results"][0]["hands"]
    assert sorted(hand["side"] for hand in near) == ["left", "right"] and len(far) == 1
    assert far[0]["depth_m"] > 10 * near[0]["depth_m"] and far[0]["score"] == max(hand["score"] for hand in near)


def test_overlays_of_very_large_pictures_are_smaller_and_hands_stay_in_place(run, drawn, tmp_path, monkeypatch):
    monkeypatch.setattr("sesahand.commands.reconstruct.LARGEST_OVERLAY", 401)
    wide = Image.new("RGB", (801, SIZE))
    wide.paste(drawn, (300, 0))
    wide.save(tmp_path / "wide.png")
    status, _, summary = run("wide.png")
    assert status == 0 and summary["hands"] == 1
    overlay = np.asarray(Image.open(tmp_path / "out/wide_overlay.png")).astype(int)
    assert overlay.shape == (SIZE // 2, 400, 3)
    columns = np.nonzero((overlay[..., 0] - overlay[..., 2] > 40).any(0))[0]
    assert 150 <= columns.min() < columns.max() < 150 + SIZE // 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--fov 200", "field of view must be 1 to 170 degrees, got 200"),
        ("--camera hamer --fov 40", "leave out --fov"),
        ("--hand-model nowhere", "'nowhere' does not exist"),
        ("--compare nowhere.json", "nowhere.json does not exist"),
        ("--compare two.json", "two.json has 2 frames, but there are 1 pictures"),
        ("--threshold 1.5", "expected a number from 0 to 1, got '1.5'"),
        ("--max-hands 0", "expected a whole number from 1, got '0'"),
        ("--detector nowhere", "get-detector"),
        ("--refine", "name one with --reconstructor"),
        ("--reconstructor net.safetensors", "needs MANO"),
    ],
)
def test_what_cannot_be_is_told_before_any_picture_is_read(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    save_scene(concatenate_frames([posed("ok"), posed("ok")]), tmp_path / "two.json")
    try:
        status = main(["reconstruct", "nowhere.png", "--out", "out", *arguments.split()])
    except SystemExit as end:
        status = end.code
    said = capsys.readouterr()
    assert status == 2 and said.out == "" and message in " ".join(said.err.split())
    assert [path.name for path in tmp_path.iterdir()] == ["two.json"]


@pytest.mark.parametrize("kind", SMALL_LAYERS)
def test_a_networks_checkpoint_reconstructs_and_a_fit_puts_its_hands_over_the_points(run, drawn, tmp_path, kind):
    save_file(random_weights(SMALL_LAYERS[kind]()), tmp_path / "net.safetensors")
    (tmp_path / "mano").mkdir()
    mano = str(write_mano(tmp_path / "mano"))
    drawn.save(tmp_path / "hand.png")
    errors, focal = [], []
    for arguments in ((), ("--refine",)):
        options = ("--hand-model", mano, "--reconstructor", "net.safetensors", *arguments)
        status, _, summary = run("hand.png", *options)
        scene = load_scene(tmp_path / "out/hand_hands.json", load_mano(mano))
        assert status == 0 and scene.model.name == MANO_NAME and scene.side == ("right",)
        focal.append(scene.camera.focal_length / max(drawn.size))
        errors.append(float(rows(tmp_path)[0]["error_percent"]))
    # Random weights see no hand; the camera of the networks is a very long one, that of a fit an ordinary one.
    assert errors[1] < 0.5 * errors[0] and focal[0] > 10 > focal[1]


def test_stopping_it_leaves_a_table_of_what_was_done(run, drawn, tmp_path, monkeypatch):
    for name in ("a.png", "b.png", "c.png"):
        drawn.save(tmp_path / name)

    def stop(path):
        if path.name == "b.png":
            raise KeyboardInterrupt
        return read_picture(path)

    monkeypatch.setattr("sesahand.files.pictures.read_picture", stop)
    status, printed, summary = run("a.png", "b.png", "c.png")
    assert status == 130 and [result["picture"] for result in summary["results"]] == ["a.png"]
    assert "in 1 of 3 pictures" in printed


class TestReading:
    """Every kind of file gives the picture that one sees."""

    PIXELS = np.random.default_rng(5).integers(0, 256, (6, 9, 3), dtype=np.uint8)

    def grey(self) -> Image.Image:
        return Image.fromarray(self.PIXELS).convert("L")

    def read(self, picture: Image.Image, path, **settings) -> np.ndarray:
        picture.save(path, **settings)
        levels = read_picture(path)
        assert levels.dtype == torch.float32 and levels.ndim == 4 and len(levels) == 1
        return levels[0].numpy() * 255

    def test_colours_stay(self, tmp_path):
        assert np.allclose(self.read(Image.fromarray(self.PIXELS), tmp_path / "x.png"), self.PIXELS)

    def test_print_colours_are_light(self, tmp_path):
        cmyk = Image.fromarray(self.PIXELS).convert("CMYK")
        assert np.abs(self.read(cmyk, tmp_path / "x.tif") - self.PIXELS).max() < 2

    def test_sixteen_bits_are_not_clipped(self, tmp_path):
        deep = np.asarray(self.grey()).astype(np.uint16) * 257
        read = self.read(Image.fromarray(deep), tmp_path / "x.png")
        assert np.allclose(read, np.asarray(self.grey())[..., None], atol=0.01)

    def test_a_photograph_is_turned_as_it_says(self, tmp_path):
        exif = Image.Exif()
        exif[0x0112] = 6  # to be turned a quarter clockwise
        turned = self.read(Image.fromarray(np.rot90(self.PIXELS)), tmp_path / "x.png", exif=exif)
        assert np.allclose(turned, self.PIXELS)

    def test_alpha_is_kept_where_it_hides_something(self, tmp_path):
        picture = Image.fromarray(self.PIXELS).convert("RGBA")
        assert self.read(picture, tmp_path / "x.png").shape == (6, 9, 3)
        picture.putpixel((0, 0), (10, 20, 30, 40))
        assert self.read(picture, tmp_path / "x.png")[0, 0].tolist() == pytest.approx([10, 20, 30, 40])

    def test_a_palette_may_be_transparent(self, tmp_path):
        picture = self.grey().convert("P")
        assert self.read(picture, tmp_path / "x.gif", transparency=picture.getpixel((2, 3)))[3, 2, 3] == 0


def test_of_an_animation_the_first_frame_is_read_with_a_warning(tmp_path, caplog):
    frames = [Image.new("RGB", (8, 6), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    assert read_picture(tmp_path / "x.gif")[0, 0, 0].tolist() == pytest.approx([1, 0, 0], abs=0.02)
    [message] = [record.getMessage() for record in caplog.records]
    assert "x.gif has 2 frames, and only the first is used" in message
    frames[0].save(tmp_path / "still.gif")
    read_picture(tmp_path / "still.gif")
    assert len(caplog.records) == 1


def test_long_names_do_not_push_the_figures_out_of_the_terminal():
    names = [f"{'deep/' * 40}{number}.png" for number in range(2)] + ["short.png"]
    table = summary_text([PictureOutcome(name, error="no picture") for name in names])
    assert max(map(len, table.splitlines())) < 80
    assert "0.png" in table and "1.png" in table and "short.png" in table
    assert names[0] in summary_csv([PictureOutcome(names[0])])


def test_a_pictures_name_is_no_formula_no_command_and_no_line_of_its_own():
    names = [
        "=cmd|' -C calc'!A0.png",
        "+1.png",
        "-1.png",
        "@a.png",
        "\x1b[2Jred\u202e.png",
        "new\nsum.png  0 errors",
        "a.png",
    ]
    outcomes = [PictureOutcome(name, error="@no picture\n") for name in names]
    written = [row["picture"] for row in csv.DictReader(io.StringIO(summary_csv(outcomes)))]
    assert written[:4] == [f"'{name}" for name in names[:4]] and written[-1] == "a.png"
    assert written[4:6] == ["\\x1b[2Jred\\u202e.png", "new\\nsum.png  0 errors"]
    assert len(summary_text(outcomes).splitlines()) == len(names) + 1


def test_folders_stand_for_their_pictures_in_order_and_no_file_comes_twice(tmp_path):
    for name in ("b.JPG", "a.png", ".hidden.png", "c.txt", "deeper/d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = find_pictures([tmp_path / "c.txt", tmp_path, tmp_path / "a.png", tmp_path / "nowhere"])
    assert [path.name for path in found] == ["c.txt", "a.png", "b.JPG", "nowhere"]


# Hands that people see in the photographs and the detector is sure of.
PHOTOGRAPHS = {
    "hands_over_face": ["left", "right"],
    "open_palm": ["right"],
    "thumb_out": ["right"],
    "two_hands_crossed": ["left", "right"],
    "two_people_ok_sign": ["right", "right"],
    "victory": ["right"],
}


def test_real_hands_are_fitted_to_four_per_cent(run):
    paths = [str(real_picture(f"photos/{name}.jpg")) for name in PHOTOGRAPHS]
    status, _, summary = run(*paths, "--threshold", "0.2")
    found = [sorted(hand["side"] for hand in result["hands"]) for result in summary["results"]]
    assert status == 0 and found == list(PHOTOGRAPHS.values())
    errors = [hand["error_percent"] for result in summary["results"] for hand in result["hands"]]
    assert np.median(errors) < 2.5 and max(errors) < 5


def test_results_of_an_earlier_run_do_not_stay_beside_new_ones(run, drawn, tmp_path):
    drawn.save(tmp_path / "hand.png")
    run("hand.png", "--threshold", "0.2")
    assert "hand_hands.glb" in written(tmp_path)
    status, said, _ = run("hand.png", "--threshold", "1")
    assert status == 0 and "no hands" in said
    assert written(tmp_path) == ["hand_hands.json", "hand_overlay.png"]


def test_grey_fractions_are_read_and_what_is_none_is_refused(run, drawn, tmp_path):
    grey = np.asarray(drawn.convert("L")).astype(np.float32) / 255
    Image.fromarray(grey).save(tmp_path / "fractions.tiff")
    assert torch.equal(read_picture(tmp_path / "fractions.tiff")[0, ..., 0], torch.from_numpy(grey))
    Image.fromarray(np.full_like(grey, np.nan)).save(tmp_path / "nan.tiff")
    Image.fromarray(grey * 255).save(tmp_path / "levels.tiff")
    status, said, _ = run("nan.tiff", "levels.tiff")
    assert status == 1 and said.count("not all of them from 0 to 1") == 2


def test_boxes_masks_and_keypoints_say_where_the_hands_are(run, drawn, tmp_path):
    scene = posed("ok")
    points = scene.camera.project(scene.pose().keypoints)[0]
    left, top, right, bottom = *points.amin(0).tolist(), *points.amax(0).tolist()
    drawn.save(tmp_path / "a.png")
    drawn.save(tmp_path / "b.png")
    (tmp_path / "boxes.json").write_text(json.dumps([{"frame": 1, "side": "left", "box": [left, top, right, bottom]}]))
    _, _, summary = run("a.png", "b.png", "--boxes", "boxes.json")
    assert [[hand["side"] for hand in result["hands"]] for result in summary["results"]] == [[], ["left"]]
    mask = render_maps(scene, ("mask",)).mask[0]
    (tmp_path / "masks").mkdir()
    Image.fromarray((255 * mask).byte().numpy()).save(tmp_path / "masks/b.png")
    Image.new("L", (SIZE, SIZE)).save(tmp_path / "masks/a.png")
    _, _, summary = run("a.png", "b.png", "--mask", "masks")
    assert [[hand["side"] for hand in result["hands"]] for result in summary["results"]] == [[], ["right"]]
    (tmp_path / "masks/a.png").unlink()
    status, _, summary = run("a.png", "b.png", "--mask", "masks")
    assert status == 1 and "no mask of the name 'a'" in summary["results"][0]["error"]


def test_keypoints_do_without_the_detectors_files(drawn, tmp_path, monkeypatch, capsys):
    scene = posed("victory")
    points = scene.camera.project(scene.pose().keypoints)[0].tolist()
    monkeypatch.chdir(tmp_path)
    drawn.save(tmp_path / "a.png")
    (tmp_path / "points.json").write_text(json.dumps([{"frame": 0, "side": "right", "keypoints": points}]))
    given = ["--keypoints", "points.json", "--detector", "nowhere", "--out", "out"]
    assert main(["reconstruct", "a.png", *given]) == 0
    [hand] = json.loads((tmp_path / "out/summary.json").read_text())["results"][0]["hands"]
    assert hand["side"] == "right" and hand["depth_is_ambiguous"] and hand["error_percent"] < 3
    with pytest.raises(SystemExit):
        main(["reconstruct", "a.png", *given, "--boxes", "points.json"])
    assert "not allowed with" in capsys.readouterr().err


def test_without_hands_the_command_says_what_the_detector_does_not_know(run, tmp_path):
    Image.new("RGB", (96, 64), (200, 200, 200)).save(tmp_path / "wall.png")
    status, printed, _ = run("wall.png")
    assert status == 0 and "drawings, paintings and gloves" in printed
