"""Which samples a training has known, so that going on with others is noticed before anything is learnt from them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import SesaHandError

Names = Callable[[], Iterable[str]]


@dataclass(frozen=True)
class KnownSets:
    """The sets of a training; of samples only their names count, in the order in which they stand.

    Attributes:
        learnt: What is learnt from: each set's path, and what gives the names of its samples.
        held_out: Likewise what is held out as sets of its own.
        may_grow: Whether sets that are learnt from may have more at their end than before. Where that end is held out,
            what was held out until now would be learnt from.
    """

    learnt: tuple[tuple[str, Names], ...]
    held_out: tuple[tuple[str, Names], ...] = ()
    may_grow: bool = True

    @cached_property
    def facts(self) -> dict[str, Any]:
        """How many samples each set has, and a fingerprint of their names, for a checkpoint."""
        return {
            "learnt": [_fingerprint(names()) for _, names in self.learnt],
            "held_out": [_fingerprint(names()) for _, names in self.held_out],
        }

    def changes_since(self, before: Any, checkpoint: Path) -> list[str]:
        """Say which sets have grown since a checkpoint.

        Args:
            before: The facts that it keeps; None of one that was written before there were any.
            checkpoint: Its folder.

        Raises:
            SesaHandError: If what is learnt from or held out is another than it was.
        """
        earlier = before if isinstance(before, dict) else {}
        grown = []
        for part, sets in (("learnt", self.learnt), ("held_out", self.held_out)):
            was = earlier.get(part)
            if not isinstance(was, list) or len(was) != len(sets):
                continue
            for (path, names), old, new in zip(sets, was, self.facts[part], strict=True):
                if old == new or not isinstance(old, dict) or type(old.get("count")) is not int:
                    continue
                there = f"{path!s:.200} had {old['count']} samples, and has {new['count']}"
                if not 0 < old["count"] < new["count"] or _fingerprint(islice(names(), old["count"])) != old:
                    there = f"{path!s:.200} had {old['count']} samples, of which some are gone or others now"
                elif part == "learnt" and self.may_grow:
                    grown.append(there)
                    continue
                raise SesaHandError(
                    f"{checkpoint} knows other samples: {there}. What is held out, or learnt from, would no longer be "
                    "what it was. Put the set back as it was to go on, or choose another folder with --out to start "
                    "anew. A set whose held-out samples are another set may grow at its end."
                )
        return grown


def _fingerprint(names: Iterable[str]) -> dict[str, Any]:
    digest, count = hashlib.sha256(), 0
    for name in names:
        digest.update(name.encode("utf-8", "surrogateescape") + b"\n")
        count += 1
    return {"count": count, "names": digest.hexdigest()}
