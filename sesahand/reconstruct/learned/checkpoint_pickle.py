"""Read the tensors out of a training checkpoint of torch without unpickling it.

PyTorch Lightning stores the training's configuration beside the weights, as objects of libraries that `torch.load`
rightly does not make. Here nothing is made: the pickle inside the file is only interpreted, its tensors become
records that say where their numbers lie, and all other objects become inert records that are dropped.

Source: the layout of torch's zip files is that of `torch/serialization.py`.
"""

import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import InvalidFileError, UnsafeFileError
from ...hands.pickle_reader import DAMAGE, Name, PickleReader, Record

MAX_PICKLE_BYTES = 64 * 2**20
MAX_DIMENSIONS = 8
ZIP_START = b"PK\x03\x04"

# Names that checkpoints mention beside their weights: configurations, loggers' and optimizers' states. All of them
# stay inert; the list is there so that a file that asks for anything else is refused instead of half read.
HARMLESS_PACKAGES = (
    "collections", "lightning", "lightning_fabric", "numpy", "omegaconf", "pathlib", "pytorch_lightning", "torch",
    "torchmetrics", "typing", "yacs",
)  # fmt: skip
HARMLESS_BUILTINS = (
    "bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "object", "set", "slice",
    "str", "tuple",
)  # fmt: skip
HARMLESS_NAMES = {
    ("argparse", "Namespace"),
    ("copyreg", "_reconstructor"),
    ("copy_reg", "_reconstructor"),
    ("_codecs", "encode"),
    ("functools", "partial"),
}
BUILTINS = ("builtins", "__builtin__")
# Functions of harmless packages that run what they are given; inert here, but no checkpoint needs them.
SUSPICIOUS = ("load", "eval", "exec", "system", "run", "runstring", "run_command", "import_module", "compile", "popen")

STORAGE_TYPES = {
    "torch.FloatStorage": torch.float32,
    "torch.DoubleStorage": torch.float64,
    "torch.HalfStorage": torch.float16,
    "torch.BFloat16Storage": torch.bfloat16,
    "torch.LongStorage": torch.int64,
    "torch.IntStorage": torch.int32,
    "torch.ShortStorage": torch.int16,
    "torch.CharStorage": torch.int8,
    "torch.ByteStorage": torch.uint8,
    "torch.BoolStorage": torch.bool,
}
TENSOR = "torch._utils._rebuild_tensor_v2"
PARAMETER = "torch._utils._rebuild_parameter"


class Items(Record):
    """The record of an object that holds others, a dictionary or list with a class of its own."""

    def __init__(self, name: str, arguments: tuple):
        super().__init__(name, arguments)
        self.items = {}


class CheckpointReader(PickleReader):
    """Reads the pickle of a torch file into plain data and records."""

    kind = "training checkpoint"
    advice = "Use the original file of the authors, or save its state_dict as .safetensors where you trust it."
    max_instructions = 5_000_000

    def name(self, module: str, name: str) -> None:
        package = module.split(".")[0]
        known = (
            (module in BUILTINS and name in HARMLESS_BUILTINS)
            or (module, name) in HARMLESS_NAMES
            or (package in HARMLESS_PACKAGES and name.split(".")[-1] not in SUSPICIOUS)
        )
        if not known:
            raise UnsafeFileError(
                f"{self.file} was refused: it asks for {module[:80]}.{name[:80]}, which no {self.kind} needs. "
                f"{self.advice}"
            )
        self.stack.append(Name(f"{module}.{name}"))

    def reduce(self) -> None:
        arguments, function = self.pop(), self.pop()
        if not isinstance(function, Name) or not isinstance(arguments, tuple):
            raise UnsafeFileError(f"{self.file} was refused: it calls something that is not a name.")
        self.stack.append(Items(function.name, arguments))

    new_object = reduce

    def persistent(self) -> None:
        self.stack.append(Record("storage", (self.pop(),)))

    def set_items(self, items: list) -> None:
        target = self.stack[-1].items if isinstance(self.stack[-1], Items) else self.top(dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[key] = value

    def append_all(self, items: list) -> None:
        # What a list with a class of its own holds is no weight.
        if not isinstance(self.stack[-1], Items):
            super().append_all(items)

    instructions = {
        **PickleReader.instructions,
        b"Q": lambda reader: reader.persistent(),
        b"\x8f": lambda reader: reader.stack.append(Items("builtins.set", ())),
        b"\x90": lambda reader: reader.pop_mark(),
    }


def read_checkpoint_tensors(path: Path, wanted: Callable[[str], bool]) -> dict[str, Tensor]:
    """Return the tensors of the `state_dict` in a torch file, or of the file itself, whose names are wanted.

    Args:
        path: A file that `torch.save` wrote in its zip format.
        wanted: Tells from a name whether its tensor is to be read.

    Raises:
        UnsafeFileError: If it asks for something that no checkpoint needs.
        InvalidFileError: If it is damaged or holds something else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _read_tensors(archive, path, wanted)
    except DAMAGE as error:
        raise InvalidFileError(f"{path.name} is damaged ({error!s:.80}); copy or download it again.") from error
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise InvalidFileError(
            f"{path.name} is not a readable torch file ({error!s:.80}); copy or download it again."
        ) from error


def _read_tensors(archive: zipfile.ZipFile, path: Path, wanted: Callable[[str], bool]) -> dict[str, Tensor]:
    members = {member.filename: member for member in archive.infolist()}
    pickles = [name for name in members if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(pickles) != 1 or members[pickles[0]].file_size > MAX_PICKLE_BYTES:
        raise InvalidFileError(f"{path.name} is not a file that torch.save wrote; copy or download it again.")
    if any(member.compress_type != zipfile.ZIP_STORED for member in members.values()):
        raise InvalidFileError(f"{path.name} is compressed, which torch.save does not do; copy or download it again.")
    root = pickles[0].removesuffix("data.pkl")
    if root + "byteorder" in members and archive.read(root + "byteorder") != b"little":
        raise InvalidFileError(f"{path.name} was saved on a machine of the other byte order; save it as .safetensors.")
    content = entries_of(CheckpointReader(archive.read(pickles[0]), path.name).run())
    if content is not None and entries_of(content.get("state_dict")) is not None:
        content = entries_of(content["state_dict"])
    if content is None:
        raise InvalidFileError(f"{path.name} does not hold a dictionary of weights.")
    tensors, total = {}, 0
    for name, value in content.items():
        if not (isinstance(name, str) and wanted(name) and isinstance(value, Record)):
            continue
        tensors[name] = _tensor(value, archive, members, root, f"{path.name}: {name[:80]}")
        total += tensors[name].numel() * tensors[name].element_size()
        # Tensors may share their numbers, but not so much that a small file fills the memory.
        if total > 2 * path.stat().st_size:
            raise InvalidFileError(f"{path.name} describes more weights than it holds; copy or download it again.")
    return tensors


def entries_of(value: Any) -> dict | None:
    """Return what a dictionary of a checkpoint holds, or None if the value is none."""
    return value if isinstance(value, dict) else getattr(value, "items", None) if isinstance(value, Items) else None


def _tensor(record: Record, archive: zipfile.ZipFile, members: dict, root: str, label: str) -> Tensor:
    if record.name == PARAMETER and record.arguments and isinstance(record.arguments[0], Record):
        record = record.arguments[0]
    if record.name != TENSOR:
        raise InvalidFileError(f"{label} holds a {record.name[:80]}, expected a tensor.")
    storage, offset, size, stride = record.arguments[:4]
    numbers = _storage(storage, archive, members, root, label)
    whole = [offset, *size, *stride]
    if not all(type(value) is int and value >= 0 for value in whole) or len(size) != len(stride):
        raise InvalidFileError(f"{label} has the shape {str(size)[:40]}, which is none.")
    if len(size) > MAX_DIMENSIONS:
        raise InvalidFileError(f"{label} has {len(size)} dimensions, more than weights have.")
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    if math.prod(size) > len(numbers) or (math.prod(size) and last >= len(numbers)):
        raise InvalidFileError(f"{label} reaches beyond its numbers; copy or download the file again.")
    return numbers.as_strided(size, stride, offset).contiguous()


def _storage(record: Any, archive: zipfile.ZipFile, members: dict, root: str, label: str) -> Tensor:
    """Return the numbers of a storage, flat."""
    (identity,) = record.arguments if isinstance(record, Record) and record.name == "storage" else (None,)
    if not isinstance(identity, tuple) or len(identity) != 5 or identity[0] != "storage":
        raise InvalidFileError(f"{label} does not say where its numbers are.")
    _, kind, key, _, count = identity
    dtype = STORAGE_TYPES.get(kind.name if isinstance(kind, Name) else "")
    member = members.get(f"{root}data/{key}") if isinstance(key, str) else None
    if dtype is None or member is None:
        raise InvalidFileError(f"{label} has numbers that the file does not hold, or of an unknown kind.")
    if type(count) is not int or count < 0 or count * dtype.itemsize != member.file_size:
        raise InvalidFileError(f"{label} has another size than its numbers; copy or download the file again.")
    if not count:
        return torch.zeros(0, dtype=dtype)
    return torch.frombuffer(bytearray(archive.read(member)), dtype=dtype)
