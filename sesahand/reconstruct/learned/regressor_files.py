"""The project's own hand networks as safetensors, whose header says how they are built and were trained."""

import json
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn

from ...errors import InvalidFileError, SesaHandError
from ...files.model_configs import check_configuration
from ...files.reading import parse_json
from ...files.weights import open_weights
from ...files.writing import write_with
from .regressor import HandRegressor, RegressorSettings

SETTINGS, FACTS = "sesahand.reconstructor", "sesahand.training"


def write_network(path: str | Path, network: nn.Module, facts: dict) -> None:
    """Write a hand network as one safetensors file of half precision.

    Args:
        path: Ends in `.safetensors`.
        network: A `HandRegressor`; or a `HaMeR` or `WiLoR`, which keep the names of the published files.
        facts: What to say of the training.

    Raises:
        SesaHandError: If a weight is not a finite number in half precision, or the file cannot be written.
    """
    from safetensors.torch import save

    state = {name: _half(name, value) for name, value in network.state_dict().items()}
    header = {FACTS: json.dumps(facts)}
    if isinstance(network, HandRegressor):
        header[SETTINGS] = json.dumps(asdict(network.settings))
    try:
        write_with(path, lambda file: file.write(save(state, header)))
    except (OSError, ValueError) as error:
        raise SesaHandError(
            f"{path!s:.200} cannot be written: {error!s:.200}. Choose another folder with --out, or make room."
        ) from error


def read_settings(path: Path) -> RegressorSettings | None:
    """Return what a file's network is built from, or None if it is none of the project's own.

    Raises:
        InvalidFileError: If it is one, and its header is damaged.
        UnsafeFileError: If the vision network that it describes asks for code from elsewhere.
    """
    if path.suffix.lower() != ".safetensors":
        return None
    with open_weights(path) as file:
        metadata = file.metadata() or {}
    if SETTINGS not in metadata:
        return None
    values = parse_json(metadata[SETTINGS], f"{path.name}: {SETTINGS}")
    check_configuration(path, values)
    try:
        return RegressorSettings(**values)
    except (TypeError, AttributeError, SesaHandError) as error:
        raise InvalidFileError(f"{path.name} describes no hand network ({error!s:.200}). Copy it again.") from error


def _half(name: str, value: Tensor) -> Tensor:
    value = value.detach().cpu()
    stored = value.half() if value.is_floating_point() else value
    if not torch.isfinite(stored).all():
        raise SesaHandError(f"{name!r} holds values that half precision has not; the training has diverged.")
    return stored.contiguous().clone()
