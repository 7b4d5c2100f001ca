"""A hand that makes a gesture which is called by its name, before a camera, in one call."""

from torch import Tensor

from ..hands.loading import load_hand_model
from ..hands.model import HandModel
from ..scene.hand_scene import HandScene
from ..scene.placement import DEFAULT_FOV, DEFAULT_SIZE, Placement
from ..scene.placing import Hand
from .gestures import gesture_called


def place_gesture(
    gesture: str,
    side: str = "right",
    *,
    size: tuple[int, int] = DEFAULT_SIZE,
    fov: float = DEFAULT_FOV,
    box: tuple[float, float, float, float] | None = None,
    mask: Tensor | None = None,
    roll: float = 0.0,
    pitch: float = 0.0,
    yaw: float = 0.0,
    hand_model: HandModel | None = None,
) -> HandScene:
    """Pose a hand in a gesture of the library and put it before the camera.

    Args:
        gesture: Its name, such as "thumbs_up" or "Thumbs up"; other words for it are answered with the name.
        side: "right", "left", or "both" for a mirrored pair.
        size: Width and height of the picture in pixels.
        fov: Field of view of the camera across the longer side, degrees.
        box: Left, top, right and bottom in pixels that the hand fills; the picture but for a margin if None.
        mask: `[H, W]` of 0..1 whose white region the hand takes; it brings its own size.
        roll: Degrees clockwise in the picture.
        pitch: Degrees, fingers towards the camera.
        yaw: Degrees about the vertical; 180 shows the back.
        hand_model: What is posed; the built-in hand if None.

    Raises:
        SesaHandError: If there is no such gesture (the message names the nearest), or the hand cannot be placed so.
    """
    model = load_hand_model() if hand_model is None else hand_model
    placement = Placement(size, fov, box, mask, roll, pitch, yaw)
    return placement.place(Hand.in_gesture(model, gesture_called(gesture)), side)
