"""One writer at a time, by a lock that the system takes back when the writer dies."""

import errno
import os
import sys
import time
from pathlib import Path

from ..errors import SesaHandError
from .reading import open_regular

ANOTHER_SET = "set: one set for each process, and each can be read as it is"
BUSY = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)


class WriterLock:
    """An exclusive lock on a file, held until `release` or the end of the process, however that comes.

    The file stays; that it is there means nothing.

    Args:
        path: The file; it is made if it is missing.
        what: What the folder is called in errors, and what else to choose.
        wait: Seconds to wait for somebody else to release it.

    Raises:
        SesaHandError: If somebody else holds the lock, or the file cannot be made, or is a link or no file.
    """

    def __init__(self, path: Path, what: str = ANOTHER_SET, wait: float = 0.0):
        try:
            self._file = open_regular(path, "ab", follow=False)
        except OSError as error:
            raise SesaHandError(f"{path} cannot be opened ({error!s:.120}); check that you may write there.") from error
        try:
            self._wait_for(wait)
        except OSError as error:
            self._file.close()
            if error.errno not in BUSY:
                raise SesaHandError(
                    f"{path} cannot be locked ({error!s:.120}); this disk may not know locks. Choose a local one."
                ) from error
            raise SesaHandError(
                f"Somebody else is writing to {path.parent}. Wait until that has ended, or write to another {what}."
            ) from error

    def __enter__(self) -> "WriterLock":
        return self

    def __exit__(self, *_) -> None:
        self.release()

    def _wait_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while True:
            try:
                return _lock(self._file.fileno())
            except OSError as error:
                if error.errno not in BUSY or time.monotonic() >= end:
                    raise
            time.sleep(0.05)

    def release(self) -> None:
        """Let others write."""
        self._file.close()


if sys.platform == "win32":

    def _lock(descriptor: int) -> None:
        import msvcrt

        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:

    def _lock(descriptor: int) -> None:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
