"""Placing a hand over a mask turned as the hand is that is seen there."""

from dataclasses import replace

import torch
from torch import Tensor

from ..callbacks import Progress
from ..errors import SesaHandError
from ..scene.camera import Camera
from ..scene.hand_scene import HandScene, combine
from ..scene.mask_regions import find_regions
from ..scene.placing import AS_POSED, Hand, place_in_mask
from .people import People

WRIST, INDEX, PINKY = 0, 5, 17


def place_as_seen(
    hand: Hand,
    camera: Camera,
    masks: Tensor,
    people,
    region: str = "largest",
    turn: tuple[float, float, float] = (0.0, 0.0, 0.0),
    on_region: Progress | None = None,
) -> HandScene:
    """Place a hand over white regions, its palm turned as that of the hand that is seen in each.

    Args:
        hand: The posed hand; of the other side than the one seen, it points the same way and shows the same face.
        camera: The camera, of the masks' size.
        masks: `[F, H, W]` of 0..1, see `place_in_mask`.
        people: The hands of the picture, see `People.read`. Points without depth tell palm or back, and no tilt.
        region: See `place_in_mask`.
        turn: By how much the hand is turned from there: roll, pitch and yaw in degrees.
        on_region: See `place_in_mask`.

    Returns:
        A scene with as many frames as there are masks; a mask without white gives a frame without hands.

    Raises:
        SesaHandError: If no hand is seen in a white region, all masks are empty, or an input cannot be used.
    """
    everyone = People.read(people, camera.width, camera.height, len(masks))
    regions = [(frame, found.box) for frame, mask in enumerate(masks) for found in find_regions(mask, region)]
    if not regions:
        return place_in_mask(hand, camera, masks, region, facing=AS_POSED)
    placed = [HandScene.empty(hand.model, camera, len(masks))]
    for done, (frame, box) in enumerate(regions):
        if on_region is not None:
            on_region(done, len(regions))
        own = everyone.of_frame(frame)
        index = own.hand_in(box)
        if index is None:
            raise SesaHandError(
                f"facing is 'as seen', but people has no hand in the mask's white region in picture {frame}: choose "
                "what faces you, for example palm, or paint over the whole hand."
            )
        turned = replace(hand, orient=seen_orient(hand, own, index)).turned(*turn)
        # As posed, only the region's box counts.
        left, top, right, bottom = map(int, box)
        filled = torch.zeros(camera.height, camera.width)
        filled[top:bottom, left:right] = 1
        scene = place_in_mask(turned, camera, filled, facing=AS_POSED)
        placed.append(replace(scene, frame=torch.tensor([frame]), num_frames=len(masks)))
    return combine(placed)


def seen_orient(hand: Hand, people: People, index: int) -> Tensor:
    """Return the `global_orient` `[3, 3]` with which a hand's palm lies as that of one of the people's hands."""
    seen = people.hands
    points, flat = seen.keypoints_3d[index].double(), seen.keypoints_2d[index].double()
    corners = [WRIST, INDEX, PINKY]
    if not points[corners].isfinite().all():
        points = torch.cat([flat, torch.zeros_like(flat[:, :1])], 1)
    hand_pose, betas, _ = hand.parameters()
    posed = hand.model(
        torch.eye(3)[None], hand_pose[None], betas[None], torch.zeros(1, 3), torch.tensor([hand.side == "right"])
    )  # fmt: skip
    own = _palm(posed.keypoints[0, corners].double(), hand.side)
    return (_palm(points[corners], seen.side[index]) @ own.mT).to(hand_pose)


def _palm(corners: Tensor, side: str) -> Tensor:
    """Return the axes `[3, 3]` of a palm, in columns: where its fingers point, where it faces, and across.

    Args:
        corners: Wrist and the knuckles of index and little finger, `[3, 3]`.
        side: Whose hand.

    Raises:
        SesaHandError: If they are unknown or lie in a line.
    """
    index, pinky = corners[1] - corners[0], corners[2] - corners[0]
    ahead, normal = (index + pinky) / 2, index.cross(pinky, dim=0)
    if not bool(normal.norm() > 1e-6 * ahead.norm() ** 2):
        raise SesaHandError(
            "facing is 'as seen', but wrist and knuckles of the hand in the mask are unknown or lie in a line: choose "
            "what faces you, for example palm."
        )
    normal = normal if side == "right" else -normal
    ahead, normal = ahead / ahead.norm(), normal / normal.norm()
    return torch.stack([ahead, normal, ahead.cross(normal, dim=0)], 1)
