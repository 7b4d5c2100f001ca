"""The columns of a word behind text of any script, for tokenizers with offsets and without, as transformers 4's are."""

import json
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sesahand.attention.spelling import spelled_offsets
from sesahand.attention.tokens import plain_columns
from sesahand.models.small.tokenizer import load_tokenizer

FOREIGN = [
    "ein Mädchen mit Übergröße",
    "一个女人用左手拿着一把粉红色的雨伞站在街上微笑",
    "ДЕВУШКА ДЕРЖИТ ЗОНТ В РУКЕ И УЛЫБАЕТСЯ",
    "امرأة تحمل مظلة وردية في يدها",
    "एक महिला हाथ में छाता पकड़े हुए",
    "한 여자가 분홍색 우산을 들고 있다",
    "İstanbul İZMİR",
    "ΟΔΥΣΣΕΥΣ ΣΑΣ",
    "👩🏽‍🎤👍🏿🇹🇷 ✋🖐️",
    "e\u0301te\u0301 \u1112\u1161\u11ab\u1100\u1173\u11af",
    "ﬁsh ﬀ Ⅷ ½ ㎏ ＦＵＬＬ",
    "zero\u200bwidth soft\u00adhyphen \ufeffmark",
    "<|endoftext|> a<|startoftext|>b",
]


class WithoutOffsets:
    """CLIP's tokenizer seen as transformers 4's: no offsets, and characters without a look are dropped first."""

    is_fast = False

    def __init__(self, fast):
        self.fast = fast
        self.model_max_length = 100_000
        self.convert_ids_to_tokens = fast.convert_ids_to_tokens

    def __call__(self, text):
        seen = (" " if letter in "\t\n\r" else letter for letter in text if letter != "\ufffd")
        return self.fast("".join(a for a in seen if not unicodedata.category(a).startswith("C")))


def with_offsets():
    tokenizer = load_tokenizer()
    tokenizer.model_max_length = 100_000
    return tokenizer


def of_transformers(folder):
    """What `from_pretrained` gives for Stable Diffusion's own files: a slow tokenizer before transformers 5."""
    from transformers import CLIPTokenizer

    merges = load_tokenizer()
    model = json.loads(merges.backend_tokenizer.to_str())["model"]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]), encoding="utf-8")
    pairs = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(pairs) + "\n", encoding="utf-8")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=100_000)


@pytest.fixture(scope="module", params=["offsets", "no offsets", "transformers"])
def tokenizer(request, tmp_path_factory):
    if request.param == "offsets":
        return with_offsets()
    if request.param == "no offsets":
        return WithoutOffsets(load_tokenizer())
    return of_transformers(tmp_path_factory.mktemp("clip"))


def counted_columns(before: str, word: str, tokenizer) -> tuple[int, ...]:
    """The columns of a word behind a text, by how many tokens each has alone."""
    start = len(tokenizer(before)["input_ids"]) - 1
    return tuple(range(start, start + len(tokenizer(word)["input_ids"]) - 2))


@pytest.mark.parametrize("before", FOREIGN)
@pytest.mark.parametrize("word", ["hand", "Handfläche", "手", "ЛАДОНЬ"])
def test_a_word_behind_any_script_has_its_own_columns_and_no_others(tokenizer, before, word):
    text = f"{before} {word} {before}"
    start = len(before) + 1
    found = plain_columns(text, [(start, start + len(word))], tokenizer)
    assert found.columns == counted_columns(before, word, tokenizer) != ()


@settings(max_examples=300, deadline=None)
@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
)
@example("İ" * 9, "")
@example("a\x1cb \u2028\u0345", "\u0345\u200d")
@example("ΑΣ", "Σ")
def test_no_text_hides_the_hand_behind_it(before, after):
    for tokenizer in TOKENIZERS:
        text = f"{before} hand {after}"
        start = len(before) + 1
        found = plain_columns(text, [(start, start + 4)], tokenizer)
        assert found.columns == counted_columns(before, "hand", tokenizer), tokenizer


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_tokens_lie_in_the_text_and_in_order(text):
    tokenizer = TOKENIZERS[1]
    placed = spelled_offsets(text, tokenizer, 1, -1)
    assert [token for token, _ in placed] == tokenizer(text)["input_ids"][1:-1]
    assert all(0 <= a < b <= len(text) for _, (a, b) in placed)
    assert all(first[1][0] <= second[1][0] for first, second in zip(placed, placed[1:], strict=False))


class Mended(WithoutOffsets):
    """As transformers' is where ftfy is installed: quotes become straight, ligatures are taken apart."""

    def fix_text(self, text):
        return text.replace("“", '"').replace("”", '"').replace("ﬁ", "fi")

    def __call__(self, text):
        return self.fast(self.fix_text(text))


class Odd(WithoutOffsets):
    """One that changes a word in a way nobody foresaw."""

    def __call__(self, text):
        return self.fast(text.replace("umbrella", "parasol of paper"))


@pytest.mark.parametrize("kind", [Mended, Odd])
def test_a_tokenizer_that_changes_other_words_loses_no_hand(kind):
    tokenizer = kind(load_tokenizer())
    text = "a “ﬁne” umbrella in her hand"
    found = plain_columns(text, [(text.index("hand"), len(text))], tokenizer)
    assert found.columns == counted_columns(text[: text.index("hand")], "hand", tokenizer)


def test_a_word_that_is_changed_beyond_recognition_is_chosen_whole():
    tokenizer = Odd(load_tokenizer())
    text = "an umbrella in her hand"
    found = plain_columns(text, [(3, 11)], tokenizer)
    assert found.columns == counted_columns("an", "umbrella", tokenizer) and found.places == ((3, 11),)


TOKENIZERS = (with_offsets(), WithoutOffsets(load_tokenizer()))


def test_tokens_of_language_models_stand_where_their_bytes_are():
    """Of a small byte-level tokenizer trained here, as those of Qwen and Mistral are, against its own offsets."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    from sesahand.attention.spelling import byte_offsets

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=["<|im_end|>"], initial_alphabet=alphabet)
    texts = ["two hands waving at a café", "her hand holds the umbrella", "手指 рука hand, hands\nand fingers 👍🏽"]
    tokenizer.train_from_iterator(texts * 5, trainer)
    for text in (*texts, "ﬁngers ＨＡＮＤ  \t<|im_end|>\n", "", "naïve e\u0301 👩‍👩‍👧"):
        encoded = tokenizer.encode(text)
        found = byte_offsets(text, [tokenizer.id_to_token(token) for token in encoded.ids])
        assert found is not None and len(found) == len(encoded.ids)
        for (start, end), (own_start, own_end), token in zip(found, encoded.offsets, encoded.ids, strict=True):
            assert (start, end) == (own_start, own_end), (text, tokenizer.id_to_token(token))
    assert byte_offsets("a hand", ["a", "Ġfoot"]) is None
