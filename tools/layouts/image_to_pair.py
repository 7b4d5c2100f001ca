"""The whole way from a photograph to new pictures with the same hands: image-mesh pairs to train on."""

from .parts import BLUE, GET_DETECTOR, GREEN, PURPLE, TEAL, Group, Node, Workflow
from .stable_diffusion import OTHER_MODELS

NOTE = f"""\
## From a photograph to image-mesh pairs

What the people in a photograph do becomes a prompt, their hands become 3D hands and a map; both steer four new
pictures. Those whose hands are the ones of the map are saved together with the 3D hands: pairs to train a hand
reconstructor on.

**Steps**
{GET_DETECTOR}
2. Press **Run**: the photograph is a drawing of a hand, made in the group *Photograph*.
3. **Your photograph**: add a Load Image, connect it to *Upscale Image* of that group in place of Draw Hands, and delete
   the other nodes there. Its middle square is taken. A picture without hands is no error: nothing is found, and no
   pair is saved.
4. **Its caption**: type it into *caption* of Extract Semantics. Or let a vision-language model write it: Load VLM (a
   folder of your own in *models/VLM*) or Connect VLM (Ollama, LM Studio, any OpenAI-compatible server), and Caption
   Image between the photograph and *caption*. The same model, connected to *vlm*, also extracts the semantics. A
   caption that says something else than the photograph's hands spoils the score.
5. Found what is no hand? Raise *threshold* of Detect Hands to 0.5.
6. The pairs are in ComfyUI's output folder, under *pairs/from_photographs*; each Run adds to them. The command *python
   -m sesahand dataset* exports them to COCO, HaMeR and other formats.

**Your model**: replace *Load Small Model* by Load Checkpoint and Load ControlNet (depth), connect *depth* instead of
*mesh*, and set *width* and *height* to 512 in Empty Latent Image and Render Hand Depth & Maps. Then 20 steps, cfg 7.
Structural Fusion and Attention Bias stay.

**Expected**: pictures of the caption with the photograph's hands in place. Only those that score at least
*minimum_score* are saved; the report says how many. The small model paints rendered hands, large and alone, and knows
a hundred words: it has its own idea of everything else.

**Models**: the small model comes with SesaHand, its licence too; MediaPipe's hand networks (10 MB, Apache-2.0) by the
command above. The built-in hand's licence is CC0.
{OTHER_MODELS}
**Memory**: under 1 GB, no GPU needed; with SD1.5 about 4 GB of VRAM.
"""

CAPTION = (
    "A person stands in front of a plain blue wall and makes an ok sign with the right hand, palm side to the "
    "camera. A yellow cup stands on the left. The mood is cheerful."
)

WORKFLOW = Workflow(
    name="image_to_pair",
    note=NOTE,
    note_size=(480, 560),
    groups=(
        Group(
            "Photograph: yours goes here",
            (
                (
                    Node("pose", "SesaHandPoseHand", {"gesture": "ok"}),
                    Node(
                        "place",
                        "SesaHandPlaceHand",
                        {"y": 0.44, "size": 0.74, "roll": 6, "yaw": 8},
                        {"hands": "pose.hands"},
                    ),
                ),
                (
                    Node("wall", "EmptyImage", {"width": 512, "height": 512, "color": 0x6E8CAA}),
                    Node(
                        "draw",
                        "SesaHandDrawHands",
                        {"style": "mesh", "opacity": 1.0, "views": 1, "forearm": True},
                        {"hands": "place.hands", "image": "wall.IMAGE"},
                        300,
                        480,
                    ),
                    Node(
                        "photograph",
                        "ImageScale",
                        {"upscale_method": "lanczos", "width": 512, "height": 512, "crop": "center"},
                        {"image": "draw.overlay"},
                    ),
                ),
            ),
            TEAL,
        ),
        Group(
            "Hands and maps",
            (
                (
                    Node("detect", "SesaHandDetectHands", {"threshold": 0.2}, {"image": "photograph.IMAGE"}, 320, 620),
                    Node(
                        "reconstruct",
                        "SesaHandReconstructHands",
                        {},
                        {"landmarks": "detect.landmarks", "image": "photograph.IMAGE"},
                        320,
                    ),
                ),
                (
                    Node(
                        "render",
                        "SesaHandRenderCondition",
                        {"width": 128, "height": 128},
                        {"hands": "reconstruct.hands"},
                        360,
                        640,
                    ),
                ),
            ),
            BLUE,
        ),
        Group(
            "Caption to prompt",
            (
                (
                    Node("mini", "SesaHandLoadMini", {"model": "embedded", "control": "sf"}),
                    Node("fusion", "SesaHandStructuralFusion", {"mode": "auto"}, {"control_net": "mini.control_net"}),
                    Node("bias", "SesaHandAttentionBias", {"alpha": 1.0}, {"model": "mini.model"}),
                ),
                (
                    Node("extract", "SesaHandExtractSemantics", {"caption": CAPTION}, {}, 360, 300),
                    Node(
                        "compose",
                        "SesaHandComposePrompt",
                        {"style": "soft light from above"},
                        {"semantics": "extract.semantics", "clip": "mini.clip"},
                        360,
                        280,
                    ),
                    Node("summary", "PreviewAny", {}, {"source": "compose.summary"}, 360, 200),
                ),
                (
                    Node(
                        "positive",
                        "SesaHandTextEncode",
                        {},
                        {"clip": "mini.clip", "text": "compose.prompt", "semantics": "compose.semantics"},
                        320,
                    ),
                    Node("negative", "CLIPTextEncode", {"text": ""}, {"clip": "mini.clip"}, 320, 100),
                    Node(
                        "control",
                        "ControlNetApplyAdvanced",
                        {"strength": 1.0},
                        {
                            "positive": "positive.conditioning",
                            "negative": "negative.CONDITIONING",
                            "control_net": "fusion.control_net",
                            "image": "render.mesh",
                        },
                        320,
                    ),
                ),
            ),
            PURPLE,
        ),
        Group(
            "Four new pictures",
            (
                (
                    Node("latent", "EmptyLatentImage", {"width": 128, "height": 128, "batch_size": 4}),
                    Node(
                        "sampler",
                        "KSampler",
                        {
                            "seed": 7,
                            "steps": 12,
                            "cfg": 3,
                            "sampler_name": "ddim",
                            "scheduler": "normal",
                            "denoise": 1,
                        },
                        {
                            "model": "bias.MODEL",
                            "positive": "control.positive",
                            "negative": "control.negative",
                            "latent_image": "latent.LATENT",
                        },
                    ),
                    Node("decode", "VAEDecode", {}, {"samples": "sampler.LATENT", "vae": "mini.vae"}),
                    Node("pictures", "PreviewImage", {}, {"images": "decode.IMAGE"}, 300, 330),
                ),
            ),
            TEAL,
        ),
        Group(
            "Score",
            (
                (
                    Node(
                        "enlarge",
                        "ImageScale",
                        {"upscale_method": "bicubic", "width": 512, "height": 512, "crop": "disabled"},
                        {"image": "decode.IMAGE"},
                        320,
                    ),
                    Node("find", "SesaHandDetectHands", {"threshold": 0.2}, {"image": "enlarge.IMAGE"}, 320, 620),
                    Node("fit", "SesaHandReconstructHands", {}, {"landmarks": "find.landmarks"}, 320),
                ),
                (
                    Node(
                        "score",
                        "SesaHandScoreHands",
                        {},
                        {"requested": "reconstruct.hands", "found": "fit.hands", "image": "enlarge.IMAGE"},
                        380,
                        520,
                    ),
                    Node("report", "PreviewAny", {}, {"source": "score.report"}, 380, 240),
                ),
            ),
            BLUE,
        ),
        Group(
            "Save the pairs",
            (
                (
                    Node(
                        "pair",
                        "SesaHandSavePair",
                        {"set_name": "pairs/from_photographs", "minimum_score": 0.5},
                        {
                            "image": "decode.IMAGE",
                            "hands": "reconstruct.hands",
                            "semantics": "compose.semantics",
                            "mesh": "render.mesh",
                            "depth": "render.depth",
                            "normal": "render.normal",
                            "mask": "render.mask",
                            "scores": "score.scores",
                        },
                        360,
                        700,
                    ),
                    Node("saved", "PreviewAny", {}, {"source": "pair.report"}, 360, 240),
                ),
            ),
            GREEN,
        ),
    ),
    thumbnail=("detect.overlay", "decode.IMAGE.0", "decode.IMAGE.1", "decode.IMAGE.2"),
)
