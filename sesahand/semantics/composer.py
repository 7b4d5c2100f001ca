"""From behaviour semantics to one prompt whose parts can be found again.

Source: paper, semantic alignment (chain of thought, step 3). The template, the joining rule and the spans are ours.
"""

import dataclasses
import re
import string
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..errors import SesaHandError
from .behavior import COMPONENTS, BehaviorSemantics, ImageSemantics, SemanticsBatch, Span
from .described_hands import describe_hands
from .hand_words import hand_word_spans
from .prompt_syntax import PromptSyntax, put_back, read_syntax, whole_letters

DEFAULT_TEMPLATE = "{prefix}, {pose}, {action}, {hand_action}, {environment}, {style}"
FIELDS = ("prefix", *COMPONENTS, "style")
LONGEST_COMPONENT = 10_000
"""Characters that a component can have: each of its phrases is looked for in the others."""

CONTEXT = 77
"""Columns of one chunk of a CLIP text encoder, its begin and end token included."""


@dataclass(frozen=True)
class Composition:
    """A prompt and where its parts stand.

    Args:
        prompt: the text for the text encoder.
        spans: of "prefix", the components, "style" and every "hand word"; `prompt[start:end]` is the span's text. A
            phrase that two components share stands in the prompt once, and both have a span on it.
        warnings: what the user should know, for example a prompt that is too long for one chunk.
    """

    prompt: str
    spans: tuple[Span, ...]
    warnings: tuple[str, ...] = ()


def compose(
    behavior: BehaviorSemantics,
    template: str = DEFAULT_TEMPLATE,
    *,
    prefix: str = "",
    style: str = "",
    count_tokens: Callable[[str], int] | None = None,
    syntax: PromptSyntax | None = None,
) -> Composition:
    """Fill a template with the components, each phrase once.

    The text between two fields is written only if the field behind it has something to say and a field before it has
    been written; the text in front of the first field and behind the last is always written.

    Args:
        behavior: the four components.
        template: text with the fields of `FIELDS` in braces; write {{ and }} for braces.
        prefix: goes in front, for example the trigger words of a LoRA.
        style: goes last, for example style and quality words.
        count_tokens: columns that a text needs in the text encoder, begin and end token included; when given, a prompt
            over `CONTEXT` is warned of.
        syntax: of the text the components came from: its weights are given to the same words again, its tags are added
            behind the prompt, and what is lost is warned of.

    Returns:
        The prompt with its spans.

    Raises:
        SesaHandError: when the template has no field, an unknown field, or is not well-formed, or a component is longer
            than any prompt.
    """
    literals, fields, tail = _parse(whole_letters(template))
    _check_lengths(behavior)
    texts = {**behavior.to_dict(), "prefix": " ".join(prefix.split()), "style": " ".join(style.split())}
    texts = {name: whole_letters(text) for name, text in texts.items()}
    kept = _without_repetition(texts, fields)
    prompt = ""
    spans: list[Span] = []
    for index, (literal, name) in enumerate(zip(literals, fields, strict=True)):
        text = kept[name]
        if index == 0:
            prompt += literal
        elif text and spans:
            prompt += literal
        if text:
            spans.append(Span(name, len(prompt), len(prompt) + len(text), text))
            prompt += text
    prompt += tail
    spans += _shared_spans(spans, texts)
    spans += [Span("hand word", a, b, prompt[a:b]) for a, b in hand_word_spans(prompt)]
    warnings = [] if any(texts[name] for name in fields if name in COMPONENTS) else [_NO_COMPONENT]
    if syntax is not None and syntax.any:
        prompt, spans, lost = _with_syntax(prompt, spans, syntax)
        warnings += lost
    warnings += _too_long(prompt, count_tokens)
    return Composition(prompt, tuple(sorted(spans, key=_span_order)), tuple(warnings))


def _check_lengths(behavior: BehaviorSemantics) -> None:
    for name, text in behavior.to_dict().items():
        if len(text) > LONGEST_COMPONENT:
            raise SesaHandError(
                f"The component '{name}' has {len(text)} characters, more than the {LONGEST_COMPONENT} that a "
                "prompt can be made of. Shorten it, with Write Semantics or where it was typed."
            )


def _with_syntax(prompt: str, spans: list[Span], syntax: PromptSyntax) -> tuple[str, list[Span], list[str]]:
    """A prompt with the weights and tags that were typed, its spans moved along, and a warning of what is lost."""
    marked = put_back(prompt, syntax)
    moved = [(span.part, *marked.moved(span.start, span.end)) for span in spans]
    lost = (*marked.lost, *syntax.dropped)
    warnings = [f"Left out of the prompt: {', '.join(lost)}."] if lost else []
    return marked.prompt, [Span(part, a, b, marked.prompt[a:b]) for part, a, b in moved], warnings


def compose_batch(
    batch: SemanticsBatch, template: str = DEFAULT_TEMPLATE, **options
) -> tuple[SemanticsBatch, list[str]]:
    """Compose every image's prompt; the options are those of `compose`.

    A caption without behaviour is the prompt as it stands, between prefix and style.

    Returns:
        The batch with prompts and spans, and the warnings.
    """
    images, warnings = [], []
    for number, image in enumerate(batch.images, start=1):
        by_hand = image.source in ("typed", "edited")
        if image.caption.strip() and not by_hand and not any(image.behavior.to_dict().values()):
            check_template(template)
            image = as_typed(image, image.caption, options.get("prefix", ""), options.get("style", ""))
            own = (AS_IT_STANDS, *_too_long(image.prompt, options.get("count_tokens")))
        else:
            composed = compose(image.behavior, template, **options, syntax=read_syntax(whole_letters(image.caption)))
            image = dataclasses.replace(image, prompt=composed.prompt, spans=composed.spans)
            own = composed.warnings
        images.append(image)
        where = f"Image {number}: " if len(batch.images) > 1 else ""
        warnings += [where + warning for warning in own]
    return SemanticsBatch(tuple(images)), warnings


def summary(image: ImageSemantics) -> str:
    """The components, the prompt and the hand words of one image as lines to read."""
    hands = ", ".join(dict.fromkeys(span.text for span in image.of_part("hand word")))
    lines = [f"{name.replace('_', ' ')}: {getattr(image.behavior, name) or '-'}" for name in COMPONENTS]
    lines += [f"hands: {describe_hands(image.hands)}"]
    lines += [f"prompt: {image.prompt or '-'}", f"hand words: {hands or '-'}", f"from: {_origin(image)}"]
    return "\n".join(lines + ([f"note: {image.note}"] if image.note else []))


def _origin(image: ImageSemantics) -> str:
    """Where semantics came from, with the components that came from elsewhere."""
    others = ", ".join(f"{name.replace('_', ' ')} from {origin}" for name, origin in image.origins)
    return f"{image.source} ({others})" if others else image.source


def _span_order(span: Span) -> tuple[int, int, str]:
    return span.start, -span.end, span.part


def check_template(template: str) -> None:
    """Refuse what `compose` could not fill in.

    Raises:
        SesaHandError: when the template has no field, an unknown field, or is not well-formed.
    """
    _parse(template)


def _parse(template: str) -> tuple[list[str], list[str], str]:
    """The text in front of each field, the fields, and the text behind the last."""
    literals, fields, tail = [], [], ""
    try:
        pieces = list(string.Formatter().parse(template))
    except ValueError as error:
        raise SesaHandError(
            f"The template is not well-formed ({error}): {template!r:.200}. Write {{{{ for a brace."
        ) from error
    for literal, name, specification, conversion in pieces:
        tail += literal
        if name is None:
            continue
        if specification or conversion:
            raise SesaHandError(
                f"The template has more than a name in {{{name}...}}: write {{{name}}} without what follows the name."
            )
        if name not in FIELDS:
            raise SesaHandError(
                f"The template has the field {{{name}}}; it can have {', '.join(f'{{{field}}}' for field in FIELDS)}."
            )
        if name in fields:
            raise SesaHandError(f"The template has the field {{{name}}} twice; each field can stand once.")
        literals.append(tail)
        fields.append(name)
        tail = ""
    if not any(name in COMPONENTS for name in fields):
        raise SesaHandError(
            f"The template {template!r:.200} has none of the fields {', '.join(COMPONENTS)} in braces. Write at least "
            "one of them."
        )
    return literals, fields, tail


def _pieces(text: str) -> list[str]:
    return [piece for piece in re.split(r",\s*", text) if piece]


def _stands_in(piece: str, text: str) -> tuple[int, int] | None:
    """Where a phrase stands as whole words, in any letter case. Without a pattern, which is a hundred times slower."""
    small, sought = _small(text), _small(piece)
    start = small.find(sought)
    while start >= 0:
        end = start + len(sought)
        if not _is_word(text[start - 1 : start]) and not _is_word(text[end : end + 1]):
            return start, end
        start = small.find(sought, start + 1)
    return None


def _small(text: str) -> str:
    """A text in small letters, each where it stood."""
    small = text.lower()
    return small if len(small) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def _is_word(letter: str) -> bool:
    return letter.isalnum() or letter == "_"


def _without_repetition(texts: dict[str, str], fields: list[str]) -> dict[str, str]:
    """Each field's text without the phrases that another field says as well, or says at greater length."""
    kept = dict(texts)
    names = [name for name in fields if name in COMPONENTS]
    wholes = {name: {piece.lower() for piece in _pieces(texts[name])} for name in names}
    for index, name in enumerate(names):
        others = [(other, position < index) for position, other in enumerate(names) if other != name]
        pieces = _pieces(texts[name])
        said = [
            any(_repeats(piece, texts[name], texts[other], wholes[other], earlier) for other, earlier in others)
            for piece in pieces
        ]
        if any(said):
            kept[name] = ", ".join(piece for piece, repeated in zip(pieces, said, strict=True) if not repeated)
    return kept


def _repeats(piece: str, whole: str, other: str, phrases: set[str], other_is_earlier: bool) -> bool:
    """Whether `other`, of these phrases in small letters, makes one superfluous; of equal ones the earlier stays."""
    if len(piece.split()) < 2 and piece != whole:
        # a single word of a list ("cups, plates") is no phrase
        return False
    return other_is_earlier if piece.lower() in phrases else bool(_stands_in(piece, other))


def _shared_spans(spans: list[Span], texts: dict[str, str]) -> list[Span]:
    """Spans of the phrases that were left out of their own field because another one says them."""
    shared: list[Span] = []
    for name in COMPONENTS:
        own = next((span for span in spans if span.part == name), None)
        missing = [piece for piece in _pieces(texts[name]) if own is None or not _stands_in(piece, own.text)]
        if missing and own is None and _place_in(texts[name], spans, name):
            missing = [texts[name]]
        shared += filter(None, (_place_in(piece, spans, name) for piece in missing))
    return shared


def _place_in(text: str, spans: list[Span], part: str) -> Span | None:
    """The span of `part` where `text` stands within a component that has been written."""
    for span in spans:
        place = _stands_in(text, span.text) if span.part in COMPONENTS else None
        if place:
            start, end = place
            return Span(part, span.start + start, span.start + end, span.text[start:end])
    return None


AS_IT_STANDS = "The caption names no behaviour: it is the prompt as it stands."
_NO_COMPONENT = "The prompt says nothing of behaviour: the semantics have no component that the template uses."


def _too_long(prompt: str, count_tokens: Callable[[str], int] | None) -> list[str]:
    columns = count_tokens(prompt) if count_tokens else 0
    if columns <= CONTEXT:
        return []
    return [
        f"The prompt needs {columns} columns of CLIP, whose chunks have {CONTEXT}. Stable Diffusion gets it in several "
        "chunks, which weakens the words behind the first: shorten a component with Write Semantics, or the style. "
        "Models whose text encoder is a language model take it whole."
    ]


def as_typed(image: ImageSemantics, text: str, prefix: str = "", style: str = "") -> ImageSemantics:
    """The semantics with a text as it was typed for their prompt, and its hand words as spans."""
    prompt = ", ".join(filter(None, (" ".join(whole_letters(part).split()) for part in (prefix, text, style))))
    spans = tuple(Span("hand word", start, end, prompt[start:end]) for start, end in hand_word_spans(prompt))
    return replace(image, prompt=prompt, spans=spans)
