"""Found hands as pictures: skeletons over the photograph, and masks of where the hands are."""

import itertools
import math
import textwrap

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ...errors import SesaHandError
from ...hands.skeleton import FINGERS
from ...render.keypoints import FARTHEST, REFERENCE_SIZE, draw_keypoints
from ...render.lettering import load_font
from ..landmarks import DOUBTFUL_HAND, HandLandmarks, doubtful_fingers

# Skin around the joints' centres, as a part of the hand's longer side.
FLESH = 0.08
# Pixels, in a picture of the size that skeletons are drawn for.
LEAST_LABEL, LABEL_SIZE = 11, 13
LABEL_COLOR, LABEL_EDGE = (255, 255, 255), (0, 0, 0)
# The dots of doubtful fingers.
DOUBTFUL_COLOR, DOT_RADIUS, MOST_DOTS = (190, 190, 190), 1.5, 200
SECOND_COLOR = (255, 225, 80)
# A notice has letters of this part of the picture's width, to be read on a node, on a band of this colour.
NOTICE_SIZE, LEAST_NOTICE, MOST_NOTICE = 1 / 18, 11, 96
NOTICE_COLOR, NOTICE_BAND = (255, 230, 150), (60, 40, 0)


def draw_landmarks(pictures: Tensor, landmarks: HandLandmarks) -> Tensor:
    """Draw each hand's skeleton over its picture, and beside its wrist the side and the score.

    Fingers that are not to be relied on are dotted in grey, and the score of such a hand has a question mark. A finger
    that may be bent otherwise is drawn a second time so, dotted in yellow.

    Args:
        pictures: `[F, H, W, 3]` of 0..1, those that the landmarks belong to.
        landmarks: The hands.

    Returns:
        float32 `[F, H, W, 3]`.

    Raises:
        SesaHandError: If the pictures are not as many or as large as the landmarks say.
    """
    expected = (landmarks.num_frames, landmarks.height, landmarks.width, 3)
    if tuple(pictures.shape) != expected:
        raise SesaHandError(
            f"The landmarks belong to pictures of shape {expected}, got {tuple(pictures.shape)}. Give the pictures "
            "that the hands were found in."
        )
    canvases = (pictures.detach().cpu().float().clamp(0, 1) * 255).round().to(torch.uint8).numpy().copy()
    scale = max(landmarks.width, landmarks.height) / REFERENCE_SIZE
    for index, frame in enumerate(landmarks.frame.tolist()):
        points = landmarks.keypoints_2d[index].detach().cpu().double().numpy()
        doubt = landmarks.doubt[index].tolist()
        sure, vague = points.copy(), [1 + 4 * FINGERS.index(name) for name in doubtful_fingers(doubt)]
        for first in vague:
            sure[first : first + 4] = np.nan
        draw_keypoints(canvases[frame], sure[None], scale)
        for first in vague:
            _dot_finger(canvases[frame], points[[0, *range(first, first + 4)]], scale, DOUBTFUL_COLOR)
        others = torch.as_tensor(landmarks.second_2d)[index].detach().cpu().double().numpy()
        for finger in landmarks.has_second[index].nonzero()[:, 0].tolist():
            other = others[1 + 4 * finger : 5 + 4 * finger]
            _dot_finger(canvases[frame], np.concatenate([points[:1], other]), scale, SECOND_COLOR)
        mark = "?" if doubt[0] > DOUBTFUL_HAND else ""
        _write(canvases[frame], points, f"{landmarks.side[index]} {float(landmarks.score[index]):.2f}{mark}", scale)
    return torch.from_numpy(canvases).float() / 255


def _dot_finger(canvas: np.ndarray, points: np.ndarray, scale: float, color: tuple[int, int, int]) -> None:
    """Dot the bones of a finger `[5, 2]`, from the wrist to its tip, in pixels."""
    import cv2

    points = points[(np.abs(points) < FARTHEST).all(1)]
    radius = max(1, round(DOT_RADIUS * scale))
    for start, end in itertools.pairwise(points):
        steps = min(MOST_DOTS, max(1, round(float(np.linalg.norm(end - start)) / (3 * radius))))
        for part in np.arange(steps + 1) / steps:
            place = np.floor(start + part * (end - start)).astype(int).tolist()
            cv2.circle(canvas, place, radius, color, -1)


def _write(canvas: np.ndarray, points: np.ndarray, text: str, scale: float) -> None:
    from PIL import Image, ImageDraw

    seen = points[(np.abs(points) < FARTHEST).all(1)]
    if not len(seen):
        return
    # OpenCV's text is another from version to version: what measures it is to be what draws it.
    font = load_font(max(LEAST_LABEL, round(LABEL_SIZE * scale)))
    edge = max(1, round(font.size / 10))
    picture = Image.fromarray(canvas)
    draw = ImageDraw.Draw(picture)
    left, top, right, bottom = draw.textbbox((0, 0), text, font, stroke_width=edge)
    x, y = seen[0] + 4 * scale
    # It stays in the picture, also beside a wrist at its edge.
    x = int(np.clip(x, 0, max(canvas.shape[1] - (right - left), 0)))
    y = int(np.clip(y, 0, max(canvas.shape[0] - (bottom - top), 0)))
    draw.text((x - left, y - top), text, LABEL_COLOR, font, stroke_width=edge, stroke_fill=LABEL_EDGE)
    canvas[:] = np.asarray(picture)


def draw_notice(pictures: Tensor, text: str) -> Tensor:
    """Write a notice over the upper part of each picture, on a band of its own.

    Args:
        pictures: `[F, H, W, 3]` of 0..1.
        text: The notice; it is wrapped, and cut where the picture ends.

    Returns:
        float32 `[F, H, W, 3]`.
    """
    frames, height, width = pictures.shape[:3]
    font = load_font(min(MOST_NOTICE, max(LEAST_NOTICE, round(width * NOTICE_SIZE))))
    margin = font.size / 2
    letters = max(1, int((width - 2 * margin) / max(font.getlength("n"), 1)))
    lines = textwrap.wrap(text, letters, break_on_hyphens=False)
    step = 1.3 * font.size
    band = Image.new("RGB", (width, min(height, math.ceil(2 * margin + step * len(lines)))), NOTICE_BAND)
    draw = ImageDraw.Draw(band)
    for row, line in enumerate(lines):
        draw.text((margin, margin + row * step), line, NOTICE_COLOR, font)
    written = pictures.detach().cpu().float().clamp(0, 1).clone()
    written[:, : band.height] = torch.from_numpy(np.asarray(band).copy()).float() / 255
    return written


def mask_landmarks(landmarks: HandLandmarks) -> Tensor:
    """Return where the hands are: the convex hull of each hand's points, widened by the flesh around them.

    Args:
        landmarks: The hands.

    Returns:
        float32 `[F, H, W]`, 1 inside.
    """
    import cv2

    masks = np.zeros((landmarks.num_frames, landmarks.height, landmarks.width), dtype=np.uint8)
    for frame, hand in zip(landmarks.frame.tolist(), landmarks.keypoints_2d, strict=True):
        points = hand.detach().cpu().double().numpy()
        points = points[(np.abs(points) < FARTHEST).all(1)]
        if len(points):
            # A hull around circles is the hull of the points, widened evenly.
            radius = max(1.0, FLESH * float(np.ptp(points, axis=0).max()))
            angles = np.arange(16) * (2 * math.pi / 16)
            ring = radius * np.stack([np.cos(angles), np.sin(angles)], 1)
            outline = cv2.convexHull(np.floor((points[:, None] + ring).reshape(-1, 2)).astype(np.int32))
            cv2.fillConvexPoly(masks[frame], outline, 1)
    return torch.from_numpy(masks).float()
