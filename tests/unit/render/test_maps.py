import colorsys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from ball_hand import ball_hand, open_palm

from sesahand.errors import SesaHandError
from sesahand.render import maps as maps_module
from sesahand.render.map_table import ALL_MAPS, COLOR_MAPS
from sesahand.render.maps import PAINTERS, render_maps
from sesahand.render.rasterizer import rasterize
from sesahand.render.shading import PART_COLORS, color_normals, normalize_depth, shade_mesh
from sesahand.scene.camera import MAX_SIZE, Camera

CAMERA = Camera.from_fov(161, 133)


@pytest.fixture(scope="module")
def model():
    return ball_hand(1)


@pytest.fixture(scope="module")
def two_hands(model):
    """A right hand, and a left one in front of it that hides a part of it."""
    return open_palm(model, CAMERA, [(0, "right", -0.02, 0.08, 0.5), (0, "left", 0.03, 0.08, 0.4)])


def test_every_map_has_its_shape_type_range_and_black_background(two_hands):
    maps = render_maps(two_hands)
    outside = maps.mask == 0
    for name in COLOR_MAPS:
        picture = getattr(maps, name)
        assert picture.shape == (1, 133, 161, 3) and picture.dtype == torch.float32 and picture.is_contiguous()
        assert picture.min() == 0 and 0 < picture.max() <= 1
        if name != "keypoints":
            assert picture[outside].max() == 0 and picture[~outside].amax(-1).min() > 0
    assert set(maps.mask.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(maps.hand_index >= 0, maps.mask > 0)
    assert torch.equal(maps.part_index >= 0, maps.mask > 0)
    assert torch.equal(maps.metric_depth > 0, maps.mask > 0)


def test_lit_pixels_of_the_mesh_are_gray_and_above_127(two_hands):
    maps = render_maps(two_hands, ("mesh",))
    lit = (maps.mesh[maps.mask > 0] * 255).round()
    assert lit.min() > 127 and lit.max() > 250
    assert torch.equal(lit[:, 0], lit[:, 1]) and torch.equal(lit[:, 0], lit[:, 2])


def test_a_surface_that_faces_the_camera_is_white_and_one_edge_on_is_at_the_floor():
    camera = Camera(1.0, (0.5, 0.5), 2, 1)
    normal = torch.tensor([[0.0, 0.5**0.5], [0.0, 0.0], [-1.0, 0.5**0.5]])
    assert shade_mesh(normal, torch.tensor([0, 1]), torch.tensor([0, 0]), camera).tolist() == pytest.approx([1.0, 0.62])


def test_hands_hide_one_another_as_one_mesh_would(two_hands):
    maps = render_maps(two_hands)
    vertices = two_hands.pose().vertices
    count = vertices.shape[1]
    right, left = (two_hands.model.faces_for(side, closed=True) for side in ("right", "left"))
    seen = rasterize(vertices.reshape(1, -1, 3), torch.cat([right, left + count]), CAMERA)
    owner = torch.where(seen.face >= 0, seen.face // len(right), -1)
    assert torch.equal(maps.hand_index.long(), owner)
    assert (maps.metric_depth - seen.depth).abs().max() < 1e-6
    assert (owner == 0).any() and (owner == 1).any()
    alone = render_maps(two_hands.select([0]))
    assert (alone.mask > maps.hand_masks[0]).any()


def test_hand_masks_and_boxes_are_those_of_the_visible_pixels(two_hands):
    for antialias in (False, True):
        maps = render_maps(two_hands, ("mask",), antialias=antialias)
        assert maps.hand_masks.shape == (2, 133, 161)
        for mask, box in zip(maps.hand_masks, maps.boxes.tolist(), strict=True):
            rows, columns = mask.any(1).nonzero()[:, 0], mask.any(0).nonzero()[:, 0]
            expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            tolerance = 1 if antialias else 0
            assert np.abs(np.array(box) - [float(edge) for edge in expected]).max() <= tolerance


def test_depth_follows_handrefiners_formula_on_a_case_worked_by_hand():
    # 255 at 0.4 m, 51 at 0.6 m; at 0.45 m 255 * (1 - 0.8 / 4) = 204.
    values = normalize_depth(torch.tensor([0.4, 0.45, 0.5, 0.6]), 0.4, 0.6) * 255
    assert values.tolist() == pytest.approx([255, 204, 153, 51], abs=1e-3)
    assert normalize_depth(torch.tensor([0.5, 0.5]), 0.5, 0.5).tolist() == [1, 1]


def test_depth_spans_each_hand_or_all_hands_of_a_frame_or_scene_or_metres(model):
    places = [(0, "right", -0.1, 0.08, 0.5), (0, "left", 0.1, 0.08, 0.6), (1, "right", 0.0, 0.08, 0.8)]
    scene = open_palm(model, CAMERA, places, num_frames=2)
    own = render_maps(scene, ("depth",))
    for hand in range(3):
        z = own.metric_depth[scene.frame[hand]][own.hand_masks[hand] > 0]
        value = own.depth[scene.frame[hand]][own.hand_masks[hand] > 0][:, 0]
        assert (value.max(), value.min()) == (1.0, pytest.approx(0.2, abs=1e-6))
        assert (value - (1 - 0.8 * (z - z.min()) / (z.max() - z.min()))).abs().max() < 1e-5

    def expected(near, far):
        value = 1 - 0.8 * ((own.metric_depth - near) / (far - near)).clamp(0, 1)
        return torch.where(own.mask > 0, value, 0)[..., None].expand(-1, -1, -1, 3)

    z = own.metric_depth
    scene_span = float(z[z > 0].min()), float(z.max())
    frame_span = float(z[0][z[0] > 0].min()), float(z[0].max())
    assert (render_maps(scene, ("depth",), depth_range="scene").depth - expected(*scene_span)).abs().max() < 1e-5
    frame = render_maps(scene, ("depth",), depth_range="frame").depth
    assert (frame[0] - expected(*frame_span)[0]).abs().max() < 1e-5 and (frame[1] - own.depth[1]).abs().max() < 1e-6
    assert (render_maps(scene, ("depth",), depth_range=(0.5, 0.7)).depth - expected(0.5, 0.7)).abs().max() < 1e-5


def test_a_hands_depth_range_does_not_depend_on_the_hand_before_it(two_hands):
    both, alone = render_maps(two_hands, ("depth",)), render_maps(two_hands.select([0]), ("depth",))
    visible = both.hand_masks[0] > 0
    assert torch.equal(both.depth[0][visible], alone.depth[0][visible])


def test_normals_are_red_to_the_left_green_up_and_blue_to_the_camera(two_hands):
    axes = torch.tensor([[-1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]])
    assert color_normals(axes, "normalbae").T.tolist() == [[1, 0.5, 0.5], [0.5, 1, 0.5], [0.5, 0.5, 1]]
    assert color_normals(axes, "opengl").T.tolist() == [[0, 0.5, 0.5], [0.5, 1, 0.5], [0.5, 0.5, 1]]
    palm = render_maps(two_hands.select([1]), ("normal",))
    on_palm = palm.part_index[0] == 16
    rows, columns = on_palm.nonzero().T
    colors = palm.normal[0][on_palm]
    left, right = colors[columns == columns.min()].mean(0), colors[columns == columns.max()].mean(0)
    assert left[0] > 0.7 > 0.3 > right[0]
    assert colors[rows == rows.min()].mean(0)[1] > 0.6
    assert colors[:, 2].median() > 0.9


def test_normals_of_a_ball_are_its_radii():
    model = ball_hand(3)
    scene = open_palm(model, Camera.from_fov(200, 200), [(0, "right", 0.0, 0.0, 0.4)])
    maps = render_maps(scene, ("normal",))
    vertices = scene.pose().vertices[0]
    middle = vertices[: len(vertices) // 16].mean(0)
    pixel = (maps.part_index[0] == 0).nonzero()
    y, x = pixel.T
    z = maps.metric_depth[0, y, x]
    point = torch.stack(
        [(x + 0.5 - 100) / scene.camera.focal_length * z, (y + 0.5 - 100) / scene.camera.focal_length * z, z], 1
    )
    # The palm is an ellipsoid: its normal is the position over the squared radii, in the axes fingers, palm, thumb.
    offset = (point - middle)[:, [1, 2, 0]] / torch.tensor([0.05, 0.016, 0.042]) ** 2
    expected = torch.nn.functional.normalize(offset[:, [2, 0, 1]], dim=1)
    found = -(2 * maps.normal[0, y, x] - 1)
    inner = (expected[:, 2] < -0.5) & (y < y.float().quantile(0.8))
    assert ((found * expected).sum(1)[inner] > 0.995).float().mean() > 0.97


def test_the_wrist_is_closed_by_a_flat_cap_that_belongs_to_the_wrist(model):
    scene = open_palm(model, CAMERA, [(0, "right", 0.0, 0.0, 0.3)])
    # Fingers away from the camera, so that it looks straight at the wrist.
    away = torch.tensor([[[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [-1.0, 0.0, 0.0]]])
    for side, orient in (("right", away), ("left", -away * torch.tensor([1, -1, -1]))):
        turned = replace(scene, side=(side,), global_orient=orient)
        maps = render_maps(turned, ("normal", "parts"))
        centre = (0, CAMERA.height // 2, CAMERA.width // 2)
        assert maps.part_index[centre] == (0 if side == "right" else 16)
        assert maps.normal[centre].tolist() == pytest.approx([0.5, 0.5, 1.0], abs=0.1)


def test_parts_have_32_distinct_colours_that_give_the_part_back(two_hands):
    colors = torch.tensor(PART_COLORS)
    assert colors.shape == (32, 3) and torch.cdist(colors, colors).add(torch.eye(32)).min() > 0.15
    maps = render_maps(two_hands, ("parts",))
    inside = maps.mask > 0
    found = torch.cdist(maps.parts[inside], colors).argmin(1)
    assert torch.equal(found, maps.part_index[inside].long())
    assert torch.equal(maps.part_index[inside] >= 16, maps.hand_index[inside] == 1)


def test_keypoints_equal_the_fields_drawing_pixel_by_pixel(model):
    import cv2

    camera = Camera.from_fov(512, 512)
    scene = open_palm(model, camera, [(0, "right", 0.0, 0.1, 0.4)])
    points = camera.project(scene.pose().keypoints[0].double()).numpy()
    expected = np.zeros((512, 512, 3), np.uint8)
    # The bones in the order of OpenPose's hand, one twentieth of the hue circle each, then all joints in blue.
    chains = [[0, 4 * f + 1, 4 * f + 2, 4 * f + 3, 4 * f + 4] for f in range(5)]
    bones = [pair for chain in chains for pair in zip(chain[:-1], chain[1:], strict=True)]
    for k, (a, b) in enumerate(bones):
        color = [255 * channel for channel in colorsys.hsv_to_rgb(k / 20, 1, 1)]
        cv2.line(expected, points[a].astype(int).tolist(), points[b].astype(int).tolist(), color, thickness=2)
    for point in points:
        cv2.circle(expected, point.astype(int).tolist(), 4, (0, 0, 255), thickness=-1)
    drawn = (render_maps(scene, ("keypoints",)).keypoints[0] * 255).round().byte().numpy()
    assert np.abs(drawn.astype(int) - expected).max() <= 1


def test_joints_of_a_small_hand_shrink_with_it(model):
    camera = Camera.from_fov(512, 512)
    counts = []
    for z in (0.5, 1.0, 2.0, 4.0, 8.0):
        maps = render_maps(open_palm(model, camera, [(0, "right", 0.0, 0.08, z)]), ("keypoints",))
        counts.append(int((maps.keypoints[0].amax(-1) > 0).sum()) / float(maps.mask.sum()))
    assert max(counts[:4]) < 1.6


def test_antialiasing_is_the_area_average_of_twice_the_size_and_keeps_ids_whole(two_hands):
    big = replace(two_hands, camera=CAMERA.resized(322, 266))
    fine, soft = render_maps(big), render_maps(two_hands, antialias=True)

    def average(picture):
        return sum(picture[:, r::2, c::2] for r in (0, 1) for c in (0, 1)) / 4

    for name in ("mesh", "depth", "normal", "parts", "mask"):
        assert (getattr(soft, name) - average(getattr(fine, name))).abs().max() < 1e-6
    assert ((soft.mask > 0) & (soft.mask < 1)).any()
    assert torch.equal(soft.hand_index >= 0, soft.mask > 0)
    samples = torch.stack([fine.metric_depth[:, r::2, c::2] for r in (0, 1) for c in (0, 1)])
    nearest = samples.masked_fill(samples == 0, float("inf")).amin(0)
    assert torch.equal(soft.metric_depth, nearest.masked_fill(nearest == float("inf"), 0))


def test_no_hands_give_black_maps(model):
    scene = open_palm(model, CAMERA, [], num_frames=3)
    maps = render_maps(scene)
    for name in ALL_MAPS:
        assert getattr(maps, name).shape[:3] == (3, 133, 161) and getattr(maps, name).max() == 0
    assert maps.boxes.shape == (0, 4) and maps.hand_masks.shape == (0, 133, 161)
    assert (maps.hand_index == -1).all() and (maps.part_index == -1).all()


@pytest.mark.parametrize("place", [(0, 0, -0.5), (5, 0, 0.5), (3e3, 0, 1e6)], ids=["behind", "beside", "far"])
@pytest.mark.parametrize("antialias", [False, True])
def test_a_hand_that_is_not_seen_leaves_an_empty_box(model, place, antialias):
    maps = render_maps(open_palm(model, CAMERA, [(0, "right", *place)]), antialias=antialias)
    assert maps.mask.max() == 0 and maps.depth.max() == 0 and maps.boxes.tolist() == [[0, 0, 0, 0]]


@pytest.mark.parametrize("size", [(1, 1), (1, 97), (64, 3), (513, 11)])
@pytest.mark.parametrize("antialias", [False, True])
def test_any_size_works(model, size, antialias):
    scene = open_palm(model, Camera.from_fov(*size), [(0, "right", 0.0, 0.05, 0.3), (0, "left", 0.05, 0.05, 0.2)])
    maps = render_maps(scene, antialias=antialias)
    assert maps.mesh.shape == (1, size[1], size[0], 3) and maps.mask.max() > 0


def test_a_hand_half_out_of_the_picture_is_the_cut_of_the_whole(model):
    camera = Camera(150.0, (80.0, 66.0), 160, 132)
    scene = open_palm(model, camera, [(0, "right", 0.0, 0.08, 0.3)])
    whole = render_maps(scene)
    cut = render_maps(replace(scene, camera=Camera(150.0, (10.0, 26.0), 70, 50)))
    for name in ("mesh", "normal", "parts", "mask", "metric_depth"):
        assert (getattr(cut, name)[0] - getattr(whole, name)[0, 40:90, 70:140]).abs().max() < 1e-4


def test_frames_of_a_batch_equal_frames_alone(model):
    places = [(0, "right", 0.0, 0.08, 0.5), (2, "left", 0.03, 0.08, 0.4), (2, "right", 0.0, 0.08, 0.45)]
    scene = open_palm(model, CAMERA, places, num_frames=3)
    batch = render_maps(scene)
    assert batch.mask[1].max() == 0
    for f in (0, 2):
        chosen = scene.select(scene.frame == f)
        alone = render_maps(replace(chosen, frame=torch.zeros(len(chosen), dtype=torch.long), num_frames=1))
        for name in ALL_MAPS:
            assert torch.equal(getattr(batch, name)[f], getattr(alone, name)[0])


def test_renders_in_threads_are_bit_identical_to_serial_ones(two_hands):
    serial = render_maps(two_hands, antialias=True)
    with ThreadPoolExecutor(8) as pool:
        for threaded in pool.map(lambda _: render_maps(two_hands, antialias=True), range(16)):
            assert all(torch.equal(getattr(serial, name), getattr(threaded, name)) for name in ALL_MAPS)


def test_maps_that_are_not_asked_for_are_none_and_take_no_part_of_the_rest(two_hands):
    every = render_maps(two_hands)
    for name in COLOR_MAPS:
        one = render_maps(two_hands, (name,))
        assert torch.equal(getattr(one, name), getattr(every, name)) and torch.equal(one.mask, every.mask)
        assert all(getattr(one, other) is None for other in COLOR_MAPS if other != name)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"maps": ("mesh", "canny")}, "canny"),
        ({"maps": "mesh"}, "list of names"),
        ({"depth_range": "image"}, "hand, frame, scene"),
        ({"depth_range": (0.6, 0.4)}, "near < far"),
        ({"depth_range": (float("nan"), 1.0)}, "near < far"),
        ({"normal_convention": "directx"}, "normalbae"),
    ],
)
def test_wrong_arguments_are_refused_by_name(two_hands, arguments, message):
    with pytest.raises(SesaHandError, match=message):
        render_maps(two_hands, **arguments)


def test_pictures_too_large_for_memory_are_refused_before_any_work(model):
    huge = open_palm(model, Camera.from_fov(MAX_SIZE, MAX_SIZE), [(0, "right", 0.0, 0.0, 0.5)])
    with pytest.raises(SesaHandError, match="GiB"):
        render_maps(huge)
    with pytest.raises(SesaHandError, match="antialias"):
        render_maps(huge, ("mask",), antialias=True)


def test_a_small_hand_in_the_largest_picture_needs_only_its_own_pixels(model, monkeypatch):
    monkeypatch.setattr(maps_module, "MAX_BYTES", 2 << 40)
    camera = Camera.from_fov(MAX_SIZE, 16)
    maps = render_maps(open_palm(model, camera, [(0, "right", 0.0, 0.0, 60.0)]), ("mask",))
    assert maps.mask.shape == (1, 16, MAX_SIZE) and 0 < maps.mask.sum() < 2000


def test_hands_that_cannot_be_seen_are_told_of(model, caplog):
    places = [
        (0, "right", 0.0, 0.08, 0.5), (1, "right", 0.0, 0.0, -1.0), (0, "left", 0.0, 0.0, 0.0),
        (0, "left", 9.0, 0.0, 0.5), (1, "right", 0.0, 0.0, 1e6),
    ]  # fmt: skip
    maps = render_maps(open_palm(model, CAMERA, places, num_frames=2))
    behind, outside, tiny = (record.getMessage() for record in caplog.records)
    assert "2 of 5 hands (1, 2) are not wholly in front of the camera" in behind
    assert "1 of 5 hands (3) are outside the picture" in outside
    assert "1 of 5 hands (4) are smaller than a pixel" in tiny
    assert maps.boxes[[1, 3]].max() == 0 and maps.mask[0].sum() > 0


def test_nothing_is_said_of_hands_in_the_picture_or_of_no_hands(two_hands, model, caplog):
    render_maps(two_hands)
    render_maps(open_palm(model, CAMERA, []))
    assert not caplog.records


def test_hands_one_behind_the_other_keep_no_more_pixels_than_the_picture_has_twice(model, monkeypatch):
    camera = Camera.from_fov(64, 64)
    # Each before all that were drawn so far, and larger than the picture.
    scene = open_palm(model, camera, [(0, "right", 0.0, 0.08, 0.12 - 0.001 * k) for k in range(20)])
    covered = int(render_maps(scene.select([0]), ("mask",)).mask.sum())
    kept = []
    hide = maps_module.hide_covered
    monkeypatch.setattr(
        maps_module,
        "hide_covered",
        lambda layers, camera: kept.append(sum(len(view.x) for _, view in layers)) or hide(layers, camera),
    )
    maps = render_maps(scene)
    assert covered > 64 * 64 / 2 and max(kept) <= 3 * 64 * 64
    # As without: all are kept to the end.
    monkeypatch.setattr(maps_module, "view_frame", view_all)
    whole = render_maps(scene)
    for name in (*ALL_MAPS, "metric_depth", "hand_index", "part_index", "boxes"):
        assert torch.equal(getattr(maps, name), getattr(whole, name)), name


def view_all(f, hands, surfaces, camera):
    views = [maps_module.view_hand(surfaces[n], camera) for n in hands]
    layers = maps_module.hide_covered(list(zip(hands, views, strict=True)), camera)
    return layers, [maps_module.own_span(view) for view in views]


def test_hands_that_cover_too_much_of_one_frame_are_refused(model, monkeypatch):
    scene = open_palm(model, CAMERA, [(0, "right", 0.0, 0.08, 0.4 + 0.01 * k) for k in range(20)])
    covered = int(render_maps(scene.select([0]), ("mask",)).mask.sum())
    monkeypatch.setattr(maps_module, "BYTES_PER_PIXEL", maps_module.MAX_BYTES // (2 * covered))
    with pytest.raises(SesaHandError, match="20 hands of frame 0 cover more than"):
        render_maps(scene, ("mask",))
    # Each in a frame of its own, they never are in memory together.
    frames = replace(scene, num_frames=20, frame=torch.arange(20))
    assert (render_maps(frames, ("mask",)).mask.sum((1, 2)) > 0).all()


def test_a_frame_looks_the_same_among_many(model):
    places = [(0, "right", 0.0, 0.08, 0.5), (2, "left", 0.05, 0.08, 0.6), (2, "right", -0.05, 0.08, 0.4)]
    scene = open_palm(model, CAMERA, places, num_frames=4)
    last = replace(scene.select([1, 2]), num_frames=1, frame=torch.zeros(2, dtype=torch.long))
    many, alone = render_maps(scene), render_maps(last)
    for name in ALL_MAPS:
        assert torch.equal(getattr(many, name)[2], getattr(alone, name)[0])
        assert getattr(many, name)[[1, 3]].max() == 0


def test_maps_keep_the_order_in_which_files_of_pairs_name_them():
    assert ALL_MAPS[:6] == ("mesh", "depth", "normal", "parts", "keypoints", "mask")
    assert {*PAINTERS, "keypoints"} == set(COLOR_MAPS)
