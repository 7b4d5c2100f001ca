"""What a base's file or folder says of itself is heeded: what it predicts, what it is for, and in which format."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file
from tiny_diffusion import save_diffusers

from sesahand.errors import InvalidFileError, SesaHandError, UnsafeFileError
from sesahand.generate.sampling import SAMPLERS, build_scheduler
from sesahand.models.base import load_base_model
from sesahand.models.checkpoints import check_channels, prediction_of


@pytest.mark.parametrize(
    ("state", "metadata", "yaml", "expected"),
    [
        ({}, {}, None, {}),
        ({"v_pred": torch.zeros(0)}, {}, None, {"prediction_type": "v_prediction"}),
        (
            {"v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)},
            {},
            None,
            {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"},
        ),
        ({}, {"modelspec.prediction_type": "v"}, None, {"prediction_type": "v_prediction"}),
        ({}, {"modelspec.predict_key": "v"}, None, {"prediction_type": "v_prediction"}),
        ({}, {"modelspec.prediction_type": "epsilon"}, None, {}),
        ({}, {"ss_v_parameterization": "True"}, None, {"prediction_type": "v_prediction"}),
        ({}, {}, 'model:\n  params:\n    parameterization: "v"\n', {"prediction_type": "v_prediction"}),
        ({}, {}, "model:\n  params:\n    parameterization: eps\n", {}),
        ({}, {}, "\x00\xff nonsense", {}),
    ],
)
def test_marks_of_what_a_model_predicts_are_heeded(tmp_path, state, metadata, yaml, expected):
    if yaml is not None:
        (tmp_path / "base.yaml").write_text(yaml, encoding="latin1")
    assert prediction_of(tmp_path / "base.safetensors", state, metadata) == expected


@pytest.mark.parametrize(
    ("channels", "kind"), [(9, "inpainting"), (8, "InstructPix2Pix"), (5, "depth"), (6, "special")]
)
def test_a_checkpoint_for_another_purpose_is_named(channels, kind):
    with pytest.raises(InvalidFileError, match=f"base is an? .*{kind}.*{channels} channels"):
        check_channels({"input_blocks.0.0.weight": torch.zeros(8, channels, 3, 3)}, "base")
    check_channels({"input_blocks.0.0.weight": torch.zeros(8, 4, 3, 3)}, "base")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return save_diffusers(tmp_path_factory.mktemp("models"))[0]


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "base")


@pytest.mark.parametrize("name", ["unet", "text_encoder", "vae"])
def test_weights_of_a_folder_that_could_carry_code_are_not_read(folder, name):
    (weights,) = (folder / name).glob("*.safetensors")
    torch.save(load_file(weights), weights.with_suffix(".bin"))
    weights.unlink()
    with pytest.raises(InvalidFileError, match=f"{name} holds no .safetensors"):
        load_base_model(folder)


@pytest.mark.parametrize("name", ["unet", "text_encoder", "vae", "scheduler", "tokenizer"])
def test_a_part_that_asks_for_code_from_elsewhere_is_refused(folder, name):
    (folder / name / "config.json").touch()
    content = json.loads((folder / name / "config.json").read_text() or "{}")
    (folder / name / "config.json").write_text(json.dumps(content | {"attn_implementation": "owner/repo"}))
    with pytest.raises(UnsafeFileError, match="owner/repo"):
        load_base_model(folder)


@pytest.mark.parametrize(
    "changes",
    [{"block_out_channels": "x"}, {"down_block_types": ["Evil"]}, {"cross_attention_dim": [[1]]}, {"act_fn": 3}],
)
def test_a_folder_whose_configuration_is_damaged_is_an_error_of_it(folder, changes):
    content = json.loads((folder / "unet" / "config.json").read_text())
    (folder / "unet" / "config.json").write_text(json.dumps(content | changes))
    with pytest.raises(InvalidFileError, match="cannot be loaded"):
        load_base_model(folder)


@pytest.mark.parametrize(
    ("file", "changes", "said"),
    [
        ("scheduler/scheduler_config.json", {"prediction_type": "nope"}, "prediction_type 'nope', expected one of eps"),
        ("scheduler/scheduler_config.json", {"timestep_spacing": "x"}, "timestep_spacing 'x', expected one of linsp"),
        ("scheduler/scheduler_config.json", {"steps_offset": 10**9}, "steps_offset, 1000000000, from 0 to"),
        ("scheduler/scheduler_config.json", {"trained_betas": [0.1]}, "no noise that grows over"),
        ("scheduler/scheduler_config.json", {"beta_end": 5.0}, "no noise that grows over"),
        ("scheduler/scheduler_config.json", {"beta_end": 1.0}, "no noise that grows over"),
        ("scheduler/scheduler_config.json", {"num_train_timesteps": 2}, "2 steps of noise, expected 100 or more"),
        (
            "scheduler/scheduler_config.json",
            {"clip_sample": True, "clip_sample_range": "x"},
            "The scheduler in .* takes no step",
        ),
        ("tokenizer/tokenizer_config.json", {"model_max_length": -5}, "49408 words of up to -5 a text"),
        ("tokenizer/tokenizer_config.json", {"model_max_length": 1.5}, "49408 words of up to 1.5 a text"),
        ("tokenizer/tokenizer_config.json", {"pad_token": "zz new"}, "49409 words of up to 77"),
        ("vae/config.json", {"scaling_factor": "a"}, "scaling_factor 'a' and shift_factor"),
        ("vae/config.json", {"scaling_factor": 0}, "scaling_factor 0 and shift_factor"),
        ("vae/config.json", {"scaling_factor": 1, "shift_factor": "b"}, "shift_factor 'b'"),
    ],
)
def test_settings_with_which_nothing_could_be_sampled_are_told_by_their_names(folder, file, changes, said):
    content = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps(content | changes))
    with pytest.raises(SesaHandError, match=said):
        load_base_model(folder)


@pytest.mark.parametrize(
    ("sampler", "changes"),
    [
        ("ddim", {"clip_sample": True, "clip_sample_range": "a"}),
        ("ddim", {"thresholding": True, "dynamic_thresholding_ratio": 5}),
        ("euler", {"interpolation_type": "x"}),
        ("euler", {"final_sigmas_type": "x"}),
        ("dpm++", {"solver_type": "x"}),
        ("dpm++ karras", {"solver_order": "a"}),
    ],
)
def test_settings_that_a_sampler_cannot_use_are_told_before_anything_is_sampled(folder, sampler, changes):
    file = folder / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    # What the base's own scheduler cannot use is told when it is loaded.
    with pytest.raises(SesaHandError, match=r"cannot sample 4 steps with .*scheduler_config\.json|takes no step"):
        build_scheduler(load_base_model(folder).scheduler, sampler, 4)


@pytest.mark.parametrize(
    "changes", [{}, {"beta_schedule": "squaredcos_cap_v2"}, {"rescale_betas_zero_snr": True}, {"beta_end": 0.2}]
)
def test_schedules_of_real_models_are_sampled(folder, changes):
    file = folder / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    scheduler = load_base_model(folder).scheduler
    built = [build_scheduler(scheduler, sampler, 4) for sampler in SAMPLERS]
    assert all(getattr(each, "step_index", None) is None for each in built)
