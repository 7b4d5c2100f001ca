"""The editor's modules: tests of the pure ones in node, against what the library says of the same hands."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from editor_goldens import MODEL, Goldens

from sesahand.hands.contact import part_faces
from sesahand.hands.gripping import GRASPS
from sesahand.hands.limits import angles_from_pose, joint_frames, joint_limits
from sesahand.hands.objects import object_distance
from sesahand.hands.rotations import mirror_rotation
from sesahand.scene.hand_scene import HandScene

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests" / "editor"
# The folders below web/js, and those that each may import from beside its own. Only node/ knows ComfyUI.
FOLDERS = {
    "core": "",
    "view": "core",
    "editor": "core|view",
    "panel": "core|editor",
    "node": "core|editor",
}
MODULES = {folder: sorted((ROOT / "web" / "js" / folder).glob("*.js")) for folder in FOLDERS}
ALL_MODULES = [path for paths in MODULES.values() for path in paths]
LINTER = TESTS / "node_modules" / ".bin" / "eslint"
# The first with all that the modules use; browsers have it since 2023.
OLDEST_NODE = 20


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def node():
    """The path of node."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("node is not installed")
    version = subprocess.run([found, "--version"], capture_output=True, text=True).stdout
    if int(re.match(r"v(\d+)", version)[1]) < OLDEST_NODE:
        pytest.skip(f"node is {version.strip()}, older than {OLDEST_NODE}")
    return found


@pytest.fixture(scope="module")
def goldens(tmp_path_factory):
    """The folder with what the library says."""
    folder = tmp_path_factory.mktemp("goldens")
    Goldens(folder).write()
    return folder


def run(*command, goldens: Path | None = None) -> str:
    """Run a program in the checkout; what it prints, if it succeeds."""
    environment = os.environ | ({"SESAHAND_GOLDENS": str(goldens)} if goldens else {})
    answer = subprocess.run(
        [str(part) for part in command], cwd=ROOT, env=environment, capture_output=True, text=True, encoding="utf-8"
    )
    assert answer.returncode == 0, f"{answer.stdout}\n{answer.stderr}"
    return answer.stdout


@pytest.mark.parametrize("path", sorted(TESTS.glob("*.test.mjs")), ids=lambda path: path.name)
def test_modules_agree_with_the_library(node, goldens, path):
    assert re.search(r"^# pass [1-9]", run(node, "--test", "--test-reporter=tap", path, goldens=goldens), re.MULTILINE)


@pytest.fixture(scope="module")
def made(node, goldens):
    """What the modules edited and wrote."""
    return json.loads(run(node, TESTS / "edit_scenes.mjs", goldens=goldens))


@pytest.fixture(scope="module")
def edited(made):
    """Scenes that the modules edited and wrote, as the library reads them, with the vertices of the modules."""
    return [(HandScene.from_json(each["text"], MODEL), torch.tensor(each["vertices"])) for each in made["written"]]


def test_the_library_poses_what_the_modules_wrote_within_a_micrometre(edited):
    assert len(edited) > 40
    for scene, vertices in edited:
        assert (scene.pose().vertices.flatten() - vertices).abs().max() < 1e-6


def test_the_library_finds_what_the_modules_edited_within_the_limits(edited):
    low, high = joint_limits().unbind(-1)
    for scene, _ in edited:
        pose = scene.hand_pose[0] if scene.side[0] == "right" else mirror_rotation(scene.hand_pose[0])
        angles = angles_from_pose(pose, joint_frames(MODEL))
        assert torch.maximum(low - angles, angles - high).max() < 2e-6


def test_the_library_finds_the_fingers_on_objects_that_the_modules_closed_them_on(made):
    parts = part_faces(MODEL)
    for text in made["closed"]:
        scene = HandScene.from_json(text, MODEL)
        (held,) = scene.objects
        posed = scene.pose()
        skin = (posed.vertices[0] - posed.keypoints[0, 0]) @ scene.global_orient[0]
        distance = held.size * object_distance(held.kind, (skin - held.position) @ held.orient / held.size)
        gaps = {finger: float(distance[parts[finger].unique()].min()) for finger in GRASPS[held.kind].fingers}
        assert max(gaps.values()) < 1e-3 and distance.min() > -1e-3, (held.kind, gaps)


def test_modules_do_nothing_when_comfyui_imports_them(node):
    """It imports every .js file below WEB_DIRECTORY when a page opens."""
    imports = "\n".join(f"await import({path.as_uri()!r});" for path in ALL_MODULES)
    script = f"""
        for (const name of ["document", "window", "localStorage"]) {{
          Object.defineProperty(globalThis, name, {{ get() {{ throw new Error(`${{name}} was used`); }} }});
        }}
        const before = Object.getOwnPropertyNames(globalThis).join();
        {imports}
        if (Object.getOwnPropertyNames(globalThis).join() !== before) throw new Error("a global was made");
    """
    assert run(node, "--input-type=module", "--eval", script) == ""


def test_every_module_is_fetched_anew_after_an_update():
    """ComfyUI tells browsers to ask for .js files again, and not for .mjs, of which an update would mix old and new."""
    assert not list((ROOT / "web").rglob("*.mjs"))
    for folder, others in FOLDERS.items():
        texts = [path.read_text(encoding="utf-8") for path in MODULES[folder]]
        names = [
            name for text in texts for name in re.findall(r'^(?:import|\} from|.* from) "([^"]+)"', text, re.MULTILINE)
        ]
        assert names and all(re.fullmatch(rf"(\.|\.\./({others}))/\w+\.js", name) for name in names), folder


@pytest.mark.parametrize("path", ALL_MODULES, ids=short)
def test_a_module_is_one_documented_idea(path):
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert lines[0].startswith("// ") and len(lines) <= 250 and max(map(len, lines)) <= 120
    assert text.endswith("\n") and not text.endswith("\n\n")
    undocumented = re.findall(r"(?<!\*/\n)^export (?:const|function|class) (\w+)", text, re.MULTILINE)
    # A constant may say it all by its name.
    assert [name for name in undocumented if not name.isupper()] == []
    assert not re.search(r"\bexport default\b|\bconsole\.|\binnerHTML\b|\beval\(|\bvar ", text)


def test_modules_are_clean_to_eslint_prettier_and_typescript():
    if not LINTER.exists():
        pytest.skip("eslint is not installed: npm install --prefix tests/editor")
    run("npm", "--prefix", TESTS, "run", "check")
