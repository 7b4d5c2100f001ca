"""One open page of each real frontend; it must be closed before others run an event loop of their own."""

import pytest
from browser import NoBrowser, open_frontend
from sites import ALL, SITES


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
