"""The face of the library: what `import sesahand` offers, what it costs, and the examples that show it."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import sesahand

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.py"))


def run_python(*arguments: str, folder: Path) -> subprocess.CompletedProcess:
    """Run a Python of its own that finds the library of this checkout."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )


@pytest.mark.parametrize("name", [name for name in sesahand.__all__ if name != "__version__"])
def test_every_name_of_the_face_is_there_documented_and_typed(name):
    value = getattr(sesahand, name)
    assert value.__doc__ and value.__name__ == name and name in dir(sesahand)
    typed = {
        alias.asname
        for node in ast.walk(ast.parse((ROOT / "sesahand" / "__init__.py").read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert name in typed


def test_what_is_listed_is_the_face_alone_and_a_scene_prints_in_a_line():
    assert set(dir(sesahand)) == set(sesahand.__all__)
    assert repr(sesahand.place_gesture("ok", "both", size=(64, 48))) == (
        "HandScene(2 hands: right, left; 1 frames of 64x48, HandModel('sesahand-cc0'))"
    )


def test_an_unknown_name_is_answered_with_those_there_are():
    with pytest.raises(AttributeError, match="generate_pictures"):
        sesahand.generate_picture  # noqa: B018


def test_importing_it_loads_nothing_heavy(tmp_path):
    code = "import sesahand, sys; print(sorted({'torch', 'numpy', 'PIL', 'diffusers'} & set(sys.modules)))"
    assert run_python("-c", code, folder=tmp_path).stdout.strip() == "[]"


def test_a_sentence_is_a_picture_in_under_ten_lines():
    lines = (ROOT / "docs" / "examples" / "sentence_to_picture.py").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line.strip()]) < 10 and len(EXAMPLES) == 5


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_makes_what_it_says(path, tmp_path, request):
    if path.stem.startswith("picture"):
        folder = request.getfixturevalue("detector_folder")
        assert folder
    done = run_python("-W", "ignore", str(path), folder=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    out, said = tmp_path / "examples_out", done.stdout
    match path.stem:
        case "sentence_to_picture":
            assert Image.open(out / "0001_picture.png").size == (128, 128) and "fist" in said
        case "pose_to_maps":
            pictures = {Image.open(file).size for file in out.glob("ok_*.png")}
            assert pictures == {(512, 512)} and len(list(out.glob("ok_*.png"))) == 4
            assert json.loads((out / "ok_hand.json").read_text())["hands"]
        case "caption_to_prompt":
            assert "hand words: waves, hand" in said and "overall mood" not in said.split("prompt:")[1]
        case "picture_to_mesh":
            assert (out / "found_hands.glb").read_bytes()[:4] == b"glTF"
            assert float(said.split("score ")[1]) > 0.6
        case "pictures_to_pairs":
            assert len(list(sesahand.PairSet(out / "pairs"))) == said.count("score") >= 1
        case _:
            pytest.fail("an example that nobody checks")
