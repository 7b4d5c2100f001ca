"""Local language models that read text alone, which Extract Semantics takes where others see."""

import json

import pytest
import torch
from tiny_vlm import save_llama, save_reciter

from sesahand.errors import InvalidFileError, SesaHandError
from sesahand.semantics.extractor import extract_semantics
from sesahand.vlm.captioner import Captioner
from sesahand.vlm.transformers_vlm import TransformersVLM

LENGTH = 8
CAPTION = "A woman in a blue coat stands by a window and holds a red cup in her right hand."
ANSWER = {
    "pose": "a woman stands by a window",
    "action": "",
    "hand_action": "holds a red cup in her right hand",
    "environment": "",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_llama(tmp_path_factory.mktemp("models") / "llama")


@pytest.fixture(scope="module")
def model(folder):
    return TransformersVLM.load(folder)


def test_it_answers_what_transformers_itself_generates(model):
    """An independent path: the template written out, and generate() called by hand."""
    assert isinstance(model, Captioner)
    prompts = ["Name the hands.", "What is held?"]
    expected = []
    for prompt in prompts:
        turns = f"<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n{prompt}<|im_end|>\n"
        ids = model.processor(turns + "<|im_start|>assistant\n", return_tensors="pt")["input_ids"]
        made = model.model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=LENGTH, do_sample=False, num_beams=1
        )
        expected.append(model.processor.decode(made[0, ids.shape[1] :], skip_special_tokens=True).strip())
    assert model.complete(prompts, system="Be brief.", max_tokens=LENGTH, seed=0) == expected
    assert len(set(expected)) == 2 and all(expected), "the answers should depend on the question"


def test_the_seed_decides_and_the_random_state_of_the_process_is_left_alone(model):
    before = torch.get_rng_state()
    told = [model.complete(["Hello"], max_tokens=LENGTH, seed=seed, temperature=1.0) for seed in (1, 1, 2)]
    assert told[0] == told[1] != told[2]
    assert torch.equal(torch.get_rng_state(), before)


def test_it_says_that_it_takes_no_pictures(model):
    with pytest.raises(SesaHandError, match="llama .* does not take pictures: it only reads text. .*Extract Semantics"):
        model.describe(torch.rand(1, 8, 8, 3), "Describe", max_tokens=LENGTH, seed=0)


def test_the_components_of_semantics_are_those_that_it_writes(tmp_path):
    model = TransformersVLM.load(save_reciter(tmp_path / "reciter", json.dumps(ANSWER)))
    [image] = extract_semantics([CAPTION], model, max_tokens=LENGTH).images
    assert image.source == "language model"
    assert image.behavior.to_dict() == ANSWER


def test_semantics_are_the_rules_where_its_answer_is_of_no_use(model):
    [told], [ruled] = (extract_semantics([CAPTION], each, max_tokens=LENGTH).images for each in (model, None))
    assert told.source == "rules after language model"
    assert told.behavior == ruled.behavior and told.hands == ruled.hands


def test_one_that_only_continues_text_is_refused(folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "chat_template.jinja").unlink(missing_ok=True)
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text())
    settings.pop("chat_template", None)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(InvalidFileError, match="without a chat template.*Instruct"):
        TransformersVLM.load(tmp_path)


def test_a_tokenizer_that_brings_its_own_code_is_refused_and_its_code_not_run(folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'mark')!r}, 'w')\n")
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text())
    settings |= {"tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": ["evil.Evil", "evil.Evil"]}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(InvalidFileError, match="tokenizer_config.json ask for Python code, which is never run"):
        TransformersVLM.load(tmp_path)
    assert not (tmp_path / "mark").exists()
