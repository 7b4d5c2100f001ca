"""A training goes on with the samples that it knows: what was held out is not learnt from when a set has changed."""

import json

import pytest
from toy_base import configured, write_base, write_toy_pairs

from sesahand.cli import main
from sesahand.data.pair_set import PairSet
from sesahand.errors import InvalidFileError, SesaHandError
from sesahand.training.base_data import open_data
from sesahand.training.checkpoint_state import FACTS, TENSORS
from sesahand.training.known_sets import KnownSets
from sesahand.training.loop import checkpoints
from sesahand.training.lora import train_lora

pytest.importorskip("accelerate")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return write_base(tmp_path_factory.mktemp("base") / "base.safetensors")


def run(folder, base, steps, held_out, **more):
    steps = {"steps": steps, "batch_size": 1, "learning_rate": 1e-3}
    data = {"path": str(folder / "hands"), "held_out": held_out, **more}
    settings = {"kind": "lora", "lora": {"rank": 1}, "validate_every": 0, "checkpoint_every": 1}
    return train_lora(configured(folder, base, data, training=steps, **settings))


def drop_first(folder):
    """Lose a picture, and repair the set."""
    PairSet(folder)[0].path("picture").unlink()
    assert main(["dataset", "check", str(folder), "--repair"]) in (0, 1) and len(PairSet(folder)) == 5


def test_a_set_that_shrank_or_grew_is_not_gone_on_with_where_its_end_is_held_out(base, tmp_path):
    hands = write_toy_pairs(tmp_path / "hands", 6, (64, 64))
    run(tmp_path, base, 1, 0.2)
    drop_first(hands)
    with pytest.raises(SesaHandError, match="checkpoint-00000001 knows other samples: .*had 6 .*some are gone"):
        run(tmp_path, base, 2, 0.2)
    write_toy_pairs(tmp_path / "more", 8, (64, 64))
    hands.rename(tmp_path / "less")
    (tmp_path / "more").rename(hands)
    with pytest.raises(SesaHandError, match="hands had 6 samples, and has 8"):
        run(tmp_path, base, 2, 0.2)


def test_a_set_may_grow_at_its_end_where_another_set_is_held_out_and_it_is_said(base, tmp_path, caplog):
    hands, apart = (write_toy_pairs(tmp_path / name, 6, (64, 64)) for name in ("hands", "apart"))
    run(tmp_path, base, 1, str(apart))
    write_toy_pairs(hands, 2, (64, 64))
    run(tmp_path, base, 2, str(apart))
    assert "hands had 6 samples, and has 8 since checkpoint-00000001" in caplog.text
    facts = json.loads((checkpoints(tmp_path / "run")[-1] / FACTS).read_text())
    assert [each["count"] for each in facts["sets"]["learnt"]] == [8]
    write_toy_pairs(apart, 1, (64, 64))
    with pytest.raises(SesaHandError, match="apart had 6 samples, and has 7"):
        run(tmp_path, base, 3, str(apart))


@pytest.mark.parametrize("names", [["a", "c", "d"], ["b", "a", "c"], ["a"]])
def test_growth_is_what_has_come_behind_the_same_samples_alone(names, tmp_path):
    before = KnownSets((("set", lambda: ["a", "b"]),)).facts
    assert KnownSets((("set", lambda: ["a", "b", "c"]),)).changes_since(before, tmp_path)
    with pytest.raises(SesaHandError, match="some are gone"):
        KnownSets((("set", lambda: names),)).changes_since(before, tmp_path)
    assert KnownSets((("set", lambda: names),)).changes_since(None, tmp_path) == [], "a checkpoint without them"


def test_more_held_out_than_there_are_is_refused_and_the_default_is_told(base, tmp_path, caplog):
    write_toy_pairs(tmp_path / "hands", 4, (64, 64))
    data = {"path": str(tmp_path / "hands")}
    with pytest.raises(SesaHandError, match=r"data.held_out is 1000, and .*hands has 4 samples: hold fewer out"):
        open_data(configured(tmp_path, base, {**data, "held_out": 1000}), None, "mesh")
    assert open_data(configured(tmp_path, base, data), None, "mesh").count == 1
    assert "one alone is learnt from" in caplog.text


def test_of_a_damaged_checkpoint_the_folder_is_named_and_the_one_before_it(base, tmp_path):
    write_toy_pairs(tmp_path / "hands", 6, (64, 64))
    run(tmp_path, base, 2, 0.2)
    newest = checkpoints(tmp_path / "run")[-1]
    (newest / TENSORS).write_bytes(b"damaged")
    with pytest.raises(InvalidFileError, match=r"run/checkpoint-00000002: .* to go on from checkpoint-00000001"):
        run(tmp_path, base, 3, 0.2)
