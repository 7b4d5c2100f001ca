"""What a hand network says about a crop, and how that becomes a place in the whole picture."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...errors import SesaHandError
from ...hands.model import NUM_BETAS, NUM_JOINTS
from ...hands.rotations import rotation_6d_to_matrix

CROP_SIZE = 256
CROP_FOCAL_LENGTH = 5000.0
POSE_NUMBERS = 6 * NUM_JOINTS


@dataclass(frozen=True, eq=False)
class Prediction:
    """N hands, each as the right hand that its crop shows.

    Attributes:
        pose: Rotations in the 6D form, root first, `[N, 96]`.
        betas: `[N, 10]`.
        camera: Weak perspective `[N, 3]`: half the crop per metre, then x and y of the hand in metres.
    """

    pose: Tensor
    betas: Tensor
    camera: Tensor

    def __add__(self, other: "Prediction") -> "Prediction":
        return Prediction(self.pose + other.pose, self.betas + other.betas, self.camera + other.camera)

    def float(self) -> "Prediction":
        """Return the same numbers in float32."""
        return Prediction(self.pose.float(), self.betas.float(), self.camera.float())

    @property
    def rotations(self) -> Tensor:
        """Rotation matrices `[N, 16, 3, 3]`, root first, then MANO's joints."""
        return rotation_6d_to_matrix(self.pose.unflatten(-1, (NUM_JOINTS, 6)))


def register_mean(module: nn.Module) -> None:
    """Give a network the places of its mean hand, which comes with its weights."""
    module.register_buffer("init_hand_pose", torch.zeros(1, POSE_NUMBERS))
    module.register_buffer("init_betas", torch.zeros(1, NUM_BETAS))
    module.register_buffer("init_cam", torch.zeros(1, 3))


def mean_of(module: nn.Module) -> Prediction:
    """Return the mean hand of a network that `register_mean` prepared."""
    buffer = module.get_buffer
    return Prediction(buffer("init_hand_pose"), buffer("init_betas"), buffer("init_cam"))


def project_to_crop(points: Tensor, camera: Tensor) -> Tensor:
    """Project points by the camera of a crop.

    Args:
        points: `[N, P, 3]`, metres, without translation.
        camera: `[N, 3]` as in `Prediction`.

    Returns:
        `[N, P, 2]` in halves of the crop from its centre, x right and y down: -1..1 is seen.

    Source: `pred_cam_t` and `perspective_projection` of HaMeR.
    """
    scale = camera[:, :1]
    across = scale[..., None] * (points[..., :2] + camera[:, None, 1:])
    return across / (1 + scale * points[..., 2] * CROP_SIZE / (2 * CROP_FOCAL_LENGTH))[..., None]


def place_in_picture(
    camera: Tensor, is_right: Tensor, centre: Tensor, size: Tensor, picture: tuple[int, int]
) -> Tensor:
    """Turn the weak perspective of crops into translations in front of the camera `Camera.hamer` of the whole picture.

    Args:
        camera: `[N, 3]` as in `Prediction`, of crops that show left hands mirrored.
        is_right: Bool `[N]`.
        centre: Middle of each crop `[N, 2]`, pixels of the picture.
        size: Side of each crop `[N]`, pixels of the picture.
        picture: Width and height of the picture in pixels.

    Returns:
        `[N, 3]` metres.

    Raises:
        SesaHandError: If a hand would not be in front of the camera.

    Source: `cam_crop_to_full` in HaMeR's renderer.
    """
    scale = camera[:, 0]
    wrong = (~(scale > 0)).nonzero()[:, 0]
    if len(wrong):
        raise SesaHandError(
            f"The network places hand {int(wrong[0])} at the scale {float(scale[wrong[0]]):.3g}, which must be "
            "positive: its weights are damaged, or the precision is too low; load it in fp32, or copy the file again."
        )
    focal_length = CROP_FOCAL_LENGTH / CROP_SIZE * max(picture)
    pixels_per_metre = (size * scale / 2 + 0.5e-9)[:, None]
    x = torch.where(is_right, camera[:, 1], -camera[:, 1])
    across = torch.stack([x, camera[:, 2]], 1)
    middle = torch.tensor(picture, dtype=camera.dtype, device=camera.device) / 2
    return torch.cat([across + (centre - middle) / pixels_per_metre, focal_length / pixels_per_metre], 1)
