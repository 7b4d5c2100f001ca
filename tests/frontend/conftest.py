"""One open page of each real frontend; it must be closed before others run an event loop of their own."""

from pathlib import Path

import pytest
from browser import NoBrowser, open_frontend
from sites import ALL, SITES, is_looked_at

import workflows

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config, items):
    """Leave out tests of a workflow in frontends in which it is not looked at."""
    left_out = [item for item in items if HERE in item.path.parents and not looked_at(item)]
    config.hook.pytest_deselected(items=left_out)
    gone = set(left_out)
    items[:] = [item for item in items if item not in gone]


def looked_at(item) -> bool:
    parameters = getattr(item, "callspec", None) and item.callspec.params or {}
    names = [value for value in parameters.values() if value in workflows.NAMES]
    return "site" not in parameters or all(is_looked_at(name, parameters["site"]) for name in names)


@pytest.fixture(scope="session", params=SITES)
def site(request):
    return ALL[request.param]


@pytest.fixture(scope="session")
def comfyui_server(site, servers):
    """The server behind a site's frontend."""
    return servers.get(site.core, site.frontend)


@pytest.fixture(scope="session")
def core_version(comfyui_server):
    """The release of ComfyUI behind a site's frontend."""
    return comfyui_server.installation.version


@pytest.fixture(scope="module")
def frontend(site, comfyui_server):
    try:
        with open_frontend(comfyui_server.url, vue=site.vue) as opened:
            yield opened
    except NoBrowser as reason:
        pytest.skip(str(reason))
