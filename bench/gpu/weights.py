"""Seeded random weights in bfloat16 in the shapes of a FLUX transformer, drawn on the GPU where there is one.

Usage: python bench/gpu/weights.py JSON, with {"config": diffusers' own names, "device", "seed", "output": file}
Prints one JSON line: {"bytes", "seconds"}. As large as those of `bench/full-size/synthetic.ts`, which says why: matrices
have a standard deviation of 0.02 at width 3072 and more in a narrower network, biases 0.02, the scales of norms are
around 1. Those weights are drawn in blocks of 8 bits by a program that would take minutes for these.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time

import torch
from diffusers import FluxTransformer2DModel

DEVIATION = 0.02
WIDTH = 3072
BYTES = 2


def shapes_of(config: dict[str, object]) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        network = FluxTransformer2DModel(**config)
    return {key: tuple(value.shape) for key, value in network.state_dict().items()}


def draw(key: str, shape: tuple[int, ...], seed: int, device: str, width: int) -> torch.Tensor:
    number = int.from_bytes(hashlib.sha256(f"{seed} {key}".encode()).digest()[:7], "little")
    generator = torch.Generator(device).manual_seed(number)
    normal = torch.randn(shape, generator=generator, device=device, dtype=torch.float32)
    if len(shape) == 2:
        return normal * DEVIATION * (WIDTH / width) ** 0.5
    return normal * DEVIATION + (1 if key.endswith(".weight") else 0)


def main() -> None:
    order = json.loads(sys.argv[1])
    started = time.perf_counter()
    shapes = shapes_of(order["config"])
    width = order["config"]["num_attention_heads"] * order["config"]["attention_head_dim"]
    header: dict[str, object] = {}
    end = 0
    for key, shape in shapes.items():
        start, end = end, end + BYTES * torch.Size(shape).numel()
        header[key] = {"dtype": "BF16", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(order["output"], "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for key, shape in shapes.items():
            numbers = draw(key, shape, order["seed"], order["device"], width).to(torch.bfloat16)
            file.write(numbers.cpu().view(torch.int16).numpy().data)
    print(json.dumps({"bytes": end, "seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    main()
