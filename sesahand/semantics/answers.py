"""What of a language model's answer can be believed: words of the caption stay, the rest is the rules'.

A weak model must not make a result worse than the rules alone would.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from ..errors import SesaHandError
from . import prompts
from .behavior import COMPONENTS, BehaviorSemantics
from .denials import told
from .gesture_words import find_mentions
from .grammar import NOUNS, VERBS, join, sentences
from .hand_words import hand_word_spans
from .plain import plain
from .scoring import content_words

MOST_INVENTED = 0.34
"""Share of a component's content words that need not stand in the caption, whatever their endings."""

MOST_REPEATED = 0.8
"""A component with more of a long caption's words than this sorts nothing out."""
_LONG_CAPTION = 15
_STOLEN_WORDS = 6
MOST_BESIDES = 0.34
"""Words of a component, as a share of the rules' words for it, that the rules did not take."""
_WHERE = frozenset("in at on inside within near behind beside through across along".split())


@dataclass(frozen=True)
class Settled:
    """What an answer and the rules make together.

    Attributes:
        behavior: The four components.
        origins: For each component that is not the model's, its name and where it came from and why.
    """

    behavior: BehaviorSemantics
    origins: tuple[tuple[str, str], ...]


def settle(answer: Mapping[str, str], caption: str, by_rules: BehaviorSemantics, translated: bool = False) -> Settled:
    """Take an answer's components where they can be believed, and the rules' elsewhere.

    Args:
        answer: The components that the model named, perhaps not all.
        caption: What it was asked about, without prompt syntax.
        by_rules: What the rules read in the caption.
        translated: Whether the caption is in another language than the answer, so that no word can be compared.

    Raises:
        SesaHandError: If nothing of the answer can be used; the message is written to be shown to the model.
    """
    says_nothing = not any((*by_rules.to_dict().values(), translated)) and not _names_somebody(caption)
    if says_nothing and any(answer.values()):
        raise SesaHandError("the description names nobody, so that all components are empty.")
    kept: dict[str, str] = {}
    origins, problems = [], []
    for name in COMPONENTS:
        problem = _problem(name, answer, caption, by_rules, translated)
        kept[name] = getattr(by_rules, name) if problem else answer[name]
        if problem:
            problems.append(f"'{name}' {problem}")
        if problem and (kept[name] or answer.get(name)):
            origins.append((name, f"the rules, because it {problem}"))
    if len(problems) == len(COMPONENTS):
        raise SesaHandError(f"nothing in it can be used: {'; '.join(problems)}.")
    return Settled(BehaviorSemantics(**kept), tuple(origins))


def _problem(name: str, answer: Mapping[str, str], caption: str, by_rules: BehaviorSemantics, translated: bool) -> str:
    """Why the rules' component stands in the place of the model's; empty if it does not."""
    if name not in answer:
        return "is missing in the answer"
    text, own = answer[name], getattr(by_rules, name)
    if not text:
        repeated = name == "action" and _words(own) <= _words(by_rules.hand_action)
        return "is empty in the answer" if own and not repeated else ""
    if _is_stolen(text, caption):
        return "repeats the instruction or an example"
    if translated:
        return ""
    found, said = _words(text), _words(_told_words(caption))
    invented = sorted(found - said)
    if found and len(invented) > MOST_INVENTED * len(found):
        return f"has words that the caption has not ({', '.join(invented)[:60]})"
    if len(said) > _LONG_CAPTION and len(found) > MOST_REPEATED * len(said) > len(_words(own)):
        return "repeats the whole caption"
    # What a model takes for the place is no longer missing in what somebody does there.
    placed = frozenset() if by_rules.environment else _words(answer.get("environment", ""))
    return _doubt(name, text, found, caption, by_rules, placed)


def _names_somebody(caption: str) -> bool:
    """Whether a caption has a word for a person, or for somebody's hand or body."""
    found = (item for words in sentences(plain(caption)) for item in words)
    return any(item.has("person", "hand", "body", "pronoun") and item.lower != "it" for item in found)


def _told_words(caption: str) -> str:
    """A caption without what it denies: "not making a fist" is no fist."""
    return " ".join(join(told(words)) for words in sentences(plain(caption, keep_asides=True)))


def _doubt(
    name: str, text: str, found: frozenset[str], caption: str, by_rules: BehaviorSemantics, placed: frozenset[str]
) -> str:
    """Why a component in the caption's words is still not believed, beside what the rules read; empty if it is."""
    own = _words(getattr(by_rules, name))
    if not found:
        return "only names who is there" if own else ""
    parted = name == "environment" and not own and found <= placed
    others = {
        *(() if parted else ("pose",)),
        "environment",
        *(("action", "hand_action") if name in ("pose", "environment") else ()),
    } - {name}
    elsewhere = frozenset().union(*(_words(getattr(by_rules, other)) for other in others)) - own
    if 2 * len(found & elsewhere) >= len(found):
        return "says what belongs to another component"
    if not own:
        return "" if _is_of_kind(name, text, caption) else f"tells of no {name.replace('_', ' ')}"
    if name != "environment" and found & _words(by_rules.environment) - own:
        return "also says where it happens"
    missing = (
        own
        - found
        - (placed if name == "pose" else frozenset())
        - (_words(by_rules.hand_action) if name == "action" else frozenset())
    )
    if 3 * len(missing) > len(own):
        return "says little of what the caption says of it"
    besides = found - own - _words(by_rules.hand_action) - _before(own, caption)
    if len(besides) > len(own) * MOST_BESIDES:
        return f"says more than it should ({', '.join(sorted(besides))[:60]})"
    return ""


def _before(words: frozenset[str], caption: str) -> frozenset[str]:
    """What stands right before one of these words in the caption: rules leave a thing's colour out, a model may not."""
    said = re.findall(r"[\w']+", caption.lower())
    return frozenset().union(*(_words(first) for first, second in pairwise(said) if _words(second) & words))


def _is_of_kind(name: str, text: str, caption: str) -> bool:
    """Whether a text can be the component that the rules did not find."""
    tokens = [item for words in sentences(text) for item in words]
    if name == "pose":
        return any("posture" in item.verb_classes or item.has("body") for item in tokens)
    if name == "hand_action":
        return bool(hand_word_spans(text) or find_mentions(text))
    if name == "action":
        return any(item.verb_classes - {"dropped", "posture"} for item in tokens)
    named = text.lower().removeprefix("in ").removeprefix("the ").strip()
    return any(word in _WHERE for word in caption.lower().partition(named)[0].split()[-2:])


def _words(text: str) -> frozenset[str]:
    """Content words, verbs in their base form, without those that only name a person."""
    words = (word for word in re.findall(r"[\w']+", text.lower()) if word not in NOUNS["person"])
    return content_words(" ".join(VERBS[word][0] if word in VERBS else word for word in words))


def _is_stolen(text: str, caption: str) -> bool:
    """Whether a text is the instruction's or an example's, and not the caption's."""
    if text.lower() in caption.lower():
        return False
    if any(text == said for _, _, components in prompts.EXTRACTION_EXAMPLES for said in components.values()):
        return True
    words = text.lower().split()
    instruction = " ".join(prompts.EXTRACTION_SYSTEM.lower().split())
    runs = (" ".join(words[k : k + _STOLEN_WORDS]) for k in range(len(words) - _STOLEN_WORDS + 1))
    return any(run in instruction for run in runs)


def repeats_instruction(answer: str) -> bool:
    """Whether an answer without JSON is what the model was told, not what it says of a picture."""
    instructed = {" ".join(line.lower().split()) for line in prompts.EXTRACTION_SYSTEM.splitlines()}
    instructed |= {text.lower() for text, _, _ in prompts.EXTRACTION_EXAMPLES}
    said = " ".join(answer.lower().split())
    return any(len(line) > 30 and line in said for line in instructed)
