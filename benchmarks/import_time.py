"""What importing the pack's library and its nodes costs beyond torch, which ComfyUI has loaded by then.

Run: python benchmarks/import_time.py [--repeat 5]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET_SECONDS = 0.5
HEAVY = ("transformers", "diffusers", "smplx", "cv2")

# For a fresh interpreter, because what is measured happens once. safetensors and PIL come with ComfyUI, as torch does.
PROBE = """
import importlib, json, pkgutil, sys, time
sys.path.insert(0, sys.argv[1])
import torch, numpy, PIL.Image, safetensors.torch
before = set(sys.modules)
start = time.perf_counter()
import sesahand
for module in pkgutil.walk_packages(sesahand.__path__, "sesahand."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
seconds = time.perf_counter() - start
print(json.dumps({"seconds": seconds, "modules": sorted({name.split(".")[0] for name in set(sys.modules) - before})}))
"""


def measure() -> dict:
    """Import every module of the library in a fresh interpreter; return the seconds and what else was loaded."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    answer = subprocess.run(
        [sys.executable, "-c", PROBE, str(ROOT)], capture_output=True, text=True, check=True, env=environment
    )
    return json.loads(answer.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5, help="fresh interpreters to measure")
    runs = [measure() for _ in range(parser.parse_args().repeat)]
    seconds = [run["seconds"] for run in runs]
    heavy = sorted(set(runs[0]["modules"]) & set(HEAVY))
    print(f"import of all of sesahand beyond torch: {statistics.median(seconds):.3f} s median of {len(seconds)}")
    print(
        f"slowest {max(seconds):.3f} s, target {TARGET_SECONDS} s; heavy libraries loaded: {', '.join(heavy) or 'none'}"
    )


if __name__ == "__main__":
    main()
