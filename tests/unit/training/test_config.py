"""A training's configuration: what it may say, and what is said of what it may not."""

import json
import sys

import pytest

from sesahand.errors import InvalidFileError, SesaHandError
from sesahand.training.config import ControlNetConfig, MiniConfig, Steps, changed_since, load_config, to_dict

CONTROLNET = {"kind": "controlnet", "base": "base.safetensors", "data": {"path": "pairs"}}


def write(folder, values, name="config.json"):
    path = folder / name
    path.write_text(values if isinstance(values, str) else json.dumps(values))
    return path


def test_mini_needs_no_file_and_single_settings_can_be_replaced():
    config = load_config("mini", ["base.steps=7", "layout.size=64", "out=there", "precision=no"])
    assert isinstance(config, MiniConfig)
    assert (config.base.steps, config.layout.size, config.out, config.precision) == (7, 64, "there", "no")
    # What is not named keeps this recipe's number, not that of its type.
    assert config.base.learning_rate == MiniConfig().base.learning_rate != Steps().learning_rate


def test_a_file_in_either_format_says_the_same(tmp_path):
    if sys.version_info < (3, 11):
        pytest.skip("tomllib came with Python 3.11")
    text = 'kind = "controlnet"\nbase = "base.safetensors"\n[data]\npath = "pairs"\n[fusion]\nrefine = "to_16"\n'
    toml = load_config(write(tmp_path, text, "config.toml"))
    assert toml == load_config(write(tmp_path, {**CONTROLNET, "fusion": {"refine": "to_16"}}))
    assert isinstance(toml, ControlNetConfig) and toml.fusion.settings.refine == "to_16"
    assert toml.fusion.settings.mode == "paper"


def test_written_down_and_read_again_it_is_the_same(tmp_path):
    for config in (load_config("mini"), load_config(write(tmp_path, CONTROLNET))):
        assert load_config(write(tmp_path, to_dict(config))) == config
        assert changed_since(to_dict(config), to_dict(config)) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("trainin.steps=3", "Did you mean training"),
        ("training.stepps=3", "Did you mean steps"),
        ("training.steps=many", "a whole number"),
        ("training.steps=0", "from 1 to"),
        ("training.steps=true", "a whole number"),
        ("training.learning_rate=NaN", "learning_rate"),
        ("training.betas=[1,2,3]", "betas"),
        ("training=3", "a table"),
        ("fusion.mode=loud", "paper, blend"),
        ("fusion.resolutions=[7]", "resolutions"),
        ("noise.no_text=2", "no_text"),
        ('noise.styles={"clean": 0}', "styles"),
        ('noise.styles={"clean": "much"}', "a number for each"),
        ("noise.styles.verbos=1", "'verbos'; captions come in clean, short, verbose"),
        ("precision=fp8", "bf16"),
        ("data.size=100", "multiple of 64"),
        ("kind=else", "controlnet or mini"),
        ("base=", "base is empty"),
        ("seed=-1", "seed"),
        ("guidance=0", "guidance"),
        ("nonsense", "no assignment"),
        ("base.steps=3", "no table"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(tmp_path, change, message):
    with pytest.raises(SesaHandError, match=message):
        load_config(write(tmp_path, CONTROLNET), [change])


@pytest.mark.parametrize("text", ["", "[]", "{", "\x00\xff", '{"kind": "controlnet"}', "[" * 20000])
def test_files_that_are_no_configuration_are_refused(tmp_path, text):
    with pytest.raises(SesaHandError):
        load_config(write(tmp_path, text))
    with pytest.raises(InvalidFileError):
        load_config(tmp_path / "missing.json")


def test_only_settings_that_change_the_result_make_another_training():
    before = to_dict(load_config("mini"))
    now = to_dict(load_config("mini", ["out=elsewhere", "workers=7", "checkpoint_every=3"]))
    assert changed_since(before, now) == []
    (change,) = changed_since(before, to_dict(load_config("mini", ["base.steps=3"])))
    assert change.startswith("base.steps (was ")


def test_the_learning_rate_rises_stays_and_falls():
    steps = Steps(steps=100, learning_rate=1.0, warmup=9, decay_from=0.5, final_rate=0.1)
    rates = [steps.rate(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and rates[9:51] == [1.0] * 42
    assert rates[75] == pytest.approx(0.55) and rates[99] == pytest.approx(0.118)
