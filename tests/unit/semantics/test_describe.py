"""The command `describe` as a user runs it."""

import argparse
import json

import pytest
import torch
from PIL import Image

from sesahand.commands import describe
from sesahand.errors import SesaHandError


def run(*arguments):
    parser = argparse.ArgumentParser()
    describe.add_arguments(parser)
    return describe.run(parser.parse_args(arguments))


def test_a_sentence_is_described(capsys):
    assert run("The woman is holding a pink umbrella with her hand.") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "caption: The woman is holding a pink umbrella with her hand."
    assert "hand action: holding a pink umbrella with her hand" in lines and "environment: -" in lines
    assert "prompt: the woman is holding a pink umbrella with her hand" in lines


def test_a_text_file_is_described_as_json(tmp_path, capsys):
    file = tmp_path / "caption.txt"
    file.write_text("A chef cuts an onion\nin a kitchen.\n", encoding="utf-8")
    assert run(str(file), "--json", "--style", "photo") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["caption"] == "A chef cuts an onion in a kitchen."
    assert answer["hand_action"] == "cuts an onion" and answer["environment"] == "in a kitchen"
    assert answer["prompt"] == "a chef cuts an onion, in a kitchen, photo" and answer["from"] == "rules"
    assert {"part": "hand_action", "start": 7, "end": 20} in answer["spans"]


def test_a_picture_needs_a_captioner(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(SesaHandError, match="--vlm"):
        run(str(tmp_path / "a.png"))


def test_a_picture_is_shown_to_the_captioner_upright_and_in_rgb(tmp_path):
    class Captioner:
        def describe(self, images, instruction, *, max_tokens, seed):
            self.seen = (images, instruction, max_tokens, seed)
            return [" A man waves his hand. "]

    Image.new("RGBA", (4, 2), (255, 0, 0, 255)).save(tmp_path / "a.png")
    captioner = Captioner()
    assert describe.read_caption(str(tmp_path / "a.png"), captioner, 64, 3) == "A man waves his hand."
    images, instruction, max_tokens, seed = captioner.seen
    assert torch.equal(images, torch.tensor([1.0, 0.0, 0.0]).expand(1, 2, 4, 3))
    assert "hand" in instruction and (max_tokens, seed) == (64, 3)


@pytest.mark.parametrize("what", ["nowhere.txt", "missing.png", "folder/none.JPG"])
def test_a_missing_file_is_not_taken_for_a_sentence(what):
    with pytest.raises(SesaHandError, match="There is no file"):
        run(what)


@pytest.mark.parametrize("content", [b"", b"  \n", b"\xff\xfe\x00\x01"])
def test_a_file_without_a_caption_is_refused(tmp_path, content):
    (tmp_path / "c.txt").write_bytes(content)
    with pytest.raises(SesaHandError):
        run(str(tmp_path / "c.txt"))


def test_a_broken_picture_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG not really")
    with pytest.raises(SesaHandError, match="cannot be read as a picture"):
        describe.read_caption(str(tmp_path / "a.png"), object(), 8, 0)


def test_an_empty_sentence_and_a_missing_model_folder_are_refused(tmp_path):
    with pytest.raises(SesaHandError, match="empty"):
        run("  ")
    with pytest.raises(SesaHandError, match="There is no folder"):
        run("A man waves.", "--vlm", str(tmp_path / "none"))


def test_a_very_long_sentence_is_no_path(capsys):
    assert run("A man waves his hand. " * 500) == 0


def test_a_picture_goes_through_a_real_model_in_a_folder(tmp_path, capsys):
    """The tiny model writes noise, so that the rules answer in the end, and the answer says so."""
    from tiny_vlm import save_llava

    folder = save_llava(tmp_path / "tiny")
    Image.new("RGB", (32, 32), (200, 30, 30)).save(tmp_path / "a.png")
    assert run(str(tmp_path / "a.png"), "--vlm", str(folder), "--max-tokens", "6", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["caption"] and answer["from"] == "rules after language model"


def test_a_server_extracts_and_a_foreign_host_is_refused(capsys):
    from chat_server import answer, chat_server, completion

    said = {"pose": "a man kneeling", "action": "", "hand_action": "tying his shoe", "environment": ""}
    with chat_server(answer(completion(json.dumps(said)))) as server:
        assert run("A man ties his shoe.", "--vlm", server.url, "--model", "tiny", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["from"] == "language model" and printed["prompt"] == "a man kneeling, tying his shoe"
    with pytest.raises(SesaHandError):
        run("A man ties his shoe.", "--vlm", "https://vlm.example.com/v1", "--model", "tiny")
