"""What is done to a pipeline for the length of a with block: emphasis, silenced residuals, and one look at the map."""

import copy

import pytest
import torch
from tiny_diffusion import save_diffusers

from sesahand.attention.tokens import plain_columns
from sesahand.errors import SesaHandError
from sesahand.fusion.settings import FusionSettings
from sesahand.generate.pipeline import HandGenerator
from sesahand.models.condition_once import condition_once
from sesahand.models.prompt_weights import prompt_weights, weighted
from sesahand.models.silenced_residuals import silenced_residuals
from sesahand.models.small.tokenizer import tokenize

PROMPT, OTHER = "a right hand making a fist", "a red wall"


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    return HandGenerator.load(*save_diffusers(tmp_path_factory.mktemp("models")), device="cpu")


def encode(base, *prompts):
    with torch.no_grad():
        return base.text_encoder(tokenize(base.tokenizer, prompts))[0]


def columns_of(base, prompt, word):
    start = prompt.index(word)
    return plain_columns(prompt, [(start, start + len(word))], base.tokenizer).columns


def test_weighted_words_are_stretched_from_the_empty_prompt_and_others_are_left(generator):
    base = generator.base
    plain, empty = encode(base, PROMPT, OTHER, ""), encode(base, "")[0]
    hand = columns_of(base, PROMPT, "hand")
    with torch.no_grad(), prompt_weights(base.text_encoder, base.tokenizer, [PROMPT], [hand], 1.3):
        found = encode(base, PROMPT, OTHER, "")
    wanted = plain.double().clone()
    for column in hand:
        wanted[0, column] = empty[column].double() + 1.3 * (plain[0, column].double() - empty[column].double())
    # Nothing, the begin token and the two words before it come first.
    assert hand == (3,)
    torch.testing.assert_close(found.double(), wanted, atol=1e-6, rtol=0)
    assert torch.equal(found[1:], plain[1:])
    assert torch.equal(encode(base, PROMPT, OTHER, ""), plain)


def test_a_weight_of_one_is_none_to_the_last_bit_and_of_zero_the_empty_prompt(generator):
    base = generator.base
    plain, empty = encode(base, PROMPT), encode(base, "")
    hand = columns_of(base, PROMPT, "hand")
    for weight, wanted in ((1.0, plain), (0.0, empty)):
        with torch.no_grad(), prompt_weights(base.text_encoder, base.tokenizer, [PROMPT], [hand], weight):
            found = encode(base, PROMPT)
        assert torch.equal(found[:, hand[0]], wanted[:, hand[0]])
    assert torch.equal(weighted(plain, empty, torch.ones(plain.shape[:2])), plain)


def test_pictures_follow_the_weight_and_negative_prompts_do_not(generator):
    base, maps = generator.base, torch.rand(1, 64, 64, 3, generator=torch.Generator().manual_seed(2))
    settings = generator.default_settings()
    settings = type(settings)(steps=2, guidance=3.0, alpha=0.0, negative=PROMPT)
    plain = generator([OTHER], maps, [1], settings)
    column = columns_of(base, OTHER, "red")
    with prompt_weights(base.text_encoder, base.tokenizer, [OTHER], [column], 3.0):
        assert not torch.equal(generator([OTHER], maps, [1], settings), plain)
    with prompt_weights(base.text_encoder, base.tokenizer, ["another prompt"], [column], 3.0):
        assert torch.equal(generator([OTHER], maps, [1], settings), plain)
    assert torch.equal(generator([OTHER], maps, [1], settings), plain)


@pytest.mark.parametrize(("columns", "weight"), [([], 1.3), ([(1,), (2,)], 1.3), ([(1,)], float("nan"))])
def test_weights_that_mean_nothing_are_refused(generator, columns, weight):
    base = generator.base
    with pytest.raises(SesaHandError), prompt_weights(base.text_encoder, base.tokenizer, [PROMPT], columns, weight):
        pass


def residuals(controlnet):
    generator = torch.Generator().manual_seed(4)
    latent, text = torch.randn(2, 4, 8, 8, generator=generator), torch.randn(2, 77, 32, generator=generator)
    picture = torch.rand(2, 3, 64, 64, generator=generator)
    with torch.no_grad():
        down, middle = controlnet(latent, 500, text, picture, return_dict=False)
    return [*down, middle]


@pytest.mark.parametrize("refine", ["middle", "coarsest", "to_32"])
def test_residuals_are_silenced_one_way_and_the_other(generator, refine):
    controlnet, settings = generator.controlnet.model, FusionSettings(refine=refine)
    whole = residuals(controlnet)
    with silenced_residuals(controlnet, "refined", settings):
        without = residuals(controlnet)
    with silenced_residuals(controlnet, "others", settings):
        alone = residuals(controlnet)
    # A latent of 8 has the grids 8, 4, 2 and 1; at 512 px they are called 64, 32, 16 and 8.
    least = {"middle": None, "coarsest": 1, "to_32": 4}[refine]
    for number, (all_of_it, left, rest) in enumerate(zip(whole, without, alone, strict=True)):
        refined = number == len(whole) - 1 if least is None else all_of_it.shape[-1] <= least
        kept, silent = (rest, left) if refined else (left, rest)
        assert torch.equal(kept, all_of_it) and not silent.any() and all_of_it.any()
    assert all(torch.equal(a, b) for a, b in zip(residuals(controlnet), whole, strict=True))


def test_unknown_residuals_are_refused(generator):
    with pytest.raises(SesaHandError), silenced_residuals(generator.controlnet.model, "all", FusionSettings()):
        pass


def test_a_map_is_embedded_once_for_a_picture(generator):
    embedding, sizes = generator.controlnet.model.controlnet_cond_embedding, []
    counter = embedding.conv_in.register_forward_hook(lambda module, args, output: sizes.append(args[0].shape[-1]))
    settings = type(generator.default_settings())(steps=4, alpha=0.0)
    maps = torch.rand(2, 64, 64, 3, generator=torch.Generator().manual_seed(2))
    generator([PROMPT], maps, [1, 2], settings, batch_size=2)
    counter.remove()
    assert sizes == [64, 8, 8, 8]


def test_another_map_is_embedded_anew_and_gradients_are_kept(generator):
    controlnet = copy.deepcopy(generator.controlnet.model)
    embedding = controlnet.controlnet_cond_embedding.requires_grad_(True)
    first, second = torch.rand(2, 1, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        wanted = [embedding(picture) for picture in (first, second)]
        with condition_once(controlnet):
            found = [embedding(picture) for picture in (first, first, second, first)]
    assert torch.equal(found[0], wanted[0]) and found[1] is found[0]
    assert torch.equal(found[2], wanted[1]) and torch.equal(found[3], wanted[0])
    with condition_once(controlnet):
        assert embedding(first).requires_grad and embedding(first) is not embedding(first)
