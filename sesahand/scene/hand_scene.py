"""Hands in front of a camera: the value that travels between posing, rendering, reconstruction and data sets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor

from ..errors import SesaHandError, some_of
from ..hands.model import NUM_BETAS, NUM_JOINTS, HandModel, PosedHands, check_parameters
from .camera import Camera
from .held_object import HeldObject

Item = TypeVar("Item")
SIDES = ("right", "left")
MAX_HANDS, MAX_FRAMES = 100_000, 100_000
"""Of a scene. Nodes that join or repeat hands would otherwise double them at each step."""
# While a hand is posed it takes some 150 kB, and then 20 kB.
POSED_AT_ONCE, MOST_POSED = 1024, 16384


@dataclass(frozen=True, eq=False)
class HandScene:
    """N hands over F frames, seen by one camera. No hands at all is a normal value.

    Attributes:
        model: The hand model that the parameters belong to.
        camera: The camera of every frame.
        num_frames: F, at least 1; frames without hands count.
        frame: The frame each hand is in, int64 `[N]`, values 0..F-1.
        side: "right" or "left" of each hand, N entries.
        global_orient: `[N, 3, 3]`, in the camera's frame.
        hand_pose: Absolute joint rotations `[N, 15, 3, 3]`, MANO order.
        betas: `[N, 10]`.
        translation: `[N, 3]` metres in the camera's frame, added after posing.
        score: Confidence of each hand in 0..1, `[N]`; 1 for hands that were posed rather than found.
        note: Why no hands may have been found, other than that there are none; empty if nothing is to be said. Files
            do not keep it.
        doubt: How far the landmarks of each hand and of its fingers, thumb first, moved when it was looked at in
            several ways, as a part of its size, `[N, 6]`; NaN where that is not known, None if of no hand. Files do
            not keep it.
        objects: What hands hold, in the order of the hands; at most one each.
    """

    model: HandModel
    camera: Camera
    num_frames: int
    frame: Tensor
    side: tuple[str, ...]
    global_orient: Tensor
    hand_pose: Tensor
    betas: Tensor
    translation: Tensor
    score: Tensor
    note: str = ""
    doubt: Tensor | None = None
    objects: tuple[HeldObject, ...] = ()

    ARRAYS: ClassVar = ("frame", "global_orient", "hand_pose", "betas", "translation", "score")

    def __repr__(self) -> str:
        hands = ", ".join(self.side) or "none"
        size = f"{self.camera.width}x{self.camera.height}"
        return f"HandScene({len(self.side)} hands: {hands:.200}; {self.num_frames} frames of {size}, {self.model!r})"

    def __post_init__(self):
        count = len(self.side)
        check_size(count, self.num_frames)
        check_parameters(count, **{name: getattr(self, name) for name in self.ARRAYS})
        if self.doubt is not None and tuple(self.doubt.shape) != (count, 6):
            raise SesaHandError(f"doubt has shape {tuple(self.doubt.shape)}, expected {(count, 6)} for {count} hands.")
        if not set(self.side) <= set(SIDES):
            raise SesaHandError(f"Each side must be 'right' or 'left', got {sorted(set(self.side))}.")
        if self.num_frames < 1:
            raise SesaHandError(f"A scene has at least one frame, got {self.num_frames}.")
        holding = [held.hand for held in self.objects]
        if holding != sorted(set(holding)) or not all(0 <= hand < count for hand in holding):
            raise SesaHandError(
                f"Objects are held by the hands {holding!s:.80}, expected ascending numbers from 0 to {count - 1}."
            )
        if count and not (0 <= int(self.frame.min()) and int(self.frame.max()) < self.num_frames):
            first, last = int(self.frame.min()), int(self.frame.max())
            raise SesaHandError(
                f"Hands are in frames {first} to {last}, but the scene has {self.num_frames} (numbered from 0)."
            )

    def __len__(self) -> int:
        return len(self.side)

    @cached_property
    def _held(self) -> dict[int, HeldObject]:
        return {held.hand: held for held in self.objects}

    def held_by(self, hand: int) -> HeldObject | None:
        """Return what a hand holds, given its number."""
        return self._held.get(hand)

    @property
    def is_right(self) -> Tensor:
        """Whether each hand is a right one, bool `[N]`."""
        return torch.tensor([side == "right" for side in self.side], dtype=torch.bool)

    @classmethod
    def empty(cls, model: HandModel, camera: Camera, num_frames: int = 1) -> "HandScene":
        """Return a scene without hands."""
        return cls(
            model, camera, num_frames, torch.zeros(0, dtype=torch.long), (), torch.zeros(0, 3, 3),
            torch.zeros(0, NUM_JOINTS - 1, 3, 3), torch.zeros(0, NUM_BETAS), torch.zeros(0, 3), torch.zeros(0),
        )  # fmt: skip

    @property
    def largest_doubt(self) -> float | None:
        """How far the points of the least sure hand moved from look to look, as a part of its size; None if unknown."""
        known = [] if self.doubt is None else self.doubt[:, 0][self.doubt[:, 0].isfinite()].tolist()
        return max(known, default=None)

    def select(self, index) -> "HandScene":
        """Return the scene with only the hands of `index` (int64 or bool tensor, or list of ints), frames unchanged."""
        index = torch.as_tensor(index)
        index = index.nonzero()[:, 0] if index.dtype == torch.bool else index.long()
        arrays = {name: getattr(self, name)[index] for name in self.ARRAYS}
        doubt = None if self.doubt is None else self.doubt[index.to(self.doubt.device)]
        chosen = index.tolist()
        objects = tuple(replace(self._held[i], hand=new) for new, i in enumerate(chosen) if i in self._held)
        return replace(self, side=tuple(self.side[i] for i in chosen), doubt=doubt, objects=objects, **arrays)

    def select_frames(self, frames: Sequence[int]) -> "HandScene":
        """Return a scene whose frames are those of this one with the given numbers, in that order, with their hands."""
        missing = [str(f) for f in frames if not 0 <= f < self.num_frames]
        if missing:
            raise SesaHandError(
                f"Frames {some_of(missing)} were asked of a scene that has {self.num_frames} (numbered from 0)."
            )
        hands = hands_of_frames(self.frame)
        check_size(sum(len(hands.get(int(f), ())) for f in frames), len(frames))
        kept = [(n, new) for new, f in enumerate(frames) for n in hands.get(int(f), [])]
        scene = self.select(torch.tensor([n for n, _ in kept], dtype=torch.long))
        frame = torch.tensor([new for _, new in kept], dtype=torch.long, device=self.frame.device)
        return replace(scene, num_frames=len(frames), frame=frame)

    def resized(self, width: int, height: int) -> "HandScene":
        """Return the same hands seen in a picture of another size and the same aspect ratio, but for a VAE's crop.

        Raises:
            SesaHandError: If the picture shows another view; the message says what to do.
        """
        return replace(self, camera=self.camera.fitted(width, height))

    def to_json(self) -> str:
        """Return the scene as JSON text; `scene_files` documents the format."""
        from .scene_files import scene_to_json

        return scene_to_json(self)

    @classmethod
    def from_json(cls, text: str, model: HandModel | None = None) -> "HandScene":
        """Read a scene from JSON text; `model` must be the hand that the text names, None is the built-in one."""
        from .scene_files import scene_from_json

        return scene_from_json(text, model)

    def pose(self, forearm: bool = False) -> PosedHands:
        """Return vertices `[N, V, 3]` and keypoints `[N, 21, 3]` in the camera's frame, metres.

        Raises:
            SesaHandError: If there are more hands than memory should hold at once.
        """
        count = len(self)
        if count > MOST_POSED:
            raise SesaHandError(
                f"{count} hands are to be posed at once, more than {MOST_POSED}: take fewer frames at a time."
            )
        arrays = self.global_orient, self.hand_pose, self.betas, self.translation, self.is_right
        if count <= POSED_AT_ONCE:
            return self.model(*arrays, forearm=forearm)
        parts = [slice(start, start + POSED_AT_ONCE) for start in range(0, count, POSED_AT_ONCE)]
        orient, pose, betas, translation, is_right = arrays
        posed = [
            self.model(orient[part], pose[part], betas[part], translation[part], is_right[part], forearm=forearm)
            for part in parts
        ]
        return PosedHands(torch.cat([part.vertices for part in posed]), torch.cat([part.keypoints for part in posed]))


def check_size(hands: int, frames: int) -> None:
    """Raise an error if a scene would have more hands or frames than scenes have."""
    if hands > MAX_HANDS or frames > MAX_FRAMES:
        raise SesaHandError(
            f"The scene would have {hands} hands in {frames} frames, more than the {MAX_HANDS} and {MAX_FRAMES} that "
            "there may be: join fewer, or take a part of the frames."
        )


def hands_of_frames(frame: Tensor) -> dict[int, list[int]]:
    """Return the hands in each frame that has any; `frame` is the frame of each hand, int64 `[N]`."""
    return grouped((f, n) for n, f in enumerate(frame.tolist()))


def grouped(items: Iterable[tuple[int, Item]]) -> dict[int, list[Item]]:
    """Return what belongs to each number, for example to each picture, in the order in which it comes."""
    groups: dict[int, list[Item]] = {}
    for number, item in items:
        groups.setdefault(number, []).append(item)
    return groups


def combine(scenes: Sequence[HandScene]) -> HandScene:
    """Put the hands of several scenes into the same pictures, in the order given.

    Args:
        scenes: At least one; all of the same hand model and camera. A scene with fewer frames than the longest adds
            nothing to the rest.

    Raises:
        SesaHandError: If there is none, or models or cameras differ.
    """
    return _join(scenes, [0] * len(scenes), max((scene.num_frames for scene in scenes), default=0))


def concatenate_frames(scenes: Sequence[HandScene]) -> HandScene:
    """Put the frames of several scenes one after the other, under the conditions of `combine`."""
    *offsets, total = accumulate((scene.num_frames for scene in scenes), initial=0)
    return _join(scenes, offsets, total)


def _join(scenes: Sequence[HandScene], offsets: list[int], num_frames: int) -> HandScene:
    if not scenes:
        raise SesaHandError("There are no scenes to join; give at least one.")
    check_size(sum(len(scene) for scene in scenes), num_frames)
    first = scenes[0]
    for scene in scenes[1:]:
        if scene.model is not first.model and scene.model.name != first.model.name:
            raise SesaHandError(
                f"Hands of the models {first.model.name!r} and {scene.model.name!r} cannot share a scene; "
                "pose both with the same hand model."
            )
        if scene.camera != first.camera:
            raise SesaHandError(
                f"Hands seen by different cameras cannot share a picture: {_describe(first.camera)}, and "
                f"{_describe(scene.camera)}. Place them all with the same picture size, camera and field of view "
                "(Place Hand's width, height, camera and fov)."
            )
    arrays: dict[str, Any] = {name: torch.cat([getattr(scene, name) for scene in scenes]) for name in HandScene.ARRAYS}
    arrays["frame"] = torch.cat([scene.frame + offset for scene, offset in zip(scenes, offsets, strict=True)])
    side = tuple(side for scene in scenes for side in scene.side)
    note = " ".join(dict.fromkeys(scene.note for scene in scenes if scene.note))
    doubt = None
    if any(scene.doubt is not None for scene in scenes):
        doubts = [torch.full((len(scene), 6), torch.nan) if scene.doubt is None else scene.doubt for scene in scenes]
        doubt = torch.cat(doubts)
    before = accumulate((len(scene) for scene in scenes), initial=0)
    objects = tuple(
        replace(held, hand=held.hand + count)
        for scene, count in zip(scenes, before, strict=False)
        for held in scene.objects
    )
    return replace(first, num_frames=num_frames, side=side, note=note, doubt=doubt, objects=objects, **arrays)


def _describe(camera: Camera) -> str:
    x, y = camera.principal_point
    return f"{camera.width}x{camera.height} pixels with focal length {camera.focal_length:.6g} about ({x:.6g}, {y:.6g})"
