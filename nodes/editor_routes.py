"""What the hand editor in the browser asks the server for: two files, and no names of files from outside."""

import functools
import hashlib
import json
from collections.abc import Callable

import server
from aiohttp import web

from ..sesahand.errors import SesaHandError
from ..sesahand.files.reading import read_bytes
from ..sesahand.hands.builtin import ASSET
from ..sesahand.hands.loading import load_hand_model
from ..sesahand.semantics.editor_facts import editor_facts


@functools.cache
def facts() -> bytes:
    """Return the facts of the built-in hand as JSON."""
    return json.dumps(editor_facts(load_hand_model())).encode()


@functools.cache
def hand() -> bytes:
    """Return the built-in hand as its safetensors file."""
    return read_bytes(ASSET)


def answered(request: web.Request, content: Callable[[], bytes], kind: str) -> web.Response:
    """Return an answer with content, or without it to a browser that has the same.

    Args:
        request: What the browser asked.
        content: Gives the bytes, or raises a SesaHandError, which is answered as JSON under `error`.
        kind: Their MIME type.
    """
    try:
        body = content()
    except SesaHandError as error:
        return web.json_response({"error": str(error)}, status=500, headers={"Cache-Control": "no-store"})
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    # The browser keeps it, but asks each time: after an update of the pack it is another one.
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if tag in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, content_type=kind, headers=headers)


async def answer_facts(request: web.Request) -> web.Response:
    return answered(request, facts, "application/json")


async def answer_hand(request: web.Request) -> web.Response:
    return answered(request, hand, "application/octet-stream")


def add_routes() -> None:
    """Let the running server, if there is one, answer the editor."""
    running = getattr(server.PromptServer, "instance", None)
    if running is not None:
        running.routes.get("/sesahand/editor/facts")(answer_facts)
        running.routes.get("/sesahand/editor/hand")(answer_hand)
