"""Pictures' latents on disk, so that each picture is encoded once and not in every step that sees it.

Each picture has a file of its own, whose name is the hash of the autoencoder's weights and of the picture file's bytes:
another autoencoder, another picture or another size is another name. Files are written whole or not at all, so that
several trainings may share a folder. Nothing is kept in memory but what a step needs.

::

    FOLDER/<autoencoder>/<first two digits>/<picture>.latent     SHA-256 of what follows, then float16 [4, s, s]
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InvalidFileError, SesaHandError
from ..files.folders import inside, is_file, make_folder
from ..files.reading import read_bytes
from ..files.writing import write_whole
from ..models.families import LATENT_PIXELS

if TYPE_CHECKING:
    from .samples import TrainingSample

logger = logging.getLogger(__name__)

CHANNELS = 4
CHECKSUM = 32
DIGITS = 32
"""Hexadecimal digits of a hash in a name."""
GIGABYTE = 10**9


class KeptLatents:
    """The latents of an autoencoder's pictures in a folder.

    Args:
        folder: Where they are; made if it is missing.
        autoencoder: An AutoencoderKL or a small model's.
        gigabytes: What all files in the folder may take; what is beyond is not kept.
        processes: How many fill the folder at the same time; each takes its part of the room that is left.
    """

    def __init__(self, folder: Path, autoencoder: Any, gigabytes: float, processes: int = 1):
        self.autoencoder, self.name = autoencoder, name_of(autoencoder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.folder = make_folder(folder, self.name)
        except OSError as error:
            raise SesaHandError(
                f"{folder!s:.200} cannot hold latents: {error!s:.200}. Choose another data.latents_folder."
            ) from error
        self.room = int(gigabytes * GIGABYTE - _taken(folder)) // processes

    def key(self, path: Path, size: int) -> str:
        """Return what a picture's latents are kept by.

        Args:
            path: The picture.
            size: Width and height that the square around its middle is brought to, pixels.
        """
        return hashlib.sha256(f"middle {size}\n".encode() + read_bytes(path)).hexdigest()[:DIGITS]

    def read(self, key: str, size: int) -> np.ndarray | None:
        """Return kept latents, float16 `[4, size / 8, size / 8]`; None if there are none, or they are damaged."""
        path = inside(self.folder, key[:2], f"{key}.latent")
        side = size // LATENT_PIXELS
        length = CHANNELS * side * side * 2
        if not is_file(path):
            return None
        try:
            data = read_bytes(path, CHECKSUM + length)
        except InvalidFileError:
            data = b""
        whole = len(data) == CHECKSUM + length and hashlib.sha256(data[CHECKSUM:]).digest() == data[:CHECKSUM]
        latents = np.frombuffer(data[CHECKSUM:], np.float16) if whole else None
        if latents is None or not np.isfinite(latents).all():
            logger.warning("%s is damaged and made anew.", path)
            return None
        return latents.reshape(CHANNELS, side, side)

    def write(self, key: str, latents: np.ndarray) -> None:
        """Keep the latents `[4, s, s]`, float16, of a picture, as long as there is room on the disk for them."""
        payload = latents.astype(np.float16).tobytes()
        if self.room < len(payload) + CHECKSUM:
            if self.room >= 0:
                logger.warning("%s is full: what is not in it is encoded each time.", self.folder.parent)
            self.room = -1
            return
        folder = make_folder(self.folder, key[:2])
        try:
            write_whole(inside(folder, f"{key}.latent"), hashlib.sha256(payload).digest() + payload, synced=False)
        except OSError as error:
            raise SesaHandError(
                f"{folder!s:.200} cannot be written to: {error!s:.200}. Choose another data.latents_folder, or a "
                "smaller data.latents_gigabytes."
            ) from error
        self.room -= len(payload) + CHECKSUM

    def of(self, samples: Sequence[TrainingSample]) -> Tensor:
        """Return the latents of samples `[B, 4, s, s]`, float32 on the CPU; what was not kept is encoded, and kept."""
        found = []
        for sample in samples:
            latents = sample.latents
            if latents is None:
                latents = self.encode(sample.picture)
                if sample.latents_key:
                    self.write(sample.latents_key, latents)
            found.append(torch.from_numpy(np.array(latents)))
        return torch.stack(found).float()

    @torch.no_grad()
    def encode(self, picture: np.ndarray) -> np.ndarray:
        """Return the scaled latents of a picture, uint8 `[S, S, 3]`, as float16 `[4, S / 8, S / 8]`.

        One by one, so that a picture's latents do not depend on which others are in its batch.
        """
        autoencoder = self.autoencoder
        levels = torch.from_numpy(np.array(picture)).movedim(-1, 0).float().div(127.5).sub(1)[None]
        encoded = autoencoder.encode(levels.to(autoencoder.device, autoencoder.dtype)).latent_dist.mode()
        latents = (encoded.float() * autoencoder.config.scaling_factor).half().cpu()[0]
        if not latents.isfinite().all():
            raise SesaHandError(
                "The autoencoder's latents of a picture are no finite numbers in half precision. Set "
                "frozen_dtype=float32 or bfloat16, or data.keep_latents=false."
            )
        return latents.numpy()


def name_of(autoencoder: Any) -> str:
    """Return a name for an autoencoder that is another one if any of its weights is, or their type."""
    known = hashlib.sha256(f"{type(autoencoder).__name__} {autoencoder.config.scaling_factor}".encode())
    for name, value in sorted(autoencoder.state_dict().items()):
        known.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        known.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return known.hexdigest()[:DIGITS]


def _taken(folder: Path) -> int:
    """Bytes of the files in a folder and the folders in it."""
    taken = 0
    for place, _, names in os.walk(folder):
        for name in names:
            # Another training may have renamed it since.
            with contextlib.suppress(OSError):
                taken += os.lstat(os.path.join(place, name)).st_size
    return taken
