"""From landmarks to hands by any reconstructor, with how well they agree: one way for nodes, commands and scripts."""

from dataclasses import replace
from pathlib import Path

from torch import Tensor

from ..files.pictures import read_picture
from ..hands.model import HandModel
from ..scene.camera import Camera
from .detection.detector import HandDetector, as_colour, load_detector
from .fitting.fit import FittedHands, Fitting, compare_with_landmarks, refine_hands, usable_hands
from .landmarks import HandLandmarks
from .reconstructor import Reconstructor, run_reconstructor


def reconstruct_hands(
    landmarks: HandLandmarks,
    pictures: Tensor | None = None,
    reconstructor: Reconstructor | None = None,
    refined_by: Fitting | None = None,
) -> FittedHands:
    """Reconstruct the hands behind landmarks.

    Args:
        landmarks: Where the hands are.
        pictures: `[F, H, W, 3 or 4]` in 0..1, those that they were found in; a fitting needs none.
        reconstructor: What turns them into hands; None fits the built-in hand.
        refined_by: Fits a network's hands to the landmarks afterwards, with the hand model and camera that it holds;
            without a hand model, with the network's.

    Returns:
        The hands. A fitting, also one that refines, leaves out hands whose landmarks show none, with a warning.

    Raises:
        SesaHandError: If no hand has points to fit to, or pictures and landmarks do not belong together.
    """
    reconstructor = Fitting() if reconstructor is None else reconstructor
    if isinstance(reconstructor, Fitting):
        return reconstructor.fit_usable(landmarks)
    left_out: tuple[str, ...] = ()
    if refined_by is not None:
        landmarks, left_out = usable_hands(landmarks)
    scene = run_reconstructor(reconstructor, pictures, landmarks)
    if refined_by is None:
        return compare_with_landmarks(scene, landmarks)
    model = scene.model if refined_by.hand_model is None else refined_by.hand_model
    fitted = refine_hands(scene, landmarks, model=model, camera=refined_by.camera, on_progress=refined_by.on_progress)
    return replace(fitted, left_out=left_out)


def reconstruct_picture(
    picture: str | Path | Tensor,
    *,
    hand_model: HandModel | None = None,
    fov: float = 40.0,
    threshold: float = 0.5,
    detector: HandDetector | None = None,
    reconstructor: Reconstructor | None = None,
) -> FittedHands:
    """Find the hands in a picture and reconstruct them.

    Args:
        picture: A file, or `[H, W, 3 or 4]` or `[F, H, W, 3 or 4]` in 0..1.
        hand_model: What is fitted; the built-in hand if None.
        fov: Field of view across the longer side, degrees.
        threshold: How sure a hand must be, 0 to 1.
        detector: A loaded detector; None loads it from where `sesahand get-detector` puts its files.
        reconstructor: What turns landmarks into hands in place of a fitting, such as a `LearnedReconstructor`.

    Raises:
        InvalidFileError: If the picture or the detector's files cannot be read.
        SesaHandError: If a number is out of range.
    """
    pictures = picture if isinstance(picture, Tensor) else read_picture(picture)
    pictures = as_colour(pictures if pictures.ndim == 4 else pictures[None])
    landmarks = (load_detector() if detector is None else detector)(pictures, threshold)
    camera = Camera.from_fov(pictures.shape[2], pictures.shape[1], fov)
    return reconstruct_hands(landmarks, pictures, reconstructor or Fitting(hand_model, camera))
