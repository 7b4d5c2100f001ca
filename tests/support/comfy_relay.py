"""Run tests/comfyui in ComfyUI's interpreter and show every test as an item of this run.

The library's tests and the nodes' tests need different interpreters, and `import comfy` must not happen here. So the
files of tests/comfyui are not imported by this process. One child process collects the whole folder with ComfyUI's
interpreter, this run shows what it found (so that -k, -m, node ids and -x work as anywhere), tells it which tests were
chosen, and shows its reports. A child that dies fails the test it was at and all that would have followed.

The two talk in lines of JSON: the child sends {"collected": [...]}, then {"report": ...} and {"done": id} for each
test; it is sent one line with the chosen ids. Run as a script, this file is the child.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "comfyui"
LOG_TAIL = 10000


class Relay:
    """The pytest plugin of the run that the user started."""

    def __init__(self):
        self.child = None
        self.collected = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makemodule(self, module_path, parent):
        if FOLDER in module_path.parents:
            return RelayedFile.from_parent(parent, path=module_path)

    def collect(self) -> dict:
        """Return what the child found: node ids, keywords and errors for each file of the folder."""
        from comfy_install import Unavailable, find_comfyui

        if self.child is None:
            try:
                self.child = Child(find_comfyui())
            except Unavailable as reason:
                pytest.skip(str(reason), allow_module_level=True)
            self.collected = self.child.receive()
        if self.collected is None:
            problem = f"ComfyUI's interpreter could not collect these tests. {self.child.obituary()}"
            raise pytest.Collector.CollectError(problem)
        return self.collected["collected"]

    def pytest_collection_finish(self, session):
        chosen = [item.relayed_id for item in session.items if isinstance(item, RelayedItem)]
        if self.child and (session.config.option.collectonly or not chosen):
            self.child.stop()
        elif self.child:
            self.child.send(chosen)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item, nextitem):
        if not isinstance(item, RelayedItem):
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for data in self.child.reports(item.relayed_id):
            report = item.config.hook.pytest_report_from_serializable(config=item.config, data=data)
            report.nodeid, report.location = item.nodeid, item.location
            if isinstance(report.longrepr, list):  # JSON has no tuples, and a skip's reason must be one
                report.longrepr = tuple(report.longrepr)
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def pytest_sessionfinish(self):
        if self.child:
            self.child.stop()


class RelayedFile(pytest.File):
    """A test file that ComfyUI's interpreter imports in place of this one."""

    def collect(self):
        found = self.config.pluginmanager.get_plugin("sesahand-relay").collect()
        key = self.path.relative_to(ROOT).as_posix()
        if error := found["errors"].get(key):
            raise self.CollectError(error)
        if reason := found["skips"].get(key):
            pytest.skip(reason, allow_module_level=True)
        return relayed(self, [test for test in found["tests"] if test["id"].split("::")[0] == key], 1)


class RelayedClass(pytest.Collector):
    """A test class of a relayed file."""

    def __init__(self, tests, depth, **arguments):
        super().__init__(**arguments)
        self.tests, self.depth = tests, depth

    def collect(self):
        return relayed(self, self.tests, self.depth)


class RelayedItem(pytest.Item):
    """A test that runs in ComfyUI's interpreter."""

    def __init__(self, test, **arguments):
        super().__init__(**arguments)
        self.relayed_id, self.line = test["id"], test["line"]
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


def relayed(parent, tests: list[dict], depth: int):
    """Yield items and classes for tests whose ids share their first `depth` parts."""
    classes = {}
    for test in tests:
        parts = id_parts(test)
        if depth == len(parts) - 1:
            yield RelayedItem.from_parent(parent, name=parts[depth], test=test)
        elif parts[depth] not in classes:
            members = classes[parts[depth]] = [t for t in tests if id_parts(t)[depth] == parts[depth]]
            yield RelayedClass.from_parent(parent, name=parts[depth], tests=members, depth=depth + 1)


class Child:
    """The process in ComfyUI's interpreter, seen from this side."""

    def __init__(self, installation):
        self.log = tempfile.TemporaryFile()
        environment = {**os.environ, "SESAHAND_IN_COMFYUI": "1", "COMFYUI_PATH": str(installation.path)}
        environment.pop("PYTEST_ADDOPTS", None)  # meant for the run that the user started
        self.process = subprocess.Popen(
            [installation.python, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            cwd=ROOT,
            env=environment,
            text=True,
            encoding="utf-8",
        )

    def send(self, chosen: list[str]):
        try:
            self.process.stdin.write(json.dumps(chosen) + "\n")
            self.process.stdin.flush()
        except OSError:
            pass  # It died after collecting; the first test that waits for a report says so.

    def receive(self) -> dict | None:
        line = self.process.stdout.readline()
        return json.loads(line) if line.endswith("\n") else None

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
        self.process.stdin.close()
        if self.process.poll() is None and not self.ended_by_itself():
            self.process.kill()
            self.process.wait()
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
        [*options, "-c", str(ROOT / "pyproject.toml"), str(FOLDER)], plugins=[Responder(orders, channel)]
    )


if __name__ == "__main__":
    sys.exit(respond())
