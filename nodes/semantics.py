"""From caption to conditioning: behaviour semantics, the composed prompt, and the columns of its hand tokens."""

import logging
import re

import node_helpers

from comfy.sd1_clip import SDTokenizer
from comfy.utils import ProgressBar
from comfy_api.latest import io

from ..sesahand.attention.choice import CHOICES, choose_spans
from ..sesahand.attention.tokens import (
    MAX_NESTING,
    HandTokens,
    check_encoding,
    check_length,
    content_columns,
    hand_tokens,
    marked,
    nesting,
    row_columns,
)
from ..sesahand.errors import SesaHandError, printable
from ..sesahand.models.families import TEXT_ENCODERS, TEXT_ROWS, TextRows
from ..sesahand.models.small.token_embedding import describe_unknown
from ..sesahand.models.small.tokenizer import load_tokenizer
from ..sesahand.semantics.behavior import COMPONENTS
from ..sesahand.semantics.composer import DEFAULT_TEMPLATE, check_template, compose_batch, summary
from ..sesahand.semantics.extractor import describe_sources, extract_semantics, override, read_answers
from ..sesahand.semantics.prompt_syntax import whole_letters
from ..sesahand.semantics.prompts import instruction
from ..sesahand.world.vocabulary import batch_in_small_words
from .notices import show_on_node
from .patches.mini_loading import learnt_tokens
from .wires import VLM, Semantics, checks, found_by, rare

logger = logging.getLogger(__name__)

CATEGORY = "SesaHand/semantics"
MOST_COUNTED = 20_000


def summaries(batch) -> str:
    """What is known of each image, as text to read."""
    if len(batch.images) == 1:
        return summary(batch.images[0])
    return "\n\n".join(f"image {k}\n{summary(image)}" for k, image in enumerate(batch.images, start=1))


def lines_of(texts: list[str]) -> list[str]:
    """Return the lines of some texts that hold anything, or the texts if none does."""
    return [line for text in texts for line in text.splitlines() if line.strip()] or texts


class ExtractSemantics(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandExtractSemantics",
            display_name="Extract Semantics (SesaHand)",
            category=CATEGORY,
            **found_by("caption to prompt", "chain of thought"),
            description="Reduces captions to human behaviour: pose, action, hand action and environment. Colours, "
            "background objects, light and camera talk are dropped, because they draw the sampler away from the hand. "
            "Uses a language model if one is connected, and built-in rules for English otherwise.",
            is_input_list=True,
            inputs=[
                io.String.Input(
                    "caption",
                    multiline=True,
                    default="The woman is holding a pink umbrella with her hand.",
                    tooltip="What is said about the picture: typed, or from Caption Image or any other text node. A "
                    "list of captions gives one result for each, in order.",
                ),
                VLM.Input(
                    "vlm",
                    optional=True,
                    tooltip="A language model from Load VLM or Connect VLM; it reasons step by step. Without one the "
                    "rules read the caption, which takes milliseconds and understands English; a caption in another "
                    "language is passed on as it stands.",
                ),
                io.Int.Input(
                    "attempts",
                    default=2,
                    min=1,
                    max=5,
                    tooltip="How often a caption is put to the model before the rules answer instead. Each new "
                    "attempt shows the model its mistake. Without effect when no model is connected.",
                    **rare(),
                ),
                io.Int.Input(
                    "max_length",
                    default=512,
                    min=64,
                    max=8192,
                    tooltip="Longest answer of the model in tokens, its reasoning included. Raise it for models that "
                    "think at length before they answer.",
                    **rare(),
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    # A new one for each run would extract and sample everything again, even without a model.
                    control_after_generate=False,
                    tooltip="Change it for another answer of the model; the same seed gives the same one. Without "
                    "effect when no model is connected.",
                    **rare(),
                ),
                io.Boolean.Input(
                    "each_line",
                    default=False,
                    optional=True,
                    tooltip="On: each line of the caption is a caption of its own, for a batch of pictures with a "
                    "sentence each. Off: a text of several lines is one caption.",
                ),
                io.String.Input(
                    "answer",
                    optional=True,
                    force_input=True,
                    tooltip="What another node's language model (core's Generate Text) answered to the instruction of "
                    "Semantics Instruction; its reasoning and code fences do no harm. It takes the place of vlm. An "
                    "answer without JSON, such as a description of a picture, is read as the caption.",
                ),
            ],
            outputs=[
                Semantics.Output(
                    display_name="semantics",
                    tooltip="Pose, action, hand action and environment per caption, and what each hand does, for "
                    "Compose Prompt, Write Semantics, Pose Hand and Text Encode.",
                ),
                io.String.Output(
                    display_name="report",
                    tooltip="The components and each hand to read, and whether the model or the rules found them and "
                    "why.",
                ),
            ],
        )

    @classmethod
    def execute(cls, caption, attempts, max_length, seed, vlm=None, each_line=(False,), answer=None) -> io.NodeOutput:
        captions = lines_of(caption) if each_line[0] else caption
        if answer:
            if vlm:
                raise SesaHandError("vlm and answer are connected, and each is a language model's work: keep one.")
            batch = read_answers(captions, answer)
            return io.NodeOutput(batch, f"{describe_sources(batch.images)}\n\n{summaries(batch)}")
        bar = ProgressBar(1)
        batch = extract_semantics(
            captions,
            vlm[0] if vlm else None,
            attempts=attempts[0],
            max_tokens=max_length[0],
            seed=seed[0],
            progress=bar.update_absolute,
        )
        return io.NodeOutput(batch, f"{describe_sources(batch.images)}\n\n{summaries(batch)}")


class SemanticsInstruction(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandSemanticsInstruction",
            display_name="Semantics Instruction (SesaHand)",
            category=CATEGORY,
            **found_by("text generate", "LLM prompt", "chain of thought"),
            description="Writes what a language model has to be told to reduce a caption to human behaviour, for text "
            "models that another node runs, such as core's Generate Text. Its answer goes into Extract Semantics.",
            inputs=[
                io.String.Input(
                    "caption",
                    multiline=True,
                    default="The woman is holding a pink umbrella with her hand.",
                    tooltip="What is said about the picture: typed, or from any text node.",
                ),
            ],
            outputs=[
                io.String.Output(
                    "instruction",
                    display_name="instruction",
                    tooltip="For prompt of Generate Text; leave its max_length at 512 or more.",
                ),
                io.String.Output(
                    "same_caption",
                    display_name="caption",
                    tooltip="The caption as it came in, for caption of Extract Semantics beside the answer.",
                ),
            ],
        )

    @classmethod
    def execute(cls, caption) -> io.NodeOutput:
        return io.NodeOutput(instruction(caption), caption)


class WriteSemantics(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        fields = {
            "pose": "How the bodies are placed, with the persons: 'a woman sitting at a table'.",
            "action": "What the persons do: 'reading a letter'.",
            "hand_action": "What the hands do and what they hold or touch: 'holding a letter with both hands'.",
            "environment": "Where it happens: 'in a kitchen'.",
        }
        return io.Schema(
            node_id="SesaHandWriteSemantics",
            display_name="Write Semantics (SesaHand)",
            category=CATEGORY,
            description="Behaviour semantics typed by hand. With semantics connected, only the fields that hold text "
            "replace theirs, for every image; the word none empties a component.",
            inputs=[
                *(
                    io.String.Input(
                        name,
                        default="",
                        tooltip=f"{text} Leave it empty to keep what is connected; write none to empty it.",
                    )
                    for name, text in fields.items()
                ),
                Semantics.Input(
                    "semantics",
                    optional=True,
                    tooltip="Extracted semantics whose components are to be corrected. Nothing connected: the four "
                    "fields are all there is.",
                ),
            ],
            outputs=[
                Semantics.Output(
                    display_name="semantics",
                    tooltip="The written or corrected semantics, one per image, for Compose Prompt. A prompt composed "
                    "before is dropped; compose it again.",
                ),
                io.String.Output(display_name="report", tooltip="The components to read."),
            ],
        )

    @classmethod
    def execute(cls, pose, action, hand_action, environment, semantics=None) -> io.NodeOutput:
        typed = dict(zip(COMPONENTS, (pose, action, hand_action, environment), strict=True))
        batch = override(semantics, typed)
        return io.NodeOutput(batch, summaries(batch))


@checks(template=check_template)
class ComposePrompt(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandComposePrompt",
            display_name="Compose Prompt (SesaHand)",
            category=CATEGORY,
            **found_by("caption to prompt"),
            description="Writes one prompt from behaviour semantics, each phrase once, and remembers where each "
            "component and each hand word stands. Weights, LoRA tags and embeddings of the caption are put back; a "
            "caption without behaviour is the prompt as it stands.",
            inputs=[
                Semantics.Input("semantics", tooltip="From Extract Semantics or Write Semantics."),
                io.String.Input(
                    "template",
                    default=DEFAULT_TEMPLATE,
                    multiline=True,
                    tooltip="Order and wording. The fields prefix, pose, action, hand_action, environment and style "
                    "stand in curly braces; the words in front of an empty field are left out with it.",
                ),
                io.String.Input(
                    "prefix",
                    default="",
                    tooltip="Goes in front: trigger words of a LoRA, or the medium ('a photo').",
                ),
                io.String.Input(
                    "style",
                    default="",
                    multiline=True,
                    tooltip="Goes last: style and quality words. Keep it short; every word takes attention away from "
                    "the hand.",
                ),
                io.Clip.Input(
                    "clip",
                    optional=True,
                    tooltip="Whose tokenizer counts the prompt's tokens for the warning over 77. Without it they are "
                    "counted as SD 1.5 does. With that of Load Small Model, words become those that it knows, and the "
                    "summary names the others.",
                ),
            ],
            outputs=[
                io.String.Output(
                    display_name="prompt",
                    is_output_list=True,
                    tooltip="One prompt per image, in order, for Text Encode.",
                ),
                Semantics.Output(
                    display_name="semantics",
                    tooltip="The semantics with their prompts and the places of their parts, for Text Encode.",
                ),
                io.String.Output(
                    display_name="summary",
                    tooltip="Components, prompt, hand words and warnings, to read in a Preview Any.",
                ),
            ],
        )

    @classmethod
    def execute(cls, semantics, template, prefix, style, clip=None) -> io.NodeOutput:
        own = SDTokenizer() if clip is None else None

        def count(text: str) -> int:
            # What is longer is too long by any count, and core's tokenizers take their time with a million letters.
            text = text[:MOST_COUNTED]
            # Text Encode refuses these; here it is only counted, and marks are no tokens.
            text = text if nesting(text) <= MAX_NESTING else re.sub(r"[()]", " ", text)
            lists = clip.tokenize(text, return_word_ids=True) if clip else {"l": own.tokenize_with_weights(text, True)}
            # Only CLIP's columns come in chunks, which are what a prompt can be too long for.
            kind = TEXT_ROWS.get(tuple(sorted(lists)))
            counted = {key: value for key, value in lists.items() if kind is None or key in kind.clip}
            return content_columns(counted) if counted else 0

        learnt = learnt_tokens(clip)
        semantics = batch_in_small_words(semantics) if learnt else semantics
        batch, warnings = compose_batch(semantics, template, prefix=prefix, style=style, count_tokens=count)
        if learnt:
            unknown = describe_unknown(load_tokenizer(), learnt, [image.prompt for image in batch.images])
            warnings += [unknown] if unknown else []
        for warning in warnings:
            logger.warning("Compose Prompt: %s", printable(warning))
        notes = "".join(f"\n\nwarning: {warning}" for warning in warnings)
        return io.NodeOutput([image.prompt for image in batch.images], batch, summaries(batch) + notes)


def tokens_of(clip, text: str) -> tuple[dict[str, list], TextRows | None]:
    """The token lists of the text encoders that a CLIP has, and what rows they make; None where all are CLIP's own."""
    lists = clip.tokenize(text, return_word_ids=True)
    kind = TEXT_ROWS.get(tuple(sorted(lists)))
    # That of SD3 may lack one or two of its three.
    model = clip.cond_stage_model
    lists = {k: v for k, v in lists.items() if getattr(model, TEXT_ENCODERS.get(k, k), True) is not None}
    return lists, kind if kind and kind.tokens in lists else None


def note_without_columns(chosen: HandTokens, tokens: str) -> None:
    """Say in the log and on the node that a prompt has no hand token."""
    if not chosen.columns:
        note = f"The prompt has no hand token ({tokens}), so Attention Bias does nothing."
        logger.warning("Text Encode: %s", note)
        show_on_node(note)


def with_columns(conditioning: list, chosen: HandTokens) -> list:
    """A conditioning that says which of its columns are hand tokens."""
    return node_helpers.conditioning_set_values(conditioning, {"sesahand_tokens": chosen.to_dict()})


def token_choices() -> list:
    """The inputs by which a text encoding node is told which of its tokens count."""
    return [
        io.Combo.Input(
            "tokens",
            options=list(CHOICES),
            default=CHOICES[0],
            tooltip="Which tokens count as hand tokens: single words such as hand, fingers, holding; the whole "
            "phrase that says what the hands do; or both. Few tokens act more sharply.",
        ),
        io.String.Input(
            "extra_words",
            default="",
            tooltip="More words to count as hand tokens, separated by commas, such as what the hand holds: "
            "umbrella, handle.",
        ),
    ]


def told_by_semantics():
    """The input that says where the hand action stands in the prompt."""
    return Semantics.Input(
        "semantics",
        optional=True,
        tooltip="From Compose Prompt: says exactly where the hand action stands. Without it the rules look "
        "for the hand action in the text, and take its hand words if they find none.",
    )


def marked_outputs() -> list:
    """What a text encoding node puts out."""
    return [
        io.Conditioning.Output(
            display_name="conditioning",
            tooltip="For the sampler; Attention Bias on the MODEL acts on its hand tokens.",
        ),
        io.String.Output(
            display_name="marked",
            tooltip="The prompt with the chosen tokens in [brackets], to check the choice in a Preview Any.",
        ),
    ]


@checks()
class TextEncode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandTextEncode",
            display_name="Text Encode (SesaHand)",
            category=CATEGORY,
            **found_by("CLIP text encode", "hand tokens"),
            description="Encodes a prompt like CLIP Text Encode and attaches which columns are hand tokens, for "
            "Attention Bias. A conditioning that is connected is kept as it is, compared with the text, and only "
            "gets the hand tokens attached.",
            inputs=[
                io.Clip.Input(
                    "clip",
                    tooltip="Text encoder of SD 1.5, SD 2.x, SDXL, Qwen-Image, Z-Image, Flux, Krea 2, Chroma, Anima, "
                    "SD3 or Wan.",
                ),
                io.String.Input(
                    "text",
                    multiline=True,
                    dynamic_prompts=True,
                    tooltip="The prompt, typed or from Compose Prompt. Weights (word:1.2), escapes, embedding:name and "
                    "prompts beyond 77 tokens work as in CLIP Text Encode. Where the text encoder is a language model, "
                    "weights do nothing; Attention Bias does.",
                ),
                *token_choices(),
                told_by_semantics(),
                io.Conditioning.Input(
                    "conditioning",
                    optional=True,
                    tooltip="A conditioning that another node (CLIP Text Encode) has made from this very text with "
                    "this CLIP, which is checked. It is kept as it is and only gets the hand tokens attached.",
                ),
            ],
            outputs=marked_outputs(),
        )

    @classmethod
    def execute(cls, clip, text, tokens, extra_words, semantics=None, conditioning=None) -> io.NodeOutput:
        text = whole_letters(text)
        spans = choose_spans(text, tokens, extra_words.split(","), semantics.images if semantics else ())
        lists, kind = tokens_of(clip, text)
        chosen = None if kind else hand_tokens(text, spans, clip.tokenizer, lists, TEXT_ENCODERS)
        own = clip.encode_from_tokens_scheduled(clip.tokenize(text))
        if chosen is None:
            chosen = row_columns(text, spans, clip.tokenizer, lists, own[0][0].shape[1], kind, TEXT_ENCODERS)
        note_without_columns(chosen, tokens)
        if conditioning is not None:
            check_length(chosen, [cond.shape[1] for cond, _ in conditioning], 0 if kind else 77)
            check_encoding([cond for cond, _ in conditioning], [cond for cond, _ in own])
        conditioning = with_columns(own if conditioning is None else conditioning, chosen)
        return io.NodeOutput(conditioning, marked(text, chosen.places))


NODES = [ExtractSemantics, SemanticsInstruction, WriteSemantics, ComposePrompt, TextEncode]
