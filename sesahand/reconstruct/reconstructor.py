"""What anything that turns a picture into 3D hands has to offer."""

from typing import Protocol

from torch import Tensor

from ..hands.scene import HandScene
from .landmarks import HandLandmarks


class Reconstructor(Protocol):
    """Estimates the 3D hands behind landmarks from the pictures that they were found in.

    Attributes:
        name: What it is called in reports, for example "hamer".
    """

    name: str

    def __call__(self, pictures: Tensor, landmarks: HandLandmarks) -> HandScene:
        """Reconstruct hands.

        Args:
            pictures: `[F, H, W, 3]` in 0..1, the pictures of the landmarks.
            landmarks: Where the hands are.

        Returns:
            One hand for each of the landmarks' hands, in their order and with their score.
        """
