"""How much a tokenizer makes of a text, and how much of an answer: files of strangers say it, and Rust obeys.

A tokenizer.json of some kilobytes can replace each letter by a hundred, again and again, or put millions of tokens
before a text. Where Rust gets no memory for that it ends the process, and nothing can be caught. So its steps are
looked at before it is read, again when it is there (other files become tokenizers too), and at each text.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from ..errors import InvalidFileError, quote
from .reading import read_json

MAX_TOKENIZER_BYTES = 256 << 20
MOST_STEPS = 256
"""Of one tokenizer; the longest have some twenty."""
MOST_GROWTH = 1024
"""Of a text's bytes; a table of Unicode's forms of letters, as T5 has it, counts as several hundred."""
MOST_ANSWER_GROWTH = 16
MOST_TEMPLATE_TOKENS = 1000
LONGEST_TOKEN = 1 << 14
"""In letters; the longest of real vocabularies are spaces, some hundred."""
MOST_BYTES = 4 << 20
"""Of a text as its steps leave it: some hundred bytes of memory each."""
MOST_FILLED = 1 << 20
"""Tokens that a text is filled up to; the longest contexts are as long."""

# Steps by what they hold, for older files do not name their types.
_ON_BYTES = ("use_regex", "trim_offsets")
_MARKS = ("replacement", "prepend")
_ENDS = ("suffix", "prefix", "word_delimiter_token", "pad_token")
# A class of letters, repeated once at least: it matches no empty text.
_SOME_LETTERS = re.compile(r"(\\[sdwSDW]|\[\^?[^\[\]\\&]+\]|[\w ])(\+|\{[1-9]\d*(,\d*)?\})?")
_PARTS = ("normalizer", "pre_tokenizer", "post_processor", "decoder")


def check_tokenizer_file(path: Path) -> None:
    """Refuse a tokenizer.json that makes too much of a text or an answer, or has longer tokens than any.

    Raises:
        InvalidFileError: If it is so, or no JSON object.
    """
    content = read_json(path, MAX_TOKENIZER_BYTES)
    if not isinstance(content, dict):
        raise InvalidFileError(f"{path} should hold a JSON object, got {type(content).__name__}. Download it again.")
    check_steps(path, *(content.get(part) for part in _PARTS))
    _check_tokens(path, _tokens(content))


def check_tokenizer(name: object, tokenizer: Any) -> Any:
    """Refuse a tokenizer of transformers as `check_tokenizer_file` does, and have it refuse texts it makes too much of.

    Args:
        name: What to call it in messages.
        tokenizer: It is changed.

    Returns:
        The same tokenizer.

    Raises:
        InvalidFileError: If it is so.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    parts = [_state(getattr(backend, part, None)) for part in _PARTS]
    growth = check_steps(name, *parts)
    _check_tokens(name, getattr(tokenizer, "get_vocab", dict)())
    # Those of transformers 4 and 5 through which all calls go.
    for method in ("_encode_plus", "_batch_encode_plus"):
        if hasattr(tokenizer, method):
            setattr(tokenizer, method, _counting(getattr(tokenizer, method), name, growth))
    return tokenizer


def check_steps(name: object, normalizer: Any, pre_tokenizer: Any, post_processor: Any, decoder: Any) -> float:
    """Return by how many times a text may grow before it becomes tokens.

    Args:
        name: Of the tokenizer, for messages.
        normalizer: This part and the others as tokenizer.json has them.
        pre_tokenizer: Of the text that it leaves.
        post_processor: Adds tokens.
        decoder: Of answers.

    Raises:
        InvalidFileError: If a text, its tokens or an answer may grow by more than those of any model do.
    """
    before = [*_steps(normalizer), *_steps(pre_tokenizer)]
    behind = list(_steps(decoder))
    if len(before) + len(behind) > MOST_STEPS:
        raise _fault(name, f"it has {len(before) + len(behind)} steps, expected at most {MOST_STEPS}")
    growth = growth_of(before)
    if growth > MOST_GROWTH:
        raise _fault(name, f"it makes a text up to {growth:.0f} times as long, expected at most {MOST_GROWTH}")
    if (longer := growth_of(behind)) > MOST_ANSWER_GROWTH:
        raise _fault(
            name, f"it makes an answer up to {longer:.0f} times as long, expected at most {MOST_ANSWER_GROWTH}"
        )
    _check_templates(name, post_processor)
    return growth


def growth_of(steps: list[dict]) -> float:
    """Return by how many times a text's bytes may become more, at most.

    From the last step to the first it is asked what each byte comes to at the end.

    Args:
        steps: One after another; fields that are known to change lengths are looked at, whatever their types are.
    """
    weights = [1.0] * 256
    for step in reversed(steps):
        if any(key in step for key in _ON_BYTES) or step.get("type") == "ByteLevel":
            # Each byte becomes a letter of two, and there may be a space before.
            weights = [3 * max(weights)] * 256
        if any(step.get(key) for key in _ENDS):
            weights = [2 * max(weights)] * 256
        for mark in filter(None, map(step.get, _MARKS)):
            # In front of the text, or of each piece of it, and in the place of a space.
            weights[32] = max(weights[32], _weigh(mark, weights))
            weights = [one + _weigh(mark, weights) for one in weights]
        if step.get("precompiled_charsmap"):
            weights = [_longest_form(step["precompiled_charsmap"]) * max(weights)] * 256
        if "content" in step and "pattern" in step:
            weights = _replaced(step["pattern"], _weigh(step["content"], weights), weights)
        if max(weights) > 1e100:
            break
    return max(weights)


def _replaced(pattern: Any, content: float, weights: list[float]) -> list[float]:
    """What each byte comes to if what matches is replaced by what comes to `content`."""
    text = pattern.get("String") if isinstance(pattern, dict) else pattern
    if isinstance(text, str) and text:
        ratio = max(1.0, content / _weigh(text, weights))
        found = set(text.encode("utf-8", "replace"))
        return [one * ratio if byte in found else one for byte, one in enumerate(weights)]
    expression = pattern.get("Regex") if isinstance(pattern, dict) else None
    if isinstance(expression, str) and _SOME_LETTERS.fullmatch(expression):
        return [max(one, content) for one in weights]
    # It may match between all letters.
    return [one + content for one in weights]


def _weigh(text: Any, weights: list[float]) -> float:
    return sum(weights[byte] for byte in str(text).encode("utf-8", "replace"))


def _longest_form(table: Any) -> int:
    """The bytes of the longest text that a table of sentencepiece has for some letters: they stand behind its tree."""
    try:
        data = base64.b64decode(table) if isinstance(table, str) else bytes(table)
    except (binascii.Error, ValueError, TypeError):
        return 1 << 30
    texts = data[4 + int.from_bytes(data[:4], "little") :]
    return max(1, *map(len, texts.split(b"\0")))


def _steps(part: Any) -> Iterator[dict]:
    """The objects of a part of a tokenizer in their order, those in lists within it too."""
    open_ones = [part]
    while open_ones:
        one = open_ones.pop()
        if isinstance(one, dict):
            yield one
            open_ones += [value for key, value in reversed(one.items()) if key != "pattern"]
        elif isinstance(one, list):
            open_ones += reversed(one)


def _check_templates(name: object, post_processor: Any) -> None:
    """Refuse templates that put many tokens beside a text, or the text itself twice."""
    together, twice = 0, False
    for one in _steps(post_processor):
        named = one.get("special_tokens")
        known = list(named.values()) if isinstance(named, dict) else named if isinstance(named, list) else []
        ids = [len(token["ids"]) for token in known if isinstance(token, dict) and isinstance(token.get("ids"), list)]
        for kind in ("single", "pair"):
            pieces = one[kind] if isinstance(one.get(kind), list) else []
            named_texts = sum(isinstance(piece, dict) and "Sequence" in piece for piece in pieces)
            together += (len(pieces) - named_texts) * max([1, *ids])
            twice = twice or named_texts > (2 if kind == "pair" else 1)
    if together > MOST_TEMPLATE_TOKENS:
        raise _fault(
            name, f"its template puts {together} tokens beside a text, expected at most {MOST_TEMPLATE_TOKENS}"
        )  # fmt: skip
    if twice:
        raise _fault(name, "its template names a text more than once")


def _tokens(content: dict) -> Iterator[Any]:
    """The tokens of a tokenizer.json, and what its model puts to the parts of words."""
    model = content.get("model")
    if isinstance(model, dict):
        vocabulary = model.get("vocab")
        yield from (pair[0] if isinstance(pair, list) and pair else pair for pair in vocabulary or ())
        yield from (value for value in model.values() if isinstance(value, str))
    for token in content.get("added_tokens") or ():
        yield token.get("content") if isinstance(token, dict) else token


def _check_tokens(name: object, tokens: Iterable[Any]) -> None:
    longest = max((len(token) for token in tokens if isinstance(token, str)), default=0)
    if longest > LONGEST_TOKEN:
        raise _fault(name, f"a token of it has {longest} letters, expected at most {LONGEST_TOKEN}")


def _state(part: Any) -> Any:
    """A part of a tokenizer as tokenizer.json would have it; one made in Python cannot say it and is no file's."""
    try:
        return json.loads(part.__getstate__()) if part is not None else None
    except Exception:
        # Rust's own, of no class that can be named.
        return None


def _counting(encode: Callable, name: object, growth: float) -> Callable:
    """Make a method of a tokenizer refuse a text that would become too long, or one to be filled up to too many."""

    def counted(*arguments: Any, **named: Any) -> Any:
        given = [*arguments[:2], *(named.get(key) for key in ("text", "text_pair", "batch_text_or_text_pairs"))]
        length = sum(map(_length, given))
        if length * growth > MOST_BYTES:
            raise InvalidFileError(
                f"{name!s:.200}: a text of {length} letters would become up to {length * growth:.0f} bytes in its "
                "tokenizer, more than a model reads. Shorten the prompt, or take another model: its processor may "
                "write too many marks for one picture."
            )
        filled = [named.get("max_length")] if "max_length" in str(named.get("padding_strategy", "")).lower() else []
        filled.append(named.get("pad_to_multiple_of"))
        if any(isinstance(one, int) and one > MOST_FILLED for one in filled):
            raise InvalidFileError(
                f"{name!s:.200} fills each text up to more than {MOST_FILLED} tokens. Remove padding and max_length "
                "from its tokenizer_config.json and processor_config.json, or take another model."
            )
        return encode(*arguments, **named)

    return counted


def _length(given: Any) -> int:
    if isinstance(given, str):
        return len(given)
    return sum(map(_length, given)) if isinstance(given, list | tuple) else 0


def _fault(name: object, what: str) -> InvalidFileError:
    return InvalidFileError(
        f"The tokenizer of {quote(str(name), 200)} cannot be used: {what}, more than that of any model. Copy all of "
        "the model's files again, or choose another model."
    )
