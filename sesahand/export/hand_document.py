"""What GLB files of hands have in common: who made them, their camera, materials and surfaces."""

import json
import math

import numpy as np
import torch
from torch import Tensor

from ..render.shading import OBJECT_GRAY, SIDE_COLORS
from ..scene.camera import Camera
from ..scene.hand_scene import HandScene
from .gltf import INDEX_BUFFER, VERTEX_BUFFER, GltfDocument
from .surface import Surface

MAX_EMBEDDED_PARAMETERS = 256 * 2**10
"""Bytes of parameters in the file's description. ComfyUI looks for a workflow in a file's first MiB only."""

OBJECT = "object"
COLORS = {**SIDE_COLORS, OBJECT: (OBJECT_GRAY,) * 3}
"""Of each side's hands and of what they hold, sRGB in 0..1."""


def start_document(scene: HandScene, metadata: dict | None, **facts) -> GltfDocument:
    """Return an empty document that says which hand it holds, under which terms, and with which parameters."""
    about = {"hand_model": scene.model.name, "licence": scene.model.licence, **facts}
    text = scene.to_json()
    if len(text) <= MAX_EMBEDDED_PARAMETERS:
        about["parameters"] = json.loads(text)
    return GltfDocument(scene.model.licence, {**(metadata or {}), "sesahand": about})


def add_camera(document: GltfDocument, camera: Camera) -> int:
    """Add a node with the scene's camera at the origin, and return its index.

    glTF's cameras look through the middle of the picture. One that does not is told by `principal_point` in its extras.
    """
    x, y = camera.principal_point
    extras = {"focal_length": camera.focal_length, "principal_point": [x, y], "size": [camera.width, camera.height]}
    lens = {
        "yfov": 2 * math.atan(camera.height / 2 / camera.focal_length),
        "aspectRatio": camera.width / camera.height,
        "znear": 0.01,
        "zfar": 1000.0,
    }
    index = document.add("cameras", name="camera", type="perspective", perspective=lens, extras=extras)
    return document.add("nodes", name="camera", camera=index)


def add_material(document: GltfDocument, side: str) -> int:
    """Add the matte material of one side's hands, or of an `OBJECT`."""
    color = [*(to_linear(channel) for channel in COLORS[side]), 1.0]
    surface = {"baseColorFactor": color, "metallicFactor": 0.0, "roughnessFactor": 0.65}
    name = "held_object" if side == OBJECT else f"{side}_hand"
    return document.add("materials", name=name, pbrMetallicRoughness=surface)


def to_linear(channel: float) -> float:
    """Return the linear intensity of an sRGB channel in 0..1. Source: IEC 61966-2-1."""
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def floats(values: Tensor) -> np.ndarray:
    """Return numbers, of any shape, as a float32 array of the same shape."""
    return values.float().numpy()


def add_surface(document: GltfDocument, surface: Surface, vertices: Tensor) -> dict:
    """Store a mesh with its normals and texture coordinates; return the fields of a primitive.

    Args:
        document: Where to.
        surface: How the mesh is cut.
        vertices: The model's vertices `[V, 3]` in the frame of the file, metres.
    """
    attributes = {
        "POSITION": document.add_accessor(floats(vertices[surface.source]), VERTEX_BUFFER, bounds=True),
        "NORMAL": document.add_accessor(floats(surface.normals(vertices)), VERTEX_BUFFER),
    }
    if surface.uv is not None:
        # The origin of glTF's texture coordinates is the upper left.
        uv = torch.stack([surface.uv[:, 0], 1 - surface.uv[:, 1]], 1)
        attributes["TEXCOORD_0"] = document.add_accessor(floats(uv), VERTEX_BUFFER)
    small = len(surface.source) < 1 << 16
    indices = surface.faces.flatten().numpy().astype(np.uint16 if small else np.uint32)
    return {"attributes": attributes, "indices": document.add_accessor(indices, INDEX_BUFFER)}
