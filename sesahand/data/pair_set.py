"""Reading a set of pairs: indexable, iterable, and lazy down to the single file."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import Tensor

from ..errors import InvalidFileError, SesaHandError, quote
from ..hands.loading import BUILTIN, load_hand_model
from ..hands.model import HandModel
from ..scene.hand_scene import HandScene
from ..scene.scene_files import read_header
from ..semantics.behavior import BehaviorSemantics
from .hand_arrays import HandParameters, parameters_of, read_hand_file, scene_of
from .index import Index, read_index
from .layout import check_header, check_inside, sample_file
from .picture_files import read_levels, to_channels
from .record import PairFacts, PairRecord


@dataclass(frozen=True, eq=False)
class Pair:
    """One sample of a set. Each property reads and checks its file when it is asked for, and keeps nothing.

    Attributes:
        root: The set's folder, links followed.
        record: What the index says of it.
        models: The hand models at hand, by name.
        own_key: What it is called beside pairs of other sets; empty for the key that it has in its own.
    """

    root: Path
    record: PairRecord
    models: dict[str, HandModel]
    own_key: str = ""

    @property
    def key(self) -> str:
        return self.own_key or self.record.key

    @property
    def facts(self) -> PairFacts:
        return self.record.facts

    @property
    def prompt(self) -> str:
        return self.record.facts.prompt

    @property
    def semantics(self) -> BehaviorSemantics | None:
        return self.record.facts.semantics

    @property
    def picture(self) -> Tensor:
        """The picture, float32 `[3, H, W]` in 0..1."""
        levels = self.levels(self.record.picture)
        return to_channels(levels if levels.ndim == 3 else np.stack([levels] * 3, -1))

    def map(self, name: str) -> Tensor:
        """A condition map in 0..1, float32 `[3, H, W]`, or `[1, H, W]` for one that was written without channels."""
        return to_channels(self.levels(name))

    @property
    def maps(self) -> dict[str, Tensor]:
        """All maps that are there, by name."""
        return {name: self.map(name) for name in self.record.maps}

    @property
    def scene(self) -> HandScene:
        """The hands, bit by bit as they were written.

        Raises:
            SesaHandError: If their hand model was not given to the set.
        """
        model = self.models.get(self.record.hand_model)
        return scene_of(self._arrays(), model, str(self.path("npz")))

    @property
    def parameters(self) -> HandParameters:
        """The hands as numbers, for which their hand model is not needed."""
        # The numbers are the same whatever model carries them: one that is at hand takes the name of the one needed.
        stand_in = replace(next(iter(self.models.values())), name=self.record.hand_model)
        return parameters_of(self._arrays(), stand_in, str(self.path("npz")))

    @property
    def holds_objects(self) -> bool:
        """Whether one of the hands holds something; of records of the first sets, only their scene says."""
        record = self.record
        if record.objects or not record.hands:
            return bool(record.objects)
        return "objects" in read_header(self._arrays()["header"], str(self.path("npz")))

    def levels(self, kind: str) -> np.ndarray:
        """The picture ("png" or "jpg") or a map by its name, uint8 `[H, W, 3]` or `[H, W]`."""
        return read_levels(self.path(kind), self.record.width, self.record.height)

    def path(self, kind: str) -> Path:
        """The path of a file of the sample: "npz", a map's name, or "picture".

        Raises:
            SesaHandError: If the sample has no such file.
        """
        kind = self.record.picture if kind == "picture" else kind
        if kind not in (self.record.picture, "npz", *self.record.maps):
            there = ", ".join(("picture", "npz", *self.record.maps))
            raise SesaHandError(f"The pair {self.key!r} has no {quote(kind)}; it has {there}.")
        return check_inside(sample_file(self.root, self.record.folder, self.record.key, kind), self.root)

    def _arrays(self) -> dict[str, np.ndarray]:
        arrays = read_hand_file(self.path("npz"))
        found, said = len(arrays["is_right"]), len(self.record.hands)
        if found != said:
            raise InvalidFileError(
                f"{self.path('npz')} holds {found} hands, but the index says {said}; copy the set again."
            )
        return arrays


class PairSet(Sequence):
    """The whole samples of a set, as a sequence of `Pair`; also a map-style dataset for torch's DataLoader.

    Opening it reads where the records begin and nothing else, so that a million pairs open in seconds. It
    shows the set as it was then; a writer may go on meanwhile.

    Args:
        root: Folder of the set.
        hand_models: Hand models of the pairs beside the built-in hand, such as MANO; only `Pair.scene` needs them.

    Raises:
        InvalidFileError: If the folder is no set, or its index is damaged before its end.
    """

    # Pairs are found by their key; where a value stands in the sequence is nothing that a set is asked for.
    index: Index  # type: ignore[assignment]  # in place of Sequence.index, see above

    def __init__(self, root: str | Path, hand_models: Sequence[HandModel] = ()):
        check_header(Path(root))
        self.root = Path(os.path.realpath(root))
        self.index = read_index(self.root)
        check_inside(self.index.path, self.root)
        self.models = {model.name: model for model in (load_hand_model(BUILTIN), *hand_models)}

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, number: int) -> Pair:  # type: ignore[override]  # one at a time: pairs are read from disk
        if not -len(self) <= number < len(self):
            raise IndexError(f"There is no pair {number}: the set has {len(self)}.")
        number %= len(self)
        return self._pair(self.index.read_line(number), number)

    def __iter__(self) -> Iterator[Pair]:
        for number, line in enumerate(self.index.lines()):
            yield self._pair(line, number)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.index.find(key) is not None

    @property
    def keys(self) -> list[str]:
        """The keys of all pairs, in the order of writing."""
        return list(self.index.keys())

    def find(self, key: str) -> Pair:
        """Return the pair with a key.

        Raises:
            SesaHandError: If there is none.
        """
        number = self.index.find(key)
        if number is None:
            raise SesaHandError(
                f"The set {self.root} has no pair {quote(key)}. Keys of its {len(self)} pairs stand in the index "
                "beside them."
            )
        return self[number]

    def _pair(self, line: bytes, number: int) -> Pair:
        return Pair(self.root, PairRecord.from_line(line, f"{self.index.path}, pair {number}"), self.models)
