"""Names, descriptions and tooltips in other languages: nothing missing, nothing left of a port that is gone."""

import asyncio
import json
import os
import re
from pathlib import Path

import pytest
import sesahand_pack

LOCALES = Path(__file__).resolve().parents[2] / "locales"
LANGUAGES = ("en", "zh", "ja", "ko")
NODES = asyncio.run(asyncio.run(sesahand_pack.comfy_entrypoint()).get_node_list())
# Letters that a text of the language has, and an English one has not.
SCRIPTS = {"zh": "[\u4e00-\u9fff]", "ja": "[\u3040-\u30ff]", "ko": "[\uac00-\ud7af]"}


def english() -> dict:
    """Return the texts of the schemas in the form of nodeDefs.json."""
    texts = {}
    for schema in sorted((node.define_schema() for node in NODES), key=lambda schema: schema.node_id):
        texts[schema.node_id] = {
            "display_name": schema.display_name,
            "description": schema.description,
            "inputs": {
                entry.id: {"name": entry.display_name or entry.id, "tooltip": entry.tooltip} for entry in schema.inputs
            },
            "outputs": {
                str(index): {"name": entry.display_name, "tooltip": entry.tooltip}
                for index, entry in enumerate(schema.outputs)
            },
        }
    return texts


def read(language: str, name: str) -> dict:
    return json.loads((LOCALES / language / name).read_text(encoding="utf-8"))


def keys(texts, path=()) -> set:
    """Return the path of every text."""
    if isinstance(texts, str):
        return {path}
    return {found for key, value in texts.items() for found in keys(value, (*path, key))}


def test_english_is_what_the_nodes_say():
    """SESAHAND_WRITE_SNAPSHOT=1 writes it anew; the diff is what the translations must follow."""
    if os.environ.get("SESAHAND_WRITE_SNAPSHOT") == "1":
        text = json.dumps(english(), indent=2, ensure_ascii=False) + "\n"
        (LOCALES / "en").mkdir(parents=True, exist_ok=True)
        (LOCALES / "en/nodeDefs.json").write_text(text, encoding="utf-8", newline="\n")
    assert read("en", "nodeDefs.json") == english()


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_a_translation_has_every_text_and_no_other(language):
    assert keys(read(language, "nodeDefs.json")) ^ keys(english()) == set()


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_sentences_are_translated_and_values_are_kept(language):
    own, original = read(language, "nodeDefs.json"), english()
    for path in sorted(keys(original)):
        text, source = own, original
        for key in path:
            text, source = text[key], source[key]
        if path[-1] in ("tooltip", "description"):
            assert re.search(SCRIPTS[language], text), (language, path, text)
        if path[-1] == "display_name":
            assert text.endswith(" (SesaHand)"), "it is how people find all nodes of the pack"
        for file in re.findall(r"models/[\w/]+|\.\w+(?=[ ,.)])", source):
            assert file in text, (language, path, file)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_means_something_to_the_frontends_translator(language):
    """vue-i18n takes braces for a placeholder, @ for a link and | for a plural."""
    texts = (LOCALES / language / "nodeDefs.json").read_text(encoding="utf-8").splitlines()
    assert not [line for line in texts if re.search(r'": ".*[{}@|]', line)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_category_has_a_name(language):
    categories = {part for node in NODES for part in node.define_schema().category.split("/")}
    assert set(read(language, "main.json")["nodeCategories"]) == categories
