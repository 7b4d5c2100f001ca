"""The shipped workflows, in API format, on a real server."""

import numpy as np
import pytest
from glb_reader import Glb
from hand_picture import hand_picture, load_picture

import workflows


def quick(api: dict) -> dict:
    """Return generate_hand with fewer steps and a smaller picture, which is what a test without a GPU can wait for."""
    for node in api.values():
        if node["class_type"] == "KSampler":
            node["inputs"]["steps"] = 2
        if node["class_type"] == "EmptyLatentImage":
            node["inputs"].update(width=192, height=128)
    return api


@pytest.fixture(scope="module")
def posed(comfyui_server):
    api = workflows.read_api("pose_and_render")
    return api, comfyui_server.run(api)


def saved(api, run, prefix):
    [node] = [key for key, value in api.items() if value["inputs"].get("filename_prefix") == prefix]
    return run.images(node)


def test_pose_and_render_saves_maps_of_the_placed_size(posed):
    api, run = posed
    for prefix in ("sesahand/depth", "sesahand/normal", "sesahand/keypoints"):
        [picture] = saved(api, run, prefix)
        assert picture.size == (768, 512)
        assert np.asarray(picture.convert("L")).max() > 100


def test_pose_and_render_shows_its_maps_on_the_node_and_they_cover_each_other(posed):
    api, run = posed
    [node] = workflows.nodes_of(api, "SesaHandRenderCondition")
    mesh, depth, normal, parts, keypoints = (np.asarray(p.convert("RGB")) for p in run.images(node))
    hand = mesh.max(-1) > 127
    assert 0.1 < hand.mean() < 0.6
    assert (parts.max(-1)[hand] > 0).all() and (normal.max(-1)[hand] > 0).all()
    for picture in (depth, normal, parts):
        assert not picture[mesh.max(-1) == 0].any(), "colour where there is no hand"
    left, right = hand[:, :384].sum(), hand[:, 384:].sum()
    assert min(left, right) > 0.1 * hand.sum(), "two hands, side by side"
    assert keypoints.any()


def test_pose_and_render_writes_meshes_and_hands_to_the_output_folder(posed, comfyui_server):
    api, run = posed
    [mesh] = workflows.nodes_of(api, "SesaHandExportMesh")
    [file] = run.outputs[mesh]["3d"]
    folder = comfyui_server.folder / "output"
    glb = Glb((folder / file["subfolder"] / file["filename"]).read_bytes())
    assert len(glb.entries("meshes")) == 2, "both hands in one file, for a viewer to show both"
    assert (folder / "sesahand" / "hands_00001_.json").is_file()


def test_a_second_run_takes_everything_from_the_cache(posed, comfyui_server):
    api, _ = posed
    assert comfyui_server.run(api).executed == []


def grown(mask: np.ndarray, steps: int) -> np.ndarray:
    """Return what is within so many steps to the left, right, top or bottom of a mask."""
    for _ in range(steps):
        wide = np.pad(mask, 1)
        mask = wide[1:-1, 1:-1] | wide[:-2, 1:-1] | wide[2:, 1:-1] | wide[1:-1, :-2] | wide[1:-1, 2:]
    return mask


@pytest.mark.usefixtures("detector_folder")
def test_from_meshgraphormer_gives_the_depth_map_and_the_mask_that_its_preprocessor_gave(comfyui_server):
    """From 255 at the nearest to 51 at the farthest point of the hand on black, and what it covers, grown by 5."""
    api = workflows.read_api("from_meshgraphormer")
    own, hand = hand_picture()
    load_picture(api, comfyui_server.folder, own)
    run = comfyui_server.run(api)
    depth, mask = (
        np.asarray(run.images(*workflows.nodes_of(api, kind))[0].convert("L"))
        for kind in ("PreviewImage", "MaskPreview")
    )
    assert depth.shape == mask.shape == (own.height, own.width)
    covered = depth > 0
    assert depth.max() == 255 and depth[covered].min() in (50, 51), "ComfyUI's pictures are rounded down"
    # The picture has a piece of forearm, too.
    assert (covered & hand).sum() > 0.6 * (covered | hand).sum()
    assert ((mask > 127) == grown(covered, 5)).all()


def test_generate_hand_samples_with_the_standard_loaders(comfyui_server):
    api = quick(workflows.read_api("generate_hand"))
    run = comfyui_server.run(api)
    [save] = workflows.nodes_of(api, "SaveImage")
    [picture] = run.images(save)
    assert picture.size == (192, 128)
    assert np.asarray(picture).std() > 1
    # The depth map steers: another hand gives another picture from the same seed.
    [pose] = workflows.nodes_of(api, "SesaHandPoseHand")
    api[pose]["inputs"]["gesture"] = "fist"
    [other] = comfyui_server.run(api).images(save)
    assert np.abs(np.asarray(picture).astype(int) - np.asarray(other)).max() > 2


def test_templates_and_help_pages_are_served(comfyui_server):
    assert set(comfyui_server.get("/workflow_templates")["sesahand"]) == set(workflows.NAMES)
    for name in workflows.NAMES:
        assert comfyui_server.fetch(f"/api/workflow_templates/sesahand/{name}.jpg")[:2] == b"\xff\xd8"
    page = comfyui_server.fetch("/extensions/sesahand/docs/SesaHandPoseHand.md").decode()
    assert page.startswith("# Pose Hand (SesaHand)")
