"""The command `generate` from a sentence to files, on a tiny small model with random weights."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from tiny_diffusion import save_mini

from sesahand.cli import main
from sesahand.commands.generate import EXAMPLES
from sesahand.data.pair_set import PairSet
from sesahand.generate.picture_folder import Finished, label_of
from sesahand.generate.requests import read_words
from sesahand.hands.gestures import find_gesture
from sesahand.hands.loading import load_hand_model
from sesahand.models.small.embedded import has_embedded
from sesahand.reconstruct.scoring.picture_scorer import PictureScore
from sesahand.reconstruct.scoring.score import score_hands
from sesahand.render.contact_sheet import to_pil
from sesahand.render.maps import render_maps
from sesahand.scene.camera import Camera
from sesahand.scene.holding import hold_object
from sesahand.scene.placement import Placement
from sesahand.scene.placing import Hand, mirror_hand, place_in_box
from sesahand.scene.scene_files import load_scene, save_scene
from sesahand.semantics.gesture_words import find_named_gesture
from sesahand.world.vocabulary import in_small_words, translate


@pytest.fixture(scope="module")
def mini(tmp_path_factory):
    return str(save_mini(tmp_path_factory.mktemp("models") / "mini.safetensors"))


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def generate(mini, *arguments):
    return main(["generate", "--base", mini, "--steps", "2", "--device", "cpu", *arguments])


def test_a_sentence_becomes_a_picture_that_its_parameters_repeat(mini, tmp_path, capsys):
    words = "A woman shows her clenched hand in front of a red wall"
    assert generate(mini, words, "--no-score", "--seed", "5", "--out", "a", "--pairs", "set", "--count", "2") == 0
    said = capsys.readouterr()
    assert "fist: from 'clenched hand'" in said.err and "0002" in said.out
    record = json.loads((tmp_path / "a/0002_parameters.json").read_text())
    assert record["seed"] == 6 and record["gesture"] == "fist" and record["map"] == "mesh"
    assert Image.open(tmp_path / "a/contact_sheet.png").width > 300
    assert main(["generate", "--repeat", "a/0002_parameters.json", "--device", "cpu", "--no-score", "--out", "b"]) == 0
    for kind in ("picture.png", "map.png", "hands.json"):
        assert (tmp_path / f"b/0001_{kind}").read_bytes() == (tmp_path / f"a/0002_{kind}").read_bytes()
    pairs = PairSet(tmp_path / "set")
    assert len(pairs) == 2 and pairs[1].facts.seed == 6 and pairs[1].facts.gesture == "fist"
    assert main(["dataset", "check", "set"]) == 0


def test_captions_of_a_file_vary_and_their_pairs_keep_words_and_maps(mini, tmp_path, capsys):
    (tmp_path / "captions.txt").write_text(
        "A man in a garden makes a fist. Birds are singing.\n\nA woman at a table shows an ok sign.\n"
    )
    arguments = ("--captions", "captions.txt", "--no-score", "--vary", "--seed", "3", "--count", "3")
    assert generate(mini, *arguments, "--out", "a", "--pairs", "set", "--pair-maps", "mask,depth") == 0
    assert "hands are no near duplicate" in capsys.readouterr().out
    pairs = [*PairSet(tmp_path / "set")]
    assert [pair.facts.gesture for pair in pairs] == ["fist"] * 3 + ["ok"] * 3
    assert all(set(pair.record.maps) == {"mesh", "mask", "depth"} for pair in pairs)
    assert all(pair.facts.caption == "A man in a garden makes a fist. Birds are singing." for pair in pairs[:3])
    assert {pair.facts.caption_style for pair in pairs} <= {"clean", "short", "raw"}
    assert len({tuple(pair.parameters.betas.flatten().tolist()) for pair in pairs}) == 6
    # What is varied is in the record, so that a picture can be made again.
    record = json.loads((tmp_path / "a/0002_parameters.json").read_text())
    assert record["caption_style"] == pairs[1].facts.caption_style
    assert main(["generate", "--repeat", "a/0002_parameters.json", "--device", "cpu", "--no-score", "--out", "b"]) == 0
    assert (tmp_path / "b/0001_picture.png").read_bytes() == (tmp_path / "a/0002_picture.png").read_bytes()
    # Filling looks at what the set has, and says so by other hands than chance gave.
    assert generate(mini, *arguments, "--out", "c", "--pairs", "set", "--fill") == 0
    assert len(PairSet(tmp_path / "set")) == 12


def save_holding(path):
    """Save a hand that holds a cup."""
    bare = Placement((64, 64)).place(Hand.in_gesture(load_hand_model(), find_gesture("grasp_cylinder")))
    save_scene(hold_object(bare, "cup", 1.0, torch.tensor([True])).scene, path)


def test_a_controlnet_of_bare_hands_and_words_that_put_nothing_into_a_hand_are_told(mini, tmp_path, capsys):
    save_holding(tmp_path / "held.json")
    words = ("A right hand holding a red cup", "--no-score")
    assert generate(mini, *words, "--scene", "held.json", "--out", "a") == 0
    said = capsys.readouterr().err
    assert "the ControlNet sf has learnt maps of bare hands" in said and "not put into" not in said
    assert generate(mini, *words, "--out", "b") == 0
    said = capsys.readouterr().err
    assert "a red cup' is not put into the hand" in said and "bare hands alone" not in said
    assert generate(mini, "A right hand making a fist", "--no-score", "--out", "c") == 0
    assert "not put into" not in capsys.readouterr().err


def test_what_the_words_let_a_hand_hold_is_put_into_it(mini, tmp_path, capsys):
    sentences = (
        "A left hand holding a red mug",
        "A right hand making a fist",
        "Both hands around a mug",
        "A right hand holding a knife",
    )
    assert generate(mini, *sentences, "--hold", "--no-score", "--out", "a") == 0
    said = capsys.readouterr().err
    assert "fist' puts nothing into a hand" in said and "a knife' is held as the tool" in said
    assert "not put into" not in said
    scenes = [load_scene(path) for path in sorted((tmp_path / "a").glob("*_hands.json"))]
    assert [[held.kind for held in scene.objects] for scene in scenes] == [["cup"], [], ["cup"], ["tool"]]
    assert [scene.side for scene in scenes] == [("left",), ("right",), ("right", "left"), ("right",)]
    # The fingers are those of the node's hand, which were closed on it.
    bare = replace(scenes[0], objects=())
    again = hold_object(bare, "cup", 1.0, torch.tensor([True])).scene
    torch.testing.assert_close(scenes[0].hand_pose, again.hand_pose, rtol=0, atol=1e-5)
    assert generate(mini, "--repeat", "a/0001_parameters.json", "--no-score", "--out", "b") == 0
    assert (tmp_path / "a/0001_picture.png").read_bytes() == (tmp_path / "b/0001_picture.png").read_bytes()


def test_a_mirrored_pair_holds_one_each(mini, tmp_path):
    assert generate(mini, "A hand holding a ball", "--side", "both", "--hold", "--no-score", "--out", "a") == 0
    assert [held.hand for held in load_scene(tmp_path / "a/0001_hands.json").objects] == [0, 1]


@pytest.mark.skipif(not has_embedded(), reason="this checkout holds no weights of the small model")
@pytest.mark.parametrize(("named", "used"), [((), "held"), (("--controlnet", "plain"), "plain")])
def test_the_embedded_model_paints_hands_that_hold_something_by_its_controlnet_for_them(tmp_path, named, used):
    save_holding(tmp_path / "held.json")
    words = ("generate", "A right hand holding a red cup", "--scene", "held.json", "--no-score", "--steps", "1")
    assert main([*words, "--device", "cpu", "--out", "a", *named]) == 0
    assert json.loads((tmp_path / "a/0001_parameters.json").read_text())["controlnet"] == used
    assert main(["generate", "--repeat", "a/0001_parameters.json", "--device", "cpu", "--no-score", "--out", "b"]) == 0
    assert (tmp_path / "a/0001_picture.png").read_bytes() == (tmp_path / "b/0001_picture.png").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["A dog sleeps"], "Gestures are: open_palm"),
        (["a fist", "--gesture", "fistt"], "Did you mean"),
        (["a fist", "--scene", "x.json", "--gesture", "fist"], "--scene settles"),
        (["a fist", "--gesture", "fist", "--hold"], "--gesture settles what --hold would"),
        (["a fist", "--scene", "x.json", "--hold"], "--scene settles what --hold would"),
        (["a fist", "--map", "heat"], "maps are"),
        (["a fist", "--alpha", "9"], "alpha"),
        (["a fist", "--control-end", "0"], "control_start is 0 and control_end 0"),
        (["a fist", "--size", "70x64"], "multiples of 16"),
        (["a fist", "--lambda", "0.5"], "on or off"),
        (["a fist", "--detector", "nowhere"], "get-detector"),
        (["--picture", "x.png"], "--vlm"),
        (["--repeat", "none.json"], "none.json"),
        (["a fist", "--base", "nowhere"], "Nothing is downloaded"),
    ],
)
def test_what_cannot_be_done_is_told(mini, capsys, arguments, said):
    assert generate(mini, *arguments) == 2
    assert said in capsys.readouterr().err


def test_the_hands_of_a_picture_are_those_that_are_asked_for(mini, tmp_path, detector_folder):
    asked = Placement((256, 256)).place(Hand.in_gesture(load_hand_model("builtin"), find_gesture("ok")))
    to_pil(render_maps(asked, ("mesh",), antialias=True, forearm=True).mesh[0]).save(tmp_path / "hand.png")
    given = ("--picture-hands", "hand.png", "--detector", str(detector_folder), "--no-score", "--out", "out")
    assert generate(mini, "A hand before a wall", *given) == 0
    used = load_scene(tmp_path / "out/0001_hands.json")
    assert (
        used.side == ("right",) and score_hands(asked.resized(used.camera.width, used.camera.height), used).mean > 0.6
    )
    Image.new("RGB", (64, 64)).save(tmp_path / "empty.png")
    assert generate(mini, "A hand", "--picture-hands", "empty.png", *given[2:]) == 2


def test_a_label_says_whose_hand_was_read_as_the_other_one():
    hand = Hand(load_hand_model("builtin"), find_gesture("fist").hand_pose)
    right, left = (place_in_box(one, Camera.from_fov(64, 64), (8, 8, 56, 56)) for one in (hand, mirror_hand(hand)))
    record = SimpleNamespace(gesture="fist", semantics=SimpleNamespace(caption="a fist", prompt=""))
    labels = [
        label_of(Finished("0001", record, None, None, PictureScore(found, score_hands(right, found))))
        for found in (right, left)
    ]
    assert labels[0] == "a fist\nfist, score 1.00" and labels[1].endswith(", read as a left hand")


def test_a_missing_detector_is_told_once_and_stops_nothing(mini, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SESAHAND_CACHE", str(tmp_path / "empty"))
    assert generate(mini, "a fist", "--count", "2") == 0
    assert capsys.readouterr().err.count("The pictures are not scored") == 1


def test_every_example_names_its_gesture_in_words_that_the_small_model_knows():
    images = [in_small_words(read_words(text)[0]) for text in EXAMPLES]
    assert len({image.hands[0].gesture for image in images}) == len(EXAMPLES)
    for image, text in zip(images, EXAMPLES, strict=True):
        assert translate(image.prompt).unknown == () and text.split()[-2] in image.prompt


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("she clenches her hand", "fist"),
        ("He is holding a red bottle", "grasp_cylinder"),
        ("a man gives a thumbs-up", "thumbs_up"),
        ("making a phone sign", "call_me"),
        ("a hand and a thumb", None),
        ("two people stand like statues, a point of view", None),
    ],
)
def test_gestures_are_known_by_their_words_in_any_inflection(text, name):
    found = find_named_gesture([text])
    assert (found and found.name) == name
