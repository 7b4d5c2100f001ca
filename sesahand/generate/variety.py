"""What differs from picture to picture of one order: view, side, shape, size, joints and the style of the words.

Everything about picture number i is a function of a seed and i alone, whatever else is made, left out or made before:
a set that is planned in parts is the set that is made at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..errors import SesaHandError, quote
from ..hands.gestures import Gesture
from ..hands.limits import joint_frames
from ..hands.model import HandModel
from ..hands.pose import jitter
from ..scene.placement import Placement
from ..scene.placing import Hand
from ..semantics.behavior import ImageSemantics
from ..semantics.composer import as_typed, compose

KINDS = ("view", "side", "shape", "size", "joints", "caption")
"""What can vary; new ones go last."""

STYLES = CLEAN, SHORT, RAW = "clean", "short", "raw"
"""A prompt is composed of all components, of what the hand does and some of the others, or is the caption itself."""
STYLE_SHARES = (0.6, 0.3, 0.1)

# Degrees that a view wanders from the gesture's own: standard deviation, and the most.
ROLL, PITCH, YAW, MOST_SIGMAS = 14.0, 16.0, 24.0, 1.8
# Degrees about the vertical from the face that a gesture is known by: that one, the other one, and the two edges.
FACES, FACE_SHARES = (0.0, 180.0, 90.0, -90.0), (0.6, 0.28, 0.06, 0.06)
# Quarter turns in the picture, degrees, and how often: arms come from below for the most part.
TURNS, TURN_SHARES = (0.0, 90.0, -90.0, 180.0), (0.55, 0.175, 0.175, 0.1)
# Standard deviation of each beta, and the most: shapes of people.
BETA_SPREAD, BETA_MOST = 0.7, 1.6
# Longer side of a hand's box as a part of the picture's shorter side, and what stays free at the edge.
SIZES, MARGIN = (0.4, 0.84), 0.03
JOINT_DEGREES = 5.0
# What a short prompt keeps of the other components.
KEPT = 0.5


@dataclass(frozen=True)
class Variation:
    """How one picture differs.

    Attributes:
        roll: Degrees added to the placement's, clockwise in the picture.
        pitch: Degrees, fingers towards the camera.
        yaw: Degrees about the vertical.
        turn: Degrees of a quarter turn in the picture, besides.
        face: Degrees about the vertical, besides, that show another face than the gesture is known by: one of `FACES`.
        side: "right" or "left".
        betas: Shape, ten numbers.
        size: Longer side of the hand's box as a part of the picture's shorter side.
        place: Where in the room that is left the box lies, 0..1 across and down.
        joint_seed: Of the jitter of the joints.
        style: One of `STYLES`.
        kept: Which components besides the hand's action a short prompt keeps: pose, action, environment.
    """

    roll: float
    pitch: float
    yaw: float
    turn: float
    face: float
    side: str
    betas: tuple[float, ...]
    size: float
    place: tuple[float, float]
    joint_seed: int
    style: str
    kept: tuple[bool, bool, bool]


def draw_variation(seed: int, index: int, attempt: int = 0) -> Variation:
    """Return how picture number `index` of a seed differs.

    Args:
        seed: Of the order, from 0.
        index: Number of the picture, from 0.
        attempt: Which of several proposals for the same picture, for who chooses among them.
    """
    rng = np.random.default_rng([seed, index, attempt])

    def wander(sigma: float) -> float:
        return sigma * float(np.clip(rng.standard_normal(), -MOST_SIGMAS, MOST_SIGMAS))

    # All is drawn, in this order, whatever is asked to vary: one kind more does not change the others.
    roll, pitch, yaw = wander(ROLL), wander(PITCH), wander(YAW)
    turn = TURNS[int(rng.choice(len(TURNS), p=TURN_SHARES))]
    face = FACES[int(rng.choice(len(FACES), p=FACE_SHARES))]
    side = "right" if rng.random() < 0.5 else "left"
    betas = np.clip(BETA_SPREAD * rng.standard_normal(10), -BETA_MOST, BETA_MOST)
    size = float(rng.uniform(*SIZES))
    across, down = rng.random(2).tolist()
    joint_seed = int(rng.integers(2**31))
    style = STYLES[int(rng.choice(len(STYLES), p=STYLE_SHARES))]
    kept = tuple((rng.random(3) < KEPT).tolist())
    return Variation(
        roll, pitch, yaw, turn, face, side, tuple(betas.tolist()), size, (across, down), joint_seed, style, kept
    )


def check_kinds(kinds: Iterable[str]) -> tuple[str, ...]:
    """Return what is to vary in the order of `KINDS`; a SesaHandError names a word that is none of them."""
    kinds = tuple(kinds)
    for kind in kinds:
        if kind not in KINDS:
            raise SesaHandError(f"What varies is {quote(kind)}; choose of {', '.join(KINDS)}.")
    return tuple(kind for kind in KINDS if kind in kinds)


def vary_hand(variation: Variation, kinds: tuple[str, ...], model: HandModel, gesture: Gesture) -> Hand:
    """Return a right hand in a gesture, with other joints and of another shape where these vary."""
    pose = gesture.hand_pose
    if "joints" in kinds:
        pose = jitter(pose, JOINT_DEGREES, variation.joint_seed, joint_frames(model))
    betas = torch.tensor(variation.betas) if "shape" in kinds else None
    return Hand.in_gesture(model, gesture, pose, betas)


def vary_placement(
    variation: Variation,
    kinds: tuple[str, ...],
    placement: Placement,
    hands: int = 1,
    may_show_other_faces: bool = True,
    may_turn: bool = True,
) -> Placement:
    """Return a placement with another view and size where these vary.

    Args:
        variation: How.
        kinds: What varies.
        placement: What is asked for; its angles are the middle of the views.
        hands: How many hands stand side by side.
        may_show_other_faces: Whether the words leave open which face is seen.
        may_turn: Whether they leave open where fingers point.
    """
    if "view" in kinds:
        face = variation.face if may_show_other_faces else 0.0
        turn = variation.turn if may_turn else 0.0
        placement = replace(
            placement,
            roll=placement.roll + variation.roll + turn,
            pitch=placement.pitch + variation.pitch,
            yaw=placement.yaw + variation.yaw + face,
        )
    if "size" in kinds:
        placement = replace(placement, box=box_of(variation, placement.size, hands))
    return placement


def box_of(variation: Variation, size: tuple[int, int], hands: int = 1) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom in pixels of a varied hand's box, or of several hands beside each other.

    Args:
        variation: How large and where.
        size: Width and height of the picture in pixels.
        hands: How many hands share the box.
    """
    width, height = size
    margin = MARGIN * min(size)
    side = variation.size * min(size)
    wide = min(hands * side, width - 2 * margin)
    left = margin + variation.place[0] * max(width - 2 * margin - wide, 0)
    top = margin + variation.place[1] * max(height - 2 * margin - side, 0)
    return left, top, left + wide, top + side


def vary_words(variation: Variation, image: ImageSemantics, prefix: str = "", style: str = "") -> ImageSemantics:
    """Return semantics with a prompt of the variation's style; words without components keep theirs.

    Args:
        variation: Has the style.
        image: Semantics with its clean prompt.
        prefix: Goes in front of a prompt.
        style: Goes behind it.
    """
    behavior = image.behavior
    if variation.style == RAW and image.caption.strip():
        return as_typed(image, image.caption, prefix, style)
    if variation.style == SHORT and behavior.hand_action:
        others = zip(("pose", "action", "environment"), variation.kept, strict=True)
        left_out = {name: "" for name, keep in others if not keep}
        kept = behavior.replace(**left_out)
        composed = compose(kept, prefix=prefix, style=style)
        return replace(image, behavior=kept, prompt=composed.prompt, spans=composed.spans)
    return image
