"""One hand that a text describes, as a value: whose, which, what it does and what it holds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..errors import SesaHandError
from .gestures import GESTURES

SIDES = ("right", "left")


@dataclass(frozen=True)
class DescribedHand:
    """A hand that a text describes.

    Args:
        side: "right" or "left", as its owner would say it; None where the text does not tell.
        gesture: name of a gesture of the library; None where none fits.
        object: what it holds or works on, in the text's words, or None.
        owner: whose hand it is, in the text's words, or None.
        words: the words of the text that speak of it.
    """

    side: str | None = None
    gesture: str | None = None
    object: str | None = None
    owner: str | None = None
    words: str = ""

    def __post_init__(self):
        if self.side not in (*SIDES, None):
            raise SesaHandError(f"The side of a described hand is {self.side!r:.60}; expected right, left or null.")
        if self.gesture is not None and self.gesture not in GESTURES:
            raise SesaHandError(
                f"A described hand has the gesture {self.gesture!r:.60}; expected null or one of {', '.join(GESTURES)}."
            )
        for name in ("object", "owner"):
            if not isinstance(getattr(self, name), str | None):
                raise SesaHandError(f"The {name} of a described hand must be text or null.")

    def to_dict(self) -> dict[str, str | None]:
        """Side, gesture, object and owner by name."""
        return {"side": self.side, "gesture": self.gesture, "object": self.object, "owner": self.owner}

    @classmethod
    def from_mapping(cls, value: Mapping) -> "DescribedHand":
        """Read what `to_dict` or a saved batch holds; missing keys count as null."""
        fields = {name: value.get(name) or None for name in ("side", "gesture", "object", "owner")}
        return cls(**fields, words=str(value.get("words") or ""))

    def __str__(self) -> str:
        hand = f"{self.side} hand" if self.side else "a hand"
        does = self.gesture or "no gesture of the library"
        held = f", {self.object}" if self.object else ""
        owner = f" of {self.owner}" if self.owner else ""
        return f"{hand}{owner}: {does}{held}"


def describe_hands(hands: Iterable[DescribedHand]) -> str:
    """All hands in one line; "-" for none."""
    return "; ".join(map(str, hands)) or "-"
