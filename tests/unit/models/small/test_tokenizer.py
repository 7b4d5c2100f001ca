"""The tokenizer from the shipped merges, and the embedding that knows some of its tokens."""

import pytest
import torch

from sesahand.errors import SesaHandError
from sesahand.models.small.token_embedding import VocabularyEmbedding, ids_of, known_words, unknown_words
from sesahand.models.small.tokenizer import VOCABULARY_SIZE, load_tokenizer
from sesahand.world.vocabulary import WORDS


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer()


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        # Published with OpenAI's CLIP and in the documentation of transformers.
        ("a photo of a cat", [49406, 320, 1125, 539, 320, 2368, 49407]),
        ("a diagram", [49406, 320, 22697, 49407]),
        ("Hello world!", [49406, 3306, 1002, 256, 49407]),
        ("", [49406, 49407]),
    ],
)
def test_ids_are_those_of_clip(tokenizer, text, ids):
    assert tokenizer(text).input_ids == ids
    assert len(tokenizer) == VOCABULARY_SIZE


def test_prompts_are_cut_and_padded_with_the_end(tokenizer):
    ids = tokenizer(["hand " * 200, "hand"], padding="max_length", max_length=77, truncation=True).input_ids
    assert [len(row) for row in ids] == [77, 77]
    assert ids[0][-1] == 49407 and set(ids[1][2:]) == {49407}


def test_known_tokens_have_rows_and_all_others_share_one(tokenizer):
    embedding = VocabularyEmbedding(ids_of(tokenizer, ["a fist"]), 8)
    ids = torch.tensor(tokenizer("a fist bicycle elephant").input_ids)
    rows = embedding(ids)
    assert torch.equal(rows[3], rows[4]) and not torch.equal(rows[1], rows[3])
    assert torch.equal(torch.nn.functional.embedding(ids, embedding.expanded()), rows)
    assert torch.equal(embedding(torch.tensor(embedding.unknown_id)), rows[3])


def test_words_are_told_apart_by_what_was_learnt(tokenizer):
    ids = ids_of(tokenizer, ["a hand, making a fist"])
    assert known_words(tokenizer, ids) == ["a", "fist", "hand", "making"]
    assert unknown_words(tokenizer, ids, "A hand, making a sandwich") == ["sandwich"]
    # Words of several tokens, such as "tiled", come whole.
    assert known_words(tokenizer, ids_of(tokenizer, WORDS)) == sorted(WORDS)


@pytest.mark.parametrize("token", [-1, VOCABULARY_SIZE])
def test_ids_that_clip_does_not_have_are_refused(token):
    with pytest.raises(SesaHandError, match="49407"):
        VocabularyEmbedding([token], 8)
