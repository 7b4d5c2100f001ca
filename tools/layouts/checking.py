"""The last group of the workflows that score what the small model painted from a sentence."""

from .parts import GREEN, Group, Node

CHECK = Group(
    "Check",
    (
        (
            # A step behind the picture, so that ComfyUI saves that first even if there is no detector.
            Node(
                "look",
                "ImageScale",
                {"upscale_method": "bicubic", "width": 384, "height": 384},
                {"image": "enlarge.IMAGE"},
                340,
            ),
            Node(
                "detect",
                "SesaHandDetectHands",
                {"threshold": 0.2, "max_hands": 0, "small_hands": False},
                {"image": "look.IMAGE"},
                340,
                680,
            ),
        ),
        (
            Node(
                "reconstruct",
                "SesaHandReconstructHands",
                {},
                {"landmarks": "detect.landmarks", "image": "look.IMAGE"},
                340,
            ),
            Node("report", "PreviewAny", {}, {"source": "score.report"}, 340, 340),
            Node(
                "score",
                "SesaHandScoreHands",
                {},
                {"requested": "place.hands", "found": "reconstruct.hands", "image": "look.IMAGE"},
                440,
                600,
            ),
        ),
    ),
    GREEN,
)
"""Finds the hands of the picture of a node `enlarge`, and scores them against those of a node `place`."""
