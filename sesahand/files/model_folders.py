"""What a model folder must be before transformers or diffusers reads it, and after.

Both libraries are told to take safetensors alone, but an index of shards may name any file, and what it names is read
as torch's pickles where it has another ending. Both make a network as large as its configuration says, and give weights
that the files lack random numbers. So the folder is looked at before, and the network that came out of it after.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from ..errors import InvalidFileError, SesaHandError, UnsafeFileError, quote
from .model_configs import check_configurations
from .reading import read_json
from .weights import open_weights

MAX_INDEX_BYTES = 64 << 20
PICKLES = (".pkl", ".pickle")
# A network may have this many more numbers than its files, beside twice as many as they have: small ones that are
# incomplete are told by the names of what they lack, and some share numbers only once they are loaded.
MORE_NUMBERS = 1 << 24
# Tables that networks make themselves, such as masks and positions, and no file holds.
MORE_BYTES = 1 << 28
MOST_STEPS = 1 << 16
# As `model_configs.COUNTS`: a layer without any memory of its own still takes some of Python's, and a millisecond.
MOST_LAYERS = 1000


def check_model_folder(folder: Path, has_weights: bool = True, has_words: bool = True) -> None:
    """Refuse a folder that would have a library do more than read its data.

    Args:
        folder: Holds the files themselves, not folders of parts.
        has_weights: Whether it is to hold weights.
        has_words: Whether a tokenizer is read from it, some of which read pickles.

    Raises:
        UnsafeFileError: If it leads to code, to files from elsewhere, or to weights in another format.
        InvalidFileError: If it holds no safetensors, is incomplete, quantized or a bare adapter.
    """
    names = sorted(path.name for path in folder.iterdir())
    if has_weights and not any(name.endswith(".safetensors") for name in names):
        raise InvalidFileError(
            f"{folder} holds no .safetensors weights. Other formats can carry code and are not read: download the "
            "model's safetensors version, or convert it."
        )
    for name in filter(_is_index, names if has_weights else ()):
        _check_shards(folder / name)
    pickles = [name for name in names if name.lower().endswith(PICKLES)]
    if has_words and pickles:
        raise UnsafeFileError(
            f"{folder} holds pickles ({', '.join(pickles[:3])}), which run code when a tokenizer reads them. Remove "
            "them, or take a model whose tokenizer is a tokenizer.json."
        )
    if "adapter_config.json" in map(str.lower, names):
        raise InvalidFileError(
            f"{folder} holds a PEFT adapter (adapter_config.json). Merge it into its base model and save the result."
        )
    check_configurations(folder)


def _is_index(name: str) -> bool:
    """Whether a file says in which files safetensors weights are; also one of a variant, `...index.fp16.json`."""
    name = name.lower()
    return ".safetensors.index." in name and name.endswith(".json")


def _check_shards(index: Path) -> None:
    content = read_json(index, MAX_INDEX_BYTES)
    shards = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(shards, dict):
        raise InvalidFileError(f"{index} has no weight_map. Download the file again.")
    for shard in set(map(str, shards.values())):
        if not shard.endswith(".safetensors") or Path(shard).name != shard or "\\" in shard:
            raise UnsafeFileError(
                f"{index} names {quote(shard)} as weights; only .safetensors beside it are read. Take a copy of the "
                "model whose index names those."
            )
        if not (index.parent / shard).is_file():
            raise InvalidFileError(f"{index.parent} is incomplete: {shard[:80]} is missing. Download it again.")


class _Weightless(TorchFunctionMode):
    """Makes what is built within on the device "meta", without memory, but rows of numbers that become Python's."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func is torch.linspace and _is_short(args, kwargs):
            # Some networks ask for each number of it while they are built, which "meta" does not know.
            kwargs.setdefault("device", "cpu")
        if func is torch.normal and isinstance(args[0] if args else kwargs.get("mean"), int | float):
            # It does not know that it is to make what it returns on the device of the context.
            kwargs.setdefault("device", "meta")
        return func(*args, **kwargs)


def _is_short(args: tuple, kwargs: dict) -> bool:
    """Whether so many numbers are asked of `torch.linspace` as a network can have layers."""
    steps = args[2] if len(args) > 2 else kwargs.get("steps")
    return isinstance(steps, int) and steps <= MOST_STEPS


def without_memory(folder: Path, build: Callable[[], nn.Module]) -> nn.Module:
    """Return a network whose numbers take no memory, to see how large it is.

    Args:
        folder: Holds its configuration, for the message.
        build: Makes it.

    Raises:
        InvalidFileError: If no network can be made.
    """
    try:
        with torch.device("meta"), _Weightless():
            return build()
    except SesaHandError:
        raise
    except Exception as error:
        # The libraries raise a dozen kinds over settings that make no network.
        raise InvalidFileError(
            f"{folder} cannot be loaded: its configuration makes no network ({error!s:.300}). Copy or download the "
            "folder again."
        ) from error


def table_bytes(network: nn.Module) -> int:
    """Return the bytes of what a network keeps beside its weights, whether files hold it or not."""
    return sum(value.numel() * value.element_size() for value in network.buffers())


def check_size(folder: Path, build: Callable[[], nn.Module], held: int | None = None) -> nn.Module:
    """Refuse a network of far more numbers than the files hold, before there is memory for it.

    Args:
        folder: Holds the weights, or is the file of them.
        build: Makes the network; here its numbers take no memory.
        held: How many numbers there are; None counts those of the safetensors.

    Returns:
        The network, without memory.

    Raises:
        InvalidFileError: If it is so, or no network can be made.
    """
    network = without_memory(folder, build)
    needed = sum(value.numel() for value in network.parameters())
    tables = table_bytes(network)
    held, size, damage = _held(folder) if held is None else (held, 0, "")
    if needed > 2 * held + MORE_NUMBERS or tables > size + MORE_BYTES:
        if damage:
            raise InvalidFileError(f"{folder} could not be loaded: {damage}")
        raise InvalidFileError(
            f"{folder} holds {held:,} numbers, but its configuration describes a {type(network).__name__} of "
            f"{needed:,} and {tables:,} bytes beside them. The download is incomplete, or config.json belongs to "
            "another model."
        )
    return network


def _held(folder: Path) -> tuple[int, int, str]:
    """How many numbers and bytes a folder's weights are, and what is wrong with one that cannot be read."""
    numbers, size, damage = 0, 0, ""
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with open_weights(path) as file:
                numbers += sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())
                size += path.stat().st_size
        except InvalidFileError as error:
            # It may be the damaged copy of another precision, which is not read.
            damage = str(error)
    return numbers, size, damage


def check_depth(file: str, layers: int) -> int:
    """Return how many layers a file names, before so many are made; their tensors may be of no numbers at all.

    Args:
        file: What it is called in the message.
        layers: Counted by the names of tensors.

    Raises:
        InvalidFileError: If they are more than any network has.
    """
    if layers > MOST_LAYERS:
        raise InvalidFileError(
            f"{file} names {layers} layers of one network, expected at most {MOST_LAYERS}, more than any model has; "
            "copy it again, or choose another file."
        )
    return layers


def check_complete(folder: Path, network: nn.Module, report: Mapping[str, Any]) -> None:
    """Refuse a network that is not all from its files: what they lack is random, and its results would be nonsense.

    Args:
        folder: Where it was loaded from.
        network: What was loaded.
        report: What the library says of the loading (`output_loading_info`).

    Raises:
        InvalidFileError: If weights are missing or of another shape. What the network makes itself is no weight.
    """
    names = {name for name, _ in network.named_parameters()}
    missing = sorted(names.intersection(report["missing_keys"])) + sorted(map(str, report["mismatched_keys"]))
    if missing:
        raise InvalidFileError(
            f"{folder} lacks {len(missing)} weights of {type(network).__name__}, for example {missing[0]:.120}. The "
            "download is incomplete, or the files are for other code than that of transformers and diffusers (of a "
            "model of transformers take the '-hf' version)."
        )
