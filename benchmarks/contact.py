"""How objects are held: whether the fingers that are to touch do, and how deep the hand goes into object and itself.

    python benchmarks/contact.py

Measured on the surfaces that are drawn, for both sides: a point is inside where the surface winds around it, and its
depth is the distance to the nearest triangle.
"""

import argparse
from dataclasses import replace

import torch

from sesahand.hands.builtin import load_builtin_hand
from sesahand.hands.contact import distance_to_triangles, part_faces, penetration_depths, winding_number
from sesahand.hands.gripping import GRASPS
from sesahand.scene.camera import Camera
from sesahand.scene.holding import held_surfaces, hold_object
from sesahand.scene.placing import Hand, mirror_hand

SIZES = (0.7, 0.85, 1.0, 1.2, 1.4)


def deepest(points: torch.Tensor, triangles: torch.Tensor) -> float:
    """Return how deep points `[P, 3]` are at most inside of triangles `[T, 3, 3]`, all in metres."""
    near = points[((points > triangles.amin((0, 1))) & (points < triangles.amax((0, 1)))).all(1)]
    inside = near[winding_number(near, triangles) > 0.5] if len(near) else near
    return float(distance_to_triangles(inside, triangles).max()) if len(inside) else 0.0


def measure(kind: str, size: float, side: str) -> tuple[float, float, list[str], float]:
    """Return the largest gap of a finger that is to touch, the depth, those beyond 1 mm, and the depth in the hand."""
    model = load_builtin_hand()
    hand = Hand(model)
    hand = mirror_hand(hand) if side == "left" else hand
    bare = hand.scene(Camera(700.0, (256.0, 256.0), 512, 512), torch.eye(3)[None], torch.tensor([[0.0, 0.0, 0.5]]))
    scene = hold_object(bare, kind, size, torch.tensor([True])).scene
    posed = scene.pose()
    _, vertices, faces = held_surfaces(scene, posed.keypoints)[0]
    skin, triangles = posed.vertices[0].double(), vertices[faces].double()
    ids = {finger: part_faces(model)[finger].unique() for finger in GRASPS[kind].fingers}
    gaps = {finger: float(distance_to_triangles(skin[of], triangles).min()) for finger, of in ids.items()}
    # A right hand's surface, which the measure of a hand in itself is made for.
    right = Hand.of(scene) if side == "right" else mirror_hand(Hand.of(scene))
    alone = replace(right, held=None).scene(scene.camera, torch.eye(3)[None], torch.zeros(1, 3))
    itself = max(penetration_depths(model, alone.pose().vertices[0]).values())
    missing = [finger for finger, gap in gaps.items() if gap > 1e-3]
    return max(gaps.values()), deepest(skin, triangles), missing, itself


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    print("| object | fingers that are to touch | size | largest gap, mm | depth in the object, mm | in the hand, mm |")
    print("|---|---|---:|---:|---:|---:|")
    for kind, grasp in GRASPS.items():
        for size in SIZES:
            both = [measure(kind, size, side) for side in ("right", "left")]
            assert both[0][2] == both[1][2], "the sides differ in which fingers touch"
            gap, depth, itself = (max(side[k] for side in both) for k in (0, 1, 3))
            missed = f" (not: {', '.join(both[0][2])})" if both[0][2] else ""
            fingers = ", ".join(grasp.fingers) + missed
            figures = f"{1000 * gap:.2f} | {1000 * depth:.2f} | {1000 * itself:.1f}"
            print(f"| {kind} | {fingers} | {size:g} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
