"""Captions in a real ComfyUI server, and a key that is nowhere but in the request to its host."""

import json

import pytest
from chat_server import answer, chat_server, completion
from comfy_server import NodeFailed
from tiny_vlm import save_llava

KEY = "sk-sentinel-0123456789abcdef"


def caption_graph(vlm: dict, batch: int = 1, picture: str = "captioned") -> dict:
    settings = {"instruction": "What do the hands do?", "max_length": 5, "seed": 0, "temperature": 0.0, "max_side": 256}
    return {
        "1": vlm,
        "2": {
            "class_type": "EmptyImage",
            "inputs": {"width": 64, "height": 64, "batch_size": batch, "color": 0x336699},
        },
        "3": {"class_type": "SesaHandCaption", "inputs": {"vlm": ["1", 0], "image": ["2", 0], **settings}},
        "4": {"class_type": "PreviewAny", "inputs": {"source": ["3", 0]}},
        "5": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": picture}},
    }


def remote(url: str, credential: str = "mine") -> dict:
    inputs = {"base_url": url, "model": "tiny", "credential": credential, "timeout": 30}
    return {"class_type": "SesaHandConnectVLM", "inputs": inputs}


@pytest.fixture
def credentials(comfyui_server):
    """Write an entry `mine` with the sentinel key for the given hosts."""
    path = comfyui_server.folder / "user" / "__sesahand" / "credentials.json"
    path.parent.mkdir(parents=True, exist_ok=True)

    def write(*hosts):
        path.write_text(json.dumps({"mine": {"hosts": list(hosts), "key": KEY}}))
        path.chmod(0o600)

    yield write
    path.unlink(missing_ok=True)


def test_a_local_model_captions_each_image_of_a_batch(comfyui_server):
    save_llava(comfyui_server.folder / "models" / "sesahand_vlm" / "tiny-llava")
    choices = comfyui_server.get("/object_info/SesaHandLoadVLM")
    assert "tiny-llava" in json.dumps(choices)
    loader = {"model_name": "tiny-llava", "dtype": "auto", "device": "auto"}
    graph = caption_graph({"class_type": "SesaHandLoadVLM", "inputs": loader}, batch=3)
    captions = comfyui_server.run(graph).outputs["4"]["text"]
    assert len(captions) == 3 and all(captions) and len(set(captions)) == 1, (
        "three equal pictures, three equal captions"
    )
    assert comfyui_server.run(graph).executed == []


def test_a_caption_typed_by_hand_needs_no_model(comfyui_server):
    graph = {
        "1": {"class_type": "PrimitiveStringMultiline", "inputs": {"value": "She holds a cup."}},
        "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}},
    }
    assert comfyui_server.run(graph).outputs["2"]["text"] == ["She holds a cup."]


def everything_written(server) -> bytes:
    """All that a user could share or post: the files of a run, the log, and what the server tells a browser."""
    files = [path for kind in ("output", "temp", "input", "user") for path in (server.folder / kind).rglob("*")]
    pieces = [path.read_bytes() for path in files if path.is_file() and path.name != "credentials.json"]
    answers = [server.fetch(path) for path in ("/history", "/queue", "/object_info", "/settings")]
    return b"\n".join([*pieces, *answers, server.log().encode()])


def saved_picture(server, name: str) -> bytes:
    return max((server.folder / "output").glob(f"{name}*.png")).read_bytes()


def test_a_key_is_absent_from_pictures_and_log(comfyui_server, credentials):
    with chat_server(answer(completion(f"A hand. {KEY}"))) as remote_server:
        credentials(f"127.0.0.1:{remote_server.port}")
        done = comfyui_server.run(caption_graph(remote(remote_server.url)))
    assert done.outputs["4"]["text"] == ["A hand. ***"]
    assert [request["headers"]["Authorization"] for request in remote_server.requests] == [f"Bearer {KEY}"]
    saved = saved_picture(comfyui_server, "captioned")
    assert b"SesaHandConnectVLM" in saved and b"mine" in saved, "the picture should hold the graph, with the name"
    assert KEY.encode() not in everything_written(comfyui_server)


def test_a_key_is_absent_from_what_the_frontend_saves(comfyui_server, credentials):
    """The workflow as the frontend writes it into files and pictures, in both of its formats."""
    from browser import NoBrowser, open_frontend

    with chat_server(answer(completion("A hand."))) as remote_server:
        credentials(f"127.0.0.1:{remote_server.port}")
        try:
            with open_frontend(comfyui_server.url) as page:
                graph = caption_graph(remote(remote_server.url), picture="from-the-frontend")
                page.page.evaluate("async api => await app.loadApiJson(api, 'captions')", graph)
                assert page.missing_nodes() == []
                page.run()
                api, ui = page.to_api(), page.to_ui()
        except NoBrowser as reason:
            pytest.skip(str(reason))
    assert [request["headers"]["Authorization"] for request in remote_server.requests] == [f"Bearer {KEY}"]
    assert "mine" in json.dumps(ui) and "mine" in json.dumps(api)
    assert KEY not in json.dumps([api, ui])
    assert b'"widgets_values"' in saved_picture(comfyui_server, "from-the-frontend"), "should hold its workflow"
    assert KEY.encode() not in everything_written(comfyui_server)


def test_a_key_is_absent_from_the_errors_of_a_failing_run(comfyui_server, credentials):
    with chat_server(answer({"error": {"message": f"Incorrect API key provided: {KEY}"}}, 401)) as remote_server:
        credentials(f"127.0.0.1:{remote_server.port}")
        with pytest.raises(NodeFailed) as caught:
            comfyui_server.run(caption_graph(remote(remote_server.url)))
    assert "refused the key of credential 'mine'" in str(caught.value)
    assert KEY not in str(caught.value)
    assert KEY.encode() not in everything_written(comfyui_server)


def test_the_server_does_not_hand_out_the_credentials_file(comfyui_server, credentials):
    import urllib.error

    credentials("127.0.0.1:9")
    for path in ("/userdata/..%2F__sesahand%2Fcredentials.json", "/userdata/__sesahand%2Fcredentials.json"):
        with pytest.raises(urllib.error.HTTPError):
            comfyui_server.fetch(path)


def test_a_workflow_from_elsewhere_reaches_no_other_host(comfyui_server, credentials):
    credentials("vlm.example.com")
    for url, credential in (("https://evil.example/v1", "mine"), ("https://evil.example/v1", "none")):
        with pytest.raises(NodeFailed, match="not sent|not allowed"):
            comfyui_server.run(caption_graph(remote(url, credential)))


@pytest.mark.parametrize(("part", "value"), [("credential", KEY), ("base_url", f"https://{KEY}@vlm.example.com/v1")])
def test_a_key_typed_into_the_node_is_refused_and_not_kept(comfyui_server, credentials, part, value):
    """The rest of the graph runs, and its picture holds the graph without the key."""
    credentials("vlm.example.com")
    connection = remote("https://vlm.example.com/v1", "none")
    connection["inputs"][part] = value
    done = comfyui_server.run(caption_graph(connection, picture=f"pasted-{part}"))
    assert "4" not in done.outputs
    assert b"SesaHandConnectVLM" in saved_picture(comfyui_server, f"pasted-{part}")
    assert KEY.encode() not in everything_written(comfyui_server)
