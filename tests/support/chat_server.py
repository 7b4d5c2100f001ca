"""A chat-completions server on loopback whose answers a test decides, down to the bytes."""

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def completion(text, **choice) -> dict:
    return {"id": "1", "object": "chat.completion", "choices": [{"message": {"content": text}, **choice}]}


@dataclass
class ChatServer:
    """Answers with `script`: one callable per request (the last repeats), each given the request handler."""

    port: int = 0
    script: list = field(default_factory=list)
    requests: list[dict] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def bodies(self) -> list[dict]:
        return [json.loads(request["body"]) for request in self.requests]


def answer(content, status: int = 200, headers: dict | None = None, kind: str = "application/json"):
    """A scripted answer: JSON of `content`, or the bytes as they are."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()

    def send(handler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return send


def raw(*pieces: bytes):
    """A scripted answer of exact bytes, after which the connection is closed."""

    def send(handler) -> None:
        for piece in pieces:
            handler.wfile.write(piece)

    return send


@contextmanager
def chat_server(*script, tls=None):
    """Run a ChatServer; `stop` on a handler's server is set when the test ends, for answers that would last.

    `tls` is an ssl.SSLContext with the server's certificate.
    """
    state = ChatServer(script=list(script))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            state.requests.append({"path": self.path, "headers": dict(self.headers), "body": body})
            step = state.script[min(len(state.requests), len(state.script)) - 1]
            self.close_connection = True
            try:
                step(self)
            except (BrokenPipeError, ConnectionResetError):
                return

        do_GET = do_POST

        def log_message(self, format, *args):
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    server.stop = threading.Event()
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.stop.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
