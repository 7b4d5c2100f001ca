"""Which file names are safe to write on every system."""

from .errors import SesaHandError

MAX_LENGTH = 120
FORBIDDEN = set('<>:"/\\|?*')
# Windows keeps these names for devices, with any extension.
RESERVED = {"CON", "PRN", "AUX", "NUL"} | {f"{port}{n}" for port in ("COM", "LPT") for n in range(10)}


def check_file_name(name: str) -> str:
    """Return the name if it is one plain file name, in no folder, on Windows, macOS and Linux alike.

    Raises:
        SesaHandError: If it is empty, hidden, too long, reserved, or holds separators, control or wildcard characters.
    """
    reason = None
    if not isinstance(name, str) or not name.strip():
        reason = "it is empty"
    elif len(name.encode("utf-8", "replace")) > MAX_LENGTH:
        reason = f"it is longer than {MAX_LENGTH} bytes"
    elif name.startswith(".") or name.endswith((".", " ")) or name.startswith(" "):
        reason = "it starts or ends with a dot or a space"
    elif any(character in FORBIDDEN or not character.isprintable() for character in name):
        reason = "it holds a separator, a wildcard or a character that cannot be printed"
    elif name.split(".")[0].rstrip().upper() in RESERVED:
        reason = "Windows keeps it for a device"
    if reason:
        raise SesaHandError(f"{name!r:.140} cannot be a file name: {reason}. Use a plain name like 'hands.json'.")
    return name
