"""Plain Python objects as HaMeR's `.pyd` files, which are pickles. This only writes them, which runs nothing."""

import io
import pickle

import numpy as np

# Of Python 3.4 and later.
PROTOCOL = 4


class _PlainPickler(pickle.Pickler):
    """Writes arrays as calls of `numpy.ndarray` on their bytes.

    numpy's own way names a module that numpy 2 renamed, so that numpy 1, which HaMeR needs, could not read it. The
    bytes are a bytearray, because arrays over it can be changed in place, which HaMeR's augmentation does.
    """

    def reducer_override(self, value):
        if isinstance(value, np.ndarray):
            # A scalar array is written as one too: HaMeR copies and compares them.
            return np.ndarray, (value.shape, value.dtype, bytearray(np.ascontiguousarray(value).tobytes()))
        return NotImplemented


def to_pyd(value: list | dict) -> bytes:
    """Return lists, dictionaries, texts, numbers and numeric arrays as the bytes of a `.pyd` file."""
    buffer = io.BytesIO()
    _PlainPickler(buffer, PROTOCOL).dump(value)
    return buffer.getvalue()
