"""Hands drawn over pictures for people to look at, and seen from all sides."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from ..callbacks import Progress
from ..errors import SesaHandError
from ..hands.rotations import axis_angle_to_matrix
from ..scene.camera import MAX_SIZE, Camera
from ..scene.hand_scene import HandScene
from ..scene.holding import held_surfaces
from .maps import BYTES_PER_PIXEL, draw_skeletons, mean_of, quarters, render_maps
from .room import check_pixels
from .shading import AMBIENT, OBJECT_GRAY, SIDE_COLORS

STYLES = ("mesh", "skeleton", "both")

# Where there is no picture.
BACKGROUND = 0.25

# Brightness of skin seen edge on, as a share of skin that faces the camera.
DARKEST = 0.22

# sRGB of what hands hold, as bright as the hands.
OBJECT_TINT = (0.62, 0.62, 0.62)

TURNTABLE_FOV = 30.0
# Free space around the hands of a turntable, as a share of their radius.
TURNTABLE_MARGIN = 0.08
MAX_VIEWS = 360
# Longer side of a turntable's pictures at most: it is for looking at, and there are many of them.
TURNTABLE_SIDE = 1024


def draw_hands(
    scene: HandScene,
    pictures: Tensor | None = None,
    style: str = "mesh",
    opacity: float = 0.8,
    forearm: bool = False,
    on_frame: Progress | None = None,
) -> Tensor:
    """Draw the hands of a scene and, as meshes, what they hold over pictures; near hands hide far ones.

    Args:
        scene: The hands. The scene is resized to the pictures' size, which must have its camera's aspect ratio.
        pictures: `[F, H, W, C]` floating point in 0..1, C one of 1, 3, 4 (an alpha channel is left out); one picture
            serves all frames, and the hands of one frame serve all pictures. None is a grey background.
        style: "mesh", "skeleton" or "both".
        opacity: 0 leaves the pictures as they are, 1 hides what is behind a hand.
        forearm: Draw the forearm of a hand model that has one.
        on_frame: Called as by `render_maps` for each frame of meshes.

    Returns:
        `[F, H, W, 3]` float32 in 0..1.

    Raises:
        SesaHandError: If the pictures are none, or do not fit the scene, or an argument is out of its range.
    """
    if style not in STYLES:
        raise SesaHandError(f"Hands are drawn as {', '.join(STYLES)}, got {style!r}.")
    if not 0 <= opacity <= 1:
        raise SesaHandError(f"opacity goes from 0 to 1, got {opacity}.")
    check_room(scene, pictures)
    canvas = blank(scene) if pictures is None else check_pictures(scene, pictures)
    height, width = canvas.shape[1:3]
    if (width, height) != (scene.camera.width, scene.camera.height):
        scene = fit_scene(scene, width, height)
    if style != "skeleton":
        canvas = composite(canvas, *paint_meshes(scene, forearm, on_frame), opacity)
    if style != "mesh":
        canvas = composite(canvas, *paint_skeletons(scene), opacity)
    return canvas


def check_room(scene: HandScene, pictures: Tensor | None) -> None:
    """Raise a SesaHandError if overlays of all frames would take more memory than there should be need of.

    Args:
        scene: The hands.
        pictures: What they are drawn on, `[F, H, W, C]` in any range; None for the scene's own size.
    """
    height, width = scene.camera.height, scene.camera.width
    if isinstance(pictures, Tensor) and pictures.ndim == 4:
        height, width = pictures.shape[1:3]
    check_pixels(scene.num_frames, width, height, BYTES_PER_PIXEL)


def blank(scene: HandScene) -> Tensor:
    """Return an even picture for each frame, `[F, H, W, 3]` in 0..1."""
    return torch.full((scene.num_frames, scene.camera.height, scene.camera.width, 3), BACKGROUND)


def check_pictures(scene: HandScene, pictures: Tensor) -> Tensor:
    """Return the pictures to draw on, one for each frame.

    Args:
        scene: The hands.
        pictures: `[F, H, W, C]` in 0..1, C one of 1, 3, 4; F may be 1, or the scene may have one frame.

    Returns:
        `[F, H, W, 3]` float32 in 0..1, on the CPU.

    Raises:
        SesaHandError: If they are no such pictures.
    """
    if not isinstance(pictures, Tensor) or pictures.ndim != 4 or pictures.shape[3] not in (1, 3, 4):
        found = list(pictures.shape) if isinstance(pictures, Tensor) else type(pictures).__name__
        raise SesaHandError(f"Expected pictures [F, H, W, 3] (or 1 or 4 channels) to draw on, got {found}.")
    if not pictures.is_floating_point() or not pictures.numel():
        raise SesaHandError(
            f"Expected pictures with pixels, floating point in 0..1, got {pictures.dtype} of shape "
            f"{list(pictures.shape)}."
        )
    if not bool(torch.isfinite(pictures).all()):
        raise SesaHandError(
            "The pictures to draw on hold values that are not numbers (NaN or infinity). A VAE that overflows in half "
            "precision does this: start ComfyUI with --fp32-vae, or look at the node that made them."
        )
    if len(pictures) != scene.num_frames and 1 not in (len(pictures), scene.num_frames):
        raise SesaHandError(
            f"There are {len(pictures)} pictures for hands of {scene.num_frames} frames; give one picture, or one for "
            "each frame."
        )
    colors = pictures[..., :1].expand(-1, -1, -1, 3) if pictures.shape[3] == 1 else pictures[..., :3]
    return colors.float().cpu().clamp(0, 1).expand(max(len(pictures), scene.num_frames), -1, -1, -1)


def fit_scene(scene: HandScene, width: int, height: int) -> HandScene:
    """Return the scene at the size of pictures."""
    if max(width, height) > MAX_SIZE:
        raise SesaHandError(f"Pictures of {width}x{height} pixels are too large to draw on; at most {MAX_SIZE} a side.")
    try:
        return scene.resized(width, height)
    except SesaHandError as error:
        raise SesaHandError(
            f"The picture's proportions are not those that the hands were placed in. {error}"
        ) from error


def shrink_view(scene: HandScene, pictures: Tensor, largest: int) -> tuple[HandScene, Tensor]:
    """Return a view a whole number of times smaller, so that its longer side is at most `largest` pixels.

    What is left over of the division is cut off at the right and at the bottom: hands stay exactly where they are. A
    picture never gets narrower than one pixel, and may then stay longer.

    Args:
        scene: The hands.
        pictures: `[F, H, W, C]` of the camera's size, any range.
        largest: Pixels.

    Returns:
        The hands seen by a camera of the smaller size, and the pictures `[F, h, w, C]`.
    """
    height, width = pictures.shape[1:3]
    factor = min(-(-max(width, height) // largest), width, height)
    if factor <= 1:
        return scene, pictures
    small = torch.nn.functional.avg_pool2d(pictures.movedim(-1, 1), factor).movedim(1, -1)
    x, y = scene.camera.principal_point
    camera = Camera(scene.camera.focal_length / factor, (x / factor, y / factor), small.shape[2], small.shape[1])
    return replace(scene, camera=camera), small


def composite(canvas: Tensor, color: Tensor, cover: Tensor, opacity: float) -> Tensor:
    """Lay colours over pictures.

    Args:
        canvas: The pictures, `[F, H, W, 3]` in 0..1; F may be 1.
        color: `[F, H, W, 3]` in 0..1, already multiplied by their cover.
        cover: `[F, H, W, 1]` in 0..1.
        opacity: 0..1.

    Returns:
        `[F, H, W, 3]` in 0..1.
    """
    return canvas * (1 - opacity * cover) + opacity * color


def paint_meshes(scene: HandScene, forearm: bool, on_frame: Progress | None = None) -> tuple[Tensor, Tensor]:
    """Return the shaded hands and what they hold.

    Returns:
        The colours of their sides, and the gray of objects, `[F, H, W, 3]`, shaded and multiplied by their cover, and
        the cover `[F, H, W, 1]`, both in 0..1 and on the CPU.
    """
    antialias = 2 * max(scene.camera.width, scene.camera.height) <= MAX_SIZE
    maps = render_maps(scene, ("mesh",), antialias=antialias, forearm=forearm, on_frame=on_frame)
    skin, things = maps.mask[..., None], maps.object_mask[..., None]
    cover = skin + things
    # The mesh map has objects darker than hands; here it is their colour that is.
    gray = maps.drawn("mesh")[..., :1] * (cover / (skin + OBJECT_GRAY * things).clamp(min=1e-6))
    # The mesh map is as bright as ControlNets want it; for people, its shading is stretched to more contrast.
    facing = (gray - AMBIENT * cover).clamp(min=0) / (1 - AMBIENT)
    # Index -1, of a pixel whose nearest surface is no hand, finds the last row.
    palette = torch.tensor([*(SIDE_COLORS[side] for side in scene.side), OBJECT_TINT], device=cover.device)
    tint = palette[maps.hand_index.long()]
    if scene.objects:
        tint = tint + (palette[-1] - tint) * (things / cover.clamp(min=1e-6))
    color = tint * (DARKEST * cover + (1 - DARKEST) * facing)
    return color.cpu(), cover.cpu()


def paint_skeletons(scene: HandScene) -> tuple[Tensor, Tensor]:
    """Draw skeletons at twice the size and average.

    Returns:
        Their colours `[F, H, W, 3]`, multiplied by their cover, and the cover `[F, H, W, 1]`, both in 0..1.
    """
    keypoints = scene.pose().keypoints
    samples = 2 if 2 * max(scene.camera.width, scene.camera.height) <= MAX_SIZE else 1
    camera = scene.camera.resized(samples * scene.camera.width, samples * scene.camera.height)
    colors = []
    for frame in range(scene.num_frames):
        chosen = scene.frame == frame
        part = replace(scene.select_frames([frame]), camera=camera)
        target = torch.zeros(1, camera.height, camera.width, 3)
        draw_skeletons(target, part, keypoints[chosen], 1)
        # No colour of a skeleton is black.
        target = torch.cat([target, (target.amax(-1, keepdim=True) > 0).float()], -1)[0]
        colors.append(mean_of(quarters(target)) if samples == 2 else target)
    stacked = torch.stack(colors)
    return stacked[..., :3], stacked[..., 3:]


def draw_turntable(
    scene: HandScene,
    views: int,
    style: str = "mesh",
    forearm: bool = False,
    on_view: Progress | None = None,
) -> Tensor:
    """Draw the hands of the first frame that has any, turned once about the vertical through their centre.

    Args:
        scene: The hands. The first view is from where the scene's camera looks.
        views: N, how many pictures the full turn is divided into.
        style: As of `draw_hands`.
        forearm: As of `draw_hands`.
        on_view: Called after each view with how many are done, and N.

    Returns:
        `[N, H, W, 3]` float32 on grey, in the proportions of the scene's camera and its size up to `TURNTABLE_SIDE`.

    Raises:
        SesaHandError: If `views` is not 1 to `MAX_VIEWS`.
    """
    if not 1 <= views <= MAX_VIEWS:
        raise SesaHandError(f"A turntable has 1 to {MAX_VIEWS} views, got {views}.")
    pictures = []
    for view in range(views):
        pictures.append(draw_hands(turn_scene(scene, 360 * view / views, forearm), None, style, 1.0, forearm))
        if on_view is not None:
            on_view(view + 1, views)
    return torch.cat(pictures)


def turn_scene(scene: HandScene, degrees: float, forearm: bool = False) -> HandScene:
    """Return the hands of the first frame that has any, turned about the vertical, all in the middle of the picture.

    Args:
        scene: The hands.
        degrees: How far their right side in the picture comes nearer, as Place Hand's yaw turns a hand.
        forearm: Leave room for the forearm.
    """
    size = (scene.camera.width, scene.camera.height)
    scale = min(1.0, TURNTABLE_SIDE / max(size))
    width, height = (max(1, round(scale * side)) for side in size)
    camera = Camera.from_fov(width, height, TURNTABLE_FOV)
    if not len(scene):
        return HandScene.empty(scene.model, camera)
    part = scene.select(scene.frame == scene.frame.min())
    posed = part.pose(forearm)
    things = [vertices for _, vertices, _ in held_surfaces(part, posed.keypoints)]
    points = torch.cat([posed.vertices.flatten(0, 1), *things]).detach().double()
    centre = (points.amin(0) + points.amax(0)) / 2
    radius = float((points - centre).norm(dim=1).max()) * (1 + TURNTABLE_MARGIN)
    half_angle = math.atan(min(camera.width, camera.height) / 2 / camera.focal_length)
    middle = centre.new_tensor([0.0, 0.0, radius / math.sin(half_angle)])
    turn = axis_angle_to_matrix(centre.new_tensor([0.0, math.radians(degrees), 0.0]))
    wrist = posed.keypoints[:, 0].detach().double()
    moved = (wrist - centre) @ turn.mT + middle - wrist + part.translation.double()
    return replace(
        part,
        camera=camera,
        num_frames=1,
        frame=torch.zeros_like(part.frame),
        global_orient=(turn @ part.global_orient.double()).to(part.global_orient),
        translation=moved.to(part.translation),
    )
