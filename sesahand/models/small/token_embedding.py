"""A token embedding with rows for the words it has learnt only, addressed by the ids of CLIP's tokenizer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...errors import SesaHandError
from .tokenizer import END_ID, START_ID, VOCABULARY_SIZE

UNKNOWN_ROW = 0
# A message names at most this many words that are not known.
MOST_NAMED = 12


class VocabularyEmbedding(nn.Module):
    """Rows for some of CLIP's 49,408 tokens; one more row stands for all others.

    Args:
        token_ids: The ids that have rows; the two ends of a text are added.
        width: Channels of a row.
    """

    def __init__(self, token_ids: Sequence[int], width: int):
        super().__init__()
        known = sorted({int(token) for token in token_ids} | {START_ID, END_ID})
        if known[0] < 0 or known[-1] >= VOCABULARY_SIZE:
            raise SesaHandError(
                f"A vocabulary with the token ids {known[0]} to {known[-1]}; CLIP's are 0 to {VOCABULARY_SIZE - 1}."
            )
        self.token_ids = tuple(known)
        self.weight = nn.Parameter(torch.randn(1 + len(known), width) * 0.02)
        rows = torch.full((VOCABULARY_SIZE,), UNKNOWN_ROW, dtype=torch.long)
        rows[torch.tensor(known)] = torch.arange(1, 1 + len(known))
        self.rows: Tensor
        self.register_buffer("rows", rows, persistent=False)

    def forward(self, token_ids: Tensor) -> Tensor:
        """Embed ids `[..., T]` as `[..., T, width]`."""
        return functional.embedding(self.rows[token_ids], self.weight)

    def expanded(self) -> Tensor:
        """The table `[49408, width]` of an ordinary embedding that gives the same."""
        return self.weight.detach()[self.rows]

    @property
    def unknown_id(self) -> int:
        """An id without a row of its own."""
        return next(token for token in range(VOCABULARY_SIZE) if token not in set(self.token_ids))


def text_embeddings(encoder: nn.Module) -> Any:
    """The embeddings of a CLIPTextModel, which transformers keeps one module deeper before version 5."""
    return getattr(encoder, "text_model", encoder).embeddings


def ids_of(tokenizer, texts: Iterable[str]) -> list[int]:
    """Every token id in some texts, in order."""
    return sorted({token for text in texts for token in tokenizer(text).input_ids})


def known_words(tokenizer, token_ids: Sequence[int]) -> list[str]:
    """The vocabulary as people read it, in alphabetical order: the world's words, and whole words of other worlds."""
    from ...world.vocabulary import WORDS

    known = set(token_ids) - {START_ID, END_ID}
    spelled = {word: set(tokenizer(word).input_ids) - {START_ID, END_ID} for word in WORDS}
    words = {word for word, tokens in spelled.items() if tokens <= known}
    # The parts of a word of several tokens are no words of their own.
    parts = set().union(*(spelled[word] for word in words if len(spelled[word]) > 1))
    others = tokenizer.convert_ids_to_tokens(sorted(known - parts))
    whole = (token.removesuffix("</w>") for token in others if token.endswith("</w>"))
    return sorted(words | {word for word in whole if word.isalpha()})


def unknown_words(tokenizer, token_ids: Sequence[int], text: str) -> list[str]:
    """The words of a text that the model ignores because a part of them is not in its vocabulary, in order."""
    known = set(token_ids)
    words = dict.fromkeys(text.split())
    return [word for word in words if not known.issuperset(tokenizer(word).input_ids)]


def describe_unknown(tokenizer, token_ids: Sequence[int], prompts: Iterable[str]) -> str:
    """Say which words of some prompts the model ignores, and which it knows; nothing if it knows all of them."""
    unknown = list(dict.fromkeys(word for prompt in prompts for word in unknown_words(tokenizer, token_ids, prompt)))
    if not unknown:
        return ""
    named = ", ".join(unknown[:MOST_NAMED]) + (", ..." if len(unknown) > MOST_NAMED else "")
    known = ", ".join(known_words(tokenizer, token_ids))
    return f"The small model does not know and ignores: {named}. It knows: {known}."
