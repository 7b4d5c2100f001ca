"""Objects in the hands of a scene: they go where the hands go, into files and into maps."""

import json
from dataclasses import replace

import pytest
import torch

from sesahand.cli import main
from sesahand.data.pair_set import PairSet
from sesahand.data.writer import PairWriter
from sesahand.errors import InvalidFileError, SesaHandError
from sesahand.hands.builtin import load_builtin_hand
from sesahand.hands.gestures import find_gesture
from sesahand.hands.gripping import Grip
from sesahand.hands.object_mesh import ObjectMesh
from sesahand.hands.rotations import axis_angle_to_matrix
from sesahand.render import maps
from sesahand.render.maps import render_maps
from sesahand.scene.hand_scene import HandScene, combine, concatenate_frames
from sesahand.scene.holding import Holding, describe_holding, held_surfaces, hold_object
from sesahand.scene.placement import Placement
from sesahand.scene.placing import Hand, mirror_hand
from sesahand.scene.scene_files import load_scene, save_scene

MODEL = load_builtin_hand()


@pytest.fixture(scope="module")
def holding():
    bare = Placement(size=(160, 160)).place(Hand.in_gesture(MODEL, find_gesture("grasp_sphere")))
    return hold_object(bare, "sphere", 1.1, torch.tensor([True]))


@pytest.fixture(scope="module")
def scene(holding):
    return holding.scene


def surface(scene, index=0):
    return held_surfaces(scene, scene.pose().keypoints)[index][1]


def test_the_report_names_what_touches(holding):
    assert describe_holding(holding).startswith("frame 0, right hand, sphere x 1.1: thumb, index, middle, ring")


@pytest.mark.parametrize(("kind", "size", "said"), [("pen", 1.4, False), ("pen", 1.9, True), ("box", 1.9, False)])
def test_the_report_says_of_a_thick_pen_that_it_only_touches(scene, kind, size, said):
    held = replace(scene.objects[0], kind=kind, size=size)
    touching = Grip(scene.hand_pose[0], held.position, held.orient, {"thumb": 0.0}, 0.0, ())
    report = describe_holding(Holding(replace(scene, objects=(held,)), {0: touching}))
    assert ("only touches" in report) == said


@pytest.mark.parametrize(
    ("depth", "self_depth", "said"),
    [
        (0.0009, 0.0009, []),
        (0.0256, 0.0, ["25.6 mm deep at most; it cannot be held so: the hand goes into it"]),
        (0.0, 0.0067, ["the hand is 6.7 mm deep in itself, choose a size nearer to 1"]),
    ],
)
def test_the_report_says_of_a_hand_in_its_object_or_in_itself_that_it_is(scene, depth, self_depth, said):
    held = scene.objects[0]
    grip = Grip(scene.hand_pose[0], held.position, held.orient, {"thumb": 0.0}, depth, (), self_depth)
    report = describe_holding(Holding(scene, {0: grip}))
    assert all(each in report for each in said)
    assert ("cannot be held" in report or "in itself" in report) == bool(said)


@pytest.mark.parametrize("held", [True, False])
def test_formats_without_a_place_for_objects_say_that_they_leave_them_out(scene, held, tmp_path, caplog, capsys):
    scene = scene if held else replace(scene, objects=())
    with PairWriter(tmp_path / "set") as writer:
        writer.add(torch.zeros(160, 160, 3), scene)
    arguments = ["--format", "hamer", "--out", str(tmp_path / "out")]
    assert main(["dataset", "export", str(tmp_path / "set"), *arguments]) == 0
    told = caplog.text + capsys.readouterr().err
    assert ("In 1 pairs hands hold something" in told) == held
    assert len(PairSet(tmp_path / "set")[0].scene.objects) == held


def test_an_object_moves_and_turns_rigidly_with_its_hand(scene):
    turned = Placement(size=(160, 160)).place(Hand.of(scene).turned(30, 20, 50))
    moved = replace(turned, translation=turned.translation + torch.tensor([0.01, 0.02, 0.03]))
    before, after = scene.pose().vertices[0], moved.pose().vertices[0]
    distances = torch.cdist(before[::40], surface(scene)[::40])
    torch.testing.assert_close(torch.cdist(after[::40], surface(moved)[::40]), distances, atol=2e-6, rtol=0)


def test_a_mirrored_hand_holds_the_mirrored_object(scene):
    turn = axis_angle_to_matrix(torch.tensor([0.4, -0.7, 1.1]))
    held = replace(scene.objects[0], kind="tool", orient=turn)
    hand = replace(Hand.of(scene), orient=torch.eye(3), held=held)
    place = torch.zeros(1, 3)
    right, left = (each.scene(scene.camera, torch.eye(3)[None], place) for each in (hand, mirror_hand(hand)))
    flip = torch.tensor([-1.0, 1.0, 1.0])
    torch.testing.assert_close(left.pose().vertices[0], right.pose().vertices[0] * flip, atol=1e-6, rtol=0)
    mirrored = surface(right).double() * flip
    assert torch.cdist(surface(left).double(), mirrored).amin(1).max() < 1e-6
    assert torch.cdist(surface(left).double(), surface(right).double()).amin(1).max() > 0.01


def test_objects_stay_with_their_hands_when_scenes_are_joined_and_hands_chosen(scene):
    bare = replace(scene, objects=())
    both = combine([bare, scene])
    assert [held.hand for held in both.objects] == [1]
    assert [held.hand for held in concatenate_frames([scene, bare, scene]).objects] == [0, 2]
    assert [held.hand for held in both.select([1, 0]).objects] == [0]
    assert both.select([0]).objects == () and both.select_frames([0, 0]).objects[1].hand == 3
    torch.testing.assert_close(surface(both), surface(scene), atol=0, rtol=0)


@pytest.fixture(scope="module")
def wedge():
    """A mesh that is not its own mirror image."""
    vertices = torch.tensor([[0.0, 0, -0.05], [0.04, 0, -0.05], [0, 0.03, -0.05], [0, 0, 0.05]])
    return ObjectMesh("wedge.stl", vertices, torch.tensor([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]]))


@pytest.mark.parametrize("ending", [".json", ".npz"])
def test_files_bring_meshes_back_and_hold_each_once(scene, wedge, tmp_path, ending):
    objects = (replace(scene.objects[0], kind="cup", mesh=wedge), replace(scene.objects[0], hand=1))
    three = combine([scene, scene, scene])
    again = replace(scene.objects[0], hand=2, mesh=replace(wedge, vertices=wedge.vertices.clone()))
    three = replace(three, objects=(*objects, again))
    save_scene(three, tmp_path / f"hands{ending}")
    back = load_scene(tmp_path / f"hands{ending}", MODEL)
    assert [held.name for held in back.objects] == ["wedge.stl", "sphere", "wedge.stl"]
    for held in (back.objects[0], back.objects[2]):
        assert torch.equal(held.mesh.vertices, wedge.vertices) and torch.equal(held.mesh.faces, wedge.faces)
    assert back.objects[0].mesh is back.objects[2].mesh and back.to_json() == three.to_json()


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""}, {"name": "a\nb"}, {"name": 7}, {"vertices": "!"}, {"vertices": 7}, {"vertices": "AAAA"},
        {"vertices": ""}, {"faces": ""}, {"faces": "/////////////w=="}, {"vertices": "AACAfwAAgH8AAIB/"}, {"link": "x"},
    ],
)  # fmt: skip
def test_a_mesh_in_a_file_that_is_none_is_refused(scene, wedge, change):
    data = json.loads(replace(scene, objects=(replace(scene.objects[0], mesh=wedge),)).to_json())
    data["meshes"][0].update(change)
    with pytest.raises(InvalidFileError, match="meshes"):
        HandScene.from_json(json.dumps(data), MODEL)


@pytest.mark.parametrize("number", [1, -1, True, "0", None])
def test_an_object_of_a_mesh_that_is_not_there_is_refused(scene, wedge, number):
    data = json.loads(replace(scene, objects=(replace(scene.objects[0], mesh=wedge),)).to_json())
    data["objects"][0]["mesh"] = number
    with pytest.raises(InvalidFileError, match="mesh"):
        HandScene.from_json(json.dumps(data), MODEL)


def test_a_left_hand_holds_a_mesh_as_it_is_and_a_mirrored_hand_its_mirror_image(scene, wedge):
    left = replace(scene, side=("left",), objects=())
    held = hold_object(left, "cup", 1.0, torch.tensor([True]), mesh=wedge).scene.objects[0]
    assert torch.equal(held.mesh.vertices, wedge.vertices) and held.name == "wedge.stl"
    mirrored = mirror_hand(Hand.of(replace(scene, objects=(replace(scene.objects[0], mesh=wedge),)))).held.mesh
    assert torch.equal(mirrored.vertices, wedge.vertices * torch.tensor([-1.0, 1.0, 1.0]))


@pytest.mark.parametrize("ending", [".json", ".npz"])
def test_files_bring_objects_back_bit_by_bit(scene, tmp_path, ending):
    save_scene(scene, tmp_path / f"hands{ending}")
    back = load_scene(tmp_path / f"hands{ending}", MODEL)
    (held,), (found,) = scene.objects, back.objects
    assert (found.kind, found.hand, found.size) == (held.kind, held.hand, held.size)
    assert torch.equal(found.position, held.position) and torch.equal(found.orient, held.orient)
    assert back.to_json() == scene.to_json()


def test_a_scene_without_objects_is_written_as_before(scene):
    assert "objects" not in json.loads(replace(scene, objects=()).to_json())


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "anvil"}, {"kind": 7}, {"hand": 1}, {"hand": -1}, {"hand": True}, {"size": 0}, {"size": 1e9},
        {"position": [0, 0]}, {"position": [0, 0, 1e6]}, {"orient": [[1, 0, 0]] * 3}, {"colour": "red"},
    ],
)  # fmt: skip
def test_an_object_that_is_none_is_refused(scene, change):
    data = json.loads(scene.to_json())
    data["objects"][0].update(change)
    with pytest.raises(InvalidFileError, match="object"):
        HandScene.from_json(json.dumps(data), MODEL)


@pytest.mark.parametrize("objects", [7, {}, [7], "twice"])
def test_a_list_of_objects_that_is_none_is_refused(scene, objects):
    data = json.loads(scene.to_json())
    data["objects"] = data["objects"] * 2 if objects == "twice" else objects
    with pytest.raises(SesaHandError):
        HandScene.from_json(json.dumps(data), MODEL)


def sphere_depth(scene):
    """Return the z `[H, W]` in metres at which the ray of each pixel meets the sphere; infinite where it does not."""
    camera = scene.camera
    wrist = scene.pose().keypoints[0, 0].double()
    centre = scene.global_orient[0].double() @ scene.objects[0].position.double() + wrist
    radius = 0.036 * scene.objects[0].size
    y, x = torch.meshgrid(torch.arange(camera.height) + 0.5, torch.arange(camera.width) + 0.5, indexing="ij")
    cx, cy = camera.principal_point
    ray = torch.stack([(x - cx) / camera.focal_length, (y - cy) / camera.focal_length, torch.ones_like(x)], -1).double()
    along, square = ray @ centre, ray.square().sum(-1)
    root = along.square() - square * (centre @ centre - radius**2)
    return torch.where(root > 0, (along - root.clamp(min=0).sqrt()) / square, torch.inf)


def test_hand_and_object_hide_each_other_as_rays_say(scene):
    maps, bare = render_maps(scene), render_maps(scene, objects=False)
    hand = torch.where(bare.mask[0] > 0, bare.metric_depth[0].double(), torch.inf)
    sphere = sphere_depth(scene)
    clear = (hand - sphere).abs().nan_to_num(posinf=1) > 5e-4
    # The sphere that is drawn is faceted: at its outline, a pixel may be on either side.
    certain = torch.isfinite(torch.nn.functional.max_pool2d(sphere[None], 3, 1, 1)[0]) | torch.isinf(
        -torch.nn.functional.max_pool2d(-sphere[None], 3, 1, 1)[0]
    )
    sure = clear & certain
    assert torch.equal((maps.object_mask[0] > 0)[sure], (sphere < hand)[sure])
    seen = (maps.object_mask[0] > 0) & sure
    assert seen.sum() > 300 and ((maps.mask[0] > 0) & torch.isfinite(sphere)).sum() > 30
    assert (maps.metric_depth[0].double() - sphere)[seen].abs().max() < 1e-3
    assert not ((maps.mask > 0) & (maps.object_mask > 0)).any()


def test_left_out_objects_leave_the_maps_of_the_bare_hands(scene):
    maps, bare = render_maps(scene, objects=False), render_maps(replace(scene, objects=()))
    for name in ("mesh", "depth", "normal", "parts", "keypoints", "mask", "metric_depth", "hand_index", "object_mask"):
        assert torch.equal(getattr(maps, name), getattr(bare, name)), name


@pytest.mark.parametrize("antialias", [False, True])
def test_object_and_hand_are_told_apart_in_every_map(scene, antialias):
    maps = render_maps(scene, antialias=antialias)
    alone = maps.object_mask == 1
    assert alone.any() and (maps.hand_index[alone] == -1).all() and (maps.part_index[alone] == -1).all()
    assert maps.mesh[alone].max() < 127 / 255 and maps.mesh[alone].min() > 0.2
    assert (maps.depth[alone] > 0).all() and (maps.metric_depth[alone] > 0).all()
    assert maps.mesh[maps.mask == 1].min() > 127 / 255
    assert (maps.mask + maps.object_mask).max() <= 1


def test_what_very_many_hands_hold_is_refused_before_it_is_placed(scene, monkeypatch):
    faces = sum(each.num_faces for each in scene.objects)
    monkeypatch.setattr(maps, "MAX_OBJECT_FACES", faces)
    assert render_maps(scene, ("depth",)).object_mask.any()
    monkeypatch.setattr(maps, "MAX_OBJECT_FACES", faces - 1)
    with pytest.raises(SesaHandError, match="render fewer frames at a time"):
        render_maps(scene, ("depth",))


def test_normals_are_kept_for_one_frame_at_a_time(scene, monkeypatch):
    seen, close_hands = [], maps.close_hands

    def watched(*given):
        seen.append(close_hands(*given))
        return seen[0]

    monkeypatch.setattr(maps, "close_hands", watched)
    kept: list[int] = []

    def count(*_):
        kept.append(sum("normals" in vars(surface) for surface in seen[0]))

    render_maps(concatenate_frames([scene] * 3), ("normal",), on_frame=count)
    assert kept == [0, 0, 0]
