"""How well the rules read prompts as people type them: components, hands, and captions that are right as a whole.

The captions and the definition of "right" are in `data/typed/`, whose README says how they were made. Those of
`independent/` were written by somebody who did not know the rules, and scored once: `--half independent` is the one to
quote. All others were developed on.

Run: python benchmarks/typed_prompts.py [--half dev|more|scored|unseen|independent] [--show KIND]
"""

import argparse
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from sesahand.semantics.behavior import COMPONENTS, ImageSemantics
from sesahand.semantics.composer import compose_batch
from sesahand.semantics.extractor import extract_semantics
from sesahand.semantics.grammar import NOUNS
from sesahand.semantics.scoring import content_words, word_scores

HERE = Path(__file__).resolve().parent / "data" / "typed"
KINDS = (
    "photo anime tags syntax prose two_people two_hands nobody hidden gloves metaphors negations languages long".split()
)
HALVES = ("dev", "more", "scored", "unseen", "independent")
FOLDERS = ("more", "unseen", "independent")
FIRST = 20
"""So many captions of a file are for development."""
LEAST_RECALL, LEAST_PRECISION = 0.6, 0.5
_NAMES = dict(zip("PAHE", COMPONENTS, strict=True))
_HAND = re.compile(r"(right|left|\?) ([a-z_]+|-)(?:: (.+?))?(?: of (?:the )?(\w+))?$")


@dataclass
class Labelled:
    """A caption and what is true of it: components by name, hands as (side, gesture, object, owner)."""

    caption: str
    components: dict[str, str] = field(default_factory=lambda: dict.fromkeys(COMPONENTS, ""))
    hands: list[tuple[str | None, str | None, str | None]] = field(default_factory=list)
    drop: str = ""
    language: str = ""
    words: list[str] = field(default_factory=list)


def load(kind: str, half: str | None = None) -> list[Labelled]:
    """The labelled captions of a kind, all or one half."""
    entries = []
    path = HERE / half / f"{kind}.txt" if half in FOLDERS else HERE / f"{kind}.txt"
    for block in path.read_text(encoding="utf-8").strip().split("\n\n") if path.is_file() else ():
        caption, *lines = block.split("\n")
        entry = Labelled(caption.replace("\\n", "\n"))
        for line in lines:
            name, _, value = line.strip().partition(":")
            _note(entry, name, value.strip())
        if entry.components["action"] == "=":
            entry.components["action"] = entry.components["hand_action"]
        entries.append(entry)
    return (
        entries
        if half not in ("dev", "scored")
        else [entry for k, entry in enumerate(entries) if (k >= FIRST) == (half == "scored")]
    )


def _note(entry: Labelled, name: str, value: str) -> None:
    if name in _NAMES:
        entry.components[_NAMES[name]] = value
    elif name == "hands":
        for hand in filter(None, value.split("; ")):
            side, gesture, held, _ = _HAND.match(hand).groups()
            entry.hands.append((None if side == "?" else side, None if gesture == "-" else gesture, held))
    elif name == "drop":
        entry.drop = value
    elif name == "language":
        entry.language = value
    else:
        entry.words = [word.strip() for word in value.split(",") if word.strip()]


def read(entry: Labelled) -> ImageSemantics:
    """What the nodes and commands say of a caption."""
    return compose_batch(extract_semantics([entry.caption]))[0].images[0]


def words_of(text: str) -> frozenset[str]:
    """The content words of a component that name no person."""
    text = re.sub(r"\b\d?(?:girl|boy)s?\b", "", text)
    return content_words(" ".join(word for word in re.findall(r"[\w']+", text.lower()) if word not in NOUNS["person"]))


def component_scores(entry: Labelled, image: ImageSemantics, name: str) -> tuple[float, float, float]:
    """Precision, recall and F1 of a component; of the action only what goes beyond the hand action counts."""
    found, wanted = words_of(getattr(image.behavior, name)), words_of(entry.components[name])
    if name == "action":
        by_hand = words_of(entry.components["hand_action"]) | words_of(image.behavior.hand_action)
        found, wanted = found - by_hand, wanted - by_hand
    return word_scores(found, wanted)


def component_right(entry: Labelled, image: ImageSemantics, name: str) -> bool:
    """Whether a component is right by the definition of the README."""
    precision, recall, _ = component_scores(entry, image, name)
    return recall >= LEAST_RECALL and precision >= LEAST_PRECISION


def gestures_of(image: ImageSemantics) -> Counter:
    """Side and gesture of each hand that has a gesture."""
    return Counter((hand.side, hand.gesture) for hand in image.hands if hand.gesture)


def judge(entry: Labelled, image: ImageSemantics) -> dict[str, bool | None]:
    """Each question of the table with its answer for one caption; None where it does not apply."""
    if entry.language:
        found = [span.text for span in image.of_part("hand word")]
        missing = [word for word in entry.words if not any(word in text or text in word for text in found)]
        right = image.language == entry.language and image.prompt == entry.caption and not missing
        return {"whole": right and bool(entry.words) >= bool(found)}
    wanted = Counter((side, gesture) for side, gesture, _ in entry.hands if gesture)
    found = gestures_of(image)
    told = any(entry.components.values())
    parts = {name: component_right(entry, image, name) for name in COMPONENTS}
    return {
        **parts,
        "hands": wanted == found if wanted else None,
        "invented": not found if not wanted else None,
        "whole": all(parts.values()) and wanted == found and (told or image.prompt == entry.caption),
    }


def f1(kind: str, half: str, name: str) -> float:
    """Mean F1 of a component over the captions of a half."""
    entries = load(kind, half)
    scores = [component_scores(entry, read(entry), name)[2] for entry in entries]
    return sum(scores) / len(scores)


def share(answers: list[bool | None]) -> str:
    """The share of true answers, with how many there are."""
    told = [answer for answer in answers if answer is not None]
    return f"{sum(told) / len(told):.2f} ({len(told)})" if told else "-"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--half", choices=HALVES, default="dev")
    parser.add_argument("--show", choices=(*KINDS, "all"), help="print the captions of the half that are not right")
    options = parser.parse_args()
    print("| kind | pose | action | hand action | environment | gesture and side | none invented | right as a whole |")
    print("|---|---|---|---|---|---|---|---|")
    totals: dict[str, list] = {"hands": [], "invented": [], "whole": []}
    spent, count = 0.0, 0
    for kind in KINDS:
        entries = load(kind, options.half)
        if not entries:
            continue
        start = time.process_time()
        images = [read(entry) for entry in entries]
        spent, count = spent + time.process_time() - start, count + len(entries)
        judged = [judge(entry, image) for entry, image in zip(entries, images, strict=True)]
        scores = ["-"] * 4 if kind == "languages" else [f"{f1(kind, options.half, name):.2f}" for name in COMPONENTS]
        columns = [[answers.get(name) for answers in judged] for name in totals]
        for name, column in zip(totals, columns, strict=True):
            totals[name] += column if kind != "languages" or name != "whole" else []
        print(f"| {kind} | {' | '.join([*scores, *map(share, columns)])} |")
        if options.show in (kind, "all"):
            for entry, image, answers in zip(entries, images, judged, strict=True):
                if not answers["whole"]:
                    show(entry, image, answers)
    print(f"| English kinds | - | - | - | - | {' | '.join(map(share, totals.values()))} |")
    print(f"\n{1000 * spent / count:.2f} ms of processor time a caption, the first one included")


def show(entry: Labelled, image: ImageSemantics, answers: dict) -> None:
    print(f"\n{entry.caption}")
    if entry.language:
        found = [span.text for span in image.of_part("hand word")]
        print(f"   {image.language} {found}  wanted {entry.language} {entry.words}")
        return
    for name in COMPONENTS:
        if not answers[name]:
            print(f"   {name}: {getattr(image.behavior, name)!r}  wanted {entry.components[name]!r}")
    if False in (answers["hands"], answers["invented"]):
        print(f"   hands: {[(h.side, h.gesture, h.object, h.owner) for h in image.hands]}  wanted {entry.hands}")


if __name__ == "__main__":
    main()
