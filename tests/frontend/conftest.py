"""One open page of the real frontend for each file; it must be closed before others run an event loop of their own."""

import pytest
from browser import NoBrowser, open_frontend


@pytest.fixture(scope="module")
def frontend(comfyui_server):
    try:
        with open_frontend(comfyui_server.url) as opened:
            yield opened
    except NoBrowser as reason:
        pytest.skip(str(reason))
