"""A hand's surface as files hold it: one texture coordinate and one normal per vertex."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..hands.model import HandModel
from ..render.shading import corner_normals


@dataclass(frozen=True, eq=False)
class Surface:
    """The closed surface of one side's hand, cut where texture coordinates or the normal jump.

    Attributes:
        source: The model's vertex that each of the W vertices is a copy of, `[W]`. The first V are the model's own in
            their order, so that vertex ids keep their meaning; copies along seams and around the wrist's cap follow.
        faces: Vertex ids `[T, 3]` out of 0..W-1, counter-clockwise seen from outside.
        num_skin: How many of the faces are skin; the others close the wrist.
        uv: Texture coordinates `[W, 2]`, origin at the lower left as in OBJ, or None for a hand without.
    """

    source: Tensor
    faces: Tensor
    num_skin: int
    uv: Tensor | None

    @classmethod
    def of(cls, model: HandModel, side: str, forearm: bool = False) -> "Surface":
        """Cut the surface of a "right" or "left" hand."""
        num_skin = len(model.faces_for(side, forearm))
        faces = model.faces_for(side, forearm, closed=True).cpu()
        # Corners of the same vertex and the same chart become one vertex. The cap is a chart of its own.
        charts = torch.zeros_like(faces)
        if model.uv_faces is not None:
            rows = model.uv_faces[:num_skin].cpu()
            charts[:num_skin] = rows if side == "right" else rows[:, [0, 2, 1]]
        last = int(charts.max()) + 1
        charts[num_skin:] = last
        # Every vertex appears once, used or not.
        count = len(model.template) if forearm else model.num_hand_vertices
        unused = torch.ones(count, dtype=torch.bool)
        unused[faces] = False
        spare = unused.nonzero()[:, 0]
        pairs = torch.stack([torch.cat([faces.flatten(), spare]), torch.cat([charts.flatten(), 0 * spare])], 1)
        pairs, corner = torch.unique(pairs, dim=0, return_inverse=True)
        # They are sorted by vertex, then chart: of each vertex, the first is the model's own.
        own = torch.ones(len(pairs), dtype=torch.bool)
        own[1:] = pairs[1:, 0] != pairs[:-1, 0]
        order = torch.cat([own.nonzero()[:, 0], (~own).nonzero()[:, 0]])
        place = torch.empty_like(order)
        place[order] = torch.arange(len(order))
        source, chart = pairs[order].unbind(1)
        uv = None
        if model.uv is not None:
            uv = model.uv.cpu()[torch.where(chart == last, chart[source], chart)]
        return cls(source, place[corner[: faces.numel()]].view_as(faces), num_skin, uv)

    def normals(self, vertices: Tensor) -> Tensor:
        """Return the unit normals `[W, 3]` of the surface with the model's vertices at `[V, 3]`.

        They are smooth over seams; the cap bends only as far as the wrist's edge does.
        """
        normals = torch.zeros(len(self.source), 3, dtype=vertices.dtype)
        for part in (self.faces[: self.num_skin], self.faces[self.num_skin :]):
            normals[part] = corner_normals(vertices, self.source[part], len(part))
        # A vertex of no face, or of faces without area, has no normal; files must have one.
        lost = normals.norm(dim=1) < 0.5
        normals[lost] = torch.tensor([0.0, 0.0, 1.0], dtype=vertices.dtype)
        return normals
