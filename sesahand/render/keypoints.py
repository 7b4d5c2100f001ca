"""Hand skeletons as OpenPose's ControlNets know them: a rainbow of bones with blue joints."""

import colorsys

import numpy as np

from ..hands.skeleton import KEYPOINT_BONES

BONE_COLORS = tuple(
    tuple(round(255 * channel) for channel in colorsys.hsv_to_rgb(k / len(KEYPOINT_BONES), 1.0, 1.0))
    for k in range(len(KEYPOINT_BONES))
)
JOINT_COLOR = (0, 0, 255)

# Bones two pixels thick and joints of radius four in a picture of 512 pixels, as the field's preprocessors draw them.
REFERENCE_SIZE = 512
BONE_THICKNESS = 2
JOINT_RADIUS = 4
# A small hand keeps its shape: a joint is never wider than this part of the hand's diagonal.
LARGEST_JOINT = 0.08

# Beyond this many pixels from the picture a point cannot be seen, and integers in the drawing code may overflow.
FARTHEST = 1e6


def draw_keypoints(canvas: np.ndarray, keypoints: np.ndarray, scale: float) -> None:
    """Draw hands into `canvas`, later ones over earlier ones; hidden joints are drawn like visible ones.

    Args:
        canvas: uint8 RGB `[H, W, 3]`, changed in place.
        keypoints: OpenPose keypoints of N hands in pixels, `[N, 21, 2]`; NaN for a point that is not to be drawn.
        scale: Size of lines and dots relative to those in a picture of 512 pixels.

    Source: the colours, order and sizes of controlnet_aux's hand drawing, which ControlNet's pose models learnt from.
    """
    import cv2

    for hand in keypoints:
        drawn = (np.abs(hand) < FARTHEST).all(1)
        if not drawn.any():
            continue
        diagonal = float(np.linalg.norm(np.ptp(hand[drawn], axis=0)))
        radius = min(JOINT_RADIUS * scale, LARGEST_JOINT / 2 * diagonal)
        thickness = max(1, round(radius * BONE_THICKNESS / JOINT_RADIUS))
        points = np.floor(np.where(drawn[:, None], hand, 0)).astype(int).tolist()
        for (start, end), color in zip(KEYPOINT_BONES, BONE_COLORS, strict=True):
            if drawn[start] and drawn[end]:
                cv2.line(canvas, points[start], points[end], color, thickness)
        for point in (p for p, use in zip(points, drawn, strict=True) if use):
            cv2.circle(canvas, point, max(1, round(radius)), JOINT_COLOR, -1)
