"""From landmarks to hands by any reconstructor, with how well they agree: one way for nodes, commands and scripts."""

from dataclasses import replace

from torch import Tensor

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
