"""The nodes of the families hand and condition, called as ComfyUI calls them."""

import json
import os
import re
import struct
from pathlib import Path

import pytest
import torch
from before_run import refusals
from comfy_execution.graph_utils import ExecutionBlocker
from sesahand_pack.nodes import condition, hand, wires
from sesahand_pack.nodes.model_folders import register_model_folder
from sesahand_pack.sesahand.errors import SesaHandError
from sesahand_pack.sesahand.hands.loading import load_hand_model
from sesahand_pack.sesahand.reconstruct.landmarks import HandLandmarks
from sesahand_pack.sesahand.scene.camera import Camera
from sesahand_pack.sesahand.scene.hand_scene import HandScene, concatenate_frames
from sesahand_pack.sesahand.semantics.extractor import extract_semantics

import folder_paths
from comfy_api.latest import io


def defaults(node, **given):
    """Return the arguments that ComfyUI would give a node whose widgets were left alone."""
    inputs = node.define_schema().inputs
    return {i.id: i.default for i in inputs if not i.optional and getattr(i, "default", None) is not None} | given


def run(node, **given):
    return node.execute(**defaults(node, **given)).result


def read_glb(path):
    """Return vertices and faces of the one mesh of a GLB file as core writes it."""
    raw = path.read_bytes()
    magic, _, length, text_length, _ = struct.unpack("<4sIIII", raw[:20])
    assert magic == b"glTF" and length == len(raw)
    header, data = json.loads(raw[20 : 20 + text_length]), raw[28 + text_length :]
    [primitive] = header["meshes"][0]["primitives"]
    arrays = []
    for index, dtype in ((primitive["attributes"]["POSITION"], torch.float32), (primitive["indices"], torch.int32)):
        view = header["bufferViews"][header["accessors"][index]["bufferView"]]
        part = bytearray(data[view["byteOffset"] : view["byteOffset"] + view["byteLength"]])
        arrays.append(torch.frombuffer(part, dtype=dtype).reshape(-1, 3))
    return arrays[0], arrays[1].long()


@pytest.fixture(autouse=True)
def folders(tmp_path):
    """Give the nodes input, output and temp folders of this test's own."""
    kinds = ("input", "output", "temp")
    before = {kind: getattr(folder_paths, f"get_{kind}_directory")() for kind in kinds}
    for kind in kinds:
        (tmp_path / kind).mkdir()
        getattr(folder_paths, f"set_{kind}_directory")(str(tmp_path / kind))
    yield tmp_path
    for kind, path in before.items():
        getattr(folder_paths, f"set_{kind}_directory")(path)


@pytest.fixture
def posed():
    return run(hand.PoseHand)[0]


def test_maps_have_comfyuis_shapes_types_and_ranges(posed):
    *pictures, mask, mesh, boxes, _, _ = run(condition.RenderCondition, hands=posed)
    assert len(pictures) == 5
    for picture in pictures:
        assert picture.shape == (1, 512, 512, 3) and picture.dtype == torch.float32 and picture.is_contiguous()
        assert picture.min() >= 0 and 0.3 < picture.max() <= 1
    assert mask.shape == (1, 512, 512) and mask.dtype == torch.float32
    assert mesh.vertices.ndim == 3 and mesh.vertices.shape[0] == mesh.faces.shape[0] == 1
    [entry] = json.loads(boxes)
    rows, columns = (mask[0] > 0).nonzero().T
    assert entry["box"] == [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1]
    assert entry["frame"] == 0 and entry["side"] == "right"


def test_the_default_hand_fills_the_middle_of_the_picture(posed):
    mask = run(condition.RenderCondition, hands=posed)[5]
    rows, columns = (mask[0] > 0.5).nonzero().T
    assert abs((rows.min() + rows.max()) / 2 - 256) < 3 and abs((columns.min() + columns.max()) / 2 - 256) < 3
    assert 0.7 * 512 < rows.max() - rows.min() < 0.95 * 512


def test_pictures_take_another_size_but_not_other_proportions(posed):
    assert run(condition.RenderCondition, hands=posed, width=256)[0].shape == (1, 256, 256, 3)
    assert run(condition.RenderCondition, hands=posed, height=640)[0].shape == (1, 640, 640, 3)
    with pytest.raises(SesaHandError, match="aspect ratio.*Set width or height to 0"):
        run(condition.RenderCondition, hands=posed, width=256, height=512)


def test_no_hands_give_black_pictures(posed):
    none = HandScene.empty(posed.model, posed.camera, 2)
    *pictures, mask, mesh, boxes, _, _ = run(condition.RenderCondition, hands=none)
    assert all(picture.shape == (2, 512, 512, 3) and not picture.any() for picture in pictures)
    assert not mask.any() and isinstance(mesh, ExecutionBlocker) and json.loads(boxes) == []
    assert len(run(hand.PlaceHand, hands=none)[0]) == 0


@pytest.mark.parametrize("side", ["right", "left"])
def test_the_mesh_goes_through_cores_save_glb_and_is_watertight(side, folders):
    try:
        from comfy_extras.nodes_save_3d import SaveGLB
    except ImportError:
        from comfy_extras.nodes_hunyuan3d import SaveGLB

    scene = run(hand.PoseHand, side=side)[0]
    mesh = run(condition.RenderCondition, hands=scene)[6]
    if hasattr(SaveGLB, "execute"):
        queued = type("SaveGLB", (SaveGLB,), {"hidden": io.HiddenHolder.from_dict({})})
        saved = queued.execute(mesh, "mesh/hand").ui["3d"][0]
    else:
        [saved] = SaveGLB().save(mesh, "mesh/hand")["ui"]["3d"]
    vertices, faces = read_glb(folders / "output" / saved["subfolder"] / saved["filename"])
    # Where texture coordinates jump, a vertex has copies at its very place.
    vertices, same = torch.unique(vertices, dim=0, return_inverse=True)
    faces = same[faces]
    edges = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).tolist()
    assert {(a, b) for a, b in edges} == {(b, a) for a, b in edges} and len(set(map(tuple, edges))) == len(edges)
    corners = vertices[faces].double()
    volume = (corners[:, 0] * torch.linalg.cross(corners[:, 1], corners[:, 2])).sum() / 6
    assert 1e-4 < volume < 1e-3, f"a hand holds 0.1 to 1 litre, faces wound outwards; got {volume * 1000:.2f} litres"
    size = vertices.amax(0) - vertices.amin(0)
    assert size.argmax() == 1, "an upright hand is tall in a y-up frame"
    assert vertices[:, 2].max() < 0, "a hand before the camera has negative z there"


def semantics_of(*captions):
    return extract_semantics(captions)


def same_hand(one, other):
    return one.side == other.side and torch.equal(one.hand_pose, other.hand_pose)


@pytest.fixture
def shown(monkeypatch):
    """What a node shows on itself."""
    texts = []
    monkeypatch.setattr(hand, "show_on_node", texts.append)
    return texts


def test_the_words_choose_gesture_and_side(shown):
    words = semantics_of("A woman is clenching her left hand.")
    found, report = run(hand.PoseHand, semantics=words, gesture="victory")
    assert same_hand(found, run(hand.PoseHand, gesture="fist", side="left")[0])
    assert report == "left hand, fist: from 'clenching her left hand'"
    assert shown == [f"overridden by semantics: gesture (victory) and side (right)\n{report}"]
    plain, report = run(hand.PoseHand, gesture="victory")
    assert plain.side == ("right",) and report == "right hand, victory: as chosen"


@pytest.mark.parametrize("side", ["right", "left"])
def test_words_that_do_not_say_which_hand_leave_the_side_to_the_widget(side, shown):
    found, report = run(hand.PoseHand, semantics=semantics_of("A man makes a peace sign."), side=side)
    assert same_hand(found, run(hand.PoseHand, gesture="victory", side=side)[0])
    assert shown == [f"overridden by semantics: gesture (open_palm)\n{report}"]


def test_every_hand_that_is_described_is_posed_and_the_others_are_reported():
    words = semantics_of("A man points with his left hand and makes a fist with his right hand.")
    found, report = run(hand.PoseHand, semantics=words)
    assert found.side == ("right", "left") and found.num_frames == 1
    for index, (gesture, side) in enumerate([("fist", "right"), ("point", "left")]):
        alone = run(hand.PoseHand, gesture=gesture, side=side)[0]
        assert torch.equal(found.hand_pose[index], alone.hand_pose[0])
    keypoints = found.pose().keypoints
    assert keypoints[0, :, 0].max() < keypoints[1, :, 0].min(), "the right hand stands left of the other, both apart"
    assert "left hand, point" in report and "right hand, fist" in report
    _, report = run(hand.PoseHand, semantics=semantics_of("girl with her left hand on her hip, right hand ok sign"))
    assert "left hand, not posed: no gesture of the library fits" in report and "right hand, ok" in report


def test_two_hands_of_a_frame_are_placed_side_by_side():
    words = semantics_of("A man makes fists with both hands.", "A girl makes an ok sign.")
    posed = run(hand.PoseHand, semantics=words)[0]
    placed = run(hand.PlaceHand, hands=posed, width=256, height=128, size=0.5)[0]
    assert placed.frame.tolist() == [0, 0, 1] and placed.num_frames == 2
    first, second, _ = json.loads(run(condition.RenderCondition, hands=placed)[7])
    assert first["box"][2] < second["box"][0] and first["side"] == "right"
    with pytest.raises(SesaHandError, match="several hands in one picture"):
        run(hand.PlaceHand, hands=posed, mask=torch.ones(1, 64, 64))


def test_several_captions_give_a_frame_each_and_each_varies_in_its_own_way():
    words = semantics_of("A man makes a fist.", "A man raises his left fist.", "A girl makes an ok sign.")
    found, report = run(hand.PoseHand, semantics=words, jitter=5, seed=2**64 - 1)
    assert found.num_frames == 3 and found.frame.tolist() == [0, 1, 2] and found.side == ("right", "left", "right")
    assert len(report.splitlines()) == 3 and "ok" in report.splitlines()[2]
    first, again = (run(hand.PoseHand, gesture="fist", jitter=5, seed=seed)[0] for seed in (2**64 - 1, 0))
    assert torch.equal(found.hand_pose[:1], first.hand_pose)
    mirrored = run(hand.PoseHand, gesture="fist", side="left", jitter=5, seed=0)[0]
    assert torch.equal(found.hand_pose[1:2], mirrored.hand_pose) and not torch.equal(first.hand_pose, again.hand_pose)
    placed = run(hand.PlaceHand, hands=found, width=64, height=64)[0]
    assert run(condition.RenderCondition, hands=placed)[0].shape == (3, 64, 64, 3)


def test_words_without_a_gesture_are_an_error_that_lists_them():
    with pytest.raises(SesaHandError, match="image 2, 'A lake.*name no gesture.*open_palm.*fist"):
        run(hand.PoseHand, semantics=semantics_of("A man makes a fist.", "A lake in the mountains."))


def test_placing_by_box_and_by_point_agree_with_the_rendered_picture(posed):
    scene = run(hand.PlaceHand, hands=posed, width=640, height=384, box="100, 50, 300, 350", roll=20, yaw=30)[0]
    [entry] = json.loads(run(condition.RenderCondition, hands=scene)[7])
    left, top, right, bottom = entry["box"]
    assert 98 <= left and 48 <= top and right <= 302 and bottom <= 352
    assert abs((left + right) / 2 - 200) < 3 and abs((top + bottom) / 2 - 200) < 3
    point = run(hand.PlaceHand, hands=posed, width=640, height=384, x=0.25, y=0.5, size=0.5)[0]
    left, top, right, bottom = json.loads(run(condition.RenderCondition, hands=point)[7])[0]["box"]
    assert abs((left + right) / 2 - 160) < 3 and abs(max(right - left, bottom - top) - 192) < 4


def test_a_batch_of_masks_gives_a_frame_each_of_their_size(posed):
    masks = torch.zeros(3, 240, 320)
    masks[0, 40:200, 60:160] = 1
    masks[2, 100:180, 120:300] = 1
    scene = run(hand.PlaceHand, hands=posed, mask=masks)[0]
    assert scene.num_frames == 3 and scene.frame.tolist() == [0, 2]
    assert (scene.camera.width, scene.camera.height) == (320, 240)
    covered = run(condition.RenderCondition, hands=scene)[5]
    for frame in (0, 2):
        (hr, hc), (mr, mc) = ((m > 0.5).nonzero().T for m in (covered[frame], masks[frame]))
        low = torch.maximum(torch.stack([hr.min(), hc.min()]), torch.stack([mr.min(), mc.min()]))
        high = torch.minimum(torch.stack([hr.max(), hc.max()]), torch.stack([mr.max(), mc.max()])) + 1
        shared = (high - low).clamp(min=0).prod()
        area = lambda r, c: (r.max() - r.min() + 1) * (c.max() - c.min() + 1)  # noqa: E731
        assert shared / (area(hr, hc) + area(mr, mc) - shared) > 0.8


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mask": torch.zeros(1, 64, 64)}, "mask is empty"),
        ({"mask": torch.full((1, 64, 64), float("nan"))}, "NaN|not a number|empty"),
        ({"box": "1, 2, 3"}, "four numbers"),
        ({"box": "10, 10, 5, 5"}, "no box"),
        ({"box": "nan, 0, 1, 1"}, "four numbers"),
        ({"box": "600, 600, 700, 700"}, "outside the picture"),
        ({"roll": float("nan")}, "finite"),
        ({"size": 10.0, "fov": 150.0}, "nearer than"),
        ({"width": 100_000}, "16384"),
    ],
)
def test_a_place_that_cannot_be_is_refused_with_what_to_do(posed, given, message):
    with pytest.raises(SesaHandError, match=message):
        run(hand.PlaceHand, hands=posed, **given)


def test_a_box_is_compared_with_the_picture_before_the_run_unless_a_mask_brings_another():
    place = {"box": "600, 0, 700, 90", "height": 64}
    [refused] = refusals(hand.PlaceHand, **place)
    assert "outside the picture of 512x64 pixels" in refused
    assert refusals(hand.PlaceHand, **place, width=640) == []
    # A link to the node itself is one whose type is wrong for most inputs; what counts is that it is there.
    answers = {
        name: " ".join(refusals(hand.PlaceHand, **place | {name: ["1", 0]})) for name in ("mask", "width", "box")
    }
    assert not any("outside the picture" in answer for answer in answers.values())
    assert "outside the picture" in " ".join(refusals(hand.PlaceHand, **place, camera_info=["1", 0]))


def test_several_hands_are_not_piled_onto_one_spot(posed):
    pair = run(hand.CombineHands, hands_1=posed, hands_2=posed)[0]
    first, second = run(hand.PlaceHand, hands=pair)[0].pose().keypoints[..., 0]
    assert first.max() < second.min()
    with pytest.raises(SesaHandError, match="one hand"):
        run(hand.PlaceHand, hands=pair, mask=torch.ones(1, 64, 64))


def test_a_film_of_one_hand_goes_over_the_masks_of_its_frames(posed):
    film = run(hand.CombineHands, hands_1=posed, hands_2=run(hand.PoseHand, gesture="fist")[0], join="next frames")[0]
    masks = torch.zeros(2, 128, 128)
    masks[0, 20:60, 10:50] = 1
    masks[1, 70:120, 60:110] = 1
    both = run(hand.PlaceHand, hands=film, mask=masks)[0]
    assert both.frame.tolist() == [0, 1] and both.num_frames == 2
    boxes = [entry["box"] for entry in json.loads(run(condition.RenderCondition, hands=both)[7])]
    assert boxes[0][2] < 60 and boxes[1][0] > 50, boxes
    assert torch.equal(both.hand_pose, film.hand_pose)
    masks[0] = 0
    assert run(hand.PlaceHand, hands=film, mask=masks)[0].frame.tolist() == [1]
    assert run(hand.PlaceHand, hands=film, mask=masks[1:])[0].frame.tolist() == [0, 1]
    with pytest.raises(SesaHandError, match="3 masks for hands of 2 frames"):
        run(hand.PlaceHand, hands=film, mask=torch.ones(3, 128, 128))
    with pytest.raises(SesaHandError, match="mask is empty"):
        run(hand.PlaceHand, hands=film, mask=torch.zeros(2, 128, 128))


def test_hands_join_in_a_picture_or_as_frames(posed):
    left = run(hand.PlaceHand, hands=run(hand.PoseHand, side="left")[0], x=0.3, size=0.4)[0]
    together = run(hand.CombineHands, hands_1=posed, hands_2=left, hands_3=left)[0]
    assert together.side == ("right", "left", "left") and together.num_frames == 1
    video = run(hand.CombineHands, hands_1=posed, hands_2=left, join="next frames")[0]
    assert video.frame.tolist() == [0, 1] and video.num_frames == 2
    wide = run(hand.PlaceHand, hands=posed, width=768)[0]
    with pytest.raises(SesaHandError, match="512x512 pixels .* 768x512 pixels .*Place Hand's width") as error:
        run(hand.CombineHands, hands_1=posed, hands_2=wide)
    assert "Camera(" not in str(error.value)


@pytest.mark.parametrize("format", ["json", "npz"])
def test_saved_hands_come_back_bit_by_bit(posed, format, folders):
    placed = run(hand.PlaceHand, hands=posed, yaw=33, width=640)[0]
    path = Path(run(hand.SaveHands, hands=placed, filename_prefix="hands/mine", format=format)[0])
    assert path == folders / "output" / "hands" / f"mine_00001_.{format}"
    assert Path(run(hand.SaveHands, hands=placed, filename_prefix="hands/mine", format=format)[0]).stem == "mine_00002_"
    os.replace(path, folders / "input" / path.name)
    assert path.name in hand.LoadHands.define_schema().inputs[0].options
    loaded = run(hand.LoadHands, file=path.name)[0]
    assert loaded.camera == placed.camera and loaded.side == placed.side
    for name in HandScene.ARRAYS:
        assert torch.equal(getattr(loaded, name), getattr(placed, name)), name


def test_a_mask_shows_the_side_that_facing_names_or_the_hand_as_it_comes(posed):
    mask = torch.zeros(1, 256, 256)
    mask[:, 30:220, 80:180] = 1

    def orient(**given):
        return run(hand.PlaceHand, hands=posed, mask=mask, **given)[0].global_orient[0]

    palm, back = orient(), orient(facing="back", pitch=40.0, yaw=50.0)
    assert torch.equal(palm, orient(facing="palm")), "as without the input"
    # A hand's second axis points out of its back: towards the viewer is where z is negative.
    assert palm[2, 1] > 0.5 and back[2, 1] < -0.5
    assert torch.allclose(orient(facing="as posed"), posed.global_orient[0], atol=1e-6)
    turned = run(hand.PlaceHand, hands=posed, roll=30.0, yaw=70.0)[0].global_orient[0]
    assert torch.allclose(orient(facing="as posed", roll=30.0, yaw=70.0, mask_direction="roll"), turned, atol=1e-6)
    film = concatenate_frames([posed, posed])
    both = run(hand.PlaceHand, hands=film, mask=mask, facing="as posed", yaw=70.0)[0]
    assert both.num_frames == 2 and torch.equal(both.global_orient[0], both.global_orient[1])


def seen_of(scene) -> HandLandmarks:
    points = scene.pose().keypoints
    seen = scene.camera.project(points)
    return HandLandmarks(
        scene.camera.width, scene.camera.height, scene.num_frames, scene.frame, scene.side, seen, points,
        torch.cat([seen.amin(1), seen.amax(1)], 1), scene.score, torch.ones(len(scene)),
    )  # fmt: skip


def test_a_mask_too_small_beside_the_people_of_the_picture_is_said_on_the_node(posed, shown, caplog):
    people = seen_of(run(hand.PlaceHand, hands=posed, size=0.8)[0])
    mask = torch.zeros(1, 512, 512)
    mask[:, 230:280, 240:280] = 1
    alone = run(hand.PlaceHand, hands=posed, mask=mask)[0]
    assert shown == [] and not caplog.text
    told = run(hand.PlaceHand, hands=posed, mask=mask, people=people)[0]
    assert torch.equal(told.translation, alone.translation), "it is said, and nothing moves"
    [text] = shown
    assert "pixels long in its place, but beside the picture's right hand" in text and text in caplog.text
    assert run(hand.PlaceHand, hands=posed, people=people, size=0.8) and len(shown) == 1
    mask[:] = 0
    mask[:, 230:250, 240:250] = 1
    run(hand.PlaceHand, hands=posed, mask=mask)
    assert "no fingers to be seen" in shown[1]


def test_a_hand_is_turned_as_the_one_that_people_show_in_the_mask(posed, shown):
    turned = run(hand.PlaceHand, hands=posed, size=0.8, yaw=160.0, roll=100.0)[0]
    people = seen_of(turned)
    mask = torch.zeros(1, 512, 512)
    mask[:, 60:450, 60:450] = 1
    seen = run(hand.PlaceHand, hands=posed, mask=mask, facing="as seen", people=people)[0]
    assert torch.allclose(seen.global_orient, turned.global_orient, atol=1e-3)
    film = concatenate_frames([posed, posed])
    away = run(hand.PlaceHand, hands=posed, size=0.8, yaw=10.0)[0]
    both = run(
        hand.PlaceHand, hands=film, mask=mask, facing="as seen", people=seen_of(concatenate_frames([turned, away]))
    )[0]
    assert torch.allclose(both.global_orient, torch.cat([turned.global_orient, away.global_orient]), atol=1e-3)
    with pytest.raises(SesaHandError, match="connect the landmarks of Detect Hands to people"):
        run(hand.PlaceHand, hands=posed, mask=mask, facing="as seen")


@pytest.mark.parametrize("format", ["json", "npz"])
def test_what_save_hands_wrote_is_loaded_from_where_it_is(posed, folders, format):
    written = [
        Path(run(hand.SaveHands, hands=posed, filename_prefix=prefix, format=format)[0])
        for prefix in ("here", "a/b/there")
    ]
    os.utime(written[0], (1e9, 1e9))
    (folders / "input" / "zz.json").write_text("{}")
    names = hand.LoadHands.define_schema().inputs[0].options
    assert names == ["zz.json", f"a/b/there_00001_.{format} [output]", f"here_00001_.{format} [output]"], "newest first"
    for name in names[1:]:
        loaded = run(hand.LoadHands, file=name)[0]
        assert torch.equal(loaded.hand_pose, posed.hand_pose) and loaded.camera == posed.camera
    before = hand.LoadHands.fingerprint_inputs(file=names[1])
    run(hand.SaveHands, hands=posed, filename_prefix="a/b/there", format=format)
    assert hand.LoadHands.fingerprint_inputs(file=names[1]) == before


def test_of_the_output_folder_only_saved_hands_are_offered_and_no_link_is_followed(posed, folders):
    output = folders / "output"
    saved = Path(run(hand.SaveHands, hands=posed)[0])
    (folders / "elsewhere").mkdir()
    for name in ("index.json", "SesaHand_1.json", "deep/a/b/c/x_00001_.json", "SesaHand_00001_.png"):
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        (output / name).write_bytes(saved.read_bytes())
    (folders / "elsewhere" / "secret_00001_.json").write_bytes(saved.read_bytes())
    (output / "linked").symlink_to(folders / "elsewhere", target_is_directory=True)
    (output / "link_00001_.json").symlink_to(folders / "elsewhere" / "secret_00001_.json")
    assert hand.LoadHands.define_schema().inputs[0].options == ["hands/SesaHand_00001_.json [output]"]
    for name in (
        "linked/secret_00001_.json [output]",
        "../elsewhere/secret_00001_.json [output]",
        "index.json [output]",
    ):
        with pytest.raises(SesaHandError, match="file is"):
            run(hand.LoadHands, file=f"{name} [output]")


def test_a_changed_file_is_read_again(posed, folders):
    path = Path(run(hand.SaveHands, hands=posed)[0])
    target = folders / "input" / "a.json"
    target.write_bytes(path.read_bytes())
    before = hand.LoadHands.fingerprint_inputs(file="a.json", left_hands="own")
    assert before == hand.LoadHands.fingerprint_inputs(file="a.json", left_hands="own")
    target.write_text(path.read_text().replace('"score": 1.0', '"score": 0.5'))
    assert before != hand.LoadHands.fingerprint_inputs(file="a.json", left_hands="own")


def test_a_file_that_no_reader_takes_is_told_apart_without_reading_it(folders):
    target = folders / "input" / "large.npz"
    with target.open("wb") as file:
        file.truncate(1 << 40)
    before = hand.LoadHands.fingerprint_inputs(file="large.npz")
    assert before == hand.LoadHands.fingerprint_inputs(file="large.npz")
    with target.open("r+b") as file:
        file.truncate(1 << 41)
    assert before != hand.LoadHands.fingerprint_inputs(file="large.npz")


BAD_PREFIXES = [
    "../outside", "/tmp/outside", "hands/../../outside", "", "hands/", "C:\\outside", "hands/a\x00b", "q:z?/x", "nul/x",
    "a\nb/x", "new1/a<b", "new2/.hid", "CON", "\ud800x/y", "new3/\udcff", "d" * 300 + "/x",
    "a/" * 1900 + "x", "blocked/x", "link/x", "link/new4/x",
]  # fmt: skip


@pytest.mark.parametrize("prefix", BAD_PREFIXES, ids=lambda prefix: ascii(prefix[:20]))
def test_a_bad_prefix_is_refused_and_leaves_nothing_behind(posed, prefix, folders):
    (folders / "output" / "blocked").write_text("a file")
    (folders / "elsewhere").mkdir()
    (folders / "output" / "link").symlink_to(folders / "elsewhere", target_is_directory=True)
    before = sorted(folders.rglob("*"))
    with pytest.raises(SesaHandError, match="filename_prefix") as error:
        run(hand.SaveHands, hands=posed, filename_prefix=prefix)
    assert str(error.value).encode("utf-8"), "a message that cannot be encoded kills ComfyUI's worker"
    assert sorted(folders.rglob("*")) == before


def test_links_within_the_output_folder_are_followed(posed, folders):
    (folders / "output" / "there").mkdir()
    (folders / "output" / "link").symlink_to(folders / "output" / "there", target_is_directory=True)
    assert Path(run(hand.SaveHands, hands=posed, filename_prefix="link/x")[0]).is_file()
    assert [path.name for path in (folders / "output" / "there").iterdir()] == ["x_00001_.json"]


def test_an_output_folder_that_is_itself_a_link_is_followed(posed, folders):
    (folders / "disk").mkdir()
    (folders / "way").symlink_to(folders / "disk", target_is_directory=True)
    folder_paths.set_output_directory(str(folders / "way"))
    run(hand.SaveHands, hands=posed)
    assert (folders / "disk" / "hands" / "SesaHand_00001_.json").is_file()


@pytest.mark.parametrize("name", ["../secret.json", "/etc/passwd", "nowhere.json", "..\\secret.json", ""])
def test_only_files_of_the_input_folder_are_read(name, folders):
    (folders / "secret.json").write_text("{}")
    with pytest.raises(SesaHandError, match="Copy it there"):
        run(hand.LoadHands, file=name)
    with pytest.raises(SesaHandError, match="no file"):
        hand.LoadHands.fingerprint_inputs(file=name)


def test_an_empty_or_missing_input_folder_says_where_to_put_a_file(folders):
    for _ in range(2):
        [answer] = refusals(hand.LoadHands, file="hands.json")
        assert str(folders / "input") in answer and "Copy it there" in answer
        if (folders / "input").exists():
            (folders / "input").rmdir()


@pytest.mark.parametrize(
    "node",
    [
        node
        for node in (*hand.NODES, *condition.NODES)
        if any(hasattr(entry, "options") for entry in node.define_schema().inputs)
    ],
    ids=lambda node: node.define_schema().node_id,
)
def test_null_is_no_choice(node, posed):
    inputs = node.define_schema().inputs
    for entry in (i for i in inputs if hasattr(i, "options")):
        given = {i.id: posed for i in inputs if i.get_io_type() == "SESAHAND_HANDS"} | {entry.id: None}
        with pytest.raises(SesaHandError, match=f"^{entry.id} is None, "):
            run(node, **given)


def test_a_number_out_of_its_range_is_named_by_its_widget():
    with pytest.raises(SesaHandError, match="^size is nan, expected a finite number from -3.0 to 3.0"):
        run(hand.PoseHand, size=float("nan"))
    with pytest.raises(SesaHandError, match="^index_curl is inf"):
        run(hand.PoseHand, index_curl=float("inf"))


def test_one_side_of_a_picture_is_not_dropped(folders):
    (folders / "input" / "a.json").write_text("{}")
    with pytest.raises(SesaHandError, match="width is 640 and height 0: give both"):
        run(hand.LoadHands, file="a.json", width=640)


def test_a_changed_model_file_is_read_again_though_its_time_stays(tmp_path, monkeypatch):
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "mano", ([str(tmp_path)], {".npz"}))
    path = tmp_path / "MANO_RIGHT.npz"
    marks = []
    for content in (b"one", b"two"):
        path.write_bytes(content)
        os.utime(path, (1e9, 1e9))
        marks.append(hand.LoadHandModel.fingerprint_inputs(name=path.name))
    assert marks[0] != marks[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "valid JSON"), ('{"format": "x"}', "lacks"), ("NaN", "NaN"), ("", "empty")],
)
def test_a_broken_file_is_named_with_what_is_wrong(text, message, folders):
    (folders / "input" / "broken.json").write_text(text)
    with pytest.raises(SesaHandError, match=message) as error:
        run(hand.LoadHands, file="broken.json")
    assert "broken.json" in str(error.value)


def test_nan_in_a_scene_file_is_refused(posed, folders):
    text = Path(run(hand.SaveHands, hands=posed)[0]).read_text()
    (folders / "input" / "nan.json").write_text(re.sub(r'"translation": \[[^,]+', '"translation": [NaN', text))
    with pytest.raises(SesaHandError, match="NaN"):
        run(hand.LoadHands, file="nan.json")


def test_mano_files_are_offered_beside_the_built_in_hand_and_pose(folders, tmp_path):
    import mano_fixture

    folder = tmp_path / "mano"
    folder.mkdir()
    paths, suffixes = folder_paths.folder_names_and_paths["mano"]
    folder_paths.folder_names_and_paths["mano"] = ([*paths, str(folder)], suffixes)
    try:
        mano_fixture.write_mano(folder)
        (folder / "README.txt").write_text("not a model")
        options = hand.LoadHandModel.define_schema().inputs[0].options
        assert options == ["builtin", "MANO_RIGHT.pkl"]
        model = run(hand.LoadHandModel, name="MANO_RIGHT.pkl")[0]
    finally:
        folder_paths.folder_names_and_paths["mano"] = (paths, suffixes)
    assert model.name == "mano" and len(model.template) == 778
    scene = run(hand.PoseHand, hand_model=model)[0]
    assert run(condition.RenderCondition, hands=scene)[5].sum() > 5000


def test_folders_of_extra_model_paths_stay(tmp_path):
    before = folder_paths.folder_names_and_paths["mano"]
    try:
        folder_paths.folder_names_and_paths["mano"] = ([str(tmp_path)], {".bin"})
        register_model_folder("mano", hand.MANO_SUFFIXES)
        register_model_folder("mano", hand.MANO_SUFFIXES)
        paths, suffixes = folder_paths.folder_names_and_paths["mano"]
        assert paths == [str(tmp_path), str(Path(folder_paths.models_dir) / "mano")]
        assert suffixes >= {".bin", ".pkl", ".npz", ".safetensors"}
    finally:
        folder_paths.folder_names_and_paths["mano"] = before


def test_nodes_leave_their_inputs_as_they_were(posed):
    before = {name: getattr(posed, name).clone() for name in HandScene.ARRAYS}
    run(hand.PlaceHand, hands=posed, yaw=90)
    run(hand.CombineHands, hands_1=posed, hands_2=posed)
    run(condition.RenderCondition, hands=posed)
    assert all(torch.equal(getattr(posed, name), value) for name, value in before.items())


def test_core_mesh_of_later_versions_is_used_where_it_exists(monkeypatch):
    from types import SimpleNamespace

    from comfy_api import latest

    class Plain:
        def __init__(self, vertices, faces):
            self.vertices, self.faces = vertices, faces

    class Rich(Plain):
        def __init__(self, vertices, faces, uvs=None, normals=None):
            super().__init__(vertices, faces)
            self.uvs, self.normals = uvs, normals

    posed = run(hand.PoseHand)[0]
    monkeypatch.setattr(latest, "Types", SimpleNamespace(MESH=Plain), raising=False)
    plain = wires.core_mesh(posed, False)
    monkeypatch.setattr(latest, "Types", SimpleNamespace(MESH=Rich), raising=False)
    rich = wires.core_mesh(posed, False)
    count = plain.vertices.shape[1]
    assert torch.equal(rich.vertices[:, :count], plain.vertices) and rich.vertices.shape[1] > count
    assert rich.uvs.shape == (1, rich.vertices.shape[1], 2) and rich.normals.shape == rich.vertices.shape


def test_the_built_in_hand_is_what_is_loaded_by_default():
    assert run(hand.LoadHandModel)[0].name == load_hand_model("builtin").name
    assert Camera.from_fov(512, 512, 40.0).width == 512


def test_links_that_lead_to_themselves_take_no_list_away(tmp_path):
    """Lists are made while nodes load: what one raises takes a family of nodes away."""
    from sesahand_pack.nodes import hand_files, mesh_files, planned

    (tmp_path / "3d").mkdir()
    for name, whole in (
        ("loop.json", "a.json"),
        ("loop.toml", "a.toml"),
        ("loop.glb", "a.glb"),
        ("3d/loop.glb", "3d/b.glb"),
    ):
        (tmp_path / name).symlink_to(tmp_path / name)
        (tmp_path / whole).write_bytes(b"")
    before = folder_paths.get_input_directory()
    folder_paths.set_input_directory(str(tmp_path))
    try:
        listed = hand_files.hand_files(), planned.plan_files(), mesh_files.mesh_files()
    finally:
        folder_paths.set_input_directory(before)
    assert [name for name in listed[0] if not name.endswith(hand_files.OUTPUT)] == ["a.json"]
    assert listed[1:] == (["a.toml"], ["a.glb", "3d/b.glb"])


def test_what_is_no_output_of_a_node_is_told():
    for value in ("abc", 5, [], {"a": 1}):
        with pytest.raises(SesaHandError, match="hands is .*which is no output of a node: connect one"):
            condition.RenderCondition.execute(hands=value)
