"""Read the tensors out of a training checkpoint of torch without unpickling it.

PyTorch Lightning stores the training's configuration beside the weights, as objects of libraries that `torch.load`
rightly does not make. Here nothing is made: the pickle inside the file is only interpreted, its tensors become
records that say where their numbers lie, and all other objects become inert records that are dropped.

The file is mapped into memory, so that weights that nobody asks for are never read. What is made of it is bounded by
its own size: small files that describe much, by views that repeat numbers or by objects in objects, are refused.

Source: the layouts of torch's files are those of `torch/serialization.py`.
"""

import math
import mmap
import struct
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InvalidFileError, UnsafeFileError
from .archives import open_zip
from .pickle_reader import DAMAGE, Name, PickleReader, Record
from .reading import open_regular

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


LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
MAX_STORAGES = 100_000
MAX_RECORDS = 500_000


class Items(Record):
    """The record of an object that holds others, a dictionary or list with a class of its own."""

    def __init__(self, name: str, arguments: tuple):
        super().__init__(name, arguments)
        self.items: dict | None = None


class CheckpointReader(PickleReader):
    """Reads the pickle of a torch file into plain data and records."""

    kind = "training checkpoint"
    advice = "Use the original file of the authors, or save its state_dict as .safetensors where you trust it."
    max_instructions = 3_000_000

    def __init__(self, data, file: str):
        super().__init__(data, file)
        self.records = 0
        self.storage_sizes: dict[str, int] = {}

    def put_record(self, record: Record) -> None:
        self.records += 1
        if self.records > MAX_RECORDS:
            raise UnsafeFileError(f"{self.file} was refused: it holds more objects than any {self.kind}. {self.advice}")
        self.stack.append(record)

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
            raise UnsafeFileError(f"{self.file} was refused: it calls something that is not a name. {self.advice}")
        self.put_record(Items(function.name, arguments))

    new_object = reduce

    def persistent(self) -> None:
        identity = self.pop()
        if isinstance(identity, tuple) and len(identity) >= 5:
            kind, key = identity[1:3]
            if isinstance(kind, Name) and isinstance(key, str) and kind.name in STORAGE_TYPES:
                self.storage_sizes[key] = STORAGE_TYPES[kind.name].itemsize
        self.put_record(Record("storage", (identity,)))

    def set_items(self, items: list) -> None:
        target = self.stack[-1]
        if isinstance(target, Items):
            target.items = {} if target.items is None else target.items
            target = target.items
        else:
            target = self.top(dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            # No weight has another kind of key. Hashing a tuple means to walk through all that is in it, and a few
            # bytes can say that this is a tuple in a tuple, a million times, or two of one that is two of one. Numbers
            # can be chosen so that all have one hash, and each is then compared with all before it.
            if isinstance(key, str):
                target[key] = value

    def append_all(self, items: list) -> None:
        # What a list with a class of its own holds is no weight.
        if not isinstance(self.stack[-1], Items):
            super().append_all(items)

    instructions = {
        **PickleReader.instructions,
        b"Q": lambda reader: reader.persistent(),
        b"\x8f": lambda reader: reader.put_record(Items("builtins.set", ())),
        b"\x90": lambda reader: reader.pop_mark(),
    }


def read_checkpoint_tensors(path: Path, wanted: Callable[[str], bool] = lambda name: True) -> dict[str, Tensor]:
    """Return the tensors of the `state_dict` in a torch file, or of the file itself, whose names are wanted.

    Args:
        path: A file that `torch.save` wrote, in its zip format or the one before it.
        wanted: Tells from a name whether its tensor is to be read.

    Returns:
        Tensors that read from the file when they are first used; those that share numbers in it share them here.

    Raises:
        UnsafeFileError: If it asks for something that no checkpoint needs.
        InvalidFileError: If it is damaged, holds something else, or describes more than it holds.
    """
    label = path.name
    try:
        with open_regular(path) as file:
            if file.read(len(ZIP_START)) == ZIP_START:
                with open_zip(file) as archive:
                    content, storages = _open_zip(archive, path)
            else:
                content, storages = _open_legacy(file, path)
            return _tensors(content, storages, wanted, path)
    except DAMAGE as error:
        raise InvalidFileError(f"{label} is damaged ({error!s:.80}); copy or download it again.") from error
    except MemoryError as error:
        raise InvalidFileError(
            f"{label} needs more memory than there is; copy or download it again, or close other programs."
        ) from error
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise InvalidFileError(
            f"{label} is not a readable torch file ({error!s:.80}); copy or download it again."
        ) from error


def _open_zip(archive: zipfile.ZipFile, path: Path) -> tuple[Any, "_Storages"]:
    members = {member.filename: member for member in archive.infolist()}
    pickles = [name for name in members if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(pickles) != 1 or members[pickles[0]].file_size > MAX_PICKLE_BYTES:
        raise InvalidFileError(f"{path.name} is not a file that torch.save wrote; copy or download it again.")
    if any(member.compress_type != zipfile.ZIP_STORED for member in members.values()):
        raise InvalidFileError(f"{path.name} is compressed, which torch.save does not do; copy or download it again.")
    root = pickles[0].removesuffix("data.pkl")
    order = members.get(root + "byteorder")
    if order is not None and (order.file_size > 16 or archive.read(order) != b"little"):
        raise InvalidFileError(f"{path.name} was saved on a machine of the other byte order; save it as .safetensors.")
    content = CheckpointReader(archive.read(pickles[0]), path.name).run()
    numbers = [name for name in members if name.startswith(root + "data/")]
    if len(numbers) > MAX_STORAGES:
        raise InvalidFileError(f"{path.name} holds more storages than any checkpoint; copy or download it again.")
    places = {
        name.removeprefix(root + "data/"): (_start_of(archive, members[name]), members[name].file_size)
        for name in numbers
    }
    _check_apart(places.values(), path)
    return content, _Storages(path, places)


def _check_apart(places: Iterable[tuple[int, int]], path: Path) -> None:
    """Refuse storages that share bytes: a thousand names for one would be a thousand times as much in memory."""
    end = 0
    for start, size in sorted(place for place in places if place[1]):
        if start < end:
            raise InvalidFileError(
                f"{path.name} holds storages that lie in each other, which torch.save does not write; copy or download "
                "it again."
            )
        end = start + size


def _start_of(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    """Where the bytes of a stored member begin in the file."""
    file = archive.fp
    if file is None:
        raise ValueError("an archive that is closed")
    file.seek(member.header_offset)
    header = file.read(30)
    if header[:4] != ZIP_START:
        raise ValueError("a member without a header")
    name, extra = struct.unpack("<HH", header[26:30])
    return member.header_offset + 30 + name + extra


def _open_legacy(file, path: Path) -> tuple[Any, "_Storages"]:
    """Read torch's format before version 1.6: pickles one behind the other, then the numbers of each storage."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        reader = CheckpointReader(data, path.name)
        found = []
        for _ in range(5):
            found.append(reader.run())
            if found[0] != LEGACY_MAGIC:
                raise InvalidFileError(f"{path.name} is not a file that torch.save wrote; copy or download it again.")
            if reader.position > MAX_PICKLE_BYTES:
                raise InvalidFileError(
                    f"{path.name} holds no checkpoint: its pickles are too large; copy or download it again."
                )
            # Each is a pickle of its own.
            reader.stack, reader.marks, reader.memo = [], [], {}
        _, protocol, system, content, keys = found
        if protocol != LEGACY_PROTOCOL or not isinstance(system, dict) or system.get("little_endian") is not True:
            raise InvalidFileError(f"{path.name} was saved by another torch or machine; save it as .safetensors.")
        if not isinstance(keys, list) or len(keys) > MAX_STORAGES or not all(isinstance(key, str) for key in keys):
            raise InvalidFileError(f"{path.name} does not say where its numbers are; copy or download it again.")
        kinds = reader.storage_sizes
        places, at = {}, reader.position
        for key in keys:
            (count,) = struct.unpack("<q", data[at : at + 8])
            size = count * kinds.get(key, 0)
            if count < 0 or at + 8 + size > len(data):
                raise InvalidFileError(f"{path.name} ends within its numbers; copy or download it again.")
            places[key] = (at + 8, size)
            at += 8 + size
    return content, _Storages(path, places)


class _Storages:
    """The numbers of a file, mapped, each storage once."""

    def __init__(self, path: Path, places: dict[str, tuple[int, int]]):
        self.places, self.size = places, path.stat().st_size
        self.known: dict[tuple[str, torch.dtype], Tensor] = {}
        self.copies: dict[str, np.ndarray] = {}
        # Changes stay in memory and never reach the file.
        self.bytes = np.memmap(path, np.uint8, "c")

    def of(self, record: Any, label: str) -> Tensor:
        """The numbers of a storage, flat."""
        (identity,) = record.arguments if isinstance(record, Record) and record.name == "storage" else (None,)
        if not isinstance(identity, tuple) or len(identity) not in (5, 6) or not _is(identity[0], "storage"):
            raise InvalidFileError(f"{label} does not say where its numbers are; copy or download the file again.")
        _, kind, key, _, count = identity[:5]
        if len(identity) == 6 and identity[5] is not None:
            raise InvalidFileError(f"{label} has numbers within those of another; save it as .safetensors.")
        dtype = STORAGE_TYPES.get(kind.name if isinstance(kind, Name) else "")
        place = self.places.get(key) if isinstance(key, str) else None
        if dtype is None or place is None:
            raise InvalidFileError(
                f"{label} has numbers that the file does not hold, or of an unknown kind; copy or download the file "
                "again."
            )
        start, size = place
        if type(count) is not int or count < 0 or count * dtype.itemsize != size or start + size > self.size:
            raise InvalidFileError(f"{label} has another size than its numbers; copy or download the file again.")
        if not count:
            return torch.zeros(0, dtype=dtype)
        if (key, dtype) not in self.known:
            raw = self.bytes[start : start + size]
            if start % dtype.itemsize:
                # torch aligns them; a tool that does not costs a copy, and one for all types that they are read as.
                if key not in self.copies:
                    self.copies[key] = raw.copy()
                raw = self.copies[key]
            self.known[key, dtype] = torch.from_numpy(raw).view(dtype)
        return self.known[key, dtype]


def _is(value: Any, text: str) -> bool:
    return isinstance(value, str) and value == text


def _tensors(content: Any, storages: _Storages, wanted: Callable[[str], bool], path: Path) -> dict[str, Tensor]:
    entries = entries_of(content)
    if entries is not None and entries_of(entries.get("state_dict")) is not None:
        entries = entries_of(entries["state_dict"])
    if entries is None:
        kind = content.name if isinstance(content, Record) else type(content).__name__
        raise InvalidFileError(
            f"{path.name} holds a {kind:.60}, expected a dictionary of weights: take the file of the weights itself."
        )
    tensors, total = {}, 0
    for name, value in entries.items():
        if not (isinstance(name, str) and wanted(name) and isinstance(value, Record)):
            continue
        tensor = _tensor(value, storages, f"{path.name}: {name[:80]}")
        total += tensor.numel() * tensor.element_size()
        # Tensors may share their numbers, but not so much that a small file fills the memory.
        if total > 2 * storages.size:
            raise InvalidFileError(f"{path.name} describes more weights than it holds; copy or download it again.")
        tensors[name] = tensor
    return tensors


def entries_of(value: Any) -> dict | None:
    """Return what a dictionary of a checkpoint holds, or None if the value is none."""
    if isinstance(value, Items):
        return value.items or {}
    return value if isinstance(value, dict) else None


def _tensor(record: Record, storages: _Storages, label: str) -> Tensor:
    if record.name == PARAMETER and record.arguments and isinstance(record.arguments[0], Record):
        record = record.arguments[0]
    if record.name != TENSOR or len(record.arguments) < 4:
        raise InvalidFileError(
            f"{label} holds a {record.name[:80]}, expected a tensor; copy or download the file again."
        )
    storage, offset, size, stride = record.arguments[:4]
    # What a file says is never written out: a list may hold itself, and two lists each other.
    if not isinstance(size, tuple) or not isinstance(stride, tuple) or len(size) != len(stride):
        raise InvalidFileError(f"{label} has no shape that can be read; copy or download the file again.")
    if len(size) > MAX_DIMENSIONS:
        raise InvalidFileError(
            f"{label} has {len(size)} dimensions, more than weights have; copy or download the file again."
        )
    if not all(type(value) is int and 0 <= value < 2**40 for value in (offset, *size, *stride)):
        raise InvalidFileError(f"{label} has a shape that is none; copy or download the file again.")
    numbers = storages.of(storage, label)
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    if math.prod(size) > len(numbers) or (math.prod(size) and last >= len(numbers)):
        raise InvalidFileError(f"{label} reaches beyond its numbers; copy or download the file again.")
    return numbers.as_strided(size, stride, offset) if math.prod(size) else numbers.new_zeros(size)
