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
from sesahand.files.pictures import open_picture, read_mask_levels, read_picture
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


@pytest.mark.skipif(os.name == "nt", reason="names have no control characters there")
def test_a_name_that_would_move_the_cursor_is_escaped_in_the_log(tmp_path, caplog):
    noise().save(tmp_path / "x\x1b[2J\n.tif", save_all=True, append_images=[noise().rotate(180)])
    read_picture(tmp_path / "x\x1b[2J\n.tif")
    assert "\x1b" not in caplog.text and "x\\x1b[2J" in caplog.text


def test_of_an_animation_the_first_frame_is_read_and_the_rest_is_said(tmp_path, caplog):
    noise().save(tmp_path / "x.tif", save_all=True, append_images=[noise().rotate(180)])
    read = read_picture(tmp_path / "x.tif")
    assert "x.tif has several frames, and only the first is used" in caplog.text
    assert torch.equal(read[0], torch.from_numpy(np.asarray(noise())).float() / 255)


def ramp(kind: str, path) -> np.ndarray:
    """Write a grey ramp from black to white and return it in 0..1."""
    shares = np.tile(np.linspace(0, 1, 64), (64, 1))
    if kind == "float TIFF":
        Image.fromarray(shares.astype(np.float32)).save(path, "TIFF")
    else:
        Image.fromarray((shares * 65535).round().astype(np.uint16)).save(path, kind)
    return shares


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "float TIFF"])
def test_deep_grey_has_the_same_levels_for_every_reader(tmp_path, kind):
    path = tmp_path / "ramp"
    expected = ramp(kind, path) * 255
    assert np.abs(read_picture(path)[0, ..., 0].numpy() * 255 - expected).max() < 0.01
    assert np.abs(read_mask_levels(path) - expected).max() <= 0.51
    assert np.abs(read_square(path, 64)[..., 1] - expected).max() <= 0.51
    if kind == "PNG":
        assert np.abs(read_levels(path, 64, 64).reshape(64, 64, -1)[..., 0] - expected).max() <= 0.51


def test_a_photograph_that_is_turned_is_upright_for_every_reader(tmp_path):
    stored = np.zeros((40, 80), np.uint8)
    stored[:, :20] = 255
    turned = Image.Exif()
    turned[0x112] = 6  # its left side is shown at the top
    Image.fromarray(stored).save(tmp_path / "a.png", exif=turned)
    Image.fromarray(stored).save(tmp_path / "a.jpg", exif=turned, quality=95)
    upright = np.zeros((80, 40), np.uint8)
    upright[:20] = 255
    for name in ("a.png", "a.jpg"):
        path = tmp_path / name
        assert np.abs(read_picture(path)[0, ..., 0].numpy() * 255 - upright).max() < 6
        assert np.abs(read_mask_levels(path).astype(int) - upright).max() < 6
        assert np.abs(read_levels(path, 40, 80).astype(int).reshape(80, 40, -1)[..., 0] - upright).max() < 6
        assert np.abs(read_square(path, 40)[..., 0].astype(int) - upright[20:60]).max() < 6


def test_fractions_beyond_one_are_no_picture_for_any_reader(tmp_path):
    Image.fromarray(np.full((8, 8), 7, np.float32)).save(tmp_path / "a.tif")
    for read in (read_picture, read_mask_levels, lambda path: read_square(path, 8)):
        with pytest.raises(InvalidFileError, match="fractions"):
            read(tmp_path / "a.tif")


def progressive(scans: int) -> bytes:
    """A progressive JPEG whose shortest scan comes so many times more."""
    stream = io.BytesIO()
    Image.fromarray(np.zeros((512, 512), np.uint8)).save(stream, "JPEG", progressive=True, quality=10)
    whole = stream.getvalue()
    places = [at for at in range(len(whole)) if whole[at : at + 2] == b"\xff\xda"]
    parts = [whole[start:end] for start, end in zip(places, [*places[1:], len(whole) - 2], strict=True)]
    return whole[:-2] + min(parts[1:], key=len) * scans + b"\xff\xd9"


@pytest.mark.parametrize("as_bytes", [True, False])
def test_a_photograph_that_is_drawn_again_and_again_is_refused(tmp_path, as_bytes):
    (tmp_path / "a.jpg").write_bytes(progressive(20_000))
    source = progressive(20_000) if as_bytes else tmp_path / "a.jpg"
    with pytest.raises(InvalidFileError, match="more than 100 scans"), open_picture(source, "a.jpg"):
        pass
    for further in (0, 50):
        # Behind the end of the picture a phone has put a film, in which anything may stand.
        (tmp_path / "b.jpg").write_bytes(progressive(further) + b"\xff\xda\0\2" * 1000)
        assert read_picture(tmp_path / "b.jpg").shape == (1, 512, 512, 3)
