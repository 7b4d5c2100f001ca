"""The shipped workflows, described: which nodes, with which settings, wired how, in which groups.

Each is a module of its own with a `WORKFLOW`. A group is a box of columns, read from left to right and from top to
bottom like the workflow itself.
"""

from importlib import import_module
from pkgutil import iter_modules

SHARED = (
    "checking",
    "painting",
    "parts",
    "posed_repair",
    "repair_notes",
    "repairing",
    "stable_diffusion",
    "transformers",
)

WORKFLOWS = tuple(
    import_module(f".{module.name}", __name__).WORKFLOW
    for module in iter_modules(__path__)
    if module.name not in SHARED
)
