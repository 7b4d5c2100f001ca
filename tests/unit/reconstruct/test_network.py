"""Networks out of TensorFlow Lite files: the numbers of TensorFlow Lite's own runtime, and no trust in the file."""

import struct

import numpy as np
import pytest
import torch
from detector_files import real_picture
from PIL import Image

from sesahand.errors import InvalidFileError
from sesahand.reconstruct.detection.detector_files import LANDMARK_FILE, LIGHT_PALM_FILE, PALM_FILE
from sesahand.reconstruct.detection.network import BUILDERS, Network
from sesahand.reconstruct.detection.tflite import OPERATORS, _Table, read_tflite

FILES = (PALM_FILE, LIGHT_PALM_FILE, LANDMARK_FILE)


def interpreter_of(path):
    litert = pytest.importorskip("ai_edge_litert.interpreter", reason="the reference, ai-edge-litert, is not installed")
    interpreter = litert.Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


def reference(interpreter, picture: np.ndarray) -> list[np.ndarray]:
    """Return what TensorFlow Lite gives, in the file's order of outputs."""
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture)
    interpreter.invoke()
    details = sorted(interpreter.get_output_details(), key=lambda detail: detail["name"])
    return [interpreter.get_tensor(detail["index"]) for detail in details]


def made_up(size: int) -> list[np.ndarray]:
    random = np.random.default_rng(4)
    shape = (1, size, size, 3)
    return [
        random.random(shape, dtype=np.float32),
        np.zeros(shape, dtype=np.float32),
        random.normal(0, 3, shape).astype(np.float32),
    ]


def photographed(size: int) -> list[np.ndarray]:
    photograph = Image.open(real_picture("photos/two_people_ok_sign.jpg")).convert("RGB").resize((size, size))
    return [np.asarray(photograph, dtype=np.float32)[None] / 255]


@pytest.mark.parametrize("pictures", [made_up, photographed])
@pytest.mark.parametrize("name", FILES)
def test_a_network_gives_what_tensorflow_lite_gives(detector_folder, name, pictures):
    network = Network(read_tflite(detector_folder / name))
    interpreter = interpreter_of(detector_folder / name)
    for picture in pictures(network.input_shape[1]):
        expected = reference(interpreter, picture)
        with torch.no_grad():
            found = network(torch.from_numpy(picture))
        # The names of the outputs sort in the file's order: Identity, Identity_1, ...
        assert [tuple(value.shape) for value in found] == [value.shape for value in expected]
        for ours, theirs in zip(found, expected, strict=True):
            scale = max(1.0, float(np.abs(theirs).max()))
            assert np.abs(ours.numpy() - theirs).max() <= 2e-5 * scale


@pytest.mark.parametrize("name", FILES)
def test_pictures_of_a_batch_do_not_see_each_other(detector_folder, name):
    network = Network(read_tflite(detector_folder / name))
    pictures = torch.rand(3, *network.input_shape[1:], generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        together = network(pictures)
        alone = [network(picture[None]) for picture in pictures]
    for output, parts in zip(together, zip(*alone, strict=True), strict=True):
        torch.testing.assert_close(output, torch.cat(parts), rtol=1e-4, atol=2e-3)


def test_every_operator_that_is_read_can_be_run():
    assert set(BUILDERS) == set(OPERATORS.values())


def load_or_refuse(path) -> bool:
    """Load and run what may be damaged: it must work or be refused, and nothing else."""
    try:
        network = Network(read_tflite(path))
    except InvalidFileError:
        return False
    with torch.no_grad():
        network(torch.zeros(network.input_shape))
    return True


def test_a_truncated_file_is_refused(detector_folder, tmp_path):
    data = (detector_folder / PALM_FILE).read_bytes()
    path = tmp_path / "cut.tflite"
    for size in (0, 1, 7, 8, 40, 1000, len(data) // 2, len(data) - 1000):
        path.write_bytes(data[:size])
        assert not load_or_refuse(path)


def table_places(data: bytes) -> list[int]:
    """Return where the file's tables begin: operators, tensors, buffers and their settings."""
    model = _Table.behind(data, 0)
    [graph] = model.tables(2)
    tables = [model, graph, *model.tables(1), *model.tables(4), *graph.tables(0), *graph.tables(3)]
    tables += filter(None, (operator.table(4) for operator in graph.tables(3)))
    return [table.start for table in tables]


def test_damaged_offsets_and_counts_are_refused_or_harmless(detector_folder, tmp_path):
    data = (detector_folder / LANDMARK_FILE).read_bytes()
    random = np.random.default_rng(7)
    path, refused = tmp_path / "damaged.tflite", 0
    for start in [0, 4, *random.choice(table_places(data), 70)]:
        place = int(start) + 4 * int(random.integers(0, 6))
        word = random.choice([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, len(data), int(random.integers(0, 2**32))])
        path.write_bytes(data[:place] + struct.pack("<I", int(word)) + data[place + 4 :])
        refused += not load_or_refuse(path)
    assert refused > 20, "the damage missed the structure"


def test_another_kind_of_file_is_refused_with_the_command_that_gets_the_right_one(tmp_path):
    path = tmp_path / "hand.tflite"
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(InvalidFileError, match="get-detector"):
        read_tflite(path)


def test_an_operator_that_is_not_known_is_named(detector_folder, tmp_path):
    """The code of PRELU, 54, becomes 32, that of operators of somebody's own."""
    data = bytearray((detector_folder / PALM_FILE).read_bytes())
    model = _Table.behind(bytes(data), 0)
    for table in model.tables(1):
        if table.number(0, "u8") == 54:
            data[table.place(0)] = 32
            if (place := table.place(3)) is not None:
                data[place] = 32
    path = tmp_path / "custom.tflite"
    path.write_bytes(bytes(data))
    with pytest.raises(InvalidFileError, match="operator 32 "):
        read_tflite(path)
