"""Hand tokens among the rows of T5 and language models, against ComfyUI's own lists and encoders.

Each inner tokenizer is asked by `tokenize` what it made of a prompt. Its ids are the truth: what is told of a token's
place is compared with the letters that the id stands for, and the row with the row that changes when the word does.
"""

from functools import cache
from pathlib import Path

import pytest
import torch
from encoder_prompts import TINY, fill, letters, prompts
from sesahand_pack.nodes.semantics import TextEncode
from sesahand_pack.sesahand.attention.tokens import row_tokens
from sesahand_pack.sesahand.errors import SesaHandError

import comfy.sd
import comfy.text_encoders.flux as flux
import comfy.text_encoders.lumina2 as lumina2
import comfy.text_encoders.qwen_image as qwen_image
import comfy.text_encoders.sd3_clip as sd3_clip
import comfy.text_encoders.wan as wan
from comfy.supported_models_base import ClipTarget


def piece_model() -> torch.Tensor:
    """A real sentencepiece model that ComfyUI has with it, in the place of those that are in checkpoints."""
    file = Path(flux.__file__).parent / "t5_pile_tokenizer" / "tokenizer.model"
    return torch.frombuffer(bytearray(file.read_bytes()), dtype=torch.uint8)


@cache
def tokenizer_of(family: str):
    """The tokenizer of a family, and the key of the list whose tokens are the rows."""
    if family in ("z_image", "krea2", "klein", "anima"):
        module = pytest.importorskip(f"comfy.text_encoders.{'flux' if family == 'klein' else family}")
        name = {"z_image": "ZImageTokenizer", "krea2": "Krea2Tokenizer", "klein": "KleinTokenizer"}.get(family)
        if not hasattr(module, name or "AnimaTokenizer"):
            pytest.skip(f"This ComfyUI has no {name}.")
        key = {"krea2": "qwen3vl_4b", "anima": "t5xxl"}.get(family, "qwen3_4b")
        return getattr(module, name or "AnimaTokenizer")(), key
    if family in ("wan", "lumina2"):
        made = wan.WanT5Tokenizer if family == "wan" else lumina2.LuminaTokenizer
        return made(tokenizer_data={"spiece_model": piece_model()}), "umt5xxl" if family == "wan" else "gemma2_2b"
    return {
        "flux": lambda: (flux.FluxTokenizer(), "t5xxl"),
        "sd3": lambda: (sd3_clip.SD3Tokenizer(), "t5xxl"),
        "qwen_image": lambda: (qwen_image.QwenImageTokenizer(), "qwen25_7b"),
    }[family]()


FAMILIES = ("flux", "sd3", "anima", "qwen_image", "z_image", "klein", "krea2", "wan", "lumina2")


@pytest.mark.parametrize("family", FAMILIES)
def test_tokens_stand_where_their_letters_are_over_thousands_of_prompts(family):
    """What the tokens of a stretch decode to is what is written there."""
    tokenizer, key = tokenizer_of(family)
    inner = getattr(tokenizer, key, None) or getattr(tokenizer, f"clip_{key}")
    compared = 0
    decode = getattr(inner.tokenizer, "decode", None) or inner.tokenizer.tokenizer.decode
    for text in prompts(600, seed=1):
        lists = tokenizer.tokenize_with_weights(text, return_word_ids=True)
        flat = [entry for chunk in lists[key] for entry in chunk]
        found = row_tokens(text, [(0, len(text))], tokenizer, lists, key)
        places = [k for k, _ in found]
        assert places == sorted(set(places)) and all(flat[k][0] == token.id for k, token in found), text
        assert all(a.start <= b.start + 1 for (_, a), (_, b) in zip(found, found[1:], strict=False)), text
        for k, token in found:
            word = decode([flat[k][0]])
            written = text[token.start : token.end]
            if "\ufffd" not in word and word != "<unk>" and letters(word) and written.isascii():
                compared += 1
                assert letters(word) == letters(written.replace("\\", "")) or "\\" in written, (text, token, word)
    assert compared > 3000


@pytest.mark.parametrize("family", FAMILIES)
def test_every_letter_of_the_prompt_has_a_token(family):
    tokenizer, key = tokenizer_of(family)
    for text in (
        "a man waves his hand, smiling",
        "two hands \u624b\u6307 and caf\u00e9",
        "\U0001f44d a (red) hand\nwaves",
    ):
        lists = tokenizer.tokenize_with_weights(text, return_word_ids=True)
        found = row_tokens(text, [(0, len(text))], tokenizer, lists, key)
        covered = {k for _, token in found for k in range(token.start, token.end)}
        assert {k for k, c in enumerate(text) if c.isalnum()} <= covered


def causal_clip(family: str):
    """A CLIP of the family's own tokenizer and encoder classes, tiny and with random weights."""
    if family == "z_image":
        module = pytest.importorskip("comfy.text_encoders.z_image")
        target, key = ClipTarget(module.ZImageTokenizer, module.te()), "qwen3_4b"
    else:
        target, key = ClipTarget(qwen_image.QwenImageTokenizer, qwen_image.te()), "qwen25_7b"
    made = comfy.sd.CLIP(target, model_options={f"{key}_model_config": TINY, "dtype": torch.float32})
    fill(made.cond_stage_model)
    return made


@pytest.mark.parametrize("family", ["qwen_image", "z_image"])
@pytest.mark.parametrize(
    "text",
    ["A woman at the market waves her left hand (and smiles:1.2).", r"a \(red\) cup in a hand", "hand"],
)
def test_the_column_of_a_word_is_the_first_row_that_changes_with_it(family, text, monkeypatch):
    """Causal encoders leave every row in front of a changed word as it is."""
    if family == "qwen_image":
        without_eyes(monkeypatch)
    clip = causal_clip(family)
    conditioning, marked = TextEncode.execute(clip, text, "hand words", "").args
    other = clip.encode_from_tokens_scheduled(clip.tokenize(text.replace("hand", "foot")))
    rows = min(conditioning[0][0].shape[1], other[0][0].shape[1])
    changed = (conditioning[0][0][0, :rows] != other[0][0][0, :rows]).any(dim=-1).nonzero().flatten().tolist()
    tokens = conditioning[0][1]["sesahand_tokens"]
    assert "[hand]" in marked and tokens["length"] == conditioning[0][0].shape[1]
    assert changed[0] == [k for k in tokens["columns"] if k in changed or k >= changed[0]][0]


def without_eyes(monkeypatch):
    """Qwen2.5-VL's tower for pictures cannot be made small by settings, and no picture is looked at here."""
    import comfy.text_encoders.llama as llama

    class NoEyes(torch.nn.Module):
        def __init__(self, *args, **kwargs):
            super().__init__()

    monkeypatch.setattr(llama.qwen_vl, "Qwen2VLVisionTransformer", NoEyes)


def test_a_template_of_the_users_own_is_followed():
    tokenizer, key = tokenizer_of("qwen_image")
    text = (
        "<|im_start|>system\nhand it over<|im_end|>\n<|im_start|>user\na hand there<|im_end|>\n<|im_start|>assistant\n"
    )
    lists = tokenizer.tokenize_with_weights(text, return_word_ids=True)
    at = text.index("hand there")
    [(place, token)] = row_tokens(text, [(at, at + 4)], tokenizer, lists, key)
    assert text[token.start : token.end] == "hand" and place > len(lists[key][0]) - 9


def test_tokens_that_are_not_the_tokenizers_are_refused():
    tokenizer, key = tokenizer_of("flux")
    lists = tokenizer.tokenize_with_weights("another text", return_word_ids=True)
    with pytest.raises(SesaHandError, match="cannot be followed back"):
        row_tokens("a hand", [(2, 6)], tokenizer, lists, key)


class Encoder:
    """A CLIP with a real tokenizer whose encodings are of the right length and say nothing."""

    def __init__(self, tokenizer, rows, **loaded):
        self.tokenizer, self.rows = tokenizer, rows
        self.cond_stage_model = type("Model", (), loaded)

    def tokenize(self, text, return_word_ids=False):
        return self.tokenizer.tokenize_with_weights(text, return_word_ids)

    def encode_from_tokens_scheduled(self, tokens):
        return [[torch.zeros(1, self.rows(tokens), 8), {}]]


def at_hand(lists, key, token) -> list[int]:
    return [k for k, entry in enumerate([entry for chunk in lists[key] for entry in chunk]) if entry[0] == token]


def test_the_rows_of_t5_stand_behind_those_of_clip_in_sd3():
    tokenizer, _ = tokenizer_of("sd3")
    text = "a (hand:1.2) " + "of a very long sentence about nothing at all, " * 9 + "and a hand"
    lists = tokenizer.tokenize_with_weights(text, return_word_ids=True)
    clip, t5 = at_hand(lists, "l", 2463), at_hand(lists, "t5xxl", tokenizer.t5xxl.tokenizer("hand")["input_ids"][0])
    assert len(clip) == len(t5) == 2
    whole = Encoder(tokenizer, lambda tokens: 77 * len(tokens["l"]) + len(tokens["t5xxl"][0]), t5xxl=1)
    columns = TextEncode.execute(whole, text, "hand words", "").args[0][0][1]["sesahand_tokens"]["columns"]
    assert list(columns) == sorted([*clip, *(154 + k for k in t5)])
    alone = Encoder(tokenizer, lambda tokens: 77 * len(tokens["l"]), t5xxl=None)
    columns = TextEncode.execute(alone, text, "hand words", "").args[0][0][1]["sesahand_tokens"]["columns"]
    assert list(columns) == clip


def test_anima_counts_in_the_tokens_of_t5_from_the_front():
    tokenizer, _ = tokenizer_of("anima")
    clip = Encoder(tokenizer, lambda tokens: len(tokens["qwen3_06b"][0]))
    text = "a woman waves her hand"
    lists = tokenizer.tokenize_with_weights(text, return_word_ids=True)
    t5 = at_hand(lists, "t5xxl", tokenizer.t5xxl.tokenizer("hand")["input_ids"][0])
    columns = TextEncode.execute(clip, text, "hand words", "").args[0][0][1]["sesahand_tokens"]["columns"]
    assert set(t5) < set(columns) and len(t5) == 1


def test_an_encoding_of_another_length_than_its_tokens_is_refused():
    tokenizer, _ = tokenizer_of("flux")
    with pytest.raises(SesaHandError, match="made 128 columns of 256 tokens"):
        TextEncode.execute(Encoder(tokenizer, lambda _: 128), "a hand", "hand words", "")
