"""Where the hands of pictures are, as a command is told it: by masks, boxes or keypoints of something else."""

import argparse
from pathlib import Path
from typing import Any

from ..errors import SesaHandError

WAYS = ("mask", "boxes", "keypoints")
LARGEST_TEXT = 16 * 2**20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `GivenPlaces` to a command's parser."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--mask",
        type=Path,
        metavar="FILE",
        help="where the hands are, in white, one each: a picture for all, or a folder with one of each picture's name",
    )
    group.add_argument(
        "--boxes",
        type=Path,
        metavar="FILE",
        help="where the hands are, as JSON: [[left, top, right, bottom], ...] or a list of {frame, side, box}",
    )
    group.add_argument(
        "--keypoints",
        type=Path,
        metavar="FILE",
        help="21 points of each hand, as JSON: OpenPose's as DWPose and SDPose write it, or a list of {frame, side, "
        "keypoints}; frame is the number of the picture, from 0",
    )


class GivenPlaces:
    """What `--mask`, `--boxes` or `--keypoints` say of each of `total` pictures."""

    def __init__(self, options: argparse.Namespace, total: int):
        """Read the option that is there.

        Raises:
            SesaHandError: If its file cannot be read.
        """
        self.total = total
        self.mask: Path | None = options.mask
        self.boxes = None if options.boxes is None else read_text(options.boxes)
        self.keypoints = None if options.keypoints is None else read_text(options.keypoints)

    def landmarks(self, number: int, width: int, height: int):
        """Return the landmarks that are given for a picture of a size in pixels, or None if none are."""
        from dataclasses import replace

        from ..reconstruct.detection.external import is_pose_keypoints, read_keypoints
        from ..reconstruct.detection.sides import settle_sides

        if self.keypoints is None:
            return None
        found = read_keypoints(self.keypoints, width, height, self.total)
        found = found.select(found.frame == number)
        found = replace(found, num_frames=1, frame=found.frame * 0)
        return settle_sides(found) if is_pose_keypoints(self.keypoints) else found

    def places(self, path: Path, number: int, width: int, height: int) -> "list[Any] | None":
        """Return the boxes (`HandBox`) in which to look for hands in a picture, or None to look everywhere."""
        from dataclasses import replace

        from ..reconstruct.detection.external import boxes_of_masks, read_boxes

        if self.mask is not None:
            return boxes_of_masks(read_mask(self.mask, path)[None], width, height, 1)
        if self.boxes is None:
            return None
        return [replace(box, frame=0) for box in read_boxes(self.boxes, self.total) if box.frame == number]


def read_text(path: Path) -> str:
    """Read a text file.

    Raises:
        InvalidFileError: If it is missing, too large or no text.
    """
    from ..errors import InvalidFileError
    from ..files.reading import read_bytes

    try:
        return read_bytes(path, LARGEST_TEXT).decode()
    except UnicodeDecodeError as error:
        raise InvalidFileError(f"{path} is no text: {error!s:.200}. Expected JSON.") from error


def read_mask(mask: Path, picture: Path):
    """Read the mask `[H, W]` of a picture: the file, or that of the picture's name in a folder."""
    import torch

    from ..files.pictures import is_picture, read_mask_levels

    if mask.is_dir():
        found = sorted(path for path in mask.iterdir() if is_picture(path) and path.stem == picture.stem)
        if not found:
            raise SesaHandError(f"There is no mask of the name {picture.stem!r} in {mask}; give each picture its own.")
        mask = found[0]
    return torch.from_numpy(read_mask_levels(mask)).float() / 255
