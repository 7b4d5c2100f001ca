"""Writing tars of the files of pairs."""

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

from ...files.writing import write_with


def write_tar(path: Path, samples: Iterable[Iterable[tuple[str, bytes]]]) -> int:
    """Write a whole tar or nothing.

    Args:
        path: The file.
        samples: Of each sample its files, by name and contents; they are asked for one by one.

    Returns:
        How many samples are in it.
    """

    def fill(file) -> int:
        count = 0
        with tarfile.open(fileobj=file, mode="w") as tar:
            for sample in samples:
                for name, data in sample:
                    entry = tarfile.TarInfo(name)
                    entry.size = len(data)
                    tar.addfile(entry, io.BytesIO(data))
                count += 1
        return count

    return write_with(path, fill)
