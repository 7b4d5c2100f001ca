"""A hand network as a reconstructor: pictures and boxes in, a scene of hands out."""

from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from ...callbacks import Progress
from ...errors import SesaHandError
from ...hands.mano import MANO_NAME, MANO_PAGE
from ...hands.model import HandModel
from ...scene.camera import Camera
from ...scene.hand_scene import HandScene
from ...scene.mano_parameters import read_mano_parameters
from ..landmarks import HandLandmarks
from .hand_crops import crop_hands, crop_squares
from .prediction import CROP_SIZE, Prediction, place_in_picture


class LearnedReconstructor:
    """A `Reconstructor` that lets a network look at a crop of each hand.

    Args:
        network: A `HaMeR`, `WiLoR` or `HandRegressor`, in any precision and on any device.
        hand_model: The hand whose parameters it tells: MANO for the published networks.
        chunk: Hands that the network sees at once; more take more memory and little less time.

    Raises:
        SesaHandError: If the hand model is another one, or the chunk is not positive.
    """

    def __init__(self, network: nn.Module, hand_model: HandModel, chunk: int = 16):
        check_hand_model(hand_model, getattr(network, "hand_model", MANO_NAME), cast(str, network.title))
        if chunk < 1:
            raise SesaHandError(f"A network sees at least one hand at once, got a chunk of {chunk}.")
        self.network, self.hand_model, self.chunk = network, hand_model, chunk

    @property
    def name(self) -> str:
        """Name of the network in reports."""
        return cast(str, self.network.title)

    def __repr__(self) -> str:
        return f"LearnedReconstructor({self.name})"

    def __call__(self, pictures: Tensor, landmarks: HandLandmarks, progress: Progress | None = None) -> HandScene:
        """Reconstruct the hand in every box.

        Args:
            pictures: `[F, H, W, 3]` in 0..1, those that the landmarks were found in.
            landmarks: Of them only boxes, sides, frames and scores are used.
            progress: Called with the hands done and all hands, before and after each chunk; may raise to stop.

        Returns:
            A scene in the camera `Camera.hamer`: one hand for each of the landmarks', in their order, with their
            scores; left hands with their own rotations.

        Raises:
            SesaHandError: If pictures and landmarks do not belong together, or the network's answer is no hand.
        """
        _check_pictures(pictures, landmarks)
        camera = Camera.hamer(landmarks.width, landmarks.height)
        if not len(landmarks):
            return HandScene.empty(self.hand_model, camera, landmarks.num_frames)
        found = self._predict(pictures, landmarks, progress)
        centre, side = crop_squares(landmarks.box.double().cpu())
        is_right = torch.tensor([name == "right" for name in landmarks.side])
        translation = place_in_picture(
            found.camera.double(), is_right, centre, side, (landmarks.width, landmarks.height)
        )
        rotations = found.rotations
        scene = read_mano_parameters(
            {
                "global_orient": rotations[:, 0],
                "hand_pose": rotations[:, 1:],
                "betas": found.betas,
                "is_right": is_right,
                "cam_t": translation,
                "frame": landmarks.frame,
                "score": landmarks.score,
            },
            self.hand_model,
            "mirrored",
            (landmarks.width, landmarks.height),
        )
        return replace(scene, num_frames=landmarks.num_frames)

    @torch.no_grad()
    def _predict(self, pictures: Tensor, landmarks: HandLandmarks, progress: Progress | None) -> Prediction:
        """Return the answers for all hands, on the CPU."""
        weight = next(self.network.parameters())
        mano = self.hand_model.to(weight.device, torch.float32)
        tell = progress or (lambda done, total: None)
        parts = []
        for chunk in torch.arange(len(landmarks)).split(self.chunk):
            tell(int(chunk[0]), len(landmarks))
            crops = crop_hands(pictures, landmarks.select(chunk), getattr(self.network, "crop_size", CROP_SIZE))
            part = self.network(crops.to(weight.device, weight.dtype), mano)
            parts.append([part.pose.cpu(), part.betas.cpu(), part.camera.cpu()])
        tell(len(landmarks), len(landmarks))
        found = Prediction(*(torch.cat(column) for column in zip(*parts, strict=True)))
        if not all(torch.isfinite(value).all() for value in (found.pose, found.betas, found.camera)):
            raise SesaHandError(
                f"{self.name} answered with NaN. In fp16 some devices overflow: load it in bf16 or fp32. Otherwise its "
                "weights are damaged: copy the file again."
            )
        return found


def check_hand_model(model: HandModel, told: str, network: str) -> None:
    """Raise a SesaHandError unless a hand model is the one whose parameters a network tells.

    Args:
        model: What was given.
        told: The name of the network's hand model.
        network: What the network is called.
    """
    if model.name == told:
        return
    if told != MANO_NAME:
        raise SesaHandError(
            f"{network} was given the hand model {model.name!r}, and was trained with {told!r}: the shapes that it "
            "tells are that hand's. Choose it as hand model; builtin in Load MANO Hand Model is the built-in hand."
        )
    raise SesaHandError(
        f"{network} was given the hand model {model.name!r} and needs MANO: the shapes that it tells are MANO's, "
        "and WiLoR looks at the picture at MANO's vertices, so any other hand would come out wrong. Download "
        f"MANO_RIGHT.pkl from {MANO_PAGE} (registration, non-commercial licence) into models/mano and choose it in "
        "Load MANO Hand Model."
    )


def _check_pictures(pictures: Tensor, landmarks: HandLandmarks) -> None:
    expected = (landmarks.num_frames, landmarks.height, landmarks.width, 3)
    if tuple(pictures.shape) != expected or not pictures.is_floating_point():
        raise SesaHandError(
            f"The pictures are {pictures.dtype} of shape {tuple(pictures.shape)}, but the landmarks are of pictures of "
            f"shape {expected} in floating point; give the pictures that the hands were found in."
        )
