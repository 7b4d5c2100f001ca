"""Rules of the house that a machine can check: dependencies, directions of import, and what source must not do."""

import ast
import collections
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = sorted((ROOT / "sesahand").rglob("*.py"))
NODES = sorted((ROOT / "nodes").rglob("*.py"))
COMFYUI = {"comfy", "comfy_api", "comfy_extras", "comfy_execution", "folder_paths", "nodes", "execution", "server"}

# The one module that reads pickles, through an unpickler that resolves nothing but inert types.
PICKLE_READER = ROOT / "sesahand" / "files" / "pickle_reader.py"
# The one that writes them, for HaMeR's data sets: writing numbers and texts runs nothing.
PICKLE_WRITER = ROOT / "sesahand" / "data" / "formats" / "python_objects.py"
# The one command that runs a program: the user's own pip, to take a package from the index that the user has set up.
PIP_RUNNER = ROOT / "sesahand" / "commands" / "get_detector.py"
SAYING, BAR = (ROOT / "sesahand" / "commands" / name for name in ("saying.py", "progress.py"))
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "print", "breakpoint", "input"}
FORBIDDEN_ATTRIBUTES = {("os", "system"), ("os", "popen"), ("torch", "load"), ("np", "load"), ("numpy", "load")}
FORBIDDEN_IMPORTS = {"pickle", "subprocess", "pip", "marshal", "shelve", "dill", "joblib", "pytest"}


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.Module):
    """Yield (level, module, line) of every import statement, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or "", node.lineno


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def read_pyproject() -> dict:
    if sys.version_info < (3, 11):
        pytest.skip("tomllib came with Python 3.11")
    import tomllib

    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_requirements_are_the_projects_dependencies():
    wanted = read_pyproject()["project"]["dependencies"]
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.strip()] == wanted


def test_dependencies_have_lower_bounds_only():
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").split():
        assert re.fullmatch(r"[a-z0-9-]+>=[0-9.]+", line), f"{line}: an upper bound or a pin breaks other packs"


def test_the_version_is_the_same_everywhere():
    project = read_pyproject()["project"]
    namespace = re.search(r'^__version__ = "(.+)"$', (ROOT / "sesahand/__init__.py").read_text(), re.MULTILINE)
    assert namespace[1] == project["version"]


@pytest.mark.parametrize("path", LIBRARY, ids=short)
def test_the_library_does_not_know_comfyui(path):
    known = [
        (module, line) for level, module, line in imports(parse(path)) if module.split(".")[0] in COMFYUI and not level
    ]
    assert known == []


@pytest.mark.parametrize("path", LIBRARY, ids=short)
def test_the_library_imports_itself_only_relatively(path):
    """Inside ComfyUI its name is another one, and two copies of a class would not be each other's instances."""
    absolute = [
        line for level, module, line in imports(parse(path)) if not level and module.split(".")[0] == "sesahand"
    ]
    assert absolute == []


@pytest.mark.parametrize("path", NODES, ids=short)
def test_nodes_import_the_pack_only_relatively_and_never_comfyuis_nodes(path):
    absolute = [
        (module, line) for level, module, line in imports(parse(path))
        if not level and module.split(".")[0] in ("sesahand", "nodes", "utils")
    ]  # fmt: skip
    assert absolute == []


@pytest.mark.parametrize("path", [ROOT / "__init__.py", *LIBRARY, *NODES], ids=short)
def test_source_runs_no_code_from_outside_and_prints_nothing(path):
    # What commands print may quote strangers' files, of which `saying` escapes what a terminal would obey.
    allowed_calls = {"print"} if path in (SAYING, BAR) else set()
    # The name of pickle's errors may be caught; nothing of it may be called.
    pickled = {
        n.attr for n in ast.walk(parse(path)) if isinstance(n, ast.Attribute) and ast.unparse(n.value) == "pickle"
    }
    allowed_imports = {"pickle"} if path in (PICKLE_READER, PICKLE_WRITER) or pickled == {"UnpicklingError"} else set()
    allowed_imports |= {"subprocess"} if path == PIP_RUNNER else set()
    found = []
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Name) and function.id in FORBIDDEN_CALLS - allowed_calls:
                found.append((function.id, node.lineno))
            if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
                name = (function.value.id, function.attr)
                settings = {k.arg: getattr(k.value, "value", None) for k in node.keywords}
                harmless = settings.get("allow_pickle") is False or settings.get("weights_only") is True
                if name in FORBIDDEN_ATTRIBUTES and not harmless:
                    found.append((".".join(name), node.lineno))
            # Saying no aloud is better than the default of transformers, which asks the terminal.
            refused = [k for k in node.keywords if isinstance(k.value, ast.Constant) and k.value.value is False]
            risky = [k for k in node.keywords if k.arg in ("shell", "trust_remote_code") and k not in refused]
            found += [(k.arg, node.lineno) for k in risky]
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            found.append(("bare except", node.lineno))
    found += [
        (module, line)
        for _, module, line in imports(parse(path))
        if module.split(".")[0] in FORBIDDEN_IMPORTS - allowed_imports
    ]
    assert found == []


def test_source_is_readable_where_windows_guesses_its_encoding():
    """The public tool comfy-test asks for it: not every program on Windows reads a file as UTF-8."""
    unreadable = []
    for path in (ROOT / "__init__.py", *LIBRARY, *NODES):
        try:
            path.read_text(encoding="utf-8").encode("cp1252")
        except UnicodeEncodeError as error:
            unreadable.append((short(path), error.object[error.start]))
    assert unreadable == []


def test_what_writes_pickles_cannot_read_them():
    names = {node.attr for node in ast.walk(parse(PICKLE_WRITER)) if isinstance(node, ast.Attribute)}
    assert "Pickler" in names and not names & {"load", "loads", "Unpickler"}


def test_importing_all_of_the_library_leaves_heavy_libraries_out():
    answer = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "import_time.py", "--repeat", "1"], capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    assert "heavy libraries loaded: none" in answer.stdout


def test_no_text_file_names_this_machine_or_holds_a_secret():
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("not a git checkout")
    suspicious = re.compile(r"/(?:root|home/[a-z]\w*)/|hf_[A-Za-z]{30}|sk-[A-Za-z0-9]{20}|BEGIN [A-Z ]*PRIVATE KEY")
    found = []
    for name in filter(None, listing.stdout.split("\0")):
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue
        if name != Path(__file__).relative_to(ROOT).as_posix() and (match := suspicious.search(text)):
            found.append((name, match[0]))
    assert found == []


@pytest.mark.parametrize("path", sorted((ROOT / "workflows").rglob("*.json")), ids=short)
def test_workflow_files_are_plain_json(path):
    raw = path.read_bytes()
    assert not raw.startswith(b"\xef\xbb\xbf") and b"\r" not in raw and raw.endswith(b"\n")
    assert "\\\\" not in raw.decode() and isinstance(json.loads(raw), dict)


DOORS = ROOT / "sesahand" / "files"
# What opens, writes, renames or deletes: methods by their names, and functions of modules.
AROUND = {
    "open", "read_text", "read_bytes", "write_text", "write_bytes", "touch", "unlink", "rmdir", "rename", "symlink_to",
    "hardlink_to", "save", "savez", "savez_compressed", "savetxt", "tofile", "load", "loadtxt", "genfromtxt",
    "fromfile", "memmap", "open_memmap", "imread", "imwrite", "TarFile", "ZipFile",
}  # fmt: skip
OF_MODULES = re.compile(
    r"os\.(remove|removedirs|renames|replace|symlink|link|fdopen|truncate)|shutil\.(?!copyfileobj)\w+"
)
# Functions that are called by their own names.
BARE = {"open", "safe_open", "load_file", "save_file"}
# Names that mean something else on what they are called on.
HARMLESS = re.compile(r"(results|batch)\.save|(HandGenerator|TransformersVLM)\.load|json\.load")
# JSON that was made a moment ago; all other is for `files.reading.parse_json`.
OWN_TEXT = re.compile(r"json\.dumps\(.*\)|.*\.to_(json|line)\(\)")
# Calls that go around the doors, each with its reason.
EXCEPTIONS = {
    "sesahand/cli.py": {"os.open": "the null device"},
    "sesahand/commands/get_detector.py": {
        "zipfile.ZipFile": "the user's own wheel, read member by member against known sums",
        "archive.open": "see above",
    },
    "sesahand/data/formats/tars.py": {"tarfile.open": "writes into a file that the door has opened"},
    "sesahand/data/hand_arrays.py": {"np.savez": "into memory"},
    "sesahand/data/picture_files.py": {"Image.fromarray(levels).save": "into memory"},
    "sesahand/evaluation/results.py": {"np.savez": "into memory"},
    "sesahand/hands/builtin.py": {"safe_open": "a file of the package"},
    "sesahand/export/hand_document.py": {"json.loads": "the scene's own text"},
    "sesahand/generate/planned.py": {"json.loads": "text of the process that started this one"},
    "sesahand/hands/gestures.py": {"ASSET.read_text": "a file of the package", "json.loads": "likewise"},
    "sesahand/reconstruct/detection/external.py": {"json.loads": "its values are counted first, and NaN is refused"},
    "sesahand/scene/scene_files.py": {"np.savez": "into memory"},
    "sesahand/semantics/languages.py": {"TABLE.read_text": "a file of the package", "json.loads": "likewise"},
    "sesahand/models/small/tokenizer.py": {"MERGES.read_bytes": "a file of the package"},
    "sesahand/training/config.py": {"json.loads": "what the user typed"},
    "sesahand/vlm/credentials.py": {"path.read_text": "the user's own file of keys", "json.loads": "likewise"},
    "sesahand/vlm/openai_vlm.py": {
        "picture.save": "into memory", "json.loads": "values are counted first, and NaN beside an answer is no harm",
    },
}  # fmt: skip


def calls_around_the_doors(tree: ast.Module):
    """Yield (line, name) of every call that opens, writes, renames or deletes."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name, last = ast.unparse(node.func), getattr(node.func, "attr", "")
        # A path's takes one argument; that of texts takes two, and that of dataclasses names.
        renames = last == "replace" and len(node.args) == 1 and not node.keywords
        if HARMLESS.fullmatch(name) or name.startswith("dataclasses."):
            continue
        parses = name == "json.loads" and not OWN_TEXT.fullmatch(ast.unparse(node.args[0]))
        if name in BARE or last in AROUND or renames or parses or OF_MODULES.fullmatch(name):
            yield node.lineno, name


@pytest.mark.parametrize("path", [path for path in (*LIBRARY, *NODES) if DOORS not in path.parents], ids=short)
def test_nothing_goes_around_the_doors_to_files(path):
    """What comes from strangers or goes to disk does so in sesahand/files/, which says how to be careful there."""
    known = EXCEPTIONS.get(short(path), {})
    found = [(line, name) for line, name in calls_around_the_doors(parse(path)) if name not in known]
    assert found == [], "use what sesahand/files/ has for it, or give a reason in EXCEPTIONS"


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_exceptions_to_the_doors_are_still_needed(name):
    assert EXCEPTIONS[name].keys() <= {call for _, call in calls_around_the_doors(parse(ROOT / name))}


@pytest.mark.parametrize(
    "source",
    ["Image.open(path)", "PIL.Image.open(p)", "np.load(p)", "torch.load(p)", "os.replace(a, b)", "a.replace(b)",
     "open(p, 'w')", "Path(p).open('a')", "p.write_text('')", "p.unlink()", "shutil.rmtree(p)", "os.remove(p)",
     "picture.save(p)", "np.lib.format.open_memmap(p)", "p.rename(q)", "p.read_bytes()",
     "safe_open(p)", "save_file(tensors, p)", "json.loads(text)"],
)  # fmt: skip
def test_the_rule_of_the_doors_knows_what_goes_around_them(source):
    assert list(calls_around_the_doors(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    ["text.replace('a', 'b')", "replace(scene, frame=f)", "values.remove", "x.write(b'')", "json.loads(json.dumps(x))"],
)
def test_the_rule_of_the_doors_leaves_other_things_alone(source):
    assert not list(calls_around_the_doors(ast.parse(source)))


# Where folders of strangers, and those that results go into, are entered.
ENTERED = [path for path in (*LIBRARY, *NODES) if re.match(
    r"sesahand/(data|generate|commands|evaluation|training)/|nodes/(dataset|planned)", short(path)
)]  # fmt: skip
# What stands for a folder, at the end of what a name is put behind.
FOLDER = re.compile(r"\b(root|folder|out|path|parent|listing|directory|temporary)(\(\))?$|^(pathlib\.)?Path\(.*\)$")
# What follows no link.
ASK = {"is_file", "is_folder", "is_link", "inside"}
# Paths that are put together by hand, each with its reason; of a folder, of all in it.
BY_HAND = {
    "sesahand/commands/convert_mano.py": {"options.source.parent": "beside the file that the user named"},
    "sesahand/commands/get_detector.py": {"folder / name": "names of its own, written whole in place of a link"},
    "sesahand/commands/reconstruct.py": {
        "self.options.out /": "written whole in place of a link", "path.with_suffix(": "likewise",
    },
    "sesahand/commands/train.py": {"path.with_name(": "said, not opened"},
    "sesahand/commands/render.py": {"folder / (f": "written whole in place of a link"},
    "sesahand/data/formats/": {"out /": "a folder that was empty a moment ago"},
    "sesahand/data/layout.py": {"root / folder_name(folder)": "whoever writes there makes the folder by make_folder, "
                                "and whoever reads asks check_inside"},
    "sesahand/evaluation/reader/network.py": {"Path(__file__)": "a file of the package"},
    "sesahand/evaluation/reader/training.py": {"output.with_suffix(": "beside the file that the user named"},
    "sesahand/generate/picture_folder.py": {"self.path /": "written whole in place of a link"},
    "sesahand/training/loop.py": {
        "self.folder /": "asked about by is_own, and changed by rename and delete_folder",
        "folder /": "asked about by lexists, and named in a log",
    },
    "sesahand/training/controlnet.py": {"out / 'pictures'": "save_sheet makes the folder by make_folder"},
    "sesahand/training/lora.py": {"out / 'pictures'": "save_sheet makes the folder by make_folder"},
    "sesahand/training/latents.py": {"os.path.join(place, name)": "asked by lstat how large it is"},
    "sesahand/training/small_model.py": {"self.out / 'pictures'": "save_sheet makes the folder by make_folder"},
    "sesahand/training/samples.py": {
        "folder /": "its links are followed and compared", "folder.parent /": "its links are followed and compared",
        "path / 'data'": "the list's own folder bounds what it names",
    },
    "nodes/planned.py": {"os.path.join(folder_paths.get_input_directory(), name)": "a name of the node's list"},
}  # fmt: skip


def paths_by_hand(tree: ast.Module):
    """Yield (line, text) where a path is put together of more than a folder and a fixed name: links may be on its way.

    Texts in messages, and questions that follow no link, are left alone.
    """
    harmless = set()
    for node in ast.walk(tree):
        asks = isinstance(node, ast.Call) and getattr(node.func, "id", "") in (
            "is_file",
            "is_folder",
            "is_link",
            "inside",
        )
        if asks or isinstance(node, ast.JoinedStr):
            harmless |= {*ast.walk(node)} - {node}
    for node in ast.walk(tree):
        by_hand = goes_down(node) if isinstance(node, ast.BinOp) else isinstance(node, ast.Call) and joins(node)
        if by_hand and node not in harmless:
            yield node.lineno, ast.unparse(node)


def goes_down(node: ast.BinOp) -> bool:
    """Tell whether a division puts a name behind a folder that is no fixed one, or behind a folder in a folder."""
    if not isinstance(node.op, ast.Div) or isinstance(getattr(node.right, "value", None), int | float):
        return False
    before = node.left
    through = isinstance(before, ast.BinOp) and isinstance(before.op, ast.Div) and is_fixed_name(before.right)
    behind_folder = FOLDER.search(ast.unparse(before)) is not None and not is_fixed_name(node.right)
    return through or behind_folder or isinstance(node.right, ast.JoinedStr)


def joins(node: ast.Call) -> bool:
    """Tell whether a call makes a path out of parts."""
    name = ast.unparse(node.func)
    if name.split(".")[-1] == "Path":
        return len(node.args) > 1 or any(isinstance(part, ast.JoinedStr) for part in node.args)
    return name == "os.path.join" or name.endswith((".joinpath", ".with_name", ".with_suffix"))


def is_fixed_name(node: ast.expr) -> bool:
    """Tell whether an expression is a text of the source: one between quotes, or a constant."""
    constant = getattr(node, "id", getattr(node, "attr", ""))
    return isinstance(getattr(node, "value", None), str) or constant.isupper()


def reasons_of(path: Path) -> dict[str, str]:
    return next((BY_HAND[start] for start in BY_HAND if short(path).startswith(start)), {})


@pytest.mark.parametrize("path", ENTERED, ids=short)
def test_nothing_goes_around_the_door_to_what_is_inside_a_folder(path):
    """A link on the way leads out of a set, a plan's folder or an output folder; `folders.inside` refuses it."""
    reasons = tuple(reasons_of(path))
    found = [(line, text) for line, text in paths_by_hand(parse(path)) if not text.startswith(reasons)]
    assert found == [], "use sesahand/files/folders.py, or give a reason in BY_HAND"


@pytest.mark.parametrize("name", BY_HAND)
def test_paths_by_hand_are_still_put_together(name):
    paths = [path for path in ENTERED if short(path).startswith(name)]
    texts = [text for path in paths for _, text in paths_by_hand(parse(path))]
    assert all(any(text.startswith(start) for text in texts) for start in BY_HAND[name])


@pytest.mark.parametrize(
    "source",
    ['self.root / f"shard_{shard:05d}"', "PairWriter(Path(out) / name)", "read_caption_lines(path.parent / value)",
     'folder / part / "rgb" / f"{number:08d}.jpg"', "write_maps(scene, options.out / name)", "self.root / 'a' / HEADER",
     "os.path.join(root, name)", "path.with_name(name)", "Path(f'{start}_hands.json')", "Path(root, name)",
     "open_shards(root / name_of(shard))", "read_caption(path.with_suffix('.txt'))"],
)  # fmt: skip
def test_the_rule_of_folders_knows_what_goes_around_the_door(source):
    assert list(paths_by_hand(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    ["root / HEADER", "root / 'pairs.json'", "inside(root, name, HEADER)", "size / FILLED / 2", "width / height",
     "is_file(folder / name)", "f'{folder / name} is missing'", "Path(root)", "(tip - root_joint) / length"],
)  # fmt: skip
def test_the_rule_of_folders_leaves_other_things_alone(source):
    assert not list(paths_by_hand(ast.parse(source)))


# What must be asked of a folder before another library reads a network from it, and after.
BEFORE_AND_AFTER = {"check_model_folder", "check_size", "check_complete", "refusing_panics"}
# Files that ask it where the folder is opened, not where the network is made.
ASKED_IN = {
    "sesahand/evaluation/features.py": "sesahand/models/vision_networks.py",
    "sesahand/vlm/transformers_vlm.py": "sesahand/vlm/folders.py",
}


def folders_read(tree: ast.Module) -> list[ast.Call]:
    """The calls by which transformers and diffusers read folders."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [call for call in calls if getattr(call.func, "attr", "") == "from_pretrained"]


READS_FOLDERS = [path for path in (*LIBRARY, *NODES) if folders_read(parse(path))]


@pytest.mark.parametrize("path", READS_FOLDERS, ids=short)
def test_model_folders_are_looked_at_before_another_library_reads_them(path):
    beside = ASKED_IN.get(short(path))
    trees = [parse(path), *([parse(ROOT / beside)] if beside else [])]
    called = {getattr(node.func, "id", "") for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert called >= BEFORE_AND_AFTER, "see sesahand/files/model_folders.py and panics.py"
    for call in folders_read(parse(path)):
        said = {named.arg for named in call.keywords} | {ast.unparse(named.value) for named in call.keywords}
        assert said & {"local_files_only", "local"}, f"line {call.lineno} may ask a model hub"


def test_the_rule_of_model_folders_knows_who_reads_them():
    assert {path.name for path in READS_FOLDERS} == {
        "checkpoints.py", "controlnets.py", "features.py", "transformers_vlm.py", "vision_networks.py"
    }  # fmt: skip


def test_the_doors_know_nothing_but_errors():
    """They are at the bottom of the house: every other room may use them."""
    for path in sorted(DOORS.glob("*.py")):
        outside = [(module, line) for level, module, line in imports(parse(path)) if level == 2 and module != "errors"]
        assert level_of(path) == [] and outside == [], short(path)


def level_of(path: Path) -> list[int]:
    return [line for level, _, line in imports(parse(path)) if level > 2]


# The floors of the house, from the ground up: a package imports those before it alone, also inside functions.
FLOORS = (
    "errors", "callbacks", "files", "hands", "scene", "vlm", "semantics", "render", "metrics", "attention", "fusion",
    "inpaint", "export", "reconstruct", "data", "world", "models", "training", "generate", "evaluation", "commands",
    "cli", "__main__",
)  # fmt: skip


def rooms_used(source: str, place: str):
    """Yield (room, line) of every other room that a file of the library at `place` imports from."""
    parts = Path(place).parts
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level == len(parts):
            for named in [node.module] if node.module else [alias.name for alias in node.names]:
                used = named.split(".")[0]
                # What the face offers by name comes from any floor, so that it is a way round them.
                used = used if used in FLOORS or used == "__version__" else FLOORS[-1]
                if used in FLOORS and used != room_of(place):
                    yield used, node.lineno
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            # By names that are made when it runs: the command line its commands, a table of formats its own files.
            if place not in ("cli.py", "data/formats/__init__.py"):
                yield FLOORS[-1], node.lineno


def room_of(place: str) -> str:
    return Path(place).parts[0].removesuffix(".py")


def in_library(path: Path) -> str:
    return path.relative_to(ROOT / "sesahand").as_posix()


def test_every_room_has_its_floor():
    assert {room_of(in_library(path)) for path in LIBRARY} - {"__init__"} == set(FLOORS)


@pytest.mark.parametrize("path", [path for path in LIBRARY if in_library(path) != "__init__.py"], ids=short)
def test_arrows_run_down_the_floors_only(path):
    room = room_of(in_library(path))
    used = rooms_used(path.read_text(encoding="utf-8"), in_library(path))
    up = [(name, line) for name, line in used if FLOORS.index(name) > FLOORS.index(room)]
    assert up == [], f"{room} may import from {', '.join(FLOORS[: FLOORS.index(room)])}"


@pytest.mark.parametrize(
    ("source", "place", "room"),
    [
        ("from ..scene.camera import Camera", "hands/model.py", "scene"),
        ("def f():\n    from ...render import maps", "reconstruct/fitting/fit.py", "render"),
        ("from .. import data", "hands/model.py", "data"),
        ("from .. import render_maps", "hands/model.py", "__main__"),
        ("importlib.import_module('..scene.camera', __package__)", "hands/model.py", "__main__"),
    ],
)
def test_the_order_of_floors_knows_arrows_where_they_hide(source, place, room):
    assert [used for used, _ in rooms_used(source, place)] == [room]


def public_classes():
    """Yield (name, file) of every public class of the library and the nodes."""
    for path in (*LIBRARY, *NODES):
        for node in parse(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield node.name, short(path)


def test_one_name_is_one_thing():
    """Two public classes of one name are two things that a reader takes for one."""
    places = collections.defaultdict(list)
    for name, path in public_classes():
        places[name].append(path)
    assert {name: where for name, where in places.items() if len(where) > 1} == {}
