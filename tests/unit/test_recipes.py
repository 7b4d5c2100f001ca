"""The recipes of CONTRIBUTING, done in a copy of the library: a gesture, a map, a format of each kind, a family, a net.

What a recipe tells to write by hand is written here, in the files that it names and in no others.
"""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def with_texts(*texts: tuple[str, str]):
    """Return what puts texts into a source, each before the last place where another one stands."""

    def edit(source: str) -> str:
        for end, text in texts:
            at = source.rindex(end)
            source = source[:at] + text + source[at:]
        return source

    return edit


def copy_of_four(source: str) -> str:
    """What `tools/solve_gestures.py` would do, which takes its time: angles behind all others."""
    stored = json.loads(source)
    stored["gestures"]["vulcan"] = stored["gestures"]["four"]
    return json.dumps(stored)


RECIPES = {
    "A gesture": {
        "sesahand/semantics/gestures.py": with_texts(
            (
                "}\n\n\ndef gesture_called",
                '    "vulcan": GestureWords("fingers parted in the middle", ("live long and prosper",), ("spock",)),\n',
            ),
        ),
        "sesahand/assets/gestures.json": copy_of_four,
    },
    "A condition map": {
        "sesahand/render/map_table.py": with_texts(("    )\n}\n", '        MapKind("inverted", "Near is dark."),\n')),
        "sesahand/render/maps.py": with_texts(
            ("    mask: Tensor\n", "    inverted: Tensor | None\n"),
            ("PAINTERS = {", "def paint_inverted(layer: Layer) -> Tensor:\n    return 1 - paint_depth(layer)\n\n\n"),
            ('}\n"""How maps get', ', "inverted": paint_inverted'),
        ),
    },
    "A format of meshes": {
        "sesahand/export/formats.py": with_texts(
            ("FORMATS = {", "def _xyz(scene, settings):\n    from .points import xyz\n\n    return xyz(scene)\n\n\n"),
            ("}", '    "xyz": MeshFormat("xyz", _xyz),\n'),
        ),
        "sesahand/export/points.py": with_texts(
            (
                "",
                "def xyz(scene):\n"
                "    return '\\n'.join('%g %g %g' % tuple(p) for p in scene.pose().vertices[0].tolist()).encode()\n",
            )
        ),
    },
    "A format of pairs": {
        "sesahand/data/formats/__init__.py": with_texts(('}\n"""Of each', '    "listing": "listing.export",\n')),
        "sesahand/data/formats/listing.py": with_texts(
            (
                "",
                "def export(pairs, out):\n"
                "    keys = [pair.key for pair in pairs]\n"
                "    (out / 'keys.txt').write_text(' '.join(keys))\n"
                "    return len(keys), 0\n",
            )
        ),
    },
    "A model family": {
        "sesahand/models/families.py": with_texts(
            (
                "}\n\n\ndef name_of_width",
                '    "nine": Family("SD9", 1536, ("l",), prefixes=("model.diffusion_model.nine_blocks.",)),\n',
            ),
        ),
    },
    "A reconstructor": {
        "sesahand/reconstruct/learned/flat.py": with_texts(
            (
                "",
                "from torch import nn\n\n\n"
                "class Flat(nn.Module):\n"
                "    title = 'Flat'\n\n"
                "    def __init__(self):\n"
                "        super().__init__()\n"
                "        self.flat = nn.Linear(2, 2)\n",
            )
        ),
        "sesahand/reconstruct/learned/checkpoints.py": with_texts(
            ("}\n\n\ndef load_network", '    "flat": Published("flat", "flat.ckpt", "https://flat.example", "CC0"),\n'),
            (
                "        backbone = _backbone_size(shapes, file)",
                '        if "flat.weight" in shapes:\n'
                "            from .flat import Flat\n\n            return Flat()\n",
            ),
        ),
    },
}

# Runs in the copy; all that a user could meet of the new things.
SCRIPT = """
import contextlib, io, json, sys
from pathlib import Path
import torch
from safetensors.torch import save_file
from sesahand.cli import main
from sesahand.errors import SesaHandError
from sesahand.models.base import refuse_other_families
from sesahand.models.families import name_of_width
from sesahand.reconstruct.learned.checkpoints import load_network, where_to_get
from sesahand.data.pair_set import PairSet
from sesahand.data.writer import PairWriter
from sesahand.export.files import write_hands
from sesahand.hands.gestures import gesture_names
from sesahand.hands.loading import load_hand_model
from sesahand.render.maps import render_maps
from sesahand.scene.scene_files import load_scene
from sesahand.semantics.gesture_words import find_named_gesture

def said(*arguments):
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
        main(list(arguments))
    return out.getvalue()

facts = {"names": gesture_names(), "gestures": said("gestures")}
facts["rendered"] = said("render", "vulcan", "--size", "64x64")
facts["found"] = [found and found.name for found in map(find_named_gesture, (
    ["he wishes them to live long and prosper"], ["Spock"], ["a spock sign"]))]
scene = load_scene("out/scene.json")
maps = render_maps(scene)
facts["inverted"] = bool(torch.equal(maps.inverted[..., 0] + maps.depth[..., 0], (maps.mask > 0).float()))
with PairWriter("pairs") as writer:
    writer.add(torch.rand(64, 64, 3), scene, maps={"depth": maps.depth[0], "inverted": maps.inverted[0]})
facts["maps"] = list(PairSet("pairs")[0].record.maps)
facts["exported"] = said("dataset", "export", "pairs", "--format", "listing", "--out", "listed")
facts["keys"] = open("listed/keys.txt").read()
write_hands(scene, "hand.xyz", "xyz", parameters="none")
facts["points"] = len(open("hand.xyz").read().splitlines()) == scene.pose().vertices.shape[1]
facts["help"] = said("reconstruct", "--help")
facts["family"] = name_of_width(1536)
save_file({"model.diffusion_model.nine_blocks.0": torch.zeros(1)}, "nine.safetensors")
try:
    refuse_other_families(Path("nine.safetensors"))
except SesaHandError as error:
    facts["refused"] = str(error)
save_file({"flat.weight": torch.eye(2), "flat.bias": torch.zeros(2)}, "flat.safetensors")
facts["network"] = [load_network("flat.safetensors").title, where_to_get()]
json.dump(facts, sys.stdout)
"""


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    """What a copy of the library says after all recipes have been followed."""
    copy = tmp_path_factory.mktemp("copy")
    shutil.copytree(
        ROOT / "sesahand", copy / "sesahand", ignore=shutil.ignore_patterns("__pycache__", "sesahand_*.safetensors")
    )
    for edits in RECIPES.values():
        for name, edit in edits.items():
            path = copy / name
            path.write_text(edit(path.read_text(encoding="utf-8") if path.exists() else ""), encoding="utf-8")
    answer = subprocess.run([sys.executable, "-c", SCRIPT], cwd=copy, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


def test_a_gesture_is_there_by_its_name_and_its_words(facts):
    assert facts["names"][-1] == "vulcan"
    assert facts["gestures"].splitlines()[-1].split(maxsplit=1) == ["vulcan", "fingers parted in the middle"]
    assert facts["found"] == ["vulcan", None, "vulcan"]


def test_a_map_is_drawn_written_and_kept_with_pairs(facts):
    assert [Path(line).name for line in facts["rendered"].splitlines()][-2:] == ["mask.png", "inverted.png"]
    assert facts["inverted"] and facts["maps"] == ["depth", "inverted"]


def test_a_format_of_meshes_is_written_and_can_be_chosen(facts):
    assert facts["points"] and re.search(r"--mesh \{[^}]*\bxyz\b", facts["help"])


def test_a_format_of_pairs_is_written_and_can_be_chosen(facts):
    assert "1 pairs written" in facts["exported"] and facts["keys"] == "00000000"


def test_a_model_family_is_known_by_its_text_and_refused_by_name_where_it_is_not_made_pictures_with(facts):
    assert facts["family"] == "SD9" and "nine.safetensors holds SD9" in facts["refused"]


def test_a_reconstructor_is_loaded_from_its_file_and_named_where_none_is(facts):
    assert facts["network"][0] == "Flat" and "flat.ckpt from https://flat.example" in facts["network"][1]


def section(title: str) -> str:
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", CONTRIBUTING, re.MULTILINE | re.DOTALL)[1]


@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_names_every_file_and_none_that_is_not_there(title):
    quoted = re.findall(r"`([\w./ ]+\.(?:py|json|md|jpg))`", section(title))
    named = {name for name in quoted if not name.startswith("python ")}
    new = {name for name in RECIPES[title] if not (ROOT / name).exists()}
    assert RECIPES[title].keys() - named - new == set()
    assert all((ROOT / name).exists() for name in named)
    # A file of one's own is told by its folder.
    assert all(f"`{Path(name).parent}/`" in section(title) for name in new)


def test_every_gesture_can_be_solved_anew():
    spec = importlib.util.spec_from_file_location("gesture_specs", ROOT / "tools" / "gesture_specs.py")
    specs = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = specs
    try:
        spec.loader.exec_module(specs)
    finally:
        del sys.modules[spec.name]
    stored = json.loads((ROOT / "sesahand/assets/gestures.json").read_text(encoding="utf-8"))["gestures"]
    assert list(specs.SPECS) == list(stored)
    assert {name: list(entry.view) for name, entry in specs.SPECS.items()} == {
        name: entry["view"] for name, entry in stored.items()
    }
