"""Opening predictions or truth, whichever of the known files they are."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from ...callbacks import Progress
from ...data.layout import HEADER
from ...data.pair_set import PairSet
from ...errors import InvalidFileError, SesaHandError
from ...files.folders import inside, list_folder
from ...files.names import to_file_name
from ...files.reading import parse_json, read_bytes
from ...hands.loading import load_hand_model
from ...hands.model import HandModel
from ...scene.hand_files import load_hands
from ...scene.hand_scene import HandScene
from .coco_file import MAX_COCO_BYTES, hands_of_coco, is_coco
from .conventions import find_convention
from .hand_set import HandSet, SeenPicture, hands_of_scene, join_hand_sets
from .number_lists import is_number_lists
from .point_lists import MAX_LIST_BYTES, hands_of_list_folder, hands_of_lists, list_part

# What `sesahand reconstruct` and `generate` write for a picture.
ENDING = "_hands"


@dataclass(frozen=True)
class ReadingSettings:
    """What files do not say of themselves.

    Attributes:
        model: A hand model beside the built-in hand, such as MANO.
        lefts: How left hands are stored in MANO parameters, see `read_mano_parameters`.
        image_size: Width and height in pixels for MANO parameters that do not tell.
        convention: A name of `CONVENTIONS`, for lists of points and COCO files.
    """

    model: HandModel = field(default_factory=load_hand_model)
    lefts: str = "mirrored"
    image_size: tuple[int, int] | None = None
    convention: str = "freihand"


def open_hands(path: str | Path, settings: ReadingSettings | None = None, progress: Progress | None = None) -> HandSet:
    """Read predicted or true hands.

    Args:
        path: A hand scene or MANO parameters (.json, .npz), a COCO file, lists of points as FreiHAND's and HO-3D's
            evaluations take them, or a folder: a pair set, FreiHAND's annotations, or hands' files, one a picture.
        settings: What the files do not say; None takes the defaults.
        progress: Called with how many files are read and how many there are.

    Raises:
        InvalidFileError: If it is none of them, or damaged.
        SesaHandError: If hands belong to another hand model.
    """
    path, settings = Path(path), settings or ReadingSettings()
    convention = find_convention(settings.convention)
    tell = progress or (lambda done, total: None)
    if not path.is_dir():
        return _open_file(path, settings)
    if (path / HEADER).is_file():
        return _open_pair_set(path, settings, tell)
    if list_part(path):
        return hands_of_list_folder(path, convention)
    return _open_folder(path, settings, tell)


def _open_file(path: Path, settings: ReadingSettings) -> HandSet:
    if path.suffix.lower() == ".json":
        text = read_bytes(path, MAX_LIST_BYTES)
        convention = find_convention(settings.convention)
        if is_number_lists(text):
            return hands_of_lists(text, str(path), convention)
        data = parse_json(text, str(path), MAX_COCO_BYTES)
        if is_coco(data):
            return hands_of_coco(data, path, convention)
    return _of_scene(_load(path, settings), path)


def _of_scene(scene: HandScene, path: Path) -> HandSet:
    """Return the hands of one file: frames that only their order tells apart."""
    name, count = to_file_name(path.stem.removesuffix(ENDING)), scene.num_frames
    keys = [name] if count == 1 else [f"{name}_{frame:04d}" for frame in range(count)]
    return hands_of_scene(scene, str(path), [SeenPicture(key) for key in keys], named=False)


def _load(path: Path, settings: ReadingSettings) -> HandScene:
    """Read hands of the model that is given, or of the built-in hand."""
    try:
        return load_hands(path, settings.model, settings.lefts, settings.image_size)
    except InvalidFileError:
        raise
    except SesaHandError:
        return load_hands(path, None, settings.lefts, settings.image_size)


def _open_folder(folder: Path, settings: ReadingSettings, tell: Progress) -> HandSet:
    """Read the files that end with `ENDING`, or if there are none all that could be hands."""
    try:
        files = [path for path in list_folder(folder) if path.suffix.lower() in (".json", ".npz")]
    except OSError as error:
        raise InvalidFileError(f"The folder {folder!s:.200} cannot be read ({error!s:.120}).") from error
    files = [path for path in files if path.stem.endswith(ENDING)] or files
    if not files:
        raise InvalidFileError(
            f"{folder!s:.200} holds no hands: expected a pair set, FreiHAND's annotations, or files such as those that "
            "`sesahand reconstruct` writes (NAME_hands.json)."
        )
    sets = []
    for done, path in enumerate(files, 1):
        found = _of_scene(_load(inside(folder, path.name), settings), path)
        # In a folder the names tell which picture is which, also for the frames of a file.
        sets.append(replace(found, named=True))
        tell(done, len(files))
    return join_hand_sets(sets, str(folder))


def _open_pair_set(folder: Path, settings: ReadingSettings, tell: Progress) -> HandSet:
    pairs = PairSet(folder, [settings.model])
    sets = []
    for done, pair in enumerate(pairs, 1):
        picture = SeenPicture(pair.key, (pair.record.width, pair.record.height), pair.path("picture"))
        sets.append(hands_of_scene(pair.scene, str(folder), [picture]))
        tell(done, len(pairs))
    if not sets:
        raise InvalidFileError(f"The pair set {folder!s:.200} is empty.")
    return join_hand_sets(sets, str(folder))
