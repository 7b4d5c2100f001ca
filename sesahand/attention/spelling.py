"""Where the tokens of a tokenizer without offsets stand in its text, by what they spell.

CLIP's tokens spell bytes of UTF-8, and the tokenizer changes a text before it cuts it: characters without a look are
dropped, marks join their letters, and capitals become small, which can take more characters than before. So the text is
changed in the same way here, one stretch at a time, with the place of each byte kept, and the tokens are laid on it.

Source: OpenAI's CLIP, `clip/simple_tokenizer.py`; `BasicTokenizer` of transformers 4.
"""

import difflib
import unicodedata
from collections.abc import Callable, Iterable
from typing import Any

Place = tuple[int, int]
WORD_END = "</w>"


def byte_alphabet() -> list[str]:
    """A visible letter for each byte, the bytes that are visible themselves first, as GPT-2 began to write them."""
    return list(_letters_of_bytes().values())


def _letters_of_bytes() -> dict[int, str]:
    visible = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return {byte: chr(byte) for byte in visible} | {byte: chr(256 + index) for index, byte in enumerate(hidden)}


def spelled_offsets(text: str, tokenizer: Any, first: int = 0, last: int | None = None) -> list[tuple[int, Place]]:
    """The tokens of a text and where each stands in it, for a tokenizer of transformers that gives no offsets.

    Args:
        text: What is tokenized.
        tokenizer: CLIP's, one that spells bytes.
        first: The first of its tokens that belongs to the text.
        last: The first behind the text, counted as a slice does.

    Returns:
        (id, (start, end)) for each token; a token that spells a part of a character has the whole of it, and one that
        spells what stands nowhere in the text has an empty stretch.
    """
    ids = tokenizer(text)["input_ids"][first:last]
    places = _laid(ids, text, tokenizer)
    if places is None:
        places = _laid_by_words(ids, text, tokenizer, first, last)
    return list(zip(ids, places, strict=True))


def byte_offsets(text: str, surfaces: Iterable[str]) -> list[Place] | None:
    """Where tokens stand whose surfaces are the bytes of a text one after the other, as language models have them.

    Args:
        text: What is tokenized.
        surfaces: The vocabulary's words for the tokens, which spell bytes; special ones stand as they are.

    Returns:
        (start, end) for each token; a token that spells a part of a character has the whole of it. None if the
        surfaces spell something else.
    """
    spelled = [_spelled(surface) for surface in surfaces]
    whole = b"".join(spelled)
    for form in (None, "NFC"):
        written, places = bytearray(), []
        for start, end in _clusters(text) if form else ((k, k + 1) for k in range(len(text))):
            raw = unicodedata.normalize(form, text[start:end]) if form else text[start:end]
            encoded = raw.encode("utf-8", "surrogatepass")
            written += encoded
            places += [(start, end)] * len(encoded)
        if bytes(written) == whole:
            return _walked([len(one) for one in spelled], places)
    return None


def _laid(ids: list[int], text: str, tokenizer: Any) -> list[Place] | None:
    """The places of tokens that spell all of a text, or None if they spell something else."""
    spelled = [_spelled(surface) for surface in tokenizer.convert_ids_to_tokens(ids)]
    whole = _without_final_sigma(b"".join(spelled))
    for changed in (_cleaned, str, getattr(tokenizer, "fix_text", None)):
        if changed is None:
            continue
        written, places = _written(text, changed)
        if _without_final_sigma(written) == whole:
            return _walked([len(one) for one in spelled], places)
    return None


def _laid_by_words(ids: list[int], text: str, tokenizer: Any, first: int, last: int | None) -> list[Place]:
    """The same word by word; a word that its tokens do not spell belongs to each of them as a whole."""
    own: list[tuple[int, Place]] = []
    for start, end in _words(text):
        tokens = tokenizer(text[start:end])["input_ids"][first:last]
        places = _laid(tokens, text[start:end], tokenizer) or [(0, end - start)] * len(tokens)
        own += [(token, (start + a, start + b)) for token, (a, b) in zip(tokens, places, strict=True)]
    found: list[Place | None] = [None] * len(ids)
    matcher = difflib.SequenceMatcher(None, ids, [token for token, _ in own], autojunk=False)
    for block in matcher.get_matching_blocks():
        for k in range(block.size):
            found[block.a + k] = own[block.b + k][1]
    return _filled(found, len(text))


def _filled(found: list[Place | None], length: int) -> list[Place]:
    """Give tokens without a place what lies between those of their neighbours."""
    after, at = [length] * len(found), length
    for k in reversed(range(len(found))):
        after[k] = at
        place = found[k]
        at = place[0] if place else at
    filled: list[Place] = []
    at = 0
    for k, place in enumerate(found):
        filled.append(place or (at, max(at, after[k])))
        at = place[1] if place else at
    return filled


def _walked(lengths: Iterable[int], places: list[Place]) -> list[Place]:
    walked, at = [], 0
    for length in lengths:
        end = at + length
        walked.append((places[at][0], places[end - 1][1]) if length else (0, 0))
        at = end
    return walked


def _spelled(surface: str) -> bytes:
    letters = surface.removesuffix(WORD_END)
    if all(letter in _BYTES for letter in letters):
        return bytes(_BYTES[letter] for letter in letters)
    return letters.encode("utf-8", "surrogatepass")


def _written(text: str, changed: Callable[[str], str]) -> tuple[bytes, list[Place]]:
    """The bytes that a text is tokenized as, without white space, and the stretch of the text behind each."""
    written, places = bytearray(), []
    for start, end in _clusters(text):
        small = unicodedata.normalize("NFC", changed(text[start:end])).lower()
        raw = "".join(small.split()).encode("utf-8", "surrogatepass")
        written += raw
        places += [(start, end)] * len(raw)
    return bytes(written), places


def _cleaned(piece: str) -> str:
    """A text without the characters that transformers' BasicTokenizer drops."""
    kept = []
    for letter in piece:
        dropped = letter == "\ufffd" or (letter not in "\t\n\r" and unicodedata.category(letter).startswith("C"))
        kept.append("" if dropped else letter)
    return "".join(kept)


def _clusters(text: str) -> Iterable[Place]:
    """Stretches that can be normalized one by one: a character with the marks and jamo that may join it."""
    start = 0
    for k in range(1, len(text) + 1):
        if k == len(text) or not _joins(text[k]):
            yield start, k
            start = k


def _joins(letter: str) -> bool:
    # Dropped characters too: "e", a zero-width joiner and an accent become one letter.
    return unicodedata.category(letter)[0] in "MC" and letter not in "\t\n\r" or "\u1160" <= letter <= "\u11ff"


def _words(text: str) -> Iterable[Place]:
    start = None
    for k in range(len(text) + 1):
        blank = k == len(text) or text[k].isspace()
        if blank and start is not None:
            yield start, k
            start = None
        elif not blank and start is None:
            start = k


def _without_final_sigma(raw: bytes) -> bytes:
    """Which of the two small sigmas a capital becomes depends on its neighbours; they have equally many bytes."""
    return raw.replace("\u03c2".encode(), "\u03c3".encode())


_BYTES = {letter: byte for byte, letter in _letters_of_bytes().items()}
