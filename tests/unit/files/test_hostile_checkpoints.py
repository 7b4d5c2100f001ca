"""Torch files of strangers, in children with bounds on memory and time: read or refused, and never the end."""

import copy
import io
import pickle
import struct
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from hostile import run_limited

from sesahand.errors import InvalidFileError
from sesahand.files.checkpoint_pickle import read_checkpoint_tensors

READERS = {
    "checkpoint": "sesahand.files.checkpoint_pickle:read_checkpoint_tensors",
    "network": "sesahand.reconstruct.learned.checkpoints:load_network",
    "controlnet": "sesahand.models.controlnet_files:read_controlnet_weights",
}
MANO = "sesahand.hands.mano:load_mano"

PROTOCOL, EMPTY_DICT, EMPTY_TUPLE, TUPLE1, TUPLE2 = b"\x80\x02", b"}", b")", b"\x85", b"\x86"
MEMO, RECALL, STOP = b"r\0\0\0\0", b"j\0\0\0\0", b"."
FLOATS = b"ctorch\nFloatStorage\n"


def text(word: str) -> bytes:
    return b"X" + struct.pack("<I", len(word)) + word.encode()


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def packed(program: bytes, path: Path, storages: dict[str, bytes] | None = None) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", program)
        archive.writestr("net/byteorder", b"little")
        for key, content in (storages or {}).items():
            archive.writestr(f"net/data/{key}", content)
    return path


def tensor(key: str, count: int, size: tuple, stride: tuple) -> bytes:
    """A tensor over a storage of floats."""
    storage = b"(" + text("storage") + FLOATS + text(key) + text("cpu") + number(count) + b"tQ"
    numbers = [b"(" + b"".join(map(number, one)) + b"t" for one in (size, stride)]
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + storage
        + number(0)
        + b"".join(numbers)
        + b"\x89"
        + b"ccollections\nOrderedDict\n)RtR"
    )


def deep_key() -> bytes:
    return PROTOCOL + EMPTY_DICT + EMPTY_TUPLE + TUPLE1 * 900_000 + b"K\x01s" + STOP


def doubling_key() -> bytes:
    return PROTOCOL + EMPTY_DICT + EMPTY_TUPLE + (MEMO + RECALL + TUPLE2) * 90 + b"K\x01s" + STOP


def doubling_shape() -> bytes:
    """A tensor whose size is a list of two lists of two lists ..."""
    size = b"]" + (MEMO + b"]" + RECALL + b"a" + RECALL + b"a") * 90
    storage = b"(" + text("storage") + FLOATS + text("0") + text("cpu") + number(1) + b"tQ"
    made = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + number(0) + size + b"(t\x89NtR"
    return PROTOCOL + EMPTY_DICT + text("w") + made + b"s" + STOP


def lists_in_each_other() -> bytes:
    """Two lists, each holding the other many times, as the shape of a tensor."""
    first, second = b"]r\1\0\0\0", b"]r\2\0\0\0"
    hold = (b"(" + b"j\2\0\0\0" * 30 + b"e").join([b"j\1\0\0\0", b""]) + b"0"
    back = b"j\2\0\0\0(" + b"j\1\0\0\0" * 30 + b"e0"
    storage = b"(" + text("storage") + FLOATS + text("0") + text("cpu") + number(1) + b"tQ"
    made = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + number(0) + b"j\1\0\0\0j\2\0\0\0\x89NtR"
    return PROTOCOL + first + b"0" + second + b"0" + hold + back + EMPTY_DICT + text("w") + made + b"s" + STOP


def many_objects() -> bytes:
    return (
        PROTOCOL
        + EMPTY_DICT
        + text("x")
        + b"("
        + b"ccollections\nOrderedDict\nr\0\0\0\0"
        + (b"j\0\0\0\0)R" * 1_200_000)
        + b"ls"
        + STOP
    )


def many_dictionaries() -> bytes:
    return PROTOCOL + EMPTY_DICT + text("x") + b"(" + b"}" * 20_000_000 + b"ls" + STOP


def long_number(value: int) -> bytes:
    coded = value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True)
    return b"\x8a" + bytes([len(coded)]) + coded


def keys_of_one_hash() -> bytes:
    """A dictionary whose keys are numbers that Python gives one hash, so that each is compared with all before it."""
    keys = (long_number(sys.hash_info.modulus * number) for number in range(1, 80_000))
    return PROTOCOL + EMPTY_DICT + b"(" + b"N".join(keys) + b"Nu" + STOP


def memories_of_one_hash() -> bytes:
    """The same of the numbers under which a pickle remembers its values."""
    puts = (b"p%d\n" % (sys.hash_info.modulus * number) for number in range(1, 80_000))
    return PROTOCOL + EMPTY_DICT + b"".join(puts) + STOP


PROGRAMS = {
    one.__name__: one
    for one in (
        deep_key, doubling_key, doubling_shape, lists_in_each_other, many_objects, many_dictionaries, keys_of_one_hash,
        memories_of_one_hash,
    )
}  # fmt: skip


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_pickles_that_are_endless_or_bottomless_are_told_in_a_sentence(tmp_path, reader, name):
    path = packed(PROGRAMS[name](), tmp_path / "net.ckpt", {"0": b"\0" * 4})
    ended = run_limited(READERS[reader], path, megabytes=900, seconds=60)
    if reader == "checkpoint" and ended.error is None and ended.died is None:
        assert ended.value == {}
        return
    message = ended.refused()
    assert "net.ckpt" in message and len(message) < 1500


@pytest.mark.parametrize("name", ["deep_key", "doubling_key", "keys_of_one_hash", "memories_of_one_hash"])
def test_mano_pickles_that_are_endless_or_bottomless_are_refused(tmp_path, name):
    (tmp_path / "MANO_RIGHT.pkl").write_bytes(PROGRAMS[name]())
    assert "MANO_RIGHT.pkl" in run_limited(MANO, tmp_path / "MANO_RIGHT.pkl", megabytes=500, seconds=60).refused()


@pytest.mark.parametrize("reader", READERS)
def test_a_small_file_that_describes_much_by_repeating_its_numbers_is_refused(tmp_path, reader):
    """Many tensors over one storage, and one of a stride of zero."""
    count, names = 1_000_000, 600
    shared = b"".join(text(f"backbone.{k}") + tensor("0", count, (count,), (1,)) for k in range(names))
    content = b"\0" * 4 * count
    path = packed(PROTOCOL + EMPTY_DICT + b"(" + shared + b"u" + STOP, tmp_path / "net.ckpt", {"0": content})
    assert "more weights than it holds" in run_limited(READERS[reader], path, megabytes=400, seconds=60).refused()
    flat = text("backbone.w") + tensor("0", 8, (1 << 14, 1 << 16), (0, 0))
    path = packed(PROTOCOL + EMPTY_DICT + flat + b"s" + STOP, tmp_path / "flat.ckpt", {"0": b"\0" * 32})
    assert "reaches beyond its numbers" in run_limited(READERS[reader], path, megabytes=400, seconds=60).refused()


def test_shared_numbers_are_read_once_and_unasked_weights_never(tmp_path):
    base = torch.arange(300_000.0)
    torch.save({f"w{k}": base[k:] for k in range(2)} | {"other": torch.zeros(5_000_000)}, tmp_path / "net.pth")
    found = read_checkpoint_tensors(tmp_path / "net.pth", lambda name: name != "other")
    assert list(found) == ["w0", "w1"] and torch.equal(found["w1"], base[1:])
    assert found["w0"].untyped_storage().data_ptr() == found["w1"].untyped_storage().data_ptr()
    found["w0"][0] = 7
    assert read_checkpoint_tensors(tmp_path / "net.pth")["w0"][0] == 0


@pytest.mark.parametrize("modern", [True, False])
def test_both_formats_of_torch_are_read_alike(tmp_path, modern):
    base = torch.arange(24.0).reshape(4, 6)
    state = {"a": base, "b": base[1:, ::2], "c": torch.ones(3, dtype=torch.float16), "e": torch.zeros(0, 2)}
    wrapped = {"state_dict": state, "epoch": 3, "hyper": {("a", 1): 2, "lr": [1e-3]}}
    torch.save(wrapped, tmp_path / "net.ckpt", _use_new_zipfile_serialization=modern)
    found = read_checkpoint_tensors(tmp_path / "net.ckpt")
    assert list(found) == list(state)
    for name, value in state.items():
        assert found[name].dtype == value.dtype and torch.equal(found[name], value), name


@pytest.mark.parametrize("reader", ["checkpoint", "npz"])
def test_a_list_of_contents_without_end_is_not_read(tmp_path, reader):
    entry = (
        b"PK\x01\x02" + struct.pack("<HHHHHHIIIHHHHHII", 20, 20, 0, 0, 0, 33, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0) + b"a/bc"
    )
    listed = entry * 600_000
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 0, 0, len(listed), 4, 0)
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04" + listed + end)
    target = READERS["checkpoint"] if reader == "checkpoint" else "sesahand.files.arrays:read_npz"
    assert "list of contents" in run_limited(target, tmp_path / "a.npz", megabytes=150).refused()


@pytest.mark.parametrize("modern", [True, False])
def test_damage_anywhere_is_an_error_of_the_file_or_other_numbers(tmp_path, modern):
    stream = io.BytesIO()
    torch.save({"a": torch.arange(20.0), "b": torch.ones(3, 4)}, stream, _use_new_zipfile_serialization=modern)
    raw, generator = stream.getvalue(), torch.Generator().manual_seed(0)
    path = tmp_path / "net.ckpt"
    for _ in range(300):
        damaged = bytearray(raw)
        for at in torch.randint(len(raw), (2,), generator=generator).tolist():
            damaged[at] = int(torch.randint(256, (1,), generator=generator))
        path.write_bytes(damaged[: len(raw) if _ % 3 else int(len(raw) * (_ / 300))])
        try:
            found = read_checkpoint_tensors(path)
        except InvalidFileError as error:
            assert "net.ckpt" in str(error)
        else:
            assert all(value.numel() <= 20 for value in found.values())


def test_a_bare_pickle_of_plain_data_is_no_checkpoint(tmp_path):
    (tmp_path / "net.pth").write_bytes(pickle.dumps({"a": 1}, 2))
    with pytest.raises(InvalidFileError, match="net.pth"):
        read_checkpoint_tensors(tmp_path / "net.pth")


def many_names_of_one_storage(path: Path, megabytes: int, names: int, misaligned: bool = True) -> Path:
    """A zip whose list of contents has many storages where the file has the bytes of one."""
    count = megabytes * 2**18
    program = b"".join(text(f"backbone.{k}") + tensor(str(k), count, (1,), (1,)) for k in range(names))
    program = PROTOCOL + EMPTY_DICT + b"(" + program + b"u" + STOP
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", program)
        # Behind a name of a length that lets the bytes begin between two numbers, or at one.
        name = "net/data/"
        while (archive.fp.tell() + 30 + len(name)) % 4 != int(misaligned):
            name += "x"
        archive.writestr(name, b"\0" * 4 * count)
        stored = archive.filelist.pop()
        for k in range(names):
            twin = copy.copy(stored)
            twin.filename = f"net/data/{k}"
            archive.filelist.append(twin)
    return path


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("misaligned", [True, False])
def test_storages_that_are_one_under_many_names_are_refused(tmp_path, reader, misaligned):
    """Of each a copy would be made, where it does not begin at a number: gigabytes of a file of some megabytes."""
    path = many_names_of_one_storage(tmp_path / "net.ckpt", 10, 200, misaligned)
    message = run_limited(READERS[reader], path, megabytes=500, seconds=60).refused("InvalidFileError")
    assert "lie in each other" in message


def test_misaligned_numbers_are_copied_once_for_all_that_they_are_read_as(tmp_path):
    path = many_names_of_one_storage(tmp_path / "net.ckpt", 1, 1)
    found = read_checkpoint_tensors(path)
    assert found["backbone.0"].item() == 0
    kinds = (b"ctorch\nFloatStorage\n", b"ctorch\nIntStorage\n")
    both = b"".join(text(kind.decode()[7:12]) + tensor("0", 2, (2,), (1,)).replace(FLOATS, kind) for kind in kinds)
    aligned = packed(PROTOCOL + EMPTY_DICT + b"(" + both + b"u" + STOP, tmp_path / "two.ckpt", {"0": b"\0\0\x80?" * 2})
    raw = aligned.read_bytes()
    odd = read_checkpoint_tensors(aligned)
    assert raw.index(b"\0\0\x80?") % 4, "else nothing is copied"
    assert odd["Float"].tolist() == [1, 1] and odd["IntSt"].tolist() == [0x3F800000] * 2
    assert odd["Float"].untyped_storage().data_ptr() == odd["IntSt"].untyped_storage().data_ptr()
