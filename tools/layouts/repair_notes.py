"""What the notes of the repairs with today's transformers have in common, and the prompt that they share."""

from .repairing import STEPS, WHAT_COMES_OUT
from .transformers import Family, File, links

HAND = "a hand with five fingers, natural skin, detailed knuckles and nails"
PROMPT = f"photo of {HAND}, soft daylight, sharp focus"
UNTRIED = """\
**Not run with real weights**: every node was run with small random models of the same classes. Strengths, *denoise* and
*alpha* are starting points, not measured. The small picture shows the maps, because this model did not run where it
was made.
"""


def note(title: str, about: str, hints: str, family: Family, *controls: File, more: str = "") -> str:
    """Return the text of a note.

    Args:
        title: What repairs the hand.
        about: How the hand reaches the model, and which ComfyUI it needs.
        hints: What to change if the hand is not as wanted.
        family: Of the model.
        controls: Files beside the family's own.
        more: On other files that do.
    """
    # Without an empty line what follows would belong to the last file.
    files = "\n".join(filter(None, (links(*family.files, *controls), more)))
    return f"""\
## Repair a hand in a picture with {title}

The hand that your mask is about is found, a 3D hand is fitted to it, you move what is wrong, and what you painted and
moved is painted anew. {about}

{STEPS}
{WHAT_COMES_OUT}
{hints}

**Models**
{files}
MediaPipe's hand networks (10 MB, Apache-2.0) come by the command above; the built-in hand's licence is CC0.

**Attention Bias** raises the hand words of the prompt (*alpha* 0 is off; Record Attention and Attention Map say how
much they have). Structural Fusion is not for this model, whose layers all have one resolution.

**Memory**: {family.memory}. Four attempts at once too many? Lower *amount* of Repeat Latent Batch, and change the
*seed* instead.

{UNTRIED}"""
