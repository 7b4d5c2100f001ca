"""Which triangle each pixel sees, how far away it is, and where on the triangle: a z-buffer in plain torch.

A triangle is cut at its middle vertex into two halves, each half into one span of pixels per picture row, each span
into pixels. Every pixel then keeps the largest of its 64-bit keys, inverse depth above and face below, by one
`scatter_reduce`: the result does not depend on the order of the faces, on threads or on chunks. Two triangles that
share an edge work its crossing with a row out from the same numbers in the same order, so there are neither cracks nor
double pixels between them. No OpenGL, nothing compiled, no state: safe in any thread.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import SesaHandError
from ..scene.camera import Camera

# x and y in pixels and inverse depth in 1/metres of one corner of every face.
Corner = tuple[Tensor, Tensor, Tensor]

NEAR = 1e-3
MAX_FACES = 1 << 24
# How many pixels are worked on at a time: on the CPU so few that they stay in the cache from one step to the next.
CHUNK_PIXELS = {"cpu": 1 << 15, "cuda": 1 << 24}


@dataclass(frozen=True, eq=False)
class Fragments:
    """What each pixel of B pictures sees.

    Attributes:
        face: Index of the nearest triangle, int64 `[B, H, W]`; -1 where there is none.
        depth: Its z in the camera's frame, metres, `[B, H, W]`; 0 where there is none.
        barycentric: Perspective-correct weights of its three corners, `[B, H, W, 3]`; 0 where there is none.
    """

    face: Tensor
    depth: Tensor
    barycentric: Tensor


@dataclass(frozen=True, eq=False)
class VisiblePixels:
    """The P covered pixels of one picture, in the order of the picture's rows.

    Attributes:
        x: Column, int64 `[P]`.
        y: Row, int64 `[P]`.
        face: Index of the nearest triangle, int64 `[P]`.
        depth: Its z in metres, `[P]`.
        weights: Perspective-correct weights of its three corners, each `[P]`.
    """

    x: Tensor
    y: Tensor
    face: Tensor
    depth: Tensor
    weights: tuple[Tensor, Tensor, Tensor]

    def piece(self, places: slice | Tensor) -> "VisiblePixels":
        """Return some of the pixels, by a slice or by their int64 places `[Q]`."""
        a, b, c = (weight[places] for weight in self.weights)
        return VisiblePixels(self.x[places], self.y[places], self.face[places], self.depth[places], (a, b, c))


def rasterize(vertices: Tensor, faces: Tensor | list[Tensor], camera: Camera, near: float = NEAR) -> Fragments:
    """Find the nearest triangle in every pixel of a batch of pictures.

    A pixel is covered where its centre is: a centre exactly on an edge belongs to the triangle on its right or below
    it, and to no other. Of triangles at one depth the first in `faces` wins. Triangles are seen from both sides.

    Depth and barycentric weights are differentiable with respect to `vertices`; which face is seen is not.

    Args:
        vertices: Corner positions in the camera's frame (x right, y down, z forward), metres, `[B, V, 3]`.
        faces: Vertex ids `[T, 3]` of all pictures, or a list of B such tensors.
        camera: The camera of every picture.
        near: Triangles with a corner at or before this z in metres are left out whole; there is no clipping.

    Returns:
        Fragments on the device of `vertices`, floating-point values in its dtype. On MPS, which has no float64, the
        work is done on the CPU.

    Raises:
        SesaHandError: If shapes disagree, a vertex is not finite, or a face names a vertex that is not there.
    """
    check_mesh(vertices, faces, near)
    device, dtype = vertices.device, vertices.dtype
    points = vertices.cpu() if device.type == "mps" else vertices
    shape = (len(vertices), camera.height, camera.width)
    face = torch.full(shape, -1, dtype=torch.long, device=points.device)
    depth = torch.zeros(shape, dtype=dtype, device=points.device)
    barycentric = torch.zeros((*shape, 3), dtype=dtype, device=points.device)
    for b in range(shape[0]):
        picture_faces = faces[b] if isinstance(faces, list) else faces
        seen = visible_pixels(points[b], picture_faces.to(points.device), camera, near)
        at = (torch.full_like(seen.x, b), seen.y, seen.x)
        face[at] = seen.face
        depth = depth.index_put(at, seen.depth.to(dtype))
        barycentric = barycentric.index_put(at, torch.stack(seen.weights, 1).to(dtype))
    return Fragments(face.to(device), depth.to(device), barycentric.to(device))


def check_mesh(vertices: Tensor, faces: Tensor | list[Tensor], near: float = NEAR) -> None:
    """Raise a SesaHandError unless `vertices` `[B, V, 3]` and `faces` (see `rasterize`) can be drawn."""
    if vertices.ndim != 3 or vertices.shape[-1] != 3 or not vertices.is_floating_point():
        raise SesaHandError(
            f"vertices must be floating-point [B, V, 3], got {vertices.dtype} of shape {tuple(vertices.shape)}."
        )
    if not near > 0:
        raise SesaHandError(f"near must be a distance before the camera, more than 0 metres, got {near}.")
    if not torch.isfinite(vertices).all():
        raise SesaHandError("vertices hold NaN or infinite values; check the pose that they come from.")
    if isinstance(faces, list) and len(faces) != len(vertices):
        raise SesaHandError(f"Got {len(faces)} lists of faces for {len(vertices)} pictures; give one for each.")
    for item in faces if isinstance(faces, list) else [faces]:
        if item.ndim != 2 or item.shape[-1] != 3 or item.is_floating_point():
            raise SesaHandError(f"faces must be integers [T, 3], got {item.dtype} of shape {tuple(item.shape)}.")
        if len(item) >= MAX_FACES:
            raise SesaHandError(f"A mesh of {len(item)} faces is too fine to draw; at most {MAX_FACES - 1} are.")
        if item.numel() and not (0 <= int(item.min()) and int(item.max()) < vertices.shape[1]):
            raise SesaHandError(
                f"faces name vertices {int(item.min())} to {int(item.max())}, but there are {vertices.shape[1]}."
            )


def visible_pixels(
    vertices: Tensor,
    faces: Tensor,
    camera: Camera,
    near: float = NEAR,
    cull_backfaces: bool = False,
    dtype: torch.dtype = torch.float64,
) -> VisiblePixels:
    """Return what one picture sees of a mesh that `check_mesh` has passed, as covered pixels only.

    Args:
        vertices: `[V, 3]` metres in the camera's frame.
        faces: `[T, 3]` int64 vertex ids on the same device.
        camera: The camera.
        near: See `rasterize`.
        cull_backfaces: Leave out faces that are wound clockwise on the screen. From outside a closed surface they are
            never the nearest, so this changes nothing but the time it takes.
        dtype: Of the depth and the weights, which are worked out in float64.

    Returns:
        The covered pixels; depth and weights are differentiable with respect to `vertices`.
    """
    projected = project(vertices.double(), camera, near)
    with torch.no_grad():
        corners = corners_of(projected, faces)
        kept, (left, top, right, bottom) = faces_in_picture(corners, camera, cull_backfaces)
    corners = corners_of(projected, faces[kept])
    with torch.no_grad():
        keys = torch.zeros((bottom - top) * (right - left), dtype=torch.long, device=vertices.device)
        # Ids count down so that of two faces at one depth, the larger key is the first face's.
        ids = torch.arange(len(kept), device=vertices.device).flip(0).repeat(2)
        face_bits = (1 << max(1, len(kept).bit_length())) - 1
        fill_keys(keys, half_triangles(*corners), ids, face_bits, left, top, right, bottom)
        pixel = keys.nonzero()[:, 0]
        seen = len(kept) - 1 - keys.index_select(0, pixel).bitwise_and_(face_bits)
        y = torch.div(pixel, max(right - left, 1), rounding_mode="floor")
        x = pixel - y * (right - left) + left
        y += top
    limit = chunk_pixels(vertices.device)
    planes = screen_planes(*corners)
    pieces = [
        [values.to(dtype) for values in interpolate(planes, *piece)]
        for piece in zip(seen.split(limit), x.split(limit), y.split(limit), strict=True)
    ]
    depth, a, b, c = (torch.cat(values) for values in zip(*pieces, strict=True))
    return VisiblePixels(x, y, kept.index_select(0, seen), depth, (a, b, c))


def chunk_pixels(device: torch.device) -> int:
    """Return how many pixels to work on at a time on a device."""
    return CHUNK_PIXELS.get(device.type, CHUNK_PIXELS["cpu"])


def project(vertices: Tensor, camera: Camera, near: float) -> Corner:
    """Return x and y in pixels and inverse depth in 1/metres of vertices `[V, 3]`.

    Vertices at or before `near` get inverse depth 0, which marks their faces to be left out and keeps gradients finite.
    """
    x, y, z = vertices.unbind(1)
    ahead = z > near
    inverse = torch.where(ahead, 1 / torch.where(ahead, z, 1), 0)
    centre_x, centre_y = camera.principal_point
    return x * inverse * camera.focal_length + centre_x, y * inverse * camera.focal_length + centre_y, inverse


def corners_of(projected: Corner, faces: Tensor) -> tuple[Corner, Corner, Corner]:
    """Return the three corners of each of the faces, vertex ids `[T, 3]`."""
    x, y, inverse = projected
    a, b, c = (
        (x.index_select(0, ids), y.index_select(0, ids), inverse.index_select(0, ids)) for ids in faces.T.contiguous()
    )
    return a, b, c


def faces_in_picture(
    corners: tuple[Corner, Corner, Corner], camera: Camera, cull_backfaces: bool
) -> tuple[Tensor, tuple[int, int, int, int]]:
    """Find what may cover a pixel.

    Args:
        corners: The three corners of T faces.
        camera: The camera.
        cull_backfaces: Leave out faces that are wound clockwise on the screen.

    Returns:
        The numbers of the faces that may, int64 `[K]`, and the window of pixels (left, top, right, bottom) that holds
        them.
    """
    (ax, ay, aw), (bx, by, bw), (cx, cy, cw) = corners
    left, top = first_centre(least(ax, bx, cx)).clamp_(min=0), first_centre(least(ay, by, cy)).clamp_(min=0)
    right = first_centre(most(ax, bx, cx)).clamp_(max=camera.width)
    bottom = first_centre(most(ay, by, cy)).clamp_(max=camera.height)
    kept = (least(aw, bw, cw) > 0) & (left < right) & (top < bottom)
    if cull_backfaces:
        # Counter-clockwise seen from outside turns clockwise on a screen whose y points down.
        kept &= (bx - ax) * (cy - ay) < (cx - ax) * (by - ay)
    kept = kept.nonzero()[:, 0]
    if not len(kept):
        return kept, (0, 0, 0, 0)
    window = torch.stack([left[kept].min(), top[kept].min(), right[kept].max(), bottom[kept].max()])
    first_column, first_row, last_column, last_row = map(int, window.tolist())
    return kept, (first_column, first_row, last_column, last_row)


def least(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Return the least of three tensors at every place.

    Args:
        a: Of any shape.
        b: Likewise.
        c: Likewise.

    Returns:
        Of the same shape.
    """
    return torch.minimum(torch.minimum(a, b), c)


def most(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Return the largest of three tensors at every place.

    Args:
        a: Of any shape.
        b: Likewise.
        c: Likewise.

    Returns:
        Of the same shape.
    """
    return torch.maximum(torch.maximum(a, b), c)


def first_centre(position: Tensor) -> Tensor:
    """Return the first column or row whose centre is at or after a place: half-open spans leave no doubt.

    Args:
        position: x or y in pixels, of any shape.

    Returns:
        Whole numbers of the same shape and dtype.
    """
    return torch.ceil(position - 0.5)


def half_triangles(a: Corner, b: Corner, c: Corner) -> list[Tensor]:
    """Cut T triangles at their middle corner and describe both halves by the two edges that bound each row.

    Returns:
        Twelve columns `[2 T]`, upper halves first: y of the half's top and bottom, then of its long and of its short
        edge x, y and inverse depth at the upper end, and the growth of x and of inverse depth per row.
    """
    a, b = in_order_of_y(a, b)
    b, c = in_order_of_y(b, c)
    a, b = in_order_of_y(a, b)
    # An edge starts at its upper end, hence at the same end for both triangles that share it: they agree to the bit.
    long, upper, lower = edge(a, c), edge(a, b), edge(b, c)
    return [torch.cat(pair) for pair in zip((a[1], b[1], *long, *upper), (b[1], c[1], *long, *lower), strict=True)]


def in_order_of_y(a: Corner, b: Corner) -> tuple[Corner, Corner]:
    swap = b[1] < a[1]
    x, y, z = (torch.where(swap, v, u) for u, v in zip(a, b, strict=True))
    other_x, other_y, other_z = (torch.where(swap, u, v) for u, v in zip(a, b, strict=True))
    return (x, y, z), (other_x, other_y, other_z)


def edge(start: Corner, end: Corner) -> tuple[Tensor, ...]:
    """Describe edges by where they start and what a row adds.

    Args:
        start: The upper ends.
        end: The lower ends.

    Returns:
        x, y and inverse depth of `start`, and the growth of x and of inverse depth per row towards `end`, each `[T]`.
    """
    height = end[1] - start[1]
    height = torch.where(height > 0, height, 1)
    return *start, (end[0] - start[0]) / height, (end[2] - start[2]) / height


def fill_keys(
    keys: Tensor, table: list[Tensor], ids: Tensor, face_bits: int, left: int, top: int, right: int, bottom: int
) -> None:
    """Raise the keys of a window's pixels to those of all half triangles, a bounded number of pixels at a time.

    Args:
        keys: int64 `[window pixels]`, row after row: inverse depth above, face below; written to.
        table: From `half_triangles`.
        ids: What stands for the face of each half triangle in a key, int64 `[2 * T]`.
        face_bits: Mask of the bits that hold it.
        left: First column of the window.
        top: Its first row.
        right: The column behind its last.
        bottom: The row behind its last.
    """
    limit = chunk_pixels(keys.device)
    start = first_centre(table[0]).clamp(min=top)
    count = (first_centre(table[1]).clamp(max=bottom) - start).clamp(min=0).long()
    for halves in chunks(count, limit // 4):
        half, step = spread(count[halves])
        half = half + halves.start
        row = start.index_select(0, half) + step
        edges = [column.index_select(0, half) for column in table[2:]]
        x, length, inverse, slope = row_spans(edges, row + 0.5, left, right)
        base = ((row - top) * (right - left) - left + x).long()
        face = ids.index_select(0, half)
        for part in chunks(length, limit):
            span, step = spread(length[part])
            key = slope[part].index_select(0, span).mul_(step).add_(inverse[part].index_select(0, span))
            key = key.view(torch.long).bitwise_and_(~face_bits).bitwise_or_(face[part].index_select(0, span))
            keys.scatter_reduce_(0, base[part].index_select(0, span).add_(step), key, "amax")


def row_spans(edges: list[Tensor], y: Tensor, left: int, right: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return what each half triangle covers in each of its rows.

    Args:
        edges: Ten columns `[R]`, one entry a row: those of `half_triangles` but for its first two.
        y: Centres of the rows `[R]`, pixels.
        left: First column of the window.
        right: Its end.

    Returns:
        First column, number of pixels, inverse depth there and its growth per pixel, each `[R]`.
    """
    long_x, long_y, long_w, long_dx, long_dw, short_x, short_y, short_w, short_dx, short_dw = edges
    down = y - long_y
    x0, w0 = long_x + down * long_dx, long_w + down * long_dw
    down = y - short_y
    x1, w1 = short_x + down * short_dx, short_w + down * short_dw
    first = first_centre(torch.minimum(x0, x1)).clamp_(left, right)
    length = first_centre(torch.maximum(x0, x1)).clamp_(left, right).sub_(first).long()
    width = x1 - x0
    slope = (w1 - w0) / torch.where(width == 0, 1, width)
    return first, length, w0 + (first + 0.5 - x0) * slope, slope


def chunks(lengths: Tensor, limit: int):
    """Yield slices of `lengths` `[R]` that add up to at most `limit`, or one entry where one alone is longer."""
    total = lengths.cumsum(0)
    begin, done = 0, 0
    while begin < len(total):
        end = len(total)
        if int(total[-1]) - done > limit:
            end = max(begin + 1, int(torch.searchsorted(total, done + limit, right=True)))
        yield slice(begin, end)
        begin, done = end, int(total[end - 1])


def spread(lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Return the run and the position in it of every entry.

    Args:
        lengths: int64 `[R]`; (2, 3) gives (0, 0, 1, 1, 1) and (0, 1, 0, 1, 2).

    Returns:
        Both int64 `[lengths.sum()]`.
    """
    run = torch.repeat_interleave(lengths)
    begin = lengths.cumsum(0) - lengths
    return run, torch.arange(len(run), device=run.device).sub_(begin.index_select(0, run))


def screen_planes(a: Corner, b: Corner, c: Corner) -> list[Tensor]:
    """Describe how far a pixel is from a face's first corner towards the others, which is linear on the screen.

    Args:
        a: First corners of T faces.
        b: Second corners.
        c: Third corners.

    Returns:
        Nine columns `[T]`: x and y of the first corner, growth of the second corner's and of the third's weight per
        pixel in x and in y, and the inverse depths of the three corners.
    """
    (x0, y0, w0), (x1, y1, w1), (x2, y2, w2) = a, b, c
    area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    scale = torch.where(area == 0, 0, 1 / torch.where(area == 0, 1, area))
    return [x0, y0, (y2 - y0) * scale, (x0 - x2) * scale, (y0 - y1) * scale, (x1 - x0) * scale, w0, w1, w2]


def interpolate(planes: list[Tensor], face: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Work out what the centres of pixels see, differentiably.

    Weights on the screen times the corners' inverse depths are those on the surface. They are kept convex, whatever
    rounding does to the thinnest of faces.

    Args:
        planes: From `screen_planes`.
        face: The face that each pixel sees, int64 `[P]`.
        x: Its column `[P]`.
        y: Its row `[P]`.

    Returns:
        Depth in metres, and the three perspective-correct weights, each `[P]`.
    """
    x0, y0, b1x, b1y, b2x, b2y, w0, w1, w2 = (column.index_select(0, face) for column in planes)
    dx, dy = x + 0.5 - x0, y + 0.5 - y0
    b1 = (dx * b1x + dy * b1y).clamp(0, 1)
    b2 = torch.minimum((dx * b2x + dy * b2y).clamp(min=0), 1 - b1)
    share0, share1, share2 = (1 - b1 - b2) * w0, b1 * w1, b2 * w2
    depth = 1 / (share0 + share1 + share2)
    return depth, share0 * depth, share1 * depth, share2 * depth
