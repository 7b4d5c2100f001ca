"""Use the pack for hours, as no test can, and see what it leaves behind.

    python tools/long_use.py graphs              every workflow 200 times in one server: memory, open files, threads;
                                                 core_alone is a graph without any node of this pack, to compare with
    python tools/long_use.py cancel              every workflow with a sampler, cancelled at 20 random moments
    python tools/long_use.py kill generate       killed at 30 random moments: nothing that was reported may be lost
    python tools/long_use.py kill export | train | save-pair

    --core floor|current   --times N   --only WORKFLOW ...   --picture FILE   --seed N   --forget

`--forget` empties the server's history after each run, which otherwise keeps every graph and what it showed.

Samplers take one step, and every run another seed, view and picture, so that nothing comes from a cache but what is
loaded. `--picture` is what Load Image shows, such as a photograph of a hand. The exit code is 1 if anything was lost,
and what `graphs` measures is for the reader to judge.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from comfy_server import NodeFailed, Servers  # noqa: E402
from detector_files import detector_folder  # noqa: E402
from PIL import Image  # noqa: E402

import workflows  # noqa: E402

NAMES = ["core_alone", *workflows.NAMES]
# No node of this pack: what a server keeps of any run, its history above all.
CORE_ALONE = {
    "1": {"class_type": "EmptyImage", "inputs": {"width": 128, "height": 128, "batch_size": 1, "color": 0}},
    "2": {
        "class_type": "ImageScale",
        "inputs": {"image": ["1", 0], "upscale_method": "bicubic", "width": 384, "height": 384, "crop": "disabled"},
    },
    "3": {"class_type": "PreviewImage", "inputs": {"images": ["2", 0]}},
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("graphs", "cancel", "kill"))
    parser.add_argument("victim", nargs="?", choices=sorted(VICTIMS), help="what is killed")
    parser.add_argument("--core", default="current", choices=("floor", "current"))
    parser.add_argument("--times", type=int, help="200 runs, 20 cancellations, 30 kills unless named")
    parser.add_argument("--only", nargs="+", default=NAMES, choices=NAMES)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--forget", action="store_true")
    options = parser.parse_args()
    detector_folder()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.what == "kill":
            return VICTIMS[options.victim](folder, random.Random(options.seed), options.times or 30)
        with Servers(folder) as servers:
            server = servers.get(options.core)
            if options.what == "graphs":
                return run_graphs(server, options.only, options.picture, options.times or 200, options.forget)
            return cancel(server, options.only, random.Random(options.seed), options.times or 20)


# Use -------------------------------------------------------------------------------------------------------------


def changed(api: dict, run: int) -> dict:
    """Return a graph whose every part that can be computed anew is: other noise, another view, another picture."""
    api = json.loads(json.dumps(api))
    for node in api.values():
        inputs = node["inputs"]
        match node["class_type"]:
            case "KSampler":
                inputs["steps"] = 1
                inputs["seed"] = run if not isinstance(inputs["seed"], list) else inputs["seed"]
            case "EmptyImage":
                inputs["color"] = run
            case "PrimitiveInt":
                inputs["value"] = run
            case "SesaHandPlaceHand":
                inputs["yaw"] = inputs["yaw"] + run % 100 / 100
            case "LoadImage":
                inputs["image"] = f"long_use_{run % 2}.png"
            case "EmptyLatentImage" if not isinstance(inputs["width"], list):
                inputs.update(width=min(inputs["width"], 128), height=min(inputs["height"], 128))
    return api


def run_graphs(server, names: list[str], picture: Path | None, times: int, forget: bool) -> int:
    """Run each workflow again and again in one server and print what the server holds."""
    shown = Image.open(picture or server.folder / "input" / "example.png").convert("RGB")
    shown.thumbnail((512, 512))
    print("workflow | runs | s a run | MB first tenth | MB last tenth | kB a run, last half | files | threads")
    for name in names:
        api = CORE_ALONE if name == "core_alone" else workflows.read_api(name)
        held, started = [], time.monotonic()
        for run in range(times):
            # Another picture each time: Load Image looks at what is in the file.
            shown.putpixel((0, 0), (run % 256, run // 256, 0))
            shown.save(server.folder / "input" / f"long_use_{run % 2}.png")
            server.run(changed(api, run))
            if forget:
                post(server, "/history", {"clear": True})
            held.append(holdings(server.process.pid))
        memory = [h["kB"] for h in held]
        tenth = max(1, times // 10)
        first, last = (statistics.median(part) / 1024 for part in (memory[:tenth], memory[-tenth:]))
        half = memory[times // 2 :]
        slope = statistics.linear_regression(range(len(half)), half).slope if len(half) > 1 else 0.0
        files, threads = (f"{held[0][kind]} to {held[-1][kind]}" for kind in ("files", "threads"))
        each = (time.monotonic() - started) / times
        print(
            f"{name} | {times} | {each:.1f} | {first:.0f} | {last:.0f} | {slope:+.1f} | {files} | {threads}", flush=True
        )
    return 0


def post(server, path: str, what: dict) -> None:
    """Tell the server something."""
    request = urllib.request.Request(
        f"{server.url}{path}", json.dumps(what).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=60).close()


def holdings(process: int) -> dict:
    """Return what a process holds: resident kB, open files, threads (Linux)."""
    status = Path(f"/proc/{process}/status").read_text()
    value = {line.split(":")[0]: line.split()[1] for line in status.splitlines() if ":" in line and line.split()[1:]}
    files = len(list(Path(f"/proc/{process}/fd").iterdir()))
    return {"kB": int(value["VmRSS"]), "files": files, "threads": int(value["Threads"])}


# Cancel ----------------------------------------------------------------------------------------------------------


def cancel(server, names: list[str], chance: random.Random, times: int) -> int:
    """Cancel each workflow at random moments; what it makes afterwards must be what it made before."""
    faults = 0
    for name in [name for name in names if name in workflows.NAMES]:
        api = workflows.read_api(name)
        if not workflows.nodes_of(api, "KSampler"):
            continue
        started = time.monotonic()
        server.run(changed(api, 1))
        wanted, span = pictures(server.run(changed(api, 0))), time.monotonic() - started
        stopped = 0
        for round_ in range(times):
            server.queue(changed(api, round_ + 2))
            time.sleep(chance.uniform(0, span / 2))
            post(server, "/interrupt", {})
            server.wait_until(lambda: not any(server.get("/queue").values()), 300, "to stop")
            last = next(reversed(server.get("/history").values()))
            stopped += any(kind == "execution_interrupted" for kind, _ in last["status"]["messages"])
            try:
                same = pictures(server.run(changed(api, 0))) == wanted
            except NodeFailed as failure:
                print(f"{name}: after a cancelled run {failure}")
                same = False
            faults += not same
        print(f"{name}: {stopped} of {times} runs were caught; {faults} differences so far", flush=True)
    return 1 if faults else 0


def pictures(run) -> list[bytes]:
    """Return the pixels of all pictures that a run saved or showed."""
    return [
        image.tobytes() for node in sorted(run.outputs) if "images" in run.outputs[node] for image in run.images(node)
    ]


# Kill ------------------------------------------------------------------------------------------------------------


def killed_at_random(command: list[str], chance: random.Random, log: Path, whole: float) -> str:
    """Start a command, kill it at a random moment of its `whole` seconds, and return what it had reported."""
    with open(log, "wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT)
        try:
            process.wait(chance.uniform(0.2, 1.05) * whole)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return log.read_text(errors="replace")


def kill_repeatedly(command: list[str], look, folder: Path, chance: random.Random, times: int) -> int:
    """Kill a command at random moments and let `look(report)` name what is wrong afterwards."""
    started = time.monotonic()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    whole, faults = time.monotonic() - started, 0
    for round_ in range(times):
        report = killed_at_random(command, chance, folder / "report.txt", whole)
        wrong = look(report)
        faults += len(wrong)
        for what in wrong:
            print(f"kill {round_}: {what}")
    print(f"{times} kills within {whole:.0f} s: {faults} faults; {look.summary()}")
    return 1 if faults else 0


class Generated:
    """What `sesahand generate --pairs` leaves: every picture, record and pair whole, and none gone again."""

    def __init__(self, out: Path, pairs: Path):
        self.out, self.pairs, self.seen = out, pairs, set()

    def __call__(self, report: str) -> list[str]:
        from sesahand.data.check import find_damage
        from sesahand.data.pair_set import PairSet
        from sesahand.generate.record import read_record
        from sesahand.hands.loading import load_hand_model

        wrong, model = [], load_hand_model()
        for path in sorted(self.out.glob("*.png")):
            try:
                Image.open(path).load()
            except OSError as error:
                wrong.append(f"{path.name}: {error}")
        for path in sorted(self.out.glob("*_parameters.json")):
            try:
                read_record(path, model)
            except Exception as error:  # whatever it says, the record cannot be read
                wrong.append(f"{path.name}: {error}")
        pairs = PairSet(self.pairs)
        wrong += [fault for fault in find_damage(pairs) if fault]
        keys = set(pairs.keys)
        wrong += [f"pair {key} was there and is gone" for key in self.seen - keys]
        self.seen |= keys
        return wrong

    def summary(self) -> str:
        return f"{len(list(self.out.glob('*.png')))} pictures, {len(self.seen)} pairs"


def kill_generate(folder: Path, chance: random.Random, times: int) -> int:
    out, pairs = folder / "out", folder / "pairs"
    command = [sys.executable, "-m", "sesahand", "generate", "A right fist.", "A left hand makes an ok sign."]
    command += ["--count", "3", "--steps", "2", "--batch-size", "1", "--out", str(out), "--pairs", str(pairs)]
    return kill_repeatedly(command, Generated(out, pairs), folder, chance, times)


class Exported:
    """What an export had reported as written must be there and be readable."""

    def __init__(self):
        self.reported = 0

    def __call__(self, report: str) -> list[str]:
        import trimesh

        wrong = []
        paths = [Path(line.removeprefix("written ")) for line in report.splitlines() if line.startswith("written ")]
        for path in paths:
            try:
                if path.suffix == ".json":
                    json.loads(path.read_text())
                else:
                    trimesh.load(path)
            except Exception as error:  # whatever it says, the file cannot be read
                wrong.append(f"{path.name}: {error!r}")
        if paths:
            wrong += [f"left over: {p.name}" for p in paths[0].parent.iterdir() if not p.suffix and p.is_file()]
        self.reported += len(paths)
        return wrong

    def summary(self) -> str:
        return f"{self.reported} files reported as written"


CHILD = """
import sys
sys.path[:0] = {paths!r}
from long_use import export_all, train_toys
{call}
"""


def child(call: str) -> list[str]:
    """Return the command of a Python that runs one function of this file."""
    return [sys.executable, "-c", CHILD.format(paths=[str(ROOT / "tools"), str(ROOT)], call=call)]


def export_all(out: str) -> None:
    """Write a hand in every format, again and again over the same names, and report each file when it is done."""
    from sesahand.export.files import FORMATS, write_hands
    from sesahand.hands.loading import load_hand_model
    from sesahand.scene.camera import Camera
    from sesahand.scene.placing import Hand, place_in_box

    scene = place_in_box(Hand(load_hand_model()), Camera.from_fov(256, 256), (64, 64, 192, 192))
    for _ in range(5):
        for format, kind in FORMATS.items():
            name = Path(out) / f"{format.replace(' ', '_')}.{kind.ending}"
            for path in write_hands(scene, name, format):
                print(f"written {path}", flush=True)


def kill_export(folder: Path, chance: random.Random, times: int) -> int:
    (folder / "out").mkdir()
    return kill_repeatedly(child(f"export_all({str(folder / 'out')!r})"), Exported(), folder, chance, times)


def train_toys(out: str) -> None:
    """Train the small model in little."""
    sys.path.insert(0, str(ROOT / "tests" / "unit" / "training"))
    import torch
    from test_loop import config, toys

    from sesahand.training.small_model import MiniTraining

    torch.set_num_threads(1)
    if MiniTraining(config(Path(out)), make_samples=toys).run():
        print("finished", flush=True)


def kill_train(folder: Path, chance: random.Random, times: int) -> int:
    """Kill a training and go on with it until it ends, as often as it takes; it must end in the same weights."""
    sys.path.insert(0, str(ROOT / "tests" / "unit" / "training"))
    from test_loop import files_of, without_times

    started = time.monotonic()
    subprocess.run(child(f"train_toys({str(folder / 'whole')!r})"), check=True, stdout=subprocess.DEVNULL)
    whole, wanted = time.monotonic() - started, without_times(files_of(folder / "whole"))
    kills = trainings = faults = 0
    while kills < times:
        out = folder / f"killed_{trainings}"
        while True:
            report = killed_at_random(child(f"train_toys({str(out)!r})"), chance, folder / "report.txt", whole)
            if "finished" in report:
                break
            if "Traceback" in report:
                print(report)
                faults += 1
                break
            kills += 1
        trainings += 1
        faults += without_times(files_of(out)) != wanted
    print(f"{kills} kills in {trainings} trainings: {faults} faults")
    return 1 if faults else 0


def kill_save_pair(folder: Path, chance: random.Random, times: int) -> int:
    """Kill the server while it saves pairs; what it had told of must be in the set, and all of the set whole."""
    from sesahand.data.check import find_damage
    from sesahand.data.pair_set import PairSet

    api, told, faults = workflows.read_api("dataset_batch"), 0, 0
    [save] = workflows.nodes_of(api, "SesaHandSavePair")
    api[save]["inputs"]["minimum_score"] = 0.0
    with Servers(folder) as servers:
        server = servers.get("current")
        for round_ in range(times):
            if round_:
                server.__enter__()
            server.run(changed(api, 3 * round_))
            told += len(api_captions(api))
            for run in (1, 2):
                server.queue(changed(api, 3 * round_ + run))
            time.sleep(chance.uniform(0.0, 8.0))
            server.process.kill()
            server.process.wait()
            pairs = PairSet(server.folder / "output" / "pairs" / "dataset_batch")
            wrong = [fault for fault in find_damage(pairs) if fault]
            if len(pairs) < told:
                wrong.append(f"{told} pairs were told of, {len(pairs)} are there")
            for what in wrong:
                print(f"kill {round_}: {what}")
            faults += len(wrong)
            told = len(pairs)
            # Half an hour on a busy machine: who stops it knows what it had seen.
            print(f"{round_ + 1} kills of a server: {faults} faults in {told} pairs, each read again", flush=True)
    return 1 if faults else 0


def api_captions(api: dict) -> list[str]:
    """Return the sentences of a graph that makes a picture of each."""
    [extract] = workflows.nodes_of(api, "SesaHandExtractSemantics")
    return [line for line in api[extract]["inputs"]["caption"].splitlines() if line.strip()]


VICTIMS = {"generate": kill_generate, "export": kill_export, "train": kill_train, "save-pair": kill_save_pair}

if __name__ == "__main__":
    sys.exit(main())
