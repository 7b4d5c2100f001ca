"""What sentences let hands hold, as objects that hands can be given, and hands that get them."""

from dataclasses import replace

import pytest
import torch

from sesahand.errors import SesaHandError
from sesahand.hands.builtin import load_builtin_hand
from sesahand.hands.gestures import find_gesture
from sesahand.hands.objects import OBJECTS
from sesahand.scene.hand_scene import combine, concatenate_frames
from sesahand.scene.placement import Placement
from sesahand.scene.placing import Hand
from sesahand.semantics.described_holding import described_objects, hold_described
from sesahand.semantics.extractor import extract_semantics
from sesahand.semantics.held_things import LIKE, THINGS, object_held
from sesahand.semantics.languages import _table
from sesahand.semantics.posed_hands import hands_to_pose

MODEL = load_builtin_hand()


def held(text: str) -> list[str | None]:
    """What the hands of a text that can be posed hold."""
    (image,) = extract_semantics([text]).images
    return [object_held(hand, image.language) for hand in hands_to_pose(image).posed]


def posed(*hands: tuple[str, str]):
    """One frame of hands in gestures, as Pose Hand makes them."""
    made = [
        Placement(size=(64, 64)).place(Hand.in_gesture(MODEL, find_gesture(gesture)), side) for gesture, side in hands
    ]
    return made[0] if len(made) == 1 else combine(made)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("a hand holding a red cup", ["cup"]),
        ("a woman with a steaming mug of coffee in her left hand", ["cup"]),
        ("he holds two apples in his right hand", ["sphere"]),
        ("holding up a juice box", ["box"]),
        ("a box in her right hand", ["box"]),
        ("a girl texting, holding her smartphone", ["phone"]),
        ("He is writing with a pencil", ["pen"]),
        ("right hand gripping a bottle of water", ["cylinder"]),
        ("a smith with a hammer in his right hand and a glass in his left", ["tool", "cup"]),
        ("a knight with a sword in his hand", ["tool"]),
        ("a hand holding a key", [None]),
        ("a hand holding a carrot", ["tool"]),
        ("a hand holding an egg", ["sphere"]),
        ("reading a book, holding the book in his left hand", ["box"]),
        ("a woman holding her glasses", [None]),
        ("holding reading glasses", [None]),
        ("holding a magnifying glass", ["tool"]),
        ("holding two glasses", ["cup", "cup"]),
        ("holding wine glasses", ["cup"]),
        ("drinking coffee from a mug", ["cup"]),
        ("a woman sipping tea out of a cup", ["cup"]),
        ("a man taking a selfie with his phone", ["phone"]),
        ("the cup is held by a left hand", ["cup"]),
        ("making a fist", [None]),
        ("pointing at a cup", [None]),
    ],
)
def test_what_is_held_is_one_of_the_objects_or_none(text, kinds):
    assert held(text) == kinds


@pytest.mark.parametrize(
    ("text", "kind", "side"),
    [
        ("Eine Frau h\u00e4lt eine rote Tasse in der linken Hand", "cup", "left"),
        ("Ein Mann h\u00e4lt einen Hammer", "tool", "right"),
        ("une main tenant une bouteille verte", "cylinder", "right"),
        ("un homme tient un stylo dans la main gauche", "pen", "left"),
        ("una mujer sostiene una pelota en la mano izquierda", "sphere", "left"),
        ("un hombre sosteniendo una caja con la mano", "box", "right"),
        ("una mano con una pelota", "sphere", "right"),
        ("\u4e00\u53ea\u624b\u62ff\u7740\u624b\u673a", "phone", "right"),
        ("\u5de6\u624b\u62ff\u8457\u860b\u679c", "sphere", "left"),
        ("\u5de6\u624b\u63e1\u7740\u4e00\u4e2a\u7ea2\u82f9\u679c", "sphere", "left"),
        ("\u8d64\u3044\u30ab\u30c3\u30d7\u3092\u6301\u3064\u624b", "cup", "right"),
        ("\u30da\u30f3\u3092\u63e1\u308b\u53f3\u624b", "pen", "right"),
        ("\uc67c\uc190\uc5d0 \ud734\ub300\ud3f0\uc744 \ub4e4\uace0 \uc788\ub2e4", "phone", "left"),
        ("\ub9dd\uce58\ub97c \ub4e4\uace0 \uc788\ub294 \uc190", "tool", "right"),
    ],
)
def test_other_languages_name_what_is_held(text, kind, side):
    (image,) = extract_semantics([text]).images
    (hand,) = hands_to_pose(image).posed
    assert (object_held(hand, image.language), hand.side) == (kind, side)


def test_another_language_that_names_a_gesture_is_read_as_before():
    (image,) = extract_semantics(["Eine Frau macht ein Peace-Zeichen und h\u00e4lt eine Tasse"]).images
    assert [(hand.gesture, hand.object) for hand in image.hands] == [("victory", None)]


def test_a_thing_that_nobody_holds_makes_no_hand():
    for text in ("Eine rote Tasse auf dem Tisch", "\u684c\u4e0a\u6709\u4e00\u4e2a\u676f\u5b50"):
        assert extract_semantics([text]).images[0].hands == ()


def test_every_object_can_be_named_by_its_own_name_and_in_every_language_of_the_table():
    assert list(THINGS) == list(OBJECTS)
    assert all(kind in words.split() for kind, words in THINGS.items())
    assert set(LIKE) == set(OBJECTS) - {"cup"}
    named = [word for words in (*THINGS.values(), *LIKE.values()) for word in words.split()]
    assert len(named) == len(set(named)), "a thing is one object"
    table = _table()
    assert set(table["objects"]) == set(table["holds"]) == set(table["gestures"])
    assert all(list(kinds) == list(OBJECTS) for kinds in table["objects"].values())


def test_a_box_is_posed_where_it_is_held_and_not_where_it_is_pushed():
    assert [hand.gesture for hand in hands_to_pose(extract_semantics(["carrying a box"]).images[0]).posed] == [
        "grasp_cylinder"
    ]
    with pytest.raises(SesaHandError, match="name no gesture"):
        hands_to_pose(extract_semantics(["a man pushing a box with his hand"]).images[0])


def test_a_thing_that_is_like_no_object_is_refused_with_those_that_there_are():
    with pytest.raises(SesaHandError, match="a cat.*those like sphere, cylinder"):
        hands_to_pose(extract_semantics(["a hand holding a cat"]).images[0])


def test_beside_a_gesture_a_box_poses_no_second_hand():
    (image,) = extract_semantics(["a man makes a fist with his right hand and holds a box in his left hand"]).images
    assert [hand.gesture for hand in hands_to_pose(image).posed] == ["fist"]


def test_each_hand_gets_what_its_own_words_say():
    batch = extract_semantics(["a smith with a ball in his right hand and a glass in his left"])
    scene = posed(("grasp_sphere", "right"), ("grasp_cylinder", "left"))
    holding, left_out = hold_described(scene, batch, 1.1, torch.tensor([True, True]))
    assert [(item.kind, item.hand, item.size) for item in holding.scene.objects] == [
        ("sphere", 0, 1.1),
        ("cup", 1, 1.1),
    ]
    assert list(holding.grips) == [0, 1] and left_out == []


def test_a_hand_that_holds_nothing_stays_as_it_is_and_the_report_says_so():
    batch = extract_semantics(["a man making a fist with his left hand, a ball in his right hand"])
    sides = [(hand.gesture, hand.side) for hand in hands_to_pose(batch.images[0]).posed]
    assert sides == [("fist", "left"), ("grasp_sphere", "right")]
    scene = posed(*sides)
    holding, (said,) = hold_described(scene, batch, 1.0, torch.tensor([True, True]))
    assert torch.equal(holding.scene.hand_pose[0], scene.hand_pose[0])
    assert [item.hand for item in holding.scene.objects] == [1]
    assert said.startswith("frame 0, left hand: holds nothing in")
    # Of a choice of hands the others are not spoken of.
    _, none = hold_described(scene, batch, 1.0, torch.tensor([False, True]))
    assert none == []


@pytest.mark.parametrize(
    ("text", "held_by"),
    [
        ("two hands holding one apple", [0]),
        ("a man holding a ball with both hands", [0]),
        ("two hands holding two apples", [0, 1]),
        ("a man holding a ball in each hand", [0, 1]),
    ],
)
def test_one_thing_in_two_hands_is_in_the_first_and_the_report_says_so(text, held_by):
    scene = posed(("grasp_sphere", "right"), ("grasp_sphere", "left"))
    holding, said = hold_described(scene, extract_semantics([text]), 1.0, torch.tensor([True, True]))
    assert [item.hand for item in holding.scene.objects] == held_by
    assert ["is one thing, and the hand before it holds it" in line for line in said] == [True] * (2 - len(held_by))


def test_the_second_hand_alone_may_have_what_both_hold():
    scene = posed(("grasp_sphere", "right"), ("grasp_sphere", "left"))
    batch = extract_semantics(["two hands holding one apple"])
    holding, said = hold_described(scene, batch, 1.0, torch.tensor([False, True]))
    assert [item.hand for item in holding.scene.objects] == [1] and said == []


def test_the_report_says_what_only_stands_for_a_thing():
    scene = posed(("grasp_cylinder", "right"))
    _, (said,) = hold_described(scene, extract_semantics(["holding a knife"]), 1.0, torch.tensor([True]))
    assert said == "frame 0, right hand: 'a knife' is held as the tool, the object most like it"


@pytest.mark.parametrize(
    ("text", "told"),
    [("a left hand holding a ball", 1), ("a right hand holding a ball", 0), ("a hand holding a ball", 0)],
)
def test_semantics_of_a_hand_of_the_other_side_are_told(text, told):
    _, said = hold_described(posed(("grasp_sphere", "right")), extract_semantics([text]), 1.0, torch.tensor([True]))
    assert [line.startswith("frame 0, right hand: the semantics say a left hand") for line in said] == [True] * told


def test_each_frame_follows_its_own_image():
    batch = extract_semantics(["holding a ball", "holding a cup"])
    scene = concatenate_frames([posed(("grasp_sphere", "right")), posed(("grasp_cylinder", "right"))])
    assert [wanted.kind for wanted in described_objects(batch, scene)] == ["sphere", "cup"]


@pytest.mark.parametrize(
    ("texts", "hands", "said"),
    [
        (["making a fist"], 1, "name nothing that can be put into a hand.*Objects are sphere"),
        (["a man with a key in his hand"], 1, "'a key' is none of the objects"),
        (["holding a ball"], 2, "has 2 hands, but its semantics describe 1"),
        (["holding a ball", "holding a cup", "holding a pen"], 1, "of 3 images, the hands of 1 frames"),
    ],
)
def test_semantics_of_other_hands_or_of_nothing_to_hold_are_refused(texts, hands, said):
    scene = posed(*[("grasp_sphere", "right"), ("grasp_sphere", "left")][:hands])
    with pytest.raises(SesaHandError, match=said):
        hold_described(scene, extract_semantics(texts), 1.0, torch.ones(hands, dtype=torch.bool))


def test_no_hands_hold_nothing():
    scene = posed(("fist", "right")).select([])
    holding, left_out = hold_described(
        replace(scene, num_frames=1), extract_semantics(["holding a ball"]), 1.0, torch.zeros(0, dtype=torch.bool)
    )
    assert len(holding.scene) == 0 and left_out == []
