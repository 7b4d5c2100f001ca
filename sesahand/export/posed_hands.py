"""Posed hands without a skeleton, exact to the last bit of the posed vertices: GLB, OBJ and PLY.

All are in metres, x right, y up, z towards the viewer, with the camera of the scene at the origin.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..scene.camera import TO_Y_UP
from ..scene.hand_scene import HandScene
from ..scene.holding import held_surfaces
from .gltf import GENERATOR
from .hand_document import COLORS, OBJECT, add_camera, add_material, add_surface, start_document
from .held_objects import add_posed, object_name, object_surface
from .rig import hand_tracks
from .surface import Surface

UNITS = "metres; x right, y up, z towards the viewer; the camera is at the origin"


@dataclass(frozen=True, eq=False)
class PosedHand:
    """One hand to be written, or one object, whose side is `OBJECT`.

    That is its name, side, cut surface, and vertices `[V, 3]` in metres, in the file's frame.
    """

    name: str
    side: str
    surface: Surface
    vertices: Tensor


def pose_objects(scene: HandScene) -> list[PosedHand]:
    """Return what the hands of a scene of one frame hold, where it is."""
    names = {track.hands[0]: track for track in hand_tracks(scene)}
    y_up = torch.tensor(TO_Y_UP)
    posed = []
    for held, vertices, _ in held_surfaces(scene, scene.pose().keypoints.detach().cpu()):
        surface, _ = object_surface(held)
        posed.append(PosedHand(object_name(names[held.hand], held), OBJECT, surface, vertices * y_up))
    return posed


def pose_hands(scene: HandScene, forearm: bool = False) -> list[PosedHand]:
    """Return the hands of a scene of one frame, posed."""
    vertices = scene.pose(forearm).vertices.detach().cpu()
    vertices = vertices * torch.tensor(TO_Y_UP, dtype=vertices.dtype)
    surfaces = {side: Surface.of(scene.model, side, forearm) for side in set(scene.side)}
    return [
        PosedHand(track.name, track.side, surfaces[track.side], vertices[track.hands[0]])
        for track in hand_tracks(scene)
    ]


def posed_glb(scene: HandScene, forearm: bool = False, metadata: dict | None = None) -> bytes:
    """Return the hands of one frame as a GLB of plain meshes; see `rigged_glb` for the arguments."""
    document = start_document(scene, metadata, largest_error_m=0.0)
    children = [add_camera(document, scene.camera)]
    materials = {side: add_material(document, side) for side in dict.fromkeys(scene.side)}
    for hand in pose_hands(scene, forearm):
        primitive = {**add_surface(document, hand.surface, hand.vertices), "material": materials[hand.side]}
        mesh = document.add("meshes", name=hand.name, primitives=[primitive])
        children.append(document.add("nodes", name=hand.name, mesh=mesh))
    children += add_posed(document, scene, hand_tracks(scene))
    return document.to_glb([document.add("nodes", name="SesaHand", children=children)])


def posed_obj(scene: HandScene, forearm: bool = False) -> bytes:
    """Return the hands of one frame as OBJ text: one object per hand, its vertices in the model's order.

    Vertices carry their colour after the coordinates, which Blender, MeshLab and trimesh read and others pass over.
    What hands hold comes behind all of them.
    """
    lines = [f"# {line}" for line in _comments(scene)]
    first_vertex = first_corner = 1
    for hand in [*pose_hands(scene, forearm), *pose_objects(scene)]:
        surface = hand.surface
        color = " ".join(f"{channel:g}" for channel in COLORS[hand.side])
        # A name of the user's may hold what ends a name here.
        lines.append(f"o {'_'.join(hand.name.split())}")
        # Nine digits give back every bit of a float32.
        lines += [f"v {x:.9g} {y:.9g} {z:.9g} {color}" for x, y, z in hand.vertices.tolist()]
        if surface.uv is not None:
            lines += [f"vt {u:.9g} {v:.9g}" for u, v in surface.uv.tolist()]
        lines += [f"vn {x:.6g} {y:.6g} {z:.6g}" for x, y, z in surface.normals(hand.vertices).tolist()]
        corners = surface.faces + first_corner
        places = surface.source[surface.faces] + first_vertex
        for place, corner in zip(places.tolist(), corners.tolist(), strict=True):
            middle = corner if surface.uv is not None else ("", "", "")
            lines.append("f " + " ".join(f"{v}/{t}/{n}" for v, t, n in zip(place, middle, corner, strict=True)))
        first_vertex += len(hand.vertices)
        first_corner += len(surface.source)
    return ("\n".join(lines) + "\n").encode()


def posed_ply(scene: HandScene, forearm: bool = False) -> bytes:
    """Return the hands of one frame as one binary PLY mesh with normals, texture coordinates and colours.

    Each hand's vertices begin with the model's own in their order; copies along texture seams follow. What hands hold
    comes behind all of them, without texture coordinates of its own.
    """
    fields = [(name, "<f4") for name in ("x", "y", "z", "nx", "ny", "nz")]
    if scene.model.uv is not None:
        fields += [("s", "<f4"), ("t", "<f4")]
    fields += [(name, "u1") for name in ("red", "green", "blue")]
    vertices, faces, count = [], [], 0
    for hand in [*pose_hands(scene, forearm), *pose_objects(scene)]:
        surface = hand.surface
        columns = [hand.vertices[surface.source], surface.normals(hand.vertices)]
        if scene.model.uv is not None:
            columns.append(torch.zeros(len(surface.source), 2) if surface.uv is None else surface.uv)
        rows = np.empty(len(surface.source), fields)
        for (name, _), column in zip(fields, torch.cat([c.float() for c in columns], 1).T.numpy(), strict=False):
            rows[name] = column
        for name, channel in zip(("red", "green", "blue"), COLORS[hand.side], strict=True):
            rows[name] = round(255 * channel)
        table = np.empty(len(surface.faces), [("count", "u1"), ("corners", "<i4", 3)])
        table["count"], table["corners"] = 3, (surface.faces + count).numpy()
        vertices.append(rows.tobytes())
        faces.append(table.tobytes())
        count += len(rows)
    kinds = {"<f4": "float", "u1": "uchar"}
    size = sum(np.dtype(kind).itemsize for _, kind in fields)
    header = [
        "ply",
        "format binary_little_endian 1.0",
        *(f"comment {line}" for line in _comments(scene)),
        f"element vertex {sum(map(len, vertices)) // size}",
        *(f"property {kinds[kind]} {name}" for name, kind in fields),
        f"element face {sum(map(len, faces)) // 13}",
        "property list uchar int vertex_indices",
        "end_header",
    ]
    return ("\n".join(header) + "\n").encode("ascii", "replace") + b"".join([*vertices, *faces])


def _comments(scene: HandScene) -> list[str]:
    lines = (GENERATOR, f"hand model: {scene.model.name}", f"licence: {scene.model.licence}", f"units: {UNITS}")
    return [" ".join(line.split()) for line in lines]
