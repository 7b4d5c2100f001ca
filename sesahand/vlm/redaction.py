"""Keys taken out of what a server says, in every form in which it may repeat them."""

import base64
import html
import re
import sys
import unicodedata
from collections.abc import Callable

MARK = "***"
SHORTEST = 8
"""Characters of a key in a row that are taken out: a server may cut a key, and so may a message."""

MAX_CHARACTERS = 1 << 20
FILLERS = "\u115f\u1160\u3164\uffa0"
"""Letters of Korean that show nothing."""

LAYERS = 4
"""How often escapes may lie within escapes, for example JSON within JSON within a URL."""

_ESCAPE = re.compile(
    # Beyond ASCII, what writes octets writes several for a letter, in UTF-8.
    r"(?P<octets>%[c-f]H(?:%[89ab]H){1,3}|=[c-f]H(?:=[89ab]H){1,3}"
    r"|(?<!\\)\\+x[c-f]H(?:\\+x[89ab]H){1,3}|(?<!\\)\\+3[0-7]{2}(?:\\+2[0-7]{2}){1,3})"
    r"|(?P<code>(?<!\\)\\+(?:u\{H{1,6}\}|(?-i:U)00[01]H{5}|uH{4}|xHH)|%uH{4}|%HH|=HH)"
    r"|(?P<octal>(?<!\\)\\+[01][0-7]{2})"
    r"|(?P<entity>&(?:#x?H{1,6};?|[a-z][a-z0-9]{1,31};))"
    r"|\\(?![%=]HH|&\w+;)(?P<escaped>.)".replace("H", "[0-9a-f]"),
    re.IGNORECASE,
)

CONTROLS = "\n\r\a\x1b"
"""Characters that are not seen, but begin or end what is left out as a whole."""

_CONTROL = re.compile(f"[{CONTROLS}]")
_BREAK = re.compile(
    # A line's end as such or as an escape, with the mark of quoted printable or C that it means nothing.
    r"(?:=|(?<!\\)\\+(?=[\r\n]))?(?:\r|(?<!\\)\\+r)?(?:\n|(?<!\\)\\+n)"
    # HTML's tags and comments, terminals' commands.
    r"|<[a-z/!?][^<>]*>"
    r"|\x1b(?:\[[0-?]*[!-/]*[@-~]|\][^\a\x1b]*(?:\a|\x1b\\)|[(-/].|[0-Z\\-~])"
    rf"|[{CONTROLS}]",
    re.IGNORECASE,
)


def redact(text: str, key: str) -> str:
    """Replace a key, and any long piece of it, by a mark.

    It is found as it is, with other capitals or wide letters, across blanks, line breaks, HTML's tags, a terminal's
    colours and what nobody sees, with the escapes of JSON, Python, C, URLs, HTML and quoted printable, in hexadecimal
    digits and in base64, as in Basic authentication, where other text may stand before it.

    Args:
        text: What a server said, not yet cut: a cut could leave part of an escaped key that is no longer known. What
            stands behind its first `MAX_CHARACTERS` letters is left out.
        key: May be empty for none.
    """
    if not key:
        return text
    stream: list[tuple[str, int, int]] = []
    for k, letter in enumerate(text):
        seen = _seen(letter)
        # One letter can be seen as fifteen; and a text of what nobody sees is one, too.
        if max(len(stream) + len(seen), k + 1) > MAX_CHARACTERS:
            text = text[:k]
            break
        stream += [(plain, k, k + 1) for plain in seen]
    marked = bytearray(len(text))
    forms = _forms(key)
    # A key may also hold what looks like a break, or stand within a tag.
    for left_out in (_CONTROL, _BREAK):
        _mark_layers(stream, left_out, forms, marked)
    return _without(text, marked)


def _mark_layers(stream: list[tuple[str, int, int]], left_out: re.Pattern, forms: list, marked: bytearray) -> None:
    """Mark the pieces in what is seen, and in what its escapes stand for, across all that a pattern leaves out."""
    for _ in range(LAYERS):
        stream = _replaced(left_out, lambda _: "", stream)
        written = "".join(letter for letter, _, _ in stream)
        for length, pieces, folded in forms:
            _mark(written.translate(_SMALL) if folded else written, length, pieces, stream, marked)
        decoded = _replaced(_ESCAPE, _meant, stream)
        if len(decoded) == len(stream):
            break
        stream = decoded


def _seen(letter: str) -> str:
    """What is seen of a letter: a wide one is its plain one, and blanks, marks and invisible ones are nothing."""
    if letter.isascii():
        return letter if (letter.isprintable() and letter != " ") or letter in CONTROLS else ""
    plain = unicodedata.normalize("NFKC", letter)
    return "".join(one for one in plain if unicodedata.category(one)[0] not in "CMZ" and one not in FILLERS)


def _forms(key: str) -> list[tuple[int, set[str], bool]]:
    """For each way of writing the key: the length of its pieces, the pieces, and whether capitals do not matter."""
    if len(key) < SHORTEST:
        # Such as the name of a server, which people type where none is asked for; its parts are words.
        return [_pieces(key, len(key), False)]
    forms = [_pieces(key.translate(_SMALL), SHORTEST, True), _pieces(key.encode().hex(), 2 * SHORTEST, True)]
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + key.encode()).decode().rstrip("=")
        # The first and the last letters also hold bits of what stands beside the key.
        core = coded[(0, 2, 3)[before] : len(coded) - ((before + len(key)) % 3 != 0)]
        # Short ones could be anything.
        if len(core) >= SHORTEST:
            forms += [_pieces(core, SHORTEST, False), _pieces(core.translate(_URL_SAFE), SHORTEST, False)]
    return forms


def _pieces(whole: str, length: int, folded: bool) -> tuple[int, set[str], bool]:
    length = min(length, len(whole))
    return length, {whole[k : k + length] for k in range(len(whole) - length + 1)}, folded


def _mark(written: str, length: int, pieces: set[str], stream: list, marked: bytearray) -> None:
    for k in range(len(written) - length + 1):
        if written[k : k + length] in pieces:
            for _, start, end in stream[k : k + length]:
                marked[start:end] = b"\1" * (end - start)


def _replaced(pattern: re.Pattern, meaning: Callable[[re.Match], str], stream: list) -> list[tuple[str, int, int]]:
    """The stream with all that a pattern matches replaced by what it means."""
    written = "".join(letter for letter, _, _ in stream)
    replaced, at = [], 0
    for match in pattern.finditer(written):
        replaced += stream[at : match.start()]
        letters = meaning(match)
        if letters == match[0]:
            replaced += stream[match.start() : match.end()]
        else:
            start, end = stream[match.start()][1], stream[match.end() - 1][2]
            replaced += [(plain, start, end) for letter in letters for plain in _seen(letter)]
        at = match.end()
    return replaced + stream[at:]


def _meant(escape: re.Match) -> str:
    """The letters that an escape stands for; an unknown name of a letter stands for itself."""
    kind, text = escape.lastgroup, escape[0]
    if kind == "octets":
        base = 16 if re.search("[%=x]", text, re.IGNORECASE) else 8
        numbers = re.findall("[0-9a-f]+", text, re.IGNORECASE)
        return bytes(int(number, base) for number in numbers).decode("utf-8", "ignore")
    if kind == "entity":
        return html.unescape(text)
    if kind == "escaped":
        return escape["escaped"]
    code = int(text.strip("\\%=uUxX{}"), 8 if kind == "octal" else 16)
    return chr(code) if code <= sys.maxunicode else ""


def _without(text: str, marked: bytearray) -> str:
    kept, inside = [], False
    for k, letter in enumerate(text):
        hidden = bool(marked[k])
        if hidden and not inside:
            kept.append(MARK)
        if not hidden:
            kept.append(letter)
        inside = hidden
    return "".join(kept)


_SMALL = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_URL_SAFE = str.maketrans("+/", "-_")
