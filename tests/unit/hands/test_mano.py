"""MANO files: what is read from them, and what is refused."""

import io
import pickle
import random
import struct
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mano_fixture import mano_arrays, official_layout, pickled, write_mano
from safetensors.numpy import load_file

from sesahand.errors import InvalidFileError, SesaHandError, UnsafeFileError
from sesahand.files.pickle_reader import array_from, read_pickle
from sesahand.hands.loading import load_hand_model
from sesahand.hands.mano import convert_mano, load_mano, mean_pose, pose_from_pca, read_mano_arrays
from sesahand.hands.rotations import axis_angle_to_matrix, mirror_rotation

MODEL_ARRAYS = (
    "template",
    "faces",
    "shapedirs",
    "joint_template",
    "joint_shapedirs",
    "weights",
    "posedirs",
    "pose_mean",
)


@pytest.fixture(scope="module")
def right():
    return mano_arrays("right")


@pytest.fixture(scope="module")
def right_file(tmp_path_factory):
    return write_mano(tmp_path_factory.mktemp("mano"), "right")


@pytest.mark.parametrize("old", [False, True], ids=["today", "python2"])
@pytest.mark.parametrize("protocol", [0, 2])
def test_official_layout_is_read_bit_by_bit(tmp_path, right, protocol, old):
    arrays = read_mano_arrays(write_mano(tmp_path, "right", protocol, old))
    for name in ("v_template", "shapedirs", "posedirs", "weights", "hands_components", "hands_mean", "f"):
        np.testing.assert_array_equal(arrays[name], right[name], err_msg=name)
    np.testing.assert_array_equal(arrays["J_regressor"], right["J_regressor"])
    assert arrays["kintree_table"][0, 0] == -1


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_arrays_pickled_by_numpy_itself_are_read(tmp_path, right, protocol):
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(pickle.dumps({**right, "bs_style": "lbs", "bs_type": "lrotmin"}, protocol))
    np.testing.assert_array_equal(read_mano_arrays(path)["posedirs"], right["posedirs"])


def test_sparse_matrix_of_scipy_itself_is_read(right):
    sparse = pytest.importorskip("scipy.sparse").csc_matrix(right["J_regressor"])
    value = read_pickle(pickle.dumps(sparse, 2), "regressor")
    np.testing.assert_array_equal(array_from(value, "regressor"), right["J_regressor"])


def test_reading_needs_neither_chumpy_nor_scipy_nor_unpickling(right_file):
    program = (
        "import sys, pickle, importlib.util\n"
        "spec = importlib.util.spec_from_file_location('sesahand', sys.argv[1] + '/__init__.py',"
        " submodule_search_locations=[sys.argv[1]])\n"
        "sys.modules['sesahand'] = module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)\n"
        "from sesahand.hands.mano import load_mano\n"
        "def refuse(*_, **__): raise SystemExit('unpickled')\n"
        "pickle.Unpickler = pickle.load = pickle.loads = refuse\n"
        "before = 'scipy' in sys.modules\n"
        "load_mano(sys.argv[2])\n"
        "raise SystemExit(2 * ('chumpy' in sys.modules) + (not before and 'scipy' in sys.modules))\n"
    )
    package = sys.modules["sesahand"].__path__[0]
    assert subprocess.run([sys.executable, "-c", program, package, str(right_file)]).returncode == 0


def test_licence_of_mano_travels_with_the_model(right_file):
    model = load_mano(right_file)
    assert model.name == "mano"
    assert "non-commercial" in model.licence
    assert not model.has_forearm
    assert model.num_hand_vertices == 778 and model.num_hand_faces == 1538


@pytest.mark.parametrize("sign_error", [False, True])
def test_left_file_gives_the_same_hand_as_the_right_file(tmp_path, right_file, sign_error):
    from_right = load_mano(right_file)
    from_left = load_mano(write_mano(tmp_path, "left", sign_error=sign_error))
    for name in (*MODEL_ARRAYS, "pose_components"):
        first, second = getattr(from_right, name), getattr(from_left, name)
        if name == "faces":
            first, second = (set(map(frozenset, faces.tolist())) for faces in (first, second))
            assert first == second
        else:
            torch.testing.assert_close(first, second, rtol=0, atol=1e-7, msg=name)


def test_left_file_faces_still_look_outwards(tmp_path):
    model = load_mano(write_mano(tmp_path, "left"))
    a, b, c = model.template[model.faces].unbind(1)
    centred = a - model.template.mean(0)
    assert float((torch.linalg.cross(b - a, c - a) * centred).sum()) > 0


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("sign_error", [False, True])
def test_conversion_keeps_the_side_and_reads_back_the_same(tmp_path, side, sign_error):
    source = write_mano(tmp_path, side, sign_error=sign_error)
    convert_mano(source, tmp_path / "converted.safetensors")
    expected = mano_arrays(side)
    stored = load_file(tmp_path / "converted.safetensors")
    np.testing.assert_allclose(stored["shapedirs"], expected["shapedirs"], atol=1e-9)
    np.testing.assert_array_equal(stored["f"], expected["f"])
    first, second = load_mano(source), load_mano(tmp_path / "converted.safetensors")
    for name in MODEL_ARRAYS:
        torch.testing.assert_close(getattr(first, name), getattr(second, name), rtol=0, atol=1e-7)


def test_npz_with_official_keys_is_read(tmp_path, right, right_file):
    np.savez(tmp_path / "MANO_RIGHT.npz", **right)
    first, second = load_mano(right_file), load_mano(tmp_path / "MANO_RIGHT.npz")
    for name in MODEL_ARRAYS:
        assert torch.equal(getattr(first, name), getattr(second, name))


def test_folder_with_only_a_left_file_is_enough(tmp_path, right_file):
    write_mano(tmp_path, "left", sign_error=True)
    torch.testing.assert_close(load_hand_model(tmp_path).template, load_hand_model(right_file).template)
    assert load_hand_model("builtin").name != "mano"


def test_folder_without_a_mano_file_says_where_to_get_one(tmp_path):
    with pytest.raises(InvalidFileError, match="mano.is.tue.mpg.de"):
        load_hand_model(tmp_path)
    with pytest.raises(InvalidFileError, match="MANO_RIGHT.pkl"):
        load_mano(tmp_path / "hand.obj")


@pytest.mark.parametrize(("tips", "thumb", "middle"), [("smplx", 744, 443), ("manopth", 745, 444)])
def test_both_fingertip_sets_are_selectable(right_file, tips, thumb, middle):
    model = load_mano(right_file, tips)
    assert model.tips[0] == thumb and model.tips[2] == middle
    with pytest.raises(SesaHandError, match="smplx, manopth"):
        load_mano(right_file, "openpose")


def test_each_part_is_one_piece_and_every_joint_has_one(right_file):
    trimesh = pytest.importorskip("trimesh")
    model = load_mano(right_file)
    assert set(model.part_ids.tolist()) == set(range(16))
    adjacency = trimesh.Trimesh(model.template.numpy(), model.faces.numpy(), process=False).face_adjacency
    for part in range(16):
        faces = (model.part_ids == part).nonzero()[:, 0].numpy()
        inside = adjacency[np.isin(adjacency, faces).all(1)]
        assert len(trimesh.graph.connected_components(inside, nodes=faces)) == 1, part


def test_pca_pose_adds_the_mean_and_zero_coefficients_give_it(right_file, right):
    model = load_mano(right_file)
    zero = pose_from_pca(model, torch.zeros(1, 6))
    torch.testing.assert_close(zero[0], mean_pose(model))
    torch.testing.assert_close(mean_pose(model, is_right=False), mirror_rotation(mean_pose(model)))
    flat = pose_from_pca(model, torch.tensor([[0.0, 1.0]]), flat_hand_mean=True)
    expected = axis_angle_to_matrix(torch.from_numpy(right["hands_components"][1]).reshape(15, 3).float())
    torch.testing.assert_close(flat[0], expected)


def test_pca_pose_is_mirrored_for_left_hands(right_file):
    model = load_mano(right_file)
    coefficients = torch.randn(2, 45, generator=torch.Generator().manual_seed(1))
    both = pose_from_pca(model, coefficients, is_right=torch.tensor([True, False]))
    plain = pose_from_pca(model, coefficients)
    assert torch.equal(both[0], plain[0])
    assert torch.equal(both[1], mirror_rotation(plain[1]))


@pytest.mark.parametrize("bad", [torch.zeros(45), torch.zeros(1, 46), torch.zeros(1, 0), torch.full((1, 3), torch.nan)])
def test_wrong_pca_coefficients_are_refused(right_file, bad):
    with pytest.raises(SesaHandError, match="PCA"):
        pose_from_pca(load_mano(right_file), bad)


def test_hand_without_pose_space_refuses_pca():
    with pytest.raises(SesaHandError, match="MANO"):
        pose_from_pca(load_hand_model("builtin"), torch.zeros(1, 6))


# Hostile pickles. Each would leave the file `canary` behind, or import something, if anything of it were carried out.


class Calls:
    """Pickles as a call of a function with arguments."""

    def __init__(self, function, *arguments):
        self.reduced = (function, arguments)

    def __reduce__(self):
        return self.reduced


def named(module: str, name: str, arguments: bytes = b"(tR") -> bytes:
    return b"\x80\x02c" + f"{module}\n{name}\n".encode() + arguments + b"."


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def hostile_files(canary: str) -> dict[str, tuple[bytes, str]]:
    """Return pickles by what they try, each with what the refusal must name."""
    import os

    command = f"touch {canary}"
    array = pickle.dumps(np.zeros(3), 2)
    recording = np.memmap.__module__
    return {
        "os.system": (pickle.dumps(Calls(os.system, command), 2), "system"),
        "os.system in protocol 0": (pickle.dumps(Calls(os.system, command), 0), "system"),
        "eval": (pickle.dumps(Calls(eval, f"open({canary!r}, 'w')"), 2), "eval"),
        "exec": (named("builtins", "exec", b"(" + text(f"open({canary!r}, 'w')") + b"tR"), "builtins.exec"),
        "getattr chain": (pickle.dumps(Calls(getattr, "x", "upper"), 2), "getattr"),
        "dotted name": (b"\x80\x04" + b"\x8c\x05numpy\x8c\x0endarray.tofile\x93.", "ndarray.tofile"),
        "dotted module": (b"\x80\x04" + b"\x8c\x02os\x8c\x06system\x93" + b"(" + text(command) + b"tR.", "os.system"),
        "inst": (b"(" + text(command) + b"ios\nsystem\n.", "instruction"),
        "obj": (b"(c__builtin__\nobject\no.", "instruction"),
        "extension registry": (b"\x80\x02\x82\x01.", "instruction"),
        "persistent id": (b"\x80\x02Pcanary\n.", "instruction"),
        "binary persistent id": (b"\x80\x02K\x01Q.", "instruction"),
        "new object with keywords": (b"\x80\x04cnumpy\nndarray\n)}\x92.", "instruction"),
        "numpy.load": (named("numpy", "load", b"(" + text(canary) + b"tR"), "numpy.load"),
        "memmap": (named("numpy", "memmap", b"(" + text(canary) + text("w+") + b"tR"), "numpy.memmap"),
        "memmap by its module": (named(recording, "memmap"), "memmap"),
        "numpy.testing": (named("numpy.testing._private.utils", "runstring"), "runstring"),
        "numpy.f2py": (named("numpy.f2py.diagnose", "run_command"), "run_command"),
        "copy_reg on another class": (
            b"ccopy_reg\n_reconstructor\n(c_codecs\nencode\nc__builtin__\nobject\nNtR.", "_reconstructor"),
        "copy_reg with another base": (
            b"ccopy_reg\n_reconstructor\n(cchumpy.ch\nCh\ncnumpy\nndarray\nNtR.", "_reconstructor"),
        "copy_reg with state": (
            b"ccopy_reg\n_reconstructor\n(cchumpy.ch\nCh\nc__builtin__\nobject\nK\x01tR.", "_reconstructor"),
        "copy_reg extension": (named("copy_reg", "add_extension"), "add_extension"),
        "call of data": (b"\x80\x02X\x01\x00\x00\x00a(tR.", "calls"),
        "call of object": (b"\x80\x02c__builtin__\nobject\n(tR.", "object"),
        "object from a function": (b"\x80\x02c_codecs\nencode\n)\x81.", "object"),
        "state on a dict": (b"\x80\x02}}b.", "in place"),
        "state on a name": (b"\x80\x02cnumpy\nndarray\n}b.", "in place"),
        "name with a line break trick": (b"\x80\x02cnumpy \nndarray\n.", "numpy "),
        "importlib": (named("importlib", "import_module", b"(" + text("antigravity") + b"tR"), "import_module"),
        "torch.load": (named("torch", "load"), "torch.load"),
        "joblib": (named("joblib.numpy_pickle", "NumpyArrayWrapper"), "NumpyArrayWrapper"),
        "after an array": (array[:-1] + named("posix", "system", b"(" + text(command) + b"tR")[2:], "posix.system"),
        "endless instructions": (b"\x80\x02" + b"N0" * 200_000 + b"N.", "instructions"),
    }  # fmt: skip


@pytest.mark.parametrize("attack", sorted(hostile_files("x")))
def test_hostile_pickle_is_refused_by_name_and_without_effect(tmp_path, monkeypatch, attack):
    canary = tmp_path / "canary"
    raw, named_in_message = hostile_files(str(canary))[attack]
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(raw)
    modules = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnsafeFileError) as refusal:
        load_mano(path)
    assert named_in_message in str(refusal.value)
    assert str(path) in str(refusal.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["MANO_RIGHT.pkl"]
    assert "antigravity" not in set(sys.modules) - modules


def with_value(key: str, value: bytes) -> bytes:
    """Return the pickle of the fixture with one value replaced by other instructions."""
    whole = pickled(official_layout(mano_arrays()))
    return whole[:-2] + b"X" + struct.pack("<I", len(key)) + key.encode() + value + b"u."


def array_state(shape: bytes, dtype: bytes, raw: bytes) -> bytes:
    """Return instructions for an ndarray with the given state."""
    return (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
        b"(K\x01" + shape + dtype + b"\x89" + raw + b"tb"
    )


FLOAT = b"cnumpy\ndtype\n(U\x02f8K\x00K\x01tR(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
OBJECT = FLOAT.replace(b"U\x02f8", b"U\x02O8")
NESTED = b"cchumpy.ch\nCh\n)\x81}U\x01x" * 50 + b"N" + b"sb" * 50
ITSELF = b"cchumpy.ch\nCh\n)\x81q\xf0}U\x01xh\xf0sb"
# A list of ten times the list before, eleven levels deep: 10^11 entries, if anyone were to follow them.
LAUGHS = b"(K\x00lq\xf1" + b"".join(
    b"0(" + (b"h" + bytes([k - 1])) * 10 + b"lq" + bytes([k]) for k in range(0xF2, 0xFC)
)  # fmt: skip

MALFORMED_VALUES = {
    "object array": array_state(b"K\x03\x85", OBJECT, b"(NNNl"),
    "huge shape": array_state(b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86", FLOAT, b"U\x08abcdefgh"),
    "negative shape": array_state(b"J\xff\xff\xff\xff\x85", FLOAT, b"U\x08abcdefgh"),
    "shape of another size": array_state(b"K\x05\x85", FLOAT, b"U\x08abcdefgh"),
    "bytes that are a list": array_state(b"K\x01\x85", FLOAT, b"]"),
    "dtype that is text": array_state(b"K\x01\x85", b"U\x02f8", b"U\x08abcdefgh"),
    "dtype of fields": array_state(b"K\x01\x85", FLOAT.replace(b"U\x02f8", b"U\x03V64"), b"U\x08abcdefgh"),
    "dtype of billion laughs": array_state(
        b"K\x01\x85", b"cnumpy\ndtype\n(" + LAUGHS + b"tR(K\x03U\x01<tb", b"U\x08abcdefgh"
    ),
    "array without state": b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR",
    "array whose state is a number": b"cnumpy\nndarray\n)\x81K\x05b",
    "chumpy without state": b"cchumpy.ch\nCh\n)\x81",
    "chumpy with a hostile state": b"cchumpy.ch\nCh\n)\x81}U\x08__dict__NsU\x09__class__cnumpy\nndarray\nsb",
    "chumpy state that is a tuple": b"cchumpy.ch\nCh\n)\x81(K\x01K\x02tb",
    "chumpy within chumpy": NESTED,
    "chumpy that holds itself": ITSELF,
    "selection out of range": b"cchumpy.reordering\nSelect\n)\x81}(U\x01a"
    + array_state(b"K\x01\x85", FLOAT, b"U\x08abcdefgh") + b"U\x04idxs"
    + array_state(b"K\x01\x85", FLOAT.replace(b"f8", b"i8"), b"U\x08\xff\xff\xff\x00\x00\x00\x00\x00") + b"ub",
    "sparse matrix without parts": b"cscipy.sparse.csc\ncsc_matrix\n)\x81}U\x05shapeK\x10M\x0a\x03\x86sb",
    "billion laughs": LAUGHS,
    "text": b"U\x05hello",
    "function": b"c_codecs\nencode\n",
}  # fmt: skip


@pytest.mark.parametrize("case", sorted(MALFORMED_VALUES))
def test_malformed_array_in_an_otherwise_good_file_is_refused(tmp_path, case):
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(with_value("v_template", MALFORMED_VALUES[case]))
    with pytest.raises(InvalidFileError, match="v_template"):
        load_mano(path)


def test_replacing_a_value_by_a_good_one_is_accepted(tmp_path, right):
    """The malformed files above fail for what is in them, not for how they are put together."""
    raw = right["v_template"].tobytes()
    value = array_state(b"M\x0a\x03K\x03\x86", FLOAT, b"T" + struct.pack("<i", len(raw)) + raw)
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(with_value("v_template", value))
    np.testing.assert_array_equal(read_mano_arrays(path)["v_template"], right["v_template"])


BROKEN_STREAMS = {
    "long of 2 GiB": b"\x80\x02\x8b\xff\xff\xff\x7f.",
    "negative long": b"\x80\x02\x8b\xff\xff\xff\xff.",
    "negative string": b"\x80\x02T\xff\xff\xff\xff.",
    "bytes of 16 EiB": b"\x80\x04\x8e" + b"\xff" * 8 + b".",
    "bytearray of 8 GiB": b"\x80\x05\x96\x00\x00\x00\x00\x02\x00\x00\x00.",
    "number of a million digits": b"I" + b"9" * 1_000_000 + b"\n.",
    "unknown memo": b"\x80\x02h\x07.",
    "empty stack": b"\x80\x02R.",
    "mark underflow": b"\x80\x02(N(\x85.",
    "mark missing": b"\x80\x02u.",
    "odd items": b"\x80\x02}(Nu.",
    "list as key": b"\x80\x02}]Ns.",
    "two results": b"\x80\x02NN.",
    "no result": b"\x80\x02.",
    "string without quotes": b"Sabc\n.",
    "broken utf-8": b"\x80\x02X\x02\x00\x00\x00\xff\xff.",
    "not a pickle": b"PK\x03\x04 and so on",
    "a web page": b"<!DOCTYPE html><html>Please register</html>",
    "deep objects": b"\x80\x02" + b"cchumpy.ch\nCh\n)\x81" * 9_000 + b"b" * 8_999 + b".",
    "deep tuples": b"\x80\x02N" + b"\x85" * 40_000 + b".",
    "deep nesting": b"\x80\x02" + b"]" * 20_000 + b"a" * 19_999 + b".",
}


@pytest.mark.parametrize("case", sorted(BROKEN_STREAMS))
def test_broken_stream_is_an_error_that_names_the_file(tmp_path, case):
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(BROKEN_STREAMS[case])
    with pytest.raises(InvalidFileError, match="MANO_RIGHT.pkl"):
        load_mano(path)


def test_truncated_file_is_refused_wherever_it_ends(tmp_path, right_file):
    whole = right_file.read_bytes()
    path = tmp_path / "MANO_RIGHT.pkl"
    for share in (0.001, 0.1, 0.5, 0.9, 0.9999):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(InvalidFileError, match="truncated"):
            load_mano(path)
    path.write_bytes(b"")
    with pytest.raises(InvalidFileError, match="empty"):
        load_mano(path)
    with pytest.raises(InvalidFileError, match="does not exist"):
        load_mano(tmp_path / "nowhere.pkl")


PIECES = [
    b"\x80\x02", b"(", b")", b"]", b"}", b"N", b"K\x01", b"U\x02ab", b"cnumpy\nndarray\n", b"cchumpy.ch\nCh\n",
    b"R", b"b", b"\x81", b"\x85", b"\x86", b"t", b"a", b"e", b"s", b"u", b"0", b"1", b"q\x00", b"h\x00", b"d", b"l",
    b".", b"c_codecs\nencode\n", FLOAT, b"I01\n", b"G" + bytes(8), b"S'a'\n", b"\x93", b"p5\n", b"g5\n", b"L5L\n",
]  # fmt: skip


def random_pickle(chance: random.Random) -> bytes:
    parts = (
        chance.choice(PIECES) if chance.random() < 0.9 else chance.randbytes(chance.randrange(5))
        for _ in range(chance.randrange(41))
    )
    # Half of them end, so that what they made is looked at.
    return b"".join(parts) + b"." * chance.randrange(2)


def test_random_pickles_are_read_or_refused_and_nothing_else():
    read = 0
    for seed in range(5000):
        raw = random_pickle(random.Random(seed))
        try:
            value = read_pickle(raw, "random.pkl")
            read += 1
            array_from(value, "random.pkl")
        except SesaHandError:
            continue
        except Exception as error:
            raise AssertionError(f"{raw!r} (seed {seed}) ended so") from error
    assert read > 50, "hardly any was whole"


@settings(max_examples=60, deadline=None)
@given(position=st.floats(0, 1), byte=st.integers(0, 255))
def test_one_wrong_byte_never_raises_anything_else(right_file, position, byte):
    raw = bytearray(right_file.read_bytes())
    raw[int(position * (len(raw) - 1))] = byte
    try:
        value = read_pickle(bytes(raw), "flipped.pkl")
        for name in ("v_template", "shapedirs", "J_regressor") if isinstance(value, dict) else ():
            if name in value:
                array_from(value[name], name)
    except SesaHandError:
        pass


WRONG_ARRAYS = {
    "missing": ("posedirs", None, "posedirs"),
    "wrong shape": ("v_template", np.zeros((6890, 3)), "6890"),
    "flat": ("weights", np.zeros(778 * 16), "weights"),
    "NaN": ("v_template", np.full((778, 3), np.nan), "v_template"),
    "infinite": ("posedirs", np.full((778, 3, 135), np.inf), "posedirs"),
    "absurd": ("v_template", np.full((778, 3), 1e30), "v_template"),
    "too few shapes": ("shapedirs", np.zeros((778, 3, 9)), "at least 10"),
    "face out of range": ("f", np.full((1538, 3), 778, np.uint32), "vertices outside"),
    "faces as fractions": ("f", np.zeros((1538, 3)), "whole numbers"),
    "another skeleton": ("kintree_table", np.zeros((2, 16), np.int64), "kintree_table"),
    "weights that do not sum to one": ("weights", np.ones((778, 16)), "sum to one"),
    "complex": ("hands_mean", np.zeros(45, np.complex64), "hands_mean"),
}


@pytest.mark.parametrize("kind", ["pkl", "npz", "safetensors"])
@pytest.mark.parametrize("case", sorted(WRONG_ARRAYS))
def test_wrong_array_is_an_error_that_names_file_and_key(tmp_path, right, case, kind):
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    key, value, named_in_message = WRONG_ARRAYS[case]
    arrays = {name: array for name, array in {**right, key: value}.items() if array is not None}
    path = tmp_path / f"MANO_RIGHT.{kind}"
    if kind == "pkl":
        path.write_bytes(pickle.dumps(arrays, 2))
    elif kind == "npz":
        np.savez(path, **arrays)
    else:
        try:
            save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)
        except SafetensorError as error:
            pytest.skip(f"this safetensors is too old to write it: {error}")
    with pytest.raises(InvalidFileError, match=named_in_message) as error:
        load_mano(path)
    assert path.name in str(error.value)


def test_body_model_with_another_skinning_is_refused(tmp_path, right):
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(pickle.dumps({**right, "bs_style": "dqbs"}, 2))
    with pytest.raises(InvalidFileError, match="bs_style"):
        load_mano(path)


def test_object_arrays_in_npz_are_refused(tmp_path, right):
    path = tmp_path / "MANO_RIGHT.npz"
    np.savez(path, **{**right, "v_template": np.array([Calls(print, "canary")], object)})
    with pytest.raises(UnsafeFileError, match="v_template"):
        load_mano(path)


def test_npz_that_lies_about_its_size_is_refused(tmp_path, right):
    import zipfile

    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6)})
    path = tmp_path / "MANO_RIGHT.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("v_template.npy", header.getvalue() + b"12345678")
    with pytest.raises(InvalidFileError, match="v_template"):
        load_mano(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("v_template.npy", bytes(200 * 2**20))
    assert path.stat().st_size < 2**20
    with pytest.raises(InvalidFileError, match="unpacks to more"):
        load_mano(path)


@pytest.mark.parametrize("kind", ["npz", "safetensors", "pkl"])
def test_garbage_of_every_kind_is_refused(tmp_path, kind):
    path = tmp_path / f"MANO_RIGHT.{kind}"
    path.write_bytes(b"\x80garbage" * 100)
    with pytest.raises(InvalidFileError, match="MANO_RIGHT"):
        load_mano(path)


def test_file_over_the_size_limit_is_refused_unread(tmp_path):
    path = tmp_path / "MANO_RIGHT.pkl"
    with path.open("wb") as file:
        file.truncate(65 * 2**20)
    with pytest.raises(InvalidFileError, match="larger"):
        load_mano(path)


def test_conversion_of_a_bad_file_writes_nothing(tmp_path):
    source = tmp_path / "MANO_RIGHT.pkl"
    source.write_bytes(named("os", "system"))
    with pytest.raises(UnsafeFileError):
        convert_mano(source, tmp_path / "out.safetensors")
    with pytest.raises(SesaHandError, match="safetensors"):
        convert_mano(source, tmp_path / "out.bin")
    assert [entry.name for entry in tmp_path.iterdir()] == ["MANO_RIGHT.pkl"]


def test_fixture_names_what_official_files_name(tmp_path):
    import pickletools

    raw = write_mano(tmp_path, "right", 2, old=True).read_bytes()
    names = {tuple(argument.split(" ")) for code, argument, _ in pickletools.genops(raw) if code.name == "GLOBAL"}
    assert {("chumpy.ch", "Ch"), ("chumpy.reordering", "Select"), ("scipy.sparse.csc", "csc_matrix")} <= names
    assert ("numpy.core.multiarray", "_reconstruct") in names
