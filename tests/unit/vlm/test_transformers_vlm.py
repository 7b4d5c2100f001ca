"""Local image-text models: tiny ones with random weights, read from disk as the real ones are."""

import json
import shutil
import socket

import pytest
import torch
from tiny_vlm import ARCHITECTURES, byte_tokenizer, unavailable

from sesahand.errors import InvalidFileError, SesaHandError, UnsafeFileError
from sesahand.files.model_configs import check_configurations
from sesahand.semantics.prompts import CAPTION_INSTRUCTION
from sesahand.vlm.captioner import Captioner
from sesahand.vlm.folders import find_model_folders, fingerprint, read_config
from sesahand.vlm.transformers_vlm import TransformersVLM

LENGTH = 8


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return {name: save(root / name) for name, save in ARCHITECTURES.items() if not unavailable(name)}


@pytest.fixture(scope="module")
def models(folders):
    return {name: TransformersVLM.load(folder) for name, folder in folders.items()}


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("a local model must not touch the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(params=ARCHITECTURES)
def name(request):
    if reason := unavailable(request.param):
        pytest.skip(reason)
    return request.param


def images(count=2, channels=3, seed=0):
    return torch.rand(count, 48, 56, channels, generator=torch.Generator().manual_seed(seed))


def caption(model, batch=None, instruction=CAPTION_INSTRUCTION, max_tokens=LENGTH, seed=5, **options):
    batch = images() if batch is None else batch
    return model.describe(batch, instruction, max_tokens=max_tokens, seed=seed, **options)


def test_every_architecture_captions_each_image_by_itself_and_in_order(name, models):
    """A picture's caption must be the one it gets alone, wherever it stands in the batch."""
    model = models[name]
    assert isinstance(model, Captioner)
    batch = images(3)
    alone = [caption(model, batch[index : index + 1])[0] for index in range(3)]
    assert caption(model, batch) == alone
    assert caption(model, batch.flip(0)) == alone[::-1]
    assert len(set(alone)) > 1, "the captions should depend on the picture, else this test could not fail"


def test_the_caption_is_what_transformers_itself_generates(models):
    """An independent path: the processor and generate() of transformers, called by hand for LLaVA."""
    from PIL import Image

    model = models["llava"]
    pixels = (images(1)[0] * 255).round().to(torch.uint8).numpy()
    prompt = "USER: <image>\nWhat do the hands do? ASSISTANT:"
    inputs = model.processor(images=Image.fromarray(pixels), text=prompt, return_tensors="pt")
    ids = model.model.generate(
        input_ids=inputs["input_ids"],
        attention_mask=inputs["attention_mask"],
        pixel_values=inputs["pixel_values"],
        max_new_tokens=LENGTH,
        do_sample=False,
    )
    text = model.processor.tokenizer.decode(ids[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    assert caption(model, images(1), "What do the hands do?") == [text.strip()]


def test_the_seed_decides_and_the_random_state_of_the_process_is_left_alone(name, models):
    model = models[name]
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = caption(model, temperature=1.0)
    torch.manual_seed(2)
    assert caption(model, temperature=1.0) == first
    assert len({tuple(caption(model, seed=seed, temperature=1.0)) for seed in range(4)}) > 1
    assert caption(model, seed=1) == caption(model, seed=2), "without sampling the seed must not matter"
    torch.manual_seed(1)
    caption(model, temperature=1.0, seed=0xFFFFFFFFFFFFFFFF)
    assert torch.equal(torch.get_rng_state(), before)


def test_loading_leaves_the_random_state_alone(name, folders):
    before = torch.get_rng_state()
    TransformersVLM.load(folders[name])
    assert torch.equal(torch.get_rng_state(), before)


def test_progress_counts_tokens_over_the_whole_batch(name, models):
    seen = []
    caption(models[name], progress=lambda done, total: seen.append((done, total)))
    counts = [done for done, total in seen]
    assert {total for done, total in seen} == {2 * LENGTH}
    assert counts[0] == 0 and counts[-1] == 2 * LENGTH and counts == sorted(counts)
    assert len(set(counts)) > LENGTH


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("at", [0, 3, LENGTH + 1])
def test_it_can_be_interrupted_between_tokens_and_used_again(name, models, at):
    def progress(done, total):
        if done >= at:
            raise Interrupted

    before = torch.get_rng_state()
    with pytest.raises(Interrupted):
        caption(models[name], progress=progress, temperature=1.0)
    assert torch.equal(torch.get_rng_state(), before)
    assert caption(models[name]) == caption(models[name])


def test_the_length_is_bounded(name, models):
    model = models[name]
    short, long = (caption(model, images(1), max_tokens=length)[0] for length in (2, 12))
    assert len(short) < len(long)
    assert long.startswith(short.rstrip("\ufffd")[:1])


@pytest.mark.parametrize("channels", [1, 4])
def test_other_channel_counts_are_captioned(name, models, channels):
    assert len(caption(models[name], images(1, channels))) == 1


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (2000, 10)])
def test_odd_sizes_are_captioned(name, models, size):
    assert len(caption(models[name], torch.rand(1, *size, 3))) == 1


def test_an_empty_batch_has_no_captions(name, models):
    assert caption(models[name], images(0)) == []


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_it_works_in_half_precision(name, folders, dtype):
    model = TransformersVLM.load(folders[name], dtype)
    assert {weight.dtype for weight in model.model.parameters()} == {dtype}
    assert len(caption(model, images(1))) == 1


@pytest.mark.parametrize("name", ["llava", "llava_next", "qwen"])
def test_chat_models_answer_text(name, models):
    if reason := unavailable(name):
        pytest.skip(reason)
    model = models[name]
    prompts = ["Name the hands.", "What is held?"]
    answers = model.complete(prompts, system="Be brief.", max_tokens=LENGTH, seed=0)
    assert answers == [model.complete([prompt], system="Be brief.", max_tokens=LENGTH, seed=0)[0] for prompt in prompts]
    assert answers != model.complete(prompts, max_tokens=LENGTH, seed=0), "the system turn must reach the model"


@pytest.mark.parametrize("name", ["blip", "florence"])
def test_caption_models_say_that_they_cannot_answer_text(name, models):
    if reason := unavailable(name):
        pytest.skip(reason)
    with pytest.raises(SesaHandError, match="can caption pictures but not answer text"):
        models[name].complete(["hello"], max_tokens=4, seed=0)


def test_each_family_is_asked_in_its_own_manner(models):
    prompts = {
        name: model._picture_prompt("What do the hands of this person do, and where?") for name, model in models.items()
    }
    assert prompts["llava"] == "USER: <image>\nWhat do the hands of this person do, and where? ASSISTANT:"
    assert prompts["blip"] == ""
    assert models["blip"]._picture_prompt("a photo of a hand") == "a photo of a hand"
    if "qwen" in models:
        assert prompts["qwen"].endswith(
            "What do the hands of this person do, and where?<|im_end|>\n<|im_start|>assistant\n"
        )
        assert prompts["qwen"].count("<|image_pad|>") == 1
    if "florence" in models:
        assert prompts["florence"] == "<MORE_DETAILED_CAPTION>"
        assert models["florence"]._picture_prompt(" <CAPTION>\n") == "<CAPTION>"


def test_a_llava_without_a_template_is_asked_in_the_words_of_vicuna(folders, tmp_path):
    folder = shutil.copytree(folders["llava"], tmp_path / "llava")
    for template in ("chat_template.jinja", "chat_template.json"):
        (folder / template).unlink(missing_ok=True)
    model = TransformersVLM.load(folder)
    assert model._template_owner() is None
    reference = TransformersVLM.load(folders["llava"])
    assert caption(model, images(1)) == caption(reference, images(1))


LAST_PART = "{{ m['content'][-1]['text'] }}"
REFUSING = "{% if m['role'] == 'system' %}{{ raise_exception('no') }}{% endif %}"


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{% for m in messages %}" + REFUSING + LAST_PART + "{% endfor %}", "Be brief.\n\nHello"),
        ("{% for m in messages if m['role'] == 'user' %}" + LAST_PART + "{% endfor %}", "Be brief.\n\nHello"),
        ("{% for m in messages %}[{{ m['role'] }}]" + LAST_PART + "{% endfor %}", "[system]Be brief.[user]Hello"),
    ],
)
def test_a_system_turn_arrives_even_where_the_template_has_none(folders, template, expected):
    model = TransformersVLM.load(folders["llava"])
    model.processor.chat_template = template
    assert model._chat("Hello", pictures=0, system="Be brief.") == expected


@pytest.mark.parametrize(
    "template",
    ["{% for", "{{ 1 / 0 }}", "{{ range(10**12) | list }}", "{{ ''.__class__.__mro__[1].__subclasses__() }}"],
)
def test_a_template_that_fails_or_tries_to_break_out_is_named(folders, template):
    model = TransformersVLM.load(folders["llava"])
    model.processor.chat_template = template
    with pytest.raises(SesaHandError, match="chat template of llava"):
        caption(model)


@pytest.fixture
def copy(folders, tmp_path):
    return shutil.copytree(folders["llava"], tmp_path / "broken")


def edit(path, **changes):
    content = json.loads(path.read_text())
    content.update(changes)
    path.write_text(json.dumps(content))


def test_pickled_weights_alone_are_not_read(copy):
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(InvalidFileError, match="no .safetensors"):
        TransformersVLM.load(copy)


def test_pickled_weights_beside_safetensors_are_not_touched(copy):
    """A pickle that would leave a mark if anything loaded it."""
    mark = copy / "mark"
    (copy / "pytorch_model.bin").write_bytes(b"cbuiltins\nopen\n(V%s\nVw\ntR." % str(mark).encode())
    TransformersVLM.load(copy)
    assert not mark.exists()


def test_a_pickle_that_a_tokenizer_could_read_is_refused(copy):
    (copy / "vocab.pkl").write_bytes(b"cbuiltins\nopen\n(Vx\ntR.")
    with pytest.raises(UnsafeFileError, match="vocab.pkl"):
        TransformersVLM.load(copy)


@pytest.mark.parametrize("shard", ["../model.safetensors", "pytorch_model.bin", "a/b.safetensors", "a\\b.safetensors"])
def test_shards_outside_the_folder_or_in_another_format_are_refused(copy, shard):
    (copy / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"x": shard}}))
    with pytest.raises(UnsafeFileError, match="only .safetensors"):
        TransformersVLM.load(copy)


def test_a_missing_shard_is_named(copy):
    (copy / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"x": "model-2.safetensors"}}))
    with pytest.raises(InvalidFileError, match="model-2.safetensors is missing"):
        TransformersVLM.load(copy)


def test_a_model_that_brings_its_own_code_is_refused_and_its_code_not_run(copy, tmp_path):
    (copy / "modeling_evil.py").write_text(f"open({str(tmp_path / 'mark')!r}, 'w')\n")
    edit(copy / "config.json", model_type="evil", auto_map={"AutoConfig": "modeling_evil.Config"})
    with pytest.raises(InvalidFileError, match="its own Python code.*never run"):
        TransformersVLM.load(copy)
    assert not (tmp_path / "mark").exists()


def test_code_beside_a_model_that_transformers_knows_is_not_run(copy, tmp_path):
    (copy / "modeling_evil.py").write_text(f"open({str(tmp_path / 'mark')!r}, 'w')\n")
    name = "processor_config.json" if (copy / "processor_config.json").exists() else "preprocessor_config.json"
    edit(copy / "config.json", auto_map={"AutoModelForImageTextToText": "modeling_evil.Model"})
    edit(copy / name, auto_map={"AutoProcessor": "modeling_evil.Processor"})
    TransformersVLM.load(copy)
    assert not (tmp_path / "mark").exists()


def test_a_processor_that_brings_its_own_code_is_refused(copy, tmp_path):
    (copy / "modeling_evil.py").write_text(f"open({str(tmp_path / 'mark')!r}, 'w')\n")
    for name in ("processor_config.json", "preprocessor_config.json", "tokenizer_config.json"):
        if (copy / name).exists():
            edit(
                copy / name, processor_class="EvilProcessor", auto_map={"AutoProcessor": "modeling_evil.EvilProcessor"}
            )
    edit(copy / "config.json", model_type="git")
    with pytest.raises(InvalidFileError):
        TransformersVLM.load(copy)
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model_type": "no-such-model"}, "does not know the model type 'no-such-model'"),
        ({"model_type": None}, "does not know the model type None"),
        ({"model_type": "bert"}, "does not write text about images"),
        ({"quantization_config": {"quant_method": "bitsandbytes"}}, "quantized \\(bitsandbytes\\)"),
        ({"vision_config": {"backbone": "x", "use_pretrained_backbone": True}}, "backbone from the internet"),
    ],
)
def test_configs_that_cannot_work_are_explained(copy, changes, says):
    edit(copy / "config.json", **changes)
    with pytest.raises(SesaHandError, match=says):
        TransformersVLM.load(copy)


@pytest.mark.parametrize("content", ["", "{", "[]", "\x00", '{"model_type": ["llava"]}', "[" * 100000])
def test_a_broken_config_is_named(copy, content):
    (copy / "config.json").write_text(content)
    with pytest.raises(InvalidFileError):
        TransformersVLM.load(copy)


def test_an_adapter_is_refused(copy):
    (copy / "adapter_config.json").write_text("{}")
    with pytest.raises(InvalidFileError, match="PEFT adapter"):
        TransformersVLM.load(copy)


def test_weights_that_break_off_are_named(copy):
    weights = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(InvalidFileError, match="could not be loaded"):
        TransformersVLM.load(copy)


def test_weights_of_another_model_are_not_filled_up_with_random_ones(copy):
    from safetensors.torch import load_file, save_file

    weights = load_file(copy / "model.safetensors")
    gone = next(name for name in weights if "mlp" in name)
    del weights[gone]
    save_file(weights, copy / "model.safetensors", {"format": "pt"})
    with pytest.raises(InvalidFileError, match="lacks 1 weights"):
        TransformersVLM.load(copy)


def test_a_missing_processor_is_named(copy):
    for pattern in ("*processor_config.json", "tokenizer*", "special_tokens*"):
        for path in copy.glob(pattern):
            path.unlink()
    with pytest.raises(InvalidFileError, match="processor"):
        TransformersVLM.load(copy)


def test_a_folder_that_is_none_is_named(tmp_path):
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(InvalidFileError, match="config.json is missing"):
            TransformersVLM.load(path)


def test_model_folders_are_found_by_what_they_hold(tmp_path):
    def model(path):
        path.mkdir(parents=True)
        (path / "config.json").touch()
        (path / "model.safetensors").touch()

    model(tmp_path / "a/Qwen/Qwen2.5-VL-3B")
    model(tmp_path / "a/Qwen/Qwen2.5-VL-3B/inner")
    model(tmp_path / "a/.cache/hidden")
    model(tmp_path / "a/1/2/3/4/too-deep")
    model(tmp_path / "b/flat")
    model(tmp_path / "b/Qwen/Qwen2.5-VL-3B")
    (tmp_path / "a/no-weights").mkdir()
    (tmp_path / "a/no-weights/config.json").touch()
    (tmp_path / "a/loop").symlink_to(tmp_path / "a", target_is_directory=True)
    found = find_model_folders([tmp_path / "a", tmp_path / "missing", tmp_path / "b"])
    assert found == {"Qwen/Qwen2.5-VL-3B": tmp_path / "a/Qwen/Qwen2.5-VL-3B", "flat": tmp_path / "b/flat"}


def test_the_fingerprint_follows_the_files(copy):
    first = fingerprint(copy)
    assert fingerprint(copy) == first
    edit(copy / "config.json", note=1)
    assert fingerprint(copy) != first


@pytest.mark.parametrize(
    "changes",
    [
        {"attn_implementation": "owner/repo"},
        {"_attn_implementation": "owner/repo@main:function"},
        {"text_config": {"attn_implementation": "owner/repo"}},
        {"vision_config": {"_attn_implementation_internal": "owner/repo"}},
        {"attn_implementation": {"text_config": "owner/repo", "vision_config": "sdpa"}},
        {"text_config": {"deeper": [{"attn_implementation": "paged|owner/repo"}]}},
        {"attn_implementation": ["owner/repo"]},
        {"experts_implementation": "owner/repo"},
        {"use_kernels": True},
        {"text_config": {"kernel_config": {"RMSNorm": "owner/repo:RMSNorm"}}},
        {"configuration_files": ["config.4.0.0.json"]},
        {"vision_config": {"architecture": "hf-hub:owner/repo"}},
        {"vision_config": {"backbone": "local-dir:/tmp/x"}},
        {"transformers_weights": "../other/model.safetensors"},
        {"text_config": {"assistant_model": "owner/repo"}},
        {"repo_path": "owner/repo"},
        {"image_processor": {"class_info_file": "classes.json"}},
        {"is_vqa": True},
        {"tokenizer_file": "/etc/tokenizer.json"},
        {"vocab_file": "..\\vocab.json"},
        {"image_processor": {"merges_file": "../merges.txt"}},
        {"sp_model_kwargs": {"model_file": "/etc/spiece.model"}},
        {"sp_model_kwargs": {"model_proto": "AAAA"}},
        {"mecab_kwargs": {"mecab_option": "-r /tmp/x"}},
    ],
)
@pytest.mark.parametrize("file", ["config.json", "generation_config.json", "processor_config.json"])
def test_a_configuration_that_asks_for_code_or_files_from_elsewhere_is_refused(copy, file, changes):
    (copy / file).touch()
    content = json.loads((copy / file).read_text() or "{}")
    (copy / file).write_text(json.dumps(content | changes))
    with pytest.raises(UnsafeFileError, match=file):
        TransformersVLM.load(copy)


@pytest.mark.parametrize(
    "changes",
    [
        {"processor_class": "MgpstrProcessor"},
        {"image_processor_type": "OneFormerImageProcessor"},
        {"image_processor": {"image_processor_type": "OneFormerImageProcessorFast"}},
        {"feature_extractor_type": "OneFormerFeatureExtractor"},
        {"processor_class": ["MgpstrProcessor"]},
    ],
)
@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json", "processor_config.json"])
def test_a_processor_of_another_kind_of_model_is_refused(copy, file, changes):
    (copy / file).touch()
    content = json.loads((copy / file).read_text() or "{}")
    (copy / file).write_text(json.dumps(content | changes))
    with pytest.raises(UnsafeFileError, match=f"{file} asks for"):
        TransformersVLM.load(copy)


@pytest.mark.parametrize("changes", [{"is_vqa": True}, {"image_processor": {"is_vqa": "yes"}}, {"is_vqa": 1}])
@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json", "processor_config.json"])
def test_a_model_whose_questions_are_written_in_a_fetched_font_is_refused_with_what_to_take(copy, file, changes):
    (copy / file).touch()
    content = json.loads((copy / file).read_text() or "{}")
    (copy / file).write_text(json.dumps(content | {"is_vqa": False}))
    check_configurations(copy)
    (copy / file).write_text(json.dumps(content | changes))
    with pytest.raises(UnsafeFileError, match=f"{file} says is_vqa: .* font .*Take one"):
        TransformersVLM.load(copy)


@pytest.mark.parametrize("address", ["https://example.com/a.png", " ftp://host", "http://example.com\nfoo", "s3://a[x"])
def test_an_instruction_that_a_processor_would_fetch_is_refused(models, address):
    from transformers import IdeficsImageProcessor, IdeficsProcessor

    special = ["<unk>", "<s>", "</s>", "<pad>", "<image>", "<fake_token_around_image>"]
    tokenizer = byte_tokenizer(special, "LlamaTokenizerFast", pad_token="<pad>", bos_token="<s>", eos_token="</s>")
    # BLIP's own manner gives the instruction to the processor as it is, as Idefics' does.
    model = TransformersVLM(models["blip"].model, IdeficsProcessor(IdeficsImageProcessor(), tokenizer), "idefics")
    with pytest.raises(UnsafeFileError, match="is an address"):
        caption(model, images(1), address)


@pytest.mark.parametrize(
    "changes",
    [
        {"text_config": {"num_hidden_layers": 10_000_000}},
        {"vision_config": {"num_hidden_layers": 10_000_000}},
        {"text_config": {"n_layer": 1e9}},
        {"vision_config": {"depths": [2, 2, 10**9]}},
        {"text_config": {"num_hidden_layers": 900, "num_local_experts": 2000}},
        {"num_labels": 10**9},
        {"image_seq_length": 10**10},
    ],
)
def test_counts_that_no_network_has_are_refused_before_one_is_built(copy, changes):
    content = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(content | changes))
    with pytest.raises(InvalidFileError, match="more than any model has"):
        read_config(copy)


def test_code_that_generates_and_audio_tokenizers_from_elsewhere_are_refused(copy, tmp_path):
    (copy / "custom_generate").mkdir()
    (copy / "custom_generate" / "generate.py").write_text(f"open({str(tmp_path / 'mark')!r}, 'w')\n")
    with pytest.raises(UnsafeFileError, match="custom_generate"):
        TransformersVLM.load(copy)
    shutil.rmtree(copy / "custom_generate")
    asked = {"audio_tokenizer_class": "DacModel", "audio_tokenizer_name_or_path": "owner/repo"}
    (copy / "processor_config.json").write_text(json.dumps({"audio_tokenizer": asked}))
    with pytest.raises(UnsafeFileError, match="audio tokenizer"):
        TransformersVLM.load(copy)
    assert not (tmp_path / "mark").exists()


def test_what_a_configuration_chooses_among_transformers_own_attentions_changes_nothing(folders, tmp_path):
    """flash_attention_2 would be fetched as a kernel where it is not installed."""
    plain = caption(TransformersVLM.load(folders["llava"]))
    for chosen in ("flash_attention_2", "sdpa", None, {"text_config": "flash_attention_3"}):
        folder = shutil.copytree(folders["llava"], tmp_path / str(chosen)[:9])
        edit(folder / "config.json", attn_implementation=chosen, quantization_config=None)
        parts = json.loads((folder / "config.json").read_text())["text_config"]
        edit(folder / "config.json", text_config=parts | {"_attn_implementation": "flash_attention_2"})
        model = TransformersVLM.load(folder)
        assert {part._attn_implementation for part in (model.model.config, model.model.config.text_config)} <= {
            "sdpa",
            "eager",
        }
        assert caption(model) == plain


def test_a_generation_setting_whose_code_is_elsewhere_is_left_out(copy):
    (copy / "generation_config.json").write_text(json.dumps({"penalty_alpha": 0.6, "top_k": 4, "num_beam_groups": 2}))
    model = TransformersVLM.load(copy)
    assert caption(model) and model.model.generation_config.penalty_alpha is None


@pytest.mark.parametrize("place", ["config.json", "text_config"])
def test_a_quantized_model_is_named_wherever_it_says_so(copy, place):
    asked = {"quantization_config": {"quant_method": "awq"}}
    edit(copy / "config.json", **(asked if place == "config.json" else {place: asked}))
    with pytest.raises(InvalidFileError, match="quantized .awq"):
        TransformersVLM.load(copy)
