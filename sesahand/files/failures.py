"""Failures of libraries that work by the settings of a stranger's folder, told as a sentence; there are dozens."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from ..errors import SesaHandError

# ComfyUI takes care of the GPU's memory itself. Some versions of torch know only one of these.
_OF_THE_DEVICE: tuple[type[Exception], ...] = tuple(
    getattr(torch, name) for name in ("OutOfMemoryError", "AcceleratorError") if hasattr(torch, name)
)


@contextmanager
def telling_failures(failed: str, passes: Callable[[Exception], bool] = lambda _: False) -> Iterator[None]:
    """Turn whatever is raised within into an error for people.

    Args:
        failed: Their sentence, without the reason.
        passes: Tells what is no failure, such as an interrupt.

    Raises:
        SesaHandError: For all else but the faults of the GPU.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, (SesaHandError, *_OF_THE_DEVICE)) or passes(error):
            raise
        raise SesaHandError(f"{failed}: {str(error)[:500] or type(error).__name__}") from error
