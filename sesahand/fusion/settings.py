"""What structural fusion does, as one value that a node, a training script and a weight file's metadata share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import InvalidFileError, SesaHandError, quote

MODES = ("paper", "blend")
"""What can be chosen for any ControlNet."""
GATED = "gated"
"""The mode of weights that were trained with a gate; a file that says so brings the gate along."""
RESOLUTIONS = (64, 32, 16, 8)
LAYERS = ("last", "all")
REFINED_RESIDUALS = ("middle", "coarsest", "to_16", "to_32")
ORIENTATIONS = ("gather", "scatter")

MOST_GATE = 100

METADATA_PREFIX = "sesahand.sf_"


@dataclass(frozen=True)
class FusionSettings:
    """The choices of structural fusion `f' = psi' f`, where `psi'` is the sum of pooled self-attention maps.

    Grids are named as at 512 px, where the latent is 64 x 64: 64 is the latent's own grid, 32 half of it, 16 a quarter,
    8 an eighth, whatever the picture's size and shape.

    Attributes:
        mode: "paper" multiplies by the un-normalised psi', for weights trained with it. "blend" makes psi' an average
            (its rows sum to one) and mixes the result with the feature, for any ControlNet. "gated" adds psi' f
            times a gate that was learnt from 0: `f' = f + gate psi' f`, so that training starts from the plain one.
        strength: lambda of `f' = (1 - lambda) f + lambda psi' f`, 0..1; 0 switches the fusion off. Paper mode knows
            only off and full: any other number becomes 1 there. In gated mode it is a factor of the gate.
        resolutions: Which self-attention maps are summed, out of 64, 32, 16, 8.
        layers: "last" takes the last self-attention of each encoder resolution and of the middle block, "all" takes the
            mean over all of them.
        refine: Which residuals are refined before their zero convolutions: "middle" the middle block's alone,
            "coarsest" all on the middle block's grid, "to_16" and "to_32" all on these grids and coarser ones.
        orientation: "gather": each place collects the features it attends to, `out_i = sum_j psi_ij f_j`. "scatter":
            each place sends its feature to the places it attends to, `out_j = sum_i psi_ij f_i`.

        gate: The learnt gate of gated mode, elsewhere 0.

    Source: paper sec. 3 (hierarchical structural fusion); it leaves orientation and layers open. The gate is
    ours, after Bachlechner et al., "ReZero is All You Need", 2020.
    """

    mode: str = "blend"
    strength: float = 0.5
    resolutions: tuple[int, ...] = RESOLUTIONS
    layers: str = "last"
    refine: str = "middle"
    orientation: str = "gather"
    gate: float = 0.0

    def __post_init__(self):
        for name, choices in (
            ("mode", (*MODES, GATED)),
            ("layers", LAYERS),
            ("refine", REFINED_RESIDUALS),
            ("orientation", ORIENTATIONS),
        ):
            if getattr(self, name) not in choices:
                raise SesaHandError(
                    f"Structural fusion: {name} is {quote(getattr(self, name))}; choose one of {', '.join(choices)}."
                )
        if not (isinstance(self.strength, (int, float)) and 0 <= self.strength <= 1):
            raise SesaHandError(f"Structural fusion: strength is {quote(self.strength)}; choose a number from 0 to 1.")
        if not (isinstance(self.gate, (int, float)) and -MOST_GATE <= self.gate <= MOST_GATE):
            raise SesaHandError(
                f"Structural fusion: gate is {quote(self.gate)}; expected a number from -{MOST_GATE} to {MOST_GATE}."
            )
        if self.gate and self.mode != GATED:
            raise SesaHandError(f"Structural fusion: {self.mode} mode has no gate, got {self.gate:g}: leave it out.")
        listed = isinstance(self.resolutions, (list, tuple)) and all(type(one) is int for one in self.resolutions)
        if not listed or not self.resolutions or not set(self.resolutions) <= set(RESOLUTIONS):
            raise SesaHandError(
                f"Structural fusion: resolutions are {quote(self.resolutions)}; choose at least one of {RESOLUTIONS}."
            )
        if self.mode == "paper" and self.strength:
            object.__setattr__(self, "strength", 1.0)
        object.__setattr__(self, "resolutions", tuple(r for r in RESOLUTIONS if r in self.resolutions))

    @property
    def is_off(self) -> bool:
        """Whether the fusion leaves every feature as it is."""
        return self.strength == 0 or (self.mode == GATED and self.gate == 0)

    def describe(self) -> str:
        """One readable line, for logs and text outputs."""
        if self.is_off:
            return "off (strength 0)" if self.strength == 0 else "off (gate 0)"
        amount = {"paper": "paper mode", GATED: f"gated mode, gate {self.strength * self.gate:g}"}.get(
            self.mode, f"blend mode, lambda {self.strength:g}"
        )
        resolutions = ", ".join(str(resolution) for resolution in self.resolutions)
        return (
            f"{amount}; self-attention maps {resolutions} ({self.layers} layers); "
            f"refines {self.refine}; {self.orientation}"
        )

    def to_metadata(self) -> dict[str, str]:
        """The settings as safetensors metadata, which holds strings only."""
        values = {
            "mode": self.mode,
            "strength": repr(float(self.strength)),
            "resolutions": ",".join(str(resolution) for resolution in self.resolutions),
            "layers": self.layers,
            "refine": self.refine,
            "orientation": self.orientation,
        }
        if self.mode == GATED:
            values["gate"] = repr(float(self.gate))
        return {METADATA_PREFIX + name: value for name, value in values.items()}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str] | None) -> "FusionSettings | None":
        """Read the settings that weights were trained with.

        Args:
            metadata: Metadata of a safetensors file. Only `sesahand.sf_mode` is needed, the rest has defaults.

        Returns:
            The settings, or None for weights trained without structural fusion.

        Raises:
            InvalidFileError: if an entry has a value that no setting has.
        """
        values: dict[str, Any] = {
            key.removeprefix(METADATA_PREFIX): value
            for key, value in (metadata or {}).items()
            if key.startswith(METADATA_PREFIX)
        }
        if values.get("mode", "none") == "none":
            return None
        try:
            for name in ("strength", "gate"):
                if name in values:
                    values[name] = float(values[name])
            if "resolutions" in values:
                values["resolutions"] = tuple(int(part) for part in values["resolutions"].split(","))
            return cls(**values)
        except (SesaHandError, TypeError, ValueError) as error:
            raise InvalidFileError(
                f"The file's {METADATA_PREFIX}* metadata is {quote(values, 300)}, which this version cannot read "
                f"({error}). Update SesaHand, or write the metadata again with FusionSettings.to_metadata()."
            ) from error
