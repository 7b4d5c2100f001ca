"""Putting bytes into tars."""

import io
import tarfile


def put(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """Append a file to a tar."""
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))
