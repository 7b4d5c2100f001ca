"""Folders of models that only this pack knows."""

import os
from collections.abc import Iterable

import folder_paths


def register_model_folder(name: str, suffixes: Iterable[str]) -> None:
    """Make models/`name` known to ComfyUI, beside the folders that extra_model_paths.yaml names for it."""
    paths, known = folder_paths.folder_names_and_paths.get(name, ([], set()))
    own = os.path.join(folder_paths.models_dir, name)
    folder_paths.folder_names_and_paths[name] = (list(dict.fromkeys([*paths, own])), set(known) | set(suffixes))
