"""What varies from picture to picture: by seed and number alone, within what words and options leave open."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from sesahand.data.coverage import Coverage, count_distinct, even_target, hand_facts
from sesahand.errors import SesaHandError
from sesahand.generate.filling import Filler
from sesahand.generate.order import Order
from sesahand.generate.variety import KINDS, STYLES, draw_variation
from sesahand.scene.placement import Placement

BASE = SimpleNamespace(is_mini=False, size=128, multiple=8, name="a model")
SENTENCE = "A woman in a kitchen makes a fist"


def scenes(order: Order) -> list:
    return [job.request.scene for job in order.jobs(BASE)]


def same(one, other) -> bool:
    names = ("global_orient", "hand_pose", "betas", "translation")
    return one.side == other.side and all(torch.equal(getattr(one, name), getattr(other, name)) for name in names)


def test_a_picture_is_a_function_of_seed_and_number_alone():
    whole = Order((SENTENCE,), count=6, seed=3, vary=KINDS).jobs(BASE)
    part = Order((SENTENCE, "A man shows a thumbs up"), count=3, seed=3, vary=KINDS).jobs(BASE)
    for number in range(3):
        assert same(whole[number].request.scene, part[number].request.scene)
        assert whole[number].request.semantics.prompt == part[number].request.semantics.prompt
    # The words of number 3 are others; how it differs is not.
    assert torch.equal(whole[3].request.scene.betas, part[3].request.scene.betas)
    assert not same(whole[0].request.scene, scenes(Order((SENTENCE,), seed=4, vary=KINDS))[0])


def test_varied_pictures_share_no_mesh_and_others_share_one():
    facts = [fact for scene in scenes(Order((SENTENCE,), count=24, vary=KINDS)) for fact in hand_facts(scene)]
    assert count_distinct(facts) == 24
    assert {fact.bins["side"] for fact in facts} == {"right", "left"}
    assert len({fact.bins["view"] for fact in facts}) > 2 and len({fact.bins["size"] for fact in facts}) > 2
    plain = [fact for scene in scenes(Order((SENTENCE,), count=4)) for fact in hand_facts(scene)]
    assert count_distinct(plain) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_one_kind_alone_leaves_the_others_as_they_are(kind):
    plain, varied = (Order((SENTENCE,), count=8, vary=kinds).jobs(BASE) for kinds in ((), (kind,)))
    moved = set()
    for one, other in zip(plain, varied, strict=True):
        a, b = one.request.scene, other.request.scene
        moved |= {"side"} if a.side != b.side else set()
        moved |= {"shape"} if not torch.equal(a.betas, b.betas) else set()
        if a.side == b.side:
            moved |= {"joints"} if not torch.equal(a.hand_pose, b.hand_pose) else set()
            moved |= {"view"} if not torch.equal(a.global_orient, b.global_orient) else set()
        if kind == "size" and not torch.equal(a.translation, b.translation):
            moved.add("size")
        moved |= {"caption"} if one.request.semantics.prompt != other.request.semantics.prompt else set()
        assert other.style in (STYLES if kind == "caption" else ("",))
    assert moved == {kind}


def test_a_side_or_a_face_that_the_words_name_stays():
    order = Order(("A man raises his left fist and shows his knuckles",), count=12, vary=("side", "view"))
    assert {scene.side for scene in scenes(order)} == {("left",)}
    assert any(draw_variation(0, number).face for number in range(12)), "else nothing would have been turned"
    plain = hand_facts(scenes(replace(order, count=1, vary=()))[0])[0].bins["view"].split(",")[0]
    shown = [hand_facts(scene)[0].bins["view"].split(",")[0] for scene in scenes(order)]
    assert {"palm": "back", "back": "palm"}[plain] not in shown


def test_hands_stay_in_the_picture():
    for scene in scenes(Order((SENTENCE,), count=16, vary=("view", "size", "shape"))):
        pixels = scene.camera.project(scene.pose().vertices)
        assert pixels.min() > 0 and pixels.max() < 128


def test_what_cannot_vary_is_told():
    with pytest.raises(SesaHandError, match="colour.*view, side"):
        Order((SENTENCE,), vary=("colour",))
    with pytest.raises(SesaHandError, match="box settles"):
        Order((SENTENCE,), vary=KINDS, placement=Placement(box=(10, 10, 90, 90)))
    with pytest.raises(SesaHandError, match="Verbatim"):
        Order((SENTENCE,), vary=("caption",), verbatim=True)


def test_filling_brings_a_set_nearer_to_its_target_than_chance():
    target, start = even_target(), [hand_facts(scene)[0] for scene in scenes(Order((SENTENCE,), count=20))]
    kinds = ("view", "side", "size", "shape", "joints")
    distances = {}
    for name in ("chance", "filled"):
        filler = Filler(target, Coverage.of(start), 1)
        order = Order((SENTENCE,), count=24, seed=1, vary=kinds, choose=filler if name == "filled" else None)
        facts = [*start, *(fact for scene in scenes(order) for fact in hand_facts(scene))]
        coverage = Coverage.of(facts)
        distances[name] = sum(coverage.distance(kind, target) for kind in ("view", "side", "size", "shape"))
    assert distances["filled"] < distances["chance"] - 0.1


def test_proposals_for_one_picture_differ():
    assert draw_variation(0, 5) == draw_variation(0, 5)
    assert len({draw_variation(0, 5, attempt) for attempt in range(8)}) == 8
