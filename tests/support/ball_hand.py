"""A licence-free stand-in for a hand: an ellipsoid per bone in MANO's rest frame, the palm's open at the wrist."""

import torch
import trimesh

from sesahand.hands.model import HandModel
from sesahand.hands.skeleton import FINGER_JOINTS, FINGERS
from sesahand.scene.hand_scene import HandScene

BASES = {  # knuckle, then the direction in which the finger points; metres
    "thumb": ((-0.03, 0.0, 0.03), (-0.6, 0.0, 0.8)),
    "index": ((-0.09, 0.0, 0.025), (-1.0, 0.0, 0.1)),
    "middle": ((-0.095, 0.0, 0.003), (-1.0, 0.0, 0.0)),
    "ring": ((-0.088, 0.0, -0.018), (-1.0, 0.0, -0.08)),
    "pinky": ((-0.078, 0.0, -0.036), (-1.0, 0.0, -0.2)),
}


def ball_hand(subdivisions: int = 2) -> HandModel:
    """Return the model; its sixteen balls are closed surfaces but for a hole at the wrist."""
    joints = torch.zeros(16, 3)
    middle, axis, radius = {}, {}, {}
    for finger in FINGERS:
        base, along = (torch.tensor(value) for value in BASES[finger])
        along = along / along.norm()
        start = base
        for joint, length in zip(FINGER_JOINTS[finger], (0.04, 0.027, 0.022), strict=True):
            joints[joint] = start
            middle[joint], axis[joint], radius[joint] = start + along * length / 2, along, (length * 0.62, 0.009, 0.009)
            start = start + along * length
    middle[0], axis[0] = torch.tensor((-0.045, 0.0, 0.0)), torch.tensor((-1.0, 0.0, 0.0))
    radius[0] = (0.05, 0.016, 0.042)

    ball = trimesh.creation.icosphere(subdivisions)
    points, ball_faces = torch.tensor(ball.vertices).float(), torch.tensor(ball.faces)
    vertices, faces, parts, tips = [], [], [], []
    for joint in range(16):
        forward = axis[joint] / axis[joint].norm()
        up = torch.tensor((0.0, 1.0, 0.0))
        frame = torch.stack([forward, up, torch.linalg.cross(forward, up)])
        offset = joint * len(points)
        placed = middle[joint] + (points * torch.tensor(radius[joint])) @ frame
        used = ball_faces[placed[ball_faces][..., 0].amin(1) < 0] if joint == 0 else ball_faces
        vertices.append(placed)
        faces.append(used + offset)
        parts += [joint] * len(used)
        if joint in (15, 3, 6, 12, 9):
            tips.append((joint, offset + int((placed @ forward).argmax())))
    tips = dict(tips)
    count = len(points)
    weights = torch.eye(16).repeat_interleave(count, 0)
    return HandModel(
        name="ball-hand", licence="made by the tests", template=torch.cat(vertices), faces=torch.cat(faces),
        shapedirs=torch.zeros(16 * count, 3, 10), joint_template=joints, joint_shapedirs=torch.zeros(16, 3, 10),
        weights=weights, tips=tuple(tips[j] for j in (15, 3, 6, 12, 9)), part_ids=torch.tensor(parts),
        num_hand_vertices=16 * count, num_hand_faces=len(parts),
    )  # fmt: skip


def open_palm(model: HandModel, camera, placements, num_frames: int = 1) -> HandScene:
    """Return flat hands, palms to the camera and fingers up; `placements` are (frame, side, x, y, z) in metres."""
    count = len(placements)
    sides = tuple(side for _, side, *_ in placements)
    # Columns are where the rest frame's axes go: fingers (-x of a right hand) up, the palm (-y) to the camera.
    right = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    left = torch.tensor([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    orient = [right if side == "right" else left for side in sides]
    return HandScene(
        model, camera, num_frames, torch.tensor([place[0] for place in placements], dtype=torch.long), sides,
        torch.stack(orient) if orient else torch.zeros(0, 3, 3), torch.eye(3).expand(count, 15, 3, 3).clone(),
        torch.zeros(count, 10), torch.tensor([place[2:] for place in placements]).float().reshape(-1, 3),
        torch.ones(count),
    )  # fmt: skip
