"""What the documentation's site has besides `docs/`: the nodes' help pages, the benchmarks, the API, and formulas.

MkDocs runs this file as a hook (see mkdocs.yml). Nothing is copied by hand: pages that have their place elsewhere in
the repository are read from there, and their links lead to the same things as on the repository's own pages. MkDocs and
what else only a build has is imported inside the functions: tests/unit/test_documentation.py looks at the rest.
"""

import ast
import json
import posixpath
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Which files are on the site too, and under which folder. README.md is what such a folder opens with.
BORROWED = {
    "benchmarks/*.md": "benchmarks",
    "benchmarks/data/*.md": "benchmarks/data",
    "web/docs/*.md": "nodes",
    "web/docs/*.jpg": "nodes",
    "workflows/*.jpg": "workflows",
    "CHANGELOG.md": "project",
    "CONTRIBUTING.md": "project",
    "AGENTS.md": "project",
    "SECURITY.md": "project",
    "THIRD_PARTY_NOTICES.md": "project",
}
LINK = re.compile(r"(!?\[[^\]]*\])\(([^)\s#]+)(#[^)\s]*)?\)")
NODE_INDEX, API_INDEX = "nodes/README.md", "api/README.md"
NODES_HEAD = """# Nodes

Each node's page is also its help in ComfyUI, in English or Chinese: select the node and press the ⓘ above it. Nodes
stand in the menu under *SesaHand*, in the families below.
"""
API_HEAD = """# The library, room by room

A room is a package of `sesahand`. [Frames and units](../concepts/frames.md) has what arguments share. Everything raises
`SesaHandError`, from `sesahand.errors`, for what its caller can put right.

| room | what is in it |
|---|---|"""


def borrowed() -> dict[str, str]:
    """Return where each file of the repository outside `docs/` is on the site: both paths by their names."""
    return {
        path.relative_to(ROOT).as_posix(): f"{folder}/{path.name}"
        for pattern, folder in BORROWED.items()
        for path in sorted(ROOT.glob(pattern))
    }


def folders() -> dict[str, str]:
    """Return which page of the site stands for a folder of the repository, so that a link to it works on both."""
    return {
        "web/docs": NODE_INDEX,
        "sesahand": API_INDEX,
        **{path.relative_to(ROOT).as_posix(): room_page(path) for path in rooms() if path.is_dir()},
    }


def on_config(config):
    """Render formulas, name anchors as GitHub does, and list nodes and rooms in the navigation."""
    from pymdownx.slugs import slugify

    config.mdx_configs.setdefault("toc", {})["slugify"] = slugify(case="lower")
    fences = config.mdx_configs.setdefault("pymdownx.superfences", {}).setdefault("custom_fences", [])
    fences.append({"name": "math", "class": "math", "format": formula})
    lists = {NODE_INDEX: node_navigation(), API_INDEX: [room_page(path) for path in rooms()]}
    for entry in config.nav:
        for title, page in entry.items():
            if isinstance(page, str) and page in lists:
                entry[title] = [page, *lists[page]]
    return config


def on_files(files, config):
    """Add the pages and pictures that `docs/` does not hold."""
    from mkdocs.structure.files import File

    for source, place in borrowed().items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    files.append(File.generated(config, NODE_INDEX, content=node_index()))
    files.append(File.generated(config, API_INDEX, content=api_index()))
    for path in rooms():
        page = f"# {path.stem}\n\n::: sesahand.{path.stem}\n"
        files.append(File.generated(config, room_page(path), content=page))
    return files


def on_page_markdown(markdown, page, config, files):
    """Turn links between files of the repository into links between pages; of a link to any other, leave its words."""
    place = page.file.src_uri
    places, doors = borrowed(), folders()
    home = {there: here for here, there in places.items()}.get(place, f"docs/{place}")

    def follow(link: re.Match) -> str:
        words, target, anchor = link[1], link[2], link[3] or ""
        source = posixpath.normpath(posixpath.join(posixpath.dirname(home), target))
        if re.match(r"[a-z]+:", target) or not (ROOT / source).exists():
            return link[0]
        there = source.removeprefix("docs/") if source.startswith("docs/") else places.get(source) or doors.get(source)
        if there is None:
            return words[1:-1]
        return f"{words}({posixpath.relpath(there, posixpath.dirname(place) or '.')}{anchor})"

    return LINK.sub(follow, markdown)


def formula(source, language, css_class, options, md, **kwargs) -> str:
    """Return a block of LaTeX, a formula a line, as MathML, which browsers draw without a script."""
    from latex2mathml.converter import convert

    return "".join(convert(line, display="block") for line in source.strip().splitlines() if line.strip())


def nodes_by_family() -> dict[str, list[str]]:
    """Return the nodes' ids by the family that ComfyUI's menu shows them in, both in the order of the files."""
    families = {}
    order = next(
        ast.literal_eval(statement.value)
        for statement in ast.parse((ROOT / "nodes/__init__.py").read_text(encoding="utf-8")).body
        if isinstance(statement, ast.Assign) and statement.targets[0].id == "FAMILIES"
    )
    for name in order:
        tree = ast.parse((ROOT / f"nodes/{name}.py").read_text(encoding="utf-8"))
        constants = {
            statement.targets[0].id: statement.value
            for statement in tree.body
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
        }
        for call in ast.walk(tree):
            given = {keyword.arg: keyword.value for keyword in getattr(call, "keywords", ())}
            if isinstance(call, ast.Call) and {"node_id", "category"} <= given.keys():
                category = given["category"]
                category = constants[category.id] if isinstance(category, ast.Name) else category
                family = ast.literal_eval(category).removeprefix("SesaHand/")
                families.setdefault(family, []).append(ast.literal_eval(given["node_id"]))
    return families


def node_texts() -> dict[str, dict]:
    """Return names and descriptions of the nodes, as ComfyUI shows them."""
    return json.loads((ROOT / "locales/en/nodeDefs.json").read_text(encoding="utf-8"))


def node_name(texts: dict[str, dict], node: str) -> str:
    return texts[node]["display_name"].removesuffix(" (SesaHand)")


def node_navigation() -> list[dict]:
    texts = node_texts()
    return [
        {family: [{node_name(texts, node): f"nodes/{node}.md"} for node in nodes]}
        for family, nodes in nodes_by_family().items()
    ]


def node_index() -> str:
    """Return the page that lists all nodes by family."""
    texts = node_texts()
    lines = [NODES_HEAD]
    for family, nodes in nodes_by_family().items():
        lines += [f"\n## {family}\n", "| node | what it does |", "|---|---|"]
        lines += [f"| [{node_name(texts, node)}]({node}.md) | {texts[node]['description']} |" for node in nodes]
    return "\n".join(lines) + "\n"


def rooms() -> list[Path]:
    """Return the packages of the library, and its one module of errors, by name."""
    library = ROOT / "sesahand"
    packages = [path.parent for path in library.glob("*/__init__.py") if path.parent.name != "commands"]
    return sorted([*packages, library / "errors.py"], key=lambda path: path.stem)


def room_page(path: Path) -> str:
    return f"api/{path.stem}.md"


def api_index() -> str:
    """Return the page that lists the rooms of the library with the first line of their docstrings."""
    lines = [API_HEAD]
    for path in rooms():
        source = path if path.is_file() else path / "__init__.py"
        words = (ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or "").splitlines()[0]
        lines.append(f"| [{path.stem}]({path.stem}.md) | {words} |")
    return "\n".join(lines) + "\n"
