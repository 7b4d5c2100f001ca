"""Taking stock of a set: what is in it, what is wrong with it, and putting that right."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import InvalidFileError, SesaHandError
from ..files.folders import delete_file, inside, is_file, is_folder, list_folder
from ..files.locks import WriterLock
from ..files.reading import read_lines
from ..files.writing import write_with
from .index import MAX_LINE, key_of
from .layout import (
    FOLDER,
    INDEX,
    LOCK,
    PICTURE_SUFFIXES,
    SAMPLE_FILE,
    UNFINISHED,
    check_header,
    folder_name,
)
from .pair_set import Pair, PairSet
from .record import PairRecord

SCORE_BINS = 10
# A report names no more of a kind than this.
MAX_NAMED = 10
# Of a folder's number that a record can name, see `record.MAX_FOLDER`.
MOST_DIGITS = 8


@dataclass
class Statistics:
    """What is in a set, from its index alone.

    Attributes:
        pairs: Number of pairs.
        sides: Number of hands by side.
        hands_per_pair: Number of pairs by number of hands.
        gestures: Number of pairs by gesture, of those that have one.
        models: Number of pairs by hand model.
        sizes: Number of pairs by (width, height).
        pictures: Number of pairs by file format.
        maps: Number of pairs that have each map.
        scores: Number of pairs by tenth of the score, the last including 1; `None` for those without.
        prompts: Pairs with a prompt.
        semantics: Pairs with semantics.
        hand_sizes: Longer side of every hand's box as a part of the picture's shorter side, by tenth, the last "1+".
        objects: Number of objects that are held, by name.
    """

    pairs: int = 0
    sides: Counter = field(default_factory=Counter)
    hands_per_pair: Counter = field(default_factory=Counter)
    gestures: Counter = field(default_factory=Counter)
    models: Counter = field(default_factory=Counter)
    sizes: Counter = field(default_factory=Counter)
    pictures: Counter = field(default_factory=Counter)
    maps: Counter = field(default_factory=Counter)
    scores: Counter = field(default_factory=Counter)
    prompts: int = 0
    semantics: int = 0
    hand_sizes: Counter = field(default_factory=Counter)
    objects: Counter = field(default_factory=Counter)


def gather_statistics(pairs: Iterable[Pair]) -> Statistics:
    """Count what is in the index of a set."""
    found = Statistics()
    for pair in pairs:
        record, facts = pair.record, pair.facts
        found.pairs += 1
        found.sides.update(hand.side for hand in record.hands)
        found.hands_per_pair[len(record.hands)] += 1
        found.gestures.update([facts.gesture] if facts.gesture else [])
        found.models[record.hand_model] += 1
        found.sizes[record.width, record.height] += 1
        found.pictures[record.picture] += 1
        found.maps.update(record.maps)
        found.scores[None if facts.score is None else min(int(facts.score * SCORE_BINS), SCORE_BINS - 1)] += 1
        found.prompts += bool(facts.prompt)
        found.objects.update(held.name for held in record.objects)
        found.semantics += facts.semantics is not None
        for hand in record.hands:
            left, top, right, bottom = hand.box
            part = max(right - left, bottom - top) / min(record.width, record.height)
            # A record is foreign: its numbers are finite, and their difference need not be.
            found.hand_sizes[int(min(max(part * 10, 0.0), 10.0))] += 1
    return found


def find_strays(pairs: PairSet) -> dict[str, list[Path]]:
    """Find files that belong to no pair of a set.

    Returns:
        "partial": files that a stopped writer had not finished. "orphan": whole files of samples that are not in the
        index, which a writer writes over when their key comes again. "foreign": what no writer of pairs makes, links
        and folders among it: they may be anything, and are left alone.
    """
    strays: dict[str, list[Path]] = {"partial": [], "orphan": [], "foreign": []}
    homes = np.fromiter((pair.record.folder for pair in pairs), np.int64)
    in_order = np.argsort(homes, kind="stable")
    for folder in list_folder(pairs.root):
        if UNFINISHED.fullmatch(folder.name) and is_file(folder):
            strays["partial"].append(folder)
        if not FOLDER.fullmatch(folder.name):
            continue
        if not is_folder(folder):
            strays["foreign"].append(folder)
            continue
        number = int(folder.name[-MOST_DIGITS:])
        first, last = np.searchsorted(homes, (number, number + 1), sorter=in_order)
        known = names_of(pairs, in_order[first:last]) if folder.name == folder_name(number) else set()
        for path in list_folder(pairs.root, folder.name):
            match = SAMPLE_FILE.fullmatch(path.name)
            if UNFINISHED.fullmatch(path.name) and is_file(path):
                strays["partial"].append(path)
            elif match is None or not is_file(path):
                strays["foreign"].append(path)
            elif path.name not in known:
                strays["orphan"].append(path)
    return strays


def names_of(pairs: PairSet, numbers: Iterable[int]) -> set[str]:
    """Return the names of the files of some pairs of a set."""
    records = (pairs[number].record for number in numbers)
    return {f"{record.key}.{ending}" for record in records for ending in endings_of(record)}


def endings_of(record: PairRecord) -> tuple[str, ...]:
    """Return what the names of a sample's files end with, behind its key and a dot."""
    return record.picture, "npz", *(f"{name}.png" for name in record.maps)


def find_damage(pairs: PairSet) -> Iterator[str | None]:
    """Read every file of every pair; yields for each pair what is wrong with it, or None."""
    for number in range(len(pairs)):
        try:
            pair = pairs[number]
            for kind in (pair.record.picture, *pair.record.maps):
                pair.levels(kind)
            _ = pair.parameters
        except SesaHandError as error:
            yield str(error)
        else:
            yield None


def repair(root: str | Path, damaged: Iterable[str] = ()) -> list[str]:
    """Leave only what is whole in a set, while nobody writes to it.

    Lines of the index that hold no record, or a key a second time, are dropped, and so are the pairs named in
    `damaged`; then unfinished files and those of no pair are deleted. Files that no writer of pairs makes are kept.

    Args:
        root: Folder of the set.
        damaged: Keys of pairs to drop.

    Returns:
        What was done, a line each.

    Raises:
        SesaHandError: If somebody writes to the set, or it cannot be changed.
    """
    root = Path(root)
    check_header(root)
    lock = WriterLock(root / LOCK)
    try:
        done = _rewrite_index(root, set(damaged))
        pairs = PairSet(root)
        for kind, paths in find_strays(pairs).items():
            if kind == "foreign":
                continue
            for path in paths:
                delete_file(pairs.root, *path.relative_to(pairs.root).parts)
            done += [f"deleted {len(paths)} {kind} files"] if paths else []
        return done
    except OSError as error:
        raise SesaHandError(
            f"{root!s:.200} cannot be repaired: {error!s:.200}. Check that you may write there and that nothing else "
            "has its files open."
        ) from error
    finally:
        lock.release()


def _rewrite_index(root: Path, damaged: set[str]) -> list[str]:
    path = inside(root, INDEX)
    if not path.exists():
        return []
    # Read before it is written: a sound index stays as it is, and any may be larger than memory.
    lines = sum(1 for _ in read_lines(path, follow=False, longest=MAX_LINE))
    kept = sum(1 for _ in _sound_lines(path, damaged))
    if kept == lines:
        return []
    write_with(path, lambda file: file.writelines(_sound_lines(path, damaged)))
    return [f"dropped {lines - kept} of {lines} lines of the index"]


def _sound_lines(path: Path, damaged: set[str]) -> Iterator[bytes]:
    """Yield the lines that hold a record whose key has not come before and is not `damaged`."""
    seen = set(damaged)
    for line in read_lines(path, follow=False, longest=MAX_LINE):
        key = key_of(line) if line.endswith(b"}\n") else ""
        if key and key not in seen and _is_record(line):
            seen.add(key)
            yield line


def _is_record(line: bytes) -> bool:
    try:
        PairRecord.from_line(line, "")
    except InvalidFileError:
        return False
    return True


def describe(statistics: Statistics) -> str:
    """Return the statistics as text for people."""
    pairs = statistics.pairs
    hands = sum(statistics.sides.values())
    lines = [f"{pairs} pairs, {hands} hands ({_counts(statistics.sides)})"]
    if not pairs:
        return lines[0]
    lines.append(f"hands in a picture: {_counts(statistics.hands_per_pair)}")
    sizes = {f"{width}x{height}": count for (width, height), count in statistics.sizes.items()}
    lines.append(f"pictures: {_counts(sizes)}; {_counts(statistics.pictures, PICTURE_SUFFIXES)}")
    lines.append(f"hand models: {_counts(statistics.models)}")
    lines.append(f"maps: {_counts(statistics.maps)}")
    lines.append(f"with a prompt: {statistics.prompts}; with semantics: {statistics.semantics}")
    lines.append(f"gestures: {_counts(statistics.gestures)}")
    lines += [f"held objects: {_counts(statistics.objects)}"] if statistics.objects else []
    names = {bin: f"{bin / 10:.1f}-{bin / 10 + 0.1:.1f}" for bin in range(SCORE_BINS)}
    lines += _histogram("score", statistics.scores, {None: "none", **names})
    lines += _histogram("hand size, part of the picture", statistics.hand_sizes, {**names, 10: "1.0+"})
    return "\n".join(lines)


def _counts(counter: dict, order: Iterable | None = None) -> str:
    entries = sorted(counter.items(), key=lambda entry: (-entry[1], str(entry[0]))) if order is None else [
        (name, counter[name]) for name in order if counter.get(name)
    ]  # fmt: skip
    more = f", and {len(entries) - 40} more" if len(entries) > 40 else ""
    return ", ".join(f"{name}: {count}" for name, count in entries[:40]) + more if entries else "none"


def _histogram(title: str, counter: Counter, names: dict) -> list[str]:
    most = max(counter.values(), default=0)
    rows = [(name, counter[bin]) for bin, name in names.items() if counter[bin]]
    return [f"{title}:", *(f"  {name:8} {count:7}  {'#' * -(-40 * count // most)}" for name, count in rows)]
