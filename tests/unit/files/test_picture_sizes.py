"""Processors of strangers make no pictures of gigabytes, nor marks without end, and those of known models are taken."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import transformers
from hostile import run_limited
from tiny_vlm import save_llava, save_llava_next

from sesahand.errors import InvalidFileError, SesaHandError
from sesahand.evaluation.features import load_extractor
from sesahand.files.model_configs import check_configuration
from sesahand.files.picture_sizes import check_picture_sizes
from sesahand.vlm.transformers_vlm import TransformersVLM


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    save_llava(root / "llava")
    save_llava_next(root / "llava_next")
    return root


@pytest.fixture
def folders(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "models")


def change_pictures(folder: Path, **changes) -> None:
    """Write settings of pictures where the installed transformers reads them."""
    for name in ("preprocessor_config.json", "processor_config.json"):
        if (path := folder / name).exists():
            content = json.loads(path.read_text())
            content.get("image_processor", content).update(changes)
            path.write_text(json.dumps(content))


def change(path: Path, **changes) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def describe(folder: Path) -> list[str]:
    picture = torch.rand(1, 64, 256, 3, generator=torch.Generator().manual_seed(0))
    return TransformersVLM.load(folder).describe(picture, "hi", max_tokens=3, seed=0)


ENLARGING = {
    "a short side": ("llava", {"size": {"shortest_edge": 40_000}}),
    "a short side as a number": ("llava", {"size": 40_000}),
    "a crop": ("llava", {"crop_size": [40_000, 40_000]}),
    "a grid in lists": ("llava_next", {"image_grid_pinpoints": [[28, 56], [40_000, 40_000]]}),
    "a picture many times": ("llava", {"temporal_patch_size": 1000}),
    "tiles of a pixel": (
        "llava_next", {"image_grid_pinpoints": [[8000, 8000]], "crop_size": {"height": 1, "width": 1}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", ENLARGING)
def test_a_processor_that_makes_pictures_of_gigabytes_is_refused(what, folders):
    name, changes = ENLARGING[what]
    change_pictures(folders / name, **changes)
    said = run_limited(describe, folders / name, megabytes=1500, seconds=60).refused("InvalidFileError")
    assert "expected at most" in said and "again" in said


def test_settings_of_pictures_among_those_of_a_tokenizer_are_looked_at(folders):
    change(folders / "llava" / "tokenizer_config.json", size={"shortest_edge": 40_000})
    with pytest.raises(InvalidFileError, match="shortest_edge = 40000"):
        TransformersVLM.load(folders / "llava")


def save_vit(folder: Path, **pictures) -> None:
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    transformers.ViTModel(transformers.ViTConfig(**sizes, image_size=32, patch_size=16)).save_pretrained(folder)
    transformers.CLIPImageProcessor(**pictures).save_pretrained(folder)


def test_features_are_taken_of_no_larger_pictures(tmp_path):
    save_vit(tmp_path, size={"shortest_edge": 40_000})
    with pytest.raises(InvalidFileError, match="shortest_edge = 40000"):
        load_extractor(tmp_path)


def test_features_that_cannot_be_taken_are_told(tmp_path):
    save_vit(tmp_path, size={"shortest_edge": 64}, do_center_crop=False)
    with pytest.raises(SesaHandError, match="makes nothing of the pictures; .*doesn't match model"):
        load_extractor(tmp_path)(torch.zeros(1, 64, 64, 3))


def test_marks_without_end_are_refused_before_a_tokenizer_is_given_them(folders):
    change_pictures(folders / "llava", size={"shortest_edge": 1000}, crop_size={"height": 1000, "width": 1000})
    change(folders / "llava" / "processor_config.json", patch_size=1)
    said = run_limited(describe, folders / "llava", megabytes=2000, seconds=60).refused()
    assert "may write too many marks for one picture" in said


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"num_additional_image_tokens": 50_000}, "tokens of the prompt and the picture, expected at most 32768"),
        ({"num_additional_image_tokens": 500}, "could not answer; its files may not belong together"),
        ({"patch_size": 0}, "refused the prompt or the picture; .*: integer division or modulo by zero"),
        ({"patch_size": 1000}, "refused the prompt or the picture|could not answer"),
    ],
)
def test_a_processor_that_does_not_belong_to_the_model_is_told(folders, changes, says):
    change(folders / "llava" / "processor_config.json", **changes)
    with pytest.raises(SesaHandError, match=says):
        describe(folders / "llava")


def test_a_picture_of_another_size_than_the_model_reads_is_told(folders):
    change_pictures(folders / "llava", size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56})
    with pytest.raises(SesaHandError, match=r"could not answer; .*doesn't match model"):
        describe(folders / "llava")


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("can't allocate memory"), OverflowError("too large")])
def test_whatever_a_processor_raises_is_told(folders, error, monkeypatch):
    model = TransformersVLM.load(folders / "llava")

    def raises(*_, **__):
        raise error

    monkeypatch.setattr(type(model.processor), "__call__", raises)
    with pytest.raises(SesaHandError, match=str(error) or "MemoryError"):
        model.describe(torch.zeros(1, 32, 32, 3), "hi", max_tokens=3, seed=0)


def test_what_comfyui_raises_between_tokens_passes_as_it_is(folders):
    class Interrupt(Exception):
        """As ComfyUI's own, which is one of Python's Exceptions."""

    def stop(done, _):
        if done:
            raise Interrupt

    with pytest.raises(Interrupt):
        TransformersVLM.load(folders / "llava").describe(
            torch.zeros(1, 32, 32, 3), "hi", max_tokens=3, seed=0, progress=stop
        )


@pytest.mark.parametrize(
    "content",
    [
        {"image_processor": {"max_image_tiles": 10**9}},
        {"max_patches": 10**9},
        {"image_token": "a" * 100_000},
        {"image_token": {"content": "a" * 100_000, "special": True}},
        {"height": [[1, 10**9]]},
    ],
)
def test_what_a_processor_would_count_out_as_it_is_made_is_refused(content, tmp_path):
    with pytest.raises(InvalidFileError, match="more than any model"):
        check_configuration(tmp_path / "processor_config.json", content)


def grid(side: int, most: int) -> list[list[int]]:
    return [[side * rows, side * columns] for rows in range(1, most + 1) for columns in range(1, most + 1)]


def square(side: int) -> dict[str, int]:
    return {"height": side, "width": side}


KNOWN = {
    "LLaVA 1.5": ("CLIP", {"size": {"shortest_edge": 336}, "crop_size": square(336)}),
    "LLaVA 1.6": (
        "LlavaNext",
        {"size": {"shortest_edge": 336}, "crop_size": square(336), "image_grid_pinpoints": grid(336, 3)},
    ),
    "LLaVA-OneVision": ("LlavaOnevision", {"size": square(384), "image_grid_pinpoints": grid(384, 6)}),
    "Qwen2-VL": ("Qwen2VL", {"min_pixels": 3136, "max_pixels": 12_845_056, "patch_size": 14, "merge_size": 2}),
    "Qwen2.5-VL": ("Qwen2VL", {"size": {"shortest_edge": 3136, "longest_edge": 12_845_056}}),
    "Qwen3-VL": (
        "Qwen2VL",
        {"size": {"shortest_edge": 65_536, "longest_edge": 16_777_216}, "patch_size": 16, "temporal_patch_size": 2},
    ),
    "GLM-4.1V": ("Glm4v", {"size": {"shortest_edge": 12_544, "longest_edge": 9_633_792}}),
    "SmolVLM": ("Idefics3", {"size": {"longest_edge": 1536}, "max_image_size": {"longest_edge": 384}}),
    "SmolVLM2": ("SmolVLM", {"size": {"longest_edge": 2048}, "max_image_size": {"longest_edge": 512}}),
    "Idefics2": ("Idefics2", {"size": {"longest_edge": 980, "shortest_edge": 378}}),
    "Idefics3": ("Idefics3", {"size": {"longest_edge": 1456}, "max_image_size": {"longest_edge": 364}}),
    "InternVL3": (
        "GotOcr2",
        {"crop_to_patches": True, "min_patches": 1, "max_patches": 40, "size": square(448)},
    ),
    "Phi-4": ("Phi4Multimodal", {"size": square(448), "patch_size": 14, "dynamic_hd": 36}),
    "Gemma 3": (
        "Gemma3", {"size": square(896), "pan_and_scan_min_crop_size": 256, "image_seq_length": 256},
    ),
    "PaliGemma": ("Siglip", {"size": square(896), "image_seq_length": 4096}),
    "Florence-2": ("CLIP", {"size": square(768), "crop_size": square(768)}),
    "BLIP": ("Blip", {"size": square(384)}),
    "Pixtral": ("Pixtral", {"size": {"longest_edge": 1540}, "patch_size": square(14)}),
    "Llama 3.2 Vision": ("Mllama", {"size": square(560), "max_image_tiles": 4}),
    "Llama 4": ("Llama4", {"size": square(336), "max_patches": 16}),
    "Aria": ("Aria", {"max_image_size": 980, "min_image_size": 336}),
    "Pix2Struct": ("Pix2Struct", {"max_patches": 4096, "patch_size": square(16)}),
    "Donut": ("Donut", {"size": [2560, 1920]}),
    "Fuyu": ("Fuyu", {"size": {"height": 1080, "width": 1920}}),
    "ConvNeXt": ("ConvNext", {"size": {"shortest_edge": 384}, "crop_pct": 0.875}),
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_what_known_models_say_of_their_pictures_is_taken(name, tmp_path):
    kind, settings = KNOWN[name]
    check_configuration(tmp_path / "preprocessor_config.json", settings)
    made = getattr(transformers, f"{kind}ImageProcessor", None)
    try:
        processor = made(**settings)
    except (ImportError, TypeError) as error:
        pytest.skip(f"not in this installation: {error}")
    check_picture_sizes(tmp_path, processor)
