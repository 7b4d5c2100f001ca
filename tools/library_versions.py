"""Run the library's tests with the oldest versions that pyproject.toml allows, and with the newest.

    python tools/library_versions.py                                    both, all tests that need no ComfyUI
    python tools/library_versions.py lowest                             the oldest only
    python tools/library_versions.py newest tests/unit/attention -x     the newest, with pytest's options

Each has an environment of its own, `.venv-lowest` and `.venv-newest` beside this checkout (elsewhere with
SESAHAND_VERSIONS), made once and kept; delete it to make it anew. torch is the one of constraints.txt in both: its CPU
wheels of other versions are not on every index, and a torch of the plain index brings CUDA. Run this file with the
Python that is to be tried.
"""

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
TESTS = ("tests/unit", "tests/fuzz")
# Tools, not what is tried: the newest of them run with the oldest libraries.
TOOLS = ("trimesh", "embreex", "ai-edge-litert", "playwright")


def requirements() -> dict[str, list[str]]:
    """The dependencies of pyproject.toml, and those of its extra "test", as they stand there."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    needed = re.search(r"^dependencies = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)[1]
    test = re.search(r"^test = \[(.*)\]$", text, re.MULTILINE)[1]
    return {name: re.findall(r'"([^"]+)"', part) for name, part in (("needed", needed), ("test", test))}


def lowest(requirement: str) -> str:
    """`name>=1.2` as the oldest version of it that there is: `name==1.2`, or the first of `name==1.2.*`."""
    name, _, version = requirement.partition(">=")
    if name == "torch" or name in TOOLS:
        return name
    # opencv-python has a fourth number, and no release without it.
    return f"{name}=={version}.*" if name == "opencv-python" else f"{name}=={version}"


def make(folder: Path, wanted: list[str]) -> Path:
    """Return the Python of an environment that holds these packages, made if it is not there."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    done = folder / "sesahand-versions.txt"
    if done.is_file() and done.read_text(encoding="utf-8").split("\n") == wanted:
        return python
    print(f"Making {folder} (a few minutes) ...", flush=True)
    venv.create(folder, with_pip=True, clear=True)
    subprocess.run([python, *PIP, "-c", str(ROOT / "constraints.txt"), *wanted], check=True, cwd=ROOT)
    subprocess.run([python, *PIP, "--no-deps", "-e", str(ROOT)], check=True, cwd=ROOT)
    done.write_text("\n".join(wanted), encoding="utf-8")
    return python


def run(kind: str, options: list[str]) -> int:
    """Run the tests in one of the two environments; 0 if they pass."""
    parts = requirements()
    plain = [re.split(r"\s*;", line)[0].strip() for line in (*parts["needed"], *parts["test"])]
    wanted = [lowest(line) for line in plain] if kind == "lowest" else [line.partition(">=")[0] for line in plain]
    folder = Path(os.environ.get("SESAHAND_VERSIONS") or ROOT).absolute() / f".venv-{kind}"
    python = make(folder, wanted)
    shown = "torch transformers diffusers numpy PIL safetensors cv2".split()
    code = f"import importlib as i; print(*(f'{{n}} {{i.import_module(n).__version__}}' for n in {shown}), sep=', ')"
    print(f"{kind}: Python {sys.version.split()[0]},", end=" ", flush=True)
    subprocess.run([python, "-c", code], check=True, cwd=ROOT)
    return subprocess.call([python, "-m", "pytest", *(options or [*TESTS, "-q"])], cwd=ROOT)


def main(arguments: list[str]) -> int:
    kinds = [arguments.pop(0)] if arguments and arguments[0] in ("lowest", "newest") else ["lowest", "newest"]
    return max([run(kind, arguments) for kind in kinds])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
