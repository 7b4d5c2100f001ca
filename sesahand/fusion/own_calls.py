"""Where hooks act on a module that others may use at the same time: everywhere, or in the calls of one with block."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ENTERED: ContextVar[tuple[object, ...]] = ContextVar("sesahand_entered", default=())


class OwnCalls:
    """Whether a call that runs now is one that some hooks are meant for.

    Hooks sit on a module and fire for every thread that uses it. Until it is entered, the answer is yes wherever it is
    asked; from then on only within the with block, and in tasks and threads that run in a copy of its context.
    """

    def __init__(self):
        self._mark, self._bound = object(), False
        self._born = threading.get_ident()

    def __setstate__(self, state: dict) -> None:
        # A copy of the module has left the with block that the original is in.
        self.__dict__.update(state, _bound=False)

    def __bool__(self) -> bool:
        return not self._bound or self.is_entered

    @property
    def is_entered(self) -> bool:
        """Whether this runs within the with block."""
        return any(mark is self._mark for mark in _ENTERED.get())

    @property
    def is_of_this_thread(self) -> bool:
        """Whether it was made in this thread."""
        return self._born == threading.get_ident()

    def enter(self) -> None:
        self._bound = True
        _ENTERED.set((*_ENTERED.get(), self._mark))

    def leave(self) -> None:
        _ENTERED.set(tuple(mark for mark in _ENTERED.get() if mark is not self._mark))

    @contextmanager
    def entered(self) -> Iterator[OwnCalls]:
        """`enter` and `leave` as a with block."""
        self.enter()
        try:
            yield self
        finally:
            self.leave()
