"""One command runs the library's tests here and the nodes' tests in every ComfyUI's interpreter, with one total."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from comfy_install import CORES, Unavailable, find_comfyui

ROOT = Path(__file__).resolve().parents[2]

OUTCOMES = '''
import sys
import pytest

def test_runs_in_comfyui():
    import comfy.cli_args
    assert "sesahand_pack" in sys.modules and "sesahand" not in sys.modules

def test_fails():
    """A number that the report must show."""
    assert 41 + 1 == 43, "the number was wrong"

@pytest.mark.skip(reason="a reason to skip")
def test_skips():
    pass

@pytest.mark.xfail(reason="known")
def test_is_expected_to_fail():
    raise ValueError("as known")

class TestGroup:
    @pytest.mark.parametrize("value", ["a::b", "c"])
    def test_member(self, value):
        assert value

@pytest.fixture(scope="module")
def broken():
    raise RuntimeError("broken fixture")

def test_with_broken_fixture(broken):
    pass
'''

CRASH = """
import faulthandler

def test_before():
    pass

def test_crash():
    faulthandler._sigsegv()

def test_after():
    pass
"""


@pytest.fixture(scope="module", autouse=True)
def comfyui():
    try:
        find_comfyui()
    except Unavailable as reason:
        pytest.skip(str(reason))


def project(folder: Path, **files: str) -> Path:
    """Make a pack of the same outer form whose tests/comfyui holds `files`, beside one test of the library."""
    for name in ("tests/support", "nodes"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "sesahand").mkdir()
    for name in ("pyproject.toml", "__init__.py", "tests/conftest.py", "sesahand/__init__.py"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "tests/comfyui").mkdir()
    (folder / "tests/unit").mkdir()
    (folder / "tests/unit/test_library.py").write_text(
        "import sys\n\ndef test_library():\n    import sesahand\n    assert 'comfy' not in sys.modules\n"
    )
    for name, text in files.items():
        (folder / f"tests/comfyui/test_{name}.py").write_text(text)
    return folder


def run_pytest(folder: Path, *arguments: str, launcher=("-m", "pytest"), **environment: str):
    """Run pytest in a process of its own, with the floor's ComfyUI alone unless the environment names another."""
    ours = ("PYTEST_ADDOPTS", "SESAHAND_IN_COMFYUI", "SESAHAND_CORE", "SESAHAND_RELAY_LIBRARY", "OMP_NUM_THREADS")
    settings = {k: v for k, v in os.environ.items() if k not in ours}
    settings["COMFYUI_CURRENT_PATH"] = "/nowhere"
    command = [sys.executable, *launcher, "-p", "no:cacheprovider", *arguments]
    answer = subprocess.run(
        command, cwd=folder, env=settings | environment, capture_output=True, text=True, timeout=300
    )
    return answer.returncode, answer.stdout + answer.stderr


def test_every_outcome_arrives_and_is_counted_once(tmp_path):
    code, text = run_pytest(project(tmp_path, outcomes=OUTCOMES))
    assert code == 1
    assert "1 failed, 4 passed, 2 skipped, 1 xfailed, 1 error" in text  # one skip stands for the other core
    assert "the number was wrong" in text and "assert (41 + 1) == 43" in text
    assert "a reason to skip" in text and "broken fixture" in text


@pytest.mark.parametrize(
    ("arguments", "total"),
    [
        (["-k", "member or library"], "3 passed, 6 deselected"),
        (["tests/comfyui/test_outcomes.py::TestGroup"], "2 passed"),
        (["tests/comfyui/test_outcomes.py::TestGroup::test_member[a::b-floor]"], "1 passed"),
        (["tests/comfyui/test_outcomes.py::TestGroup::test_member[c-floor]"], "1 passed"),
        (["-x", "tests/comfyui"], "1 failed, 1 passed"),
    ],
)
def test_tests_are_chosen_as_in_any_run(tmp_path, arguments, total):
    code, text = run_pytest(project(tmp_path, outcomes=OUTCOMES), *arguments)
    assert f" {total} in " in text, text


def test_a_crash_fails_its_test_and_the_ones_that_never_ran(tmp_path):
    code, text = run_pytest(project(tmp_path, crash=CRASH))
    assert code == 1
    assert "2 failed, 2 passed, 1 skipped" in text
    assert "ended with exit code" in text and "Segmentation fault" in text and "in test_crash" in text


def test_a_file_that_does_not_import_is_an_error_and_the_rest_runs(tmp_path):
    code, text = run_pytest(
        project(tmp_path, broken="import nowhere_to_be_found", whole="def test_fine():\n    pass"),
        "--continue-on-collection-errors",
    )
    assert code == 1
    assert "2 passed, 1 skipped, 1 error" in text and "nowhere_to_be_found" in text


@pytest.mark.parametrize(
    ("environment", "advice"),
    [
        ({"COMFYUI_PATH": "/nowhere"}, ("git clone --branch", "comfyui_environment.py", "COMFYUI_PATH")),
        ({"COMFYUI_PYTHON": "/nowhere/python"}, ("comfyui_environment.py", "set COMFYUI_PYTHON")),
    ],
)
def test_without_comfyui_the_reason_to_skip_says_how_to_get_it(tmp_path, environment, advice):
    code, text = run_pytest(project(tmp_path, outcomes=OUTCOMES, crash=CRASH), **environment)
    assert code == 0
    assert "1 passed, 4 skipped" in text
    floor, current = [line for line in text.splitlines() if line.startswith("SKIPPED")]
    assert all(word in floor for word in advice)
    assert "git clone https" in current and "COMFYUI_CURRENT_PATH" in current


def test_an_interpreter_without_the_packs_modules_is_named_with_the_command_that_adds_them(tmp_path):
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    python = bare / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    code, text = run_pytest(project(tmp_path / "pack", outcomes=OUTCOMES), COMFYUI_PYTHON=str(python))
    assert code == 0
    assert "lacks torch, numpy" in text and f"{python} -m pip install -r" in text


def test_the_library_is_tested_beside_them_when_all_is_asked_for(tmp_path):
    where = "import os\n\ndef test_where():\n    print('ran as', os.environ.get('SESAHAND_CORE'))\n"
    folder = project(tmp_path, outcomes=OUTCOMES)
    (folder / "tests/unit/test_where.py").write_text(where)
    code, text = run_pytest(folder, "-rP", SESAHAND_RELAY_LIBRARY="1")
    assert code == 1 and "1 failed, 5 passed, 2 skipped, 1 xfailed, 1 error" in text
    assert "ran as library" in text
    code, text = run_pytest(folder, "-rP", "tests/unit")
    assert code == 0 and "2 passed" in text and "ran as None" in text


def test_every_comfyui_runs_the_tests_in_its_own_interpreter_and_there_is_one_total(tmp_path):
    try:
        found = {name: find_comfyui(name) for name in CORES}
    except Unavailable as reason:
        pytest.skip(str(reason))
    which = "import os, sys\n\ndef test_where():\n    print('ran', os.environ['SESAHAND_CORE'], sys.executable)\n"
    paths = {"COMFYUI_PATH": found["floor"].path, "COMFYUI_CURRENT_PATH": found["current"].path}
    code, text = run_pytest(project(tmp_path, where=which), "-rP", **{name: str(path) for name, path in paths.items()})
    assert code == 0 and "3 passed" in text
    for name, installation in found.items():
        assert f"test_where[{name}]" in text and f"ran {name} {installation.python}" in text
    # The same checkout under both names is one ComfyUI.
    code, text = run_pytest(tmp_path, COMFYUI_CURRENT_PATH=str(found["floor"].path))
    assert code == 0 and "2 passed, 1 skipped" in text and "name the same ComfyUI" in text


MODULE, CALL = ("-m", "pytest"), ("-c", "import pytest, sys; sys.exit(pytest.main())")


@pytest.mark.parametrize(
    ("launcher", "place"), [(MODULE, "root"), (CALL, "root"), (CALL, "parent"), (MODULE, "tests"), (CALL, "tests")]
)
def test_pytest_starts_from_anywhere(launcher, place):
    # The tree from the parent folder, where pytest meets the root's __init__.py; elsewhere a file is enough.
    folder, argument = {
        "root": (ROOT, "tests/unit/test_relay.py"),
        "parent": (ROOT.parent, ROOT.name),
        "tests": (ROOT / "tests", "unit/test_relay.py"),
    }[place]
    # The other files of the tree are imported in each run of the tests; here they would take most of the time.
    kept = {
        ROOT / "tests" / name for name in ("unit", "support", "conftest.py", "unit/conftest.py", "unit/test_relay.py")
    }
    others = [path for within in ("tests", "tests/unit") for path in (ROOT / within).iterdir() if path not in kept]
    ignored = [f"--ignore={path}" for path in others] if place == "parent" else []
    # Without ComfyUI, for what is at stake is how this process imports, and it is quicker.
    arguments = ("--collect-only", "-q", argument, *ignored)
    code, text = run_pytest(folder, *arguments, launcher=launcher, COMFYUI_PATH="/nowhere")
    assert code == 0, text
    assert "tests/unit/test_relay.py::test_pytest_starts_from_anywhere" in text.replace(os.sep, "/")
