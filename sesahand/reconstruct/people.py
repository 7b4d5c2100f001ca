"""The hands and faces of the picture that a hand is placed into, in the pixels of that place."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from ..errors import SesaHandError, quote
from .detection.external import Face, is_pose_keypoints, pictures_of, read_faces, read_keypoints
from .landmarks import HandLandmarks

# Pictures' proportions may differ from those of the place by this part.
SAME_PROPORTIONS = 0.02
# A hand that has this part of the smaller of two boxes in common with a place is the one that is there.
SAME_PLACE = 0.5

Box = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class People:
    """What is known of the people of one picture, or of one picture for each frame.

    Attributes:
        hands: Their hands.
        faces: Their faces.
    """

    hands: HandLandmarks
    faces: tuple[Face, ...] = ()

    @classmethod
    def read(cls, value, width: int, height: int, num_frames: int) -> "People":
        """Read `HandLandmarks`, or POSE_KEYPOINT, which may hold faces and bodies too.

        Args:
            value: One of these; POSE_KEYPOINT also as JSON text.
            width: Width in pixels of the picture that a hand goes into; found points are scaled to it.
            height: Height in pixels.
            num_frames: How many frames there are to be placed in.

        Raises:
            SesaHandError: If it is something else, or of pictures of another number or other proportions.
        """
        if isinstance(value, HandLandmarks):
            people = cls(_scaled(value, width, height))
        elif is_pose_keypoints(value):
            pictures = pictures_of(value)
            hands = read_keypoints(pictures, width, height, len(pictures))
            people = cls(hands, tuple(read_faces(pictures, width, height)))
        else:
            raise SesaHandError(
                f"people is {quote(value)}, expected landmarks from Detect Hands, or POSE_KEYPOINT of a pose detector "
                "(DWPose, SDPose, OpenPose)."
            )
        if people.hands.num_frames not in (1, num_frames):
            raise SesaHandError(
                f"people is of {people.hands.num_frames} pictures, the hands are in {num_frames}: give those of one "
                "picture, or of each."
            )
        return people

    def of_frame(self, frame: int) -> "People":
        """Return the people of the picture that belongs to a frame, as of one picture."""
        shown = frame if self.hands.num_frames > 1 else 0
        hands = self.hands.select(self.hands.frame == shown)
        hands = replace(hands, num_frames=1, frame=hands.frame * 0)
        return People(hands, tuple(replace(face, frame=0) for face in self.faces if face.frame == shown))

    def hand_in(self, box: Box) -> int | None:
        """Return which of the hands is in a box (pixels), or None if none is."""
        shares = [shared(box, tuple(each)) for each in self.hands.box.tolist()]
        return shares.index(max(shares)) if shares and max(shares) >= SAME_PLACE else None


def shared(first: Sequence[float], second: Sequence[float]) -> float:
    """Return how much of the smaller of two boxes lies in the other, 0..1."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    areas = [max((box[2] - box[0]) * (box[3] - box[1]), 1e-9) for box in (first, second)]
    return max(width, 0.0) * max(height, 0.0) / min(areas)


def _scaled(landmarks: HandLandmarks, width: int, height: int) -> HandLandmarks:
    across, down = width / landmarks.width, height / landmarks.height
    if abs(across / down - 1) > SAME_PROPORTIONS:
        raise SesaHandError(
            f"people is of pictures of {landmarks.width}x{landmarks.height} pixels, the hands go into one of {width}x"
            f"{height}, which has other proportions: detect the hands in the picture that the mask belongs to."
        )
    scale = torch.tensor([across, down])
    pixels, box = landmarks.keypoints_2d * scale, landmarks.box * scale.repeat(2)
    return replace(landmarks, width=width, height=height, keypoints_2d=pixels, box=box, camera=None)
