"""Runs a function over a hostile file in a child with bounds on memory and time, so that a regression fails.

`run_limited("sesahand.files.pictures:read_picture", path, megabytes=300, seconds=20)` says how it ended: with a value,
with an exception, or dead. The bound on memory counts from where the child stands when all is imported.
"""

import functools
import importlib
import importlib.util
import inspect
import json
import os
import pickle
import select
import signal
import subprocess
import sys
import tempfile
import traceback
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
        question.write_bytes(pickle.dumps((target, args, named, megabytes, dict(os.environ), os.getcwd())))
        errors = Path(folder, "errors")
        code = (_run_forked if sys.platform == "linux" else _run)(question, answer, errors, seconds)
        output = errors.read_text("utf-8", "replace")[-3000:]
        if code is None:
            return Ended(died="time", output=output)
        if code or not answer.exists():
            return Ended(died=f"signal {-code}" if code < 0 else f"status {code}", output=output)
        return Ended(*pickle.loads(answer.read_bytes()), output=output)


def _start(*arguments, **pipes) -> subprocess.Popen:
    marks = {"SESAHAND_LIMITED": "1", "OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1", "MALLOC_ARENA_MAX": "2"}
    return subprocess.Popen(
        [sys.executable, __file__, *arguments], env=os.environ | marks, start_new_session=True, **pipes
    )


def _run(question: Path, answer: Path, errors: Path, seconds: float) -> int | None:
    """Let a new process answer; its exit code, or None if it took too long."""
    with errors.open("wb") as file:
        child = _start(question, answer, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=file)
        try:
            return child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            return None


def _run_forked(question: Path, answer: Path, errors: Path, seconds: float) -> int | None:
    """As `_run`, by a fork of a process that has imported torch already: starting that anew takes seconds each time."""
    nursery = _nursery()
    nursery.stdin.write(json.dumps([str(question), str(answer), str(errors)]).encode() + b"\n")
    pid, late = int(nursery.stdout.readline()), False
    if not select.select([nursery.stdout], [], [], seconds)[0]:
        # Its own children too, which a decoder may have started.
        os.killpg(pid, signal.SIGKILL)
        late = True
    code = int(nursery.stdout.readline())
    return None if late else code


@functools.cache
def _nursery() -> subprocess.Popen:
    """The process whose forks answer; it ends with this one, whose pipe it reads."""
    nursery = _start(bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    nursery.stdout.readline()  # it is ready
    return nursery


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


def _prepare() -> None:
    """Import what all targets need, before the bound on memory counts."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]
    import numpy  # noqa: F401
    import torch  # noqa: F401
    from PIL import Image

    Image.init()
    torch.set_num_threads(1)


def _answer(question: Path, answer: Path) -> None:
    target, args, named, megabytes, environment, place = pickle.loads(question.read_bytes())
    os.environ.update(environment | {"SESAHAND_LIMITED": "1"})
    os.chdir(place)
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
    answer.write_bytes(told)


def _say(word) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def _serve() -> None:
    """Fork for each line of standard input, and say the fork's number and then how it ended."""
    _say("ready")
    for line in sys.stdin:
        question, answer, errors = json.loads(line)
        ready, go = os.pipe()
        pid = os.fork()
        if not pid:
            os.setsid()
            os.write(go, b"1")
            nothing, told = os.open(os.devnull, os.O_RDWR), os.open(errors, os.O_WRONLY | os.O_CREAT)
            for descriptor, target in ((nothing, 0), (nothing, 1), (told, 2)):
                os.dup2(descriptor, target)
            try:
                _answer(Path(question), Path(answer))
            except BaseException:
                traceback.print_exc()
                sys.stderr.flush()
                os._exit(1)
            os._exit(0)
        os.read(ready, 1)  # it leads a group of its own, which can be killed
        os.close(ready), os.close(go)
        _say(pid)
        _, status = os.waitpid(pid, 0)
        _say(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    _prepare()
    _serve() if len(sys.argv) == 1 else _answer(Path(sys.argv[1]), Path(sys.argv[2]))
