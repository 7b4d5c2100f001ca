"""A prompt that is encoded together with pictures, as Qwen-Image-Edit's is, with the columns of its hand words."""

from dataclasses import dataclass, replace
from typing import Any

from comfy_api.latest import io

from ..sesahand.attention.choice import choose_spans
from ..sesahand.attention.tokens import HandTokens, check_encoding, marked, row_columns
from ..sesahand.errors import SesaHandError
from ..sesahand.models.families import TEXT_ENCODERS, TEXT_ROWS, TextRows
from ..sesahand.semantics.prompt_syntax import whole_letters
from .semantics import (
    marked_outputs,
    note_without_columns,
    token_choices,
    tokens_of,
    told_by_semantics,
    with_columns,
)
from .wires import checks, found_by

CATEGORY = "SesaHand/semantics"


@dataclass(frozen=True)
class Encoding:
    """What one of core's nodes makes of a prompt and pictures.

    Args:
        conditioning: Its output.
        text: What it has tokenized; the prompt stands at its end.
        options: What it has given `tokenize` beside the text.
    """

    conditioning: list
    text: str
    options: dict[str, Any]


class HeardClip:
    """Stands for a CLIP, and keeps what it is asked to tokenize."""

    def __init__(self, clip):
        self.clip = clip
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def tokenize(self, text: str, return_word_ids: bool = False, **options):
        self.asked.append((text, options))
        return self.clip.tokenize(text, return_word_ids, **options)

    def __getattr__(self, name: str):
        return getattr(self.clip, name)


def encode(node: type[io.ComfyNode], clip, prompt: str, **inputs) -> Encoding:
    """Encode as one of core's nodes does."""
    heard = HeardClip(clip)
    [conditioning] = node.execute(heard, prompt, **inputs).args
    [(text, options)] = heard.asked
    return Encoding(conditioning, text, options)


def check_encoder(clip) -> TextRows:
    """What the rows of the CLIP are made of.

    Raises:
        SesaHandError: It encodes no pictures with the text.
    """
    lists, kind = tokens_of(clip, "")
    if kind is None or not kind.reads_pictures:
        readers = ", ".join(rows.families for rows in TEXT_ROWS.values() if rows.reads_pictures)
        raise SesaHandError(
            f"Pictures are encoded with the text for {readers}; this CLIP has {', '.join(sorted(lists))}. Load the "
            "text encoder of Qwen-Image-Edit (CLIPLoader's type qwen_image), or use Text Encode (SesaHand)."
        )
    return kind


def ways_of_core(clip, prompt: str, pictures: list):
    """The encodings that core's nodes for Qwen-Image-Edit make, one after the other."""
    from comfy_extras.nodes_qwen import TextEncodeQwenImageEdit, TextEncodeQwenImageEditPlus

    given = [picture for picture in pictures if picture is not None]
    yield encode(TextEncodeQwenImageEditPlus, clip, prompt, **_by_name(pictures))
    if len(given) < 2:
        yield encode(TextEncodeQwenImageEdit, clip, prompt, image=given[0] if given else None)


def encoding_of(conditioning: list, clip, prompt: str, pictures: list) -> Encoding:
    """The encoding that a conditioning is.

    Raises:
        SesaHandError: It is that of another prompt, other pictures or another CLIP.
    """
    for encoding in ways_of_core(clip, prompt, pictures):
        try:
            check_encoding([cond for cond, _ in conditioning], [cond for cond, _ in encoding.conditioning])
        except SesaHandError:
            continue
        return replace(encoding, conditioning=conditioning)
    raise SesaHandError(
        f"The conditioning of {conditioning[0][0].shape[1]} columns is not what TextEncodeQwenImageEditPlus, or "
        "TextEncodeQwenImageEdit, makes of this text and these pictures. Type its prompt here and connect its CLIP and "
        "its pictures, at the same numbers; one that another node made is not known: leave it out, to encode here."
    )


def columns_in(encoding: Encoding, clip, prompt: str, spans: list[tuple[int, int]], kind: TextRows) -> HandTokens:
    """The columns of an encoding for stretches of its prompt."""
    start = len(encoding.text) - len(prompt)
    lists = clip.tokenize(encoding.text, return_word_ids=True, **encoding.options)
    within = [(a + start, b + start) for a, b in spans]
    rows = encoding.conditioning[0][0].shape[1]
    found = row_columns(encoding.text, within, clip.tokenizer, lists, rows, kind, TEXT_ENCODERS, encoding.options)
    return replace(found, places=tuple((a - start, b - start) for a, b in found.places))


def _by_name(pictures: list) -> dict[str, Any]:
    return {f"image{number}": picture for number, picture in enumerate(pictures, start=1)}


@checks()
class TextEncodePictures(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandTextEncodePictures",
            display_name="Text Encode with Pictures (SesaHand)",
            category=CATEGORY,
            **found_by("TextEncodeQwenImageEditPlus", "Qwen image edit", "edit prompt"),
            description="Encodes an instruction together with pictures for Qwen-Image-Edit, like "
            "TextEncodeQwenImageEditPlus, and attaches which columns are hand tokens, for Attention Bias. A "
            "conditioning that is connected is kept as it is, compared with text and pictures, and only gets the hand "
            "tokens attached.",
            inputs=[
                io.Clip.Input("clip", tooltip="Text encoder of Qwen-Image-Edit (Qwen2.5-VL, type qwen_image)."),
                io.String.Input(
                    "text",
                    multiline=True,
                    dynamic_prompts=True,
                    tooltip="What is to be done: 'The woman of picture 1 holds her hand as in picture 2.' Weights such "
                    "as (hand:1.2) do nothing here; Attention Bias does.",
                ),
                *token_choices(),
                io.Image.Input(
                    "image1",
                    optional=True,
                    tooltip="The picture that is edited. The text encoder looks at it, and calls it picture 1.",
                ),
                io.Image.Input(
                    "image2",
                    optional=True,
                    tooltip="A second picture, such as the rendered hand; picture 2 for the prompt.",
                ),
                io.Image.Input("image3", optional=True, tooltip="A third picture; picture 3 for the prompt."),
                io.Vae.Input(
                    "vae",
                    optional=True,
                    tooltip="VAE of Qwen-Image: with it the pictures also go to the model, as reference latents. "
                    "Without it only the text encoder sees them. Not used with a conditioning.",
                ),
                told_by_semantics(),
                io.Conditioning.Input(
                    "conditioning",
                    optional=True,
                    tooltip="What TextEncodeQwenImageEditPlus or TextEncodeQwenImageEdit has made of this text, these "
                    "pictures and this CLIP, which is checked. It is kept as it is and only gets the hand tokens "
                    "attached.",
                ),
            ],
            outputs=marked_outputs(),
        )

    @classmethod
    def execute(
        cls, clip, text, tokens, extra_words, image1=None, image2=None, image3=None, vae=None, semantics=None,
        conditioning=None,
    ) -> io.NodeOutput:  # fmt: skip
        from comfy_extras.nodes_qwen import TextEncodeQwenImageEditPlus

        kind, pictures, text = check_encoder(clip), [image1, image2, image3], whole_letters(text)
        spans = choose_spans(text, tokens, extra_words.split(","), semantics.images if semantics else ())
        if conditioning is None:
            encoding = encode(TextEncodeQwenImageEditPlus, clip, text, vae=vae, **_by_name(pictures))
        else:
            encoding = encoding_of(conditioning, clip, text, pictures)
        chosen = columns_in(encoding, clip, text, spans, kind)
        note_without_columns(chosen, tokens)
        return io.NodeOutput(with_columns(encoding.conditioning, chosen), marked(text, chosen.places))


NODES = [TextEncodePictures]
