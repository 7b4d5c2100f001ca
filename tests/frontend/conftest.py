"""One open page of the real frontend for all tests here."""

import pytest
from browser import NoBrowser, open_frontend


@pytest.fixture(scope="session")
def frontend(comfyui_server):
    try:
        with open_frontend(comfyui_server.url) as opened:
            yield opened
    except NoBrowser as reason:
        pytest.skip(str(reason))
