"""One seed, five ways: what each part of the method does to the hand."""

from .parts import BLUE, GET_DETECTOR, GREEN, PURPLE, TEAL, Group, Node, Workflow
from .stable_diffusion import OTHER_MODELS

CAPTION = (
    "On the left stands a red cup. There is a green ball on the right. The image shows a person with tan skin raising "
    "a right hand making an ok sign in front of a plain blue wall. On the right stands a purple cone. A yellow cube "
    "lies on the left. The mood is cheerful."
)
WAYS = ("plain", "se", "sf", "ae", "weight")
LABELS = (
    "plain: the caption as it is",
    "+ SE: the composed prompt",
    "+ SE + SF: structural fusion",
    "+ SE + SF + AE: attention bias",
    "(hand:1.3)",
)

NOTE = f"""\
## What does each part do?

One caption, one hand, one seed, five pictures side by side, each with the score of its hand:
- **plain**: the rambling caption is the prompt, the ControlNet is as it is
- **+ SE**, semantic alignment: the prompt is composed of what person and hand do; the rest of the caption is gone
- **+ SE + SF**: and structural fusion of the ControlNet's features
- **+ SE + SF + AE**: and attention drawn to the hand words, the whole method
- **(hand:1.3)**: the cheap alternative, the word *hand* weighted in the composed prompt of the second column

**Steps**
{GET_DETECTOR}
2. Press **Run**. Each picture appears as it is made, on top of its column; the sheet with the scores comes last, and
   is saved. Without the detector the pictures come, and Detect Hands says what is missing.
3. Change the *seed* in the group *Caption and seed*: all five samplers take it. One seed proves nothing; try ten.
4. Write another caption, or change *alpha* in Attention Bias or *mode* and *strength* in Structural Fusion.

**Your own Stable Diffusion 1.5**: replace both Load Small Model by one Load Checkpoint and one Load ControlNet, connect
the map that your ControlNet knows (*depth*), set the size in Place Hand to 512 x 512, and *steps* 24 and *cfg* 7 in the
samplers. The small model has a ControlNet of its own for structural fusion; with any other, *auto* blends it in.

**Expected**: five pictures of one hand, 128 x 128 pixels, shown enlarged. In the plain one the things that the
caption talks about push out the wall and the skin that it asks for. The caption was chosen to show that: with one
that names fewer things, and these last, all five look alike. What the parts change on average, over hundreds of
pictures, is in *benchmarks/README.md*.

**Models**: the small model of rendered hands (38 MB, in the package, under SesaHand's licence) and the built-in hand
(licence CC0). MediaPipe's hand networks for the score (10 MB, Apache-2.0), by the command above.
{OTHER_MODELS}
**Memory**: under 1 GB; no GPU needed. Five pictures take some twenty seconds.
"""


def sampled(
    name: str, title: str, model: str, control_net: str, prompt: Node, before: tuple[Node, ...] = (), color=PURPLE
) -> Group:
    """One of the ways: its picture on top, and below it how it is made."""
    applied = {
        "positive": f"{prompt.name}.{'conditioning' if prompt.type == 'SesaHandTextEncode' else 'CONDITIONING'}",
        "negative": "negative.CONDITIONING",
        "control_net": control_net,
        "image": "render.mesh",
    }
    settings = {"steps": 12, "cfg": 3, "sampler_name": "euler", "scheduler": "simple"}
    return Group(
        title,
        (
            (
                Node(f"{name}_show", "PreviewImage", {}, {"images": f"{name}_large.IMAGE"}, 400, 440),
                prompt,
                *before,
                Node(f"{name}_apply", "ControlNetApplyAdvanced", {"strength": 1.0}, applied, 400),
                Node(
                    f"{name}_sampler",
                    "KSampler",
                    settings,
                    {
                        "model": model,
                        "positive": f"{name}_apply.positive",
                        "negative": f"{name}_apply.negative",
                        "latent_image": "latent.LATENT",
                        "seed": "seed.INT",
                    },
                    400,
                ),
                Node(f"{name}_decode", "VAEDecode", {}, {"samples": f"{name}_sampler.LATENT", "vae": "mini.vae"}, 400),
                Node(
                    f"{name}_large",
                    "ImageScale",
                    {"upscale_method": "bicubic", "width": 384, "height": 384},
                    {"image": f"{name}_decode.IMAGE"},
                    400,
                ),
            ),
        ),
        color,
    )


def words_of(name: str) -> Node:
    """The composed prompt with its hand words, encoded."""
    sources = {"clip": "mini.clip", "text": "compose.prompt", "semantics": "compose.semantics"}
    return Node(f"{name}_words", "SesaHandTextEncode", {}, sources, 400, 200)


def typed(name: str, source: str) -> Node:
    """A text encoded by core's node."""
    return Node(f"{name}_words", "CLIPTextEncode", {}, {"clip": "mini.clip", "text": source}, 400, 200)


WORKFLOW = Workflow(
    name="compare_alignment",
    note=NOTE,
    note_size=(440, 560),
    groups=(
        Group(
            "Model",
            (
                (
                    Node("mini", "SesaHandLoadMini", {"model": "embedded", "control": "plain"}, width=320),
                    Node("mini_sf", "SesaHandLoadMini", {"model": "embedded", "control": "sf"}, width=320),
                ),
            ),
            TEAL,
        ),
        Group(
            "Caption and seed",
            (
                (
                    Node("caption", "PrimitiveStringMultiline", {"value": CAPTION}, width=380, height=220),
                    Node("seed", "PrimitiveInt", {"value": 7}, width=380),
                ),
            ),
            TEAL,
        ),
        Group(
            "Semantics",
            (
                (
                    Node("extract", "SesaHandExtractSemantics", {}, {"caption": "caption.STRING"}, 380, 260),
                    Node(
                        "compose",
                        "SesaHandComposePrompt",
                        {},
                        {"semantics": "extract.semantics", "clip": "mini.clip"},
                        380,
                        320,
                    ),
                    Node("summary", "PreviewAny", {}, {"source": "compose.summary"}, 380, 200),
                ),
            ),
            TEAL,
        ),
        Group(
            "Hand",
            (
                (
                    Node("pose", "SesaHandPoseHand", {"seed": 1}, {"semantics": "extract.semantics"}),
                    Node(
                        "place",
                        "SesaHandPlaceHand",
                        {"width": 128, "height": 128, "y": 0.45, "size": 0.7},
                        {"hands": "pose.hands"},
                    ),
                ),
                (
                    Node("render", "SesaHandRenderCondition", {}, {"hands": "place.hands"}, 400, 620),
                    Node("size", "GetImageSize", {}, {"image": "render.mesh"}, height=120),
                    Node("latent", "EmptyLatentImage", {}, {"width": "size.width", "height": "size.height"}),
                    Node("negative", "CLIPTextEncode", {"text": ""}, {"clip": "mini.clip"}, 400, 100),
                ),
            ),
            BLUE,
        ),
        sampled("plain", "plain", "mini.model", "mini.control_net", typed("plain", "caption.STRING")),
        sampled("se", "+ SE", "mini.model", "mini.control_net", words_of("se")),
        sampled(
            "sf",
            "+ SE + SF",
            "mini.model",
            "fusion.control_net",
            words_of("sf"),
            (
                Node(
                    "fusion", "SesaHandStructuralFusion", {"mode": "auto"}, {"control_net": "mini_sf.control_net"}, 400
                ),
            ),
        ),
        sampled(
            "ae",
            "+ SE + SF + AE",
            "bias.MODEL",
            "fusion.control_net",
            words_of("ae"),
            (Node("bias", "SesaHandAttentionBias", {"alpha": 2.0}, {"model": "mini.model"}, 400),),
        ),
        sampled(
            "weight",
            "(hand:1.3)",
            "mini.model",
            "mini.control_net",
            typed("weight", "weighted.STRING"),
            (
                Node(
                    "weighted",
                    "StringReplace",
                    {"find": "hand", "replace": "(hand:1.3)"},
                    {"string": "compose.prompt"},
                    400,
                    200,
                ),
            ),
        ),
        Group(
            "Side by side, with scores",
            (
                (
                    Node(
                        "five",
                        "SesaHandBatchPictures",
                        {},
                        {f"image_{k}": f"{name}_large.IMAGE" for k, name in enumerate(WAYS, start=1)},
                        340,
                    ),
                    Node("names", "PrimitiveStringMultiline", {"value": "\n".join(LABELS)}, {}, 340, 180),
                    Node(
                        "detect",
                        "SesaHandDetectHands",
                        {"threshold": 0.2, "max_hands": 0, "small_hands": False},
                        {"image": "five.images"},
                        340,
                        680,
                    ),
                ),
                (
                    Node(
                        "reconstruct",
                        "SesaHandReconstructHands",
                        {},
                        {"landmarks": "detect.landmarks", "image": "five.images"},
                        400,
                    ),
                    Node(
                        "score",
                        "SesaHandScoreHands",
                        {},
                        {"requested": "place.hands", "found": "reconstruct.hands", "image": "five.images"},
                        400,
                        560,
                    ),
                    Node("report", "PreviewAny", {}, {"source": "score.report"}, 400, 300),
                ),
                (
                    # The labels come over a wire: as text within the node they would take its pictures' room.
                    Node(
                        "sheet",
                        "SesaHandContactSheet",
                        {"title": "One seed, five ways"},
                        {"images": "five.images", "labels": "names.STRING", "scores": "score.scores"},
                        1100,
                        560,
                    ),
                    Node(
                        "save",
                        "SaveImage",
                        {"filename_prefix": "sesahand/compare_alignment"},
                        {"images": "sheet.sheet"},
                        700,
                        360,
                    ),
                ),
            ),
            GREEN,
        ),
    ),
    thumbnail=tuple(f"{name}_large.IMAGE" for name in WAYS[:4]),
)
