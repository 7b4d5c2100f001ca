"""Colours of what a pixel sees: headlight shading, normals, depth and hand parts."""

import colorsys

import torch
from torch import Tensor

from ..errors import SesaHandError
from ..hands.model import NUM_JOINTS
from ..hands.skeleton import FINGER_JOINTS, FINGERS
from ..scene.camera import Camera

# The darkest a covered pixel of the mesh map gets: 158 of 255. In AttentionHand's samples one pixel in a hundred is
# below 162 to 176, and its code finds hands by gray > 127.
AMBIENT = 0.62

# sRGB in 0..1 of right and left hands where they are told apart by colour: in overlays and in exported files.
SIDE_COLORS = {"right": (0.93, 0.66, 0.50), "left": (0.48, 0.68, 0.93)}

# How bright an object is beside a hand in the map of the mesh: below 127 of 255, where no hand is, even where it is
# brightest. Its colour in the map of parts, which is no finger's.
OBJECT_GRAY, OBJECT_COLOR = 0.45, (0.35, 0.35, 0.35)

NORMAL_CONVENTIONS = {"normalbae": (-1.0, -1.0, -1.0), "opengl": (1.0, -1.0, -1.0)}

# HandRefiner's depth maps run from 255 at a hand's nearest pixel to 51 at its farthest.
DEPTH_SPAN = 0.8


def part_colors() -> tuple[tuple[float, float, float], ...]:
    """Return the colours of `PART_COLORS`."""
    palette = [(1.0, 1.0, 1.0)] * NUM_JOINTS
    for hue, finger in enumerate(FINGERS):
        for joint, saturation in zip(FINGER_JOINTS[finger], (1.0, 0.7, 0.4), strict=True):
            palette[joint] = colorsys.hsv_to_rgb(hue / len(FINGERS), saturation, 1.0)
    return (*palette, *((0.6 * red, 0.6 * green, 0.6 * blue) for red, green, blue in palette))


# RGB in 0..1 of the 32 hand parts: the MANO joints of a right hand, then, darker, of a left hand. A finger has one hue,
# paler towards its tip, from red for the thumb to purple for the little finger; the palm, joint 0, is white.
PART_COLORS = part_colors()


def corner_normals(vertices: Tensor, faces: Tensor, num_smooth: int) -> Tensor:
    """Return the unit normal at each corner of each face, `[T, 3, 3]`, out of the closed surface.

    Args:
        vertices: `[V, 3]`, any unit of length.
        faces: Vertex ids `[T, 3]`, counter-clockwise seen from outside.
        num_smooth: Faces that share area-weighted vertex normals; the remaining ones, of the cap that closes a wrist,
            are flat, so that they do not bend the normals of the skin.
    """
    a, b, c = vertices[faces].unbind(1)
    across = torch.linalg.cross(b - a, c - a)
    smooth, flat = across[:num_smooth], across[num_smooth:]
    normals = torch.zeros_like(vertices)
    for corner in range(3):
        normals.index_add_(0, faces[:num_smooth, corner], smooth)
    normals = torch.cat([normals[faces[:num_smooth]], flat[:, None].expand(-1, 3, 3)])
    return torch.nn.functional.normalize(normals, dim=-1, eps=1e-20)


def interpolate_normals(corners: Tensor, face: Tensor, weights: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Return the normals of points on faces.

    Args:
        corners: From `corner_normals`.
        face: The face that each point is on, int64 `[P]`.
        weights: Of its three corners, each `[P]`.

    Returns:
        Unit normals `[3, P]`.
    """
    components = corners.permute(2, 1, 0).contiguous()
    normal = torch.stack(
        [
            sum(weight * column.index_select(0, face) for weight, column in zip(weights, component, strict=True))
            for component in components
        ]
    )
    return normal / normal.square().sum(0).sqrt_().clamp_(min=1e-12)


def shade_mesh(normal: Tensor, x: Tensor, y: Tensor, camera: Camera) -> Tensor:
    """Return the brightness `[P]` of a near-white matte surface lit from the camera.

    Args:
        normal: Unit normals `[3, P]` in the camera's frame.
        x: Columns `[P]`.
        y: Rows `[P]`.
        camera: The camera.

    Source: the look of AttentionHand's mesh images (Park et al., 2024), its brightness from 0.62 to 1.
    """
    ray_x = (x + (0.5 - camera.principal_point[0])) / camera.focal_length
    ray_y = (y + (0.5 - camera.principal_point[1])) / camera.focal_length
    length = (1 + ray_x.square() + ray_y.square()).sqrt_()
    facing = -(normal[0] * ray_x + normal[1] * ray_y + normal[2]) / length
    return AMBIENT + (1 - AMBIENT) * facing.clamp_(0, 1)


def color_normals(normal: Tensor, convention: str) -> Tensor:
    """Return the colours `[3, P]` of unit normals `[3, P]` in the camera's frame.

    "normalbae" is what control_v11p_sd15_normalbae was trained on: red grows to the left, green upwards, blue towards
    the camera. "opengl" differs in red, which grows to the right. A component of zero is 0.5.

    Source: ControlNet 1.1's notes on its normal model, "blue is front, red is left, green is top".
    """
    if convention not in NORMAL_CONVENTIONS:
        raise SesaHandError(f"normal_convention must be one of {sorted(NORMAL_CONVENTIONS)}, got {convention!r}.")
    sign = torch.tensor(NORMAL_CONVENTIONS[convention], dtype=normal.dtype, device=normal.device)
    return normal * (sign / 2)[:, None] + 0.5


def normalize_depth(depth: Tensor, near: float, far: float) -> Tensor:
    """Return 1 at `near` falling linearly to 0.2 at `far`, and 1 everywhere where the two are equal.

    Args:
        depth: z in metres, of any shape.
        near: Metres.
        far: Metres.

    Returns:
        0.2 to 1, of the same shape.

    Source: HandRefiner (Lu et al., 2023), `255 * (1 - 0.8 * (z - zmin) / (zmax - zmin))` within a hand.
    """
    if far <= near:
        return torch.ones_like(depth)
    return 1 - DEPTH_SPAN * ((depth - near) / (far - near)).clamp(0, 1)
