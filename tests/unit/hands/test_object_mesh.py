"""A user's mesh in the place of an object: how it lies, how far points are from it, and how it is drawn and held."""

import pytest
import torch
from long_faces import spindle

from sesahand.errors import SesaHandError
from sesahand.hands import distance_grid
from sesahand.hands.builtin import load_builtin_hand
from sesahand.hands.contact import distance_to_triangles, winding_number
from sesahand.hands.gripping import GRASPS, grip
from sesahand.hands.object_mesh import MAX_FACES, ObjectMesh, split_at_creases, stand_in, volume
from sesahand.hands.objects import OBJECTS, object_distance, object_mesh

trimesh = pytest.importorskip("trimesh")


def sides_of(mesh):
    return mesh.vertices.amax(0) - mesh.vertices.amin(0)


@pytest.mark.parametrize("kind", OBJECTS)
@pytest.mark.parametrize("turn", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
def test_the_longest_side_lies_where_that_of_the_object_does(kind, turn):
    vertices, faces = object_mesh(kind)
    mesh = stand_in("thing", vertices[:, list(turn)].numpy(), faces.numpy(), kind)
    torch.testing.assert_close(sides_of(mesh), vertices.amax(0) - vertices.amin(0), atol=1e-6, rtol=0)
    middle = (mesh.vertices.amax(0) + mesh.vertices.amin(0)) / 2
    torch.testing.assert_close(middle, (vertices.amax(0) + vertices.amin(0)) / 2, atol=1e-6, rtol=0)
    assert mesh.is_closed and volume(mesh) > 0


def test_a_length_scales_it_and_none_takes_metres():
    box = trimesh.creation.box((1, 2, 4))
    assert float(sides_of(stand_in("b", box.vertices, box.faces, "box", 0.12)).max()) == pytest.approx(0.12)
    assert float(sides_of(stand_in("b", box.vertices / 40, box.faces, "box")).max()) == pytest.approx(0.1)
    with pytest.raises(SesaHandError, match="give the length of its longest side"):
        stand_in("b", box.vertices, box.faces, "box")


def test_a_point_is_no_mesh_to_hold():
    with pytest.raises(SesaHandError, match="no surface"):
        stand_in("p", [[1.0, 1.0, 1.0]] * 3, [[0, 1, 2]], "box", 0.1)


def test_a_fine_mesh_is_made_coarser_and_keeps_its_shape():
    ball = trimesh.creation.icosphere(5, 0.05)
    mesh = stand_in("ball", ball.vertices, ball.faces, "sphere")
    assert len(ball.faces) > 3 * MAX_FACES and len(mesh.faces) <= MAX_FACES
    assert mesh.is_closed and (mesh.vertices.norm(dim=1) - 0.05).abs().max() < 1e-3


@pytest.mark.parametrize("kind", ["tool", "cup"])
def test_distances_are_those_to_the_surface(kind):
    vertices, faces = object_mesh(kind)
    mesh = stand_in("thing", vertices.numpy(), faces.numpy(), kind)
    spread = vertices.amax(0) - vertices.amin(0) + 0.02
    points = vertices.amin(0) - 0.01 + spread * torch.rand(4000, 3, generator=torch.Generator().manual_seed(3))
    found, true = mesh.distance(points), object_distance(kind, points)
    assert torch.equal((found < 0)[true.abs() > 1.5e-3], (true < 0)[true.abs() > 1.5e-3])
    assert (found - true)[true.abs() < 0.005].abs().mean() < 2e-4


def test_a_surface_that_is_inside_out_or_has_a_hole_has_the_same_inside():
    ball = trimesh.creation.icosphere(3, 0.04)
    points = 0.1 * (torch.rand(2000, 3, generator=torch.Generator().manual_seed(1)) - 0.5)
    inside = winding_number(points, torch.from_numpy(ball.triangles.copy()).float()) > 0.5
    clear = (points.norm(dim=1) - 0.04).abs() > 0.003
    turned = stand_in("out", ball.vertices, ball.faces[:, ::-1].copy(), "sphere")
    holed = ball.faces[ball.triangles_center[:, 2] < 0.036]
    for mesh in (turned, ObjectMesh("holed", torch.tensor(ball.vertices).float(), torch.tensor(holed))):
        assert torch.equal((mesh.distance(points) < 0)[clear], inside[clear])
        assert mesh.is_closed == (mesh is turned)
    assert volume(turned) > 0


@pytest.mark.parametrize("kind", ["shared edge", "spindle"])
def test_thousands_of_large_faces_meet_a_bounded_number_of_nodes(kind, monkeypatch):
    compared = []
    vertices, faces = spindle(3000)
    if kind == "shared edge":
        vertices = torch.rand(6002, 3, generator=torch.Generator().manual_seed(2)) - 0.5
        faces = torch.tensor([[0, 1, vertex] for vertex in range(2, 6002)])
    closest = distance_grid._closest_points

    def counted(points, triangles):
        compared.append(len(points))
        return closest(points, triangles)

    monkeypatch.setattr(distance_grid, "_closest_points", counted)
    found = ObjectMesh("large", vertices, faces).distance(vertices[:50])
    assert 0 < sum(compared) <= distance_grid.MOST_PAIRS and found.isfinite().all()


def test_a_coarser_grid_for_large_faces_still_knows_the_surface():
    vertices, faces = spindle(1000)
    mesh = ObjectMesh("spindle", vertices, faces)
    points = 0.04 * torch.randn(500, 3, generator=torch.Generator().manual_seed(4))
    found, true = mesh.distance(points), distance_to_triangles(points, vertices[faces])
    inside = winding_number(points, vertices[faces]) > 0.5
    assert torch.equal((found < 0)[true > 4e-3], inside[true > 4e-3]) and inside.sum() > 20
    assert (found.abs() - true)[true < 0.01].abs().max() < 3e-3


def test_edges_stay_sharp_and_curves_smooth():
    box = trimesh.creation.box((0.1, 0.1, 0.1))
    ball = trimesh.creation.icosphere(3, 0.05)
    corners, _ = split_at_creases(torch.tensor(box.vertices), torch.tensor(box.faces))
    smooth, faces = split_at_creases(torch.tensor(ball.vertices), torch.tensor(ball.faces))
    assert len(corners) == 24 and len(smooth) == len(ball.vertices)
    torch.testing.assert_close(smooth[faces], torch.tensor(ball.triangles.copy()))


def test_a_mesh_is_gripped_as_the_object_of_its_shape_is():
    model = load_builtin_hand()
    vertices, faces = object_mesh("cylinder")
    mesh = stand_in("can", vertices.numpy(), faces.numpy(), "cylinder")
    own, given = grip(model, "cylinder", 0.9), grip(model, "cylinder", 0.9, mesh=mesh)
    assert given.missing == () and given.depth < 1e-3
    assert (own.position - given.position).norm() < 2e-3
    posed = model(
        torch.eye(3)[None], given.hand_pose[None], torch.zeros(1, 10), torch.zeros(1, 3), torch.tensor([True])
    )
    triangles = (0.9 * mesh.vertices @ given.orient.T + given.position)[mesh.faces].double()
    skin = (posed.vertices[0] - posed.keypoints[0, 0]).double()
    near = skin[((skin > triangles.amin((0, 1))) & (skin < triangles.amax((0, 1)))).all(1)]
    inside = near[winding_number(near, triangles) > 0.5]
    assert not len(inside) or distance_to_triangles(inside, triangles).max() < 1e-3
    assert set(GRASPS["cylinder"].fingers) <= {finger for finger, gap in given.gaps.items() if gap <= 1e-3}
