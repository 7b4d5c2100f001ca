"""The figures of every pair of hands, and of every pair of a person's two hands."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...callbacks import Progress
from ...metrics.correct_keypoints import auc
from ...metrics.joint_errors import mpjpe, mpvpe, pa_mpjpe, pa_mpvpe
from ...metrics.keypoint_errors import mse_2d
from ...metrics.procrustes import align, fit_similarity
from ...metrics.surface_match import f_scores
from ...metrics.two_hands import mrrpe, rrve
from .pairing import HandPairs, hand_size, sides_differ

# Hands at a time: of the distances of their vertices a matrix each.
BATCH = 64


@dataclass(frozen=True)
class Figure:
    """A column of the table.

    Attributes:
        title: What the field calls it.
        unit: Of its values.
        decimals: How many are worth printing.
        about: What is aligned, and over what it is taken.
        smaller_is_better: Whether it is an error.
    """

    title: str
    unit: str
    decimals: int
    about: str
    smaller_is_better: bool = True


FIGURES = {
    "mpjpe": Figure("MPJPE", "mm", 2, "joints, wrists aligned"),
    "pa_mpjpe": Figure("PA-MPJPE", "mm", 2, "joints after Procrustes"),
    "auc_j": Figure("AUC_J", "", 3, "joints, wrists aligned, 0 to 50 mm", False),
    "pa_auc_j": Figure("PA-AUC_J", "", 3, "joints after Procrustes, 0 to 50 mm", False),
    "mpvpe": Figure("MPVPE", "mm", 2, "vertices, wrists aligned"),
    "pa_mpvpe": Figure("PA-MPVPE", "mm", 2, "vertices after Procrustes"),
    "pa_auc_v": Figure("PA-AUC_V", "", 3, "vertices after Procrustes, 0 to 50 mm", False),
    "pa_f5": Figure("PA-F@5", "", 3, "surface after Procrustes, within 5 mm", False),
    "pa_f15": Figure("PA-F@15", "", 3, "surface after Procrustes, within 15 mm", False),
    "mse_2d": Figure("MSE-2D", "", 4, "keypoints in the picture, in sizes of the true hand"),
}
TWO_HAND_FIGURES = {
    "mrrpe": Figure("MRRPE", "mm", 2, "left wrist as seen from the right one"),
    "rrve": Figure("RRVE", "mm", 2, "vertices of both hands, right wrists aligned"),
}


@torch.no_grad()
def hand_errors(pairs: HandPairs, reflect: bool = False, progress: Progress | None = None) -> dict[str, np.ndarray]:
    """Measure each pair of hands.

    Args:
        pairs: From `pair_hands`.
        reflect: Let Procrustes also mirror, as FreiHAND's and HO-3D's scripts do.
        progress: Called with how many pairs are measured and how many there are.

    Returns:
        Values `[M]` of each of `FIGURES`, float64; NaN where a pair lacks what the figure needs.
    """
    values = {name: np.full(len(pairs.pairs), np.nan) for name in FIGURES}
    for start in range(0, len(pairs.pairs), BATCH):
        rows = np.arange(start, min(start + BATCH, len(pairs.pairs)))
        found, truth = (torch.tensor([pairs.pairs[row][side] for row in rows]) for side in (0, 1))
        solid = _has_joints(pairs, found, truth)
        for name, column in _errors_3d(pairs, found[solid], truth[solid], reflect).items():
            values[name][rows[solid.numpy()]] = column.numpy()
        for row, i, j in zip(rows, found.tolist(), truth.tolist(), strict=True):
            values["mse_2d"][row] = _error_2d(pairs.found.keypoints_2d[i], pairs.truth.keypoints_2d[j])
        if progress is not None:
            progress(int(rows[-1]) + 1, len(pairs.pairs))
    return values


def _has_joints(pairs: HandPairs, found: Tensor, truth: Tensor) -> Tensor:
    """Return of which pairs all joints are known on both sides."""
    known = pairs.found.keypoints_3d[found].isfinite() & pairs.truth.keypoints_3d[truth].isfinite()
    return known.all(-1).all(-1)


def _errors_3d(pairs: HandPairs, found: Tensor, truth: Tensor, reflect: bool) -> dict[str, Tensor]:
    joints, wanted = pairs.found.keypoints_3d[found], pairs.truth.keypoints_3d[truth]
    errors = {
        "mpjpe": mpjpe(joints, wanted),
        "pa_mpjpe": pa_mpjpe(joints, wanted, reflect),
        "auc_j": _each(auc, joints - joints[:, :1], wanted - wanted[:, :1]),
        "pa_auc_j": _each(auc, align(joints, wanted, reflect), wanted),
    }
    if pairs.found.vertices is None or pairs.truth.vertices is None:
        return errors
    surface, wanted_surface = pairs.found.vertices[found].double(), pairs.truth.vertices[truth].double()
    if same_mesh(pairs):
        errors["mpvpe"] = mpvpe(surface, wanted_surface, joints[:, 0], wanted[:, 0])
        errors["pa_mpvpe"] = pa_mpvpe(surface, wanted_surface, reflect)
        aligned = align(surface, wanted_surface, reflect)
        errors["pa_auc_v"] = _each(auc, aligned, wanted_surface)
    else:
        # FreiHAND's script does so too with meshes that are not MANO's, but turns them about their own middle.
        aligned = fit_similarity(joints, wanted, reflect)(surface)
    errors["pa_f5"], errors["pa_f15"] = f_scores(aligned, wanted_surface, (5.0, 15.0))
    return errors


def same_mesh(pairs: HandPairs) -> bool:
    """Return whether vertices of predictions and truth belong to each other one by one."""
    found, truth = pairs.found.vertices, pairs.truth.vertices
    if found is None or truth is None:
        return False
    return pairs.found.mesh == pairs.truth.mesh and found.shape[1] == truth.shape[1]


def _each(figure: Callable[[Tensor, Tensor], Tensor], found: Tensor, wanted: Tensor) -> Tensor:
    """Return a figure of sets of points for each sample alone; where all points are known, their mean is the set's."""
    rows = [figure(a[None], b[None]) for a, b in zip(found, wanted, strict=True)]
    return torch.stack(rows) if rows else found.new_zeros(0)


def _error_2d(found: Tensor, wanted: Tensor) -> float:
    """MSE-2D over the points `[21, 2]` that both know; NaN without any."""
    size = hand_size(wanted)
    known = (found.isfinite() & wanted.isfinite()).all(-1)
    if size is None or not known.any():
        return float("nan")
    return float(mse_2d(found[known][None], wanted[known][None], found.new_tensor([size])))


@torch.no_grad()
def two_hand_errors(pairs: HandPairs) -> tuple[list[int], dict[str, np.ndarray]]:
    """Measure how the two hands lie to each other in the pictures that have one right and one left hand.

    Args:
        pairs: From `pair_hands`.

    Returns:
        The true pictures in which both hands were found with their sides, P of them; and the values `[P]` of each of
        `TWO_HAND_FIGURES`, float64, NaN where it cannot be had.
    """
    found_of = {j: i for i, j in pairs.pairs}
    pictures, rows = [], []
    for picture, hands in sorted(pairs.truth.by_picture().items()):
        sides = [pairs.truth.side[j] for j in hands]
        if sorted(sides) != ["left", "right"] or not all(j in found_of for j in hands):
            continue
        right, left = (hands[sides.index(side)] for side in ("right", "left"))
        row = found_of[right], found_of[left], right, left
        if any(sides_differ(pairs.found.side[i], pairs.truth.side[j]) for i, j in zip(row[:2], row[2:], strict=True)):
            continue
        if bool(_has_joints(pairs, torch.tensor(row[:2]), torch.tensor(row[2:])).all()):
            pictures.append(picture)
            rows.append(row)
    values = {name: np.full(len(rows), np.nan) for name in TWO_HAND_FIGURES}
    for start in range(0, len(rows), BATCH):
        part = slice(start, start + BATCH)
        right, left, true_right, true_left = torch.tensor(rows[part]).T
        wrists = pairs.found.keypoints_3d[:, 0], pairs.truth.keypoints_3d[:, 0]
        values["mrrpe"][part] = mrrpe(wrists[0][right], wrists[0][left], wrists[1][true_right], wrists[1][true_left])
        found, true = pairs.found.vertices, pairs.truth.vertices
        if same_mesh(pairs) and found is not None and true is not None:
            values["rrve"][part] = rrve(
                found[right].double(), found[left].double(), true[true_right].double(), true[true_left].double(),
                wrists[0][right], wrists[1][true_right],
            )  # fmt: skip
    return pictures, values
