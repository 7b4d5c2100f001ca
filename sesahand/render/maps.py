"""Condition maps: what a ControlNet is shown of the hands in a scene."""

import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
import torch
from torch import Tensor

from ..callbacks import Progress
from ..errors import SesaHandError
from ..hands.model import NUM_JOINTS, PosedHands
from ..scene.camera import MAX_SIZE, Camera
from ..scene.hand_scene import HandScene, hands_of_frames
from ..scene.held_object import HeldObject
from ..scene.holding import held_surfaces
from . import shading
from .keypoints import FARTHEST, JOINT_RADIUS, REFERENCE_SIZE, draw_keypoints
from .map_table import ALL_MAPS, COLOR_MAPS
from .rasterizer import NEAR, VisiblePixels, check_mesh, chunk_pixels, visible_pixels
from .room import MAX_BYTES, check_pixels

logger = logging.getLogger(__name__)

DEPTH_RANGES = ("hand", "frame", "scene")
MAX_HANDS = 32767
MAX_OBJECT_FACES = 8_000_000
# While a frame is drawn, each pixel that is kept of its hands takes about this many bytes, and while a hand is, each
# pixel of its box.
BYTES_PER_PIXEL, BYTES_PER_BOX_PIXEL = 64, 160
# A warning names no more hands than this.
MAX_NAMED = 8


@dataclass(frozen=True, eq=False)
class ConditionMaps:
    """Maps of N hands over F frames of H x W pixels; colours are float32 in 0..1 on black, None if not asked for.

    Attributes:
        mesh: Near-white surface lit from the camera, `[F, H, W, 3]`; covered pixels are above 127 of 255.
        depth: Near is bright, `[F, H, W, 3]`, three equal channels.
        normal: Surface normals, `[F, H, W, 3]`.
        parts: Hand parts in the colours of `shading.PART_COLORS`, `[F, H, W, 3]`.
        keypoints: OpenPose hand skeletons, `[F, H, W, 3]`.
        mask: Part of each pixel that hands cover, float32 `[F, H, W]`.
        metric_depth: z of the nearest surface in metres, float32 `[F, H, W]`; 0 where there is neither hand nor object.
        hand_index: Which of the N hands is seen, int16 `[F, H, W]`; -1 for none.
        part_index: Which part of it: MANO joint 0..15, plus 16 for a left hand, int8 `[F, H, W]`; -1 for none.
        boxes: Box around the visible pixels of each hand, float32 `[N, 4]`: left, top, right, bottom in pixels, the
            last two one past the last pixel; zeros for a hand that is not seen.
        frame: The frame that each hand is in, int64 `[N]`.
        object_mask: Part of each pixel that held objects cover, float32 `[F, H, W]`.
    """

    mesh: Tensor | None
    depth: Tensor | None
    normal: Tensor | None
    parts: Tensor | None
    keypoints: Tensor | None
    mask: Tensor
    metric_depth: Tensor
    hand_index: Tensor
    part_index: Tensor
    boxes: Tensor
    frame: Tensor
    object_mask: Tensor

    def drawn(self, name: str) -> Tensor:
        """Return a map of colours that was asked for, `[F, H, W, 3]`."""
        return cast(Tensor, getattr(self, name))

    @property
    def hand_masks(self) -> Tensor:
        """Visible pixels of each hand in its frame, float32 `[N, H, W]`, 0 or 1."""
        hands = torch.arange(len(self.frame), device=self.hand_index.device)
        return (self.hand_index[self.frame] == hands[:, None, None]).float()


@torch.no_grad()
def render_maps(
    scene: HandScene,
    maps: tuple[str, ...] = ALL_MAPS,
    antialias: bool = False,
    forearm: bool = False,
    depth_range: str | tuple[float, float] = "hand",
    normal_convention: str = "normalbae",
    on_frame: Progress | None = None,
    objects: bool = True,
) -> ConditionMaps:
    """Render the condition maps of every frame of a scene, from one rasterisation.

    Hands and what they hold hide one another pixel by pixel. Wrists, or the ends of forearms, are closed by a flat cap.
    A warning is logged where a hand cannot be seen because it is behind the camera, outside the picture or smaller than
    a pixel.

    Args:
        scene: Hands and camera; frames without hands are black.
        maps: Names of the colour maps to make, out of `ALL_MAPS`; mask, ids, depth in metres and boxes are always made.
        antialias: Draw at twice the size and average: soft edges in colours and mask. Ids and depth in metres are those
            of the nearest of a pixel's four samples.
        forearm: Draw the forearm of a hand model that has one.
        depth_range: What the brightness of `depth` spans. "hand": each hand's own nearest to farthest visible surface,
            as HandRefiner has it; the hands of a "frame" or of the whole "scene" together; or (near, far) in metres.
        normal_convention: "normalbae" (red left, green up, blue to the camera) or "opengl" (red right).
        on_frame: Called after each frame that has hands with how many are done and how many there are. What it raises
            ends the drawing.
        objects: Draw what hands hold. Without, the maps are those of the hands alone.

    Returns:
        The maps, on the device of the scene.

    Raises:
        SesaHandError: For unknown names, a range that is none, or pictures too large for memory.
    """
    check_request(scene, maps, antialias, depth_range, normal_convention)
    samples = 2 if antialias else 1
    camera = scene.camera.resized(samples * scene.camera.width, samples * scene.camera.height)
    posed = scene.pose(forearm)
    device = posed.vertices.device
    surfaces = surfaces_of(scene, posed, camera, forearm, objects)
    holders = [held.hand for held in scene.objects] if objects else []
    shared = shared_span(surfaces, camera, depth_range)

    work = surfaces[0].vertices.device if surfaces else torch.device("cpu")
    out = blank_maps(scene, maps, work)
    boxes = torch.zeros(len(surfaces), 4, device=work)
    frames = hands_of_frames(scene.frame)
    for done, (f, hands) in enumerate(frames.items(), 1):
        hands = hands + [len(scene) + k for k, holder in enumerate(holders) if holder in hands]
        layers, own = view_frame(f, hands, surfaces, camera)
        own = join_held(hands, own, len(scene), holders)
        spans = dict(zip(hands, depth_spans(own, depth_range, shared), strict=True))
        if layers:
            for n, view in layers:
                boxes[n] = pixel_box(view, samples)
            for band in bands(layers, chunk_pixels(work)):
                seen = (Layer(view, surfaces[n], spans[n], camera, normal_convention) for n, view in band)
                colors = paint_layers(seen, maps)
                deposit(out, f, band, surfaces, colors, samples)
        for n in hands:
            surfaces[n].forget_normals()
        if on_frame is not None:
            on_frame(done, len(frames))
    if "keypoints" in maps:
        draw_skeletons(out["keypoints"], scene, posed.keypoints, samples)
    return ConditionMaps(
        **{name: out[name].to(device) if name in out else None for name in COLOR_MAPS},
        mask=out["mask"].to(device),
        metric_depth=out["metric_depth"].to(device),
        hand_index=out["hand_index"].to(device),
        part_index=out["part_index"].to(device),
        boxes=boxes[: len(scene)].to(device),
        frame=scene.frame,
        object_mask=out["object_mask"].to(device),
    )


def blank_maps(scene: HandScene, maps: tuple[str, ...], device: torch.device) -> dict[str, Tensor]:
    """Return the maps that are asked for, of a scene without hands."""
    size = (scene.num_frames, scene.camera.height, scene.camera.width)
    colors = [name for name in COLOR_MAPS if name in maps]
    # One block from numpy, which asks the system for huge pages and leaves them untouched: on the CPU, filling many
    # small ones with zeros takes as long as drawing does.
    block = torch.from_numpy(np.zeros((3 * len(colors) + 3) * math.prod(size), np.float32)).to(device)
    planes = block.split([3 * math.prod(size)] * len(colors) + [math.prod(size)] * 3)
    return {
        **{name: plane.view(*size, 3) for name, plane in zip(colors, planes, strict=False)},
        "mask": planes[-3].view(size),
        "metric_depth": planes[-2].view(size),
        "object_mask": planes[-1].view(size),
        "hand_index": torch.from_numpy(np.full(size, -1, np.int16)).to(device),
        "part_index": torch.from_numpy(np.full(size, -1, np.int8)).to(device),
    }


@dataclass(frozen=True, eq=False)
class HandSurface:
    """One posed hand, closed, or one object that a hand holds.

    Attributes:
        vertices: `[V, 3]`, metres in the camera's frame.
        faces: Vertex ids `[T, 3]`, counter-clockwise seen from outside.
        num_skin: How many of the faces are skin; the others close the wrist.
        parts: The part of each face, int8 `[T]`: MANO's joints of a right hand, then those of a left one; -1 of an
            object.
        is_object: Whether it is an object.
    """

    vertices: Tensor
    faces: Tensor
    num_skin: int
    parts: Tensor
    is_object: bool = False

    @cached_property
    def normals(self) -> Tensor:
        """Unit normal at each corner of each face, `[T, 3, 3]`, as `shading.corner_normals` gives them."""
        return shading.corner_normals(self.vertices, self.faces, self.num_skin)

    def forget_normals(self) -> None:
        """Free what was kept of the normals: frames are drawn one after the other, and may be thousands."""
        self.__dict__.pop("normals", None)


def check_request(scene: HandScene, maps, antialias: bool, depth_range, normal_convention: str) -> None:
    """Raise a SesaHandError for arguments of `render_maps` that cannot be followed."""
    if isinstance(maps, str) or not set(maps) <= set(ALL_MAPS):
        raise SesaHandError(f"maps must be a list of names out of {', '.join(ALL_MAPS)}, got {maps!r}.")
    if normal_convention not in shading.NORMAL_CONVENTIONS:
        raise SesaHandError(
            f"normal_convention must be one of {sorted(shading.NORMAL_CONVENTIONS)}, got {normal_convention!r}."
        )
    if isinstance(depth_range, str):
        if depth_range not in DEPTH_RANGES:
            raise SesaHandError(
                f"depth_range must be one of {', '.join(DEPTH_RANGES)}, or (near, far) in metres, got {depth_range!r}."
            )
    elif not isinstance(depth_range, tuple | list) or len(depth_range) != 2:
        raise SesaHandError(f"depth_range must be a name or (near, far) in metres, got {depth_range!r}.")
    elif not 0 <= depth_range[0] < depth_range[1] < float("inf"):
        raise SesaHandError(f"depth_range in metres must be (near, far) with 0 <= near < far, got {depth_range!r}.")
    height, width = scene.camera.height, scene.camera.width
    if antialias and 2 * max(height, width) > MAX_SIZE:
        raise SesaHandError(
            f"With antialias, sides can be up to {MAX_SIZE // 2} pixels, got {width}x{height}; switch it off."
        )
    if len(scene) > MAX_HANDS:
        raise SesaHandError(f"A scene of {len(scene)} hands is more than {MAX_HANDS}; render its frames in parts.")
    each = 15 + 12 * len(set(maps) & set(COLOR_MAPS))
    check_pixels(scene.num_frames, width, height, each, "render fewer frames at a time, fewer maps, or a smaller size")


def check_objects(objects: Sequence[HeldObject]) -> None:
    """Raise a SesaHandError if what hands hold has more faces than should be placed at a time."""
    num_faces = sum(held.num_faces for held in objects)
    if num_faces > MAX_OBJECT_FACES:
        raise SesaHandError(
            f"What the hands hold has {num_faces} faces in all, more than {MAX_OBJECT_FACES}: render fewer frames at a "
            "time, or simplify the meshes."
        )


def check_work(scene: HandScene, vertices: Tensor, camera: Camera) -> None:
    """Raise a SesaHandError if to draw posed hands `[N, V, 3]`, in metres, takes more memory than it should."""
    if not len(scene):
        return
    points = vertices.detach().double()
    seen = camera.project(torch.cat([points[..., :2], points[..., 2:].clamp_min(NEAR)], -1))
    limit = seen.new_tensor([camera.width, camera.height])
    spans = (seen.amax(1).clamp_min(0).minimum(limit) - seen.amin(1).clamp_min(0).minimum(limit)).clamp_min(0)
    needed = float(spans.prod(-1).max()) * BYTES_PER_BOX_PIXEL
    if needed > MAX_BYTES:
        width, height = scene.camera.width, scene.camera.height
        smaller = ", or without antialias" if camera.width > width else ""
        raise SesaHandError(
            f"To draw a hand this large in {width}x{height} pixels takes {needed / 2**30:.0f} GiB, more than "
            f"{MAX_BYTES >> 30}: render it at a smaller size{smaller}."
        )


def surfaces_of(
    scene: HandScene, posed: PosedHands, camera: Camera, forearm: bool = False, objects: bool = True
) -> list[HandSurface]:
    """Return the surfaces of a scene's posed hands, and behind them of what they hold.

    Raises:
        SesaHandError: If to draw them with this camera takes more memory than it should.
    """
    check_objects(scene.objects if objects else ())
    check_work(scene, posed.vertices, camera)
    work = torch.device("cpu") if posed.vertices.device.type == "mps" else posed.vertices.device
    surfaces = close_hands(scene, posed.vertices.to(work), forearm)
    warn_of_unseen(posed.vertices, scene.camera)
    if objects and scene.objects:
        surfaces += object_surfaces(scene, posed.keypoints.to(work), camera)
    return surfaces


def see_picture(scene: HandScene) -> tuple[dict[int, VisiblePixels], dict[int, VisiblePixels]]:
    """Return what is seen of each hand of a scene of one frame, and of each of its objects, by their numbers.

    Where hands and objects hide one another, a pixel belongs to the nearest. What is not seen is left out.

    Raises:
        SesaHandError: If that is more than memory should hold.
    """
    surfaces = surfaces_of(scene, scene.pose(), scene.camera)
    layers, _ = view_frame(0, [*range(len(surfaces))], surfaces, scene.camera)
    count = len(scene)
    hands, held = ([(n, view) for n, view in layers if (n < count) == own] for own in (True, False))
    return dict(hands), {n - count: view for n, view in held}


def close_hands(scene: HandScene, vertices: Tensor, forearm: bool) -> list[HandSurface]:
    """Return the closed surface of each posed hand; `vertices` are `[N, V, 3]`, metres in the camera's frame."""
    model = scene.model
    num_skin = len(model.faces_for("right", forearm))
    right = model.faces_for("right", forearm, closed=True).to(vertices.device)
    check_mesh(vertices, right)
    parts = model.part_ids.to(vertices.device, torch.int8)[:num_skin]
    # The cap over the hole belongs to the wrist, part 0.
    parts = torch.nn.functional.pad(parts, (0, len(right) - num_skin))
    kinds = {"right": (right, parts), "left": (right[:, [0, 2, 1]], parts + NUM_JOINTS)}
    return [
        HandSurface(posed, kinds[side][0], num_skin, kinds[side][1])
        for posed, side in zip(vertices, scene.side, strict=True)
    ]


def object_surfaces(scene: HandScene, keypoints: Tensor, camera: Camera) -> list[HandSurface]:
    """Return the surface of each object of a scene whose hands have `keypoints` `[N, 21, 3]`, metres.

    Raises:
        SesaHandError: If to draw one takes more memory than it should.
    """
    surfaces = []
    for held, vertices, faces in held_surfaces(scene, keypoints):
        check_work(scene.select([held.hand]), vertices[None], camera)
        nothing = torch.full((len(faces),), -1, dtype=torch.int8, device=faces.device)
        surfaces.append(HandSurface(vertices, faces, len(faces), nothing, is_object=True))
    return surfaces


def view_hand(surface: HandSurface, camera: Camera) -> VisiblePixels:
    """Return the pixels that a hand covers when it is alone, values in float32."""
    return visible_pixels(surface.vertices, surface.faces, camera, NEAR, cull_backfaces=True, dtype=torch.float32)


def view_frame(
    f: int, hands: list[int], surfaces: list[HandSurface], camera: Camera
) -> tuple[list[tuple[int, VisiblePixels]], list[tuple[float, float]]]:
    """Return what is seen of each hand of a frame, and the span of depth of each when it is alone.

    Raises:
        SesaHandError: If that is more than memory should hold.
    """
    layers: list[tuple[int, VisiblePixels]] = []
    spans, fresh, kept = [], 0, 0
    for n in hands:
        view = view_hand(surfaces[n], camera)
        spans.append(own_span(view))
        layers.append((n, view))
        fresh += len(view.x)
        if fresh > camera.width * camera.height:
            # Hands one behind the other may cover the picture many times: no more is kept than twice.
            layers, fresh = hide_covered(layers, camera), 0
            kept = sum(len(view.x) for _, view in layers)
        if (kept + fresh) * BYTES_PER_PIXEL > MAX_BYTES:
            raise SesaHandError(
                f"The {len(hands)} hands of frame {f} cover more than {MAX_BYTES // BYTES_PER_PIXEL} pixels in all: "
                "render fewer of them together, or at a smaller size."
            )
    return hide_covered(layers, camera), spans


def warn_of_unseen(vertices: Tensor, camera: Camera) -> None:
    """Log which hands, posed vertices `[N, V, 3]` in metres, are not in front of the camera or not in the picture."""
    if not len(vertices):
        return
    behind = vertices[..., 2].amin(1) <= NEAR
    ahead = vertices.masked_fill(behind[:, None, None], 1.0)
    seen = camera.project(ahead.double())
    size = seen.new_tensor([camera.width, camera.height])
    outside = ~behind & ((seen.amax(1) <= 0) | (seen.amin(1) >= size)).any(-1)
    tiny = ~behind & ~outside & ((seen.amax(1) - seen.amin(1)).amax(-1) < 1)
    for unseen, what in (
        (behind, "not wholly in front of the camera, so that they are not drawn or only in part; give them a larger z"),
        (outside, "outside the picture; change their translation, or the camera"),
        (tiny, "smaller than a pixel; bring them nearer, or choose a longer focal length"),
    ):
        numbers = unseen.nonzero()[:, 0].tolist()
        if numbers:
            named = ", ".join(map(str, numbers[:MAX_NAMED])) + (" ..." if len(numbers) > MAX_NAMED else "")
            logger.warning("%d of %d hands (%s) are %s.", len(numbers), len(vertices), named, what)


def depth_spans(own: list[tuple[float, float]], depth_range, shared: tuple[float, float] | None) -> list[tuple]:
    """Return for each hand of a frame, of its own span of depth, the nearest and farthest z that its colours span."""
    if shared is not None:
        return [shared] * len(own)
    return own if depth_range == "hand" else [join_spans(own)] * len(own)


def shared_span(surfaces: list[HandSurface], camera: Camera, depth_range) -> tuple[float, float] | None:
    """Return the span of depth that all frames have in common, if they have one."""
    if not isinstance(depth_range, str):
        return depth_range
    # Drawn twice rather than kept: the pixels of all frames together can be more than fit into memory.
    return join_spans([own_span(view_hand(each, camera)) for each in surfaces]) if depth_range == "scene" else None


def join_held(
    shown: list[int], own: list[tuple[float, float]], count: int, holders: list[int]
) -> list[tuple[float, float]]:
    """Give an object and the hand that holds it one span of depth, so that they are seen to touch.

    Args:
        shown: What is in the frame: hands, and from `count` on objects.
        own: The span of depth of each, metres.
        count: How many hands the scene has.
        holders: The hand that holds each object.
    """
    spans = dict(zip(shown, own, strict=True))
    for n in shown:
        if n >= count:
            hand = holders[n - count]
            spans[n] = spans[hand] = join_spans([spans[n], spans[hand]])
    return [spans[n] for n in shown]


def own_span(view: VisiblePixels) -> tuple[float, float]:
    return (float(view.depth.min()), float(view.depth.max())) if len(view.depth) else (float("inf"), 0.0)


def join_spans(spans: list[tuple[float, float]]) -> tuple[float, float]:
    return min((near for near, _ in spans), default=0.0), max((far for _, far in spans), default=0.0)


def hide_covered(layers: list[tuple[int, VisiblePixels]], camera: Camera) -> list[tuple[int, VisiblePixels]]:
    """Leave to each hand of a frame the pixels where it is nearest; where two are equally near, the first has it."""
    layers = [(n, view) for n, view in layers if len(view.x)]
    if len(layers) < 2:
        return layers
    pixels = [view.y * camera.width + view.x for _, view in layers]
    nearest = torch.full((camera.height * camera.width,), float("inf"), device=pixels[0].device)
    owner = torch.full_like(nearest, -1, dtype=torch.int32)
    for k, (pixel, (_, view)) in enumerate(zip(pixels, layers, strict=True)):
        closer = view.depth < nearest[pixel]
        nearest[pixel[closer]] = view.depth[closer]
        owner[pixel[closer]] = k
    kept = []
    for k, (pixel, (n, view)) in enumerate(zip(pixels, layers, strict=True)):
        mine = (owner[pixel] == k).nonzero()[:, 0]
        if len(mine):
            kept.append((n, view.piece(mine)))
    return kept


def bands(layers: list[tuple[int, VisiblePixels]], limit: int) -> Iterator[list[tuple[int, VisiblePixels]]]:
    """Cut what is seen in a frame into bands, which fit the cache while their colours are worked out for every map.

    Args:
        layers: What is seen of each hand, pixels in the order of the picture's rows.
        limit: About how many pixels a band has; it has an even number of rows, at least two.
    """
    total = sum(len(view.x) for _, view in layers)
    top = min(int(view.y[0]) for _, view in layers) // 2 * 2
    bottom = max(int(view.y[-1]) for _, view in layers) + 1
    height = max(2, (bottom - top) * limit // max(total, 1) // 2 * 2)
    rows = torch.arange(top, bottom + height, height, device=layers[0][1].y.device)
    ends = [torch.searchsorted(view.y, rows).tolist() for _, view in layers]
    for k in range(len(rows) - 1):
        band = [
            (n, view.piece(slice(end[k], end[k + 1])))
            for (n, view), end in zip(layers, ends, strict=True)
            if end[k] < end[k + 1]
        ]
        if band:
            yield band


def pixel_box(view: VisiblePixels, samples: int) -> Tensor:
    """Return left, top, right, bottom, `[4]` in pixels, around what is seen of a hand, `samples` times as large."""
    low = torch.stack([view.x.min(), view.y.min()]) // samples
    high = torch.stack([view.x.max(), view.y.max()]) // samples + 1
    return torch.cat([low, high]).float()


@dataclass(frozen=True, eq=False)
class Layer:
    """The pixels of one hand that are seen in a frame, and what their colours depend on.

    Attributes:
        view: The pixels.
        surface: The hand.
        span: Nearest and farthest z in metres that the colours of depth span.
        camera: Of the samples that are drawn.
        normal_convention: As `render_maps` takes it.
    """

    view: VisiblePixels
    surface: HandSurface
    span: tuple[float, float]
    camera: Camera
    normal_convention: str

    @cached_property
    def normal(self) -> Tensor:
        """Unit normals of the surface at each pixel, `[3, P]` in the camera's frame."""
        return shading.interpolate_normals(self.surface.normals, self.view.face, self.view.weights)


def paint_mesh(layer: Layer) -> Tensor:
    """Return the gray `[1, P]` in 0..1 of a layer in the map of the mesh."""
    gray = shading.shade_mesh(layer.normal, layer.view.x, layer.view.y, layer.camera)[None]
    return shading.OBJECT_GRAY * gray if layer.surface.is_object else gray


def paint_depth(layer: Layer) -> Tensor:
    """Return the gray `[1, P]` in 0..1 of a layer in the map of depth."""
    return shading.normalize_depth(layer.view.depth, *layer.span)[None]


def paint_normal(layer: Layer) -> Tensor:
    """Return the colours `[3, P]` in 0..1 of a layer in the map of normals."""
    return shading.color_normals(layer.normal, layer.normal_convention)


def paint_parts(layer: Layer) -> Tensor:
    """Return the colours `[3, P]` in 0..1 of a layer in the map of parts."""
    if layer.surface.is_object:
        return torch.tensor(shading.OBJECT_COLOR).to(layer.view.depth)[:, None].expand(3, len(layer.view.x))
    palette = torch.tensor(shading.PART_COLORS).to(layer.view.depth)[layer.surface.parts.long()].T.contiguous()
    return torch.stack([channel.index_select(0, layer.view.face) for channel in palette])


PAINTERS = {"mesh": paint_mesh, "depth": paint_depth, "normal": paint_normal, "parts": paint_parts}
"""How maps get the colours of a layer's pixels, `[3, P]` or gray `[1, P]`; keypoints are drawn over all of them."""


def paint_layers(layers: Iterable[Layer], maps: tuple[str, ...]) -> dict[str, Tensor]:
    """Return the colours of all pixels of a frame's layers, one after the other, `[3, P]`; gray is `[1, P]`."""
    painted: dict[str, list[Tensor]] = {name: [] for name in PAINTERS if name in maps}
    for layer in layers:
        for name, values in painted.items():
            values.append(PAINTERS[name](layer))
    return {name: torch.cat(values, 1) for name, values in painted.items()}


def deposit(
    out: dict[str, Tensor],
    f: int,
    layers: list[tuple[int, VisiblePixels]],
    surfaces: list[HandSurface],
    colors: dict[str, Tensor],
    samples: int,
) -> None:
    """Write the pixels of a frame's layers, which do not overlap, into frame `f` of every map of `out`."""
    x = torch.cat([view.x for _, view in layers])
    y = torch.cat([view.y for _, view in layers])
    depth = torch.cat([view.depth for _, view in layers])
    part = torch.cat([surfaces[n].parts.index_select(0, view.face) for n, view in layers])
    hand = torch.cat(
        [torch.full_like(view.x, -1 if surfaces[n].is_object else n, dtype=torch.int16) for n, view in layers]
    )
    ids = {"metric_depth": depth, "hand_index": hand, "part_index": part}
    objects = any(surfaces[n].is_object for n, _ in layers)
    if samples == 1:
        pixel = y * out["mask"].shape[2] + x
        out["mask"][f].view(-1).index_fill_(0, pixel[hand >= 0] if objects else pixel, 1.0)
        if objects:
            out["object_mask"][f].view(-1).index_fill_(0, pixel[hand < 0], 1.0)
        for name, value in ids.items():
            out[name][f].view(-1).scatter_(0, pixel, value)
        for name, value in colors.items():
            scatter_color(out[name][f], pixel, value)
        return

    left, top = int(x.min()) // 2, int(y.min()) // 2
    width, height = int(x.max()) // 2 + 1 - left, int(y.max()) // 2 + 1 - top
    pixel = (y - 2 * top) * (2 * width) + x - 2 * left
    window = (f, slice(top, top + height), slice(left, left + width))

    def four_samples(value: Tensor, empty: float = 0) -> list[Tensor]:
        grid = value.new_full((4 * height * width,), empty).scatter_(0, pixel, value)
        return quarters(grid.view(2 * height, 2 * width))

    out["mask"][window] = mean_of(four_samples((hand >= 0).to(depth)))
    if objects:
        out["object_mask"][window] = mean_of(four_samples((hand < 0).to(depth)))
    for name, value in colors.items():
        for k, channel in enumerate(value):
            # Gray is averaged once and written to all three channels.
            channels = slice(None) if len(value) == 1 else slice(k, k + 1)
            out[name][window][..., channels] = mean_of(four_samples(channel))[..., None]
    nearest, *others = four_samples(depth, float("inf"))
    (hands, *other_hands), (parts, *other_parts) = four_samples(hand, -1), four_samples(part, -1)
    for other, other_hand, other_part in zip(others, other_hands, other_parts, strict=True):
        closer = other < nearest
        nearest = torch.where(closer, other, nearest)
        hands, parts = torch.where(closer, other_hand, hands), torch.where(closer, other_part, parts)
    out["metric_depth"][window] = nearest.masked_fill(nearest.isinf(), 0)
    out["hand_index"][window] = hands
    out["part_index"][window] = parts


def scatter_color(target: Tensor, pixel: Tensor, color: Tensor) -> None:
    """Write colours `[3, P]`, or gray `[1, P]`, of 0..1 at the flat pixels `[P]` of a contiguous `[H, W, 3]`."""
    index = 3 * pixel
    for k, channel in enumerate(color.expand(3, -1)):
        target.view(-1)[k:].scatter_(0, index, channel)


def quarters(picture: Tensor) -> list[Tensor]:
    """Return the four pictures `[H, W, ...]` that interleave to a `picture` `[2 * H, 2 * W, ...]`, any range."""
    return [picture[row::2, column::2] for row in (0, 1) for column in (0, 1)]


def mean_of(pictures: list[Tensor]) -> Tensor:
    """Return the mean `[H, W, ...]` of pictures `[H, W, ...]` in 0..1, which are added in their order."""
    first, *others = pictures
    return sum(others, first) / len(pictures)


def draw_skeletons(target: Tensor, scene: HandScene, keypoints: Tensor, samples: int) -> None:
    """Draw the keypoints `[N, 21, 3]`, metres, of every hand into `target` `[F, H, W, 3]`, near hands over far ones."""
    points = keypoints.detach().double().cpu()
    pixels = scene.camera.project(points)
    pixels[points[..., 2] <= NEAR] = float("nan")
    order = points[..., 2].mean(1).argsort(descending=True, stable=True)
    height, width = target.shape[1:3]
    for f, places in hands_of_frames(scene.frame.cpu()[order]).items():
        hands = order[places].tolist()
        window = skeleton_window(pixels[hands], height, width)
        if window is None:
            continue
        left, top, right, bottom = window
        canvas = np.zeros((samples * (bottom - top), samples * (right - left), 3), np.uint8)
        shifted = samples * (pixels[hands] - torch.tensor([left, top])).numpy()
        draw_keypoints(canvas, shifted, samples * min(height, width) / REFERENCE_SIZE)
        picture = torch.from_numpy(canvas)
        if samples == 2:
            picture = mean_of(quarters(picture.float()))
        target[f, top:bottom, left:right] = picture / 255


def skeleton_window(pixels: Tensor, height: int, width: int) -> tuple[int, int, int, int] | None:
    """Return left, top, right, bottom around all that is drawn of keypoints `[..., 2]`, or None if that is nothing."""
    drawn = pixels[pixels.abs().amax(-1) < FARTHEST]
    if not len(drawn):
        return None
    margin = 2 + JOINT_RADIUS * math.ceil(min(height, width) / REFERENCE_SIZE)
    size = torch.tensor([width, height], dtype=drawn.dtype)
    low, high = (drawn.amin(0).floor() - margin).clamp(min=0), torch.minimum(drawn.amax(0).ceil() + margin, size)
    return (*low.int().tolist(), *high.int().tolist()) if (low < high).all() else None
