"""Tokenizers of strangers make no gigabytes of a word: where Rust gets no memory it ends the process, uncaught."""

import json
from pathlib import Path

import pytest
from hostile import run_limited
from tiny_diffusion import save_diffusers
from tiny_vlm import save_llama
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from sesahand.errors import InvalidFileError, UnsafeFileError
from sesahand.files.model_configs import check_configurations
from sesahand.files.tokenizer_steps import check_tokenizer, growth_of
from sesahand.models.checkpoints import load_base
from sesahand.models.small.tokenizer import tokenize
from sesahand.vlm.folders import read_config
from sesahand.vlm.transformers_vlm import TransformersVLM


def replaced(text: str, by: str, kind: str = "String") -> dict:
    return {"type": "Replace", "pattern": {kind: text}, "content": by}


GROWING = [replaced("e", "e" * 100)] * 6
FUSED = [{"type": "Fuse"}, replaced("^", "e" * 1000, "Regex"), *GROWING[:5]]
TEXT = {"Sequence": {"id": "A", "type_id": 0}}
MARK = {"SpecialToken": {"id": "X", "type_id": 0}}
TOKENS = {"X": {"id": "X", "ids": [0] * 20_000, "tokens": ["a"] * 20_000}}
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}


def template(single: list, known: dict) -> dict:
    pair = [TEXT, {"Sequence": {"id": "B", "type_id": 0}}]
    return {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": known}


HOSTILE = {
    "letters that become a hundred": ("normalizer", {"type": "Sequence", "normalizers": GROWING}),
    "the same without types": (
        "normalizer", {"normalizers": [{key: one[key] for key in ("pattern", "content")} for one in GROWING]},
    ),
    "what matches nothing": (
        "normalizer", {"type": "Sequence", "normalizers": [replaced("x*", "hee hee", "Regex")] * 12},
    ),
    "bytes of bytes": ("pre_tokenizer", {"type": "Sequence", "pretokenizers": [BYTES] * 28}),
    "millions of tokens before a text": ("post_processor", template([MARK] * 2000 + [TEXT], TOKENS)),
    "a text many times": (
        "post_processor", {"type": "Sequence", "processors": [template([TEXT] * 4, {})] * 14},
    ),
    "an answer that grows": ("decoder", {"type": "Sequence", "decoders": [BYTES, *FUSED]}),
}  # fmt: skip


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    return save_llama(tmp_path_factory.mktemp("llama"))


def give(folder: Path, part: str, content: dict) -> Path:
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {part: content}))
    return path


def answer(folder: Path) -> list[str]:
    return TransformersVLM.load(folder).complete(["hee hee"], max_tokens=3, seed=0)


@pytest.mark.parametrize("what", HOSTILE)
def test_what_makes_too_much_of_a_text_or_an_answer_is_refused(what, llama, tmp_path):
    for file in llama.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    give(tmp_path, *HOSTILE[what])
    said = run_limited(answer, tmp_path, megabytes=2000, seconds=60).refused()
    assert "tokenizer of" in said and "Copy all of the model's files again" in said


@pytest.mark.parametrize("model", [{"vocab": {"a" * 100_000: 0}}, {"vocab": [["a" * 100_000, 0.0]]}])
def test_tokens_longer_than_any_are_refused(model, tmp_path):
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": model}))
    with pytest.raises(InvalidFileError, match="a token of it has 100000 letters"):
        check_configurations(tmp_path)


def test_no_other_file_is_taken_for_the_tokenizer(tmp_path):
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_file": "words.txt"}))
    with pytest.raises(UnsafeFileError, match=r"expected tokenizer\.json beside it"):
        check_configurations(tmp_path)


def test_a_models_second_tokenizer_is_looked_at(llama, tmp_path):
    for file in llama.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "qformer_tokenizer").mkdir()
    (tmp_path / "qformer_tokenizer" / "tokenizer.json").write_text(json.dumps({"normalizer": {"normalizers": GROWING}}))
    with pytest.raises(InvalidFileError, match="times as long"):
        read_config(tmp_path)


def wrapped(**parts) -> PreTrainedTokenizerFast:
    made = Tokenizer(models.WordLevel({"<unk>": 0}, unk_token="<unk>"))
    for name, part in parts.items():
        setattr(made, name, part)
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>")


def test_a_tokenizer_made_of_other_files_is_looked_at_when_it_is_there():
    """As one of a GGUF file is, or of sentencepiece's."""
    growing = normalizers.Sequence([normalizers.Replace("e", "e" * 100)] * 3)
    with pytest.raises(InvalidFileError, match="1000000 times as long"):
        check_tokenizer("words", wrapped(normalizer=growing))
    with pytest.raises(InvalidFileError, match="answer up to 100 times"):
        check_tokenizer("words", wrapped(decoder=decoders.Replace("e", "e" * 100)))


def test_a_text_that_would_become_too_long_is_refused_as_it_is_given():
    tokenizer = check_tokenizer("words", wrapped(normalizer=normalizers.Replace("e", "e" * 100)))
    assert tokenizer("e")["input_ids"] == tokenizer(["e"])["input_ids"][0] == [0]
    for given in ("e" * 50_000, ["e" * 50_000], ["e" * 25_000] * 2):
        with pytest.raises(InvalidFileError, match="would become up to 5000000 bytes"):
            tokenizer(given)


@pytest.mark.parametrize(
    "filling", [{"padding": "max_length", "max_length": 10**12}, {"padding": True, "pad_to_multiple_of": 10**12}]
)
def test_a_text_is_not_filled_up_without_end(filling):
    tokenizer = check_tokenizer("words", wrapped())
    tokenizer.pad_token = "<unk>"
    with pytest.raises(InvalidFileError, match="fills each text up"):
        tokenizer("e", **filling)


def draw(root: Path):
    return tokenize(load_base(root / "base").tokenizer, ["a hand"])


def test_a_bases_tokenizer_is_looked_at(tmp_path):
    save_diffusers(tmp_path)
    assert draw(tmp_path).shape == (1, 77)
    path = tmp_path / "base" / "tokenizer" / "tokenizer.json"
    assert path.exists() or (path.parent / "vocab.json").exists()
    path.write_text(json.dumps({"normalizer": {"type": "Sequence", "normalizers": [replaced("a", "a" * 100)] * 6}}))
    with pytest.raises(InvalidFileError, match="times as long"):
        load_base(tmp_path / "base")


WRITTEN_OUT = {"ß": "ss", "æ": "ae", "œ": "oe", "…": "...", "½": "1/2", "㎏": "kg"}
KNOWN = {
    "CLIP": ([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()], [BYTES]),
    "Llama 2": ([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")], []),
    "Gemma": ([normalizers.Replace(" ", "▁")], []),
    "T5": ([normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), "▁")], [pre_tokenizers.Metaspace()]),
    "letters written out": ([normalizers.Replace(*pair) for pair in WRITTEN_OUT.items()], []),
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_the_steps_of_known_tokenizers_are_few_and_short(name):
    steps = [
        part if isinstance(part, dict) else json.loads(part.__getstate__()) for side in KNOWN[name] for part in side
    ]
    # Far below the bound, so that their prompts may be long: a letter of three bytes stands for each space.
    assert growth_of(steps) <= 18
