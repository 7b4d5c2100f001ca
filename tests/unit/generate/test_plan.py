"""Plans: pair i is a function of the plan and i alone, whoever makes it, in whatever order, and after any kill."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_diffusion import save_mini

from sesahand.cli import main
from sesahand.commands import generate_plan
from sesahand.data.layout import numbered_key
from sesahand.data.several_sets import PairSets
from sesahand.data.shards import make_shards, open_shards
from sesahand.data.writer import PairWriter
from sesahand.errors import SesaHandError
from sesahand.generate.on_ray import check_address
from sesahand.generate.plan import Plan, read_plan

ROOT = Path(__file__).resolve().parents[3]
CAPTIONS = (
    "A woman makes a fist in front of a red wall",
    "A man in a garden shows an ok sign",
    "A hand gives a thumbs up",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A plan of 20 pairs in shards of 8, and the set that one run makes of it."""
    folder = tmp_path_factory.mktemp("plan")
    write_plan(folder, save_mini(folder / "mini.safetensors"))
    assert make(folder, "whole") == 0
    return folder


def write_plan(folder, base, name="plan.toml", **values):
    (folder / "captions.txt").write_text("\n".join(CAPTIONS))
    said = {
        "captions": "captions.txt", "pairs": 20, "seed": 3, "base": str(base), "steps": 1, "size": [64, 64],
        "batch_size": 4, "shard_size": 8, "score": False, "pair_maps": ["mask"], "vary": "all", **values,
    }  # fmt: skip
    (folder / name).write_text("\n".join(f"{key} = {json.dumps(value)}" for key, value in said.items()))
    return folder / name


def make(folder, name, *more, plan="plan.toml"):
    return main(["generate", "--plan", str(folder / plan), "--pairs", str(folder / name), *more])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def records(folder: Path) -> dict:
    return {pair.key: (pair.record, {k: pair.path(k).read_bytes() for k in ("picture", "npz", "mesh", "mask")})
            for pair in PairSets([folder])}  # fmt: skip


def test_parts_in_any_order_are_the_set_that_is_made_at_once(folder, capsys):
    assert make(folder, "parts", "--part", "3/3") == 0
    assert make(folder, "parts", "--status") == 0
    assert "4 of 20 pairs are there" in capsys.readouterr().out
    assert make(folder, "parts", "--part", "1/2") == 0 and make(folder, "parts") == 0
    assert contents(folder / "parts") == contents(folder / "whole")


def test_each_pair_follows_from_the_plan_and_its_number(folder):
    pairs = [*PairSets([folder / "whole"])]
    assert [pair.key for pair in pairs] == [numbered_key(number) for number in range(20)]
    assert [pair.facts.caption for pair in pairs] == [CAPTIONS[number % 3] for number in range(20)]
    assert [pair.facts.seed for pair in pairs] == list(range(3, 23))
    assert len({tuple(pair.parameters.betas.flatten().tolist()) for pair in pairs}) == 20
    assert len({pair.path("picture").read_bytes() for pair in pairs}) == 20


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_a_planned_set_survives_kills_at_random_moments_to_the_same_bytes(folder):
    answer = subprocess.run(
        [sys.executable, ROOT / "tests/support/killed_plan.py", ROOT, folder / "plan.toml", folder / "killed", "1"],
        capture_output=True, text=True, timeout=120, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout.splitlines()[-1])
    assert len(found) >= 5 and found == sorted(found) and len(set(found)) >= 4, "the kills came at too few places"
    assert contents(folder / "killed") == contents(folder / "whole")


def test_a_planned_set_grows_and_takes_no_other_plan(folder, capsys):
    base = folder / "mini.safetensors"
    write_plan(folder, base, "small.toml", pairs=6)
    assert make(folder, "grown", plan="small.toml") == 0
    assert make(folder, "grown") == 0 and contents(folder / "grown").keys() == contents(folder / "whole").keys()
    assert records(folder / "grown") == records(folder / "whole") and open_shards(folder / "grown").count == 20
    write_plan(folder, base, "other.toml", seed=4, steps=2)
    assert make(folder, "grown", plan="other.toml") == 2
    assert "another plan: sampling, seed differ" in capsys.readouterr().err
    assert make(folder, "grown", plan="small.toml") == 2
    (folder / "mine").mkdir()
    (folder / "mine/letter.txt").write_text("mine")
    assert make(folder, "mine") == 2 and [path.name for path in (folder / "mine").iterdir()] == ["letter.txt"]


def test_a_plan_says_whether_hands_hold_what_its_captions_do(folder, capsys):
    captions = ["A left hand holding a red mug", "A hand makes a fist"]
    bare = Plan(tuple(captions), 4)
    # What plans of before could not say, they do not say: the sets that they began go on.
    assert "hold" not in bare.to_dict() and replace(bare, hold=True).to_dict()["hold"] is True
    write_plan(folder, folder / "mini.safetensors", "hold.toml", captions=captions, pairs=4, hold=True)
    assert make(folder, "holding", plan="hold.toml") == 0
    held = [[each.kind for each in pair.scene.objects] for pair in PairSets([folder / "holding"])]
    assert held == [["cup"], [], ["cup"], []]
    write_plan(folder, folder / "mini.safetensors", "hold.toml", captions=captions, pairs=4, hold=True, gesture="fist")
    assert make(folder, "other", plan="hold.toml") == 2
    assert "leave out that, or hold" in capsys.readouterr().err


def test_status_is_that_of_the_plan_that_is_given(folder, capsys):
    base = folder / "mini.safetensors"
    write_plan(folder, base, "larger.toml", pairs=22)
    write_plan(folder, base, "seed.toml", seed=8)
    assert make(folder, "whole", "--status", plan="larger.toml") == 0
    said = capsys.readouterr().out
    assert "begun with 20 pairs, and the plan has 22 now" in said and "20 of 22 pairs are there" in said
    assert "2 are missing" in said and open_shards(folder / "whole").count == 20
    assert make(folder, "whole", "--status", plan="seed.toml") == 2
    assert "another plan: seed differ" in capsys.readouterr().err


def test_a_shard_that_another_process_writes_to_is_told_and_no_success(folder, capsys, monkeypatch):
    monkeypatch.setattr("sesahand.generate.planned.LOCK_WAIT", 0.1)
    write_plan(folder, folder / "mini.safetensors", "eight.toml", pairs=8)
    with PairWriter(folder / "held" / "shard_00000"):
        assert make(folder, "held", plan="eight.toml") == 2
    said = capsys.readouterr().err
    assert "Somebody else is writing to" in said and "--part gives each process shards of its own" in said


def test_what_another_process_made_meanwhile_is_not_called_missing(folder, capsys, monkeypatch):
    write_plan(folder, folder / "mini.safetensors", "eight.toml", pairs=8)
    alone = generate_plan.pairs_of

    def overtaken(*given):
        assert len([*alone(*given)]) == 8
        return iter(())

    monkeypatch.setattr(generate_plan, "pairs_of", overtaken)
    assert make(folder, "overtaken", plan="eight.toml") == 0
    said = capsys.readouterr()
    assert "0 pairs made; 0 of this part are missing" in said.out and "it has made 8 of this part's pairs" in said.err
    monkeypatch.setattr(generate_plan, "pairs_of", lambda *given: iter(()))
    assert make(folder, "missing", plan="eight.toml") == 1 and "8 of this part are missing" in capsys.readouterr().out


def test_where_no_cluster_answers_it_is_said_before_ray_is_asked():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{server.getsockname()[1]}"
        # Nobody listens.
        for address in (place, f"ray://{place}"):
            with pytest.raises(SesaHandError, match=f"No Ray cluster answers at {address} .*ray start --head"):
                check_address(address)
        server.listen()
        for address in (place, "auto", ""):
            check_address(address)


def test_commands_read_a_planned_set_as_one(folder, tmp_path, capsys):
    whole = str(folder / "whole")
    assert main(["dataset", "check", whole]) == 0 and main(["dataset", "stats", whole]) == 0
    assert main(["dataset", "merge", whole, "--out", str(tmp_path / "one")]) == 0
    assert [pair.key for pair in PairSets([tmp_path / "one"])] == [numbered_key(number) for number in range(20)]
    one, unlike, tars = (str(tmp_path / name) for name in ("one", "unlike", "tars"))
    assert main(["dataset", "dedupe", whole, one, "--out", unlike]) == 0
    assert "20 of 40 pairs" in capsys.readouterr().out
    assert main(["dataset", "split", unlike, "--out", str(tmp_path), "--share", "train=3", "test=1"]) == 0
    assert sum(len(PairSets([tmp_path / name])) for name in ("train", "test")) == 20
    assert main(["dataset", "export", whole, "--format", "webdataset", "--out", tars]) == 0
    assert "20 pairs written" in capsys.readouterr().out
    both = PairSets([whole, tmp_path / "one"])
    assert (
        len({pair.key for pair in both}) == 40 and both[19].key == "whole_00000019" and both[20].key == "one_00000000"
    )
    assert [both[number].key for number in range(40)] == [pair.key for pair in both]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("A woman waves",), "leave out sentences"),
        (("--count", "3"), "leave out count"),
        (("--part", "0/2"), "--part is K/N"),
        (("--part", "rank"), "RANK and WORLD_SIZE"),
        (("--part", "1/2", "--ray"), "leave out --part or --ray"),
    ],
)
def test_what_does_not_go_with_a_plan_is_told(folder, more, said, capsys, monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    assert make(folder, "refused", *more) == 2
    assert said in capsys.readouterr().err and not (folder / "refused").exists()


def test_a_rank_makes_its_part(folder, capsys, monkeypatch):
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert make(folder, "ranked", "--part", "rank") == 0
    assert [path.name for path in open_shards(folder / "ranked").sets()] == ["shard_00002"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"captoins": "a"}, "Did you mean captions?"),
        ({"pairs": 0}, "expected a whole number from 1"),
        ({"pairs": "many"}, "expected a whole number"),
        ({"batch_size": 3}, "choose 6"),
        ({"vary": ["colour"]}, "choose of view"),
        ({"steps": 0}, "steps is 0"),
        ({"lambda": 2}, "from 0 to 1"),
        ({"sampler": []}, "choose one of ddim"),
        ({"pair_maps": ["heat"]}, "no map 'heat'"),
    ],
)
def test_a_wrong_plan_is_told_by_its_key(tmp_path, values, said):
    with pytest.raises(SesaHandError, match="plan.toml: ") as error:
        read_plan(write_plan(tmp_path, "embedded", **values))
    assert said in str(error.value)


def test_a_caption_without_a_gesture_is_told_before_anything_is_made(tmp_path, capsys):
    write_plan(tmp_path, "embedded", captions=[CAPTIONS[0], "A red house by the sea"])
    assert make(tmp_path, "set") == 2
    assert "Caption 2 of the plan" in capsys.readouterr().err and not (tmp_path / "set").exists()


def test_what_differs_of_a_strangers_plan_is_told_in_few_words(folder, tmp_path, capsys):
    make_shards(read_plan(folder / "plan.toml").shards(tmp_path / "set"))
    path = tmp_path / "set/shards.json"
    said = json.loads(path.read_text())
    said["plan"] |= {f"{'k' * 200}{number}": 1 for number in range(2000)}
    path.write_text(json.dumps(said))
    assert main(["generate", "--plan", str(folder / "plan.toml"), "--pairs", str(tmp_path / "set"), "--status"]) == 2
    told = capsys.readouterr().err
    assert "1990 more differ" in told and len(told) < 2000


def test_captions_decide_on_a_plan_by_their_words_and_order():
    one = Plan(CAPTIONS, 10).to_dict()
    assert one == Plan(CAPTIONS, 20, shard_size=16).to_dict() != Plan(CAPTIONS[::-1], 10).to_dict()


def test_a_killed_and_resumed_run_on_ray_is_one_run_record_for_record(folder):
    pytest.importorskip("ray", reason="needs ray[data]")
    write_plan(folder, folder / "mini.safetensors", "eight.toml", pairs=8, batch_size=2)
    command = [sys.executable, "-m", "sesahand", "generate", "--plan", folder / "eight.toml", "--device", "cpu"]
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    subprocess.run([*command, "--pairs", folder / "one"], env=surroundings, check=True, timeout=120)
    on_ray = [*command, "--ray", "--pairs", folder / "ray"]
    first = subprocess.Popen(on_ray, env=surroundings)
    shards, end = read_plan(folder / "eight.toml").shards(folder / "ray"), time.monotonic() + 240
    while len(shards.missing(0)) == 8 and time.monotonic() < end:
        time.sleep(0.02)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert 0 < len(shards.missing(0)) < 8, "the kill did not come in the middle"
    # A stranger's folder, whose modules nobody asked for; the model's path is one from there.
    (folder / "strange").mkdir()
    (folder / "strange/sesahand.py").write_text("import pathlib; pathlib.Path(__file__).with_name('ran').touch()")
    subprocess.run([on_ray[0], "-P", *on_ray[1:]], env=surroundings, cwd=folder / "strange", check=True, timeout=240)
    assert not (folder / "strange/ran").exists()
    assert shards.missing(0) == [] and records(folder / "ray") == records(folder / "one")
