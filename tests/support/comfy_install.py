"""Where ComfyUI is on this machine, and what to do when it, or something in its environment, is not there."""

import os
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FLOOR = "v0.3.64"

# What the pack's requirements.txt and the tests are called when they are imported.
MODULES = ("torch", "numpy", "PIL", "cv2", "safetensors", "diffusers", "transformers", "smplx", "pytest", "hypothesis")

GET_COMFYUI = (
    f"needs ComfyUI: git clone --branch {FLOOR} https://github.com/Comfy-Org/ComfyUI ~/ComfyUI && cd ~/ComfyUI && "
    "python -m venv .venv && .venv/bin/pip install -r requirements.txt requests && "
    f".venv/bin/pip install -r {ROOT / 'requirements.txt'} pytest hypothesis, and set COMFYUI_PATH if it is elsewhere"
)


class Unavailable(Exception):
    """ComfyUI cannot be used; the message is one line that says how to change that."""


@dataclass(frozen=True)
class Installation:
    """A ComfyUI checkout and the interpreter that has its requirements."""

    path: Path
    python: Path


@cache
def find_comfyui() -> Installation:
    """Find ComfyUI at COMFYUI_PATH or ~/ComfyUI, and its interpreter at COMFYUI_PYTHON or in its .venv.

    Raises:
        Unavailable: If either is missing, or the interpreter lacks a module that the pack or its tests import.
    """
    path = Path(os.environ.get("COMFYUI_PATH") or "~/ComfyUI").expanduser().resolve()
    if not (path / "main.py").is_file():
        raise Unavailable(GET_COMFYUI)
    given = os.environ.get("COMFYUI_PYTHON")
    places = [given] if given else [path / ".venv/bin/python", path / ".venv/Scripts/python.exe"]
    # Not resolved: a virtual environment's interpreter is a link that only works where it is.
    python = next((Path(p).expanduser() for p in places if Path(p).expanduser().is_file()), None)
    if python is None:
        raise Unavailable(f"no interpreter of ComfyUI at {places[0]}: set COMFYUI_PYTHON to the one that runs {path}")
    probe = f"import importlib.util as u; print(*[m for m in {MODULES!r} if u.find_spec(m) is None])"
    answer = subprocess.run([python, "-c", probe], capture_output=True, text=True, timeout=120, cwd=path)
    if answer.returncode:
        raise Unavailable(f"{python} does not run: {answer.stderr.strip().splitlines()[-1:]}; set COMFYUI_PYTHON")
    if missing := answer.stdout.split():
        fix = f"{python} -m pip install -r {ROOT / 'requirements.txt'} pytest hypothesis"
        raise Unavailable(f"ComfyUI's interpreter lacks {', '.join(missing)}: {fix}")
    return Installation(path, python)
