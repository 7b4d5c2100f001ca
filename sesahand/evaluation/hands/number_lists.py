"""Lists of lists of numbers in JSON, read into arrays without a Python object for each number.

Such files reach a gigabyte, and lists of three letters would take thirty times as much in memory.
"""

import warnings

import numpy as np

from ...errors import InvalidFileError, quote

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# What stands between brackets and commas: no letters, so that NaN and Infinity are no numbers.
_BETWEEN = b"0123456789.eE+- \t\r\n"
_WITHOUT_BRACKETS = bytes.maketrans(b"[]", b"  ")


def is_number_lists(data: bytes) -> bool:
    """Tell whether JSON is a list that is empty or begins with a list."""
    return b"".join(data[:1000].removeprefix(BYTE_ORDER_MARK).split())[:2] in (b"[]", b"[[")


def read_number_lists(data: bytes, label: str) -> list[np.ndarray]:
    """Read JSON that is `[N, P, C]`, or a list of two such.

    Args:
        data: The text in UTF-8.
        label: What it is called in messages.

    Returns:
        One array or two, float64 `[N, P, C]`; `[0, 0, 0]` of an empty list.

    Raises:
        InvalidFileError: If it is something else, or lists of one depth differ in length.
    """
    data = data.removeprefix(BYTE_ORDER_MARK)
    marks = data.translate(None, _BETWEEN)
    others = marks.translate(None, b"[],")
    if others:
        raise InvalidFileError(
            f"{label} is not valid JSON of numbers: it has {quote(others.decode('latin-1'))}, expected numbers "
            "[pictures, points, 3]."
        )
    if marks.count(b"[") != marks.count(b"]"):
        raise InvalidFileError(f"{label} is not valid JSON: it ends within a list. Copy it again.")
    if marks.startswith((b"[[[[", b"[[],[")):
        first, end = _read_shape(marks, 1, label)
        second, end = _read_shape(marks, end + 1, label)
        shapes, end = [first, second], end + 1
    else:
        first, end = _read_shape(marks, 0, label)
        shapes = [first]
    counts = [int(np.prod(shape)) for shape in shapes]
    numbers = _read_numbers(data, label) if sum(counts) else np.zeros(0)
    if end != len(marks) or len(numbers) != sum(counts):
        raise _uneven(label)
    return [part.reshape(shape) for part, shape in zip(np.split(numbers, counts[:1]), shapes, strict=False)]


def _read_shape(marks: bytes, start: int, label: str) -> tuple[tuple[int, int, int], int]:
    """Return the shape of the lists that begin at a place, and the place behind them."""
    if marks.startswith(b"[]", start):
        return (0, 0, 0), start + 2
    ends = [marks.find(b"]" * depth, start) for depth in (1, 2, 3)]
    if not marks.startswith(b"[[[", start) or min(ends) < 0:
        raise _uneven(label)
    # A point such as "[,,]", the points of a picture such as "[[,,],[,,]]", and all pictures.
    point, row = marks[start + 2 : ends[0] + 1], marks[start + 1 : ends[1] + 2]
    points, end = row.count(b"[") - 1, ends[2] + 3
    rows = (end - start - 1) // (len(row) + 1)
    if not _repeats(row, point, points) or not _repeats(marks[start:end], row, rows):
        raise _uneven(label)
    return (rows, points, point.count(b",") + 1), end


def _repeats(whole: bytes, part: bytes, count: int) -> bool:
    """Whether a list is one part so many times; its length is asked first, and nothing longer than it is made."""
    return len(whole) == 1 + count * (len(part) + 1) and whole == b"[%b]" % b",".join([part] * count)


def _read_numbers(data: bytes, label: str) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            # What numpy has for text that goes on behind the last number.
            warnings.simplefilter("error", DeprecationWarning)
            # At its ends a comma stands beside an empty list; others are counted as marks.
            return np.fromstring(data.translate(_WITHOUT_BRACKETS).strip(b" \t\r\n,"), np.float64, sep=",")
    except (ValueError, DeprecationWarning) as error:
        raise InvalidFileError(f"{label} is not valid JSON: it has what is no number. Copy it again.") from error


def _uneven(label: str) -> InvalidFileError:
    return InvalidFileError(
        f"{label} holds lists of different lengths, or of other depth; expected [pictures, points, 3], the same points "
        "of all."
    )
