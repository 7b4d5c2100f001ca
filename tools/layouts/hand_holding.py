"""From a typed sentence to a picture of a hand that holds what it says, checked."""

from .checking import CHECK
from .parts import BLUE, GREEN, PURPLE, TEAL, Group, Node, Workflow
from .stable_diffusion import OTHER_MODELS

SENTENCE = "A person with tan skin raises a right hand holding a red cup in front of a plain green wall."

NOTE = f"""\
## From a sentence to a hand that holds something

A sentence is reduced to what the person and the hand do. The grasp that it names is posed, and what the hand holds is
put into it: its fingers close until they touch. Hand and object are drawn as one map, and a ControlNet that has learnt
such maps paints both, with attention drawn to the hand words. Then the hand is looked for in the picture and scored.

**Steps**
1. Press **Run**. Nothing needs to be downloaded for the picture: a small model comes with SesaHand.
2. Type another *caption* in Extract Semantics. The small model has learnt *a cup* and *a ball* in the hand, in six
   colours; phone, pen and hammer it paints half as skin. The report of Hold Object says what was understood.
3. Words that the small model does not know are ignored; Compose Prompt names them and lists those it knows.
4. *size* in Hold Object makes the object larger or smaller, *roll* and *yaw* in Place Hand turn hand and object.
5. For the score, once, in the folder of SesaHand (*custom_nodes/sesahand*), with ComfyUI's Python:
   ```
   python -m sesahand get-detector
   ```
   Without it the picture comes all the same, and Detect Hands says what is missing.

**Objects**: sphere, cylinder, box, cup, phone, pen and hammer, and whatever has their shape, in English, Chinese,
Japanese, Korean, German, French and Spanish. Without *semantics* in Hold Object its own widget chooses.

**Your own Stable Diffusion 1.5**: replace Load Small Model by Load Checkpoint and Load ControlNet, for example those
of the workflow *generate_hand*, connect *depth*, which shows the object as well, set the size in Place Hand to
512 x 512, and *steps* 24 and *cfg* 7 in KSampler. A ControlNet that was trained on bare hands may want *objects* in
Render switched off.

**Expected**: a small picture, 128 x 128 pixels, shown enlarged. Hand and object are where the map has
them; the object's colour is often another one than asked for, and a cup may look like a ball. Another *seed* helps.
The score is no promise here: the detector has learnt photographs, and reads few hands that hold something at this size.
Often it finds none, with a score of 0; where it finds one, 0.1 to 0.5 is usual, for good pictures too.

**Models**: the small model of rendered hands (in the package, under SesaHand's licence) and the built-in hand (licence
CC0). MediaPipe's hand networks for the score (10 MB, Apache-2.0), by the command above.
{OTHER_MODELS}
**Memory**: under 1 GB; no GPU needed. A picture takes a few seconds.
"""

WORKFLOW = Workflow(
    name="hand_holding",
    note=NOTE,
    note_size=(400, 640),
    groups=(
        Group(
            "Model",
            (
                (
                    Node("mini", "SesaHandLoadMini", {"model": "embedded", "control": "held"}, width=320),
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
                        "hold",
                        "SesaHandHoldObject",
                        {"object": "cup", "size": 1.0},
                        {"hands": "pose.hands", "semantics": "extract.semantics"},
                    ),
                ),
                (
                    Node(
                        "place",
                        "SesaHandPlaceHand",
                        {"width": 128, "height": 128, "y": 0.45, "size": 0.7, "roll": -75, "yaw": 60},
                        {"hands": "hold.hands"},
                    ),
                    Node("held", "PreviewAny", {}, {"source": "hold.report"}, 300, 160),
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
                            "control_net": "mini.control_net",
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
                            "seed": 10,
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
                        {"filename_prefix": "sesahand/hand_holding"},
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
