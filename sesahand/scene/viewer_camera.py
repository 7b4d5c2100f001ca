"""The camera of ComfyUI's 3D viewers (LOAD3D_CAMERA), and hands as it sees them.

The viewers are three.js: y up, a camera looks along its own -z, its field of view is over the picture's height, and its
zoom multiplies the focal length. Hands are in the frame that they are exported in, y up with the camera that they were
placed for at the origin.

Since they write quaternion and field of view, the viewers show a model where it is. Those before (frontend 1.27, with
ComfyUI 0.3.64) write neither; they scale every model to a longer side of 5, stand it in the middle of the ground, and
have a field of view of 35 degrees until it is changed. Both are undone here.

Source: three.js, `PerspectiveCamera.updateProjectionMatrix` and `Matrix4.lookAt`; ComfyUI_frontend, `CameraManager.ts`
and `SceneModelManager.ts`.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..errors import SesaHandError, quote
from ..hands.rotations import quaternion_to_matrix
from .camera import TO_Y_UP, Camera
from .hand_scene import HandScene

DEFAULT_FOV = 35.0
FITTED_SIZE = 5.0
# Beyond it, float64 squares are infinite.
LARGEST = 1e150


@dataclass(frozen=True, eq=False)
class ViewerCamera:
    """A perspective camera of a viewer.

    Attributes:
        position: `[3]` in the viewer's world and its unit, metres unless it scales models; float64.
        rotation: Columns are the camera's x, y and z in the world `[3, 3]`, float64.
        fov: Field of view over the picture's height with the zoom in it, degrees.
        fits_models: Whether its viewer scales models and moves them to the middle.
    """

    position: Tensor
    rotation: Tensor
    fov: float
    fits_models: bool

    @classmethod
    def read(cls, value) -> "ViewerCamera":
        """Read LOAD3D_CAMERA.

        Raises:
            SesaHandError: If it is none, or of an orthographic camera, which no lens is.
        """
        if not isinstance(value, dict):
            raise _wrong(value)
        if str(value.get("cameraType", "perspective")).lower().startswith("ortho"):
            raise SesaHandError(
                "camera_info is of an orthographic camera, which no lens sees like: switch the 3D viewer's camera to "
                "perspective."
            )
        position = _vector(value, "position")
        quaternion = value.get("quaternion")
        if quaternion is None:
            rotation = look_at(position, _vector(value, "target"))
        else:
            turn = torch.tensor([_number(quaternion, name) for name in "wxyz"], dtype=torch.float64)
            if float(turn.norm()) < 1e-9:
                raise _wrong(value)
            rotation = quaternion_to_matrix((turn / turn.norm())[None])[0]
        fov, zoom = value.get("fov"), value.get("zoom")
        fov = DEFAULT_FOV if fov is None else _number(value, "fov")
        zoom = 1.0 if zoom is None else _number(value, "zoom")
        if not 0 < fov < 180 or zoom <= 0:
            raise SesaHandError(
                f"camera_info has a field of view of {fov:g} degrees and a zoom of {zoom:g}, expected 0 to 180 degrees "
                "and a zoom above 0: move the view once."
            )
        seen = 2 * math.degrees(math.atan(math.tan(math.radians(fov) / 2) / zoom))
        return cls(position, rotation, seen, quaternion is None and value.get("fov") is None)

    def lens(self, width: int, height: int) -> Camera:
        """Return our camera of this field of view for a picture of a size in pixels."""
        focal = height / 2 / math.tan(math.radians(self.fov) / 2)
        return Camera(focal, (width / 2, height / 2), width, height)

    def turn(self, scene: HandScene) -> HandScene:
        """Return hands turned as they are seen from here; they stay about where they are."""
        return moved(scene, self._to_camera(scene), None)

    def _to_camera(self, scene: HandScene) -> Tensor:
        """Return the rotation `[3, 3]` from the frame of the scene's camera into this one's, both x right, y down."""
        axes = torch.diag(torch.tensor(TO_Y_UP, dtype=torch.float64))
        return axes @ self.rotation.mT @ axes

    def see(self, scene: HandScene, forearm: bool = False) -> HandScene:
        """Return hands as they are seen from here, in the frame of this camera; the scene's lens is kept.

        Args:
            scene: The hands as they were exported.
            forearm: Whether they were exported with a forearm, which counts where the viewer fits models.
        """
        axes = torch.tensor(TO_Y_UP, dtype=torch.float64)
        eye = self.position
        if self.fits_models and len(scene):
            first = scene.select(scene.frame == int(scene.frame.min()))
            points = first.pose(forearm).vertices.double().flatten(0, 1).cpu() * axes
            low, high = points.amin(0), points.amax(0)
            ground = torch.stack([(low[0] + high[0]) / 2, low[1], (low[2] + high[2]) / 2])
            eye = eye * (high - low).max() / FITTED_SIZE + ground
        turn = self._to_camera(scene)
        return moved(scene, turn, -turn @ (eye * axes))


def seen_by_viewer(scene: HandScene, value, width: int = 0, height: int = 0, forearm: bool = False) -> HandScene:
    """Return hands as the camera of a 3D viewer sees them.

    Args:
        scene: The hands, as Export Hand Mesh gave them to the viewer.
        value: LOAD3D_CAMERA.
        width: Of the picture in pixels; 0 takes the scene's.
        height: Likewise.
        forearm: Whether they were exported with a forearm.

    Raises:
        SesaHandError: If the value is no perspective camera.
    """
    viewer = ViewerCamera.read(value)
    camera = viewer.lens(width or scene.camera.width, height or scene.camera.height)
    return replace(viewer.see(scene, forearm), camera=camera)


def moved(scene: HandScene, turn: Tensor, shift: Tensor | None) -> HandScene:
    """Return hands whose points p are at `turn @ p + shift`, or, without a shift, turned about each hand's wrist.

    Args:
        scene: The hands.
        turn: Rotation `[3, 3]`, float64.
        shift: `[3]`, metres, float64; or None.
    """
    wrist = scene.pose().keypoints[:, 0].double().cpu()
    orient = turn @ scene.global_orient.double().cpu()
    translation = scene.translation.double().cpu()
    if shift is not None:
        translation = translation + wrist @ turn.mT + shift - wrist
    return replace(scene, global_orient=orient.to(scene.global_orient), translation=translation.to(scene.translation))


def look_at(position: Tensor, target: Tensor) -> Tensor:
    """Return the rotation of a camera at a position that looks at a target with the world's y up.

    Args:
        position: `[3]` in the world, any unit of length.
        target: Likewise.

    Returns:
        `[3, 3]`; columns are the camera's x, y and z in the world.
    """
    z = position - target
    z = z / z.norm() if float(z.norm()) > 1e-12 else torch.tensor([0.0, 0.0, 1.0], dtype=z.dtype)
    x = torch.linalg.cross(torch.tensor([0.0, 1.0, 0.0], dtype=z.dtype), z)
    if float(x.norm()) < 1e-9:
        # Straight up or down: three.js nudges z a little, so that the picture's right is the world's.
        z = z + torch.tensor([0.0, 0.0, 1e-4], dtype=z.dtype)
        z = z / z.norm()
        x = torch.linalg.cross(torch.tensor([0.0, 1.0, 0.0], dtype=z.dtype), z)
    x = x / x.norm()
    return torch.stack([x, torch.linalg.cross(z, x), z], 1)


def _vector(value: dict, name: str) -> Tensor:
    return torch.tensor([_number(value.get(name), axis) for axis in "xyz"], dtype=torch.float64)


def _number(value, name: str) -> float:
    found: Any = value.get(name) if isinstance(value, dict) else None
    # A whole number of any length is compared, not made a float, which it may be too large for.
    if type(found) not in (int, float) or not abs(found) <= LARGEST:
        raise _wrong(value)
    return float(found)


def _wrong(value) -> SesaHandError:
    return SesaHandError(
        f"camera_info has {quote(value)}, expected the camera of a 3D viewer (LOAD3D_CAMERA): position and target with "
        "x, y and z, zoom, cameraType, and in newer ones quaternion and fov. Move the view once, so that it has one."
    )
