"""The workflows of the small model, in API format, on a real server: what comes out is what was asked for."""

import numpy as np
import pytest
from comfy_server import NodeFailed
from PIL import Image

import workflows
from sesahand.data.pair_set import PairSet
from sesahand.models.small.embedded import has_embedded
from sesahand.world.vocabulary import BACKGROUND_COLORS, COLORS, SKINS

pytestmark = pytest.mark.skipif(not has_embedded(), reason="this checkout holds no weights of the small model")

SENTENCE = "A person with {skin} skin {deed} in front of a plain {wall} wall."
FIST = SENTENCE.format(skin="pale", deed="raises a right fist", wall="green")
OPEN = SENTENCE.format(skin="pale", deed="raises a left hand with spread fingers", wall="green")


def the(api: dict, class_type: str) -> str:
    """Return the id of a graph's only node of a type."""
    [node] = workflows.nodes_of(api, class_type)
    return node


def with_settings(api: dict, class_type: str, **given) -> dict:
    """Return a graph in which all nodes of a type have other settings."""
    chosen = workflows.nodes_of(api, class_type)
    assert chosen
    return api | {node: {**api[node], "inputs": api[node]["inputs"] | given} for node in chosen}


def leading_to(api: dict, *wanted: str) -> dict:
    """Return the part of a graph that some of its nodes need."""
    kept, queue = {}, list(wanted)
    while queue:
        node = queue.pop()
        kept[node] = api[node]
        queue += [value[0] for value in api[node]["inputs"].values() if isinstance(value, list)]
    return kept


def skin_shares(picture: Image.Image, skin: str, wall: str) -> np.ndarray:
    """Return how far each pixel is on the way from the colour of the wall to that of the skin, `[128, 128]`."""
    levels = np.asarray(picture.convert("RGB").resize((128, 128), Image.Resampling.BOX), float)
    way = np.subtract(SKINS[skin], COLORS[wall])
    return (levels - COLORS[wall]) @ way / (way @ way)


def agreement(shares: np.ndarray, mask: np.ndarray) -> float:
    """Return how often a pixel of the hand looks more like skin than one outside: 0.5 by chance, 1 at best.

    That is the area under the ROC curve, by ranks.
    """
    ranks = np.empty(shares.size)
    ranks[shares.ravel().argsort()] = np.arange(shares.size)
    inside = mask.ravel()
    count = inside.sum()
    return (ranks[inside].sum() - count * (count - 1) / 2) / (count * (inside.size - count))


@pytest.fixture(scope="module")
def text_to_hand(comfyui_server):
    """Return a function from a sentence to the picture that the workflow makes of it, and the requested silhouette."""
    api = workflows.read_api("text_to_hand")
    shown, saved = the(api, "SesaHandRenderCondition"), the(api, "SaveImage")

    def make(sentence: str) -> tuple[Image.Image, np.ndarray]:
        graph = with_settings(api, "SesaHandExtractSemantics", caption=sentence)
        run = comfyui_server.run(leading_to(graph, shown, saved))
        [picture] = run.images(saved)
        return picture, np.asarray(run.images(shown)[0].convert("L")) > 40

    return make


def test_the_picture_of_a_sentence_shows_the_hand_that_it_names(text_to_hand):
    """Each picture fits the silhouette that was asked for, and better than that of the other sentence.

    Real renders agree by 0.9 and more, random weights by 0.5.
    """
    made = {sentence: text_to_hand(sentence) for sentence in (FIST, OPEN)}
    masks = [mask for _, mask in made.values()]
    assert (masks[0] & masks[1]).sum() < 0.75 * (masks[0] | masks[1]).sum(), "the sentences ask for different hands"
    for (picture, mask), other in zip(made.values(), masks[::-1], strict=True):
        shares = skin_shares(picture, "pale", "green")
        assert agreement(shares, mask) > 0.8
        assert agreement(shares, mask) > agreement(shares, other) + 0.03


def test_the_words_of_the_sentence_colour_the_picture(text_to_hand):
    """The wall is the named colour rather than any other."""
    for wall in ("green", "blue"):
        picture, mask = text_to_hand(SENTENCE.format(skin="tan", deed="raises a right fist", wall=wall))
        levels = np.asarray(picture.convert("RGB").resize((128, 128), Image.Resampling.BOX), float)
        corner = np.median(levels[:24][~mask[:24]], 0)
        nearest = min(BACKGROUND_COLORS, key=lambda name: np.linalg.norm(corner - COLORS[name]))
        assert nearest == wall


def test_the_picture_is_saved_before_a_detection_that_fails(comfyui_server):
    api = workflows.read_api("text_to_hand")
    detect, shown = the(api, "SesaHandDetectHands"), the(api, "SesaHandRenderCondition")
    # Two inputs that exclude each other, as good a failure as missing files.
    graph = with_settings(api, "SesaHandDetectHands", mask=[shown, 5], boxes=[shown, 7])
    graph = with_settings(graph, "SaveImage", filename_prefix="before_detection")
    with pytest.raises(NodeFailed, match="keep one") as failure:
        comfyui_server.run(graph)
    assert failure.value.node_type == api[detect]["class_type"]
    assert len(list((comfyui_server.folder / "output").glob("before_detection*.png"))) == 1


def test_a_sentence_without_a_gesture_is_told_what_to_say(text_to_hand):
    with pytest.raises(NodeFailed, match="name no gesture.*Gestures are: open_palm"):
        text_to_hand("A person looks at the sea.")


@pytest.mark.usefixtures("detector_folder")
def test_text_to_hand_ends_with_a_score_and_a_second_run_is_cached(comfyui_server):
    api = workflows.read_api("text_to_hand")
    run = comfyui_server.run(api)
    texts = [run.outputs[node]["text"][0] for node in workflows.nodes_of(api, "PreviewAny")]
    assert any(text.startswith("score ") for text in texts)
    assert any(text.startswith("right hand, ok: from ") for text in texts)
    assert comfyui_server.run(api).executed == []


def test_a_hand_holds_what_the_sentence_says_and_the_picture_shows_it(comfyui_server):
    """Where the map has the ball, the picture has neither skin nor wall; the hand around it is skin."""
    api = workflows.read_api("hand_holding")
    shown, saved, held = the(api, "SesaHandRenderCondition"), the(api, "SaveImage"), the(api, "SesaHandHoldObject")
    sentence = SENTENCE.format(skin="tan", deed="raises a right hand holding a red ball", wall="blue")
    graph = with_settings(api, "SesaHandExtractSemantics", caption=sentence)
    graph = with_settings(graph, "SesaHandPlaceHand", roll=0, yaw=30)
    outputs = comfyui_server.get("/object_info/SesaHandRenderCondition")["SesaHandRenderCondition"]["output_name"]
    graph["thing"] = {"class_type": "MaskPreview", "inputs": {"mask": [shown, outputs.index("object_mask")]}}
    [report] = [node for node in workflows.nodes_of(api, "PreviewAny") if api[node]["inputs"]["source"][0] == held]
    run = comfyui_server.run(leading_to(graph, saved, report, "thing"))
    assert run.outputs[report]["text"][0].startswith("frame 0, right hand, sphere x 1: thumb, index")
    thing = np.asarray(run.images("thing")[0].convert("L")) > 128
    [picture] = run.images(saved)
    levels = np.asarray(picture.convert("RGB").resize((128, 128), Image.Resampling.BOX), float)
    nearest = np.minimum(*(np.linalg.norm(levels - color, axis=-1) for color in (SKINS["tan"], COLORS["blue"])))
    assert thing.sum() > 400 and np.median(nearest[thing]) > 2 * np.median(nearest[~thing])


@pytest.mark.usefixtures("detector_folder")
def test_the_five_ways_are_compared_on_one_labelled_sheet(comfyui_server):
    api = with_settings(workflows.read_api("compare_alignment"), "KSampler", steps=2)
    samplers = workflows.nodes_of(api, "KSampler")
    assert len({tuple(api[node]["inputs"]["seed"]) for node in samplers}) == 1, "one seed for all"
    run = comfyui_server.run(api)
    shown = [np.asarray(run.images(node)[0]) for node in workflows.nodes_of(api, "PreviewImage")]
    assert len(shown) == len(samplers) == 5
    for k, picture in enumerate(shown):
        assert picture.shape == (384, 384, 3)
        assert all(not np.array_equal(picture, other) for other in shown[:k]), "each part of the method has a say"
    [sheet] = run.images(the(api, "SaveImage"))
    assert sheet.width > 5 * 384 and sheet.height > 384
    source, _ = api[the(api, "SesaHandContactSheet")]["inputs"]["labels"]
    labels = api[source]["inputs"]["value"].splitlines()
    assert [label.split(":")[0] for label in labels] == ["plain", "+ SE", "+ SE + SF", "+ SE + SF + AE", "(hand"]


@pytest.mark.usefixtures("detector_folder")
def test_a_batch_of_sentences_becomes_pairs_that_pass_the_threshold(comfyui_server):
    api = with_settings(workflows.read_api("dataset_batch"), "KSampler", steps=2)
    api = with_settings(api, "SesaHandExtractSemantics", caption=f"{FIST}\n{OPEN}")
    strict = with_settings(api, "SesaHandSavePair", set_name="pairs/strict", minimum_score=1.0)
    loose = with_settings(api, "SesaHandSavePair", set_name="pairs/loose", minimum_score=0.0)
    texts = []
    for graph in (strict, loose):
        run = comfyui_server.run(graph)
        texts += [run.outputs[node]["text"][0] for node in workflows.nodes_of(graph, "PreviewAny")]
    assert any("0 of 2 pairs written to pairs/strict" in text for text in texts)
    fist, opened = PairSet(comfyui_server.folder / "output/pairs/loose")
    assert fist.scene.side == ("right",) and opened.scene.side == ("left",)
    assert "fist" in fist.prompt and "spread fingers" in opened.prompt
    assert fist.facts.score is not None and fist.facts.seed == opened.facts.seed
    masks = [np.asarray(Image.open(pair.path("mask")).convert("L")) > 127 for pair in (fist, opened)]
    assert masks[0].shape == (128, 128) and (masks[0] ^ masks[1]).mean() > 0.05, "each with its own hand"
    pictures = [np.asarray(Image.open(pair.path("picture")), float) for pair in (fist, opened)]
    assert np.abs(pictures[0] - pictures[1]).mean() > 1
