"""From a typed sentence to a picture of the hand it speaks of, checked."""

from .checking import CHECK
from .parts import BLUE, GREEN, PURPLE, TEAL, Group, Node, Workflow
from .stable_diffusion import OTHER_MODELS

SENTENCE = "A person with tan skin raises a right hand making an ok sign in front of a plain blue wall."

NOTE = f"""\
## From a sentence to the hand it speaks of

A sentence is reduced to what the person and the hand do, the gesture that it names is posed and drawn as a map, and a
ControlNet paints that hand: with semantic alignment (the composed prompt), structural fusion of the ControlNet's
features, and attention drawn to the hand words. Then the hand is looked for in the picture and scored.

**Steps**
1. Press **Run**. Nothing needs to be downloaded for the picture: a small model comes with SesaHand.
2. Type another *caption* in Extract Semantics: skin, *a fist*, *an ok sign*, *spread fingers*, *pointing up*, left or
   right hand, the wall. The report of Pose Hand says which gesture was understood.
3. Words that the small model does not know are ignored; Compose Prompt names them and lists those it knows.
4. For the score, once, in the folder of SesaHand (*custom_nodes/sesahand*), with ComfyUI's Python:
   ```
   python -m sesahand get-detector
   ```
   Without it the picture comes all the same, and Detect Hands says what is missing.

**Your own Stable Diffusion 1.5**: replace Load Small Model by Load Checkpoint and Load ControlNet, for example those
of the workflow *generate_hand*. Then connect the map that your ControlNet knows (*depth*), set the size in Place Hand
to 512 x 512, and *steps* 24 and *cfg* 7 in KSampler.

**Expected**: a small picture of the hand in the map, with the skin and the wall of the sentence: 128 x 128 pixels,
shown enlarged. At this size the detector takes some pictures, most of all of *a thumb up*, for the other hand and says
so: the score is then 0.1 to 0.2. Another *seed* helps.

**Models**: the small model of rendered hands (38 MB, in the package, under SesaHand's licence) and the built-in hand
(licence CC0). MediaPipe's hand networks for the score (10 MB, Apache-2.0), by the command above.
{OTHER_MODELS}
**Memory**: under 1 GB; no GPU needed. A picture takes a few seconds.
"""

WORKFLOW = Workflow(
    name="text_to_hand",
    note=NOTE,
    note_size=(400, 560),
    groups=(
        Group(
            "Model",
            (
                (
                    Node("mini", "SesaHandLoadMini", {"model": "embedded", "control": "sf"}, width=320),
                    Node(
                        "fusion",
                        "SesaHandStructuralFusion",
                        {"mode": "auto"},
                        {"control_net": "mini.control_net"},
                        320,
                    ),
                    Node("bias", "SesaHandAttentionBias", {"alpha": 2.0}, {"model": "mini.model"}, 320),
                ),
            ),
            TEAL,
        ),
        Group(
            "Semantics",
            (
                (
                    Node("extract", "SesaHandExtractSemantics", {"caption": SENTENCE}, width=380, height=300),
                    Node(
                        "compose",
                        "SesaHandComposePrompt",
                        {},
                        {"semantics": "extract.semantics", "clip": "mini.clip"},
                        380,
                        320,
                    ),
                ),
                (Node("summary", "PreviewAny", {}, {"source": "compose.summary"}, 340, 300),),
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
            ),
            BLUE,
        ),
        Group(
            "Condition",
            (
                (
                    Node("named", "PreviewAny", {}, {"source": "pose.report"}, 400, 110),
                    Node("render", "SesaHandRenderCondition", {}, {"hands": "place.hands"}, 400, 640),
                ),
            ),
            BLUE,
        ),
        Group(
            "Control",
            (
                (
                    Node(
                        "positive",
                        "SesaHandTextEncode",
                        {},
                        {"clip": "mini.clip", "text": "compose.prompt", "semantics": "compose.semantics"},
                        340,
                        220,
                    ),
                    Node("negative", "CLIPTextEncode", {"text": ""}, {"clip": "mini.clip"}, 340, 110),
                    Node(
                        "apply",
                        "ControlNetApplyAdvanced",
                        {"strength": 1.0},
                        {
                            "positive": "positive.conditioning",
                            "negative": "negative.CONDITIONING",
                            "control_net": "fusion.control_net",
                            "image": "render.mesh",
                        },
                        340,
                    ),
                    Node("marked", "PreviewAny", {}, {"source": "positive.marked"}, 340, 130),
                ),
            ),
            PURPLE,
        ),
        Group(
            "Picture",
            (
                (
                    Node("size", "GetImageSize", {}, {"image": "render.mesh"}, height=120),
                    Node("latent", "EmptyLatentImage", {}, {"width": "size.width", "height": "size.height"}),
                    Node(
                        "sampler",
                        "KSampler",
                        {
                            "seed": 7,
                            "steps": 12,
                            "cfg": 3,
                            "sampler_name": "euler",
                            "scheduler": "simple",
                        },
                        {
                            "model": "bias.MODEL",
                            "positive": "apply.positive",
                            "negative": "apply.negative",
                            "latent_image": "latent.LATENT",
                        },
                    ),
                    Node("decode", "VAEDecode", {}, {"samples": "sampler.LATENT", "vae": "mini.vae"}),
                ),
                (
                    Node(
                        "enlarge",
                        "ImageScale",
                        {"upscale_method": "bicubic", "width": 512, "height": 512},
                        {"image": "decode.IMAGE"},
                        540,
                    ),
                    Node(
                        "save",
                        "SaveImage",
                        {"filename_prefix": "sesahand/text_to_hand"},
                        {"images": "enlarge.IMAGE"},
                        540,
                        600,
                    ),
                ),
            ),
            GREEN,
        ),
        CHECK,
    ),
    thumbnail=("enlarge.IMAGE", "render.mesh"),
)
