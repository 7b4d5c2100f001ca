"""The network, withheld: all that can be reached is what this process itself listens on."""

import ipaddress
import socket
import sys
from contextlib import contextmanager

CONNECTING = ("socket.connect", "socket.sendto", "socket.sendmsg")
RESOLVING = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")


class NetworkUsed(AssertionError):
    """Something wanted to reach another machine, or another program on this one. No handler of OSError swallows it."""


class Guard:
    """Listens to the interpreter's own audit events, which no way of importing or wrapping sockets gets around."""

    def __init__(self):
        self.own_ports: set[int] = set()
        self.attempts: list[str] | None = None
        sys.addaudithook(self.audit)  # for as long as the process lives; without attempts to fill, it lets all pass
        bind = socket.socket.bind

        def remember(sock, address):
            bind(sock, address)
            if sock.family in (socket.AF_INET, socket.AF_INET6):
                self.own_ports.add(sock.getsockname()[1])

        socket.socket.bind = remember

    def audit(self, event: str, arguments: tuple) -> None:
        if self.attempts is None:
            return
        if event in CONNECTING and isinstance(arguments[1], tuple):
            host, port = arguments[1][:2]
            if not (is_loopback(host) and port in self.own_ports):
                self.refuse(f"{event} {host}:{port}")
        elif event in RESOLVING and not is_loopback(arguments[0]):
            self.refuse(f"{event} {arguments[0]}")

    def refuse(self, what: str):
        self.attempts.append(what)
        raise NetworkUsed(f"{what}: tests have no network but a server of their own on 127.0.0.1")


def is_loopback(host) -> bool:
    """Tell whether a host is this machine, without asking anything for its address. None and "" are any of its own."""
    host = host.decode() if isinstance(host, bytes) else host
    if host in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def withheld_network():
    """Refuse every connection and look-up until the block ends; gives the list of what was tried, from any thread."""
    before, GUARD.attempts = GUARD.attempts, []
    try:
        yield GUARD.attempts
    finally:
        GUARD.attempts = before


GUARD = Guard()
