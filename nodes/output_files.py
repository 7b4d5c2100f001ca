"""Where files go in ComfyUI's output folder, and what core's save nodes write into them about the graph."""

import json
import os
import time

import folder_paths
from comfy.cli_args import args

from ..sesahand.errors import SesaHandError
from ..sesahand.file_names import check_relative_path


def output_path(filename_prefix: str, suffix: str) -> str:
    """Return the path of the next file of a prefix, by the rules of core's save nodes.

    Folders are made as core makes them, but only after all of the prefix and of the links on its way was checked.
    """
    root = check_prefix(filename_prefix)
    try:
        folder, name, counter, _, _ = folder_paths.get_save_image_path(filename_prefix, root)
    except OSError as error:
        raise SesaHandError(f"filename_prefix cannot be used: {error}") from error
    return os.path.join(folder, f"{name}_{counter:05}_.{suffix}")


def check_prefix(filename_prefix: str) -> str:
    """Return the output folder, if a prefix stays inside it; nothing is made.

    Raises:
        SesaHandError: If a part of it could be no file name, or a link on its way leads out of the folder.
    """
    root = os.path.realpath(folder_paths.get_output_directory())
    try:
        *folders, _ = check_relative_path(filename_prefix)
        target = os.path.realpath(os.path.join(root, *folders))
        if os.path.commonpath((root, target)) != root:
            raise SesaHandError(f"a link on its way leads out of the output folder, to {target}. Use another folder.")
    except (SesaHandError, OSError) as error:
        raise SesaHandError(f"filename_prefix cannot be used: {error}") from error
    return root


def fill_in(name: str, width: int, height: int) -> str:
    """Return a name with the variables filled in that core's save nodes know, %width% and %year% for example.

    Args:
        name: Text of a widget.
        width: Of the pictures that are saved, in pixels.
        height: Likewise.
    """
    now = time.localtime()
    clock = {"month": now.tm_mon, "day": now.tm_mday, "hour": now.tm_hour, "minute": now.tm_min, "second": now.tm_sec}
    values = {"width": f"{width}", "height": f"{height}", "year": f"{now.tm_year}"}
    for variable, value in (values | {unit: f"{number:02}" for unit, number in clock.items()}).items():
        name = name.replace(f"%{variable}%", value)
    return name


def relative_to_output(path: str) -> str:
    """Return a path inside the output folder as core's nodes name it: from that folder on, with slashes."""
    return os.path.relpath(path, os.path.realpath(folder_paths.get_output_directory())).replace(os.sep, "/")


def graph_metadata(hidden) -> dict[str, str]:
    """Return what core's save nodes embed so that a file brings its graph back; nothing under --disable-metadata.

    Args:
        hidden: The node's `cls.hidden`, with prompt and extra_pnginfo.
    """
    if args.disable_metadata or hidden is None:
        return {}
    found = {} if hidden.prompt is None else {"prompt": hidden.prompt}
    return {name: json.dumps(value) for name, value in (found | (hidden.extra_pnginfo or {})).items()}
