"""Named arrays out of npz and safetensors files that nobody vouches for."""

import io
import math
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np

from ..errors import InvalidFileError, SesaHandError, UnsafeFileError
from ..files.reading import open_regular
from ..files.writing import write_whole

MAX_FILE_BYTES = 64 * 2**20
# What zipfile, zlib and numpy raise over damaged bytes.
DAMAGE = (
    ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError, SyntaxError, tokenize.TokenError,
    struct.error, zlib.error,
)  # fmt: skip


def read_bytes(path: str | Path, limit: int = MAX_FILE_BYTES) -> bytes:
    """Return the contents of a file of at most `limit` bytes.

    Raises:
        InvalidFileError: If it is missing, unreadable, empty or larger.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise InvalidFileError(f"{path} does not exist or is not a file; check the path.")
        with open_regular(path) as file:
            data = file.read(limit + 1)
    except (OSError, ValueError) as error:
        raise InvalidFileError(
            f"{path!s:.200} cannot be read: {error!s:.200}. Check the path and that you may read the file."
        ) from error
    if not data:
        raise InvalidFileError(f"{path} is empty; copy or download it again.")
    if len(data) > limit:
        raise InvalidFileError(f"{path} is larger than {limit} bytes, more than a file of its kind holds.")
    return data


def write_bytes(path: str | Path, data: bytes, limit: int = MAX_FILE_BYTES) -> None:
    """Write a whole file or nothing: a failure in the middle leaves what was there before.

    Raises:
        SesaHandError: If the folder is missing or cannot be written to, or the file would be too large to be read.
    """
    path = Path(path)
    if len(data) > limit:
        raise SesaHandError(
            f"{path} would have {len(data)} bytes, more than the {limit} that can be read again. Save fewer hands per "
            "file; .npz takes a fifth of .json's space."
        )
    try:
        write_whole(path, data)
    except (OSError, ValueError) as error:
        raise SesaHandError(
            f"{path!s:.200} cannot be written: {error!s:.200}. Choose a folder that exists and that you may write to, "
            "and a name that is not a folder's."
        ) from error


def read_npz(path: str | Path, limit: int = MAX_FILE_BYTES) -> dict[str, np.ndarray]:
    """Return the arrays of an npz file without ever unpickling, and without believing the sizes it claims.

    Raises:
        UnsafeFileError: If it holds Python objects.
        InvalidFileError: If it is missing, truncated, or unpacks to more than `limit` bytes.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(io.BytesIO(read_bytes(path, limit))) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > limit:
                raise InvalidFileError(f"{path} unpacks to more than {limit} bytes.")
            if any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in members):
                raise InvalidFileError(f"{path} is packed in a way that numpy does not use; save it again with numpy.")
            return {
                member.filename.removesuffix(".npy"): _array_from_npy(archive.read(member), f"{path}:{member.filename}")
                for member in members
            }
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise InvalidFileError(f"{path} is not a readable npz file ({error!s:.80}); copy it again.") from error
    except DAMAGE as error:
        raise InvalidFileError(f"{path} holds a damaged array ({error!s:.80}); copy it again.") from error


def _array_from_npy(data: bytes, label: str) -> np.ndarray:
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read_header(stream)
    if dtype.hasobject:
        raise UnsafeFileError(f"{label} was refused: it holds Python objects, not numbers. Save it as plain arrays.")
    rest = data[stream.tell() :]
    if math.prod(shape) * dtype.itemsize != len(rest):
        raise InvalidFileError(f"{label} claims the shape {shape}, which does not fit its {len(rest)} bytes.")
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
