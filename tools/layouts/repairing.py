"""Repairing the hand of a picture: what the workflows of all kinds of models have in common."""

from dataclasses import dataclass

from .parts import BLUE, GET_DETECTOR, GREEN, PURPLE, TEAL, Group, Node, Workflow

STEPS = f"""\
**Steps**
{GET_DETECTOR}
2. Load Image: **choose your picture**. Right-click it, *Open in MaskEditor*, and paint what is to be new: a finger,
   or the whole hand. Nothing painted: the largest hand is repainted.
3. Press **Run**. The hand is found and fitted, and shown in **Edit Hands** over your picture. The picture that is
   there at first has no hand: Detect Hand in Mask says so, and nothing after it runs.
4. A finger is where none should be? Drag it, and **Run** again. Say in the prompt what the hand does, and from
   which side it is seen.
5. No hand found in your mask? Then the hand of Pose Hand is laid into it, which should cover a whole hand; turn it in
   Place Hand.
"""
WHAT_COMES_OUT = """\
**Expected**: nothing changes but the hand. Of four attempts the one stays whose hand is nearest to that of Edit
Hands: fingers, place, side, and whether palm or back is seen. Score Hands says what is wrong with each; the score
ranks attempts, and 0 means that no hand was found.
"""

PICTURE = Group(
    "Picture: yours goes here",
    ((Node("picture", "LoadImage", {"image": "example.png"}, width=340, height=420),),),
    TEAL,
)

HAND = Group(
    "The picture's own hand",
    (
        (
            Node(
                "detect",
                "SesaHandDetectInMask",
                {"threshold": 0.3},
                {"image": "picture.IMAGE", "mask": "picture.MASK"},
                360,
                480,
            ),
            Node("reconstruct", "SesaHandReconstructHands", {}, {"landmarks": "detect.landmarks"}, 360),
        ),
        (
            Node("pose", "SesaHandPoseHand", {"gesture": "open_palm"}),
            Node("place", "SesaHandPlaceHand", {}, {"hands": "pose.hands", "mask": "detect.mask"}),
        ),
        (
            Node(
                "hand",
                "SesaHandHandsOrElse",
                {},
                {"hands": "reconstruct.hands", "otherwise": "place.hands"},
            ),
            Node("edit", "SesaHandEditHands", {}, {"hands": "hand.hands", "image": "picture.IMAGE"}, 620, 820),
        ),
    ),
    BLUE,
)


@dataclass(frozen=True)
class Control:
    """A ControlNet of a repair: the output it comes from, the map it reads, and how strongly and how long it steers."""

    source: str
    map: str
    strength: float
    end_percent: float = 1.0


@dataclass(frozen=True)
class Repair:
    """What differs between repairs with different models.

    Attributes:
        name: The workflow's.
        note: What its note says.
        loading: The group that loads all that is loaded.
        prompts: The nodes that encode what the hand does, and what is not wanted.
        steering: The nodes by which the maps steer the model.
        model: Where the model that is sampled, the two conditionings and the VAE come from, as "name.output".
        positive: Likewise.
        negative: Likewise.
        vae: Likewise.
        size: Sides of the crop in pixels.
        sampling: Of KSampler.
        looked_at: Side at which hands are looked for, if it is not the crop's.
        forearm: Whether the maps show the forearm, without which ControlNets of whole scenes paint a cut-off wrist.
        prompts_look: Whether the crop and the maps are encoded with the prompts.
        since: The first ComfyUI that has its nodes, as in `Workflow`.
    """

    name: str
    note: str
    loading: Group
    prompts: tuple[Node, ...]
    steering: tuple[Node, ...]
    model: str
    positive: str
    negative: str
    vae: str
    size: int
    sampling: dict
    looked_at: int = 0
    forearm: bool = True
    prompts_look: bool = False
    since: str = ""


def with_controlnets(
    *, model: str, clip: str, prompt: str, negative: str, encoder: str, controls: tuple[Control, ...], **others
) -> Repair:
    """Return a repair that ControlNets steer, one after the other.

    Args:
        model: Where the model comes from, as "name.output".
        clip: Likewise, its text encoder.
        prompt: What the hand does.
        negative: What is not wanted.
        encoder: The node that encodes the prompt.
        controls: The ControlNets.
        others: Of `Repair`.
    """
    encoded = "CONDITIONING" if encoder == "CLIPTextEncode" else "conditioning"
    before = {"positive": f"positive.{encoded}", "negative": "negative.CONDITIONING"}
    steering = []
    for control in controls:
        name = f"control_{control.map}"
        steering.append(
            Node(
                name,
                "ControlNetApplyAdvanced",
                {"strength": control.strength, "end_percent": control.end_percent},
                {**before, "control_net": control.source, "image": f"render.{control.map}"},
            )
        )
        before = {"positive": f"{name}.positive", "negative": f"{name}.negative"}
    prompts = (
        Node("positive", encoder, {"text": prompt}, {"clip": clip}, 360, 220),
        Node("negative", "CLIPTextEncode", {"text": negative}, {"clip": clip}, 360, 120),
    )
    return Repair(model=model, prompts=prompts, steering=tuple(steering), **before, **others)


def crop_and_maps(repair: Repair) -> Group:
    return Group(
        "Crop and maps",
        (
            (
                Node(
                    "crop",
                    "SesaHandCropToMask",
                    {"width": repair.size, "height": repair.size, "context": 1.4},
                    {"image": "picture.IMAGE", "mask": "detect.mask", "hands": "edit.hands"},
                ),
                Node(
                    "repaint",
                    "SesaHandRepaintMask",
                    {"grow": 0.05},
                    {"crop": "crop.crop", "hands": "edit.hands", "before": "reconstruct.hands"},
                ),
                Node("show_mask", "MaskPreview", {}, {"mask": "repaint.mask"}, 300, 280),
            ),
            (
                Node(
                    "render",
                    "SesaHandRenderCondition",
                    {"forearm": repair.forearm},
                    {"hands": "crop.hands"},
                    320,
                    680,
                ),
            ),
        ),
        BLUE,
    )


def repainting(repair: Repair) -> Group:
    return Group(
        "Repaint four times",
        (
            *([repair.steering] if repair.steering else []),
            (
                Node("encode", "VAEEncode", {}, {"pixels": "crop.image", "vae": repair.vae}),
                Node("noise_mask", "SetLatentNoiseMask", {}, {"samples": "encode.LATENT", "mask": "repaint.mask"}),
                Node("four", "RepeatLatentBatch", {"amount": 4}, {"samples": "noise_mask.LATENT"}),
            ),
            (
                Node(
                    "sampler",
                    "KSampler",
                    {"seed": 20, **repair.sampling},
                    {
                        "model": repair.model,
                        "positive": repair.positive,
                        "negative": repair.negative,
                        "latent_image": "four.LATENT",
                    },
                ),
                Node("decode", "VAEDecode", {}, {"samples": "sampler.LATENT", "vae": repair.vae}),
                Node("attempts", "PreviewImage", {}, {"images": "decode.IMAGE"}, 300, 320),
            ),
        ),
        PURPLE,
    )


def scoring(repair: Repair) -> Group:
    size = {"width": repair.looked_at, "height": repair.looked_at}
    enlarge = Node(
        "enlarge", "ImageScale", {"upscale_method": "bicubic", **size, "crop": "disabled"}, {"image": "decode.IMAGE"}
    )
    seen = "enlarge.IMAGE" if repair.looked_at else "decode.IMAGE"
    return Group(
        "Score and keep the best",
        (
            (
                *([enlarge] if repair.looked_at else []),
                Node(
                    "look",
                    "SesaHandDetectHands",
                    {"threshold": 0.2},
                    {"image": seen, "mask": "render.mask"},
                    340,
                    620,
                ),
                Node("found", "SesaHandReconstructHands", {}, {"landmarks": "look.landmarks"}, 340),
            ),
            (
                Node(
                    "score",
                    "SesaHandScoreHands",
                    {},
                    {"requested": "crop.hands", "found": "found.hands", "image": seen},
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
                {"crop": "crop.crop", "image": "best.images", "mask": "repaint.mask"},
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


def workflow(repair: Repair, thumbnail: tuple[str, ...]) -> Workflow:
    """Return the workflow of a repair."""
    prompts, maps = Group("Prompt", (repair.prompts,), PURPLE), (HAND, crop_and_maps(repair))
    return Workflow(
        name=repair.name,
        note=repair.note,
        note_size=(520, 560),
        groups=(
            PICTURE,
            repair.loading,
            *((*maps, prompts) if repair.prompts_look else (prompts, *maps)),
            repainting(repair),
            scoring(repair),
            RESULT,
        ),
        thumbnail=thumbnail,
        since=repair.since,
    )
