"""The documentation: a complete navigation, no dead link, and words that agree with code and figures.

The site itself is built in CI, by MkDocs with warnings as errors; nothing here needs MkDocs.
"""

import ast
import importlib
import importlib.util
import json
import re
import shlex
from pathlib import Path

import pytest

from sesahand import cli
from sesahand.commands.generate import EXAMPLES
from sesahand.generate.order import Line, Order
from sesahand.training.config import load_config

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("benchmarks/**/*.md"), *ROOT.glob("web/docs/*.md"), *ROOT.glob("*.md")])
GUIDES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md"])


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def site():
    """The hook that MkDocs runs."""
    spec = importlib.util.spec_from_file_location("documentation", ROOT / "tools" / "documentation.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def navigation():
    """Every page that mkdocs.yml names, in its order."""
    import yaml

    def pages(entry):
        if isinstance(entry, str):
            yield entry
        else:
            for inner in entry.values() if isinstance(entry, dict) else entry:
                yield from pages(inner)

    return list(pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]))


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def prose(path: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(path: Path) -> set[str]:
    """The names that GitHub, and the site after it, give the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", prose(path), flags=re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


def test_the_navigation_names_pages_that_are_there_and_each_once(site, navigation):
    own = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    known = own | set(site.borrowed().values()) | {site.NODE_INDEX, site.API_INDEX}
    assert set(navigation) <= known and len(set(navigation)) == len(navigation)


def test_every_page_is_in_the_navigation(site, navigation):
    own = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    borrowed = {place for place in site.borrowed().values() if place.endswith(".md") and not place.startswith("nodes/")}
    assert own | borrowed <= set(navigation)


def test_every_node_has_its_page_in_its_family(site):
    nodes = json.loads((ROOT / "locales" / "en" / "nodeDefs.json").read_text(encoding="utf-8"))
    listed = [node for family in site.nodes_by_family().values() for node in family]
    assert sorted(listed) == sorted(nodes)
    assert {f"nodes/{node}.md" for node in listed} <= set(site.borrowed().values())
    assert "SesaHandPoseHand" in site.nodes_by_family()["hand"]


def test_every_room_of_the_library_has_its_page(site):
    rooms = {path.name for path in (ROOT / "sesahand").iterdir() if (path / "__init__.py").is_file()}
    assert {path.stem for path in site.rooms()} == rooms - {"commands"} | {"errors"}


@pytest.mark.parametrize("page", PAGES, ids=short)
def test_no_relative_link_is_dead(page):
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        linked = page if not file else (page.parent / file).resolve()
        if not linked.exists() or anchor and anchor not in anchors(linked):
            dead.append(target)
    assert dead == []


@pytest.mark.parametrize("page", [page for page in GUIDES if blocks(page, "python")], ids=short)
def test_python_on_a_page_imports_what_there_is(page):
    missing = []
    for block in blocks(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "sesahand":
                module = importlib.import_module(node.module)
                missing += [f"{node.module}.{alias.name}" for alias in node.names if not hasattr(module, alias.name)]
    assert missing == []


@pytest.mark.parametrize("block", blocks(DOCS / "training.md", "toml"))
def test_every_configuration_of_the_page_on_training_is_read(block, tmp_path):
    pytest.importorskip("tomllib", reason="TOML needs Python 3.11")
    # What shows a part of a configuration is one of a ControlNet.
    whole = block if "kind = " in block else f'kind = "controlnet"\nbase = "base"\n{block}'
    (tmp_path / "train.toml").write_text(whole, encoding="utf-8")
    assert load_config(tmp_path / "train.toml").data


def commands_of(page: Path):
    """Yield the words of every call of the command line on a page."""
    for block in blocks(page, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            found = re.match(r"(?:python3? -m )?sesahand (.*)", line)
            if found:
                yield shlex.split(found[1], comments=True)


@pytest.mark.parametrize("page", [page for page in GUIDES if list(commands_of(page))], ids=short)
def test_commands_on_a_page_have_the_options_that_they_are_given(page, capsys):
    wrong = []
    for words in commands_of(page):
        name = words[:2] if words[0] == "dataset" else words[:1]
        with pytest.raises(SystemExit) as ended:
            cli.main([*name, "--help"])
        known = capsys.readouterr().out
        options = [word for word in words if word.startswith("--")]
        wrong += [words] if ended.value.code else []
        wrong += [[*name, option] for option in options if not re.search(rf"{re.escape(option)}\b", known)]
    assert wrong == []


POSED = {
    "fist": "fist", "three fingers": "three", "peace sign": "victory", "spread fingers": "open_palm",
    "waves": "open_palm", "pointing up": "point", "ok sign": "ok", "horns sign": "horns", "phone sign": "call_me",
}  # fmt: skip
SENTENCES = sorted(
    {*EXAMPLES}
    | {
        word
        for page in GUIDES
        for words in commands_of(page)
        if words[0] in ("generate", "describe") and "--gesture" not in words
        for word in words[1:]
        if " " in word
    }
)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_sentence_of_a_command_poses_the_hand_that_it_names(sentence):
    (gesture,) = {gesture for said, gesture in POSED.items() if said in sentence}
    assert Order((Line(sentence),)).said[0].gesture == gesture


CLAIMS = re.findall(
    r"^\| (.+?) \| (.+?) \| (\d{4}-\d\d-\d\d) \| (`.+?`) \| (.+?) \| \[.+?\]\((\w+\.md).*?\) \|$",
    (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8"),
    flags=re.MULTILINE,
)


def test_every_claim_has_figure_date_commit_command_and_page():
    rows = [line for line in prose(ROOT / "benchmarks" / "README.md").splitlines() if line.startswith("| ")]
    assert len(CLAIMS) == len(rows) - 1, "a row of the table lacks something"
    assert {page for *_, page in CLAIMS} == {path.name for path in ROOT.glob("benchmarks/*.md")} - {"README.md"}


@pytest.mark.parametrize(("claim", "figure", "date", "commit", "command", "page"), CLAIMS)
def test_figures_of_a_claim_stand_on_its_page(claim, figure, date, commit, command, page):
    text = (ROOT / "benchmarks" / page).read_text(encoding="utf-8")
    numbers = re.findall(r"(?<![\w.])[+-]?\d+(?:\.\d+)?(?:e-?\d+)?", figure)
    absent = [number for number in numbers if not re.search(rf"(?<![\d.]){re.escape(number)}(?!\d)", text)]
    assert numbers and absent == []
    assert all((ROOT / script).is_file() for script in re.findall(r"benchmarks/\w+\.py", command))
