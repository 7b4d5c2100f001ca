"""A sentence, the hand it speaks of, posed and edited, and a picture of it: what workflows of many models share.

Each says how its model is loaded and how the hand steers it; sentence, hand, maps, picture and score are the same.
"""

from dataclasses import dataclass

from .parts import BLUE, GET_DETECTOR, GREEN, PURPLE, TEAL, Group, Node, Workflow
from .transformers import Family, File, links

STYLE = "natural skin, detailed knuckles and nails, soft daylight, sharp focus"

STEPS = """\
**Steps**
1. Get the files below, put them where it says, and press *R* on the canvas, so that the loaders see them.
2. Type what the person and the hand do in **Extract Semantics**, or leave what is there, and press **Run**. The report
   below Edit Hands says which gesture was understood.
3. Not the hand you want? Bend its fingers in **Edit Hands** with the mouse: from then on the hand of the editor counts.
   Its size and place are in Place Hand, until you edit.
4. From a photograph: open the workflow *photo_to_edited_hand*, run it with your picture, choose *Take over*, copy its
   Edit Hands (Ctrl+C), paste it here (Ctrl+V), and wire it as the one that is here. Then set *width* and *height* of
   Render Hand Depth & Maps to the photograph's proportions at the model's size, or the picture gets as large as the
   photograph.
"""
SCORING = f"""\
**Score**: the picture is saved first; then its hand is looked for and compared with yours. For that
{GET_DETECTOR}

Without it Detect Hands says what is missing, and the picture is there all the same. Score 1 is the very hand, 0 means
that none was found; Score Hands draws both.
"""
UNTRIED = """\
**Not run with real weights**: loaders, control, Attention Bias, sampler and score were run with small random models of
the same classes. Strengths and alpha are starting points, not measured. The picture of this template shows the
hand's maps, because the model was not at hand where it was made.
"""


@dataclass(frozen=True)
class Painting:
    """What differs between workflows of different models.

    Attributes:
        name: The workflow's.
        note: What its note says.
        family: Of the model.
        sentence: What the person and the hand do.
        models: The group that loads it.
        control: The group in which the hand steers it, from the prompt and the maps.
        model: Where the model comes from that is sampled, as "name.output".
        positive: Likewise, what is wanted.
        negative: Likewise, what is not.
        latent: Likewise, what is sampled; an empty one in the size of the maps if there is none.
        template: Of the prompt; Compose Prompt's own if there is none.
        prefix: In front of it.
    """

    name: str
    note: str
    family: Family
    sentence: str
    models: Group
    control: Group
    model: str
    positive: str
    negative: str
    latent: str = ""
    template: str = ""
    prefix: str = "close-up photo"
    thumbnail: tuple[str, ...] = ("render.depth",)


def note(title: str, about: str, hints: str, family: Family, *controls: File, more: str = "") -> str:
    """Return the text of a note.

    Args:
        title: Its heading.
        about: What the workflow does, and which ComfyUI it needs.
        hints: What to change if the picture is not as wanted.
        family: Of the model.
        controls: Files beside the family's own.
        more: On other files that do.
    """
    return f"""\
## {title}

{about}

{STEPS}
{hints}

**Models**
{links(*family.files, *controls)}
{more}The built-in hand's licence is CC0. MediaPipe's hand networks (10 MB, Apache-2.0) come by the command below.

**Attention Bias** raises the hand words of the prompt (*alpha* 0 is off). Record Attention and Attention Map say how
much of the attention they have, and how much more *alpha* makes it 5 %. Structural Fusion is not for this model, whose
layers all have one resolution.

**Memory**: {family.memory}.

{SCORING}
{UNTRIED}"""


def sentence(painting: Painting) -> Group:
    """Return what is typed, and the prompt that comes of it."""
    template = {"template": painting.template} if painting.template else {}
    return Group(
        "Sentence",
        (
            (
                Node("extract", "SesaHandExtractSemantics", {"caption": painting.sentence}, width=400, height=280),
                Node(
                    "compose",
                    "SesaHandComposePrompt",
                    {**template, "prefix": painting.prefix, "style": STYLE},
                    {"semantics": "extract.semantics"},
                    400,
                    360,
                ),
                Node("summary", "PreviewAny", {}, {"source": "compose.summary"}, 400, 240),
            ),
        ),
        TEAL,
    )


def hand(painting: Painting) -> Group:
    """Return the hand of the sentence, to be edited."""
    side = painting.family.side
    return Group(
        "Hand",
        (
            (
                Node("pose", "SesaHandPoseHand", {"seed": 1}, {"semantics": "extract.semantics"}),
                Node(
                    "place",
                    "SesaHandPlaceHand",
                    {"width": side, "height": side, "y": 0.45, "size": 0.55},
                    {"hands": "pose.hands"},
                ),
            ),
            (
                Node("edit", "SesaHandEditHands", {}, {"hands": "place.hands"}, 620, 820),
                Node("named", "PreviewAny", {}, {"source": "pose.report"}, 620, 120),
            ),
        ),
        BLUE,
    )


MAPS = Group(
    "Hand maps",
    (
        (
            Node(
                "render",
                "SesaHandRenderCondition",
                {"antialias": True, "forearm": True},
                {"hands": "edit.hands"},
                380,
                740,
            ),
        ),
    ),
    BLUE,
)


PROMPT = Node(
    "positive",
    "SesaHandTextEncode",
    {},
    {"clip": "clip.CLIP", "text": "compose.prompt", "semantics": "compose.semantics"},
    360,
    200,
)
MARKED = Node("marked", "PreviewAny", {}, {"source": "positive.marked"}, 360, 160)
# Models without guidance by a negative prompt get the positive one emptied, as in the templates of these models.
NOTHING = Node("negative", "ConditioningZeroOut", {}, {"conditioning": "positive.conditioning"}, 360)
UNWANTED = Node(
    "negative",
    "CLIPTextEncode",
    {"text": "extra fingers, missing fingers, fused fingers, deformed hand, blurry, text"},
    {"clip": "clip.CLIP"},
    360,
    120,
)


def picture(painting: Painting) -> Group:
    """Return the sampling, in the size of the maps."""
    empty = (
        Node("size", "GetImageSize", {}, {"image": "render.mesh"}, height=120),
        Node("latent", "EmptySD3LatentImage", {}, {"width": "size.width", "height": "size.height"}),
    )
    return Group(
        "Picture",
        (
            (
                *(() if painting.latent else empty),
                Node(
                    "sampler",
                    "KSampler",
                    {"seed": 20, **painting.family.sampling},
                    {
                        "model": painting.model,
                        "positive": painting.positive,
                        "negative": painting.negative,
                        "latent_image": painting.latent or "latent.LATENT",
                    },
                ),
                Node("decode", "VAEDecode", {}, {"samples": "sampler.LATENT", "vae": "vae.VAE"}),
            ),
            (
                Node(
                    "save",
                    "SaveImage",
                    {"filename_prefix": f"sesahand/{painting.name}"},
                    {"images": "decode.IMAGE"},
                    520,
                    600,
                ),
            ),
        ),
        GREEN,
    )


CHECK = Group(
    "Score",
    (
        (
            # A step behind the picture, so that ComfyUI saves that first even if there is no detector.
            Node(
                "look",
                "ImageScale",
                {"upscale_method": "area", "width": 768, "height": 0},
                {"image": "decode.IMAGE"},
                340,
            ),
            Node("detect", "SesaHandDetectHands", {"threshold": 0.3}, {"image": "look.IMAGE"}, 340, 620),
            Node("found", "SesaHandReconstructHands", {}, {"landmarks": "detect.landmarks"}, 340),
        ),
        (
            Node(
                "score",
                "SesaHandScoreHands",
                {},
                {"requested": "edit.hands", "found": "found.hands", "image": "look.IMAGE"},
                440,
                600,
            ),
            Node("report", "PreviewAny", {}, {"source": "score.report"}, 440, 240),
        ),
    ),
    GREEN,
)


def workflow(painting: Painting) -> Workflow:
    """Return the workflow of a painting."""
    return Workflow(
        name=painting.name,
        note=painting.note,
        note_size=(520, 560),
        groups=(
            sentence(painting),
            painting.models,
            hand(painting),
            MAPS,
            painting.control,
            picture(painting),
            CHECK,
        ),
        thumbnail=painting.thumbnail,
    )


def control(*columns: tuple[Node, ...]) -> Group:
    """Return the group in which the hand steers the model."""
    return Group("Prompt and control", columns, PURPLE)
