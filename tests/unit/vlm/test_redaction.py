"""A key that a server repeats, in all the forms in which software writes texts, wherever a message is cut."""

import base64
import html
import json
import quopri
import unicodedata
from urllib.parse import quote, unquote

import pytest
from hostile import run_limited
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sesahand.vlm import redaction
from sesahand.vlm.openai_vlm import _clean
from sesahand.vlm.redaction import SHORTEST, redact

KEY = "sk-Ab/Cd+Ef=gh.IJ_kl~mn9012345678"

FORMS = {
    "plain": lambda key: key,
    "capitals": str.upper,
    "JSON with slashes escaped": lambda key: json.dumps(key)[1:-1].replace("/", "\\/"),
    "JSON in JSON": lambda key: json.dumps(json.dumps(key).replace("/", "\\/"))[1:-1],
    "JSON with all escaped": lambda key: "".join(f"\\u{ord(c):04x}" for c in key),
    "a URL": lambda key: quote(key, safe=""),
    "a URL in a URL": lambda key: quote(quote(key, safe=""), safe=""),
    "a URL in small letters": lambda key: "".join(f"%{ord(c):02x}" for c in key),
    "HTML": lambda key: html.escape("".join(f"&#x{ord(c):x};" if not c.isalnum() else c for c in key), False),
    "HTML in decimals": lambda key: "".join(f"&#{ord(c)};" for c in key),
    "a repr of bytes": lambda key: repr("".join(f"\\x{ord(c):02x}" for c in key)),
    "quoted printable": lambda key: quopri.encodestring(key.encode(), quotetabs=True).decode(),
    "hexadecimal": lambda key: key.encode().hex().upper(),
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "Basic authentication": lambda key: base64.b64encode(f"user:{key}".encode()).decode(),
    "Basic authentication without a user": lambda key: base64.b64encode(f":{key}".encode()).decode(),
    "base64 of a header": lambda key: base64.b64encode(f"Bearer {key}\r\n".encode()).decode(),
    "base64 for URLs": lambda key: base64.urlsafe_b64encode(f"k:{key}".encode()).decode(),
    "what nobody sees": lambda key: "\u200b".join(key),
    "marks and fillers": lambda key: "".join(c + "\u034f\ufe0f\u3164\u00ad"[k % 4] for k, c in enumerate(key)),
    "escaped zero width": lambda key: "\\u200b".join(key),
    "zero width in a URL": lambda key: "%E2%80%8B".join(key),
    "zero width in a URL in a URL": lambda key: "%25e2%2580%258b".join(key),
    "zero width in an old URL": lambda key: "%u200B".join(key),
    "zero width in quoted printable": lambda key: "=E2=80=8B".join(key),
    "zero width in a repr of bytes": lambda key: repr("\u200b".join(key).encode())[2:-1],
    "zero width in C": lambda key: "\\342\\200\\213".join(key),
    "zero width by name": lambda key: "&ZeroWidthSpace;".join(key),
    "zero width in JavaScript": lambda key: "\\u{200b}".join(key),
    "zero width in Python": lambda key: "\\U0000200b".join(key),
    "soft hyphens and tags in a URL": lambda key: "".join(
        c + ("%C2%AD", "%F3%A0%81%81")[k % 2] for k, c in enumerate(key)
    ),
    "octal digits": lambda key: "".join(f"\\{ord(c):03o}" for c in key),
    "wide letters in a URL": lambda key: quote("".join(chr(ord(letter) + 0xFEE0) for letter in key)),
    "wide letters": lambda key: "".join(chr(ord(letter) + 0xFEE0) for letter in key),
    "broken lines": lambda key: "\n  ".join(key[k : k + 5] for k in range(0, len(key), 5)),
}


def decodings(text: str) -> str:
    """A text and what one can make of it with everyday tools, put together."""
    plain = unicodedata.normalize("NFKC", text.replace("\\u200b", ""))
    plain = "".join(letter for letter in plain if letter.isascii())
    found = [text, "".join(text.split()), plain]
    unescaped = [unquote(text), unquote(unquote(text)), html.unescape(text)]
    unescaped.append(quopri.decodestring(text.encode()).decode("utf-8", "replace"))
    for one in unescaped:
        found.append("".join(letter for letter in unicodedata.normalize("NFKC", one) if letter.isascii()))
    for word in text.replace('"', " ").split():
        try:
            found.append(
                base64.b64decode(word + "=" * (-len(word) % 4), b"-_" if "-" in word else None).decode("latin1")
            )
        except ValueError:
            continue
    return "\n".join(found)


def leaks(text: str, key: str) -> list[str]:
    seen = decodings(text).lower()
    return [key[k : k + SHORTEST] for k in range(len(key) - SHORTEST + 1) if key[k : k + SHORTEST].lower() in seen]


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("before", [0, 1, 2, 40, 270, 285, 299, 1990])
def test_no_piece_of_a_key_is_left_in_any_form_or_by_the_cut(name, before):
    said = "x" * before + " " * (before > 0) + FORMS[name](KEY) + " is no valid key"
    whole, cut = redact(said, KEY), _clean(said, KEY)
    assert "***" in whole and not leaks(whole, KEY), whole
    assert not leaks(cut, KEY) and len(cut) <= 300
    written = FORMS[name](KEY)
    pieces = [written[k : k + 24] for k in range(len(written) - 24)]
    # Of an encoded key the first letters may also stand for what was before it.
    assert sum(piece in whole for piece in pieces) == 0


BREAKS = {
    "quoted printable": "=\n",
    "quoted printable with blanks": "= \r\n",
    "quoted printable in JSON": "=\\r\\n",
    "quoted printable in a URL": "%3D%0D%0A",
    "C": "\\\n",
    "JSON": "\\n",
    "HTML": "<wbr>",
    "HTML in HTML": "&lt;wbr&gt;",
    "a comment": "<!-- a-b -->",
    "tags": "</b><b class='k'>",
    "a terminal": "\x1b[1;31m",
    "a terminal's link": "\x1b]8;;http://a.example\a",
    "a terminal in JSON": "\\u001b[0m",
    "a terminal in C": "\\033[0m",
}


@pytest.mark.parametrize("name", BREAKS)
@pytest.mark.parametrize("length", [1, 3, 7])
def test_a_key_is_found_across_what_breaks_lines_and_words(name, length):
    broken = BREAKS[name].join(KEY[k : k + length] for k in range(0, len(KEY), length))
    said = redact(f"The key {broken} is none", KEY)
    assert said.startswith("The key ***") and said.endswith("*** is none")
    assert not leaks(said.replace(BREAKS[name], ""), KEY), said


def test_a_key_is_found_where_it_holds_breaks_itself_or_stands_within_one():
    for key in ("abc=\\nd<e>f", "<a1b2c3d4>", "x\\nx\\rx\\n="):
        assert redact(f"bad {key}!", key) == "bad ***!"
    assert redact(f"<a key='{KEY}'>\x1b]8;;{KEY}\a", KEY) == "<a key='***'>\x1b]8;;***\a"


@settings(max_examples=200, deadline=None)
@given(
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=8, max_size=60),
    st.sampled_from(sorted(FORMS)),
    st.integers(0, 310),
    st.integers(8, 60),
)
def test_keys_of_any_letters_do_not_leak_even_where_the_server_has_cut_them(key, name, before, length):
    part = key[:length]
    # Behind a backslash of the key, an escape may as well be letters behind an escaped backslash.
    assume("\\" not in part or "zero width" not in name)
    assert not leaks(_clean("y" * before + " " + FORMS[name](part), key), key)


@pytest.mark.parametrize(
    "said",
    [
        "\\" * 100_000,
        "\\" * 100_000 + "u",
        ("\\" * 50 + "u0") * 2000,
        "&" * 100_000,
        "%e2" * 30_000,
        ("\\" * 50 + "xe2") * 2000,
        "<a" * 50_000,
        "\x1b[" * 50_000,
        "\x1b]" * 50_000,
        ("=" * 50 + "\\" * 50) * 1000,
    ],
    # pytest 8.0 puts an id as it is into the environment of every process that the test starts.
    ids="backslashes unfinished unicode entities percent hexadecimal tags colours titles both".split(),
)
def test_a_text_of_escapes_is_looked_through_in_no_time(said):
    assert run_limited("sesahand.vlm.redaction:redact", said, KEY, seconds=20).returned() == said


def test_a_letter_that_is_seen_as_many_counts_as_many(monkeypatch):
    monkeypatch.setattr(redaction, "MAX_CHARACTERS", 1500)
    looked_at = []
    replaced = redaction._replaced
    monkeypatch.setattr(redaction, "_replaced", lambda *given: looked_at.append(len(given[-1])) or replaced(*given))
    # An Arabic phrase in one letter, which is eighteen letters, three of them blanks.
    assert redact("\ufdfa" * 1000 + KEY, KEY) == "\ufdfa" * 100 and max(looked_at) <= 1515
    assert redact("\u200b" * 1501 + KEY, KEY) == "\u200b" * 1500
    assert redact("x" * 1400 + KEY + "y" * 200, KEY) == "x" * 1400 + "***" + "y" * (100 - len(KEY))


def test_what_is_no_part_of_a_key_stays_and_a_short_key_is_found_as_it_is():
    text = 'Incorrect API key. See https://example.com/a%20b?x=\\u0041 & "<b>"'
    assert redact(text, KEY) == text and redact(text, "") == text
    assert redact(f"got {KEY}, want another", KEY) == "got ***, want another"
    assert redact("Is Ollama running? key ollama", "ollama") == "Is Ollama running? key ***"
