"""One way of making pictures, as a value: what an ablation varies."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass

from ..errors import SesaHandError
from ..fusion.settings import FusionSettings
from ..training.samples import CLEAN, VERBOSE

HAND, OTHER = "hand", "other"
"""Words that a bias or an emphasis acts on: those of the hand, or as many others of the prompt."""

HAND_NOUN = "hand noun"
"""The word "hand" or "hands" alone, which an artist would emphasise."""


@dataclass(frozen=True)
class Cell:
    """How pictures are made.

    Attributes:
        name: What tables call it.
        model: Which of the loaded generators draws: a base with a ControlNet.
        words: "clean" prompts or "verbose" captions.
        controlled: Whether the ControlNet has a say.
        fusion: Structural fusion of the ControlNet, or None.
        alpha: Attention bias.
        alpha_blocks: Where it acts.
        biased: Which words it acts on: `HAND` or `OTHER`.
        weight: Emphasis in the prompt, as of "(hand:1.3)"; 1 is none.
        weighted: Which words it acts on: `HAND_NOUN`, `HAND` or `OTHER`.
        silenced: "" or which residuals of the ControlNet are left out, "refined" or "others".
        guidance: cfg.
        steps: Of the sampler.
        sampler: A name of `generate.sampling.SAMPLERS`.
    """

    name: str
    model: str = "sf"
    words: str = CLEAN
    controlled: bool = True
    fusion: FusionSettings | None = None
    alpha: float = 0.0
    alpha_blocks: str = "output"
    biased: str = HAND
    weight: float = 1.0
    weighted: str = HAND_NOUN
    silenced: str = ""
    guidance: float = 3.0
    steps: int = 12
    sampler: str = "ddim"

    def __post_init__(self):
        for name, choices in (
            ("words", (CLEAN, VERBOSE)),
            ("biased", (HAND, OTHER)),
            ("weighted", (HAND_NOUN, HAND, OTHER)),
        ):
            if getattr(self, name) not in choices:
                raise SesaHandError(f"{name} is {getattr(self, name)!r:.40}; choose one of {', '.join(choices)}.")

    def identity(self) -> dict:
        """All that pictures depend on, as JSON knows it: a cell by another name is the same cell."""
        values = json.loads(json.dumps(asdict(self)))
        del values["name"]
        return values

    def file_name(self) -> str:
        """A name for its results' file: readable, and another one for every other cell."""
        readable = re.sub(r"[^a-z0-9]+", "_", self.name.lower()).strip("_")[:48]
        digest = hashlib.sha256(json.dumps(self.identity(), sort_keys=True).encode()).hexdigest()[:10]
        return f"{readable}_{digest}.npz"


def noise_seed(index: int, turn: int) -> int:
    """The seed of the noise of a sample's picture number `turn`, the same in all cells."""
    return 1_000_000 * turn + index
