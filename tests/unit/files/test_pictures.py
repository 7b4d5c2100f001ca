"""Pictures of strangers: only listed formats, of a bounded size, and every decoder's error is that picture's."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
import torch
from hostile import run_limited
from PIL import Image, features

from sesahand.commands.render import read_mask
from sesahand.data.picture_files import read_levels
from sesahand.errors import InvalidFileError
from sesahand.files.pictures import open_picture, read_picture
from sesahand.training.samples import read_square

READERS = {
    "read_picture": read_picture,
    "read_square": lambda path: read_square(path, 32),
    "read_mask": read_mask,
    "read_levels": lambda path: read_levels(path, 64, 48),
}
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 48\n%%EndComments\n(ran) print\nshowpage\n%%EOF\n"


def noise(width: int = 64, height: int = 48) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


def encoded(kind: str, **options) -> bytes:
    stream = io.BytesIO()
    noise().save(stream, kind, **options)
    return stream.getvalue()


def png_of_size(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds as many zeros, which pack a thousandfold."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer, row = zlib.compressobj(9), bytes((width + 7) // 8 + 1)
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("reader", READERS)
def test_a_format_that_runs_programs_is_never_opened_whatever_its_name(tmp_path, monkeypatch, reader):
    from PIL import EpsImagePlugin

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_: pytest.fail("Ghostscript was asked for"))
    for name in ("hand.png", "hand.jpg", "hand.eps"):
        (tmp_path / name).write_bytes(EPS)
        with pytest.raises(InvalidFileError, match="picture"):
            READERS[reader](tmp_path / name)


@pytest.mark.parametrize("kind", ["EPS", "WMF", "PSD", "FITS", "GRIB", "HDF5", "ICNS", "SPIDER"])
def test_formats_that_are_not_listed_cannot_be_asked_for(kind):
    with pytest.raises(InvalidFileError), open_picture(EPS, formats=(kind,)):
        pass


@pytest.mark.parametrize("reader", ["read_picture", "read_mask", "read_square"])
def test_a_small_file_of_very_many_pixels_is_refused_before_it_is_decoded(tmp_path, reader):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_of_size(13300, 13300))
    assert path.stat().st_size < 50_000
    ended = run_limited(refusing, reader, path, megabytes=400, seconds=240)
    assert "13300x13300" in ended.refused()


def refusing(reader: str, path) -> None:
    READERS[reader](path)


def test_the_largest_picture_that_is_read_takes_no_more_than_two_gigabytes(tmp_path):
    path = tmp_path / "large.png"
    path.write_bytes(png_of_size(8192, 8192))
    ended = run_limited(shape_of, path, megabytes=2048, seconds=400)
    assert ended.returned() == [1, 8192, 8192, 3]


def shape_of(path) -> list[int]:
    return list(read_picture(path).shape)


KINDS = {
    "PNG": {}, "JPEG": {}, "WEBP": {"lossless": True}, "BMP": {}, "GIF": {}, "TIFF": {"compression": "tiff_lzw"},
    "AVIF": {},
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_a_decoder_raises_over_a_damaged_file_is_an_error_of_that_file(kind):
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    faults, unexpected, chance = 0, [], np.random.default_rng(1)
    for damaged in damage(encoded(kind, **KINDS[kind]), chance):
        try:
            with open_picture(damaged, "damaged") as picture:
                picture.convert("RGB")
        except InvalidFileError as error:
            faults += str(error).startswith("damaged ")
        except Exception as error:
            unexpected.append(repr(error))
    assert unexpected == [] and faults > 20


def damage(data: bytes, chance: np.random.Generator):
    """Yield a file cut short at many places, and with some of its bytes changed."""
    yield from (data[: len(data) * part // 40] for part in range(1, 40))
    for _ in range(120):
        changed = bytearray(data)
        for place in chance.integers(0, min(len(data), 400), 4):
            changed[place] = chance.integers(0, 256)
        yield bytes(changed)


def test_what_a_decoder_raises_that_no_list_names_is_still_an_error_of_the_file(tmp_path, monkeypatch):
    noise().save(tmp_path / "x.png")

    def fail(*_):
        raise RuntimeError("decoder of another make")

    monkeypatch.setattr(Image.Image, "convert", fail)
    with pytest.raises(InvalidFileError, match="x.png cannot be read as a picture: decoder of another make"):
        read_picture(tmp_path / "x.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
@pytest.mark.parametrize("reader", READERS)
def test_a_pipe_in_the_place_of_a_picture_is_refused_and_not_waited_for(tmp_path, reader):
    os.mkfifo(tmp_path / "x.png")
    assert "x.png" in run_limited(refusing, reader, tmp_path / "x.png", seconds=60).refused()


def test_the_further_pictures_of_a_phones_photograph_are_no_animation(tmp_path, caplog):
    first, second = noise(), noise().rotate(180)
    first.save(tmp_path / "photo.jpg", "MPO", save_all=True, append_images=[second], quality=95)
    with Image.open(tmp_path / "photo.jpg") as stored:
        assert stored.format == "MPO" and stored.n_frames == 2
        wanted = np.asarray(stored.convert("RGB"))
    read = read_picture(tmp_path / "photo.jpg")
    assert caplog.text == ""
    assert torch.equal(read[0], torch.from_numpy(wanted).float() / 255)
    read_levels(tmp_path / "photo.jpg", 64, 48)


def test_of_an_animation_the_first_frame_is_read_and_the_rest_is_said(tmp_path, caplog):
    noise().save(tmp_path / "x.tif", save_all=True, append_images=[noise().rotate(180)])
    read = read_picture(tmp_path / "x.tif")
    assert "x.tif has several frames, and only the first is used" in caplog.text
    assert torch.equal(read[0], torch.from_numpy(np.asarray(noise())).float() / 255)
