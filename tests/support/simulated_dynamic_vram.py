"""DynamicVRAM of today's ComfyUI on a machine without a GPU, in a process of its own.

What is real: everything above the GPU. Layers without weights until they are loaded (comfy/ops.py), tensors that are
assigned and not copied, core's ModelPatcherDynamic with its lists, backups, clones and loading factories, layers that
cast their weights, and the executor's work between nodes.

What is not: core gives a CPU the plain ModelPatcher, so `PATCHERS` keeps it from doing so; and comfy-aimdo's library
needs a driver, so core's files are read by safetensors, pinned buffers stay empty and no weight waits in paged memory:
each is cast where it lies, on the way into its layer. `LAYERS` is the flag alone, the least that a model has to bear.
"""

PLAIN, LAYERS, PATCHERS = "plain", "layers", "patchers"


class _EmptyBuffer:
    """Stands for pinned memory of which nothing is used."""

    size = 0

    def __init__(self, *_):
        pass

    def truncate(self, *_, **__):
        pass


def is_there() -> bool:
    """Tell whether this ComfyUI has DynamicVRAM at all; 0.3.64 has not."""
    import comfy.model_patcher

    return hasattr(comfy.model_patcher, "ModelPatcherDynamic")


def simulate(kind: str) -> None:
    """Switch it on for this process, before any model is built."""
    if kind == PLAIN:
        return
    import comfy_aimdo.host_buffer
    import comfy_aimdo.model_vbar

    import comfy.memory_management
    import comfy.model_patcher
    import comfy.utils

    comfy.memory_management.aimdo_enabled = True
    comfy.model_patcher.CoreModelPatcher = comfy.model_patcher.ModelPatcherDynamic
    comfy.utils.load_safetensors = _read
    comfy_aimdo.model_vbar.vbars_analyze = lambda *_: 0
    comfy_aimdo.model_vbar.vbars_reset_watermark_limits = lambda *_: None
    if kind == PATCHERS:
        comfy_aimdo.host_buffer.HostBuffer = _EmptyBuffer
        comfy.model_patcher.CoreModelPatcher = _patcher_for_cpus(comfy.model_patcher.ModelPatcherDynamic)


def _read(path: str) -> tuple[dict, dict]:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}


def _patcher_for_cpus(core: type) -> type:
    class DynamicOnCPU(core):
        def __new__(cls, *_, **__):
            return object.__new__(cls)

        def partially_unload(self, device_to, memory_to_free=0, force_patch_weights=False):
            # Core's own asserts that it is no CPU, and frees paged memory first; what is left of it is this.
            return self.restore_loaded_backups()

    return DynamicOnCPU
