"""Every model of ours that ComfyUI manages, loaded, run, unloaded and cloned: run in a process of its own.

python every_patcher.py <plain, layers or patchers> <file for the results>
"""

import os
import shutil
import sys
from pathlib import Path

import torch

STEPS = 2


def draws(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def paint(model, clip, vae, control_net):
    """A picture by every part of the small model, whose files are in float16, and of the method, in float32."""
    import sesahand_pack.nodes.attention as attention
    import sesahand_pack.nodes.control as control
    import sesahand_pack.nodes.semantics as semantics

    import comfy.sample
    import nodes as core

    texts = ("a right hand making a fist, green wall", "a left hand")
    sides = [semantics.TextEncode.execute(clip, text, "hand words", "").args[0] for text in texts]
    sizes = {f"use_{size}": True for size in (64, 32, 16, 8)}
    settings = {"mode": "auto", "strength": 0.5, "refine": "middle", "layers": "last", "orientation": "gather"}
    fused = control.StructuralFusion.execute(control_net=control_net, **settings, **sizes).args[0]
    sides = core.ControlNetApplyAdvanced().apply_controlnet(*sides, fused, draws(1, 128, 128, 3).sigmoid(), 1.0, 0, 1)
    model = attention.AttentionBias.execute(model, 2.0, "output", 0.0, 1.0).args[0]
    latent, noise = torch.zeros(1, 4, 16, 16), draws(1, 4, 16, 16, seed=1)
    out = comfy.sample.sample(model, noise, STEPS, 3.0, "euler", "normal", *sides, latent, seed=1)
    return vae.encode(vae.decode(out))


def small_model() -> dict:
    from sesahand_pack.nodes.model import LoadMini

    import comfy.model_management

    model, clip, vae, control_net, _ = LoadMini.execute(model="embedded", control="sf").args
    found = {"loaded": paint(model, clip, vae, control_net)}
    comfy.model_management.unload_all_models()
    found["cloned"] = paint(model.clone(), clip.clone(), vae, control_net.copy())
    if hasattr(model, "deepclone_multigpu"):
        other = model.deepclone_multigpu(new_load_device=model.load_device)
        assert other.model is not model.model
        found["loaded anew"] = paint(other, clip, vae, control_net)
        # What core does under hooks, and where a device is chosen.
        static = model.clone(disable_dynamic=True), clip.clone(disable_dynamic=True)
        assert not any(patcher.is_dynamic() for patcher in (static[0], static[1].patcher))
        found["without dynamic"] = paint(*static, vae, control_net)
        static = vae.patcher.deepclone_multigpu(new_load_device=vae.device)
        assert static.model is not vae.first_stage_model
    found["kinds"] = [type(patcher).__name__ for patcher in (model, clip.patcher, control_net.control_model_wrapped)]
    return found


def refusals(folder: Path) -> dict[str, str]:
    """What is said of files that lack a tensor, or hold it cut short."""
    from safetensors.torch import load_file, save_file
    from sesahand_pack.nodes.patches.control_loading import load_controlnet
    from sesahand_pack.nodes.patches.mini_loading import load_mini
    from sesahand_pack.sesahand.errors import InvalidFileError
    from sesahand_pack.sesahand.models.small.embedded import embedded_path
    from sesahand_pack.sesahand.models.small.layout import MiniLayout
    from sesahand_pack.sesahand.models.small.model_files import control_path, read_mini_state

    layout, _, _ = read_mini_state(embedded_path())
    assert isinstance(layout, MiniLayout)
    text = "cond_stage_model.transformer.text_model."
    files = {
        load_mini: (
            embedded_path(),
            "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight",
            "model.diffusion_model.time_embed.0.bias",
            "model.diffusion_model.input_blocks.0.0.weight",
            f"{text}encoder.layers.0.mlp.fc1.weight",
            f"{text}encoder.layers.0.layer_norm1.weight",
            f"{text}embeddings.position_embedding.weight",
            "first_stage_model.latent_mean",
        ),
        load_controlnet: (
            control_path(embedded_path(), "plain"),
            "control_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight",
            "control_model.time_embed.0.bias",
            "control_model.zero_convs.0.0.weight",
        ),
    }
    found = {}
    for load, (path, *names) in files.items():
        state = load_file(path)
        for name in names:
            assert name in state, name
            for change in ("gone", "cut"):
                changed = {key: value for key, value in state.items() if key != name or change == "cut"}
                if change == "cut":
                    changed[name] = state[name][:-1].clone()
                save_file(changed, folder / "damaged.safetensors", {"sesahand.mini": layout.to_json()})
                try:
                    load(str(folder / "damaged.safetensors"))
                    found[f"{name} {change}"] = "was taken"
                except InvalidFileError as error:
                    found[f"{name} {change}"] = str(error)
        whole = path.read_bytes()
        (folder / "damaged.safetensors").write_bytes(whole[: len(whole) // 2])
        try:
            load(str(folder / "damaged.safetensors"))
            found[f"half of {path.name}"] = "was taken"
        except InvalidFileError as error:
            found[f"half of {path.name}"] = str(error)
    return found


def whole_networks(folder: Path) -> dict:
    """A captioner and a hand reconstructor, whose layers are not core's."""
    import tiny_vlm
    from hand_network_reference import SMALL_LAYERS, random_weights
    from mano_fixture import write_mano
    from safetensors.torch import save_file
    from sesahand_pack.nodes.caption import Caption, LoadVLM
    from sesahand_pack.nodes.load_reconstructor import LoadReconstructor
    from sesahand_pack.sesahand.hands.mano import load_mano
    from sesahand_pack.sesahand.reconstruct.landmarks import HandLandmarks

    import folder_paths
    from comfy import model_management

    tiny_vlm.save_blip(folder / "vlm" / "blip")
    folder_paths.folder_names_and_paths["sesahand_vlm"] = ([str(folder / "vlm")], set())
    (folder / "recon/hamer").mkdir(parents=True)
    save_file(random_weights(SMALL_LAYERS["HaMeR"]()), folder / "recon/hamer/hamer.safetensors")
    folder_paths.folder_names_and_paths["hand_recon"] = ([str(folder / "recon")], {".safetensors"})
    picture = draws(1, 80, 120, 3).sigmoid()
    box, points = torch.tensor([[20.0, 10.0, 70.0, 60.0]]), (torch.zeros(1, 21, 2), torch.zeros(1, 21, 3))
    landmarks = HandLandmarks(120, 80, 1, torch.zeros(1, dtype=torch.long), ("right",), *points, box, *torch.ones(2, 1))
    vlm = LoadVLM.execute("blip", "fp32", "auto").args[0]
    mano = load_mano(write_mano(folder))
    reconstructor = LoadReconstructor.execute(
        network_name="hamer/hamer.safetensors", hand_model=mano, dtype="fp32", chunk=4
    ).args[0]
    asked = {"instruction": "", "max_length": 8, "seed": 0, "temperature": 0.0, "max_side": 64}
    found = {}
    for time in ("first", "again"):
        found[f"caption {time}"] = Caption.execute(vlm=vlm, image=picture, **asked).args[0]
        found[f"hand {time}"] = reconstructor(picture, landmarks).hand_pose
        model_management.unload_all_models()
        assert vlm.patcher.loaded_size() == reconstructor.patcher.loaded_size() == 0
        vlm.patcher, reconstructor.patcher = vlm.patcher.clone(), reconstructor.patcher.clone()
    return found


@torch.no_grad()
def everything(folder: Path) -> dict:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return {**small_model(), "refused": refusals(folder), **whole_networks(folder)}


if __name__ == "__main__":
    kind, file = sys.argv[1:]
    sys.path.insert(0, os.environ["COMFYUI_PATH"])
    import utils.extra_config  # noqa: F401  before comfy/utils.py can take its name

    import comfy.cli_args

    comfy.cli_args.args.cpu = True
    import importlib.util

    import simulated_dynamic_vram

    import comfy.model_management

    simulated_dynamic_vram.simulate(kind)
    root = Path(__file__).resolve().parents[2]
    spec = importlib.util.spec_from_file_location(
        "sesahand_pack", root / "__init__.py", submodule_search_locations=[str(root)]
    )
    sys.modules["sesahand_pack"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    torch.save(everything(Path(file).with_suffix("")), file)
