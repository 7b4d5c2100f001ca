"""Docstrings say what arrays are: each tensor that a public function takes or returns has its shape, and its unit.

The rule. Asked is every function, method and class attribute whose name has no leading underscore, and `__call__`, for
each argument, return value and attribute that is annotated as Tensor or ndarray. An array is described in its entry
under Args, Attributes or Returns; what has no entry, in the sentences before them, which then give as many shapes as
they have arrays to describe. The sentences of a class also describe its `forward` and `__call__`.

A shape is dimensions in backticks, `[N, 3]`; or "any shape", "the same shape", "without dimensions", "likewise" or
"like `name`"; or it is found where the docstring points to, "see `name`": another function that is held to this rule. A
dictionary of arrays has many shapes, and needs no more than to be described. An array whose name is that of a quantity
(`UNITS`) also has its unit, range or type there.
"""

import ast
import inspect
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = sorted((ROOT / "sesahand").rglob("*.py"))

ARRAY = re.compile(r"\b(?:Tensor|ndarray)\b")
MANY_SHAPES = re.compile(r"\b(?:dict|Mapping|Callable)\[")
SECTION = re.compile(r"(Args|Returns|Yields|Raises|Source|Attributes):")
ENTRY = re.compile(r" {4}\*{0,2}(\w+(?:, \w+)*):(.*)")
# `[N, 3]`, `[H / 8, 2 * W]`, `found [N, 3]`, `[]`; not an interval `[0, 1]` and not an element `table[k]`.
DIMENSIONS = r"`(?:[^`]*\s)?\[(?!-?[01](?:\.0)?, 1)(?:[\w.*][\w.,*/+' ()-]*)?\][^`]*`"
SHAPE = re.compile(rf"{DIMENSIONS}|\b(?:any|same) shapes?\b|without dimensions|\b[Ll]ikewise\b|\b[Ll]ike `\w+`")
POINTER = re.compile(r"\b(?:[Ss]ee|[Aa]s|[Ff]rom|of) `([\w.]+)`")
# One shape may be that of several arrays: "position and direction, each `[N, 3]`".
EACH = re.compile(r"\b(?:each|both|all|every)\b", re.IGNORECASE)
# By the last word of an array's name: what says in which unit, range or type its numbers are.
LENGTH = r"metres|pixels|cells|\bunits?\b"
RANGE = r"[01]\.\.1|0 to 1|0\.\.255|uint8|bool|[Aa]ny range|normalised"
PLACE = r"\bids?\b|[Rr]ows? of|numbers? of|int\d*\b|index|bool|columns"
UNITS = (
    (r"vertices|joints|keypoints|points|translation|template|position|corners|boxes|squares|wrist|depth", LENGTH),
    (r"pictures?|images?|photographs?|colou?rs?|background|masks?|cover|heat|albedo", RANGE),
    (r"faces|ids|tips|index|indices|edges", PLACE),
    (r"angles?", r"radians|degrees"),
)


@dataclass(frozen=True)
class Docstring:
    """What a docstring says: sentences before its sections, its entries by name, and what is returned."""

    sentences: str
    entries: dict[str, str]
    returns: str


def taken_apart(text: str | None) -> Docstring:
    sentences, entries, returns, section, names = [], {}, [], "", []
    for line in inspect.cleandoc(text or "").splitlines():
        if match := SECTION.match(line):
            section, names = match[1], []
        elif section in ("Args", "Attributes"):
            if match := ENTRY.match(line):
                names, line = match[1].split(", "), match[2]
            for name in names:
                entries[name] = f"{entries.get(name, '')} {line.strip()}".strip()
        elif section in ("Returns", "Yields"):
            returns.append(line.strip())
        elif not section:
            sentences.append(line)
    return Docstring(" ".join(sentences), entries, " ".join(returns))


@dataclass(frozen=True)
class Asked:
    """A function or class, its arrays with their annotations, what it returns if that is one, and its docstring."""

    name: str
    arrays: dict[str, str]
    returns: str
    docstring: Docstring


def is_public(name: str) -> bool:
    return not name.startswith("_") or name == "__call__"


def array_annotation(node: ast.expr | None) -> str:
    annotation = "" if node is None else ast.unparse(node)
    return annotation if ARRAY.search(annotation) else ""


def asked_function(function: ast.FunctionDef, owner: ast.ClassDef | None) -> Asked:
    a = function.args
    arguments = [arg for arg in (*a.posonlyargs, *a.args, a.vararg, *a.kwonlyargs, a.kwarg) if arg]
    arrays = {arg.arg: annotation for arg in arguments if (annotation := array_annotation(arg.annotation))}
    own = taken_apart(ast.get_docstring(function, clean=False))
    if owner and function.name in ("forward", "__call__"):
        of_class = taken_apart(ast.get_docstring(owner, clean=False)).sentences
        own = Docstring(f"{of_class} {own.sentences}", own.entries, own.returns)
    name = f"{owner.name}.{function.name}" if owner else function.name
    return Asked(name, arrays, array_annotation(function.returns), own)


def asked_class(definition: ast.ClassDef) -> Asked:
    fields = [field for field in definition.body if isinstance(field, ast.AnnAssign)]
    annotations = {ast.unparse(field.target): array_annotation(field.annotation) for field in fields}
    arrays = {name: annotation for name, annotation in annotations.items() if annotation and is_public(name)}
    return Asked(definition.name, arrays, "", taken_apart(ast.get_docstring(definition, clean=False)))


def all_asked(source: str) -> Iterator[Asked]:
    """Yield what has arrays to describe in a module: public functions, public classes, and their public methods."""
    waiting = [(node, None) for node in ast.parse(source).body]
    while waiting:
        node, owner = waiting.pop(0)
        if isinstance(node, ast.FunctionDef) and is_public(node.name):
            asked = asked_function(node, owner)
        elif isinstance(node, ast.ClassDef) and is_public(node.name):
            asked = asked_class(node)
            waiting += [(child, node) for child in node.body]
        else:
            continue
        if asked.arrays or asked.returns:
            yield asked


@dataclass(frozen=True)
class Rule:
    """The rule above.

    Attributes:
        described: Names of the functions that a docstring may point to, methods with their class.
    """

    described: Collection[str]

    def faults(self, asked: Asked) -> list[str]:
        """Return what a docstring leaves unsaid."""
        text, found, without_entry = asked.docstring, [], 0
        given = self._shapes(text.sentences, asked)
        for name, annotation in asked.arrays.items():
            entry = text.entries.get(name)
            about = f"{entry or ''} {text.sentences}"
            without_entry += entry is None and not MANY_SHAPES.search(annotation)
            if MANY_SHAPES.search(annotation):
                found += [] if about.strip() else [f"{name}: what is it?"]
            elif given < without_entry if entry is None else not self._shapes(entry, asked):
                found.append(f"{name}: which shape?")
            elif self._lacks_unit(name, about, asked):
                found.append(f"{name}: which unit, range or type?")
        if asked.returns and not MANY_SHAPES.search(asked.returns):
            given += self._shapes(text.returns, asked)
            several = given > without_entry and EACH.search(text.returns or text.sentences)
            if given < without_entry + len(ARRAY.findall(asked.returns)) and not several:
                found.append("what is returned: which shape?")
        return [f"{asked.name}, {fault}" for fault in found]

    def _shapes(self, text: str, asked: Asked) -> int:
        return len(SHAPE.findall(text)) + len(self._pointers(text, asked))

    def _pointers(self, text: str, asked: Asked) -> list[str]:
        owner = asked.name.rpartition(".")[0]
        names = [{name, f"{owner}.{name}"} for name in POINTER.findall(text)]
        return [name for pair in names for name in pair & set(self.described) - {asked.name}]

    def _lacks_unit(self, name: str, text: str, asked: Asked) -> bool:
        if re.search(r"\b[Ll]ikewise\b|\b[Ll]ike `", text) or self._pointers(text, asked):
            return False
        last = name.rpartition("_")[2]
        return any(re.fullmatch(names, last) and not re.search(units, text) for names, units in UNITS)


@pytest.fixture(scope="module")
def rule() -> Rule:
    return Rule({asked.name for path in LIBRARY for asked in all_asked(path.read_text(encoding="utf-8"))})


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_public_docstrings_say_which_shape_and_unit_arrays_have(path, rule):
    asked = all_asked(path.read_text(encoding="utf-8"))
    assert [fault for each in asked for fault in rule.faults(each)] == []


def documented(signature: str, *lines: str) -> str:
    return "\n    ".join([f"def {signature}:", '"""' + lines[0], *lines[1:], '"""'])


@pytest.mark.parametrize(
    ("source", "unsaid"),
    [
        (documented("f(x: Tensor)", "Do it."), ["f, x: which shape?"]),
        ("def f(x: Tensor) -> Tensor: ...", ["f, x: which shape?", "f, what is returned: which shape?"]),
        (documented("f(x: Tensor) -> Tensor", "Turn `[N, 3]` round."), ["f, what is returned: which shape?"]),
        (documented("f(x: Tensor | None = None)", "Do.", "", "Args:", "    x: In 0..1."), ["f, x: which shape?"]),
        (documented("f(x: 'np.ndarray')", "Do it with a number in `[0, 1]`."), ["f, x: which shape?"]),
        (documented("f(x: Tensor)", "Do it with `x[k]`."), ["f, x: which shape?"]),
        (documented("f(x: Tensor, y: Tensor)", "Do `[N]`.", "", "Args:", "    x: It.", "    y: `[N]`."),
         ["f, x: which shape?"]),
        (documented("f() -> tuple[Tensor, Tensor]", "Return `[N]` and more."), ["f, what is returned: which shape?"]),
        (documented("f(x: Tensor)", "Do what `g` does, but see `h`."), ["f, x: which shape?"]),
        (documented("f(x: Tensor)", "See `f`."), ["f, x: which shape?"]),
        (documented("f(points: Tensor)", "Move `[N, 3]`."), ["f, points: which unit, range or type?"]),
        (documented("f(seen_pictures: list[Tensor])", "Show each `[H, W]`."),
         ["f, seen_pictures: which unit, range or type?"]),
        ("def f(x: dict[str, Tensor]): ...", ["f, x: what is it?"]),
        ('class A:\n    """An `[N]`."""\n    x: Tensor\n    y: Tensor', ["A, y: which shape?"]),
        ('class A:\n    """An A."""\n    def __call__(self, x: Tensor): ...', ["A.__call__, x: which shape?"]),
    ],
)  # fmt: skip
def test_the_rule_of_docstrings_sees_what_is_left_unsaid(source, unsaid):
    assert [fault for asked in all_asked(source) for fault in Rule({"f", "g"}).faults(asked)] == unsaid


@pytest.mark.parametrize(
    "source",
    [
        documented("f(x: Tensor) -> Tensor", "Turn `[N, 3]` into `[N]`."),
        documented("f(x: Tensor) -> Tensor", "Copy what has any shape.", "", "Returns:", "    Of the same shape."),
        documented("f() -> tuple[Tensor, Tensor]", "Return.", "", "Returns:", "    First and last, each `[2 * N]`."),
        documented("f(x: Tensor, y: Tensor)", "Do.", "", "Args:", "    x: `[N]`.", "    y: Likewise."),
        documented("f(x: Tensor)", "Do.", "", "Args:", "    x: Long text whose shape", "        is `[N]`."),
        documented("f(x: Tensor)", "Do it; see `g`."),
        documented("f(points: Tensor)", "Move `[N, 3]` in metres."),
        documented("f(x: dict[str, Tensor])", "Save the weights."),
        'class A:\n    """It makes `[N, 3]` of `[N, 3]`."""\n    def forward(self, x: Tensor) -> Tensor: ...',
        'class A:\n    """A."""\n    def h(self, x: Tensor):\n        """As `g`."""',
        "def _f(x: Tensor): ...",
        "class _A:\n    x: Tensor",
        "def f(x: int, *names: str): ...",
    ],
)
def test_the_rule_of_docstrings_leaves_others_alone(source):
    assert [fault for asked in all_asked(source) for fault in Rule({"f", "g"}).faults(asked)] == []
