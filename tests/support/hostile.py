"""Runs a function over a hostile file in a child with bounds on memory and time, so that a regression fails.

`run_limited("sesahand.files.pictures:read_picture", path, megabytes=300, seconds=20)` says how it ended: with a value,
with an exception, or dead. The bound on memory counts from where the child stands when all is imported.
"""

import importlib
import importlib.util
import inspect
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ended:
    """How a call ended.

    Attributes:
        value: What it returned, if it can be pickled, else its repr.
        error: Name of the exception's class, or None.
        message: Text of the exception.
        died: Why the child is gone without an answer ("time", "signal 9", "status 1"), or None.
        output: The child's standard error, its end.
    """

    value: Any = None
    error: str | None = None
    message: str = ""
    died: str | None = None
    output: str = ""

    def refused(self, *names: str) -> str:
        """Return the message of the error, or fail unless it is one of the library's own (or of the names given)."""
        wanted = names or ("SesaHandError", "InvalidFileError", "UnsafeFileError")
        assert self.died is None, f"the child died: {self.died}\n{self.output}"
        assert self.error in wanted, f"ended with {self.error}: {self.message}\n{self.value!r:.300}\n{self.output}"
        return self.message

    def returned(self) -> Any:
        """Return the value, or fail if there is none."""
        assert self.died is None, f"the child died: {self.died}\n{self.output}"
        assert self.error is None, f"ended with {self.error}: {self.message}\n{self.output}"
        return self.value


def run_limited(target: str | Callable, *args: Any, megabytes: int = 1000, seconds: float = 60, **named: Any) -> Ended:
    """Call a function in a child.

    Args:
        target: "package.module:function", or a function of a test file, which is imported again in the child.
        args: Can be pickled, as `named` can.
        megabytes: That the call may take beyond what the imports took (address space).
        seconds: That it may take, imports included.
    """
    if os.environ.get("SESAHAND_LIMITED"):
        # A script that calls this at its top level is imported by its child, and would start children without end.
        raise RuntimeError("run_limited was called while its own child imported the target")
    if callable(target):
        target = f"{inspect.getsourcefile(target)}:{target.__qualname__}"
    with tempfile.TemporaryDirectory() as folder:
        question, answer = Path(folder, "question"), Path(folder, "answer")
        question.write_bytes(pickle.dumps((target, args, named, megabytes)))
        marks = {"SESAHAND_LIMITED": "1", "OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1", "MALLOC_ARENA_MAX": "2"}
        child = subprocess.Popen(
            [sys.executable, __file__, question, answer], env=os.environ | marks, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        try:
            _, errors = child.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            # Its own children too, which a decoder may have started.
            os.killpg(child.pid, signal.SIGKILL) if hasattr(os, "killpg") else child.kill()
            _, errors = child.communicate()
            return Ended(died="time", output=errors.decode("utf-8", "replace")[-3000:])
        output = errors.decode("utf-8", "replace")[-3000:]
        if child.returncode or not answer.exists():
            kind = f"signal {-child.returncode}" if child.returncode < 0 else f"status {child.returncode}"
            return Ended(died=kind, output=output)
        return Ended(*pickle.loads(answer.read_bytes()), output=output)


def _load(target: str) -> Callable:
    module, _, name = target.rpartition(":")
    if module.endswith(".py"):
        spec = importlib.util.spec_from_file_location("hostile_target", module)
        loaded = importlib.util.module_from_spec(spec)
        sys.modules["hostile_target"] = loaded
        spec.loader.exec_module(loaded)
    else:
        loaded = importlib.import_module(module)
    for part in name.split("."):
        loaded = getattr(loaded, part)
    return loaded


def _bound_memory(megabytes: int) -> None:
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError):
        return
    bound = pages * os.sysconf("SC_PAGE_SIZE") + megabytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _main() -> None:
    sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]
    target, args, named, megabytes = pickle.loads(Path(sys.argv[1]).read_bytes())
    import numpy  # noqa: F401
    import torch  # noqa: F401
    from PIL import Image

    Image.init()
    torch.set_num_threads(1)
    function = _load(target)
    _bound_memory(megabytes)
    try:
        value, error, message = function(*args, **named), None, ""
    except Exception as fault:
        value, error, message = None, type(fault).__name__, str(fault)
    try:
        told = pickle.dumps((value, error, message))
    except Exception:
        told = pickle.dumps((repr(value)[:2000], error, message))
    Path(sys.argv[2]).write_bytes(told)


if __name__ == "__main__":
    _main()
