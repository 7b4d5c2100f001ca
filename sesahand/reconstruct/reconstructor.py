"""What anything that turns a picture into 3D hands has to offer."""

from typing import Protocol

from torch import Tensor

from ..errors import SesaHandError
from ..scene.hand_scene import HandScene
from .landmarks import HandLandmarks


class Reconstructor(Protocol):
    """Estimates the 3D hands behind landmarks from the pictures that they were found in.

    Attributes:
        name: What it is called in reports, for example "hamer".
    """

    @property
    def name(self) -> str: ...

    def __call__(self, pictures: Tensor, landmarks: HandLandmarks) -> HandScene:
        """Reconstruct hands.

        Args:
            pictures: `[F, H, W, 3]` in 0..1, the pictures of the landmarks.
            landmarks: Where the hands are.

        Returns:
            One hand for each of the landmarks' hands, in their order and with their score.
        """


def run_reconstructor(reconstructor: Reconstructor, pictures: Tensor | None, landmarks: HandLandmarks) -> HandScene:
    """Let a reconstructor work on the pictures that landmarks were found in.

    Args:
        reconstructor: Any.
        pictures: `[F, H, W, 3 or 4]` in 0..1; alpha is left out. None is an error that says so.
        landmarks: Where the hands are; without hands the pictures are still checked.

    Raises:
        SesaHandError: If the pictures are missing or not the landmarks', or the answer is not one hand for each.
    """
    if pictures is None:
        raise SesaHandError(
            f"The reconstructor {reconstructor.name!r} looks at the pictures; connect the image that the hands were "
            "found in."
        )
    found, expected = tuple(pictures.shape), (landmarks.num_frames, landmarks.height, landmarks.width)
    if len(found) != 4 or found[:3] != expected or found[3] not in (3, 4):
        raise SesaHandError(
            f"The image has shape {found}, but the landmarks are of {expected[0]} picture(s) of {expected[2]}x"
            f"{expected[1]} pixels; connect the same image to detection and reconstruction."
        )
    scene = reconstructor(pictures[..., :3], landmarks)
    if scene.side != landmarks.side or scene.frame.tolist() != landmarks.frame.tolist():
        raise SesaHandError(
            f"The reconstructor {reconstructor.name!r} gave {len(scene)} hands that are not those of the landmarks, "
            f"which have {len(landmarks)}; this is an error of the reconstructor."
        )
    return scene
