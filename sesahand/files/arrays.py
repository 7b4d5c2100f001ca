"""Array files (npy, npz, safetensors): never what could be code, never through a link, never larger than is due."""

import errno
import io
import math
import os
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..errors import InvalidFileError, UnsafeFileError
from .archives import open_zip
from .folders import inside
from .reading import MAX_FILE_BYTES, open_regular, read_bytes
from .writing import write_with

# Bytes that `st_blocks` counts in, and that are written at once.
BLOCK, PIECE = 512, 1 << 20
# What a disk answers that cannot keep room for a file.
NOT_KNOWN = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
# What zipfile, zlib and numpy raise over damaged bytes.
DAMAGE = (
    ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError, SyntaxError, tokenize.TokenError,
    struct.error, zlib.error,
)  # fmt: skip


def map_array(folder: str | Path, name: str, kind, shape: tuple[int, ...], mode: Literal["r", "r+"] = "r") -> np.memmap:
    """Map a .npy file of a folder into memory.

    Args:
        folder: Where it is.
        name: Of the file.
        kind: The dtype that it must have.
        shape: The shape that it must have.
        mode: "r" to read, "r+" to change.

    Returns:
        The mapped array, `kind` of shape `[*shape]`.

    Raises:
        InvalidFileError: If it is missing, a link or no regular file, holds anything else, or is to be changed and is a
            file of another name too.
        OSError: If it is to be changed, and the disk has no room for all of it.
    """
    path = inside(folder, name)
    try:
        with open_regular(path, "r+b" if mode == "r+" else "rb", follow=False):
            pass
        # Never "r+" here, in which numpy makes a short file as long as it claims to be.
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except InvalidFileError:
        raise
    except Exception as error:
        # Headers are foreign text, over which numpy's reader raises whatever it likes.
        raise InvalidFileError(f"{path!s:.200} cannot be read as an array ({error!s:.120}); copy it again.") from error
    if not isinstance(array, np.memmap) or array.dtype != np.dtype(kind) or array.shape != tuple(shape):
        found = f"{getattr(array, 'dtype', type(array).__name__)} {getattr(array, 'shape', '')}"
        raise InvalidFileError(f"{name} is {found}, expected {np.dtype(kind)} {tuple(shape)}; copy it again.")
    if mode == "r":
        return array
    _take_room(path)
    return np.load(path, mmap_mode=mode, allow_pickle=False)


def create_array(folder: str | Path, name: str, kind, shape: tuple[int, ...]) -> np.memmap:
    """Make a .npy file of zeros in a folder, whatever was of that name, and map it for writing.

    A link of that name is replaced, and what it leads to stays as it is.

    Args:
        folder: Where it shall be.
        name: Of the file.
        kind: Its dtype.
        shape: Its shape.

    Returns:
        The mapped array, `kind` of shape `[*shape]`.

    Raises:
        InvalidFileError: If a folder is of that name.
        OSError: If it cannot be written, or the disk has no room for all of it; then there is no such file.
    """
    path = Path(folder) / name
    path.unlink(missing_ok=True)
    try:
        # Nothing is written yet but the header and the last byte.
        array = np.lib.format.open_memmap(path, "w+", kind, shape)
        _take_room(path, blank_from=array.offset)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return array


def _take_room(path: Path, blank_from: int | None = None) -> None:
    """Have the disk keep room for all of a file that will be mapped.

    Where a file has holes and the disk is full, writing into a mapped hole is no error but a signal that ends the
    process.

    Args:
        path: A file of its full size.
        blank_from: From which byte on nobody has written anything, so that zeros may be; None if somebody may have.

    Raises:
        OSError: If there is no room.
    """
    with open_regular(path, "r+b", follow=False) as file:
        found = os.fstat(file.fileno())
        # Windows' files have no holes unless they are asked for.
        if getattr(found, "st_blocks", math.inf) * BLOCK >= found.st_size:
            return
        if hasattr(os, "posix_fallocate"):
            try:
                return os.posix_fallocate(file.fileno(), 0, found.st_size)
            except OSError as error:
                if error.errno not in NOT_KNOWN:
                    raise
        if blank_from is not None:
            file.seek(blank_from)
            for start in range(blank_from, found.st_size, PIECE):
                file.write(bytes(min(PIECE, found.st_size - start)))


def read_npz(path: str | Path, limit: int = MAX_FILE_BYTES) -> dict[str, np.ndarray]:
    """Return the arrays of an npz file without ever unpickling, and without believing the sizes it claims.

    Raises:
        UnsafeFileError: If it holds Python objects.
        InvalidFileError: If it is missing, truncated, or unpacks to more than `limit` bytes.
    """
    path = Path(path)
    try:
        with open_zip(io.BytesIO(read_bytes(path, limit))) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > limit:
                raise InvalidFileError(
                    f"{path} unpacks to more than {limit} bytes, more than a file of its kind holds; copy it again."
                )
            if any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in members):
                raise InvalidFileError(f"{path} is packed in a way that numpy does not use; save it again with numpy.")
            return {
                member.filename.removesuffix(".npy"): _array_from_npy(
                    read_member(archive, member), f"{path}:{member.filename}"
                )
                for member in members
            }
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise InvalidFileError(f"{path} is not a readable npz file ({error!s:.80}); copy it again.") from error
    except DAMAGE as error:
        raise InvalidFileError(f"{path} holds a damaged array ({error!s:.80}); copy it again.") from error


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Return a member of a zip file, of which no more is unpacked than the size that it claims.

    Raises:
        zipfile.BadZipFile: If it is damaged, or of another size.
    """
    with archive.open(member) as file:
        # `ZipFile.read` unpacks all that is packed and cuts it to that size afterwards.
        return file.read(member.file_size + 1)


def _array_from_npy(data: bytes, label: str) -> np.ndarray:
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read_header(stream)
    if dtype.hasobject:
        raise UnsafeFileError(f"{label} was refused: it holds Python objects, not numbers. Save it as plain arrays.")
    # Such as texts of length 0, of which a header can claim any number.
    if not dtype.itemsize or min(shape, default=0) < 0:
        raise InvalidFileError(f"{label} claims {dtype} of shape {shape}, of which there is none; copy the file again.")
    rest = data[stream.tell() :]
    if math.prod(shape) * dtype.itemsize != len(rest):
        raise InvalidFileError(
            f"{label} claims the shape {shape}, which does not fit its {len(rest)} bytes; copy the file again."
        )
    return (
        np.frombuffer(rest, dtype).reshape(shape, order="F" if fortran else "C")
        if len(rest)
        else np.empty(shape, dtype)
    )


def read_safetensors(path: str | Path, limit: int = MAX_FILE_BYTES) -> dict[str, np.ndarray]:
    """Return the arrays of a safetensors file.

    Raises:
        InvalidFileError: If it is missing, too large or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    data = read_bytes(path, limit)
    try:
        return load(data)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise InvalidFileError(f"{path} is not a readable safetensors file ({error!s:.80}); copy it again.") from error


def write_npz(path: str | Path, compressed: bool = False, **arrays: np.ndarray) -> None:
    """Write arrays as an npz file, whole or not at all.

    Args:
        path: Of the file.
        compressed: Whether to deflate it.
        **arrays: Of any shape and dtype but object, by their names in the file.

    Raises:
        OSError: If it cannot be written.
    """
    # To numpy's types a name could also be that of savez's own option.
    save: Any = np.savez_compressed if compressed else np.savez
    write_with(path, lambda file: save(file, **arrays))
