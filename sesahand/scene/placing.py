"""Putting a posed hand where the picture wants it: into a box, at a point, or over a mask.

The canonical view shows the palm with the fingers up; the thumb of a right hand is then on the right of the picture.
Angles in degrees turn a hand from the view it brings along (`Hand.orient`, the canonical one unless said otherwise)
about the camera's axes, first pitch, then yaw, then roll:

- roll turns it in the picture, clockwise: 90 lets the fingers point right;
- yaw turns it about the vertical, bringing its right side in the picture nearer: 90 shows it edge on, 180 its back;
- pitch tips it about the horizontal, bringing the upper side in the picture nearer.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from ..callbacks import Progress
from ..errors import SesaHandError
from ..hands.gestures import Gesture
from ..hands.model import NUM_BETAS, NUM_JOINTS, HandModel, check_parameters
from ..hands.rotations import axis_angle_to_matrix, mirror_rotation
from .bounding_boxes import check_box
from .camera import Camera
from .hand_scene import SIDES, HandScene, combine
from .held_object import HeldObject
from .mask_regions import Region, find_regions

logger = logging.getLogger(__name__)

# Nearer than this (metres) perspective is grotesque and parts of the hand come to lie behind the camera.
NEAREST = 0.05
# Boxes and hands differ less in the logarithm of width over height; halved so often, it is known to 1e-9.
LARGEST_LOG_ASPECT, BISECTIONS = 16.0, 35

# Space between the hands of a pair, as a share of the pair's box.
PAIR_GAP = 0.04

# Columns are where the rest hand's x, y and z go in the camera's frame (x right, y down, z forward).
CANONICAL = {
    "right": ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    "left": ((0.0, 0.0, -1.0), (-1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
}

# The views that are tried over a mask, degrees.
ROLL_STEP = 5
TILTS = tuple(range(-90, 91, 15))
MAX_TILT = 90
# Tilted further, another side of the hand than the one that was asked for would come to face the viewer.
MAX_TILT_OF_OTHERS = 45

PALM, AS_POSED = "palm", "as posed"
FACINGS = (PALM, "back", AS_POSED, "thumb side", "little-finger side")
"""What of the hand faces the viewer over a mask; "as posed" leaves it turned as it is. New ones go last."""
# Turn about the vertical from the canonical view of a right hand, degrees; a left hand turns the other way.
YAWS = {PALM: 0.0, "back": 180.0, "thumb side": 90.0, "little-finger side": -90.0}

# A region with a longer side of fewer pixels has no room for fingers.
SMALLEST_HAND = 32
NO_FINGERS = (
    "a hand of that size has no fingers to be seen. Paint the whole hand white, or crop the picture to it first."
)
SHORTLIST = 12
# Beyond this overlap of the boxes, an upright and unforeshortened hand matters more than a tighter fit.
GOOD_OVERLAP, LEAST_OVERLAP = 0.92, 0.84


@dataclass(frozen=True, eq=False)
class Hand:
    """One hand to be placed.

    Attributes:
        model: The hand model.
        hand_pose: Absolute joint rotations `[15, 3, 3]`; None is the flat rest hand.
        betas: Shape `[10]`; None is the mean shape.
        side: "right" or "left"; pose and shape are this side's own.
        orient: How it is seen before it is turned, a rotation into the camera's frame `[3, 3]`; None is the canonical
            view.
        held: What it holds; None is nothing.
    """

    model: HandModel
    hand_pose: Tensor | None = None
    betas: Tensor | None = None
    side: str = "right"
    orient: Tensor | None = None
    held: HeldObject | None = None

    def __post_init__(self):
        if self.side not in SIDES:
            raise SesaHandError(f"The side must be 'right' or 'left', got {self.side!r}.")
        if self.hand_pose is None:
            object.__setattr__(self, "hand_pose", torch.eye(3).repeat(NUM_JOINTS - 1, 1, 1))
        if self.betas is None:
            object.__setattr__(self, "betas", torch.zeros(NUM_BETAS))
        if self.orient is None:
            object.__setattr__(self, "orient", view_rotation(self.side).to(self.hand_pose))
        hand_pose, betas, orient = self.parameters()
        check_parameters(1, hand_pose=hand_pose[None], betas=betas[None], global_orient=orient[None])

    def parameters(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return `hand_pose` `[15, 3, 3]`, `betas` `[10]` and `orient` `[3, 3]`, none of which is missing in a hand."""
        return cast(tuple[Tensor, Tensor, Tensor], (self.hand_pose, self.betas, self.orient))

    @classmethod
    def of(cls, scene: HandScene, index: int = 0) -> "Hand":
        """Return one hand of a scene as it is seen there, without its place."""
        if not 0 <= index < len(scene):
            raise SesaHandError(f"There is no hand {index}: the scene has {len(scene)}.")
        return cls(
            scene.model, scene.hand_pose[index], scene.betas[index], scene.side[index], scene.global_orient[index],
            scene.held_by(index),
        )  # fmt: skip

    @classmethod
    def in_gesture(
        cls, model: HandModel, gesture: Gesture, hand_pose: Tensor | None = None, betas: Tensor | None = None
    ) -> "Hand":
        """Return a right hand in a gesture, in the view in which people know it.

        Args:
            model: The hand model.
            gesture: The gesture.
            hand_pose: Absolute joint rotations `[15, 3, 3]` in the place of the gesture's own, for example with fingers
                bent further.
            betas: Shape `[10]`; None is the mean shape.
        """
        return cls(model, gesture.hand_pose if hand_pose is None else hand_pose, betas).turned(*gesture.view)

    def turned(self, roll: float = 0.0, pitch: float = 0.0, yaw: float = 0.0) -> "Hand":
        """Return the hand turned from how it is seen, angles in degrees."""
        canonical = view_rotation(self.side)
        turn = view_rotation(self.side, roll, pitch, yaw) @ canonical.mT
        hand_pose, _, orient = self.parameters()
        return replace(self, orient=(turn @ orient.double()).to(hand_pose))

    def around_wrist(self) -> tuple[Tensor, Tensor]:
        """Return the vertices relative to the wrist joint `[V, 3]` and the wrist joint `[3]`, unturned, float64."""
        hand_pose, betas, _ = self.parameters()
        posed = self.model(
            torch.eye(3)[None], hand_pose[None], betas[None], torch.zeros(1, 3),
            torch.tensor([self.side == "right"]),
        )  # fmt: skip
        wrist = posed.keypoints[0, 0].double()
        return posed.vertices[0].double() - wrist, wrist

    def scene(
        self, camera: Camera, orient: Tensor, translation: Tensor, frame: Tensor | None = None, num_frames: int = 1
    ) -> HandScene:
        """Return a scene with this hand once per row.

        Args:
            camera: What sees them.
            orient: `global_orient` of each, `[N, 3, 3]` in the camera's frame.
            translation: Of each, `[N, 3]`, metres in the camera's frame.
            frame: The frame of each, int64 `[N]`; the first if None.
            num_frames: How many frames there are.
        """
        count = len(orient)
        hand_pose, betas, _ = self.parameters()
        return HandScene(
            model=self.model,
            camera=camera,
            num_frames=num_frames,
            frame=torch.zeros(count, dtype=torch.int64) if frame is None else frame,
            side=(self.side,) * count,
            global_orient=orient.to(hand_pose),
            hand_pose=hand_pose.repeat(count, 1, 1, 1),
            betas=betas.repeat(count, 1),
            translation=translation.to(hand_pose),
            score=torch.ones(count),
            objects=() if self.held is None else tuple(replace(self.held, hand=n) for n in range(count)),
        )


def view_rotation(side: str, roll: float = 0.0, pitch: float = 0.0, yaw: float = 0.0) -> Tensor:
    """Return the `global_orient` `[3, 3]` (float64) of a hand turned from the canonical view, angles in degrees."""
    if not all(math.isfinite(angle) for angle in (roll, pitch, yaw)):
        raise SesaHandError(f"Angles must be finite numbers of degrees, got roll {roll}, pitch {pitch}, yaw {yaw}.")
    return _view_rotations(side, torch.tensor([[roll, pitch, yaw]], dtype=torch.float64))[0]


def _view_rotations(side: str, angles: Tensor) -> Tensor:
    """Return rotations `[N, 3, 3]` for roll, pitch and yaw `[N, 3]` in degrees from the canonical view."""
    return _turns(angles) @ torch.tensor(CANONICAL[side], dtype=angles.dtype)


def _turns(angles: Tensor) -> Tensor:
    """Return the rotations `[N, 3, 3]` about the camera's axes by roll, pitch and yaw `[N, 3]` in degrees."""
    roll, pitch, yaw = torch.deg2rad(angles).unbind(-1)
    none = torch.zeros_like(roll)
    about_z = axis_angle_to_matrix(torch.stack([none, none, roll], -1))
    about_x = axis_angle_to_matrix(torch.stack([pitch, none, none], -1))
    about_y = axis_angle_to_matrix(torch.stack([none, yaw, none], -1))
    return about_z @ about_y @ about_x


def place_in_box(
    hand: Hand,
    camera: Camera,
    box: tuple[float, float, float, float],
    roll: float = 0.0,
    pitch: float = 0.0,
    yaw: float = 0.0,
) -> HandScene:
    """Place a hand so that it fills a box in the picture as far as its shape allows.

    Args:
        hand: The posed hand.
        camera: The camera.
        box: x0, y0, x1, y1 in pixels; it may reach over the picture's edge.
        roll: Turn in the picture in degrees, see the module's text.
        pitch: Likewise.
        yaw: Likewise.

    Returns:
        A scene of one frame: the hand's box has the centre of `box`, lies within it and touches two of its sides.

    Raises:
        SesaHandError: If the box is empty, outside the picture, or so large that the hand would touch the camera.
    """
    target = _check_boxes(torch.tensor([box], dtype=torch.float64), camera)
    orient = hand.turned(roll, pitch, yaw).parameters()[2].double()[None]
    vertices, wrist = hand.around_wrist()
    return hand.scene(camera, orient, _fit(camera, vertices @ orient.mT, target, inside=True) - wrist)


def place_pair(
    hand: Hand,
    camera: Camera,
    box: tuple[float, float, float, float],
    roll: float = 0.0,
    pitch: float = 0.0,
    yaw: float = 0.0,
) -> HandScene:
    """Place a hand and its mirror image side by side, as of someone who shows both palms to the camera.

    Args:
        hand: The posed hand, of either side.
        camera: The camera.
        box: x0, y0, x1, y1 in pixels; the right hand fills its left half, the left hand its right half, but
            for a little space between them.
        roll: Turn of the right hand in degrees; the left hand is turned the mirrored way. Likewise the next two.
        pitch: Tip in degrees.
        yaw: Turn about the vertical in degrees.

    Returns:
        A scene with the right hand first.
    """
    right, left = sorted([hand, mirror_hand(hand)], key=lambda each: each.side == "left")
    return place_row([right, left], camera, box, roll, pitch, yaw)


def place_row(
    hands: Sequence[Hand],
    camera: Camera,
    box: tuple[float, float, float, float],
    roll: float = 0.0,
    pitch: float = 0.0,
    yaw: float = 0.0,
) -> HandScene:
    """Place hands side by side in one picture.

    Args:
        hands: Posed hands, from left to right; of a right and a left one alone the right comes first, as of someone who
            shows both to the camera.
        camera: The camera.
        box: x0, y0, x1, y1 in pixels; each hand fills an equal column of it, but for a little space between them.
        roll: Turn of each hand in degrees; the left one of a pair is turned the mirrored way. Likewise the next two.
        pitch: Tip in degrees.
        yaw: Turn about the vertical in degrees.
    """
    x0, y0, x1, y1 = box
    pair = sorted(hand.side for hand in hands) == ["left", "right"]
    if pair:
        hands = sorted(hands, key=lambda hand: hand.side == "left")
    turns = [-1 if pair and hand.side == "left" else 1 for hand in hands]
    width = (x1 - x0) / len(hands)
    gap = PAIR_GAP * (x1 - x0) / 2 if len(hands) > 1 else 0.0
    last = len(hands) - 1
    edges = [(x0 + k * width + gap * (k > 0), x0 + (k + 1) * width - gap * (k < last)) for k in range(len(hands))]
    return combine(
        [
            place_in_box(hand, camera, (left, y0, right, y1), turn * roll, pitch, turn * yaw)
            for hand, (left, right), turn in zip(hands, edges, turns, strict=True)
        ]
    )


def change_camera(scene: HandScene, camera: Camera) -> HandScene:
    """Move hands so that another camera shows them at the same place and size in the picture.

    HaMeR's and WiLoR's camera is so long a lens that their hands are tens of metres away; this brings them to where a
    camera with an everyday field of view sees them. Orientations stay, and perspective changes a little.

    Args:
        scene: Any hands.
        camera: The new camera, with pictures of the same size.

    Returns:
        The hands in front of `camera`; the box of each keeps its centre and area.

    Raises:
        SesaHandError: If the picture sizes differ, or a hand is not in front of its camera.
    """
    if (camera.width, camera.height) != (scene.camera.width, scene.camera.height):
        raise SesaHandError(
            f"The cameras take pictures of {scene.camera.width}x{scene.camera.height} and "
            f"{camera.width}x{camera.height} pixels; they must be of the same size."
        )
    if not len(scene):
        return replace(scene, camera=camera)
    vertices = scene.pose().vertices.double()
    if float(vertices[..., 2].min()) <= 0:
        raise SesaHandError(
            "A hand is not in front of its camera, so that it has no place in the picture to keep. Place it anew, at "
            "a depth above 0."
        )
    seen = scene.camera.project(vertices)
    boxes = torch.cat([seen.amin(1), seen.amax(1)], -1)
    translation = scene.translation.double()
    moved = _fit(camera, vertices - translation[:, None], boxes, inside=False)
    return replace(scene, camera=camera, translation=moved.to(scene.translation))


def mirror_hand(hand: Hand) -> Hand:
    """Return the hand of the other side in the mirrored pose."""
    other = "left" if hand.side == "right" else "right"
    hand_pose, betas, orient = hand.parameters()
    held = None if hand.held is None else hand.held.mirrored()
    return Hand(hand.model, mirror_rotation(hand_pose), betas, other, mirror_rotation(orient), held)


def place_in_mask(
    hand: Hand,
    camera: Camera,
    masks: Tensor,
    region: str = "largest",
    fingers: float | None = None,
    threshold: float | None = None,
    on_region: Progress | None = None,
    facing: str = PALM,
) -> HandScene:
    """Place a hand over the white region of a mask, for example to repaint a malformed hand.

    The hand's box takes the region's centre and area. The fingers point along the region's main axis, away from the
    picture's edge where the region touches it, else rather up than down. Where the box of such a hand would not match
    the region's, the view is rolled, tipped and turned just far enough that it does. A mask does not tell which side of
    the hand is seen; that is `facing`. As posed, nothing is guessed: the region gives place and size alone.

    Args:
        hand: The posed hand.
        camera: The camera, of the masks' size.
        masks: `[H, W]` or one mask per frame `[F, H, W]`, values 0 to 1 or bool.
        region: "largest" takes the largest white region of each mask, "all" takes everything white together, "each"
            places one hand on each region that has at least a twentieth of the largest one's area, and is no speck in
            the picture; what is left out is logged.
        fingers: Where the fingers point, in degrees clockwise from up; None finds out as described.
        threshold: Brighter pixels are white. None takes 0.5, or half of the brightest in a mask that stays below; in a
            photograph with a region painted white, which is grey for the most part, 0.98, and logs a warning.
        on_region: Called before each region with how many are done and how many there are. What it raises ends the
            placing.
        facing: What faces the viewer, one of `FACINGS`.

    Returns:
        A scene with as many frames as there are masks; an empty mask gives a frame without hands.

    Raises:
        SesaHandError: If every mask is empty, sizes differ, a value is not a number, or `facing` is none of these.
    """
    if facing not in FACINGS:
        raise SesaHandError(f"facing must be one of {', '.join(FACINGS)}, got {facing!r}.")
    masks = torch.as_tensor(masks)
    masks = masks[None] if masks.ndim == 2 else masks
    if masks.ndim != 3 or tuple(masks.shape[1:]) != (camera.height, camera.width) or not len(masks):
        raise SesaHandError(
            f"The mask has the shape {list(masks.shape)}, expected [frames, {camera.height}, {camera.width}], the size "
            "of the picture that the camera takes. Resize the mask or the camera."
        )
    if fingers is not None and not math.isfinite(fingers):
        raise SesaHandError(f"fingers must be an angle in degrees, got {fingers}.")
    regions = [(frame, found) for frame, mask in enumerate(masks) for found in find_regions(mask, region, threshold)]
    if not regions:
        raise SesaHandError(
            "The mask is empty: it has no white region that is more than a speck. Paint the hand's place white, or "
            "place the hand by box."
        )
    _warn_of_small([found for _, found in regions])
    frame = torch.tensor([frame for frame, _ in regions], dtype=torch.int64)
    views = None if facing == AS_POSED else _Views.of(hand, facing)
    fitted = []
    for done, (_, found) in enumerate(regions):
        if on_region is not None:
            on_region(done, len(regions))
        orient = hand.parameters()[2].double()
        if views is not None:
            orient = _best_view(camera, found, views, fingers)
        fitted.append((orient, _over_region(hand, camera, found, orient)))
    orient, translation = (torch.stack(parts) for parts in zip(*fitted, strict=True))
    return hand.scene(camera, orient, translation, frame, len(masks))


def _warn_of_small(regions: list[Region]) -> None:
    """Log that a region is too small for a hand of which anything is seen."""
    longer = min(max(x1 - x0, y1 - y0) for x0, y0, x1, y1 in (region.box for region in regions))
    if longer < SMALLEST_HAND:
        logger.warning("A white region of the mask is %d pixels long: %s", longer, NO_FINGERS)


def without_fingers(placed: HandScene) -> str:
    """Return that a hand is too small in the picture for its fingers to be seen; "" if all are large enough."""
    if not len(placed):
        return ""
    seen = placed.camera.project(placed.pose().vertices)
    longer = float((seen.amax(1) - seen.amin(1)).amax(1).min())
    return f"A hand is {longer:.0f} pixels long: {NO_FINGERS}" if longer < SMALLEST_HAND else ""


@dataclass(frozen=True)
class _Views:
    """The views that may be chosen over a mask, and the vertices that bound the hand's box in them.

    Attributes:
        base: The view with the asked side towards the viewer and the fingers up, `[3, 3]`, float64.
        angles: Roll, pitch and yaw from there in degrees `[K, 3]`, float64.
        outline: Outermost vertices around the wrist, turned into each view, metres `[K, P, 3]`, float32.
    """

    base: Tensor
    angles: Tensor
    outline: Tensor

    @classmethod
    def of(cls, hand: Hand, facing: str) -> "_Views":
        tilts = torch.tensor(TILTS, dtype=torch.float64)
        angles = torch.cartesian_prod(torch.arange(-180, 180, ROLL_STEP, dtype=torch.float64), tilts, tilts)
        angles = angles[angles[:, 1:].abs().sum(1) <= (MAX_TILT if facing == PALM else MAX_TILT_OF_OTHERS)]
        # The vertices farthest out in a hundred directions bound the box of every view closely enough.
        vertices, _ = hand.around_wrist()
        directions = _view_rotations("right", angles[:: len(angles) // 120])[:, 0]
        outer = vertices[(vertices @ directions.T).argmax(0).unique()]
        base = view_rotation(hand.side, yaw=YAWS[facing] if hand.side == "right" else -YAWS[facing])
        rotations = (_turns(angles) @ base).float()
        return cls(base, angles, torch.einsum("kab,pb->kpa", rotations, outer.float()))

    def aspects(self, camera: Camera, box: Tensor) -> Tensor:
        """Return width over height `[K]` of the hand's box, seen in the direction of a box in the picture."""
        # To first order in the hand's size, perspective shears what lies off the optical axis.
        x, y = ((box[2:] + box[:2]) / 2 - torch.tensor(camera.principal_point)).div(camera.focal_length).tolist()
        across, down, depth = self.outline.unbind(-1)
        across, down = across - x * depth, down - y * depth
        return ((across.amax(1) - across.amin(1)) / (down.amax(1) - down.amin(1))).double()


def _best_view(camera: Camera, region: Region, views: _Views, fingers: float | None) -> Tensor:
    """Return the orientation `[3, 3]` in which the hand's box fits a region best."""
    wanted = region.fingers if fingers is None else fingers
    box = torch.tensor(region.box, dtype=torch.float64)
    ratio = views.aspects(camera, box) / ((box[2] - box[0]) / (box[3] - box[1]))
    mismatch = torch.minimum(ratio, 1 / ratio).sqrt()
    # Overlap of two boxes of the same centre and area, whose aspect ratios differ by `mismatch` squared.
    overlap = mismatch / (2 - mismatch)
    # Where the user says how the fingers point, that holds; where the region is round, its axis says little.
    strictness = 4.0 if fingers is not None else 0.3 + region.elongation
    best = _preference(overlap, views.angles, wanted, strictness).topk(SHORTLIST).indices
    outline = views.outline[best].double()
    seen = camera.project(outline + _fit(camera, outline, box.expand(SHORTLIST, 4), inside=False)[:, None])
    exact = box_overlap(torch.cat([seen.amin(1), seen.amax(1)], -1), box)
    chosen = best[_preference(exact, views.angles[best], wanted, strictness).argmax()]
    return _turns(views.angles[chosen][None])[0] @ views.base


def _over_region(hand: Hand, camera: Camera, region: Region, orient: Tensor) -> Tensor:
    """Return the translation `[3]` that brings a hand of this orientation over a region."""
    box = torch.tensor([region.box], dtype=torch.float64)
    vertices, wrist = hand.around_wrist()
    return (_fit(camera, (vertices @ orient.mT)[None], box, inside=False) - wrist)[0]


def _preference(overlap: Tensor, angles: Tensor, wanted: float, strictness: float) -> Tensor:
    """Rate views: overlap first, up to what is good, then little deviation from the wanted direction and from flat."""
    off = (angles[:, 0] - wanted + 180) % 360 - 180
    deviation = strictness * (off / 90) ** 2 + (angles[:, 1] / 90) ** 2 + (angles[:, 2] / 90) ** 2
    lacking = (LEAST_OVERLAP - overlap).clamp(min=0)
    return 4 * overlap.clamp(max=GOOD_OVERLAP) - 40 * lacking - deviation


def box_overlap(first: Tensor, second: Tensor) -> Tensor:
    """Return intersection over union of boxes.

    Args:
        first: `[..., 4]`: x0, y0, x1, y1 in any unit of length.
        second: Likewise.

    Returns:
        0 to 1, `[...]`.
    """
    low, high = torch.maximum(first[..., :2], second[..., :2]), torch.minimum(first[..., 2:], second[..., 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    areas = [(box[..., 2:] - box[..., :2]).prod(-1) for box in (first, second)]
    return shared / (areas[0] + areas[1] - shared)


def _check_boxes(boxes: Tensor, camera: Camera) -> Tensor:
    for x0, y0, x1, y1 in boxes.tolist():
        named = f"The hand's place, the box from ({x0:g}, {y0:g}) to ({x1:g}, {y1:g}),"
        check_box((x0, y0, x1, y1), camera.width, camera.height, named)
    return boxes


def _fit(camera: Camera, turned: Tensor, boxes: Tensor, inside: bool) -> Tensor:
    """Find where the wrist must be for the hand's box in the picture to match the given box.

    Seen from depth z, all vertices (X, Y, Z) lie between the picture's columns l and r, given as tangents, if the
    wrist's x lies between max(lZ - X) + lz and min(rZ - X) + rz. The hand touches both where these meet: at one depth,
    `_span`, which falls as the columns part. Likewise for rows. What remains is to share the box's size between width
    and height so that both ask for the same depth, and the difference of the two depths changes its sign only once.

    Args:
        camera: The camera.
        turned: Vertices around the wrist, in the orientation they are to have, `[N, V, 3]` metres, float64.
        boxes: `[N, 4]` pixels.
        inside: True fits the hand within the box; False gives it the box's area.

    Returns:
        Wrist positions in the camera's frame `[N, 3]`, metres.
    """
    half, centre = (boxes[:, 2:] - boxes[:, :2]) / 2, (boxes[:, 2:] + boxes[:, :2]) / 2
    half, centre = half / camera.focal_length, (centre - half.new_tensor(camera.principal_point)) / camera.focal_length

    def sides(narrower: Tensor) -> Tensor:
        logs = torch.stack([-narrower, narrower], 1)
        return half * (logs.clamp(max=0) if inside else logs / 2).exp()

    low = torch.full_like(half[:, 0], -LARGEST_LOG_ASPECT)
    high = -low
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        _, depths = _span(turned, centre, sides(middle))
        too_narrow = depths[:, 0] > depths[:, 1]
        low, high = torch.where(too_narrow, low, middle), torch.where(too_narrow, middle, high)
    lateral, depths = _span(turned, centre, sides((low + high) / 2))
    depth = depths.amax(1)
    if bool((depth + turned[..., 2].amin(1) < NEAREST).any()):
        raise SesaHandError(
            f"The hand would come nearer than {NEAREST * 100:g} cm to the camera to be that large. Choose a smaller "
            "box or mask, or a camera with a smaller field of view."
        )
    return torch.cat([lateral + centre * (depth[:, None] - depths), depth[:, None]], -1)


def _span(turned: Tensor, centre: Tensor, half: Tensor) -> tuple[Tensor, Tensor]:
    """Return where the wrist must be for hands to span centre - half to centre + half (tangents, `[N, 2]`).

    Returns:
        x and y `[N, 2]` and, for either alone, the depth `[N, 2]`, metres.
    """
    across, depth = turned[..., :2], turned[..., 2:]
    low, high = centre - half, centre + half
    first = (low[:, None] * depth - across).amax(1)
    last = (high[:, None] * depth - across).amin(1)
    wrist = (first - last) / (high - low)
    return first + low * wrist, wrist
