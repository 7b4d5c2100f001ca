"""From attributes to things in front of a camera: posed hands, their arms and sleeves, and objects."""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..hands.model import HandModel, PosedHands
from ..hands.pose import blend, jitter
from ..hands.rotations import mirror_rotation
from ..scene.camera import Camera
from ..scene.hand_scene import HandScene
from ..scene.placing import Hand, view_rotation
from . import vocabulary
from .attributes import Attributes, Thing, pick
from .gestures import FREE
from .shapes import Shape, tube
from .studio import Studio, vertex_normals

FOV_DEGREES = (24.0, 40.0)
JITTER_DEGREES, GRASP_JITTER_DEGREES = 4.5, 1.5
# Views wander this much, degrees: roll in the picture, pitch, yaw.
WANDER = (13.0, 13.0, 18.0)
BETA_SPREAD, BETA_MOST = 0.7, 1.6
# Longer side of a hand's box as a share of the picture. Compact gestures would be giants at the sizes of long ones.
SIZES, CROWDED_SIZES, PAIR_SIZES = (0.62, 0.82), (0.56, 0.68), (0.46, 0.54)
COMPACT, COMPACT_SCALE = ("fist", "thumbs_up", "hold"), 0.86
MARGIN = 0.03
# Hands leave room for their sleeve.
TOWARDS_FINGERS = {"below": (0.0, -0.04), "above": (0.0, 0.05), "the left": (0.05, 0.0), "the right": (-0.05, 0.0)}
# A placement looks at every so many vertices: the box is a hair smaller than the hand.
EVERY = 3
# Right hand's rest frame, metres, and radius: where the objects lie that the grasping gestures were solved around.
HELD_PLACES = {
    "ball": ((-0.0807, -0.0588, 0.0006), (0.0, 0.0), 0.036),
    "cup": ((-0.0743, -0.0595, -0.0107), (-0.2697, -0.4258), 0.032),
}
# Degrees from the gesture's view: fingers around an upright cup, seen a little from above, not into its bottom.
EXTRA_YAW = {"cup": 72.0}
# A gesture that is seen in the canonical view.
PLAIN_VIEW = "open_palm"
WALL_BEHIND = 0.14
SLEEVE_END = 0.6
# Metres from the wrist to the cuff, and how far into it there still is an arm.
SLEEVE_STARTS, INTO_SLEEVE = (0.024, 0.05), 0.012


@dataclass(frozen=True, eq=False)
class Stage:
    """What stands in front of the camera.

    Attributes:
        scene: The hands, one frame.
        posed: Their vertices with the forearm and their keypoints.
        normals: Of those vertices, `[N, V, 3]`.
        bare: Faces of the forearm that come out of the sleeves, of a right hand `[T, 3]`.
        props: Sleeves and objects in the camera's frame, with their colour words: "sleeve" or a colour.
        held: The one of them that the hand holds, or None.
    """

    scene: HandScene
    posed: PosedHands
    normals: Tensor
    bare: Tensor
    props: tuple[tuple[str, Shape], ...]
    held: Shape | None = None


def set_stage(studio: Studio, rng: np.random.Generator, attributes: Attributes, size: int) -> Stage:
    """Pose and place what the attributes name.

    Args:
        studio: What to make it with.
        rng: Draws everything that words do not fix.
        attributes: What is to be seen.
        size: Width and height of the picture in pixels.
    """
    camera = Camera.from_fov(size, size, rng.uniform(*FOV_DEGREES))
    pose, known = draw_pose(studio, rng, attributes)
    betas = torch.from_numpy(np.clip(BETA_SPREAD * rng.standard_normal(10), -BETA_MOST, BETA_MOST).astype(np.float32))
    sides = ("right", "left") if attributes.side == "both" else (attributes.side,)
    angles = draw_angles(rng, attributes)
    hands = [oriented_hand(studio, pose, betas, side, known, angles) for side in sides]
    scene, posed = place_hands(rng, hands, attributes, camera)
    start = rng.uniform(*SLEEVE_STARTS)
    props = [("sleeve", sleeve) for sleeve in sleeves(studio, rng, scene, start)]
    held = None
    if attributes.held is not None:
        held = held_shape(studio, attributes.held.kind, scene)
        props.append((attributes.held.color, held))
    if attributes.beside is not None:
        props.append((attributes.beside.color, beside_shape(studio, rng, attributes.beside, posed, camera)))
    normals = [
        vertex_normals(vertices, studio.arm_faces[side])
        for vertices, side in zip(posed.vertices, scene.side, strict=True)
    ]
    return Stage(
        scene, posed, torch.stack(normals), bare_forearm(studio.model, start + INTO_SLEEVE), tuple(props), held
    )


def draw_pose(studio: Studio, rng: np.random.Generator, attributes: Attributes) -> tuple[Tensor, str]:
    """Return a right hand's pose `[15, 3, 3]`, a variation of the gesture, and the gesture whose view shows it."""
    seed = int(rng.integers(2**31))
    if attributes.gesture == FREE:
        # Any two poses of the library and any share: what lies between has no name, so that none can be wrong.
        first, second = (studio.gestures[pick(rng, tuple(studio.gestures))].hand_pose for _ in range(2))
        return jitter(blend(first, second, float(rng.random())), JITTER_DEGREES, seed, studio.frames), PLAIN_VIEW
    name = vocabulary.HELD[attributes.held.kind] if attributes.held is not None else attributes.words.poses[0]
    degrees = GRASP_JITTER_DEGREES if attributes.held is not None else JITTER_DEGREES
    return jitter(studio.gestures[name].hand_pose, degrees, seed, studio.frames), name


def draw_angles(rng: np.random.Generator, attributes: Attributes) -> tuple[float, float, float]:
    """Return roll, pitch and yaw in degrees from the gesture's own view, as of a right hand but for the roll."""
    roll = {"up": 0.0, "right": 90.0, "left": -90.0, "down": 180.0}[attributes.direction]
    wander = [WANDER[k] * float(np.clip(rng.standard_normal() / 1.5, -1.3, 1.3)) for k in range(3)]
    turn = EXTRA_YAW.get(attributes.held.kind, 0.0) if attributes.held is not None else 0.0
    return roll + wander[0], wander[1], wander[2] + turn + (180.0 if attributes.view == "back" else 0.0)


def oriented_hand(
    studio: Studio, pose: Tensor, betas: Tensor, side: str, known: str, angles: tuple[float, float, float]
) -> Hand:
    """Return a hand of either side in the view that a gesture is known in, turned.

    Args:
        studio: Knows the views.
        pose: A right hand's `hand_pose` `[15, 3, 3]`.
        betas: `[10]`.
        side: "right" or "left".
        known: The gesture whose view it is.
        angles: Roll, pitch and yaw from there, as `view_rotation` takes them.
    """
    roll, pitch, yaw = angles
    # What is mirrored to the left is the view; where the fingers point in the picture stays what the words say.
    turn = view_rotation(side, roll, pitch, yaw if side == "right" else -yaw) @ studio.views[PLAIN_VIEW, side].mT
    orient = (turn @ studio.views[known, side]).to(torch.float32)
    return Hand(studio.model, pose if side == "right" else mirror_rotation(pose), betas, side, orient)


def place_hands(
    rng: np.random.Generator, hands: list[Hand], attributes: Attributes, camera: Camera
) -> tuple[HandScene, PosedHands]:
    """Place one hand, or two side by side, well inside the picture, beside room for an object if there is one."""
    poses, betas, orients = zip(*(hand.parameters() for hand in hands), strict=True)
    scene = HandScene(
        model=hands[0].model,
        camera=camera,
        num_frames=1,
        frame=torch.zeros(len(hands), dtype=torch.int64),
        side=tuple(hand.side for hand in hands),
        global_orient=torch.stack(orients),
        hand_pose=torch.stack(poses),
        betas=torch.stack(betas),
        translation=torch.zeros(len(hands), 3),
        score=torch.ones(len(hands)),
    )
    posed = scene.pose(forearm=True)
    lift, moves = rng.uniform(-0.03, 0.03), []
    for vertices, column in zip(posed.vertices, (0.27, 0.73) if len(hands) == 2 else (0.5,), strict=True):
        low, high = PAIR_SIZES if len(hands) == 2 else CROWDED_SIZES if attributes.beside else SIZES
        share = rng.uniform(low, high) * (COMPACT_SCALE if attributes.gesture in COMPACT and len(hands) == 1 else 1.0)
        centre = np.array([column + rng.uniform(-0.02, 0.02), 0.48 + lift]) + TOWARDS_FINGERS[attributes.arm]
        if attributes.beside is not None:
            centre += (-0.09 if attributes.beside.place == "right" else 0.09, -0.06)
        points = vertices[: scene.model.num_hand_vertices : EVERY].numpy()
        moves.append(translation_for(points, camera, camera.width * share, camera.width * centre))
    move = torch.from_numpy(np.stack(moves).astype(np.float32))
    posed = PosedHands(posed.vertices + move[:, None], posed.keypoints + move[:, None])
    return replace(scene, translation=move), posed


def translation_for(points: np.ndarray, camera: Camera, longest: float, centre: np.ndarray) -> np.ndarray:
    """Return the translation at which points have a box of some size at some place in the picture.

    A few steps of a fixed-point iteration: quicker than an exact fit, and nothing here asks for one.

    Args:
        points: `[K, 3]`, metres.
        camera: What sees them.
        longest: Longest side of the box, pixels.
        centre: Of the box, `[2]`, pixels; moved so that the box keeps off the edges.

    Returns:
        `[3]`, metres in the camera's frame.
    """
    focal, principal = camera.focal_length, np.array(camera.principal_point)
    move = np.array([0.0, 0.0, focal * np.ptp(points[:, :2], axis=0).max() / longest])
    margin = MARGIN * camera.width
    for _ in range(4):
        seen = (points[:, :2] + move[:2]) / (points[:, 2:] + move[2]) * focal + principal
        low, high = seen.min(0), seen.max(0)
        half = (high - low) / 2
        target = np.clip(centre, margin + half, camera.width - margin - half)
        move[:2] += (target - (low + high) / 2) * move[2] / focal
        move[2] *= (high - low).max() / longest
    return move


def to_camera(scene: HandScene, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rotation `[3, 3]` and translation `[3]` that take a right hand's rest frame to where a hand's palm is."""
    rotation = scene.global_orient[index].numpy().astype(np.float64)
    if scene.side[index] == "left":
        # The rest frame of a left hand is the mirrored one.
        rotation = rotation @ np.diag([-1.0, 1.0, 1.0])
    return rotation, scene.translation[index].numpy().astype(np.float64)


def hand_scale(scene: HandScene, index: int) -> float:
    """Return the size of a hand as a share of the mean hand's, from wrist to middle knuckle."""
    model = scene.model
    moved = model.joint_template[4] + model.joint_shapedirs[4] @ scene.betas[index]
    return float(moved.norm() / model.joint_template[4].norm())


def bare_forearm(model: HandModel, end: float) -> Tensor:
    """Return the faces `[T, 3]` of a right forearm up to `end` metres from the wrist; the rest could poke through."""
    arm = model.faces[model.num_hand_faces :]
    return arm[(model.template[arm][..., 0] < end).any(1)]


def sleeves(studio: Studio, rng: np.random.Generator, scene: HandScene, start: float) -> list[Shape]:
    """Return a sleeve around each forearm, from `start` metres along it to beyond the picture."""
    loose, folds = rng.uniform(1.24, 1.38), rng.uniform(0.0, 0.05)
    phase = rng.uniform(0, 2 * math.pi)
    x = np.array([0.0, 0.0, 0.004, 0.02, 0.022, 0.05, 0.08, 0.12, 0.16, 0.2, 0.26, 0.34, SLEEVE_END]) + start
    where, middle, half = studio.forearm_sections
    centres = np.stack([x, *(np.interp(x, where, middle[:, k]) for k in (1, 2))], 1)
    radii = np.stack([np.interp(x, where, half[:, k]) for k in (0, 1)], 1) * loose
    radii *= (1 + folds * np.sin(phase + 70 * (x - start)) + 0.6 * np.clip(x - start, 0, 0.3))[:, None]
    radii[0] *= 0.8
    radii[2:4] *= 1.06
    shade = np.array([0.6, 0.92, 0.92, 0.92] + [1.0] * (len(x) - 4))
    result = []
    for index in range(len(scene)):
        rotation, move = to_camera(scene, index)
        scale = hand_scale(scene, index)
        result.append(facing_outwards(tube(centres, radii, shade).turned(rotation, scale, move), rotation))
    return result


def facing_outwards(shape: Shape, rotation: np.ndarray) -> Shape:
    """Return a shape with its faces wound back after a `rotation` `[3, 3]` that mirrors."""
    return shape if np.linalg.det(rotation) > 0 else replace(shape, faces=shape.faces[:, [0, 2, 1]])


def held_shape(studio: Studio, kind: str, scene: HandScene) -> Shape:
    """Return the object that the hand of a scene grasps."""
    centre, (turn_x, turn_y), radius = HELD_PLACES[kind]
    rotation, move = to_camera(scene, 0)
    scale = hand_scale(scene, 0)
    (sx, sy), (cx, cy) = np.sin([turn_x, turn_y]), np.cos([turn_x, turn_y])
    along = np.array([sy, -sx * cy, cx * cy])
    across = np.array([cy, sx * sy, -cx * sy])
    # A cup's axis, y, lies along the cylinder that the fingers close around, its opening on the thumb's side; its
    # handle points away from the palm.
    frame = np.stack([-np.cross(along, across), -along, -across], 1)
    frame[:, 2] = np.cross(frame[:, 0], frame[:, 1])
    size = radius if kind == "ball" else radius / 0.78
    shape = studio.objects[kind].turned(rotation @ frame, scale * size, rotation @ (scale * np.array(centre)) + move)
    return facing_outwards(shape, rotation)


def beside_shape(studio: Studio, rng: np.random.Generator, thing: Thing, posed: PosedHands, camera: Camera) -> Shape:
    """Return the object beside the hand: in a lower corner of the picture, behind the hand, a little from above."""
    column = (0.15 if thing.place == "left" else 0.85) + rng.uniform(-0.015, 0.015)
    row = 0.82 + rng.uniform(-0.025, 0.025)
    depth = float(posed.keypoints[..., 2].max()) + WALL_BEHIND
    radius = rng.uniform(0.105, 0.135) * camera.width * depth / camera.focal_length
    pixel = np.array([column, row]) * camera.width
    centre = np.array([*((pixel - np.array(camera.principal_point)) / camera.focal_length * depth), depth])
    tilt, turn = (
        math.radians(rng.uniform(14, 24)),
        rng.uniform(0.35, 1.2) if thing.kind == "cube" else rng.uniform(-0.5, 0.5),
    )
    if thing.kind == "cup" and thing.place == "left":
        turn += math.pi
    about_x = np.array([[1, 0, 0], [0, math.cos(tilt), -math.sin(tilt)], [0, math.sin(tilt), math.cos(tilt)]])
    about_y = np.array([[math.cos(turn), 0, math.sin(turn)], [0, 1, 0], [-math.sin(turn), 0, math.cos(turn)]])
    return studio.objects[thing.kind].turned(about_x @ about_y, radius, centre)
