"""The rendered world as training samples: drawn in processes, stopped and gone on with, shared with others."""

from multiprocessing.context import SpawnProcess
from pathlib import Path

import numpy as np
import pytest

from sesahand.errors import SesaHandError
from sesahand.training.samples import render_world
from sesahand.world.cache import open_samples, render_samples
from sesahand.world.synthetic import SyntheticHands


def test_drawn_in_processes_the_samples_are_those_of_the_world_and_nothing_of_the_folder_runs(tmp_path, monkeypatch):
    # Where the processes find the library; the tests have it without its being on the path.
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[3])
    told, strangers = [], tmp_path / "strangers"
    strangers.mkdir()
    for name in ("multiprocessing.py", "runpy.py"):
        (strangers / name).write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.chdir(strangers)
    samples = render_world(Path("train_32"), "train", 6, 32, seed=3, workers=2, report=told.append)
    assert (strangers / "train_32").is_dir() and not (tmp_path / "ran").exists()
    world = SyntheticHands("train", 3, 32)
    assert len(samples) == 6 and told[-1] <= 6
    for index in (0, 5):
        sample, true = samples[index], world[index]
        assert np.array_equal(sample.picture, true.picture) and np.array_equal(sample.control, true.condition)
        assert np.array_equal(sample.hand, true.mask)
        words = true.description
        assert sample.captions == {"clean": words.composition.prompt, "short": words.short, "verbose": words.rambling}


def test_no_more_processes_draw_than_there_are_processors(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[3])
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    begun, start = [], SpawnProcess.start

    def begin(process):
        begun.append(process)
        assert len(begun) < 3
        start(process)

    monkeypatch.setattr(SpawnProcess, "start", begin)
    samples = render_world(tmp_path / "train_32", "train", 3, 32, workers=1000)
    assert len(begun) == 1 and len(samples) == 3 and samples.rendered.done.all()


def test_what_others_have_drawn_is_used_and_what_is_missing_is_drawn(tmp_path):
    render_samples(tmp_path, 8, "train", 0, 32, (0, 2))
    assert render_world(tmp_path, "train", 8, 32, stop=lambda: True) is None
    assert open_samples(tmp_path).done.sum() == 4
    samples = render_world(tmp_path, "train", 8, 32)
    assert len(samples) == 8 and samples.rendered.done.all()
    assert len(render_world(tmp_path, "train", 3, 32, stop=lambda: True)) == 3
    with pytest.raises(SesaHandError, match="holds other samples"):
        render_world(tmp_path, "train", 8, 32, seed=1)
