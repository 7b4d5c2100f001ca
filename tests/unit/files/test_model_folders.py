"""Model folders of strangers: they run nothing, take no more memory than their weights, and lack none of them."""

import base64
import json
import shutil
import struct
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionControlNetPipeline
from hostile import run_limited
from safetensors.torch import load_file, save_file
from tiny_diffusion import save_diffusers
from tiny_vlm import save_llama
from transformers import AutoTokenizer

from sesahand.attention.tokens import plain_columns
from sesahand.errors import InvalidFileError, UnsafeFileError
from sesahand.evaluation.features import load_extractor
from sesahand.files.model_configs import check_configurations
from sesahand.files.panics import refusing_panics
from sesahand.generate.pipeline import HandGenerator
from sesahand.models.base import BaseModel, load_base_model
from sesahand.models.checkpoints import load_base
from sesahand.models.controlnets import load_controlnet
from sesahand.models.small.tokenizer import tokenize
from sesahand.vlm.transformers_vlm import TransformersVLM


def save_vit(folder: Path) -> Path:
    """A vision network of a few weights, as `load_extractor` takes them."""
    from transformers import ViTConfig, ViTImageProcessor, ViTModel

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    ViTModel(ViTConfig(**sizes, image_size=32, patch_size=16)).save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    save_diffusers(root)
    save_llama(root / "llama")
    save_vit(root / "vit")
    return root


@pytest.fixture
def models(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "models")


@pytest.fixture(scope="module")
def loaded(saved):
    """Everything as it should be, and by part as `load` gives it."""
    base = load_base_model(saved / "base")
    control = load_controlnet(saved / "control_depth", base)
    return {"base": base, "control_depth": control} | {part: load(saved, part) for part in ("llama", "vit")}


def load(root: Path, name: str, base: BaseModel | None = None):
    """Load what a part of a folder of models is a part of."""
    if name == "llama":
        return TransformersVLM.load(root / name)
    if name == "vit":
        return load_extractor(root / name)
    if name == "control_depth":
        return load_controlnet(root / name, base)
    return load_base(root / "base")


PARTS = ("llama", "vit", "control_depth", "base/unet", "base/text_encoder", "base/vae")


def change(path: Path, **changes) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("variant", ["", ".fp16"])
@pytest.mark.parametrize("part", PARTS)
def test_an_index_that_names_pickles_as_weights_is_refused(models, loaded, part, variant, monkeypatch):
    """Both libraries give torch's pickles to torch.load, which runs code before torch 2.6."""
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("a pickle was opened"))
    (weights,) = (models / part).glob("*.safetensors")
    names = load_file(weights)
    torch.save(names, models / part / "evil.bin")
    index = models / part / f"{weights.name}.index{variant}.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": dict.fromkeys(names, "evil.bin")}))
    with pytest.raises(UnsafeFileError, match="'evil.bin' as weights; only .safetensors"):
        load(models, part, loaded["base"])


@pytest.mark.parametrize("name", ["adapter_model.bin", "../model.safetensors", ["model.safetensors"]])
@pytest.mark.parametrize("part", ["llama", "vit", "base/text_encoder"])
def test_a_configuration_that_names_other_weights_is_refused(models, part, name, monkeypatch):
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("a pickle was opened"))
    torch.save({}, models / part / "adapter_model.bin")
    change(models / part / "config.json", transformers_weights=name)
    with pytest.raises(UnsafeFileError, match="asks for the weights"):
        load(models, part)


@pytest.mark.parametrize("part", ["llama", "vit", "base/text_encoder", "base/tokenizer"])
def test_pickles_where_transformers_reads_words_are_refused(models, part):
    (models / part / "vocab.pkl").write_bytes(b"cbuiltins\nopen\n(Vx\ntR.")
    with pytest.raises(UnsafeFileError, match="vocab.pkl"):
        load(models, part)


@pytest.mark.parametrize("part", PARTS)
def test_an_adapter_that_leads_to_another_model_is_refused(models, loaded, part):
    (models / part / "adapter_config.json").write_text('{"base_model_name_or_path": "owner/repo"}')
    with pytest.raises(InvalidFileError, match="PEFT adapter"):
        load(models, part, loaded["base"])


@pytest.mark.parametrize("kind", ["OneFormerImageProcessor", "LlavaProcessor"])
def test_features_are_taken_with_the_processor_of_a_model_that_sees(models, kind):
    change(models / "vit" / "preprocessor_config.json", image_processor_type=kind)
    with pytest.raises(UnsafeFileError, match=f"{kind}.*turns pictures into features"):
        load(models, "vit")


LARGE = {
    "llama": {"hidden_size": 4096, "intermediate_size": 16384, "num_hidden_layers": 7, "num_attention_heads": 32,
              "num_key_value_heads": 32, "head_dim": 128},
    "vit": {"hidden_size": 4096, "intermediate_size": 16384, "num_hidden_layers": 7},
    "control_depth": {"block_out_channels": [2048, 2048, 2048, 2048]},
    "base/unet": {"block_out_channels": [2048, 2048, 2048, 2048]},
    "base/text_encoder": {"hidden_size": 4096, "intermediate_size": 16384, "num_hidden_layers": 7},
    "base/vae": {"block_out_channels": [2048, 2048, 2048, 2048]},
}  # fmt: skip


def describe_large(models: Path, part: str) -> None:
    """Leave a part its configuration, of a network of gigabytes, and one number."""
    change(models / part / "config.json", **LARGE[part])
    (weights,) = (models / part).glob("*.safetensors")
    save_file({"x": torch.zeros(1)}, weights, {"format": "pt"})


@pytest.mark.parametrize("part", PARTS)
def test_a_small_folder_of_a_large_network_is_refused_before_it_is_loaded(models, loaded, part, monkeypatch):
    """Both libraries make up what is missing, and so take all the memory that a configuration asks for."""
    from diffusers import ModelMixin
    from transformers import PreTrainedModel

    describe_large(models, part)
    for library in (PreTrainedModel, ModelMixin):
        monkeypatch.setattr(library, "from_pretrained", lambda *_, **__: pytest.fail("it was loaded"))
    told = f"{Path(part).name} holds 1 numbers, but its configuration describes"
    with pytest.raises(InvalidFileError, match=told):
        load(models, part, loaded["base"])


def test_a_small_folder_of_a_large_network_takes_no_memory(models):
    describe_large(models, "llama")
    load_it = "sesahand.vlm.transformers_vlm:TransformersVLM.load"
    assert "holds 1 numbers" in run_limited(load_it, models / "llama", megabytes=1500, seconds=60).refused()


def test_a_scheduler_of_endlessly_many_steps_is_refused(models):
    change(models / "base" / "scheduler" / "scheduler_config.json", num_train_timesteps=10**10)
    with pytest.raises(InvalidFileError, match="num_train_timesteps"):
        load(models, "base/scheduler")


@pytest.mark.parametrize(
    "content",
    [{"layers_per_block": 10**9}, {"depths": [1] * 2000}, {"down_block_types": ["a"] * 2000},
     {"size": {"height": 10**6, "width": 32}}, {"crop_size": {"width": 10**6}}, {"min_pixels": 10**12},
     {"num_hidden_layers": 10**400}],
)  # fmt: skip
def test_what_is_made_by_the_numbers_of_a_configuration_is_bounded(tmp_path, content):
    (tmp_path / "config.json").write_text(json.dumps(content))
    with pytest.raises(InvalidFileError, match=r"\w+ = .* more than any model has"):
        check_configurations(tmp_path)


def test_a_count_below_all_floats_is_no_error_of_arithmetic(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"num_layers": -(10**400), "num_experts": 1.5}))
    check_configurations(tmp_path)


@pytest.mark.parametrize("part", PARTS)
def test_weights_that_a_folder_lacks_are_not_made_up(models, loaded, part):
    (weights,) = (models / part).glob("*.safetensors")
    state = {f"of.another.network.{name}": value for name, value in load_file(weights).items()}
    save_file(state, weights, {"format": "pt"})
    # Older versions of diffusers say so themselves.
    with pytest.raises(InvalidFileError, match=r"lacks \d+ weights of \w+, for example|keys are missing"):
        load(models, part, loaded["base"])


def sharded(models: Path, part: str, many: int = 3) -> None:
    """Spread the weights of a part over several files, with a leftover index of pickles beside them."""
    (weights,) = (models / part).glob("*.safetensors")
    state, where = load_file(weights), {}
    for number in range(many):
        name = f"{weights.stem}-{number + 1:05d}-of-{many:05d}.safetensors"
        chosen = dict(list(state.items())[number::many])
        save_file(chosen, models / part / name, {"format": "pt"})
        where |= dict.fromkeys(chosen, name)
    weights.unlink()
    index = models / part / f"{weights.name}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": where}))
    (models / part / "pytorch_model.bin.index.json").write_text('{"weight_map": {"a": "pytorch_model-1.bin"}}')


def numbers_of(model) -> dict[str, torch.Tensor]:
    """The weights of what was loaded; of a base those of all its parts."""
    if hasattr(model, "unet"):
        parts = ("unet", "text_encoder", "autoencoder")
        return {f"{part}.{name}": value for part in parts for name, value in getattr(model, part).state_dict().items()}
    return model.model.state_dict()


def assert_same(one, other, tolerance: float = 0.0) -> None:
    first, second = numbers_of(one), numbers_of(other)
    assert first.keys() == second.keys() and len(first) > 5
    for name, value in first.items():
        assert torch.allclose(value.float(), second[name].float(), atol=tolerance, rtol=0), name


WHOLE = {"llama": ["llama"], "vit": ["vit"], "control_depth": ["control_depth"], "base": PARTS[3:]}


@pytest.mark.parametrize("name", WHOLE)
def test_weights_in_several_files_are_loaded(models, loaded, name):
    for part in WHOLE[name]:
        sharded(models, part)
    assert_same(load(models, name, loaded["base"]), loaded[name])


@pytest.mark.parametrize("name", WHOLE)
def test_half_precision_and_numbers_of_positions_are_loaded(models, loaded, name):
    """Older files hold buffers that newer networks make themselves, and files of half precision other types."""
    for part in WHOLE[name]:
        (weights,) = (models / part).glob("*.safetensors")
        state = {key: value.half() for key, value in load_file(weights).items()}
        save_file(state | {"embeddings.position_ids": torch.arange(77)[None]}, weights, {"format": "pt"})
    assert_same(load(models, name, loaded["base"]), loaded[name], 1e-2)


def test_a_controlnet_of_which_there_is_only_the_variant_is_loaded(models, loaded):
    folder = models / "control_depth"
    (weights,) = folder.glob("*.safetensors")
    weights.rename(folder / "diffusion_pytorch_model.fp16.safetensors")
    (folder / "random_states_0.pkl").write_bytes(b"a training's own")
    assert_same(load(models, "control_depth", loaded["base"]), loaded["control_depth"])


def test_a_language_model_whose_words_share_their_weights_is_loaded(models):
    folder = models / "llama"
    change(folder / "config.json", tie_word_embeddings=True, vocab_size=200_000, hidden_size=128, head_dim=8)
    from transformers import AutoConfig, AutoModelForCausalLM

    AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder)).save_pretrained(folder)
    (weights,) = folder.glob("*.safetensors")
    assert "lm_head.weight" not in load_file(weights), "else nothing is shared"
    model = load(models, "llama").model
    assert model.lm_head.weight is model.get_input_embeddings().weight


def test_a_damaged_copy_in_another_precision_is_passed_over(models):
    (models / "vit" / "model.fp16.safetensors").write_bytes(b"half a downlo")
    load(models, "vit")


def test_a_classifier_gives_features_without_the_pooler_that_it_lacks(models):
    (weights,) = (models / "vit").glob("*.safetensors")
    state = load_file(weights)
    save_file({name: state[name] for name in state if "pooler" not in name}, weights, {"format": "pt"})
    pictures = torch.rand(2, 32, 32, 3, generator=torch.Generator().manual_seed(0))
    first, second = (load(models, "vit")(pictures) for _ in range(2))
    assert (first == second).all() and first.shape == (2, 16)


def panicking(path: Path, at_load: bool) -> None:
    """Give a tokenizer a table over which Rust panics: as it is read, or as a text is given to it."""
    table = struct.pack("<II", 4, 0xFFFFFFFF) + b"\0"
    content = json.loads(path.read_text())
    content["normalizer"] = {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(table).decode()}
    for token in content["added_tokens"]:
        token["normalized"] = at_load
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("at_load", [False, True])
def test_a_tokenizer_that_panics_is_an_error_of_the_model(models, at_load):
    """A panic is none of Python's Exceptions: in a thread of ComfyUI's nothing would catch it."""
    panicking(models / "llama" / "tokenizer.json", at_load)
    with pytest.raises(InvalidFileError, match="llama: .*damaged tokenizer.json"):
        TransformersVLM.load(models / "llama").complete(["hi"], max_tokens=3, seed=0)


WAYS = {
    "training": lambda tokenizer: tokenize(tokenizer, ["a hand"]),
    "columns": lambda tokenizer: plain_columns("a hand", [(2, 6)], tokenizer),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_bases_tokenizer_that_panics_is_told_wherever_it_is_called(models, way):
    panicking(models / "llama" / "tokenizer.json", at_load=False)
    tokenizer = AutoTokenizer.from_pretrained(models / "llama")
    with pytest.raises(InvalidFileError, match="tokenizer: .*damaged tokenizer.json"):
        WAYS[way](tokenizer)


def test_a_panic_while_a_picture_is_made_is_an_error_of_the_base(loaded, monkeypatch):
    generator = HandGenerator(loaded["base"], loaded["control_depth"], torch.device("cpu"), torch.float32)
    panic = type("PanicException", (BaseException,), {"__module__": "pyo3_runtime"})

    def panics(*_, **__):
        raise panic("index out of bounds")

    # As the pipeline of diffusers gives the prompt to the base's tokenizer.
    monkeypatch.setattr(StableDiffusionControlNetPipeline, "encode_prompt", panics)
    with pytest.raises(InvalidFileError, match="base: .*index out of bounds"):
        generator(["a hand"], torch.zeros(1, 64, 64, 3), [0], replace(generator.default_settings(), steps=1))


@pytest.mark.parametrize(
    "kind", [KeyboardInterrupt, SystemExit, GeneratorExit, ValueError, type("Interrupt", (BaseException,), {})]
)
def test_other_ends_pass_as_they_are(kind):
    """ComfyUI interrupts a prompt by an exception that is none of Python's Exceptions either."""
    with pytest.raises(kind), refusing_panics("model"):
        raise kind


def test_prompts_are_not_filled_up_beyond_what_the_text_encoder_reads(models):
    change(models / "base" / "tokenizer" / "tokenizer_config.json", model_max_length=10**12)
    tokenizer = load_base(models / "base").tokenizer
    # To fill up to more would end the process: Rust aborts where it gets no memory.
    assert tokenizer.model_max_length == 77
    assert tokenize(tokenizer, ["a hand"]).shape == (1, 77)
