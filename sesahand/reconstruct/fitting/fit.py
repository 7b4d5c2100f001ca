"""Fitting hands of a model to landmarks: from 21 points to a 3D hand in front of a camera.

The most likely hand, given the points in the picture, the points in space where they are known, and what hands can do:
by Levenberg-Marquardt with exact derivatives, from several starts at once.

Without 3D points the depth is ambiguous: a finger bent to the camera and one bent away look the same, and a small hand
near by looks like a large one far off. The joint limits and the mean hand decide then.
"""

import logging
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from ...callbacks import Progress
from ...errors import SesaHandError
from ...hands.builtin import load_builtin_hand
from ...hands.model import MAX_BETA, HandModel
from ...hands.rotations import mirror_rotation
from ...scene.camera import Camera
from ...scene.hand_scene import HandScene
from ..landmarks import HandLandmarks
from ..second_reading import describe_second_readings
from .hand_prior import HandPrior
from .initial_guess import from_bones, from_library
from .keypoint_model import NUM_PARAMETERS, HandState, KeypointModel
from .least_squares import Terms, minimise
from .measurements import Measurements, box_size, data_terms
from .one_thread import one_thread

logger = logging.getLogger(__name__)

# Fewer points in the picture say nothing about where the hand is.
LEAST_POINTS = 4
# A hand smaller than this in the picture (pixels) has no shape.
LEAST_SIZE = 1.0
# 3D points this close together (metres) show no hand either.
LEAST_EXTENT = 0.005
# Starts where the depth is known, and where it is not.
STARTS_3D, STARTS_2D = 2, 6
# Steps from every start, then from the best one, each time with the noise that the last fit left.
FIRST_STEPS, MORE_STEPS = 12, (8, 8, 20)
TOLERANCE = 1e-5
# The noise of a hand's points is estimated as a multiple of what is expected of a detector, within these.
LEAST_NOISE, MOST_NOISE = 0.01, 3.0
# Hands fitted together; more need more memory, not less time.
CHUNK = 64


@dataclass(frozen=True, eq=False)
class FittedHands:
    """Hands fitted to landmarks, one for each hand of the landmarks that was not left out, in their order.

    Attributes:
        scene: The hands, with the landmarks' scores.
        reprojection_error: Mean distance between a hand's keypoints and the landmarks' known ones, `[N]` pixels.
        relative_error: The same as a share of the longer side of the box around the known landmarks, `[N]`.
        depth_is_ambiguous: Whether a hand was fitted to points in the picture alone, bool `[N]`.
        second: For each hand, which fingers may be bent otherwise, in words; empty if none.
        left_out: For each hand whose landmarks show none, which it is and what is wrong with them.
    """

    scene: HandScene
    reprojection_error: Tensor
    relative_error: Tensor
    depth_is_ambiguous: Tensor
    second: tuple[str, ...]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Fitting:
    """The `Reconstructor` that needs no network: fits a hand model to the landmarks.

    Attributes:
        hand_model: What is fitted; the built-in hand if None.
        camera: The camera that the pictures were taken with; a field of view of 40 degrees if None.
        on_progress: Called with hands done and all hands.
    """

    hand_model: HandModel | None = None
    camera: Camera | None = None
    on_progress: Progress | None = None
    name: str = "fitting"

    def __call__(self, pictures: Tensor | None, landmarks: HandLandmarks) -> HandScene:
        """Return one hand for each of the landmarks' hands.

        Args:
            pictures: As of `Reconstructor.__call__`, or None: they are not looked at.
            landmarks: Of hands that all can be fitted.

        Raises:
            SesaHandError: As `fit_hands`.
        """
        return fit_hands(landmarks, self.hand_model, self.camera, on_progress=self.on_progress).scene

    def fit_usable(self, landmarks: HandLandmarks) -> FittedHands:
        """Return the hands with their errors, as `fit_usable_hands` does."""
        return fit_usable_hands(landmarks, self.hand_model, self.camera, on_progress=self.on_progress)


def fit_hands(
    landmarks: HandLandmarks,
    model: HandModel | None = None,
    camera: Camera | None = None,
    starts: int | None = None,
    on_progress: Progress | None = None,
) -> FittedHands:
    """Fit a hand model to landmarks.

    Args:
        landmarks: Of N hands. Unknown points are left out; fewer than four known 3D points count as none.
        model: The hand model; the built-in hand if None.
        camera: The camera that the pictures were taken with; a field of view of 40 degrees if None.
        starts: From how many places each hand's fit starts; None takes 2 with 3D points and 6 without.
        on_progress: Called with hands done and N after every chunk of hands. What it raises ends the fit.

    Returns:
        The hands; the same for the same landmarks, however many are fitted together.

    Raises:
        SesaHandError: If the camera's picture has another size, a hand has fewer than four points in the picture or
            all at one spot, or a point is not finite but for NaN.
    """
    model = load_builtin_hand() if model is None else model
    camera = Camera.from_fov(landmarks.width, landmarks.height) if camera is None else camera
    check_landmarks(landmarks, camera)
    if starts is not None and starts < 1:
        raise SesaHandError(f"A fit starts from at least one place, got {starts}.")
    points, seen = KeypointModel(model), Measurements.of(landmarks, camera)
    in_space = (seen.weight_3d > 0).sum(1) >= LEAST_POINTS
    seen.weight_3d[~in_space] = 0
    state = HandState(
        torch.eye(3, dtype=torch.float64).repeat(len(landmarks), 16, 1, 1),
        torch.zeros(len(landmarks), 3, dtype=torch.float64),
        torch.zeros(len(landmarks), 10, dtype=torch.float64),
    )
    groups = [(known, hands) for known in (True, False) for hands in _chunks(in_space == known)]
    done = 0
    for known, hands in groups:
        with one_thread():
            fitted = _fit(seen.select(hands), points, known, starts or (STARTS_3D if known else STARTS_2D))
        state.put(hands, fitted)
        done += len(hands)
        if on_progress is not None:
            on_progress(done, len(landmarks))
    scene = scene_of(state, landmarks, model, camera)
    return compare_with_landmarks(scene, landmarks, ~in_space)


def cost_of_fit(landmarks: HandLandmarks, noise: float, starts: int = STARTS_2D) -> Tensor:
    """Return how badly the best hand of their side explains each hand's points in the picture, `[N]`.

    It is minus twice the logarithm of a likelihood: differences count, as between a hand taken for right and for left.

    Args:
        landmarks: Of N usable hands, see `usable_hands`; 3D points are not used.
        noise: How noisy the points are, as a multiple of what is expected of a detector.
        starts: From how many places each hand's fit starts.
    """
    points = KeypointModel(load_builtin_hand())
    seen = Measurements.of(landmarks, Camera.from_fov(landmarks.width, landmarks.height))
    seen.weight_3d[:] = 0
    if not len(landmarks):
        return torch.zeros(0, dtype=torch.float64)
    with one_thread():
        state = _fit(seen, points, False, starts)
    data, _ = data_terms(seen, points, state, torch.full((len(landmarks),), noise, dtype=torch.float64))
    return data.cost + HandPrior(points.frames)(state)[0]


def fit_usable_hands(landmarks: HandLandmarks, *model_and_camera, **how) -> FittedHands:
    """Fit a hand model as `fit_hands` does, but leave out hands whose landmarks show none, with a warning for each.

    One bad find among hundreds then does not cost the others. What is wrong with all of them, such as a camera of
    another picture, is an error as ever.
    """
    usable, left_out = usable_hands(landmarks)
    return replace(fit_hands(usable, *model_and_camera, **how), left_out=left_out)


def usable_hands(landmarks: HandLandmarks) -> tuple[HandLandmarks, tuple[str, ...]]:
    """Return the landmarks of the hands that can be fitted, and for each other, which is logged too, why it cannot.

    Raises:
        SesaHandError: If there are hands and none has points to fit to, as where only boxes were given.
    """
    faults = _faults(landmarks)
    counts = torch.isfinite(landmarks.keypoints_2d).all(-1).sum(1)
    if len(landmarks) and bool((counts < LEAST_POINTS).all()):
        raise SesaHandError(faults[0])
    for fault in faults.values():
        logger.warning("%s It was left out.", fault)
    kept = [hand for hand in range(len(landmarks)) if hand not in faults]
    return landmarks.select(torch.tensor(kept, dtype=torch.long)), tuple(faults.values())


def refine_hands(scene: HandScene, landmarks: HandLandmarks, **how) -> FittedHands:
    """Fit to landmarks with the relative depth that hands found otherwise have, for example a network's.

    It puts a network's hands exactly over the detector's points, turns them into another hand model's, or shows them to
    another camera.

    Args:
        scene: One hand for each of the landmarks, in their order.
        landmarks: Their 3D points are not used.
        **how: As for `fit_hands`.
    """
    if len(scene) != len(landmarks):
        raise SesaHandError(f"There are {len(scene)} hands for {len(landmarks)} hands' landmarks; one each is needed.")
    return fit_hands(replace(landmarks, keypoints_3d=scene.pose().keypoints), **how)


def check_landmarks(landmarks: HandLandmarks, camera: Camera) -> None:
    """Raise a SesaHandError if a hand cannot be fitted, or the camera is of another picture."""
    if (camera.width, camera.height) != (landmarks.width, landmarks.height):
        raise SesaHandError(
            f"The camera is of a picture of {camera.width}x{camera.height} pixels, but the landmarks of one of "
            f"{landmarks.width}x{landmarks.height}; make the camera for the landmarks' picture."
        )
    if torch.isinf(landmarks.keypoints_2d).any() or torch.isinf(landmarks.keypoints_3d).any():
        raise SesaHandError("A landmark is infinite; a point that is not known has to be NaN.")
    for fault in _faults(landmarks).values():
        fix = "Leave it out: with a higher threshold in Detect Hands, or out of the keypoints that were given."
        raise SesaHandError(f"{fault} {fix}")


def _faults(landmarks: HandLandmarks) -> dict[int, str]:
    """Return what is wrong with each hand that cannot be fitted."""
    known = torch.isfinite(landmarks.keypoints_2d).all(-1)
    size = box_size(landmarks.keypoints_2d, known).tolist()
    known_3d = torch.isfinite(landmarks.keypoints_3d).all(-1)
    extent = torch.where(known_3d.sum(1) < LEAST_POINTS, torch.inf, box_size(landmarks.keypoints_3d, known_3d)).tolist()
    faults = {}
    for hand, (count, pixels, metres) in enumerate(zip(known.sum(1).tolist(), size, extent, strict=True)):
        which = f"Hand {hand} (the {landmarks.side[hand]} one in picture {int(landmarks.frame[hand])})"
        if count < LEAST_POINTS:
            faults[hand] = (
                f"{which} has {count} known points, expected at least {LEAST_POINTS} to fit a hand to; with "
                "a box alone, use a learned reconstructor."
            )
        elif pixels < LEAST_SIZE:
            faults[hand] = f"{which} has all its points within {pixels:.3g} pixels, so that they show no hand."
        elif metres < LEAST_EXTENT:
            faults[hand] = (
                f"{which} has all its 3D points within {metres * 1e3:.3g} mm; they are in metres, and NaN if not known."
            )
    return faults


def _chunks(chosen: Tensor) -> list[Tensor]:
    """Return the indices of chosen hands in parts of at most `CHUNK`; no empty ones."""
    return [part for part in chosen.nonzero()[:, 0].split(CHUNK) if len(part)]


def _fit(seen: Measurements, points: KeypointModel, in_space: bool, starts: int) -> HandState:
    """Fit B hands that either all have 3D points or none."""
    prior, count = HandPrior(points.frames), len(seen.rays)
    library = from_library(seen, points, starts - in_space, in_space) if starts > in_space else None
    # Without 3D points there is a start from the library at least.
    guesses = _interleave(from_bones(seen, points), library, count) if in_space else cast(HandState, library)
    noise = torch.ones(count, dtype=torch.float64)

    def evaluate_for(hands: Tensor):
        def evaluate(state: HandState, problem: Tensor) -> Terms:
            hand = hands[problem]
            data, _ = data_terms(seen.select(hand), points, state, noise[hand])
            cost, gradient, hessian = prior(state)
            return Terms(data.cost + cost, data.gradient + gradient, data.hessian + hessian)

        return evaluate

    several = torch.arange(count).repeat_interleave(len(guesses) // count)
    state, cost = minimise(evaluate_for(several), points.moved, guesses, FIRST_STEPS, TOLERANCE)
    best = cost.view(count, -1).argmin(1) + torch.arange(count) * (len(guesses) // count)
    state, each = state.select(best), torch.arange(count)
    for steps in MORE_STEPS:
        if in_space:
            noise = estimate_noise(seen, points, prior, state, noise)
        state, _ = minimise(evaluate_for(each), points.moved, state, steps, TOLERANCE)
    return state


def _interleave(first: HandState, others: HandState | None, count: int) -> HandState:
    """Return each hand's own start and then its others."""
    if others is None:
        return first
    return HandState(
        *(
            torch.cat([one[:, None], more.unflatten(0, (count, -1))], 1).flatten(0, 1)
            for one, more in zip(vars(first).values(), vars(others).values(), strict=True)
        )
    )


def estimate_noise(
    seen: Measurements, points: KeypointModel, prior: HandPrior, state: HandState, noise: Tensor
) -> Tensor:
    """Return how noisy each hand's points are, from what a fit with the given noise leaves unexplained.

    The prior then weighs what it should: much for a vague detector, next to nothing for exact points.

    Args:
        seen: Of B hands.
        points: Gives the keypoints.
        prior: What hands are likely.
        state: The fitted hands.
        noise: What they were fitted with, as a multiple of what is expected of the detector, `[B]`.

    Returns:
        Likewise `[B]`.

    Source: MacKay, "Bayesian Interpolation" (1992): the residual sum of squares over the number of measurements less
    that of well-determined parameters, which is the trace of the inverse Hessian times the data's.
    """
    data, squares = data_terms(seen, points, state, noise)
    whole = data.hessian + prior(state)[2] + 1e-9 * torch.eye(NUM_PARAMETERS, dtype=torch.float64)
    determined = torch.linalg.solve(whole, data.hessian).diagonal(dim1=1, dim2=2).sum(1)
    count = 2 * (seen.weight_2d > 0).sum(1) + 3 * (seen.weight_3d > 0).sum(1) - 3
    return (noise * (squares / (count - determined).clamp(min=1)).sqrt()).clamp(LEAST_NOISE, MOST_NOISE)


def scene_of(state: HandState, landmarks: HandLandmarks, model: HandModel, camera: Camera) -> HandScene:
    """Return fitted right hands as the hands that they stand for."""
    left = torch.tensor([side == "left" for side in landmarks.side], dtype=torch.bool)
    rotations = torch.where(left[:, None, None, None], mirror_rotation(state.rotations), state.rotations)
    translation = state.translation.clone()
    translation[left, 0] *= -1
    return HandScene(
        model=model,
        camera=camera,
        num_frames=landmarks.num_frames,
        frame=landmarks.frame.cpu(),
        side=landmarks.side,
        global_orient=rotations[:, 0].float(),
        hand_pose=rotations[:, 1:].float(),
        betas=state.betas.clamp(-MAX_BETA, MAX_BETA).float(),
        translation=translation.float(),
        score=landmarks.score.cpu().float(),
    )


def compare_with_landmarks(
    scene: HandScene, landmarks: HandLandmarks, depth_is_ambiguous: Tensor | None = None
) -> FittedHands:
    """Return a scene of one hand for each of the landmarks' with its errors, NaN for a hand without known points.

    Args:
        scene: The hands.
        landmarks: Their landmarks, in the scene's order.
        depth_is_ambiguous: Bool `[N]`; of no hand if None.
    """
    pixels = landmarks.keypoints_2d.cpu().double()
    known = torch.isfinite(pixels).all(-1)
    off = (scene.camera.project(scene.pose().keypoints.double()) - pixels).norm(dim=-1)
    error = torch.where(known, off, 0.0).sum(1) / known.sum(1)
    if depth_is_ambiguous is None:
        depth_is_ambiguous = torch.zeros(len(scene), dtype=torch.bool)
    scene = replace(scene, note=landmarks.note) if landmarks.note else scene
    doubt = landmarks.doubt.cpu()
    scene = scene if doubt.isnan().all() else replace(scene, doubt=doubt)
    relative = (error / box_size(pixels, known)).float()
    second = tuple(describe_second_readings(landmarks))
    return FittedHands(scene, error.float(), relative, depth_is_ambiguous, second)
