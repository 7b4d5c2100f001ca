"""Load Reconstructor inside ComfyUI: its folder, memory management, interruption, and what it refuses."""

import gc
import weakref

import pytest
import torch
from before_run import refusals
from hand_network_reference import SMALL_LAYERS, random_weights
from mano_fixture import write_mano
from progress_steps import every_step
from safetensors.torch import save_file
from sesahand_pack.nodes import load_reconstructor
from sesahand_pack.nodes.load_reconstructor import LoadReconstructor
from sesahand_pack.nodes.reconstruction import ReconstructHands
from sesahand_pack.sesahand.errors import SesaHandError
from sesahand_pack.sesahand.hands.builtin import load_builtin_hand
from sesahand_pack.sesahand.hands.mano import load_mano
from sesahand_pack.sesahand.reconstruct.landmarks import HandLandmarks
from sesahand_pack.sesahand.reconstruct.learned.regressor import HandRegressor, RegressorSettings
from sesahand_pack.sesahand.reconstruct.learned.regressor_files import write_network

import folder_paths
from comfy import model_management

FILES = {"HaMeR": "hamer/hamer.safetensors", "WiLoR": "wilor/wilor_final.ckpt"}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    root = tmp_path_factory.mktemp("recon")
    for kind, name in FILES.items():
        path = root / name
        path.parent.mkdir()
        weights = random_weights(SMALL_LAYERS[kind]())
        if path.suffix == ".ckpt":
            torch.save({"state_dict": weights, "epoch": 3}, path)
        else:
            save_file(weights, path)
    (root / "loose.ckpt").write_bytes(b"PK")
    return root


@pytest.fixture(scope="module")
def mano(tmp_path_factory):
    return load_mano(write_mano(tmp_path_factory.mktemp("mano")))


@pytest.fixture(autouse=True)
def folder(saved, monkeypatch):
    """Only this test's folder, with everything put back afterwards."""
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "hand_recon", ([str(saved)], {".ckpt", ".safetensors"}))
    monkeypatch.setattr(folder_paths, "filename_list_cache", {})
    yield saved
    model_management.unload_all_models()


def load(mano, kind="WiLoR", **widgets):
    return LoadReconstructor.execute(network_name=FILES[kind], hand_model=mano, **widgets)[0]


def landmarks_of(count=3, num_frames=2):
    boxes = torch.tensor([[20.0 + 9 * i, 10, 70 + 9 * i, 60] for i in range(count)]).reshape(-1, 4)
    sides = tuple(("right", "left")[i % 2] for i in range(count))
    frame = torch.arange(count) % num_frames
    points = (torch.zeros(count, 21, 2), torch.zeros(count, 21, 3))
    return HandLandmarks(120, 80, num_frames, frame, sides, *points, boxes, torch.ones(count), torch.ones(count))


def pictures(count=2):
    return torch.rand(count, 80, 120, 3, generator=torch.Generator().manual_seed(0))


def test_the_list_holds_the_files_of_both_folders_and_no_others(mano):
    assert load_reconstructor.network_files() == sorted(FILES.values())
    for kind in FILES:
        assert load(mano, kind).name == kind


@pytest.mark.parametrize("kind", FILES)
def test_it_loads_works_unloads_and_works_again(kind, mano):
    reconstructor = load(mano, kind)
    first = reconstructor(pictures(), landmarks_of())
    assert first.side == ("right", "left", "right") and first.frame.tolist() == [0, 1, 0] and first.num_frames == 2
    assert reconstructor.patcher.loaded_size() >= reconstructor.patcher.model_size() > 0
    model_management.unload_all_models()
    assert reconstructor.patcher.loaded_size() == 0
    again = reconstructor(pictures(), landmarks_of())
    assert torch.equal(first.hand_pose, again.hand_pose)


def test_reconstruct_hands_takes_it(mano):
    """The node's hands are the network's, also of pictures with alpha."""
    reconstructor = load(mano, "HaMeR")
    image = torch.cat([pictures(), torch.ones(2, 80, 120, 1)], -1)
    widgets = {
        entry.id: entry.default for entry in ReconstructHands.define_schema().inputs if hasattr(entry, "default")
    }
    widgets = {name: value for name, value in widgets.items() if value is not None}
    links = {"landmarks": landmarks_of(), "image": image, "reconstructor": reconstructor}
    scene = ReconstructHands.execute(**widgets | links)[0]
    assert torch.allclose(scene.hand_pose, reconstructor(pictures(), landmarks_of()).hand_pose, atol=1e-5)
    assert scene.side == ("right", "left", "right") and scene.model is mano


def test_a_network_of_ones_own_needs_no_mano(folder):
    """What `sesahand train` exported stands in a folder of its own, and tells the built-in hand."""
    network = HandRegressor(RegressorSettings("sesahand-cc0", 32, widths=(8, 16), hidden=16))
    network.get_buffer("init_hand_pose").copy_(torch.eye(3)[:, :2].T.reshape(1, 6).repeat(1, 16))
    network.get_buffer("init_cam")[0, 0] = 5.0
    (folder / "sesahand").mkdir()
    write_network(folder / "sesahand" / "own.safetensors", network, {})
    assert "sesahand/own.safetensors" in load_reconstructor.network_files()
    loaded = LoadReconstructor.execute(network_name="sesahand/own.safetensors", hand_model=load_builtin_hand())[0]
    scene = loaded(pictures(), landmarks_of())
    assert loaded.name == "SesaHand" and scene.model.name == "sesahand-cc0" and scene.side == landmarks_of().side
    (folder / "sesahand" / "own.safetensors").unlink()
    (folder / "sesahand").rmdir()


def test_weights_wait_on_the_offload_device(mano, monkeypatch):
    """The meta device stands in for a second one: what is offloaded to it has left the first."""
    monkeypatch.setattr(model_management, "unet_offload_device", lambda: torch.device("meta"))
    reconstructor = load(mano)
    network = reconstructor.reconstructor.network
    reconstructor(pictures(), landmarks_of())
    assert {weight.device.type for weight in network.parameters()} == {"cpu"}
    model_management.unload_all_models()
    assert {weight.device.type for weight in network.parameters()} == {"meta"}


def test_dropping_the_wire_frees_the_network(mano):
    reconstructor = load(mano)
    reconstructor(pictures(), landmarks_of())
    network, patcher = weakref.ref(reconstructor.reconstructor.network), weakref.ref(reconstructor.patcher)
    loaded = len(model_management.current_loaded_models)
    del reconstructor
    gc.collect()
    assert network() is None and patcher() is None
    assert len(model_management.current_loaded_models) == loaded - 1


def test_no_hands_need_no_weights(mano):
    reconstructor = load(mano)
    scene = reconstructor(pictures(), landmarks_of(0))
    assert len(scene) == 0 and scene.num_frames == 2
    assert reconstructor.patcher not in [loaded.model for loaded in model_management.current_loaded_models]


def test_cancelling_stops_between_chunks(mano):
    reconstructor = load(mano, chunk=1)
    seen = []
    hook = reconstructor.reconstructor.network.register_forward_pre_hook(lambda *_: seen.append(1) or cancel())

    def cancel():
        model_management.interrupt_current_processing(True)

    with pytest.raises(model_management.InterruptProcessingException):
        reconstructor(pictures(), landmarks_of())
    hook.remove()
    assert len(seen) == 1
    model_management.interrupt_current_processing(False)


def test_progress_reaches_the_hands(mano, monkeypatch):
    told = []
    every_step(monkeypatch, lambda value, total, *_, **__: told.append((value, total)))
    load(mano, chunk=2)(pictures(), landmarks_of())
    assert told[-1] == (3, 3) and (2, 3) in told


@pytest.mark.parametrize(
    ("choice", "dtype"), [("fp16", torch.float16), ("bf16", torch.bfloat16), ("fp32", torch.float32)]
)
def test_precision_is_the_weights(choice, dtype, mano):
    reconstructor = load(mano, dtype=choice)
    assert next(reconstructor.reconstructor.network.parameters()).dtype == dtype
    assert len(reconstructor(pictures(), landmarks_of())) == 3


def test_a_file_that_is_not_there_says_where_which_one_and_under_what_terms(folder, mano):
    [message] = refusals(LoadReconstructor, network_name="hamer/other.ckpt")
    for part in (
        str(folder),
        "hamer.ckpt from https://github.com/geopavlakos/hamer",
        "wilor_final.ckpt",
        "CC-BY-NC-ND",
    ):
        assert part in message
    with pytest.raises(SesaHandError, match="hamer.ckpt from"):
        LoadReconstructor.execute(network_name="../secret.ckpt", hand_model=mano)
    assert refusals(LoadReconstructor, network_name=FILES["HaMeR"]) == []


def test_other_hands_and_values_out_of_range_are_refused_before_gigabytes_are_read(mano, monkeypatch):
    monkeypatch.setattr(load_reconstructor, "load_network", lambda *_: pytest.fail("was read"))
    with pytest.raises(SesaHandError, match="needs MANO"):
        load(load_builtin_hand())
    for wrong in ({"dtype": "int4"}, {"chunk": 0}):
        with pytest.raises(SesaHandError, match=next(iter(wrong))):
            load(mano, **wrong)


def test_a_replaced_file_is_noticed(folder):
    name = FILES["HaMeR"]
    first = LoadReconstructor.fingerprint_inputs(name, hand_model=None)
    assert first == LoadReconstructor.fingerprint_inputs(name, hand_model=None)
    assert first != LoadReconstructor.fingerprint_inputs(name, "fp16", hand_model=None)
    (folder / name).touch()
    assert first != LoadReconstructor.fingerprint_inputs(name, hand_model=None)


def test_every_input_and_output_says_what_it_is_for():
    schema = LoadReconstructor.define_schema()
    assert [entry.id for entry in schema.inputs] == ["network_name", "hand_model", "dtype", "chunk"]
    assert all(entry.tooltip.endswith(".") for entry in [*schema.inputs, *schema.outputs])
