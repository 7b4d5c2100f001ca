"""Where in a picture a posed hand goes, and how it is turned, as one value."""

from dataclasses import dataclass

from torch import Tensor

from ..errors import SesaHandError
from .camera import Camera
from .hand_scene import HandScene
from .placing import AS_POSED, PALM, Hand, mirror_hand, place_in_box, place_in_mask, place_pair, place_row

DEFAULT_SIZE, DEFAULT_FOV = (512, 512), 40.0
# Part of the picture that stays free on each side where no box is given.
MARGIN = 0.1


@dataclass(frozen=True, eq=False)
class Placement:
    """Where a hand goes.

    Attributes:
        size: Width and height of the picture in pixels; a mask brings its own.
        fov: Field of view of the camera across the longer side, degrees.
        box: Left, top, right and bottom in pixels that the hand fills; the picture but for a margin if None.
        mask: `[H, W]` of 0..1 whose white region the hand takes, which settles where it goes and how it is turned.
        roll: Degrees clockwise in the picture.
        pitch: Degrees, fingers towards the camera.
        yaw: Degrees about the vertical; 180 shows the back.
        facing: With a mask, what faces the viewer, one of `placing.FACINGS`. None is the palm, or, where an angle is
            given, the hand as it is, turned by the angles. With a side named, the fingers point as `roll` says.
    """

    size: tuple[int, int] = DEFAULT_SIZE
    fov: float = DEFAULT_FOV
    box: tuple[float, float, float, float] | None = None
    mask: Tensor | None = None
    roll: float = 0.0
    pitch: float = 0.0
    yaw: float = 0.0
    facing: str | None = None

    def place(self, hand: Hand, side: str = "right") -> HandScene:
        """Put a hand before the camera.

        Args:
            hand: A posed right hand, as it is to be seen.
            side: "right", "left", or "both" for a mirrored pair.

        Raises:
            SesaHandError: If the side is none of these, a pair is to go into a mask, or an angle has no say there.
        """
        if side not in ("right", "left", "both"):
            raise SesaHandError(f"The side is {side!r}, expected 'right', 'left' or 'both'.")
        hand = mirror_hand(hand) if side == "left" else hand
        if self.mask is not None:
            if side == "both":
                raise SesaHandError("A mask takes one hand, got the side 'both': choose 'right' or 'left'.")
            return self._over_mask(hand, self.mask)
        width, height = self.size
        place = place_pair if side == "both" else place_in_box
        camera = Camera.from_fov(width, height, self.fov)
        return place(hand, camera, self.box or self.middle(), self.roll, self.pitch, self.yaw)

    def place_all(self, hands: list[Hand]) -> HandScene:
        """Put several hands before the camera, side by side; one alone as `place` does.

        Args:
            hands: Posed hands, each of its own side.

        Raises:
            SesaHandError: If several are to go into a mask.
        """
        if len(hands) > 1 and self.mask is not None:
            raise SesaHandError(f"A mask takes one hand, got {len(hands)}.")
        if self.mask is not None:
            return self._over_mask(hands[0], self.mask)
        camera = Camera.from_fov(*self.size, self.fov)
        return place_row(hands, camera, self.box or self.middle(), self.roll, self.pitch, self.yaw)

    def _over_mask(self, hand: Hand, mask: Tensor) -> HandScene:
        turned = any((self.roll, self.pitch, self.yaw))
        facing = self.facing or (AS_POSED if turned else PALM)
        camera = Camera.from_fov(mask.shape[1], mask.shape[0], self.fov)
        if facing == AS_POSED:
            return place_in_mask(hand.turned(self.roll, self.pitch, self.yaw), camera, mask, facing=facing)
        if self.pitch or self.yaw:
            raise SesaHandError(
                f"A hand that faces the viewer with its {facing} over a mask takes no pitch or yaw, got {self.pitch:g} "
                f"and {self.yaw:g}: take the facing '{AS_POSED}', or leave them out."
            )
        return place_in_mask(hand, camera, mask, fingers=self.roll or None, facing=facing)

    def middle(self) -> tuple[int, int, int, int]:
        """Return the picture but for its margin: left, top, right, bottom in whole pixels."""
        (width, height), near, far = self.size, MARGIN, 1 - MARGIN
        return round(width * near), round(height * near), round(width * far), round(height * far)
