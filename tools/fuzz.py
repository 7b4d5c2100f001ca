"""Damage files of a kind for as long as you like, and see what their readers do with them.

    python tools/fuzz.py                        all readers, a few seconds each
    python tools/fuzz.py scene --seconds 3600   one of them
    python tools/fuzz.py scene FILE             what one file does to it

What is damaged, and what counts as a fault, is in tests/support/fuzz_readers.py.
"""

import argparse
import logging
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from fuzz_readers import READERS, fuzz


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reader", nargs="?", choices=sorted(READERS), help="all if left out")
    parser.add_argument("file", nargs="?", type=Path, help="read this file alone")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each reader")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.file:
        folder = Path(tempfile.mkdtemp())
        READERS[options.reader].seeds(folder)
        print(READERS[options.reader].read(Path(shutil.copy(options.file, folder))))
        return 0
    faults = 0
    # What readers say of damaged files, thousands of times.
    logging.disable()
    for name in [options.reader] if options.reader else READERS:
        count, found = fuzz(name, options.seconds, options.seed)
        faults += len(found)
        print(f"{name}: {count} files, {len(found)} faults")
        for path, what in found:
            print(f"--- {path}\n{what}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
