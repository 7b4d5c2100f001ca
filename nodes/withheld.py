"""Keys that were typed into a widget, taken out of a request before the server keeps it.

A node can only refuse its inputs, and the server runs what else the graph holds: the refused value would be written
into every picture and the history.
"""

import server

from .managed_vlm import credential_names

NODE = "SesaHandConnectVLM"
NO_CREDENTIAL = "none"
WITHHELD = "(withheld)"
"""Stands for a credential; as the name of none it is refused like the value it replaces."""

# A single word shorter than this is the name of a credential that is missing here, such as "default", and no key;
# another widget may well hold the same word.
LONGEST_NAME = 16


def withhold_keys(request: dict) -> dict:
    """Replace what may be a key in the inputs of Connect VLM, wherever the request repeats it.

    Args:
        request: What a browser or script posts to /prompt.

    Returns:
        The request; unchanged when each credential is a known name and no base URL holds '@', '?' or '#'.
    """
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
    mark = next((mark for mark in "@?#" if isinstance(url, str) and mark in url), "")
    if mark:
        found.append((url, f"https://{mark}"))
    return found


def _replaced(value, secrets: dict[str, str]):
    """A copy of JSON with each text that is a secret replaced."""
    if isinstance(value, dict):
        return {key: _replaced(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, secrets) for item in value]
    return secrets.get(value, value) if isinstance(value, str) else value


def watch_requests() -> None:
    """Let the running server, if there is one, take keys out of every request."""
    running = getattr(server.PromptServer, "instance", None)
    if running is not None:
        running.add_on_prompt_handler(withhold_keys)
