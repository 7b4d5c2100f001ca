"""A key goes to its own hosts and nowhere else, and is never shown."""

import json
import logging

import pytest

from sesahand.errors import InvalidFileError, SesaHandError
from sesahand.vlm.credentials import CredentialFile, default_credentials_path
from sesahand.vlm.endpoint import Endpoint

KEY = "sk-sentinel-0123456789abcdef"


def written(tmp_path, entries) -> CredentialFile:
    tmp_path.mkdir(exist_ok=True)
    path = tmp_path / "credentials.json"
    path.write_text(entries if isinstance(entries, str) else json.dumps(entries))
    path.chmod(0o600)
    return CredentialFile((path,))


def authorize(credentials, url, name=""):
    return credentials.authorize(Endpoint.parse(url), name)


def test_a_stored_key_goes_to_its_host(tmp_path):
    credentials = written(tmp_path, {"office": {"hosts": ["vlm.example.com:8443"], "key": KEY}})
    assert authorize(credentials, "https://VLM.example.com.:8443/v1", "office") == KEY


def test_a_key_is_read_from_the_environment_when_it_is_needed(tmp_path, monkeypatch):
    credentials = written(tmp_path, {"openai": {"hosts": ["api.openai.com"], "env": "TEST_VLM_KEY"}})
    monkeypatch.setenv("TEST_VLM_KEY", KEY + "\n")
    assert authorize(credentials, "https://api.openai.com/v1", "openai") == KEY
    monkeypatch.delenv("TEST_VLM_KEY")
    with pytest.raises(SesaHandError, match="TEST_VLM_KEY.*not set"):
        authorize(credentials, "https://api.openai.com/v1", "openai")


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/v1",
        "https://api.openai.com.evil.example/v1",
        "https://api.openai.com:8443/v1",
        "https://openai.com/v1",
        "https://sub.api.openai.com/v1",
        "http://127.0.0.1:8000/v1",
        "http://localhost:443/v1",
    ],
)
def test_a_key_is_not_sent_to_another_host_or_port(tmp_path, url):
    credentials = written(tmp_path, {"openai": {"hosts": ["api.openai.com"], "key": KEY}})
    with pytest.raises(SesaHandError, match="bound to api.openai.com") as caught:
        authorize(credentials, url, "openai")
    assert KEY not in str(caught.value)


def test_loopback_needs_no_entry_and_gets_no_key(tmp_path):
    credentials = written(tmp_path, {"local": {"hosts": ["127.0.0.1:8000"], "key": KEY}})
    assert authorize(credentials, "http://127.0.0.1:8000/v1") == ""
    assert authorize(credentials, "http://127.0.0.1:8000/v1", "local") == KEY
    assert authorize(CredentialFile((tmp_path / "none.json",)), "http://localhost:1/v1") == ""


@pytest.mark.parametrize(
    "url", ["https://evil.example/v1", "http://192.168.1.9:11434/v1", "https://localhost.evil.com"]
)
def test_a_host_that_the_user_has_not_allowed_is_refused(tmp_path, url):
    for credentials in (CredentialFile((tmp_path / "none.json",)), written(tmp_path, {"a": {"hosts": ["b.example"]}})):
        with pytest.raises(SesaHandError, match="not allowed, so nothing was sent"):
            authorize(credentials, url)


def test_an_allowed_host_is_reached_without_a_key_when_no_credential_is_named(tmp_path):
    credentials = written(tmp_path, {"office": {"hosts": ["vlm.example.com"], "key": KEY}})
    assert authorize(credentials, "https://vlm.example.com/v1") == ""


def test_other_machines_are_reached_by_tls_only(tmp_path):
    credentials = written(tmp_path, {"office": {"hosts": ["vlm.example.com:80"], "key": KEY}})
    for name in ("", "office"):
        with pytest.raises(SesaHandError, match="in the clear"):
            authorize(credentials, "http://vlm.example.com/v1", name)


def test_plain_http_inside_the_house_must_be_permitted_and_carries_no_key(tmp_path):
    credentials = written(tmp_path, {"den": {"hosts": ["192.168.1.20:11434"], "allow_http": True}})
    assert authorize(credentials, "http://192.168.1.20:11434/v1") == ""
    assert authorize(credentials, "http://192.168.1.20:11434/v1", "den") == ""
    with pytest.raises(InvalidFileError, match="only without a key"):
        written(tmp_path, {"den": {"hosts": ["192.168.1.20"], "allow_http": True, "key": KEY}}).names()


@pytest.mark.parametrize("pasted", [KEY, "sk-short", "a b", "", "../x", "x" * 25])
def test_a_key_pasted_as_name_is_not_repeated(tmp_path, pasted):
    credentials = written(tmp_path, {"office": {"hosts": ["vlm.example.com"], "key": KEY}})
    with pytest.raises(SesaHandError) as caught:
        authorize(credentials, "https://evil.example/v1", pasted)
    assert not pasted.strip() or pasted not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        f'{{"office": {{"hosts": ["a.example"], "key": "{KEY}"',
        "[]",
        f'"{KEY}"',
        {"office": KEY},
        {"office": {"key": KEY}},
        {"office": {"hosts": [], "key": KEY}},
        {"office": {"hosts": "a.example", "key": KEY}},
        {"office": {"hosts": [5], "key": KEY}},
        {"office": {"hosts": ["*"], "key": KEY}},
        {"office": {"hosts": ["a.example"], "key": KEY, "env": "X"}},
        {"office": {"hosts": ["a.example"], "key": [KEY]}},
        {"office": {"hosts": ["a.example"], "kye": KEY}},
        {"office": {"hosts": ["a.example"], "key": KEY, "allow_http": "yes"}},
        {KEY: {"hosts": ["a.example"]}},
        "[" * 100000,
    ],
)
def test_a_broken_file_is_named_without_showing_what_it_holds(tmp_path, content):
    with pytest.raises(InvalidFileError) as caught:
        written(tmp_path, content).names()
    assert "credentials.json" in str(caught.value)
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("key", [KEY + "\r\nX-Evil: 1", "sk with spaces", "sk-schlüssel"])
def test_a_key_that_would_break_the_header_is_refused_unseen(tmp_path, key):
    credentials = written(tmp_path, {"office": {"hosts": ["a.example"], "key": key}})
    with pytest.raises(SesaHandError) as caught:
        authorize(credentials, "https://a.example/v1", "office")
    assert "sk" not in str(caught.value).replace("risk", "")


def test_neither_the_file_object_nor_its_entries_show_a_key(tmp_path):
    credentials = written(tmp_path, {"office": {"hosts": ["a.example"], "key": KEY}})
    assert KEY not in repr(credentials) + repr(credentials._read()) + str(vars(credentials))
    assert credentials.names() == ["office"]


def test_a_key_that_others_can_read_is_warned_about(tmp_path, caplog):
    credentials = written(tmp_path, {"office": {"hosts": ["a.example"], "key": KEY}})
    credentials.path.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        credentials.names()
    assert "chmod 600" in caplog.text and KEY not in caplog.text


def test_the_first_file_that_exists_is_the_one(tmp_path, monkeypatch):
    (tmp_path / "second.json").write_text('{"b": {"hosts": ["b.example"]}}')
    paths = (tmp_path / "first.json", tmp_path / "second.json")
    assert CredentialFile(paths).names() == ["b"]
    paths[0].write_text('\ufeff{"a": {"hosts": ["a.example"]}}', encoding="utf-8")
    assert CredentialFile(paths).names() == ["a"]
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert default_credentials_path() == tmp_path / "sesahand" / "credentials.json"


def test_a_model_that_a_local_server_would_forward_is_asked_only_if_the_file_names_it(tmp_path):
    url = "http://127.0.0.1:11434/v1"
    nothing, others = written(tmp_path / "a", {}), {"here": {"hosts": ["127.0.0.1:11434"], "models": ["qwen2.5vl:7b"]}}
    named = {"cloud": {"hosts": ["127.0.0.1:11434"], "models": ["qwen3-vl:235b-cloud"]}}
    asked = Endpoint.parse(url)
    assert nothing.authorize(asked, "", "qwen2.5vl:7b") == "" == nothing.authorize(asked, "", "cloudy:7b")
    for model in (
        "qwen3-vl:235b-cloud", "glm-4.6:cloud", " KIMI-K2:1T-CLOUD ", "a:b-cloud:latest", "kimi-k2:1t-cloud@sha256:ab",
        "a-cloud/", "a-cloud\u200b", "a-clo\u00adud", "hf.co/a/b-cloud:latest", "a:b-cloud?", "a:\uff43loud",
    ):  # fmt: skip
        with pytest.raises(SesaHandError, match="to its maker, so nothing was sent"):
            nothing.authorize(asked, "", model)
    allowed = written(tmp_path / "b", named | others)
    assert allowed.authorize(asked, "", "qwen3-vl:235b-cloud") == "" == allowed.authorize(asked, "", "qwen2.5vl:7b")
    with pytest.raises(SesaHandError, match="names qwen2.5vl:7b, qwen3-vl:235b-cloud there"):
        allowed.authorize(asked, "", "llava")
    assert allowed.authorize(Endpoint.parse("http://127.0.0.1:1234/v1"), "", "llava") == ""
    for spelling in ("localhost", "127.0.0.2", "127.255.255.254", "[::1]", "[::ffff:127.0.0.1]"):
        with pytest.raises(SesaHandError, match="is not allowed at"):
            allowed.authorize(Endpoint.parse(f"http://{spelling}:11434/v1"), "", "llava")
        assert allowed.authorize(Endpoint.parse(f"http://{spelling}:11434/v1"), "", "qwen2.5vl:7b") == ""
    with pytest.raises(InvalidFileError, match="list of the names of models"):
        written(tmp_path / "c", {"a": {"hosts": ["b"], "models": "c"}}).names()
