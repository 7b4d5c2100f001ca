"""A batch of pictures into a set: picture i with frame i."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from ..errors import SesaHandError
from ..scene.hand_scene import HandScene
from ..semantics.behavior import ImageSemantics
from .picture_files import to_levels
from .record import PairFacts, storable
from .writer import PairWriter


class LeftOut(Enum):
    """Why a picture was not written."""

    NO_HANDS = "without hands"
    LOW_SCORE = "below the minimum score"
    NO_SCORE = "without a score, as their hands could not be looked for"


@dataclass(frozen=True, eq=False)
class PairBatch:
    """Pictures that belong to the frames of a scene.

    Attributes:
        pictures: `[B, H, W, C]` in 0..1.
        scene: With B frames, or one that every picture has.
        maps: By name, `[B, H, W, C]` or `[B, H, W]`, or with one entry for all.
        facts: What is true of all pictures.
        semantics: Of each picture, or one for all, or none. A picture's composed prompt counts where `facts` has none.
        scores: Of each picture, 0 to 1 or None for one that could not be scored; or none at all.
        minimum_score: Pictures below it are not written, nor are those without hands, or, above 0, without a score.

    Raises:
        SesaHandError: If the numbers of frames, maps, semantics or scores do not fit the pictures, or there is a
            minimum without scores.
    """

    pictures: Tensor
    scene: HandScene
    maps: Mapping[str, Tensor]
    facts: PairFacts = field(default_factory=PairFacts)
    semantics: Sequence[ImageSemantics] = ()
    scores: Sequence[float | None] = ()
    minimum_score: float = 0.0

    def __post_init__(self):
        if not isinstance(self.pictures, Tensor) or self.pictures.ndim != 4 or not len(self.pictures):
            shape = list(self.pictures.shape) if isinstance(self.pictures, Tensor) else type(self.pictures).__name__
            raise SesaHandError(f"Expected at least one picture, batch x height x width x channels, got {shape}.")
        count = len(self.pictures)
        lengths = {"frames of hands": self.scene.num_frames}
        lengths |= {f"pictures of the map {name!r}": len(value) for name, value in self.maps.items()}
        lengths |= {"semantics": len(self.semantics) or 1}
        for what, length in lengths.items():
            if length not in (1, count):
                raise SesaHandError(f"There are {count} pictures, but {length} {what}; expected {count}, or 1 for all.")
        if len(self.scores) not in (0, count):
            raise SesaHandError(
                f"There are {count} pictures, but {len(self.scores)} scores; expected {count}, one each."
            )
        if self.minimum_score > 0 and not len(self.scores):
            raise SesaHandError(
                f"minimum_score is {self.minimum_score:g}, but there is no score. Connect Score Hands, or set it to 0."
            )

    def save(self, writer: PairWriter) -> Iterator[str | LeftOut]:
        """Append the pictures one by one; yields each one's key, or why it was left out.

        All are checked before the first is written: a batch of which one cannot be stored leaves none, that would be
        written again when the batch comes again.

        Raises:
            SesaHandError: If a picture cannot be stored; it is named by its number.
        """
        for index in range(len(self.pictures)):
            if self._left_out(index) is None:
                try:
                    writer.check(**self._pair(index))
                except SesaHandError as error:
                    if len(self.pictures) == 1:
                        raise
                    raise SesaHandError(f"Picture {index + 1} of {len(self.pictures)}: {error}") from error
        for index in range(len(self.pictures)):
            yield self._left_out(index) or writer.add(**self._pair(index))

    def written(self, keys: Sequence[str | LeftOut], most: int) -> Tensor:
        """Return the first pictures that were written, as they are stored but for a JPEG's losses.

        Args:
            keys: From `save`.
            most: At most so many.

        Returns:
            float32 `[K, H, W, 3]` of 0..1.
        """
        shown = [index for index, key in enumerate(keys) if isinstance(key, str)][:most]
        levels = [to_levels(self.pictures[index], f"Picture {index + 1}") for index in shown]
        height, width = self.pictures.shape[1:3]
        return (
            torch.stack([torch.from_numpy(each).float() / 255 for each in levels])
            if levels
            else (torch.zeros(0, height, width, 3))
        )

    def _left_out(self, index: int) -> LeftOut | None:
        if self._frame(index) not in self._with_hands:
            return LeftOut.NO_HANDS
        if self.minimum_score <= 0:
            return None
        score = self._score(index)
        if score is None:
            return LeftOut.NO_SCORE
        return LeftOut.LOW_SCORE if score < self.minimum_score else None

    def _frame(self, index: int) -> int:
        return index if self.scene.num_frames > 1 else 0

    def _score(self, index: int) -> float | None:
        return self.scores[index] if len(self.scores) else None

    @cached_property
    def _with_hands(self) -> frozenset[int]:
        return frozenset(self.scene.frame.tolist())

    def _pair(self, index: int) -> dict:
        """Return the arguments of `PairWriter.add` for a picture."""
        return {
            "picture": self.pictures[index],
            "scene": self.scene,
            "facts": self._facts_of(index, self._score(index)),
            "maps": {name: _pick(value, index) for name, value in self.maps.items()},
            "frame": self._frame(index),
        }

    def _facts_of(self, index: int, score: float | None) -> PairFacts:
        said = _pick(self.semantics, index)
        if said is None:
            return replace(self.facts, score=score)
        prompt, caption = self.facts.prompt or said.prompt, self.facts.caption or storable(said.caption)
        return replace(self.facts, score=score, semantics=said.behavior, prompt=prompt, caption=caption)


def _pick(values: Sequence | Tensor, index: int):
    """Return the entry of a picture, where one entry counts for all; None where there is none."""
    if not len(values):
        return None
    return values[index if len(values) > 1 else 0]


def describe_batch(keys: Sequence[str | LeftOut], root: str | Path, total: int) -> str:
    """Return what became of a batch, for people.

    Args:
        keys: From `PairBatch.save`.
        root: What to call the set.
        total: Pairs in the set now.
    """
    written = [key for key in keys if isinstance(key, str)]
    span = f" ({written[0]}" + (f" to {written[-1]})" if len(written) > 1 else ")") if written else ""
    counts = {reason: sum(key is reason for key in keys) for reason in LeftOut}
    out = "".join(f" {count} left out {reason.value}." for reason, count in counts.items() if count)
    return f"{len(written)} of {len(keys)} pairs written to {root}{span}.{out} The set has {total} pairs."
