"""What the configuration files of a model folder may say about code, kernels and files from elsewhere.

transformers is told to run no remote code and to fetch nothing, but not all that a configuration can ask for heeds it:
an attention of the form "owner/repository" is a package to download and import, and so are some other kernels,
quantizers and audio tokenizers. The rules here are asked before transformers reads anything.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import InvalidFileError, UnsafeFileError, quote
from .folders import check_plain
from .reading import read_json
from .tokenizer_steps import check_tokenizer_file

ATTENTIONS = (None, "", "eager", "sdpa", "flash_attention_2", "flash_attention_3", "flex_attention")
"""Attentions that are a part of transformers. Which one is used is not the file's to say, see `without_choices`."""

EXPERTS = (None, "", "eager", "grouped_mm", "batched_mm")

# By a key's name without underscores in front, what it may say: one of some values, or nothing at all.
CHOICES = {
    "attn_implementation": ATTENTIONS,
    "attn_implementation_internal": ATTENTIONS,
    "attn_implementation_autoset": (None, True, False),
    "attention_implementation": ATTENTIONS,
    "experts_implementation": EXPERTS,
    "experts_implementation_internal": EXPERTS,
}
NOTHING = {
    "use_kernels": "asks for kernels, which are packages from the internet",
    "kernel_config": "asks for kernels, which are packages from the internet",
    "hub_kernels": "asks for kernels, which are packages from the internet",
    "custom_generate": "asks for code that generates",
    "configuration_files": "leads to another configuration file",
    "fast_tokenizer_files": "leads to another tokenizer file",
    "audio_tokenizer": "asks for an audio tokenizer from elsewhere",
    "use_pretrained_backbone": "asks for a backbone from the internet",
    "pretrained_backbone": "asks for a backbone from the internet",
    "assistant_model": "asks for another model",
    "repo_path": "asks for a list from the internet",
    "class_info_file": "asks for a list from the internet",
    "font_path": "leads to a font elsewhere",
    "sinusoidal_pos_embds": "asks for a table of positions that is made number by number",
    "sinusoidal_embeddings": "asks for a table of positions that is made number by number",
    # What these hold goes as it is to libraries that open files, and some load code.
    "mecab_kwargs": "leads to dictionaries elsewhere",
    "sudachi_kwargs": "leads to dictionaries elsewhere",
    "jumanpp_kwargs": "leads to dictionaries elsewhere",
    "model_proto": "brings a tokenizer in an unknown form",
}
# Their tables of positions are made as lists, number by number, however many the configuration names.
LISTED = (
    "autoformer", "informer", "marian", "pegasus", "roformer", "time_series_transformer", "videomae",
)  # fmt: skip
# Texts that older versions of transformers write down and never open.
NOT_OPENED = ("special_tokens_map_file", "added_tokens_file")
# How many of something a network has, and how many at most: far more than any model, and few enough to be made.
_LAYERS = re.compile(r"(\w*_)?(n_layers?|layers|num_layer|num_blocks|num_stages|depths?|layers_per_block)")
_EXPERTS = re.compile(r"\w*experts")
# Lists of how many layers each stage has, which count together; other lists of layers say which ones.
_STAGES = re.compile(r"(\w*_)?depths|layers_per_block|num_block_repeats")
COUNTS = (
    (_LAYERS, 1000),
    (_EXPERTS, 2048),
    (re.compile(r"num_labels"), 100_000),
    # By which networks make their layers more or wider; EfficientNet-L2 has 5.3, and some sixteen blocks before that.
    (re.compile(r"depth_coefficient|width_coefficient|depth_multiplier"), 16),
    (re.compile(r"num_block_repeats"), 100),
    (re.compile(r"\w*(image_seq_len(gth)?|image_tokens|image_token_length)"), 100_000),
    (re.compile(r"\w*block_types"), 1000),
    # Of the pictures that a processor makes, whatever it is given.
    (re.compile(r"height|width"), 8192),
    (re.compile(r"min_pixels"), 8192**2),
    # Of which a picture is made; some processors try all shapes that so many tiles can have.
    (re.compile(r"(max|min)_(patches|num_patches|slice_nums)"), 1 << 14),
    (re.compile(r"\w*(max|min)_((image_|num_)?tiles|dynamic_patch|num_crops)|num_crops"), 1000),
    # Of a scheduler, which makes lists of that many numbers.
    (re.compile(r"num_train_timesteps"), 100_000),
)
LONGEST_MARK = 1000
"""Letters of a token that a processor writes down, often hundreds of times."""
MOST_PARTS = 100_000
"""Layers times experts."""
QUANTIZED = ("quantization_config", "compression_config")
SAFETENSORS = (".safetensors", ".safetensors.index.json")
# Names that timm takes as addresses: "hf-hub:owner/repository", "local-dir:folder".
ADDRESSED = ("backbone", "architecture")
MOST_FILES = 200
# JSON's whole numbers may have more digits than a float holds.
FAR = 1e18
MAX_CONFIG_BYTES = 4 << 20
TOKENIZER = "tokenizer.json"
# Vocabularies, not configurations, and as large as they like.
VOCABULARIES = (TOKENIZER, "vocab.json", "tekken.json", "added_tokens.json")
_HUB = re.compile(r"lazy_load_kernel|get_kernel\(|use_kernel_func_from_hub")


def check_configurations(folder: Path) -> None:
    """Refuse a model folder one of whose configuration files asks for more than data.

    Raises:
        UnsafeFileError: If one asks for code or for files from elsewhere.
        InvalidFileError: If one is no JSON object, the model is quantized, or its tokenizer makes too much of a text.
    """
    check_plain(folder)
    if (folder / "custom_generate").exists():
        raise UnsafeFileError(f"{folder} brings code that generates (custom_generate). Remove that folder.")
    if (folder / "audio_tokenizer_config.json").exists():
        raise UnsafeFileError(
            f"{folder} asks for an audio tokenizer from elsewhere (audio_tokenizer_config.json). Remove that file."
        )
    files = sorted(folder.glob("*.json"))[: MOST_FILES + 1]
    if len(files) > MOST_FILES:
        raise InvalidFileError(
            f"{folder} holds more than {MOST_FILES} .json files, which no model folder does. Choose the folder of the "
            "model alone."
        )
    if (folder / TOKENIZER).exists():
        check_tokenizer_file(folder / TOKENIZER)
    for path in files:
        if path.name in VOCABULARIES or path.name.endswith(".index.json"):
            continue
        check_configuration(path, read_json(path, MAX_CONFIG_BYTES))


def check_configuration(path: Path, content: Any) -> None:
    """Refuse one configuration that asks for more than data, wherever it stands.

    Args:
        path: The file that holds it, for messages.
        content: What it says, as JSON has it.

    Raises:
        UnsafeFileError: If it asks for code or for files from elsewhere.
        InvalidFileError: If the model is quantized, or larger than any.
    """
    for key, value in all_entries(content):
        _check(path, key, value)
    _check_parts(path, content)


def _check(path: Path, key: str, value: Any) -> None:
    name = key.lstrip("_")
    if name in CHOICES:
        for one in value.values() if isinstance(value, dict) else [value]:
            if not (one is None or isinstance(one, str | bool)) or one not in CHOICES[name]:
                raise UnsafeFileError(
                    f"{path} asks for {key} {quote(one)}, which is no part of transformers: it would be downloaded and "
                    f"run. Remove that line, if you trust the model; {', '.join(filter(None, ATTENTIONS[2:4]))} work."
                )
    if name in NOTHING and value:
        raise UnsafeFileError(f"{path} {NOTHING[name]} ({key}), which is never done here. Remove that line.")
    if name == "is_vqa" and value:
        raise UnsafeFileError(
            f"{path} says {key}: such a model answers questions that are written into its picture, in a font which "
            "transformers fetches from the internet. Take one of its family that writes captions, such as "
            "pix2struct-textcaps-base, or another model."
        )
    mark = value.get("content") if isinstance(value, dict) else value
    if name.endswith("_token") and isinstance(mark, str) and len(mark) > LONGEST_MARK:
        raise InvalidFileError(
            f"{path} says a {key} of {len(mark)} letters, expected at most {LONGEST_MARK}, more than any model's; copy "
            "it again."
        )
    if name == "tokenizer_file" and value not in (None, TOKENIZER):
        raise UnsafeFileError(
            f"{path} asks for the tokenizer {quote(value)}, expected {TOKENIZER} beside it. Give the file that name, "
            "and remove that line."
        )
    if name.endswith(("_file", "_files")) and name not in NOT_OPENED:
        _check_file(path, key, value)
    _check_count(path, name, value)
    if name in QUANTIZED and value:
        method = value.get("quant_method", "unknown") if isinstance(value, dict) else value
        raise InvalidFileError(
            f"{path.parent} is quantized ({method!s:.40}), and such weights cannot be moved on and off the GPU by "
            "ComfyUI. Take the bf16 or fp16 version, or serve the quantized one with vLLM, Ollama or llama.cpp and "
            "connect to it."
        )
    if name in ADDRESSED and isinstance(value, str) and (":" in value or value.startswith(("/", "."))):
        raise UnsafeFileError(
            f"{path} asks for {key} {quote(value)}, which leads elsewhere. Write the plain name of a network that "
            "transformers or timm has, or take another model."
        )
    if name == "transformers_weights" and value and not _is_safetensors_beside(value):
        raise UnsafeFileError(
            f"{path} asks for the weights {quote(value)}, expected .safetensors beside it: others can carry code. Put "
            "them there, and write their plain name."
        )
    if name == "model_type" and value in LISTED:
        raise InvalidFileError(
            f"{path} is of the model type {quote(value)}, which neither sees pictures nor follows instructions. Take "
            "another model."
        )
    if name == "model_type" and isinstance(value, str) and _fetches_kernels(value):
        raise UnsafeFileError(
            f"{path} asks for the model type {quote(value)}, for which transformers downloads and runs kernels where "
            "the package kernels is installed. Uninstall that package, or take another model."
        )


def _is_safetensors_beside(name: Any) -> bool:
    """Whether it is the plain name of safetensors weights, or of their index; transformers takes an adapter's too."""
    return isinstance(name, str) and Path(name).name == name and name.endswith(SAFETENSORS)


def _check_file(path: Path, key: str, value: Any) -> None:
    """Refuse the name of a file that is not beside a configuration: transformers opens it wherever it is."""
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str) and (Path(one).name != one or "\\" in one or ":" in one):
            raise UnsafeFileError(
                f"{path} asks for the {key} {quote(one)}, which is not beside it. Put the file there and write its "
                "plain name, or remove that line."
            )


def _check_count(path: Path, key: str, value: Any) -> None:
    """Refuse counts that a file of some bytes can claim, and whose parts would be made before a weight is missed."""
    for pattern, most in COUNTS:
        # A list has one number for each stage of a network.
        stages = len(value) if isinstance(value, list) else 0
        numbers = _numbers(value)
        together = sum(map(abs, numbers)) if _STAGES.fullmatch(key) else 0
        found = max([stages, together, *numbers]) if pattern.fullmatch(key) else 0
        if found > most:
            raise InvalidFileError(
                f"{path} says {key} = {min(found, FAR):.0f}, expected at most {most}, more than any model has; copy it "
                "again."
            )


def _check_parts(path: Path, content: Any) -> None:
    """Refuse a network of many layers with many experts each."""
    layers, experts = (_largest(content, kind) for kind in (_LAYERS, _EXPERTS))
    if layers * experts > MOST_PARTS:
        raise InvalidFileError(
            f"{path} says that there are {layers:.0f} layers of {experts:.0f} experts, expected at most {MOST_PARTS} "
            "in all, more than any model has; copy it again."
        )


def _largest(content: Any, kind: re.Pattern) -> float:
    found = (_numbers(value) for key, value in all_entries(content) if kind.fullmatch(key))
    return max([1, *(number for numbers in found for number in numbers)])


def _numbers(value: Any) -> list[float]:
    """A number, or those of a list of numbers, and of lists in it."""
    found, open_ones = [], [value]
    while open_ones:
        one = open_ones.pop()
        if isinstance(one, list):
            open_ones += one
        elif isinstance(one, int | float):
            found.append(one)
    return found


def all_entries(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, at any depth."""
    open_ones = [value]
    while open_ones:
        one = open_ones.pop()
        if isinstance(one, dict):
            yield from one.items()
            open_ones += one.values()
        elif isinstance(one, list):
            open_ones += one


def _fetches_kernels(kind: str) -> bool:
    """Whether the package kernels is there, and the code of a model type of transformers asks it for kernels."""
    from importlib.util import find_spec

    if not re.fullmatch(r"[\w-]{1,60}", kind) or find_spec("kernels") is None:
        return False
    found = find_spec("transformers")
    if found is None or not found.submodule_search_locations:
        return False
    sources = Path(found.submodule_search_locations[0], "models", kind.replace("-", "_")).glob("modeling_*.py")
    return any(_HUB.search(source.read_text(encoding="utf-8")) for source in sources)


def without_nulls(config: Any) -> Any:
    """A copy of a configuration's JSON without quantizations that are null, which older transformers take for one."""
    if isinstance(config, dict):
        kept = {key: value for key, value in config.items() if value is not None or key not in QUANTIZED}
        return {key: without_nulls(value) for key, value in kept.items()}
    return [without_nulls(value) for value in config] if isinstance(config, list) else config


def without_choices(config: Any) -> Any:
    """A configuration object of transformers in which no attention is chosen, here or in a part: transformers chooses.

    Args:
        config: It is changed.
    """
    seen, open_ones = set(), [config]
    while open_ones:
        one = open_ones.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        for name in ("_attn_implementation_internal", "_experts_implementation_internal"):
            if name in vars(one):
                setattr(one, name, None)
        open_ones += [
            part for part in vars(one).values() if hasattr(type(part), "from_dict") and hasattr(part, "__dict__")
        ]
    return config


GENERATION = (
    "custom_generate", "penalty_alpha", "dola_layers", "num_beam_groups", "constraints", "force_words_ids",
    "prompt_lookup_num_tokens", "num_return_sequences", "compile_config", "watermarking_config", "assistant_early_exit",
)  # fmt: skip
"""Settings of a generation_config.json whose code transformers has moved to the internet, that compile code, or that
ask for more answers than the one that is read."""


def plain_generation(config: Any) -> None:
    """Take settings out of a generation configuration that transformers would look for code for."""
    plain = type(config)()
    for name in GENERATION:
        if hasattr(config, name):
            setattr(config, name, getattr(plain, name, None))
