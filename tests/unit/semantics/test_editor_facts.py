"""What the hand editor is told: the hands that it shows are the library's."""

import json

import pytest
import torch

from sesahand.hands.gestures import find_gesture, gesture_names
from sesahand.hands.loading import load_hand_model
from sesahand.hands.rotations import axis_angle_to_matrix
from sesahand.scene.editing import edited_hands
from sesahand.scene.hand_scene import HandScene
from sesahand.scene.placing import view_rotation
from sesahand.semantics.editor_facts import editor_facts

FACTS = json.loads(json.dumps(editor_facts(load_hand_model())))


def test_it_is_told_every_gesture_as_the_library_has_it():
    assert [each["name"] for each in FACTS["gestures"]] == gesture_names()
    for each in FACTS["gestures"]:
        known = find_gesture(each["name"])
        assert (axis_angle_to_matrix(torch.tensor(each["hand_pose"])) - known.hand_pose).abs().max() < 1e-5
        seen = view_rotation("right", *each["view"])
        assert (axis_angle_to_matrix(torch.tensor(each["global_orient"])) - seen).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("word", "name"),
    [("peace", "victory"), ("hold a glass", "grasp_cylinder"), ("hold an apple", "grasp_sphere")],
)
def test_gestures_are_found_by_what_people_call_them(word, name):
    [found] = [each for each in FACTS["gestures"] if word in each["words"]]
    assert found["name"] == name and found["title"][0].isupper() and "_" not in found["title"]


def test_the_first_scene_is_what_the_node_makes_of_nothing():
    told, made = HandScene.from_json(FACTS["default_scene"]), edited_hands("")
    assert torch.equal(told.pose().vertices, made.pose().vertices) and told.camera == made.camera
    assert FACTS["hand_model"] == made.model.name
