"""How a picture is sampled, as one value that a command, a record and a test share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from ..attention.bias import check_settings
from ..errors import SesaHandError, quote
from ..fusion.settings import FusionSettings

if TYPE_CHECKING:
    from diffusers import SchedulerMixin

SAMPLERS = {
    "ddim": ("DDIMScheduler", {}),
    "euler": ("EulerDiscreteScheduler", {}),
    "dpm++": ("DPMSolverMultistepScheduler", {}),
    "dpm++ karras": ("DPMSolverMultistepScheduler", {"use_karras_sigmas": True}),
}
"""diffusers' schedulers that add no noise on the way, and what is set in them."""

OPTIONS = {
    "steps": "steps",
    "cfg": "guidance",
    "sampler": "sampler",
    "negative": "negative",
    "strength": "strength",
    "control_start": "control_start",
    "control_end": "control_end",
    "alpha": "alpha",
    "alpha_blocks": "alpha_blocks",
    "alpha_start": "alpha_start",
    "alpha_end": "alpha_end",
}
"""What people call the settings in options and plans, and which they are; lambda is apart."""

MAX_STEPS = 1000
MAX_SEED = 2**63 - 1
LONGEST_NEGATIVE = 4000


@dataclass(frozen=True)
class SamplingSettings:
    """Everything about the sampling but words, hands, weights and seed.

    Attributes:
        steps: Of the sampler.
        guidance: Strength of the classifier-free guidance (cfg); 1 asks the model once in each step.
        sampler: One of `SAMPLERS`.
        negative: What the picture should not show; has no effect at guidance 1.
        strength: Factor of the ControlNet's residuals.
        control_start: Fraction of the steps at which the ControlNet sets in.
        control_end: Fraction of the steps after which it is left out.
        alpha: Attention bias on the hand tokens of the prompt, 0..8; 0 leaves it off.
        alpha_blocks: Where it acts: "output", "input", "middle" or "all".
        alpha_start: Fraction of the sampling at which the bias sets in.
        alpha_end: Fraction of the sampling after which it is left out.
        fusion: Structural fusion of the ControlNet; None leaves it off.
    """

    steps: int = 24
    guidance: float = 7.0
    sampler: str = "ddim"
    negative: str = ""
    strength: float = 1.0
    control_start: float = 0.0
    control_end: float = 1.0
    alpha: float = 2.0
    alpha_blocks: str = "output"
    alpha_start: float = 0.0
    alpha_end: float = 1.0
    fusion: FusionSettings | None = None

    def __post_init__(self):
        if type(self.steps) is not int or not 1 <= self.steps <= MAX_STEPS:
            raise SesaHandError(f"steps is {quote(self.steps)}, expected a whole number from 1 to {MAX_STEPS}.")
        if not isinstance(self.sampler, str) or self.sampler not in SAMPLERS:
            raise SesaHandError(f"The sampler is {quote(self.sampler)}; choose one of {', '.join(SAMPLERS)}.")
        if not isinstance(self.negative, str) or len(self.negative) > LONGEST_NEGATIVE:
            raise SesaHandError(f"negative is {quote(self.negative)}, expected at most {LONGEST_NEGATIVE} characters.")
        for name, low, high in (
            ("guidance", 1, 100),
            ("strength", 0, 10),
            ("control_start", 0, 1),
            ("control_end", 0, 1),
        ):
            _check_number(name, getattr(self, name), low, high)
        if self.control_start >= self.control_end:
            raise SesaHandError(
                f"control_start is {self.control_start:g} and control_end {self.control_end:g}: the ControlNet sets in "
                "before it ends. A strength of 0 leaves it out."
            )
        for name in ("alpha", "alpha_start", "alpha_end"):
            _check_number(name, getattr(self, name), 0, 100)
        check_settings(self.alpha, self.alpha_blocks, self.alpha_start, self.alpha_end)

    def to_dict(self) -> dict:
        """The settings as JSON knows them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping) -> SamplingSettings:
        """Read what `to_dict` gave.

        Raises:
            SesaHandError: If it is something else.
        """
        try:
            values = dict(data)
            fusion = values.pop("fusion", None)
            if fusion is not None:
                fusion = FusionSettings(**{**fusion, "resolutions": tuple(fusion.get("resolutions", ()))})
            return cls(**values, fusion=fusion)
        except (TypeError, ValueError, AttributeError) as error:
            raise SesaHandError(
                f"These are no settings of a sampling: {error!s:.200}. Take them from SamplingSettings.to_dict()."
            ) from error


def build_scheduler(scheduler: SchedulerMixin, sampler: str, steps: int) -> SchedulerMixin:
    """Return diffusers' scheduler for a sampler, with the noise schedule of the model's own one.

    Args:
        scheduler: The model's own.
        sampler: One of `SAMPLERS`.
        steps: How many it will be asked for.

    Raises:
        SesaHandError: If what the model says of its scheduler does not go with them.
    """
    import diffusers

    from ..models.checkpoints import try_steps

    kind, settings = SAMPLERS[sampler]
    # Every scheduler of diffusers has its settings there, also if the type that all share does not say so.
    build = partial(getattr(diffusers, kind).from_config, cast(Any, scheduler).config, **settings)
    try:
        try_steps(build(), steps)
        return build()
    except Exception as error:
        # diffusers looks at most settings only when they are used, and raises whatever comes of them.
        raise SesaHandError(
            f"The base's scheduler cannot sample {steps} steps with {sampler} ({error!s:.200}). Choose another sampler "
            "or fewer steps, or correct its scheduler_config.json."
        ) from error


def _check_number(name: str, value: Any, low: float, high: float) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and low <= value <= high):
        raise SesaHandError(f"{name} is {quote(value)}, expected a number from {low} to {high}.")
