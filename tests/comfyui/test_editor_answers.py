"""What the editor's addresses answer where no server is needed to ask them."""

import json

import server
from aiohttp.test_utils import make_mocked_request
from sesahand_pack.nodes import editor_routes
from sesahand_pack.sesahand.errors import InvalidFileError


def test_a_damaged_installation_is_said_and_not_kept_by_the_browser():
    def damaged() -> bytes:
        raise InvalidFileError("hand.safetensors cannot be read. Reinstall SesaHand to get it back.")

    answer = editor_routes.answered(make_mocked_request("GET", "/"), damaged, "application/octet-stream")
    assert answer.status == 500 and answer.headers["Cache-Control"] == "no-store"
    assert "Reinstall" in json.loads(answer.text)["error"]


def test_without_a_server_there_is_nothing_to_add_to(monkeypatch):
    monkeypatch.delattr(server.PromptServer, "instance", raising=False)
    editor_routes.add_routes()
