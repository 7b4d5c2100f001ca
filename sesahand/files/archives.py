"""Opening zip files whose list of contents may be as long as the file."""

import zipfile
from typing import IO

LONGEST_LIST = 16 << 20
"""Bytes; each entry of some fifty takes ten times as much in memory. Torch's largest lists have a tenth."""


def open_zip(file: IO[bytes]) -> zipfile.ZipFile:
    """Open a zip for reading, if its list of contents is no longer than any that is meant.

    Raises:
        zipfile.BadZipFile: If it is longer, or damaged.
    """
    bounded = _Bounded(file)
    archive = zipfile.ZipFile(bounded)
    bounded.most = None
    return archive


class _Bounded:
    """A file of which no more is read at once than `most` bytes: zipfile reads the list in one piece."""

    def __init__(self, file: IO[bytes]):
        self.file = file
        self.most: int | None = LONGEST_LIST

    def read(self, count: int = -1) -> bytes:
        if self.most is None:
            return self.file.read(count)
        data = self.file.read(self.most + 1 if count < 0 else min(count, self.most + 1))
        if len(data) > self.most:
            raise zipfile.BadZipFile(f"its list of contents is longer than {self.most} bytes")
        return data

    def __getattr__(self, name: str):
        return getattr(self.file, name)
