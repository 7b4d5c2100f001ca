"""Language models in one GGUF file, as llama.cpp and Ollama use them, through transformers and its reader."""

import importlib.util
import math
import re
from pathlib import Path

from ..errors import InvalidFileError, SesaHandError
from ..files.gguf_header import GGUFHeader, read_gguf_header
from ..files.model_folders import check_depth, check_model_folder

MOST_WIDTH = 1 << 16
MOST_MERGES = 4
"""For each token; Llama 4 has two."""
_SIZES = (
    "embedding_length", "feed_forward_length", "attention.head_count", "attention.head_count_kv",
    "attention.key_length", "attention.value_length", "rope.dimension_count", "vocab_size",
)  # fmt: skip


def has_gguf() -> bool:
    """Whether the package is installed by which transformers reads such files."""
    return importlib.util.find_spec("gguf") is not None


def check_gguf(path: Path) -> int:
    """Refuse a GGUF file that would not make a language model, before transformers believes what it says.

    Returns:
        How many numbers its tensors have.

    Raises:
        SesaHandError: If the package `gguf` is not installed.
        InvalidFileError: No GGUF file, no language model, without a chat template, or with sizes that its tensors do
            not have.
        UnsafeFileError: Something beside it could run code.
    """
    if not has_gguf():
        raise SesaHandError(
            f"{path.name} is a GGUF file, which needs the package gguf: pip install gguf, then restart. Or take the "
            "model's folder with config.json and .safetensors, or serve the file with llama.cpp and use Connect VLM."
        )
    header = read_gguf_header(path)
    architecture = header.values.get("general.architecture")
    if not isinstance(architecture, str) or not re.fullmatch(r"[a-z0-9_-]{1,40}", architecture):
        raise InvalidFileError(f"{path} does not say which model it holds. Take another file of it.")
    _check_sizes(path, header, architecture)
    if "tokenizer.chat_template" not in header.values:
        raise InvalidFileError(
            f"{path} holds a language model without a chat template, which only continues text. Take its "
            "instruction-tuned version, often named '...-Instruct'."
        )
    # transformers also looks at the files beside it.
    check_model_folder(path.parent, has_weights=False)
    return sum(math.prod(shape) for shape in header.shapes.values())


def _check_sizes(path: Path, header: GGUFHeader, architecture: str) -> None:
    """Compare the sizes that a file names with its tensors: a model is made from the former before those are read."""
    values = {name: header.values.get(f"{architecture}.{name}") for name in ("block_count", *_SIZES)}
    embedding = header.shapes.get("token_embd.weight", ())
    blocks = {found[1] for name in header.shapes if (found := re.match(r"blk\.(\d+)\.", name))}
    check_depth(str(path), len(blocks))
    # Those of a model with experts are stored in one tensor for all, and few transformers take them.
    experts = header.values.get(f"{architecture}.expert_count", 0)
    sizes = [values[name] for name in _SIZES if values[name] is not None]
    if (
        len(embedding) != 2
        or values["embedding_length"] != embedding[0]
        or values["block_count"] != len(blocks)
        or not _is_vocabulary(header, 2 * embedding[1])
        or experts
        or not all(type(size) is int and 0 < size <= max(MOST_WIDTH, embedding[1]) for size in sizes)
    ):
        raise InvalidFileError(
            f"{path} holds no language model that can be read here: its sizes are not those of its tensors, or it is "
            "one of experts, or of pictures. Take another file of it, or serve it with llama.cpp and use Connect VLM."
        )


def _is_vocabulary(header: GGUFHeader, most: int) -> bool:
    """Whether there are at most so many tokens, and no more numbers and merges than belong to them."""
    count = {name: header.lengths.get(f"tokenizer.ggml.{name}", 0) for name in ("tokens", "scores", "token_type")}
    merges = header.lengths.get("tokenizer.ggml.merges", 0)
    return max(count.values()) == count["tokens"] <= most and merges <= MOST_MERGES * count["tokens"]
