"""The checks of source: one command runs them for people and for CI, and errors of types may only become fewer."""

import importlib.util
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


def read(place: str) -> str:
    return (ROOT / place).read_text(encoding="utf-8")


def tool(name: str):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def check(monkeypatch, tmp_path):
    """A check that is allowed two errors, and a list of the commands it has run; all of them but mypy succeed."""
    check, commands = tool("check"), []
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "type_errors.txt").write_text("2\n", encoding="utf-8")
    monkeypatch.setattr(check, "ROOT", tmp_path)
    monkeypatch.setattr(check, "ALLOWED", tmp_path / "tools" / "type_errors.txt")
    monkeypatch.setattr(check.subprocess, "call", lambda command, **_: commands.append(command[2:]) or 0)
    check.commands = commands
    return check


def answer(check, monkeypatch, code: int, report: str) -> int:
    """What the check ends with if mypy ends with `code` and says `report`."""
    result = check.subprocess.CompletedProcess([], code, report, "")
    monkeypatch.setattr(check.subprocess, "run", lambda command, **_: check.commands.append(command[2:]) or result)
    return check.main()


def found(count: int) -> str:
    return f"sesahand/a.py:1: error: no  [misc]\nFound {count} errors in 1 file (checked 244 source files)\n"


def test_the_check_asks_for_rules_format_and_types(check, monkeypatch):
    assert answer(check, monkeypatch, 1, found(2)) == 0
    assert check.commands == [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]]


@pytest.mark.parametrize(
    ("code", "report", "said"),
    [
        (1, found(3), "3 errors, and 2 are allowed"),
        (1, "a.py:1: error: no  [misc]\nFound 1 error in 1 file (checked 9 source files)\n", "write 1 into"),
        (0, "Success: no issues found in 244 source files\n", "write 0 into"),
        (2, "mypy: error: no such option\n", "did not finish"),
        (2, "a.py:1: error: invalid syntax  [syntax]\nFound 2 errors in 1 file (errors prevented further checking)\n",
         "did not finish"),
        (1, "/usr/bin/python: No module named mypy\n", "did not finish"),
        (1, "", "did not finish"),
    ],
)  # fmt: skip
def test_the_number_of_errors_may_only_fall_and_is_written_down(check, monkeypatch, capsys, code, report, said):
    assert answer(check, monkeypatch, code, report) == 1
    assert said in capsys.readouterr().out


def test_a_rule_of_ruffs_that_is_broken_fails_the_check(check, monkeypatch):
    monkeypatch.setattr(check.subprocess, "call", lambda command, **_: "--check" in command)
    assert answer(check, monkeypatch, 1, found(2)) == 1


def test_ci_runs_the_command_that_contributors_are_told():
    command = "tools/quickstart.py check"
    steps = yaml.safe_load(read(".github/workflows/test.yml"))["jobs"]["check"]["steps"]
    assert f"python {command}" in [step.get("run") for step in steps]
    assert tool("quickstart").JOBS["check"] == (".[check]", ["tools/check.py"])
    assert command in read("CONTRIBUTING.md") and command in " ".join(read("AGENTS.md").split())


def test_publishing_waits_for_all_tests():
    jobs = yaml.safe_load(read(".github/workflows/publish.yml"))["jobs"]
    for file in ("test.yml", "versions.yml"):
        (name,) = [name for name, job in jobs.items() if job.get("uses") == f"./.github/workflows/{file}"]
        assert name in jobs["publish"]["needs"]
        # YAML reads the key `on` as a truth value.
        assert "workflow_call" in yaml.safe_load(read(f".github/workflows/{file}"))[True]


def test_the_lowest_versions_are_those_that_are_promised():
    versions = tool("library_versions")
    needed = versions.requirements()["needed"]
    assert needed == [line for line in read("requirements.txt").splitlines() if line and not line.startswith("#")]
    pinned = [versions.lowest(line) for line in needed if not line.startswith("torch")]
    assert len(pinned) > 5 and all(line.replace("==", ">=").removesuffix(".*") in needed for line in pinned)
    steps = yaml.safe_load(read(".github/workflows/versions.yml"))["jobs"]["library"]["steps"]
    assert any("tools/library_versions.py" in step.get("run", "") for step in steps)
    assert "tools/library_versions.py lowest" in read("CONTRIBUTING.md")


def test_a_commit_is_checked_by_the_ruff_of_ci():
    (hooks,) = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    assert hooks["rev"].removeprefix("v") == re.search(r'"ruff==([0-9.]+)"', read("pyproject.toml"))[1]


def test_the_citation_names_the_version():
    assert (
        yaml.safe_load(read("CITATION.cff"))["version"]
        == re.search(r'^version = "(.+)"$', read("pyproject.toml"), re.MULTILINE)[1]
    )


def test_who_installs_the_library_gets_its_types():
    assert (ROOT / "sesahand" / "py.typed").is_file()
    assert re.search(r'^package-data = .*"py\.typed"', read("pyproject.toml"), re.MULTILINE)
