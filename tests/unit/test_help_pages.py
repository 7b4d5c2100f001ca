"""The nodes' help pages: each in English and in Chinese, and both about the same inputs and outputs."""

import json
import re

import pytest

import workflows

FOLDER = workflows.ROOT / "web" / "docs"
NODES = sorted(path.stem for path in FOLDER.glob("*.md"))
LANGUAGE = "zh"


def definitions(language: str) -> dict:
    return json.loads((workflows.ROOT / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8"))


def lines_of(page: str) -> list[str]:
    """Return a page's lines without its blocks of code, where # and | mean something else."""
    return re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL).splitlines()


def headings(page: str) -> list[int]:
    """Return the level of each heading, in order."""
    return [len(line) - len(line.lstrip("#")) for line in lines_of(page) if re.match(r"#+ ", line)]


def rows(page: str) -> list[list[str]]:
    """Return the cells of each row of each table, in order."""
    return [line.strip().strip("|").split("|") for line in lines_of(page) if line.startswith("|")]


def quoted(text: str) -> set[str]:
    """Return what stands in backticks, also where a line ends within them."""
    return {" ".join(found.split()) for found in re.findall(r"`([^`]+)`", text)}


def first_column(page: str) -> list[set[str]]:
    return [quoted(cells[0]) for cells in rows(page)]


def blocks_of_code(page: str) -> list[str]:
    return re.findall(r"^```[\s\S]*?^```$|^    .+$", page, flags=re.MULTILINE)


def pictures(page: str) -> list[str]:
    return re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page)


@pytest.fixture(params=NODES)
def node(request):
    return request.param


@pytest.fixture
def english(node):
    return (FOLDER / f"{node}.md").read_text(encoding="utf-8")


@pytest.fixture
def chinese(node):
    return (FOLDER / node / f"{LANGUAGE}.md").read_text(encoding="utf-8")


def test_there_are_pages():
    assert "SesaHandPoseHand" in NODES


def test_every_page_has_a_chinese_one_and_no_other():
    found = {path.relative_to(FOLDER).as_posix() for path in FOLDER.glob("*/**/*") if path.is_file()}
    assert found == {f"{node}/{LANGUAGE}.md" for node in NODES}


def test_both_pages_name_the_same_identifiers_in_their_tables(english, chinese):
    assert any(first_column(english))
    assert first_column(chinese) == first_column(english)


def test_both_pages_have_the_same_headings_and_table_rows(english, chinese):
    assert headings(chinese) == headings(english)
    assert [len(cells) for cells in rows(chinese)] == [len(cells) for cells in rows(english)]


def test_both_pages_quote_the_same_options_files_and_commands(english, chinese):
    assert quoted("\n".join(lines_of(chinese))) == quoted("\n".join(lines_of(english)))
    assert blocks_of_code(chinese) == blocks_of_code(english)


def test_both_pages_show_the_same_pictures(english, chinese):
    """ComfyUI's frontend looks for a relative path in the folder of all pages, whatever the language."""
    assert pictures(chinese) == pictures(english)
    assert all((FOLDER / picture).is_file() for picture in pictures(english))


def test_every_picture_is_shown_small_and_readable():
    """ComfyUI's frontend loads them with the page, and the panel is some 400 pixels wide."""
    from PIL import Image

    shown = {name for node in NODES for name in pictures((FOLDER / f"{node}.md").read_text(encoding="utf-8"))}
    files = [path for path in FOLDER.iterdir() if path.is_file() and path.suffix != ".md"]
    assert {path.name for path in files} == shown
    assert sum(path.stat().st_size for path in files) < 1_000_000
    for path in files:
        with Image.open(path) as picture:
            assert path.stat().st_size < 50_000 and 300 <= picture.width <= 1024
            low, high = picture.convert("L").getextrema()
            assert high - low > 100, f"{path.name} shows nothing"


def test_the_page_has_a_picture_with_words(node):
    page = (FOLDER / f"{node}.md").read_text(encoding="utf-8")
    first, *others = re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", page)
    assert first[1] == f"{node}.jpg" and all(file.startswith(f"{node}_") for _, file in others)
    assert all(len(words) > 20 for words, _ in (first, *others)), (
        "who cannot see it, or has no network, reads the words"
    )


def test_the_chinese_title_holds_both_names_of_the_node(node, chinese):
    names = [definitions(language)[node]["display_name"].removesuffix(" (SesaHand)") for language in (LANGUAGE, "en")]
    assert chinese.splitlines()[0] == f"# {names[0]} ({names[1]}, SesaHand)"


def test_the_chinese_tables_say_how_the_interface_calls_each_input_and_output(node, chinese):
    """The interface shows the translated labels only, so that identifiers alone would not be found there."""
    local, source = definitions(LANGUAGE)[node], definitions("en")[node]
    labels = {name: entry["name"] for name, entry in local.get("inputs", {}).items()}
    for slot, entry in source["outputs"].items():
        labels.setdefault(entry["name"], local["outputs"][slot]["name"])
    cells = [row[0] for row in rows(chinese) if quoted(row[0]) and quoted(row[0]) <= set(labels)]
    assert set().union(*map(quoted, cells)) == set(labels)
    for cell in cells:
        outside = re.sub(r"`[^`]+`", "", cell)
        for name in quoted(cell):
            assert labels[name] in outside or labels[name].casefold() == name.casefold(), f"{cell}: {labels[name]}"
