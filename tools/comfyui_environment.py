"""Give a checkout of ComfyUI the environment that this pack's tests need, without a GPU.

    python tools/comfyui_environment.py ~/ComfyUI                           a `.venv` in the checkout
    python tools/comfyui_environment.py ~/ComfyUI-current --frontend 1.58.1 that, and another frontend beside its own

What is installed: torch as constraints.txt pins it (or the one that is there already), ComfyUI's requirements held to
that torch, this pack's requirements, and the test tools. The torchvision and torchaudio of the plain package index are
built for CUDA and do not import beside a torch without it; then the former is given the two operators it looks for, and
the latter falls back to its Python parts. A frontend goes where ComfyUI itself keeps them (`web_custom_versions`), so
`--front-end-version Comfy-Org/ComfyUI_frontend@v1.58.1` finds it without a network.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
# ComfyUI's own requirements of 0.3.64 forget requests.
TEST_TOOLS = ("requests", "pytest", "hypothesis", "trimesh")
FRONTENDS = "web_custom_versions/Comfy-Org_ComfyUI_frontend"

# Read by site at every start of the interpreter, before anything can import torchvision, but it imports nothing itself:
# torch's start would cost every `python -c` seconds.
OPERATORS = '''\
"""Declare the operators that torchvision's package looks up, where its compiled part does not fit this torch."""

import importlib.abc
import sys


class Declare(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "torchvision":
            sys.meta_path.remove(self)
            import torch

            library = torch.library.Library("torchvision", "DEF")
            library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            torch._sesahand_torchvision_operators = library  # the declarations live as long as the object
        return None


sys.meta_path.insert(0, Declare())
'''


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path, help="the folder that holds ComfyUI's main.py")
    parser.add_argument("--frontend", action="append", default=[], help="also unpack this frontend version")
    options = parser.parse_args()
    checkout = options.checkout.expanduser().resolve()
    if not (checkout / "main.py").is_file():
        parser.error(f"{checkout} holds no main.py: clone https://github.com/Comfy-Org/ComfyUI there first")
    python = environment(checkout / ".venv")
    install_torch(python)
    held = ["-c", str(held_versions(python, checkout))]
    install(python, *held, "-r", str(checkout / "requirements.txt"))
    install(python, *held, "-r", str(ROOT / "requirements.txt"), *TEST_TOOLS)
    make_importable(python)
    for version in options.frontend:
        unpack_frontend(python, checkout / FRONTENDS / version, version)
    print(f"{checkout} is ready: {python} main.py --cpu")
    return 0


def environment(folder: Path) -> Path:
    """Return the interpreter of the virtual environment at `folder`, made if it is not there."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.is_file():
        print(f"Making {folder} (installing into it takes some minutes) ...", flush=True)
        venv.create(folder, with_pip=True)
    return python


def install(python: Path, *arguments: str) -> None:
    subprocess.run([python, *PIP, *arguments], check=True, cwd=ROOT)


def ask(python: Path, code: str) -> str:
    """Return what a line of Python prints in that environment, or nothing where it fails."""
    return subprocess.run([python, "-c", code], capture_output=True, text=True, cwd=ROOT).stdout.strip()


def install_torch(python: Path) -> None:
    """Install torch, and the torchvision and torchaudio that belong to it."""
    if not ask(python, "import torch; print(torch.__version__)"):
        install(python, "-c", str(ROOT / "constraints.txt"), "torch")
    version = ask(python, "import torch; print(torch.__version__)")
    minor = int(re.match(r"2\.(\d+)", version).group(1))
    # Without their dependencies, which would name a torch of their own.
    if not ask(python, "import importlib.util as u; print(u.find_spec('torchvision') or '')"):
        install(python, "--no-deps", f"torchvision==0.{minor + 15}.*")
    if not ask(python, "import importlib.util as u; print(u.find_spec('torchaudio') or '')"):
        install(python, "--no-deps", f"torchaudio<=2.{minor}.999")


def make_importable(python: Path) -> None:
    """Mend torchvision and torchaudio where their compiled parts are for another build of torch."""
    packages = Path(ask(python, "import sysconfig; print(sysconfig.get_path('purelib'))"))
    if not ask(python, "import torchvision; print('imports')"):
        (packages / "torchvision_operators.py").write_text(OPERATORS)
        (packages / "torchvision_operators.pth").write_text("import torchvision_operators\n")
    if not ask(python, "import torchaudio; print('imports')"):
        for library in (packages / "torchaudio").rglob("*.so"):
            library.unlink()
    for name in ("torchvision", "torchaudio"):
        if not ask(python, f"import {name}; print('imports')"):
            raise SystemExit(f"{name} does not import beside the torch in {packages}")


def held_versions(python: Path, checkout: Path) -> Path:
    """Write what must not move while the rest is installed, as a constraints file in the environment."""
    code = (
        "from importlib.metadata import version as v; "
        "print(*[f'{n}=={v(n)}' for n in ('torch', 'torchvision', 'torchaudio')], sep='\\n')"
    )
    file = checkout / ".venv" / "held.txt"
    file.write_text(ask(python, code) + "\n")
    return file


def unpack_frontend(python: Path, folder: Path, version: str) -> None:
    """Put the static files of a frontend release into `folder`."""
    if (folder / "index.html").is_file():
        return
    with tempfile.TemporaryDirectory() as place:
        package = f"comfyui-frontend-package=={version}"
        command = [python, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", place, package]
        subprocess.run(command, check=True, cwd=ROOT)
        wheel = next(Path(place).glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(place)
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(Path(place) / "comfyui_frontend_package" / "static", folder)


if __name__ == "__main__":
    sys.exit(main())
