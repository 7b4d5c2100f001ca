"""Thin the built-in CC0 hand out to MANO's mesh size, for tests that need a file shaped like MANO's.

    python tools/make_mano_fixture.py                      thin the hand out
    python tools/make_mano_fixture.py --pickles FOLDER     write MANO_RIGHT.pkl and MANO_LEFT.pkl around it

The first writes `tests/data/mano_shaped_hand.npz`: 778 vertices, 1538 faces, one open end of 16 edges at the wrist, and
the fingertips at the vertex ids where MANO has them. The second writes what the tests load: official keys and pickle
layout, for trying out whatever takes a MANO file. No number in any of them comes from MANO.

Source: quadric error metric of Garland and Heckbert (1997), as half-edge collapses, so that every vertex that remains
keeps its skin weights and shape directions.
"""

import argparse
import heapq
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from mano_fixture import write_mano

from sesahand.hands.builtin import load_builtin_hand
from sesahand.hands.skeleton import MANO_TIP_VERTICES

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "tests" / "data" / "mano_shaped_hand.npz"
NUM_VERTICES, NUM_FACES, NUM_BOUNDARY = 778, 1538, 16
BOUNDARY_WEIGHT = 3.0


class Thinning:
    """A disc-shaped triangle mesh that loses vertices one half-edge collapse at a time."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray, keep: set[int]):
        self.vertices, self.keep = vertices, keep
        self.faces = {face: tuple(int(v) for v in corners) for face, corners in enumerate(faces)}
        self.around: list[set[int]] = [set() for _ in vertices]
        for face, corners in self.faces.items():
            for vertex in corners:
                self.around[vertex].add(face)
        self.boundary = self.boundary_vertices()
        self.quadric = [sum((self.plane(face) for face in faces), np.zeros((4, 4))) for faces in self.around]
        self.version = [0] * len(vertices)

    def neighbours(self, vertex: int) -> set[int]:
        return {other for face in self.around[vertex] for other in self.faces[face]} - {vertex}

    def shared_faces(self, first: int, second: int) -> set[int]:
        return self.around[first] & self.around[second]

    def boundary_vertices(self) -> set[int]:
        return {
            vertex
            for vertex, faces in enumerate(self.around)
            if faces and any(len(self.shared_faces(vertex, other)) == 1 for other in self.neighbours(vertex))
        }

    def plane(self, face: int) -> np.ndarray:
        a, b, c = (self.vertices[vertex] for vertex in self.faces[face])
        normal = np.cross(b - a, c - a)
        area = np.linalg.norm(normal)
        normal = normal / max(area, 1e-12)
        plane = np.append(normal, -normal @ a)
        return area * np.outer(plane, plane)

    def cost(self, gone: int, stays: int) -> float:
        point = np.append(self.vertices[stays], 1.0)
        length = ((self.vertices[gone] - self.vertices[stays]) ** 2).sum()
        error = point @ (self.quadric[gone] + self.quadric[stays]) @ point + 1e-6 * length
        return float(error * (BOUNDARY_WEIGHT if gone in self.boundary else 1.0))

    def allowed(self, gone: int, stays: int) -> bool:
        """Tell whether the collapse keeps the mesh a disc with a simple boundary and turns no face over."""
        shared = self.shared_faces(gone, stays)
        if gone in self.keep or not shared:
            return False
        if gone in self.boundary and (stays not in self.boundary or len(shared) != 1):
            return False
        common = self.neighbours(gone) & self.neighbours(stays)
        if len(common) != len(shared) or any(len(self.neighbours(vertex)) < 4 for vertex in common - self.boundary):
            return False
        for face in self.around[gone] - shared:
            before = [self.vertices[vertex] for vertex in self.faces[face]]
            after = [self.vertices[stays if vertex == gone else vertex] for vertex in self.faces[face]]
            old, new = (np.cross(b - a, c - a) for a, b, c in (before, after))
            if old @ new < 0.3 * np.linalg.norm(old) * np.linalg.norm(new):
                return False
        return True

    def collapse(self, gone: int, stays: int) -> None:
        self.quadric[stays] = self.quadric[gone] + self.quadric[stays]
        for face in self.shared_faces(gone, stays):
            for vertex in self.faces.pop(face):
                self.around[vertex].discard(face)
        for face in self.around[gone]:
            self.faces[face] = tuple(stays if vertex == gone else vertex for vertex in self.faces[face])
            self.around[stays].add(face)
        self.around[gone] = set()
        self.boundary.discard(gone)
        for vertex in self.neighbours(stays) | {stays}:
            self.version[vertex] += 1

    def reduce(self, candidates, enough) -> None:
        """Collapse the cheapest allowed half edge among `candidates(vertex)` until `enough()`."""
        heap = []

        def push(vertex: int) -> None:
            for other in self.neighbours(vertex):
                for gone, stays in ((vertex, other), (other, vertex)):
                    if candidates(gone):
                        stamp = (self.version[gone], self.version[stays])
                        heapq.heappush(heap, (self.cost(gone, stays), gone, stays, stamp))

        for vertex in range(len(self.vertices)):
            push(vertex)
        while not enough():
            _, gone, stays, stamp = heapq.heappop(heap)
            if stamp == (self.version[gone], self.version[stays]) and self.allowed(gone, stays):
                self.collapse(gone, stays)
                for vertex in self.neighbours(stays) | {stays}:
                    push(vertex)


def thin_out(vertices: np.ndarray, faces: np.ndarray, keep: set[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids of the 778 vertices that remain, and the faces between them in the original numbering."""
    mesh = Thinning(vertices, faces, keep)
    mesh.reduce(lambda vertex: vertex in mesh.boundary, lambda: len(mesh.boundary) == NUM_BOUNDARY)
    mesh.reduce(lambda vertex: vertex not in mesh.boundary, lambda: len(mesh.faces) == NUM_FACES)
    remaining = np.array([vertex for vertex, around in enumerate(mesh.around) if around])
    return remaining, np.array(list(mesh.faces.values()))


def place_tips(remaining: np.ndarray, faces: np.ndarray, tips: tuple[int, ...]) -> np.ndarray:
    """Order the vertices so that the tips come to MANO's ids of both conventions, the second set beside the first."""
    fixed = dict(zip(MANO_TIP_VERTICES["smplx"], tips, strict=True))
    for tip, target in zip(tips, MANO_TIP_VERTICES["manopth"], strict=True):
        beside = set(faces[(faces == tip).any(1)].ravel().tolist()) - set(fixed.values())
        fixed[target] = min(beside)
    others = iter([vertex for vertex in remaining.tolist() if vertex not in set(fixed.values())])
    return np.array([fixed[place] if place in fixed else next(others) for place in range(len(remaining))])


def write_thinned() -> None:
    """Write the thinned hand to `OUTPUT`."""
    hand = load_builtin_hand()
    vertices = hand.template[: hand.num_hand_vertices].double().numpy()
    faces = hand.faces[: hand.num_hand_faces].numpy()
    remaining, kept_faces = thin_out(vertices, faces, set(hand.tips))
    order = place_tips(remaining, kept_faces, hand.tips)
    if len(order) != NUM_VERTICES or len(kept_faces) != NUM_FACES:
        raise SystemExit(f"{len(order)} vertices and {len(kept_faces)} faces remain; expected MANO's numbers.")
    number = np.full(len(vertices), -1)
    number[order] = np.arange(len(order))
    np.savez_compressed(
        OUTPUT,
        template=vertices[order].astype(np.float32),
        faces=number[kept_faces].astype(np.uint16),
        weights=hand.weights[order].numpy().astype(np.float16),
        shapedirs=hand.shapedirs[order].numpy().astype(np.float16),
        joints=hand.joint_template.numpy().astype(np.float32),
    )
    print(f"{OUTPUT.name}: {OUTPUT.stat().st_size // 1024} KiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pickles", type=Path, metavar="FOLDER", help="write the two pickles into this folder")
    parser.add_argument("--protocol", type=int, choices=(0, 2), default=2, help="pickle protocol")
    options = parser.parse_args()
    if options.pickles is None:
        write_thinned()
        return
    options.pickles.mkdir(parents=True, exist_ok=True)
    for side in ("right", "left"):
        print(write_mano(options.pickles, side, options.protocol, old=True, sign_error=side == "left"))


if __name__ == "__main__":
    main()
