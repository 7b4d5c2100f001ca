"""How objects are held: whether the fingers that are to touch do, and how deep the hand goes into object and itself.

    python benchmarks/contact.py
    python benchmarks/contact.py --sheet docs/held_objects.jpg

Measured on the surfaces that are drawn, for both sides: a point is inside where the surface winds around it, and its
depth is the distance to the nearest triangle. With a sheet, each grip is drawn instead.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image

from sesahand.hands.builtin import load_builtin_hand
from sesahand.hands.contact import distance_to_triangles, part_faces, penetration_depths, winding_number
from sesahand.hands.gripping import GRASPS
from sesahand.render.contact_sheet import contact_sheet, to_pil
from sesahand.render.maps import render_maps
from sesahand.scene.camera import Camera
from sesahand.scene.hand_scene import HandScene
from sesahand.scene.holding import held_surfaces, hold_object
from sesahand.scene.placing import Hand, mirror_hand, view_rotation

SIZES = (0.7, 0.85, 1.0, 1.2, 1.4)
DRAWN = (0.7, 1.0, 1.2, 1.4)
# Of the sheet: pixels of a picture, degrees that its camera sees and that hands are turned from the palm.
TILE, FOV = 144, 30.0
YAWS = {kind: 60.0 for kind in GRASPS} | {"phone": 20.0}


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


def held_alone(kind: str, size: float, side: str) -> HandScene:
    """Return a hand that holds an object, both wholly in the picture; a left hand in the mirrored view."""
    camera = Camera.from_fov(2 * TILE, 2 * TILE, FOV)
    hand = Hand(load_builtin_hand())
    hand, yaw = (hand, YAWS[kind]) if side == "right" else (mirror_hand(hand), -YAWS[kind])
    turn = view_rotation(side, yaw=yaw).float()[None]
    scene = hold_object(hand.scene(camera, turn, torch.zeros(1, 3)), kind, size, torch.tensor([True])).scene
    posed = scene.pose()
    points = torch.cat([posed.vertices[0], held_surfaces(scene, posed.keypoints)[0][1]])
    middle = (points.amax(0) + points.amin(0)) / 2
    away = float((points - middle).norm(dim=1).max()) * camera.focal_length / (0.96 * TILE)
    return replace(scene, translation=torch.tensor([[0.0, 0.0, away]]) - middle)


def sheet() -> Image.Image:
    """Return the sheet of all objects, both sides, in the sizes of `DRAWN`."""
    columns = [(side, size) for side in ("right", "left") for size in DRAWN]
    rows = []
    for kind in GRASPS:
        pictures = []
        for side, size in columns:
            maps = render_maps(held_alone(kind, size, side), maps=("mesh",), antialias=True)
            pictures.append(to_pil(maps.mesh[0]).resize((TILE, TILE), Image.Resampling.LANCZOS))
        rows.append((kind, pictures))
    heads = [f"{side}, x {size:g}" for side, size in columns]
    return contact_sheet(rows, heads, "SesaHand: held objects", "each object in four sizes, right and left hand")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sheet", type=Path, help="draw all grips into this picture instead of measuring them")
    options = parser.parse_args()
    if options.sheet is not None:
        sheet().save(options.sheet, quality=82, optimize=True)
        return
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
