"""Set up SesaHand in a virtual environment of its own beside this checkout, and run one job in it.

    python tools/quickstart.py generate [options] install, get the hand detector, then `sesahand generate`: eight
                                                  sentences become pictures by the small model, with their scores
    python tools/quickstart.py demo [options]     install, then `sesahand demo`: a sheet of posed, rendered hands
    python tools/quickstart.py test [options]     install with the test tools, then pytest
    python tools/quickstart.py check              install with ruff and mypy, then tools/check.py

The environment is `.venv` (another with SESAHAND_VENV, relative to where you are) and is kept: the second start takes
seconds. Needs Python 3.10 to 3.13 and a package index, nothing else; a later Python is tried, but may find no torch.
ComfyUI users do not need this: their ComfyUI brings the environment.
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What is installed, and what is then run; options go to the last of it.
JOBS = {
    "generate": (".", ["-m", "sesahand", "get-detector"], ["-m", "sesahand", "generate"]),
    "demo": (".", ["-m", "sesahand", "demo"]),
    "test": (".[test]", ["-m", "pytest"]),
    "check": (".[check]", ["tools/check.py"]),
}


def main(arguments: list[str]) -> int:
    if sys.version_info < (3, 10):
        print(f"SesaHand needs Python 3.10 or later; this is {sys.version.split()[0]}.", file=sys.stderr)
        return 2
    if sys.version_info >= (3, 14):
        found = sys.version.split()[0]
        print(f"SesaHand is tested with Python 3.10 to 3.13; with {found} installing may fail.", file=sys.stderr)
    if not arguments or arguments[0] not in JOBS:
        print(__doc__.strip())
        return 2
    requirement, *before, command = JOBS[arguments[0]]
    python = environment(Path(os.environ.get("SESAHAND_VENV") or ROOT / ".venv").absolute())
    # torch is pinned here and only here: inside somebody's ComfyUI it is never touched.
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", "constraints.txt"]
    steps = ([*install, "-e", requirement], *before, [*command, *arguments[1:]])
    # The tests of the library beside those of the nodes, each in a process of its own, unless some are chosen.
    settings = {**os.environ, "SESAHAND_RELAY_LIBRARY": "1"} if arguments == ["test"] else None
    for step in steps:
        code = subprocess.call([str(python), *step], cwd=ROOT, env=settings)
        if code:
            return code
    return 0


def environment(folder: Path) -> Path:
    """Return the Python of the virtual environment at `folder`, made if it is not there."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not has_pip(python):
        print(f"Making the virtual environment {folder} (once; installing into it takes a few minutes) ...", flush=True)
        venv.create(folder, with_pip=True)
    return python


def has_pip(python: Path) -> bool:
    """Tell whether an environment is whole: pip comes last, and an interrupted start leaves it out."""
    return python.exists() and subprocess.call([str(python), "-c", "import pip"], stderr=subprocess.DEVNULL) == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
