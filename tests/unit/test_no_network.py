"""The tests of the library have no network: sockets to anywhere but a server of the test's own are refused."""

import _socket
import socket
import threading
import urllib.request

import pytest
from no_network import NetworkUsed


@pytest.fixture
def tried(network_attempts):
    """What was tried, as the fixture of every test sees it, and forgotten afterwards: here it is the point."""
    yield network_attempts
    network_attempts.clear()


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "127.0.0.1", "::1"])
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_connection_is_refused_before_a_packet_leaves(host, kind, tried):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as sock, pytest.raises(NetworkUsed, match="no network"):
        sock.connect((host, 9))
    assert tried == [f"socket.connect {host}:9"]


def test_names_are_not_looked_up(tried):
    for ask in (lambda: socket.getaddrinfo("example.com", 443), lambda: socket.gethostbyname("example.com")):
        with pytest.raises(NetworkUsed):
            ask()
    assert len(tried) == 2


def test_the_c_module_and_a_datagram_are_no_way_round(tried):
    with pytest.raises(NetworkUsed):
        _socket.socket().connect(("192.0.2.1", 443))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, pytest.raises(NetworkUsed):
        sock.sendto(b"x", ("192.0.2.1", 53))
    assert len(tried) == 2


def test_an_attempt_that_the_code_swallows_is_noted_all_the_same(tried):
    def careless():
        try:
            urllib.request.urlopen("https://example.com", timeout=1)
        except BaseException:
            return

    thread = threading.Thread(target=careless)
    thread.start()
    thread.join()
    assert tried == ["socket.getaddrinfo example.com"]


def test_a_server_of_the_tests_own_is_reached(network_attempts):
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(("localhost", server.getsockname()[1]), timeout=5):
            connection, _ = server.accept()
            connection.close()
    assert network_attempts == []
