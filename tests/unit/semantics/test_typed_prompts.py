"""The rules on the labelled prompts of the benchmark; what is claimed there may not become less."""

import importlib.util
from pathlib import Path

import pytest

PATH = Path(__file__).resolve().parents[3] / "benchmarks" / "typed_prompts.py"
spec = importlib.util.spec_from_file_location("typed_prompts", PATH)
typed_prompts = importlib.util.module_from_spec(spec)
spec.loader.exec_module(typed_prompts)


@pytest.mark.parametrize(
    ("half", "name", "least"),
    [("dev", "hands", 0.95), ("dev", "invented", 0.97), ("dev", "whole", 0.86)]
    + [("more", "hands", 0.95), ("more", "invented", 0.97), ("more", "whole", 0.76)]
    + [("scored", "hands", 0.96), ("scored", "invented", 0.97), ("scored", "whole", 0.84)]
    + [("unseen", "hands", 0.93), ("unseen", "invented", 0.97), ("unseen", "whole", 0.73)]
    + [("independent", "hands", 0.83), ("independent", "invented", 0.95), ("independent", "whole", 0.61)],
)
def test_the_share_of_prompts_that_are_read_rightly(half, name, least):
    kinds = [kind for kind in typed_prompts.KINDS if kind != "languages"]
    entries = [entry for kind in kinds for entry in typed_prompts.load(kind, half)]
    answers = [typed_prompts.judge(entry, typed_prompts.read(entry))[name] for entry in entries]
    told = [answer for answer in answers if answer is not None]
    assert sum(told) / len(told) >= least


def test_every_kind_has_captions_to_develop_on_and_others_to_be_scored():
    counts = {
        half: [len(typed_prompts.load(kind, half)) for kind in typed_prompts.KINDS]
        for half in ("dev", "scored", "unseen", "independent")
    }
    assert min(counts["dev"]) >= 20 and min(counts["scored"]) >= 10 and min(counts["unseen"]) >= 20
    assert min(counts["independent"]) >= 15
