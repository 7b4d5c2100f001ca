"""Run tests/comfyui in the interpreter of each ComfyUI and show every test as an item of this run.

The library's tests and the nodes' tests need different interpreters, and `import comfy` must not happen here. So the
files of tests/comfyui are not imported by this process. For each core of comfy_install.CORES a child process collects
the whole folder with that ComfyUI's interpreter, this run shows what it found (so that -k, -m, node ids and -x work as
anywhere; a test's id ends with its core, as if that were a parameter), tells it which tests were chosen, and shows its
reports. A child that dies fails the test it was at and all that would have followed.

The children work while this process runs the tests with a server, and the relayed items come last: two cores of a
processor are busy instead of one. In a run of everything (SESAHAND_RELAY_LIBRARY=1, which tools/quickstart.py sets) the
tests of the library are relayed as well, to a child with this very interpreter.

The two talk in lines of JSON: the child sends {"collected": [...]}, then {"report": ...} and {"done": id} for each
test; it is sent one line with the chosen ids. Run as a script, this file is the child.
"""

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from functools import cached_property
from pathlib import Path

import pytest
from comfy_install import CORES, Unavailable, find_comfyui

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "comfyui"
LIBRARY = "library"
LIBRARY_FOLDERS = (ROOT / "tests" / "unit", ROOT / "tests" / "fuzz")
LOG_TAIL = 10000


class Relay:
    """The pytest plugin of the run that the user started."""

    def __init__(self):
        self.cores = {}
        self.with_library = os.environ.get("SESAHAND_RELAY_LIBRARY") == "1"

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makemodule(self, module_path, parent):
        if FOLDER in module_path.parents:
            return RelayedFile.from_parent(parent, path=module_path, cores=tuple(CORES))
        if self.with_library and any(folder in module_path.parents for folder in LIBRARY_FOLDERS):
            return RelayedFile.from_parent(parent, path=module_path, cores=(LIBRARY,))

    def core(self, name: str) -> "RelayedCore":
        """Return a core, with the tests that its interpreter has found; the first call starts them all."""
        if not self.cores:
            names = (*CORES, LIBRARY) if self.with_library else tuple(CORES)
            self.cores = {each: RelayedCore(each) for each in names}
        return self.cores[name]

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items):
        items.sort(key=lambda item: isinstance(item, RelayedItem | MissingCore))

    def pytest_collection_finish(self, session):
        for name, core in self.cores.items():
            if not core.child:
                continue
            chosen = [item.relayed_id for item in session.items if isinstance(item, RelayedItem) and item.core == name]
            if session.config.option.collectonly or not chosen:
                core.child.stop()
            else:
                core.child.send(chosen)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item, nextitem):
        if not isinstance(item, RelayedItem):
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for data in self.core(item.core).child.reports(item.relayed_id):
            report = item.config.hook.pytest_report_from_serializable(config=item.config, data=data)
            report.nodeid, report.location = item.nodeid, item.location
            if isinstance(report.longrepr, list):  # JSON has no tuples, and a skip's reason must be one
                report.longrepr = tuple(report.longrepr)
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def pytest_sessionfinish(self):
        for core in self.cores.values():
            if core.child:
                core.child.stop()


class RelayedCore:
    """One ComfyUI, or the library: its child process and what that has collected, or why there is none."""

    def __init__(self, name: str):
        self.name, self.child, self.reason = name, None, None
        try:
            self.child = Child(*((sys.executable, None) if name == LIBRARY else comfyui(name)), name)
        except Unavailable as reason:
            self.reason = str(reason)

    @cached_property
    def collected(self) -> dict:
        """What the child found: node ids, keywords and errors for each file of the folder."""
        message = self.child.receive()
        if message is None:
            problem = f"The interpreter of the {self.name} tests could not collect them."
            raise pytest.Collector.CollectError(f"{problem} {self.child.obituary()}")
        return message["collected"]


def comfyui(name: str) -> tuple[Path, Path]:
    """Return the interpreter and the checkout of a core."""
    installation = find_comfyui(name)
    return installation.python, installation.path


class RelayedFile(pytest.File):
    """A test file that the interpreters of some cores import in place of this one."""

    def __init__(self, cores, **arguments):
        super().__init__(**arguments)
        self.cores = cores

    def collect(self):
        relay = self.config.pluginmanager.get_plugin("sesahand-relay")
        for name in self.cores:
            if reason := relay.core(name).reason:
                yield MissingCore.from_parent(self, name=f"all tests[{name}]", reason=reason)
                continue
            found, key = relay.core(name).collected, self.path.relative_to(ROOT).as_posix()
            if error := found["errors"].get(key):
                raise self.CollectError(error)
            if reason := found["skips"].get(key):
                yield MissingCore.from_parent(self, name=f"all tests[{name}]", reason=reason)
                continue
            yield from relayed(self, name, [test for test in found["tests"] if test["id"].split("::")[0] == key], 1)


class RelayedClass(pytest.Collector):
    """A test class of a relayed file."""

    def __init__(self, core, tests, depth, **arguments):
        super().__init__(**arguments)
        self.core, self.tests, self.depth = core, tests, depth

    def collect(self):
        return relayed(self, self.core, self.tests, self.depth)


class MissingCore(pytest.Item):
    """Stands for all tests of a file in a ComfyUI that is not there."""

    def __init__(self, reason, **arguments):
        super().__init__(**arguments)
        self.reason = reason

    def reportinfo(self):
        return self.path, None, self.name

    def runtest(self):
        # At one place of this file for all, so that the summary shows each reason once.
        raise pytest.skip.Exception(self.reason, _use_item_location=False)


class RelayedItem(pytest.Item):
    """A test that runs in the interpreter of one core."""

    def __init__(self, core, test, **arguments):
        super().__init__(**arguments)
        self.core, self.relayed_id, self.line = core, test["id"], test["line"]
        self.extra_keyword_matches.update(test["marks"])
        for mark in test["marks"]:
            self.add_marker(mark)

    def reportinfo(self):
        return self.path, self.line, self.nodeid.split("::", 1)[-1]

    def runtest(self):
        raise NotImplementedError("A relayed test is run by the relay's own protocol.")


def id_parts(test: dict) -> list[str]:
    """Split a node id at its "::", but not at one inside a parameter."""
    path, bracket, parameter = test["id"].partition("[")
    parts = path.split("::")
    return [*parts[:-1], parts[-1] + bracket + parameter]


def named(test: str, core: str) -> str:
    """Return a test's name with its core as one more parameter; the library has one interpreter, which is not named."""
    if core == LIBRARY:
        return test
    return f"{test[:-1]}-{core}]" if test.endswith("]") else f"{test}[{core}]"


def relayed(parent, core: str, tests: list[dict], depth: int):
    """Yield items and classes for a core's tests whose ids share their first `depth` parts."""
    classes = {}
    for test in tests:
        parts = id_parts(test)
        if depth == len(parts) - 1:
            yield RelayedItem.from_parent(parent, name=named(parts[depth], core), core=core, test=test)
        elif parts[depth] not in classes:
            members = classes[parts[depth]] = [t for t in tests if id_parts(t)[depth] == parts[depth]]
            yield RelayedClass.from_parent(parent, name=parts[depth], core=core, tests=members, depth=depth + 1)


class Child:
    """The process in another interpreter, seen from this side; a checkout of ComfyUI is None for the library."""

    def __init__(self, python, comfyui: Path | None, core: str):
        self.log = tempfile.TemporaryFile()
        environment = {
            "OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // len(CORES))),  # they share the processor
            **os.environ,
            "SESAHAND_CORE": core,
        }
        if comfyui:
            environment |= {"SESAHAND_IN_COMFYUI": "1", "COMFYUI_PATH": str(comfyui)}
        environment.pop("PYTEST_ADDOPTS", None)  # meant for the run that the user started
        self.process = subprocess.Popen(
            [python, __file__, *map(str, [FOLDER] if comfyui else filter(Path.is_dir, LIBRARY_FOLDERS))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            cwd=ROOT,
            env=environment,
            text=True,
            encoding="utf-8",
        )
        # Read at once, however late somebody asks: the child must not wait for room in the pipe.
        self.lines = queue.SimpleQueue()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put("")

    def send(self, chosen: list[str]):
        try:
            self.process.stdin.write(json.dumps(chosen) + "\n")
            self.process.stdin.flush()
        except OSError:
            pass  # It died after collecting; the first test that waits for a report says so.

    def receive(self) -> dict | None:
        line = self.lines.get()
        if not line.endswith("\n"):
            self.lines.put("")  # for whoever asks next
            return None
        return json.loads(line)

    def reports(self, test_id: str):
        """Yield the serialised reports of one test, or a failure in its place if the child is gone."""
        while True:
            message = self.receive()
            if message is None:
                yield lost_report(test_id, self.obituary())
                return
            if "report" in message:
                yield message["report"]
            elif message["done"] == test_id:
                return

    def obituary(self) -> str:
        code = self.process.wait(timeout=60)
        self.log.seek(0)
        tail = self.log.read().decode("utf-8", "replace")[-LOG_TAIL:]
        return f"The process in ComfyUI's interpreter ended with exit code {code}. The end of its log:\n{tail}"

    def stop(self):
        """End the child, which waits for its list of tests or runs tests that nobody waits for any more."""
        if self.log.closed:
            return
        self.process.stdin.close()
        if self.process.poll() is None and not self.ended_by_itself():
            self.process.kill()
            self.process.wait()
        self.reader.join(timeout=10)
        self.process.stdout.close()
        self.log.close()

    def ended_by_itself(self) -> bool:
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            return False
        return True


def lost_report(test_id: str, text: str) -> dict:
    return {
        "$report_type": "TestReport",
        "nodeid": test_id,
        "location": ("", None, ""),
        "keywords": {},
        "outcome": "failed",
        "longrepr": text,
        "when": "call",
        "sections": [],
        "duration": 0.0,
        "start": 0.0,
        "stop": 0.0,
        "user_properties": [],
    }


class Responder:
    """The pytest plugin of the child: collects everything, runs what it is told to, reports each phase."""

    def __init__(self, orders, channel):
        self.orders, self.channel = orders, channel
        self.errors, self.skips = {}, {}
        self.config = None

    def send(self, **message):
        self.channel.write(json.dumps(message, default=str) + "\n")
        self.channel.flush()

    def pytest_configure(self, config):
        self.config = config

    def pytest_collectreport(self, report):
        if report.failed:
            self.errors[report.nodeid] = report.longreprtext
        elif report.skipped:
            self.skips[report.nodeid] = report.longrepr[2].removeprefix("Skipped: ")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session):
        tests = [
            {"id": item.nodeid, "line": item.reportinfo()[1], "marks": sorted({m.name for m in item.iter_markers()})}
            for item in session.items
        ]
        self.send(collected={"tests": tests, "errors": self.errors, "skips": self.skips})
        items = {item.nodeid: item for item in session.items}
        chosen = [items[name] for name in json.loads(self.orders.readline() or "[]")]
        for item, following in zip(chosen, [*chosen[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            self.send(done=item.nodeid)
        return True

    def pytest_runtest_logreport(self, report):
        self.send(report=self.config.hook.pytest_report_to_serializable(config=self.config, report=report))


def respond() -> int:
    """Be the child: keep standard input and output for the relay alone, and let all that is printed go to the log."""
    orders = os.fdopen(os.dup(sys.stdin.fileno()), encoding="utf-8")
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    options = ["--continue-on-collection-errors", "-p", "no:cacheprovider", "--rootdir", str(ROOT)]
    return pytest.main(
        [*options, "-c", str(ROOT / "pyproject.toml"), *sys.argv[1:]], plugins=[Responder(orders, channel)]
    )


if __name__ == "__main__":
    sys.exit(respond())
