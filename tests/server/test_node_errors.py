"""Bad input on a real server: the node says what is wrong and how to mend it, and the next graph runs."""

import json

import pytest
from comfy_server import NodeFailed, PromptRejected

from workflows import defaults


@pytest.fixture
def server(comfyui_server):
    yield comfyui_server
    graph = chain(comfyui_server)
    graph["1"]["inputs"]["seed"] = hash(str(comfyui_server.log())) % 2**32
    assert len(comfyui_server.run(graph).images("3")) == 5, "the server did not get over it"


def chain(server, **place):
    """Return Pose Hand -> Place Hand -> Render Hand Depth & Maps at their defaults."""
    return {
        "1": defaults(server, "SesaHandPoseHand"),
        "2": defaults(server, "SesaHandPlaceHand", hands=["1", 0], **place),
        "3": defaults(server, "SesaHandRenderCondition", hands=["2", 0]),
    }


def test_defaults_make_pictures_at_once(server):
    assert all(picture.size == (512, 512) for picture in server.run(chain(server)).images("3"))


def test_an_empty_mask_says_to_paint(server):
    graph = chain(server)
    graph["2"]["inputs"]["mask"] = ["4", 0]
    graph["4"] = defaults(server, "SolidMask", value=0.0, width=64, height=64)
    with pytest.raises(NodeFailed, match="Paint the hand's place white") as error:
        server.run(graph)
    assert error.value.node_type == "SesaHandPlaceHand" and error.value.exception_type == "SesaHandError"


def test_an_impossible_place_is_explained_on_the_node(server):
    with pytest.raises(NodeFailed, match="Choose a smaller box"):
        server.run(chain(server, size=10.0, fov=150.0))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"width": 10**9}, "width is 1000000000, expected a finite number from 16 to 16384."),
        ({"x": 9.0}, "bigger than max"),
        ({"x": -9.0}, "smaller than min"),
        ({"camera": "fisheye"}, "'fisheye'"),
        ({"box": "here"}, "box is 'here', expected four numbers in pixels: left, top, right, bottom."),
        ({"box": "\ud800"}, r"box is '\ud800', expected four numbers"),
        ({"box": "1_0, 0, 40, 40"}, "expected four numbers"),
        ({"box": "300, 300, 100, 100"}, "is no box: it needs left < right and top < bottom"),
        ({"box": "600, 0, 700, 90"}, "lies outside the picture of 512x512 pixels"),
    ],
)
def test_settings_out_of_range_are_refused_before_anything_runs(server, given, message):
    with pytest.raises(PromptRejected) as refusal:
        server.run(chain(server, **given))
    [refused] = refusal.value.nodes["2"]
    assert message in refused, "one bad value is one error"


def test_pictures_too_large_for_memory_are_refused(server):
    graph = chain(server)
    graph["3"]["inputs"].update(width=16384, height=16384, antialias=False)
    with pytest.raises(NodeFailed, match="GiB|smaller"):
        server.run(graph)


@pytest.mark.parametrize("prefix", ["../outside", "/outside", "a/../../outside", "", "outside/.x", "\ud800x/outside"])
def test_saving_outside_the_output_folder_is_refused_with_nothing_written(server, prefix):
    graph = chain(server)
    graph["3"] = defaults(server, "SesaHandSaveHands", hands=["2", 0], filename_prefix=prefix)
    with pytest.raises(PromptRejected) as refusal:
        server.run(graph)
    [refused] = refusal.value.nodes["3"]
    assert "filename_prefix cannot be used" in refused
    # The same for what comes over a wire, of which nothing is known before.
    graph["4"] = {"class_type": "PrimitiveString", "inputs": {"value": prefix}}
    graph["3"]["inputs"]["filename_prefix"] = ["4", 0]
    with pytest.raises(NodeFailed, match="filename_prefix"):
        server.run(graph)
    assert not list(server.folder.rglob("outside*"))


@pytest.mark.parametrize(
    ("node", "given"), [("1", {"side": None}), ("2", {"camera": None}), ("3", {"depth_range": None})]
)
def test_null_is_refused_by_the_node_that_got_it(server, node, given):
    """Before the run where the server compares combos with their options, else when the node runs."""
    graph = chain(server)
    graph[node]["inputs"].update(given)
    [name] = given
    with pytest.raises((NodeFailed, PromptRejected)) as refusal:
        server.run(graph)
    if isinstance(refusal.value, NodeFailed):
        assert f"{name} is None, expected one of" in refusal.value.message
    else:
        [refused] = refusal.value.nodes[node]
        assert name in refused and "None" in refused


@pytest.mark.parametrize("name", ["../server.log", "/etc/passwd", "nowhere.json"])
def test_files_outside_the_input_folder_are_not_read(server, name):
    graph = {"1": defaults(server, "SesaHandLoadHands", file=name, left_hands="mirrored")}
    graph["2"] = defaults(server, "SesaHandRenderCondition", hands=["1", 0])
    with pytest.raises(PromptRejected) as refusal:
        server.run(graph)
    [refused] = refusal.value.nodes["1"]
    assert "There is no file" in refused and "Copy it there" in refused


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda scene: scene["hands"][0].update(translation=[float("nan"), 0, 1]), "NaN"),
        (lambda scene: scene["hands"][0].update(hand_pose=[[0, 0, 0]]), "hand_pose"),
        (lambda scene: scene["camera"].update(width=10**9), "camera"),
        (lambda scene: scene.update(hand_model="someone_elses"), "someone_elses"),
        (lambda scene: scene.pop("camera"), "camera"),
    ],
)
def test_a_broken_scene_file_is_named_with_its_field(server, edit, message):
    graph = chain(server)
    graph["5"] = defaults(server, "SesaHandSaveHands", hands=["2", 0], filename_prefix="to_break")
    server.run(graph)
    scene = json.loads(max((server.folder / "output").glob("to_break*")).read_text())
    edit(scene)
    (server.folder / "input" / "broken.json").write_text(json.dumps(scene))
    graph = {"1": defaults(server, "SesaHandLoadHands", file="broken.json", left_hands="mirrored")}
    graph["2"] = defaults(server, "SesaHandRenderCondition", hands=["1", 0])
    with pytest.raises(NodeFailed, match=message) as error:
        server.run(graph)
    assert "broken.json" in error.value.message


def test_a_scene_without_hands_renders_black(server):
    graph = chain(server)
    graph["5"] = defaults(server, "SesaHandSaveHands", hands=["2", 0], filename_prefix="to_empty")
    server.run(graph)
    scene = json.loads(max((server.folder / "output").glob("to_empty*")).read_text())
    scene["hands"] = []
    (server.folder / "input" / "empty.json").write_text(json.dumps(scene))
    graph = {"1": defaults(server, "SesaHandLoadHands", file="empty.json", left_hands="mirrored")}
    graph["2"] = defaults(server, "SesaHandRenderCondition", hands=["1", 0])
    assert all(picture.convert("L").getextrema() == (0, 0) for picture in server.run(graph).images("2"))


def test_a_hostile_model_file_is_refused_and_runs_nothing(server):
    import pickle

    class Hostile:
        def __reduce__(self):
            return open, (str(server.folder / "touched"), "w")

    (server.folder / "models/mano/MANO_RIGHT.pkl").write_bytes(pickle.dumps({"f": Hostile()}, protocol=2))
    graph = chain(server)
    graph["6"] = defaults(server, "SesaHandLoadHandModel", name="MANO_RIGHT.pkl")
    graph["1"]["inputs"]["hand_model"] = ["6", 0]
    with pytest.raises(NodeFailed, match="refused|MANO") as error:
        server.run(graph)
    assert error.value.node_type == "SesaHandLoadHandModel"
    assert not (server.folder / "touched").exists()
