"""numpy's array files, mapped or made: never what could be code, never through a link, and of the shape that is due."""

from pathlib import Path

import numpy as np

from ..errors import InvalidFileError
from .folders import inside
from .reading import open_regular
from .writing import write_with


def map_array(folder: str | Path, name: str, kind, shape: tuple[int, ...], mode: str = "r") -> np.ndarray:
    """Map a .npy file of a folder into memory.

    Args:
        folder: Where it is.
        name: Of the file.
        kind: The dtype that it must have.
        shape: The shape that it must have.
        mode: "r" to read, "r+" to change.

    Raises:
        InvalidFileError: If it is missing, a link or no regular file, or holds anything else.
    """
    path = inside(folder, name)
    try:
        with open_regular(path, follow=False):
            pass
        array = np.load(path, mmap_mode=mode, allow_pickle=False)
    except InvalidFileError:
        raise
    except Exception as error:
        # Headers are foreign text, over which numpy's reader raises whatever it likes.
        raise InvalidFileError(f"{path!s:.200} cannot be read as an array ({error!s:.120}).") from error
    if not isinstance(array, np.memmap) or array.dtype != np.dtype(kind) or array.shape != tuple(shape):
        found = f"{getattr(array, 'dtype', type(array).__name__)} {getattr(array, 'shape', '')}"
        raise InvalidFileError(f"{name} is {found}, expected {np.dtype(kind)} {tuple(shape)}.")
    return array


def create_array(folder: str | Path, name: str, kind, shape: tuple[int, ...]) -> np.ndarray:
    """Make a .npy file of zeros in a folder, whatever was of that name, and map it for writing.

    A link of that name is replaced, and what it leads to stays as it is.

    Raises:
        InvalidFileError: If a folder is of that name.
        OSError: If it cannot be written.
    """
    path = Path(folder) / name
    path.unlink(missing_ok=True)
    return np.lib.format.open_memmap(path, "w+", kind, shape)


def write_npz(path: str | Path, compressed: bool = False, **arrays: np.ndarray) -> None:
    """Write arrays as an npz file, whole or not at all.

    Raises:
        OSError: If it cannot be written.
    """
    save = np.savez_compressed if compressed else np.savez
    write_with(path, lambda file: save(file, **arrays))
