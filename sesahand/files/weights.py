"""Weights in safetensors files, opened lazily: regular files alone, and damage told as such."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import InvalidFileError
from .reading import open_regular

COPY = "It is damaged, incomplete or another kind of file; compare its size with the original and copy it again."


@contextmanager
def open_weights(path: str | Path, advice: str = COPY, follow: bool = True) -> Iterator[Any]:
    """Open a safetensors file, whose tensors are read when they are asked for.

    Args:
        path: The file.
        advice: What to do where it cannot be read, for the message.
        follow: Whether it may be a link.

    Yields:
        What `safetensors.safe_open` gives: `keys()`, `get_tensor(name)`, `metadata()`.

    Raises:
        InvalidFileError: If it is missing, no regular file (a pipe would be waited for), or damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with open_regular(path, follow=follow):
            pass
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise InvalidFileError(f"{Path(path).name} cannot be read as safetensors ({error!s:.160}). {advice}") from error
