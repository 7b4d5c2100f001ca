"""What leads to an input, as a short text that tells whether it has changed: also of an input that did not run."""

import hashlib
import json
from typing import Any

# Inputs that have no effect as long as another input of their node is 0. A seed among them changes by itself after each
# run.
IDLE_WITHOUT = {"SesaHandPoseHand": {"seed": "jitter"}}


def fingerprint_of_input(prompt: dict[str, Any], node: str, name: str) -> str | None:
    """Return a text that is another one when another node or setting leads to an input.

    The numbers of nodes do not count, so that it stays the same in a copy or a subgraph, nor what is in the files that
    settings name, nor a seed that has no effect.

    Args:
        prompt: A graph in API format, as ComfyUI's hidden PROMPT.
        node: The id of the node whose input it is.
        name: The input's id.

    Returns:
        32 hexadecimal digits; None if the input is not linked, the graph has no such node, or a setting on the way is
        nested deeper than can be written.
    """
    source = _inputs(prompt, node).get(name)
    try:
        return _digest(prompt, source) if _is_link(source, prompt) else None
    except RecursionError:
        return None


def _digest(prompt: dict[str, Any], link: list) -> str:
    """Return the digest of a link. Without recursion: a graph may be deeper than Python's stack."""
    found: dict[str, str] = {}
    open_ones, seen = [link[0]], set()
    while open_ones:
        key = open_ones[-1]
        if key in found:
            open_ones.pop()
            continue
        before = dict.fromkeys(value[0] for value in _inputs(prompt, key).values() if _is_link(value, prompt))
        waiting = [source for source in before if source not in found]
        # One that was seen before and still waits leads to itself, which ComfyUI refuses to run.
        if waiting and key not in seen:
            seen.add(key)
            open_ones += waiting
        else:
            open_ones.pop()
            found[key] = _digest_of_node(prompt, key, found)
    return _hashed([found[link[0]], link[1]])


def _digest_of_node(prompt: dict[str, Any], key: str, found: dict[str, str]) -> str:
    class_type = prompt[key].get("class_type")
    inputs = {
        name: {"from": found.get(value[0]), "output": value[1]} if _is_link(value, prompt) else [value]
        for name, value in _without_idle(class_type, _inputs(prompt, key)).items()
    }
    return _hashed([class_type, inputs])


def _without_idle(class_type: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """Return inputs with 0 for those that have no effect, which is what they begin with."""
    others = IDLE_WITHOUT.get(class_type, {}) if isinstance(class_type, str) else {}
    idle = {name: 0 for name, other in others.items() if name in inputs and inputs.get(other) == 0}
    return inputs | idle


def _inputs(prompt: dict[str, Any], key: str) -> dict[str, Any]:
    node = prompt.get(key)
    inputs = node.get("inputs") if isinstance(node, dict) else None
    return inputs if isinstance(inputs, dict) else {}


def _is_link(value: Any, prompt: dict[str, Any]) -> bool:
    pair = isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int)
    return pair and isinstance(prompt.get(value[0]), dict)


def _hashed(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:32]
