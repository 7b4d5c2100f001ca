"""Every reader of foreign files answers damaged ones with a value or a sentence, and keeps within memory and time.

A short run with chances of its own; `python tools/fuzz.py READER --seconds 3600` goes on for hours.
Files that once did something else are in `corpus`, and are read first.
"""

import pytest
from fuzz_readers import CORPUS, READERS, fuzz_all
from hostile import run_limited

SECONDS = 40


@pytest.fixture(scope="module")
def outcome():
    # One child for all of them, since most of a child's time goes into starting it.
    return run_limited(fuzz_all, SECONDS, megabytes=3000, seconds=SECONDS + 300).returned()


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_end_in_a_value_or_a_sentence(outcome, name):
    count, faults = outcome[name]
    if not count:
        pytest.skip("needs the hand detector's files: python -m sesahand get-detector")
    assert count >= len(list((CORPUS / name).glob("*")))
    assert faults == [], "\n".join(f"{path}\n{what}" for path, what in faults)
