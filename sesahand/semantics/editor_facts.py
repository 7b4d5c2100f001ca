"""What an editor of hands in a browser is told once: facts of the hand, the gestures and their words, a first scene."""

from typing import Any

import torch

from ..hands.facts import hand_facts, object_facts
from ..hands.gestures import Gesture, load_gestures
from ..hands.model import HandModel
from ..hands.objects import OBJECTS
from ..hands.rotations import matrix_to_axis_angle
from ..scene.editing import first_hand
from ..scene.placing import Hand
from .gestures import GESTURES

# The library of gestures has four.
DECIMALS = 6


def editor_facts(model: HandModel) -> dict[str, Any]:
    """Return what the editor in `web/js` works with, as JSON takes it.

    Args:
        model: The built-in hand.

    Returns:
        All of `hand_facts`; `hand_model`, its name; `gestures`, in the library's order, each as `gesture_facts` has it;
        `objects` that it can hold, each as `object_facts` has it; and `default_scene`, the text of the scene that is
        shown where there is no other.
    """
    return {
        **hand_facts(model),
        "hand_model": model.name,
        "gestures": [gesture_facts(gesture, model) for gesture in load_gestures().values()],
        "objects": [object_facts(kind) for kind in OBJECTS],
        "default_scene": first_hand(model).to_json(),
    }


def gesture_facts(gesture: Gesture, model: HandModel) -> dict[str, Any]:
    """Return a gesture as JSON takes it.

    Args:
        gesture: One of the library.
        model: The hand that makes it.

    Returns:
        `name`; `title`, for people; `description`, one line; `words` that it is found by; and of a right hand
        `hand_pose` (15 axis-angle vectors, radians, in MANO's order), `view` (roll, pitch and yaw in degrees in which
        people know it) and `global_orient` (that view as an axis-angle vector in the camera's frame, radians).
    """
    said = GESTURES[gesture.name]
    hand_pose, _, orient = Hand.in_gesture(model, gesture).parameters()
    rotations = matrix_to_axis_angle(torch.cat([orient[None], hand_pose]).double())
    global_orient, *joints = [[round(value, DECIMALS) for value in row] for row in rotations.tolist()]
    return {
        "name": gesture.name,
        "title": gesture.name.replace("_", " ").capitalize(),
        "description": said.description,
        "words": list(dict.fromkeys((*said.names, *said.ambiguous, *said.deeds, *said.nouns, *_held(said.things)))),
        "hand_pose": joints,
        "view": list(gesture.view),
        "global_orient": global_orient,
    }


def _held(things: tuple[str, ...]) -> list[str]:
    """What people say of a hand that holds one of some things: "hold a glass", "hold an apple"."""
    return [f"hold {'an' if thing[0] in 'aeiou' else 'a'} {thing}" for thing in things]
