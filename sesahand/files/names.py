"""Which file names are safe to write on every system."""

from ..errors import SesaHandError, quote

MAX_LENGTH = 120
# Windows allows 260 for a whole path, which starts with the folder that the relative one is in.
MAX_PATH_LENGTH = 200
FORBIDDEN = set('<>:"/\\|?*')
# Windows keeps these names for devices, with any extension; the raised digits are those of its old code page.
RESERVED = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"}
RESERVED |= {f"{port}{n}" for port in ("COM", "LPT") for n in "0123456789\u00b9\u00b2\u00b3"}
# Letters of many scripts, and emoji, are joined or kept apart by these, which are not seen themselves.
JOINERS = "\u200c\u200d"


def check_file_name(name: str) -> str:
    """Return the name if it is one plain file name, in no folder, on Windows, macOS and Linux alike.

    Raises:
        SesaHandError: If it is empty, hidden, too long, reserved, or holds separators, control or wildcard characters.
    """
    reason = _find_fault(name)
    if reason:
        raise SesaHandError(f"{quote(name)} cannot be a file name: {reason}. Use a plain name like 'hands.json'.")
    return name


def check_relative_path(path: str) -> tuple[str, ...]:
    """Return the parts of a path, if every folder of it and the name are plain file names.

    Args:
        path: Folders and name, divided by "/".

    Raises:
        SesaHandError: If a part could not be a file name, or all together are too long. So nothing absolute, no drive
            and no ".." passes.
    """
    if not isinstance(path, str) or len(path.encode("utf-8", "replace")) > MAX_PATH_LENGTH:
        raise SesaHandError(
            f"{quote(path)} cannot be a path: it must be text of at most {MAX_PATH_LENGTH} bytes, such as "
            "'hands/left'. Use fewer folders or shorter names."
        )
    parts = path.split("/")
    for part in parts:
        reason = _find_fault(part)
        if reason:
            where = "" if len(parts) == 1 else f" in {quote(path)}"
            raise SesaHandError(
                f"{quote(part)}{where} cannot be the name of a file or folder: {reason}. Use plain names like "
                "'hands/left', without a leading or closing slash."
            )
    return tuple(parts)


def to_file_name(text: str, limit: int = 80) -> str:
    """Return the nearest text that a file name can begin with, at most `limit` bytes long.

    Args:
        text: Anything, for example the name of somebody else's file without its ending.
        limit: Bytes of UTF-8.
    """
    kept = "".join("_" if _is_forbidden(c) else c for c in text)
    kept = kept.encode("utf-8", "replace")[:limit].decode("utf-8", "ignore").strip(". ")
    return f"_{kept}" if _find_fault(kept) else kept


def _find_fault(name: str) -> str | None:
    if not isinstance(name, str) or not name.strip(JOINERS + " "):
        return "it is empty"
    if len(name.encode("utf-8", "replace")) > MAX_LENGTH:
        return f"it is longer than {MAX_LENGTH} bytes"
    if name.startswith(".") or name.endswith((".", " ")) or name.startswith(" "):
        return "it starts or ends with a dot or a space"
    if any(map(_is_forbidden, name)):
        return "it holds a separator, a wildcard or a character that cannot be printed"
    if name.split(".")[0].rstrip().upper() in RESERVED:
        return "Windows keeps it for a device"
    return None


def _is_forbidden(character: str) -> bool:
    return character in FORBIDDEN or not (character.isprintable() or character in JOINERS)
