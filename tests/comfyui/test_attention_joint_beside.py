"""The bias on transformers beside what steers, stores, compiles or divides the network, against float64."""

import pytest
import tiny_controls
import tiny_transformers
import torch
from attention_reference import relative_l2
from joint_case import Case, region
from joint_reference import attention, softmax_attention
from sesahand_pack.nodes.patches.attention_bias import bias_attention


@pytest.fixture(scope="module", autouse=True)
def models():
    torch.set_num_threads(1)
    yield
    tiny_transformers.model.cache_clear()


def blocks_of(case):
    network = case.model.model.diffusion_model
    names = ("double_blocks", "single_blocks", "transformer_blocks")
    return [block for name in names for block in getattr(network, name, ())]


def lengths_seen(case, **options):
    """The queries and keys of each attention of one call of the network and of what steers it."""
    seen = []

    def note(q, k, v, mask, options):
        seen.append((q.shape[2], k.shape[2]))
        return softmax_attention(q, k, v, mask)

    with attention(note):
        case.sample(case.model, steps=1, cfg=1.0, **options)
    return seen


@pytest.mark.parametrize("control", ["flux", "qwen_image", "qwen_image_fun"])
def test_a_controlnet_attends_to_the_text_as_without_the_bias(control):
    """It is another network: what it says of the picture's shape stays, and the model that paints heeds the words."""
    case = Case(control.removesuffix("_fun"))
    positive, negative = tiny_controls.controlled(control, case.positive, case.negative)
    sides = {"positive": positive, "negative": negative}
    assert lengths_seen(case, **sides).count(case.places.lengths) > len(blocks_of(case))
    got = case.check(settings={"inside": blocks_of(case)}, **sides)
    assert relative_l2(got, case.sample(bias_attention(case.model, 2.0, "all"))) > 1e-3


@pytest.mark.parametrize("settings", [{}, {"refiner_control": True, "additional_in_dim": 17}])
def test_z_images_control_layers_see_no_text_and_stay(settings):
    case = Case("z_image")
    steered = tiny_controls.with_control_layers(case.model, **settings)
    mask = region(case)
    patched = bias_attention(steered, 2.0, "all", mask=mask)
    got = case.check(patched, {"mask": mask}, plain=steered, steps=1, cfg=1.0)
    assert relative_l2(got, case.sample(bias_attention(case.model, 2.0, "all", mask=mask), steps=1, cfg=1.0)) > 1e-3
