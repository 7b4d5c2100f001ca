"""The types of core that the pack's nodes speak, each with a node of core on the other side of the wire.

What a ComfyUI does not have yet is skipped with a sentence; the wire's form itself is tested in tests/unit.
"""

import importlib
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sesahand_pack.nodes import assets, condition, detection, hand, inpaint, reconstruction, semantics
from sesahand_pack.sesahand.errors import SesaHandError
from sesahand_pack.sesahand.reconstruct.detection import body_pose
from sesahand_pack.sesahand.reconstruct.detection.external import write_keypoints
from sesahand_pack.sesahand.reconstruct.landmarks import HandLandmarks
from sesahand_pack.sesahand.scene.camera import Camera
from sesahand_pack.sesahand.scene.hand_scene import combine, concatenate_frames

import folder_paths
from comfy_api import latest
from comfy_api.latest import io

SIZE = 256


def core(module: str, name: str):
    """Return a node or function of core, wherever this ComfyUI has it, or skip the test."""
    try:
        return getattr(importlib.import_module(f"comfy_extras.{module}"), name)
    except (ImportError, AttributeError):
        pytest.skip(f"this ComfyUI has no {name} in {module}")


def queued(node):
    """Return a node of core as it is when it is queued: with the hidden values of a graph, here none."""
    return type(node.__name__, (node,), {"hidden": io.HiddenHolder.from_dict({})})


def run(node, **given):
    values = {
        entry.id: entry.default
        for entry in node.define_schema().inputs
        if not entry.optional and getattr(entry, "default", None) is not None
    }
    return queued(node).execute(**values | given).result


@pytest.fixture(autouse=True)
def folders(tmp_path):
    before = {kind: getattr(folder_paths, f"get_{kind}_directory")() for kind in ("output", "temp")}
    for kind in before:
        (tmp_path / kind).mkdir()
        getattr(folder_paths, f"set_{kind}_directory")(str(tmp_path / kind))
    yield tmp_path
    for kind, path in before.items():
        getattr(folder_paths, f"set_{kind}_directory")(path)


@pytest.fixture(scope="module")
def placed():
    """A right and a left hand side by side in a picture of 256 pixels."""

    def one(side: str, x: float, gesture: str):
        posed = run(hand.PoseHand, side=side, gesture=gesture)[0]
        return run(hand.PlaceHand, hands=posed, width=SIZE, height=SIZE, x=x, size=0.45)[0]

    return combine([one("right", 0.28, "open_palm"), one("left", 0.72, "victory")])


def landmarks_of(scene) -> HandLandmarks:
    """Return what a perfect detector of 2D points finds."""
    points = scene.camera.project(scene.pose().keypoints)
    count = len(scene)
    return HandLandmarks(
        scene.camera.width,
        scene.camera.height,
        scene.num_frames,
        scene.frame,
        scene.side,
        points,
        torch.full((count, 21, 3), math.nan),
        torch.cat([points.amin(1), points.amax(1)], 1),
        torch.ones(count),
        torch.ones(count),
    )


class TestBoundingBox:
    def test_cores_node_crops_to_what_render_puts_out(self, placed):
        crop = core("nodes_sdpose", "CropByBBoxes")
        rendered = run(condition.RenderCondition, hands=placed)
        mesh, mask, bboxes = rendered[0], rendered[5], rendered[8]
        assert [len(frame) for frame in bboxes] == [2] and bboxes[0][0]["label"] == "right hand"
        left = [[bboxes[0][1]]]
        [cut] = run(crop, image=mesh, bboxes=left, output_width=64, output_height=64)[:1]
        x, y, width, height = (left[0][0][key] for key in ("x", "y", "width", "height"))
        part = mesh[:, y : y + height, x : x + width]
        assert mask[:, y : y + height, x : x + width].sum() == mask[:, :, SIZE // 2 :].sum(), "it holds the whole hand"
        assert cut.shape == (1, 64, 64, 3) and float(cut.mean()) == pytest.approx(float(part.mean()), abs=0.02)

    def test_cores_box_places_a_hand(self):
        [box] = run(core("nodes_images", "BoundingBox"), x=40, y=20, width=100, height=180)
        posed = run(hand.PoseHand)[0]
        there = run(hand.PlaceHand, hands=posed, width=SIZE, height=SIZE, bounding_box=box)[0]
        typed = run(hand.PlaceHand, hands=posed, width=SIZE, height=SIZE, box="40, 20, 140, 200")[0]
        assert torch.equal(there.translation, typed.translation) and there.camera == typed.camera

    def test_cores_boxes_of_a_picture_crop_to_both_hands(self, placed):
        """As SAM3 Detect and RT-DETR give them: a list for each picture, with labels and scores."""
        _, _, _, _, _, mask, _, _, bboxes, *_ = run(condition.RenderCondition, hands=placed)
        picture = torch.rand(1, SIZE, SIZE, 3)
        by_box = inpaint.CropToMask.execute(image=picture, mask=bboxes, width=64, height=64, context=1.0).result
        by_mask = inpaint.CropToMask.execute(image=picture, mask=mask, width=64, height=64, context=1.0).result
        torch.testing.assert_close(by_box[0], by_mask[0], atol=0.02, rtol=0)

    def test_a_hand_goes_into_every_box_and_a_list_is_a_frame(self):
        posed = run(hand.PoseHand)[0]
        small = {"x": 10, "y": 10, "width": 60, "height": 90, "label": "hand", "score": 0.9}
        large = {"x": 100, "y": 40, "width": 120, "height": 200}
        scene = run(hand.PlaceHand, hands=posed, width=SIZE, height=SIZE, bounding_box=[[small, large], [], [large]])[0]
        assert scene.frame.tolist() == [0, 0, 2] and scene.num_frames == 3
        for index, box in enumerate((small, large, large)):
            points = scene.camera.project(scene.pose().vertices[index])
            low, high = points.amin(0).tolist(), points.amax(0).tolist()
            edges = [box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]]
            assert low[0] > edges[0] - 1 and low[1] > edges[1] - 1 and high[0] < edges[2] + 1 and high[1] < edges[3] + 1
        film = concatenate_frames([posed, posed, posed])
        each = run(hand.PlaceHand, hands=film, width=SIZE, height=SIZE, bounding_box=[[small], [large], []])[0]
        assert each.frame.tolist() == [0, 1] and each.num_frames == 3
        with pytest.raises(SesaHandError, match="boxes for 2 frames"):
            run(hand.PlaceHand, hands=film, bounding_box=[[small], [large]])
        with pytest.raises(SesaHandError, match="bounding_box and box"):
            run(hand.PlaceHand, hands=posed, bounding_box=small, box="1, 2, 30, 40")
        with pytest.raises(SesaHandError, match="no box"):
            run(hand.PlaceHand, hands=posed, bounding_box=[[]])


class TestPoseKeypoint:
    def body(self, wrists) -> list[float]:
        """Return OpenPose's 18 body points of which only the wrists, [right, left], are seen."""
        points = np.zeros((18, 3))
        points[4], points[7] = [*wrists[0], 0.9], [*wrists[1], 0.9]
        return points.flatten().tolist()

    def test_core_draws_the_hands_that_detect_hands_puts_out(self, placed):
        draw = core("nodes_sdpose", "SDPoseDrawKeypoints")
        poses = write_keypoints(landmarks_of(placed))
        [picture] = run(draw, keypoints=poses, draw_body=False, draw_face=False, draw_feet=False)
        drawn = picture[0].amax(-1) > 0
        points = landmarks_of(placed).keypoints_2d.long().flatten(0, 1)
        assert drawn[points[:, 1], points[:, 0]].all() and 0.01 < drawn.float().mean() < 0.3

    def test_hands_that_core_names_the_wrong_way_round_are_set_right(self, placed):
        """SDPose's network has COCO-WholeBody's order: body, feet, face, left hand, right hand."""
        to_frames = core("nodes_sdpose", "_to_openpose_frames")
        truth = landmarks_of(placed).keypoints_2d.numpy()
        points, scores = np.zeros((133, 2), np.float32), np.zeros(133, np.float32)
        points[91:112], points[112:133] = truth[1], truth[0]
        points[9], points[10] = truth[1, 0], truth[0, 0]
        scores[91:133], scores[9:11] = 0.9, 0.8
        [frame] = to_frames([[points]], [[scores]], SIZE, SIZE)
        named = np.reshape(frame["people"][0]["hand_right_keypoints_2d"], (21, 3))[:, :2]
        assert np.allclose(named, truth[1]), "this core calls the left hand right; if no more, the test can go"
        landmarks = detection.DetectHands.execute(
            image=torch.zeros(1, SIZE, SIZE, 3), threshold=0.5, max_hands=0, small_hands=False, keypoints=[frame]
        ).result[0]
        found = dict(zip(landmarks.side, landmarks.keypoints_2d, strict=True))
        assert np.allclose(found["right"], truth[0], atol=1e-3) and np.allclose(found["left"], truth[1], atol=1e-3)
        assert landmarks.side_score.tolist() == [1.0, 1.0]

    def test_an_unsure_hand_is_none(self, placed):
        points = landmarks_of(placed).keypoints_2d[0].tolist()
        flat = [value for x, y in points for value in (x, y, 0.05)]
        pose = [{"people": [{"hand_right_keypoints_2d": flat}], "canvas_width": SIZE, "canvas_height": SIZE}]

        def count(**given):
            image = torch.zeros(1, SIZE, SIZE, 3)
            return run(detection.DetectHands, image=image, keypoints=pose, **given)[4]

        assert count() == 0 and count(keypoint_confidence=0.05) == count(keypoint_confidence=0.0) == 1


class TestFile3D:
    @pytest.mark.parametrize("format", ["glb rigged", "glb posed", "obj"])
    def test_core_previews_and_saves_the_exported_file(self, placed, folders, format):
        preview = core("nodes_load_3d", "Preview3DAdvanced")
        _, path, model = run(assets.ExportMesh, hands=placed, format=format, parameters="none")
        written = (folders / "output" / path).read_bytes()
        answer = run(preview, model_3d=model, viewport_state={}, width=64, height=64)
        assert answer[0].get_bytes() == written and answer[0].format == format.split()[0]
        [shown] = (folders / "temp").iterdir()
        assert shown.read_bytes() == written
        save = core("nodes_save_3d", "Save3DAdvanced")
        run(save, model_3d=model, viewport_state={}, width=64, height=64, filename_prefix="taken/hand")
        [taken] = (folders / "output" / "taken").iterdir()
        assert taken.read_bytes() == written

    def test_without_cores_type_it_is_the_path(self, placed, folders, monkeypatch):
        monkeypatch.setattr(latest, "Types", type("Types", (), {"MESH": plain_mesh}), raising=False)
        _, path, model = run(assets.ExportMesh, hands=placed, parameters="none")
        assert model == str((folders / "output" / path).resolve())


def plain_mesh(vertices, faces):
    """A MESH of the first versions, which had a place for nothing else."""
    return vertices, faces


def camera_info(**given) -> dict:
    vector = {"position": (0.15, 0.25, 0.1), "target": (0.0, 0.0, -0.6)} | given
    as_dict = {name: dict(zip("xyz", vector[name], strict=True)) for name in ("position", "target")}
    return {**as_dict, "zoom": 1.0, "cameraType": "perspective", "fov": 35.0, **given.get("more", {})}


class TestViewerCamera:
    def info(self, placed, **given):
        """Return the camera of core's Create Camera Info, which looks at the hands from above and aside."""
        create = core("nodes_gaussian_splat", "CreateCameraInfo")
        middle = placed.pose().vertices.flatten(0, 1).mean(0) * torch.tensor([1.0, -1.0, -1.0])
        where = {"mode": "look_at", "position_x": 0.35, "position_y": 0.3, "position_z": 0.1}
        target = dict(zip(("target_x", "target_y", "target_z"), middle.tolist(), strict=True))
        return run(create, mode=where, **target, **{"roll": 0.0, "fov": 40.0} | given)[0]

    def test_render_and_cores_render_mesh_see_the_same(self, placed):
        render = core("nodes_mesh_postprocess", "RenderMesh")
        info = self.info(placed, zoom=1.8, fov=50.0)
        mesh = run(condition.RenderCondition, hands=placed.select([0]))[6]
        size = {"width": 320, "height": 256, "camera_info": info}
        ours = run(condition.RenderCondition, hands=placed.select([0]), **size)[5]
        _, theirs = run(render, mesh=mesh, mode="solid", background="#000000", **size)
        ours, theirs = ours > 0.5, theirs > 0.5
        overlap = (ours & theirs).sum() / (ours | theirs).sum()
        assert 0.005 < theirs.float().mean() < 0.6 and overlap > 0.97

    def test_a_rolled_camera_is_one_with_its_quaternion(self, placed):
        straight, rolled = (self.info(placed, roll=roll) for roll in (0.0, 90.0))
        first, second = (
            run(condition.RenderCondition, hands=placed, camera_info=info, width=SIZE, height=SIZE)[5]
            for info in (straight, rolled)
        )
        # The camera turns to its left, so what it sees turns to its right.
        turned = torch.rot90(first, -1, (1, 2))
        assert (turned * second).sum() / torch.maximum(turned, second).sum() > 0.97

    def test_place_hand_turns_and_takes_the_lens(self, placed):
        info = self.info(placed)
        posed = run(hand.PoseHand)[0]
        there = run(hand.PlaceHand, hands=posed, width=SIZE, height=SIZE, camera_info=info)[0]
        assert there.camera.focal_length == pytest.approx(SIZE / 2 / math.tan(math.radians(20)))
        seen = run(condition.RenderCondition, hands=posed, camera_info=info, width=SIZE, height=SIZE)
        assert seen[5].any()
        points = there.camera.project(there.pose().vertices[0])
        middle = (points.amin(0) + points.amax(0)) / 2
        torch.testing.assert_close(middle, torch.tensor([SIZE / 2, SIZE / 2]), atol=1.0, rtol=0)


class TestMesh:
    @pytest.fixture
    def mesh(self, placed):
        mesh = run(condition.RenderCondition, hands=placed)[6]
        if getattr(mesh, "uvs", None) is None:
            pytest.skip("this ComfyUI's MESH has no texture coordinates")
        return mesh

    def test_coordinates_and_normals_are_one_per_vertex(self, mesh, placed):
        count = mesh.vertices.shape[1]
        assert mesh.uvs.shape == (2, count, 2) and mesh.normals.shape == (2, count, 3)
        assert mesh.uvs.min() >= 0 and mesh.uvs.max() <= 1
        assert torch.allclose(mesh.normals.norm(dim=-1), torch.ones(2, count), atol=1e-4)
        model = placed.model
        own = mesh.uvs[0][mesh.faces[0, : model.num_hand_faces]]
        stored = model.uv[model.uv_faces[: model.num_hand_faces]]
        torch.testing.assert_close(own, torch.stack([stored[..., 0], 1 - stored[..., 1]], -1))
        corners = mesh.vertices[0][mesh.faces[0]]
        faces = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        agree = (faces[:, None] * mesh.normals[0][mesh.faces[0]]).sum(-1)
        assert (agree > 0).float().mean() > 0.99, "normals point outwards, as core's faces do"

    def test_core_paints_a_texture_on_it(self, mesh):
        render = core("nodes_mesh_postprocess", "RenderMesh")
        v, u = torch.meshgrid(torch.arange(256), torch.arange(256), indexing="ij")
        mesh.texture = torch.stack([u / 255, v / 255, ((u // 16 + v // 16) % 2).float()], -1)[None]
        image, mask = run(render, mesh=mesh, mode="texture", width=128, height=128, background="#000000")
        shown = image[0][mask[0] > 0.5]
        assert shown[:, 0].std() > 0.05 and 0.2 < (shown[:, 2] > 0.5).float().mean() < 0.8

    def test_core_merges_describes_and_writes_it(self, mesh):
        merge, to_file = core("nodes_save_3d", "MergeMeshes"), core("nodes_save_3d", "MeshToFile3D")
        [both] = run(merge, meshes={"mesh0": mesh, "mesh1": mesh})
        assert both.uvs.shape == (1, 2 * mesh.vertices.shape[1], 2)
        info = run(core("nodes_save_3d", "GetMeshInfo"), mesh=mesh)[1]
        assert "uvs" in info and "normals" in info
        data = run(to_file, mesh=mesh)[0].get_bytes()
        assert data[:4] == b"glTF" and b"TEXCOORD_0" in data and b"NORMAL" in data


class TestBodyPose:
    def test_the_points_are_taken_in_cores_order(self):
        try:
            shared = importlib.import_module("comfy_extras.sam3d_body.export.glb_shared")
        except ImportError:
            pytest.skip("this ComfyUI has no SAM 3D Body, which came with 0.34")
        assert shared.OPENPOSE_HAND21_TO_MHR70_R.tolist() == list(body_pose.POINTS_OF["right"])
        assert shared.OPENPOSE_HAND21_TO_MHR70_L.tolist() == list(body_pose.POINTS_OF["left"])

    def test_the_node_fits_hands_to_a_bodys_points(self, placed):
        """Bodies of the published layout, whose hands are ours."""
        camera = Camera(256.5, (SIZE / 2, SIZE / 2), SIZE, SIZE)
        scene = replace(placed, camera=camera)
        points, person = scene.pose().keypoints, {}
        away = torch.tensor([0.05, 0.1, 0.6])
        person["pred_keypoints_3d"] = np.zeros((70, 3), np.float32)
        person["pred_keypoints_2d"] = np.zeros((70, 2), np.float32)
        for index, side in enumerate(scene.side):
            where = list(body_pose.POINTS_OF[side])
            person["pred_keypoints_3d"][where] = (points[index] - away).numpy()
            person["pred_keypoints_2d"][where] = camera.project(points[index]).numpy()
        person |= {"pred_cam_t": away.numpy(), "focal_length": np.float32(camera.focal_length)}
        data = {"frames": [[person]], "image_size": (SIZE, SIZE)}
        image = torch.zeros(1, SIZE, SIZE, 3)
        landmarks, *_, report = run(detection.DetectHands, image=image, pose_data=data)
        assert landmarks.side == ("right", "left") and "side 100% sure" in report
        hands, error, said = run(reconstruction.ReconstructHands, landmarks=landmarks)
        off = (hands.pose().keypoints - points).norm(dim=-1).mean(1)
        assert off.max() < 0.001 and error < 0.02 and hands.camera == camera and "camera: that of the landmarks" in said


class Model:
    """A text encoder that generates: it answers whatever it is asked with one text, and remembers what it was."""

    def __init__(self, answer: str):
        self.answer, self.asked = answer, []

    def tokenize(self, prompt, **_):
        self.asked.append(prompt)
        return prompt

    def generate(self, tokens, **_):
        return [len(tokens)]

    def decode(self, ids):
        return self.answer


@pytest.mark.parametrize("thoughts", ["", "<think>\nOne person {maybe}. She waves.\n</think>\n"])
def test_cores_text_generation_extracts_semantics(thoughts):
    generate = core("nodes_textgen", "TextGenerate")
    caption = "In front of a red door a woman in a blue coat waves with her left hand."
    parts = '{"pose": "a woman standing", "action": "waving", "hand_action": "waving with her left hand", '
    model = Model(f'{thoughts}Pose: standing.\n```json\n{parts}"environment": ""}}\n```')
    instruction, same = run(semantics.SemanticsInstruction, caption=caption)
    [answer] = generate.execute(model, instruction, 512, {"sampling_mode": "off"}).result
    assert model.asked == [instruction] and caption in instruction and same == caption
    batch, report = semantics.ExtractSemantics.execute(
        caption=[same], attempts=[2], max_length=[512], seed=[0], answer=[answer]
    ).result
    assert batch.images[0].behavior.hand_action == "waving with her left hand" and "by language model" in report
