"""The benchmarks that measure pictures, from loading to tables, on tiny models of random weights."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from PIL import Image
from tiny_diffusion import save_diffusers, save_mini

from sesahand.attention.tokens import plain_columns
from sesahand.evaluation.cells import HAND, HAND_NOUN, OTHER, Cell, noise_seed
from sesahand.evaluation.denoising import TIMES, denoising_losses
from sesahand.evaluation.drawing import chosen_columns, draw_pictures
from sesahand.evaluation.measuring import measure_pictures
from sesahand.evaluation.reader.network import (
    HEADS,
    ReaderNetwork,
    WorldReader,
    labels_of,
    load_world_reader,
    save_world_reader,
)
from sesahand.evaluation.readings import RequestReader
from sesahand.evaluation.requests import Requests
from sesahand.generate.maps import control_map
from sesahand.generate.pipeline import HandGenerator
from sesahand.metrics.frechet_distance import fid
from sesahand.models.networks import Networks
from sesahand.models.small.tokenizer import tokenize
from sesahand.training.config import Fusion, Noise
from sesahand.training.diffusion import DiffusionTask
from sesahand.training.samples import VERBOSE
from sesahand.world.cache import render_samples
from sesahand.world.synthetic import SyntheticHands

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"
SIZE = 64


def run(monkeypatch, capsys, name, *options):
    """Run a benchmark in this process and return what it printed."""
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    # A dataclass looks its module up; the path gets the checkout, which the conftest keeps out.
    monkeypatch.setitem(sys.modules, spec.name, module)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "argv", [name, *map(str, options)])
    spec.loader.exec_module(module)
    module.main()
    return capsys.readouterr().out


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ablation")


@pytest.fixture(scope="module")
def mini(folder):
    return save_mini(folder / "mini.safetensors")


@pytest.fixture(scope="module")
def rendered(folder):
    return render_samples(folder / "heldout", 3, "heldout", size=SIZE)


@pytest.fixture(scope="module")
def reader(folder):
    torch.manual_seed(1)
    path = folder / "reader.safetensors"
    # A reader that says it can read words and sides, and masks not well enough.
    save_world_reader(path, ReaderNetwork(), {"results": {name: 0.97 for name in HEADS} | {"mask_iou": 0.9}})
    return path


@pytest.fixture(scope="module")
def small(mini):
    return HandGenerator.load(mini, "sf", device="cpu")


def test_all_cells_draw_the_same_noise_and_differ_in_one_thing(small, rendered):
    requests = Requests(rendered.source, rendered)

    def draw(indices=(0, 1), turn=0, **changes):
        return draw_pictures(small, Cell("x", steps=1, **changes), requests, list(indices), turn)

    plain = draw()
    assert torch.equal(draw(), plain)
    assert not torch.equal(draw(turn=1), plain)
    # A sample's picture is its own, whatever else is in the batch.
    torch.testing.assert_close(draw([1]), plain[1:], atol=2e-5, rtol=0)
    fusion = small.controlnet.fusion
    for changes in (
        {"words": VERBOSE}, {"controlled": False}, {"fusion": fusion}, {"alpha": 2.0}, {"alpha": 2.0, "biased": OTHER},
        {"weight": 1.3}, {"weight": 1.3, "weighted": HAND}, {"silenced": "refined"}, {"silenced": "others"},
    ):  # fmt: skip
        assert not torch.equal(draw(**changes), plain), changes
        assert torch.equal(draw(), plain)


def test_the_denoising_loss_is_that_of_the_training_and_differs_by_cell(small, rendered):
    requests, base = Requests(rendered.source, rendered), small.base

    def losses(indices=(0, 1), turn=0, **changes):
        return denoising_losses(small, Cell("x", **changes), requests, list(indices), turn)

    plain = losses()
    assert plain.shape == (2,) and (losses() == plain).all() and not (losses(turn=1) == plain).any()
    np.testing.assert_allclose(losses([1]), plain[1:], rtol=1e-4)
    for changes in ({"words": VERBOSE}, {"controlled": False}, {"fusion": small.controlnet.fusion}, {"alpha": 2.0},
                    {"weight": 1.3}, {"silenced": "refined"}):  # fmt: skip
        assert (losses(**changes) != plain).all(), changes
    # The same by the training's own task: one sample, its noise, each of the times.
    parts = base.unet, base.text_encoder, base.tokenizer, base.autoencoder
    task = DiffusionTask(
        Networks(*parts, DDIMScheduler.from_config(base.scheduler.config), small.controlnet.model),
        [],
        Noise(min_snr=0.0, hand_weight=1.0),
        Fusion(enabled=False),
    )
    noise = torch.randn(1, 4, SIZE // 8, SIZE // 8, generator=torch.Generator().manual_seed(noise_seed(0, 0)))
    batch = {
        "pictures": requests.pictures([0]).movedim(-1, 1) * 2 - 1,
        "control": requests.maps([0], "mesh").movedim(-1, 1),
        "hand": torch.zeros(1, 1, SIZE // 8, SIZE // 8),
        "token_ids": tokenize(base.tokenizer, [requests.prompt(0, "clean")]),
        "keep_control": torch.ones(1),
        "keep_skips": torch.ones(1),
        "noise": noise,
    }
    with torch.no_grad():
        each = [float(task({**batch, "time": torch.tensor([round(part * 999)])})["loss"]) for part in TIMES]
    assert plain[0] == pytest.approx(sum(each) / len(each), rel=1e-4)


def test_the_bias_on_other_words_has_as_many_and_none_of_the_hands(small, rendered):
    requests = Requests(rendered.source, rendered)
    prompts = [requests.prompt(index, "clean") for index in range(3)]
    hand, other, noun = (chosen_columns(small, prompts, range(3), which) for which in (HAND, OTHER, HAND_NOUN))
    for prompt, biased, control, word in zip(prompts, hand, other, noun, strict=True):
        length = len(plain_columns(prompt, [(0, len(prompt))], small.base.tokenizer).columns)
        assert len(biased) == len(control) and not set(biased) & set(control) and set(word) <= set(biased)
        assert set(control) <= set(range(1, length + 1)) and word
    assert chosen_columns(small, prompts, range(3), OTHER) == other


def test_maps_of_a_cache_are_those_of_the_scenes(rendered):
    requests = Requests(rendered.source, rendered)
    drawn = Requests(SyntheticHands("heldout", 0, SIZE))
    assert torch.equal(requests.maps([0, 2], "mesh"), drawn.maps([0, 2], "mesh"))
    assert torch.equal(drawn.maps([1], "depth")[0], control_map(drawn.scene(1), "depth"))


def test_the_reader_counts_as_a_count_by_hand_does(rendered, reader):
    network = ReaderNetwork().eval()
    reader = RequestReader(WorldReader(network, {"results": {}}), rendered)
    pictures = Requests(rendered.source, rendered).pictures(range(3))
    columns, features = reader(pictures, range(3))
    reading = reader.reader.read(pictures)
    with torch.no_grad():
        answer = network.answer(torch.from_numpy(features))
    for number in range(3):
        seen, truth = reading.mask[number].numpy() > 0.5, rendered.masks[number] > 127
        assert columns["mask_iou"][number] == pytest.approx((seen & truth).sum() / max(1, (seen | truth).sum()))
        wanted = labels_of(rendered.describe(number).attributes)
        said = {head: int(shares[number].argmax()) for head, shares in reading.probabilities.items()}
        assert columns["skin"][number] == (said["skin"] == wanted["skin"])
        # Where an object was asked for it counts whether it is there, elsewhere whether there is none.
        asked, other = ("beside", "nothing_beside") if wanted["beside"] else ("nothing_beside", "beside")
        assert columns[asked][number] == (said["beside"] == wanted["beside"]) and np.isnan(columns[other][number])
    torch.testing.assert_close(answer[:, : len(HEADS["gesture"])].softmax(1), reading.probabilities["gesture"])
    assert not any(reader.trusted().values())


@pytest.mark.usefixtures("rendered")
def test_quality_prints_what_the_reader_may_say_and_names_the_rest(monkeypatch, capsys, folder, mini, reader):
    options = ["--heldout", folder / "heldout", "--model", mini, "--judge", reader, "--samples", "3", "--steps", "1"]
    options += ["--timed", "1", "--device", "cpu", "--out", folder / "quality"]
    printed = run(monkeypatch, capsys, "quality", *options)
    table, _, rest = printed.partition("Not published")
    assert "| through the autoencoder (ceiling) |" in table and "no control, cfg 3" in table and "IoU" not in table
    assert "mask IoU: the reader has 0.900, its bar is 0.95" in rest and "sf control, refined residuals alone" in rest
    written = json.loads((folder / "quality" / "results.json").read_text())
    again = run(monkeypatch, capsys, "quality", *options, "--rows", "cfg 1", "--timed", "0")
    assert f"| {written['figures']['sf control, cfg 1']['side']:.3f}" in again


def test_the_ablation_goes_on_and_says_the_same(monkeypatch, capsys, folder, mini, rendered, reader):
    out = folder / "table"
    options = ["--base", mini, "--heldout", folder / "heldout", "--judge", reader, "--steps", "1", "--device", "cpu"]
    options += ["--out", out, "--cells", "table,se", "--se-base", mini, "--denoising"]
    run(monkeypatch, capsys, "ablation", *options, "--samples", "2", "--seeds", "1")
    times = {path.name: path.stat().st_mtime_ns for path in out.glob("*.npz")}
    printed = run(monkeypatch, capsys, "ablation", *options, "--samples", "2", "--seeds", "1", "--pictures", "2")
    sheets = [Image.open(out / f"pictures_{number}.png") for number in (1, 2)]
    assert sheets[0].height > sheets[1].height > 5 * rendered.source.size, "a row for each cell, map and render"
    assert {path.name: path.stat().st_mtime_ns for path in out.glob("*.npz")} == times and len(times) == 9
    assert "| AE |" in printed and "| none, (hand:1.3) | 2 |" in printed and "SE in training and asking" in printed
    assert "silhouette IoU: the reader has 0.900" in printed and "denoising loss" in printed
    written = json.loads((out / "results.json").read_text())["groups"]["The alignments, one after the other"]
    ae = written["differences"]["AE"]["columns"]["gesture_confidence"]
    cells = written["cells"]
    means = [cells[name]["means"]["gesture_confidence"] for name in ("+SE +SF +AE", "+SE +SF")]
    assert ae[0] == pytest.approx(means[0] - means[1], abs=1e-6) and ae[1] <= ae[0] <= ae[2]
    file = out / Cell("none", "plain", words=VERBOSE, steps=1).file_name()
    # FID stands against the real renders of the same samples.
    reader = RequestReader(load_world_reader(reader), rendered)
    real = measure_pictures(Requests(rendered.source, rendered).pictures, reader, 2, 2).features[:, 0]
    with np.load(file) as kept:
        drawn = kept["features"][:, 0]
    assert cells["none"]["fid"] == [pytest.approx(fid(torch.from_numpy(drawn), torch.from_numpy(real)), rel=1e-4)]


def test_it_runs_on_stable_diffusion_by_path(monkeypatch, capsys, folder, detector_folder):
    from PIL import Image
    from transformers import ViTConfig, ViTImageProcessor, ViTModel

    base, control = save_diffusers(folder)
    network = folder / "vit"
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    ViTModel(ViTConfig(image_size=32, patch_size=8, **shape)).save_pretrained(network)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(network)
    photos = folder / "photos"
    photos.mkdir()
    for number in range(3):
        values = np.random.default_rng(number).integers(0, 255, (40, 50, 3), np.uint8)
        Image.fromarray(values).save(photos / f"{number}.png")
    options = ["--base", base, "--control-plain", control, "--size", "64", "--detector", detector_folder]
    options += ["--samples", "2", "--seeds", "1", "--steps", "1", "--cells", "table", "--device", "cpu"]
    options += ["--out", folder / "sd"]
    printed = run(monkeypatch, capsys, "ablation", *options, "--features", network, "--photos", photos)
    assert "hand confidence (detector)" in printed and "ViTModel, vit, against 3 pictures of photos" in printed
    assert "the reader reads pictures of the small world alone" in printed and "gesture" not in printed.split("Not")[0]
    # Nothing but noise is drawn, in which nobody finds a hand.
    assert "| +SE +SF +AE | 2 | 0.000 | 0.000 |" in printed
