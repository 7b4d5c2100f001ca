"""What leads to an input has one fingerprint however its nodes are numbered, and another one once it differs."""

import copy
import json

import pytest
from sesahand_pack.nodes import input_fingerprint
from sesahand_pack.nodes.input_fingerprint import fingerprint_of_input

GRAPH = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "hand.png"}},
    "2": {"class_type": "SesaHandDetectHands", "inputs": {"image": ["1", 0], "threshold": 0.5}},
    "3": {"class_type": "SesaHandReconstructHands", "inputs": {"landmarks": ["2", 0], "image": ["1", 0]}},
    "4": {"class_type": "SesaHandEditHands", "inputs": {"scene": "", "hands": ["3", 0], "image": ["1", 0]}},
    "5": {"class_type": "SesaHandRenderCondition", "inputs": {"hands": ["4", 0]}},
}
FINGERPRINT = fingerprint_of_input(GRAPH, "4", "hands")


def changed(node: str, **inputs) -> str | None:
    graph = copy.deepcopy(GRAPH)
    graph[node]["inputs"] |= inputs
    return fingerprint_of_input(graph, "4", "hands")


def test_it_is_a_short_text_and_the_same_each_time():
    assert len(FINGERPRINT) == 32 and FINGERPRINT == fingerprint_of_input(copy.deepcopy(GRAPH), "4", "hands")


def test_numbers_and_titles_of_nodes_do_not_count():
    numbers = {"1": "7:20", "2": "7:1", "3": "9", "4": "12", "5": "2"}

    def renumbered(value):
        return [numbers[value[0]], value[1]] if isinstance(value, list) else value

    graph = {
        numbers[key]: {
            "_meta": {"title": key},
            "class_type": node["class_type"],
            "inputs": {name: renumbered(value) for name, value in reversed(node["inputs"].items())},
        }
        for key, node in reversed(GRAPH.items())
    }
    assert fingerprint_of_input(graph, "12", "hands") == FINGERPRINT


@pytest.mark.parametrize(
    ("node", "change"),
    [("1", {"image": "other.png"}), ("2", {"threshold": 0.4}), ("3", {"image": ["2", 0]}),
     ("3", {"landmarks": ["2", 1]}), ("4", {"hands": ["3", 1]}), ("4", {"hands": ["2", 0]}),
     ("2", {"threshold": {"__value__": [0.5]}})],
)  # fmt: skip
def test_what_leads_there_counts(node, change):
    assert changed(node, **change) not in (FINGERPRINT, None)


@pytest.mark.parametrize(("node", "change"), [("4", {"scene": "x"}), ("4", {"image": ["2", 1]}), ("5", {"width": 7})])
def test_what_does_not_lead_there_does_not_count(node, change):
    assert changed(node, **change) == FINGERPRINT


def test_a_seed_only_counts_where_the_node_uses_it():
    """Pose Hand's seed changes after every run, whether or not there is a jitter."""

    def posed(seed, **jitter) -> str | None:
        pose = {"class_type": "SesaHandPoseHand", "inputs": {"gesture": "fist", "seed": seed, **jitter}}
        return fingerprint_of_input(GRAPH | {"3": pose}, "4", "hands")

    def other(seed) -> str | None:
        node = {"class_type": "Other", "inputs": {"seed": seed, "jitter": 0}}
        return fingerprint_of_input(GRAPH | {"3": node}, "4", "hands")

    assert posed(1, jitter=0.0) == posed(2, jitter=0.0)
    for jitter in ({"jitter": 3.0}, {"jitter": ["1", 0]}, {}):
        assert posed(1, **jitter) != posed(2, **jitter)
    assert other(1) != other(2)


@pytest.mark.parametrize("value", ["3", None, ["3"], ["gone", 0], [3, 0], ["3", "0"]])
def test_what_is_not_linked_has_none(value):
    assert changed("4", hands=value) is None


@pytest.mark.parametrize("prompt", [{}, {"4": None}, {"4": {"inputs": None}}])
def test_a_graph_without_the_node_has_none(prompt):
    assert fingerprint_of_input(prompt, "4", "hands") is None


def test_a_graph_of_any_depth_and_one_in_a_circle_are_read():
    deep = {str(n): {"class_type": "Reroute", "inputs": {"value": [str(n + 1), 0]}} for n in range(20_000)}
    deep["20000"] = {"class_type": "LoadImage", "inputs": {"image": "hand.png"}}
    there = fingerprint_of_input(deep, "0", "value")
    deep["20000"]["inputs"]["image"] = "other.png"
    assert there != fingerprint_of_input(deep, "0", "value")
    deep["20000"] = {"class_type": "Reroute", "inputs": {"value": ["1", 0]}}
    assert fingerprint_of_input(deep, "0", "value")


def test_two_wires_of_one_node_are_not_followed_twice():
    """Each doubles the number of ways, so that following every way would never end."""
    wide = {str(n): {"class_type": "Add", "inputs": {"a": [str(n + 1), 0], "b": [str(n + 1), 0]}} for n in range(200)}
    wide["200"] = {"class_type": "Number", "inputs": {"value": 1}}
    assert fingerprint_of_input(wide, "0", "a")


def test_each_node_is_looked_at_a_few_times_however_many_links_lead_to_it(monkeypatch):
    graph = {str(k): {"class_type": "A", "inputs": {f"i{n}": [str(k + 1), n] for n in range(40)}} for k in range(20)}
    graph["20"] = {"class_type": "B", "inputs": {}}
    looked = []
    inputs_of = input_fingerprint._inputs
    monkeypatch.setattr(input_fingerprint, "_inputs", lambda prompt, key: looked.append(key) or inputs_of(prompt, key))
    assert len(fingerprint_of_input(graph, "0", "i0")) == 32
    assert len(looked) <= 3 * len(graph) + 1


def test_a_setting_nested_as_deep_as_the_stack_ends_nothing():
    texts = [text for d in range(850, 1000) for text in ("[" * d + "]" * d, '{"a":' * d + "1" + "}" * d)]
    for text in texts:
        try:
            value = json.loads(text)
        except RecursionError:
            continue
        assert changed("2", threshold=value) != FINGERPRINT
