"""Objects that hands hold: their distance against their surface, which is drawn."""

import pytest
import torch

from sesahand.errors import SesaHandError
from sesahand.hands.contact import boundary_edges, distance_to_triangles, winding_number
from sesahand.hands.objects import OBJECTS, object_distance, object_mesh


@pytest.mark.parametrize("kind", OBJECTS)
def test_the_distance_of_an_object_is_that_to_the_surface_that_is_drawn(kind):
    vertices, faces = object_mesh(kind)
    spread = 0.6 * (vertices.amax(0) - vertices.amin(0)) + 0.01
    points = vertices.mean(0) + spread * (2 * torch.rand(300, 3, generator=torch.Generator().manual_seed(5)) - 1)
    triangles = vertices[faces].double()
    points = points.double()
    distance = object_distance(kind, points)
    inside = winding_number(points, triangles) > 0.5
    far_from_surface = distance.abs() > 2e-4
    assert inside.any() and not inside.all()
    assert torch.equal((distance < 0)[far_from_surface], inside[far_from_surface])
    truth = distance_to_triangles(points, triangles)
    assert float((distance - truth)[~inside].abs().max()) < 2e-4
    assert float((distance.abs() - truth)[inside].max()) < 2e-4


@pytest.mark.parametrize("kind", OBJECTS)
def test_an_object_is_closed_and_its_own_mirror_image(kind):
    vertices, faces = object_mesh(kind)
    welded, ids = (vertices * 1e6).round().unique(dim=0, return_inverse=True)
    triangles = ids[faces]
    assert (triangles != triangles.roll(1, 1)).all(), "a face without area"
    assert len(boundary_edges(triangles)) == 0
    mirrored = welded * torch.tensor([-1.0, 1.0, 1.0]) + 0.0
    assert torch.equal((mirrored + 0.0).unique(dim=0), welded + 0.0)


def test_a_cup_is_hollow_and_open_at_its_top():
    inside, floor, wall, above = object_distance(
        "cup", torch.tensor([[0.0, 0, 0.02], [0, 0, -0.047], [0.0345, 0, 0.03], [0, 0, 0.06]])
    )
    assert inside > 0.02 and floor < -0.002 and -0.002 < wall < 0 and above > 0.03
    assert object_distance("cup", torch.zeros(1, 3), filled=True) < -0.03


def test_an_unknown_object_is_refused_by_name():
    with pytest.raises(SesaHandError, match="no object 'anvil'.*sphere"):
        object_distance("anvil", torch.zeros(1, 3))
