"""CLIP's tokenizer, complete and offline: the same ids as Stable Diffusion's for every text."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...attention.spelling import byte_alphabet
from ...files.panics import refusing_panics

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

MERGES = Path(__file__).parents[2] / "assets" / "clip_merges.txt.gz"
START, END = "<|startoftext|>", "<|endoftext|>"
START_ID, END_ID = 49406, 49407
VOCABULARY_SIZE = 49408
MAX_TOKENS = 77

WORD_PATTERN = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def load_tokenizer() -> PreTrainedTokenizerFast:
    """Build the tokenizer of Stable Diffusion 1.x from the merges that this package holds.

    Returns:
        A tokenizer of transformers: 77 tokens with start and end, padded with the end.

    Source: OpenAI's CLIP, `clip/simple_tokenizer.py`.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    merges = gzip.decompress(MERGES.read_bytes()).decode("utf-8").splitlines()
    pairs = [(left, right) for left, right in (merge.split(" ") for merge in merges)]
    model = models.BPE(vocabulary(pairs), pairs, end_of_word_suffix="</w>", unk_token=END)
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORD_PATTERN), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    ends = (END, END_ID), (START, START_ID)
    tokenizer.post_processor = processors.RobertaProcessing(*ends, trim_offsets=False, add_prefix_space=False)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=START,
        eos_token=END,
        unk_token=END,
        pad_token=END,
        model_max_length=MAX_TOKENS,
    )


def vocabulary(pairs: list[tuple[str, str]]) -> dict[str, int]:
    """The ids of all tokens: bytes, bytes that end a word, one token for each merge, and the two ends."""
    alphabet = byte_alphabet()
    tokens = [*alphabet, *(f"{letter}</w>" for letter in alphabet), *(first + second for first, second in pairs)]
    return {token: index for index, token in enumerate([*tokens, START, END])}


def tokenize(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> Tensor:
    """The token ids `[B, 77]` of some prompts, cut and padded."""
    with refusing_panics("The base's tokenizer"):
        return tokenizer(
            list(texts),
            padding="max_length",
            max_length=tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        ).input_ids
