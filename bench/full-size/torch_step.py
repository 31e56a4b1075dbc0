"""One evaluation of a FLUX transformer by diffusers, on weights and inputs that `bench/full-size.ts` wrote.

Usage: python bench/full-size/torch_step.py JSON, with
  {"weights": float32 .safetensors of a network with one double and one single block, "inputs": float32 numbers as
   `step-inputs.ts` writes them, "config": diffusers' own names, "latentSide", "textTokens", "threads", "runs",
   "outputs": {"double", "single", "both": files for the velocities [C, h, w]}, "timed": ["float32", "bfloat16"],
   "timedOutput": a file for the velocity of the last timed run, optional}
Prints one JSON line: {"seconds", "cpuSeconds" of the processor: {dtype: [one per run]}, "peakRssBytes"}; the network with both blocks is timed.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any

import numpy as np
import torch
from diffusers import FluxTransformer2DModel
from safetensors.torch import load_file

NETWORKS = {"double": (1, 0), "single": (0, 1), "both": (1, 1)}


def read_inputs(order: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The arguments of the network's forward, with image tokens and positions as the pipeline makes them."""
    config, side = order["config"], order["latentSide"]
    channels, text = config["in_channels"] // 4, order["textTokens"]
    numbers = torch.from_numpy(np.fromfile(order["inputs"], dtype=np.float32))
    lengths = [channels * side**2] * 2 + [text * config["joint_attention_dim"], config["pooled_projection_dim"], 1, 1]
    latents, reference, prompt, pooled, sigma, guidance = numbers.split(lengths)

    def packed(grid: torch.Tensor) -> torch.Tensor:
        cells = grid.view(1, channels, side // 2, 2, side // 2, 2)
        return cells.permute(0, 2, 4, 1, 3, 5).reshape(1, (side // 2) ** 2, channels * 4)

    def positions(stream: int) -> torch.Tensor:
        ids = torch.zeros(side // 2, side // 2, 3)
        ids[..., 0] = stream
        ids[..., 1] = torch.arange(side // 2)[:, None]
        ids[..., 2] = torch.arange(side // 2)[None, :]
        return ids.view(-1, 3)

    return {
        "hidden_states": torch.cat([packed(latents), packed(reference)], dim=1),
        "encoder_hidden_states": prompt.view(1, text, -1),
        "pooled_projections": pooled.view(1, -1),
        "timestep": sigma,
        "guidance": guidance if config["guidance_embeds"] else None,
        "img_ids": torch.cat([positions(0), positions(1)]),
        "txt_ids": torch.zeros(text, 3),
    }


def load_network(order: dict[str, Any], blocks: tuple[int, int]) -> FluxTransformer2DModel:
    weights = load_file(order["weights"])
    prefixes = ("transformer_blocks.", "single_transformer_blocks.")
    unwanted = tuple(prefix for prefix, count in zip(prefixes, blocks) if count == 0)
    wanted = {key: value for key, value in weights.items() if not unwanted or not key.startswith(unwanted)}
    with torch.device("meta"):
        network = FluxTransformer2DModel(**order["config"], num_layers=blocks[0], num_single_layers=blocks[1])
    network.load_state_dict(wanted, assign=True)
    return network.eval()


def evaluate(network: FluxTransformer2DModel, inputs: dict[str, torch.Tensor], side: int) -> np.ndarray:
    """The velocity of the target's tokens, back in the grid [C, h, w]."""
    tokens = network(**inputs, return_dict=False)[0][0, : (side // 2) ** 2]
    cells = tokens.view(side // 2, side // 2, -1, 2, 2)
    return cells.permute(2, 0, 3, 1, 4).reshape(-1, side, side).float().numpy()


def main() -> None:
    order = json.loads(sys.argv[1])
    torch.set_num_threads(order["threads"])
    inputs, side = read_inputs(order), order["latentSide"]
    seconds: dict[str, list[float]] = {}
    cpu_seconds: dict[str, list[float]] = {}
    with torch.inference_mode():
        for name, file in order["outputs"].items():
            evaluate(load_network(order, NETWORKS[name]), inputs, side).tofile(file)
        for dtype in order["timed"]:
            network = load_network(order, NETWORKS["both"]).to(getattr(torch, dtype))
            # Positions stay in float32, as in the pipeline: their angles need it.
            typed = {
                key: value if value is None or key.endswith("_ids") else value.to(network.dtype)
                for key, value in inputs.items()
            }
            seconds[dtype], cpu_seconds[dtype] = [], []
            for _ in range(order["runs"]):
                started, cpu_started = time.perf_counter(), time.process_time()
                velocity = evaluate(network, typed, side)
                seconds[dtype].append(time.perf_counter() - started)
                cpu_seconds[dtype].append(time.process_time() - cpu_started)
                if "timedOutput" in order:
                    velocity.tofile(order["timedOutput"])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "cpuSeconds": cpu_seconds, "peakRssBytes": peak}))


if __name__ == "__main__":
    main()
