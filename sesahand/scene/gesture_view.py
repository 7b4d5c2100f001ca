"""A hand that shows a gesture: in the view in which people know it, in the middle of the picture."""

from torch import Tensor

from ..hands.gestures import Gesture
from ..hands.model import HandModel
from .camera import Camera
from .hand_scene import HandScene
from .placing import Hand, mirror_hand, place_in_box, place_pair

# Part of the picture that stays free on each side.
MARGIN = 0.1


def gesture_hand(
    model: HandModel,
    gesture: Gesture,
    side: str = "right",
    hand_pose: Tensor | None = None,
    betas: Tensor | None = None,
) -> Hand:
    """Return a hand that is seen as people know a gesture, not yet placed.

    Args:
        model: The hand model.
        gesture: The gesture.
        side: "right" or "left".
        hand_pose: A right hand's absolute joint rotations `[15, 3, 3]` in the place of the gesture's own, for example
            with fingers bent further.
        betas: Shape `[10]`; None is the mean shape.
    """
    hand = Hand(model, gesture.hand_pose if hand_pose is None else hand_pose, betas).turned(*gesture.view)
    return mirror_hand(hand) if side == "left" else hand


def middle_box(camera: Camera) -> tuple[float, float, float, float]:
    """Return the picture without its margin: left, top, right, bottom in whole pixels."""
    near, far = MARGIN, 1 - MARGIN
    return (
        round(camera.width * near),
        round(camera.height * near),
        round(camera.width * far),
        round(camera.height * far),
    )


def show_gesture(
    model: HandModel,
    gesture: Gesture,
    camera: Camera,
    side: str = "right",
    angles: tuple[float, float, float] = (0.0, 0.0, 0.0),
    box: tuple[float, float, float, float] | None = None,
    **shape: Tensor,
) -> HandScene:
    """Show a gesture in a picture.

    Args:
        model: The hand model.
        gesture: The gesture.
        camera: The camera.
        side: "right", "left", or "both" for a pair of hands.
        angles: Roll, pitch and yaw in degrees from the view in which people know the gesture; see `placing`.
        box: Left, top, right, bottom in pixels that the hand is to fill; None is `middle_box`.
        shape: `hand_pose` and `betas` as `gesture_hand` takes them.

    Returns:
        A scene of one frame.

    Raises:
        SesaHandError: As `place_in_box`.
    """
    place = place_pair if side == "both" else place_in_box
    hand = gesture_hand(model, gesture, side, **shape)
    return place(hand, camera, middle_box(camera) if box is None else box, *angles)
