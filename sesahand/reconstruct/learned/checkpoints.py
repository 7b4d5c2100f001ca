"""Hand networks from their files: HaMeR's and WiLoR's as their authors publish them, and those of `sesahand train`.

Nothing of the published files is part of this project.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ...errors import InvalidFileError, SesaHandError
from ...files.checkpoint_pickle import ZIP_START, read_checkpoint_tensors
from ...files.model_folders import check_depth, check_size
from ...files.reading import open_regular
from ...files.weights import open_weights
from ...hands.mano import MANO_NAME
from .hamer import HaMeR, HaMeRSize
from .regressor import HandRegressor, RegressorSettings
from .regressor_files import read_settings
from .vit import NUM_HEADS, ViTSize
from .wilor import WiLoR

SUFFIXES = (".safetensors", ".ckpt", ".pth")
OWN_FOLDER = "sesahand"
"""Folder in `models/hand_recon` for what `sesahand train` exports."""
# Parts of a checkpoint that only training needs, and the authors' copy of MANO, which is read from MANO's own file.
UNUSED = ("discriminator.", "mano.")
MAX_NAMED = 4


@dataclass(frozen=True)
class Published:
    """What a user has to know about a network that its authors publish.

    Attributes:
        folder: Its folder in `models/hand_recon`.
        file: Name of the published file.
        page: Where it is published.
        licence: Its terms in a line.
    """

    folder: str
    file: str
    page: str
    licence: str


PUBLISHED = {
    "hamer": Published(
        "hamer",
        "hamer.ckpt",
        "https://github.com/geopavlakos/hamer",
        "MIT for the code; its training needs MANO, so results fall under MANO's non-commercial licence",
    ),
    "wilor": Published(
        "wilor",
        "wilor_final.ckpt",
        "https://github.com/rolpotamias/WiLoR",
        "CC-BY-NC-ND 4.0: non-commercial, no changed copies; MANO's non-commercial licence on top",
    ),
}


def load_network(path: str | Path, dtype: torch.dtype = torch.float32) -> nn.Module:
    """Load a hand network, HaMeR, WiLoR or one of the project's own, whichever the file holds.

    Args:
        path: The authors' .ckpt, or its weights as .safetensors under the same names; or an export of `sesahand train`.
        dtype: Precision of the weights.

    Returns:
        A `HaMeR`, `WiLoR` or `HandRegressor` ready to answer, on the CPU.

    Raises:
        UnsafeFileError: If the file asks for more than data.
        InvalidFileError: If it is missing, damaged or another network; the message names layers that are missing or
            unknown.
    """
    path = Path(path)
    weights = read_weights(path)
    settings = read_settings(path)
    # Without memory of its own, so that the largest networks are in memory once.
    network = check_size(path, lambda: _build(path, settings, weights), sum(map(Tensor.numel, weights.values())))
    _check_layers(network.state_dict(), weights, path.name)
    if isinstance(network, HandRegressor):
        # Again, with memory: vision networks keep tables of their own that no file holds.
        with torch.random.fork_rng(devices=[]):
            network = _build(path, settings, weights)
    cast = {name: value.to(dtype) if value.is_floating_point() else value for name, value in weights.items()}
    network.load_state_dict(cast, assign=True)
    return network.requires_grad_(False).eval()


def _build(path: Path, settings: RegressorSettings | None, weights: Mapping[str, Tensor]) -> nn.Module:
    if settings is None:
        return build_network({name: value.shape for name, value in weights.items()}, path.name)
    try:
        return HandRegressor(settings)
    except SesaHandError as error:
        raise InvalidFileError(f"{path.name} cannot be loaded: {error}") from error


def told_hand_model(path: str | Path) -> str:
    """Return the name of the hand model whose parameters a file's network tells; no more than its header is read.

    Raises:
        InvalidFileError: If the file is missing, or its header is damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise InvalidFileError(f"There is no file {str(path)[:200]!r}. {where_to_get()}")
    settings = read_settings(path)
    return MANO_NAME if settings is None else settings.hand_model


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the weights of a file by layer, without what only training needs."""
    if not path.is_file():
        raise InvalidFileError(f"There is no file {str(path)[:200]!r}. {where_to_get()}")
    read = _read_safetensors if path.suffix.lower() == ".safetensors" else _read_torch_file
    return {name: value for name, value in read(path).items() if is_used(name)}


def is_used(name: str) -> bool:
    """Tell whether a layer of a checkpoint is a part of the network that answers."""
    return name != "initialized" and not name.startswith(UNUSED)


def where_to_get() -> str:
    """Say which files go where, for messages."""
    lines = (
        f"{kind}: {known.file} from {known.page} into models/hand_recon/{known.folder} ({known.licence})"
        for kind, known in PUBLISHED.items()
    )
    return "Get the file from its authors. " + "; ".join(lines) + "."


def build_network(shapes: Mapping[str, tuple[int, ...]], file: str) -> nn.Module:
    """Return the network, with weights still to come, that layers of these shapes belong to.

    Raises:
        InvalidFileError: If they are no network that is known here.
    """
    try:
        backbone = _backbone_size(shapes, file)
        if "mano_head.decpose.weight" in shapes:
            layer = "mano_head.transformer.transformer.layers.{}."
            size = HaMeRSize(
                backbone,
                width=shapes["mano_head.decpose.weight"][1],
                depth=_count(shapes, layer + "0.norm.weight", file),
                inner=shapes[layer.format(0) + "1.fn.to_q.weight"][0],
                hidden=shapes[layer.format(0) + "2.fn.net.0.weight"][0],
            )
            return HaMeR(size)
        if "refine_net.dec_pose.weight" in shapes:
            return WiLoR(backbone)
    except (KeyError, IndexError):
        pass
    some = ", ".join(repr(name[:60]) for name in list(shapes)[:MAX_NAMED]) or "no weights at all"
    raise InvalidFileError(f"{file} is neither HaMeR nor WiLoR; it holds {some}. {where_to_get()}")


def _backbone_size(shapes: Mapping[str, tuple[int, ...]], file: str) -> ViTSize:
    width = shapes["backbone.patch_embed.proj.weight"][0]
    if not width or width % NUM_HEADS:
        raise KeyError("a width that the heads cannot share")
    depth = _count(shapes, "backbone.blocks.{}.norm1.weight", file)
    return ViTSize(width, depth, hidden=shapes["backbone.blocks.0.mlp.fc1.weight"][0])


def _count(shapes: Mapping[str, tuple[int, ...]], pattern: str, file: str) -> int:
    """Return how many layers of a numbered name there are without a gap."""
    layers = next(number for number in range(len(shapes) + 1) if pattern.format(number) not in shapes)
    return check_depth(file, layers)


def _check_layers(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], file: str) -> None:
    """Raise an InvalidFileError unless the layers are exactly those of the network, in name and shape."""
    faults = []
    for label, names in (("missing", expected.keys() - found.keys()), ("unknown", found.keys() - expected.keys())):
        if names:
            faults.append(f"{len(names)} {label}: {_listed(sorted(names))}")
    wrong = [
        f"{name} {list(found[name].shape)} instead of {list(value.shape)}"
        for name, value in expected.items()
        if name in found and found[name].shape != value.shape
    ]
    if wrong:
        faults.append(f"{len(wrong)} of another shape: {_listed(wrong)}")
    # Those are not converted, and the network would stumble over them when it is asked.
    strange = [
        f"{name} of {found[name].dtype}"
        for name, value in expected.items()
        if name in found and found[name].is_floating_point() != value.is_floating_point()
    ]
    if strange:
        faults.append(f"{len(strange)} of other numbers: {_listed(strange)}")
    if faults:
        raise InvalidFileError(
            f"{file} does not hold the published network: of its layers {'; '.join(faults)}. Use the authors' file "
            f"as it is. {where_to_get()}"
        )


def _listed(names: list[str]) -> str:
    return ", ".join(name[:100] for name in names[:MAX_NAMED]) + (", ..." if len(names) > MAX_NAMED else "")


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    with open_weights(path) as file:
        return {name: file.get_tensor(name) for name in file.keys() if is_used(name)}


def _read_torch_file(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a torch file; torch's own reader would make whatever the file describes."""
    with open_regular(path) as file:
        if file.read(len(ZIP_START)) != ZIP_START:
            raise InvalidFileError(
                f"{path.name} is not a checkpoint of a present torch: it does not begin as one. It may be an error "
                f"page or half a download. {where_to_get()}"
            )
    return read_checkpoint_tensors(path, is_used)
