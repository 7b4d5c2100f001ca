"""Which columns of a text encoder's output belong to given characters of a prompt.

ComfyUI's tokenizers cut a prompt into weighted segments, take textual-inversion embeddings out, tokenize the rest and
lay the tokens into chunks of 77 columns. Chunking is not done again here: the tokens of the prompt are computed with
their places in the text and walked along the columns that ComfyUI's own token list reports.
"""

import bisect
import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import SesaHandError
from .spelling import spelled_offsets

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Segment:
    """A stretch of a prompt with one weight.

    Args:
        text: with escapes resolved, as the tokenizer sees it.
        places: the position in the prompt of each character of `text`.
        weight: the emphasis, 1.0 if none.
    """

    text: str
    places: tuple[int, ...]
    weight: float


@dataclass(frozen=True)
class PlacedToken:
    """A token with the stretch of the prompt it stands for."""

    id: int
    start: int
    end: int


@dataclass(frozen=True)
class HandTokens:
    """What the conditioning carries: the columns to bias, and how many columns the prompt has.

    Args:
        columns: in order, each in [0, length).
        length: columns of the text encoder's output.
        places: the stretches of the prompt that the chosen tokens stand for, for showing them.
    """

    columns: tuple[int, ...]
    length: int
    places: tuple[tuple[int, int], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The value of `sesahand_tokens` in a conditioning: plain Python."""
        return {"columns": self.columns, "length": self.length}


def segments(text: str) -> list[Segment]:
    """Cut a prompt by the emphasis grammar of ComfyUI: `(word)`, `(word:1.3)`, nesting, and `\\(` for a parenthesis.

    Args:
        text: a prompt.

    Returns:
        The segments in order; put together their texts are what is tokenized.
    """
    # An escape becomes a control character and a mark, as long as the two characters it replaces.
    escaped = text.replace("\\)", "\0\1").replace("\\(", "\0\2")
    return [_unescaped(escaped, start, end, weight) for start, end, weight in _weighted(escaped, 0, len(escaped), 1.0)]


def _unescaped(escaped: str, start: int, end: int, weight: float) -> Segment:
    characters, places, k = [], [], start
    while k < end:
        pair = escaped[k : min(k + 2, end)]
        characters.append({"\0\1": ")", "\0\2": "("}.get(pair, escaped[k]))
        places.append(k)
        k += 2 if pair in ("\0\1", "\0\2") else 1
    return Segment("".join(characters), tuple(places), weight)


def _weighted(text: str, start: int, end: int, weight: float) -> list[tuple[int, int, float]]:
    found = []
    for a, b in _groups(text, start, end):
        if b - a < 2 or text[a] != "(" or text[b - 1] != ")":
            found.append((a, b, weight))
            continue
        inner_start, inner_end, inner_weight = a + 1, b - 1, weight * 1.1
        colon = text.rfind(":", inner_start, inner_end)
        if colon > inner_start:
            try:
                inner_weight = float(text[colon + 1 : inner_end])
                inner_end = colon
            except ValueError:
                pass
        found += _weighted(text, inner_start, inner_end, inner_weight)
    return found


def _groups(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """The outermost parentheses and what stands between them."""
    groups, begin, depth = [], start, 0
    for k in range(start, end):
        if text[k] == "(":
            if depth == 0 and k > begin:
                groups.append((begin, k))
                begin = k
            depth += 1
        elif text[k] == ")":
            depth -= 1
            if depth == 0:
                groups.append((begin, k + 1))
                begin = k + 1
    return groups + ([(begin, end)] if begin < end else [])


@dataclass(frozen=True)
class EmbeddingRule:
    """How a ComfyUI takes `embedding:name` out of a prompt.

    Args:
        before: a regular expression of what stands in front of one that is not the first thing in its segment.
        ends: characters that end a name, as white space does.
    """

    before: str
    ends: str


EMBEDDING_RULES = (EmbeddingRule(before=r"\s", ends="<["), EmbeddingRule(before=r"[ \n]", ends=""))
"""Those of today's ComfyUI (0.33) and of the first that is supported (0.3.64), to be told apart by their tokens."""


def placed_tokens(text: str, sd_tokenizer: Any, ids: Sequence[int] | None = None) -> list[PlacedToken]:
    """The tokens of a prompt, without begin, end, padding and embeddings, and where each stands.

    Args:
        text: a prompt.
        sd_tokenizer: a tokenizer of ComfyUI's kind (`SDTokenizer`): `tokenizer` of transformers, `tokens_start`,
            `embedding_identifier` and `embedding_directory`.
        ids: the tokens that ComfyUI made of the prompt; they tell which of the rules of its versions it follows.
    """
    own = []
    for rule in EMBEDDING_RULES:
        tokens = []
        for segment in segments(text):
            for piece, places in _without_embeddings(segment, sd_tokenizer, rule):
                tokens += _tokenized(piece, places, sd_tokenizer)
        own.append(tokens)
        if ids is None or [token.id for token in tokens] == list(ids):
            return tokens
    return own[0]


def _without_embeddings(segment: Segment, sd_tokenizer: Any, rule: EmbeddingRule) -> list[tuple[str, Sequence[int]]]:
    """The parts of a segment that are tokenized as text: `embedding:name` goes, the words behind it stay."""
    mark = sd_tokenizer.embedding_identifier
    cuts = [match.start() + 1 for match in re.finditer(f"{rule.before}(?={re.escape(mark)})", segment.text)]
    kept: list[tuple[str, Sequence[int]]] = []
    for begin, end in zip([0, *cuts], [*cuts, len(segment.text)], strict=True):
        piece: str = segment.text[begin:end]
        places: Sequence[int] = segment.places[begin:end]
        if piece.startswith(mark) and sd_tokenizer.embedding_directory is not None:
            piece, places = _behind_name(piece[len(mark) :], places[len(mark) :], rule)
        if piece.strip():
            kept.append((piece, places))
    return kept


def _behind_name(text: str, places: Sequence[int], rule: EmbeddingRule) -> tuple[str, Sequence[int]]:
    """What ComfyUI goes on with behind the name of an embedding: the words, with one space between any two."""
    words = [match.span() for match in re.finditer(r"\S+", text)]
    if not words:
        return "", ()
    (start, stop), *rest = words
    cut = re.search(f"[{re.escape(rule.ends)}]", text[start:stop]) if rule.ends else None
    if cut:
        rest.insert(0, (start + cut.start(), stop))
        stop = start + cut.start()
    # Commas around a name are no part of it: as many characters as they have are given back at its end.
    commas = (stop - start) - len(text[start:stop].strip(","))
    if commas:
        rest.insert(0, (stop - commas, stop))
    piece, kept = "", []
    for begin, end in rest:
        if piece:
            piece += " "
            kept.append(places[begin])
        piece += text[begin:end]
        kept += places[begin:end]
    return piece, kept


def _tokenized(piece: str, places: Sequence[int], sd_tokenizer: Any) -> list[PlacedToken]:
    last = -1 if getattr(sd_tokenizer, "tokenizer_adds_end_token", True) else None
    pairs = _offsets(piece, sd_tokenizer.tokenizer, sd_tokenizer.tokens_start, last)
    return [PlacedToken(token, places[a], places[b - 1] + 1) for token, (a, b) in pairs if b > a]


def _offsets(piece: str, tokenizer: Any, first: int, last: int | None) -> list[tuple[int, tuple[int, int]]]:
    """The tokens from `first` to `last` that a tokenizer of transformers makes, and where each stands in the text."""
    if getattr(tokenizer, "is_fast", False):
        encoded = tokenizer(piece, return_offsets_mapping=True)
        return list(zip(encoded["input_ids"], encoded["offset_mapping"], strict=True))[first:last]
    return spelled_offsets(piece, tokenizer, first, last)


def columns_of(text: str, spans: Iterable[tuple[int, int]], sd_tokenizer: Any, batches: Sequence) -> HandTokens:
    """The columns of one text encoder for stretches of a prompt.

    Args:
        text: the prompt.
        spans: (start, end) character positions; a token that overlaps one is chosen.
        sd_tokenizer: see `placed_tokens`.
        batches: the encoder's token list as `tokenize(text, return_word_ids=True)` gives it: chunks of (token,
            weight, id) with id 0 for begin, end and padding.

    Returns:
        The columns; those of begin, end, padding and embeddings are never among them.
    """
    flat = [entry for chunk in batches for entry in chunk]
    if any(len(entry) < 3 for entry in flat):
        raise SesaHandError("The token list has no word ids. Call tokenize with return_word_ids=True.")
    content = [(k, entry[0]) for k, entry in enumerate(flat) if entry[2] != 0 and isinstance(entry[0], int)]
    placed = placed_tokens(text, sd_tokenizer, [token for _, token in content])
    wanted = _Spans(spans)
    chosen = {k: token for k, token in _matched(content, placed) if wanted.overlap(token.start, token.end)}
    places = sorted({(token.start, token.end) for token in chosen.values()})
    return HandTokens(tuple(sorted(chosen)), len(flat), tuple(places))


def _matched(content: list[tuple[int, int]], placed: list[PlacedToken]) -> Iterable[tuple[int, PlacedToken]]:
    """Pair columns with placed tokens in order; where the two lists differ, pair what agrees."""
    if [token for _, token in content] == [token.id for token in placed]:
        return [(column, token) for (column, _), token in zip(content, placed, strict=True)]
    matcher = difflib.SequenceMatcher(None, [t for _, t in content], [t.id for t in placed], autojunk=False)
    return [
        (content[block.a + k][0], placed[block.b + k])
        for block in matcher.get_matching_blocks()
        for k in range(block.size)
    ]


class _Spans:
    """Stretches of a text, for asking whether one overlaps another."""

    def __init__(self, spans: Iterable[tuple[int, int]]):
        self.spans = sorted((a, b) for a, b in spans if b > a)
        self.starts = [a for a, _ in self.spans]
        self.ends: list[int] = []
        for _, b in self.spans:
            self.ends.append(max(b, self.ends[-1]) if self.ends else b)

    def overlap(self, start: int, end: int) -> bool:
        k = bisect.bisect_left(self.starts, end)
        return k > 0 and self.ends[k - 1] > start


def plain_columns(text: str, spans: Iterable[tuple[int, int]], tokenizer: Any) -> HandTokens:
    """The columns of stretches of a prompt where a pipeline of diffusers encodes it: word for word, in one chunk.

    Args:
        text: the prompt; parentheses are parentheses here.
        spans: (start, end) character positions; a token that overlaps one is chosen.
        tokenizer: CLIP's, of transformers, with its `model_max_length`.

    Returns:
        The columns; what the chunk has no room for has none.
    """
    wanted, length = _Spans(spans), tokenizer.model_max_length
    # The first column is the begin token, and the last one that text can have is before the end token.
    placed = list(enumerate(_offsets(text, tokenizer, 1, -1), start=1))[: length - 2]
    chosen = {k: (a, b) for k, (_, (a, b)) in placed if b > a and wanted.overlap(a, b)}
    return HandTokens(tuple(chosen), length, tuple(sorted(set(chosen.values()))))


def hand_tokens(
    text: str,
    spans: Iterable[tuple[int, int]],
    tokenizer: Any,
    token_lists: dict[str, Sequence],
    encoders: Mapping[str, str],
) -> HandTokens:
    """The columns of a conditioning for stretches of a prompt, for one CLIP encoder (SD 1.5, 2.x) or two (SDXL).

    Args:
        text: the prompt.
        spans: (start, end) character positions.
        tokenizer: the `tokenizer` of a ComfyUI CLIP.
        token_lists: what `clip.tokenize(text, return_word_ids=True)` gives.
        encoders: where the tokenizer keeps each CLIP encoder's own, by the key of its token list
            (`TEXT_ENCODERS` of the families).

    Returns:
        The union of the encoders' columns; the length is that of the shortest, to which SDXL cuts both.

    Raises:
        SesaHandError: when another kind of text encoder (T5, LLM) is among them.
    """
    foreign = sorted(set(token_lists) - set(encoders))
    if foreign or not token_lists:
        raise SesaHandError(
            f"Hand tokens are found for the CLIP encoders of SD 1.5, SD 2.x and SDXL; this CLIP has "
            f"{', '.join(foreign)}. Connect the CLIP of such a checkpoint."
        )
    spans = list(spans)
    each = [columns_of(text, spans, getattr(tokenizer, encoders[key]), lists) for key, lists in token_lists.items()]
    length = min(one.length for one in each)
    return HandTokens(
        tuple(sorted({column for one in each for column in one.columns if column < length})),
        length,
        tuple(sorted({place for one in each for place in one.places})),
    )


def marked(text: str, places: Iterable[tuple[int, int]]) -> str:
    """The prompt with the chosen tokens in square brackets; neighbours share a pair.

    Args:
        text: the prompt.
        places: (start, end) of the chosen tokens.
    """
    runs: list[list[int]] = []
    for start, end in sorted(places):
        if runs and not text[runs[-1][1] : start].strip():
            runs[-1][1] = max(end, runs[-1][1])
        else:
            runs.append([start, end])
    pieces, at = [], 0
    for start, end in runs:
        pieces += [text[at:start], "[", text[start:end], "]"]
        at = end
    return "".join(pieces) + text[at:]


def content_columns(token_lists: dict[str, Sequence]) -> int:
    """Columns that a text needs in one long chunk: its tokens and embeddings with a begin and an end token.

    Args:
        token_lists: what `clip.tokenize(text, return_word_ids=True)` gives; the longest encoder counts.
    """
    return 2 + max(sum(entry[2] != 0 for chunk in lists for entry in chunk) for lists in token_lists.values())


_CLIP_PIECE = re.compile(r"'(?:s|t|re|ve|m|ll|d)|[^\W\d_]+|\d|(?:[^\s\w]|_)+", re.IGNORECASE)
"""How CLIP's tokenizer cuts a text before it splits words; each piece becomes one token or more."""


def fewest_columns(text: str) -> int:
    """Columns that a text needs at least, as `content_columns` counts them, without a tokenizer's vocabulary."""
    return 2 + sum(len(_CLIP_PIECE.findall(part.text)) for part in segments(text))


def check_length(tokens: HandTokens, lengths: Iterable[int]) -> None:
    """Refuse hand tokens that cannot belong to a conditioning.

    Args:
        tokens: of the text.
        lengths: columns of each part of the conditioning. More than the text has are fine: Concat appends.

    Raises:
        SesaHandError: when the conditioning has fewer columns than the text, or no whole number of chunks more.
    """
    for length in lengths:
        if length < tokens.length or length % 77:
            raise SesaHandError(
                f"The conditioning has {length} columns but the text needs {tokens.length}, so it was made from "
                "another text or by another kind of text encoder. Connect the CLIP and type the text that it "
                "was encoded from."
            )


TOLERANCE = 0.02
"""Largest difference of two encodings of one text in a column, relative to the column: rounding of 16-bit floats."""


def check_encoding(given: Sequence["Tensor"], own: Sequence["Tensor"]) -> None:
    """Refuse a conditioning that was not encoded from the text the hand tokens were found in.

    Args:
        given: `[B, columns, channels]` of each part of the conditioning; more columns than `own` has are fine, since
            Concat appends them.
        own: `[B, columns, channels]` of the text encoded anew.

    Raises:
        SesaHandError: when a part begins with none of the own encodings. The first column is not compared: the begin
            token is the same for every text.
    """
    for part in given:
        if not any(_begins_with(part, encoded) for encoded in own):
            raise SesaHandError(
                "The conditioning was not encoded from this text by this CLIP, so its hand tokens stand elsewhere. "
                "Connect the CLIP and type the text that it was encoded from, and connect it before nodes that blend "
                "or change it."
            )


def _begins_with(part: "Tensor", encoded: "Tensor") -> bool:
    ours = encoded[:1, 1:].float()
    theirs = part[:, 1 : encoded.shape[1]].to(ours)
    if theirs.shape[1:] != ours.shape[1:]:
        return False
    return bool(((theirs - ours).norm(dim=-1) <= TOLERANCE * ours.norm(dim=-1)).all())
