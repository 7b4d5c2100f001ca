"""The picture that goes with a score: the requested hand and the found one, one over the other."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ...callbacks import Progress
from ...errors import SesaHandError
from ...hands.skeleton import KEYPOINT_BONES
from ...render.keypoints import FARTHEST, REFERENCE_SIZE, draw_keypoints
from ...render.lettering import load_font
from ...render.maps import render_maps
from ...render.rasterizer import NEAR
from ...render.room import check_pixels
from ...scene.camera import MAX_SIZE, Camera
from ...scene.hand_scene import HandScene, hands_of_frames
from .score import DEFAULT_THRESHOLD, HandScores

REQUESTED, GOOD, BAD = (255, 255, 255), (120, 230, 120), (255, 120, 90)
# The label's letters, as a part of the picture's shorter side, and at least this many pixels.
LABEL_SIZE, LEAST_LABEL = 1 / 28, 11
# Below this shorter side a label would cover the picture.
LEAST_LABELLED = 64
# What a node shows has at least this shorter side, and larger letters where several pictures share its room.
LEAST_PREVIEW, SHARED_LABEL_SIZE = 384, 1 / 14
MOST_ENLARGED = 8


def draw_scores(
    scores: HandScores,
    pictures: Tensor | None = None,
    threshold: float = DEFAULT_THRESHOLD,
    on_picture: Progress | None = None,
    label_size: float = LABEL_SIZE,
) -> Tensor:
    """Draw requested hands as a white outline with a white skeleton, found ones as a coloured skeleton over it.

    Args:
        scores: From `score_hands`.
        pictures: What the hands were found in, `[F, H, W, C]` of 0..1 with 1, 3 or 4 channels, of any size with the
            camera's proportions; None draws on black at the camera's size.
        threshold: Labels of lower scores are red, others green.
        on_picture: Called with steps done and all steps, of which each requested frame and each picture is one; what
            it raises ends the drawing.
        label_size: Of the label's letters, as a part of the picture's shorter side.

    Returns:
        `[F, H, W, 3]`, float32, 0..1.

    Raises:
        SesaHandError: If there are not as many pictures as scores, their proportions are not the camera's, or they are
            more than memory should hold.
    """
    requested, found = scores.requested, scores.found
    if pictures is not None:
        height, width = _check_pictures(pictures, len(scores.pictures))
        requested, found = requested.resized(width, height), found.resized(width, height)
    camera, found_in = found.camera, hands_of_frames(found.frame)
    # Each is there in bytes, once more stacked, and in floats.
    check_pixels(len(scores.pictures), camera.width, camera.height, 18)
    steps = requested.num_frames + len(scores.pictures)
    tell = (lambda done: None) if on_picture is None else (lambda done: on_picture(done, steps))
    outlines = [_outline(mask) for mask in _masks(requested, tell)]
    asked, got = _pixels(requested), _pixels(found)
    drawn = []
    for picture, score in enumerate(scores.pictures):
        canvas = _canvas(pictures, picture, camera)
        _draw_requested(canvas, outlines[picture % len(outlines)], asked[scores.requested_in(picture)])
        scale = min(camera.width, camera.height) / REFERENCE_SIZE
        draw_keypoints(canvas, got[found_in.get(picture, [])], scale)
        drawn.append(_label(canvas, None if scores.not_looked_for else score, threshold, label_size))
        tell(requested.num_frames + len(drawn))
    return torch.from_numpy(np.stack(drawn)).float() / 255


def preview_scores(scores: HandScores, pictures: Tensor | None, drawn: Tensor, most: int) -> Tensor:
    """Return the first pictures of `draw_scores` as they can be read when they are shown small.

    Args:
        scores: From `score_hands`.
        pictures: As `draw_scores` had them.
        drawn: `[F, H, W, 3]`, what it returned.
        most: At most so many.

    Returns:
        `[K, h, w, 3]`, float32, 0..1, of at least `LEAST_PREVIEW` pixels across, but no more than `MOST_ENLARGED` times
        as large.
    """
    count, side = min(most, len(drawn)), min(drawn.shape[1:3])
    if count == 1 and side >= LEAST_PREVIEW:
        return drawn[:1]
    ground = torch.zeros_like(drawn[:count]) if pictures is None else pictures[:count]
    ground = ground.movedim(-1, 1).float()
    larger = max(1, min(MOST_ENLARGED, MAX_SIZE // max(drawn.shape[1:3]), -(-LEAST_PREVIEW // side)))
    ground = torch.nn.functional.interpolate(ground, scale_factor=larger).movedim(1, -1)
    size = LABEL_SIZE if count == 1 else SHARED_LABEL_SIZE
    return draw_scores(_first(scores, count), ground, label_size=size)


def _first(scores: HandScores, count: int) -> HandScores:
    """Return the scores of the first pictures, without the figures of their hands."""
    frames = range(count)
    requested = scores.requested.select_frames(frames) if scores.requested.num_frames > 1 else scores.requested
    # A note tells why no picture has hands, and not why these few have none.
    found = replace(scores.found.select_frames(frames), note=scores.found.note if scores.not_looked_for else "")
    return HandScores(requested, found, scores.pictures[:count], (), (), ())


def _check_pictures(pictures: Tensor, count: int) -> tuple[int, int]:
    if pictures.ndim != 4 or pictures.shape[-1] not in (1, 3, 4) or len(pictures) != count:
        raise SesaHandError(
            f"The pictures have the shape {list(pictures.shape)}, expected {[count, 'height', 'width', 3]}: the ones "
            "that the hands were found in."
        )
    return pictures.shape[1], pictures.shape[2]


def _masks(scene: HandScene, tell: Callable[[int], None]) -> np.ndarray:
    """Return the pixels of hands `[F, H, W]`, bool; tell the number of frames done after each."""
    return render_maps(scene, maps=(), on_frame=lambda done, _: tell(done)).mask.cpu().numpy() > 0


def _outline(mask: np.ndarray) -> list[np.ndarray]:
    import cv2

    return list(cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)[0])


def _pixels(scene: HandScene) -> np.ndarray:
    """Return each hand's keypoints `[N, 21, 2]` in pixels, NaN behind the camera."""
    points = scene.pose().keypoints.double().cpu()
    pixels = scene.camera.project(points)
    pixels[points[..., 2] <= NEAR] = float("nan")
    return pixels.numpy()


def _canvas(pictures: Tensor | None, picture: int, camera: Camera) -> np.ndarray:
    if pictures is None:
        return np.zeros((camera.height, camera.width, 3), np.uint8)
    shown = torch.nan_to_num(pictures[picture].detach().float().cpu()).clamp(0, 1)[..., :3].expand(-1, -1, 3)
    return np.ascontiguousarray((255 * shown).round().to(torch.uint8).numpy())


def _draw_requested(canvas: np.ndarray, outline: list[np.ndarray], hands: np.ndarray) -> None:
    import cv2

    thickness = max(1, round(min(canvas.shape[:2]) / REFERENCE_SIZE * 1.5))
    cv2.drawContours(canvas, outline, -1, REQUESTED, thickness, cv2.LINE_AA)
    for hand in hands:
        # Comparisons with NaN are false.
        drawn = (np.abs(hand) < FARTHEST).all(1)
        points = np.where(drawn[:, None], hand, 0).astype(int).tolist()
        for start, end in KEYPOINT_BONES:
            if drawn[start] and drawn[end]:
                cv2.line(canvas, points[start], points[end], REQUESTED, thickness, cv2.LINE_AA)


def _label(canvas: np.ndarray, score: float | None, threshold: float, size: float) -> np.ndarray:
    """Return the picture with its score in the corner, green from the threshold on and red below it; None has none."""
    height, width = canvas.shape[:2]
    if min(height, width) < LEAST_LABELLED:
        return canvas
    picture = Image.fromarray(canvas)
    draw = ImageDraw.Draw(picture)
    font = load_font(max(LEAST_LABEL, round(min(height, width) * size)))
    first = ("not scored", REQUESTED)
    if score is not None:
        first = (f"score {score:.2f}", GOOD if score >= threshold else BAD)
    lines = [first, ("white: requested", REQUESTED), ("coloured: found", REQUESTED)]
    step, margin = 1.3 * font.size, font.size / 2
    for row, (text, color) in enumerate(lines):
        place = (margin, margin + row * step)
        draw.text(place, text, color, font, stroke_width=max(1, round(font.size / 12)), stroke_fill=(0, 0, 0))
    return np.asarray(picture)
