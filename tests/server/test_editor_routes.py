"""What the hand editor asks a real server for: facts and hand, again only when they have changed."""

import json
import urllib.error
import urllib.request

import pytest

from sesahand.hands.builtin import ASSET
from sesahand.hands.loading import load_hand_model
from sesahand.semantics.editor_facts import editor_facts

FACTS, HAND = "/sesahand/editor/facts", "/sesahand/editor/hand"


def answer(server, path, **headers):
    request = urllib.request.Request(server.url + path, headers=headers)
    with urllib.request.urlopen(request, timeout=60) as found:
        return dict(found.headers), found.read()


@pytest.mark.parametrize("prefix", ["", "/api"])
def test_facts_and_hand_are_the_librarys(comfyui_server, prefix):
    headers, facts = answer(comfyui_server, prefix + FACTS)
    assert headers["Content-Type"].startswith("application/json")
    assert json.loads(facts) == json.loads(json.dumps(editor_facts(load_hand_model())))
    assert answer(comfyui_server, prefix + HAND)[1] == ASSET.read_bytes()


@pytest.mark.parametrize("path", [FACTS, HAND])
def test_what_a_browser_has_is_not_sent_again(comfyui_server, path):
    headers, _ = answer(comfyui_server, path)
    assert headers["Cache-Control"] == "no-cache", "it asks each time, so that an update is never half taken"
    with pytest.raises(urllib.error.HTTPError) as unchanged:
        answer(comfyui_server, path, **{"If-None-Match": headers["ETag"]})
    assert unchanged.value.code == 304
    assert answer(comfyui_server, path, **{"If-None-Match": '"another"'})[1]
