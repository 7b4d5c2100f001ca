"""Where files go in ComfyUI's output folder, and what core's save nodes write into them about the graph.

Names are those of core's save nodes. Of what stands between percent signs in them, core's server fills in size and
time, and its frontend, for core's own nodes alone, `%date:yyyy-MM-dd%` and `%Node.widget%`; here Python fills in both,
so that a graph without a browser gives the same names.
"""

import functools
import json
import os
import re
import time
from typing import Any

import folder_paths
from comfy.cli_args import args

from ..sesahand.errors import SesaHandError
from ..sesahand.files.names import FORBIDDEN, check_relative_path

# As the frontend has them: day, month, hour, minute and second with one digit or two, and the year.
DATE_PARTS = re.compile(r"yyyy|yy|dd?|MM?|hh?|mm?|ss?")
VARIABLE = re.compile(r"%([^%]+)%")
SEPARATORS = "/\\"
LONGEST_VALUE = 80
# Of a name with its variables, which may be longer than what they stand for.
LONGEST_NAME = 1024


def output_path(filename_prefix: str, suffix: str | None, size: tuple[int, int], hidden=None) -> str:
    """Return the path of the next file of a prefix, by the rules of core's save nodes.

    Folders are made as core makes them, but only after all of the prefix and of the links on its way was checked.

    Args:
        filename_prefix: Text of a widget.
        suffix: Ending of the file's name, or None for a folder, which has none.
        size: Width and height of the picture that belongs to it, pixels.
        hidden: The node's `cls.hidden`, with prompt and extra_pnginfo.
    """
    root = check_prefix(filename_prefix, size, hidden)
    try:
        name = fill_in(filename_prefix, *size, hidden)
        folder, name, counter, _, _ = folder_paths.get_save_image_path(name, root)
    except OSError as error:
        raise SesaHandError(f"filename_prefix cannot be used: {error}") from error
    return os.path.join(folder, f"{name}_{counter:05}_" + ("" if suffix is None else f".{suffix}"))


def check_prefix(filename_prefix: str, size: tuple[int, int] = (1, 1), hidden=None) -> str:
    """Return the output folder, if a prefix stays inside it; nothing is made.

    Before a graph runs, sizes and other nodes' widgets are not known, and what stands for them is left as it is.

    Raises:
        SesaHandError: If a part of it could be no file name, or a link on its way leads out of the folder.
    """
    root = os.path.realpath(folder_paths.get_output_directory())
    try:
        *folders, _ = check_relative_path(fill_in(filename_prefix, *size, hidden))
        check_folder(root, folders)
    except (SesaHandError, OSError) as error:
        raise SesaHandError(f"filename_prefix cannot be used: {error}") from error
    return root


def check_folder(root: str, parts) -> str:
    """Return a folder inside the output folder with its links followed, if none of them leads out.

    Args:
        root: The output folder, links followed.
        parts: Names of the folders on the way, which `check_relative_path` has passed.
    """
    target = os.path.realpath(os.path.join(root, *parts))
    if os.path.commonpath((root, target)) != root:
        raise SesaHandError(f"a link on its way leads out of the output folder, to {target}. Use another name.")
    return target


def fill_in(name: str, width: int, height: int, hidden=None) -> str:
    """Return a name with the variables filled in that core's save nodes know.

    `%width%`, `%height%`, `%year%` to `%second%`; `%date:yyyy-MM-dd hh-mm-ss%`; and `%Node.widget%`, with the name or
    title of a node of the graph and of one of its widgets. What is none of these stays as it is. A backslash divides
    folders as "/" does, as it does for core on Windows.

    Args:
        name: Text of a widget.
        width: Of the pictures that are saved, in pixels.
        height: Likewise.
        hidden: The node's `cls.hidden`, with prompt and extra_pnginfo.

    Raises:
        SesaHandError: If the name is longer than any that could be meant.
    """
    if len(name) > LONGEST_NAME:
        raise SesaHandError(f"a name of {len(name)} characters is more than {LONGEST_NAME}; shorten it.")
    now = time.localtime()
    clock = {"month": now.tm_mon, "day": now.tm_mday, "hour": now.tm_hour, "minute": now.tm_min, "second": now.tm_sec}
    values = {"width": f"{width}", "height": f"{height}", "year": f"{now.tm_year}"}
    values |= {unit: f"{number:02}" for unit, number in clock.items()}

    @functools.cache
    def named() -> dict[str, list[str]]:
        return _nodes_by_name(hidden)

    def value_of(match: re.Match) -> str:
        text = match[1]
        if text in values:
            return values[text]
        if text.startswith("date:"):
            return "".join(c if c in SEPARATORS else _allowed(c) for c in _date(text[5:], now))
        node, _, widget = text.partition(".")
        nodes = named().get(node) if widget else None
        found = _widget(hidden.prompt, nodes, widget) if nodes else None
        return match[0] if found is None else _allowed(found)

    return VARIABLE.sub(value_of, name).replace("\\", "/")


def _date(form: str, now: time.struct_time) -> str:
    parts = {"d": now.tm_mday, "M": now.tm_mon, "h": now.tm_hour, "m": now.tm_min, "s": now.tm_sec}

    def part(match: re.Match) -> str:
        text = match[0]
        if text[0] == "y":
            return f"{now.tm_year}"[-len(text) :]
        return f"{parts[text[0]]:0{len(text)}}"

    return DATE_PARTS.sub(part, form)


def _allowed(value: str) -> str:
    """Return the beginning of a value with what no file name may hold replaced, as the frontend replaces it."""
    return "".join("_" if c in FORBIDDEN or ord(c) < 32 or ord(c) == 127 else c for c in value[:LONGEST_VALUE])


def _widget(prompt: dict[str, Any], nodes: list[str], widget: str) -> str | None:
    """Return the value of a widget of one of the nodes as text, or None if there is none, or a wire in its place."""
    for key in nodes:
        inputs = prompt[key].get("inputs")
        value = inputs.get(widget) if isinstance(inputs, dict) else None
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str | int | float):
            return f"{value:g}" if isinstance(value, float) else f"{value}"
    return None


def _nodes_by_name(hidden) -> dict[str, list[str]]:
    """Return the ids of the graph's nodes by name: by what users call them there, then by kind, then by title."""
    prompt = None if hidden is None else hidden.prompt
    if not isinstance(prompt, dict):
        return {}
    extra = hidden.extra_pnginfo
    workflow = extra.get("workflow") if isinstance(extra, dict) else None
    nodes = workflow.get("nodes") if isinstance(workflow, dict) else None
    nodes = [node for node in nodes if isinstance(node, dict)] if isinstance(nodes, list) else []
    entries = {key: node for key, node in prompt.items() if isinstance(node, dict)}
    pairs = [
        (node["properties"].get("Node name for S&R"), str(node.get("id")))
        for node in nodes
        if isinstance(node.get("properties"), dict)
    ]
    pairs += [(node.get("class_type"), key) for key, node in entries.items()]
    pairs += [(node["_meta"].get("title"), key) for key, node in entries.items() if isinstance(node.get("_meta"), dict)]
    pairs += [(node.get("title"), str(node.get("id"))) for node in nodes]
    found: dict[str, dict[str, None]] = {}
    for name, key in pairs:
        if isinstance(name, str) and key in entries:
            found.setdefault(name, {})[key] = None
    return {name: list(keys) for name, keys in found.items()}


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
