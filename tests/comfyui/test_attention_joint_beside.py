"""The bias on transformers beside what steers, stores, compiles or divides the network, against float64."""

import pytest
import tiny_controls
import tiny_transformers
import torch
from attention_reference import relative_l2
from joint_case import Case, region
from joint_reference import attention, reference, softmax_attention
from sesahand_pack.nodes.patches import joint_attention
from sesahand_pack.nodes.patches.attention_bias import bias_attention
from sesahand_pack.sesahand.attention.joint import attend_with_bias
from sesahand_pack.sesahand.errors import SesaHandError

import comfy.supported_models
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from comfy_api.torch_helpers import set_torch_compile_wrapper


@pytest.fixture(scope="module", autouse=True)
def models():
    torch.set_num_threads(1)
    yield
    tiny_transformers.model.cache_clear()


@pytest.mark.parametrize("name", ["qwen_image", "wan_t2v"])
def test_only_the_rows_that_a_mask_reaches_are_attended_to_with_it(name, monkeypatch):
    """All others cost nothing, and a mask that reaches none changes no bit."""
    case = Case(name)
    mask = torch.zeros(12, 20)
    plain = case.sample(case.model)
    assert torch.equal(case.sample(bias_attention(case.model, 2.0, "all", mask=mask)), plain)
    mask[5:8, 3:9] = 1
    rows = []

    def counting(attend, query, mask, bias, inside, *args):
        rows.append((inside.stop - inside.start, bias.shape[2]))
        return attend_with_bias(attend, query, mask, bias, inside, *args)

    monkeypatch.setattr(joint_attention, "attend_with_bias", counting)
    case.check(bias_attention(case.model, 2.0, "all", mask=mask), {"mask": mask}, minimum=1e-4)
    # Patches of 2 x 2 in rows of 10: from the second in the third row to the fifth in the fourth. An attention to the
    # text alone is not cut.
    assert {count for count, _ in rows} == ({14} if name == "qwen_image" else {120})
    assert all(count == of_bias for count, of_bias in rows)


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


@pytest.mark.parametrize("name", ["flux", "qwen_image", "z_image", "wan_t2v"])
def test_weights_in_8_bits_are_biased_as_exactly(name):
    """They are cast on their way into each layer; the attention is in the type that is computed in."""
    case = Case(name)
    case.model = tiny_transformers.model(name, weights=torch.float8_e4m3fn, computed=torch.float32)
    assert any(weight.dtype == torch.float8_e4m3fn for weight in case.model.model.diffusion_model.parameters())
    mask = region(case)
    case.check(bias_attention(case.model, 2.0, "all", mask=mask), {"mask": mask}, steps=1, cfg=1.0)


@pytest.mark.parametrize("name", ["flux", "qwen_image", "z_image", "wan_t2v"])
def test_in_16_bits_the_bias_is_as_exact_as_the_attention_is_without_it(name):
    case = Case(name)
    case.model = tiny_transformers.model(name, weights=torch.bfloat16, computed=torch.bfloat16)
    given = {"steps": 1, "cfg": 1.0}

    def error(got, alpha):
        with reference(case.model, [case.places], alpha) as other:
            return relative_l2(got, case.sample(other, **given))

    plain, biased = case.sample(case.model, **given), case.sample(bias_attention(case.model, 2.0, "all"), **given)
    assert 0 < error(plain, 0.0) < 0.02 and error(biased, 2.0) < 2 * error(plain, 0.0)
    assert relative_l2(biased, plain) > 3 * error(biased, 2.0)


@pytest.mark.parametrize("name", ["qwen_image", "wan_t2v"])
def test_a_model_of_which_few_layers_stay_loaded_is_biased_alike(name):
    """Layers that wait in main memory bring their weights, and those of LoRAs, when they are called."""
    case = Case(name)
    patched = bias_attention(case.model, 2.0, "all")
    expected = case.sample(patched)
    network = case.model.model

    def load_a_little(device, extra_memory=0, force_patch_weights=False):
        patched.load(device, lowvram_model_memory=4096, force_patch_weights=force_patch_weights)
        return 0

    patched.detach()
    patched.partially_load = load_a_little
    try:
        assert torch.equal(case.sample(patched), expected)
        assert network.model_lowvram
    finally:
        patched.detach()


def test_a_compiled_model_is_biased_to_the_same_bit_in_either_order(monkeypatch):
    case = Case("qwen_image")
    network = case.model.model.diffusion_model
    monkeypatch.setattr(network, "transformer_blocks", network.transformer_blocks[:1])
    given = {"steps": 1, "cfg": 1.0}
    expected = case.sample(bias_attention(case.model, 2.0, "all"), **given)
    before, after = case.model.clone(), bias_attention(case.model, 2.0, "all")
    set_torch_compile_wrapper(before, backend="eager")
    assert torch.equal(case.sample(bias_attention(before, 2.0, "all"), **given), expected)
    # The same compiled network: to compile it once more takes longer than all else here.
    kind = WrappersMP.APPLY_MODEL
    [compiled] = before.get_wrappers(kind, "torch.compile")
    after.add_wrapper_with_key(kind, "torch.compile", compiled)
    assert torch.equal(case.sample(after, **given), expected)


def test_variants_of_a_network_with_more_in_it_are_refused():
    """VACE runs a second stream with the same lengths."""
    settings = {
        "image_model": "wan2.1",
        **tiny_transformers.WAN,
        "model_type": "vace",
        "vace_layers": 1,
        "vace_in_dim": 96,
    }
    config = comfy.supported_models.WAN21_Vace(settings)
    config.set_inference_dtype(torch.float32, None)
    made = config.get_model({}, "", device=torch.device("cpu"))
    with pytest.raises(SesaHandError, match="The attention of WAN21_Vace cannot be biased"):
        bias_attention(ModelPatcher(made, torch.device("cpu"), torch.device("cpu")))
