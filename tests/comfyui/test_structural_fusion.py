"""SesaHandStructuralFusion in ComfyUI: through its own apply nodes and samplers, and beside what others do."""

import copy
import os
import sys
from dataclasses import replace

import narrow_models
import pytest
import torch
from sesahand_pack.nodes.control import StructuralFusion
from sesahand_pack.nodes.patches.structural_fusion import FusedControlModel, apply_structural_fusion, comfy_layout
from sesahand_pack.sesahand.errors import SesaHandError
from sesahand_pack.sesahand.fusion.settings import FusionSettings

import comfy.cldm.mmdit
import comfy.controlnet
import comfy.model_management
import comfy.ops
import comfy.sample
from nodes import ControlNetApply, ControlNetApplyAdvanced

PAPER = FusionSettings(mode="paper")


@pytest.fixture(scope="module", params=["sd15", "sdxl"])
def family(request):
    return request.param


@pytest.fixture(scope="module")
def models(family):
    return narrow_models.model(family), narrow_models.controlnet(family)


@pytest.fixture(scope="module")
def sd15():
    return narrow_models.model("sd15"), narrow_models.controlnet("sd15")


def fuse(control_net, settings=PAPER):
    return apply_structural_fusion(control_net, settings)


def conditioning(family="sd15", seed=0, tokens=77):
    generator = torch.Generator().manual_seed(seed)
    width = {"sd15": 768, "sdxl": 2048}[family]
    pooled = {"pooled_output": torch.randn(1, 1280, generator=generator)} if family == "sdxl" else {}
    return [[torch.randn(1, tokens, width, generator=generator), pooled]]


def hint(size=(128, 128), batch=1, seed=0):
    return torch.rand(batch, *size, 3, generator=torch.Generator().manual_seed(seed))


def apply(control_net, positive, negative, strength=1.0, start=0.0, end=1.0, image=None):
    image = hint() if image is None else image
    return ControlNetApplyAdvanced().apply_controlnet(positive, negative, control_net, image, strength, start, end)


def sample(model, positive, negative, size=(16, 16), steps=1, batch=1, callback=None, cfg=3.0):
    latent = torch.zeros(batch, 4, *size)
    noise = comfy.sample.prepare_noise(latent, 0)
    return comfy.sample.sample(
        model, noise, steps, cfg, "euler", "normal", positive, negative, latent, seed=0, callback=callback
    )


def generate(model, control_net, family="sd15", size=(16, 16), steps=1, **options):
    prompts = conditioning(family, 0), conditioning(family, 1)
    return sample(model, *apply(control_net, *prompts, **options), size=size, steps=steps)


def count_hooks(control_net):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in control_net.control_model.modules())


def control_inputs(family="sd15", size=(16, 16), batch=2, seed=3):
    generator = torch.Generator().manual_seed(seed)
    inputs = {
        "x": torch.randn(batch, 4, *size, generator=generator),
        "hint": torch.rand(batch, 3, size[0] * 8, size[1] * 8, generator=generator),
        "timesteps": torch.tensor([500.0] * batch),
        "context": torch.randn(batch, 77, {"sd15": 768, "sdxl": 2048}[family], generator=generator),
    }
    return inputs | ({"y": torch.randn(batch, 2816, generator=generator)} if family == "sdxl" else {})


@torch.no_grad()
def residuals(control_net, **options):
    output = control_net.control_model(**control_inputs(**options))
    return [*output["output"], *output["middle"]]


def test_fusion_changes_the_picture_and_zero_does_not(family, models):
    model, control_net = models
    plain = generate(model, control_net, family, steps=2)
    for mode in ("paper", "blend"):
        fused = generate(model, fuse(control_net, FusionSettings(mode=mode, refine="to_16")), family, steps=2)
        assert torch.isfinite(fused).all()
        assert (fused - plain).abs().max() > 1e-3
        assert fuse(control_net, FusionSettings(mode=mode, refine="to_16", strength=0)) is control_net
    silent = control_net.copy()
    silent.control_model = FusedControlModel(control_net.control_model, FusionSettings(strength=0))
    assert torch.equal(generate(model, silent, family, steps=2), plain)


@pytest.mark.parametrize(
    ("refine", "sd15", "sdxl"), [("middle", 1, 1), ("coarsest", 4, 4), ("to_16", 7, 4), ("to_32", 10, 7)]
)
@pytest.mark.parametrize("size", [(16, 16), (20, 28)], ids=str)
def test_only_the_chosen_residuals_change(family, models, refine, sd15, sdxl, size):
    _, control_net = models
    refined = {"sd15": sd15, "sdxl": sdxl}[family]
    plain = residuals(control_net, family=family, size=size)
    fused = residuals(fuse(control_net, FusionSettings(mode="paper", refine=refine)), family=family, size=size)
    # The layers whose maps are taken compute their own attention from them, which differs by rounding.
    changed = [bool((a - b).norm() / a.norm() > 1e-5) for a, b in zip(plain, fused, strict=True)]
    assert changed == [False] * (len(plain) - refined) + [True] * refined


@torch.no_grad()
def test_middle_residual_is_the_product_of_psi_and_the_feature(sd15):
    """The paper's formula by hand: whole maps of the four chosen layers, torch's own pooling, one matrix product."""
    _, control_net = sd15
    base, projections, features = control_net.control_model, {}, []
    chosen = {(layer.level, layer.in_middle): layer for layer in comfy_layout(base).attention}.values()
    handles = [base.middle_block_out[0].register_forward_pre_hook(lambda module, args: features.append(args[0]))]
    for layer in chosen:
        for module in (layer.to_q, layer.to_k):
            handles.append(module.register_forward_hook(lambda m, args, out: projections.update({m: out})))
    residuals(control_net)
    for handle in handles:
        handle.remove()
    psi, pool = 0, torch.nn.functional.adaptive_max_pool2d
    for layer in chosen:
        q, k = (projections[m].unflatten(-1, (layer.heads, -1)).transpose(1, 2) for m in (layer.to_q, layer.to_k))
        attention = torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, -1).mean(1)
        grid = (16 >> layer.level, 16 >> layer.level)
        for _ in range(2):  # keys, then queries
            attention = pool(attention.unflatten(2, grid), (2, 2)).flatten(2).transpose(1, 2)
        psi = psi + attention
    refined = torch.einsum("bij,bcj->bci", psi, features[0].flatten(2)).view_as(features[0])
    expected = base.middle_block_out[0](refined)
    actual = residuals(fuse(control_net))[-1]
    assert (actual - expected).norm() < 1e-5 * expected.norm()


def test_the_loaded_controlnet_stays_as_it_was(family, models):
    model, control_net = models
    before = generate(model, control_net, family)
    attributes = dict(vars(control_net))
    fused = fuse(control_net)
    generate(model, fused, family)
    assert vars(control_net) == attributes
    assert fused.control_model_wrapped is control_net.control_model_wrapped
    assert count_hooks(control_net) == 0
    assert torch.equal(generate(model, control_net, family), before)


def test_batches_are_fused_picture_by_picture(family, models):
    _, control_net = models
    fused = fuse(control_net, FusionSettings(refine="to_32", layers="all"))
    together = fused.control_model(**control_inputs(family, batch=3))
    for index in range(3):
        single = {name: value[index : index + 1] for name, value in control_inputs(family, batch=3).items()}
        alone = fused.control_model(**single)
        torch.testing.assert_close(together["middle"][0][index : index + 1], alone["middle"][0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [(16, 24), (20, 28), (9, 13)], ids=str)
def test_any_size_of_picture(sd15, size):
    model, control_net = sd15
    fused = generate(model, fuse(control_net, FusionSettings(mode="paper", refine="to_32")), size=size)
    assert fused.shape[-2:] == size and torch.isfinite(fused).all()


def test_strength_of_the_apply_node_scales_the_fused_residuals(sd15):
    model, control_net = sd15
    fused = fuse(control_net)
    full, half, none = (generate(model, fused, strength=strength) for strength in (1.0, 0.5, 0.0))
    assert (full - half).abs().max() > 1e-3 and (half - none).abs().max() > 1e-3
    assert torch.equal(none, generate(model, control_net, strength=0.0))


def test_start_and_end_percent_hold_for_the_fused_controlnet(sd15):
    model, control_net = sd15
    calls, prompts = [], (conditioning(seed=0), conditioning(seed=1))
    listening = control_net.control_model.register_forward_hook(lambda *_: calls.append(1))
    try:
        for start, end in ((0.0, 1.0), (0.0, 0.5), (0.5, 1.0)):
            calls.append(0)
            sample(model, *apply(fuse(control_net), *prompts, start=start, end=end), steps=4, size=(8, 8))
    finally:
        listening.remove()
    counts = [part.count("1") for part in "".join(map(str, calls)).split("0")[1:]]
    assert counts[0] == 4 and 0 < counts[1] < 4 and 0 < counts[2] < 4


def chain(first, second, prompts):
    return apply(second, *apply(first, *prompts), image=hint(seed=1))


def test_chained_controlnets_keep_their_own_fusion(sd15):
    """The same weights three ways in one chain: fused first, fused second, both; order does not matter."""
    model, control_net = sd15
    fused, prompts = fuse(control_net), (conditioning(seed=0), conditioning(seed=1))
    plain_plain = sample(model, *chain(control_net, control_net, prompts))
    fused_plain = sample(model, *chain(fused, control_net, prompts))
    plain_fused = sample(model, *chain(control_net, fused, prompts))
    pictures = [plain_plain, fused_plain, plain_fused, sample(model, *chain(fused, fused, prompts))]
    for index, picture in enumerate(pictures):
        assert all((picture - other).abs().max() > 1e-3 for other in pictures[:index])
    swapped = apply(control_net, *apply(fused, *prompts), image=hint(seed=1))
    assert torch.equal(sample(model, *swapped), fused_plain)
    other_order = apply(fused, *apply(control_net, *prompts, image=hint(seed=1)))
    torch.testing.assert_close(sample(model, *other_order), fused_plain, rtol=1e-4, atol=1e-4)
    assert torch.equal(sample(model, *chain(control_net, control_net, prompts)), plain_plain)


def test_masked_conditioning_and_the_older_apply_node(sd15):
    model, control_net = sd15
    positive, negative = apply(fuse(control_net), conditioning(seed=0), conditioning(seed=1))
    mask = torch.zeros(1, 128, 128)
    mask[:, :, :64] = 1
    masked = [[cond, {**values, "mask": mask, "mask_strength": 1.0}] for cond, values in positive]
    assert torch.isfinite(sample(model, masked + conditioning(seed=2), negative)).all()
    (older,) = ControlNetApply().apply_controlnet(conditioning(seed=0), fuse(control_net), hint(), 1.0)
    newer, _ = apply(fuse(control_net), conditioning(seed=0), conditioning(seed=1))
    plain = conditioning(seed=1)
    assert (sample(model, older, plain) - sample(model, older, plain)).abs().max() == 0
    assert (sample(model, older, plain) - sample(model, conditioning(seed=0), plain)).abs().max() > 1e-3
    assert sample(model, newer, negative).shape == (1, 4, 16, 16)


def test_an_interrupt_leaves_no_hook_and_the_next_run_is_right(sd15):
    model, control_net = sd15
    fused = fuse(control_net)
    expected = generate(model, fused)
    target = control_net.control_model.middle_block

    def interrupt(*_):
        raise comfy.model_management.InterruptProcessingException()

    handle = target.register_forward_pre_hook(interrupt)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        generate(model, fused)
    handle.remove()
    assert count_hooks(control_net) == 0
    assert torch.equal(generate(model, fused), expected)


def test_a_step_callback_that_interrupts_leaves_no_hook(sd15):
    model, control_net = sd15
    prompts = apply(fuse(control_net), conditioning(seed=0), conditioning(seed=1))

    def interrupt(*_):
        raise comfy.model_management.InterruptProcessingException()

    with pytest.raises(comfy.model_management.InterruptProcessingException):
        sample(model, *prompts, steps=2, callback=interrupt)
    assert count_hooks(control_net) == 0


def test_a_deep_copy_for_another_device_is_equal_and_independent(sd15):
    """What ComfyUI's multi-GPU support does to a CONTROL_NET."""
    _, control_net = sd15
    fused = fuse(control_net, FusionSettings(mode="paper", refine="to_16"))
    twin = fused.copy()
    twin.control_model = copy.deepcopy(twin.control_model)
    twin.control_model_wrapped = comfy.model_patcher.ModelPatcher(
        twin.control_model, load_device=torch.device("cpu"), offload_device=torch.device("cpu")
    )
    assert isinstance(twin.control_model, FusedControlModel)
    assert twin.control_model.base is not control_net.control_model
    assert all(torch.equal(a, b) for a, b in zip(residuals(fused), residuals(twin), strict=True))
    comfy.model_management.load_models_gpu(twin.get_models())
    with torch.no_grad():
        for parameter in twin.control_model.parameters():
            parameter.zero_()
    assert residuals(twin)[-1].abs().max() == 0 and residuals(fused)[-1].abs().max() > 0


def test_copies_keep_the_fusion(sd15):
    _, control_net = sd15
    fused = fuse(control_net)
    assert fused.copy().copy().control_model is fused.control_model


def test_partly_loaded_models_are_fused_alike():
    """Low VRAM: ComfyUI leaves some weights behind and casts them when they are needed."""
    control_net = narrow_models.controlnet("sd15")
    expected = residuals(fuse(control_net))
    patcher = control_net.control_model_wrapped
    total = patcher.model_size()
    patcher.load(torch.device("cpu"), lowvram_model_memory=total // 4)
    casting = [m for m in control_net.control_model.modules() if getattr(m, "comfy_cast_weights", False)]
    assert casting, "nothing was left behind, so the test tests nothing"
    for actual, wanted in zip(residuals(fuse(control_net)), expected, strict=True):
        torch.testing.assert_close(actual, wanted, rtol=1e-5, atol=1e-5)
    assert set(fuse(control_net).get_models()) == {patcher}


def test_half_precision_weights_are_cast_by_hand():
    """fp16 files on a device without fp16: ComfyUI casts each layer to its input's type."""
    family = "sd15"
    with narrow_models.recognised(family, narrow_models.NARROW[family]):
        state = narrow_models.random_weights(narrow_models.controlnet_shapes(narrow_models.NARROW[family]))
        half = {name: value.half() for name, value in state.items()}
        cast = comfy.controlnet.load_controlnet_state_dict(
            half, model_options={"dtype": torch.float16, "custom_operations": comfy.ops.manual_cast}
        )
        rounded = {name: value.half().float() for name, value in state.items()}
        plain = comfy.controlnet.load_controlnet_state_dict(rounded, model_options={"dtype": torch.float32})
    for actual, wanted in zip(residuals(fuse(cast)), residuals(fuse(plain)), strict=True):
        torch.testing.assert_close(actual, wanted, rtol=1e-4, atol=1e-4)


def test_kinds_of_control_without_such_maps_are_refused(sd15):
    _, control_net = sd15
    with pytest.raises(SesaHandError, match="Control-LoRA"):
        fuse(comfy.controlnet.ControlLora({}))
    adapter = comfy.controlnet.T2IAdapter(torch.nn.Identity(), 3, 8, "nearest-exact")
    with pytest.raises(SesaHandError, match="T2I-Adapter"):
        fuse(adapter)
    transformer = control_net.copy()
    transformer.control_model = torch.nn.Transformer(8, 2, 1, 1, 8)
    with pytest.raises(SesaHandError, match="ControlNet around a Transformer"):
        fuse(transformer)
    with pytest.raises(SesaHandError, match="already"):
        fuse(fuse(control_net))
    with pytest.raises(SesaHandError, match="T2I-Adapter"):
        fuse(adapter, FusionSettings(strength=0))


def test_a_real_transformer_controlnet_is_refused():
    """SD3's, two blocks of it, of ComfyUI's own classes."""
    model = comfy.cldm.mmdit.ControlNet(
        num_blocks=2, depth=2, context_size=16, adm_in_channels=16, in_channels=16, num_patches=16,
        device="meta", dtype=torch.float32, operations=comfy.ops.disable_weight_init,
    )  # fmt: skip
    with pytest.raises(SesaHandError, match=r"ControlNet around a ControlNet: transformer ControlNets \(SD3"):
        fuse(comfy.controlnet.ControlNet(model, compression_ratio=1))


def test_an_sd2_controlnet_whose_scores_exceed_float16_stays_finite():
    layout = replace(narrow_models.SD15, multipliers=(1, 1, 1, 1), context=1024, linear=True)
    weights = narrow_models.random_weights(narrow_models.controlnet_shapes(layout), dtype=torch.float16)
    base = comfy.controlnet.load_controlnet_state_dict(weights).control_model.half()
    layers = comfy_layout(base).attention
    assert all(layer.upcast for layer in layers)
    with torch.no_grad():
        for layer in layers:
            layer.to_q.weight.mul_(150)
            layer.to_k.weight.mul_(150)
        inputs = {name: value.half() for name, value in control_inputs(size=(8, 8), batch=1).items()}
        inputs["context"] = torch.randn(1, 77, 1024).half()
        fused = FusedControlModel(base, FusionSettings())(**inputs)
    assert torch.isfinite(fused["middle"][0]).all()


def test_a_compiled_controlnet_is_told_the_right_order(sd15):
    _, control_net = sd15
    compiled = control_net.copy()
    compiled.control_model = torch.compile(control_net.control_model, backend="eager")
    with pytest.raises(SesaHandError, match="before the node that compiles"):
        fuse(compiled)


def run_node(control_net, **widgets):
    widgets = {
        "mode": "auto",
        "strength": 0.5,
        "refine": "middle",
        "layers": "last",
        "orientation": "gather",
        **{f"use_{resolution}": True for resolution in (64, 32, 16, 8)},
        **widgets,
    }
    return StructuralFusion.execute(control_net=control_net, **widgets).args[0]


def test_the_node_blends_weights_that_were_not_trained_with_fusion(sd15):
    _, control_net = sd15
    assert run_node(control_net, strength=0.3).control_model.settings == FusionSettings(strength=0.3)
    assert run_node(control_net, strength=0.0) is control_net
    narrowed = run_node(control_net, mode="paper", use_64=False, use_8=False, refine="to_16").control_model.settings
    assert narrowed == FusionSettings("paper", 0.5, (32, 16), "last", "to_16")


def test_the_node_refuses_to_run_without_any_resolution(sd15):
    with pytest.raises(SesaHandError, match="at least one"):
        run_node(sd15[1], **{f"use_{resolution}": False for resolution in (64, 32, 16, 8)})


def test_strength_zero_is_off_whatever_else_is_set(sd15):
    nothing = {f"use_{resolution}": False for resolution in (64, 32, 16, 8)}
    assert run_node(sd15[1], strength=0.0, **nothing) is sd15[1]


def test_the_widgets_defaults_are_the_settings_defaults():
    defaults = {port.id: port.default for port in StructuralFusion.GET_SCHEMA().inputs if hasattr(port, "default")}
    assert defaults["strength"] == FusionSettings().strength


@pytest.fixture(scope="module")
def advanced_controlnet():
    """The real node pack, where it is installed; ADVANCED_CONTROLNET_PATH names its folder."""
    folder = os.environ.get("ADVANCED_CONTROLNET_PATH")
    if not folder:
        pytest.skip("set ADVANCED_CONTROLNET_PATH to a checkout of ComfyUI-Advanced-ControlNet")
    import importlib.util

    spec = importlib.util.spec_from_file_location(
        "advanced_controlnet", os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["advanced_controlnet"] = module
    spec.loader.exec_module(module)
    return importlib.import_module("advanced_controlnet.adv_control.nodes_main")


def test_advanced_controlnet_applies_the_fused_controlnet(sd15, advanced_controlnet):
    model, control_net = sd15
    fused, prompts = fuse(control_net), (conditioning(seed=0), conditioning(seed=1))
    node = advanced_controlnet.AdvancedControlNetApply
    applied = node.execute(*prompts, fused, hint(), 1.0, 0.0, 1.0).args
    control = applied[0][0][1]["control"]
    assert type(control).__name__ == "ControlNetAdvanced" and isinstance(control.control_model, FusedControlModel)
    assert torch.equal(sample(model, *applied), sample(model, *apply(fused, *prompts)))
    mask = torch.zeros(1, 128, 128)
    masked = node.execute(*prompts, fused, hint(), 1.0, 0.0, 1.0, mask_optional=mask).args
    uncontrolled = sample(model, *prompts)
    torch.testing.assert_close(sample(model, *masked), uncontrolled, rtol=0, atol=1e-6)
    assert count_hooks(control_net) == 0
    with pytest.raises(SesaHandError, match="already"):
        fuse(control)


def test_a_controlnet_of_advanced_controlnet_can_be_fused(sd15, advanced_controlnet):
    model, control_net = sd15
    convert = sys.modules["advanced_controlnet.adv_control.control"].convert_to_advanced
    prompts = conditioning(seed=0), conditioning(seed=1)
    fused = fuse(convert(control_net.copy()))
    assert type(fused).__name__ == "ControlNetAdvanced"
    fused.disarm()
    assert torch.equal(sample(model, *apply(fused, *prompts)), sample(model, *apply(fuse(control_net), *prompts)))
