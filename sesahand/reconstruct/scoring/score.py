"""How well the hands in a picture are the hands that were asked for: one number, and what it is made of.

Requested and found hands are paired picture by picture, each pair gets a score, and a picture's score is between the
mean and the worst of its requested hands, less a little for hands that nobody asked for:

    pair    = steadiness * (WRONG_SIDE if it is the other side or shows its back for its palm, else 1)
              * geometric mean of the parts, weighted by WEIGHTS
    hands   = the pair of each requested hand, 0 for a missing one
    picture = ((1 - WORST_HAND) * mean(hands) + WORST_HAND * min(hands)) / (1 + extra_cost * number of extra hands)

Each part is in 0..1, 1 for no difference, and never falls when its own figure gets better. An error e becomes
1 / (1 + (e / HALF)^2), which is a half at HALF and has a tail: very wrong and extremely wrong stay different. Shares
(of covered pixels, agreeing fingers, the detector's confidence) become (share + FLOOR) / (1 + FLOOR), so that one of
them alone does not make all else worthless. A found hand is steady, 1, unless its landmarks moved by more than
DOUBTFUL_HAND when it was looked at turned, scaled and in the mirror; then it is less by as much as they moved more.
Hands equal to the requested ones, found with confidence 1, score 1.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ...callbacks import Progress
from ...errors import SesaHandError
from ...metrics.joint_errors import pa_mpjpe, pa_mpvpe
from ...metrics.keypoint_errors import mse_2d, mse_3d
from ...metrics.mask_overlap import mask_iou
from ...render.maps import close_hands, view_hand
from ...render.rasterizer import NEAR
from ...scene.camera import Camera
from ...scene.hand_scene import HandScene, grouped, hands_of_frames
from ..landmarks import DOUBTFUL_HAND, describe_doubt
from .facing import describe_face, palm_towards_viewer, same_face, seen_straight_on
from .finger_states import FingerStates, finger_agreement, read_fingers
from .matching import assign, check_number

# What the parts weigh. What makes the gesture (pose, surface, fingers) has more than half, as it is what goes wrong in
# generated pictures and what tells best (see the benchmark `score.py`); the rest is about where the hand is and how it
# is turned. A detector's confidence depends on much besides, and weighs least.
WEIGHTS = {
    "place": 0.125,
    "outline": 0.10,
    "view": 0.125,
    "pose": 0.25,
    "surface": 0.15,
    "fingers": 0.20,
    "confidence": 0.05,
}
# Errors that halve a part. Place: a tenth of the hand's box, about a finger's width. Pose and surface: 10 mm after
# Procrustes, beyond the 6 mm that good reconstructors leave on real pictures (HaMeR on FreiHAND). View: 30 mm from the
# wrist, which is a turn of about 20 degrees.
HALF_PLACE, HALF_POSE_MM, HALF_VIEW_MM = 0.10, 10.0, 30.0
FLOOR = 0.05
# Reconstruction takes the side from a detector that is sometimes wrong; a hand of the wrong side is still half right.
# So is one that shows its back where its palm was asked for: a depth map alone does not tell the two.
WRONG_SIDE = 0.5
# Half of the fingers' part is the mean of their facts, half the worst bend: one wrong finger makes another gesture.
WORST_FINGER = 0.5
# One good hand does not make up for a bad one beside it.
WORST_HAND = 0.5
# A second hand of the same person is often in the picture and was not posed.
EXTRA_COST = 0.1
# A picture that scores less has another hand than was asked for; the benchmark `score.py` says how surely.
DEFAULT_THRESHOLD = 0.5

# Matching: root-mean-square distance of keypoints in sizes of the requested hand, plus this for the other side. Farther
# away than one size, a found hand is another hand.
SIDE_COST, FARTHEST_COST = 0.5, 1.0
# Silhouettes are compared at this many pixels along the longer side of the box around both, whatever their size in the
# picture; edges are then exact to less than a hundredth.
SILHOUETTE_SIZE = 192


@dataclass(frozen=True, eq=False)
class PairScore:
    """A requested hand and the found hand it was paired with.

    Attributes:
        picture: The picture both are in.
        requested: Index of the requested hand in its scene.
        found: Index of the found hand in its scene.
        score: 0 to 1.
        parts: The parts of the score by the names of `WEIGHTS`, 0 to 1; those that could not be had are left out.
        right_side: Whether the sides are the same.
        mse_2d: Mean squared distance of keypoints over the squared longer side of the requested hand's box.
        mse_3d: Mean squared distance of keypoints relative to the wrist, square millimetres.
        pa_mpjpe: Millimetres.
        pa_mpvpe: Millimetres, or None for hands of different topologies.
        mask_iou: Of the two silhouettes, each hand alone and within the picture; None if neither is in it.
        confidence: The found hand's.
        finger_agreement: Bends thumb to pinky and the thumb's contacts, six of 0 to 1.
        requested_fingers: What each finger should do, in words.
        found_fingers: What each finger does.
        right_face: Whether they do not show palm and back.
        requested_face: What the viewer should see: palm, back or edge.
        found_face: What the viewer sees.
        steadiness: What doubt leaves of the score, 0 to 1: 1 unless the hand looked another each time it was looked at.
        doubtful: What of the found hand is not to be relied on, in words; empty if nothing is.
    """

    picture: int
    requested: int
    found: int
    score: float
    parts: dict[str, float]
    right_side: bool
    mse_2d: float
    mse_3d: float
    pa_mpjpe: float
    pa_mpvpe: float | None
    mask_iou: float | None
    confidence: float
    finger_agreement: tuple[float, ...]
    requested_fingers: dict[str, str]
    found_fingers: dict[str, str]
    right_face: bool
    requested_face: str
    found_face: str
    steadiness: float = 1.0
    doubtful: str = ""


@dataclass(frozen=True, eq=False)
class HandScores:
    """The scores of F pictures.

    Attributes:
        requested: The hands that were asked for, at the size of the pictures; one frame for all, or F.
        found: The hands found in the pictures.
        pictures: Score of each picture, 0 to 1; 0 where hands could not be looked for (`not_looked_for`), or none was
            asked for.
        pairs: All pairs, by picture and requested hand.
        missing: (picture, index) of requested hands that were looked for and not found.
        extra: (picture, index) of found hands that were not asked for.
    """

    requested: HandScene
    found: HandScene
    pictures: tuple[float, ...]
    pairs: tuple[PairScore, ...]
    missing: tuple[tuple[int, int], ...]
    extra: tuple[tuple[int, int], ...]

    @property
    def mean(self) -> float:
        """Mean over the pictures."""
        return sum(self.pictures) / len(self.pictures)

    @property
    def worst(self) -> float:
        """Score of the worst picture."""
        return min(self.pictures)

    @property
    def not_looked_for(self) -> bool:
        """Whether no hand was found for another reason than that there is none; `found.note` tells it."""
        return _not_looked_for(self.found)

    def to_json(self) -> str:
        """Return all figures as JSON text, for other programs."""
        from .score_report import scores_to_json

        return scores_to_json(self)

    def ranking(self) -> list[int]:
        """Return the pictures from best to worst; of equally good ones, the first comes first."""
        return sorted(range(len(self.pictures)), key=lambda picture: -self.pictures[picture])

    def requested_in(self, picture: int) -> list[int]:
        """Return the requested hands of a picture."""
        return self._requested_by_frame.get(picture if self.requested.num_frames > 1 else 0, [])

    @cached_property
    def _requested_by_frame(self) -> dict[int, list[int]]:
        return hands_of_frames(self.requested.frame)

    @cached_property
    def pairs_by_picture(self) -> dict[int, list[PairScore]]:
        """The pairs of each picture that has any."""
        return grouped((pair.picture, pair) for pair in self.pairs)


@torch.no_grad()
def score_hands(
    requested: HandScene, found: HandScene, extra_cost: float = EXTRA_COST, progress: Progress | None = None
) -> HandScores:
    """Compare the hands found in pictures with those that were asked for.

    Args:
        requested: What was asked for. One frame counts for every picture; else as many frames as there are pictures.
        found: The hands reconstructed from F pictures. The cameras may differ in focal length, not in the pictures'
            proportions.
        extra_cost: How much each hand counts that nobody asked for; 0 does not mind them.
        progress: Called after each pair of hands with how many are done and how many there are.

    Returns:
        The scores. A picture in which no hand was asked for scores 0, as nothing is known to be good in it; so does one
        in which none of the requested hands was found. All are 0 if hands could not be looked for.

    Raises:
        SesaHandError: If the frames or proportions do not fit, or `extra_cost` is negative or not finite.
    """
    if not 0 <= extra_cost < math.inf:
        raise SesaHandError(f"extra_cost is {extra_cost}, expected a finite number from 0 on.")
    requested = _in_the_same_pictures(requested, found)
    if _not_looked_for(found):
        return HandScores(requested, found, (0.0,) * found.num_frames, (), (), ())
    asked, got = _Seen.of(requested), _Seen.of(found)
    asked_in, found_in = hands_of_frames(requested.frame), hands_of_frames(found.frame)
    pairs, missing, extra = [], [], []
    for picture in range(found.num_frames):
        frame = picture if requested.num_frames > 1 else 0
        rows, columns = asked_in.get(frame, []), found_in.get(picture, [])
        check_number(len(rows), len(columns), f"Picture {picture + 1}")
        chosen = assign(_costs(asked, got, rows, columns), FARTHEST_COST)
        taken = [(row, columns[c]) for row, c in zip(rows, chosen, strict=True) if c is not None]
        pairs += [(picture, row, column) for row, column in taken]
        missing += [(picture, row) for row, c in zip(rows, chosen, strict=True) if c is None]
        chosen_columns = {column for _, column in taken}
        extra += [(picture, column) for column in columns if column not in chosen_columns]
    scored = _score_pairs(asked, got, pairs, progress)
    scores: dict[int, list[float]] = {}
    for picture, score in [(pair.picture, pair.score) for pair in scored] + [(picture, 0.0) for picture, _ in missing]:
        scores.setdefault(picture, []).append(score)
    unasked = Counter(picture for picture, _ in extra)
    pictures = [_picture_score(scores.get(n, []), extra_cost * unasked[n]) for n in range(found.num_frames)]
    return HandScores(requested, found, tuple(pictures), tuple(scored), tuple(missing), tuple(extra))


def _not_looked_for(found: HandScene) -> bool:
    return not len(found) and bool(found.note)


def _in_the_same_pictures(requested: HandScene, found: HandScene) -> HandScene:
    """Return the requested hands as they would be seen in pictures of the found hands' size."""
    if requested.num_frames not in (1, found.num_frames):
        raise SesaHandError(
            f"Hands were requested for {requested.num_frames} pictures, but looked for in {found.num_frames}. Request "
            "one frame, which counts for every picture, or as many as there are pictures."
        )
    try:
        return requested.resized(found.camera.width, found.camera.height)
    except SesaHandError as error:
        raise SesaHandError(
            f"The requested hands were placed in pictures of other proportions than those that hands were found in: "
            f"{error} Place them at the size of the pictures (Place Hand's width and height)."
        ) from error


def _picture_score(hands: list[float], cost: float) -> float:
    """The score of a picture out of those of its requested hands, and what hands that nobody asked for cost it."""
    if not hands:
        return 0.0
    mean = sum(hands) / len(hands)
    return ((1 - WORST_HAND) * mean + WORST_HAND * min(hands)) / (1 + cost)


@dataclass(frozen=True, eq=False)
class _Seen:
    """A scene's hands posed and projected, float64 on the CPU: the arithmetic is little, and its digits count."""

    scene: HandScene
    vertices: Tensor
    keypoints: Tensor
    vertices_2d: Tensor
    keypoints_2d: Tensor
    visible: Tensor

    @classmethod
    def of(cls, scene: HandScene) -> "_Seen":
        posed = scene.pose()
        vertices, keypoints = posed.vertices.double().cpu(), posed.keypoints.double().cpu()
        ahead = (vertices[..., 2] > NEAR).all(1) & (keypoints[..., 2] > NEAR).all(1)
        # Hands behind the camera have no place in the picture; any finite one stands in until they are sorted out.
        flat, flat_points = (
            scene.camera.project(p.where(ahead[:, None, None], torch.ones_like(p))) for p in (vertices, keypoints)
        )
        return cls(scene, vertices, keypoints, flat, flat_points, ahead)

    @property
    def box(self) -> Tensor:
        """Around each hand's vertices `[N, 4]`: left, top, right, bottom in pixels."""
        return torch.cat([self.vertices_2d.amin(1), self.vertices_2d.amax(1)], -1)

    @property
    def size(self) -> Tensor:
        """Longer side of each hand's box `[N]` in pixels, at least one pixel."""
        box = self.box
        return (box[:, 2:] - box[:, :2]).amax(-1).clamp(min=1.0)


def _costs(asked: _Seen, got: _Seen, rows: list[int], columns: list[int]) -> list[list[float]]:
    """Return what it costs to pair each of a picture's requested hands with each of its found ones."""
    if not rows or not columns:
        return [[] for _ in rows]
    row, column = torch.cartesian_prod(torch.tensor(rows), torch.tensor(columns)).unbind(1)
    distance = mse_2d(got.keypoints_2d[column], asked.keypoints_2d[row], asked.size[row]).sqrt()
    other = asked.scene.is_right[row] != got.scene.is_right[column]
    cost = distance + SIDE_COST * other
    cost[~(asked.visible[row] & got.visible[column])] = math.inf
    return cost.view(len(rows), len(columns)).tolist()


def _score_pairs(
    asked: _Seen, got: _Seen, pairs: list[tuple[int, int, int]], progress: Progress | None
) -> list[PairScore]:
    if not pairs:
        return []
    picture, row, column = zip(*pairs, strict=True)
    a, g = torch.tensor(row), torch.tensor(column)
    same_topology = torch.equal(asked.scene.model.faces.cpu(), got.scene.model.faces.cpu())
    overlaps = []
    for done, (_, i, j) in enumerate(pairs, start=1):
        overlaps.append(silhouette_iou(asked, got, i, j))
        if progress is not None:
            progress(done, len(pairs))
    want, have = (read_fingers(s.scene, s.keypoints) for s in (asked, got))
    agreement = finger_agreement(_of(have, g), _of(want, a))
    views = got.keypoints[g], asked.keypoints[a]
    if _look_elsewhere(asked.scene.camera, got.scene.camera):
        views = seen_straight_on(views[0]), seen_straight_on(views[1])
    figures: dict[str, Sequence[Any]] = {
        "mse_2d": mse_2d(got.keypoints_2d[g], asked.keypoints_2d[a], asked.size[a]).tolist(),
        "mse_3d": mse_3d(*views).tolist(),
        "pa_mpjpe": pa_mpjpe(got.keypoints[g], asked.keypoints[a]).tolist(),
        "pa_mpvpe": pa_mpvpe(got.vertices[g], asked.vertices[a]).tolist() if same_topology else [None] * len(pairs),
        "mask_iou": overlaps,
        "confidence": got.scene.score[g].tolist(),
        "finger_agreement": [tuple(each) for each in agreement.tolist()],
        "right_side": [asked.scene.side[i] == got.scene.side[j] for i, j in zip(row, column, strict=True)],
    }
    faces = [palm_towards_viewer(s.keypoints, s.scene.is_right)[n] for s, n in ((asked, a), (got, g))]
    right_face = same_face(*faces).tolist()
    scored = []
    for k, (p, i, j) in enumerate(pairs):
        own = {name: values[k] for name, values in figures.items()}
        parts = parts_of(**{name: own[name] for name in own if name != "right_side"})
        doubt = [math.nan] * 6 if got.scene.doubt is None else got.scene.doubt[j].tolist()
        steadiness = DOUBTFUL_HAND / doubt[0] if doubt[0] > DOUBTFUL_HAND else 1.0
        score = pair_score(parts, own["right_side"] and right_face[k]) * steadiness
        wanted_face, found_face = (describe_face(float(face[k])) for face in faces)
        scored.append(PairScore(p, i, j, score, parts, **own, requested_fingers=want.describe(i),
                                found_fingers=have.describe(j), right_face=right_face[k],
                                requested_face=wanted_face, found_face=found_face, steadiness=steadiness,
                                doubtful=describe_doubt(doubt)))  # fmt: skip
    return scored


def _look_elsewhere(one: Camera, other: Camera) -> bool:
    """Tell whether cameras of one picture are not directed at the same pixel, as that of a crop is not."""
    return any(abs(a - b) > 1 for a, b in zip(one.principal_point, other.principal_point, strict=True))


def _of(fingers: FingerStates, index: Tensor) -> FingerStates:
    return FingerStates(fingers.flexion[index], fingers.thumb_distance[index])


def parts_of(
    mse_2d: float,
    mse_3d: float,
    pa_mpjpe: float,
    pa_mpvpe: float | None,
    mask_iou: float | None,
    confidence: float,
    finger_agreement: tuple[float, ...],
) -> dict[str, float]:
    """Return the parts of a pair's score, each 0 to 1, from its figures as in `PairScore`."""
    mean, worst = sum(finger_agreement) / len(finger_agreement), min(finger_agreement[:5])
    fingers = (1 - WORST_FINGER) * mean + WORST_FINGER * worst
    parts = {
        "place": _from_error(math.sqrt(mse_2d), HALF_PLACE),
        "outline": None if mask_iou is None else _from_share(mask_iou),
        "view": _from_error(math.sqrt(mse_3d), HALF_VIEW_MM),
        "pose": _from_error(pa_mpjpe, HALF_POSE_MM),
        "surface": None if pa_mpvpe is None else _from_error(pa_mpvpe, HALF_POSE_MM),
        "fingers": _from_share(fingers),
        "confidence": _from_share(min(max(confidence, 0.0), 1.0)),
    }
    return {name: part for name, part in parts.items() if part is not None}


def pair_score(parts: dict[str, float], right_side: bool) -> float:
    """Return the weighted geometric mean of parts, halved for the wrong side; weights of parts that lack are shared."""
    weight = sum(WEIGHTS[name] for name in parts)
    mean = math.exp(sum(WEIGHTS[name] * math.log(part) for name, part in parts.items()) / weight)
    return min(1.0, mean) * (1.0 if right_side else WRONG_SIDE)


def _from_error(error: float, half: float) -> float:
    return 1 / (1 + (error / half) ** 2)


def _from_share(share: float) -> float:
    return (share + FLOOR) / (1 + FLOOR)


def silhouette_iou(asked: _Seen, got: _Seen, i: int, j: int) -> float | None:
    """Return the overlap of two hands' silhouettes within the picture, or None if neither is in it."""
    camera = got.scene.camera
    boxes = torch.stack([asked.box[i], got.box[j]])
    edge = boxes.new_tensor([camera.width, camera.height])
    low, high = boxes[:, :2].amin(0).clamp(min=0), torch.minimum(boxes[:, 2:].amax(0), edge)
    if not (low < high).all():
        return None
    scale = SILHOUETTE_SIZE / float((high - low).max())
    width, height = (max(1, math.ceil(side * scale)) for side in (high - low).tolist())

    def silhouette(seen: _Seen, index: int) -> Tensor:
        x, y = seen.scene.camera.principal_point
        centre = (x - float(low[0])) * scale, (y - float(low[1])) * scale
        window = Camera(seen.scene.camera.focal_length * scale, centre, width, height)
        hand = seen.scene.select([index])
        pixels = view_hand(close_hands(hand, seen.vertices[index, None], forearm=False)[0], window)
        mask = torch.zeros(height, width, dtype=torch.bool)
        mask[pixels.y, pixels.x] = True
        return mask

    masks = silhouette(got, j), silhouette(asked, i)
    return float(mask_iou(*masks)) if masks[0].any() or masks[1].any() else None
