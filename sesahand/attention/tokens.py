"""Which columns of a text encoder's output belong to given characters of a prompt.

ComfyUI's tokenizers cut a prompt into weighted segments, take textual-inversion embeddings out, tokenize the rest and
lay the tokens into chunks of 77 columns. Chunking is not done again here: the tokens of the prompt are computed with
their places in the text and walked along the columns that ComfyUI's own token list reports.
"""

import bisect
import copy
import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import SesaHandError
from ..files.panics import refusing_panics
from .pieces import is_sentencepiece, piece_offsets
from .spelling import byte_offsets, spelled_offsets

if TYPE_CHECKING:
    from torch import Tensor

MAX_NESTING = 100
"""Parentheses of a prompt inside each other."""


@dataclass(frozen=True)
class Segment:
    """A stretch of a prompt with one weight.

    Args:
        text: with escapes resolved, as the tokenizer sees it.
        places: the position in the prompt of each character of `text`; -1 for those of a template around it.
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

    Raises:
        SesaHandError: If more than `MAX_NESTING` parentheses are inside each other.
    """
    check_nesting(text)
    # An escape becomes a control character and a mark, as long as the two characters it replaces.
    escaped = text.replace("\\)", "\0\1").replace("\\(", "\0\2")
    return [_unescaped(escaped, start, end, weight) for start, end, weight in _weighted(escaped, 0, len(escaped), 1.0)]


def nesting(text: str) -> int:
    """Return how many parentheses of a prompt are inside each other."""
    deepest = depth = 0
    for mark in re.findall(r"(?<!\\)[()]", text):
        depth = max(depth + (1 if mark == "(" else -1), 0)
        deepest = max(deepest, depth)
    return deepest


def check_nesting(text: str) -> None:
    """Raise a SesaHandError if parentheses are nested as no weights are; ComfyUI's own reader would not come back."""
    if (found := nesting(text)) > MAX_NESTING:
        raise SesaHandError(
            f"The text has {found} parentheses inside each other, more than the {MAX_NESTING} that are read: each is a "
            "weight of its own; write (word:1.3) instead."
        )


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


def placed_tokens(
    text: str,
    sd_tokenizer: Any,
    ids: Sequence[int | None] | None = None,
    sources: Iterable[Sequence[Segment]] | None = None,
) -> list[PlacedToken]:
    """The tokens of a prompt, without begin, end, padding and embeddings, and where each stands.

    Args:
        text: a prompt.
        sd_tokenizer: a tokenizer of ComfyUI's kind (`SDTokenizer`): `tokenizer` of transformers, `tokens_start`,
            `embedding_identifier` and `embedding_directory`.
        ids: the tokens that ComfyUI made of the prompt, None for one in whose place it has put a picture; they tell
            which of the rules of its versions it follows.
        sources: the ways in which the prompt may reach the tokenizer; that of the emphasis grammar if None.

    Returns:
        The tokens in order; one of blanks, or of a template's characters alone, has an empty stretch.
    """
    own = []
    for source in [segments(text)] if sources is None else sources:
        for rule in EMBEDDING_RULES:
            tokens = []
            for segment in source:
                for piece, places in _without_embeddings(segment, sd_tokenizer, rule):
                    tokens += _tokenized(piece, places, sd_tokenizer)
            own.append(tokens)
            if ids is None or _are(tokens, ids):
                return tokens
    return own[0]


def _are(tokens: Sequence[PlacedToken], ids: Sequence[int | None]) -> bool:
    return len(tokens) == len(ids) and all(k in (None, token.id) for token, k in zip(tokens, ids, strict=True))


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
        if piece:
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
    return [PlacedToken(token, *_stretch(piece, places, a, b)) for token, (a, b) in pairs]


def _stretch(piece: str, places: Sequence[int], start: int, end: int) -> tuple[int, int]:
    """Where a token stands in the prompt. The blank in front of a word may belong to its token; it is not the word."""
    spots = [places[k] for k in range(start, end) if not piece[k].isspace() and places[k] >= 0]
    return (min(spots), max(spots) + 1) if spots else (0, 0)


def _offsets(piece: str, tokenizer: Any, first: int, last: int | None) -> list[tuple[int, tuple[int, int]]]:
    """The tokens from `first` to `last` that a tokenizer of transformers makes, and where each stands in the text."""
    with refusing_panics("The text encoder's tokenizer"):
        return _placed(piece, tokenizer, first, last)


def _placed(piece: str, tokenizer: Any, first: int, last: int | None) -> list[tuple[int, tuple[int, int]]]:
    if getattr(tokenizer, "is_fast", False):
        encoded = tokenizer(piece, return_offsets_mapping=True)
        return list(zip(encoded["input_ids"], encoded["offset_mapping"], strict=True))[first:last]
    if is_sentencepiece(tokenizer):
        return piece_offsets(piece, tokenizer)[first:last]
    ids = tokenizer(piece)["input_ids"][first:last]
    places = byte_offsets(piece, surfaces_of(ids, tokenizer))
    if places is not None:
        return list(zip(ids, places, strict=True))
    return spelled_offsets(piece, tokenizer, first, last)


def surfaces_of(ids: Iterable[int], tokenizer: Any) -> list[str]:
    """The vocabulary's words for tokens, of a tokenizer of transformers or one of ComfyUI's own."""
    if hasattr(tokenizer, "convert_ids_to_tokens"):
        return tokenizer.convert_ids_to_tokens(list(ids))
    words = {token: word for word, token in tokenizer.get_vocab().items()}
    return [words[token] for token in ids]


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
        return k > 0 and end > start and self.ends[k - 1] > start


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
            "Hand tokens are found for the text encoders of SD 1.5, SD 2.x and SDXL, Flux, Chroma, Krea 2, Qwen-Image, "
            f"Z-Image, Lumina 2, Anima, SD3 and Wan; this CLIP has {', '.join(foreign)}. Connect the CLIP of such a "
            "model."
        )
    spans = list(spans)
    each = [columns_of(text, spans, getattr(tokenizer, encoders[key]), lists) for key, lists in token_lists.items()]
    length = min(one.length for one in each)
    return HandTokens(
        tuple(sorted({column for one in each for column in one.columns if column < length})),
        length,
        tuple(sorted({place for one in each for place in one.places})),
    )


def row_columns(
    text: str,
    spans: Iterable[tuple[int, int]],
    tokenizer: Any,
    token_lists: dict[str, Sequence],
    length: int,
    kind: Any,
    encoders: Mapping[str, str],
    options: Mapping[str, Any] | None = None,
) -> HandTokens:
    """The columns of a conditioning for stretches of a prompt, where a T5 or a language model encodes the text.

    Args:
        text: the prompt.
        spans: (start, end) character positions.
        tokenizer: the `tokenizer` of a ComfyUI CLIP.
        token_lists: what `clip.tokenize(text, return_word_ids=True)` gives, of the text encoders that are loaded.
        length: columns of the conditioning of the text.
        kind: what its rows are made of (`TextRows` of the families).
        encoders: where the tokenizer keeps each CLIP encoder's own, by the key of its token list.
        options: what `tokenize` was given beside the text: pictures, a template.

    Returns:
        The columns; those of padding, of a template and of pictures are never among them.

    Raises:
        SesaHandError: when the conditioning is not what the tokens were encoded to, or they cannot be followed back.
    """
    spans = list(spans)
    found = row_tokens(text, spans, tokenizer, token_lists, kind.tokens, options)
    flat = [entry for chunk in token_lists[kind.tokens] for entry in chunk]
    clip = [
        columns_of(text, spans, getattr(tokenizer, encoders[k]), token_lists[k]) for k in kind.clip if k in token_lists
    ]
    front = min((one.length for one in clip), default=0)
    if kind.rows == "all" and length != front + len(flat):
        raise SesaHandError(
            f"The text encoder made {length} columns of {front + len(flat)} tokens, so which column is whose is not "
            "known. Encode the text with CLIP Text Encode, and leave out Attention Bias and Record Attention."
        )
    moved_by = 0 if kind.rows == "model" else length - len(flat)
    if kind.rows == "end" and found and any(not isinstance(entry[0], int) for entry in flat[found[0][0] :]):
        raise SesaHandError(
            "A picture or an embedding stands behind a hand word, and this text encoder may make any number of columns "
            "of it. Put pictures and embeddings first."
        )
    columns = {k + moved_by for k, _ in found} | {k for one in clip for k in one.columns if k < front}
    places = {(token.start, token.end) for _, token in found} | {place for one in clip for place in one.places}
    return HandTokens(tuple(sorted(k for k in columns if k >= 0)), length, tuple(sorted(places)))


def row_tokens(
    text: str,
    spans: Iterable[tuple[int, int]],
    tokenizer: Any,
    token_lists: dict[str, Sequence],
    key: str,
    options: Mapping[str, Any] | None = None,
) -> list[tuple[int, PlacedToken]]:
    """The tokens of stretches of a prompt in the list of a T5 or a language model, with their places in that list.

    Args:
        text: the prompt.
        spans: (start, end) character positions; a token that overlaps one is chosen.
        tokenizer: the `tokenizer` of a ComfyUI CLIP.
        token_lists: what `clip.tokenize(text, return_word_ids=True)` gives.
        key: which of the lists.
        options: what `tokenize` was given beside the text: pictures, a template.

    Returns:
        (place in the list, token), in order.

    Raises:
        SesaHandError: when ComfyUI's tokens cannot be followed back to the prompt.
    """
    name = key if hasattr(tokenizer, key) else f"clip_{key}"
    sd_tokenizer = getattr(tokenizer, name)
    flat = [entry for chunk in token_lists[key] for entry in chunk]
    if any(len(entry) < 3 for entry in flat):
        raise SesaHandError(
            "This text encoder does not say which of its tokens the prompt's are, so its hand words are not known. "
            "Leave out Attention Bias and Record Attention for its model."
        )
    content = [(k, entry[0]) for k, entry in enumerate(flat) if entry[2] != 0 and isinstance(entry[0], int | dict)]
    # A picture stands where the text has a mark for it.
    ids = [token if isinstance(token, int) else None for _, token in content]
    placed = placed_tokens(text, sd_tokenizer, ids, sources_of(text, tokenizer, name, options or {}))
    if not _are(placed, ids):
        raise SesaHandError(
            f"The tokens of {key} cannot be followed back to the prompt {text!r:.80}, so its hand words are not known "
            "there. Leave out marks of a chat template and embeddings, or what this text encoder reads as such."
        )
    wanted = _Spans(spans)
    return [(k, token) for (k, _), token in zip(content, placed, strict=True) if wanted.overlap(token.start, token.end)]


PROBE = "\ue007"
"""A character for private use, which no prompt and no template has."""


def sources_of(text: str, tokenizer: Any, name: str, options: Mapping[str, Any]) -> list[list[Segment]]:
    """The ways in which a prompt may reach one tokenizer inside that of a ComfyUI CLIP.

    Those of language models put a template around it and read no weights, or take it as a template of the user's.

    Args:
        text: the prompt.
        tokenizer: the `tokenizer` of a ComfyUI CLIP; it stays as it is.
        name: the attribute that holds the tokenizer inside.
        options: what `tokenize` was given beside the text.
    """
    heard = _Listener(getattr(tokenizer, name).tokenizer)
    twin, inner = copy.copy(tokenizer), copy.copy(getattr(tokenizer, name))
    inner.tokenizer = heard
    setattr(twin, name, inner)
    weighted = f"({PROBE}:1.5)"
    twin.tokenize_with_weights(weighted, return_word_ids=True, **options)
    given = "".join(heard.texts)
    if weighted not in given:
        return [segments(text)]
    before, after = given.split(weighted)
    plain = _plain(text)
    whole = Segment(before + plain.text + after, (-1,) * len(before) + plain.places + (-1,) * len(after), 1.0)
    return [[whole], [plain]]


def _plain(text: str) -> Segment:
    """A prompt whose weights are not read; escapes are resolved all the same."""
    escaped = text.replace("\\)", "\0\1").replace("\\(", "\0\2")
    return _unescaped(escaped, 0, len(escaped), 1.0)


class _Listener:
    """Stands for a tokenizer and keeps the texts that it is given."""

    def __init__(self, tokenizer: Any):
        self.tokenizer = tokenizer
        self.texts: list[str] = []

    def __call__(self, text: str, *args: Any, **kwargs: Any) -> Any:
        self.texts.append(text)
        with refusing_panics("The text encoder's tokenizer"):
            return self.tokenizer(text, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tokenizer, name)


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


def check_length(tokens: HandTokens, lengths: Iterable[int], chunk: int = 77) -> None:
    """Refuse hand tokens that cannot belong to a conditioning.

    Args:
        tokens: of the text.
        lengths: columns of each part of the conditioning. More than the text has are fine: Concat appends.
        chunk: columns come in whole numbers of so many; 0 where they may be any number.

    Raises:
        SesaHandError: when the conditioning has fewer columns than the text, or no whole number of chunks more.
    """
    for length in lengths:
        if length < tokens.length or (chunk and length % chunk):
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
                "or change it. If it was encoded with pictures, use Text Encode with Pictures (SesaHand)."
            )


def _begins_with(part: "Tensor", encoded: "Tensor") -> bool:
    ours = encoded[:1, 1:].float()
    theirs = part[:, 1 : encoded.shape[1]].to(ours)
    if theirs.shape[1:] != ours.shape[1:]:
        return False
    return bool(((theirs - ours).norm(dim=-1) <= TOLERANCE * ours.norm(dim=-1)).all())
