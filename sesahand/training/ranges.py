"""What numbers a setting may be."""

from typing import Any

from ..errors import SesaHandError, quote


def check_range(name: str, value: Any, low: float, high: float) -> None:
    """Raise a SesaHandError that names the setting unless `value` is a number from `low` to `high`."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not low <= value <= high:
        raise SesaHandError(f"{name} is {quote(value)}; choose a number from {low:g} to {high:g}.")
