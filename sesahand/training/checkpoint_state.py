"""The state of a training on disk: numbers as safetensors, the rest as JSON, so that going on with it runs nothing.

Training folders are passed on like other files, and a pickle in one would be a program. Randomness is no part of the
state: it follows from the seed and the step's number.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import InvalidFileError, SesaHandError
from ..files.folders import inside
from ..files.reading import parse_json, read_json
from ..files.weights import open_weights
from ..files.writing import write_whole, write_with

TENSORS, FACTS = "state.safetensors", "state.json"
PICKLES = (".pkl", ".pickle", ".bin", ".pt", ".pth")
METADATA = "sesahand.state"
# Of bitsandbytes: so many numbers share a scale, and so many levels stand for them.
BLOCK, LEVELS = 256, 256
PICKLED = (
    "Those of earlier versions were pickles, which run code when they are read. Remove it to start anew, or copy it "
    "again."
)


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What an optimizer remembers of each parameter, by "<number of the parameter>.<name>"."""
    return named_tensors(optimizer.state_dict()["state"])


def named_tensors(state: dict[int, dict[str, Any]]) -> dict[str, Tensor]:
    """The "state" of an optimizer's `state_dict` as `optimizer_tensors` gives it."""
    tensors: dict[str, Tensor] = {}
    for number, kept in state.items():
        # bitsandbytes wraps up what belongs to its 8 bits.
        flat = {name: value for name, value in kept.items() if not isinstance(value, dict)}
        for wrapped in kept.values():
            flat |= wrapped if isinstance(wrapped, dict) else {}
        tensors |= {f"{number}.{name}": torch.as_tensor(value) for name, value in flat.items()}
    return tensors


def put_into_optimizer(optimizer: torch.optim.Optimizer, kept: dict[str, Tensor]) -> None:
    """Give an optimizer what `optimizer_tensors` took from one of the same parameters.

    Raises:
        ValueError: If they are those of other parameters.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in kept.items():
        number, _, field = name.partition(".")
        if not number.isdigit() or int(number) >= len(parameters):
            raise ValueError(f"an optimizer's state of {name[:60]}")
        parameter = parameters[int(number)]
        shapes = _shapes_of(optimizer, parameter)
        if field not in shapes:
            raise ValueError(f"an optimizer's state of {name[:60]}")
        if value.shape != shapes[field]:
            raise ValueError(f"an optimizer's state of another shape, {name[:60]}")
        placed: Any = value
        if shapes[field] == parameter.shape and field != "step":
            # In the parameter's own layout in memory, which the file does not keep.
            placed = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
        elif not _is_torchs(optimizer):
            placed = int(value) if field == "step" else value
        state.setdefault(int(number), {})[field] = placed
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _is_torchs(optimizer: Any) -> bool:
    """Tell torch's AdamW, which accelerate may have wrapped, from bitsandbytes'."""
    return isinstance(getattr(optimizer, "optimizer", optimizer), torch.optim.AdamW)


def _shapes_of(optimizer: torch.optim.Optimizer, parameter: Tensor) -> dict[str, tuple[int, ...]]:
    """What an optimizer remembers of a parameter, each with its shape."""
    whole = tuple(parameter.shape)
    if _is_torchs(optimizer):
        return {"step": (), "exp_avg": whole, "exp_avg_sq": whole}
    blocks = (-(-parameter.numel() // BLOCK),)
    levels = {f"qmap{n}": (LEVELS,) for n in (1, 2)}
    return {"step": (), "state1": whole, "state2": whole, **levels, "absmax1": blocks, "absmax2": blocks}


def write_state(file, parts: dict[str, dict[str, Tensor]], facts: dict[str, Any] | None = None) -> None:
    """Write named parts of a state into an open file, the facts beside them in its header."""
    from safetensors.torch import save

    tensors = {
        f"{part}/{name}": value.detach().cpu().contiguous().clone()
        for part, kept in parts.items()
        for name, value in kept.items()
    }
    file.write(save(tensors, {METADATA: json.dumps(facts or {})}))


def read_state(path: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """Read what `write_state` wrote: the parts and the facts.

    Raises:
        InvalidFileError: If it is missing, damaged or of another kind.
    """
    parts: dict[str, dict[str, Tensor]] = {}
    try:
        with open_weights(path, PICKLED, follow=False) as file:
            facts = parse_json((file.metadata() or {})[METADATA], f"{path!s:.200}: {METADATA}")
            for name in file.keys():
                part, _, rest = name.partition("/")
                parts.setdefault(part, {})[rest] = file.get_tensor(name)
        if not isinstance(facts, dict):
            raise ValueError("its facts are none")
    except SesaHandError:
        raise
    except Exception as error:
        raise InvalidFileError(
            f"{path!s:.200} cannot be read as the state of a training ({error!s:.120}). {PICKLED}"
        ) from error
    return parts, facts


def save_checkpoint(
    folder: Path, module: torch.nn.Module, optimizer: torch.optim.Optimizer, averages: list[Tensor], facts: dict
) -> None:
    """Write a checkpoint's files into a folder.

    Args:
        folder: Where to.
        module: Its weights are written.
        optimizer: What it remembers is written.
        averages: Of the trained parameters, in their order and each of the same shape as its own.
        facts: Anything that JSON holds.
    """
    parts = {
        "model": module.state_dict(),
        "optimizer": optimizer_tensors(optimizer),
        "average": {str(number): value for number, value in enumerate(averages)},
    }
    write_with(folder / TENSORS, lambda file: write_state(file, parts))
    write_whole(folder / FACTS, json.dumps(facts).encode())


def load_checkpoint(
    folder: Path, module: torch.nn.Module, optimizer: torch.optim.Optimizer, averages: list[Tensor]
) -> dict[str, Any]:
    """Take up what `save_checkpoint` wrote, and return the facts.

    Args:
        folder: Where from.
        module: Gets the weights.
        optimizer: Gets what it remembered.
        averages: Get the averages; as of `save_checkpoint`.

    Raises:
        InvalidFileError: If it is missing, damaged, or of other parameters.
    """
    refuse_pickles(folder)
    parts, _ = read_state(inside(folder, TENSORS))
    facts = read_json(inside(folder, FACTS), follow=False)
    try:
        if not isinstance(facts, dict):
            raise ValueError("its facts are none")
        module.load_state_dict(parts.get("model", {}))
        put_into_optimizer(optimizer, parts.get("optimizer", {}))
        kept = parts.get("average", {})
        if len(kept) != len(averages):
            raise ValueError(f"averages of {len(kept)} parameters, not {len(averages)}")
        for number, average in enumerate(averages):
            if kept[str(number)].shape != average.shape:
                raise ValueError("an average of another shape")
            average.copy_(kept[str(number)])
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        raise InvalidFileError(
            f"{folder!s:.200} is no checkpoint of this training ({error!s:.200}). Remove it, or choose another folder "
            "with --out."
        ) from error
    return facts


def refuse_pickles(folder: Path) -> None:
    """Refuse a checkpoint of an earlier version, or of a stranger, whose files would have to be unpickled."""
    found = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in PICKLES)
    if found or not (folder / TENSORS).exists():
        named = f" ({', '.join(found[:3])})" if found else ""
        raise InvalidFileError(
            f"{folder!s:.200} is a checkpoint of an earlier version, which kept pickles{named}. They run code when "
            "they are read, so they are not. Finish that training with the version that began it, or start anew in "
            "another folder."
        )
