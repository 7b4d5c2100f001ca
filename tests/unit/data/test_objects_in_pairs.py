"""Pairs whose hands hold something: what their record says, and what formats with a place for objects get."""

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hostile import run_limited
from pair_scenes import make_scene
from PIL import Image, ImageDraw

from sesahand.cli import main
from sesahand.data.check import describe, find_damage, gather_statistics
from sesahand.data.formats import OF_HANDS_ALONE, export_pairs, regions
from sesahand.data.pair_set import PairSet
from sesahand.data.record import PairRecord
from sesahand.data.writer import PairWriter
from sesahand.errors import InvalidFileError, SesaHandError
from sesahand.hands.builtin import load_builtin_hand
from sesahand.hands.gestures import find_gesture
from sesahand.hands.object_mesh import stand_in
from sesahand.hands.objects import object_mesh
from sesahand.render.maps import render_maps, see_picture
from sesahand.scene.hand_scene import combine
from sesahand.scene.held_object import HeldObject
from sesahand.scene.holding import hold_object
from sesahand.scene.placement import Placement
from sesahand.scene.placing import Hand

MODEL = load_builtin_hand()
SIZE = (160, 128)


def hand_with(kind, x, mesh=None):
    hand = Hand.in_gesture(MODEL, find_gesture("grasp_cylinder"))
    bare = Placement(size=SIZE, box=(x, 20, x + 60, 110)).place(hand)
    return hold_object(bare, kind, 1.0, torch.tensor([True]), mesh=mesh).scene


@pytest.fixture(scope="module")
def scene():
    """Three hands: two hold something, one a mesh."""
    vertices, faces = object_mesh("box")
    mesh = stand_in("milk.glb", vertices.numpy(), faces.numpy(), "box")
    held = combine([hand_with("cup", 15), hand_with("box", 80, mesh), hand_with("cup", 45)])
    return replace(held, objects=held.objects[:2])


@pytest.fixture(scope="module")
def pairs(scene, tmp_path_factory):
    root = tmp_path_factory.mktemp("pairs") / "set"
    maps = render_maps(scene)
    with PairWriter(root) as writer:
        picture = torch.zeros(SIZE[1], SIZE[0], 3)
        writer.add(picture, scene, maps={"object_mask": maps.object_mask[0], "parts": maps.parts[0]})
        writer.add(picture, scene)
        writer.add(picture, replace(scene, objects=()))
    return PairSet(root)


HEADERS = {
    "no JSON": np.array('{"objects"'), "a number": np.array("5"), "bytes": np.array(b"{}"),
    "deep": np.array("[" * 100_000), "two": np.array(["{}", "{}"]), "many": np.array("[" + "{}," * 3_000_000 + "{}]"),
}  # fmt: skip


@pytest.mark.parametrize("header", HEADERS)
def test_headers_of_strangers_are_refused_in_a_sentence(pairs, tmp_path, header):
    root = tmp_path / "set"
    shutil.copytree(pairs.root, root)
    bare = PairSet(root)[2]
    with np.load(bare.path("npz")) as arrays:
        changed = {**arrays, "header": HEADERS[header]}
    np.savez_compressed(bare.path("npz"), **changed)
    ended = run_limited(
        "sesahand.data.formats:export_pairs", [bare], "hamer", tmp_path / "out", megabytes=700, seconds=40
    )
    assert "header" in ended.refused()


def test_a_record_names_the_objects_and_the_scene_comes_back(scene, pairs):
    assert [(each.name, each.kind, each.hand) for each in pairs[0].record.objects] == [
        ("cup", "cup", 0), ("milk.glb", "box", 1)
    ]  # fmt: skip
    assert pairs[0].scene.to_json() == scene.to_json()
    assert pairs[0].record.maps == ("parts", "object_mask")
    torch.testing.assert_close(pairs[0].map("object_mask")[0], render_maps(scene).object_mask[0])
    assert list(find_damage(pairs)) == [None] * 3
    assert "held objects: cup: 2, milk.glb: 2" in describe(gather_statistics(pairs))


def test_a_record_without_objects_is_that_of_the_first_sets(pairs):
    line = pairs[2].record.to_line()
    assert b"objects" not in line and PairRecord.from_line(line, "it").objects == ()
    told = json.loads(pairs[0].record.to_line())
    old = PairRecord.from_line(json.dumps({k: v for k, v in told.items() if k != "objects"}).encode(), "it")
    assert replace(pairs[0], record=old).holds_objects and not replace(pairs[2]).holds_objects


@pytest.mark.parametrize(
    "objects", [7, [7], [{"name": "cup", "kind": "cup", "hand": 3}], [{"name": "", "kind": "cup", "hand": 0}], [{}] * 4]
)
def test_objects_that_are_none_are_refused(pairs, objects):
    told = json.loads(pairs[0].record.to_line())
    with pytest.raises(InvalidFileError, match="objects"):
        PairRecord.from_line(json.dumps({**told, "objects": objects}).encode(), "it")


def filled(polygons):
    picture = Image.new("1", SIZE)
    for polygon in polygons:
        # PIL fills pixels whose middles are inside or on the edge.
        ImageDraw.Draw(picture).polygon([value - 0.5 for value in polygon], fill=1)
    return np.array(picture)


def test_coco_has_an_annotation_for_each_object_beside_the_hands(scene, pairs, tmp_path):
    export_pairs(pairs, "coco", tmp_path)
    data = json.loads((tmp_path / "annotations.json").read_text())
    assert [(each["id"], each["name"]) for each in data["categories"]] == [(1, "hand"), (2, "held object")]
    ids = [each["id"] for each in data["annotations"]]
    assert ids == list(range(1, len(ids) + 1))
    objects = [each for each in data["annotations"] if each["category_id"] == 2]
    assert [each["image_id"] for each in objects] == [1, 1, 2, 2]
    hands = {each["id"]: each for each in data["annotations"] if each["category_id"] == 1}
    seen = (render_maps(scene).object_mask[0] > 0).numpy()
    first, second = (filled(each["segmentation"]) for each in objects[:2])
    assert [each["name"] for each in objects[:2]] == ["cup", "milk.glb"]
    assert sum(each["area"] for each in objects[:2]) == seen.sum()
    assert (first | second)[seen].mean() > 0.97 and seen[first | second].mean() > 0.9
    for each, mask in zip(objects, (first, second), strict=False):
        left, top, width, height = each["bbox"]
        assert 0 <= left < left + width <= SIZE[0] and 0 <= top < top + height <= SIZE[1]
        assert mask[top : top + height, left : left + width].sum() > 0.9 * mask.sum()
        # A hand's box meets that of what it holds.
        x, y, w, h = hands[each["held_by"]]["bbox"]
        assert x < left + width and left < x + w and y < top + height and top < y + h


def test_each_object_is_seen_where_it_is_nearest(scene):
    """As when it is drawn alone and compared with all, which takes a time that grows with the hands' square."""
    everything = render_maps(scene, maps=())
    hands, objects = see_picture(scene)
    assert [*objects] == [*range(len(scene.objects))] and [*hands] == [*range(len(scene))]
    for n, view in objects.items():
        alone = render_maps(replace(scene, objects=(scene.objects[n],)), maps=())
        nearest = (alone.object_mask[0] > 0) & (alone.metric_depth[0] == everything.metric_depth[0])
        assert 100 < len(view.x) and torch.equal(view.depth, everything.metric_depth[0][view.y, view.x])
        assert nearest.nonzero().tolist() == torch.stack([view.y, view.x], -1).tolist()
    for n, view in hands.items():
        assert torch.equal((everything.hand_index[0] == n).nonzero(), torch.stack([view.y, view.x], -1))


def look_at_many(count, side):
    """Look at a large picture of many hands that hold something, of which each is drawn once; return what is seen."""
    scene = make_scene(0, ("right",) * count, (side, side))
    across = torch.linspace(-0.15, 0.15, count)
    cups = tuple(HeldObject("cup", n, torch.tensor([0.0, 0.05, 0.0]), torch.eye(3)) for n in range(count))
    scene = replace(scene, objects=cups, translation=torch.stack([across, 0 * across, 0 * across + 0.5], -1))
    record = SimpleNamespace(hands=[None] * count, hand_model="known", maps=(), width=side, height=side)
    seen = regions.look_at(SimpleNamespace(record=record, models={"known": None}, scene=scene))
    return len(seen.hands), len(seen.objects), sum(len(region.outlines()) for region in seen.objects.values())


def test_many_hands_in_a_large_picture_are_drawn_once_and_their_masks_not_kept_whole():
    hands, objects, outlines = run_limited(look_at_many, 40, 4096, megabytes=2600, seconds=60).returned()
    assert 20 < hands <= 40 and 10 < objects <= 40 and outlines >= objects


def test_a_mask_of_dots_is_no_outline(monkeypatch):
    """Of every fourth pixel of a large picture, OpenCV would make gigabytes of outlines."""
    monkeypatch.setattr(regions, "map_levels", lambda pair, name: dots)
    pair = SimpleNamespace(record=SimpleNamespace(hands=[None], hand_model="unknown", maps=("mask",)), models={})
    dots = np.zeros((1200, 1200), np.uint8)
    dots[::2, ::2] = 255
    assert regions.look_at(pair) is None
    dots[:] = 0
    dots[:128:2, :128:2] = 255
    assert regions.look_at(pair) is None
    dots[:] = 0
    dots[100:900, 200:1000] = 255
    (outline,) = regions.look_at(pair).hands[0].outlines()
    assert min(outline) >= 99 and max(outline) <= 1001


def test_a_pair_that_nobody_could_read_is_not_written(scene, tmp_path, monkeypatch):
    monkeypatch.setattr("sesahand.data.writer.MAX_FILE_BYTES", 2_000)
    with PairWriter(tmp_path / "set") as writer:
        for store in (writer.check, writer.add):
            with pytest.raises(SesaHandError, match="leave hands out, or simplify"):
                store(torch.zeros(SIZE[1], SIZE[0], 3), scene)
    assert len(PairSet(tmp_path / "set")) == 0


def test_coco_tells_which_points_are_behind_what_a_hand_holds(scene, pairs, tmp_path):
    export_pairs(pairs, "coco", tmp_path)
    data = json.loads((tmp_path / "annotations.json").read_text())
    hands = [each for each in data["annotations"] if each["category_id"] == 1]
    maps = render_maps(scene)
    keypoints, found = scene.pose().keypoints, []
    for n, each in enumerate(hands[:3]):
        for (x, y, said), z in zip(np.array(each["keypoints"]).reshape(21, 3), keypoints[n, :, 2], strict=True):
            if said:
                place = (0, int(y), int(x))
                behind = bool(maps.object_mask[place] > 0) and bool(maps.metric_depth[place] < z)
                assert said == (1 if behind else 2)
                found.append(said)
    assert {1, 2} == set(found)
    bare = [each for each in hands if each["image_id"] == 3]
    assert len(bare) == 3 and not any(1 in each["keypoints"][2::3] for each in bare)


def test_foundhand_gets_the_mask_of_objects(scene, pairs, tmp_path):
    export_pairs(pairs, "foundhand", tmp_path)
    masks = [np.load(tmp_path / f"{pair.key}-0.npz")["obj_mask"] for pair in pairs]
    seen = (render_maps(scene).object_mask[0] > 0).numpy()
    assert masks[0].dtype == np.uint8 and not masks[2].any()
    for mask in masks[:2]:
        assert np.array_equal(mask, seen)
    # Without the map and the hand model, which a set of MANO hands may lack, it cannot be told.
    record = replace(pairs[1].record, hand_model="mano")
    assert not np.load(tmp_path / f"{pairs[2].key}-0.npz")["obj_mask"].any() and "object_mask" not in record.maps


@pytest.mark.parametrize("format", ["hamer", "coco", "foundhand", "webdataset"])
def test_only_formats_without_a_place_say_that_they_leave_objects_out(pairs, format, tmp_path, caplog, capsys):
    assert main(["dataset", "export", str(pairs.root), "--format", format, "--out", str(tmp_path / "out")]) == 0
    told = caplog.text + capsys.readouterr().err
    assert ("In 2 pairs hands hold something" in told) == (format in OF_HANDS_ALONE)
