"""Loading weights as the ComfyUI at hand does it: at once, or by DynamicVRAM, where layers have none until then."""

from collections.abc import Callable, Collection, Mapping

from torch import Tensor, nn

import comfy.model_patcher
from comfy.model_patcher import ModelPatcher

from ...sesahand.errors import InvalidFileError


def core_patcher(model: nn.Module, load_device, offload_device, disable_dynamic: bool = False) -> ModelPatcher:
    """The ModelPatcher that core gives to models of its own layers; a dynamic one where DynamicVRAM is on."""
    kind = getattr(comfy.model_patcher, "CoreModelPatcher", ModelPatcher)
    return (ModelPatcher if disable_dynamic else kind)(model, load_device=load_device, offload_device=offload_device)


def is_dynamic(patcher: ModelPatcher) -> bool:
    """Whether DynamicVRAM manages this model; it then keeps the tensors it was loaded from."""
    return hasattr(patcher, "is_dynamic") and patcher.is_dynamic()


def remember_loader(patcher: ModelPatcher, load: Callable[..., ModelPatcher], *arguments) -> None:
    """Tell core how to load this model anew, for another device or without DynamicVRAM.

    Args:
        patcher: Of the loaded model.
        load: Gives such a patcher for the arguments, and takes `disable_dynamic`.
        arguments: Small ones, such as a path: they live as long as the model.
    """
    patcher.cached_patcher_init = (load, arguments)


def expected_shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor that a file must hold for a module, before or after it is loaded.

    Under DynamicVRAM a Linear or Embedding has no weight before it is loaded, and whatever the file held after that:
    its own numbers tell.
    """
    shapes = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    for name, layer in module.named_modules():
        prefix = f"{name}." if name else ""
        if isinstance(layer, nn.Embedding):
            shapes[f"{prefix}weight"] = (layer.num_embeddings, layer.embedding_dim)
        if isinstance(layer, nn.Linear):
            shapes[f"{prefix}weight"] = (layer.out_features, layer.in_features)
            if getattr(layer, "comfy_need_lazy_init_bias", layer.bias is not None):
                shapes[f"{prefix}bias"] = (layer.out_features,)
    return shapes


def check_names(expected: Collection[str], found: Collection[str], source: str, what: str, note: str = "") -> None:
    """Raise an InvalidFileError that counts the tensors which a file lacks and names the first.

    Args:
        expected: Names of all tensors.
        found: Names of the file's.
        source: What the file is called.
        what: What the tensors are of, as "ControlNet".
        note: What to say of the names, in front of them.
    """
    if missing := sorted(set(expected) - set(found)):
        raise InvalidFileError(
            f"{source} lacks {len(missing)} of its {what}'s {len(expected)} tensors ({note}"
            f"{', '.join(missing[:3])}{', ...' if len(missing) > 3 else ''}); copy it again."
        )


def check_shapes(expected: Mapping[str, tuple[int, ...]], state: Mapping[str, Tensor], source: str, what: str) -> None:
    """Raise an InvalidFileError if a tensor of `state` is missing or has another shape; as `check_names`."""
    check_names(expected, state, source, what)
    for name, shape in expected.items():
        if tuple(state[name].shape) != shape:
            raise InvalidFileError(
                f"{source}: {name} is of shape {tuple(state[name].shape)}, expected {shape} in its {what}; copy it "
                "again."
            )
