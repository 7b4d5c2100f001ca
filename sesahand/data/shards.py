"""A planned set: shards of numbered pairs, each a set of its own, and the plan that says what belongs into them.

::

    SET/shards.json        {"format": "sesahand-shards", "version": 1, "count": N, "size": S, "plan": {...}}
    SET/shard_00000/       the pairs 0 to S - 1, a set as `layout` describes it; a pair's key is its number
    SET/shard_00001/       the pairs S to 2 S - 1

Shards have one writer each, so that many processes and machines can work on one planned set.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ..errors import InvalidFileError, SesaHandError, quote, some_of
from ..files.folders import inside, list_folder
from ..files.reading import read_json
from ..files.writing import write_whole
from .index import MOST_PAIRS, read_index
from .layout import HEADER, SAMPLES_PER_FOLDER, numbered_key

FORMAT, VERSION = "sesahand-shards", 1
SHARDS = "shards.json"
MAX_BYTES = 1 << 20
SHARD = re.compile(r"shard_([0-9]{5,8})")
OWN = re.compile(rf"\.|shards\.json$|{SHARD.pattern}$")


@dataclass(frozen=True)
class Shards:
    """The shards of a planned set.

    Attributes:
        root: Folder of the set.
        count: How many pairs are planned.
        size: Pairs of each shard; the last one may have fewer.
        plan: What the pairs are made by, as JSON knows it.
    """

    root: Path
    count: int
    size: int
    plan: Mapping[str, Any]

    def __post_init__(self):
        if type(self.count) is not int or not 1 <= self.count <= MOST_PAIRS:
            raise SesaHandError(f"count is {quote(self.count)}, expected a whole number from 1 to {MOST_PAIRS}.")
        if type(self.size) is not int or not 1 <= self.size <= SAMPLES_PER_FOLDER:
            raise SesaHandError(f"size is {quote(self.size)}, expected a whole number from 1 to {SAMPLES_PER_FOLDER}.")

    def __len__(self) -> int:
        return -(-self.count // self.size)

    def path(self, shard: int) -> Path:
        """Return the folder of a shard.

        Raises:
            InvalidFileError: If it is a link: whoever writes into a set or repairs it would do so elsewhere.
        """
        return inside(self.root, shard_name(shard))

    def numbers(self, shard: int) -> range:
        """Return the numbers of the pairs that belong into a shard."""
        return range(shard * self.size, min((shard + 1) * self.size, self.count))

    def missing(self, shard: int) -> list[int]:
        """Return the numbers of the pairs that a shard lacks, in order.

        Raises:
            InvalidFileError: If its index is damaged before its end.
        """
        numbers = self.numbers(shard)
        if not self._has_begun(shard):
            return [*numbers]
        # Of an index that names more than belongs there, no more is kept.
        left = {numbered_key(number): number for number in numbers}
        for key in read_index(self.path(shard)).keys():
            left.pop(key, None)
        return [*left.values()]

    def begun(self) -> list[int]:
        """Return the numbers of the shards that there are, in order, in a time that does not grow with those planned.

        Raises:
            InvalidFileError: If one is a link, or the folder cannot be read.
        """
        try:
            named = [match for path in list_folder(self.root) if (match := SHARD.fullmatch(path.name))]
        except OSError as error:
            raise InvalidFileError(f"{self.root!s:.200} cannot be read ({error!s:.120}). Check the path.") from error
        shards = sorted(int(match[1]) for match in named if match[0] == shard_name(int(match[1])))
        return [shard for shard in shards if shard < len(self) and self._has_begun(shard)]

    def made(self, part: tuple[int, int] = (0, 1)) -> dict[int, int]:
        """Return how many pairs there are in each shard of a part that has been begun; `make_part` says what a part is.

        Raises:
            InvalidFileError: As of `begun` and `missing`.
        """
        begun = (shard for shard in self.begun() if shard % part[1] == part[0])
        return {shard: len(self.numbers(shard)) - len(self.missing(shard)) for shard in begun}

    def planned(self, part: tuple[int, int] = (0, 1)) -> int:
        """Return how many pairs belong into the shards of a part."""
        shards = range(part[0], len(self), part[1])
        last = len(self) - 1
        return len(shards) * self.size - (self.size - len(self.numbers(last))) * (last in shards)

    def sets(self) -> list[Path]:
        """Return the folders of the shards that there are, in order; raises as `begun` does."""
        return [self.path(shard) for shard in self.begun()]

    def _has_begun(self, shard: int) -> bool:
        return inside(self.root, shard_name(shard), HEADER).is_file()


def shard_name(shard: int) -> str:
    """Return the name of a shard's folder."""
    return f"shard_{shard:05d}"


def open_shards(root: str | Path) -> Shards:
    """Read what a planned set says of itself.

    Raises:
        InvalidFileError: If it is no planned set, or of another version.
    """
    path = inside(Path(root), SHARDS)
    data = read_json(path, MAX_BYTES, follow=False)
    if not isinstance(data, dict) or data.get("format") != FORMAT or data.get("version") != VERSION:
        raise InvalidFileError(f"{path} is no {FORMAT!r} of version {VERSION}. Give the folder of a planned set.")
    try:
        if not isinstance(data.get("plan"), dict):
            raise SesaHandError(f"plan is {quote(data.get('plan'))}, expected an object.")
        # Shards itself looks at the two numbers.
        count, size = (cast(int, data.get(name)) for name in ("count", "size"))
        return Shards(Path(root), count, size, data["plan"])
    except SesaHandError as error:
        raise InvalidFileError(f"{path}: {error}") from error


def find_begun(wanted: Shards) -> Shards:
    """Return what a planned set says of itself, once it is known that a plan goes on with it; it may be smaller.

    Raises:
        InvalidFileError: As of `open_shards`.
        SesaHandError: If it was begun by another plan.
    """
    found = open_shards(wanted.root)
    changed = [name for name in {*found.plan, *wanted.plan} if found.plan.get(name) != wanted.plan.get(name)]
    changed += ["shard_size"] * (found.size != wanted.size) + ["pairs"] * (found.count > wanted.count)
    if changed:
        raise SesaHandError(
            f"{wanted.root!s:.200} was begun by another plan: {some_of(sorted(changed))} differ. Take the plan that "
            "it was begun by, of which only pairs may grow, or a new folder."
        )
    return found


def make_shards(wanted: Shards) -> Shards:
    """Make a planned set, or go on with the one that is there; it may be planned larger than it was.

    Raises:
        SesaHandError: If the folder holds something else or another plan, or cannot be written to.
    """
    root, path = wanted.root, wanted.root / SHARDS
    if path.exists():
        found = find_begun(wanted)
        if found.count == wanted.count:
            return found
    try:
        # Others that begin with it at the same time may have written the same already.
        if root.is_dir() and any(not OWN.match(entry.name) for entry in root.iterdir()):
            raise SesaHandError(f"{root!s:.200} holds other files and is no planned set; choose a new or empty folder.")
        root.mkdir(parents=True, exist_ok=True)
        about = {"format": FORMAT, "version": VERSION, "count": wanted.count, "size": wanted.size, "plan": wanted.plan}
        write_whole(path, json.dumps(about, indent=1).encode() + b"\n")
    except (OSError, ValueError) as error:
        raise SesaHandError(f"{root!s:.200} cannot be made a planned set: {error!s:.200}. Choose another.") from error
    return wanted


def sets_in(roots: Sequence[str | Path]) -> Iterator[tuple[Path, list[Path]]]:
    """Yield each folder with the sets in it: of a planned set its shards, else the folder itself."""
    for root in map(Path, roots):
        yield root, open_shards(root).sets() if (root / SHARDS).is_file() else [root]
