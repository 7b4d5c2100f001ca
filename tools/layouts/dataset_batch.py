"""Many sentences and seeds, filtered by the score of their hands, as image-mesh pairs."""

from .parts import BLUE, GET_DETECTOR, GREEN, PURPLE, TEAL, Group, Node, Workflow
from .stable_diffusion import OTHER_MODELS

SENTENCES = """\
A person with tan skin raises a right fist in front of a plain green wall.
A person with pale skin raises a left hand making a peace sign in front of a dotted blue wall.
A person with brown skin raises a right hand with spread fingers in front of a plain orange wall.
A person with dark skin raises a left hand making an ok sign in front of a tiled pink wall.
A person with tan skin raises a right hand making a horns sign in front of a plain purple wall.
A person with pale skin raises a right hand pointing up with the index finger in front of a striped gray wall.
A person with brown skin raises a left hand making a phone sign in front of a plain blue wall.
A person with dark skin raises a right hand with three fingers in front of a plain yellow wall."""

NOTE = f"""\
## Image-mesh pairs in any number

Each line of the caption is a picture: its gesture is posed with a little chance, drawn and painted. The hands in the
pictures are looked for and scored, and the pictures whose hand is the one that was asked for are saved with it: a
training set of pictures, hands in 3D, maps, prompts and scores that grows with each run.

**Steps**
{GET_DETECTOR}
2. Press **Run**: the sheet shows all pictures with their scores, and Save Image-Mesh Pair tells how many were kept.
3. Write your own sentences into *caption*, one a line, each with a gesture. Pose Hand says how it understood them.
4. **Many seeds**: let the seed in the group *Seed* grow from run to run (*increment*: in the field below it, or by the
   small icon in its own), and set the number beside **Run** to 100. *jitter* in Pose Hand varies the hands, from run to
   run if its own *seed* changes, too.
5. *minimum_score* decides what is kept: 0.5 refuses nine of ten wrong gestures, 0.6 is stricter.
6. The set is in ComfyUI's output folder, *pairs/dataset_batch*. The command *python -m sesahand dataset* checks it
   and exports it to COCO, HaMeR, FreiHAND, AttentionHand and others; *python -m sesahand train* trains a ControlNet.
7. **A plan**: *Read Plan* can stand in the place of Extract Semantics, Compose Prompt, Pose Hand and Place Hand: it
   asks for picture after picture of a plan (*generate --plan* makes the same ones). Its help page says what goes
   where.

**Your own Stable Diffusion 1.5**: replace Load Small Model by Load Checkpoint and Load ControlNet, connect the map that
your ControlNet knows (*depth*), set the size in Place Hand to 512 x 512, and *steps* 24 and *cfg* 7 in KSampler.

**Expected**: eight small pictures, of which those with a good hand are kept. Each has its own noise and its own hand.
At this size the detector takes some pictures, most of all of *a thumb up*, for the other hand; they are left out.

**Models**: the small model of rendered hands (38 MB, in the package, under SesaHand's licence) and the built-in hand
(licence CC0, so that the meshes are yours for any use). MediaPipe's hand networks for the score (10 MB,
Apache-2.0), by the command above.
{OTHER_MODELS}
**Memory**: under 1 GB; no GPU needed. Eight pictures take about half a minute.
"""

WORKFLOW = Workflow(
    name="dataset_batch",
    note=NOTE,
    note_size=(440, 560),
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
            "Sentences",
            (
                (
                    Node(
                        "extract",
                        "SesaHandExtractSemantics",
                        {"caption": SENTENCES, "each_line": True},
                        width=560,
                        height=400,
                    ),
                    Node(
                        "compose",
                        "SesaHandComposePrompt",
                        {},
                        {"semantics": "extract.semantics", "clip": "mini.clip"},
                        560,
                        320,
                    ),
                ),
            ),
            TEAL,
        ),
        Group("Seed", ((Node("seed", "PrimitiveInt", {"value": 1}, width=240),),), TEAL),
        Group(
            "Hands",
            (
                (
                    Node("pose", "SesaHandPoseHand", {"jitter": 4, "seed": 1}, {"semantics": "extract.semantics"}),
                    Node(
                        "place",
                        "SesaHandPlaceHand",
                        {"width": 128, "height": 128, "y": 0.45, "size": 0.7},
                        {"hands": "pose.hands"},
                    ),
                ),
                (
                    Node("named", "PreviewAny", {}, {"source": "pose.report"}, 400, 180),
                    Node("render", "SesaHandRenderCondition", {}, {"hands": "place.hands"}, 400, 600),
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
                        320,
                        200,
                    ),
                    Node("negative", "CLIPTextEncode", {"text": ""}, {"clip": "mini.clip"}, 320, 100),
                    Node("maps", "RebatchImages", {"batch_size": 1}, {"images": "render.mesh"}, 320),
                    Node(
                        "apply",
                        "ControlNetApplyAdvanced",
                        {"strength": 1.0},
                        {
                            "positive": "positive.conditioning",
                            "negative": "negative.CONDITIONING",
                            "control_net": "fusion.control_net",
                            "image": "maps.IMAGE",
                        },
                        320,
                    ),
                ),
            ),
            PURPLE,
        ),
        Group(
            "Pictures",
            (
                (
                    Node("size", "GetImageSize", {}, {"image": "render.mesh"}, height=120),
                    Node(
                        "latent",
                        "EmptyLatentImage",
                        {},
                        {"width": "size.width", "height": "size.height", "batch_size": "size.batch_size"},
                    ),
                    Node("latents", "RebatchLatents", {"batch_size": 1}, {"latents": "latent.LATENT"}),
                    Node(
                        "sampler",
                        "KSampler",
                        {"steps": 12, "cfg": 3, "sampler_name": "euler", "scheduler": "simple"},
                        {
                            "model": "bias.MODEL",
                            "positive": "apply.positive",
                            "negative": "apply.negative",
                            "latent_image": "latents.LATENT",
                            "seed": "seed.INT",
                        },
                    ),
                    Node("decode", "VAEDecode", {}, {"samples": "sampler.LATENT", "vae": "mini.vae"}),
                    Node("pictures", "RebatchImages", {"batch_size": 4096}, {"images": "decode.IMAGE"}),
                ),
                (Node("show", "PreviewImage", {}, {"images": "pictures.IMAGE"}, 420, 460),),
            ),
            GREEN,
        ),
        Group(
            "Check",
            (
                (
                    Node(
                        "large",
                        "ImageScale",
                        {"upscale_method": "bicubic", "width": 384, "height": 384},
                        {"image": "pictures.IMAGE"},
                        340,
                    ),
                    Node(
                        "detect",
                        "SesaHandDetectHands",
                        {"threshold": 0.2, "max_hands": 0, "small_hands": False},
                        {"image": "large.IMAGE"},
                        340,
                        680,
                    ),
                ),
                (
                    Node(
                        "reconstruct",
                        "SesaHandReconstructHands",
                        {},
                        {"landmarks": "detect.landmarks", "image": "large.IMAGE"},
                        400,
                    ),
                    Node(
                        "score",
                        "SesaHandScoreHands",
                        {},
                        {"requested": "place.hands", "found": "reconstruct.hands", "image": "large.IMAGE"},
                        400,
                        560,
                    ),
                ),
            ),
            GREEN,
        ),
        Group(
            "Keep",
            (
                (
                    Node(
                        "sheet",
                        "SesaHandContactSheet",
                        {"columns": 4},
                        {"images": "large.IMAGE", "labels": "pose.report", "scores": "score.scores"},
                        640,
                        700,
                    ),
                    Node("best", "SesaHandKeepBest", {"count": 4}, {"images": "large.IMAGE", "scores": "score.scores"}),
                ),
                (
                    Node(
                        "save",
                        "SesaHandSavePair",
                        {
                            "set_name": "pairs/dataset_batch",
                            "minimum_score": 0.5,
                            "control_scales": '{"strength": 1.0, "alpha": 2.0, "lambda": 1.0}',
                        },
                        {
                            "image": "pictures.IMAGE",
                            "hands": "place.hands",
                            "semantics": "compose.semantics",
                            "mesh": "render.mesh",
                            "depth": "render.depth",
                            "normal": "render.normal",
                            "mask": "render.mask",
                            "scores": "score.scores",
                            "seed": "seed.INT",
                        },
                        400,
                        760,
                    ),
                    Node("report", "PreviewAny", {}, {"source": "save.report"}, 400, 160),
                    Node("best_show", "PreviewImage", {}, {"images": "best.images"}, 400, 300),
                ),
            ),
            GREEN,
        ),
    ),
    thumbnail=("pictures.IMAGE.0", "pictures.IMAGE.3", "pictures.IMAGE.4", "pictures.IMAGE.2"),
)
