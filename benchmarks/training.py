"""How many samples a second the stages of the small model's training take, with and without structural fusion.

Random pictures and weights: what is learnt has no say in the time. The stages take turns in one process; the median
over the rounds, and for structural fusion the median of the ratios to the plain ControlNet of the same round.

With --kept-latents it is a ControlNet's step on networks of Stable Diffusion 1.5's shape instead, --width as wide, with
pictures that are encoded in every step and with latents that are kept in files.

Run: python benchmarks/training.py [--device cuda] [--precision bf16] [--rounds 5] [--batch 16] [--size 128]
     python benchmarks/training.py --kept-latents --batch 4 --size 512 [--device cuda]
"""

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from sesahand.models.networks import Networks
from sesahand.models.small.layout import MiniLayout
from sesahand.models.small.tokenizer import load_tokenizer
from sesahand.training.autoencoding import AutoencoderTask
from sesahand.training.config import Fusion, MiniConfig, Noise
from sesahand.training.controlnet import start_controlnet
from sesahand.training.diffusion import ALWAYS, EVERY_OTHER, NEVER, DiffusionTask, use_plain_attention
from sesahand.training.latents import KeptLatents
from sesahand.training.loop import generator_of
from sesahand.training.samples import FileSamples, Look, TrainingSample

CAPTION = "a hand making a fist in front of a plain red wall"
PRECISIONS = {"no": None, "bf16": torch.bfloat16, "fp16": torch.float16}


def random_samples(count: int, size: int) -> list[TrainingSample]:
    rng = np.random.default_rng(0)
    shape = (size, size)
    return [
        TrainingSample(
            *(rng.integers(0, 256, (*shape, *rest), np.uint8) for rest in ((3,), (), ())), {"clean": CAPTION}
        )
        for _ in range(count)
    ]


def make_stages(layout: MiniLayout, count: int) -> dict:
    """The task of each stage, with networks of its own."""
    config, tokenizer = MiniConfig(), load_tokenizer()
    latents = np.zeros((count, 4, layout.latent_size, layout.latent_size), np.float16)
    whole, control = ["unet", "text_encoder", "controlnet"], ["controlnet"]
    stages = {"autoencoder": AutoencoderTask(layout.build_autoencoder().to(memory_format=torch.channels_last))}
    for name, trained, noise, fused in (
        ("base and scaffold", whole, config.noise, EVERY_OTHER),
        ("ControlNet, plain", control, config.control_noise, NEVER),
        ("ControlNet, structural fusion", control, config.control_noise, ALWAYS),
    ):
        text = layout.build_text_encoder(range(400, 600))
        parts = layout.build_unet(), text, tokenizer, layout.build_autoencoder(), layout.build_scheduler()
        networks = Networks(*parts, layout.build_controlnet())
        if not torch.cuda.is_available():
            use_plain_attention(networks.unet, networks.controlnet)
        stages[name] = DiffusionTask(networks, trained, noise, config.fusion, fused, latents=latents)
    return stages


def make_sd15(width: float) -> Networks:
    """Networks of Stable Diffusion 1.5's shape with random weights, so much as wide as its own."""
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    widths = [round(channels * width) for channels in (320, 640, 1280, 1280)]
    unet = UNet2DConditionModel(
        sample_size=64, cross_attention_dim=768, attention_head_dim=8, block_out_channels=widths
    )  # fmt: skip
    autoencoder = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=[round(channels * width) for channels in (128, 256, 512, 512)],
        layers_per_block=2,
        latent_channels=4,
    )
    text = CLIPTextModel(CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_attention_heads=12, **ENDS))
    scheduler = DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    networks = Networks(unet, text, load_tokenizer(), autoencoder, scheduler)
    networks.controlnet = start_controlnet(networks)
    return networks


ENDS = {"bos_token_id": 49406, "eos_token_id": 49407, "pad_token_id": 49407}


def measure_kept_latents(options: argparse.Namespace) -> None:
    """Print how long a step takes that encodes its pictures, and one that reads their latents."""
    device, size = options.device, options.size
    # Of a CPU the time that this process had, whatever else the machine did.
    clock = time.process_time if device == "cpu" else time.perf_counter
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        rows = []
        for number, sample in enumerate(random_samples(options.batch, size)):
            picture, control = folder / f"{number}.png", folder / f"map_{number}.png"
            Image.fromarray(sample.picture).save(picture)
            Image.fromarray(sample.control).save(control)
            rows.append((picture, control, CAPTION))
        networks = make_sd15(options.width)
        kept = KeptLatents(folder / "latents", networks.autoencoder, 1.0)
        ways = {"encoded in each step": None, "kept": kept}
        tasks = {
            name: DiffusionTask(networks, ["controlnet"], Noise(), Fusion(enabled=False), kept=latents)
            for name, latents in ways.items()
        }
        for task in tasks.values():
            task.to_device(torch.device(device))
            task.to(device)
        optimizer = torch.optim.AdamW(networks.controlnet.parameters(), fused=True)
        times: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(options.rounds + 1):
            for name, task in tasks.items():
                samples = FileSamples(rows, Look(size, latents=ways[name]))
                start = clock()
                read = [samples.at(index, (0, number)) for index in range(options.batch)]
                step_time(task, optimizer, read, device, PRECISIONS[options.precision], number)
                if number:
                    times[name].append(clock() - start)
    describe(options)
    for name, seconds in times.items():
        print(f"latents {name}: {statistics.median(seconds):.3f} s a step")
    ratio = statistics.median(b / a for a, b in zip(*times.values(), strict=True))
    print(f"kept latents: {ratio:.2f} of the time")


def describe(options: argparse.Namespace) -> None:
    """Print what the figures are of."""
    where = torch.cuda.get_device_name() if options.device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    print(
        f"{where}, {options.precision}, batches of {options.batch} at {options.size} px, {options.rounds} rounds"
    )  # fmt: skip


def step_time(task, optimizer, samples, device: str, dtype, number: int) -> float:
    start = time.perf_counter()
    batch = task.batch(range(len(samples)), samples, generator_of(0, number))
    batch = {name: value.to(device) for name, value in batch.items()}
    with torch.autocast(device, dtype, enabled=dtype is not None):
        loss = task(batch)["loss"]
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--precision", default="bf16", choices=list(PRECISIONS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--size", type=int, default=128, help="of the pictures, pixels")
    parser.add_argument("--kept-latents", action="store_true", help="a ControlNet's step, with and without them")
    parser.add_argument("--width", type=float, default=1.0, help="of --kept-latents' networks, in halves and quarters")
    options = parser.parse_args()
    if options.kept_latents:
        return measure_kept_latents(options)
    layout = replace(MiniLayout(), size=options.size)
    samples = random_samples(options.batch, options.size)
    stages = make_stages(layout, options.batch)
    optimizers = {}
    for name, task in stages.items():
        task.to_device(torch.device(options.device))
        task.to(options.device)
        optimizers[name] = torch.optim.AdamW(
            [parameter for parameters, _ in task.groups() for parameter in parameters], fused=True
        )
    times = {name: [] for name in stages}
    for number in range(options.rounds + 1):
        for name, task in stages.items():
            seconds = step_time(task, optimizers[name], samples, options.device, PRECISIONS[options.precision], number)
            if number:
                times[name].append(seconds)
    describe(options)
    for name, seconds in times.items():
        print(f"{name}: {options.batch / statistics.median(seconds):.1f} samples/s")
    plain, fused = list(times.values())[2:]
    ratio = statistics.median(b / a for a, b in zip(plain, fused, strict=True))
    print(f"structural fusion: {ratio:.2f} of the plain ControlNet's time")


if __name__ == "__main__":
    main()
