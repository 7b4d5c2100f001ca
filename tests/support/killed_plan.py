"""Makes a planned set in a child that is killed again and again, and reports how many pairs there were each time.

python killed_plan.py PACKAGE_ROOT PLAN SET SEED
"""

import json
import os
import random
import signal
import sys
import traceback
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [sys.argv[1], os.path.dirname(os.path.abspath(__file__))]

from sesahand.data.shards import make_shards  # noqa: E402
from sesahand.generate.plan import read_plan  # noqa: E402
from sesahand.generate.planned import Examiner, Painter, make_pairs, make_part  # noqa: E402


def kill_at_step(step: int, root: Path) -> None:
    """Kill this process just before its `step`-th opening, renaming, making or deleting of a file of the set."""
    steps = iter(range(1, step))

    def count(event: str, arguments: tuple) -> None:
        changes = event in ("open", "os.rename", "os.mkdir", "os.remove", "os.truncate")
        if changes and str(arguments[0]).startswith(str(root)) and next(steps, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def start(painter: Painter, root: Path, step: int, part: tuple[int, int]) -> int:
    """Fork a child that makes one part, and return its number."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            kill_at_step(step, root)
            for _ in make_part(painter, make_shards(painter.plan.shards(root)), part):
                pass
            status = 0
        except BaseException:
            traceback.print_exc()
        os._exit(status)
    return child


def main() -> None:
    plan, root, chance = read_plan(sys.argv[2]), Path(sys.argv[3]), random.Random(int(sys.argv[4]))
    painter = Painter(plan, "cpu")
    # What is loaded when it is first needed is loaded before the forks.
    next(make_pairs(painter, Examiner(plan, painter.sampled, None, painter.jobs), [0]))
    shards, found = plan.shards(root), []
    while True:
        # Another way to share it out each time: what is missing is anybody's.
        parts = chance.choice([1, 2, 3])
        child = start(painter, root, chance.randint(1, 70), (chance.randrange(parts), parts))
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status):
            raise SystemExit("a child failed")
        found.append(shards.count - sum(len(shards.missing(shard)) for shard in range(len(shards))))
        if found[-1] == shards.count:
            sys.stdout.write(json.dumps(found) + "\n")
            return


if __name__ == "__main__":
    main()
