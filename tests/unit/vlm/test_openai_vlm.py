"""A chat-completions server that is slow, broken or hostile gets no key, no second host, no say over this process."""

import base64
import io
import json
import logging
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest
import torch
from chat_server import answer, chat_server, completion, raw
from PIL import Image

from sesahand.errors import SesaHandError
from sesahand.vlm.captioner import Captioner
from sesahand.vlm.credentials import CredentialFile
from sesahand.vlm.exchange import Limits
from sesahand.vlm.openai_vlm import OpenAIVLM

KEY = "sk-sentinel-0123456789abcdef"
QUICK = Limits(connect_seconds=2, silence_seconds=2, total_seconds=3, retries=2, first_delay_seconds=0.01)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def images(count=1, height=40, width=60, channels=3):
    return torch.linspace(0, 1, count * height * width * channels).view(count, height, width, channels)


def credentials(tmp_path, *ports) -> CredentialFile:
    path = tmp_path / "credentials.json"
    path.write_text(json.dumps({"local": {"hosts": [f"127.0.0.1:{port}" for port in ports], "key": KEY}}))
    path.chmod(0o600)
    return CredentialFile((path,))


def vlm(server, limits=QUICK, **arguments) -> OpenAIVLM:
    return OpenAIVLM(server.url, "tiny", limits=limits, **arguments)


def caption(model, batch=None, max_tokens=50, **arguments):
    return model.describe(
        images() if batch is None else batch, "Describe it.", max_tokens=max_tokens, seed=7, **arguments
    )


def exchange_threads():
    return [thread for thread in threading.enumerate() if thread.name == "sesahand-exchange"]


@pytest.fixture(autouse=True)
def no_thread_is_left_behind():
    yield
    end = time.monotonic() + 3
    while exchange_threads() and time.monotonic() < end:
        time.sleep(0.02)
    assert not exchange_threads()


def test_each_image_is_sent_and_captioned_in_order():
    with chat_server(*(answer(completion(f"caption {index}")) for index in range(3))) as server:
        model = vlm(server)
        assert isinstance(model, Captioner)
        seen = []
        assert caption(model, images(3), progress=lambda *at: seen.append(at)) == [
            "caption 0",
            "caption 1",
            "caption 2",
        ]
    first = server.bodies[0]
    assert server.requests[0]["path"] == "/v1/chat/completions"
    assert (first["model"], first["max_tokens"], first["seed"], first["temperature"]) == ("tiny", 50, 7, 0.0)
    assert first["stream"] is False
    text, picture = first["messages"][0]["content"]
    assert text == {"type": "text", "text": "Describe it."}
    kind, data = picture["image_url"]["url"].split(",", 1)
    received = Image.open(io.BytesIO(base64.b64decode(data)))
    assert (kind, received.format, received.size) == ("data:image/jpeg;base64", "JPEG", (60, 40))
    assert seen[0] == (0, 3) and seen[-1] == (3, 3) and seen == sorted(seen)


def test_text_is_completed_with_a_system_turn():
    with chat_server(answer(completion("one")), answer(completion([{"type": "text", "text": "two"}]))) as server:
        assert vlm(server).complete(["a", "b"], system="be brief", max_tokens=5, seed=2**63) == ["one", "two"]
    assert server.bodies[1]["messages"] == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "b"},
    ]
    assert 0 <= server.bodies[0]["seed"] < 2**31


def test_large_pictures_are_shrunk_before_they_travel():
    with chat_server(answer(completion("x"))) as server:
        caption(vlm(server), images(1, 300, 5000), max_side=500)
        caption(vlm(server), images(1, 4, 9000), max_side=100000)
    sizes = []
    for body in server.bodies:
        data = body["messages"][0]["content"][1]["image_url"]["url"].split(",", 1)[1]
        sizes.append(Image.open(io.BytesIO(base64.b64decode(data))).size)
    assert sizes == [(500, 32), (2048, 128)]


def test_the_key_is_sent_to_its_host_and_only_when_named(tmp_path):
    with chat_server(answer(completion("x"))) as server:
        files = credentials(tmp_path, server.port)
        caption(vlm(server, credential="local", credentials=files))
        caption(vlm(server, credentials=files))
    assert server.requests[0]["headers"]["Authorization"] == f"Bearer {KEY}"
    assert "Authorization" not in server.requests[1]["headers"]


def test_a_key_changed_in_the_file_counts_at_the_next_call(tmp_path):
    with chat_server(answer(completion("x"))) as server:
        files = credentials(tmp_path, server.port)
        model = vlm(server, credential="local", credentials=files)
        caption(model)
        files.path.write_text(files.path.read_text().replace(KEY, "sk-other"))
        caption(model)
    assert [request["headers"]["Authorization"] for request in server.requests] == [f"Bearer {KEY}", "Bearer sk-other"]


def test_a_host_that_is_not_the_keys_gets_no_connection_at_all(tmp_path):
    with chat_server(answer(completion("x"))) as server:
        with pytest.raises(SesaHandError, match="bound to"):
            caption(vlm(server, credential="local", credentials=credentials(tmp_path, server.port + 1)))
    assert server.requests == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_takes_no_key_along(tmp_path, status):
    with chat_server(answer(completion("stolen"))) as other:
        away = answer({}, status, {"Location": f"http://localhost:{other.port}/v1/chat/completions"})
        with chat_server(away) as server:
            model = vlm(server, credential="local", credentials=credentials(tmp_path, server.port))
            with pytest.raises(SesaHandError, match="redirect.*not followed"):
                caption(model)
        assert other.requests == []
    assert len(server.requests) == 1


def test_proxies_of_the_environment_are_not_used(monkeypatch):
    with (
        chat_server(answer(completion("through a proxy"))) as proxy,
        chat_server(answer(completion("direct"))) as server,
    ):
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert caption(vlm(server)) == ["direct"]
        assert proxy.requests == []


def test_a_name_that_leads_elsewhere_than_to_this_machine_gets_nothing(monkeypatch):
    with chat_server(answer(completion("x"))) as server:
        monkeypatch.setattr(socket.socket, "getpeername", lambda self: ("203.0.113.7", server.port))
        with pytest.raises(SesaHandError, match="not on this machine; nothing was sent"):
            caption(OpenAIVLM(f"http://localhost:{server.port}", "tiny", limits=QUICK))
    assert server.requests == []


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_passing_failures_are_tried_again(status):
    with chat_server(answer({"error": "busy"}, status), answer({}, status), answer(completion("at last"))) as server:
        assert caption(vlm(server)) == ["at last"]
    assert len(server.requests) == 3


def test_lasting_failures_end_with_what_the_server_says():
    with chat_server(answer({"error": {"message": "out of\nmemory"}}, 500)) as server:
        with pytest.raises(SesaHandError, match="error 500. The server says: out of memory"):
            caption(vlm(server))
    assert len(server.requests) == 1 + QUICK.retries


def test_retry_after_is_honoured_within_bounds():
    limits = Limits(retries=1, first_delay_seconds=0.01, longest_delay_seconds=0.3)
    with chat_server(answer({}, 429, {"Retry-After": "100000"}), answer(completion("x"))) as server:
        start = time.monotonic()
        caption(vlm(server, limits))
        assert 0.25 < time.monotonic() - start < 2


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (400, "error 400"),
        (401, "asks for a key"),
        (403, "asks for a key"),
        (404, "no model 'tiny'"),
        (413, "too large"),
    ],
)
def test_refusals_are_explained_and_not_repeated(status, says):
    with chat_server(answer({"error": {"message": "no"}}, status)) as server:
        with pytest.raises(SesaHandError, match=says):
            caption(vlm(server))
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "System role not supported"),
        (400, "Conversation roles must alternate user/assistant/user/assistant/..."),
        (500, "Only user and assistant roles are supported, got system."),
        (422, "This model has no system prompt."),
    ],
)
def test_a_model_without_a_system_role_is_asked_in_the_users_turn(status, message):
    with chat_server(answer({"error": {"message": message}}, status), answer(completion("yes"))) as server:
        assert vlm(server).complete(["Is it?"], system="Be brief.", max_tokens=9, seed=0) == ["yes"]
    first, second = (body["messages"] for body in server.bodies)
    assert [turn["role"] for turn in first] == ["system", "user"]
    assert second == [{"role": "user", "content": "Be brief.\n\nIs it?"}]


@pytest.mark.parametrize("status", [404, 500, 403])
def test_a_key_without_a_mark_in_the_path_is_in_no_message(status):
    key = "q7Zk29fLmP41xTvR83bN"
    with chat_server(answer({"error": {"message": f"Cannot POST /v1/{key}/chat/completions"}}, status)) as server:
        with pytest.raises(SesaHandError) as refusal:
            caption(OpenAIVLM(f"{server.url}/{key}", "tiny", limits=QUICK))
    assert f"/{key}/" in server.requests[0]["path"] and "Cannot POST /v1/" in str(refusal.value)
    assert not any(key[k : k + 8] in str(refusal.value) for k in range(len(key) - 7))


def test_a_key_in_escapes_that_the_cut_would_split_is_hidden(tmp_path):
    key = "sk/sentinel/0123456789/abcdef"
    path = tmp_path / "credentials.json"
    for before in range(255, 300, 4):
        echo = b'{"error": {"message": "' + b"x" * before + b" " + key.replace("/", "\\\\/").encode() + b'"}}'
        with chat_server(answer(echo, 401)) as server:
            path.write_text(json.dumps({"local": {"hosts": [f"127.0.0.1:{server.port}"], "key": key}}))
            with pytest.raises(SesaHandError) as caught:
                caption(vlm(server, credential="local", credentials=CredentialFile((path,))))
        assert "sentinel" not in str(caught.value) and "012345" not in str(caught.value)


def test_a_refused_key_names_the_credential_and_hides_the_key(tmp_path, caplog):
    echo = answer({"error": {"message": "x" * 290 + f" Incorrect API key provided: {KEY}"}}, 401)
    with caplog.at_level(logging.DEBUG), chat_server(echo) as server:
        model = vlm(server, credential="local", credentials=credentials(tmp_path, server.port))
        with pytest.raises(SesaHandError, match="refused the key of credential 'local'") as caught:
            caption(model)
    assert "sk-sentinel" not in str(caught.value) + caplog.text + repr(caught.value.__context__ and "")


def test_a_server_that_writes_the_key_into_its_answer_does_not_get_it_into_the_graph(tmp_path):
    with chat_server(answer(completion(f"your key is {KEY}"))) as server:
        model = vlm(server, credential="local", credentials=credentials(tmp_path, server.port))
        assert caption(model) == ["your key is ***"]


def test_the_wire_object_holds_no_key(tmp_path, caplog):
    with caplog.at_level(logging.DEBUG), chat_server(answer({}, 500), answer(completion("x"))) as server:
        model = vlm(server, credential="local", credentials=credentials(tmp_path, server.port))
        caption(model)
        assert KEY not in repr(model) + str(vars(model)) + model.name + caplog.text
        assert set(vars(model)) == {"base_url", "model", "credential", "credentials", "limits"}


@pytest.mark.parametrize(
    ("message", "gone", "new"),
    [
        (
            "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead.",
            "max_tokens",
            "max_completion_tokens",
        ),
        ("Unsupported value: 'temperature' does not support 0.0 with this model.", "temperature", "model"),
        ("Unrecognized request argument supplied: seed", "seed", "model"),
    ],
)
def test_an_option_that_a_server_does_not_know_is_left_out(message, gone, new):
    with chat_server(answer({"error": {"message": message}}, 400), answer(completion("x"))) as server:
        assert caption(vlm(server)) == ["x"]
    assert gone in server.bodies[0] and gone not in server.bodies[1] and new in server.bodies[1]


SCHEMA = {"type": "object", "properties": {"pose": {"type": "string"}}}


def test_answers_are_asked_for_in_a_form_and_less_strictly_where_a_server_has_no_forms():
    no_forms = answer({"error": {"message": "'response_format.type' must be 'json_object' or 'text'"}}, 400)
    none_at_all = answer({"error": {"message": "Unknown field: response_format"}}, 422)
    with chat_server(no_forms, none_at_all, answer(completion("x"))) as server:
        assert vlm(server).complete(["?"], max_tokens=5, seed=0, schema=SCHEMA) == ["x"]
    first, second, third = server.bodies
    assert first["response_format"]["json_schema"]["schema"] == SCHEMA
    assert second["response_format"] == {"type": "json_object"} and "response_format" not in third
    with chat_server(answer(completion("x"))) as server:
        vlm(server).complete(["?"], max_tokens=5, seed=0)
    assert "response_format" not in server.bodies[0]


def test_a_server_whose_own_error_names_the_form_is_asked_for_json_by_the_schema_alone():
    # what llama-cpp-python's server says
    said = "1 validation error: {'loc': ('body', 'response_format', 'type'), 'msg': \"Input should be 'text'\"}"
    with chat_server(answer({"error": {"message": said}}, 500), answer(completion("x"))) as server:
        assert vlm(server).complete(["?"], max_tokens=5, seed=0, schema=SCHEMA) == ["x"]
    assert server.bodies[1]["response_format"] == {"type": "json_object", "schema": SCHEMA}


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (500, "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"),
        (400, "this model is missing data required for image input"),
        (400, "tiny is not a multimodal model"),
        (422, "Input should be a valid string: messages.0.content.str"),
    ],
)
def test_a_server_that_only_reads_text_is_told_from_one_that_fails(status, message):
    with chat_server(*[answer({"error": {"message": message}}, status)] * 4) as server:
        with pytest.raises(SesaHandError, match="does not take pictures.*Extract Semantics"):
            caption(vlm(server))
        with pytest.raises(SesaHandError, match=f"error {status}"):
            vlm(server).complete(["?"], max_tokens=5, seed=0)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (answer(b"{not json"), "did not answer with JSON"),
        (answer(b"<!DOCTYPE html><title>Login</title>", kind="application/json"), "<!DOCTYPE html>"),
        (answer(b"\x00\xff\xfe", kind="application/json"), "did not answer with JSON"),
        (answer(b""), "did not answer with JSON"),
        (raw(b"HTTP/1.1 200 OK\r\n"), "did not answer with JSON"),
        (answer(b"[" * 200000), "did not answer with JSON"),
        (answer([]), "not answer with a chat completion"),
        (answer({"choices": []}), "not answer with a chat completion"),
        (answer({"choices": [{"text": "old protocol"}]}), "not answer with a chat completion"),
        (answer({"choices": [{"message": "x"}]}), "not answer with a chat completion"),
        (answer({"error": "model not loaded"}), "model not loaded"),
        (answer(completion(None)), "gave no text"),
        (answer(completion(5)), "gave no text"),
        (answer(completion("  \n")), "gave no text"),
        (answer(completion("", finish_reason="length")), "raise the length limit"),
        (answer(completion("<think>A hand?</think>")), "gave no text"),
        (answer(completion("<reasoning>A hand")), "spent all of its 50 tokens on thinking"),
        (answer({"choices": [{"message": {"content": None, "refusal": "I won't"}}]}), "refused: I won't"),
        (answer(completion("<think>still thinking")), "spent all of its 50 tokens on thinking"),
        (answer(completion("x"), headers={"Content-Encoding": "gzip"}), "compressed"),
    ],
)
def test_answers_of_the_wrong_kind_are_named(script, says):
    with chat_server(script) as server, pytest.raises(SesaHandError) as caught:
        caption(vlm(server))
    assert says in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("empty", [None, "", " ", 5])
def test_an_empty_completion_is_an_answer_too(empty):
    """An extractor has its rules for that; only a caption must say something."""
    with chat_server(answer(completion(empty)), answer(completion("two"))) as server:
        assert vlm(server).complete(["a", "b"], max_tokens=5, seed=0) == ["", "two"]


def test_a_right_answer_under_a_wrong_content_type_counts():
    with chat_server(answer(completion("<think>hm</think>\n A hand."), kind="text/html")) as server:
        assert caption(vlm(server)) == ["A hand."]


@pytest.mark.parametrize("status", [200, 401])
def test_a_key_with_what_nobody_sees_between_its_letters_is_hidden(tmp_path, status):
    hidden = "\u200b".join(KEY)
    echo = completion(hidden) if status == 200 else {"error": {"message": hidden}}
    with chat_server(answer(echo, status)) as server:
        model = vlm(server, credential="local", credentials=credentials(tmp_path, server.port))
        try:
            said = caption(model)[0]
        except SesaHandError as error:
            said = str(error)
    assert "***" in said and "sentinel" not in "".join(letter for letter in said if letter.isalnum())


def test_control_characters_and_excess_text_are_removed():
    with chat_server(answer(completion("a\x00\x1b[31m\tb\nc\u202e")), answer(completion("word " * 1000))) as server:
        assert caption(vlm(server)) == ["a[31m\tb\nc"]
        assert len(caption(vlm(server), max_tokens=5)[0]) <= 100


def test_a_chunked_answer_is_read():
    body = json.dumps(completion("in pieces")).encode()
    pieces = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:10], body[10:])) + b"0\r\n\r\n"
    with chat_server(raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + pieces)) as server:
        assert caption(vlm(server)) == ["in pieces"]


@pytest.mark.parametrize(
    "broken",
    [
        raw(),
        raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
        raw(HEAD + b'Content-Length: 500\r\n\r\n{"choices": ['),
        raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\nffff\r\nshort"),
        raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nx"),
        raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n"),
        raw(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100000 + b"\r\n\r\n"),
    ],
)
def test_a_broken_connection_is_tried_again_and_then_named(broken):
    with (
        chat_server(broken) as server,
        pytest.raises(SesaHandError, match="No connection to tiny at 127.0.0.1:\\d+ after 3"),
    ):
        caption(vlm(server))
    assert len(server.requests) == 3


def test_a_connection_dropped_once_is_recovered():
    with chat_server(raw(), answer(completion("x"))) as server:
        assert caption(vlm(server)) == ["x"]


def test_a_server_that_is_not_there_is_named_quickly():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(SesaHandError, match="Is the server running"):
        caption(OpenAIVLM(f"http://127.0.0.1:{port}", "tiny", limits=QUICK))


def test_a_huge_answer_is_cut_off():
    limits = Limits(answer_bytes=100_000, retries=0)
    with chat_server(answer(b"x" * 1_000_000)) as server, pytest.raises(SesaHandError, match="more than 100000 bytes"):
        caption(vlm(server, limits))


def endless(piece: bytes, pause: float, head: bytes = HEAD + b"\r\n"):
    def send(handler):
        handler.wfile.write(head)
        while not handler.server.stop.wait(pause):
            handler.wfile.write(piece)
            handler.wfile.flush()

    return send


def test_an_endless_stream_is_cut_off():
    with chat_server(endless(b"x" * 65536, 0)) as server, pytest.raises(SesaHandError, match="more than 4194304 bytes"):
        caption(vlm(server))


@pytest.mark.parametrize("head", [HEAD + b"\r\n", HEAD + b"X: ", b""])
def test_a_server_that_drips_runs_out_of_time(head):
    limits = Limits(silence_seconds=5, total_seconds=0.5, retries=0)
    start = time.monotonic()
    with chat_server(endless(b"x", 0.05, head)) as server, pytest.raises(SesaHandError, match="did not answer in time"):
        caption(vlm(server, limits))
    assert time.monotonic() - start < 3


CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (CLOSING + b"\r\n", b"x"),
        (CLOSING + CHUNKED + b"2\r\n{}\r\n0\r\n", b"a: b\r\n" * 999),
        (CLOSING + CHUNKED, b"1;" + b"x" * 60_000 + b"\r\nx\r\n"),
        (b"HTTP/1.0 200 OK\r\n\r\n", b"x"),
    ],
    ids=["drip", "trailers", "extensions", "old"],
)
def test_no_thread_listens_on_where_a_server_would_close_but_goes_on(head, piece):
    limits = Limits(silence_seconds=30, total_seconds=0.5, retries=0)
    with chat_server(endless(piece, 0.02, head)) as server:
        with pytest.raises(SesaHandError, match="did not answer in time"):
            caption(vlm(server, limits))
        end = time.monotonic() + 2
        while exchange_threads() and time.monotonic() < end:
            time.sleep(0.02)
        assert not exchange_threads()


def test_a_server_that_says_nothing_runs_out_of_time():
    limits = Limits(silence_seconds=0.3, total_seconds=5, retries=2)
    start = time.monotonic()
    with chat_server(lambda handler: handler.server.stop.wait(10)) as server:
        with pytest.raises(SesaHandError, match="did not answer in time"):
            caption(vlm(server, limits))
        assert time.monotonic() - start < 3
        assert len(server.requests) == 1


class Interrupted(Exception):
    pass


def interrupt_after(seconds):
    end = time.monotonic() + seconds

    def progress(done, total):
        if time.monotonic() > end:
            raise Interrupted

    return progress


def test_waiting_for_an_answer_can_be_interrupted():
    start = time.monotonic()
    with chat_server(lambda handler: handler.server.stop.wait(10)) as server:
        with pytest.raises(Interrupted):
            caption(vlm(server, Limits()), progress=interrupt_after(0.3))
        assert time.monotonic() - start < 1.5


def test_waiting_for_a_retry_can_be_interrupted():
    start = time.monotonic()
    with chat_server(answer({}, 503)) as server, pytest.raises(Interrupted):
        caption(vlm(server, Limits(first_delay_seconds=20)), progress=interrupt_after(0.3))
    assert time.monotonic() - start < 1.5


def test_a_batch_can_be_interrupted_between_images():
    def progress(done, total):
        if done == 1:
            raise Interrupted

    with chat_server(answer(completion("x"))) as server, pytest.raises(Interrupted):
        caption(vlm(server), images(3), progress=progress)
    assert len(server.requests) == 1


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A name that the resolver leads to this machine, and permission to use it in the clear."""
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest: resolve("127.0.0.1" if host == "vlm.lan" else host, *rest)
    )

    def connect(server, **permission):
        path = tmp_path / "credentials.json"
        path.write_text(json.dumps({"den": {"hosts": [f"vlm.lan:{server.port}"], **permission}}))
        return OpenAIVLM(f"http://vlm.lan:{server.port}/v1", "tiny", "", CredentialFile((path,)), QUICK)

    return connect


def test_a_permitted_machine_of_the_house_is_reached_in_the_clear(house):
    with chat_server(answer(completion("x"))) as server:
        assert caption(house(server, allow_http=True)) == ["x"]
        with pytest.raises(SesaHandError, match="in the clear"):
            caption(house(server))
    assert len(server.requests) == 1 and server.requests[0]["headers"]["Host"] == f"vlm.lan:{server.port}"


def test_a_name_of_the_house_that_leads_to_the_internet_gets_nothing(house, monkeypatch):
    with chat_server(answer(completion("x"))) as server:
        monkeypatch.setattr(socket.socket, "getpeername", lambda self: ("8.8.8.8", server.port))
        with pytest.raises(SesaHandError, match="not on a private network; nothing was sent"):
            caption(house(server, allow_http=True))
    assert server.requests == []


def test_a_server_behind_tls_that_nobody_vouches_for_gets_nothing(tmp_path):
    """A plain server stands where TLS is expected: the handshake fails and no request is made."""
    with chat_server(answer(completion("x"))) as server:
        url = f"https://127.0.0.1:{server.port}/v1"
        with pytest.raises(SesaHandError, match="No connection"):
            caption(OpenAIVLM(url, "tiny", "local", credentials(tmp_path, server.port), QUICK))
    assert server.requests == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for vlm.test, signed by itself, and its key."""
    if (openssl := shutil.which("openssl")) is None:
        pytest.skip("needs the openssl command to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    made = subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=vlm.test"]
        + ["-addext", "subjectAltName=DNS:vlm.test", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
def hosted(certificate, tmp_path, monkeypatch):
    """Names that the resolver leads to this machine, where a server with a certificate for vlm.test stands."""
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest: resolve("127.0.0.1" if host.endswith(".test") else host, *rest)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def connect(server, host):
        path = tmp_path / "credentials.json"
        path.write_text(json.dumps({"hosted": {"hosts": [f"{host}:{server.port}"], "key": KEY}}))
        path.chmod(0o600)
        return OpenAIVLM(f"https://{host}:{server.port}/v1", "tiny", "hosted", CredentialFile((path,)), QUICK)

    return connect, context


def test_a_hosted_model_is_reached_by_tls(hosted, certificate, monkeypatch):
    connect, context = hosted
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with chat_server(answer(completion("x")), tls=context) as server:
        assert caption(connect(server, "vlm.test")) == ["x"]
    assert server.requests[0]["headers"]["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(("host", "trusted"), [("vlm.test", False), ("other.test", True)])
def test_a_server_with_the_wrong_certificate_gets_nothing(hosted, certificate, monkeypatch, host, trusted):
    """The name leads to the wrong machine, as after a forged DNS answer: it cannot show the right certificate."""
    connect, context = hosted
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with chat_server(answer(completion("x")), tls=context) as server:
        with pytest.raises(SesaHandError, match="could not prove to be that host .*nothing was sent"):
            caption(connect(server, host))
    assert server.requests == []


@pytest.mark.parametrize(
    ("url", "model"), [("ftp://x", "tiny"), ("http://u:p@127.0.0.1", "tiny"), ("http://127.0.0.1", " ")]
)
def test_a_handle_that_cannot_work_is_refused_when_it_is_made(url, model):
    with pytest.raises(SesaHandError):
        OpenAIVLM(url, model)


def test_the_environment_is_left_as_it_was():
    before = dict(os.environ)
    with chat_server(answer(completion("x"))) as server:
        caption(vlm(server))
    assert dict(os.environ) == before
