"""From a plan to tars: 2000 small pairs on Ray, killed in the middle and resumed, merged, filtered, deduped, exported.

    python docs/examples/plan/plan_to_tars.py [--out FOLDER] [--parts]

Each step is one line of the command `sesahand`, which is printed before it runs, with the seconds that it took. It
needs `pip install 'sesahand[ray]'` and `sesahand get-detector`; with --parts it does without Ray. The tars are read
back by the package `webdataset` if that is installed. FOLDER must be new.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path

from sesahand.cli import main as sesahand
from sesahand.generate.plan import read_plan

HERE = Path(__file__).resolve().parent
# The command without modules of the current folder, where a sesahand.py is not what is meant.
COMMAND = "import sys; sys.path[:] = filter(None, sys.path); from sesahand.cli import main; sys.exit(main())"


def tell(line: list[str]) -> None:
    print("$ sesahand", *line, flush=True)


def start(line: list[str]) -> subprocess.Popen:
    """Begin a command in a process of its own, which can be killed."""
    tell(line)
    return subprocess.Popen([sys.executable, "-c", COMMAND, *line])


def run(*line: object) -> None:
    """Run a command to its end, and say how long it took."""
    words, begin = [str(word) for word in line], time.monotonic()
    tell(words)
    if sesahand(words):
        raise SystemExit(f"{words[0]} failed")
    print(f"  {time.monotonic() - begin:.1f} s", flush=True)


def kill_in_the_middle(line: list[str], shards, of: int) -> int:
    """Begin to make a planned set, kill that without warning once so many are there, and return how many it left."""

    def there() -> int:
        return shards.count - sum(len(shards.missing(shard)) for shard in range(len(shards)))

    maker = start(line)
    while maker.poll() is None and there() < of:
        time.sleep(0.05)
    maker.kill()
    maker.wait()
    print(f"  killed; {there()} of {shards.count} pairs are there", flush=True)
    return there()


def read_back(tars: Path) -> str:
    """Count the samples of the tars that have a picture and a record, by the package that reads them in trainings."""
    wanted = sum(json.loads((tars / "shards.json").read_text()).values())
    if importlib.util.find_spec("webdataset") is None:
        return f"{wanted} pairs are listed; with the package webdataset they would be read back"
    import webdataset

    paths = [str(path) for path in sorted(tars.glob("*.tar"))]
    samples = webdataset.WebDataset(paths, shardshuffle=False).decode("rgb").to_tuple("png", "json")
    sizes = [picture.shape[:2] == (record["height"], record["width"]) for picture, record in samples]
    if len(sizes) != wanted or not all(sizes):
        raise SystemExit(f"webdataset reads {sum(sizes)} of {wanted} pairs")
    return f"webdataset reads all {wanted} pairs"


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("examples_out/plan"), help="folder to write into")
    parser.add_argument("--plan", type=Path, default=HERE / "plan.toml")
    parser.add_argument("--more", type=Path, default=HERE / "more.toml", help="plan of the set that is merged in")
    parser.add_argument("--parts", action="store_true", help="without Ray")
    options = parser.parse_args(words)
    out, begin = options.out, time.monotonic()
    plan = read_plan(options.plan)

    line = ["generate", "--plan", str(options.plan), "--pairs", str(out / "set"), *([] if options.parts else ["--ray"])]
    kill_in_the_middle(line, plan.shards(out / "set"), plan.pairs // 3)
    resumed, since = start(line), time.monotonic()
    if resumed.wait():
        raise SystemExit("the resumed run failed")
    print(f"  {time.monotonic() - since:.1f} s", flush=True)
    for part in ("1/2", "2/2"):
        run("generate", "--plan", options.more, "--pairs", out / "more", "--part", part)

    run("dataset", "merge", out / "set", out / "more", "--out", out / "all")
    good = out / "all"
    if plan.score:
        good = out / "good"
        run("dataset", "filter", out / "all", "--out", good, "--minimum-score", 0.4)
    run("dataset", "dedupe", good, "--out", out / "unlike")
    run("dataset", "split", out / "unlike", "--out", out / "parts", "--share", "train=0.9", "test=0.1")
    run("dataset", "check", out / "parts/train", out / "parts/test")
    run("dataset", "export", out / "parts/train", "--format", "webdataset", "--out", out / "tars")
    print(read_back(out / "tars"))
    print(f"{time.monotonic() - begin:.0f} s in all")


if __name__ == "__main__":
    main()
