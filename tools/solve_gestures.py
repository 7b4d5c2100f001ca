"""Solve the gestures of `gesture_specs.py` and write `sesahand/assets/gestures.json`.

A development tool that needs nothing but the library. The specifications say in degrees how far fingers bend, and which
skin is to touch which. The thumb, and fingers that touch or hold something, are solved on the built-in hand's skin:
Adam on the joint angles, within their limits, for the contacts, against parts going into each other or into the object
that is held, and for staying near the specified angles. The result is the same on every run.

    python tools/solve_gestures.py            # all
    python tools/solve_gestures.py fist ok    # these; the others stay as they are
"""

import argparse
import json
import math
import re
from itertools import permutations
from pathlib import Path

import torch
from gesture_specs import SPECS, Spec, Spot
from torch import Tensor

from sesahand.hands.builtin import load_builtin_hand
from sesahand.hands.contact import PARTS, contact_vertices, gap, part_faces, penetration_depths
from sesahand.hands.limits import joint_frames, joint_limits, pose_from_angles
from sesahand.hands.model import HandModel
from sesahand.hands.rotations import matrix_to_axis_angle
from sesahand.hands.skeleton import FINGER_JOINTS, FINGERS

OUTPUT = Path(__file__).resolve().parents[1] / "sesahand" / "assets" / "gestures.json"

STEPS = 160
OPENING = 0.75
CLEARANCE_MM = 0.3
RADII_MM = {"cylinder": 32.0, "sphere": 36.0, "pen": 5.0}
SLAB_HALF_SIZE_MM = (36.0, 4.5, 73.0)


def specified_angles(spec: Spec) -> Tensor:
    """Return the specification's joint angles `[15, 3]` in radians."""
    angles = torch.zeros(15, 3)
    for finger in FINGERS:
        given = getattr(spec, finger)
        first, second, third = (joint - 1 for joint in FINGER_JOINTS[finger])
        if finger == "thumb":
            angles[first] = torch.tensor(given[:3])
            angles[second, 0], angles[third, 0] = given[3:]
        else:
            angles[first, 0], angles[second, 0], angles[third, 0], angles[first, 1] = given
    return torch.deg2rad(angles)


def freedom(spec: Spec) -> Tensor:
    """Return how costly leaving the specified angles is `[15, 3]`, per squared radian; infinite where not allowed."""
    cost = torch.full((15, 3), torch.inf)
    for finger in FINGERS:
        first, second, third = (joint - 1 for joint in FINGER_JOINTS[finger])
        if finger == "thumb":
            cost[first] = torch.tensor([6.0, 6.0, 12.0])
            cost[second] = torch.tensor([8.0, 30.0, torch.inf])
            cost[third, 0] = 8.0
        else:
            stiff = 12.0 if finger in spec.free else 100.0
            cost[first, :2] = torch.tensor([stiff, 2 * stiff])
            cost[[second, third], 0] = torch.tensor([stiff, 2 * stiff])
    return cost


class Skin:
    """The built-in hand's vertices under joint angles, its parts, and spots on it."""

    def __init__(self, model: HandModel):
        self.model = model
        self.frames = joint_frames(model)
        self.rest = model.template[: model.num_hand_vertices]
        self.faces = model.faces_for("right")
        faces = part_faces(model)
        self.ids = {part: faces[part].unique() for part in PARTS}
        self.outside = contact_vertices(model)

    def pose(self, angles: Tensor) -> Tensor:
        """Return vertices `[V, 3]` in millimetres."""
        pose = pose_from_angles(angles, self.frames)[None]
        nothing = torch.zeros(1, 3)
        return 1000 * self.model(
            torch.eye(3)[None], pose, torch.zeros(1, 10), nothing, torch.ones(1, dtype=torch.bool)
        ).vertices[0]  # fmt: skip

    def normals(self, vertices: Tensor) -> Tensor:
        a, b, c = vertices[self.faces].unbind(1)
        normal = torch.linalg.cross(b - a, c - a)
        total = torch.zeros_like(vertices).index_add(0, self.faces.flatten(), normal.repeat_interleave(3, 0))
        return torch.nn.functional.normalize(total, dim=-1)

    def spot(self, spot: Spot) -> int:
        """Return the vertex of a spot: the outermost to its side, at its place along the bone."""
        finger, bone, share, side = spot
        joints = [self.model.joint_template[joint] for joint in FINGER_JOINTS[finger]]
        tip = self.rest[self.model.tips[FINGERS.index(finger)]]
        start, end = [*joints, tip][bone - 1 : bone + 1]
        flexion, abduction, _ = self.frames[FINGER_JOINTS[finger][bone - 1] - 1].unbind(-1)
        outwards = {"palmar": -abduction, "dorsal": abduction, "radial": flexion, "ulnar": -flexion}[side]
        offset = self.rest - start - share * (end - start)
        along = (offset @ torch.nn.functional.normalize(end - start, dim=0)).abs()
        near = (along < 0.004) & torch.isin(torch.arange(len(self.rest)), self.ids[finger])
        return int(torch.where(near, offset @ outwards - 2 * along, -torch.inf).argmax())

    def overlap(self, vertices: Tensor) -> Tensor:
        """Return a smooth measure of how far parts go into each other, squared millimetres."""
        normals = self.normals(vertices).detach()
        total = vertices.new_zeros(())
        box = {part: (vertices[ids].amin(0) - 1, vertices[ids].amax(0) + 1) for part, ids in self.ids.items()}
        for first, second in permutations(PARTS, 2):
            low, high = box[second]
            ids = self.outside[first]
            ids = ids[((vertices[ids] > low) & (vertices[ids] < high)).all(1)]
            if not len(ids):
                continue
            others = self.ids[second]
            with torch.no_grad():
                distance, nearest = torch.cdist(vertices[ids], vertices[others]).min(1)
                close = distance < 14
            at = others[nearest[close]]
            height = ((vertices[ids[close]] - vertices[at]) * normals[at]).sum(-1)
            total = total + (CLEARANCE_MM - height).clamp(min=0).square().sum()
        return total


def held_distance(kind: str, points: Tensor, place: Tensor) -> Tensor:
    """Return the signed distance `[K]` in millimetres from points to the held object, negative inside.

    Args:
        kind: "cylinder", "sphere", "slab" or "pen".
        points: `[K, 3]` in the hand's frame.
        place: The object's centre (three numbers, millimetres) and axis angles (two numbers, radians).
    """
    offset = points - place[:3]
    if kind == "sphere":
        return offset.norm(dim=-1) - RADII_MM[kind]
    # Both angles turn the hand's z axis, which runs across the palm.
    (sx, sy), (cx, cy) = place[3:].sin(), place[3:].cos()
    axis = torch.stack([sy, -sx * cy, cx * cy])
    if kind in RADII_MM:
        return (offset - (offset @ axis)[:, None] * axis).norm(dim=-1) - RADII_MM[kind]
    across = torch.stack([cy, sx * sy, -cx * sy])
    local = torch.stack([offset @ across, offset @ torch.linalg.cross(axis, across), offset @ axis], -1)
    outside = local.abs() - torch.tensor(SLAB_HALF_SIZE_MM)
    return outside.clamp(min=0).norm(dim=-1) + outside.max(-1).values.clamp(max=0)


PLACES = {
    "cylinder": (-72.0, -58.0, -10.0, 0.0, 0.0),
    "sphere": (-78.0, -62.0, 5.0, 0.0, 0.0),
    "pen": (-100.0, -55.0, 32.0, 0.9, -0.3),
    "slab": (-72.0, -38.0, 5.0, 0.0, 0.0),
}


def solve(skin: Skin, spec: Spec) -> Tensor:
    """Return joint angles `[15, 3]` in radians for a specification."""
    start = specified_angles(spec)
    cost = freedom(spec)
    movable = torch.isfinite(cost)
    low, high = joint_limits().unbind(-1)
    low, high = low + 0.01, high - 0.01
    # Closing from a more open hand keeps fingers from starting inside each other, where no way out is the right one.
    angles = (OPENING * start).clamp(low, high).requires_grad_()
    place = torch.tensor(PLACES.get(spec.held, (0.0,) * 5))
    # Centimetres and radians move at about the same pace.
    moved = torch.zeros(5, requires_grad=True)
    spots = [(skin.spot(a), skin.spot(b)) for a, b in spec.touch]
    grip = [skin.spot(spot) for spot in spec.grip]
    optimizer = torch.optim.Adam([angles, moved], lr=0.03)
    scale = torch.tensor([10.0, 10.0, 10.0, 1.0, 1.0])
    for step in range(STEPS):
        progress = step / STEPS
        for group in optimizer.param_groups:
            group["lr"] = 0.002 + 0.015 * (1 + math.cos(math.pi * progress))
        vertices = skin.pose(angles)
        stay = torch.where(movable, cost, 0.0) * (angles - start).square()
        loss = stay.sum() + (0.02 + 0.4 * progress) * skin.overlap(vertices)
        for a, b in spots:
            loss = loss + 0.15 * (vertices[a] - vertices[b]).square().sum()
        if spec.held:
            where = place + moved * scale
            loss = loss + 0.3 * held_distance(spec.held, vertices, where).clamp(max=0).square().sum()
            loss = loss + 0.3 * held_distance(spec.held, vertices[grip], where).square().sum() + moved.square().sum()
        optimizer.zero_grad()
        loss.backward()
        angles.grad[~movable] = 0
        optimizer.step()
        with torch.no_grad():
            angles.clamp_(low, high)
    return angles.detach()


def report(skin: Skin, name: str, spec: Spec, angles: Tensor) -> None:
    vertices = skin.pose(angles) / 1000
    depths = penetration_depths(skin.model, vertices)
    worst = max(depths, key=depths.get)
    gaps = {(a[0], b[0]): 1000 * gap(skin.model, vertices, a[0], b[0]) for a, b in spec.touch}
    touching = ", ".join(f"{a}-{b} {value:.1f}" for (a, b), value in gaps.items())
    print(f"{name:15s} deepest {1000 * depths[worst]:.1f} mm {worst}   gaps mm: {touching or '-'}", flush=True)


def write(solved: dict[str, Tensor], frames: Tensor) -> None:
    gestures = {}
    for name, spec in SPECS.items():
        pose = matrix_to_axis_angle(pose_from_angles(solved[name].double(), frames.double()))
        gestures[name] = {
            "touching": sorted({f"{a[0]}-{b[0]}" for a, b in spec.touch}),
            "view": list(spec.view),
            "hand_pose": [[round(value, 4) + 0.0 for value in joint] for joint in pose.tolist()],
        }
    about = (
        "Right hands; absolute axis-angle rotations in radians for MANO's joints 1 to 15, zero is the flat rest hand. "
        "Made by tools/solve_gestures.py; CC0 1.0."
    )
    text = json.dumps({"about": about, "gestures": gestures}, indent=2)
    # One joint a line.
    lines = re.sub(r"\[([-\d.,\s]+)\]", lambda match: "[" + " ".join(match[1].split()) + "]", text)
    OUTPUT.write_text(lines + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[[], *SPECS], help="gestures to solve anew; all if none are named")
    names = parser.parse_args().names or list(SPECS)
    from sesahand.hands.limits import angles_from_pose
    from sesahand.hands.rotations import axis_angle_to_matrix

    skin = Skin(load_builtin_hand())
    solved = {}
    if OUTPUT.exists():
        for name, stored in json.loads(OUTPUT.read_text(encoding="utf-8"))["gestures"].items():
            solved[name] = angles_from_pose(axis_angle_to_matrix(torch.tensor(stored["hand_pose"])), skin.frames)
    for name in names:
        solved[name] = solve(skin, SPECS[name])
        report(skin, name, SPECS[name], solved[name])
    write(solved, skin.frames)


if __name__ == "__main__":
    main()
