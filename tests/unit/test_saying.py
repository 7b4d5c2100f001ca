"""What commands say of strangers' files: nothing of it moves the cursor, sets a title or ends the command."""

import io
import json
import logging

import pytest
from pair_scenes import make_facts, make_picture, make_scene

from sesahand.cli import main
from sesahand.commands.saying import PrintableFormatter, note, say, say_json
from sesahand.data.writer import PairWriter

NASTY = "a\x1b[2Jb\x9b1mc\x1b]0;title\x07d\u202ee\x7f\rf"
SHOWN = r"a\x1b[2Jb\x9b1mc\x1b]0;title\x07d\u202ee\x7f\rf"


def test_control_characters_are_escaped_and_words_are_not(capsys):
    say(f"{NASTY}\n\ud800")
    note(NASTY)
    said = capsys.readouterr()
    assert said.out == SHOWN + "\n\\ud800\n" and said.err == SHOWN + "\n"
    words = "Ein Bär\t手\u3000を\u00a0振る 👨\u200d👩\u200d👧 नमस्\u200dते"
    say(words)
    assert capsys.readouterr().out == words + "\n"


def test_json_is_json_still(capsys):
    data = {"caption": NASTY + "\ud800 手\u3000", "lines": "a\nb"}
    say_json(json.dumps(data, ensure_ascii=False, indent=1))
    said = capsys.readouterr().out
    assert json.loads(said) == data and "手\u3000" in said
    assert not any(character in said for character in "\x1b\x9b\x07\x7f\u202e\r\ud800")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_json_is_json_still_whatever_the_terminal_writes(monkeypatch, encoding):
    stream = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr("sys.stdout", stream)
    data = {"Bär": NASTY + "é\ud800 手\u3000👨\u200d👩"}
    say_json(json.dumps(data, ensure_ascii=False))
    assert json.loads(stream.buffer.getvalue().decode(encoding)) == data


def test_what_is_logged_on_a_terminal_is_escaped_too():
    record = logging.makeLogRecord({"msg": "%s is odd", "args": (NASTY,)})
    assert PrintableFormatter("%(message)s").format(record) == f"{SHOWN} is odd"


@pytest.fixture
def stranger(tmp_path):
    """A set whose one record can be changed."""
    with PairWriter(tmp_path / "set") as writer:
        writer.add(make_picture(0), make_scene(0), make_facts(0))

    def change(**values):
        path = tmp_path / "set" / "index.jsonl"
        record = json.loads(path.read_text())
        record["hands"][0].update(values.pop("hand", {}))
        path.write_text(json.dumps(record | values) + "\n")
        return str(tmp_path / "set")

    return change


def test_statistics_of_a_stranger_s_set_are_text(stranger, capsys):
    folder = stranger(hand_model=NASTY, gesture="fist\x1b[1m", hand={"box": [-1e308, 0, 1e308, 1]})
    assert main(["dataset", "stats", folder]) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said and SHOWN in said and "1.0+" in said


def test_a_box_of_the_wrong_way_round_is_counted(stranger, capsys):
    assert main(["dataset", "stats", stranger(hand={"box": [1e308, 1e308, -1e308, -1e308]})]) == 0
    assert "0.0-0.1" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["hand_model", "hand_licence"])
def test_half_of_a_character_is_no_name_of_a_hand(stranger, capsys, name):
    assert main(["dataset", "stats", stranger(**{name: "x\ud800"})]) == 2
    assert name in capsys.readouterr().err


def test_names_of_strangers_files_are_said_without_what_a_terminal_obeys(stranger, tmp_path, capsys):
    folder = stranger()
    (tmp_path / "set" / "00000" / "x\x1b]0;t\x07.sh").write_text("")
    main(["dataset", "check", folder])
    said = capsys.readouterr().out
    assert "\x1b" not in said and r"x\x1b]0;t\x07.sh" in said
