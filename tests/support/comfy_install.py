"""Which ComfyUIs are on this machine, and what to do when one, or something in its environment, is not there.

Two are looked for: the oldest that the pack promises to work with, and a current one, each with its own interpreter.
"""

import os
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FLOOR = "v0.3.64"

# What the pack's requirements.txt and the tests are called when they are imported.
MODULES = ("torch", "numpy", "PIL", "cv2", "safetensors", "diffusers", "transformers", "smplx", "pytest", "hypothesis")


@dataclass(frozen=True)
class Core:
    """A ComfyUI that the tests run in: what tests are marked with, the variables that name it, and where else it is."""

    name: str
    path_variable: str
    python_variable: str
    default_path: str
    clone: str


CORES = {
    "floor": Core("floor", "COMFYUI_PATH", "COMFYUI_PYTHON", "~/ComfyUI", f"--branch {FLOOR} "),
    "current": Core("current", "COMFYUI_CURRENT_PATH", "COMFYUI_CURRENT_PYTHON", "~/ComfyUI-current", ""),
}

ENVIRONMENT_COMMAND = f"python3 {ROOT / 'tools' / 'comfyui_environment.py'}"


class Unavailable(Exception):
    """A ComfyUI cannot be used; the message is one line that says how to change that."""


@dataclass(frozen=True)
class Installation:
    """A ComfyUI checkout and the interpreter that has its requirements."""

    path: Path
    python: Path

    @property
    def version(self) -> tuple[int, ...]:
        """Its release, such as (0, 3, 64)."""
        text = (self.path / "comfyui_version.py").read_text(encoding="utf-8")
        return tuple(int(number) for number in text.split('"')[1].split(".")[:3])


@cache
def find_comfyui(name: str = "floor") -> Installation:
    """Find a core of CORES where its variable says, or at its default path, and its interpreter.

    Raises:
        Unavailable: If either is missing, is the other core's, or the interpreter lacks a module that the pack or its
            tests import.
    """
    core = CORES[name]
    path = located(core)
    if not (path / "main.py").is_file():
        raise Unavailable(
            f"the {name} tests need ComfyUI: git clone {core.clone}https://github.com/Comfy-Org/ComfyUI "
            f"{core.default_path} && {ENVIRONMENT_COMMAND} {core.default_path}, or set {core.path_variable}"
        )
    if name != "floor" and path == located(CORES["floor"]):
        raise Unavailable(f"{core.path_variable} and COMFYUI_PATH name the same ComfyUI; its tests run once")
    given = os.environ.get(core.python_variable)
    places = [given] if given else [path / ".venv/bin/python", path / ".venv/Scripts/python.exe"]
    # Not resolved: a virtual environment's interpreter is a link that only works where it is.
    python = next((Path(p).expanduser() for p in places if Path(p).expanduser().is_file()), None)
    if python is None:
        raise Unavailable(
            f"no interpreter of ComfyUI at {places[0]}: {ENVIRONMENT_COMMAND} {path} makes one, or set "
            f"{core.python_variable} to the one that runs it"
        )
    probe = f"import importlib.util as u; print(*[m for m in {MODULES!r} if u.find_spec(m) is None])"
    answer = subprocess.run([python, "-c", probe], capture_output=True, text=True, timeout=120, cwd=path)
    if answer.returncode:
        raise Unavailable(
            f"{python} does not run: {answer.stderr.strip().splitlines()[-1:]}; set {core.python_variable}"
        )
    if missing := answer.stdout.split():
        fix = f"{python} -m pip install -r {ROOT / 'requirements.txt'} pytest hypothesis"
        raise Unavailable(f"the interpreter of the {name} ComfyUI lacks {', '.join(missing)}: {fix}")
    return Installation(path, python)


def located(core: Core) -> Path:
    """Where a core is, if it is anywhere."""
    return Path(os.environ.get(core.path_variable) or core.default_path).expanduser().resolve()
