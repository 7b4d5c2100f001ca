"""Texture coordinates for hands that bring none: seven charts, side by side in the unit square.

Each finger is unrolled from its tip to its knuckle like the skin of a stick, cut along its palm side. The rest of the
hand is two pictures, of the palm's side and of the back. All charts have one scale, so that a texture is as fine
on each. Nothing is optimised: the same hand always gets the same coordinates.
"""

import math

import numpy as np

from .skeleton import FINGER_JOINTS, FINGERS

# Free space around each chart, as a part of the square's side.
MARGIN = 0.01
# No chart of a hand is so many times larger than another.
MOST_UNEQUAL = 1000.0
WRIST, INDEX, PINKY = 0, 1, 7


def unwrap(
    vertices: np.ndarray, faces: np.ndarray, part_ids: np.ndarray, joints: np.ndarray, tips: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return texture coordinates of a right hand.

    Args:
        vertices: Rest vertices `[V, 3]`, metres.
        faces: Vertex ids `[T, 3]`.
        part_ids: The MANO joint that each face belongs to `[T]`.
        joints: Rest joints `[16, 3]` in MANO's order, metres.
        tips: Vertices of the fingertips, thumb to pinky.

    Returns:
        Coordinates `[U, 2]` in 0..1, origin at the lower left, and the rows of each face's corners `[T, 3]`; None for
        vertices and joints that are no hand, such as joints on one spot.
    """
    vertices, joints = vertices.astype(np.float64), joints.astype(np.float64)
    with np.errstate(all="ignore"):
        flat, charts = _flatten(vertices, faces, part_ids, joints, tips)
    extents = np.array([np.ptp(flat[charts == chart], axis=(0, 1)) for chart in np.unique(charts)])
    if not np.isfinite(flat).all() or extents.min() <= 0 or extents.max() / extents.min() > MOST_UNEQUAL:
        return None
    return pack(flat, charts, faces)


def _flatten(
    vertices: np.ndarray, faces: np.ndarray, part_ids: np.ndarray, joints: np.ndarray, tips: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the faces' corners in their charts `[T, 3, 2]`, in the vertices' unit, and each face's chart `[T]`."""
    corners = vertices[faces]
    back = np.cross(joints[PINKY] - joints[WRIST], joints[INDEX] - joints[WRIST])
    back /= np.linalg.norm(back)
    away = np.einsum("tc,c->t", np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), back) > 0
    flat = np.zeros((len(faces), 3, 2))
    charts = np.full(len(faces), -1)
    for number, (finger, tip) in enumerate(zip(FINGERS, tips, strict=True)):
        mine = np.isin(part_ids, FINGER_JOINTS[finger])
        charts[mine] = number
        flat[mine] = unroll(corners[mine], joints[FINGER_JOINTS[finger][0]], vertices[tip], back)
    along = joints[list(FINGER_JOINTS["middle"])[0]] - joints[WRIST]
    along -= (along @ back) * back
    along /= np.linalg.norm(along)
    across = np.cross(along, back)
    rest = charts < 0
    charts[rest] = len(FINGERS) + away[rest]
    flat[rest] = np.stack([corners[rest] @ across, corners[rest] @ along], -1)
    return flat, charts


def unroll(corners: np.ndarray, root: np.ndarray, tip: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Return the corners of a finger's faces, unrolled about the line from its root to its tip.

    Args:
        corners: Of T faces, `[T, 3, 3]`, metres.
        root: The finger's first joint `[3]`, metres.
        tip: Its end `[3]`, metres.
        back: Direction `[3]` out of the back of the hand; the cut is opposite.

    Returns:
        `[T, 3, 2]`, metres: around the line, and along it from the root.
    """
    axis = (tip - root) / np.linalg.norm(tip - root)
    up = back - (back @ axis) * axis
    up /= np.linalg.norm(up)
    side = np.cross(axis, up)
    apart = corners - root
    x, y = apart @ side, apart @ up
    angle = np.arctan2(x, y)
    # A face over the cut lies on the side of its middle, as a whole.
    middle = np.arctan2(x.mean(1), y.mean(1))[:, None]
    angle = middle + (angle - middle + math.pi) % (2 * math.pi) - math.pi
    return np.stack([angle * np.hypot(x, y), apart @ axis], -1)


def pack(flat: np.ndarray, charts: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn charts the right way round, lay them out in rows, and list their corners.

    Args:
        flat: Corners of the faces in their charts `[T, 3, 2]`, any unit.
        charts: The chart of each face `[T]`.
        faces: Vertex ids `[T, 3]`.

    Returns:
        The places of the corners `[U, 2]` in 0..1, and the rows of each face's corners there `[T, 3]`.
    """
    names = [chart for chart in np.unique(charts)]
    parts = []
    for chart in names:
        part = flat[charts == chart]
        one, other = part[:, 1] - part[:, 0], part[:, 2] - part[:, 0]
        if (one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]).sum() < 0:
            part = part * [-1.0, 1.0]
        parts.append(part - part.min((0, 1)))
    sizes = np.array([part.max((0, 1)) for part in parts])
    places, scale = shelves(sizes)
    placed = np.zeros_like(flat)
    for chart, part, place in zip(names, parts, places, strict=True):
        placed[charts == chart] = part * scale + place
    # Corners of one chart at one vertex are one row, but on either side of a cut.
    keys = np.concatenate([charts.repeat(3)[:, None], faces.reshape(-1, 1), np.round(placed.reshape(-1, 2), 6)], 1)
    _, first, rows = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return placed.reshape(-1, 2)[first], rows.reshape(faces.shape)


def shelves(sizes: np.ndarray) -> tuple[np.ndarray, float]:
    """Return places `[N, 2]` and the common scale of boxes `[N, 2]` in rows of the unit square, the tallest first."""
    order = np.argsort(-sizes[:, 1], kind="stable")
    scale = 1.0 / math.sqrt(float(sizes.prod(1).sum()))
    while True:
        places, x, y, height = np.zeros_like(sizes), MARGIN, MARGIN, 0.0
        for index in order:
            width, tall = sizes[index] * scale
            if x + width + MARGIN > 1:
                x, y, height = MARGIN, y + height + MARGIN, 0.0
            places[index] = x, y
            x, height = x + width + MARGIN, max(height, tall)
        if y + height + MARGIN <= 1 and float(sizes[:, 0].max()) * scale + 2 * MARGIN <= 1:
            return places, scale
        scale *= 0.98
