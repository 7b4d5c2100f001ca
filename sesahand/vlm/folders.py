"""Which folders hold an image-text model, and whether one is safe to load."""

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path

from ..errors import InvalidFileError
from ..files.folders import file_names
from ..files.model_folders import check_model_folder
from ..files.reading import open_regular, parse_json

# Of an index that lists the weights of the largest models, some megabytes.
MAX_CONFIG_BYTES = 64 << 20
MAX_DEPTH = 3
"""Folders below a root that are looked into: LLM/<family>/<model>/<revision>."""


def find_model_folders(roots: Iterable[str | Path]) -> dict[str, Path]:
    """List the folders that hold a config and safetensors weights, as Hugging Face repositories do, and GGUF files.

    Args:
        roots: Folders to look in; those that do not exist are passed over. Where two hold the same name the first wins.

    Returns:
        Name (path below its root, with forward slashes) to folder or file, sorted by name.
    """
    found: dict[str, Path] = {}
    visited = set()
    for root in map(Path, roots):
        for path, folders, files in os.walk(root, followlinks=True):
            relative = Path(path).relative_to(root)
            if (real := os.path.realpath(path)) in visited:
                # A link back, or a folder that two roots share.
                folders.clear()
                continue
            visited.add(real)
            is_model = "config.json" in files and any(name.endswith(".safetensors") for name in files)
            if is_model and relative.parts:
                found.setdefault(relative.as_posix(), Path(path))
            for name in filter(_is_language_model, files):
                found.setdefault((relative / name).as_posix(), Path(path) / name)
            deep = is_model or len(relative.parts) >= MAX_DEPTH
            folders[:] = [] if deep else sorted(name for name in folders if not name.startswith("."))
    return dict(sorted(found.items()))


def _is_language_model(name: str) -> bool:
    """Whether a file is a model in GGUF, not what only sees for one or is a part of one."""
    name = name.lower()
    return name.endswith(".gguf") and "mmproj" not in name and not re.search(r"-\d{5}-of-\d{5}\.gguf$", name)


def fingerprint(folder: str | Path) -> str:
    """A text that changes when a file of the folder is replaced: names, sizes and times, without reading weights."""
    one = Path(folder)
    found = [one] if one.is_file() else [one / name for name in file_names(one)]
    entries = [(path.name, path.stat()) for path in found]
    return json.dumps(sorted((name, stat.st_size, stat.st_mtime_ns) for name, stat in entries))


def read_config(folder: Path) -> dict:
    """Read `config.json` of a model folder and refuse what could run code or fetch files while it is loaded.

    Raises:
        InvalidFileError: No model folder, no safetensors, a quantized model, or a bare adapter.
        UnsafeFileError: Pickles where tokenizers would read them, weights outside safetensors, or a configuration that
            asks for code or files from elsewhere.
    """
    config = _read_json(folder / "config.json")
    check_model_folder(folder)
    # InstructBLIP's second tokenizer, which reads the instruction with the picture.
    for words in filter(Path.is_dir, folder.glob("*tokenizer")):
        check_model_folder(words, has_weights=False)
    return config


def needs_remote_code(folder: Path) -> list[str]:
    """The configuration files of a model folder that name Python code to run (`auto_map`)."""
    names = ("config.json", "processor_config.json", "preprocessor_config.json", "tokenizer_config.json")
    return [name for name in names if (folder / name).exists() and "auto_map" in _read_json(folder / name)]


def _read_json(path: Path) -> dict:
    try:
        with open_regular(path) as file:
            data = file.read(MAX_CONFIG_BYTES + 1)
        content = parse_json(data, str(path)) if len(data) <= MAX_CONFIG_BYTES else None
    except FileNotFoundError:
        raise InvalidFileError(
            f"{path.parent} is not a model folder: {path.name} is missing. Choose the folder that holds config.json, "
            "the tokenizer and the .safetensors files."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidFileError(f"{path} cannot be read as JSON: {error}. Download the file again.") from None
    if not isinstance(content, dict):
        raise InvalidFileError(f"{path} should hold a JSON object, got {type(content).__name__}. Download it again.")
    return content
