"""Panics of libraries that are written in Rust, told as what they are: a fault of the file.

A damaged tokenizer.json makes tokenizers panic when it is read or when a text is given to it. That arrives as an
exception which is none of Python's `Exception`, so that nothing catches it: it ends ComfyUI's worker for good, and all
prompts behind this one wait for ever. Other exceptions of that kind (an interrupt, an exit) are not touched.
"""

from types import TracebackType

from ..errors import InvalidFileError

# The class of the bridge between Rust and Python; no module of that name can be imported.
PANIC = ("pyo3_runtime", "PanicException")


class refusing_panics:  # noqa: N801  # it is called as a function is
    """A context in which a panic becomes an InvalidFileError.

    Args:
        name: What was read or used, for the message.

    Raises:
        InvalidFileError: If Rust panics within.
    """

    def __init__(self, name: object):
        self.name = name

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None and (kind.__module__, kind.__name__) == PANIC:
            raise InvalidFileError(
                f"{self.name!s:.200}: a library that reads it has failed ({error!s:.120}), as it does over a damaged "
                "tokenizer.json. Copy all of the model's files again, or choose another model."
            ) from error
