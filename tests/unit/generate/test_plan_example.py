"""The documented way from a plan to tars, in little: killed, resumed, merged, deduped, split, exported, read back."""

import importlib.util
import json
import os
from pathlib import Path

import pytest
from tiny_diffusion import save_mini

from sesahand import __version__
from sesahand.data.several_sets import PairSets
from sesahand.generate.plan import read_plan

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "docs" / "examples" / "plan"


def write_plan(path: Path, base: Path, **values) -> Path:
    said = {
        "captions": ["A woman makes a fist", "A man shows an ok sign", "A hand gives a thumbs up"],
        "base": str(base), "steps": 1, "size": [64, 64], "batch_size": 4, "shard_size": 8, "score": False,
        "vary": "all", **values,
    }  # fmt: skip
    path.write_text("\n".join(f"{key} = {json.dumps(value)}" for key, value in said.items()))
    return path


def load_example():
    spec = importlib.util.spec_from_file_location("plan_to_tars", FOLDER / "plan_to_tars.py")
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    return example


@pytest.mark.parametrize("way", ["parts", "ray"])
def test_the_example_goes_from_a_plan_to_tars(way, tmp_path, monkeypatch, capfd):
    if way == "ray":
        pytest.importorskip("ray", reason="needs ray[data]")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    example = load_example()
    base = save_mini(tmp_path / "mini.safetensors")
    plan = write_plan(tmp_path / "plan.toml", base, pairs=20, seed=7)
    more = write_plan(tmp_path / "more.toml", base, pairs=12, seed=100)
    example.main(
        ["--plan", str(plan), "--more", str(more), "--out", str(tmp_path / "out"), *["--parts"] * (way == "parts")]
    )
    said = capfd.readouterr().out
    [left] = [int(line.split(";")[1].split()[0]) for line in said.splitlines() if line.startswith("  killed")]
    assert 0 < left < 20, "the kill did not come in the middle"
    keys = [pair.key for pair in PairSets([tmp_path / "out" / "all"])]
    assert sorted(keys) == [f"more_{n:08d}" for n in range(12)] + [f"set_{n:08d}" for n in range(20)]
    trained, tested = (len(PairSets([tmp_path / "out/parts" / name])) for name in ("train", "test"))
    assert trained + tested == len(PairSets([tmp_path / "out/unlike"])) <= 32
    assert f"all {trained} pairs" in said


@pytest.mark.parametrize("name", ["sesahand", "argparse"])
def test_the_example_runs_no_module_of_the_current_folder(name, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    (tmp_path / f"{name}.py").write_text("import pathlib; pathlib.Path(__file__).with_name('ran').touch()")
    monkeypatch.chdir(tmp_path)
    assert load_example().start(["--version"]).wait() == 0
    assert f"sesahand {__version__}" in capfd.readouterr().out and not (tmp_path / "ran").exists()


def test_the_example_is_of_two_thousand_pairs_whose_captions_all_name_a_gesture():
    plans = [read_plan(FOLDER / name) for name in ("plan.toml", "more.toml")]
    assert sum(plan.pairs for plan in plans) == 2000 and all(plan.score for plan in plans)
    orders = [plan.order() for plan in plans]
    assert all(
        order.read(caption).hands for order, plan in zip(orders, plans, strict=True) for caption in plan.captions
    )
