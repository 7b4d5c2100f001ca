"""Where to start fitting: hands of the gesture library in the views that look most like what was seen, and, where depth
is known, the hand whose bones point as they were seen to."""

import math

import torch
from torch import Tensor

from ...hands.gestures import load_gestures
from ...hands.limits import angles_from_pose, joint_limits, pose_from_angles
from ...hands.model import NUM_BETAS, NUM_JOINTS
from ...hands.rotations import axis_angle_to_matrix
from ...hands.skeleton import FINGER_JOINTS, FINGERS
from ...scene.camera import Camera
from ..landmarks import HandLandmarks
from .keypoint_model import HandState, KeypointModel
from .measurements import NEAREST, Measurements

# Directions that the library's hands are looked at from, evenly over the sphere.
VIEWS = 96
# Keypoints that move little against each other: the wrist and the knuckles.
PALM = (0, 5, 9, 13, 17)
# A hand starts at least this far (metres) from the nearest that it may come.
CLEARANCE = 0.03


def from_bones(seen: Measurements, model: KeypointModel) -> HandState:
    """Return the mean hand `[B]` whose palm and finger bones point as the measured 3D points do, within joint limits.

    All of a hand's 3D points should be known; an unknown one counts as lying at the origin.
    """
    count = len(seen.points)
    joints = model.joints.expand(count, -1, -1)
    palm = model.rest[list(PALM)].expand(count, -1, -1)
    orient = align_rotations(palm, seen.points[:, PALM], seen.weight_3d[:, PALM] + 1e-3)
    rotations = [torch.eye(3, dtype=torch.float64).expand(count, 3, 3)] * NUM_JOINTS
    rotations[0] = orient
    low, high = joint_limits().double().unbind(-1)
    for finger, chain in enumerate(FINGER_JOINTS[name] for name in FINGERS):
        towards = orient
        for place, joint in enumerate(chain):
            point = 1 + 4 * finger + place
            rest = (model.rest[point + 1] - joints[:, joint]).expand(count, 3)
            bone = (towards.mT @ (seen.points[:, point + 1] - seen.points[:, point])[..., None])[..., 0]
            frame = model.frames[joint]
            angles = angles_from_pose(swing(rest, bone), frame).clamp(low[joint - 1], high[joint - 1])
            rotations[joint] = pose_from_angles(angles, frame)
            towards = towards @ rotations[joint]
    return placed(torch.stack(rotations, 1), seen, model)


def from_library(seen: Measurements, model: KeypointModel, starts: int, in_space: bool) -> HandState:
    """Return the most similar hands of the gesture library, `starts` for each hand, a hand's own side by side.

    Args:
        seen: Of B hands.
        model: Gives the library's keypoints.
        starts: How many; each is another gesture.
        in_space: Compare in 3D, which also gives the orientation; else the views of each gesture with the picture.

    Returns:
        `B * starts` states.
    """
    library = library_hands()
    poses = library.rotations[:, 1:]
    starts = min(starts, len(poses))
    points = model(library)
    compare = compare_in_space if in_space else compare_in_picture
    likeness, orient = compare(seen, points)
    chosen = likeness.topk(starts, dim=1).indices
    orient = orient.gather(1, chosen[..., None, None].expand(-1, -1, 3, 3))
    rotations = torch.cat([orient[:, :, None], poses[chosen]], 2).flatten(0, 1)
    hand = torch.arange(len(seen.rays)).repeat_interleave(starts)
    return placed(rotations, seen.select(hand), model)


def library_hands() -> HandState:
    """Return the gestures of the library as upright mean hands."""
    poses = torch.stack([gesture.hand_pose.double() for gesture in load_gestures().values()])
    upright = torch.eye(3, dtype=torch.float64).expand(len(poses), 1, 3, 3)
    return HandState(
        torch.cat([upright, poses], 1),
        torch.zeros(len(poses), 3, dtype=torch.float64),
        torch.zeros(len(poses), NUM_BETAS, dtype=torch.float64),
    )


def likeness_to_gestures(landmarks: HandLandmarks, model: KeypointModel) -> Tensor:
    """Return how far each hand's 3D points are from the most similar gesture of its side, `[N]` metres (RMS).

    Args:
        landmarks: Of N hands with all 3D points known.
        model: Gives the gestures' keypoints.
    """
    seen = Measurements.of(landmarks, Camera.from_fov(landmarks.width, landmarks.height))
    likeness, _ = compare_in_space(seen, model(library_hands()))
    return (-likeness.amax(1)).clamp(min=0).sqrt()


def compare_in_space(seen: Measurements, points: Tensor) -> tuple[Tensor, Tensor]:
    """Return how alike hands and gestures are in 3D, and how the gestures are turned for it.

    Args:
        seen: Of B hands.
        points: Keypoints of G gestures `[G, 21, 3]`, metres.

    Returns:
        Likeness `[B, G]`, zero for the same and negative else, and orientations `[B, G, 3, 3]`.
    """
    share = (seen.weight_3d / seen.weight_3d.sum(1, keepdim=True))[:, None]
    gestures = points - share[:, None] @ points
    measured = (seen.points - share @ seen.points)[:, None].expand(-1, len(points), -1, -1)
    share = share.expand(-1, len(points), -1)
    orient = align_rotations(gestures, measured, share)
    off = gestures @ orient.mT - measured
    return -(share * off.square().sum(-1)).sum(-1), orient


def compare_in_picture(seen: Measurements, points: Tensor) -> tuple[Tensor, Tensor]:
    """Return how alike hands and the best view of each gesture are in the picture, and how it is turned for it.

    Written as complex numbers, the best turn in the picture and scale of one set of points for another is their inner
    product: its absolute value says how alike they are, its angle the turn.

    Args:
        seen: Of B hands.
        points: Keypoints of G gestures `[G, 21, 3]`, metres.

    Returns:
        Likeness `[B, G]`, larger for more, and orientations `[B, G, 3, 3]`.
    """
    views = sphere_views(VIEWS)
    turned = points[:, None] @ views.mT
    flat = torch.view_as_complex(turned[..., :2].contiguous()).flatten(0, 1)

    towards = facing(seen)
    rays = torch.cat([seen.rays, torch.ones_like(seen.rays[..., :1])], -1) @ towards.mT
    rays = rays[..., :2] / rays[..., 2:].clamp(min=0.05)
    weight = seen.weight_2d / seen.weight_2d.sum(1, keepdim=True)
    measured = torch.view_as_complex(rays.contiguous())
    measured = weight * (measured - (weight * measured).sum(1, keepdim=True))
    product = measured @ flat.mH
    spread = weight @ (flat.abs() ** 2).T - (weight.to(flat) @ flat.T).abs() ** 2
    likeness, view = (product.abs() / spread.clamp(min=1e-12).sqrt()).unflatten(1, (len(points), VIEWS)).max(2)
    angle = product.unflatten(1, (len(points), VIEWS)).gather(2, view[..., None])[..., 0].angle()
    roll = axis_angle_to_matrix(torch.stack([torch.zeros_like(angle), torch.zeros_like(angle), angle], -1))
    return likeness, towards.mT[:, None] @ roll @ views[view]


def facing(seen: Measurements) -> Tensor:
    """Return the rotations `[B, 3, 3]` that bring the middle of each hand onto the camera's axis."""
    weight = seen.weight_2d / seen.weight_2d.sum(1, keepdim=True)
    middle = (weight[..., None] * seen.rays).sum(1)
    middle = torch.cat([middle, torch.ones_like(middle[:, :1])], 1)
    return swing(middle, middle.new_tensor([0.0, 0.0, 1.0]).expand_as(middle))


def placed(rotations: Tensor, seen: Measurements, model: KeypointModel) -> HandState:
    """Return mean hands `[B]` of the given rotations where their spread in the picture is the measured one."""
    zeros = rotations.new_zeros(len(rotations), 3)
    state = HandState(rotations, zeros, rotations.new_zeros(len(rotations), NUM_BETAS))
    points = model(state)
    weight = (seen.weight_2d / seen.weight_2d.sum(1, keepdim=True))[..., None]
    middle, measured = (weight * points).sum(1), (weight * seen.rays).sum(1)
    # Seen aslant, a ball spreads over more of the picture plane than seen straight on.
    towards = facing(seen)
    across = ((points - middle[:, None]) @ towards.mT)[..., :2]
    rays = torch.cat([seen.rays, torch.ones_like(seen.rays[..., :1])], -1) @ towards.mT
    rays = rays[..., :2] / rays[..., 2:].clamp(min=0.05)
    rays = rays - (weight * rays).sum(1, keepdim=True)
    wide, narrow = ((weight * part.square()).sum((1, 2)).sqrt() for part in (across, rays))
    distance = wide / narrow.clamp(min=1e-9)
    # The distance is along the ray, the depth along the camera's axis.
    depth = distance / (1 + measured.square().sum(1)).sqrt()
    nearest = (middle[:, None, 2] - points[..., 2]).amax(1) + NEAREST + CLEARANCE
    depth = torch.maximum(depth, nearest)
    target = torch.cat([measured, torch.ones_like(depth[:, None])], 1) * depth[:, None]
    return HandState(rotations, target - middle, state.betas)


def align_rotations(points: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return the rotations that turn points best onto others, both about their mean.

    Args:
        points: `[..., P, 3]`, any unit of length.
        target: Likewise.
        weight: How much each point counts, `[..., P]`.

    Returns:
        `[..., 3, 3]`.

    Source: Kabsch, "A Solution for the Best Rotation to Relate Two Sets of Vectors" (1976), without reflections.
    """
    weight = (weight / weight.sum(-1, keepdim=True))[..., None]
    points, target = (part - (weight * part).sum(-2, keepdim=True) for part in (points, target))
    left, _, right = torch.linalg.svd((weight * target).mT @ points)
    flip = torch.ones_like(left[..., 0])
    flip[..., 2] = torch.linalg.det(left @ right)
    return left @ (flip[..., None] * right)


def swing(start: Tensor, end: Tensor) -> Tensor:
    """Return the least rotation `[..., 3, 3]` of directions `[..., 3]` into others `[..., 3]`; none for a zero one."""
    axis = torch.linalg.cross(start, end)
    sine, cosine = axis.norm(dim=-1, keepdim=True), (start * end).sum(-1, keepdim=True)
    return axis_angle_to_matrix(axis / sine.clamp(min=1e-12) * torch.atan2(sine, cosine))


def sphere_views(count: int) -> Tensor:
    """Return rotations `[V, 3, 3]` that bring evenly spread directions onto the camera's axis.

    Source: the golden spiral on the sphere.
    """
    step = torch.arange(count, dtype=torch.float64) + 0.5
    height = 1 - 2 * step / count
    around = math.pi * (1 + math.sqrt(5)) * step
    ring = (1 - height**2).sqrt()
    direction = torch.stack([ring * around.cos(), ring * around.sin(), height], -1)
    return swing(direction, direction.new_tensor([0.0, 0.0, 1.0]).expand_as(direction))
