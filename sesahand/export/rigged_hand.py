"""Hands as rigged, animated GLB: a skinned mesh in its bind pose, MANO's sixteen joints, and the pose on the joints.

Layout of the file, metres, y up, the camera of the scene looking along -z from the origin::

    SesaHand                root; carries nothing, so that everything can be moved and scaled by it
      right_hand_shown      only for a hand that some frames lack
      right_hand_rig        one per hand, with its wrist as origin; carries the place and turn of the hand
        right_hand_cup      what it holds, if anything; hidden by its scale in frames in which the hand does not
        right_wrist         joints under MANO's names and their hand's: "left_index1", of a second one "right2_index1"
          right_index1 ...
      camera
    right_hand              the skinned mesh, a root of its own, as the specification asks for

In the bind pose the hand lies flat in MANO's rest frame, its wrist joint at the origin: a right hand's fingers along
-x, palm down. A rig whose pose is cleared so stays where the hand is. Bones lie along the fingers as `bone_axes` says,
or, unturned, have no rotation in the bind pose, so that the rotation of a joint is MANO's rotation of it. They have no
scale.

Skinning is all that a skin can do. MANO's pose correctives are no part of it: for one frame they are a morph target
`pose_corrective` at weight 1, and the file is as exact as ever; an animation is without them. A hand whose shape
changes from frame to frame has its mean shape. Both are measured: `asset.extras.sesahand.largest_error_m` is the
largest distance between a vertex of the file, posed, and of `HandScene.pose`.
"""

import logging
import math

import numpy as np

from ..errors import SesaHandError
from ..hands.skeleton import MANO_JOINTS
from ..scene.hand_scene import HandScene
from ..scene.scene_files import check_rotations
from .formats import ALONG_FINGERS
from .gltf import VERTEX_BUFFER, GltfDocument
from .hand_document import add_camera, add_material, add_surface, floats, start_document
from .held_objects import ObjectMeshes, add_held
from .rig import PARENTS, Rig, Track, glb_quaternions, hand_tracks

logger = logging.getLogger(__name__)

WORTH_A_WARNING = 1e-3
"""Metres by which posed vertices may be off before a warning is logged."""


def rigged_glb(
    scene: HandScene,
    fps: float = 24.0,
    forearm: bool = False,
    metadata: dict | None = None,
    bones: str = ALONG_FINGERS,
    clip: str = "hands",
) -> bytes:
    """Return the hands of a scene as a rigged GLB; with more than one frame it is animated.

    Args:
        scene: The hands. Without any, the file holds the camera alone.
        fps: Frames per second of the animation.
        forearm: Include the forearm of a hand model that has one.
        metadata: Further entries of `asset.extras`, for example ComfyUI's "prompt" and "workflow".
        bones: How the bones lie in the bind pose, one of `formats.BONES`.
        clip: Name of the animation.

    Raises:
        SesaHandError: If `fps` is not a positive number, a matrix of a hand is not a rotation, or bones cannot lie so.
    """
    if not (math.isfinite(fps) and fps > 0):
        raise SesaHandError(f"fps must be a positive number of frames per second, got {fps}.")
    for name in ("global_orient", "hand_pose"):
        check_rotations(getattr(scene, name).detach().cpu().double(), f"{name} of the hands")
    tracks = hand_tracks(scene)
    rigs = [Rig.of(scene, track, forearm, bones) for track in tracks]
    error = max((rig.largest_error(scene, track, forearm) for rig, track in zip(rigs, tracks, strict=True)), default=0)
    if error > WORTH_A_WARNING:
        logger.warning(
            "The rigged hands are up to %.1f mm off the posed ones: a rig has one shape for all frames and no pose "
            "correctives in an animation. The format 'glb posed' is exact.", 1000 * error,
        )  # fmt: skip
    document = start_document(scene, metadata, largest_error_m=round(error, 9))
    children = [add_camera(document, scene.camera)]
    meshes, animated, objects = [], [], ObjectMeshes(document)
    materials = {side: add_material(document, side) for side in dict.fromkeys(track.side for track in tracks)}
    for rig, track in zip(rigs, tracks, strict=True):
        joints = add_joints(document, rig, track.name.replace("_hand", ""))
        held = add_held(document, scene, track, objects)
        holder = add_holder(document, rig, track, [joints[0], *(each.node for each in held)])
        shown = add_switch(document, track, holder) if len(track.frames) < scene.num_frames else None
        children.append(holder if shown is None else shown)
        meshes.append(add_skinned_mesh(document, rig, track, joints, materials[track.side]))
        animated.append((rig, track, joints, holder, shown, held))
    root = document.add("nodes", name="SesaHand", children=children)
    if scene.num_frames > 1 and tracks:
        add_animation(document, animated, scene.num_frames, fps, clip)
    return document.to_glb([root, *meshes])


def add_holder(document: GltfDocument, rig: Rig, track: Track, carried: list[int]) -> int:
    """Add the node that carries a hand's wrist and what it holds to their place in its first frame, and return it."""
    return document.add(
        "nodes",
        name=f"{track.name}_rig",
        translation=rig.wrist[0].tolist(),
        rotation=glb_quaternions(rig.rotations[:1, :1])[0, 0].tolist(),
        children=carried,
    )


def add_switch(document: GltfDocument, track: Track, holder: int) -> int:
    """Add the node above a rig that hides the hand in frames without it, by its scale: glTF has no other way.

    The rig itself keeps its scale: Blender divides by that.
    """
    hidden = {"scale": [0.0, 0.0, 0.0]} if track.frames[0] else {}
    return document.add("nodes", name=f"{track.name}_shown", children=[holder], **hidden)


def add_joints(document: GltfDocument, rig: Rig, prefix: str) -> list[int]:
    """Add the sixteen joints in the pose of the first frame, and return their nodes in MANO's order."""
    quaternion = glb_quaternions(rig.bone_rotations()[:1])[0].tolist()
    place = rig.places().tolist()
    # Children are known only once they are added: from the finger tips inwards.
    nodes: dict[int, int] = {}
    for joint in reversed(range(len(MANO_JOINTS))):
        children = [nodes[child] for child, parent in enumerate(PARENTS) if parent == joint != child]
        nodes[joint] = document.add(
            "nodes",
            name=f"{prefix}_{MANO_JOINTS[joint]}",
            translation=place[joint],
            rotation=quaternion[joint],
            children=children or None,
        )
    return [nodes[joint] for joint in range(len(MANO_JOINTS))]


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
    matrices = document.add_accessor(floats(rig.inverse_bind_matrices()))
    skin = document.add("skins", name=track.name, joints=joints, skeleton=joints[0], inverseBindMatrices=matrices)
    return document.add("nodes", name=track.name, mesh=mesh, skin=skin)


def add_animation(document: GltfDocument, animated: list[tuple], num_frames: int, fps: float, clip: str) -> None:
    """Add one clip that bends the fingers, turns and moves each hand, and shows it only in the frames it is in."""
    samplers, channels = [], []

    def drive(node: int, path: str, times: int, values: np.ndarray, interpolation: str = "LINEAR") -> None:
        output = document.add_accessor(values)
        samplers.append({"input": times, "output": output, "interpolation": interpolation})
        channels.append({"sampler": len(samplers) - 1, "target": {"node": node, "path": path}})

    def key_frames(frames) -> int:
        return document.add_accessor((np.array(frames, np.float64) / fps).astype(np.float32), bounds=True)

    def steps_of() -> int:
        # Half a frame early: a step exactly at a frame would come after it wherever a time is rounded. The last key
        # only makes the clip as long as the frames are.
        return key_frames([0, *np.arange(1, num_frames) - 0.5, num_frames - 1])

    for rig, track, joints, holder, shown, held in animated:
        times = key_frames(track.frames)
        bent = glb_quaternions(rig.bone_rotations())
        for joint, node in enumerate(joints[1:], 1):
            drive(node, "rotation", times, floats(bent[:, joint]))
        drive(holder, "rotation", times, floats(glb_quaternions(rig.rotations[:, :1])[:, 0]))
        drive(holder, "translation", times, floats(rig.wrist))
        if shown is not None:
            scales = np.zeros((num_frames + 1, 3), np.float32)
            scales[list(track.frames)] = 1
            scales[-1] = scales[-2]
            drive(shown, "scale", steps_of(), scales, "STEP")
        for each in held:
            moments = key_frames(each.frames)
            for path, values in (("translation", each.places), ("rotation", each.quaternions)):
                if (values != values[0]).any():
                    drive(each.node, path, moments, values)
            if not each.always:
                sizes = np.zeros((num_frames + 1, 3), np.float32)
                sizes[list(each.frames)] = each.sizes[:, None]
                sizes[-1] = sizes[-2]
                drive(each.node, "scale", steps_of(), sizes, "STEP")
            elif (each.sizes != each.sizes[0]).any():
                drive(each.node, "scale", moments, each.sizes[:, None].repeat(3, 1))
    document.add("animations", name=clip, samplers=samplers, channels=channels)
