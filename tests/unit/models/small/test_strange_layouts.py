"""A small model's header that describes none is an error of its file."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from sesahand.errors import InvalidFileError, SesaHandError
from sesahand.models.small.embedded import embedded_path
from sesahand.models.small.layout import MiniLayout
from sesahand.models.small.model_files import FACTS, LAYOUT, read_mini


@pytest.mark.parametrize(
    "changes",
    [
        {"blocks": -1}, {"blocks": 0}, {"blocks": 10**9}, {"blocks": "1"}, {"blocks": True}, {"text_heads": 0},
        {"text_heads": -4}, {"text_layers": 10**7}, {"text_width": 2**40}, {"text_width": 0}, {"widths": 64},
        {"widths": [64, None]}, {"widths": [64] * 1000}, {"widths": {"a": 1}}, {"autoencoder_widths": [8, 8, 10**8]},
        {"size": 10**9}, {"size": 128.0}, {"prediction": ["v_prediction"]}, {"prediction": None}, {"more": 1},
    ],
)  # fmt: skip
def test_a_shape_that_is_none_is_refused_before_anything_is_built(changes):
    with pytest.raises(InvalidFileError, match="description of the small model"):
        MiniLayout.from_json(json.dumps(changes))
    if "more" not in changes:
        with pytest.raises(SesaHandError):
            MiniLayout(**changes)


@pytest.mark.parametrize("text", ["", "[]", "3", "null", "[" * 100_000, '{"a"', "\ud800"])
def test_a_header_that_is_no_json_is_an_error_of_the_file(tmp_path, text):
    with pytest.raises(InvalidFileError):
        MiniLayout.from_json(text)
    header = {LAYOUT: MiniLayout().to_json(), FACTS: text.encode("utf-8", "replace").decode()}
    state = load_file(embedded_path())
    save_file({name: value for name, value in state.items() if value.ndim < 4}, tmp_path / "mini.safetensors", header)
    with pytest.raises(InvalidFileError, match="mini.safetensors"):
        read_mini(tmp_path / "mini.safetensors")
    assert torch.is_tensor(next(iter(state.values())))
