"""What an editor of hands gives: the hands of its text, and of an empty one those that it would start from."""

from ..errors import SesaHandError
from ..hands.gestures import find_gesture
from ..hands.loading import load_hand_model
from ..hands.model import HandModel
from .hand_scene import HandScene
from .placement import DEFAULT_SIZE, Placement
from .placing import Hand
from .scene_files import scene_from_json

FIRST_GESTURE = "open_palm"


def first_hand(model: HandModel, size: tuple[int, int] = DEFAULT_SIZE) -> HandScene:
    """Return what is there before anything is: an open hand in the middle of a picture.

    Args:
        model: The hand.
        size: Width and height of the picture in pixels.
    """
    return Placement(size=size).place(Hand.in_gesture(model, find_gesture(FIRST_GESTURE)))


def edited_hands(text: str, found: HandScene | None = None, size: tuple[int, int] | None = None) -> HandScene:
    """Return the hands of a scene that was edited.

    Args:
        text: The scene as JSON, of the built-in hand. Empty as long as nothing was edited.
        found: What an empty scene lets through; None is an open hand in the middle of the picture.
        size: Width and height in pixels of the picture that they belong to; None leaves that to the hands.

    Raises:
        InvalidFileError: If the text is not a scene; the message names the field.
        SesaHandError: If the picture shows another view than the hands' camera; the message says what to do.
    """
    if text.strip():
        scene = scene_from_json(text)
    elif found is not None:
        scene = found
    else:
        return first_hand(load_hand_model(), size or DEFAULT_SIZE)
    try:
        return scene if size is None else scene.resized(*size)
    except SesaHandError as error:
        raise SesaHandError(f"{error} Fit to picture, in the editor of the hands, does the latter.") from error
