"""Rendered training data: hands with arms, sleeves and objects, and everything that is true of each picture.

Sample `i` of a split and seed is the same whatever was made before it, in whatever process: each has a generator of its
own, and everything is worked out for it alone. The held-out split draws from other generators than the training split,
whatever the seeds.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
import torch
from torch import Tensor

from ..errors import SesaHandError
from ..hands.model import NUM_JOINTS
from ..render import maps
from ..render.rasterizer import NEAR, VisiblePixels, visible_pixels
from ..scene.camera import Camera
from ..scene.hand_scene import HandScene
from ..semantics.behavior import BehaviorSemantics
from ..semantics.composer import Composition, compose
from .attributes import Attributes, Thing, draw_attributes
from .backgrounds import paint_background
from .captions import draw_false_things, rambling_caption, semantics_of, short_prompt
from .painting import cast_shadow, draw_light, occlusion, palette, shade
from .shapes import Shape
from .staging import Stage, set_stage
from .studio import Studio

SPLITS = {"train": 0, "heldout": 1}
SIZES = (32, 1024)
WORLD = 1
"""Version of the small world: whatever changes a sample raises it."""
SAMPLES = 2
HELD_OUT_SEED = 0
"""The seed of the one held-out split that published figures are measured on."""


@dataclass(frozen=True)
class Description:
    """What a sample shows and what is said of it; known without drawing it.

    Attributes:
        index: Its number in the split.
        attributes: What is true.
        rambling: A caption that states the same and asserts `false_things` beside it.
        false_things: Objects that the rambling caption asserts and that are not there.
    """

    index: int
    attributes: Attributes
    rambling: str
    false_things: tuple[Thing, ...]

    @cached_property
    def semantics(self) -> BehaviorSemantics:
        """The four components of behaviour that are true of the picture."""
        return semantics_of(self.attributes)

    @cached_property
    def composition(self) -> Composition:
        """The clean prompt with its spans, hand words included."""
        return compose(self.semantics)

    @cached_property
    def short(self) -> str:
        """A prompt as a person would type it: true, but seldom all of it."""
        return short_prompt(np.random.default_rng(self.index), self.attributes)


@dataclass(frozen=True, eq=False)
class Sample:
    """One picture and everything that belongs to it; S is the side of the picture in pixels.

    Attributes:
        description: Words.
        picture: uint8 `[S, S, 3]`.
        condition: The mesh map of the hands alone as `render_maps` draws it, antialiased, uint8 `[S, S]`; its three
            channels are equal.
        silhouette: Part of each pixel that the hands cover when nothing is in front of them, uint8 `[S, S]`.
        mask: Part of each pixel where a hand is seen in the picture: what arms and objects hide is out, uint8 `[S, S]`.
        keypoints: OpenPose keypoints in pixels, float32 `[N, 21, 2]`.
        scene: The hands, one frame; one, or the right and the left one.
    """

    description: Description
    picture: np.ndarray
    condition: np.ndarray
    silhouette: np.ndarray
    mask: np.ndarray
    keypoints: np.ndarray
    scene: HandScene


class SyntheticHands:
    """An endless sequence of rendered samples: index it with any number from 0 on.

    Args:
        split: "train" or "heldout".
        seed: Which sequence of that split.
        size: Side of the pictures in pixels, a multiple of 8.

    Raises:
        SesaHandError: For an unknown split, a negative seed or a size that is none.
    """

    def __init__(self, split: str = "train", seed: int = 0, size: int = 128):
        if split not in SPLITS:
            raise SesaHandError(f"The split must be one of {', '.join(SPLITS)}, got {split!r}.")
        if not isinstance(seed, int) or seed < 0:
            raise SesaHandError(f"The seed must be a whole number from 0 on, got {seed!r}.")
        if not isinstance(size, int) or size % 8 or not SIZES[0] <= size <= SIZES[1]:
            raise SesaHandError(f"The size must be a multiple of 8 from {SIZES[0]} to {SIZES[1]} pixels, got {size!r}.")
        self.split, self.seed, self.size, self.studio = split, seed, size, Studio()

    def __getitem__(self, index: int) -> Sample:
        """Draw sample `index`."""
        return draw(self.studio, *self.stage(index), self.size)

    def describe(self, index: int) -> Description:
        """Return what sample `index` shows without drawing it."""
        return self._describe(index, self._generator(index))

    def stage(self, index: int) -> tuple[np.random.Generator, Description, Stage]:
        """Return what `draw` makes sample `index` from: what stands before the camera, and a generator for the rest."""
        rng = self._generator(index)
        description = self._describe(index, rng)
        return rng, description, set_stage(self.studio, rng, description.attributes, self.size)

    @torch.no_grad()
    def map_with_held(self, index: int) -> np.ndarray:
        """Return the mesh map of sample `index` with what its hand holds, in another gray, uint8 `[S, S]`."""
        _, description, stage = self.stage(index)
        camera = stage.scene.camera.resized(SAMPLES * self.size, SAMPLES * self.size)
        surfaces = closed_surfaces(self.studio, stage)
        if description.attributes.held is not None:
            surfaces.append(held_surface(stage))
        shown = maps.hide_covered([(n, maps.view_hand(each, camera)) for n, each in enumerate(surfaces)], camera)
        return to_bytes(hand_maps(surfaces, shown, camera)[0])

    def _generator(self, index: int) -> np.random.Generator:
        if index < 0:
            # An endless sequence has no last sample to count from.
            raise IndexError(f"Samples are numbered from 0 on, got {index}.")
        return np.random.default_rng([SPLITS[self.split], self.seed, int(index)])

    def _describe(self, index: int, rng: np.random.Generator) -> Description:
        attributes = draw_attributes(rng)
        false_things = draw_false_things(rng, attributes)
        return Description(int(index), attributes, rambling_caption(rng, attributes, false_things), false_things)


@torch.no_grad()
def draw(studio: Studio, rng: np.random.Generator, description: Description, stage: Stage, size: int) -> Sample:
    """Draw a stage at twice the size and average: picture, condition map, masks and keypoints."""
    attributes, scene = description.attributes, stage.scene
    camera = scene.camera.resized(SAMPLES * size, SAMPLES * size)
    surfaces = closed_surfaces(studio, stage)
    hands = maps.hide_covered([(n, maps.view_hand(each, camera)) for n, each in enumerate(surfaces)], camera)
    props = prop_mesh(studio, stage)
    front = visible_pixels(props.vertices, props.faces, camera, NEAR, cull_backfaces=True, dtype=torch.float32)
    layers = maps.hide_covered([*hands, (len(surfaces), front)], camera)

    colors, light = palette(rng, attributes), draw_light(rng, attributes)
    background = paint_background(rng, attributes, size)
    tables = [hand_table(studio, stage, n, colors["skin"]) for n in range(len(scene))] + [prop_table(props, colors)]
    picture = composite(layers, tables, background, camera, light, attributes.warmth)
    condition, silhouette = hand_maps(surfaces, hands, camera)
    seen = np.zeros(camera.width**2, np.float32)
    for n, view in layers:
        if n < len(surfaces):
            seen[(view.y * camera.width + view.x).numpy()] = 1
    grain = rng.normal(0, 0.006, (size, size, 1)).astype(np.float32)
    return Sample(
        description,
        to_bytes(picture + grain),
        to_bytes(condition),
        to_bytes(silhouette),
        to_bytes(halved(seen.reshape(camera.width, -1))),
        scene.camera.project(stage.posed.keypoints).numpy(),
        scene,
    )


def closed_surfaces(studio: Studio, stage: Stage) -> list[maps.HandSurface]:
    """Return what `close_hands` makes of the hands, from faces that are known already."""
    scene, model = stage.scene, stage.scene.model
    parts = model.part_ids[: model.num_hand_faces].to(torch.int8)
    parts = torch.nn.functional.pad(parts, (0, len(studio.closed_faces["right"]) - len(parts)))
    return [
        maps.HandSurface(
            posed[: model.num_hand_vertices],
            studio.closed_faces[side],
            model.num_hand_faces,
            parts if side == "right" else parts + NUM_JOINTS,
        )
        for posed, side in zip(stage.posed.vertices, scene.side, strict=True)
    ]


def held_surface(stage: Stage) -> maps.HandSurface:
    """Return the object that the hand of a stage holds as `render_maps` draws one."""
    shape = cast(Shape, stage.held)
    faces = torch.from_numpy(shape.faces)
    nothing = torch.full((len(faces),), -1, dtype=torch.int8)
    return maps.HandSurface(torch.from_numpy(shape.vertices), faces, len(faces), nothing, is_object=True)


def hand_maps(
    surfaces: list[maps.HandSurface], hands: list[tuple[int, VisiblePixels]], camera: Camera
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mesh map and the mask that `render_maps` gives, from pixels that are known already.

    Args:
        surfaces: The hands.
        hands: The number of a hand and what is seen of it, by a camera of twice the picture's size.
        camera: That camera.

    Returns:
        Both `[S, S]` float32 in 0..1.
    """
    gray, mask = np.zeros(camera.width**2, np.float32), np.zeros(camera.width**2, np.float32)
    if hands:
        # The mesh map does not depend on what depth would span.
        layers = (maps.Layer(view, surfaces[n], (0.0, 0.0), camera, "normalbae") for n, view in hands)
        colors = maps.paint_layers(layers, ("mesh",))
        pixels = torch.cat([view.y * camera.width + view.x for _, view in hands]).numpy()
        gray[pixels], mask[pixels] = colors["mesh"][0].numpy(), 1
    return halved(gray.reshape(camera.width, -1)), halved(mask.reshape(camera.width, -1))


@dataclass(frozen=True, eq=False)
class PropMesh:
    """Forearms, sleeves and objects as one mesh.

    Attributes:
        vertices: `[V, 3]`, metres in the camera's frame.
        faces: Vertex ids `[T, 3]`.
        normals: Unit normals `[V, 3]` in the camera's frame.
        paint: What each stretch of vertices is painted with: a key of the palette, and factors `[K, 1 or 3]`.
    """

    vertices: Tensor
    faces: Tensor
    normals: Tensor
    paint: tuple[tuple[str, np.ndarray], ...]


def prop_mesh(studio: Studio, stage: Stage) -> PropMesh:
    """Join the forearms, which belong to the hand's mesh, with sleeves and objects."""
    vertices, faces, normals, paint, first = [], [], [], [], 0
    arm = stage.bare
    for posed, normal, side in zip(stage.posed.vertices, stage.normals, stage.scene.side, strict=True):
        vertices.append(posed)
        faces.append((arm if side == "right" else arm[:, [0, 2, 1]]) + first)
        normals.append(normal)
        paint.append(("skin", studio.skin_map))
        first += len(posed)
    for color, shape in stage.props:
        vertices.append(torch.from_numpy(shape.vertices))
        faces.append(torch.from_numpy(shape.faces) + first)
        normals.append(torch.from_numpy(shape.normals))
        paint.append((color, shape.shade[:, None]))
        first += len(shape.vertices)
    return PropMesh(torch.cat(vertices), torch.cat(faces), torch.cat(normals), tuple(paint))


def prop_table(props: PropMesh, colors: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return per vertex normal, albedo and whether it is skin `[V, 7]`, and the faces `[T, 3]`."""
    albedo = np.concatenate([factor * colors[name] for name, factor in props.paint])
    skin = np.concatenate([np.full(len(factor), name == "skin", np.float32) for name, factor in props.paint])
    return np.concatenate([props.normals.numpy(), albedo, skin[:, None]], 1), props.faces.numpy()


def hand_table(studio: Studio, stage: Stage, index: int, skin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what `prop_table` does for one hand, closed at the wrist.

    Args:
        studio: Knows the closed faces and the skin.
        stage: Has the hands.
        index: Which hand.
        skin: Colour `[3]` in 0..1.

    Returns:
        Normal, albedo and whether it is skin `[V, 7]`, and the faces `[T, 3]`.
    """
    side = stage.scene.side[index]
    normals = stage.normals[index].numpy()
    table = np.concatenate([normals, studio.skin_map * skin, np.ones((len(normals), 1), np.float32)], 1)
    return table, studio.closed_faces[side].numpy()


def composite(
    layers: list[tuple[int, VisiblePixels]],
    tables: list[tuple[np.ndarray, np.ndarray]],
    background: np.ndarray,
    camera: Camera,
    light: np.ndarray,
    warmth: str,
) -> np.ndarray:
    """Paint layers that do not overlap over a background.

    Args:
        layers: The number of a mesh and what is seen of it.
        tables: Of each mesh, as `prop_table` returns it.
        background: `[S, S, 3]` float32 in 0..1.
        camera: What sees the layers, of twice the background's size.
        light: Unit direction to the key light `[3]`.
        warmth: See `shade`.

    Returns:
        `[S, S, 3]` float32, about 0..1.
    """
    width = camera.width
    depth, covered = np.zeros(width**2, np.float32), np.zeros(width**2, np.float32)
    canvas = np.zeros((width**2, 3), np.float32)
    pixels, colors = [], []
    for n, view in layers:
        table, faces = tables[n]
        pixel = (view.y * width + view.x).numpy()
        face = view.face.numpy()
        corners = [np.ascontiguousarray(column).take(face) for column in faces.T]
        values = sum(w.numpy()[:, None] * table.take(ids, 0) for w, ids in zip(view.weights, corners, strict=True))
        normal = values[:, :3] / np.sqrt(np.einsum("pc,pc->p", values[:, :3], values[:, :3]) + 1e-12)[:, None]
        pixels.append(pixel)
        colors.append(shade(normal, values[:, 3:6], values[:, 6], light, warmth))
        depth[pixel] = view.depth.numpy()
        covered[pixel] = 1
    reached = occlusion(depth.reshape(width, width), covered.reshape(width, width)).ravel()
    for pixel, color in zip(pixels, colors, strict=True):
        canvas[pixel] = color * reached.take(pixel)[:, None]
    share = halved(covered.reshape(width, width))
    behind = cast_shadow(background, share, light)
    return halved(canvas.reshape(width, width, 3)) + behind * (1 - share)[..., None]


def halved(picture: np.ndarray) -> np.ndarray:
    """Return a picture `[2 * H, 2 * W, ...]`, any range, as `[H, W, ...]`, each pixel the mean of four."""
    import cv2

    return cv2.resize(picture, (picture.shape[1] // 2, picture.shape[0] // 2), interpolation=cv2.INTER_AREA)


def to_bytes(values: np.ndarray) -> np.ndarray:
    """Return numbers of 0..1, any shape, as uint8 0..255 of the same shape."""
    return np.clip(values * 255 + 0.5, 0, 255).astype(np.uint8)
