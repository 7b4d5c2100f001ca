"""Train a network that reconstructs hands: from nothing, or HaMeR or WiLoR on from their checkpoints."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import InvalidFileError, SesaHandError
from ..files.folders import inside
from ..files.model_configs import check_configurations
from ..files.model_folders import MORE_BYTES, table_bytes, without_memory
from ..files.reading import read_json
from ..files.writing import append_line
from ..hands.loading import load_hand_model
from ..hands.mano import MANO_NAME
from ..hands.model import HandModel
from ..metrics.joint_errors import mpjpe, mpvpe, pa_mpjpe
from ..models.vision_networks import load_vision_network
from ..reconstruct.learned.checkpoints import load_network
from ..reconstruct.learned.hand_crops import normalise_crops
from ..reconstruct.learned.prediction import CROP_SIZE, Prediction
from ..reconstruct.learned.reconstructor import check_hand_model
from ..reconstruct.learned.regressor import CONVOLUTIONS, HandRegressor, RegressorSettings
from ..reconstruct.learned.regressor_files import write_network
from .config import ReconstructorConfig, to_dict
from .hand_crops import HandCrop, open_hands
from .hand_task import HandTask, move_crops, pose_right
from .known_sets import KnownSets
from .loop import TrainingOutcome, Watcher, main_process_first, seeded, train
from .mixture import Mixture
from .reconstructor_settings import HandSource

MODEL_FILE = "reconstructor.safetensors"
HELD_OUT_LOG = "held_out.jsonl"
# Of so many crops the mean hand is taken, from which answers are told as differences.
MEAN_OF = 512
AT_ONCE = 64
# Of a vision network, with weights or at random: far more than a hand needs.
MOST_NUMBERS = 1 << 31


def train_reconstructor(
    config: ReconstructorConfig,
    stop: Callable[[], bool] = lambda: False,
    report: Callable[[dict], None] = lambda entry: None,
    open_set: Callable[[HandSource, HandModel, int, int], Any] = open_hands,
) -> tuple[TrainingOutcome, Path | None]:
    """Run a configuration from its newest checkpoint to the end.

    Args:
        config: What to train.
        stop: Asked after every step; true ends the training with a checkpoint.
        report: Called with each entry of the log.
        open_set: Gives the crops of a set, see `open_hands`.

    Returns:
        What it came to, and the exported file; None if it was stopped before its end.

    Raises:
        SesaHandError: If a set, the hand model or the start cannot be used, or the training diverges.
    """
    hand = load_hand_model(config.hand_model)
    with seeded(config.seed):
        network = start_network(config, hand)
    size, room = getattr(network, "crop_size", CROP_SIZE), config.data.keep_megabytes << 20
    sets = [open_set(source, hand, size, room) for source in config.data.sets]
    learnt = Mixture(sets, [source.share for source in config.data.sets])
    held_out = [open_set(source, hand, size, room) for source in config.data.held_out]
    known = None
    # Sets that are opened in another way need not tell what their samples are called.
    if all(hasattr(part, "names") for part in (*sets, *held_out)):
        known = KnownSets(
            tuple((source.path, part.names) for source, part in zip(config.data.sets, sets, strict=True)),
            tuple((source.path, part.names) for source, part in zip(config.data.held_out, held_out, strict=True)),
        )
    if not config.start:
        set_mean(network, sets)
    task = HandTask(network, hand, config.losses, config.augmentation, config.frozen)
    check_average(network, config)
    out = Path(config.out)

    def validate(step: int) -> None:
        entry: dict[str, Any] = {"step": step}
        for source, crops in zip(config.data.held_out, held_out, strict=True):
            figures = measure_crops(network, hand, crops)
            entry |= {f"{name} of {Path(source.path).name}": float(values.mean()) for name, values in figures.items()}
        append_line(inside(out, HELD_OUT_LOG), json.dumps(entry).encode() + b"\n")
        report(entry)

    set_mode(network, config)
    watcher = Watcher(stop, report, validate if held_out else None)
    # The loop asks for samples of any kind, whatever the task takes.
    outcome = train(task, cast(Any, learnt), config.training, config, out, watcher, known=known)
    if not outcome.finished:
        return outcome, None
    path = out / MODEL_FILE
    with main_process_first() as is_main:
        if is_main:
            write_network(path, network, facts_of(config, outcome, sum(map(len, sets))))
    return outcome, path


def start_network(config: ReconstructorConfig, hand: HandModel) -> nn.Module:
    """Return the network that a training begins with.

    Raises:
        SesaHandError: If the hand model is not the one that the start tells, or a vision network cannot be built.
    """
    if config.start:
        network = load_network(config.start)
        told = getattr(network, "hand_model", MANO_NAME)
        check_hand_model(hand, cast(str, told), cast(str, network.title))
        return network
    own = config.backbone
    described: dict = {}
    if own.kind != CONVOLUTIONS:
        described = read_vision_config(Path(own.folder))
    settings = RegressorSettings(hand.name, own.size, own.kind, own.widths, own.hidden, described)
    if own.kind != CONVOLUTIONS:
        _check_numbers(Path(own.folder), settings)
    network = HandRegressor(settings)
    if own.kind != CONVOLUTIONS:
        load_vision_weights(network, Path(own.folder))
    return network


def _check_numbers(folder: Path, settings: RegressorSettings) -> None:
    """Refuse a network that is too large, before there is memory for it."""
    network = without_memory(folder, lambda: HandRegressor(settings))
    numbers, tables = sum(value.numel() for value in network.parameters()), table_bytes(network)
    if numbers > MOST_NUMBERS or tables > MORE_BYTES:
        raise InvalidFileError(
            f"{folder!s:.200} describes a network of {numbers:,} numbers and {tables:,} bytes beside them, expected at "
            f"most {MOST_NUMBERS:,} and {MORE_BYTES:,}; choose a smaller one."
        )


def read_vision_config(folder: Path) -> dict:
    """Return the configuration of a vision network's folder.

    Raises:
        InvalidFileError: If there is none, or it asks for code from elsewhere.
    """
    check_configurations(folder)
    found = read_json(folder / "config.json")
    if not isinstance(found, dict):
        raise InvalidFileError(f"{folder / 'config.json'} holds no configuration; copy the folder again.")
    return found


def load_vision_weights(network: HandRegressor, folder: Path) -> None:
    """Give a vision network the weights of its folder, if there are any; without, it starts at random.

    Raises:
        InvalidFileError: If they are another network's.
    """
    if not any(folder.glob("*.safetensors")):
        return
    found, own = load_vision_network(folder).float().state_dict(), network.get_submodule("backbone.network")
    # A pooler is not looked at, and a classifier's weights have none.
    pooler = {name: value for name, value in own.state_dict().items() if name.startswith("pooler.")}
    try:
        own.load_state_dict(pooler | found)
    except RuntimeError as error:
        raise InvalidFileError(
            f"{folder!s:.200} cannot be loaded as a vision network ({error!s:.300}). Copy all of its files."
        ) from error


def set_mean(network: nn.Module, sets: Sequence[Sequence[HandCrop]]) -> None:
    """Let a network tell hands as differences from the mean of some of those that it will learn."""
    each = max(1, MEAN_OF // len(sets))
    crops = [part[n] for part in sets for n in range(0, len(part), max(1, len(part) // each))][:MEAN_OF]
    known = [crop for crop in crops if crop.known] or crops
    pose = torch.stack([crop.rotations for crop in known]).mean(0)
    scale, shift = zip(*(weak_camera(crop.keypoints_3d, crop.keypoints_2d) for crop in crops), strict=True)
    network.get_buffer("init_hand_pose").copy_(pose[..., :2].mT.reshape(1, -1))
    network.get_buffer("init_betas").copy_(torch.stack([crop.betas for crop in known]).mean(0)[None])
    network.get_buffer("init_cam").copy_(torch.cat([torch.stack(scale).mean()[None], torch.stack(shift).mean(0)])[None])


def weak_camera(keypoints: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Return the camera that brings keypoints to where they are seen, as `Prediction.camera` has it.

    Args:
        keypoints: `[21, 3]` metres.
        seen: `[21, 2]` in halves of the crop from its middle.

    Returns:
        Scale `[]`, halves of the crop per metre, and shift `[2]` in metres.
    """
    flat = keypoints[:, :2] - keypoints[:, :2].mean(0)
    scale = ((seen - seen.mean(0)) * flat).sum() / flat.square().sum().clamp(min=1e-8)
    scale = scale.clamp(min=0.1)
    return scale, seen.mean(0) / scale - keypoints[:, :2].mean(0)


def set_mode(network: nn.Module, config: ReconstructorConfig) -> None:
    """Networks that go on keep the statistics that they came with; new ones learn theirs."""
    network.train(not config.start or isinstance(network, HandRegressor))
    if config.frozen:
        network.get_submodule("backbone").eval()


def check_average(network: nn.Module, config: ReconstructorConfig) -> None:
    """Refuse averaged weights where batch normalisation keeps statistics of the last ones."""
    if config.training.average and any(isinstance(part, nn.BatchNorm2d) for part in network.modules()):
        raise SesaHandError(
            f"training.average is {config.training.average:g}, but this network has batch normalisation, whose "
            "statistics are those of the last weights: set training.average=0."
        )


@torch.no_grad()
def predict_crops(network: nn.Module, hand: HandModel, crops: Tensor) -> Prediction:
    """Return the answers of a network to normalised crops `[N, 3, S, S]`, on the CPU; its mode stays as it was."""
    weight = next(network.parameters())
    hand = hand.to(weight.device, torch.float32)
    learning = [part for part in network.modules() if part.training]
    network.eval()
    try:
        parts = [network(part.to(weight.device, weight.dtype), hand).float() for part in crops.split(AT_ONCE)]
    finally:
        for part in learning:
            part.training = True
    names = ("pose", "betas", "camera")
    return Prediction(*(torch.cat([getattr(part, name).cpu() for part in parts]) for name in names))


@torch.no_grad()
def measure_crops(network: nn.Module, hand: HandModel, crops: Sequence[HandCrop]) -> dict[str, np.ndarray]:
    """Measure a network on crops as they are cut around the true hands.

    Args:
        network: What answers.
        hand: The hand model that it tells.
        crops: N hands.

    Returns:
        MPJPE, PA-MPJPE and, where all parameters are known, MPVPE of each hand `[N]`, millimetres.
    """
    size = getattr(network, "crop_size", CROP_SIZE)
    figures: dict[str, list[Tensor]] = {}
    for start in range(0, len(crops), AT_ONCE):
        part = [crops[n] for n in range(start, min(start + AT_ONCE, len(crops)))]
        patches = torch.stack([crop.patch for crop in part]).float() / 255
        still = torch.zeros(len(part), 2), torch.ones(len(part)), torch.zeros(len(part))
        found = predict_crops(network, hand, normalise_crops(move_crops(patches, size, *still)))
        for name, values in compare_hands(hand, found, part).items():
            figures.setdefault(name, []).append(values)
    return {name: torch.cat(values).numpy() for name, values in figures.items()}


def compare_hands(hand: HandModel, found: Prediction, truth: Sequence[HandCrop]) -> dict[str, Tensor]:
    """Return the figures of `measure_crops` of N answers, each `[N]` millimetres."""
    hand = hand.to("cpu", torch.float32)
    vertices, keypoints = pose_right(hand, found.rotations, found.betas.clamp(-10, 10))
    wanted = torch.stack([crop.keypoints_3d for crop in truth])
    figures = {"MPJPE": mpjpe(keypoints, wanted), "PA-MPJPE": pa_mpjpe(keypoints.double(), wanted.double())}
    if all(crop.known for crop in truth):
        surface, points = pose_right(
            hand, torch.stack([crop.rotations for crop in truth]), torch.stack([crop.betas for crop in truth])
        )
        figures["MPVPE"] = mpvpe(vertices, surface, keypoints[:, 0], points[:, 0])
    return figures


def facts_of(config: ReconstructorConfig, outcome: TrainingOutcome, samples: int) -> dict:
    """What a file's header says of its training; of paths the last names alone, which say nothing of whose they are."""
    told = to_dict(replace(config, out="training"))
    for name in ("start", "hand_model"):
        told[name] = Path(told[name]).name
    told["backbone"]["folder"] = Path(told["backbone"]["folder"]).name
    for source in (*told["data"]["sets"], *told["data"]["held_out"]):
        source["path"] = Path(source["path"]).name
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU ({platform.machine()})"
    return {
        "kind": config.kind,
        "steps": outcome.step,
        "samples": samples,
        "hours": round(outcome.seconds / 3600, 3),
        "hardware": device,
        "torch": torch.__version__,
        "final_loss": round(outcome.loss, 5) if outcome.loss == outcome.loss else None,
        **({"extended": list(outcome.extended)} if outcome.extended else {}),
        "config": told,
    }
