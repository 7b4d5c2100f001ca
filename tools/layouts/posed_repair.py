"""A malformed hand in a picture is painted anew in a pose that was asked for; the best of four stays."""

from .parts import BLUE, GET_DETECTOR, GREEN, PURPLE, TEAL, Group, Node, Workflow
from .stable_diffusion import OTHER_MODELS

NOTE = f"""\
## Repair a hand in a picture

A posed 3D hand is laid into the masked region of a picture, its map steers the repainting of this region, and of four
attempts the one whose hand comes closest to the posed one goes back into the picture. Nothing else in it changes.

**Steps**
{GET_DETECTOR}
2. Press **Run**. The group *Picture* paints a small picture with a broken hand, which is then repaired.
3. **Your picture**: delete the nodes in *Picture* and add a Load Image. Connect its IMAGE to Crop to Mask and to
   *image1* of Stitch Images (Image Stitch in older ComfyUI), its MASK to Crop to Mask. Right-click it, *Open in
   MaskEditor*, paint the **whole** hand.
4. Choose the *gesture* and the *side*. Fingers point the wrong way? Set *mask_direction* to roll and turn *roll*.
5. Say in the prompt what the hand does. To keep the hand's own pose, connect Detect Hands and Reconstruct Hands of
   the crop in place of Place Hand.

**Your model**: replace the loader *Load Small Model* by Load Checkpoint and Load ControlNet (depth), connect the map
*depth* instead of *mesh*, and set *width* and *height* of Crop to Mask to 512 (SD1.5) or 1024 (SDXL): nothing else has
a size. Then *denoise* 0.7 to 0.9, 20 steps, cfg 7, *strength* 0.6 to 0.8. Structural Fusion can stay.

**Expected**: the picture with its hand in the pose of the white outline. Score 0.5 and more is a good hand. The small
model paints hands of 128 x 128 pixels like those it was shown, and no others.

**Repair only what is bad**: score the picture first and put Fix Hands Gate in front of Save Image.

**Models**: the small model comes with SesaHand, its licence too; MediaPipe's hand networks (8 MB, Apache-2.0) by the
command above. The built-in hand's licence is CC0.
{OTHER_MODELS}
**Memory**: under 1 GB, no GPU needed; with SD1.5 about 4 GB of VRAM.
"""

PROMPT = (
    "a person with tan skin and a red sleeve, arm from below, greeting, a right hand open with spread fingers, "
    "palm side, in front of a plain blue wall, soft light from above"
)
SAMPLING = {"steps": 12, "cfg": 3, "sampler_name": "ddim", "scheduler": "normal", "denoise": 1}

MODEL = Group(
    "Model and prompt",
    (
        (
            Node("mini", "SesaHandLoadMini", {"model": "embedded", "control": "sf"}),
            Node("fusion", "SesaHandStructuralFusion", {"mode": "auto"}, {"control_net": "mini.control_net"}),
        ),
        (
            Node("positive", "CLIPTextEncode", {"text": PROMPT}, {"clip": "mini.clip"}, 320, 200),
            Node("negative", "CLIPTextEncode", {"text": ""}, {"clip": "mini.clip"}, 320, 100),
        ),
    ),
    PURPLE,
)

PICTURE = Group(
    "Picture: yours goes here",
    (
        (
            Node("broken", "SesaHandPoseHand", {"gesture": "open_palm", "middle_curl": 0.8, "ring_curl": -0.3}),
            Node(
                "broken_place",
                "SesaHandPlaceHand",
                {"width": 128, "height": 128, "y": 0.46, "size": 0.66},
                {"hands": "broken.hands"},
            ),
        ),
        (
            Node("broken_maps", "SesaHandRenderCondition", {}, {"hands": "broken_place.hands"}, 320, 680),
            Node(
                "broken_control",
                "ControlNetApplyAdvanced",
                {"strength": 1.0},
                {
                    "positive": "positive.CONDITIONING",
                    "negative": "negative.CONDITIONING",
                    "control_net": "fusion.control_net",
                    "image": "broken_maps.mesh",
                },
            ),
            Node("canvas", "EmptyLatentImage", {"width": 128, "height": 128, "batch_size": 1}),
        ),
        (
            Node(
                "broken_sampler",
                "KSampler",
                {"seed": 3, **SAMPLING},
                {
                    "model": "mini.model",
                    "positive": "broken_control.positive",
                    "negative": "broken_control.negative",
                    "latent_image": "canvas.LATENT",
                },
            ),
            Node("picture", "VAEDecode", {}, {"samples": "broken_sampler.LATENT", "vae": "mini.vae"}),
            Node("picture_mask", "GrowMask", {"expand": 4}, {"mask": "broken_maps.mask"}),
            Node("look", "PreviewImage", {}, {"images": "picture.IMAGE"}, 300, 320),
        ),
    ),
    TEAL,
)

HAND = Group(
    "Hand in the mask",
    (
        (
            Node(
                "crop",
                "SesaHandCropToMask",
                {"width": 128, "height": 128, "context": 1.4},
                {"image": "picture.IMAGE", "mask": "picture_mask.MASK"},
            ),
            Node("pose", "SesaHandPoseHand", {"gesture": "open_palm"}),
        ),
        (
            Node("place", "SesaHandPlaceHand", {}, {"hands": "pose.hands", "mask": "crop.mask"}),
            Node("render", "SesaHandRenderCondition", {}, {"hands": "place.hands"}, 320, 680),
        ),
    ),
    BLUE,
)

REPAINT = Group(
    "Repaint four times",
    (
        (
            Node(
                "control",
                "ControlNetApplyAdvanced",
                {"strength": 1.0},
                {
                    "positive": "positive.CONDITIONING",
                    "negative": "negative.CONDITIONING",
                    "control_net": "fusion.control_net",
                    "image": "render.mesh",
                },
            ),
            Node(
                "join",
                "MaskComposite",
                {"operation": "or"},
                {"destination": "crop.mask", "source": "render.mask"},
            ),
            Node("grow", "GrowMask", {"expand": 8}, {"mask": "join.MASK"}),
            Node("show_mask", "MaskPreview", {}, {"mask": "grow.MASK"}, 300, 280),
        ),
        (
            Node("encode", "VAEEncode", {}, {"pixels": "crop.image", "vae": "mini.vae"}),
            Node("noise_mask", "SetLatentNoiseMask", {}, {"samples": "encode.LATENT", "mask": "grow.MASK"}),
            Node("four", "RepeatLatentBatch", {"amount": 4}, {"samples": "noise_mask.LATENT"}),
            Node(
                "sampler",
                "KSampler",
                {"seed": 20, **SAMPLING},
                {
                    "model": "mini.model",
                    "positive": "control.positive",
                    "negative": "control.negative",
                    "latent_image": "four.LATENT",
                },
            ),
            Node("decode", "VAEDecode", {}, {"samples": "sampler.LATENT", "vae": "mini.vae"}),
            Node("attempts", "PreviewImage", {}, {"images": "decode.IMAGE"}, 300, 320),
        ),
    ),
    PURPLE,
)

SCORE = Group(
    "Score and keep the best",
    (
        (
            Node(
                "enlarge",
                "ImageScale",
                {"upscale_method": "bicubic", "width": 512, "height": 512, "crop": "disabled"},
                {"image": "decode.IMAGE"},
            ),
            Node("detect", "SesaHandDetectHands", {"threshold": 0.2}, {"image": "enlarge.IMAGE"}, 340, 620),
            Node("reconstruct", "SesaHandReconstructHands", {}, {"landmarks": "detect.landmarks"}, 340),
        ),
        (
            Node(
                "score",
                "SesaHandScoreHands",
                {},
                {"requested": "place.hands", "found": "reconstruct.hands", "image": "enlarge.IMAGE"},
                360,
                480,
            ),
            Node("report", "PreviewAny", {}, {"source": "score.report"}, 360, 200),
            Node("best", "SesaHandKeepBest", {"count": 1}, {"images": "decode.IMAGE", "scores": "score.scores"}),
        ),
    ),
    BLUE,
)

RESULT = Group(
    "Repaired picture",
    (
        (
            Node(
                "paste",
                "SesaHandPasteBack",
                {"feather": 6},
                {"crop": "crop.crop", "image": "best.images", "mask": "grow.MASK"},
            ),
            Node(
                "save",
                "SaveImage",
                {"filename_prefix": "sesahand/repaired"},
                {"images": "paste.image"},
                360,
                400,
            ),
        ),
        (
            Node(
                "stitch",
                "ImageStitch",
                {"direction": "right", "match_image_size": True, "spacing_width": 8, "spacing_color": "white"},
                {"image1": "picture.IMAGE", "image2": "paste.image"},
            ),
            Node("before_after", "PreviewImage", {}, {"images": "stitch.IMAGE"}, 440, 320),
        ),
    ),
    GREEN,
)

WORKFLOW = Workflow(
    name="repair_hand",
    note=NOTE,
    note_size=(480, 520),
    groups=(MODEL, PICTURE, HAND, REPAINT, SCORE, RESULT),
    thumbnail=("picture.IMAGE", "render.mesh", "decode.IMAGE.0", "paste.image"),
)
