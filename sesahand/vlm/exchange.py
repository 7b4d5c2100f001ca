"""One HTTP request and its answer, with limits on everything a server can do, and interruptible at any moment."""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import SesaHandError
from .endpoint import Endpoint, is_address

POLL_SECONDS = 0.05
CHUNK_BYTES = 1 << 16


@dataclass(frozen=True)
class Limits:
    """What a server is granted.

    Attributes:
        connect_seconds: Until the connection stands.
        silence_seconds: Longest pause between two pieces of the answer; models are silent while they write.
        total_seconds: For one request, from connecting to the last byte.
        answer_bytes: Largest answer.
        retries: Further attempts after an answer that invites them (429, 5xx) or a dropped connection.
        first_delay_seconds: Before the first retry, doubled each time; a server's Retry-After takes its place.
        longest_delay_seconds: Bound on either.
    """

    connect_seconds: float = 10.0
    silence_seconds: float = 300.0
    total_seconds: float = 300.0
    answer_bytes: int = 4 << 20
    retries: int = 3
    first_delay_seconds: float = 1.0
    longest_delay_seconds: float = 30.0


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes


def post(
    endpoint: Endpoint, path: str, body: bytes, headers: dict[str, str], limits: Limits, poll: Callable[[], None]
) -> Reply:
    """Send one POST request; redirects are not followed and proxies of the environment are not used.

    Args:
        endpoint: Where to; `path` is appended to its path.
        body: Sent as it is.
        headers: Besides Host and Content-Length.
        poll: Called every 50 ms; what it raises ends the exchange and is passed on.

    Raises:
        ConnectionError: No connection, or one that broke; trying again may help.
        TimeoutError: The server took longer than the limits grant.
        SesaHandError: The server's answer breaks a limit, or the connection leads elsewhere than the URL says.
    """
    exchange = _Exchange(endpoint, endpoint.path + path, body, headers, limits)
    deadline = time.monotonic() + limits.total_seconds
    exchange.start()
    try:
        while not exchange.finished.wait(POLL_SECONDS):
            poll()
            if time.monotonic() > deadline:
                raise TimeoutError(f"no complete answer within {limits.total_seconds:g} s")
    finally:
        exchange.abort()
    if exchange.reply is None:
        raise exchange.error or ConnectionError("no answer")
    return exchange.reply


class _Exchange(threading.Thread):
    """Blocks on the socket in place of the caller, who can close it at any time."""

    def __init__(self, endpoint: Endpoint, path: str, body: bytes, headers: dict[str, str], limits: Limits):
        super().__init__(name="sesahand-exchange", daemon=True)
        self.endpoint, self.path, self.body, self.headers, self.limits = endpoint, path, body, headers, limits
        self.finished = threading.Event()
        self.aborted = threading.Event()
        self.connection: http.client.HTTPConnection | None = None
        # A connection lets go of it as soon as it has the headers of an answer after which the server closes.
        self.stream: socket.socket | None = None
        self.reply: Reply | None = None
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self.reply = self._talk()
        except (TimeoutError, SesaHandError) as error:
            self.error = error
        except ssl.SSLCertVerificationError as error:
            self.error = SesaHandError(
                f"{self.endpoint.address} could not prove to be that host ({error.verify_message}); nothing was sent. "
                "Check the base URL, and the clock and certificates of both machines."
            )
        except (OSError, http.client.HTTPException) as error:
            self.error = ConnectionError(str(error) or type(error).__name__)
        except (ValueError, AttributeError) as error:
            # abort() took the socket away in the middle of a read; or a header cannot be sent, and its text stays here.
            self.error = ConnectionError(type(error).__name__)
        finally:
            if self.connection is not None:
                self.connection.close()
            self.headers = {}
            self.finished.set()

    def abort(self) -> None:
        self.aborted.set()
        stream = self.stream or (self.connection.sock if self.connection is not None else None)
        if stream is not None:
            try:
                stream.shutdown(socket.SHUT_RDWR)
            except OSError:
                return

    def _talk(self) -> Reply:
        connection = self._connect()
        if self.aborted.is_set():
            raise ConnectionError("interrupted")
        connection.sock.settimeout(self.limits.silence_seconds)
        connection.request("POST", self.path, body=self.body, headers=self.headers)
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise SesaHandError(
                f"{self.endpoint.address} sent a compressed answer, which was not asked for. Is this the address of a "
                "chat-completions server?"
            )
        return Reply(response.status, headers, self._read(response))

    def _connect(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection
        if self.endpoint.scheme == "https":
            connection = http.client.HTTPSConnection(
                self.endpoint.host,
                self.endpoint.port,
                context=_tls_context(),
                timeout=self.limits.connect_seconds,
            )
        else:
            connection = http.client.HTTPConnection(
                self.endpoint.host, self.endpoint.port, timeout=self.limits.connect_seconds
            )
        connection.auto_open = 0
        self.connection = connection
        connection.connect()
        self.stream = connection.sock
        self._check_peer(connection.sock.getpeername()[0])
        return connection

    def _check_peer(self, peer: str) -> None:
        """A name can be made to point anywhere; TLS proves the other cases, these two have only the address."""
        if self.endpoint.scheme == "https":
            return
        kind = "is_loopback" if self.endpoint.is_loopback else "is_private"
        if not is_address(peer, kind):
            place = "this machine" if self.endpoint.is_loopback else "a private network"
            raise SesaHandError(
                f"{self.endpoint.address} leads to {peer}, which is not on {place}; nothing was sent. Use https://, or "
                "the address of the server itself."
            )

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        pieces, size = [], 0
        while piece := response.read(CHUNK_BYTES):
            size += len(piece)
            if size > self.limits.answer_bytes:
                raise SesaHandError(
                    f"{self.endpoint.address} sent more than {self.limits.answer_bytes} bytes; a caption is a few "
                    "hundred. Is this the address of a chat-completions server?"
                )
            pieces.append(piece)
        if response.length:
            # read(n) returns what came when the connection drops early, without an error.
            raise ConnectionError(f"the answer broke off {response.length} bytes before its end")
        return b"".join(pieces)


def _tls_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    try:
        import certifi
    except ImportError:
        return context
    # Some Python builds (macOS) come without any authorities.
    context.load_verify_locations(certifi.where())
    return context
