"""The children in which hostile files are opened: what they do wrong comes back, and they are held to their bounds."""

import os
import signal
import time
from pathlib import Path

import pytest
from hostile import run_limited


def told(value):
    return [value, os.environ["SESAHAND_TOLD"], os.getcwd()]


def refuse(text):
    raise ValueError(text)


def linger(file):
    Path(file).write_text("begun")
    time.sleep(60)


def take(megabytes):
    return len(bytearray(megabytes * 2**20))


def die():
    os.kill(os.getpid(), signal.SIGSEGV)


def leave():
    os._exit(7)


def test_a_value_comes_back_from_where_the_test_is(monkeypatch, tmp_path):
    monkeypatch.setenv("SESAHAND_TOLD", "yes")
    monkeypatch.chdir(tmp_path)
    assert run_limited(told, 3).returned() == [3, "yes", str(tmp_path)]


def test_an_exception_comes_back_with_its_text():
    assert run_limited(refuse, "not this").refused("ValueError") == "not this"


def test_one_that_takes_too_long_is_ended_and_the_next_one_starts(tmp_path):
    assert run_limited(linger, tmp_path / "begun", seconds=4).died == "time"
    assert (tmp_path / "begun").exists()
    assert run_limited(take, 1).returned() == 2**20


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is bounded on Linux alone")
def test_one_that_takes_too_much_memory_cannot():
    assert run_limited(take, 50, megabytes=200).returned() == 50 * 2**20
    assert run_limited(take, 400, megabytes=200).error == "MemoryError"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals")
def test_a_crash_and_an_exit_are_told_apart():
    assert run_limited(die).died == f"signal {signal.SIGSEGV.value}"
    assert run_limited(leave).died == "status 7"
