"""The figures of structural fusion's maps, on maps whose figures are known, and on a ControlNet."""

import pytest
import torch
from tiny_diffusion import save_mini

from sesahand.cli import main
from sesahand.evaluation.fusion_check import MapFigures, check_fusion, describe_figures, figures_of
from sesahand.generate.pipeline import HandGenerator

HAND = torch.tensor([[1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]])


def test_the_identity_a_mean_and_a_gathering_map_are_told_apart():
    cells = HAND.shape[1]
    diagonal, constant, lift = figures_of(3 * torch.eye(cells)[None] + 1e-9, HAND)
    assert diagonal == pytest.approx(1) and constant == pytest.approx(1 / cells) and lift == pytest.approx(1)
    diagonal, constant, lift = figures_of(torch.ones(1, cells, cells), HAND)
    assert (diagonal, constant, lift) == pytest.approx((1 / cells, 1, 1))
    # Each hand cell attends to hand alone: two of seven other cells are hand, so that chance gives 2/7.
    gathering = torch.ones(1, cells, cells) * (HAND[:, :, None] == HAND[:, None])
    diagonal, constant, lift = figures_of(gathering, HAND)
    assert lift == pytest.approx(7 / 2) and diagonal == pytest.approx((3 / 3 + 5 / 5) / cells)
    assert figures_of(gathering, torch.zeros(1, cells))[2] != figures_of(gathering, torch.zeros(1, cells))[2]


@pytest.mark.parametrize(
    ("figures", "verdict"),
    [((0.95, 0.1, 3.0), "as they are"), ((0.1, 0.95, 3.0), "one mean"), ((0.2, 0.3, 0.9), "not gather"),
     ((0.2, 0.3, float("nan")), "not gather"), ((0.2, 0.3, 1.8), "gathers hands")],
)  # fmt: skip
def test_figures_have_a_verdict(figures, verdict):
    one = MapFigures(8, 64, 0.5, *figures)
    assert verdict in one.verdict
    assert ("something to gather" in describe_figures([one], "it")) == (verdict == "gathers hands")


def hooks_of(model: torch.nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


def test_a_controlnet_is_looked_at_and_left_as_it_was(tmp_path, capsys):
    path = str(save_mini(tmp_path / "mini.safetensors"))
    generator = HandGenerator.load(path, "sf", "cpu")
    hooks = [
        len(module._forward_hooks) + len(module._forward_pre_hooks) for module in generator.controlnet.model.modules()
    ]
    figures = check_fusion(generator, samples=3, batch_size=2)
    assert len({one.time for one in figures}) == 3 and all(0 < one.diagonal <= 1 for one in figures)
    assert all(0 < one.constant <= 1 for one in figures)
    after = [
        len(module._forward_hooks) + len(module._forward_pre_hooks) for module in generator.controlnet.model.modules()
    ]
    assert hooks == after
    assert main(["fusion-check", "plain", "--base", path, "--samples", "1", "--device", "cpu"]) == 0
    assert "hand to hand" in capsys.readouterr().out
