"""What the attention bias and the attention maps cost, and what optimising the latent costs instead.

A full-size Stable Diffusion 1.5 UNet with random weights (the cost does not depend on their values) predicts the noise
of one picture for a prompt and a negative prompt, which is one sampling step with guidance. All cases run in turn,
round by round; the table gives the median time, and the median of the ratios to the plain step of the same round.
On a busy machine, the ratio of the fastest runs and the ratio in CPU time are steadier.

The alternative is the latent optimisation of AttentionHand (ECCV 2024), re-implemented here: the latent moves down the
gradient of a loss on the 16 x 16 cross-attention maps of the hand tokens, with the weights frozen, one picture, the
same UNet and type. "As written" is the full forward pass with every attention map materialised and those up to 32 x 32
kept, as published; "best effort" stops behind the last 16 x 16 block and materialises those maps alone. AttentionHand
takes 50 such steps for each of two latents in every training iteration; moving its models between CPU and GPU comes on
top there and is not counted here. Its 27.25 s per iteration are the authors' training setup, not a sampling step.

Run:
    python benchmarks/attention.py [--quick] [--device cuda]
    python benchmarks/attention.py --engine comfyui        with ComfyUI's interpreter and COMFYUI_PATH set
"""

import argparse
import importlib.util
import math
import os
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
TARGET = 0.01
HAND = (4, 5, 9)
OPTIMISATION_STEPS = (1, 10, 50)
STEP_SIZE = 20.0
FULL = {"block_out_channels": (320, 640, 1280, 1280), "size": 64}
QUICK = {"block_out_channels": (64, 128, 256, 256), "size": 32}


class Reached(Exception):
    """The forward pass has come to the last block that the loss needs."""


class StoringAttention:
    """An attention that writes its whole map out, and keeps those of cross-attentions on grids up to `finest` cells."""

    def __init__(self, kept: list, finest: int, every: bool):
        from diffusers.models.attention_processor import AttnProcessor2_0

        self.kept, self.finest, self.every = kept, finest, every
        self.fused = AttnProcessor2_0()

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, **kwargs):
        keep = encoder_hidden_states is not None and hidden_states.shape[1] <= self.finest
        if not (keep or self.every):
            return self.fused(attn, hidden_states, encoder_hidden_states, attention_mask)
        text = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = (
            attn.head_to_batch_dim(part) for part in (attn.to_q(hidden_states), attn.to_k(text), attn.to_v(text))
        )
        weights = attn.get_attention_scores(query, key)
        if keep:
            self.kept.append(weights)
        out = attn.batch_to_head_dim(weights @ value)
        return attn.to_out[1](attn.to_out[0](out))


def optimise_latent(unet, latent, timestep, text, steps: int, as_written: bool) -> torch.Tensor:
    """Move the latent so that the hand tokens attend to the middle of the picture; return it."""
    kept: list[torch.Tensor] = []
    side = latent.shape[-1] // 4
    mask = torch.zeros(side, side, device=latent.device, dtype=latent.dtype)
    mask[side // 4 : -side // 4, side // 4 : -side // 4] = 1
    processors = unet.attn_processors
    finest = (2 * side) ** 2 if as_written else side**2
    unet.set_attn_processor(StoringAttention(kept, finest, as_written))
    with ExitStack() as stack:
        stack.callback(unet.set_attn_processor, processors)
        if not as_written:
            stack.callback(unet.up_blocks[1].register_forward_hook(stop).remove)
        for step in range(steps):
            kept.clear()
            latent = latent.detach().requires_grad_(True)
            try:
                unet(latent, timestep, text)
            except Reached:
                pass
            maps = torch.cat([weights for weights in kept if weights.shape[1] == side**2])
            share = maps[:, :, list(HAND)].mean(dim=(0, 2)).view(side, side)
            loss = 1 - (share * mask).sum() / share.sum()
            (gradient,) = torch.autograd.grad(loss, latent, retain_graph=as_written)
            latent = latent - STEP_SIZE * math.sqrt(1 - 0.5 * step / max(1, steps - 1)) * gradient
    return latent.detach()


def stop(module, args, output):
    raise Reached


def diffusers_cases(arguments) -> dict[str, Callable[[], object]]:
    """The cases of diffusers' UNet2DConditionModel."""
    from diffusers import UNet2DConditionModel

    from sesahand.models.diffusers_bias import attention_bias

    settings = dict(QUICK if arguments.quick else FULL)
    size = settings.pop("size")
    torch.manual_seed(0)
    with torch.device(arguments.device):
        unet = UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8, **settings)
        unet = unet.to(arguments.dtype).eval().requires_grad_(False)
        latent = torch.randn(1, 4, size, size, dtype=arguments.dtype)
        text = torch.randn(2, 77, 768, dtype=arguments.dtype)
    mask = torch.zeros(1, 8 * size, 8 * size)
    mask[:, 2 * size : 6 * size, 2 * size : 6 * size] = 1
    timestep = torch.tensor(500, device=arguments.device)

    @torch.inference_mode()
    def step(**bias):
        with ExitStack() as stack:
            if bias:
                stack.enter_context(attention_bias(unet, [(), HAND], **bias))
            return unet(torch.cat([latent, latent]), timestep, text).sample

    cases = {
        "plain": step,
        "bias, output": lambda: step(alpha=2.0),
        "bias, all blocks": lambda: step(alpha=2.0, blocks="all"),
        "bias, output, mask": lambda: step(alpha=2.0, mask=mask, feather=16),
    }
    for name, as_written in (("best effort", False), ("as written", True)):
        for steps in arguments.steps:
            cases[f"latent optimisation, {name}, {steps} x"] = lambda steps=steps, as_written=as_written: (
                optimise_latent(unet, latent, timestep, text[1:], steps, as_written)
            )
    return cases


def comfyui_cases(arguments) -> dict[str, Callable[[], object]]:
    """The cases of ComfyUI's own UNet, called as its samplers call it."""
    sys.path[:] = [os.environ["COMFYUI_PATH"], str(ROOT / "tests" / "support"), *sys.path[1:]]
    import comfy.cli_args

    comfy.cli_args.args.cpu = arguments.device == "cpu"
    comfy.cli_args.args.use_pytorch_cross_attention = True
    spec = importlib.util.spec_from_file_location(
        "sesahand_pack", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    sys.modules["sesahand_pack"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["sesahand_pack"])
    import narrow_models
    from sesahand_pack.nodes.patches.attention_bias import bias_attention
    from sesahand_pack.nodes.patches.attention_map import record_attention
    from sesahand_pack.nodes.patches.cross_attention import SESSION, start_session

    import comfy.model_management
    import comfy.sampler_helpers
    import comfy.samplers

    model = narrow_models.model("sd15", None if arguments.quick else narrow_models.SD15)
    comfy.model_management.load_models_gpu([model], force_full_load=True)
    base, size = model.model, (QUICK if arguments.quick else FULL)["size"]
    x = torch.randn(1, 4, size, size, device=model.load_device)
    tokens = {"sesahand_tokens": {"columns": HAND, "length": 77}}
    conds = {"positive": [[torch.randn(1, 77, 768), tokens]], "negative": [[torch.randn(1, 77, 768), {}]]}
    conds = {name: comfy.sampler_helpers.convert_cond(cond) for name, cond in conds.items()}
    model.pre_run()
    conds = comfy.samplers.process_conds(base, x, conds, x.device)
    sigma = base.model_sampling.sigma(torch.tensor([500.0])).to(x.device)
    mask = torch.zeros(1, 8 * size, 8 * size)
    mask[:, 2 * size : 6 * size, 2 * size : 6 * size] = 1

    def step_of(model):
        session = start_session(conds, model.model_options)
        options = {**model.model_options["transformer_options"], SESSION: session}
        options = {**model.model_options, "transformer_options": options}

        @torch.inference_mode()
        def step():
            session.runs.clear()
            return comfy.samplers.calc_cond_batch(base, [conds["positive"], conds["negative"]], x, sigma, options)

        return step

    return {
        "plain": step_of(model),
        "bias, output": step_of(bias_attention(model)),
        "bias, all blocks": step_of(bias_attention(model, blocks="all")),
        "bias, output, mask": step_of(bias_attention(model, mask=mask, feather=16)),
        "maps, 1/32": step_of(record_attention(model, detail="1/32")[0]),
        "maps, 1/16 (default)": step_of(record_attention(model)[0]),
        "maps, 1/8": step_of(record_attention(model, detail="1/8")[0]),
        "bias and maps, 1/16": step_of(record_attention(bias_attention(model))[0]),
    }


def measure(cases: dict[str, Callable[[], object]], arguments) -> list[dict[str, tuple[float, float]]]:
    """Run the cases in turn after a warm-up; return the wall and CPU seconds of each round that was completed.

    An interruption from the keyboard ends it after the last complete round.
    """
    rounds = []
    try:
        for number in range(arguments.rounds + 1):
            taken = {}
            for name, case in cases.items():
                synchronise(arguments.device)
                wall, processor = time.perf_counter(), time.process_time()
                case()
                synchronise(arguments.device)
                taken[name] = time.perf_counter() - wall, time.process_time() - processor
                print(f"round {number}/{arguments.rounds}: {name}: {taken[name][0]:.2f} s", file=sys.stderr, flush=True)
            rounds.append(taken)
    except KeyboardInterrupt:
        pass
    if len(rounds) < 2:
        sys.exit("Not one round was completed after the warm-up.")
    return rounds[1:]


def synchronise(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def report(rounds: list[dict[str, tuple[float, float]]], arguments) -> None:
    taken = {name: [round_[name] for round_ in rounds] for name in rounds[0]}
    kind = "quick (narrow UNet, 256 px)" if arguments.quick else "full-size SD1.5 UNet, 512 px"
    print(f"{arguments.engine}, {kind}, {arguments.device}, {arguments.dtype}, torch {torch.__version__}, ", end="")
    print(f"{torch.get_num_threads()} threads, median of {len(rounds)} interleaved rounds\n")
    print("| case | seconds | ratio | ratio of the fastest | ratio in CPU time |\n|---|---|---|---|---|")
    plain = taken["plain"]
    for name, runs in taken.items():
        walls, processors = ([run[i] / base[i] for run, base in zip(runs, plain, strict=True)] for i in (0, 1))
        fastest = min(run[0] for run in runs) / min(base[0] for base in plain)
        print(
            f"| {name} | {statistics.median(run[0] for run in runs):.3f} | {statistics.median(walls):.3f} "
            f"| {fastest:.3f} | {statistics.median(processors):.3f} |"
        )
    for name in ("best effort", "as written"):
        done = [steps for steps in arguments.steps if f"latent optimisation, {name}, {steps} x" in taken]
        if not done:
            continue
        most = max(done)
        each = statistics.median(run[0] for run in taken[f"latent optimisation, {name}, {most} x"]) / most
        for steps in OPTIMISATION_STEPS:
            kind = "measured" if steps in done else f"computed from {most} x"
            ratio = 1 + steps * each / statistics.median(run[0] for run in plain)
            print(
                f"| sampling step after {steps} x latent optimisation, {name} ({kind}) | {steps * each:.2f} more "
                f"| {ratio:.1f} | one latent; two latents: {2 * ratio - 1:.1f} | |"
            )
    ratio = statistics.median(run[0] / base[0] for run, base in zip(taken["bias, output"], plain, strict=True))
    print(f"\nbias, output: {100 * (ratio - 1):+.2f} % of a step, target {100 * TARGET:.0f} %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a narrow UNet at 256 px: seconds instead of minutes")
    parser.add_argument("--engine", choices=("diffusers", "comfyui"), default="diffusers")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", choices=("float32", "float16", "bfloat16"), help="default: float32, on CUDA float16")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, help="of the CPU; 1 gives the steadiest ratios on a busy machine")
    parser.add_argument(
        "--steps", type=int, nargs="*", help="lengths of the latent optimisation to run; default: 1, on CUDA 1 10 50"
    )
    arguments = parser.parse_args()
    arguments.dtype = getattr(torch, arguments.dtype or ("float16" if arguments.device == "cuda" else "float32"))
    if arguments.steps is None:
        arguments.steps = list(OPTIMISATION_STEPS) if arguments.device == "cuda" else [1]
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    cases = (diffusers_cases if arguments.engine == "diffusers" else comfyui_cases)(arguments)
    report(measure(cases, arguments), arguments)


if __name__ == "__main__":
    main()
