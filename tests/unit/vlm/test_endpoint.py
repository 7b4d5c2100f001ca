"""A URL is understood in one way or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesahand.errors import SesaHandError
from sesahand.vlm.endpoint import Endpoint, parse_host_entry


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("http://127.0.0.1:11434/v1", "127.0.0.1", 11434, "/v1"),
        ("http://localhost:1234", "localhost", 1234, "/v1"),
        ("http://localhost:1234/v1/chat/completions", "localhost", 1234, "/v1"),
        ("http://localhost:1234/chat/completions/", "localhost", 1234, "/v1"),
        ("http://[::1]:8000/v1/", "::1", 8000, "/v1"),
        ("https://API.OpenAI.com./v1", "api.openai.com", 443, "/v1"),
        ("https://api.example.com:8443/openai/v1", "api.example.com", 8443, "/openai/v1"),
        ("http://[0:0:0:0:0:0:0:1]/v1", "::1", 80, "/v1"),
        ("http://[::ffff:127.0.0.1]/v1", "127.0.0.1", 80, "/v1"),
    ],
)
def test_usual_addresses_are_normalized(url, host, port, path):
    endpoint = Endpoint.parse(url)
    assert (endpoint.host, endpoint.port, endpoint.path) == (host, port, path)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:11434",
        "ftp://127.0.0.1/v1",
        "file:///etc/passwd",
        "http://",
        "http:///v1",
        "http://user:sk-secret@127.0.0.1/v1",
        "http://127.0.0.1@evil.example/v1",
        "http://evil.example\\@127.0.0.1/v1",
        "http://127.0.0.1:99999/v1",
        "http://127.0.0.1:0/v1",
        "http://127.0.0.1:80:90/v1",
        "http://2130706433/v1",
        "http://0x7f000001/v1",
        "http://0x7f.1/v1",
        "http://127.1/v1",
        "http://0177.0.0.1/v1",
        "http://127.0.0.01/v1",
        "http://1.2.3.4.5/v1",
        "http://[::1/v1",
        "http://[fe80::1%25eth0]/v1",
        "http://loc%61lhost/v1",
        "http://lócalhost/v1",
        "http://localhost/v1 /x",
        "http://localhost/v1\r\nX: y",
        "http://a..b/v1",
        "http://-a.b/v1",
        "https://api.example.com/v1?key=sk-secret",
        "https://api.example.com/v1#frag",
        "http://" + "a" * 3000,
        None,
        5,
    ],
)
def test_ambiguous_or_secret_bearing_urls_are_refused_without_being_repeated(url):
    with pytest.raises(SesaHandError) as caught:
        Endpoint.parse(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "localhost", "LOCALHOST.", "[::1]", "[::ffff:127.0.0.1]"])
def test_this_machine_is_recognized_in_every_spelling(host):
    assert Endpoint.parse(f"http://{host}/v1").is_loopback


@pytest.mark.parametrize(
    "host",
    [
        "localhost.evil.com",
        "127.0.0.1.evil.com",
        "evil-localhost",
        "0.0.0.0",
        "[::]",
        "192.168.1.2",
        "169.254.169.254",
        "127.0.0.1.nip.io",
        "ip6-localhost",
    ],
)
def test_what_only_looks_like_this_machine_is_not_loopback(host):
    assert not Endpoint.parse(f"http://{host}/v1").is_loopback


@given(st.text(max_size=40))
def test_any_text_gives_an_endpoint_or_the_error_of_this_library(text):
    for url in (text, "http://" + text, "https://a.example" + text):
        try:
            endpoint = Endpoint.parse(url)
        except SesaHandError:
            continue
        assert Endpoint.parse(f"{endpoint.scheme}://{endpoint.address}{endpoint.path}") == endpoint


@pytest.mark.parametrize(
    ("entry", "parsed"),
    [
        ("api.openai.com", ("api.openai.com", None)),
        ("Box.lan:8000", ("box.lan", 8000)),
        ("[::1]:8000", ("::1", 8000)),
        ("192.168.1.20:11434", ("192.168.1.20", 11434)),
    ],
)
def test_hosts_of_the_file_are_normalized_like_urls(entry, parsed):
    assert parse_host_entry(entry) == parsed


@pytest.mark.parametrize(
    "entry", ["*", "*.openai.com", "https://api.openai.com", "a.com/v1", "a.com:0", "a b", "u@a", ""]
)
def test_hosts_of_the_file_take_no_patterns(entry):
    with pytest.raises(SesaHandError):
        parse_host_entry(entry)
