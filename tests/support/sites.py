"""The real frontends that the tests open: each with the core behind it and its way to draw nodes."""

import os
import zlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Site:
    """A core, the frontend in front of it (None: the one that the core requires), and how that draws nodes."""

    core: str
    frontend: str | None
    vue: bool


NEWEST = "1.58.1"
# The floor has its own frontend. On the current core it is the newest one, with nodes drawn on the canvas as they were
# and as parts of the page (vue).
SITES = {
    "floor": Site("floor", None, False),
    "newest": Site("current", NEWEST, False),
    "newest-vue": Site("current", NEWEST, True),
}
# For what depends on how a frontend draws, and not on what it does.
DRAWN = SITES | {
    "required": Site("current", None, False),
    "required-vue": Site("current", None, True),
}
# With nodes as parts of the page, 1.27 shows no widgets that are elements.
ALL = DRAWN | {"floor-vue": Site("floor", None, True)}
# What is asked of every workflow is asked in each frontend once, and in both ways to draw; which frontend draws which
# workflow in which way, goes by its name.
ALTERNATING = ({"floor", "newest", "required-vue"}, {"floor", "newest-vue", "required"})
EVERY = os.environ.get("SESAHAND_EVERY_FRONTEND") == "1"


def is_looked_at(workflow: str, site: str) -> bool:
    """Tell whether a workflow is opened in a site; in each if SESAHAND_EVERY_FRONTEND is 1."""
    return EVERY or site in ALTERNATING[zlib.crc32(workflow.encode()) % 2]
