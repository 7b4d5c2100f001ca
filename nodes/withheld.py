"""Keys that were typed into a widget, taken out of a request before the server keeps it.

A node can only refuse its inputs, and the server runs what else the graph holds: the refused value would be written
into every picture and the history.
"""

import json
import logging
import re

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
# Letters of all texts times keys; of thousands of keys in a large graph nothing is kept at all.
MOST_COMPARED = 4_000_000_000
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
    secrets = {key: mark for inputs in connections if isinstance(inputs, dict) for key, mark in _secrets(inputs)}
    return _replaced(request, secrets) if secrets else request


def _secrets(inputs: dict) -> list[tuple[str, str]]:
    """Each value that may be a key, and what is to stand for it."""
    credential, url = inputs.get("credential"), inputs.get("base_url")
    found = []
    if isinstance(credential, str) and credential not in ("", NO_CREDENTIAL, *credential_names()):
        if not (credential.isalpha() and len(credential) <= LONGEST_NAME):
            found.append((credential, WITHHELD))
    if isinstance(url, str) and (mark := _stand_in(url)):
        found.append((url, mark))
    return found


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


def _forms(secrets: dict[str, str]) -> list[tuple[str, str]]:
    """Return what is looked for within texts, and what stands for it: secrets that are no words, also as JSON has them.

    The longest come first: one may be a part of another.
    """
    forms = {}
    for secret, mark in secrets.items():
        for key in (secret, *KEY.findall(secret)):
            if len(key) >= SHORTEST_KEY:
                written = (key, json.dumps(key)[1:-1])
                slashed = (each.replace("/", "\\/") for each in written)
                forms |= dict.fromkeys((*written, *slashed), mark if key == secret else WITHHELD)
    return sorted(forms.items(), key=lambda form: -len(form[0]))


def _replaced(value, secrets: dict[str, str]):
    """A copy of JSON, however deep, with each text that is a secret, or holds one that is no word, replaced."""
    forms, letters = _forms(secrets), 0

    def cleared(text: str) -> str:
        nonlocal letters
        letters += len(text) * len(forms)
        if letters > MOST_COMPARED:
            raise ValueError("There are more keys and texts than are compared.")
        if text in secrets:
            return secrets[text]
        for form, mark in forms:
            text = text.replace(form, mark)
        return text

    root = [value]
    open_ones = [root]
    while open_ones:
        one = open_ones.pop()
        items = list(one.items()) if isinstance(one, dict) else list(enumerate(one))
        if isinstance(one, dict):
            one.clear()
        for key, item in items:
            key = cleared(key) if isinstance(key, str) else key
            if isinstance(item, str):
                one[key] = cleared(item)
            elif isinstance(item, dict | list):
                one[key] = item.copy()
                open_ones.append(one[key])
            else:
                one[key] = item
    return root[0]


def watch_requests() -> None:
    """Let the running server, if there is one, take keys out of every request."""
    running = getattr(server.PromptServer, "instance", None)
    if running is not None:
        running.add_on_prompt_handler(withhold_keys)
