"""Settings that people write: a table in a TOML or JSON file."""

import sys
from pathlib import Path
from typing import Any

from ..errors import InvalidFileError
from .reading import parse_json, read_bytes

# Of a line of TOML, whose reader takes a time that grows with the square of a key's parts.
MOST_DOTS = 256


def read_settings(path: Path, limit: int) -> dict:
    """Read a `.toml` or `.json` file that holds a table of settings.

    Args:
        path: The file.
        limit: The most bytes.

    Raises:
        InvalidFileError: If it cannot be read, or holds something else, or a whole number beyond 64 bits, which is as
            far as TOML goes and farther than anything here counts.
    """
    text = read_bytes(path, limit).decode("utf-8-sig", "replace")
    try:
        if path.suffix.lower() == ".json":
            values = parse_json(text, path.name)
        elif sys.version_info >= (3, 11):
            import tomllib

            # Only this ends a line of TOML; Python knows others, which a key may hold.
            if any(line.count(".") > MOST_DOTS for line in text.split("\n")):
                raise ValueError(f"a line has more than {MOST_DOTS} dots")
            values = tomllib.loads(text)
        else:
            raise InvalidFileError(f"{path.name}: TOML needs Python 3.11 or later; write the same as .json.")
        _check_numbers(values)
    except (ValueError, RecursionError) as error:
        raise InvalidFileError(f"{path.name} is no valid configuration file: {error!s:.200}.") from error
    if not isinstance(values, dict):
        raise InvalidFileError(f"{path.name} holds a {type(values).__name__} where a table of settings was expected.")
    return values


def _check_numbers(values: Any) -> None:
    """Raise a ValueError for a whole number beyond 64 bits, which no float holds and Python may refuse to write."""
    left = [values]
    while left:
        value = left.pop()
        if isinstance(value, int) and value.bit_length() > 64:
            raise ValueError("a whole number has more than 64 bits")
        left += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
