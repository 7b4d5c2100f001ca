"""Shards as the package `webdataset` reads them: tars in which the files of a sample stand together.

`KEY.png` or `KEY.jpg` is the picture, `KEY.MAP.png` each stored map, `KEY.npz` the hands (see `hand_arrays`), and
`KEY.json` the pair's record, all as they are in the set. 1000 pairs a shard; `shards.json` lists them with their
counts, and is written last.

Source: the webdataset format, https://github.com/webdataset/webdataset.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from ...files.reading import read_bytes
from ...files.writing import write_whole
from ..check import endings_of
from ..pair_set import Pair
from ..picture_files import MAX_PICTURE_BYTES
from .tars import write_tar

SAMPLES_PER_SHARD = 1000
LIST = "shards.json"


def export(pairs: Iterable[Pair], out: Path) -> tuple[int, int]:
    """Write shards into `out`; return how many pairs were written and left out, which none is."""
    source = iter(pairs)
    counts: dict[str, int] = {}
    while some := list(islice(source, 1)):
        together = chain(some, islice(source, SAMPLES_PER_SHARD - 1))
        name = f"{len(counts):06d}.tar"
        counts[name] = write_tar(out / name, map(files_of, together))
    write_whole(out / LIST, json.dumps(counts, indent=1).encode() + b"\n")
    return sum(counts.values()), 0


def files_of(pair: Pair) -> Iterator[tuple[str, bytes]]:
    """Yield the names of a sample's files and what is in them; the record comes first.

    Raises:
        InvalidFileError: If a file is damaged: who reads the shards would stop there.
    """
    record = json.loads(pair.record.to_line())
    yield f"{pair.key}.json", json.dumps({**record, "key": pair.key}).encode()
    for kind in (pair.record.picture, *pair.record.maps):
        pair.levels(kind)
    _ = pair.parameters
    for ending in endings_of(pair.record):
        yield f"{pair.key}.{ending}", read_bytes(pair.path(ending.removesuffix(".png")), MAX_PICTURE_BYTES)
