"""A reconstructor's training, from pairs to the file that reconstructs their hands, and what its crops say of hands."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hand_network_reference import SMALL_LAYERS, random_weights
from hostile import run_limited
from mano_fixture import write_mano
from pair_scenes import make_scene
from safetensors.torch import load_file, save_file

from sesahand.cli import main
from sesahand.data.pair_set import PairSet
from sesahand.data.record import PairFacts
from sesahand.data.writer import PairWriter
from sesahand.errors import InvalidFileError, SesaHandError, UnsafeFileError
from sesahand.hands.builtin import load_builtin_hand
from sesahand.hands.mano import load_mano
from sesahand.hands.rotations import axis_angle_to_matrix
from sesahand.reconstruct.learned.checkpoints import load_network, told_hand_model
from sesahand.reconstruct.learned.hamer import HaMeR
from sesahand.reconstruct.learned.hand_crops import crop_square, crop_squares, normalise_crops
from sesahand.reconstruct.learned.prediction import project_to_crop
from sesahand.reconstruct.learned.regressor import HandRegressor, RegressorSettings
from sesahand.reconstruct.learned.regressor_files import write_network
from sesahand.render.maps import render_maps
from sesahand.training.config import ReconstructorConfig, load_config, to_dict
from sesahand.training.hand_crops import cut_crop, hands_of_scene, open_hands
from sesahand.training.hand_task import draw_change, move_crops, move_truth
from sesahand.training.mixture import Mixture
from sesahand.training.reconstructor import measure_crops, start_network, train_reconstructor, weak_camera
from sesahand.training.reconstructor_settings import Augmentation, HandSource
from sesahand.world.cache import render_samples

COUNT, PICTURE = 6, (96, 96)
STILL = {"shift": 0, "scale": 0, "turn": 0, "color": 0, "light": 0, "noise": 0}


def write_pairs(folder, model=None, count=COUNT, scores=(None,) * COUNT):
    with PairWriter(folder) as writer:
        for number in range(count):
            sides = ("left",) if number % 2 else ("right",)
            scene = make_scene(number, sides, PICTURE, **({} if model is None else {"model": model}))
            maps = render_maps(scene, ("normal",), antialias=True)
            writer.add(maps.normal[0], scene, PairFacts(score=scores[number]), key=f"hand_{number}")
    return folder


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return write_pairs(tmp_path_factory.mktemp("set") / "pairs", scores=(0.9, 0.2, None, 0.8, 0.5, 0.1))


@pytest.fixture(scope="module")
def mano_file(tmp_path_factory):
    return write_mano(tmp_path_factory.mktemp("mano"))


def configured(pairs, folder, *changes, **values):
    values = {
        "kind": "reconstructor", "precision": "no", "checkpoint_every": 1000, "log_every": 1, "validate_every": 0,
        "out": str(folder), "data": {"sets": [{"path": str(pairs)}]},
        "backbone": {"size": 32, "widths": [16, 32, 32], "hidden": 64},
        "training": {"steps": 3, "batch_size": COUNT, "warmup": 5}, **values,
    }  # fmt: skip
    path = folder.parent / f"{folder.name}.json"
    path.write_text(json.dumps(values))
    return load_config(path, list(changes))


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_changed_crop_shows_its_keypoints_where_it_says(side):
    """A dot is painted at a keypoint in the picture: whatever is done to the crop, it is found where that is said."""
    scene = make_scene(3, (side,), (256, 192))
    [hand] = hands_of_scene(scene)
    point = int((hand.keypoints_2d - torch.tensor([128.0, 96.0])).norm(dim=1).argmin())
    columns, rows = np.meshgrid(np.arange(256) + 0.5, np.arange(192) + 0.5)
    far = (columns - float(hand.keypoints_2d[point, 0])) ** 2 + (rows - float(hand.keypoints_2d[point, 1])) ** 2
    picture = torch.from_numpy(np.exp(-far / 18)).float()[..., None].expand(-1, -1, 3)
    crop = cut_crop(picture, hand, 64)
    change = draw_change(8, Augmentation(shift=0.1, scale=0.2, turn=60), torch.Generator().manual_seed(1))
    names = ("keypoints_2d", "keypoints_3d", "rotations", "betas")
    truth = {name: getattr(crop, name).expand(8, *getattr(crop, name).shape) for name in names}
    moved = move_crops(crop.patch.float().expand(8, -1, -1, -1) / 255, 64, *change)
    expected = move_truth(truth, *change)["keypoints_2d"][:, point]
    line = (torch.arange(64) - 32) / 32
    weight = moved[:, 0] / moved[:, 0].sum((1, 2), keepdim=True)
    found = torch.stack([(weight.sum(1) * line).sum(1), (weight.sum(2) * line).sum(1)], 1)
    assert (expected.abs() < 0.9).all() and (expected.std(0) > 0.02).all()
    assert (found - expected).abs().max() < 0.02


def test_an_unchanged_crop_is_the_one_that_a_reconstructor_cuts():
    scene = make_scene(1, ("left",), (160, 120))
    [hand] = hands_of_scene(scene)
    line = torch.linspace(0, 1, 160)
    picture = torch.stack([line.expand(120, -1), line[:120, None].expand(-1, 160), 0.5 * line.expand(120, -1)], -1)
    still = torch.zeros(1, 2), torch.ones(1), torch.zeros(1)
    moved = move_crops(cut_crop(picture, hand, 64).patch[None].float() / 255, 64, *still)[0]
    centres, sides = crop_squares(hand.box[None].double())
    expected = crop_square(picture, tuple(centres[0].tolist()), float(sides[0]), True, 64)
    inside = expected.amin(0) > 0.02
    assert inside.float().mean() > 0.3 and (moved - expected).abs()[:, inside].median() < 0.01


@pytest.mark.parametrize("side", ["right", "left"])
def test_what_is_true_of_a_turned_crop_belongs_together(side):
    """The hand posed with the turned rotations has the turned keypoints, and these lie where they are seen."""
    [hand] = hands_of_scene(make_scene(5, (side,), PICTURE))
    crop = cut_crop(torch.zeros(96, 96, 3), hand, 32)
    change = draw_change(4, Augmentation(turn=90), torch.Generator().manual_seed(0))
    names = ("keypoints_2d", "keypoints_3d", "rotations", "betas")
    truth = move_truth({name: torch.stack([getattr(crop, name)] * 4) for name in names}, *change)
    rotations = truth["rotations"]
    right = torch.ones(4, dtype=torch.bool)
    posed = load_builtin_hand()(rotations[:, 0], rotations[:, 1:], truth["betas"], torch.zeros(4, 3), right)
    found = posed.keypoints - posed.keypoints[:, :1]
    assert torch.allclose(found, truth["keypoints_3d"], atol=1e-5)
    for points, seen in zip(found, truth["keypoints_2d"], strict=True):
        scale, shift = weak_camera(points, seen)
        flat = scale * (points[:, :2] + shift)
        # The scene's lens is short, so that perspective shifts points by parts of the hand.
        assert (flat - seen).norm(dim=-1).mean() < 0.06


def test_the_crops_camera_is_the_published_one():
    points = 0.05 * torch.randn(2, 21, 3, generator=torch.Generator().manual_seed(0))
    camera = torch.tensor([[5.0, 0.02, -0.01], [3.0, -0.05, 0.04]])
    for each, (scale, x, y), found in zip(points, camera, project_to_crop(points, camera), strict=True):
        seen = each + torch.stack([x, y, 2 * 5000 / (256 * scale)])
        assert torch.allclose(found, seen[:, :2] / seen[:, 2:] * 5000 / 128, atol=1e-5)


def test_a_mixture_draws_from_its_sets_in_their_shares_and_leaves_nothing_out():
    mixture = Mixture([list(range(10)), list(range(100, 103))], [1.0, 3.0])
    drawn = [mixture[index] for index in range(len(mixture))]
    assert len(drawn) == 40 and sorted(set(drawn)) == [*range(10), 100, 101, 102]
    assert sum(number >= 100 for number in drawn) == 30 and drawn.count(101) == 10


def test_pairs_are_chosen_by_score_and_number(pairs):
    hand = load_builtin_hand()

    def places(**values):
        return [picture for picture, _ in open_hands(HandSource(str(pairs), **values), hand, 32).places]

    assert places() == [*range(COUNT)] and places(minimum_score=0.5) == [0, 3, 4] and places(count=2) == [0, 1]
    with pytest.raises(SesaHandError, match="scores are below 0.95"):
        places(minimum_score=0.95)


def test_of_another_hand_models_pairs_the_keypoints_are_learnt(tmp_path, pairs, mano_file):
    theirs = open_hands(HandSource(str(write_pairs(tmp_path / "mano", load_mano(mano_file)))), load_builtin_hand(), 32)
    ours = open_hands(HandSource(str(pairs)), load_builtin_hand(), 32)
    assert not theirs[0].known and ours[0].known and theirs[1].keypoints_3d.abs().max() > 0.05
    assert torch.isfinite(theirs[0].keypoints_2d).all()


def test_rendered_samples_are_learnt_from_too(tmp_path):
    render_samples(tmp_path / "drawn", 3, size=64)
    crops = open_hands(HandSource(str(tmp_path / "drawn")), load_builtin_hand(), 32)
    assert len(crops) >= 3 and all(crop.known for crop in crops) and crops[0].patch.float().std() > 5
    with pytest.raises(InvalidFileError, match="neither a set"):
        open_hands(HandSource(str(tmp_path)), load_builtin_hand(), 32)


def test_a_reconstructor_is_trained_reconstructs_and_is_measured(pairs, tmp_path, capsys):
    """The whole way by its commands: six pairs are learnt by heart, and their hands come back as they are."""
    pytest.importorskip("accelerate")
    changes = ("training.steps=100", "training.learning_rate=5e-3", "log_every=50", "validate_every=100")
    sets = [{"path": str(pairs)}]
    configured(
        pairs, tmp_path / "run", *changes, augmentation=STILL, data={"sets": sets, "held_out": sets},
        training={"batch_size": COUNT, "warmup": 5, "average": 0.0},
    )  # fmt: skip
    options = [part for change in changes for part in ("--set", change)]
    assert main(["train", "--config", str(tmp_path / "run.json"), *options]) == 0
    file = tmp_path / "run" / "reconstructor.safetensors"
    assert file.name in capsys.readouterr().out
    told = json.loads((tmp_path / "run" / "held_out.jsonl").read_text().splitlines()[-1])
    assert told["step"] == 100 and told["MPJPE of pairs"] < 15

    entries = []
    for number, pair in enumerate(PairSet(pairs)):
        points = pair.parameters.keypoints_2d[0].tolist()
        entries.append({"frame": number, "side": pair.scene.side[0], "keypoints": points})
    (tmp_path / "points.json").write_text(json.dumps(entries))
    pictures = [str(pair.path("picture")) for pair in PairSet(pairs)]
    command = ["reconstruct", *pictures, "--out", str(tmp_path / "found"), "--mesh", "none"]
    command += ["--keypoints", str(tmp_path / "points.json"), "--reconstructor", str(file)]
    assert main(command) == 0
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "found"), str(pairs), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)["figures"]
    assert figures["mpjpe"]["samples"] == COUNT and figures["mpjpe"]["mean"] < 15
    assert figures["mpvpe"]["mean"] < 15 and figures["mse_2d"]["mean"] < 0.02
    assert figures["mpjpe"]["mean"] == pytest.approx(told["MPJPE of pairs"], abs=1.5)


def test_a_stopped_training_goes_on_to_the_same_weights(pairs, tmp_path):
    pytest.importorskip("accelerate")
    _, whole = train_reconstructor(configured(pairs, tmp_path / "whole", "training.steps=6"))
    config, told = configured(pairs, tmp_path / "parts", "training.steps=6"), []
    outcome, path = train_reconstructor(config, lambda: len(told) >= 3, told.append)
    assert path is None and outcome.step == 3
    _, path = train_reconstructor(config)
    first, second = load_file(whole), load_file(path)
    assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
    assert told_hand_model(path) == load_builtin_hand().name


@pytest.mark.parametrize("kind", SMALL_LAYERS)
def test_a_published_networks_checkpoint_goes_on(kind, tmp_path, mano_file):
    """HaMeR and WiLoR with random weights of few channels: the file stays theirs, and its loss falls."""
    pytest.importorskip("accelerate")
    mano = write_pairs(tmp_path / "pairs", load_mano(mano_file))
    weights = random_weights(SMALL_LAYERS[kind]())
    save_file(weights, tmp_path / "start.safetensors")
    values = {"start": str(tmp_path / "start.safetensors"), "hand_model": str(mano_file), "augmentation": STILL}
    changes = ("training.steps=4", "training.learning_rate=1e-3", "training.warmup=0")
    told = []
    config = configured(mano, tmp_path / "run", *changes, **values)
    _, path = train_reconstructor(config, report=told.append)
    assert told[-1]["loss"] < told[0]["loss"]
    network = load_network(path)
    assert network.title == kind and told_hand_model(path) == "mano"
    assert not torch.equal(load_file(path)["backbone.pos_embed"].float(), weights["backbone.pos_embed"])
    if isinstance(network, HaMeR):
        frozen = replace(config, out=str(tmp_path / "frozen"), frozen=True)
        kept = load_file(train_reconstructor(frozen)[1])
        assert torch.equal(kept["backbone.pos_embed"], weights["backbone.pos_embed"].half())
        assert not torch.equal(kept["mano_head.decpose.weight"], weights["mano_head.decpose.weight"].half())
    with pytest.raises(SesaHandError, match="needs MANO"):
        train_reconstructor(replace(config, hand_model="builtin", out=str(tmp_path / "other")))


def test_a_vision_network_of_transformers_is_the_backbone(pairs, tmp_path):
    pytest.importorskip("accelerate")
    folder = tmp_path / "vit"
    folder.mkdir()
    described = {"model_type": "vit", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
                 "intermediate_size": 32, "image_size": 32, "patch_size": 8}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(described))
    config = configured(pairs, tmp_path / "run", backbone={"kind": "vision", "folder": str(folder), "size": 32})
    _, path = train_reconstructor(config)
    crops = open_hands(HandSource(str(pairs)), load_builtin_hand(), 32)
    figures = measure_crops(load_network(path), load_builtin_hand(), crops)
    assert {name: values.shape for name, values in figures.items()} == dict.fromkeys(
        ("MPJPE", "PA-MPJPE", "MPVPE"), (COUNT,)
    )
    assert str(tmp_path) not in path.read_bytes()[:20000].decode("utf-8", "replace")
    described["model_type"] = "bert"
    (folder / "config.json").write_text(json.dumps(described))
    with pytest.raises(SesaHandError, match="'bert'; choose one of vit"):
        train_reconstructor(replace(config, out=str(tmp_path / "other")))


def test_a_networks_file_says_what_it_is_and_answers_the_same(tmp_path):
    settings = RegressorSettings("sesahand-cc0", 32, widths=(8, 16), hidden=16)
    network = HandRegressor(settings).eval()
    torch.nn.init.normal_(network.answer.weight)
    network.get_buffer("init_hand_pose").normal_()
    network.get_buffer("init_cam").fill_(4.0)
    write_network(tmp_path / "own.safetensors", network.half().float(), {"steps": 1})
    state = torch.random.get_rng_state()
    loaded = load_network(tmp_path / "own.safetensors")
    assert torch.equal(torch.random.get_rng_state(), state) and loaded.settings == settings
    crops = normalise_crops(torch.rand(2, 3, 32, 32))
    hand = load_builtin_hand()
    for name in ("pose", "betas", "camera"):
        assert torch.allclose(getattr(loaded(crops, hand), name), getattr(network(crops, hand), name), atol=1e-5)
    assert (loaded(100 * crops, hand).betas.abs() <= 5).all() and (loaded(100 * crops, hand).camera[:, 0] > 0).all()


def test_a_networks_file_that_lies_is_refused(tmp_path):
    network = HandRegressor(RegressorSettings("sesahand-cc0", 32, widths=(8, 16), hidden=16))
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    for number, settings in enumerate(
        ({"hand_model": "sesahand-cc0", "size": 32, "widths": [8192] * 8},
         {"hand_model": "sesahand-cc0", "size": 32, "backbone": "vision", "vision": {"model_type": "timm_wrapper"}},
         {"hand_model": "sesahand-cc0", "size": 32, "backbone": "vision",
          "vision": {"model_type": "vit", "_attn_implementation": "owner/repository"}},
         {"hand_model": "sesahand-cc0", "size": 32, "backbone": "vision",
          "vision": {"model_type": "vit", "num_hidden_layers": 10**9}},
         {"hand_model": 3}, ["no", "table"])
    ):  # fmt: skip
        path = tmp_path / f"{number}.safetensors"
        save_file(weights, path, {"sesahand.reconstructor": json.dumps(settings)})
        with pytest.raises(InvalidFileError):
            load_network(path)


def test_a_networks_file_that_asks_for_code_is_refused_before_transformers_reads_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr("transformers.AutoConfig.for_model", lambda *_, **__: pytest.fail("transformers was asked"))
    vision = {"model_type": "vit", "attn_implementation": "owner/repository"}
    settings = {"hand_model": "sesahand-cc0", "size": 32, "backbone": "vision", "vision": vision}
    save_file({"x": torch.zeros(1)}, tmp_path / "net.safetensors", {"sesahand.reconstructor": json.dumps(settings)})
    with pytest.raises(UnsafeFileError, match="owner/repository"):
        load_network(tmp_path / "net.safetensors")


def test_a_vision_network_that_starts_at_random_is_not_of_any_size(pairs, tmp_path):
    (tmp_path / "vit").mkdir()
    described = {"model_type": "vit", "hidden_size": 16384, "intermediate_size": 65536, "num_hidden_layers": 48,
                 "num_attention_heads": 16, "image_size": 32}  # fmt: skip
    (tmp_path / "vit" / "config.json").write_text(json.dumps(described))
    backbone = {"kind": "vision", "folder": str(tmp_path / "vit"), "size": 32}
    config = configured(pairs, tmp_path / "run", backbone=backbone)
    with pytest.raises(InvalidFileError, match="describes a network of .* expected at most"):
        start_network(config, load_builtin_hand())
    # Few weights, and a table that the network makes of the fourth power of its windows' width.
    described = {"model_type": "swinv2", "image_size": 640, "patch_size": 4, "embed_dim": 16, "depths": [1],
                 "num_heads": [1], "window_size": 80}  # fmt: skip
    (tmp_path / "vit" / "config.json").write_text(json.dumps(described))
    ended = run_limited("sesahand.training.reconstructor:start_network", config, load_builtin_hand(), megabytes=800)
    assert "bytes beside them, expected at most" in ended.refused()


def test_a_configuration_names_its_sets_and_is_read_again(tmp_path, pairs):
    config = configured(pairs, tmp_path / "run", 'data.sets=[{"path": "a", "share": 2}, {"path": "b"}]')
    assert [(each.path, each.share) for each in config.data.sets] == [("a", 2.0), ("b", 1.0)]
    (tmp_path / "again.json").write_text(json.dumps(to_dict(config)))
    assert load_config(tmp_path / "again.json") == config and isinstance(config, ReconstructorConfig)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("data.sets=[]", "data.sets is empty"),
        ('data.sets=[{"share": 1}]', r"data.sets\[0\]: A set has no path"),
        ('data.sets=[{"path": "a", "sheer": 1}]', "Did you mean share"),
        ("data.sets=[3]", "a table of settings"),
        ("backbone.kind=mlp", "convolutions or vision"),
        ("backbone.kind=vision", "backbone.folder"),
        ("augmentation.turn=400", "turn"),
        ('losses={"keypoints_3d": 0, "keypoints_2d": 0, "rotations": 0, "betas": 0, "vertices": 0}', "All losses"),
    ],
)
def test_what_a_reconstructor_cannot_be_is_refused_by_its_name(tmp_path, pairs, change, message):
    with pytest.raises(SesaHandError, match=message):
        configured(pairs, tmp_path / "run", change)


def test_an_average_beside_batch_normalisation_is_refused(tmp_path, pairs):
    with pytest.raises(SesaHandError, match="training.average=0"):
        train_reconstructor(configured(pairs, tmp_path / "run", "training.average=0.9"))


def test_the_start_is_the_mean_hand_before_the_camera():
    """So that a network that has learnt nothing tells a hand, and steps go on from there."""
    points = load_builtin_hand()(
        torch.eye(3)[None], axis_angle_to_matrix(0.2 * torch.ones(1, 15, 3)), torch.zeros(1, 10), torch.zeros(1, 3),
        torch.tensor([True]),
    ).keypoints[0]  # fmt: skip
    scale, shift = weak_camera(points, 4.0 * (points[:, :2] + torch.tensor([0.02, -0.03])))
    assert scale == pytest.approx(4.0, abs=1e-4) and shift.tolist() == pytest.approx([0.02, -0.03], abs=1e-5)
