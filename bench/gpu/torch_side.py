"""One step of a FLUX transformer by diffusers on a GPU, and the GPU's own peak.

Usage: python bench/gpu/torch_side.py JSON, with
  {"weights": .safetensors in bfloat16, "inputs", "config", "latentSide", "textTokens" as of
   `bench/full-size/torch_step.py`, "device", "runs", "peakSide": side of the product that is the peak,
   "outputs": {dtype: file for the velocity [C, h, w]}, "timed": dtypes that are run more than once}
Prints one JSON line: {"gpu", "peakTflops", "types": {dtype: {"seconds": [one per run], "peakBytes"} or {"error"}}}.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from diffusers import FluxTransformer2DModel
from safetensors import safe_open

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "full-size"))

from torch_step import evaluate, read_inputs  # noqa: E402

PEAK_RUNS = 10


def wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def measure_peak(device: str, side: int) -> float:
    """The fastest square product in bfloat16, in TFLOP/s."""
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    best = float("inf")
    for _ in range(PEAK_RUNS):
        wait(device)
        started = time.perf_counter()
        a @ b
        wait(device)
        best = min(best, time.perf_counter() - started)
    return 2 * side**3 / best / 1e12


def run(order: dict[str, Any], name: str, output: str) -> dict[str, Any]:
    device, dtype = order["device"], getattr(torch, name)
    with torch.device("meta"):
        network = FluxTransformer2DModel(**order["config"])
    # One by one, because two copies of all of them would not fit.
    with safe_open(order["weights"], "pt", device=device) as file:
        weights = {key: file.get_tensor(key).to(dtype) for key in file.keys()}  # noqa: SIM118
    network.load_state_dict(weights, assign=True)
    network.eval()
    inputs, side = read_inputs(order), order["latentSide"]
    # Positions stay in float32, as in the pipeline: their angles need it.
    typed = {
        key: value if value is None else value.to(device, value.dtype if key.endswith("_ids") else dtype)
        for key, value in inputs.items()
    }
    seconds = []
    for _ in range(1 + order["runs"] if name in order["timed"] else 1):
        wait(device)
        started = time.perf_counter()
        velocity = evaluate_there(network, typed, side)
        seconds.append(time.perf_counter() - started)
    velocity.tofile(output)
    peak = torch.cuda.max_memory_allocated() if device == "cuda" else None
    return {"seconds": seconds, "peakBytes": peak}


def evaluate_there(network: FluxTransformer2DModel, inputs: dict[str, torch.Tensor], side: int) -> Any:
    """Evaluates as `evaluate` does, whose last step takes numbers that are on the processor."""

    class Fetched:
        def __call__(self, **given: Any) -> tuple[torch.Tensor]:
            return (network(**given)[0].cpu(),)

    return evaluate(Fetched(), inputs, side)


def main() -> None:
    order = json.loads(sys.argv[1])
    device = order["device"]
    types: dict[str, Any] = {}
    with torch.inference_mode():
        peak = measure_peak(device, order["peakSide"])
        for name, output in order["outputs"].items():
            try:
                if device == "cuda":
                    torch.cuda.empty_cache()
                    torch.cuda.reset_peak_memory_stats()
                types[name] = run(order, name, output)
            except torch.OutOfMemoryError as error:
                types[name] = {"error": str(error).split("\n")[0]}
    gpu = torch.cuda.get_device_name() if device == "cuda" else None
    print(json.dumps({"gpu": gpu, "peakTflops": peak, "types": types}))


if __name__ == "__main__":
    main()
