"""What structural fusion costs: time and memory of a ControlNet's forward pass with and without it.

A full-size SD1.5 ControlNet (diffusers' layout, random weights), 64 x 64 latents, cond and uncond in one batch of two.

- Time: the variants take turns in one process; the median of each over the rounds, and the median of the ratios to the
  plain pass of the same round. The ratio of processor time says more on a machine with other work to do.
- Memory: the peak above what is held before the pass. On the CPU the resident set's peak, each variant in a process of
  its own, after a warm-up on a small latent; on CUDA the allocator's peak.
- "naive" is the same fusion in one chunk, with the whole 64 x 64 map in memory at a time.

Run: python benchmarks/fusion.py [--device cuda --dtype float16] [--rounds 7] [--quick] [--json results.json]
"""

import argparse
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

from sesahand.fusion.settings import FusionSettings
from sesahand.models.diffusers_fusion import attach_structural_fusion

WHOLE_MAP = 1 << 40
VARIANTS = {
    "plain": None,
    "last layers": (FusionSettings(mode="paper"), None),
    "all layers": (FusionSettings(mode="paper", layers="all"), None),
    "last layers, down to 16": (FusionSettings(mode="paper", refine="to_16"), None),
    "last layers, down to 32": (FusionSettings(mode="paper", refine="to_32"), None),
    "last layers, naive": (FusionSettings(mode="paper"), WHOLE_MAP),
}
TARGETS = {"last layers": "<= 5 %, <= 64 MiB", "all layers": "<= 20 %"}
LATENT, BATCH, MIB = 64, 2, 1 << 20


def build(arguments):
    """A ControlNet of SD1.5's real size, its weights drawn by one cheap rule."""
    from diffusers import ControlNetModel

    with torch.device("meta"):
        model = ControlNetModel(cross_attention_dim=768)
    model = model.to_empty(device=arguments.device)
    if arguments.dtype != "float32":
        model = model.to(getattr(torch, arguments.dtype))
    generator = torch.Generator(arguments.device).manual_seed(0)
    for parameter in model.parameters():
        scale = (3 / max(1, parameter[0].numel())) ** 0.5
        torch.nn.init.uniform_(parameter, -scale, scale, generator=generator)
    return model.eval().requires_grad_(False)


def inputs(arguments, latent=LATENT):
    options = {"device": arguments.device, "dtype": getattr(torch, arguments.dtype)}
    return {
        "sample": torch.randn(BATCH, 4, latent, latent, **options),
        "timestep": torch.tensor([500] * BATCH, device=arguments.device),
        "encoder_hidden_states": torch.randn(BATCH, 77, 768, **options),
        "controlnet_cond": torch.rand(BATCH, 3, latent * 8, latent * 8, **options),
        "return_dict": False,
    }


def run(model, batch, variant):
    """One forward pass of a variant."""
    choice = VARIANTS[variant]
    if choice is None:
        return model(**batch)
    with attach_structural_fusion(model, choice[0], chunk_bytes=choice[1]):
        return model(**batch)


def synchronise(device):
    if device == "cuda":
        torch.cuda.synchronize()


def seconds(model, batch, variant, device) -> tuple[float, float]:
    """Wall and processor seconds of one pass."""
    synchronise(device)
    start, start_processor = time.perf_counter(), time.process_time()
    run(model, batch, variant)
    synchronise(device)
    return time.perf_counter() - start, time.process_time() - start_processor


def measure_time(arguments) -> dict[str, dict]:
    """Median seconds of each variant, and the median of its ratio to plain within a round."""
    model, batch = build(arguments), inputs(arguments)
    for variant in arguments.variants:
        run(model, inputs(arguments, latent=8) if arguments.quick else batch, variant)
    rounds = []
    for index in range(arguments.rounds):
        # The order turns from round to round, so that no variant always follows the same one.
        turn = index % len(arguments.variants)
        order = arguments.variants[turn:] + arguments.variants[:turn]
        rounds.append({variant: seconds(model, batch, variant, arguments.device) for variant in order})
        progress(f"round {index + 1} of {arguments.rounds}", {name: wall for name, (wall, _) in rounds[-1].items()})
    return {
        variant: {
            "seconds": statistics.median(one[variant][0] for one in rounds),
            "ratio": statistics.median(one[variant][0] / one["plain"][0] for one in rounds),
            "processor_ratio": statistics.median(one[variant][1] / one["plain"][1] for one in rounds),
        }
        for variant in arguments.variants
    }


def peak_memory(arguments, variant) -> int:
    """Peak bytes of one pass above what is held before it; for a process of its own."""
    model = build(arguments)
    run(model, inputs(arguments, latent=8), variant)
    batch = inputs(arguments)
    gc.collect()
    if arguments.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run(model, batch, variant)
        return torch.cuda.max_memory_allocated() - before
    status = Path("/proc/self/status")
    if not status.exists():
        raise SystemExit("Memory on the CPU is measured on Linux only; use --no-memory.")
    Path("/proc/self/clear_refs").write_text("5")  # sets the recorded peak back to what is resident now
    before = resident(status, "VmRSS")
    run(model, batch, variant)
    return resident(status, "VmHWM") - before


def resident(status: Path, field: str) -> int:
    line = next(line for line in status.read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024


def measure_memory(arguments) -> dict[str, int]:
    """Peak bytes of each variant, each in a fresh process."""
    passed_on = ["--device", arguments.device, "--dtype", arguments.dtype]
    peaks = {}
    for variant in arguments.variants:
        command = [sys.executable, __file__, "--peak-of", variant, *passed_on]
        answers = [
            json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
            for _ in range(1 if arguments.quick else 3)
        ]
        peaks[variant] = statistics.median(answers)
        progress("peak bytes", {variant: peaks[variant]})
    return peaks


def progress(what: str, values: dict) -> None:
    print(f"{what}: " + ", ".join(f"{name} {value:.5g}" for name, value in values.items()), file=sys.stderr, flush=True)


def machine(device: str) -> str:
    where = torch.cuda.get_device_name() if device == "cuda" else f"{os.cpu_count()} CPU cores ({platform.machine()})"
    return f"{where}, torch {torch.__version__}, {torch.get_num_threads()} threads"


def table(results: dict) -> str:
    lines = [
        "| variant | s | ratio | processor ratio | peak MiB | extra MiB | target |",
        "|---|---|---|---|---|---|---|",
    ]
    for variant, row in results.items():
        memory = ["", ""]
        if "peak" in row:
            memory = [f"{row['peak'] / MIB:.0f}", f"{(row['peak'] - results['plain']['peak']) / MIB:+.0f}"]
        times = [f"{row[column]:.3f}" for column in ("seconds", "ratio", "processor_ratio")]
        cells = [variant, *times, *memory, TARGETS.get(variant, "")]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", choices=["cpu", "cuda"])
    parser.add_argument("--dtype", choices=["float32", "float16", "bfloat16"], help="default: float16 on CUDA")
    parser.add_argument("--rounds", type=int, default=7, help="timed passes of each variant")
    parser.add_argument("--quick", action="store_true", help="fewer variants, two rounds, memory measured once")
    parser.add_argument("--no-memory", action="store_true", help="leave memory out")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--peak-of", choices=VARIANTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.dtype = arguments.dtype or ("float16" if arguments.device == "cuda" else "float32")
    arguments.variants = list(VARIANTS)
    torch.set_grad_enabled(False)
    if arguments.peak_of:
        print(peak_memory(arguments, arguments.peak_of))
        return
    if arguments.quick:
        arguments.rounds = 2
        arguments.variants = [variant for variant in VARIANTS if "down to" not in variant]
    results = measure_time(arguments)
    if not arguments.no_memory:
        for variant, peak in measure_memory(arguments).items():
            results[variant]["peak"] = peak
    print(f"SD1.5 ControlNet, {BATCH} x {LATENT} x {LATENT} latents, {arguments.dtype}; {machine(arguments.device)}\n")
    print(table(results))
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine(arguments.device), "results": results}, indent=1))


if __name__ == "__main__":
    main()
