"""Hands: a model of them, a pose, a place in the picture, and files of them."""

import hashlib
import logging
import os
from collections.abc import Callable
from dataclasses import replace

import torch

import folder_paths
from comfy_api.latest import io

from ..sesahand.errors import SesaHandError
from ..sesahand.files.reading import MAX_FILE_BYTES, open_regular
from ..sesahand.hands.gestures import find_gesture, gesture_names
from ..sesahand.hands.loading import BUILTIN, load_hand_model
from ..sesahand.hands.model import NUM_BETAS
from ..sesahand.hands.shaping import shape_pose
from ..sesahand.hands.skeleton import FINGERS
from ..sesahand.reconstruct.as_seen import place_as_seen
from ..sesahand.reconstruct.people import People
from ..sesahand.reconstruct.size_beside import too_small
from ..sesahand.scene.bounding_boxes import Box, parse_box, read_bounding_boxes
from ..sesahand.scene.camera import MAX_SIZE, Camera
from ..sesahand.scene.hand_files import load_hands
from ..sesahand.scene.hand_scene import (
    SIDES,
    HandScene,
    check_size,
    combine,
    concatenate_frames,
    hands_of_frames,
)
from ..sesahand.scene.mano_parameters import MEAN_POSES
from ..sesahand.scene.placement import Placement
from ..sesahand.scene.placing import (
    AS_POSED,
    FACINGS,
    PALM,
    Hand,
    mirror_hand,
    place_in_box,
    place_in_mask,
    place_row,
    without_fingers,
)
from ..sesahand.scene.scene_files import save_scene
from ..sesahand.scene.viewer_camera import ViewerCamera
from ..sesahand.semantics.posed_hands import hands_to_pose
from . import wires
from .fingers import read_change, share, spreads_and_thumb
from .hand_files import hand_files, hand_path
from .model_folders import register_model_folder
from .notices import show_on_node
from .output_files import check_prefix, output_path
from .progress import progress

MANO_SUFFIXES = {".pkl", ".npz", ".safetensors"}
MAX_SEED = 0xFFFFFFFFFFFFFFFF
AS_SEEN = "as seen"

logger = logging.getLogger(__name__)

register_model_folder("mano", MANO_SUFFIXES)


def hash_file(path: str) -> str:
    """Return what tells the contents of a file apart; of one that is too large for any reader, its size and time."""
    with open_regular(path) as content:
        found = os.fstat(content.fileno())
        if found.st_size > MAX_FILE_BYTES:
            return f"{found.st_size} {found.st_mtime_ns}"
        return hashlib.sha256(content.read(MAX_FILE_BYTES)).hexdigest()


def read_box(text: str, *size: int) -> tuple[float, ...]:
    """Read the box of a widget, in a picture of width and height if they are known; nothing for an empty text."""
    return parse_box(text, *size) if text.strip() else ()


def check_box_in_picture(box: str | None = None, width=None, height=None, mask=()) -> None:
    """Refuse a box outside the picture; a mask, of which nothing is known yet, brings its own size and replaces box."""
    if mask is not None and None not in (box, width, height):
        read_box(box, width, height)


def place_over_masks(
    hands: HandScene, camera: Camera, masks: torch.Tensor, place: Callable[..., HandScene], people
) -> HandScene:
    """Place one hand over every mask, or the hand of each frame over the mask of that frame."""
    if len(hands) == 1 and hands.num_frames == 1:
        return place(Hand.of(hands), camera, masks, people, on_region=progress())
    check_one_hand_a_frame(hands)
    if len(masks) not in (1, hands.num_frames):
        raise SesaHandError(
            f"There are {len(masks)} masks for hands of {hands.num_frames} frames; give one mask, or one for each."
        )
    masks = masks.expand(hands.num_frames, -1, -1)
    everyone = None if people is None else People.read(people, camera.width, camera.height, hands.num_frames)
    placed = [HandScene.empty(hands.model, camera, hands.num_frames)]
    # A frame without white shows no hand, as in a batch of masks for one hand; only a batch without any is an error.
    seen = [index for index, frame in enumerate(hands.frame.tolist()) if masks[frame].any() or not masks.any()]
    report = progress(len(seen))
    for done, index in enumerate(seen, 1):
        frame = int(hands.frame[index])
        scene = place(
            Hand.of(hands, index),
            camera,
            masks[frame, None],
            None if everyone is None else everyone.of_frame(frame).hands,
            on_region=lambda *_, done=done: report(done - 1),
        )
        frame = hands.frame[index].repeat(len(scene))
        placed.append(replace(scene, frame=frame, num_frames=hands.num_frames))
        report(done)
    return combine(placed)


def asked_hands(semantics, gesture: str, side: str) -> list[tuple[list[tuple[str, str]], list[str]]]:
    """Return gesture and side of each hand, and lines about them, for each image: as the widgets or semantics have it.

    Semantics that do not say whether a hand is the right or the left one leave that to the widget.
    """
    if semantics is None:
        return [([(gesture, side)], [f"{side} hand, {gesture}: as chosen"])]
    asked = []
    for number, image in enumerate(semantics.images, start=1):
        what = "semantics" if len(semantics.images) == 1 else f"semantics of image {number}"
        found = hands_to_pose(image, side, what, "disconnect semantics and choose the gesture here")
        asked.append(([(hand.gesture, hand.side) for hand in found.posed], list(found.report)))
    return asked


def say_overridden(semantics, gesture: str, side: str, report: str) -> None:
    """Show on the node which widgets semantics override; not in the report, whose lines are labels of pictures."""
    if semantics is None:
        return
    named = [hand for image in semantics.images for hand in image.hands if hand.gesture]
    over = [f"gesture ({gesture})"] + ([f"side ({side})"] if all(hand.side for hand in named) else [])
    show_on_node(f"overridden by semantics: {' and '.join(over)}\n{report}")


def check_one_hand_a_frame(hands: HandScene) -> None:
    """Raise a SesaHandError if a frame has several hands."""
    if len(hands.frame.unique()) < len(hands):
        raise SesaHandError(
            f"The input has several hands in one picture ({len(hands)} hands in {hands.num_frames} frames) and all of "
            "them would land on the same spot; place each hand, one hand at a time, and join them with Combine Hands."
        )


def place_frames(hands: HandScene, camera: Camera, box: tuple[float, ...], *angles: float) -> HandScene:
    """Place the hands of each frame into the same box; several side by side, as many times as wide as there is room."""
    placed, report, done = [HandScene.empty(hands.model, camera, hands.num_frames)], progress(len(hands)), 0
    for frame, indices in hands_of_frames(hands.frame).items():
        own = [Hand.of(hands, index) for index in indices]
        scene = place_row(own, camera, row_box(box, len(own), camera.width), *angles)
        placed.append(replace(scene, frame=torch.full((len(own),), frame), num_frames=hands.num_frames))
        done += len(own)
        report(done)
    return combine(placed)


def row_box(box: tuple[float, ...], count: int, width: int) -> tuple[float, ...]:
    """Return the box of a row of hands of which each would fill a box, cut at the edges of the picture."""
    x0, y0, x1, y1 = box
    more = (count - 1) * (x1 - x0) / 2
    return (min(x0, max(0.0, x0 - more)), y0, max(x1, min(float(width), x1 + more)), y1)


def place_in_boxes(hands: HandScene, camera: Camera, boxes: list[list[Box]], *angles: float) -> HandScene:
    """Place one hand into every box, a frame for each list, or the hand of each frame into the boxes of that frame."""
    one = len(hands) == 1 and hands.num_frames == 1
    if not one:
        check_one_hand_a_frame(hands)
        boxes = boxes * hands.num_frames if len(boxes) == 1 else boxes
        if len(boxes) != hands.num_frames:
            raise SesaHandError(
                f"There are boxes for {len(boxes)} frames for hands of {hands.num_frames} frames; give one list, or "
                "one for each."
            )
    if not any(boxes):
        raise SesaHandError("There is no box to place a hand in: bounding_box is empty. Disconnect it, or find one.")
    hand_of = dict.fromkeys(range(len(boxes)), 0) if one else {f: n for n, f in enumerate(hands.frame.tolist())}
    check_size(sum(len(own) for frame, own in enumerate(boxes) if frame in hand_of), len(boxes))
    where = [(frame, box) for frame, own in enumerate(boxes) for box in own if frame in hand_of]
    placed, report = [HandScene.empty(hands.model, camera, len(boxes))], progress(len(where))
    for done, (frame, box) in enumerate(where, 1):
        scene = place_in_box(Hand.of(hands, hand_of[frame]), camera, box.edges, *angles)
        placed.append(replace(scene, frame=torch.tensor([frame]), num_frames=len(boxes)))
        report(done)
    return combine(placed)


def way_over_mask(facing: str, region: str, fingers: float | None, angles: tuple[float, ...]):
    """Return what puts a hand over masks, as `place_over_masks` calls it."""

    def place(hand: Hand, camera: Camera, masks: torch.Tensor, people, on_region) -> HandScene:
        if facing == AS_SEEN:
            if people is None:
                raise SesaHandError("facing is 'as seen': connect the landmarks of Detect Hands to people.")
            return place_as_seen(hand, camera, masks, people, region, angles, on_region)
        hand = hand.turned(*angles) if facing == AS_POSED else hand
        return place_in_mask(hand, camera, masks, region, fingers, on_region=on_region, facing=facing)

    return place


def say_too_small(placed: HandScene, people, over_mask: bool) -> None:
    """Show on the node, and log, which hands are too small for a hand, or beside the people of the picture."""
    notices = [] if people is None else too_small(placed, people)
    for notice in notices:
        logger.warning("Place Hand: %s", notice)
    if over_mask:
        # Placing has logged it.
        notices += filter(None, [without_fingers(placed)])
    if notices:
        show_on_node("\n".join(notices))


def check_one_place(**given) -> None:
    """Raise a SesaHandError if several inputs say where the hand goes."""
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise SesaHandError(f"{' and '.join(names)} say where the hand goes: keep one of them.")


@wires.checks()
class LoadHandModel(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandLoadHandModel",
            display_name="Load MANO Hand Model (SesaHand)",
            category="SesaHand/hand",
            **wires.found_by("MANO", "hand model"),
            description="Loads the hand to pose: the built-in one, which is free for any use, or your own MANO file.",
            inputs=[
                io.Combo.Input(
                    "name",
                    options=[BUILTIN, *folder_paths.get_filename_list("mano")],
                    default=BUILTIN,
                    tooltip="builtin is the CC0 hand that comes with SesaHand. MANO files appear here once "
                    "MANO_RIGHT.pkl from mano.is.tue.mpg.de lies in models/mano (non-commercial licence).",
                ),
            ],
            outputs=[
                wires.HandModel.Output("hand_model", display_name="hand_model", tooltip="For Pose Hand or Load Hands."),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, name):
        return name if name == BUILTIN else hash_file(folder_paths.get_full_path_or_raise("mano", name))

    @classmethod
    @wires.checked
    def execute(cls, name) -> io.NodeOutput:
        return io.NodeOutput(
            load_hand_model(BUILTIN if name == BUILTIN else folder_paths.get_full_path_or_raise("mano", name))
        )


@wires.checks()
class PoseHand(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        def curl(finger: str) -> io.Float.Input:
            tooltip = f"Bends the {finger} further than the gesture does: 1 closes it, -1 stretches it, 0 leaves it."
            return share(f"{finger}_curl", tooltip)

        return io.Schema(
            node_id="SesaHandPoseHand",
            display_name="Pose Hand (SesaHand)",
            category="SesaHand/hand",
            **wires.found_by("gesture", "hand pose", "finger"),
            description="Makes a hand in a gesture, bends its fingers, and shows it upright in the middle of a 512 x "
            "512 picture. Place Hand moves and turns it.",
            inputs=[
                io.Combo.Input(
                    "gesture",
                    options=gesture_names(),
                    default="open_palm",
                    tooltip="The gesture to start from.",
                ),
                io.Combo.Input(
                    "side",
                    options=list(SIDES),
                    default="right",
                    tooltip="Whose hand: the person's right or left. A right hand that shows its palm has its thumb on "
                    "the right of the picture.",
                ),
                *(curl(finger) for finger in FINGERS),
                share("spread", "Moves the fingers apart (1) or together (-1); 0 leaves the gesture's."),
                io.Combo.Input(
                    "blend_gesture",
                    options=gesture_names(),
                    default="relaxed",
                    tooltip="A second gesture to mix in, by the amount of blend.",
                ),
                io.Float.Input(
                    "blend",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="0 is the first gesture alone, 1 the second alone; between them all joints turn along.",
                ),
                io.Float.Input(
                    "jitter",
                    default=0.0,
                    min=0.0,
                    max=30.0,
                    step=0.5,
                    tooltip="Random change of every joint in degrees, within what joints can do, so that no two hands "
                    "are alike. 3 to 6 looks natural.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=MAX_SEED,
                    control_after_generate=True,
                    tooltip="Which random change; only matters when jitter is above 0.",
                ),
                io.Float.Input(
                    "size",
                    default=0.0,
                    min=-3.0,
                    max=3.0,
                    step=0.1,
                    tooltip="Size of the hand among people, in standard deviations: -2 is a child's, 2 a large man's. "
                    "Seen only where the hand is not fitted to a box.",
                    **wires.rare(),
                ),
                io.Float.Input(
                    "slenderness",
                    default=0.0,
                    min=-3.0,
                    max=3.0,
                    step=0.1,
                    tooltip="Shape of the hand among people, in standard deviations: 2 is long and narrow, -2 short "
                    "and broad.",
                    **wires.rare(),
                ),
                wires.HandModel.Input(
                    "hand_model",
                    optional=True,
                    tooltip="The hand to pose, from Load MANO Hand Model. Not connected: the built-in hand.",
                ),
                wires.Semantics.Input(
                    "semantics",
                    optional=True,
                    tooltip="From Extract Semantics: each hand that its words describe is posed, with its gesture in "
                    "place of gesture and its side, where they say it, in place of side; several stand side by side. "
                    "A frame for each image. Hands that no gesture fits are named in the report; words without any "
                    "gesture are an error, which lists those there are.",
                ),
                *spreads_and_thumb(optional=True, **wires.rare()),
            ],
            outputs=[
                wires.Hands.Output(
                    "hands", display_name="hands", tooltip="The posed hand. For Place Hand or Render Hand Depth & Maps."
                ),
                io.String.Output(
                    "report",
                    display_name="report",
                    tooltip="A line for each image: side and gesture of each hand, the words that named it, and hands "
                    "that were described and not posed.",
                ),
            ],
        )

    @classmethod
    @wires.checked
    def execute(
        cls,
        gesture,
        side,
        spread,
        blend_gesture,
        blend,
        jitter,
        seed,
        size,
        slenderness,
        hand_model=None,
        semantics=None,
        **fingers,
    ) -> io.NodeOutput:
        model = load_hand_model(BUILTIN) if hand_model is None else hand_model
        bend = {finger: fingers[f"{finger}_curl"] for finger in FINGERS}
        change = read_change(fingers, "spread")
        betas = torch.zeros(NUM_BETAS)
        betas[:2] = torch.tensor([size, slenderness])
        asked, frames, number = asked_hands(semantics, gesture, side), [], 0
        for wanted, _ in asked:
            hands = []
            for name, own in wanted:
                draw = (seed + number) % (MAX_SEED + 1)
                pose = shape_pose(name, blend_gesture, blend, bend, spread, jitter, draw, model, change)
                hand = Hand.in_gesture(model, find_gesture(name), pose, betas)
                hands.append(mirror_hand(hand) if own == "left" else hand)
                number += 1
            frames.append(Placement().place_all(hands))
        report = "\n".join("; ".join(lines) for _, lines in asked)
        say_overridden(semantics, gesture, side, report)
        return io.NodeOutput(concatenate_frames(frames), report)


@wires.checks(check_box_in_picture, box=read_box)
class PlaceHand(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        def angle(name: str, tooltip: str) -> io.Float.Input:
            return io.Float.Input(name, default=0.0, min=-360.0, max=360.0, step=1.0, tooltip=tooltip)

        return io.Schema(
            node_id="SesaHandPlaceHand",
            display_name="Place Hand (SesaHand)",
            category="SesaHand/hand",
            **wires.found_by("hand position", "move hand"),
            description="Puts a hand where the picture wants it: at a point, into a box, or over a painted mask, "
            "turned as you like. Place each hand on its own and join them with Combine Hands.",
            inputs=[
                wires.Hands.Input(
                    "hands",
                    tooltip="The posed hands of each frame; several are put side by side, but a mask and boxes take "
                    "one a frame. Their place is forgotten; how they are turned stays, and the angles below turn them "
                    "further. With a mask, see facing.",
                ),
                io.Int.Input(
                    "width",
                    default=512,
                    min=16,
                    max=MAX_SIZE,
                    step=8,
                    tooltip="Width of the picture in pixels. Take the size that you will sample at. A mask brings its "
                    "own.",
                ),
                io.Int.Input(
                    "height",
                    default=512,
                    min=16,
                    max=MAX_SIZE,
                    step=8,
                    tooltip="Height of the picture in pixels. A mask brings its own.",
                ),
                io.Float.Input(
                    "x",
                    default=0.5,
                    min=-1.0,
                    max=2.0,
                    step=0.01,
                    tooltip="Where the middle of the hand is, as a part of the width: 0 left edge, 1 right edge.",
                ),
                io.Float.Input(
                    "y",
                    default=0.5,
                    min=-1.0,
                    max=2.0,
                    step=0.01,
                    tooltip="Where the middle of the hand is, as a part of the height: 0 top edge, 1 bottom edge.",
                ),
                io.Float.Input(
                    "size",
                    default=0.8,
                    min=0.01,
                    max=10.0,
                    step=0.01,
                    tooltip="Longer side of the hand as a part of the picture's shorter side. A hand in a whole-body "
                    "picture is about 0.1 to 0.15; the finest details need 0.3 and more.",
                ),
                angle(
                    "roll", "Turns the hand in the picture, in degrees clockwise. 90 lets upright fingers point right."
                ),
                angle("pitch", "Tips the hand, in degrees. Positive brings its upper side in the picture nearer."),
                angle(
                    "yaw",
                    "Turns the hand about the vertical, in degrees. From a palm, 90 shows the edge, 180 the back of "
                    "the hand.",
                ),
                io.String.Input(
                    "box",
                    default="",
                    tooltip="Left, top, right, bottom in pixels, such as 100, 60, 400, 480. If given, the hand fills "
                    "this box and x, y and size do not count.",
                    **wires.rare(),
                ),
                io.Combo.Input(
                    "camera",
                    options=["perspective", "hamer"],
                    default="perspective",
                    tooltip="perspective uses the field of view below. hamer is the very long lens that HaMeR and "
                    "WiLoR assume, for scenes that mix with theirs.",
                    **wires.rare(),
                ),
                io.Float.Input(
                    "fov",
                    default=40.0,
                    min=1.0,
                    max=150.0,
                    step=1.0,
                    tooltip="Field of view over the longer side in degrees. 40 is a normal lens; more exaggerates "
                    "what is near, less flattens.",
                    **wires.rare(),
                ),
                io.Combo.Input(
                    "mask_region",
                    options=["largest", "all", "each"],
                    default="largest",
                    tooltip="With a mask: largest covers its largest white spot, all covers everything white "
                    "together, each puts a hand on every large white spot.",
                    **wires.rare(),
                ),
                io.Combo.Input(
                    "mask_direction",
                    options=["mask", "roll"],
                    default="mask",
                    tooltip="With a mask: mask lets the fingers point along the painted shape, away from the "
                    "picture's edge; roll lets them point as roll says, if the guess was wrong. With facing as posed "
                    "or as seen neither: roll turns the hand on.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Paint the place of the whole hand white, for example over a malformed hand: the hand is "
                    "placed and sized to cover it, and x, y and size do not count. Fingers point along the painted "
                    "shape, and the side that facing names is seen; pitch and yaw count with facing as posed and as "
                    "seen alone. A batch of masks gives a frame each; hands of several frames take a mask each, or "
                    "share one.",
                ),
                wires.BoundingBox.Input(
                    "bounding_box",
                    optional=True,
                    extra_dict={"forceInput": True},
                    tooltip="Boxes from a detector (BOUNDING_BOX of SAM3, RT-DETR and others) in place of box: a hand "
                    "goes into every box, and a list for each picture gives a frame each.",
                ),
                wires.ViewerCamera.Input(
                    "camera_info",
                    optional=True,
                    tooltip="Camera of a 3D viewer (Preview 3D, Load 3D) that shows the hand from Export Hand Mesh: "
                    "the hand is turned as it is seen there, with that lens in place of camera and fov. Where it is "
                    "and how large stays with the widgets; a mask turns it by itself and takes the lens alone, unless "
                    "facing is as posed.",
                    **wires.rare(),
                ),
                io.Combo.Input(
                    "facing",
                    options=[*FACINGS, AS_SEEN],
                    default=PALM,
                    optional=True,
                    tooltip="With a mask, which does not tell: what of the hand faces you. as posed: nothing is "
                    "guessed, the hand stays as it comes, turned by roll, pitch and yaw, and the mask gives place and "
                    "size alone. as seen: the hand is turned as the one that people shows in the mask, then by roll, "
                    "pitch and yaw.",
                ),
                io.MultiType.Input(
                    "people",
                    types=[wires.Landmarks, wires.PoseKeypoints],
                    optional=True,
                    tooltip="The hands or faces of the picture that the hand goes into: landmarks from Detect Hands or "
                    "POSE_KEYPOINT. A hand that comes out less than half as large as theirs, because a mask or box is "
                    "too small for a whole hand, is said on this node with both sizes. Nothing else changes, unless "
                    "facing is as seen.",
                    **wires.rare(),
                ),
            ],
            outputs=[
                wires.Hands.Output(
                    "placed_hands", display_name="hands", tooltip="The hand in its place. For Render Hand Depth & Maps."
                ),
            ],
        )

    @classmethod
    @wires.checked
    def execute(
        cls,
        hands,
        width,
        height,
        x,
        y,
        size,
        roll,
        pitch,
        yaw,
        box,
        camera,
        fov,
        mask_region,
        mask_direction,
        mask=None,
        bounding_box=None,
        camera_info=None,
        facing=PALM,
        people=None,
    ) -> io.NodeOutput:
        check_one_place(mask=mask, bounding_box=bounding_box, box=box.strip() or None if mask is None else None)
        if mask is not None:
            height, width = mask.shape[-2:]
        lens = Camera.hamer(width, height) if camera == "hamer" else Camera.from_fov(width, height, fov)
        if camera_info is not None:
            viewer = ViewerCamera.read(camera_info)
            hands, lens = viewer.turn(hands), viewer.lens(width, height)
        if mask is not None and len(hands):
            direction = roll if mask_direction == "roll" else None
            place = way_over_mask(facing, mask_region, direction, (roll, pitch, yaw))
            placed = place_over_masks(hands, lens, mask, place, people)
        elif bounding_box is not None and len(hands):
            placed = place_in_boxes(hands, lens, read_bounding_boxes(bounding_box, 0), roll, pitch, yaw)
        else:
            half = size * min(width, height) / 2
            target = (x * width - half, y * height - half, x * width + half, y * height + half)
            placed = place_frames(hands, lens, read_box(box) or target, roll, pitch, yaw)
        say_too_small(placed, people, over_mask=mask is not None)
        return io.NodeOutput(placed)


@wires.checks()
class CombineHands(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandCombineHands",
            display_name="Combine Hands (SesaHand)",
            category="SesaHand/hand",
            description="Puts hands that were placed on their own into the same pictures, or one after the other as "
            "frames.",
            inputs=[
                wires.Hands.Input("hands_1", tooltip="Hands to join; they set the hand model and the camera."),
                wires.Hands.Input("hands_2", tooltip="More hands, of the same hand model and picture size."),
                wires.Hands.Input("hands_3", optional=True, tooltip="More hands."),
                wires.Hands.Input("hands_4", optional=True, tooltip="More hands."),
                io.Combo.Input(
                    "join",
                    options=["same picture", "next frames"],
                    default="same picture",
                    tooltip="same picture shows all hands together, first with first frame. next frames makes a "
                    "batch: the frames of each input follow those of the one before.",
                ),
            ],
            outputs=[wires.Hands.Output("hands", display_name="hands", tooltip="All the hands.")],
        )

    @classmethod
    @wires.checked
    def execute(cls, hands_1, hands_2, join, hands_3=None, hands_4=None) -> io.NodeOutput:
        scenes = [scene for scene in (hands_1, hands_2, hands_3, hands_4) if scene is not None]
        return io.NodeOutput(combine(scenes) if join == "same picture" else concatenate_frames(scenes))


@wires.checks(file=hand_path)
class LoadHands(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        def side_length(name: str) -> io.Int.Input:
            return io.Int.Input(
                name,
                default=0,
                min=0,
                max=MAX_SIZE,
                optional=True,
                tooltip=f"{name.capitalize()} in pixels of the picture that HaMeR or WiLoR saw, if their file does "
                "not say. 0 takes it from the file.",
            )

        return io.Schema(
            node_id="SesaHandLoadHands",
            display_name="Load Hands (SesaHand)",
            category="SesaHand/hand",
            **wires.found_by("MANO parameters", "HaMeR", "WiLoR", "import hands"),
            description="Reads hands from a .json or .npz file: saved by Save Hands, or the MANO parameters that "
            "HaMeR, WiLoR and their wrappers write.",
            inputs=[
                io.Combo.Input(
                    "file",
                    options=wires.listed(hand_files()),
                    tooltip="A .json or .npz file in ComfyUI's input folder. Copy it there, or upload it with the "
                    "button below, and press R to see it here. What Save Hands wrote has [output] behind its name.",
                ),
                io.Combo.Input(
                    "left_hands",
                    options=["mirrored", "own"],
                    default="mirrored",
                    tooltip="Only for MANO parameters: how left hands are stored. mirrored is what HaMeR and WiLoR "
                    "write; own is what WiLoR-mini and most data sets write. If left hands look broken, take the "
                    "other.",
                ),
                wires.HandModel.Input(
                    "hand_model", optional=True, tooltip="The hand model of the file. Not connected: the built-in hand."
                ),
                side_length("width"),
                side_length("height"),
                io.Combo.Input(
                    "mean_pose",
                    options=list(MEAN_POSES),
                    default=MEAN_POSES[0],
                    optional=True,
                    tooltip="Only for MANO parameters: whether MANO's mean pose is in the numbers. HaMeR and WiLoR "
                    "include it; data sets such as InterHand2.6M leave it out. If all fingers are a little too "
                    "straight, take the other; it needs MANO.",
                ),
            ],
            outputs=[wires.Hands.Output("hands", display_name="hands", tooltip="The hands, in the place they had.")],
        )

    @classmethod
    def fingerprint_inputs(cls, file, **_):
        return hash_file(hand_path(file))

    @classmethod
    @wires.checked
    def execute(cls, file, left_hands, hand_model=None, width=0, height=0, mean_pose=MEAN_POSES[0]) -> io.NodeOutput:
        if bool(width) != bool(height):
            raise SesaHandError(
                f"width is {width} and height {height}: give both sides of the picture, or 0 for both to take its size "
                "from the file."
            )
        size = (width, height) if width else None
        return io.NodeOutput(load_hands(hand_path(file), hand_model, left_hands, size, mean_pose))


@wires.checks(filename_prefix=check_prefix)
class SaveHands(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandSaveHands",
            display_name="Save Hands (SesaHand)",
            category="SesaHand/hand",
            **wires.found_by("MANO parameters", "export hands"),
            description="Writes hands and camera to a file in ComfyUI's output folder, to be read again by Load Hands.",
            is_output_node=True,
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            inputs=[
                wires.Hands.Input("hands", tooltip="The hands to save."),
                io.String.Input(
                    "filename_prefix",
                    default="hands/SesaHand",
                    tooltip="Folder and start of the name, inside the output folder; a number is added. %year%, "
                    "%month%, %day% and the like are filled in as for pictures.",
                ),
                io.Combo.Input(
                    "format",
                    options=["json", "npz"],
                    default="json",
                    tooltip="json can be read and changed in a text editor; npz is smaller and for programs. Both are "
                    "exact.",
                ),
            ],
            outputs=[io.String.Output("path", display_name="path", tooltip="The file that was written.")],
        )

    @classmethod
    @wires.checked
    def execute(cls, hands, filename_prefix, format) -> io.NodeOutput:
        path = output_path(filename_prefix, format, (hands.camera.width, hands.camera.height), cls.hidden)
        save_scene(hands, path)
        return io.NodeOutput(path)


NODES = [LoadHandModel, PoseHand, PlaceHand, CombineHands, LoadHands, SaveHands]
