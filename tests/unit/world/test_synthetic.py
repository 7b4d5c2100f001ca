"""Rendered training data: the same sample whatever surrounds it, and labels that are true of the picture."""

import colorsys
import hashlib
import re
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from sesahand.errors import SesaHandError
from sesahand.hands.skeleton import FINGERS
from sesahand.render.maps import render_maps
from sesahand.render.shading import OBJECT_GRAY
from sesahand.semantics import gestures
from sesahand.semantics.gesture_words import find_named_gesture
from sesahand.training.samples import WorldSamples
from sesahand.world import vocabulary
from sesahand.world.cache import SampleCache, array_shapes, open_samples, render_samples
from sesahand.world.gestures import GESTURES
from sesahand.world.synthetic import SyntheticHands, draw

ROOT = Path(__file__).resolve().parents[3]
SOME = (0, 1, 2, 3, 7, 11)
MANY = 300


@pytest.fixture(scope="module")
def hands():
    return SyntheticHands("train", 5, 64)


@pytest.fixture(scope="module")
def samples(hands):
    return {index: hands[index] for index in SOME}


@pytest.fixture(scope="module")
def descriptions(hands):
    return [hands.describe(index) for index in range(MANY)]


def fingerprint(sample) -> str:
    parts = (sample.picture, sample.condition, sample.silhouette, sample.mask, sample.keypoints)
    words = repr((asdict(sample.description.attributes), sample.description.rambling)).encode()
    return hashlib.sha256(b"".join(part.tobytes() for part in parts) + words).hexdigest()


def test_a_sample_does_not_depend_on_what_was_drawn_before_it(hands, samples):
    backwards = [fingerprint(hands[index]) for index in reversed(SOME)]
    assert backwards[::-1] == [fingerprint(samples[index]) for index in SOME]


def test_a_sample_is_the_same_in_another_process(samples):
    code = (
        "import sys; sys.path[:0] = [sys.argv[1], sys.argv[2]]\n"
        "from test_synthetic import fingerprint\n"
        "from sesahand.world.synthetic import SyntheticHands\n"
        "sys.stdout.write(fingerprint(SyntheticHands('train', 5, 64)[3]))\n"
    )
    command = [sys.executable, "-c", code, str(ROOT), str(Path(__file__).parent)]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert answer.stdout == fingerprint(samples[3]), answer.stderr


def test_drawing_leaves_the_global_generators_alone(hands):
    torch.manual_seed(1)
    np.random.seed(1)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    hands[4]
    assert torch.equal(torch.get_rng_state(), before[0]) and (np.random.get_state()[1] == before[1]).all()


def test_describing_says_what_drawing_shows(hands, samples):
    for index, sample in samples.items():
        assert hands.describe(index) == sample.description


def test_seeds_and_splits_are_different_worlds():
    pictures = {
        SyntheticHands(split, seed, 32)[index].picture.tobytes()
        for split in ("train", "heldout")
        for seed in (0, 1)
        for index in range(3)
    }
    assert len(pictures) == 12


def test_the_held_out_split_shares_no_pose_with_the_training_split():
    def poses(split):
        hands = SyntheticHands(split, 0, 32)
        scenes = (hands.stage(index)[2].scene for index in range(60))
        return {scene.hand_pose[0].numpy().tobytes() for scene in scenes}

    assert len(poses("train") | poses("heldout")) == 120


def test_the_condition_is_the_map_that_the_nodes_draw(samples):
    for sample in samples.values():
        maps = render_maps(sample.scene, ("mesh",), antialias=True)
        assert np.abs(sample.condition / 255 - maps.mesh[0, ..., 0].numpy()).max() < 2.1 / 255
        assert np.abs(sample.silhouette / 255 - maps.mask[0].numpy()).max() < 0.26
        assert np.abs(sample.silhouette / 255 - maps.mask[0].numpy()).mean() < 1e-4


def test_a_map_shows_what_the_hand_holds_where_the_picture_does(hands):
    shown = set()
    for index in range(MANY):
        held = hands.describe(index).attributes.held
        if held is None or held.kind in shown:
            continue
        shown.add(held.kind)
        sample, gray = hands[index], hands.map_with_held(index)
        thing = (gray > 0) & (gray <= round(255 * OBJECT_GRAY))
        inside = cv2.erode(thing.astype(np.uint8), np.ones((3, 3))) > 0
        assert inside.sum() > 40
        # The thing hides the hand in the picture as in the map, and wears its own colour there.
        assert not (sample.mask[inside] > 127).any()
        color = np.median(sample.picture[inside], 0) / 255
        hue, wanted = (colorsys.rgb_to_hsv(*c)[0] for c in (color, np.array(vocabulary.COLORS[held.color]) / 255))
        assert min(abs(hue - wanted), 1 - abs(hue - wanted)) < 0.06, (held, color)
        bare = sample.condition[(gray > 127) & ~thing], gray[(gray > 127) & ~thing]
        assert np.mean(np.abs(np.subtract(*bare, dtype=int)) <= 1) > 0.9, "the hand is drawn as before"
    assert shown == set(vocabulary.HELD)


def test_a_map_of_a_hand_that_holds_nothing_is_its_condition(hands, samples):
    index = next(index for index in SOME if samples[index].description.attributes.held is None)
    assert np.array_equal(hands.map_with_held(index), samples[index].condition)


def test_training_sees_what_hands_hold_in_their_maps_if_it_is_to(hands):
    index = next(index for index in range(MANY) if hands.describe(index).attributes.held is not None)
    arrays = {name: np.zeros(shape, kind) for name, (kind, shape) in array_shapes(index + 1, hands.size).items()}
    drawn = SampleCache(hands, **arrays)
    assert not WorldSamples(drawn)[index].control.any()
    assert np.array_equal(WorldSamples(drawn, held_in_map=True)[index].control, hands.map_with_held(index))
    assert not WorldSamples(drawn, held_in_map=True)[index - 1].control.any(), "of another sample nothing changes"


def test_keypoints_are_those_of_the_scene(samples):
    for sample in samples.values():
        expected = sample.scene.camera.project(sample.scene.pose().keypoints).numpy()
        assert np.abs(sample.keypoints - expected).max() < 1e-3


def test_what_is_seen_of_a_hand_is_its_silhouette_minus_what_hides_it(hands):
    """The mask lies within the silhouette, and where they differ something else is in front of the hand."""
    for index in range(12):
        sample = hands[index]
        hidden = sample.silhouette.astype(int) - sample.mask
        assert hidden.min() >= 0
        if sample.description.attributes.held is None:
            # Nothing but a sleeve, and the arm that the wrist ends in, is ever in front of it.
            assert hidden.sum() < 0.12 * sample.silhouette.sum()
        else:
            assert hidden.sum() > 0.03 * sample.silhouette.sum()


def test_without_props_the_mask_is_the_silhouette_and_the_rest_is_background(hands):
    rng, description, stage = hands.stage(2)
    bare = replace(stage, bare=stage.bare[:0], props=())
    sample = draw(hands.studio, rng, description, bare, 64)
    assert (sample.mask == sample.silhouette).all()


def staged(hands, index: int):
    """What a sample shows, in words and before the camera."""
    _, description, stage = hands.stage(index)
    return description.attributes, stage


def reach(keypoints: np.ndarray) -> np.ndarray:
    """How far each tip is from the wrist, in distances of its knuckle; of the thumb, from its root, in its length."""
    fingers = keypoints[1:].reshape(5, 4, 3)
    away = np.linalg.norm(fingers[:, [0, 3]] - keypoints[0], axis=-1)
    share = away[:, 1] / away[:, 0]
    bones = np.linalg.norm(np.diff(fingers[0], axis=0), axis=-1).sum()
    share[0] = 1.3 * np.linalg.norm(fingers[0, 3] - fingers[0, 0]) / bones
    return share


def test_fingers_are_as_straight_or_bent_as_the_gesture_says(hands):
    checked = dict.fromkeys(GESTURES, 0)
    for index in range(150):
        attributes, stage = staged(hands, index)
        measured = reach(stage.posed.keypoints[0].numpy())
        for finger, state, value in zip(FINGERS, attributes.words.states, measured, strict=True):
            if state is not None:
                assert value > 1.2 if state else value < 1.05, (attributes, finger, value)
        if attributes.gesture in checked:
            checked[attributes.gesture] += 1
    assert min(checked.values()) > 2


def test_fingers_point_where_the_words_say_and_the_arm_comes_from_the_other_side(hands):
    towards = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}
    come = {"below": (0, 1), "above": (0, -1), "the left": (-1, 0), "the right": (1, 0)}
    for index in range(120):
        attributes, stage = staged(hands, index)
        points = stage.posed.keypoints[0].numpy()
        pointing = (points[9] - points[0])[:2]
        pointing /= np.linalg.norm(pointing)
        assert pointing @ np.array(come[attributes.arm]) < -0.7, attributes
        if attributes.gesture != "thumbs_up":
            assert pointing @ np.array(towards[attributes.direction]) > 0.7, attributes
        else:
            assert (points[4] - points[1])[1] < 0


def test_a_side_is_the_side_of_the_mesh_and_the_palm_is_seen_where_words_say_so(hands):
    for index in range(120):
        attributes, stage = staged(hands, index)
        assert stage.scene.side == (("right", "left") if attributes.side == "both" else (attributes.side,))
        points = stage.posed.keypoints[0].numpy()
        normal = np.cross(points[5] - points[0], points[17] - points[0])
        palm_to_camera = normal[2] * (1 if stage.scene.side[0] == "right" else -1)
        if attributes.gesture not in ("free", "hold"):
            assert (palm_to_camera < 0) == (attributes.view == "palm"), attributes


def test_hands_lie_within_the_picture_and_are_large(hands):
    for index in range(40):
        sample = hands[index]
        columns, rows = np.nonzero(sample.silhouette.max(0))[0], np.nonzero(sample.silhouette.max(1))[0]
        assert min(columns[0], rows[0]) > 0 and max(columns[-1], rows[-1]) < 63
        assert max(np.ptp(columns), np.ptp(rows)) > 0.42 * 64


def test_objects_beside_the_hand_can_be_seen(hands):
    found = 0
    for index in range(60):
        if hands.describe(index).attributes.beside is None:
            continue
        rng, description, stage = hands.stage(index)
        without = draw(hands.studio, rng, description, replace(stage, props=stage.props[:-1]), 64)
        changed = np.abs(hands[index].picture.astype(int) - without.picture).max(-1) > 40
        half = changed[:, :32] if description.attributes.beside.place == "left" else changed[:, 32:]
        assert half.sum() > 60, description.attributes
        found += 1
    assert found > 15


def test_captions_use_the_vocabulary_and_nothing_else(descriptions):
    for description in descriptions:
        for text in (description.composition.prompt, description.rambling):
            assert not set(re.findall(r"[a-z]+", text.lower())) - vocabulary.WORDS


def test_the_vocabulary_holds_no_idle_word(hands):
    said = set()
    for index in range(3000):
        description = hands.describe(index)
        said |= set(re.findall(r"[a-z]+", f"{description.composition.prompt} {description.rambling}".lower()))
    assert vocabulary.WORDS - said == set()
    assert 90 <= len(vocabulary.WORDS) <= 150


def test_captions_fit_into_one_chunk_of_the_text_encoder(descriptions):
    """Every word and mark is one token of CLIP's, but for two words that are two; begin and end take two of 77."""
    for description in descriptions:
        for text in (description.composition.prompt, description.rambling):
            assert (
                len(re.findall(r"tiled|approving|\w+|[^\w\s]", text)) + len(re.findall("tiled|approving", text)) <= 75
            )


def test_clean_words_are_the_attributes_and_name_nothing_else(descriptions):
    for description in descriptions:
        attributes, prompt = description.attributes, description.composition.prompt
        assert f"{attributes.skin} skin" in prompt and f"{attributes.sleeve} sleeve" in prompt
        assert f"{attributes.warmth} light from" in prompt and attributes.background_color in prompt
        named = re.findall(rf"\b(\w+) ({'|'.join(vocabulary.OBJECTS)})\b", prompt)
        assert sorted(named) == sorted((thing.color, thing.kind) for thing in attributes.things)
        words = [span.text for span in description.composition.spans if span.part == "hand word"]
        assert any("hand" in word for word in words)


def test_rambling_captions_assert_what_is_there_and_what_is_not_in_the_same_words(descriptions):
    for description in descriptions:
        attributes = description.attributes
        named = re.findall(rf"\b(\w+) ({'|'.join(vocabulary.OBJECTS)})\b", description.rambling)
        wanted = [(thing.color, thing.kind) for thing in (*attributes.things, *description.false_things)]
        assert sorted(named) == sorted(wanted)
        assert description.false_things
        assert not {thing.kind for thing in description.false_things} & {thing.kind for thing in attributes.things}
        assert not re.search(r"\b(no|not|without|may|might|perhaps)\b", description.rambling)


def test_no_single_word_tells_a_false_object_from_a_true_one(hands):
    """Colours, kinds and places of true and false objects are drawn from the same choices, in like shares."""
    true, false = [], []
    for index in range(4000):
        description = hands.describe(index)
        true += [description.attributes.beside] if description.attributes.beside else []
        false += description.false_things
    for part in ("color", "place"):
        for value in {getattr(thing, part) for thing in true + false}:
            shares = [np.mean([getattr(thing, part) == value for thing in things]) for things in (true, false)]
            assert abs(shares[0] - shares[1]) < 0.03, (part, value, shares)


def test_short_prompts_say_only_what_is_true_and_seldom_all_of_it(descriptions):
    lengths = []
    for description in descriptions:
        words = description.short.replace(",", "").split()
        attributes = description.attributes
        true = {attributes.skin, attributes.sleeve, attributes.background_color}
        true |= {thing.color for thing in attributes.things}
        named = {word for word in words if word in vocabulary.COLORS or word in vocabulary.SKINS}
        assert named <= true, description.short
        assert {word for word in words if word in vocabulary.OBJECTS} <= {thing.kind for thing in attributes.things}
        assert vocabulary.translate(description.short).unknown == ()
        lengths.append(len(words) / len(description.composition.prompt.split()))
    assert min(lengths) < 0.4 and 0.5 < np.mean(lengths) < 0.8


def test_colored_things_stand_out_from_the_background(descriptions):
    for description in descriptions:
        attributes = description.attributes
        colors = [thing.color for thing in (*attributes.things, *description.false_things)]
        assert attributes.background_color not in (*colors, attributes.sleeve)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("a clenched hand", "a hand making a fist"),
        ("raising an open palm", "raising a hand open with spread fingers"),
        ("raises a clenched fist", "raising a fist"),
        ("a woman waves", "a person greeting, open with spread fingers"),
        ("Thumbs up!", "giving a thumb up!"),
        ("a mug on the desk", "a cup on the table"),
        ("raises a clenched left fist", "raising a left fist"),
        ("a person makes a shaka sign", "a person making a phone sign"),
        ("both clenched fists", "both hands making a fist"),
        ("the left hand is clenched", "the left hand is making a fist"),
        ("a person clenching a fist", "a person making a fist"),
        ("a woman clenching her left hand", "a person with a left hand making a fist"),
        ("gives a thumbs up", "giving a thumb up"),
        ("a devil horns gesture, and a right hand hanging loose", "a horns sign, and a right hand phone sign"),
        ("holding a red mug with two hands, points up", "holding a red cup with two hands, pointing up"),
    ],
)
def test_synonyms_become_known_words(said, meant):
    translation = vocabulary.translate(said)
    assert translation.text == meant and set(translation.unknown) <= {"two"}


@pytest.mark.parametrize("name", [name for name, gesture in GESTURES.items() if len(gesture.poses) == 1])
def test_whatever_a_gesture_is_called_the_small_model_is_told_it_in_its_own_words(name):
    for said in (*gestures.GESTURES[name].names, *gestures.GESTURES[name].deeds):
        noun = said not in gestures.GESTURES[name].deeds
        for text in (f"a person with a {said}" if noun else f"a person {said}", said):
            translation = vocabulary.translate(text)
            assert translation.unknown == () and "a a" not in translation.text, (text, translation)
            assert translation.text == text or find_named_gesture([translation.text]).name == name, (text, translation)


def test_what_a_gesture_makes_is_part_of_what_its_hand_does():
    assert all(gesture.hand.endswith(gesture.noun) for gesture in GESTURES.values())


def test_unknown_words_are_reported_once_and_left_in_place():
    translation = vocabulary.translate("A hand holding a spoon, a silver Spoon")
    assert translation.text == "A hand holding a spoon, a silver Spoon"
    assert translation.unknown == ("spoon", "silver")


def test_every_synonym_leads_into_the_vocabulary():
    for phrase, meaning in vocabulary.SYNONYMS.items():
        assert vocabulary.translate(meaning).unknown == (), phrase
        assert phrase not in vocabulary.WORDS, f"{phrase} is a word of its own"


@pytest.mark.parametrize(
    "settings", [{"split": "test"}, {"seed": -1}, {"seed": 1.5}, {"size": 100}, {"size": 0}, {"size": 4096}]
)
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(SesaHandError):
        SyntheticHands(**settings)


def test_samples_are_numbered_from_zero(hands):
    with pytest.raises(IndexError):
        hands[-1]


def test_larger_pictures_show_the_same_scene(samples):
    large = SyntheticHands("train", 5, 128)[1]
    assert large.description == samples[1].description
    halved = large.picture.reshape(64, 2, 64, 2, 3).mean((1, 3))
    assert np.abs(halved - samples[1].picture).mean() < 3


def test_a_cache_holds_the_samples_whoever_draws_them(tmp_path, hands):
    folder = tmp_path / "cache"
    render_samples(folder, 4, "train", 5, 64, part=(1, 2))
    assert open_samples(folder).done.tolist() == [0, 1, 0, 1]
    cache = render_samples(folder, 4, "train", 5, 64)
    for index in range(4):
        sample = hands[index]
        assert (cache.pictures[index] == sample.picture).all() and (cache.masks[index] == sample.mask).all()
        assert (cache.conditions[index] == sample.condition).all()
        assert (cache.keypoints[index, : len(sample.keypoints)] == sample.keypoints).all()
        assert np.isnan(cache.keypoints[index, len(sample.keypoints) :]).all()
        assert cache.describe(index) == sample.description


def test_a_cache_of_other_samples_is_refused(tmp_path):
    render_samples(tmp_path, 1, size=32)
    with pytest.raises(SesaHandError, match="other samples"):
        render_samples(tmp_path, 2, size=32)
    (tmp_path / "masks.npy").write_bytes(b"nothing")
    with pytest.raises(SesaHandError, match="no rendered samples"):
        open_samples(tmp_path)
    with pytest.raises(SesaHandError):
        open_samples(tmp_path / "elsewhere")
