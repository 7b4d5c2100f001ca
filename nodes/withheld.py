"""Keys that were typed into a widget, taken out of a request before the server keeps it.

A node can only refuse its inputs, and the server runs what else the graph holds: the refused value would be written
into every picture and the history.
"""

import json
import logging
import re
import time
from typing import NamedTuple

import server

from ..sesahand.errors import SesaHandError
from ..sesahand.vlm.endpoint import Endpoint
from .managed_vlm import credential_file, credential_names

logger = logging.getLogger(__name__)

NODE = "SesaHandConnectVLM"
NO_CREDENTIAL = "none"
WITHHELD = "(withheld)"
"""Stands for a credential; as the name of none it is refused like the value it replaces."""

# A single word shorter than this is the name of a credential that is missing here, such as "default", and no key;
# another widget may well hold the same word.
LONGEST_NAME = 16
SHORTEST_KEY = 8
# Each is looked for in every text; no workflow has so many wrong values of its own.
MOST_SECRETS = 8
# That the server may do nothing else meanwhile; of a large graph it is a part of one.
MOST_SECONDS = 5.0
# How keys look wherever they stand in a URL: those of the known makers, and tokens in three parts (JWT).
KEY = re.compile(
    r"(?<![\w-])(?:(?:sk|csk|xai|nvapi|pplx|glpat)-|(?:sk|pk|gsk|hf|r8|fw|tgp_v1|gh[oprsu]|github_pat)_)"
    r"(?=[\w-]*\d)[\w-]{12,}"
    r"|(?<![\w-])(?:AIza[\w-]{20,}|ya29\.[\w-]{12,}|A[KS]IA[A-Z0-9]{16}|dapi[0-9a-f]{20,})"
    r"|(?<![\w-])eyJ[\w-]{6,}\.[\w-]{6,}"
)
# One for each reason for which a base URL is refused.
STAND_INS = (
    WITHHELD,
    "https://@",
    "https://?",
    "https://#",
    "https:// ",
    "https://:port",
    "https://host:0",
    "https://-",
)


class Secret(NamedTuple):
    """What may be a key.

    Attributes:
        text: As it was typed.
        mark: What is to stand for it.
        in_texts: Whether it is looked for within other texts: not what good addresses hold.
    """

    text: str
    mark: str
    in_texts: bool


def withhold_keys(request: dict) -> dict:
    """Replace what may be a key in the inputs of Connect VLM, wherever the request repeats it.

    Args:
        request: What a browser or script posts to /prompt.

    Returns:
        The request; unchanged when each credential is a known name and each base URL is one.
    """
    try:
        return _withheld(request)
    except Exception as error:
        # The server would go on with the request as it came. Not the error's text, which may hold the key.
        logger.error("SesaHand cannot look for keys in a request (%s), and empties it.", type(error).__name__)
        return {"prompt": {}}


def _withheld(request: dict) -> dict:
    graph = request.get("prompt")
    nodes = [node for node in graph.values() if isinstance(node, dict)] if isinstance(graph, dict) else []
    connections = [node.get("inputs") for node in nodes if node.get("class_type") == NODE]
    # Each once; what a URL's mark says of it comes last and counts.
    secrets = dict.fromkeys(secret for inputs in connections if isinstance(inputs, dict) for secret in _secrets(inputs))
    if len(secrets) > MOST_SECRETS:
        logger.error(
            "SesaHand empties a request: over %d values in its Connect VLM nodes may be keys. "
            "Write known credentials and base URLs into them.",
            MOST_SECRETS,
        )
        return {"prompt": {}}
    return _replaced(request, list(secrets)) if secrets else request


def _secrets(inputs: dict) -> list[Secret]:
    """Each value that may be a key, and what in it looks like one."""
    credential, url = inputs.get("credential"), inputs.get("base_url")
    found = []
    if isinstance(credential, str) and credential not in ("", NO_CREDENTIAL, *credential_names()):
        if not (credential.isalpha() and len(credential) <= LONGEST_NAME):
            found.append(Secret(credential, WITHHELD, not _is_fine(credential.strip())))
    if isinstance(url, str) and (mark := _stand_in(url)):
        found.append(Secret(url, mark, not _is_in_addresses(url.strip())))
    return [Secret(key, WITHHELD, True) for secret in found for key in KEY.findall(secret.text)] + found


def _stand_in(url: str) -> str | None:
    """What stands for a base URL that cannot be one, None for one that can, or for a short word.

    It is refused for the same reason, so that the message stays the one that belongs to what was typed.
    """
    reason = _refusal(url) or _is_bare_word(url) or KEY.search(url)
    if not reason:
        return _with_another_path(url)
    if (len(url) < SHORTEST_KEY and not set(url) & set("@?#")) or (url.isalpha() and len(url) <= LONGEST_NAME):
        return None
    return next((mark for mark in STAND_INS if _refusal(mark) == reason), WITHHELD)


def _is_bare_word(url: str) -> bool:
    """Whether the host of a URL is one long word that nobody has allowed: a key behind https://."""
    endpoint = Endpoint.parse(url)
    if "." in endpoint.host or ":" in endpoint.host or len(endpoint.host) < LONGEST_NAME:
        return False
    return not _is_known(endpoint)


def _with_another_path(url: str) -> str | None:
    """What stands for a URL of a host that nobody has allowed, if a part of its path may be a key, else None."""
    endpoint = Endpoint.parse(url)
    # It passes only where it can be used, at hosts that are allowed.
    withheld = endpoint.parts_like_keys and not _is_known(endpoint)
    return f"{endpoint.scheme}://{endpoint.address}/{WITHHELD}" if withheld else None


def _is_known(endpoint: Endpoint) -> bool:
    """Whether a server is on this machine or somebody has allowed it."""
    try:
        return endpoint.is_loopback or credential_file().names_host_of(endpoint)
    except SesaHandError:
        return False


def _refusal(url: str) -> str:
    try:
        Endpoint.parse(url)
    except SesaHandError as error:
        return str(error)
    return ""


def _replaced(value, secrets: list[Secret]):
    """A copy of JSON, however deep, without secrets: as whole texts, within texts, and in the keys of dictionaries."""
    whole = {text: mark for text, mark, _ in secrets}
    inner = {text.strip(): mark for text, mark, in_texts in secrets if in_texts and len(text.strip()) >= SHORTEST_KEY}
    quoted = {json.dumps(text): json.dumps(mark) for text, mark in whole.items()}
    within, of_keys = _as_json_has_them(quoted | inner), _as_json_has_them(inner)

    root: list = [None]
    open_ones: list[tuple] = [(root, 0, value)]
    end = time.monotonic() + MOST_SECONDS
    while open_ones:
        if time.monotonic() > end:
            raise TimeoutError("the request has more texts than are looked through")
        holder, place, one = open_ones.pop()
        if isinstance(one, str):
            holder[place] = whole[one] if one in whole else _cut_out(one, within)
        elif isinstance(one, list):
            holder[place] = [None] * len(one)
            open_ones += [(holder[place], k, item) for k, item in enumerate(one)]
        elif isinstance(one, dict):
            holder[place] = _with_keys(one, of_keys)
            open_ones += list(zip([holder[place]] * len(one), holder[place], one.values(), strict=True))
        else:
            holder[place] = one
    return root[0]


def _with_keys(entries: dict, secrets: list[tuple[str, str]]) -> dict:
    """A dictionary with as many entries, in their order, whose keys hold no secrets; its values are still open."""
    kept: dict = {}
    for key in entries:
        # Names of fields, such as class_type, stay what they are.
        is_name = not isinstance(key, str) or (len(key) <= LONGEST_NAME and key.replace("_", "a").isalpha())
        new = key if is_name else _cut_out(key, secrets)
        kept[new if new not in kept else f"{new} {len(kept)}"] = None
    return kept


def _is_in_addresses(text: str) -> bool:
    """Whether a text is what good addresses hold, such as one without its scheme, or its scheme alone."""
    if _is_fine(text) or _is_fine(f"{text}localhost"):
        return True
    # A single word could be a host, and a password.
    return bool(re.search("[.:/]", text)) and _is_fine(f"http://{text}")


def _is_fine(url: str) -> bool:
    return not _refusal(url) and _stand_in(url) is None


def _as_json_has_them(secrets: dict[str, str]) -> list[tuple[str, str]]:
    """Secrets and their marks as texts hold them, and as JSON in texts does, and JSON in that; the longest first."""
    forms = newest = secrets
    for _ in range(2):
        newest = {
            escaped(secret): escaped(mark)
            for secret, mark in newest.items()
            for escaped in (_escaped, _escaped_but_letters, _escaped_with_slashes)
        }
        forms = newest | forms
    return sorted(forms.items(), key=lambda form: -len(form[0]))


def _escaped(text: str) -> str:
    return json.dumps(text)[1:-1]


def _escaped_but_letters(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _escaped_with_slashes(text: str) -> str:
    return _escaped(text).replace("/", "\\/")


def _cut_out(text: str, secrets: list[tuple[str, str]]) -> str:
    # One by one: a pattern of all would try again at each letter of a long secret.
    for secret, mark in secrets:
        if len(secret) <= len(text):
            text = text.replace(secret, mark)
    return text


def watch_requests() -> None:
    """Let the running server, if there is one, take keys out of every request."""
    running = getattr(server.PromptServer, "instance", None)
    if running is not None:
        running.add_on_prompt_handler(withhold_keys)
