"""The steps of ComfyUI's progress bars, as tests see them."""

import comfy.utils


def every_step(monkeypatch, hook):
    """Call `hook` at each step of a bar, also of those that a later ComfyUI would leave out for speed."""
    monkeypatch.setattr(comfy.utils, "PROGRESS_BAR_HOOK", hook)
    for limit in ("PROGRESS_THROTTLE_MIN_INTERVAL", "PROGRESS_THROTTLE_MIN_PERCENT"):
        monkeypatch.setattr(comfy.utils, limit, 0, raising=False)
