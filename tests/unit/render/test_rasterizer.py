from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
import trimesh

from sesahand.errors import SesaHandError
from sesahand.render import rasterizer
from sesahand.render.rasterizer import rasterize
from sesahand.scene.camera import Camera

OFF_CENTRE = Camera(310.0, (101.3, 96.8), 197, 211)


def sphere(subdivisions=3, radius=0.1, centre=(0.01, -0.02, 0.35)):
    ball = trimesh.creation.icosphere(subdivisions, radius)
    return torch.tensor(ball.vertices) + torch.tensor(centre), torch.tensor(ball.faces)


def triangles(*corners):
    """Return a mesh of separate triangles given as ((x, y, z), ...) with x and y in pixels of a 1:1 camera."""
    points = torch.tensor(corners, dtype=torch.float64).reshape(-1, 3)
    points = torch.cat([points[:, :2] * points[:, 2:], points[:, 2:]], 1)
    return points, torch.arange(len(points)).reshape(-1, 3)


def pixel_camera(width=8, height=8):
    return Camera(1.0, (0.0, 0.0), width, height)


def pixel_rays(camera):
    j, i = np.meshgrid(np.arange(camera.height), np.arange(camera.width), indexing="ij")
    x, y = camera.principal_point
    rays = np.stack([i + 0.5 - x, j + 0.5 - y, np.full(i.shape, camera.focal_length)], -1)
    return rays.reshape(-1, 3) / camera.focal_length


def cast_rays(vertices, faces, camera):
    """Intersect every pixel's ray with every triangle in float64 (Moeller and Trumbore, 1997)."""
    rays = pixel_rays(camera)
    a, b, c = np.moveaxis(vertices.double().numpy()[faces.numpy()], 1, 0)
    ab, ac = b - a, c - a
    nearest = np.full(len(rays), np.inf)
    face = np.full(len(rays), -1)
    for k in range(len(faces)):
        p = np.cross(rays, ac[k])
        with np.errstate(all="ignore"):
            inverse = 1 / (p @ ab[k])
            u = (p @ -a[k]) * inverse
            q = np.cross(-a[k], ab[k])
            v = rays @ q * inverse
            z = (ac[k] @ q) * inverse
        hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (z > 0) & (z < nearest)
        nearest[hit], face[hit] = z[hit], k
    shape = (camera.height, camera.width)
    return face.reshape(shape), np.where(face >= 0, nearest, 0).reshape(shape)


def crumpled_sphere():
    vertices, faces = sphere(2, 0.09)
    noise = torch.rand(vertices.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return vertices + 0.06 * (noise - 0.5), faces


@pytest.mark.parametrize("mesh", [sphere(2), crumpled_sphere()], ids=["sphere", "self-intersecting"])
def test_faces_depth_and_mask_equal_ray_casting(mesh):
    vertices, faces = mesh
    seen = rasterize(vertices[None], faces, OFF_CENTRE)
    face, depth = cast_rays(vertices, faces, OFF_CENTRE)
    assert (face >= 0).mean() > 0.3
    assert np.array_equal(seen.face[0].numpy(), face)
    assert np.abs(seen.depth[0].numpy() - depth).max() < 1e-9


def test_agrees_with_embree_on_a_fine_mesh():
    pytest.importorskip("embreex")
    from trimesh.ray.ray_pyembree import RayMeshIntersector

    vertices, faces = sphere(4)
    camera = Camera(600.0, (130.3, 122.7), 256, 256)
    rays = pixel_rays(camera)
    mesh = trimesh.Trimesh(vertices.numpy(), faces.numpy(), process=False)
    hit_face, hit_ray, where = RayMeshIntersector(mesh).intersects_id(
        np.zeros_like(rays), rays, multiple_hits=False, return_locations=True
    )
    face, depth = np.full(len(rays), -1), np.zeros(len(rays))
    face[hit_ray], depth[hit_ray] = hit_face, where[:, 2]
    seen = rasterize(vertices[None], faces, camera)
    ours = seen.face[0].numpy().ravel()
    assert np.array_equal(ours >= 0, face >= 0)
    # Embree works in float32: a ray along an edge may fall to the neighbour, at the same depth.
    assert (ours != face).sum() <= 3
    assert np.abs(seen.depth[0].numpy().ravel() - depth).max() < 1e-6


def test_barycentric_weights_give_back_the_point_on_the_ray():
    vertices, faces = crumpled_sphere()
    seen = rasterize(vertices[None], faces, OFF_CENTRE)
    inside = seen.face[0] >= 0
    corners = vertices[faces[seen.face[0][inside]]]
    weights = seen.barycentric[0][inside]
    points = (weights[:, :, None] * corners).sum(1)
    rays = torch.from_numpy(pixel_rays(OFF_CENTRE)).reshape(OFF_CENTRE.height, OFF_CENTRE.width, 3)[inside]
    assert (points - rays * seen.depth[0][inside][:, None]).abs().max() < 1e-10
    assert (weights >= 0).all() and (weights.sum(1) - 1).abs().max() < 1e-12
    assert seen.barycentric[0][~inside].abs().max() == 0 and seen.depth[0][~inside].abs().max() == 0


def test_a_finely_jittered_grid_has_no_cracks_and_no_double_pixels():
    size = 40
    step = torch.linspace(-0.2, 0.2, size, dtype=torch.float64)
    y, x = torch.meshgrid(step, step, indexing="ij")
    noise = torch.rand(3, size, size, generator=torch.Generator().manual_seed(1), dtype=torch.float64) - 0.5
    noise[:, [0, -1]], noise[:, :, [0, -1]] = 0, 0
    vertices = torch.stack([x, y, torch.full_like(x, 0.3)], -1) + 0.008 * noise.permute(1, 2, 0)
    corner = torch.arange(size * size).reshape(size, size)
    a, b, c, d = (corner[:-1, :-1], corner[:-1, 1:], corner[1:, :-1], corner[1:, 1:])
    faces = torch.cat([torch.stack([a, b, c], -1).reshape(-1, 3), torch.stack([b, d, c], -1).reshape(-1, 3)])
    camera = Camera(500.0, (128.0, 128.0), 256, 256)
    seen = rasterize(vertices.reshape(1, -1, 3), faces, camera)
    assert (seen.face >= 0).all()
    owners = sum((rasterize(vertices.reshape(1, -1, 3), faces[k::7], camera).face >= 0).int() for k in range(7))
    assert owners.min() == 1
    flat = vertices.clone()
    flat[..., 2] = 0.3
    owners = sum((rasterize(flat.reshape(1, -1, 3), faces[k::7], camera).face >= 0).int() for k in range(7))
    assert owners.min() == 1 and owners.max() == 1


def test_depth_of_a_fine_sphere_is_the_analytic_one():
    radius, centre = 0.1, np.array([0.0, 0.0, 0.4])
    vertices, faces = sphere(5, radius, tuple(centre))
    camera = Camera(400.0, (128.0, 128.0), 256, 256)
    rays = pixel_rays(camera)
    a, b, c = (rays**2).sum(1), -2 * rays @ centre, centre @ centre - radius**2
    inside = b * b - 4 * a * c > 0
    expected = ((-b - np.sqrt(np.where(inside, b * b - 4 * a * c, 0))) / (2 * a)).reshape(256, 256)
    seen = rasterize(vertices[None], faces, camera)
    mask = seen.face[0].numpy() >= 0
    assert (mask != inside.reshape(256, 256)).sum() < 40
    error = np.abs(seen.depth[0].numpy() - expected)[mask & inside.reshape(256, 256)]
    assert np.median(error) < 5e-5


def test_an_edge_through_pixel_centres_belongs_to_the_triangle_right_of_it_or_below_it():
    corners = ((1.5, 1.5, 1), (5.5, 1.5, 1), (1.5, 5.5, 1)), ((5.5, 1.5, 1), (5.5, 5.5, 1), (1.5, 5.5, 1))
    face = rasterize(triangles(*corners)[0][None], triangles(*corners)[1], pixel_camera()).face[0]
    expected = torch.full((8, 8), -1)
    for row in range(1, 5):
        for column in range(1, 5):
            expected[row, column] = 0 if row + column < 6 else 1
    assert torch.equal(face, expected)


def test_four_triangles_around_a_pixel_centre_cover_it_once():
    hub = (3.5, 3.5, 1)
    rim = [(0.2, 0.3, 1), (7.1, 0.9, 1), (7.7, 7.2, 1), (0.4, 6.9, 1)]
    owners = 0
    for k in range(4):
        points, faces = triangles((hub, rim[k], rim[(k + 1) % 4]))
        owners += int(rasterize(points[None], faces, pixel_camera()).face[0, 3, 3] >= 0)
    assert owners == 1


def test_of_two_faces_at_one_depth_the_first_is_seen():
    points, _ = triangles(((0, 0, 1), (8, 0, 1), (0, 8, 1)))
    twice = torch.tensor([[2, 0, 1], [0, 1, 2]])
    assert rasterize(points[None], twice, pixel_camera()).face.max() == 0


def test_the_order_of_faces_does_not_matter():
    vertices, faces = crumpled_sphere()
    order = torch.randperm(len(faces), generator=torch.Generator().manual_seed(2))
    seen, shuffled = rasterize(vertices[None], faces, OFF_CENTRE), rasterize(vertices[None], faces[order], OFF_CENTRE)
    renamed = torch.where(shuffled.face >= 0, order[shuffled.face.clamp(min=0)], -1)
    assert torch.equal(renamed, seen.face)
    assert torch.equal(shuffled.depth, seen.depth)


def test_repeated_and_threaded_and_chunked_renders_are_bit_identical(monkeypatch):
    meshes = [sphere(3, 0.1, (0.002 * k, 0.0, 0.3 + 0.01 * k)) for k in range(16)]
    serial = [rasterize(v[None], f, OFF_CENTRE) for v, f in meshes]
    with ThreadPoolExecutor(8) as pool:
        threaded = list(pool.map(lambda mesh: rasterize(mesh[0][None], mesh[1], OFF_CENTRE), meshes))
    monkeypatch.setitem(rasterizer.CHUNK_PIXELS, "cpu", 500)
    chunked = [rasterize(v[None], f, OFF_CENTRE) for v, f in meshes]
    for one, *others in zip(serial, threaded, chunked, strict=True):
        for other in others:
            assert all(torch.equal(getattr(one, name), getattr(other, name)) for name in vars(one))


def test_a_batch_equals_its_pictures_one_by_one():
    near, far = sphere(2, 0.1, (0, 0, 0.3)), sphere(2, 0.1, (0.05, 0, 0.5))
    batch = rasterize(torch.stack([near[0], far[0]]), near[1], OFF_CENTRE)
    lists = rasterize(torch.stack([near[0], far[0]]), [near[1], far[1][:50]], OFF_CENTRE)
    for k, (vertices, faces) in enumerate((near, far)):
        assert torch.equal(batch.depth[k], rasterize(vertices[None], faces, OFF_CENTRE).depth[0])
    assert torch.equal(lists.face[0], batch.face[0])
    assert lists.face[1].max() < 50


def test_gradients_of_depth_and_weights_agree_with_finite_differences():
    points, faces = triangles(((0.2, 0.4, 1.0), (7.3, 1.1, 1.4), (2.1, 7.2, 0.8)))
    camera = pixel_camera()
    vertices = points[None].requires_grad_()
    seen = rasterize(vertices, faces, camera).face >= 0

    def values(vertices):
        fragments = rasterize(vertices, faces, camera)
        assert torch.equal(fragments.face >= 0, seen)
        return fragments.depth, fragments.barycentric

    assert torch.autograd.gradcheck(values, (vertices,), eps=1e-7, atol=1e-6)


def test_float32_vertices_give_float32_values_with_gradients():
    vertices, faces = sphere(2)
    vertices = vertices.float().requires_grad_()
    seen = rasterize(vertices[None], faces, OFF_CENTRE)
    assert seen.depth.dtype == seen.barycentric.dtype == torch.float32
    seen.depth.sum().backward()
    assert torch.isfinite(vertices.grad).all() and vertices.grad[:, 2].abs().sum() > 0


def test_faces_at_or_behind_the_near_plane_are_left_out_whole_and_leave_finite_gradients():
    vertices, faces = sphere(2, 0.1, (0.0, 0.0, 0.05))
    vertices[0, 2], vertices[1, 2] = 0.0, 1e-3
    vertices.requires_grad_()
    seen = rasterize(vertices[None], faces, OFF_CENTRE)
    drawn = faces[seen.face[seen.face >= 0]]
    assert len(drawn) and (vertices[drawn][..., 2] > 1e-3).all()
    seen.depth.sum().backward()
    assert torch.isfinite(vertices.grad).all()


@pytest.mark.parametrize("centre", [(0.0, 0.0, -0.5), (3.0, 0.0, 0.5), (0.0, -1e6, 1e3)])
def test_meshes_behind_or_beside_the_camera_cover_nothing(centre):
    vertices, faces = sphere(1, 0.1, centre)
    assert (rasterize(vertices[None], faces, OFF_CENTRE).face == -1).all()


def test_a_mesh_half_out_of_the_picture_is_cut_at_its_border_only():
    vertices, faces = sphere(3, 0.1, (0.0, 0.0, 0.3))
    whole = rasterize(vertices[None], faces, Camera(300.0, (200.0, 150.0), 400, 300))
    part = rasterize(vertices[None], faces, Camera(300.0, (20.0, 110.0), 60, 100))
    assert torch.equal(part.face[0], whole.face[0, 40:140, 180:240])
    assert (part.depth[0] - whole.depth[0, 40:140, 180:240]).abs().max() < 1e-12


def test_a_very_far_mesh_and_a_very_long_lens_keep_their_precision():
    vertices, faces = sphere(2, 0.1, (0.0, 0.0, 40.0))
    camera = Camera(10000.0, (32.0, 32.0), 64, 64)
    face, depth = cast_rays(vertices, faces, camera)
    seen = rasterize(vertices[None], faces, camera)
    assert np.array_equal(seen.face[0].numpy(), face)
    assert np.abs(seen.depth[0].numpy() - depth).max() < 1e-7


def test_the_smallest_picture_and_a_mesh_around_the_camera_work():
    vertices, faces = sphere(2, 1.0, (0.0, 0.0, 0.0))
    seen = rasterize(vertices[None], faces, Camera(1.0, (0.5, 0.5), 1, 1))
    assert seen.face.shape == (1, 1, 1) and seen.depth[0, 0, 0] == pytest.approx(1.0, abs=0.05)


def test_one_huge_face_and_hairs_of_faces_give_finite_values_within_their_range():
    points, faces = triangles(((-1e9, -1e9, 0.5), (1e9, -1e9, 0.7), (0, 1e9, 0.9)))
    seen = rasterize(points[None], faces, pixel_camera(33, 17))
    assert (seen.face == 0).all() and ((seen.depth > 0.5) & (seen.depth < 0.9)).all()
    hairs = [((0.1 + k, 0.0, 1.0), (0.1 + k + 1e-14, 8.0, 2.0), (7.9, 4.0 + k * 1e-13, 3.0)) for k in range(4)]
    points, faces = triangles(*hairs, ((1, 1, 1), (1, 1, 1), (1, 1, 1)), ((0, 1, 1), (4, 1, 1), (8, 1, 1)))
    seen = rasterize(points[None], faces, pixel_camera())
    inside = seen.face >= 0
    assert torch.isfinite(seen.barycentric).all()
    assert (seen.depth[inside] >= 1).all() and (seen.depth[inside] <= 3).all()


def test_no_pictures_no_vertices_and_no_faces_are_no_error():
    camera = pixel_camera()
    assert rasterize(torch.zeros(0, 3, 3), torch.zeros(0, 3, dtype=torch.long), camera).face.shape == (0, 8, 8)
    assert (rasterize(torch.zeros(1, 0, 3), torch.zeros(0, 3, dtype=torch.long), camera).face == -1).all()


@pytest.mark.parametrize(
    ("vertices", "faces", "message"),
    [
        (torch.full((1, 3, 3), float("nan")), torch.tensor([[0, 1, 2]]), "NaN"),
        (torch.full((1, 3, 3), float("inf")), torch.tensor([[0, 1, 2]]), "infinite"),
        (torch.ones(1, 3, 3), torch.tensor([[0, 1, 3]]), "0 to 3, but there are 3"),
        (torch.ones(1, 3, 3), torch.tensor([[0, -1, 2]]), "-1"),
        (torch.ones(3, 3), torch.tensor([[0, 1, 2]]), r"\[B, V, 3\]"),
        (torch.ones(1, 3, 3), torch.tensor([[0.0, 1.0, 2.0]]), "integers"),
        (torch.ones(1, 3, 3), [], "0 lists of faces for 1"),
    ],
)
def test_unusable_meshes_are_refused_by_name(vertices, faces, message):
    with pytest.raises(SesaHandError, match=message):
        rasterize(vertices, faces, pixel_camera())
    with pytest.raises(SesaHandError, match="near"):
        rasterize(torch.ones(1, 3, 3), torch.tensor([[0, 1, 2]]), pixel_camera(), near=0.0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_sees_the_same_faces_as_the_cpu():
    vertices, faces = crumpled_sphere()
    cpu, cuda = (rasterize(vertices[None].to(d), faces.to(d), OFF_CENTRE) for d in ("cpu", "cuda"))
    assert torch.equal(cuda.face.cpu(), cpu.face)
    assert (cuda.depth.cpu() - cpu.depth).abs().max() < 1e-9
