"""Where a hand touches itself: gaps between fingers, and how deep one goes into another.

Each finger and the palm is taken as a closed surface, cut at the borders of `part_ids` and capped there. Points inside
are found by the generalised winding number (Jacobson et al., 2013), distances by the closest point on each triangle
(Ericson, "Real-Time Collision Detection", 2005, section 5.1.5).
"""

from itertools import permutations

import torch
from torch import Tensor

from .model import HandModel
from .skeleton import FINGER_JOINTS

PARTS = ("palm", *FINGER_JOINTS)

# Skin within this distance of the border between a finger and the palm folds when the finger bends, in metres.
HINGE = 0.015


def part_faces(model: HandModel) -> dict[str, Tensor]:
    """Return the faces `[T, 3]` of the palm and of each finger, without forearm."""
    faces, parts = model.faces_for("right"), model.part_ids_for()
    groups = {"palm": (0,), **FINGER_JOINTS}
    return {name: faces[torch.isin(parts, torch.tensor(joints))] for name, joints in groups.items()}


def boundary_edges(faces: Tensor) -> Tensor:
    """Return the directed edges `[E, 2]` of faces `[T, 3]`, both of vertex ids, that no other face runs back along."""
    edges = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    size = int(faces.max()) + 1
    forward, backward = edges[:, 0] * size + edges[:, 1], edges[:, 1] * size + edges[:, 0]
    return edges[~torch.isin(forward, backward)]


def cone(edges: Tensor, vertices: Tensor) -> Tensor:
    """Return the triangles that close a hole around its middle.

    Args:
        edges: Vertex ids `[E, 2]` of the directed edges around the hole.
        vertices: `[V, 3]`, metres.

    Returns:
        `[E, 3, 3]`, metres.
    """
    corners = vertices[edges]
    middle = corners.mean((0, 1)).expand(len(edges), 3)
    return torch.stack([corners[:, 1], corners[:, 0], middle], 1)


def contact_vertices(model: HandModel) -> dict[str, Tensor]:
    """Return the vertex ids of each part that lie further than `HINGE` from every border of finger and palm at rest.

    Next to a bent knuckle, skinning folds a finger's base into the palm. That is no contact of two parts.
    """
    faces = part_faces(model)
    borders = torch.cat([boundary_edges(faces[finger])[:, 0] for finger in FINGER_JOINTS])
    near = torch.cdist(model.template, model.template[borders]).amin(1) < HINGE
    ids = {part: part_face_ids.unique() for part, part_face_ids in faces.items()}
    return {part: of_part[~near[of_part]] for part, of_part in ids.items()}


def part_surfaces(model: HandModel, vertices: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Return the skin `[T, 3, 3]` and the caps `[C, 3, 3]` of each part of one posed hand `[V, 3]`, in metres.

    The palm's caps are those of the fingers from the other side, and one at the wrist.
    """
    faces = part_faces(model)
    caps = {name: cone(boundary_edges(faces[name]), vertices) for name in FINGER_JOINTS}
    wrist = cone(boundary_edges(model.faces_for("right")), vertices)
    caps["palm"] = torch.cat([wrist, *(cap.flip(1) for cap in caps.values())])
    return {name: (vertices[faces[name]], caps[name]) for name in PARTS}


def winding_number(points: Tensor, triangles: Tensor) -> Tensor:
    """Return how often closed triangles wind around points.

    Args:
        points: `[P, 3]`, metres.
        triangles: `[T, 3, 3]`, metres.

    Returns:
        `[P]`: one inside, zero outside.
    """
    a, b, c = (triangles[None, :, k] - points[:, None] for k in range(3))
    la, lb, lc = a.norm(dim=-1), b.norm(dim=-1), c.norm(dim=-1)
    top = (a * torch.linalg.cross(b, c)).sum(-1)
    bottom = la * lb * lc + (a * b).sum(-1) * lc + (b * c).sum(-1) * la + (c * a).sum(-1) * lb
    return torch.atan2(top, bottom).sum(1) / (2 * torch.pi)


def distance_to_triangles(points: Tensor, triangles: Tensor) -> Tensor:
    """Return the distance `[P]` from points `[P, 3]` to the nearest of the triangles `[T, 3, 3]`, all in metres."""
    a, b, c = triangles.unbind(1)
    normal = torch.linalg.cross(b - a, c - a)
    inside = torch.ones(len(points), len(triangles), dtype=torch.bool)
    nearest = torch.full((len(points), len(triangles)), torch.inf, dtype=points.dtype)
    for start, end in ((a, b), (b, c), (c, a)):
        edge, offset = end - start, points[:, None] - start
        inside &= (torch.linalg.cross(edge, normal) * offset).sum(-1) <= 0
        along = ((offset * edge).sum(-1) / (edge * edge).sum(-1).clamp(min=1e-20)).clamp(0, 1)
        nearest = torch.minimum(nearest, (offset - along[..., None] * edge).norm(dim=-1))
    height = ((points[:, None] - a) * torch.nn.functional.normalize(normal, dim=-1)).sum(-1).abs()
    return torch.where(inside, height, nearest).min(1).values


def penetration_depths(model: HandModel, vertices: Tensor) -> dict[tuple[str, str], float]:
    """Measure how deep each part of a posed right hand goes into each other part.

    Args:
        model: The hand.
        vertices: Its posed vertices without forearm `[V, 3]`, metres.

    Returns:
        For each ordered pair of parts the largest depth in metres of a vertex of the first inside the second, as its
        distance from the second's skin; 0 where none is inside. Only `contact_vertices` count.
    """
    outside = contact_vertices(model)
    surfaces = part_surfaces(model, vertices)
    depths = {}
    for first, second in permutations(PARTS, 2):
        depths[first, second] = depth_inside(vertices[outside[first]], *surfaces[second])
    return depths


def depth_inside(points: Tensor, skin: Tensor, caps: Tensor) -> float:
    """Return how deep points `[P, 3]` are at most inside of a part, from its skin, metres; 0 if none is.

    Args:
        points: `[P, 3]`, metres.
        skin: Triangles `[T, 3, 3]`, metres.
        caps: Triangles `[C, 3, 3]` that close it, metres.
    """
    points = points[((points >= skin.amin((0, 1))) & (points <= skin.amax((0, 1)))).all(1)]
    points = points[winding_number(points, torch.cat([skin, caps])) > 0.5]
    return float(distance_to_triangles(points, skin).max()) if len(points) else 0.0


def gap(model: HandModel, vertices: Tensor, first: str, second: str) -> float:
    """Return the smallest distance in metres between the skins of two parts of a posed hand `[V, 3]`.

    Only `contact_vertices` count. Parts that go into each other have a gap near zero.
    """
    outside, faces = contact_vertices(model), part_faces(model)
    distances = [
        distance_to_triangles(vertices[outside[source]], vertices[faces[target]]).min()
        for source, target in ((first, second), (second, first))
    ]
    return float(min(distances))
