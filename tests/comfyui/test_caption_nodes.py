"""The caption family inside ComfyUI: model folders, memory management, interruption, and secrets that stay secret."""

import asyncio
import gc
import json
import logging
import re
import shutil
import weakref

import pytest
import torch
from before_run import refusals
from chat_server import answer, chat_server, completion
from progress_steps import every_step
from sesahand_pack.nodes import managed_vlm
from sesahand_pack.nodes.caption import Caption, ConnectVLM, LoadVLM
from sesahand_pack.nodes.semantics import ExtractSemantics
from sesahand_pack.nodes.withheld import withhold_keys
from sesahand_pack.sesahand.errors import SesaHandError
from sesahand_pack.sesahand.vlm.captioner import Captioner
from sesahand_pack.sesahand.vlm.transformers_vlm import TransformersVLM
from tiny_vlm import save_blip, save_llava, save_qwen, save_reciter, unavailable
from utils.extra_config import load_extra_path_config

import comfy.utils
import folder_paths
from comfy import model_management

KEY = "sk-sentinel-0123456789abcdef"
SETTINGS = {"instruction": "What do the hands do?", "max_length": 6, "seed": 3, "temperature": 0.0, "max_side": 256}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    root = tmp_path_factory.mktemp("vlm")
    return {"llava": save_llava(root / "llava"), "blip": save_blip(root / "blip")}


@pytest.fixture
def models(saved, tmp_path, monkeypatch):
    """ComfyUI's models folder with a model of each folder type; every registry is put back afterwards."""
    shutil.copytree(saved["llava"], tmp_path / "models/sesahand_vlm/llava")
    shutil.copytree(saved["blip"], tmp_path / "models/LLM/captioners/blip")
    registry = {name: (list(paths), kinds) for name, (paths, kinds) in folder_paths.folder_names_and_paths.items()}
    monkeypatch.setattr(folder_paths, "folder_names_and_paths", registry)
    monkeypatch.setattr(folder_paths, "models_dir", str(tmp_path / "models"))
    monkeypatch.setattr(folder_paths, "user_directory", str(tmp_path / "user"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    yield tmp_path
    model_management.unload_all_models()


def images(count=2):
    return torch.rand(count, 40, 50, 3, generator=torch.Generator().manual_seed(0))


def load(name="llava", dtype="auto", device="auto"):
    return LoadVLM.execute(name, dtype, device)[0]


def caption(vlm, batch=None, **changes):
    return Caption.execute(vlm=vlm, image=images() if batch is None else batch, **{**SETTINGS, **changes})[0]


def write_credentials(folder, entries):
    path = folder / "user/__sesahand/credentials.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(entries))
    path.chmod(0o600)


def test_models_of_every_folder_type_are_listed(models):
    assert list(managed_vlm.model_folders()) == ["captioners/blip", "llava"]
    options = LoadVLM.GET_NODE_INFO_V1()["input"]["required"]["model_name"]
    assert "captioners/blip" in json.dumps(options)


def test_extra_model_paths_are_honoured_and_none_is_dropped(models, saved):
    before = folder_paths.folder_names_and_paths["checkpoints"]
    for kind in ("LLM", "VLM", "sesahand_vlm"):
        shutil.copytree(saved["blip"], models / f"elsewhere/{kind}/from-{kind}")
    config = models / "extra.yaml"
    config.write_text(
        f"mine:\n  base_path: {models / 'elsewhere'}\n  LLM: LLM\n  VLM: VLM\n  sesahand_vlm: sesahand_vlm\n"
    )
    load_extra_path_config(str(config))
    assert set(managed_vlm.model_folders()) == {"captioners/blip", "llava", "from-LLM", "from-VLM", "from-sesahand_vlm"}
    own = folder_paths.folder_names_and_paths["sesahand_vlm"][0]
    assert len(own) == 2 and str(models / "elsewhere/sesahand_vlm") in own
    assert folder_paths.folder_names_and_paths["checkpoints"] == before


@pytest.mark.parametrize("name", ["none", "../vlm", "/etc", "llava/../llava", "", "C:\\models"])
def test_a_name_that_is_not_listed_is_refused(models, name):
    [message] = refusals(LoadVLM, model_name=name)
    assert "no model folder" in message
    with pytest.raises(SesaHandError, match="no model folder"):
        load(name)


def test_choices_that_are_not_on_the_menu_are_refused(models):
    assert refusals(LoadVLM, model_name="llava") == []
    with pytest.raises(SesaHandError, match="fp8"):
        load("llava", dtype="fp8")
    with pytest.raises(SesaHandError, match="tpu"):
        load("llava", device="tpu")


def test_the_node_captions_as_the_library_does(models, saved):
    vlm = load()
    assert isinstance(vlm, Captioner)
    library = TransformersVLM.load(saved["llava"])
    expected = library.describe(images(3), SETTINGS["instruction"], max_tokens=6, seed=3, max_side=256)
    assert caption(vlm, images(3)) == expected
    assert Caption.define_schema().outputs[0].is_output_list
    prompts = {"max_tokens": 6, "seed": 0, "system": "Be brief."}
    assert vlm.complete(["hello"], **prompts) == library.complete(["hello"], **prompts)


def test_qwen_runs_in_comfyui(tmp_path):
    if reason := unavailable("qwen"):
        pytest.skip(reason)
    vlm = TransformersVLM.load(save_qwen(tmp_path / "qwen"))
    cpu = torch.device("cpu")
    assert len(caption(managed_vlm.ManagedVLM(vlm, managed_vlm.manage(vlm.model, cpu, cpu)))) == 2


def test_a_language_model_writes_semantics_and_says_that_it_takes_no_pictures(models):
    written = {"pose": "a man kneels", "action": "", "hand_action": "shows a closed fist", "environment": "in the snow"}
    save_reciter(models / "models/LLM/reciter", json.dumps(written))
    vlm = load("reciter")
    asked = ["A man kneels in the snow and shows a closed fist."]
    [image] = ExtractSemantics.execute(asked, [1], [8], [0], vlm=[vlm])[0].images
    assert image.source == "language model" and image.behavior.to_dict() == written
    with pytest.raises(SesaHandError, match="reciter .* only reads text"):
        caption(vlm)


def test_the_precision_follows_the_device_or_the_choice(models):
    assert load().captioner.model.dtype == torch.float32, "half precision is slow on a CPU"
    assert load(dtype="bf16").captioner.model.dtype == torch.bfloat16
    assert load(dtype="fp16").captioner.model.dtype == torch.float16


def test_a_model_is_managed_while_it_is_used(models):
    vlm = load()
    assert vlm.patcher not in model_management.loaded_models()
    first = caption(vlm)
    assert vlm.patcher in model_management.loaded_models()
    size = sum(weight.numel() * weight.element_size() for weight in vlm.captioner.model.parameters())
    assert vlm.patcher.loaded_size() >= size > 0
    model_management.unload_all_models()
    assert vlm.patcher not in model_management.loaded_models() and vlm.patcher.loaded_size() == 0
    assert caption(vlm) == first


def test_a_model_that_was_partly_unloaded_is_whole_before_it_is_used(models):
    vlm = load()
    first = caption(vlm)
    vlm.patcher.partially_unload(vlm.patcher.offload_device, vlm.patcher.model_size() // 2)
    assert vlm.patcher.loaded_size() < vlm.patcher.model_size()
    assert caption(vlm) == first
    assert vlm.patcher.loaded_size() >= vlm.patcher.model_size()


def test_weights_wait_on_the_offload_device(models):
    """The meta device stands in for a second one: what is offloaded to it has left the first."""
    vlm = TransformersVLM.load(managed_vlm.model_folders()["llava"])
    patcher = managed_vlm.manage(vlm.model, torch.device("cpu"), torch.device("meta"))
    managed = managed_vlm.ManagedVLM(vlm, patcher)
    assert len(caption(managed)) == 2
    assert {weight.device.type for weight in vlm.model.parameters()} == {"cpu"}
    model_management.unload_all_models()
    assert {weight.device.type for weight in vlm.model.parameters()} == {"meta"}


def test_dropping_the_wire_frees_the_model(models):
    vlm = load()
    caption(vlm)
    model, patcher = weakref.ref(vlm.captioner.model), weakref.ref(vlm.patcher)
    loaded = len(model_management.current_loaded_models)
    del vlm
    gc.collect()
    assert model() is None and patcher() is None
    assert len(model_management.current_loaded_models) == loaded - 1


def test_other_models_make_room_by_pushing_it_out(models):
    first, second = load(), load("captioners/blip")
    caption(first)
    caption(second)
    model_management.free_memory(1e30, model_management.get_torch_device(), keep_loaded=[])
    assert first.patcher.loaded_size() == second.patcher.loaded_size() == 0


def test_every_choice_makes_another_model_and_replaced_files_are_noticed(models):
    others = [("captioners/blip", "auto", "auto"), ("llava", "fp16", "auto"), ("llava", "auto", "cpu")]
    prints = [LoadVLM.fingerprint_inputs(*choice) for choice in [("llava", "auto", "auto"), *others]]
    assert len({json.dumps(each) for each in prints}) == 4
    assert LoadVLM.fingerprint_inputs("llava", "auto", "auto") == prints[0]
    (models / "models/sesahand_vlm/llava/config.json").touch()
    assert LoadVLM.fingerprint_inputs("llava", "auto", "auto") != prints[0]
    LoadVLM.fingerprint_inputs("gone", "auto", "auto")


def test_the_cancel_button_stops_a_local_model_between_tokens(models, monkeypatch):
    vlm = load()
    seen = []

    def cancel_at_third(done, total, *rest, **named):
        seen.append(done)
        if done == 3:
            model_management.interrupt_current_processing(True)

    with monkeypatch.context() as patch:
        every_step(patch, cancel_at_third)
        with pytest.raises(model_management.InterruptProcessingException):
            caption(vlm)
    assert seen == [0, 1, 2, 3]
    assert not model_management.processing_interrupted()
    assert len(caption(vlm)) == 2


def test_the_cancel_button_stops_text_completion_without_any_progress_wired(models):
    vlm = load()
    model_management.interrupt_current_processing(True)
    with pytest.raises(model_management.InterruptProcessingException):
        vlm.complete(["hello"], max_tokens=4, seed=0)


def test_the_cancel_button_stops_a_remote_model_that_is_silent(models):
    def silent(handler):
        model_management.interrupt_current_processing(True)
        handler.server.stop.wait(10)

    with chat_server(silent) as server, pytest.raises(model_management.InterruptProcessingException):
        caption(ConnectVLM.execute(server.url, "tiny", "none", 60)[0])


def test_the_progress_bar_reaches_its_end(models):
    seen = []
    comfy.utils.set_progress_bar_global_hook(lambda done, total, *rest, **named: seen.append((done, total)))
    try:
        caption(load())
    finally:
        comfy.utils.set_progress_bar_global_hook(None)
    assert seen[-1] == (12, 12) and seen == sorted(seen)


def test_a_remote_model_captions_each_image(models):
    with chat_server(answer(completion("one")), answer(completion("two"))) as server:
        vlm = ConnectVLM.execute(server.url, "tiny", "none", 60)[0]
        assert isinstance(vlm, Captioner)
        assert caption(vlm) == ["one", "two"]
    assert "Authorization" not in server.requests[0]["headers"]


@pytest.mark.parametrize(
    ("url", "credential", "says"),
    [
        ("https://evil.example/v1", "none", "not allowed, so nothing was sent"),
        ("https://evil.example/v1", "mine", "bound to vlm.example.com"),
        ("http://127.0.0.1:9/v1", "mine", "bound to vlm.example.com"),
        ("http://vlm.example.com/v1", "none", "in the clear"),
        ("http://127.0.0.1:9/v1", "unknown", "not an entry"),
        ("http://127.0.0.1:9/v1", KEY, "never the key itself"),
    ],
)
def test_a_workflow_from_elsewhere_cannot_send_pictures_or_keys_away(models, url, credential, says):
    write_credentials(models, {"mine": {"hosts": ["vlm.example.com"], "key": KEY}})
    with pytest.raises(SesaHandError, match=says) as caught:
        ConnectVLM.execute(url, "tiny", credential, 5)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "credential", "says"),
    [
        ("http://127.0.0.1:9/v1", "sk-abc", "not an entry.*treat it as published"),
        ("http://127.0.0.1:9/v1", KEY, "never the key itself"),
        ("http://127.0.0.1:9/v1", "", "never the key itself"),
        (f"https://vlm.example.com/v1?key={KEY}", "mine", "must not hold '[?]'"),
        (f"https://{KEY}@vlm.example.com/v1", "mine", "must not hold a user name"),
        ("localhost:11434", "none", "http://localhost:11434/v1"),
        ("ftp://vlm.example.com", "none", "must begin with http"),
    ],
)
def test_a_pasted_key_and_a_bad_url_are_refused_before_the_graph_runs(models, url, credential, says):
    write_credentials(models, {"mine": {"hosts": ["vlm.example.com"], "key": KEY}})
    [answer] = refusals(ConnectVLM, base_url=url, credential=credential)
    assert re.search(says, answer) and KEY not in answer and "sk-abc" not in answer


def test_known_names_and_linked_inputs_pass(models):
    write_credentials(models, {"mine": {"hosts": ["vlm.example.com"], "key": KEY}})
    for url, credential in [("http://localhost:1/v1", "none"), ("https://vlm.example.com", "mine")]:
        assert refusals(ConnectVLM, base_url=url, credential=credential) == []
    assert ConnectVLM.validate_inputs(base_url=None, model=None, credential=None) is True


def test_a_pasted_key_is_taken_out_of_the_request_and_its_workflow(models):
    write_credentials(models, {"mine": {"hosts": ["vlm.example.com"], "key": "k"}})

    def request(url, credential):
        node = {"class_type": "SesaHandConnectVLM", "inputs": {"base_url": url, "credential": credential}}
        workflow = {"nodes": [{"type": "SesaHandConnectVLM", "widgets_values": [url, "tiny", credential, 5]}]}
        return {"prompt": {"1": node}, "extra_data": {"extra_pnginfo": {"workflow": workflow}}}

    fine = request("http://localhost:1/v1", "mine")
    assert withhold_keys(fine) is fine
    missing = request("http://localhost:1/v1", "default")
    assert withhold_keys(missing) is missing, "another widget may hold the same word"
    for url, credential in [
        ("http://localhost:1/v1", KEY),
        (f"https://{KEY}@a.example/v1", "mine"),
        (f"https://a.example/v1?key={KEY}", "none"),
        (KEY, "none"),
        (f"{KEY}\n", "mine"),
        (f"https://a.example:{KEY}/v1", "none"),
        (f"https://{KEY}", "none"),
        (f"https://{KEY}:443/v1", "none"),
        (f"https://a b.example/{KEY}", "none"),
        (f"{KEY}://a.example/v1", "none"),
        (f"ftp://a.example/{KEY}", "none"),
        (f"https://[{KEY}]/v1", "none"),
        (f"https://a.example\\{KEY}", "none"),
        (f"https://\u200b{KEY}", "none"),
        (f"https://a.example/v1/{KEY}", "none"),
        (f"https://vlm.example.com/{KEY}/v1", "mine"),
        (f"http://{KEY}.localhost", "none"),
    ]:
        kept = withhold_keys(request(url, credential))
        assert KEY not in json.dumps(kept)
        assert refusals(ConnectVLM, **kept["prompt"]["1"]["inputs"])
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
    for url in (token, f"https://{token}", f"https://a.example/{token}"):
        assert token not in json.dumps(withhold_keys(request(url, "none")))
    for odd in ({}, {"prompt": []}, {"prompt": {"1": None}}, {"prompt": {"1": {"class_type": "SesaHandConnectVLM"}}}):
        assert withhold_keys(odd) is odd


def with_extra(extra, *connections):
    """A request of Connect VLM nodes, each of a base URL and a credential, whose workflow holds something else too."""
    graph = {
        str(k): {"class_type": "SesaHandConnectVLM", "inputs": {"base_url": url, "credential": credential}}
        for k, (url, credential) in enumerate(connections)
    }
    return {"prompt": graph, "extra_data": {"extra_pnginfo": {"workflow": {"extra": extra}}}}


def extra_of(kept):
    return kept["extra_data"]["extra_pnginfo"]["workflow"]["extra"]


@pytest.mark.parametrize(
    "secret", [f" https://user:{KEY}@x.com", f"https://a.example/v1/{KEY}/", 'pass"w\u00f6rd\\7 a/b']
)
@pytest.mark.parametrize("is_url", [True, False])
def test_a_key_is_taken_out_of_other_texts_and_of_json_in_them_and_of_names(models, secret, is_url):
    connected = (secret, "none") if is_url else ("http://localhost:1/v1", secret)
    inner = json.dumps({"note": secret, secret: 1})
    extra = {
        "note": f"mine is {secret}, see there",
        "json": [inner, json.dumps({"deeper": inner}), json.dumps(secret, ensure_ascii=False).replace("/", "\\/")],
        secret: {f"x{secret.strip()}x": "fine", "class_type": "fine"},
    }
    kept = extra_of(withhold_keys(with_extra(extra, connected)))
    bare = secret.strip()
    forms = (bare, json.dumps(bare)[1:-1], json.dumps(json.dumps(bare)[1:-1])[1:-1])
    for text in (kept["note"], *kept["json"], *kept, *next(reversed(kept.values()))):
        assert not any(form in text for form in (*forms, bare.replace("/", "\\/")))
    assert json.loads(json.loads(kept["json"][1])["deeper"]).keys() >= {"note"}, "it is still JSON"
    assert len(kept) == 3 and list(next(reversed(kept.values())).values()) == ["fine", "fine"]


def test_a_known_maker_s_key_in_a_url_is_taken_out_wherever_it_stands_alone(models):
    key = "sk-ant-api03-0123456789abcdef"
    kept = withhold_keys(with_extra([f"key: {key}", key], (f"https://user:{key}@x.com", "none")))
    assert key not in json.dumps(kept)


def test_an_address_without_its_scheme_is_not_cut_out_of_good_ones(models):
    good = ["http://localhost:1234/v1", "see https://api.example.com/v1", '["https://a.example"]']
    for typed in ("localhost:1234/v1", "api.example.com", "https://", " http://localhost:1234/v1 "):
        kept = withhold_keys(with_extra(good, (typed, "none"), (good[0], "none")))
        assert extra_of(kept) == good and kept["prompt"]["1"]["inputs"]["base_url"] == good[0]
        assert typed not in extra_of(withhold_keys(with_extra([typed, json.dumps(typed)], (typed, "none"))))


def test_names_that_become_alike_keep_their_values(models):
    keys = [f"{KEY}0", f"{KEY}1"]
    kept = extra_of(withhold_keys(with_extra({key: key[-1] for key in keys}, *(("http://[::1]", key) for key in keys))))
    assert list(kept.values()) == ["0", "1"] and KEY not in json.dumps(kept)


def test_a_request_of_more_keys_than_are_looked_for_is_emptied(models, caplog):
    many = [("http://localhost:1/v1", f"{KEY}{k}") for k in range(9)]
    assert KEY not in json.dumps(withhold_keys(with_extra(f"my {KEY}0", *many[:8])))
    assert withhold_keys(with_extra("", *many)) == {"prompt": {}}
    assert "may be keys" in caplog.text and KEY not in caplog.text


def test_a_request_that_would_be_looked_through_for_long_is_emptied(models, monkeypatch):
    monkeypatch.setattr("sesahand_pack.nodes.withheld.MOST_SECONDS", -1.0)
    node = {"class_type": "SesaHandConnectVLM", "inputs": {"base_url": "http://localhost:1/v1", "credential": KEY}}
    assert withhold_keys({"prompt": {"1": node}}) == {"prompt": {}}


def connection(url):
    return {"prompt": {"1": {"class_type": "SesaHandConnectVLM", "inputs": {"base_url": url, "credential": "none"}}}}


@pytest.mark.parametrize(
    "start",
    "sk-ant-api03- sk_live_ sk-or-v1- pplx- csk- ghp_ gho_ github_pat_11A fw_ tgp_v1_ glpat- ya29. gsk_ hf_".split(),
)
def test_a_key_of_a_known_maker_is_taken_out_of_the_path_of_any_address(models, start):
    write_credentials(models, {"mine": {"hosts": ["vlm.example.com"], "key": "k"}})
    for rest in ("0123456789abcdef01", "aBcDeF0123456789aBcD_x-y"):
        for url in (f"https://vlm.example.com/v1/{start}{rest}", f"http://localhost:1/{start}{rest}/v1"):
            assert rest not in json.dumps(withhold_keys(connection(url)))


def test_a_key_of_digits_or_capitals_is_taken_out_of_the_path_of_any_address(models):
    for key in ("AKIAIOSFODNN7EXAMPLE", "dapi0123456789abcdef0123456789abcdef"):
        assert key not in json.dumps(withhold_keys(connection(f"http://localhost:1/v1/{key}")))


def test_what_may_be_a_key_in_a_path_stays_only_where_the_host_is_allowed(models):
    account = "0123456789abcdef0123456789abcdef"
    write_credentials(models, {"mine": {"hosts": ["gate.example"], "key": "k", "models": ["tiny"]}})
    for url in (f"https://gate.example/v1/{account}/name/openai", f"http://localhost:1/{account}"):
        request = connection(url)
        assert withhold_keys(request) is request
    kept = withhold_keys(connection(f"https://other.example:8443/v1/{account}/openai"))
    assert account not in json.dumps(kept)
    with pytest.raises(SesaHandError, match="other.example:8443 is not allowed"):
        ConnectVLM.execute(kept["prompt"]["1"]["inputs"]["base_url"], "tiny", "none", 5)
    for path in ("v1/projects/my-project/locations/us-central1/openapi", "hf-inference/models/Qwen/Qwen2.5-VL-7B/v1"):
        request = connection(f"https://other.example/{path}")
        assert withhold_keys(request) is request


@pytest.mark.parametrize("depth", [600, 5000])
def test_a_key_is_taken_out_of_a_workflow_however_deep_it_is(models, depth):
    deep = KEY
    for _ in range(depth):
        deep = [{"a": deep}]
    node = {"class_type": "SesaHandConnectVLM", "inputs": {"base_url": "http://localhost:1/v1", "credential": KEY}}
    request = {"prompt": {"1": node}, "extra_data": {"extra_pnginfo": {"workflow": {"extra": deep}}}}
    kept = withhold_keys(request)
    assert kept["prompt"]["1"]["inputs"]["credential"] != KEY
    found = kept["extra_data"]["extra_pnginfo"]["workflow"]["extra"]
    for _ in range(depth):
        found = found[0]["a"]
    assert found != KEY


def test_a_request_in_which_keys_cannot_be_looked_for_is_emptied(models, monkeypatch, caplog):
    def fail(*_):
        raise RuntimeError(KEY)

    monkeypatch.setattr("sesahand_pack.nodes.withheld._secrets", fail)
    node = {"class_type": "SesaHandConnectVLM", "inputs": {"credential": KEY}}
    assert withhold_keys({"prompt": {"1": node}}) == {"prompt": {}}
    assert "RuntimeError" in caplog.text and KEY not in caplog.text


def test_a_short_word_that_is_no_url_stays_and_a_missing_model_has_a_sentence():
    node = {"class_type": "SesaHandConnectVLM", "inputs": {"base_url": "none", "credential": "none"}}
    request = {"prompt": {"1": node, "2": {"class_type": "X", "inputs": {"mode": "none", "text": ""}}}}
    assert withhold_keys(request) is request
    for name in (None, "", "gone"):
        with pytest.raises(SesaHandError, match="and choose it"):
            LoadVLM.execute(name, "auto", "cpu")


def test_credentials_are_offered_by_name_and_a_broken_file_breaks_no_node(models, caplog):
    write_credentials(models, {"mine": {"hosts": ["vlm.example.com"], "key": KEY}})
    info = json.dumps(ConnectVLM.GET_NODE_INFO_V1())
    assert '"mine"' in info and KEY not in info
    (models / "user/__sesahand/credentials.json").write_text('{"mine": "' + KEY)
    with caplog.at_level(logging.DEBUG):
        assert '"none"' in json.dumps(ConnectVLM.GET_NODE_INFO_V1())
    assert "cannot be read as JSON" in caplog.text and KEY not in caplog.text


def test_the_key_is_nowhere_but_in_the_request(models, caplog):
    echo = answer({"error": {"message": f"bad key {KEY}"}}, 401)
    with caplog.at_level(logging.DEBUG), chat_server(answer(completion(f"hi {KEY}")), echo) as server:
        write_credentials(models, {"mine": {"hosts": [f"127.0.0.1:{server.port}"], "key": KEY}})
        vlm = ConnectVLM.execute(server.url, "tiny", "mine", 5)[0]
        text = caption(vlm, images(1))
        with pytest.raises(SesaHandError) as caught:
            caption(vlm, images(1))
    assert server.requests[0]["headers"]["Authorization"] == f"Bearer {KEY}"
    everything = [
        repr(vlm),
        str(vars(vlm)),
        str(vars(vlm.captioner)),
        vlm.name,
        str(text),
        str(caught.value),
        caplog.text,
    ]
    assert KEY not in "".join(everything)


def test_the_family_is_registered(models):
    import sesahand_pack

    nodes = asyncio.run(asyncio.run(sesahand_pack.comfy_entrypoint()).get_node_list())
    assert {"SesaHandLoadVLM", "SesaHandConnectVLM", "SesaHandCaption"} <= {
        node.define_schema().node_id for node in nodes
    }
