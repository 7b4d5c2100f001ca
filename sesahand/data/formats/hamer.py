"""The data sets of HaMeR, which WiLoR reads too: webdataset tars for training, an npz for evaluation.

A tar holds `KEY.jpg` and `KEY.data.pyd`, a pickled list with a dictionary a hand; 1000 pictures a tar, and
`datasets_tar.yaml` is the entry for HaMeR's list of data sets. The evaluation npz has the same quantities as arrays
over all hands, beside `images/KEY.jpg`.

- `hand_pose [48]`: axis-angle, global orientation first, MANO's joint order, the mean pose in it. A left hand's is its
  own: the loaders mirror it. `has_hand_pose` is 1 only for MANO: bones of another hand lie otherwise at rest, and
  its rotations, which are written all the same, are not MANO's.
- `betas [10]` with `has_betas`: 1 only for MANO. Those of any other hand mean something else: zeros are written.
- `keypoints_2d [21, 3]` in pixels of the picture, its left top corner at (0, 0), and `keypoints_3d [21, 4]` in metres,
  camera frame, in OpenPose's order; the last number is 1 where the point is known.
- `center [2]` and `scale [2]`: of the box around the hand's surface. In a tar the box is taken twice as large and
  divided by 200, since the training crops exactly that; in the evaluation file it is tight and in pixels, since the
  loader enlarges it itself, by the same factor.

Pairs without hands are left out, and of the others hands that are not wholly in front of the camera.

Source: hamer/datasets/image_dataset.py of HaMeR (Pavlakos et al., 2024).
"""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from ...files.arrays import write_npz
from ...files.writing import write_whole
from ...hands.mano import MANO_NAME
from ..pair_set import Pair
from .pixels import picture_bytes
from .python_objects import to_pyd
from .tars import write_tar

SAMPLES_PER_TAR = 1000
BOX_FACTOR = 2.0
BOX_UNIT = 200.0
DATASET = "SESAHAND-TRAIN"
IMAGES = "images"


def export_tars(pairs: Iterable[Pair], out: Path) -> tuple[int, int]:
    """Write tars into `out`; return how many pairs were written and left out."""
    count = left_out = 0

    def samples():
        nonlocal left_out
        for pair in pairs:
            hands = describe_hands(pair)
            if hands:
                yield pair, hands
            else:
                left_out += 1

    source, number = samples(), 0
    while some := list(islice(source, 1)):
        together = chain(some, islice(source, SAMPLES_PER_TAR - 1))
        count += write_tar(out / f"{number:06d}.tar", map(_files_of, together))
        number += 1
    if number:
        last = f"..{number - 1:06d}" if number > 1 else ""
        name = f"{{000000{last}}}.tar" if last else "000000.tar"
        # In quotes: YAML takes an opening brace for a mapping.
        entry = f'{DATASET}:\n    TYPE: ImageDataset\n    URLS: "{name}"\n    epoch_size: {count}\n'
        write_whole(out / "datasets_tar.yaml", entry.encode())
    return count, left_out


def export_evaluation(pairs: Iterable[Pair], out: Path) -> tuple[int, int]:
    """Write `sesahand.npz` and `images/` into `out`; return how many pairs were written and left out."""
    (out / IMAGES).mkdir()
    rows, written, left_out = [], 0, 0
    for pair in pairs:
        hands = describe_hands(pair)
        if not hands:
            left_out += 1
            continue
        name = f"{IMAGES}/{pair.key}.jpg"
        write_whole(out / name, picture_bytes(pair, "jpg"))
        rows += [(name, hand) for hand in hands]
        written += 1
    columns: dict[str, tuple[str, tuple[int, ...]]]
    columns = {"hand_keypoints_2d": ("keypoints_2d", (21, 3)), "hand_keypoints_3d": ("keypoints_3d", (21, 4))}
    columns |= {"center": ("center", (2,)), "scale": ("scale", (2,)), "hand_pose": ("hand_pose", (48,))}
    columns |= {"betas": ("betas", (10,)), **{name: (name, ()) for name in ("right", "has_hand_pose", "has_betas")}}
    arrays: dict[str, Any] = {
        name: np.array([hand[field] for _, hand in rows], np.float32).reshape(len(rows), *shape)
        for name, (field, shape) in columns.items()
    }
    personid = np.array([hand["personid"] for _, hand in rows], np.int32)
    write_npz(out / "sesahand.npz", imgname=np.array([name for name, _ in rows], np.str_), personid=personid, **arrays)
    return written, left_out


def describe_hands(pair: Pair) -> list[dict]:
    """Return a dictionary for each hand of a pair, its box tight and in pixels."""
    if not pair.record.hands:
        return []
    hands, is_mano, described = pair.parameters, pair.record.hand_model == MANO_NAME, []
    for n, summary in enumerate(pair.record.hands):
        if float(hands.keypoints_3d[n, :, 2].min()) <= 0:
            continue
        left, top, right, bottom = summary.box
        known = np.ones((21, 1), np.float32)
        described.append(
            {
                "keypoints_2d": np.concatenate([hands.keypoints_2d[n], known], 1),
                "keypoints_3d": np.concatenate([hands.keypoints_3d[n], known], 1),
                "center": np.array([(left + right) / 2, (top + bottom) / 2], np.float32),
                "scale": np.array([right - left, bottom - top], np.float32),
                "hand_pose": hands.pose[n],
                "betas": hands.betas[n] if is_mano else np.zeros(10, np.float32),
                "right": np.array(summary.side == "right", np.float32),
                "has_hand_pose": np.array(is_mano, np.float32),
                "has_betas": np.array(is_mano, np.float32),
                "personid": 0,
                "extra_info": {"hand_model": pair.record.hand_model, "licence": pair.record.hand_licence},
            }
        )
    return described


def _files_of(sample: tuple[Pair, list[dict]]) -> Iterator[tuple[str, bytes]]:
    """Yield the names of a sample's files and what is in them."""
    pair, hands = sample
    yield f"{pair.key}.jpg", picture_bytes(pair, "jpg")
    yield f"{pair.key}.data.pyd", to_pyd([{**hand, "scale": BOX_FACTOR * hand["scale"] / BOX_UNIT} for hand in hands])
