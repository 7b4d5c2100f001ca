"""Where the tokens of a sentencepiece model stand in a text.

Its pieces, one after the other, are the text as the model normalizes it, and it tells where each character of that came
from. What it has no piece for it spells in bytes.
"""

import re
from typing import Any

_BYTE = re.compile("<0x([0-9A-F]{2})>")


def is_sentencepiece(tokenizer: Any) -> bool:
    """Whether a tokenizer is one that ComfyUI wraps around a sentencepiece model."""
    return hasattr(getattr(tokenizer, "tokenizer", None), "serialized_model_proto")


def piece_offsets(text: str, tokenizer: Any) -> list[tuple[int, tuple[int, int]]]:
    """The tokens of a text, and where each stands in it.

    Args:
        text: What is tokenized.
        tokenizer: ComfyUI's `SPieceTokenizer`: `tokenizer` of sentencepiece, and `special_tokens` by what they are
            written as, or None.

    Returns:
        (id, (start, end)) for each; (0, 0) for those in front and behind that the text does not write.
    """
    ids = list(tokenizer(text)["input_ids"])
    special = getattr(tokenizer, "special_tokens", None) or {}
    found: list[tuple[int, tuple[int, int]]] = []
    at = 0
    for part in re.split(f"({'|'.join(map(re.escape, special))})", text) if special else [text]:
        if part in special:
            found.append((special[part], (at, at + len(part))))
        elif part:
            found += [(token, (at + a, at + b)) for token, (a, b) in _pieces(part, tokenizer.tokenizer)]
        at += len(part)
    own = [token for token, _ in found]
    lead = next((k for k in range(len(ids) - len(own) + 1) if ids[k : k + len(own)] == own), None)
    if lead is None:
        return [(token, (0, len(text))) for token in ids]
    behind = ids[lead + len(own) :]
    return [*((token, (0, 0)) for token in ids[:lead]), *found, *((token, (0, 0)) for token in behind)]


def _pieces(text: str, model: Any) -> list[tuple[int, tuple[int, int]]]:
    normal, origins = model.normalize(text, with_offsets=True)
    ids = model.encode(text, out_type=int, add_bos=False, add_eos=False)
    surfaces = model.encode(text, out_type=str, add_bos=False, add_eos=False)
    places, at, raw = [], 0, b""
    for surface in surfaces:
        byte = _BYTE.fullmatch(surface)
        if byte and not normal.startswith(surface, at):
            places.append((origins[at], origins[at + 1]))
            raw += bytes([int(byte[1], 16)])
            if len(raw) == len(normal[at].encode()):
                at, raw = at + 1, b""
        else:
            places.append((origins[at], origins[at + len(surface)]))
            at += len(surface)
    return list(zip(ids, places, strict=True))
