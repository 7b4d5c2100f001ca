"""The pinhole camera that hands are seen through: OpenCV's frame, x right, y down, z forward."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..errors import SesaHandError, quote

# From x right, y down, z forward to x right, y up, z towards the viewer: half a turn about x, which keeps the winding
# of faces.
TO_Y_UP = (1.0, -1.0, -1.0)


@dataclass(frozen=True)
class Camera:
    """A pinhole camera without distortion; all lengths in pixels.

    Pixel (column i, row j) covers `[i, i + 1) x [j, j + 1)`: its centre is at `(i + 0.5, j + 0.5)`.

    Attributes:
        focal_length: Distance of the image plane.
        principal_point: Where the optical axis meets the picture, `(x, y)`.
        width: Picture width.
        height: Picture height.
    """

    focal_length: float
    principal_point: tuple[float, float]
    width: int
    height: int

    def __post_init__(self):
        finite = all(math.isfinite(v) for v in (self.focal_length, *self.principal_point))
        if not finite or self.focal_length <= 0:
            raise SesaHandError(f"A camera needs a positive, finite focal length and principal point, got {self}.")
        if not (1 <= self.width <= MAX_SIZE and 1 <= self.height <= MAX_SIZE):
            raise SesaHandError(
                f"A picture of {self.width}x{self.height} pixels cannot be made: "
                f"width and height must be 1 to {MAX_SIZE}."
            )

    @classmethod
    def from_fov(cls, width: int, height: int, fov_degrees: float = 40.0) -> "Camera":
        """Make a camera whose longer picture side spans `fov_degrees`, looking at the picture's centre."""
        check_fov(fov_degrees)
        focal = max(width, height) / 2 / math.tan(math.radians(fov_degrees) / 2)
        return cls(focal, (width / 2, height / 2), width, height)

    @classmethod
    def hamer(cls, width: int, height: int) -> "Camera":
        """Make the camera that HaMeR and WiLoR assume for a whole picture: a very long lens.

        Source: HaMeR's demo, focal length 5000 for a 256-pixel crop, scaled to the longer side.
        """
        return cls(5000 / 256 * max(width, height), (width / 2, height / 2), width, height)

    def project(self, points: Tensor) -> Tensor:
        """Project points `[..., 3]` in metres, in front of the camera, to pixels `[..., 2]`."""
        centre = torch.tensor(self.principal_point, dtype=points.dtype, device=points.device)
        return points[..., :2] / points[..., 2:] * self.focal_length + centre

    def resized(self, width: int, height: int) -> "Camera":
        """Return the camera for the same view at another size; the aspect ratio must stay within a pixel."""
        if abs(self.width / self.height * height - width) > 1:
            raise SesaHandError(
                f"A {self.width}x{self.height} view cannot be drawn at {width}x{height}: the aspect ratios differ."
            )
        scale = width / self.width
        x, y = self.principal_point
        return replace(
            self,
            focal_length=self.focal_length * scale,
            principal_point=(x * scale, y * height / self.height),
            width=width,
            height=height,
        )

    def fitted(self, width: int, height: int) -> "Camera":
        """Return the camera for the same view at another size, also if the picture came through a VAE.

        A VAE cuts sides to whole blocks: a picture of 1024x683 pixels comes out as 1024x680, one of the three rows that
        are too many cut off at the top and two at the bottom. The focal length stays, and the principal point moves.
        Which of the two it was tells the size, as one of them fits it better; if both do, nothing was cut.

        Args:
            width: Of the picture, which may have been enlarged or shrunk, after a VAE or without one.
            height: Likewise.

        Raises:
            SesaHandError: If the picture shows another view; the message says what to do.

        Source: `vae_encode_crop_pixels` of ComfyUI.
        """

        def error(camera: "Camera") -> float:
            aspect = camera.width / camera.height
            return min(abs(aspect * height - width), abs(width / aspect - height))

        views = [self]
        for block in VAE_BLOCKS:
            size = self.width - self.width % block, self.height - self.height % block
            if size != (self.width, self.height) and min(size) > 0:
                x, y = self.principal_point
                point = x - self.width % block // 2, y - self.height % block // 2
                views.append(Camera(self.focal_length, point, *size))
        best = min(views, key=error)
        try:
            return (best if error(best) < 0.5 else self).resized(width, height)
        except SesaHandError as fault:
            raise SesaHandError(
                f"{fault} Nor does a VAE cut one to the other. Crop or resize the picture to the size that the hands "
                "were placed in, or place the hands in the picture's size."
            ) from fault


def check_fov(degrees: float) -> None:
    """Raise a SesaHandError unless an angle can be the field of view of a camera, 1 to 170 degrees."""
    if not 1 <= degrees <= 170:
        raise SesaHandError(f"The field of view must be 1 to 170 degrees, got {quote(degrees)}.")


MAX_SIZE = 16384
# Pixels a side of what a VAE makes one latent of: Stable Diffusion's, and those of newer models.
VAE_BLOCKS = (8, 16, 32)
