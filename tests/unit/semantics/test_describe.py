"""The command `describe` as a user runs it."""

import argparse
import json

import pytest
import torch
from PIL import Image

from sesahand.commands import describe
from sesahand.errors import SesaHandError
from sesahand.semantics import captions


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
    assert captions.read_caption(str(tmp_path / "a.png"), captioner, 64, 3) == "A man waves his hand."
    images, instruction, max_tokens, seed = captioner.seen
    assert torch.equal(images, torch.tensor([1.0, 0.0, 0.0]).expand(1, 2, 4, 3))
    assert "hand" in instruction and (max_tokens, seed) == (64, 3)


@pytest.mark.parametrize(
    "what", ["nowhere.txt", "missing.png", "folder/none.JPG", "no such file.png", "photo.heic", "photo.avif"]
)
def test_a_missing_file_is_not_taken_for_a_sentence(what):
    with pytest.raises(SesaHandError, match="There is no file"):
        run(what)


@pytest.mark.parametrize("content", [b"", b"  \n", b"\xff\xfe\x00\x01"])
def test_a_file_without_a_caption_is_refused(tmp_path, content):
    (tmp_path / "c.txt").write_bytes(content)
    with pytest.raises(SesaHandError):
        run(str(tmp_path / "c.txt"))


def test_a_broken_picture_is_refused(tmp_path):
    for name in ("a.png", "a.avif"):
        (tmp_path / name).write_bytes(b"\x89PNG not really")
        with pytest.raises(SesaHandError, match="cannot be read as a picture.*PNG or JPEG"):
            run(str(tmp_path / name))


def test_a_folder_is_no_caption(tmp_path):
    with pytest.raises(SesaHandError, match="is a folder"):
        run(str(tmp_path))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--vlm", ""], "--vlm is empty"),
        (["--model", "tiny"], "add --vlm"),
        (["--credential", "mine"], "add --vlm"),
        (["--vlm", "localhost:11434"], r"Did you mean http://localhost:11434\?"),
    ],
)
def test_options_that_would_be_ignored_are_refused(options, says):
    with pytest.raises(SesaHandError, match=says):
        run("A man waves.", *options)


@pytest.mark.parametrize("tokens", ["0", "-5", "many", "1.5"])
def test_a_limit_of_no_tokens_is_refused(tokens, capsys):
    with pytest.raises(SystemExit):
        run("A man waves.", "--max-tokens", tokens)
    assert "expected a number of tokens from 1" in capsys.readouterr().err


def test_a_caption_without_quotes_is_told_to_take_them(capsys):
    with pytest.raises(SystemExit):
        run("A", "man", "waves.")
    assert "in quotes: 'A man waves.'" in capsys.readouterr().err


def test_line_breaks_stay_where_sentences_end():
    text = "A man stands in a kitchen\nHe holds\n a spatula\n\n- A woman  waves\r\n\n\nthe end"
    assert captions.read_caption(text, None, 8, 0) == (
        "A man stands in a kitchen\nHe holds a spatula\n\n- A woman waves\n\n\nthe end"
    )


def test_a_caption_beyond_all_bounds_is_refused(tmp_path):
    (tmp_path / "c.txt").write_text("A man waves. " * 10_000)
    for what in ("A man waves. " * 10_000, str(tmp_path / "c.txt")):
        with pytest.raises(SesaHandError, match="more than 100000 characters"):
            run(what)


def test_emptiness_and_length_are_told(capsys):
    assert run("Eine Frau hält eine Tasse.", "--style", "photo") == 0
    printed = capsys.readouterr().out
    assert "note: the caption is in German" in printed and "warning: The caption names no behaviour" in printed
    assert "prompt: Eine Frau hält eine Tasse., photo" in printed and "hand words: hält" in printed
    assert run("A man waves his hand.", "--style", "photo, " * 40, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["note"] == "" and "needs 88 columns" in answer["warnings"][0]


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


def test_a_model_that_only_captions_leaves_the_rest_to_the_rules(tmp_path, capsys):
    from tiny_vlm import save_blip

    folder = save_blip(tmp_path / "blip")
    Image.new("RGB", (32, 32), (200, 30, 30)).save(tmp_path / "a.png")
    assert run(str(tmp_path / "a.png"), "--vlm", str(folder), "--max-tokens", "6") == 0
    printed = capsys.readouterr().out
    assert "from: rules after language model" in printed and "can caption pictures but not answer text" in printed
    assert run("A man waves his hand.", "--vlm", str(folder), "--rules") == 0


def test_a_server_extracts_and_a_foreign_host_is_refused(capsys):
    from chat_server import answer, chat_server, completion

    said = {"pose": "a man kneeling", "action": "", "hand_action": "tying his shoe", "environment": ""}
    caption = "A man kneels and ties his shoe."
    with chat_server(answer(completion(json.dumps(said)))) as server:
        assert run(caption, "--vlm", server.url, "--model", "tiny", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["from"] == "language model" and printed["prompt"] == "a man kneeling, tying his shoe"
    with pytest.raises(SesaHandError):
        run("A man ties his shoe.", "--vlm", "https://vlm.example.com/v1", "--model", "tiny")


def test_the_mark_that_some_editors_put_before_a_text_is_no_word(tmp_path):
    for mark in (b"", b"\xef\xbb\xbf"):
        (tmp_path / "c.txt").write_bytes(mark + b"A woman holds a cup.")
        assert captions.read_caption(str(tmp_path / "c.txt")) == "A woman holds a cup."
