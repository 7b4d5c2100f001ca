"""What hands hold, in files for 3D programs: a mesh of its own, and in GLB a node that places it and can be moved."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..scene.camera import TO_Y_UP
from ..scene.hand_scene import HandScene
from ..scene.held_object import HeldObject
from .gltf import GltfDocument
from .hand_document import OBJECT, add_material, add_surface, floats
from .rig import Track, glb_quaternions
from .surface import Surface


def object_surface(held: HeldObject) -> tuple[Surface, Tensor]:
    """Return the surface of an object and its vertices `[V, 3]` in its own frame, metres at its usual size."""
    vertices, faces = held.usual_surface()
    return Surface(torch.arange(len(vertices)), faces, len(faces), None), vertices


def object_name(track: Track, held: HeldObject) -> str:
    """Return what an object is called beside the hand of a track: "right_hand_cup"."""
    return f"{track.name}_{held.name}"


class ObjectMeshes:
    """The meshes of objects in a document, each once however many hands hold it, in one material."""

    def __init__(self, document: GltfDocument):
        self._document, self._meshes = document, dict[str, int]()
        self._material = -1

    def index(self, held: HeldObject) -> int:
        """Return the mesh of an object, which is added if it is new."""
        if self._material < 0:
            self._material = add_material(self._document, OBJECT)
        if held.shape not in self._meshes:
            surface, vertices = object_surface(held)
            primitive = {**add_surface(self._document, surface, vertices), "material": self._material}
            self._meshes[held.shape] = self._document.add("meshes", name=held.name, primitives=[primitive])
        return self._meshes[held.shape]


@dataclass(frozen=True, eq=False)
class HeldTrack:
    """One object in one hand through the frames.

    Attributes:
        node: The node that carries it, below the hand's.
        frames: Those in which the hand holds it.
        places: Its middle from the wrist `[K, 3]`, metres in the hand's frame.
        quaternions: How it is turned there `[K, 4]`, x, y, z, w.
        sizes: In times its usual one, `[K]`.
        always: Whether the hand holds it in each frame that it is in.
    """

    node: int
    frames: tuple[int, ...]
    places: np.ndarray
    quaternions: np.ndarray
    sizes: np.ndarray
    always: bool


def add_held(document: GltfDocument, scene: HandScene, track: Track, meshes: ObjectMeshes) -> list[HeldTrack]:
    """Add a node for each object that the hand of a track holds in any frame, where it is in the first of them."""
    by_hand = {held.hand: held for held in scene.objects}
    found: dict[str, list[tuple[int, HeldObject]]] = {}
    for frame, hand in zip(track.frames, track.hands, strict=True):
        if hand in by_hand:
            found.setdefault(by_hand[hand].shape, []).append((frame, by_hand[hand]))
    tracks = []
    for entries in found.values():
        frames = tuple(frame for frame, _ in entries)
        objects = [held for _, held in entries]
        places = np.array([held.position.tolist() for held in objects], np.float32)
        turns = torch.stack([held.orient for held in objects])
        quaternions = floats(glb_quaternions(turns[:, None])[:, 0])
        sizes = np.array([held.size for held in objects], np.float32)
        size = float(sizes[0]) if frames[0] == track.frames[0] else 0.0
        node = document.add(
            "nodes",
            name=object_name(track, objects[0]),
            mesh=meshes.index(objects[0]),
            translation=places[0].tolist(),
            rotation=quaternions[0].tolist(),
            scale=[size] * 3,
        )
        tracks.append(HeldTrack(node, frames, places, quaternions, sizes, frames == track.frames))
    return tracks


def add_posed(document: GltfDocument, scene: HandScene, tracks: list[Track]) -> list[int]:
    """Add a node for each object of a scene of one frame, placed in the frame of the file, and return them."""
    meshes, nodes = ObjectMeshes(document), []
    y_up = torch.tensor(TO_Y_UP, dtype=torch.float64)
    wrists = scene.pose().keypoints[:, 0].detach().cpu().double()
    by_hand = {track.hands[0]: track for track in tracks}
    for held in scene.objects:
        orient = scene.global_orient[held.hand].detach().cpu().double()
        turn = y_up[:, None] * (orient @ held.orient.double())
        place = y_up * (orient @ held.position.double() + wrists[held.hand])
        nodes.append(
            document.add(
                "nodes",
                name=object_name(by_hand[held.hand], held),
                mesh=meshes.index(held),
                translation=place.tolist(),
                rotation=glb_quaternions(turn[None, None])[0, 0].tolist(),
                scale=[held.size] * 3,
            )
        )
    return nodes
