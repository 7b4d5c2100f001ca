"""A posed hand in the mask of a picture, repainted: what the blueprint "Repair hand" is made of."""

from .parts import BLUE, GREEN, PURPLE, Group, Node

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
                {"seed": 20},
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
    "Paste back",
    (
        (
            Node(
                "paste",
                "SesaHandPasteBack",
                {"feather": 6},
                {"crop": "crop.crop", "image": "best.images", "mask": "grow.MASK"},
            ),
        ),
    ),
    GREEN,
)
