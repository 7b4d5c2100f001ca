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

import logging
import math

import numpy as np
import torch
from torch import Tensor

from ..errors import SesaHandError
from ..hands.rotations import matrix_to_quaternion
from ..hands.skeleton import MANO_JOINTS, MANO_PARENTS
from ..scene.hand_scene import HandScene
from ..scene.scene_files import check_rotations
from .gltf import VERTEX_BUFFER, GltfDocument
from .hand_document import add_camera, add_material, add_surface, floats, start_document
from .rig import Rig, Track, hand_tracks

logger = logging.getLogger(__name__)

WORTH_A_WARNING = 1e-3
"""Metres by which posed vertices may be off before a warning is logged."""


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
    """Return quaternions `[K, J, 4]`, x, y, z, w, of rotations `[K, J, 3, 3]`, the short way from frame to frame."""
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
