"""What the fingers do, against what the library of gestures says about itself."""

import pytest
import torch

from sesahand.hands.gestures import load_gestures
from sesahand.hands.loading import load_hand_model
from sesahand.hands.skeleton import FINGERS
from sesahand.reconstruct.scoring.finger_states import finger_agreement, read_fingers, thumb_distances
from sesahand.scene.camera import Camera
from sesahand.scene.placing import Hand, mirror_hand, place_in_box

GESTURES = load_gestures()
MODEL, CAMERA = load_hand_model("builtin"), Camera.from_fov(512, 512)


def scene(name, side="right", betas=None):
    hand = Hand(MODEL, GESTURES[name].hand_pose, betas)
    return place_in_box(hand if side == "right" else mirror_hand(hand), CAMERA, (100, 100, 400, 400), roll=30, yaw=40)


def fingers(name, **options):
    hand = scene(name, **options)
    return read_fingers(hand, hand.pose().keypoints)


# Thumb to pinky, s straight, h half bent, b bent, as anybody would say who looks at the contact sheet.
EXPECTED = {
    "open_palm": "sssss",
    "flat_stop": "sssss",
    "fist": "bbbbb",
    "point": "bsbbb",
    "victory": "bssbb",
    "three": "bsssb",
    "four": "bssss",
    "thumbs_up": "sbbbb",
    "call_me": "sbbbs",
    "horns": "bsbbs",
    "love_you": "ssbbs",
    "finger_gun": "ssbbb",
    "ok": "hhsss",
    "claw": "hhhhh",
    "relaxed": "hhhhh",
}


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("name", EXPECTED)
def test_fingers_do_what_people_would_say(name, side):
    words = {"s": "straight", "h": "half bent", "b": "bent"}
    assert fingers(name, side=side).state(0) == tuple(words[letter] for letter in EXPECTED[name])


@pytest.mark.parametrize("name", GESTURES)
@pytest.mark.parametrize("shape", [(0.0, 0.0), (-2.0, 2.0), (2.0, -1.0)])
def test_the_thumb_touches_what_the_library_says_it_touches(name, shape):
    betas = torch.tensor([*shape, *[0.0] * 8])
    found = [f for f, touch in zip(FINGERS[1:], fingers(name, betas=betas).touches[0].tolist(), strict=True) if touch]
    said = [other for pair in GESTURES[name].touching for other in pair if other != "thumb"]
    # A thin pen between thumb and index is as good as a contact.
    assert set(found) == set(said) | ({"index"} if name == "hold_pen" else set())


def test_words_name_the_touched_finger():
    assert fingers("ok").describe(0)["thumb"] == "half bent, touching index"


def test_distances_of_bones_agree_with_a_finer_sampling():
    keypoints = scene("pinch").pose().keypoints.double()
    steps = torch.linspace(0, 1, 400, dtype=torch.float64)[:, None]

    def bone(k):
        return keypoints[0, k] + (keypoints[0, k + 1] - keypoints[0, k]) * steps

    for finger in range(1, 5):
        exact = min(float(torch.cdist(bone(3), bone(4 * finger + k)).min()) for k in (1, 2, 3))
        assert float(thumb_distances(keypoints)[0, finger - 1]) == pytest.approx(exact, abs=1e-3)


def test_a_hand_agrees_with_itself_and_less_with_others():
    fist, palm, point = fingers("fist"), fingers("open_palm"), fingers("point")
    assert finger_agreement(fist, fist).tolist() == [[1.0] * 6]
    agreement = finger_agreement(palm, fist)[0]
    assert agreement[1:5].max() == 0 and agreement[5] < 0.5
    one_finger = finger_agreement(point, fist)[0]
    assert one_finger[1] == 0 and one_finger[2:5].min() > 0.9


def test_zero_hands_have_zero_fingers():
    none = scene("fist").select([])
    states = read_fingers(none, none.pose().keypoints)
    assert states.flexion.shape == (0, 5) and finger_agreement(states, states).shape == (0, 6)
