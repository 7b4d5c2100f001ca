"""Hand tokens against ComfyUI's own token lists, and the Text Encode node on SD 1.5 and SDXL."""

import random
import re

import pytest
import torch
from before_run import refusals
from narrow_models import clip as narrow_clip
from safetensors.torch import save_file
from sesahand_pack.nodes.semantics import TextEncode
from sesahand_pack.sesahand.attention.tokens import columns_of, content_columns, fewest_columns, placed_tokens
from sesahand_pack.sesahand.errors import SesaHandError
from sesahand_pack.sesahand.semantics.hand_words import hand_word_spans, word_spans

from comfy.sd1_clip import SDTokenizer
from nodes import ConditioningConcat

PIECES = (
    *("hand", "hands", "HAND", "holding", "finger", "Fingers", "a woman", "umbrella", "café", "naïve", "日本", "😀"),
    *("2hands", "hand_up", "(", ")", "(hand:1.3)", "((finger))", "(holding a cup:0.7)", r"\(hand\)", "\\", ":", "1.2"),
    *(",", ".", "-", "'s", "\n", "  ", "(a hand", "thumb)", "hand,", "beforehand", "photorealistic", "BREAK"),
    *("embedding:two", "embedding:two,", "embedding:missing", "embedding:one", "ﬁnger", "İ", "<lora:hand:1>"),
    *(
        "embedding:two<hand",
        "embedding:two[hand]",
        "embedding:two,<hand",
        "\tembedding:one",
        "\u3000embedding:one\u3000hand",
    ),
    *("supercalifragilisticexpialidocious handholding", "{hand|palm}"),
)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    """SD 1.5's tokenizer with textual inversions of one and two vectors."""
    folder = tmp_path_factory.mktemp("embeddings")
    save_file({"emb_params": torch.zeros(768)}, folder / "one.safetensors")
    save_file({"emb_params": torch.zeros(2, 768)}, folder / "two.safetensors")
    return SDTokenizer(embedding_directory=str(folder))


@pytest.fixture(scope="module", params=["sd15", "sdxl"])
def clip(request):
    return narrow_clip(request.param, layers=3)


def prompts(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    return [
        "".join(rng.choice(PIECES) + rng.choice((" ", " ", " ", "", ", ")) for _ in range(rng.randint(1, 45)))
        for _ in range(count)
    ]


def surfaces(tokenizer, flat) -> list[str]:
    return [tokenizer.inv_vocab[entry[0]] if isinstance(entry[0], int) else "" for entry in flat]


def test_placed_tokens_are_comfyuis_tokens_over_thousands_of_prompts(tokenizer):
    """The same ids in the same order, each where its letters stand in the prompt."""
    seen = 0
    for text in prompts(2000, seed=1):
        chunks = tokenizer.tokenize_with_weights(text, return_word_ids=True)
        own = [e[0] for chunk in chunks for e in chunk if e[2] and isinstance(e[0], int)]
        placed = placed_tokens(text, tokenizer, own)
        assert [token.id for token in placed] == own, text
        assert all(a.start <= b.start for a, b in zip(placed, placed[1:], strict=False))
        for token in placed:
            letters = tokenizer.inv_vocab[token.id].replace("</w>", "")
            written = text[token.start : token.end]
            if letters.isalpha() and written.isascii():
                seen += 1
                assert written.lower() == letters, (text, token)
    assert seen > 10_000


def test_the_columns_of_a_word_are_the_columns_that_hold_its_token(tokenizer):
    """Choose every "hand"; the columns are exactly those at which ComfyUI's list has the token of "hand"."""
    total = 0
    for text in prompts(1500, seed=2):
        chunks = tokenizer.tokenize_with_weights(text, return_word_ids=True)
        flat = [entry for chunk in chunks for entry in chunk]
        found = columns_of(text, word_spans(text, ["hand", "hands"]), tokenizer, chunks)
        names = surfaces(tokenizer, flat)
        expected = {k for k, name in enumerate(names) if name in ("hand</w>", "hands</w>")}
        # A capital I with a dot or a ligature splits what CLIP sees as one word; nothing else may be missing.
        if not re.search(r"[İﬁ]|(?i:[^\W\d_]hand)", text):
            assert set(found.columns) == expected, text
            total += len(expected)
        assert set(found.columns) <= expected | {k for k, name in enumerate(names) if name[:1] in "hands"}, text
        assert found.length == len(flat)
    assert total > 1000


def test_begin_end_padding_and_embeddings_are_never_chosen(tokenizer):
    for text in prompts(500, seed=3):
        chunks = tokenizer.tokenize_with_weights(text, return_word_ids=True)
        flat = [entry for chunk in chunks for entry in chunk]
        found = columns_of(text, [(0, len(text))], tokenizer, chunks)
        chosen = set(found.columns)
        assert chosen == {k for k, entry in enumerate(flat) if entry[2] and isinstance(entry[0], int)}, text


def test_a_tokenizer_without_offsets_gives_the_same_columns(tokenizer):
    class Slow:
        """The same tokenizer, seen as transformers 4's slow ones are: no offsets."""

        is_fast = False

        def __init__(self, fast):
            self.fast = fast
            self.convert_ids_to_tokens = fast.convert_ids_to_tokens

        def __call__(self, text):
            return self.fast(text)

    text = "A woman (holding:1.3) a pink umbrella with her \\(left\\) hand, embedding:two fingers spread"
    chunks = tokenizer.tokenize_with_weights(text, return_word_ids=True)
    fast = columns_of(text, hand_word_spans(text), tokenizer, chunks)
    original, tokenizer.tokenizer = tokenizer.tokenizer, Slow(tokenizer.tokenizer)
    try:
        slow = columns_of(text, hand_word_spans(text), tokenizer, chunks)
    finally:
        tokenizer.tokenizer = original
    assert slow == fast and len(fast.columns) == 3


def encode(clip, text, tokens="hand words", extra_words="", **links):
    output = TextEncode.execute(clip, text, tokens, extra_words, **links)
    return output.args


def test_the_conditioning_is_core_clip_text_encodes_with_the_columns_attached(clip):
    text = "The woman is (holding:1.2) a pink umbrella with her hand."
    conditioning, marked = encode(clip, text)
    core = clip.encode_from_tokens_scheduled(clip.tokenize(text))
    assert torch.equal(conditioning[0][0], core[0][0])
    assert torch.equal(conditioning[0][1]["pooled_output"], core[0][1]["pooled_output"])
    assert conditioning[0][1]["sesahand_tokens"] == {"columns": (4, 10), "length": 77}
    assert marked == "The woman is ([holding]:1.2) a pink umbrella with her [hand]."


def test_words_behind_the_first_chunk_get_columns_of_the_second(clip):
    text = "a very long sentence about nothing at all, " * 9 + "and a hand"
    conditioning, _ = encode(clip, text)
    hand = conditioning[0][1]["sesahand_tokens"]
    assert hand["length"] == conditioning[0][0].shape[1] == 154
    chunks = next(iter(clip.tokenize(text, return_word_ids=True).values()))
    flat = [entry[0] for chunk in chunks for entry in chunk]
    assert [flat[k] for k in hand["columns"]] == [clip.tokenize("hand")["l"][0][1][0]] and hand["columns"][0] > 77


def test_a_prompt_without_hands_gets_no_columns(clip, caplog):
    conditioning, marked = encode(clip, "a mountain lake")
    assert conditioning[0][1]["sesahand_tokens"]["columns"] == () and marked == "a mountain lake"
    assert "no hand token" in caplog.text


def test_extra_words_and_the_hand_action_are_chosen(clip):
    text = "a man (gripping a hammer:1.1) in a workshop"
    assert encode(clip, text, extra_words="hammer, workshop")[1] == "a man ([gripping] a [hammer]:1.1) in a [workshop]"
    assert encode(clip, text, "hand action")[1] == "a man ([gripping a hammer]:1.1) in a workshop"


def test_hand_tokens_are_attached_to_the_conditioning_of_another_node(clip):
    text = "two hands holding a cup"
    core = clip.encode_from_tokens_scheduled(clip.tokenize(text))
    conditioning, _ = encode(clip, text, conditioning=core)
    assert conditioning[0][0] is core[0][0]
    assert conditioning[0][1]["sesahand_tokens"] == {"columns": (2, 3), "length": 77}
    assert "sesahand_tokens" not in core[0][1], "the input must stay as it was"


def test_a_conditioning_of_another_text_is_refused(clip):
    short = clip.encode_from_tokens_scheduled(clip.tokenize("a hand"))
    with pytest.raises(SesaHandError, match="77 columns but the text needs 154"):
        encode(clip, "a hand and " * 40, conditioning=short)


@pytest.mark.parametrize("other", ["totally other", "a man waves her hand", "a man waves his hand, " * 20])
def test_a_conditioning_of_another_text_of_the_same_length_or_longer_is_refused(clip, other):
    with pytest.raises(SesaHandError, match="not encoded from this text"):
        encode(clip, "a man waves his hand", conditioning=clip.encode_from_tokens_scheduled(clip.tokenize(other)))


def test_a_conditioning_with_another_behind_it_is_taken(clip):
    text = "a man waves his hand"
    first, second = (clip.encode_from_tokens_scheduled(clip.tokenize(said)) for said in (text, "a park"))
    (joined,) = ConditioningConcat().concat(first, second)
    conditioning, marked = encode(clip, text, conditioning=joined)
    assert conditioning[0][0].shape[1] == 154 and marked == "a man [waves] his [hand]"


def test_the_fewest_columns_are_never_more_than_the_tokenizers(tokenizer):
    for text in [*prompts(300, seed=4), "a woman's hand, 35mm"]:
        if "embedding:" not in text:
            assert fewest_columns(text) <= content_columns({"l": tokenizer.tokenize_with_weights(text, True)}), text


def test_text_encoders_that_are_not_known_are_refused(clip):
    class WithByT5(type(clip)):
        def __init__(self):
            self.tokenizer, self.cond_stage_model = clip.tokenizer, clip.cond_stage_model

        def tokenize(self, text, return_word_ids=False, **options):
            return {**clip.tokenize(text, return_word_ids, **options), "byt5": []}

        def encode_from_tokens_scheduled(self, tokens, **options):
            return clip.encode_from_tokens_scheduled({k: v for k, v in tokens.items() if k != "byt5"}, **options)

    with pytest.raises(SesaHandError, match="byt5"):
        encode(WithByT5(), "a hand")


def test_an_unknown_choice_is_refused_before_the_graph_runs():
    assert refusals(TextEncode, tokens="hand words") == []
    [message] = refusals(TextEncode, tokens="feet")
    assert "feet" in message


def test_content_columns_count_tokens_of_all_chunks(tokenizer):
    assert content_columns({"l": tokenizer.tokenize_with_weights("a hand", True)}) == 4
    assert content_columns({"l": tokenizer.tokenize_with_weights("hand " * 100, True)}) == 102
