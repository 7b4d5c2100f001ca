"""Hands as rigged, animated GLB: a skinned mesh in its bind pose, MANO's sixteen joints, and the pose on the joints.

Layout of the file, metres, y up, the camera of the scene looking along -z from the origin::

    SesaHand                root; carries nothing, so that everything can be moved and scaled by it
      right_hand_rig        one per hand
        wrist               joints under MANO's names; with several hands "right_wrist", "left_index1", ...
          index1 ...
      camera
    right_hand              the skinned mesh, a root of its own, as the specification asks for

In the bind pose the joints are not turned and the hand lies flat in MANO's rest frame: fingers along -x, palm down. So
the rotation of a joint is MANO's rotation of that joint; only the wrist also holds the change of axes. Bones have no
scale.

Skinning is all that a skin can do. MANO's pose correctives are no part of it: for one frame they are a morph target
`pose_corrective` at weight 1, and the file is as exact as ever; an animation is without them. A hand whose shape
changes from frame to frame has its mean shape. Both are measured: `asset.extras.sesahand.largest_error_m` is the
largest distance between a vertex of the file, posed, and of `HandScene.pose`.
"""

import json
import logging
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..errors import SesaHandError
from ..hands.export import TO_Y_UP
from ..hands.model import HandModel, chain_joints
from ..hands.rotations import matrix_to_quaternion, mirror_rotation
from ..hands.scene import SIDES, HandScene
from ..hands.scene_files import check_rotations
from ..hands.skeleton import MANO_JOINTS, MANO_PARENTS
from ..render.camera import Camera
from ..render.maps import hands_of_frames
from ..render.shading import SIDE_COLORS
from .gltf import INDEX_BUFFER, VERTEX_BUFFER, GltfDocument
from .surface import Surface

logger = logging.getLogger(__name__)

INFLUENCES = 4
"""Joints that may move one vertex: what every program reads."""

MAX_EMBEDDED_PARAMETERS = 256 * 2**10
"""Bytes of parameters in the file's description. ComfyUI looks for a workflow in a file's first MiB only."""

FRAMES_AT_ONCE = 64

WORTH_A_WARNING = 1e-3
"""Metres by which posed vertices may be off before a warning is logged."""


@dataclass(frozen=True)
class Track:
    """One hand through the frames: which hand of the scene it is in each of its frames, in the frames' order."""

    name: str
    side: str
    frames: tuple[int, ...]
    hands: tuple[int, ...]


def hand_tracks(scene: HandScene) -> list[Track]:
    """Follow hands through the frames: the first right hand of every frame is one track, the second another.

    Returns:
        Tracks named "right_hand", "left_hand", "right_hand2" and so on, in the order in which they first appear.
    """
    found: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for frame, hands in sorted(hands_of_frames(scene.frame).items()):
        seen = dict.fromkeys(SIDES, 0)
        for hand in hands:
            side = scene.side[hand]
            seen[side] += 1
            found.setdefault((side, seen[side]), []).append((frame, hand))
    return [
        Track(f"{side}_hand{number if number > 1 else ''}", side, *zip(*entries, strict=True))
        for (side, number), entries in found.items()
    ]


def rigged_glb(
    scene: HandScene,
    fps: float = 24.0,
    forearm: bool = False,
    metadata: dict | None = None,
) -> bytes:
    """Return the hands of a scene as a rigged GLB; with more than one frame it is animated.

    Args:
        scene: The hands. Without any, the file holds the camera alone.
        fps: Frames per second of the animation.
        forearm: Include the forearm of a hand model that has one.
        metadata: Further entries of `asset.extras`, for example ComfyUI's "prompt" and "workflow".

    Raises:
        SesaHandError: If `fps` is not a positive number, or a matrix of a hand is not a rotation.
    """
    if not (math.isfinite(fps) and fps > 0):
        raise SesaHandError(f"fps must be a positive number of frames per second, got {fps}.")
    for name in ("global_orient", "hand_pose"):
        check_rotations(getattr(scene, name).detach().cpu().double(), f"{name} of the hands")
    tracks = hand_tracks(scene)
    rigs = [Rig.of(scene, track, forearm) for track in tracks]
    error = max((rig.largest_error(scene, track, forearm) for rig, track in zip(rigs, tracks, strict=True)), default=0)
    if error > WORTH_A_WARNING:
        logger.warning(
            "The rigged hands are up to %.1f mm off the posed ones: a rig has one shape for all frames and no pose "
            "correctives in an animation. The format 'glb posed' is exact.", 1000 * error,
        )  # fmt: skip
    document = start_document(scene, metadata, largest_error_m=round(error, 9))
    children = [add_camera(document, scene.camera)]
    meshes, animated = [], []
    materials = {side: add_material(document, side) for side in dict.fromkeys(track.side for track in tracks)}
    for rig, track in zip(rigs, tracks, strict=True):
        prefix = track.name.replace("_hand", "") + "_" if len(tracks) > 1 else ""
        joints = add_joints(document, rig, prefix)
        holder = document.add("nodes", name=f"{track.name}_rig", children=[joints[0]], **hidden(track))
        children.append(holder)
        meshes.append(add_skinned_mesh(document, rig, track, joints, materials[track.side]))
        animated.append((rig, track, joints, holder))
    root = document.add("nodes", name="SesaHand", children=children)
    if scene.num_frames > 1 and tracks:
        add_animation(document, animated, scene.num_frames, fps)
    return document.to_glb([root, *meshes])


@dataclass(frozen=True, eq=False)
class Rig:
    """One hand's skin and skeleton and its poses over K frames, float64, joints relative to their parents.

    Attributes:
        surface: How the skin is cut.
        vertices: Bind pose `[V, 3]`, metres.
        corrective: Displacement of the bind pose that one frame's pose asks for `[V, 3]`, or None.
        joints: Joints in the bind pose `[16, 3]`.
        influences: Joints that move each vertex `[V, 4]`.
        weights: By how much, `[V, 4]`, rows sum to one.
        rotations: `[K, 16, 3, 3]`, the wrist's in the frame of the file.
        wrist: Place of the wrist `[K, 3]`, in the frame of the file.
    """

    surface: Surface
    vertices: Tensor
    corrective: Tensor | None
    joints: Tensor
    influences: Tensor
    weights: Tensor
    rotations: Tensor
    wrist: Tensor

    @classmethod
    def of(cls, scene: HandScene, track: Track, forearm: bool) -> "Rig":
        model = scene.model.to("cpu", torch.float64)
        chosen = scene.select(list(track.hands))
        orient, pose, betas, translation = (
            getattr(chosen, name).detach().cpu().double()
            for name in ("global_orient", "hand_pose", "betas", "translation")
        )
        axes = torch.tensor(TO_Y_UP, dtype=torch.float64)
        mirror = torch.tensor([1.0 if track.side == "right" else -1.0, 1.0, 1.0], dtype=torch.float64)
        count = len(model.template) if forearm else model.num_hand_vertices
        shape = betas.mean(0)
        wrist = (model.joint_template[0] + betas @ model.joint_shapedirs[0].T) * mirror + translation
        weights, influences = model.weights[:count].topk(INFLUENCES, dim=1)
        return cls(
            surface=Surface.of(model, track.side, forearm),
            vertices=(model.template[:count] + model.shapedirs[:count] @ shape) * mirror,
            corrective=pose_corrective(model, pose[0], track.side, count) * mirror
            if needs_morph(model, track)
            else None,
            joints=(model.joint_template + model.joint_shapedirs @ shape) * mirror,
            influences=influences,
            weights=weights / weights.sum(1, keepdim=True),
            rotations=torch.cat([(axes[:, None] * orient)[:, None], pose], 1),
            wrist=wrist * axes,
        )

    def bones(self) -> Tensor:
        """Return the place of each joint relative to its parent `[16, 3]` in the bind pose; the wrist's is absolute."""
        parents = torch.tensor(MANO_PARENTS)
        return torch.where(parents[:, None] < 0, self.joints, self.joints - self.joints[parents.clamp(min=0)])

    def posed(self, frames: slice = slice(None)) -> Tensor:
        """Return what a reader of the file makes of it: vertices `[K, V, 3]` in the frame of the file."""
        rest = self.vertices if self.corrective is None else self.vertices + self.corrective
        rotations, wrist = self.rotations[frames], self.wrist[frames]
        rotation, position = chain_joints(rotations, self.joints.expand(len(rotations), -1, -1))
        position = position + (wrist - self.joints[0])[:, None]
        shift = position - torch.einsum("kjab,jb->kja", rotation, self.joints)
        skin = torch.zeros(len(rest), len(self.joints), dtype=rest.dtype).scatter_(1, self.influences, self.weights)
        blended = torch.einsum("vj,kjab->kvab", skin, rotation)
        return torch.einsum("kvab,vb->kva", blended, rest) + torch.einsum("vj,kja->kva", skin, shift)

    def largest_error(self, scene: HandScene, track: Track, forearm: bool) -> float:
        """Return how far a posed vertex of the rig is from that of the scene's own posing at most, metres."""
        largest = 0.0
        for start in range(0, len(track.hands), FRAMES_AT_ONCE):
            frames = slice(start, start + FRAMES_AT_ONCE)
            wanted = scene.select(list(track.hands[frames])).pose(forearm).vertices.detach().cpu().double()
            off = self.posed(frames) * torch.tensor(TO_Y_UP) - wanted
            largest = max(largest, float(off.norm(dim=-1).max()))
        return largest


def needs_morph(model: HandModel, track: Track) -> bool:
    return model.posedirs is not None and len(track.hands) == 1


def pose_corrective(model: HandModel, hand_pose: Tensor, side: str, count: int) -> Tensor:
    """Return the displacement `[V, 3]` of a right hand's rest vertices that a pose `[15, 3, 3]` of a side asks for."""
    rotations = hand_pose if side == "right" else mirror_rotation(hand_pose)
    offset = rotations - torch.eye(3, dtype=rotations.dtype)
    return model.posedirs[:count] @ offset.flatten()


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
    """Add the matte material of one side's hands."""
    color = [*(to_linear(channel) for channel in SIDE_COLORS[side]), 1.0]
    surface = {"baseColorFactor": color, "metallicFactor": 0.0, "roughnessFactor": 0.65}
    return document.add("materials", name=f"{side}_hand", pbrMetallicRoughness=surface)


def to_linear(channel: float) -> float:
    """Return the linear intensity of an sRGB channel in 0..1. Source: IEC 61966-2-1."""
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def floats(values: Tensor) -> np.ndarray:
    return values.float().numpy()


def add_surface(document: GltfDocument, surface: Surface, vertices: Tensor) -> dict:
    """Store a mesh with its normals and texture coordinates; return the fields of a primitive.

    Args:
        document: Where to.
        surface: How the mesh is cut.
        vertices: The model's vertices `[V, 3]` in the frame of the file.
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


def add_joints(document: GltfDocument, rig: Rig, prefix: str) -> list[int]:
    """Add the sixteen joints in the pose of the first frame, and return their nodes in MANO's order."""
    quaternion = glb_quaternions(rig.rotations[:1])[0].tolist()
    place = rig.bones()
    place[0] = rig.wrist[0]
    # Children are known only once they are added: from the finger tips inwards.
    nodes: dict[int, int] = {}
    for joint in reversed(range(len(MANO_JOINTS))):
        children = [nodes[child] for child, parent in enumerate(MANO_PARENTS) if parent == joint]
        nodes[joint] = document.add(
            "nodes",
            name=prefix + MANO_JOINTS[joint],
            translation=place[joint].tolist(),
            rotation=quaternion[joint],
            children=children or None,
        )
    return [nodes[joint] for joint in range(len(MANO_JOINTS))]


def glb_quaternions(rotations: Tensor) -> Tensor:
    """Return quaternions `[K, J, 4]` in the order x, y, z, w that go from frame to frame the short way."""
    quaternion = matrix_to_quaternion(rotations)[..., [1, 2, 3, 0]]
    turned = (quaternion[1:] * quaternion[:-1]).sum(-1, keepdim=True) < 0
    sign = torch.where(turned, -1.0, 1.0).cumprod(0)
    return torch.cat([quaternion[:1], quaternion[1:] * sign])


def add_skinned_mesh(document: GltfDocument, rig: Rig, track: Track, joints: list[int], material: int) -> int:
    """Add the skin in its bind pose and return its node."""
    source = rig.surface.source
    primitive = add_surface(document, rig.surface, rig.vertices)
    weights = rig.weights[source].float()
    # A joint of no weight is joint 0.
    influences = rig.influences[source].masked_fill(weights == 0, 0)
    primitive["attributes"] |= {
        "JOINTS_0": document.add_accessor(influences.numpy().astype(np.uint8), VERTEX_BUFFER),
        "WEIGHTS_0": document.add_accessor(weights.numpy(), VERTEX_BUFFER),
    }
    morph = {}
    if rig.corrective is not None:
        moved = document.add_accessor(floats(rig.corrective[source]), VERTEX_BUFFER, bounds=True)
        primitive["targets"] = [{"POSITION": moved}]
        morph = {"weights": [1.0], "extras": {"targetNames": ["pose_corrective"]}}
    mesh = document.add("meshes", name=track.name, primitives=[{**primitive, "material": material}], **morph)
    inverse_bind = torch.eye(4).repeat(len(joints), 1, 1)
    inverse_bind[:, :3, 3] = -rig.joints.float()
    matrices = document.add_accessor(inverse_bind.numpy())
    skin = document.add("skins", name=track.name, joints=joints, skeleton=joints[0], inverseBindMatrices=matrices)
    return document.add("nodes", name=track.name, mesh=mesh, skin=skin)


def hidden(track: Track) -> dict:
    """Return the field of a rig that hides a hand which is not in the first frame: glTF has no other way."""
    return {"scale": [0.0, 0.0, 0.0]} if track.frames[0] else {}


def add_animation(document: GltfDocument, animated: list[tuple], num_frames: int, fps: float) -> None:
    """Add one clip that turns every joint, moves the wrist, and shows a hand only in the frames it is in."""
    samplers, channels = [], []

    def drive(node: int, path: str, times: int, values: np.ndarray, interpolation: str = "LINEAR") -> None:
        output = document.add_accessor(values)
        samplers.append({"input": times, "output": output, "interpolation": interpolation})
        channels.append({"sampler": len(samplers) - 1, "target": {"node": node, "path": path}})

    def key_frames(frames) -> int:
        return document.add_accessor((np.array(frames, np.float64) / fps).astype(np.float32), bounds=True)

    for rig, track, joints, holder in animated:
        times = key_frames(track.frames)
        quaternions = glb_quaternions(rig.rotations)
        for joint, node in enumerate(joints):
            drive(node, "rotation", times, floats(quaternions[:, joint]))
        drive(joints[0], "translation", times, floats(rig.wrist))
        if len(track.frames) < num_frames:
            shown = np.zeros((num_frames + 1, 3), np.float32)
            shown[list(track.frames)] = 1
            shown[-1] = shown[-2]
            # Half a frame early: a step exactly at a frame would come after it wherever a time is rounded. The last
            # key only makes the clip as long as the frames are.
            steps = key_frames([0, *np.arange(1, num_frames) - 0.5, num_frames - 1])
            drive(holder, "scale", steps, shown, "STEP")
    document.add("animations", name="hands", samplers=samplers, channels=channels)
