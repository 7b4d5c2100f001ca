"""The small model in ComfyUI and in diffusers: the same files, the same numbers; and the node that loads it."""

import gc
import weakref

import pytest
import torch
from before_run import refusals
from live_tensors import growth
from random_mini import randomised
from safetensors.torch import load_file, save_file
from sesahand_pack.nodes import model as model_nodes
from sesahand_pack.nodes.model import LoadMini
from sesahand_pack.nodes.patches.structural_fusion import trained_settings
from sesahand_pack.sesahand.attention.tokens import plain_columns
from sesahand_pack.sesahand.errors import InvalidFileError, SesaHandError
from sesahand_pack.sesahand.fusion.settings import FusionSettings
from sesahand_pack.sesahand.models.prompt_weights import prompt_weights
from sesahand_pack.sesahand.models.small import embedded
from sesahand_pack.sesahand.models.small.layout import MiniLayout
from sesahand_pack.sesahand.models.small.model_files import (
    MiniModel,
    control_path,
    read_mini,
    read_mini_controlnet,
    write_controlnet,
    write_mini,
)
from sesahand_pack.sesahand.models.small.token_embedding import ids_of
from sesahand_pack.sesahand.models.small.tokenizer import load_tokenizer, tokenize

import comfy.controlnet
import comfy.sample
import comfy.samplers
import folder_paths
import nodes as core

TOLERANCE = 2e-5
PROMPT = "a hand making a fist, red wall"
FUSION = FusionSettings(mode="paper", refine="coarsest")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sesahand_mini")
    layout = MiniLayout()
    text = layout.build_text_encoder(ids_of(load_tokenizer(), [PROMPT]))
    model = MiniModel(layout, layout.build_unet(), text, layout.build_autoencoder(), {"steps": 3})
    for seed, part in enumerate((model.unet, model.text_encoder, model.autoencoder)):
        randomised(part, seed)
    model.autoencoder.latent_mean.copy_(torch.tensor([0.1, -0.2, 0.3, 0.0]).view(-1, 1, 1))
    model.autoencoder.latent_deviation.copy_(torch.tensor([0.5, 1.0, 1.5, 2.0]).view(-1, 1, 1))
    path = folder / "tiny.safetensors"
    write_mini(path, model, torch.float32)
    for seed, (control, fusion) in enumerate((("plain", None), ("sf", FUSION))):
        controlnet = randomised(layout.build_controlnet(), 10 + seed)
        write_controlnet(control_path(path, control), controlnet, fusion, {}, torch.float32)
    return path


@pytest.fixture
def folder(files, monkeypatch):
    _, suffixes = folder_paths.folder_names_and_paths["sesahand_mini"]
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "sesahand_mini", ([str(files.parent)], suffixes))
    monkeypatch.setattr(folder_paths, "filename_list_cache", {})


@pytest.fixture
def loaded(folder):
    return LoadMini.execute(model="tiny.safetensors", control="plain").args


@pytest.fixture(scope="module")
def twin(files):
    return read_mini(files)


def draws(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(7))


def relative(ours, theirs):
    return float((ours - theirs).norm() / theirs.norm())


def test_the_folders_models_are_offered_without_their_controlnets(folder):
    assert LoadMini.GET_SCHEMA().inputs[0].options == ["embedded", "tiny.safetensors"]


@torch.no_grad()
def test_the_unet_predicts_the_same_in_both_engines(loaded, twin):
    latent, time, text = draws(2, 4, 16, 16), torch.tensor([700.0, 12.0]), draws(2, 77, 128)
    ours = loaded[0].model.diffusion_model.float()(latent, time, context=text)
    assert relative(ours, twin.unet(latent, time, text).sample) < TOLERANCE


@torch.no_grad()
def test_the_stock_loader_builds_the_same_controlnet(files, twin):
    control_net = comfy.controlnet.load_controlnet(
        str(control_path(files, "plain")), model_options={"dtype": torch.float32}
    )
    theirs, _ = read_mini_controlnet(control_path(files, "plain"), twin.layout)
    latent, time, text = draws(2, 4, 16, 16), torch.tensor([700.0, 12.0]), draws(2, 77, 128)
    hint = draws(2, 3, 128, 128).sigmoid()
    ours = control_net.control_model(x=latent, hint=hint, timesteps=time, context=text)
    down, middle = theirs(latent, time, text, hint, return_dict=False)
    for mine, other in zip([*ours["output"], *ours["middle"]], [*down, middle], strict=True):
        assert relative(mine, other) < TOLERANCE


@torch.no_grad()
def test_prompts_encode_the_same_in_both_engines(loaded, twin):
    _, clip, *_ = loaded
    for prompt in (PROMPT, "", "A Hand, with words that it never learnt"):
        ours = clip.encode_from_tokens_scheduled(clip.tokenize(prompt))[0][0]
        theirs = twin.text_encoder(tokenize(load_tokenizer(), [prompt]))[0]
        assert relative(ours, theirs) < TOLERANCE


@torch.no_grad()
@pytest.mark.parametrize("weight", [1.3, 0.5, -1.0])
def test_emphasis_is_comfyuis_own(loaded, twin, weight):
    _, clip, *_ = loaded
    ours = clip.encode_from_tokens_scheduled(clip.tokenize(f"a (hand:{weight}) making a fist, red wall"))[0][0]
    tokenizer, place = load_tokenizer(), PROMPT.index("hand")
    columns = plain_columns(PROMPT, [(place, place + 4)], tokenizer).columns
    with prompt_weights(twin.text_encoder, tokenizer, [PROMPT], [columns], weight):
        theirs = twin.text_encoder(tokenize(tokenizer, [PROMPT]))[0]
    plain = twin.text_encoder(tokenize(tokenizer, [PROMPT]))[0]
    assert relative(ours, theirs) < TOLERANCE < relative(plain, theirs)


@torch.no_grad()
def test_pictures_are_encoded_and_decoded_the_same_in_both_engines(loaded, twin):
    vae = loaded[2]
    pictures = draws(2, 128, 96, 3).sigmoid()
    theirs = twin.autoencoder.encode(pictures.movedim(-1, 1) * 2 - 1).latent_dist.mode()
    assert relative(vae.encode(pictures), theirs) < TOLERANCE
    decoded = twin.autoencoder.decode(theirs).sample / 2 + 0.5
    assert relative(vae.decode(theirs), decoded.clamp(0, 1).movedim(1, -1)) < TOLERANCE


@torch.no_grad()
def test_a_sampled_picture_is_the_same_in_both_engines(loaded, twin, files):
    """Euler in core's sampler, which is DDIM, against diffusers' pipeline: guidance, ControlNet."""
    model, clip, vae, control_net, _ = loaded
    hint, steps, guidance = draws(1, 128, 128, 3).sigmoid(), 6, 3.0
    sides = [clip.encode_from_tokens_scheduled(clip.tokenize(text)) for text in (PROMPT, "")]
    sides = core.ControlNetApplyAdvanced().apply_controlnet(*sides, control_net, hint, 1.0, 0.0, 1.0)
    scheduler = twin.layout.build_scheduler()
    scheduler.set_timesteps(steps)
    sampling = model.get_model_object("model_sampling")
    sigmas = torch.cat([sampling.sigma(scheduler.timesteps.float()), sampling.sigma(torch.zeros(1))])
    noise = draws(1, 4, 16, 16)
    sampled = comfy.sample.sample_custom(
        model,
        noise,
        guidance,
        comfy.samplers.sampler_object("euler"),
        sigmas,
        *sides,
        torch.zeros(1, 4, 16, 16),
        seed=0,
    )
    controlnet, _ = read_mini_controlnet(control_path(files, "plain"), twin.layout)
    pipeline = twin.pipeline(controlnet)
    pipeline.set_progress_bar_config(disable=True)
    # Core starts from the noise at the first sigma, diffusers from noise of deviation 1.
    start = noise * sigmas[0] / (sigmas[0] ** 2 + 1) ** 0.5
    wanted = pipeline(
        PROMPT,
        image=hint.movedim(-1, 1),
        latents=start,
        num_inference_steps=steps,
        guidance_scale=guidance,
        output_type="latent",
    ).images
    # ... and core ends with latents that grew with the last sigma, in the autoencoder's scale.
    wanted = wanted * (1 + sigmas[-1] ** 2) ** 0.5 / twin.autoencoder.config.scaling_factor
    assert relative(sampled, wanted) < 1e-4
    assert (vae.decode(sampled) - vae.decode(wanted)).abs().max() < 1e-3


@pytest.mark.parametrize(
    ("width", "height", "far"), [(128, 128, False), (256, 64, False), (264, 128, True), (128, 56, True)]
)
def test_a_size_far_from_the_trained_one_is_told_on_the_sampler_before_it_samples(
    loaded, monkeypatch, caplog, width, height, far
):
    import server
    from comfy_execution.utils import CurrentNodeContext

    told = []

    class Told:
        def send_progress_text(self, text, node_id, sid=None):
            told.append((node_id, text))

    monkeypatch.setattr(server.PromptServer, "instance", Told(), raising=False)
    cond = loaded[1].encode_from_tokens_scheduled(loaded[1].tokenize(PROMPT))
    seen = []
    with CurrentNodeContext("a run", "7", 0):
        comfy.sample.sample(
            loaded[0], draws(1, 4, height // 8, width // 8), 1, 1.0, "euler", "normal", cond, cond,
            torch.zeros(1, 4, height // 8, width // 8), callback=lambda *_: seen.append(len(told)),
        )  # fmt: skip
    assert seen == [len(told)] == [int(far)], "told once, before the first step"
    if far:
        [(node, text)] = told
        assert node == "7" and "128 x 128" in text and f"{width} x {height}" in text and text in caplog.text


def test_the_model_is_of_its_kind_and_size(loaded):
    model, _, vae, control_net, words = loaded
    assert type(model.get_model_object("model_sampling")).__mro__[1].__name__ == "ModelSamplingDiscrete"
    assert vae.spacial_compression_decode() == 8
    assert words == "a, fist, hand, making, red, wall"
    assert trained_settings(control_net) is None


def test_prompts_for_it_are_composed_in_words_that_it_knows(loaded):
    from sesahand_pack.nodes.semantics import ComposePrompt, WriteSemantics

    semantics = WriteSemantics.execute("a person", "", "a clenched hand", "in front of a red wall").args[0]
    prompts, composed, summary = ComposePrompt.execute(
        semantics, "{hand_action}, {environment}", "", "", loaded[1]
    ).args
    assert prompts == ["a hand making a fist, in front of a red wall"]
    assert "ignores: in, front, of. It knows: a, fist, hand, making, red, wall." in summary
    image = composed.images[0]
    [action] = image.of_part("hand_action")
    assert image.prompt[action.start : action.end] == action.text == "a hand making a fist"
    assert semantics.images[0].behavior.hand_action == "a clenched hand", "the input stays as it was"
    untold = ComposePrompt.execute(semantics, "{hand_action}", "", "").args
    assert untold[0] == ["a clenched hand"] and "ignores" not in untold[2]


def test_the_words_that_it_knows_stay_known_to_a_clone(loaded):
    from sesahand_pack.nodes.patches.mini_loading import learnt_tokens

    clone = loaded[1].clone()
    clone.clip_layer(-2)
    assert learnt_tokens(clone) == tuple(ids_of(load_tokenizer(), [PROMPT])) and learnt_tokens(None) == ()


def test_the_mark_of_structural_fusion_reaches_its_node(folder):
    control_net = LoadMini.execute(model="tiny.safetensors", control="sf").args[3]
    assert trained_settings(control_net) == FUSION


def test_without_weights_the_graph_runs_into_an_error_that_names_the_missing_files(monkeypatch, tmp_path):
    monkeypatch.setattr(embedded, "FOLDER", tmp_path)
    (tmp_path / embedded.FILE).write_bytes(bytes(embedded.LEAST_BYTES))
    (tmp_path / "sesahand_mini_control_sf.safetensors").write_text("version https://git-lfs.github.com/spec/v1")
    assert refusals(LoadMini, model="embedded", control="plain") == []
    lacks = r"lacks sesahand_mini_control_plain\.safetensors, sesahand_mini_control_sf\.safetensors, "
    lacks += r"sesahand_mini_control_held\.safetensors\. Update SesaHand"
    with pytest.raises(SesaHandError, match=lacks):
        LoadMini.execute(model="embedded", control="plain")


def test_only_the_embedded_model_has_the_controlnet_for_held_objects(folder):
    with pytest.raises(SesaHandError, match="tiny_control_held.*Only embedded has it: choose that, or plain or sf"):
        LoadMini.execute(model="tiny.safetensors", control="held")


def test_damaged_and_foreign_files_are_refused(files, folder):
    folder_files = files.parent
    state = load_file(files)
    save_file(state, folder_files / "foreign.safetensors")
    with pytest.raises(SesaHandError, match="foreign_control_plain"):
        LoadMini.execute(model="foreign.safetensors", control="plain")
    with pytest.raises(InvalidFileError, match="not SesaHand's small model"):
        model_nodes.load_mini(folder_files / "foreign.safetensors")
    layout, name = MiniLayout().to_json(), "model.diffusion_model.out.2.weight"
    for lost in (
        name,
        "cond_stage_model.transformer.text_model.final_layer_norm.bias",
        "first_stage_model.latent_mean",
    ):
        some = {key: value for key, value in state.items() if key != lost}
        save_file(some, folder_files / "damaged.safetensors", {"sesahand.mini": layout})
        with pytest.raises(InvalidFileError, match="damaged"):
            model_nodes.load_mini(folder_files / "damaged.safetensors")


def test_the_tokenizer_is_comfyuis_for_every_text(loaded):
    """Core's own tokenizer files against the shipped merges, on words, numbers, accents, emoji and noise."""
    import random

    core_tokenizer, ours = loaded[1].tokenizer.clip_l.tokenizer, load_tokenizer()
    assert ours.get_vocab() == core_tokenizer.get_vocab()
    letters, drawn = "abcXYZ 019.,'!-_\u00e9\u00df\u4e2d\U0001f44b\n", random.Random(3)
    texts = ["It's a naive cafe, isn't it?", *("".join(drawn.choices(letters, k=40)) for _ in range(300))]
    assert [ours(text).input_ids for text in texts] == [core_tokenizer(text).input_ids for text in texts]


@torch.no_grad()
def test_a_single_checkpoint_of_stable_diffusion_is_a_base_for_training(tmp_path):
    """An SD1.5-shaped file in ldm names: text, noise and latents as ComfyUI has them from the same file."""
    import narrow_models
    from diffusers import AutoencoderKL
    from diffusers_twins import diffusers_unet
    from sesahand_pack.sesahand.models.checkpoints import load_base

    import comfy.diffusers_convert

    torch.manual_seed(0)
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(32, 32, 64, 64),
        layers_per_block=2,
    ).eval()
    layout = narrow_models.NARROW["sd15"]
    state = narrow_models.random_weights(narrow_models.unet_shapes(layout), "model.diffusion_model.")
    text = narrow_models.random_weights(narrow_models.text_encoder_shapes(768, 2), "cond_stage_model.transformer.")
    text.pop("cond_stage_model.transformer.text_projection.weight")
    converted = comfy.diffusers_convert.convert_vae_state_dict(dict(vae.state_dict()))
    state |= text | {f"first_stage_model.{name}": value.contiguous() for name, value in converted.items()}
    save_file(state, tmp_path / "sd15.safetensors")
    base = load_base(tmp_path / "sd15.safetensors")
    latent, time, context = draws(1, 4, 16, 16), torch.tensor([500.0]), draws(1, 77, 768)
    twin_unet = diffusers_unet("sd15", narrow_models.model("sd15"), layout)
    assert relative(base.unet(latent, time, context).sample, twin_unet(latent, time, context).sample) < TOLERANCE
    pictures = draws(1, 3, 64, 64)
    wanted = vae.encode(pictures).latent_dist.mode()
    assert relative(base.autoencoder.encode(pictures).latent_dist.mode(), wanted) < TOLERANCE
    clip = narrow_models.clip("sd15", 2)
    ours = clip.encode_from_tokens_scheduled(clip.tokenize(PROMPT))[0][0]
    # Core keeps the weights of Stable Diffusion's text encoder in half precision.
    assert relative(base.text_encoder(tokenize(base.tokenizer, [PROMPT]))[0], ours) < 1e-3


def test_loading_it_again_and_again_keeps_nothing_and_it_goes_when_it_is_dropped(folder):
    def load():
        return LoadMini.execute(model="tiny.safetensors", control="plain").args

    assert growth(load) == 0
    model, clip, vae, control_net, _ = load()
    parts = (model.model, clip.cond_stage_model, vae.first_stage_model, control_net.control_model)
    gone = [weakref.ref(part) for part in parts]
    del model, clip, vae, control_net, parts
    gc.collect()
    assert [part() for part in gone] == [None] * 4
