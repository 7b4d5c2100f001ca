"""Hand tokens of prompts that are encoded with pictures, against the ids that the encoder itself is given.

Qwen2.5-VL's tower for pictures cannot be made small by settings; one that only reshapes stands in its place. All else
is core's own: nodes, templates, tokenizer, the places where pictures go in, the rows that are cut off.
"""

import random
import re

import comfy_extras.nodes_qwen as core
import pytest
import torch
from encoder_prompts import TINY, fill, letters, prompts
from sesahand_pack.nodes.picture_encoding import TextEncodePictures, check_encoder, columns_in, encode
from sesahand_pack.nodes.semantics import TextEncode
from sesahand_pack.sesahand.errors import SesaHandError

import comfy.sd
import comfy.text_encoders.llama as llama
import comfy.text_encoders.qwen_image as qwen_image
from comfy.supported_models_base import ClipTarget
from comfy.text_encoders.flux import FluxTokenizer

PROMPTS = 12
TEXT = "The woman of picture 1 holds a cup; her left hand (is open:1.2), all {fingers} spread."


class Eyes(torch.nn.Module):
    """As many rows for a picture as Qwen2.5-VL has, made of its pixels."""

    def __init__(self, *args, output_hidden_size, **kwargs):
        super().__init__()
        self.width = output_hidden_size

    def forward(self, pixels, grid):
        rows = int(grid.prod()) // 4
        return pixels.reshape(rows, -1)[:, : self.width].contiguous()


class Clip(comfy.sd.CLIP):
    """Qwen-Image's, tiny; `heard` are the rows that its language model was given last."""

    def __init__(self):
        target = ClipTarget(qwen_image.QwenImageTokenizer, qwen_image.te())
        super().__init__(target, model_options={"qwen25_7b_model_config": TINY, "dtype": torch.float32})
        fill(self.cond_stage_model)
        self.cond_stage_model.qwen25_7b.transformer.register_forward_pre_hook(self.hear, with_kwargs=True)

    def hear(self, transformer, args, kwargs):
        self.heard = kwargs["embeds"][0].clone()

    def decoded(self, columns, rows: int) -> str:
        """What the ids say that stand behind columns of a conditioning with so many rows."""
        weight = self.cond_stage_model.qwen25_7b.transformer.get_input_embeddings().weight
        ids = []
        for column in columns:
            row = self.heard[column + len(self.heard) - rows]
            [found] = (weight[:, 0] == row[0]).logical_and(weight[:, 1] == row[1]).nonzero().flatten().tolist()
            ids.append(found)
        return self.tokenizer.qwen25_7b.tokenizer.decode(ids)


@pytest.fixture(scope="module")
def clip():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(llama.qwen_vl, "Qwen2VLVisionTransformer", Eyes)
        yield Clip()


def picture(seed: int, height: int = 32, width: int = 32) -> torch.Tensor:
    return torch.rand(1, height, width, 3, generator=torch.Generator().manual_seed(seed))


def pictures(*sizes: tuple[int, int] | None) -> dict[str, torch.Tensor]:
    given = enumerate(sizes, start=1)
    return {f"image{number}": picture(number, *size) for number, size in given if size is not None}


def changed_rows(one, other) -> list[int]:
    rows = min(one.shape[1], other.shape[1])
    return (one[0, :rows] != other[0, :rows]).any(dim=-1).nonzero().flatten().tolist()


def plain(text: str) -> str:
    """A prompt as the tokenizer is given it: escapes are resolved, weights stay."""
    return text.replace("\\(", "(").replace("\\)", ")")


def way_of(clip, text: str, rng: random.Random):
    """The encoding of a prompt by one of core's nodes, with pictures of any number and size."""
    sizes = [rng.choice([None, (32, 32), (20, 44), (57, 31)]) for _ in range(3)]
    if rng.random() < 0.2:
        return encode(core.TextEncodeQwenImageEdit, clip, text, image=rng.choice([None, picture(1, 40, 30)]))
    return encode(core.TextEncodeQwenImageEditPlus, clip, text, **pictures(*sizes))


def test_columns_are_the_prompts_own_ids_in_what_the_encoder_is_given(clip):
    rng, kind = random.Random(5), check_encoder(clip)
    for text in prompts(PROMPTS, seed=11):
        encoding = way_of(clip, text, rng)
        rows = encoding.conditioning[0][0].shape[1]
        every = columns_in(encoding, clip, text, [(0, len(text))], kind)
        assert letters(clip.decoded(every.columns, rows)) == letters(plain(text)), text
        words = [match.span() for match in re.finditer(r"(?<![^ ])[A-Za-z]+(?![^ ])", text)]
        for start, end in words[-1:]:
            found = columns_in(encoding, clip, text, [(start, end)], kind)
            assert clip.decoded(found.columns, rows).strip() == text[start:end], text
            assert found.places[0][0] == start and found.places[-1][1] == end


@pytest.mark.parametrize("sizes", [((32, 32),), ((20, 44), (57, 31)), (None, (44, 20), (32, 32)), ()])
def test_the_first_column_of_a_word_is_the_first_row_that_changes_with_it(clip, sizes):
    given = pictures(*sizes)
    conditioning, marked = TextEncodePictures.execute(clip, TEXT, "hand words", "", **given).args
    [other] = core.TextEncodeQwenImageEditPlus.execute(clip, TEXT.replace("holds", "lifts"), **given).args
    columns = conditioning[0][1]["sesahand_tokens"]["columns"]
    assert "[holds]" in marked and "[hand]" in marked and "[fingers]" in marked
    assert changed_rows(conditioning[0][0], other[0][0])[0] == columns[0]


class Vae:
    def encode(self, pixels):
        return torch.full((1, 16, 1, pixels.shape[1] // 8, pixels.shape[2] // 8), float(pixels.mean()))


def test_the_conditioning_is_cores_with_the_columns_attached(clip):
    given = {**pictures((20, 44), (57, 31)), "vae": Vae()}
    conditioning, _ = TextEncodePictures.execute(clip, TEXT, "hand words", "", **given).args
    [expected] = core.TextEncodeQwenImageEditPlus.execute(clip, TEXT, **given).args
    assert torch.equal(conditioning[0][0], expected[0][0])
    for one, other in zip(*(c[0][1]["reference_latents"] for c in (conditioning, expected)), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("node", [core.TextEncodeQwenImageEdit, core.TextEncodeQwenImageEditPlus])
def test_a_conditioning_of_cores_nodes_is_kept_and_gets_the_columns_of_its_own_way(clip, node):
    name = "image" if node is core.TextEncodeQwenImageEdit else "image1"
    [own] = node.execute(clip, TEXT, vae=Vae(), **{name: picture(1)}).args
    conditioning, _ = TextEncodePictures.execute(clip, TEXT, "hand words", "", image1=picture(1), conditioning=own).args
    assert conditioning[0][0] is own[0][0]
    assert conditioning[0][1]["reference_latents"] is own[0][1]["reference_latents"]
    columns = conditioning[0][1]["sesahand_tokens"]["columns"]
    assert clip.decoded(columns, own[0][0].shape[1]) == " holds handfingers"


def test_a_conditioning_of_another_text_or_picture_is_refused(clip):
    [own] = core.TextEncodeQwenImageEditPlus.execute(clip, TEXT, image1=picture(1)).args
    others = ({"text": TEXT.replace("cup", "pen")}, {"image1": picture(2)}, {"image1": None}, {"image2": picture(1)})
    for other in others:
        given = {"text": TEXT, "image1": picture(1), **other}
        with pytest.raises(SesaHandError, match="is not what TextEncodeQwenImageEditPlus.* makes of this text and"):
            TextEncodePictures.execute(clip, given.pop("text"), "hand words", "", **given, conditioning=own)


def test_text_encode_says_where_conditionings_with_pictures_are_taken(clip):
    [own] = core.TextEncodeQwenImageEditPlus.execute(clip, TEXT, image1=picture(1)).args
    with pytest.raises(SesaHandError, match="use Text Encode with Pictures"):
        TextEncode.execute(clip, TEXT, "hand words", "", conditioning=own)


def test_the_text_encoder_of_another_model_is_refused():
    class Flux:
        tokenizer, cond_stage_model = FluxTokenizer(), object()

        def tokenize(self, text, return_word_ids=False):
            return self.tokenizer.tokenize_with_weights(text, return_word_ids)

    with pytest.raises(SesaHandError, match="for Qwen-Image; this CLIP has l, t5xxl"):
        TextEncodePictures.execute(Flux(), TEXT, "hand words", "", image1=picture(1))
