"""Make the checkout importable without letting its `nodes/` shadow ComfyUI's `nodes.py`."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest
from comfy_install import CORES
from comfy_relay import Relay

ROOT = Path(__file__).resolve().parents[1]


def register(name: str, package: Path) -> None:
    """Import the package at `package` under `name`, wherever pytest was started from and whatever is installed."""
    spec = importlib.util.spec_from_file_location(
        name, package / "__init__.py", submodule_search_locations=[str(package)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != ROOT]
if os.environ.get("SESAHAND_IN_COMFYUI") == "1":
    # Inside ComfyUI's interpreter the library is a part of the pack, as it is for users: sesahand_pack.sesahand.
    sys.path.insert(0, os.environ["COMFYUI_PATH"])
    # As main.py does: later, nodes.py puts comfy/ in front of the path, and `utils` would be comfy/utils.py.
    import utils.extra_config  # noqa: F401

    import comfy.cli_args

    comfy.cli_args.args.cpu = True
    register("sesahand_pack", ROOT)
else:
    register("sesahand", ROOT / "sesahand")


class CollectRootAsDirectory:
    """Keep pytest from importing the root's `__init__.py`, which is ComfyUI's entry and not a test package."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collect_directory(self, path, parent):
        return pytest.Dir.from_parent(parent, path=path) if Path(path).resolve() == ROOT else None


def pytest_configure(config):
    config.pluginmanager.register(CollectRootAsDirectory(), "sesahand-root")
    # A process that has a core is itself what a relay has started.
    if "SESAHAND_CORE" not in os.environ and os.environ.get("SESAHAND_IN_COMFYUI") != "1":
        config.pluginmanager.register(Relay(), "sesahand-relay")


@pytest.fixture(scope="session")
def detector_folder():
    """The folder with the hand detector's files, which are got once for all runs."""
    from detector_files import detector_folder

    return detector_folder()


@pytest.fixture(scope="session")
def servers(tmp_path_factory):
    """All running servers of this run, started when a test first asks for one."""
    from comfy_server import Servers

    with Servers(tmp_path_factory.mktemp("comfyui")) as pool:
        yield pool


@pytest.fixture(scope="session", params=CORES)
def comfyui_server(request, servers):
    """A real server of each core with this pack, and the narrow models under the names that the workflows use."""
    return servers.get(request.param)
