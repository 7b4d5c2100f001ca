"""What a call must leave as it was: the state that a whole process shares, and what the call was given."""

import dataclasses
import functools
import locale
import logging
import os
import random
import signal
import sys
import warnings
import zlib
from contextlib import contextmanager

import numpy as np
import torch

# What counts of ComfyUI's own objects. The rest, such as which of their weights are loaded, is theirs to change.
TELLING = {
    "ModelPatcher": ("patches", "object_patches", "model_options", "wrappers", "callbacks", "hook_patches", "model"),
    "CLIP": ("patcher", "layer_idx"),
    "VAE": ("patcher",),
    "ControlBase": ("strength", "timestep_percent_range", "cond_hint_original", "control_model", "previous_controlnet"),
}


def global_state() -> dict:
    """Return the state of the process by name, in values that can be compared."""
    numpy_state = np.random.get_state()
    return {
        "the environment": dict(os.environ),
        "the working directory": os.getcwd(),
        "sys.path": list(sys.path),
        "the locale": locale.setlocale(locale.LC_ALL),
        "the handler of Ctrl-C": signal.getsignal(signal.SIGINT),
        "the filters of warnings": list(warnings.filters),
        "the root logger": (logging.root.level, list(logging.root.handlers), logging.root.manager.disable),
        "random's state": random.getstate(),
        "numpy's random state": (numpy_state[1].tobytes(), *numpy_state[2:]),
        "numpy's handling of errors": np.geterr(),
        "torch's random state": torch.get_rng_state().numpy().tobytes(),
        "torch's number of threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "torch's default type": torch.get_default_dtype(),
        "torch's default device": torch.get_default_device(),
        "torch's modes of gradients": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "torch's determinism": (torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark),
        "torch's precision": torch.get_float32_matmul_precision(),
    }


def fingerprint(value, seen: frozenset = frozenset()):
    """Return what is different after a value has changed: contents of data and settings, identities of the rest."""
    if id(value) in seen:
        return "itself"
    within = functools.partial(fingerprint, seen=seen | {id(value)})
    if isinstance(value, torch.Tensor | np.ndarray):
        data = value.detach().cpu().contiguous().view(torch.uint8) if isinstance(value, torch.Tensor) else value
        return tuple(value.shape), str(value.dtype), zlib.crc32(np.ascontiguousarray(data).tobytes())
    if isinstance(value, torch.nn.Module):
        hooks = sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in value.modules())
        return hooks, [(name, type(module)) for name, module in value.named_modules()], within(_weights(value))
    if isinstance(value, dict):
        return {key: within(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set):
        return type(value).__name__, [within(entry) for entry in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: within(getattr(value, field.name)) for field in dataclasses.fields(value)}
    for kind in type(value).__mro__:
        if kind.__name__ in TELLING:
            return {name: within(getattr(value, name, None)) for name in TELLING[kind.__name__]}
    return value if isinstance(value, str | bytes | int | float | bool | None) else id(value)


def _weights(module: torch.nn.Module) -> dict:
    """Return how often each parameter was written to; hashing all of a model would take longer than the test."""
    return {name: (tuple(p.shape), -1 if p.is_inference() else p._version) for name, p in module.named_parameters()}


def changes(before: dict, after: dict) -> list[str]:
    return [name for name in before if before[name] != after[name]]


@contextmanager
def nothing_changes(what: str, given):
    """Fail if the block, whether or not it raises, changes a part of the global state or of what it was given."""
    before, inputs = global_state(), fingerprint(given)
    try:
        yield
    finally:
        found = changes(before, global_state())
        found += ["its inputs"] if not _same(fingerprint(given), inputs) else []
        assert not found, f"{what} changed {', '.join(found)}"


def _same(one, other) -> bool:
    """Compare fingerprints; NaN is NaN."""
    return repr(one) == repr(other)


@contextmanager
def watched(nodes):
    """Check each call of these nodes' execute for as long as the block runs; gives the names of those that were run."""
    run = set()

    def watch(name, function):
        @functools.wraps(function)
        def execute(cls, *args, **inputs):
            run.add(name)
            with nothing_changes(name, (args, inputs)):
                return function(cls, *args, **inputs)

        return classmethod(execute)

    originals = {node: node.__dict__["execute"] for node in nodes}
    for node, original in originals.items():
        node.execute = watch(node.__name__, original.__func__)
    try:
        yield run
    finally:
        for node, original in originals.items():
            node.execute = original
