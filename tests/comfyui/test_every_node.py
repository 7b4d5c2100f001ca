"""What holds for every node of the pack: it explains itself, keeps its word to old workflows, and refuses nonsense."""

import asyncio
import importlib.util
import inspect
import json
import os
import re
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import sesahand_pack
from before_run import refusals
from sesahand_pack import nodes as pack_nodes
from sesahand_pack.nodes import attention, caption, semantics, wires

from comfy_api.latest import io

ROOT = Path(__file__).resolve().parents[2]
SNAPSHOT = ROOT / "tests/data/node_schemas.json"
EXTENSION = asyncio.run(sesahand_pack.comfy_entrypoint())
NODES = asyncio.run(EXTENSION.get_node_list())


def node_id(node) -> str:
    return node.define_schema().node_id


def ports(node) -> list:
    schema = node.define_schema()
    return [*schema.inputs, *schema.outputs]


def label(port) -> str:
    """Return what a port is called in the graph."""
    return port.id if isinstance(port, io.Input) else port.display_name


def describe(node) -> dict:
    """Return what workflow files rely on: ids, types and order, and the options that do not come from a folder."""
    info = node.GET_NODE_INFO_V1()
    inputs = []
    for entry in node.define_schema().inputs:
        kind = "optional" if entry.optional else "required"
        spec = info["input"][kind][entry.id]
        options = spec[1].get("options") if len(spec) > 1 else None
        listed = options if isinstance(options, list) and entry.default is not None else None
        inputs.append([entry.id, spec[0], kind, *([listed] if listed else [])])
    return {
        "inputs": inputs,
        "outputs": [[name, kind] for name, kind in zip(info["output_name"], info["output"], strict=True)],
    }


@pytest.mark.parametrize("node", NODES, ids=node_id)
class TestEveryNode:
    def test_it_is_named_and_filed_so_that_people_find_it(self, node):
        schema = node.define_schema()
        assert schema.node_id.startswith("SesaHand") and schema.display_name.endswith(" (SesaHand)")
        assert re.fullmatch(r"SesaHand/[a-z]+", schema.category) and len(schema.description) > 40

    def test_every_input_and_output_says_what_it_is_for(self, node):
        for port in ports(node):
            assert port.tooltip and port.tooltip.endswith((".", ")")), (
                f"{node_id(node)}.{label(port)}: {port.tooltip!r}"
            )
            assert label(port), f"an output of {node_id(node)} would be labelled with its type"

    def test_no_input_is_for_a_secret(self, node):
        assert not [
            port.id for port in node.define_schema().inputs if re.search("key$|token$|secret|password", port.id)
        ]

    def test_widgets_have_defaults_within_their_range(self, node):
        for entry in node.define_schema().inputs:
            if isinstance(entry, io.Combo.Input):
                assert entry.default is None or entry.default in entry.options
            elif getattr(entry, "default", None) is not None and getattr(entry, "min", None) is not None:
                assert entry.min <= entry.default <= entry.max

    def test_the_help_page_names_every_input_and_output(self, node):
        page = (ROOT / "web/docs" / f"{node_id(node)}.md").read_text(encoding="utf-8")
        missing = [label(port) for port in ports(node) if f"`{label(port)}`" not in page]
        assert missing == []
        assert "## Input" in page and "## Output" in page

    def test_a_value_that_is_no_option_is_one_error_before_the_graph_runs(self, node):
        combos = [entry for entry in node.define_schema().inputs if isinstance(entry, io.Combo.Input)]
        # A list of files without any is refused as it stands, whatever else is chosen.
        unfilled = [entry for entry in combos if entry.options == [wires.NOTHING_YET]]
        for entry in unfilled or combos:
            [answer] = refusals(node, **{entry.id: "no such thing"})
            # A name that may be a pasted key is not repeated.
            assert "no such thing" in answer or entry.id == "credential"
        assert len(refusals(node)) == len(unfilled), "its defaults pass"

    def test_linked_inputs_have_no_value_yet_and_pass(self, node):
        named = dict.fromkeys(inspect.signature(node.validate_inputs).parameters)
        assert "kwargs" in named or node.validate_inputs(**named) is True

    def test_its_v1_description_is_plain_data(self, node):
        assert json.dumps(node.GET_NODE_INFO_V1(), default=str)


# What people type, and the node that they look for.
SEARCHES = {
    "hand": "SesaHandPoseHand",
    "depth hand": "SesaHandRenderCondition",
    "hand mask": "SesaHandRenderCondition",
    "MANO": "SesaHandLoadHandModel",
    "caption": "SesaHandCaption",
    "fix hands": "SesaHandRepairGate",
    "bad hands": "SesaHandScoreHands",
    "hand pose": "SesaHandPoseHand",
    "HaMeR": "SesaHandLoadReconstructor",
    "hand detailer": "SesaHandRepairGate",
    "3d hand": "SesaHandReconstructHands",
    "blender": "SesaHandExportMesh",
    "ollama": "SesaHandConnectVLM",
    "controlnet": "SesaHandLoadControlNet",
}


@pytest.fixture
def search_words(monkeypatch):
    """What each node can be found by where ComfyUI searches more than names: its name, its description, and aliases."""
    given = {}
    for module in (wires, caption, semantics, attention):
        monkeypatch.setattr(module, "found_by", lambda *words: given.update(last=words) or {})
    found = {}
    for node in NODES:
        given["last"] = ()
        schema = node.define_schema()
        found[schema.node_id] = (schema.display_name, *given["last"], schema.description)
    return found


@pytest.mark.parametrize("query", SEARCHES)
def test_it_is_found_by_the_words_that_people_use(query, search_words):
    """All words in one field, as they stand; nodes whose name or alias has them come before those described by them."""

    def rank(fields) -> int | None:
        has = [all(word in field.lower() for word in query.lower().split()) for field in fields]
        return None if True not in has else int(has.index(True) == len(fields) - 1)

    ranks = {name: rank(fields) for name, fields in search_words.items() if rank(fields) is not None}
    assert ranks.get(SEARCHES[query]) == min(ranks.values())


def test_aliases_go_into_the_schema_where_comfyui_has_a_place_for_them(monkeypatch):
    assert wires.found_by("MANO") == {} or "search_aliases" in io.Schema.__dataclass_fields__
    monkeypatch.setitem(io.Schema.__dataclass_fields__, "search_aliases", None)
    assert wires.found_by("MANO", "hand model") == {"search_aliases": ["MANO", "hand model"]}


def test_only_what_reads_a_file_that_may_change_is_looked_at_again_before_each_run():
    """Anything else would run again for no reason, and with it all that follows."""
    mine = {node_id(node) for node in NODES if "fingerprint_inputs" in vars(node)}
    models = {"SesaHandLoadVLM", "SesaHandLoadHandModel", "SesaHandLoadReconstructor"}
    detectors = {"SesaHandDetectHands", "SesaHandDetectInMask"}
    assert mine == models | detectors | {"SesaHandLoadHands", "SesaHandHoldObject", "SesaHandReadPlan"}
    assert not [node_id(node) for node in NODES if node.define_schema().not_idempotent]


def test_no_help_page_is_for_a_node_that_does_not_exist():
    pages = {path.stem for path in (ROOT / "web/docs").glob("*.md")}
    assert pages == {node_id(node) for node in NODES}


def test_workflows_in_the_world_still_fit():
    """Ids, types, order and options are frozen once released: new inputs, outputs and options go to the end.

    SESAHAND_WRITE_SNAPSHOT=1 writes the file anew; what it changes in git is what users will notice.
    """
    found = {node_id(node): describe(node) for node in NODES}
    if os.environ.get("SESAHAND_WRITE_SNAPSHOT") == "1":
        lines = (f"  {json.dumps(name)}: {json.dumps(found[name])}" for name in sorted(found))
        SNAPSHOT.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8", newline="\n")
    known = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert set(known) == set(found), "write the snapshot anew if nodes were added; a released node must not go"
    for name, old in known.items():
        new = found[name]
        for kind in ("inputs", "outputs"):
            assert [port[:2] for port in new[kind]][: len(old[kind])] == [port[:2] for port in old[kind]], name
        for old_port, new_port in zip(old["inputs"], new["inputs"], strict=False):
            if len(old_port) > 3:
                assert set(old_port[3]) <= set(new_port[3]), f"{name}.{old_port[0]} lost an option"
        assert not [port for port in new["inputs"][len(old["inputs"]) :] if port[2] == "required"], name


def test_a_family_that_does_not_load_leaves_the_others_alone(monkeypatch, caplog):
    package = pack_nodes.__name__
    monkeypatch.setitem(sys.modules, f"{package}.hand", None)
    left = pack_nodes.load_families()
    lost = {node_id(node) for node in NODES} - {node_id(node) for node in left}
    assert lost == {node_id(node) for node in NODES if node.__module__ == f"{package}.hand"} and lost
    [message] = [record.getMessage() for record in caplog.records]
    assert "'hand'" in message


@contextmanager
def another_copy(folder):
    """Load the pack from a folder as ComfyUI does, beside the one that is tested, and give its nodes."""
    name = str(folder).replace(".", "_x_")
    spec = importlib.util.spec_from_file_location(name, folder / "__init__.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
        yield asyncio.run(asyncio.run(module.comfy_entrypoint()).get_node_list())
    finally:
        for loaded in [loaded for loaded in sys.modules if loaded.startswith(name)]:
            del sys.modules[loaded]


def test_a_library_that_is_missing_costs_no_node(monkeypatch):
    """What is heavy is imported where it is used: a broken environment still shows every node."""
    for heavy in ("transformers", "diffusers", "smplx", "cv2", "scipy", "trimesh"):
        monkeypatch.setitem(sys.modules, heavy, None)
    with another_copy(ROOT) as found:
        assert {node_id(node) for node in found} == {node_id(node) for node in NODES}


def test_the_pack_loads_from_a_folder_of_any_name(tmp_path):
    """A clone, a download of a branch and the Registry's archive have folders of different names."""
    link = tmp_path / "Sesa Hand-main.v1 (2)"
    try:
        link.symlink_to(ROOT, target_is_directory=True)
    except OSError:
        pytest.skip("Windows without the right to make links")
    with another_copy(link) as found:
        assert {node_id(node) for node in found} == {node_id(node) for node in NODES}


def test_every_family_registers_its_nodes():
    assert {node.__module__.rsplit(".", 1)[-1] for node in NODES} == set(pack_nodes.FAMILIES)


def test_there_is_one_copy_of_the_library():
    """A second copy of the library, imported by its absolute name, would have errors and types of its own."""
    copies = [name for name in sys.modules if name.endswith("sesahand.errors")]
    assert copies == ["sesahand_pack.sesahand.errors"]
