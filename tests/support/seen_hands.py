"""Hands whose truth is known, and the landmarks that a detector would find of them."""

import torch

from sesahand.hands.gestures import load_gestures
from sesahand.hands.model import HandModel
from sesahand.hands.pose import jitter
from sesahand.hands.rotations import axis_angle_to_matrix, mirror_rotation
from sesahand.reconstruct.landmarks import HandLandmarks
from sesahand.scene.camera import Camera
from sesahand.scene.hand_scene import HandScene


def random_hands(model: HandModel, camera: Camera, count: int, seed: int = 0) -> HandScene:
    """Return one hand a frame, right and left in turn: gestures with jitter, of any shape, from any side."""
    generator = torch.Generator().manual_seed(seed)
    poses = [gesture.hand_pose for gesture in load_gestures().values()]
    pose = torch.stack([jitter(poses[i % len(poses)], 8.0, 1000 * seed + i) for i in range(count)])
    side = tuple(("right", "left")[i % 2] for i in range(count))
    left = torch.tensor([name == "left" for name in side])
    depth = 0.35 + 0.4 * torch.rand(count, 1, generator=generator)
    across = (torch.rand(count, 2, generator=generator) - 0.5) * 0.35 * depth
    return HandScene(
        model, camera, count, torch.arange(count), side,
        axis_angle_to_matrix(1.5 * torch.randn(count, 3, generator=generator)),
        torch.where(left[:, None, None, None], mirror_rotation(pose), pose),
        torch.randn(count, 10, generator=generator).clamp(-2, 2), torch.cat([across, depth], 1),
        0.5 + 0.5 * torch.rand(count, generator=generator),
    )  # fmt: skip


def landmarks_of(scene: HandScene, pixels: float = 0.0, metres: float = 0.0, seed: int = 0) -> HandLandmarks:
    """Return a scene's landmarks with Gaussian noise; the 3D points are relative to the wrist."""
    generator = torch.Generator().manual_seed(seed)
    points = scene.pose().keypoints
    seen = scene.camera.project(points) + pixels * torch.randn(len(scene), 21, 2, generator=generator)
    relative = points - points[:, :1] + metres * torch.randn(len(scene), 21, 3, generator=generator)
    box = torch.cat([seen.amin(1), seen.amax(1)], 1)
    return HandLandmarks(
        scene.camera.width, scene.camera.height, scene.num_frames, scene.frame, scene.side, seen, relative, box,
        scene.score, torch.ones(len(scene)),
    )  # fmt: skip
