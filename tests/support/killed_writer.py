"""Writes a set of pairs in a child that is killed again and again, and reports what was left each time, as JSON.

python killed_writer.py PACKAGE_ROOT SET TOTAL SEED
"""

import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback

if __name__ == "__main__":
    sys.path[:0] = [sys.argv[1], os.path.dirname(os.path.abspath(__file__))]

from pair_scenes import make_facts, make_picture, make_scene  # noqa: E402

from sesahand.data.check import find_damage, find_strays  # noqa: E402
from sesahand.data.pair_set import PairSet  # noqa: E402
from sesahand.data.writer import PairWriter  # noqa: E402

SIDES = ((), ("right",), ("left", "right"))


def write(root: str, total: int) -> None:
    """Write what is missing of a set of `total` pairs."""
    with PairWriter(root) as writer:
        for number in range(total):
            key = f"sample_{number:04d}"
            if key not in writer:
                picture = make_picture(number)
                writer.add(picture, make_scene(number, SIDES[number % 3]), make_facts(number), {"mesh": picture}, key)


def inspect(root: str) -> dict:
    """Return what a reader finds after a kill."""
    pairs = PairSet(root)
    strays = find_strays(pairs)
    return {
        "pairs": len(pairs),
        "in order": pairs.keys == [f"sample_{number:04d}" for number in range(len(pairs))],
        "damage": [fault for fault in find_damage(pairs) if fault],
        "torn": pairs.index.torn,
        **{kind: len(paths) for kind, paths in strays.items()},
    }


def kill_at_step(step: int) -> None:
    """Kill this process just before its `step`-th opening, renaming, making or deleting of a file."""
    steps = iter(range(1, step))

    def count(event: str, arguments: tuple) -> None:
        if event in ("open", "os.rename", "os.mkdir", "os.remove", "os.truncate") and next(steps, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def start_writer(root: str, total: int, step: int | None) -> int:
    """Fork a child that writes, and return its number."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if step is not None:
                kill_at_step(step)
            write(root, total)
            status = 0
        except BaseException:
            traceback.print_exc()
        os._exit(status)
    return child


def main() -> None:
    root, total, chance = sys.argv[2], int(sys.argv[3]), random.Random(int(sys.argv[4]))
    # How long a sample takes depends on what else the machine does.
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        write(os.path.join(folder, "set"), 3)
    second = time.perf_counter() - begin
    kills = []
    while True:
        by_time = len(kills) % 3 == 2
        child = start_writer(root, total, None if by_time else chance.randint(1, 40))
        if by_time:
            time.sleep(chance.uniform(0, second))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            report = {"status": os.WEXITSTATUS(status), "kills": kills, "end": inspect(root)}
            sys.stdout.write(json.dumps(report) + "\n")
            return
        kills.append(inspect(root) if os.path.exists(os.path.join(root, "pairs.json")) else {})


if __name__ == "__main__":
    main()
