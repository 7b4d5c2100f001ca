"""What files of bare points do not say of themselves: the order of the joints, and where the axes point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import SesaHandError, quote
from ...hands.skeleton import OPENPOSE_FROM_MANO

if TYPE_CHECKING:
    # The command line asks for the names alone.
    from torch import Tensor

_AS_IT_IS = tuple(range(21))
# RHD's and InterHand2.6M's fingers go from the tip to the palm.
_TIP_FIRST = (0, *(4 * finger + 4 - k for finger in range(5) for k in range(4)))


@dataclass(frozen=True)
class PointConvention:
    """How a data set's files hold points.

    Attributes:
        order: For each of OpenPose's keypoints its place in the file.
        y_up: Whether y points up and z backward (OpenGL), rather than down and forward (OpenCV).
        source: Where that is said.
    """

    order: tuple[int, ...]
    y_up: bool
    source: str

    def keypoints(self, points: Tensor) -> Tensor:
        """Put keypoints into OpenPose's order and OpenCV's axes.

        Args:
            points: `[..., 21, 3]` metres, or `[..., 21, 2]` pixels, which have no other axes; in the file's order.

        Returns:
            The same points, of the same shape and unit.
        """
        ordered = points[..., list(self.order), :]
        return self.points(ordered) if points.shape[-1] == 3 else ordered

    def points(self, points: Tensor) -> Tensor:
        """Return points in OpenCV's axes, x right, y down, z forward.

        Args:
            points: `[..., 3]` metres in the file's axes.

        Returns:
            `[..., 3]` metres.
        """
        from ...scene.camera import TO_Y_UP

        # Half a turn about x leads there as well as back.
        return points * points.new_tensor(TO_Y_UP) if self.y_up else points


CONVENTIONS = {
    "freihand": PointConvention(_AS_IT_IS, False, "FreiHAND's README: wrist, thumb to pinky, palm to tip"),
    "ho3d": PointConvention(
        OPENPOSE_FROM_MANO, True, "HO-3D's README (OpenGL) and vis_HO3D.py: MANO's joints, then the tips"
    ),
    "rhd": PointConvention(_TIP_FIRST, False, "RHD's README: wrist, thumb to pinky, tip to palm"),
}


def find_convention(name: str) -> PointConvention:
    """Return a convention by its name.

    Raises:
        SesaHandError: If there is none of the name.
    """
    if name not in CONVENTIONS:
        raise SesaHandError(f"There is no convention {quote(name)}; choose one of {', '.join(CONVENTIONS)}.")
    return CONVENTIONS[name]
